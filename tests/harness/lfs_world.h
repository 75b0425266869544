/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A filesystem and its twin, changed together, one step after another. Each step is one operation: its number is the
 * twin's, and the time that the engine is told. Any disagreement ends the test (CHECK).
 */
#ifndef HARNESS_LFS_WORLD_H
#define HARNESS_LFS_WORLD_H

#include "lfs_oracle.h"
#include "lfs_twin.h"
#include "rng.h"

/* What a step does to its first path (and second). Offsets and lengths are @a, @b in bytes, flags @c. */
enum lfs_step_kind {
	STEP_CREATE,
	STEP_MKDIR,
	STEP_SYMLINK,
	STEP_MKNOD,
	STEP_TMPFILE, /* and give it a name */
	STEP_LINK,
	STEP_UNLINK,
	STEP_RMDIR,
	STEP_RENAME,
	STEP_WRITE,
	STEP_APPEND,
	STEP_TRUNCATE,
	STEP_FALLOCATE,
	STEP_CLONE,
	STEP_SETXATTR,
	STEP_REMOVEXATTR,
	STEP_CHMOD,
	STEP_CHOWN,
	STEP_UTIMES,
	STEP_OPEN, /* a reference that outlives its names */
	STEP_CLOSE,
	STEP_FSYNC,
	STEP_FDATASYNC,
	STEP_FSYNCDIR,
	STEP_SYNC,
	STEP_CHECKPOINT,
	STEP_TICK,
	STEP_CLEAN,
	STEP_READ,
	STEP_COUNT
};

/** struct lfs_step - @path, @path2: WORLD_PATH(), or WORLD_PATHS + k: the file that reference k holds. */
struct lfs_step {
	uint8_t kind, path, path2, c;
	uint32_t a, b;
};

#define WORLD_DIRS            4u  /* "", "a", "b", "a/b" */
#define WORLD_NAMES           10u /* in each; the first two are the directories' */
#define WORLD_PATHS           (WORLD_DIRS * WORLD_NAMES)
#define WORLD_OPEN            6u
#define WORLD_PATH(dir, name) ((dir)*WORLD_NAMES + (name))

/**
 * struct lfs_world -
 * @synced:    Called when a sync has returned 0: from now on @promise is the oldest operation that may be found.
 * @promise:   The largest of these.
 * @may_be_full: -ENOSPC is no failure (of what takes space).
 * @may_lack_memory: -ENOMEM is none of anything.
 * @tell:      Print what the engine logs.
 * @full, @refused: How often that was.
 * @skipped:   Steps whose paths led nowhere.
 */
struct lfs_world {
	struct lfs *fs;
	struct lfs_twin twin;
	uint32_t promise;
	int64_t clock; /* seconds; each mount comes a day later: no two of them at the same time */
	uint32_t stamps; /* given to writes so far */
	bool may_be_full, may_lack_memory, tell;
	uint64_t full, refused, skipped, done;
	uint32_t open[WORLD_OPEN]; /* nodes, TWIN_NONE */
	uint8_t *buf;
	void (*before)(void *ctx, uint32_t op); /* each step; may be NULL */
	void (*after)(void *ctx);               /* before attributes are asked for; may be NULL */
	void (*synced)(void *ctx, uint32_t promise);
	void *ctx;
	struct lfs_mount_options options;
	char log[400]; /* the last line that the engine logged */
	uint64_t errors_logged;
};

#define WORLD_WRITE_MAX (256u << 10)

/** lfs_world_init() - A twin of an empty filesystem; mount with lfs_world_mount(). */
void lfs_world_init(struct lfs_world *world);
void lfs_world_destroy(struct lfs_world *world);

/** lfs_world_adopt() - Continue from what a crash left: @seen becomes the twin (and is emptied). */
void lfs_world_adopt(struct lfs_world *world, struct lfs_twin *seen);

/** lfs_world_mount() - With the world's clock and log. Return: lfs_mount()'s. */
int lfs_world_mount(struct lfs_world *world, struct lfs_bdev *dev);

/** lfs_world_format() - Fixed seed and uuid: the same bytes each time. */
int lfs_world_format(struct lfs_world *world, struct lfs_bdev *dev, uint32_t segment_bytes);

/** lfs_world_unmount() - Give all references back first. */
int lfs_world_unmount(struct lfs_world *world);

/** lfs_world_abort() - As a crash does. */
void lfs_world_abort(struct lfs_world *world);

/** lfs_world_do() - One step, on both. */
void lfs_world_do(struct lfs_world *world, const struct lfs_step *step);

/** lfs_world_compare() - Walk the filesystem: is it the twin, now? Return: false, and why. */
bool lfs_world_compare(struct lfs_world *world, char why[ORACLE_WHY_BYTES]);

/** lfs_world_random_step() - Any step, small files; @fsyncs: one in so many is a sync of some kind. */
struct lfs_step lfs_world_random_step(struct rng *rng, uint32_t fsyncs);

/** lfs_step_text() - As one would write it in a shell. */
void lfs_step_text(const struct lfs_step *step, char *text, size_t room);

#endif
