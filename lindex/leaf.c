/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which kind of leaf: the one that holds most runs in the bytes there are.
 */
#include "internal.h"

typedef uint32_t (*fit_fn)(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			   struct lindex_plan *plan);

/* In order of preference among equals: LINES is the fastest to search. */
static const fit_fn fits[] = {
	lindex_lines_fit,
	lindex_dense_fit,
	lindex_presence_fit,
	lindex_sparse_fit,
};

/**
 * lindex_leaf_fit() - Plan the best leaf for the first of @runs.
 * @whole: All @n runs or nothing: the kind with the fewest units wins; returns 0 if none holds all.
 *         Otherwise the kind that holds most runs wins; one that is searched more slowly must hold
 *         1/16 more.
 */
uint32_t lindex_leaf_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units, bool whole,
			 struct lindex_plan *plan)
{
	struct lindex_plan p;
	uint32_t best = 0, m;
	size_t i;

	for (i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		m = fits[i](runs, n, max_units, &p);
		if (whole && m < n)
			continue;
		if (m && (!best || (whole ? p.units < plan->units : m * 16 > best * 17))) {
			best = m;
			*plan = p;
		}
	}
	return best;
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
