/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lindex.h"
#include "machine.h"
#include "peer.h"

#define ROWS_MAX 512u
#define TEXT_MAX 96u

struct row {
	char set[TEXT_MAX], what[TEXT_MAX], name[TEXT_MAX];
	const char *unit;
	bool is_bar, right;
	enum sense sense;
	double bar, figure, lo, hi; /* lo..hi: spread of the rounds */
	double over, under;         /* ratios: the two medians */
	double bytes, absl, limit;  /* structures: bytes per run, times as fast, times as slow */
	unsigned int rounds;
};

static struct {
	struct report_config cfg;
	char set[TEXT_MAX];
	struct machine machine;
	struct row rows[ROWS_MAX];
	unsigned int n, printed;
} report;

/* ---- The head ------------------------------------------------------------------------------ */

void report_begin(const struct report_config *cfg)
{
	report.cfg = *cfg;
	machine_look(&report.machine);
	printf("lindex %s, commit %s, seed %" PRIu64 ", %u rounds\n", lindex_version(),
	       report.machine.commit, cfg->seed, cfg->rounds);
	printf("%s; transparent huge pages: %s\n", report.machine.cpu, report.machine.pages);
#ifndef __OPTIMIZE__
	printf("built without optimisation: the figures mean nothing\n");
#endif
	fflush(stdout);
}

/* ---- Rows ---------------------------------------------------------------------------------- */

static void widen(struct row *row, double figure)
{
	if (!row->rounds || figure < row->lo)
		row->lo = figure;
	if (!row->rounds || figure > row->hi)
		row->hi = figure;
	row->rounds++;
}

static struct row *row_new(const char *what)
{
	struct row *row = &report.rows[report.n];

	if (report.n++ >= ROWS_MAX)
		die("report: too many rows");
	memset(row, 0, sizeof(*row));
	snprintf(row->set, sizeof(row->set), "%s", report.set);
	snprintf(row->what, sizeof(row->what), "%s", what);
	row->unit = "";
	row->right = true;
	return row;
}

void report_structure(const char *op, const char *name, const struct series *ns, double bytes,
		      const struct series *absl, const struct series *limit)
{
	struct row *row;

	if (!ns->n)
		return;
	row = row_new(op);
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->figure = series_median(ns);
	row->right = !ns->wrong;
	row->bytes = bytes;
	for (unsigned int i = 0; i < ns->n; i++)
		widen(row, ns->at[i]);
	if (absl && absl->n)
		row->absl = series_median(absl) / row->figure;
	if (limit && limit->n)
		row->limit = row->figure / series_median(limit);
}

static struct row *bar_new(const char *what, enum sense sense, double bar, const char *unit)
{
	struct row *row = row_new(what);

	row->is_bar = true;
	row->sense = sense;
	row->bar = bar;
	row->unit = unit;
	return row;
}

void report_ratio(const char *what, enum sense sense, double bar, const struct series *over,
		  const struct series *under)
{
	struct row *row;

	if (!over->n || over->n != under->n)
		return; /* filtered out */
	row = bar_new(what, sense, bar, "x");
	row->over = series_median(over);
	row->under = series_median(under);
	row->figure = row->over / row->under;
	row->right = !over->wrong && !under->wrong;
	for (unsigned int i = 0; i < over->n; i++)
		widen(row, over->at[i] / under->at[i]);
}

void report_series(const char *what, enum sense sense, double bar, const struct series *s,
		   double scale, const char *unit)
{
	struct row *row;

	if (!s->n)
		return;
	row = bar_new(what, sense, bar, unit);
	row->figure = series_median(s) * scale;
	row->right = !s->wrong;
	for (unsigned int i = 0; i < s->n; i++)
		widen(row, s->at[i] * scale);
}

void report_figure(const char *what, enum sense sense, double bar, double figure, bool right,
		   const char *unit)
{
	struct row *row = bar_new(what, sense, bar, unit);

	row->figure = figure;
	row->right = right;
}

/* ---- Tables -------------------------------------------------------------------------------- */

static bool met(const struct row *row)
{
	return row->sense == AT_LEAST ? row->figure >= row->bar : row->figure <= row->bar;
}

static const char *verdict(const struct row *row)
{
	return row->sense == NO_BAR ? "-" : met(row) ? "met" : "MISSED";
}

/* Three digits that matter, no exponent. */
static const char *number(char *text, double figure)
{
	int decimals = figure < 10 ? 2 : figure < 100 ? 1 : 0;

	snprintf(text, TEXT_MAX, "%.*f", decimals, figure);
	return text;
}

static void print_structure(const struct row *row)
{
	char cell[5][TEXT_MAX] = { "", "", "", "", "" };

	number(cell[0], row->figure);
	if (row->absl > 0)
		snprintf(cell[1], TEXT_MAX, "%.2f", row->absl);
	if (row->limit > 0)
		snprintf(cell[2], TEXT_MAX, "%.2f", row->limit);
	if (row->bytes > 0)
		snprintf(cell[3], TEXT_MAX, "%.2f", row->bytes);
	snprintf(cell[4], TEXT_MAX, "%.1f..%.1f", row->lo, row->hi);
	printf("  %-20s %-26s %9s %8s %8s %9s %8s  %s\n", row->what, row->name, cell[0], cell[1],
	       cell[2], cell[3], row->right ? "yes" : "NO", cell[4]);
}

static void print_bar(const struct row *row)
{
	char bar[TEXT_MAX] = "", figure[TEXT_MAX], cell[TEXT_MAX], spread[TEXT_MAX] = "";
	char of[TEXT_MAX] = "", lo[TEXT_MAX], hi[TEXT_MAX];

	if (row->sense != NO_BAR)
		snprintf(bar, TEXT_MAX, "%s %g", row->sense == AT_LEAST ? ">=" : "<=", row->bar);
	snprintf(figure, TEXT_MAX, "%.64s %.16s", number(cell, row->figure), row->unit);
	if (row->rounds)
		snprintf(spread, TEXT_MAX, "%.32s..%.32s", number(lo, row->lo),
			 number(hi, row->hi));
	if (row->under > 0)
		snprintf(of, TEXT_MAX, "%.1f / %.1f", row->over, row->under);
	printf("  %-52s %9s %14s  %-6s %-7s  %-16s %s\n", row->what, bar, figure, verdict(row),
	       row->right ? "yes" : "NO", spread, of);
}

static void print_table(bool bars, const char *columns)
{
	bool heading = false;

	for (unsigned int i = report.printed; i < report.n; i++) {
		const struct row *row = &report.rows[i];

		if (row->is_bar != bars)
			continue;
		if (!heading)
			printf("%s\n", columns);
		heading = true;
		if (bars)
			print_bar(row);
		else
			print_structure(row);
	}
}

/* The rows since the last call: a run that is cut short has shown what it has. */
static void print_tables(void)
{
	print_table(false, "  operation            structure                         ns   x absl "
			   " x limit B per run  checked  spread of the rounds");
	print_table(true, "  what                                                       bar      "
			  "   figure  met    checked  spread           medians");
	report.printed = report.n;
	fflush(stdout);
}

/* ---- Sets ---------------------------------------------------------------------------------- */

void report_set(const char *fmt, ...)
{
	va_list args;

	print_tables();
	va_start(args, fmt);
	vsnprintf(report.set, sizeof(report.set), fmt, args);
	va_end(args);
	printf("\n%s\n", report.set);
	fflush(stdout);
}

void report_note(const char *fmt, ...)
{
	va_list args;

	printf("  ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* Texts are ours, or the kernel's and git's: no quotes in them but none is trusted. */
static void json_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\": \"", key);
	for (; *text; text++)
		if (*text != '"' && *text != '\\' && (unsigned char)*text >= ' ')
			fputc(*text, out);
	fprintf(out, "\", ");
}

static void json_row(FILE *out, const struct row *row)
{
	fprintf(out, "    {");
	json_text(out, "set", row->set);
	json_text(out, "what", row->what);
	if (row->is_bar) {
		json_text(out, "unit", row->unit);
		json_text(out, "verdict", verdict(row));
		if (row->sense != NO_BAR)
			fprintf(out, "\"at_%s\": %g, ", row->sense == AT_LEAST ? "least" : "most",
				row->bar);
		if (row->under > 0)
			fprintf(out, "\"over\": %.6g, \"under\": %.6g, ", row->over, row->under);
	} else {
		json_text(out, "structure", row->name);
		json_text(out, "unit", "ns");
		fprintf(out, "\"times_absl\": %.6g, \"times_limit\": %.6g, ", row->absl,
			row->limit);
		fprintf(out, "\"bytes_per_run\": %.6g, ", row->bytes);
	}
	fprintf(out, "\"figure\": %.8g, ", row->figure);
	if (row->rounds)
		fprintf(out, "\"min\": %.8g, \"max\": %.8g, ", row->lo, row->hi);
	fprintf(out, "\"rounds\": %u, \"checked\": %s}", row->rounds,
		row->right ? "true" : "false");
}

static void json_rows(FILE *out, const char *key, bool bars)
{
	const char *comma = "";

	fprintf(out, ",\n  \"%s\": [", key);
	for (unsigned int i = 0; i < report.n; i++) {
		if (report.rows[i].is_bar != bars)
			continue;
		fprintf(out, "%s\n", comma);
		json_row(out, &report.rows[i]);
		comma = ",";
	}
	fprintf(out, "\n  ]");
}

static void write_json(const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out)
		die("cannot write %s", path);
	fprintf(out, "{\n  ");
	json_text(out, "lindex", lindex_version());
	json_text(out, "commit", report.machine.commit);
	json_text(out, "cpu", report.machine.cpu);
	json_text(out, "transparent_huge_pages", report.machine.pages);
	fprintf(out, "\"seed\": %" PRIu64 ", \"rounds\": %u, \"quick\": %s", report.cfg.seed,
		report.cfg.rounds, report.cfg.quick ? "true" : "false");
	json_rows(out, "structures", false);
	json_rows(out, "bars", true);
	fprintf(out, "\n}\n");
	if (fclose(out))
		die("cannot write %s", path);
}

unsigned int report_end(void)
{
	unsigned int wrong = 0, bars = 0, missed = 0;

	print_tables();
	for (unsigned int i = 0; i < report.n; i++) {
		const struct row *row = &report.rows[i];

		wrong += !row->right;
		bars += row->is_bar && row->sense != NO_BAR;
		missed += row->is_bar && row->sense != NO_BAR && !met(row);
	}
	printf("\n%u of %u bars met; %u rows with a failed check\n", bars - missed, bars, wrong);
	if (report.cfg.json)
		write_json(report.cfg.json);
	return wrong;
}
