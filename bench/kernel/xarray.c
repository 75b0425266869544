/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: the kernel's XArray, used as the kernel does for cached pages: one entry per key.
 */
#include "env.h"

#include <lib/xarray.c>

#include "../levels.h"
#include "../peer.h"
#include "slab.h"

#define MOST_BYTES ((uint64_t)4 << 30)

struct map {
	struct xarray xa;
	uint64_t bytes;
};

struct kmem_cache *radix_tree_node_cachep;

/* Nodes come as the kernel's own cache has them. */
static void node_ctor(void *object)
{
	struct xa_node *node = object;

	memset(node, 0, sizeof(*node));
	INIT_LIST_HEAD(&node->private_list);
}

void radix_tree_node_rcu_free(struct rcu_head *head)
{
	kmem_cache_free(radix_tree_node_cachep, container_of(head, struct xa_node, rcu_head));
}

/* ---- Lookup -------------------------------------------------------------------------------- */

static inline struct lindex_run find(const void *map, uint64_t key)
{
	struct xarray *xa = (struct xarray *)(uintptr_t) & ((const struct map *)map)->xa;
	struct lindex_run run = { key, key, 0, 0, 0, 0 };
	void *entry = xa_load(xa, key);

	if (entry) {
		run.value = xa_to_value(entry);
		run.mapped = 1;
	}
	return run;
}

#define LOOP(name) name
#define LOOP_FIND  find
#define LOOP_ATTRIBUTE
#include "../loops_body.h"

/* ---- Change -------------------------------------------------------------------------------- */

static void overwrite(void *ptr, const struct lindex_run *run)
{
	struct map *map = ptr;
	XA_STATE(xas, &map->xa, run->first);

	slab_account = &map->bytes;
	for (uint64_t key = run->first;; key++) {
		xas_store(&xas, xa_mk_value(lindex_value(run, key)));
		if (xas_error(&xas))
			abort();
		if (key == run->last)
			break;
		xas_next(&xas);
	}
	rcu_drain();
}

static void clear(void *ptr, uint64_t first, uint64_t last)
{
	struct map *map = ptr;
	XA_STATE(xas, &map->xa, first);
	void *entry;

	slab_account = &map->bytes;
	xas_for_each(&xas, entry, last) xas_store(&xas, NULL);
	rcu_drain();
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const char *refuses(const struct lindex_run *runs, size_t n)
{
	unsigned int levels = levels_for(runs, n, XA_CHUNK_SHIFT);

	for (size_t i = 0; i < n; i++)
		if (level_wide(&runs[i]))
			return "values above 2^63";
	if (level_nodes(runs, n, XA_CHUNK_SHIFT, levels) > MOST_BYTES / sizeof(struct xa_node))
		return "more than 4 GiB of nodes";
	return NULL;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	struct map *map = calloc(1, sizeof(*map));

	if (!map || refuses(runs, n))
		abort();
	if (!radix_tree_node_cachep)
		radix_tree_node_cachep = kmem_cache_create("xa_node", sizeof(struct xa_node), 0, 0,
							   node_ctor);
	xa_init(&map->xa);
	for (size_t i = 0; i < n; i++)
		overwrite(map, &runs[i]);
	return map;
}

static void destroy(void *ptr)
{
	struct map *map = ptr;

	slab_account = &map->bytes;
	xa_destroy(&map->xa);
	rcu_drain();
	free(map);
}

static uint64_t bytes(const void *map)
{
	return sizeof(struct map) + ((const struct map *)map)->bytes;
}

__attribute__((visibility("default"))) const struct peer_ops peer_xarray = {
	.name = "xarray",
	.about = "the kernel's, built for user space from Debian's linux-source, one entry per key",
	.single_key = true,
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
