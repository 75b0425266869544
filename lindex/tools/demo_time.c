/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How fast is it? The same random keys for the index, one by one and in batches, and for a binary
 * search in a plain sorted array. The best of a few rounds counts: other work only ever adds time.
 */
#include "tool.h"
#include <stdlib.h>

#define KEYS   (1u << 18)
#define BATCH  512u
#define ROUNDS 5u

struct plain {
	uint64_t first, length, value;
};

struct work {
	const struct lindex *ix;
	const uint64_t *keys;
	const struct plain *plain;
	size_t n; /* of plain */
};

/* Each returns the sum of the values: it keeps the compiler from leaving work out, and has to agree. */

static uint64_t by_single(const struct work *w)
{
	struct lindex_run run;
	uint64_t sum = 0;

	for (size_t i = 0; i < KEYS; i++)
		if (lindex_lookup(w->ix, w->keys[i], &run) == 0)
			sum += lindex_value(&run, w->keys[i]);
	return sum;
}

static uint64_t by_batch(const struct work *w)
{
	struct lindex_run runs[BATCH];
	uint64_t sum = 0;

	for (size_t i = 0; i < KEYS; i += BATCH) {
		if (lindex_lookup_batch(w->ix, w->keys + i, BATCH, runs) < 0)
			return 0;
		for (size_t j = 0; j < BATCH; j++)
			sum += lindex_value(&runs[j], w->keys[i + j]);
	}
	return sum;
}

static uint64_t by_array(const struct work *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < KEYS; i++) {
		size_t lo = 0, hi = w->n;

		while (hi - lo > 1) {
			size_t mid = lo + (hi - lo) / 2;

			if (w->plain[mid].first <= w->keys[i])
				lo = mid;
			else
				hi = mid;
		}
		if (w->keys[i] - w->plain[lo].first < w->plain[lo].length)
			sum += w->plain[lo].value + (w->keys[i] - w->plain[lo].first);
	}
	return sum;
}

static double best_ns(uint64_t (*way)(const struct work *), const struct work *w, uint64_t *sum)
{
	double best = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		double before = seconds_now(), each;

		*sum = way(w);
		each = (seconds_now() - before) * 1e9 / KEYS;
		best = i && best < each ? best : each;
	}
	return best;
}

static void measure(struct demo *demo, const struct work *w, struct demo_times *times)
{
	uint64_t single, batch, array;

	times->single_ns = best_ns(by_single, w, &single);
	times->batch_ns = best_ns(by_batch, w, &batch);
	times->array_ns = best_ns(by_array, w, &array);
	demo_verdict(demo, single == batch, "%s values, summed up by single and by batch lookups",
		     grouped(KEYS).text);
}

int demo_measure(struct demo *demo, struct demo_times *times)
{
	uint64_t *keys = malloc(KEYS * sizeof(*keys));
	struct plain *plain = malloc((demo->list.n + 1) * sizeof(*plain));
	const struct work w = { demo->ix, keys, plain, demo->list.n };

	if (keys && plain) {
		for (size_t i = 0; i < KEYS; i++)
			keys[i] = demo_random_key(demo);
		for (size_t i = 0; i < demo->list.n; i++)
			plain[i] = (struct plain){ demo->list.runs[i].first,
						   demo->list.runs[i].last -
							   demo->list.runs[i].first + 1,
						   demo->list.runs[i].value };
		measure(demo, &w, times);
	}
	free(keys);
	free(plain);
	return keys && plain ? 0 : no_memory();
}
