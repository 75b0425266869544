/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The search in an inner node, once. Included before lookup_short.h and lookup_long.h by lookup.c (scalar),
 * simd_avx2.c (vectors) and explain.c (counted), which define before:
 *
 *   COUNT_LE32(p, n, x)    how many of n little-endian u32 at p are <= x, n 8 or 16; ascending
 *   TOUCH(p, len), COMPARE(n), WINDOW(w), NODE()   instrumentation, or nothing
 *   BODY_TOUCHED, BODY_TOUCHED_ARG   explain.c: a parameter that carries the counts; else nothing
 *
 * Promises (I6 of the design):
 *   A.1  Wait-free: the number of steps is bounded by the root's level and by windows stored in nodes.
 *   A.2  No store but to the caller's run. No lock, no retry.
 *   A.3  Each ref is loaded with acquire before what it names is read; the partner is the release store
 *        in update.c (publish) and build.c.
 *   A.4  A node that is read here was reachable when the root word was loaded, or was published
 *        later; it stays until the reader's critical section ends (retire.c, R1).
 */
#ifndef LINDEX_LOOKUP_INNER_H
#define LINDEX_LOOKUP_INNER_H

#include "internal.h"

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

/* ---- Inner nodes ------------------------------------------------------------------------------- */

/* Where a search begins: the prediction, as far to the left as it can be wrong. */
static LINDEX_ALWAYS_INLINE uint32_t body_start(const struct lindex_inner *in, uint64_t p)
{
	uint32_t below = lindex_from16(in->below);

	p = p > below ? p - below : 0;
	return (uint32_t)lindex_min64(p, lindex_from16(in->start_max));
}

/* Keys of 4 bytes, whose range needs no pre-shift (N1). Most windows are one vector. */
static LINDEX_ALWAYS_INLINE uint32_t body_entry4(BODY_TOUCHED const struct lindex_inner *in,
						 uint64_t off)
{
	const uint8_t *keys = (const uint8_t *)in + LINDEX_UNIT_BYTES;
	uint32_t x = off < UINT32_MAX ? (uint32_t)off : UINT32_MAX - 1;
	uint32_t window = lindex_from16(in->window), start;

	start = body_start(in, (uint64_t)x * lindex_from32(in->mul) >> in->post);
	WINDOW(window);
	if (lindex_unlikely(window > 8)) {
		while (window > 16) { /* a poor fit: halve it first */
			uint32_t half = window / 16 * 8;

			TOUCH(keys + 4 * (size_t)(start + half), 4);
			COMPARE(1);
			start = lindex_ld32(keys + 4 * (size_t)(start + half)) <= x ? start + half :
										      start;
			window -= half;
		}
		TOUCH(keys + 4 * (size_t)start, 4 * window);
		return start + COUNT_LE32(keys + 4 * (size_t)start, window, x) - 1;
	}
	TOUCH(keys + 4 * (size_t)start, 32);
	return start + COUNT_LE32(keys + 4 * (size_t)start, 8, x) - 1;
}

static LINDEX_ALWAYS_INLINE uint32_t body_entry8(BODY_TOUCHED const struct lindex_inner *in,
						 uint64_t off)
{
	const uint8_t *keys = (const uint8_t *)in + LINDEX_UNIT_BYTES;
	uint32_t n = lindex_node_n(&in->head), left = lindex_from16(in->window), i;

	i = body_start(in, lindex_line_at(lindex_from32(in->mul), in->pre, in->post, off));
	WINDOW(left);
	while (left > 1) { /* the last key <= off in the window */
		uint32_t half = left / 2;

		TOUCH(keys + 8 * (size_t)(i + half), 8);
		COMPARE(1);
		i = i + half < n && lindex_ld64(keys + 8 * (size_t)(i + half)) <= off ? i + half :
											i;
		left -= half;
	}
	return i;
}

/* Index of the entry of a key that lies @off behind the node's base. */
static LINDEX_ALWAYS_INLINE uint32_t body_entry(BODY_TOUCHED const struct lindex_inner *in,
						uint64_t off)
{
	NODE();
	TOUCH(in, LINDEX_UNIT_BYTES);
	return lindex_likely(in->kw == 4) ? body_entry4(BODY_TOUCHED_ARG in, off) :
					    body_entry8(BODY_TOUCHED_ARG in, off);
}

/* The same for a key, which is below the base only on the left edge; lowers *@hi to the entry's fence. */
static LINDEX_ALWAYS_INLINE uint32_t body_inner(BODY_TOUCHED const struct lindex_inner *in,
						uint64_t key, uint64_t *hi)
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

#endif /* LINDEX_LOOKUP_INNER_H */
