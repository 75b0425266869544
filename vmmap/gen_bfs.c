/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Breadth-first search on a Kronecker graph (Graph500's parameters A = 0.57, B = C = 0.19, D = 0.05; 16 edges and
 * more for each vertex, in both directions; vertices renumbered at random, as the benchmark wants it).
 *
 * The search is real, the graph is implicit. In the generator's numbers, the number of edges of a vertex is the expected one,
 * which depends on how many bits of the number are 1 alone (rounded up or down by a hash); neighbour k of vertex v is a
 * hash of (v, k), drawn bit by bit with the probabilities of the graph. What is kept in memory is a bit for each vertex,
 * the frontier, and where the edges of each 64th vertex begin.
 *
 *     offsets  u64 [N + 1]   parents  u32 [N]   frontier  u32 [N]   edges  u32 [E]
 */
#include "gen_kind.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EDGES_AT_ONCE    256u
#define GROUP            64u /* vertices */
#define MOST_SKIPPED     (UINT64_C(1) << 19)
#define BYTES_PER_VERTEX (8u + 4u + 4u + 32u * 4u) /* 16 edges, in both directions */

/* Chances of a 0: of a bit of any vertex; of 256, of a neighbour's bit where the vertex has 0, or 1. */
#define P_VERTEX   0.76 /* A + B */
#define P_BESIDE_0 192u /* A / (A + B) */
#define P_BESIDE_1 203u /* C / (C + D) */

struct bfs {
	uint64_t offsets, parents, frontier, edges; /* addresses */
	uint64_t vertices, n_edges;
	unsigned int bits;
	struct gen_renumber renumber;
	double degree[33]; /* expected edges, by ones in the generator's number */
	uint64_t *begins;  /* edges of vertices below each 64th */
	uint64_t *visited;
	uint32_t *queue; /* vertices found and not expanded, from queue[head] on */
	size_t head, tail, room;
	uint64_t popped, pushed;          /* in all: places in the frontier array */
	uint64_t vertex, edge, edges_end; /* being expanded */
};

static void free_bfs(void *state)
{
	struct bfs *b = state;

	free(b->begins);
	free(b->visited);
	free(b->queue);
	free(b);
}

/* Edges of @v, a vertex in the order of the arrays. */
static uint64_t degree(const struct vmmap_gen *g, const struct bfs *b, uint64_t v)
{
	uint64_t number = gen_renumber(&b->renumber, v);
	double dice = (double)(gen_mix(number ^ g->seed) >> 11) * 0x1p-53;

	return (uint64_t)(b->degree[__builtin_popcountll(number)] + dice);
}

static uint64_t edges_below(const struct vmmap_gen *g, const struct bfs *b, uint64_t v)
{
	uint64_t sum = b->begins[v / GROUP];

	for (uint64_t u = v & ~(uint64_t)(GROUP - 1); u < v; u++)
		sum += degree(g, b, u);
	return sum;
}

static void count_edges(struct vmmap_gen *g, struct bfs *b)
{
	double edges = (double)b->n_edges;

	for (unsigned int ones = 0; ones <= b->bits; ones++)
		b->degree[ones] = edges * pow(P_VERTEX, b->bits - ones) * pow(1 - P_VERTEX, ones);
	b->n_edges = 0;
	for (uint64_t v = 0; v < b->vertices; v++) {
		if (v % GROUP == 0)
			b->begins[v / GROUP] = b->n_edges;
		b->n_edges += degree(g, b, v);
	}
}

static uint64_t neighbour(const struct vmmap_gen *g, const struct bfs *b, uint64_t v, uint64_t k)
{
	uint64_t number = gen_renumber(&b->renumber, v), found = 0, dice = 0;
	uint64_t from = g->seed ^ gen_mix(number * UINT64_C(0x9e3779b97f4a7c15) + k);

	for (unsigned int bit = 0; bit < b->bits; bit++) {
		uint64_t p = number >> bit & 1 ? P_BESIDE_1 : P_BESIDE_0;

		if (bit % 8 == 0)
			dice = gen_next(&from);
		found |= (uint64_t)((dice & 0xff) >= p) << bit;
		dice >>= 8;
	}
	return gen_renumber_back(&b->renumber, found);
}

static bool visit(struct bfs *b, uint64_t v)
{
	uint64_t bit = UINT64_C(1) << v % 64;

	if (b->visited[v / 64] & bit)
		return false;
	b->visited[v / 64] |= bit;
	return true;
}

static int push(struct vmmap_gen *g, struct bfs *b, uint64_t v)
{
	if (b->tail == b->room) {
		size_t room = b->room ? 2 * b->room : 4096;
		uint32_t *queue = realloc(b->queue, room * sizeof(*queue));

		if (!queue)
			return -ENOMEM;
		b->queue = queue;
		b->room = room;
	}
	b->queue[b->tail++] = (uint32_t)v;
	gen_write(g, b->parents + 4 * v, 4);
	gen_write(g, b->frontier + 4 * (b->pushed++ % b->vertices), 4);
	return 0;
}

/* From a vertex that has edges; when there has been no new one for long, everything is forgotten. */
static int begin_search(struct vmmap_gen *g, struct bfs *b)
{
	b->head = b->tail = 0;
	for (unsigned int tries = 0;; tries++) {
		uint64_t v = neighbour(g, b, gen_renumber_back(&b->renumber, 0),
				       gen_next(&g->random));

		if (tries == 1000)
			memset(b->visited, 0, (b->vertices / GROUP + 1) * sizeof(*b->visited));
		if (visit(b, v))
			return push(g, b, v);
	}
}

/* The memory of what was expanded is used again. */
static void forget_expanded(struct bfs *b)
{
	if (b->head < 65536 || b->head < b->tail / 2)
		return;
	memmove(b->queue, b->queue + b->head, (b->tail - b->head) * sizeof(*b->queue));
	b->tail -= b->head;
	b->head = 0;
}

static int next_vertex(struct vmmap_gen *g, struct bfs *b)
{
	int err = b->head == b->tail ? begin_search(g, b) : 0;

	if (err)
		return err;
	b->vertex = b->queue[b->head++];
	forget_expanded(b);
	gen_read(g, b->frontier + 4 * (b->popped++ % b->vertices), 4);
	gen_read(g, b->offsets + 8 * b->vertex, 8);
	gen_read(g, b->offsets + 8 * (b->vertex + 1), 8);
	b->edge = edges_below(g, b, b->vertex);
	b->edges_end = b->edge + degree(g, b, b->vertex);
	return 0;
}

static int step_bfs(struct vmmap_gen *g)
{
	struct bfs *b = g->state;
	int err = b->edge == b->edges_end ? next_vertex(g, b) : 0;

	for (unsigned int i = 0; i < EDGES_AT_ONCE && b->edge < b->edges_end && !err; i++) {
		uint64_t v = neighbour(g, b, b->vertex, b->edge);

		gen_read(g, b->edges + 4 * b->edge++, 4);
		gen_read(g, b->parents + 4 * v, 4);
		if (visit(b, v))
			err = push(g, b, v);
	}
	return err;
}

/* Past the beginning, where one vertex has a large part of all edges: its accesses are not given out. */
static int skip_beginning(struct vmmap_gen *g, struct bfs *b)
{
	uint64_t enough = b->vertices / 64 < MOST_SKIPPED ? b->vertices / 64 : MOST_SKIPPED;
	int err = 0;

	while (b->pushed < enough && !err) {
		err = step_bfs(g);
		g->end = 0;
	}
	return err;
}

static int init_bfs(struct vmmap_gen *g)
{
	struct bfs *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	g->state = b;
	b->bits = gen_log2(g->footprint / BYTES_PER_VERTEX);
	b->vertices = UINT64_C(1) << b->bits;
	b->n_edges = (g->footprint - 16 * b->vertices) / 4;
	gen_renumber_init(&b->renumber, b->bits, g->seed);
	b->begins = malloc((b->vertices / GROUP + 1) * sizeof(*b->begins));
	b->visited = calloc(b->vertices / GROUP + 1, sizeof(*b->visited));
	if (!b->begins || !b->visited)
		return -ENOMEM;
	count_edges(g, b);
	b->offsets = gen_region(g, 8 * (b->vertices + 1));
	b->parents = gen_region(g, 4 * b->vertices);
	b->frontier = gen_region(g, 4 * b->vertices);
	b->edges = gen_region(g, 4 * b->n_edges);
	return skip_beginning(g, b);
}

const struct gen_kind gen_bfs = { "bfs", "breadth-first search on a Kronecker graph", init_bfs,
				  step_bfs, free_bfs };
