/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fiemap.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE 256u /* extents per call */

/* Extents that do not say "these whole blocks are there". */
#define UNUSABLE                                                                                   \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_NOT_ALIGNED |              \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL)

/* ---- One file ---------------------------------------------------------------------------------- */

/* Return: whether it is whole blocks. */
static bool run_of(const struct fiemap_extent *fe, uint64_t block_bytes, struct lindex_run *run)
{
	uint64_t block = fe->fe_logical / block_bytes, blocks = fe->fe_length / block_bytes;

	*run = (struct lindex_run){
		.first = block,
		.last = block + blocks - 1,
		.value = fe->fe_physical / block_bytes,
		.tag = fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? FIEMAP_UNWRITTEN : 0,
		.step = !(fe->fe_flags & FIEMAP_EXTENT_ENCODED),
	};
	return !(fe->fe_flags & UNUSABLE) && blocks && run->last >= run->first &&
	       (fe->fe_logical | fe->fe_length | fe->fe_physical) % block_bytes == 0;
}

/* Asks again and again, from behind the last answer. */
static int ask(int fd, struct fiemap *map, uint64_t block_bytes, fiemap_extent_fn add, void *ctx)
{
	struct lindex_run run;
	uint64_t from = 0;
	int err = 0;

	for (;;) {
		memset(map, 0, sizeof(*map));
		map->fm_start = from;
		map->fm_length = FIEMAP_MAX_OFFSET - from;
		map->fm_flags = FIEMAP_FLAG_SYNC; /* what is not on disk yet has no place */
		map->fm_extent_count = AT_ONCE;
		if (ioctl(fd, FS_IOC_FIEMAP, map))
			return -errno;
		for (uint32_t i = 0; i < map->fm_mapped_extents && !err; i++) {
			const struct fiemap_extent *fe = &map->fm_extents[i];

			err = add(ctx, run_of(fe, block_bytes, &run) ? &run : NULL);
			from = fe->fe_logical + fe->fe_length;
			if (fe->fe_flags & FIEMAP_EXTENT_LAST)
				return err;
		}
		if (err || !map->fm_mapped_extents)
			return err;
	}
}

int fiemap_file(int fd, uint64_t block_bytes, fiemap_extent_fn add, void *ctx)
{
	struct fiemap *map = malloc(sizeof(*map) + AT_ONCE * sizeof(struct fiemap_extent));
	int err = map ? ask(fd, map, block_bytes, add, ctx) : -ENOMEM;

	free(map);
	return err;
}

/* ---- A tree ------------------------------------------------------------------------------------ */

/* All files are on one filesystem, so that one size of block fits them. */
uint64_t fiemap_block_bytes(const char *path)
{
	int block = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FIGETBSZ, &block) || block <= 0)
		block = 512;
	if (fd >= 0)
		close(fd);
	return (uint64_t)block;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int fiemap_tree(const char *path, fiemap_file_fn visit, void *ctx)
{
	char *roots[2] = { (char *)(uintptr_t)path, NULL };
	FTSENT *entry;
	struct stat st;
	FTS *tree;
	int err = 0;

	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EINVAL;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV | FTS_NOCHDIR, by_name);
	if (!tree)
		return -errno;
	while (!err && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode))
			err = visit(ctx, entry->fts_accpath, (uint64_t)entry->fts_statp->st_size);
	fts_close(tree);
	return err;
}
