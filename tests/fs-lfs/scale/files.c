/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A million files: mounting them, and walking over them with the memory that a mount has by default. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "scale.h"

#define CAP     (256 * MIB)
#define PER_DIR 1000u

static const struct lfs_cred cred = { .umask = 022 };

static void make_files(struct scale *s, uint64_t dirs)
{
	struct lfs_attr dir, attr;
	char name[32];

	for (uint64_t d = 0; d < dirs; d++) {
		snprintf(name, sizeof(name), "directory %u", (unsigned int)d);
		CHECK(!lfs_mkdir(s->fs, LFS_ROOT_INO, name, 0755, &cred, &dir), "mkdir");
		for (uint32_t i = 0; i < PER_DIR; i++) {
			snprintf(name, sizeof(name), "file-%06u.data", i);
			CHECK(!lfs_create(s->fs, dir.ino, name, 0644, &cred, &attr), "create");
			lfs_forget(s->fs, attr.ino, 1);
		}
		lfs_forget(s->fs, dir.ino, 1);
		CHECK(lfs_tick(s->fs, false) >= 0, "tick");
	}
}

struct find {
	struct scale *s;
	uint64_t files, most;
};

/* As find does through FUSE: each entry is looked up, and the kernel keeps the reference. */
static bool found(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *unused)
{
	struct find *f = ctx;
	struct lfs_attr attr;

	(void)unused;
	if (entry->name[0] == '.')
		return true;
	CHECK(!lfs_ref(f->s->fs, entry->ino, 0, &attr), "entry %.*s", entry->name_len, entry->name);
	f->files++;
	return true;
}

static bool enter(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *unused)
{
	struct find *f = ctx;
	struct mallinfo2 info;

	(void)unused;
	if (entry->name[0] == '.')
		return true;
	CHECK(!lfs_readdir(f->s->fs, entry->ino, 0, found, f), "readdir");
	CHECK(lfs_tick(f->s->fs, false) >= 0, "tick");
	info = mallinfo2();
	if (info.uordblks + info.hblkhd > f->most)
		f->most = info.uordblks + info.hblkhd;
	return true;
}

void scale_files(struct scale *s)
{
	struct find find = { .s = s };
	struct lfs_stats stats;
	struct mallinfo2 before;
	double seconds;

	scale_open(s, 2048 * MIB, CAP);
	make_files(s, s->quick ? 100 : 1000);
	seconds = scale_remount(s, CAP);
	scale_bar("mount of an image with many files", seconds, 0.2, "seconds");
	scale_say("%llu blocks read", (unsigned long long)scale_stats(s).device_blocks_read);
	before = mallinfo2(); /* the image itself, and the mount */
	CHECK(!lfs_readdir(s->fs, LFS_ROOT_INO, 0, enter, &find), "readdir");
	stats = scale_stats(s);
	scale_bar("memory after a walk over them, all referenced",
		  (double)(find.most - (before.uordblks + before.hblkhd)) / (double)MIB,
		  (double)CAP / (double)MIB, "MiB");
	scale_say("%llu files; the engine counts %llu MiB: cache %llu, maps %llu, inodes %llu",
		  (unsigned long long)find.files,
		  (unsigned long long)((stats.cache_bytes + stats.index_bytes + stats.inode_bytes) /
				       MIB),
		  (unsigned long long)(stats.cache_bytes / MIB),
		  (unsigned long long)(stats.index_bytes / MIB),
		  (unsigned long long)(stats.inode_bytes / MIB));
	scale_close(s);
}
