/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets that hurt a learned index, or that were made to. Each has about n runs, sorted, no two of
 * them one run.
 */
#include <math.h>
#include <stdlib.h>

#include "data.h"
#include "peer.h"

static bool continues(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->last + 1 == b->first && a->tag == b->tag && a->step == b->step &&
	       lindex_value(a, b->first) == b->value;
}

/* Behind the last run of @runs, which has room. Two that are one run by chance become one. */
static void append(struct runs *runs, struct lindex_run run)
{
	struct lindex_run *last = runs->n ? &runs->at[runs->n - 1] : NULL;

	run.mapped = 1;
	if (last && continues(last, &run))
		last->last = run.last;
	else
		runs->at[runs->n++] = run;
}

static void start(struct runs *runs, size_t n)
{
	runs->at = grab(n * sizeof(*runs->at));
	runs->n = 0;
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Every end, value, tag and step over all of 64 bits. */
static void make_random(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *ends = grab(2 * n * sizeof(*ends));

	for (size_t i = 0; i < 2 * n; i++)
		ends[i] = rng_next(rng);
	qsort(ends, 2 * n, sizeof(*ends), compare_keys);
	start(runs, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t first = ends[2 * i], last = ends[2 * i + 1], value = rng_next(rng);

		if (i && first <= ends[2 * i - 1])
			continue;
		if (value > UINT64_MAX - (last - first))
			value -= last - first;
		append(runs, (struct lindex_run){ first, last, value, (uint16_t)rng_next(rng),
						  (uint8_t)(rng_next(rng) & 1), 1 });
	}
	free(ends);
}

/* Gaps grow exponentially, from 1 to 2^43. */
static void make_exponential(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t key = 0;

	start(runs, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t gap = 1 + (uint64_t)exp2(43.0 * (double)i / (double)n);

		append(runs,
		       (struct lindex_run){ key, key + rng_below(rng, gap), i * 64, 0, 1, 1 });
		key = runs->at[runs->n - 1].last + 1 + gap;
	}
}

/* Written in order, then every other key punched out. */
static void make_punched(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t disk = rng_next(rng) >> 32;

	start(runs, n);
	for (size_t i = 0; i < n; i++)
		append(runs, (struct lindex_run){ 2 * i, 2 * i, disk + 2 * i, 0, 1, 1 });
}

/* Sawtooth: eps keys squeezed together, then as many apart; the line runs in between. */
static void make_zigzag(struct runs *runs, size_t n, struct rng *rng)
{
	const uint64_t eps = 16, stride = 64;

	(void)rng;
	start(runs, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t at = i % (2 * eps), key = i / (2 * eps) * eps * stride;

		key += at < eps ? at * 2 : (at - eps) * (stride - 2) + 2 * eps;
		append(runs, (struct lindex_run){ key, key, i * 2 + (i & 1) * eps, 0, 1, 1 });
	}
}

/* A short dense stretch, and one run at the far end of the key space. */
static void make_outlier(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t key = 0, disk = 0;

	start(runs, n);
	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t length = 1 + rng_below(rng, 11);

		append(runs, (struct lindex_run){ key, key + length - 1, disk, 0, 1, 1 });
		key += length + rng_below(rng, 2);
		disk += length + 1;
	}
	append(runs, (struct lindex_run){ UINT64_MAX - 1, UINT64_MAX, 7, 0, 1, 1 });
}

/* Every key present, its value a random number of 24 bits: page frames. */
static void make_frames(struct runs *runs, size_t n, struct rng *rng)
{
	start(runs, n);
	for (size_t i = 0; i < n; i++)
		append(runs, (struct lindex_run){ i, i, rng_next(rng) >> 40, 0, 1, 1 });
}

const struct hard_set hard_sets[] = {
	{ "random everything", make_random }, { "exponential gaps", make_exponential },
	{ "every other key", make_punched },  { "zigzag", make_zigzag },
	{ "one far outlier", make_outlier },  { "scattered frames", make_frames },
};
const size_t hard_set_count = sizeof(hard_sets) / sizeof(hard_sets[0]);
