/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "explore.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "workers.h"

#define DEATHS_MAX  40
#define SEED_STRIDE 401u /* small traces between the first ones of two seeds */

struct explorer {
	struct explore_result *result;
	const struct explore_options *opt;
	double begin;
};

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Out of 50 traces; long ones are few, since they have many states. */
static enum trace_kind kind_of_turn(uint64_t turn)
{
	static const uint8_t shares[TRACE_KIND_COUNT] = {
		[TRACE_one] = 8,   [TRACE_two] = 16,   [TRACE_random] = 6, [TRACE_rename] = 3,
		[TRACE_share] = 4, [TRACE_append] = 2, [TRACE_back] = 2,   [TRACE_clean] = 2,
		[TRACE_full] = 2,  [TRACE_stale] = 2,  [TRACE_many] = 1,   [TRACE_edge] = 2,
	};
	uint64_t at = turn * 17 % 50; /* mixed */

	for (unsigned int kind = 0; kind < TRACE_KIND_COUNT; kind++) {
		if (at < shares[kind])
			return (enum trace_kind)kind;
		at -= shares[kind];
	}
	return TRACE_random;
}

/*
 * The next trace. A few of the small ones are spread over all of them, and each seed begins elsewhere; when all are
 * done, random ones follow.
 */
static bool next_trace(struct explore_result *r, int only, uint64_t seed, enum trace_kind *kind,
		       uint64_t *index)
{
	uint64_t count;

	*kind = only >= 0 ? (enum trace_kind)only : kind_of_turn(atomic_fetch_add(&r->turn, 1));
	*index = atomic_fetch_add(&r->next[*kind], 1);
	count = trace_count(*kind);
	if (count && *index >= count) {
		if (only >= 0)
			return false;
		*kind = TRACE_random;
		*index = atomic_fetch_add(&r->next[*kind], 1);
	} else if (count) {
		*index = (*index + seed % count * SEED_STRIDE) % count * 7919 % count;
	}
	return true;
}

static bool is_late(const struct explorer *ex)
{
	return ex->opt->seconds > 0 && seconds_now() - ex->begin > ex->opt->seconds;
}

static void work(void *ctx, char *current)
{
	struct explorer *ex = ctx;
	struct judge_plan plan = ex->opt->plan;
	struct explore_result *r = ex->result;
	enum trace_kind kind;
	uint64_t index;
	char why[1000];

	plan.current = current;
	while (atomic_load(&r->counts.states) < plan.limit && !is_late(ex) &&
	       next_trace(r, ex->opt->kind, plan.seed, &kind, &index)) {
		if (judge_trace(kind, index, &plan, &r->counts, why, sizeof(why)))
			continue;
		if (!r->first[0])
			snprintf(r->first, sizeof(r->first), "%.290s", why);
		if (!ex->opt->quiet)
			printf("%s\n", why);
		if (ex->opt->stop)
			atomic_store(&r->counts.stop, true);
		if (atomic_load(&r->counts.stop))
			break;
	}
	grounds_free();
}

static void show_progress(void *ctx)
{
	const struct explorer *ex = ctx;
	uint64_t states = atomic_load(&ex->result->counts.states);

	if (isatty(STDERR_FILENO) && !ex->opt->quiet)
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " states, %.0f/s, %" PRIu64 " lost   ",
			states, ex->opt->plan.limit, (double)states / (seconds_now() - ex->begin),
			atomic_load(&ex->result->counts.lost));
}

struct explore_result *explore(const struct explore_options *opt)
{
	struct explore_result *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct explorer ex = { .result = r, .opt = opt, .begin = seconds_now() };
	struct workers workers = {
		.jobs = opt->jobs,
		.most_deaths = opt->stop ? 1 : DEATHS_MAX,
		.quiet = opt->quiet,
		.first = r->first,
		.work = work,
		.progress = show_progress,
		.ctx = &ex,
	};

	CHECK(r != MAP_FAILED, "mmap");
	atomic_fetch_add(&r->counts.lost, workers_run(&workers));
	r->seconds = seconds_now() - ex.begin;
	return r;
}

void explore_free(struct explore_result *result)
{
	munmap(result, sizeof(*result));
}

void explore_show(const struct explore_result *result)
{
	const struct judge_counts *c = &result->counts;

	printf("%" PRIu64 " states of %" PRIu64 " traces (%" PRIu64
	       " operations) in %.1f s, %.0f/s; %" PRIu64 " lost\n",
	       c->states, c->traces, c->steps, result->seconds, (double)c->states / result->seconds,
	       c->lost);
	printf("of them %" PRIu64 " after a second crash; passed over: %" PRIu64
	       " equal images, %" PRIu64 " of long traces; %" PRIu64
	       " operations met a full disk\n",
	       c->nested, c->repeated, c->passed_over, c->full);
	printf("most blocks read by a mount: %" PRIu64 "; states by kind:", c->most_mount_reads);
	for (unsigned int i = 0; i < TRACE_KIND_COUNT; i++)
		printf(" %s %" PRIu64, trace_kind_names[i], c->by_kind[i]);
	printf("\n");
}
