/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Seeded random numbers: xoshiro256**, seeded by splitmix64. Integer only, so that a seed replays
 * the same case on every machine. A test takes its seed from harness_seed() (check.h).
 */
#ifndef HARNESS_RNG_H
#define HARNESS_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng_splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/** rng_init() - Stream @salt of @seed: tests of one run draw from different streams. */
static inline void rng_init(struct rng *r, uint64_t seed, uint64_t salt)
{
	uint64_t state = seed ^ (salt * 0xd1342543de82ef95u);

	for (int i = 0; i < 4; i++)
		r->s[i] = rng_splitmix(&state);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_u64(struct rng *r)
{
	uint64_t out = rng_rotl(r->s[1] * 5, 7) * 9;
	uint64_t t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = rng_rotl(r->s[3], 45);
	return out;
}

/** rng_below() - In [0, n), n > 0. The bias of % is of no interest to a test. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return rng_u64(r) % n;
}

/** rng_between() - In [lo, hi], the full range included. */
static inline uint64_t rng_between(struct rng *r, uint64_t lo, uint64_t hi)
{
	uint64_t span = hi - lo + 1;

	return span ? lo + rng_below(r, span) : rng_u64(r);
}

static inline bool rng_one_in(struct rng *r, uint64_t n)
{
	return rng_below(r, n) == 0;
}

/** rng_bits() - A number of @bits random bits at most, 0..64. */
static inline uint64_t rng_bits(struct rng *r, unsigned int bits)
{
	return bits ? rng_u64(r) >> (64 - bits) : 0;
}

/** rng_magnitude() - Every bit length up to @bits is equally likely: small and huge numbers alike. */
static inline uint64_t rng_magnitude(struct rng *r, unsigned int bits)
{
	return rng_bits(r, (unsigned int)rng_between(r, 0, bits));
}

/** rng_bell() - Sum of 8 draws from [0, n): roughly normal, mean 4n, deviation 0.82n. */
static inline uint64_t rng_bell(struct rng *r, uint64_t n)
{
	uint64_t sum = 0;

	for (int i = 0; i < 8; i++)
		sum += rng_below(r, n);
	return sum;
}

#endif
