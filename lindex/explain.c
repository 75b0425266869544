/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_explain(): the lookup's instrumented twin. The same body, with counting comparisons: what it
 * reports is what lookup.c does.
 */
#include "internal.h"

/* Lines touched by one lookup at most, kept as a set of addresses; depth and windows bound them. */
#define LINES_SEEN 112u

struct touched {
	uint64_t
		line[LINES_SEEN]; /* unit of the arena, and in the low byte the level of its node */
	uint32_t lines, ops, window, depth;
	/* The node that the walk is at: */
	const struct lindex_node *node;
	uint32_t node_ref, node_level;
};

static LINDEX_NOINLINE void touch(struct touched *t, const void *p, size_t len)
{
	uint64_t at = (uintptr_t)p - (uintptr_t)t->node;
	uint64_t unit = t->node_ref + at / LINDEX_UNIT_BYTES, line;
	uint64_t last = t->node_ref + (at + (len ? len - 1 : 0)) / LINDEX_UNIT_BYTES;
	uint32_t i;

	for (; unit <= last; unit++) {
		line = unit << 8 | t->node_level;
		for (i = 0; i < t->lines && t->line[i] != line; i++)
			;
		if (i == t->lines && t->lines < LINES_SEEN)
			t->line[t->lines++] = line;
	}
}

/* Counts are by keys compared; vectors and words compare several at once for the price of one. */
static LINDEX_NOINLINE uint32_t counted_le32(struct touched *t, const uint8_t *p, uint32_t n,
					     uint32_t x)
{
	uint32_t i;

	for (i = 0; i < n && lindex_ld32(p + 4 * i) <= x; i++)
		;
	t->ops += n;
	return i;
}

#define BODY_TOUCHED        struct touched *touched,
#define BODY_TOUCHED_ARG    touched,
#define BODY_WIDE           LINDEX_NOINLINE
#define COUNT_LE32(p, n, x) counted_le32(touched, p, n, x)
#define TOUCH(p, len)       touch(touched, p, len)
#define COMPARE(n)          (touched->ops += (n))
#define WINDOW(w)           (touched->window = (w) > touched->window ? (w) : touched->window)
#define NODE()              (touched->depth++)
#include "lookup_long_body.h"

static const struct lindex_node *node_of(const struct lindex *ix, uint32_t ref, uint32_t level,
					 int *err)
{
	return ix->space->paged ? lindex_paged_node(ix->space, ref, level, err) :
				  lindex_node_at(ix->space, ref);
}

/*
 * A walk with fences; a page missing is told, not followed. What ends at its fence is looked for twice where
 * the short way goes first (lookup.c, lindex_rest_find()): no lines more, but the same compares again.
 */
static int explain_walk(struct touched *t, const struct lindex *ix, uint64_t key,
			struct lindex_run *run)
{
	uint64_t word = lindex_load_acquire(&ix->root), hi = UINT64_MAX;
	uint32_t level = lindex_root_level(word), ref = lindex_root_ref(word);
	const struct lindex_inner *in = NULL;
	const struct lindex_node *node;
	int err;

	if (word & LINDEX_ROOT_INLINE)
		return lindex_slot_lookup(&ix->slot[ref], key, run);
	for (;; level--) {
		node = node_of(ix, ref, level, &err);
		t->node = node;
		t->node_ref = ref;
		t->node_level = level;
		if (!node || !level)
			break;
		in = (const struct lindex_inner *)node;
		ref = body_ref(t, in, body_inner(t, in, key, &hi));
		if (ref & LINDEX_TERM)
			break;
	}
	if (!node)
		return err;
	err = level ? body_term(t, lindex_inner_term(in, ref), key, LINDEX_NO_FENCE, run) :
		      body_leaf(t, node, key, LINDEX_NO_FENCE, run);
	if (run->last < run->first) {
		run->last = hi;
		t->ops *= ix->space->paged ? 1 : 2;
	}
	return err;
}

static int explain(const struct lindex *ix, uint64_t key, struct lindex_run *run, struct touched *t)
{
	struct lindex_run found;
	int err;

	t->lines = t->ops = t->window = t->depth = 0;
	err = explain_walk(t, ix, key, &found);
	if (err && err != -ENOENT)
		return err;
	if (key < found.first || key > found.last)
		return -EUCLEAN;
	*run = found;
	return err;
}

int lindex_explain(const struct lindex *ix, uint64_t key, struct lindex_run *run,
		   struct lindex_cert *out)
{
	struct touched t;
	int err = explain(ix, key, run, &t);

	if (err && err != -ENOENT)
		return err;
	*out = (struct lindex_cert){
		.lines = t.lines, .ops = t.ops, .window = t.window, .depth = t.depth
	};
	return err;
}

int lindex_trace(const struct lindex *ix, uint64_t key, struct lindex_run *run,
		 struct lindex_touch *touches, size_t max, size_t *n)
{
	struct touched t;
	int err = explain(ix, key, run, &t);
	uint32_t i;

	if (err && err != -ENOENT)
		return err;
	for (i = 0; i < t.lines && i < max; i++)
		touches[i] = (struct lindex_touch){ .offset = (t.line[i] >> 8) * LINDEX_UNIT_BYTES,
						    .level = (uint8_t)t.line[i] };
	*n = i;
	return err;
}
