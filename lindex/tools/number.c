/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "number.h"

#include <stddef.h>

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* The number that @text begins with. Return: what follows, or NULL: there is none, or it is too large. */
static const char *take(const char *text, unsigned int base, uint64_t *n)
{
	const char *at = text;
	uint64_t sum = 0;

	for (; digit_of(*at) < base; at++) {
		unsigned int digit = digit_of(*at);

		if (sum > (UINT64_MAX - digit) / base)
			return NULL;
		sum = sum * base + digit;
	}
	if (at == text)
		return NULL;
	*n = sum;
	return at;
}

bool number_dec(const char *text, uint64_t *n)
{
	const char *end = take(text, 10, n);

	return end && !*end;
}

bool number_hex(const char *text, uint64_t *n)
{
	const char *end;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	end = take(text, 16, n);
	return end && !*end;
}

bool number_scaled(const char *text, uint64_t *n)
{
	const char *end = take(text, 10, n);
	uint64_t scale = 1;

	if (!end)
		return false;
	switch (*end) {
	case 'k':
		scale = 1000;
		break;
	case 'M':
		scale = 1000000;
		break;
	case 'G':
		scale = 1000000000;
		break;
	case 0:
		return true;
	default:
		return false;
	}
	return !end[1] && !__builtin_mul_overflow(*n, scale, n);
}
