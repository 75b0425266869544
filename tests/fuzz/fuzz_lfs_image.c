/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A sound image with edits, its checksums made to match again, so that what is behind the checksums is reached. What
 * follows may fail in any way that is an errno: it may not crash, hang, or use more memory than its cap allows.
 *
 * The first byte says what is done with the image, the second what is left unsealed; each edit takes six:
 *
 *     kind of block, which of them, where in it (2), how, value
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bdev_crash.h"
#include "check.h"
#include "lfs_anatomy.h"
#include "lfs_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK        LFS_BLOCK_BYTES
#define EDIT_BYTES   6u
#define ENTRIES_MOST 3000u   /* of a walk: a directory may contain itself */
#define READS_MOST   400000u /* blocks of one input: what reads more does not end */

static uint8_t *sound, *image;
static size_t image_bytes;
static struct lfs_anatomy anatomy;

/* ---- The image -------------------------------------------------------------------------------------------- */

/* All kinds of things, some in the log after the checkpoint, some moved by the cleaner. */
static void fill(struct lfs_world *w)
{
	struct rng rng;

	rng_init(&rng, 11, 0);
	for (int i = 0; i < 700; i++) {
		struct lfs_step step = lfs_world_random_step(&rng, 30);

		if (step.kind == STEP_UNLINK && i > 300)
			continue;
		if (i == 100 || i == 650)
			step.kind = STEP_CHECKPOINT;
		step.a %= 40000;
		step.b %= 9000;
		lfs_world_do(w, &step);
	}
	for (uint32_t i = 0; i < 40; i++) {
		struct lfs_step step = {
			.kind = STEP_WRITE, .path = WORLD_PATH(0, 2), .a = 8192 * i, .b = 4095
		};

		lfs_world_do(w,
			     &(struct lfs_step){ .kind = STEP_CREATE, .path = WORLD_PATH(0, 2) });
		lfs_world_do(w, &step);
	}
	CHECK(!lfs_sync(w->fs), "sync");
}

static void make_image(void)
{
	struct crash_layer layer;
	struct crash_disk disk;
	struct lfs_world w;

	image_bytes = lfs_min_bytes();
	crash_layer_init(&layer, image_bytes, NULL);
	crash_disk_init(&disk, &layer);
	lfs_world_init(&w);
	w.may_be_full = true;
	CHECK(!lfs_world_format(&w, &disk.dev, LFS_SEGMENT_MIN), "format: %s", w.log);
	CHECK(!lfs_world_mount(&w, &disk.dev), "mount: %s", w.log);
	fill(&w);
	lfs_world_abort(&w);
	sound = malloc(image_bytes);
	image = malloc(image_bytes);
	CHECK(sound && image, "no memory");
	crash_layer_read(&layer, 0, sound, image_bytes);
	CHECK(lfs_anatomy_read(&anatomy, sound, image_bytes), "not sound");
	lfs_world_destroy(&w);
	crash_disk_destroy(&disk);
	crash_layer_destroy(&layer);
}

/* The @which-th block of @kind, around. UINT64_MAX: there is none. */
static uint64_t block_of(uint8_t kind, uint8_t which)
{
	uint64_t n = 0, i = 0;

	for (uint64_t b = 0; b < anatomy.blocks; b++)
		n += anatomy.kind[b] == kind;
	if (!n)
		return UINT64_MAX;
	for (uint64_t b = 0; b < anatomy.blocks; b++)
		if (anatomy.kind[b] == kind && i++ == which % n)
			return b;
	return UINT64_MAX;
}

static void edit(const uint8_t *in)
{
	uint64_t block = block_of(1 + in[0] % (ANATOMY_COUNT - 1), in[1]), word;
	size_t width = (size_t)1 << (in[4] & 3),
	       at = ((size_t)in[2] << 8 | in[3]) % BLOCK / width * width;
	uint8_t *place;

	if (block == UINT64_MAX)
		return;
	place = image + block * BLOCK + at;
	memcpy(&word, image + block * BLOCK + at / 8 * 8, 8);
	switch (in[4] >> 2 & 7) {
	case 0:
		word = in[5];
		break;
	case 1:
		word += in[5];
		break;
	case 2:
		word -= in[5];
		break;
	case 3:
		word = UINT64_MAX - in[5];
		break;
	case 4:
		word = UINT64_C(1) << in[5] % 64;
		break;
	case 5:
		word ^= UINT64_C(1) << in[5] % 64;
		break;
	case 6: /* a word of the same block */
		memcpy(&word, image + block * BLOCK + in[5] * 16, 8);
		break;
	default: /* a place */
		word = block_of(1 + in[5] % (ANATOMY_COUNT - 1), in[1]);
	}
	memcpy(place, &word, width);
}

/* ---- What is done with it ------------------------------------------------------------------------------------ */

struct visit {
	struct lfs *fs;
	lfs_ino_t queue[256];
	size_t n, at;
	uint32_t entries;
};

static void read_some(struct lfs *fs, const struct lfs_attr *attr)
{
	static uint8_t buf[64 << 10];
	static char names[4096];

	lfs_read(fs, attr->ino, buf, sizeof(buf), 0);
	if (attr->size > sizeof(buf))
		lfs_read(fs, attr->ino, buf, sizeof(buf), attr->size - sizeof(buf));
	lfs_lseek(fs, attr->ino, 0, LFS_SEEK_HOLE);
	lfs_lseek(fs, attr->ino, 0, LFS_SEEK_DATA);
	lfs_listxattr(fs, attr->ino, names, sizeof(names));
	lfs_getxattr(fs, attr->ino, "user.x", buf, sizeof(buf));
}

static bool visit_entry(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *unused)
{
	struct visit *v = ctx;
	char target[LFS_SYMLINK_MAX + 1], name[LFS_NAME_MAX + 1];
	struct lfs_attr attr;

	(void)unused;
	CHECK(entry->name_len && entry->name_len <= LFS_NAME_MAX, "a name of %u bytes",
	      entry->name_len);
	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = 0;
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return true;
	if (lfs_lookup(v->fs, v->queue[v->at], name, &attr))
		return ++v->entries < ENTRIES_MOST;
	read_some(v->fs, &attr);
	if ((attr.mode & 0170000) == 0120000)
		lfs_readlink(v->fs, attr.ino, target);
	if ((attr.mode & 0170000) == 0040000 && v->n < 256)
		v->queue[v->n++] = attr.ino;
	lfs_forget(v->fs, attr.ino, 1);
	return ++v->entries < ENTRIES_MOST;
}

static void walk(struct lfs *fs)
{
	struct visit v = { .fs = fs, .queue = { LFS_ROOT_INO }, .n = 1 };

	for (; v.at < v.n && v.entries < ENTRIES_MOST; v.at++)
		lfs_readdir(fs, v.queue[v.at], 0, visit_entry, &v);
}

/* As a user would, who does not know: errors are of no interest. */
static void change(struct lfs *fs, uint8_t how)
{
	static const struct lfs_cred cred = { 0 };
	static uint8_t buf[20000];
	struct lfs_attr dir, attr;
	struct rng rng;

	rng_init(&rng, how, 0);
	for (int i = 0; i < 30; i++) {
		static const char *const names[] = { "a", "b", "f", "g", "h", "i", "new" };
		const char *name = names[rng_below(&rng, 7)], *other = names[rng_below(&rng, 7)];

		if (lfs_lookup(fs, LFS_ROOT_INO, names[rng_below(&rng, 2)], &dir))
			dir.ino = LFS_ROOT_INO;
		switch (rng_below(&rng, 8)) {
		case 0:
			if (!lfs_create(fs, dir.ino, name, 0644, &cred, &attr))
				lfs_forget(fs, attr.ino, 1);
			break;
		case 1:
			lfs_unlink(fs, dir.ino, name);
			break;
		case 2:
			lfs_rename(fs, LFS_ROOT_INO, name, dir.ino, other, 0);
			break;
		case 3:
			lfs_tick(fs, true);
			break;
		case 4:
			lfs_rmdir(fs, LFS_ROOT_INO, name);
			break;
		default:
			if (lfs_lookup(fs, dir.ino, name, &attr))
				break;
			lfs_write(fs, attr.ino, buf, rng_below(&rng, sizeof(buf)),
				  rng_below(&rng, 300000), 0);
			attr.size = rng_below(&rng, 100000);
			if (rng_one_in(&rng, 3))
				lfs_setattr(fs, attr.ino, LFS_SET_SIZE, &attr, NULL);
			if (rng_one_in(&rng, 3))
				lfs_setxattr(fs, attr.ino, "user.n", buf, rng_below(&rng, 5000), 0);
			lfs_clone_range(fs, attr.ino, 0, attr.ino, 400000, rng_below(&rng, 100000));
			lfs_forget(fs, attr.ino, 1);
		}
		if (dir.ino != LFS_ROOT_INO)
			lfs_forget(fs, dir.ino, 1);
	}
	lfs_sync(fs);
}

static void on_open(void *ctx, const char *key, bool is_list)
{
	(void)ctx, (void)key, (void)is_list;
}
static void on_close(void *ctx)
{
	(void)ctx;
}
static void on_number(void *ctx, const char *key, uint64_t value)
{
	(void)ctx, (void)key, (void)value;
}
static void on_text(void *ctx, const char *key, const char *value)
{
	(void)ctx, (void)key;
	CHECK(value, "no text");
}

static void dump(struct lfs_bdev *dev, struct lfs *fs)
{
	static const struct lfs_dump_sink sink = { on_open, on_close, on_number, on_text, NULL };

	lfs_dump_super(dev, &sink);
	lfs_dump_checkpoint(dev, &sink);
	for (uint64_t i = 0; fs && i < 8; i++) {
		lfs_dump_segment(fs, i, &sink);
		lfs_dump_inode(fs, i, &sink);
		lfs_dump_map(fs, i, &sink);
		lfs_dump_dir(fs, i, &sink);
	}
}

static void try_image(struct crash_disk *disk, uint8_t how, uint8_t repair)
{
	struct lfs_mount_options opt = { .cap_bytes = 16 << 20, .read_only = how & 1 };
	struct lfs_check_options check = { .scrub = true, .cap_bytes = 16 << 20 };
	struct lfs_check_result result;
	struct lfs *fs = NULL;

	check.repair = repair & 0x80;
	if (how & 2)
		lfs_check(&disk->dev, &check, &result);
	if (lfs_mount(&disk->dev, &opt, &fs)) {
		dump(&disk->dev, NULL);
		return;
	}
	walk(fs);
	if (how & 4)
		change(fs, how);
	if (how & 8)
		dump(&disk->dev, fs);
	if (how & 16)
		lfs_check_mounted(fs, &check, &result);
	walk(fs);
	if (how & 32)
		lfs_abort(fs);
	else
		lfs_unmount(fs);
	if (how & 64)
		lfs_check(&disk->dev, &check, &result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crash_layer layer;
	struct crash_disk disk;

	if (!image)
		make_image();
	if (size < 2)
		return 0;
	memcpy(image, sound, image_bytes);
	for (size_t at = 2; at + EDIT_BYTES <= size; at += EDIT_BYTES)
		edit(data + at);
	if (!(data[1] & 1))
		lfs_anatomy_seal(&anatomy, image);
	crash_layer_init(&layer, image_bytes, NULL);
	for (uint64_t b = 0; b < image_bytes / BLOCK; b++)
		if (memcmp(image + b * BLOCK, crash_layer_block(&layer, b), BLOCK) != 0)
			crash_layer_write(&layer, b * BLOCK, image + b * BLOCK, BLOCK);
	crash_disk_init(&disk, &layer);
	try_image(&disk, data[0], data[1]);
	CHECK(disk.blocks_read < READS_MOST, "%llu blocks were read",
	      (unsigned long long)disk.blocks_read);
	crash_disk_destroy(&disk);
	crash_layer_destroy(&layer);
	return 0;
}
