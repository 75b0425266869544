/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What must not grow with size: blocks that an fsync writes, blocks that a mount reads, bytes of a map, memory.
 * Counted, not timed.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lfs.h"
#include "rng.h"

#define MIB   ((uint64_t)1 << 20)
#define BLOCK 4096u

static const struct lfs_cred nobody = { 0, 0, 022 };

struct disk {
	struct lfs_bdev *dev;
	struct lfs *fs;
	uint8_t *buf; /* 1 MiB */
};

static void disk_open(struct disk *d, uint64_t bytes)
{
	CHECK(!lfs_bdev_mem_create(bytes, &d->dev), "no memory");
	CHECK(!lfs_format(d->dev, NULL), "format");
	CHECK(!lfs_mount(d->dev, NULL, &d->fs), "mount");
	d->buf = calloc(1, MIB);
	CHECK(d->buf, "no memory");
	memset(d->buf, 'x', MIB);
}

static void disk_close(struct disk *d)
{
	CHECK(!lfs_unmount(d->fs), "unmount");
	lfs_bdev_close(d->dev);
	free(d->buf);
}

static struct lfs_stats stats(struct lfs *fs)
{
	struct lfs_stats s;

	lfs_get_stats(fs, &s);
	return s;
}

static lfs_ino_t make(struct lfs *fs, const char *name)
{
	struct lfs_attr attr;

	CHECK(!lfs_create(fs, LFS_ROOT_INO, name, 0644, &nobody, &attr), "create %s", name);
	return attr.ino;
}

/* A file whose blocks lie in no order: each written by itself, at random. */
static lfs_ino_t make_fragmented(struct disk *d, uint64_t blocks, struct rng *rng)
{
	lfs_ino_t ino = make(d->fs, "fragmented");

	for (uint64_t i = 0; i < blocks; i += 256)
		CHECK(lfs_write(d->fs, ino, d->buf, MIB, i * BLOCK, 0) == (ssize_t)MIB, "write");
	for (uint64_t i = 0; i < blocks; i++)
		CHECK(lfs_write(d->fs, ino, d->buf, BLOCK, rng_below(rng, blocks) * BLOCK, 0) ==
			      BLOCK,
		      "write");
	return ino;
}

Test(scale, fsync_of_one_block_writes_two_wherever_it_is)
{
	struct rng rng;
	struct disk d;
	lfs_ino_t ino;

	rng_init(&rng, harness_seed(), 1);
	disk_open(&d, 512 * MIB);
	ino = make_fragmented(&d, 30720, &rng);
	CHECK(!lfs_fsync(d.fs, ino, false), "fsync");
	for (int i = 0; i < 50; i++) {
		struct lfs_stats before = stats(d.fs), after;
		uint64_t blocks;

		CHECK(lfs_write(d.fs, ino, d.buf, BLOCK, rng_below(&rng, 30720) * BLOCK, 0) ==
			      BLOCK,
		      "write");
		CHECK(!lfs_fsync(d.fs, ino, false), "fsync");
		after = stats(d.fs);
		blocks = after.device_blocks_written - before.device_blocks_written;
		/* Header and data; a table now and then, when a segment is full. */
		CHECK(blocks <= 5 || after.checkpoints != before.checkpoints, "%d: %llu blocks", i,
		      (unsigned long long)blocks);
		CHECK(after.flushes - before.flushes == 1 ||
			      after.checkpoints != before.checkpoints,
		      "%d: flushes", i);
	}
	disk_close(&d);
}

Test(scale, map_of_a_fragmented_file_takes_few_bytes_for_each_extent)
{
	struct lfs_map_stats map;
	struct rng rng;
	struct disk d;
	lfs_ino_t ino;

	rng_init(&rng, harness_seed(), 2);
	disk_open(&d, 512 * MIB);
	ino = make_fragmented(&d, 30720, &rng);
	CHECK(!lfs_checkpoint(d.fs), "checkpoint");
	CHECK(!lfs_get_map_stats(d.fs, ino, &map), "stats");
	CHECK(map.extents > 15000, "%llu extents", (unsigned long long)map.extents);
	CHECK(map.disk_bytes <= 8 * map.extents, "%llu bytes for %llu extents",
	      (unsigned long long)map.disk_bytes, (unsigned long long)map.extents);
	CHECK(map.memory_bytes <= 8 * map.extents, "%llu bytes of memory",
	      (unsigned long long)map.memory_bytes);
	disk_close(&d);
}

Test(scale, mount_reads_as_little_of_a_full_image_as_of_an_empty_one)
{
	struct lfs_stats empty, full;
	struct lfs_attr attr;
	struct rng rng;
	struct disk d;
	char name[32];

	rng_init(&rng, harness_seed(), 3);
	disk_open(&d, 512 * MIB);
	CHECK(!lfs_unmount(d.fs) && !lfs_mount(d.dev, NULL, &d.fs), "remount");
	empty = stats(d.fs);
	make_fragmented(&d, 10240, &rng);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "file %d", i);
		CHECK(!lfs_create(d.fs, LFS_ROOT_INO, name, 0644, &nobody, &attr), "create");
		lfs_forget(d.fs, attr.ino, 1);
	}
	CHECK(!lfs_unmount(d.fs) && !lfs_mount(d.dev, NULL, &d.fs), "remount");
	full = stats(d.fs);
	CHECK(full.device_blocks_read <= empty.device_blocks_read + 16, "%llu blocks, %llu empty",
	      (unsigned long long)full.device_blocks_read,
	      (unsigned long long)empty.device_blocks_read);
	CHECK(!lfs_lookup(d.fs, LFS_ROOT_INO, "file 12345", &attr), "lookup");
	CHECK(stats(d.fs).device_blocks_read <= full.device_blocks_read + 24,
	      "a lookup among 20000 reads %llu blocks",
	      (unsigned long long)(stats(d.fs).device_blocks_read - full.device_blocks_read));
	disk_close(&d);
}

Test(scale, a_clone_costs_by_extents_not_by_bytes)
{
	struct lfs_stats before, after;
	lfs_ino_t from, to;
	struct disk d;

	disk_open(&d, 512 * MIB);
	from = make(d.fs, "from");
	to = make(d.fs, "to");
	for (uint64_t i = 0; i < 64; i++)
		CHECK(lfs_write(d.fs, from, d.buf, MIB, i * MIB, 0) == (ssize_t)MIB, "write");
	CHECK(!lfs_checkpoint(d.fs), "checkpoint");
	before = stats(d.fs);
	CHECK(lfs_clone_range(d.fs, from, 0, to, 0, 64 * MIB) == (ssize_t)(64 * MIB), "clone");
	CHECK(!lfs_sync(d.fs), "sync");
	after = stats(d.fs);
	CHECK(after.device_blocks_written - before.device_blocks_written <= 5, "written");
	CHECK(lfs_unlink(d.fs, LFS_ROOT_INO, "from") == 0, "unlink");
	lfs_forget(d.fs, from, 1);
	CHECK(lfs_read(d.fs, to, d.buf, MIB, 63 * MIB) == (ssize_t)MIB && d.buf[77] == 'x', "read");
	disk_close(&d);
}

Test(scale, memory_stays_under_the_cap)
{
	struct lfs_mount_options opt = { .cap_bytes = 16 * MIB };
	struct lfs_attr attr;
	struct disk d;
	char name[32];

	disk_open(&d, 512 * MIB);
	CHECK(!lfs_unmount(d.fs) && !lfs_mount(d.dev, &opt, &d.fs), "remount");
	for (int i = 0; i < 60000; i++) {
		struct lfs_stats s;

		snprintf(name, sizeof(name), "file %d", i);
		CHECK(!lfs_create(d.fs, LFS_ROOT_INO, name, 0644, &nobody, &attr), "create");
		if (i % 500)
			continue;
		CHECK(lfs_tick(d.fs, false) >= 0, "tick");
		s = stats(d.fs);
		CHECK(s.cache_bytes + s.index_bytes + s.inode_bytes <= opt.cap_bytes,
		      "%d: cache %llu, maps %llu, inodes %llu", i,
		      (unsigned long long)s.cache_bytes, (unsigned long long)s.index_bytes,
		      (unsigned long long)s.inode_bytes);
	}
	disk_close(&d);
}
