/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lfs_check(): one image with everything in it, and one thing wrong at a time.
 *
 * A plant changes metadata through the engine's own structures, so that every checksum is right and only the sense is
 * wrong; or it flips bits on the device. Of each plant the table says what a finding must mention, whether a repair
 * cures it, and whether all files must be as before. In any case: a check alone writes nothing, and a second repair
 * has nothing to do.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "lfs_anatomy.h"
#include "rng.h"
#include "../../fs-lfs/internal.h" /* lindex has one of this name too */

#define IMAGE_BYTES ((uint64_t)16 << 20)
#define BIG_FILES   600u

static const struct lfs_cred cred = { .umask = 022 };

/* ---- The image ---------------------------------------------------------------------------------------- */

static void on_log(void *ctx, enum lfs_log_level level, const char *line)
{
	(void)ctx;
	if (getenv("SHOW"))
		fprintf(stderr, "    log %d: %s\n", level, line);
}

static struct lfs *put_up(struct lfs_bdev *dev)
{
	struct lfs_mount_options opt = { .callbacks = { .log = on_log } };
	struct lfs *fs;
	int err = lfs_mount(dev, &opt, &fs);

	CHECK(!err, "mount: %d", err);
	return fs;
}

static void take_down(struct lfs *fs)
{
	int err = lfs_unmount(fs);

	CHECK(!err, "unmount: %d", err);
}

static uint32_t make(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode)
{
	struct lfs_attr attr;
	int err = S_ISDIR(mode) ? lfs_mkdir(fs, dir, name, mode, &cred, &attr) :
				  lfs_create(fs, dir, name, mode, &cred, &attr);

	CHECK(!err, "make %s: %d", name, err);
	lfs_forget(fs, attr.ino, 1);
	return (uint32_t)attr.ino;
}

static void fill(struct lfs *fs, uint32_t ino, uint64_t offset, size_t len, uint8_t byte)
{
	uint8_t *bytes = malloc(len);

	memset(bytes, byte, len);
	CHECK(lfs_write(fs, ino, bytes, len, offset, 0) == (ssize_t)len, "write");
	free(bytes);
}

static uint32_t lookup(struct lfs *fs, lfs_ino_t dir, const char *name)
{
	struct lfs_attr attr;
	int err = lfs_lookup(fs, dir, name, &attr);

	CHECK(!err, "lookup %s: %d", name, err);
	lfs_forget(fs, attr.ino, 1);
	return (uint32_t)attr.ino;
}

/*
 *   small   inline        frag    map in pages      clone   shares frag's blocks     holes  runs in the inode, reserved
 *   twice   two names     link    long symlink      big/    index of names           a/b/c/deep
 */
static void populate(struct lfs *fs)
{
	uint32_t big, a, b, c, frag, clone, holes;
	struct lfs_attr attr;
	char name[64];

	fill(fs, make(fs, 1, "small", 0644), 0, 100, 's');
	frag = make(fs, 1, "frag", 0644);
	for (uint64_t i = 0; i < 300; i++)
		fill(fs, frag, i * 2 * LFS_BLOCK, LFS_BLOCK, (uint8_t)i);
	clone = make(fs, 1, "clone", 0600);
	CHECK(lfs_clone_range(fs, frag, 0, clone, 0, 300 * LFS_BLOCK) == 300 * LFS_BLOCK, "clone");
	holes = make(fs, 1, "holes", 0644);
	fill(fs, holes, 0, 3 * LFS_BLOCK, 'h');
	CHECK(!lfs_fallocate(fs, holes, 0, 1 << 20, 64 << 10), "fallocate");
	CHECK(!lfs_setxattr(fs, holes, "user.colour", "blue", 4, 0), "setxattr");
	fill(fs, make(fs, 1, "twice", 0644), 0, 9000, 't');
	CHECK(!lfs_link(fs, lookup(fs, 1, "twice"), 1, "again", &attr), "link");
	lfs_forget(fs, attr.ino, 1);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	CHECK(!lfs_symlink(fs, 1, "link", name, &cred, &attr), "symlink");
	lfs_forget(fs, attr.ino, 1);
	big = make(fs, 1, "big", S_IFDIR | 0755);
	for (uint32_t i = 0; i < BIG_FILES; i++) {
		snprintf(name, sizeof(name), "file-with-a-name-%04u", i);
		fill(fs, make(fs, big, name, 0644), 0, i % 7 * 1000 + 1, (uint8_t)i);
	}
	a = make(fs, 1, "a", S_IFDIR | 0755);
	b = make(fs, a, "b", S_IFDIR | 0755);
	c = make(fs, b, "c", S_IFDIR | 0755);
	fill(fs, make(fs, c, "deep", 0644), 0, 20000, 'd');
}

static uint8_t *base; /* bytes of the image */

static struct lfs_bdev *image(void)
{
	struct lfs_bdev *dev;

	CHECK(!lfs_bdev_mem_create(IMAGE_BYTES, &dev), "no memory");
	if (base) {
		memcpy(lfs_bdev_mem_bytes(dev), base, IMAGE_BYTES);
		return dev;
	}
	CHECK(!lfs_format(dev, &(struct lfs_format_options){ .seed = 7, .uuid = { 1 } }), "format");
	struct lfs *fs = put_up(dev);

	populate(fs);
	take_down(fs);
	base = malloc(IMAGE_BYTES);
	CHECK(base, "no memory");
	memcpy(base, lfs_bdev_mem_bytes(dev), IMAGE_BYTES);
	return dev;
}

/* ---- What is in all files, as one number ---------------------------------------------------------------- */

struct digest {
	struct lfs *fs;
	uint64_t sum, files;
};

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
	return lfs_csum_name(bytes, len, h);
}

static bool digest_entry(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *none)
{
	struct digest *d = ctx;
	struct lfs_attr attr;
	uint64_t h = mix(0, entry->name, entry->name_len);
	uint8_t bytes[LFS_BLOCK];
	ssize_t n;

	(void)none;
	if (entry->name[0] == '.')
		return true;
	CHECK(!lfs_lookup(d->fs, entry->ino, ".", &attr) || !lfs_ref(d->fs, entry->ino, 0, &attr),
	      "inode of %s", entry->name);
	h = mix(h, &attr.mode, sizeof(attr.mode));
	if (S_ISDIR(attr.mode))
		CHECK(!lfs_readdir(d->fs, attr.ino, 0, digest_entry, d), "readdir");
	for (uint64_t at = 0; S_ISREG(attr.mode) && at < attr.size; at += sizeof(bytes)) {
		n = lfs_read(d->fs, attr.ino, bytes, sizeof(bytes), at);
		h = mix(h, bytes, n > 0 ? (size_t)n : 0);
	}
	lfs_forget(d->fs, attr.ino, 1);
	d->sum += h;
	d->files++;
	return true;
}

static uint64_t digest(struct lfs_bdev *dev)
{
	struct digest d = { .fs = put_up(dev) };

	CHECK(!lfs_readdir(d.fs, LFS_ROOT_INO, 0, digest_entry, &d), "readdir");
	take_down(d.fs);
	return d.sum;
}

/* ---- Plants --------------------------------------------------------------------------------------------- */

static struct lfs_inode *get(struct lfs *fs, uint32_t ino)
{
	struct lfs_inode *inode;

	CHECK(!lfs_iget(fs, ino, &inode), "inode %u", ino);
	lfs_inode_dirty(inode);
	return inode;
}

static struct lfs_inode *named(struct lfs *fs, const char *name)
{
	return get(fs, lookup(fs, 1, name));
}

static struct lfs_inode *in_big(struct lfs *fs, uint32_t i)
{
	char name[32];

	snprintf(name, sizeof(name), "file-with-a-name-%04u", i);
	return get(fs, lookup(fs, lookup(fs, 1, "big"), name));
}

/* The entry of @name, in a block that will be written. */
static struct lfs_dirent_disk *entry(struct lfs *fs, struct lfs_inode *dir, const char *name)
{
	struct lfs_cblk *blk;
	uint64_t at;
	uint32_t ino;

	CHECK(!lfs_dir_find(fs, dir, name, (uint32_t)strlen(name), &ino, NULL, &at), "%s", name);
	CHECK(!lfs_dir_block(fs, dir, at / LFS_BLOCK, &blk), "block");
	lfs_cache_dirty(&fs->cache, blk);
	lfs_cache_put(&fs->cache, blk);
	return (void *)(blk->data + at % LFS_BLOCK);
}

#define ON(name, change)                                                                           \
	do {                                                                                       \
		struct lfs_inode *it = named(fs, name);                                            \
		change;                                                                            \
		lfs_iput(fs, it);                                                                  \
	} while (0)

static void links_more(struct lfs *fs)
{
	ON("small", it->nlink = 5);
}
static void links_less(struct lfs *fs)
{
	ON("twice", it->nlink = 1);
}
static void links_of_dir(struct lfs *fs)
{
	ON("a", it->nlink = 9);
}
static void parent_wrong(struct lfs *fs)
{
	ON("a", it->parent = lookup(fs, 1, "big"));
}
static void root_parent(struct lfs *fs)
{
	ON("..", it->parent = 4);
}
static void entries_count(struct lfs *fs)
{
	ON("big", it->entries = 3);
}
static void blocks_count(struct lfs *fs)
{
	ON("frag", it->blocks += 11);
}
static void reserved_count(struct lfs *fs)
{
	fs->nreserved += 7;
}
static void inodes_count(struct lfs *fs)
{
	fs->inodes -= 2;
}
static void live_count(struct lfs *fs)
{
	fs->nlive += 100;
}
static void next_ino(struct lfs *fs)
{
	fs->next_ino = 20;
}
static void next_generation(struct lfs *fs)
{
	fs->next_generation = 2;
}
static void next_vaddr(struct lfs *fs)
{
	fs->next_vaddr = 5;
}

static uint64_t place_of(struct lfs *fs, const char *name)
{
	struct lfs_inode *inode = named(fs, name);
	struct lindex_run run;

	CHECK(!lfs_map_lookup(fs, inode, 0, &run), "%s has no block", name);
	lfs_iput(fs, inode);
	return run.value;
}

static void bit_missing(struct lfs *fs)
{
	CHECK(!lfs_live_remove(fs, place_of(fs, "holes"), 2), "plant");
}

static struct lfs_seg *seg_of(struct lfs *fs, uint64_t daddr, struct lfs_group **group)
{
	uint64_t seg = daddr >> fs->geo.seg_shift;

	CHECK(!lfs_group_load(fs, (uint32_t)(seg / fs->geo.segs_per_group)), "group");
	*group = &fs->groups[seg / fs->geo.segs_per_group];
	(*group)->dirty = true;
	return &(*group)->seg[seg % fs->geo.segs_per_group];
}

static void segment_free(struct lfs *fs)
{
	uint64_t place = place_of(fs, "holes");
	struct lfs_group *group;
	struct lfs_seg *seg;

	CHECK(!lfs_checkpoint(fs),
	      "checkpoint"); /* every head has its segment then, and takes no other */
	seg = seg_of(fs, place, &group);
	seg->state = LFS_SEG_FREE;
	group->nfree++;
}

static void bit_extra(struct lfs *fs)
{
	uint64_t at = place_of(fs, "holes") & ~(uint64_t)(fs->geo.seg_blocks - 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < lfs_seg_end(&fs->geo) && n < 3; i++) /* headers are never live */
		n += at + i > 200 && !lfs_live_add(fs, at + i, 1);
	CHECK(n, "no dead block");
}

static void counts_swapped(struct lfs *fs)
{
	struct lfs_group *group;
	struct lfs_seg *seg = seg_of(fs, place_of(fs, "holes"), &group);

	for (uint32_t i = 0; i < fs->geo.segs_per_group; i++) {
		if (&group->seg[i] == seg || group->seg[i].live < 2)
			continue;
		group->seg[i].live--;
		seg->live++;
		return;
	}
	cr_assert_fail("no other segment with live blocks");
}

static void name_without_inode(struct lfs *fs)
{
	ON("big", entry(fs, it, "file-with-a-name-0100")->ino = lfs_to32(4000));
}
static void entry_type(struct lfs *fs)
{
	ON("big", entry(fs, it, "file-with-a-name-0101")->type = 4);
}
static void entry_hash(struct lfs *fs)
{
	ON("a", entry(fs, it, "b")->hash ^= 8);
}
static void entry_hash_indexed(struct lfs *fs)
{
	ON("big", entry(fs, it, "file-with-a-name-0102")->hash ^= 8);
}
static void name_bad(struct lfs *fs)
{
	ON("big", entry(fs, it, "file-with-a-name-0103")->name[4] = '/');
}
static void file_nameless(struct lfs *fs)
{
	ON("big", entry(fs, it, "file-with-a-name-0104")->ino = 0);
}
static void dir_nameless(struct lfs *fs)
{
	ON("a", entry(fs, it, "b")->ino = 0);
}

static void name_twice(struct lfs *fs)
{
	struct lfs_inode *big = named(fs, "big");
	struct lfs_dirent_disk *from = entry(fs, big, "file-with-a-name-0105"),
			       *to = entry(fs, big, "file-with-a-name-0555");

	to->hash = from->hash;
	memcpy(to->name, from->name, from->name_len);
	lfs_iput(fs, big);
}

static uint64_t key_of(struct lfs *fs, struct lfs_inode *dir, const char *name)
{
	struct lindex_run run;
	uint32_t hash;
	uint64_t key = lfs_dir_key(fs, name, (uint32_t)strlen(name), &hash);

	entry(fs, dir, name); /* opens the index */
	CHECK(!lfs_pindex_next(dir->dir->names, key, &run), "no key");
	return run.first;
}

static void key_missing(struct lfs *fs)
{
	ON("big", uint64_t key = key_of(fs, it, "file-with-a-name-0106");
	   CHECK(!lfs_pindex_remove(it->dir->names, key, key), "plant"));
}

static void key_extra(struct lfs *fs)
{
	struct lindex_run run = { .first = 0x123400, .last = 0x123400, .value = 1 << 10 | 3 };

	ON("big", key_of(fs, it, "file-with-a-name-0107");
	   CHECK(!lfs_pindex_insert(it->dir->names, &run), "plant"));
}

static void index_dropped(struct lfs *fs)
{
	ON("big", key_of(fs, it, "file-with-a-name-0107");
	   CHECK(!lfs_pindex_remove(it->dir->names, 0, UINT64_MAX), "plant"));
}

static void dir_twice(struct lfs *fs)
{
	ON("big",
	   CHECK(!lfs_dir_add(fs, it, "b", 1, lookup(fs, lookup(fs, 1, "a"), "b"), 4), "plant"));
}
static void root_named(struct lfs *fs)
{
	ON("big", CHECK(!lfs_dir_add(fs, it, "root", 4, LFS_ROOT_INO, 4), "plant"));
}

/* a is in c, which is in b, which is in a; and the root does not name it. */
static void circle(struct lfs *fs)
{
	uint32_t a = lookup(fs, 1, "a"), b = lookup(fs, a, "b"), c = lookup(fs, b, "c");
	struct lfs_inode *dir = get(fs, c), *root = get(fs, 1), *top = get(fs, a);

	CHECK(!lfs_dir_add(fs, dir, "a", 1, a, 4), "add");
	CHECK(!lfs_dir_del(fs, root, "a", 1), "del");
	top->parent = c;
	dir->nlink++;
	root->nlink--;
	lfs_iput(fs, dir);
	lfs_iput(fs, root);
	lfs_iput(fs, top);
}

static void moved_dir(struct lfs *fs)
{
	uint32_t a = lookup(fs, 1, "a");
	struct lfs_inode *dir = get(fs, a), *big = named(fs, "big");

	CHECK(!lfs_dir_add(fs, big, "b", 1, lookup(fs, a, "b"), 4), "add");
	CHECK(!lfs_dir_del(fs, dir, "b", 1), "del");
	lfs_iput(fs, dir);
	lfs_iput(fs, big);
}

static void orphan_unlisted(struct lfs *fs)
{
	struct lfs_inode *it = in_big(fs, 110), *big = named(fs, "big");

	CHECK(!lfs_dir_del(fs, big, "file-with-a-name-0110", 21), "del");
	it->nlink = 0;
	lfs_iput(fs, it);
	lfs_iput(fs, big);
}

static void orphan_add(struct lfs *fs, uint32_t ino)
{
	roaring_bitmap_add(fs->orphans, ino);
	fs->orphans_dirty = true;
}

static void orphan_named(struct lfs *fs)
{
	orphan_add(fs, lookup(fs, 1, "small"));
}
static void orphan_of_nothing(struct lfs *fs)
{
	orphan_add(fs, 3333);
}

static void set_run(struct lfs *fs, uint32_t map, uint64_t first, uint64_t n, uint64_t value,
		    uint8_t step)
{
	struct lindex_run run = {
		.first = first, .last = first + n - 1, .value = value, .step = step
	};

	CHECK(!lfs_pindex_insert(fs->sys[map], &run), "insert");
}

static void owners_more(struct lfs *fs)
{
	set_run(fs, LFS_SYS_REFS, place_of(fs, "clone"), 3, 7, 0);
}
static void owners_less(struct lfs *fs)
{
	set_run(fs, LFS_SYS_REFS, place_of(fs, "clone"), 3, 1, 0);
}
static void owners_none(struct lfs *fs)
{
	CHECK(!lfs_pindex_remove(fs->sys[LFS_SYS_REFS], 1, UINT64_MAX), "plant");
}
static void way_back_none(struct lfs *fs)
{
	CHECK(!lfs_pindex_remove(fs->sys[LFS_SYS_REVERSE], 0, UINT64_MAX), "plant");
}
static void way_back_extra(struct lfs *fs)
{
	set_run(fs, LFS_SYS_REVERSE, 1000, 2, 1, 1);
}
static void owners_extra(struct lfs *fs)
{
	fs->next_vaddr = 100000;
	set_run(fs, LFS_SYS_REFS, 90000, 5, 2, 0);
}

static void shared_unowned(struct lfs *fs)
{
	uint64_t daddr, got, vaddr;
	uint8_t block[LFS_BLOCK] = { 1 };

	CHECK(!lfs_log_place(fs, LFS_HEAD_COLD, (uint64_t)LFS_KIND_SHARED << 56, 1, 1, block,
			     &daddr, &got),
	      "plant");
	CHECK(!lfs_shared_make(fs, daddr, 1, &vaddr), "plant");
}

static void map_set(struct lfs *fs, const char *name, uint64_t lbn, uint64_t value)
{
	struct lindex_run run = { .first = lbn, .last = lbn, .value = value, .step = 1 };

	ON(name, CHECK(!lfs_map_set(fs, it, &run), "plant"); it->blocks++);
}

static void block_twice(struct lfs *fs)
{
	map_set(fs, "holes", 10, place_of(fs, "twice"));
}
static void block_nowhere(struct lfs *fs)
{
	map_set(fs, "holes", 10, (uint64_t)1 << 33);
}
static void block_in_table(struct lfs *fs)
{
	map_set(fs, "holes", 10, 20ull * fs->geo.seg_blocks - 1);
}
static void mode_unknown(struct lfs *fs)
{
	ON("small", it->mode = 0170644);
}
static void time_senseless(struct lfs *fs)
{
	ON("small", it->mtime.nsec = 2000000000);
}
static void dir_block_missing(struct lfs *fs)
{
	ON("a", it->dir_blocks = 9);
}

struct plant {
	const char *name;
	void (*plant)(struct lfs *fs);
	const char *mentions;
	bool cured, kept; /* by a repair; all files are as before after it */
};

#define CURED true
#define LEFT  false
#define KEPT  true
#define OTHER false
#define PLANT(name, mentions, cured, kept)                                                         \
	{                                                                                          \
#name, name, mentions, cured, kept                                                 \
	}

static const struct plant plants[] = {
	PLANT(links_more, "link count: expected 1, found 5", CURED, KEPT),
	PLANT(links_less, "link count: expected 2, found 1", CURED, KEPT),
	PLANT(links_of_dir, "link count: expected 3, found 9", CURED, KEPT),
	PLANT(parent_wrong, "says that its parent is", CURED, KEPT),
	PLANT(root_parent, "root directory says", CURED, KEPT),
	PLANT(entries_count, "count of entries: expected 600, found 3", CURED, KEPT),
	PLANT(blocks_count, "count of blocks: expected 300, found 311", CURED, KEPT),
	PLANT(reserved_count, "reserved blocks: expected 16, found 23", CURED, KEPT),
	PLANT(inodes_count, "count of inodes", CURED, KEPT),
	PLANT(live_count, "live blocks: expected", CURED, KEPT),
	PLANT(next_ino, "numbers are given out from", CURED, KEPT),
	PLANT(next_generation, "generation", CURED, KEPT),
	PLANT(next_vaddr, "addresses are given out", CURED, KEPT),
	PLANT(bit_missing, "in use, and free in the books", CURED, KEPT),
	PLANT(segment_free, "live blocks", CURED, KEPT),
	PLANT(bit_extra, "nobody names them", CURED, KEPT),
	PLANT(counts_swapped, "live blocks: expected", CURED, KEPT),
	PLANT(name_without_inode, "inode 4000 is not there", CURED, OTHER),
	PLANT(entry_type, "type of inode", CURED, KEPT),
	PLANT(entry_hash, "hash expected", CURED, KEPT),
	PLANT(entry_hash_indexed, "hash expected", CURED, KEPT),
	PLANT(name_bad, "no name that can be", CURED, OTHER),
	PLANT(name_twice, "another entry with this name", CURED, OTHER),
	PLANT(file_nameless, "has no name", CURED, OTHER),
	PLANT(dir_nameless, "has no name", CURED, OTHER),
	PLANT(key_missing, "not found in the index", CURED, KEPT),
	PLANT(key_extra, "of its index leads to no entry", CURED, KEPT),
	PLANT(index_dropped, "not found in the index", CURED, KEPT),
	PLANT(dir_twice, "has its place elsewhere", CURED, KEPT),
	PLANT(root_named, "has its place elsewhere", CURED, KEPT),
	PLANT(circle, "has no name", CURED, OTHER),
	PLANT(moved_dir, "says that its parent is", CURED, OTHER),
	PLANT(orphan_unlisted, "not in the list of such", CURED, OTHER),
	PLANT(orphan_named, "is in the list of those without", CURED, KEPT),
	PLANT(orphan_of_nothing, "and not there", CURED, KEPT),
	PLANT(owners_more, "owners: expected 2, found 7", CURED, KEPT),
	PLANT(owners_less, "owners: expected 2, found 1", CURED, KEPT),
	PLANT(owners_none, "owners: expected 2, found 0", CURED, KEPT),
	PLANT(owners_extra, "no shared block has them", CURED, KEPT),
	PLANT(way_back_none, "the way back", CURED, KEPT),
	PLANT(way_back_extra, "no shared block has them", CURED, KEPT),
	PLANT(shared_unowned, "owners: expected 0, found 1", CURED, KEPT),
	PLANT(block_twice, "something else's too", LEFT, OTHER),
	PLANT(block_nowhere, "which the log has no room for", LEFT, OTHER),
	PLANT(block_in_table, "which the log has no room for", LEFT, OTHER),
	PLANT(mode_unknown, "is of no type", LEFT, OTHER),
	PLANT(time_senseless, "nanoseconds", LEFT, KEPT),
	PLANT(dir_block_missing, "are not there", LEFT, OTHER),
};

/* ---- Demands -------------------------------------------------------------------------------------------- */

struct seen {
	const char *mentions;
	uint64_t lines, mentioned, fixed;
	char first[300];
};

static void on_found(void *ctx, enum lfs_severity severity, const char *line)
{
	struct seen *seen = ctx;

	if (!seen->lines++ || severity == LFS_FOUND_FATAL)
		snprintf(seen->first, sizeof(seen->first), "%s", line);
	seen->mentioned += seen->mentions && strstr(line, seen->mentions);
	seen->fixed += severity == LFS_FOUND_FIXED;
	if (getenv("SHOW"))
		fprintf(stderr, "    %d %s\n", severity, line);
}

static int check(struct lfs_bdev *dev, bool repair, bool scrub, const char *mentions,
		 struct seen *seen)
{
	struct lfs_check_options opt = {
		.repair = repair, .scrub = scrub, .found = on_found, .ctx = seen
	};
	struct lfs_check_result result;
	int err;

	*seen = (struct seen){ .mentions = mentions };
	err = lfs_check(dev, &opt, &result);
	CHECK(result.findings == seen->lines, "findings: %llu counted, %llu told",
	      (unsigned long long)result.findings, (unsigned long long)seen->lines);
	CHECK(result.fixed == seen->fixed, "fixed");
	return err;
}

static void demand_cured(const struct plant *p, struct lfs_bdev *dev, bool scrub)
{
	struct seen seen;
	int err = check(dev, true, scrub, p->mentions, &seen);

	CHECK(p->cured ? !err : err == -EUCLEAN, "%s: repair: %d (%s)", p->name, err, seen.first);
	CHECK(seen.mentioned, "%s: repair does not tell \"%s\" but \"%s\"", p->name, p->mentions,
	      seen.first);
	err = check(dev, true, scrub, NULL, &seen);
	CHECK(p->cured ? !err && !seen.lines : !seen.fixed, "%s: a second repair: %d (%s)", p->name,
	      err, seen.first);
}

/* After a repair that was cut off: another one ends it. */
static void demand_again(const struct plant *p, struct lfs_bdev *dev)
{
	struct seen seen;
	int err = check(dev, true, false, NULL, &seen);

	CHECK(!err, "%s: repair after a crash: %d (%s)", p->name, err, seen.first);
	err = check(dev, false, true, NULL, &seen);
	CHECK(!err && !seen.lines, "%s: after that: %d (%s)", p->name, err, seen.first);
}

static void demand(const struct plant *p, struct lfs_bdev *dev, bool scrub, uint64_t before)
{
	uint8_t *copy = malloc(IMAGE_BYTES);
	struct seen seen;
	int err;

	memcpy(copy, lfs_bdev_mem_bytes(dev), IMAGE_BYTES);
	err = check(dev, false, scrub, p->mentions, &seen);
	CHECK(err, "%s: check: %d", p->name, err);
	CHECK(seen.mentioned, "%s: not \"%s\" but \"%s\"", p->name, p->mentions, seen.first);
	CHECK(!memcmp(copy, lfs_bdev_mem_bytes(dev), IMAGE_BYTES), "%s: a check wrote", p->name);
	free(copy);
	demand_cured(p, dev, scrub);
	if (p->kept)
		CHECK(digest(dev) == before, "%s: files are not as before", p->name);
}

/* The plant is in memory only, and an ordinary checkpoint makes it durable. */
static void plant(const struct plant *p, struct lfs_bdev *dev)
{
	struct lfs *fs = put_up(dev);

	p->plant(fs);
	take_down(fs);
}

Test(check, sound_image_has_no_findings)
{
	struct lfs_bdev *dev = image();
	struct seen seen;
	int err = check(dev, false, true, NULL, &seen);

	CHECK(!err && !seen.lines, "%d: %s", err, seen.first);
	err = check(dev, true, true, NULL, &seen);
	CHECK(!err && !seen.lines, "repair: %d: %s", err, seen.first);
	lfs_bdev_close(dev);
}

Test(check, mounted_and_crashed_images_have_no_findings)
{
	struct lfs_bdev *dev = image();
	struct lfs *fs = put_up(dev);
	struct seen seen = { 0 };
	struct lfs_check_options opt = { .scrub = true, .found = on_found, .ctx = &seen };
	int err;

	fill(fs, lookup(fs, 1, "frag"), 5 * LFS_BLOCK, 50000, 'n');
	CHECK(!lfs_unlink(fs, 1, "small"), "unlink");
	err = lfs_check_mounted(fs, &opt, NULL);
	CHECK(!err && !seen.lines, "mounted: %d: %s", err, seen.first);
	make(fs, 1, "new", 0644);
	CHECK(!lfs_unlink(fs, 1, "clone"), "unlink");
	CHECK(!lfs_sync(fs), "sync");
	lfs_abort(fs);
	err = check(dev, false, true, NULL, &seen);
	CHECK(!err && !seen.lines, "crashed: %d: %s", err, seen.first);
	lfs_bdev_close(dev);
}

Test(check, each_inconsistency_is_found_and_repaired_once)
{
	struct lfs_bdev *dev = image();
	uint64_t before = digest(dev);

	lfs_bdev_close(dev);
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		const char *only = getenv("PLANT");

		if (only && strcmp(only, plants[i].name))
			continue;
		harness_step(plants[i].name, 0);
		dev = image();
		plant(&plants[i], dev);
		demand(&plants[i], dev, false, before);
		lfs_bdev_close(dev);
	}
}

/* ---- Damage: bits on the device -------------------------------------------------------------------------- */

#define HITS_A_KIND 3u

/* What a repair makes of one flipped bit: kept twice, or made anew from something else. */
static bool is_mended(uint8_t kind)
{
	return kind == ANATOMY_super || kind == ANATOMY_checkpoint || kind == ANATOMY_gdir ||
	       kind == ANATOMY_ginfo || kind == ANATOMY_table || kind == ANATOMY_owners ||
	       kind == ANATOMY_chunk || kind == ANATOMY_rest;
}

static bool is_in_use(const struct lfs_anatomy *a, uint64_t block)
{
	uint64_t first = block - block % a->segment_blocks;
	uint8_t kind = a->kind[block];

	if (kind == ANATOMY_super || kind == ANATOMY_checkpoint || kind == ANATOMY_gdir ||
	    kind == ANATOMY_ginfo)
		return true;
	if (kind != ANATOMY_table && kind != ANATOMY_owners && kind != ANATOMY_chunk)
		return a->live[block];
	for (uint64_t i = 0; i < a->segment_blocks; i++)
		if (a->live[first + i])
			return true;
	return false;
}

static void hit(const struct lfs_anatomy *a, uint64_t block, struct rng *rng, uint64_t before)
{
	char what[64];
	struct plant p = { .name = what, .cured = is_mended(a->kind[block]), .kept = p.cured };
	struct lfs_bdev *dev = image();
	uint64_t bit = rng_below(rng, LFS_BLOCK * 8);

	snprintf(what, sizeof(what), "%s, bit %llu of block %llu", anatomy_names[a->kind[block]],
		 (unsigned long long)bit, (unsigned long long)block);
	p.mentions = "";
	((uint8_t *)lfs_bdev_mem_bytes(dev))[block * LFS_BLOCK + bit / 8] ^= (uint8_t)(1u
										       << bit % 8);
	if (p.cured) {
		demand(&p, dev, true, before);
	} else {
		struct seen seen;
		int err = check(dev, false, true, NULL, &seen);

		CHECK(err && seen.lines, "%s: not found", what);
		check(dev, true, true, NULL, &seen);
		err = check(dev, true, true, NULL, &seen);
		CHECK(!seen.fixed, "%s: a second repair: %d (%s)", what, err, seen.first);
	}
	lfs_bdev_close(dev);
}

Test(check, each_damaged_block_is_found_and_what_is_known_twice_is_mended)
{
	struct lfs_bdev *dev = image();
	uint64_t hits[ANATOMY_COUNT] = { 0 }, before = digest(dev);
	struct rng rng;
	struct lfs_anatomy a;

	rng_init(&rng, harness_seed(), 0);
	lfs_bdev_close(dev);
	CHECK(lfs_anatomy_read(&a, base, IMAGE_BYTES), "not sound");
	for (uint64_t i = 0; i < a.blocks; i++) {
		uint64_t block = (i * 7919 + 3) % a.blocks;

		if (!is_in_use(&a, block) ||
		    (!harness_long() && hits[a.kind[block]] == HITS_A_KIND))
			continue;
		hits[a.kind[block]]++;
		harness_step(anatomy_names[a.kind[block]], block);
		hit(&a, block, &rng, before);
	}
	for (int kind = ANATOMY_super; kind < ANATOMY_COUNT; kind++)
		if (kind != ANATOMY_ptab && kind != ANATOMY_rest && kind != ANATOMY_shared)
			CHECK(hits[kind], "no %s in the image", anatomy_names[kind]);
	lfs_anatomy_destroy(&a);
}

/* ---- A crash in a repair --------------------------------------------------------------------------------- */

/* The first writes arrive, and then none. */
struct failing {
	struct lfs_bdev dev;
	struct lfs_bdev *below;
	uint64_t writes, most;
};

static int failing_read(struct lfs_bdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct lfs_bdev *below = ((struct failing *)dev)->below;

	return below->ops->read(below, buf, len, offset);
}

static int failing_write(struct lfs_bdev *dev, const void *buf, size_t len, uint64_t offset)
{
	struct failing *f = (struct failing *)dev;

	return f->writes++ < f->most ? f->below->ops->write(f->below, buf, len, offset) : -EIO;
}

static int failing_flush(struct lfs_bdev *dev)
{
	const struct failing *f = (struct failing *)dev;

	return f->writes <= f->most ? 0 : -EIO;
}

static const struct lfs_bdev_ops failing_ops = { .read = failing_read,
						 .write = failing_write,
						 .flush = failing_flush };

/* Return: the repair came to its end. */
static bool repair_with_writes(const struct plant *p, uint64_t most, uint64_t before)
{
	struct failing f = { .dev = { .ops = &failing_ops, .size_bytes = IMAGE_BYTES },
			     .most = most };
	struct seen seen;
	bool ended;

	f.below = image();
	plant(p, f.below);
	check(&f.dev, true, false, NULL, &seen);
	ended = f.writes <= most;
	demand_again(p, f.below);
	if (p->kept)
		CHECK(digest(f.below) == before, "%s: files are not as before", p->name);
	lfs_bdev_close(f.below);
	return ended;
}

Test(check, repair_can_be_repeated_after_a_crash_at_any_write)
{
	static void (*const kinds[])(struct lfs * fs) = { bit_missing,   segment_free,
							  dir_nameless,  owners_none,
							  index_dropped, orphan_unlisted };
	struct lfs_bdev *dev = image();
	uint64_t before = digest(dev);

	lfs_bdev_close(dev);
	for (size_t i = 0; i < sizeof(plants) / sizeof(plants[0]); i++) {
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			uint64_t most = 0;

			if (plants[i].plant != kinds[k])
				continue;
			while (!repair_with_writes(&plants[i], most, before))
				harness_step(plants[i].name, ++most);
		}
	}
}

/* The books carry their checksum twice: in themselves, where nobody reads it, and in what names them. */
Test(check, a_wrong_copy_of_a_checksum_in_the_books_is_found_and_mended)
{
	const uint64_t magics[] = { LFS_GDIR_MAGIC, LFS_GROUP_MAGIC };
	struct lfs_bdev *dev = image();
	uint8_t *bytes = lfs_bdev_mem_bytes(dev);
	struct seen seen;

	for (int kind = 0; kind < 2; kind++) {
		int found = 0;

		for (uint64_t at = 0; at < IMAGE_BYTES; at += LFS_BLOCK) {
			lfs_le64 magic;
			int err;

			memcpy(&magic, bytes + at, sizeof(magic));
			if (lfs_from64(magic) != magics[kind])
				continue;
			bytes[at + 8 + 3] ^= 0x10;
			err = check(dev, false, false, NULL, &seen);
			CHECK(!err || err == -EUCLEAN, "%d", err);
			if (!err) { /* not the one in use */
				bytes[at + 8 + 3] ^= 0x10;
				continue;
			}
			found++;
			CHECK(!check(dev, true, false, NULL, &seen), "repair");
			CHECK(!check(dev, false, true, NULL, &seen), "after it");
		}
		CHECK(found, "kind %d", kind);
	}
	lfs_bdev_close(dev);
}
