/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_lookup(): exact on every key and every gap, whole runs and whole holes, for every shape of
 * contents, each way to have come by them, and each configuration.
 */
#include "every_shape.h"

#include "check.h"
#include "same.h"
#include "world.h"

static struct world w;

static void open_default(void)
{
	world_open(&w, NULL, 0, 0);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(lookup, .init = open_default, .fini = close_world);

static void insert(struct lindex_run run)
{
	struct op op = { .run = run };

	world_do(&w, &op);
}

static void assert_hole(uint64_t key, uint64_t first, uint64_t last)
{
	struct lindex_run hole = { .first = 1, .value = 2, .tag = 3, .step = 4, .mapped = 5 };

	cr_assert_eq(lindex_lookup(w.ix, key, &hole), -ENOENT);
	cr_assert_eq(hole.first, first);
	cr_assert_eq(hole.last, last);
	cr_assert(hole.value == 0 && hole.tag == 0 && hole.step == 0 && hole.mapped == 0,
		  "fields of a hole are 0");
}

Test(lookup, in_empty_index_is_one_hole_of_all_keys)
{
	assert_hole(0, 0, UINT64_MAX);
	assert_hole(12345, 0, UINT64_MAX);
	assert_hole(UINT64_MAX, 0, UINT64_MAX);
	assert_same(w.ix, &w.twin);
}

Test(lookup, in_gap_is_enoent_with_the_whole_hole)
{
	insert(RUN(100, 199, 5000, 1, 9));
	insert(RUN(300, 399, 7000, 0, 8));
	assert_hole(0, 0, 99);
	assert_hole(99, 0, 99);
	assert_hole(200, 200, 299);
	assert_hole(299, 200, 299);
	assert_hole(400, 400, UINT64_MAX);
}

Test(lookup, returns_the_whole_run_around_the_key)
{
	struct lindex_run run;

	insert(RUN(100, 199, 5000, 1, 9));
	for (uint64_t key = 100; key <= 199; key++) {
		cr_assert_eq(lindex_lookup(w.ix, key, &run), 0);
		cr_assert(run.first == 100 && run.last == 199 && run.value == 5000);
		cr_assert(run.tag == 9 && run.step == 1 && run.mapped == 1);
		cr_assert_eq(lindex_value(&run, key), 5000 + key - 100);
	}
}

Test(lookup, of_step_0_has_one_value_for_all_keys)
{
	struct lindex_run run;

	insert(RUN(10, 20, UINT64_MAX, 0, 65535));
	cr_assert_eq(lindex_lookup(w.ix, 15, &run), 0);
	cr_assert_eq(lindex_value(&run, 10), UINT64_MAX);
	cr_assert_eq(lindex_value(&run, 20), UINT64_MAX);
	cr_assert_eq(run.tag, 65535);
}

Test(lookup, finds_a_run_of_all_keys)
{
	insert(RUN(0, UINT64_MAX, 0, 1, 0));
	assert_same(w.ix, &w.twin);
	insert(RUN(0, UINT64_MAX, 42, 0, 1));
	assert_same(w.ix, &w.twin);
}

Test(lookup, finds_the_first_and_the_last_key)
{
	insert(RUN(0, 0, 1, 1, 0));
	insert(RUN(UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, 0));
	assert_same(w.ix, &w.twin);
	assert_hole(1, 1, UINT64_MAX - 1);
}

Test(lookup, tells_runs_apart_that_differ_in_tag_step_or_value_only)
{
	insert(RUN(10, 19, 100, 1, 1));
	insert(RUN(20, 29, 110, 1, 2)); /* continues, but tag */
	insert(RUN(30, 39, 120, 1, 2)); /* continues: one run */
	insert(RUN(40, 40, 130, 0, 2)); /* continues, but step */
	insert(RUN(41, 41, 130, 1, 2)); /* would continue step 0 */
	insert(RUN(42, 49, 132, 1, 2)); /* one too far */
	cr_assert_eq(w.twin.n, 5);
	assert_same(w.ix, &w.twin);
}

/* ---- Every shape --------------------------------------------------------------------------------- */

static const struct lindex_config configs[] = {
	{ 0 },
	{ .epsilon = 2, .node_bytes = 256 },
	{ .epsilon = 8, .node_bytes = 320 },
	{ .epsilon = 64, .node_bytes = 1024 },
	{ .epsilon = 120, .node_bytes = 512 },
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

static void check_built(enum shape shape, size_t n, const struct lindex_config *cfg, uint32_t flags)
{
	struct world world;
	struct twin contents;
	struct rng rng;

	harness_step(shape_name(shape), n);
	rng_init(&rng, harness_seed(), n);
	twin_init(&contents);
	shape_make(shape, n, &rng, &contents);
	world_open(&world, cfg, flags, 0);
	world_build(&world, &contents);
	assert_same(world.ix, &world.twin);
	world_close(&world);
	twin_destroy(&contents);
}

EVERY_SHAPE(lookup, is_exact_after_build)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 16, 17, 60, 200, 1000, 20000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_built(*shape, sizes[i], &configs[i % CONFIGS], 0);
		check_built(*shape, sizes[i], NULL, LINDEX_POOL_NO_SIMD);
		check_built(*shape, sizes[i], NULL, LINDEX_POOL_HUGE);
	}
}

EVERY_SHAPE(lookup, is_exact_in_every_configuration)
{
	for (size_t i = 0; i < CONFIGS; i++) {
		check_built(*shape, 3000, &configs[i], 0);
		check_built(*shape, 3000, &configs[i], LINDEX_POOL_NO_SIMD);
	}
}

static void shuffle(struct lindex_run *runs, size_t n, struct rng *rng)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = rng_below(rng, i);
		struct lindex_run swap = runs[i - 1];

		runs[i - 1] = runs[j];
		runs[j] = swap;
	}
}

EVERY_SHAPE(lookup, is_exact_after_inserts_in_random_order)
{
	struct twin contents;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	twin_init(&contents);
	shape_make(*shape, 4000, &rng, &contents);
	shuffle(contents.runs, contents.n, &rng);
	for (size_t i = 0; i < contents.n; i++) {
		struct op op = { .run = contents.runs[i] };

		harness_step(shape_name(*shape), i);
		world_do(&w, &op);
		assert_same_at(w.ix, &w.twin, contents.runs[i].first);
		assert_same_at(w.ix, &w.twin, contents.runs[rng_below(&rng, i + 1)].last);
	}
	assert_same(w.ix, &w.twin);
	twin_destroy(&contents);
}

EVERY_SHAPE(lookup, is_exact_at_random_keys)
{
	struct twin contents;
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	twin_init(&contents);
	shape_make(*shape, 50000, &rng, &contents);
	world_build(&w, &contents);
	for (uint64_t step = 0; step < 100000; step++) {
		uint64_t key = rng_magnitude(&rng, 64);

		if (contents.n && rng_one_in(&rng, 2))
			key = contents.runs[rng_below(&rng, contents.n)].first +
			      rng_magnitude(&rng, 8);
		harness_step(shape_name(*shape), step);
		assert_same_at(w.ix, &w.twin, key);
	}
	twin_destroy(&contents);
}

Test(lookup, stats_count_runs_and_keys)
{
	struct lindex_stats stats;

	insert(RUN(100, 199, 5000, 1, 9));
	insert(RUN(300, 300, 5000, 1, 9));
	lindex_get_stats(w.ix, &stats);
	cr_assert_eq(stats.runs, 2);
	cr_assert_eq(stats.keys, 101);
	cr_assert_eq(stats.pool_bytes, lindex_pool_bytes(w.pool));
	insert(RUN(0, UINT64_MAX, 0, 1, 0));
	lindex_get_stats(w.ix, &stats);
	cr_assert_eq(stats.runs, 1);
	cr_assert_eq(stats.keys, UINT64_MAX);
}
