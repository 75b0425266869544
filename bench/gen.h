/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets of runs that are made up: files that a log ages, address spaces, sets that hurt a learned index.
 * Each is a function of its size and its random stream, and is the same on every run.
 *
 * Every int is 0 or -ENOMEM; after -ENOMEM there may be something in the output, for the caller to free.
 */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

/* ---- Random numbers: splitmix64 ------------------------------------------------------------ */

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* In [0, n), n > 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* In (0, 1). */
static inline double rng_unit(struct rng *rng)
{
	return ((double)(rng_next(rng) >> 11) + 0.5) * 0x1p-53;
}

/* ---- Sets of runs -------------------------------------------------------------------------- */

/** struct runs - Sorted, disjoint, maximal. All zeroes is an empty one. */
struct runs {
	struct lindex_run *at;
	size_t n, room;
};

/** runs_reserve() - Room for @n runs: so many runs_append() cannot fail. */
int runs_reserve(struct runs *runs, size_t n);

/** runs_append() - @run, behind all others. It and the last one become one if that is what they are. */
int runs_append(struct runs *runs, struct lindex_run run);

void runs_free(struct runs *runs);

/* ---- A file that a log ages ---------------------------------------------------------------- */

/* What is overwritten: pieces of 1-64 blocks, geometric with mean 6, except under LOG_SINGLE. */
enum log_style {
	LOG_PIECES,  /* everywhere alike */
	LOG_SINGLE,  /* everywhere alike, one block at a time */
	LOG_HOTSPOT, /* 90 % of the pieces begin in the first tenth of the file */
	LOG_PARETO,  /* 80 % in the first fifth, 80 % of these in the first fifth of that, ... */
};

/**
 * struct log_stream - An endless stream of random overwrites, each appended to the log. A copy of a
 * stream gives the same overwrites.
 */
struct log_stream {
	struct rng rng;
	uint64_t blocks, head;
	enum log_style style;
};

struct lindex_run log_next(struct log_stream *log);

/* A file has no fewer blocks, and may have no more. */
#define FILE_MIN_BLOCKS 64u
#define FILE_MAX_BLOCKS ((UINT32_MAX - 64u) / 2)

/**
 * struct file - The flat model of the file: where on disk each block is. It depends on no peer, and
 * is the judge of all of them.
 */
struct file {
	uint32_t *disk;
	uint64_t blocks;
};

/** file_age() - Written in order, then as many blocks overwritten. @log then continues from there. */
int file_age(struct file *file, struct log_stream *log, enum log_style style, uint64_t blocks,
	     uint64_t seed);

/**
 * file_store() - The overwrite @run. The log must not become longer than 2^32 blocks.
 *
 * Return: runs it displaced, cut ones included.
 */
unsigned int file_store(struct file *file, const struct lindex_run *run);
int file_runs(const struct file *file, struct runs *runs);
void file_free(struct file *file);

/**
 * gen_aged() - A file of so many blocks that about @n runs come out: within 5 % from 100 runs on.
 *
 * Return: also -ERANGE: no file has so many.
 */
int gen_aged(struct runs *runs, size_t n, enum log_style style, uint64_t seed);

/* ---- Address spaces, in pages of 4 KiB ------------------------------------------------------ */

/**
 * gen_vma() - A process of 47 bits (up to 2^30 runs): a program, a heap and a few mapped areas far apart; in them
 * stretches of 1-3 pages on frames that are anywhere, and pages that nobody has touched yet.
 */
int gen_vma(struct runs *runs, size_t n, struct rng *rng);

/** gen_espfix() - One frame that is mapped at a page of every 64 KiB, as Linux does for its espfix area. */
int gen_espfix(struct runs *runs, size_t n, struct rng *rng);

/** gen_stride() - Every @stride-th key, values in order. @stride > 1, @n * @stride below 2^64. */
int gen_stride(struct runs *runs, size_t n, uint64_t stride, struct rng *rng);

/* ---- Sets that hurt ------------------------------------------------------------------------ */

/**
 * struct hard_set -
 * @kind: A word. @name: words.
 * @make: About @n runs, at most 2^30.
 */
struct hard_set {
	const char *kind, *name;
	int (*make)(struct runs *runs, size_t n, struct rng *rng);
};

extern const struct hard_set hard_sets[];
extern const size_t hard_set_count;

/** hard_set() - The one of this kind, or NULL. */
const struct hard_set *hard_set(const char *kind);

#endif
