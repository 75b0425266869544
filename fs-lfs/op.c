/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What every operation begins with: is there room in the log for what it will write, else clean or checkpoint first,
 * while no lock is held. And what each change ends with: its record.
 */
#include "internal.h"

/*
 * Free segments that are kept: hot's next one, a step of hot, cold and meta each, one to spare; and so many that
 * the cleaner can move the contents of a batch of segments before the checkpoint that frees them, since each
 * checkpoint costs, too: a page for each 800 fragments. What is kept free is not there to be dead and cleaned
 * cheaply later; docs/decisions/017-cleaner.md has the figures.
 */
#define FREE_MIN    5u
#define FREE_SHARE  64u
#define BATCH_MIN   6u
#define BATCH_MAX   32u
#define AHEAD_SHARE 2u /* of a batch: so much earlier than an operation does, a tick cleans */
#define TRIES       64u
#define CHAIN_MAX   16384u /* blocks of log that recovery may have to read: 64 MiB */

static uint64_t chain_limit(const struct lfs *fs)
{
	return fs->geo.blocks / 8 < CHAIN_MAX ? fs->geo.blocks / 8 : CHAIN_MAX;
}

static uint64_t dirty_limit(const struct lfs *fs)
{
	uint64_t cap = fs->opt.cap_bytes / 4 / LFS_BLOCK, slack = lfs_slack_blocks(&fs->geo) / 4;

	return cap < slack ? cap : slack;
}

/* A checkpoint would make room, in memory or in the log. */
static bool wants_checkpoint(struct lfs *fs)
{
	return atomic_load_explicit(&fs->cache.dirty, memory_order_relaxed) > dirty_limit(fs) ||
	       atomic_load_explicit(&fs->chain_blocks, memory_order_relaxed) > chain_limit(fs);
}

/** lfs_clean_batch() - Segments to clean for one checkpoint. */
uint32_t lfs_clean_batch(const struct lfs *fs)
{
	uint64_t n = fs->geo.nsegs / FREE_SHARE;

	return n < BATCH_MIN ? BATCH_MIN : n > BATCH_MAX ? BATCH_MAX : (uint32_t)n;
}

static uint64_t segments_needed(struct lfs *fs, uint64_t blocks)
{
	uint64_t keep = fs->geo.nsegs / FREE_SHARE;

	keep = keep < FREE_MIN ? FREE_MIN : keep > BATCH_MAX ? BATCH_MAX : keep;
	return keep + (fs->cache.dirty + blocks) / (fs->geo.seg_blocks - 8);
}

static bool is_short(struct lfs *fs, uint64_t blocks)
{
	uint64_t free_now;

	pthread_mutex_lock(&fs->alloc_lock);
	free_now = fs->nfree;
	pthread_mutex_unlock(&fs->alloc_lock);
	return free_now < segments_needed(fs, blocks);
}

/** lfs_is_low() - Operations will have to clean soon. */
bool lfs_is_low(struct lfs *fs)
{
	uint64_t ahead = lfs_clean_batch(fs) / AHEAD_SHARE;

	return is_short(fs, ahead * fs->geo.seg_blocks);
}

static int checkpoint(struct lfs *fs)
{
	int err;

	pthread_rwlock_wrlock(&fs->op_lock);
	err = lfs_writable(fs);
	if (!err)
		err = lfs_checkpoint_locked(fs, false);
	pthread_rwlock_unlock(&fs->op_lock);
	return err;
}

/* Under gc_lock: one step towards room. Return: 0: ask again; -ENOSPC: nothing more can be done. */
static int make_room(struct lfs *fs, uint64_t blocks)
{
	uint32_t emptied, batch = lfs_clean_batch(fs);
	int n = 0;

	if (wants_checkpoint(fs))
		return checkpoint(fs);
	if (!is_short(fs, blocks))
		return 0;
	pthread_mutex_lock(&fs->alloc_lock);
	emptied = fs->nemptied;
	pthread_mutex_unlock(&fs->alloc_lock);
	if (emptied < batch)
		n = lfs_gc_run(fs, batch - emptied, true);
	if (n > 0 || emptied)
		return checkpoint(fs);
	return n ? n : -ENOSPC;
}

/**
 * lfs_op_begin() - An operation that changes something begins, and may write @blocks to the log.
 *
 * Return: 0: op_lock is held (shared); -ENOSPC, -EROFS, -EIO.
 */
int lfs_op_begin(struct lfs *fs, uint64_t blocks)
{
	int err = lfs_writable(fs);

	for (uint32_t i = 0; !err && i < TRIES && (wants_checkpoint(fs) || is_short(fs, blocks));
	     i++) {
		pthread_mutex_lock(&fs->gc_lock);
		err = make_room(fs, blocks);
		pthread_mutex_unlock(&fs->gc_lock);
	}
	if (err == -ENOSPC && !blocks) /* removing goes on with what is set aside */
		err = 0;
	if (err)
		return err;
	pthread_rwlock_rdlock(&fs->op_lock);
	err = lfs_writable(fs);
	if (err)
		pthread_rwlock_unlock(&fs->op_lock);
	return err;
}

void lfs_op_end(struct lfs *fs)
{
	pthread_rwlock_unlock(&fs->op_lock);
}

/**
 * lfs_emit() - Log a change of @inode that is done in memory. It cannot be undone: a failure makes the filesystem
 * read-only.
 */
int lfs_emit(struct lfs *fs, struct lfs_inode *inode, struct lfs_record_disk *rec,
	     struct lfs_time time, const void *a, uint32_t a_len, const void *b, uint32_t b_len)
{
	int err;

	if (fs->replaying)
		return 0;
	if (!rec->ino)
		rec->ino = lfs_to32(inode->ino);
	rec->len = lfs_to32((sizeof(*rec) + a_len + b_len + 7) & ~(size_t)7);
	rec->sec = lfs_to64((uint64_t)time.sec);
	rec->nsec = lfs_to32(time.nsec);
	rec->a = lfs_to32(a_len);
	rec->b = lfs_to32(b_len);
	err = lfs_log_emit(fs, rec, sizeof(*rec), a, a_len, b, b_len);
	if (err)
		lfs_fail(fs, err, "logging a change");
	return err;
}
