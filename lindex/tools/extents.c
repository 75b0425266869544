/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where files are on disk, asked with FIEMAP, and the verb that writes it down.
 */
#include "fiemap.h"
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* After so many files without FIEMAP, and none with it, the filesystem has none. */
#define UNSUPPORTED_ENOUGH 16u

/* What ends the walk early: nobody's errno. */
#define ENOUGH 1

struct survey {
	struct extents *x;
	struct progress progress;
	double started;
};

/* ---- One file ---------------------------------------------------------------------------------- */

static int add_extent(void *ctx, const struct lindex_run *extent)
{
	struct extents *x = ctx;
	const struct run_list *list = &x->list;
	struct lindex_run run;

	x->extents++;
	if (!extent || extent->last >> 32) {
		x->left_out++;
		return 0;
	}
	run = *extent;
	run.first |= x->files << 32;
	run.last |= x->files << 32;
	if (list->n && run.first <= list->runs[list->n - 1].last) {
		x->left_out++; /* told twice */
		return 0;
	}
	return runs_append(&x->list, &run);
}

/* ---- A tree ------------------------------------------------------------------------------------ */

static void name_filesystem(struct extents *x, const char *path)
{
	static const struct {
		uint64_t magic;
		const char *name;
	} known[] = {
		{ EXT4_SUPER_MAGIC, "ext4" },   { XFS_SUPER_MAGIC, "xfs" },
		{ BTRFS_SUPER_MAGIC, "btrfs" }, { F2FS_SUPER_MAGIC, "f2fs" },
		{ TMPFS_MAGIC, "tmpfs" },       { OVERLAYFS_SUPER_MAGIC, "overlayfs" },
		{ PROC_SUPER_MAGIC, "proc" },   { SYSFS_MAGIC, "sysfs" },
		{ NFS_SUPER_MAGIC, "nfs" },     { MSDOS_SUPER_MAGIC, "vfat" },
	};
	struct statfs fs;

	if (statfs(path, &fs))
		return;
	snprintf(x->filesystem, sizeof(x->filesystem), "filesystem type 0x%x",
		 (unsigned int)fs.f_type);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if ((uint32_t)fs.f_type == known[i].magic)
			snprintf(x->filesystem, sizeof(x->filesystem), "%s", known[i].name);
}

static int visit(void *ctx, const char *path, uint64_t bytes)
{
	struct survey *s = ctx;
	struct extents *x = s->x;
	int err, fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	(void)bytes;
	if (fd < 0) {
		x->unreadable++;
		return 0;
	}
	err = fiemap_file(fd, x->block_bytes, add_extent, x);
	close(fd);
	if (err == -ENOMEM)
		return err;
	if (err == -EOPNOTSUPP || err == -ENOTTY)
		x->unsupported++;
	else if (err)
		x->unreadable++;
	progress_at(&s->progress, ++x->files);
	x->truncated = x->files >= EXTENTS_MAX_FILES ||
		       seconds_now() - s->started > EXTENTS_MAX_SECONDS;
	if (x->truncated || (x->unsupported == x->files && x->files >= UNSUPPORTED_ENOUGH))
		return ENOUGH;
	return 0;
}

int extents_below(const char *path, struct extents *x)
{
	struct survey s = { .x = x, .started = seconds_now() };
	int err;

	*x = (struct extents){ 0 };
	name_filesystem(x, path);
	x->block_bytes = (uint32_t)fiemap_block_bytes(path);
	progress_begin(&s.progress, "files asked for their extents");
	err = fiemap_tree(path, visit, &s);
	progress_end(&s.progress);
	if (err >= 0)
		return 0;
	runs_free(&x->list);
	if (err == -ENOMEM)
		return no_memory();
	if (err == -EINVAL)
		return complain("%s: expected a file or a directory, found a special file", path);
	return complain("%s: cannot read: %s", path, strerror(-err));
}

/* ---- capture ----------------------------------------------------------------------------------- */

static int write_extents(const struct extents *x, const char *path, FILE *out)
{
	fprintf(out, "# Extents of %s (%s), blocks of %u bytes.\n", path, x->filesystem,
		x->block_bytes);
	fputs("# file number << 32 | file block, disk block (both hexadecimal), blocks, tag 1: "
	      "unwritten\n",
	      out);
	runs_write(&x->list, out);
	return ferror(out) ? STATUS_WRONG : 0;
}

static int capture_to(const struct extents *x, const char *path, const char *to)
{
	struct new_file nf;
	int status;

	if (strcmp(to, "-") == 0)
		return write_extents(x, path, stdout) ? complain("cannot write to stdout") : 0;
	status = new_file_open(&nf, to);
	if (status)
		return status;
	/* An error on the stream is found again, and told, by the commit. */
	(void)write_extents(x, path, nf.out);
	status = new_file_commit(&nf);
	if (!status)
		printf("%s: %s runs of %s file(s)%s\n", to, grouped(x->list.n).text,
		       grouped(x->files).text, x->truncated ? ", stopped at the limit" : "");
	return status;
}

int verb_capture(int argc, char **argv)
{
	struct extents x;
	int status;

	if (argc != 2)
		return complain("capture: expected PATH OUT.txt, found %d argument(s)", argc);
	status = extents_below(argv[0], &x);
	if (status)
		return status;
	if (x.files && x.unsupported == x.files)
		status = complain("%s: expected a filesystem that lists extents (FIEMAP), found %s",
				  argv[0], x.filesystem);
	else if (x.files == 0 && x.unreadable)
		status = complain("%s: cannot read any file there", argv[0]);
	else
		status = capture_to(&x, argv[0], argv[1]);
	runs_free(&x.list);
	return status;
}
