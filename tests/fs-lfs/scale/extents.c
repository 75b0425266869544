/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Maps of a million extents and of ten. */
#include <stdio.h>
#include <stdlib.h>

#include "scale.h"

#define LOOKUPS 2000000u

/* A file whose blocks lie in no order: each written by itself, at random; twice as often as there are. */
static lfs_ino_t make_fragmented(struct scale *s, const char *name, uint64_t blocks)
{
	lfs_ino_t ino = scale_make(s, name);

	for (uint64_t i = 0; i < blocks; i += 256)
		CHECK(lfs_write(s->fs, ino, s->buf, MIB, i * BLOCK, 0) == (ssize_t)MIB, "write");
	for (uint64_t i = 0; i < 4 * blocks; i++) {
		CHECK(lfs_write(s->fs, ino, s->buf, BLOCK, rng_below(&s->rng, blocks) * BLOCK, 0) ==
			      BLOCK,
		      "write");
		if (i % 1024 == 0)
			CHECK(lfs_tick(s->fs, false) >= 0, "tick");
	}
	return ino;
}

static void map_bytes(struct scale *s, lfs_ino_t ino, double bar, const char *disk,
		      const char *memory)
{
	struct lfs_map_stats map;
	double extents;

	CHECK(!lfs_checkpoint(s->fs) && !lfs_get_map_stats(s->fs, ino, &map), "map");
	extents = (double)map.extents;
	scale_bar(disk, (double)map.disk_bytes / extents, bar, "bytes");
	scale_bar(memory, (double)map.memory_bytes / extents, bar, "bytes");
	scale_say("%.0f extents, depth %u, window %u", extents, map.depth, map.window);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* One lookup of the map, as SEEK_DATA makes it: there is data at each block, so it is a lookup and nothing else. */
static void hot_lookups(struct scale *s, lfs_ino_t ino, uint64_t blocks)
{
	uint32_t *ns = malloc(LOOKUPS * sizeof(*ns));
	double sum = 0;

	CHECK(ns, "no memory");
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < LOOKUPS; i++) {
			int64_t at = (int64_t)(rng_below(&s->rng, blocks) * BLOCK);
			double begin = scale_now();

			CHECK(lfs_lseek(s->fs, ino, (uint64_t)at, LFS_SEEK_DATA) == at, "seek");
			ns[i] = (uint32_t)((scale_now() - begin) * 1e9);
		}
	for (uint32_t i = 0; i < LOOKUPS; i++)
		sum += ns[i];
	qsort(ns, LOOKUPS, sizeof(*ns), by_size);
	scale_bar("hot lookup through the engine, P99.9", ns[LOOKUPS - LOOKUPS / 1000], 1000, "ns");
	scale_say("mean %.0f ns, P50 %u, P99 %u; with the clock, the inode and its lock",
		  sum / LOOKUPS, ns[LOOKUPS / 2], ns[LOOKUPS / 100 * 99]);
	free(ns);
}

static void fsync_blocks(struct scale *s, lfs_ino_t ino, uint64_t blocks)
{
	uint64_t most = 0, all = 0;

	for (int i = 0; i < 1000; i++) {
		struct lfs_stats before = scale_stats(s), after;
		uint64_t n;

		CHECK(lfs_write(s->fs, ino, s->buf, BLOCK, rng_below(&s->rng, blocks) * BLOCK, 0) ==
			      BLOCK,
		      "write");
		CHECK(!lfs_fsync(s->fs, ino, false), "fsync");
		after = scale_stats(s);
		n = after.device_blocks_written - before.device_blocks_written;
		if (after.checkpoints != before.checkpoints)
			continue;
		most = n > most ? n : most;
		all += n;
	}
	scale_bar("fsync of one block, most blocks written", (double)most, 5, "blocks");
	scale_say("mean %.2f (a segment's table among them now and then)", (double)all / 1000);
}

/* What random reads cost, and how much of that is the map. */
static void random_reads(struct scale *s, lfs_ino_t ino, uint64_t blocks)
{
	struct lfs_stats before = scale_stats(s), after;
	double begin = scale_now(), seconds;

	for (uint32_t i = 0; i < LOOKUPS / 4; i++)
		CHECK(lfs_read(s->fs, ino, s->buf, BLOCK, rng_below(&s->rng, blocks) * BLOCK) ==
			      BLOCK,
		      "read");
	seconds = scale_now() - begin;
	after = scale_stats(s);
	scale_say("random reads: %.0f ns each in process; map lookups %.0f ns (%llu of them)",
		  seconds * 1e9 / (LOOKUPS / 4),
		  (double)(after.map_lookup_ns - before.map_lookup_ns) / (LOOKUPS / 4),
		  (unsigned long long)(after.map_lookups - before.map_lookups));
}

void scale_fragments(struct scale *s)
{
	uint64_t blocks = s->quick ? 100 << 10 : 1 << 20;

	scale_open(s, blocks * BLOCK * 3 / 2, 0);
	lfs_ino_t ino = make_fragmented(s, "file", blocks);

	map_bytes(s, ino, 8, "map on disk, per extent, after random overwrites",
		  "map in memory, per extent");
	fsync_blocks(s, ino, blocks);
	hot_lookups(s, ino, blocks);
	random_reads(s, ino, blocks);
	scale_close(s);
}

/* The blocks of @from in another order: shared, and an extent each. */
static void scramble(struct scale *s, lfs_ino_t from, lfs_ino_t to, uint64_t blocks)
{
	uint64_t step = blocks * 618 / 1000 |
			1; /* odd, and @blocks is a power of two: every block once */

	for (uint64_t i = 0; i < blocks; i++) {
		CHECK(lfs_clone_range(s->fs, from, (i * step % blocks) * BLOCK, to, i * BLOCK,
				      BLOCK) == BLOCK,
		      "clone");
		if (i % 1024 == 0)
			CHECK(lfs_tick(s->fs, false) >= 0, "tick");
	}
}

/* Many extents are made by sharing: a file, its blocks in another order, and clones of that. */
void scale_extents(struct scale *s)
{
	uint64_t blocks = s->quick ? 1 << 14 : 1 << 17, clones = s->quick ? 10 : 77;
	struct lfs_map_stats map;
	struct lfs_stats stats;
	lfs_ino_t ino, mixed, clone;
	double seconds;
	char name[32];

	scale_open(s, 2048 * MIB, 0);
	ino = scale_make(s, "file");
	for (uint64_t i = 0; i < blocks; i += 256)
		CHECK(lfs_write(s->fs, ino, s->buf, MIB, i * BLOCK, 0) == (ssize_t)MIB, "write");
	mixed = scale_make(s, "mixed");
	scramble(s, ino, mixed, blocks);
	for (uint64_t i = 0; i < clones; i++) {
		snprintf(name, sizeof(name), "clone %u", (unsigned int)i);
		clone = scale_make(s, name);
		CHECK(lfs_clone_range(s->fs, mixed, 0, clone, 0, blocks * BLOCK) ==
			      (ssize_t)(blocks * BLOCK),
		      "clone");
		lfs_forget(s->fs, clone, 1);
		CHECK(lfs_tick(s->fs, false) >= 0, "tick");
	}
	CHECK(!lfs_get_map_stats(s->fs, mixed, &map), "map");
	lfs_forget(s->fs, ino, 1);
	lfs_forget(s->fs, mixed, 1);
	seconds = scale_remount(s, 0);
	stats = scale_stats(s);
	scale_bar("mount of an image with many extents", seconds, 0.2, "seconds");
	scale_say("%llu extents; %llu blocks read, %llu KiB of memory",
		  (unsigned long long)(map.extents * (clones + 1)),
		  (unsigned long long)stats.device_blocks_read,
		  (unsigned long long)(stats.cache_bytes + stats.index_bytes + stats.inode_bytes) >>
			  10);
	CHECK(!lfs_lookup(s->fs, LFS_ROOT_INO, "clone 3", &(struct lfs_attr){ 0 }), "lookup");
	scale_close(s);
}
