/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One reader beside a writer at full rate, and beside a thread that only spins, which uses the
 * second core as much but the index not at all.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bars.h"
#include "gbench.h"

#define KEYS      (1u << 20)
#define PER_LOCK  16u /* lookups in one read side */
#define WINDOW_MS 400u
#define SHARE_BAR 0.8
#define CORE_BAR  0.9 /* of the window, for which each thread has to have had a core */

/**
 * struct beside -
 * @stop, @start: Shared by all threads.
 * @wall_ns, @reader_cpu_ns, @looked, @wrong: The reader's until it is joined.
 * @other_cpu_ns, @stored, @log: The other thread's likewise.
 * @cores: Part of the window in which the thread that had less of a core had one.
 */
struct beside {
	struct lindex *ix;
	const uint64_t *keys;
	pthread_barrier_t start;
	bool stop;

	uint64_t wall_ns, reader_cpu_ns, looked;
	bool wrong;

	uint64_t other_cpu_ns, stored;
	struct log_stream log;

	struct file *file;
	void *(*other)(void *beside);
	struct series ns, rate, cores;
};

static bool stopped(const struct beside *b)
{
	return __atomic_load_n(&b->stop, __ATOMIC_RELAXED);
}

/* The file has no holes, so that every answer is a run around the key, whatever the writer does. */
static void *reader(void *ptr)
{
	struct beside *b = ptr;
	struct lindex_run run;
	uint64_t start, cpu, at = 0;
	bool wrong = false;

	reader_register();
	pthread_barrier_wait(&b->start);
	start = now_ns();
	cpu = cpu_ns();
	while (!stopped(b)) {
		reader_lock();
		for (unsigned int i = 0; i < PER_LOCK; i++) {
			uint64_t key = b->keys[at++ % KEYS];

			wrong |= lindex_lookup(b->ix, key, &run) != 0;
			wrong |= run.first > key || run.last < key || run.step != 1;
		}
		reader_unlock();
	}
	b->reader_cpu_ns = cpu_ns() - cpu;
	b->wall_ns = now_ns() - start;
	b->looked = at;
	b->wrong = wrong;
	reader_unregister();
	return NULL;
}

static void *writer(void *ptr)
{
	struct beside *b = ptr;

	reader_register();
	pthread_barrier_wait(&b->start);
	while (!stopped(b)) {
		struct lindex_run run = log_next(&b->log);

		if (lindex_insert(b->ix, &run))
			die("lindex_insert beside a reader");
		b->stored++;
	}
	reader_unregister();
	return NULL;
}

static void *spinner(void *ptr)
{
	struct beside *b = ptr;
	uint64_t cpu, turns = 0;

	pthread_barrier_wait(&b->start);
	cpu = cpu_ns();
	while (!stopped(b))
		turns++;
	__asm__ volatile("" : : "r"(turns));
	b->other_cpu_ns = cpu_ns() - cpu;
	return NULL;
}

static void window(struct beside *b)
{
	const struct timespec pause = { 0, WINDOW_MS * 1000000l };
	pthread_t threads[2];

	b->stop = false;
	b->stored = 0;
	if (pthread_barrier_init(&b->start, NULL, 2) ||
	    pthread_create(&threads[0], NULL, reader, b) ||
	    pthread_create(&threads[1], NULL, b->other, b))
		die("no threads");
	nanosleep(&pause, NULL);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	pthread_barrier_destroy(&b->start);
}

static double beside_run(void *state)
{
	struct beside *b = state;
	struct log_stream replay = b->log;
	uint64_t least;

	window(b);
	/* The reader never waits, so its own processor time is its rate; a writer may wait for it. */
	series_add(&b->ns, (double)b->reader_cpu_ns / (double)b->looked, !b->wrong);
	series_add(&b->rate, (double)b->stored / (double)b->wall_ns * 1e9, true);
	least = b->other == spinner && b->other_cpu_ns < b->reader_cpu_ns ? b->other_cpu_ns :
									    b->reader_cpu_ns;
	series_add(&b->cores, (double)least / (double)b->wall_ns, true);
	for (uint64_t i = 0; i < b->stored; i++) {
		struct lindex_run run = log_next(&replay);

		file_store(b->file, &run);
	}
	return (double)b->wall_ns * 1e-9;
}

static bool same_as_file(struct bars *b, void *map)
{
	struct runs now;
	bool same;

	if (file_runs(&b->file, &now))
		die("no memory");
	same = peer_same(&peer_lindex, map, &now);
	runs_free(&now);
	return same;
}

void bars_beside(struct bars *b, void *map)
{
	uint64_t *keys = keys_below(KEYS, b->file.blocks, &b->rng);
	struct beside beside_writer = { .ix = peer_lindex_index(map),
					.keys = keys,
					.log = b->log,
					.file = &b->file,
					.other = writer };
	struct beside beside_spinner = beside_writer;
	bool idle;

	beside_spinner.other = spinner;
	gbench_add("reader/beside-writer", beside_run, &beside_writer);
	gbench_add("reader/beside-spinner", beside_run, &beside_spinner);
	rounds_run(b->rounds);
	b->log = beside_writer.log;
	if (!same_as_file(b, map))
		beside_writer.ns.wrong = true;
	report_structure("reader", "beside a spinning thread", &beside_spinner.ns, 0, NULL, NULL);
	report_structure("reader", "beside a writer", &beside_writer.ns, 0, NULL, NULL);
	/* Threads that take turns on one core are not beside each other: no verdict then. */
	idle = series_median(&beside_spinner.cores) >= CORE_BAR &&
	       series_median(&beside_writer.cores) >= CORE_BAR;
	report_ratio(idle ? "reader's rate beside a writer / beside a spinner" :
			    "reader beside a writer: MACHINE TOO BUSY TO TELL",
		     idle ? AT_LEAST : NO_BAR, SHARE_BAR, &beside_spinner.ns, &beside_writer.ns);
	report_series("part of the time that both had a core", NO_BAR, 0, &beside_spinner.cores, 1,
		      "");
	report_series("writer's rate meanwhile", NO_BAR, 0, &beside_writer.rate, 1e-6, "M/s");
	free(keys);
}
