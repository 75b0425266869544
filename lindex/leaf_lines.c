/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * LINES: exact runs in packed cache lines (drawing in node.h). One lookup touches the head and one
 * line. Names: off = key - base of the leaf; pw = payload bits; cap = entries that one line holds.
 */
#include "internal.h"

#define LINES_BITS (LINDEX_UNIT_BYTES * 8)
#define LINES_CAP_MAX 32u /* one vector of byte keys */

/* Largest distance of an entry from its line's first key: the pad value is not used. */
static uint64_t lines_span_max(uint32_t kw)
{
	return lindex_mask(8 * kw) - 1;
}

static uint32_t lines_dw(uint64_t off)
{
	return off < 0xffff ? 2 : off < 0xffffffff ? 4 : 8;
}

/* Lines that a leaf of @units has room for beside its head and a directory of @dw bytes each. */
static uint32_t lines_room(uint32_t units, uint32_t dw)
{
	uint32_t lines = units - 1;

	while (lines && 1 + lindex_lines_dir_units(lines, dw) + lines > units)
		lines--;
	return lines;
}

struct lines_packer {
	uint32_t kw, cap, units;
	uint32_t nlines, in_line, n, dw;
	uint32_t short_lines; /* closed by distance, not by count */
	uint64_t start;       /* off of the current line's first entry */
};

/* Put an entry at @off, in the current line or a new one. False: no room. */
static bool lines_place(struct lines_packer *p, uint64_t off)
{
	if (p->nlines && p->in_line < p->cap && off - p->start <= lines_span_max(p->kw)) {
		p->in_line++;
		p->n++;
		return true;
	}
	if (p->nlines + 1 > lines_room(p->units, lines_dw(off)))
		return false;
	p->short_lines += p->nlines && p->in_line < p->cap;
	p->dw = lines_dw(off);
	p->nlines++;
	p->n++;
	p->in_line = 1;
	p->start = off;
	return true;
}

/* Place run i and the hole before it, or neither. */
static bool lines_place_run(struct lines_packer *p, const struct lindex_run *runs, uint32_t i)
{
	struct lines_packer before = *p;

	if (i && runs[i].first != runs[i - 1].last + 1 &&
	    !lines_place(p, runs[i - 1].last + 1 - runs[0].first))
		return false;
	if (lines_place(p, runs[i].first - runs[0].first))
		return true;
	*p = before;
	return false;
}

static uint32_t lines_pw(const struct lindex_ranges *r)
{
	uint64_t span = r->vmax - r->vmin;

	if (span >> LINDEX_LINES_PW_MAX)
		return LINDEX_LINES_PW_MAX + 1;
	return lindex_width(span + 1) + lindex_ranges_tw(r) + lindex_ranges_sw(r);
}

static uint32_t lines_cap(uint32_t kw, uint32_t pw)
{
	return lindex_min32(LINES_BITS / (8 * kw + pw), LINES_CAP_MAX);
}

/* Pack greedily with keys of @kw bytes. Widths grow with the runs seen; when cap shrinks, start over. */
static uint32_t lines_pack(const struct lindex_run *runs, uint32_t n, uint32_t units, uint32_t kw,
			   struct lines_packer *p)
{
	struct lindex_ranges seen = { 0 };
	uint32_t i = 0, ranged = 0;

	*p = (struct lines_packer){ .kw = kw, .units = units, .cap = LINES_CAP_MAX };
	while (i < n) {
		if (i == ranged) {
			uint32_t pw, cap;

			lindex_ranges_add(&seen, &runs[i]);
			pw = lines_pw(&seen);
			if (pw > LINDEX_LINES_PW_MAX)
				break;
			cap = lines_cap(kw, pw);
			ranged++;
			if (cap != p->cap) {
				*p = (struct lines_packer){ .kw = kw, .units = units, .cap = cap };
				i = 0;
			}
		}
		if (!lines_place_run(p, runs, i))
			break;
		i++;
	}
	return i;
}

/* Widths of exactly the first @m runs; fewer runs than were packed may have a larger cap. */
static void lines_settle(const struct lindex_run *runs, uint32_t m, struct lines_packer *p,
			 struct lindex_plan *plan)
{
	struct lindex_ranges r = { 0 };
	uint32_t i, cap;

	for (i = 0; i < m; i++)
		lindex_ranges_add(&r, &runs[i]);
	cap = lines_cap(p->kw, lines_pw(&r));
	if (cap != p->cap) {
		*p = (struct lines_packer){ .kw = p->kw, .units = p->units, .cap = cap };
		for (i = 0; i < m; i++)
			(void)lines_place_run(p, runs, i); /* fitted with a smaller cap: fits */
	}
	*plan = (struct lindex_plan){
		.kind = LINDEX_NODE_LINES,
		.kw = (uint8_t)p->kw, .cap = (uint8_t)p->cap, .dw = (uint8_t)p->dw,
		.nlines = (uint8_t)p->nlines, .n = p->n, .runs = m,
		.units = (uint8_t)(1 + lindex_lines_dir_units(p->nlines, p->dw) + p->nlines),
		.vw = (uint8_t)lindex_width(r.vmax - r.vmin + 1),
		.tw = (uint8_t)lindex_ranges_tw(&r), .sw = (uint8_t)lindex_ranges_sw(&r),
		.step = r.steps == 2, .tagbase = r.tmin, .vbase = r.vmin,
		.base = runs[0].first, .end = runs[m - 1].last,
	};
}

uint32_t lindex_lines_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct lindex_plan *plan)
{
	struct lines_packer p, best = { 0 };
	uint32_t kw, m, best_m = 0;

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	for (kw = 1; kw <= 4; kw *= 2) {
		m = lines_pack(runs, n, max_units, kw, &p);
		if (m > best_m || (m == best_m && p.nlines < best.nlines)) {
			best_m = m;
			best = p;
		}
		/* Wider keys pay only where distance, not count, ends the lines. */
		if (p.short_lines * 4 <= p.nlines && !(p.short_lines && m < 4))
			break;
	}
	if (best_m)
		lines_settle(runs, best_m, &best, plan);
	return best_m;
}

/* ---- Encode ------------------------------------------------------------------------------------ */

struct lines_writer {
	const struct lindex_plan *plan;
	uint8_t *dir, *line; /* line: the current one */
	struct lines_packer p;
};

static void lines_put(uint8_t *at, uint32_t width, uint64_t v)
{
	if (width == 1)
		*at = (uint8_t)v;
	else if (width == 2)
		lindex_st16(at, (uint16_t)v);
	else if (width == 4)
		lindex_st32(at, (uint32_t)v);
	else
		lindex_st64(at, v);
}

static void lines_write(struct lines_writer *w, uint64_t off, uint64_t payload)
{
	const struct lindex_plan *plan = w->plan;
	uint32_t before = w->p.nlines, j, pw = (uint32_t)plan->vw + plan->tw + plan->sw;

	(void)lines_place(&w->p, off);
	if (w->p.nlines != before) {
		w->line += before ? LINDEX_UNIT_BYTES : 0;
		lines_put(w->dir + (size_t)before * plan->dw, plan->dw, off);
		memset(w->line, 0xff, (size_t)plan->cap * plan->kw);
	}
	j = w->p.in_line - 1;
	lines_put(w->line + (size_t)j * plan->kw, plan->kw, off - w->p.start);
	lindex_put_bits(w->line, plan->cap * plan->kw * 8u + j * pw, pw, payload);
}

void lindex_lines_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node)
{
	struct lindex_lines *l = node;
	uint32_t dir_units = lindex_lines_dir_units(plan->nlines, plan->dw), i;
	struct lines_writer w = {
		.plan = plan,
		.dir = dir_units ? (uint8_t *)node + LINDEX_UNIT_BYTES : l->dir,
		.line = (uint8_t *)node + LINDEX_UNIT_BYTES * (1 + dir_units),
		.p = { .kw = plan->kw, .cap = plan->cap, .units = LINDEX_MAX_UNITS * 2 },
	};

	l->head.aux = lindex_to16((uint16_t)(plan->nlines | (plan->sw ? 0 : plan->step << 8)));
	l->vbase = lindex_to64(plan->vbase);
	l->end = lindex_to64(plan->end);
	l->tagbase = lindex_to16(plan->tagbase);
	l->kw = plan->kw;
	l->cap = plan->cap;
	l->vw = plan->vw;
	l->tw = plan->tw;
	l->sw = plan->sw;
	l->dw = plan->dw;
	memset(w.dir, 0xff, dir_units ? dir_units * LINDEX_UNIT_BYTES : sizeof(l->dir));
	for (i = 0; i < plan->runs; i++) {
		const struct lindex_run *r = &runs[i];
		uint64_t payload = r->value - plan->vbase + 1;

		if (i && r->first != runs[i - 1].last + 1)
			lines_write(&w, runs[i - 1].last + 1 - plan->base, 0);
		payload |= (uint64_t)(r->tag - plan->tagbase) << plan->vw;
		if (plan->sw)
			payload |= (uint64_t)r->step << (plan->vw + plan->tw);
		lines_write(&w, r->first - plan->base, payload);
	}
}

/* ---- Decode ------------------------------------------------------------------------------------ */

static uint64_t lines_get(const uint8_t *at, uint32_t width)
{
	return width == 1 ? *at : width == 2 ? lindex_ld16(at) : width == 4 ? lindex_ld32(at) :
							       lindex_ld64(at);
}

uint32_t lindex_lines_decode(const struct lindex_lines *l, struct lindex_run *runs)
{
	uint32_t aux = lindex_from16(l->head.aux), nlines = aux & 0xff, pw = lindex_lines_pw(l);
	uint32_t dir_units = lindex_lines_dir_units(nlines, l->dw), i, j, m = 0;
	const uint8_t *dir = dir_units ? (const uint8_t *)l + LINDEX_UNIT_BYTES : l->dir;
	const uint8_t *line = (const uint8_t *)l + LINDEX_UNIT_BYTES * (1 + dir_units);
	uint64_t base = lindex_from64(l->head.base), vbase = lindex_from64(l->vbase);
	uint64_t pad = lindex_mask(8u * l->kw), vmask = lindex_mask(l->vw), tmask = lindex_mask(l->tw);
	uint16_t tagbase = lindex_from16(l->tagbase);
	struct lindex_run *open = NULL; /* the entry before, whose end is not known yet */

	for (i = 0; i < nlines; i++, line += LINDEX_UNIT_BYTES) {
		uint64_t start = base + lines_get(dir + (size_t)i * l->dw, l->dw);

		for (j = 0; j < l->cap; j++) {
			uint64_t key = lines_get(line + (size_t)j * l->kw, l->kw), w;
			uint32_t bit = l->cap * l->kw * 8u + j * pw;
			uint32_t byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);

			if (key == pad)
				break;
			if (open)
				open->last = start + key - 1;
			open = NULL;
			w = lindex_ld64(line + byte) >> (bit - 8 * byte);
			if (!(w & vmask))
				continue;
			if (m == LINDEX_LEAF_RUNS)
				return m;
			open = &runs[m++];
			*open = (struct lindex_run){
				.first = start + key, .value = vbase + (w & vmask) - 1,
				.tag = (uint16_t)(tagbase + ((w >> l->vw) & tmask)),
				.step = l->sw ? (w >> (l->vw + l->tw)) & 1 : (aux >> 8) & 1,
				.mapped = 1,
			};
		}
	}
	if (open)
		open->last = lindex_from64(l->end);
	return m;
}
