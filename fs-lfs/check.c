/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The check: rounds, findings, and what stands around them. checker.h tells the plan.
 */
#include "checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS_MAX    6u
#define BREATHE_EVERY 256u

/* ---- Findings ----------------------------------------------------------------------------------------- */

/* Each line is told once, whichever round comes upon it. */
static bool is_new(struct lfs_checker *ck, const char *line)
{
	uint32_t mark = (uint32_t)lfs_csum_name(line, strlen(line), 0);

	if (roaring_bitmap_contains(ck->told, mark))
		return false;
	roaring_bitmap_add(ck->told, mark);
	return true;
}

static void tell(struct lfs_checker *ck, enum lfs_severity severity, const char *line)
{
	ck->result->fixed += severity == LFS_FOUND_FIXED;
	if (!is_new(ck, line) && severity != LFS_FOUND_FIXED)
		return;
	ck->result->findings++;
	if (ck->opt->found)
		ck->opt->found(ck->opt->ctx, severity, line);
}

/**
 * lfs_found() - Something is wrong. @fixable: and can be repaired without a guess.
 *
 * Return: repair it now; it has been told as repaired.
 */
bool lfs_found(struct lfs_checker *ck, bool fixable, const char *fmt, ...)
{
	bool fix = fixable && ck->repair;
	char line[LFS_LINE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	ck->found++;
	ck->fixed += fix;
	tell(ck, fix ? LFS_FOUND_FIXED : LFS_FOUND_DAMAGE, line);
	return fix;
}

/** lfs_is_damage() - Of the image, not of this program or the device's patience. */
bool lfs_is_damage(int err)
{
	return err == -EBADMSG || err == -EUCLEAN || err == -EIO || err == -ESTALE ||
	       err == -ENOENT || err == -ERANGE || err == -EINVAL;
}

/**
 * lfs_found_err() - Something cannot be read or makes no sense: K3. What the engine logged about it is told too.
 *
 * Return: false: @err is no damage, and has to end the check.
 */
bool lfs_found_err(struct lfs_checker *ck, int err, const char *fmt, ...)
{
	char what[LFS_LINE / 2];
	va_list args;

	if (!lfs_is_damage(err))
		return false;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	ck->blind = true;
	lfs_found(ck, false, "%s: %s", what,
		  ck->last[0]     ? ck->last :
		  err == -EUCLEAN ? "makes no sense" :
				    strerror(-err));
	ck->last[0] = 0;
	return true;
}

/** lfs_unfixed() - The outcome of a repair that was announced. Return: 0, or an error that ends the check. */
int lfs_unfixed(struct lfs_checker *ck, int err, const char *fmt, ...)
{
	char what[LFS_LINE / 2], line[LFS_LINE];
	va_list args;

	if (!err)
		return 0;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "%s: cannot be repaired: %s", what, strerror(-err));
	ck->found++;
	tell(ck, LFS_FOUND_DAMAGE, line);
	return err == -ENOMEM || err == -EROFS || err == -EIO ? err : 0;
}

static void on_log(void *ctx, enum lfs_log_level level, const char *line)
{
	struct lfs_checker *ck = ctx;

	if (level <= LFS_LOG_WARNING)
		snprintf(ck->last, sizeof(ck->last), "%s", line);
}

void lfs_check_progress(struct lfs_checker *ck, const char *phase, uint64_t done, uint64_t total)
{
	if (ck->opt->progress && !(done % 64))
		ck->opt->progress(ck->opt->ctx, phase, done, total);
}

/** lfs_check_breathe() - One inode more has been looked at: give memory back now and then. */
void lfs_check_breathe(struct lfs_checker *ck)
{
	if (++ck->walked % BREATHE_EVERY)
		return;
	lfs_icache_shrink(ck->fs, ck->fs->icache.limit < 1024 ? ck->fs->icache.limit : 1024);
	lfs_cache_shrink(&ck->fs->cache, ck->fs->cache.limit);
}

/** lfs_check_writable() - From here on repairs may use the log (K2). */
int lfs_check_writable(struct lfs_checker *ck)
{
	int err;

	if (ck->writable)
		return 0;
	if (!ck->repair || !ck->books_right)
		return -EROFS;
	err = lfs_go_writable(ck->fs);
	ck->writable = !err;
	return err;
}

/* ---- One round ---------------------------------------------------------------------------------------- */

static int tools_init(struct lfs_checker *ck)
{
	ck->used = roaring_bitmap_create();
	ck->inodes = roaring_bitmap_create();
	ck->dirs = roaring_bitmap_create();
	ck->reached = roaring_bitmap_create();
	ck->lost = roaring_bitmap_create();
	ck->todo = roaring_bitmap_create();
	ck->adopt = malloc(LFS_ADOPT_MAX * sizeof(*ck->adopt));
	ck->nadopt = 0;
	ck->reserved = 0;
	ck->blind = ck->books_right = ck->writable = false;
	ck->found = ck->fixed = 0;
	ck->result->inodes = ck->result->directories = 0;
	ck->result->extents = ck->result->blocks = 0;
	return ck->used && ck->inodes && ck->dirs && ck->reached && ck->lost && ck->todo &&
			       ck->adopt ?
		       0 :
		       -ENOMEM;
}

static void tools_destroy(struct lfs_checker *ck)
{
	roaring_bitmap_t *maps[] = {
		ck->used, ck->inodes, ck->dirs, ck->reached, ck->lost, ck->todo
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (maps[i])
			roaring_bitmap_free(maps[i]);
	free(ck->adopt);
	lfs_tally_destroy(&ck->owners);
	lfs_tally_destroy(&ck->names);
	lfs_tally_destroy(&ck->subdirs);
}

static int look(struct lfs_checker *ck)
{
	int err = lfs_check_inodes(ck);

	if (!err)
		err = lfs_check_shared(ck);
	if (!err)
		err = lfs_check_books(ck);
	ck->books_right = !err;
	if (!err)
		err = lfs_check_shared_counts(ck);
	if (!err)
		err = lfs_check_tree(ck);
	if (!err)
		err = lfs_check_entries(ck);
	if (!err)
		err = lfs_check_links(ck);
	if (!err && ck->opt->scrub && ck->round == 1) {
		uint64_t before = ck->found - ck->fixed;

		err = lfs_check_scrub(ck);
		ck->scrub_left = ck->found - ck->fixed - before;
	}
	return err;
}

/* What was repaired becomes durable, or nothing was. */
static int finish(struct lfs_checker *ck, int err)
{
	if (!err && ck->fixed && !ck->writable)
		err = lfs_check_writable(ck);
	if (err || !ck->fixed) {
		lfs_abort(ck->fs);
		return err;
	}
	return lfs_unmount(ck->fs);
}

static int round_run(struct lfs_checker *ck)
{
	struct lfs_mount_options opt = {
		.read_only = true,
		.cap_bytes = ck->opt->cap_bytes,
		.callbacks = { .log = on_log, .ctx = ck },
	};
	int err = tools_init(ck);

	ck->last[0] = 0;
	if (!err) {
		err = lfs_mount(ck->dev, &opt, &ck->fs);
		if (err)
			tell(ck, LFS_FOUND_FATAL, ck->last[0] ? ck->last : strerror(-err));
	}
	if (!err)
		err = finish(ck, look(ck));
	tools_destroy(ck);
	return err;
}

/* ---- The check ---------------------------------------------------------------------------------------- */

static int rounds(struct lfs_checker *ck)
{
	int err = lfs_check_places(ck);

	if (err)
		return err;
	ck->places_left = ck->found - ck->fixed;
	do {
		ck->round++;
		err = round_run(ck);
	} while (!err && ck->fixed && ck->round < ROUNDS_MAX);
	if (err)
		return err;
	if (ck->round > 1) /* the scrub ran in the first */
		ck->found += ck->scrub_left;
	return ck->found + ck->places_left ? -EUCLEAN : 0;
}

int lfs_check(struct lfs_bdev *dev, const struct lfs_check_options *opt,
	      struct lfs_check_result *result)
{
	static const struct lfs_check_options none;
	struct lfs_check_result unwanted;
	struct lfs_checker ck = { .opt = opt ? opt : &none, .dev = dev };
	int err;

	ck.result = result ? result : &unwanted;
	memset(ck.result, 0, sizeof(*ck.result));
	ck.repair = ck.opt->repair;
	if (ck.repair && dev->read_only)
		return -EROFS;
	ck.told = roaring_bitmap_create();
	if (!ck.told)
		return -ENOMEM;
	err = rounds(&ck);
	roaring_bitmap_free(ck.told);
	return err;
}

int lfs_check_mounted(struct lfs *fs, const struct lfs_check_options *opt,
		      struct lfs_check_result *result)
{
	static const struct lfs_check_options none;
	struct lfs_check_result unwanted;
	struct lfs_checker ck = { .opt = opt ? opt : &none, .dev = fs->dev, .fs = fs, .round = 1 };
	int err;

	ck.result = result ? result : &unwanted;
	memset(ck.result, 0, sizeof(*ck.result));
	ck.told = roaring_bitmap_create();
	if (!ck.told)
		return -ENOMEM;
	err = tools_init(&ck);
	pthread_rwlock_wrlock(&fs->op_lock);
	/* What is dirty goes to disk first: then inodes may leave memory meanwhile without moving anything. */
	if (!err && !lfs_writable(fs))
		err = lfs_checkpoint_locked(fs, false);
	if (!err)
		err = look(&ck);
	pthread_rwlock_unlock(&fs->op_lock);
	tools_destroy(&ck);
	roaring_bitmap_free(ck.told);
	return err ? err : ck.found ? -EUCLEAN : 0;
}
