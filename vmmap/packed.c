/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed regions: see packed.h.
 */
#include "packed.h"

struct packed_shape packed_shape_for(vmmap_pfn_t lo, vmmap_pfn_t hi)
{
	uint64_t codes = hi - lo + 1 + PACKED_FRAME;
	unsigned int w = 64u - (unsigned int)__builtin_clzll(codes - 1), per;

	w = w < PACKED_W_MIN ? PACKED_W_MIN : w;
	per = PACKED_CODE_BITS / w;
	return (struct packed_shape){ .f0 = lo,
				      .per = (uint8_t)per,
				      /* As wide as costs nothing: more frames will fit. */
				      .w = (uint8_t)(PACKED_CODE_BITS / per) };
}

struct packed *packed_new(struct vmmap_host *host, struct packed_shape shape, vmmap_vpn_t first,
			  uint32_t slots)
{
	struct packed *p = vmmap_host_alloc(host, sizeof(*p), 64);
	uint32_t nlines = packed_lines_for(shape, slots);

	if (!p)
		return NULL;
	p->lines = vmmap_host_alloc(host, (size_t)nlines * PACKED_LINE_BYTES, 64);
	if (!p->lines) {
		vmmap_host_free_now(host, p, sizeof(*p));
		return NULL;
	}
	p->first = first;
	p->f0 = shape.f0;
	p->slots = slots;
	p->w = shape.w;
	p->per = shape.per;
	/* Exact for slots below 2^20 and per below 2^12: the error, slot * per / 2^32, is below 1 / per. */
	p->recip = (uint32_t)((UINT64_C(1) << 32) / shape.per + 1);
	p->nlines = nlines;
	return p;
}

void packed_free(struct vmmap_host *host, struct packed *p)
{
	vmmap_host_free_now(host, (void *)p->lines, (size_t)p->nlines * PACKED_LINE_BYTES);
	vmmap_host_free_now(host, p, sizeof(*p));
}

void packed_set(struct packed *p, uint32_t slot, uint64_t code)
{
	struct packed_place at = packed_place(p, slot);
	uint32_t bit = at.index * p->w, shift = bit & 63;
	_Atomic uint64_t *word = at.line + (bit >> 6);
	uint64_t mask = (UINT64_C(1) << p->w) - 1, v;
	bool across = shift + p->w > 64;
	uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);

	/* P2. Release stores: who sees the new word sees the odd seq, too. */
	if (across)
		atomic_store_explicit(&p->seq, seq + 1, memory_order_relaxed);
	v = atomic_load_explicit(word, memory_order_relaxed);
	atomic_store_explicit(word, (v & ~(mask << shift)) | code << shift, memory_order_release);
	if (!across)
		return;
	v = atomic_load_explicit(word + 1, memory_order_relaxed);
	atomic_store_explicit(word + 1, (v & ~(mask >> (64 - shift))) | code >> (64 - shift),
			      memory_order_release);
	atomic_store_explicit(&p->seq, seq + 2, memory_order_release);
}

uint32_t packed_harvest(struct packed *p, uint32_t slot, uint32_t clear)
{
	struct packed_place at = packed_place(p, slot);
	_Atomic uint64_t *word = at.line + (PACKED_WORDS - 1);
	uint64_t mask = (uint64_t)(clear & 1) << at.index | (uint64_t)(clear >> 1 & 1)
								    << (PACKED_DIRTY_AT + at.index);
	uint64_t v = atomic_load(word);

	if (v & mask)
		v = atomic_fetch_and(word, ~mask);
	return (v >> at.index & 1 ? VMMAP_ACCESSED : 0) |
	       (v >> (PACKED_DIRTY_AT + at.index) & 1 ? VMMAP_DIRTY : 0);
}
