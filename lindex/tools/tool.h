/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of lindex-tool share, each under the name of its .c file.
 *
 * Exit status, everywhere: 0; 1 if the answer is no (a key in a hole, a check that failed); 2 if the
 * work could not be done (bad arguments, bad input, a file that cannot be read or written). Functions
 * that return "a status" return one of these, and have said why on stderr if it is not 0.
 */
#ifndef LINDEX_TOOL_H
#define LINDEX_TOOL_H

#include <lindex.h>
#include <stdbool.h>
#include <stdio.h>

#include "new_file.h"
#include "number.h"
#include "say.h"

/* ---- main.c: the verbs; each gets its own arguments, argv[argc] is NULL, and returns a status ------ */

int verb_build(int argc, char **argv);
int verb_capture(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_dump(int argc, char **argv);
int verb_lookup(int argc, char **argv);
int verb_stat(int argc, char **argv);

/* ---- runs.c: sorted runs in an array: what is read and written, and the truth to compare with ------ */

struct run_list {
	struct lindex_run *runs;
	size_t n, cap;
};

bool runs_same(const struct lindex_run *a, const struct lindex_run *b);

/* Adds @run, which lies behind all others, and joins it to the last one if they are one run. */
int runs_append(struct run_list *list, const struct lindex_run *run);

/* What lindex_lookup(), lindex_insert() and lindex_remove() should do, the slow and obvious way. */
void runs_lookup(const struct run_list *list, uint64_t key, struct lindex_run *run);
int runs_insert(struct run_list *list, const struct lindex_run *run);
int runs_remove(struct run_list *list, uint64_t first, uint64_t last);

void runs_free(struct run_list *list);

/* ---- runs_file.c: the text form ---------------------------------------------------------------- */

/* Both return a status. "-" reads stdin. */
int runs_read(const char *path, struct run_list *list);
void runs_write(const struct run_list *list, FILE *out);

/* ---- file.c: images in and out ------------------------------------------------------------------- */

/* The bytes of an image, aligned as lindex_certify() wants them. */
struct image {
	void *bytes;
	size_t len;
};
int image_read(const char *path, struct image *image);
void image_free(struct image *image);

/* Saves @ix to a temporary file and reads that back. */
int image_of(struct lindex *ix, struct image *image);

/* A sink that writes to a FILE. */
struct lindex_sink sink_to(FILE *out);

/* Says why @path was refused with @err. */
int complain_image(const char *path, int err, const struct lindex_reason *why);

/* ---- extents.c: where files are on disk ---------------------------------------------------------- */

#define EXTENTS_MAX_FILES   20000u
#define EXTENTS_MAX_SECONDS 30.0

struct extents {
	struct run_list list; /* file number << 32 | file block -> disk block */
	uint64_t files, extents;
	uint64_t left_out; /* extents that are no whole blocks at a known place (inline, delayed) */
	uint64_t unreadable, unsupported; /* files */
	uint32_t block_bytes;
	bool truncated; /* stopped at one of the limits above */
	char filesystem[32];
};

/* The extents of @path and of everything below it on the same filesystem. Returns a status. */
int extents_below(const char *path, struct extents *found);

/* ---- pages.c: other things to map --------------------------------------------------------------- */

/* This process: page number -> page frame. Leaves @list empty where the kernel does not tell. */
int pages_of_self(struct run_list *list);

/* A file on a log-structured disk after many small overwrites, made up. */
int pages_synthetic(struct run_list *list);

/* ---- demo_check.c: is every answer right? --------------------------------------------------------- */

struct demo {
	struct lindex_pool *pool;
	struct lindex *ix;
	struct run_list list; /* what @ix should contain */
	uint64_t random;      /* state of demo_random() */
	unsigned int failures;
};

uint64_t demo_random(struct demo *demo);
uint64_t demo_random_key(struct demo *demo);

/* Each prints one line "ok ..." or "WRONG ...", and counts failures. */
void demo_check_edges(struct demo *demo, const struct lindex *ix, const char *where);
void demo_check_random(struct demo *demo, const struct lindex *ix, const char *where);
void demo_check_walk(struct demo *demo, const struct lindex *ix, const char *where);

/* Counted, no lookup does more than @cert admits. */
void demo_check_cost(struct demo *demo, const struct lindex *ix, const struct lindex_cert *cert);

__attribute__((format(printf, 3, 4))) void demo_verdict(struct demo *demo, bool right,
							const char *fmt, ...);

/* Overwrites and holes at random places, in the index and in the list; both compared after each. */
int demo_overwrite(struct demo *demo, unsigned int times, double *seconds_each);

/* ---- demo_time.c: how fast is it? ----------------------------------------------------------------- */

struct demo_times {
	double single_ns, batch_ns, array_ns;
};

int demo_measure(struct demo *demo, struct demo_times *times);

#endif /* LINDEX_TOOL_H */
