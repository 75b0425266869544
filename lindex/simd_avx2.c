/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The lookup with AVX2 comparisons: the same body as lookup.c. Optional: outside the freestanding
 * set, compiled for its own instruction set, chosen at run time.
 */
#if defined(LINDEX_SIMD) && defined(__AVX2__)
#include <immintrin.h>
#include "port.h"

static LINDEX_ALWAYS_INLINE uint32_t avx2_count_le8(const uint8_t *p, uint32_t n, uint8_t x)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	__m256i le = _mm256_cmpeq_epi8(_mm256_min_epu8(v, _mm256_set1_epi8((char)x)), v);
	uint32_t bits = (uint32_t)_mm256_movemask_epi8(le);

	/* Bytes behind n are payload, not keys. */
	return (uint32_t)_mm_popcnt_u32(_bzhi_u32(bits, n));
}

static LINDEX_ALWAYS_INLINE uint32_t avx2_count_le16x8(const uint8_t *p, uint16_t x)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i le = _mm_cmpeq_epi16(_mm_min_epu16(v, _mm_set1_epi16((short)x)), v);

	return (uint32_t)_mm_popcnt_u32((uint32_t)_mm_movemask_epi8(le)) / 2;
}

static LINDEX_ALWAYS_INLINE uint32_t avx2_count_le32(const uint8_t *p, uint32_t n, uint32_t x)
{
	__m256i xs = _mm256_set1_epi32((int)x);
	uint32_t count = 0, i;

	for (i = 0; i < n; i += 8) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(p + 4 * i));
		__m256i le = _mm256_cmpeq_epi32(_mm256_min_epu32(v, xs), v);

		count += (uint32_t)_mm_popcnt_u32(
			(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(le)));
	}
	return count;
}

#define COUNT_LE8(p, n, x)  avx2_count_le8(p, n, x)
#define COUNT_LE16X8(p, x)  avx2_count_le16x8(p, x)
#define BODY_WIDE           LINDEX_ALWAYS_INLINE
#define COUNT_LE32(p, n, x) avx2_count_le32(p, n, x)
#define TOUCH(p, len)       ((void)0)
#define COMPARE(n)          ((void)0)
#define WINDOW(w)           ((void)(w))
#define NODE()              ((void)0)
#include "lookup_short_body.h"

static LINDEX_LINE_ALIGNED int lookup_avx2(const struct lindex *ix, uint64_t key,
					   struct lindex_run *run)
{
	return body_lookup(ix, key, run);
}

static LINDEX_LINE_ALIGNED int64_t lookup_batch_avx2(const struct lindex *ix, const uint64_t *keys,
						     size_t n, struct lindex_run *runs)
{
	return body_lookup_batch(ix, keys, n, runs);
}

static const struct lindex_ops ops_avx2 = { lookup_avx2, lookup_batch_avx2 };

const struct lindex_ops *lindex_ops_best(bool want_simd)
{
	if (want_simd && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		return &ops_avx2;
	return &lindex_ops_scalar;
}
#elif defined(LINDEX_SIMD)
#include "internal.h"
const struct lindex_ops *lindex_ops_best(bool want_simd)
{
	(void)want_simd;
	return &lindex_ops_scalar;
}
#endif
