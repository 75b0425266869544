/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The inode table, every inode in it, every map: what they name must be in the log, and named once.
 */
#include "checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FLAGS_KNOWN    (LFS_DI_INLINE | LFS_DI_PAGED | LFS_DI_NAMES | LFS_DI_PREALLOC)
#define XATTR_BLOCKS   (LFS_XATTR_MAX / LFS_BLOCK + 1u)
#define ITABLE_INODES  (1u << LFS_ITABLE_SHIFT)
#define ITABLE_INDEXES (1u << (32 - LFS_ITABLE_SHIFT))

/* ---- Claims ------------------------------------------------------------------------------------------- */

/* The part of [daddr, daddr + n) that lies in daddr's segment. */
static uint64_t in_segment(const struct lfs_geometry *geo, uint64_t daddr, uint64_t n)
{
	uint64_t left = geo->seg_blocks - (daddr & (geo->seg_blocks - 1));

	return n < left ? n : left;
}

static bool in_log(const struct lfs_geometry *geo, uint64_t daddr, uint64_t n)
{
	uint64_t seg = daddr >> geo->seg_shift, at = daddr & (geo->seg_blocks - 1);

	return seg < geo->nsegs && at >= lfs_seg_first(geo, seg) && at + n <= lfs_seg_end(geo);
}

/* Which piece of a claim cannot be, or NULL. Marks it. */
static const char *claim_piece(struct lfs_checker *ck, uint64_t daddr, uint64_t n)
{
	const struct lfs_geometry *geo = &ck->fs->geo;
	const char *why = NULL;

	if (daddr >= geo->blocks || !in_log(geo, daddr, n))
		return "which the log has no room for";
	if (roaring_bitmap_range_cardinality(ck->used, daddr, daddr + n))
		why = "which are something else's too";
	roaring_bitmap_add_range(ck->used, daddr, daddr + n);
	ck->result->blocks += n;
	return why;
}

/** lfs_check_claim() - These blocks are used by what the text says. Return: false: that cannot be, and is told. */
bool lfs_check_claim(struct lfs_checker *ck, uint64_t daddr, uint64_t n, const char *fmt, ...)
{
	while (n) {
		uint64_t k = in_segment(&ck->fs->geo, daddr, n);
		const char *why = claim_piece(ck, daddr, k);
		char whose[LFS_LINE / 2];
		va_list args;

		if (why) {
			va_start(args, fmt);
			vsnprintf(whose, sizeof(whose), fmt, args);
			va_end(args);
			lfs_found(ck, false, "%s: names blocks %llu to %llu, %s", whose,
				  (unsigned long long)daddr, (unsigned long long)(daddr + k - 1),
				  why);
			return false;
		}
		daddr += k;
		n -= k;
	}
	return true;
}

struct claim {
	struct lfs_checker *ck;
	const char *whose;
};

static int claim_place(void *ctx, uint64_t daddr)
{
	struct claim *claim = ctx;

	lfs_check_claim(claim->ck, daddr, 1, "%s", claim->whose);
	return 0;
}

/** lfs_check_pindex() - A map in pages: its own invariants, certificate included, and the blocks it lies in. */
int lfs_check_pindex(struct lfs_checker *ck, struct lfs_pindex *pi, const char *whose)
{
	struct lindex_reason why = { .text = "cannot be read" };
	struct claim claim = { ck, whose };
	int err;

	ck->last[0] = 0;
	err = lfs_pindex_check(pi, &why);
	if (err == -EUCLEAN && !ck->last[0]) {
		ck->blind = true;
		lfs_found(ck, false, "%s: %s (offset %llu, key %llu, expected %llu, found %llu)",
			  whose, why.text, (unsigned long long)why.offset,
			  (unsigned long long)why.key, (unsigned long long)why.expected,
			  (unsigned long long)why.found);
	} else if (err && !lfs_found_err(ck, err, "%s", whose)) {
		return err;
	}
	ck->last[0] = 0;
	err = lfs_pindex_places(pi, claim_place, &claim);
	return err && !lfs_found_err(ck, err, "%s: its page table", whose) ? err : 0;
}

/* ---- One inode ---------------------------------------------------------------------------------------- */

static void bad_field(struct lfs_checker *ck, uint32_t ino, const char *what, uint64_t limit,
		      uint64_t found)
{
	lfs_found(ck, false, "inode %u: %s: expected %llu at most, found %llu", ino, what,
		  (unsigned long long)limit, (unsigned long long)found);
}

static bool type_known(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) ||
	       S_ISFIFO(mode) || S_ISSOCK(mode);
}

/* Runs inside the inode, before anyone trusts them: ascending, not empty, with a tag that there is. */
static bool runs_sound(struct lfs_checker *ck, uint32_t ino, const struct lfs_inode_disk *d)
{
	uint32_t n = lfs_from16(d->nruns);
	uint64_t end = 0;

	if (n > LFS_INODE_RUNS || (n && lfs_from16(d->flags) & (LFS_DI_INLINE | LFS_DI_PAGED))) {
		bad_field(ck, ino, "runs in the inode", n > LFS_INODE_RUNS ? LFS_INODE_RUNS : 0, n);
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint64_t place = lfs_from64(d->in.runs[i].place);
		uint64_t first = lfs_from32(d->in.runs[i].first) | (place >> 48) << 32;
		uint32_t len = lfs_from32(d->in.runs[i].len);

		if (!len || first < end || (place >> 40 & 0xff) > LFS_TAG_UNWRITTEN) {
			lfs_found(ck, false,
				  "inode %u: run %u in it (block %llu, length %u, tag %u) makes no "
				  "sense",
				  ino, i, (unsigned long long)first, len,
				  (uint32_t)(place >> 40 & 0xff));
			return false;
		}
		end = first + len;
	}
	return true;
}

static bool slot_sound(struct lfs_checker *ck, uint32_t ino, const struct lfs_inode_disk *d)
{
	uint32_t mode = lfs_from16(d->mode), flags = lfs_from16(d->flags);
	uint64_t size = lfs_from64(d->size);
	bool link = S_ISLNK(mode);
	uint64_t limit = link ? LFS_SYMLINK_MAX : LFS_FILE_MAX;

	if (!type_known(mode)) {
		lfs_found(ck, false, "inode %u: mode %o is of no type that there is", ino, mode);
		return false;
	}
	if (flags & ~FLAGS_KNOWN)
		bad_field(ck, ino, "flags", FLAGS_KNOWN, flags);
	if (size > limit || (link && !size))
		bad_field(ck, ino, link ? "length of a symlink" : "size", limit, size);
	if (lfs_from16(d->inline_bytes) > LFS_INODE_INLINE)
		bad_field(ck, ino, "bytes in the inode", LFS_INODE_INLINE,
			  lfs_from16(d->inline_bytes));
	for (uint32_t i = 0; i < 4; i++)
		if (lfs_from32(d->nsec[i]) > 999999999)
			bad_field(ck, ino, "nanoseconds of a time", 999999999,
				  lfs_from32(d->nsec[i]));
	if (flags & LFS_DI_NAMES && !S_ISDIR(mode))
		lfs_found(ck, false, "inode %u: an index of names, and no directory (mode %o)", ino,
			  mode);
	return runs_sound(ck, ino, d);
}

/* Numbers that the checkpoint promises are above all that were given out. */
static void note_numbers(struct lfs_checker *ck, uint32_t ino, uint32_t generation)
{
	struct lfs *fs = ck->fs;

	if (ino >= fs->next_ino &&
	    lfs_found(ck, true, "inode %u: numbers are given out from %llu on", ino,
		      (unsigned long long)fs->next_ino))
		fs->next_ino = (uint64_t)ino + 1;
	if (generation >= fs->next_generation &&
	    lfs_found(ck, true,
		      "inode %u: its generation is %u, and they are given out from %llu on", ino,
		      generation, (unsigned long long)fs->next_generation))
		fs->next_generation = (uint64_t)generation + 1;
}

static bool lbn_sound(const struct lindex_run *run)
{
	if (run->last < LFS_FILE_MAX / LFS_BLOCK)
		return true;
	return run->first >= LFS_XATTR_LBN && run->last < LFS_XATTR_LBN + XATTR_BLOCKS;
}

static int check_run(struct lfs_checker *ck, uint32_t ino, const struct lindex_run *run)
{
	uint64_t n = run->last - run->first + 1;

	if (!lbn_sound(run) || run->tag > LFS_TAG_UNWRITTEN ||
	    run->step != (run->tag != LFS_TAG_UNWRITTEN) || run->value > UINT64_MAX - n) {
		lfs_found(ck, false,
			  "inode %u: its map's run of blocks %llu to %llu (tag %u, step %u) makes "
			  "no sense",
			  ino, (unsigned long long)run->first, (unsigned long long)run->last,
			  run->tag, run->step);
		return 0;
	}
	if (run->tag == LFS_TAG_UNWRITTEN)
		ck->reserved += n;
	if (run->tag == LFS_TAG_SHARED)
		return lfs_check_share_owned(ck, ino, run->value, n);
	if (run->tag != LFS_TAG_PLAIN)
		return 0;
	lfs_check_claim(ck, run->value, n, "inode %u, blocks %llu to %llu of it", ino,
			(unsigned long long)run->first, (unsigned long long)run->last);
	return 0;
}

static int check_runs(struct lfs_checker *ck, struct lfs_inode *inode)
{
	struct lindex_run run;
	uint64_t at = 0, blocks = 0;
	int err;

	for (;;) {
		ck->last[0] = 0;
		err = lfs_map_next(ck->fs, inode, at, &run);
		if (err)
			break;
		ck->result->extents++;
		blocks += run.first < LFS_XATTR_LBN ? run.last - run.first + 1 : 0;
		err = check_run(ck, inode->ino, &run);
		if (err || run.last == UINT64_MAX)
			break;
		at = run.last + 1;
	}
	if (err && err != -ENOENT)
		return lfs_found_err(ck, err, "inode %u: its map from block %llu on", inode->ino,
				     (unsigned long long)at) ?
			       0 :
			       err;
	if (blocks != inode->blocks &&
	    lfs_found(ck, true, "inode %u: count of blocks: expected %llu, found %llu", inode->ino,
		      (unsigned long long)blocks, (unsigned long long)inode->blocks)) {
		inode->blocks = blocks;
		lfs_inode_dirty(inode);
	}
	return 0;
}

static int check_names_index(struct lfs_checker *ck, struct lfs_inode *dir)
{
	char whose[LFS_LINE / 4];
	uint32_t ino;
	int err;

	if (!(dir->flags & LFS_DI_NAMES))
		return 0;
	ck->last[0] = 0;
	err = lfs_dir_find(ck->fs, dir, "?", 1, &ino, NULL, NULL); /* opens it */
	if (dir->dir && dir->dir->names) {
		snprintf(whose, sizeof(whose), "directory %u: its index of names", dir->ino);
		return lfs_check_pindex(ck, dir->dir->names, whose);
	}
	return err && !lfs_found_err(ck, err, "directory %u: its index of names", dir->ino) ? err :
											      0;
}

static int check_inode(struct lfs_checker *ck, uint32_t ino, const struct lfs_inode_disk *d)
{
	struct lfs_inode *inode;
	char whose[LFS_LINE / 4];
	int err;

	roaring_bitmap_add(ck->inodes, ino);
	ck->result->inodes += ino != LFS_ORPHANS_INO;
	if (!slot_sound(ck, ino, d)) {
		ck->blind = true;
		return 0;
	}
	if (S_ISDIR(lfs_from16(d->mode))) {
		roaring_bitmap_add(ck->dirs, ino);
		ck->result->directories++;
	}
	err = lfs_iget(ck->fs, ino, &inode);
	if (err)
		return lfs_found_err(ck, err, "inode %u", ino) ? 0 : err;
	note_numbers(ck, ino, inode->generation);
	err = check_runs(ck, inode);
	if (!err && inode->map.pi) {
		snprintf(whose, sizeof(whose), "inode %u: its map", ino);
		err = lfs_check_pindex(ck, inode->map.pi, whose);
	}
	if (!err)
		err = check_names_index(ck, inode);
	ck->last[0] = 0;
	if (!err && inode->xattr_bytes) {
		err = lfs_xattrs_load(ck->fs, inode);
		if (err && lfs_found_err(ck, err, "inode %u: its extended attributes", ino))
			err = 0;
	}
	lfs_iput(ck->fs, inode);
	lfs_check_breathe(ck);
	return err;
}

/* ---- The table ---------------------------------------------------------------------------------------- */

static int check_itable_block(struct lfs_checker *ck, uint32_t index)
{
	struct lfs_inode_disk slots[ITABLE_INODES];
	uint32_t first = index << LFS_ITABLE_SHIFT;
	struct lfs_cblk *blk;
	int err;

	ck->last[0] = 0;
	err = lfs_itable_get(ck->fs, index, &blk);
	if (err)
		return lfs_found_err(ck, err, "inodes %u to %u", first, first + ITABLE_INODES - 1) ?
			       0 :
			       err;
	memcpy(slots, blk->data, sizeof(slots));
	lfs_cache_put(&ck->fs->cache, blk);
	for (uint32_t i = 0; i < ITABLE_INODES && !err; i++) {
		if (slots[i].mode && !(first + i))
			lfs_found(ck, false, "inode 0: there is no such number, and it has a mode");
		else if (slots[i].mode)
			err = check_inode(ck, first + i, &slots[i]);
	}
	return err;
}

/* Blocks that a run of the inode map names; from the first that cannot be on, none of it is believed. */
static void imap_run(struct lfs_checker *ck, const struct lindex_run *run,
		     roaring_bitmap_t *indexes)
{
	for (uint64_t i = run->first; i <= run->last; i++) {
		unsigned long long first = i * ITABLE_INODES;

		if (!lfs_check_claim(ck, lindex_value(run, i), 1, "inodes %llu to %llu", first,
				     first + ITABLE_INODES - 1)) {
			ck->blind = true;
			return;
		}
		roaring_bitmap_add(indexes, (uint32_t)i);
	}
}

/* Blocks of the table that the inode map names. */
static int imap_blocks(struct lfs_checker *ck, roaring_bitmap_t *indexes)
{
	struct lfs_pindex *imap = ck->fs->sys[LFS_SYS_IMAP];
	struct lindex_run run;
	uint64_t at = 0;
	int err;

	for (;;) {
		ck->last[0] = 0;
		err = lfs_pindex_next(imap, at, &run);
		if (err)
			break;
		if (run.last >= ITABLE_INDEXES) {
			lfs_found(ck, false, "the inode map: key %llu: expected %u at most",
				  (unsigned long long)run.last, ITABLE_INDEXES - 1);
			break;
		}
		imap_run(ck, &run, indexes);
		at = run.last + 1;
	}
	if (!err || err == -ENOENT)
		return 0;
	return lfs_found_err(ck, err, "the inode map from key %llu on", (unsigned long long)at) ?
		       0 :
		       err;
}

/* And those that are only in memory yet: made by what the log's end says. */
static int fresh_blocks(struct lfs_checker *ck, roaring_bitmap_t *indexes)
{
	struct lfs_cblk **list;
	int err = lfs_inodes_flush(ck->fs, false);
	size_t n;

	if (err)
		return err;
	n = lfs_cache_dirty_list(&ck->fs->cache, LFS_CACHE_ITABLE, &list);
	if (n == SIZE_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		roaring_bitmap_add(indexes, (uint32_t)list[i]->b);
	free(list);
	return 0;
}

static int check_system_maps(struct lfs_checker *ck)
{
	static const char *const names[LFS_SYS_MAPS] = { "the inode map",
							 "the map of shared blocks",
							 "the map of owners' counts",
							 "the map from places to shared blocks" };
	int err = 0;

	for (uint32_t i = 0; i < LFS_SYS_MAPS && !err; i++)
		err = lfs_check_pindex(ck, ck->fs->sys[i], names[i]);
	return err;
}

static void check_count(struct lfs_checker *ck)
{
	uint64_t n = ck->result->inodes;

	if (!ck->blind && ck->fs->inodes != n &&
	    lfs_found(ck, true, "count of inodes: expected %llu, found %llu", (unsigned long long)n,
		      (unsigned long long)ck->fs->inodes))
		ck->fs->inodes = n;
}

static void check_reserved(struct lfs_checker *ck)
{
	struct lfs *fs = ck->fs;

	pthread_mutex_lock(&fs->alloc_lock);
	if (!ck->blind && fs->nreserved != ck->reserved &&
	    lfs_found(ck, true, "count of reserved blocks: expected %llu, found %llu",
		      (unsigned long long)ck->reserved, (unsigned long long)fs->nreserved))
		fs->nreserved = ck->reserved;
	pthread_mutex_unlock(&fs->alloc_lock);
}

/** lfs_check_inodes() - All inodes and maps; ck->used, ck->inodes, ck->dirs and ck->owners are known then. */
int lfs_check_inodes(struct lfs_checker *ck)
{
	roaring_bitmap_t *indexes = roaring_bitmap_create();
	roaring_uint32_iterator_t it;
	uint64_t done = 0, total;
	int err = indexes ? check_system_maps(ck) : -ENOMEM;

	if (!err)
		err = imap_blocks(ck, indexes);
	if (!err)
		err = fresh_blocks(ck, indexes);
	total = indexes ? roaring_bitmap_get_cardinality(indexes) : 0;
	if (!err)
		for (roaring_init_iterator(indexes, &it); it.has_value && !err;
		     roaring_advance_uint32_iterator(&it)) {
			lfs_check_progress(ck, "inodes", done++, total);
			err = check_itable_block(ck, it.current_value);
		}
	if (!err) {
		check_count(ck);
		check_reserved(ck);
	}
	if (indexes)
		roaring_bitmap_free(indexes);
	return err;
}
