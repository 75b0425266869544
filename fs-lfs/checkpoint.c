/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A checkpoint: everything that is only in memory goes into the log, then one block says where it all begins.
 *
 *   C1  While it runs nothing changes (op_lock exclusive). Reads go on.
 *   C2  Order: dirty directory blocks, orphans, maps of inodes, inode table, maps of the filesystem; each may make
 *       something later dirty, never earlier.
 *   C3  All of that is durable before the checkpoint block is written; the block is durable before a segment that
 *       only the old checkpoint needs is used again.
 *   C4  The chain of the hot head goes on through it: what recovery follows begins where the checkpoint says.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>

static int flush_dirs(struct lfs *fs)
{
	struct lfs_cblk **list;
	size_t n = lfs_cache_dirty_list(&fs->cache, LFS_CACHE_FILE(0), &list);
	int err = 0;

	if (n == SIZE_MAX)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		err = lfs_dir_flush_block(fs, list[i]);
	free(list);
	return err;
}

/* ---- Orphans: inodes without names, listed in a hidden file ------------------------------------------------ */

static int orphans_inode(struct lfs *fs, struct lfs_inode **inode)
{
	int err = lfs_iget(fs, LFS_ORPHANS_INO, inode);

	if (err != -ESTALE)
		return err;
	err = lfs_inew(fs, LFS_ORPHANS_INO, inode);
	if (!err) {
		(*inode)->mode = S_IFREG;
		(*inode)->nlink = 1;
		pthread_rwlock_unlock(
			&(*inode)->lock); /* this is a checkpoint: nothing else changes it */
	}
	return err;
}

static int orphans_write(struct lfs *fs, struct lfs_inode *inode, const uint32_t *numbers,
			 uint64_t count)
{
	struct lfs_map_id id = { LFS_ORPHANS_INO, LFS_WHICH_BLOCKS };
	uint64_t blocks = (count * 4 + LFS_BLOCK - 1) / LFS_BLOCK, done = 0, got = 0;
	int err = lfs_map_clear(fs, inode, blocks, LFS_XATTR_LBN - 1);

	while (done < blocks && !err) {
		struct lindex_run run = { .first = done, .step = 1 };

		err = lfs_log_place(fs, LFS_HEAD_META, lfs_owner(LFS_KIND_DATA, id), done,
				    blocks - done, numbers + done * (LFS_BLOCK / 4), &run.value,
				    &got);
		run.last = done + got - 1;
		if (!err)
			err = lfs_map_swap(fs, inode, &run);
		done += got;
	}
	inode->size = count * 4;
	inode->dirty = true;
	return err;
}

static int flush_orphans(struct lfs *fs)
{
	uint64_t count = roaring_bitmap_get_cardinality(fs->orphans);
	uint32_t *numbers;
	struct lfs_inode *inode;
	int err;

	if (!fs->orphans_dirty || LFS_PLANTED(ORPHAN_LOST))
		return 0;
	numbers = calloc(count * 4 / LFS_BLOCK + 1, LFS_BLOCK);
	if (!numbers)
		return -ENOMEM;
	roaring_bitmap_to_uint32_array(fs->orphans, numbers);
	for (uint64_t i = 0; i < count; i++)
		numbers[i] = lfs_to32(numbers[i]);
	err = orphans_inode(fs, &inode);
	if (!err) {
		err = orphans_write(fs, inode, numbers, count);
		lfs_iput(fs, inode);
	}
	free(numbers);
	if (!err)
		fs->orphans_dirty = false;
	return err;
}

/** lfs_orphans_load() - As the checkpoint has them. */
int lfs_orphans_load(struct lfs *fs)
{
	struct lfs_inode *inode;
	uint32_t numbers[LFS_BLOCK / 4];
	int err = lfs_iget(fs, LFS_ORPHANS_INO, &inode);

	if (err)
		return err == -ESTALE ? 0 : err;
	for (uint64_t at = 0; at < inode->size && !err; at += LFS_BLOCK) {
		err = lfs_file_read_block(fs, inode, at / LFS_BLOCK, numbers);
		for (uint64_t i = 0; !err && i < LFS_BLOCK / 4 && at + i * 4 < inode->size; i++)
			roaring_bitmap_add(fs->orphans, lfs_from32(numbers[i]));
	}
	lfs_iput(fs, inode);
	return err;
}

/* ---- The checkpoint itself ------------------------------------------------------------------------------------ */

static int flush_system_maps(struct lfs *fs)
{
	int err = 0;

	/* The inode map last: nothing below moves inodes. */
	for (int i = LFS_SYS_MAPS - 1; i >= 0 && !err; i--)
		err = lfs_pindex_flush(fs->sys[i]);
	return err;
}

/* C2. */
static int collect(struct lfs *fs)
{
	int err = flush_dirs(fs);

	if (!err)
		err = flush_orphans(fs);
	if (!err)
		err = lfs_inodes_flush(fs, true);
	if (!err)
		err = lfs_itable_flush(fs);
	if (!err)
		err = flush_system_maps(fs);
	return err;
}

static void fill(struct lfs *fs, struct lfs_cp_disk *cp, bool unmount)
{
	cp->sequence = lfs_to64(++fs->cp_sequence);
	cp->epoch = lfs_to64(fs->epoch);
	cp->flags = lfs_to32(unmount ? LFS_CP_CLEAN : 0);
	cp->time_sec = lfs_to64(lfs_now(fs).sec);
	lfs_log_positions(fs, cp);
	for (int i = 0; i < LFS_SYS_MAPS; i++)
		cp->sys_root[i] = lfs_to64(fs->sys[i]->root);
	pthread_mutex_lock(&fs->ino_lock);
	cp->next_ino = lfs_to64(fs->next_ino);
	cp->next_generation = lfs_to64(fs->next_generation);
	cp->inodes = lfs_to64(fs->inodes);
	cp->orphans = lfs_to64(roaring_bitmap_get_cardinality(fs->orphans));
	pthread_mutex_unlock(&fs->ino_lock);
	cp->next_vaddr = lfs_to64(fs->next_vaddr);
}

/* Everything in memory is on the device, not durable yet. */
static int write_all(struct lfs *fs, bool unmount)
{
	int err = lfs_log_seal(fs, LFS_HEAD_HOT, unmount);

	if (!err)
		err = collect(fs);
	for (uint32_t i = LFS_HEAD_COLD; i <= LFS_HEAD_META && !err; i++)
		err = lfs_log_seal(fs, i, unmount);
	if (!err)
		err = lfs_log_settle(fs);
	if (!err && unmount && fs->head[LFS_HEAD_HOT].next_seg != LFS_NO_SEGMENT) {
		lfs_seg_close(fs, fs->head[LFS_HEAD_HOT].next_seg);
		fs->head[LFS_HEAD_HOT].next_seg = LFS_NO_SEGMENT;
	}
	return err;
}

/**
 * lfs_checkpoint_locked() - Context: op_lock exclusive, or nobody else. @unmount: close the log.
 */
int lfs_checkpoint_locked(struct lfs *fs, bool unmount)
{
	uint64_t emitted = atomic_load(&fs->emitted);
	struct lfs_cp_disk cp;
	int err;

	memset(&cp, 0, sizeof(cp));
	err = write_all(fs, unmount);
	if (!err) {
		fill(fs, &cp, unmount);
		err = lfs_groups_snapshot(fs, fs->cp_sequence, &cp);
	}
	if (!err && !LFS_PLANTED(SKIP_CHECKPOINT_FLUSH))
		err = lfs_dev_flush(fs); /* C3: before the block that refers to it */
	if (!err)
		err = lfs_cp_write(fs, &cp); /* from here the checkpoint counts */
	if (err) {
		lfs_fail(fs, err, "checkpoint");
		return err;
	}
	lfs_groups_release(fs);
	if (atomic_load(&fs->durable) < fs->head[LFS_HEAD_HOT].seq - 1)
		atomic_store(&fs->durable, fs->head[LFS_HEAD_HOT].seq - 1);
	atomic_store(&fs->chain_blocks, 0);
	fs->cp_emitted = emitted;
	fs->cp_time_ms = lfs_monotonic_ms();
	fs->count.checkpoints++;
	return 0;
}

int lfs_checkpoint(struct lfs *fs)
{
	int err = lfs_writable(fs);

	if (err)
		return fs->opt.read_only ? 0 : err;
	pthread_rwlock_wrlock(&fs->op_lock);
	err = lfs_checkpoint_locked(fs, false);
	pthread_rwlock_unlock(&fs->op_lock);
	return lfs_errno(err);
}
