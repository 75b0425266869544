/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The search in an inner node, once. Included before lookup_short_body.h and lookup_long_body.h by lookup.c (scalar),
 * simd_avx2.c (vectors) and explain.c (counted), which define before:
 *
 *   COUNT_LE32(p, n, x)    how many of n little-endian u32 at p are <= x, n 8 or 16; ascending
 *   TOUCH(p, len), COMPARE(n), WINDOW(w), NODE()   instrumentation, or nothing
 *   BODY_WIDE              whether the less likely half of a search is worth its bytes inline
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
#ifndef LINDEX_LOOKUP_INNER_BODY_H
#define LINDEX_LOOKUP_INNER_BODY_H

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

/* What a search in an inner node asks of it. A loop over keys keeps that of the root in registers. */
struct body_model {
	const uint8_t *keys;
	const lindex_le32 *refs;
	uint64_t mul;
	uint32_t below, start_max, window;
	unsigned int post;
};

static LINDEX_ALWAYS_INLINE struct body_model body_model_of(const struct lindex_inner *in)
{
	return (struct body_model){
		.keys = (const uint8_t *)in + LINDEX_UNIT_BYTES,
		.refs = (const lindex_le32 *)((const uint8_t *)in + lindex_from16(in->refs_at)),
		.mul = lindex_from32(in->mul),
		.below = lindex_from16(in->below),
		.start_max = lindex_from16(in->start_max),
		.window = lindex_from16(in->window),
		.post = in->post,
	};
}

/* Where a search begins: the prediction, as far to the left as it can be wrong. */
static LINDEX_ALWAYS_INLINE uint32_t body_start(const struct body_model *m, uint64_t p)
{
	p = p > m->below ? p - m->below : 0;
	return (uint32_t)lindex_min64(p, m->start_max);
}

/* A window of more than one vector, as updates widen it: halved until two are left. */
static BODY_WIDE uint32_t body_wide(BODY_TOUCHED const struct body_model *m, uint32_t start,
				    uint32_t x)
{
	uint32_t window = m->window, half;

	for (; window > 16; window -= half) {
		half = window / 16 * 8;
		TOUCH(m->keys + 4 * (size_t)(start + half), 4);
		COMPARE(1);
		start = lindex_ld32(m->keys + 4 * (size_t)(start + half)) <= x ? start + half :
										 start;
	}
	TOUCH(m->keys + 4 * (size_t)start, 4 * window);
	return start + COUNT_LE32(m->keys + 4 * (size_t)start, window, x) - 1;
}

/* Keys of 4 bytes, whose range needs no pre-shift (N1). Most windows are one vector. */
static LINDEX_ALWAYS_INLINE uint32_t body_entry4(BODY_TOUCHED const struct body_model *m,
						 uint64_t off)
{
	uint32_t x = off < UINT32_MAX ? (uint32_t)off : UINT32_MAX - 1;
	uint32_t start = body_start(m, x * m->mul >> m->post);

	WINDOW(m->window);
	lindex_prefetch(&m->refs[start]);
	if (lindex_unlikely(m->window > 8))
		return body_wide(BODY_TOUCHED_ARG m, start, x);
	TOUCH(m->keys + 4 * (size_t)start, 32);
	return start + COUNT_LE32(m->keys + 4 * (size_t)start, 8, x) - 1;
}

#endif /* LINDEX_LOOKUP_INNER_BODY_H */
