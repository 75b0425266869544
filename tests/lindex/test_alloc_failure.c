/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No memory: each allocation of each operation fails in turn, and nothing changes, nothing leaks. The
 * cap holds at every step. Removes of whole runs go through at the cap and without any memory, and a
 * reserve makes any update do so.
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

/* ---- The cap ------------------------------------------------------------------------------------------ */

static void assert_under_cap(const struct world *w, uint64_t cap)
{
	uint64_t bytes = lindex_pool_bytes(w->pool);

	CHECK(bytes <= cap, "%" PRIu64 " bytes held", bytes);
	CHECK(w->probe.live_bytes == bytes, "pool says %" PRIu64 ", allocator gave %" PRIu64, bytes,
	      w->probe.live_bytes);
}

static struct lindex_run random_piece(struct rng *rng)
{
	uint64_t first = rng_u64(rng) >> 8 << 4;

	return RUN(first, first + rng_below(rng, 16), rng_u64(rng) >> 1, 1, (uint16_t)rng_u64(rng));
}

/* Inserts until nothing more goes in, not even after a reclaim. Return: inserts that succeeded. */
static uint64_t fill_to_cap(struct world *w, uint64_t cap, struct rng *rng)
{
	uint64_t done = 0;
	int rc;

	for (;;) {
		struct op op = { .run = random_piece(rng) };

		harness_step("fill", done);
		rc = op_apply(w->ix, &op);
		assert_under_cap(w, cap);
		if (rc == -ENOMEM) {
			lindex_pool_reclaim(w->pool);
			rc = op_apply(w->ix, &op);
			assert_under_cap(w, cap);
		}
		if (rc == -ENOMEM)
			return done;
		CHECK(rc == 0, "insert is %d", rc);
		op_apply_twin(&w->twin, &op);
		done++;
	}
}

/* Whole runs, in random order, until @keep are left. */
static void remove_down_to(struct world *w, size_t keep, uint64_t cap, struct rng *rng)
{
	uint64_t step = 0;

	while (w->twin.n > keep) {
		struct lindex_run run = w->twin.runs[rng_below(rng, w->twin.n)];

		harness_step("remove", step++);
		world_do(w, &(struct op){ .run = run, .is_remove = true });
		assert_under_cap(w, cap);
		if (step % 1000 == 0)
			assert_same(w->ix, &w->twin);
	}
	assert_same(w->ix, &w->twin);
}

static void live_at_the_cap(uint64_t cap)
{
	struct world w;
	struct rng rng;
	size_t full;

	rng_init(&rng, harness_seed(), cap);
	world_open(&w, NULL, 0, cap);
	for (int round = 0; round < 3; round++) {
		fill_to_cap(&w, cap, &rng);
		assert_same(w.ix, &w.twin);
		full = w.twin.n;
		/* At 48 bytes a run, half of the cap should be in use at the very least. */
		CHECK(full * 48 >= cap / 4, "full with %zu runs under a cap of %" PRIu64, full,
		      cap);
		alloc_probe_fail_all(&w.probe, true);
		remove_down_to(&w, round == 2 ? 0 : full / 2, cap, &rng);
		alloc_probe_fail_all(&w.probe, false);
		lindex_pool_reclaim(w.pool);
		for (size_t i = 0; i < full / 8; i++) {
			world_do(&w, &(struct op){ .run = random_piece(&rng) });
			assert_under_cap(&w, cap);
		}
		assert_same(w.ix, &w.twin);
	}
	world_close(&w);
}

Test(alloc_failure, cap_holds_and_removes_go_through_at_the_least_cap)
{
	live_at_the_cap(LINDEX_POOL_MIN_BYTES);
}

Test(alloc_failure, cap_holds_and_removes_go_through_at_a_larger_cap)
{
	live_at_the_cap(harness_long() ? 2 << 20 : 3 << 18);
}

Test(alloc_failure, removes_from_bulk_loaded_maps_need_no_memory)
{
	static const enum shape shapes[] = { SHAPE_LFS_AGED, SHAPE_SCATTERED_PAGES,
					     SHAPE_PRESENCE, SHAPE_SPARSE_RANDOM,
					     SHAPE_TAGGED,   SHAPE_HUGE };
	struct scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), 8);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		scene_open(&s, shapes[i], 3000, &rng);
		alloc_probe_fail_all(&s.w.probe, true);
		remove_down_to(&s.w, 0, UINT64_MAX, &rng);
		alloc_probe_fail_all(&s.w.probe, false);
		scene_close(&s);
	}
}

/* Removes that take many whole runs at once. */
Test(alloc_failure, wide_removes_need_no_memory)
{
	struct scene s;
	struct rng rng;

	rng_init(&rng, harness_seed(), 9);
	for (int round = 0; round < 40; round++) {
		scene_open(&s, SHAPE_MIXTURE, 5000, &rng);
		alloc_probe_fail_all(&s.w.probe, true);
		while (s.w.twin.n) {
			size_t from = rng_below(&rng, s.w.twin.n);
			size_t to = from + rng_below(&rng, s.w.twin.n - from);
			struct op op = { .is_remove = true };

			op.run.first = from ? s.w.twin.runs[from - 1].last + 1 : 0;
			op.run.last = s.w.twin.runs[to].last;
			CHECK(!twin_cuts(&s.w.twin, op.run.first, op.run.last), "a cut");
			world_do(&s.w, &op);
			assert_sound(s.w.ix);
		}
		alloc_probe_fail_all(&s.w.probe, false);
		scene_close(&s);
	}
}

/* ---- At the cap that another index has used up ---------------------------------------------------------- */

/*
 * Two indexes of one pool. The first is what is asked about; the second is filled until nothing more
 * goes in. Neither has a twin: what the second holds follows from the key.
 */
struct full_pool {
	struct alloc_probe probe;
	struct lindex_pool *pool;
	struct lindex *ix, *filler;
	uint64_t filled;
};

static void full_pool_open(struct full_pool *f, uint64_t cap)
{
	struct lindex_pool_config cfg = { .cap_bytes = cap };

	memset(f, 0, sizeof(*f));
	alloc_probe_init(&f->probe);
	cfg.allocator = &f->probe.allocator;
	CHECK(lindex_pool_create(&cfg, &f->pool) == 0, "pool");
	CHECK(lindex_create(f->pool, NULL, &f->ix) == 0, "index");
	CHECK(lindex_create(f->pool, NULL, &f->filler) == 0, "index");
}

static void full_pool_close(struct full_pool *f)
{
	assert_sound(f->ix);
	assert_sound(f->filler);
	lindex_free(f->ix);
	lindex_free(f->filler);
	CHECK(lindex_pool_free(f->pool) == 0, "pool is busy");
	alloc_probe_assert_empty(&f->probe);
}

static struct lindex_run filler_run(uint64_t i)
{
	uint64_t state = i, hash = rng_splitmix(&state);

	return RUN(32 * i, 32 * i + hash % 30, hash >> 34, 1, 0);
}

static void fill_up(struct full_pool *f)
{
	for (int rc = 0, round = 0; round < 2; round++, rc = 0) {
		while (!rc) {
			struct lindex_run run = filler_run(f->filled);

			rc = lindex_insert(f->filler, &run);
			f->filled += !rc;
		}
		CHECK(rc == -ENOMEM, "insert is %d", rc);
		lindex_pool_reclaim(f->pool);
	}
	CHECK(f->filled > 1000, "full with %" PRIu64 " runs", f->filled);
}

/* Of the filler: whole runs, here and there. Return: 0, or -ENOMEM where a snapshot excuses it. */
static int remove_fillers(struct full_pool *f, uint64_t count, bool snapshot)
{
	int rc = 0;

	for (uint64_t i = 0; i < count && !rc; i++) {
		struct lindex_run run = filler_run(i * 997 % f->filled);

		harness_step("filler", i);
		rc = lindex_remove(f->filler, run.first, run.last);
		CHECK(rc == 0 || (snapshot && rc == -ENOMEM), "remove of a whole run is %d", rc);
	}
	return rc;
}

#define SLOPED_STRIDE 32u

static struct lindex_run sloped_run(uint64_t i, uint64_t slope)
{
	struct lindex_run run = RUN(i * SLOPED_STRIDE, i * SLOPED_STRIDE, i * slope, 0, 0);

	run.mapped = 1;
	return run;
}

static void build_sloped(struct full_pool *f, uint64_t n, uint64_t slope)
{
	struct lindex_stats stats;
	struct twin t;

	twin_init(&t);
	for (uint64_t i = 0; i < n; i++) {
		struct lindex_run run = sloped_run(i, slope);

		twin_append(&t, &run);
	}
	CHECK(lindex_build(f->ix, t.runs, t.n, NULL) == 0, "build");
	twin_destroy(&t);
	lindex_get_stats(f->ix, &stats);
	CHECK(stats.kind_leaves[LINDEX_KIND_PRESENCE] > n / 600, "%" PRIu64 " leaves of that kind",
	      stats.kind_leaves[LINDEX_KIND_PRESENCE]);
}

/* No line through what is left of a leaf is better than the one it had: it must not get larger. */
static void thin_out_sloped(uint64_t cap, uint64_t n, uint64_t slope)
{
	struct lindex_run run, want;
	uint8_t *gone = calloc(n, 1);
	struct full_pool f;
	struct rng rng;
	int rc;

	CHECK(gone, "memory");
	rng_init(&rng, harness_seed(), slope);
	full_pool_open(&f, cap);
	build_sloped(&f, n, slope);
	fill_up(&f);
	alloc_probe_fail_all(&f.probe, true);
	for (uint64_t step = 0; step < n / 2; step++) {
		uint64_t i = rng_below(&rng, n), key = i * SLOPED_STRIDE;

		/* First in one place of each leaf, then anywhere. */
		if (step < n / 20)
			key = (i = step * 20) * SLOPED_STRIDE;
		harness_step("sloped", step);
		rc = lindex_remove(f.ix, key, key + rng_below(&rng, SLOPED_STRIDE));
		CHECK(rc == 0, "remove of a whole run, slope %" PRIu64 ": %d", slope, rc);
		gone[i] = 1;
		CHECK(lindex_pool_bytes(f.pool) <= cap, "over the cap");
	}
	alloc_probe_fail_all(&f.probe, false);
	for (uint64_t i = 0; i < n; i++) {
		harness_step("sloped, after", i);
		rc = lindex_lookup(f.ix, i * SLOPED_STRIDE, &run);
		want = sloped_run(i, slope);
		CHECK(gone[i] ? rc == -ENOENT : rc == 0 && run_equal(&run, &want), "%d %s", rc,
		      run_text(&run));
	}
	full_pool_close(&f);
	free(gone);
}

Test(alloc_failure, removes_from_sloped_strides_go_through_at_the_cap)
{
	static const uint64_t slopes[] = { 1, 3, 7, 1000, 100000, 1u << 31, 12345678901 };

	for (size_t i = 0; i < sizeof(slopes) / sizeof(slopes[0]); i++) {
		thin_out_sloped(LINDEX_POOL_MIN_BYTES, 20000, slopes[i]);
	}
	thin_out_sloped(2 << 20, 200000, 100000);
}

static struct lindex_run reserved_run(struct rng *rng, bool wide)
{
	struct lindex_run run = RUN(rng_below(rng, 2000) * 1000 + 950, 0, rng_bits(rng, 30), 1, 0);

	if (wide) { /* nothing in common with its neighbours */
		run.value = rng_u64(rng);
		run.tag = (uint16_t)rng_u64(rng);
		run.step = 0;
	}
	run.last = run.first + 3;
	return run;
}

/*
 * What was promised to one index, removes of another do not take: not even if a snapshot keeps what they
 * replace, so that they go on until nothing else is left.
 */
static void keep_promise(uint64_t cap, uint32_t promised, uint64_t removes, bool snapshot)
{
	struct lindex *snap = NULL;
	struct full_pool f;
	struct twin t;
	struct rng rng;
	int rc;

	rng_init(&rng, harness_seed(), removes);
	twin_init(&t);
	full_pool_open(&f, cap);
	for (uint64_t i = 0; i < 2000; i++) {
		struct lindex_run run = RUN(i * 1000, i * 1000 + rng_below(&rng, 900),
					    rng_bits(&rng, 30), 1, 0);

		CHECK(lindex_insert(f.ix, &run) == 0, "insert");
		twin_insert(&t, &run);
	}
	rc = lindex_reserve(f.ix, promised);
	CHECK(rc == 0, "reserve is %d", rc);
	fill_up(&f);
	if (snapshot)
		CHECK(lindex_snapshot(f.filler, &snap) == 0, "snapshot");
	rc = remove_fillers(&f, removes, snapshot);
	CHECK(rc || !snapshot, "%" PRIu64 " removes do not use up everything", removes);
	alloc_probe_fail_all(&f.probe, true);
	for (uint32_t i = 0; i < promised; i++) {
		struct lindex_run run = reserved_run(&rng, i % 2);

		harness_step("promised", i);
		rc = lindex_insert(f.ix, &run);
		CHECK(rc == 0, "promised insert %u of %u after %" PRIu64 " removes is %d", i + 1,
		      promised, removes, rc);
		twin_insert(&t, &run);
	}
	/* And the other way round: the filler's removes still go through. */
	lindex_free(snap);
	remove_fillers(&f, removes + 200, false);
	alloc_probe_fail_all(&f.probe, false);
	assert_same(f.ix, &t);
	full_pool_close(&f);
	twin_destroy(&t);
}

Test(alloc_failure, reserve_is_kept_from_removes_of_other_indexes)
{
	for (uint64_t removes = 0; removes <= 1000; removes = removes * 3 + 60)
		keep_promise(1 << 20, 4, removes, false);
	keep_promise(6 << 20, 4, 600, false);
}

/* Disabled: a reserved insert that needs a page leaves 24 others alone, even where removes took them. */
Test(alloc_failure, reserve_is_kept_from_removes_beside_a_snapshot)
{
	for (uint32_t promised = 1; promised <= 20; promised = promised * 2 + 2)
		keep_promise(2 << 20, promised, 100000, true);
}

/* What another index of the pool has dropped, and walks in steps of its own, is there for removes. */
Test(alloc_failure, removes_use_what_another_index_dropped)
{
	struct lindex *other, *snap;
	struct twin big;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 10);
	twin_init(&big);
	world_open(&w, NULL, 0, 0);
	shape_make(SHAPE_SPARSE_RANDOM, 20000, &rng, &big);
	world_build(&w, &big);
	CHECK(lindex_create(w.pool, NULL, &other) == 0, "create");
	CHECK(lindex_build(other, big.runs, big.n, NULL) == 0, "build");
	CHECK(lindex_remove(other, 0, UINT64_MAX) == 0, "remove of all");
	/* Nothing that the removes replace becomes free. */
	CHECK(lindex_snapshot(w.ix, &snap) == 0, "snapshot");
	alloc_probe_fail_all(&w.probe, true);
	for (size_t i = 0; i < big.n; i += 40) {
		harness_step("remove", i);
		world_do(&w, &(struct op){ .run = big.runs[i], .is_remove = true });
	}
	alloc_probe_fail_all(&w.probe, false);
	assert_same(w.ix, &w.twin);
	assert_same(snap, &big);
	lindex_free(snap);
	lindex_free(other);
	world_close(&w);
	twin_destroy(&big);
}

Test(alloc_failure, build_over_the_cap_leaves_the_old_contents)
{
	const uint64_t cap = 1 << 20;
	struct twin big;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 4);
	twin_init(&big);
	world_open(&w, NULL, 0, cap);
	shape_make(SHAPE_SPARSE_RANDOM, 5000, &rng, &big);
	world_build(&w, &big);
	shape_make(SHAPE_SPARSE_RANDOM, 100000, &rng, &big);
	for (int i = 0; i < 3; i++) {
		CHECK(lindex_build(w.ix, big.runs, big.n, NULL) == -ENOMEM, "it cannot fit");
		assert_under_cap(&w, cap);
		assert_same(w.ix, &w.twin);
		lindex_pool_reclaim(w.pool);
	}
	shape_make(SHAPE_SPARSE_RANDOM, 5000, &rng, &big);
	world_build(&w, &big);
	assert_same(w.ix, &w.twin);
	world_close(&w);
	twin_destroy(&big);
}

/* ---- The reserve --------------------------------------------------------------------------------------- */

/* @n updates of any kind, with no memory to be had. */
static void spend_reserve(struct world *w, const struct twin *donor, uint32_t n, struct rng *rng)
{
	for (uint32_t i = 0; i < n; i++) {
		struct op op = op_draw(&w->twin, donor, donor->n + 100, rng);

		harness_step("reserve", i);
		world_do(w, &op);
		assert_same_around(w->ix, &w->twin, op.run.first);
		assert_same_around(w->ix, &w->twin, op.run.last);
	}
}

EVERY_SHAPE(alloc_failure, reserve_makes_the_next_updates_infallible)
{
	static const uint32_t reserves[] = { 1, 2, 10, 300, 3000 };
	struct twin donor;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), *shape);
	twin_init(&donor);
	shape_make(*shape, 2000, &rng, &donor);
	world_open(&w, NULL, 0, 0);
	for (size_t i = 0; i < 2 * sizeof(reserves) / sizeof(reserves[0]); i++) {
		uint32_t n = reserves[i / 2];

		if (i % 2)
			world_build(&w, &donor);
		CHECK(lindex_reserve(w.ix, n) == 0, "reserve of %u", n);
		alloc_probe_fail_all(&w.probe, true);
		spend_reserve(&w, &donor, n, &rng);
		alloc_probe_fail_all(&w.probe, false);
		assert_same(w.ix, &w.twin);
	}
	world_close(&w);
	twin_destroy(&donor);
}

/* From empty, each a new run far from the others: the most that updates can need. */
Test(alloc_failure, reserve_is_enough_for_growth)
{
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 5);
	world_open(&w, NULL, 0, 0);
	for (uint32_t n = 1; n <= 20000; n = n * 3 + 1) {
		CHECK(lindex_reserve(w.ix, n) == 0, "reserve of %u", n);
		alloc_probe_fail_all(&w.probe, true);
		for (uint32_t i = 0; i < n; i++) {
			harness_step("growth", n + i);
			world_do(&w, &(struct op){ .run = random_piece(&rng) });
		}
		alloc_probe_fail_all(&w.probe, false);
		assert_same(w.ix, &w.twin);
	}
	world_close(&w);
}

/* Each update copies its path, because a snapshot holds on to the old one. */
Test(alloc_failure, reserve_is_enough_under_a_snapshot)
{
	struct twin donor, before;
	struct lindex *snap;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 6);
	twin_init(&donor);
	twin_init(&before);
	shape_make(SHAPE_MIXTURE, 3000, &rng, &donor);
	world_open(&w, NULL, 0, 0);
	world_build(&w, &donor);
	for (int round = 0; round < 10; round++) {
		CHECK(lindex_snapshot(w.ix, &snap) == 0, "snapshot");
		twin_copy(&before, &w.twin);
		CHECK(lindex_reserve(w.ix, 200) == 0, "reserve");
		alloc_probe_fail_all(&w.probe, true);
		spend_reserve(&w, &donor, 200, &rng);
		alloc_probe_fail_all(&w.probe, false);
		assert_same(snap, &before);
		lindex_free(snap);
	}
	world_close(&w);
	twin_destroy(&donor);
	twin_destroy(&before);
}

Test(alloc_failure, reserve_counts_under_the_cap)
{
	const uint64_t cap = 1 << 20;
	struct world w;
	struct rng rng;
	uint32_t n = 1;

	rng_init(&rng, harness_seed(), 7);
	world_open(&w, NULL, 0, cap);
	for (int i = 0; i < 3000; i++)
		world_do(&w, &(struct op){ .run = random_piece(&rng) });
	while (lindex_reserve(w.ix, n) == 0) {
		assert_under_cap(&w, cap);
		CHECK(n < 1u << 30, "a reserve of everything");
		n *= 2;
	}
	assert_under_cap(&w, cap);
	assert_same(w.ix, &w.twin);
	CHECK(lindex_reserve(w.ix, 0) == 0, "giving it back");
	world_close(&w);
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
