/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The twin of a space: a flat map, one struct per page, over a few windows of the address space. As plain as can be, and the judge
 * of every backend.
 */
#ifndef VMMAP_MMU_TWIN_H
#define VMMAP_MMU_TWIN_H

#include <stdbool.h>

#include "vmmap.h"

#define WINDOWS      8u
#define WINDOW_PAGES 2048u
#define TWIN_PAGES   (WINDOWS * WINDOW_PAGES)

struct twin_page {
	uint64_t pfn;
	uint8_t prot, shift; /* prot 0: hole */
	uint8_t ad;
};

struct mmu_twin {
	unsigned int va_bits;
	struct twin_page page[TWIN_PAGES];
};

void mmu_twin_init(struct mmu_twin *t, unsigned int va_bits);

/** mmu_va() - Address of page @i of the twin. Windows do not touch. */
vmmap_va_t mmu_va(const struct mmu_twin *t, unsigned int i);

/** mmu_first() - First page of the page (of its size) that @i is in. */
unsigned int mmu_first(const struct mmu_twin *t, unsigned int i);

bool mmu_hole(const struct mmu_twin *t, unsigned int i, unsigned int pages);

/** mmu_cuts() - Whether the range cuts a huge page. */
bool mmu_cuts(const struct mmu_twin *t, unsigned int i, unsigned int pages);

void mmu_map(struct mmu_twin *t, unsigned int i, unsigned int pages, uint64_t pfn, uint8_t prot,
	     uint8_t shift);
void mmu_unmap(struct mmu_twin *t, unsigned int i, unsigned int pages);
void mmu_protect(struct mmu_twin *t, unsigned int i, unsigned int pages, uint8_t prot);
void mmu_fork(struct mmu_twin *parent, struct mmu_twin *child);

/** mmu_access() - What vmmap_translate() should return and answer; marks the page. */
int mmu_access(struct mmu_twin *t, unsigned int i, uint32_t access, struct vmmap_answer *a);

/** mmu_extent() - The maximal extent around page @i, which is mapped. */
struct vmmap_extent mmu_extent(const struct mmu_twin *t, unsigned int i);

/** mmu_same() - Every page, every extent, nothing else: aborts with what differs. */
void mmu_same(const struct mmu_twin *t, struct vmmap_space *space);

#endif
