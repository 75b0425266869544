/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A space, and addresses against page numbers. Private to vmmap.
 */
#ifndef VMMAP_SPACE_H
#define VMMAP_SPACE_H

#include "host.h"

struct vmmap_space {
	/* Read by everybody, never changed. */
	const struct vmmap_backend *backend;
	void *table;
	struct vmmap_host *host;
	uint8_t va_bits, phys_bits;
	void (*invalidate)(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages);
	void *ctx;

	/* The mutator's. */
	uint64_t pages;
};

static inline uint64_t space_vpn_end(const struct vmmap_space *s)
{
	return UINT64_C(1) << (s->va_bits - VMMAP_PAGE_SHIFT);
}

/* First page number of the upper half. */
static inline uint64_t space_vpn_half(const struct vmmap_space *s)
{
	return space_vpn_end(s) / 2;
}

static inline bool space_canonical(const struct vmmap_space *s, vmmap_va_t va)
{
	unsigned int above = 64u - s->va_bits;

	return (uint64_t)((int64_t)(va << above) >> above) == va;
}

static inline vmmap_vpn_t space_vpn(const struct vmmap_space *s, vmmap_va_t va)
{
	return va >> VMMAP_PAGE_SHIFT & (space_vpn_end(s) - 1);
}

static inline vmmap_va_t space_va(const struct vmmap_space *s, vmmap_vpn_t vpn)
{
	unsigned int above = 64u - s->va_bits;

	return (vmmap_va_t)((int64_t)(vpn << VMMAP_PAGE_SHIFT << above) >> above);
}

/** vmmap_space_range() - The page numbers of a range. Return: 0, -EINVAL (not aligned, not canonical, wrapping, none). */
int vmmap_space_range(const struct vmmap_space *s, vmmap_va_t va, uint64_t pages, vmmap_vpn_t *vpn);

/** vmmap_space_scan() - Pieces of a range, as the backend's scan gives them: not joined. */
int vmmap_space_scan(const struct vmmap_space *s, vmmap_vpn_t vpn, uint64_t pages,
		     int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx);

/** piece_continues() - Whether @b, which begins where @a ends, belongs to the same extent. */
static inline bool piece_continues(const struct vmmap_piece *a, const struct vmmap_piece *b)
{
	return a->vpn + a->pages == b->vpn && a->pfn + a->pages == b->pfn && a->prot == b->prot &&
	       a->shift == b->shift;
}

#endif
