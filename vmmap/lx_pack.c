/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Pages that come one by one: when they go into packed regions. (Bulk loads: lx_plan.c.)
 *
 * They go into the directory first; when many have come to one window of 512 pages, it is
 * looked at (vmmap_lx_pack_window()). Regions that fill a larger window grow together, a bounded step at a time (vmmap_lx_job_step()).
 */
#include "lx.h"

#define WINDOW_PAGES  512u
#define HEAT_LIMIT    48u
#define JOB_PAGES     1024u /* moved at most by one call */
#define JOB_EVERY     16u   /* calls */
#define GROW_BITS     3u    /* a window grows eightfold */
#define GROW_MAX_BITS 18u
#define GROW_LOOKS    256u /* runs looked at to decide */

/* ---- One window ------------------------------------------------------------------------------------------ */

/* What the own directory has at @at, clipped to @last: a run, or a hole (tag 0). */
static struct lindex_run run_at(const struct lx *t, vmmap_vpn_t at, vmmap_vpn_t last)
{
	struct lindex_run run;

	lindex_lookup(lx_view(t)->own->ix, at, &run);
	if (run.first < at) {
		run.value = lindex_value(&run, at);
		run.first = at;
	}
	if (run.last > last)
		run.last = last;
	return run;
}

/* Whether pages of @run may go into a region with @tag. Holes may. */
static bool packable(const struct lindex_run *run, uint16_t tag)
{
	if (!run->mapped || run->tag & LX_TAG_UNMAPPED)
		return true;
	return run->tag == tag && run->last - run->first < LX_LONG_RUN;
}

struct stretch {
	vmmap_vpn_t first, last;
	uint64_t runs;
};

/* The stretch around @vpn, inside its window, that consists of what may be packed. */
static struct stretch find_stretch(const struct lx *t, vmmap_vpn_t vpn, uint16_t tag)
{
	vmmap_vpn_t lo = vpn / WINDOW_PAGES * WINDOW_PAGES, hi = lo + WINDOW_PAGES - 1;
	struct stretch s = { .first = lo, .last = hi };

	for (vmmap_vpn_t at = lo; at <= hi;) {
		struct lindex_run run = run_at(t, at, hi);

		if (!packable(&run, tag)) {
			if (run.first > vpn) {
				s.last = run.first - 1;
				break;
			}
			s.first = run.last + 1;
			s.runs = 0;
		} else {
			s.runs += run.mapped && !(run.tag & LX_TAG_UNMAPPED);
		}
		at = run.last + 1;
	}
	return s;
}

/* Pages of @run go into @to, which has frame lines and room for them; those whose frames have no code do not: returns false. */
static bool pack_run(struct lx *t, struct packed *to, const struct lindex_run *run)
{
	uint64_t pages = run->last - run->first + 1;
	bool gone = run->tag & LX_TAG_UNMAPPED;

	if (!run->mapped)
		return true;
	if (!gone && (!packed_fits(to, run->value) || !packed_fits(to, run->value + pages - 1)))
		return false;
	vmmap_packed_set(t->host, to, run->first, pages,
			 gone ? PACKED_UNMAPPED : packed_code_of(to, run->value));
	to->live += gone ? 0 : (uint32_t)pages;
	return true;
}

static void grow_look(struct lx *t, vmmap_vpn_t vpn, uint16_t tag, unsigned int bits);

void vmmap_lx_pack_window(struct lx *t, vmmap_vpn_t vpn, uint16_t tag)
{
	uint8_t *heat = &t->heat[(vpn / WINDOW_PAGES * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
	struct packed_shape shape = vmmap_packed_frames_for(t->pfn_lo, t->pfn_hi, 0);
	struct stretch s;
	struct packed *to;

	if (++*heat < HEAT_LIMIT)
		return;
	*heat = 0;
	s = find_stretch(t, vpn, tag);
	if (vpn < s.first || vpn > s.last || !vmmap_lx_pays(s.last - s.first + 1, s.runs, shape))
		return;
	to = vmmap_lx_region_new(t, shape, s.first, (uint32_t)(s.last - s.first + 1));
	if (!to)
		return; /* it stays as it is */
	for (vmmap_vpn_t at = s.first; at <= s.last;) {
		struct lindex_run run = run_at(t, at, s.last);

		if (!pack_run(t, to, &run)) {
			vmmap_lx_region_drop(t, to);
			return;
		}
		at = run.last + 1;
	}
	if (vmmap_lx_store(t, s.first, s.last, lx_packed_value(to, s.first), tag | LX_TAG_PACKED)) {
		vmmap_lx_region_drop(t, to);
		return;
	}
	to->covered = to->pages;
	t->cost.nodes += to->nlines;
	t->cost.moved += to->nlines;
	vmmap_lx_hints_refresh(t, s.first, to->pages);
	vmmap_lx_hints_of(t, to);
	grow_look(t, vpn, tag | LX_TAG_PACKED, GROW_BITS + 9);
}

/* ---- Regions that grow together --------------------------------------------------------------------------- */

/* Begins a job if most of the window of 2^@bits pages is in several regions with @tag. */
static void grow_look(struct lx *t, vmmap_vpn_t vpn, uint16_t tag, unsigned int bits)
{
	vmmap_vpn_t lo = vpn >> bits << bits, hi = lo + (UINT64_C(1) << bits) - 1;
	struct packed_shape shape = vmmap_packed_frames_for(t->pfn_lo, t->pfn_hi, 0);
	const struct packed *one = NULL;
	uint64_t covered = 0, regions = 0;
	unsigned int looks = 0;

	if (t->job.to || bits > GROW_MAX_BITS || hi - lo >= packed_max_pages(shape))
		return;
	for (vmmap_vpn_t at = lo; at <= hi && looks < GROW_LOOKS; looks++) {
		struct lindex_run run = run_at(t, at, hi);
		const struct packed *p = run.tag == tag ? lx_region(t, run.value) : NULL;

		if (p && p->home == lx_view(t)->own && !p->runs) {
			covered += run.last - run.first + 1;
			regions += p != one;
			one = p;
		}
		at = run.last + 1;
	}
	if (looks == GROW_LOOKS || regions < 2 || covered < (hi - lo + 1) / 8 * 5)
		return;
	t->job.to = vmmap_lx_region_new(t, shape, lo, (uint32_t)(hi - lo + 1));
	t->job.at = lo;
	t->job.tag = tag;
}

/* Slots of @run, which is in region @from, go to @to, and their accessed and dirty bits with them. */
static bool move_slots(struct lx *t, struct packed *to, struct packed *from,
		       const struct lindex_run *run)
{
	for (vmmap_vpn_t at = run->first; at <= run->last; at++) {
		uint64_t code = packed_get(from, at);

		if (code >= PACKED_FRAME && !packed_fits(to, packed_pfn(from, code)))
			return false;
	}
	atomic_store(&from->moved, true); /* P4: from here readers mark the side array, too */
	for (vmmap_vpn_t at = run->first; at <= run->last; at++) {
		uint64_t code = packed_get(from, at);
		uint32_t bits = vmmap_packed_harvest(from, at, 0);

		if (code >= PACKED_FRAME)
			code = packed_code_of(to, packed_pfn(from, code));
		vmmap_packed_set(t->host, to, at, 1, code);
		if (bits)
			packed_mark(t->host, to, packed_place(to, at), bits);
		to->live += code >= PACKED_FRAME;
	}
	return true;
}

/* Takes over as much as it can from @at on; returns the first page that it could not, or @end. */
static vmmap_vpn_t take_over(struct lx *t, vmmap_vpn_t at, vmmap_vpn_t end)
{
	struct packed *to = t->job.to;

	while (at < end) {
		struct lindex_run run = run_at(t, at, end - 1);
		struct packed *from = run.tag & LX_TAG_PACKED ? lx_region(t, run.value) : NULL;

		if (from ? run.tag != t->job.tag || from->home != to->home || from->runs ||
				    !move_slots(t, to, from, &run) :
			   !packable(&run, t->job.tag ^ LX_TAG_PACKED) || !pack_run(t, to, &run))
			break;
		at = run.last + 1;
	}
	return at;
}

void vmmap_lx_job_end(struct lx *t)
{
	struct packed *to = t->job.to;

	t->job.to = NULL;
	if (to && !to->covered)
		vmmap_lx_region_drop(t, to);
	else if (to)
		vmmap_lx_hints_of(t, to);
}

void vmmap_lx_job_step(struct lx *t)
{
	struct packed *to = t->job.to;
	vmmap_vpn_t at = t->job.at, end, next;
	uint32_t live;

	if (!to || ++t->calls % JOB_EVERY)
		return;
	end = at + JOB_PAGES;
	end = end > to->first + to->pages ? to->first + to->pages : end;
	live = to->live;
	next = take_over(t, at, end);
	if (next > at) {
		vmmap_lx_uncover(t, at, next - 1);
		if (vmmap_lx_store(t, at, next - 1, lx_packed_value(to, at), t->job.tag)) {
			vmmap_lx_cover(t, at, next - 1);
			to->live = live;
			vmmap_lx_job_end(t);
			return;
		}
		to->covered += (uint32_t)(next - at);
		t->cost.nodes += (next - at) / to->per + 1;
		t->cost.moved += (next - at) / to->per + 1;
		vmmap_lx_hints_refresh(t, at, next - at);
		vmmap_lx_drop_empty(t);
		at = next;
	} else {
		at = run_at(t, at, to->first + to->pages - 1).last + 1; /* an exception: it stays */
	}
	t->job.at = at;
	if (at >= to->first + to->pages) {
		unsigned int bits = 63u - (unsigned int)__builtin_clzll(to->pages);

		vmmap_lx_job_end(t);
		if (!t->job.to)
			grow_look(t, to->first, t->job.tag, bits + GROW_BITS);
	}
}
