/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Frames for regions. No two pages get the same frame.
 */
#include "gen_kind.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define DEFAULT_MEMORY (UINT64_C(64) << 30)
#define DEFAULT_MEAN   25u
#define FLAGS          (VMMAP_SPAN_R | VMMAP_SPAN_W | VMMAP_SPAN_U)

static const char *const names[VMMAP_LAYOUT_KINDS] = {
	[VMMAP_LAYOUT_SCATTERED] = "scattered",
	[VMMAP_LAYOUT_INORDER] = "inorder",
	[VMMAP_LAYOUT_HUGE] = "huge",
	[VMMAP_LAYOUT_CONTIGUOUS] = "contiguous",
};

const char *vmmap_layout_name(enum vmmap_layout_kind kind)
{
	return kind < VMMAP_LAYOUT_KINDS ? names[kind] : "none";
}

/**
 * struct laying - Work under way.
 * @frame_bits: log2 of the machine's frames.
 * @next: Pages (SCATTERED, CONTIGUOUS) or huge pages given out so far.
 */
struct laying {
	struct vmmap_snapshot snap;
	uint64_t seed, pages, next;
	unsigned int frame_bits;
};

static int add(struct laying *l, uint64_t vpn, uint64_t pfn, uint64_t pages, uint8_t shift)
{
	return vmmap_snapshot_append(&l->snap,
				     &(struct vmmap_span){ vpn, pfn, pages, shift, FLAGS });
}

/* A permutation of all units of memory gives each page one of its own. */
static int lay_scattered(struct laying *l, const struct vmmap_region *r, uint8_t shift)
{
	unsigned int in_unit = shift - VMMAP_SHIFT_4K;
	uint64_t first = r->va >> VMMAP_SHIFT_4K;
	struct gen_renumber order;
	int err = 0;

	gen_renumber_init(&order, l->frame_bits - in_unit, l->seed);
	for (uint64_t i = 0; i < r->bytes >> shift && !err; i++) {
		uint64_t unit = gen_renumber(&order, l->next++);

		err = add(l, first + (i << in_unit), unit << in_unit, UINT64_C(1) << in_unit,
			  shift);
	}
	return err;
}

static int lay_contiguous(struct laying *l, const struct vmmap_region *r)
{
	uint64_t pages = r->bytes >> VMMAP_SHIFT_4K, pfn = l->next;

	l->next += pages;
	return add(l, r->va >> VMMAP_SHIFT_4K, pfn, pages, VMMAP_SHIFT_4K);
}

/* ---- Runs -------------------------------------------------------------------------------------- */

/* At least 1, with the mean wanted: a geometric distribution, by inversion. */
static uint64_t draw_length(uint64_t *random, uint64_t mean)
{
	double u = ((double)(gen_next(random) >> 11) + 0.5) * 0x1p-53;

	return mean < 2 ? 1 : 1 + (uint64_t)(log(u) / log(1.0 - 1.0 / (double)mean));
}

/* Cuts the regions into runs, frames not given yet. */
static int cut(struct laying *l, const struct vmmap_region *regions, size_t n, uint64_t mean)
{
	uint64_t random = l->seed, apart = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t vpn = regions[i].va >> VMMAP_SHIFT_4K;
		uint64_t left = regions[i].bytes >> VMMAP_SHIFT_4K;

		while (left) {
			uint64_t pages = draw_length(&random, mean);
			int err;

			pages = pages < left ? pages : left;
			/* Frames that do not follow each other, so that append() joins nothing. */
			err = add(l, vpn, apart, pages, VMMAP_SHIFT_4K);
			if (err)
				return err;
			apart ^= UINT64_C(1) << 39;
			vpn += pages;
			left -= pages;
		}
	}
	return 0;
}

/* Puts the runs into memory in a random order, with the same gap after each. */
static int place(struct laying *l)
{
	uint64_t random = l->seed ^ 1, at = 0, gap;
	size_t n = l->snap.n, *order = malloc(n * sizeof(*order));

	if (!order || !n) { /* there are regions, and so runs */
		free(order);
		return -ENOMEM;
	}
	gap = ((UINT64_C(1) << l->frame_bits) - l->pages) / n;
	for (size_t i = 0; i < n; i++) {
		size_t j = (size_t)gen_below(&random, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < n; i++) {
		struct vmmap_span *span = &l->snap.spans[order[i]];

		span->pfn = at;
		at += span->pages + gap;
	}
	free(order);
	return 0;
}

/* ---- All --------------------------------------------------------------------------------------- */

static int lay(struct laying *l, const struct vmmap_layout *layout,
	       const struct vmmap_region *regions, size_t n)
{
	int err = 0;

	if (layout->kind == VMMAP_LAYOUT_INORDER) {
		err = cut(l, regions, n, layout->mean_pages ? layout->mean_pages : DEFAULT_MEAN);
		return err ? err : place(l);
	}
	for (size_t i = 0; i < n && !err; i++)
		err = layout->kind == VMMAP_LAYOUT_CONTIGUOUS ?
			      lay_contiguous(l, &regions[i]) :
			      lay_scattered(l, &regions[i],
					    layout->kind == VMMAP_LAYOUT_HUGE ? VMMAP_SHIFT_2M :
										VMMAP_SHIFT_4K);
	return err;
}

int vmmap_layout_make(const struct vmmap_layout *layout, const struct vmmap_region *regions,
		      size_t n, struct vmmap_snapshot *snap)
{
	uint64_t bytes = 0, memory = layout->memory_bytes ? layout->memory_bytes : DEFAULT_MEMORY;
	struct laying l = { .seed = gen_mix(layout->seed + 1) };
	size_t bad = 0;
	int err;

	for (size_t i = 0; i < n; i++)
		bytes += regions[i].bytes;
	if (!layout->memory_bytes && memory < 2 * bytes)
		memory = UINT64_C(2) << gen_log2(2 * bytes);
	if (!n || (memory & (memory - 1)) || memory < bytes || memory >> 52)
		return -ERANGE;
	l.pages = bytes >> VMMAP_SHIFT_4K;
	l.frame_bits = gen_log2(memory) - VMMAP_SHIFT_4K;
	err = lay(&l, layout, regions, n);
	if (!err)
		err = vmmap_snapshot_sort(&l.snap, &bad);
	if (err)
		vmmap_snapshot_destroy(&l.snap);
	else
		*snap = l.snap;
	return err;
}
