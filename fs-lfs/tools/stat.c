/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lfs-stat: figures of a live mount, and of the map of one file in it.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "../fuse/control.h"

const char *const tool_name = "lfs-stat";
const char tool_help[] = "usage: lfs-stat [--json] PATH\n"
			 "\n"
			 "Show the figures of the fs-lfs filesystem that is mounted at PATH, a "
			 "directory; or, if PATH is a file\n"
			 "in one, of that file's learned map, too. Counters are since the mount.\n"
			 "\n"
			 "      --json\n"
			 "  -h, --help\n"
			 "  -V, --version\n"
			 "\n"
			 "Exit status: 0, or 1 if nothing could be found out.\n";

#define REPORT_BYTES 65536u

/* -1: go on; else the exit status. */
static int parse(const char **path, bool *json, int argc, char **argv)
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
		*json = true;
	}
	if (argc - optind != 1) {
		complain("expected one PATH; see lfs-stat --help");
		return EXIT_FAILURE;
	}
	*path = argv[optind];
	return -1;
}

static json_t *get(const char *path, const char *name)
{
	char *text = malloc(REPORT_BYTES);
	ssize_t n = text ? getxattr(path, name, text, REPORT_BYTES) : -1;
	json_t *report = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

	free(text);
	return report;
}

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static struct grouped count(const json_t *o, const char *key)
{
	return grouped(number(o, key));
}

static struct words bytes(const json_t *o, const char *key)
{
	return sized(number(o, key));
}

static struct words blocks(const json_t *o, const char *key)
{
	return sized(number(o, key) * LFS_BLOCK_BYTES);
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void print_space(const json_t *o)
{
	printf("space     %s of %s live (%.0f %%), %s available; %s of %s segments free; %s "
	       "inodes\n",
	       blocks(o, "live_blocks").text, blocks(o, "blocks").text,
	       100 * ratio((double)number(o, "live_blocks"), (double)number(o, "blocks")),
	       blocks(o, "available_blocks").text, count(o, "free_segments").text,
	       count(o, "segments").text, count(o, "inodes").text);
	if (number(o, "shared_blocks"))
		printf("          %s shared by clones\n", blocks(o, "shared_blocks").text);
}

static void print_writing(const json_t *o)
{
	printf("writing   %s from programs, %s to the device: amplification %.2f\n",
	       blocks(o, "user_blocks_written").text, blocks(o, "device_blocks_written").text,
	       json_real_value(json_object_get(o, "write_amplification")));
	printf("          %s blocks of log records, %s of metadata; %s flushes, %s commits, %s "
	       "checkpoints\n",
	       count(o, "journal_blocks").text, count(o, "meta_blocks").text,
	       count(o, "flushes").text, count(o, "commits").text, count(o, "checkpoints").text);
	printf("cleaner   %s segments cleaned; %s blocks read, %s written\n",
	       count(o, "segments_cleaned").text, count(o, "cleaner_blocks_read").text,
	       count(o, "cleaner_blocks").text);
}

static void print_memory(const json_t *o)
{
	double hits = (double)number(o, "cache_hits"), misses = (double)number(o, "cache_misses");

	printf("memory    cap %s: block cache %s, learned indexes %s, inodes %s, buffers %s\n",
	       bytes(o, "cap_bytes").text, bytes(o, "cache_bytes").text,
	       bytes(o, "index_bytes").text, bytes(o, "inode_bytes").text,
	       bytes(o, "buffer_bytes").text);
	printf("cache     %s blocks, %.1f %% hits; %s inodes; the kernel refers to %s\n",
	       count(o, "cached_blocks").text, 100 * ratio(hits, hits + misses),
	       count(o, "cached_inodes").text, count(o, "references").text);
}

static void print_maps(const json_t *o)
{
	printf("maps      %s open; %s lookups, %.0f ns each; %s updates\n",
	       count(o, "open_maps").text, count(o, "map_lookups").text,
	       ratio((double)number(o, "map_lookup_ns"), (double)number(o, "map_lookups")),
	       count(o, "map_updates").text);
	printf("damage    %s checksum errors, %s read errors, %s healed\n",
	       count(o, "checksum_errors").text, count(o, "read_errors").text,
	       count(o, "healed").text);
}

static void print_map(const char *path, const json_t *o)
{
	double extents = (double)number(o, "extents");

	if (json_is_true(json_object_get(o, "inline"))) {
		printf("%s: inode %s: inline in the inode\n", path, count(o, "inode").text);
		return;
	}
	printf("%s: inode %s: %s extents over %s blocks; map %s on disk (%.1f bytes per extent), "
	       "%s in memory (%.1f); "
	       "%s nodes, depth %s, widest window %s\n",
	       path, count(o, "inode").text, count(o, "extents").text, count(o, "blocks").text,
	       bytes(o, "disk_bytes").text, ratio((double)number(o, "disk_bytes"), extents),
	       bytes(o, "memory_bytes").text, ratio((double)number(o, "memory_bytes"), extents),
	       count(o, "nodes").text, count(o, "depth").text, count(o, "window").text);
}

static int print(const char *path, json_t *stats, json_t *map, bool json)
{
	if (json) {
		if (map)
			json_object_set(stats, "map", map);
		return print_json(json_incref(stats));
	}
	printf("image     %s\n", json_string_value(json_object_get(stats, "image")));
	print_space(stats);
	print_writing(stats);
	print_memory(stats);
	print_maps(stats);
	if (map)
		print_map(path, map);
	return fflush(stdout) != 0;
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	bool json = false;
	json_t *stats, *map;
	int status = parse(&path, &json, argc, argv);
	struct stat st;

	if (status >= 0)
		return status;
	if (stat(path, &st)) {
		complain("%s: %s", path, strerror(errno));
		return EXIT_FAILURE;
	}
	stats = get(path, CONTROL_STATS);
	if (!stats) {
		complain("%s: no fs-lfs filesystem is mounted here", path);
		return EXIT_FAILURE;
	}
	map = get(path, CONTROL_MAP);
	status = print(path, stats, map, json) ? EXIT_FAILURE : EXIT_SUCCESS;
	json_decref(map);
	json_decref(stats);
	return status;
}
