/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex as its users have it: a pool of its own, defaults, the static library.
 */
#include <stdlib.h>
#ifdef LINDEX_RCU
#define RCU_MEMBARRIER
#include <urcu.h>
#endif

#include "peer.h"

#define BATCH 1024u

struct map {
	struct lindex_pool *pool;
	struct lindex *ix;
};

void reader_register(void)
{
#ifdef LINDEX_RCU
	rcu_register_thread();
#endif
}

void reader_unregister(void)
{
#ifdef LINDEX_RCU
	rcu_unregister_thread();
#endif
}

void reader_lock(void)
{
#ifdef LINDEX_RCU
	rcu_read_lock();
#endif
}

void reader_unlock(void)
{
#ifdef LINDEX_RCU
	rcu_read_unlock();
#endif
}

struct lindex *peer_lindex_index(void *map)
{
	return ((struct map *)map)->ix;
}

/* ---- Lookup -------------------------------------------------------------------------------- */

/* Nobody writes while the loops below run, so one read side for all of a loop is what users do. */

static uint64_t lookups(const void *map, const uint64_t *keys, size_t n)
{
	const struct lindex *ix = ((const struct map *)map)->ix;
	struct lindex_run run;
	uint64_t sum = 0;

	reader_lock();
	for (size_t i = 0; i < n; i++) {
		(void)lindex_lookup(ix, keys[i], &run); /* a hole is an answer, too */
		sum += answer_sum(&run, keys[i]);
	}
	reader_unlock();
	return sum;
}

static uint64_t chain(const void *map, const uint64_t *keys, size_t n)
{
	const struct lindex *ix = ((const struct map *)map)->ix;
	struct lindex_run run;
	uint64_t sum = 0, value = 0;

	reader_lock();
	for (size_t i = 0; i < n; i++) {
		uint64_t key = chain_next(keys[i], value);

		(void)lindex_lookup(ix, key, &run);
		value = lindex_value(&run, key);
		sum += answer_sum(&run, key);
	}
	reader_unlock();
	return sum;
}

static uint64_t lookups_batch(const void *map, const uint64_t *keys, size_t n)
{
	const struct lindex *ix = ((const struct map *)map)->ix;
	struct lindex_run runs[BATCH];
	uint64_t sum = 0;

	reader_lock();
	for (size_t i = 0; i < n; i += BATCH) {
		size_t m = n - i < BATCH ? n - i : BATCH;

		(void)lindex_lookup_batch(ix, &keys[i], m, runs);
		for (size_t j = 0; j < m; j++)
			sum += answer_sum(&runs[j], keys[i + j]);
	}
	reader_unlock();
	return sum;
}

static void lookup(const void *map, uint64_t key, struct lindex_run *run)
{
	reader_lock();
	(void)lindex_lookup(((const struct map *)map)->ix, key, run);
	reader_unlock();
}

static void lookup_batch(const void *map, uint64_t key, struct lindex_run *run)
{
	reader_lock();
	(void)lindex_lookup_batch(((const struct map *)map)->ix, &key, 1, run);
	reader_unlock();
}

/* ---- Change and life ----------------------------------------------------------------------- */

static void overwrite(void *map, const struct lindex_run *run)
{
	int err = lindex_insert(((struct map *)map)->ix, run);

	if (err)
		die("lindex_insert: %d", err);
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	int err = lindex_remove(((struct map *)map)->ix, first, last);

	if (err)
		die("lindex_remove: %d", err);
}

static void *fill(uint32_t flags, const struct lindex_config *index, const struct lindex_run *runs,
		  size_t n)
{
	struct lindex_pool_config cfg = { .flags = flags };
	struct map *map = grab(sizeof(*map));
	size_t bad;
	int err;

	err = lindex_pool_create(&cfg, &map->pool);
	if (!err)
		err = lindex_create(map->pool, index, &map->ix);
	if (!err && n)
		err = lindex_build(map->ix, runs, n, &bad);
	if (err)
		die("lindex_build: %d", err);
	return map;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	return fill(0, NULL, runs, n);
}

static void *build_no_simd(const struct lindex_run *runs, size_t n)
{
	return fill(LINDEX_POOL_NO_SIMD, NULL, runs, n);
}

static void *build_huge(const struct lindex_run *runs, size_t n)
{
	return fill(LINDEX_POOL_HUGE, NULL, runs, n);
}

void *peer_lindex_build(const struct lindex_config *index, const struct lindex_run *runs, size_t n)
{
	return fill(0, index, runs, n);
}

static void destroy(void *ptr)
{
	struct map *map = ptr;

	lindex_free(map->ix);
	lindex_pool_free(map->pool);
	free(map);
}

static uint64_t bytes(const void *map)
{
	return lindex_pool_bytes(((const struct map *)map)->pool);
}

#define PEER(ident, label, text, build_fn, lookups_fn, batch_fn, chain_fn, lookup_fn)              \
	const struct peer_ops ident = {                                                            \
		.name = label,                                                                     \
		.about = text,                                                                     \
		.build = build_fn,                                                                 \
		.free = destroy,                                                                   \
		.lookups = lookups_fn,                                                             \
		.batch = batch_fn,                                                                 \
		.chain = chain_fn,                                                                 \
		.lookup = lookup_fn,                                                               \
		.overwrite = overwrite,                                                            \
		.remove = clear,                                                                   \
		.bytes = bytes,                                                                    \
	}

PEER(peer_lindex, "lindex", "defaults", build, lookups, lookups_batch, chain, lookup);
PEER(peer_lindex_no_simd, "lindex, no SIMD", "LINDEX_POOL_NO_SIMD", build_no_simd, lookups,
     lookups_batch, chain, lookup);
PEER(peer_lindex_huge, "lindex, huge pages", "LINDEX_POOL_HUGE", build_huge, lookups, lookups_batch,
     chain, lookup);
PEER(peer_lindex_batch, "lindex batch", "lindex_lookup_batch()", build, lookups_batch,
     lookups_batch, NULL, lookup_batch);
PEER(peer_lindex_batch_huge, "lindex batch, huge pages", "lindex_lookup_batch(), LINDEX_POOL_HUGE",
     build_huge, lookups_batch, lookups_batch, NULL, lookup_batch);
