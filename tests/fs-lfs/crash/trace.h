/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is done to a filesystem before it crashes. A trace has a kind and an index, and these alone make it: the same
 * steps each time. It begins on a ground (an image with something in it, all of it durable).
 */
#ifndef CRASH_TRACE_H
#define CRASH_TRACE_H

#include "bdev_crash.h"
#include "lfs_world.h"

/*
 * one, two   every sequence of one or two operations over two directories and three files, each with every pattern of
 *            syncs, on each ground
 * random     3 to 40 operations of any kind
 * rename     files are replaced as editors and databases do it; exchanges; directories move
 * share      reflinks, and writes into both sides of them
 * append     small appends and fsyncs: the cost that a log is judged by
 * back       as the page cache writes back: whole blocks in any order, sizes later; in between direct writes
 * clean      a nearly full image: blocks of many ages are overwritten while the cleaner runs
 * full       until -ENOSPC, removals, and again
 * stale      on an image that was formatted over an older filesystem with the same uuid
 * many       directories with hundreds of names: maps in pages
 */
#define TRACE_KINDS(X)                                                                             \
	X(one)                                                                                     \
	X(two) X(random) X(rename) X(share) X(append) X(back) X(clean) X(full) X(stale) X(many)

enum trace_kind {
#define X(name) TRACE_##name,
	TRACE_KINDS(X)
#undef X
		TRACE_KIND_COUNT
};

extern const char *const trace_kind_names[TRACE_KIND_COUNT];

#define GROUNDS(X)                                                                                 \
	X(empty) /* two directories */                                                             \
	X(files) /* and three files; unmounted */                                                  \
	X(log)   /* the same; only synced, so that mounting replays */                             \
	X(stale) /* as files, formatted over another one */                                        \
	X(aged)  /* four fifths full, segments half dead */                                        \
	X(tiny)  /* the smallest image */                                                          \
	X(many)  /* 600 names, a file of 300 extents */

enum ground_kind {
#define X(name) GROUND_##name,
	GROUNDS(X)
#undef X
		GROUND_COUNT
};

#define TRACE_STEPS_MAX 400u

struct trace {
	enum trace_kind kind;
	uint64_t index;
	enum ground_kind ground;
	struct lfs_step steps[TRACE_STEPS_MAX];
	size_t n;
	bool unmount; /* at the end; else it is just left */
	bool discard;
};

/** trace_make() - Trace @index of @kind: one of endlessly many, except of one and two. */
void trace_make(struct trace *trace, enum trace_kind kind, uint64_t index, uint64_t seed);

/** trace_count() - How many there are of @kind; 0: no end. */
uint64_t trace_count(enum trace_kind kind);

/** struct ground - An image and its twin, at operation 0. */
struct ground {
	bool made;
	struct crash_layer layer;
	struct lfs_world world;
};

/** ground_get() - Made when first asked for, kept. */
struct ground *ground_get(enum ground_kind kind);

void grounds_free(void);

#endif
