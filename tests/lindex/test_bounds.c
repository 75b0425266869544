/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Worst cases are constants. Nodes, lines and bytes are counted, never timed, on friendly and on
 * hostile input: hole-punch, one-key overwrites, zigzag, oscillation, outliers, exponential gaps,
 * thinning, and an adversary that sees the structure and picks the next key.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "keys.h"
#include "same.h"
#include "world.h"

/* ---- The constants ---------------------------------------------------------------------------------- */

/* An inner node has at least this many entries, where it is not the root: bounds the depth. */
#define FANOUT_AT_LEAST 22u
#define DEPTH_EXTRA     2u

/* Entries of the largest window, in any configuration: a whole inner node, padded. */
#define WINDOW_AT_MOST 504u

/* One lookup: lines and keys compared, in the header and per node on the path. */
#define LINES_BASE     2u
#define LINES_PER_NODE 10u
#define OPS_BASE       16u
#define OPS_PER_NODE   64u

/* One update: 6 leaves, 3 inner nodes per level and a new root, whatever it displaces; an inner node is a page. */
#define LEAVES_WRITTEN             6u
#define INNER_WRITTEN(depth)       (3u * ((depth)-1u) + 1u)
#define NODES_WRITTEN(depth)       (LEAVES_WRITTEN + INNER_WRITTEN(depth))
#define INNER_BYTES                4096u
#define BYTES_WRITTEN(depth, leaf) (LEAVES_WRITTEN * (leaf) + INNER_WRITTEN(depth) * INNER_BYTES)
#define NODES_RETIRED(depth)       (4u * ((depth) + 1u))

/* Nodes of earlier changes that one update frees. */
#define NODES_FREED_AT_MOST 64u

/* Bytes of nodes per run, when every end, value, tag and step is random. */
#define RUN_BYTES_BULK    28u
#define RUN_BYTES_DYNAMIC 48u

/* Below this many runs, bytes per run mean nothing. */
#define FEW_RUNS 1000u

/* What the pool holds beyond the nodes in use: books, free pages, scratch. */
#define POOL_FIXED_BYTES (1024u * 1024u)

/* ---- What is counted ---------------------------------------------------------------------------------- */

struct arena {
	struct world w;
	uint32_t node_bytes;
	struct rng rng;
};

/*
 * The worst that was seen, printed at the end of each test where LINDEX_SHOW is set: how far the
 * constants are from what happens.
 */
static struct {
	uint32_t depth, lines, lines_depth, ops, window, written, written_bytes, retired, freed;
	double run_bytes, pool_factor;
} worst;

#define NOTE(field, value)                                                                         \
	do {                                                                                       \
		if ((value) > worst.field)                                                         \
			worst.field = (value);                                                     \
	} while (0)

static void show_worst(void)
{
	if (!getenv("LINDEX_SHOW"))
		return;
	fprintf(stderr,
		"depth %u lines %u (at depth %u) ops %u window %u | written %u (%u bytes) "
		"retired %u freed %u | %.1f bytes a run, pool %.2f of nodes\n",
		worst.depth, worst.lines, worst.lines_depth, worst.ops, worst.window, worst.written,
		worst.written_bytes, worst.retired, worst.freed, worst.run_bytes,
		worst.pool_factor);
}

TestSuite(bounds, .fini = show_worst);

static void arena_open(struct arena *a, const struct lindex_config *cfg, uint64_t salt)
{
	world_open(&a->w, cfg, 0, 0);
	a->node_bytes = cfg && cfg->node_bytes ? cfg->node_bytes : 512;
	rng_init(&a->rng, harness_seed(), salt);
}

static void arena_close(struct arena *a)
{
	assert_same(a->w.ix, &a->w.twin);
	world_close(&a->w);
}

static uint32_t most_depth(uint64_t runs)
{
	uint32_t depth = DEPTH_EXTRA;

	for (; runs > 1; runs /= FANOUT_AT_LEAST)
		depth++;
	return depth;
}

static struct lindex_cert explain(const struct arena *a, uint64_t key)
{
	struct lindex_cert touched;
	struct lindex_run run;
	int rc = lindex_explain(a->w.ix, key, &run, &touched);

	CHECK(rc == 0 || rc == -ENOENT, "explain is %d", rc);
	return touched;
}

static void assert_lookup_bounded(const struct arena *a, uint64_t key)
{
	struct lindex_cert touched = explain(a, key);

	NOTE(depth, touched.depth);
	NOTE(ops, touched.ops);
	NOTE(window, touched.window);
	if (touched.lines > worst.lines) {
		worst.lines = touched.lines;
		worst.lines_depth = touched.depth;
	}
	CHECK(touched.depth <= most_depth(a->w.twin.n), "depth %u with %zu runs", touched.depth,
	      a->w.twin.n);
	CHECK(touched.lines <= LINES_BASE + LINES_PER_NODE * touched.depth,
	      "%u lines at depth %u, key %" PRIu64, touched.lines, touched.depth, key);
	CHECK(touched.window <= WINDOW_AT_MOST, "window %u, key %" PRIu64, touched.window, key);
	CHECK(touched.ops <= OPS_BASE + OPS_PER_NODE * touched.depth,
	      "%u keys compared at depth %u, key %" PRIu64, touched.ops, touched.depth, key);
}

/* Lookups of all edges, or of a sample, and the figures of the whole. */
static void assert_bounded(const struct arena *a, uint64_t run_bytes)
{
	size_t every = a->w.twin.n / 20000 + 1;
	struct lindex_stats stats;

	for (size_t i = 0; i < a->w.twin.n; i += every) {
		assert_lookup_bounded(a, a->w.twin.runs[i].first);
		assert_lookup_bounded(a, a->w.twin.runs[i].last);
		assert_lookup_bounded(a, a->w.twin.runs[i].last + 1);
	}
	assert_lookup_bounded(a, 0);
	assert_lookup_bounded(a, UINT64_MAX);
	lindex_get_stats(a->w.ix, &stats);
	CHECK(stats.depth <= most_depth(stats.runs), "depth %u with %" PRIu64 " runs", stats.depth,
	      stats.runs);
	CHECK(stats.window <= WINDOW_AT_MOST, "window %u", stats.window);
	if (stats.runs < FEW_RUNS)
		return;
	NOTE(run_bytes, (double)stats.node_bytes / (double)stats.runs);
	CHECK(stats.node_bytes <= run_bytes * stats.runs,
	      "%" PRIu64 " bytes of nodes for %" PRIu64 " runs: %.1f a run, more than %" PRIu64,
	      stats.node_bytes, stats.runs, (double)stats.node_bytes / (double)stats.runs,
	      run_bytes);
}

/* What the pool holds follows what is in use: nothing piles up. */
static void assert_pool_bounded(struct arena *a)
{
	struct lindex_stats stats;

	lindex_pool_reclaim(a->w.pool);
	lindex_get_stats(a->w.ix, &stats);
	CHECK(stats.retired_bytes == 0, "%" PRIu64 " bytes retired after reclaim",
	      stats.retired_bytes);
	if (stats.node_bytes > POOL_FIXED_BYTES)
		NOTE(pool_factor, (double)stats.pool_bytes / (double)stats.node_bytes);
	CHECK(stats.pool_bytes <= 2 * stats.node_bytes + POOL_FIXED_BYTES,
	      "pool holds %" PRIu64 " bytes for %" PRIu64 " of nodes", stats.pool_bytes,
	      stats.node_bytes);
}

static void assert_update_bounded(const struct arena *a, uint32_t depth)
{
	struct lindex_update_cost cost;

	lindex_last_cost(a->w.ix, &cost);
	NOTE(written, cost.nodes_written);
	NOTE(written_bytes, cost.bytes_written);
	NOTE(retired, cost.nodes_retired);
	NOTE(freed, cost.nodes_freed);
	CHECK(cost.nodes_written <= NODES_WRITTEN(depth), "%u nodes written at depth %u",
	      cost.nodes_written, depth);
	CHECK(cost.bytes_written <= BYTES_WRITTEN(depth, a->node_bytes), "%u bytes in %u nodes",
	      cost.bytes_written, cost.nodes_written);
	CHECK(cost.nodes_retired <= NODES_RETIRED(depth), "%u nodes retired at depth %u",
	      cost.nodes_retired, depth);
	CHECK(cost.nodes_freed <= NODES_FREED_AT_MOST, "%u nodes freed", cost.nodes_freed);
}

/* One change, its cost, and a lookup beside it. */
static void change(struct arena *a, const struct op *op)
{
	uint32_t before = explain(a, op->run.first).depth, after;

	world_do(&a->w, op);
	after = explain(a, op->run.first).depth;
	assert_update_bounded(a, before > after ? before : after);
	assert_lookup_bounded(a, op->run.first);
	assert_lookup_bounded(a, op->run.last);
}

static void put(struct arena *a, struct lindex_run run)
{
	change(a, &(struct op){ .run = run });
}

static void clear(struct arena *a, uint64_t first, uint64_t last)
{
	change(a, &(struct op){ .run = RUN(first, last, 0, 0, 0), .is_remove = true });
}

static void load_shape(struct arena *a, enum shape shape, size_t n)
{
	struct twin t;

	twin_init(&t);
	shape_make(shape, n, &a->rng, &t);
	world_build(&a->w, &t);
	twin_destroy(&t);
}

/* ---- Bulk loads --------------------------------------------------------------------------------------- */

static const struct lindex_config configs[] = {
	{ 0 },
	{ .epsilon = 2, .node_bytes = 256 },
	{ .epsilon = 8, .node_bytes = 1024 },
	{ .epsilon = 64, .node_bytes = 512 },
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

Test(bounds, hold_after_bulk_load_of_every_shape)
{
	struct arena a;

	for (size_t i = 0; i < CONFIGS; i++) {
		for (unsigned int shape = 0; shape < SHAPE_COUNT; shape++) {
			/* Half-size nodes have twice the heads: the promise is for the default. */
			uint64_t bytes = i ? RUN_BYTES_DYNAMIC : RUN_BYTES_BULK;

			harness_step(shape_name((enum shape)shape), i);
			arena_open(&a, &configs[i], shape);
			load_shape(&a, (enum shape)shape, 30000);
			assert_bounded(&a, bytes);
			assert_pool_bounded(&a);
			arena_close(&a);
		}
	}
}

Test(bounds, random_everything_takes_28_bytes_a_run_in_bulk)
{
	/* With fewer runs their ends are further apart, and so longer numbers. */
	static const size_t sizes[] = { 10000, 100000, 1000000 };
	struct arena a;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		harness_step("sparse random", sizes[i]);
		arena_open(&a, NULL, i);
		load_shape(&a, SHAPE_SPARSE_RANDOM, sizes[i]);
		assert_bounded(&a, RUN_BYTES_BULK);
		world_close(&a.w);
	}
}

/* Terminal runs take four times the bytes of other entries: nodes full of them meet nodes full of those. */
#define CLUSTER 391u /* short runs that fill one leaf */

static void add_cluster(struct arena *a, struct twin *t, uint64_t *key, bool term)
{
	if (term) {
		twin_insert(t, &RUN(*key, *key + 99, 1ull << 50, 0, 7));
		*key += 101;
	}
	for (unsigned int i = 0; i < CLUSTER; i++, ++*key)
		twin_insert(t, &RUN(*key, *key, 2 * rng_below(&a->rng, 128) + (i & 1), 0, 0));
}

Test(bounds, three_inner_nodes_per_level_hold_terminal_runs_beside_plain_entries)
{
	const struct lindex_config cfg = { .epsilon = 504 };
	struct lindex_stats before, after;
	uint64_t key = 0, edge;
	struct arena a;
	struct twin t;

	arena_open(&a, &cfg, 14);
	twin_init(&t);
	for (unsigned int i = 0; i < 78; i++)
		add_cluster(&a, &t, &key, true);
	edge = key - 10;
	key += 1ull << 40;
	for (unsigned int i = 0; i < 490; i++)
		add_cluster(&a, &t, &key, false);
	world_build(&a.w, &t);
	lindex_get_stats(a.w.ix, &before);
	CHECK(before.kind_runs[LINDEX_KIND_TERMINAL] > 70, "few terminal runs");
	clear(&a, edge, edge + (1ull << 40) + 20);
	lindex_get_stats(a.w.ix, &after);
	/* Two nodes of level 1 were cut. */
	CHECK(after.inner_nodes <= before.inner_nodes + 1, "%" PRIu64 " inner nodes, from %" PRIu64,
	      after.inner_nodes, before.inner_nodes);
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	twin_destroy(&t);
	arena_close(&a);
}

/* ---- Changes of every shape --------------------------------------------------------------------------- */

Test(bounds, hold_after_each_random_change)
{
	struct arena a;
	struct twin donor;

	twin_init(&donor);
	for (unsigned int shape = 0; shape < SHAPE_COUNT; shape++) {
		arena_open(&a, &configs[shape % CONFIGS], shape);
		shape_make((enum shape)shape, 3000, &a.rng, &donor);
		for (uint64_t step = 0; step < harness_longer(5000); step++) {
			struct op op = op_draw(&a.w.twin, &donor, 3000, &a.rng);

			harness_step(shape_name((enum shape)shape), step);
			change(&a, &op);
		}
		assert_bounded(&a, RUN_BYTES_DYNAMIC);
		assert_pool_bounded(&a);
		arena_close(&a);
	}
	twin_destroy(&donor);
}

Test(bounds, random_everything_takes_48_bytes_a_run_after_changes)
{
	struct arena a;
	struct twin donor;

	arena_open(&a, NULL, 2);
	twin_init(&donor);
	shape_make(SHAPE_SPARSE_RANDOM, 20000, &a.rng, &donor);
	for (uint64_t step = 0; step < harness_longer(40000); step++) {
		struct op op = { .run = donor.runs[rng_below(&a.rng, donor.n)] };

		harness_step("sparse random", step);
		op.is_remove = a.w.twin.n > 8000 && rng_one_in(&a.rng, 2);
		op.run.value = rng_u64(&a.rng) >> 1;
		if (run_wraps(&op.run))
			op.run.step = 0;
		change(&a, &op);
		if (step % 2000 == 1999)
			assert_bounded(&a, RUN_BYTES_DYNAMIC);
	}
	arena_close(&a);
	twin_destroy(&donor);
}

/* ---- Hostile courses ---------------------------------------------------------------------------------- */

Test(bounds, hold_under_hole_punch_of_every_other_key)
{
	const uint64_t n = harness_longer(10000);
	struct arena a;

	arena_open(&a, NULL, 3);
	put(&a, RUN(0, 2 * n, 1ull << 40, 1, 0));
	for (uint64_t i = 0; i < n; i++) {
		harness_step("punch", i);
		clear(&a, 2 * i, 2 * i);
		if (i % 1000 == 999)
			assert_bounded(&a, RUN_BYTES_DYNAMIC);
	}
	assert_pool_bounded(&a);
	arena_close(&a);
}

Test(bounds, hold_under_one_key_overwrites_at_random)
{
	struct arena a;

	arena_open(&a, NULL, 4);
	put(&a, RUN(0, 1 << 20, 0, 1, 0));
	for (uint64_t step = 0; step < harness_longer(20000); step++) {
		uint64_t key = rng_below(&a.rng, 1 << 20);

		harness_step("overwrite", step);
		put(&a, RUN(key, key, rng_u64(&a.rng), 1, (uint16_t)rng_u64(&a.rng)));
		if (step % 2000 == 1999)
			assert_bounded(&a, RUN_BYTES_DYNAMIC);
	}
	assert_pool_bounded(&a);
	arena_close(&a);
}

Test(bounds, hold_under_zigzag_inserts)
{
	struct arena a;
	struct twin t;

	arena_open(&a, NULL, 5);
	twin_init(&t);
	shape_make(SHAPE_ZIGZAG, harness_longer(6000), &a.rng, &t);
	for (size_t i = 0; i < t.n; i++) {
		harness_step("zigzag", i);
		put(&a, t.runs[i * 7919 % t.n]);
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	arena_close(&a);
	twin_destroy(&t);
}

Test(bounds, hold_under_oscillation_at_one_boundary)
{
	struct arena a;

	arena_open(&a, NULL, 6);
	load_shape(&a, SHAPE_SCATTERED_PAGES, 5000);
	for (uint64_t step = 0; step < harness_longer(5000); step++) {
		harness_step("oscillation", step);
		clear(&a, 2500, 2500);
		put(&a, RUN(2500, 2500, step, 1, 0));
		if (step % 64 == 0) {
			clear(&a, 2400, 2600);
			put(&a, RUN(2400, 2600, 1 << 20, 1, 0));
		}
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	assert_pool_bounded(&a);
	arena_close(&a);
}

Test(bounds, hold_under_outliers_that_come_and_go)
{
	struct arena a;

	arena_open(&a, NULL, 7);
	load_shape(&a, SHAPE_STRIDE, 5000);
	for (uint64_t step = 0; step < harness_longer(3000); step++) {
		uint64_t far = (1ull << rng_between(&a.rng, 17, 63)) + rng_below(&a.rng, 4);

		harness_step("outlier", step);
		put(&a, RUN(far, far, rng_u64(&a.rng), 1, 0));
		if (rng_one_in(&a.rng, 3))
			clear(&a, far, UINT64_MAX);
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	arena_close(&a);
}

Test(bounds, hold_under_exponentially_growing_gaps)
{
	struct arena a;
	struct twin t;

	arena_open(&a, NULL, 8);
	twin_init(&t);
	shape_make(SHAPE_EXPONENTIAL, 4000, &a.rng, &t);
	for (size_t i = t.n; i-- > 0;) {
		harness_step("exponential", i);
		put(&a, t.runs[i]);
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	arena_close(&a);
	twin_destroy(&t);
}

/* Keys that halve the gap to the same point again and again: each node sees the same skew. */
Test(bounds, hold_under_inserts_that_close_in_on_one_key)
{
	struct arena a;

	arena_open(&a, NULL, 9);
	for (unsigned int round = 0; round < 64; round++) {
		uint64_t centre = rng_u64(&a.rng);

		for (unsigned int bit = 63; bit > 0; bit--) {
			uint64_t low = centre & ~((1ull << bit) - 1);

			harness_step("closing in", round * 64 + bit);
			put(&a, RUN(low, low, rng_u64(&a.rng), 1, 0));
		}
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	arena_close(&a);
}

/* One run in @keep stays: nodes that are left nearly empty must be joined. */
static void thin_out(enum shape shape, uint64_t keep, size_t n)
{
	struct arena a;
	struct twin t;

	arena_open(&a, NULL, keep);
	load_shape(&a, shape, n);
	twin_init(&t);
	twin_copy(&t, &a.w.twin);
	for (size_t i = 0; i < t.n; i++) {
		if (i % keep == 0)
			continue;
		harness_step(shape_name(shape), i);
		clear(&a, t.runs[i].first, t.runs[i].last);
	}
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	assert_pool_bounded(&a);
	arena_close(&a);
	twin_destroy(&t);
}

Test(bounds, hold_after_thinning_out)
{
	static const uint64_t keeps[] = { 2, 4, 9, 30 };

	for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
		thin_out(SHAPE_SPARSE_RANDOM, keeps[i], 1000 * keeps[i]);
		thin_out(SHAPE_LFS_AGED, keeps[i], 1000 * keeps[i]);
		thin_out(SHAPE_PRESENCE, keeps[i], 1000 * keeps[i]);
	}
}

/* ---- The adversary ------------------------------------------------------------------------------------ */

enum taste { TASTE_LINES, TASTE_OPS, TASTE_WINDOW, TASTE_COUNT };

static uint64_t badness(const struct arena *a, uint64_t key, enum taste taste)
{
	struct lindex_cert touched = explain(a, key);

	switch (taste) {
	case TASTE_LINES:
		return touched.lines;
	case TASTE_OPS:
		return touched.ops;
	default:
		return touched.window;
	}
}

/* The key among some at which a lookup costs most. */
static uint64_t worst_key(struct arena *a, enum taste taste)
{
	uint64_t where = 0, most = 0;

	for (int i = 0; i < 24; i++) {
		const struct lindex_run *run;
		uint64_t key, cost;

		run = &a->w.twin.runs[rng_below(&a->rng, a->w.twin.n)];
		key = rng_one_in(&a->rng, 2) ? run->last + 1 : run->first;
		cost = badness(a, key, taste);
		if (cost > most) {
			most = cost;
			where = key;
		}
	}
	return where;
}

/* Makes the worst place worse: one more run there, or one less. */
static void strike(struct arena *a, enum taste taste)
{
	uint64_t key = worst_key(a, taste);
	uint64_t by = rng_magnitude(&a->rng, 20);

	if (a->w.twin.n > 1000 && (a->w.twin.n > 6000 || rng_one_in(&a->rng, 3)))
		clear(a, key > by ? key - by : 0, key);
	else
		put(a, RUN(key, key, rng_u64(&a->rng), 1, (uint16_t)rng_u64(&a->rng)));
	if (rng_one_in(&a->rng, 4))
		put(a, RUN(key ^ by, key ^ by, rng_magnitude(&a->rng, 64), 1, 0));
}

Test(bounds, hold_against_an_adversary_that_sees_the_structure)
{
	static const enum shape shapes[] = { SHAPE_LOGNORMAL, SHAPE_LFS_AGED, SHAPE_PRESENCE,
					     SHAPE_SPARSE_RANDOM };
	struct arena a;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		for (unsigned int taste = 0; taste < TASTE_COUNT; taste++) {
			arena_open(&a, NULL, 10 * i + taste);
			load_shape(&a, shapes[i], 2000);
			for (uint64_t step = 0; step < harness_longer(4000); step++) {
				harness_step(shape_name(shapes[i]), step);
				strike(&a, (enum taste)taste);
			}
			assert_bounded(&a, RUN_BYTES_DYNAMIC);
			arena_close(&a);
		}
	}
}

/* The same with bytes: keeps the change that made the index fatter per run, takes back the other. */
Test(bounds, hold_against_an_adversary_that_weighs_the_structure)
{
	struct lindex_stats before, after;
	struct arena a;

	arena_open(&a, NULL, 77);
	load_shape(&a, SHAPE_SPARSE_RANDOM, 1200);
	for (uint64_t step = 0; step < harness_longer(3000); step++) {
		struct lindex_run run = a.w.twin.runs[rng_below(&a.rng, a.w.twin.n)];

		harness_step("weighing", step);
		lindex_get_stats(a.w.ix, &before);
		clear(&a, run.first, run.last);
		lindex_get_stats(a.w.ix, &after);
		/* Fatter: bytes stayed though a run went. Else put it back, or the map is eaten. */
		if (after.node_bytes < before.node_bytes || after.runs < FEW_RUNS)
			put(&a, run);
		if (step % 10 == 0)
			assert_bounded(&a, RUN_BYTES_DYNAMIC);
	}
	arena_close(&a);
}

/* ---- Dropping is incremental -------------------------------------------------------------------------- */

Test(bounds, hold_when_a_change_drops_almost_everything)
{
	struct arena a;

	arena_open(&a, NULL, 12);
	for (unsigned int round = 0; round < 5; round++) {
		harness_step("drop", round);
		load_shape(&a, SHAPE_SPARSE_RANDOM, 100000);
		clear(&a, 1000, UINT64_MAX - 1000);
		load_shape(&a, SHAPE_SPARSE_RANDOM, 100000);
		put(&a, RUN(1ull << 40, UINT64_MAX - (1ull << 50), 0, 0, 1));
		for (uint64_t i = 0; i < 2000; i++)
			put(&a, RUN(7 * i, 7 * i + 2, i * i, 1, 0));
	}
	assert_pool_bounded(&a);
	arena_close(&a);
}

/* Small changes forever: what earlier ones retired is freed as they go. */
Test(bounds, memory_does_not_grow_under_steady_overwrites)
{
	uint64_t most = 0, early = 0;
	struct arena a;

	arena_open(&a, NULL, 13);
	load_shape(&a, SHAPE_LFS_AGED, 20000);
	for (uint64_t step = 0; step < harness_longer(60000); step++) {
		uint64_t first = rng_below(&a.rng, 120000), bytes;

		harness_step("overwrite", step);
		world_do(&a.w, &(struct op){ .run = RUN(first, first + rng_below(&a.rng, 12),
							1000000 + step * 12, 1, 0) });
		bytes = lindex_pool_bytes(a.w.pool);
		most = bytes > most ? bytes : most;
		if (step == 20000)
			early = most;
	}
	/* It may fill up to the steady state; from then on it stays. */
	CHECK(most <= early + early / 4 + POOL_FIXED_BYTES,
	      "%" PRIu64 " bytes at most, %" PRIu64 " at a third", most, early);
	assert_bounded(&a, RUN_BYTES_DYNAMIC);
	arena_close(&a);
}
