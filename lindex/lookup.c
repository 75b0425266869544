/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_lookup(): predict, search inside the window, return the run. Scalar; simd_avx2.c is its twin.
 * Eight bytes or four half-words are compared at once inside a 64-bit word.
 */
#include "internal.h"

/* Bytes of @w that are <= @x, as bits 7, 15, ... Exact for all bytes: no borrow crosses a lane. */
static LINDEX_ALWAYS_INLINE uint64_t swar_le8(uint64_t w, uint64_t xs)
{
	const uint64_t high = 0x8080808080808080u;
	/* x - w in each lane with bit 7 set aside: bit 7 of t: low 7 bits of w <= low 7 bits of x. */
	uint64_t t = (xs | high) - (w & ~high);

	return ((~w & xs) | (~(w ^ xs) & t)) & high;
}

/* Sum of eight lanes, by multiplication: no branch. */
static LINDEX_ALWAYS_INLINE uint32_t lanes8(uint64_t lanes)
{
	return (uint32_t)((lanes * 0x0101010101010101u) >> 56);
}

/*
 * The word that holds the border, by the first bytes of words, then the border in it. Bytes ascend; those behind the
 * first n are payload.
 */
static LINDEX_ALWAYS_INLINE uint32_t scalar_count_le8(const uint8_t *p, uint32_t n, uint8_t x)
{
	uint32_t at = 0, rest;
	uint64_t m;

	if (n > 8)
		at = (uint32_t)(p[8] <= x) * 8;
	if (n > 16)
		at += (uint32_t)(p[16] <= x) * 8;
	if (lindex_unlikely(n > 24))
		at += (uint32_t)(p[24] <= x) * 8;
	rest = lindex_min32(n - at, 8);
	m = swar_le8(lindex_ld64(p + at), x * 0x0101010101010101u) >> 7;
	return at + lanes8(m & UINT64_MAX >> (64 - 8 * rest));
}

/* Three halvings: fewer instructions than comparing all eight in two words. Pads are above any x. */
static LINDEX_ALWAYS_INLINE uint32_t scalar_count_le16x8(const uint8_t *p, uint16_t x)
{
	uint32_t i = (uint32_t)(lindex_ld16(p + 8) <= x) * 4;

	i += (uint32_t)(lindex_ld16(p + 2 * i + 4) <= x) * 2;
	i += (uint32_t)(lindex_ld16(p + 2 * i + 2) <= x);
	return i + 1;
}

static LINDEX_ALWAYS_INLINE uint32_t scalar_count_le32(const uint8_t *p, uint32_t n, uint32_t x)
{
	uint32_t count = 0, i;

	for (i = 0; i < n;
	     i += 8) { /* eight independent compares: shorter than three dependent ones */
		const uint8_t *q = p + 4 * i;

		count += (uint32_t)(lindex_ld32(q) <= x) + (lindex_ld32(q + 4) <= x) +
			 (lindex_ld32(q + 8) <= x) + (lindex_ld32(q + 12) <= x) +
			 (lindex_ld32(q + 16) <= x) + (lindex_ld32(q + 20) <= x) +
			 (lindex_ld32(q + 24) <= x) + (lindex_ld32(q + 28) <= x);
	}
	return count;
}

#define COUNT_LE8(p, n, x)  scalar_count_le8(p, n, x)
#define COUNT_LE16X8(p, x)  scalar_count_le16x8(p, x)
#define BODY_WIDE           LINDEX_NOINLINE
#define COUNT_LE32(p, n, x) scalar_count_le32(p, n, x)
#define TOUCH(p, len)       ((void)0)
#define COMPARE(n)          ((void)0)
#define WINDOW(w)           ((void)(w))
#define NODE()              ((void)0)
#include "lookup_long_body.h"
#include "lookup_short_body.h"

/**
 * lindex_root_child() - A search in the root, for keys that the table over it does not know, and indexes without one.
 * Returns: the child at @key (the root itself, if it is a leaf), *@off: @key's offset in it; or NULL, @run is the answer.
 */
const struct lindex_node *lindex_root_child(const struct lindex *ix, uint64_t word, uint64_t key,
					    uint64_t *off, struct lindex_run *run)
{
	const struct lindex_term *term = NULL;
	const struct lindex_node *root, *child;
	const struct lindex_inner *in;
	struct body_model m;

	if (lindex_unlikely(word & LINDEX_ROOT_INLINE)) {
		(void)lindex_slot_lookup(&ix->slot[lindex_root_ref(word)], key, run);
		return NULL;
	}
	root = lindex_near_node(ix->space, lindex_root_ref(word));
	if (lindex_unlikely(key < lindex_node_base(root))) {
		(void)body_hole(run, 0, lindex_node_base(root) - 1);
		return NULL;
	}
	*off = key - lindex_node_base(root);
	if (!lindex_root_level(word))
		return root;
	in = (const struct lindex_inner *)root;
	m = body_model_of(in);
	child = body_step(ix->space, in, &m, off, &term);
	if (!child)
		(void)lindex_rest_find(ix, NULL, term, key, run);
	else if (lindex_root_level(word) == 1)
		body_line_ahead(in, child, *off);
	return child;
}

/* Aligned: where the code falls was seen to cost a third of a lookup. */
static LINDEX_LINE_ALIGNED int lookup_scalar(const struct lindex *ix, uint64_t key,
					     struct lindex_run *run)
{
	return body_lookup(ix, key, run);
}

static LINDEX_LINE_ALIGNED int64_t lookup_batch_scalar(const struct lindex *ix,
						       const uint64_t *keys, size_t n,
						       struct lindex_run *runs)
{
	return body_lookup_batch(ix, keys, n, runs);
}

const struct lindex_ops lindex_ops_scalar = { lookup_scalar, lookup_batch_scalar };

#ifndef LINDEX_SIMD
const struct lindex_ops *lindex_ops_best(bool want_simd)
{
	(void)want_simd;
	return &lindex_ops_scalar;
}
#endif

/** lindex_inner_find() - Index of the entry for @key; lowers *@hi to its fence. */
uint32_t lindex_inner_find(const struct lindex_inner *in, uint64_t key, uint64_t *hi)
{
	return body_inner(in, key, hi);
}

/** lindex_inner_entry8() - Index of the entry for offset @off, in a node of 8-byte keys. */
uint32_t lindex_inner_entry8(const struct lindex_inner *in, uint64_t off)
{
	return body_entry8(in, off);
}

/** lindex_leaf_find() - Run or hole around @key in one leaf whose fence ends at @hi. */
int lindex_leaf_find(const struct lindex_node *node, uint64_t key, uint64_t hi,
		     struct lindex_run *run)
{
	return body_leaf(node, key, hi, run);
}

/** lindex_term_find() - The terminal run, or the hole before or behind it. */
int lindex_term_find(const struct lindex_term *t, uint64_t key, uint64_t hi, struct lindex_run *run)
{
	return body_term(t, key, hi, run);
}

/* The long way: fences are carried down, every kind of node and leaf is met. */
static LINDEX_COLD int fenced_find(const struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	uint64_t word = lindex_load_acquire(&ix->root), hi = UINT64_MAX;
	uint32_t level = lindex_root_level(word), ref = lindex_root_ref(word);
	const struct lindex_inner *in;

	if (word & LINDEX_ROOT_INLINE)
		return lindex_slot_lookup(&ix->slot[ref], key, run);
	for (; level; level--) {
		in = (const struct lindex_inner *)lindex_node_at(ix->space, ref);
		ref = body_ref(in, body_inner(in, key, &hi));
		if (ref & LINDEX_TERM)
			return body_term(lindex_inner_term(in, ref), key, hi, run);
	}
	return body_leaf(lindex_node_at(ix->space, ref), key, hi, run);
}

/*
 * A DENSE leaf, as it mostly is: the slot of @key and both its neighbours make no run. False: look the long way.
 */
static LINDEX_ALWAYS_INLINE bool dense_alone(const struct lindex_dense *d, uint64_t key,
					     struct lindex_run *run)
{
	uint64_t off = key - lindex_node_base(&d->head), w, before, code, after, value;
	uint32_t n = lindex_node_n(&d->head), vw = d->vw, bit, i = (uint32_t)off;

	if (lindex_unlikely(!off || off >= n - 1 || vw > 28))
		return false; /* neighbours on either side; two slots and 7 bits in one word */
	bit = (i - 1) * vw;
	w = lindex_ld64((const uint8_t *)d + LINDEX_UNIT_BYTES + (bit >> 3)) >> (bit & 7);
	before = w & lindex_mask(vw);
	code = w >> vw & lindex_mask(vw);
	after = lindex_get_bits((const uint8_t *)d, LINDEX_UNIT_BYTES * 8 + (i + 1) * vw, vw);
	value = body_dense_value(d, i, code - 1);
	if (!code ||
	    (before &&
	     lindex_value_follows(body_dense_value(d, i - 1, before - 1), d->step, value)) ||
	    (after && lindex_value_follows(value, d->step, body_dense_value(d, i + 1, after - 1))))
		return false;
	body_dense_run(d, run, key, key, value);
	return true;
}

/** lindex_rest_find() - Where the short way ends: a leaf, not plain or not covering @key; or a terminal run. */
int lindex_rest_find(const struct lindex *ix, const struct lindex_node *leaf,
		     const struct lindex_term *term, uint64_t key, struct lindex_run *run)
{
	int err;

	if (leaf && leaf->kind == LINDEX_NODE_DENSE &&
	    dense_alone((const struct lindex_dense *)leaf, key, run))
		return 0;
	err = leaf ? body_leaf(leaf, key, LINDEX_NO_FENCE, run) :
		     body_term(term, key, LINDEX_NO_FENCE, run);

	return lindex_unlikely(run->last < run->first) ? fenced_find(ix, key, run) : err;
}

/** lindex_slot_lookup() - The run or hole around @key among at most three. */
int lindex_slot_lookup(const struct lindex_slot *slot, uint64_t key, struct lindex_run *run)
{
	uint64_t first = 0, last = UINT64_MAX;
	uint32_t i;

	for (i = 0; i < slot->n; i++) {
		const struct lindex_run *r = &slot->runs[i];

		if (key >= r->first && key <= r->last) {
			*run = *r;
			return 0;
		}
		if (r->last < key)
			first = r->last + 1;
		else
			last = lindex_min64(last, r->first - 1);
	}
	return body_hole(run, first, last);
}

LINDEX_LINE_ALIGNED int lindex_lookup(const struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	return ix->ops->lookup(ix, key, run);
}

LINDEX_LINE_ALIGNED int64_t lindex_lookup_batch(const struct lindex *ix, const uint64_t *keys,
						size_t n, struct lindex_run *runs)
{
	return ix->ops->lookup_batch(ix, keys, n, runs);
}
