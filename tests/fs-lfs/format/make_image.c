/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An image with everything that FORMAT.md tells of, made by the engine, and what is in it as the engine sees it, in
 * read_image.py's words: `make_image IMAGE > listing`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "csum.h"
#include "lfs.h"

#define MUST(call)                                                                                 \
	do {                                                                                       \
		long long must_ = (call);                                                          \
		if (must_ < 0) {                                                                   \
			fprintf(stderr, "make_image: %s: %lld\n", #call, must_);                   \
			exit(EXIT_FAILURE);                                                        \
		}                                                                                  \
	} while (0)

#define BLOCK       LFS_BLOCK_BYTES
#define IMAGE_BYTES ((uint64_t)96 << 20)

static const struct lfs_cred cred = { .umask = 022 };
static uint32_t noise = 1;

static void fill(struct lfs *fs, lfs_ino_t ino, uint64_t offset, size_t len)
{
	uint8_t *bytes = malloc(len);

	for (size_t i = 0; i < len; i++) {
		noise = noise * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(noise >> 24);
	}
	MUST(lfs_write(fs, ino, bytes, len, offset, 0));
	free(bytes);
}

static lfs_ino_t file(struct lfs *fs, lfs_ino_t dir, const char *name)
{
	struct lfs_attr attr;

	MUST(lfs_create(fs, dir, name, 0640, &cred, &attr));
	lfs_forget(fs, attr.ino, 1);
	return attr.ino;
}

static lfs_ino_t directory(struct lfs *fs, lfs_ino_t dir, const char *name)
{
	struct lfs_attr attr;

	MUST(lfs_mkdir(fs, dir, name, 0755, &cred, &attr));
	lfs_forget(fs, attr.ino, 1);
	return attr.ino;
}

/* Maps of every kind of leaf: scattered blocks, every other one, blocks in reverse order, holes, shared, unwritten. */
static void make_maps(struct lfs *fs)
{
	lfs_ino_t dir = directory(fs, LFS_ROOT_INO, "maps");
	lfs_ino_t scattered = file(fs, dir, "scattered"), every = file(fs, dir, "every other"),
		  reverse = file(fs, dir, "reverse"), sparse = file(fs, dir, "sparse"),
		  clone = file(fs, dir, "clone"), small = file(fs, dir, "few runs"),
		  shifted = file(fs, dir, "shifted");

	for (uint64_t i = 0; i < 1500; i++) {
		fill(fs, scattered, i * 7919 % 1500 * BLOCK, BLOCK);
		fill(fs, every, i * 2 * BLOCK, 100);
		if (i < 600)
			fill(fs, reverse, (600 - i) * BLOCK, BLOCK);
		if (i < 200)
			fill(fs, sparse, i * i * (BLOCK / 16), 10);
	}
	MUST(lfs_clone_range(fs, scattered, 100 * BLOCK, clone, 3 * BLOCK, 900 * BLOCK));
	MUST(lfs_clone_range(fs, clone, 10 * BLOCK, clone, 2000 * BLOCK, 50 * BLOCK));
	fill(fs, clone, 20 * BLOCK, 3000);
	fill(fs, small, 0, 5 * BLOCK);
	MUST(lfs_fallocate(fs, small, LFS_FALLOC_KEEP_SIZE, 1 << 20, 1 << 20));
	fill(fs, small, (1 << 20) + 5 * BLOCK, BLOCK);
	fill(fs, shifted, 0, 40 * BLOCK);
	MUST(lfs_fallocate(fs, shifted, LFS_FALLOC_COLLAPSE_RANGE, 4 * BLOCK, 8 * BLOCK));
}

static void make_names(struct lfs *fs)
{
	lfs_ino_t dir = directory(fs, LFS_ROOT_INO, "names"), deep = dir;
	char name[LFS_NAME_MAX + 1], target[400];
	struct lfs_attr attr;

	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "%d-%.*s", i, i % 100,
			 "a name that is longer than it needs to be, by far");
		fill(fs, file(fs, dir, name), 0, (size_t)(i * 37 % 9000));
	}
	for (int i = 0; i < 3000; i += 5) {
		snprintf(name, sizeof(name), "%d-%.*s", i, i % 100,
			 "a name that is longer than it needs to be, by far");
		MUST(lfs_unlink(fs, dir, name));
	}
	memset(name, 'n', LFS_NAME_MAX);
	name[LFS_NAME_MAX] = 0;
	MUST(lfs_rename(fs, dir, "1-a", LFS_ROOT_INO, name, 0));
	MUST(lfs_lookup(fs, LFS_ROOT_INO, name, &attr));
	lfs_forget(fs, attr.ino, 1);
	MUST(lfs_link(fs, attr.ino, dir, "second name", &attr));
	lfs_forget(fs, attr.ino, 1);
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	MUST(lfs_symlink(fs, dir, "long link", target, &cred, &attr));
	lfs_forget(fs, attr.ino, 1);
	MUST(lfs_symlink(fs, dir, "short link", "here", &cred, &attr));
	lfs_forget(fs, attr.ino, 1);
	MUST(lfs_mknod(fs, dir, "fifo", S_IFIFO | 0600, 0, &cred, &attr));
	lfs_forget(fs, attr.ino, 1);
	for (int i = 0; i < 12; i++)
		deep = directory(fs, deep, "deeper");
	MUST(lfs_setxattr(fs, deep, "user.depth", "twelve", 6, 0));
}

/* ---- What is there ---------------------------------------------------------------------------------------- */

struct lines {
	struct lfs *fs;
	char **line;
	size_t n, room;
	char path[LFS_NAME_MAX * 20];
};

static uint8_t *contents(struct lfs *fs, const struct lfs_attr *attr)
{
	uint8_t *bytes = calloc(1, attr->size + LFS_SYMLINK_MAX + 1);

	if (S_ISREG(attr->mode))
		MUST(lfs_read(fs, attr->ino, bytes, attr->size, 0));
	else if (S_ISLNK(attr->mode))
		MUST(lfs_readlink(fs, attr->ino, (char *)bytes));
	return bytes;
}

/* Path, a byte 1, and the line: sorted by path, cut there when printed. */
static void add_line(struct lines *l, const struct lfs_attr *attr)
{
	uint64_t size = S_ISDIR(attr->mode) ? 0 : attr->size;
	uint8_t *bytes = contents(l->fs, attr);
	size_t room = 2 * strlen(l->path) + 1024, at;
	char names[512], value[64], *line = malloc(room);
	ssize_t n = lfs_listxattr(l->fs, attr->ino, names, sizeof(names)), len;

	at = (size_t)snprintf(line, room, "%s%c%06o %u %llu %016llx %s", l->path, 1, attr->mode,
			      attr->nlink, (unsigned long long)size,
			      (unsigned long long)lfs_csum_name((char *)bytes, size, 0), l->path);
	for (char *name = names; name < names + n; name += strlen(name) + 1) {
		len = lfs_getxattr(l->fs, attr->ino, name, value, sizeof(value));
		at += (size_t)snprintf(line + at, room - at, " %s=%.*s", name, (int)len, value);
	}
	if (l->n == l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->line = realloc(l->line, l->room * sizeof(*l->line));
	}
	l->line[l->n++] = line;
	free(bytes);
}

static bool each(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *attr)
{
	struct lines *l = ctx;
	size_t len = strlen(l->path);

	if (!strcmp(entry->name, ".") || !strcmp(entry->name, ".."))
		return true;
	strcat(l->path, entry->name);
	add_line(l, attr);
	if (S_ISDIR(attr->mode)) {
		strcat(l->path, "/");
		MUST(lfs_readdirplus(l->fs, attr->ino, 0, each, l));
	}
	l->path[len] = 0;
	return true;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(struct lfs *fs)
{
	struct lines l = { .fs = fs, .path = "/" };

	MUST(lfs_readdirplus(fs, LFS_ROOT_INO, 0, each, &l));
	qsort(l.line, l.n, sizeof(*l.line), by_path);
	for (size_t i = 0; i < l.n; i++) {
		puts(strchr(l.line[i], 1) + 1);
		free(l.line[i]);
	}
	free(l.line);
}

int main(int argc, char **argv)
{
	struct lfs_bdev *dev;
	struct lfs *fs;

	if (argc != 2) {
		fprintf(stderr, "make_image: expected IMAGE\n");
		return EXIT_FAILURE;
	}
	MUST(lfs_bdev_file_open(argv[1], LFS_BDEV_CREATE, &dev));
	MUST(lfs_bdev_file_resize(dev, IMAGE_BYTES));
	MUST(lfs_format(dev, &(struct lfs_format_options){ .label = "format" }));
	MUST(lfs_mount(dev, NULL, &fs));
	make_maps(fs);
	make_names(fs);
	MUST(lfs_unmount(fs));
	MUST(lfs_mount(dev, NULL, &fs));
	list(fs);
	MUST(lfs_unmount(fs));
	lfs_bdev_close(dev);
	return EXIT_SUCCESS;
}
