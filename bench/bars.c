/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex-bars: the quick benchmark. Measures lindex beside its peers on log-aged file maps and on
 * sets that hurt, and says for every bar whether it was met. README.md says how to read it.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bars.h"
#include "gbench.h"

static const struct scale scales[] = {
	{ "1.5 M", 8000000, 7, 5, 2.2, 2, 5.2 },
	{ "16 M", 88000000, 5, 4, 1.8, 3, 6.0 },
};

static const char *const hurting[] = { "random", "exponential", "holes",
				       "zigzag", "outlier",     "frames" };

static void usage(void)
{
	printf("usage: lindex-bars [--quick] [--rounds N] [--seed N] [--json FILE] "
	       "[--benchmark_filter=RE]\n"
	       "  --quick   the 1.5 M run map and the hard sets, without the 16 M run map\n"
	       "  --rounds  interleaved rounds, 1..%u; default 9\n",
	       ROUNDS_MAX);
	exit(0);
}

static uint64_t parse_number(const char *text, uint64_t lo, uint64_t hi)
{
	char *end = NULL;
	uint64_t n = text ? strtoull(text, &end, 0) : 0;

	if (!text || end == text || *end || n < lo || n > hi)
		die("not a number in range: %s", text ? text : "nothing");
	return n;
}

static void parse(struct report_config *cfg, char **argv)
{
	for (argv++; *argv; argv++) {
		if (!strcmp(*argv, "--help"))
			usage();
		if (!strcmp(*argv, "--quick"))
			cfg->quick = true;
		else if (!argv[1])
			die("unknown option, or no value: %s", *argv);
		else if (!strcmp(*argv, "--rounds"))
			cfg->rounds = (unsigned int)parse_number(*++argv, 1, ROUNDS_MAX);
		else if (!strcmp(*argv, "--seed"))
			cfg->seed = parse_number(*++argv, 0, UINT64_MAX);
		else if (!strcmp(*argv, "--json"))
			cfg->json = *++argv;
		else
			die("unknown option: %s", *argv);
	}
}

static void measure_scale(const struct scale *scale, const struct report_config *cfg)
{
	struct bars b = { .scale = scale, .rounds = cfg->rounds, .rng = { ~cfg->seed } };
	void *map;

	report_set("log-aged map, %s runs", scale->name);
	if (file_age(&b.file, &b.log, LOG_PIECES, scale->blocks, cfg->seed) ||
	    file_runs(&b.file, &b.runs))
		die("no memory");
	report_note("%zu runs over %llu blocks", b.runs.n, (unsigned long long)scale->blocks);
	bars_lookup(&b);
	bars_build(&b);
	map = peer_lindex.build(b.runs.at, b.runs.n);
	bars_update(&b, map);
	bars_beside(&b, map);
	peer_lindex.free(map);
	runs_free(&b.runs);
	file_free(&b.file);
}

int main(int argc, char **argv)
{
	struct report_config cfg = { .seed = 1, .rounds = 9 };
	struct rng rng;

	/* Large blocks come from the kernel, so that no advice on pages outlives the block it was for. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	gbench_init(&argc, argv);
	argv[argc] = NULL;
	parse(&cfg, argv);
	reader_register();
	report_begin(&cfg);
	measure_scale(&scales[0], &cfg);
	rng.state = cfg.seed + 1;
	for (size_t i = 0; i < sizeof(hurting) / sizeof(hurting[0]); i++)
		bars_hard(hard_set(hurting[i]), cfg.rounds, &rng);
	if (!cfg.quick)
		measure_scale(&scales[1], &cfg);
	reader_unregister();
	return report_end() != 0;
}
