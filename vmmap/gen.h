/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * gen - workloads and layouts that are made, not recorded: seeded, the same on every machine, and of any footprint
 * without needing that memory.
 *
 * A workload names its regions (virtual memory) and then gives accesses to them without end. A layout gives the regions
 * frames: together they are a trace and a snapshot.
 */
#ifndef VMMAP_GEN_H
#define VMMAP_GEN_H

#include "trace.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VMMAP_GEN_MIN_FOOTPRINT (UINT64_C(1) << 20)
#define VMMAP_GEN_MAX_FOOTPRINT (UINT64_C(1) << 40)

/** struct vmmap_region - Bytes of one array of a workload: whole huge pages, at an address aligned to them. */
struct vmmap_region {
	uint64_t va, bytes;
};

/**
 * struct vmmap_gen_config -
 * @kind:            Name; see vmmap_gen_kind().
 * @footprint_bytes: Of all regions, about; 0: 512 MiB.
 * @seed:            Any.
 * @stride_bytes:    Of "stride"; 0: 4160, a page and a line.
 */
struct vmmap_gen_config {
	const char *kind;
	uint64_t footprint_bytes, seed, stride_bytes;
};

/** vmmap_gen_kind() - Name of kind @i, and in @about (if not NULL) a line about it. NULL behind the last. */
const char *vmmap_gen_kind(unsigned int i, const char **about);

struct vmmap_gen;

/**
 * vmmap_gen_create() - Begin a workload.
 * Return: 0; -ENOENT: no such kind; -ERANGE: footprint or stride; -ENOMEM.
 */
int vmmap_gen_create(const struct vmmap_gen_config *cfg, struct vmmap_gen **gen);
void vmmap_gen_free(struct vmmap_gen *gen);

/** vmmap_gen_run() - The next @n accesses. Cost: 2-20 ns each. Return: 0, -ENOMEM. */
int vmmap_gen_run(struct vmmap_gen *gen, struct vmmap_access *a, size_t n);

/** vmmap_gen_regions() - Its regions, ascending. */
const struct vmmap_region *vmmap_gen_regions(const struct vmmap_gen *gen, size_t *n);

/**
 * enum vmmap_layout_kind - How frames are given to regions.
 * @VMMAP_LAYOUT_SCATTERED:  Pages of 4 KiB, each with a frame from anywhere in memory.
 * @VMMAP_LAYOUT_INORDER:    Pages of 4 KiB, runs of consecutive frames, of geometric length with a mean.
 * @VMMAP_LAYOUT_HUGE:       Pages of 2 MiB, each from anywhere.
 * @VMMAP_LAYOUT_CONTIGUOUS: Pages of 4 KiB, all regions one after the other.
 */
enum vmmap_layout_kind {
	VMMAP_LAYOUT_SCATTERED,
	VMMAP_LAYOUT_INORDER,
	VMMAP_LAYOUT_HUGE,
	VMMAP_LAYOUT_CONTIGUOUS,
	VMMAP_LAYOUT_KINDS
};

const char *vmmap_layout_name(enum vmmap_layout_kind kind);

/**
 * struct vmmap_layout -
 * @mean_pages:   Of INORDER; 0: 25, what a process that touched its memory in order had on a busy machine.
 * @memory_bytes: Of the machine, a power of two; 0: 64 GiB, or twice the regions if that is more.
 */
struct vmmap_layout {
	enum vmmap_layout_kind kind;
	uint64_t mean_pages, memory_bytes, seed;
};

/** vmmap_layout_make() - Frames for @regions. Return: 0, -ENOMEM, -ERANGE (they do not fit @memory_bytes). */
int vmmap_layout_make(const struct vmmap_layout *layout, const struct vmmap_region *regions,
		      size_t n, struct vmmap_snapshot *snap);

/**
 * vmmap_gen_parse() - "KIND[,footprint=SIZE][,seed=N][,stride=SIZE]"; SIZE as in 512M, 8G.
 * @kind: Room for the name, which @cfg then points to.
 * vmmap_layout_parse() - "scattered", "inorder[:MEAN]", "huge", "contiguous"; then [,seed=N][,memory=SIZE].
 * Return: 0, -EINVAL with @why.
 */
#define VMMAP_GEN_NAME_BYTES 32u
int vmmap_gen_parse(const char *text, struct vmmap_gen_config *cfg, char kind[VMMAP_GEN_NAME_BYTES],
		    struct vmmap_refusal *why);
int vmmap_layout_parse(const char *text, struct vmmap_layout *layout, struct vmmap_refusal *why);

/** vmmap_parse_size() - "4096", "64K", "512M", "8G", "1T" as bytes (or, with a mere number, a count). Return: 0, -EINVAL. */
int vmmap_parse_size(const char *text, size_t len, uint64_t *n);

#ifdef __cplusplus
}
#endif

#endif /* VMMAP_GEN_H */
