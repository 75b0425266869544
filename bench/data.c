/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "data.h"

#include <stdlib.h>
#include <string.h>

#include "peer.h"

/* ---- The twin ------------------------------------------------------------------------------ */

size_t runs_rank(const struct runs *runs, uint64_t key)
{
	size_t lo = 0, hi = runs->n; /* runs below lo begin at or before key */

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (runs->at[mid].first <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void runs_lookup(const struct runs *runs, uint64_t key, struct lindex_run *run)
{
	size_t lo = runs_rank(runs, key);

	if (lo && runs->at[lo - 1].last >= key) {
		*run = runs->at[lo - 1];
		run->mapped = 1;
		return;
	}
	*run = hole_run(lo ? runs->at[lo - 1].last + 1 : 0,
			lo < runs->n ? runs->at[lo].first - 1 : UINT64_MAX);
}

struct lindex_run *runs_shuffle(const struct runs *runs, struct rng *rng)
{
	struct lindex_run *copy = grab(runs->n * sizeof(*copy));

	memcpy(copy, runs->at, runs->n * sizeof(*copy));
	for (size_t i = runs->n; i > 1; i--) {
		size_t j = rng_below(rng, i);
		struct lindex_run swap = copy[i - 1];

		copy[i - 1] = copy[j];
		copy[j] = swap;
	}
	return copy;
}

bool run_equal(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->first == b->first && a->last == b->last && a->value == b->value &&
	       a->tag == b->tag && a->step == b->step && a->mapped == b->mapped;
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static uint64_t key_between(struct rng *rng, uint64_t first, uint64_t last)
{
	return last - first == UINT64_MAX ? rng_next(rng) :
					    first + rng_below(rng, last - first + 1);
}

uint64_t *keys_below(size_t n, uint64_t end, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));

	for (size_t i = 0; i < n; i++)
		keys[i] = rng_below(rng, end);
	return keys;
}

uint64_t *keys_hit(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));

	for (size_t i = 0; i < n; i++) {
		const struct lindex_run *run = &runs->at[rng_below(rng, runs->n)];

		keys[i] = key_between(rng, run->first, run->last);
	}
	return keys;
}

uint64_t *keys_gap(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));
	size_t have = 0;

	for (size_t tries = 0; have < n && tries < 100 * n; tries++) {
		size_t i = rng_below(rng, runs->n - 1);
		const struct lindex_run *run = &runs->at[i];

		if (run[1].first - run->last > 1)
			keys[have++] = key_between(rng, run->last + 1, run[1].first - 1);
	}
	if (have == n)
		return keys;
	free(keys);
	return NULL;
}
