/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The encoder picks the kind of leaf by size: each kind wins where it should, in a bulk load and
 * after the same runs were stored one by one.
 */
#include <criterion/criterion.h>

#include "check.h"
#include "keys.h"
#include "read_side.h"
#include "same.h"
#include "world.h"

/* Of a kind's own shape, at least this part of the runs is in leaves of that kind. */
#define MOST_PERCENT 80

static const char *const kind_names[LINDEX_KIND_COUNT] = {
	[LINDEX_KIND_LINES] = "lines",       [LINDEX_KIND_SPARSE] = "sparse",
	[LINDEX_KIND_DENSE] = "dense",       [LINDEX_KIND_PRESENCE] = "presence",
	[LINDEX_KIND_TERMINAL] = "terminal", [LINDEX_KIND_INLINE] = "inline",
};

static struct world w;

static void open_default(void)
{
	world_open(&w, NULL, 0, 0);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(kinds, .init = open_default, .fini = close_world);

static struct lindex_stats checked_stats(void)
{
	struct lindex_stats stats;
	uint64_t sum = 0;

	lindex_get_stats(w.ix, &stats);
	for (unsigned int kind = 0; kind < LINDEX_KIND_COUNT; kind++)
		sum += stats.kind_runs[kind];
	CHECK(stats.runs == w.twin.n, "%llu runs, not %zu", (unsigned long long)stats.runs,
	      w.twin.n);
	CHECK(sum == stats.runs, "kinds have %llu of %llu runs", (unsigned long long)sum,
	      (unsigned long long)stats.runs);
	return stats;
}

static void assert_most(enum lindex_kind kind)
{
	struct lindex_stats stats = checked_stats();

	CHECK(stats.kind_runs[kind] * 100 >= stats.runs * MOST_PERCENT,
	      "%llu of %llu runs are in %s; lines %llu sparse %llu dense %llu presence %llu",
	      (unsigned long long)stats.kind_runs[kind], (unsigned long long)stats.runs,
	      kind_names[kind], (unsigned long long)stats.kind_runs[LINDEX_KIND_LINES],
	      (unsigned long long)stats.kind_runs[LINDEX_KIND_SPARSE],
	      (unsigned long long)stats.kind_runs[LINDEX_KIND_DENSE],
	      (unsigned long long)stats.kind_runs[LINDEX_KIND_PRESENCE]);
	CHECK(stats.kind_leaves[kind] > 0, "no leaf of kind %s", kind_names[kind]);
}

static void make(enum shape shape, size_t n, struct twin *t)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), shape);
	twin_init(t);
	shape_make(shape, n, &rng, t);
	harness_step(shape_name(shape), n);
}

static void assert_kind_after_build(enum shape shape, enum lindex_kind kind)
{
	struct twin t;

	make(shape, 20000, &t);
	world_build(&w, &t);
	assert_most(kind);
	assert_same(w.ix, &w.twin);
	twin_destroy(&t);
}

/* From both ends to the middle, so that order does not help. */
static void assert_kind_after_inserts(enum shape shape, enum lindex_kind kind)
{
	struct twin t;

	make(shape, 6000, &t);
	for (size_t i = 0; i < t.n; i++) {
		size_t at = i % 2 ? t.n - 1 - i / 2 : i / 2;

		world_do(&w, &(struct op){ .run = t.runs[at] });
	}
	assert_most(kind);
	assert_same(w.ix, &w.twin);
	twin_destroy(&t);
}

Test(kinds, aged_file_map_is_packed_lines)
{
	assert_kind_after_build(SHAPE_LFS_AGED, LINDEX_KIND_LINES);
}

Test(kinds, random_everything_is_sparse_records)
{
	assert_kind_after_build(SHAPE_SPARSE_RANDOM, LINDEX_KIND_SPARSE);
}

Test(kinds, scattered_frames_are_dense_residuals)
{
	assert_kind_after_build(SHAPE_SCATTERED_PAGES, LINDEX_KIND_DENSE);
}

Test(kinds, sloped_values_are_dense_residuals)
{
	assert_kind_after_build(SHAPE_SLOPED_PAGES, LINDEX_KIND_DENSE);
}

Test(kinds, half_present_pages_are_presence_and_rank)
{
	assert_kind_after_build(SHAPE_PRESENCE, LINDEX_KIND_PRESENCE);
}

Test(kinds, one_key_in_16_with_one_value_is_presence_and_rank)
{
	assert_kind_after_build(SHAPE_ESPFIX, LINDEX_KIND_PRESENCE);
}

Test(kinds, aged_file_map_is_packed_lines_after_inserts)
{
	assert_kind_after_inserts(SHAPE_LFS_AGED, LINDEX_KIND_LINES);
}

Test(kinds, random_everything_is_sparse_records_after_inserts)
{
	assert_kind_after_inserts(SHAPE_SPARSE_RANDOM, LINDEX_KIND_SPARSE);
}

Test(kinds, scattered_frames_are_dense_residuals_after_inserts)
{
	assert_kind_after_inserts(SHAPE_SCATTERED_PAGES, LINDEX_KIND_DENSE);
}

Test(kinds, half_present_pages_are_presence_and_rank_after_inserts)
{
	assert_kind_after_inserts(SHAPE_PRESENCE, LINDEX_KIND_PRESENCE);
}

Test(kinds, huge_run_between_scattered_regions_is_an_entry_higher_up)
{
	const uint64_t region = 20000, huge = 1ull << 40;
	struct lindex_stats stats;
	struct lindex_cert touched;
	struct lindex_run run;
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	twin_init(&t);
	for (uint64_t i = 0; i < region; i++)
		twin_append(&t, &RUN(i, i, rng_bits(&rng, 24), 1, 0));
	twin_append(&t, &RUN(region, huge - 1, 1ull << 50, 1, 0));
	for (uint64_t i = 0; i < region; i++)
		twin_append(&t, &RUN(huge + i, huge + i, rng_bits(&rng, 24), 1, 0));
	world_build(&w, &t);
	stats = checked_stats();
	cr_assert_geq(stats.kind_leaves[LINDEX_KIND_TERMINAL], 1);
	cr_assert_geq(stats.kind_runs[LINDEX_KIND_TERMINAL], 1);
	cr_assert_eq(lindex_explain(w.ix, huge / 2, &run, &touched), 0);
	cr_assert_eq(run.first, region);
	cr_assert_lt(touched.depth, stats.depth, "a lookup in it ends above the leaves");
	assert_same(w.ix, &w.twin);
	twin_destroy(&t);
}

Test(kinds, up_to_three_runs_are_inline)
{
	struct lindex_stats stats;

	for (uint64_t i = 0; i < 3; i++) {
		read_side_settle();
		world_do(&w, &(struct op){ .run = RUN(i << 60, (i << 60) + 5, ~0ull, 0, 65535) });
		stats = checked_stats();
		cr_assert_eq(stats.kind_runs[LINDEX_KIND_INLINE], i + 1);
		cr_assert_eq(stats.nodes, 0);
	}
	world_do(&w, &(struct op){ .run = RUN(3ull << 60, (3ull << 60) + 5, 1, 0, 1) });
	stats = checked_stats();
	cr_assert_eq(stats.kind_runs[LINDEX_KIND_INLINE], 0);
	cr_assert_geq(stats.nodes, 1);
	read_side_settle();
	world_do(&w, &(struct op){ .run = RUN(5, 2ull << 60, 0, 0, 0), .is_remove = true });
	stats = checked_stats();
	cr_assert_eq(stats.kind_runs[LINDEX_KIND_INLINE], stats.runs, "and small again");
}

Test(kinds, empty_index_has_no_leaf)
{
	struct lindex_stats stats = checked_stats();

	cr_assert_eq(stats.runs, 0);
	cr_assert_eq(stats.nodes, 0);
	cr_assert_eq(stats.node_bytes, 0);
}

Test(kinds, a_mixture_has_every_kind_of_leaf)
{
	struct lindex_stats stats;
	struct twin t;

	make(SHAPE_MIXTURE, 20000, &t);
	world_build(&w, &t);
	stats = checked_stats();
	for (unsigned int kind = 0; kind < LINDEX_KIND_TERMINAL; kind++)
		CHECK(stats.kind_leaves[kind] > 0, "no leaf of kind %s", kind_names[kind]);
	twin_destroy(&t);
}

static int count_lines(void *ctx, const void *bytes, size_t len)
{
	const char *text = bytes;
	uint64_t *lines = ctx;

	for (size_t i = 0; i < len; i++)
		*lines += text[i] == '\n';
	return 0;
}

Test(kinds, dump_has_a_line_for_every_node)
{
	uint64_t lines = 0;
	struct lindex_sink sink = { .write = count_lines, .ctx = &lines };
	struct lindex_stats stats;
	struct twin t;

	make(SHAPE_MIXTURE, 20000, &t);
	world_build(&w, &t);
	stats = checked_stats();
	cr_assert_eq(lindex_dump(w.ix, &sink), 0);
	cr_assert_geq(lines, stats.nodes);
	twin_destroy(&t);
}
