/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The long way through a lookup: fences carried down, every kind of leaf. lookup.c has it for what the short
 * way leaves over; explain.c has it with counters.
 */
#ifndef LINDEX_LOOKUP_LONG_BODY_H
#define LINDEX_LOOKUP_LONG_BODY_H

#include "lookup_inner_body.h"

/* ---- Inner nodes, terminal runs ------------------------------------------------------------------- */

/* Keys of 8 bytes: the last key <= off in the window. */
static LINDEX_NOINLINE uint32_t body_entry8(BODY_TOUCHED const struct lindex_inner *in,
					    uint64_t off)
{
	struct body_model m = body_model_of(in);
	uint32_t n = lindex_node_n(&in->head), left = m.window, i;

	i = body_start(&m, lindex_line_at((uint32_t)m.mul, in->pre, in->post, off));
	WINDOW(left);
	while (left > 1) { /* the last key <= off in the window */
		uint32_t half = left / 2;

		TOUCH(m.keys + 8 * (size_t)(i + half), 8);
		COMPARE(1);
		i = i + half < n && lindex_ld64(m.keys + 8 * (size_t)(i + half)) <= off ? i + half :
											  i;
		left -= half;
	}
	return i;
}

/* Index of the entry of a key that lies @off behind the node's base. */
static LINDEX_ALWAYS_INLINE uint32_t body_entry(BODY_TOUCHED const struct lindex_inner *in,
						uint64_t off)
{
	struct body_model m = body_model_of(in);

	NODE();
	TOUCH(in, LINDEX_UNIT_BYTES);
	return lindex_likely(in->kw == 4) ? body_entry4(BODY_TOUCHED_ARG & m, off) :
					    body_entry8(BODY_TOUCHED_ARG in, off);
}

/* The same for a key, which is below the base only on the left edge; lowers *@hi to the entry's fence. */
static LINDEX_NOINLINE uint32_t body_inner(BODY_TOUCHED const struct lindex_inner *in, uint64_t key,
					   uint64_t *hi)
{
	uint64_t base = lindex_node_base(&in->head);
	uint32_t i = body_entry(BODY_TOUCHED_ARG in, key > base ? key - base : 0);

	if (i + 1 < lindex_node_n(&in->head))
		*hi = base + lindex_inner_key(in, i + 1) - 1;
	return i;
}

static LINDEX_ALWAYS_INLINE uint32_t body_ref(BODY_TOUCHED const struct lindex_inner *in,
					      uint32_t i)
{
	const lindex_le32 *refs = (const lindex_le32 *)((const uint8_t *)in +
							lindex_from16(in->refs_at));

	TOUCH(&refs[i], 4);
	return lindex_from32(lindex_load_acquire(&refs[i]));
}

static LINDEX_ALWAYS_INLINE int body_term(BODY_TOUCHED const struct lindex_term *t, uint64_t key,
					  uint64_t hi, struct lindex_run *run)
{
	uint64_t first = lindex_from64(t->first), last = lindex_from64(t->last);

	TOUCH(t, sizeof(*t));
	if (key < first)
		return body_hole(run, 0, first - 1);
	if (key > last)
		return body_hole(run, last + 1, hi);
	run->first = first;
	run->last = last;
	run->value = lindex_from64(t->value);
	run->tag = lindex_from16(t->tag);
	run->step = t->step;
	run->mapped = 1;
	return 0;
}

/* ---- LINES -------------------------------------------------------------------------------------- */

static uint64_t body_get(const uint8_t *p, uint32_t width)
{
	return width == 1 ? *p :
	       width == 2 ? lindex_ld16(p) :
	       width == 4 ? lindex_ld32(p) :
			    lindex_ld64(p);
}

/* How many of the ascending fields p[0..n) of @width bytes are <= x, at least 1. */
static inline uint32_t body_count(BODY_TOUCHED const uint8_t *p, uint32_t n, uint32_t width,
				  uint64_t x)
{
	uint32_t i = 0, half;

	for (; n > 1; n -= half) {
		half = n / 2;
		COMPARE(1);
		i = body_get(p + (size_t)width * (i + half), width) <= x ? i + half : i;
	}
	return i + 1;
}

/* Any LINES leaf: any widths, tags, steps. */
static int body_lines(BODY_TOUCHED const struct lindex_lines *l, uint64_t key, uint64_t hi,
		      struct lindex_run *run)
{
	uint32_t nlines = lindex_from16(l->head.aux) & 0xff, dw = l->dw, kw = l->kw, i, j, bit;
	uint32_t dir_units = lindex_lines_dir_units(nlines, dw), cap = l->cap, byte;
	const uint8_t *dir = dir_units ? (const uint8_t *)l + LINDEX_UNIT_BYTES : l->dir, *line;
	uint64_t base = lindex_node_base(&l->head), end = lindex_from64(l->end), start, last, w;
	uint64_t pad = lindex_mask(8 * kw);

	TOUCH(l, LINDEX_UNIT_BYTES);
	if (key < base)
		return body_hole(run, 0, base - 1);
	if (key > end)
		return body_hole(run, end + 1, hi);
	TOUCH(dir, nlines * dw);
	i = body_count(BODY_TOUCHED_ARG dir, nlines, dw, key - base);
	last = i < nlines ? base + body_get(dir + (size_t)dw * i, dw) - 1 : end;
	start = base + body_get(dir + (size_t)dw * (i - 1), dw);
	line = (const uint8_t *)l + LINDEX_UNIT_BYTES * (size_t)(dir_units + i);
	TOUCH(line, LINDEX_UNIT_BYTES);
	j = body_count(BODY_TOUCHED_ARG line, cap, kw, lindex_min64(key - start, pad - 1));
	if (j < cap && body_get(line + (size_t)kw * j, kw) != pad)
		last = start + body_get(line + (size_t)kw * j, kw) - 1;
	start += body_get(line + (size_t)kw * (j - 1), kw);
	bit = cap * kw * 8 + (j - 1) * lindex_lines_pw(l);
	byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);
	w = lindex_ld64(line + byte) >> (bit - 8 * byte);
	if (!(w & lindex_mask(l->vw)))
		return body_hole(run, start, last);
	run->first = start;
	run->last = last;
	run->value = lindex_from64(l->vbase) + (w & lindex_mask(l->vw)) - 1;
	w >>= l->vw;
	run->tag = (uint16_t)(lindex_from16(l->tagbase) + (w & lindex_mask(l->tw)));
	run->step = (uint8_t)(l->sw ? (w >> l->tw) & 1 : (lindex_from16(l->head.aux) >> 8) & 1);
	run->mapped = 1;
	return 0;
}

/* ---- SPARSE ------------------------------------------------------------------------------------- */

static inline int body_sparse(BODY_TOUCHED const struct lindex_sparse *s, uint64_t key, uint64_t hi,
			      struct lindex_run *run)
{
	const uint8_t *bytes = (const uint8_t *)s;
	uint32_t rb = (uint32_t)s->kw + s->lw + s->vw + s->tw + s->sw, n = lindex_node_n(&s->head);
	uint32_t below = lindex_from16(s->below), left = lindex_from16(s->window), i, bit;
	uint64_t base = lindex_node_base(&s->head), off = key - base, p, last;

	TOUCH(s, LINDEX_UNIT_BYTES);
	if (key < base)
		return body_hole(run, 0, base - 1);
	p = lindex_line_at(lindex_from32(s->mul), s->pre, s->post, off);
	p = p > below ? p - below : 0;
	WINDOW(left);
	for (i = (uint32_t)lindex_min64(p, n - left); left > 1;) {
		uint32_t half = left / 2;

		bit = LINDEX_SPARSE_RECORDS * 8 + (i + half) * rb;
		TOUCH(bytes + (bit >> 3), 8);
		COMPARE(1);
		i = lindex_get_bits(bytes, bit, s->kw) <= off ? i + half : i;
		left -= half;
	}
	bit = LINDEX_SPARSE_RECORDS * 8 + i * rb;
	TOUCH(bytes + (bit >> 3), (rb + 7) / 8);
	run->first = base + lindex_get_bits(bytes, bit, s->kw);
	bit += s->kw;
	last = run->first + lindex_get_bits(bytes, bit, s->lw);
	bit += s->lw;
	if (key > last) {
		if (i + 1 < n)
			hi = base + lindex_get_bits(bytes, bit - s->lw - s->kw + rb, s->kw) - 1;
		return body_hole(run, last + 1, hi);
	}
	run->last = last;
	run->value = lindex_from64(s->vbase) + lindex_get_bits(bytes, bit, s->vw);
	bit += s->vw;
	run->tag = (uint16_t)(lindex_from16(s->tagbase) + lindex_get_bits(bytes, bit, s->tw));
	bit += s->tw;
	run->step = s->sw ? (uint8_t)lindex_get_bits(bytes, bit, 1) : s->step;
	run->mapped = 1;
	return 0;
}

/* ---- DENSE, PRESENCE ---------------------------------------------------------------------------- */

static LINDEX_ALWAYS_INLINE uint64_t body_dense_code(BODY_TOUCHED const struct lindex_dense *d,
						     uint32_t slot)
{
	uint32_t bit = LINDEX_UNIT_BYTES * 8 + slot * d->vw;

	TOUCH((const uint8_t *)d + (bit >> 3), 8);
	return lindex_get_bits((const uint8_t *)d, bit, d->vw);
}

static LINDEX_ALWAYS_INLINE uint64_t body_dense_value(const struct lindex_dense *d, uint32_t i,
						      uint64_t residual)
{
	uint64_t line = lindex_value_line_at(lindex_from32(d->mul), d->post, i);

	return lindex_from64(d->vbase) + residual + (d->neg ? 0 - line : line);
}

static LINDEX_ALWAYS_INLINE void body_dense_run(const struct lindex_dense *d,
						struct lindex_run *run, uint64_t first,
						uint64_t last, uint64_t value)
{
	run->first = first;
	run->last = last;
	run->value = value;
	run->tag = lindex_from16(d->tagbase);
	run->step = d->step;
	run->mapped = 1;
}

/* Holes and runs in a DENSE leaf are short (node.h): both ends are found by walking. */
static inline int body_dense(BODY_TOUCHED const struct lindex_dense *d, uint64_t key, uint64_t hi,
			     struct lindex_run *run)
{
	uint64_t base = lindex_node_base(&d->head), off = key - base, code, value, v;
	uint32_t n = lindex_node_n(&d->head), lo_slot, hi_slot;

	TOUCH(d, LINDEX_UNIT_BYTES);
	if (key < base)
		return body_hole(run, 0, base - 1);
	if (off >= n)
		return body_hole(run, base + n, hi);
	lo_slot = hi_slot = (uint32_t)off;
	code = body_dense_code(BODY_TOUCHED_ARG d, lo_slot);
	if (!code) {
		while (lo_slot && !body_dense_code(BODY_TOUCHED_ARG d, lo_slot - 1))
			lo_slot--;
		while (hi_slot + 1 < n && !body_dense_code(BODY_TOUCHED_ARG d, hi_slot + 1))
			hi_slot++;
		return body_hole(run, base + lo_slot, base + hi_slot);
	}
	value = v = body_dense_value(d, lo_slot, code - 1);
	while (lo_slot && (code = body_dense_code(BODY_TOUCHED_ARG d, lo_slot - 1)) != 0 &&
	       lindex_value_follows(body_dense_value(d, lo_slot - 1, code - 1), d->step, value)) {
		lo_slot--;
		value -= d->step;
	}
	while (hi_slot + 1 < n && (code = body_dense_code(BODY_TOUCHED_ARG d, hi_slot + 1)) != 0 &&
	       lindex_value_follows(v, d->step, body_dense_value(d, hi_slot + 1, code - 1))) {
		hi_slot++;
		v += d->step;
	}
	body_dense_run(d, run, base + lo_slot, base + hi_slot, value);
	return 0;
}

static LINDEX_ALWAYS_INLINE uint64_t body_presence_word(BODY_TOUCHED const struct lindex_dense *d,
							uint32_t i)
{
	TOUCH((const uint8_t *)d + LINDEX_UNIT_BYTES + 8 * i, 8);
	return lindex_ld64((const uint8_t *)d + LINDEX_UNIT_BYTES + 8 * i);
}

/* The last slot present at or below @slot: slot 0 always is. */
static inline uint32_t presence_at_or_below(BODY_TOUCHED const struct lindex_dense *d,
					    uint32_t slot)
{
	uint32_t i = slot / 64;
	uint64_t w = body_presence_word(BODY_TOUCHED_ARG d, i) & lindex_mask(slot % 64 + 1);

	while (!w && i)
		w = body_presence_word(BODY_TOUCHED_ARG d, --i);
	return w ? i * 64 + 63 - lindex_clz64(w) : 0;
}

/* The first slot present above @slot, which is not the last. */
static inline uint32_t presence_above(BODY_TOUCHED const struct lindex_dense *d, uint32_t slot,
				      uint32_t n)
{
	uint32_t i = (slot + 1) / 64;
	uint64_t w = body_presence_word(BODY_TOUCHED_ARG d, i) & ~lindex_mask((slot + 1) % 64);

	while (!w && (i + 1) * 64 < n)
		w = body_presence_word(BODY_TOUCHED_ARG d, ++i);
	return w ? i * 64 + lindex_ctz64(w) : n;
}

static inline uint32_t presence_rank(BODY_TOUCHED const struct lindex_dense *d, uint32_t slot,
				     uint32_t n)
{
	const uint8_t *ranks = (const uint8_t *)d + lindex_presence_ranks_at(n);
	uint32_t i = slot / 256 * 4, rank = lindex_ld16(ranks + slot / 256 * 2);

	TOUCH(ranks, 16);
	for (; i < slot / 64; i++)
		rank += lindex_popcount64(body_presence_word(BODY_TOUCHED_ARG d, i));
	return rank + lindex_popcount64(body_presence_word(BODY_TOUCHED_ARG d, i) &
					lindex_mask(slot % 64));
}

/* Value of the key at offset @off, which is the rank-th present. */
static LINDEX_ALWAYS_INLINE uint64_t presence_value(BODY_TOUCHED const struct lindex_dense *d,
						    uint32_t n, uint32_t rank, uint32_t off)
{
	uint32_t bit = lindex_presence_codes_at(n) * 8 + rank * d->vw;

	TOUCH((const uint8_t *)d + (bit >> 3), 8);
	return body_dense_value(d, off, lindex_get_bits((const uint8_t *)d, bit, d->vw));
}

static inline int body_presence(BODY_TOUCHED const struct lindex_dense *d, uint64_t key,
				uint64_t hi, struct lindex_run *run)
{
	uint64_t base = lindex_node_base(&d->head), off = key - base, value, v, end;
	uint32_t n = lindex_node_n(&d->head), stride = lindex_from32(d->stride), slot, lo, up, rank,
		 r;

	TOUCH(d, LINDEX_UNIT_BYTES);
	if (key < base)
		return body_hole(run, 0, base - 1);
	end = (uint64_t)(n - 1) * stride;
	if (off > end)
		return body_hole(run, base + end + 1, hi);
	slot = stride == 1 ? (uint32_t)off : (uint32_t)off / stride; /* off <= end < 2^31 */
	lo = presence_at_or_below(BODY_TOUCHED_ARG d, slot);
	if (lo != slot || (stride > 1 && (uint64_t)slot * stride != off))
		return body_hole(
			run, base + (uint64_t)lo * stride + 1,
			base + (uint64_t)presence_above(BODY_TOUCHED_ARG d, slot, n) * stride - 1);
	rank = r = presence_rank(BODY_TOUCHED_ARG d, slot, n);
	value = v = presence_value(BODY_TOUCHED_ARG d, n, rank, (uint32_t)off);
	up = slot;
	if (stride == 1) { /* runs are longer than one key in no other case */
		while (lo && presence_at_or_below(BODY_TOUCHED_ARG d, lo - 1) == lo - 1 &&
		       lindex_value_follows(presence_value(BODY_TOUCHED_ARG d, n, r - 1, lo - 1),
					    d->step, value)) {
			lo--;
			r--;
			value -= d->step;
		}
		while (up + 1 < n && presence_at_or_below(BODY_TOUCHED_ARG d, up + 1) == up + 1 &&
		       lindex_value_follows(
			       v, d->step,
			       presence_value(BODY_TOUCHED_ARG d, n, rank + 1, up + 1))) {
			up++;
			rank++;
			v += d->step;
		}
	}
	body_dense_run(d, run, base + (uint64_t)lo * stride, base + (uint64_t)up * stride, value);
	return 0;
}

/* Any leaf, from its bytes alone but for the fence. */
static LINDEX_NOINLINE int body_leaf(BODY_TOUCHED const struct lindex_node *node, uint64_t key,
				     uint64_t hi, struct lindex_run *run)
{
	NODE();
	switch (node->kind) {
	case LINDEX_NODE_LINES:
		return body_lines(BODY_TOUCHED_ARG(const struct lindex_lines *) node, key, hi, run);
	case LINDEX_NODE_DENSE:
		return body_dense(BODY_TOUCHED_ARG(const struct lindex_dense *) node, key, hi, run);
	case LINDEX_NODE_PRESENCE:
		return body_presence(BODY_TOUCHED_ARG(const struct lindex_dense *) node, key, hi,
				     run);
	default:
		return body_sparse(BODY_TOUCHED_ARG(const struct lindex_sparse *) node, key, hi,
				   run);
	}
}

#endif /* LINDEX_LOOKUP_LONG_BODY_H */
