/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Pools: memory from the caller's allocator, counted under one cap; and what indexes share.
 */
#include "internal.h"
#include "scratch.h"

/* Free pages that only a remove may use: one remove at level 7, the greatest that 2^31 units need (update.c, U3). */
#define STANDING_PAGES 24u

#define COMPACT_SHARE     2u            /* lumps of more than this many times the nodes, and */
#define COMPACT_MIN_BYTES (512u * 1024) /* this much: worth compacting */

const char *lindex_version(void)
{
	return "0.1.0";
}

void *lindex_pool_alloc(struct lindex_pool *pool, size_t bytes, size_t align)
{
	void *ptr;

	if (pool->cap_bytes &&
	    (pool->bytes > pool->cap_bytes || bytes > pool->cap_bytes - pool->bytes))
		return NULL;
	ptr = pool->allocator.alloc(pool->allocator.ctx, bytes, align, pool->alloc_flags);
	if (ptr)
		lindex_store_relaxed(&pool->bytes, pool->bytes + bytes);
	return ptr;
}

void lindex_pool_release(struct lindex_pool *pool, void *ptr, size_t bytes)
{
	lindex_store_relaxed(&pool->bytes, pool->bytes - bytes);
	pool->allocator.free(pool->allocator.ctx, ptr, bytes);
}

int lindex_pool_create(const struct lindex_pool_config *cfg, struct lindex_pool **out)
{
	static const struct lindex_allocator port = { lindex_port_alloc, lindex_port_free, NULL };
	static const struct lindex_pool_config defaults;
	const struct lindex_allocator *a;
	struct lindex_pool *pool;

	if (!cfg)
		cfg = &defaults;
	a = cfg->allocator ? cfg->allocator : &port;
	if (cfg->flags & ~(LINDEX_POOL_NO_SIMD | LINDEX_POOL_HUGE) || !a->alloc || !a->free ||
	    (cfg->cap_bytes && cfg->cap_bytes < LINDEX_POOL_MIN_BYTES) ||
	    (!cfg->allocator && !LINDEX_PORT_HAS_ALLOC))
		return -EINVAL;
	pool = a->alloc(a->ctx, sizeof(*pool), 64, 0);
	if (!pool)
		return -ENOMEM;
	memset(pool, 0, sizeof(*pool));
	pool->allocator = *a;
	pool->flags = cfg->flags;
	pool->cap_bytes = cfg->cap_bytes;
	pool->bytes = sizeof(*pool);
	pool->scratch = lindex_pool_alloc(pool, sizeof(*pool->scratch), 64);
	if (!pool->scratch)
		goto free_pool;
	if (lindex_space_create(pool, &pool->space))
		goto free_scratch;
	if (lindex_space_hold(pool->space, STANDING_PAGES - 1)) /* page 0 is never wholly free */
		goto free_space;
	*out = pool;
	return 0;

free_space:
	lindex_space_free(pool->space);
free_scratch:
	lindex_pool_release(pool, pool->scratch, sizeof(*pool->scratch));
free_pool:
	a->free(a->ctx, pool, sizeof(*pool));
	return -ENOMEM;
}

int lindex_pool_free(struct lindex_pool *pool)
{
	struct lindex_allocator a;

	if (!pool)
		return 0;
	if (pool->indexes)
		return -EBUSY;
	lindex_retire_all(pool->space);
	lindex_space_free(pool->space);
	lindex_pool_release(pool, pool->scratch, sizeof(*pool->scratch));
	a = pool->allocator;
	a.free(a.ctx, pool, sizeof(*pool));
	return 0;
}

/** lindex_pool_drop_all() - What any index has dropped is retired node by node. */
void lindex_pool_drop_all(struct lindex_pool *pool)
{
	struct lindex *ix;

	for (ix = pool->indexes; ix; ix = ix->pool_next)
		lindex_drop_all(ix);
}

/* Nodes few and far between keep whole lumps from being given back: then write the indexes anew, densely. */
static void pool_compact(struct lindex_pool *pool)
{
	struct lindex_space *sp = pool->space;
	struct lindex_stash stash;
	struct lindex *ix;

	if (lindex_space_bytes(sp) <=
	    COMPACT_SHARE * sp->used_units * LINDEX_UNIT_BYTES + COMPACT_MIN_BYTES)
		return;
	lindex_space_fresh(sp, &stash);
	for (ix = pool->indexes; ix; ix = ix->pool_next)
		if (ix->space == sp && !(ix->flags & LINDEX_IX_READONLY) && !ix->newest &&
		    !(ix->root & LINDEX_ROOT_INLINE))
			(void)lindex_rebuild(ix); /* without memory for it, all stays as it is */
	lindex_space_mixed(sp, &stash);
	lindex_pool_drop_all(pool);
	lindex_retire_all(sp);
}

int lindex_pool_reclaim(struct lindex_pool *pool)
{
	struct lindex *ix;

	lindex_pool_drop_all(pool);
	for (ix = pool->indexes; ix; ix = ix->pool_next)
		if (ix->space && ix->space->paged)
			lindex_retire_all(ix->space);
	lindex_retire_all(pool->space);
	pool_compact(pool);
	lindex_space_trim(pool->space);
	return 0;
}

uint64_t lindex_pool_bytes(const struct lindex_pool *pool)
{
	return lindex_load_relaxed(&pool->bytes);
}

void lindex_pool_set_alloc_flags(struct lindex_pool *pool, unsigned int flags)
{
	pool->alloc_flags = flags;
}
