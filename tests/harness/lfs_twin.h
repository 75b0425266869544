/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The model twin of the filesystem: a tree in memory that keeps all its past. Slow and plain.
 *
 * Each operation has a number. An inode has a list of states, each of them "from operation n on": so the tree as it
 * was after any operation can be walked, and what a crash has left can be looked for among them (lfs_oracle.h).
 * Contents are bytes, in shared blocks of 4 KiB; nothing is derived, nothing can be stale.
 *
 * Calls return what the filesystem must return: 0 or a negative errno. On an error nothing has changed.
 */
#ifndef HARNESS_LFS_TWIN_H
#define HARNESS_LFS_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfs.h"

#define TWIN_NONE     UINT32_MAX
#define TWIN_ROOT     0u
#define TWIN_FILE_MAX ((uint64_t)64 << 20) /* of contents: larger ones are the caller's mistake */

struct lfs_twin_block {
	uint32_t refs;
	uint8_t bytes[LFS_BLOCK_BYTES];
};

struct lfs_twin_entry {
	const char *name; /* owned by the twin */
	uint32_t node;
};

struct lfs_twin_xattr {
	const char *name; /* owned by the twin */
	uint8_t *value;
	size_t len;
};

/**
 * struct lfs_twin_state - An inode from operation @op on.
 * @divisible: @op may be found half done: some of its blocks, and a size between the old and the new.
 * @no_data:   @op changed no data and no size (what fdatasync does not wait for).
 * @attr:      What the engine said right after @op; of it nlink, size and type are known here, too.
 * @blocks:    NULL: zeroes. Past the end of the array: zeroes.
 */
struct lfs_twin_state {
	uint32_t op;
	bool divisible, no_data;
	struct lfs_attr attr;
	uint32_t nlink, parent;
	uint64_t size;
	struct lfs_twin_block **blocks;
	size_t n_blocks;
	struct lfs_twin_entry *entries; /* in no order */
	size_t n_entries;
	struct lfs_twin_xattr *xattrs;
	size_t n_xattrs;
};

/**
 * struct lfs_twin_node - An inode, as long as the twin lives.
 * @mode:   Its type: S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, ...
 * @target: Of a symlink.
 * @refs:   The user's: references that are held in the engine.
 */
struct lfs_twin_node {
	lfs_ino_t ino;
	uint32_t generation, mode, refs;
	const char *target;
	struct lfs_twin_state *states; /* rising @op */
	size_t n_states, room;
};

/**
 * struct lfs_twin -
 * @op:       The operation under way.
 * @name_ops: Rising numbers of the operations that changed names.
 */
struct lfs_twin {
	struct lfs_twin_node *nodes;
	size_t n_nodes, room;
	uint32_t op;
	uint32_t *name_ops;
	size_t n_name_ops, name_ops_room;
	char **names;
	size_t n_names, names_room;
};

/* ---- Life -------------------------------------------------------------------------------------------- */

/** lfs_twin_init() - An empty root, at operation 0. */
void lfs_twin_init(struct lfs_twin *twin);
void lfs_twin_destroy(struct lfs_twin *twin);

/** lfs_twin_begin() - The next operation; its number. */
uint32_t lfs_twin_begin(struct lfs_twin *twin);

/** lfs_twin_rewind() - As after operation @op: what came later is gone. */
void lfs_twin_rewind(struct lfs_twin *twin, uint32_t op);

/** lfs_twin_settle() - What is now is all there is: the past is gone, and now is operation 0. */
void lfs_twin_settle(struct lfs_twin *twin);

/** lfs_twin_name() - @text, kept as long as the twin. */
const char *lfs_twin_name(struct lfs_twin *twin, const char *text);

/* ---- Queries -------------------------------------------------------------------------------------------- */

/** lfs_twin_at() - The state of @node after operation @op. NULL: it was not there yet. */
const struct lfs_twin_state *lfs_twin_at(const struct lfs_twin *twin, uint32_t node, uint32_t op);
const struct lfs_twin_state *lfs_twin_now(const struct lfs_twin *twin, uint32_t node);

/** lfs_twin_entry() - Node of @name in a state of a directory, or TWIN_NONE. */
uint32_t lfs_twin_entry(const struct lfs_twin_state *dir, const char *name);

/** lfs_twin_lookup() - 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG, -EINVAL. */
int lfs_twin_lookup(const struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t *node);

/** lfs_twin_read() - @len bytes from @offset, zeroes past the end. */
void lfs_twin_read(const struct lfs_twin_state *state, void *buf, size_t len, uint64_t offset);

/** lfs_twin_is_below() - Whether @node is @above or below it. */
bool lfs_twin_is_below(const struct lfs_twin *twin, uint32_t node, uint32_t above);

/* ---- Changes -------------------------------------------------------------------------------------------- */

/** lfs_twin_make() - Any inode. @dir TWIN_NONE: without a name. @target: of a symlink. */
int lfs_twin_make(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t mode,
		  const char *target, uint32_t *node);
int lfs_twin_link(struct lfs_twin *twin, uint32_t node, uint32_t dir, const char *name);
int lfs_twin_unlink(struct lfs_twin *twin, uint32_t dir, const char *name);
int lfs_twin_rmdir(struct lfs_twin *twin, uint32_t dir, const char *name);
int lfs_twin_rename(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t new_dir,
		    const char *new_name, uint32_t flags);

/** lfs_twin_write() - Of a regular file, as all below. */
void lfs_twin_write(struct lfs_twin *twin, uint32_t node, const void *buf, size_t len,
		    uint64_t offset);
void lfs_twin_resize(struct lfs_twin *twin, uint32_t node, uint64_t size);
int lfs_twin_fallocate(struct lfs_twin *twin, uint32_t node, uint32_t mode, uint64_t offset,
		       uint64_t len);
/** lfs_twin_clone() - Return: bytes, or -EINVAL. */
int64_t lfs_twin_clone(struct lfs_twin *twin, uint32_t src, uint64_t src_offset, uint32_t dst,
		       uint64_t dst_offset, uint64_t len);
int lfs_twin_setxattr(struct lfs_twin *twin, uint32_t node, const char *name, const void *value,
		      size_t len, uint32_t flags);
int lfs_twin_removexattr(struct lfs_twin *twin, uint32_t node, const char *name);

/** lfs_twin_touch() - Attributes changed that only @attr shows. */
struct lfs_twin_state *lfs_twin_touch(struct lfs_twin *twin, uint32_t node);

#endif
