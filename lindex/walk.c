/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every run of an index in order, leaf by leaf: much faster than a cursor. Writer context: it uses the
 * pool's scratch and loads pages.
 */
#include "internal.h"
#include "scratch.h"

struct walk {
	struct lindex *ix;
	int (*fn)(void *ctx, const struct lindex_run *run);
	void *ctx;
	uint64_t next; /* no run may begin before it: the builder relies on their order */
	bool any;
};

static int walk_runs(struct walk *w, const struct lindex_run *runs, uint32_t n)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		if (lindex_run_valid(&runs[i]) || runs[i].first < w->next || (w->any && !w->next))
			return -EUCLEAN; /* pages that do not belong together */
		w->next = runs[i].last + 1;
		w->any = true;
		err = w->fn(w->ctx, &runs[i]);
	}
	return err;
}

/* The node at @level whose fence is [@lo, @hi]; of the root only @hi is known. */
static int walk_node(struct walk *w, uint32_t ref, uint32_t level, uint64_t lo, uint64_t hi,
		     bool root)
{
	struct lindex_space *sp = w->ix->space;
	struct lindex_run *runs = w->ix->pool->scratch->runs;
	uint32_t i, n = 1;
	int err = 0;

	/* A page may go while its children are walked: it is fetched anew for each child. */
	for (i = 0; i < n && !err; i++) {
		const struct lindex_inner *in;
		uint64_t from, to;
		uint32_t child;

		if (sp->paged) {
			lindex_paged_room(w->ix);
			err = lindex_paged_need(sp, ref, level);
		}
		if (err)
			return err;
		if (!root && lindex_node_base(lindex_node_at(sp, ref)) != lo)
			return -EUCLEAN;
		if (!level)
			return walk_runs(w, runs,
					 lindex_leaf_decode(lindex_node_at(sp, ref), runs));
		in = (const struct lindex_inner *)lindex_node_at(sp, ref);
		n = lindex_node_n(&in->head);
		child = lindex_inner_ref(in, i);
		if (!lindex_child_fence(in, i, hi, &from, &to))
			return -EUCLEAN;
		if (child & LINDEX_TERM) {
			struct lindex_run run;

			lindex_term_run(lindex_inner_term(in, child), &run);
			err = walk_runs(w, &run, 1);
		} else {
			err = walk_node(w, child, level - 1, from, to, false);
		}
	}
	return err;
}

/** lindex_each_run() - Call @fn for every run, ascending; stops at the first error and returns it. */
int lindex_each_run(struct lindex *ix, int (*fn)(void *ctx, const struct lindex_run *run),
		    void *ctx)
{
	struct walk w = { .ix = ix, .fn = fn, .ctx = ctx };

	if (ix->root & LINDEX_ROOT_INLINE)
		return walk_runs(&w, lindex_slot_of(ix, ix->root)->runs,
				 lindex_slot_of(ix, ix->root)->n);
	return walk_node(&w, lindex_root_ref(ix->root), lindex_root_level(ix->root), 0, UINT64_MAX,
			 true);
}
