/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A mounted filesystem: made, kept going (lfs_tick()), taken down. And what everybody uses: log lines, time, errors.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COMMIT_MS     5000u
#define CHECKPOINT_MS 30000u
#define CAP_MIN       ((uint64_t)16 << 20)

/* ---- Log lines, time, errors ------------------------------------------------------------------------------ */

void lfs_log(struct lfs *fs, enum lfs_log_level level, const char *fmt, ...)
{
	const struct lfs_callbacks *cb = &fs->opt.callbacks;
	char line[512];
	va_list args;

	if (!cb->log)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	cb->log(cb->ctx, level, line);
}

struct lfs_time lfs_now(struct lfs *fs)
{
	struct timespec ts;
	struct lfs_time now;

	if (fs->opt.callbacks.time) {
		fs->opt.callbacks.time(fs->opt.callbacks.ctx, &now);
		return now;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct lfs_time){ ts.tv_sec, (uint32_t)ts.tv_nsec };
}

uint64_t lfs_monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/** lfs_fail() - What is in memory and what is on disk cannot be kept together any more: read-only from here on. */
void lfs_fail(struct lfs *fs, int err, const char *what)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&fs->error, &none, err))
		lfs_log(fs, LFS_LOG_ERROR, "%s failed: %s; read-only from now on", what,
			strerror(-err));
}

/** lfs_errno() - As callers outside see it. */
int lfs_errno(int err)
{
	return err == -EBADMSG || err == -EUCLEAN ? -EIO : err;
}

/* ---- Mount ------------------------------------------------------------------------------------------------------ */

static int pools_init(struct lfs *fs)
{
	int err = 0;

	fs->pool_limit = fs->opt.cap_bytes * 3 / 8 / (LFS_POOLS + 1);
	for (uint32_t i = 0; i <= LFS_POOLS && !err; i++) {
		pthread_mutex_init(&fs->pool[i].lock, NULL);
		err = lindex_pool_create(NULL, &fs->pool[i].pool);
	}
	return err;
}

static int system_maps_open(struct lfs *fs, const struct lfs_cp_disk *cp)
{
	int err = 0;

	for (uint32_t i = 0; i < LFS_SYS_MAPS && !err; i++) {
		struct lfs_map_id id = { 0, LFS_WHICH_SYS + i };

		err = lfs_pindex_open(fs, id, lfs_from64(cp->sys_root[i]), &fs->sys[i]);
	}
	return err;
}

static void locks_init(struct lfs *fs)
{
	pthread_rwlockattr_t attr;

	/* A checkpoint must not wait for ever behind operations that keep coming. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&fs->op_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&fs->rename_lock, NULL);
	pthread_mutex_init(&fs->open_lock, NULL);
	pthread_mutex_init(&fs->gc_lock, NULL);
	pthread_mutex_init(&fs->ino_lock, NULL);
	pthread_rwlock_init(&fs->imap_lock, NULL);
	pthread_rwlock_init(&fs->shared_lock, NULL);
}

static void teardown(struct lfs *fs)
{
	lfs_icache_destroy(fs);
	for (uint32_t i = 0; i < LFS_SYS_MAPS; i++)
		lfs_pindex_close(fs->sys[i]);
	for (uint32_t i = 0; i <= LFS_POOLS; i++)
		if (fs->pool[i].pool)
			lindex_pool_free(fs->pool[i].pool);
	lfs_cache_destroy(&fs->cache);
	lfs_log_destroy(fs);
	lfs_groups_destroy(fs);
	roaring_bitmap_free(fs->free_inos);
	roaring_bitmap_free(fs->orphans);
	free(fs);
}

static int memory_init(struct lfs *fs)
{
	int err;

	fs->free_inos = roaring_bitmap_create();
	fs->orphans = roaring_bitmap_create();
	if (!fs->free_inos || !fs->orphans)
		return -ENOMEM;
	err = lfs_cache_init(&fs->cache, fs->opt.cap_bytes * 3 / 8 / LFS_BLOCK);
	if (!err)
		err = lfs_icache_init(fs);
	if (!err)
		err = lfs_log_init(fs);
	return err ? err : pools_init(fs);
}

static int numbers_init(struct lfs *fs, const struct lfs_cp_disk *cp)
{
	fs->next_ino = lfs_from64(cp->next_ino);
	fs->next_generation = lfs_from64(cp->next_generation);
	fs->next_vaddr = lfs_from64(cp->next_vaddr);
	fs->inodes = lfs_from64(cp->inodes);
	fs->cp_sequence = lfs_from64(cp->sequence);
	fs->epoch = lfs_from64(cp->epoch);
	atomic_store(&fs->durable, lfs_from64(cp->chunk_seq) - 1);
	fs->head[LFS_HEAD_HOT].seq = lfs_from64(cp->chunk_seq);
	return fs->next_ino < LFS_FIRST_INO || fs->next_ino > (uint64_t)UINT32_MAX + 1 ? -EUCLEAN :
											 0;
}

static void reap_orphans(struct lfs *fs)
{
	uint64_t n = roaring_bitmap_get_cardinality(fs->orphans);
	uint32_t *numbers = malloc((n + 1) * sizeof(*numbers));

	if (!numbers)
		return;
	roaring_bitmap_to_uint32_array(fs->orphans, numbers);
	for (uint64_t i = 0; i < n; i++)
		if (lfs_orphan_reap(fs, numbers[i]) == -ESTALE) {
			roaring_bitmap_remove(fs->orphans, numbers[i]);
			fs->orphans_dirty = true;
		}
	free(numbers);
}

/* Never the one before; the same again if everything is the same again, so that a test can be replayed. */
static uint64_t next_epoch(struct lfs *fs)
{
	struct lfs_time now = lfs_now(fs);
	uint64_t words[6] = { 0, fs->epoch, fs->cp_sequence, (uint64_t)now.sec, now.nsec };

	return lfs_csum_fixed(words, sizeof(words), 0, 0);
}

/* What recovery found becomes a checkpoint with an epoch of its own, and the chain begins anew. */
static int begin_writing(struct lfs *fs)
{
	int err = 0;

	for (const struct lfs_tail *t = fs->tails; t && !err; t = t->next)
		err = lfs_tail_write(fs, t);
	fs->epoch = next_epoch(fs);
	if (!err)
		err = lfs_log_open_hot(fs);
	if (!err)
		err = lfs_checkpoint_locked(fs, false);
	while (!err && fs->tails) {
		struct lfs_tail *t = fs->tails;

		fs->tails = t->next;
		free(t);
	}
	return err;
}

/*
 * Before anything is placed: a checkpoint like the last one, but for the numbers of segments, which go on behind all that
 * a run which crashed since may have given out (at most one for each segment: none is used twice between
 * checkpoints). So no two uses of a segment ever have the same number, however often recovery is cut short.
 */
static void skip_numbers(struct lfs *fs, struct lfs_cp_disk *cp)
{
	cp->next_segment_seq = lfs_to64(lfs_from64(cp->next_segment_seq) + fs->geo.nsegs + 1);
	cp->sequence = lfs_to64(lfs_from64(cp->sequence) + 1);
}

/**
 * lfs_go_writable() - A filesystem mounted read-only, in memory as recovery (or a repair) left it, goes on as a writable
 * one. Context: mount.
 */
int lfs_go_writable(struct lfs *fs)
{
	struct lfs_cp_disk cp;
	int err = lfs_cp_read(fs->dev, &cp, &fs->cp_region, fs->geo.blocks);

	if (err)
		return err;
	fs->opt.read_only = fs->memory_only = false;
	skip_numbers(fs, &cp);
	err = lfs_cp_write(fs, &cp);
	if (!err)
		err = lfs_log_write_memory(fs);
	if (!err)
		err = begin_writing(fs);
	if (!err)
		reap_orphans(fs);
	return err;
}

static int start(struct lfs *fs, struct lfs_cp_disk *cp)
{
	struct lfs_chain *chain = NULL;
	int err = memory_init(fs);

	skip_numbers(fs, cp);
	if (!err && !fs->opt.read_only)
		err = lfs_cp_write(fs, cp);
	if (!err)
		err = numbers_init(fs, cp);
	if (!err)
		err = lfs_groups_init(fs, cp);
	if (!err)
		err = lfs_recover_scan(fs, cp, &chain);
	if (!err)
		err = system_maps_open(fs, cp);
	if (!err)
		err = lfs_orphans_load(fs);
	if (!err)
		err = lfs_recover_replay(fs, chain);
	lfs_recover_free(chain);
	if (!err && !fs->opt.read_only) {
		err = begin_writing(fs);
		if (!err)
			reap_orphans(fs);
	}
	fs->commit_time_ms = fs->cp_time_ms = lfs_monotonic_ms();
	return err;
}

static int read_disk(struct lfs *fs, struct lfs_cp_disk *cp)
{
	const char *why = NULL;
	int err = lfs_super_read(fs->dev, &fs->super, &why);

	if (!err)
		err = lfs_super_geometry(&fs->super, &fs->geo);
	if (err == -EUCLEAN)
		why = "the superblock makes no sense";
	if (!err && fs->geo.blocks * LFS_BLOCK > fs->dev->size_bytes) {
		lfs_log(fs, LFS_LOG_ERROR,
			"truncated: the filesystem has %llu bytes, the device %llu",
			(unsigned long long)(fs->geo.blocks * LFS_BLOCK),
			(unsigned long long)fs->dev->size_bytes);
		return -ENOSPC;
	}
	if (!err) {
		err = lfs_cp_read(fs->dev, cp, &fs->cp_region, fs->geo.blocks);
		why = "both checkpoints are damaged";
	}
	if (err)
		lfs_log(fs, LFS_LOG_ERROR, "cannot mount: %s", why);
	return err;
}

int lfs_mount(struct lfs_bdev *dev, const struct lfs_mount_options *opt, struct lfs **out)
{
	struct lfs *fs = calloc(1, sizeof(*fs));
	struct lfs_cp_disk cp;
	int err;

	if (!fs)
		return -ENOMEM;
	fs->dev = dev;
	if (opt)
		fs->opt = *opt;
	if (!fs->opt.cap_bytes)
		fs->opt.cap_bytes = LFS_DEFAULT_CAP;
	if (fs->opt.cap_bytes < CAP_MIN)
		fs->opt.cap_bytes = CAP_MIN;
	if (!fs->opt.commit_ms)
		fs->opt.commit_ms = COMMIT_MS;
	if (dev->read_only && !fs->opt.read_only) {
		lfs_log(fs, LFS_LOG_ERROR, "the device is read-only: mount read-only");
		free(fs);
		return -EROFS;
	}
	fs->memory_only = fs->opt.read_only;
	err = read_disk(fs, &cp);
	if (err) {
		free(fs);
		return err;
	}
	locks_init(fs);
	err = start(fs, &cp);
	if (err == -EROFS && atomic_load(&fs->error))
		err = atomic_load(&fs->error); /* why it is read-only so soon */
	if (err) {
		lfs_log(fs, LFS_LOG_ERROR, "cannot mount: %s", strerror(-err));
		teardown(fs);
		return err;
	}
	*out = fs;
	return 0;
}

int lfs_unmount(struct lfs *fs)
{
	int err = lfs_writable(fs);

	if (fs->opt.read_only)
		err = 0;
	else if (!err)
		err = lfs_checkpoint_locked(fs, true);
	if (!err && !fs->opt.read_only)
		err = lfs_dev_flush(fs);
	if (err == -EROFS)
		err = -EIO;
	teardown(fs);
	return lfs_errno(err);
}

void lfs_abort(struct lfs *fs)
{
	teardown(fs);
}

/* ---- Keeping going ---------------------------------------------------------------------------------------------------- */

/** lfs_shrink() - Give memory back until the caches are within their shares. */
void lfs_shrink(struct lfs *fs)
{
	uint64_t maps = atomic_load(&fs->icache.open_maps), limit = fs->icache.limit;

	/* An open map stands for a few dozen KiB: so many inodes with maps may stay. */
	if (maps * (64 << 10) > fs->opt.cap_bytes / 4)
		limit = fs->icache.count / 2;
	if (atomic_load(&fs->icache.count) > limit) {
		pthread_rwlock_rdlock(&fs->op_lock);
		lfs_icache_shrink(fs, limit);
		pthread_rwlock_unlock(&fs->op_lock);
	}
	lfs_cache_shrink(&fs->cache, fs->cache.limit);
}

int lfs_sync(struct lfs *fs)
{
	int err = lfs_writable(fs);

	if (fs->opt.read_only)
		return 0;
	if (!err)
		err = lfs_log_commit(fs, atomic_load(&fs->last_seq));
	fs->commit_time_ms = lfs_monotonic_ms();
	return err == -EROFS ? -EIO : lfs_errno(err);
}

static int tick_clean(struct lfs *fs, bool idle)
{
	int n = 0;

	pthread_mutex_lock(&fs->gc_lock);
	if (lfs_is_low(fs) || idle)
		n = lfs_gc_run(fs, lfs_clean_batch(fs), false);
	pthread_mutex_unlock(&fs->gc_lock);
	return n;
}

int lfs_tick(struct lfs *fs, bool idle)
{
	uint64_t now = lfs_monotonic_ms();
	int err = 0, cleaned = 0;

	lfs_shrink(fs);
	if (fs->opt.read_only || lfs_writable(fs))
		return (int)fs->opt.commit_ms;
	if (now - fs->commit_time_ms >= fs->opt.commit_ms)
		err = lfs_sync(fs);
	if (!err && lfs_is_low(fs)) {
		cleaned = tick_clean(fs, idle);
		err = cleaned < 0 && cleaned != -ENOSPC ? cleaned : 0;
	}
	if (!err && (cleaned > 0 || (atomic_load(&fs->emitted) != fs->cp_emitted &&
				     now - fs->cp_time_ms >= CHECKPOINT_MS)))
		err = lfs_checkpoint(fs);
	if (err)
		return lfs_errno(err);
	return cleaned > 0 ? 0 : (int)fs->opt.commit_ms / 5;
}

/* ---- Size -------------------------------------------------------------------------------------------------------------- */

int lfs_grow(struct lfs *fs, uint64_t size_bytes)
{
	uint64_t blocks;
	int err = lfs_writable(fs);

	if (err)
		return err;
	if (!size_bytes)
		size_bytes = fs->dev->size_bytes & ~(uint64_t)(LFS_BLOCK - 1);
	blocks = size_bytes / LFS_BLOCK;
	if (size_bytes % LFS_BLOCK || blocks < fs->geo.blocks)
		return -EINVAL;
	if (size_bytes > fs->dev->size_bytes)
		return -ENOSPC;
	pthread_rwlock_wrlock(&fs->op_lock);
	err = lfs_groups_grow(fs, blocks);
	if (!err) {
		fs->super.blocks = lfs_to64(blocks);
		fs->super.generation = lfs_to64(lfs_from64(fs->super.generation) + 1);
		err = lfs_super_write(fs->dev, &fs->super); /* before anything is placed there */
	}
	if (!err)
		err = lfs_checkpoint_locked(fs, false);
	pthread_rwlock_unlock(&fs->op_lock);
	return lfs_errno(err);
}

int lfs_trim(struct lfs *fs, uint64_t start, uint64_t len, uint64_t min_len, uint64_t *trimmed)
{
	uint64_t seg_bytes = (uint64_t)fs->geo.seg_blocks * LFS_BLOCK;
	uint64_t first = (start + seg_bytes - 1) / seg_bytes;
	uint64_t end = len > fs->geo.nsegs * seg_bytes - start ? fs->geo.nsegs :
								 (start + len) / seg_bytes;
	int err = lfs_writable(fs);

	*trimmed = 0;
	if (!fs->dev->ops->discard)
		return -EOPNOTSUPP;
	if (start >= fs->geo.nsegs * seg_bytes)
		return -EINVAL;
	for (uint64_t seg = first; seg < end && !err && min_len <= seg_bytes; seg++) {
		struct lfs_seg s;
		uint64_t skip = (uint64_t)lfs_seg_first(&fs->geo, seg) * LFS_BLOCK;

		pthread_mutex_lock(&fs->alloc_lock); /* so that nobody takes it meanwhile */
		err = lfs_group_load(fs, (uint32_t)(seg / fs->geo.segs_per_group));
		if (!err)
			s = fs->groups[seg / fs->geo.segs_per_group]
				    .seg[seg % fs->geo.segs_per_group];
		if (!err && s.state == LFS_SEG_FREE) {
			err = fs->dev->ops->discard(fs->dev, seg * seg_bytes + skip,
						    seg_bytes - skip);
			*trimmed += err ? 0 : seg_bytes - skip;
		}
		pthread_mutex_unlock(&fs->alloc_lock);
	}
	return err;
}
