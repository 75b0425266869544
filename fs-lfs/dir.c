/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Directories: entries in blocks, and an index from the names' hash to the entries' places.
 *
 *   block:   | ino hash len name_len type name.. | ino hash .. | free (ino 0) .. |     records cover the block
 *   index:   key  = 40 bits of the name's seeded hash, 8 bits that tell names of one hash apart
 *            value = block << 10 | offset / 4
 *
 * A directory of one block has no index: the block is scanned. From the second block on the index is a lindex (names
 * of the inode), so that a lookup among millions touches one entry. Hashes are keyed with a seed of the filesystem's
 * own: nobody can choose names that collide.
 *
 *   D1  An entry never moves while it exists: readdir's cookies are places.
 *   D2  With an index, each entry has exactly one key in it, and each key an entry.
 *   D3  Blocks are changed in the cache; a checkpoint writes them. Until then the log's records stand for them.
 *
 * Context: the directory's inode.lock, exclusive for changes.
 */
#include "internal.h"

#include <stdlib.h>

#define KEY_VARIANTS 256u
#define ROOMY_MAX    1024u
#define ROOMY_TRIES  4u

static struct lfs_dirent_disk *entry_at(const struct lfs_cblk *blk, uint32_t off)
{
	return (struct lfs_dirent_disk *)(void *)(blk->data + off);
}

static uint32_t entry_bytes(uint32_t name_len)
{
	return (LFS_DIRENT_HEAD + name_len + 3) & ~3u;
}

/** lfs_dir_key() - The first key of a name in the index, and the hash in its entry. */
uint64_t lfs_dir_key(struct lfs *fs, const char *name, uint32_t len, uint32_t *hash32)
{
	uint64_t h = lfs_csum_name(name, len, lfs_from64(fs->super.hash_seed));

	*hash32 = (uint32_t)h;
	return (h >> 24) << 8;
}

/** lfs_dir_block_check() - Bytes from disk: do records cover the block? */
int lfs_dir_block_check(const uint8_t *bytes, const char **why)
{
	uint32_t off = 0;

	while (off < LFS_BLOCK) {
		const struct lfs_dirent_disk *e = (const void *)(bytes + off);
		uint32_t len = lfs_from16(e->len);

		*why = "an entry's length";
		if (len < LFS_DIRENT_HEAD || len % 4 || len > LFS_BLOCK - off)
			return -EUCLEAN;
		*why = "an entry's name";
		if (e->ino && (!e->name_len || entry_bytes(e->name_len) > len))
			return -EUCLEAN;
		off += len;
	}
	*why = NULL;
	return 0;
}

/* ---- Blocks --------------------------------------------------------------------------------------------- */

/** lfs_dir_block() - Block @lbn of the directory, pinned. -ENOENT: a hole. */
int lfs_dir_block(struct lfs *fs, struct lfs_inode *dir, uint64_t lbn, struct lfs_cblk **blk)
{
	uint64_t daddr, n;
	const char *why;
	uint8_t *bytes;
	uint32_t tag;
	int err;

	*blk = lfs_cache_find(&fs->cache, LFS_CACHE_FILE(dir->ino), lbn);
	if (*blk)
		return 0;
	bytes = aligned_alloc(64, LFS_BLOCK);
	if (!bytes)
		return -ENOMEM;
	err = lfs_file_lookup(fs, dir, lbn, 1, &daddr, &n, &tag);
	if (!err && !daddr)
		err = -ENOENT;
	if (!err)
		err = lfs_block_read(fs, daddr, bytes);
	if (!err && lfs_dir_block_check(bytes, &why)) {
		lfs_log(fs, LFS_LOG_ERROR, "directory %u, block %llu: %s makes no sense", dir->ino,
			(unsigned long long)lbn, why);
		err = -EUCLEAN;
	} else if (err && err != -ENOENT) {
		lfs_log(fs, LFS_LOG_ERROR, "directory %u, block %llu cannot be read", dir->ino,
			(unsigned long long)lbn);
	}
	if (!err) {
		*blk = lfs_cache_add(&fs->cache, LFS_CACHE_FILE(dir->ino), lbn, bytes);
		err = *blk ? 0 : -ENOMEM;
	}
	free(bytes);
	return err;
}

static void block_changed(struct lfs *fs, struct lfs_cblk *blk)
{
	lfs_cache_dirty(&fs->cache, blk);
}

/** lfs_dir_flush_block() - A dirty block goes into the log. Context: op_lock exclusive. */
int lfs_dir_flush_block(struct lfs *fs, struct lfs_cblk *blk)
{
	struct lindex_run run = { .first = blk->b, .last = blk->b, .step = 1 };
	struct lfs_inode *dir;
	struct lfs_map_id id = { (uint32_t)blk->a, LFS_WHICH_BLOCKS };
	uint64_t got;
	int err = lfs_iget(fs, id.ino, &dir);

	if (err)
		return err;
	err = lfs_log_place(fs, LFS_HEAD_META, lfs_owner(LFS_KIND_DATA, id), blk->b, 1, blk->data,
			    &run.value, &got);
	pthread_rwlock_wrlock(&dir->lock); /* a checkpoint stops changes, not readers of the map */
	if (!err)
		err = lfs_map_swap(fs, dir, &run);
	if (!err)
		lfs_cache_clean(&fs->cache, blk);
	lfs_file_put(fs, dir);
	return err;
}

/* ---- State in memory --------------------------------------------------------------------------------------- */

static int state_get(struct lfs *fs, struct lfs_inode *dir, struct lfs_dir_state **out)
{
	struct lfs_dir_state *st = __atomic_load_n(&dir->dir, __ATOMIC_ACQUIRE);
	struct lfs_map_id id = { dir->ino, LFS_WHICH_NAMES };
	int err = 0;

	if (!st) {
		pthread_mutex_lock(&fs->open_lock);
		st = dir->dir;
		if (!st) {
			st = calloc(1, sizeof(*st));
			if (!st)
				err = -ENOMEM;
			else if (dir->flags & LFS_DI_NAMES)
				err = lfs_pindex_open(fs, id, dir->names_root, &st->names);
			if (err) {
				free(st);
				st = NULL;
			}
			__atomic_store_n(&dir->dir, st, __ATOMIC_RELEASE);
		}
		pthread_mutex_unlock(&fs->open_lock);
	}
	*out = st;
	return err;
}

/** lfs_dir_names() - The index of names, NULL: there is none. */
int lfs_dir_names(struct lfs *fs, struct lfs_inode *dir, struct lfs_pindex **pi)
{
	struct lfs_dir_state *st;
	int err = dir->flags & LFS_DI_NAMES ? state_get(fs, dir, &st) : 0;

	*pi = !err && dir->flags & LFS_DI_NAMES ? st->names : NULL;
	return err;
}

static uint32_t block_count(const struct lfs_inode *dir)
{
	return dir->dir_blocks;
}

/* Remember a block that has room. */
static void note_roomy(struct lfs_dir_state *st, uint32_t lbn)
{
	if (st->nroomy && st->roomy[st->nroomy - 1] == lbn)
		return;
	if (st->nroomy == st->roomy_room) {
		uint32_t room = st->roomy_room ? st->roomy_room * 2 : 16;
		uint32_t *more;

		if (room > ROOMY_MAX)
			return;
		more = realloc(st->roomy, room * sizeof(*more));
		if (!more)
			return;
		st->roomy = more;
		st->roomy_room = room;
	}
	st->roomy[st->nroomy++] = lbn;
}

/* ---- Finding --------------------------------------------------------------------------------------------------- */

static bool is_entry(const struct lfs_dirent_disk *e, const char *name, uint32_t len, uint32_t hash)
{
	return e->ino && lfs_from32(e->hash) == hash && e->name_len == len &&
	       !memcmp(e->name, name, len);
}

static int scan_block(const struct lfs_cblk *blk, const char *name, uint32_t len, uint32_t hash,
		      uint32_t *off)
{
	for (*off = 0; *off < LFS_BLOCK; *off += lfs_from16(entry_at(blk, *off)->len))
		if (is_entry(entry_at(blk, *off), name, len, hash))
			return 0;
	return -ENOENT;
}

/* The entry's block, pinned, its offset, and its key where there is an index. */
static int find_indexed(struct lfs *fs, struct lfs_inode *dir, struct lfs_pindex *names,
			const char *name, uint32_t len, struct lfs_cblk **blk, uint32_t *off,
			uint64_t *key)
{
	uint32_t hash;
	uint64_t first = lfs_dir_key(fs, name, len, &hash), at = first;
	struct lindex_run run;
	int err;

	while (!(err = lfs_pindex_next(names, at, &run)) && run.first < first + KEY_VARIANTS) {
		uint64_t value = lindex_value(&run, run.first > at ? run.first : at);

		*key = run.first > at ? run.first : at;
		*off = (uint32_t)(value & 0x3ff) * 4;
		err = lfs_dir_block(fs, dir, value >> 10, blk);
		if (err)
			return err == -ENOENT ? -EUCLEAN : err;
		if (*off + LFS_DIRENT_HEAD + len <= LFS_BLOCK &&
		    is_entry(entry_at(*blk, *off), name, len, hash))
			return 0;
		lfs_cache_put(&fs->cache, *blk);
		at = *key + 1;
	}
	return err ? err : -ENOENT;
}

static int find(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		struct lfs_cblk **blk, uint32_t *off, uint64_t *key)
{
	struct lfs_dir_state *st;
	uint32_t hash;
	int err = state_get(fs, dir, &st);

	if (err)
		return err;
	if (st->names)
		return find_indexed(fs, dir, st->names, name, len, blk, off, key);
	*key = lfs_dir_key(fs, name, len, &hash);
	for (uint32_t lbn = 0; lbn < block_count(dir); lbn++) {
		err = lfs_dir_block(fs, dir, lbn, blk);
		if (err)
			return err == -ENOENT ? -EUCLEAN : err;
		if (!scan_block(*blk, name, len, hash, off))
			return 0;
		lfs_cache_put(&fs->cache, *blk);
	}
	return -ENOENT;
}

/** lfs_dir_find() - @at: where it is (as readdir's cookies). Return: 0, -ENOENT. */
int lfs_dir_find(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		 uint32_t *ino, uint8_t *type, uint64_t *at)
{
	struct lfs_cblk *blk;
	uint32_t off;
	uint64_t key;
	int err = find(fs, dir, name, len, &blk, &off, &key);

	if (err)
		return err;
	*ino = lfs_from32(entry_at(blk, off)->ino);
	if (type)
		*type = entry_at(blk, off)->type;
	if (at)
		*at = blk->b * LFS_BLOCK + off;
	lfs_cache_put(&fs->cache, blk);
	return 0;
}

/* ---- Adding ------------------------------------------------------------------------------------------------------ */

static int names_add(struct lfs *fs, struct lfs_pindex *names, const char *name, uint32_t len,
		     uint64_t lbn, uint32_t off)
{
	struct lindex_run run, entry = { .value = lbn << 10 | off / 4 };
	uint32_t hash;
	uint64_t first = lfs_dir_key(fs, name, len, &hash), key = first;
	int err;

	while (!(err = lfs_pindex_lookup(names, key, &run)) && key < first + KEY_VARIANTS - 1)
		key++;
	if (!err)
		return -ENOSPC; /* 256 names with the same 40 bits */
	if (err != -ENOENT)
		return err;
	entry.first = entry.last = key;
	return lfs_pindex_insert(names, &entry);
}

/* Room in the block for @need bytes: its offset, or -ENOSPC. */
static int room_in(const struct lfs_cblk *blk, uint32_t need, uint32_t *off)
{
	for (*off = 0; *off < LFS_BLOCK; *off += lfs_from16(entry_at(blk, *off)->len)) {
		const struct lfs_dirent_disk *e = entry_at(blk, *off);
		uint32_t used = e->ino ? entry_bytes(e->name_len) : 0;

		if (lfs_from16(e->len) - used >= need)
			return 0;
	}
	return -ENOSPC;
}

/* Put the entry into the record at @off, behind what that holds. Returns where it begins. */
static uint32_t put_entry(struct lfs_cblk *blk, uint32_t off, const char *name, uint32_t len,
			  uint32_t ino, uint8_t type, uint32_t hash)
{
	struct lfs_dirent_disk *e = entry_at(blk, off);
	uint32_t all = lfs_from16(e->len), used = e->ino ? entry_bytes(e->name_len) : 0;

	if (used) {
		e->len = lfs_to16(used);
		off += used;
		e = entry_at(blk, off);
	}
	memset(e, 0, LFS_DIRENT_HEAD);
	e->ino = lfs_to32(ino);
	e->hash = lfs_to32(hash);
	e->len = lfs_to16(all - used);
	e->name_len = (uint8_t)len;
	e->type = type;
	memcpy(e->name, name, len);
	return off;
}

/* The second block comes: from now on there is an index. */
static int names_begin(struct lfs *fs, struct lfs_inode *dir, struct lfs_dir_state *st)
{
	struct lfs_map_id id = { dir->ino, LFS_WHICH_NAMES };
	struct lfs_pindex *names;
	struct lfs_cblk *blk;
	int err = lfs_dir_block(fs, dir, 0, &blk);

	if (err)
		return err;
	err = lfs_pindex_open(fs, id, 0, &names);
	for (uint32_t off = 0; !err && off < LFS_BLOCK;) {
		struct lfs_dirent_disk *e = entry_at(blk, off);

		if (e->ino)
			err = names_add(fs, names, e->name, e->name_len, 0, off);
		off += lfs_from16(e->len);
	}
	lfs_cache_put(&fs->cache, blk);
	if (err) {
		lfs_pindex_close(names);
		return err;
	}
	dir->names_root = 0;
	dir->flags |= LFS_DI_NAMES;
	st->names = names;
	return 0;
}

static int block_add(struct lfs *fs, struct lfs_inode *dir, struct lfs_dir_state *st,
		     struct lfs_cblk **blk)
{
	int err = 0;

	if (block_count(dir) == 1)
		err = names_begin(fs, dir, st);
	if (err)
		return err;
	*blk = lfs_cache_add(&fs->cache, LFS_CACHE_FILE(dir->ino), block_count(dir), NULL);
	if (!*blk)
		return -ENOMEM;
	memset((*blk)->data, 0, LFS_BLOCK);
	entry_at(*blk, 0)->len = lfs_to16(LFS_BLOCK);
	dir->dir_blocks++;
	return 0;
}

/* A block with room for @need bytes, pinned: one known to have some, the last, or a new one. */
static int block_with_room(struct lfs *fs, struct lfs_inode *dir, struct lfs_dir_state *st,
			   uint32_t need, struct lfs_cblk **blk, uint32_t *off)
{
	uint32_t tries = 0;
	int err;

	while (tries++ < ROOMY_TRIES && (st->nroomy || block_count(dir))) {
		uint32_t lbn = st->nroomy ? st->roomy[st->nroomy - 1] : block_count(dir) - 1;

		err = lfs_dir_block(fs, dir, lbn, blk);
		if (err)
			return err == -ENOENT ? -EUCLEAN : err;
		if (!room_in(*blk, need, off))
			return 0;
		lfs_cache_put(&fs->cache, *blk);
		if (!st->nroomy)
			break;
		st->nroomy--;
	}
	*off = 0;
	return block_add(fs, dir, st, blk);
}

/** lfs_dir_add() - A new entry; the name is not there. */
int lfs_dir_add(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len, uint32_t ino,
		uint8_t type)
{
	struct lfs_dir_state *st;
	struct lfs_cblk *blk;
	uint32_t off, hash;
	int err = state_get(fs, dir, &st);

	if (!err)
		err = block_with_room(fs, dir, st, entry_bytes(len), &blk, &off);
	if (err)
		return err;
	lfs_dir_key(fs, name, len, &hash);
	block_changed(fs, blk);
	if (st->names) {
		const struct lfs_dirent_disk *e = entry_at(blk, off);
		uint32_t at = off + (e->ino ? entry_bytes(e->name_len) : 0);

		err = names_add(fs, st->names, name, len, blk->b, at);
	}
	if (!err) {
		put_entry(blk, off, name, len, ino, type, hash);
		dir->entries++;
		dir->dirty = true;
	}
	lfs_cache_put(&fs->cache, blk);
	return err;
}

/* ---- Removing ------------------------------------------------------------------------------------------------------ */

/* The entry at @off becomes free, one with free neighbours. */
static void drop_entry(struct lfs_cblk *blk, uint32_t off)
{
	uint32_t at = 0, before = LFS_BLOCK;
	struct lfs_dirent_disk *e = entry_at(blk, off), *next;

	e->ino = 0;
	if (off + lfs_from16(e->len) < LFS_BLOCK) {
		next = entry_at(blk, off + lfs_from16(e->len));
		if (!next->ino)
			e->len = lfs_to16(lfs_from16(e->len) + lfs_from16(next->len));
	}
	for (; at < off; at += lfs_from16(entry_at(blk, at)->len))
		before = at;
	if (before < LFS_BLOCK) {
		struct lfs_dirent_disk *prev = entry_at(blk, before);

		prev->len = lfs_to16(lfs_from16(prev->len) + lfs_from16(e->len));
	}
}

/** lfs_dir_del() - Remove an entry. -ENOENT. */
int lfs_dir_del(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len)
{
	struct lfs_cblk *blk;
	uint32_t off;
	uint64_t key;
	int err = find(fs, dir, name, len, &blk, &off, &key);

	if (err)
		return err;
	if (dir->dir->names)
		err = lfs_pindex_remove(dir->dir->names, key, key);
	if (!err) {
		drop_entry(blk, off);
		block_changed(fs, blk);
		note_roomy(dir->dir, (uint32_t)blk->b);
		dir->entries--;
		dir->dirty = true;
	}
	lfs_cache_put(&fs->cache, blk);
	return err;
}

/** lfs_dir_set() - The entry names another inode now. -ENOENT. */
int lfs_dir_set(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len, uint32_t ino,
		uint8_t type)
{
	struct lfs_cblk *blk;
	uint32_t off;
	uint64_t key;
	int err = find(fs, dir, name, len, &blk, &off, &key);

	if (err)
		return err;
	entry_at(blk, off)->ino = lfs_to32(ino);
	entry_at(blk, off)->type = type;
	block_changed(fs, blk);
	dir->dirty = true;
	lfs_cache_put(&fs->cache, blk);
	return 0;
}
