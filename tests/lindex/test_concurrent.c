/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Readers beside one writer. Ways to catch a wrong answer:
 *
 *   history    The writer's changes are drawn beforehand and numbered. A reader notes how many were
 *              done before its lookup and how many were begun after it: the answer must be the one of
 *              some state in between. Judged afterwards, by the twin, change by change.
 *   seal       Values carry their key, tags a hash of their version: any answer proves by itself that
 *              its fields belong together. Judged at once.
 *   snapshot   A snapshot is walked by a reader while the writer goes on: its runs have one sum.
 *
 * With a pager: test_pager_concurrent.c.
 *
 * Bounded by numbers of changes and lookups, not by time. Meant to be run under ThreadSanitizer: the
 * counters between the threads are relaxed, so they order nothing that the library should order.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "keys.h"
#include "read_side.h"
#include "same.h"
#include "world.h"

#define READERS 3

/*
 * A barrier that the sanitizer does not take for synchronisation: loads and stores of the counters
 * stay on their side of the library call in program order (and the machine's, with the fence).
 */
static inline void counter_fence(void)
{
#if defined(__x86_64__)
	__asm__ __volatile__("mfence" ::: "memory");
#elif defined(__aarch64__)
	__asm__ __volatile__("dmb ish" ::: "memory");
#else
	__sync_synchronize();
#endif
}

/* ---- History ------------------------------------------------------------------------------------------- */

struct sample {
	uint64_t key, from, to; /* states [from, to] are possible */
	struct lindex_run got;
	int rc;
};

struct history {
	struct world w;
	struct op *ops;
	uint64_t n_ops;
	struct twin start;
	uint64_t *keys; /* where readers look */
	size_t n_keys;
	_Atomic uint64_t begun, done;
	_Atomic unsigned int ready;
};

struct reader {
	struct history *h;
	pthread_t thread;
	struct rng rng;
	struct sample *samples;
	size_t n;
	bool batch;
};

/*
 * The changes, from @start on: drawn against a twin that goes ahead. Keys where changes are or were
 * are where readers look.
 */
static void draw_history(struct history *h, enum shape shape, size_t runs, uint64_t n_ops)
{
	struct twin ahead;
	struct rng rng;

	memset(h, 0, sizeof(*h));
	rng_init(&rng, harness_seed(), n_ops);
	twin_init(&ahead);
	shape_make(shape, runs, &rng, &h->start);
	twin_copy(&ahead, &h->start);
	h->n_ops = n_ops;
	h->ops = malloc(n_ops * sizeof(*h->ops));
	h->keys = malloc(2 * n_ops * sizeof(*h->keys));
	CHECK(h->ops && h->keys, "memory");
	for (uint64_t i = 0; i < n_ops; i++) {
		h->ops[i] = op_draw(&ahead, &h->start, runs + runs / 4 + 2, &rng);
		op_apply_twin(&ahead, &h->ops[i]);
		h->keys[h->n_keys++] = h->ops[i].run.first;
		h->keys[h->n_keys++] = h->ops[i].run.last;
	}
	twin_destroy(&ahead);
	world_open(&h->w, NULL, 0, 0);
	world_build(&h->w, &h->start);
}

static void wait_for_all(struct history *h)
{
	atomic_fetch_add(&h->ready, 1);
	while (atomic_load(&h->ready) < READERS + 1)
		;
}

static void look(struct reader *r)
{
	struct history *h = r->h;
	struct sample *s = &r->samples[r->n++];

	s->key = h->keys[rng_below(&r->rng, h->n_keys)] + rng_below(&r->rng, 3) - 1;
	s->from = atomic_load_explicit(&h->done, memory_order_relaxed);
	counter_fence();
	read_side_lock();
	s->rc = lindex_lookup(h->w.ix, s->key, &s->got);
	read_side_unlock();
	counter_fence();
	s->to = atomic_load_explicit(&h->begun, memory_order_relaxed);
}

#define BATCH 24

static void look_at_many(struct reader *r)
{
	struct history *h = r->h;
	struct lindex_run got[BATCH];
	uint64_t keys[BATCH], from, to;
	int64_t count;

	for (int i = 0; i < BATCH; i++)
		keys[i] = h->keys[rng_below(&r->rng, h->n_keys)] + rng_below(&r->rng, 3) - 1;
	from = atomic_load_explicit(&h->done, memory_order_relaxed);
	counter_fence();
	read_side_lock();
	count = lindex_lookup_batch(h->w.ix, keys, BATCH, got);
	read_side_unlock();
	counter_fence();
	to = atomic_load_explicit(&h->begun, memory_order_relaxed);
	for (int i = 0; i < BATCH; i++) {
		struct sample *s = &r->samples[r->n++];

		*s = (struct sample){ keys[i], from, to, got[i], got[i].mapped ? 0 : -ENOENT };
		count -= got[i].mapped;
	}
	CHECK(count == 0, "the batch counts otherwise by %" PRId64, count);
}

static size_t samples_per_reader(void)
{
	return (size_t)harness_longer(60000);
}

static void *read_history(void *ctx)
{
	struct reader *r = ctx;

	read_side_register();
	wait_for_all(r->h);
	while (r->n + BATCH <= samples_per_reader()) {
		harness_step("reader", r->n);
		if (r->batch)
			look_at_many(r);
		else
			look(r);
	}
	read_side_unregister();
	return NULL;
}

/* The writer: this thread. It takes a snapshot now and then, so that it has to copy. */
static void write_history(struct history *h, bool snapshots)
{
	struct lindex *snap = NULL;

	wait_for_all(h);
	for (uint64_t i = 0; i < h->n_ops; i++) {
		harness_step("writer", i);
		atomic_store_explicit(&h->begun, i + 1, memory_order_relaxed);
		counter_fence();
		CHECK(op_apply(h->w.ix, &h->ops[i]) == 0, "change");
		counter_fence();
		atomic_store_explicit(&h->done, i + 1, memory_order_relaxed);
		if (snapshots && i % 97 == 0) {
			lindex_free(snap);
			CHECK(lindex_snapshot(h->w.ix, &snap) == 0, "snapshot");
		}
		if (i % 2000 == 1999)
			CHECK(lindex_pool_reclaim(h->w.pool) == 0, "reclaim");
	}
	lindex_free(snap);
}

/* ---- Afterwards: was each answer true of some state that it may be of? -------------------------------- */

static int by_from(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static bool true_now(const struct twin *t, const struct sample *s)
{
	struct lindex_run want;
	int rc = twin_lookup(t, s->key, &want);

	return rc == s->rc && run_equal(&want, &s->got);
}

/* Open samples: begun at or before this state, not yet found true. */
struct open_samples {
	const struct sample **at;
	size_t n;
};

static void judge_state(const struct twin *t, uint64_t state, struct open_samples *open)
{
	size_t kept = 0;

	for (size_t i = 0; i < open->n; i++) {
		const struct sample *s = open->at[i];

		if (true_now(t, s))
			continue;
		CHECK(state < s->to,
		      "key %" PRIu64 ": %s was true of no state %" PRIu64 "..%" PRIu64, s->key,
		      run_text(&s->got), s->from, s->to);
		open->at[kept++] = s;
	}
	open->n = kept;
}

static void judge(struct history *h, struct reader *readers)
{
	struct twin t;

	twin_init(&t);
	for (int r = 0; r < READERS; r++) {
		struct open_samples open = { 0 };
		size_t next = 0;

		qsort(readers[r].samples, readers[r].n, sizeof(struct sample), by_from);
		open.at = malloc(readers[r].n * sizeof(*open.at));
		CHECK(open.at, "memory");
		twin_copy(&t, &h->start);
		for (uint64_t state = 0; state <= h->n_ops; state++) {
			harness_step("judge", state);
			while (next < readers[r].n && readers[r].samples[next].from <= state)
				open.at[open.n++] = &readers[r].samples[next++];
			judge_state(&t, state, &open);
			if (state < h->n_ops)
				op_apply_twin(&t, &h->ops[state]);
		}
		free(open.at);
	}
	assert_same(h->w.ix, &t);
	twin_destroy(&t);
}

static void run_history(enum shape shape, size_t runs, uint64_t n_ops, bool snapshots)
{
	struct reader readers[READERS] = { { 0 } };
	static struct history h;

	draw_history(&h, shape, runs, n_ops);
	for (int r = 0; r < READERS; r++) {
		readers[r].h = &h;
		readers[r].batch = r == READERS - 1;
		readers[r].samples = malloc(samples_per_reader() * sizeof(struct sample));
		CHECK(readers[r].samples, "memory");
		rng_init(&readers[r].rng, harness_seed(), 100 + (uint64_t)r);
		CHECK(pthread_create(&readers[r].thread, NULL, read_history, &readers[r]) == 0,
		      "thread");
	}
	write_history(&h, snapshots);
	for (int r = 0; r < READERS; r++)
		pthread_join(readers[r].thread, NULL);
	judge(&h, readers);
	for (int r = 0; r < READERS; r++)
		free(readers[r].samples);
	world_close(&h.w);
	twin_destroy(&h.start);
	free(h.ops);
	free(h.keys);
}

Test(concurrent, answers_are_of_a_state_that_was_in_a_large_map)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_MIXTURE, 3000, harness_longer(10000), false);
}

Test(concurrent, answers_are_of_a_state_that_was_in_an_aged_map)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_LFS_AGED, 1500, harness_longer(10000), false);
}

Test(concurrent, answers_are_of_a_state_that_was_under_snapshots)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_MIXTURE, 1500, harness_longer(8000), true);
}

/* Few keys, so that every lookup is where a change is. */
Test(concurrent, answers_are_of_a_state_that_was_in_a_small_map)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_TAGGED, 30, harness_longer(10000), false);
}

/* Empty, inline, a tree, and back, with readers inside. */
Test(concurrent, answers_are_of_a_state_that_was_around_empty)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_SPARSE_RANDOM, 4, harness_longer(10000), false);
}

Test(concurrent, answers_are_of_a_state_that_was_from_empty)
{
	NEEDS_READ_SIDE();
	run_history(SHAPE_NONE, 0, harness_longer(5000), true);
}

/* ---- Seals --------------------------------------------------------------------------------------------- */

/*
 * Keys [0, SEALED) are always mapped, by runs whose value at key k is version * 2^32 + k. The tag is a
 * hash of the version, and changes begin and end at multiples of GRAIN. So each answer shows its
 * version; it must be one that was begun; and for the same key a version never goes back.
 */
#define SEALED ((uint64_t)1 << 18)
#define GRAIN  8u
#define WATCH  64u

static uint16_t seal_of(uint64_t version)
{
	uint64_t state = version;

	return (uint16_t)rng_splitmix(&state);
}

static struct lindex_run sealed_run(uint64_t first, uint64_t last, uint64_t version)
{
	return RUN(first, last, (version << 32) + first, 1, seal_of(version));
}

static uint64_t assert_sealed(const struct lindex_run *run, uint64_t key)
{
	uint64_t version = run->value >> 32;

	CHECK(run->first <= key && key <= run->last, "key %" PRIu64 " is not in %s", key,
	      run_text(run));
	CHECK(run->mapped == 1 && run->step == 1, "%s where all is mapped", run_text(run));
	CHECK((uint32_t)run->value == run->first && run->tag == seal_of(version),
	      "parts that do not belong together: %s", run_text(run));
	CHECK(run->first % GRAIN == 0 && run->last % GRAIN == GRAIN - 1, "edges: %s",
	      run_text(run));
	return version;
}

struct seals {
	struct world w;
	_Atomic uint64_t begun;
	_Atomic unsigned int ready;
	uint64_t changes, lookups;
	struct lindex *_Atomic snapshot; /* handed to a reader, who puts NULL back */
	_Atomic uint64_t snapshot_sum;
};

static uint64_t sum_of_run(const struct lindex_run *run)
{
	uint64_t state = run->first ^ rng_rotl(run->last, 20) ^ rng_rotl(run->value, 40) ^ run->tag;

	return rng_splitmix(&state);
}

static void seals_wait(struct seals *s, unsigned int all)
{
	atomic_fetch_add(&s->ready, 1);
	while (atomic_load(&s->ready) < all)
		;
}

static void watch_one(struct seals *s, uint64_t *seen, uint64_t key, uint64_t slot)
{
	struct lindex_run run;
	uint64_t version;
	int rc;

	read_side_lock();
	rc = lindex_lookup(s->w.ix, key, &run);
	read_side_unlock();
	counter_fence();
	CHECK(rc == 0, "lookup is %d where all is mapped", rc);
	version = assert_sealed(&run, key);
	CHECK(version <= atomic_load_explicit(&s->begun, memory_order_relaxed),
	      "version %" PRIu64 " is not written yet", version);
	CHECK(version >= seen[slot], "version %" PRIu64 " of key %" PRIu64 " after %" PRIu64,
	      version, key, seen[slot]);
	seen[slot] = version;
}

static void *watch_versions(void *ctx)
{
	struct seals *s = ctx;
	uint64_t seen[WATCH] = { 0 }, keys[WATCH];
	struct rng rng;

	rng_init(&rng, harness_seed(), 31);
	for (size_t i = 0; i < WATCH; i++)
		keys[i] = rng_below(&rng, SEALED);
	read_side_register();
	seals_wait(s, 3);
	for (uint64_t i = 0; i < s->lookups; i++) {
		uint64_t slot = rng_below(&rng, WATCH);

		harness_step("watcher", i);
		watch_one(s, seen, keys[slot], slot);
	}
	read_side_unregister();
	return NULL;
}

/* The read side is dropped between two steps; still runs follow each other, and cover everything. */
static void walk_sealed(struct seals *s)
{
	uint64_t next = 0;
	struct lindex_cursor cur;
	struct lindex_run run;
	int rc;

	lindex_cursor_init(&cur, s->w.ix, 0);
	while (next < SEALED) {
		read_side_lock();
		rc = lindex_cursor_next(&cur, &run);
		read_side_unlock();
		CHECK(rc == 0, "next() is %d at key %" PRIu64, rc, next);
		assert_sealed(&run, next);
		next = run.last + 1;
	}
}

/* Backwards, inside one read side for some steps at a time. */
static void walk_sealed_back(struct seals *s)
{
	uint64_t last = SEALED - 1;
	struct lindex_cursor cur;
	struct lindex_run run;
	int steps = 0, rc;

	lindex_cursor_init(&cur, s->w.ix, SEALED);
	read_side_lock();
	for (;;) {
		rc = lindex_cursor_prev(&cur, &run);
		CHECK(rc == 0, "prev() is %d at key %" PRIu64, rc, last);
		assert_sealed(&run, last);
		if (!run.first)
			break;
		last = run.first - 1;
		if (++steps % 50 == 0) {
			read_side_unlock();
			read_side_lock();
		}
	}
	read_side_unlock();
}

/* A snapshot stands still: the writer said what the sum of its runs is. */
static void sum_snapshot(struct seals *s)
{
	struct lindex *snap = atomic_load(&s->snapshot);
	struct lindex_cursor cur;
	struct lindex_run run;
	uint64_t sum = 0;

	if (!snap)
		return;
	lindex_cursor_init(&cur, snap, 0);
	for (;;) {
		int rc;

		read_side_lock();
		rc = lindex_cursor_next(&cur, &run);
		read_side_unlock();
		if (rc)
			break;
		sum += sum_of_run(&run);
	}
	CHECK(sum == atomic_load(&s->snapshot_sum), "a run of the snapshot has changed");
	atomic_store(&s->snapshot, NULL);
}

static void *walk_all(void *ctx)
{
	struct seals *s = ctx;

	read_side_register();
	seals_wait(s, 3);
	for (uint64_t i = 0; i < s->lookups / 4000; i++) {
		harness_step("walker", i);
		walk_sealed(s);
		walk_sealed_back(s);
		sum_snapshot(s);
	}
	/* The writer may be waiting for the last one to come back. */
	sum_snapshot(s);
	read_side_unregister();
	return NULL;
}

/* A range, mostly small, on the grain. */
static void draw_range(struct rng *rng, uint64_t *first, uint64_t *last)
{
	uint64_t grains = SEALED / GRAIN,
		 len = 1 + rng_magnitude(rng, rng_one_in(rng, 50) ? 13 : 4);
	uint64_t at = rng_below(rng, grains);

	if (len > grains - at)
		len = grains - at;
	*first = at * GRAIN;
	*last = (at + len) * GRAIN - 1;
}

/* Every change is one atomic overwrite: nothing in [0, SEALED) is ever a hole. */
static void write_sealed(struct seals *s, uint64_t version, struct rng *rng)
{
	uint64_t first, last;

	draw_range(rng, &first, &last);
	atomic_store_explicit(&s->begun, version, memory_order_relaxed);
	counter_fence();
	world_do(&s->w, &(struct op){ .run = sealed_run(first, last, version) });
	/* Splits and merges of leaves outside, too. */
	first = SEALED + GRAIN + rng_below(rng, SEALED);
	world_do(&s->w, &(struct op){ .run = RUN(first, first + 3, rng_bits(rng, 30), 0, 1),
				      .is_remove = rng_one_in(rng, 3) });
}

static void swap_snapshot(struct seals *s, struct lindex **mine)
{
	uint64_t sum = 0;

	/* Still with the walker: next time. */
	if (atomic_load(&s->snapshot))
		return;
	lindex_free(*mine);
	CHECK(lindex_snapshot(s->w.ix, mine) == 0, "snapshot");
	for (size_t i = 0; i < s->w.twin.n; i++)
		sum += sum_of_run(&s->w.twin.runs[i]);
	atomic_store(&s->snapshot_sum, sum);
	atomic_store(&s->snapshot, *mine);
}

static void run_sealed(bool snapshots)
{
	static struct seals s;
	struct lindex *mine = NULL;
	pthread_t watcher, walker;
	struct rng rng;

	memset(&s, 0, sizeof(s));
	rng_init(&rng, harness_seed(), 30);
	s.changes = harness_longer(12000);
	s.lookups = harness_longer(200000);
	world_open(&s.w, NULL, 0, 0);
	world_do(&s.w, &(struct op){ .run = sealed_run(0, SEALED - 1, 0) });
	CHECK(pthread_create(&watcher, NULL, watch_versions, &s) == 0, "thread");
	CHECK(pthread_create(&walker, NULL, walk_all, &s) == 0, "thread");
	seals_wait(&s, 3);
	for (uint64_t version = 1; version <= s.changes; version++) {
		harness_step("writer", version);
		write_sealed(&s, version, &rng);
		if (snapshots && version % 200 == 0)
			swap_snapshot(&s, &mine);
	}
	pthread_join(watcher, NULL);
	pthread_join(walker, NULL);
	lindex_free(mine);
	assert_same(s.w.ix, &s.w.twin);
	world_close(&s.w);
}

Test(concurrent, mapped_keys_stay_mapped_and_versions_never_go_back)
{
	NEEDS_READ_SIDE();
	run_sealed(false);
}

Test(concurrent, snapshots_stand_still_while_the_index_changes)
{
	NEEDS_READ_SIDE();
	run_sealed(true);
}

/* ---- Bulk load beside readers ---------------------------------------------------------------------------- */

struct rebuild {
	struct world w;
	struct twin a, b;
	_Atomic unsigned int ready;
	uint64_t lookups;
};

static void *read_either(void *ctx)
{
	struct rebuild *r = ctx;
	struct lindex_run got, of_a, of_b;
	struct rng rng;

	rng_init(&rng, harness_seed(), 41);
	read_side_register();
	atomic_fetch_add(&r->ready, 1);
	while (atomic_load(&r->ready) < 3)
		;
	for (uint64_t i = 0; i < r->lookups; i++) {
		const struct twin *t = rng_one_in(&rng, 2) ? &r->a : &r->b;
		uint64_t key = t->runs[rng_below(&rng, t->n)].first + rng_below(&rng, 2);

		harness_step("either", i);
		read_side_lock();
		lindex_lookup(r->w.ix, key, &got);
		read_side_unlock();
		twin_lookup(&r->a, key, &of_a);
		twin_lookup(&r->b, key, &of_b);
		CHECK(run_equal(&got, &of_a) || run_equal(&got, &of_b),
		      "key %" PRIu64 ": %s, of neither", key, run_text(&got));
	}
	read_side_unregister();
	return NULL;
}

Test(concurrent, readers_see_the_old_contents_or_the_new_while_a_build_replaces_them)
{
	static struct rebuild r;
	pthread_t readers[2];
	struct rng rng;

	NEEDS_READ_SIDE();
	rng_init(&rng, harness_seed(), 40);
	r.lookups = harness_longer(100000);
	shape_make(SHAPE_MIXTURE, 2000, &rng, &r.a);
	shape_make(SHAPE_LFS_AGED, 2000, &rng, &r.b);
	world_open(&r.w, NULL, 0, 0);
	world_build(&r.w, &r.a);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&readers[i], NULL, read_either, &r) == 0, "thread");
	atomic_fetch_add(&r.ready, 1);
	while (atomic_load(&r.ready) < 3)
		;
	for (uint64_t i = 0; i < harness_longer(200); i++) {
		harness_step("builder", i);
		world_build(&r.w, i % 2 ? &r.a : &r.b);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	assert_same(r.w.ix, &r.w.twin);
	world_close(&r.w);
	twin_destroy(&r.a);
	twin_destroy(&r.b);
}

/* A tiny map that changes all the time: its updates, too, share grace periods. */
Test(concurrent, updates_of_few_runs_share_a_grace_period)
{
	const uint64_t changes = 5000;
	uint64_t waits;
	struct world w;

	NEEDS_READ_SIDE();
	world_open(&w, NULL, 0, 0);
	waits = read_side_grace_periods();
	for (uint64_t i = 0; i < changes; i++) {
		uint64_t first = 100 * (i % 3);

		harness_step("few runs", i);
		world_do(&w, &(struct op){ .run = RUN(first, first + i % 50, i, 0, 0),
					   .is_remove = i % 5 == 4 });
	}
	waits = read_side_grace_periods() - waits;
	CHECK(waits <= 4 + changes / 64, "%" PRIu64 " grace periods for %" PRIu64 " changes", waits,
	      changes);
	assert_same(w.ix, &w.twin);
	world_close(&w);
}
