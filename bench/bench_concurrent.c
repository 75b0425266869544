/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Readers, alone and beside a writer: lindex as it is, and absl behind a lock.
 *
 * The writer overwrites whole runs, each with one of two values in turns. So an answer is right if it is the
 * run around the key with one of the two, and a reader can tell at every moment.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench_cmd.h"

#define READERS_MAX 8u
#define PER_LOCK    16u                 /* lookups, or one update, in one critical section */
#define OTHER_VALUE ((uint64_t)1 << 62) /* what is added to a run's value and taken away again */
#define KEYS        (1u << 18)

/**
 * struct arena - One structure and who is at it.
 * @locked: With a lock around it; else with the read side of RCU.
 * @places: The runs that @keys are in.
 * @other:  Of each run: whether it has its other value. The writer's.
 */
struct arena {
	struct set *s;
	const struct peer_ops *ops;
	void *map;
	bool locked, stop;
	pthread_rwlock_t lock;
	pthread_barrier_t start;
	const uint64_t *keys, *places;
	bool *other;
	uint64_t stored;
};

/** struct reader - @ns: By the wall. */
struct reader {
	struct arena *arena;
	pthread_t thread;
	size_t from;
	uint64_t looked, ns;
	bool wrong;
};

static bool stopped(const struct arena *a)
{
	return __atomic_load_n(&a->stop, __ATOMIC_RELAXED);
}

/* ---- Threads ------------------------------------------------------------------------------- */

static bool either(const struct arena *a, size_t at, const struct lindex_run *got)
{
	struct lindex_run want = a->s->runs.at[a->places[at]];

	want.mapped = 1;
	if (got->value != want.value)
		want.value += OTHER_VALUE;
	return run_equal(&want, got);
}

static void look_often(struct reader *r, size_t at)
{
	struct arena *a = r->arena;
	struct lindex_run got;

	if (a->locked)
		pthread_rwlock_rdlock(&a->lock);
	else
		reader_lock();
	for (unsigned int i = 0; i < PER_LOCK; i++) {
		a->ops->lookup(a->map, a->keys[at + i], &got);
		r->wrong |= !either(a, at + i, &got);
	}
	if (a->locked)
		pthread_rwlock_unlock(&a->lock);
	else
		reader_unlock();
}

static void *reader_main(void *ptr)
{
	struct reader *r = ptr;
	uint64_t start;

	reader_register();
	pthread_barrier_wait(&r->arena->start);
	start = now_ns();
	for (size_t at = r->from; !stopped(r->arena); at = (at + PER_LOCK) % KEYS) {
		look_often(r, at);
		r->looked += PER_LOCK;
	}
	r->ns = now_ns() - start;
	reader_unregister();
	return NULL;
}

static void *writer_main(void *ptr)
{
	struct arena *a = ptr;
	struct rng rng = { 1 };

	reader_register();
	pthread_barrier_wait(&a->start);
	while (!stopped(a)) {
		size_t i = rng_below(&rng, a->s->runs.n);
		struct lindex_run run = a->s->runs.at[i];

		a->other[i] = !a->other[i];
		run.value += a->other[i] ? OTHER_VALUE : 0;
		if (a->locked)
			pthread_rwlock_wrlock(&a->lock);
		a->ops->overwrite(a->map, &run);
		if (a->locked)
			pthread_rwlock_unlock(&a->lock);
		a->stored++;
	}
	reader_unregister();
	return NULL;
}

/* ---- A window of time ---------------------------------------------------------------------- */

static void start_all(struct arena *a, struct reader *readers, unsigned int n, pthread_t *writer)
{
	bool failed = pthread_barrier_init(&a->start, NULL, n + 1 + (writer != NULL));

	a->stop = false;
	a->stored = 0;
	for (unsigned int i = 0; i < n; i++) {
		readers[i] = (struct reader){ .arena = a, .from = KEYS / READERS_MAX * i };
		failed |= pthread_create(&readers[i].thread, NULL, reader_main, &readers[i]);
	}
	if (writer)
		failed |= pthread_create(writer, NULL, writer_main, a);
	if (failed)
		die("no threads");
	pthread_barrier_wait(&a->start);
}

static void window(struct arena *a, unsigned int n, bool writes, struct row *row, double *stored)
{
	const struct timespec pause = { 0, a->s->cfg->quick ? 20000000l : 400000000l };
	struct reader readers[READERS_MAX];
	uint64_t ns = 0, looked = 0;
	bool right = true;
	pthread_t writer;

	start_all(a, readers, n, writes ? &writer : NULL);
	(void)nanosleep(&pause, NULL);
	__atomic_store_n(&a->stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < n; i++) {
		(void)pthread_join(readers[i].thread, NULL);
		ns += readers[i].ns;
		looked += readers[i].looked;
		right &= !readers[i].wrong;
	}
	if (writes)
		(void)pthread_join(writer, NULL);
	(void)pthread_barrier_destroy(&a->start);
	series_add(&row->ns, (double)ns / (double)(looked ? looked : 1), right);
	*stored += (double)a->stored / ((double)ns / n * 1e-9);
}

/* ---- The contest --------------------------------------------------------------------------- */

static void open_arena(struct arena *a, struct set *s, const struct peer_ops *ops, bool locked)
{
	pthread_rwlockattr_t attr;

	*a = (struct arena){
		.s = s, .ops = ops, .locked = locked, .map = ops->build(s->runs.at, s->runs.n)
	};
	a->other = calloc(s->runs.n, sizeof(*a->other));
	if (!a->other || pthread_rwlockattr_init(&attr) ||
	    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) ||
	    pthread_rwlock_init(&a->lock, &attr))
		die("no memory");
}

static void close_arena(struct arena *a)
{
	a->ops->free(a->map);
	(void)pthread_rwlock_destroy(&a->lock);
	free(a->other);
}

static void contest(struct arena arenas[2], unsigned int readers, bool writes)
{
	struct set *s = arenas[0].s;
	struct row rows[2];
	double stored[2] = { 0, 0 };
	char mode[64];

	snprintf(mode, sizeof(mode), "%u reader%s, %s", readers, readers > 1 ? "s" : "",
		 writes ? "a writer" : "no writer");
	rows[0] = row_of(s, "lindex", "concurrent", mode, dist_names[DIST_RUN]);
	rows[1] = row_of(s, "absl, locked", "concurrent", mode, dist_names[DIST_RUN]);
	for (unsigned int r = 0; r < s->cfg->rounds; r++)
		for (unsigned int i = 0; i < 2; i++)
			window(&arenas[i ^ (r & 1)], readers, writes, &rows[i ^ (r & 1)],
			       &stored[i ^ (r & 1)]);
	for (unsigned int i = 0; i < 2; i++) {
		rows[i].checked = !rows[i].ns.wrong;
		rows[i].absl = &rows[1].ns;
		row_extra(&rows[i], "stores_s", stored[i] / s->cfg->rounds);
		rows_add(&rows[i]);
	}
	rows_show();
	if (readers + writes > s->cfg->machine.cores)
		rows_note("more threads than cores: they wait for each other");
}

static bool has_room_for_other_values(const struct runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		if (runs->at[i].value >= OTHER_VALUE ||
		    lindex_value(&runs->at[i], runs->at[i].last) >= OTHER_VALUE)
			return false;
	return true;
}

void verb_concurrent(struct set *s)
{
	uint64_t *keys = keys_drawn(s, DIST_RUN, KEYS), *places = keys_places(&s->runs, keys, KEYS);
	struct arena arenas[2];

	if (has_room_for_other_values(&s->runs)) {
		open_arena(&arenas[0], s, &peer_lindex, false);
		open_arena(&arenas[1], s, &peer_absl, true);
		for (unsigned int i = 0; i < 2; i++) {
			arenas[i].keys = keys;
			arenas[i].places = places;
		}
		for (unsigned int n = 1; n <= s->cfg->machine.cores && n <= READERS_MAX; n *= 2) {
			contest(arenas, n, false);
			contest(arenas, n, true);
		}
		close_arena(&arenas[0]);
		close_arena(&arenas[1]);
	} else {
		rows_note("concurrent: values of 2^62 and more leave no room for a second one");
	}
	free(keys);
	free(places);
}
