/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a file consists of, as a tree of named values: its inode, its map with the models that predict in it, a
 * directory's entries.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LINE_BYTES 300u /* of lindex_dump() */

static void number(const struct lfs_dump_sink *s, const char *key, uint64_t value)
{
	s->number(s->ctx, key, value);
}

static void text(const struct lfs_dump_sink *s, const char *key, const char *value)
{
	s->text(s->ctx, key, value);
}

/* An error becomes a field: what else is there to tell is told. */
static void error(const struct lfs_dump_sink *s, int err)
{
	if (err)
		text(s, "error",
		     err == -EBADMSG ? "checksum does not match" :
		     err == -EUCLEAN ? "makes no sense" :
				       strerror(-err));
}

/* ---- Inode -------------------------------------------------------------------------------------------------- */

static void dump_time(const struct lfs_dump_sink *s, const char *key, const struct lfs_time *t)
{
	char out[48];

	snprintf(out, sizeof(out), "%lld.%09u", (long long)t->sec, t->nsec);
	text(s, key, out);
}

static void dump_mode(const struct lfs_dump_sink *s, uint32_t mode)
{
	char out[16];

	snprintf(out, sizeof(out), "%06o", mode);
	text(s, "mode", out);
}

static void dump_flags(const struct lfs_dump_sink *s, uint32_t flags)
{
	static const char *const names[] = { "inline", "paged", "names", "preallocated" };

	s->open(s->ctx, "flags", true);
	for (uint32_t i = 0; i < 4; i++)
		if (flags >> i & 1)
			text(s, NULL, names[i]);
	s->close(s->ctx);
}

static void dump_attributes(const struct lfs_dump_sink *s, const struct lfs_inode *inode)
{
	number(s, "inode", inode->ino);
	dump_mode(s, inode->mode);
	number(s, "links", inode->nlink);
	number(s, "uid", inode->uid);
	number(s, "gid", inode->gid);
	number(s, "size", inode->size);
	number(s, "blocks", inode->blocks);
	number(s, "generation", inode->generation);
	number(s, "rdev", inode->rdev);
	number(s, "fsflags", inode->fsflags);
	dump_time(s, "atime", &inode->atime);
	dump_time(s, "mtime", &inode->mtime);
	dump_time(s, "ctime", &inode->ctime);
	dump_time(s, "btime", &inode->btime);
	dump_flags(s, inode->flags);
	if (inode->flags & LFS_DI_INLINE)
		number(s, "inline_bytes", inode->inline_bytes);
	if (inode->flags & LFS_DI_PAGED)
		number(s, "map_root", inode->map_root);
	if (!S_ISDIR(inode->mode))
		return;
	number(s, "parent", inode->parent);
	number(s, "entries", inode->entries);
	number(s, "directory_blocks", inode->dir_blocks);
	if (inode->flags & LFS_DI_NAMES)
		number(s, "names_root", inode->names_root);
}

static void dump_xattr_names(struct lfs *fs, const struct lfs_dump_sink *s, uint32_t ino)
{
	ssize_t n = lfs_listxattr(fs, ino, NULL, 0);
	char *names = n > 0 ? malloc((size_t)n) : NULL;

	s->open(s->ctx, "xattrs", true);
	if (names && lfs_listxattr(fs, ino, names, (size_t)n) == n)
		for (char *at = names; at < names + n; at += strlen(at) + 1)
			text(s, NULL, at);
	s->close(s->ctx);
	if (n < 0)
		text(s, "xattrs_error", strerror((int)-n));
	free(names);
}

int lfs_dump_inode(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *s)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	s->open(s->ctx, "inode", false);
	pthread_rwlock_rdlock(&inode->lock);
	dump_attributes(s, inode);
	lfs_file_put(fs, inode);
	dump_xattr_names(fs, s, (uint32_t)ino);
	s->close(s->ctx);
	return 0;
}

/* ---- Map ---------------------------------------------------------------------------------------------------- */

static void dump_run(const struct lfs_dump_sink *s, const struct lindex_run *run)
{
	static const char *const tags[] = { "plain", "shared", "unwritten" };

	s->open(s->ctx, NULL, false);
	number(s, "first", run->first);
	number(s, "last", run->last);
	if (run->tag != LFS_TAG_UNWRITTEN)
		number(s, run->tag == LFS_TAG_SHARED ? "shared_address" : "place", run->value);
	text(s, "tag", run->tag <= LFS_TAG_UNWRITTEN ? tags[run->tag] : "unknown");
	s->close(s->ctx);
}

static void dump_runs(struct lfs *fs, const struct lfs_dump_sink *s, struct lfs_inode *inode)
{
	struct lindex_run run;
	uint64_t at = 0, n = 0;
	int err;

	s->open(s->ctx, "runs", true);
	while (!(err = lfs_map_next(fs, inode, at, &run)) && run.last >= at) {
		dump_run(s, &run);
		n++;
		if (run.last == UINT64_MAX)
			break;
		at = run.last + 1;
	}
	s->close(s->ctx);
	number(s, "extents", n);
	error(s, err == -ENOENT ? 0 : err);
}

struct lines {
	const struct lfs_dump_sink *sink;
	char line[LINE_BYTES];
	size_t len;
};

/* A line of lindex_dump(): indented by depth, a word, then key=value and so on. */
static void dump_node(const struct lfs_dump_sink *s, char *line)
{
	size_t indent = strspn(line, " ");
	char *rest = line + indent, *word = strsep(&rest, " ");

	s->open(s->ctx, NULL, false);
	text(s, "node", word);
	number(s, "depth", indent / 2);
	while (rest && (word = strsep(&rest, " "))) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value++ = 0;
		if (*value == '-')
			text(s, word, value);
		else
			number(s, word, strtoull(value, NULL, 10));
	}
	s->close(s->ctx);
}

static int take_lines(void *ctx, const void *bytes, size_t len)
{
	const char *at = bytes;
	struct lines *l = ctx;

	for (size_t i = 0; i < len; i++) {
		if (at[i] != '\n') {
			if (l->len < sizeof(l->line) - 1)
				l->line[l->len++] = at[i];
			continue;
		}
		l->line[l->len] = 0;
		l->len = 0;
		dump_node(l->sink, l->line);
	}
	return 0;
}

static int count_place(void *ctx, uint64_t daddr)
{
	(void)daddr;
	++*(uint64_t *)ctx;
	return 0;
}

/* An index that lies in pages: figures, and each node with its model and window. Its runs were walked: it is loaded. */
static void dump_index(const struct lfs_dump_sink *s, const char *key, struct lfs_pindex *pi)
{
	struct lines lines = { .sink = s };
	struct lindex_sink sink = { .write = take_lines, .ctx = &lines };
	struct lindex_stats stats;
	uint64_t blocks = 0;
	int err = lfs_pindex_places(pi, count_place, &blocks);

	s->open(s->ctx, key, false);
	number(s, "root", pi->root);
	number(s, "disk_blocks", blocks);
	error(s, err);
	lfs_pindex_stats(pi, &stats);
	number(s, "depth", stats.depth);
	number(s, "window", stats.window);
	number(s, "nodes", stats.nodes);
	number(s, "node_bytes", stats.node_bytes);
	s->open(s->ctx, "models", true);
	pthread_rwlock_rdlock(&pi->lock);
	lindex_dump(pi->ix, &sink);
	pthread_rwlock_unlock(&pi->lock);
	s->close(s->ctx);
	s->close(s->ctx);
}

/* Every page of it comes into memory, or as many as fit. */
static int load_index(struct lfs_pindex *pi, uint64_t *keys)
{
	struct lindex_run run;
	uint64_t at = 0;
	int err;

	*keys = 0;
	while (!(err = lfs_pindex_next(pi, at, &run))) {
		*keys += run.last - run.first + 1;
		if (run.last == UINT64_MAX)
			return 0;
		at = run.last + 1;
	}
	return err == -ENOENT ? 0 : err;
}

int lfs_dump_map(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *s)
{
	struct lfs_pindex *pi = NULL, *names = NULL;
	struct lfs_inode *inode;
	uint64_t keys;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&inode->lock);
	s->open(s->ctx, "map", false);
	number(s, "inode", inode->ino);
	if (inode->flags & LFS_DI_INLINE)
		number(s, "inline_bytes", inode->inline_bytes);
	dump_runs(fs, s, inode);
	if (!lfs_map_index(fs, inode, LFS_WHICH_BLOCKS, &pi) && pi)
		dump_index(s, "index", pi);
	if (S_ISDIR(inode->mode) && !lfs_map_index(fs, inode, LFS_WHICH_NAMES, &names) && names) {
		error(s, load_index(names, &keys));
		dump_index(s, "names", names);
	}
	s->close(s->ctx);
	lfs_file_put(fs, inode);
	return 0;
}

/* ---- Directory ---------------------------------------------------------------------------------------------- */

static void dump_entry(const struct lfs_dump_sink *s, const struct lfs_dirent_disk *e,
		       uint64_t block, uint32_t off)
{
	char name[LFS_NAME_MAX + 1], hash[12];

	memcpy(name, e->name, e->name_len);
	name[e->name_len] = 0;
	snprintf(hash, sizeof(hash), "%08x", lfs_from32(e->hash));
	s->open(s->ctx, NULL, false);
	text(s, "name", name);
	number(s, "inode", lfs_from32(e->ino));
	number(s, "type", e->type);
	text(s, "hash", hash);
	number(s, "block", block);
	number(s, "offset", off);
	s->close(s->ctx);
}

static int dump_dir_block(struct lfs *fs, const struct lfs_dump_sink *s, struct lfs_inode *dir,
			  uint64_t lbn)
{
	struct lfs_cblk *blk;
	int err = lfs_dir_block(fs, dir, lbn, &blk);

	if (err)
		return err;
	for (uint32_t off = 0; off < LFS_BLOCK;) {
		const struct lfs_dirent_disk *e = (const void *)(blk->data + off);

		if (e->ino)
			dump_entry(s, e, lbn, off);
		off += lfs_from16(e->len);
	}
	lfs_cache_put(&fs->cache, blk);
	return 0;
}

int lfs_dump_dir(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *s)
{
	struct lfs_inode *dir;
	int err = lfs_iget(fs, ino, &dir), bad = 0;

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&dir->lock);
	if (!S_ISDIR(dir->mode)) {
		lfs_file_put(fs, dir);
		return -ENOTDIR;
	}
	s->open(s->ctx, "directory", false);
	number(s, "inode", dir->ino);
	number(s, "parent", dir->parent);
	number(s, "blocks", dir->dir_blocks);
	number(s, "count", dir->entries);
	s->open(s->ctx, "entries", true);
	for (uint64_t lbn = 0; lbn < dir->dir_blocks && err != -ENOENT; lbn++) {
		err = dump_dir_block(fs, s, dir, lbn);
		bad = err ? err : bad;
	}
	s->close(s->ctx);
	error(s, bad);
	s->close(s->ctx);
	lfs_file_put(fs, dir);
	return 0;
}
