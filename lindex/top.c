/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table over the root: which entry of the root node a key belongs to, without a search in it. One load where the
 * search takes a model, eight compares and some 14 ns of waiting (docs/decisions/006-table-over-the-root.md).
 *
 *       base      keys, in 2^shift at a time                                           base + most
 *        |    .    .    .    .    .    .    .    .    .    .    .    .    .    .    .    .   |
 *   root |......a.........|........b...............................|...c......|.....d.........   separators: |
 *  entry [ a | a | a | - | b | b | b | b | b | b | b | - | c | c | - | d | d | d | d | d ]   -: LINDEX_TOP_BORDER
 *
 *   T1  A bucket names the entry of its first key; whether a separator lies behind it, inside; or that there are more.
 *       A root of at most LINDEX_TOP_FEW entries has its separators there instead, all 8 bytes wide: address spaces, whose
 *       root has an entry for each of a few regions far apart.
 *   T2  A table names one root node, and is reachable only while that is the root (lindex_publish_root()).
 *   T3  A table is a help: an index without one, or a key outside or in a bucket of many, is looked up from the root.
 *   T4  base + most does not wrap: a key below base is outside, too.
 *   T5  It takes memory that nobody has been promised, and makes an index grow only when it is built in bulk.
 *
 * The idea is the radix table of RadixSpline (Kipf et al., aiDM 2020), over the nodes' separators instead of a spline's knots.
 */
#include "internal.h"

#define PER_ENTRY   32u /* buckets: one in 16 to 32 has a border if the entries lie evenly */
#define BUCKETS_MAX ((LINDEX_INNER_UNITS - 1) * LINDEX_UNIT_BYTES / 2)

/* What a table over @root will be, but for its contents. Returns how many units it takes; 0: there is none for it. */
static uint32_t top_plan(const struct lindex_inner *root, struct lindex_top *top)
{
	uint32_t n = lindex_node_n(&root->head), buckets = lindex_min32(PER_ENTRY * n, BUCKETS_MAX);
	uint64_t last = lindex_inner_key(root, n - 1);

	top->head.kind = LINDEX_NODE_TOP;
	top->head.level = root->head.level;
	top->head.base = root->head.base;
	top->root = root;
	top->refs = lindex_inner_refs(root);
	top->shift = LINDEX_TOP_SHIFT;
	top->most = UINT64_MAX - 1; /* the last key is as great as the pads */
	if (n > LINDEX_TOP_FEW) {
		if (root->kw != 4)
			return 0;
		last += last / (n - 1); /* the last entry has as many keys as the others, say */
		for (top->shift = 0; last >> top->shift >= buckets; top->shift++)
			;
		buckets = (uint32_t)(last >> top->shift) + 1;
		top->most = ((uint64_t)buckets << top->shift) - 1;
	} else {
		buckets = LINDEX_UNIT_BYTES / 2;
	}
	top->most = lindex_min64(top->most, UINT64_MAX - lindex_node_base(&root->head));
	return 1 + (2 * buckets + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
}

/* T1. Returns how many entries have a bucket of their own. */
static uint32_t fill_buckets(const struct lindex_inner *root, struct lindex_top *top)
{
	uint32_t n = lindex_node_n(&root->head), i, b = 0, end, own = 0;
	uint64_t all = (top->most >> top->shift) + 1, next;
	uint16_t *entry = lindex_top_entry(top);

	for (i = 0; i < n; i++) {
		next = i + 1 < n ? lindex_inner_key(root, i + 1) : all << top->shift;
		end = (uint32_t)lindex_min64(next >> top->shift, all);
		own += b < end;
		while (b < end)
			entry[b++] = (uint16_t)i;
		if (b == end && b < all && next != (uint64_t)end << top->shift)
			entry[b++] = (uint16_t)(LINDEX_TOP_BORDER | i);
		else if (b == end + 1 && i + 1 < n) /* another one in the bucket before */
			entry[b - 1] = LINDEX_TOP_MANY;
	}
	return own;
}

/* T1, of few. */
static uint32_t fill_few(const struct lindex_inner *root, struct lindex_top *top)
{
	uint32_t n = lindex_node_n(&root->head), i;

	for (i = 0; i < LINDEX_TOP_FEW; i++)
		lindex_top_few(top)[i] = i < n ? lindex_inner_key(root, i) : UINT64_MAX;
	return n;
}

/** lindex_top_drop() - Readers who come go by the root. */
void lindex_top_drop(struct lindex *ix)
{
	uint32_t ref = ix->top_ref;

	if (!ref)
		return;
	lindex_store_release(&ix->top, NULL);
	ix->top_ref = 0;
	lindex_limbo_push(ix->space, &ix->space->limbo.retired, ref);
}

/** lindex_top_make() - A table over the root of @ix, which has none; @grow: the arena may grow for it. Cannot fail (T3). */
void lindex_top_make(struct lindex *ix, bool grow)
{
	struct lindex_top plan = { .most = 0 }, *top;
	struct lindex_space *sp = ix->space;
	const struct lindex_inner *root;
	uint32_t units, ref, served;

	if (sp->paged || !lindex_root_level(ix->root) || ix->root & LINDEX_ROOT_INLINE)
		return;
	root = (const struct lindex_inner *)lindex_node_at(sp, lindex_root_ref(ix->root));
	units = top_plan(root, &plan);
	ref = units ? lindex_space_spare(sp, units, grow) : 0;
	if (!ref)
		return;
	top = (struct lindex_top *)lindex_node_at(sp, ref);
	*top = plan;
	top->head.units = (uint8_t)units;
	served = top->shift == LINDEX_TOP_SHIFT ? fill_few(root, top) : fill_buckets(root, top);
	if (2 * served < lindex_node_n(&root->head)) {
		lindex_node_free(sp, ref);
		return;
	}
	ix->top_ref = ref;
	ix->cost.nodes_written++;
	ix->cost.bytes_written += units * LINDEX_UNIT_BYTES;
	lindex_store_release(&ix->top, top);
}
