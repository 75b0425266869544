/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Plans: which pages go into which kind of region, where many pieces are known at once.
 *
 *     runs of some five pages or less           frame lines    a code for each page
 *     runs up to some thousand pages, many      run lines      a code for each run, 2.4 bits a page at 25 pages a run
 *     scattered huge pages                      frame lines in units of 2 MiB
 *     few runs, or very long ones               the directory
 *
 * Regions cost more bytes than runs in the directory do, and are found with one access instead of two to seven: up to PREFER times the
 * bytes are worth that. How many pages a run line should hold is tried out on the runs themselves (fit_runs()): as many as leave few
 * lines divided. Where the lengths of runs change for good, another region begins.
 */
#include "lx.h"

#include <string.h>

#define RUN_BYTES     6u   /* of a run in the directory, about */
#define REGION_BYTES  160u /* of a region besides its lines */
#define PREFER        3u
#define GAP_PAGES     32u /* a hole this long ends a group */
#define FRAMES_MEAN   5u  /* pages from run to run; where there are less, frame lines */
#define RUNS_MIN      24u /* below, the directory is as fast */
#define SAMPLE        64u /* runs that tell how long runs are hereabouts */
#define ALIKE(a, b)   (5 * (a) <= 8 * (b) && 5 * (b) <= 8 * (a))
#define RUNS_PER_LINE 6u  /* at least, where regions are as large as can be */
#define DIVIDED_MAX   60u /* one page in so many may be in a divided line */

/* ---- The plan ---------------------------------------------------------------------------------- */

int vmmap_lx_plan_run(struct lx *t, struct lx_plan *plan, vmmap_vpn_t first, vmmap_vpn_t last,
		      uint64_t value, uint16_t tag)
{
	size_t room = plan->room ? 2 * plan->room : 16;
	struct lindex_run *runs;

	if (plan->n == plan->room) {
		runs = vmmap_host_alloc(t->host, room * sizeof(*runs), 64);
		if (!runs)
			return -ENOMEM;
		if (plan->n)
			memcpy(runs, plan->runs, plan->n * sizeof(*runs));
		vmmap_host_free_now(t->host, plan->runs, plan->room * sizeof(*runs));
		plan->runs = runs;
		plan->room = room;
	}
	plan->runs[plan->n++] = (struct lindex_run){
		.first = first, .last = last, .value = value, .tag = tag, .step = 1
	};
	return 0;
}

void vmmap_lx_plan_done(struct lx *t, struct lx_plan *plan, bool keep)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct packed *p;

		if (!(plan->runs[i].tag & LX_TAG_PACKED))
			continue;
		p = lx_region(t, plan->runs[i].value);
		if (keep)
			vmmap_lx_hints_of(t, p);
		else
			vmmap_lx_region_drop(t, p);
	}
	vmmap_host_free_now(t->host, plan->runs, plan->room * sizeof(*plan->runs));
	*plan = (struct lx_plan){ 0 };
}

/* ---- Regions ----------------------------------------------------------------------------------- */

bool vmmap_lx_pays(uint64_t pages, uint64_t runs, struct packed_shape shape)
{
	uint64_t packed = REGION_BYTES +
			  (uint64_t)packed_lines_for(shape, pages) * PACKED_LINE_BYTES;

	return packed <= (uint64_t)PREFER * RUN_BYTES * runs;
}

static vmmap_vpn_t end_of(const struct vmmap_piece *p)
{
	return p->vpn + p->pages;
}

/* Pieces with one prot and one size go into a region, its run into the plan. */
static int plan_region(struct lx *t, struct lx_plan *plan, const struct vmmap_piece *p, size_t n,
		       struct packed_shape shape)
{
	vmmap_vpn_t first = p->vpn, last = end_of(&p[n - 1]) - 1;
	struct packed *to = vmmap_lx_region_new(t, shape, first, (uint32_t)(last - first + 1));
	uint16_t tag = (uint16_t)(lx_tag_of(p->prot, p->shift) | LX_TAG_PACKED);
	int err = to ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++) {
		err = vmmap_packed_set(t->host, to, p[i].vpn, p[i].pages,
				       packed_code_of(to, p[i].pfn));
		to->live += (uint32_t)p[i].pages;
	}
	err = err ? err : vmmap_lx_plan_run(t, plan, first, last, lx_packed_value(to, first), tag);
	if (err && to)
		vmmap_lx_region_drop(t, to);
	if (err)
		return err;
	to->covered = to->pages;
	t->cost.nodes += to->nlines;
	return 0;
}

static int plan_directory(struct lx *t, struct lx_plan *plan, const struct vmmap_piece *p, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = vmmap_lx_plan_run(t, plan, p[i].vpn, end_of(&p[i]) - 1, p[i].pfn,
					lx_tag_of(p[i].prot, p[i].shift));
	return err;
}

/* ---- Frame lines ------------------------------------------------------------------------------- */

/* Whether @p may be in a region with the piece before it. */
static bool follows(const struct vmmap_piece *p, vmmap_vpn_t first)
{
	return p->prot == p[-1].prot && p->shift == p[-1].shift &&
	       p->vpn - end_of(&p[-1]) <= GAP_PAGES * vmmap_shift_pages(p->shift) &&
	       end_of(p) - first <= PACKED_MAX_PAGES;
}

static bool short_run(const struct vmmap_piece *p)
{
	return p->shift == VMMAP_2M || (p->shift == VMMAP_4K && p->pages < LX_LONG_RUN);
}

/* Pieces [0, n) that may share a region of frame lines: short, no long holes, as many as one holds. */
static size_t frames_len(const struct vmmap_piece *p, size_t n, struct packed_shape *shape)
{
	vmmap_pfn_t lo = p->pfn, hi = p->pfn;
	size_t i;

	for (i = 0; i < n && short_run(&p[i]); i++) {
		vmmap_pfn_t l = p[i].pfn < lo ? p[i].pfn : lo;
		vmmap_pfn_t h = p[i].pfn + p[i].pages - 1;
		struct packed_shape s;

		h = h > hi ? h : hi;
		s = vmmap_packed_frames_for(l, h, p->shift - VMMAP_PAGE_SHIFT);
		if (i && (!follows(&p[i], p->vpn) || end_of(&p[i]) - p->vpn > packed_max_pages(s)))
			break;
		lo = l;
		hi = h;
		*shape = s;
	}
	return i;
}

static bool frames_pay(const struct vmmap_piece *p, size_t n, struct packed_shape shape)
{
	uint64_t pages = end_of(&p[n - 1]) - p->vpn;

	return n > 1 && vmmap_lx_pays(pages, n, shape) &&
	       (shape.unit || pages < (uint64_t)FRAMES_MEAN * n);
}

/* ---- Run lines --------------------------------------------------------------------------------- */

/* What a region of run lines with a shape would be. */
struct fit {
	uint64_t bytes, divided; /* pages in divided lines */
};

/* A line with @runs runs is full. */
static void fit_line(struct fit *f, struct runline_shape shape, uint32_t runs)
{
	uint32_t parts = 2;

	f->bytes += RUNLINE_BYTES;
	if (runs <= shape.most)
		return;
	while (parts * (shape.most - 2u) < runs)
		parts *= 2;
	f->bytes += parts * RUNLINE_BYTES;
	f->divided += shape.pages;
}

static struct fit fit_of(const struct vmmap_piece *p, size_t n, struct runline_shape shape)
{
	struct fit f = { .bytes = REGION_BYTES };
	uint64_t line = 0, runs = 0;

	for (size_t i = 0; i < n; i++) {
		vmmap_vpn_t at = p[i].vpn - p->vpn, last = end_of(&p[i]) - 1 - p->vpn;

		if (i && end_of(&p[i - 1]) < p[i].vpn)
			runs++; /* the hole before it, or the line's end */
		for (; at / shape.pages != line; line++, runs = at % shape.pages != 0)
			fit_line(&f, shape, (uint32_t)runs);
		runs++;
		for (; last / shape.pages != line; line++, runs = 1)
			fit_line(&f, shape, (uint32_t)runs);
	}
	fit_line(&f, shape, (uint32_t)runs);
	return f;
}

/* Whether lines of @per pages leave few of them divided. */
static bool few_divided(const struct vmmap_piece *p, size_t n, struct packed_shape s, uint64_t per)
{
	uint64_t pages = end_of(&p[n - 1]) - p->vpn;

	return fit_of(p, n, runline_shape(s.w, (unsigned int)per)).divided * DIVIDED_MAX <= pages;
}

/*
 * Pages of a line for these runs: as many as leave few lines divided, which is the fewest bytes, too. More pages, more divided lines, but
 * for chance: found by halving, and a look at the next ones.
 */
static struct fit fit_runs(const struct vmmap_piece *p, size_t n, struct packed_shape *shape)
{
	uint64_t low = RUNLINE_RUNS_MAX, high = low * ((end_of(&p[n - 1]) - p->vpn) / n + 1), end;
	vmmap_pfn_t lo = p->pfn, hi = p->pfn;

	for (size_t i = 0; i < n; i++) {
		lo = p[i].pfn < lo ? p[i].pfn : lo;
		hi = p[i].pfn + p[i].pages - 1 > hi ? p[i].pfn + p[i].pages - 1 : hi;
	}
	*shape = vmmap_packed_runs_for(lo, hi, (unsigned int)low);
	high = high < RUNLINE_WIDE_MAX ? high : RUNLINE_WIDE_MAX;
	while (low < high) {
		uint64_t per = (low + high + 1) / 2;

		if (few_divided(p, n, *shape, per))
			low = per;
		else
			high = per - 1;
	}
	end = low + low / 8 < RUNLINE_WIDE_MAX ? low + low / 8 : RUNLINE_WIDE_MAX;
	for (uint64_t per = low + 1; per <= end; per += 1 + per / 64)
		low = few_divided(p, n, *shape, per) ? per : low;
	shape->per = (uint16_t)low;
	return fit_of(p, n, runline_shape(shape->w, shape->per));
}

/* How many runs go into one region: as long as those before, and no more than it has lines for. */
static size_t alike_len(const struct vmmap_piece *p, size_t n)
{
	size_t len = n < SAMPLE ? n : SAMPLE;
	uint64_t pages = end_of(&p[len - 1]) - p->vpn;

	while (n - len >= SAMPLE) {
		uint64_t more = end_of(&p[len + SAMPLE - 1]) - p[len].vpn;

		if (!ALIKE(pages * SAMPLE, more * len) ||
		    len + SAMPLE > (size_t)RUNS_PER_LINE * PACKED_MAX_LINES)
			return len;
		pages += more;
		len += SAMPLE;
	}
	return n; /* the few that are left have no say */
}

/* Half of the pages or more are there. Pages with regular holes are what the directory learns best. */
static bool dense(const struct vmmap_piece *p, size_t n)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < n; i++)
		pages += p[i].pages;
	return 2 * pages >= end_of(&p[n - 1]) - p->vpn;
}

/* Pieces that follow each other and are nobody else's. */
static int plan_runs(struct lx *t, struct lx_plan *plan, const struct vmmap_piece *p, size_t n)
{
	size_t len;
	int err = 0;

	for (size_t i = 0; i < n && !err; i += len) {
		struct packed_shape shape;
		struct fit fit;

		len = alike_len(p + i, n - i);
		fit = fit_runs(p + i, len, &shape);
		if (len < RUNS_MIN || !dense(p + i, len) || shape.w > RUNLINE_BITS_MAX ||
		    end_of(&p[i + len - 1]) - p[i].vpn > packed_max_pages(shape) ||
		    fit.bytes > (uint64_t)PREFER * RUN_BYTES * len)
			err = plan_directory(t, plan, p + i, len);
		else
			err = plan_region(t, plan, p + i, len, shape);
	}
	return err;
}

/* ---- All --------------------------------------------------------------------------------------- */

/* Whether @p may be in run lines, with the one before it if @i. */
static bool in_runs(const struct vmmap_piece *p, size_t i, vmmap_vpn_t first)
{
	return p->shift == VMMAP_4K && p->pages <= RUNLINE_WIDE_MAX && (!i || follows(p, first));
}

/* From @p on: a group for frame lines, or all up to the next such group, or one piece. Return: how many, or negative errno. */
static int64_t plan_next(struct lx *t, struct lx_plan *plan, const struct vmmap_piece *p, size_t n)
{
	struct packed_shape shape = { 0 };
	size_t len = 0, group;
	int err;

	group = frames_len(p, n, &shape);
	if (group && frames_pay(p, group, shape)) {
		err = plan_region(t, plan, p, group, shape);
		return err ? err : (int64_t)group;
	}
	while (len < n && in_runs(&p[len], len, p->vpn)) {
		group = len ? frames_len(p + len, n - len, &shape) : group;
		if (group && len && frames_pay(p + len, group, shape))
			break;
		/* A group that does not pay begins with pieces that are in one run of run lines, or ends here. */
		len++;
		for (size_t i = 1; i < group && len < n && in_runs(&p[len], len, p->vpn); i++)
			len++;
	}
	if (len)
		err = plan_runs(t, plan, p, len);
	else
		err = plan_directory(t, plan, p, len = group ? group : 1);
	return err ? err : (int64_t)len;
}

int vmmap_lx_plan_make(struct lx *t, const struct vmmap_piece *pieces, size_t n,
		       struct lx_plan *plan)
{
	int64_t len;

	for (size_t i = 0; i < n; i += (size_t)len) {
		len = plan_next(t, plan, pieces + i, n - i);
		if (len < 0) {
			vmmap_lx_plan_done(t, plan, false);
			return (int)len;
		}
	}
	return 0;
}
