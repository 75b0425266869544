/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where files are on disk, asked with FIEMAP, and the verb that writes it down.
 */
#include "tool.h"
#include <fcntl.h>
#include <fts.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define AT_ONCE 256u /* extents per call */

/* After so many files without FIEMAP, and none with it, the filesystem has none. */
#define UNSUPPORTED_ENOUGH 16u

/* Extents that do not say "these whole blocks are there". */
#define UNUSABLE                                                                                   \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_NOT_ALIGNED |              \
	 FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_DATA_TAIL)

/* ---- One file ---------------------------------------------------------------------------------- */

static int add_extent(struct extents *x, uint64_t file, const struct fiemap_extent *fe)
{
	uint64_t block = fe->fe_logical / x->block_bytes, blocks = fe->fe_length / x->block_bytes;
	const struct run_list *list = &x->list;
	struct lindex_run run = {
		.first = file << 32 | block,
		.last = file << 32 | (block + blocks - 1),
		.value = fe->fe_physical / x->block_bytes,
		.tag = fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? EXTENTS_UNWRITTEN : 0,
		/* A compressed extent is one place for all of its blocks. */
		.step = !(fe->fe_flags & FIEMAP_EXTENT_ENCODED),
	};

	x->extents++;
	if (fe->fe_flags & UNUSABLE || !blocks || block >> 32 || blocks >> 32 ||
	    (block + blocks) >> 32 || (fe->fe_logical | fe->fe_length) % x->block_bytes ||
	    fe->fe_physical % x->block_bytes ||
	    /* A file that changes meanwhile may be told twice. */
	    (list->n && run.first <= list->runs[list->n - 1].last)) {
		x->left_out++;
		return 0;
	}
	return runs_append(&x->list, &run);
}

/* Asks again and again, from behind the last answer. Returns 0 or a negative errno. */
static int add_file(struct extents *x, uint64_t file, int fd, struct fiemap *map)
{
	uint64_t from = 0;
	int err = 0;

	for (;;) {
		memset(map, 0, sizeof(*map));
		map->fm_start = from;
		map->fm_length = FIEMAP_MAX_OFFSET - from;
		map->fm_extent_count = AT_ONCE;
		if (ioctl(fd, FS_IOC_FIEMAP, map))
			return -errno;
		for (uint32_t i = 0; i < map->fm_mapped_extents && !err; i++) {
			const struct fiemap_extent *fe = &map->fm_extents[i];

			err = add_extent(x, file, fe);
			from = fe->fe_logical + fe->fe_length;
			if (fe->fe_flags & FIEMAP_EXTENT_LAST)
				return err;
		}
		if (err || !map->fm_mapped_extents)
			return err;
	}
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

/* FIEMAP speaks in bytes. All files are on one filesystem, so that one size of block fits them. */
static void ask_block_size(struct extents *x, const char *path)
{
	int block = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, FIGETBSZ, &block) || block <= 0)
		block = 512;
	x->block_bytes = (uint32_t)block;
	if (fd >= 0)
		close(fd);
}

static int visit(struct extents *x, const char *path, struct fiemap *map)
{
	int err, fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		x->unreadable++;
		return 0;
	}
	err = add_file(x, x->files, fd, map);
	close(fd);
	if (err == -ENOMEM)
		return no_memory();
	if (err == -EOPNOTSUPP || err == -ENOTTY)
		x->unsupported++;
	else if (err)
		x->unreadable++;
	x->files++;
	return 0;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk(FTS *tree, struct extents *x, struct fiemap *map)
{
	struct progress progress;
	FTSENT *entry;
	int status = 0;

	progress_begin(&progress, "files asked for their extents");
	while (!status && !x->truncated && (entry = fts_read(tree))) {
		if (entry->fts_info != FTS_F || !S_ISREG(entry->fts_statp->st_mode))
			continue;
		status = visit(x, entry->fts_accpath, map);
		progress_at(&progress, x->files);
		x->truncated = x->files >= EXTENTS_MAX_FILES ||
			       seconds_now() - progress.started > EXTENTS_MAX_SECONDS;
		if (x->unsupported == x->files && x->files >= UNSUPPORTED_ENOUGH)
			break;
	}
	progress_end(&progress);
	return status;
}

int extents_below(const char *path, struct extents *x)
{
	char *roots[2] = { (char *)(uintptr_t)path, NULL };
	struct fiemap *map;
	struct stat st;
	FTS *tree;
	int status;

	*x = (struct extents){ 0 };
	if (stat(path, &st))
		return complain("%s: cannot read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return complain("%s: expected a file or a directory, found a special file", path);
	name_filesystem(x, path);
	ask_block_size(x, path);
	map = malloc(sizeof(*map) + AT_ONCE * sizeof(struct fiemap_extent));
	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV | FTS_NOCHDIR, by_name);
	status = map && tree ? walk(tree, x, map) : no_memory();
	if (tree)
		fts_close(tree);
	free(map);
	if (status)
		runs_free(&x->list);
	return status;
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
