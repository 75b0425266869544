/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Partial residence: a space of its own for an index whose pages a pager loads and stores.
 *
 *            lindex_paged_need()                lindex_paged_dirty()
 *   absent ---------------------> resident ------------------------> dirty
 *      ^                             |  ^                               |
 *      +--------- evict_some() ------+  +---- store, page_clean() ------+
 *
 *   P1  Readers see a page through dir->mem[page], loaded with acquire; NULL: -EAGAIN.
 *   P2  A loaded page is published after every node in it was verified in shape. What the page cannot
 *       say (that it is the child the parent meant) a reader checks on its way: a node begins there,
 *       level and base are what the parent says.
 *   P3  A page is evicted after a grace period, and only if no node in it is in limbo, if it was
 *       not touched by the operation under way (epoch), and if it is clean or was stored.
 *   P4  Only the writer loads, stores and evicts.
 */
#include "internal.h"
#include "verify.h"

#define EVICT_BATCH 16u         /* pages per grace period, when room is made */
#define ROOT_MAGIC  0x3158444cu /* "LDX1" */

/* A page in memory; what readers need beside its bytes is behind them. */
struct paged_buffer {
	uint8_t bytes[LINDEX_PAGE_BYTES];
	uint64_t starts; /* bit u: a node begins at unit u */
	uint8_t pad[56];
};

/* What lindex_root holds. */
struct paged_root {
	lindex_le32 magic, epsilon, node_bytes, npages;
	lindex_le64 root;
	lindex_le32 n, zero;
	struct lindex_term runs[LINDEX_INLINE_RUNS];
};
LINDEX_STATIC_ASSERT(sizeof(struct paged_root) == sizeof(struct lindex_root),
		     "a root is 128 bytes");

static struct paged_buffer *buffer_of(const struct lindex_space *sp, uint32_t page)
{
	const struct lindex_dir *dir = lindex_load_acquire(&sp->dir);

	if (!dir || page >= dir->len)
		return NULL;
	return (struct paged_buffer *)lindex_load_acquire(&dir->mem[page]);
}

/* ---- Books ----------------------------------------------------------------------------------------------- */

static bool is_dirty(const struct lindex_space *sp, uint32_t page)
{
	return sp->dirty_map[page / 64] >> (page % 64) & 1;
}

void lindex_paged_dirty(struct lindex_space *sp, uint32_t ref)
{
	uint32_t page = ref / LINDEX_PAGE_UNITS;

	if (is_dirty(sp, page))
		return;
	sp->dirty_map[page / 64] |= 1ull << (page % 64);
	sp->dirty++;
}

static void mark_clean(struct lindex_space *sp, uint32_t page)
{
	if (!is_dirty(sp, page))
		return;
	sp->dirty_map[page / 64] &= ~(1ull << (page % 64));
	sp->dirty--;
}

/* Room for books of pages below @pages. */
static int books_room(struct lindex_space *sp, uint32_t pages)
{
	uint32_t room = sp->books_room ? sp->books_room : 64;
	struct lindex_page *books;
	uint64_t *map;

	if (pages <= sp->books_room)
		return 0;
	while (room < pages)
		room *= 2;
	books = lindex_pool_alloc(sp->pool, room * sizeof(*books), 64);
	map = lindex_pool_alloc(sp->pool, room / 64 * sizeof(*map), 64);
	if (!books || !map) {
		if (books)
			lindex_pool_release(sp->pool, books, room * sizeof(*books));
		if (map)
			lindex_pool_release(sp->pool, map, room / 64 * sizeof(*map));
		return -ENOMEM;
	}
	memset(books, 0, room * sizeof(*books));
	memset(map, 0, room / 64 * sizeof(*map));
	if (sp->books) {
		memcpy(books, sp->books, sp->books_room * sizeof(*books));
		memcpy(map, sp->dirty_map, sp->books_room / 64 * sizeof(*map));
		lindex_pool_release(sp->pool, sp->books, sp->books_room * sizeof(*books));
		lindex_pool_release(sp->pool, sp->dirty_map, sp->books_room / 64 * sizeof(*map));
	}
	sp->books = books;
	sp->dirty_map = map;
	sp->books_room = room;
	return 0;
}

void lindex_paged_starts(struct lindex_space *sp, uint32_t ref, bool node)
{
	struct paged_buffer *buf = buffer_of(sp, ref / LINDEX_PAGE_UNITS);
	uint64_t bit = 1ull << (ref % LINDEX_PAGE_UNITS);

	if (node)
		sp->books[ref / LINDEX_PAGE_UNITS].epoch =
			sp->epoch; /* it is about to be written */
	lindex_store_release(&buf->starts, node ? buf->starts | bit : buf->starts & ~bit);
}

/* ---- Evict --------------------------------------------------------------------------------------------------- */

static bool evictable(const struct lindex_space *sp, uint32_t page)
{
	return buffer_of(sp, page) && sp->books[page].epoch != sp->epoch &&
	       (!is_dirty(sp, page) || sp->pager.store);
}

static int store_page(struct lindex_space *sp, uint32_t page)
{
	int err = sp->pager.store(sp->pager.ctx, page, buffer_of(sp, page)->bytes);

	if (!err)
		mark_clean(sp, page);
	return err;
}

/* Evict up to @want <= EVICT_BATCH pages. Returns how many, or an error if not even one. */
static int64_t evict_some(struct lindex_space *sp, uint32_t want)
{
	struct paged_buffer *victim[EVICT_BATCH];
	uint32_t n = 0, looked, i;
	int err = 0;

	lindex_retire_all(sp); /* P3: nothing in limbo from here */
	for (looked = 0; looked < 2 * sp->npages && n < want; looked++) {
		uint32_t page = sp->clock_hand;

		sp->clock_hand = page + 1 < sp->npages ? page + 1 : 1;
		if (page >= sp->npages || !page || !evictable(sp, page))
			continue;
		if (sp->books[page].touched && looked < sp->npages) {
			sp->books[page].touched = 0;
			continue;
		}
		err = is_dirty(sp, page) ? store_page(sp, page) : 0;
		if (err)
			break;
		victim[n++] = buffer_of(sp, page);
		lindex_bucket_remove(sp, page);
		if (!sp->books[page].used) {
			sp->books[page].next = sp->free_absent;
			sp->free_absent = page;
			sp->books[page].listed = 1;
		}
		lindex_store_release(&sp->dir->mem[page], (uint8_t *)NULL);
		sp->resident--;
	}
	if (n) {
		lindex_port_gp_start(&sp->limbo.gp);
		lindex_port_gp_wait(&sp->limbo.gp);
	}
	for (i = 0; i < n; i++)
		lindex_pool_release(sp->pool, victim[i], sizeof(*victim[i]));
	return n ? (int64_t)n : err;
}

/* A buffer, evicting for it if the cap is reached. NULL with *err set. */
static struct paged_buffer *buffer_new(struct lindex_space *sp, int *err)
{
	struct paged_buffer *buf = lindex_pool_alloc(sp->pool, sizeof(*buf), 64);
	int64_t n;

	if (!buf) {
		n = evict_some(sp, EVICT_BATCH);
		if (n > 0)
			buf = lindex_pool_alloc(sp->pool, sizeof(*buf), 64);
		*err = n < 0 ? (int)n : -ENOMEM;
	}
	if (buf)
		memset(buf, 0, sizeof(*buf));
	return buf;
}

static void publish_page(struct lindex_space *sp, uint32_t page, struct paged_buffer *buf)
{
	sp->books[page].epoch = sp->epoch;
	sp->books[page].touched = 1;
	sp->resident++;
	lindex_store_release(&sp->dir->mem[page], buf->bytes);
}

/** lindex_paged_emptied() - No node is left in the page: nothing refers to it, it need not be stored. */
void lindex_paged_emptied(struct lindex_space *sp, uint32_t page)
{
	mark_clean(sp, page);
}

/* A page that was wholly free when it was evicted; its number is used again. 0: none. */
static uint32_t free_number(struct lindex_space *sp)
{
	uint32_t page = sp->free_absent;

	if (page) {
		sp->free_absent = sp->books[page].next;
		sp->books[page].listed = 0;
	}
	return page;
}

/**
 * lindex_index_alloc() - Memory for the writer of @ix: from the pool, evicting pages for it if need be.
 */
void *lindex_index_alloc(struct lindex *ix, size_t bytes)
{
	void *ptr = lindex_pool_alloc(ix->pool, bytes, 64);

	while (!ptr && ix->space && ix->space->paged && evict_some(ix->space, EVICT_BATCH) > 0)
		ptr = lindex_pool_alloc(ix->pool, bytes, 64);
	return ptr;
}

/** lindex_paged_grow() - A new page, empty, in the buckets. */
int lindex_paged_grow(struct lindex_space *sp)
{
	uint32_t page = sp->npages ? sp->npages : 1;
	struct paged_buffer *buf;
	int err = 0;

	if (page >= LINDEX_TERM / LINDEX_PAGE_UNITS)
		return -ENOMEM;
	while (books_room(sp, page + 1) || lindex_dir_room(sp, page + 1)) {
		int64_t n = evict_some(sp, EVICT_BATCH);

		if (n <= 0)
			return n ? (int)n : -ENOMEM;
	}
	buf = buffer_new(sp, &err);
	if (!buf)
		return err;
	if (sp->free_absent && !sp->build_first)
		page = free_number(sp);
	else
		sp->npages = page + 1;
	sp->books[page].used = 0;
	sp->books[page].next = 0;
	publish_page(sp, page, buf);
	lindex_bucket_insert(sp, page);
	return 0;
}

/* ---- Load ------------------------------------------------------------------------------------------------------ */

/* What is in a page that came from outside. Nodes retired before it was stored are free. */
static int page_verify(struct lindex_space *sp, struct paged_buffer *buf, struct lindex_page *book)
{
	struct lindex_verify v = { .sp = sp };
	uint32_t at = 0;

	book->used = 0;
	book->inner = 0;
	buf->starts = 0;
	while (at < LINDEX_PAGE_UNITS) {
		struct lindex_node *node = (struct lindex_node *)(buf->bytes +
								  (size_t)at * LINDEX_UNIT_BYTES);
		uint32_t units = node->units;

		if (!node->kind) {
			at++;
			continue;
		}
		if (lindex_verify_shape(&v, node, LINDEX_PAGE_UNITS - at, 0) ||
		    lindex_verify_windows(&v, node, 0))
			return -EUCLEAN;
		if (node->flags & LINDEX_NODE_RETIRED) {
			memset(node, 0, (size_t)units * LINDEX_UNIT_BYTES);
		} else {
			book->used |= lindex_mask(units) << at;
			buf->starts |= 1ull << at;
			book->inner = node->level > 0;
		}
		at += units;
	}
	return 0;
}

static int page_load(struct lindex_space *sp, uint32_t page)
{
	struct lindex_page *book;
	struct paged_buffer *buf;
	int err = 0;

	buf = buffer_new(sp, &err);
	if (!buf)
		return err;
	book = &sp->books[page];
	err = sp->pager.load(sp->pager.ctx, page, buf->bytes);
	if (!err)
		err = page_verify(sp, buf, book);
	if (err) {
		lindex_pool_release(sp->pool, buf, sizeof(*buf));
		return err;
	}
	publish_page(sp, page, buf);
	lindex_bucket_insert(sp, page);
	return 0;
}

/* P2: the node that a parent means. @base NULL: not known (the root). */
static const struct lindex_node *node_meant(const struct lindex_space *sp, uint32_t ref,
					    uint32_t level, const uint64_t *base, int *err)
{
	const struct paged_buffer *buf = buffer_of(sp, ref / LINDEX_PAGE_UNITS);
	const struct lindex_node *node;

	*err = -EAGAIN;
	if (!buf)
		return NULL;
	*err = -EUCLEAN;
	node = (const struct lindex_node *)(buf->bytes +
					    (size_t)(ref % LINDEX_PAGE_UNITS) * LINDEX_UNIT_BYTES);
	if (!(lindex_load_acquire(&buf->starts) >> (ref % LINDEX_PAGE_UNITS) & 1) ||
	    node->level != level || (base && lindex_node_base(node) != *base))
		return NULL;
	*err = 0;
	return node;
}

/** lindex_paged_need() - Have the page of @ref resident until the operation ends; a node of @level there. */
int lindex_paged_need(struct lindex_space *sp, uint32_t ref, uint32_t level)
{
	uint32_t page = ref / LINDEX_PAGE_UNITS;
	int err = 0;

	if (!page || page >= sp->npages || sp->books[page].listed)
		return -EUCLEAN;
	if (!buffer_of(sp, page))
		err = page_load(sp, page);
	if (err)
		return err;
	sp->books[page].epoch = sp->epoch;
	sp->books[page].touched = 1;
	return node_meant(sp, ref, level, NULL, &err) ? 0 : -EUCLEAN;
}

/** lindex_paged_room() - An operation begins: what it touches from now stays until it ends. */
int lindex_paged_room(struct lindex *ix)
{
	ix->space->epoch++;
	return 0;
}

/** lindex_resident_node() - The node, or NULL if its page is not resident or it is none. */
const struct lindex_node *lindex_resident_node(const struct lindex_space *sp, uint32_t ref)
{
	const struct paged_buffer *buf;

	if (!sp->paged)
		return lindex_node_at(sp, ref);
	buf = buffer_of(sp, ref / LINDEX_PAGE_UNITS);
	if (!buf || !(lindex_load_acquire(&buf->starts) >> (ref % LINDEX_PAGE_UNITS) & 1))
		return NULL;
	/* The same load as was checked: the page may go meanwhile. */
	return (const struct lindex_node *)(buf->bytes +
					    (size_t)(ref % LINDEX_PAGE_UNITS) * LINDEX_UNIT_BYTES);
}

/* ---- Lookup ------------------------------------------------------------------------------------------------------ */

static int find_paged(const struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	uint64_t word = lindex_load_acquire(&ix->root), hi = UINT64_MAX, base = 0;
	uint32_t level = lindex_root_level(word), ref = lindex_root_ref(word), i;
	const struct lindex_node *node;
	bool root = true;
	int err;

	if (word & LINDEX_ROOT_INLINE)
		return lindex_slot_lookup(&ix->slot[ref], key, run);
	for (;; level--, root = false) {
		const struct lindex_inner *in;

		node = node_meant(ix->space, ref, level, root ? NULL : &base, &err);
		if (!node)
			return err;
		if (!level)
			return lindex_leaf_find(node, key, hi, run);
		in = (const struct lindex_inner *)node;
		i = lindex_inner_find(in, key, &hi);
		base = lindex_node_base(node) + lindex_inner_key(in, i);
		ref = lindex_inner_ref(in, i);
		if (ref & LINDEX_TERM)
			return lindex_term_find(lindex_inner_term(in, ref), key, hi, run);
	}
}

/* Pages that are sound each but do not belong together can give an answer beside the key: none. */
static int answer(uint64_t key, const struct lindex_run *run, int err)
{
	return key < run->first || key > run->last ? -EUCLEAN : err;
}

static int lookup_paged(const struct lindex *ix, uint64_t key, struct lindex_run *out)
{
	struct lindex_run run;
	int err = find_paged(ix, key, &run);

	if (err && err != -ENOENT)
		return err;
	err = answer(key, &run, err);
	if (err != -EUCLEAN)
		*out = run;
	return err;
}

static int64_t lookup_batch_paged(const struct lindex *ix, const uint64_t *keys, size_t n,
				  struct lindex_run *runs)
{
	int64_t mapped = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int err = lookup_paged(ix, keys[i], &runs[i]);

		if (err && err != -ENOENT)
			return err;
		mapped += !err;
	}
	return mapped;
}

/** lindex_paged_node() - For explain.c: the node that a parent means, or NULL and *err. */
const struct lindex_node *lindex_paged_node(const struct lindex_space *sp, uint32_t ref,
					    uint32_t level, int *err)
{
	return node_meant(sp, ref, level, NULL, err);
}

static const struct lindex_ops ops_paged = { lookup_paged, lookup_batch_paged };

int lindex_load(struct lindex *ix, uint64_t key)
{
	struct lindex_space *sp = ix->space;
	uint32_t level = lindex_root_level(ix->root), ref = lindex_root_ref(ix->root);
	uint64_t hi;
	int err;

	if (ix->flags & LINDEX_IX_IMAGE || !sp->paged || ix->root & LINDEX_ROOT_INLINE)
		return 0;
	sp->epoch++;
	for (;; level--) {
		const struct lindex_inner *in;

		err = lindex_paged_need(sp, ref, level);
		if (err || !level)
			return err;
		in = (const struct lindex_inner *)lindex_node_at(sp, ref);
		ref = lindex_inner_ref(in, lindex_inner_find(in, key, &hi));
		if (ref & LINDEX_TERM)
			return 0;
	}
}

/* ---- Life cycle ---------------------------------------------------------------------------------------------------- */

void lindex_paged_free(struct lindex_space *sp)
{
	uint32_t page;

	for (page = 1; page < sp->npages; page++)
		if (buffer_of(sp, page))
			lindex_pool_release(sp->pool, buffer_of(sp, page),
					    sizeof(struct paged_buffer));
	if (sp->books) {
		lindex_pool_release(sp->pool, sp->books, sp->books_room * sizeof(*sp->books));
		lindex_pool_release(sp->pool, sp->dirty_map,
				    sp->books_room / 64 * sizeof(*sp->dirty_map));
	}
	lindex_space_free(sp);
}

static int root_read(const struct lindex_root *bytes, const struct lindex *ix,
		     struct lindex_slot *slot, uint32_t *npages, uint64_t *root)
{
	const struct paged_root *r = (const struct paged_root *)(const void *)bytes;
	struct paged_root copy;
	uint32_t i, any = 0;

	memcpy(&copy, r, sizeof(copy)); /* the caller's bytes may be at any alignment */
	for (i = 0; i < sizeof(*bytes); i++)
		any |= bytes->bytes[i];
	*npages = 0;
	*root = LINDEX_ROOT_INLINE | LINDEX_SLOT_EMPTY;
	slot->n = 0;
	if (!any)
		return 0;
	*npages = lindex_from32(copy.npages);
	*root = lindex_from64(copy.root);
	slot->n = lindex_from32(copy.n);
	if (lindex_from32(copy.magic) != ROOT_MAGIC || lindex_from32(copy.epsilon) != ix->epsilon ||
	    lindex_from32(copy.node_bytes) != ix->leaf_units * LINDEX_UNIT_BYTES ||
	    *npages > LINDEX_TERM / LINDEX_PAGE_UNITS || slot->n > LINDEX_INLINE_RUNS)
		return -EUCLEAN;
	if (*root & LINDEX_ROOT_INLINE ?
		    *root != LINDEX_ROOT_INLINE :
		    *root >> 40 || lindex_root_level(*root) > LINDEX_MAX_LEVEL || slot->n)
		return -EUCLEAN;
	for (i = 0; i < slot->n; i++) {
		lindex_term_run(&copy.runs[i], &slot->runs[i]);
		if (lindex_run_valid(&slot->runs[i]) ||
		    (i && slot->runs[i].first <= slot->runs[i - 1].last))
			return -EUCLEAN;
	}
	return 0;
}

int lindex_open_paged(struct lindex_pool *pool, const struct lindex_config *cfg,
		      const struct lindex_root *root, struct lindex **out)
{
	struct lindex_slot slot;
	struct lindex *ix;
	uint32_t npages;
	int err;

	if (!cfg || !cfg->pager || !cfg->pager->load)
		return -EINVAL;
	err = lindex_new(pool, cfg, &ix);
	if (err)
		return err;
	ix->flags = LINDEX_IX_IMAGE; /* until it has its space, freeing it frees no nodes */
	err = lindex_space_create(pool, &ix->space);
	if (err) {
		ix->space = NULL;
		goto fail;
	}
	err = root_read(root, ix, &slot, &npages, &ix->root);
	if (err)
		goto fail;
	ix->space->shift = LINDEX_PAGE_SHIFT;
	ix->space->paged = true;
	ix->space->pager = *cfg->pager;
	ix->space->epoch = 1;
	ix->slot[0] = slot;
	ix->ops = &ops_paged;
	if (npages)
		err = books_room(ix->space, npages) ? -ENOMEM : lindex_dir_room(ix->space, npages);
	ix->space->npages = npages;
	ix->flags = 0;
	if (err)
		goto fail;
	*out = ix;
	return 0;

fail:
	lindex_free(ix);
	return err;
}

int lindex_get_root(const struct lindex *ix, struct lindex_root *root)
{
	struct paged_root r;
	uint32_t i;

	if (ix->flags & LINDEX_IX_IMAGE || !ix->space->paged)
		return -EINVAL;
	memset(&r, 0, sizeof(r));
	r.magic = lindex_to32(ROOT_MAGIC);
	r.epsilon = lindex_to32(ix->epsilon);
	r.node_bytes = lindex_to32(ix->leaf_units * LINDEX_UNIT_BYTES);
	r.npages = lindex_to32(ix->space->npages);
	r.root = lindex_to64(ix->root);
	if (ix->root & LINDEX_ROOT_INLINE) {
		const struct lindex_slot *slot = &ix->slot[lindex_root_ref(ix->root)];

		r.root = lindex_to64(LINDEX_ROOT_INLINE);
		r.n = lindex_to32(slot->n);
		for (i = 0; i < slot->n; i++) {
			r.runs[i].first = lindex_to64(slot->runs[i].first);
			r.runs[i].last = lindex_to64(slot->runs[i].last);
			r.runs[i].value = lindex_to64(slot->runs[i].value);
			r.runs[i].tag = lindex_to16(slot->runs[i].tag);
			r.runs[i].step = slot->runs[i].step;
		}
	}
	memcpy(root, &r, sizeof(r));
	return 0;
}

/* ---- For callers ------------------------------------------------------------------------------------------------------ */

static bool has_pages(const struct lindex *ix)
{
	return !(ix->flags & LINDEX_IX_IMAGE) && ix->space->paged;
}

int64_t lindex_evict(struct lindex *ix, uint64_t keep)
{
	struct lindex_space *sp = ix->space;
	int64_t n = 1;

	if (!has_pages(ix))
		return 0;
	sp->epoch++;
	while (sp->resident > keep && n > 0) {
		uint64_t over = sp->resident - keep;

		n = evict_some(sp, over < EVICT_BATCH ? (uint32_t)over : EVICT_BATCH);
	}
	return n < 0 ? n : (int64_t)sp->resident;
}

int64_t lindex_dirty_pages(struct lindex *ix, uint32_t from, uint32_t *pages, size_t n)
{
	struct lindex_space *sp = ix->space;
	size_t listed = 0;
	uint32_t word;

	if (!has_pages(ix))
		return 0;
	if (!from)
		lindex_retire_all(sp); /* what is retired is saved as free space, or not at all */
	for (word = from / 64; word * 64 < sp->npages && listed < n; word++) {
		uint64_t bits = sp->dirty_map[word];

		if (word == from / 64)
			bits &= ~lindex_mask(from % 64);
		for (; bits && listed < n; bits &= bits - 1)
			pages[listed++] = word * 64 + lindex_ctz64(bits);
	}
	return (int64_t)listed;
}

const void *lindex_page_bytes(const struct lindex *ix, uint32_t page)
{
	const struct paged_buffer *buf = has_pages(ix) ? buffer_of(ix->space, page) : NULL;

	return buf ? buf->bytes : NULL;
}

int lindex_page_clean(struct lindex *ix, uint32_t page)
{
	if (!lindex_page_bytes(ix, page))
		return -ENOENT;
	mark_clean(ix->space, page);
	return 0;
}

int lindex_flush(struct lindex *ix)
{
	struct lindex_space *sp = ix->space;
	uint32_t page, batch[64], i;
	int64_t n;
	int err = 0;

	if (!has_pages(ix) || !sp->pager.store)
		return -EOPNOTSUPP;
	for (page = 0; !err && (n = lindex_dirty_pages(ix, page, batch, 64)) > 0;
	     page = batch[n - 1] + 1)
		for (i = 0; i < n && !err; i++)
			err = store_page(sp, batch[i]);
	return err;
}

/* ---- Bulk load -------------------------------------------------------------------------------------------------------- */

/** lindex_paged_build_begin() - From now nodes go into new pages only. Returns the first of them. */
uint32_t lindex_paged_build_begin(struct lindex_space *sp)
{
	uint32_t page;

	for (page = 1; page < sp->npages; page++)
		lindex_bucket_remove(sp, page);
	sp->build_first = sp->npages ? sp->npages : 1;
	return sp->build_first;
}

/** lindex_paged_build_end() - @ok: keep the new pages; else they never were. */
void lindex_paged_build_end(struct lindex_space *sp, uint32_t first, bool ok)
{
	uint32_t page;

	sp->build_first = 0;
	for (page = first; !ok && page < sp->npages; page++) {
		struct paged_buffer *buf = buffer_of(sp, page);

		lindex_bucket_remove(sp, page);
		mark_clean(sp, page);
		sp->dir->mem[page] = NULL; /* no ref to it was published */
		sp->resident -= buf != NULL;
		if (buf)
			lindex_pool_release(sp->pool, buf, sizeof(*buf));
	}
	if (!ok && sp->npages)
		sp->npages = first;
	for (page = 1; page < sp->npages; page++) {
		lindex_bucket_remove(sp, page);
		if (buffer_of(sp, page))
			lindex_bucket_insert(sp, page);
	}
}
