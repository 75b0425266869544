/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs as text, one a line, ascending:
 *
 *     KEY VALUE LENGTH [TAG [STEP]]     # key and value hexadecimal, the others decimal
 *
 * LENGTH keys from KEY on have the values VALUE, VALUE + STEP, ... STEP is 1 unless it is 0.
 */
#ifndef LINDEX_TOOL_RUNS_TEXT_H
#define LINDEX_TOOL_RUNS_TEXT_H

#include <lindex.h>
#include <stdio.h>

#define RUNS_TEXT_WHY_BYTES 512

/* What is done with a run: 0, or a negative errno that ends the reading. */
typedef int (*runs_text_fn)(void *ctx, const struct lindex_run *run);

/**
 * runs_text_read() - Call @add for each run of @in, as the lines have them: neighbours are not joined.
 * @name: Of @in, for @why.
 * @why:  On -EINVAL one line: NAME:LINE: expected ..., found ...; else empty.
 *
 * Return: 0; -EINVAL; what @add returned; a negative errno of reading @in; -ENOMEM.
 */
int runs_text_read(FILE *in, const char *name, runs_text_fn add, void *ctx,
		   char why[RUNS_TEXT_WHY_BYTES]);

/** runs_text_write() - A line of @run, or two, where it is all keys there are. Errors stay in @out, for ferror(). */
void runs_text_write(const struct lindex_run *run, FILE *out);

#endif /* LINDEX_TOOL_RUNS_TEXT_H */
