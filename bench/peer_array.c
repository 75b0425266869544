/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peers made of arrays: sorted first keys with a branch-free binary search, and the limit.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "peer.h"

/* ---- Sorted array -------------------------------------------------------------------------- */

struct array {
	size_t n;
	uint64_t *first;
	struct extent *extents;
};

/* Position of the last first key <= @key, or 0. The mask is what keeps it free of branches. */
static inline size_t search(const struct array *a, uint64_t key)
{
	const uint64_t *base = a->first;

	for (size_t n = a->n; n > 1;) {
		size_t half = n / 2;

		base += half & (0 - (size_t)(base[half] <= key));
		n -= half;
	}
	return (size_t)(base - a->first);
}

static inline struct lindex_run find(const struct array *a, uint64_t key)
{
	size_t i = search(a, key);

	if (key < a->first[i])
		return hole_run(0, a->first[i] - 1);
	if (key <= a->extents[i].last)
		return extent_run(a->first[i], &a->extents[i]);
	return hole_run(a->extents[i].last + 1, i + 1 < a->n ? a->first[i + 1] - 1 : UINT64_MAX);
}

static uint64_t array_lookups(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct lindex_run run = find(map, keys[i]);

		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

static uint64_t array_chain(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t key = chain_next(keys[i], value);
		struct lindex_run run = find(map, key);

		value = lindex_value(&run, key);
		sum += answer_sum(&run, key);
	}
	return sum;
}

static void array_lookup(const void *map, uint64_t key, struct lindex_run *run)
{
	*run = find(map, key);
}

static void *array_build(const struct lindex_run *runs, size_t n)
{
	struct array *a = grab(sizeof(*a));

	a->n = n;
	a->first = grab(n * sizeof(*a->first));
	a->extents = grab(n * sizeof(*a->extents));
	for (size_t i = 0; i < n; i++) {
		a->first[i] = runs[i].first;
		a->extents[i] = extent_of(&runs[i]);
	}
	return a;
}

static void array_free(void *map)
{
	struct array *a = map;

	free(a->first);
	free(a->extents);
	free(a);
}

static uint64_t array_bytes(const void *map)
{
	const struct array *a = map;

	return sizeof(*a) + a->n * (sizeof(*a->first) + sizeof(*a->extents));
}

const struct peer_ops peer_array = {
	.name = "sorted array",
	.about = "branch-free binary search over the first keys; read-only",
	.build = array_build,
	.free = array_free,
	.lookups = array_lookups,
	.chain = array_chain,
	.lookup = array_lookup,
	.bytes = array_bytes,
};

/* ---- The limit ----------------------------------------------------------------------------- */

#define HUGE_BYTES ((size_t)2 << 20)

struct pair {
	uint64_t key, value;
};

struct limit {
	size_t n, mapped_bytes;
	void *mapped;
	struct pair *pairs;
};

static uint64_t limit_lookups(const void *map, const uint64_t *at, size_t n)
{
	const struct limit *limit = map;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += bare_sum(0, limit->pairs[at[i]].value, limit->pairs[at[i]].key);
	return sum;
}

static uint64_t limit_chain(const void *map, const uint64_t *at, size_t n)
{
	const struct limit *limit = map;
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pair *pair = &limit->pairs[chain_next(at[i], value)];

		value = pair->value;
		sum += bare_sum(0, pair->value, pair->key);
	}
	return sum;
}

/* Pair i is {i, i}, whatever the runs; one group of eight more than n, for chain_next(). */
static struct limit *limit_map(size_t n, int advice)
{
	struct limit *limit = grab(sizeof(*limit));

	limit->n = n;
	limit->mapped_bytes = (n + 8) * sizeof(struct pair) + 2 * HUGE_BYTES;
	limit->mapped = mmap(NULL, limit->mapped_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (limit->mapped == MAP_FAILED)
		die("limit: no memory");
	(void)madvise(limit->mapped, limit->mapped_bytes,
		      advice); /* the report tells what came of it */
	limit->pairs = (struct pair *)(((uintptr_t)limit->mapped + HUGE_BYTES - 1) &
				       ~(uintptr_t)(HUGE_BYTES - 1));
	for (size_t i = 0; i < n + 8; i++)
		limit->pairs[i] = (struct pair){ i, i };
	return limit;
}

static void *limit_build(const struct lindex_run *runs, size_t n)
{
	(void)runs;
	return limit_map(n, MADV_NOHUGEPAGE);
}

static void *limit_build_huge(const struct lindex_run *runs, size_t n)
{
	(void)runs;
	return limit_map(n, MADV_HUGEPAGE);
}

static void limit_free(void *map)
{
	struct limit *limit = map;

	munmap(limit->mapped, limit->mapped_bytes);
	free(limit);
}

static uint64_t limit_bytes(const void *map)
{
	return ((const struct limit *)map)->n * sizeof(struct pair);
}

const struct peer_ops peer_limit = {
	.name = "limit",
	.about = "one random access; answers nothing",
	.bare = true,
	.build = limit_build,
	.free = limit_free,
	.lookups = limit_lookups,
	.chain = limit_chain,
	.bytes = limit_bytes,
};

const struct peer_ops peer_limit_huge = {
	.name = "limit, huge pages",
	.about = "one random access in huge pages; answers nothing",
	.bare = true,
	.build = limit_build_huge,
	.free = limit_free,
	.lookups = limit_lookups,
	.chain = limit_chain,
	.bytes = limit_bytes,
};
