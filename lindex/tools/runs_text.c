/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs as text, one a line, ascending:
 *
 *     KEY VALUE LENGTH [TAG [STEP]]     # key and value hexadecimal, the others decimal
 *
 * LENGTH keys from KEY on have the values VALUE, VALUE + STEP, ... STEP is 1 unless it is 0.
 */
#include "tool.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 5u
#define QUOTED 40u /* characters of bad input that a complaint shows */

struct reader {
	const char *name;
	uint64_t line;
};

static int unexpected(const struct reader *r, const char *expected, const char *found)
{
	char shown[QUOTED + 1];
	size_t n;

	if (!found)
		return complain("%s:%" PRIu64 ": expected %s, found the end of the line", r->name,
				r->line, expected);
	for (n = 0; found[n] && n < QUOTED; n++)
		shown[n] = isprint((unsigned char)found[n]) ? found[n] : '?';
	shown[n] = 0;
	return complain("%s:%" PRIu64 ": expected %s, found \"%s\"%s", r->name, r->line, expected,
			shown, found[n] ? "..." : "");
}

/* Cuts @line at blanks, in place. Returns how many fields there are; FIELDS + 1: too many. */
static size_t split(char *line, char *field[FIELDS + 1])
{
	static const char blank[] = " \t\r\n";
	size_t n = 0;
	char *rest;

	line[strcspn(line, "#")] = 0;
	for (char *word = strtok_r(line, blank, &rest); word && n <= FIELDS;
	     word = strtok_r(NULL, blank, &rest))
		field[n++] = word;
	for (size_t i = n; i <= FIELDS; i++)
		field[i] = NULL;
	return n;
}

static int parse(const struct reader *r, char **field, struct lindex_run *run)
{
	static const char *const expected[FIELDS + 1] = {
		"a key: a hexadecimal number below 2^64",
		"a value: a hexadecimal number below 2^64",
		"a length: a decimal number from 1 to 2^64-1",
		"a tag: a decimal number below 65536",
		"a step: 0 or 1",
		"the end of the line after five fields",
	};
	uint64_t key = 0, value = 0, length = 0, tag = 0, step = 1;
	const bool good[FIELDS + 1] = {
		field[0] && number_hex(field[0], &key),
		field[1] && number_hex(field[1], &value),
		field[2] && number_dec(field[2], &length) && length,
		!field[3] || (number_dec(field[3], &tag) && tag <= UINT16_MAX),
		!field[4] || (number_dec(field[4], &step) && step <= 1),
		!field[5],
	};

	for (size_t i = 0; i <= FIELDS; i++)
		if (!good[i])
			return unexpected(r, expected[i], field[i]);
	if (length - 1 > UINT64_MAX - key)
		return unexpected(r, "a length that ends at key 2^64-1 or before", field[2]);
	if (step && length - 1 > UINT64_MAX - value)
		return unexpected(r, "a length that ends at value 2^64-1 or before", field[2]);
	*run = (struct lindex_run){ .first = key,
				    .last = key + (length - 1),
				    .value = value,
				    .tag = (uint16_t)tag,
				    .step = (uint8_t)step };
	return 0;
}

static int read_line(const struct reader *r, char *line, size_t len, struct run_list *list)
{
	char *field[FIELDS + 1], expected[64];
	struct lindex_run run = { 0 };
	int status;

	if (strlen(line) != len)
		return complain("%s:%" PRIu64 ": expected text, found a zero byte", r->name,
				r->line);
	if (split(line, field) == 0)
		return 0;
	status = parse(r, field, &run);
	if (status)
		return status;
	if (list->n && run.first <= list->runs[list->n - 1].last) {
		snprintf(expected, sizeof(expected),
			 "a key above 0x%" PRIx64 ", where the last run ends",
			 list->runs[list->n - 1].last);
		return unexpected(r, expected, field[0]);
	}
	return runs_append(list, &run) ? no_memory() : 0;
}

static int read_lines(FILE *in, const char *name, struct run_list *list)
{
	struct reader r = { .name = name };
	struct progress progress;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int status = 0;

	progress_begin(&progress, "lines read");
	while (!status && (len = getline(&line, &room, in)) >= 0) {
		r.line++;
		status = read_line(&r, line, (size_t)len, list);
		progress_at(&progress, r.line);
	}
	progress_end(&progress);
	if (!status && ferror(in))
		status = complain("%s: cannot read: %s", name, strerror(errno));
	free(line);
	return status;
}

int runs_read(const char *path, struct run_list *list)
{
	FILE *in;
	int status;

	if (strcmp(path, "-") == 0)
		return read_lines(stdin, "stdin", list);
	in = fopen(path, "r");
	if (!in)
		return complain("%s: cannot open: %s", path, strerror(errno));
	status = read_lines(in, path, list);
	fclose(in);
	return status;
}

void runs_write(const struct run_list *list, FILE *out)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct lindex_run *run = &list->runs[i];

		fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64, run->first, run->value,
			run->last - run->first + 1);
		if (run->tag || !run->step)
			fprintf(out, " %u", run->tag);
		fputs(run->step ? "\n" : " 0\n", out);
	}
}
