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
 * edge       files are cut inside a block and grow again, in each way there is: what was cut off is zeroes
 */
enum trace_kind {
	TRACE_one,
	TRACE_two,
	TRACE_random,
	TRACE_rename,
	TRACE_share,
	TRACE_append,
	TRACE_back,
	TRACE_clean,
	TRACE_full,
	TRACE_stale,
	TRACE_many,
	TRACE_edge,
	TRACE_KIND_COUNT
};

extern const char *const trace_kind_names[TRACE_KIND_COUNT];

enum ground_kind {
	GROUND_empty, /* two directories */
	GROUND_files, /* and three files; unmounted */
	GROUND_log,   /* the same; only synced, so that mounting replays */
	GROUND_stale, /* as files, formatted over another one */
	GROUND_aged,  /* segments half dead */
	GROUND_tiny,  /* the smallest image */
	GROUND_many,  /* 600 names, a file of 300 extents and its clone */
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

/** struct ground - An image and its twin. @disk: has the record of how it was made. */
struct ground {
	struct crash_layer layer;
	struct crash_disk disk;
	struct lfs_world world;
};

/** ground_make() - With the record, and the twin's past. */
void ground_make(struct ground *ground, enum ground_kind kind);
void ground_destroy(struct ground *ground);

/** ground_get() - Made when first asked for, and kept; the twin is at operation 0, the record is empty. */
struct ground *ground_get(enum ground_kind kind);
void grounds_free(void);

#endif
