/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gbench.h"

typedef uint64_t (*lookups_fn)(const void *map, const uint64_t *keys, size_t n);

/* ---- Timed --------------------------------------------------------------------------------- */

static lookups_fn function_of(const struct loop *loop)
{
	switch (loop->mode) {
	case LOOP_CHAIN:
		return loop->ops->chain;
	case LOOP_BATCH:
		return loop->ops->batch;
	default:
		return loop->ops->lookups;
	}
}

/* Made once, and as large as was asked for first. */
static void flush(size_t bytes)
{
	static unsigned char *buffer;
	static size_t have;
	uint64_t sum = 0;

	if (have < bytes) {
		free(buffer);
		buffer = grab(bytes);
		memset(buffer, 1, bytes);
		have = bytes;
	}
	for (size_t i = 0; i < bytes; i += 64)
		sum += buffer[i];
	__asm__ volatile("" : : "r"(sum));
}

static double run_hot(struct loop *loop, lookups_fn lookups)
{
	uint64_t start, sum, ns;

	sum = lookups(loop->map, loop->keys + loop->n, loop_warm(loop->n));
	__asm__ volatile("" : : "r"(sum));
	start = cpu_ns();
	sum = lookups(loop->map, loop->keys, loop->n);
	ns = cpu_ns() - start;
	series_add(&loop->ns, (double)ns / (double)loop->n, sum == loop->want);
	return (double)ns * 1e-9;
}

/* A chain starts anew after each flush; twin_sum() knows. */
static double run_flushed(struct loop *loop, lookups_fn lookups)
{
	uint64_t sum = 0, ns = 0;

	for (size_t i = 0; i < loop->n; i += FLUSH_LOOKUPS) {
		size_t n = loop->n - i < FLUSH_LOOKUPS ? loop->n - i : FLUSH_LOOKUPS;
		uint64_t start;

		flush(loop->flush);
		start = cpu_ns();
		sum += lookups(loop->map, loop->keys + i, n);
		ns += cpu_ns() - start;
	}
	series_add(&loop->ns, (double)ns / (double)loop->n, sum == loop->want);
	return (double)ns * 1e-9;
}

static double loop_run(void *state)
{
	struct loop *loop = state;

	return loop->flush ? run_flushed(loop, function_of(loop)) :
			     run_hot(loop, function_of(loop));
}

void loop_add(struct loop *loop, const char *op)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/%s", op, loop->ops->name);
	gbench_add(name, loop_run, loop);
}

void rounds_run(unsigned int rounds)
{
	bool shown = isatty(STDERR_FILENO);

	for (unsigned int i = 0; i < rounds; i++) {
		if (shown)
			fprintf(stderr, "\rround %u of %u ", i + 1, rounds);
		gbench_round();
	}
	if (shown)
		fprintf(stderr, "\r\033[K");
	gbench_clear();
}

/* ---- Right --------------------------------------------------------------------------------- */

/* What @ops has to answer where @run is the whole truth. */
static struct lindex_run answer_of(const struct peer_ops *ops, const struct lindex_run *run,
				   uint64_t key)
{
	return ops->single_key ? key_run(run, key) : *run;
}

static bool answers(const struct peer_ops *ops, const void *map, const struct lindex_run *run,
		    uint64_t key)
{
	struct lindex_run want = answer_of(ops, run, key), got;

	ops->lookup(map, key, &got);
	return run_equal(&want, &got);
}

void loop_check(struct loop *loop, const struct runs *runs, size_t n)
{
	struct lindex_run want;

	for (size_t i = 0; loop->ops->lookup && i < n; i++) {
		runs_lookup(runs, loop->keys[i], &want);
		loop->ns.wrong |= !answers(loop->ops, loop->map, &want, loop->keys[i]);
	}
}

static bool chain_starts(const struct loop *loop, size_t i)
{
	return loop->flush && i % FLUSH_LOOKUPS == 0;
}

uint64_t twin_sum(const struct runs *runs, const struct loop *loop)
{
	struct lindex_run run, answer;
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < loop->n; i++) {
		uint64_t key = loop->keys[i];

		if (loop->mode == LOOP_CHAIN)
			key = chain_next(key, chain_starts(loop, i) ? 0 : value);
		runs_lookup(runs, key, &run);
		value = lindex_value(&run, key);
		answer = answer_of(loop->ops, &run, key);
		sum += loop->ops->bare ? bare_sum(run.first, run.value, key) :
					 answer_sum(&answer, key);
	}
	return sum;
}

/* Pair i of the limit is {i, i}. */
uint64_t limit_sum(const struct loop *loop)
{
	uint64_t sum = 0, at = 0;

	for (size_t i = 0; i < loop->n; i++) {
		if (loop->mode == LOOP_CHAIN)
			at = chain_next(loop->keys[i], chain_starts(loop, i) ? 0 : at);
		else
			at = loop->keys[i];
		sum += 2 * at;
	}
	return sum;
}

/* One entry per key: both ends stand for all that is between them. */
static bool both_ends(const struct peer_ops *ops, const void *map, const struct lindex_run *run)
{
	return answers(ops, map, run, run->first) &&
	       (!ops->single_key || answers(ops, map, run, run->last));
}

bool peer_same(const struct peer_ops *ops, const void *map, const struct runs *runs)
{
	struct lindex_run hole;
	uint64_t next = 0; /* behind the run before */
	bool end = false, same = true;

	for (size_t i = 0; i < runs->n; i++) {
		const struct lindex_run *run = &runs->at[i];

		same &= both_ends(ops, map, run);
		if (next < run->first) {
			hole = hole_run(next, run->first - 1);
			same &= both_ends(ops, map, &hole);
		}
		next = run->last + 1;
		end = run->last == UINT64_MAX;
	}
	if (!end) {
		hole = hole_run(next, UINT64_MAX);
		same &= both_ends(ops, map, &hole);
	}
	return same;
}
