/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files dataset*.c share, each under the name of its .c file. Not for others.
 */
#ifndef BENCH_DATASET_PARTS_H
#define BENCH_DATASET_PARTS_H

#include <stdbool.h>
#include <stdio.h>

#include "dataset.h"
#include "gen.h"

/* ---- dataset.c ----------------------------------------------------------------------------- */

/**
 * struct loading - What a source works on.
 * @what: The spec behind its prefix.
 * @seed: For what has none.
 * @runs: Output: filled with runs_append(), also in part on an error.
 * @name: Output: malloc()ed; NULL if it is the spec.
 * @why:  Output on an error.
 */
struct loading {
	const char *what;
	uint64_t seed;
	struct runs runs;
	char *name;
	char *why;
};

/** refuse() - Says why. Return: -@err. */
__attribute__((format(printf, 3, 4))) int refuse(char *why, int err, const char *fmt, ...);

int refuse_memory(char *why);

/** shown() - @path, or as much of its end as leaves room for a reason. */
const char *shown(const char *path);

bool ends_with(const char *text, const char *end);

/* ---- The sources: each returns 0 or -errno and says why --------------------------------------- */

int load_generated(struct loading *l); /* dataset_gen.c */
int load_text(struct loading *l);      /* dataset_text.c */
int load_extents(struct loading *l);   /* dataset_fiemap.c */
int load_pages(struct loading *l);     /* dataset_pagemap.c */
int load_sosd(struct loading *l);      /* dataset_sosd.c */

/* ---- dataset_text.c ------------------------------------------------------------------------- */

/** write_text() - The text of @d. Errors stay in @out, for ferror(). */
void write_text(const struct dataset *d, FILE *out);

/* ---- dataset_zstd.c: compressed files as streams ------------------------------------------------ */

/**
 * zstd_reader(), zstd_writer() - A stream over @file, which it owns from now on, and closes.
 *
 * Reading fails with errno EBADMSG where bytes are no zstd data, ENODATA where they end too early, EFBIG
 * where unpacking takes more memory than zstd's default limit of 128 MiB.
 *
 * Return: NULL: no memory; @file is then closed, too.
 */
FILE *zstd_reader(FILE *file);
FILE *zstd_writer(FILE *file);

#endif
