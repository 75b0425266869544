/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap sim: one trace over one space, on every backend.
 */
#include "tool.h"

#include <string.h>

#define AT_ONCE 16384u

static const char usage[] =
	"--trace FILE|gen:SPEC [--space FILE|proc:PID|layout:SPEC|trace] [--backend all|LIST] "
	"[--machine NAME|FILE] [--accesses N] [--warmup N] [--data-only] [--json|--csv] "
	"[--show-machine]";

struct sim_options {
	const char *trace, *space, *backends, *machine, *accesses, *warmup;
	bool data_only, json, csv, show;
};

struct sim_work {
	struct vmmap_machine machine;
	struct vmmap_snapshot snap;
	struct vmmap_rows rows;
	struct source source;
	uint64_t limit, warmup;
	char space[SPACE_TEXT_BYTES];
};

/* Up to @n accesses. Return: a status; *@done: how many there were. */
static int replay(struct sim_work *w, uint64_t n, const char *what, uint64_t *done)
{
	static struct vmmap_access a[AT_ONCE];
	struct progress progress;
	int64_t got = 1;

	*done = 0;
	progress_begin(&progress, what);
	while (*done < n && got > 0) {
		uint64_t left = n - *done;

		got = source_read(&w->source, a, left < AT_ONCE ? (size_t)left : AT_ONCE);
		if (got > 0) {
			vmmap_rows_run(&w->rows, a, (size_t)got);
			*done += (uint64_t)got;
		}
		progress_at(&progress, *done);
	}
	progress_end(&progress);
	return got < 0 ? STATUS_WRONG : 0;
}

static int simulate(struct sim_work *w, const struct sim_options *o)
{
	struct vmmap_refusal why;
	uint64_t done;
	int status;

	if (vmmap_rows_load(&w->rows, o->backends, &w->snap, &why))
		return complain_why(&why);
	if (vmmap_rows_begin(&w->rows, &w->machine))
		return no_memory();
	status = replay(w, w->warmup, "warming up", &done);
	vmmap_rows_forget(&w->rows);
	if (!status)
		status = replay(w, UINT64_MAX, "simulating", &done);
	if (!status && !done)
		return complain("%s: expected accesses%s, found none", o->trace,
				w->warmup ? " after the warm-up" : "");
	return status;
}

static int report(const struct sim_work *w, const struct sim_options *o)
{
	if (o->json)
		return put_json(json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "machine",
					  w->machine.name, "machine_note", w->machine.note, "trace",
					  o->trace, "space", w->space, "pages",
					  (json_int_t)w->rows.pages, "backends",
					  rows_json(&w->rows, &w->machine)));
	if (o->csv) {
		put_rows_csv_header();
		put_rows_csv(&w->rows, &w->machine, o->trace, w->space);
		return 0;
	}
	printf("machine %s (%s), space %s: %s pages\n", w->machine.name, w->machine.note, w->space,
	       grouped(w->rows.pages).text);
	put_rows_text(&w->rows, &w->machine);
	return 0;
}

static int take_numbers(struct sim_work *w, const struct sim_options *o)
{
	int status = o->accesses ? option_number("--accesses", o->accesses, &w->limit) : 0;

	if (!status && o->warmup)
		status = option_number("--warmup", o->warmup, &w->warmup);
	if (!status && w->limit != SOURCE_ALL)
		w->limit += w->warmup;
	return status;
}

static int run(struct sim_work *w, const struct sim_options *o)
{
	int status = take_numbers(w, o);

	if (!status)
		status = space_open(o->space, o->trace, w->limit, &w->snap, w->space);
	if (!status)
		status = source_open(&w->source, o->trace, w->limit, o->data_only);
	if (!status)
		status = simulate(w, o);
	if (!status)
		status = report(w, o);
	return status;
}

int verb_sim(int argc, char **argv)
{
	struct sim_options o = { .backends = "all", .machine = vmmap_machine_name(0) };
	const struct option_spec specs[] = {
		{ "--trace", &o.trace, NULL },
		{ "--space", &o.space, NULL },
		{ "--backend", &o.backends, NULL },
		{ "--machine", &o.machine, NULL },
		{ "--accesses", &o.accesses, NULL },
		{ "--warmup", &o.warmup, NULL },
		{ "--data-only", NULL, &o.data_only },
		{ "--json", NULL, &o.json },
		{ "--csv", NULL, &o.csv },
		{ "--show-machine", NULL, &o.show },
	};
	struct sim_work w = { .limit = SOURCE_ALL };
	struct vmmap_refusal why;
	int status = options_parse("sim", usage, specs, sizeof(specs) / sizeof(*specs), &argc, argv,
				   0, 0);

	if (status)
		return status;
	if (vmmap_machine_read(o.machine, &w.machine, &why))
		return complain_why(&why);
	if (o.show && vmmap_machine_text(o.machine)) {
		fputs(vmmap_machine_text(o.machine), stdout);
		return 0;
	}
	if (!o.trace)
		return complain("sim: expected %s", usage);
	status = run(&w, &o);
	source_close(&w.source);
	vmmap_rows_destroy(&w.rows);
	vmmap_snapshot_destroy(&w.snap);
	return status;
}
