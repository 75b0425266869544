/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Nodes on their way from unlinked to free (state drawing: struct lindex_retirement).
 *
 *   R1  A node is freed only after a grace period that began after it was unlinked.
 *   R2  A node that a snapshot can reach is not retired but kept on the dead list of the newest
 *       snapshot that can: born at or before it (gen), unlinked after it.
 *   R3  One update frees and walks a bounded number of nodes; nothing is walked to drop a subtree.
 *   R4  A node is on at most one list, and lists run through the nodes: no memory is needed to retire.
 */
#include "internal.h"

#define THRESHOLD_UNITS_MIN (64u * 1024 / LINDEX_UNIT_BYTES)
#define THRESHOLD_SHARE     16u /* of the units in use may wait for readers */

void lindex_limbo_push(struct lindex_space *sp, struct lindex_limbo *limbo, uint32_t ref)
{
	struct lindex_node *node = lindex_node_at(sp, ref);

	node->next = lindex_to32(limbo->head);
	limbo->head = ref;
	lindex_store_relaxed(&limbo->units, limbo->units + node->units);
	if (sp->paged)
		lindex_paged_limbo(sp, ref, 1);
}

uint32_t lindex_limbo_pop(struct lindex_space *sp, struct lindex_limbo *limbo)
{
	uint32_t ref = limbo->head;

	if (ref) {
		struct lindex_node *node = lindex_node_at(sp, ref);

		limbo->head = lindex_from32(node->next);
		lindex_store_relaxed(&limbo->units, limbo->units - node->units);
		if (sp->paged)
			lindex_paged_limbo(sp, ref, -1);
	}
	return ref;
}

/* Free at once: a node that no reader ever saw, or whose grace period is over. */
void lindex_node_free(struct lindex_space *sp, uint32_t ref)
{
	lindex_space_release(sp, ref, lindex_node_at(sp, ref)->units);
}

/** lindex_retire_node() - @ref was unlinked from @ix's current tree. Children are not touched. */
void lindex_retire_node(struct lindex *ix, uint32_t ref)
{
	struct lindex_space *sp = ix->space;
	struct lindex_node *node = lindex_node_at(sp, ref);
	struct lindex *snap = ix->newest;

	if (snap && lindex_from32(node->gen) <= snap->gen) {
		lindex_limbo_push(sp, &snap->dead, ref);
		return;
	}
	if (sp->paged) {
		node->flags = LINDEX_NODE_RETIRED;
		lindex_paged_dirty(sp, ref);
	}
	lindex_limbo_push(sp, &sp->limbo.retired, ref);
}

/* With a pager: at once, loading what is not resident. What cannot be loaded stays allocated. */
static LINDEX_COLD void retire_paged(struct lindex *ix, uint32_t ref, uint32_t level)
{
	struct lindex_space *sp = ix->space;
	uint32_t i, n = level ? 1 : 0, child;

	for (i = 0; i < n; i++) {
		const struct lindex_inner *in;

		if (lindex_paged_need(sp, ref, level))
			return;
		in = (const struct lindex_inner *)lindex_node_at(sp, ref);
		n = lindex_node_n(&in->head);
		child = lindex_inner_ref(in, i);
		if (!(child & LINDEX_TERM))
			retire_paged(ix, child, level - 1);
	}
	lindex_paged_room(ix); /* nothing is held across nodes: their pages may go */
	if (!lindex_paged_need(sp, ref, level))
		lindex_retire_node(ix, ref);
}

/** lindex_retire_subtree() - @ref and all below it were unlinked. O(1): walked later, in steps. */
void lindex_retire_subtree(struct lindex *ix, uint32_t ref, uint32_t level)
{
	if (ix->space->paged)
		retire_paged(ix, ref, level);
	else
		lindex_limbo_push(ix->space, &ix->drops, ref);
}

/* Unfold one node of the drop queue: its children join the queue, itself is retired. */
static void drop_one(struct lindex *ix)
{
	struct lindex_space *sp = ix->space;
	uint32_t ref = lindex_limbo_pop(sp, &ix->drops), i;
	struct lindex_node *node = lindex_node_at(sp, ref);

	if (node->kind == LINDEX_NODE_INNER) {
		const struct lindex_inner *in = (const struct lindex_inner *)node;

		for (i = 0; i < lindex_node_n(node); i++)
			if (!(lindex_inner_ref(in, i) & LINDEX_TERM))
				lindex_limbo_push(sp, &ix->drops, lindex_inner_ref(in, i));
	}
	lindex_retire_node(ix, ref);
}

void lindex_drop_all(struct lindex *ix)
{
	while (ix->drops.head)
		drop_one(ix);
}

/* All of @from; @to is empty. */
static void limbo_move(struct lindex_limbo *to, struct lindex_limbo *from)
{
	to->head = from->head;
	lindex_store_relaxed(&to->units, from->units);
	from->head = 0;
	lindex_store_relaxed(&from->units, 0);
}

/* The grace period that waits is over: what waited has expired. */
static void gp_finish(struct lindex_space *sp)
{
	limbo_move(&sp->limbo.expired, &sp->limbo.waiting);
	sp->limbo.gp_running = false;
	lindex_space_free_dirs(sp, &sp->limbo.waiting_dirs);
	lindex_paged_free_evicted(sp, &sp->limbo.waiting_pages);
}

static void gp_begin(struct lindex_space *sp)
{
	limbo_move(&sp->limbo.waiting, &sp->limbo.retired);
	sp->limbo.waiting_dirs = sp->limbo.retired_dirs;
	sp->limbo.retired_dirs = NULL;
	sp->limbo.waiting_pages = sp->limbo.retired_pages;
	sp->limbo.retired_pages = NULL;
	sp->limbo.gp_running = true;
	lindex_port_gp_start(&sp->limbo.gp);
	sp->gps += LINDEX_PORT_GP_BLOCKS;
}

static bool gp_wanted(const struct lindex_space *sp)
{
#if LINDEX_PORT_RCU
	uint64_t threshold = lindex_max64(THRESHOLD_UNITS_MIN, sp->used_units / THRESHOLD_SHARE);

	return sp->limbo.retired.units >= threshold;
#else
	return sp->limbo.retired.head != 0; /* no readers beside a writer: free at once */
#endif
}

/**
 * lindex_retire_step() - A bounded step of all this: walks and frees at most @budget nodes each.
 * @may_wait: It may start a grace period where starting means waiting (user space).
 */
void lindex_retire_step(struct lindex *ix, uint32_t budget, bool may_wait)
{
	struct lindex_space *sp = ix->space;
	uint32_t i;

	for (i = 0; i < budget && ix->drops.head; i++)
		drop_one(ix);
	for (i = 0; i < budget && sp->limbo.expired.head; i++) {
		lindex_node_free(sp, lindex_limbo_pop(sp, &sp->limbo.expired));
		ix->cost.nodes_freed++;
	}
	if (sp->limbo.expired.head) /* read by the next step: long unused, not in any cache */
		lindex_prefetch(lindex_node_at(sp, sp->limbo.expired.head));
	if (sp->limbo.expired.head)
		return;
	if (sp->limbo.gp_running && lindex_port_gp_done(&sp->limbo.gp))
		gp_finish(sp);
	else if (!sp->limbo.gp_running && gp_wanted(sp) && (may_wait || !LINDEX_PORT_GP_BLOCKS))
		gp_begin(sp);
}

/** lindex_retire_all() - Free everything retired, after readers. Sleeps; not if nothing is. */
LINDEX_COLD void lindex_retire_all(struct lindex_space *sp)
{
	struct lindex_retirement *r = &sp->limbo;

	for (;;) {
		while (r->expired.head)
			lindex_node_free(sp, lindex_limbo_pop(sp, &r->expired));
		if (!r->gp_running) {
			if (!r->retired.head && !r->retired_dirs && !r->retired_pages)
				return;
			gp_begin(sp);
		}
		lindex_port_gp_wait(&r->gp);
		gp_finish(sp);
	}
}
