/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed regions: the frames of a stretch of virtual pages, bit-packed, one line of 64 bytes for some twenty pages. Private to
 * the lindex backend.
 *
 *     line of 512 bits:  | n codes of w bits | free | n accessed | n dirty |       n * (w + 2) <= 512, n <= 32
 *                                                     \___ top of word 7 ___/
 *
 *     slot of a page    page - first
 *     line of a slot    slot * recip >> 32        one multiplication: the model of the region
 *     code              0 nothing here; 1 unmapped (hides what lies below); else frame - f0 + 2
 *
 * So one line answers, and takes the accessed bit as well. A code may lie across two words, so that a change of it is two stores:
 *
 * P1  Codes never lie across lines: per = 512 / (w + 2), at most 32.
 * P2  A code across two words is changed between two steps of seq; a reader that saw seq change, or odd, reads again.
 * P3  Accessed and dirty bits are set and cleared by atomic operations, by anybody; codes are the mutator's, who changes those
 *     in word 7 by atomic operations, too.
 * P4  Accessed and dirty bits here belong to one space, the owner: the space that made the region. Others have
 *     theirs in their side array. Once moved is set, readers mark there, too.
 */
#ifndef VMMAP_PACKED_H
#define VMMAP_PACKED_H

#include <stdatomic.h>

#include "backend.h"

#define PACKED_LINE_BYTES 64u
#define PACKED_WORDS      8u
#define PACKED_LINE_BITS  512u
#define PACKED_PER_MAX    32u
#define PACKED_MAX_LINES  32768u /* 2 MiB: the largest contiguous allocation */
#define PACKED_SLOT_BITS  20u

#define PACKED_NOTHING  0u
#define PACKED_UNMAPPED 1u
#define PACKED_FRAME    2u /* the first code that is a frame */

struct packed {
	/* Read by everybody; all but seq and moved never change. */
	_Atomic uint64_t *lines;
	vmmap_vpn_t first;
	vmmap_pfn_t f0;
	_Atomic uint64_t seq;
	uint32_t slots, recip;
	uint8_t w, per;
	_Atomic bool moved;
	uint64_t owner; /* serial of the table whose accessed and dirty bits are here (P4) */
	/* The mutator's. */
	const void *home; /* the layer it belongs to */
	uint64_t addr;    /* of the first line, as hardware walks show it */
	uint32_t id, nlines;
	uint32_t covered; /* slots that the directory leads to */
	uint32_t live;    /* of these, slots with a frame */
	uint32_t layers;  /* that it belongs to: more than one after forks of forks */
	bool listed;      /* among the regions that may be empty */
	struct packed *next_empty;
};

_Static_assert(sizeof(struct packed) <= 128, "two lines; what readers need is in the first");

/* What a region can hold. */
struct packed_shape {
	vmmap_pfn_t f0;
	uint8_t w, per;
};

/** vmmap_packed_shape_for() - The shape for frames from @lo to @hi. */
struct packed_shape vmmap_packed_shape_for(vmmap_pfn_t lo, vmmap_pfn_t hi);

/** packed_max_slots() - Pages that the largest region of a shape holds. */
static inline uint32_t packed_max_slots(struct packed_shape shape)
{
	return PACKED_MAX_LINES * shape.per;
}

static inline uint32_t packed_lines_for(struct packed_shape shape, uint64_t slots)
{
	return (uint32_t)((slots + shape.per - 1) / shape.per);
}

/** vmmap_packed_new() - An empty region, or NULL. */
struct packed *vmmap_packed_new(struct vmmap_host *host, struct packed_shape shape,
				vmmap_vpn_t first, uint32_t slots);

void vmmap_packed_free(struct vmmap_host *host, struct packed *p);

/** packed_fits() - Whether the region has a code for @pfn. */
static inline bool packed_fits(const struct packed *p, vmmap_pfn_t pfn)
{
	return pfn - p->f0 < (UINT64_C(1) << p->w) - PACKED_FRAME; /* wraps below f0 */
}

struct packed_place {
	_Atomic uint64_t *line;
	uint32_t index; /* in the line */
};

static inline struct packed_place packed_place(const struct packed *p, uint32_t slot)
{
	uint32_t line = (uint32_t)((uint64_t)slot * p->recip >> 32);

	return (struct packed_place){ p->lines + (size_t)PACKED_WORDS * line,
				      slot - line * p->per };
}

/** packed_code() - The code at a place. Context: reader. */
static inline uint64_t packed_code(const struct packed *p, struct packed_place at)
{
	uint32_t bit = at.index * p->w, shift = bit & 63;
	uint64_t before, lo, hi;

	do {
		before = atomic_load_explicit(&p->seq, memory_order_acquire);
		lo = atomic_load_explicit(at.line + (bit >> 6), memory_order_acquire);
		/* Where all of the code is in one word, what this adds is masked off. */
		hi = atomic_load_explicit(at.line + ((bit + p->w - 1) >> 6), memory_order_acquire);
	} while (__builtin_expect(
		before & 1 || atomic_load_explicit(&p->seq, memory_order_relaxed) != before, 0));
	return (lo >> shift | hi << 1 << (63 - shift)) & ((UINT64_C(1) << p->w) - 1);
}

static inline vmmap_pfn_t packed_pfn(const struct packed *p, uint64_t code)
{
	return code - PACKED_FRAME + p->f0;
}

/** vmmap_packed_set() - Change one code. Context: mutator. */
void vmmap_packed_set(struct packed *p, uint32_t slot, uint64_t code);

/* The accessed and dirty bits of a place that @bits name, in word 7. */
static inline uint64_t packed_mask(const struct packed *p, struct packed_place at, uint32_t bits)
{
	uint64_t accessed = (uint64_t)(bits & 1) << (64 - 2 * p->per);
	uint64_t dirty = (uint64_t)(bits >> 1 & 1) << (64 - p->per);

	return (accessed | dirty) << at.index;
}

/** packed_mark() - Set bits. True if they are sure to be seen: else mark the side array, too. Context: reader. */
static inline bool packed_mark(struct packed *p, struct packed_place at, uint32_t bits)
{
	_Atomic uint64_t *word = at.line + (PACKED_WORDS - 1);
	uint64_t mask = packed_mask(p, at, bits);

	/* Looked at first: almost always they are set. */
	if (__builtin_expect((atomic_load_explicit(word, memory_order_relaxed) & mask) == mask, 1))
		return true;
	atomic_fetch_or(word, mask);
	return !atomic_load(&p->moved);
}

/** vmmap_packed_harvest() - Bits of a slot; clears @clear. Context: mutator. */
uint32_t vmmap_packed_harvest(struct packed *p, uint32_t slot, uint32_t clear);

#endif
