/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Attributes, and the file's size among them.
 */
#include "internal.h"

#include <sys/stat.h>

int lfs_getattr(struct lfs *fs, lfs_ino_t ino, struct lfs_attr *attr)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&inode->lock);
	if (inode->freed)
		err = -ESTALE;
	else
		lfs_attr_of(inode, attr);
	lfs_file_put(fs, inode);
	return err;
}

/** lfs_trunc_apply() - The file ends at @size; blocks behind it are freed. */
int lfs_trunc_apply(struct lfs *fs, struct lfs_inode *inode, uint64_t size)
{
	uint64_t first = (size + LFS_BLOCK - 1) / LFS_BLOCK;
	int err = 0;

	if (inode->flags & LFS_DI_INLINE) {
		if (size < inode->inline_bytes) {
			memset(inode->inl + size, 0, inode->inline_bytes - size);
			inode->inline_bytes = (uint32_t)size;
		}
		if (size >
		    LFS_INODE_INLINE) { /* nothing but zeroes: else it was moved out before */
			err = inode->inline_bytes ? lfs_file_outgrow(fs, inode) : 0;
			inode->flags = (uint16_t)(inode->flags & ~LFS_DI_INLINE);
		}
	} else if (size < inode->size || inode->blocks) {
		err = lfs_map_clear(fs, inode, first, LFS_XATTR_LBN - 1);
	}
	if (err == -ENOMEM) /* nothing has changed; a map that cannot be read is left behind */
		return err;
	inode->size = size;
	inode->dirty = true;
	return err;
}

static void apply_mode(struct lfs_inode *inode, uint32_t mode)
{
	inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
}

/** lfs_attr_apply() - Change what @set says, now or when replayed. Size last: only that can fail. */
int lfs_attr_apply(struct lfs *fs, struct lfs_inode *inode, uint32_t set, const struct lfs_attr *to,
		   struct lfs_time now)
{
	int err = set & LFS_SET_SIZE ? lfs_trunc_apply(fs, inode, to->size) : 0;

	if (err)
		return err;
	if (set & LFS_SET_KILL_PRIV) {
		inode->mode &= ~(uint32_t)S_ISUID;
		if (inode->mode & S_IXGRP)
			inode->mode &= ~(uint32_t)S_ISGID;
	}
	if (set & LFS_SET_MODE)
		apply_mode(inode, to->mode);
	if (set & LFS_SET_UID)
		inode->uid = to->uid;
	if (set & LFS_SET_GID)
		inode->gid = to->gid;
	if (set & LFS_SET_FLAGS)
		inode->fsflags = to->flags & LFS_FL_USER;
	if (set & LFS_SET_ATIME)
		inode->atime = to->atime;
	if (set & LFS_SET_ATIME_NOW)
		inode->atime = now;
	if (set & LFS_SET_SIZE)
		inode->mtime = now;
	if (set & LFS_SET_MTIME)
		inode->mtime = to->mtime;
	if (set & LFS_SET_MTIME_NOW)
		inode->mtime = now;
	inode->ctime = set & LFS_SET_CTIME ? to->ctime : now;
	inode->dirty = true;
	return 0;
}

static int emit_setattr(struct lfs *fs, struct lfs_inode *inode, uint32_t set,
			const struct lfs_attr *to, struct lfs_time now)
{
	struct lfs_record_disk rec = { .type = LFS_REC_SETATTR };
	struct lfs_setattr_disk d = { 0 };

	rec.x = lfs_to64(to->size);
	rec.y = lfs_to64((uint64_t)to->gid << 32 | to->uid);
	rec.z = lfs_to64(to->flags);
	rec.m = lfs_to32(set & ~LFS_SET_CTIME);
	d.atime = lfs_to64((uint64_t)to->atime.sec);
	d.mtime = lfs_to64((uint64_t)to->mtime.sec);
	d.atime_nsec = lfs_to32(to->atime.nsec);
	d.mtime_nsec = lfs_to32(to->mtime.nsec);
	d.mode = lfs_to32(to->mode);
	return lfs_emit(fs, inode, &rec, set & LFS_SET_CTIME ? to->ctime : now, &d, sizeof(d), NULL,
			0);
}

/* The mode's bits go into the access ACL, too: a record of its own before the one of the mode. */
static int chmod_acl(struct lfs *fs, struct lfs_inode *inode, uint32_t mode, struct lfs_time now)
{
	static const char name[] = "system.posix_acl_access";
	struct lfs_record_disk rec = { .type = LFS_REC_XATTR };
	uint8_t acl[LFS_ACL_MAX];
	const void *value;
	uint32_t len;
	int err;

	if (!inode->xattr_bytes)
		return 0;
	err = lfs_xattrs_load(fs, inode);
	if (err || lfs_xattr_find(inode, name, &value, &len) || len > sizeof(acl))
		return err;
	memcpy(acl, value, len);
	err = lfs_acl_chmod(acl, len, mode);
	if (err)
		return err;
	err = lfs_xattr_apply(fs, inode, name, sizeof(name) - 1, acl, len, false, 0, now);
	return err ? err : lfs_emit(fs, inode, &rec, now, name, sizeof(name) - 1, acl, len);
}

static int size_check(const struct lfs_inode *inode, uint64_t size)
{
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	if (size > LFS_FILE_MAX)
		return -EFBIG;
	return inode->fsflags & LFS_FL_APPEND ? -EPERM : 0;
}

static int set_locked(struct lfs *fs, struct lfs_inode *inode, uint32_t set,
		      const struct lfs_attr *to)
{
	struct lfs_time now = lfs_now(fs);
	int err = inode->freed ? -ESTALE : 0;

	if (!err && inode->fsflags & LFS_FL_IMMUTABLE && set & ~LFS_SET_FLAGS)
		err = -EPERM;
	if (!err && set & LFS_SET_SIZE)
		err = size_check(inode, to->size);
	if (!err && set & LFS_SET_SIZE && to->size > inode->size) {
		if (to->size > LFS_INODE_INLINE && inode->inline_bytes)
			err = lfs_file_outgrow(fs, inode);
		if (!err)
			err = lfs_file_zero_edge(fs, inode, to->size);
	}
	if (!err && set & (LFS_SET_SIZE | LFS_SET_UID | LFS_SET_GID))
		err = lfs_xattr_drop_privilege(fs, inode, now);
	if (!err && set & LFS_SET_MODE)
		err = chmod_acl(fs, inode, to->mode, now);
	if (!err)
		err = lfs_attr_apply(fs, inode, set, to, now);
	return err ? err : emit_setattr(fs, inode, set, to, now);
}

int lfs_setattr(struct lfs *fs, lfs_ino_t ino, uint32_t set, const struct lfs_attr *to,
		struct lfs_attr *attr)
{
	struct lfs_inode *inode;
	int err = lfs_op_begin(fs, 4);

	if (err)
		return err;
	err = lfs_iget(fs, ino, &inode);
	if (!err) {
		pthread_rwlock_wrlock(&inode->lock);
		err = set ? set_locked(fs, inode, set, to) : 0;
		if (!err && attr)
			lfs_attr_of(inode, attr);
		lfs_file_put(fs, inode);
	}
	lfs_op_end(fs);
	return lfs_errno(err);
}
