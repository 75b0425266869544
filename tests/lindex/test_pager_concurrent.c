/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Readers of an index with a pager: answers and figures stay right while pages are loaded, changed and
 * evicted beside them. What a key must answer follows from the key, so that readers need no twin.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "pages.h"
#include "read_side.h"
#include "rng.h"
#include "same.h"

/* ---- Beside eviction --------------------------------------------------------------------------------------- */

struct eviction {
	uint64_t runs;
	struct page_file pf;
	struct lindex_pool *pool;
	struct lindex *ix;
	_Atomic unsigned int ready;
	_Atomic bool stop;
};

typedef bool look_function(struct eviction *e, struct rng *rng);

struct watcher {
	struct eviction *e;
	look_function *once;
	uint64_t looks, useful;
};

static struct lindex_run paged_run(uint64_t i)
{
	uint64_t state = i, hash = rng_splitmix(&state);
	struct lindex_run run = RUN(16 * i, 16 * i + (hash & 7), hash >> 32, 1, 0);

	run.mapped = 1;
	return run;
}

/* Run or hole, the answer follows from the key. Return: whether there was one. */
static bool assert_paged_answer(uint64_t key, int rc, const struct lindex_run *got)
{
	struct lindex_run want = paged_run(key / 16);

	if (rc == -EAGAIN)
		return false;
	if (key > want.last)
		want = (struct lindex_run){ .first = want.last + 1, .last = key | 15 };
	CHECK(rc == (want.mapped ? 0 : -ENOENT) && run_equal(got, &want),
	      "key %" PRIu64 ": %d %s, not %s", key, rc, run_text(got), run_text(&want));
	return true;
}

static bool look_with_lookup(struct eviction *e, struct rng *rng)
{
	uint64_t key = rng_below(rng, 16 * (e->runs - 1));
	struct lindex_run run;
	int rc = lindex_lookup(e->ix, key, &run);

	return assert_paged_answer(key, rc, &run);
}

static bool look_with_explain(struct eviction *e, struct rng *rng)
{
	uint64_t key = rng_below(rng, 16 * (e->runs - 1));
	struct lindex_cert touched;
	struct lindex_run run;
	int rc = lindex_explain(e->ix, key, &run, &touched);

	CHECK(rc == -EAGAIN || (touched.depth && touched.lines), "key %" PRIu64 " touches nothing",
	      key);
	return assert_paged_answer(key, rc, &run);
}

static int count_lines(void *ctx, const void *bytes, size_t len)
{
	const char *text = bytes;
	uint64_t *lines = ctx;

	for (size_t i = 0; i < len; i++)
		*lines += text[i] == '\n';
	return 0;
}

static bool look_with_dump(struct eviction *e, struct rng *rng)
{
	uint64_t lines = 0;
	struct lindex_sink sink = { .write = count_lines, .ctx = &lines };

	(void)rng;
	CHECK(lindex_dump(e->ix, &sink) == 0, "dump");
	CHECK(lines > 0, "a dump without a line");
	return lines > 1; /* more than that the root is absent */
}

static bool look_with_stats(struct eviction *e, struct rng *rng)
{
	struct lindex_stats stats;

	(void)rng;
	lindex_get_stats(e->ix, &stats);
	CHECK(stats.runs <= e->runs && stats.keys <= 8 * e->runs,
	      "%" PRIu64 " runs, %" PRIu64 " keys", stats.runs, stats.keys);
	return stats.runs > 0;
}

static void *watch_pages(void *ctx)
{
	struct watcher *w = ctx;
	struct rng rng;

	rng_init(&rng, harness_seed(), 50);
	read_side_register();
	atomic_fetch_add(&w->e->ready, 1);
	while (!atomic_load(&w->e->stop)) {
		harness_step("watcher of pages", w->looks);
		read_side_lock();
		w->useful += w->once(w->e, &rng);
		read_side_unlock();
		w->looks++;
	}
	read_side_unregister();
	return NULL;
}

static void open_eviction(struct eviction *e, uint64_t runs)
{
	struct lindex_pool_config pool_cfg = { .cap_bytes = LINDEX_POOL_MIN_BYTES };
	struct lindex_config cfg = { .pager = &e->pf.pager };

	memset(e, 0, sizeof(*e));
	e->runs = runs;
	page_file_open(&e->pf);
	CHECK(lindex_pool_create(&pool_cfg, &e->pool) == 0, "pool");
	CHECK(lindex_create(e->pool, &cfg, &e->ix) == 0, "index");
	for (uint64_t i = 0; i < runs; i++) {
		struct lindex_run run = paged_run(i);

		CHECK(lindex_insert(e->ix, &run) == 0, "insert");
	}
	CHECK(lindex_flush(e->ix) == 0, "flush");
}

/* Loads pages that push out others; stores anew what is there; lets all go, one change in @all. */
static void push_pages(struct eviction *e, uint64_t steps, uint64_t all)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 51);
	for (uint64_t step = 0; step < steps; step++) {
		uint64_t i = rng_below(&rng, e->runs - 1);
		struct lindex_run run = paged_run(i);

		harness_step("pusher", step);
		CHECK(lindex_load(e->ix, 16 * i) == 0, "load");
		if (step % 16 == 0)
			CHECK(lindex_insert(e->ix, &run) == 0, "insert");
		if (step % all == 0)
			CHECK(lindex_evict(e->ix, 0) >= 0, "evict");
	}
}

static void look_beside_eviction(look_function *once, uint64_t runs, uint64_t steps, uint64_t all)
{
	static struct eviction e;
	struct watcher w = { .e = &e, .once = once };
	pthread_t thread;

	open_eviction(&e, runs);
	CHECK(pthread_create(&thread, NULL, watch_pages, &w) == 0, "thread");
	while (!atomic_load(&e.ready))
		;
	push_pages(&e, steps, all);
	atomic_store(&e.stop, true);
	pthread_join(thread, NULL);
	CHECK(w.useful, "%" PRIu64 " looks, and nothing was ever there", w.looks);
	assert_sound(e.ix);
	lindex_free(e.ix);
	CHECK(lindex_pool_free(e.pool) == 0, "pool is busy");
	page_file_close(&e.pf);
}

/* A few pages that come and go all the time, and three times what the cap has room for. */
static void look_beside_evictions(look_function *once)
{
	look_beside_eviction(once, 3000, harness_longer(50000), 4);
	look_beside_eviction(once, 60000, harness_longer(2000), 500);
}

Test(pager_concurrent, lookup_is_a_reader_beside_eviction)
{
	NEEDS_READ_SIDE();
	look_beside_evictions(look_with_lookup);
}

Test(pager_concurrent, explain_is_a_reader_beside_eviction)
{
	NEEDS_READ_SIDE();
	look_beside_evictions(look_with_explain);
}

Test(pager_concurrent, dump_is_a_reader_beside_eviction)
{
	NEEDS_READ_SIDE();
	look_beside_evictions(look_with_dump);
}

Test(pager_concurrent, stats_is_a_reader_beside_eviction)
{
	NEEDS_READ_SIDE();
	look_beside_evictions(look_with_stats);
}

/* ---- Figures, and pages that come and go, beside readers ------------------------------------------------- */

#define BLOCKS                                                                                     \
	4096u /* of 16 keys: at most one run in each, whose fields follow from its first key */

struct paging {
	struct page_file pf;
	struct lindex_pool *pool;
	struct lindex *ix;
	_Atomic unsigned int ready;
	uint64_t changes, lookups;
};

static struct lindex_run block_run(uint64_t first, uint64_t last)
{
	return RUN(first, last, first * 1000003, 0, (uint16_t)(first / 16));
}

static void paging_wait(struct paging *p)
{
	atomic_fetch_add(&p->ready, 1);
	while (atomic_load(&p->ready) < 3)
		;
}

static void *read_blocks(void *ctx)
{
	struct paging *p = ctx;
	struct lindex_run run;
	struct rng rng;

	rng_init(&rng, harness_seed(), 51);
	read_side_register();
	paging_wait(p);
	for (uint64_t i = 0; i < p->lookups; i++) {
		uint64_t key = rng_below(&rng, 16 * BLOCKS);
		int rc;

		harness_step("blocks", i);
		read_side_lock();
		rc = lindex_lookup(p->ix, key, &run);
		read_side_unlock();
		if (rc == -EAGAIN)
			continue;
		CHECK(rc == 0 || rc == -ENOENT, "lookup is %d", rc);
		CHECK(run.first <= key && key <= run.last, "%s", run_text(&run));
		if (rc == 0) {
			struct lindex_run want = block_run(run.first, run.last);

			want.mapped = 1;
			CHECK(run_equal(&run, &want) && run.last / 16 == run.first / 16,
			      "%s was never stored", run_text(&run));
		}
	}
	read_side_unregister();
	return NULL;
}

static void *read_figures(void *ctx)
{
	struct paging *p = ctx;
	struct lindex_stats stats;

	read_side_register();
	paging_wait(p);
	for (uint64_t i = 0; i < p->lookups / 100; i++) {
		harness_step("figures", i);
		read_side_lock();
		lindex_get_stats(p->ix, &stats);
		read_side_unlock();
		CHECK(stats.runs <= BLOCKS, "%" PRIu64 " runs", stats.runs);
		CHECK(stats.resident_pages <= stats.pages + 1, "%" PRIu64 " of %" PRIu64 " pages",
		      stats.resident_pages, stats.pages);
		CHECK(stats.pool_bytes >= 4096 && lindex_pool_bytes(p->pool) >= 4096, "bytes");
	}
	read_side_unregister();
	return NULL;
}

static void write_blocks(struct paging *p)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 50);
	paging_wait(p);
	for (uint64_t i = 0; i < p->changes; i++) {
		uint64_t first = 16 * rng_below(&rng, BLOCKS), last = first + 15;

		harness_step("writer", i);
		if (rng_one_in(&rng, 3)) {
			CHECK(lindex_remove(p->ix, first, last) == 0, "remove");
		} else {
			struct lindex_run run;

			/* Never two runs in a block: the other goes first. */
			CHECK(lindex_remove(p->ix, first, last) == 0, "remove");
			run = block_run(first + rng_below(&rng, 8), last - rng_below(&rng, 8));
			CHECK(lindex_insert(p->ix, &run) == 0, "insert");
		}
		if (rng_one_in(&rng, 16))
			CHECK(lindex_evict(p->ix, rng_below(&rng, 8)) >= 0, "evict");
		CHECK(lindex_load(p->ix, 16 * rng_below(&rng, BLOCKS)) == 0, "load");
	}
}

static void run_paging(bool paged)
{
	static struct paging p;
	struct lindex_config cfg = { .pager = paged ? &p.pf.pager : NULL };
	pthread_t readers[2];

	memset(&p, 0, sizeof(p));
	page_file_open(&p.pf);
	p.changes = harness_longer(5000);
	p.lookups = harness_longer(100000);
	CHECK(lindex_pool_create(NULL, &p.pool) == 0, "pool");
	CHECK(lindex_create(p.pool, &cfg, &p.ix) == 0, "create");
	CHECK(pthread_create(&readers[0], NULL, read_blocks, &p) == 0, "thread");
	CHECK(pthread_create(&readers[1], NULL, read_figures, &p) == 0, "thread");
	write_blocks(&p);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	lindex_free(p.ix);
	CHECK(lindex_pool_free(p.pool) == 0, "pool is busy");
	page_file_close(&p.pf);
}

Test(pager_concurrent, figures_are_read_beside_a_writer)
{
	NEEDS_READ_SIDE();
	run_paging(false);
}

Test(pager_concurrent, pages_come_and_go_beside_readers)
{
	NEEDS_READ_SIDE();
	run_paging(true);
}
