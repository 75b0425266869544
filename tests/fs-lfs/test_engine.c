/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The engine beside its twin: random operations on both, compared again and again, across unmounts, crashes after a sync,
 * cleaning, and on a disk that is always nearly full; lfs_check_mounted() after each batch.
 */
#include <criterion/criterion.h>

#include "check.h"
#include "lfs_world.h"

#define MIB (1u << 20)

static void assert_sound(struct lfs_world *w, bool scrub)
{
	struct lfs_check_options opt = { .scrub = scrub };
	struct lfs_check_result result;
	char why[ORACLE_WHY_BYTES];
	int err;

	CHECK(lfs_world_compare(w, why), "%s", why);
	err = lfs_check_mounted(w->fs, &opt, &result);
	CHECK(!err, "check: %d, %llu findings", err, (unsigned long long)result.findings);
}

static void remount(struct lfs_world *w, struct lfs_bdev *dev, bool crash)
{
	char why[ORACLE_WHY_BYTES];

	if (crash) {
		CHECK(!lfs_sync(w->fs), "sync: %s", w->log);
		lfs_world_abort(w);
	} else {
		CHECK(!lfs_world_unmount(w), "unmount: %s", w->log);
	}
	CHECK(!lfs_world_mount(w, dev), "mount: %s", w->log);
	CHECK(lfs_world_compare(w, why), "after %s: %s", crash ? "a crash" : "an unmount", why);
}

static void wander(uint64_t seed, uint64_t steps, uint64_t bytes, uint32_t segment_bytes)
{
	struct lfs_bdev *dev;
	struct lfs_world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), seed);
	CHECK(!lfs_bdev_mem_create(bytes, &dev), "no memory");
	lfs_world_init(&w);
	w.may_be_full = bytes < 12 * MIB;
	CHECK(!lfs_world_format(&w, dev, segment_bytes), "format: %s", w.log);
	CHECK(!lfs_world_mount(&w, dev), "mount: %s", w.log);
	for (uint64_t i = 0; i < steps; i++) {
		struct lfs_step step = lfs_world_random_step(&rng, 20);

		harness_step("random steps", i);
		lfs_world_do(&w, &step);
		if (i % 100 == 99)
			assert_sound(&w, i % 500 == 499);
		if (rng_one_in(&rng, 100))
			remount(&w, dev, rng_one_in(&rng, 2));
	}
	assert_sound(&w, true);
	CHECK(!lfs_world_unmount(&w), "unmount: %s", w.log);
	lfs_world_destroy(&w);
	lfs_bdev_close(dev);
}

Test(engine, does_what_the_twin_does)
{
	for (uint64_t seed = 1; seed <= harness_longer(40); seed++)
		wander(seed, 1000, 16 * MIB, 0);
}

Test(engine, does_so_on_a_full_disk)
{
	for (uint64_t seed = 1; seed <= harness_longer(20); seed++)
		wander(1000 + seed, 1500, 8 * MIB, 0);
}

Test(engine, does_so_with_large_segments)
{
	for (uint64_t seed = 1; seed <= harness_longer(8); seed++)
		wander(2000 + seed, 600, 64 * MIB, LFS_SEGMENT_MAX);
}

/*
 * A file that had its data in its inode and is empty gets blocks, not by a write. That was lost when the log was replayed
 * (share.12.12.2 of the crash explorer, seed 3002): the inode went on saying that its data were in it.
 */
static void grow_empty(const struct lfs_step *grow)
{
	static const struct lfs_step before[] = {
		{ .kind = STEP_CREATE, .path = WORLD_PATH(0, 2) },
		{ .kind = STEP_WRITE, .path = WORLD_PATH(0, 2), .b = 50 },
		{ .kind = STEP_CREATE, .path = WORLD_PATH(0, 3) },
		{ .kind = STEP_WRITE, .path = WORLD_PATH(0, 3), .b = 8 * LFS_BLOCK_BYTES - 1 },
		{ .kind = STEP_CHECKPOINT },
		{ .kind = STEP_TRUNCATE, .path = WORLD_PATH(0, 2), .a = 0 },
	};
	struct lfs_bdev *dev;
	struct lfs_world w;

	CHECK(!lfs_bdev_mem_create(16 * MIB, &dev), "no memory");
	lfs_world_init(&w);
	CHECK(!lfs_world_format(&w, dev, 0), "format: %s", w.log);
	CHECK(!lfs_world_mount(&w, dev), "mount: %s", w.log);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		lfs_world_do(&w, &before[i]);
	lfs_world_do(&w, grow);
	remount(&w, dev, true);
	assert_sound(&w, true);
	remount(&w, dev, false);
	assert_sound(&w, true);
	lfs_world_abort(&w);
	lfs_world_destroy(&w);
	lfs_bdev_close(dev);
}

Test(engine, an_emptied_file_that_gets_blocks_has_them_after_a_crash)
{
	grow_empty(&(struct lfs_step){ .kind = STEP_CLONE,
				       .path = WORLD_PATH(0, 3),
				       .path2 = WORLD_PATH(0, 2),
				       .b = 4 * LFS_BLOCK_BYTES });
	grow_empty(&(struct lfs_step){
		.kind = STEP_FALLOCATE, .path = WORLD_PATH(0, 2), .b = 3 * LFS_BLOCK_BYTES });
}
