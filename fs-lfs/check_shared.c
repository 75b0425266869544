/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Blocks with several owners: the three maps of shared.c against each other, and against the owners counted.
 *
 *   Every shared address has one place, every such place one address, and REFS says how many runs of files name it.
 *   Owners are counted by place, which has 32 bits, in a tally.
 */
#include "checker.h"

static struct lfs_pindex *sys(const struct lfs_checker *ck, uint32_t which)
{
	return ck->fs->sys[which];
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/** lfs_check_share_owned() - A run of inode @ino names these shared addresses. */
int lfs_check_share_owned(struct lfs_checker *ck, uint32_t ino, uint64_t vaddr, uint64_t n)
{
	while (n) {
		struct lindex_run run;
		uint64_t k, place;
		int err;

		ck->last[0] = 0;
		err = lfs_pindex_lookup(sys(ck, LFS_SYS_SHARED), vaddr, &run);
		if (err && err != -ENOENT)
			return lfs_found_err(ck, err, "inode %u: its shared block %llu", ino,
					     (unsigned long long)vaddr) ?
				       0 :
				       err;
		k = least(run.last - vaddr, n - 1) + 1;
		place = err ? 0 : lindex_value(&run, vaddr);
		if (err)
			lfs_found(ck, false,
				  "inode %u: its shared blocks %llu to %llu have no place on disk",
				  ino, (unsigned long long)vaddr,
				  (unsigned long long)(vaddr + k - 1));
		else if (place + k <= ck->fs->geo.blocks)
			lfs_tally_add(&ck->owners, (uint32_t)place, k);
		vaddr += k;
		n -= k;
	}
	return 0;
}

/** lfs_check_shared() - The places of shared blocks are used, each by one address. */
int lfs_check_shared(struct lfs_checker *ck)
{
	struct lindex_run run;
	uint64_t at = 0;
	int err;

	for (;;) {
		ck->last[0] = 0;
		err = lfs_pindex_next(sys(ck, LFS_SYS_SHARED), at, &run);
		if (err)
			break;
		if (!run.step && run.first != run.last)
			lfs_found(ck, false, "shared blocks %llu to %llu have one place",
				  (unsigned long long)run.first, (unsigned long long)run.last);
		else
			lfs_check_claim(ck, run.value, run.last - run.first + 1,
					"shared blocks %llu to %llu", (unsigned long long)run.first,
					(unsigned long long)run.last);
		if (run.last >= ck->fs->next_vaddr &&
		    lfs_found(ck, true,
			      "shared blocks %llu to %llu: addresses are given out from %llu on",
			      (unsigned long long)run.first, (unsigned long long)run.last,
			      (unsigned long long)ck->fs->next_vaddr))
			ck->fs->next_vaddr = run.last + 1;
		if (run.last == UINT64_MAX)
			return 0;
		at = run.last + 1;
	}
	if (err == -ENOENT)
		return 0;
	return lfs_found_err(ck, err, "shared blocks from %llu on", (unsigned long long)at) ? 0 :
											      err;
}

/* ---- Counts and the way back, when the books are right ------------------------------------------------ */

/* Of @n blocks at @place: how many from the first have the same number of owners. */
static uint64_t same_owners(const struct lfs_checker *ck, uint64_t place, uint64_t n,
			    uint64_t *count)
{
	uint64_t k = n;

	*count = lfs_tally_get(&ck->owners, (uint32_t)place);
	while (k > 1 && !lfs_tally_all(&ck->owners, (uint32_t)place, k, *count))
		k = k / 2;
	return k;
}

/* Nobody names them: free them as the last owner would. */
static int free_shared(struct lfs_checker *ck, uint64_t vaddr, uint64_t n)
{
	struct lindex_run one = { .first = vaddr, .last = vaddr + n - 1, .value = 1 };
	int err = lfs_check_writable(ck);

	if (!err)
		err = lfs_pindex_insert(sys(ck, LFS_SYS_REFS), &one);
	return err ? err : lfs_shared_unref(ck->fs, vaddr, n);
}

static int fix_count(struct lfs_checker *ck, uint64_t vaddr, uint64_t n, uint64_t count,
		     uint64_t found)
{
	struct lindex_run run = { .first = vaddr, .last = vaddr + n - 1, .value = count };
	int err = 0;

	if (!lfs_found(ck, !ck->blind || count > found,
		       "shared blocks %llu to %llu: owners: expected %llu, found %llu",
		       (unsigned long long)vaddr, (unsigned long long)(vaddr + n - 1),
		       (unsigned long long)count, (unsigned long long)found))
		return 0;
	err = count ? lfs_pindex_insert(sys(ck, LFS_SYS_REFS), &run) : free_shared(ck, vaddr, n);
	return lfs_unfixed(ck, err, "shared blocks from %llu", (unsigned long long)vaddr);
}

/* REFS for [vaddr, vaddr + n), which is at @place. */
static int check_counts(struct lfs_checker *ck, uint64_t vaddr, uint64_t place, uint64_t n)
{
	while (n) {
		struct lindex_run run;
		uint64_t count = 0, k;
		int err = lfs_pindex_lookup(sys(ck, LFS_SYS_REFS), vaddr, &run);

		if (err && err != -ENOENT)
			return err;
		k = same_owners(ck, place, least(run.last - vaddr, n - 1) + 1, &count);
		if (err || run.step || run.value != count || !count)
			err = fix_count(ck, vaddr, k, count, err ? 0 : run.value);
		else
			err = 0;
		if (err)
			return err;
		vaddr += k;
		place += k;
		n -= k;
	}
	return 0;
}

static int check_way_back(struct lfs_checker *ck, uint64_t vaddr, uint64_t place, uint64_t n)
{
	struct lindex_run want = {
		.first = place, .last = place + n - 1, .value = vaddr, .step = 1
	};
	uint64_t at = place, left = n;
	bool good = true;

	while (left && good) {
		struct lindex_run run;
		int err = lfs_pindex_lookup(sys(ck, LFS_SYS_REVERSE), at, &run);
		uint64_t k;

		if (err && err != -ENOENT)
			return err;
		k = least(run.last - at, left - 1) + 1;
		good = !err && lindex_value(&run, at) == vaddr + (at - place) &&
		       (run.step || k == 1);
		at += k;
		left -= k;
	}
	if (good ||
	    !lfs_found(ck, true,
		       "shared blocks %llu to %llu: the way back from block %llu is not there",
		       (unsigned long long)vaddr, (unsigned long long)(vaddr + n - 1),
		       (unsigned long long)place))
		return 0;
	return lfs_unfixed(ck, lfs_pindex_insert(sys(ck, LFS_SYS_REVERSE), &want),
			   "the way back from block %llu", (unsigned long long)place);
}

/* Keys of REFS or REVERSE that no shared address stands for: @back: keys are places. */
static int check_strays(struct lfs_checker *ck, uint32_t which, bool back)
{
	struct lindex_run run, there;
	uint64_t at = 0;
	int err = 0;

	while (!err && !lfs_pindex_next(sys(ck, which), at, &run)) {
		uint64_t first = run.first > at ? run.first : at;
		uint64_t vaddr = back ? lindex_value(&run, first) : first;
		uint64_t k = run.last - first + 1;
		int miss = lfs_pindex_lookup(sys(ck, LFS_SYS_SHARED), vaddr, &there);

		if (miss && miss != -ENOENT)
			return miss;
		k = back && !run.step ? 1 : least(there.last - vaddr, k - 1) + 1;
		if ((miss || (back && lindex_value(&there, vaddr) != first)) &&
		    lfs_found(ck, true, "%s %llu to %llu: no shared block has them",
			      back ? "the way back from blocks" : "owners of shared blocks",
			      (unsigned long long)first, (unsigned long long)(first + k - 1)))
			err = lfs_unfixed(ck,
					  lfs_pindex_remove(sys(ck, which), first, first + k - 1),
					  "key %llu", (unsigned long long)first);
		if (first + k - 1 == UINT64_MAX)
			break;
		at = first + k;
	}
	return err;
}

/** lfs_check_shared_counts() - REFS and REVERSE say what SHARED and the files' maps say. */
int lfs_check_shared_counts(struct lfs_checker *ck)
{
	struct lindex_run run;
	uint64_t at = 0;
	int err = 0;

	ck->last[0] = 0;
	while (!err && !(err = lfs_pindex_next(sys(ck, LFS_SYS_SHARED), at, &run))) {
		uint64_t n = run.last - run.first + 1;

		if (run.value + n <= ck->fs->geo.blocks) {
			err = check_way_back(ck, run.first, run.value, n);
			if (!err)
				err = check_counts(ck, run.first, run.value, n);
		}
		if (run.last == UINT64_MAX)
			break;
		at = run.last + 1;
	}
	if (err == -ENOENT)
		err = check_strays(ck, LFS_SYS_REFS, false);
	if (!err)
		err = check_strays(ck, LFS_SYS_REVERSE, true);
	return err && lfs_found_err(ck, err, "the maps of shared blocks") ? 0 : err;
}
