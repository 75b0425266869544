/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading and writing files.
 *
 * A write goes straight into the hot head's chunk: its blocks have their places, and the map names them, when the call
 * returns. There is no cache of dirty data to be written later, so no later -ENOSPC. While the chunk is not sealed,
 * the same block written again is changed where it is.
 *
 *   F1  Bytes of the last block behind the file's end mean nothing. Whoever moves the end up makes them zero
 *       (lfs_file_read_block() does when a block is read to be changed, lfs_file_zero_edge() otherwise).
 *   F2  A file has its data in the inode (LFS_DI_INLINE), or a map; never both.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>

/* ---- Getting hold of an inode --------------------------------------------------------------------------- */

/** lfs_file_get() - A regular file, pinned and locked. -EISDIR, -EINVAL, -ESTALE. */
int lfs_file_get(struct lfs *fs, uint64_t ino, bool exclusive, struct lfs_inode **inode)
{
	int err = lfs_iget(fs, ino, inode);

	if (err)
		return err;
	if (exclusive)
		pthread_rwlock_wrlock(&(*inode)->lock);
	else
		pthread_rwlock_rdlock(&(*inode)->lock);
	if (S_ISREG((*inode)->mode) && !(*inode)->freed)
		return 0;
	err = S_ISDIR((*inode)->mode) ? -EISDIR : -EINVAL;
	lfs_file_put(fs, *inode);
	return err;
}

void lfs_file_put(struct lfs *fs, struct lfs_inode *inode)
{
	pthread_rwlock_unlock(&inode->lock);
	lfs_iput(fs, inode);
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

/**
 * lfs_file_lookup() - What the @want blocks from @lbn are: the first @n of them of one kind, in one piece.
 * @daddr: Where they are, 0: they read as zeroes. @tag: LFS_TAG_* of the run, or UINT32_MAX for a hole.
 */
int lfs_file_lookup(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t want,
		    uint64_t *daddr, uint64_t *n, uint32_t *tag)
{
	struct lindex_run run;
	int err = lfs_map_lookup(fs, inode, lbn, &run);

	if (err && err != -ENOENT)
		return err;
	*n = run.last - lbn < want ? run.last - lbn + 1 : want;
	*daddr = 0;
	*tag = err ? UINT32_MAX : run.tag;
	if (err || run.tag == LFS_TAG_UNWRITTEN)
		return 0;
	*daddr = lindex_value(&run, lbn);
	if (run.tag == LFS_TAG_SHARED) {
		uint64_t vaddr = *daddr;

		err = lfs_shared_place(fs, vaddr, &run);
		if (err)
			return err == -ENOENT ? -EUCLEAN : err;
		*daddr = lindex_value(&run, vaddr);
		if (run.last - vaddr < *n)
			*n = run.last - vaddr + 1;
	}
	return *daddr ? 0 : -EUCLEAN;
}

static int complain(struct lfs *fs, const struct lfs_inode *inode, uint64_t lbn, int err)
{
	if (err == -EBADMSG || err == -EUCLEAN || err == -EIO)
		lfs_log(fs, LFS_LOG_ERROR, "inode %u, block %llu of the file: %s", inode->ino,
			(unsigned long long)lbn,
			err == -EBADMSG ? "checksum does not match" :
			err == -EUCLEAN ? "its map makes no sense" :
					  "cannot be read");
	return err;
}

/* @n whole blocks from @lbn, which must be below the map's holes or runs as they come. */
static int read_blocks(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
		       uint8_t *to)
{
	int err = 0;

	while (n && !err) {
		uint64_t daddr, k;
		uint32_t tag;

		err = lfs_file_lookup(fs, inode, lbn, n, &daddr, &k, &tag);
		if (!err && daddr)
			err = lfs_block_read_run(fs, daddr, k, to);
		else if (!err)
			memset(to, 0, (size_t)k * LFS_BLOCK);
		if (err)
			return complain(fs, inode, lbn, err);
		to += k * LFS_BLOCK;
		lbn += k;
		n -= k;
	}
	return 0;
}

/** lfs_file_read_block() - Block @lbn as the file has it: zeroes behind its end (F1). */
int lfs_file_read_block(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, void *buf)
{
	uint64_t from = lbn * LFS_BLOCK, end;
	int err = 0;

	if (inode->flags & LFS_DI_INLINE) {
		memset(buf, 0, LFS_BLOCK);
		if (!lbn)
			memcpy(buf, inode->inl, inode->inline_bytes);
	} else {
		err = read_blocks(fs, inode, lbn, 1, buf);
	}
	end = inode->size > from ? inode->size - from : 0;
	if (!err && end < LFS_BLOCK && !LFS_PLANTED(TRUNCATE_KEEPS_TAIL))
		memset((uint8_t *)buf + end, 0, (size_t)(LFS_BLOCK - end));
	return err;
}

/* One piece of a read: a part of a block, or whole blocks. Return: bytes, or an error. */
static ssize_t read_piece(struct lfs *fs, struct lfs_inode *inode, uint8_t *to, size_t len,
			  uint64_t offset)
{
	uint64_t lbn = offset / LFS_BLOCK, in = offset % LFS_BLOCK;
	uint8_t block[LFS_BLOCK] __attribute__((aligned(64)));
	size_t n;
	int err;

	if (!in && len >= LFS_BLOCK) {
		n = len / LFS_BLOCK * LFS_BLOCK;
		err = read_blocks(fs, inode, lbn, n / LFS_BLOCK, to);
		return err ? err : (ssize_t)n;
	}
	n = LFS_BLOCK - in < len ? LFS_BLOCK - (size_t)in : len;
	err = lfs_file_read_block(fs, inode, lbn, block);
	if (err)
		return err;
	memcpy(to, block + in, n);
	return (ssize_t)n;
}

static ssize_t read_inline(const struct lfs_inode *inode, void *buf, size_t len, uint64_t offset)
{
	memset(buf, 0, len);
	if (offset < inode->inline_bytes) {
		size_t n = inode->inline_bytes - (size_t)offset;

		memcpy(buf, inode->inl + offset, n < len ? n : len);
	}
	return (ssize_t)len;
}

static ssize_t read_locked(struct lfs *fs, struct lfs_inode *inode, uint8_t *buf, size_t len,
			   uint64_t offset)
{
	size_t done = 0;

	if (offset >= inode->size)
		return 0;
	if (len > inode->size - offset)
		len = (size_t)(inode->size - offset);
	if (inode->flags & LFS_DI_INLINE)
		return read_inline(inode, buf, len, offset);
	while (done < len) {
		ssize_t n = read_piece(fs, inode, buf + done, len - done, offset + done);

		if (n < 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t lfs_read(struct lfs *fs, lfs_ino_t ino, void *buf, size_t len, uint64_t offset)
{
	struct lfs_inode *inode;
	ssize_t n = lfs_file_get(fs, ino, false, &inode);

	if (n)
		return lfs_errno((int)n);
	n = read_locked(fs, inode, buf, len, offset);
	lfs_file_put(fs, inode);
	return n < 0 ? lfs_errno((int)n) : n;
}

/* ---- What a write does to the inode: the same now and when it is replayed ------------------------------------------ */

/** lfs_file_apply_write() - @run (or none) is in the map, the file ends at @size. */
int lfs_file_apply_write(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run,
			 uint64_t size, struct lfs_time now)
{
	int err = 0;

	if (inode->flags & LFS_DI_INLINE && run) {
		/* With block 0 comes what was inline; without it there was nothing, or replay puts it there. */
		if (run->first && inode->inline_bytes)
			err = lfs_file_outgrow(fs, inode);
		inode->flags = (uint16_t)(inode->flags & ~LFS_DI_INLINE);
		inode->inline_bytes = 0;
	}
	if (!err && run)
		err = lfs_map_swap(fs, inode, run);
	if (err)
		return err;
	inode->size = size;
	inode->mtime = inode->ctime = now;
	inode->dirty = true;
	return 0;
}

void lfs_file_apply_inline(struct lfs_inode *inode, uint32_t offset, const void *bytes,
			   uint32_t len, uint64_t size, struct lfs_time now)
{
	if (offset > LFS_INODE_INLINE || len > LFS_INODE_INLINE - offset)
		return;
	if (!(inode->flags & LFS_DI_INLINE)) {
		memset(inode->inl, 0, sizeof(inode->inl));
		inode->inline_bytes = 0;
	}
	inode->flags |= LFS_DI_INLINE;
	memcpy(inode->inl + offset, bytes, len);
	if (offset + len > inode->inline_bytes)
		inode->inline_bytes = offset + len;
	inode->size = size;
	inode->mtime = inode->ctime = now;
	inode->dirty = true;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------- */

static int emit_write(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run,
		      struct lfs_time now)
{
	struct lfs_record_disk rec = { .type = LFS_REC_WRITE };

	if (run) {
		rec.x = lfs_to64(run->first);
		rec.y = lfs_to64(run->last - run->first + 1);
		rec.z = lfs_to64(run->value);
	}
	rec.w = lfs_to64(inode->size);
	return lfs_emit(fs, inode, &rec, now, NULL, 0, NULL, 0);
}

/* Blocks that are still in the chunk being filled are changed there. */
static int overwrite(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
		     const void *data, uint64_t *done)
{
	struct lindex_run run;
	int err = lfs_map_lookup(fs, inode, lbn, &run);

	*done = 0;
	if (err)
		return err == -ENOENT ? 0 : err;
	if (run.tag != LFS_TAG_PLAIN)
		return 0;
	if (run.last - lbn + 1 < n)
		n = run.last - lbn + 1;
	if (!lfs_log_overwrite(fs, lindex_value(&run, lbn), n, data, done))
		*done = 0;
	return 0;
}

static int append(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
		  const void *data, uint64_t end, struct lfs_time now, uint64_t *done)
{
	struct lindex_run run = { .first = lbn, .step = 1 };
	struct lfs_map_id id = { inode->ino, LFS_WHICH_BLOCKS };
	uint64_t size;
	int err = lfs_log_place(fs, LFS_HEAD_HOT, lfs_owner(LFS_KIND_DATA, id), lbn, n, data,
				&run.value, done);

	if (err)
		return err;
	run.last = lbn + *done - 1;
	size = (run.last + 1) * LFS_BLOCK < end ? (run.last + 1) * LFS_BLOCK : end;
	size = size > inode->size ? size : inode->size;
	err = lfs_file_apply_write(fs, inode, &run, size, now);
	if (err) {
		lfs_live_remove(fs, run.value, *done);
		return err;
	}
	fs->count.user_blocks += *done;
	return emit_write(fs, inode, &run, now);
}

/* @n whole blocks; the file ends at @end at least, when all of them are written. */
static int write_blocks(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
			const uint8_t *data, uint64_t end, struct lfs_time now)
{
	int err = 0;

	while (n && !err) {
		uint64_t done = 0, size;

		err = overwrite(fs, inode, lbn, n, data, &done);
		if (!err && done) {
			size = (lbn + done) * LFS_BLOCK < end ? (lbn + done) * LFS_BLOCK : end;
			err = lfs_file_apply_write(fs, inode, NULL,
						   size > inode->size ? size : inode->size, now);
			if (!err)
				err = emit_write(fs, inode, NULL, now);
			fs->count.user_blocks += done;
		} else if (!err) {
			err = append(fs, inode, lbn, n, data, end, now, &done);
		}
		lbn += done;
		n -= done;
		data += done * LFS_BLOCK;
	}
	return err;
}

/* A part of one block: read, change, write. */
static int write_part(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, size_t len,
		      const void *data, struct lfs_time now)
{
	uint8_t block[LFS_BLOCK] __attribute__((aligned(64)));
	uint64_t lbn = offset / LFS_BLOCK;
	int err = lfs_file_read_block(fs, inode, lbn, block);

	if (err)
		return err;
	memcpy(block + offset % LFS_BLOCK, data, len);
	return write_blocks(fs, inode, lbn, 1, block, offset + len, now);
}

/** lfs_file_outgrow() - Data that was in the inode gets a block. */
int lfs_file_outgrow(struct lfs *fs, struct lfs_inode *inode)
{
	uint8_t block[LFS_BLOCK] __attribute__((aligned(64)));
	uint64_t size = inode->size;
	struct lfs_time mtime = inode->mtime, ctime = inode->ctime;
	int err;

	if (!(inode->flags & LFS_DI_INLINE))
		return 0;
	err = lfs_file_read_block(fs, inode, 0, block);
	if (err)
		return err;
	inode->flags = (uint16_t)(inode->flags & ~LFS_DI_INLINE);
	if (inode->inline_bytes)
		err = write_blocks(fs, inode, 0, 1, block, size, mtime);
	if (err) {
		inode->flags |= LFS_DI_INLINE;
		return err;
	}
	inode->inline_bytes = 0;
	inode->ctime = ctime;
	inode->dirty = true;
	return 0;
}

/** lfs_file_zero_edge() - The end will move up to @upto: zero what is behind it in its block (F1). */
int lfs_file_zero_edge(struct lfs *fs, struct lfs_inode *inode, uint64_t upto)
{
	uint8_t block[LFS_BLOCK] __attribute__((aligned(64)));
	uint64_t lbn = inode->size / LFS_BLOCK, daddr, n;
	uint32_t tag;
	int err;

	if (upto <= inode->size || !(inode->size % LFS_BLOCK) || inode->flags & LFS_DI_INLINE)
		return 0;
	err = lfs_file_lookup(fs, inode, lbn, 1, &daddr, &n, &tag);
	if (err || !daddr)
		return err;
	err = lfs_file_read_block(fs, inode, lbn, block);
	return err ? err : write_blocks(fs, inode, lbn, 1, block, inode->size, inode->mtime);
}

/** lfs_file_zero_bytes() - Zero a part of a block, if the block is there at all. */
int lfs_file_zero_bytes(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t len)
{
	static const uint8_t zero[LFS_BLOCK];
	uint64_t daddr, n;
	uint32_t tag;
	int err;

	if (!len || offset >= inode->size)
		return 0;
	err = lfs_file_lookup(fs, inode, offset / LFS_BLOCK, 1, &daddr, &n, &tag);
	if (err || !daddr)
		return err;
	if (len > inode->size - offset)
		len = inode->size - offset;
	return write_part(fs, inode, offset, (size_t)len, zero, inode->mtime);
}

/** lfs_file_space() - Promise what writing these blocks adds: those that have no block of their own yet. */
int lfs_file_space(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t n,
		   uint64_t *promised)
{
	uint64_t add = 0;

	while (n) {
		uint64_t daddr, k;
		uint32_t tag;
		int err = lfs_file_lookup(fs, inode, lbn, n, &daddr, &k, &tag);

		if (err)
			return err;
		if (tag == UINT32_MAX || tag == LFS_TAG_SHARED)
			add += k;
		lbn += k;
		n -= k;
	}
	*promised = add;
	return add ? lfs_space_take(fs, add) : 0;
}

static bool fits_inline(const struct lfs_inode *inode, uint64_t end)
{
	if (end > LFS_INODE_INLINE || inode->xattr_bytes)
		return false;
	return inode->flags & LFS_DI_INLINE ||
	       (!inode->size && !inode->map.nruns && !(inode->flags & LFS_DI_PAGED));
}

static int write_inline(struct lfs *fs, struct lfs_inode *inode, const void *buf, uint32_t len,
			uint32_t offset, struct lfs_time now)
{
	struct lfs_record_disk rec = { .type = LFS_REC_INLINE };
	uint64_t size = offset + len > inode->size ? offset + len : inode->size;

	lfs_file_apply_inline(inode, offset, buf, len, size, now);
	rec.x = lfs_to64(offset);
	rec.w = lfs_to64(size);
	return lfs_emit(fs, inode, &rec, now, buf, len, NULL, 0);
}

/* Head, middle and tail of a write. */
static int write_pieces(struct lfs *fs, struct lfs_inode *inode, const uint8_t *buf, size_t len,
			uint64_t offset, struct lfs_time now, size_t *done)
{
	uint64_t end = offset + len;
	int err = 0;

	while (*done < len && !err) {
		uint64_t at = offset + *done, in = at % LFS_BLOCK;
		size_t left = len - *done, n;

		if (!in && left >= LFS_BLOCK) {
			n = left / LFS_BLOCK * LFS_BLOCK;
			err = write_blocks(fs, inode, at / LFS_BLOCK, n / LFS_BLOCK, buf + *done,
					   end, now);
		} else {
			n = LFS_BLOCK - in < left ? LFS_BLOCK - (size_t)in : left;
			err = write_part(fs, inode, at, n, buf + *done, now);
		}
		if (!err)
			*done += n;
	}
	return err;
}

static int write_mapped(struct lfs *fs, struct lfs_inode *inode, const void *buf, size_t len,
			uint64_t offset, struct lfs_time now, size_t *done)
{
	uint64_t first = offset / LFS_BLOCK, last = (offset + len - 1) / LFS_BLOCK;
	uint64_t promised = 0, edge = inode->flags & LFS_DI_INLINE ? 1 : 0;
	int err = lfs_space_take(fs, edge);

	if (!err) {
		err = lfs_file_space(fs, inode, first, last - first + 1, &promised);
		if (err)
			promised = 0;
		if (!err)
			err = lfs_file_outgrow(fs, inode);
		if (!err && first > inode->size / LFS_BLOCK)
			err = lfs_file_zero_edge(fs, inode, offset);
		if (!err)
			err = write_pieces(fs, inode, buf, len, offset, now, done);
		lfs_space_give(fs, promised + edge);
	}
	return err;
}

static int kill_priv(struct lfs *fs, struct lfs_inode *inode, struct lfs_time now)
{
	struct lfs_attr none = { 0 };

	if (!(inode->mode & S_ISUID) && !(inode->mode & S_ISGID && inode->mode & S_IXGRP))
		return 0;
	return lfs_attr_apply(fs, inode, LFS_SET_KILL_PRIV, &none, now);
}

static int write_locked(struct lfs *fs, struct lfs_inode *inode, const void *buf, size_t len,
			uint64_t offset, uint32_t flags, size_t *done)
{
	struct lfs_time now = lfs_now(fs);
	int err;

	if (flags & LFS_WRITE_APPEND)
		offset = inode->size;
	if (inode->fsflags & LFS_FL_IMMUTABLE ||
	    (inode->fsflags & LFS_FL_APPEND && offset < inode->size))
		return -EPERM;
	if (offset > LFS_FILE_MAX || len > LFS_FILE_MAX - offset)
		return -EFBIG;
	if (!len)
		return 0;
	err = flags & LFS_WRITE_KILL_PRIV ? kill_priv(fs, inode, now) : 0;
	if (!err)
		err = lfs_xattr_drop_privilege(fs, inode, now);
	if (!err && fits_inline(inode, offset + len)) {
		err = write_inline(fs, inode, buf, (uint32_t)len, (uint32_t)offset, now);
		*done = err ? 0 : len;
		return err;
	}
	return err ? err : write_mapped(fs, inode, buf, len, offset, now, done);
}

ssize_t lfs_write(struct lfs *fs, lfs_ino_t ino, const void *buf, size_t len, uint64_t offset,
		  uint32_t flags)
{
	struct lfs_inode *inode;
	size_t done = 0;
	int err = lfs_op_begin(fs, len / LFS_BLOCK + 4);

	if (err)
		return err;
	err = lfs_file_get(fs, ino, true, &inode);
	if (!err) {
		err = write_locked(fs, inode, buf, len, offset, flags, &done);
		lfs_file_put(fs, inode);
	}
	lfs_op_end(fs);
	return done ? (ssize_t)done : lfs_errno(err);
}

/* ---- Making durable ------------------------------------------------------------------------------------------------------ */

/*
 * The log is one chain: what makes the last change durable does it for all before. So an fsync commits up to the last
 * record, whoever's it is; there is nothing to do if that is durable.
 */
int lfs_fsync(struct lfs *fs, lfs_ino_t ino, bool data_only)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	(void)data_only;
	if (err)
		return lfs_errno(err);
	lfs_iput(fs, inode);
	return lfs_sync(fs);
}
