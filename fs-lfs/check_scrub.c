/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Scrub: every live block of the log is read and verified, and so is what verifies it: a segment's table, its owners,
 * the headers of its chunks. Table and headers say the same twice, so that each can be told from the other; a table
 * is made anew from headers, and a segment with a damaged header is emptied.
 */
#include "checker.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_BLOCKS 128u

struct scrub {
	struct lfs_checker *ck;
	uint32_t seg;
	struct lfs_seg info;
	bool has_owners;
	struct lfs_table_disk *table;
	struct lfs_owners_disk *owners;
	struct lfs_entry_disk *entries;
	uint8_t *bytes;
	uint64_t live[LFS_SEGMENT_MAX / LFS_BLOCK / 64];
};

static uint64_t base_of(const struct scrub *s)
{
	return (uint64_t)s->seg << s->ck->fs->geo.seg_shift;
}

static bool is_live(const struct scrub *s, uint32_t i)
{
	return s->live[i / 64] >> (i % 64) & 1;
}

/* ---- Whose a block is --------------------------------------------------------------------------------- */

static void owner_text(const struct scrub *s, uint32_t i, char *text, size_t room)
{
	static const char *const maps[LFS_SYS_MAPS] = { "inode map", "map of shared blocks",
							"map of owners", "map of places" };
	uint64_t owner = lfs_from64(s->owners->entry[i].owner);
	unsigned long long index = lfs_from64(s->owners->entry[i].index);
	uint32_t which = (uint32_t)(owner >> 48) & 0xff, ino = (uint32_t)owner;

	if (!s->has_owners) {
		snprintf(text, room, "an unknown owner's");
		return;
	}
	switch (owner >> 56) {
	case LFS_KIND_DATA:
		if (index >= LFS_XATTR_LBN)
			snprintf(text, room, "extended attributes of inode %u", ino);
		else
			snprintf(text, room, "inode %u, block %llu of it", ino, index);
		return;
	case LFS_KIND_SHARED:
		snprintf(text, room, "shared block %llu", index);
		return;
	case LFS_KIND_ITABLE:
		snprintf(text, room, "inodes %llu to %llu", index << LFS_ITABLE_SHIFT,
			 (index << LFS_ITABLE_SHIFT) + 15);
		return;
	case LFS_KIND_PAGE:
	case LFS_KIND_PTAB:
	case LFS_KIND_ROOT:
		if (which >= LFS_WHICH_SYS && which - LFS_WHICH_SYS < LFS_SYS_MAPS)
			snprintf(text, room, "the %s", maps[which - LFS_WHICH_SYS]);
		else
			snprintf(text, room, "the %s of inode %u",
				 which == LFS_WHICH_NAMES ? "index of names" : "map", ino);
		return;
	default:
		snprintf(text, room, "an unknown owner's");
		return;
	}
}

/* ---- What verifies: table, owners, headers -------------------------------------------------------------- */

/* A head, or a chunk on its way, has the segment's table in memory. */
static bool in_buffer(struct lfs *fs, uint32_t seg)
{
	const struct lfs_segbuf *buf;

	pthread_rwlock_rdlock(&fs->segbuf_lock);
	for (buf = fs->segbufs; buf && buf->seg != seg; buf = buf->next)
		;
	pthread_rwlock_unlock(&fs->segbuf_lock);
	return buf;
}

/* Recovery has. */
static bool was_recovered(const struct lfs *fs, uint32_t seg)
{
	const struct lfs_tail *tail = fs->tails;

	while (tail && tail->seg != seg)
		tail = tail->next;
	return tail;
}

/* The table as it is on disk, not as somebody in memory has mended it. */
static int table_read(struct scrub *s)
{
	struct lfs *fs = s->ck->fs;
	uint64_t at = base_of(s) + lfs_seg_end(&fs->geo), seq = s->info.seq;
	int err = lfs_dev_read(fs, s->table, 1, at);

	if (err)
		return err;
	if (lfs_from32(s->table->magic) != LFS_TABLE_MAGIC ||
	    lfs_from64(s->table->segment_seq) != seq ||
	    lfs_from64(s->table->csum) != lfs_csum_parts(s->table, LFS_BLOCK, 16, NULL, 0, at, seq))
		return -EBADMSG;
	return lfs_from32(s->table->count) > lfs_seg_end(&fs->geo) ? -EUCLEAN : 0;
}

/* What the headers say of the segment; *fill: up to where they do. */
static int headers_read(struct scrub *s, uint32_t *fill)
{
	struct lfs *fs = s->ck->fs;
	int err;

	memset(s->entries, 0, (LFS_TABLE_SLOTS + 1) * sizeof(*s->entries));
	err = lfs_segment_walk(fs, s->seg, s->info.seq, lfs_seg_end(&fs->geo), s->entries, fill);
	return err == -EBADMSG ? 0 : err;
}

static bool headers_cover(const struct scrub *s, uint32_t fill)
{
	for (uint32_t i = fill; i < lfs_seg_end(&s->ck->fs->geo); i++)
		if (is_live(s, i))
			return false;
	return true;
}

/* Table or owners are damaged: write both anew, if the headers know of every live block. */
static int tail_mend(struct scrub *s, const char *what, uint32_t fill)
{
	struct lfs_tail *tail;
	int err;

	if (!lfs_found(s->ck, headers_cover(s, fill), "segment %u: its %s: checksum does not match",
		       s->seg, what))
		return 0;
	tail = malloc(sizeof(*tail));
	err = tail ? lfs_check_writable(s->ck) : -ENOMEM;
	if (!err) {
		lfs_tail_make(tail, s->seg, s->info.seq, s->ck->fs->geo.seg_blocks, s->entries,
			      fill);
		err = lfs_tail_write(s->ck->fs, tail);
	}
	if (!err) {
		*s->owners = tail->owners;
		s->has_owners = true;
	}
	free(tail);
	return lfs_unfixed(s->ck, err, "segment %u: its %s", s->seg, what);
}

/* What is live moves elsewhere, and the segment becomes free. */
static int vacate(struct scrub *s)
{
	int err = lfs_check_writable(s->ck);

	if (!err)
		err = lfs_gc_segment(s->ck->fs, s->seg);
	if (!err)
		err = lfs_live_in_segment(s->ck->fs, s->seg, s->live);
	return lfs_unfixed(s->ck, err, "segment %u", s->seg);
}

/* The headers and the table are two copies of the same. */
static int compare(struct scrub *s, uint32_t fill)
{
	uint32_t count = lfs_from32(s->table->count);

	if (fill < count)
		return lfs_found(s->ck, true,
				 "segment %u: the header of a chunk at block %llu is damaged (its "
				 "table is not)",
				 s->seg, (unsigned long long)(base_of(s) + fill)) ?
			       vacate(s) :
			       0;
	for (uint32_t i = 0; i < count; i++) {
		if (!is_live(s, i) || (s->table->block_csum[i] == s->entries[i].csum &&
				       s->owners->entry[i].owner == s->entries[i].owner &&
				       s->owners->entry[i].index == s->entries[i].index))
			continue;
		lfs_found(s->ck, false,
			  "segment %u: its table and its chunks differ over block %llu", s->seg,
			  (unsigned long long)(base_of(s) + i));
		break;
	}
	return 0;
}

static int tail_check(struct scrub *s)
{
	struct lfs *fs = s->ck->fs;
	uint32_t fill = 0;
	int err, table, owners;

	s->has_owners = false;
	if (in_buffer(fs, s->seg))
		return 0;
	owners = lfs_owners_read(fs, s->seg, s->info.seq, s->owners);
	s->has_owners = !owners;
	if (was_recovered(fs, s->seg))
		return 0;
	table = table_read(s);
	err = headers_read(s, &fill);
	if (err)
		return err;
	if (table && lfs_is_damage(table))
		err = tail_mend(s, "table", fill);
	else if (owners && lfs_is_damage(owners))
		err = tail_mend(s, "owners", fill);
	else if (table || owners)
		err = table ? table : owners;
	else
		err = compare(s, fill);
	return err;
}

/* ---- Blocks ------------------------------------------------------------------------------------------- */

static void block_check(struct scrub *s, uint32_t i)
{
	char text[LFS_LINE / 4];
	int err;

	s->ck->last[0] = 0;
	err = lfs_block_read(s->ck->fs, base_of(s) + i, s->bytes);
	if (!err)
		return;
	owner_text(s, i, text, sizeof(text));
	if (!s->ck->last[0])
		snprintf(s->ck->last, sizeof(s->ck->last), "block %llu: %s",
			 (unsigned long long)(base_of(s) + i), strerror(-err));
	lfs_found(s->ck, false, "%s: %s", text, s->ck->last);
}

static void blocks_check(struct scrub *s)
{
	uint32_t end = lfs_seg_end(&s->ck->fs->geo);

	for (uint32_t i = 0, n; i < end; i += n) {
		if (!is_live(s, i)) {
			n = 1;
			continue;
		}
		for (n = 1; n < BATCH_BLOCKS && i + n < end && is_live(s, i + n); n++)
			;
		s->ck->result->scrubbed_blocks += n;
		if (!lfs_block_read_run(s->ck->fs, base_of(s) + i, n, s->bytes))
			continue;
		for (uint32_t k = 0; k < n; k++)
			block_check(s, i + k);
	}
}

static int segment_check(struct scrub *s)
{
	struct lfs *fs = s->ck->fs;
	int err = lfs_seg_get(fs, s->seg, &s->info);

	if (!err && !s->info.live)
		return 0;
	if (!err)
		err = lfs_live_in_segment(fs, s->seg, s->live);
	if (err)
		return lfs_is_damage(err) ? 0 : err; /* told with the books */
	err = tail_check(s);
	if (!err)
		blocks_check(s);
	return err;
}

/** lfs_check_scrub() - Read everything that counts. */
int lfs_check_scrub(struct lfs_checker *ck)
{
	struct scrub s = { .ck = ck };
	uint64_t total = ck->fs->nlive;
	int err = 0;

	s.table = aligned_alloc(64, sizeof(*s.table));
	s.owners = aligned_alloc(64, sizeof(*s.owners));
	s.entries = malloc((LFS_TABLE_SLOTS + 1) * sizeof(*s.entries));
	s.bytes = aligned_alloc(64, (size_t)BATCH_BLOCKS * LFS_BLOCK);
	if (!s.table || !s.owners || !s.entries || !s.bytes)
		err = -ENOMEM;
	for (; s.seg < ck->fs->geo.nsegs && !err; s.seg++) {
		lfs_check_progress(ck, "scrub", ck->result->scrubbed_blocks, total);
		err = segment_check(&s);
		if (!(s.seg % 64))
			lfs_cache_shrink(&ck->fs->cache, ck->fs->cache.limit);
	}
	free(s.table);
	free(s.owners);
	free(s.entries);
	free(s.bytes);
	return err;
}
