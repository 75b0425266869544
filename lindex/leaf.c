/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which kind of leaf: the one that holds most runs in the bytes there are.
 */
#include "internal.h"

typedef uint32_t (*fit_fn)(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			   struct lindex_plan *plan);

/* The kinds beside LINES, which comes first: it is the fastest to search and to change. */
static const struct {
	uint8_t kind;
	fit_fn fit;
} others[] = {
	{ LINDEX_NODE_DENSE, lindex_dense_fit },
	{ LINDEX_NODE_PRESENCE, lindex_presence_fit },
	{ LINDEX_NODE_SPARSE, lindex_sparse_fit },
};
#define OTHERS (sizeof(others) / sizeof(others[0]))

static void traits_of(const struct lindex_run *runs, uint32_t n, struct lindex_traits *t)
{
	const struct lindex_run *mid = &runs[n / 2], *end = &runs[n - 1];
	uint32_t i;

	*t = (struct lindex_traits){ 0 };
	for (i = 0; i < n; i++) {
		lindex_ranges_add(&t->ranges, &runs[i]);
		t->len_max = lindex_max64(t->len_max, runs[i].last - runs[i].first);
		t->keys += runs[i].last - runs[i].first + 1;
	}
	t->span = end->first - runs[0].first;
	t->bend = lindex_dense_bend((const uint64_t[]){ runs[0].first, mid->first, end->first },
				    (const uint64_t[]){ runs[0].value, mid->value, end->value });
}

/* Could a kind hold all these runs in @units? False is certain, and cheap; true is worth a fit. */
static bool could_fit(uint8_t kind, const struct lindex_traits *t, uint32_t n, uint32_t units)
{
	if (kind == LINDEX_NODE_SPARSE)
		return lindex_sparse_units(t, n) <= units;
	return t->len_max < LINDEX_DENSE_RUN && t->ranges.tmin == t->ranges.tmax &&
	       t->ranges.steps != 3 && t->keys * t->bend / 8 <= (uint64_t)units * LINDEX_UNIT_BYTES;
}

/**
 * lindex_leaf_fit_most() - Plan the leaf that holds most of the first @runs; returns how many.
 * A kind that is searched more slowly must hold 1/16 more.
 */
uint32_t lindex_leaf_fit_most(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			      struct lindex_plan *plan)
{
	uint32_t best = lindex_lines_fit(runs, n, max_units, plan), need, m;
	struct lindex_traits t;
	struct lindex_plan p;
	size_t i;

	for (i = 0; i < OTHERS; i++) {
		need = best * 17 / 16 + 1;
		if (need > n)
			break;
		traits_of(runs, need, &t);
		if (!could_fit(others[i].kind, &t, need, max_units))
			continue;
		m = others[i].fit(runs, n, max_units, &p);
		if (m >= need) {
			best = m;
			*plan = p;
		}
	}
	return best;
}

/*
 * A leaf of @before's kind, not LINES, and no larger. The old line is tried first: it is what makes a
 * subset fit (DESIGN.md, "remove never grows").
 */
static bool keep_kind(const struct lindex_node *before, const struct lindex_run *runs, uint32_t n,
		      uint32_t max_units, struct lindex_plan *plan)
{
	size_t i;

	if ((before->kind == LINDEX_NODE_DENSE || before->kind == LINDEX_NODE_PRESENCE) &&
	    lindex_dense_refit((const struct lindex_dense *)before, runs, n, max_units, plan) ==
		    n &&
	    plan->units <= before->units)
		return true;
	for (i = 0; i < OTHERS; i++)
		if (others[i].kind == before->kind)
			return others[i].fit(runs, n, max_units, plan) == n &&
			       plan->units <= before->units;
	return false;
}

/* LINES takes updates line by line: what is there instead must save an eighth. */
static bool saves(uint32_t units, uint32_t lines_units)
{
	return units * 8 <= lines_units * 7;
}

/**
 * lindex_leaf_fit_all() - Plan a small leaf for all @n runs. False: none holds them.
 * @before: If not NULL, what most of the runs were in: while they fit a leaf of that kind and no larger,
 *          no other kind is tried, but for every 16th number of runs. So a leaf changes its kind when
 *          it grows, and does not try in vain at every update.
 * @slack:  Leave room for updates. A leaf that LINES all but holds is then divided rather than made SPARSE,
 *          where every update would rewrite it; it would be divided a few updates later anyway.
 */
bool lindex_leaf_fit_all(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			 const struct lindex_node *before, bool slack, struct lindex_plan *plan)
{
	bool any = before && keep_kind(before, runs, n, max_units, plan), divide;
	struct lindex_traits t;
	struct lindex_plan p;
	uint32_t most, i;

	if (any && n % 16)
		return true;
	traits_of(runs, n, &t);
	if (lindex_lines_fit_all(runs, n, max_units, &t, slack, &p, &most) &&
	    (!any || (p.units <= before->units && !saves(plan->units, p.tight)))) {
		any = true;
		*plan = p;
		if (before && before->kind == LINDEX_NODE_LINES && n % 16 &&
		    p.units <= before->units)
			return true;
	}
	divide = slack && most < n && n * 8 <= most * 9;
	if (any && plan->kind == LINDEX_NODE_LINES) /* what does not save is not looked for */
		max_units = plan->tight * 7u / 8;
	for (i = 0; i < OTHERS; i++) {
		if (!could_fit(others[i].kind, &t, n, max_units) ||
		    (others[i].kind == LINDEX_NODE_SPARSE && divide) ||
		    others[i].fit(runs, n, max_units, &p) < n)
			continue;
		if (any && plan->kind != LINDEX_NODE_LINES && p.units >= plan->units)
			continue;
		any = true;
		*plan = p;
	}
	return any;
}

/** lindex_leaf_encode() - Write the leaf that @plan describes into plan->units units at @node. */
void lindex_leaf_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node,
			uint32_t gen)
{
	struct lindex_node *head = node;

	memset(node, 0, (size_t)plan->units * LINDEX_UNIT_BYTES);
	head->units = plan->units;
	head->n = lindex_to16((uint16_t)plan->n);
	head->gen = lindex_to32(gen);
	head->base = lindex_to64(plan->base);
	switch (plan->kind) {
	case LINDEX_NODE_LINES:
		lindex_lines_encode(plan, runs, node);
		break;
	case LINDEX_NODE_SPARSE:
		lindex_sparse_encode(plan, runs, node);
		break;
	case LINDEX_NODE_DENSE:
		lindex_dense_encode(plan, runs, node);
		break;
	default:
		lindex_presence_encode(plan, runs, node);
		break;
	}
	head->kind = plan->kind;
}

/** lindex_leaf_decode() - The runs of a sound leaf, ascending. Returns how many. */
uint32_t lindex_leaf_decode(const struct lindex_node *node, struct lindex_run *runs)
{
	switch (node->kind) {
	case LINDEX_NODE_LINES:
		return lindex_lines_decode((const struct lindex_lines *)node, runs);
	case LINDEX_NODE_SPARSE:
		return lindex_sparse_decode((const struct lindex_sparse *)node, runs);
	case LINDEX_NODE_DENSE:
		return lindex_dense_decode((const struct lindex_dense *)node, runs);
	case LINDEX_NODE_PRESENCE:
		return lindex_presence_decode((const struct lindex_dense *)node, runs);
	default:
		return 0;
	}
}
