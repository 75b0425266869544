/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Many threads on few names: creates, renames, links, writes, clones, truncations, fsyncs at once, beside one that ticks and
 * makes checkpoints, on a disk so small that the cleaner runs. Nobody waits for ever, each error is one that may
 * be, and what is left is sound: at once, and after a crash.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lfs.h"
#include "rng.h"

#define THREADS 4u
#define DIRS    4u
#define NAMES   40u
#define BYTES   (300u << 10)

static const struct lfs_cred nobody = { 0, 0, 022 };

struct crowd {
	struct lfs *fs;
	lfs_ino_t dirs[DIRS];
	uint64_t steps;
	atomic_bool done;
};

struct worker {
	struct crowd *crowd;
	struct rng rng;
	uint8_t *buf;
	pthread_t thread;
};

/* What somebody else may have made of it meanwhile. */
static void allowed(int64_t rc, const char *what)
{
	static const int errors[] = { ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL,
				      ENOSPC, ESTALE, ENXIO,     EPERM,  ENODATA };
	bool ok = rc >= 0;

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		ok |= rc == -errors[i];
	CHECK(ok, "%s: %d", what, (int)rc);
}

static void name_of(struct worker *w, char name[16])
{
	snprintf(name, 16, "f%u", (unsigned int)rng_below(&w->rng, NAMES));
}

static lfs_ino_t dir_of(struct worker *w)
{
	return w->crowd->dirs[rng_below(&w->rng, DIRS)];
}

/* Some file, with a reference; 0: none by that name. */
static lfs_ino_t some(struct worker *w)
{
	struct lfs_attr attr;
	char name[16];

	name_of(w, name);
	return lfs_lookup(w->crowd->fs, dir_of(w), name, &attr) ? 0 : attr.ino;
}

static void make(struct worker *w)
{
	struct lfs *fs = w->crowd->fs;
	struct lfs_attr attr;
	char name[16];

	name_of(w, name);
	if (rng_one_in(&w->rng, 8)) {
		if (!lfs_mkdir(fs, dir_of(w), name, 0755, &nobody, &attr))
			lfs_forget(fs, attr.ino, 1);
	} else if (!lfs_create(fs, dir_of(w), name, 0644, &nobody, &attr)) {
		allowed(lfs_write(fs, attr.ino, w->buf, rng_below(&w->rng, 20000), 0, 0), "write");
		lfs_forget(fs, attr.ino, 1);
	}
}

static void rearrange(struct worker *w)
{
	uint32_t flags = rng_one_in(&w->rng, 5) ? LFS_RENAME_EXCHANGE : 0;
	lfs_ino_t dir = dir_of(w);
	struct lfs *fs = w->crowd->fs;
	char name[16], other[16];

	name_of(w, name);
	name_of(w, other);
	switch (rng_below(&w->rng, 4)) {
	case 0:
		allowed(lfs_unlink(fs, dir, name), "unlink");
		break;
	case 1:
		allowed(lfs_rmdir(fs, dir, name), "rmdir");
		break;
	default:
		allowed(lfs_rename(fs, dir, name, dir_of(w), other, flags), "rename");
	}
}

static void change(struct worker *w, lfs_ino_t ino)
{
	struct lfs_attr attr = { .size = rng_below(&w->rng, 100000) };
	uint64_t at = rng_below(&w->rng, BYTES), n = rng_below(&w->rng, 9000);
	struct lfs *fs = w->crowd->fs;
	lfs_ino_t to;
	char name[16];

	switch (rng_below(&w->rng, 8)) {
	case 0:
	case 1:
		allowed(lfs_write(fs, ino, w->buf, n, at, 0), "write");
		break;
	case 2:
		allowed(lfs_setattr(fs, ino, LFS_SET_SIZE, &attr, NULL), "truncate");
		break;
	case 3:
		allowed(lfs_fsync(fs, ino, false), "fsync");
		break;
	case 4:
		allowed(lfs_fallocate(fs, ino, n % 2 ? 3 : 1, at, 1 + n), "fallocate");
		break;
	case 5:
		allowed(lfs_setxattr(fs, ino, "user.x", w->buf, n % 300, 0), "setxattr");
		break;
	case 6:
		name_of(w, name);
		if (!lfs_link(fs, ino, dir_of(w), name, &attr))
			lfs_forget(fs, attr.ino, 1);
		break;
	default:
		to = some(w);
		if (!to)
			break;
		allowed(lfs_clone_range(fs, ino, 0, to, n % 20 * 4096, 100000), "clone");
		lfs_forget(fs, to, 1);
	}
}

static bool seen(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *attr)
{
	struct crowd *crowd = ctx;

	if (attr && entry->cookie > 2)
		lfs_forget(crowd->fs, entry->ino, 1);
	return true;
}

static void look(struct worker *w, lfs_ino_t ino)
{
	struct lfs *fs = w->crowd->fs;

	allowed(lfs_read(fs, ino, w->buf, rng_below(&w->rng, BYTES), rng_below(&w->rng, BYTES)),
		"read");
	allowed(lfs_lseek(fs, ino, 0, LFS_SEEK_HOLE), "lseek");
	if (rng_one_in(&w->rng, 10))
		allowed(lfs_readdirplus(fs, dir_of(w), 0, seen, w->crowd), "readdir");
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->crowd->steps; i++) {
		lfs_ino_t ino = some(w);

		harness_step("threads", i);
		if (!ino || rng_one_in(&w->rng, 4))
			make(w);
		else if (rng_one_in(&w->rng, 3))
			rearrange(w);
		else if (rng_one_in(&w->rng, 3))
			look(w, ino);
		else
			change(w, ino);
		if (ino)
			lfs_forget(w->crowd->fs, ino, 1);
	}
	return NULL;
}

static void *tick(void *arg)
{
	struct crowd *crowd = arg;

	while (!atomic_load(&crowd->done)) {
		CHECK(lfs_tick(crowd->fs, true) >= 0, "tick");
		CHECK(!lfs_checkpoint(crowd->fs), "checkpoint");
	}
	return NULL;
}

static void assert_sound(struct lfs *fs)
{
	struct lfs_check_options opt = { .scrub = true };
	struct lfs_check_result result;

	CHECK(!lfs_check_mounted(fs, &opt, &result), "%llu findings",
	      (unsigned long long)result.findings);
}

static void run(uint64_t bytes, uint64_t steps)
{
	struct lfs_mount_options opt = { .cap_bytes = 16 << 20, .commit_ms = 20 };
	struct crowd crowd = { .steps = steps, .dirs = { LFS_ROOT_INO } };
	struct worker workers[THREADS];
	struct lfs_bdev *dev;
	struct lfs_attr attr;
	pthread_t ticker;
	char name[16];

	CHECK(!lfs_bdev_mem_create(bytes, &dev) && !lfs_format(dev, NULL) &&
		      !lfs_mount(dev, &opt, &crowd.fs),
	      "mount");
	for (unsigned int i = 1; i < DIRS; i++) {
		snprintf(name, sizeof(name), "dir%u", i);
		CHECK(!lfs_mkdir(crowd.fs, LFS_ROOT_INO, name, 0755, &nobody, &attr), "mkdir");
		crowd.dirs[i] = attr.ino;
	}
	pthread_create(&ticker, NULL, tick, &crowd);
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].crowd = &crowd;
		rng_init(&workers[i].rng, harness_seed(), i);
		workers[i].buf = calloc(1, BYTES);
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		free(workers[i].buf);
	}
	atomic_store(&crowd.done, true);
	pthread_join(ticker, NULL);
	assert_sound(crowd.fs);
	lfs_abort(crowd.fs);
	CHECK(!lfs_mount(dev, &opt, &crowd.fs), "mount after a crash");
	assert_sound(crowd.fs);
	CHECK(!lfs_unmount(crowd.fs), "unmount");
	lfs_bdev_close(dev);
}

Test(threads, leave_a_sound_filesystem)
{
	run(48 << 20, harness_longer(10000));
}

Test(threads, do_so_while_the_cleaner_runs)
{
	run(11 << 20, harness_longer(10000));
}
