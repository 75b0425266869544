/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The images that traces begin on. */
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "trace.h"

#define BLOCK            LFS_BLOCK_BYTES
#define STEP(kind_, ...) (&(struct lfs_step){ .kind = STEP_##kind_, __VA_ARGS__ })

static struct ground grounds[GROUND_COUNT];

static void make_directories(struct lfs_world *w)
{
	lfs_world_do(w, STEP(MKDIR, .path = WORLD_PATH(0, 0)));
	lfs_world_do(w, STEP(MKDIR, .path = WORLD_PATH(0, 1)));
}

/* a/f 3.5 blocks, a/g in its inode, b/f 20 blocks with a hole and attributes. */
static void make_files(struct lfs_world *w)
{
	uint8_t af = WORLD_PATH(1, 2), ag = WORLD_PATH(1, 3), bf = WORLD_PATH(2, 2);

	make_directories(w);
	lfs_world_do(w, STEP(CREATE, .path = af));
	lfs_world_do(w, STEP(WRITE, .path = af, .b = 7 * BLOCK / 2));
	lfs_world_do(w, STEP(CREATE, .path = ag));
	lfs_world_do(w, STEP(WRITE, .path = ag, .b = 50));
	lfs_world_do(w, STEP(CREATE, .path = bf));
	lfs_world_do(w, STEP(WRITE, .path = bf, .b = 10 * BLOCK));
	lfs_world_do(w, STEP(WRITE, .path = bf, .a = 14 * BLOCK, .b = 6 * BLOCK));
	lfs_world_do(w, STEP(SETXATTR, .path = bf, .a = 3));
	lfs_world_do(w, STEP(SETXATTR, .path = bf, .a = 2, .c = 1));
}

/* Files of 200 blocks, overwritten here and there until their segments are half dead. */
static void make_aged(struct lfs_world *w)
{
	static const uint8_t files[] = { WORLD_PATH(1, 6), WORLD_PATH(1, 7), WORLD_PATH(2, 6),
					 WORLD_PATH(2, 7) };
	struct rng rng;

	rng_init(&rng, 7, 7);
	make_files(w);
	for (size_t i = 0; i < 4; i++) {
		lfs_world_do(w, STEP(CREATE, .path = files[i]));
		for (uint32_t at = 0; at < 220; at += 20)
			lfs_world_do(w, STEP(WRITE, .path = files[i], .a = at * BLOCK,
					     .b = 20 * BLOCK - 1));
	}
	for (uint32_t i = 0; i < 150; i++) {
		lfs_world_do(w, STEP(WRITE, .path = files[rng_below(&rng, 4)],
				     .a = (uint32_t)rng_below(&rng, 220) * BLOCK,
				     .b = (uint32_t)rng_below(&rng, 4) * BLOCK + BLOCK - 1));
		if (i % 16 == 0)
			lfs_world_do(w, STEP(CHECKPOINT));
	}
}

/* Directory b with many names beside those that traces use; a/f with every other block. */
static void make_many(struct lfs_world *w)
{
	struct lfs_cred cred = { 0 };
	lfs_ino_t b;

	make_files(w);
	b = w->twin.nodes[2].ino;
	for (uint32_t i = 0; i < 600; i++) {
		struct lfs_attr attr;
		char name[40];
		uint32_t node;

		memset(name, 'm', sizeof(name));
		name[0] = (char)('a' + i / 26 % 26);
		name[1] = (char)('a' + i % 26);
		name[2 + i % 30] = 0;
		lfs_twin_begin(&w->twin);
		CHECK(!lfs_create(w->fs, b, name, 0644, &cred, &attr), "create");
		CHECK(!lfs_twin_make(&w->twin, 2, name, S_IFREG, NULL, &node), "twin");
		w->twin.nodes[node].ino = attr.ino;
		w->twin.nodes[node].generation = attr.generation;
		w->twin.nodes[node].states[0].attr = attr;
		lfs_forget(w->fs, attr.ino, 1);
	}
	for (uint32_t i = 0; i < 300; i++)
		lfs_world_do(w, STEP(WRITE, .path = WORLD_PATH(1, 2), .a = i * 2 * BLOCK,
				     .b = BLOCK - 1));
	lfs_world_do(w, STEP(CREATE, .path = WORLD_PATH(1, 6)));
	lfs_world_do(w, STEP(CLONE, .path = WORLD_PATH(1, 2), .path2 = WORLD_PATH(1, 6),
			     .b = 500 * BLOCK));
	lfs_world_do(w, STEP(CHMOD, .path = WORLD_PATH(0, 1),
			     .a = 0755)); /* so that its attributes are known */
}

static void format_and_mount(struct lfs_world *w, struct crash_disk *disk)
{
	CHECK(!lfs_world_format(w, &disk->dev, LFS_SEGMENT_MIN), "format: %s", w->log);
	CHECK(!lfs_world_mount(w, &disk->dev), "mount: %s", w->log);
}

/* What was there before this one was formatted: blocks of all kinds at many places. */
static void make_older(struct crash_disk *disk)
{
	struct lfs_world older;

	lfs_world_init(&older);
	format_and_mount(&older, disk);
	make_aged(&older);
	CHECK(!lfs_world_unmount(&older), "unmount");
	lfs_world_destroy(&older);
}

static void fill(struct ground *g, enum ground_kind kind)
{
	struct lfs_world *w = &g->world;

	if (kind == GROUND_stale)
		make_older(&g->disk);
	format_and_mount(w, &g->disk);
	switch (kind) {
	case GROUND_empty:
	case GROUND_tiny:
		make_directories(w);
		break;
	case GROUND_aged:
		make_aged(w);
		break;
	case GROUND_many:
		make_many(w);
		break;
	default:
		make_files(w);
	}
	if (kind == GROUND_log) {
		CHECK(!lfs_sync(w->fs), "sync");
		lfs_world_abort(w);
	} else {
		CHECK(!lfs_world_unmount(w), "unmount: %s", w->log);
	}
}

void ground_make(struct ground *g, enum ground_kind kind)
{
	static const uint64_t megabytes[GROUND_COUNT] = { 8, 8, 8, 8, 8, 0, 12 };
	uint64_t bytes = megabytes[kind] << 20;

	memset(g, 0, sizeof(*g));
	if (bytes < lfs_min_bytes())
		bytes = lfs_min_bytes();
	crash_layer_init(&g->layer, bytes, NULL);
	crash_disk_init(&g->disk, &g->layer);
	g->disk.recording = true;
	lfs_world_init(&g->world);
	fill(g, kind);
}

void ground_destroy(struct ground *g)
{
	lfs_world_destroy(&g->world);
	crash_disk_destroy(&g->disk);
	crash_layer_destroy(&g->layer);
}

struct ground *ground_get(enum ground_kind kind)
{
	struct ground *g = &grounds[kind];

	if (g->layer.blocks)
		return g;
	ground_make(g, kind);
	crash_disk_forget(&g->disk);
	lfs_twin_settle(&g->world.twin);
	g->world.may_be_full = kind == GROUND_aged || kind == GROUND_tiny;
	return g;
}

void grounds_free(void)
{
	for (size_t i = 0; i < GROUND_COUNT; i++)
		if (grounds[i].layer.blocks)
			ground_destroy(&grounds[i]);
	memset(grounds, 0, sizeof(grounds));
}
