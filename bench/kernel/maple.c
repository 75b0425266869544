/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: the kernel's maple tree, used as the kernel does for address spaces: ranges, which the caller
 * joins with their neighbours. Stored for a run is value - first modulo 2^63, so that a range which
 * is cut keeps its entry. There are no tags, and values grow with the key.
 */
#include "env.h"

#include <lib/maple_tree.c>

#include "../levels.h"
#include "../peer.h"
#include "slab.h"

struct map {
	struct maple_tree tree;
	uint64_t bytes;
};

/* ---- Lookup -------------------------------------------------------------------------------- */

static inline struct lindex_run find(const void *map, uint64_t key)
{
	struct maple_tree *tree = (struct maple_tree *)(uintptr_t) &
				  ((const struct map *)map)->tree;
	MA_STATE(mas, tree, key, key);
	void *entry = mas_walk(&mas);

	if (!entry)
		return hole_run(mas.index, mas.last);
	return (struct lindex_run){
		mas.index, mas.last, (xa_to_value(entry) + mas.index) & LONG_MAX, 0, 1, 1
	};
}

#define LOOP(name) name
#define LOOP_FIND  find
#define LOOP_ATTRIBUTE
#include "../loops_body.h"

/* ---- Change -------------------------------------------------------------------------------- */

static void store(struct map *map, uint64_t first, uint64_t last, void *entry)
{
	MA_STATE(mas, &map->tree, first, last);

	slab_account = &map->bytes;
	if (mas_store_gfp(&mas, entry, GFP_KERNEL))
		abort();
	rcu_drain();
}

static void overwrite(void *ptr, const struct lindex_run *run)
{
	void *entry = xa_mk_value((run->value - run->first) & LONG_MAX);
	struct map *map = ptr;
	uint64_t first = run->first, last = run->last;
	MA_STATE(before, &map->tree, first - 1, first - 1);
	MA_STATE(behind, &map->tree, last + 1, last + 1);

	if (first && mas_walk(&before) == entry)
		first = before.index;
	if (last < ULONG_MAX && mas_walk(&behind) == entry)
		last = behind.last;
	store(map, first, last, entry);
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	store(map, first, last, NULL);
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const char *refuses(const struct lindex_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (level_wide(&runs[i]))
			return "values above 2^63";
		if (runs[i].tag || runs[i].step != 1)
			return "tags, or values that do not grow with the key";
	}
	return NULL;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	struct map *map = calloc(1, sizeof(*map));

	if (!map || refuses(runs, n))
		abort();
	if (!maple_node_cache)
		maple_tree_init();
	mt_init_flags(&map->tree, 0);
	for (size_t i = 0; i < n; i++)
		store(map, runs[i].first, runs[i].last,
		      xa_mk_value((runs[i].value - runs[i].first) & LONG_MAX));
	return map;
}

static void destroy(void *ptr)
{
	struct map *map = ptr;

	slab_account = &map->bytes;
	__mt_destroy(&map->tree);
	rcu_drain();
	free(map);
}

static uint64_t bytes(const void *map)
{
	return sizeof(struct map) + ((const struct map *)map)->bytes;
}

__attribute__((visibility("default"))) const struct peer_ops peer_maple = {
	.name = "maple tree",
	.about = "the kernel's, built for user space from Debian's linux-source",
	.refuses = refuses,
	.build = build,
	.free = destroy,
	.lookups = lookups,
	.chain = chain,
	.lookup = lookup,
	.overwrite = overwrite,
	.remove = clear,
	.bytes = bytes,
};
