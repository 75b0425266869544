/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How many of a node's keys are <= x, without a branch: all of them are compared. The vectors are
 * AVX2 where the function around them is compiled for it (RANK_AVX2), and only there to be used.
 */
#ifndef BENCH_RANK_H
#define BENCH_RANK_H

#include <stdbool.h>
#include <stdint.h>

#define RANK_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define RANK_AVX2 __attribute__((target("avx2,bmi,bmi2")))

static inline bool rank_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}
#else
#define RANK_AVX2

static inline bool rank_has_avx2(void)
{
	return false;
}
#endif

typedef int64_t rank_vector __attribute__((vector_size(32), may_alias));

/* @keys: @n of them, a multiple of 4, aligned to 32 bytes. The compare is signed: hence @top. */
RANK_INLINE unsigned int rank_vectors(const uint64_t *keys, unsigned int n, uint64_t x)
{
	const rank_vector top = { INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN };
	const int64_t flipped = (int64_t)(x ^ (uint64_t)INT64_MIN);
	const rank_vector at = { flipped, flipped, flipped, flipped };
	rank_vector above = { 0, 0, 0, 0 };

#pragma GCC unroll 7
	for (unsigned int i = 0; i < n; i += 4)
		above += (*(const rank_vector *)(keys + i) ^ top) > at; /* 0 or -1 */
	return n + (unsigned int)(above[0] + above[1] + above[2] + above[3]);
}

RANK_INLINE unsigned int rank(const uint64_t *keys, unsigned int n, uint64_t x, bool vectors)
{
	unsigned int below = 0;

	if (vectors)
		return rank_vectors(keys, n, x);
#pragma GCC unroll 28
	for (unsigned int i = 0; i < n; i++)
		below += keys[i] <= x;
	return below;
}

#endif
