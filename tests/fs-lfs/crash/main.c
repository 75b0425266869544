/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lfs-crash: the crash explorer. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "explore.h"
#include "workers.h"

static int replay(struct explore_options *opt, const char *text)
{
	static struct judge_counts counts;
	struct judge_id id;
	char why[1000], current[JUDGE_ID_BYTES];

	if (!judge_id_parse(&id, text)) {
		fprintf(stderr, "lfs-crash: not an id: %s\n", text);
		return 2;
	}
	opt->plan.only = &id;
	opt->plan.current = current;
	if (judge_trace(id.kind, id.index, &opt->plan, &counts, why, sizeof(why))) {
		printf("%s: nothing lost\n", text);
		return 0;
	}
	printf("%s\n", why);
	return 1;
}

static int usage(FILE *to)
{
	fprintf(to, "usage: lfs-crash [--states N] [--jobs N] [--kind KIND] [--nested N] [--most "
		    "N] [--stop]\n"
		    "       lfs-crash --replay ID [--save FILE]\n"
		    "Runs traces of operations, and judges each image that a crash may leave.\n"
		    "  --states N   about so many images (default 20000)\n"
		    "  --seconds N  or until then\n"
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

/* Return: 0, or the status to end with. */
static int parse(struct explore_options *opt, const char **id, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "states", required_argument, NULL, 's' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "kind", required_argument, NULL, 'k' },
		{ "nested", required_argument, NULL, 'n' },
		{ "most", required_argument, NULL, 'm' },
		{ "replay", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "save", required_argument, NULL, 'f' },
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
			*id = optarg;
			break;
		case 't':
			opt->seconds = (double)number_of(optarg);
			break;
		case 'f':
			opt->plan.save = optarg;
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
	struct explore_options opt = {
		.plan = { .seed = harness_seed(), .limit = 20000, .most = 300, .nested = 16 },
		.jobs = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.kind = -1,
	};
	struct explore_result *result;
	const char *id = NULL;
	int rc = parse(&opt, &id, argc, argv);

	if (rc)
		return rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (id)
		return replay(&opt, id);
	result = explore(&opt);
	explore_show(result);
	rc = result->counts.lost ? 1 : 0;
	explore_free(result);
	return rc;
}
