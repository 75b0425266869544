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
	uint32_t below, above, window; /* window: a multiple of 8 */
};

/* Offset of separator @i, of entries or of a node that has its keys. */
static LINDEX_ALWAYS_INLINE uint64_t sep_off(bool entries, const struct lindex_entry *e,
					     const struct lindex_inner *in, uint32_t i)
{
	return entries ? e[i].sep - e[0].sep : lindex_inner_key(in, i);
}

/*
 * Fit and measure, with the lookup function itself. The prediction is monotone: keys of entry i are
 * predicted between their separator and the next one. (The key before the next would be exact, and cost as much again.)
 */
static LINDEX_ALWAYS_INLINE struct inner_model inner_model(bool entries,
							   const struct lindex_entry *e,
							   const struct lindex_inner *in,
							   uint32_t n)
{
	struct inner_model m = { .line = lindex_line_fit(sep_off(entries, e, in, n - 1), n - 1) };
	uint32_t i, p;

	for (i = 0; i < n; i++) {
		p = (uint32_t)lindex_min64(lindex_line_at(m.line.mul, m.line.pre, m.line.post,
							  sep_off(entries, e, in, i)),
					   n - 1);
		if (p < i)
			m.above = lindex_max32(m.above, i - p);
		else if (i)
			m.below = lindex_max32(m.below, p - (i - 1));
	}
	/* A line that is wrong both ways can be wrong by more than there is. */
	m.window = lindex_min32(lindex_pad8(m.below + m.above + 1), lindex_pad8(n));
	return m;
}

static void inner_put_model(struct lindex_inner *in, const struct inner_model *m)
{
	in->mul = lindex_to32(m->line.mul);
	in->pre = m->line.pre;
	in->post = m->line.post;
	in->below = lindex_to16((uint16_t)m->below);
	in->above = lindex_to16((uint16_t)m->above);
	in->window = lindex_to16((uint16_t)m->window);
	in->start_max = lindex_to16((uint16_t)(lindex_pad8(lindex_node_n(&in->head)) - m->window));
}

/** lindex_inner_window() - Search window that a node of these entries would store. */
uint32_t lindex_inner_window(const struct lindex_entry *e, uint32_t n)
{
	return inner_model(true, e, NULL, n).window;
}

static void inner_put_term(struct lindex_term *t, const struct lindex_run *run)
{
	t->first = lindex_to64(run->first);
	t->last = lindex_to64(run->last);
	t->value = lindex_to64(run->value);
	t->tag = lindex_to16(run->tag);
	t->step = run->step;
}

/**
 * lindex_inner_encode() - Write a node of entries that fit. Its units: from lindex_inner_fit()'s bytes.
 * @lines: Data lines that a full leaf has: what the prefetch hint expects.
 */
void lindex_inner_encode(const struct lindex_entry *e, uint32_t n, uint32_t level, uint32_t gen,
			 uint32_t lines, void *node)
{
	struct inner_model m;
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
	in->kw = (uint8_t)kw;
	in->refs_at = lindex_to16((uint16_t)lindex_inner_refs_at(n, kw));
	in->nterm = lindex_to16((uint16_t)terms);
	in->lines = (uint8_t)(level == 1 ? lines : 0);
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
	m = inner_model(false, NULL, in, n);
	inner_put_model(in, &m);
	in->head.kind = LINDEX_NODE_INNER;
}

/** lindex_term_run() - A terminal run as a run. */
void lindex_term_run(const struct lindex_term *t, struct lindex_run *run)
{
	*run = (struct lindex_run){
		.first = lindex_from64(t->first),
		.last = lindex_from64(t->last),
		.value = lindex_from64(t->value),
		.tag = lindex_from16(t->tag),
		.step = t->step,
		.mapped = 1,
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

/* Bytes [0, cut) of @from, @room bytes left open, bytes [resume, len): an array with a gap in it. */
static void copy_around(uint8_t *to, const uint8_t *from, size_t cut, size_t room, size_t resume,
			size_t len)
{
	memcpy(to, from, cut);
	memcpy(to + cut + room, from + resume, len - resume);
}

struct widening {
	uint32_t below, above;
};

/*
 * By how much the old line can be more wrong after the exchange. A key that went to entry il..ir goes to
 * il..il+m-1 now; entries behind move by the difference; and where the first separator moves, keys
 * between its old and its new place change sides.
 */
static struct widening replace_widens(const struct lindex_inner *in, uint32_t il, uint32_t ir,
				      const struct lindex_entry *e, uint32_t m)
{
	uint32_t moved = e[0].sep != lindex_node_base(&in->head) + lindex_inner_key(in, il);

	return (struct widening){ .below = ir - il + moved, .above = m - 1 + moved };
}

static bool replace_allowed(const struct lindex_inner *in, uint32_t il, uint32_t ir,
			    const struct lindex_entry *e, uint32_t m, uint32_t *bytes)
{
	uint32_t n = lindex_node_n(&in->head), now = n - (ir - il + 1) + m, i;
	uint64_t base = lindex_node_base(&in->head);

	*bytes = lindex_inner_bytes(now, in->kw, lindex_from16(in->nterm));
	if (!m || now > LINDEX_INNER_MAX || *bytes > LINDEX_INNER_UNITS * LINDEX_UNIT_BYTES ||
	    *bytes < LINDEX_INNER_MIN_BYTES || (!il && e[0].sep != base))
		return false;
	for (i = 0; i < m; i++)
		if (e[i].ref == LINDEX_TERM || (in->kw == 4 && e[i].sep - base >= UINT32_MAX))
			return false;
	for (i = il; i <= ir; i++)
		if (lindex_inner_ref(in, i) & LINDEX_TERM)
			return false;
	return true;
}

/* Keys and refs of @in, il..ir exchanged for e[0..m), into @copy, whose head says how many there are now. */
static void replace_entries(const struct lindex_inner *in, uint32_t il, uint32_t ir,
			    const struct lindex_entry *e, uint32_t m, struct lindex_inner *copy)
{
	uint32_t n = lindex_node_n(&in->head), now = lindex_node_n(&copy->head), kw = in->kw, i;
	uint8_t *keys = (uint8_t *)copy + LINDEX_UNIT_BYTES;
	uint64_t base = lindex_node_base(&in->head);
	lindex_le32 *refs = lindex_inner_refs(copy);

	memset(keys + (size_t)kw * now, 0xff, (size_t)kw * (lindex_pad8(now) - now));
	copy_around(keys, (const uint8_t *)in + LINDEX_UNIT_BYTES, (size_t)kw * il, (size_t)kw * m,
		    (size_t)kw * (ir + 1), (size_t)kw * n);
	copy_around((uint8_t *)refs, (const uint8_t *)lindex_inner_refs(in), 4 * (size_t)il,
		    4 * (size_t)m, 4 * (size_t)(ir + 1), 4 * (size_t)n);
	for (i = 0; i < m; i++) {
		if (kw == 4)
			lindex_st32(keys + 4 * (size_t)(il + i), (uint32_t)(e[i].sep - base));
		else
			lindex_st64(keys + 8 * (size_t)(il + i), e[i].sep - base);
		refs[il + i] = lindex_to32(e[i].ref);
	}
}

/**
 * lindex_inner_replace() - A copy of @in with entries il..ir replaced by e[0..m).
 * @window_max: When the search window would be wider, the line is fitted anew.
 * @bytes: Output: what the copy takes. @copy NULL: only that.
 *
 * The old line stays while its window, widened by what the exchange can have moved, is not too wide, and while
 * no separator comes behind the last one: there, errors were not measured, as the clamp hid them.
 *
 * Return: false if the copy would need another key width, has terminal runs in the change, or is too
 * full or too empty.
 */
bool lindex_inner_replace(const struct lindex_inner *in, uint32_t il, uint32_t ir,
			  const struct lindex_entry *e, uint32_t m, uint32_t window_max,
			  uint32_t *bytes, struct lindex_inner *copy)
{
	uint32_t n = lindex_node_n(&in->head), now = n - (ir - il + 1) + m, terms, units;
	uint32_t nterm = lindex_from16(in->nterm);
	struct inner_model model = { .line = { lindex_from32(in->mul), in->pre, in->post } };
	struct widening w;

	if (!copy)
		return replace_allowed(in, il, ir, e, m, bytes);
	units = (*bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
	terms = lindex_inner_terms_at(now, in->kw);
	memcpy(copy, in, LINDEX_UNIT_BYTES);
	copy->head.units = (uint8_t)units;
	copy->head.n = lindex_to16((uint16_t)now);
	copy->head.next = 0;
	copy->head.flags = 0;
	copy->refs_at = lindex_to16((uint16_t)lindex_inner_refs_at(now, in->kw));
	memset((uint8_t *)copy + terms - 4, 0, (size_t)units * LINDEX_UNIT_BYTES - terms + 4);
	replace_entries(in, il, ir, e, m, copy);
	memcpy((uint8_t *)copy + terms, (const uint8_t *)in + lindex_inner_terms_at(n, in->kw),
	       nterm * sizeof(struct lindex_term));
	w = replace_widens(in, il, ir, e, m);
	model.below = lindex_from16(in->below) + w.below;
	model.above = lindex_from16(in->above) + w.above;
	model.window = lindex_pad8(model.below + model.above + 1);
	if (model.window > window_max ||
	    e[m - 1].sep - lindex_node_base(&in->head) > lindex_inner_key(in, n - 1))
		model = inner_model(false, NULL, copy, now);
	model.window = lindex_min32(model.window, lindex_pad8(now));
	inner_put_model(copy, &model);
	return true;
}
