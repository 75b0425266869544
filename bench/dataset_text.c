/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs as text, one a line, ascending; the same that lindex-tool reads and writes:
 *
 *     KEY VALUE LENGTH [TAG [STEP]]     # key and value hexadecimal, the others decimal
 *
 * LENGTH keys from KEY on have the values VALUE, VALUE + STEP, ... STEP is 1 unless it is 0.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS     5u
#define QUOTED     40u /* characters of bad input that a complaint shows */
#define LINE_BYTES 65536u

/* The bytes of @text from @at up to @end are not used up yet. */
struct lines {
	FILE *in;
	const char *path;
	char *why;
	uint64_t line;
	size_t at, end;
	bool over;
	char text[LINE_BYTES + 1];
};

/* ---- Complaints ---------------------------------------------------------------------------- */

static int unexpected(const struct lines *l, const char *expected, const char *found)
{
	char quoted[QUOTED + 1];
	size_t n;

	if (!found)
		return refuse(l->why, EINVAL,
			      "%s:%" PRIu64 ": expected %s, found the end of the line",
			      shown(l->path), l->line, expected);
	for (n = 0; found[n] && n < QUOTED; n++)
		quoted[n] = isprint((unsigned char)found[n]) ? found[n] : '?';
	quoted[n] = 0;
	return refuse(l->why, EINVAL, "%s:%" PRIu64 ": expected %s, found \"%s\"%s", shown(l->path),
		      l->line, expected, quoted, found[n] ? "..." : "");
}

static int unreadable(const struct lines *l, int err)
{
	const char *path = shown(l->path);

	switch (err) {
	case EBADMSG:
		return refuse(l->why, err, "%s: expected zstd data, found something else or damage",
			      path);
	case ENODATA:
		return refuse(l->why, EBADMSG,
			      "%s: expected more zstd data, found the end of the file", path);
	case EFBIG:
		return refuse(l->why, err,
			      "%s: expected a zstd window of 128 MiB or less, found more", path);
	default:
		return refuse(l->why, err ? err : EIO, "%s: cannot read: %s", path,
			      strerror(err ? err : EIO));
	}
}

/* ---- Lines --------------------------------------------------------------------------------- */

static int fill(struct lines *l)
{
	memmove(l->text, l->text + l->at, l->end - l->at);
	l->end -= l->at;
	l->at = 0;
	if (l->end == LINE_BYTES) {
		l->line++;
		return refuse(l->why, EINVAL,
			      "%s:%" PRIu64 ": expected a line of less than %u bytes, found more",
			      shown(l->path), l->line, LINE_BYTES);
	}
	errno = 0;
	l->end += fread(l->text + l->end, 1, LINE_BYTES - l->end, l->in);
	if (ferror(l->in))
		return unreadable(l, errno);
	l->over = feof(l->in);
	return 0;
}

/* The next line, without its end; NULL after the last one. */
static int next(struct lines *l, char **line)
{
	char *newline;
	int err;

	*line = NULL;
	while (!(newline = memchr(l->text + l->at, '\n', l->end - l->at)) && !l->over) {
		err = fill(l);
		if (err)
			return err;
	}
	if (!newline && l->at == l->end)
		return 0;
	l->line++;
	*line = l->text + l->at;
	if (!newline)
		newline = l->text + l->end;
	*newline = 0;
	l->at = (size_t)(newline - l->text) + (newline < l->text + l->end);
	if (strlen(*line) != (size_t)(newline - *line))
		return refuse(l->why, EINVAL, "%s:%" PRIu64 ": expected text, found a zero byte",
			      shown(l->path), l->line);
	return 0;
}

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

/* ---- Runs ---------------------------------------------------------------------------------- */

static int parse(const struct lines *l, char **field, struct lindex_run *run)
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
			return unexpected(l, expected[i], field[i]);
	if (length - 1 > UINT64_MAX - key)
		return unexpected(l, "a length that ends at key 2^64-1 or before", field[2]);
	if (step && length - 1 > UINT64_MAX - value)
		return unexpected(l, "a length that ends at value 2^64-1 or before", field[2]);
	*run = (struct lindex_run){ .first = key,
				    .last = key + (length - 1),
				    .value = value,
				    .tag = (uint16_t)tag,
				    .step = (uint8_t)step };
	return 0;
}

static int read_line(const struct lines *l, char *line, struct runs *runs)
{
	const struct lindex_run *last = runs->n ? &runs->at[runs->n - 1] : NULL;
	char *field[FIELDS + 1], expected[64];
	struct lindex_run run = { 0 };
	int err;

	if (split(line, field) == 0)
		return 0;
	err = parse(l, field, &run);
	if (err)
		return err;
	if (last && run.first <= last->last) {
		snprintf(expected, sizeof(expected),
			 "a key above 0x%" PRIx64 ", where the last run ends", last->last);
		return unexpected(l, expected, field[0]);
	}
	return runs_append(runs, run) ? refuse_memory(l->why) : 0;
}

static int read_lines(FILE *in, struct loading *l)
{
	struct lines *lines = malloc(sizeof(*lines));
	char *line = NULL;
	int err;

	if (!lines)
		return refuse_memory(l->why);
	*lines = (struct lines){ .in = in, .path = l->what, .why = l->why };
	do {
		err = next(lines, &line);
		if (!err && line)
			err = read_line(lines, line, &l->runs);
	} while (!err && line);
	free(lines);
	return err;
}

int load_text(struct loading *l)
{
	FILE *in = fopen(l->what, "re");
	int err;

	if (!in)
		return refuse(l->why, errno, "%s: cannot open: %s", shown(l->what),
			      strerror(errno));
	if (ends_with(l->what, ".zst"))
		in = zstd_reader(in);
	if (!in)
		return refuse_memory(l->why);
	err = read_lines(in, l);
	fclose(in);
	return err;
}

/* ---- Out ----------------------------------------------------------------------------------- */

static void write_run(const struct lindex_run *run, FILE *out)
{
	fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64, run->first, run->value,
		run->last - run->first + 1);
	if (run->tag || !run->step)
		fprintf(out, " %u", run->tag);
	fputs(run->step ? "\n" : " 0\n", out);
}

void write_text(const struct dataset *d, FILE *out)
{
	fputs("# ", out);
	for (const char *c = d->name; *c; c++)
		fputc(isprint((unsigned char)*c) ? *c : '?', out);
	fprintf(out, ": %zu runs, %" PRIu64 " keys\n", d->n, d->keys);
	fputs("# key value (hexadecimal), length [tag [step]]\n", out);
	for (size_t i = 0; i < d->n; i++) {
		struct lindex_run run = d->runs[i];

		/* All keys there are: 2^64 is no length. */
		if (run.last - run.first == UINT64_MAX) {
			run.last--;
			write_run(&run, out);
			run.value = lindex_value(&run, UINT64_MAX);
			run.first = run.last = UINT64_MAX;
		}
		write_run(&run, out);
	}
}
