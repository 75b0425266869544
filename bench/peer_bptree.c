/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: a B+tree of our own as an interval map. Nodes are eight cache lines. A node's unused keys
 * are 2^64-1, so that a rank needs no count; the one key that this does not tell from an unused one
 * goes another way.
 *
 * A separator is <= the first keys behind it and > those before it, but may lie in a hole or in a
 * run: a lookup that finds nothing in its leaf asks the last extent of the leaf before.
 */
#include <stdlib.h>
#include <string.h>

#include "peer.h"
#include "rank.h"

#define LEAF     16u /* extents */
#define FAN      29u /* children */
#define FULL     15u /* extents in a leaf that was built */
#define FULL_FAN 27u
#define SPARE    8u  /* a leaf of fewer looks for one to join */
#define JOINED   15u /* that both together may have */
#define HEIGHT   24u
#define SLAB     ((size_t)512 << 9)

struct pair {
	uint64_t last, value;
};

struct leaf {
	uint64_t first[LEAF];
	struct pair pair[LEAF];
	uint32_t meta[LEAF]; /* tag, step above it */
	struct leaf *next, *prev;
	unsigned int n; /* 0 only where it is the root */
} __attribute__((aligned(64)));

struct inner {
	uint64_t key[FAN - 1]; /* key i: between child i and child i + 1 */
	void *child[FAN];
	unsigned int n; /* children */
} __attribute__((aligned(64)));

union node {
	struct leaf leaf;
	struct inner inner;
	union node *next; /* free, or a slab: of the slab before */
};

_Static_assert(sizeof(union node) == 512, "eight cache lines");

struct tree {
	void *root;
	unsigned int height; /* inner nodes on a path */
	bool avx2;
	union node *slabs, *unused;
	size_t left, slab_count; /* left: nodes never used in the newest slab */
};

/* The inner nodes above a leaf, root first, and the child taken in each; extents before the key. */
struct path {
	struct inner *node[HEIGHT];
	unsigned int at[HEIGHT];
	struct leaf *leaf;
	unsigned int before;
};

/* ---- Nodes --------------------------------------------------------------------------------- */

static void *node_new(struct tree *t)
{
	union node *node = t->unused;

	if (node) {
		t->unused = node->next;
		return node;
	}
	if (!t->left) {
		union node *slab = aligned_alloc(sizeof(*slab), SLAB);

		if (!slab)
			die("bptree: no memory");
		slab->next = t->slabs;
		t->slabs = slab;
		t->slab_count++;
		t->left = SLAB / sizeof(*slab) - 1;
	}
	return t->slabs + t->left--;
}

static void node_free(struct tree *t, void *ptr)
{
	union node *node = ptr;

	node->next = t->unused;
	t->unused = node;
}

static struct leaf *leaf_new(struct tree *t)
{
	struct leaf *leaf = node_new(t);

	memset(leaf->first, 0xff, sizeof(leaf->first));
	leaf->next = leaf->prev = NULL;
	leaf->n = 0;
	return leaf;
}

static struct inner *inner_new(struct tree *t)
{
	struct inner *in = node_new(t);

	memset(in->key, 0xff, sizeof(in->key));
	in->n = 0;
	return in;
}

static inline struct extent leaf_get(const struct leaf *leaf, unsigned int i)
{
	uint32_t meta = leaf->meta[i];
	struct extent e = { leaf->pair[i].last, leaf->pair[i].value, (uint16_t)meta,
			    (uint8_t)(meta >> 16) };

	return e;
}

static void leaf_set(struct leaf *leaf, unsigned int i, uint64_t first, const struct extent *e)
{
	leaf->first[i] = first;
	leaf->pair[i] = (struct pair){ e->last, e->value };
	leaf->meta[i] = e->tag | (uint32_t)e->step << 16;
}

/* Extents @from.. of @src to place @to of @dst. */
static void leaf_move(struct leaf *dst, unsigned int to, const struct leaf *src, unsigned int from,
		      unsigned int n)
{
	memmove(dst->first + to, src->first + from, n * sizeof(*dst->first));
	memmove(dst->pair + to, src->pair + from, n * sizeof(*dst->pair));
	memmove(dst->meta + to, src->meta + from, n * sizeof(*dst->meta));
}

static void leaf_cut(struct leaf *leaf, unsigned int n)
{
	for (unsigned int i = n; i < leaf->n; i++)
		leaf->first[i] = UINT64_MAX;
	leaf->n = n;
}

/* ---- Lookup -------------------------------------------------------------------------------- */

/* @key is behind @i extents of its leaf, and not in the last of them. */
static __attribute__((noinline)) struct lindex_run between(const struct leaf *leaf, unsigned int i,
							   uint64_t key)
{
	const struct leaf *before = i ? leaf : leaf->prev;
	uint64_t end = UINT64_MAX, hole = 0;

	if (before) {
		unsigned int j = i ? i - 1 : before->n - 1;
		struct extent e = leaf_get(before, j);

		if (e.last >= key)
			return extent_run(before->first[j], &e);
		hole = e.last + 1;
	}
	if (i < leaf->n)
		end = leaf->first[i] - 1;
	else if (leaf->next)
		end = leaf->next->first[0] - 1;
	return hole_run(hole, end);
}

RANK_INLINE struct lindex_run answer(const struct leaf *leaf, unsigned int i, uint64_t key)
{
	if (i && leaf->pair[i - 1].last >= key) {
		struct extent e = leaf_get(leaf, i - 1);

		return extent_run(leaf->first[i - 1], &e);
	}
	return between(leaf, i, key);
}

static __attribute__((noinline)) struct lindex_run find_top(const struct tree *t)
{
	const void *node = t->root;

	for (unsigned int h = t->height; h; h--)
		node = ((const struct inner *)node)->child[((const struct inner *)node)->n - 1];
	return answer(node, ((const struct leaf *)node)->n, UINT64_MAX);
}

/* Extents, not only keys: the place in them is known one cache miss later. */
RANK_INLINE void leaf_prefetch(const struct leaf *leaf)
{
	for (unsigned int line = 0; line < 7; line++)
		__builtin_prefetch((const char *)leaf + 64 * line);
}

RANK_INLINE struct lindex_run find(const struct tree *t, uint64_t key, bool avx2)
{
	const void *node = t->root;

	if (key == UINT64_MAX)
		return find_top(t);
	for (unsigned int h = t->height; h; h--) {
		const struct inner *in = node;

		node = in->child[rank(in->key, FAN - 1, key, avx2)];
	}
	leaf_prefetch(node);
	return answer(node, rank(((const struct leaf *)node)->first, LEAF, key, avx2), key);
}

/* ---- Batch --------------------------------------------------------------------------------- */

#define GROUP 16u

/* All leaves are at one depth: a group of keys goes down level by level. */
RANK_INLINE void find_group(const struct tree *t, const uint64_t *keys, struct lindex_run *runs,
			    bool avx2)
{
	const void *node[GROUP];

	for (unsigned int i = 0; i < GROUP; i++)
		node[i] = t->root;
	for (unsigned int h = t->height; h; h--)
		for (unsigned int i = 0; i < GROUP; i++) {
			const struct inner *in = node[i];
			unsigned int at = rank(in->key, FAN - 1, keys[i], avx2);

			node[i] = in->child[at < in->n ? at : in->n - 1];
			for (unsigned int line = 0; line < 8; line++)
				__builtin_prefetch((const char *)node[i] + 64 * line);
		}
	for (unsigned int i = 0; i < GROUP; i++) {
		const struct leaf *leaf = node[i];
		unsigned int at = rank(leaf->first, LEAF, keys[i], avx2);

		runs[i] = answer(leaf, at < leaf->n ? at : leaf->n, keys[i]);
	}
}

RANK_INLINE uint64_t batch_with(const void *map, const uint64_t *keys, size_t n, bool avx2)
{
	struct lindex_run runs[GROUP];
	uint64_t sum = 0;
	size_t i = 0;

	for (; i + GROUP <= n; i += GROUP) {
		find_group(map, keys + i, runs, avx2);
		for (unsigned int j = 0; j < GROUP; j++)
			sum += answer_sum(&runs[j], keys[i + j]);
	}
	for (; i < n; i++) {
		struct lindex_run run = find(map, keys[i], avx2);

		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

static bool uses_avx2(const void *map)
{
	return ((const struct tree *)map)->avx2;
}

#include "loops_simd_body.h"

/* ---- Paths --------------------------------------------------------------------------------- */

RANK_INLINE void descend_with(const struct tree *t, uint64_t key, struct path *path, bool avx2)
{
	void *node = t->root;

	for (unsigned int h = 0; h < t->height; h++) {
		struct inner *in = node;
		unsigned int at = rank(in->key, FAN - 1, key, avx2);

		at = at < in->n ? at : in->n - 1;
		path->node[h] = in;
		path->at[h] = at;
		node = in->child[at];
	}
	path->leaf = node;
	leaf_prefetch(path->leaf);
	__builtin_prefetch(&path->leaf->n);
	path->before = key ? rank(path->leaf->first, LEAF, key - 1, avx2) : 0;
}

RANK_AVX2 static void descend_avx2(const struct tree *t, uint64_t key, struct path *path)
{
	descend_with(t, key, path, true);
}

static void descend(const struct tree *t, uint64_t key, struct path *path)
{
	if (t->avx2)
		descend_avx2(t, key, path);
	else
		descend_with(t, key, path, false);
}

/* The level at which the path to the next leaf leaves this one; @height if there is none. */
static unsigned int fork_of(const struct tree *t, const struct path *path)
{
	for (unsigned int h = t->height; h; h--)
		if (path->at[h - 1] + 1 < path->node[h - 1]->n)
			return h - 1;
	return t->height;
}

static struct path path_next(const struct tree *t, const struct path *path)
{
	unsigned int fork = fork_of(t, path);
	struct path next = *path;
	void *node;

	next.at[fork]++;
	node = next.node[fork]->child[next.at[fork]];
	for (unsigned int h = fork + 1; h < t->height; h++) {
		next.node[h] = node;
		next.at[h] = 0;
		node = next.node[h]->child[0];
	}
	next.leaf = node;
	return next;
}

/* ---- Children come and go ------------------------------------------------------------------ */

static void inner_put(struct inner *in, unsigned int at, uint64_t key, void *child)
{
	memmove(in->key + at, in->key + at - 1, (in->n - at) * sizeof(*in->key));
	memmove(in->child + at + 1, in->child + at, (in->n - at) * sizeof(*in->child));
	in->key[at - 1] = key;
	in->child[at] = child;
	in->n++;
}

/* Move the upper half to a new node. Return: what separates both. */
static uint64_t inner_split(struct inner *in, struct inner *right)
{
	unsigned int half = in->n / 2;
	uint64_t key = in->key[half - 1];

	right->n = in->n - half;
	memcpy(right->key, in->key + half, (right->n - 1) * sizeof(*in->key));
	memcpy(right->child, in->child + half, right->n * sizeof(*in->child));
	for (unsigned int i = half - 1; i < FAN - 1; i++)
		in->key[i] = UINT64_MAX;
	in->n = half;
	return key;
}

/* @child comes behind the path. */
static void grow(struct tree *t, const struct path *path, uint64_t key, void *child)
{
	struct inner *root;

	for (unsigned int h = t->height; h; h--) {
		struct inner *in = path->node[h - 1], *right;
		unsigned int at = path->at[h - 1] + 1;
		uint64_t up;

		if (in->n < FAN) {
			inner_put(in, at, key, child);
			return;
		}
		right = inner_new(t);
		up = inner_split(in, right);
		if (at <= in->n)
			inner_put(in, at, key, child);
		else
			inner_put(right, at - in->n, key, child);
		key = up;
		child = right;
	}
	if (t->height == HEIGHT)
		die("bptree: too high");
	root = inner_new(t);
	root->child[0] = t->root;
	root->n = 1;
	inner_put(root, 1, key, child);
	t->root = root;
	t->height++;
}

static void inner_take(struct inner *in, unsigned int at)
{
	unsigned int key = at ? at - 1 : 0;

	in->n--;
	memmove(in->child + at, in->child + at + 1, (in->n - at) * sizeof(*in->child));
	if (in->n) {
		memmove(in->key + key, in->key + key + 1, (in->n - 1 - key) * sizeof(*in->key));
		in->key[in->n - 1] = UINT64_MAX;
	}
}

/* Nodes above are kept as they are, unless nothing is left in them. */
static void drop(struct tree *t, const struct path *path)
{
	struct leaf *leaf = path->leaf;

	if (leaf->prev)
		leaf->prev->next = leaf->next;
	if (leaf->next)
		leaf->next->prev = leaf->prev;
	node_free(t, leaf);
	for (unsigned int h = t->height; h; h--) {
		inner_take(path->node[h - 1], path->at[h - 1]);
		if (path->node[h - 1]->n)
			return;
		node_free(t, path->node[h - 1]);
	}
	t->root = leaf_new(t);
	t->height = 0;
}

static void collapse(struct tree *t)
{
	while (t->height && ((struct inner *)t->root)->n == 1) {
		struct inner *root = t->root;

		t->root = root->child[0];
		t->height--;
		node_free(t, root);
	}
}

/* Join with a neighbour below the same node, if both are half empty. */
static void join(struct tree *t, const struct path *path)
{
	const unsigned int h = t->height - 1;
	struct path right = *path;
	struct leaf *left;

	if (path->at[h] + 1 < path->node[h]->n)
		right.at[h]++;
	else if (!path->at[h])
		return;
	left = path->node[h]->child[right.at[h] - 1];
	right.leaf = path->node[h]->child[right.at[h]];
	if (left->n + right.leaf->n > JOINED)
		return;
	leaf_move(left, left->n, right.leaf, 0, right.leaf->n);
	left->n += right.leaf->n;
	drop(t, &right);
}

/* ---- Change -------------------------------------------------------------------------------- */

/* Two extents at most: what is stored, and what is left of one cut on its right. */
struct pieces {
	uint64_t first[2];
	struct extent e[2];
	unsigned int n;
};

static void pieces_add(struct pieces *p, uint64_t first, const struct extent *e)
{
	p->first[p->n] = first;
	p->e[p->n++] = *e;
}

/* Put @p in place of the extents [at, end). There is room. */
static void splice(struct leaf *leaf, unsigned int at, unsigned int end, const struct pieces *p)
{
	unsigned int n = leaf->n - (end - at) + p->n;

	if (end != at + p->n)
		leaf_move(leaf, at + p->n, leaf, end, leaf->n - end);
	for (unsigned int i = 0; i < p->n; i++)
		leaf_set(leaf, at + i, p->first[i], &p->e[i]);
	if (n < leaf->n)
		leaf_cut(leaf, n);
	leaf->n = n;
}

/* As splice(), where there is no room: one extent at most goes. */
static void splice_split(struct tree *t, const struct path *path, unsigned int at, unsigned int end,
			 const struct pieces *p)
{
	struct leaf *leaf = path->leaf, *right = leaf_new(t);
	unsigned int half = !leaf->next && at == leaf->n ? leaf->n : leaf->n / 2;

	right->n = leaf->n - half;
	leaf_move(right, 0, leaf, half, right->n);
	leaf_cut(leaf, half);
	right->prev = leaf;
	right->next = leaf->next;
	if (right->next)
		right->next->prev = right;
	leaf->next = right;
	if (at < half)
		splice(leaf, at, end, p);
	else
		splice(right, at - half, end - half, p);
	grow(t, path, right->first[0], right);
}

/*
 * What is left may begin at or behind the separator on the right of its leaf: then that becomes the
 * next leaf's first key.
 */
static void widen(const struct tree *t, const struct path *path, uint64_t first)
{
	unsigned int fork = fork_of(t, path);

	if (fork < t->height && path->node[fork]->key[path->at[fork]] <= first)
		path->node[fork]->key[path->at[fork]] = path->leaf->next->first[0];
}

static void replace(struct tree *t, const struct path *path, unsigned int at, unsigned int end,
		    const struct pieces *p)
{
	unsigned int gone = end - at;
	struct leaf *leaf = path->leaf;

	if (p->n)
		widen(t, path, p->first[p->n - 1]);
	if (leaf->n - gone + p->n > LEAF) {
		splice_split(t, path, at, end, p);
		return;
	}
	if (gone || p->n)
		splice(leaf, at, end, p);
	if (gone <= p->n || !t->height)
		return;
	if (!leaf->n)
		drop(t, path);
	else if (leaf->n < SPARE)
		join(t, path);
}

/* Take the first @n extents of the leaf behind the path. */
static void take_next(struct tree *t, const struct path *path, unsigned int n)
{
	static const struct pieces none;

	if (path->leaf->next->n == n) {
		struct path next = path_next(t, path);

		drop(t, &next);
	} else {
		splice(path->leaf->next, 0, n, &none);
	}
}

/* Of the extents from @at on that begin in the range: the last one may have a rest behind it. */
static unsigned int overlap(const struct leaf *leaf, unsigned int at, uint64_t last,
			    struct pieces *rest)
{
	unsigned int end = at;

	while (end < leaf->n && leaf->first[end] <= last)
		end++;
	if (end > at && leaf->pair[end - 1].last > last) {
		struct extent e = leaf_get(leaf, end - 1);

		e = extent_rest(leaf->first[end - 1], &e, last + 1);
		pieces_add(rest, last + 1, &e);
	}
	return end;
}

/* Cut @first and all behind it off the extent before the range. */
static void trim(struct leaf *leaf, unsigned int i, uint64_t first, uint64_t last,
		 struct pieces *rest)
{
	if (leaf->pair[i].last > last) {
		struct extent e = leaf_get(leaf, i);

		e = extent_rest(leaf->first[i], &e, last + 1);
		pieces_add(rest, last + 1, &e);
	}
	if (leaf->pair[i].last >= first)
		leaf->pair[i].last = first - 1;
}

/* The extent behind the range joins @e if it continues it. Return: the new end in the leaf. */
static unsigned int absorb(struct tree *t, const struct path *path, unsigned int end,
			   uint64_t first, struct extent *e, struct pieces *rest)
{
	struct leaf *leaf = end < path->leaf->n ? path->leaf : path->leaf->next;
	unsigned int i = end < path->leaf->n ? end : 0;
	struct extent f;

	if (rest->n) {
		if (extent_continues(first, e, rest->first[0], &rest->e[0])) {
			e->last = rest->e[0].last;
			rest->n = 0;
		}
		return end;
	}
	if (!leaf || leaf->first[i] != e->last + 1 || !leaf->n)
		return end;
	f = leaf_get(leaf, i);
	if (!extent_continues(first, e, leaf->first[i], &f))
		return end;
	e->last = f.last;
	if (leaf == path->leaf)
		return end + 1;
	take_next(t, path, 1);
	return end;
}

/* Store @e at [first, last], or nothing. */
static void store(struct tree *t, uint64_t first, uint64_t last, const struct extent *e)
{
	struct pieces rest = { .n = 0 }, all = { .n = 0 };
	struct leaf *leaf, *before;
	unsigned int at, end, i = 0;
	struct path path;

	descend(t, first, &path);
	leaf = path.leaf;
	at = path.before;
	before = leaf->prev;
	if (at) {
		before = leaf;
		i = at - 1;
	} else if (before) {
		i = before->n - 1;
	}
	if (before)
		trim(before, i, first, last, &rest);
	end = overlap(leaf, at, last, &rest);
	while (end == leaf->n && leaf->next && leaf->next->first[0] <= last)
		take_next(t, &path, overlap(leaf->next, 0, last, &rest));
	if (e) {
		struct extent whole = *e, f;

		end = absorb(t, &path, end, first, &whole, &rest);
		f = before ? leaf_get(before, i) : whole;
		if (before && extent_continues(before->first[i], &f, first, &whole))
			before->pair[i].last = whole.last;
		else
			pieces_add(&all, first, &whole);
	}
	if (rest.n)
		pieces_add(&all, rest.first[0], &rest.e[0]);
	replace(t, &path, at, end, &all);
	collapse(t);
}

static void overwrite(void *map, const struct lindex_run *run)
{
	struct extent e = extent_of(run);

	store(map, run->first, run->last, &e);
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	store(map, first, last, NULL);
}

/* ---- Life ---------------------------------------------------------------------------------- */

/* One level above @n nodes, whose first keys are @keys. Both arrays are used again. */
static size_t build_level(struct tree *t, void **nodes, uint64_t *keys, size_t n)
{
	size_t made = 0;

	for (size_t i = 0; i < n; made++) {
		struct inner *in = inner_new(t);
		uint64_t key = keys[i];

		for (; i < n && in->n < FULL_FAN; i++) {
			if (in->n)
				in->key[in->n - 1] = keys[i];
			in->child[in->n++] = nodes[i];
		}
		nodes[made] = in;
		keys[made] = key;
	}
	return made;
}

static size_t build_leaves(struct tree *t, void **nodes, uint64_t *keys,
			   const struct lindex_run *runs, size_t n)
{
	struct leaf *before = NULL;
	size_t made = 0;

	for (size_t i = 0; i < n; made++) {
		struct leaf *leaf = leaf_new(t);

		for (; i < n && leaf->n < FULL; i++) {
			struct extent e = extent_of(&runs[i]);

			leaf_set(leaf, leaf->n++, runs[i].first, &e);
		}
		leaf->prev = before;
		if (before)
			before->next = leaf;
		before = leaf;
		nodes[made] = leaf;
		keys[made] = leaf->first[0];
	}
	return made;
}

static void *build_with(const struct lindex_run *runs, size_t n, bool avx2)
{
	struct tree *t = grab(sizeof(*t));
	void **nodes = grab((n / FULL + 1) * sizeof(*nodes));
	uint64_t *keys = grab((n / FULL + 1) * sizeof(*keys));
	size_t level;

	*t = (struct tree){ .avx2 = avx2 };
	level = build_leaves(t, nodes, keys, runs, n);
	for (; level > 1; t->height++)
		level = build_level(t, nodes, keys, level);
	t->root = n ? nodes[0] : leaf_new(t);
	free(nodes);
	free(keys);
	return t;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	return build_with(runs, n, rank_has_avx2());
}

static void *build_plain(const struct lindex_run *runs, size_t n)
{
	return build_with(runs, n, false);
}

static void destroy(void *map)
{
	struct tree *t = map;

	while (t->slabs) {
		union node *slab = t->slabs;

		t->slabs = slab->next;
		free(slab);
	}
	free(t);
}

static uint64_t bytes(const void *map)
{
	const struct tree *t = map;

	return sizeof(*t) + t->slab_count * SLAB;
}

#define PEER(ident, label, text, build_fn)                                                         \
	const struct peer_ops ident = {                                                            \
		.name = label,                                                                     \
		.about = text,                                                                     \
		.build = build_fn,                                                                 \
		.free = destroy,                                                                   \
		.lookups = lookups,                                                                \
		.batch = batch,                                                                    \
		.chain = chain,                                                                    \
		.lookup = lookup,                                                                  \
		.overwrite = overwrite,                                                            \
		.remove = clear,                                                                   \
		.bytes = bytes,                                                                    \
	}

PEER(peer_bptree, "bptree", "B+tree of 512-byte nodes, all keys of a node compared at once", build);
PEER(peer_bptree_no_simd, "bptree, no SIMD", "the bptree without AVX2", build_plain);
