/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which kind of leaf: the one that holds most runs in the bytes there are.
 */
#include "internal.h"

typedef uint32_t (*fit_fn)(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			   bool slack, struct lindex_plan *plan);

/* In order of preference among equals: LINES is the fastest to search. */
static const struct {
	uint8_t kind;
	fit_fn fit;
} kinds[] = {
	{ LINDEX_NODE_LINES, lindex_lines_fit },
	{ LINDEX_NODE_DENSE, lindex_dense_fit },
	{ LINDEX_NODE_PRESENCE, lindex_presence_fit },
	{ LINDEX_NODE_SPARSE, lindex_sparse_fit },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/**
 * lindex_leaf_fit_most() - Plan the leaf that holds most of the first @runs; returns how many.
 * A kind that is searched more slowly must hold 1/16 more.
 */
uint32_t lindex_leaf_fit_most(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			      struct lindex_plan *plan)
{
	struct lindex_plan p;
	uint32_t best = 0, m;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		m = kinds[i].fit(runs, n, max_units, false, &p);
		if (m && m * 16 > best * 17) {
			best = m;
			*plan = p;
		}
	}
	return best;
}

/**
 * lindex_leaf_fit_all() - Plan a small leaf for all @n runs. False: none holds them.
 * @before: If not NULL, what most of the runs were in: while they fit a leaf of that kind and no larger,
 *          no other kind is tried, but for every 16th number of runs. So a leaf changes its kind when
 *          it grows, and does not try in vain at every update.
 */
bool lindex_leaf_fit_all(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			 const struct lindex_node *before, bool slack, struct lindex_plan *plan)
{
	struct lindex_plan p;
	bool any = false;
	size_t i;

	/* The old line first: it is what makes a subset fit (DESIGN.md, "remove never grows"). */
	if (before && (before->kind == LINDEX_NODE_DENSE || before->kind == LINDEX_NODE_PRESENCE) &&
	    lindex_dense_refit((const struct lindex_dense *)before, runs, n, max_units, plan) ==
		    n &&
	    plan->units <= before->units && n % 16)
		return true;
	for (i = 0; i < KINDS && before && n % 16; i++)
		if (kinds[i].kind == before->kind &&
		    kinds[i].fit(runs, n, max_units, slack, plan) == n &&
		    plan->units <= before->units)
			return true;
	for (i = 0; i < KINDS; i++) {
		if (kinds[i].fit(runs, n, max_units, slack, &p) < n)
			continue;
		/* LINES takes updates line by line: what replaces it must save an eighth. */
		if (any && (plan->kind == LINDEX_NODE_LINES ? p.units * 8u > plan->units * 7u :
							      p.units >= plan->units))
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
