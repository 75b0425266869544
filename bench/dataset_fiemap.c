/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where files are on disk, asked of the kernel with FIEMAP: block -> block on disk, in blocks of the
 * filesystem. The files of a tree lie one behind the other in the order of their names, one key apart, so
 * that no run is of two files. Tag 1: allocated, never written.
 */
#include "dataset_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT_ONCE       256u /* extents per call */
#define TAG_UNWRITTEN 1u

/* Extents that do not say "these whole blocks are there". */
#define UNUSABLE                                                                                   \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_NOT_ALIGNED |              \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL)

/**
 * struct survey -
 * @base:  Key of the first block of the file at hand.
 * @files, @unsupported, @unreadable: Asked in all; without FIEMAP; refused, with @error.
 */
struct survey {
	struct loading *l;
	struct fiemap *map;
	uint64_t base, block_bytes;
	uint64_t files, unsupported, unreadable;
	int error;
};

/* ---- One file ------------------------------------------------------------------------------ */

static int add_extent(struct survey *s, const struct fiemap_extent *fe)
{
	const struct runs *runs = &s->l->runs;
	uint64_t block = fe->fe_logical / s->block_bytes, blocks = fe->fe_length / s->block_bytes;
	struct lindex_run run = {
		.first = s->base + block,
		.last = s->base + block + blocks - 1,
		.value = fe->fe_physical / s->block_bytes,
		.tag = fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? TAG_UNWRITTEN : 0,
		/* A compressed extent is one place for all of its blocks. */
		.step = !(fe->fe_flags & FIEMAP_EXTENT_ENCODED),
	};

	if (fe->fe_flags & UNUSABLE || !blocks ||
	    (fe->fe_logical | fe->fe_length | fe->fe_physical) % s->block_bytes ||
	    run.last < run.first ||
	    /* A file that changes meanwhile may be told twice. */
	    (runs->n && run.first <= runs->at[runs->n - 1].last))
		return 0;
	return runs_append(&s->l->runs, run);
}

/* Asks again and again, from behind the last answer. */
static int add_file(struct survey *s, int fd)
{
	struct fiemap *map = s->map;
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

			err = add_extent(s, fe);
			from = fe->fe_logical + fe->fe_length;
			if (fe->fe_flags & FIEMAP_EXTENT_LAST)
				return err;
		}
		if (err || !map->fm_mapped_extents)
			return err;
	}
}

/* The next file begins behind this one: behind its size, and behind blocks beyond that. */
static void pass(struct survey *s, uint64_t bytes)
{
	const struct runs *runs = &s->l->runs;
	uint64_t end = s->base + bytes / s->block_bytes + 1;

	if (runs->n && runs->at[runs->n - 1].last >= end)
		end = runs->at[runs->n - 1].last + 1;
	s->base = end + 1;
}

static int visit(struct survey *s, const char *path, uint64_t bytes)
{
	int err, fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	s->files++;
	err = fd < 0 ? -errno : add_file(s, fd);
	if (fd >= 0)
		close(fd);
	if (err == -ENOMEM)
		return refuse_memory(s->l->why);
	if (err == -EOPNOTSUPP || err == -ENOTTY)
		s->unsupported++;
	else if (err) {
		s->unreadable++;
		s->error = -err;
	} else {
		pass(s, bytes);
	}
	return 0;
}

/* ---- A tree -------------------------------------------------------------------------------- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk(struct survey *s, FTS *tree)
{
	FTSENT *entry;
	int err = 0;

	while (!err && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_F && S_ISREG(entry->fts_statp->st_mode))
			err = visit(s, entry->fts_accpath, (uint64_t)entry->fts_statp->st_size);
	return err;
}

static int verdict(const struct survey *s)
{
	const char *path = shown(s->l->what);

	if (!s->files)
		return refuse(s->l->why, ENODATA, "fiemap:%s: expected a file, found none", path);
	if (s->unsupported == s->files)
		return refuse(
			s->l->why, EOPNOTSUPP,
			"fiemap:%s: expected a filesystem that lists extents (FIEMAP), found none",
			path);
	if (s->unreadable && s->unreadable + s->unsupported == s->files)
		return refuse(s->l->why, s->error, "fiemap:%s: cannot read: %s", path,
			      strerror(s->error));
	if (!s->l->runs.n)
		return refuse(s->l->why, ENODATA, "fiemap:%s: expected blocks on disk, found none",
			      path);
	return 0;
}

/* All files are on one filesystem, so that one size of block fits them. */
static uint64_t block_bytes(const char *path)
{
	int block = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FIGETBSZ, &block) || block <= 0)
		block = 512;
	if (fd >= 0)
		close(fd);
	return (uint64_t)block;
}

int load_extents(struct loading *l)
{
	char *roots[2] = { (char *)(uintptr_t)l->what, NULL };
	struct survey s = { .l = l };
	struct stat st;
	FTS *tree;
	int err;

	if (stat(l->what, &st))
		return refuse(l->why, errno, "fiemap:%s: cannot read: %s", shown(l->what),
			      strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return refuse(l->why, EINVAL,
			      "fiemap:%s: expected a file or a directory, found a special file",
			      shown(l->what));
	s.block_bytes = block_bytes(l->what);
	s.map = malloc(sizeof(*s.map) + AT_ONCE * sizeof(struct fiemap_extent));
	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV | FTS_NOCHDIR, by_name);
	err = s.map && tree ? walk(&s, tree) : refuse_memory(l->why);
	if (tree)
		fts_close(tree);
	free(s.map);
	return err ? err : verdict(&s);
}
