/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Images whose every checksum is right, and which claim what would take gigabytes of memory or days of time: maps with
 * more pages than the image has blocks, page tables that go in circles. Each is refused with a line that says why.
 *
 * And the same bound on a sound map that is larger than its share: it works, and stays within it.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "lfs_anatomy.h"
#include "rng.h"
#include "../../fs-lfs/internal.h" /* lindex has one of this name too */

#define IMAGE_BYTES ((uint64_t)16 << 20)
#define EXTENTS     300u

static const struct lfs_cred cred = { .umask = 022 };
static char first_error[300];

static void on_log(void *ctx, enum lfs_log_level level, const char *line)
{
	(void)ctx;
	if (level == LFS_LOG_ERROR && !first_error[0])
		snprintf(first_error, sizeof(first_error), "%s", line);
}

static struct lfs *put_up(struct lfs_bdev *dev, uint64_t cap)
{
	struct lfs_mount_options opt = { .cap_bytes = cap, .callbacks = { .log = on_log } };
	struct lfs *fs;
	int err = lfs_mount(dev, &opt, &fs);

	first_error[0] = 0;
	CHECK(!err, "mount: %d", err);
	return fs;
}

static lfs_ino_t make(struct lfs *fs, const char *name)
{
	struct lfs_attr attr;

	CHECK(!lfs_create(fs, LFS_ROOT_INO, name, 0644, &cred, &attr), "create");
	lfs_forget(fs, attr.ino, 1);
	return attr.ino;
}

/* An image with one file whose map is in pages. */
static struct lfs_bdev *image(lfs_ino_t *ino)
{
	static const uint8_t bytes[LFS_BLOCK] = { 'x' };
	struct lfs_bdev *dev;
	struct lfs *fs;

	CHECK(!lfs_bdev_mem_create(IMAGE_BYTES, &dev), "no memory");
	CHECK(!lfs_format(dev, &(struct lfs_format_options){ .seed = 7, .uuid = { 1 } }), "format");
	fs = put_up(dev, 0);
	*ino = make(fs, "file");
	for (uint64_t i = 0; i < EXTENTS; i++)
		CHECK(lfs_write(fs, *ino, bytes, LFS_BLOCK, i * 2 * LFS_BLOCK, 0) == LFS_BLOCK,
		      "write");
	CHECK(!lfs_unmount(fs), "unmount");
	return dev;
}

/* ---- Hostile ones ------------------------------------------------------------------------------------- */

struct edit {
	uint32_t levels, pages;
	bool circles; /* every slot of the root names one block, and every slot in that one another */
};

static uint64_t live_block(const struct lfs_anatomy *a, enum anatomy_kind kind)
{
	for (uint64_t b = 0; b < a->blocks; b++)
		if (a->kind[b] == kind && a->live[b])
			return b;
	CHECK(0, "no block of kind %s", anatomy_names[kind]);
	return 0;
}

/* The root of file @ino's map becomes what @edit says, and all checksums match. */
static void forge(struct lfs_bdev *dev, lfs_ino_t ino, const struct edit *edit)
{
	struct lfs_map_id id = { (uint32_t)ino, LFS_WHICH_BLOCKS };
	uint8_t *bytes = lfs_bdev_mem_bytes(dev);
	struct lfs_root_disk *root = NULL;
	lfs_le32 pages = lfs_to32(edit->pages);
	struct lfs_anatomy a;

	CHECK(lfs_anatomy_read(&a, bytes, IMAGE_BYTES), "a sound image");
	for (uint64_t b = 0; b < a.blocks && !root; b++) {
		struct lfs_root_disk *d = (void *)(bytes + b * LFS_BLOCK);

		if (a.kind[b] == ANATOMY_root && a.live[b] &&
		    lfs_from64(d->owner) == lfs_owner(LFS_KIND_ROOT, id))
			root = d;
	}
	CHECK(root, "no root");
	root->levels = lfs_to32(edit->levels);
	memcpy(root->lindex_root + 12, &pages, sizeof(pages)); /* FORMAT.md: npages */
	if (edit->circles) {
		uint64_t table = live_block(&a, ANATOMY_data), page = live_block(&a, ANATOMY_page);
		lfs_le64 *slot = (void *)(bytes + table * LFS_BLOCK);

		for (uint32_t i = 0; i < LFS_ROOT_SLOTS; i++)
			root->slot[i] = lfs_to64(table);
		for (uint32_t i = 0; i < LFS_PTAB_SLOTS; i++)
			slot[i] = lfs_to64(page);
	}
	lfs_anatomy_seal(&a, bytes);
	lfs_anatomy_destroy(&a);
}

static void demand_refused(const struct edit *edit, const char *reason)
{
	static uint8_t buf[LFS_BLOCK];
	lfs_ino_t ino;
	struct lfs_bdev *dev = image(&ino);
	struct lfs *fs;

	forge(dev, ino, edit);
	fs = put_up(dev, 0);
	CHECK(lfs_read(fs, ino, buf, sizeof(buf), 4 * LFS_BLOCK) == -EIO, "it was read");
	CHECK(strstr(first_error, reason), "expected '%s', found '%s'", reason, first_error);
	lfs_abort(fs);
	lfs_bdev_close(dev);
}

Test(hostile, a_map_may_not_claim_more_pages_than_the_image_has_blocks)
{
	demand_refused(&(struct edit){ .pages = 60000000 }, "more pages than the image has");
	demand_refused(&(struct edit){ .levels = 2, .pages = 1 }, "more pages than the image has");
	demand_refused(&(struct edit){ .levels = 3, .pages = 1 }, "makes no sense");
}

static uint64_t findings;

static void on_found(void *ctx, enum lfs_severity severity, const char *line)
{
	(void)ctx, (void)severity, (void)line;
	findings++;
}

Test(hostile, a_page_table_in_circles_ends)
{
	struct lfs_check_options opt = { .found = on_found, .cap_bytes = 1 << 20 };
	struct lfs_check_result result = { 0 };
	lfs_ino_t ino;
	struct lfs_bdev *dev = image(&ino);
	struct lfs *fs;

	forge(dev, ino, &(struct edit){ .levels = 1, .pages = 2, .circles = true });
	CHECK(lfs_check(dev, &opt, &result) == -EUCLEAN && findings < IMAGE_BYTES / LFS_BLOCK,
	      "%llu findings", (unsigned long long)findings);
	fs = put_up(dev, 1 << 20);
	CHECK(lfs_unlink(fs, LFS_ROOT_INO, "file") == 0, "unlink");
	CHECK(lfs_tick(fs, false) >= 0 || first_error[0], "tick");
	CHECK(fs->ptab_nodes <= 8, "%llu blocks of page tables in memory",
	      (unsigned long long)fs->ptab_nodes);
	lfs_abort(fs);
	lfs_bdev_close(dev);
}

/* ---- A sound one ---------------------------------------------------------------------------------------- */

#define MANY 2500000u

/* Far apart, of many lengths, and anywhere: few fit a page. */
static struct lindex_run *sparse_runs(void)
{
	struct lindex_run *runs = malloc(MANY * sizeof(*runs));
	uint64_t at = 0;
	struct rng rng;

	CHECK(runs, "no memory");
	rng_init(&rng, harness_seed(), 1);
	for (size_t i = 0; i < MANY; i++) {
		at += 1 + rng_below(&rng, 1500);
		runs[i] = (struct lindex_run){ .first = at, .step = 1 };
		runs[i].value = rng_below(&rng, (uint64_t)1 << 39);
		at += rng_below(&rng, 1000);
		runs[i].last = at++;
	}
	return runs;
}

Test(hostile, blocks_of_page_tables_give_way_in_a_sound_map)
{
	struct lfs_map_id id = { 4000, LFS_WHICH_BLOCKS };
	struct lindex_run *runs = sparse_runs(), run;
	struct lfs_bdev *dev;
	struct lfs_pindex *pi;
	uint64_t root, most = 0;
	struct lfs *fs;
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	CHECK(!lfs_bdev_mem_create((uint64_t)256 << 20, &dev), "no memory");
	CHECK(!lfs_format(dev, NULL), "format");
	fs = put_up(dev, 1 << 20); /* 7 blocks of page tables */
	CHECK(!lfs_pindex_open(fs, id, 0, &pi), "open");
	CHECK(!lfs_pindex_build(pi, runs, MANY) && !lfs_pindex_flush(pi), "build");
	CHECK(pi->levels == 1 && fs->ptab_nodes > 8, "%llu blocks: too few to say anything",
	      (unsigned long long)fs->ptab_nodes);
	root = pi->root;
	lfs_pindex_close(pi);
	CHECK(!fs->ptab_nodes, "%llu left", (unsigned long long)fs->ptab_nodes);
	fs->opt.cap_bytes = 2 << 20; /* its books need as much */
	CHECK(!lfs_pindex_open(fs, id, root, &pi), "open: %s", first_error);
	fs->opt.cap_bytes = 1 << 20;
	for (uint32_t i = 0; i < 20000; i++) {
		const struct lindex_run *want = &runs[rng_below(&rng, MANY)];

		CHECK(!lfs_pindex_lookup(pi, want->first, &run) && run.first == want->first &&
			      run.last == want->last,
		      "lookup");
		if (i % 64 == 0)
			CHECK(!lfs_pindex_remove(pi, want->first, want->first) &&
				      !lfs_pindex_insert(pi, want) && !lfs_pindex_flush(pi),
			      "change");
		if (i % 64 == 0)
			lfs_pindex_shrink(pi, 64); /* so that pages have to be found again */
		most = fs->ptab_nodes > most ? fs->ptab_nodes : most;
	}
	CHECK(most <= 9, "%llu blocks of page tables in memory", (unsigned long long)most);
	CHECK(!lfs_pindex_flush(pi) && !lfs_pindex_check(pi, NULL), "check");
	CHECK(!lfs_pindex_destroy(pi) && !fs->ptab_nodes, "destroy");
	lfs_abort(fs);
	lfs_bdev_close(dev);
	free(runs);
}
