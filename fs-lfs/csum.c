/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "csum.h"

#define XXH_STATIC_LINKING_ONLY /* the state may stand on the stack */
#include <xxhash.h>

#include "format.h"

/* One 64-bit seed of both keys: odd multipliers, so that neither is lost. */
static uint64_t seed_of(uint64_t daddr, uint64_t seq)
{
	return daddr * 0x9e3779b97f4a7c15u ^ (seq * 0xc2b2ae3d27d4eb4fu + (seq >> 32));
}

uint64_t lfs_csum_block(const void *block, uint64_t daddr, uint64_t seq)
{
	return XXH3_64bits_withSeed(block, LFS_BLOCK, seed_of(daddr, seq));
}

uint64_t lfs_csum_parts(const void *a, size_t a_bytes, size_t hole, const void *b, size_t b_bytes,
			uint64_t daddr, uint64_t seq)
{
	static const uint8_t zero[8];
	const uint8_t *bytes = a;
	XXH3_state_t state;

	/* Else a seed that the stack still holds would stand for its secret, which is gone. */
	XXH3_INITSTATE(&state);
	XXH3_64bits_reset_withSeed(&state, seed_of(daddr, seq));
	XXH3_64bits_update(&state, bytes, hole);
	XXH3_64bits_update(&state, zero, sizeof(zero));
	XXH3_64bits_update(&state, bytes + hole + 8, a_bytes - hole - 8);
	if (b_bytes)
		XXH3_64bits_update(&state, b, b_bytes);
	return XXH3_64bits_digest(&state);
}

uint64_t lfs_csum_fixed(const void *bytes, size_t len, size_t hole, uint64_t block)
{
	return lfs_csum_parts(bytes, len, hole, NULL, 0, block, 0);
}

uint64_t lfs_csum_name(const char *name, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(name, len, seed);
}
