/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Keys to look up in a set of runs, and the twin that knows the answers: the sorted array itself.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include "gen.h"

/* ---- The twin ------------------------------------------------------------------------------ */

/** runs_rank() - How many runs begin at or before @key. */
size_t runs_rank(const struct runs *runs, uint64_t key);

/** runs_lookup() - What lindex_lookup() has to answer. */
void runs_lookup(const struct runs *runs, uint64_t key, struct lindex_run *run);

/** runs_shuffle() - A copy in random order. */
struct lindex_run *runs_shuffle(const struct runs *runs, struct rng *rng);

/** run_equal() - Same run or same hole, in every field. */
bool run_equal(const struct lindex_run *a, const struct lindex_run *b);

/* ---- Keys ---------------------------------------------------------------------------------- */

/** keys_below() - @n keys uniform in [0, @end). */
uint64_t *keys_below(size_t n, uint64_t end, struct rng *rng);

/** keys_hit() - @n keys in runs: the run uniform, then the key in it. */
uint64_t *keys_hit(const struct runs *runs, size_t n, struct rng *rng);

/** keys_gap() - @n keys in holes likewise. NULL if there are (nearly) none. */
uint64_t *keys_gap(const struct runs *runs, size_t n, struct rng *rng);

#endif
