/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the check share. One round over a mounted filesystem, in this order:
 *
 *   check_inodes.c   the inode table, every inode, every map          -> which blocks are used, which inodes there are
 *   check_shared.c   blocks with several owners                       -> the same
 *   check_books.c    live bitmaps, segments, counts against that         (first of all repairs, see K2)
 *   check_names.c    the tree of directories, entry by entry          -> names of each inode
 *   check_links.c    link counts, orphans, what has lost its name
 *   check_scrub.c    every live block of the log, read and verified
 *
 *   check_tally.c    counters made of bitmaps
 *   check_places.c   what stands at fixed places, before anything is mounted
 *
 *   K1  Memory is in proportion to inodes and blocks in bits: CRoaring bitmaps, and counters made of bitmaps
 *       (struct lfs_tally). Nothing is kept for each name, run or file.
 *   K2  A repair happens in memory, and one checkpoint makes all of a round durable: a crash leaves the image as it
 *       was. Nothing is written before the books say of every used block that it is in use.
 *   K3  What cannot be read is not known: then nothing is freed, no count is lowered, and no inode is said to have
 *       lost its names (ck->blind).
 *   K4  After a round that repaired something comes another one. The last one repairs nothing.
 */
#ifndef LFS_CHECKER_H
#define LFS_CHECKER_H

#include "internal.h"

#define LFS_LINE 512u

/* Counters for 2^32 things (check_tally.c). All zero: nothing counted. */
#define LFS_TALLY_BITS 32u
struct lfs_tally {
	roaring_bitmap_t *bit[LFS_TALLY_BITS];
};

void lfs_tally_destroy(struct lfs_tally *tally);
void lfs_tally_add(struct lfs_tally *tally, uint32_t first, uint64_t n);
uint64_t lfs_tally_get(const struct lfs_tally *tally, uint32_t at);
bool lfs_tally_all(const struct lfs_tally *tally, uint32_t first, uint64_t n, uint64_t count);

/* A directory that was found under another parent than it names: rare, so few are handled in a round. */
#define LFS_ADOPT_MAX 1024u
struct lfs_adopt {
	uint32_t child, dir;
};

struct lfs_checker {
	const struct lfs_check_options *opt;
	struct lfs_check_result *result;
	struct lfs_bdev *dev;
	struct lfs *fs;
	bool repair;            /* may change the filesystem in memory */
	roaring_bitmap_t *told; /* hashes of the lines of findings */
	char last[LFS_LINE];    /* what the engine logged last */

	/* Of this round. What was found in it and not repaired is left. */
	uint32_t round;
	uint64_t found, fixed;
	bool blind;       /* K3 */
	bool books_right; /* K2: every used block is in the books, in memory */
	bool writable;    /* and operations of the engine may be used */
	uint64_t walked;  /* inodes since memory was given back */

	/* Left by what runs once: check_places.c, check_scrub.c. */
	uint64_t places_left, scrub_left;

	/* check_inodes.c and check_shared.c: */
	roaring_bitmap_t *used; /* blocks that something names */
	roaring_bitmap_t *inodes, *dirs;
	uint64_t reserved;
	struct lfs_tally owners; /* of shared blocks, by place */

	/* check_names.c; directories: under the root, without a name that counts, to be walked */
	roaring_bitmap_t *reached, *lost, *todo;
	struct lfs_adopt *adopt;
	uint32_t nadopt;
	uint64_t nentries; /* of the directory at hand */
	bool anew;         /* its index is being made anew */
	struct lfs_tally names, subdirs;
};

/* check.c */
bool lfs_found(struct lfs_checker *ck, bool fixable, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool lfs_found_err(struct lfs_checker *ck, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int lfs_unfixed(struct lfs_checker *ck, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool lfs_is_damage(int err);
void lfs_check_progress(struct lfs_checker *ck, const char *phase, uint64_t done, uint64_t total);
void lfs_check_breathe(struct lfs_checker *ck);
int lfs_check_writable(struct lfs_checker *ck);

int lfs_check_inodes(struct lfs_checker *ck);
bool lfs_check_claim(struct lfs_checker *ck, uint64_t daddr, uint64_t n, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int lfs_check_pindex(struct lfs_checker *ck, struct lfs_pindex *pi, const char *whose);
int lfs_check_shared(struct lfs_checker *ck);
int lfs_check_shared_counts(struct lfs_checker *ck);
int lfs_check_share_owned(struct lfs_checker *ck, uint32_t ino, uint64_t vaddr, uint64_t n);
int lfs_check_books(struct lfs_checker *ck);
int lfs_check_tree(struct lfs_checker *ck);
int lfs_check_entries(struct lfs_checker *ck);
int lfs_check_links(struct lfs_checker *ck);
int lfs_check_scrub(struct lfs_checker *ck);
int lfs_check_places(struct lfs_checker *ck);

#endif
