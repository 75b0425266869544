/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Random changes on the index and on its twin, compared after each step near the change and every
 * now and then as a whole: for each shape of keys, each configuration, small and large maps.
 *
 * About 3 * 10^5 changes; LINDEX_LONG=1: more than 10^7.
 */
#include "every_shape.h"

#include "check.h"
#include "images.h"
#include "same.h"
#include "world.h"

struct setting {
	struct lindex_config cfg;
	uint32_t flags;
};

static const struct setting settings[] = {
	{ { 0 }, 0 },
	{ { .epsilon = 2, .node_bytes = 256 }, 0 },
	{ { .epsilon = 8, .node_bytes = 512 }, LINDEX_POOL_NO_SIMD },
	{ { .epsilon = 64, .node_bytes = 1024 }, 0 },
	{ { .epsilon = 8, .node_bytes = 256 }, 0 },
	{ { .epsilon = 120, .node_bytes = 1024 }, LINDEX_POOL_NO_SIMD },
};
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

/**
 * struct mix - One course of changes.
 * @start:  Runs that are bulk loaded first.
 * @limit:  Runs above which removes prevail.
 * @steps:  Changes.
 * @whole:  Steps from one whole comparison to the next.
 */
struct mix {
	size_t start, limit;
	uint64_t steps, whole;
};

/* Keys at which a mistake of this change would show. */
static void assert_same_at_change(const struct world *w, const struct op *op, struct rng *rng)
{
	const struct lindex_run *run = &op->run;

	assert_same_at(w->ix, &w->twin, run->first);
	assert_same_at(w->ix, &w->twin, run->last);
	assert_same_at(w->ix, &w->twin, run->first + (run->last - run->first) / 2);
	if (run->first)
		assert_same_at(w->ix, &w->twin, run->first - 1);
	if (run->last < UINT64_MAX)
		assert_same_at(w->ix, &w->twin, run->last + 1);
	if (w->twin.n)
		assert_same_at(w->ix, &w->twin, w->twin.runs[rng_below(rng, w->twin.n)].last);
}

static void play(struct world *w, const struct twin *donor, const struct mix *mix, const char *what,
		 struct rng *rng)
{
	for (uint64_t step = 0; step < mix->steps; step++) {
		struct op op = op_draw(&w->twin, donor, mix->limit, rng);

		harness_step(what, step);
		world_do(w, &op);
		assert_same_at_change(w, &op, rng);
		if (step % mix->whole == mix->whole - 1)
			assert_same(w->ix, &w->twin);
	}
	assert_same(w->ix, &w->twin);
}

static void run_mix(enum shape shape, const struct setting *setting, const struct mix *mix)
{
	struct twin donor;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), mix->steps * SETTINGS + (uint64_t)(setting - settings));
	twin_init(&donor);
	shape_make(shape, mix->limit + 10, &rng, &donor);
	world_open(&w, &setting->cfg, setting->flags, 0);
	if (mix->start) {
		struct twin start;

		twin_init(&start);
		shape_make(shape, mix->start, &rng, &start);
		world_build(&w, &start);
		assert_same(w.ix, &w.twin);
		twin_destroy(&start);
	}
	play(&w, &donor, mix, shape_name(shape), &rng);
	world_close(&w);
	twin_destroy(&donor);
}

static void run_settings(enum shape shape, struct mix mix)
{
	if (harness_long()) {
		mix.steps *= 40;
		mix.whole *= 8;
	}
	for (size_t i = 0; i < SETTINGS; i++)
		run_mix(shape, &settings[i], &mix);
}

EVERY_SHAPE(property, tiny_maps_cross_from_inline_to_tree_and_back)
{
	run_settings(*shape, (struct mix){ .limit = 6, .steps = 1000, .whole = 10 });
}

EVERY_SHAPE(property, small_maps_split_and_merge_nodes)
{
	run_settings(*shape, (struct mix){ .limit = 150, .steps = 1000, .whole = 100 });
}

EVERY_SHAPE(property, maps_grow_from_empty)
{
	run_settings(*shape, (struct mix){ .limit = 3000, .steps = 600, .whole = 200 });
}

EVERY_SHAPE(property, bulk_loaded_maps_take_changes)
{
	run_settings(*shape,
		     (struct mix){ .start = 4000, .limit = 5000, .steps = 400, .whole = 200 });
}

/* ---- Wide clears ---------------------------------------------------------------------------------- */

/* From key to key across a good part of a large map: many leaves fall at once. */
static struct op draw_huge(const struct twin *t, struct rng *rng)
{
	const struct lindex_run *a = &t->runs[rng_below(rng, t->n)];
	const struct lindex_run *b = &t->runs[rng_below(rng, t->n)];
	struct op op = { .is_remove = rng_one_in(rng, 2) };

	if (a > b) {
		const struct lindex_run *swap = a;

		a = b;
		b = swap;
	}
	op.run = RUN(rng_between(rng, a->first, a->last), rng_between(rng, b->first, b->last),
		     rng_bits(rng, 10), 0, 5);
	if (op.run.first > op.run.last)
		op.run.last = op.run.first;
	return op;
}

EVERY_SHAPE(property, wide_changes_drop_whole_subtrees)
{
	struct twin start;
	struct world w;
	struct rng rng;
	uint64_t rounds = harness_long() ? 200 : 8;

	rng_init(&rng, harness_seed(), 3);
	twin_init(&start);
	shape_make(*shape, 20000, &rng, &start);
	for (uint64_t round = 0; round < rounds; round++) {
		world_open(&w, &settings[round % SETTINGS].cfg, 0, 0);
		world_build(&w, &start);
		for (uint64_t step = 0; step < 20 && w.twin.n; step++) {
			struct op op = draw_huge(&w.twin, &rng);

			harness_step(shape_name(*shape), round * 20 + step);
			world_do(&w, &op);
			assert_same_at_change(&w, &op, &rng);
			assert_sound(w.ix);
		}
		assert_same(w.ix, &w.twin);
		world_close(&w);
	}
	twin_destroy(&start);
}

/* ---- The set of runs is a function of what was stored -------------------------------------------- */

/* After any history the contents are those of a fresh bulk load, to the byte of the image. */
EVERY_SHAPE(property, history_leaves_no_trace_in_the_image)
{
	struct image lived = { 0 }, fresh = { 0 };
	struct twin donor;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 4);
	twin_init(&donor);
	shape_make(*shape, 1000, &rng, &donor);
	world_open(&w, NULL, 0, 0);
	for (uint64_t step = 0; step < 5000; step++) {
		struct op op = op_draw(&w.twin, &donor, 1000, &rng);

		harness_step(shape_name(*shape), step);
		world_do(&w, &op);
		if (step % 1000 == 999) {
			image_save(&lived, w.ix);
			image_of(&fresh, &w.twin, 0, 0);
			CHECK(image_equal(&lived, &fresh), "%zu bytes lived, %zu fresh", lived.len,
			      fresh.len);
		}
	}
	world_close(&w);
	image_destroy(&lived);
	image_destroy(&fresh);
	twin_destroy(&donor);
}

/* ---- Several indexes in one pool ----------------------------------------------------------------- */

#define NEIGHBOURS 5

static void run_neighbours(struct lindex_pool *pool, struct lindex **ix, struct twin *twins,
			   const struct twin *donor, struct rng *rng)
{
	for (uint64_t step = 0; step < 8000; step++) {
		size_t i = rng_below(rng, NEIGHBOURS);
		struct op op = op_draw(&twins[i], donor, 400, rng);

		harness_step("neighbours", step);
		CHECK(op_apply(ix[i], &op) == 0, "op on %zu", i);
		op_apply_twin(&twins[i], &op);
		if (rng_one_in(rng, 100))
			assert_same(ix[i], &twins[i]);
		if (rng_one_in(rng, 400)) {
			lindex_free(ix[i]);
			CHECK(lindex_create(pool, &settings[i].cfg, &ix[i]) == 0, "create");
			twin_clear(&twins[i]);
		}
		if (rng_one_in(rng, 300))
			lindex_pool_reclaim(pool);
	}
}

Test(property, indexes_of_one_pool_do_not_disturb_each_other)
{
	struct lindex *ix[NEIGHBOURS];
	struct twin twins[NEIGHBOURS], donor;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 5);
	world_open(&w, NULL, 0, 0);
	twin_init(&donor);
	shape_make(SHAPE_MIXTURE, 500, &rng, &donor);
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		twin_init(&twins[i]);
		CHECK(lindex_create(w.pool, &settings[i].cfg, &ix[i]) == 0, "create");
	}
	run_neighbours(w.pool, ix, twins, &donor, &rng);
	for (size_t i = 0; i < NEIGHBOURS; i++) {
		assert_same(ix[i], &twins[i]);
		lindex_free(ix[i]);
		twin_destroy(&twins[i]);
	}
	twin_destroy(&donor);
	world_close(&w);
}
