/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex-bench: lindex against every other structure, on any data. This file: which verb, which options.
 */
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cmd.h"
#include "gbench.h"
#include "number.h"

static const struct verb {
	const char *name, *about;
	void (*run)(struct set *s);
} verbs[] = {
	{ "lookup",
	  "throughput, dependent lookups and batches; hits, misses and gaps; hot and flushed",
	  verb_lookup },
	{ "update",
	  "overwrites at random and in a hot spot, append, erase, mixed, one boundary to and fro",
	  verb_update },
	{ "build", "time to build at once", verb_build },
	{ "memory", "bytes per run, built at once and grown run by run", verb_memory },
	{ "scale", "build, lookups, overwrites and bytes from 10^4 runs to --max", verb_scale },
	{ "concurrent", "readers with and without a writer beside them", verb_concurrent },
	{ "epsilon", "the error that lindex's models are allowed, against time and space",
	  verb_epsilon },
	{ "lines",
	  "cache lines, nodes and compares of lindex's lookups, counted; instructions of all",
	  verb_lines },
	{ "disk", "blocks of 4 KiB: read per cold lookup, changed per overwrite, in all",
	  verb_disk },
};
#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* ---- Words --------------------------------------------------------------------------------- */

void reject(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("lindex-bench: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_WRONG);
}

void peer_slug(const char *name, char slug[SLUG_BYTES])
{
	size_t to = 0;

	for (; *name && to + 1 < SLUG_BYTES; name++) {
		if (isalnum((unsigned char)*name))
			slug[to++] = (char)tolower((unsigned char)*name);
		else if (to && slug[to - 1] != '-')
			slug[to++] = '-';
	}
	while (to && slug[to - 1] == '-')
		to--;
	slug[to] = 0;
}

static void help(void)
{
	const struct peer_ops *const *peers;
	char slug[SLUG_BYTES];
	size_t n;

	puts("usage: lindex-bench VERB [OPTIONS]\n"
	     "       lindex-bench capture SPEC OUT.runs[.zst]\n");
	for (size_t i = 0; i < VERBS; i++)
		printf("  %-12s %s\n", verbs[i].name, verbs[i].about);
	puts("  all          each of these\n"
	     "  capture      write the runs that SPEC names to a file\n\n"
	     "  --data SPEC         gen:KIND[:N[:SEED]], FILE.runs[.zst], fiemap:PATH, "
	     "pagemap:PID,\n"
	     "                      sosd:FILE; may be given several times; default "
	     "gen:lfs-aged:1M\n"
	     "  --structures A,B    only these, and absl, which the others are compared to\n"
	     "  --json FILE, --csv FILE\n"
	     "  --quick             less of everything, default data gen:lfs-aged:50k: to try it\n"
	     "  --rounds N          interleaved rounds, 1..64; default 9, with --quick 3\n"
	     "  --seed N            of data, keys and updates; default 1\n"
	     "  --max N             scale: most runs; default 100M, with --quick 100k\n"
	     "  --help, --version\n\n"
	     "Structures:");
	peers = peer_all(&n);
	for (size_t i = 0; i < n; i++) {
		peer_slug(peers[i]->name, slug);
		printf("  %-18s %s\n", slug, peers[i]->about);
	}
	puts("\nExit status: 0; 1: an answer was wrong; 2: bad arguments or input.");
}

/* ---- Options ------------------------------------------------------------------------------- */

static uint64_t parse_number(const char *option, const char *text, uint64_t lo, uint64_t hi)
{
	uint64_t n;

	if (!number_scaled(text, &n) || n < lo || n > hi)
		reject("%s: expected a number from %llu to %llu, found \"%s\"", option,
		       (unsigned long long)lo, (unsigned long long)hi, text);
	return n;
}

static void add_peer(struct config *cfg, const struct peer_ops *ops)
{
	for (unsigned int i = 0; i < cfg->n_peers; i++)
		if (cfg->peers[i] == ops)
			return;
	if (cfg->n_peers < PEERS_MAX)
		cfg->peers[cfg->n_peers++] = ops;
}

static const struct peer_ops *find_peer(const char *word, size_t len)
{
	const struct peer_ops *const *peers;
	char slug[SLUG_BYTES];
	size_t n;

	peers = peer_all(&n);
	for (size_t i = 0; i < n; i++) {
		peer_slug(peers[i]->name, slug);
		if (strlen(slug) == len && !strncmp(slug, word, len))
			return peers[i];
	}
	reject("--structures: expected names as --help lists them, found \"%.*s\"", (int)len, word);
}

static void parse_peers(struct config *cfg, const char *list)
{
	for (;;) {
		size_t len = strcspn(list, ",");

		add_peer(cfg, find_peer(list, len));
		if (!list[len])
			break;
		list += len + 1;
	}
	add_peer(cfg, &peer_absl);
}

static void parse_option(struct config *cfg, const char *option, const char *value)
{
	if (!strcmp(option, "--data")) {
		if (cfg->n_specs == SPECS_MAX)
			reject("--data: expected at most %u", SPECS_MAX);
		cfg->specs[cfg->n_specs++] = value;
	} else if (!strcmp(option, "--structures")) {
		parse_peers(cfg, value);
	} else if (!strcmp(option, "--json")) {
		cfg->json = value;
	} else if (!strcmp(option, "--csv")) {
		cfg->csv = value;
	} else if (!strcmp(option, "--rounds")) {
		cfg->rounds = (unsigned int)parse_number(option, value, 1, ROUNDS_MAX);
	} else if (!strcmp(option, "--seed")) {
		cfg->seed = parse_number(option, value, 0, UINT64_MAX);
	} else {
		cfg->max = parse_number(option, value, 10000, 1u << 30);
	}
}

static bool known_option(const char *word)
{
	static const char *const options[] = { "--data",   "--structures", "--json", "--csv",
					       "--rounds", "--seed",       "--max" };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (!strcmp(word, options[i]))
			return true;
	return false;
}

static void parse(struct config *cfg, char **argv)
{
	for (; *argv; argv++) {
		if (!strcmp(*argv, "--quick")) {
			cfg->quick = true;
			continue;
		}
		if (!known_option(*argv))
			reject("expected an option, found \"%s\"; see lindex-bench --help", *argv);
		if (!argv[1])
			reject("%s: expected a value, found none", *argv);
		parse_option(cfg, argv[0], argv[1]);
		argv++;
	}
}

static void defaults(struct config *cfg)
{
	const struct peer_ops *const *peers;
	size_t n;

	if (!cfg->rounds)
		cfg->rounds = cfg->quick ? 3 : 9;
	if (!cfg->max)
		cfg->max = cfg->quick ? 100000 : 100000000;
	if (!cfg->n_specs)
		cfg->specs[cfg->n_specs++] = cfg->quick ? "gen:lfs-aged:50k" : "gen:lfs-aged:1M";
	peers = peer_all(&n);
	for (size_t i = 0; !cfg->n_peers && i < n; i++)
		cfg->peers[i] = peers[i];
	if (!cfg->n_peers)
		cfg->n_peers = (unsigned int)n;
	machine_look(&cfg->machine);
}

/* Before hours of work, not after them. */
static void try_output(const char *path)
{
	FILE *out = path ? fopen(path, "a") : NULL;

	if (path && (!out || fclose(out)))
		reject("%s: cannot write: %s", path, strerror(errno));
}

/* ---- Verbs --------------------------------------------------------------------------------- */

static int capture(int argc, char **argv)
{
	struct dataset data;
	char why[DATASET_WHY_BYTES];

	if (argc != 2)
		reject("capture: expected SPEC OUT.runs[.zst]");
	if (dataset_load(argv[0], 1, &data, why) || dataset_save(&data, argv[1], why))
		reject("%s", why);
	printf("%s: %zu runs, %llu keys\n", data.name, data.n, (unsigned long long)data.keys);
	dataset_free(&data);
	return 0;
}

/* Once, when the first set is there: an error is one line alone. */
static void head(const struct config *cfg)
{
	static bool printed;
	const struct machine *m = &cfg->machine;

	if (printed)
		return;
	printed = true;
	printf("lindex %s, commit %s, seed %llu, %u rounds\n%s, %u cores; huge pages: %s\n",
	       lindex_version(), m->commit, (unsigned long long)cfg->seed, cfg->rounds, m->cpu,
	       m->cores, m->pages);
#ifndef __OPTIMIZE__
	puts("built without optimisation: the figures mean nothing");
#endif
}

static void measure(const struct config *cfg, const struct verb *verb, const char *spec)
{
	struct set s;

	set_load(&s, cfg, spec);
	head(cfg);
	printf("\n%s: %s, %zu runs, %llu keys\n", verb->name, s.data.name, s.runs.n,
	       (unsigned long long)s.data.keys);
	verb->run(&s);
	rows_show();
	set_free(&s);
}

/* Every set is tried before any is measured: a slip in the last one is found at once. */
static void try_sets(const struct config *cfg)
{
	struct set s;

	for (unsigned int i = 0; cfg->n_specs > 1 && i < cfg->n_specs; i++) {
		set_load(&s, cfg, cfg->specs[i]);
		set_free(&s);
	}
}

static int run(const char *name, char **argv)
{
	struct config cfg = { .seed = 1 };
	bool all = !strcmp(name, "all"), known = all;

	for (size_t i = 0; i < VERBS; i++)
		known |= !strcmp(name, verbs[i].name);
	if (!known)
		reject("expected a verb, found \"%s\"; see lindex-bench --help", name);
	parse(&cfg, argv);
	defaults(&cfg);
	try_sets(&cfg);
	try_output(cfg.json);
	try_output(cfg.csv);
	reader_register();
	for (size_t i = 0; i < VERBS; i++)
		for (unsigned int d = 0; d < cfg.n_specs; d++)
			if (all || !strcmp(name, verbs[i].name)) {
				measure(&cfg, &verbs[i], cfg.specs[d]);
				rows_write(&cfg); /* who stops it later has what there is */
			}
	reader_unregister();
	return rows_verdict() ? STATUS_NO : 0;
}

/* The other end of bench_callgrind.c. */
static int below_callgrind(int argc, char **argv)
{
	struct config cfg = { .seed = 1, .quick = true };
	struct set s;
	int status;

	if (argc < 2)
		reject("%s: not for people", CALLGRIND_CHILD);
	parse(&cfg, argv + 1);
	defaults(&cfg);
	set_load(&s, &cfg, cfg.specs[0]);
	reader_register();
	status = callgrind_child(&s, (size_t)parse_number(argv[0], argv[0], 1, 1u << 30));
	reader_unregister();
	set_free(&s);
	return status;
}

static bool wants(char **argv, const char *option)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, option))
			return true;
	return false;
}

static int dispatch(int argc, char **argv)
{
	if (wants(argv, "--help")) {
		help();
		return 0;
	}
	if (wants(argv, "--version")) {
		printf("lindex-bench %s\n", lindex_version());
		return 0;
	}
	if (argc < 2)
		reject("expected a verb, found none; see lindex-bench --help");
	if (!strcmp(argv[1], "capture"))
		return capture(argc - 2, argv + 2);
	if (!strcmp(argv[1], CALLGRIND_CHILD))
		return below_callgrind(argc - 2, argv + 2);
	return run(argv[1], argv + 2);
}

int main(int argc, char **argv)
{
	char *own[] = { argv[0], NULL };
	int one = 1, status;

	/* Large blocks come from the kernel, so that no advice on pages outlives the block it was for. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	gbench_init(&one, own);
	status = dispatch(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		reject("cannot write to stdout: %s", strerror(errno));
	return status;
}
