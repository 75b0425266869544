/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * No memory: each allocation of each operation fails in turn, on an image that has just been mounted, so that everything
 * has to be loaded. The operation is done, or it says -ENOMEM and nothing has changed; the filesystem goes on in either
 * case, can be unmounted, has no findings, and is the same after that; nothing leaks. Where a change was made in memory and
 * there is no memory to log it, the filesystem turns read-only and says so: then the same must be true of what is on the
 * disk.
 *
 * Not made to fail: CRoaring's own allocations. It does not look at what malloc() gives it.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bdev_crash.h"
#include "check.h"
#include "lfs_scarce.h"
#include "lfs_world.h"
#include "../../fs-lfs/internal.h" /* lindex has one of this name too */

#define BLOCK     LFS_BLOCK_BYTES
#define MIB       (1u << 20)
#define MOST      5000u /* allocations of one operation */
#define BIG_DIR   150u  /* names: more than one block, so an index */
#define NODES_MAX 200u
#define FRAGMENT  40u /* extents: more than an inode holds, so a map in pages */

#define STEP(kind_, ...)                                                                           \
	{                                                                                          \
		.kind = STEP_##kind_, __VA_ARGS__                                                  \
	}

#define A  WORLD_PATH(0, 0)
#define B  WORLD_PATH(0, 1)
#define AB WORLD_PATH(1, 1)
#define AF WORLD_PATH(1, 2) /* some blocks */
#define AG WORLD_PATH(1, 3) /* in its inode */
#define BF WORLD_PATH(2, 2) /* a map in pages, attributes */
#define BG WORLD_PATH(2, 3) /* its clone */
#define AH WORLD_PATH(1, 4) /* not there */
#define BH WORLD_PATH(2, 4) /* not there */

/* ---- The image ---------------------------------------------------------------------------------------- */

struct setting {
	struct crash_layer base;
	struct lfs_world world;
	uint64_t k; /* which allocation of the next step fails */
	bool failed;
};

static void arm(void *ctx, uint32_t op)
{
	struct setting *s = ctx;

	(void)op;
	scarce_fail(s->k);
}

static void disarm(void *ctx)
{
	struct setting *s = ctx;

	s->failed |= scarce_fail(0);
	s->k = 0;
}

static void fill_directory(struct lfs_world *w)
{
	struct lfs_attr attr;
	struct lfs_cred cred = { 0 };
	uint32_t node;
	char name[40];

	for (uint32_t i = 0; i < BIG_DIR; i++) {
		snprintf(name, sizeof(name), "a name of some length, number %u", i);
		lfs_twin_begin(&w->twin);
		CHECK(!lfs_create(w->fs, w->twin.nodes[2].ino, name, 0644, &cred, &attr), "create");
		CHECK(!lfs_twin_make(&w->twin, 2, name, S_IFREG, NULL, &node), "twin");
		w->twin.nodes[node].ino = attr.ino;
		w->twin.nodes[node].generation = attr.generation;
		w->twin.nodes[node].states[0].attr = attr;
		lfs_forget(w->fs, attr.ino, 1);
	}
	lfs_world_do(w, &(struct lfs_step)STEP(CHMOD, .path = B, .a = 0755)); /* its attributes */
}

static void populate(struct lfs_world *w)
{
	static const struct lfs_step steps[] = {
		STEP(MKDIR, .path = A),
		STEP(MKDIR, .path = B),
		STEP(CREATE, .path = AF),
		STEP(WRITE, .path = AF, .b = 7 * BLOCK / 2),
		STEP(CREATE, .path = AG),
		STEP(WRITE, .path = AG, .b = 50),
		STEP(CREATE, .path = BF),
		STEP(SETXATTR, .path = BF, .a = 3),
		STEP(SETXATTR, .path = BF, .a = 2, .c = 1),
		STEP(CREATE, .path = BG),
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		lfs_world_do(w, &steps[i]);
	for (uint32_t i = 0; i < FRAGMENT; i++)
		lfs_world_do(w, &(struct lfs_step)STEP(WRITE, .path = BF, .a = i * 2 * BLOCK,
						       .b = BLOCK - 1));
	lfs_world_do(w, &(struct lfs_step)STEP(CLONE, .path = BF, .path2 = BG, .b = 60 * BLOCK));
	fill_directory(w);
}

static void setting_init(struct setting *s)
{
	struct crash_disk disk;

	memset(s, 0, sizeof(*s));
	crash_layer_init(&s->base, 8 * MIB, NULL);
	crash_disk_init(&disk, &s->base);
	lfs_world_init(&s->world);
	CHECK(!lfs_world_format(&s->world, &disk.dev, LFS_SEGMENT_MIN), "format");
	CHECK(!lfs_world_mount(&s->world, &disk.dev), "mount");
	populate(&s->world);
	CHECK(!lfs_world_unmount(&s->world), "unmount");
	crash_disk_destroy(&disk);
	lfs_twin_settle(&s->world.twin);
	s->world.may_lack_memory = true;
	s->world.before = arm;
	s->world.after = disarm;
	s->world.ctx = s;
	CHECK(!scarce_live(), "%" PRIu64 " allocations are left", scarce_live());
}

static void setting_destroy(struct setting *s)
{
	lfs_world_destroy(&s->world);
	crash_layer_destroy(&s->base);
}

/* ---- One attempt ---------------------------------------------------------------------------------------- */

static void on_found(void *ctx, enum lfs_severity severity, const char *line)
{
	(void)severity;
	snprintf(ctx, 300, "%s", line);
}

static void assert_sound(struct lfs_bdev *dev)
{
	char line[300] = "";
	struct lfs_check_options opt = { .found = on_found, .ctx = line };
	struct lfs_check_result result = { 0 };
	int rc = lfs_check(dev, &opt, &result);

	CHECK(!rc && !result.findings, "check: %d: %s", rc, line);
}

/*
 * What was refused may have moved data out of its inode first: that is logged by itself, and all that is to be seen of it
 * is the count of blocks.
 */
static void forgive_blocks(struct lfs_world *w, uint64_t *blocks)
{
	for (size_t i = 0; i < w->twin.n_nodes; i++) {
		struct lfs_twin_node *n = &w->twin.nodes[i];
		struct lfs_attr attr;

		blocks[i] = n->states[0].attr.blocks;
		if (!lfs_getattr(w->fs, n->ino, &attr))
			n->states[n->n_states - 1].attr.blocks = attr.blocks;
	}
}

/* After a rewind: what the operation made is no more. */
static void remember_blocks(struct lfs_world *w, const uint64_t *blocks, size_t n)
{
	for (size_t i = 0; i < n && i < w->twin.n_nodes; i++)
		w->twin.nodes[i].states[0].attr.blocks = blocks[i];
}

/* What is there now is there after a remount: of an operation that may be partly done. */
static void assert_same_after_remount(struct lfs_world *w, struct lfs_bdev *dev)
{
	char why[ORACLE_WHY_BYTES] = "";
	struct lfs_twin now, then;
	uint32_t at;

	CHECK(!lfs_oracle_observe(w->fs, &now, why), "%s", why);
	CHECK(!lfs_world_unmount(w) && !lfs_world_mount(w, dev), "remount: %s", w->log);
	CHECK(!lfs_oracle_observe(w->fs, &then, why), "%s", why);
	CHECK(lfs_oracle_match(&now, &then, 0, 0, &at, why), "%s", why);
	lfs_twin_destroy(&now);
	lfs_twin_destroy(&then);
	CHECK(!lfs_world_unmount(w), "unmount");
}

/* As after an operation from @oldest on. */
static bool is_one_of(struct lfs_world *w, uint32_t oldest, char why[ORACLE_WHY_BYTES])
{
	struct lfs_twin seen;
	uint32_t at;
	bool equal = !lfs_oracle_observe(w->fs, &seen, why) &&
		     lfs_oracle_match(&w->twin, &seen, oldest, w->twin.op, &at, why);

	lfs_twin_destroy(&seen);
	return equal;
}

/* The @k-th allocation of @steps fails. Return: false: they need fewer. */
static bool attempt(struct setting *s, const struct lfs_step *steps, size_t n, uint64_t k)
{
	struct lfs_world *w = &s->world;
	char why[ORACLE_WHY_BYTES] = "";
	uint64_t blocks[NODES_MAX];
	struct crash_layer layer;
	struct crash_disk disk;
	size_t forgiven = 0;
	bool partly = false, read_only;
	int rc;

	crash_layer_init(&layer, s->base.blocks * BLOCK, &s->base);
	crash_disk_init(&disk, &layer);
	s->failed = false;
	w->refused = w->promise = 0;
	CHECK(!lfs_world_mount(w, &disk.dev), "mount");
	for (size_t i = 0; i < n; i++) {
		s->k = i + 1 == n ? k : 0;
		lfs_world_do(w, &steps[i]);
	}
	read_only = w->fs->error;
	if (read_only) {
		lfs_world_abort(w);
	} else if (w->refused && steps[n - 1].kind == STEP_FALLOCATE) {
		assert_same_after_remount(w, &disk.dev);
		partly = true;
	} else {
		if (w->refused) {
			forgiven = w->twin.n_nodes;
			CHECK(forgiven <= NODES_MAX, "%zu nodes", forgiven);
			forgive_blocks(w, blocks);
		}
		CHECK(lfs_world_compare(w, why), "%s", why);
		rc = lfs_world_unmount(w);
		CHECK(!rc, "unmount: %d (log: %s)", rc, w->log);
	}
	CHECK(!scarce_live(), "%" PRIu64 " allocations are left", scarce_live());
	assert_sound(&disk.dev);
	CHECK(!lfs_world_mount(w, &disk.dev), "mount again");
	CHECK(partly || is_one_of(w, read_only ? w->promise : w->twin.op, why),
	      "after a remount: %s", why);
	lfs_world_abort(w);
	lfs_twin_rewind(&w->twin, 0);
	remember_blocks(w, blocks, forgiven);
	crash_disk_destroy(&disk);
	crash_layer_destroy(&layer);
	CHECK(!scarce_live(), "%" PRIu64 " allocations are left", scarce_live());
	return s->failed;
}

static void each_fails(struct setting *s, const struct lfs_step *steps, size_t n)
{
	char text[200];
	uint64_t k = 1;

	lfs_step_text(&steps[n - 1], text, sizeof(text));
	do
		harness_step(text, k);
	while (attempt(s, steps, n, k++) && k < MOST);
	CHECK(k < MOST, "no end of allocations");
}

static const struct lfs_step singles[] = {
	STEP(CREATE, .path = AH),
	STEP(CREATE, .path = BH),
	STEP(MKDIR, .path = AB),
	STEP(SYMLINK, .path = BH),
	STEP(MKNOD, .path = AH),
	STEP(TMPFILE, .path = BH),
	STEP(LINK, .path = AF, .path2 = BH),
	STEP(UNLINK, .path = AF),
	STEP(UNLINK, .path = BF),
	STEP(UNLINK, .path = BG),
	STEP(RMDIR, .path = B),
	STEP(RENAME, .path = AF, .path2 = BH),
	STEP(RENAME, .path = AG, .path2 = BF),
	STEP(RENAME, .path = AF, .path2 = BF, .c = 2),
	STEP(RENAME, .path = B, .path2 = AB),
	STEP(WRITE, .path = AF, .a = 5000, .b = 99),
	STEP(WRITE, .path = AF, .a = 3 * BLOCK, .b = 9 * BLOCK - 1),
	STEP(WRITE, .path = AG, .a = 10, .b = 20),
	STEP(WRITE, .path = AG, .a = 10, .b = 2 * BLOCK),
	STEP(WRITE, .path = BF, .a = 2 * BLOCK + 5, .b = 40000),
	STEP(WRITE, .path = BG, .a = 2 * BLOCK, .b = BLOCK - 1),
	STEP(APPEND, .path = AF, .b = 700),
	STEP(TRUNCATE, .path = AF, .a = 5001),
	STEP(TRUNCATE, .path = AG, .a = 9000),
	STEP(TRUNCATE, .path = BF, .a = 30001),
	STEP(TRUNCATE, .path = BG, .a = 0),
	STEP(FALLOCATE, .path = AF, .c = 0, .a = 0, .b = 80000),
	STEP(FALLOCATE, .path = AG, .c = 1, .a = BLOCK, .b = 5 * BLOCK),
	STEP(FALLOCATE, .path = BF, .c = 2, .a = 3000, .b = 60000),
	STEP(FALLOCATE, .path = BG, .c = 3, .a = 100, .b = 10000),
	STEP(FALLOCATE, .path = AF, .c = 5, .a = BLOCK, .b = 2 * BLOCK),
	STEP(FALLOCATE, .path = BF, .c = 6, .a = 2 * BLOCK, .b = 3 * BLOCK),
	STEP(CLONE, .path = AF, .path2 = BF, .b = 3 * BLOCK),
	STEP(CLONE, .path = BF, .path2 = AF, .b = 80000),
	STEP(CLONE, .path = BG, .path2 = AG, .a = BLOCK, .b = 9000, .c = 2),
	STEP(SETXATTR, .path = AF, .a = 2, .c = 0),
	STEP(SETXATTR, .path = AG, .a = 6, .c = 1),
	STEP(SETXATTR, .path = BF, .a = 1, .c = 0),
	STEP(REMOVEXATTR, .path = BF, .c = 0),
	STEP(CHMOD, .path = AF, .a = 0600),
	STEP(CHOWN, .path = B, .a = 7, .b = 8),
	STEP(UTIMES, .path = AG, .a = 12345, .b = 678),
	STEP(OPEN, .path = AF),
	STEP(READ, .path = BF, .a = 9 * BLOCK, .b = 30000),
	STEP(READ, .path = BG, .a = 100, .b = 200),
};

Test(alloc, an_operation_is_done_or_changes_nothing)
{
	struct setting s;

	setting_init(&s);
	for (size_t i = 0; i < sizeof(singles) / sizeof(singles[0]); i++)
		each_fails(&s, &singles[i], 1);
	setting_destroy(&s);
}

/* Changes of all kinds, and then what writes them: nothing is lost, whatever fails. */
static const struct lfs_step changes[] = {
	STEP(CREATE, .path = AH),
	STEP(WRITE, .path = AH, .b = 30000),
	STEP(WRITE, .path = BF, .a = 2 * BLOCK, .b = 9 * BLOCK),
	STEP(TRUNCATE, .path = BG, .a = 30001),
	STEP(UNLINK, .path = AG),
	STEP(SETXATTR, .path = BF, .a = 5, .c = 1),
	STEP(RENAME, .path = AF, .path2 = BH),
	STEP(FSYNC, .path = AH),
	STEP(CHECKPOINT),
	STEP(TICK),
	STEP(CLEAN),
};

Test(alloc, nothing_is_lost_by_what_writes_the_changes)
{
	struct lfs_step steps[sizeof(changes) / sizeof(changes[0])];
	size_t n = sizeof(changes) / sizeof(changes[0]) - 4;
	struct setting s;

	setting_init(&s);
	memcpy(steps, changes, sizeof(steps));
	for (size_t i = n; i < sizeof(changes) / sizeof(changes[0]); i++) {
		steps[n] = changes[i];
		each_fails(&s, steps, n + 1);
	}
	setting_destroy(&s);
}

/* ---- Mount, unmount, check ---------------------------------------------------------------------------------- */

enum whole { WHOLE_MOUNT, WHOLE_MOUNT_AFTER_CRASH, WHOLE_UNMOUNT, WHOLE_CHECK };

/* Return: false: it needs fewer than @k allocations. */
static bool attempt_whole(struct setting *s, enum whole what, uint64_t k)
{
	struct lfs_check_options opt = { .scrub = true };
	struct lfs_check_result result = { 0 };
	struct lfs_world *w = &s->world;
	char why[ORACLE_WHY_BYTES] = "";
	struct crash_layer layer;
	struct crash_disk disk;
	bool failed;
	int rc = 0;

	crash_layer_init(&layer, s->base.blocks * BLOCK, &s->base);
	crash_disk_init(&disk, &layer);
	if (what == WHOLE_UNMOUNT || what == WHOLE_MOUNT_AFTER_CRASH) {
		CHECK(!lfs_world_mount(w, &disk.dev), "mount");
		for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]) - 3; i++)
			lfs_world_do(w, &changes[i]);
		if (what == WHOLE_MOUNT_AFTER_CRASH)
			lfs_world_abort(w);
	}
	scarce_fail(k);
	if (what == WHOLE_CHECK)
		rc = lfs_check(&disk.dev, &opt, &result);
	else if (what == WHOLE_UNMOUNT)
		rc = lfs_world_unmount(w);
	else
		rc = lfs_world_mount(w, &disk.dev);
	failed = scarce_fail(0);
	/* An unmount that cannot write is an error like any other; what was synced is there. */
	CHECK(rc == 0 || rc == -ENOMEM || (what == WHOLE_UNMOUNT && rc == -EIO), "%d", rc);
	CHECK(rc == 0 || failed, "-ENOMEM with no allocation failing");
	lfs_world_abort(w);
	CHECK(!scarce_live(), "%" PRIu64 " allocations are left", scarce_live());
	assert_sound(&disk.dev);
	CHECK(!lfs_world_mount(w, &disk.dev), "mount: %s", w->log);
	CHECK(lfs_world_compare(w, why), "%s", why);
	lfs_world_abort(w);
	lfs_twin_rewind(&w->twin, 0);
	crash_disk_destroy(&disk);
	crash_layer_destroy(&layer);
	return failed;
}

Test(alloc, mount_unmount_and_check_fail_whole)
{
	static const char *const names[] = { "mount", "mount after a crash", "unmount", "check" };
	struct setting s;

	setting_init(&s);
	for (int what = WHOLE_MOUNT; what <= WHOLE_CHECK; what++) {
		uint64_t k = 1;

		do
			harness_step(names[what], k);
		while (attempt_whole(&s, (enum whole)what, k++) && k < MOST);
		CHECK(k < MOST, "no end of allocations");
		if (getenv("SHOW"))
			fprintf(stderr, "%6" PRIu64 "  %s\n", k - 2, names[what]);
	}
	setting_destroy(&s);
}
