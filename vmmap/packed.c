/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed regions: see packed.h.
 */
#include "packed.h"

struct packed_shape vmmap_packed_shape_for(vmmap_pfn_t lo, vmmap_pfn_t hi)
{
	uint64_t codes = hi - lo + 1 + PACKED_FRAME;
	unsigned int w = 64u - (unsigned int)__builtin_clzll(codes - 1), per;

	per = PACKED_LINE_BITS / (w + 2);
	per = per < PACKED_PER_MAX ? per : PACKED_PER_MAX;
	return (struct packed_shape){ .f0 = lo,
				      .per = (uint8_t)per,
				      /* As wide as costs nothing: more frames will fit. */
				      .w = (uint8_t)(PACKED_LINE_BITS / per - 2) };
}

struct packed *vmmap_packed_new(struct vmmap_host *host, struct packed_shape shape,
				vmmap_vpn_t first, uint32_t slots)
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

void vmmap_packed_free(struct vmmap_host *host, struct packed *p)
{
	vmmap_host_free_now(host, (void *)p->lines, (size_t)p->nlines * PACKED_LINE_BYTES);
	vmmap_host_free_now(host, p, sizeof(*p));
}

/* Bits @mask of a word become @bits. The mutator alone changes them; others of word 7 are anybody's (P3). */
static void set_bits(struct packed_place at, uint32_t word, uint64_t mask, uint64_t bits)
{
	uint64_t v = atomic_load_explicit(at.line + word, memory_order_relaxed);

	if (word == PACKED_WORDS - 1)
		atomic_fetch_xor_explicit(at.line + word, (v & mask) ^ bits, memory_order_release);
	else
		atomic_store_explicit(at.line + word, (v & ~mask) | bits, memory_order_release);
}

void vmmap_packed_set(struct packed *p, uint32_t slot, uint64_t code)
{
	struct packed_place at = packed_place(p, slot);
	uint32_t bit = at.index * p->w, shift = bit & 63, word = bit >> 6;
	uint64_t mask = (UINT64_C(1) << p->w) - 1;
	uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);

	if (shift + p->w <= 64) {
		set_bits(at, word, mask << shift, code << shift);
		return;
	}
	/* P2. Release: who sees a new word sees the odd seq, too. */
	atomic_store_explicit(&p->seq, seq + 1, memory_order_relaxed);
	set_bits(at, word, mask << shift, code << shift);
	set_bits(at, word + 1, mask >> (64 - shift), code >> (64 - shift));
	atomic_store_explicit(&p->seq, seq + 2, memory_order_release);
}

uint32_t vmmap_packed_harvest(struct packed *p, uint32_t slot, uint32_t clear)
{
	struct packed_place at = packed_place(p, slot);
	_Atomic uint64_t *word = at.line + (PACKED_WORDS - 1);
	uint64_t mask = packed_mask(p, at, clear), v = atomic_load(word);

	if (v & mask)
		v = atomic_fetch_and(word, ~mask);
	return (v & packed_mask(p, at, VMMAP_ACCESSED) ? VMMAP_ACCESSED : 0) |
	       (v & packed_mask(p, at, VMMAP_DIRTY) ? VMMAP_DIRTY : 0);
}
