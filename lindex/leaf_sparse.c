/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * SPARSE: bit-packed records with explicit lengths, found by a position line and a binary search in
 * its stored window (drawing in node.h). Takes any runs at all: the kind that bounds bytes per run.
 */
#include "internal.h"

#define SPARSE_PAD_BITS 64u /* packed reads over-run by up to 8 bytes */

static uint32_t sparse_units(uint32_t m, uint32_t record_bits)
{
	uint32_t bits = LINDEX_SPARSE_RECORDS * 8 + m * record_bits + SPARSE_PAD_BITS;

	return (bits + LINDEX_UNIT_BYTES * 8 - 1) / (LINDEX_UNIT_BYTES * 8);
}

static void sparse_widths(const struct lindex_ranges *r, uint64_t off, uint64_t len,
			  struct lindex_plan *plan)
{
	plan->kw = (uint8_t)lindex_width(off);
	plan->lw = (uint8_t)lindex_width(len);
	plan->vw = (uint8_t)lindex_width(r->vmax - r->vmin);
	plan->tw = (uint8_t)lindex_ranges_tw(r);
	plan->sw = (uint8_t)lindex_ranges_sw(r);
}

static uint32_t sparse_bits(const struct lindex_plan *p)
{
	return (uint32_t)p->kw + p->lw + p->vw + p->tw + p->sw;
}

/*
 * Measure the window of the line with the lookup function itself: the position of a key is the
 * last record at or below it, so the extremes are each record's first key and the key before the next.
 */
static void sparse_window(const struct lindex_run *runs, struct lindex_plan *plan)
{
	uint32_t i, above = 0, m = plan->runs, top = m - 1;

	for (i = 0; i < m; i++) {
		uint64_t lo = lindex_line_at(plan->mul, plan->pre, plan->post,
					     runs[i].first - plan->base);
		uint64_t hi = i < top ? lindex_line_at(plan->mul, plan->pre, plan->post,
						       runs[i + 1].first - 1 - plan->base) :
					top;

		lo = lindex_min64(lo, top);
		hi = lindex_min64(hi, top);
		if (hi > i && hi - i > plan->below)
			plan->below = (uint32_t)(hi - i);
		if (lo < i && i - lo > above)
			above = (uint32_t)(i - lo);
	}
	plan->window = lindex_min32(plan->below + above + 1, m);
}

/** lindex_sparse_units() - Units that a leaf of these @n runs takes. */
uint32_t lindex_sparse_units(const struct lindex_traits *t, uint32_t n)
{
	struct lindex_plan p = { 0 };

	sparse_widths(&t->ranges, t->span, t->len_max, &p);
	return sparse_units(n, sparse_bits(&p));
}

uint32_t lindex_sparse_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			   struct lindex_plan *plan)
{
	struct lindex_ranges r = { 0 }, good = { 0 };
	struct lindex_plan p = { 0 };
	uint64_t len = 0, good_len = 0;
	struct lindex_line line;
	uint32_t m;

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	for (m = 0; m < n; m++) {
		lindex_ranges_add(&r, &runs[m]);
		len = lindex_max64(len, runs[m].last - runs[m].first);
		sparse_widths(&r, runs[m].first - runs[0].first, len, &p);
		if (sparse_units(m + 1, sparse_bits(&p)) > max_units)
			break;
		good = r;
		good_len = len;
	}
	*plan = (struct lindex_plan){
		.kind = LINDEX_NODE_SPARSE,
		.runs = m,
		.n = m,
		.base = runs[0].first,
		.end = runs[m - 1].last,
		.vbase = good.vmin,
		.tagbase = good.tmin,
		.step = good.steps == 2,
	};
	sparse_widths(&good, runs[m - 1].first - runs[0].first, good_len, plan);
	plan->units = (uint8_t)sparse_units(m, sparse_bits(plan));
	line = lindex_line_fit(runs[m - 1].first - runs[0].first, m - 1);
	plan->mul = line.mul;
	plan->pre = line.pre;
	plan->post = line.post;
	return m;
}

void lindex_sparse_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node)
{
	struct lindex_sparse *s = node;
	struct lindex_plan p = *plan;
	uint32_t bit = LINDEX_SPARSE_RECORDS * 8, i;

	sparse_window(runs, &p);
	s->vbase = lindex_to64(p.vbase);
	s->tagbase = lindex_to16(p.tagbase);
	s->kw = p.kw;
	s->lw = p.lw;
	s->vw = p.vw;
	s->tw = p.tw;
	s->sw = p.sw;
	s->step = p.sw ? 0 : p.step;
	s->mul = lindex_to32(p.mul);
	s->pre = p.pre;
	s->post = p.post;
	s->below = lindex_to16((uint16_t)p.below);
	s->window = lindex_to16((uint16_t)p.window);
	for (i = 0; i < p.runs; i++) {
		const struct lindex_run *r = &runs[i];

		lindex_put_bits(node, bit, p.kw, r->first - p.base);
		bit += p.kw;
		lindex_put_bits(node, bit, p.lw, r->last - r->first);
		bit += p.lw;
		lindex_put_bits(node, bit, p.vw, r->value - p.vbase);
		bit += p.vw;
		lindex_put_bits(node, bit, p.tw, (uint64_t)(r->tag - p.tagbase));
		bit += p.tw;
		lindex_put_bits(node, bit, p.sw, p.sw ? r->step : 0);
		bit += p.sw;
	}
}

/* Record at bit offset @bit, as a run. */
static void sparse_record(const struct lindex_sparse *s, uint32_t bit, struct lindex_run *run)
{
	const uint8_t *p = (const uint8_t *)s;

	run->first = lindex_from64(s->head.base) + lindex_get_bits(p, bit, s->kw);
	bit += s->kw;
	run->last = run->first + lindex_get_bits(p, bit, s->lw);
	bit += s->lw;
	run->value = lindex_from64(s->vbase) + lindex_get_bits(p, bit, s->vw);
	bit += s->vw;
	run->tag = (uint16_t)(lindex_from16(s->tagbase) + lindex_get_bits(p, bit, s->tw));
	bit += s->tw;
	run->step = s->sw ? (uint8_t)lindex_get_bits(p, bit, 1) : s->step;
	run->mapped = 1;
}

uint32_t lindex_sparse_decode(const struct lindex_sparse *s, struct lindex_run *runs)
{
	uint32_t rb = (uint32_t)s->kw + s->lw + s->vw + s->tw + s->sw;
	uint32_t i, n = lindex_min32(lindex_node_n(&s->head), LINDEX_LEAF_RUNS);

	for (i = 0; i < n; i++)
		sparse_record(s, LINDEX_SPARSE_RECORDS * 8 + i * rb, &runs[i]);
	return n;
}
