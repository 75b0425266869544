/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Space: fallocate and its modes, SEEK_HOLE and SEEK_DATA, the walk over extents.
 */
#include "internal.h"

/* ---- fallocate: whole blocks as one record, parts of blocks by writing zeroes ------------------------------- */

/* Holes in [lbn, end) become unwritten runs. */
static int reserve(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, uint64_t end)
{
	int err = 0;

	while (lbn < end && !err) {
		struct lindex_run run;

		err = lfs_map_lookup(fs, inode, lbn, &run);
		if (err == -ENOENT) {
			struct lindex_run fill = { .first = lbn, .tag = LFS_TAG_UNWRITTEN };

			fill.last = run.last < end - 1 ? run.last : end - 1;
			err = lfs_map_swap(fs, inode, &fill);
		}
		if (run.last >= end - 1)
			break;
		lbn = run.last + 1;
	}
	return err;
}

/** lfs_falloc_apply() - @what: LFS_FA_*, on @n blocks from @lbn; the file ends at @size then. */
int lfs_falloc_apply(struct lfs *fs, struct lfs_inode *inode, uint32_t what, uint64_t lbn,
		     uint64_t n, uint64_t size)
{
	int err = 0;

	if (lbn > LFS_XATTR_LBN || n > LFS_XATTR_LBN - lbn)
		return -EUCLEAN;
	if (n) /* or replay would keep it: of a file without data no record says so */
		inode->flags = (uint16_t)(inode->flags & ~LFS_DI_INLINE);
	if (n && what == LFS_FA_RESERVE)
		err = reserve(fs, inode, lbn, lbn + n);
	if (n && (what == LFS_FA_PUNCH || what == LFS_FA_COLLAPSE))
		err = lfs_map_clear(fs, inode, lbn, lbn + n - 1);
	if (!err && n && what == LFS_FA_COLLAPSE)
		err = lfs_map_shift(fs, inode, lbn + n, -(int64_t)n);
	if (!err && n && what == LFS_FA_INSERT)
		err = lfs_map_shift(fs, inode, lbn, (int64_t)n);
	if (!err)
		inode->size = size;
	inode->dirty = true;
	return err;
}

static int apply_and_emit(struct lfs *fs, struct lfs_inode *inode, uint32_t what, uint64_t lbn,
			  uint64_t n, uint64_t size)
{
	struct lfs_record_disk rec = { .type = LFS_REC_FALLOC };
	struct lfs_time now = lfs_now(fs);
	int err = lfs_falloc_apply(fs, inode, what, lbn, n, size);

	if (err)
		return err;
	inode->mtime = inode->ctime = now;
	rec.x = lfs_to64(lbn);
	rec.y = lfs_to64(n);
	rec.w = lfs_to64(size);
	rec.m = lfs_to32(what);
	return lfs_emit(fs, inode, &rec, now, NULL, 0, NULL, 0);
}

/* Zero [offset, end): parts of blocks by writing, whole blocks as holes. */
static int punch(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t end)
{
	uint64_t first = (offset + LFS_BLOCK - 1) / LFS_BLOCK, last = end / LFS_BLOCK;
	int err;

	if (offset / LFS_BLOCK == end / LFS_BLOCK) /* inside one block */
		return lfs_file_zero_bytes(fs, inode, offset, end - offset);
	err = lfs_file_zero_bytes(fs, inode, offset, first * LFS_BLOCK - offset);
	if (!err && end >= inode->size && end % LFS_BLOCK)
		last++; /* behind the end of the file there is nothing to keep */
	else if (!err)
		err = lfs_file_zero_bytes(fs, inode, last * LFS_BLOCK, end % LFS_BLOCK);
	if (!err && last > first)
		err = apply_and_emit(fs, inode, LFS_FA_PUNCH, first, last - first, inode->size);
	return err;
}

static int punch_any(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t end)
{
	int err = 0;

	if (inode->flags & LFS_DI_INLINE && offset >= inode->inline_bytes)
		return 0; /* zeroes anyway */
	err = lfs_file_outgrow(fs, inode);
	return err ? err : punch(fs, inode, offset, end);
}

static int reserve_range(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t end,
			 bool keep_size)
{
	uint64_t first = offset / LFS_BLOCK, last = (end + LFS_BLOCK - 1) / LFS_BLOCK, promised;
	uint64_t size = !keep_size && end > inode->size ? end : inode->size;
	int err = lfs_file_space(fs, inode, first, last - first, &promised);

	if (err)
		return err;
	err = lfs_file_outgrow(fs, inode);
	if (!err && size > inode->size)
		err = lfs_file_zero_edge(fs, inode, size);
	if (!err)
		err = apply_and_emit(fs, inode, LFS_FA_RESERVE, first, last - first, size);
	lfs_space_give(fs, promised);
	return err;
}

static int zero_range(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, uint64_t end,
		      bool keep_size)
{
	uint64_t to = end < inode->size ? end : inode->size;
	int err = offset < to ? punch_any(fs, inode, offset, to) : 0;

	return err ? err : reserve_range(fs, inode, offset, end, keep_size);
}

static int shift_check(const struct lfs_inode *inode, uint32_t what, uint64_t offset, uint64_t len)
{
	if (offset % LFS_BLOCK || len % LFS_BLOCK)
		return -EINVAL;
	if (what == LFS_FA_COLLAPSE ? offset + len >= inode->size : offset >= inode->size)
		return -EINVAL;
	return what == LFS_FA_INSERT && inode->size > LFS_FILE_MAX - len ? -EFBIG : 0;
}

static int shift(struct lfs *fs, struct lfs_inode *inode, uint32_t what, uint64_t offset,
		 uint64_t len)
{
	uint64_t size = what == LFS_FA_COLLAPSE ? inode->size - len : inode->size + len;
	int err = shift_check(inode, what, offset, len);

	if (!err)
		err = lfs_file_outgrow(fs, inode);
	if (!err)
		err = apply_and_emit(fs, inode, what, offset / LFS_BLOCK, len / LFS_BLOCK, size);
	return err;
}

static int falloc_locked(struct lfs *fs, struct lfs_inode *inode, uint32_t mode, uint64_t offset,
			 uint64_t len)
{
	bool keep = mode & LFS_FALLOC_KEEP_SIZE;

	if (inode->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND))
		return -EPERM;
	switch (mode & ~LFS_FALLOC_KEEP_SIZE) {
	case 0:
		return reserve_range(fs, inode, offset, offset + len, keep);
	case LFS_FALLOC_PUNCH_HOLE:
		return keep ? punch_any(fs, inode, offset, offset + len) : -EOPNOTSUPP;
	case LFS_FALLOC_ZERO_RANGE:
		return zero_range(fs, inode, offset, offset + len, keep);
	case LFS_FALLOC_COLLAPSE_RANGE:
		return keep ? -EINVAL : shift(fs, inode, LFS_FA_COLLAPSE, offset, len);
	case LFS_FALLOC_INSERT_RANGE:
		return keep ? -EINVAL : shift(fs, inode, LFS_FA_INSERT, offset, len);
	default:
		return -EOPNOTSUPP;
	}
}

int lfs_fallocate(struct lfs *fs, lfs_ino_t ino, uint32_t mode, uint64_t offset, uint64_t len)
{
	struct lfs_inode *inode;
	int err;

	if (!len)
		return -EINVAL;
	if (offset > LFS_FILE_MAX || len > LFS_FILE_MAX - offset)
		return -EFBIG;
	err = lfs_op_begin(fs, 8);
	if (err)
		return err;
	err = lfs_file_get(fs, ino, true, &inode);
	if (!err) {
		err = lfs_space_take(fs, 2); /* parts of blocks may have been shared */
		if (!err || mode & LFS_FALLOC_PUNCH_HOLE) {
			bool taken = !err;

			err = falloc_locked(fs, inode, mode, offset, len);
			if (taken)
				lfs_space_give(fs, 2);
		}
		lfs_file_put(fs, inode);
	}
	lfs_op_end(fs);
	return err == -EINVAL || err == -EISDIR ? err : lfs_errno(err);
}

/* ---- Where is data, where is none ------------------------------------------------------------------------------ */

/* From @offset the next byte that is (@data) or is not in a run with data. */
static int64_t seek_locked(struct lfs *fs, struct lfs_inode *inode, uint64_t offset, bool data)
{
	if (offset >= inode->size)
		return -ENXIO;
	if (inode->flags & LFS_DI_INLINE)
		return (int64_t)(data ? offset : inode->size);
	while (offset < inode->size) {
		struct lindex_run run;
		int err = lfs_map_lookup(fs, inode, offset / LFS_BLOCK, &run);
		bool is_data = !err && run.tag != LFS_TAG_UNWRITTEN;

		if (err && err != -ENOENT)
			return err;
		if (is_data == data)
			return (int64_t)offset;
		if (run.last >= LFS_FILE_MAX / LFS_BLOCK)
			break;
		offset = (run.last + 1) * LFS_BLOCK;
	}
	return data ? -ENXIO : (int64_t)inode->size;
}

int64_t lfs_lseek(struct lfs *fs, lfs_ino_t ino, uint64_t offset, int whence)
{
	struct lfs_inode *inode;
	int64_t at;
	int err;

	if (whence != LFS_SEEK_DATA && whence != LFS_SEEK_HOLE)
		return -EINVAL;
	err = lfs_file_get(fs, ino, false, &inode);
	if (err)
		return err == -EISDIR ? -EINVAL : lfs_errno(err);
	at = seek_locked(fs, inode, offset, whence == LFS_SEEK_DATA);
	lfs_file_put(fs, inode);
	return at < 0 ? lfs_errno((int)at) : at;
}

/* ---- Extents ------------------------------------------------------------------------------------------------------- */

#define EXTENT_BATCH 64u

/* Up to EXTENT_BATCH extents from block *lbn on, which moves behind them. */
static int extents_get(struct lfs *fs, struct lfs_inode *inode, uint64_t *lbn, uint64_t end,
		       struct lfs_extent *out, uint32_t *n)
{
	struct lindex_run run;
	int err = 0;

	for (*n = 0; *n < EXTENT_BATCH && *lbn < end; *lbn = run.last + 1) {
		struct lfs_extent *e = &out[*n];
		uint64_t vaddr;

		err = lfs_map_next(fs, inode, *lbn, &run);
		if (err || run.first >= end || run.first >= LFS_XATTR_LBN)
			break;
		if (run.first < *lbn) {
			run.value = lindex_value(&run, *lbn);
			run.first = *lbn;
		}
		e->flags = run.tag == LFS_TAG_UNWRITTEN ? LFS_EXTENT_UNWRITTEN : 0;
		if (run.tag == LFS_TAG_SHARED) {
			struct lindex_run place;

			vaddr = run.value;
			err = lfs_shared_place(fs, vaddr, &place);
			if (err)
				return err == -ENOENT ? -EUCLEAN : err;
			run.value = lindex_value(&place, vaddr);
			if (place.last - vaddr < run.last - run.first)
				run.last = run.first + (place.last - vaddr);
			e->flags = LFS_EXTENT_SHARED;
		}
		e->logical = run.first * LFS_BLOCK;
		e->physical = run.value * LFS_BLOCK;
		e->length = (run.last - run.first + 1) * LFS_BLOCK;
		++*n;
	}
	if (err == -ENOENT || (!err && *n < EXTENT_BATCH))
		*lbn = end;
	return err == -ENOENT ? 0 : err;
}

/* The last extent is held back until it is known whether another follows. */
struct extent_walk {
	bool (*fn)(void *ctx, const struct lfs_extent *extent);
	void *ctx;
	struct lfs_extent held;
	bool holds, stopped;
};

static void give(struct extent_walk *w, const struct lfs_extent *next)
{
	if (w->holds && !w->stopped) {
		if (!next)
			w->held.flags |= LFS_EXTENT_LAST;
		w->stopped = !w->fn(w->ctx, &w->held);
	}
	w->holds = next != NULL;
	if (next)
		w->held = *next;
}

int lfs_extents(struct lfs *fs, lfs_ino_t ino, uint64_t offset, uint64_t len,
		bool (*fn)(void *ctx, const struct lfs_extent *extent), void *ctx)
{
	struct extent_walk w = { .fn = fn, .ctx = ctx };
	uint64_t lbn = offset / LFS_BLOCK, end;
	struct lfs_extent batch[EXTENT_BATCH];
	uint32_t n;
	int err = 0;

	if (offset > LFS_FILE_MAX)
		return -EINVAL;
	end = len > LFS_FILE_MAX - offset ? LFS_FILE_MAX / LFS_BLOCK :
					    (offset + len + LFS_BLOCK - 1) / LFS_BLOCK;
	while (lbn < end && !err && !w.stopped) {
		struct lfs_inode *inode;

		err = lfs_iget(fs, ino, &inode);
		if (err)
			break;
		pthread_rwlock_rdlock(&inode->lock);
		n = 0;
		if (inode->flags & LFS_DI_INLINE) {
			batch[0] = (struct lfs_extent){ 0, 0, inode->inline_bytes,
							LFS_EXTENT_INLINE };
			n = inode->inline_bytes && !lbn;
			lbn = end;
		} else {
			err = extents_get(fs, inode, &lbn, end, batch, &n);
		}
		lfs_file_put(fs, inode);
		for (uint32_t i = 0; i < n && !err && !w.stopped; i++)
			give(&w, &batch[i]);
	}
	if (!err)
		give(&w, NULL);
	return lfs_errno(err);
}
