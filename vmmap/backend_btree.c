/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A B+tree of extents. Nodes of 1 KiB; never changed once published: a change copies the paths that it touches (Rodeh, "B-trees,
 * shadowing, and clones", 2008), so readers need nothing but the root.
 *
 *     inner:  n, id | 62 first keys | 62 children
 *     leaf:   n, id | 42 first pages | 42 lengths | 42 words (frame, size, prot)
 *
 * Every change is one *splice*: pages [first, end) are replaced by a list of pieces. Leaves along the two edges of the range are
 * copied with what they keep, all between them is dropped; then the same one level up, until one node is left. A node that would
 * keep less than a quarter takes in a neighbour.
 */
#include <stdatomic.h>
#include <string.h>

#include "ad.h"
#include "backend.h"
#include "text.h"

#define NODE_BYTES 1024u
#define LEAF_MAX   42u
#define INNER_MAX  62u
#define DEPTH_MAX  16u
#define LINE       64u

struct node {
	uint16_t n;
	uint8_t level; /* 0: leaf */
	uint64_t id;   /* its address in hardware walks, in nodes */
	union {
		struct {
			uint64_t key[LEAF_MAX], pages[LEAF_MAX], word[LEAF_MAX];
		} leaf;
		struct {
			uint64_t key[INNER_MAX];
			struct node *child[INNER_MAX];
		} inner;
	};
};

_Static_assert(sizeof(struct node) == NODE_BYTES, "a node is 1 KiB");

struct btree {
	_Atomic(struct node *) root; /* NULL: empty */
	struct vmmap_ad ad;
	struct vmmap_host *host;
	uint64_t nodes, leaves, ids;
	vmmap_vpn_t vpn_end;
	unsigned int va_bits;
	struct vmmap_cost cost;
};

/* What is put together on one level: pieces of leaves, or children. */
struct entries {
	struct vmmap_piece *piece;
	struct node **child;
	size_t n, room;
};

/* The way to one edge of the range: nodes by level, and where in them. */
struct path {
	struct node *node[DEPTH_MAX];
	unsigned int at[DEPTH_MAX];
};

/* A change under way: what is new, if it fails; what is old, if it does not. */
struct splice {
	struct btree *t;
	vmmap_vpn_t first, end;
	const struct vmmap_piece *ins;
	size_t ins_n;
	struct path l, r;
	unsigned int level, height;
	struct entries now, up;             /* of this level, of the next */
	struct entries fresh, old, dropped; /* nodes; nodes one by one; whole subtrees */
};

/* ---- Lists ------------------------------------------------------------------------------------------------ */

static int reserve(struct btree *t, struct entries *e, size_t more, bool pieces)
{
	size_t size = pieces ? sizeof(*e->piece) : sizeof(*e->child), room = e->room ? e->room : 64;
	void *fresh, **have = pieces ? (void **)&e->piece : (void **)&e->child;

	if (e->n + more <= e->room)
		return 0;
	while (room < e->n + more)
		room *= 2;
	fresh = vmmap_host_alloc(t->host, room * size, 64);
	if (!fresh)
		return -ENOMEM;
	if (e->n)
		memcpy(fresh, *have, e->n * size);
	vmmap_host_free_now(t->host, *have, e->room * size);
	*have = fresh;
	e->room = room;
	return 0;
}

static void entries_free(struct btree *t, struct entries *e)
{
	vmmap_host_free_now(t->host, e->piece, e->room * sizeof(*e->piece));
	vmmap_host_free_now(t->host, e->child, e->room * sizeof(*e->child));
	*e = (struct entries){ 0 };
}

static int add_child(struct btree *t, struct entries *e, struct node *node)
{
	if (reserve(t, e, 1, false))
		return -ENOMEM;
	e->child[e->n++] = node;
	return 0;
}

static int add_piece(struct btree *t, struct entries *e, struct vmmap_piece p)
{
	if (reserve(t, e, 1, true))
		return -ENOMEM;
	e->piece[e->n++] = p;
	return 0;
}

/* ---- Nodes -------------------------------------------------------------------------------------------------- */

static struct vmmap_piece leaf_piece(const struct node *leaf, unsigned int i)
{
	uint64_t word = leaf->leaf.word[i];

	return (struct vmmap_piece){ .vpn = leaf->leaf.key[i],
				     .pages = leaf->leaf.pages[i],
				     .pfn = VMMAP_WORD_PFN(word),
				     .prot = VMMAP_WORD_PROT(word),
				     .shift = VMMAP_WORD_SHIFT(word) };
}

static vmmap_vpn_t first_key(const struct node *node)
{
	return node->level ? node->inner.key[0] : node->leaf.key[0];
}

/* The last of n ascending keys that is <= vpn; 0 if none is. No branch to predict. */
static inline unsigned int find(const uint64_t *key, unsigned int n, vmmap_vpn_t vpn)
{
	unsigned int at = 0;

	while (n > 1) {
		unsigned int half = n / 2;

		at = key[at + half] <= vpn ? at + half : at;
		n -= half;
	}
	return at;
}

static int node_new(struct splice *s, unsigned int level, struct node **out)
{
	struct btree *t = s->t;
	struct node *node = vmmap_host_alloc(t->host, NODE_BYTES, LINE);

	if (!node || add_child(t, &s->fresh, node)) {
		vmmap_host_free_now(t->host, node, NODE_BYTES);
		return -ENOMEM;
	}
	node->level = (uint8_t)level;
	node->id = t->ids++;
	*out = node;
	return 0;
}

/* Entries go into as few nodes as hold them, evenly. */
static int pack(struct splice *s)
{
	unsigned int max = s->level ? INNER_MAX : LEAF_MAX;
	size_t nodes = (s->now.n + max - 1) / max, at = 0;

	s->up.n = 0;
	for (size_t k = 0; k < nodes; k++) {
		size_t len = (s->now.n - at) / (nodes - k);
		struct node *node;

		if (node_new(s, s->level, &node) || add_child(s->t, &s->up, node))
			return -ENOMEM;
		node->n = (uint16_t)len;
		for (size_t i = 0; i < len; i++, at++) {
			const struct vmmap_piece *p = s->level ? NULL : &s->now.piece[at];

			if (s->level) {
				node->inner.child[i] = s->now.child[at];
				node->inner.key[i] = first_key(s->now.child[at]);
				continue;
			}
			node->leaf.key[i] = p->vpn;
			node->leaf.pages[i] = p->pages;
			node->leaf.word[i] = VMMAP_WORD(p->pfn, p->prot, p->shift);
		}
	}
	return 0;
}

/* ---- One level ------------------------------------------------------------------------------------------------ */

static int keep_all(struct splice *s, const struct node *node)
{
	int err = 0;

	for (unsigned int i = 0; i < node->n && !err; i++)
		err = s->level ? add_child(s->t, &s->now, node->inner.child[i]) :
				 add_piece(s->t, &s->now, leaf_piece(node, i));
	return err;
}

/* What the left edge's leaf keeps: what lies before the range, the part of a piece that it cuts included. */
static int keep_before(struct splice *s, const struct node *leaf)
{
	for (unsigned int i = 0; i < leaf->n && leaf->leaf.key[i] < s->first; i++) {
		struct vmmap_piece p = leaf_piece(leaf, i);

		if (p.vpn + p.pages > s->first)
			p.pages = s->first - p.vpn;
		if (add_piece(s->t, &s->now, p))
			return -ENOMEM;
	}
	return 0;
}

static int keep_behind(struct splice *s, const struct node *leaf)
{
	for (unsigned int i = 0; i < leaf->n; i++) {
		struct vmmap_piece p = leaf_piece(leaf, i);
		uint64_t skip = s->end > p.vpn ? s->end - p.vpn : 0;

		if (skip >= p.pages)
			continue;
		p.vpn += skip;
		p.pfn += skip;
		p.pages -= skip;
		if (add_piece(s->t, &s->now, p))
			return -ENOMEM;
	}
	return 0;
}

static int level_entries(struct splice *s)
{
	const struct node *l = s->l.node[s->level], *r = s->r.node[s->level];
	struct btree *t = s->t;
	int err = 0;

	if (!s->level) {
		err = keep_before(s, l);
		for (size_t i = 0; i < s->ins_n && !err; i++)
			err = add_piece(t, &s->now, s->ins[i]);
		return err ? err : keep_behind(s, r);
	}
	for (unsigned int i = 0; i < s->l.at[s->level] && !err; i++)
		err = add_child(t, &s->now, l->inner.child[i]);
	for (size_t i = 0; i < s->up.n && !err; i++)
		err = add_child(t, &s->now, s->up.child[i]);
	for (unsigned int i = s->r.at[s->level] + 1; i < r->n && !err; i++)
		err = add_child(t, &s->now, r->inner.child[i]);
	return err;
}

/* Subtrees between the two edges, on all levels: before a neighbour that comes in moves the edges. */
static int drop_between(struct splice *s)
{
	int err = 0;

	for (unsigned int level = 1; level < s->height && !err; level++) {
		const struct node *l = s->l.node[level], *r = s->r.node[level];
		unsigned int to = l == r ? s->r.at[level] : l->n;

		for (unsigned int i = s->l.at[level] + 1; i < to && !err; i++)
			err = add_child(s->t, &s->dropped, l->inner.child[i]);
		for (unsigned int i = 0; l != r && i < s->r.at[level] && !err; i++)
			err = add_child(s->t, &s->dropped, r->inner.child[i]);
	}
	return err;
}

/* Too little is left: a neighbour below the same parent comes in, whole. */
static int take_neighbour(struct splice *s)
{
	unsigned int max = s->level ? INNER_MAX : LEAF_MAX, up = s->level + 1;
	struct path *l = &s->l, *r = &s->r;
	struct entries all;
	struct node *node;

	if (s->now.n >= max / 4 || up >= s->height)
		return 0;
	if (r->at[up] + 1 < r->node[up]->n) {
		node = r->node[up]->inner.child[++r->at[up]];
		return keep_all(s, node) || add_child(s->t, &s->old, node) ? -ENOMEM : 0;
	}
	if (!l->at[up])
		return 0;
	node = l->node[up]->inner.child[--l->at[up]];
	all = s->now;
	s->now = (struct entries){ 0 };
	if (keep_all(s, node) || reserve(s->t, &s->now, all.n, !s->level) ||
	    add_child(s->t, &s->old, node)) {
		entries_free(s->t, &all);
		return -ENOMEM;
	}
	if (s->level)
		memcpy(s->now.child + s->now.n, all.child, all.n * sizeof(*all.child));
	else if (all.n)
		memcpy(s->now.piece + s->now.n, all.piece, all.n * sizeof(*all.piece));
	s->now.n += all.n;
	entries_free(s->t, &all);
	return 0;
}

static int splice_level(struct splice *s)
{
	int err;

	entries_free(s->t, &s->now);
	err = level_entries(s);
	err = err ? err : take_neighbour(s);
	return err ? err : pack(s);
}

/* ---- The splice ------------------------------------------------------------------------------------------------- */

static void path_to(struct path *path, struct node *root, vmmap_vpn_t vpn)
{
	struct node *node = root;

	for (unsigned int level = root->level; level; level--) {
		path->node[level] = node;
		path->at[level] = find(node->inner.key, node->n, vpn);
		node = node->inner.child[path->at[level]];
	}
	path->node[0] = node;
}

static void subtree_retire(struct btree *t, struct node *node)
{
	for (unsigned int i = 0; node->level && i < node->n; i++)
		subtree_retire(t, node->inner.child[i]);
	t->nodes--;
	t->leaves -= !node->level;
	vmmap_host_retire(t->host, node, NODE_BYTES);
}

static void node_retire(struct btree *t, struct node *node)
{
	t->nodes--;
	t->leaves -= !node->level;
	vmmap_host_retire(t->host, node, NODE_BYTES);
}

static void retire_old(struct splice *s)
{
	for (size_t i = 0; i < s->dropped.n; i++)
		subtree_retire(s->t, s->dropped.child[i]);
	for (size_t i = 0; i < s->old.n; i++)
		node_retire(s->t, s->old.child[i]);
	for (unsigned int level = 0; level < s->height; level++) {
		node_retire(s->t, s->l.node[level]);
		if (s->r.node[level] != s->l.node[level])
			node_retire(s->t, s->r.node[level]);
	}
}

static void splice_end(struct splice *s, struct node *root, int err)
{
	struct btree *t = s->t;

	if (err) {
		for (size_t i = 0; i < s->fresh.n; i++)
			vmmap_host_free_now(t->host, s->fresh.child[i], NODE_BYTES);
	} else {
		atomic_store_explicit(&t->root, root, memory_order_release);
		for (size_t i = 0; i < s->fresh.n; i++)
			t->leaves += !s->fresh.child[i]->level;
		t->nodes += s->fresh.n;
		t->cost.nodes += s->fresh.n;
		retire_old(s);
	}
	entries_free(t, &s->now);
	entries_free(t, &s->up);
	entries_free(t, &s->fresh);
	entries_free(t, &s->old);
	entries_free(t, &s->dropped);
}

/* Levels above the old root, until one node is left. */
static int splice_top(struct splice *s, struct node **root)
{
	while (s->up.n > 1) {
		entries_free(s->t, &s->now);
		for (size_t i = 0; i < s->up.n; i++)
			if (add_child(s->t, &s->now, s->up.child[i]))
				return -ENOMEM;
		if (pack(s))
			return -ENOMEM;
		s->level++;
	}
	*root = s->up.n ? s->up.child[0] : NULL;
	while (*root && (*root)->level && (*root)->n == 1) { /* it was made last */
		struct node *only = *root;

		*root = only->inner.child[0];
		if (s->fresh.n && s->fresh.child[s->fresh.n - 1] == only) {
			s->fresh.n--;
			vmmap_host_free_now(s->t->host, only, NODE_BYTES);
		} else if (add_child(s->t, &s->old, only)) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int splice(struct btree *t, vmmap_vpn_t first, vmmap_vpn_t end,
		  const struct vmmap_piece *ins, size_t n)
{
	struct splice s = { .t = t, .first = first, .end = end, .ins = ins, .ins_n = n };
	struct node *root = atomic_load(&t->root), *fresh = NULL;
	int err = 0;

	if (root) {
		s.height = root->level + 1u;
		path_to(&s.l, root, first);
		path_to(&s.r, root, end - 1);
		err = drop_between(&s);
		for (; s.level < s.height && !err; s.level++)
			err = splice_level(&s);
	} else {
		for (size_t i = 0; i < n && !err; i++)
			err = add_piece(t, &s.now, ins[i]);
		err = err ? err : pack(&s);
		s.level++;
	}
	err = err ? err : splice_top(&s, &fresh);
	splice_end(&s, fresh, err);
	return err;
}

/* ---- Queries ------------------------------------------------------------------------------------------------------ */

/* The piece around @vpn, or the hole as far as one path shows it. */
static int btree_lookup(const void *table, vmmap_vpn_t vpn, struct vmmap_piece *p)
{
	const struct btree *t = table;
	const struct node *node = atomic_load_explicit(&((struct btree *)t)->root,
						       memory_order_acquire);
	vmmap_vpn_t lo = 0, hi = t->vpn_end;
	unsigned int i;

	if (!node) {
		*p = (struct vmmap_piece){ .pages = t->vpn_end };
		return -ENOENT;
	}
	while (node->level) {
		i = find(node->inner.key, node->n, vpn);
		hi = i + 1u < node->n ? node->inner.key[i + 1] : hi;
		node = node->inner.child[i];
	}
	i = find(node->leaf.key, node->n, vpn);
	if (node->leaf.key[i] > vpn) { /* only in front of everything */
		hi = node->leaf.key[i];
	} else {
		if (vpn - node->leaf.key[i] < node->leaf.pages[i]) {
			*p = leaf_piece(node, i);
			return 0;
		}
		lo = node->leaf.key[i] + node->leaf.pages[i];
		hi = i + 1u < node->n ? node->leaf.key[i + 1] : hi;
	}
	*p = (struct vmmap_piece){ .vpn = lo, .pages = hi - lo };
	return -ENOENT;
}

static uint64_t btree_translate(void *table, vmmap_vpn_t vpn, struct vmmap_want want)
{
	struct btree *t = table;
	const struct node *node = atomic_load_explicit(&t->root, memory_order_acquire);
	unsigned int i;
	uint64_t word;

	if (!node)
		return 0;
	while (node->level)
		node = node->inner.child[find(node->inner.key, node->n, vpn)];
	i = find(node->leaf.key, node->n, vpn);
	if (vpn - node->leaf.key[i] >= node->leaf.pages[i]) /* wraps in front of everything */
		return 0;
	word = node->leaf.word[i] + ((vpn - node->leaf.key[i]) << 16);
	if (want.mark && vmmap_want_served(want, word))
		vmmap_ad_mark(&t->ad, vpn, VMMAP_WORD_SHIFT(word), want.mark);
	return word;
}

static uint32_t btree_harvest(void *table, vmmap_vpn_t vpn, uint32_t clear)
{
	return vmmap_ad_harvest(&((struct btree *)table)->ad, vpn, clear);
}

/* ---- Changes ------------------------------------------------------------------------------------------------------ */

/* Appends @p, joined with what it continues. */
static int join_piece(struct btree *t, struct entries *e, struct vmmap_piece p)
{
	struct vmmap_piece *last = e->n ? &e->piece[e->n - 1] : NULL;

	if (last && last->vpn + last->pages == p.vpn && last->pfn + last->pages == p.pfn &&
	    last->prot == p.prot && last->shift == p.shift) {
		last->pages += p.pages;
		return 0;
	}
	return add_piece(t, e, p);
}

/* Pages [@vpn, @vpn + @pages) become @e, which is freed; neighbours that it continues are taken in. */
static int edit(struct btree *t, vmmap_vpn_t vpn, uint64_t pages, struct entries *e)
{
	struct entries all = { 0 };
	struct vmmap_piece left, right;
	vmmap_vpn_t end = vpn + pages;
	int err = 0;

	if (vpn && !btree_lookup(t, vpn - 1, &left)) {
		left.pages = vpn - left.vpn;
		vpn = left.vpn;
		err = join_piece(t, &all, left);
	}
	for (size_t i = 0; i < e->n && !err; i++)
		err = join_piece(t, &all, e->piece[i]);
	if (!err && end < t->vpn_end && !btree_lookup(t, end, &right)) {
		right.pfn += end - right.vpn;
		right.pages -= end - right.vpn;
		right.vpn = end;
		end += right.pages;
		err = join_piece(t, &all, right);
	}
	err = err ? err : splice(t, vpn, end, all.piece, all.n);
	entries_free(t, &all);
	entries_free(t, e);
	return err;
}

static void begin(struct btree *t)
{
	t->cost = (struct vmmap_cost){ 0 };
}

static int btree_map(void *table, const struct vmmap_piece *p)
{
	struct entries e = { 0 };

	begin(table);
	return add_piece(table, &e, *p) ? -ENOMEM : edit(table, p->vpn, p->pages, &e);
}

static int btree_map_frames(void *table, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			    uint8_t prot)
{
	struct entries e = { 0 };
	int err = 0;

	begin(table);
	for (uint64_t i = 0; i < pages && !err; i++)
		err = join_piece(table, &e,
				 (struct vmmap_piece){ vpn + i, 1, frames[i], prot, VMMAP_4K });
	if (!err)
		return edit(table, vpn, pages, &e);
	entries_free(table, &e);
	return err;
}

static int btree_load(void *table, const struct vmmap_piece *pieces, size_t n)
{
	struct btree *t = table;
	struct entries e = { 0 };
	int err = 0;

	begin(t);
	for (size_t i = 0; i < n && !err; i++)
		err = join_piece(t, &e, pieces[i]);
	if (!err)
		return edit(t, 0, t->vpn_end, &e);
	entries_free(t, &e);
	return err;
}

static int btree_unmap(void *table, vmmap_vpn_t vpn, uint64_t pages)
{
	struct btree *t = table;
	struct entries e = { 0 };
	int err;

	begin(t);
	err = edit(t, vpn, pages, &e);
	if (!err)
		vmmap_ad_clear(&t->ad, vpn, pages);
	return err;
}

/* All pieces of a range, with other permissions: @prot, or their own and @also. */
static int recolour(struct btree *t, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot, uint8_t also,
		    struct entries *e)
{
	vmmap_vpn_t end = vpn + pages;
	int err = 0;

	while (vpn < end && !err) {
		struct vmmap_piece p;
		bool mapped = !btree_lookup(t, vpn, &p);
		vmmap_vpn_t next = p.vpn + p.pages < end ? p.vpn + p.pages : end;

		if (mapped) {
			p.pfn += vpn - p.vpn;
			p.vpn = vpn;
			p.pages = next - vpn;
			if (prot)
				p.prot = prot | (p.prot & VMMAP_PROT_COW);
			else if (!(p.prot & VMMAP_PROT_SHARED))
				p.prot |= also;
			err = join_piece(t, e, p);
		}
		vpn = next;
	}
	return err;
}

static int btree_protect(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot)
{
	struct btree *t = table;
	struct entries e = { 0 };
	int err = recolour(t, vpn, pages, prot, 0, &e);

	begin(t);
	if (!err)
		return edit(t, vpn, pages, &e);
	entries_free(t, &e);
	return err;
}

static int btree_replace(void *table, vmmap_vpn_t vpn, vmmap_pfn_t pfn, uint8_t prot)
{
	struct btree *t = table;
	struct entries e = { 0 };
	struct vmmap_piece p;

	begin(t);
	btree_lookup(t, vpn, &p);
	p = (struct vmmap_piece){ vpn, vmmap_shift_pages(p.shift), pfn, prot, p.shift };
	return add_piece(t, &e, p) ? -ENOMEM : edit(t, vpn, p.pages, &e);
}

/* ---- Life cycle ------------------------------------------------------------------------------------------------------ */

static void subtree_free(struct btree *t, struct node *node)
{
	for (unsigned int i = 0; node->level && i < node->n; i++)
		subtree_free(t, node->inner.child[i]);
	vmmap_host_free_now(t->host, node, NODE_BYTES);
}

static void btree_free(void *table)
{
	struct btree *t = table;
	struct node *root = atomic_load(&t->root);

	if (root)
		subtree_free(t, root);
	vmmap_ad_destroy(&t->ad);
	vmmap_host_free_now(t->host, t, sizeof(*t));
}

static int btree_create(const struct vmmap_env *env, void **out)
{
	struct btree *t = vmmap_host_alloc(env->host, sizeof(*t), 64);

	if (!t)
		return -ENOMEM;
	t->host = env->host;
	t->va_bits = env->va_bits;
	t->vpn_end = UINT64_C(1) << (env->va_bits - VMMAP_PAGE_SHIFT);
	vmmap_ad_init(&t->ad, env->host, env->va_bits);
	*out = t;
	return 0;
}

static int btree_fork(void *table, void **out)
{
	struct btree *t = table;
	const struct vmmap_env env = { .host = t->host, .va_bits = (uint8_t)t->va_bits };
	struct entries e = { 0 };
	void *child;
	int err = btree_create(&env, &child);

	if (err)
		return err;
	err = recolour(t, 0, t->vpn_end, 0, VMMAP_PROT_COW, &e);
	err = err ? err : btree_load(child, e.piece, e.n);
	err = err ? err : splice(t, 0, t->vpn_end, e.piece, e.n);
	entries_free(t, &e);
	if (err)
		btree_free(child);
	else
		*out = child;
	return err;
}

/* ---- Looking at it ------------------------------------------------------------------------------------------------------ */

static void btree_footprint(const void *table, struct vmmap_footprint *f)
{
	const struct btree *t = table;

	f->frame_bytes = t->leaves * NODE_BYTES;
	f->index_bytes = (t->nodes - t->leaves) * NODE_BYTES;
	f->ad_bytes = f->ad_bytes_max = vmmap_ad_bytes(&t->ad);
	f->largest_bytes = NODE_BYTES;
}

/* The lines that a binary search of keys reads, each once, and the line of what was found. */
static int walk_node(const struct node *node, const uint64_t *key, const void *found,
		     vmmap_vpn_t vpn, struct vmmap_step *steps, int n)
{
	uint64_t seen = 0, base = node->id * NODE_BYTES;
	unsigned int at = 0, left = node->n;

	while (n < VMMAP_STEPS_MAX - 1) {
		unsigned int half = left / 2;
		uint64_t line = left > 1 ? ((uintptr_t)&key[at + half] - (uintptr_t)node) / LINE :
					   ((uintptr_t)found - (uintptr_t)node) / LINE;

		if (!(seen >> line & 1)) {
			steps[n] = (struct vmmap_step){ .addr = base + line * LINE,
							.bytes = LINE,
							.level = (uint8_t)(node->level + 1),
							.group = (uint8_t)n };
			n++;
		}
		seen |= UINT64_C(1) << line;
		if (left <= 1)
			break;
		at = key[at + half] <= vpn ? at + half : at;
		left -= half;
	}
	return n;
}

static int btree_walk(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps)
{
	const struct node *node = atomic_load(&((struct btree *)table)->root);
	unsigned int i;
	int n = 0;

	while (node && node->level) {
		i = find(node->inner.key, node->n, vpn);
		n = walk_node(node, node->inner.key, &node->inner.child[i], vpn, steps, n);
		node = node->inner.child[i];
		steps[n - 1].cache = 1; /* {first key, child} */
		steps[n - 1].cached_bytes = 16;
		steps[n - 1].key = node->id;
	}
	if (!node)
		return 0;
	i = find(node->leaf.key, node->n, vpn);
	return walk_node(node, node->leaf.key, &node->leaf.word[i], vpn, steps, n);
}

static void btree_cost(const void *table, struct vmmap_cost *cost)
{
	*cost = ((const struct btree *)table)->cost;
}

static int wrong(struct lindex_reason *why, const char *text, vmmap_vpn_t vpn, uint64_t expected,
		 uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){
			.text = text, .key = vpn, .expected = expected, .found = found
		};
	return -EUCLEAN;
}

static int check_node(const struct node *node, unsigned int level, vmmap_vpn_t lo, vmmap_vpn_t hi,
		      uint64_t *nodes, struct lindex_reason *why)
{
	unsigned int max = level ? INNER_MAX : LEAF_MAX;
	int err = 0;

	++*nodes;
	if (node->level != level || !node->n || node->n > max)
		return wrong(why, "btree: level or size of a node", lo, level, node->level);
	for (unsigned int i = 0; i < node->n && !err; i++) {
		vmmap_vpn_t key = level ? node->inner.key[i] : node->leaf.key[i], end;

		if (key < lo || key >= hi)
			return wrong(why, "btree: keys do not ascend", key, lo, key);
		end = level && i + 1u < node->n ? node->inner.key[i + 1] :
		      level                     ? hi :
						  key + node->leaf.pages[i];
		if (level && first_key(node->inner.child[i]) != key)
			return wrong(why, "btree: a key is not its child's first", key, key,
				     first_key(node->inner.child[i]));
		if (end > hi || end <= key)
			return wrong(why, "btree: pieces overlap", key, hi, end);
		if (level)
			err = check_node(node->inner.child[i], level - 1, key, end, nodes, why);
		lo = end;
	}
	return err;
}

static int btree_check(void *table, struct lindex_reason *why)
{
	const struct btree *t = table;
	const struct node *root = atomic_load(&((struct btree *)t)->root);
	uint64_t nodes = 0;
	int err = root ? check_node(root, root->level, 0, t->vpn_end, &nodes, why) : 0;

	if (!err && nodes != t->nodes)
		err = wrong(why, "btree: number of nodes", 0, nodes, t->nodes);
	return err;
}

static int dump_node(const struct node *node, const struct lindex_sink *sink)
{
	int err = text_line(sink, "node %" PRIu64 " level %u entries %u", node->id, node->level,
			    node->n);

	for (unsigned int i = 0; i < node->n && !err; i++) {
		struct vmmap_piece p;

		if (node->level) {
			err = dump_node(node->inner.child[i], sink);
			continue;
		}
		p = leaf_piece(node, i);
		err = text_line(sink,
				"  vpn %" PRIx64 " pages %" PRIu64 " pfn %" PRIx64
				" prot %02x shift %u",
				p.vpn, p.pages, p.pfn, p.prot, p.shift);
	}
	return err;
}

static int btree_dump(const void *table, const struct lindex_sink *sink)
{
	const struct node *root = atomic_load(&((struct btree *)table)->root);

	return root ? dump_node(root, sink) : 0;
}

const struct vmmap_backend vmmap_backend_btree = {
	.name = "btree",
	.va_bits_default = 48,
	.va_bits_max = 57,
	.create = btree_create,
	.free = btree_free,
	.map = btree_map,
	.map_frames = btree_map_frames,
	.load = btree_load,
	.unmap = btree_unmap,
	.protect = btree_protect,
	.replace = btree_replace,
	.fork = btree_fork,
	.lookup = btree_lookup,
	.translate = btree_translate,
	.harvest = btree_harvest,
	.footprint = btree_footprint,
	.walk = btree_walk,
	.cost = btree_cost,
	.check = btree_check,
	.dump = btree_dump,
};
