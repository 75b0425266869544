/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sim - replays accesses through the TLBs, walk caches and data caches of a machine, over a space; and counts.
 *
 *     struct vmmap_sim *sim;
 *     struct vmmap_sim_counts counts;
 *
 *     vmmap_machine_read("virtuoso", &machine, &why);
 *     vmmap_sim_space(host, "lindex", &snapshot, &space, &why);
 *     vmmap_sim_create(&machine, space, NULL, &sim);
 *     vmmap_sim_run(sim, accesses, n);                   // as often as there are accesses
 *     vmmap_sim_get(sim, &counts);
 *
 * What is modelled. Each access looks up the L1 TLB (fetches have their own), then the L2 TLB, then walks. The steps of a
 * walk are those of vmmap_hardware_walk(), less what walk caches hold; they and the data go through the same caches. Steps
 * of one group go in parallel. An access to bytes in two pages is translated twice, and touches each of its lines.
 *
 * What is not. Time overlap between accesses, write-backs, prefetching, contention, the operating system's work in a fault,
 * and the posted writes that set accessed and dirty bits (they are on no walk's critical path).
 *
 * MMU cycles are: the L1 TLB's latency for each translation, plus the L2 TLB's where the L1 missed, plus the walk's.
 */
#ifndef VMMAP_SIM_H
#define VMMAP_SIM_H

#include "gen.h"
#include "machine.h"
#include "trace.h"
#include "vmmap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VMMAP_SIM_LEVELS (VMMAP_MACHINE_CACHES + 1) /* the caches, then DRAM */
#define VMMAP_SIM_STEPS  64u /* walks with this many accesses or more are counted together */

/**
 * struct vmmap_sim_counts -
 * @accesses:     Replayed. @translations: one or more for each.
 * @walks:        Translations that missed all TLBs. @walk_accesses: lines of tables that they read.
 * @walk_cycles:  Of walks, walk caches included. @mmu_cycles: TLBs and walks.
 * @data_cycles:  Of data, all accesses.
 * @walk_levels:  Table lines by the cache that had them; [n_caches]: DRAM. @data_levels: the same of data.
 * @histogram:    Walks by number of accesses.
 * @cached_walks: Walks that a walk cache shortened.
 * @faults:       Translations that faulted: their walks count, too. By kind: @not_present, @permission, @noncanonical.
 */
struct vmmap_sim_counts {
	uint64_t accesses, translations, l1_hits, l2_hits, walks, cached_walks;
	uint64_t walk_accesses, walk_cycles, mmu_cycles, data_cycles;
	uint64_t walk_levels[VMMAP_SIM_LEVELS], data_levels[VMMAP_SIM_LEVELS];
	uint64_t histogram[VMMAP_SIM_STEPS];
	uint64_t faults, not_present, permission, noncanonical;
};

/** vmmap_sim_percentile() - Accesses that @percent of the walks do not exceed; 100: the most. 0 without walks. */
uint32_t vmmap_sim_percentile(const struct vmmap_sim_counts *counts, double percent);

struct vmmap_sim;
struct vmmap_ideal;

/**
 * vmmap_sim_create() - A machine, its caches empty.
 * @machine: Copied.
 * @space:   Must stay, and not change while it is used.
 * @ideal:   Or NULL: walks are the space's. Otherwise walks are those of the ideal table; must stay.
 * Return: 0, -ENOMEM.
 */
int vmmap_sim_create(const struct vmmap_machine *machine, struct vmmap_space *space,
		     const struct vmmap_ideal *ideal, struct vmmap_sim **sim);
void vmmap_sim_free(struct vmmap_sim *sim);

/** vmmap_sim_run() - Replay. Does not allocate. Cost: 10-40 ns per access that hits, 100-200 ns per walk. */
void vmmap_sim_run(struct vmmap_sim *sim, const struct vmmap_access *a, size_t n);

/** vmmap_sim_get() - Counts since the beginning, or since vmmap_sim_forget(), which keeps the caches: a warm start. */
void vmmap_sim_get(const struct vmmap_sim *sim, struct vmmap_sim_counts *counts);
void vmmap_sim_forget(struct vmmap_sim *sim);

/**
 * vmmap_sim_space() - A space of @backend (NULL: lindex) with the pages of @snap.
 * Return: 0; -EOPNOTSUPP: addresses that the backend has not the bits for; vmmap_load()'s errors.
 */
int vmmap_sim_space(struct vmmap_host *host, const char *backend, const struct vmmap_snapshot *snap,
		    struct vmmap_space **space, struct vmmap_refusal *why);

/* ---- The ideal table --------------------------------------------------------------------------- */

/**
 * vmmap_ideal_create() - The table that all others are compared with: one entry for each page (of its size), of as
 * many bits as it takes to tell the frames of the snapshot apart (log2 of their span) and two for accessed and dirty,
 * packed into lines without a gap but at line ends, found without a search: a walk is one access. No rights, no model, no
 * walk cache. docs/decisions/027 says why so.
 * Return: 0, -ENOMEM.
 */
int vmmap_ideal_create(const struct vmmap_snapshot *snap, struct vmmap_ideal **ideal);
void vmmap_ideal_free(struct vmmap_ideal *ideal);

/** vmmap_ideal_line() - Number of the line that has the entry of @va; of an unmapped address, some line. */
uint64_t vmmap_ideal_line(const struct vmmap_ideal *ideal, uint64_t va);
uint64_t vmmap_ideal_bytes(const struct vmmap_ideal *ideal);
unsigned int vmmap_ideal_bits(const struct vmmap_ideal *ideal);

/* ---- Rows: the same accesses over every backend ------------------------------------------------ */

#define VMMAP_ROWS_MAX 8u

/**
 * struct vmmap_row - One backend, or "ideal", on a host of its own.
 * @table_bytes: Of the tables as loaded. @marked_bytes: once every page was marked, the most that these pages take.
 * @load_ns:     Time to load the space. @run_ns: to simulate.
 * @skipped:     Why there is no such row (an address needs more bits), or empty.
 */
struct vmmap_row {
	const char *name;
	struct vmmap_host *host;
	struct vmmap_space *space;
	struct vmmap_ideal *ideal;
	struct vmmap_sim *sim;
	struct vmmap_stats stats;
	uint64_t table_bytes, marked_bytes, largest_bytes, load_ns, run_ns;
	char skipped[160];
};

struct vmmap_rows {
	struct vmmap_row row[VMMAP_ROWS_MAX];
	unsigned int n;
	uint64_t pages;
};

/**
 * vmmap_rows_load() - Spaces with the pages of @snap.
 * @backends: "all" (every backend, and ideal), or names with commas between.
 * Return: 0; -EINVAL, -ENOENT (no such backend), -ENOMEM, with @why.
 */
int vmmap_rows_load(struct vmmap_rows *rows, const char *backends,
		    const struct vmmap_snapshot *snap, struct vmmap_refusal *why);

/** vmmap_rows_begin() - A machine for each. Return: 0, -ENOMEM. */
int vmmap_rows_begin(struct vmmap_rows *rows, const struct vmmap_machine *machine);

/** vmmap_rows_run() - vmmap_sim_run() on each. vmmap_rows_forget() - vmmap_sim_forget(), and times. */
void vmmap_rows_run(struct vmmap_rows *rows, const struct vmmap_access *a, size_t n);
void vmmap_rows_forget(struct vmmap_rows *rows);

/** vmmap_rows_find() - The row of @name that was not skipped, or NULL. */
const struct vmmap_row *vmmap_rows_find(const struct vmmap_rows *rows, const char *name);

void vmmap_rows_destroy(struct vmmap_rows *rows);

/* ---- Pages that a trace touches ---------------------------------------------------------------- */

struct vmmap_touched;

/** vmmap_touched_create() - Collects the pages of accesses. Return: 0, -ENOMEM. */
int vmmap_touched_create(struct vmmap_touched **touched);
void vmmap_touched_free(struct vmmap_touched *touched);

/** vmmap_touched_add() - Pages of canonical addresses; with the frames that the trace knows. Return: 0, -ENOMEM. */
int vmmap_touched_add(struct vmmap_touched *touched, const struct vmmap_access *a, size_t n);

/** vmmap_touched_frames() - How many pages came with a frame. */
uint64_t vmmap_touched_frames(const struct vmmap_touched *touched);

/** vmmap_touched_snapshot() - Pages with the frames that they came with first; others are left out. Return: 0, -ENOMEM. */
int vmmap_touched_snapshot(const struct vmmap_touched *touched, struct vmmap_snapshot *snap);

/** vmmap_touched_regions() - Maximal ranges of pages, ends widened to @shift; free() them. Return: 0, -ENOMEM. */
int vmmap_touched_regions(const struct vmmap_touched *touched, unsigned int shift,
			  struct vmmap_region **regions, size_t *n);

#ifdef __cplusplus
}
#endif

#endif /* VMMAP_SIM_H */
