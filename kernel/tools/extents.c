/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where extents come from: a text map, a table of dm-linear, or a file in a filesystem. In a text, line by line:
 *
 *     FIRST LENGTH PLACE                        sectors of 512 bytes; "#" begins a comment
 *     [NAME:] FIRST LENGTH linear DEVICE PLACE  as "dmsetup table" prints it; one DEVICE for all lines
 */
#include "dm_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE_NAME_MAX 256

/* ---- The list ------------------------------------------------------------------------------------ */

void extents_free(struct extents *x)
{
	free(x->runs);
	*x = (struct extents){ 0 };
}

int extents_add(struct extents *x, uint64_t first, uint64_t length, uint64_t to, const char *where)
{
	if (!length)
		return complain("%s: an extent without sectors at %" PRIu64, where, first);
	if (length > INT64_MAX / SECTOR_BYTES || first > INT64_MAX / SECTOR_BYTES - length ||
	    to > INT64_MAX / SECTOR_BYTES - length)
		return complain("%s: %" PRIu64 " sectors from %" PRIu64 " at %" PRIu64
				": past the last byte that a device can have",
				where, length, first, to);
	if (x->n == x->room) {
		size_t room = x->room ? 2 * x->room : 1024;
		void *grown = realloc(x->runs, room * sizeof(*x->runs));

		if (!grown)
			return complain("no memory for %zu extents", room);
		x->runs = grown;
		x->room = room;
	}
	x->runs[x->n++] = (struct lindex_run){
		.first = first, .last = first + length - 1, .value = to, .step = 1
	};
	return 0;
}

static int by_first(const void *a, const void *b)
{
	const struct lindex_run *l = a, *r = b;

	return l->first < r->first ? -1 : l->first > r->first;
}

int extents_sort(struct extents *x, const char *source)
{
	size_t i;

	for (i = 1; i < x->n && x->runs[i - 1].first <= x->runs[i].first; i++)
		;
	if (i < x->n)
		qsort(x->runs, x->n, sizeof(*x->runs), by_first);
	for (i = 1; i < x->n; i++)
		if (x->runs[i].first <= x->runs[i - 1].last)
			return complain("%s: two extents for sector %" PRIu64, source,
					x->runs[i].first);
	return 0;
}

/* ---- Text ---------------------------------------------------------------------------------------- */

/* The next number of a line, or -1. Blanks before it are passed. */
static int number(char **at, uint64_t *out)
{
	char *end;

	*at += strspn(*at, " \t");
	if (**at < '0' || **at > '9')
		return -1;
	errno = 0;
	*out = strtoull(*at, &end, 10);
	if (errno || end == *at || !strchr(" \t\r\n#", *end))
		return -1;
	*at = end;
	return 0;
}

/* "linear DEVICE": the same device on every line. 1: it is one, 0: it is not, -1: another device. */
static int linear(char **at, char *device, const char *where)
{
	char name[DEVICE_NAME_MAX];
	int taken = 0;

	*at += strspn(*at, " \t");
	if (strncmp(*at, "linear", 6) != 0)
		return 0;
	if (sscanf(*at, "linear %255s%n", name, &taken) != 1)
		return complain("%s: \"linear\" without a device", where);
	*at += taken;
	if (*device && strcmp(device, name) != 0)
		return complain("%s: on %s, and lines before are on %s: a map has one data device",
				where, name, device);
	memcpy(device, name, sizeof(name));
	return 1;
}

/* Behind the name that "dmsetup table" puts in front of a line where it prints more than one device. */
static char *behind_name(char *line)
{
	char *colon = strstr(line, ": ");

	return colon && strstr(colon, " linear ") ? colon + 2 : line;
}

static int parse_line(struct extents *x, char *line, char *device, const char *where)
{
	char *at = behind_name(line);
	uint64_t first, length, to;

	at += strspn(at, " \t\r\n");
	if (!*at || *at == '#')
		return 0;
	if (number(&at, &first) || number(&at, &length))
		return complain("%s: expected FIRST LENGTH PLACE, found \"%.*s\"", where,
				(int)strcspn(line, "\r\n"), line);
	if (linear(&at, device, where) < 0)
		return -1;
	if (number(&at, &to))
		return complain("%s: expected a place in sectors, found \"%.*s\"", where,
				(int)strcspn(at, "\r\n"), at);
	at += strspn(at, " \t\r\n");
	if (*at && *at != '#')
		return complain("%s: \"%.*s\" behind an extent", where, (int)strcspn(at, "\r\n"),
				at);
	return extents_add(x, first, length, to, where);
}

static int read_text(struct extents *x, FILE *file, const char *source)
{
	char *line = NULL, device[DEVICE_NAME_MAX] = "", where[4200];
	uint64_t count = 0;
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, file) >= 0) {
		snprintf(where, sizeof(where), "%.4000s:%" PRIu64, source, ++count);
		err = parse_line(x, line, device, where);
		if (!(count % (1 << 20)))
			progress("lines read", count);
	}
	progress("", 0);
	if (!err && ferror(file))
		err = complain("%s: %s", source, strerror(errno));
	free(line);
	return err;
}

/* ---- A file's own extents --------------------------------------------------------------------------- */

#define FIEMAP_AT_ONCE 512u

/* Extents whose bytes are not simply there, or are not this file's alone. */
#define UNFIT                                                                                      \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |                  \
	 FIEMAP_EXTENT_DATA_ENCRYPTED | FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |    \
	 FIEMAP_EXTENT_DATA_TAIL | FIEMAP_EXTENT_SHARED)

static int add_file_extent(struct extents *x, const struct fiemap_extent *e, const char *path,
			   int unwritten)
{
	if (e->fe_flags & UNFIT)
		return complain("%s: extent at byte %" PRIu64
				" is inline, encoded, shared or not on disk yet (flags 0x%x)",
				path, (uint64_t)e->fe_logical, e->fe_flags);
	if ((e->fe_flags & FIEMAP_EXTENT_UNWRITTEN) && !unwritten)
		return complain("%s: extent at byte %" PRIu64
				" was allocated and never written: write it, or --unwritten shows "
				"what was there",
				path, (uint64_t)e->fe_logical);
	if ((e->fe_logical | e->fe_physical | e->fe_length) % SECTOR_BYTES)
		return complain("%s: extent at byte %" PRIu64 " is not whole sectors", path,
				(uint64_t)e->fe_logical);
	return extents_add(x, e->fe_logical / SECTOR_BYTES, e->fe_length / SECTOR_BYTES,
			   e->fe_physical / SECTOR_BYTES, path);
}

/* One call's worth. *@from moves on; *@last is set behind the last extent. */
static int read_some_of_file(struct extents *x, int fd, struct fiemap *map, uint64_t *from,
			     int *last, const char *path, int unwritten)
{
	memset(map, 0, sizeof(*map));
	map->fm_start = *from;
	map->fm_length = FIEMAP_MAX_OFFSET - *from;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = FIEMAP_AT_ONCE;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return complain("%s: its filesystem does not tell extents: %s", path,
				strerror(errno));
	*last = !map->fm_mapped_extents;
	for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];

		if (add_file_extent(x, e, path, unwritten))
			return -1;
		*from = e->fe_logical + e->fe_length;
		*last = !!(e->fe_flags & FIEMAP_EXTENT_LAST);
	}
	return 0;
}

static int read_file(struct extents *x, const char *path, int unwritten)
{
	size_t bytes = sizeof(struct fiemap) + FIEMAP_AT_ONCE * sizeof(struct fiemap_extent);
	struct fiemap *map = malloc(bytes);
	uint64_t from = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0, last = 0;

	if (fd < 0 || !map)
		err = complain("%s: %s", path, strerror(errno));
	while (!err && !last)
		err = read_some_of_file(x, fd, map, &from, &last, path, unwritten);
	if (fd >= 0)
		close(fd);
	free(map);
	return err;
}

int extents_read(struct extents *x, const char *source, int unwritten)
{
	FILE *file;
	int err;

	if (!strncmp(source, "fiemap:", 7))
		return read_file(x, source + 7, unwritten);
	if (!strcmp(source, "-"))
		return read_text(x, stdin, "standard input");
	file = fopen(source, "re");
	if (!file)
		return complain("%s: %s", source, strerror(errno));
	err = read_text(x, file, source);
	fclose(file);
	return err;
}
