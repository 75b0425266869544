/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * guest - the memory of an x86-64 machine, and a walk of the page tables in it: what a real MMU would see.
 *
 * Memory comes raw (QEMU's pmemsave from address 0), or as the pages of page tables alone:
 *
 *     offset 0   8 bytes  "vmptmem1"
 *            8   u64      CR3
 *           16   u64      levels, 4 or 5
 *           24   u64      pages
 *           32   pages:   u64 physical address, then 4096 bytes
 *
 * little-endian, and either may be packed with zstd or gzip.
 */
#ifndef VMMAP_GUEST_H
#define VMMAP_GUEST_H

#include "trace.h"
#include "vmmap.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vmmap_guest;

/**
 * vmmap_guest_open() - Load memory from @path.
 * Return: 0, or an error of trace.h's list.
 */
int vmmap_guest_open(const char *path, struct vmmap_guest **guest, struct vmmap_refusal *why);

/** vmmap_guest_open_file() - The same from a stream, which is closed. Never maps it: for tests and pipes. */
int vmmap_guest_open_file(FILE *file, const char *name, struct vmmap_guest **guest,
			  struct vmmap_refusal *why);

/** vmmap_guest_create() - No memory yet; vmmap_guest_add() gives it pages. Return: 0, -ENOMEM. */
int vmmap_guest_create(const char *name, struct vmmap_guest **guest);

/** vmmap_guest_add() - A page of memory, copied. Return: 0, -ENOMEM, -EINVAL (unaligned, or there already). */
int vmmap_guest_add(struct vmmap_guest *guest, uint64_t pa, const void *page);

void vmmap_guest_free(struct vmmap_guest *guest);

/** vmmap_guest_root() - CR3 and levels, if the file says so; else both 0. */
void vmmap_guest_root(const struct vmmap_guest *guest, uint64_t *cr3, unsigned int *levels);

/**
 * struct vmmap_guest_leaf - A page that is mapped.
 * @pte:   Canonical address, physical address, flags of the entry that maps it.
 * @shift: 12, 21 or 30.
 * @prot:  VMMAP_PROT_* that all levels together allow.
 */
struct vmmap_guest_leaf {
	struct vmmap_pte pte;
	uint8_t shift, prot;
};

/**
 * vmmap_guest_walk() - Every leaf, in the order of page numbers (the lower half first).
 * @levels: 4 or 5.
 * @visit:  0 to go on; else the walk ends and returns it.
 *
 * Tables may be shared; a table that is its own ancestor, or outside memory, is refused with the address of
 * the entry that names it.
 *
 * Cost: Bounded: at most VMMAP_GUEST_TABLES tables are visited, then -EUCLEAN.
 * Return: 0, @visit's value, -EUCLEAN with @why.
 */
#define VMMAP_GUEST_TABLES (UINT64_C(1) << 20)
int vmmap_guest_walk(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
		     int (*visit)(void *ctx, const struct vmmap_guest_leaf *leaf), void *ctx,
		     struct vmmap_refusal *why);

/** vmmap_guest_save_tables() - Write the pages that such a walk visits, in the form above. Return: as the walk, -EIO. */
int vmmap_guest_save_tables(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
			    FILE *out, struct vmmap_refusal *why);

/* ---- The comparison: QEMU's text = the walk = every backend ----------------------------------- */

/**
 * struct vmmap_guest_verdict - What was compared.
 * @entries, @entries_2m, @entries_1g: Leaves. @levels: As found.
 * @backends: Names, NULL-terminated; @translations, @holes: compared on each.
 * @skipped:  A backend that has not the address bits, or NULL.
 */
struct vmmap_guest_verdict {
	uint64_t entries, entries_2m, entries_1g, translations, holes;
	unsigned int levels;
	const char *backends[8], *skipped;
};

/**
 * vmmap_guest_check() - Walk @guest and compare each leaf with its line of @text, then map the leaves on every backend, and
 * compare each translation (first and last byte: address, size, rights) and each unmapped neighbour of a
 * page; radix tables are dumped and walked again.
 * @levels: 4, 5, or 0: what the addresses of @text suggest.
 * @text_name: For refusals.
 *
 * Return: 0; -EUCLEAN: a difference, or tables that cannot be walked; -ENOMEM. @why says the first.
 */
int vmmap_guest_check(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
		      const struct vmmap_pte_list *text, const char *text_name,
		      struct vmmap_guest_verdict *verdict, struct vmmap_refusal *why);

#ifdef __cplusplus
}
#endif

#endif /* VMMAP_GUEST_H */
