/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#define _GNU_SOURCE
#include "runs_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#define FIELDS     5u
#define QUOTED     40u /* characters of bad input that a complaint shows */
#define LINE_BYTES 65536u

/* @last: where the last run ends, if there was @any. The bytes of @text from @at up to @end are not used up yet. */
struct reader {
	FILE *in;
	const char *name;
	char *why;
	uint64_t line, last;
	size_t at, end;
	bool any, over;
	char text[LINE_BYTES + 1];
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct reader *r, const char *fmt,
							...)
{
	int len = snprintf(r->why, RUNS_TEXT_WHY_BYTES, "%s:%" PRIu64 ": ", r->name, r->line);
	va_list args;

	va_start(args, fmt);
	if (len >= 0 && len < RUNS_TEXT_WHY_BYTES)
		(void)vsnprintf(r->why + len, RUNS_TEXT_WHY_BYTES - (size_t)len, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int unexpected(const struct reader *r, const char *expected, const char *found)
{
	char quoted[QUOTED + 1];
	size_t n;

	if (!found)
		return refuse(r, "expected %s, found the end of the line", expected);
	for (n = 0; found[n] && n < QUOTED; n++)
		quoted[n] = isprint((unsigned char)found[n]) ? found[n] : '?';
	quoted[n] = 0;
	return refuse(r, "expected %s, found \"%s\"%s", expected, quoted, found[n] ? "..." : "");
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static int fill(struct reader *r)
{
	memmove(r->text, r->text + r->at, r->end - r->at);
	r->end -= r->at;
	r->at = 0;
	if (r->end == LINE_BYTES) {
		r->line++;
		return refuse(r, "expected a line of less than %u bytes, found more", LINE_BYTES);
	}
	errno = 0;
	r->end += fread(r->text + r->end, 1, LINE_BYTES - r->end, r->in);
	if (ferror(r->in))
		return errno ? -errno : -EIO;
	r->over = feof(r->in);
	return 0;
}

/* The next line, without its end; NULL after the last one. */
static int next(struct reader *r, char **line)
{
	char *newline;
	int err;

	*line = NULL;
	while (!(newline = memchr(r->text + r->at, '\n', r->end - r->at)) && !r->over) {
		err = fill(r);
		if (err)
			return err;
	}
	if (!newline && r->at == r->end)
		return 0;
	r->line++;
	*line = r->text + r->at;
	if (!newline)
		newline = r->text + r->end;
	*newline = 0;
	r->at = (size_t)(newline - r->text) + (newline < r->text + r->end);
	if (strlen(*line) != (size_t)(newline - *line))
		return refuse(r, "expected text, found a zero byte");
	return 0;
}

/* ---- Runs -------------------------------------------------------------------------------------- */

/* Cuts @line at blanks, in place. Returns how many fields there are; FIELDS + 1: too many. */
static size_t split(char *line, char *field[FIELDS + 1])
{
	static const char blank[] = " \t\r\v\f";
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

static int read_line(struct reader *r, char *line, runs_text_fn add, void *ctx)
{
	char *field[FIELDS + 1], expected[64];
	struct lindex_run run = { 0 };
	int err;

	if (split(line, field) == 0)
		return 0;
	err = parse(r, field, &run);
	if (err)
		return err;
	if (r->any && run.first <= r->last) {
		snprintf(expected, sizeof(expected),
			 "a key above 0x%" PRIx64 ", where the last run ends", r->last);
		return unexpected(r, expected, field[0]);
	}
	r->any = true;
	r->last = run.last;
	return add(ctx, &run);
}

int runs_text_read(FILE *in, const char *name, runs_text_fn add, void *ctx,
		   char why[RUNS_TEXT_WHY_BYTES])
{
	struct reader *r = malloc(sizeof(*r));
	char *line = NULL;
	int err;

	why[0] = 0;
	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .in = in, .name = name, .why = why };
	do {
		err = next(r, &line);
		if (!err && line)
			err = read_line(r, line, add, ctx);
	} while (!err && line);
	free(r);
	return err;
}

/* ---- Out --------------------------------------------------------------------------------------- */

static void write_run(const struct lindex_run *run, FILE *out)
{
	fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64, run->first, run->value,
		run->last - run->first + 1);
	if (run->tag || !run->step)
		fprintf(out, " %u", run->tag);
	fputs(run->step ? "\n" : " 0\n", out);
}

void runs_text_write(const struct lindex_run *run, FILE *out)
{
	struct lindex_run part = *run;

	/* All keys there are: 2^64 is no length. */
	if (run->last - run->first == UINT64_MAX) {
		part.last--;
		write_run(&part, out);
		part.value = lindex_value(run, UINT64_MAX);
		part.first = part.last = UINT64_MAX;
	}
	write_run(&part, out);
}
