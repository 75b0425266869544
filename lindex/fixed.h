/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Fixed-point lines: the fit, and what a line says. (The lookup's short way has the multiplication once more,
 * for keys that need neither pre-shift nor cap: body_entry4(), where N1 makes the two the same.)
 *
 * A *position line* predicts where in a sorted array a key belongs:
 *
 *     p(x) = (min(x >> pre, 2^32 - 1) * mul) >> post          x: key - first key of the array
 *
 * with 32-bit mul, so that the product is 32 x 32 -> 64 and never overflows. p is monotone in x, so
 * that its error is largest at the ends of the range of keys that belong to one entry; whoever
 * stores a line measures it there, with this function, and stores the window that it found.
 *
 * A *value line* predicts a value from a small index: v(i) = (i * mul) >> post, i < 2^31.
 */
#ifndef LINDEX_FIXED_H
#define LINDEX_FIXED_H

#include "bits.h"

struct lindex_line {
	uint32_t mul;
	uint8_t pre, post;
};

static LINDEX_ALWAYS_INLINE uint64_t lindex_line_at(uint32_t mul, unsigned int pre,
						    unsigned int post, uint64_t x)
{
	uint64_t xn = x >> pre;

	xn = xn > UINT32_MAX ? UINT32_MAX : xn;
	return (xn * mul) >> post;
}

/* The line through (0, 0) and (span, top). top < 2^16. Flat if span or top is 0. */
static inline struct lindex_line lindex_line_fit(uint64_t span, uint32_t top)
{
	struct lindex_line line = { 0, 0, 0 };
	unsigned int width = lindex_width(span);
	uint64_t xs;

	if (!span || !top)
		return line;
	line.pre = (uint8_t)(width > 32 ? width - 32 : 0);
	xs = span >> line.pre;
	/* Largest post for which mul < 2^32; top << post is below 2^(31 + width(xs)) <= 2^63. */
	line.post = (uint8_t)(31 + lindex_width(xs) - lindex_width(top));
	line.mul = (uint32_t)lindex_div64((uint64_t)top << line.post, (uint32_t)xs);
	return line;
}

static LINDEX_ALWAYS_INLINE uint64_t lindex_value_line_at(uint32_t mul, unsigned int post,
							  uint32_t i)
{
	return ((uint64_t)i * mul) >> post;
}

/*
 * The value line of slope rise / run. run in 1..2^31-1. Returns false if the slope is 2^32 or more:
 * then there is no such line. rise 0 gives the flat line.
 */
static inline bool lindex_value_line_fit(uint64_t rise, uint32_t run, uint32_t *mul, uint8_t *post)
{
	unsigned int shift;

	*mul = 0;
	*post = 0;
	if (!rise)
		return true;
	if (rise >> 47 || lindex_div64(rise, run) >> 32)
		return false;
	/* rise << shift must stay below 2^63, and mul below 2^32 (i * mul < 2^63). */
	shift = 62 - (lindex_width(rise) > 46 ? 46 : lindex_width(rise));
	if (shift > 40)
		shift = 40;
	while (shift && lindex_div64(rise << shift, run) >> 32)
		shift--;
	*mul = (uint32_t)lindex_div64(rise << shift, run);
	*post = (uint8_t)shift;
	return true;
}

#endif /* LINDEX_FIXED_H */
