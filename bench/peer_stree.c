/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: a static S+ tree. Nodes of 16 first keys and no pointers: child c of node k is node
 * 17 k + c of the level below. The lowest level is the sorted array of all first keys, padded with
 * 2^64-1; extents are an array beside it. The descent has no branches.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "peer.h"
#include "rank.h"

#define NODE   16u
#define FAN    (NODE + 1)
#define LEVELS 16u
#define GROUP  16u
#define HUGE   ((size_t)2 << 20)

struct stree {
	uint64_t *level[LEVELS]; /* 0: all first keys */
	unsigned int height;     /* levels */
	bool avx2, huge;
	size_t n, bytes;
	struct extent *extents;
};

/* ---- Lookup -------------------------------------------------------------------------------- */

/* @i extents begin at or before @key. */
RANK_INLINE struct lindex_run answer(const struct stree *t, size_t i, uint64_t key)
{
	const uint64_t *first = t->level[0];
	uint64_t hole = 0;

	if (i) {
		const struct extent *e = &t->extents[i - 1];

		if (e->last >= key)
			return extent_run(first[i - 1], e);
		hole = e->last + 1;
	}
	return hole_run(hole, i < t->n ? first[i] - 1 : UINT64_MAX);
}

/* Extents, not only keys: the place in them is known one cache miss later. */
RANK_INLINE void prefetch_extents(const struct stree *t, size_t node)
{
	for (unsigned int line = 0; line < NODE * sizeof(struct extent) / 64; line++)
		__builtin_prefetch((const char *)(t->extents + NODE * node) + 64 * line);
}

/* 2^64-1 is not told from padding, but all extents begin at or before it. */
RANK_INLINE struct lindex_run find(const struct stree *t, uint64_t key, bool avx2)
{
	size_t node = 0;

	if (key == UINT64_MAX)
		return answer(t, t->n, key);
	for (unsigned int h = t->height - 1; h; h--)
		node = FAN * node + rank(t->level[h] + NODE * node, NODE, key, avx2);
	prefetch_extents(t, node);
	return answer(t, NODE * node + rank(t->level[0] + NODE * node, NODE, key, avx2), key);
}

/* ---- Batch: a group of keys goes down level by level --------------------------------------- */

RANK_INLINE uint64_t sum_group(const struct stree *t, const uint64_t *keys, bool avx2)
{
	size_t node[GROUP] = { 0 };
	uint64_t sum = 0;

	for (unsigned int h = t->height - 1; h; h--)
		for (unsigned int i = 0; i < GROUP; i++) {
			node[i] = FAN * node[i] +
				  rank(t->level[h] + NODE * node[i], NODE, keys[i], avx2);
			__builtin_prefetch(t->level[h - 1] + NODE * node[i]);
			__builtin_prefetch(t->level[h - 1] + NODE * node[i] + NODE / 2);
		}
	for (unsigned int i = 0; i < GROUP; i++) {
		node[i] = NODE * node[i] + rank(t->level[0] + NODE * node[i], NODE, keys[i], avx2);
		__builtin_prefetch(t->extents + node[i] - 1);
	}
	for (unsigned int i = 0; i < GROUP; i++) {
		struct lindex_run run = answer(t, node[i], keys[i]);

		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

static bool has_top(const uint64_t *keys)
{
	bool top = false;

	for (unsigned int i = 0; i < GROUP; i++)
		top |= keys[i] == UINT64_MAX;
	return top;
}

RANK_INLINE uint64_t batch_with(const void *map, const uint64_t *keys, size_t n, bool avx2)
{
	uint64_t sum = 0;
	size_t i = 0;

	while (i < n) {
		struct lindex_run run;

		if (i + GROUP <= n && !has_top(keys + i)) {
			sum += sum_group(map, keys + i, avx2);
			i += GROUP;
			continue;
		}
		run = find(map, keys[i], avx2);
		sum += answer_sum(&run, keys[i]);
		i++;
	}
	return sum;
}

static bool uses_avx2(const void *map)
{
	return ((const struct stree *)map)->avx2;
}

#include "loops_simd_body.h"

/* ---- Life ---------------------------------------------------------------------------------- */

static void *array_new(struct stree *t, size_t bytes)
{
	size_t align = t->huge ? HUGE : 64;
	void *array;

	bytes = (bytes + align - 1) & ~(align - 1);
	array = aligned_alloc(align, bytes);
	if (!array)
		die("s-tree: no memory");
	if (t->huge)
		(void)madvise(array, bytes, MADV_HUGEPAGE);
	t->bytes += bytes;
	return array;
}

/* Key j of a node is the least one below its child j + 1; @span lowest nodes are below a child. */
static void fill_level(struct stree *t, unsigned int h, size_t nodes, size_t span)
{
	for (size_t i = 0; i < nodes * NODE; i++) {
		size_t at = NODE * span * (FAN * (i / NODE) + i % NODE + 1);

		t->level[h][i] = at < t->n ? t->level[0][at] : UINT64_MAX;
	}
}

static void build_levels(struct stree *t)
{
	size_t nodes = (t->n + NODE - 1) / NODE;

	for (size_t span = 1; nodes > 1; span *= FAN) {
		nodes = (nodes + FAN - 1) / FAN;
		t->level[t->height] = array_new(t, nodes * NODE * sizeof(uint64_t));
		fill_level(t, t->height, nodes, span);
		t->height++;
	}
}

static void *build_with(const struct lindex_run *runs, size_t n, bool avx2, bool huge)
{
	size_t nodes = (n + NODE - 1) / NODE;
	struct stree *t = grab(sizeof(*t));

	*t = (struct stree){ .n = n, .height = 1, .avx2 = avx2, .huge = huge };
	t->level[0] = array_new(t, nodes * NODE * sizeof(uint64_t));
	t->extents = array_new(t, n * sizeof(*t->extents));
	for (size_t i = 0; i < nodes * NODE; i++)
		t->level[0][i] = i < n ? runs[i].first : UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		t->extents[i] = extent_of(&runs[i]);
	build_levels(t);
	return t;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	return build_with(runs, n, rank_has_avx2(), false);
}

static void *build_plain(const struct lindex_run *runs, size_t n)
{
	return build_with(runs, n, false, false);
}

static void *build_huge(const struct lindex_run *runs, size_t n)
{
	return build_with(runs, n, rank_has_avx2(), true);
}

static void destroy(void *map)
{
	struct stree *t = map;

	for (unsigned int h = 0; h < t->height; h++)
		free(t->level[h]);
	free(t->extents);
	free(t);
}

static uint64_t bytes(const void *map)
{
	const struct stree *t = map;

	return sizeof(*t) + t->bytes;
}

#define PEER(ident, label, text, build_fn)                                                         \
	const struct peer_ops ident = {                                                            \
		.name = label,                                                                     \
		.about = text,                                                                     \
		.build = build_fn,                                                                 \
		.free = destroy,                                                                   \
		.lookups = lookups,                                                                \
		.batch = batch,                                                                    \
		.chain = chain,                                                                    \
		.lookup = lookup,                                                                  \
		.bytes = bytes,                                                                    \
	}

PEER(peer_stree, "s-tree", "static S+ tree, 16 keys per node, no pointers, no branches; read-only",
     build);
PEER(peer_stree_no_simd, "s-tree, no SIMD", "the s-tree without AVX2", build_plain);
PEER(peer_stree_huge, "s-tree, huge pages", "the s-tree in huge pages", build_huge);
