/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An image, opened by a program for a person: with one line that says why not. Shared by mount.lfs and the tools.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfs.h"

#define IMAGE_WHY_BYTES 512u

/**
 * image_open() - Open @path as lfs_bdev_file_open() does, and wait a while for a daemon that is closing it.
 * @flags: LFS_BDEV_*.
 * @why:   IMAGE_WHY_BYTES; on an error one line, without the program's name.
 *
 * A block device that the kernel has mounted counts as busy. Return: 0, or a negative errno.
 */
int image_open(const char *path, uint32_t flags, struct lfs_bdev **dev, char *why);

/**
 * image_probe() - lfs_probe() with its answer in words.
 *
 * Return: 0, or lfs_probe()'s error and @why.
 */
int image_probe(const char *path, struct lfs_bdev *dev, struct lfs_super_info *info, char *why);

/** image_explain() - Any other error of the engine, in words: what it means for @path. */
void image_explain(const char *path, int error, char *why);

/** image_mountpoint() - Where @path is mounted: to be freed, or NULL if it is not. */
char *image_mountpoint(const char *path);

/** image_bytes() - "4096", "64K", "1.5G", "1 TiB" as bytes. Return: false if it is no such text, or does not fit. */
bool image_bytes(const char *text, uint64_t *bytes);

#endif
