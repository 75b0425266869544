/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Arguments: options anywhere among them, values after them or after "=".
 */
#include "tool.h"

#include <string.h>

/* Whether @arg is @spec's option; *@value: what follows "=", or NULL. */
static bool is_option(const struct option_spec *spec, const char *arg, const char **value)
{
	size_t len = strlen(spec->name);

	*value = NULL;
	if (strncmp(arg, spec->name, len) != 0)
		return false;
	if (!arg[len])
		return true;
	*value = arg[len] == '=' && spec->value ? arg + len + 1 : NULL;
	return *value != NULL;
}

static const struct option_spec *find_option(const struct option_spec *specs, size_t n,
					     const char *arg, const char **value)
{
	for (size_t i = 0; i < n; i++)
		if (is_option(&specs[i], arg, value))
			return &specs[i];
	return NULL;
}

int options_parse(const char *verb, const char *usage, const struct option_spec *specs, size_t n,
		  int *argc, char **argv, int least, int most)
{
	int kept = 0, i;

	for (i = 0; i < *argc; i++) {
		const struct option_spec *spec;
		const char *value;

		if (strcmp(argv[i], "--") == 0)
			break;
		if (argv[i][0] != '-' || !argv[i][1]) {
			argv[kept++] = argv[i];
			continue;
		}
		spec = find_option(specs, n, argv[i], &value);
		if (!spec)
			return complain("%s: expected %s, found \"%s\"", verb, usage, argv[i]);
		if (!spec->value) {
			*spec->flag = true;
			continue;
		}
		if (!value && i + 1 == *argc)
			return complain("%s: expected a value after %s, found none", verb,
					spec->name);
		*spec->value = value ? value : argv[++i];
	}
	for (i += i < *argc; i < *argc; i++)
		argv[kept++] = argv[i];
	*argc = kept;
	if (kept < least)
		return complain("%s: expected %s", verb, usage);
	if (kept > most)
		return complain("%s: expected %s, found \"%s\"", verb, usage, argv[most]);
	return 0;
}

int option_number(const char *name, const char *text, uint64_t *n)
{
	if (vmmap_parse_size(text, strlen(text), n))
		return complain("expected a number (64, 512K, 8M, 2G) after %s, found \"%s\"", name,
				text);
	return 0;
}

/* 16: no digit. */
static unsigned int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

int option_hex(const char *name, const char *text, uint64_t *n)
{
	const char *digits = text;
	uint64_t sum = 0;
	bool good;

	if (digits[0] == '0' && (digits[1] | 0x20) == 'x')
		digits += 2;
	good = *digits != 0;
	for (; *digits && good; digits++) {
		good = hex_digit(*digits) < 16 && sum >> 60 == 0;
		sum = sum << 4 | hex_digit(*digits);
	}
	if (!good)
		return complain("%s: expected a hexadecimal number, found \"%s\"", name, text);
	*n = sum;
	return 0;
}
