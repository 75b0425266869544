/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The cap and the reserve. The cap holds at every step; removes of whole runs go through at the cap, also
 * when another index has used it up; a reserve makes updates infallible, whatever else happens to the pool.
 */
#include "every_shape.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pages.h"
#include "same.h"
#include "world.h"

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

Test(cap, cap_holds_and_removes_go_through_at_the_least_cap)
{
	live_at_the_cap(LINDEX_POOL_MIN_BYTES);
}

Test(cap, cap_holds_and_removes_go_through_at_a_larger_cap)
{
	live_at_the_cap(harness_long() ? 2 << 20 : 3 << 18);
}

/* ---- Removes without any memory ----------------------------------------------------------------------- */

/* A map built in bulk whose allocator then fails. */
static void built_then_starved(struct world *w, enum shape shape, size_t n, struct rng *rng)
{
	struct twin t;

	twin_init(&t);
	shape_make(shape, n, rng, &t);
	world_open(w, NULL, 0, 0);
	world_build(w, &t);
	twin_destroy(&t);
	alloc_probe_fail_all(&w->probe, true);
}

Test(cap, removes_from_bulk_loaded_maps_need_no_memory)
{
	static const enum shape shapes[] = { SHAPE_LFS_AGED, SHAPE_SCATTERED_PAGES,
					     SHAPE_PRESENCE, SHAPE_SPARSE_RANDOM,
					     SHAPE_TAGGED,   SHAPE_HUGE };
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 8);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		built_then_starved(&w, shapes[i], 3000, &rng);
		remove_down_to(&w, 0, UINT64_MAX, &rng);
		world_close(&w);
	}
}

/* Removes that take many whole runs at once. */
Test(cap, wide_removes_need_no_memory)
{
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 9);
	for (int round = 0; round < 40; round++) {
		built_then_starved(&w, SHAPE_MIXTURE, 5000, &rng);
		while (w.twin.n) {
			size_t from = rng_below(&rng, w.twin.n);
			size_t to = from + rng_below(&rng, w.twin.n - from);
			struct op op = { .is_remove = true };

			op.run.first = from ? w.twin.runs[from - 1].last + 1 : 0;
			op.run.last = w.twin.runs[to].last;
			CHECK(!twin_cuts(&w.twin, op.run.first, op.run.last), "a cut");
			world_do(&w, &op);
			assert_sound(w.ix);
		}
		world_close(&w);
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

Test(cap, removes_from_sloped_strides_go_through_at_the_cap)
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

Test(cap, reserve_is_kept_from_removes_of_other_indexes)
{
	for (uint64_t removes = 0; removes <= 1000; removes = removes * 3 + 60)
		keep_promise(1 << 20, 4, removes, false);
	keep_promise(6 << 20, 4, 600, false);
}

/* Disabled: a reserved insert that needs a page leaves 24 others alone, even where removes took them. */
Test(cap, reserve_is_kept_from_removes_beside_a_snapshot)
{
	for (uint32_t promised = 1; promised <= 20; promised = promised * 2 + 2)
		keep_promise(2 << 20, promised, 100000, true);
}

/* What another index of the pool has dropped, and walks in steps of its own, is there for removes. */
Test(cap, removes_use_what_another_index_dropped)
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

Test(cap, build_over_the_cap_leaves_the_old_contents)
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

EVERY_SHAPE(cap, reserve_makes_the_next_updates_infallible)
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

/*
 * From empty, each a new run far from the others: the most that updates can need. In the long form only until three
 * gigabytes are set aside: a guest that runs this in its kernel has one.
 */
Test(cap, reserve_is_enough_for_growth)
{
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 5);
	world_open(&w, NULL, 0, 0);
	for (uint32_t n = 1; n <= harness_longer(1000); n = n * 3 + 1) {
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
Test(cap, reserve_is_enough_under_a_snapshot)
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

Test(cap, reserve_counts_under_the_cap)
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

/* ---- The reserve of an index with a pager --------------------------------------------------------------- */

/* An index whose pages may be evicted between a reserve and what it was for. */
struct paged_world {
	struct alloc_probe probe;
	struct page_file pf;
	struct lindex_pool *pool;
	struct lindex *ix;
	struct twin twin;
};

/* @evict: with a store. Without one every page stays. */
static void paged_world_open(struct paged_world *w, bool evict)
{
	struct lindex_pool_config pool_cfg = { .allocator = &w->probe.allocator };
	struct lindex_config cfg = { .pager = &w->pf.pager, .node_bytes = 256 };

	memset(w, 0, sizeof(*w));
	alloc_probe_init(&w->probe);
	page_file_open(&w->pf);
	if (!evict)
		w->pf.pager.store = NULL;
	CHECK(lindex_pool_create(&pool_cfg, &w->pool) == 0, "pool");
	CHECK(lindex_create(w->pool, &cfg, &w->ix) == 0, "create");
	twin_init(&w->twin);
}

static void paged_world_close(struct paged_world *w)
{
	lindex_free(w->ix);
	CHECK(lindex_pool_free(w->pool) == 0, "pool is busy");
	alloc_probe_assert_empty(&w->probe);
	page_file_close(&w->pf);
	twin_destroy(&w->twin);
}

/* Reserve, then let every allocation fail for as many updates, again and again while the index grows. */
static void spend_paged_reserves(bool evict, uint64_t rounds)
{
	struct paged_world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), evict);
	paged_world_open(&w, evict);
	for (uint64_t round = 0; round < rounds; round++) {
		uint32_t n = 1 + (uint32_t)rng_below(&rng, 40);

		CHECK(lindex_reserve(w.ix, n) == 0, "reserve of %u", n);
		alloc_probe_fail_all(&w.probe, true);
		for (uint32_t i = 0; i < n; i++) {
			struct op op = { .run = random_piece(&rng),
					 .is_remove = round > rounds / 2 && rng_one_in(&rng, 4) };

			harness_step("reserved update", round * 100 + i);
			CHECK(op_apply(w.ix, &op) == 0, "%u of %u reserved", i, n);
			op_apply_twin(&w.twin, &op);
		}
		alloc_probe_fail_all(&w.probe, false);
	}
	assert_same(w.ix, &w.twin);
	paged_world_close(&w);
}

Test(cap, reserve_is_enough_with_a_pager)
{
	spend_paged_reserves(true, harness_longer(60));
}

Test(cap, reserve_is_enough_with_a_pager_that_cannot_store)
{
	spend_paged_reserves(false, harness_longer(60));
}
