/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Figures: statfs, counters, what a map costs. */
#include "internal.h"

int lfs_statfs(struct lfs *fs, struct lfs_statfs *out)
{
	uint64_t all = lfs_capacity(&fs->geo), slack = lfs_slack_blocks(&fs->geo);

	out->avail = out->free = lfs_space_free(fs);
	out->blocks = all > slack ? all - slack : 0;
	pthread_mutex_lock(&fs->ino_lock);
	out->files = (uint64_t)UINT32_MAX;
	out->files_free = out->files - fs->inodes;
	pthread_mutex_unlock(&fs->ino_lock);
	return 0;
}

static void stats_space(struct lfs *fs, struct lfs_stats *out)
{
	pthread_mutex_lock(&fs->alloc_lock);
	out->blocks = fs->geo.blocks;
	out->live_blocks = fs->nlive;
	out->reserved_blocks = fs->nreserved;
	out->segments = fs->geo.nsegs;
	out->free_segments = fs->nfree;
	out->pending_segments = fs->nemptied;
	pthread_mutex_unlock(&fs->alloc_lock);
	pthread_mutex_lock(&fs->ino_lock);
	out->inodes = fs->inodes;
	pthread_mutex_unlock(&fs->ino_lock);
}

static void stats_memory(struct lfs *fs, struct lfs_stats *out)
{
	const struct lfs_segbuf *buf;

	out->cap_bytes = fs->opt.cap_bytes;
	out->cached_blocks = fs->cache.blocks;
	out->cache_bytes = fs->cache.blocks * (LFS_BLOCK + sizeof(struct lfs_cblk));
	out->cached_inodes = fs->icache.count;
	out->references = lfs_ref_total(fs);
	out->inode_bytes = fs->icache.count * sizeof(struct lfs_inode);
	out->open_maps = fs->icache.open_maps;
	for (uint32_t i = 0; i <= LFS_POOLS; i++) {
		pthread_mutex_lock(&fs->pool[i].lock);
		out->index_bytes += lindex_pool_bytes(fs->pool[i].pool);
		pthread_mutex_unlock(&fs->pool[i].lock);
	}
	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS; i++)
		out->inode_bytes += fs->icache.shard[i].refs_room * sizeof(uint64_t);
	pthread_rwlock_rdlock(&fs->segbuf_lock);
	for (buf = fs->segbufs; buf; buf = buf->next)
		out->buffer_bytes += (uint64_t)fs->geo.seg_blocks * LFS_BLOCK;
	pthread_rwlock_unlock(&fs->segbuf_lock);
	out->cache_hits = fs->cache.hits;
	out->cache_misses = fs->cache.misses;
}

void lfs_get_stats(struct lfs *fs, struct lfs_stats *out)
{
	const struct lfs_counters *c = &fs->count;

	memset(out, 0, sizeof(*out));
	stats_space(fs, out);
	stats_memory(fs, out);
	out->user_blocks_written = c->user_blocks;
	out->device_blocks_written = c->device_written;
	out->device_blocks_read = c->device_read;
	out->journal_blocks = c->journal_blocks;
	out->meta_blocks = c->meta_blocks;
	out->cleaner_blocks = c->cleaner_blocks;
	out->flushes = c->flushes;
	out->commits = c->commits;
	out->checkpoints = c->checkpoints;
	out->segments_cleaned = c->cleaned;
	out->cleaner_blocks_read = c->cleaner_read;
	out->map_lookups = c->lookups;
	out->map_lookup_ns = c->lookup_ns;
	out->map_updates = c->updates;
	out->checksum_errors = c->csum_errors;
	out->read_errors = c->read_errors;
	out->healed = c->healed;
}

static int count_place(void *ctx, uint64_t daddr)
{
	(void)daddr;
	*(uint64_t *)ctx += LFS_BLOCK;
	return 0;
}

static int map_stats(struct lfs *fs, struct lfs_inode *inode, struct lfs_map_stats *out)
{
	struct lindex_stats ix;
	struct lfs_pindex *pi;
	struct lindex_run run;
	uint64_t at = 0;
	int err;

	while (!(err = lfs_map_next(fs, inode, at, &run)) && run.first < LFS_XATTR_LBN) {
		out->extents++;
		out->blocks += run.last - run.first + 1;
		at = run.last + 1;
	}
	if (err && err != -ENOENT)
		return err;
	err = lfs_map_index(fs, inode, LFS_WHICH_BLOCKS, &pi);
	out->is_inline = !pi;
	if (err || !pi)
		return err;
	err = lfs_pindex_places(pi, count_place, &out->disk_bytes);
	lfs_pindex_stats(pi, &ix);
	out->memory_bytes = ix.resident_pages * (LFS_BLOCK + 64);
	out->nodes = ix.nodes;
	out->depth = ix.depth;
	out->window = ix.window;
	return err;
}

int lfs_get_map_stats(struct lfs *fs, lfs_ino_t ino, struct lfs_map_stats *out)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	memset(out, 0, sizeof(*out));
	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&inode->lock);
	err = map_stats(fs, inode, out);
	lfs_file_put(fs, inode);
	return lfs_errno(err);
}
