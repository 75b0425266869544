/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_check(): the whole structure, and the allocator's books: every unit in use belongs to one node that
 * some index, snapshot or limbo list of the pool can name.
 */
#include "verify.h"

static int check_inline(struct lindex_verify *v, const struct lindex *ix)
{
	const struct lindex_slot *slot = &ix->slot[lindex_root_ref(ix->root)];
	uint32_t i;

	if (slot->n > LINDEX_INLINE_RUNS)
		return lindex_refuse(v, "inline runs", 0, 0, LINDEX_INLINE_RUNS, slot->n);
	for (i = 0; i < slot->n; i++) {
		const struct lindex_run *r = &slot->runs[i];

		if (lindex_run_valid(r) || !r->mapped ||
		    (i && (r->first <= slot->runs[i - 1].last ||
			   lindex_run_joins(&slot->runs[i - 1], r))))
			return lindex_refuse(v, "inline runs are valid, ascend and differ", 0,
					     r->first, 0, i);
	}
	return 0;
}

/* T1: the table over the root, bucket by bucket; as many as most allows. */
static int check_buckets(struct lindex_verify *v, const struct lindex_top *top)
{
	uint32_t i = 0, n = lindex_node_n(&top->root->head), inside, want, found;
	uint64_t b, first, last;

	for (b = 0; b <= top->most >> top->shift; b++) {
		first = b << top->shift;
		last = first + (1ull << top->shift) - 1;
		while (i + 1 < n && lindex_inner_key(top->root, i + 1) <= first)
			i++;
		for (inside = 0; i + 1 + inside < n && inside < 2; inside++)
			if (lindex_inner_key(top->root, i + 1 + inside) > last)
				break;
		want = inside > 1 ? LINDEX_TOP_MANY : inside ? LINDEX_TOP_BORDER | i : i;
		found = lindex_top_entry(top)[b];
		if (found != want)
			return lindex_refuse(v, "T1: entry of a bucket of the table", 0, first,
					     want, found);
	}
	return 0;
}

/* T1: a table of few. */
static int check_few(struct lindex_verify *v, const struct lindex_top *top)
{
	uint32_t i, n = lindex_node_n(&top->root->head);
	uint64_t want;

	for (i = 0; i < LINDEX_TOP_FEW; i++) {
		want = i < n ? lindex_inner_key(top->root, i) : UINT64_MAX;
		if (lindex_top_few(top)[i] != want)
			return lindex_refuse(v, "T1: separator in the table", 0, i, want,
					     lindex_top_few(top)[i]);
	}
	return 0;
}

/* T2, T4, and what is in it. */
static int check_top(struct lindex_verify *v, const struct lindex *ix)
{
	const struct lindex_top *top = ix->top;
	const struct lindex_inner *root;

	if (!top)
		return 0;
	root = (const struct lindex_inner *)lindex_node_at(ix->space, lindex_root_ref(ix->root));
	if (top->root != root || top->refs != lindex_inner_refs(root) ||
	    lindex_node_base(&top->head) != lindex_node_base(&root->head) ||
	    top->head.level != lindex_root_level(ix->root))
		return lindex_refuse(v, "T2: the table is of the root", 0, 0, 0, 0);
	if (lindex_node_base(&root->head) + top->most < top->most)
		return lindex_refuse(v, "T4: the table ends at the last key", 0, 0, UINT64_MAX,
				     top->most);
	return top->shift == LINDEX_TOP_SHIFT ? check_few(v, top) : check_buckets(v, top);
}

static int check_tree(struct lindex_verify *v, const struct lindex *ix)
{
	int err;

	v->sp = ix->space;
	if (ix->root & LINDEX_ROOT_INLINE)
		return check_inline(v, ix);
	err = lindex_verify_tree(v, lindex_root_ref(ix->root), lindex_root_level(ix->root));
	return err ? err : check_top(v, ix);
}

/* S1, S2, S3: the books of one page. */
static int check_page(struct lindex_verify *v, const struct lindex_space *sp, uint32_t page,
		      uint64_t *used, uint32_t *free_pages)
{
	const struct lindex_page *b = lindex_space_page(sp, page);
	uint32_t hole = 0, run = 0, i;

	for (i = 0; i < LINDEX_PAGE_UNITS; i++) {
		run = b->used >> i & 1 ? 0 : run + 1;
		hole = run > hole ? run : hole;
	}
	if (b->bucket != hole)
		return lindex_refuse(v, "S1: bucket of a page is its largest hole",
				     (uint64_t)page * LINDEX_PAGE_BYTES, 0, hole, b->bucket);
	*used += lindex_popcount64(b->used);
	*free_pages += !b->used;
	return 0;
}

static int check_books(struct lindex_verify *v, const struct lindex_space *sp)
{
	uint32_t page, pages, free_pages = 0;
	uint64_t used = 0;
	int err = 0;

	pages = sp->paged ? sp->npages : sp->chunks << (LINDEX_CHUNK_SHIFT - LINDEX_PAGE_SHIFT);
	for (page = sp->paged; page < pages && !err; page++)
		if (sp->paged ?
			    sp->dir->mem[page] != NULL :
			    sp->dir->mem[page >> (LINDEX_CHUNK_SHIFT - LINDEX_PAGE_SHIFT)] != NULL)
			err = check_page(v, sp, page, &used, &free_pages);
	if (err || sp->paged)
		return err; /* pages that are not resident are not counted */
	if (free_pages != sp->free_count)
		return lindex_refuse(v, "S2: count of free pages", 0, 0, free_pages,
				     sp->free_count);
	if (used != sp->used_units + 1)
		return lindex_refuse(v, "S1: units in use", 0, 0, used, sp->used_units + 1);
	return 0;
}

static uint64_t subtree_units(const struct lindex_space *sp, uint32_t ref)
{
	const struct lindex_node *node = lindex_node_at(sp, ref);
	uint64_t units = node->units;
	uint32_t i;

	if (node->kind != LINDEX_NODE_INNER)
		return units;
	for (i = 0; i < lindex_node_n(node); i++) {
		uint32_t child = lindex_inner_ref((const struct lindex_inner *)node, i);

		if (!(child & LINDEX_TERM))
			units += subtree_units(sp, child);
	}
	return units;
}

/* Every unit of the shared arena is accounted for, once. */
static int check_units(struct lindex_verify *v, const struct lindex_pool *pool)
{
	const struct lindex_space *sp = pool->space;
	uint64_t units = (uint64_t)sp->limbo.retired.units + sp->limbo.waiting.units +
			 sp->limbo.expired.units;
	const struct lindex *ix;
	uint32_t ref;

	for (ix = pool->indexes; ix; ix = ix->pool_next) {
		if (ix->space != sp)
			continue;
		for (ref = ix->drops.head; ref; ref = lindex_from32(lindex_node_at(sp, ref)->next))
			units += subtree_units(sp, ref);
		units += ix->dead.units + (ix->top ? ix->top->head.units : 0);
		if (!(ix->flags & LINDEX_IX_SNAPSHOT) && !(ix->root & LINDEX_ROOT_INLINE))
			units += subtree_units(sp, lindex_root_ref(ix->root));
	}
	if (units != sp->used_units)
		return lindex_refuse(v, "units in use that no index can name", 0, 0, units,
				     sp->used_units);
	return 0;
}

int lindex_check(struct lindex *ix, struct lindex_reason *why)
{
	struct lindex_verify v = { .why = why };
	int err;

	if (ix->space && ix->space->paged) {
		v.paged = ix;
		lindex_paged_room(ix);
	}
	err = check_tree(&v, ix);
	if (!err && !(ix->flags & LINDEX_IX_IMAGE))
		err = check_books(&v, ix->space);
	if (!err && ix->space == ix->pool->space)
		err = check_units(&v, ix->pool);
	return err;
}
