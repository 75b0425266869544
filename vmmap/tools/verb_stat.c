/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap stat: what an address space takes in each backend.
 */
#include "tool.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char usage[] = "FILE|proc:PID... [--backend all|LIST] [--json|--csv]";

/*
 * What the snapshot says by itself. @bound: what a learned table of scattered pages may take of radix4's bytes: for each
 * page log2(frame_span) bits and 7 more, where radix4 has 64 or more.
 */
struct shape {
	uint64_t pages, pages_2m, pages_1g, runs, virtual_runs, frame_span;
	double bound;
};

static struct shape shape_of(const struct vmmap_snapshot *snap)
{
	uint64_t low = UINT64_MAX, high = 0;
	struct shape s = { 0 };

	for (size_t i = 0; i < snap->n; i++) {
		const struct vmmap_span *span = &snap->spans[i], *last = i ? span - 1 : NULL;
		bool follows = last && last->vpn + last->pages == span->vpn;

		s.pages += span->pages;
		s.pages_2m += span->shift == VMMAP_SHIFT_2M ? span->pages : 0;
		s.pages_1g += span->shift == VMMAP_SHIFT_1G ? span->pages : 0;
		s.virtual_runs += !follows;
		s.runs += !follows || last->pfn + last->pages != span->pfn;
		low = span->pfn < low ? span->pfn : low;
		high = span->pfn + span->pages > high ? span->pfn + span->pages : high;
	}
	s.frame_span = high - low;
	s.bound = (log2((double)s.frame_span) + 7) / 64;
	return s;
}

static void put_text(const char *path, const struct shape *s, const struct vmmap_rows *rows)
{
	printf("%s: %s pages of 4 KiB (%s in pages of 2 MiB, %s of 1 GiB), %s runs, %s virtual "
	       "runs\n\n",
	       path, grouped(s->pages).text, grouped(s->pages_2m).text, grouped(s->pages_1g).text,
	       grouped(s->runs).text, grouped(s->virtual_runs).text);
	printf("%-8s %14s %10s %12s %14s %12s\n", "backend", "table bytes", "/page", "all marked",
	       "largest block", "against");
	for (unsigned int i = 0; i < rows->n; i++) {
		const struct vmmap_row *row = &rows->row[i];
		const struct vmmap_row *radix = vmmap_rows_find(rows, "radix4");

		radix = radix ? radix : vmmap_rows_find(rows, "radix5"); /* wide addresses */
		if (!row->space) {
			printf("%-8s left out: %s\n", row->name, row->skipped);
			continue;
		}
		printf("%-8s %14s %10.3f %12s %14s", row->name, grouped(row->table_bytes).text,
		       (double)row->table_bytes / (double)s->pages, grouped(row->marked_bytes).text,
		       grouped(row->largest_bytes).text);
		if (radix)
			printf(" %12.4f %s", (double)row->table_bytes / (double)radix->table_bytes,
			       radix->name);
		putchar('\n');
	}
	printf("\n%s frames from the lowest to the highest: log2 and 7 bits for each page would be "
	       "%.4f of "
	       "radix4\n",
	       grouped(s->frame_span).text, s->bound);
}

static void put_csv(const char *path, const struct shape *s, const struct vmmap_rows *rows)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		const struct vmmap_row *row = &rows->row[i];

		if (row->space)
			printf("%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.5f,%" PRIu64
			       ",%.5f\n",
			       path, row->name, s->pages, s->runs, row->table_bytes,
			       row->marked_bytes, (double)row->table_bytes / (double)s->pages,
			       row->largest_bytes, s->bound);
	}
}

static json_t *json_of(const char *path, const struct shape *s, const struct vmmap_rows *rows)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:o}", "file", path, "pages",
			 (json_int_t)s->pages, "pages_2m", (json_int_t)s->pages_2m, "pages_1g",
			 (json_int_t)s->pages_1g, "runs", (json_int_t)s->runs, "virtual_runs",
			 (json_int_t)s->virtual_runs, "frame_span", (json_int_t)s->frame_span,
			 "bound_of_radix4", s->bound, "backends", tables_json(rows));
}

static int stat_one(const char *path, const char *backends, json_t *list, bool csv, bool json)
{
	struct vmmap_snapshot snap = { 0 };
	struct vmmap_rows rows = { 0 };
	struct vmmap_refusal why;
	struct shape s;

	if (vmmap_snapshot_read(path, VMMAP_SNAPSHOT_ANY, &snap, &why))
		return complain_why(&why);
	if (vmmap_rows_load(&rows, backends, &snap, &why)) {
		vmmap_snapshot_destroy(&snap);
		return complain("%s: %s", path, why.text);
	}
	s = shape_of(&snap);
	if (json)
		json_array_append_new(list, json_of(path, &s, &rows));
	else if (csv)
		put_csv(path, &s, &rows);
	else
		put_text(path, &s, &rows);
	vmmap_rows_destroy(&rows);
	vmmap_snapshot_destroy(&snap);
	return 0;
}

/* One file is an object, several are a list of them. */
static int put_list(json_t *list)
{
	json_t *one = json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;

	if (!one)
		return put_json(list);
	json_incref(one);
	json_decref(list);
	return put_json(one);
}

int verb_stat(int argc, char **argv)
{
	const char *backends = "all";
	bool json = false, csv = false;
	const struct option_spec specs[] = { { "--backend", &backends, NULL },
					     { "--json", NULL, &json },
					     { "--csv", NULL, &csv } };
	int status = options_parse("stat", usage, specs, 3, &argc, argv, 1, 1 << 20);
	json_t *list;

	if (status)
		return status;
	list = json_array();
	if (csv && !json)
		printf("space,backend,pages,runs,table_bytes,table_bytes_marked,bytes_per_page,"
		       "largest_bytes,bound_of_"
		       "radix4\n");
	for (int i = 0; i < argc && !status; i++) {
		if (i && !csv && !json)
			putchar('\n');
		status = stat_one(argv[i], backends, list, csv, json);
	}
	if (json && !status)
		return put_list(list);
	json_decref(list);
	return status;
}
