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

static void warm_up(const struct loop *loop, lookups_fn lookups)
{
	uint64_t sum = lookups(loop->map, loop->keys + loop->n, loop_warm(loop->n));

	__asm__ volatile("" : : "r"(sum));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(double *at, size_t n)
{
	qsort(at, n, sizeof(*at), compare);
	return (at[(n - 1) / 2] + at[n / 2]) / 2;
}

/* Return: seconds, of all that was timed. */
static double run_slices(struct loop *loop, lookups_fn lookups)
{
	size_t slice = loop_slice(loop), slices = 0;
	double *each = grab((loop->n / slice + 1) * sizeof(*each));
	uint64_t sum = 0, all = 0;

	for (size_t i = 0; i < loop->n; i += slice) {
		size_t n = loop->n - i < slice ? loop->n - i : slice;
		uint64_t start, ns;

		if (loop->flush)
			flush(loop->flush);
		start = cpu_ns();
		sum += lookups(loop->map, loop->keys + i, n);
		ns = cpu_ns() - start;
		each[slices++] = (double)ns / (double)n;
		all += ns;
	}
	series_add(&loop->ns, median_of(each, slices), sum == loop->want);
	free(each);
	return (double)all * 1e-9;
}

static double loop_run(void *state)
{
	struct loop *loop = state;

	if (!loop->flush)
		warm_up(loop, function_of(loop));
	return run_slices(loop, function_of(loop));
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

struct lindex_run *twin_answers(const struct runs *runs, const uint64_t *keys, size_t n)
{
	struct lindex_run *truth = grab(n * sizeof(*truth));

	for (size_t i = 0; i < n; i++)
		runs_lookup(runs, keys[i], &truth[i]);
	return truth;
}

void loop_compare(struct loop *loop, const struct lindex_run *truth)
{
	for (size_t i = 0; loop->ops->lookup && i < loop->n; i++)
		loop->ns.wrong |= !answers(loop->ops, loop->map, &truth[i], loop->keys[i]);
}

void loop_check(struct loop *loop, const struct runs *runs)
{
	struct lindex_run *truth = twin_answers(runs, loop->keys, loop->n);

	loop_compare(loop, truth);
	free(truth);
}

uint64_t *twin_sums(const struct runs *runs, const struct loop *loop, size_t part)
{
	uint64_t *sums = grab((loop->n / part + 1) * sizeof(*sums)), value = 0;
	struct lindex_run run, answer;

	memset(sums, 0, (loop->n / part + 1) * sizeof(*sums));
	for (size_t i = 0; i < loop->n; i++) {
		uint64_t key = loop->keys[i];

		if (loop->mode == LOOP_CHAIN)
			key = chain_next(key, i % part ? value : 0);
		runs_lookup(runs, key, &run);
		value = lindex_value(&run, key);
		answer = answer_of(loop->ops, &run, key);
		sums[i / part] += loop->ops->bare ? bare_sum(run.first, run.value, key) :
						    answer_sum(&answer, key);
	}
	return sums;
}

uint64_t twin_sum(const struct runs *runs, const struct loop *loop)
{
	size_t part = loop_slice(loop);
	uint64_t *sums = twin_sums(runs, loop, part), sum = 0;

	for (size_t i = 0; i * part < loop->n; i++)
		sum += sums[i];
	free(sums);
	return sum;
}

void loop_compare_parts(struct loop *loop, const uint64_t *sums, size_t part)
{
	lookups_fn lookups = function_of(loop);

	for (size_t i = 0; i < loop->n; i += part) {
		size_t n = loop->n - i < part ? loop->n - i : part;

		loop->ns.wrong |= lookups(loop->map, loop->keys + i, n) != sums[i / part];
	}
}

/* Pair i of the limit is {i, i}. */
uint64_t limit_sum(const struct loop *loop)
{
	uint64_t sum = 0, at = 0;

	for (size_t i = 0; i < loop->n; i++) {
		if (loop->mode == LOOP_CHAIN)
			at = chain_next(loop->keys[i], i % loop_slice(loop) ? at : 0);
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
