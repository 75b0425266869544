/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap bench: native time of every backend.
 */
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bench_native.h"

static const char usage[] = "[--pages N] [--run N] [--queries N] [--rounds N] [--seed N] [--huge] "
			    "[--backend all|LIST] [--json|--csv]";

/* What is printed of a row, in this order: column, JSON and CSV key, where. */
static const struct column {
	const char *head, *key;
	size_t offset;
} columns[] = {
	{ "translate", "translate_ns", offsetof(struct bench_native_row, throughput) },
	{ "dependent", "dependent_ns", offsetof(struct bench_native_row, dependent) },
	{ "batch", "batch_ns", offsetof(struct bench_native_row, batch) },
	{ "load", "load_ns_per_page", offsetof(struct bench_native_row, load) },
	{ "unmap", "unmap_ns", offsetof(struct bench_native_row, unmap) },
	{ "fault-in", "fault_in_ns", offsetof(struct bench_native_row, fault_in) },
	{ "p99.9", "fault_in_p999_ns", offsetof(struct bench_native_row, fault_in_p999) },
	{ "fork", "fork_ns_per_page", offsetof(struct bench_native_row, fork) },
	{ "cow", "cow_ns", offsetof(struct bench_native_row, cow) },
	{ "fork B", "fork_bytes_ratio", offsetof(struct bench_native_row, fork_bytes) },
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static double value(const struct bench_native_row *row, size_t column)
{
	double x;

	memcpy(&x, (const char *)row + columns[column].offset, sizeof(x));
	return x;
}

static void put_text(const struct bench_native_config *cfg, const struct bench_native_row *rows,
		     int n)
{
	printf("%s pages, runs of %s%s; ns for each translation or page (fork B: tables of parent "
	       "and "
	       "child against one)\n\n%-8s",
	       grouped(cfg->pages).text, grouped(cfg->run_pages).text,
	       cfg->huge ? ", tables in huge pages" : "", "backend");
	for (size_t c = 0; c < COLUMNS; c++)
		printf(" %9s", columns[c].head);
	printf(" %14s\n", "table bytes");
	for (int i = 0; i < n; i++) {
		printf("%-8s", rows[i].backend);
		for (size_t c = 0; c < COLUMNS; c++) {
			if (value(&rows[i], c) < 0)
				printf(" %9s", "-");
			else
				printf(" %9.2f", value(&rows[i], c));
		}
		printf(" %14s\n", grouped(rows[i].table_bytes).text);
	}
}

static void put_csv(const struct bench_native_config *cfg, const struct bench_native_row *rows,
		    int n)
{
	printf("backend,pages,run_pages,huge");
	for (size_t c = 0; c < COLUMNS; c++)
		printf(",%s", columns[c].key);
	printf(",table_bytes,host_bytes\n");
	for (int i = 0; i < n; i++) {
		printf("%s,%" PRIu64 ",%" PRIu64 ",%d", rows[i].backend, cfg->pages, cfg->run_pages,
		       cfg->huge);
		for (size_t c = 0; c < COLUMNS; c++) {
			if (value(&rows[i], c) < 0)
				printf(",");
			else
				printf(",%.3f", value(&rows[i], c));
		}
		printf(",%" PRIu64 ",%" PRIu64 "\n", rows[i].table_bytes, rows[i].host_bytes);
	}
}

static int put_rows_json(const struct bench_native_config *cfg, const struct bench_native_row *rows,
			 int n)
{
	json_t *list = json_array();

	for (int i = 0; i < n; i++) {
		json_t *o = json_pack("{s:s, s:I, s:I}", "backend", rows[i].backend, "table_bytes",
				      (json_int_t)rows[i].table_bytes, "host_bytes",
				      (json_int_t)rows[i].host_bytes);

		for (size_t c = 0; c < COLUMNS; c++)
			if (value(&rows[i], c) >= 0)
				json_object_set_new(o, columns[c].key,
						    json_real(value(&rows[i], c)));
		json_array_append_new(list, o);
	}
	return put_json(json_pack("{s:I, s:I, s:b, s:o}", "pages", (json_int_t)cfg->pages,
				  "run_pages", (json_int_t)cfg->run_pages, "huge", cfg->huge,
				  "backends", list));
}

static void show_progress(void *ctx, const char *what, unsigned int done, unsigned int of)
{
	struct progress *p = ctx;

	snprintf(p->what, sizeof(p->what), "%.40s, of %u", what, of);
	progress_at(p, done);
}

static int run(struct bench_native_config *cfg, bool json, bool csv)
{
	struct bench_native_row rows[BENCH_NATIVE_ROWS];
	struct progress progress;
	int n;

	progress_begin(&progress, "measuring");
	cfg->progress = show_progress;
	cfg->ctx = &progress;
	n = bench_native_run(cfg, rows);
	progress_end(&progress);
	if (n == -ENOENT)
		return complain("bench: expected backends (lindex, radix4, radix5, btree, ecpt) "
				"with commas "
				"between, found \"%s\"",
				cfg->backend);
	if (n == -EUCLEAN)
		return complain("bench: a translation was wrong");
	if (n < 0)
		return complain("bench: %s", strerror(-n));
	if (json)
		return put_rows_json(cfg, rows, n);
	if (csv)
		put_csv(cfg, rows, n);
	else
		put_text(cfg, rows, n);
	return 0;
}

int verb_bench(int argc, char **argv)
{
	const char *pages = NULL, *run_pages = NULL, *queries = NULL, *rounds = NULL, *seed = NULL;
	struct bench_native_config cfg = { .pages = UINT64_C(1) << 24, .run_pages = 1 };
	bool json = false, csv = false;
	const struct option_spec specs[] = {
		{ "--pages", &pages, NULL },     { "--run", &run_pages, NULL },
		{ "--queries", &queries, NULL }, { "--rounds", &rounds, NULL },
		{ "--seed", &seed, NULL },       { "--backend", &cfg.backend, NULL },
		{ "--huge", NULL, &cfg.huge },   { "--json", NULL, &json },
		{ "--csv", NULL, &csv },
	};
	int status = options_parse("bench", usage, specs, sizeof(specs) / sizeof(*specs), &argc,
				   argv, 0, 0);

	if (status)
		return status;
	if ((pages && option_number("--pages", pages, &cfg.pages)) ||
	    (run_pages && option_number("--run", run_pages, &cfg.run_pages)) ||
	    (queries && option_number("--queries", queries, &cfg.queries)) ||
	    (rounds && option_number("--rounds", rounds, &cfg.rounds)) ||
	    (seed && option_number("--seed", seed, &cfg.seed)))
		return STATUS_WRONG;
	if (cfg.backend && strcmp(cfg.backend, "all") == 0)
		cfg.backend = NULL;
	if (!cfg.pages || !cfg.run_pages)
		return complain("bench: expected at least one page, and runs of at least one");
	return run(&cfg, json, csv);
}
