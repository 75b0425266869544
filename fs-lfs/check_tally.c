/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Counters for up to 2^32 things, made of bitmaps: bit k of the number of thing i is member i of bitmap k. Counting is
 * addition with carry; a range whose bits agree takes one step. Inodes have one name as a rule, and shared blocks
 * come in ranges, so that the bitmaps are few and small: 10^7 inodes with one name each are 1.3 MB at most.
 */
#include "checker.h"

void lfs_tally_destroy(struct lfs_tally *tally)
{
	for (uint32_t k = 0; k < LFS_TALLY_BITS; k++)
		if (tally->bit[k])
			roaring_bitmap_free(tally->bit[k]);
	memset(tally, 0, sizeof(*tally));
}

static uint64_t count_in(const struct lfs_tally *tally, uint32_t k, uint64_t first, uint64_t n)
{
	if (k >= LFS_TALLY_BITS || !tally->bit[k])
		return 0;
	return roaring_bitmap_range_cardinality(tally->bit[k], first, first + n);
}

/* Add 2^@k to [first, first + n). A carry out of the last bit is lost. */
static void add_at(struct lfs_tally *tally, uint32_t k, uint64_t first, uint64_t n)
{
	for (; n && k < LFS_TALLY_BITS; k++) {
		uint64_t set = count_in(tally, k, first, n);

		if (!tally->bit[k])
			tally->bit[k] = roaring_bitmap_create();
		if (!tally->bit[k])
			return;
		if (!set) {
			roaring_bitmap_add_range(tally->bit[k], first, first + n);
			return;
		}
		if (set < n) { /* some carry, some do not: halves */
			add_at(tally, k, first, n / 2);
			first += n / 2;
			n -= n / 2;
			k--;
			continue;
		}
		roaring_bitmap_remove_range(tally->bit[k], first, first + n);
	}
}

/** lfs_tally_add() - One more of each in [first, first + n). */
void lfs_tally_add(struct lfs_tally *tally, uint32_t first, uint64_t n)
{
	add_at(tally, 0, first, n);
}

uint64_t lfs_tally_get(const struct lfs_tally *tally, uint32_t at)
{
	uint64_t count = 0;

	for (uint32_t k = 0; k < LFS_TALLY_BITS; k++)
		if (tally->bit[k] && roaring_bitmap_contains(tally->bit[k], at))
			count |= 1ull << k;
	return count;
}

/** lfs_tally_all() - Is it @count for each in [first, first + n)? */
bool lfs_tally_all(const struct lfs_tally *tally, uint32_t first, uint64_t n, uint64_t count)
{
	if (count >> LFS_TALLY_BITS)
		return false;
	for (uint32_t k = 0; k < LFS_TALLY_BITS; k++)
		if (count_in(tally, k, first, n) != (count >> k & 1 ? n : 0))
			return false;
	return true;
}
