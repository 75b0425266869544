/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table over the root (lindex/top.c): there where it should be, exact around every separator, and lindex_check()
 * finds every number of it that is not right.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "check.h"
#include "internal.h"

#define RUNS 20000u

static struct lindex_pool *pool;
static struct lindex *ix;

static void open_index(void)
{
	cr_assert_eq(lindex_pool_create(NULL, &pool), 0);
	cr_assert_eq(lindex_create(pool, NULL, &ix), 0);
}

static void close_index(void)
{
	lindex_free(ix);
	cr_assert_eq(lindex_pool_free(pool), 0);
}

TestSuite(top, .init = open_index, .fini = close_index);

/* @regions of runs, @apart keys from each other; in a region, from one run to the next 3 to 6 keys. */
static void build(uint32_t regions, uint64_t apart)
{
	struct lindex_run *runs = calloc(RUNS, sizeof(*runs));
	uint64_t key = 0, x = harness_seed() | 1;

	cr_assert_not_null(runs);
	for (uint32_t i = 0; i < RUNS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (i && i % (RUNS / regions) == 0)
			key += apart;
		runs[i] = (struct lindex_run){
			.first = key, .last = key + 1, .value = x >> 40, .step = 1
		};
		key += 3 + x % 4;
	}
	cr_assert_eq(lindex_build(ix, runs, RUNS, NULL), 0);
	free(runs);
}

/* Like the way without the table, at every separator of the root and beside it. */
static void assert_exact(void)
{
	const struct lindex_top *top = ix->top;
	struct lindex_run with, without, batch;

	for (uint32_t i = 0; i < lindex_node_n(&top->root->head); i++) {
		for (int d = -3; d <= 3; d++) {
			uint64_t key = lindex_node_base(&top->head) +
				       lindex_inner_key(top->root, i) + (uint64_t)d;
			int want, got = lindex_lookup(ix, key, &with);

			(void)lindex_lookup_batch(ix, &key, 1, &batch);
			ix->top = NULL;
			want = lindex_lookup(ix, key, &without);
			ix->top = top;
			CHECK(got == want && with.first == without.first &&
				      with.last == without.last && with.value == without.value,
			      "key %llu: %d, without the table %d", (unsigned long long)key, got,
			      want);
			CHECK(batch.first == without.first && batch.last == without.last &&
				      batch.value == without.value,
			      "key %llu in a batch", (unsigned long long)key);
		}
	}
}

Test(top, has_buckets_where_separators_lie_evenly)
{
	build(1, 0);
	cr_assert_not_null(ix->top);
	cr_assert_neq(ix->top->shift, LINDEX_TOP_SHIFT);
	assert_exact();
}

Test(top, has_the_separators_of_regions_far_apart)
{
	build(3, 1ull << 40);
	cr_assert_not_null(ix->top);
	cr_assert_eq(ix->top->shift, LINDEX_TOP_SHIFT);
	assert_exact();
}

Test(top, of_a_snapshot_is_its_own)
{
	struct lindex_run run = { .first = 0, .last = 1u << 30, .value = 9, .step = 1 };
	struct lindex *snap;

	build(1, 0);
	cr_assert_eq(lindex_snapshot(ix, &snap), 0);
	cr_assert(snap->top && snap->top != ix->top);
	cr_assert_eq(lindex_insert(ix, &run), 0);
	cr_assert_eq(lindex_check(ix, NULL), 0);
	cr_assert_eq(lindex_check(snap, NULL), 0);
	cr_assert_eq(lindex_lookup(snap, 0, &run), 0);
	cr_assert_eq(run.last, 1);
	lindex_free(snap);
}

Test(top, damaged_is_found_by_check)
{
	uint64_t buckets;
	uint16_t *entry;

	build(1, 0);
	entry = lindex_top_entry(ix->top);
	buckets = (ix->top->most >> ix->top->shift) + 1;
	cr_assert_eq(lindex_check(ix, NULL), 0);
	for (uint64_t b = 0; b < buckets; b++) {
		entry[b] ^= 1;
		CHECK(lindex_check(ix, NULL) == -EUCLEAN, "bucket %llu", (unsigned long long)b);
		entry[b] ^= 1;
	}
	cr_assert_eq(lindex_check(ix, NULL), 0);
}
