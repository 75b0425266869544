/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * DENSE and PRESENCE: one code for each key, no key stored (drawing in node.h). A value line predicts
 * the value from the key; the code is the residual, all codes of a
 * leaf in as many bits as the largest needs. The flat line makes this frame-of-reference.
 */
#include "internal.h"

#define DENSE_PAD_BYTES 8u /* packed reads over-run */

/* A value line and the range of residuals that it leaves. */
struct value_model {
	uint64_t v0, lo, hi; /* residuals: flat: lo..hi as values; else signed around v0 */
	uint32_t mul;
	uint8_t post, neg;
	bool any;
};

/* What is left of @v after the line, as an offset from v0 (modulo 2^64). */
static uint64_t model_residual(const struct value_model *m, uint32_t i, uint64_t v)
{
	uint64_t step = lindex_value_line_at(m->mul, m->post, i);

	return m->neg ? v + step : v - step;
}

/* Include (i, v). Returns the width of a residual so far; > 64 if it has no sensible range. */
static unsigned int model_add(struct value_model *m, uint32_t i, uint64_t v)
{
	uint64_t r = model_residual(m, i, v);

	if (!m->any) {
		m->any = true;
		m->v0 = r;
		m->lo = m->hi = m->mul ? 0 : r;
	}
	if (!m->mul) {
		m->lo = lindex_min64(m->lo, r);
		m->hi = lindex_max64(m->hi, r);
		return lindex_width(m->hi - m->lo);
	}
	r -= m->v0; /* signed from here: the line may pass above or below */
	if ((int64_t)r < (int64_t)m->lo)
		m->lo = r;
	if ((int64_t)r > (int64_t)m->hi)
		m->hi = r;
	if ((m->hi - m->lo) >> 62)
		return 65;
	return lindex_width(m->hi - m->lo);
}

static uint64_t model_vbase(const struct value_model *m)
{
	return m->mul ? m->v0 + m->lo : m->lo;
}

static void model_slope(struct value_model *m, uint64_t v_first, uint64_t v_last, uint32_t di)
{
	*m = (struct value_model){ 0 };
	if (!di)
		return;
	m->neg = v_last < v_first;
	if (!lindex_value_line_fit(m->neg ? v_first - v_last : v_last - v_first, di, &m->mul,
				   &m->post))
		m->neg = 0;
	if (!m->mul)
		m->neg = m->post = 0;
}

/* One step for all, one tag for all, runs short: what both kinds ask of a run. */
static bool dense_admits(const struct lindex_run *first, const struct lindex_run *r)
{
	return r->tag == first->tag && r->step == first->step &&
	       r->last - r->first < LINDEX_DENSE_RUN;
}

static uint32_t presence_try(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			     struct value_model *model, struct lindex_plan *plan);

/**
 * lindex_dense_bend() - Bits that any value line leaves of one of three ascending keys, at least.
 *
 * The middle value is no farther from the line through the others than the residuals are wide; 2 bits less, because
 * value lines are rounded. 0 is always true.
 */
uint32_t lindex_dense_bend(const uint64_t key[3], const uint64_t value[3])
{
	uint64_t x = key[1] - key[0], dx = key[2] - key[0], at;
	bool falls = value[2] < value[0];
	uint64_t dv = falls ? value[0] - value[2] : value[2] - value[0];
	uint32_t width;

	if (!dx || x > dx || dx > UINT32_MAX || lindex_width(dv) + lindex_width(dx) > 64)
		return 0;
	at = lindex_div64(dv * x, (uint32_t)dx);
	at = falls ? value[0] - at : value[0] + at;
	width = lindex_width(value[1] < at ? at - value[1] : value[1] - at);
	return width > 2 ? width - 2 : 0;
}

/* ---- DENSE ------------------------------------------------------------------------------------- */

static uint32_t dense_units(uint32_t slots, uint32_t vw)
{
	uint32_t bytes = LINDEX_UNIT_BYTES + (slots * vw + 7) / 8 + DENSE_PAD_BYTES;

	return (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
}

/* Bits of a slot code: residual + 1, 0 being the hole. */
static unsigned int dense_code_width(const struct value_model *m)
{
	uint64_t span = m->hi - m->lo;

	return span >= UINT64_MAX >> 1 ? 65 : lindex_width(span + 1);
}

static void dense_plan(const struct lindex_run *runs, uint32_t m, uint32_t slots, uint32_t keys,
		       const struct value_model *model, unsigned int vw, struct lindex_plan *plan)
{
	*plan = (struct lindex_plan){
		.kind = LINDEX_NODE_DENSE,
		.runs = m,
		.n = slots,
		.keys = keys,
		.stride = 1,
		.base = runs[0].first,
		.end = runs[m - 1].last,
		.vbase = model_vbase(model),
		.vw = (uint8_t)vw,
		.mul = model->mul,
		.post = model->post,
		.neg = model->neg,
		.tagbase = runs[0].tag,
		.step = runs[0].step,
		.units = (uint8_t)dense_units(slots, vw),
	};
}

/* As many runs as fit with the line that @model has. */
static uint32_t dense_try(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct value_model *model, struct lindex_plan *plan)
{
	struct value_model good = *model;
	uint32_t m, slots = 0, keys = 0;

	for (m = 0; m < n; m++) {
		const struct lindex_run *r = &runs[m];
		struct value_model next = good;
		uint64_t gap = m ? r->first - runs[m - 1].last - 1 : 0;
		uint32_t len = (uint32_t)(r->last - r->first) + 1, j;
		unsigned int w = 0;

		if (!dense_admits(&runs[0], r) || gap > LINDEX_DENSE_HOLE)
			break;
		if (slots + gap + len > LINDEX_DENSE_SLOTS)
			break;
		for (j = 0; j < len && w <= 64; j++)
			w = model_add(&next, slots + (uint32_t)gap + j,
				      r->value + (r->step ? j : 0));
		if (w > 64 || dense_code_width(&next) > 56)
			break;
		if (dense_units(slots + (uint32_t)gap + len, dense_code_width(&next)) > max_units)
			break;
		slots += (uint32_t)gap + len;
		keys += len;
		good = next;
	}
	if (m)
		dense_plan(runs, m, slots, keys, &good, dense_code_width(&good), plan);
	return m;
}

uint32_t lindex_dense_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct lindex_plan *plan)
{
	struct value_model model = { 0 };
	struct lindex_plan sloped;
	uint32_t m, k, round;

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	m = dense_try(runs, n, max_units, &model, plan);
	/* A slope from the ends of what fits; once more with the ends of what fitted then. */
	for (k = m, round = 0; m > 4 && round < 2; round++) {
		uint32_t di = (uint32_t)(runs[k - 1].first - runs[0].first);

		model_slope(&model, runs[0].value, runs[k - 1].value, di);
		if (!model.mul)
			break;
		k = dense_try(runs, n, max_units, &model, &sloped);
		if (k > m || (k == m && sloped.units < plan->units)) {
			m = k;
			*plan = sloped;
		}
		if (k < 2)
			break;
	}
	return m;
}

/**
 * lindex_dense_refit() - Plan runs for a leaf of @before's kind with @before's line, not a new one: what is
 * left of a leaf after a remove leaves no larger residuals there. Returns how many fit.
 */
uint32_t lindex_dense_refit(const struct lindex_dense *before, const struct lindex_run *runs,
			    uint32_t n, uint32_t max_units, struct lindex_plan *plan)
{
	struct value_model model = { .mul = lindex_from32(before->mul),
				     .post = before->post,
				     .neg = before->neg };

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	return before->head.kind == LINDEX_NODE_DENSE ?
		       dense_try(runs, n, max_units, &model, plan) :
		       presence_try(runs, n, max_units, &model, plan);
}

static void dense_head(const struct lindex_plan *plan, struct lindex_dense *d)
{
	d->vbase = lindex_to64(plan->vbase);
	d->tagbase = lindex_to16(plan->tagbase);
	d->step = plan->step;
	d->vw = plan->vw;
	d->neg = plan->neg;
	d->post = plan->post;
	d->keys = lindex_to16((uint16_t)plan->keys);
	d->mul = lindex_to32(plan->mul);
	d->stride = lindex_to32(plan->stride);
}

static uint64_t dense_residual(const struct lindex_plan *plan, uint32_t i, uint64_t v)
{
	uint64_t step = lindex_value_line_at(plan->mul, plan->post, i);

	return (plan->neg ? v + step : v - step) - plan->vbase;
}

void lindex_dense_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node)
{
	uint32_t i;

	dense_head(plan, node);
	for (i = 0; i < plan->runs; i++) {
		const struct lindex_run *r = &runs[i];
		uint32_t slot = (uint32_t)(r->first - plan->base), j;

		for (j = 0; j <= r->last - r->first; j++)
			lindex_put_bits(
				node, LINDEX_UNIT_BYTES * 8 + (slot + j) * plan->vw, plan->vw,
				dense_residual(plan, slot + j, r->value + (r->step ? j : 0)) + 1);
	}
}

/* Append key @k with value @v: to the last run if it continues it. False: too many runs. */
static bool dense_append(const struct lindex_dense *d, struct lindex_run *runs, uint32_t *m,
			 uint64_t k, uint64_t v)
{
	struct lindex_run one = {
		.first = k,
		.last = k,
		.value = v,
		.tag = lindex_from16(d->tagbase),
		.step = d->step,
		.mapped = 1,
	};

	if (*m && lindex_run_joins(&runs[*m - 1], &one)) {
		runs[*m - 1].last = k;
		return true;
	}
	if (*m == LINDEX_LEAF_RUNS)
		return false;
	runs[(*m)++] = one;
	return true;
}

static uint64_t dense_value(const struct lindex_dense *d, uint32_t i, uint64_t residual)
{
	uint64_t step = lindex_value_line_at(lindex_from32(d->mul), d->post, i);

	return lindex_from64(d->vbase) + residual + (d->neg ? 0 - step : step);
}

LINDEX_COLD uint32_t lindex_dense_decode(const struct lindex_dense *d, struct lindex_run *runs)
{
	uint32_t i, m = 0, n = lindex_node_n(&d->head);

	for (i = 0; i < n; i++) {
		uint64_t code = lindex_get_bits((const uint8_t *)d,
						LINDEX_UNIT_BYTES * 8 + i * d->vw, d->vw);

		if (code && !dense_append(d, runs, &m, lindex_node_base(&d->head) + i,
					  dense_value(d, i, code - 1)))
			break;
	}
	return m;
}

/* ---- DENSE: patch ----------------------------------------------------------------------------------- */

static uint64_t dense_code(const struct lindex_dense *d, uint32_t slot)
{
	return lindex_get_bits((const uint8_t *)d, LINDEX_UNIT_BYTES * 8 + slot * d->vw, d->vw);
}

static void dense_put(struct lindex_dense *d, uint32_t slot, uint64_t code)
{
	uint8_t *bytes = (uint8_t *)d;
	uint32_t bit = LINDEX_UNIT_BYTES * 8 + slot * d->vw;

	lindex_flip_bits(bytes, bit, d->vw, dense_code(d, slot) ^ code);
}

/* Is slot @i + 1 the same run, or the same hole, as slot @i? */
static bool dense_goes_on(const struct lindex_dense *d, uint32_t i)
{
	uint64_t a = dense_code(d, i), b = dense_code(d, i + 1);

	if (!a || !b)
		return a == b;
	return lindex_value_follows(dense_value(d, i, a - 1), d->step,
				    dense_value(d, i + 1, b - 1));
}

/**
 * lindex_dense_patch() - The update that stays inside a DENSE leaf: its slots change where they are.
 * @copy: Output: old->units units, a sound leaf, on true. Scribbled on otherwise.
 *
 * False if the change touches the first or the last slot, if the leaf's tag, step or width cannot say it, if a run or a
 * hole would become too long, the runs perhaps too many, or the keys too few for the bytes.
 */
bool lindex_dense_patch(const struct lindex_dense *old, uint64_t first, uint64_t last,
			const struct lindex_run *run, struct lindex_dense *copy)
{
	uint64_t base = lindex_node_base(&old->head), code = 0;
	uint32_t n = lindex_node_n(&old->head), lo, hi, i, keys = lindex_from16(old->keys);

	if (first <= base || last - base >= n - 1 || n > LINDEX_LEAF_RUNS ||
	    last - first >= LINDEX_DENSE_HOLE ||
	    (run && (run->tag != lindex_from16(old->tagbase) || run->step != old->step)))
		return false;
	memcpy(copy, old, (size_t)old->head.units * LINDEX_UNIT_BYTES);
	lo = (uint32_t)(first - base);
	hi = (uint32_t)(last - base);
	for (i = lo; i <= hi; i++) {
		if (run)
			code = run->value + (run->step ? i - lo : 0) - dense_value(old, i, 0) + 1;
		if (run && (!code || code > lindex_mask(old->vw)))
			return false;
		keys = keys - (dense_code(old, i) != 0) + (code != 0);
		dense_put(copy, i, code);
	}
	copy->keys = lindex_to16((uint16_t)keys);
	if (keys < n / 2)
		return false;
	while (lo && dense_goes_on(copy, lo - 1))
		lo--;
	while (hi + 1 < n && dense_goes_on(copy, hi))
		hi++;
	return hi - lo < (run ? LINDEX_DENSE_RUN : LINDEX_DENSE_HOLE);
}

/* ---- PRESENCE ---------------------------------------------------------------------------------- */

static uint32_t gcd32(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

static uint32_t presence_units(uint32_t slots, uint32_t keys, uint32_t vw)
{
	uint32_t bytes = lindex_presence_codes_at(slots) + (keys * vw + 7) / 8 + DENSE_PAD_BYTES;

	return (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
}

static uint32_t presence_try(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			     struct value_model *model, struct lindex_plan *plan)
{
	struct value_model good = *model;
	uint32_t m, keys = 0, stride = 0, slots = 0;

	for (m = 0; m < n; m++) {
		const struct lindex_run *r = &runs[m];
		uint64_t off = r->first - runs[0].first;
		uint32_t len = (uint32_t)(r->last - r->first) + 1, j, g, s;
		struct value_model next = good;
		unsigned int w = 0;

		if (!dense_admits(&runs[0], r) || off >> 31)
			break;
		g = gcd32(stride, (uint32_t)off);
		if (len > 1)
			g = 1;
		s = ((uint32_t)off + len - 1) / (g ? g : 1) + 1;
		if (s > LINDEX_PRESENCE_SLOTS)
			break;
		for (j = 0; j < len && w <= 64; j++)
			w = model_add(&next, (uint32_t)off + j, r->value + (r->step ? j : 0));
		if (w > 56 || presence_units(s, keys + len, w) > max_units)
			break;
		stride = g;
		slots = s;
		keys += len;
		good = next;
	}
	if (!m)
		return 0;
	*plan = (struct lindex_plan){
		.kind = LINDEX_NODE_PRESENCE,
		.runs = m,
		.n = slots,
		.keys = keys,
		.stride = stride ? stride : 1,
		.base = runs[0].first,
		.end = runs[m - 1].last,
		.vbase = model_vbase(&good),
		.vw = (uint8_t)lindex_width(good.hi - good.lo),
		.mul = good.mul,
		.post = good.post,
		.neg = good.neg,
		.tagbase = runs[0].tag,
		.step = runs[0].step,
	};
	plan->units = (uint8_t)presence_units(slots, keys, plan->vw);
	return m;
}

uint32_t lindex_presence_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			     struct lindex_plan *plan)
{
	struct value_model model = { 0 };
	struct lindex_plan sloped;
	uint32_t m, k, round;

	n = lindex_min32(n, LINDEX_LEAF_RUNS);
	m = presence_try(runs, n, max_units, &model, plan);
	for (k = m, round = 0; m > 4 && round < 2; round++) {
		model_slope(&model, runs[0].value, runs[k - 1].value,
			    (uint32_t)(runs[k - 1].first - runs[0].first));
		if (!model.mul)
			break;
		k = presence_try(runs, n, max_units, &model, &sloped);
		if (k > m || (k == m && sloped.units < plan->units)) {
			m = k;
			*plan = sloped;
		}
		if (k < 2)
			break;
	}
	return m;
}

LINDEX_COLD void lindex_presence_encode(const struct lindex_plan *plan,
					const struct lindex_run *runs, void *node)
{
	uint8_t *bytes = node, *ranks = bytes + lindex_presence_ranks_at(plan->n);
	uint32_t bit = lindex_presence_codes_at(plan->n) * 8, i, keys = 0, block;

	dense_head(plan, node);
	for (i = 0; i < plan->runs; i++) {
		const struct lindex_run *r = &runs[i];
		uint32_t slot = (uint32_t)(r->first - plan->base) / plan->stride, j;

		for (j = 0; j <= r->last - r->first; j++, keys++) {
			lindex_put_bits(bytes + LINDEX_UNIT_BYTES, slot + j, 1, 1);
			lindex_put_bits(bytes, bit + keys * plan->vw, plan->vw,
					dense_residual(plan, (uint32_t)(r->first - plan->base) + j,
						       r->value + (r->step ? j : 0)));
		}
	}
	for (block = keys = 0; block * 256 < plan->n; block++) {
		lindex_st16(ranks + 2 * block, (uint16_t)keys);
		for (i = block * 4; i < block * 4 + 4 && i * 64 < plan->n; i++)
			keys += lindex_popcount64(lindex_ld64(bytes + LINDEX_UNIT_BYTES + 8 * i));
	}
}

LINDEX_COLD uint32_t lindex_presence_decode(const struct lindex_dense *d, struct lindex_run *runs)
{
	const uint8_t *bytes = (const uint8_t *)d;
	uint32_t n = lindex_node_n(&d->head), stride = lindex_from32(d->stride), i, m = 0, rank = 0;
	uint32_t bit = lindex_presence_codes_at(n) * 8;

	for (i = 0; i < n; i++) {
		if (!(bytes[LINDEX_UNIT_BYTES + i / 8] >> (i % 8) & 1))
			continue;
		if (!dense_append(d, runs, &m, lindex_node_base(&d->head) + (uint64_t)i * stride,
				  dense_value(d, i * stride,
					      lindex_get_bits(bytes, bit + rank * d->vw, d->vw))))
			break;
		rank++;
	}
	return m;
}
