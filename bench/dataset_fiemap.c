/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where files are on disk, asked of the kernel with FIEMAP: block -> block on disk, in blocks of the
 * filesystem. The files of a tree lie one behind the other in the order of their names, one key apart, so
 * that no run is of two files. Tag 1: allocated, never written.
 */
#include "dataset_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fiemap.h"

/**
 * struct survey -
 * @base:  Key of the first block of the file at hand.
 * @files, @unsupported, @unreadable: Asked in all; without FIEMAP; refused, with @error.
 */
struct survey {
	struct loading *l;
	uint64_t base, block_bytes;
	uint64_t files, unsupported, unreadable;
	int error;
};

static int add_extent(void *ctx, const struct lindex_run *extent)
{
	struct survey *s = ctx;
	const struct runs *runs = &s->l->runs;
	struct lindex_run run;

	if (!extent)
		return 0;
	run = *extent;
	run.first += s->base;
	run.last += s->base;
	/* Behind 2^64, or told twice, as a file may be that changes meanwhile. */
	if (run.last < extent->last || (runs->n && run.first <= runs->at[runs->n - 1].last))
		return 0;
	return runs_append(&s->l->runs, run);
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

static int visit(void *ctx, const char *path, uint64_t bytes)
{
	struct survey *s = ctx;
	int err, fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	s->files++;
	err = fd < 0 ? -errno : fiemap_file(fd, s->block_bytes, add_extent, s);
	if (fd >= 0)
		close(fd);
	if (err == -ENOMEM)
		return err;
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

int load_extents(struct loading *l)
{
	struct survey s = { .l = l, .block_bytes = fiemap_block_bytes(l->what) };
	int err = fiemap_tree(l->what, visit, &s);

	if (err == -ENOMEM)
		return refuse_memory(l->why);
	if (err == -EINVAL)
		return refuse(l->why, EINVAL,
			      "fiemap:%s: expected a file or a directory, found a special file",
			      shown(l->what));
	if (err)
		return refuse(l->why, -err, "fiemap:%s: cannot read: %s", shown(l->what),
			      strerror(-err));
	return verdict(&s);
}
