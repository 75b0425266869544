/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes as operations on a filesystem and on its twin, on a disk that records. The first two bytes choose the image,
 * then each operation takes ten:
 *
 *     what, path, path 2, flags, offset (3), length (3)
 *
 * Besides the steps of lfs_world.h: compare all, remount, crash (and go on with one of the images that it may leave),
 * check, and names that must be refused.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bdev_crash.h"
#include "check.h"
#include "lfs_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OP_BYTES 10u

enum { OP_COMPARE = STEP_COUNT, OP_REMOUNT, OP_CRASH, OP_CHECK, OP_NAMES, OP_COUNT };

struct play {
	struct crash_layer image, live;
	struct crash_disk disk;
	struct lfs_world w;
};

static void compare(struct play *p)
{
	char why[ORACLE_WHY_BYTES];

	CHECK(lfs_world_compare(&p->w, why), "%s", why);
}

static void mount(struct play *p)
{
	CHECK(!lfs_world_mount(&p->w, &p->disk.dev), "mount: %s", p->w.log);
}

/* What @state has becomes the image, and the record begins anew. */
static void take(struct play *p, const struct crash_layer *state)
{
	crash_layer_merge(&p->image, state);
	crash_layer_clear(&p->live);
	crash_disk_forget(&p->disk);
}

static void check(struct play *p)
{
	struct lfs_check_options opt = { .scrub = true };
	struct lfs_check_result result;

	CHECK(!lfs_check(&p->disk.dev, &opt, &result), "check: %llu findings",
	      (unsigned long long)result.findings);
}

static void settle(struct play *p)
{
	lfs_twin_settle(&p->w.twin);
	p->w.promise = 0;
}

static void remount(struct play *p)
{
	CHECK(!lfs_world_unmount(&p->w), "unmount: %s", p->w.log);
	take(p, &p->live);
	settle(p);
	mount(p);
	compare(p);
}

/* All that was written may be lost since the last flush; which image it is, @choice says. */
static void crash(struct play *p, uint32_t choice)
{
	char why[ORACLE_WHY_BYTES];
	struct crash_sweep sweep;
	struct lfs_twin seen;
	uint32_t at, epochs = 1, newest;

	lfs_world_abort(&p->w);
	for (size_t i = 0; i < p->disk.n_events; i++)
		epochs += p->disk.events[i].kind == CRASH_FLUSH;
	crash_sweep_init(&sweep, &p->disk, &p->image, &crash_budget_short, 1);
	CHECK(crash_sweep_seek(&sweep, epochs - 1, choice) ||
		      crash_sweep_seek(&sweep, epochs - 1, 0),
	      "no image");
	newest = sweep.image.newest > p->w.promise ? sweep.image.newest : p->w.promise;
	take(p, &sweep.state);
	crash_sweep_destroy(&sweep);
	check(p);
	mount(p);
	CHECK(!lfs_oracle_observe(p->w.fs, &seen, why), "%s", why);
	CHECK(lfs_oracle_match(&p->w.twin, &seen, p->w.promise, newest, &at, why), "%s", why);
	lfs_world_adopt(&p->w, &seen);
}

static void refused_names(struct play *p)
{
	static const struct lfs_cred cred = { 0 };
	char long_name[LFS_NAME_MAX + 2];
	struct lfs_attr attr;

	memset(long_name, 'x', sizeof(long_name));
	long_name[LFS_NAME_MAX + 1] = 0;
	CHECK(lfs_create(p->w.fs, LFS_ROOT_INO, long_name, 0600, &cred, &attr) == -ENAMETOOLONG,
	      "256 bytes");
	CHECK(lfs_create(p->w.fs, LFS_ROOT_INO, "", 0600, &cred, &attr) == -EINVAL, "no name");
	CHECK(lfs_mkdir(p->w.fs, LFS_ROOT_INO, "..", 0600, &cred, &attr) == -EINVAL, "dots");
	CHECK(lfs_create(p->w.fs, LFS_ROOT_INO, "x/y", 0600, &cred, &attr) == -EINVAL, "a slash");
}

static void play_step(struct play *p, const uint8_t *in)
{
	struct lfs_step step = { .kind = in[0] % OP_COUNT,
				 .path = in[1] % (WORLD_PATHS + WORLD_OPEN),
				 .path2 = in[2] % (WORLD_PATHS + WORLD_OPEN),
				 .c = in[3],
				 .a = in[4] | (uint32_t)in[5] << 8 | (in[6] & 3u) << 16,
				 .b = in[7] | (uint32_t)in[8] << 8 | (in[9] & 1u) << 16 };

	switch (step.kind) {
	case OP_COMPARE:
		compare(p);
		break;
	case OP_REMOUNT:
		remount(p);
		break;
	case OP_CRASH:
		crash(p, in[3]);
		break;
	case OP_CHECK:
		CHECK(!lfs_check_mounted(p->w.fs, &(struct lfs_check_options){ 0 },
					 &(struct lfs_check_result){ 0 }),
		      "check: %s", p->w.log);
		break;
	case OP_NAMES:
		refused_names(p);
		break;
	default:
		lfs_world_do(&p->w, &step);
	}
}

static void on_step(void *ctx, uint32_t op)
{
	struct play *p = ctx;

	crash_disk_mark(&p->disk, op);
}

/* Formatted once: 8 or 16 MiB. */
static const struct crash_layer *formatted(unsigned int which)
{
	static struct crash_layer layers[2];
	struct lfs_world w;
	struct crash_disk disk;

	if (layers[which].blocks)
		return &layers[which];
	crash_layer_init(&layers[which], (uint64_t)8 << 20 << which, NULL);
	crash_disk_init(&disk, &layers[which]);
	lfs_world_init(&w);
	CHECK(!lfs_world_format(&w, &disk.dev, LFS_SEGMENT_MIN), "format: %s", w.log);
	lfs_world_destroy(&w);
	crash_disk_destroy(&disk);
	return &layers[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p = { 0 };
	uint64_t bytes;

	if (size < 2)
		return 0;
	bytes = (uint64_t)8 << 20 << (data[0] & 1);
	crash_layer_init(&p.image, bytes, formatted(data[0] & 1));
	crash_layer_init(&p.live, bytes, &p.image);
	crash_disk_init(&p.disk, &p.live);
	lfs_world_init(&p.w);
	p.w.may_be_full = true;
	p.w.options.discard = data[0] & 2;
	p.w.before = on_step;
	p.w.ctx = &p;
	p.disk.recording = true;
	mount(&p);
	for (size_t at = 2; at + OP_BYTES <= size; at += OP_BYTES) {
		harness_step("operation", at / OP_BYTES);
		play_step(&p, data + at);
	}
	remount(&p);
	lfs_world_abort(&p.w);
	check(&p);
	lfs_world_destroy(&p.w);
	crash_disk_destroy(&p.disk);
	crash_layer_destroy(&p.live);
	crash_layer_destroy(&p.image);
	return 0;
}
