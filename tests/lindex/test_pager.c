/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Partial residence: an index whose pages live in a file. It opens without a read, loads what is
 * touched, evicts under the cap, lists what is dirty, and distrusts what it reads.
 */
#include "every_shape.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "pages.h"
#include "read_side.h"
#include "same.h"
#include "world.h"
/* Private: models in stored pages, to be spoilt. */
#include "node.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Pages that one lookup may load: one per node on the path at most. */
#define PAGES_PER_LOOKUP(depth) (depth)

/* Pages that one small change may dirty: two leaves cut, three written, the node above copied, its parent. */
#define DIRTY_PER_UPDATE 7

struct paged {
	struct alloc_probe probe;
	struct page_file pf;
	struct lindex_config cfg;
	struct lindex_pool *pool;
	struct lindex_root root;
	struct lindex *ix;
	struct twin twin;
};

static void reopen(struct paged *p)
{
	int rc;

	lindex_free(p->ix);
	rc = lindex_open_paged(p->pool, &p->cfg, &p->root, &p->ix);
	CHECK(rc == 0, "open_paged is %d", rc);
}

static void open_paged(struct paged *p, const struct lindex_config *cfg, uint64_t cap)
{
	struct lindex_pool_config pool_cfg = { .cap_bytes = cap };

	memset(p, 0, sizeof(*p));
	alloc_probe_init(&p->probe);
	page_file_open(&p->pf);
	if (cfg)
		p->cfg = *cfg;
	p->cfg.pager = &p->pf.pager;
	pool_cfg.allocator = &p->probe.allocator;
	CHECK(lindex_pool_create(&pool_cfg, &p->pool) == 0, "pool");
	reopen(p); /* from the root of zeroes */
}

static void close_paged(struct paged *p)
{
	lindex_free(p->ix);
	CHECK(lindex_pool_free(p->pool) == 0, "pool is busy");
	alloc_probe_assert_empty(&p->probe);
	page_file_close(&p->pf);
	twin_destroy(&p->twin);
}

/* From here the contents survive a reopen. */
static void commit(struct paged *p)
{
	int rc = lindex_flush(p->ix);

	CHECK(rc == 0, "flush is %d", rc);
	rc = lindex_get_root(p->ix, &p->root);
	CHECK(rc == 0, "get_root is %d", rc);
}

static void build(struct paged *p, enum shape shape, size_t n, struct rng *rng)
{
	int rc;

	shape_make(shape, n, rng, &p->twin);
	rc = lindex_build(p->ix, p->twin.runs, p->twin.n, NULL);
	CHECK(rc == 0, "build is %d", rc);
}

static void apply(struct paged *p, const struct op *op)
{
	int rc = op_apply(p->ix, op);

	CHECK(rc == 0, "%s %s is %d", op->is_remove ? "remove" : "insert", run_text(&op->run), rc);
	op_apply_twin(&p->twin, op);
}

static struct lindex_stats stats_of(const struct paged *p)
{
	struct lindex_stats stats;

	lindex_get_stats(p->ix, &stats);
	return stats;
}

/* ---- The same as without a pager ----------------------------------------------------------------- */

Test(pager, root_of_zeroes_is_an_empty_index)
{
	struct paged p;

	open_paged(&p, NULL, 0);
	assert_same(p.ix, &p.twin);
	cr_assert_eq(p.pf.loads, 0);
	close_paged(&p);
}

EVERY_SHAPE(pager, built_index_opens_as_it_was)
{
	static const size_t sizes[] = { 0, 1, 3, 4, 100, 3000, 30000 };
	struct paged p;
	struct rng rng;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		harness_step(shape_name(*shape), sizes[i]);
		rng_init(&rng, harness_seed(), *shape);
		open_paged(&p, NULL, 0);
		build(&p, *shape, sizes[i], &rng);
		assert_same(p.ix, &p.twin);
		commit(&p);
		reopen(&p);
		assert_same(p.ix, &p.twin);
		close_paged(&p);
	}
}

static const struct lindex_config configs[] = { { 0 },
						{ .epsilon = 2, .node_bytes = 256 },
						{ .epsilon = 64, .node_bytes = 1024 } };

/* Changes, commits, reopens and evictions at random. */
static void change_and_reopen(enum shape shape, const struct lindex_config *cfg, uint64_t cap)
{
	struct twin donor;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), shape);
	twin_init(&donor);
	shape_make(shape, 2500, &rng, &donor);
	open_paged(&p, cfg, cap);
	for (uint64_t step = 0; step < 3000; step++) {
		struct op op = op_draw(&p.twin, &donor, 2500, &rng);

		harness_step(shape_name(shape), step);
		apply(&p, &op);
		assert_same_around(p.ix, &p.twin, op.run.first);
		if (rng_one_in(&rng, 300)) {
			commit(&p);
			reopen(&p);
			assert_same(p.ix, &p.twin);
		}
		if (rng_one_in(&rng, 300))
			CHECK(lindex_evict(p.ix, rng_below(&rng, 8)) >= 0, "evict");
	}
	assert_same(p.ix, &p.twin);
	close_paged(&p);
	twin_destroy(&donor);
}

EVERY_SHAPE(pager, changed_index_opens_as_it_was)
{
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++)
		change_and_reopen(*shape, &configs[i], 0);
}

EVERY_SHAPE(pager, changed_index_opens_as_it_was_under_a_small_cap)
{
	change_and_reopen(*shape, NULL, LINDEX_POOL_MIN_BYTES);
}

Test(pager, saved_image_is_the_canonical_one)
{
	struct image paged = { 0 }, plain = { 0 };
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_MIXTURE, 5000, &rng);
	commit(&p);
	reopen(&p);
	image_save(&paged, p.ix);
	image_of(&plain, &p.twin, 0, 0);
	cr_assert(image_equal(&paged, &plain));
	close_paged(&p);
	image_destroy(&paged);
	image_destroy(&plain);
}

/* ---- Residence --------------------------------------------------------------------------------------- */

Test(pager, lookup_of_an_absent_page_is_eagain_until_it_is_loaded)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	struct paged p;
	struct rng rng;
	uint64_t key;

	rng_init(&rng, harness_seed(), 2);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 20000, &rng);
	commit(&p);
	reopen(&p);
	key = p.twin.runs[777].first;
	cr_assert_eq(lindex_lookup(p.ix, key, &run), -EAGAIN);
	cr_assert_eq(lindex_lookup_batch(p.ix, &key, 1, &run), -EAGAIN);
	lindex_cursor_init(&cur, p.ix, key);
	cr_assert_eq(lindex_cursor_next(&cur, &run), -EAGAIN);
	cr_assert_eq(lindex_cursor_prev(&cur, &run), -EAGAIN);
	cr_assert_eq(p.pf.loads, 0, "a reader never loads");
	cr_assert_eq(lindex_load(p.ix, key), 0);
	cr_assert_eq(lindex_lookup(p.ix, key, &run), 0, "one load is enough for one lookup");
	cr_assert(run_equal(&run, &p.twin.runs[777]));
	cr_assert_eq(lindex_lookup_batch(p.ix, &key, 1, &run), 1);
	cr_assert(run_equal(&run, &p.twin.runs[777]));
	close_paged(&p);
}

Test(pager, load_brings_what_one_lookup_needs_for_any_key)
{
	struct lindex_run run, want;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 3);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_MIXTURE, 30000, &rng);
	commit(&p);
	for (uint64_t step = 0; step < 2000; step++) {
		const struct lindex_run *near = &p.twin.runs[rng_below(&rng, p.twin.n)];
		uint64_t key = rng_one_in(&rng, 3) ? rng_u64(&rng) :
			       rng_one_in(&rng, 2) ? near->first - 1 :
						     near->last + 1;
		int expect = twin_lookup(&p.twin, key, &want);

		harness_step("load", step);
		if (step % 50 == 0)
			CHECK(lindex_evict(p.ix, 0) == 0, "everything is clean: all pages go");
		CHECK(lindex_load(p.ix, key) == 0, "load");
		CHECK(lindex_lookup(p.ix, key, &run) == expect && run_equal(&run, &want),
		      "%s, not %s", run_text(&run), run_text(&want));
	}
	close_paged(&p);
}

Test(pager, evict_keeps_at_most_so_many)
{
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 4);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 30000, &rng);
	commit(&p);
	for (uint64_t keep = 200; keep > 0; keep /= 2) {
		cr_assert_leq(lindex_evict(p.ix, keep), (int64_t)keep);
		cr_assert_leq(stats_of(&p).resident_pages, keep);
	}
	cr_assert_eq(lindex_evict(p.ix, 0), 0);
	cr_assert_eq(stats_of(&p).resident_pages, 0);
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

Test(pager, evict_stores_dirty_pages_first)
{
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 5);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 10000, &rng);
	cr_assert_gt(stats_of(&p).dirty_pages, 0);
	cr_assert_eq(lindex_evict(p.ix, 0), 0);
	cr_assert_gt(p.pf.stores, 0);
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

Test(pager, cap_holds_for_an_index_much_larger_than_it)
{
	const uint64_t cap = LINDEX_POOL_MIN_BYTES;
	struct lindex_stats stats;
	struct twin donor;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 6);
	twin_init(&donor);
	shape_make(SHAPE_SPARSE_RANDOM, 60000, &rng, &donor);
	open_paged(&p, NULL, cap);
	for (size_t i = 0; i < donor.n; i++) {
		harness_step("insert", i);
		apply(&p, &(struct op){ .run = donor.runs[i * 7919 % donor.n] });
		CHECK(lindex_pool_bytes(p.pool) <= cap, "%" PRIu64 " bytes",
		      lindex_pool_bytes(p.pool));
		if (i % 100 == 0)
			assert_same_around(p.ix, &p.twin, donor.runs[rng_below(&rng, i + 1)].first);
	}
	stats = stats_of(&p);
	CHECK(stats.pages * LINDEX_PAGE_BYTES > 2 * cap, "%" PRIu64 " pages are not much",
	      stats.pages);
	commit(&p);
	reopen(&p);
	assert_same(p.ix, &p.twin);
	CHECK(p.probe.peak_bytes <= cap, "%" PRIu64 " bytes at peak", p.probe.peak_bytes);
	close_paged(&p);
	twin_destroy(&donor);
}

static int write_nothing(void *ctx, const void *bytes, size_t len)
{
	uint64_t *sum = ctx;

	(void)bytes;
	*sum += len;
	return 0;
}

static void assert_peak(const struct paged *p, uint64_t cap)
{
	CHECK(p->probe.peak_bytes <= cap, "%" PRIu64 " bytes at peak under a cap of %" PRIu64,
	      p->probe.peak_bytes, cap);
}

/* Everything that walks the whole index lets go of pages as it goes. */
static void use_whole_index_under(uint64_t cap, size_t n)
{
	const struct lindex_sink nowhere = { .write = write_nothing, .ctx = &(uint64_t){ 0 } };
	struct image paged = { 0 }, plain = { 0 };
	struct paged p;
	struct rng rng;

	harness_step("cap", cap);
	rng_init(&rng, harness_seed(), n);
	open_paged(&p, NULL, cap);
	build(&p, SHAPE_SPARSE_RANDOM, n, &rng);
	CHECK(stats_of(&p).pages * LINDEX_PAGE_BYTES > 2 * cap, "%" PRIu64 " pages are not much",
	      stats_of(&p).pages);
	image_of(&plain, &p.twin, 0, 0);
	image_save(&paged, p.ix);
	CHECK(image_equal(&paged, &plain), "not the canonical image");
	assert_sound(p.ix);
	CHECK(lindex_dump(p.ix, &nowhere) == 0, "dump");
	commit(&p);
	reopen(&p);
	image_save(&paged, p.ix);
	CHECK(image_equal(&paged, &plain), "not the canonical image, opened again");
	assert_same_walk(p.ix, &p.twin);
	/* Once more over the old contents, which stay until it is done; and then all of it goes. */
	build(&p, SHAPE_SPARSE_RANDOM, n, &rng);
	assert_sound(p.ix);
	assert_same_walk(p.ix, &p.twin);
	CHECK(lindex_remove(p.ix, 0, UINT64_MAX) == 0, "remove of everything");
	assert_sound(p.ix);
	CHECK(stats_of(&p).runs == 0, "something is left");
	assert_peak(&p, cap);
	close_paged(&p);
	image_destroy(&paged);
	image_destroy(&plain);
}

Test(pager, builds_and_saves_of_an_index_much_larger_than_the_cap)
{
	use_whole_index_under(1 << 20, 120000);
	use_whole_index_under(3 << 20, 300000);
}

/* Room is made for many pages at a time: the readers are waited for once. */
Test(pager, pages_that_go_share_a_grace_period)
{
	uint64_t loads, waits;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 17);
	open_paged(&p, NULL, 2 * LINDEX_POOL_MIN_BYTES);
	build(&p, SHAPE_SPARSE_RANDOM, 60000, &rng);
	commit(&p);
	loads = p.pf.loads;
	waits = read_side_grace_periods();
	for (uint64_t step = 0; step < 5000; step++) {
		struct lindex_run *run = &p.twin.runs[rng_below(&rng, p.twin.n)];

		harness_step("load", step);
		if (step % 4 == 0)
			apply(&p, &(struct op){ .run = RUN(run->first, run->first, step, 1, 1) });
		else
			assert_same_at(p.ix, &p.twin, run->last);
	}
	loads = p.pf.loads - loads;
	waits = read_side_grace_periods() - waits;
	CHECK(loads > 3000, "only %" PRIu64 " loads", loads);
	CHECK(waits <= loads / 15 + 2, "%" PRIu64 " grace periods for %" PRIu64 " loads", waits,
	      loads);
	close_paged(&p);
}

static uint64_t hashed(uint64_t i)
{
	return rng_splitmix(&i);
}

/* Too many runs for a twin: the answer follows from the key. */
static struct lindex_run nth_run(uint64_t i)
{
	struct lindex_run run = RUN(16 * i, 16 * i + (hashed(i) & 7), hashed(i) >> 32, 1, 0);

	run.mapped = 1;
	return run;
}

static void build_nth(struct lindex *ix, uint64_t n)
{
	struct lindex_run *runs = malloc(n * sizeof(*runs));

	CHECK(runs, "memory");
	for (uint64_t i = 0; i < n; i++)
		runs[i] = nth_run(i);
	CHECK(lindex_build(ix, runs, n, NULL) == 0, "build");
	free(runs);
}

Test(pager, ten_million_runs_open_at_once_and_load_what_is_touched)
{
	const uint64_t n = SANITIZED ? 300000 : 10000000;
	struct lindex_cert touched;
	struct lindex_run run, want;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 7);
	open_paged(&p, NULL, 0);
	build_nth(p.ix, n);
	commit(&p);
	p.pf.loads = 0;
	reopen(&p);
	cr_assert_eq(p.pf.loads, 0, "opening reads no page");
	cr_assert_eq(stats_of(&p).resident_pages, 0);
	for (uint64_t step = 0; step < 200; step++) {
		uint64_t i = rng_below(&rng, n), before = p.pf.loads;

		harness_step("touch", step);
		want = nth_run(i);
		CHECK(lookup_resident(p.ix, want.last, &run) == 0 && run_equal(&run, &want),
		      "%s, not %s", run_text(&run), run_text(&want));
		CHECK(lindex_explain(p.ix, want.last, &run, &touched) == 0, "explain");
		CHECK(p.pf.loads - before <= PAGES_PER_LOOKUP(touched.depth),
		      "%" PRIu64 " pages for one lookup at depth %u", p.pf.loads - before,
		      touched.depth);
	}
	cr_assert_leq(lindex_pool_bytes(p.pool), 64 << 20, "it pays for what it touches");
	close_paged(&p);
}

/* ---- Dirty pages --------------------------------------------------------------------------------------- */

#define MOST_DIRTY 4096

static int64_t list_dirty(const struct paged *p, uint32_t *pages)
{
	int64_t n = lindex_dirty_pages(p->ix, 0, pages, MOST_DIRTY);

	CHECK(n >= 0 && n <= MOST_DIRTY, "dirty_pages is %" PRId64, n);
	for (int64_t i = 1; i < n; i++)
		CHECK(pages[i - 1] < pages[i], "page %u before %u", pages[i - 1], pages[i]);
	CHECK((uint64_t)n == stats_of(p).dirty_pages || n == MOST_DIRTY, "stats say otherwise");
	return n;
}

Test(pager, one_small_change_dirties_few_pages)
{
	static uint32_t pages[MOST_DIRTY];
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 8);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_LFS_AGED, 100000, &rng);
	commit(&p);
	cr_assert_eq(list_dirty(&p, pages), 0, "flushed");
	for (uint64_t step = 0; step < harness_longer(300); step++) {
		uint64_t first = rng_below(&rng, 600000);
		int64_t n;

		harness_step("change", step);
		apply(&p, &(struct op){ .run = RUN(first, first + rng_below(&rng, 12),
						   10000000 + 12 * step, 1, 0) });
		n = list_dirty(&p, pages);
		CHECK(n >= 1 && n <= DIRTY_PER_UPDATE, "%" PRId64 " dirty pages", n);
		p.pf.stores = 0;
		commit(&p);
		CHECK(p.pf.stores == (uint64_t)n, "%" PRIu64 " stores for %" PRId64 " dirty pages",
		      p.pf.stores, n);
	}
	reopen(&p);
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

Test(pager, dirty_pages_are_listed_in_pieces)
{
	static uint32_t all[MOST_DIRTY], some[7];
	struct paged p;
	struct rng rng;
	int64_t n, got, done = 0;
	uint32_t from = 0;

	rng_init(&rng, harness_seed(), 9);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 20000, &rng);
	n = list_dirty(&p, all);
	cr_assert_gt(n, 50);
	while ((got = lindex_dirty_pages(p.ix, from, some, 7)) > 0) {
		for (int64_t i = 0; i < got; i++)
			cr_assert_eq(some[i], all[done + i]);
		done += got;
		from = some[got - 1] + 1;
	}
	cr_assert_eq(got, 0);
	cr_assert_eq(done, n);
	close_paged(&p);
}

/* Without a store, the caller saves by itself. */
static void store_by_hand(struct paged *p)
{
	static uint32_t pages[MOST_DIRTY];
	int64_t n = list_dirty(p, pages);

	for (int64_t i = 0; i < n; i++) {
		const void *bytes = lindex_page_bytes(p->ix, pages[i]);

		CHECK(bytes, "dirty page %u is not resident", pages[i]);
		page_file_write(&p->pf, pages[i], bytes);
		CHECK(lindex_page_clean(p->ix, pages[i]) == 0, "clean");
	}
	CHECK(list_dirty(p, pages) == 0, "still dirty");
	CHECK(lindex_get_root(p->ix, &p->root) == 0, "root");
}

Test(pager, without_store_the_caller_saves_dirty_pages)
{
	struct twin donor;
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 10);
	twin_init(&donor);
	shape_make(SHAPE_MIXTURE, 2000, &rng, &donor);
	open_paged(&p, NULL, 0);
	p.pf.pager.store = NULL;
	reopen(&p);
	cr_assert_eq(lindex_flush(p.ix), -EOPNOTSUPP);
	for (uint64_t step = 0; step < 2000; step++) {
		struct op op = op_draw(&p.twin, &donor, 2500, &rng);

		harness_step("by hand", step);
		apply(&p, &op);
		if (step % 100 == 99) {
			store_by_hand(&p);
			reopen(&p);
			assert_same(p.ix, &p.twin);
		}
		if (step % 70 == 0) {
			int64_t left = lindex_evict(p.ix, 0);

			CHECK(left == (int64_t)stats_of(&p).dirty_pages, "only dirty pages stay");
		}
	}
	assert_same(p.ix, &p.twin);
	close_paged(&p);
	twin_destroy(&donor);
}

Test(pager, page_calls_know_what_is_resident)
{
	struct paged p;
	struct rng rng;
	uint32_t page;

	rng_init(&rng, harness_seed(), 11);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 5000, &rng);
	cr_assert_eq(lindex_dirty_pages(p.ix, 0, &page, 1), 1);
	cr_assert_not_null(lindex_page_bytes(p.ix, page));
	commit(&p);
	cr_assert_eq(lindex_evict(p.ix, 0), 0);
	cr_assert_null(lindex_page_bytes(p.ix, page));
	cr_assert_eq(lindex_page_clean(p.ix, page), -ENOENT);
	cr_assert_null(lindex_page_bytes(p.ix, UINT32_MAX));
	cr_assert_eq(lindex_page_clean(p.ix, UINT32_MAX), -ENOENT);
	close_paged(&p);
}

/* ---- Errors ------------------------------------------------------------------------------------------- */

Test(pager, snapshot_is_eopnotsupp)
{
	struct lindex *none = NULL, *snap = none;
	struct paged p;

	open_paged(&p, NULL, 0);
	cr_assert_eq(lindex_snapshot(p.ix, &snap), -EOPNOTSUPP);
	cr_assert_eq(snap, none);
	close_paged(&p);
}

Test(pager, error_of_load_is_passed_on_and_changes_nothing)
{
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 12);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 20000, &rng);
	commit(&p);
	for (uint64_t step = 0; step < 50; step++) {
		struct lindex_run run = p.twin.runs[rng_below(&rng, p.twin.n)];
		struct lindex_run out = run, before = run;

		harness_step("load fails", step);
		reopen(&p);
		p.pf.fail_load = EIO;
		cr_assert_eq(lindex_load(p.ix, run.first), -EIO);
		cr_assert_eq(lindex_insert(p.ix, &RUN(run.first, run.first, 1, 1, 1)), -EIO);
		cr_assert_eq(lindex_remove(p.ix, run.first, run.last), -EIO);
		cr_assert_eq(lindex_lookup(p.ix, run.first, &out), -EAGAIN);
		cr_assert(run_equal(&out, &before), "output untouched");
		p.pf.fail_load = 0;
		assert_same_around(p.ix, &p.twin, run.first);
	}
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

Test(pager, error_of_any_load_of_a_wide_change_changes_nothing)
{
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 13);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 3000, &rng);
	commit(&p);
	for (uint64_t step = 0; step < 100; step++) {
		uint64_t from = rng_below(&rng, p.twin.n - 100);
		struct op op = { .run = RUN(p.twin.runs[from].first + 1,
					    p.twin.runs[from + 99].last, step, 0, 1),
				 .is_remove = step & 1 };
		int rc;

		if (op.run.first > op.run.last)
			continue;
		harness_step("wide", step);
		reopen(&p);
		/* One end is there, the rest is not to be had. */
		CHECK(lindex_load(p.ix, step % 3 ? op.run.first : op.run.last) == 0, "load");
		p.pf.fail_load = ENXIO;
		rc = op_apply(p.ix, &op);
		p.pf.fail_load = 0;
		CHECK(rc == 0 || rc == -ENXIO, "change is %d", rc);
		if (rc == 0) {
			op_apply_twin(&p.twin, &op);
			commit(&p);
		}
		assert_same(p.ix, &p.twin);
	}
	close_paged(&p);
}

Test(pager, error_of_store_is_passed_on)
{
	struct paged p;
	struct rng rng;

	rng_init(&rng, harness_seed(), 14);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_MIXTURE, 5000, &rng);
	p.pf.fail_store = ENOSPC;
	cr_assert_eq(lindex_flush(p.ix), -ENOSPC);
	cr_assert_eq(lindex_evict(p.ix, 0), -ENOSPC);
	assert_same(p.ix, &p.twin);
	p.pf.fail_store = 0;
	commit(&p);
	reopen(&p);
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

Test(pager, error_of_a_store_that_makes_room_is_what_the_change_returns)
{
	struct paged p;
	struct rng rng;
	int rc = 0;

	rng_init(&rng, harness_seed(), 18);
	open_paged(&p, NULL, LINDEX_POOL_MIN_BYTES);
	p.pf.fail_store = EIO;
	for (uint64_t step = 0; rc == 0; step++) {
		struct op op = { .run = RUN(step << 20, step << 20, rng_u64(&rng), 1, 0) };

		harness_step("fill", step);
		rc = op_apply(p.ix, &op);
		if (rc == 0)
			op_apply_twin(&p.twin, &op);
	}
	CHECK(rc == -EIO, "the insert that had no room is %d", rc);
	cr_assert_eq(lindex_build(p.ix, p.twin.runs, p.twin.n, NULL), -EIO);
	cr_assert_eq(lindex_reserve(p.ix, 1000), -EIO);
	p.pf.fail_store = 0;
	assert_same(p.ix, &p.twin);
	close_paged(&p);
}

/* ---- Bytes that are not what was stored ----------------------------------------------------------------- */

struct corruption {
	struct rng rng;
	struct page_file *pf;
	unsigned int one_in;
};

static void corrupt_page(void *ctx, uint32_t page, uint8_t *bytes)
{
	struct corruption *c = ctx;
	size_t at = rng_below(&c->rng, LINDEX_PAGE_BYTES);

	(void)page;
	if (!rng_one_in(&c->rng, c->one_in))
		return;
	switch (rng_below(&c->rng, 6)) {
	case 0:
		memset(bytes, 0, LINDEX_PAGE_BYTES);
		break;
	case 1:
		memset(bytes, 0xff, LINDEX_PAGE_BYTES);
		break;
	case 2: /* another page, sound in itself */
		page_file_read(c->pf, 1 + (uint32_t)rng_below(&c->rng, c->pf->highest - 1), bytes);
		break;
	case 3:
		for (size_t i = 0; i < LINDEX_PAGE_BYTES; i++)
			bytes[i] = (uint8_t)rng_u64(&c->rng);
		break;
	case 4:
		memset(bytes + at, (int)rng_below(&c->rng, 256), LINDEX_PAGE_BYTES - at);
		break;
	default:
		bytes[at] ^= (uint8_t)(1u << rng_below(&c->rng, 8));
	}
}

static void assert_answer_is_bounded(int rc, const struct lindex_run *run, uint64_t key)
{
	CHECK(rc == 0 || rc == -ENOENT || rc == -EUCLEAN || rc == -EIO, "lookup is %d", rc);
	if (rc == 0 || rc == -ENOENT)
		CHECK(run->first <= key && key <= run->last, "key %" PRIu64 " is not in %s", key,
		      run_text(run));
}

static void use_corrupt(struct paged *p, struct corruption *c)
{
	const struct lindex_sink nowhere = { .write = write_nothing, .ctx = &(uint64_t){ 0 } };
	struct lindex_cursor cur;
	struct lindex_stats stats;
	struct lindex_cert touched;
	struct lindex_run run;
	int rc;

	for (int i = 0; i < 40; i++) {
		uint64_t key = p->twin.runs[rng_below(&c->rng, p->twin.n)].first +
			       rng_below(&c->rng, 3) - 1;

		rc = lookup_resident(p->ix, key, &run);
		assert_answer_is_bounded(rc, &run, key);
		rc = lindex_explain(p->ix, key, &run, &touched);
		if (rc != -EAGAIN)
			assert_answer_is_bounded(rc, &run, key);
		run = RUN(key, key, 5, 0, 5);
		rc = i % 3 ? 0 : lindex_insert(p->ix, &run);
		CHECK(rc == 0 || rc == -EUCLEAN || rc == -EIO, "insert is %d", rc);
		rc = i % 5 ? 0 : lindex_remove(p->ix, key, key + 1000);
		CHECK(rc == 0 || rc == -EUCLEAN || rc == -EIO || key + 1000 < key, "remove is %d",
		      rc);
	}
	lindex_cursor_init(&cur, p->ix, p->twin.runs[rng_below(&c->rng, p->twin.n)].first);
	for (int i = 0; i < 20 && next_resident(&cur, &run) == 0; i++)
		CHECK(run.first <= run.last, "%s", run_text(&run));
	lindex_get_stats(p->ix, &stats);
	CHECK(stats.nodes <= stats.resident_pages * LINDEX_PAGE_UNITS,
	      "%" PRIu64 " nodes in %" PRIu64 " pages", stats.nodes, stats.resident_pages);
	CHECK(lindex_dump(p->ix, &nowhere) == 0, "dump");
	rc = lindex_save(p->ix, &nowhere);
	CHECK(rc == 0 || rc == -EUCLEAN || rc == -EIO, "save is %d", rc);
	rc = lindex_check(p->ix, NULL);
	CHECK(rc == 0 || rc == -EUCLEAN || rc == -EIO, "check is %d", rc);
}

EVERY_SHAPE(pager, corrupted_pages_never_lead_out_of_bounds)
{
	struct corruption c;
	struct paged p;

	rng_init(&c.rng, harness_seed(), *shape);
	open_paged(&p, NULL, 0);
	build(&p, *shape, 6000, &c.rng);
	commit(&p);
	c.pf = &p.pf;
	/* What was made of corrupted pages must not go back to the file. */
	p.pf.pager.store = NULL;
	for (uint64_t step = 0; step < (harness_long() ? 5000 : 150) && p.twin.n > 3; step++) {
		harness_step(shape_name(*shape), step);
		c.one_in = 1 + (unsigned int)rng_below(&c.rng, 20);
		p.pf.corrupt = NULL;
		reopen(&p);
		p.pf.corrupt = corrupt_page;
		p.pf.corrupt_ctx = &c;
		use_corrupt(&p, &c);
	}
	close_paged(&p);
}

Test(pager, zeroed_page_is_euclean)
{
	uint8_t zeroes[LINDEX_PAGE_BYTES] = { 0 };
	struct paged p;
	struct rng rng;
	uint64_t refused = 0;

	rng_init(&rng, harness_seed(), 15);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, 5000, &rng);
	commit(&p);
	for (uint32_t page = 1; page < p.pf.highest; page++)
		page_file_write(&p.pf, page, zeroes);
	reopen(&p);
	for (size_t i = 0; i < p.twin.n; i += 10)
		refused += lindex_load(p.ix, p.twin.runs[i].first) == -EUCLEAN;
	cr_assert_eq(refused, (p.twin.n + 9) / 10);
	close_paged(&p);
}

/*
 * Shape, order and checksums of others would be content: only a model leads elsewhere. Each of the three:
 * predicts 0 and looks nowhere else; predicts the end; looks at too few. Return: nodes spoilt.
 */
static uint64_t spoil_models(uint8_t *page, uint8_t kind, unsigned int how)
{
	uint64_t spoilt = 0;

	for (uint32_t at = 0; at < LINDEX_PAGE_UNITS;) {
		struct lindex_node *node = (void *)(page + (size_t)at * LINDEX_UNIT_BYTES);
		struct lindex_sparse *s = (struct lindex_sparse *)node;
		struct lindex_inner *in = (struct lindex_inner *)node;

		at += node->kind ? node->units : 1;
		if (node->kind != kind || lindex_node_n(node) < 10)
			continue;
		if (kind == LINDEX_NODE_SPARSE) {
			s->mul = how == 1 ? lindex_to32(UINT32_MAX) : how ? s->mul : 0;
			s->post = how == 1 ? 0 : s->post;
			s->below = 0;
			s->window = lindex_to16(1);
		} else {
			in->mul = how == 1 ? lindex_to32(UINT32_MAX) : how ? in->mul : 0;
			in->post = how == 1 ? 0 : in->post;
			in->below = in->above = 0;
			in->window = lindex_to16(8);
			in->start_max = lindex_to16(
				(uint16_t)(lindex_pad8(lindex_node_n(node)) - 8));
		}
		spoilt++;
	}
	return spoilt;
}

/* Every call comes to an end, and no answer is a wrong one. */
static void use_spoilt_models(struct paged *p, uint64_t step)
{
	const struct lindex_sink nowhere = { .write = write_nothing, .ctx = &(uint64_t){ 0 } };
	struct lindex_run run, want;
	struct lindex_stats stats;
	uint64_t refused = 0;

	for (size_t i = 0; i < p->twin.n; i += 7) {
		uint64_t key = p->twin.runs[i].last;
		int rc = lookup_resident(p->ix, key, &run);

		harness_step("spoilt", step * 1000000 + i);
		refused += rc == -EUCLEAN;
		if (rc == -EUCLEAN)
			continue;
		CHECK(rc == 0, "lookup is %d", rc);
		twin_lookup(&p->twin, key, &want);
		CHECK(run_equal(&run, &want), "%s, not %s", run_text(&run), run_text(&want));
	}
	CHECK(refused > 0, "no model was found out");
	lindex_get_stats(p->ix, &stats);
	CHECK(stats.runs < p->twin.n, "%" PRIu64 " runs of %zu", stats.runs, p->twin.n);
	CHECK(lindex_dump(p->ix, &nowhere) == 0, "dump");
	CHECK(lindex_check(p->ix, NULL) == -EUCLEAN, "check finds nothing");
}

Test(pager, windows_of_stored_pages_are_not_believed, .timeout = 120)
{
	static const uint8_t kinds[] = { LINDEX_NODE_SPARSE, LINDEX_NODE_INNER };
	uint8_t bytes[LINDEX_PAGE_BYTES] __attribute__((aligned(64)));
	struct page_file *pf;
	struct paged p;
	struct rng rng;

	/* Five: a window of 8 around a good prediction may well do in an inner node. */
	for (unsigned int step = 0; step < 5; step++) {
		uint64_t spoilt = 0;

		harness_step("spoilt", step);
		rng_init(&rng, harness_seed(), 17);
		open_paged(&p, NULL, 0);
		pf = &p.pf;
		build(&p, SHAPE_SPARSE_RANDOM, 5000, &rng);
		commit(&p);
		for (uint32_t page = 1; page < pf->highest; page++) {
			page_file_read(pf, page, bytes);
			spoilt += spoil_models(bytes, kinds[step % 2], step / 2);
			page_file_write(pf, page, bytes);
		}
		CHECK(spoilt > 0, "no such node");
		reopen(&p);
		use_spoilt_models(&p, step);
		close_paged(&p);
	}
}

/* Refs of each inner node: the first two in each other's place, or all the same. Return: nodes changed. */
static uint64_t misdirect(uint8_t *page, bool all_the_same)
{
	uint64_t changed = 0;

	for (uint32_t at = 0; at < LINDEX_PAGE_UNITS;) {
		struct lindex_node *node = (void *)(page + (size_t)at * LINDEX_UNIT_BYTES);
		struct lindex_inner *in = (struct lindex_inner *)node;
		lindex_le32 *ref, first;

		at += node->kind ? node->units : 1;
		if (node->kind != LINDEX_NODE_INNER || lindex_node_n(node) < 2)
			continue;
		ref = lindex_inner_refs(in);
		first = ref[0];
		ref[0] = ref[1];
		ref[1] = first;
		for (uint32_t i = 0; all_the_same && i < lindex_node_n(node); i++)
			ref[i] = first;
		changed++;
	}
	return changed;
}

/* Each page is sound, but they are not one index: nothing is walked twice, and no image is made of it. */
static void use_misdirected(size_t n, bool all_the_same)
{
	const struct lindex_sink nowhere = { .write = write_nothing, .ctx = &(uint64_t){ 0 } };
	uint8_t bytes[LINDEX_PAGE_BYTES] __attribute__((aligned(64)));
	struct lindex_stats stats;
	uint64_t changed = 0;
	struct paged p;
	struct rng rng;

	harness_step("misdirected", n);
	rng_init(&rng, harness_seed(), 18);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_SPARSE_RANDOM, n, &rng);
	commit(&p);
	for (uint32_t page = 1; page < p.pf.highest; page++) {
		page_file_read(&p.pf, page, bytes);
		changed += misdirect(bytes, all_the_same);
		page_file_write(&p.pf, page, bytes);
	}
	CHECK(changed > 0, "no inner node");
	reopen(&p);
	for (size_t i = 0; i < p.twin.n; i += 5)
		CHECK(lindex_load(p.ix, p.twin.runs[i].first) == 0, "each page is sound");
	stats = stats_of(&p);
	CHECK(stats.nodes && stats.nodes <= stats.resident_pages * LINDEX_PAGE_UNITS,
	      "%" PRIu64 " nodes in %" PRIu64 " pages", stats.nodes, stats.resident_pages);
	CHECK(stats.runs < p.twin.n, "%" PRIu64 " runs of %zu", stats.runs, p.twin.n);
	CHECK(lindex_dump(p.ix, &nowhere) == 0, "dump");
	CHECK(lindex_check(p.ix, NULL) == -EUCLEAN, "check finds nothing");
	CHECK(lindex_save(p.ix, &nowhere) == -EUCLEAN, "an image of senseless runs");
	close_paged(&p);
}

Test(pager, pages_that_do_not_belong_together_are_neither_walked_twice_nor_saved)
{
	use_misdirected(300, false);
	use_misdirected(300, true);
	use_misdirected(100000, false);
	use_misdirected(100000, true);
}

Test(pager, noise_for_a_root_is_euclean_or_harmless)
{
	struct lindex_root good;
	struct lindex_run run;
	struct paged p;
	struct rng rng;
	int rc;

	rng_init(&rng, harness_seed(), 16);
	open_paged(&p, NULL, 0);
	build(&p, SHAPE_MIXTURE, 5000, &rng);
	commit(&p);
	good = p.root;
	for (uint64_t step = 0; step < harness_longer(300); step++) {
		struct lindex *ix = NULL;
		struct lindex_root bad = good;

		harness_step("root", step);
		for (uint64_t n = rng_below(&rng, 4); n < 4; n++)
			bad.bytes[rng_below(&rng, sizeof(bad))] = (uint8_t)rng_u64(&rng);
		if (rng_one_in(&rng, 10))
			for (size_t i = 0; i < sizeof(bad); i++)
				bad.bytes[i] = (uint8_t)rng_u64(&rng);
		rc = lindex_open_paged(p.pool, &p.cfg, &bad, &ix);
		CHECK(rc == 0 || rc == -EUCLEAN || rc == -EINVAL || rc == -ENOMEM,
		      "open_paged is %d", rc);
		if (rc) {
			CHECK(!ix, "output untouched");
			continue;
		}
		for (int i = 0; i < 5; i++) {
			uint64_t key = rng_magnitude(&rng, 64);

			rc = lookup_resident(ix, key, &run);
			assert_answer_is_bounded(rc, &run, key);
		}
		lindex_free(ix);
	}
	close_paged(&p);
}
