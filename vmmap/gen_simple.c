/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Workloads of one array: random updates, a chase along pointers, reading in order, and with a stride.
 */
#include "gen_kind.h"

#include <errno.h>
#include <stdlib.h>

#define WORD_BYTES 8u
#define NODE_BYTES 64u

/** struct position - Of the next access. */
struct position {
	uint64_t base, units, at;
	struct gen_renumber order;
};

static int init_array(struct vmmap_gen *g, uint64_t unit_bytes)
{
	struct position *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	g->state = p;
	p->base = gen_region(g, g->footprint);
	p->units = g->regions[0].bytes / unit_bytes;
	gen_renumber_init(&p->order, gen_log2(p->units), g->seed);
	return 0;
}

static int init_words(struct vmmap_gen *g)
{
	return init_array(g, WORD_BYTES);
}

static int init_nodes(struct vmmap_gen *g)
{
	return init_array(g, NODE_BYTES);
}

static int step_gups(struct vmmap_gen *g)
{
	const struct position *p = g->state;
	uint64_t va = p->base + WORD_BYTES * gen_below(&g->random, p->units);

	gen_read(g, va, WORD_BYTES);
	gen_write(g, va, WORD_BYTES);
	return 0;
}

/* The order of a random cycle through all nodes of the largest power of two: node i leads to node i + 1, permuted. */
static int step_chase(struct vmmap_gen *g)
{
	struct position *p = g->state;

	gen_read(g, p->base + NODE_BYTES * gen_renumber(&p->order, p->at++), WORD_BYTES);
	return 0;
}

static int step_sequential(struct vmmap_gen *g)
{
	struct position *p = g->state;

	gen_read(g, p->base + WORD_BYTES * p->at, WORD_BYTES);
	p->at = p->at + 1 < p->units ? p->at + 1 : 0;
	return 0;
}

static int step_stride(struct vmmap_gen *g)
{
	struct position *p = g->state;
	uint64_t bytes = g->regions[0].bytes;

	gen_read(g, p->base + p->at, WORD_BYTES);
	p->at += g->stride;
	if (p->at > bytes - WORD_BYTES)
		p->at %= g->stride;
	return 0;
}

const struct gen_kind gen_gups = { "gups", "random updates of 8 bytes: a read and a write each",
				   init_words, step_gups, NULL };
const struct gen_kind gen_chase = { "chase", "a chain of pointers through all nodes of 64 bytes",
				    init_nodes, step_chase, NULL };
const struct gen_kind gen_sequential = { "sequential", "reads of 8 bytes in order", init_words,
					 step_sequential, NULL };
const struct gen_kind gen_stride = { "stride", "reads of 8 bytes, a stride apart", init_words,
				     step_stride, NULL };
