/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "world.h"

#include <string.h>

#include "check.h"
#include "same.h"

void world_open(struct world *w, const struct lindex_config *cfg, uint32_t flags,
		uint64_t cap_bytes)
{
	struct lindex_pool_config pool_cfg = { .cap_bytes = cap_bytes, .flags = flags };
	int rc;

	alloc_probe_init(&w->probe);
	twin_init(&w->twin);
	pool_cfg.allocator = &w->probe.allocator;
	rc = lindex_pool_create(&pool_cfg, &w->pool);
	CHECK(rc == 0, "pool_create is %d", rc);
	rc = lindex_create(w->pool, cfg, &w->ix);
	CHECK(rc == 0, "create is %d", rc);
}

void world_close(struct world *w)
{
	int rc;

	lindex_free(w->ix);
	rc = lindex_pool_free(w->pool);
	CHECK(rc == 0, "pool_free is %d", rc);
	alloc_probe_assert_empty(&w->probe);
	twin_destroy(&w->twin);
}

void world_build(struct world *w, const struct twin *t)
{
	size_t bad = 0;
	int rc = lindex_build(w->ix, t->runs, t->n, &bad);

	CHECK(rc == 0, "build of %zu runs is %d at %zu", t->n, rc, bad);
	twin_copy(&w->twin, t);
}

/* ---- Random changes ---------------------------------------------------------------------------- */

static uint64_t add_up(uint64_t key, uint64_t more)
{
	return more > UINT64_MAX - key ? UINT64_MAX : key + more;
}

static uint64_t take_off(uint64_t key, uint64_t less)
{
	return less > key ? 0 : key - less;
}

/* @key moved by nothing, one, or a little. */
static uint64_t nudge(uint64_t key, struct rng *rng)
{
	uint64_t by = rng_one_in(rng, 3) ? rng_below(rng, 20) : rng_below(rng, 2);

	return rng_one_in(rng, 2) ? add_up(key, by) : take_off(key, by);
}

static const struct lindex_run *pick(const struct twin *t, struct rng *rng)
{
	return &t->runs[rng_below(rng, t->n)];
}

static void order_ends(struct lindex_run *run)
{
	uint64_t first = run->first;

	if (run->first > run->last) {
		run->first = run->last;
		run->last = first;
	}
}

/* A value that does not wrap, most often of the size that it had. */
static void settle_value(struct lindex_run *run, struct rng *rng)
{
	if (run_wraps(run))
		run->value = rng_between(rng, 0, UINT64_MAX - (run->last - run->first));
}

/* A run as the shape has them, moved and cut a little. */
static struct lindex_run draw_like(const struct twin *donor, struct rng *rng)
{
	struct lindex_run run = *pick(donor, rng);

	if (rng_one_in(rng, 2))
		run.first = nudge(run.first, rng);
	if (rng_one_in(rng, 2))
		run.last = nudge(run.last, rng);
	if (rng_one_in(rng, 3))
		run.value = pick(donor, rng)->value;
	if (rng_one_in(rng, 20))
		run.value = rng_u64(rng);
	if (rng_one_in(rng, 20))
		run.step ^= 1;
	if (rng_one_in(rng, 20))
		run.tag = (uint16_t)rng_below(rng, 3);
	return run;
}

/* Something at an edge of a run that is there. */
static struct lindex_run draw_at_edge(const struct twin *now, struct rng *rng)
{
	const struct lindex_run *old = pick(now, rng);
	struct lindex_run run = *old;
	uint64_t edges[] = { old->first, take_off(old->first, 1), old->last, add_up(old->last, 1),
			     rng_between(rng, old->first, old->last) };

	run.first = edges[rng_below(rng, 5)];
	run.last = rng_one_in(rng, 3) ? edges[rng_below(rng, 5)] :
					add_up(run.first, rng_magnitude(rng, 8));
	if (rng_one_in(rng, 2))
		run.value = rng_magnitude(rng, 64);
	if (rng_one_in(rng, 4))
		run.tag = (uint16_t)rng_below(rng, 3);
	if (rng_one_in(rng, 4))
		run.step ^= 1;
	return run;
}

/* What continues the run on the left, over what is there now: it joins, now and then on both sides. */
static struct lindex_run draw_join(const struct twin *now, struct rng *rng)
{
	size_t at = rng_below(rng, now->n);
	const struct lindex_run *left = &now->runs[at];
	struct lindex_run run = *left;

	if (left->last == UINT64_MAX)
		return run;
	run.first = left->last + 1;
	run.value = lindex_value(left, left->last) + (left->step ? 1 : 0);
	if (at + 1 < now->n && rng_one_in(rng, 2))
		run.last = rng_one_in(rng, 4) ? now->runs[at + 1].last :
						now->runs[at + 1].first - 1;
	else
		run.last = add_up(run.first, rng_magnitude(rng, 10));
	/* A touching neighbour leaves no room in between. */
	if (run.last < run.first)
		run.last = run.first;
	return run;
}

/* From one run to another, some runs away: few most often, sometimes all. */
static struct lindex_run draw_wide(const struct twin *now, struct rng *rng)
{
	size_t from = rng_below(rng, now->n), span = now->n - 1 - from;
	struct lindex_run run;

	if (span > 8 && !rng_one_in(rng, 4))
		span = rng_below(rng, 8);
	else if (span)
		span = rng_below(rng, span + 1);
	run = now->runs[from];
	run.last = now->runs[from + span].last;
	if (rng_one_in(rng, 3))
		run.first = nudge(run.first, rng);
	if (rng_one_in(rng, 3))
		run.last = nudge(run.last, rng);
	if (rng_one_in(rng, 500))
		run.first = 0;
	if (rng_one_in(rng, 500))
		run.last = UINT64_MAX;
	return run;
}

static struct op draw_any(const struct twin *now, const struct twin *donor, struct rng *rng)
{
	uint64_t dice = rng_below(rng, 100);
	struct op op = { .is_remove = false };

	if (dice < 35 && donor->n) {
		op.run = draw_like(donor, rng);
	} else if (dice < 55) {
		op.run = draw_at_edge(now, rng);
	} else if (dice < 65) {
		op.run = draw_join(now, rng);
	} else if (dice < 70) {
		op.run = draw_wide(now, rng);
	} else {
		op.is_remove = true;
		op.run = dice < 80 ? draw_wide(now, rng) : draw_at_edge(now, rng);
	}
	return op;
}

struct op op_draw(const struct twin *now, const struct twin *donor, size_t limit, struct rng *rng)
{
	struct op op = { .is_remove = false };

	if (!now->n) {
		uint64_t first = rng_u64(rng);

		op.run = donor->n ? draw_like(donor, rng) : RUN(first, first, rng_u64(rng), 0, 1);
	} else {
		op = draw_any(now, donor, rng);
		if (now->n > limit && !rng_one_in(rng, 3)) {
			op.is_remove = true;
			op.run = draw_wide(now, rng);
		}
	}
	order_ends(&op.run);
	if (!op.is_remove)
		settle_value(&op.run, rng);
	return op;
}

int op_apply(struct lindex *ix, const struct op *op)
{
	return op->is_remove ? lindex_remove(ix, op->run.first, op->run.last) :
			       lindex_insert(ix, &op->run);
}

void op_apply_twin(struct twin *t, const struct op *op)
{
	if (op->is_remove)
		twin_remove(t, op->run.first, op->run.last);
	else
		twin_insert(t, &op->run);
}

void world_do(struct world *w, const struct op *op)
{
	int rc = op_apply(w->ix, op);

	CHECK(rc == 0, "%s of %s is %d", op->is_remove ? "remove" : "insert", run_text(&op->run),
	      rc);
	op_apply_twin(&w->twin, op);
}
