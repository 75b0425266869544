/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Copying without copying: whole blocks of one file become blocks of another, too (shared.c).
 */
#include "internal.h"

#include <stdlib.h>

#define COPY_BYTES   (1u << 20)
#define CLONE_BLOCKS 65536u /* in one operation: 256 MiB */

/* A piece of the source that is one kind: give it to @dst at @to as well. */
static int clone_piece(struct lfs *fs, struct lfs_inode *src, struct lfs_inode *dst,
		       struct lindex_run *run, uint64_t lbn, uint64_t n, uint64_t to)
{
	struct lindex_run out = {
		.first = to, .last = to + n - 1, .tag = LFS_TAG_SHARED, .step = 1
	};
	int err = 0;

	if (run->tag == LFS_TAG_UNWRITTEN)
		return lfs_map_clear(fs, dst, to, to + n - 1);
	if (run->tag == LFS_TAG_PLAIN) { /* as a whole, so that the source's run stays one */
		struct lindex_run shared = *run;

		shared.tag = LFS_TAG_SHARED;
		err = lfs_shared_make(fs, run->value, run->last - run->first + 1, &shared.value);
		if (!err)
			err = lfs_map_set(fs, src, &shared);
		*run = shared;
	}
	if (err)
		return err;
	out.value = lindex_value(run, lbn);
	if (!LFS_PLANTED(SHARED_BLOCK_FREED) || !fs->replaying)
		err = lfs_shared_ref(fs, out.value, n);
	if (err)
		return err;
	err = lfs_map_swap(fs, dst, &out);
	if (err)
		lfs_partly(fs, lfs_shared_unref(fs, out.value, n));
	return err;
}

/** lfs_clone_apply() - @n blocks from @lbn of @src are also blocks @to of @dst, which ends at @size at least. */
int lfs_clone_apply(struct lfs *fs, struct lfs_inode *src, struct lfs_inode *dst, uint64_t lbn,
		    uint64_t n, uint64_t to, uint64_t size)
{
	uint64_t begin = lbn;
	int err = 0;

	dst->flags = (uint16_t)(dst->flags &
				~LFS_DI_INLINE); /* or replay would keep it: no record says so */
	while (n && !err) {
		struct lindex_run run;
		uint64_t k;

		err = lfs_map_lookup(fs, src, lbn, &run);
		if (err && err != -ENOENT)
			return lbn == begin ? err : lfs_partly(fs, err);
		k = run.last - lbn < n ? run.last - lbn + 1 : n;
		err = err ? lfs_map_clear(fs, dst, to, to + k - 1) :
			    clone_piece(fs, src, dst, &run, lbn, k, to);
		if (err == -ENOMEM)
			return lbn == begin ? err : lfs_partly(fs, err);
		lbn += k;
		to += k;
		n -= k;
	}
	dst->size = size;
	dst->dirty = src->dirty = true;
	return err;
}

static int clone_locked(struct lfs *fs, struct lfs_inode *src, struct lfs_inode *dst, uint64_t from,
			uint64_t to, uint64_t len)
{
	struct lfs_record_disk rec = { .type = LFS_REC_CLONE };
	uint64_t lbn = from / LFS_BLOCK, n = (len + LFS_BLOCK - 1) / LFS_BLOCK;
	struct lfs_time now = lfs_now(fs);
	uint64_t size = to + len > dst->size ? to + len : dst->size;
	int err;

	if (dst->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND))
		return -EPERM;
	err = lfs_file_outgrow(fs, dst);
	if (!err && to > dst->size)
		err = lfs_file_zero_edge(fs, dst, to);
	if (!err)
		err = lfs_clone_apply(fs, src, dst, lbn, n, to / LFS_BLOCK, size);
	if (err)
		return err;
	dst->mtime = dst->ctime = now;
	rec.ino = lfs_to32(src->ino);
	rec.ino2 = lfs_to32(dst->ino);
	rec.x = lfs_to64(lbn);
	rec.y = lfs_to64(n);
	rec.z = lfs_to64(to / LFS_BLOCK);
	rec.w = lfs_to64(size);
	return lfs_emit(fs, dst, &rec, now, NULL, 0, NULL, 0);
}

/*
 * Whole blocks; a last part only where the source ends in it and the target does not go on behind. What the source has in
 * its inode stays there (it is only read): that block is copied, and behind it is a hole.
 */
static ssize_t clone_blocks(struct lfs *fs, lfs_ino_t src_ino, uint64_t from, lfs_ino_t dst_ino,
			    uint64_t to, uint64_t len)
{
	struct lfs_locks locks = { .n = 0 };
	struct lfs_inode *src = NULL, *dst = NULL;
	int err = lfs_op_begin(fs, 8);

	if (err)
		return err;
	err = lfs_iget(fs, src_ino, &src);
	if (!err)
		err = lfs_iget(fs, dst_ino, &dst);
	if (!err) {
		lfs_locks_add(&locks, src);
		lfs_locks_add(&locks, dst);
		lfs_locks_take(&locks);
		if (from >= src->size)
			len = 0;
		else if (len > src->size - from)
			len = src->size - from;
		if (len > (uint64_t)CLONE_BLOCKS * LFS_BLOCK)
			len = (uint64_t)CLONE_BLOCKS * LFS_BLOCK;
		if (len % LFS_BLOCK && (from + len < src->size || to + len < dst->size))
			len -= len % LFS_BLOCK;
		if (src->flags & LFS_DI_INLINE && !from)
			len = 0;
		err = lfs_space_take(fs, 8);
		if (!err) {
			err = len ? clone_locked(fs, src, dst, from, to, len) : 0;
			lfs_space_give(fs, 8);
		}
		lfs_locks_give(&locks);
	}
	lfs_iput(fs, dst);
	lfs_iput(fs, src);
	lfs_op_end(fs);
	return err ? err : (ssize_t)len;
}

/* By reading and writing: parts of blocks, and ranges that lie differently in their blocks. */
static ssize_t copy(struct lfs *fs, lfs_ino_t src, uint64_t from, lfs_ino_t dst, uint64_t to,
		    uint64_t len)
{
	size_t n = len < COPY_BYTES ? (size_t)len : COPY_BYTES;
	uint8_t *buf = malloc(n ? n : 1);
	ssize_t got = buf ? lfs_read(fs, src, buf, n, from) : -ENOMEM;

	if (got > 0)
		got = lfs_write(fs, dst, buf, (size_t)got, to, 0);
	free(buf);
	return got;
}

/* One step of the way: as much as can be done in one piece. */
static ssize_t step(struct lfs *fs, lfs_ino_t src, uint64_t from, lfs_ino_t dst, uint64_t to,
		    uint64_t len)
{
	uint64_t in = from % LFS_BLOCK;
	ssize_t n = 0;

	if (in != to % LFS_BLOCK)
		return copy(fs, src, from, dst, to, len);
	if (in)
		return copy(fs, src, from, dst, to, LFS_BLOCK - in < len ? LFS_BLOCK - in : len);
	n = clone_blocks(fs, src, from, dst, to, len);
	return n ? n : copy(fs, src, from, dst, to, len < LFS_BLOCK ? len : LFS_BLOCK);
}

static int size_get(struct lfs *fs, lfs_ino_t ino, uint64_t *size)
{
	struct lfs_inode *inode;
	int err = lfs_file_get(fs, ino, false, &inode);

	if (err)
		return err;
	*size = inode->size;
	lfs_file_put(fs, inode);
	return 0;
}

ssize_t lfs_clone_range(struct lfs *fs, lfs_ino_t src, uint64_t src_offset, lfs_ino_t dst,
			uint64_t dst_offset, uint64_t len)
{
	uint64_t done = 0, size, unused;
	ssize_t n = size_get(fs, src, &size);

	if (!n)
		n = size_get(fs, dst, &unused);
	if (n)
		return lfs_errno((int)n);
	if (dst_offset > LFS_FILE_MAX || src_offset > LFS_FILE_MAX)
		return -EFBIG;
	if (len > LFS_FILE_MAX - dst_offset)
		len = LFS_FILE_MAX - dst_offset;
	if (src_offset >= size)
		return 0;
	if (len > size - src_offset)
		len = size - src_offset;
	if (src == dst && src_offset < dst_offset + len && dst_offset < src_offset + len)
		return -EINVAL;
	while (done < len) {
		n = step(fs, src, src_offset + done, dst, dst_offset + done, len - done);
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	return done || n >= 0 ? (ssize_t)done : lfs_errno((int)n);
}
