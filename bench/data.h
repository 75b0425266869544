/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the benchmark works on: a log-aged file map, sets that hurt a learned index, keys to look up;
 * and the twin that knows the answers: the sorted array of runs itself.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

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

/* ---- Sets of runs -------------------------------------------------------------------------- */

struct runs {
	struct lindex_run *at;
	size_t n;
};

void runs_free(struct runs *runs);

/** runs_lookup() - The twin: what lindex_lookup() has to answer. */
void runs_lookup(const struct runs *runs, uint64_t key, struct lindex_run *run);

/** runs_shuffle() - A copy in random order. */
struct lindex_run *runs_shuffle(const struct runs *runs, struct rng *rng);

/** run_equal() - Same run or same hole, in every field. */
bool run_equal(const struct lindex_run *a, const struct lindex_run *b);

/* ---- A file that a log ages ---------------------------------------------------------------- */

/**
 * struct log_stream - An endless stream of random overwrites of 1-64 blocks, mean 6, each appended
 * to the log. A copy of a stream gives the same overwrites.
 */
struct log_stream {
	struct rng rng;
	uint64_t blocks, head;
};

struct lindex_run log_next(struct log_stream *log);

/**
 * struct file - The flat model of the file: where on disk each block is. It depends on no peer, and
 * is the judge of all of them.
 */
struct file {
	uint32_t *disk;
	uint64_t blocks;
};

/** file_age() - Written in order, then as many blocks overwritten. @log then continues from there. */
void file_age(struct file *file, struct log_stream *log, uint64_t blocks, uint64_t seed);

/** file_store() - The overwrite @run. Return: runs it displaced, cut ones included. */
unsigned int file_store(struct file *file, const struct lindex_run *run);
void file_runs(const struct file *file, struct runs *runs);
void file_free(struct file *file);

/* ---- Sets that hurt ------------------------------------------------------------------------ */

struct hard_set {
	const char *name;
	void (*make)(struct runs *runs, size_t n, struct rng *rng);
};

extern const struct hard_set hard_sets[];
extern const size_t hard_set_count;

/* ---- Keys ---------------------------------------------------------------------------------- */

/** keys_below() - @n keys uniform in [0, @end). */
uint64_t *keys_below(size_t n, uint64_t end, struct rng *rng);

/** keys_hit() - @n keys in runs: the run uniform, then the key in it. */
uint64_t *keys_hit(const struct runs *runs, size_t n, struct rng *rng);

/** keys_gap() - @n keys in holes likewise. NULL if there are (nearly) none. */
uint64_t *keys_gap(const struct runs *runs, size_t n, struct rng *rng);

#endif
