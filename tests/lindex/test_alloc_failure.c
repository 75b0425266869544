/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No memory: each allocation of each operation fails in turn, and nothing changes, nothing leaks.
 * Where none is needed, the cap and the reserve: test_cap.c.
 */
#include "every_shape.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "pages.h"
#include "same.h"
#include "world.h"

#define MOST_ALLOCATIONS 10000

/* ---- Each allocation in turn ---------------------------------------------------------------------- */

/**
 * struct attempt - One operation, to be tried again and again.
 * @run:   Does it. 0 or negative errno.
 * @same:  Asserts that nothing has changed.
 * @ctx:   Passed to both.
 */
struct attempt {
	int (*run)(void *ctx);
	void (*same)(void *ctx);
	void *ctx;
};

/*
 * Fail the first allocation of the operation, then the second, ..., until it needs no more than have
 * succeeded. Return: how many allocations were made to fail.
 */
static uint64_t fail_each(struct alloc_probe *probe, const struct attempt *attempt)
{
	for (uint64_t k = 1; k < MOST_ALLOCATIONS; k++) {
		uint64_t failed = probe->failed;
		int rc;

		alloc_probe_fail(probe, k);
		rc = attempt->run(attempt->ctx);
		alloc_probe_fail(probe, 0);
		CHECK(rc == 0 || rc == -ENOMEM, "with allocation %" PRIu64 " failing: %d", k, rc);
		CHECK(rc == 0 || probe->failed > failed, "-ENOMEM with no allocation failing");
		if (rc == 0)
			return k - 1;
		attempt->same(attempt->ctx);
	}
	CHECK(0, "still failing");
	return 0;
}

static void nothing_to_compare(void *ctx)
{
	(void)ctx;
}

static int create_pool(void *ctx)
{
	struct world *w = ctx;
	struct lindex_pool_config cfg = { .allocator = &w->probe.allocator };
	int rc = lindex_pool_create(&cfg, &w->pool);

	CHECK(rc == 0 || w->probe.live_blocks == 0, "%" PRIu64 " blocks left",
	      w->probe.live_blocks);
	return rc;
}

static int create_index(void *ctx)
{
	struct world *w = ctx;

	return lindex_create(w->pool, NULL, &w->ix);
}

Test(alloc_failure, of_pool_and_index_creation)
{
	struct world w;

	alloc_probe_init(&w.probe);
	twin_init(&w.twin);
	fail_each(&w.probe, &(struct attempt){ create_pool, nothing_to_compare, &w });
	fail_each(&w.probe, &(struct attempt){ create_index, nothing_to_compare, &w });
	assert_same(w.ix, &w.twin);
	world_close(&w);
}

/* What an operation works on: the world, and its arguments and results. */
struct scene {
	struct world w;
	struct twin next;
	struct op op;
	struct lindex *other;
	struct image image;
	uint32_t reserve;
};

static void scene_open(struct scene *s, enum shape shape, size_t n, struct rng *rng)
{
	memset(s, 0, sizeof(*s));
	harness_step(shape_name(shape), n);
	world_open(&s->w, NULL, 0, 0);
	shape_make(shape, n, rng, &s->next);
	world_build(&s->w, &s->next);
}

static void scene_close(struct scene *s)
{
	assert_same(s->w.ix, &s->w.twin);
	world_close(&s->w);
	twin_destroy(&s->next);
	image_destroy(&s->image);
}

static void scene_same(void *ctx)
{
	struct scene *s = ctx;

	assert_same(s->w.ix, &s->w.twin);
}

static void scene_sound(void *ctx)
{
	struct scene *s = ctx;

	assert_sound(s->w.ix);
	assert_same_around(s->w.ix, &s->w.twin, s->op.run.first);
	assert_same_around(s->w.ix, &s->w.twin, s->op.run.last);
}

static int do_build(void *ctx)
{
	struct scene *s = ctx;

	return lindex_build(s->w.ix, s->next.runs, s->next.n, NULL);
}

EVERY_SHAPE(alloc_failure, of_build_leaves_the_old_contents)
{
	struct scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	scene_open(&s, SHAPE_LFS_AGED, 2000, &rng);
	shape_make(*shape, 30000, &rng, &s.next);
	fail_each(&s.w.probe, &(struct attempt){ do_build, scene_same, &s });
	twin_copy(&s.w.twin, &s.next);
	scene_close(&s);
}

static int do_op(void *ctx)
{
	struct scene *s = ctx;

	return op_apply(s->w.ix, &s->op);
}

static void do_failing_ops(struct scene *s, enum shape shape, uint64_t steps, size_t limit,
			   struct rng *rng)
{
	for (uint64_t step = 0; step < steps; step++) {
		harness_step(shape_name(shape), step);
		s->op = op_draw(&s->w.twin, &s->next, limit, rng);
		fail_each(&s->w.probe, &(struct attempt){ do_op, scene_sound, s });
		op_apply_twin(&s->w.twin, &s->op);
		/* Memory that is kept for later must not hide the failures. */
		if (rng_one_in(rng, 16))
			lindex_pool_reclaim(s->w.pool);
	}
}

EVERY_SHAPE(alloc_failure, of_changes_leaves_the_old_contents)
{
	static const size_t limits[] = { 6, 200, 3000 };
	struct scene s;
	struct rng rng;

	for (size_t i = 0; i < 3; i++) {
		rng_init(&rng, harness_seed(), *shape);
		scene_open(&s, *shape, limits[i], &rng);
		world_build(&s.w, &(struct twin){ 0 });
		do_failing_ops(&s, *shape, 1500, limits[i], &rng);
		/* From empty to that size, some allocation must have been there to fail. */
		CHECK(s.w.twin.n < 300 || s.w.probe.failed > 0, "no allocation failed");
		scene_close(&s);
	}
}

static int do_snapshot(void *ctx)
{
	struct scene *s = ctx;

	return lindex_snapshot(s->w.ix, &s->other);
}

EVERY_SHAPE(alloc_failure, of_snapshots_and_of_changes_under_them)
{
	struct scene s;
	struct twin before;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	twin_init(&before);
	scene_open(&s, *shape, 3000, &rng);
	for (int round = 0; round < 5; round++) {
		fail_each(&s.w.probe, &(struct attempt){ do_snapshot, scene_same, &s });
		twin_copy(&before, &s.w.twin);
		do_failing_ops(&s, *shape, 200, 3000, &rng);
		assert_same(s.other, &before);
		lindex_free(s.other);
	}
	scene_close(&s);
	twin_destroy(&before);
}

static int do_save(void *ctx)
{
	struct scene *s = ctx;
	struct lindex_sink sink = image_sink(&s->image);

	s->image.len = 0;
	return lindex_save(s->w.ix, &sink);
}

static int do_open(void *ctx)
{
	struct scene *s = ctx;

	return lindex_open_image(s->w.pool, s->image.bytes, s->image.len, NULL, NULL, NULL,
				 &s->other);
}

EVERY_SHAPE(alloc_failure, of_save_and_open)
{
	struct image whole = { 0 };
	struct scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	scene_open(&s, *shape, 20000, &rng);
	fail_each(&s.w.probe, &(struct attempt){ do_save, scene_sound, &s });
	image_save(&whole, s.w.ix);
	CHECK(image_equal(&s.image, &whole), "the image after failures is another one");
	fail_each(&s.w.probe, &(struct attempt){ do_open, scene_sound, &s });
	assert_same_walk(s.other, &s.w.twin);
	lindex_free(s.other);
	image_destroy(&whole);
	scene_close(&s);
}

static int do_reserve(void *ctx)
{
	struct scene *s = ctx;

	return lindex_reserve(s->w.ix, s->reserve);
}

EVERY_SHAPE(alloc_failure, of_reserve)
{
	static const uint32_t reserves[] = { 1, 10, 1000 };
	struct scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	scene_open(&s, *shape, 3000, &rng);
	for (size_t i = 0; i < 3; i++) {
		s.reserve = reserves[i];
		fail_each(&s.w.probe, &(struct attempt){ do_reserve, scene_same, &s });
		CHECK(lindex_reserve(s.w.ix, 0) == 0, "giving it back");
	}
	scene_close(&s);
}

/* ---- With a pager ------------------------------------------------------------------------------------ */

struct paged_scene {
	struct alloc_probe probe;
	struct page_file pf;
	struct lindex_pool *pool;
	struct lindex_root root;
	struct lindex *ix;
	struct twin twin;
	struct op op;
};

static void paged_same(void *ctx)
{
	struct paged_scene *s = ctx;

	assert_same(s->ix, &s->twin);
}

static int do_open_paged(void *ctx)
{
	struct paged_scene *s = ctx;
	struct lindex_config cfg = { .pager = &s->pf.pager };

	return lindex_open_paged(s->pool, &cfg, &s->root, &s->ix);
}

static int do_load(void *ctx)
{
	struct paged_scene *s = ctx;

	return lindex_load(s->ix, s->op.run.first);
}

static int do_paged_op(void *ctx)
{
	struct paged_scene *s = ctx;

	return op_apply(s->ix, &s->op);
}

static void store_pages(struct paged_scene *s)
{
	CHECK(lindex_flush(s->ix) == 0, "flush");
	CHECK(lindex_get_root(s->ix, &s->root) == 0, "root");
}

static void paged_open(struct paged_scene *s, enum shape shape, size_t n, struct rng *rng)
{
	struct lindex_pool_config pool_cfg = { .allocator = &s->probe.allocator };

	memset(s, 0, sizeof(*s));
	alloc_probe_init(&s->probe);
	page_file_open(&s->pf);
	CHECK(lindex_pool_create(&pool_cfg, &s->pool) == 0, "pool");
	CHECK(do_open_paged(s) == 0, "open of the empty root");
	shape_make(shape, n, rng, &s->twin);
	CHECK(lindex_build(s->ix, s->twin.runs, s->twin.n, NULL) == 0, "build");
	store_pages(s);
}

static void paged_close(struct paged_scene *s)
{
	assert_same(s->ix, &s->twin);
	lindex_free(s->ix);
	CHECK(lindex_pool_free(s->pool) == 0, "pool is busy");
	alloc_probe_assert_empty(&s->probe);
	page_file_close(&s->pf);
	twin_destroy(&s->twin);
}

Test(alloc_failure, of_paged_open_and_load)
{
	struct paged_scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	paged_open(&s, SHAPE_MIXTURE, 20000, &rng);
	for (uint64_t round = 0; round < 50; round++) {
		harness_step("paged", round);
		lindex_free(s.ix);
		fail_each(&s.probe, &(struct attempt){ do_open_paged, nothing_to_compare, &s });
		s.op.run.first = s.twin.runs[rng_below(&rng, s.twin.n)].first;
		fail_each(&s.probe, &(struct attempt){ do_load, nothing_to_compare, &s });
		assert_same_around(s.ix, &s.twin, s.op.run.first);
	}
	paged_close(&s);
}

Test(alloc_failure, of_paged_changes)
{
	struct paged_scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	paged_open(&s, SHAPE_MIXTURE, 5000, &rng);
	for (uint64_t step = 0; step < 300; step++) {
		harness_step("paged", step);
		if (step % 20 == 0) {
			store_pages(&s);
			lindex_free(s.ix);
			CHECK(do_open_paged(&s) == 0, "open");
		}
		s.op = op_draw(&s.twin, &s.twin, 6000, &rng);
		fail_each(&s.probe,
			  &(struct attempt){ do_paged_op,
					     step % 10 ? nothing_to_compare : paged_same, &s });
		op_apply_twin(&s.twin, &s.op);
		assert_same_around(s.ix, &s.twin, s.op.run.first);
	}
	paged_close(&s);
}

/*
 * The pool is full of other things, no page is resident, and the allocator has nothing: removes of whole
 * runs live of the buffers that the index has.
 */
static void paged_removes(enum shape shape, size_t n, uint64_t widest)
{
	struct paged_scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), n);
	paged_open(&s, shape, n, &rng);
	alloc_probe_fail_all(&s.probe, true);
	for (uint64_t step = 0; s.twin.n; step++) {
		size_t from = rng_below(&rng, s.twin.n), to = from + rng_below(&rng, widest);
		struct op op = { .is_remove = true };

		harness_step(shape_name(shape), step);
		to = to < s.twin.n ? to : s.twin.n - 1;
		op.run.first = s.twin.runs[from].first;
		op.run.last = s.twin.runs[to].last;
		if (step % 64 == 0)
			CHECK(lindex_evict(s.ix, 0) == 0, "all pages can go");
		CHECK(op_apply(s.ix, &op) == 0, "remove of %s", run_text(&op.run));
		op_apply_twin(&s.twin, &op);
		if (step % 16 == 0 && s.twin.n)
			assert_same_around(s.ix, &s.twin, op.run.first);
	}
	alloc_probe_fail_all(&s.probe, false);
	paged_close(&s);
}

Test(alloc_failure, paged_removes_need_no_memory)
{
	paged_removes(SHAPE_MIXTURE, 20000, 1);
	paged_removes(SHAPE_SPARSE_RANDOM, 20000, 1);
	paged_removes(SHAPE_LFS_AGED, 60000, 100);
	paged_removes(SHAPE_SPARSE_RANDOM, 60000, 3000);
	paged_removes(SHAPE_SPARSE_RANDOM, 9, 2);
}

/* ---- The allocator --------------------------------------------------------------------------------------- */

static unsigned int flags_seen;

static void *note_flags(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	struct alloc_probe *probe = ctx;

	flags_seen = flags;
	return probe->allocator.alloc(probe, bytes, align, flags);
}

Test(alloc_failure, flags_reach_the_allocator)
{
	struct alloc_probe probe;
	struct lindex_allocator noting;
	struct lindex_pool_config cfg = { .allocator = &noting };
	struct lindex_pool *pool;
	struct lindex *ix;

	alloc_probe_init(&probe);
	noting = probe.allocator;
	noting.alloc = note_flags;
	cr_assert_eq(lindex_pool_create(&cfg, &pool), 0);
	lindex_pool_set_alloc_flags(pool, 0xcc0);
	flags_seen = 0;
	cr_assert_eq(lindex_create(pool, NULL, &ix), 0);
	for (uint64_t i = 0; !flags_seen && i < 1000000; i++)
		cr_assert_eq(lindex_insert(ix, &RUN(3 * i, 3 * i, i * i, 1, 0)), 0);
	cr_assert_eq(flags_seen, 0xcc0);
	lindex_free(ix);
	cr_assert_eq(lindex_pool_free(pool), 0);
	alloc_probe_assert_empty(&probe);
}
