/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The parts of lindex-bars: each measures its rows on one set and hands them to report.h.
 */
#ifndef BENCH_BARS_H
#define BENCH_BARS_H

#include "data.h"
#include "peer.h"
#include "report.h"

/** struct scale - A size of the log-aged map, and the bars that depend on it. */
struct scale {
	const char *name;
	uint64_t blocks;
	double absl, no_simd, chain; /* times as fast as absl, at least */
	double batch;                /* times the limit, at most */
	double bytes;                /* per run after bulk build, at most */
};

/**
 * struct bars - One log-aged map.
 * @file, @log: Move on with every overwrite that was measured.
 * @runs:       The map as it was made: what bulk builds start from.
 */
struct bars {
	const struct scale *scale;
	unsigned int rounds;
	struct file file;
	struct log_stream log;
	struct runs runs;
	struct rng rng;
};

void bars_lookup(struct bars *b);
void bars_build(const struct bars *b);

/** bars_update() - Overwrites @map, a lindex peer's, and an absl one beside it. */
void bars_update(struct bars *b, void *map);
void bars_beside(struct bars *b, void *map);
void bars_hard(const struct hard_set *set, unsigned int rounds, struct rng *rng);

/** bars_rounds() - Run what is registered @rounds times, then forget it. */
void bars_rounds(unsigned int rounds);

/** peer_same() - Whether @map holds exactly @runs: every run and every hole. */
bool peer_same(const struct peer_ops *ops, const void *map, const struct runs *runs);

/* ---- Timed loops of lookups ---------------------------------------------------------------- */

/**
 * struct loop - Lookups of @n keys, after a warm-up with the next loop_warm(n) of them.
 * @chain: Each key depends on the last answer.
 * @want:  The sum of all answers.
 */
struct loop {
	const struct peer_ops *ops;
	const void *map;
	const uint64_t *keys;
	size_t n;
	bool chain;
	uint64_t want;
	struct series ns;
};

static inline size_t loop_warm(size_t n)
{
	return n / 8;
}

/** loop_add() - Register @loop with Google Benchmark. */
void loop_add(struct loop *loop, const char *op);

/** loop_check() - Compare whole answers, key by key, with the twin's; sets loop->ns.wrong. */
void loop_check(struct loop *loop, const struct runs *runs);

/** twin_sum() - The sum that a right loop over @runs has. */
uint64_t twin_sum(const struct runs *runs, const struct loop *loop);

#endif
