/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The judge is judged: the twin against the flat map of cells, on random and on drawn changes; and
 * the generators against their own promises.
 */
#include "every_shape.h"

#include "cells.h"
#include "check.h"
#include "same.h"
#include "world.h"

static void assert_twin_is_cells(const struct twin *t, const struct cells *c)
{
	struct lindex_run runs[CELLS_MAX], want, got;
	unsigned int n = cells_runs(c, runs);

	CHECK(n == t->n, "%zu runs, not %u", t->n, n);
	for (unsigned int i = 0; i < n; i++)
		CHECK(run_equal(&runs[i], &t->runs[i]), "run %u: %s, not %s", i,
		      run_text(&t->runs[i]), run_text(&runs[i]));
	for (unsigned int i = 0; i < c->n; i++) {
		CHECK(twin_lookup(t, c->base + i, &got) == cells_lookup(c, c->base + i, &want),
		      "key %u", i);
		CHECK(run_equal(&got, &want), "key %u: %s, not %s", i, run_text(&got),
		      run_text(&want));
	}
}

static void compare_on_random_changes(uint64_t base)
{
	struct cells cells;
	struct twin twin;
	struct rng rng;

	rng_init(&rng, harness_seed(), base);
	cells_init(&cells, base, 16);
	twin_init(&twin);
	for (uint64_t step = 0; step < 50000; step++) {
		unsigned int a = (unsigned int)rng_below(&rng, 16);
		unsigned int len = 1 + (unsigned int)rng_below(&rng, 16 - a);
		struct lindex_run run = draw_run(base, a, len, "AaBb01"[rng_below(&rng, 6)]);

		harness_step("twin", step);
		if (rng_one_in(&rng, 3)) {
			cells_remove(&cells, run.first, run.last);
			twin_remove(&twin, run.first, run.last);
		} else {
			cells_insert(&cells, &run);
			twin_insert(&twin, &run);
		}
		assert_twin_is_cells(&twin, &cells);
	}
	twin_destroy(&twin);
}

Test(twin, does_as_the_flat_map_does)
{
	compare_on_random_changes(0);
	compare_on_random_changes(1000);
	compare_on_random_changes(UINT64_MAX - 15);
}

Test(twin, runs_do_not_join_across_the_end_of_values)
{
	struct lindex_run a = RUN(1, 1, UINT64_MAX, 1, 0), b = RUN(2, 2, 0, 1, 0);

	cr_assert(!run_joins(&a, &b));
}

Test(twin, single_keys_of_different_step_do_not_join)
{
	struct lindex_run a = RUN(1, 1, 5, 1, 0), b = RUN(2, 2, 5, 0, 0), c = RUN(2, 2, 6, 0, 0);

	cr_assert(!run_joins(&a, &b));
	cr_assert(!run_joins(&a, &c));
}

Test(twin, walks_from_any_key)
{
	struct twin twin;
	struct lindex_run run;

	twin_init(&twin);
	twin_append(&twin, &RUN(10, 19, 0, 1, 0));
	twin_append(&twin, &RUN(30, UINT64_MAX, 0, 0, 0));
	cr_assert(twin_next(&twin, 0, &run) == 0 && run.first == 10);
	cr_assert(twin_next(&twin, 19, &run) == 0 && run.first == 10);
	cr_assert(twin_next(&twin, 20, &run) == 0 && run.first == 30);
	cr_assert(twin_next(&twin, UINT64_MAX, &run) == 0 && run.first == 30);
	cr_assert(twin_prev(&twin, 10, false, &run) == -ENOENT);
	cr_assert(twin_prev(&twin, 11, false, &run) == 0 && run.first == 10);
	cr_assert(twin_prev(&twin, 30, false, &run) == 0 && run.first == 10);
	cr_assert(twin_prev(&twin, 31, false, &run) == 0 && run.first == 30);
	cr_assert(twin_prev(&twin, 0, true, &run) == 0 && run.first == 30);
	cr_assert(twin_keys(&twin) == UINT64_MAX - 29 + 10);
	twin_destroy(&twin);
}

EVERY_SHAPE(twin, shapes_are_sorted_maximal_and_repeatable)
{
	struct twin a, b;
	struct rng rng;

	harness_step(shape_name(*shape), 0);
	twin_init(&a);
	twin_init(&b);
	rng_init(&rng, 7, *shape);
	shape_make(*shape, 3000, &rng, &a);
	rng_init(&rng, 7, *shape);
	shape_make(*shape, 3000, &rng, &b);
	CHECK(twin_equal(&a, &b), "%zu runs, then %zu", a.n, b.n);
	if (*shape > SHAPE_ONE_KEY)
		CHECK(a.n > 1500 && a.n < 9000, "%zu runs", a.n);
	for (size_t i = 0; i < a.n; i++) {
		const struct lindex_run *run = &a.runs[i];

		CHECK(run->first <= run->last && run->step <= 1 && !run_wraps(run), "%s",
		      run_text(run));
		CHECK(!i || run[-1].last < run->first, "%s after %s", run_text(run),
		      run_text(run - 1));
		CHECK(!i || !run_joins(run - 1, run), "%s joins %s", run_text(run),
		      run_text(run - 1));
	}
	twin_destroy(&a);
	twin_destroy(&b);
}
