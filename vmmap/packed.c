/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Packed regions: see packed.h.
 */
#include "packed.h"

static unsigned int bits_for(uint64_t codes)
{
	return 64u - (unsigned int)__builtin_clzll(codes - 1);
}

struct packed_shape vmmap_packed_frames_for(vmmap_pfn_t lo, vmmap_pfn_t hi, unsigned int unit)
{
	unsigned int w = bits_for(((hi - lo) >> unit) + 1 + PACKED_FRAME), per;

	per = PACKED_LINE_BITS / (w + 2);
	per = per < PACKED_PER_MAX ? per : PACKED_PER_MAX;
	return (struct packed_shape){ .f0 = lo,
				      .per = (uint16_t)per,
				      /* As wide as costs nothing: more frames will fit. */
				      .w = (uint8_t)(PACKED_LINE_BITS / per - 2),
				      .unit = (uint8_t)unit };
}

struct packed_shape vmmap_packed_runs_for(vmmap_pfn_t lo, vmmap_pfn_t hi, unsigned int per)
{
	return (struct packed_shape){ .f0 = lo,
				      .per = (uint16_t)per,
				      .w = (uint8_t)bits_for(hi - lo + 1 + PACKED_FRAME),
				      .runs = true };
}

/* ---- Life cycle -------------------------------------------------------------------------------- */

static size_t ad_room(const struct packed *p)
{
	return packed_ad_pieces(p) * sizeof(*p->ad);
}

static size_t ad_piece_bytes(const struct packed *p)
{
	return packed_ad_words(p) * sizeof(uint64_t);
}

static struct packed *runs_new(struct vmmap_host *host, struct packed *p)
{
	struct runline_shape shape = packed_runs(p);

	p->runs = true;
	p->wide = shape.wide;
	p->ad = vmmap_host_alloc(host, ad_room(p), 64);
	if (!p->ad) {
		vmmap_packed_free(host, p);
		return NULL;
	}
	for (uint32_t i = 0; i < p->nlines; i++)
		vmmap_runline_init(packed_line(p, i), shape);
	return p;
}

struct packed *vmmap_packed_new(struct vmmap_host *host, struct packed_shape shape,
				vmmap_vpn_t first, uint32_t pages)
{
	struct packed *p = vmmap_host_alloc(host, sizeof(*p), 64);
	uint32_t nlines = packed_lines_for(shape, pages);

	if (!p)
		return NULL;
	p->lines = vmmap_host_alloc(host, (size_t)nlines * PACKED_LINE_BYTES, 64);
	if (!p->lines) {
		vmmap_host_free_now(host, p, sizeof(*p));
		return NULL;
	}
	p->first = first;
	p->f0 = shape.f0;
	p->pages = pages;
	p->w = shape.w;
	p->per = shape.per;
	p->unit = shape.unit;
	/* Exact for slots below 2^24 and per below 2^12: the error, slot * per / 2^40, is below 1 / per. */
	p->recip = (UINT64_C(1) << 40) / shape.per + 1;
	p->nlines = nlines;
	return shape.runs ? runs_new(host, p) : p;
}

static void runs_free(struct vmmap_host *host, struct packed *p)
{
	for (uint32_t i = 0; i < packed_ad_pieces(p); i++)
		vmmap_host_free_now(host, (void *)atomic_load(&p->ad[i]), ad_piece_bytes(p));
	for (uint32_t i = 0; i < p->nlines; i++) {
		size_t bytes = vmmap_runline_parts_bytes(packed_line(p, i),
							 packed_line_pages(p, i));

		if (bytes)
			vmmap_host_free_now(
				host, (void *)runline_parts(runline_word(packed_line(p, i), 0)),
				bytes);
	}
	vmmap_host_free_now(host, p->ad, ad_room(p));
}

void vmmap_packed_free(struct vmmap_host *host, struct packed *p)
{
	if (p->ad)
		runs_free(host, p);
	vmmap_host_free_now(host, (void *)p->lines, (size_t)p->nlines * PACKED_LINE_BYTES);
	vmmap_host_free_now(host, p, sizeof(*p));
}

/* ---- Reading ------------------------------------------------------------------------------------ */

uint64_t vmmap_packed_code(const struct packed *p, struct packed_place at)
{
	uint64_t before, code;

	do {
		before = atomic_load_explicit(&p->seq, memory_order_acquire);
		code = p->runs ? vmmap_runline_get(at.line, p->wide, p->w, at.index) :
				 packed_frame_code(p, at);
	} while (before & 1 || atomic_load_explicit(&p->seq, memory_order_relaxed) != before);
	return code;
}

static uint64_t runs_piece(const struct packed *p, vmmap_vpn_t vpn, vmmap_vpn_t *first,
			   uint64_t *pages)
{
	struct packed_place at = packed_place(p, vpn);
	uint32_t line = (uint32_t)(at.line - p->lines) / PACKED_WORDS;
	struct runline_change piece;
	uint64_t before;

	do {
		before = atomic_load_explicit(&p->seq, memory_order_acquire);
		piece = vmmap_runline_piece(at.line, packed_runs(p), packed_line_pages(p, line),
					    at.index);
	} while (before & 1 || atomic_load_explicit(&p->seq, memory_order_relaxed) != before);
	*first = vpn - (at.index - piece.from);
	*pages = piece.end - piece.from;
	return piece.code;
}

uint64_t vmmap_packed_piece(const struct packed *p, vmmap_vpn_t vpn, vmmap_vpn_t *first,
			    uint64_t *pages)
{
	vmmap_vpn_t in_unit = (vpn - p->first) & ((UINT64_C(1) << p->unit) - 1);

	if (p->runs)
		return runs_piece(p, vpn, first, pages);
	*first = vpn - in_unit;
	*pages = UINT64_C(1) << p->unit;
	return packed_get(p, *first);
}

uint32_t vmmap_packed_live(const struct packed *p, vmmap_vpn_t from, vmmap_vpn_t last)
{
	uint32_t live = 0;

	while (from <= last) {
		vmmap_vpn_t first, end;
		uint64_t pages, code = vmmap_packed_piece(p, from, &first, &pages);

		end = first + pages <= last ? first + pages : last + 1;
		live += code >= PACKED_FRAME ? (uint32_t)(end - from) : 0;
		from = end;
	}
	return live;
}

/* ---- Changes of frame lines -------------------------------------------------------------------- */

/* Bits @mask of a word become @bits. The mutator alone changes them; others of word 7 are anybody's (P3). */
static void set_bits(struct packed_place at, uint32_t word, uint64_t mask, uint64_t bits)
{
	uint64_t v = atomic_load_explicit(at.line + word, memory_order_relaxed);

	if (word == PACKED_WORDS - 1)
		atomic_fetch_xor_explicit(at.line + word, (v & mask) ^ bits, memory_order_release);
	else
		atomic_store_explicit(at.line + word, (v & ~mask) | bits, memory_order_release);
}

/* P2. Release: who sees a new word sees the odd seq, too. */
static void seq_step(struct packed *p)
{
	uint64_t seq = atomic_load_explicit(&p->seq, memory_order_relaxed);

	atomic_store_explicit(&p->seq, seq + 1, memory_order_release);
}

static void frame_set(struct packed *p, vmmap_vpn_t vpn, uint64_t code)
{
	struct packed_place at = packed_place(p, vpn);
	uint32_t bit = at.index * p->w, shift = bit & 63, word = bit >> 6;
	uint64_t mask = (UINT64_C(1) << p->w) - 1;

	if (code >= PACKED_FRAME)
		code = ((code - PACKED_FRAME) >> p->unit) + PACKED_FRAME;
	if (shift + p->w <= 64) {
		set_bits(at, word, mask << shift, code << shift);
		return;
	}
	seq_step(p);
	set_bits(at, word, mask << shift, code << shift);
	set_bits(at, word + 1, mask >> (64 - shift), code >> (64 - shift));
	seq_step(p);
}

/* ---- Changes of run lines ---------------------------------------------------------------------- */

/* The part of a change that is in @line, and the code that it begins with. */
static struct runline_change change_in(const struct packed *p, uint32_t line, uint32_t page,
				       uint32_t pages, uint64_t code)
{
	uint32_t base = line * p->per, end = base + packed_line_pages(p, line);
	uint32_t from = page > base ? page : base;

	end = page + pages < end ? page + pages : end;
	return (struct runline_change){ .from = from - base,
					.end = end - base,
					.code = code < PACKED_FRAME ? code : code + from - page };
}

static void runs_commit(struct vmmap_host *host, struct packed *p, uint32_t line,
			const struct runline_edit *edit)
{
	seq_step(p);
	vmmap_runline_commit(packed_line(p, line), packed_runs(p), edit);
	seq_step(p);
	p->parts_bytes += (uint32_t)edit->parts_bytes - (uint32_t)edit->old_bytes;
	vmmap_host_retire(host, (void *)edit->old, edit->old_bytes);
}

/* All lines are prepared before the first is changed. */
static int runs_set(struct vmmap_host *host, struct packed *p, uint32_t page, uint32_t pages,
		    uint64_t code)
{
	uint32_t first = page / p->per, n = (page + pages - 1) / p->per - first + 1, i;
	struct runline_edit few[2], *edits = few;
	int err = 0;

	if (n > 2)
		edits = vmmap_host_alloc(host, n * sizeof(*edits), 64);
	if (!edits)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++)
		err = vmmap_runline_prepare(host, packed_line(p, first + i), packed_runs(p),
					    packed_line_pages(p, first + i),
					    change_in(p, first + i, page, pages, code), &edits[i]);
	for (uint32_t j = 0; err && j + 1 < i; j++)
		vmmap_runline_cancel(host, &edits[j]);
	for (i = 0; i < n && !err; i++)
		runs_commit(host, p, first + i, &edits[i]);
	if (n > 2)
		vmmap_host_free_now(host, edits, n * sizeof(*edits));
	return err;
}

int vmmap_packed_set(struct vmmap_host *host, struct packed *p, vmmap_vpn_t vpn, uint64_t pages,
		     uint64_t code)
{
	if (p->runs)
		return runs_set(host, p, (uint32_t)(vpn - p->first), (uint32_t)pages, code);
	for (uint64_t i = 0; i < pages; i += UINT64_C(1) << p->unit)
		frame_set(p, vpn + i, code < PACKED_FRAME ? code : code + i);
	return 0;
}

/* ---- Accessed and dirty bits ------------------------------------------------------------------- */

static _Atomic(_Atomic uint64_t *) *ad_slot(struct packed *p, uint32_t page, unsigned int kind)
{
	return &p->ad[page / PACKED_AD_PAGES * 2 + kind];
}

/* The piece of a page, made if there is none. NULL without memory. */
static _Atomic uint64_t *ad_piece(struct vmmap_host *host, struct packed *p, uint32_t page,
				  unsigned int kind)
{
	_Atomic uint64_t *had = atomic_load(ad_slot(p, page, kind)), *fresh;

	if (had)
		return had;
	fresh = vmmap_host_alloc(host, ad_piece_bytes(p), 64);
	if (!fresh || atomic_compare_exchange_strong(ad_slot(p, page, kind), &had, fresh))
		return fresh;
	vmmap_host_free_now(host, (void *)fresh, ad_piece_bytes(p)); /* somebody was first */
	return had;
}

bool vmmap_packed_mark_new(struct vmmap_host *host, struct packed *p, struct packed_place at,
			   uint32_t bits)
{
	if (!p->runs)
		atomic_fetch_or(at.line + (PACKED_WORDS - 1), packed_mask(p, at, bits));
	for (unsigned int kind = 0; p->runs && kind < 2; kind++) {
		_Atomic uint64_t *piece;

		if (!(bits >> kind & 1))
			continue;
		piece = ad_piece(host, p, at.page, kind);
		if (!piece)
			return false;
		atomic_fetch_or(piece + at.page % PACKED_AD_PAGES / 64, UINT64_C(1)
										<< at.page % 64);
	}
	return !atomic_load(&p->moved);
}

static uint32_t harvest_runs(struct packed *p, uint32_t page, uint32_t clear)
{
	uint64_t mask = UINT64_C(1) << page % 64;
	uint32_t bits = 0;

	for (uint32_t kind = 0; kind < 2; kind++) {
		_Atomic uint64_t *word = atomic_load(ad_slot(p, page, kind));
		uint64_t v;

		if (!word)
			continue;
		word += page % PACKED_AD_PAGES / 64;
		v = atomic_load(word);
		if (clear >> kind & 1 && v & mask)
			v = atomic_fetch_and(word, ~mask);
		bits |= v & mask ? 1u << kind : 0;
	}
	return bits;
}

uint32_t vmmap_packed_harvest(struct packed *p, vmmap_vpn_t vpn, uint32_t clear)
{
	struct packed_place at = packed_place(p, vpn);
	_Atomic uint64_t *word = at.line + (PACKED_WORDS - 1);
	uint64_t mask, v;

	if (p->runs)
		return harvest_runs(p, at.page, clear);
	mask = packed_mask(p, at, clear);
	v = atomic_load(word);
	if (v & mask)
		v = atomic_fetch_and(word, ~mask);
	return (v & packed_mask(p, at, VMMAP_ACCESSED) ? VMMAP_ACCESSED : 0) |
	       (v & packed_mask(p, at, VMMAP_DIRTY) ? VMMAP_DIRTY : 0);
}

uint64_t vmmap_packed_ad_bytes_max(const struct packed *p)
{
	return p->runs ? packed_ad_pieces(p) * ad_piece_bytes(p) : 0;
}

uint64_t vmmap_packed_ad_bytes(const struct packed *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; p->runs && i < packed_ad_pieces(p); i++)
		n += atomic_load(&p->ad[i]) != NULL;
	return n * ad_piece_bytes(p);
}
