/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records of the log, read: each finds its inodes and calls the lfs_apply_...() of the operation that wrote it.
 * Bytes come from disk: a record that cannot be right is -EUCLEAN.
 */
#include "internal.h"

#include <sys/stat.h>

struct record {
	struct lfs_record_disk d;
	uint32_t ino, ino2, m, a_len, b_len;
	uint64_t x, y, z, w;
	const char *a, *b;
	struct lfs_time time;
};

static int parse(const uint8_t *bytes, uint32_t len, struct record *r)
{
	memcpy(&r->d, bytes, sizeof(r->d));
	r->ino = lfs_from32(r->d.ino);
	r->ino2 = lfs_from32(r->d.ino2);
	r->m = lfs_from32(r->d.m);
	r->x = lfs_from64(r->d.x);
	r->y = lfs_from64(r->d.y);
	r->z = lfs_from64(r->d.z);
	r->w = lfs_from64(r->d.w);
	r->a_len = lfs_from32(r->d.a);
	r->b_len = lfs_from32(r->d.b);
	r->time.sec = (int64_t)lfs_from64(r->d.sec);
	r->time.nsec = lfs_from32(r->d.nsec);
	r->a = (const char *)bytes + sizeof(r->d);
	r->b = r->a + r->a_len;
	if (r->a_len > len - sizeof(r->d) || r->b_len > len - sizeof(r->d) - r->a_len)
		return -EUCLEAN;
	return 0;
}

static int name_ok(uint32_t len)
{
	return len && len <= LFS_NAME_MAX ? 0 : -EUCLEAN;
}

static int get_dir(struct lfs *fs, uint32_t ino, struct lfs_inode **dir)
{
	int err = lfs_iget(fs, ino, dir);

	if (!err && !S_ISDIR((*dir)->mode)) {
		lfs_iput(fs, *dir);
		err = -EUCLEAN;
	}
	return err;
}

static int find(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		struct lfs_inode **inode)
{
	uint32_t ino;
	int err = lfs_dir_find(fs, dir, name, len, &ino, NULL, NULL);

	return err ? err : lfs_iget(fs, ino, inode);
}

static int replay_create(struct lfs *fs, const struct record *r)
{
	struct lfs_inode *dir = NULL, *inode;
	int err = r->ino2 ? get_dir(fs, r->ino2, &dir) : 0;

	if (!err && r->ino2)
		err = name_ok(r->a_len);
	if (!err)
		err = lfs_apply_create(fs, dir, r->ino, &r->d, r->a, r->a_len, r->b, r->b_len,
				       r->time, &inode);
	if (!err)
		lfs_file_put(fs, inode);
	lfs_iput(fs, dir);
	return err;
}

static int replay_link(struct lfs *fs, const struct record *r)
{
	struct lfs_inode *dir, *inode = NULL;
	int err = get_dir(fs, r->ino2, &dir);

	if (err)
		return err;
	err = name_ok(r->a_len);
	if (!err)
		err = lfs_iget(fs, r->ino, &inode);
	if (!err)
		err = lfs_apply_link(fs, inode, dir, r->a, r->a_len, r->time);
	lfs_iput(fs, inode);
	lfs_iput(fs, dir);
	return err;
}

static int replay_unlink(struct lfs *fs, const struct record *r)
{
	struct lfs_inode *dir, *inode = NULL;
	int err = get_dir(fs, r->ino, &dir);

	if (err)
		return err;
	err = name_ok(r->a_len);
	if (!err)
		err = find(fs, dir, r->a, r->a_len, &inode);
	if (!err)
		err = lfs_apply_unlink(fs, dir, inode, r->a, r->a_len, r->time);
	lfs_iput(fs, inode);
	lfs_iput(fs, dir);
	return err;
}

static int replay_rename(struct lfs *fs, const struct record *r)
{
	struct lfs_inode *dir, *ndir = NULL, *inode = NULL, *victim = NULL;
	int err = get_dir(fs, r->ino, &dir);

	if (err)
		return err;
	err = get_dir(fs, r->ino2, &ndir);
	if (err)
		ndir = NULL;
	if (!err)
		err = name_ok(r->a_len) ? -EUCLEAN : name_ok(r->b_len);
	if (!err)
		err = find(fs, dir, r->a, r->a_len, &inode);
	if (!err) {
		err = find(fs, ndir, r->b, r->b_len, &victim);
		if (err == -ENOENT && !(r->m & LFS_RENAME_EXCHANGE))
			err = 0;
	}
	if (!err)
		err = lfs_apply_rename(fs, dir, r->a, r->a_len, ndir, r->b, r->b_len, inode, victim,
				       r->m, r->time);
	lfs_iput(fs, victim);
	lfs_iput(fs, inode);
	lfs_iput(fs, ndir);
	lfs_iput(fs, dir);
	return err;
}

static int replay_write(struct lfs *fs, struct lfs_inode *inode, const struct record *r)
{
	struct lindex_run run = {
		.first = r->x, .last = r->x + r->y - 1, .value = r->z, .step = 1
	};
	int err;

	if (r->w > LFS_FILE_MAX || r->y > LFS_TABLE_SLOTS || r->x > LFS_FILE_MAX / LFS_BLOCK ||
	    r->z + r->y > fs->geo.blocks)
		return -EUCLEAN;
	if (!r->y)
		return lfs_file_apply_write(fs, inode, NULL, r->w, r->time);
	err = lfs_live_add(fs, r->z, r->y);
	return err ? err : lfs_file_apply_write(fs, inode, &run, r->w, r->time);
}

static int replay_setattr(struct lfs *fs, struct lfs_inode *inode, const struct record *r)
{
	struct lfs_setattr_disk d;
	struct lfs_attr to = { .size = r->x, .uid = (uint32_t)r->y, .gid = (uint32_t)(r->y >> 32) };

	if (r->a_len != sizeof(d) || r->x > LFS_FILE_MAX)
		return -EUCLEAN;
	memcpy(&d, r->a, sizeof(d));
	to.flags = (uint32_t)r->z;
	to.mode = lfs_from32(d.mode);
	to.atime.sec = (int64_t)lfs_from64(d.atime);
	to.atime.nsec = lfs_from32(d.atime_nsec);
	to.mtime.sec = (int64_t)lfs_from64(d.mtime);
	to.mtime.nsec = lfs_from32(d.mtime_nsec);
	return lfs_attr_apply(fs, inode, r->m, &to, r->time);
}

static int replay_free(struct lfs *fs, struct lfs_inode *inode)
{
	return inode->nlink ? -EUCLEAN : lfs_reap_whole(fs, inode);
}

static int replay_falloc(struct lfs *fs, struct lfs_inode *inode, const struct record *r)
{
	int err = r->w > LFS_FILE_MAX ? -EUCLEAN :
					lfs_falloc_apply(fs, inode, r->m, r->x, r->y, r->w);

	inode->mtime = inode->ctime = r->time;
	return err;
}

static int replay_clone(struct lfs *fs, struct lfs_inode *src, const struct record *r)
{
	struct lfs_inode *dst;
	int err = lfs_iget(fs, r->ino2, &dst);

	if (err)
		return err;
	if (r->w > LFS_FILE_MAX || r->y > LFS_FILE_MAX / LFS_BLOCK ||
	    r->x > LFS_FILE_MAX / LFS_BLOCK || r->z > LFS_FILE_MAX / LFS_BLOCK)
		err = -EUCLEAN;
	if (!err)
		err = lfs_clone_apply(fs, src, dst, r->x, r->y, r->z, r->w);
	dst->mtime = dst->ctime = r->time;
	lfs_iput(fs, dst);
	return err;
}

/* Records of one inode. */
static int replay_inode(struct lfs *fs, const struct record *r)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, r->ino, &inode);

	if (err)
		return err;
	switch (r->d.type) {
	case LFS_REC_WRITE:
		err = replay_write(fs, inode, r);
		break;
	case LFS_REC_INLINE:
		lfs_file_apply_inline(inode, (uint32_t)r->x, r->a, r->a_len, r->w, r->time);
		break;
	case LFS_REC_SETATTR:
		err = replay_setattr(fs, inode, r);
		break;
	case LFS_REC_FREE:
		err = replay_free(fs, inode);
		break;
	case LFS_REC_XATTR:
		err = name_ok(r->a_len);
		if (!err)
			err = lfs_xattr_apply(fs, inode, r->a, r->a_len, r->b, r->b_len, r->m,
					      r->ino2, r->time);
		break;
	case LFS_REC_FALLOC:
		err = replay_falloc(fs, inode, r);
		break;
	case LFS_REC_CLONE:
		err = replay_clone(fs, inode, r);
		break;
	default:
		err = -EUCLEAN;
	}
	lfs_iput(fs, inode);
	return err;
}

/** lfs_replay_record() - Do again what the record says. Return: 0; -EUCLEAN; errors of reading metadata. */
int lfs_replay_record(struct lfs *fs, const uint8_t *bytes, uint32_t len)
{
	struct record r;
	int err = parse(bytes, len, &r);

	if (err)
		return err;
	switch (r.d.type) {
	case LFS_REC_CREATE:
		return replay_create(fs, &r);
	case LFS_REC_LINK:
		return replay_link(fs, &r);
	case LFS_REC_UNLINK:
		return replay_unlink(fs, &r);
	case LFS_REC_RENAME:
		return replay_rename(fs, &r);
	default:
		return replay_inode(fs, &r);
	}
}
