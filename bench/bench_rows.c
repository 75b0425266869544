/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Rows, as tables for people and as JSON and CSV.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cmd.h"

#define DISAGREE 0.3 /* of the median: rounds further apart give no ratio */

/* A row as it is kept: its ratios instead of what they were made of. NAN: there is none. */
struct kept {
	struct row row;
	double x_absl, x_limit;
	double far_absl,
		far_limit; /* where there is no ratio: how far apart the rounds were; else 0 */
};

static struct {
	struct kept *at;
	size_t n, room, shown;
} rows;

/** struct known - A set that was measured on. @bits: of distances between first keys, and of values. */
struct known {
	char *name;
	size_t runs;
	uint64_t keys;
	double gap_bits, value_bits;
};

static struct {
	struct known at[2 * SPECS_MAX];
	unsigned int n;
} sets;

/* ---- Adding -------------------------------------------------------------------------------- */

struct row row_of(const struct set *s, const char *structure, const char *op, const char *mode,
		  const char *dist)
{
	struct row row = { .dataset = s->data.name,
			   .structure = structure,
			   .op = op,
			   .mode = mode,
			   .dist = dist,
			   .runs = s->runs.n };

	return row;
}

void row_extra(struct row *row, const char *name, double figure)
{
	if (row->n_extras == EXTRAS_MAX)
		die("too many figures in a row");
	row->extras[row->n_extras].name = name;
	row->extras[row->n_extras++].figure = figure;
}

static char *copy(const char *text)
{
	char *mine = strdup(text);

	if (!mine)
		die("no memory");
	return mine;
}

/* The median of the rounds' ratios, unless they disagree: then @far says by how much. */
static double ratio_of(const struct series *over, const struct series *under, double *far)
{
	struct series ratio;
	double spread;

	if (!over || !under || !over->n || over->n != under->n)
		return NAN;
	series_ratio(over, under, &ratio);
	spread = series_spread(&ratio);
	if (spread > DISAGREE) {
		*far = spread;
		return NAN;
	}
	return ratio.n ? series_median(&ratio) : NAN;
}

void rows_add(const struct row *row)
{
	char slug[SLUG_BYTES];
	struct kept *k;

	if (rows.n == rows.room) {
		rows.room = rows.room ? 2 * rows.room : 256;
		rows.at = realloc(rows.at, rows.room * sizeof(*rows.at));
		if (!rows.at)
			die("no memory");
	}
	k = &rows.at[rows.n++];
	*k = (struct kept){ .row = *row };
	peer_slug(row->structure, slug);
	k->row.dataset = copy(row->dataset);
	k->row.structure = copy(slug);
	k->row.op = copy(row->op);
	k->row.mode = copy(row->mode);
	k->row.dist = copy(row->dist);
	k->x_absl = ratio_of(row->absl, &row->ns, &k->far_absl);
	k->x_limit = ratio_of(&row->ns, row->limit, &k->far_limit);
	k->row.absl = k->row.limit = NULL;
}

static bool is_known(const char *name)
{
	for (unsigned int i = 0; i < sets.n; i++)
		if (!strcmp(sets.at[i].name, name))
			return true;
	return sets.n == sizeof(sets.at) / sizeof(sets.at[0]);
}

void rows_dataset(const struct set *s)
{
	const struct runs *runs = &s->runs;
	uint64_t gap = 1, low = runs->at[0].value, high = low;

	if (is_known(s->data.name))
		return;
	for (size_t i = 0; i < runs->n; i++) {
		const struct lindex_run *run = &runs->at[i];
		uint64_t value = lindex_value(run, run->last);

		if (i && run->first - runs->at[i - 1].first > gap)
			gap = run->first - runs->at[i - 1].first;
		low = run->value < low ? run->value : low;
		high = value > high ? value : high;
	}
	sets.at[sets.n++] = (struct known){ .name = copy(s->data.name),
					    .runs = runs->n,
					    .keys = s->data.keys,
					    .gap_bits = log2((double)gap),
					    .value_bits = log2((double)(high - low) + 1) };
}

/* ---- Tables -------------------------------------------------------------------------------- */

void rows_note(const char *fmt, ...)
{
	va_list args;

	fputs("  ", stdout);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void cell(double figure, int decimals)
{
	if (!(figure > 0))
		printf(" %9s", "-");
	else
		printf(" %9.*f", decimals, figure);
}

static int extra_width(const struct row *row, unsigned int i)
{
	int width = (int)strlen(row->extras[i].name);

	return width > 10 ? width : 10;
}

static void show_head(const struct row *row)
{
	printf("\n  %s%s%s%s%s\n  %-18s %9s %19s %9s %9s %9s", row->op, *row->mode ? ", " : "",
	       row->mode, *row->dist ? ", " : "", row->dist, "structure", "ns",
	       row->ns.n < 6 ? "least .. greatest" : "95 % interval", "x absl", "x limit",
	       "B per run");
	if (row->p50.n)
		printf(" %9s %9s %9s %9s", "P50", "P99", "P99.9", "max");
	for (unsigned int i = 0; i < row->n_extras; i++)
		printf(" %*s", extra_width(row, i), row->extras[i].name);
	puts("  checked");
}

/* With the columns of @head, the first row of the table. */
static void show(const struct kept *k, const struct row *head)
{
	const struct row *row = &k->row;
	struct interval ci = series_interval(&row->ns);

	printf("  %-18s", row->structure);
	cell(series_median(&row->ns), 1);
	if (row->ns.n)
		printf(" %8.1f .. %7.1f", ci.lo, ci.hi);
	else
		printf(" %19s", "-");
	cell(k->x_absl, 2);
	cell(k->x_limit, 2);
	cell(row->bytes, 2);
	if (head->p50.n) {
		cell(series_median(&row->p50), 0);
		cell(series_median(&row->p99), 0);
		cell(series_median(&row->p999), 0);
		cell(row->max_ns, 0);
	}
	for (unsigned int i = 0; i < row->n_extras; i++)
		printf(" %*.*f", extra_width(row, i), row->extras[i].figure < 10000 ? 2 : 0,
		       row->extras[i].figure);
	fputs(row->checked ? "  yes" : "  WRONG", stdout);
	if (k->far_absl > 0)
		printf("; to absl rounds disagree by %.0f %%", 100 * k->far_absl);
	if (k->far_limit > 0)
		printf("; to the limit rounds disagree by %.0f %%", 100 * k->far_limit);
	putchar('\n');
}

static bool same_table(const struct row *a, const struct row *b)
{
	return !strcmp(a->dataset, b->dataset) && !strcmp(a->op, b->op) &&
	       !strcmp(a->mode, b->mode) && !strcmp(a->dist, b->dist);
}

void rows_show(void)
{
	const struct row *head = NULL;

	for (; rows.shown < rows.n; rows.shown++) {
		const struct row *row = &rows.at[rows.shown].row;

		if (!head || !same_table(row, head)) {
			head = row;
			show_head(head);
		}
		show(&rows.at[rows.shown], head);
	}
	fflush(stdout);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' ||
			 c > '~') /* names of files need not be UTF-8: one byte, one sign */
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void json_word(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\": ", key);
	json_text(out, text);
	fputs(", ", out);
}

static void json_number(FILE *out, const char *key, double figure, bool known)
{
	if (known && isfinite(figure))
		fprintf(out, "\"%s\": %.8g, ", key, figure);
	else
		fprintf(out, "\"%s\": null, ", key);
}

static void json_series(FILE *out, const char *key, const struct series *s)
{
	json_number(out, key, series_median(s), s->n > 0);
}

static void json_samples(FILE *out, const char *key, const struct series *s)
{
	fprintf(out, "\"%s\": [", key);
	for (unsigned int i = 0; i < s->n; i++)
		fprintf(out, "%s%.8g", i ? ", " : "", s->at[i]);
	putc(']', out);
}

static void json_row(FILE *out, const struct kept *k)
{
	const struct row *row = &k->row;
	struct interval ci = series_interval(&row->ns);

	fputs("    {", out);
	json_word(out, "dataset", row->dataset);
	fprintf(out, "\"runs\": %zu, ", row->runs);
	json_word(out, "structure", row->structure);
	json_word(out, "op", row->op);
	json_word(out, "mode", row->mode);
	json_word(out, "dist", row->dist);
	json_series(out, "ns", &row->ns);
	json_number(out, "ns_lo", ci.lo, row->ns.n > 0);
	json_number(out, "ns_hi", ci.hi, row->ns.n > 0);
	json_number(out, "x_absl", k->x_absl, true);
	json_number(out, "x_limit", k->x_limit, true);
	json_number(out, "absl_disagree", k->far_absl, k->far_absl > 0);
	json_number(out, "limit_disagree", k->far_limit, k->far_limit > 0);
	json_number(out, "bytes_per_run", row->bytes, row->bytes > 0);
	json_series(out, "p50", &row->p50);
	json_series(out, "p99", &row->p99);
	json_series(out, "p999", &row->p999);
	json_number(out, "max_ns", row->max_ns, row->max_ns > 0);
	for (unsigned int i = 0; i < row->n_extras; i++)
		json_number(out, row->extras[i].name, row->extras[i].figure, true);
	fprintf(out, "\"checked\": %s, ", row->checked ? "true" : "false");
	if (row->p50.n) {
		json_samples(out, "p50_samples", &row->p50);
		fputs(", ", out);
		json_samples(out, "p99_samples", &row->p99);
		fputs(", ", out);
		json_samples(out, "p999_samples", &row->p999);
		fputs(", ", out);
	}
	json_samples(out, "samples", &row->ns);
	putc('}', out);
}

static void json_sets(FILE *out)
{
	fputs("\"datasets\": [\n", out);
	for (unsigned int i = 0; i < sets.n; i++) {
		const struct known *set = &sets.at[i];

		fputs("    {", out);
		json_word(out, "name", set->name);
		json_number(out, "gap_bits", set->gap_bits, true);
		json_number(out, "value_bits", set->value_bits, true);
		json_number(out, "bytes_bar", (set->gap_bits + set->value_bits + 8) / 8, true);
		fprintf(out, "\"runs\": %zu, \"keys\": %" PRIu64 "}%s\n", set->runs, set->keys,
			i + 1 < sets.n ? "," : "");
	}
	fputs("  ],\n  ", out);
}

/* "whole": answers with the whole run around a key, or the whole hole. */
static void json_structures(FILE *out, const struct config *cfg)
{
	char slug[SLUG_BYTES];

	fputs("\"structures\": [\n", out);
	for (unsigned int i = 0; i < cfg->n_peers; i++) {
		const struct peer_ops *ops = cfg->peers[i];

		peer_slug(ops->name, slug);
		fputs("    {", out);
		json_word(out, "name", slug);
		json_word(out, "about", ops->about);
		fprintf(out, "\"whole\": %s}%s\n", ops->bare || ops->single_key ? "false" : "true",
			i + 1 < cfg->n_peers ? "," : "");
	}
	fputs("  ],\n  ", out);
}

static void write_json(FILE *out, const struct config *cfg)
{
	const struct machine *m = &cfg->machine;

	fputs("{\n  \"machine\": {", out);
	json_word(out, "cpu", m->cpu);
	json_word(out, "transparent_huge_pages", m->pages);
	fprintf(out, "\"cores\": %u, \"last_level_cache_bytes\": %" PRIu64 "},\n  ", m->cores,
		m->cache_bytes);
	json_word(out, "lindex", lindex_version());
	json_word(out, "commit", m->commit);
	fprintf(out, "\"seed\": %" PRIu64 ", \"rounds\": %u, \"quick\": %s,\n  ", cfg->seed,
		cfg->rounds, cfg->quick ? "true" : "false");
	json_sets(out);
	json_structures(out, cfg);
	fputs("\"rows\": [\n", out);
	for (size_t i = 0; i < rows.n; i++) {
		json_row(out, &rows.at[i]);
		fputs(i + 1 < rows.n ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}

/* ---- CSV ----------------------------------------------------------------------------------- */

static void csv_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void csv_number(FILE *out, double figure)
{
	if (isfinite(figure) && figure > 0)
		fprintf(out, ",%.8g", figure);
	else
		putc(',', out);
}

/* Figures that only some verbs have go into one last field. */
static void csv_row(FILE *out, const struct kept *k)
{
	const struct row *row = &k->row;
	struct interval ci = series_interval(&row->ns);
	const char *const words[] = { row->structure, row->op, row->mode, row->dist };

	csv_text(out, row->dataset);
	fprintf(out, ",%zu", row->runs);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		putc(',', out);
		csv_text(out, words[i]);
	}
	csv_number(out, series_median(&row->ns));
	csv_number(out, ci.lo);
	csv_number(out, ci.hi);
	csv_number(out, k->x_absl);
	csv_number(out, k->x_limit);
	csv_number(out, row->bytes);
	csv_number(out, series_median(&row->p50));
	csv_number(out, series_median(&row->p99));
	csv_number(out, series_median(&row->p999));
	csv_number(out, row->max_ns);
	fprintf(out, ",%s,\"", row->checked ? "true" : "false");
	for (unsigned int i = 0; i < row->n_extras; i++)
		fprintf(out, "%s%s=%.8g", i ? " " : "", row->extras[i].name, row->extras[i].figure);
	fputs("\"\n", out);
}

static void write_csv(FILE *out, const struct config *cfg)
{
	(void)cfg;
	fputs("dataset,runs,structure,op,mode,dist,ns,ns_lo,ns_hi,x_absl,x_limit,bytes_per_run,p50,"
	      "p99,p999,max_ns,checked,more\n",
	      out);
	for (size_t i = 0; i < rows.n; i++)
		csv_row(out, &rows.at[i]);
}

/* ---- The end ------------------------------------------------------------------------------- */

static void write_file(const char *path, const struct config *cfg,
		       void (*write)(FILE *out, const struct config *cfg))
{
	FILE *out = path ? fopen(path, "w") : NULL;
	bool failed;

	if (!path)
		return;
	if (!out)
		reject("%s: cannot write: %s", path, strerror(errno));
	write(out, cfg);
	failed = ferror(out);
	if (fclose(out) || failed)
		reject("%s: cannot write: %s", path, strerror(errno));
}

void rows_write(const struct config *cfg)
{
	write_file(cfg->json, cfg, write_json);
	write_file(cfg->csv, cfg, write_csv);
}

unsigned int rows_verdict(void)
{
	unsigned int wrong = 0;

	for (size_t i = 0; i < rows.n; i++)
		wrong += !rows.at[i].row.checked;
	printf("\n%zu rows, %u with a wrong answer\n", rows.n, wrong);
	return wrong;
}
