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
 *   P3  A page is evicted only if no node in it is in limbo, if it was not touched by the operation under
 *       way (epoch), and if it is clean or was stored. Its buffer is used again after a grace period.
 *   P4  Only the writer loads, stores and evicts.
 *   P5  Pages that may be evicted are in the ring of the clock: all resident ones, but without a store not the
 *       dirty ones. Each look moves the hand past a page that goes, or takes a touch away that a use
 *       of it had put there, or passes a page that the operation holds: amortised constant.
 *   P6  Buffers, with a page or spare, stay at least sp->kept: what the widest remove holds at once
 *       (lindex_paged_stand()). So a remove finds a buffer, whatever else is in the pool.
 */
#include "internal.h"
#include "verify.h"

#define EVICT_BATCH 16u         /* pages per grace period at least, when room is made: or */
#define EVICT_SHARE 16u         /* this part of the resident ones */
#define ROOT_MAGIC  0x3158444cu /* "LDX1" */

/* A page in memory; what readers need beside its bytes is behind them, and then what the writer needs. */
struct lindex_paged_buffer {
	uint8_t bytes[LINDEX_PAGE_BYTES] LINDEX_ALIGNED(64);
	uint64_t starts LINDEX_ALIGNED(8);       /* bit u: a node begins at unit u */
	struct lindex_paged_buffer *next, *prev; /* in the ring; NULL: not. Else next in a list */
	uint32_t page;
	uint32_t limbo; /* nodes in it that are in limbo */
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

static struct lindex_paged_buffer *buffer_of(const struct lindex_space *sp, uint32_t page)
{
	const struct lindex_dir *dir = lindex_load_acquire(&sp->dir);

	if (!dir || page >= dir->len)
		return NULL;
	return (struct lindex_paged_buffer *)lindex_load_acquire(&dir->mem[page]);
}

/* ---- Books ----------------------------------------------------------------------------------------------- */

static bool is_dirty(const struct lindex_space *sp, uint32_t page)
{
	return sp->dirty_map[page / 64] >> (page % 64) & 1;
}

/* Counters that lindex_get_stats() may look at meanwhile. */
static void count(uint32_t *counter, uint32_t by)
{
	lindex_store_relaxed(counter, *counter + by);
}

/* Into the ring, where the hand comes last. */
static void ring_add(struct lindex_space *sp, struct lindex_paged_buffer *buf)
{
	if (!sp->hand)
		sp->hand = buf->next = buf->prev = buf;
	buf->next = sp->hand;
	buf->prev = sp->hand->prev;
	buf->prev->next = buf->next->prev = buf;
}

static void ring_remove(struct lindex_space *sp, struct lindex_paged_buffer *buf)
{
	if (!buf || !buf->next)
		return;
	if (sp->hand == buf)
		sp->hand = buf->next == buf ? NULL : buf->next;
	buf->prev->next = buf->next;
	buf->next->prev = buf->prev;
	buf->next = buf->prev = NULL;
}

void lindex_paged_dirty(struct lindex_space *sp, uint32_t ref)
{
	uint32_t page = ref / LINDEX_PAGE_UNITS;

	if (is_dirty(sp, page))
		return;
	sp->dirty_map[page / 64] |= 1ull << (page % 64);
	count(&sp->dirty, 1);
	if (!sp->pager.store)
		ring_remove(sp, buffer_of(sp, page));
}

static void mark_clean(struct lindex_space *sp, uint32_t page)
{
	struct lindex_paged_buffer *buf = buffer_of(sp, page);

	if (!is_dirty(sp, page))
		return;
	sp->dirty_map[page / 64] &= ~(1ull << (page % 64));
	count(&sp->dirty, 0u - 1);
	if (!sp->pager.store && buf)
		ring_add(sp, buf);
}

/** lindex_paged_limbo() - The node at @ref came into limbo (1) or left it (-1). */
void lindex_paged_limbo(struct lindex_space *sp, uint32_t ref, int by)
{
	buffer_of(sp, ref / LINDEX_PAGE_UNITS)->limbo += (uint32_t)by;
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
	struct lindex_paged_buffer *buf = buffer_of(sp, ref / LINDEX_PAGE_UNITS);
	uint64_t bit = 1ull << (ref % LINDEX_PAGE_UNITS);

	if (node)
		sp->books[ref / LINDEX_PAGE_UNITS].epoch =
			sp->epoch; /* it is about to be written */
	lindex_store_release(&buf->starts, node ? buf->starts | bit : buf->starts & ~bit);
}

/* ---- Evict --------------------------------------------------------------------------------------------------- */

/* P3. Pages held for lindex_reserve()'s callers stay, too. */
static bool evictable(const struct lindex_space *sp, const struct lindex_paged_buffer *buf)
{
	const struct lindex_page *book = &sp->books[buf->page];

	return book->epoch != sp->epoch && !buf->limbo && (book->used || sp->free_count > sp->held);
}

static int store_page(struct lindex_space *sp, uint32_t page)
{
	int err = -EOPNOTSUPP;

	if (sp->pager.store)
		err = sp->pager.store(sp->pager.ctx, page, buffer_of(sp, page)->bytes);
	if (!err)
		mark_clean(sp, page);
	return err;
}

/* From here no reader finds the page; its buffer waits for those who have. */
static void unpublish(struct lindex_space *sp, struct lindex_paged_buffer *buf)
{
	struct lindex_page *book = &sp->books[buf->page];

	lindex_bucket_remove(sp, buf->page);
	if (!book->used) {
		book->next = sp->free_absent;
		sp->free_absent = buf->page;
		book->listed = 1;
	}
	lindex_store_release(&sp->dir->mem[buf->page], (uint8_t *)NULL);
	count(&sp->resident, 0u - 1);
	ring_remove(sp, buf);
	buf->next = sp->limbo.retired_pages;
	sp->limbo.retired_pages = buf;
}

/* The clock goes round twice at most. Unpublishes up to @want pages: returns how many, or an error if none. */
static int64_t clock_sweep(struct lindex_space *sp, uint64_t want)
{
	uint32_t ring = sp->pager.store ? sp->resident : sp->resident - sp->dirty, looked;
	int64_t n = 0;
	int err = 0;

	for (looked = 0; looked < 2 * ring && (uint64_t)n < want && sp->hand && !err; looked++) {
		struct lindex_paged_buffer *buf = sp->hand;

		sp->hand = buf->next;
		if (!evictable(sp, buf))
			continue;
		if (sp->books[buf->page].touched && looked < ring) {
			sp->books[buf->page].touched = 0;
			continue;
		}
		err = is_dirty(sp, buf->page) ? store_page(sp, buf->page) : 0;
		if (!err) {
			unpublish(sp, buf);
			n++;
		}
	}
	return n ? n : err;
}

/* Evict up to @want pages, after one grace period for all. Returns how many, or an error if not even one. */
static int64_t evict_some(struct lindex_space *sp, uint64_t want)
{
	int64_t n = clock_sweep(sp, want);

	if (!n && (sp->limbo.retired.head || sp->limbo.waiting.head || sp->limbo.expired.head)) {
		lindex_retire_all(sp); /* what is in limbo keeps pages from going */
		n = clock_sweep(sp, want);
	}
	if (n > 0)
		lindex_retire_all(sp);
	return n;
}

static int64_t evict_batch(struct lindex_space *sp)
{
	return evict_some(sp, lindex_max64(EVICT_BATCH, sp->resident / EVICT_SHARE));
}

/* P6: a buffer is not needed now. At least one stays for whom room was made. */
static void buffer_put(struct lindex_space *sp, struct lindex_paged_buffer *buf)
{
	if (sp->spare && sp->resident + sp->spares >= sp->kept) {
		lindex_pool_release(sp->pool, buf, sizeof(*buf));
		return;
	}
	buf->next = sp->spare;
	sp->spare = buf;
	sp->spares++;
}

/** lindex_paged_free_evicted() - Nobody is left in these buffers. */
void lindex_paged_free_evicted(struct lindex_space *sp, struct lindex_paged_buffer **list)
{
	while (*list) {
		struct lindex_paged_buffer *buf = *list;

		*list = buf->next;
		buffer_put(sp, buf);
	}
}

/* A buffer: a spare one, new, or by evicting. NULL with *err set. */
static struct lindex_paged_buffer *buffer_new(struct lindex_space *sp, int *err)
{
	struct lindex_paged_buffer *buf;
	int64_t n = 0;

	if (!sp->spare) {
		buf = lindex_pool_alloc(sp->pool, sizeof(*buf), 64);
		if (!buf)
			n = evict_batch(sp);
		else
			buffer_put(sp, buf);
	}
	buf = sp->spare;
	if (!buf) {
		*err = n < 0 ? (int)n : -ENOMEM;
		return NULL;
	}
	sp->spare = buf->next;
	sp->spares--;
	memset(buf, 0, sizeof(*buf));
	return buf;
}

static void publish_page(struct lindex_space *sp, uint32_t page, struct lindex_paged_buffer *buf)
{
	sp->books[page].epoch = sp->epoch;
	sp->books[page].touched = 1;
	buf->page = page;
	ring_add(sp, buf);
	count(&sp->resident, 1);
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
	int64_t n = 1;

	while (!ptr && n > 0 && ix->space && ix->space->paged) {
		n = evict_batch(ix->space);
		ix->space->err = n < 0 ? (int)n : 0;
		ptr = lindex_pool_alloc(ix->pool, bytes, 64);
	}
	return ptr;
}

/* Books and directory for pages below @pages, evicting for them if need be. */
static int numbers_room(struct lindex_space *sp, uint32_t pages)
{
	while (books_room(sp, pages) || lindex_dir_room(sp, pages)) {
		int64_t n = evict_batch(sp);

		if (n <= 0)
			return n ? (int)n : -ENOMEM;
	}
	return 0;
}

/** lindex_paged_grow() - A new page, empty, in the buckets. */
int lindex_paged_grow(struct lindex_space *sp)
{
	uint32_t page = sp->npages ? sp->npages : 1;
	struct lindex_paged_buffer *buf;
	int err = 0;

	if (page >= LINDEX_TERM / LINDEX_PAGE_UNITS)
		return -ENOMEM;
	if (!sp->free_absent || sp->build_first)
		err = numbers_room(sp, page + 1);
	if (err)
		return err;
	buf = buffer_new(sp, &err);
	if (!buf)
		return err;
	if (sp->free_absent && !sp->build_first)
		page = free_number(sp);
	else
		lindex_store_relaxed(&sp->npages, page + 1);
	sp->books[page].used = 0;
	sp->books[page].next = 0;
	publish_page(sp, page, buf);
	lindex_bucket_insert(sp, page);
	return 0;
}

/* ---- Load ------------------------------------------------------------------------------------------------------ */

/* What is in a page that came from outside. Nodes retired before it was stored are free. The book changes if all is sound. */
static int page_verify(struct lindex_space *sp, struct lindex_paged_buffer *buf,
		       struct lindex_page *book)
{
	struct lindex_verify v = { .sp = sp };
	uint64_t used = 0;
	uint32_t at = 0;
	uint8_t inner = 0;

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
			used |= lindex_mask(units) << at;
			buf->starts |= 1ull << at;
			inner = node->level > 0;
		}
		at += units;
	}
	book->used = used;
	book->inner = inner;
	return 0;
}

static int page_load(struct lindex_space *sp, uint32_t page)
{
	struct lindex_page *book;
	struct lindex_paged_buffer *buf;
	int err = 0;

	buf = buffer_new(sp, &err);
	if (!buf)
		return err;
	book = &sp->books[page];
	err = sp->pager.load(sp->pager.ctx, page, buf->bytes);
	if (!err)
		err = page_verify(sp, buf, book);
	if (err) {
		buffer_put(sp, buf);
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
	const struct lindex_paged_buffer *buf = buffer_of(sp, ref / LINDEX_PAGE_UNITS);
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
void lindex_paged_room(struct lindex *ix)
{
	ix->space->epoch++;
}

/*
 * Pages that a remove which cuts no run holds at once: two paths (2 on each level but the root's), a neighbour
 * that is joined on each but that (two leaves are tried), the patch that was tried; and what it
 * writes (U3), without a middle leaf.
 */
static uint32_t pages_held(uint32_t level)
{
	return level ? (2 * level + 1) + (level - 1 + 2) + 1 + (5 + 3 * level + 1) : 6;
}

/**
 * lindex_paged_stand() - P6 for a tree with its root at @level, and room in the books for what removes add.
 * An insert asks for it before it publishes; a remove lives of it.
 */
int lindex_paged_stand(struct lindex *ix, uint32_t level)
{
	struct lindex_space *sp = ix->space;
	struct lindex_paged_buffer *buf;
	uint32_t kept = pages_held(level), pages = sp->npages + sp->npages / 8 + kept;
	int err = numbers_room(sp, lindex_min32(pages, LINDEX_TERM / LINDEX_PAGE_UNITS));

	if (err)
		return err;
	while (sp->resident + sp->spares < kept) {
		sp->kept = kept;
		buf = lindex_pool_alloc(sp->pool, sizeof(*buf), 64);
		if (!buf)
			return -ENOMEM;
		buffer_put(sp, buf);
	}
	sp->kept = kept;
	return 0;
}

/** lindex_resident_node() - The node, or NULL if its page is not resident or it is none. */
const struct lindex_node *lindex_resident_node(const struct lindex_space *sp, uint32_t ref)
{
	const struct lindex_paged_buffer *buf;

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
	struct lindex_paged_buffer *buf;
	uint32_t page;

	for (page = 1; page < sp->npages; page++)
		if (buffer_of(sp, page))
			lindex_pool_release(sp->pool, buffer_of(sp, page),
					    sizeof(struct lindex_paged_buffer));
	lindex_paged_free_evicted(sp, &sp->limbo.retired_pages);
	lindex_paged_free_evicted(sp, &sp->limbo.waiting_pages);
	while ((buf = sp->spare) != NULL) {
		sp->spare = buf->next;
		lindex_pool_release(sp->pool, buf, sizeof(*buf));
	}
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
	ix->space->npages = npages;
	ix->flags = 0;
	if (!(ix->root & LINDEX_ROOT_INLINE))
		err = lindex_paged_stand(ix, lindex_root_level(ix->root));
	else if (npages)
		err = numbers_room(ix->space, npages);
	if (err)
		goto fail;
	*out = ix;
	return 0;

fail:
	lindex_free(ix);
	return err;
}

uint32_t lindex_root_pages(const struct lindex_root *root)
{
	struct paged_root copy;

	memcpy(&copy, root, sizeof(copy));
	return lindex_from32(copy.npages);
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
	while (sp->resident > keep && n > 0)
		n = evict_some(sp, sp->resident - keep);
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
	const struct lindex_paged_buffer *buf = has_pages(ix) ? buffer_of(ix->space, page) : NULL;

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
		struct lindex_paged_buffer *buf = buffer_of(sp, page);

		lindex_bucket_remove(sp, page);
		if (!buf)
			continue;
		mark_clean(sp, page);
		ring_remove(sp, buf);
		sp->dir->mem[page] = NULL; /* no ref to it was published */
		count(&sp->resident, 0u - 1);
		buffer_put(sp, buf);
	}
	if (!ok && sp->npages)
		lindex_store_relaxed(&sp->npages, first);
	for (page = 1; page < sp->npages; page++) {
		lindex_bucket_remove(sp, page);
		if (buffer_of(sp, page))
			lindex_bucket_insert(sp, page);
	}
}
