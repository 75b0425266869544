/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bit fields in byte strings, and widths. Little-endian: bit b of a string is bit b%8 of byte b/8.
 */
#ifndef LINDEX_BITS_H
#define LINDEX_BITS_H

#include "port.h"

/* Bits needed to write @v: 0 for 0, 64 at most. */
static inline unsigned int lindex_width(uint64_t v)
{
	return v ? 64 - lindex_clz64(v) : 0;
}

/* The low @width bits set; 0 and 64 included. */
static inline uint64_t lindex_mask(unsigned int width)
{
	return width ? UINT64_MAX >> (64 - width) : 0;
}

/* Field of @width <= 64 bits at @bit. Reads at most 8 bytes past the byte that @bit is in. */
static LINDEX_ALWAYS_INLINE uint64_t lindex_get_bits(const uint8_t *p, uint32_t bit,
						     unsigned int width)
{
	const uint8_t *q = p + (bit >> 3);
	unsigned int shift = bit & 7;
	uint64_t v = lindex_ld64(q) >> shift;

	if (lindex_unlikely(shift + width > 64))
		v |= (uint64_t)q[8] << (64 - shift); /* shift is 1..7 here */
	return v & lindex_mask(width);
}

/*
 * Flip bits of the field: @v < 2^width. Like a read it may touch, but does not change, 8 bytes past the byte that @bit
 * is in.
 */
static LINDEX_ALWAYS_INLINE void lindex_flip_bits(uint8_t *p, uint32_t bit, unsigned int width,
						  uint64_t v)
{
	uint8_t *q = p + (bit >> 3);
	unsigned int shift = bit & 7;

	lindex_st64(q, lindex_ld64(q) ^ v << shift);
	if (lindex_unlikely(shift + width > 64))
		q[8] = (uint8_t)(q[8] ^ v >> (64 - shift));
}

/* Write the field, whose bits are zero before. */
static LINDEX_ALWAYS_INLINE void lindex_put_bits(uint8_t *p, uint32_t bit, unsigned int width,
						 uint64_t v)
{
	lindex_flip_bits(p, bit, width, v);
}

static inline uint64_t lindex_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t lindex_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
static inline uint32_t lindex_max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}
static inline uint32_t lindex_min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#endif /* LINDEX_BITS_H */
