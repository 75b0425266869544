/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mkfs.lfs: make a filesystem. What is there already is only overwritten with -f; what is mounted, never.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fuse/image.h"

const char *const tool_name = "mkfs.lfs";
const char tool_help[] =
	"usage: mkfs.lfs IMAGE|DEVICE [-s SIZE] [-L LABEL] [-U UUID] [-f] ...\n"
	"\n"
	"Make an empty fs-lfs filesystem in a file, which is created if need be, or on a block "
	"device.\n"
	"\n"
	"  -s, --size SIZE          of the filesystem, with K, M, G or T (default: all of IMAGE)\n"
	"  -L, --label LABEL        at most 31 bytes\n"
	"  -U, --uuid UUID          8-4-4-4-12 hexadecimal digits (default: random)\n"
	"  -S, --segment-size SIZE  a power of two, 256K to 2M (default: 2M, less on small "
	"images)\n"
	"      --root-owner UID:GID of the root directory (default: 0:0)\n"
	"  -f, --force              overwrite what is there, if it is not mounted\n"
	"  -q, --quiet              say nothing if all went well\n"
	"      --json               say it as JSON\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0, or 1 if there is no new filesystem; then nothing has been written.\n";

#define SNIFF_BYTES                                                                                \
	(128u << 10) /* every common filesystem and partition table has its mark in here */

struct command {
	const char *image;
	struct lfs_format_options format;
	bool force, quiet, json;
};

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
	int nibbles = 0;

	for (; *text; text++) {
		unsigned digit;

		if (*text == '-' &&
		    (nibbles == 8 || nibbles == 12 || nibbles == 16 || nibbles == 20))
			continue;
		if (nibbles == 32 || !strchr("0123456789abcdefABCDEF", *text))
			return false;
		digit = (unsigned)(*text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10);
		uuid[nibbles / 2] = (uint8_t)(nibbles % 2 ? uuid[nibbles / 2] | digit : digit << 4);
		nibbles++;
	}
	return nibbles == 32;
}

static bool parse_size(const char *option, const char *text, uint64_t *bytes)
{
	if (image_bytes(text, bytes) && *bytes && *bytes % LFS_BLOCK_BYTES == 0)
		return true;
	complain("%s %s: expected a multiple of %u bytes, such as 512M", option, text,
		 LFS_BLOCK_BYTES);
	return false;
}

static bool parse_option(struct command *cmd, int c, const char *text)
{
	uint64_t bytes;
	char rest;

	switch (c) {
	case 's':
		return parse_size("--size", text, &cmd->format.size_bytes);
	case 'S':
		if (!parse_size("--segment-size", text, &bytes))
			return false;
		if (bytes < LFS_SEGMENT_MIN || bytes > LFS_SEGMENT_MAX || (bytes & (bytes - 1))) {
			complain("--segment-size %s: expected a power of two, 256K to 2M", text);
			return false;
		}
		cmd->format.segment_bytes = (uint32_t)bytes;
		return true;
	case 'L':
		if (strlen(text) >= LFS_LABEL_BYTES) {
			complain("--label: expected at most %u bytes, found %zu",
				 LFS_LABEL_BYTES - 1, strlen(text));
			return false;
		}
		strcpy(cmd->format.label, text);
		return true;
	case 'U':
		if (parse_uuid(text, cmd->format.uuid))
			return true;
		complain("--uuid %s: expected 32 hexadecimal digits as 8-4-4-4-12", text);
		return false;
	case 'o':
		if (sscanf(text, "%u:%u%c", &cmd->format.root_uid, &cmd->format.root_gid, &rest) ==
		    2)
			return true;
		complain("--root-owner %s: expected two numbers, UID:GID", text);
		return false;
	default:
		return false;
	}
}

/* -1: go on; else the exit status. */
static int parse(struct command *cmd, int argc, char **argv)
{
	static const struct option longs[] = { { "size", required_argument, NULL, 's' },
					       { "label", required_argument, NULL, 'L' },
					       { "uuid", required_argument, NULL, 'U' },
					       { "segment-size", required_argument, NULL, 'S' },
					       { "root-owner", required_argument, NULL, 'o' },
					       { "force", no_argument, NULL, 'f' },
					       { "quiet", no_argument, NULL, 'q' },
					       { "json", no_argument, NULL, 'j' },
					       { "help", no_argument, NULL, 'h' },
					       { "version", no_argument, NULL, 'V' },
					       { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "s:L:U:S:fqhV", longs, NULL)) != -1) {
		if (c == 'h')
			return print_help();
		if (c == 'V')
			return print_version();
		if (c == 'f')
			cmd->force = true;
		else if (c == 'q')
			cmd->quiet = true;
		else if (c == 'j')
			cmd->json = true;
		else if (c == '?' || !parse_option(cmd, c, optarg))
			return EXIT_FAILURE;
	}
	if (argc - optind != 1) {
		complain("expected one IMAGE or DEVICE; see mkfs.lfs --help");
		return EXIT_FAILURE;
	}
	cmd->image = argv[optind];
	return -1;
}

/* Anything but zeroes near the beginning belongs to somebody. */
static bool is_blank(struct lfs_bdev *dev)
{
	uint64_t bytes = dev->size_bytes < SNIFF_BYTES ? dev->size_bytes : SNIFF_BYTES;
	char *buf = aligned_alloc(LFS_BLOCK_BYTES, SNIFF_BYTES);
	bool blank = buf != NULL;

	bytes -= bytes % LFS_BLOCK_BYTES;
	if (blank && bytes)
		blank = !dev->ops->read(dev, buf, bytes, 0) && !buf[0] &&
			!memcmp(buf, buf + 1, bytes - 1);
	free(buf);
	return blank;
}

static int refuse_what_is_there(const struct command *cmd, struct lfs_bdev *dev)
{
	struct lfs_super_info info;
	const char *why;
	int r = lfs_probe(dev, &info, &why);

	if (cmd->force || (r == -ENODATA && is_blank(dev)))
		return 0;
	if (r == -ENODATA)
		complain("%s: it has data that is not ours; -f overwrites it", cmd->image);
	else
		complain("%s: it has an fs-lfs filesystem already; -f overwrites it", cmd->image);
	return -EEXIST;
}

static int make(struct command *cmd, struct lfs_bdev *dev)
{
	uint64_t size = cmd->format.size_bytes;
	int r = refuse_what_is_there(cmd, dev);

	if (r)
		return r;
	if (size > dev->size_bytes || !dev->size_bytes) {
		if (!size) {
			complain("%s: the file is empty: expected -s SIZE", cmd->image);
			return -EINVAL;
		}
		r = lfs_bdev_file_resize(dev, size);
	}
	if (!r)
		r = lfs_format(dev, &cmd->format);
	if (r == -ENOSPC)
		complain("%s: too small: expected at least %s, found %s", cmd->image,
			 sized(size > lfs_min_bytes() ? size : lfs_min_bytes()).text,
			 sized(dev->size_bytes).text);
	else if (r == -EFBIG)
		complain("%s: expected at most %s, found %s", cmd->image, sized(LFS_FILE_MAX).text,
			 sized(size ? size : dev->size_bytes).text);
	else if (r)
		complain("%s: %s", cmd->image, strerror(-r));
	return r;
}

static int report(const struct command *cmd, struct lfs_bdev *dev)
{
	struct lfs_super_info info;
	char why[IMAGE_WHY_BYTES];

	if (image_probe(cmd->image, dev, &info, why)) {
		complain("%s", why);
		return EXIT_FAILURE;
	}
	if (cmd->json)
		return print_json(json_pack(
			"{s:s, s:I, s:i, s:i, s:i, s:s, s:s}", "image", cmd->image, "size_bytes",
			(json_int_t)info.size_bytes, "block_bytes", (int)info.block_bytes,
			"segment_bytes", (int)info.segment_bytes, "version", (int)info.version,
			"label", info.label, "uuid", uuid_text(info.uuid).text));
	if (!cmd->quiet)
		printf("%s: %s, segments of %s, format version %" PRIu32
		       ", label \"%s\", uuid %s\n",
		       cmd->image, sized(info.size_bytes).text, sized(info.segment_bytes).text,
		       info.version, info.label, uuid_text(info.uuid).text);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct command cmd = { .image = NULL };
	char why[IMAGE_WHY_BYTES];
	struct lfs_bdev *dev;
	struct stat st;
	int status = parse(&cmd, argc, argv);
	bool existed;

	if (status >= 0)
		return status;
	existed = !stat(cmd.image, &st);
	if (!existed && !cmd.format.size_bytes) {
		complain("%s: no such file: expected -s SIZE to make one", cmd.image);
		return EXIT_FAILURE;
	}
	if (image_open(cmd.image, LFS_BDEV_CREATE, &dev, why)) {
		complain("%s", why);
		return EXIT_FAILURE;
	}
	cmd.format.callbacks = (struct lfs_callbacks){ .log = log_line, .ctx = (void *)cmd.image };
	status = make(&cmd, dev) ? EXIT_FAILURE : report(&cmd, dev);
	lfs_bdev_close(dev);
	if (status && !existed)
		unlink(cmd.image);
	else if (status && S_ISREG(st.st_mode) && truncate(cmd.image, st.st_size))
		complain("%s: %s", cmd.image, strerror(errno));
	return status;
}
