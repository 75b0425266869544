/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Blocks that belong to several files, or several times to one.
 *
 * A plain run of a file's map says where its blocks are on disk. When a range is cloned, its blocks get *shared
 * addresses*, which never change and are never used again; both maps then name these, with another tag. Three maps of
 * the filesystem, all lindex:
 *
 *   SHARED   shared address -> place on disk        read: one lookup more for shared blocks only
 *   REFS     shared address -> number of owners
 *   REVERSE  place on disk  -> shared address       so that the cleaner moves a block with one change, whoever owns it
 *
 * Ranges stay ranges: a file that is cloned as a whole is a few runs in each of the three.
 */
#include "internal.h"

static struct lindex_run run_of(uint64_t first, uint64_t n, uint64_t value, uint8_t step)
{
	return (struct lindex_run){
		.first = first, .last = first + n - 1, .value = value, .step = step
	};
}

/** lfs_shared_place() - Where the block at @vaddr is, as a run of shared addresses. -ENOENT. */
int lfs_shared_place(struct lfs *fs, uint64_t vaddr, struct lindex_run *run)
{
	int err;

	pthread_rwlock_rdlock(&fs->shared_lock);
	err = lfs_pindex_lookup(fs->sys[LFS_SYS_SHARED], vaddr, run);
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}

/** lfs_shared_count() - How many owners, as a run. -ENOENT. */
int lfs_shared_count(struct lfs *fs, uint64_t vaddr, struct lindex_run *run)
{
	int err;

	pthread_rwlock_rdlock(&fs->shared_lock);
	err = lfs_pindex_lookup(fs->sys[LFS_SYS_REFS], vaddr, run);
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}

/** lfs_shared_make() - Give plain blocks shared addresses, with one owner. */
int lfs_shared_make(struct lfs *fs, uint64_t daddr, uint64_t n, uint64_t *vaddr)
{
	struct lindex_run run;
	int err;

	pthread_rwlock_wrlock(&fs->shared_lock);
	*vaddr = fs->next_vaddr;
	fs->next_vaddr += n;
	run = run_of(*vaddr, n, daddr, 1);
	err = lfs_pindex_insert(fs->sys[LFS_SYS_SHARED], &run);
	if (!err) {
		run = run_of(*vaddr, n, 1, 0);
		err = lfs_partly(fs, lfs_pindex_insert(fs->sys[LFS_SYS_REFS], &run));
	}
	if (!err) {
		run = run_of(daddr, n, *vaddr, 1);
		err = lfs_partly(fs, lfs_pindex_insert(fs->sys[LFS_SYS_REVERSE], &run));
	}
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}

/* The part of REFS' run around @vaddr that is inside the next @n. */
static int count_piece(struct lfs *fs, uint64_t vaddr, uint64_t n, uint64_t *len, uint64_t *count)
{
	struct lindex_run run;
	int err = lfs_pindex_lookup(fs->sys[LFS_SYS_REFS], vaddr, &run);

	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	*len = run.last - vaddr + 1 < n ? run.last - vaddr + 1 : n;
	*count = run.value;
	return 0;
}

/** lfs_shared_ref() - One more owner of each. */
int lfs_shared_ref(struct lfs *fs, uint64_t vaddr, uint64_t n)
{
	uint64_t len = 0, count = 0;
	int err = 0;

	pthread_rwlock_wrlock(&fs->shared_lock);
	for (; n && !err; vaddr += len, n -= len) {
		struct lindex_run run;

		err = count_piece(fs, vaddr, n, &len, &count);
		if (err)
			break;
		run = run_of(vaddr, len, count + 1, 0);
		err = lfs_pindex_insert(fs->sys[LFS_SYS_REFS], &run);
	}
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}

/* The last owner has gone. */
static int release(struct lfs *fs, uint64_t vaddr, uint64_t n)
{
	uint64_t end = vaddr + n, at;
	struct lindex_run run;
	int err = 0;

	for (at = vaddr; at < end && !err;) {
		uint64_t daddr, len;

		err = lfs_pindex_lookup(fs->sys[LFS_SYS_SHARED], at, &run);
		if (err)
			return err == -ENOENT ? -EUCLEAN : err;
		daddr = lindex_value(&run, at);
		len = (run.last < end - 1 ? run.last : end - 1) - at + 1;
		err = lfs_pindex_remove(fs->sys[LFS_SYS_REVERSE], daddr, daddr + len - 1);
		if (!err)
			err = lfs_live_remove(fs, daddr, len);
		at += len;
	}
	if (!err)
		err = lfs_pindex_remove(fs->sys[LFS_SYS_SHARED], vaddr, end - 1);
	if (!err)
		err = lfs_pindex_remove(fs->sys[LFS_SYS_REFS], vaddr, end - 1);
	return err;
}

/** lfs_shared_unref() - One owner less of each; blocks without owners are freed. */
int lfs_shared_unref(struct lfs *fs, uint64_t vaddr, uint64_t n)
{
	uint64_t len = 0, count = 0;
	int err = 0;

	pthread_rwlock_wrlock(&fs->shared_lock);
	for (; n && !err; vaddr += len, n -= len) {
		struct lindex_run run;

		err = count_piece(fs, vaddr, n, &len, &count);
		if (err)
			break;
		if (count > 1) {
			run = run_of(vaddr, len, count - 1, 0);
			err = lfs_pindex_insert(fs->sys[LFS_SYS_REFS], &run);
		} else {
			err = release(fs, vaddr, len);
		}
	}
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}

/** lfs_shared_reverse() - The shared address of the block at @daddr. -ENOENT: it is not shared. */
int lfs_shared_reverse(struct lfs *fs, uint64_t daddr, uint64_t *vaddr)
{
	struct lindex_run run;
	int err;

	pthread_rwlock_rdlock(&fs->shared_lock);
	err = lfs_pindex_lookup(fs->sys[LFS_SYS_REVERSE], daddr, &run);
	pthread_rwlock_unlock(&fs->shared_lock);
	if (!err)
		*vaddr = lindex_value(&run, daddr);
	return err;
}

/**
 * lfs_shared_move() - The cleaner has copied the block at @vaddr. Return: 0; -ENOENT: it is not at @from any more.
 */
int lfs_shared_move(struct lfs *fs, uint64_t vaddr, uint64_t from, uint64_t to)
{
	struct lindex_run run;
	int err;

	pthread_rwlock_wrlock(&fs->shared_lock);
	err = lfs_pindex_lookup(fs->sys[LFS_SYS_SHARED], vaddr, &run);
	if (!err && lindex_value(&run, vaddr) != from)
		err = -ENOENT;
	if (!err) {
		run = run_of(vaddr, 1, to, 1);
		err = lfs_pindex_insert(fs->sys[LFS_SYS_SHARED], &run);
	}
	if (!err)
		err = lfs_pindex_remove(fs->sys[LFS_SYS_REVERSE], from, from);
	if (!err) {
		run = run_of(to, 1, vaddr, 1);
		err = lfs_pindex_insert(fs->sys[LFS_SYS_REVERSE], &run);
	}
	pthread_rwlock_unlock(&fs->shared_lock);
	return err;
}
