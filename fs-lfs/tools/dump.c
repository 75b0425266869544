/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dump.lfs: one thing of a filesystem as it is on the device, as text or JSON.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../fuse/image.h"

const char *const tool_name = "dump.lfs";
const char tool_help[] =
	"usage: dump.lfs [--json] IMAGE [WHAT]\n"
	"\n"
	"Print one thing of an fs-lfs filesystem. Nothing is written, not even after a crash. WHAT "
	"is\n"
	"\n"
	"  super          both superblocks (default)\n"
	"  checkpoint     both checkpoint regions\n"
	"  segment N      state, table, chunks and records of a segment\n"
	"  inode FILE     attributes and names of extended attributes\n"
	"  map FILE       the map of a file or directory: runs, models and their windows\n"
	"  dir FILE       entries of a directory, with hash and place\n"
	"\n"
	"and FILE an inode number, or a path in the filesystem that begins with \"/\".\n"
	"\n"
	"      --json\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Of a mounted image what is seen may be out of date. Exit status: 0, or 1.\n";

struct what {
	const char *name;
	int (*of_device)(struct lfs_bdev *dev, const struct lfs_dump_sink *sink);
	int (*of_number)(struct lfs *fs, uint64_t n, const struct lfs_dump_sink *sink);
	bool takes_path;
};

static const struct what whats[] = {
	{ .name = "super", .of_device = lfs_dump_super },
	{ .name = "checkpoint", .of_device = lfs_dump_checkpoint },
	{ .name = "segment", .of_number = lfs_dump_segment },
	{ .name = "inode", .of_number = lfs_dump_inode, .takes_path = true },
	{ .name = "map", .of_number = lfs_dump_map, .takes_path = true },
	{ .name = "dir", .of_number = lfs_dump_dir, .takes_path = true },
};

struct command {
	const char *image, *number;
	const struct what *what;
	bool json;
};

/* -1: go on; else the exit status. */
static int parse(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	const char *name;
	int c;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		if (c == 'h')
			return print_help();
		if (c == 'V')
			return print_version();
		if (c == '?')
			return EXIT_FAILURE;
		cmd->json = true;
	}
	if (optind == argc) {
		complain("expected IMAGE [WHAT]; see dump.lfs --help");
		return EXIT_FAILURE;
	}
	cmd->image = argv[optind++];
	name = optind < argc ? argv[optind++] : "super";
	cmd->number = optind < argc ? argv[optind++] : NULL;
	for (size_t i = 0; i < sizeof(whats) / sizeof(*whats); i++)
		if (!strcmp(name, whats[i].name))
			cmd->what = &whats[i];
	if (!cmd->what)
		complain("expected super, checkpoint, segment, inode, map or dir, found \"%s\"",
			 name);
	else if (optind < argc || !cmd->number != !cmd->what->of_number)
		complain("%s: expected %s", name,
			 !cmd->what->of_number ? "nothing more" :
			 cmd->what->takes_path ? "an inode number or a path" :
						 "one number");
	else
		return -1;
	return EXIT_FAILURE;
}

/* @path, name by name. */
static int walk(struct lfs *fs, const char *path, uint64_t *ino)
{
	char *copy = strdup(path), *rest = copy, *name;
	lfs_ino_t at = LFS_ROOT_INO;
	int r = copy ? 0 : -ENOMEM;

	while (!r && (name = strsep(&rest, "/"))) {
		struct lfs_attr attr;

		if (!*name)
			continue;
		r = lfs_lookup(fs, at, name, &attr);
		if (at != LFS_ROOT_INO)
			lfs_forget(fs, at, 1);
		if (!r)
			at = attr.ino;
	}
	free(copy);
	*ino = at;
	return r;
}

static int resolve(const struct command *cmd, struct lfs *fs, uint64_t *n)
{
	char *end;

	if (cmd->what->takes_path && *cmd->number == '/')
		return walk(fs, cmd->number, n);
	errno = 0;
	*n = strtoull(cmd->number, &end, 10);
	return errno || *end || end == cmd->number || *cmd->number == '-' ? -EINVAL : 0;
}

static int dump_number(const struct command *cmd, struct lfs_bdev *dev,
		       const struct lfs_dump_sink *sink)
{
	struct lfs_mount_options options = {
		.read_only = true, .callbacks = { .log = log_line, .ctx = (void *)cmd->image }
	};
	struct lfs *fs;
	uint64_t n;
	int r = lfs_mount(dev, &options, &fs);

	if (r) {
		char why[IMAGE_WHY_BYTES];

		image_explain(cmd->image, r, why);
		complain("%s", why);
		return r;
	}
	r = resolve(cmd, fs, &n);
	if (!r)
		r = cmd->what->of_number(fs, n, sink);
	if (r)
		complain("%s: %s %s: %s", cmd->image, cmd->what->name, cmd->number,
			 r == -EINVAL ? "no such thing" : strerror(-r));
	lfs_abort(fs);
	return r;
}

static int dump(const struct command *cmd, struct lfs_bdev *dev)
{
	struct lfs_super_info info;
	char why[IMAGE_WHY_BYTES];
	struct sink sink;
	int r = image_probe(cmd->image, dev, &info, why);

	/* Damage is what somebody may want to look at; an image that is no filesystem has nothing to show. */
	if (r && !(cmd->what->of_device && (r == -EBADMSG || r == -EUCLEAN || r == -ENOSPC))) {
		complain("%s", why);
		return EXIT_FAILURE;
	}
	sink_init(&sink, cmd->json);
	r = cmd->what->of_device ? cmd->what->of_device(dev, &sink.calls) :
				   dump_number(cmd, dev, &sink.calls);
	if (r && cmd->what->of_device)
		complain("%s: %s: %s", cmd->image, cmd->what->name, strerror(-r));
	if (r) {
		json_decref(sink.open[0]);
		return EXIT_FAILURE;
	}
	return sink_finish(&sink) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct command cmd = { .image = NULL };
	char why[IMAGE_WHY_BYTES];
	struct lfs_bdev *dev;
	char *where;
	int status = parse(&cmd, argc, argv);

	if (status >= 0)
		return status;
	where = image_mountpoint(cmd.image);
	if (where)
		complain("%s: mounted on %s: what follows may be out of date", cmd.image, where);
	if (image_open(cmd.image, LFS_BDEV_READ_ONLY | (where ? LFS_BDEV_NO_LOCK : 0), &dev, why)) {
		complain("%s", why);
		status = EXIT_FAILURE;
	} else {
		status = dump(&cmd, dev);
		lfs_bdev_close(dev);
	}
	free(where);
	return status;
}
