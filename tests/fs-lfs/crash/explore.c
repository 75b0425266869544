/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The crash explorer: traces by the thousand, each on a disk that records, every image that a crash may leave judged.
 *
 *     lfs-crash [--states N] [--jobs N] [--kind KIND] [--nested N] [--most N]
 *     lfs-crash --replay ID
 *
 * Workers are processes: an engine that crashes or hangs costs one trace, and is a finding with an id.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "judge.h"
#include "workers.h"

#define DEATHS_MAX    40
#define TRACE_SECONDS 120 /* after that it hangs */

struct shared {
	struct judge_counts counts;
	_Atomic uint64_t next[TRACE_KIND_COUNT], turn;
};

struct options {
	struct judge_plan plan;
	int jobs, kind; /* kind -1: all */
	bool stop;
	const char *replay;
};

struct explorer {
	struct shared *shared;
	const struct options *opt;
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
		[TRACE_one] = 8,   [TRACE_two] = 18,   [TRACE_random] = 6, [TRACE_rename] = 3,
		[TRACE_share] = 4, [TRACE_append] = 2, [TRACE_back] = 2,   [TRACE_clean] = 2,
		[TRACE_full] = 2,  [TRACE_stale] = 2,  [TRACE_many] = 1,
	};
	uint64_t at = turn * 17 % 50; /* mixed */

	for (unsigned int kind = 0; kind < TRACE_KIND_COUNT; kind++) {
		if (at < shares[kind])
			return (enum trace_kind)kind;
		at -= shares[kind];
	}
	return TRACE_random;
}

/* The next trace to run. A few of the small ones are spread over all of them; when they are all done, random ones. */
static bool next_trace(struct shared *shared, const struct options *opt, enum trace_kind *kind,
		       uint64_t *index)
{
	uint64_t count;

	*kind = opt->kind >= 0 ? (enum trace_kind)opt->kind :
				 kind_of_turn(atomic_fetch_add(&shared->turn, 1));
	*index = atomic_fetch_add(&shared->next[*kind], 1);
	count = trace_count(*kind);
	if (count && *index >= count) {
		if (opt->kind >= 0)
			return false;
		*kind = TRACE_random;
		*index = atomic_fetch_add(&shared->next[*kind], 1);
	} else if (count) {
		*index = *index * 7919 % count;
	}
	return true;
}

static void work(void *ctx, char *current)
{
	struct explorer *ex = ctx;
	struct judge_plan plan = ex->opt->plan;
	enum trace_kind kind;
	uint64_t index;
	char why[1000];

	plan.current = current;
	while (atomic_load(&ex->shared->counts.states) < plan.limit &&
	       next_trace(ex->shared, ex->opt, &kind, &index)) {
		alarm(TRACE_SECONDS);
		if (judge_trace(kind, index, &plan, &ex->shared->counts, why, sizeof(why)))
			continue;
		printf("%s\n", why);
		if (ex->opt->stop)
			atomic_store(&ex->shared->counts.states, plan.limit);
	}
	grounds_free();
}

static void show_progress(void *ctx)
{
	const struct explorer *ex = ctx;
	uint64_t states = atomic_load(&ex->shared->counts.states);

	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " states, %.0f/s, %" PRIu64 " lost   ",
			states, ex->opt->plan.limit, (double)states / (seconds_now() - ex->begin),
			atomic_load(&ex->shared->counts.lost));
}

static void show_counts(const struct shared *shared, double seconds)
{
	const struct judge_counts *c = &shared->counts;

	printf("%" PRIu64 " states of %" PRIu64 " traces (%" PRIu64
	       " operations) in %.1f s, %.0f/s; %" PRIu64 " lost\n",
	       c->states, c->traces, c->steps, seconds, (double)c->states / seconds, c->lost);
	printf("of them %" PRIu64 " were crashed a second time; %" PRIu64
	       " equal images and %" PRIu64 " of long traces passed over; %" PRIu64
	       " operations met a full disk\n",
	       c->nested, c->repeated, c->passed_over, c->full);
	printf("most blocks read by a mount: %" PRIu64 "; states by kind:", c->most_mount_reads);
	for (unsigned int i = 0; i < TRACE_KIND_COUNT; i++)
		printf(" %s %" PRIu64, trace_kind_names[i], c->by_kind[i]);
	printf("\n");
}

static int replay(struct shared *shared, struct options *opt)
{
	struct judge_id id;
	char why[1000], current[JUDGE_ID_BYTES];

	if (!judge_id_parse(&id, opt->replay)) {
		fprintf(stderr, "lfs-crash: not an id: %s\n", opt->replay);
		return 2;
	}
	opt->plan.only = &id;
	opt->plan.current = current;
	if (judge_trace(id.kind, id.index, &opt->plan, &shared->counts, why, sizeof(why))) {
		printf("%s: nothing lost\n", opt->replay);
		return 0;
	}
	printf("%s\n", why);
	return 1;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: lfs-crash [--states N] [--jobs N] [--kind KIND] [--nested N] [--most "
		    "N] [--stop]\n"
		    "       lfs-crash --replay ID\n"
		    "Runs traces of operations, and judges each image that a crash may leave.\n"
		    "  --states N   about so many images (default 20000)\n"
		    "  --kind KIND  only traces of one kind:");
	for (unsigned int i = 0; i < TRACE_KIND_COUNT; i++)
		fprintf(to, " %s", trace_kind_names[i]);
	fprintf(to,
		"\n  --nested N   one image in N is crashed again while it recovers (default 16; "
		"0: none)\n"
		"  --most N     images of one trace at most; of more they are drawn (default 300)\n"
		"  --stop       at the first finding\n"
		"  --replay ID  one image again, with what led to it\n"
		"LINDEX_SEED=n  other random choices\n");
	return to == stdout ? 0 : 2;
}

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*end || !*text || *text == '-') {
		fprintf(stderr, "lfs-crash: not a number: %s\n", text);
		exit(2);
	}
	return n;
}

static int kind_of(const char *name)
{
	for (int i = 0; i < (int)TRACE_KIND_COUNT; i++)
		if (!strcmp(name, trace_kind_names[i]))
			return i;
	fprintf(stderr, "lfs-crash: no kind %s\n", name);
	exit(2);
}

static int parse(struct options *opt, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "states", required_argument, NULL, 's' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "kind", required_argument, NULL, 'k' },
		{ "nested", required_argument, NULL, 'n' },
		{ "most", required_argument, NULL, 'm' },
		{ "replay", required_argument, NULL, 'r' },
		{ "stop", no_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's':
			opt->plan.limit = number_of(optarg);
			break;
		case 'j':
			opt->jobs = (int)number_of(optarg);
			break;
		case 'k':
			opt->kind = kind_of(optarg);
			break;
		case 'n':
			opt->plan.nested = (uint32_t)number_of(optarg);
			break;
		case 'm':
			opt->plan.most = number_of(optarg);
			break;
		case 'r':
			opt->replay = optarg;
			break;
		case 'x':
			opt->stop = true;
			break;
		case 'h':
			exit(usage(stdout));
		default:
			return usage(stderr);
		}
	}
	if (optind < argc || opt->jobs < 1 || opt->jobs > WORKERS_MAX || !opt->plan.most)
		return usage(stderr);
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.plan = { .seed = harness_seed(), .limit = 20000, .most = 300, .nested = 16 },
		.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.kind = -1,
	};
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct explorer ex = { .shared = shared, .opt = &opt, .begin = seconds_now() };
	struct workers workers = { .jobs = 0,
				   .most_deaths = DEATHS_MAX,
				   .work = work,
				   .progress = show_progress,
				   .ctx = &ex };
	int rc = parse(&opt, argc, argv);

	CHECK(shared != MAP_FAILED, "mmap");
	if (rc)
		return rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (opt.replay)
		return replay(shared, &opt);
	workers.jobs = opt.jobs;
	atomic_fetch_add(&shared->counts.lost, workers_run(&workers));
	show_counts(shared, seconds_now() - ex.begin);
	return shared->counts.lost ? 1 : 0;
}
