/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed regions: the frames of a stretch of virtual pages in lines of 64 bytes, each line for as many pages as the next. Private to
 * the lindex backend.
 *
 *     line of a page    (page - first >> unit) * recip >> 40     one multiplication: the model of the region
 *     code of a page    0 nothing here; 1 unmapped (hides what lies below); else frame - f0 + 2
 *
 * Two kinds. *Frame lines* have a code for each page (or huge page: unit), where frames are scattered:
 *
 *     512 bits:  | n codes of w bits | free | n accessed | n dirty |       n * (w + 2) <= 512, n <= 32
 *                                           \___ top of word 7 ___/
 *
 * so that one line answers, and takes the accessed bit as well. *Run lines* (runline.h) have a code for each run of frames, where there are
 * some; a line answers for hundreds of pages, and accessed and dirty bits are beside them, in pieces made by the first mark:
 *
 *     ad[2 i]      accessed bits of the pages from 32,768 i on
 *     ad[2 i + 1]  their dirty bits
 *
 * P1  Codes never lie across lines.
 * P2  A change of more than one word is made between two steps of seq; a reader that saw seq change, or odd, reads again.
 * P3  Accessed and dirty bits are set and cleared by atomic operations, by anybody; codes are the mutator's, who changes those
 *     in word 7 of a frame line by atomic operations, too.
 * P4  Accessed and dirty bits here belong to one space, the owner: the space that made the region. Others have
 *     theirs in their side array. Once moved is set, readers mark there, too.
 * P5  Pages of a unit are changed together: all of them have the code of the first, and how far they are from it.
 */
#ifndef VMMAP_PACKED_H
#define VMMAP_PACKED_H

#include "runline.h"

#define PACKED_LINE_BYTES 64u
#define PACKED_WORDS      8u
#define PACKED_LINE_BITS  512u
#define PACKED_PER_MAX    32u
#define PACKED_MAX_LINES  32768u /* 2 MiB: the largest contiguous allocation */
#define PACKED_PAGE_BITS  24u
#define PACKED_MAX_PAGES  (1u << PACKED_PAGE_BITS)
#define PACKED_AD_PAGES   32768u /* of one piece of accessed or dirty bits: 4 KiB */

#define PACKED_NOTHING  0u
#define PACKED_UNMAPPED 1u
#define PACKED_FRAME    2u /* the first code that is a frame */

struct packed {
	/* Read by everybody; all but seq, moved and what ad leads to never change. */
	_Atomic uint64_t *lines;
	vmmap_vpn_t first;
	vmmap_pfn_t f0;
	_Atomic uint64_t seq;
	uint64_t recip;
	_Atomic(_Atomic uint64_t *) *ad; /* run lines only */
	uint32_t pages;
	uint16_t per; /* units (frame lines) or pages (run lines) of a line */
	uint8_t w, unit;
	bool runs, wide; /* run lines; wide ones */
	_Atomic bool moved;
	/* The mutator's. */
	uint64_t owner;   /* serial of the table whose accessed and dirty bits are here (P4) */
	const void *home; /* the layer it belongs to */
	uint64_t addr;    /* of the first line, as hardware walks show it */
	uint32_t id, nlines;
	uint32_t covered;     /* pages that the directory leads to */
	uint32_t live;        /* of these, pages with a frame */
	uint32_t layers;      /* that it belongs to: more than one after forks of forks */
	uint32_t parts_bytes; /* of divided run lines */
	bool listed;          /* among the regions that may be empty */
	struct packed *next_empty;
};

_Static_assert(sizeof(struct packed) <= 128, "two lines; what readers need is in the first");

/* What a region can hold. */
struct packed_shape {
	vmmap_pfn_t f0;
	uint16_t per;
	uint8_t w, unit;
	bool runs;
};

/** vmmap_packed_frames_for() - Frame lines for frames from @lo to @hi, in units of 2^@unit pages. */
struct packed_shape vmmap_packed_frames_for(vmmap_pfn_t lo, vmmap_pfn_t hi, unsigned int unit);

/** vmmap_packed_runs_for() - Run lines of @per pages for frames from @lo to @hi. */
struct packed_shape vmmap_packed_runs_for(vmmap_pfn_t lo, vmmap_pfn_t hi, unsigned int per);

/** packed_max_pages() - That the largest region of a shape holds. */
static inline uint32_t packed_max_pages(struct packed_shape shape)
{
	uint64_t pages = (uint64_t)PACKED_MAX_LINES * shape.per << shape.unit;

	return pages < PACKED_MAX_PAGES ? (uint32_t)pages : PACKED_MAX_PAGES;
}

static inline uint32_t packed_lines_for(struct packed_shape shape, uint64_t pages)
{
	uint64_t line = (uint64_t)shape.per << shape.unit;

	return (uint32_t)((pages + line - 1) / line);
}

/** vmmap_packed_new() - An empty region, or NULL. */
struct packed *vmmap_packed_new(struct vmmap_host *host, struct packed_shape shape,
				vmmap_vpn_t first, uint32_t pages);

void vmmap_packed_free(struct vmmap_host *host, struct packed *p);

static inline struct runline_shape packed_runs(const struct packed *p)
{
	return runline_shape(p->w, p->per);
}

static inline _Atomic uint64_t *packed_line(const struct packed *p, uint32_t line)
{
	return p->lines + (size_t)line * PACKED_WORDS;
}

/** packed_line_pages() - Pages of a run line: of the last one, those that there are. */
static inline uint32_t packed_line_pages(const struct packed *p, uint32_t line)
{
	return line + 1 < p->nlines ? p->per : p->pages - line * p->per;
}

/** packed_fits() - Whether the region has a code for @pfn. */
static inline bool packed_fits(const struct packed *p, vmmap_pfn_t pfn)
{
	return (pfn - p->f0) >> p->unit < (UINT64_C(1) << p->w) - PACKED_FRAME; /* wraps below f0 */
}

static inline uint64_t packed_code_of(const struct packed *p, vmmap_pfn_t pfn)
{
	return pfn - p->f0 + PACKED_FRAME;
}

static inline vmmap_pfn_t packed_pfn(const struct packed *p, uint64_t code)
{
	return code - PACKED_FRAME + p->f0;
}

/** struct packed_place - Of a page: its line, which of the line's units or pages it is, which page of the region. */
struct packed_place {
	_Atomic uint64_t *line;
	uint32_t index, page;
};

static inline struct packed_place packed_place(const struct packed *p, vmmap_vpn_t vpn)
{
	uint32_t page = (uint32_t)(vpn - p->first), slot = page >> p->unit;
	uint32_t line = (uint32_t)((uint64_t)slot * p->recip >> 40);

	return (struct packed_place){ p->lines + (size_t)PACKED_WORDS * line, slot - line * p->per,
				      page };
}

static inline uint64_t packed_frame_code(const struct packed *p, struct packed_place at)
{
	uint32_t bit = at.index * p->w, shift = bit & 63;
	uint64_t lo, hi, code;

	lo = atomic_load_explicit(at.line + (bit >> 6), memory_order_acquire);
	/* Where all of the code is in one word, what this adds is masked off. */
	hi = atomic_load_explicit(at.line + ((bit + p->w - 1) >> 6), memory_order_acquire);
	code = (lo >> shift | hi << 1 << (63 - shift)) & ((UINT64_C(1) << p->w) - 1);
	if (code < PACKED_FRAME)
		return code;
	return ((code - PACKED_FRAME) << p->unit) + PACKED_FRAME +
	       (at.page & ((1u << p->unit) - 1));
}

/** packed_near() - The code at a place, if that can be told fast and no change came between. Context: reader. */
static inline bool packed_near(const struct packed *p, struct packed_place at, uint64_t *code)
{
	uint64_t before = atomic_load_explicit(&p->seq, memory_order_acquire), w0;

	if (!p->runs) {
		*code = packed_frame_code(p, at);
	} else {
		w0 = runline_word(at.line, 0);
		if (__builtin_expect(p->wide || runline_divided(w0), 0))
			return false;
		*code = runline_get_near(at.line, w0, p->w, at.index);
	}
	return !(before & 1) && atomic_load_explicit(&p->seq, memory_order_relaxed) == before;
}

/** vmmap_packed_code() - The code at a place. Context: reader. */
uint64_t vmmap_packed_code(const struct packed *p, struct packed_place at);

static inline uint64_t packed_get(const struct packed *p, vmmap_vpn_t vpn)
{
	return vmmap_packed_code(p, packed_place(p, vpn));
}

/**
 * vmmap_packed_piece() - The pages around @vpn that are known to go on alike, at least its unit: first page and length; the code of the first.
 * Context: reader.
 */
uint64_t vmmap_packed_piece(const struct packed *p, vmmap_vpn_t vpn, vmmap_vpn_t *first,
			    uint64_t *pages);

/** vmmap_packed_live() - Pages from @from to @last that have a frame. Context: mutator. */
uint32_t vmmap_packed_live(const struct packed *p, vmmap_vpn_t from, vmmap_vpn_t last);

/**
 * vmmap_packed_set() - Change the codes of whole units: @code, and if it is a frame, the next for each next page.
 * Context: mutator. Return: 0; -ENOMEM, with nothing changed: run lines may need memory.
 */
int vmmap_packed_set(struct vmmap_host *host, struct packed *p, vmmap_vpn_t vpn, uint64_t pages,
		     uint64_t code);

/* ---- Accessed and dirty bits ------------------------------------------------------------------- */

/** packed_ad_words() - Words of one piece. */
static inline uint32_t packed_ad_words(const struct packed *p)
{
	return p->pages < PACKED_AD_PAGES ? (p->pages + 63) / 64 : PACKED_AD_PAGES / 64;
}

/** packed_ad_pieces() - Pieces of both kinds. */
static inline uint32_t packed_ad_pieces(const struct packed *p)
{
	return 2 * ((p->pages + PACKED_AD_PAGES - 1) / PACKED_AD_PAGES);
}

/* The accessed and dirty bits of a place that @bits name, in word 7. */
static inline uint64_t packed_mask(const struct packed *p, struct packed_place at, uint32_t bits)
{
	uint64_t accessed = (uint64_t)(bits & 1) << (64 - 2 * p->per);
	uint64_t dirty = (uint64_t)(bits >> 1 & 1) << (64 - p->per);

	return (accessed | dirty) << at.index;
}

/** vmmap_packed_mark_new() - packed_mark(), where something is to be set. */
bool vmmap_packed_mark_new(struct vmmap_host *host, struct packed *p, struct packed_place at,
			   uint32_t bits);

/** packed_prefetch() - Asks for what a translation will read. */
static inline void packed_prefetch(const struct packed *p, struct packed_place at)
{
	const _Atomic uint64_t *piece;

	__builtin_prefetch((const void *)at.line);
	if (!p->runs)
		return;
	piece = atomic_load_explicit(&p->ad[at.page / PACKED_AD_PAGES * 2], memory_order_acquire);
	if (piece)
		__builtin_prefetch((const void *)&piece[at.page % PACKED_AD_PAGES / 64]);
}

/** packed_marked() - Whether all of @bits are set, and no more has to be done: almost always. False may be wrong. */
static inline bool packed_marked(const struct packed *p, struct packed_place at, uint32_t bits)
{
	const _Atomic uint64_t *piece;
	uint64_t mask;

	if (!p->runs) {
		mask = packed_mask(p, at, bits);
		return (atomic_load_explicit(at.line + (PACKED_WORDS - 1), memory_order_relaxed) &
			mask) == mask;
	}
	piece = atomic_load_explicit(&p->ad[at.page / PACKED_AD_PAGES * 2], memory_order_acquire);
	return bits == VMMAP_ACCESSED && piece &&
	       atomic_load_explicit(&piece[at.page % PACKED_AD_PAGES / 64], memory_order_relaxed) >>
			       at.page % 64 &
		       1;
}

/** packed_mark() - Set bits. True if they are sure to be seen: else mark the side array, too. Context: reader. */
static inline bool packed_mark(struct vmmap_host *host, struct packed *p, struct packed_place at,
			       uint32_t bits)
{
	return packed_marked(p, at, bits) || vmmap_packed_mark_new(host, p, at, bits);
}

/** vmmap_packed_harvest() - Bits of a page (of its unit); clears @clear. Context: mutator. */
uint32_t vmmap_packed_harvest(struct packed *p, vmmap_vpn_t vpn, uint32_t clear);

/** vmmap_packed_ad_bytes() - Held by pieces now; if every page were marked. */
uint64_t vmmap_packed_ad_bytes(const struct packed *p);
uint64_t vmmap_packed_ad_bytes_max(const struct packed *p);

#endif
