/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The parts of lindex-bars: each measures its rows on one set and hands them to report.h.
 */
#ifndef BENCH_BARS_H
#define BENCH_BARS_H

#include "data.h"
#include "loop.h"
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

#endif
