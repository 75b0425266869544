/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The lookup, once. Included by lookup.c (scalar), simd_avx2.c (vectors) and explain.c (counted), which
 * give it before:
 *
 *   COUNT_LE8(p, n, x)     how many of the bytes p[0..n) are <= x, n <= 32, p has 32 readable bytes
 *   COUNT_LE16X8(p, x)     how many of 8 little-endian u16 at p are <= x
 *   COUNT_LE32(p, n, x)    how many of n little-endian u32 at p are <= x, n a multiple of 8; ascending
 *   TOUCH(p, len), COMPARE(n), WINDOW(w), NODE()   instrumentation, or nothing
 *
 * Promises (I6 of the design):
 *   A.1  Wait-free: the number of steps is bounded by the root's level and by windows stored in nodes.
 *   A.2  No store but to the caller's run. No lock, no retry.
 *   A.3  Each ref is loaded with acquire before what it names is read; the partner is the release store
 *        in update.c (publish) and build.c.
 *   A.4  A node that is read here was reachable when the root word was loaded, or was published
 *        later; it stays until the reader's critical section ends (retire.c, R1).
 */
#ifndef LINDEX_LOOKUP_BODY_H
#define LINDEX_LOOKUP_BODY_H

#include "internal.h"

/* explain.c passes its counters along; for the others there is no such parameter. */
#ifndef BODY_TOUCHED
#define BODY_TOUCHED
#define BODY_TOUCHED_ARG
#endif

static LINDEX_ALWAYS_INLINE int body_hole(struct lindex_run *run, uint64_t first, uint64_t last)
{
	run->first = first;
	run->last = last;
	run->value = 0;
	run->tag = 0;
	run->step = 0;
	run->mapped = 0;
	return -ENOENT;
}

/* Keys of an inner node that are compared at once, without looking where. */
#define BODY_VECTORS 16u

/* ---- Inner nodes ------------------------------------------------------------------------------- */

/*
 * Index of the entry of @in for @key. Lowers *@hi to the entry's fence. *@line: which line of a child
 * leaf the slope expects the key in.
 */
static LINDEX_ALWAYS_INLINE uint32_t body_inner(BODY_TOUCHED const struct lindex_inner *in,
						uint64_t key, uint64_t *hi, uint32_t *line)
{
	const uint8_t *keys = (const uint8_t *)in + LINDEX_UNIT_BYTES;
	uint32_t n = lindex_node_n(&in->head), window = lindex_from16(in->window), start, i;
	uint64_t base = lindex_node_base(&in->head), off, p;

	NODE();
	off = key > base ? key - base : 0; /* below base only on the left edge: entry 0 */
	p = lindex_line_at(lindex_from32(in->mul), in->pre, in->post, off);
	p = p > lindex_from16(in->below) ? p - lindex_from16(in->below) : 0;
	start = (uint32_t)lindex_min64(p, lindex_from16(in->start_max));
	TOUCH(in, LINDEX_UNIT_BYTES);
	WINDOW(window);
	if (lindex_likely(in->kw == 4)) {
		uint32_t x = off >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)off;

		while (lindex_unlikely(window > BODY_VECTORS)) { /* a poor fit: halve it first */
			uint32_t half = window / 16 * 8;

			TOUCH(keys + 4 * (start + half), 4);
			COMPARE(1);
			start = lindex_ld32(keys + 4 * (start + half)) <= x ? start + half : start;
			window -= half;
		}
		TOUCH(keys + 4 * start, 4 * window);
		i = start + COUNT_LE32(keys + 4 * start, window, x) - 1;
		*line = (uint32_t)(((off - lindex_ld32(keys + 4 * i)) * lindex_from32(in->mul) *
				    in->lines) >>
				   in->pre >> in->post);
		*line = lindex_min32(*line, in->lines - 1u);
		if (i + 1 < n)
			*hi = base + lindex_ld32(keys + 4 * (i + 1)) - 1;
	} else {
		uint32_t left = window;

		*line = 0;
		for (i = start; left > 1;) { /* the last key <= off in the window */
			uint32_t half = left / 2;

			TOUCH(keys + 8 * (i + half), 8);
			COMPARE(1);
			i = i + half < n && lindex_ld64(keys + 8 * (i + half)) <= off ? i + half :
											i;
			left -= half;
		}
		if (i + 1 < n)
			*hi = base + lindex_ld64(keys + 8 * (i + 1)) - 1;
	}
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

/* Where in a LINES leaf a key is: what the head line tells. */
struct body_line {
	const uint8_t *line;
	uint64_t start; /* first key of the line */
	uint64_t next; /* first key behind the line: of the next line, or end + 1 (may wrap to 0) */
};

static LINDEX_ALWAYS_INLINE void body_lines_head(BODY_TOUCHED const struct lindex_lines *l,
						 uint64_t key, struct body_line *at)
{
	uint32_t nlines = lindex_from16(l->head.aux) & 0xff, dw = l->dw, i;
	uint64_t base = lindex_node_base(&l->head), off = key - base;
	const uint8_t *dir = l->dir;

	TOUCH(l, LINDEX_UNIT_BYTES);
	if (lindex_likely(dw == 2 && nlines <= 8)) {
		i = COUNT_LE16X8(dir, (uint16_t)(off < 0xffff ? off : 0xfffe)) - 1;
		at->line = (const uint8_t *)l + LINDEX_UNIT_BYTES * (1 + i);
		at->start = base + lindex_ld16(dir + 2 * i);
		at->next = i + 1 < nlines ? base + lindex_ld16(dir + 2 * (i + 1)) :
					    lindex_from64(l->end) + 1;
		return;
	}
	dir = (const uint8_t *)l + LINDEX_UNIT_BYTES;
	TOUCH(dir, nlines * dw);
	for (i = 0; i + 1 < nlines; i++) {
		uint64_t next = dw == 2 ? lindex_ld16(dir + 2 * (i + 1)) :
				dw == 4 ? lindex_ld32(dir + 4 * (i + 1)) :
					  lindex_ld64(dir + 8 * (i + 1));
		COMPARE(1);
		if (next > off)
			break;
	}
	at->line = dir + LINDEX_UNIT_BYTES * (lindex_lines_dir_units(nlines, dw) + i);
	at->start = base + (dw == 2 ? lindex_ld16(dir + 2 * i) :
			    dw == 4 ? lindex_ld32(dir + 4 * i) :
				      lindex_ld64(dir + 8 * i));
	i++;
	at->next = i == nlines ? lindex_from64(l->end) + 1 :
				 base + (dw == 2 ? lindex_ld16(dir + 2 * i) :
					 dw == 4 ? lindex_ld32(dir + 4 * i) :
						   lindex_ld64(dir + 8 * i));
}

/* The entry of @key, base <= key <= end, in the line that the head named. */
static LINDEX_ALWAYS_INLINE int body_lines_entry(BODY_TOUCHED const struct lindex_lines *l,
						 const struct body_line *at, uint64_t key,
						 struct lindex_run *run)
{
	const uint8_t *line = at->line;
	uint32_t cap = l->cap, pw = lindex_lines_pw(l), i, bit, byte;
	uint64_t off = key - at->start, first, w, code, next = at->next;

	TOUCH(line, LINDEX_UNIT_BYTES);
	if (lindex_likely(l->kw == 1)) {
		i = COUNT_LE8(line, cap, (uint8_t)(off < 0xff ? off : 0xfe)) - 1;
		first = line[i];
		if (i + 1 < cap && line[i + 1] != 0xff)
			next = at->start + line[i + 1];
	} else if (l->kw == 2) {
		for (i = 0; i + 1 < cap; i++) {
			uint32_t k = lindex_ld16(line + 2 * (i + 1));

			COMPARE(1);
			if (k > off || k == 0xffff)
				break;
		}
		first = lindex_ld16(line + 2 * i);
		if (i + 1 < cap && lindex_ld16(line + 2 * (i + 1)) != 0xffff)
			next = at->start + lindex_ld16(line + 2 * (i + 1));
	} else {
		for (i = 0; i + 1 < cap; i++) {
			uint32_t k = lindex_ld32(line + 4 * (i + 1));

			COMPARE(1);
			if (k > off || k == UINT32_MAX)
				break;
		}
		first = lindex_ld32(line + 4 * i);
		if (i + 1 < cap && lindex_ld32(line + 4 * (i + 1)) != UINT32_MAX)
			next = at->start + lindex_ld32(line + 4 * (i + 1));
	}
	bit = cap * l->kw * 8 + i * pw;
	byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);
	w = lindex_ld64(line + byte) >> (bit - 8 * byte);
	code = w & (UINT64_MAX >> (64 - l->vw)); /* vw >= 1: code 0 is always kept free */
	first += at->start;
	if (lindex_unlikely(!code))
		return body_hole(run, first, next - 1);
	run->first = first;
	run->last = next - 1;
	run->value = lindex_from64(l->vbase) + code - 1;
	w >>= l->vw;
	run->tag = (uint16_t)(lindex_from16(l->tagbase) + (w & ((1u << l->tw) - 1)));
	run->step = (uint8_t)(l->sw ? (w >> l->tw) & 1 : (lindex_from16(l->head.aux) >> 8) & 1);
	run->mapped = 1;
	return 0;
}

static LINDEX_ALWAYS_INLINE bool body_lines_covers(const struct lindex_lines *l, uint64_t key)
{
	return key >= lindex_node_base(&l->head) && key <= lindex_from64(l->end);
}

/* The hole around a key that the leaf does not cover: before its first run, or behind its last. */
static LINDEX_ALWAYS_INLINE int body_lines_hole(const struct lindex_lines *l, uint64_t key,
						uint64_t hi, struct lindex_run *run)
{
	uint64_t base = lindex_node_base(&l->head);

	return key < base ? body_hole(run, 0, base - 1) :
			    body_hole(run, lindex_from64(l->end) + 1, hi);
}

static LINDEX_ALWAYS_INLINE int body_lines(BODY_TOUCHED const struct lindex_lines *l, uint64_t key,
					   uint64_t hi, struct lindex_run *run)
{
	struct body_line at;

	if (lindex_unlikely(!body_lines_covers(l, key)))
		return body_lines_hole(l, key, hi, run);
	body_lines_head(BODY_TOUCHED_ARG l, key, &at);
	return body_lines_entry(BODY_TOUCHED_ARG l, &at, key, run);
}

#ifndef BODY_OTHER_LEAF
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

#endif /* BODY_OTHER_LEAF */

/* ---- A leaf, a tree ------------------------------------------------------------------------------ */

/* The kinds that are not LINES. simd_avx2.c uses the scalar ones: nothing in them is a vector. */
#ifndef BODY_OTHER_LEAF
#define BODY_OTHER_LEAF body_other_leaf
static LINDEX_NOINLINE int body_other_leaf(BODY_TOUCHED const struct lindex_node *node,
					   uint64_t key, uint64_t hi, struct lindex_run *run)
{
	switch (node->kind) {
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
#endif

static LINDEX_ALWAYS_INLINE int body_leaf(BODY_TOUCHED const struct lindex_node *node, uint64_t key,
					  uint64_t hi, struct lindex_run *run)
{
	NODE();
	if (lindex_likely(node->kind == LINDEX_NODE_LINES))
		return body_lines(BODY_TOUCHED_ARG(const struct lindex_lines *) node, key, hi, run);
	return BODY_OTHER_LEAF(BODY_TOUCHED_ARG node, key, hi, run);
}

static LINDEX_ALWAYS_INLINE int body_lookup(BODY_TOUCHED const struct lindex *ix, uint64_t key,
					    struct lindex_run *run)
{
	uint64_t word = lindex_load_acquire(&ix->root), hi = UINT64_MAX;
	const struct lindex_space *sp = ix->space;
	const struct lindex_node *node;
	uint32_t level, ref, line;

	if (lindex_unlikely(word & LINDEX_ROOT_INLINE))
		return lindex_slot_lookup(&ix->slot[lindex_root_ref(word)], key, run);
	node = lindex_node_at(sp, lindex_root_ref(word));
	for (level = lindex_root_level(word); level; level--) {
		ref = body_inner(BODY_TOUCHED_ARG(const struct lindex_inner *) node, key, &hi,
				 &line);
		ref = body_ref(BODY_TOUCHED_ARG(const struct lindex_inner *) node, ref);
		if (lindex_unlikely(ref & LINDEX_TERM))
			return body_term(BODY_TOUCHED_ARG lindex_inner_term(
						 (const struct lindex_inner *)node, ref),
					 key, hi, run);
		node = lindex_node_at(sp, ref);
		if (level == 1)
			lindex_prefetch((const uint8_t *)node +
					LINDEX_UNIT_BYTES * (1 + (size_t)line));
	}
	return body_leaf(BODY_TOUCHED_ARG node, key, hi, run);
}

#ifndef BODY_NO_BATCH
/*
 * Batch: groups of keys go down together, level by level, so that their cache misses overlap. The
 * parts of a group are plain arrays; a key that ends early (terminal run) has node NULL.
 */
#define BODY_GROUP       LINDEX_PORT_GROUP
#define BODY_GROUP_SMALL 16u

/*
 * How many keys go together: few where most of the index is in the second-level cache, many where every
 * leaf is a miss (docs/decisions/001). A root of level 2 with this many nodes below has 6 MB of inner nodes.
 */
static inline uint32_t body_group_size(const struct lindex *ix, uint64_t word)
{
	const struct lindex_node *root = lindex_node_at(ix->space, lindex_root_ref(word));

	return lindex_root_level(word) > 2 ||
			       (lindex_root_level(word) == 2 && lindex_node_n(root) > 128) ?
		       BODY_GROUP :
		       BODY_GROUP_SMALL;
}

static LINDEX_ALWAYS_INLINE uint32_t body_group(const struct lindex *ix, uint64_t word,
						const uint64_t *keys, uint32_t n,
						struct lindex_run *runs)
{
	const struct lindex_space *sp = ix->space;
	const struct lindex_node *node[BODY_GROUP];
	struct body_line at[BODY_GROUP];
	uint64_t hi[BODY_GROUP];
	uint32_t level, i, ref, line, mapped = 0;

	for (i = 0; i < n; i++) {
		node[i] = lindex_node_at(sp, lindex_root_ref(word));
		hi[i] = UINT64_MAX;
	}
	for (level = lindex_root_level(word); level; level--) {
		for (i = 0; i < n; i++) {
			const struct lindex_inner *in = (const struct lindex_inner *)node[i];

			if (lindex_unlikely(!in))
				continue;
			ref = body_ref(BODY_TOUCHED_ARG in,
				       body_inner(BODY_TOUCHED_ARG in, keys[i], &hi[i], &line));
			if (lindex_unlikely(ref & LINDEX_TERM)) {
				body_term(BODY_TOUCHED_ARG lindex_inner_term(in, ref), keys[i],
					  hi[i], &runs[i]);
				node[i] = NULL;
				continue;
			}
			node[i] = lindex_node_at(sp, ref);
			lindex_prefetch(node[i]);
		}
	}
	for (i = 0; i < n; i++) {
		const struct lindex_lines *l = (const struct lindex_lines *)node[i];

		at[i].line = NULL;
		if (lindex_unlikely(!l || l->head.kind != LINDEX_NODE_LINES))
			continue;
		if (lindex_unlikely(!body_lines_covers(l, keys[i]))) {
			body_lines_hole(l, keys[i], hi[i], &runs[i]);
			node[i] = NULL;
			continue;
		}
		body_lines_head(l, keys[i], &at[i]);
		lindex_prefetch(at[i].line);
	}
	for (i = 0; i < n; i++) {
		if (lindex_likely(at[i].line != NULL))
			body_lines_entry((const struct lindex_lines *)node[i], &at[i], keys[i],
					 &runs[i]);
		else if (node[i])
			BODY_OTHER_LEAF(node[i], keys[i], hi[i], &runs[i]);
		mapped += runs[i].mapped;
	}
	return mapped;
}

static LINDEX_ALWAYS_INLINE int64_t body_lookup_batch(const struct lindex *ix, const uint64_t *keys,
						      size_t n, struct lindex_run *runs)
{
	int64_t mapped = 0;
	uint32_t take;
	size_t i;

	for (i = 0; i < n; i += take) {
		uint64_t word = lindex_load_acquire(&ix->root);

		if (lindex_unlikely(word & LINDEX_ROOT_INLINE)) {
			take = 1;
			mapped += lindex_slot_lookup(&ix->slot[lindex_root_ref(word)], keys[i],
						     &runs[i]) == 0;
			continue;
		}
		take = body_group_size(ix, word);
		take = n - i < take ? (uint32_t)(n - i) : take;
		mapped += body_group(ix, word, keys + i, take, runs + i);
	}
	return mapped;
}
#endif /* BODY_NO_BATCH */

#endif /* LINDEX_LOOKUP_BODY_H */
