/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdlib.h>

#include "bench_cmd.h"

#define ZIPF 0.99

const char *const dist_names[DISTS] = {
	[DIST_KEY] = "hit-key", [DIST_RUN] = "hit-run", [DIST_ZIPF] = "zipf",
	[DIST_MISS] = "miss",   [DIST_GAP] = "gap",
};

static uint64_t key_in(const struct lindex_run *run, struct rng *rng)
{
	uint64_t more = run->last - run->first;

	return more == UINT64_MAX ? rng_next(rng) : run->first + rng_below(rng, more + 1);
}

/* ---- Every key alike ----------------------------------------------------------------------- */

/* Greatest position with ends[position - 1] <= @at. */
static size_t upper(const double *ends, size_t n, double at)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ends[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n ? lo : n - 1;
}

/* By their lengths. A double is exact enough to draw with. */
static uint64_t *draw_by_key(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));
	double *ends = grab(runs->n * sizeof(*ends)), sum = 0;

	for (size_t i = 0; i < runs->n; i++) {
		sum += (double)(runs->at[i].last - runs->at[i].first) + 1;
		ends[i] = sum;
	}
	for (size_t i = 0; i < n; i++)
		keys[i] = key_in(&runs->at[upper(ends, runs->n, rng_unit(rng) * sum)], rng);
	free(ends);
	return keys;
}

static void add_hole(struct runs *holes, uint64_t first, uint64_t last)
{
	holes->at[holes->n++] = hole_run(first, last);
}

static uint64_t *draw_misses(const struct set *s, size_t n, struct rng *rng)
{
	uint64_t next = 0, end = s->data.space, *keys = NULL;
	struct runs holes = { .at = grab((s->runs.n + 1) * sizeof(*holes.at)) };

	for (size_t i = 0; i < s->runs.n; i++) {
		if (s->runs.at[i].first > next)
			add_hole(&holes, next, s->runs.at[i].first - 1);
		next = s->runs.at[i].last + 1;
	}
	end = end > UINT64_MAX - end / 8 - 1 ? UINT64_MAX : end + end / 8 + 1;
	if (next && next < end)
		add_hole(&holes, next, end - 1);
	if (holes.n)
		keys = draw_by_key(&holes, n, rng);
	free(holes.at);
	return keys;
}

/* ---- Every run alike, or not so ------------------------------------------------------------ */

/* The least rank has the greatest part; ranks are spread over the runs by a hash. */
static uint64_t *draw_zipf(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));
	double *ends = grab(runs->n * sizeof(*ends)), sum = 0;

	if (!runs->n) /* never: a set has a run */
		die("no runs");
	for (size_t i = 0; i < runs->n; i++) {
		sum += pow((double)(i + 1), -ZIPF);
		ends[i] = sum;
	}
	for (size_t i = 0; i < n; i++) {
		struct rng hash = { upper(ends, runs->n, rng_unit(rng) * sum) };

		keys[i] = key_in(&runs->at[rng_below(&hash, runs->n)], rng);
	}
	free(ends);
	return keys;
}

uint64_t *keys_drawn(struct set *s, enum dist dist, size_t n)
{
	switch (dist) {
	case DIST_KEY:
		return draw_by_key(&s->runs, n, &s->rng);
	case DIST_RUN:
		return keys_hit(&s->runs, n, &s->rng);
	case DIST_ZIPF:
		return draw_zipf(&s->runs, n, &s->rng);
	case DIST_MISS:
		return draw_misses(s, n, &s->rng);
	default:
		return s->runs.n < 2 || !s->has_holes ? NULL : keys_gap(&s->runs, n, &s->rng);
	}
}

uint64_t *keys_places(const struct runs *runs, const uint64_t *keys, size_t n)
{
	uint64_t *places = grab(n * sizeof(*places));

	for (size_t i = 0; i < n; i++) {
		size_t rank = runs_rank(runs, keys[i]);

		places[i] = rank ? rank - 1 : 0;
	}
	return places;
}
