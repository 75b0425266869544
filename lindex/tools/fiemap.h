/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where files are on disk, asked of the kernel with FIEMAP.
 */
#ifndef LINDEX_TOOL_FIEMAP_H
#define LINDEX_TOOL_FIEMAP_H

#include <lindex.h>

/* Tag of extents that are allocated and read as zeroes. */
#define FIEMAP_UNWRITTEN 1u

/*
 * What is done with an extent: file block -> block on disk; step 0: compressed, one place for all of its blocks.
 * NULL: one that does not say "these whole blocks are there". A file that changes meanwhile may be told twice.
 * 0, or a negative errno that ends it.
 */
typedef int (*fiemap_extent_fn)(void *ctx, const struct lindex_run *extent);

/** fiemap_file() - Call @add for each extent of the file, in order. Return: 0 or a negative errno. */
int fiemap_file(int fd, uint64_t block_bytes, fiemap_extent_fn add, void *ctx);

/** fiemap_block_bytes() - The size of a block of the filesystem that @path is on; 512 if nobody says. */
uint64_t fiemap_block_bytes(const char *path);

/* What is done with a file of a tree: @bytes long, or as long as it was when it was found. Not 0: ends it. */
typedef int (*fiemap_file_fn)(void *ctx, const char *path, uint64_t bytes);

/**
 * fiemap_tree() - Call @visit for each regular file at or below @path, on its filesystem, in the order of names.
 *
 * Return: 0; what @visit returned; -EINVAL: @path is neither a file nor a directory; or a negative errno.
 */
int fiemap_tree(const char *path, fiemap_file_fn visit, void *ctx);

#endif /* LINDEX_TOOL_FIEMAP_H */
