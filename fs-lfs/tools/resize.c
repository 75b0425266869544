/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * resize.lfs: make a filesystem larger, mounted or not. A mounted one is asked through CONTROL_GROW.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../fuse/control.h"
#include "../fuse/image.h"

const char *const tool_name = "resize.lfs";
const char tool_help[] = "usage: resize.lfs IMAGE|DIR [SIZE]\n"
			 "\n"
			 "Make the fs-lfs filesystem in IMAGE, or mounted on DIR, larger: SIZE "
			 "bytes (with K, M, G or T),\n"
			 "\"+SIZE\" for so much more, or all of IMAGE without SIZE. An image file "
			 "becomes longer if need be.\n"
			 "\n"
			 "      --json\n"
			 "  -h, --help\n"
			 "  -V, --version\n"
			 "\n"
			 "It cannot become smaller. Exit status: 0, or 1 if nothing has changed.\n";

struct command {
	const char *target, *size;
	bool json;
	char *image, *mountpoint; /* mountpoint: NULL if it is not mounted */
};

/* -1: go on; else the exit status. */
static int parse(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
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
	if (argc - optind != 1 && argc - optind != 2) {
		complain("expected IMAGE|DIR [SIZE]; see resize.lfs --help");
		return EXIT_FAILURE;
	}
	cmd->target = argv[optind];
	cmd->size = argv[optind + 1];
	return -1;
}

/* The image that is mounted on a directory. */
static char *image_of(const char *dir)
{
	char text[16384], *image = NULL;
	ssize_t n = getxattr(dir, CONTROL_STATS, text, sizeof(text));
	json_t *stats = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
	const char *name = json_string_value(json_object_get(stats, "image"));

	if (name)
		image = strdup(name);
	json_decref(stats);
	return image;
}

static bool find(struct command *cmd)
{
	struct stat st;

	if (stat(cmd->target, &st)) {
		complain("%s: %s", cmd->target, strerror(errno));
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		cmd->image = image_of(cmd->target);
		cmd->mountpoint = strdup(cmd->target);
		if (!cmd->image)
			complain("%s: no fs-lfs filesystem is mounted here", cmd->target);
	} else {
		cmd->image = strdup(cmd->target);
		cmd->mountpoint = image_mountpoint(cmd->target);
	}
	return cmd->image;
}

/* What SIZE means, beside the filesystem's size now. */
static bool wanted_bytes(const struct command *cmd, struct lfs_bdev *dev,
			 const struct lfs_super_info *info, uint64_t *bytes)
{
	bool more = cmd->size && *cmd->size == '+';

	*bytes = dev->size_bytes - dev->size_bytes % LFS_BLOCK_BYTES;
	if (cmd->size && !image_bytes(cmd->size + more, bytes)) {
		complain("%s: expected a size, such as 2G or +512M", cmd->size);
		return false;
	}
	if (more)
		*bytes += info->size_bytes;
	if (*bytes % LFS_BLOCK_BYTES) {
		complain("%s: expected a multiple of %u bytes", cmd->size, LFS_BLOCK_BYTES);
		return false;
	}
	if (*bytes < info->size_bytes) {
		complain("%s: has %s: it cannot become smaller", cmd->image,
			 sized(info->size_bytes).text);
		return false;
	}
	return true;
}

static int grow_mounted(const struct command *cmd, uint64_t bytes)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRIu64, bytes);

	return setxattr(cmd->mountpoint, CONTROL_GROW, text, (size_t)n, 0) ? -errno : 0;
}

static int grow_unmounted(const struct command *cmd, struct lfs_bdev *dev, uint64_t bytes)
{
	struct lfs_mount_options options = { .callbacks = { .log = log_line,
							    .ctx = (void *)cmd->image } };
	struct lfs *fs;
	int r = lfs_mount(dev, &options, &fs), closed;

	if (r)
		return r;
	r = lfs_grow(fs, bytes);
	closed = lfs_unmount(fs);
	return r ? r : closed;
}

static int resize(const struct command *cmd, struct lfs_bdev *dev)
{
	uint64_t had = dev->size_bytes, bytes;
	struct lfs_super_info info;
	char why[IMAGE_WHY_BYTES];
	int r = image_probe(cmd->image, dev, &info, why);

	if (r) {
		complain("%s", why);
		return r;
	}
	if (!wanted_bytes(cmd, dev, &info, &bytes))
		return -EINVAL;
	if (bytes > had)
		r = lfs_bdev_file_resize(dev, bytes);
	if (!r)
		r = cmd->mountpoint ? grow_mounted(cmd, bytes) : grow_unmounted(cmd, dev, bytes);
	if (r) {
		complain("%s: %s", cmd->image,
			 r == -EFBIG ? "more than this filesystem can grow to" : strerror(-r));
		if (bytes > had)
			lfs_bdev_file_resize(dev, had);
		return r;
	}
	if (cmd->json)
		return print_json(json_pack("{s:s, s:I, s:I}", "image", cmd->image,
					    "old_size_bytes", (json_int_t)info.size_bytes,
					    "size_bytes", (json_int_t)bytes));
	printf("%s: %s, was %s\n", cmd->image, sized(bytes).text, sized(info.size_bytes).text);
	return 0;
}

int main(int argc, char **argv)
{
	struct command cmd = { .target = NULL };
	char why[IMAGE_WHY_BYTES];
	struct lfs_bdev *dev;
	int status = parse(&cmd, argc, argv);

	if (status >= 0)
		return status;
	status = EXIT_FAILURE;
	if (find(&cmd)) {
		/* The mount has the lock; all that is done beside it is to make the file longer. */
		if (image_open(cmd.image, cmd.mountpoint ? LFS_BDEV_NO_LOCK : 0, &dev, why)) {
			complain("%s", why);
		} else {
			status = resize(&cmd, dev) ? EXIT_FAILURE : EXIT_SUCCESS;
			lfs_bdev_close(dev);
		}
	}
	free(cmd.image);
	free(cmd.mountpoint);
	return status;
}
