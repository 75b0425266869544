/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The calls of a peer that compares with vectors where the map says so (rank.h), for inclusion, once. Before it:
 *
 *     struct lindex_run find(MAP, uint64_t key, bool avx2)                          RANK_INLINE; one lookup
 *     uint64_t batch_with(const void *map, const uint64_t *keys, size_t n, bool avx2)   RANK_INLINE
 *     bool uses_avx2(const void *map)
 *
 * It defines lookups(), chain(), lookup() and batch(), as peer_ops has them.
 */
RANK_INLINE struct lindex_run find_avx2(const void *map, uint64_t key)
{
	return find(map, key, true);
}

RANK_INLINE struct lindex_run find_plain(const void *map, uint64_t key)
{
	return find(map, key, false);
}

#define LOOP(name)     name##_avx2
#define LOOP_FIND      find_avx2
#define LOOP_ATTRIBUTE RANK_AVX2
#include "loops_body.h"

#define LOOP(name) name##_plain
#define LOOP_FIND  find_plain
#define LOOP_ATTRIBUTE
#include "loops_body.h"

RANK_AVX2 static uint64_t batch_avx2(const void *map, const uint64_t *keys, size_t n)
{
	return batch_with(map, keys, n, true);
}

static uint64_t lookups(const void *map, const uint64_t *keys, size_t n)
{
	return (uses_avx2(map) ? lookups_avx2 : lookups_plain)(map, keys, n);
}

static uint64_t chain(const void *map, const uint64_t *keys, size_t n)
{
	return (uses_avx2(map) ? chain_avx2 : chain_plain)(map, keys, n);
}

static void lookup(const void *map, uint64_t key, struct lindex_run *run)
{
	(uses_avx2(map) ? lookup_avx2 : lookup_plain)(map, key, run);
}

static uint64_t batch(const void *map, const uint64_t *keys, size_t n)
{
	return uses_avx2(map) ? batch_avx2(map, keys, n) : batch_with(map, keys, n, false);
}
