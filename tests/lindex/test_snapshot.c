/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_snapshot(): a copy that stays as it was, whatever happens to the index and in whatever order
 * things are freed.
 */
#include "every_shape.h"

#include "check.h"
#include "images.h"
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

TestSuite(snapshot, .init = open_default, .fini = close_world);

static struct lindex *take(void)
{
	struct lindex *snap;
	int rc = lindex_snapshot(w.ix, &snap);

	CHECK(rc == 0, "snapshot is %d", rc);
	return snap;
}

static void build_shape(enum shape shape, size_t n)
{
	struct twin contents;
	struct rng rng;

	rng_init(&rng, harness_seed(), 11);
	twin_init(&contents);
	shape_make(shape, n, &rng, &contents);
	world_build(&w, &contents);
	twin_destroy(&contents);
}

Test(snapshot, of_an_empty_index_stays_empty)
{
	struct lindex *snap = take();
	struct twin empty;

	twin_init(&empty);
	world_do(&w, &(struct op){ .run = RUN(1, 2, 3, 1, 4) });
	assert_same(snap, &empty);
	lindex_free(snap);
}

Test(snapshot, stays_when_the_index_is_rebuilt)
{
	struct twin before;
	struct lindex *snap;

	twin_init(&before);
	build_shape(SHAPE_LFS_AGED, 5000);
	twin_copy(&before, &w.twin);
	snap = take();
	build_shape(SHAPE_SPARSE_RANDOM, 3000);
	assert_same(snap, &before);
	assert_same(w.ix, &w.twin);
	lindex_free(snap);
	twin_destroy(&before);
}

Test(snapshot, outlives_its_index)
{
	struct lindex *snap, *other;
	struct twin before;

	twin_init(&before);
	build_shape(SHAPE_MIXTURE, 5000);
	twin_copy(&before, &w.twin);
	snap = take();
	world_do(&w, &(struct op){ .run = RUN(0, UINT64_MAX / 2, 0, 0, 1) });
	lindex_free(w.ix);
	/* What takes the index's place must not take the snapshot's nodes. */
	cr_assert_eq(lindex_create(w.pool, NULL, &other), 0);
	w.ix = other;
	build_shape(SHAPE_SPARSE_RANDOM, 5000);
	assert_same(snap, &before);
	lindex_free(snap);
	assert_same(w.ix, &w.twin);
	twin_destroy(&before);
}

Test(snapshot, keeps_the_pool_busy)
{
	struct lindex *snap = take();

	lindex_free(w.ix);
	cr_assert_eq(lindex_pool_free(w.pool), -EBUSY);
	lindex_free(snap);
	cr_assert_eq(lindex_create(w.pool, NULL, &w.ix), 0);
}

Test(snapshot, costs_next_to_nothing)
{
	struct lindex *snaps[50];
	uint64_t bytes;

	build_shape(SHAPE_LFS_AGED, 50000);
	bytes = lindex_pool_bytes(w.pool);
	for (size_t i = 0; i < 50; i++)
		snaps[i] = take();
	cr_assert_leq(lindex_pool_bytes(w.pool), bytes + 256 * 1024);
	for (size_t i = 0; i < 50; i++)
		lindex_free(snaps[i]);
}

Test(snapshot, saves_the_image_of_its_own_contents)
{
	struct image before = { 0 }, after = { 0 };
	struct lindex *snap;

	build_shape(SHAPE_MIXTURE, 3000);
	image_save(&before, w.ix);
	snap = take();
	world_do(&w, &(struct op){ .run = RUN(100, 100000, 5, 1, 1) });
	image_save(&after, snap);
	cr_assert(image_equal(&before, &after));
	lindex_free(snap);
	image_destroy(&before);
	image_destroy(&after);
}

Test(snapshot, cursor_walks_while_the_index_changes)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	struct lindex *snap;
	struct twin before;

	twin_init(&before);
	build_shape(SHAPE_ALTERNATE, 3000);
	twin_copy(&before, &w.twin);
	snap = take();
	lindex_cursor_init(&cur, snap, 0);
	for (size_t i = 0; i < before.n; i++) {
		uint64_t key = before.runs[i].first;

		world_do(&w, &(struct op){ .run = RUN(key, key + 5, 0, 0, 0), .is_remove = true });
		CHECK(lindex_cursor_next(&cur, &run) == 0, "run %zu", i);
		CHECK(run_equal(&run, &before.runs[i]), "run %zu: %s", i, run_text(&run));
	}
	lindex_free(snap);
	twin_destroy(&before);
}

/* ---- Many, freed in any order -------------------------------------------------------------------- */

#define KEPT 6

struct kept {
	struct lindex *snap;
	struct twin twin;
};

static void drop(struct kept *kept)
{
	assert_same(kept->snap, &kept->twin);
	lindex_free(kept->snap);
	kept->snap = NULL;
}

static void keep(struct kept *kept)
{
	if (kept->snap)
		drop(kept);
	kept->snap = take();
	twin_copy(&kept->twin, &w.twin);
}

EVERY_SHAPE(snapshot, many_stay_as_they_were)
{
	struct kept kept[KEPT] = { { 0 } };
	struct twin donor;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	twin_init(&donor);
	shape_make(*shape, 700, &rng, &donor);
	world_build(&w, &donor);
	for (uint64_t step = 0; step < 3000; step++) {
		struct op op = op_draw(&w.twin, &donor, 800, &rng);

		harness_step(shape_name(*shape), step);
		world_do(&w, &op);
		if (rng_one_in(&rng, 60))
			keep(&kept[rng_below(&rng, KEPT)]);
		if (rng_one_in(&rng, 100))
			lindex_pool_reclaim(w.pool);
	}
	assert_same(w.ix, &w.twin);
	for (size_t i = 0; i < KEPT; i++) {
		if (kept[i].snap)
			drop(&kept[i]);
		twin_destroy(&kept[i].twin);
	}
	assert_same(w.ix, &w.twin);
	twin_destroy(&donor);
}
