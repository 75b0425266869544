/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walking directories. A cookie is the place in the directory where to go on: 1 and 2 behind "." and "..", then
 * COOKIE_BASE + block * 4096 + offset. Entries do not move (D1), so a walk sees each entry that stays exactly once.
 * A piece of the directory is copied under its lock; the visitor runs without.
 */
#include "internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define COOKIE_BASE 4u

struct piece {
	uint8_t bytes[LFS_BLOCK];
	uint32_t ino, parent;
	uint64_t lbn, blocks;
};

/* Block @lbn of the directory, copied; *piece tells where the directory ends. */
static int piece_get(struct lfs *fs, uint64_t ino, uint64_t lbn, struct piece *piece)
{
	struct lfs_inode *dir;
	struct lfs_cblk *blk;
	int err = lfs_iget(fs, ino, &dir);

	if (err)
		return err;
	pthread_rwlock_rdlock(&dir->lock);
	piece->ino = dir->ino;
	piece->parent = dir->parent;
	piece->blocks = dir->nlink ? dir->dir_blocks : 0;
	piece->lbn = lbn;
	if (!S_ISDIR(dir->mode))
		err = -ENOTDIR;
	if (!err && lbn < piece->blocks) {
		err = lfs_dir_block(fs, dir, lbn, &blk);
		if (!err) {
			memcpy(piece->bytes, blk->data, LFS_BLOCK);
			lfs_cache_put(&fs->cache, blk);
		}
	}
	pthread_rwlock_unlock(&dir->lock);
	lfs_iput(fs, dir);
	return err;
}

/* Give one entry to the visitor. Return: 1: go on, 0: not taken; errors. */
static int visit(struct lfs *fs, const struct lfs_dirent *entry, bool plus, lfs_dir_fn fn,
		 void *ctx)
{
	struct lfs_attr attr;
	bool named = entry->cookie > 2;
	int err;

	if (!plus)
		return fn(ctx, entry, NULL);
	if (named) {
		err = lfs_ref(fs, entry->ino, 0, &attr);
		if (err) /* it has gone meanwhile */
			return err == -ESTALE || err == -ENOENT ? 1 : err;
	} else {
		memset(&attr, 0, sizeof(attr));
		attr.ino = entry->ino;
		attr.mode = S_IFDIR;
	}
	if (fn(ctx, entry, &attr))
		return 1;
	if (named)
		lfs_forget(fs, entry->ino, 1);
	return 0;
}

static int visit_dots(struct lfs *fs, const struct piece *piece, uint64_t *cookie, bool plus,
		      lfs_dir_fn fn, void *ctx)
{
	int more = 1;

	while (*cookie < 2 && more > 0) {
		struct lfs_dirent entry = { .name = *cookie ? ".." : ".",
					    .name_len = *cookie ? 2 : 1,
					    .ino = *cookie ? piece->parent : piece->ino,
					    .cookie = *cookie + 1,
					    .type = DT_DIR };

		more = visit(fs, &entry, plus, fn, ctx);
		if (more > 0)
			++*cookie;
	}
	return more;
}

static int visit_block(struct lfs *fs, const struct piece *piece, uint32_t from, bool plus,
		       lfs_dir_fn fn, void *ctx)
{
	uint32_t off = 0, len;
	int more = 1;

	for (; off < LFS_BLOCK && more > 0; off += len) {
		const struct lfs_dirent_disk *e = (const void *)(piece->bytes + off);
		char name[LFS_NAME_MAX + 1];
		struct lfs_dirent entry;

		len = lfs_from16(e->len);
		if (!e->ino || off < from)
			continue;
		memcpy(name, e->name, e->name_len);
		name[e->name_len] = 0;
		entry.name = name;
		entry.name_len = e->name_len;
		entry.ino = lfs_from32(e->ino);
		entry.type = e->type;
		entry.cookie = COOKIE_BASE + piece->lbn * LFS_BLOCK + off + 4;
		more = visit(fs, &entry, plus, fn, ctx);
	}
	return more;
}

static int walk(struct lfs *fs, uint64_t ino, uint64_t cookie, bool plus, lfs_dir_fn fn, void *ctx)
{
	struct piece *piece = malloc(sizeof(*piece));
	uint64_t at;
	int err, more = 1;

	if (!piece)
		return -ENOMEM;
	at = cookie < COOKIE_BASE ? 0 : cookie - COOKIE_BASE;
	err = piece_get(fs, ino, at / LFS_BLOCK, piece);
	if (!err && cookie < 2)
		more = visit_dots(fs, piece, &cookie, plus, fn, ctx);
	while (!err && more > 0 && at / LFS_BLOCK < piece->blocks) {
		more = visit_block(fs, piece, at % LFS_BLOCK, plus, fn, ctx);
		at = (at / LFS_BLOCK + 1) * LFS_BLOCK;
		if (more > 0 && at / LFS_BLOCK < piece->blocks)
			err = piece_get(fs, ino, at / LFS_BLOCK, piece);
	}
	free(piece);
	if (!err && more < 0)
		err = more;
	return lfs_errno(err);
}

int lfs_readdir(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx)
{
	return walk(fs, dir, cookie, false, fn, ctx);
}

int lfs_readdirplus(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx)
{
	return walk(fs, dir, cookie, true, fn, ctx);
}
