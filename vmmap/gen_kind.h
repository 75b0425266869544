/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What gen.c and the single workloads share.
 */
#ifndef VMMAP_GEN_KIND_H
#define VMMAP_GEN_KIND_H

#include <stdbool.h>

#include "gen.h"

#define GEN_REGIONS 4u
#define GEN_BURST   2048u /* most accesses of one step */

/**
 * struct vmmap_gen -
 * @state: The kind's own.
 * @burst: What the last step made; [at, end) is not given out yet.
 */
struct vmmap_gen {
	const struct gen_kind *kind;
	void *state;
	uint64_t footprint, random, seed, stride;
	struct vmmap_region regions[GEN_REGIONS];
	size_t n_regions, at, end;
	struct vmmap_access burst[GEN_BURST];
};

/**
 * struct gen_kind -
 * @init: Makes regions and state. Return: 0, -ENOMEM.
 * @step: At least one access, at most GEN_BURST. Return: 0, -ENOMEM.
 * @free: The state's memory; NULL: free().
 */
struct gen_kind {
	const char *name, *about;
	int (*init)(struct vmmap_gen *g);
	int (*step)(struct vmmap_gen *g);
	void (*free)(void *state);
};

extern const struct gen_kind gen_gups, gen_chase, gen_bfs, gen_join, gen_btree, gen_xsbench,
	gen_sequential, gen_stride;

/** gen_region() - Another region; returns its address. */
uint64_t gen_region(struct vmmap_gen *g, uint64_t bytes);

static inline void gen_put(struct vmmap_gen *g, uint64_t va, uint16_t size, uint8_t kind)
{
	g->burst[g->end++] = (struct vmmap_access){ va, VMMAP_PA_UNKNOWN, size, kind };
}

static inline void gen_read(struct vmmap_gen *g, uint64_t va, uint16_t size)
{
	gen_put(g, va, size, VMMAP_KIND_READ);
}

static inline void gen_write(struct vmmap_gen *g, uint64_t va, uint16_t size)
{
	gen_put(g, va, size, VMMAP_KIND_WRITE);
}

/* ---- Randomness: splitmix64 (Steele, Lea, Flood 2014) --------------------------------------- */

static inline uint64_t gen_mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t gen_next(uint64_t *state)
{
	return gen_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

/** gen_below() - Uniform in 0..n-1. */
static inline uint64_t gen_below(uint64_t *state, uint64_t n)
{
	return (uint64_t)((unsigned __int128)gen_next(state) * n >> 64);
}

/**
 * struct gen_renumber - A permutation of 0 .. 2^bits - 1, and its inverse: each round multiplies by an odd number, and
 * folds the high half onto the low one, which undoes itself.
 */
#define GEN_ROUNDS 3u
struct gen_renumber {
	uint64_t mask, add, times[GEN_ROUNDS], inverse[GEN_ROUNDS];
	unsigned int half;
};

static inline void gen_renumber_init(struct gen_renumber *r, unsigned int bits, uint64_t seed)
{
	r->mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
	r->add = seed & r->mask;
	r->half = (bits + 1) / 2;
	for (unsigned int i = 0; i < GEN_ROUNDS; i++) {
		uint64_t x = gen_mix(seed + i) | 1, inverse = x;

		/* Newton: each step doubles the bits that are right; x itself has 3. */
		for (int step = 0; step < 5; step++)
			inverse *= 2 - x * inverse;
		r->times[i] = x;
		r->inverse[i] = inverse;
	}
}

static inline uint64_t gen_renumber(const struct gen_renumber *r, uint64_t x)
{
	x = (x + r->add) & r->mask;
	for (unsigned int i = 0; i < GEN_ROUNDS; i++) {
		x = x * r->times[i] & r->mask;
		x ^= x >> r->half;
	}
	return x;
}

static inline uint64_t gen_renumber_back(const struct gen_renumber *r, uint64_t x)
{
	for (unsigned int i = GEN_ROUNDS; i--;) {
		x ^= x >> r->half;
		x = x * r->inverse[i] & r->mask;
	}
	return (x - r->add) & r->mask;
}

/** gen_log2() - Floor. */
static inline unsigned int gen_log2(uint64_t n)
{
	return 63 - (unsigned int)__builtin_clzll(n | 1);
}

#endif
