/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets that hurt a learned index, or that were made to. Each has about n runs, sorted, no two of
 * them one run.
 */
#include "gen.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Every end, value, tag and step over all of 64 bits. */
static int make_random(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *ends = reallocarray(NULL, n, 2 * sizeof(*ends));
	int err = ends ? runs_reserve(runs, n) : -ENOMEM;

	for (size_t i = 0; i < 2 * n && !err; i++)
		ends[i] = rng_next(rng);
	if (!err)
		qsort(ends, 2 * n, sizeof(*ends), compare_keys);
	for (size_t i = 0; i < n && !err; i++) {
		uint64_t first = ends[2 * i], last = ends[2 * i + 1], value = rng_next(rng);

		if (i && first <= ends[2 * i - 1])
			continue;
		if (value > UINT64_MAX - (last - first))
			value -= last - first;
		err = runs_append(runs,
				  (struct lindex_run){ first, last, value, (uint16_t)rng_next(rng),
						       (uint8_t)(rng_next(rng) & 1), 1 });
	}
	free(ends);
	return err;
}

/* As a power of two: the widest gap with which @n of them stay below 2^64. */
static double widest_gap(size_t n)
{
	int bits = 0;

	while (n >> bits)
		bits++;
	return bits <= 22 ? 43 : 65 - bits;
}

/* Gaps grow exponentially, from 1 to 2^43. */
static int make_exponential(struct runs *runs, size_t n, struct rng *rng)
{
	const double widest = widest_gap(n);
	uint64_t key = 0;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++) {
		uint64_t gap = 1 + (uint64_t)exp2(widest * (double)i / (double)n);
		uint64_t last = key + rng_below(rng, gap);

		err = runs_append(runs, (struct lindex_run){ key, last, i * 64, 0, 1, 1 });
		key = last + 1 + gap;
	}
	return err;
}

/* Gaps lognormal: median 2^16, one standard deviation is a factor of 2^3.3. */
static int make_lognormal(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t key = 0;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++) {
		double bell = 0;

		/* Normal enough, and it has ends: 0 and 32. */
		for (unsigned int draw = 0; draw < 8; draw++)
			bell += 4 * rng_unit(rng);
		key += 1 + (uint64_t)exp2(bell);
		err = runs_append(runs,
				  (struct lindex_run){ key, key, rng_next(rng) >> 32, 0, 1, 1 });
	}
	return err;
}

/* Written in order, then every other key punched out. */
static int make_punched(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t disk = rng_next(rng) >> 32;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++)
		err = runs_append(runs, (struct lindex_run){ 2 * i, 2 * i, disk + 2 * i, 0, 1, 1 });
	return err;
}

/* Sawtooth: eps keys squeezed together, then as many apart; the line runs in between. */
static int make_zigzag(struct runs *runs, size_t n, struct rng *rng)
{
	const uint64_t eps = 16, stride = 64;
	int err = runs_reserve(runs, n);

	(void)rng;
	for (size_t i = 0; i < n && !err; i++) {
		uint64_t at = i % (2 * eps), key = i / (2 * eps) * eps * stride;

		key += at < eps ? at * 2 : (at - eps) * (stride - 2) + 2 * eps;
		err = runs_append(runs,
				  (struct lindex_run){ key, key, i * 2 + (i & 1) * eps, 0, 1, 1 });
	}
	return err;
}

/* Dense and sparse in turns, each for about as many runs as a leaf holds: no line fits for long. */
static int make_oscillation(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t key = 0, left = 0, gap = 0;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++) {
		if (!left--) {
			left = 8 + rng_below(rng, 120);
			gap = gap ? 0 : UINT64_C(1) << (4 + rng_below(rng, 24));
		}
		err = runs_append(runs,
				  (struct lindex_run){ key, key, rng_next(rng) >> 36, 0, 1, 1 });
		key += 1 + gap;
	}
	return err;
}

/* A short dense stretch, and one run at the far end of the key space. */
static int make_outlier(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t key = 0, disk = 0;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i + 1 < n && !err; i++) {
		uint64_t length = 1 + rng_below(rng, 11);

		err = runs_append(runs,
				  (struct lindex_run){ key, key + length - 1, disk, 0, 1, 1 });
		key += length + rng_below(rng, 2);
		disk += length + 1;
	}
	return err ? err :
		     runs_append(runs,
				 (struct lindex_run){ UINT64_MAX - 1, UINT64_MAX, 7, 0, 1, 1 });
}

/* Every key present, its value a random number of 24 bits: page frames. */
static int make_frames(struct runs *runs, size_t n, struct rng *rng)
{
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++)
		err = runs_append(runs, (struct lindex_run){ i, i, rng_next(rng) >> 40, 0, 1, 1 });
	return err;
}

const struct hard_set hard_sets[] = {
	{ "random", "random everything", make_random },
	{ "exponential", "exponential gaps", make_exponential },
	{ "holes", "every other key", make_punched },
	{ "zigzag", "zigzag", make_zigzag },
	{ "outlier", "one far outlier", make_outlier },
	{ "frames", "scattered frames", make_frames },
	{ "lognormal", "lognormal gaps", make_lognormal },
	{ "oscillation", "dense and sparse in turns", make_oscillation },
};
const size_t hard_set_count = sizeof(hard_sets) / sizeof(hard_sets[0]);

const struct hard_set *hard_set(const char *kind)
{
	for (size_t i = 0; i < hard_set_count; i++)
		if (!strcmp(hard_sets[i].kind, kind))
			return &hard_sets[i];
	return NULL;
}
