/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Timed loops of lookups, the rounds that they run in, and what their answers have to be.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "data.h"
#include "peer.h"
#include "series.h"

enum loop_mode {
	LOOP_FREE,  /* each lookup is independent of the others */
	LOOP_CHAIN, /* each key depends on the last answer */
	LOOP_BATCH, /* independent, and the peer is told so */
};

/**
 * struct loop - Lookups of @n keys, after a warm-up with the next loop_warm(n) of them.
 * @flush: Bytes to read through before every FLUSH_LOOKUPS of them, to evict the map; 0: caches are hot,
 *         and there is a warm-up.
 * @want:  The sum of all answers.
 * @ns:    Per lookup. Slices of the keys are timed each on its own, and a round's figure is their median: what
 *         another process does to the caches in one of them is not all of the round's.
 */
#define FLUSH_LOOKUPS 64u
#define LOOP_SLICES   8u
struct loop {
	const struct peer_ops *ops;
	const void *map;
	const uint64_t *keys;
	size_t n;
	enum loop_mode mode;
	size_t flush;
	uint64_t want;
	struct series ns;
};

static inline size_t loop_warm(size_t n)
{
	return n / 8;
}

/** loop_slice() - How many lookups are timed together; a chain starts anew with each slice. */
static inline size_t loop_slice(const struct loop *loop)
{
	return loop->flush ? FLUSH_LOOKUPS : loop->n / LOOP_SLICES + 1;
}

/** loop_add() - Register @loop with Google Benchmark. */
void loop_add(struct loop *loop, const char *op);

/** twin_answers() - The whole truth about @n keys, malloc()ed. */
struct lindex_run *twin_answers(const struct runs *runs, const uint64_t *keys, size_t n);

/** loop_compare() - The answers to all keys, one by one, with @truth; sets loop->ns.wrong. */
void loop_compare(struct loop *loop, const struct lindex_run *truth);

/** loop_check() - The same with the truth of @runs, for who asks for it once only. */
void loop_check(struct loop *loop, const struct runs *runs);

/** twin_sums() - What right lookups sum up to in each part of @part keys, malloc()ed; a chain starts anew with each. */
uint64_t *twin_sums(const struct runs *runs, const struct loop *loop, size_t part);

/** loop_compare_parts() - What is timed, the loops, with such sums; sets loop->ns.wrong. */
void loop_compare_parts(struct loop *loop, const uint64_t *sums, size_t part);

/** twin_sum() - The sum that a right loop over @runs has. */
uint64_t twin_sum(const struct runs *runs, const struct loop *loop);

/** limit_sum() - The same for the limit, whose keys are positions. */
uint64_t limit_sum(const struct loop *loop);

/** peer_same() - Whether @map holds exactly @runs: every run and every hole. */
bool peer_same(const struct peer_ops *ops, const void *map, const struct runs *runs);

/** rounds_run() - Run what is registered @rounds times, then forget it. On a terminal it shows how far it is. */
void rounds_run(unsigned int rounds);

#endif
