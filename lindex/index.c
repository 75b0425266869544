/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An index: its life, and the one word that readers start from.
 */
#include "internal.h"
#include "scratch.h"

#define EPSILON_DEFAULT    16u
#define NODE_BYTES_DEFAULT 512u

#define SLOT_WAIT_PRICE 64u /* updates that earn one grace period for an inline slot */
#define SLOT_WAITS      4u  /* given in advance: an index that is made small stays inline */

/*
 * Pages that one of the next @n updates may take at worst (update.c, U3): 3 on each inner level, one for a
 * new root, two for leaves. The first may make the tree higher; each level more takes 16 times as many.
 */
static uint32_t levels_after(const struct lindex *ix, uint32_t n)
{
	uint32_t levels = lindex_root_level(ix->root) + 1;

	for (; n >= 16 && levels < LINDEX_MAX_LEVEL; n /= 16)
		levels++;
	return levels;
}

static uint32_t update_pages(const struct lindex *ix, uint32_t n)
{
	return 3 * levels_after(ix, n) + 3;
}

/** lindex_new() - An empty read-write index without a space, listed in its pool. */
int lindex_new(struct lindex_pool *pool, const struct lindex_config *cfg, struct lindex **out)
{
	uint32_t epsilon = cfg && cfg->epsilon ? cfg->epsilon : EPSILON_DEFAULT;
	uint32_t node_bytes = cfg && cfg->node_bytes ? cfg->node_bytes : NODE_BYTES_DEFAULT;
	struct lindex *ix;

	if (epsilon < 2 || epsilon > LINDEX_INNER_MAX || node_bytes % LINDEX_UNIT_BYTES ||
	    node_bytes < 256 || node_bytes > LINDEX_LEAF_UNITS * LINDEX_UNIT_BYTES)
		return -EINVAL;
	ix = lindex_pool_alloc(pool, sizeof(*ix), 64);
	if (!ix)
		return -ENOMEM;
	memset(ix, 0, sizeof(*ix));
	ix->root = LINDEX_ROOT_INLINE | LINDEX_SLOT_EMPTY;
	ix->ops = lindex_ops_best(!(pool->flags & LINDEX_POOL_NO_SIMD));
	ix->pool = pool;
	ix->epsilon = epsilon;
	ix->leaf_units = node_bytes / LINDEX_UNIT_BYTES;
	ix->gen = 1;
	ix->slot_credit = SLOT_WAITS * SLOT_WAIT_PRICE;
	ix->head = ix;
	ix->pool_next = pool->indexes;
	if (pool->indexes)
		pool->indexes->pool_prev = ix;
	pool->indexes = ix;
	*out = ix;
	return 0;
}

static void index_release(struct lindex *ix)
{
	if (ix->pool_prev)
		ix->pool_prev->pool_next = ix->pool_next;
	else
		ix->pool->indexes = ix->pool_next;
	if (ix->pool_next)
		ix->pool_next->pool_prev = ix->pool_prev;
	lindex_pool_release(ix->pool, ix, sizeof(*ix));
}

int lindex_create(struct lindex_pool *pool, const struct lindex_config *cfg, struct lindex **out)
{
	static const struct lindex_root empty;
	struct lindex *ix;
	int err;

	if (cfg && cfg->pager)
		return lindex_open_paged(pool, cfg, &empty, out);
	err = lindex_new(pool, cfg, &ix);
	if (err)
		return err;
	ix->space = pool->space;
	*out = ix;
	return 0;
}

void lindex_free(struct lindex *ix)
{
	struct lindex *head;

	if (!ix)
		return;
	head = ix->head;
	lindex_top_drop(ix);
	if (ix->flags & LINDEX_IX_SNAPSHOT) {
		lindex_snapshot_forget(ix);
		index_release(ix);
		if (head->flags & LINDEX_IX_ZOMBIE && !head->newest)
			index_release(head);
		return;
	}
	if (ix->flags & LINDEX_IX_IMAGE) {
		lindex_image_forget(ix);
	} else if (ix->space->paged) {
		lindex_paged_free(ix->space);
	} else {
		(void)lindex_reserve(ix, 0);
		if (!(ix->root & LINDEX_ROOT_INLINE))
			lindex_retire_subtree(ix, lindex_root_ref(ix->root),
					      lindex_root_level(ix->root));
		lindex_drop_all(ix);
		ix->root = LINDEX_ROOT_INLINE | LINDEX_SLOT_EMPTY;
		if (ix->newest) {
			ix->flags |= LINDEX_IX_ZOMBIE | LINDEX_IX_READONLY;
			return;
		}
	}
	index_release(ix);
}

int lindex_reserve(struct lindex *ix, uint32_t n)
{
	struct lindex_space *sp = ix->space;
	uint64_t others, pages = update_pages(ix, n);
	int err;

	if (ix->flags & LINDEX_IX_READONLY)
		return -EROFS;
	others = sp->held - (uint64_t)ix->reserved * ix->reserved_pages;
	if (others + n * pages > UINT32_MAX)
		return -ENOMEM;
	err = lindex_space_hold(sp, (uint32_t)(others + n * pages));
	if (err == -ENOMEM && n && !LINDEX_PORT_GP_BLOCKS &&
	    lindex_port_may_sleep(ix->pool->alloc_flags)) { /* as an update does (update.c) */
		lindex_pool_drop_all(ix->pool);
		lindex_retire_all(sp);
		err = lindex_space_hold(sp, (uint32_t)(others + n * pages));
	}
	if (!err && n &&
	    sp->paged) /* what an insert sees to otherwise, and a reserved one does not */
		err = lindex_paged_stand(ix, levels_after(ix, n));
	if (err)
		return err;
	sp->promised = (uint32_t)(sp->promised - (uint64_t)ix->reserved * ix->reserved_pages +
				  n * pages);
	ix->reserved = n;
	ix->reserved_pages = (uint32_t)pages;
	return 0;
}

/** lindex_reserve_use() - One reserved update begins: its pages may be taken. */
void lindex_reserve_use(struct lindex *ix)
{
	ix->reserved--;
	ix->space->held -= ix->reserved_pages;
	ix->space->promised -= ix->reserved_pages;
}

/* Readers may be in the slot that is left now, until the next grace period. */
static void slot_left(struct lindex *ix)
{
	ix->slot_waits = LINDEX_PORT_RCU;
	ix->slot_gps = ix->space->gps;
}

/* From here readers see the new contents. */
void lindex_publish_root(struct lindex *ix, uint32_t ref, uint32_t level)
{
	bool left = ix->root & LINDEX_ROOT_INLINE;

	lindex_top_drop(ix);
	slot_left(ix);
	lindex_store_release(&ix->root, lindex_root_word(ref, level));
	lindex_top_make(ix, false);
	if (left && !LINDEX_PORT_GP_BLOCKS) /* from here no reader comes to the slot */
		lindex_port_gp_start(&ix->slot_gp);
}

/**
 * lindex_slot_may_wait() - Waits for readers of a slot are rationed; an update without credit uses a leaf. So does
 * every update where a grace period is long.
 */
bool lindex_slot_may_wait(struct lindex *ix)
{
	if (!LINDEX_PORT_GP_BLOCKS)
		return false;
	if (ix->slot_credit >= SLOT_WAIT_PRICE)
		return true;
	ix->slot_credit++;
	return false;
}

/**
 * lindex_publish_inline() - Make up to three runs the whole contents, in the header's other slot.
 * Return: 0, or -EAGAIN if readers may still be in that slot and @may_wait is false.
 */
int lindex_publish_inline(struct lindex *ix, const struct lindex_run *runs, uint32_t n,
			  bool may_wait)
{
	bool now = ix->root & LINDEX_ROOT_INLINE;
	uint32_t other = now && lindex_root_ref(ix->root) == 0 ? 1 : 0, i;
	struct lindex_slot *slot = &ix->slot[other];

	if (!n) { /* cannot fail: deletion always works */
		lindex_publish_root(ix, LINDEX_SLOT_EMPTY, LINDEX_ROOT_INLINE >> 32);
		return 0;
	}
	/* What retired nodes waited for (retire.c) will do as well. */
	if (ix->slot_waits && ix->slot_gps == ix->space->gps) {
		if (!may_wait && (LINDEX_PORT_GP_BLOCKS || !lindex_port_gp_done(&ix->slot_gp)))
			return -EAGAIN;
		lindex_port_gp_wait(&ix->slot_gp);
		if (LINDEX_PORT_GP_BLOCKS) {
			lindex_port_gp_start(&ix->slot_gp);
			ix->slot_credit -= lindex_min32(ix->slot_credit, SLOT_WAIT_PRICE);
		}
	}
	slot->n = n;
	for (i = 0; i < n; i++) {
		slot->runs[i] = runs[i];
		slot->runs[i].mapped = 1;
	}
	lindex_top_drop(ix);
	slot_left(ix);
	lindex_store_release(&ix->root, LINDEX_ROOT_INLINE | other);
	if (!LINDEX_PORT_GP_BLOCKS)
		lindex_port_gp_start(&ix->slot_gp);
	return 0;
}

void lindex_last_cost(const struct lindex *ix, struct lindex_update_cost *cost)
{
	*cost = ix->cost;
}
