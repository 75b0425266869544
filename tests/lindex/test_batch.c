/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_lookup_batch() is lindex_lookup(), n times: any n, any contents, any order of keys.
 */
#include "every_shape.h"
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "same.h"
#include "world.h"

static const size_t sizes[] = { 0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 4096 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint64_t draw_key(const struct twin *t, struct rng *rng)
{
	const struct lindex_run *run;

	switch (t->n ? rng_below(rng, 4) : 0) {
	case 0:
		return rng_magnitude(rng, 64);
	case 1:
		return t->runs[rng_below(rng, t->n)].first - rng_below(rng, 2);
	case 2:
		return t->runs[rng_below(rng, t->n)].last + rng_below(rng, 2);
	default:
		run = &t->runs[rng_below(rng, t->n)];
		return rng_between(rng, run->first, run->last);
	}
}

/* Buffers of exactly n, so that a sanitizer sees one too many. */
static void compare(const struct lindex *ix, const struct twin *t, size_t n, struct rng *rng)
{
	uint64_t *keys = calloc(n ? n : 1, sizeof(*keys));
	struct lindex_run *runs = calloc(n ? n : 1, sizeof(*runs)), want;
	int64_t mapped = 0, count;

	CHECK(keys && runs, "memory");
	for (size_t i = 0; i < n; i++) {
		keys[i] = i && rng_one_in(rng, 16) ? keys[i - 1] : draw_key(t, rng);
		memset(&runs[i], 0x5a, sizeof(runs[i]));
	}
	count = lindex_lookup_batch(ix, keys, n, runs);
	for (size_t i = 0; i < n; i++) {
		mapped += twin_lookup(t, keys[i], &want) == 0;
		CHECK(run_equal(&runs[i], &want), "%zu of %zu: %s, not %s", i, n,
		      run_text(&runs[i]), run_text(&want));
	}
	CHECK(count == mapped, "batch of %zu counts %lld, not %lld", n, (long long)count,
	      (long long)mapped);
	free(keys);
	free(runs);
}

static void compare_all_sizes(const struct lindex *ix, const struct twin *t, struct rng *rng)
{
	for (size_t i = 0; i < SIZES; i++)
		compare(ix, t, sizes[i], rng);
}

static void check_shape(enum shape shape, size_t n, const struct lindex_config *cfg, uint32_t flags)
{
	struct twin contents;
	struct world w;
	struct rng rng;

	harness_step(shape_name(shape), n);
	rng_init(&rng, harness_seed(), n);
	twin_init(&contents);
	shape_make(shape, n, &rng, &contents);
	world_open(&w, cfg, flags, 0);
	world_build(&w, &contents);
	compare_all_sizes(w.ix, &w.twin, &rng);
	world_close(&w);
	twin_destroy(&contents);
}

EVERY_SHAPE(batch, equals_lookup)
{
	static const size_t runs[] = { 1, 3, 5, 100, 5000, 100000 };

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		check_shape(*shape, runs[i], NULL, 0);
		check_shape(*shape, runs[i], NULL, LINDEX_POOL_NO_SIMD);
	}
}

EVERY_SHAPE(batch, equals_lookup_in_every_configuration)
{
	static const struct lindex_config configs[] = {
		{ .epsilon = 2, .node_bytes = 256 },
		{ .epsilon = 64, .node_bytes = 1024 },
		{ .epsilon = 120, .node_bytes = 448 },
	};

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		check_shape(*shape, 4000, &configs[i], 0);
		check_shape(*shape, 4000, &configs[i], LINDEX_POOL_NO_SIMD);
	}
}

EVERY_SHAPE(batch, equals_lookup_after_changes)
{
	struct twin donor;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	twin_init(&donor);
	shape_make(*shape, 2000, &rng, &donor);
	world_open(&w, NULL, 0, 0);
	for (uint64_t step = 0; step < 4000; step++) {
		struct op op = op_draw(&w.twin, &donor, 2000, &rng);

		harness_step(shape_name(*shape), step);
		world_do(&w, &op);
		if (step % 100 == 0)
			compare(w.ix, &w.twin, rng_below(&rng, 70), &rng);
	}
	compare_all_sizes(w.ix, &w.twin, &rng);
	world_close(&w);
	twin_destroy(&donor);
}

EVERY_SHAPE(batch, equals_lookup_on_snapshots_and_opened_images)
{
	struct image im = { 0 };
	struct twin contents;
	struct lindex *other;
	struct world w;
	struct rng rng;

	harness_step(shape_name(*shape), 0);
	rng_init(&rng, harness_seed(), *shape);
	twin_init(&contents);
	shape_make(*shape, 3000, &rng, &contents);
	world_open(&w, NULL, 0, 0);
	world_build(&w, &contents);
	CHECK(lindex_snapshot(w.ix, &other) == 0, "snapshot");
	compare_all_sizes(other, &w.twin, &rng);
	lindex_free(other);
	image_save(&im, w.ix);
	CHECK(lindex_open_image(w.pool, im.bytes, im.len, NULL, NULL, NULL, &other) == 0, "open");
	compare_all_sizes(other, &w.twin, &rng);
	lindex_free(other);
	image_destroy(&im);
	world_close(&w);
	twin_destroy(&contents);
}
