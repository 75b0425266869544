/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * LINES: exact runs in packed cache lines (drawing in node.h). One lookup touches the head and one
 * line. Names: off = key - base of the leaf; pw = payload bits; cap = entries that one line holds.
 */
#include "internal.h"

#define LINES_BITS    (LINDEX_UNIT_BYTES * 8)
#define LINES_CAP_MAX 32u /* one vector of byte keys */
#define LINES_IN_HEAD 8u  /* line starts that the head has room for */
#define SPREAD_FILL   6u  /* lines that updates write are 6/7 full */
#define SPREAD_OUT_OF 7u

/* Largest distance of an entry from its line's first key: the pad value is not used. */
static uint64_t lines_span_max(uint32_t kw)
{
	return lindex_mask(8 * kw) - 1;
}

/* Width of a directory of @nlines whose last line begins at @off; 2: it is in the head. */
static uint32_t lines_dw(uint64_t off, uint32_t nlines)
{
	return off < 0xffff && nlines <= LINES_IN_HEAD ? 2 : off < 0xffffffff ? 4 : 8;
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
	uint32_t fill; /* entries to put into one line: cap, or less to leave room for updates */
	uint32_t nlines, in_line, n, dw;
	uint32_t short_lines; /* closed by distance, not by count */
	uint64_t start;       /* off of the current line's first entry */
};

/* Put an entry at @off, in the current line or a new one. False: no room. */
static LINDEX_ALWAYS_INLINE bool lines_place(struct lines_packer *p, uint64_t off)
{
	if (p->nlines && p->in_line < p->fill && off - p->start <= lines_span_max(p->kw)) {
		p->in_line++;
		p->n++;
		return true;
	}
	if (p->nlines + 1 > lines_room(p->units, lines_dw(off, p->nlines + 1)))
		return false;
	p->short_lines += p->nlines && p->in_line < p->fill;
	p->nlines++;
	p->dw = lines_dw(off, p->nlines);
	p->n++;
	p->in_line = 1;
	p->start = off;
	return true;
}

/* Place a hole at @hole and the run behind it at @off, or neither. */
static LINDEX_NOINLINE bool lines_place_both(struct lines_packer *p, uint64_t hole, uint64_t off)
{
	struct lines_packer before = *p;

	if (lines_place(p, hole) && lines_place(p, off))
		return true;
	*p = before;
	return false;
}

/* Place run i and the hole before it, or neither. */
static LINDEX_ALWAYS_INLINE bool lines_place_run(struct lines_packer *p,
						 const struct lindex_run *runs, uint32_t i)
{
	uint64_t off = runs[i].first - runs[0].first;

	if (!i || runs[i].first == runs[i - 1].last + 1)
		return lines_place(p, off);
	return lines_place_both(p, runs[i - 1].last + 1 - runs[0].first, off);
}

/* Place runs until one does not fit. Returns how many did. */
static LINDEX_NOINLINE uint32_t lines_place_all(struct lines_packer *p,
						const struct lindex_run *runs, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n && lines_place_run(p, runs, i); i++)
		;
	return i;
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

	*p = (struct lines_packer){
		.kw = kw, .units = units, .cap = LINES_CAP_MAX, .fill = LINES_CAP_MAX
	};
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
				*p = (struct lines_packer){
					.kw = kw, .units = units, .cap = cap, .fill = cap
				};
				i = 0;
			}
		}
		if (!lines_place_run(p, runs, i))
			break;
		i++;
	}
	return i;
}

/*
 * Spread entries evenly over a few lines more, so that the next updates find room in their line
 * (lindex_lines_patch()). Keeps the tight packing if the spread one does not fit.
 */
static LINDEX_COLD void lines_spread(const struct lindex_run *runs, uint32_t m,
				     struct lines_packer *p)
{
	uint32_t want = (p->n * SPREAD_OUT_OF + p->cap * SPREAD_FILL - 1) / (p->cap * SPREAD_FILL);
	uint32_t lines = lindex_min32(want, lines_room(p->units, p->dw));
	struct lines_packer spread = { .kw = p->kw, .units = p->units, .cap = p->cap };

	if (p->dw == 2 && lines > LINES_IN_HEAD)
		lines = lindex_min32(want, lines_room(p->units, 4));
	if (!lines)
		return;
	spread.fill = (p->n + lines - 1) / lines;
	if (lines_place_all(&spread, runs, m) == m)
		*p = spread;
}

static uint32_t lines_units(const struct lines_packer *p)
{
	return 1 + lindex_lines_dir_units(p->nlines, p->dw) + p->nlines;
}

static void lines_plan(const struct lindex_run *runs, uint32_t m, const struct lines_packer *p,
		       const struct lindex_ranges *r, struct lindex_plan *plan)
{
	*plan = (struct lindex_plan){
		.kind = LINDEX_NODE_LINES,
		.kw = (uint8_t)p->kw,
		.cap = (uint8_t)p->cap,
		.fill = (uint8_t)p->fill,
		.dw = (uint8_t)p->dw,
		.nlines = (uint8_t)p->nlines,
		.n = p->n,
		.runs = m,
		.units = (uint8_t)lines_units(p),
		.vw = (uint8_t)lindex_width(r->vmax - r->vmin + 1),
		.tw = (uint8_t)lindex_ranges_tw(r),
		.sw = (uint8_t)lindex_ranges_sw(r),
		.step = r->steps == 2,
		.tagbase = r->tmin,
		.vbase = r->vmin,
		.base = runs[0].first,
		.end = runs[m - 1].last,
	};
}

/* Wider keys pay only where distance, not count, ends the lines. */
static bool lines_wider_pays(const struct lines_packer *p, uint32_t m)
{
	return p->short_lines * 4 > p->nlines || (p->short_lines && m < 4);
}

uint32_t lindex_lines_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct lindex_plan *plan)
{
	struct lines_packer p, best = { 0 };
	struct lindex_ranges r = { 0 };
	uint32_t kw, m, best_m = 0, i, cap;

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	for (kw = 1; kw <= 4; kw *= 2) {
		m = lines_pack(runs, n, max_units, kw, &p);
		if (m > best_m || (m == best_m && p.nlines < best.nlines)) {
			best_m = m;
			best = p;
		}
		if (!lines_wider_pays(&p, m))
			break;
	}
	if (!best_m)
		return 0;
	/* Widths of exactly these runs; fewer runs than were packed may have a larger cap. */
	for (i = 0; i < best_m; i++)
		lindex_ranges_add(&r, &runs[i]);
	cap = lines_cap(best.kw, lines_pw(&r));
	if (cap != best.cap) {
		best = (struct lines_packer){
			.kw = best.kw, .units = max_units, .cap = cap, .fill = cap
		};
		(void)lines_place_all(&best, runs, best_m); /* fitted with a smaller cap: all fit */
	}
	lines_plan(runs, best_m, &best, &r, plan);
	return best_m;
}

/**
 * lindex_lines_fit_all() - Plan a leaf for all @n runs, whose traits are known.
 * @slack: Leave room for updates if there is any.
 * @most:  Output: how many of them fit at most, where not all do.
 */
bool lindex_lines_fit_all(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  const struct lindex_traits *t, bool slack, struct lindex_plan *plan,
			  uint32_t *most)
{
	struct lines_packer p, best = { 0 };
	uint32_t kw, m, cap, pw = lines_pw(&t->ranges);
	uint8_t tight;

	*most = 0;
	if (n > LINDEX_LEAF_RUNS || pw > LINDEX_LINES_PW_MAX)
		return false;
	for (kw = 1; kw <= 4; kw *= 2) {
		cap = lines_cap(kw, pw);
		p = (struct lines_packer){ .kw = kw, .units = max_units, .cap = cap, .fill = cap };
		m = lines_place_all(&p, runs, n);
		if (m > *most || (m == *most && p.nlines < best.nlines)) {
			*most = m;
			best = p;
		}
		if (!lines_wider_pays(&p, m))
			break;
	}
	if (*most < n)
		return false;
	tight = (uint8_t)lines_units(&best);
	if (slack)
		lines_spread(runs, n, &best);
	lines_plan(runs, n, &best, &t->ranges, plan);
	plan->tight = tight;
	return true;
}

/* ---- Encode ------------------------------------------------------------------------------------ */

struct lines_writer {
	const struct lindex_plan *plan;
	uint8_t *dir, *line; /* line: the current one */
	struct lines_packer p;
};

static LINDEX_NOINLINE void lines_put(uint8_t *at, uint32_t width, uint64_t v)
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

/* One load and one store: a payload has at most 57 bits. Its bits are zero before. */
static void lines_put_payload(uint8_t *line, uint32_t bit, uint64_t payload)
{
	uint32_t byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);

	lindex_st64(line + byte, lindex_ld64(line + byte) | payload << (bit - 8 * byte));
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
	lines_put_payload(w->line, plan->cap * plan->kw * 8u + j * pw, payload);
}

void lindex_lines_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node)
{
	struct lindex_lines *l = node;
	uint32_t dir_units = lindex_lines_dir_units(plan->nlines, plan->dw), i;
	struct lines_writer w = {
		.plan = plan,
		.dir = dir_units ? (uint8_t *)node + LINDEX_UNIT_BYTES : l->dir,
		.line = (uint8_t *)node + LINDEX_UNIT_BYTES * (1 + dir_units),
		.p = { .kw = plan->kw,
		       .cap = plan->cap,
		       .fill = plan->fill,
		       .units = LINDEX_LEAF_UNITS * 2 },
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
	return width == 1 ? *at :
	       width == 2 ? lindex_ld16(at) :
	       width == 4 ? lindex_ld32(at) :
			    lindex_ld64(at);
}

uint32_t lindex_lines_decode(const struct lindex_lines *l, struct lindex_run *runs)
{
	uint32_t aux = lindex_from16(l->head.aux), nlines = aux & 0xff, pw = lindex_lines_pw(l);
	uint32_t dir_units = lindex_lines_dir_units(nlines, l->dw), i, j, m = 0;
	const uint8_t *dir = dir_units ? (const uint8_t *)l + LINDEX_UNIT_BYTES : l->dir;
	const uint8_t *line = (const uint8_t *)l + LINDEX_UNIT_BYTES * (1 + dir_units);
	uint64_t base = lindex_from64(l->head.base), vbase = lindex_from64(l->vbase);
	uint64_t pad = lindex_mask(8u * l->kw), vmask = lindex_mask(l->vw),
		 tmask = lindex_mask(l->tw);
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
				.first = start + key,
				.value = vbase + (w & vmask) - 1,
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

/* ---- Patch: a few lines rewritten ---------------------------------------------------------------- */

#define PATCH_LINES 4u /* two that the change lies in, and a neighbour on either side */

/* An entry of a line, taken out: what stays as it is need not be decoded. A hole's payload is zero. */
struct lines_entry {
	uint64_t first, payload;
};

LINDEX_STATIC_ASSERT((2 * PATCH_LINES * LINES_CAP_MAX + 2) * sizeof(struct lines_entry) <=
			     LINDEX_PATCH_ROOM,
		     "room of a patch");

/* A leaf and what a patch asks of it again and again. */
struct lines_view {
	const struct lindex_lines *l;
	const uint8_t *dir, *line0;
	uint32_t nlines, uniform_step;
	uint64_t base, end;
};

static void lines_open(const struct lindex_lines *l, struct lines_view *v)
{
	uint32_t aux = lindex_from16(l->head.aux), dir_units;

	v->l = l;
	v->nlines = aux & 0xff;
	v->uniform_step = aux >> 8 & 1;
	dir_units = lindex_lines_dir_units(v->nlines, l->dw);
	v->dir = dir_units ? (const uint8_t *)l + LINDEX_UNIT_BYTES : l->dir;
	v->line0 = (const uint8_t *)l + (size_t)LINDEX_UNIT_BYTES * (1 + dir_units);
	v->base = lindex_node_base(&l->head);
	v->end = lindex_from64(l->end);
}

static uint64_t lines_start(const struct lines_view *v, uint32_t i)
{
	return v->base + lines_get(v->dir + (size_t)i * v->l->dw, v->l->dw);
}

static bool lines_mapped(const struct lines_view *v, const struct lines_entry *e)
{
	return e->payload & lindex_mask(v->l->vw);
}

static uint8_t lines_step(const struct lines_view *v, const struct lines_entry *e)
{
	const struct lindex_lines *l = v->l;

	return (uint8_t)(l->sw ? e->payload >> (l->vw + l->tw) & 1 : v->uniform_step);
}

/* Of a mapped one, at @key, which it covers. */
static uint64_t lines_value(const struct lines_view *v, const struct lines_entry *e, uint64_t key)
{
	return lindex_from64(v->l->vbase) + (e->payload & lindex_mask(v->l->vw)) - 1 +
	       (lines_step(v, e) ? key - e->first : 0);
}

/* Whether @a, up to @key - 1, and @b, from @key on, are one. */
static LINDEX_NOINLINE bool lines_joins(const struct lines_view *v, const struct lines_entry *a,
					const struct lines_entry *b, uint64_t key)
{
	if (!lines_mapped(v, a) || !lines_mapped(v, b))
		return lines_mapped(v, a) == lines_mapped(v, b); /* two holes are one */
	return !((a->payload ^ b->payload) >> v->l->vw) &&
	       lindex_value_follows(lines_value(v, a, key - 1), lines_step(v, a),
				    lines_value(v, b, key));
}

static LINDEX_NOINLINE uint32_t lines_take_out(const struct lines_view *v, uint32_t i,
					       struct lines_entry *e)
{
	const struct lindex_lines *l = v->l;
	const uint8_t *line = v->line0 + (size_t)LINDEX_UNIT_BYTES * i;
	uint32_t pw = lindex_lines_pw(l), bit = l->cap * l->kw * 8u, j;
	uint64_t pad = lindex_mask(8u * l->kw), start = lines_start(v, i), mask = lindex_mask(pw);

	for (j = 0; j < l->cap; j++, bit += pw) {
		uint64_t key = lines_get(line + (size_t)j * l->kw, l->kw);
		uint32_t byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);

		if (key == pad)
			break;
		e[j].first = start + key;
		e[j].payload = lindex_ld64(line + byte) >> (bit - 8 * byte) & mask;
	}
	return j;
}

/* Of a run. False if the leaf's widths cannot say it. */
static bool lines_payload(const struct lines_view *v, const struct lindex_run *run,
			  uint64_t *payload)
{
	const struct lindex_lines *l = v->l;
	uint64_t code = run->value - lindex_from64(l->vbase) + 1;
	uint32_t tag = (uint32_t)run->tag - lindex_from16(l->tagbase);

	if (run->value < lindex_from64(l->vbase) || !code || code > lindex_mask(l->vw) ||
	    tag > lindex_mask(l->tw) || (!l->sw && run->step != v->uniform_step))
		return false;
	*payload = code | (uint64_t)tag << l->vw;
	if (l->sw)
		*payload |= (uint64_t)run->step << (l->vw + l->tw);
	return true;
}

/* What is left of @e from @key on, which it covers. False if the leaf's widths cannot say it. */
static bool lines_cut(const struct lines_view *v, struct lines_entry *e, uint64_t key)
{
	uint64_t most = lindex_mask(v->l->vw), gone = key - e->first;

	e->first = key;
	if (!lines_mapped(v, e) || !lines_step(v, e))
		return true;
	if (gone > most - (e->payload & most))
		return false;
	e->payload += gone;
	return true;
}

/*
 * e[0..n) with [mid->first, last] replaced by @mid, which begins behind e[0].first; last + 1 is covered
 * by e, or behind the leaf's end, where @mid then is. Returns how many now: at most n + 2; 0: the leaf's widths
 * cannot say what is left.
 */
static uint32_t lines_splice(const struct lines_view *v, const struct lines_entry *e, uint32_t n,
			     uint64_t last, const struct lines_entry *mid, struct lines_entry *out)
{
	struct lines_entry tail;
	uint32_t i, m = 0;

	for (i = 0; i < n && e[i].first < mid->first; i++)
		out[m++] = e[i];
	if (mid->first - 1 > v->end)
		out[m++] = (struct lines_entry){ .first = v->end + 1 };
	if (!lines_joins(v, &out[m - 1], mid, mid->first))
		out[m++] = *mid;
	if (last >= v->end)
		return m;
	while (i < n && e[i].first <= last + 1)
		i++;
	if (!lines_joins(v, &out[m - 1], &e[i - 1], last + 1)) { /* e[i - 1] covers last + 1 */
		tail = e[i - 1];
		if (!lines_cut(v, &tail, last + 1))
			return 0;
		out[m++] = tail;
	}
	for (; i < n; i++)
		out[m++] = e[i];
	return m;
}

/* Which lines hold [first - 1, last + 1], or what of it is inside the leaf: *a to *b. False if too many do. */
static bool lines_affected(const struct lines_view *v, uint64_t first, uint64_t last, uint32_t *a,
			   uint32_t *b)
{
	if (first <= v->base)
		return false;
	for (*a = v->nlines - 1; lines_start(v, *a) > first - 1; --*a)
		;
	for (*b = *a; *b + 1 < v->nlines && (last >= v->end || lines_start(v, *b + 1) <= last + 1);
	     ++*b)
		;
	return *b - *a < 2;
}

/* Has one of the lines that a patch of lines a..b may ask for help room for an entry? */
static bool lines_room_near(const struct lines_view *v, uint32_t a, uint32_t b)
{
	const struct lindex_lines *l = v->l;
	const uint8_t *last = v->line0 + (size_t)(l->cap - 1u) * l->kw;
	uint32_t hi = lindex_min32(a + PATCH_LINES, v->nlines), i = hi;

	while (i && i + PATCH_LINES > hi) {
		i--;
		if ((i < a || i > b) && lines_get(last + (size_t)LINDEX_UNIT_BYTES * i, l->kw) ==
						lindex_mask(8u * l->kw))
			return true;
	}
	return false;
}

/* Which of e[k..n) go into the next of @lines lines: an even part; or, at the leaf's end, as many as it holds. */
static uint32_t lines_part(const struct lindex_lines *l, const struct lines_entry *e, uint32_t k,
			   uint32_t n, uint32_t lines, bool at_end)
{
	uint32_t to = k + (n - k) / lines;

	if (!at_end)
		return to;
	to = lindex_min32(n, k + l->cap);
	while (e[to - 1].first - e[k].first > lines_span_max(l->kw))
		to--;
	return to;
}

/* Put e[0..n) into lines a..b of @copy, at least one into each. False if distances or widths do not allow it. */
static bool lines_refill(const struct lines_view *v, const struct lines_entry *e, uint32_t n,
			 uint32_t a, uint32_t b, bool at_end, struct lindex_lines *copy)
{
	uint8_t *dir = (uint8_t *)copy + (v->dir - (const uint8_t *)v->l);
	uint8_t *line = (uint8_t *)copy + (v->line0 - (const uint8_t *)v->l) +
			(size_t)LINDEX_UNIT_BYTES * a;
	uint32_t kw = copy->kw, keys = copy->cap * kw, pw = lindex_lines_pw(copy), i, j, k;
	uint64_t start;

	for (i = a, k = 0; i <= b; i++, line += LINDEX_UNIT_BYTES) {
		uint32_t to;

		if (k == n)
			return false;
		to = lines_part(copy, e, k, n, b - i + 1, at_end);
		start = e[k].first;
		if (lines_dw(start - v->base, 1) > copy->dw ||
		    e[to - 1].first - start > lines_span_max(kw))
			return false;
		lines_put(dir + (size_t)i * copy->dw, copy->dw, start - v->base);
		memset(line, 0, LINDEX_UNIT_BYTES);
		memset(line, 0xff, keys);
		for (j = 0; k < to; j++, k++) {
			lines_put(line + (size_t)j * kw, kw, e[k].first - start);
			lines_put_payload(line, keys * 8 + j * pw, e[k].payload);
		}
	}
	return k == n;
}

/* @copy: the leaf with a line more behind line @b, if @more: room for it, in the directory too; its bytes come later. */
static void lines_copy(const struct lines_view *v, uint32_t b, uint32_t more,
		       struct lindex_lines *copy)
{
	const struct lindex_lines *l = v->l;
	size_t head = (size_t)(v->line0 - (const uint8_t *)l) + (size_t)LINDEX_UNIT_BYTES * (b + 1);
	uint32_t behind = v->nlines - b - 1;
	uint8_t *dir = (uint8_t *)copy + (v->dir - (const uint8_t *)l) + (size_t)l->dw * (b + 1);

	memcpy(copy, l, head);
	memcpy((uint8_t *)copy + head + (size_t)LINDEX_UNIT_BYTES * more, (const uint8_t *)l + head,
	       (size_t)LINDEX_UNIT_BYTES * behind);
	if (more)
		memmove(dir + l->dw, dir, (size_t)l->dw * behind);
	copy->head.units = (uint8_t)(l->head.units + more);
	copy->head.aux = lindex_to16((uint16_t)(lindex_from16(l->head.aux) + more));
}

/**
 * lindex_lines_patch() - The update that needs no new packing: a few lines of a leaf change.
 * @old:   The leaf. @first, @last, @run: as for an update; @run NULL: remove.
 * @units: Of the copy: the leaf's, or one more for a line behind those that change.
 * @room:  LINDEX_PATCH_ROOM bytes, aligned to 8. @copy: Output: a sound leaf of @units, on true. Scribbled on
 *         otherwise.
 *
 * The lines that the change lies in take it; if they are full, with a neighbour's help, or with the line more. A run
 * that reaches or passes the leaf's end goes into the last line, or into a new one. False if the change touches the leaf's
 * first key, or its end without a run; if its widths cannot say the new run; if there is no room, or too much.
 */
bool lindex_lines_patch(const struct lindex_lines *old, uint64_t first, uint64_t last,
			const struct lindex_run *run, uint32_t units, void *room,
			struct lindex_lines *copy)
{
	struct lines_entry *in = room, *out = in + PATCH_LINES * LINES_CAP_MAX;
	struct lines_entry mid = { .first = first };
	uint32_t a, b, i, n, m, lines, more = units - old->head.units;
	struct lines_view v;
	bool at_end;

	lines_open(old, &v);
	at_end = last >= v.end;
	if ((at_end && !run) || !lines_affected(&v, first, last, &a, &b) ||
	    (run && !lines_payload(&v, run, &mid.payload)) ||
	    lindex_lines_dir_units(v.nlines + more, old->dw) !=
		    lindex_lines_dir_units(v.nlines, old->dw) ||
	    (old->dw == 2 && v.nlines + more > LINES_IN_HEAD))
		return false;
	for (;;) {
		for (i = a, n = 0; i <= b; i++)
			n += lines_take_out(&v, i, in + n);
		m = lines_splice(&v, in, n, last, &mid, out);
		if (!m)
			return false;
		lines = b - a + 1 + more;
		if (at_end || (m >= lines && m <= lines * old->cap))
			break;
		if (more || lines == PATCH_LINES || v.nlines == lines ||
		    (m > lines && !lines_room_near(&v, a, b)))
			return false;
		if (b + 1 < v.nlines)
			b++;
		else
			a--;
	}
	lines_copy(&v, b, more, copy);
	copy->head.n = lindex_to16((uint16_t)(lindex_node_n(&old->head) + m - n));
	if (at_end)
		copy->end = lindex_to64(last);
	return lines_refill(&v, out, m, a, b + more, at_end, copy);
}

/* ---- Divide: two leaves from one, by lines ----------------------------------------------------------- */

/* Might DENSE or PRESENCE, which have a residual for each key, save an eighth? False is certain, and cheap. */
static LINDEX_COLD bool lines_might_be_dense(const struct lines_view *v, struct lines_entry *e)
{
	uint64_t some[3] = { 0 }, values[3] = { 0 }, keys = 0, len;
	struct lines_entry before = { 0 };
	uint32_t i, j, n, at;

	if (v->l->tw || v->l->sw)
		return false;
	for (i = 0; i < v->nlines; i++) {
		n = lines_take_out(v, i, e);
		for (j = 0; j < n; before = e[j++]) {
			len = e[j].first - before.first;
			if (!lines_mapped(v, &before)) /* a hole, or nothing */
				continue;
			if (len > LINDEX_DENSE_RUN)
				return false;
			keys += len;
		}
		j = !lines_mapped(v, e); /* two holes are one: the next is a run */
		at = i < v->nlines / 2 ? 0 : i < v->nlines - 1 ? 1 : 2;
		if (j == n)
			continue;
		some[at] = e[j].first;
		values[at] = lines_value(v, &e[j], e[j].first);
	}
	return keys * lindex_dense_bend(some, values) / 8 + LINDEX_UNIT_BYTES <=
	       (uint64_t)v->l->head.units * LINDEX_UNIT_BYTES * 7 / 8;
}

/**
 * lindex_lines_middle() - The line at which to divide a leaf: what is from it on becomes a leaf of its own.
 * @room: LINDEX_PATCH_ROOM bytes, aligned to 8.
 *
 * 0: pack anew, because the leaf is small, or another kind might hold all of it, or the lines in the middle begin with
 * holes or are nothing but a hole.
 */
uint32_t lindex_lines_middle(const struct lindex_lines *l, void *room)
{
	struct lines_entry *e = room;
	struct lines_view v;
	uint32_t at;

	lines_open(l, &v);
	if (v.nlines < 4 || lines_might_be_dense(&v, e))
		return 0;
	for (at = v.nlines / 2; at < v.nlines; at++)
		if (lines_take_out(&v, at - 1, e) > 1 && lines_take_out(&v, at, e) &&
		    lines_mapped(&v, e))
			return at;
	return 0;
}

/**
 * lindex_lines_part() - Lines @from to @to - 1 as a leaf of their own: widths stay, nothing is packed anew.
 * @room: LINDEX_PATCH_ROOM bytes, aligned to 8. @copy: Output: a sound leaf; NULL: not wanted. Returns its units.
 *
 * Line @from begins with a run, and a hole at the end of the last line is not its only entry.
 */
uint32_t lindex_lines_part(const struct lindex_lines *l, uint32_t from, uint32_t to, void *room,
			   struct lindex_lines *copy)
{
	uint32_t nlines = to - from, dw, dir_units, i, n = 0, all = 0;
	struct lines_entry *e = room;
	struct lines_view v;
	uint8_t *dir, *line;
	uint64_t end;

	lines_open(l, &v);
	dw = lines_dw(lines_start(&v, to - 1) - lines_start(&v, from), nlines);
	dir_units = lindex_lines_dir_units(nlines, dw);
	if (!copy)
		return 1 + dir_units + nlines;
	*copy = *l;
	dir = dir_units ? (uint8_t *)copy + LINDEX_UNIT_BYTES : copy->dir;
	line = (uint8_t *)copy + (size_t)LINDEX_UNIT_BYTES * (1 + dir_units);
	memset(copy->dir, 0, sizeof(copy->dir));
	memset(dir, 0xff, dir_units ? dir_units * LINDEX_UNIT_BYTES : sizeof(copy->dir));
	memcpy(line, v.line0 + (size_t)LINDEX_UNIT_BYTES * from,
	       (size_t)LINDEX_UNIT_BYTES * nlines);
	for (i = 0; i < nlines; i++, all += n) {
		lines_put(dir + (size_t)i * dw, dw,
			  lines_start(&v, from + i) - lines_start(&v, from));
		n = lines_take_out(&v, from + i, e);
	}
	end = to < v.nlines ? lines_start(&v, to) - 1 : v.end;
	if (!lines_mapped(&v, &e[n - 1])) { /* a hole at the end is none */
		end = e[n - 1].first - 1;
		line += (size_t)LINDEX_UNIT_BYTES * (nlines - 1) + (size_t)(n - 1) * l->kw;
		lines_put(line, l->kw, lindex_mask(8u * l->kw));
		all--;
	}
	copy->head.units = (uint8_t)(1 + dir_units + nlines);
	copy->head.n = lindex_to16((uint16_t)all);
	copy->head.aux = lindex_to16((uint16_t)(v.uniform_step << 8 | nlines));
	copy->head.base = lindex_to64(lines_start(&v, from));
	copy->end = lindex_to64(end);
	copy->dw = (uint8_t)dw;
	return copy->head.units;
}
