/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Numbers from text, without what strtoull() lets pass: signs, spaces, overflow, a rest.
 */
#include "tool.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static bool number(const char *text, unsigned int base, uint64_t *n)
{
	uint64_t sum = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)digit_of(*text);

		if (digit >= base || sum > (UINT64_MAX - digit) / base)
			return false;
		sum = sum * base + digit;
	}
	*n = sum;
	return true;
}

bool number_dec(const char *text, uint64_t *n)
{
	return number(text, 10, n);
}

bool number_hex(const char *text, uint64_t *n)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	return number(text, 16, n);
}
