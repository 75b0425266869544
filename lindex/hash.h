/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The checksum of images: XXH64 with seed 0 (Y. Collet's specification, "xxhash_spec.md"), for inputs
 * that are a multiple of 32 bytes, which is all that images have. Here because lindex is freestanding.
 */
#ifndef LINDEX_HASH_H
#define LINDEX_HASH_H

#include "port.h"

#define HASH_P1 0x9E3779B185EBCA87u
#define HASH_P2 0xC2B2AE3D27D4EB4Fu
#define HASH_P3 0x165667B19E3779F9u
#define HASH_P4 0x85EBCA77C2B2AE63u

static inline uint64_t hash_rotl(uint64_t v, unsigned int by)
{
	return v << by | v >> (64 - by);
}

static inline uint64_t hash_round(uint64_t acc, uint64_t lane)
{
	return hash_rotl(acc + lane * HASH_P2, 31) * HASH_P1;
}

/* @len: a multiple of 32, at least 32. */
static inline uint64_t lindex_hash(const void *bytes, size_t len)
{
	uint64_t acc[4] = { HASH_P1 + HASH_P2, HASH_P2, 0, 0 - HASH_P1 }, h;
	const uint8_t *p = bytes;
	size_t i, lane;

	for (i = 0; i < len; i += 32)
		for (lane = 0; lane < 4; lane++)
			acc[lane] = hash_round(acc[lane], lindex_ld64(p + i + 8 * lane));
	h = hash_rotl(acc[0], 1) + hash_rotl(acc[1], 7) + hash_rotl(acc[2], 12) +
	    hash_rotl(acc[3], 18);
	for (lane = 0; lane < 4; lane++)
		h = (h ^ hash_round(0, acc[lane])) * HASH_P1 + HASH_P4;
	h += (uint64_t)len;
	h = (h ^ h >> 33) * HASH_P2;
	h = (h ^ h >> 29) * HASH_P3;
	return h ^ h >> 32;
}

#endif /* LINDEX_HASH_H */
