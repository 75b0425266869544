/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The books of space against what is used: live bitmaps, segments' counts and states, sums.
 *
 * First what the books say about themselves (a segment's count is that of its bits), then blocks that are used and not
 * in the books, which the log would overwrite, then those in the books that nobody names. The last are given back
 * only if everything could be read (K3).
 */
#include "checker.h"

#include <stdlib.h>

#define LINES_A_GROUP 16u /* findings told one by one; of the rest only the number */

struct books {
	struct lfs_checker *ck;
	uint32_t group;
	uint64_t told, more; /* of this group */
	uint64_t live;       /* of all */
};

static uint64_t first_block(const struct books *b)
{
	return (uint64_t)b->group * LFS_GROUP_BLOCKS;
}

/* ---- Ranges of one bitmap that are not in another ------------------------------------------------------ */

/* The members of @a that are not in @b, as ranges within segments. @fn may change both bitmaps behind the range. */
static int each_range(const roaring_bitmap_t *a, const roaring_bitmap_t *b, uint32_t seg_blocks,
		      int (*fn)(struct books *books, uint32_t first, uint32_t n),
		      struct books *books)
{
	roaring_bitmap_t *diff = roaring_bitmap_andnot(a, b);
	roaring_uint32_iterator_t it;
	uint32_t first = 0, n = 0;
	int err = diff ? 0 : -ENOMEM;

	if (err)
		return err;
	for (roaring_init_iterator(diff, &it); it.has_value && !err;
	     roaring_advance_uint32_iterator(&it)) {
		bool joins = n && it.current_value == first + n && it.current_value % seg_blocks;

		if (n && !joins)
			err = fn(books, first, n);
		if (!joins) {
			first = it.current_value;
			n = 0;
		}
		n++;
	}
	if (n && !err)
		err = fn(books, first, n);
	roaring_bitmap_free(diff);
	return err;
}

/* The used blocks of the group, numbered within it. */
static roaring_bitmap_t *used_in_group(const struct lfs_checker *ck, uint32_t group)
{
	uint64_t first = (uint64_t)group * LFS_GROUP_BLOCKS;
	roaring_bitmap_t *out = roaring_bitmap_create();
	roaring_uint32_iterator_t it;

	if (!out)
		return NULL;
	roaring_init_iterator(ck->used, &it);
	roaring_move_uint32_iterator_equalorlarger(&it, (uint32_t)first);
	for (; it.has_value && it.current_value < first + LFS_GROUP_BLOCKS;
	     roaring_advance_uint32_iterator(&it))
		roaring_bitmap_add(out, (uint32_t)(it.current_value - first));
	return out;
}

/* Tell it, or count it if enough was told. Return: repair it. */
static bool tell(struct books *b, bool fixable, const char *what, uint32_t first, uint32_t n)
{
	struct lfs_checker *ck = b->ck;

	if (b->told++ < LINES_A_GROUP)
		return lfs_found(ck, fixable, "blocks %llu to %llu: %s",
				 (unsigned long long)(first_block(b) + first),
				 (unsigned long long)(first_block(b) + first + n - 1), what);
	b->more++;
	return fixable && ck->repair;
}

/* ---- One group ---------------------------------------------------------------------------------------- */

static int take_into_books(struct books *b, uint32_t first, uint32_t n)
{
	struct lfs *fs = b->ck->fs;
	struct lfs_group *group = &fs->groups[b->group];
	struct lfs_seg *seg = &group->seg[first >> fs->geo.seg_shift];

	if (!tell(b, true, "in use, and free in the books", first, n))
		return 0;
	if (seg->state == LFS_SEG_FREE) {
		seg->state = LFS_SEG_CLOSED;
		group->nfree--;
		fs->nfree--;
	}
	return lfs_live_add(fs, first_block(b) + first, n);
}

static int give_back(struct books *b, uint32_t first, uint32_t n)
{
	struct lfs_checker *ck = b->ck;

	if (!tell(b, !ck->blind, "in the books, and nobody names them", first, n))
		return 0;
	return lfs_live_remove(ck->fs, first_block(b) + first, n);
}

/* S2: a segment's count is that of its bits; a free segment has none. */
static void check_segment(struct books *b, uint32_t i, uint64_t *sum)
{
	struct lfs_checker *ck = b->ck;
	struct lfs *fs = ck->fs;
	struct lfs_group *group = &fs->groups[b->group];
	struct lfs_seg *seg = &group->seg[i];
	unsigned long long number = (uint64_t)b->group * fs->geo.segs_per_group + i;
	uint64_t first = (uint64_t)i << fs->geo.seg_shift;
	uint64_t bits = roaring_bitmap_range_cardinality(group->live, first,
							 first + fs->geo.seg_blocks);

	*sum += bits;
	if (seg->live != bits &&
	    lfs_found(ck, true, "segment %llu: live blocks: expected %llu, found %u", number,
		      (unsigned long long)bits, seg->live)) {
		seg->live = (uint16_t)bits;
		group->dirty = true;
	}
	if (bits && (seg->state == LFS_SEG_FREE || seg->state == LFS_SEG_RESERVED) &&
	    lfs_found(ck, seg->state == LFS_SEG_FREE, "segment %llu: free, with %llu live blocks",
		      number, (unsigned long long)bits)) {
		seg->state = LFS_SEG_CLOSED;
		group->nfree--;
		fs->nfree--;
		group->dirty = true;
	}
}

static void check_group_sums(struct books *b)
{
	struct lfs_checker *ck = b->ck;
	struct lfs_group *group = &ck->fs->groups[b->group];
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ck->fs->geo.segs_per_group; i++)
		check_segment(b, i, &sum);
	if (group->nlive != sum &&
	    lfs_found(ck, true, "group %u: live blocks: expected %llu, found %u", b->group,
		      (unsigned long long)sum, group->nlive)) {
		group->nlive = (uint32_t)sum;
		group->dirty = true;
	}
}

static int check_group(struct books *b)
{
	struct lfs_checker *ck = b->ck;
	struct lfs_group *group = &ck->fs->groups[b->group];
	roaring_bitmap_t *used = used_in_group(ck, b->group), *live = NULL;
	int err = used ? 0 : -ENOMEM;

	check_group_sums(b);
	if (!err && !roaring_bitmap_equals(used, group->live)) {
		live = roaring_bitmap_copy(group->live);
		err = each_range(used, live, ck->fs->geo.seg_blocks, take_into_books, b);
		if (!err)
			err = each_range(live, used, ck->fs->geo.seg_blocks, give_back, b);
	}
	if (b->more)
		lfs_found(ck, ck->repair, "group %u: %llu more ranges like these", b->group,
			  (unsigned long long)b->more);
	b->live += roaring_bitmap_get_cardinality(group->live);
	b->told = b->more = 0;
	if (used)
		roaring_bitmap_free(used);
	if (live)
		roaring_bitmap_free(live);
	return err;
}

static int load_group(struct lfs_checker *ck, uint32_t group)
{
	int err;

	pthread_mutex_lock(&ck->fs->alloc_lock);
	ck->last[0] = 0;
	err = lfs_group_load(ck->fs, group);
	pthread_mutex_unlock(&ck->fs->alloc_lock);
	return err;
}

/** lfs_check_books() - K2: when it returns 0 in a repair, every used block is in the books. */
int lfs_check_books(struct lfs_checker *ck)
{
	struct books b = { .ck = ck };
	struct lfs *fs = ck->fs;
	int err = 0;

	for (b.group = 0; b.group < fs->geo.ngroups && !err; b.group++) {
		lfs_check_progress(ck, "books", b.group, fs->geo.ngroups);
		err = load_group(ck, b.group);
		if (!err)
			err = check_group(&b);
		else if (lfs_found_err(ck, err, "group %u: its info", b.group))
			err = 0;
	}
	if (!err && !ck->blind && fs->nlive != b.live &&
	    lfs_found(ck, true, "live blocks: expected %llu, found %llu",
		      (unsigned long long)b.live, (unsigned long long)fs->nlive))
		fs->nlive = b.live;
	return err;
}
