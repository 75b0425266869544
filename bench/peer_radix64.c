/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: a radix tree of 64 slots per node, shaped as the kernel's XArray without multi-order
 * entries: one slot per key; the head is as high as the greatest key wants, and grows and shrinks
 * with it; a node knows how many of its slots are in use, and goes when none is. A slot of the
 * lowest level is value << 1 | 1, or 0.
 */
#include <stdlib.h>
#include <string.h>

#include "levels.h"
#include "peer.h"

#define BITS       6u
#define SLOTS      (1u << BITS)
#define MOST_BYTES ((uint64_t)4 << 30)

struct node {
	uint32_t shift, count;
	uint64_t slot[SLOTS];
};

struct radix {
	struct node *head; /* NULL: nothing is in it */
	uint64_t nodes;
};

static struct node *node_new(struct radix *r, unsigned int shift)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		die("radix64: no memory");
	node->shift = shift;
	r->nodes++;
	return node;
}

static void node_free(struct radix *r, struct node *node)
{
	free(node);
	r->nodes--;
}

static inline struct node *node_of(uint64_t slot)
{
	return (struct node *)(uintptr_t)slot;
}

/* Whether @key is beyond all that the slots of @node can lead to. */
static inline bool beyond(const struct node *node, uint64_t key)
{
	return key >> node->shift >= SLOTS;
}

/* ---- Lookup -------------------------------------------------------------------------------- */

static inline struct lindex_run find(const void *map, uint64_t key)
{
	struct lindex_run run = { key, key, 0, 0, 0, 0 };
	const struct node *node = ((const struct radix *)map)->head;
	uint64_t slot;

	if (!node || beyond(node, key))
		return run;
	for (unsigned int shift = node->shift; shift; shift -= BITS) {
		node = node_of(node->slot[key >> shift & (SLOTS - 1)]);
		if (!node)
			return run;
	}
	slot = node->slot[key & (SLOTS - 1)];
	run.value = slot >> 1;
	run.mapped = slot & 1;
	return run;
}

#define LOOP(name) name
#define LOOP_FIND  find
#define LOOP_ATTRIBUTE
#include "loops_body.h"

/* ---- Change -------------------------------------------------------------------------------- */

/* Nodes above the head until it has room for @key. */
static void raise_head(struct radix *r, uint64_t key)
{
	if (!r->head) {
		unsigned int shift = 0;

		while (key >> shift >= SLOTS)
			shift += BITS;
		r->head = node_new(r, shift);
	}
	while (beyond(r->head, key)) {
		struct node *head = node_new(r, r->head->shift + BITS);

		head->slot[0] = (uintptr_t)r->head;
		head->count = 1;
		r->head = head;
	}
}

/* The lowest node that has @key. */
static struct node *walk(struct radix *r, uint64_t key)
{
	struct node *node;

	raise_head(r, key);
	for (node = r->head; node->shift;) {
		uint64_t at = key >> node->shift & (SLOTS - 1);

		if (!node->slot[at]) {
			node->slot[at] = (uintptr_t)node_new(r, node->shift - BITS);
			node->count++;
		}
		node = node_of(node->slot[at]);
	}
	return node;
}

static void overwrite(void *map, const struct lindex_run *run)
{
	struct node *node = NULL;

	for (uint64_t key = run->first;; key++) {
		uint64_t *slot;

		if (!node || !(key & (SLOTS - 1)))
			node = walk(map, key);
		slot = &node->slot[key & (SLOTS - 1)];
		node->count += !*slot;
		*slot = lindex_value(run, key) << 1 | 1;
		if (key == run->last)
			return;
	}
}

static void free_below(struct radix *r, struct node *node)
{
	for (unsigned int i = 0; node->shift && i < SLOTS; i++)
		if (node->slot[i])
			free_below(r, node_of(node->slot[i]));
	node_free(r, node);
}

/*
 * Clear what @node has of [first, last], both counted from where it begins. Return: whether that
 * was all, and the node is gone.
 */
static bool clear_in(struct radix *r, struct node *node, uint64_t first, uint64_t last)
{
	const unsigned int shift = node->shift;
	const uint64_t below = ((uint64_t)1 << shift) - 1; /* last key of a slot */

	for (uint64_t i = first >> shift; i <= last >> shift; i++) {
		uint64_t lo = i == first >> shift ? first & below : 0;
		uint64_t hi = i == last >> shift ? last & below : below;

		if (!node->slot[i] || (shift && !clear_in(r, node_of(node->slot[i]), lo, hi)))
			continue;
		node->slot[i] = 0;
		node->count--;
	}
	if (node->count)
		return false;
	node_free(r, node);
	return true;
}

static void lower_head(struct radix *r)
{
	while (r->head && r->head->shift && r->head->count == 1 && r->head->slot[0]) {
		struct node *head = r->head;

		r->head = node_of(head->slot[0]);
		node_free(r, head);
	}
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	struct radix *r = map;

	if (!r->head || beyond(r->head, first))
		return;
	if (beyond(r->head, last))
		last = r->head->shift + BITS < 64 ? ((uint64_t)1 << (r->head->shift + BITS)) - 1 :
						    UINT64_MAX;
	if (clear_in(r, r->head, first, last))
		r->head = NULL;
	lower_head(r);
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const char *refuses(const struct lindex_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (level_wide(&runs[i]))
			return "values above 2^63";
	return level_nodes(runs, n, BITS, levels_for(runs, n, BITS)) >
			       MOST_BYTES / sizeof(struct node) ?
		       "more than 4 GiB of nodes" :
		       NULL;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	const char *why = refuses(runs, n);
	struct radix *r = grab(sizeof(*r));

	if (why)
		die("radix64: %s", why);
	*r = (struct radix){ .head = NULL };
	for (size_t i = 0; i < n; i++)
		overwrite(r, &runs[i]);
	return r;
}

static void destroy(void *map)
{
	struct radix *r = map;

	if (r->head)
		free_below(r, r->head);
	free(r);
}

static uint64_t bytes(const void *map)
{
	const struct radix *r = map;

	return sizeof(*r) + r->nodes * sizeof(struct node);
}

const struct peer_ops peer_radix64 = {
	.name = "radix64",
	.about = "64-way radix tree as high as its greatest key wants, one slot per key",
	.single_key = true,
	.refuses = refuses,
	.build = build,
	.free = destroy,
	.lookups = lookups,
	.chain = chain,
	.lookup = lookup,
	.overwrite = overwrite,
	.remove = clear,
	.bytes = bytes,
};
