/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The learned page table: lookups and changes. lx.h has the picture and the invariants.
 */
#include <string.h>

#include "lx.h"

#define IDS_ROOM 16u
#define RESERVE                                                                                    \
	8u /* updates of the directory held back, so that what failed half-way can be undone */
#define IN_PLACE_MAX      512u  /* pages of one change that are written slot by slot */
#define IN_PLACE_RUNS_MAX 4096u /* the same, run line by run line */
#define GROUP             64u   /* most that the space gives to translate_batch */

/* ---- Lookup ------------------------------------------------------------------------------------------------- */

static void spot_hole(struct lx_spot *spot, vmmap_vpn_t first, vmmap_vpn_t last)
{
	*spot = (struct lx_spot){ .piece = { .vpn = first, .pages = last - first + 1 },
				  .last = last };
}

/* Clips a piece to [@lo, @hi]. */
static void clip(struct lx_spot *spot, vmmap_vpn_t lo, vmmap_vpn_t hi)
{
	struct vmmap_piece *p = &spot->piece;
	vmmap_vpn_t last = p->vpn + p->pages - 1;

	if (p->vpn < lo) {
		p->pfn += p->prot ? lo - p->vpn : 0;
		p->vpn = lo;
	}
	last = last < hi ? last : hi;
	p->pages = last - p->vpn + 1;
	spot->last = spot->last < hi ? spot->last : hi;
}

/* What @run says of @vpn; true if it says something, a hole that hides what is below included. */
static bool spot_run(const struct lx *t, const struct lindex_run *run, vmmap_vpn_t vpn, bool own,
		     struct lx_spot *spot)
{
	uint8_t cow = own || run->tag & VMMAP_PROT_SHARED ? 0 : VMMAP_PROT_COW; /* L3 */
	uint64_t code;

	spot->own = own;
	spot->tag = run->tag;
	spot->last = run->last;
	if (run->tag & LX_TAG_UNMAPPED) {
		spot_hole(spot, run->first, run->last);
		spot->own = own;
		return true;
	}
	spot->piece.prot = (uint8_t)((run->tag & LX_TAG_PROT) | cow);
	spot->piece.shift = lx_tag_shift(run->tag);
	if (!(run->tag & LX_TAG_PACKED)) {
		spot->region = NULL;
		spot->piece.vpn = run->first;
		spot->piece.pages = run->last - run->first + 1;
		spot->piece.pfn = run->value;
		return true;
	}
	spot->region = lx_region(t, run->value);
	code = vmmap_packed_piece(spot->region, vpn, &spot->piece.vpn, &spot->piece.pages);
	if (code >= PACKED_FRAME) {
		spot->piece.pfn = packed_pfn(spot->region, code);
		clip(spot, run->first, run->last);
		return true;
	}
	spot->piece.vpn = vpn;
	spot->piece.pages = 1;
	spot->piece.prot = 0;
	spot->piece.shift = 0;
	spot->piece.pfn = 0;
	return code == PACKED_UNMAPPED;
}

int vmmap_lx_find(const struct lx *t, vmmap_vpn_t vpn, struct lx_spot *spot)
{
	const struct lx_view *view = lx_view(t);
	struct lindex_run run;
	vmmap_vpn_t lo, hi;

	if (!lindex_lookup(view->own->ix, vpn, &run)) {
		if (spot_run(t, &run, vpn, true, spot) || !view->base)
			return spot->piece.prot ? 0 : -ENOENT;
		lo = hi =
			vpn; /* code 0: this page may be below, nothing is known of its neighbours */
	} else {
		lo = run.first;
		hi = run.last < t->vpn_end ? run.last : t->vpn_end - 1;
	}
	if (!view->base) {
		spot_hole(spot, lo, hi);
		return -ENOENT;
	}
	if (!lindex_lookup(view->base->ix, vpn, &run)) {
		spot_run(t, &run, vpn, false, spot);
	} else {
		spot_hole(spot, run.first, run.last < t->vpn_end ? run.last : t->vpn_end - 1);
	}
	clip(spot, lo, hi);
	return spot->piece.prot ? 0 : -ENOENT;
}

static int lx_lookup(const void *table, vmmap_vpn_t vpn, struct vmmap_piece *piece)
{
	struct lx_spot spot;
	int err = vmmap_lx_find(table, vpn, &spot);

	*piece = spot.piece;
	return err;
}

/* ---- Translation ---------------------------------------------------------------------------------------------- */

static void mark(struct lx *t, const struct lx_spot *spot, vmmap_vpn_t vpn, uint32_t bits)
{
	struct packed *p = spot->region;

	if (!bits ||
	    (p && p->owner == t->serial && packed_mark(t->host, p, packed_place(p, vpn), bits)))
		return;
	vmmap_ad_mark(&t->ad, vpn, spot->piece.shift, bits);
}

/* Through the directory. */
static __attribute__((noinline)) uint64_t translate_found(struct lx *t, vmmap_vpn_t vpn,
							  struct vmmap_want want)
{
	struct lx_spot spot;
	uint64_t word;

	if (vmmap_lx_find(t, vpn, &spot))
		return 0;
	word = VMMAP_WORD(spot.piece.pfn + (vpn - spot.piece.vpn), spot.piece.prot,
			  spot.piece.shift);
	if (vmmap_want_served(want, word))
		mark(t, &spot, vpn, want.mark);
	return word;
}

static inline uint64_t hint_of(const struct lx_hints *h, vmmap_vpn_t vpn)
{
	return atomic_load_explicit(&((struct lx_hints *)h)->at[vpn >> LX_HINT_SHIFT & h->mask],
				    memory_order_acquire);
}

/* The region that hint @e leads @vpn to; NULL: not this one. */
static inline struct packed *hint_region(uint64_t e, vmmap_vpn_t vpn)
{
	struct packed *p = (struct packed *)(uintptr_t)(e >> 23 << 6);

	if (__builtin_expect(!p, 0) || __builtin_expect(vpn - p->first >= p->pages, 0))
		return NULL;
	return p;
}

/* A page's bits are to be set that were not all there. Return: @word. */
static __attribute__((noinline)) uint64_t mark_hinted(struct lx *t, struct packed *p, uint64_t e,
						      vmmap_vpn_t vpn, uint32_t bits, uint64_t word)
{
	if (e & LX_HINT_FOREIGN || !packed_mark(t->host, p, packed_place(p, vpn), bits))
		vmmap_ad_mark(&t->ad, vpn, VMMAP_PAGE_SHIFT + p->unit, bits);
	return word;
}

static inline uint64_t translate_code(struct lx *t, struct packed *p, struct packed_place at,
				      uint64_t e, vmmap_vpn_t vpn, struct vmmap_want want,
				      uint64_t code)
{
	uint64_t word;

	if (__builtin_expect(code < PACKED_FRAME, 0))
		return translate_found(t, vpn, want);
	word = VMMAP_WORD(packed_pfn(p, code), (uint8_t)e, VMMAP_PAGE_SHIFT + p->unit);
	if (__builtin_expect(!vmmap_want_served(want, word), 0))
		return word;
	if (want.mark &&
	    __builtin_expect(e & LX_HINT_FOREIGN || !packed_marked(p, at, want.mark), 0))
		return mark_hinted(t, p, e, vpn, want.mark, word);
	return word;
}

static __attribute__((noinline)) uint64_t translate_far(struct lx *t, struct packed *p, uint64_t e,
							vmmap_vpn_t vpn, struct vmmap_want want)
{
	struct packed_place at = packed_place(p, vpn);

	return translate_code(t, p, at, e, vpn, want, vmmap_packed_code(p, at));
}

/* Whatever takes longer is the last call, so that nothing is saved for it. */
static inline uint64_t translate_hinted(struct lx *t, struct packed *p, struct packed_place at,
					uint64_t e, vmmap_vpn_t vpn, struct vmmap_want want)
{
	uint64_t code;

	if (__builtin_expect(!packed_near(p, at, &code), 0))
		return translate_far(t, p, e, vpn, want);
	return translate_code(t, p, at, e, vpn, want, code);
}

static uint64_t lx_translate(void *table, vmmap_vpn_t vpn, struct vmmap_want want)
{
	struct lx *t = table;
	const struct lx_hints *h = atomic_load_explicit(&t->hints, memory_order_acquire);
	uint64_t e = hint_of(h, vpn);
	struct packed *p = hint_region(e, vpn);

	if (__builtin_expect(!p, 0))
		return translate_found(t, vpn, want);
	return translate_hinted(t, p, packed_place(p, vpn), e, vpn, want);
}

/* Through the directory, many at once: its lines overlap, too. Never forked: what it does not say, nobody does. */
static void found_batch(struct lx *t, const vmmap_vpn_t *vpns, const uint8_t *which, size_t n,
			struct vmmap_want want, uint64_t *words)
{
	const struct lx_view *view = lx_view(t);
	struct lindex_run runs[GROUP];
	uint64_t keys[GROUP] = { 0 };

	for (size_t i = 0; i < n; i++)
		keys[i] = vpns[which[i]];
	if (n && !view->base)
		lindex_lookup_batch(view->own->ix, keys, n, runs);
	for (size_t i = 0; i < n; i++) {
		struct lx_spot spot;
		uint64_t word = 0;

		if (view->base) {
			words[which[i]] = translate_found(t, keys[i], want);
			continue;
		}
		if (runs[i].mapped && spot_run(t, &runs[i], keys[i], true, &spot) &&
		    spot.piece.prot)
			word = VMMAP_WORD(spot.piece.pfn + (keys[i] - spot.piece.vpn),
					  spot.piece.prot, spot.piece.shift);
		if (word && vmmap_want_served(want, word))
			mark(t, &spot, keys[i], want.mark);
		words[which[i]] = word;
	}
}

/* All lines are asked for before the first is waited for. */
static void lx_translate_batch(void *table, const vmmap_vpn_t *vpns, size_t n,
			       struct vmmap_want want, uint64_t *words)
{
	struct lx *t = table;
	const struct lx_hints *h = atomic_load_explicit(&t->hints, memory_order_acquire);
	struct packed *regions[GROUP];
	struct packed_place at[GROUP];
	uint64_t hints[GROUP];
	uint8_t found[GROUP];
	size_t others = 0;

	for (size_t i = 0; i < n; i++) {
		hints[i] = hint_of(h, vpns[i]);
		regions[i] = hint_region(hints[i], vpns[i]);
		if (!regions[i]) {
			found[others++] = (uint8_t)i;
			continue;
		}
		at[i] = packed_place(regions[i], vpns[i]);
		packed_prefetch(regions[i], at[i]);
	}
	found_batch(t, vpns, found, others, want, words);
	for (size_t i = 0; i < n; i++)
		if (regions[i])
			words[i] = translate_hinted(t, regions[i], at[i], hints[i], vpns[i], want);
}

/* ---- Scan ------------------------------------------------------------------------------------------------------- */

struct scanner {
	const struct lx *t;
	int (*visit)(void *ctx, const struct vmmap_piece *piece);
	void *ctx;
};

/* Slots of a region from @at to @last, as long as they need nobody else: returns where that ends. */
static vmmap_vpn_t scan_region(const struct scanner *s, const struct lx_spot *spot, vmmap_vpn_t at,
			       vmmap_vpn_t last, uint8_t prot, bool below, int *err)
{
	struct packed *p = spot->region;
	struct vmmap_piece piece = { .pages = 0,
				     .prot = prot,
				     .shift = (uint8_t)(VMMAP_PAGE_SHIFT + p->unit) };
	uint64_t pages;

	for (; at <= last && !*err; at += pages) {
		vmmap_vpn_t first;
		uint64_t code = vmmap_packed_piece(p, at, &first, &pages);
		vmmap_pfn_t pfn = packed_pfn(p, code) + (at - first);

		pages -= at - first;
		pages = pages <= last - at ? pages : last - at + 1;
		if (piece.pages && code >= PACKED_FRAME && pfn == piece.pfn + piece.pages) {
			piece.pages += pages;
			continue;
		}
		if (piece.pages)
			*err = s->visit(s->ctx, &piece);
		piece.pages = 0;
		if (code == PACKED_NOTHING && below)
			return at;
		if (code >= PACKED_FRAME) {
			piece.vpn = at;
			piece.pfn = pfn;
			piece.pages = pages;
		}
	}
	if (piece.pages && !*err)
		*err = s->visit(s->ctx, &piece);
	return at;
}

/* Of a page in the region, whether or not this one is there. */
static uint8_t region_prot(const struct lx_spot *spot)
{
	uint8_t prot = spot->tag & LX_TAG_PROT;

	return spot->own || prot & VMMAP_PROT_SHARED ? prot : prot | VMMAP_PROT_COW;
}

static int lx_scan(const void *table, vmmap_vpn_t vpn, uint64_t pages,
		   int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx)
{
	struct scanner s = { .t = table, .visit = visit, .ctx = ctx };
	vmmap_vpn_t last = vpn + pages - 1;
	int err = 0;

	for (vmmap_vpn_t at = vpn; at <= last && !err;) {
		struct lx_spot spot;
		int found = vmmap_lx_find(s.t, at, &spot);
		struct vmmap_piece p = spot.piece;
		vmmap_vpn_t to = spot.last < last ? spot.last : last;

		bool below = lx_view(s.t)->base && spot.own;

		if (spot.region && (!found || !below)) {
			at = scan_region(&s, &spot, at, to, region_prot(&spot), below, &err);
			continue;
		}
		if (p.vpn < at) {
			p.pfn += p.prot ? at - p.vpn : 0;
			p.pages -= at - p.vpn;
			p.vpn = at;
		}
		if (p.vpn + p.pages - 1 > last)
			p.pages = last - p.vpn + 1;
		if (!found)
			err = visit(ctx, &p);
		at = p.vpn + p.pages;
	}
	return err;
}

/* ---- The directory ------------------------------------------------------------------------------------------- */

static void add_cost(struct lx *t)
{
	struct lindex_update_cost cost;

	lindex_last_cost(lx_view(t)->own->ix, &cost);
	t->cost.nodes += cost.nodes_written;
}

int vmmap_lx_store(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last, uint64_t value, uint16_t tag)
{
	const struct lindex_run run = {
		.first = first, .last = last, .value = value, .tag = tag, .step = 1
	};
	int err = lindex_insert(lx_view(t)->own->ix, &run);

	if (!err)
		add_cost(t);
	return err;
}

static void cover_change(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last, bool more)
{
	const struct lx_layer *own = lx_view(t)->own;
	struct lindex_cursor cur;
	struct lindex_run run;

	lindex_cursor_init(&cur, own->ix, first);
	while (!lindex_cursor_next(&cur, &run) && run.first <= last) {
		vmmap_vpn_t from = run.first > first ? run.first : first;
		vmmap_vpn_t to = run.last < last ? run.last : last;
		struct packed *p = run.tag & LX_TAG_PACKED ? lx_region(t, run.value) : NULL;
		uint32_t live, covered = (uint32_t)(to - from + 1);

		if (!p || p->home != own)
			continue;
		live = vmmap_packed_live(p, from, to);
		p->covered = more ? p->covered + covered : p->covered - covered;
		p->live = more ? p->live + live : p->live - live;
		if (!p->covered && !p->listed) {
			p->listed = true;
			p->next_empty = t->empty;
			t->empty = p;
		}
	}
}

void vmmap_lx_uncover(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last)
{
	cover_change(t, first, last, false);
}

void vmmap_lx_cover(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last)
{
	cover_change(t, first, last, true);
}

/* One run over whatever the own directory has in its range, counts and hints kept true. */
static int put(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last, uint64_t value, uint16_t tag)
{
	int err;

	vmmap_lx_uncover(t, first, last);
	err = vmmap_lx_store(t, first, last, value, tag);
	if (err) {
		vmmap_lx_cover(t, first, last);
		return err;
	}
	vmmap_lx_hints_refresh(t, first, last - first + 1);
	vmmap_lx_drop_empty(t);
	return 0;
}

/* Nothing is mapped in a range any more; what is below it stays hidden. */
static int unstore(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last)
{
	int err;

	if (lx_view(t)->base)
		return vmmap_lx_store(t, first, last, 0, LX_TAG_UNMAPPED);
	err = lindex_remove(lx_view(t)->own->ix, first, last);
	if (!err)
		add_cost(t);
	return err;
}

static int clear(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last)
{
	int err;

	vmmap_lx_uncover(t, first, last);
	err = unstore(t, first, last);
	if (err) {
		vmmap_lx_cover(t, first, last);
		return err;
	}
	vmmap_lx_hints_refresh(t, first, last - first + 1);
	vmmap_lx_drop_empty(t);
	return 0;
}

/* ---- In place ------------------------------------------------------------------------------------------------- */

/* Not too many slots at once, and whole ones: of a hole in a region of huge pages, small pages may be unmapped. */
static bool fits_in_place(const struct packed *p, vmmap_vpn_t vpn, uint64_t pages)
{
	uint64_t in_unit = (UINT64_C(1) << p->unit) - 1;

	return !((vpn - p->first) & in_unit) && !(pages & in_unit) &&
	       pages >> p->unit <= (p->runs ? IN_PLACE_RUNS_MAX : IN_PLACE_MAX);
}

/* The region, at home here, that all of the range is in, under one run with @tag (0: any). Or NULL. */
static struct packed *in_place(const struct lx *t, vmmap_vpn_t vpn, uint64_t pages, uint16_t tag)
{
	const struct lx_layer *own = lx_view(t)->own;
	uint64_t e = hint_of(atomic_load(&((struct lx *)t)->hints), vpn);
	struct packed *p = hint_region(e, vpn);
	struct lindex_run run;

	if (p && p->home == own && pages == 1 && !p->unit)
		return !tag || (tag & LX_TAG_PROT) == (e & LX_TAG_PROT) ? p : NULL;
	if (lindex_lookup(own->ix, vpn, &run) || run.last < vpn + pages - 1)
		return NULL;
	if (!(run.tag & LX_TAG_PACKED) || (tag && run.tag != tag))
		return NULL;
	p = lx_region(t, run.value);
	return p->home == own && fits_in_place(p, vpn, pages) ? p : NULL;
}

static int set_pages(struct lx *t, struct packed *p, vmmap_vpn_t vpn, uint64_t pages, uint64_t code)
{
	t->cost.nodes += (uint32_t)pages; /* lines, at most: those of run lines hold more */
	return vmmap_packed_set(t->host, p, vpn, pages, code);
}

static void see_frames(struct lx *t, vmmap_pfn_t lo, vmmap_pfn_t hi)
{
	if (lo < t->pfn_lo)
		t->pfn_lo = lo;
	if (hi > t->pfn_hi)
		t->pfn_hi = hi;
}

/* ---- Map ------------------------------------------------------------------------------------------------------ */

static int lx_map(void *table, const struct vmmap_piece *piece)
{
	struct lx *t = table;
	uint16_t tag = lx_tag_of(piece->prot, piece->shift);
	vmmap_pfn_t last = piece->pfn + piece->pages - 1;
	struct packed *p = NULL;
	int err;

	lx_begin(t);
	if (piece->shift == VMMAP_4K && piece->pages < LX_LONG_RUN)
		see_frames(t, piece->pfn, last);
	p = in_place(t, piece->vpn, piece->pages, tag | LX_TAG_PACKED);
	if (p && (p->runs || p->unit || piece->pages < LX_LONG_RUN) && packed_fits(p, piece->pfn) &&
	    packed_fits(p, last) &&
	    !set_pages(t, p, piece->vpn, piece->pages, packed_code_of(p, piece->pfn))) {
		p->live += (uint32_t)piece->pages;
	} else { /* without memory for run lines, too */
		err = put(t, piece->vpn, piece->vpn + piece->pages - 1, piece->pfn, tag);
		if (err)
			return err;
		if (piece->shift == VMMAP_4K && piece->pages < LX_LONG_RUN)
			vmmap_lx_pack_window(t, piece->vpn, tag);
	}
	vmmap_lx_job_step(t);
	return 0;
}

static bool map_in_place(struct lx *t, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			 uint8_t prot)
{
	struct packed *p = in_place(t, vpn, pages, prot | LX_TAG_PACKED);

	/* Of several changes to run lines one could fail. */
	for (uint64_t i = 0; p && i < pages; i++)
		if (!packed_fits(p, frames[i]) || (p->runs && frames[i] != frames[0] + i))
			p = NULL;
	if (!p || (p->runs && set_pages(t, p, vpn, pages, packed_code_of(p, frames[0]))))
		return false;
	for (uint64_t i = 0; i < pages && !p->runs; i++)
		set_pages(t, p, vpn + i, 1, packed_code_of(p, frames[i]));
	p->live += (uint32_t)pages;
	return true;
}

/* Frames that follow each other are one piece. */
static size_t pieces_of(vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames, uint8_t prot,
			struct vmmap_piece *pieces)
{
	size_t n = 0;

	for (uint64_t i = 0; i < pages; i++) {
		if (n && frames[i] == pieces[n - 1].pfn + pieces[n - 1].pages)
			pieces[n - 1].pages++;
		else
			pieces[n++] = (struct vmmap_piece){ vpn + i, 1, frames[i], prot, VMMAP_4K };
	}
	return n;
}

static void see_pieces(struct lx *t, const struct vmmap_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pieces[i].shift == VMMAP_4K && pieces[i].pages < LX_LONG_RUN)
			see_frames(t, pieces[i].pfn, pieces[i].pfn + pieces[i].pages - 1);
}

/*
 * The runs of a plan, one after the other, where no page is mapped. What the own directory has there (holes in regions) is
 * cleared first; with a reserve held back, so that it can be cleared again whatever happens.
 */
static int put_plan(struct lx *t, const struct lx_plan *plan)
{
	struct lindex *ix = lx_view(t)->own->ix;
	vmmap_vpn_t first = plan->runs[0].first, last = plan->runs[plan->n - 1].last;
	int err;

	if (plan->n == 1)
		return put(t, first, last, plan->runs[0].value, plan->runs[0].tag);
	err = lindex_reserve(ix, LX_RESERVE);
	err = err ? err : clear(t, first, last);
	for (size_t i = 0; i < plan->n && !err; i++) {
		const struct lindex_run *r = &plan->runs[i];

		err = lindex_reserve(ix, LX_RESERVE);
		err = err ? err : vmmap_lx_store(t, r->first, r->last, r->value, r->tag);
		if (err)
			unstore(t, first, last);
	}
	lindex_reserve(ix, 0);
	return err;
}

/* How a plan gets into the directory: built whole where it is empty, else run by run. */
static int commit_plan(struct lx *t, struct lx_plan *plan, bool whole)
{
	int err = whole ? lindex_build(lx_view(t)->own->ix, plan->runs, plan->n, NULL) :
			  put_plan(t, plan);

	if (err)
		vmmap_lx_plan_done(t, plan, false);
	return err;
}

static int lx_load(void *table, const struct vmmap_piece *pieces, size_t n)
{
	struct lx *t = table;
	struct lx_plan plan = { 0 };
	int err;

	lx_begin(t);
	/* Regions that nothing is in, after everything was unmapped, would be built over. */
	if (t->job.to)
		vmmap_lx_job_end(t);
	see_pieces(t, pieces, n);
	err = vmmap_lx_plan_make(t, pieces, n, &plan);
	err = err ? err : commit_plan(t, &plan, !lx_view(t)->own->n && !lx_view(t)->base);
	if (err)
		return err;
	vmmap_lx_plan_done(t, &plan, true);
	return 0;
}

static int lx_map_frames(void *table, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			 uint8_t prot)
{
	struct lx *t = table;
	struct vmmap_piece *pieces;
	struct lx_plan plan = { 0 };
	size_t n;
	int err;

	lx_begin(t);
	if (map_in_place(t, vpn, pages, frames, prot)) {
		vmmap_lx_job_step(t);
		return 0;
	}
	pieces = vmmap_host_alloc(t->host, pages * sizeof(*pieces), 64);
	if (!pieces)
		return -ENOMEM;
	n = pieces_of(vpn, pages, frames, prot, pieces);
	see_pieces(t, pieces, n);
	err = vmmap_lx_plan_make(t, pieces, n, &plan);
	err = err ? err : commit_plan(t, &plan, false);
	if (!err) {
		vmmap_lx_plan_done(t, &plan, true);
		if (n < LX_LONG_RUN)
			vmmap_lx_pack_window(t, vpn, prot);
		vmmap_lx_job_step(t);
	}
	vmmap_host_free_now(t->host, pieces, pages * sizeof(*pieces));
	return err;
}

/* ---- Unmap ---------------------------------------------------------------------------------------------------- */

/* Nothing is left in a region: what leads to it goes, and so it does. */
static void drop_dead(struct lx *t, struct packed *p)
{
	struct lx_view *view = lx_view(t);
	vmmap_vpn_t at = p->first, last = p->first + p->pages - 1;
	struct lindex_run run;

	if (view->base || t->job.to == p) /* its codes hide what is below */
		return;
	while (at <= last) {
		lindex_lookup(view->own->ix, at, &run);
		at = run.last + 1;
		if (run.mapped && run.tag & LX_TAG_PACKED && lx_region(t, run.value) == p) {
			vmmap_lx_uncover(t, run.first, run.last);
			lindex_remove(view->own->ix, run.first, run.last); /* a whole run */
		}
		if (!at)
			break;
	}
	vmmap_lx_hints_refresh(t, p->first, p->pages);
	vmmap_lx_drop_empty(t);
}

static int unmap_in_place(struct lx *t, struct packed *p, vmmap_vpn_t vpn, uint64_t pages)
{
	uint64_t code = lx_view(t)->base ? PACKED_UNMAPPED : PACKED_NOTHING;
	uint32_t live = vmmap_packed_live(p, vpn, vpn + pages - 1);
	int err = set_pages(t, p, vpn, pages, code);

	if (err)
		return err;
	p->live -= live;
	for (uint64_t i = 0; i < pages; i += UINT64_C(1) << p->unit)
		vmmap_packed_harvest(p, vpn + i, VMMAP_ACCESSED | VMMAP_DIRTY);
	if (!p->live)
		drop_dead(t, p);
	return 0;
}

/* Bits that this space has in regions of the base. */
static void clear_base_bits(struct lx *t, vmmap_vpn_t vpn, uint64_t pages)
{
	const struct lx_layer *base = lx_view(t)->base;
	vmmap_vpn_t last = vpn + pages - 1;
	struct lindex_cursor cur;
	struct lindex_run run;

	if (!base)
		return;
	lindex_cursor_init(&cur, base->ix, vpn);
	while (!lindex_cursor_next(&cur, &run) && run.first <= last) {
		struct packed *p = run.tag & LX_TAG_PACKED ? lx_region(t, run.value) : NULL;
		vmmap_vpn_t to = run.last < last ? run.last : last;

		for (vmmap_vpn_t at = run.first > vpn ? run.first : vpn;
		     p && p->owner == t->serial && at <= to; at++)
			vmmap_packed_harvest(p, at, VMMAP_ACCESSED | VMMAP_DIRTY);
	}
}

static int lx_unmap(void *table, vmmap_vpn_t vpn, uint64_t pages)
{
	struct lx *t = table;
	struct packed *p;
	int err = 0;

	lx_begin(t);
	p = in_place(t, vpn, pages, 0);
	if (!p || unmap_in_place(t, p, vpn, pages)) /* without memory for run lines */
		err = clear(t, vpn, vpn + pages - 1);
	if (err)
		return err;
	clear_base_bits(t, vpn, pages);
	vmmap_ad_clear(&t->ad, vpn, pages);
	vmmap_lx_job_step(t);
	return 0;
}

/* ---- Replace --------------------------------------------------------------------------------------------------- */

static int lx_replace(void *table, vmmap_vpn_t vpn, vmmap_pfn_t pfn, uint8_t prot)
{
	struct lx *t = table;
	struct lx_spot spot;
	uint64_t pages;
	uint16_t tag;
	uint32_t bits = 0;
	int err;

	lx_begin(t);
	vmmap_lx_find(t, vpn, &spot);
	tag = lx_tag_of(prot, spot.piece.shift);
	pages = vmmap_shift_pages(spot.piece.shift);
	if (spot.region && spot.own && spot.region->home == lx_view(t)->own &&
	    spot.tag == (tag | LX_TAG_PACKED) && packed_fits(spot.region, pfn) &&
	    !set_pages(t, spot.region, vpn, pages, packed_code_of(spot.region, pfn)))
		return 0;
	/* The next fork may leave what is hidden behind. */
	if (spot.region && spot.region->owner == t->serial)
		bits = vmmap_packed_harvest(spot.region, vpn, 0);
	if (spot.piece.shift == VMMAP_4K)
		see_frames(t, pfn, pfn);
	err = put(t, vpn, vpn + pages - 1, pfn, tag);
	if (err)
		return err;
	if (bits)
		vmmap_ad_mark(&t->ad, vpn, spot.piece.shift, bits);
	if (spot.piece.shift == VMMAP_4K)
		vmmap_lx_pack_window(t, vpn, tag);
	vmmap_lx_job_step(t);
	return 0;
}

static uint32_t lx_harvest(void *table, vmmap_vpn_t vpn, uint32_t clear)
{
	struct lx *t = table;
	const struct lx_view *view = lx_view(t);
	uint32_t bits = vmmap_ad_harvest(&t->ad, vpn, clear);
	const struct lx_layer *layers[] = { view->own, view->base };

	for (unsigned int i = 0; i < 2 && layers[i]; i++) {
		struct lindex_run run;
		struct packed *p;

		if (lindex_lookup(layers[i]->ix, vpn, &run) || !(run.tag & LX_TAG_PACKED))
			continue;
		p = lx_region(t, run.value);
		if (p->owner == t->serial)
			bits |= vmmap_packed_harvest(p, vpn, clear);
	}
	return bits;
}

static void lx_cost(const void *table, struct vmmap_cost *cost)
{
	*cost = ((const struct lx *)table)->cost;
}

const struct vmmap_backend vmmap_backend_lindex = {
	.name = "lindex",
	.va_bits_default = 48,
	.va_bits_max = 57,
	.create = vmmap_lx_create,
	.free = vmmap_lx_free,
	.map = lx_map,
	.map_frames = lx_map_frames,
	.load = lx_load,
	.unmap = lx_unmap,
	.protect = vmmap_lx_protect,
	.replace = lx_replace,
	.fork = vmmap_lx_fork,
	.lookup = lx_lookup,
	.scan = lx_scan,
	.translate = lx_translate,
	.translate_batch = lx_translate_batch,
	.harvest = lx_harvest,
	.footprint = vmmap_lx_footprint,
	.walk = vmmap_lx_walk,
	.cost = lx_cost,
	.check = vmmap_lx_check,
	.dump = vmmap_lx_dump,
};
