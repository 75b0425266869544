/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Workloads of databases: the probe side of a hash join, and probes of a B-tree.
 */
#include "gen_kind.h"

#include <errno.h>
#include <stdlib.h>

/* ---- Hash join --------------------------------------------------------------------------------- */

#define TUPLE_BYTES  16u
#define BUCKET_BYTES 64u

/*
 *     outer relation, 3/8        hash table, 1/2                       result, 1/8
 *     tuples, in order   -->     a bucket of a line, by hash;   -->    tuples, in order
 *                                one in four goes on to another;
 *                                one in two matches
 */
struct join {
	uint64_t outer, table, result; /* addresses */
	uint64_t tuples, buckets, results, at_tuple, at_result;
};

static int init_join(struct vmmap_gen *g)
{
	struct join *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	g->state = j;
	j->outer = gen_region(g, g->footprint / 8 * 3);
	j->table = gen_region(g, g->footprint / 2);
	j->result = gen_region(g, g->footprint / 8);
	j->tuples = g->regions[0].bytes / TUPLE_BYTES;
	j->buckets = g->regions[1].bytes / BUCKET_BYTES;
	j->results = g->regions[2].bytes / TUPLE_BYTES;
	return 0;
}

static int step_join(struct vmmap_gen *g)
{
	struct join *j = g->state;
	uint64_t dice = gen_next(&g->random);

	gen_read(g, j->outer + TUPLE_BYTES * j->at_tuple, TUPLE_BYTES);
	gen_read(g, j->table + BUCKET_BYTES * gen_below(&g->random, j->buckets), TUPLE_BYTES);
	if (dice % 4 == 0)
		gen_read(g, j->table + BUCKET_BYTES * gen_below(&g->random, j->buckets),
			 TUPLE_BYTES);
	if (dice >> 8 & 1) {
		gen_write(g, j->result + TUPLE_BYTES * j->at_result, TUPLE_BYTES);
		j->at_result = (j->at_result + 1) % j->results;
	}
	j->at_tuple = (j->at_tuple + 1) % j->tuples;
	return 0;
}

const struct gen_kind gen_join = { "join", "the probes of a hash join", init_join, step_join,
				   NULL };

/* ---- B-tree ------------------------------------------------------------------------------------ */

/*
 * Nodes of 512 bytes: 32 keys, then 32 children or values. Levels stand one after the other, the root first; the
 * node of a key on each level is its share of that level.
 */
#define FANOUT     32u
#define NODE_BYTES 512u
#define LEVELS_MAX 12u

struct btree {
	uint64_t level[LEVELS_MAX], nodes[LEVELS_MAX]; /* addresses, counts */
	unsigned int levels;
};

static int init_btree(struct vmmap_gen *g)
{
	struct btree *t = calloc(1, sizeof(*t));
	uint64_t base, counts[LEVELS_MAX];

	if (!t)
		return -ENOMEM;
	g->state = t;
	base = gen_region(g, g->footprint);
	/* Leaves take what inner levels leave: 31 of 32 parts. */
	counts[0] = g->regions[0].bytes / NODE_BYTES / FANOUT * (FANOUT - 1) - FANOUT;
	for (t->levels = 1; counts[t->levels - 1] > 1; t->levels++)
		counts[t->levels] = (counts[t->levels - 1] + FANOUT - 1) / FANOUT;
	for (unsigned int i = 0; i < t->levels; i++) {
		t->nodes[i] = counts[t->levels - 1 - i];
		t->level[i] = base;
		base += t->nodes[i] * NODE_BYTES;
	}
	return 0;
}

/* A binary search over the keys, then the child. */
static void read_node(struct vmmap_gen *g, uint64_t node, unsigned int slot)
{
	unsigned int low = 0, high = FANOUT;

	while (high - low > 1) {
		unsigned int mid = (low + high) / 2;

		gen_read(g, node + 8 * mid, 8);
		if (mid <= slot)
			low = mid;
		else
			high = mid;
	}
	gen_read(g, node + NODE_BYTES / 2 + 8 * slot, 8);
}

static int step_btree(struct vmmap_gen *g)
{
	const struct btree *t = g->state;
	uint64_t leaf = gen_below(&g->random, t->nodes[t->levels - 1]);
	uint64_t slot = gen_next(&g->random) % FANOUT;

	for (unsigned int i = 0; i < t->levels; i++) {
		unsigned int below = 5 * (t->levels - 1 - i); /* log2(FANOUT) bits for each level */
		uint64_t node = leaf >> below;

		read_node(g, t->level[i] + node * NODE_BYTES,
			  (unsigned int)(below ? leaf >> (below - 5) & (FANOUT - 1) : slot));
	}
	return 0;
}

const struct gen_kind gen_btree = { "btree", "probes of a B-tree", init_btree, step_btree, NULL };
