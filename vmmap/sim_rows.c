/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The same pages and accesses over every backend.
 */
#include "sim.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "trace_input.h"

/* Of the processor, so that others on the machine do not count. */
static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Which ------------------------------------------------------------------------------------- */

static const char *find_name(const char *text, size_t len)
{
	const char *name = NULL;

	for (unsigned int i = 0; (name = vmmap_backend_name(i)); i++)
		if (strlen(name) == len && memcmp(name, text, len) == 0)
			return name;
	return len == 5 && memcmp(text, "ideal", 5) == 0 ? "ideal" : NULL;
}

static int name_rows(struct vmmap_rows *rows, const char *backends, struct vmmap_refusal *why)
{
	if (strcmp(backends, "all") == 0) {
		while (rows->n < VMMAP_ROWS_MAX - 1 && vmmap_backend_name(rows->n)) {
			rows->row[rows->n].name = vmmap_backend_name(rows->n);
			rows->n++;
		}
		rows->row[rows->n++].name = "ideal";
		return 0;
	}
	for (;;) {
		size_t len = strcspn(backends, ",");
		const char *name = find_name(backends, len);

		if (!name || rows->n == VMMAP_ROWS_MAX)
			return refuse(
				why, ENOENT,
				"expected all, or backends (lindex, radix4, radix5, btree, ecpt, "
				"ideal) with commas between, found %s",
				shown(backends, len).text);
		rows->row[rows->n++].name = name;
		if (!backends[len])
			return 0;
		backends += len + 1;
	}
}

/* ---- Loading ----------------------------------------------------------------------------------- */

static int load_ideal(struct vmmap_row *row, const struct vmmap_snapshot *snap,
		      struct vmmap_refusal *why)
{
	if (vmmap_ideal_create(snap, &row->ideal))
		return refuse(why, ENOMEM, "out of memory");
	row->table_bytes = row->marked_bytes = vmmap_ideal_bytes(row->ideal);
	row->largest_bytes = row->table_bytes;
	return 0;
}

/* The ideal table translates with a space of lindex; its walks are its own. */
static int load_row(struct vmmap_row *row, const struct vmmap_snapshot *snap,
		    struct vmmap_refusal *why)
{
	const struct vmmap_host_config cfg = { .flags = VMMAP_HOST_NO_REFS };
	bool is_ideal = strcmp(row->name, "ideal") == 0;
	uint64_t began = now_ns();
	int err = vmmap_host_create(&cfg, &row->host);

	if (err)
		return refuse(why, ENOMEM, "out of memory");
	err = vmmap_sim_space(row->host, is_ideal ? NULL : row->name, snap, &row->space, why);
	if (err == -EOPNOTSUPP) {
		snprintf(row->skipped, sizeof(row->skipped), "%.*s", (int)sizeof(row->skipped) - 1,
			 why->text);
		return 0;
	}
	if (err)
		return err;
	row->load_ns = now_ns() - began;
	vmmap_get_stats(row->space, &row->stats);
	if (is_ideal)
		return load_ideal(row, snap, why);
	row->table_bytes = row->stats.table_bytes;
	row->marked_bytes = row->stats.index_bytes + row->stats.frame_bytes +
			    row->stats.ad_bytes_max;
	row->largest_bytes = row->stats.largest_bytes;
	return 0;
}

int vmmap_rows_load(struct vmmap_rows *rows, const char *backends,
		    const struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	int err;

	*rows = (struct vmmap_rows){ .pages = vmmap_snapshot_pages(snap) };
	err = name_rows(rows, backends, why);
	for (unsigned int i = 0; i < rows->n && !err; i++)
		err = load_row(&rows->row[i], snap, why);
	if (err)
		vmmap_rows_destroy(rows);
	return err;
}

void vmmap_rows_destroy(struct vmmap_rows *rows)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		struct vmmap_row *row = &rows->row[i];

		vmmap_sim_free(row->sim);
		vmmap_ideal_free(row->ideal);
		vmmap_space_free(row->space);
		if (row->host)
			vmmap_host_free(row->host);
	}
	*rows = (struct vmmap_rows){ 0 };
}

/* ---- Running ----------------------------------------------------------------------------------- */

int vmmap_rows_begin(struct vmmap_rows *rows, const struct vmmap_machine *machine)
{
	int err = 0;

	for (unsigned int i = 0; i < rows->n && !err; i++) {
		struct vmmap_row *row = &rows->row[i];

		if (row->space)
			err = vmmap_sim_create(machine, row->space, row->ideal, &row->sim);
	}
	return err;
}

void vmmap_rows_run(struct vmmap_rows *rows, const struct vmmap_access *a, size_t n)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		uint64_t began = now_ns();

		if (rows->row[i].sim)
			vmmap_sim_run(rows->row[i].sim, a, n);
		rows->row[i].run_ns += now_ns() - began;
	}
}

void vmmap_rows_forget(struct vmmap_rows *rows)
{
	for (unsigned int i = 0; i < rows->n; i++) {
		rows->row[i].run_ns = 0;
		if (rows->row[i].sim)
			vmmap_sim_forget(rows->row[i].sim);
	}
}

const struct vmmap_row *vmmap_rows_find(const struct vmmap_rows *rows, const char *name)
{
	for (unsigned int i = 0; i < rows->n; i++)
		if (strcmp(rows->row[i].name, name) == 0 && rows->row[i].space)
			return &rows->row[i];
	return NULL;
}
