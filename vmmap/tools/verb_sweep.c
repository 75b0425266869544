/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap sweep: workloads x footprints x layouts, every backend; what a report draws, and the bars.
 */
#include "tool.h"

#include <math.h>
#include <string.h>

#define AT_ONCE  16384u
#define TEXT_MAX 64u

static const char usage[] =
	"[--workloads LIST] [--footprints LIST] [--layouts LIST] [--backend all|LIST] "
	"[--machine NAME|FILE] [--accesses N] [--warmup N] [--seed N] [--json|--csv]";

struct sweep_options {
	const char *workloads, *footprints, *layouts, *backends, *machine, *accesses, *warmup,
		*seed;
	bool json, csv;
};

/**
 * struct summary - Of lindex, over all points.
 * @log_radix: Sum of logarithms of its MMU cycles against radix. @log_walks: of its walk cycles, over the
 *             @walked points where either walks.
 * @worst_*:   Largest ratio; @worst_mean, @worst_p99: accesses per walk.
 */
struct summary {
	double log_radix, log_walks, worst_radix, worst_ideal, worst_mean;
	uint32_t worst_p99;
	unsigned int points, walked, within_ideal;
	double least_rate; /* accesses simulated per second */
};

struct sweep {
	const struct sweep_options *options;
	struct vmmap_machine machine;
	uint64_t accesses, warmup, seed;
	struct summary summary;
	json_t *points;
};

/* ---- One point --------------------------------------------------------------------------------- */

static int replay(struct source *s, struct vmmap_rows *rows, uint64_t n)
{
	static struct vmmap_access a[AT_ONCE];

	while (n) {
		int64_t got = source_read(s, a, n < AT_ONCE ? (size_t)n : AT_ONCE);

		if (got <= 0)
			return STATUS_WRONG;
		vmmap_rows_run(rows, a, (size_t)got);
		n -= (uint64_t)got;
	}
	return 0;
}

/* Walk cycles against those of radix: without TLBs, whose cycles are the same for all. 0: nobody walks. */
static double walk_ratio(const struct sweep *w, const struct vmmap_rows *rows,
			 const struct figures *ours)
{
	const char *name = w->machine.radix_levels == 5 ? "radix5" : "radix4";
	const struct vmmap_row *radix = vmmap_rows_find(rows, name);
	struct vmmap_sim_counts theirs;

	if (!radix || !radix->sim)
		return 0;
	vmmap_sim_get(radix->sim, &theirs);
	return theirs.walk_cycles ? (double)ours->counts.walk_cycles / (double)theirs.walk_cycles :
				    0;
}

static void add_to_summary(struct sweep *w, const struct vmmap_rows *rows)
{
	struct summary *s = &w->summary;

	for (unsigned int i = 0; i < rows->n; i++) {
		struct figures f;
		double rate, walks;

		if (!rows->row[i].sim || strcmp(rows->row[i].name, "lindex") != 0)
			continue;
		f = figures_of(rows, i, &w->machine);
		walks = walk_ratio(w, rows, &f);
		s->walked += walks > 0;
		s->log_walks += walks > 0 ? log(walks) : 0;
		rate = (double)f.counts.accesses * 1e9 / (double)(rows->row[i].run_ns + 1);
		s->points++;
		s->within_ideal += f.ideal > 0 && f.ideal <= 1.05;
		s->log_radix += f.radix > 0 ? log(f.radix) : 0;
		s->worst_radix = fmax(s->worst_radix, f.radix);
		s->worst_ideal = fmax(s->worst_ideal, f.ideal);
		s->worst_mean = fmax(s->worst_mean, f.mean);
		s->worst_p99 = f.p99 > s->worst_p99 ? f.p99 : s->worst_p99;
		s->least_rate = s->points == 1 ? rate : fmin(s->least_rate, rate);
	}
}

static void report_point(struct sweep *w, const struct vmmap_rows *rows, const char *trace,
			 const char *space)
{
	add_to_summary(w, rows);
	if (w->options->json) {
		json_array_append_new(w->points,
				      json_pack("{s:s, s:s, s:I, s:o}", "trace", trace, "space",
						space, "pages", (json_int_t)rows->pages, "backends",
						rows_json(rows, &w->machine)));
	} else if (w->options->csv) {
		put_rows_csv(rows, &w->machine, trace, space);
	} else {
		printf("\n%s over %s: ", trace, space);
		put_rows_text(rows, &w->machine);
	}
	fflush(stdout);
}

static int run_point(struct sweep *w, const char *workload, const char *footprint,
		     const char *layout)
{
	char trace[160], space[TEXT_MAX + 16], described[SPACE_TEXT_BYTES], what[200];
	struct vmmap_snapshot snap = { 0 };
	struct vmmap_rows rows = { 0 };
	struct source source = { 0 };
	struct vmmap_refusal why;
	struct progress progress;
	int status;

	snprintf(trace, sizeof(trace), "gen:%s,footprint=%s,seed=%llu", workload, footprint,
		 (unsigned long long)w->seed);
	snprintf(space, sizeof(space), "layout:%s", layout);
	snprintf(what, sizeof(what), "%.20s %.10s %.16s", workload, footprint, layout);
	progress_begin(&progress, what);
	progress_at(&progress, w->summary.points);
	status = space_open(space, trace, SOURCE_ALL, &snap, described);
	if (!status)
		status = source_open(&source, trace, SOURCE_ALL - 1, false);
	if (!status && vmmap_rows_load(&rows, w->options->backends, &snap, &why))
		status = complain_why(&why);
	if (!status && vmmap_rows_begin(&rows, &w->machine))
		status = no_memory();
	vmmap_snapshot_destroy(&snap);
	if (!status)
		status = replay(&source, &rows, w->warmup);
	vmmap_rows_forget(&rows);
	if (!status)
		status = replay(&source, &rows, w->accesses);
	progress_end(&progress);
	if (!status)
		report_point(w, &rows, trace, space);
	source_close(&source);
	vmmap_rows_destroy(&rows);
	return status;
}

/* ---- All of them ------------------------------------------------------------------------------- */

/* The next word of a list with commas. Return: whether there is one. */
static bool next_word(const char **list, char word[TEXT_MAX])
{
	size_t len = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(word, TEXT_MAX, "%.*s", (int)(len < TEXT_MAX ? len : TEXT_MAX - 1), *list);
	*list += len + ((*list)[len] == ',');
	return true;
}

static int run_all(struct sweep *w)
{
	char layout[TEXT_MAX], footprint[TEXT_MAX], workload[TEXT_MAX];
	const struct sweep_options *o = w->options;
	int status = 0;

	for (const char *l = o->layouts; !status && next_word(&l, layout);)
		for (const char *f = o->footprints; !status && next_word(&f, footprint);)
			for (const char *k = o->workloads; !status && next_word(&k, workload);)
				status = run_point(w, workload, footprint, layout);
	return status;
}

static double geometric_mean(double sum_of_logs, unsigned int n)
{
	return n ? exp(sum_of_logs / n) : 0;
}

static void put_summary(const struct summary *s)
{
	printf("\nlindex over %u points: MMU cycles against radix %.3f in the geometric mean (walk "
	       "cycles "
	       "alone %.3f), %.3f at worst;\n",
	       s->points, geometric_mean(s->log_radix, s->points),
	       geometric_mean(s->log_walks, s->walked), s->worst_radix);
	printf("against ideal %.3f at worst, within 5 %% at %u of %u; table reads per walk %.3f at "
	       "worst, "
	       "p99 %u at worst;\n",
	       s->worst_ideal, s->within_ideal, s->points, s->worst_mean, s->worst_p99);
	printf("simulated at %.1f M accesses/s or more\n", s->least_rate / 1e6);
}

static json_t *summary_json(const struct summary *s)
{
	return json_pack(
		"{s:i, s:f, s:f, s:f, s:f, s:i, s:f, s:i, s:f}", "points", (int)s->points,
		"mmu_against_radix_geomean", geometric_mean(s->log_radix, s->points),
		"walk_cycles_against_radix_geomean", geometric_mean(s->log_walks, s->walked),
		"mmu_against_radix_worst", s->worst_radix, "mmu_against_ideal_worst",
		s->worst_ideal, "within_5_percent_of_ideal", (int)s->within_ideal,
		"accesses_per_walk_mean_worst", s->worst_mean, "accesses_per_walk_p99_worst",
		(int)s->worst_p99, "accesses_per_second_least", s->least_rate);
}

static int sweep(struct sweep *w)
{
	int status;

	if (w->options->csv)
		put_rows_csv_header();
	w->points = json_array();
	status = run_all(w);
	if (!status && w->options->json) {
		status = put_json(json_pack("{s:s, s:o, s:o}", "machine", w->machine.name, "points",
					    w->points, "lindex", summary_json(&w->summary)));
		return status;
	}
	json_decref(w->points);
	if (!status && !w->options->csv)
		put_summary(&w->summary);
	return status;
}

int verb_sweep(int argc, char **argv)
{
	struct sweep_options o = { .workloads = "gups,bfs,join,btree,xsbench",
				   .footprints = "512M,2G,8G,32G",
				   .layouts = "scattered,inorder,huge",
				   .backends = "all",
				   .machine = vmmap_machine_name(0) };
	const struct option_spec specs[] = {
		{ "--workloads", &o.workloads, NULL }, { "--footprints", &o.footprints, NULL },
		{ "--layouts", &o.layouts, NULL },     { "--backend", &o.backends, NULL },
		{ "--machine", &o.machine, NULL },     { "--accesses", &o.accesses, NULL },
		{ "--warmup", &o.warmup, NULL },       { "--seed", &o.seed, NULL },
		{ "--json", NULL, &o.json },           { "--csv", NULL, &o.csv },
	};
	struct sweep w = { .options = &o, .accesses = 2000000, .warmup = 1000000, .seed = 1 };
	struct vmmap_refusal why;
	int status = options_parse("sweep", usage, specs, sizeof(specs) / sizeof(*specs), &argc,
				   argv, 0, 0);

	if (status)
		return status;
	if ((o.accesses && option_number("--accesses", o.accesses, &w.accesses)) ||
	    (o.warmup && option_number("--warmup", o.warmup, &w.warmup)) ||
	    (o.seed && option_number("--seed", o.seed, &w.seed)))
		return STATUS_WRONG;
	if (vmmap_machine_read(o.machine, &w.machine, &why))
		return complain_why(&why);
	return sweep(&w);
}
