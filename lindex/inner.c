/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inner nodes: separators, refs, terminal runs, and the position line that predicts the entry
 * (drawing in node.h).
 */
#include "internal.h"

static uint32_t inner_kw(const struct lindex_entry *e, uint32_t n)
{
	return e[n - 1].sep - e[0].sep < UINT32_MAX ? 4 : 8;
}

static uint32_t inner_terms(const struct lindex_entry *e, uint32_t n)
{
	uint32_t i, terms = 0;

	for (i = 0; i < n; i++)
		terms += e[i].ref == LINDEX_TERM;
	return terms;
}

/** lindex_inner_fit() - How many of the first entries one node holds; @bytes: what they take. */
uint32_t lindex_inner_fit(const struct lindex_entry *e, uint32_t n, uint32_t *bytes)
{
	uint32_t i, terms = 0, now;

	*bytes = LINDEX_UNIT_BYTES;
	for (i = 0; i < n && i < LINDEX_INNER_MAX; i++) {
		terms += e[i].ref == LINDEX_TERM;
		now = lindex_inner_bytes(i + 1, inner_kw(e, i + 1), terms);
		if (now > LINDEX_INNER_UNITS * LINDEX_UNIT_BYTES)
			break;
		*bytes = now;
	}
	return i;
}

struct inner_model {
	struct lindex_line line;
	uint32_t below, window; /* window: a multiple of 8 */
};

/*
 * Fit and measure, with the lookup function itself. The prediction is monotone, so the extremes of an
 * entry are its separator and the key before the next; behind the last separator p is clamped.
 */
static struct inner_model inner_model(const struct lindex_entry *e, uint32_t n)
{
	struct inner_model m = { .line = lindex_line_fit(e[n - 1].sep - e[0].sep, n - 1) };
	uint32_t i, above = 0;

	for (i = 0; i < n; i++) {
		uint64_t lo = lindex_line_at(m.line.mul, m.line.pre, m.line.post,
					     e[i].sep - e[0].sep);
		uint64_t hi = i + 1 < n ? lindex_line_at(m.line.mul, m.line.pre, m.line.post,
							 e[i + 1].sep - 1 - e[0].sep) : n - 1;

		lo = lindex_min64(lo, n - 1);
		hi = lindex_min64(hi, n - 1);
		if (hi > i && hi - i > m.below)
			m.below = (uint32_t)(hi - i);
		if (lo < i && i - lo > above)
			above = (uint32_t)(i - lo);
	}
	m.window = lindex_pad8(m.below + above + 1);
	return m;
}

/** lindex_inner_window() - Search window that a node of these entries would store. */
uint32_t lindex_inner_window(const struct lindex_entry *e, uint32_t n)
{
	return inner_model(e, n).window;
}

static void inner_put_term(struct lindex_term *t, const struct lindex_run *run)
{
	t->first = lindex_to64(run->first);
	t->last = lindex_to64(run->last);
	t->value = lindex_to64(run->value);
	t->tag = lindex_to16(run->tag);
	t->step = run->step;
}

/** lindex_inner_encode() - Write a node of entries that fit. Its units: from lindex_inner_fit()'s bytes. */
void lindex_inner_encode(const struct lindex_entry *e, uint32_t n, uint32_t level, uint32_t gen, void *node)
{
	struct inner_model m = inner_model(e, n);
	uint32_t kw = inner_kw(e, n), terms = inner_terms(e, n), i, t = 0;
	uint32_t bytes = lindex_inner_bytes(n, kw, terms);
	uint32_t units = (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
	struct lindex_inner *in = node;
	uint8_t *keys = (uint8_t *)node + LINDEX_UNIT_BYTES;
	lindex_le32 *refs;
	struct lindex_term *term;

	memset(node, 0, (size_t)units * LINDEX_UNIT_BYTES);
	in->head.units = (uint8_t)units;
	in->head.n = lindex_to16((uint16_t)n);
	in->head.gen = lindex_to32(gen);
	in->head.level = (uint8_t)level;
	in->head.base = lindex_to64(e[0].sep);
	in->mul = lindex_to32(m.line.mul);
	in->pre = m.line.pre;
	in->post = m.line.post;
	in->below = (uint8_t)m.below;
	in->window = (uint8_t)m.window;
	in->kw = (uint8_t)kw;
	in->nterm = (uint8_t)terms;
	refs = lindex_inner_refs(in);
	term = (struct lindex_term *)((uint8_t *)node + lindex_inner_terms_at(n, kw));
	memset(keys, 0xff, (size_t)kw * lindex_pad8(n));
	for (i = 0; i < n; i++) {
		if (kw == 4)
			lindex_st32(keys + 4 * i, (uint32_t)(e[i].sep - e[0].sep));
		else
			lindex_st64(keys + 8 * i, e[i].sep - e[0].sep);
		refs[i] = lindex_to32(e[i].ref == LINDEX_TERM ? LINDEX_TERM | t : e[i].ref);
		if (e[i].ref == LINDEX_TERM)
			inner_put_term(&term[t++], &e[i].run);
	}
	in->head.kind = LINDEX_NODE_INNER;
}

/** lindex_term_run() - A terminal run as a run. */
void lindex_term_run(const struct lindex_term *t, struct lindex_run *run)
{
	*run = (struct lindex_run){
		.first = lindex_from64(t->first), .last = lindex_from64(t->last),
		.value = lindex_from64(t->value), .tag = lindex_from16(t->tag),
		.step = t->step, .mapped = 1,
	};
}

/** lindex_inner_decode() - The entries of a sound node. Returns how many. */
uint32_t lindex_inner_decode(const struct lindex_inner *in, struct lindex_entry *e)
{
	uint32_t i, n = lindex_node_n(&in->head);

	for (i = 0; i < n; i++) {
		uint32_t ref = lindex_inner_ref(in, i);

		e[i].sep = lindex_node_base(&in->head) + lindex_inner_key(in, i);
		e[i].ref = ref & LINDEX_TERM ? LINDEX_TERM : ref;
		if (ref & LINDEX_TERM)
			lindex_term_run(lindex_inner_term(in, ref), &e[i].run);
	}
	return n;
}

/** lindex_inner_find() - Index of the entry for @key, without the model: the writer's way. */
uint32_t lindex_inner_find(const struct lindex_inner *in, uint64_t key)
{
	uint32_t lo = 0, hi = lindex_node_n(&in->head);
	uint64_t base = lindex_node_base(&in->head), off = key > base ? key - base : 0;

	while (hi - lo > 1) {
		uint32_t mid = (lo + hi) / 2;

		if (lindex_inner_key(in, mid) <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}
