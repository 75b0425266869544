/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: an extent tree in the format that ext4 has on disk, its blocks in memory. A header and
 * entries of 12 bytes each: 4 in the inode, 340 in a block of 4 KiB. Logical blocks have 32 bits,
 * physical ones 48, an extent 32768 blocks at most; there are no tags. Written for little-endian
 * machines, where the fields need no swap.
 *
 * As in ext4 an index entry is the first logical block below it, nothing joins or balances nodes,
 * and a node goes when it is empty. Answers join extents that continue each other.
 */
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define MAGIC    0xf30au
#define IN_INODE 4u
#define IN_BLOCK 340u
#define LENGTH   32768u      /* of an extent, at most */
#define LAST_KEY 0xfffffffeu /* a file has 2^32 - 1 blocks at most */
#define BLOCK    4096u
#define DEPTH    6u

struct header {
	uint16_t magic, entries, max, depth; /* depth 0: of extents */
	uint32_t generation;
};

union entry {
	uint32_t block; /* first logical block */
	struct {
		uint32_t block;
		uint16_t len, start_hi;
		uint32_t start_lo;
	} extent;
	struct {
		uint32_t block, leaf_lo;
		uint16_t leaf_hi, unused;
	} index;
};

struct node {
	struct header h;
	union entry e[];
};

_Static_assert(sizeof(union entry) == 12 && sizeof(struct header) == 12, "as on disk");

/* Block numbers are places in @blocks; the number of a free one is kept in @unused. */
struct tree {
	struct node *root;
	struct node **blocks;
	uint64_t *unused;
	size_t block_count, unused_count, room;
};

/* From the root on; @at is -1 in a leaf where the key is before all extents. */
struct path {
	struct {
		struct node *node;
		int at;
	} step[DEPTH];
	unsigned int depth;
};

static inline uint64_t start_of(const union entry *e)
{
	return (uint64_t)e->extent.start_hi << 32 | e->extent.start_lo;
}

static inline uint64_t last_of(const union entry *e)
{
	return (uint64_t)e->block + e->extent.len - 1;
}

static inline union entry extent_entry(uint64_t block, uint64_t len, uint64_t start)
{
	union entry e = { .extent = { (uint32_t)block, (uint16_t)len, (uint16_t)(start >> 32),
				      (uint32_t)start } };

	return e;
}

static inline bool follows(const union entry *a, const union entry *b)
{
	return a->block + a->extent.len == b->block && start_of(a) + a->extent.len == start_of(b);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

static struct node *node_init(struct node *node, unsigned int max, unsigned int depth)
{
	node->h = (struct header){ MAGIC, 0, (uint16_t)max, (uint16_t)depth, 0 };
	return node;
}

static void *grow_array(void *array, size_t bytes)
{
	array = realloc(array, bytes);
	if (!array)
		die("extent tree: no memory");
	return array;
}

static uint64_t block_new(struct tree *t, unsigned int depth)
{
	struct node *node = aligned_alloc(BLOCK, BLOCK);
	uint64_t number = t->block_count;

	if (!node)
		die("extent tree: no memory");
	if (t->unused_count) {
		number = t->unused[--t->unused_count];
	} else {
		if (number == t->room) {
			t->room = 2 * t->room + 16;
			t->blocks = grow_array(t->blocks, t->room * sizeof(void *));
			t->unused = grow_array(t->unused, t->room * sizeof(*t->unused));
		}
		t->block_count++;
	}
	t->blocks[number] = node_init(node, IN_BLOCK, depth);
	return number;
}

static void block_free(struct tree *t, uint64_t number)
{
	free(t->blocks[number]);
	t->blocks[number] = NULL;
	t->unused[t->unused_count++] = number;
}

static inline uint64_t block_of(const union entry *e)
{
	return (uint64_t)e->index.leaf_hi << 32 | e->index.leaf_lo;
}

static union entry index_entry(uint32_t first, uint64_t block)
{
	union entry e = { .index = { first, (uint32_t)block, (uint16_t)(block >> 32), 0 } };

	return e;
}

/* ---- Paths --------------------------------------------------------------------------------- */

/* Place of the last entry at or before @key, or -1. */
static inline int search(const struct node *node, uint32_t key)
{
	int lo = 0, hi = node->h.entries;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (node->e[mid].block <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

static void descend(const struct tree *t, uint32_t key, struct path *path)
{
	struct node *node = t->root;
	unsigned int d = 0;

	for (;; d++) {
		int at = search(node, key);

		path->step[d].node = node;
		path->step[d].at = at;
		if (!node->h.depth)
			break;
		path->step[d].at = at < 0 ? 0 : at;
		node = t->blocks[block_of(&node->e[path->step[d].at])];
	}
	path->depth = d;
}

/* To the extent before or behind. Return: whether there is one; if not, @path is as it was. */
static bool path_move(const struct tree *t, struct path *path, bool forward)
{
	unsigned int d = path->depth;

	while (forward ? path->step[d].at + 1 >= path->step[d].node->h.entries :
			 path->step[d].at <= 0)
		if (!d--)
			return false;
	path->step[d].at += forward ? 1 : -1;
	for (; d < path->depth; d++) {
		union entry *e = &path->step[d].node->e[path->step[d].at];

		path->step[d + 1].node = t->blocks[block_of(e)];
		path->step[d + 1].at = forward ? 0 : path->step[d + 1].node->h.entries - 1;
	}
	return true;
}

static inline union entry *path_entry(const struct path *path)
{
	return &path->step[path->depth].node->e[path->step[path->depth].at];
}

/* ---- Lookup -------------------------------------------------------------------------------- */

/* The extent of @path, with those that it continues and that continue it. */
static struct lindex_run whole(const struct tree *t, const struct path *path)
{
	const union entry *e = path_entry(path);
	struct lindex_run run = { e->block, last_of(e), start_of(e), 0, 1, 1 };
	struct path p = *path;

	for (; path_move(t, &p, false) && follows(path_entry(&p), e); e = path_entry(&p)) {
		run.first = path_entry(&p)->block;
		run.value = start_of(path_entry(&p));
	}
	e = path_entry(path);
	p = *path;
	for (; path_move(t, &p, true) && follows(e, path_entry(&p)); e = path_entry(&p))
		run.last = last_of(path_entry(&p));
	return run;
}

static __attribute__((noinline)) struct lindex_run find_slowly(const struct tree *t, uint64_t key)
{
	uint64_t hole = 0, end = UINT64_MAX;
	struct path path;

	descend(t, key < UINT32_MAX ? (uint32_t)key : UINT32_MAX, &path);
	if (path.step[path.depth].at >= 0) {
		hole = last_of(path_entry(&path)) + 1;
		if (hole > key)
			return whole(t, &path);
	}
	if (path_move(t, &path, true))
		end = path_entry(&path)->block - 1;
	return hole_run(hole, end);
}

static inline struct lindex_run find(const void *map, uint64_t key)
{
	const struct tree *t = map;
	const struct node *node = t->root;
	const union entry *e;
	int at;

	if (key > LAST_KEY)
		return find_slowly(t, key);
	while (node->h.depth) {
		at = search(node, (uint32_t)key);
		node = t->blocks[block_of(&node->e[at < 0 ? 0 : at])];
	}
	at = search(node, (uint32_t)key);
	if (at <= 0 || at + 1 >= node->h.entries)
		return find_slowly(t, key);
	e = &node->e[at];
	if (last_of(e) < key)
		return hole_run(last_of(e) + 1, e[1].block - 1);
	if (follows(e - 1, e) || follows(e, e + 1))
		return find_slowly(t, key);
	return (struct lindex_run){ e->block, last_of(e), start_of(e), 0, 1, 1 };
}

#define LOOP(name) name
#define LOOP_FIND  find
#define LOOP_ATTRIBUTE
#include "loops_body.h"

/* ---- Entries come and go ------------------------------------------------------------------- */

static void put(struct node *node, int at, const union entry *e)
{
	memmove(&node->e[at + 1], &node->e[at], (size_t)(node->h.entries - at) * sizeof(*e));
	node->e[at] = *e;
	node->h.entries++;
}

static void take(struct node *node, int at, int n)
{
	memmove(&node->e[at], &node->e[at + n],
		(size_t)(node->h.entries - at - n) * sizeof(*node->e));
	node->h.entries = (uint16_t)(node->h.entries - n);
}

/* The node at @depth begins elsewhere: so say the index entries above it. */
static void correct(const struct path *path, unsigned int depth)
{
	for (unsigned int d = depth; d; d--) {
		struct node *above = path->step[d - 1].node;

		above->e[path->step[d - 1].at].block = path->step[d].node->e[0].block;
		if (path->step[d - 1].at)
			return;
	}
}

/* The root moves to a block; one entry leads to it. */
static void deepen(struct tree *t)
{
	uint64_t number = block_new(t, t->root->h.depth);
	struct node *node = t->blocks[number];
	union entry e = index_entry(t->root->e[0].block, number);

	if (t->root->h.depth + 2u > DEPTH)
		die("extent tree: too deep");
	memcpy(node->e, t->root->e, t->root->h.entries * sizeof(e));
	node->h.entries = t->root->h.entries;
	node_init(t->root, IN_INODE, node->h.depth + 1u);
	put(t->root, 0, &e);
}

/* The leaf of @path is full: one split, of it or of what is too full above it. */
static void split(struct tree *t, const struct path *path)
{
	unsigned int d = path->depth;
	struct node *node, *right;
	union entry e;
	uint64_t number;
	int half;

	while (d && path->step[d - 1].node->h.entries == path->step[d - 1].node->h.max)
		d--;
	if (!d) {
		deepen(t);
		return;
	}
	node = path->step[d].node;
	half = path->step[d].at + 1 < node->h.entries ? node->h.entries / 2 : node->h.entries - 1;
	number = block_new(t, node->h.depth);
	right = t->blocks[number];
	right->h.entries = (uint16_t)(node->h.entries - half);
	memcpy(right->e, &node->e[half], right->h.entries * sizeof(e));
	node->h.entries = (uint16_t)half;
	e = index_entry(right->e[0].block, number);
	put(path->step[d - 1].node, path->step[d - 1].at + 1, &e);
}

/* The leaf of @path is empty. */
static void drop(struct tree *t, const struct path *path)
{
	for (unsigned int d = path->depth; d; d--) {
		struct node *above = path->step[d - 1].node;
		int at = path->step[d - 1].at;

		block_free(t, block_of(&above->e[at]));
		take(above, at, 1);
		if (above->h.entries) {
			if (!at)
				correct(path, d - 1);
			return;
		}
	}
	t->root->h.depth = 0;
}

/* ---- Change -------------------------------------------------------------------------------- */

/* One extent into a hole: longer neighbours, or a new entry. */
static void insert(struct tree *t, const union entry *e)
{
	struct path path;
	struct node *leaf;
	int at;

	for (;; split(t, &path)) {
		descend(t, e->block, &path);
		leaf = path.step[path.depth].node;
		at = path.step[path.depth].at;
		if (at >= 0 && follows(&leaf->e[at], e) &&
		    leaf->e[at].extent.len + e->extent.len <= (int)LENGTH) {
			leaf->e[at].extent.len = (uint16_t)(leaf->e[at].extent.len + e->extent.len);
			return;
		}
		if (leaf->h.entries < leaf->h.max)
			break;
	}
	if (at + 1 < leaf->h.entries && follows(e, &leaf->e[at + 1]) &&
	    leaf->e[at + 1].extent.len + e->extent.len <= (int)LENGTH)
		leaf->e[at + 1] = extent_entry(e->block,
					       (uint64_t)leaf->e[at + 1].extent.len + e->extent.len,
					       start_of(e));
	else
		put(leaf, at + 1, e);
	if (at < 0)
		correct(&path, path.depth);
}

/* The extent at the path's place keeps what is behind @last. */
static void keep_behind(const struct path *path, uint64_t last)
{
	union entry *e = path_entry(path);

	*e = extent_entry(last + 1, last_of(e) - last, start_of(e) + (last + 1 - e->block));
	if (!path->step[path->depth].at)
		correct(path, path->depth);
}

/* Extents from the path's place on, in its leaf. Return: whether there may be more behind. */
static bool punch_leaf(struct tree *t, const struct path *path, uint64_t last)
{
	struct node *leaf = path->step[path->depth].node;
	int at = path->step[path->depth].at, end = at;

	while (end < leaf->h.entries && last_of(&leaf->e[end]) <= last)
		end++;
	if (end > at)
		take(leaf, at, end - at);
	if (!leaf->h.entries) {
		drop(t, path);
		return true;
	}
	if (end > at && !at)
		correct(path, path->depth);
	if (at == leaf->h.entries)
		return true;
	if (leaf->e[at].block <= last)
		keep_behind(path, last);
	return false;
}

static void punch(struct tree *t, uint64_t first, uint64_t last)
{
	struct path path;

	descend(t, (uint32_t)first, &path);
	if (path.step[path.depth].at >= 0) {
		union entry *e = path_entry(&path);
		uint64_t end = last_of(e);

		if (e->block < first && end >= first) {
			e->extent.len = (uint16_t)(first - e->block);
			if (end > last) {
				union entry rest = extent_entry(
					last + 1, end - last, start_of(e) + (last + 1 - e->block));

				insert(t, &rest);
				return;
			}
		}
	}
	for (bool more = true; more;) {
		descend(t, (uint32_t)first, &path);
		if (path.step[path.depth].at < 0 || path_entry(&path)->block < first)
			if (!path_move(t, &path, true))
				return;
		more = path_entry(&path)->block <= last && punch_leaf(t, &path, last);
	}
}

static void fill(struct tree *t, const struct lindex_run *run)
{
	for (uint64_t first = run->first; first <= run->last; first += LENGTH) {
		uint64_t len = run->last - first + 1;
		union entry e = extent_entry(first, len < LENGTH ? len : LENGTH,
					     lindex_value(run, first));

		insert(t, &e);
	}
}

static void overwrite(void *map, const struct lindex_run *run)
{
	punch(map, run->first, run->last);
	fill(map, run);
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	if (first <= LAST_KEY)
		punch(map, first, last < LAST_KEY ? last : LAST_KEY);
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const char *refuses(const struct lindex_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (runs[i].last > LAST_KEY)
			return "keys above 2^32 - 2";
		if (runs[i].value >> 48 || lindex_value(&runs[i], runs[i].last) >> 48)
			return "values above 2^48";
		if (runs[i].tag || runs[i].step != 1)
			return "tags, or values that do not grow with the key";
	}
	return NULL;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	const char *why = refuses(runs, n);
	struct tree *t = grab(sizeof(*t));

	if (why)
		die("extent tree: %s", why);
	*t = (struct tree){ .root = grab(sizeof(struct node) + IN_INODE * sizeof(union entry)) };
	node_init(t->root, IN_INODE, 0);
	for (size_t i = 0; i < n; i++)
		fill(t, &runs[i]);
	return t;
}

static void destroy(void *map)
{
	struct tree *t = map;

	for (size_t i = 0; i < t->block_count; i++)
		free(t->blocks[i]);
	free(t->blocks);
	free(t->unused);
	free(t->root);
	free(t);
}

static uint64_t bytes(const void *map)
{
	const struct tree *t = map;

	return sizeof(*t) + sizeof(struct node) + IN_INODE * sizeof(union entry) +
	       t->room * (sizeof(void *) + sizeof(*t->unused)) +
	       (t->block_count - t->unused_count) * BLOCK;
}

size_t peer_extents_blocks(const void *map)
{
	return ((const struct tree *)map)->block_count;
}

const void *peer_extents_block(const void *map, size_t number)
{
	return ((const struct tree *)map)->blocks[number];
}

unsigned int peer_extents_depth(const void *map)
{
	return ((const struct tree *)map)->root->h.depth;
}

const struct peer_ops peer_extents = {
	.name = "extent tree",
	.about = "ext4's format, 12 bytes per extent in blocks of 4 KiB, binary search",
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
