/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A lindex whose 4 KiB pages live in the log: copy-on-write through lindex's pager.
 *
 *   root block ---- lindex_root (128 bytes), and the page table's top: 480 slots
 *      |  levels 0: slot p is where page p is
 *      |  levels n: a slot is a block of 512 slots of the level below
 *   pages
 *
 * Opening reads the root block. A page is loaded when a lookup needs it, stored where the meta head stands when a
 * checkpoint (or the memory cap) wants it; what is written is in proportion to the pages that changed.
 *
 *   X1  A reader holds pindex.lock shared, everything else exclusive and the pool's lock too. So lindex's readers
 *       and writer of one index exclude each other, pages are evicted under nobody's feet, and no thread has to be
 *       registered with liburcu: a page index has a space of its own, no reader is in another index's.
 *   X2  A slot's place is live; a place without a slot is not.
 *   X3  A child in memory counts, the slot above it only where there is none.
 *   X4  What an image claims is bounded before memory is given for it: a map has no more pages than the image has blocks,
 *       and its books fit the cap. Blocks of page tables in memory are counted; when they are over their share, those of
 *       this map that are clean and have none below them go before another comes.
 */
#include "internal.h"

#include <stdlib.h>

#define KEEP_PAGES      64u
#define REFS_NODE_BYTES 256u
#define PAGE_BOOKS      64u /* bytes at most that lindex keeps in memory for a page that is not */
#define BOOKS_SHARE     4u  /* of the cap: for these */
#define NODES_SHARE     32u /* and for blocks of page tables */

static uint64_t slots_below(uint32_t level)
{
	return 1ull << (9 * level);
}

static uint64_t capacity(uint32_t levels)
{
	return LFS_ROOT_SLOTS * slots_below(levels);
}

/* ---- The page table ------------------------------------------------------------------------------------ */

static void children_free(struct lfs *fs, struct lfs_ptnode *node)
{
	for (uint32_t i = 0; node->child && i < LFS_PTAB_SLOTS; i++) {
		if (!node->child[i])
			continue;
		children_free(fs, node->child[i]);
		free(node->child[i]);
		atomic_fetch_sub(&fs->ptab_nodes, 1);
	}
	free(node->child);
	node->child = NULL;
}

/* X4: what is below @node and not needed in memory goes; @keep stays, and so does what is above it. */
static void children_trim(struct lfs *fs, struct lfs_ptnode *node, const struct lfs_ptnode *keep)
{
	bool empty = true;

	for (uint32_t i = 0; node->child && i < LFS_PTAB_SLOTS; i++) {
		struct lfs_ptnode *child = node->child[i];

		if (!child)
			continue;
		children_trim(fs, child, keep);
		if (child == keep || child->dirty || child->child) {
			empty = false;
			continue;
		}
		free(child);
		node->child[i] = NULL;
		atomic_fetch_sub(&fs->ptab_nodes, 1);
	}
	if (empty && node != keep) {
		free(node->child);
		node->child = NULL;
	}
}

static void make_room(struct lfs_pindex *pi, const struct lfs_ptnode *keep)
{
	uint64_t most = pi->fs->opt.cap_bytes / NODES_SHARE / sizeof(struct lfs_ptnode);

	if (atomic_load(&pi->fs->ptab_nodes) >= most)
		children_trim(pi->fs, &pi->top, keep);
}

static int children_room(struct lfs_ptnode *node)
{
	if (!node->child)
		node->child = calloc(LFS_PTAB_SLOTS, sizeof(struct lfs_ptnode *));
	return node->child ? 0 : -ENOMEM;
}

/* Child @i of @node, read if it is on disk, made if not. */
static int child_get(struct lfs_pindex *pi, struct lfs_ptnode *node, uint64_t i,
		     struct lfs_ptnode **out)
{
	struct lfs_ptnode *child;
	int err = children_room(node);

	if (err)
		return err;
	if (!node->child[i]) {
		make_room(pi, node);
		child = calloc(1, sizeof(*child));
		if (!child)
			return -ENOMEM;
		if (node->slot[i])
			err = lfs_block_read(pi->fs, node->slot[i], child->slot);
		for (uint32_t j = 0; j < LFS_PTAB_SLOTS; j++)
			child->slot[j] = lfs_from64(child->slot[j]);
		if (err) {
			free(child);
			return err;
		}
		node->child[i] = child;
		atomic_fetch_add(&pi->fs->ptab_nodes, 1);
	}
	*out = node->child[i];
	return 0;
}

/* One level more: what was the top becomes child 0. */
static int table_rise(struct lfs_pindex *pi)
{
	struct lfs_ptnode *low = calloc(1, sizeof(*low));
	struct lfs_ptnode **child = calloc(LFS_PTAB_SLOTS, sizeof(*child));

	if (!low || !child) {
		free(low);
		free(child);
		return -ENOMEM;
	}
	atomic_fetch_add(&pi->fs->ptab_nodes, 1);
	*low = pi->top;
	low->dirty = true;
	memset(&pi->top, 0, sizeof(pi->top));
	pi->top.child = child;
	pi->top.child[0] = low;
	pi->top.dirty = true;
	pi->levels++;
	return 0;
}

/* The slot of @page; @dirty: it will change, and so will everything above it. */
static int slot_get(struct lfs_pindex *pi, uint64_t page, bool dirty, uint64_t **slot)
{
	struct lfs_ptnode *node = &pi->top;
	int err = 0;

	while (dirty && page >= capacity(pi->levels) && !err)
		err = table_rise(pi);
	if (err || page >= capacity(pi->levels))
		return err ? err : -EUCLEAN;
	for (uint32_t level = pi->levels;; level--) {
		uint64_t i = page / slots_below(level);

		node->dirty |= dirty;
		*slot = &node->slot[i];
		if (!level)
			break;
		err = child_get(pi, node, i, &node);
		if (err)
			return err;
		page %= slots_below(level);
	}
	pi->dirty |= dirty;
	return 0;
}

static int place_block(struct lfs_pindex *pi, uint32_t kind, uint64_t index, const void *bytes,
		       uint64_t *slot)
{
	uint64_t daddr, got, old = *slot;
	int err = lfs_log_place(pi->fs, LFS_HEAD_META, lfs_owner(kind, pi->id), index, 1, bytes,
				&daddr, &got);

	if (err)
		return err;
	*slot = daddr;
	return old ? lfs_live_remove(pi->fs, old, 1) : 0;
}

/* ---- The pager: lindex calls these under X1's exclusive locks ---------------------------------------------- */

static int page_load(void *ctx, uint32_t page, void *buf)
{
	struct lfs_pindex *pi = ctx;
	uint64_t *slot;
	int err = slot_get(pi, page, false, &slot);

	if (!err && !*slot)
		err = -EUCLEAN;
	if (!err && LFS_PLANTED(MAP_READ_SKIPS_CHECKSUM) && !lfs_dev_read(pi->fs, buf, 1, *slot) &&
	    ((const uint8_t *)buf)[0])
		return 0;
	return err ? err : lfs_block_read(pi->fs, *slot, buf);
}

static int page_store(void *ctx, uint32_t page, const void *buf)
{
	struct lfs_pindex *pi = ctx;
	uint64_t *slot;
	int err = slot_get(pi, page, true, &slot);

	if (err || (LFS_PLANTED(CHECKPOINT_FORGETS_NODE) && *slot && page % 3 == 1))
		return err;
	pi->pages += !*slot;
	return place_block(pi, LFS_KIND_PAGE, page, buf, slot);
}

/* ---- Open and close ------------------------------------------------------------------------------------------ */

static void lock(struct lfs_pindex *pi)
{
	pthread_rwlock_wrlock(&pi->lock);
	pthread_mutex_lock(&pi->pool->lock);
}

static void unlock(struct lfs_pindex *pi)
{
	pthread_mutex_unlock(&pi->pool->lock);
	pthread_rwlock_unlock(&pi->lock);
}

/* X4, before anything is made of it. */
static int root_check(const struct lfs_pindex *pi, const struct lfs_root_disk *d,
		      const struct lindex_root *lroot, const char **why)
{
	uint64_t blocks = pi->fs->geo.blocks, pages = lindex_root_pages(lroot);
	uint32_t levels = lfs_from32(d->levels);

	*why = "makes no sense";
	if (lfs_from32(d->magic) != LFS_ROOT_MAGIC || levels > 2 ||
	    lfs_from64(d->owner) != lfs_owner(LFS_KIND_ROOT, pi->id))
		return -EUCLEAN;
	*why = "claims more pages than the image has blocks";
	if (pages > blocks || (levels && capacity(levels - 1) >= blocks))
		return -EUCLEAN;
	*why = "has more pages than the cap of memory allows";
	return pages * PAGE_BOOKS > pi->fs->opt.cap_bytes / BOOKS_SHARE ? -ENOMEM : 0;
}

static int root_read(struct lfs_pindex *pi, uint64_t root, struct lindex_root *lroot,
		     const char **why)
{
	struct lfs_root_disk *d = aligned_alloc(64, LFS_BLOCK);
	int err = d ? lfs_block_read(pi->fs, root, d) : -ENOMEM;

	*why = strerror(-err);
	if (!err) {
		memcpy(lroot, d->lindex_root, sizeof(*lroot));
		err = root_check(pi, d, lroot, why);
	}
	if (!err) {
		pi->levels = lfs_from32(d->levels);
		for (uint32_t i = 0; i < LFS_ROOT_SLOTS; i++)
			pi->top.slot[i] = lfs_from64(d->slot[i]);
	}
	free(d);
	return err;
}

static void pi_free(struct lfs_pindex *pi)
{
	if (pi->ix) {
		pthread_mutex_lock(&pi->pool->lock);
		lindex_free(pi->ix);
		pthread_mutex_unlock(&pi->pool->lock);
	}
	children_free(pi->fs, &pi->top);
	pthread_rwlock_destroy(&pi->lock);
	free(pi);
}

/** lfs_pindex_open() - @root: its root block, 0: empty. Reads that block only. */
int lfs_pindex_open(struct lfs *fs, struct lfs_map_id id, uint64_t root, struct lfs_pindex **out)
{
	struct lfs_pindex *pi = calloc(1, sizeof(*pi));
	struct lindex_pager pager = { .load = page_load, .store = page_store, .ctx = pi };
	struct lindex_config cfg = { .pager = &pager };
	struct lindex_root lroot = { { 0 } };
	const char *why = NULL;
	int err = 0;

	if (!pi)
		return -ENOMEM;
	/* Counts of owners change one by one, and hundreds would fit a leaf that is made anew each time. */
	if (id.which == LFS_WHICH_SYS + LFS_SYS_REFS)
		cfg.node_bytes = REFS_NODE_BYTES;
	pi->fs = fs;
	pi->id = id;
	pi->root = root;
	pi->pool = &fs->pool[id.which >= LFS_WHICH_SYS ? LFS_POOLS : id.ino % LFS_POOLS];
	pthread_rwlock_init(&pi->lock, NULL);
	if (root)
		err = root_read(pi, root, &lroot, &why);
	if (!err) {
		why = NULL;
		pthread_mutex_lock(&pi->pool->lock);
		err = lindex_open_paged(pi->pool->pool, &cfg, &lroot, &pi->ix);
		pthread_mutex_unlock(&pi->pool->lock);
	}
	if (err) {
		lfs_log(fs, LFS_LOG_ERROR, "map %u of inode %u, root block %llu: %s", id.which,
			id.ino, (unsigned long long)root,
			why             ? why :
			err == -EUCLEAN ? "makes no sense" :
					  strerror(-err));
		pi_free(pi);
		return err;
	}
	pi->dirty = !root;
	atomic_fetch_add(&fs->icache.open_maps, 1);
	*out = pi;
	return 0;
}

/** lfs_pindex_close() - What was not flushed is lost. */
void lfs_pindex_close(struct lfs_pindex *pi)
{
	if (!pi)
		return;
	atomic_fetch_sub(&pi->fs->icache.open_maps, 1);
	pi_free(pi);
}

static int nodes_flush(struct lfs_pindex *pi, struct lfs_ptnode *node, uint32_t level,
		       uint64_t first)
{
	uint64_t bytes[LFS_PTAB_SLOTS];
	int err = 0;

	for (uint64_t i = 0; level && node->child && i < LFS_PTAB_SLOTS && !err; i++) {
		struct lfs_ptnode *child = node->child[i];
		uint64_t page = first + i * slots_below(level);

		if (!child || !child->dirty)
			continue;
		err = nodes_flush(pi, child, level - 1, page);
		for (uint32_t j = 0; j < LFS_PTAB_SLOTS; j++)
			bytes[j] = lfs_to64(child->slot[j]);
		if (!err)
			err = place_block(pi, LFS_KIND_PTAB, (uint64_t)level << 48 | page, bytes,
					  &node->slot[i]);
		if (!err)
			child->dirty = false;
	}
	return err;
}

static int root_write(struct lfs_pindex *pi)
{
	struct lfs_root_disk *d = aligned_alloc(64, LFS_BLOCK);
	struct lindex_root lroot;
	int err = -ENOMEM;

	if (d) {
		memset(d, 0, sizeof(*d));
		d->magic = lfs_to32(LFS_ROOT_MAGIC);
		d->levels = lfs_to32(pi->levels);
		d->owner = lfs_to64(lfs_owner(LFS_KIND_ROOT, pi->id));
		for (uint32_t i = 0; i < LFS_ROOT_SLOTS; i++)
			d->slot[i] = lfs_to64(pi->top.slot[i]);
		err = lindex_get_root(pi->ix, &lroot);
	}
	if (!err) {
		memcpy(d->lindex_root, &lroot, sizeof(lroot));
		err = place_block(pi, LFS_KIND_ROOT, 0, d, &pi->root);
	}
	free(d);
	return err;
}

/** lfs_pindex_flush() - Everything that changed is in the log; pi->root says where. */
int lfs_pindex_flush(struct lfs_pindex *pi)
{
	int err;

	if (!pi->dirty)
		return 0;
	lock(pi);
	err = lindex_flush(pi->ix);
	if (!err)
		err = nodes_flush(pi, &pi->top, pi->levels, 0);
	if (!err)
		err = root_write(pi);
	if (!err)
		pi->top.dirty = pi->dirty = false;
	unlock(pi);
	return err;
}

struct places {
	int (*fn)(void *ctx, uint64_t daddr);
	void *ctx;
	uint64_t left; /* a page table that names more goes in circles */
};

static int place_found(struct lfs_pindex *pi, struct places *places, uint64_t daddr)
{
	if (places->left--)
		return places->fn(places->ctx, daddr);
	lfs_log(pi->fs, LFS_LOG_ERROR,
		"map %u of inode %u: its page table names more blocks than the image has",
		pi->id.which, pi->id.ino);
	return -EUCLEAN;
}

static int each_place(struct lfs_pindex *pi, struct lfs_ptnode *node, uint32_t level,
		      struct places *places)
{
	struct lfs_ptnode *child;
	int err = 0;

	for (uint64_t i = 0; i < LFS_PTAB_SLOTS && !err; i++) {
		bool in_memory = node->child && node->child[i];

		if (!node->slot[i] && !in_memory)
			continue;
		if (level) {
			err = child_get(pi, node, i, &child);
			if (!err)
				err = each_place(pi, child, level - 1, places);
		}
		if (!err && node->slot[i])
			err = place_found(pi, places, node->slot[i]);
	}
	return err;
}

/** lfs_pindex_places() - Each block that the index has on disk: pages, page table, root. */
int lfs_pindex_places(struct lfs_pindex *pi, int (*fn)(void *ctx, uint64_t daddr), void *ctx)
{
	struct places places = { fn, ctx, pi->fs->geo.blocks };
	int err;

	lock(pi);
	err = each_place(pi, &pi->top, pi->levels, &places);
	if (!err && pi->root)
		err = place_found(pi, &places, pi->root);
	unlock(pi);
	return err;
}

static int free_place(void *ctx, uint64_t daddr)
{
	return lfs_live_remove(ctx, daddr, 1);
}

/** lfs_pindex_destroy() - Free its blocks and close it. A part that cannot be read is left to fsck. */
int lfs_pindex_destroy(struct lfs_pindex *pi)
{
	int err = lfs_pindex_places(pi, free_place, pi->fs);

	lfs_pindex_close(pi);
	return err;
}

/* ---- Queries ---------------------------------------------------------------------------------------------------- */

/* Under X1's exclusive locks: make room if the pool is over its share. */
static void keep_share(struct lfs_pindex *pi)
{
	uint64_t keep = pi->fs->pool_limit / LFS_BLOCK / 4;

	if (lindex_pool_bytes(pi->pool->pool) > pi->fs->pool_limit)
		lindex_evict(pi->ix, keep > KEEP_PAGES ? keep : KEEP_PAGES);
}

/** lfs_pindex_lookup() - 0 and the run, -ENOENT and the hole; or an error of reading pages. */
int lfs_pindex_lookup(struct lfs_pindex *pi, uint64_t key, struct lindex_run *run)
{
	int err;

	pthread_rwlock_rdlock(&pi->lock);
	err = lindex_lookup(pi->ix, key, run);
	pthread_rwlock_unlock(&pi->lock);
	if (err != -EAGAIN)
		return err;
	lock(pi);
	keep_share(pi);
	while ((err = lindex_lookup(pi->ix, key, run)) == -EAGAIN) {
		err = lindex_load(pi->ix, key);
		if (err)
			break;
	}
	unlock(pi);
	return err;
}

/** lfs_pindex_next() - The first run that ends at or after @key. -ENOENT. */
int lfs_pindex_next(struct lfs_pindex *pi, uint64_t key, struct lindex_run *run)
{
	struct lindex_cursor cur;
	int err;

	pthread_rwlock_rdlock(&pi->lock);
	lindex_cursor_init(&cur, pi->ix, key);
	err = lindex_cursor_next(&cur, run);
	pthread_rwlock_unlock(&pi->lock);
	if (err != -EAGAIN)
		return err;
	lock(pi);
	keep_share(pi);
	lindex_cursor_init(&cur, pi->ix, key);
	while ((err = lindex_cursor_next(&cur, run)) == -EAGAIN) {
		err = lindex_load(pi->ix, cur.pos);
		if (err)
			break;
	}
	unlock(pi);
	return err;
}

/* ---- Changes ------------------------------------------------------------------------------------------------------- */

int lfs_pindex_insert(struct lfs_pindex *pi, const struct lindex_run *run)
{
	int err;

	lock(pi);
	keep_share(pi);
	err = lindex_insert(pi->ix, run);
	pi->dirty = true;
	unlock(pi);
	return err;
}

int lfs_pindex_remove(struct lfs_pindex *pi, uint64_t first, uint64_t last)
{
	int err;

	lock(pi);
	keep_share(pi);
	err = lindex_remove(pi->ix, first, last);
	pi->dirty = true;
	unlock(pi);
	return err;
}

int lfs_pindex_build(struct lfs_pindex *pi, const struct lindex_run *runs, size_t n)
{
	int err;

	lock(pi);
	err = lindex_build(pi->ix, runs, n, NULL);
	pi->dirty = true;
	unlock(pi);
	return err;
}

/* ---- For the cleaner and the check ---------------------------------------------------------------------------------- */

/** lfs_pindex_page_move() - Page @page is elsewhere than at @from afterwards. -ENOENT: it was not there. */
int lfs_pindex_page_move(struct lfs_pindex *pi, uint64_t page, uint64_t from)
{
	uint8_t *bytes = aligned_alloc(64, LFS_BLOCK);
	uint64_t *slot;
	int err = bytes ? 0 : -ENOMEM;

	lock(pi);
	if (!err)
		err = slot_get(pi, page, false, &slot);
	if (!err && *slot != from)
		err = -ENOENT;
	if (!err)
		err = lfs_block_read(pi->fs, from, bytes);
	if (!err)
		err = slot_get(pi, page, true, &slot);
	if (!err)
		err = place_block(pi, LFS_KIND_PAGE, page, bytes, slot);
	unlock(pi);
	free(bytes);
	return err;
}

/** lfs_pindex_node_dirty() - The page table's block named by @index will be written anew. */
int lfs_pindex_node_dirty(struct lfs_pindex *pi, uint64_t index, uint64_t daddr)
{
	uint32_t depth = (uint32_t)(index >> 48), level;
	uint64_t page = index & (((uint64_t)1 << 48) - 1);
	struct lfs_ptnode *node = &pi->top;
	int err = 0;

	lock(pi);
	if (!depth || depth > pi->levels || page >= capacity(pi->levels))
		err = -ENOENT;
	for (level = pi->levels; !err; level--) {
		uint64_t i = page / slots_below(level);

		if (level == depth && node->slot[i] != daddr)
			err = -ENOENT;
		if (!err)
			err = child_get(pi, node, i, &node);
		page %= slots_below(level);
		if (level == depth)
			break;
	}
	if (!err) { /* the same way again, now that it is known to be there */
		uint64_t *slot;

		err = slot_get(pi, index & (((uint64_t)1 << 48) - 1), true, &slot);
	}
	unlock(pi);
	return err;
}

/** lfs_pindex_root_dirty() - The root block will be written anew, if it is the one at @daddr. */
int lfs_pindex_root_dirty(struct lfs_pindex *pi, uint64_t daddr)
{
	int err = 0;

	lock(pi);
	if (pi->root != daddr)
		err = -ENOENT;
	else
		pi->dirty = true;
	unlock(pi);
	return err;
}

void lfs_pindex_stats(struct lfs_pindex *pi, struct lindex_stats *stats)
{
	lock(pi);
	lindex_get_stats(pi->ix, stats);
	unlock(pi);
}

int lfs_pindex_check(struct lfs_pindex *pi, struct lindex_reason *why)
{
	int err;

	lock(pi);
	err = lindex_check(pi->ix, why);
	unlock(pi);
	return err;
}

/** lfs_pindex_shrink() - At most @keep_pages of its pages stay in memory. */
void lfs_pindex_shrink(struct lfs_pindex *pi, uint64_t keep_pages)
{
	lock(pi);
	lindex_evict(pi->ix, keep_pages);
	unlock(pi);
}
