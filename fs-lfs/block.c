/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading blocks of the log: from the segments that are still in memory, else from the device, verified.
 *
 * A block's checksum is in the table at the end of its segment: not in the maps (8 bytes more for each extent, and no
 * more extents longer than a block), and not beside each block (4096 bytes are no longer a block then). The table is
 * one block for 509, cached: a cold read of a block costs one more block once in 2 MiB.
 */
#include "internal.h"

#include <stdlib.h>

int lfs_dev_read(struct lfs *fs, void *buf, uint64_t blocks, uint64_t daddr)
{
	int err = -EIO;

	if (daddr + blocks <= fs->geo.blocks)
		err = fs->dev->ops->read(fs->dev, buf, (size_t)blocks * LFS_BLOCK,
					 daddr * LFS_BLOCK);
	atomic_fetch_add_explicit(&fs->count.device_read, blocks, memory_order_relaxed);
	if (err) {
		fs->count.read_errors++;
		lfs_log(fs, LFS_LOG_ERROR, "block %llu: %llu blocks cannot be read: %s",
			(unsigned long long)daddr, (unsigned long long)blocks, strerror(-err));
	}
	return err;
}

int lfs_dev_write(struct lfs *fs, const void *buf, uint64_t blocks, uint64_t daddr)
{
	if (daddr + blocks > fs->geo.blocks)
		return -EUCLEAN;
	if (fs->memory_only) /* recovery of a read-only mount: segments stay in memory */
		return 0;
	atomic_fetch_add_explicit(&fs->count.device_written, blocks, memory_order_relaxed);
	return fs->dev->ops->write(fs->dev, buf, (size_t)blocks * LFS_BLOCK, daddr * LFS_BLOCK);
}

int lfs_dev_flush(struct lfs *fs)
{
	int err = fs->dev->ops->flush(fs->dev);

	fs->count.flushes++;
	if (err)
		lfs_fail(fs, err, "flushing the device");
	return err;
}

/* From a segment in memory: those of the blocks that are in it. */
static bool read_from_memory(struct lfs *fs, uint64_t daddr, uint64_t n, void *to)
{
	uint64_t seg = daddr >> fs->geo.seg_shift, at = daddr & (fs->geo.seg_blocks - 1);
	const struct lfs_segbuf *buf;

	pthread_rwlock_rdlock(&fs->segbuf_lock);
	for (buf = fs->segbufs; buf && buf->seg != seg; buf = buf->next)
		;
	if (buf)
		memcpy(to, buf->bytes + (size_t)at * LFS_BLOCK, (size_t)n * LFS_BLOCK);
	pthread_rwlock_unlock(&fs->segbuf_lock);
	return buf;
}

static const struct lfs_table_disk *table_recovered(struct lfs *fs, uint32_t seg, uint64_t seq)
{
	const struct lfs_tail *tail;

	for (tail = fs->tails; tail; tail = tail->next)
		if (tail->seg == seg && tail->seq == seq)
			return &tail->table;
	return NULL;
}

static int table_bad(struct lfs *fs, uint32_t seg, const char *what)
{
	fs->count.csum_errors++;
	lfs_log(fs, LFS_LOG_ERROR, "table of segment %u: %s", seg, what);
	return -EBADMSG;
}

static int table_read(struct lfs *fs, uint32_t seg, uint64_t seq, struct lfs_table_disk *table)
{
	uint64_t at = ((uint64_t)seg << fs->geo.seg_shift) + lfs_seg_end(&fs->geo);
	int err = lfs_dev_read(fs, table, 1, at);

	if (err)
		return err;
	if (lfs_from32(table->magic) != LFS_TABLE_MAGIC || lfs_from64(table->segment_seq) != seq)
		return table_bad(fs, seg, "not there, or of an earlier use");
	if (lfs_from64(table->csum) != lfs_csum_parts(table, LFS_BLOCK, 16, NULL, 0, at, seq))
		return table_bad(fs, seg, "checksum does not match");
	return 0;
}

/*
 * When the table itself is damaged: the chunks' headers have the same checksums. Walk them.
 */
static int table_rebuild(struct lfs *fs, uint32_t seg, uint64_t seq, struct lfs_table_disk *table)
{
	struct lfs_entry_disk *entries = calloc(LFS_TABLE_SLOTS + 1, sizeof(*entries));
	struct lfs_tail *tail = malloc(sizeof(*tail));
	uint32_t fill = 0;
	int err = entries && tail ? 0 : -ENOMEM;

	if (!err)
		err = lfs_segment_walk(fs, seg, seq, lfs_seg_end(&fs->geo), entries, &fill);
	if (!err) {
		lfs_tail_make(tail, seg, seq, fs->geo.seg_blocks, entries, fill);
		*table = tail->table;
		fs->count.healed++;
		lfs_log(fs, LFS_LOG_WARNING,
			"table of segment %u: made anew from %u blocks of chunks", seg, fill);
	}
	free(entries);
	free(tail);
	return err;
}

/* The checksums of a segment, as a pinned block of the cache or one of recovery's. */
static int table_get(struct lfs *fs, uint32_t seg, uint64_t seq, struct lfs_cblk **blk,
		     const struct lfs_table_disk **table)
{
	struct lfs_table_disk *bytes;
	int err;

	*blk = NULL;
	*table = table_recovered(fs, seg, seq);
	if (*table)
		return 0;
	*blk = lfs_cache_find(&fs->cache, LFS_CACHE_TABLE | seg, seq);
	if (!*blk) {
		bytes = aligned_alloc(64, LFS_BLOCK);
		if (!bytes)
			return -ENOMEM;
		err = table_read(fs, seg, seq, bytes);
		if (err == -EBADMSG && !table_rebuild(fs, seg, seq, bytes))
			err = 0;
		if (!err)
			*blk = lfs_cache_add(&fs->cache, LFS_CACHE_TABLE | seg, seq, bytes);
		free(bytes);
		if (err || !*blk)
			return err ? err : -ENOMEM;
	}
	*table = (const void *)(*blk)->data;
	return 0;
}

static int verify(struct lfs *fs, const struct lfs_table_disk *table, uint64_t seq, uint64_t daddr,
		  uint64_t n, const uint8_t *bytes)
{
	uint32_t at = (uint32_t)(daddr & (fs->geo.seg_blocks - 1));

	if (LFS_PLANTED(READ_SKIPS_CHECKSUM))
		return 0;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t expected = lfs_from64(table->block_csum[at + i]);
		uint64_t found = lfs_csum_block(bytes + i * LFS_BLOCK, daddr + i, seq);

		if (found == expected && at + i < lfs_from32(table->count))
			continue;
		fs->count.csum_errors++;
		lfs_log(fs, LFS_LOG_ERROR, "block %llu: checksum expected %016llx, found %016llx",
			(unsigned long long)(daddr + i), (unsigned long long)expected,
			(unsigned long long)found);
		return -EBADMSG;
	}
	return 0;
}

static int read_in_segment(struct lfs *fs, uint64_t daddr, uint64_t n, void *buf)
{
	const struct lfs_table_disk *table;
	struct lfs_seg seg;
	struct lfs_cblk *blk;
	uint32_t number = (uint32_t)(daddr >> fs->geo.seg_shift);
	int err;

	if ((daddr & (fs->geo.seg_blocks - 1)) + n > lfs_seg_end(&fs->geo))
		return -EUCLEAN;
	if (read_from_memory(fs, daddr, n, buf))
		return 0;
	err = lfs_seg_get(fs, number, &seg);
	if (!err)
		err = table_get(fs, number, seg.seq, &blk, &table);
	if (err)
		return err;
	err = lfs_dev_read(fs, buf, n, daddr);
	if (!err)
		err = verify(fs, table, seg.seq, daddr, n, buf);
	if (blk)
		lfs_cache_put(&fs->cache, blk);
	return err;
}

/**
 * lfs_block_read_run() - @n blocks from @daddr, verified.
 *
 * Return: 0, -EBADMSG (logged), -EUCLEAN (no place for data), -EIO, -ENOMEM.
 */
int lfs_block_read_run(struct lfs *fs, uint64_t daddr, uint64_t n, void *buf)
{
	uint8_t *to = buf;
	int err = 0;

	while (n && !err) {
		uint64_t left = fs->geo.seg_blocks - (daddr & (fs->geo.seg_blocks - 1));
		uint64_t k = n < left ? n : left;

		err = daddr < fs->geo.blocks ? read_in_segment(fs, daddr, k, to) : -EUCLEAN;
		to += k * LFS_BLOCK;
		daddr += k;
		n -= k;
	}
	return err;
}

int lfs_block_read(struct lfs *fs, uint64_t daddr, void *buf)
{
	return lfs_block_read_run(fs, daddr, 1, buf);
}

/** lfs_owners_read() - Whose the blocks of a closed segment are. */
int lfs_owners_read(struct lfs *fs, uint32_t seg, uint64_t seq, struct lfs_owners_disk *owners)
{
	uint64_t at = ((uint64_t)seg << fs->geo.seg_shift) + lfs_seg_end(&fs->geo) + 1;
	const struct lfs_tail *tail;
	int err;

	for (tail = fs->tails; tail; tail = tail->next) {
		if (tail->seg == seg && tail->seq == seq) {
			*owners = tail->owners;
			return 0;
		}
	}
	err = lfs_dev_read(fs, owners, 2, at);
	if (err)
		return err;
	if (lfs_from32(owners->magic) != LFS_OWNERS_MAGIC ||
	    lfs_from64(owners->segment_seq) != seq || lfs_from32(owners->count) > LFS_TABLE_SLOTS ||
	    lfs_from64(owners->csum) !=
		    lfs_csum_parts(owners, sizeof(*owners), 16, NULL, 0, at, seq)) {
		fs->count.csum_errors++;
		lfs_log(fs, LFS_LOG_ERROR, "owners of segment %u: checksum does not match", seg);
		return -EBADMSG;
	}
	return 0;
}
