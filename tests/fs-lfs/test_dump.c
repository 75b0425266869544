/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The dump functions: a tree of named values, whole and balanced, of sound images and of damaged ones.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "../../fs-lfs/internal.h" /* lindex has one of this name too */

#define IMAGE_BYTES ((uint64_t)16 << 20)

/* What came in, as one text: {key ... } for groups, [key ... ] for lists, key=value. */
struct tree {
	char *text;
	size_t len, room;
	bool lists[32];
	uint32_t depth;
};

__attribute__((format(printf, 2, 3))) static void put(struct tree *t, const char *fmt, ...)
{
	va_list args;

	if (t->room - t->len < 1024) {
		t->room = t->room * 2 + 4096;
		t->text = realloc(t->text, t->room);
		CHECK(t->text, "no memory");
	}
	va_start(args, fmt);
	t->len += (size_t)vsnprintf(t->text + t->len, t->room - t->len, fmt, args);
	va_end(args);
}

/* In a list nothing has a key, in a group everything. */
static const char *key_of(const struct tree *t, const char *key)
{
	CHECK(!t->depth || t->lists[t->depth - 1] == !key, "key %s at depth %u", key ? key : "-",
	      t->depth);
	return key ? key : "";
}

static void on_open(void *ctx, const char *key, bool is_list)
{
	struct tree *t = ctx;

	put(t, "%c%s ", is_list ? '[' : '{', key_of(t, key));
	CHECK(t->depth < 32, "too deep");
	t->lists[t->depth++] = is_list;
}

static void on_close(void *ctx)
{
	struct tree *t = ctx;

	CHECK(t->depth--, "closes what is not open");
	put(t, "%c ", t->lists[t->depth] ? ']' : '}');
}

static void on_number(void *ctx, const char *key, uint64_t value)
{
	put(ctx, "%s=%llu ", key_of(ctx, key), (unsigned long long)value);
}

static void on_text(void *ctx, const char *key, const char *value)
{
	put(ctx, "%s=%s ", key_of(ctx, key), value);
}

static struct lfs_dump_sink sink_of(struct tree *t)
{
	memset(t, 0, sizeof(*t));
	return (struct lfs_dump_sink){ on_open, on_close, on_number, on_text, t };
}

/* It is balanced, says all of @wants (words apart by blanks) and, without damage, no "error". */
static void demand(struct tree *t, int err, const char *what, bool damaged,
		   const char *const *wants)
{
	CHECK(!err && !t->depth && t->len, "%s: %d, depth %u", what, err, t->depth);
	CHECK(damaged == !!strstr(t->text, "error="), "%s: %.900s", what, t->text);
	for (; *wants; wants++)
		CHECK(strstr(t->text, *wants), "%s: no \"%s\" in %.900s", what, *wants, t->text);
	free(t->text);
}

#define WANTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct lfs_cred cred = { .umask = 022 };

static lfs_ino_t make(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode)
{
	struct lfs_attr attr;

	CHECK(!(S_ISDIR(mode) ? lfs_mkdir(fs, dir, name, mode, &cred, &attr) :
				lfs_create(fs, dir, name, mode, &cred, &attr)),
	      "%s", name);
	lfs_forget(fs, attr.ino, 1);
	return attr.ino;
}

static struct lfs_bdev *image(lfs_ino_t *file, lfs_ino_t *dir)
{
	struct lfs_bdev *dev;
	char block[LFS_BLOCK] = { 1 }, name[16];
	struct lfs *fs;

	CHECK(!lfs_bdev_mem_create(IMAGE_BYTES, &dev), "no memory");
	CHECK(!lfs_format(dev, &(struct lfs_format_options){ .label = "box" }), "format");
	CHECK(!lfs_mount(dev, NULL, &fs), "mount");
	*file = make(fs, 1, "file", 0644);
	for (uint64_t i = 0; i < 100; i++)
		CHECK(lfs_write(fs, *file, block, sizeof(block), i * 3 * LFS_BLOCK, 0) > 0,
		      "write");
	CHECK(!lfs_setxattr(fs, *file, "user.shape", "round", 5, 0), "setxattr");
	*dir = make(fs, 1, "dir", 0755 | S_IFDIR);
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		make(fs, *dir, name, 0600);
	}
	CHECK(!lfs_unmount(fs), "unmount");
	return dev;
}

Test(dump, sound_image_is_told_whole)
{
	lfs_ino_t file, dir;
	struct lfs_bdev *dev = image(&file, &dir);
	struct lfs_mount_options ro = { .read_only = true };
	struct tree t;
	struct lfs_dump_sink sink = sink_of(&t);
	struct lfs *fs;
	int err = lfs_dump_super(dev, &sink);

	demand(&t, err, "super", false,
	       WANTS("block=0 ", "block=24 ", "label=box ", "version=1 ", "segment_blocks=64 "));
	sink = sink_of(&t);
	err = lfs_dump_checkpoint(dev, &sink);
	demand(&t, err, "checkpoint", false,
	       WANTS("block=8 ", "block=16 ", "clean=1 ", "inodes=403 ", "orphans=0 "));
	CHECK(!lfs_mount(dev, &ro, &fs), "mount");
	sink = sink_of(&t);
	err = lfs_dump_inode(fs, file, &sink);
	demand(&t, err, "inode", false,
	       WANTS("mode=100644 ", "blocks=100 ", "[flags =paged ] ", "[xattrs =user.shape ] "));
	sink = sink_of(&t);
	err = lfs_dump_map(fs, file, &sink);
	demand(&t, err, "map", false,
	       WANTS("first=297 last=297 ", "tag=plain ", "extents=101 ", "{index ",
		     "{ node=", "window="));
	sink = sink_of(&t);
	err = lfs_dump_map(fs, dir, &sink);
	demand(&t, err, "map of names", false, WANTS("{names ", "node="));
	sink = sink_of(&t);
	err = lfs_dump_dir(fs, dir, &sink);
	demand(&t, err, "dir", false, WANTS("name=entry-0 ", "name=entry-399 ", "count=400 "));
	for (uint64_t s = 0; s < fs->geo.nsegs; s++) {
		sink = sink_of(&t);
		err = lfs_dump_segment(fs, s, &sink);
		demand(&t, err, "segment", false, WANTS("state="));
	}
	sink = sink_of(&t);
	CHECK(lfs_dump_segment(fs, fs->geo.nsegs, &sink) == -EINVAL, "no such segment");
	CHECK(lfs_dump_dir(fs, file, &sink) == -ENOTDIR, "no directory");
	CHECK(lfs_dump_inode(fs, 999999, &sink) < 0, "no inode");
	lfs_abort(fs);
	lfs_bdev_close(dev);
}

Test(dump, damage_becomes_a_field)
{
	lfs_ino_t file, dir;
	struct lfs_bdev *dev = image(&file, &dir);
	uint8_t *bytes = lfs_bdev_mem_bytes(dev);
	struct tree t;
	struct lfs_dump_sink sink = sink_of(&t);
	int err;

	bytes[24 * LFS_BLOCK + 90] ^= 1;
	err = lfs_dump_super(dev, &sink);
	demand(&t, err, "super", true, WANTS("error=checksum does not match ", "label=box "));
	memset(bytes + 8 * LFS_BLOCK, 0, LFS_BLOCK);
	sink = sink_of(&t);
	err = lfs_dump_checkpoint(dev, &sink);
	demand(&t, err, "checkpoint", true, WANTS("error=its magic is not there ", "clean=1 "));
	lfs_bdev_close(dev);
}
