/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Figures of an index, by a walk.
 */
#include "internal.h"

static void add_run(struct lindex_stats *st, const struct lindex_run *run)
{
	uint64_t len = run->last - run->first + 1; /* 0: all 2^64 keys */

	st->runs++;
	st->keys = !len || st->keys > UINT64_MAX - len ? UINT64_MAX : st->keys + len;
}

static void add_leaf(struct lindex_stats *st, const struct lindex_node *node)
{
	static const enum lindex_kind kind_of[LINDEX_NODE_KINDS] = {
		[LINDEX_NODE_LINES] = LINDEX_KIND_LINES,
		[LINDEX_NODE_SPARSE] = LINDEX_KIND_SPARSE,
		[LINDEX_NODE_DENSE] = LINDEX_KIND_DENSE,
		[LINDEX_NODE_PRESENCE] = LINDEX_KIND_PRESENCE,
	};
	enum lindex_kind kind = kind_of[node->kind];
	uint64_t key = lindex_node_base(node), before = st->runs;
	struct lindex_run run;

	/* Behind the last run comes a hole without end: the fence is not asked here. */
	while (lindex_leaf_find(node, key, UINT64_MAX, &run) == 0 || run.last != UINT64_MAX) {
		if (run.mapped)
			add_run(st, &run);
		if (run.last == UINT64_MAX ||
		    run.last < key) /* the latter: a page that makes no sense */
			break;
		key = run.last + 1;
	}
	st->kind_leaves[kind]++;
	st->kind_runs[kind] += st->runs - before;
	if (node->kind == LINDEX_NODE_SPARSE) {
		uint32_t window = lindex_from16(((const struct lindex_sparse *)node)->window);

		st->window = window > st->window ? window : st->window;
	}
}

/* The node at @level whose fence is [@lo, @hi]; of the root (depth 1) only @hi is known. */
static void walk(const struct lindex *ix, struct lindex_stats *st, uint32_t ref, uint32_t level,
		 uint64_t lo, uint64_t hi, uint32_t depth)
{
	const struct lindex_node *node = lindex_resident_node(ix->space, ref);
	const struct lindex_inner *in = (const struct lindex_inner *)node;
	uint64_t from, to;
	uint32_t i;

	if (!node || node->level != level || (depth > 1 && lindex_node_base(node) != lo))
		return;
	st->nodes++;
	st->node_bytes += (uint64_t)node->units * LINDEX_UNIT_BYTES;
	st->depth = depth > st->depth ? depth : st->depth;
	if (node->kind != LINDEX_NODE_INNER) {
		add_leaf(st, node);
		return;
	}
	st->inner_nodes++;
	st->inner_bytes += (uint64_t)node->units * LINDEX_UNIT_BYTES;
	if (lindex_from16(in->window) > st->window)
		st->window = lindex_from16(in->window);
	for (i = 0; i < lindex_node_n(node) && lindex_child_fence(in, i, hi, &from, &to); i++) {
		uint32_t child = lindex_inner_ref(in, i);
		struct lindex_run run;

		if (!(child & LINDEX_TERM)) {
			walk(ix, st, child, level - 1, from, to, depth + 1);
			continue;
		}
		lindex_term_run(lindex_inner_term(in, child), &run);
		add_run(st, &run);
		st->kind_leaves[LINDEX_KIND_TERMINAL]++;
		st->kind_runs[LINDEX_KIND_TERMINAL]++;
	}
}

static uint64_t limbo_bytes(const struct lindex_limbo *limbo)
{
	return (uint64_t)lindex_load_relaxed(&limbo->units) * LINDEX_UNIT_BYTES;
}

void lindex_get_stats(const struct lindex *ix, struct lindex_stats *st)
{
	uint64_t word = lindex_load_acquire(&ix->root);
	const struct lindex_space *sp = ix->space;
	uint32_t i, pages;

	memset(st, 0, sizeof(*st));
	if (word & LINDEX_ROOT_INLINE) {
		const struct lindex_slot *slot = &ix->slot[lindex_root_ref(word)];

		for (i = 0; i < slot->n; i++)
			add_run(st, &slot->runs[i]);
		st->kind_leaves[LINDEX_KIND_INLINE] = slot->n != 0;
		st->kind_runs[LINDEX_KIND_INLINE] = slot->n;
	} else {
		walk(ix, st, lindex_root_ref(word), lindex_root_level(word), 0, UINT64_MAX, 1);
	}
	st->pool_bytes = lindex_pool_bytes(ix->pool);
	if (!sp)
		return;
	st->retired_bytes = limbo_bytes(&sp->limbo.retired) + limbo_bytes(&sp->limbo.waiting) +
			    limbo_bytes(&sp->limbo.expired) + limbo_bytes(&ix->drops) +
			    limbo_bytes(&ix->dead);
	if (sp->paged) {
		pages = lindex_load_relaxed(&sp->npages);
		st->resident_pages = lindex_load_relaxed(&sp->resident);
		st->pages = pages ? pages - 1 : 0;
		st->dirty_pages = lindex_load_relaxed(&sp->dirty);
	}
}
