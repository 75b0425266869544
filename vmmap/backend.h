/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table that every mapping structure implements, and what a space gives to it. Private to vmmap.
 *
 * A backend maps virtual page numbers: addresses without their 12 lowest bits and without the copies of the sign above
 * va_bits, so that the lower half is 0 .. 2^(va_bits-13)-1 and the upper half follows. It knows frames, sizes and permission
 * bits, accessed and dirty bits, nothing of faults, frame counts, callbacks: those are the space's (space.c), which has checked every argument.
 *
 * B1  Callers give whole pages: ranges begin and end at borders of what is mapped there.
 * B2  A call that fails (-ENOMEM) has changed nothing that a lookup can see.
 * B3  lookup, scan and translate run beside one mutator. What they may still see is freed through vmmap_host_retire().
 * B4  A lookup sees each page's old state or its new one, never a mixture.
 */
#ifndef VMMAP_BACKEND_H
#define VMMAP_BACKEND_H

#include "vmmap.h"

typedef uint64_t vmmap_vpn_t; /* virtual page number, see above */

/**
 * struct vmmap_piece - Pages with consecutive frames, one size, one prot; or a hole (prot 0).
 */
struct vmmap_piece {
	vmmap_vpn_t vpn;
	uint64_t pages;
	vmmap_pfn_t pfn;
	uint8_t prot, shift;
};

/**
 * struct vmmap_env - What a backend is made with.
 */
struct vmmap_env {
	struct vmmap_host *host;
	uint8_t va_bits, phys_bits;
};

/**
 * struct vmmap_footprint - See struct vmmap_stats.
 */
struct vmmap_footprint {
	uint64_t index_bytes, frame_bytes, ad_bytes, ad_bytes_max, shared_bytes, largest_bytes;
};

/**
 * struct vmmap_want - What an access asks of a page: the page serves it if (prot & (need | deny)) == need, and is then marked.
 */
struct vmmap_want {
	uint8_t need, deny; /* VMMAP_PROT_* */
	uint8_t mark;       /* VMMAP_ACCESSED, VMMAP_DIRTY, or-ed */
	uint8_t zero;       /* so that it travels as one word */
};

/* What a translation is: frame of the page of 4 KiB, shift, prot; 0: hole. */
#define VMMAP_WORD(pfn, prot, shift) ((uint64_t)(pfn) << 16 | (uint64_t)(shift) << 8 | (prot))
#define VMMAP_WORD_PROT(w)           ((uint8_t)(w))
#define VMMAP_WORD_SHIFT(w)          ((uint8_t)((w) >> 8))
#define VMMAP_WORD_PFN(w)            ((w) >> 16)

static inline bool vmmap_want_served(struct vmmap_want want, uint64_t word)
{
	return (word & (want.need | want.deny)) == want.need;
}

/**
 * struct vmmap_backend - One mapping structure.
 * @name:     As in vmmap_space_config.
 * @va_bits_default, @va_bits_max: What va_bits of 0 means; what it may be.
 * @create:   Makes an empty one.
 * @free:     No readers left.
 * @map:      All of @piece is a hole before.
 * @map_frames: The same for a vector of frames, pages of 4 KiB.
 * @load:     Bulk load into an empty one. Pieces ascend; neighbours may continue each other.
 * @unmap:    Clears a range, holes included, accessed and dirty bits too.
 * @protect:  New prot for all pages of a range, COW bits kept as they are.
 * @replace:  One page, at its first page number: another frame and prot, its size and its accessed and dirty bits stay.
 * @fork:     Makes a copy, and marks the pages that are not SHARED as COW in both. The copy's accessed and dirty bits are clear.
 * @lookup:   The piece around @vpn, as far as the backend knows without looking further; at least the page (of its size). A
 *            hole likewise. Return 0 or -ENOENT.
 * @scan:     Visits the pieces (no holes) of a range, ascending, clipped to it; ends when @visit returns other than 0, and
 *            returns that. NULL: the space calls @lookup again and again.
 * @translate: The hot path: the word of the page, marked if it serves the access.
 * @translate_batch: The same for many. NULL: the space loops over @translate.
 * @harvest:  Bits of the page that begins at @vpn; clears @clear.
 * @footprint: Bytes.
 * @walk:     See vmmap_hardware_walk().
 * @memory:   See vmmap_memory(). May be NULL.
 * @cost:     Counts of the last change.
 * @check:    Validates the structure.
 * @dump:     Text.
 */
struct vmmap_backend {
	const char *name;
	uint8_t va_bits_default, va_bits_max;
	int (*create)(const struct vmmap_env *env, void **table);
	void (*free)(void *table);
	int (*map)(void *table, const struct vmmap_piece *piece);
	int (*map_frames)(void *table, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			  uint8_t prot);
	int (*load)(void *table, const struct vmmap_piece *pieces, size_t n);
	int (*unmap)(void *table, vmmap_vpn_t vpn, uint64_t pages);
	int (*protect)(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot);
	int (*replace)(void *table, vmmap_vpn_t vpn, vmmap_pfn_t pfn, uint8_t prot);
	int (*fork)(void *table, void **child);
	int (*lookup)(const void *table, vmmap_vpn_t vpn, struct vmmap_piece *piece);
	int (*scan)(const void *table, vmmap_vpn_t vpn, uint64_t pages,
		    int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx);
	uint64_t (*translate)(void *table, vmmap_vpn_t vpn, struct vmmap_want want);
	void (*translate_batch)(void *table, const vmmap_vpn_t *vpns, size_t n,
				struct vmmap_want want, uint64_t *words);
	uint32_t (*harvest)(void *table, vmmap_vpn_t vpn, uint32_t clear);
	void (*footprint)(const void *table, struct vmmap_footprint *bytes);
	int (*walk)(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps);
	int (*memory)(const void *table,
		      int (*page)(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries), void *ctx,
		      vmmap_pa_t *cr3);
	void (*cost)(const void *table, struct vmmap_cost *cost);
	int (*check)(void *table, struct lindex_reason *why);
	int (*dump)(const void *table, const struct lindex_sink *sink);
};

extern const struct vmmap_backend vmmap_backend_lindex, vmmap_backend_radix4, vmmap_backend_radix5,
	vmmap_backend_btree, vmmap_backend_ecpt;

/* ---- Memory: host.c ------------------------------------------------------------------------ */

/** vmmap_host_alloc() - Zeroed, aligned to @align, under the cap; or NULL. Context: any. */
void *vmmap_host_alloc(struct vmmap_host *host, size_t bytes, size_t align);

/** vmmap_host_free_now() - Nobody reads it any more. Context: any. */
void vmmap_host_free_now(struct vmmap_host *host, void *ptr, size_t bytes);

/** vmmap_host_retire() - Free @ptr when readers that may see it are gone. Never fails. Context: mutator. */
void vmmap_host_retire(struct vmmap_host *host, void *ptr, size_t bytes);

/** vmmap_host_defer() - The same, with @fn(@owner, @ptr, @bytes) in place of the allocator. */
void vmmap_host_defer(struct vmmap_host *host, void (*fn)(void *owner, void *ptr, size_t bytes),
		      void *owner, void *ptr, size_t bytes);

/** vmmap_host_drain() - Wait for readers, free all that was retired. Before an owner goes. Context: mutator. */
void vmmap_host_drain(struct vmmap_host *host);

/** vmmap_host_serial() - A number that no other call gave: addresses are given out again, numbers are not. Context: mutator. */
uint64_t vmmap_host_serial(struct vmmap_host *host);

/** vmmap_host_pool() - The lindex pool, made when first asked for; or NULL. Context: mutator. */
struct lindex_pool *vmmap_host_pool(struct vmmap_host *host);

#endif /* VMMAP_BACKEND_H */
