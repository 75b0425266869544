/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every errno of the contract, and that an error changes nothing and leaves outputs alone.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "same.h"
#include "world.h"

static struct world w;

static void open_with_contents(void)
{
	world_open(&w, NULL, 0, 0);
	for (uint64_t i = 0; i < 100; i++)
		world_do(&w, &(struct op){ .run = RUN(10 * i, 10 * i + 4, i * i, 1, 3) });
}

static void close_unchanged(void)
{
	assert_same(w.ix, &w.twin);
	world_close(&w);
}

TestSuite(errors, .init = open_with_contents, .fini = close_unchanged);

/* ---- Runs that are none ------------------------------------------------------------------------ */

Test(errors, insert_of_first_behind_last_is_einval)
{
	cr_assert_eq(lindex_insert(w.ix, &RUN(6, 5, 0, 1, 0)), -EINVAL);
	cr_assert_eq(lindex_insert(w.ix, &RUN(UINT64_MAX, 0, 0, 1, 0)), -EINVAL);
}

Test(errors, insert_of_step_above_1_is_einval)
{
	cr_assert_eq(lindex_insert(w.ix, &RUN(5, 6, 0, 2, 0)), -EINVAL);
	cr_assert_eq(lindex_insert(w.ix, &RUN(5, 5, 0, 255, 0)), -EINVAL);
}

Test(errors, remove_of_first_behind_last_is_einval)
{
	cr_assert_eq(lindex_remove(w.ix, 6, 5), -EINVAL);
	cr_assert_eq(lindex_remove(w.ix, UINT64_MAX, 0), -EINVAL);
}

Test(errors, insert_of_value_past_the_last_is_erange)
{
	cr_assert_eq(lindex_insert(w.ix, &RUN(0, 1, UINT64_MAX, 1, 0)), -ERANGE);
	cr_assert_eq(lindex_insert(w.ix, &RUN(10, 19, UINT64_MAX - 8, 1, 0)), -ERANGE);
	cr_assert_eq(lindex_insert(w.ix, &RUN(0, UINT64_MAX, 1, 1, 0)), -ERANGE);
}

Test(errors, value_at_the_very_last_is_no_error)
{
	world_do(&w, &(struct op){ .run = RUN(10, 19, UINT64_MAX - 9, 1, 0) });
	world_do(&w, &(struct op){ .run = RUN(30, 39, UINT64_MAX, 0, 0) });
	world_do(&w, &(struct op){ .run = RUN(50, 50, UINT64_MAX, 1, 0) });
}

/* ---- Bulk load ----------------------------------------------------------------------------------- */

#define BULK 1000

/* A build with the one offender @offender at @at is refused with @at and @expect. */
static void refuse_build(size_t at, struct lindex_run offender, int expect)
{
	static struct lindex_run runs[BULK]; /* too much for a small stack, as a kernel has */
	size_t bad = 4711;

	for (size_t i = 0; i < BULK; i++)
		runs[i] = RUN(100 * i + 10, 100 * i + 19, i, 1, 0);
	runs[at] = offender;
	harness_step("build", at);
	cr_assert_eq(lindex_build(w.ix, runs, BULK, &bad), expect);
	cr_assert_eq(bad, at);
	cr_assert_eq(lindex_build(w.ix, runs, BULK, NULL), expect, "without a place for the index");
}

static const size_t places[] = { 1, 2, 17, BULK / 2, BULK - 1 };
#define PLACES (sizeof(places) / sizeof(places[0]))

Test(errors, build_names_the_first_unsorted_run)
{
	for (size_t i = 0; i < PLACES; i++)
		refuse_build(places[i], RUN(0, 1, 0, 1, 0), -EINVAL);
}

Test(errors, build_names_the_first_overlapping_run)
{
	for (size_t i = 0; i < PLACES; i++) {
		uint64_t end = 100 * (places[i] - 1) + 19;

		refuse_build(places[i], RUN(end, end + 5, 0, 1, 0), -EINVAL);
		refuse_build(places[i], RUN(end - 3, end - 3, 0, 1, 0), -EINVAL);
	}
}

Test(errors, build_names_the_first_run_that_is_none)
{
	for (size_t i = 0; i < PLACES; i++) {
		uint64_t key = 100 * places[i] + 10;

		refuse_build(places[i], RUN(key + 1, key, 0, 1, 0), -EINVAL);
		refuse_build(places[i], RUN(key, key, 0, 2, 0), -EINVAL);
	}
	refuse_build(0, RUN(11, 10, 0, 1, 0), -EINVAL);
	refuse_build(0, RUN(10, 11, 0, 3, 0), -EINVAL);
}

Test(errors, build_names_the_first_value_past_the_last)
{
	for (size_t i = 0; i < PLACES; i++) {
		uint64_t key = 100 * places[i] + 10;

		refuse_build(places[i], RUN(key, key + 1, UINT64_MAX, 1, 0), -ERANGE);
	}
}

Test(errors, build_names_the_first_of_several)
{
	struct lindex_run runs[] = { RUN(0, 9, 0, 1, 0), RUN(20, 29, UINT64_MAX, 1, 0),
				     RUN(15, 10, 0, 1, 0), RUN(3, 3, 0, 7, 0) };
	size_t bad = 99;

	cr_assert_eq(lindex_build(w.ix, runs, 4, &bad), -ERANGE);
	cr_assert_eq(bad, 1);
}

Test(errors, build_with_the_same_run_twice_is_einval)
{
	struct lindex_run runs[] = { RUN(5, 5, 0, 1, 0), RUN(5, 5, 0, 1, 0) };
	size_t bad = 99;

	cr_assert_eq(lindex_build(w.ix, runs, 2, &bad), -EINVAL);
	cr_assert_eq(bad, 1);
}

Test(errors, build_behind_the_last_key_is_einval)
{
	struct lindex_run runs[] = { RUN(0, UINT64_MAX, 0, 1, 0), RUN(0, 0, 0, 1, 0) };
	size_t bad = 99;

	cr_assert_eq(lindex_build(w.ix, runs, 2, &bad), -EINVAL);
	cr_assert_eq(bad, 1);
}

Test(errors, build_of_nothing_empties_the_index)
{
	cr_assert_eq(lindex_build(w.ix, NULL, 0, NULL), 0);
	twin_clear(&w.twin);
}

Test(errors, build_joins_neighbours_that_are_one_run)
{
	struct lindex_run runs[] = { RUN(5, 9, 50, 1, 0), RUN(10, 19, 55, 1, 0),
				     RUN(20, 20, 65, 1, 0), RUN(21, 22, 66, 1, 1) };

	cr_assert_eq(lindex_build(w.ix, runs, 4, NULL), 0);
	twin_build(&w.twin, runs, 4);
	cr_assert_eq(w.twin.n, 2);
}

/* ---- Read-only ----------------------------------------------------------------------------------- */

static void refuse_changes(struct lindex *ro)
{
	struct lindex_run run = RUN(7, 8, 9, 1, 0);
	struct lindex *snap = ro;

	cr_assert_eq(lindex_insert(ro, &run), -EROFS);
	cr_assert_eq(lindex_remove(ro, 0, UINT64_MAX), -EROFS);
	cr_assert_eq(lindex_build(ro, &run, 1, NULL), -EROFS);
	cr_assert_eq(lindex_reserve(ro, 1), -EROFS);
	cr_assert_eq(lindex_snapshot(ro, &snap), -EROFS);
	cr_assert_eq(snap, ro, "output untouched");
	assert_same(ro, &w.twin);
}

Test(errors, changes_of_a_snapshot_are_erofs)
{
	struct lindex *snap;

	cr_assert_eq(lindex_snapshot(w.ix, &snap), 0);
	refuse_changes(snap);
	lindex_free(snap);
}

Test(errors, changes_of_an_opened_image_are_erofs)
{
	struct image im = { 0 };
	struct lindex *opened;

	image_save(&im, w.ix);
	cr_assert_eq(lindex_open_image(w.pool, im.bytes, im.len, NULL, NULL, NULL, &opened), 0);
	refuse_changes(opened);
	lindex_free(opened);
	image_destroy(&im);
}

/* ---- Configuration ------------------------------------------------------------------------------- */

static void refuse_pool(struct lindex_pool_config cfg)
{
	struct lindex_pool *none = (struct lindex_pool *)&w, *pool = none;

	cr_assert_eq(lindex_pool_create(&cfg, &pool), -EINVAL);
	cr_assert_eq(pool, none, "output untouched");
}

Test(errors, pool_with_unknown_flag_is_einval)
{
	refuse_pool((struct lindex_pool_config){ .flags = 0x4 });
	refuse_pool((struct lindex_pool_config){ .flags = 0x80000000u });
}

Test(errors, pool_with_too_small_a_cap_is_einval)
{
	refuse_pool((struct lindex_pool_config){ .cap_bytes = 1 });
	refuse_pool((struct lindex_pool_config){ .cap_bytes = LINDEX_POOL_MIN_BYTES - 1 });
}

static void refuse_index(struct lindex_config cfg)
{
	struct lindex *none = (struct lindex *)&w, *ix = none;

	cr_assert_eq(lindex_create(w.pool, &cfg, &ix), -EINVAL);
	cr_assert_eq(ix, none, "output untouched");
}

Test(errors, index_with_a_field_out_of_range_is_einval)
{
	refuse_index((struct lindex_config){ .epsilon = 1 });
	refuse_index((struct lindex_config){ .epsilon = 505 });
	refuse_index((struct lindex_config){ .node_bytes = 192 });
	refuse_index((struct lindex_config){ .node_bytes = 300 });
	refuse_index((struct lindex_config){ .node_bytes = 1088 });
	refuse_index((struct lindex_config){ .node_bytes = UINT32_MAX });
}

Test(errors, index_at_the_limits_of_its_fields_is_fine)
{
	static const struct lindex_config fine[] = {
		{ .epsilon = 2 }, { .epsilon = 504 }, { .node_bytes = 256 }, { .node_bytes = 1024 }
	};
	struct lindex *ix;

	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(lindex_create(w.pool, &fine[i], &ix), 0);
		lindex_free(ix);
	}
}

Test(errors, pool_with_an_index_is_busy)
{
	cr_assert_eq(lindex_pool_free(w.pool), -EBUSY);
	world_do(&w, &(struct op){ .run = RUN(1, 2, 3, 1, 4) });
}

Test(errors, free_of_null_is_fine)
{
	lindex_free(NULL);
}

/* ---- Calls for a pager, without one -------------------------------------------------------------- */

Test(errors, pager_calls_without_a_pager)
{
	struct lindex_config cfg = { 0 };
	struct lindex_root root = { { 0 } };
	struct lindex *ix;

	cr_assert_eq(lindex_get_root(w.ix, &root), -EINVAL);
	cr_assert_eq(lindex_open_paged(w.pool, &cfg, &root, &ix), -EINVAL);
	cr_assert_eq(lindex_load(w.ix, 5), 0);
}

/* ---- Sinks ---------------------------------------------------------------------------------------- */

struct full_sink {
	uint64_t room;
};

static int write_until_full(void *ctx, const void *bytes, size_t len)
{
	struct full_sink *full = ctx;

	(void)bytes;
	if (len > full->room)
		return -ENOSPC;
	full->room -= len;
	return 0;
}

Test(errors, of_the_sink_are_passed_on)
{
	struct image im = { 0 };
	struct full_sink full;
	struct lindex_sink sink = { .write = write_until_full, .ctx = &full };

	image_save(&im, w.ix);
	for (uint64_t room = 0; room < im.len; room += 1 + room / 8) {
		full.room = room;
		cr_assert_eq(lindex_save(w.ix, &sink), -ENOSPC);
	}
	full.room = 0;
	cr_assert_eq(lindex_dump(w.ix, &sink), -ENOSPC);
	full.room = im.len;
	cr_assert_eq(lindex_save(w.ix, &sink), 0);
	cr_assert_eq(full.room, 0);
	image_destroy(&im);
}

/* ---- Images ---------------------------------------------------------------------------------------- */

Test(errors, open_of_unaligned_bytes_is_einval)
{
	struct image im = { 0 };
	struct lindex *none = (struct lindex *)&w, *ix = none;
	uint8_t *shifted;

	image_save(&im, w.ix);
	cr_assert_eq(posix_memalign((void **)&shifted, 64, im.len + 64), 0);
	for (size_t by = 1; by < 64; by++) {
		memcpy(shifted + by, im.bytes, im.len);
		cr_assert_eq(lindex_open_image(w.pool, shifted + by, im.len, NULL, NULL, NULL, &ix),
			     -EINVAL);
		cr_assert_eq(ix, none, "output untouched");
		cr_assert_eq(lindex_certify(shifted + by, im.len, NULL, NULL, NULL), -EINVAL);
	}
	free(shifted);
	image_destroy(&im);
}

Test(errors, damage_is_refused_with_offset_and_text)
{
	struct image im = { 0 };
	struct lindex_reason why;
	struct lindex_cert cert, untouched;
	int rc;

	image_save(&im, w.ix);
	im.bytes[im.len / 2] ^= 0x10;
	memset(&why, 0, sizeof(why));
	memset(&cert, 0x5a, sizeof(cert));
	untouched = cert;
	rc = lindex_certify(im.bytes, im.len, NULL, &cert, &why);
	cr_assert(rc == -EBADMSG || rc == -EUCLEAN, "certify is %d", rc);
	cr_assert_not_null(why.text);
	cr_assert_gt(strlen(why.text), 3);
	cr_assert_leq(why.offset, im.len);
	cr_assert_arr_eq((char *)&cert, (char *)&untouched, sizeof(cert), "output untouched");
	image_destroy(&im);
}

Test(errors, no_bytes_are_refused)
{
	struct lindex_reason why = { 0 };
	uint64_t aligned[8] __attribute__((aligned(64))) = { 0 };
	int rc;

	for (size_t len = 0; len <= sizeof(aligned); len++) {
		rc = lindex_certify(aligned, len, NULL, NULL, &why);
		cr_assert(rc == -EBADMSG || rc == -EUCLEAN, "%zu zeroes: %d", len, rc);
		cr_assert_not_null(why.text);
	}
}
