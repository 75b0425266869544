/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Cursors: both ways, from any key, and across changes of the map between two steps.
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

TestSuite(cursor, .init = open_default, .fini = close_world);

static void insert(struct lindex_run run)
{
	world_do(&w, &(struct op){ .run = run });
}

static void assert_next(struct lindex_cursor *cur, uint64_t first)
{
	struct lindex_run run;

	cr_assert_eq(lindex_cursor_next(cur, &run), 0);
	cr_assert_eq(run.first, first);
}

static void assert_prev(struct lindex_cursor *cur, uint64_t first)
{
	struct lindex_run run;

	cr_assert_eq(lindex_cursor_prev(cur, &run), 0);
	cr_assert_eq(run.first, first);
}

Test(cursor, on_an_empty_index_finds_nothing_and_leaves_the_output_alone)
{
	struct lindex_run run = RUN(1, 2, 3, 1, 4), before = run;
	struct lindex_cursor cur;

	lindex_cursor_init(&cur, w.ix, 0);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
	lindex_cursor_init_end(&cur, w.ix);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
	cr_assert(run_equal(&run, &before));
}

Test(cursor, inside_a_run_returns_that_run_both_ways)
{
	struct lindex_cursor cur;

	insert(RUN(10, 19, 0, 1, 0));
	insert(RUN(30, 39, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 35);
	assert_next(&cur, 30);
	lindex_cursor_init(&cur, w.ix, 35);
	assert_prev(&cur, 30);
}

Test(cursor, in_a_hole_returns_the_runs_beside_it)
{
	struct lindex_cursor cur;

	insert(RUN(10, 19, 0, 1, 0));
	insert(RUN(30, 39, 0, 1, 0));
	for (uint64_t key = 20; key <= 30; key++) {
		lindex_cursor_init(&cur, w.ix, key);
		assert_next(&cur, 30);
		lindex_cursor_init(&cur, w.ix, key);
		assert_prev(&cur, 10);
	}
}

Test(cursor, turns_round)
{
	struct lindex_cursor cur;

	insert(RUN(10, 19, 0, 1, 0));
	insert(RUN(30, 39, 0, 1, 0));
	insert(RUN(40, 49, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 0);
	assert_next(&cur, 10);
	assert_prev(&cur, 10);
	assert_next(&cur, 10);
	assert_next(&cur, 30);
	assert_next(&cur, 40);
	assert_prev(&cur, 40);
	assert_prev(&cur, 30);
	assert_next(&cur, 30);
}

Test(cursor, passes_the_last_key)
{
	struct lindex_run run;
	struct lindex_cursor cur;

	insert(RUN(5, 5, 0, 1, 0));
	insert(RUN(UINT64_MAX, UINT64_MAX, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, UINT64_MAX);
	assert_next(&cur, UINT64_MAX);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT, "it stays behind the last key");
	assert_prev(&cur, UINT64_MAX);
	assert_prev(&cur, 5);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
	lindex_cursor_init(&cur, w.ix, UINT64_MAX);
	assert_prev(&cur, 5);
}

Test(cursor, passes_key_zero)
{
	struct lindex_run run;
	struct lindex_cursor cur;

	insert(RUN(0, 0, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 0);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
	assert_next(&cur, 0);
	assert_prev(&cur, 0);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
	assert_next(&cur, 0);
}

Test(cursor, walks_a_run_of_all_keys)
{
	struct lindex_run run;
	struct lindex_cursor cur;

	insert(RUN(0, UINT64_MAX, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 77);
	assert_next(&cur, 0);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT);
	lindex_cursor_init_end(&cur, w.ix);
	assert_prev(&cur, 0);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -ENOENT);
}

Test(cursor, may_be_copied)
{
	struct lindex_cursor cur, copy;

	insert(RUN(10, 19, 0, 1, 0));
	insert(RUN(30, 39, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 0);
	assert_next(&cur, 10);
	copy = cur;
	assert_next(&cur, 30);
	assert_next(&copy, 30);
}

/* ---- Pause and resume ---------------------------------------------------------------------------- */

Test(cursor, resumes_at_its_key_when_its_run_is_gone)
{
	struct lindex_cursor cur;

	for (uint64_t i = 0; i < 1000; i++)
		insert(RUN(10 * i, 10 * i + 4, i, 1, 0));
	lindex_cursor_init(&cur, w.ix, 500);
	assert_next(&cur, 500);
	world_do(&w, &(struct op){ .run = RUN(100, 8004, 0, 0, 0), .is_remove = true });
	assert_next(&cur, 8010);
	assert_prev(&cur, 8010);
	assert_prev(&cur, 90);
}

Test(cursor, sees_what_was_inserted_in_front_of_it)
{
	struct lindex_cursor cur;

	insert(RUN(10, 19, 0, 1, 0));
	insert(RUN(50, 59, 0, 1, 0));
	lindex_cursor_init(&cur, w.ix, 0);
	assert_next(&cur, 10);
	insert(RUN(30, 39, 5, 1, 0));
	assert_next(&cur, 30);
}

Test(cursor, returns_a_run_that_has_grown_over_its_place)
{
	struct lindex_cursor cur;
	struct lindex_run run;

	insert(RUN(10, 19, 10, 1, 0));
	lindex_cursor_init(&cur, w.ix, 0);
	assert_next(&cur, 10);
	insert(RUN(20, 29, 20, 1, 0));
	/* One run 10..29 now: it ends after the cursor, and it is given whole. */
	cr_assert_eq(lindex_cursor_next(&cur, &run), 0);
	cr_assert(run.first == 10 && run.last == 29);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -ENOENT);
}

/* The cursor's place, kept beside it by hand: what each step must give follows from the twin. */
struct place {
	uint64_t pos;
	bool at_end;
};

static void step_forward(struct lindex_cursor *cur, struct place *place)
{
	struct lindex_run got, want;
	int rc = lindex_cursor_next(cur, &got);
	int expect = place->at_end ? -ENOENT : twin_next(&w.twin, place->pos, &want);

	CHECK(rc == expect, "next() is %d, not %d", rc, expect);
	if (rc)
		return;
	CHECK(run_equal(&got, &want), "next(): %s, not %s", run_text(&got), run_text(&want));
	place->at_end = got.last == UINT64_MAX;
	place->pos = got.last + 1;
}

static void step_back(struct lindex_cursor *cur, struct place *place)
{
	struct lindex_run got, want;
	int rc = lindex_cursor_prev(cur, &got);
	int expect = twin_prev(&w.twin, place->pos, place->at_end, &want);

	CHECK(rc == expect, "prev() is %d, not %d", rc, expect);
	if (rc)
		return;
	CHECK(run_equal(&got, &want), "prev(): %s, not %s", run_text(&got), run_text(&want));
	place->at_end = false;
	place->pos = got.first;
}

static void put(struct lindex_cursor *cur, struct place *place, uint64_t key, bool at_end)
{
	place->pos = key;
	place->at_end = at_end;
	if (at_end)
		lindex_cursor_init_end(cur, w.ix);
	else
		lindex_cursor_init(cur, w.ix, key);
}

/* At either end a cursor may stay or go on to the edge: put it down anew, so that both are right. */
static void walk_some(struct lindex_cursor *cur, struct place *place, const struct twin *donor,
		      struct rng *rng)
{
	bool back = rng_one_in(rng, 2);

	for (uint64_t n = rng_below(rng, 6); n > 0; n--) {
		struct place was = *place;

		if (back)
			step_back(cur, place);
		else
			step_forward(cur, place);
		if (was.pos == place->pos && was.at_end == place->at_end)
			break;
	}
	if (rng_one_in(rng, 8)) {
		uint64_t key = donor->n ? donor->runs[rng_below(rng, donor->n)].last : 0;

		put(cur, place, rng_one_in(rng, 8) ? rng_u64(rng) : key, rng_one_in(rng, 20));
	}
}

EVERY_SHAPE(cursor, is_exact_at_each_step_while_the_map_changes)
{
	struct lindex_cursor cur;
	struct place place;
	struct twin donor;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	twin_init(&donor);
	shape_make(*shape, 800, &rng, &donor);
	world_build(&w, &donor);
	put(&cur, &place, 0, false);
	for (uint64_t step = 0; step < 4000; step++) {
		struct op op = op_draw(&w.twin, &donor, 900, &rng);

		harness_step(shape_name(*shape), step);
		world_do(&w, &op);
		walk_some(&cur, &place, &donor, &rng);
	}
	twin_destroy(&donor);
}
