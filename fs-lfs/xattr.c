/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Extended attributes: all of an inode's in one string of bytes, which lies in blocks of the inode's own map from
 * LFS_XATTR_LBN on. Loaded as a whole when first asked for, stored as a whole by a checkpoint.
 *
 *   le16 name_len | le16 zero | le32 value_len | name | value | next ...
 */
#include "internal.h"

#include <stdlib.h>

#define HEAD_BYTES 8u
#define BLOB_MAX   (LFS_XATTR_MAX + LFS_BLOCK)

static uint32_t name_len(const uint8_t *at)
{
	lfs_le16 v;

	memcpy(&v, at, sizeof(v));
	return lfs_from16(v);
}

static uint32_t value_len(const uint8_t *at)
{
	lfs_le32 v;

	memcpy(&v, at + 4, sizeof(v));
	return lfs_from32(v);
}

static uint32_t entry_len(const uint8_t *at)
{
	return HEAD_BYTES + name_len(at) + value_len(at);
}

static int blob_check(const uint8_t *blob, uint32_t bytes)
{
	uint32_t at = 0;

	while (at < bytes) {
		if (bytes - at < HEAD_BYTES || value_len(blob + at) > BLOB_MAX ||
		    !name_len(blob + at) || name_len(blob + at) > 255 ||
		    entry_len(blob + at) > bytes - at)
			return -EUCLEAN;
		at += entry_len(blob + at);
	}
	return 0;
}

/* ---- Loading and storing ------------------------------------------------------------------------------------ */

static uint32_t blob_blocks(uint32_t bytes)
{
	return (bytes + LFS_BLOCK - 1) / LFS_BLOCK;
}

static int blob_read(struct lfs *fs, struct lfs_inode *inode, uint8_t *to)
{
	int err = 0;

	for (uint32_t i = 0; i < blob_blocks(inode->xattr_bytes) && !err; i++) {
		uint64_t daddr, n;
		uint32_t tag;

		err = lfs_file_lookup(fs, inode, LFS_XATTR_LBN + i, 1, &daddr, &n, &tag);
		if (!err && !daddr)
			err = -EUCLEAN;
		if (!err)
			err = lfs_block_read(fs, daddr, to + (size_t)i * LFS_BLOCK);
	}
	if (!err)
		err = blob_check(to, inode->xattr_bytes);
	if (err)
		lfs_log(fs, LFS_LOG_ERROR, "inode %u: extended attributes %s", inode->ino,
			err == -EUCLEAN ? "make no sense" : "cannot be read");
	return err;
}

/** lfs_xattrs_load() - Have them in memory. Context: inode.lock, shared is enough. */
int lfs_xattrs_load(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_xattrs *x;
	int err = 0;

	if (__atomic_load_n(&inode->xattrs, __ATOMIC_ACQUIRE))
		return 0;
	if (inode->xattr_bytes > BLOB_MAX)
		return -EUCLEAN;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->bytes = inode->xattr_bytes;
	if (x->bytes) {
		x->blob = calloc(blob_blocks(x->bytes), LFS_BLOCK);
		err = x->blob ? blob_read(fs, inode, x->blob) : -ENOMEM;
	}
	pthread_mutex_lock(&fs->open_lock);
	if (!err && !inode->xattrs) {
		__atomic_store_n(&inode->xattrs, x, __ATOMIC_RELEASE);
		x = NULL;
	}
	pthread_mutex_unlock(&fs->open_lock);
	if (x) {
		free(x->blob);
		free(x);
	}
	return err;
}

void lfs_xattrs_free(struct lfs_inode *inode)
{
	if (!inode->xattrs)
		return;
	free(inode->xattrs->blob);
	free(inode->xattrs);
	inode->xattrs = NULL;
}

/** lfs_xattrs_store() - Into the log, if they have changed. */
int lfs_xattrs_store(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_map_id id = { inode->ino, LFS_WHICH_BLOCKS };
	struct lfs_xattrs *x = __atomic_load_n(&inode->xattrs, __ATOMIC_ACQUIRE);
	uint8_t *bytes;
	uint64_t n, done = 0;
	int err = 0;

	if (!x || !x->dirty)
		return 0;
	n = blob_blocks(x->bytes);
	bytes = calloc(n + 1, LFS_BLOCK);
	if (!bytes)
		return -ENOMEM;
	if (x->bytes)
		memcpy(bytes, x->blob, x->bytes);
	while (done < n && !err) {
		struct lindex_run run = { .first = LFS_XATTR_LBN + done, .step = 1 };
		uint64_t got = 0;

		err = lfs_log_place(fs, LFS_HEAD_META, lfs_owner(LFS_KIND_DATA, id), run.first,
				    n - done, bytes + done * LFS_BLOCK, &run.value, &got);
		run.last = run.first + got - 1;
		if (!err)
			err = lfs_map_swap(fs, inode, &run);
		done += got;
	}
	free(bytes);
	if (!err)
		err = lfs_map_clear(fs, inode, LFS_XATTR_LBN + n, UINT64_MAX);
	if (!err)
		x->dirty = false;
	return err;
}

/* ---- Finding and changing ------------------------------------------------------------------------------------- */

static uint8_t *find(const struct lfs_xattrs *x, const char *name, uint32_t len)
{
	uint32_t at;

	for (at = 0; at < x->bytes; at += entry_len(x->blob + at))
		if (name_len(x->blob + at) == len && !memcmp(x->blob + at + HEAD_BYTES, name, len))
			return x->blob + at;
	return NULL;
}

/** lfs_xattr_find() - The value, valid under inode.lock. Context: loaded. -ENODATA. */
int lfs_xattr_find(const struct lfs_inode *inode, const char *name, const void **value,
		   uint32_t *len)
{
	const uint8_t *at = inode->xattrs ? find(inode->xattrs, name, (uint32_t)strlen(name)) :
					    NULL;

	if (!at)
		return -ENODATA;
	*value = at + HEAD_BYTES + name_len(at);
	*len = value_len(at);
	return 0;
}

static void cut(struct lfs_xattrs *x, uint8_t *at)
{
	uint32_t n = entry_len(at), off = (uint32_t)(at - x->blob);

	memmove(at, at + n, x->bytes - off - n);
	x->bytes -= n;
}

static int put(struct lfs_xattrs *x, const char *name, uint32_t nlen, const void *value,
	       uint32_t vlen)
{
	uint32_t need = HEAD_BYTES + nlen + vlen;
	lfs_le16 n16 = lfs_to16(nlen), zero = 0;
	lfs_le32 v32 = lfs_to32(vlen);
	uint8_t *more, *to;

	more = realloc(x->blob, x->bytes + need);
	if (!more)
		return -ENOMEM;
	x->blob = more;
	to = more + x->bytes;
	memcpy(to, &n16, 2);
	memcpy(to + 2, &zero, 2);
	memcpy(to + 4, &v32, 4);
	memcpy(to + HEAD_BYTES, name, nlen);
	if (vlen)
		memcpy(to + HEAD_BYTES + nlen, value, vlen);
	x->bytes += need;
	return 0;
}

/** lfs_xattr_apply() - Set or remove one; @mode_plus_1: the inode's new mode + 1, or 0. */
int lfs_xattr_apply(struct lfs *fs, struct lfs_inode *inode, const char *name, uint32_t nlen,
		    const void *value, uint32_t len, bool remove, uint32_t mode_plus_1,
		    struct lfs_time now)
{
	uint8_t *at;
	int err = lfs_xattrs_load(fs, inode);

	if (!err && !remove)
		err = lfs_file_outgrow(fs, inode); /* F2: the map has the attributes' blocks */
	if (err)
		return err;
	at = find(inode->xattrs, name, nlen);
	if (!remove) {
		uint32_t off = at ? (uint32_t)(at - inode->xattrs->blob) : 0;

		err = put(inode->xattrs, name, nlen, value, len);
		at = at ? inode->xattrs->blob + off : NULL;
	}
	if (err)
		return err;
	if (at)
		cut(inode->xattrs, at);
	inode->xattrs->dirty = true;
	inode->xattr_bytes = inode->xattrs->bytes;
	if (mode_plus_1)
		inode->mode = mode_plus_1 - 1;
	inode->ctime = now;
	inode->dirty = true;
	return 0;
}

/** lfs_xattr_drop_privilege() - What a write, a truncation or a change of owner takes away: file capabilities. */
int lfs_xattr_drop_privilege(struct lfs *fs, struct lfs_inode *inode, struct lfs_time now)
{
	static const char name[] = "security.capability";
	struct lfs_record_disk rec = { .type = LFS_REC_XATTR, .m = lfs_to32(1) };
	int err;

	if (!inode->xattr_bytes)
		return 0;
	err = lfs_xattrs_load(fs, inode);
	if (err || !find(inode->xattrs, name, sizeof(name) - 1))
		return err;
	err = lfs_xattr_apply(fs, inode, name, sizeof(name) - 1, NULL, 0, true, 0, now);
	return err ? err : lfs_emit(fs, inode, &rec, now, name, sizeof(name) - 1, NULL, 0);
}

/* ---- Calls ---------------------------------------------------------------------------------------------------------- */

static int name_check(const char *name)
{
	static const char *const spaces[] = { "user.", "trusted.", "security." };
	size_t len = strlen(name);

	if (!len || len > 255)
		return -ERANGE;
	if (!strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default"))
		return 0;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++)
		if (!strncmp(name, spaces[i], strlen(spaces[i])))
			return name[strlen(spaces[i])] ? 0 : -EINVAL;
	return -EOPNOTSUPP;
}

static int get_shared(struct lfs *fs, lfs_ino_t ino, struct lfs_inode **inode)
{
	int err = lfs_iget(fs, ino, inode);

	if (err)
		return err;
	pthread_rwlock_rdlock(&(*inode)->lock);
	err = (*inode)->xattr_bytes ? lfs_xattrs_load(fs, *inode) : 0;
	if (err)
		lfs_file_put(fs, *inode);
	return err;
}

ssize_t lfs_getxattr(struct lfs *fs, lfs_ino_t ino, const char *name, void *value, size_t size)
{
	struct lfs_inode *inode;
	const void *found;
	uint32_t len;
	int err = name_check(name);

	if (!err)
		err = get_shared(fs, ino, &inode);
	if (err)
		return lfs_errno(err);
	err = lfs_xattr_find(inode, name, &found, &len);
	if (!err && size && len > size)
		err = -ERANGE;
	if (!err && size && len)
		memcpy(value, found, len);
	lfs_file_put(fs, inode);
	return err ? err : (ssize_t)len;
}

ssize_t lfs_listxattr(struct lfs *fs, lfs_ino_t ino, char *names, size_t size)
{
	struct lfs_inode *inode;
	const struct lfs_xattrs *x;
	size_t all = 0;
	int err = get_shared(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	x = inode->xattrs;
	for (uint32_t at = 0; x && at < x->bytes && !err; at += entry_len(x->blob + at)) {
		uint32_t n = name_len(x->blob + at);

		if (size && all + n + 1 > size) {
			err = -ERANGE;
		} else if (size) {
			memcpy(names + all, x->blob + at + HEAD_BYTES, n);
			names[all + n] = 0;
		}
		all += n + 1;
	}
	lfs_file_put(fs, inode);
	return err ? err : (ssize_t)all;
}

/* An access ACL that says no more than a mode is only that mode. */
static int acl_to_mode(const struct lfs_inode *inode, const char *name, const void *value,
		       size_t size, bool *remove, uint32_t *mode_plus_1)
{
	uint32_t mode = inode->mode;
	int more;

	if (!strcmp(name, "system.posix_acl_default")) {
		uint32_t unused = 0;

		if ((inode->mode & 0170000) != 0040000)
			return -EACCES;
		more = lfs_acl_mode(value, size, &unused);
		return more < 0 ? more : 0;
	}
	if (strcmp(name, "system.posix_acl_access"))
		return 0;
	more = lfs_acl_mode(value, size, &mode);
	if (more < 0)
		return more;
	*mode_plus_1 = mode + 1;
	*remove = more == 1;
	return 0;
}

static int set_locked(struct lfs *fs, struct lfs_inode *inode, const char *name, const void *value,
		      size_t size, uint32_t flags, bool remove)
{
	struct lfs_record_disk rec = { .type = LFS_REC_XATTR };
	uint32_t mode_plus_1 = 0, nlen = (uint32_t)strlen(name), len = (uint32_t)size;
	struct lfs_time now = lfs_now(fs);
	bool there;
	int err = lfs_xattrs_load(fs, inode);

	if (err)
		return err;
	if (inode->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND))
		return -EPERM;
	there = find(inode->xattrs, name, nlen);
	if (there && flags & LFS_XATTR_CREATE)
		return -EEXIST;
	if (!there && (remove || flags & LFS_XATTR_REPLACE))
		return -ENODATA;
	if (!remove) {
		err = acl_to_mode(inode, name, value, size, &remove, &mode_plus_1);
		if (!err && !remove && inode->xattrs->bytes + HEAD_BYTES + nlen + size > BLOB_MAX)
			err = -ENOSPC;
	}
	if (err)
		return err;
	if (remove)
		len = 0;
	err = lfs_xattr_apply(fs, inode, name, nlen, value, len, remove, mode_plus_1, now);
	rec.ino2 = lfs_to32(mode_plus_1);
	rec.m = lfs_to32(remove);
	if (LFS_PLANTED(XATTR_NOT_LOGGED))
		return err;
	return err ? err : lfs_emit(fs, inode, &rec, now, name, nlen, value, len);
}

static int set_any(struct lfs *fs, lfs_ino_t ino, const char *name, const void *value, size_t size,
		   uint32_t flags, bool remove)
{
	uint64_t blocks = remove ? 0 : blob_blocks((uint32_t)size) + 3;
	struct lfs_inode *inode;
	int err = lfs_op_begin(fs, blocks + 16);

	if (err)
		return err;
	err = lfs_space_take(fs, blocks);
	if (!err) {
		err = lfs_iget(fs, ino, &inode);
		if (!err) {
			pthread_rwlock_wrlock(&inode->lock);
			err = set_locked(fs, inode, name, value, size, flags, remove);
			lfs_file_put(fs, inode);
		}
		lfs_space_give(fs, blocks);
	}
	lfs_op_end(fs);
	return lfs_errno(err);
}

int lfs_setxattr(struct lfs *fs, lfs_ino_t ino, const char *name, const void *value, size_t size,
		 uint32_t flags)
{
	int err = name_check(name);

	if (err)
		return err;
	if (size > LFS_XATTR_MAX)
		return -E2BIG;
	if (flags & ~(LFS_XATTR_CREATE | LFS_XATTR_REPLACE))
		return -EINVAL;
	return set_any(fs, ino, name, value, size, flags, false);
}

int lfs_removexattr(struct lfs *fs, lfs_ino_t ino, const char *name)
{
	int err = name_check(name);

	return err ? err : set_any(fs, ino, name, NULL, 0, 0, true);
}
