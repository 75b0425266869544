/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The map of a file: block of the file -> block on disk, as runs with step 1.
 *
 * Up to LFS_INODE_RUNS runs stand in the inode itself; a map that outgrows them becomes a lindex in pages (pindex.c).
 * Tags: a plain run's value is a place on disk, a shared one's a shared address (shared.c), an unwritten one has
 * no blocks yet, only the right to them.
 *
 *   M1  Runs do not overlap, and neighbours that make one run are one: lindex's own rule, kept inline too.
 *   M2  inode.blocks is the number of blocks that runs below LFS_XATTR_LBN cover.
 *   M3  What leaves a map is freed by the same call, after the map has changed.
 *
 * Context: inode.lock: shared for lookup and next, exclusive for the rest.
 */
#include "internal.h"

#include <stdlib.h>
#include <time.h>

#define STEP_RUNS 256u /* runs that one step of a wide change takes up */

static uint64_t run_len(const struct lindex_run *run)
{
	return run->last - run->first + 1;
}

/* The part of @run inside [first, last]. */
static struct lindex_run clip(const struct lindex_run *run, uint64_t first, uint64_t last)
{
	struct lindex_run out = *run;

	if (out.first < first) {
		out.value = lindex_value(run, first);
		out.first = first;
	}
	if (out.last > last)
		out.last = last;
	return out;
}

/* ---- Inline -------------------------------------------------------------------------------------------- */

static int inline_lookup(const struct lfs_map *map, uint64_t key, struct lindex_run *run)
{
	uint64_t first = 0;
	uint32_t i;

	for (i = 0; i < map->nruns && map->runs[i].last < key; i++)
		first = map->runs[i].last + 1;
	if (i < map->nruns && map->runs[i].first <= key) {
		*run = map->runs[i];
		run->mapped = 1;
		return 0;
	}
	memset(run, 0, sizeof(*run));
	run->first = first;
	run->last = i < map->nruns ? map->runs[i].first - 1 : UINT64_MAX;
	return -ENOENT;
}

static bool joins(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->last + 1 == b->first && a->tag == b->tag && a->step == b->step &&
	       lindex_value(a, a->last) + a->step == b->value;
}

static void push(struct lindex_run *runs, uint32_t *n, const struct lindex_run *run)
{
	if (*n && joins(&runs[*n - 1], run))
		runs[*n - 1].last = run->last;
	else
		runs[(*n)++] = *run;
}

/* What the inline runs become when [first, last] is cleared and @run (or nothing) put there: at most 2 more. */
static uint32_t inline_change(const struct lfs_map *map, uint64_t first, uint64_t last,
			      const struct lindex_run *run, struct lindex_run *out)
{
	uint32_t n = 0, i;

	for (i = 0; i < map->nruns; i++) {
		if (map->runs[i].first < first) {
			struct lindex_run left = clip(&map->runs[i], 0, first - 1);

			push(out, &n, &left);
		}
	}
	if (run)
		push(out, &n, run);
	for (i = 0; i < map->nruns; i++) {
		if (map->runs[i].last > last) {
			struct lindex_run right = clip(&map->runs[i], last + 1, UINT64_MAX);

			push(out, &n, &right);
		}
	}
	return n;
}

/* ---- In pages --------------------------------------------------------------------------------------------- */

/* The index, opened when first needed. Readers may race for it. */
static int paged_get(struct lfs *fs, struct lfs_inode *inode, struct lfs_pindex **out)
{
	struct lfs_pindex *pi = __atomic_load_n(&inode->map.pi, __ATOMIC_ACQUIRE);
	struct lfs_map_id id = { inode->ino, LFS_WHICH_BLOCKS };
	int err = 0;

	if (!pi) {
		pthread_mutex_lock(&fs->open_lock);
		pi = inode->map.pi;
		if (!pi)
			err = lfs_pindex_open(fs, id, inode->map_root, &pi);
		if (!err)
			__atomic_store_n(&inode->map.pi, pi, __ATOMIC_RELEASE);
		pthread_mutex_unlock(&fs->open_lock);
	}
	*out = pi;
	return err;
}

static int outgrow(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *runs,
		   uint32_t n)
{
	struct lfs_map_id id = { inode->ino, LFS_WHICH_BLOCKS };
	struct lfs_pindex *pi;
	int err = lfs_pindex_open(fs, id, 0, &pi);

	if (err)
		return err;
	err = lfs_pindex_build(pi, runs, n);
	if (err) {
		lfs_pindex_close(pi);
		return err;
	}
	inode->map.nruns = 0;
	inode->map_root = 0;
	inode->flags |= LFS_DI_PAGED;
	__atomic_store_n(&inode->map.pi, pi, __ATOMIC_RELEASE);
	return 0;
}

/** lfs_partly() - @err came when a change was partly done: no record can say so, so nothing more may reach the disk. */
int lfs_partly(struct lfs *fs, int err)
{
	if (err == -ENOMEM)
		lfs_fail(fs, err, "a change");
	return err;
}

/* Nothing is left: back into the inode. */
static int shrink_empty(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_pindex *pi;
	struct lindex_run run;
	int err;

	if (!(inode->flags & LFS_DI_PAGED))
		return 0;
	err = paged_get(fs, inode, &pi);
	if (!err)
		err = lfs_pindex_next(pi, 0, &run);
	if (err != -ENOENT)
		return err == -ENOMEM ? 0 : err; /* another time: it is empty as it is */
	inode->map.pi = NULL;
	inode->map_root = 0;
	inode->map.nruns = 0;
	inode->flags = (uint16_t)(inode->flags & ~LFS_DI_PAGED);
	return lfs_partly(fs, lfs_pindex_destroy(pi));
}

/** lfs_map_index() - The lindex of one of the inode's maps, NULL: it has none. */
int lfs_map_index(struct lfs *fs, struct lfs_inode *inode, uint32_t which, struct lfs_pindex **pi)
{
	*pi = NULL;
	if (which == LFS_WHICH_NAMES)
		return lfs_dir_names(fs, inode, pi);
	return inode->flags & LFS_DI_PAGED ? paged_get(fs, inode, pi) : 0;
}

/* ---- Queries ------------------------------------------------------------------------------------------------ */

static int lookup(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, struct lindex_run *run)
{
	struct lfs_pindex *pi;
	int err;

	if (!(inode->flags & LFS_DI_PAGED))
		return inline_lookup(&inode->map, lbn, run);
	err = paged_get(fs, inode, &pi);
	return err ? err : lfs_pindex_lookup(pi, lbn, run);
}

/**
 * lfs_map_lookup() - Where a file block is found on disk.
 * @run: The whole run around @lbn, or on -ENOENT the whole hole.
 *
 * Return: 0, -ENOENT, errors of reading the map.
 */
int lfs_map_lookup(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, struct lindex_run *run)
{
	uint64_t n = atomic_fetch_add_explicit(&fs->count.lookups, 1, memory_order_relaxed);
	struct timespec before, after;
	int err;

	if (n % 64) /* time is taken of one in 64 */
		return lookup(fs, inode, lbn, run);
	clock_gettime(CLOCK_MONOTONIC, &before);
	err = lookup(fs, inode, lbn, run);
	clock_gettime(CLOCK_MONOTONIC, &after);
	fs->count.lookup_ns += 64 * ((uint64_t)(after.tv_sec - before.tv_sec) * 1000000000u +
				     (uint64_t)after.tv_nsec - (uint64_t)before.tv_nsec);
	return err;
}

/** lfs_map_next() - The first run that ends at or after @lbn. -ENOENT. */
int lfs_map_next(struct lfs *fs, struct lfs_inode *inode, uint64_t lbn, struct lindex_run *run)
{
	struct lfs_pindex *pi;
	int err;

	if (inode->flags & LFS_DI_PAGED) {
		err = paged_get(fs, inode, &pi);
		return err ? err : lfs_pindex_next(pi, lbn, run);
	}
	for (uint32_t i = 0; i < inode->map.nruns; i++) {
		if (inode->map.runs[i].last >= lbn) {
			*run = inode->map.runs[i];
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- Changes ---------------------------------------------------------------------------------------------------- */

/* Store @run, or clear [first, last] if it is NULL. */
static int change(struct lfs *fs, struct lfs_inode *inode, uint64_t first, uint64_t last,
		  const struct lindex_run *run)
{
	struct lindex_run out[LFS_INODE_RUNS + 3];
	struct lfs_pindex *pi;
	uint32_t n;
	int err;

	atomic_fetch_add_explicit(&fs->count.updates, 1, memory_order_relaxed);
	inode->dirty = true;
	if (inode->flags & LFS_DI_PAGED) {
		err = paged_get(fs, inode, &pi);
		if (err)
			return err;
		return run ? lfs_pindex_insert(pi, run) : lfs_pindex_remove(pi, first, last);
	}
	n = inline_change(&inode->map, first, last, run, out);
	if (n > LFS_INODE_RUNS)
		return outgrow(fs, inode, out, n);
	memcpy(inode->map.runs, out, n * sizeof(*out));
	inode->map.nruns = n;
	return 0;
}

/* Runs in [first, last], clipped, up to @room of them; *end: the last block looked at. */
static int collect(struct lfs *fs, struct lfs_inode *inode, uint64_t first, uint64_t last,
		   struct lindex_run *runs, uint32_t room, uint32_t *n, uint64_t *end)
{
	uint64_t at = first;
	int err = 0;

	*n = 0;
	*end = last;
	while (!err && at <= last) {
		struct lindex_run run;

		err = lfs_map_next(fs, inode, at, &run);
		if (err || run.first > last)
			break;
		if (*n == room) {
			*end = at - 1;
			break;
		}
		runs[(*n)++] = clip(&run, at, last);
		if (run.last >= last)
			break;
		at = run.last + 1;
	}
	return err == -ENOENT ? 0 : err;
}

static void count_blocks(struct lfs_inode *inode, const struct lindex_run *run, bool gone)
{
	if (run->first >= LFS_XATTR_LBN)
		return;
	inode->blocks = gone ? inode->blocks - run_len(run) : inode->blocks + run_len(run);
}

static void count_reserved(struct lfs *fs, const struct lindex_run *run, bool gone)
{
	if (run->tag != LFS_TAG_UNWRITTEN)
		return;
	pthread_mutex_lock(&fs->alloc_lock);
	fs->nreserved = gone ? fs->nreserved - run_len(run) : fs->nreserved + run_len(run);
	pthread_mutex_unlock(&fs->alloc_lock);
}

/** lfs_map_free_runs() - What these runs named is not needed by their map any more. */
int lfs_map_free_runs(struct lfs *fs, const struct lindex_run *runs, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		int e = 0;

		if (runs[i].tag == LFS_TAG_PLAIN)
			e = lfs_live_remove(fs, runs[i].value, run_len(&runs[i]));
		else if (runs[i].tag == LFS_TAG_SHARED)
			e = lfs_shared_unref(fs, runs[i].value, run_len(&runs[i]));
		else
			count_reserved(fs, &runs[i], true);
		err = err ? err : e;
	}
	return err;
}

/* One step of a change: [first, *end] of [first, last], as far as the runs there fit. */
static int step(struct lfs *fs, struct lfs_inode *inode, uint64_t first, uint64_t last,
		const struct lindex_run *run, uint64_t *end)
{
	struct lindex_run *old = malloc(STEP_RUNS * sizeof(*old)), piece;
	uint32_t n = 0;
	int err = old ? 0 : -ENOMEM;

	if (!err)
		err = collect(fs, inode, first, last, old, STEP_RUNS, &n, end);
	if (!err && run)
		piece = clip(run, first, *end);
	if (!err && (run || n))
		err = change(fs, inode, first, *end, run ? &piece : NULL);
	if (!err) {
		for (uint32_t i = 0; i < n; i++)
			count_blocks(inode, &old[i], true);
		if (run) {
			count_blocks(inode, &piece, false);
			count_reserved(fs, &piece, false);
		}
		err = lfs_partly(fs, lfs_map_free_runs(fs, old, n));
	}
	free(old);
	return err;
}

/** lfs_map_swap() - Store @run; what was there is freed. */
int lfs_map_swap(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run)
{
	uint64_t at = run->first, end = 0;
	int err = 0;

	while (at <= run->last) {
		err = step(fs, inode, at, run->last, run, &end);
		if (err)
			return at > run->first ? lfs_partly(fs, err) : err;
		at = end + 1;
	}
	return 0;
}

/** lfs_map_clear() - Nothing is mapped in [first, last] afterwards; what was there is freed. */
int lfs_map_clear(struct lfs *fs, struct lfs_inode *inode, uint64_t first, uint64_t last)
{
	uint64_t at = first, end = 0;
	int err;

	while (at <= last) {
		err = step(fs, inode, at, last, NULL, &end);
		if (err)
			return at > first ? lfs_partly(fs, err) : err;
		if (end == UINT64_MAX)
			break;
		at = end + 1;
	}
	return shrink_empty(fs, inode);
}

/** lfs_map_set() - Store @run over what is there without freeing that: it moved, it did not go. */
int lfs_map_set(struct lfs *fs, struct lfs_inode *inode, const struct lindex_run *run)
{
	return change(fs, inode, run->first, run->last, run);
}

/** lfs_map_shift() - Runs from @from on (below the extended attributes) move by @by blocks. Cost: all of them. */
int lfs_map_shift(struct lfs *fs, struct lfs_inode *inode, uint64_t from, int64_t by)
{
	struct lindex_run *runs = NULL, run;
	size_t n = 0, room = 0;
	uint64_t at = from;
	int err;

	while (!(err = lfs_map_next(fs, inode, at, &run)) && run.first < LFS_XATTR_LBN) {
		if (n == room) {
			struct lindex_run *more;

			room = room ? room * 2 : 64;
			more = realloc(runs, room * sizeof(*runs));
			if (!more) {
				free(runs);
				return -ENOMEM;
			}
			runs = more;
		}
		runs[n++] = clip(&run, at, LFS_XATTR_LBN - 1);
		at = run.last + 1;
	}
	if (err == -ENOENT)
		err = 0;
	if (!err && n)
		err = change(fs, inode, from, LFS_XATTR_LBN - 1, NULL);
	for (size_t i = 0; i < n && !err; i++) {
		/* The log says whose a block is by its number in the file: it changes, so that must not matter. */
		if (runs[i].tag == LFS_TAG_PLAIN) {
			err = lfs_shared_make(fs, runs[i].value, run_len(&runs[i]), &runs[i].value);
			runs[i].tag = LFS_TAG_SHARED;
		}
		if (err)
			break;
		runs[i].first += (uint64_t)by;
		runs[i].last += (uint64_t)by;
		err = change(fs, inode, runs[i].first, runs[i].last, &runs[i]);
	}
	free(runs);
	return err;
}
