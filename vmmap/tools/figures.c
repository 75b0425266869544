/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Rows of the simulator, as a table for people, as CSV, and as JSON.
 */
#include "tool.h"

#include <inttypes.h>
#include <string.h>

/* ---- What follows from the counts ---------------------------------------------------------------- */

static double per(uint64_t sum, uint64_t n)
{
	return n ? (double)sum / (double)n : 0;
}

static double mmu_of(const struct vmmap_row *row)
{
	struct vmmap_sim_counts c;

	if (!row || !row->sim)
		return 0;
	vmmap_sim_get(row->sim, &c);
	return per(c.mmu_cycles, c.accesses);
}

static double against(double mmu, const struct vmmap_rows *rows, const char *name)
{
	double theirs = mmu_of(vmmap_rows_find(rows, name));

	return theirs > 0 ? mmu / theirs : 0;
}

struct figures figures_of(const struct vmmap_rows *rows, unsigned int i,
			  const struct vmmap_machine *machine)
{
	struct figures f;

	vmmap_sim_get(rows->row[i].sim, &f.counts);
	f.mean = per(f.counts.walk_accesses, f.counts.walks);
	f.per_walk = per(f.counts.walk_cycles, f.counts.walks);
	f.mmu = per(f.counts.mmu_cycles, f.counts.accesses);
	f.p99 = vmmap_sim_percentile(&f.counts, 99);
	f.max = vmmap_sim_percentile(&f.counts, 100);
	f.ideal = against(f.mmu, rows, "ideal");
	f.radix = against(f.mmu, rows, machine->radix_levels == 5 ? "radix5" : "radix4");
	return f;
}

static const char *level_name(const struct vmmap_machine *machine, unsigned int level)
{
	static const char *const names[] = { "L1", "L2", "L3", "L4" };

	if (level == machine->n_caches)
		return "DRAM";
	return level && level + 1 == machine->n_caches ? "LLC" : names[level];
}

static double rate(const struct vmmap_row *row, const struct vmmap_sim_counts *c)
{
	return row->run_ns ? (double)c->accesses * 1e9 / (double)row->run_ns : 0;
}

/* ---- For people -------------------------------------------------------------------------------- */

static void put_ratio(double ratio)
{
	if (ratio > 0)
		printf(" %9.3f", ratio);
	else
		printf(" %9s", "-");
}

static void put_levels(const struct vmmap_sim_counts *c, const struct vmmap_machine *machine)
{
	for (unsigned int level = 0; level <= machine->n_caches; level++)
		printf(" %5.1f", 100 * per(c->walk_levels[level], c->walk_accesses));
}

static void put_row_text(const struct vmmap_rows *rows, unsigned int i,
			 const struct vmmap_machine *machine)
{
	const struct vmmap_row *row = &rows->row[i];
	struct figures f = figures_of(rows, i, machine);

	printf("%-8s %12" PRIu64 " %6.3f %4u %4u %8.1f %8.2f", row->name, row->table_bytes, f.mean,
	       f.p99, f.max, f.per_walk, f.mmu);
	put_ratio(f.radix);
	put_ratio(f.ideal);
	put_levels(&f.counts, machine);
	printf(" %8.1f\n", rate(row, &f.counts) / 1e6);
}

static void put_header(const struct vmmap_machine *machine)
{
	printf("%-8s %12s %6s %4s %4s %8s %8s %9s %9s", "", "table", "reads", "", "", "cycles",
	       "MMU cyc.", "against", "against");
	printf("  table reads by level, %%\n");
	printf("%-8s %12s %6s %4s %4s %8s %8s %9s %9s", "backend", "bytes", "/walk", "p99", "max",
	       "/walk", "/access", machine->radix_levels == 5 ? "radix5" : "radix4", "ideal");
	for (unsigned int level = 0; level <= machine->n_caches; level++)
		printf(" %5s", level_name(machine, level));
	printf(" %8s\n", "M acc./s");
}

static void put_common(const struct vmmap_sim_counts *c)
{
	printf("%s accesses, %s translations: %.2f %% in the L1 TLB, %.2f %% in the L2, %.2f %% "
	       "walks; "
	       "%s faults",
	       grouped(c->accesses).text, grouped(c->translations).text,
	       100 * per(c->l1_hits, c->translations), 100 * per(c->l2_hits, c->translations),
	       100 * per(c->walks, c->translations), grouped(c->faults).text);
	if (c->faults)
		printf(" (%s not present, %s permission, %s not canonical)",
		       grouped(c->not_present).text, grouped(c->permission).text,
		       grouped(c->noncanonical).text);
	printf("\n\n");
}

void put_rows_text(const struct vmmap_rows *rows, const struct vmmap_machine *machine)
{
	bool begun = false;

	for (unsigned int i = 0; i < rows->n; i++) {
		if (!rows->row[i].sim)
			continue;
		if (!begun) {
			struct figures f = figures_of(rows, i, machine);

			put_common(&f.counts);
			put_header(machine);
		}
		begun = true;
		put_row_text(rows, i, machine);
	}
	for (unsigned int i = 0; i < rows->n; i++)
		if (rows->row[i].skipped[0])
			printf("%-8s left out: %s\n", rows->row[i].name, rows->row[i].skipped);
}

/* ---- CSV --------------------------------------------------------------------------------------- */

void put_rows_csv_header(void)
{
	printf("machine,trace,space,backend,pages,table_bytes,largest_bytes,accesses,faults,walks,"
	       "accesses_per_walk_mean,accesses_per_walk_p99,accesses_per_walk_max,"
	       "cycles_per_walk,mmu_cycles_per_access,mmu_against_radix,mmu_against_ideal,"
	       "accesses_per_second\n");
}

/* A field with commas needs quotes; names with quotes in them do not occur. */
static void put_field(const char *text)
{
	printf(strchr(text, ',') ? "\"%s\"," : "%s,", text);
}

void put_rows_csv(const struct vmmap_rows *rows, const struct vmmap_machine *machine,
		  const char *trace, const char *space)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		const struct vmmap_row *row = &rows->row[i];
		struct figures f;

		if (!row->sim)
			continue;
		f = figures_of(rows, i, machine);
		put_field(machine->name);
		put_field(trace);
		put_field(space);
		printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		       ",%.4f,%u,%u,%.3f,%.4f,%.4f,%.4f,%.0f\n",
		       row->name, rows->pages, row->table_bytes, row->largest_bytes,
		       f.counts.accesses, f.counts.faults, f.counts.walks, f.mean, f.p99, f.max,
		       f.per_walk, f.mmu, f.radix, f.ideal, rate(row, &f.counts));
	}
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void set_number(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

static void set_real(json_t *object, const char *key, double x)
{
	json_object_set_new(object, key, json_real(x));
}

static void set_tables(json_t *o, const struct vmmap_row *row, uint64_t pages)
{
	json_object_set_new(o, "backend", json_string(row->name));
	set_number(o, "table_bytes", row->table_bytes);
	set_number(o, "table_bytes_marked", row->marked_bytes);
	set_real(o, "bytes_per_page", per(row->table_bytes, pages));
	set_number(o, "largest_bytes", row->largest_bytes);
	if (row->ideal) {
		set_number(o, "entry_bits", vmmap_ideal_bits(row->ideal));
		return;
	}
	set_number(o, "index_bytes", row->stats.index_bytes);
	set_number(o, "frame_bytes", row->stats.frame_bytes);
	set_number(o, "ad_bytes", row->stats.ad_bytes);
	set_real(o, "load_seconds", (double)row->load_ns * 1e-9);
}

json_t *tables_json(const struct vmmap_rows *rows)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < rows->n; i++) {
		json_t *o = json_object();

		if (rows->row[i].space) {
			set_tables(o, &rows->row[i], rows->pages);
		} else {
			json_object_set_new(o, "backend", json_string(rows->row[i].name));
			json_object_set_new(o, "skipped", json_string(rows->row[i].skipped));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *levels_json(const uint64_t *levels, const struct vmmap_machine *machine)
{
	json_t *o = json_object();

	for (unsigned int level = 0; level <= machine->n_caches; level++)
		set_number(o, level_name(machine, level), levels[level]);
	return o;
}

static json_t *histogram_json(const struct vmmap_sim_counts *c)
{
	json_t *list = json_array();
	unsigned int end = vmmap_sim_percentile(c, 100);

	for (unsigned int i = 0; i <= end; i++)
		json_array_append_new(list, json_integer((json_int_t)c->histogram[i]));
	return list;
}

static void set_counts(json_t *o, const struct vmmap_sim_counts *c)
{
	set_number(o, "accesses", c->accesses);
	set_number(o, "translations", c->translations);
	set_number(o, "l1_tlb_hits", c->l1_hits);
	set_number(o, "l2_tlb_hits", c->l2_hits);
	set_number(o, "walks", c->walks);
	set_number(o, "walks_cached", c->cached_walks);
	set_number(o, "walk_accesses", c->walk_accesses);
	set_number(o, "walk_cycles", c->walk_cycles);
	set_number(o, "mmu_cycles", c->mmu_cycles);
	set_number(o, "data_cycles", c->data_cycles);
	set_number(o, "faults", c->faults);
	set_number(o, "faults_not_present", c->not_present);
	set_number(o, "faults_permission", c->permission);
	set_number(o, "faults_noncanonical", c->noncanonical);
}

json_t *rows_json(const struct vmmap_rows *rows, const struct vmmap_machine *machine)
{
	json_t *list = tables_json(rows);

	for (unsigned int i = 0; i < rows->n; i++) {
		json_t *o = json_array_get(list, i);
		struct figures f;

		if (!rows->row[i].sim)
			continue;
		f = figures_of(rows, i, machine);
		set_counts(o, &f.counts);
		set_real(o, "accesses_per_walk_mean", f.mean);
		set_number(o, "accesses_per_walk_p99", f.p99);
		set_number(o, "accesses_per_walk_max", f.max);
		set_real(o, "cycles_per_walk", f.per_walk);
		set_real(o, "mmu_cycles_per_access", f.mmu);
		if (f.radix > 0)
			set_real(o, "mmu_against_radix", f.radix);
		if (f.ideal > 0)
			set_real(o, "mmu_against_ideal", f.ideal);
		json_object_set_new(o, "walk_levels", levels_json(f.counts.walk_levels, machine));
		json_object_set_new(o, "data_levels", levels_json(f.counts.data_levels, machine));
		json_object_set_new(o, "walks_by_accesses", histogram_json(&f.counts));
		set_real(o, "seconds", (double)rows->row[i].run_ns * 1e-9);
		set_real(o, "accesses_per_second", rate(&rows->row[i], &f.counts));
	}
	return list;
}
