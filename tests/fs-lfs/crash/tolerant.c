/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tolerant.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

#define BLOCK LFS_BLOCK_BYTES

struct walk {
	struct lfs *fs;
	const struct lfs_twin *twin;
	struct tolerant_result *result;
	uint8_t *visited; /* nodes */
};

__attribute__((format(printf, 2, 3))) static void wrong(struct walk *w, const char *fmt, ...)
{
	va_list args;

	if (w->result->wrong++)
		return;
	va_start(args, fmt);
	vsnprintf(w->result->first, sizeof(w->result->first), fmt, args);
	va_end(args);
}

/* Return: true: the call failed as damage may make it fail; or, with another error, it is wrong and noted. */
static bool is_error(struct walk *w, int64_t rc, const char *call, lfs_ino_t ino)
{
	if (rc >= 0)
		return false;
	if (rc == -EIO)
		w->result->errors++;
	else
		wrong(w, "%s of inode %" PRIu64 ": %" PRId64, call, ino, rc);
	return true;
}

static void walk_data(struct walk *w, const struct lfs_twin_node *n, const struct lfs_twin_state *s)
{
	uint8_t got[4 * BLOCK], want[4 * BLOCK];

	for (uint64_t at = 0; at < s->size; at += sizeof(got)) {
		size_t len = s->size - at < sizeof(got) ? (size_t)(s->size - at) : sizeof(got);
		ssize_t rc = lfs_read(w->fs, n->ino, got, sizeof(got), at);

		if (is_error(w, rc, "read", n->ino))
			continue;
		lfs_twin_read(s, want, len, at);
		/* A short read is fine where the rest cannot be read. */
		if (rc > (ssize_t)len || memcmp(got, want, (size_t)rc) != 0)
			wrong(w, "read of inode %" PRIu64 " at %" PRIu64 ": wrong bytes", n->ino,
			      at);
		else if (rc < (ssize_t)len &&
			 lfs_read(w->fs, n->ino, got, sizeof(got), at + (uint64_t)rc) != -EIO)
			wrong(w, "read of inode %" PRIu64 " at %" PRIu64 ": %zd bytes", n->ino, at,
			      rc);
	}
}

static void walk_xattrs(struct walk *w, const struct lfs_twin_node *n,
			const struct lfs_twin_state *s)
{
	static uint8_t value[LFS_XATTR_MAX];

	for (size_t i = 0; i < s->n_xattrs; i++) {
		const struct lfs_twin_xattr *x = &s->xattrs[i];
		ssize_t rc = lfs_getxattr(w->fs, n->ino, x->name, value, sizeof(value));

		if (is_error(w, rc, "getxattr", n->ino))
			continue;
		if ((size_t)rc != x->len || (rc && memcmp(value, x->value, x->len) != 0))
			wrong(w, "xattr %s of inode %" PRIu64 ": wrong value", x->name, n->ino);
	}
}

static void check_attr(struct walk *w, const struct lfs_twin_state *s, const struct lfs_attr *attr)
{
	const struct lfs_attr *want = &s->attr;

	if (attr->mode != want->mode || attr->nlink != want->nlink || attr->size != want->size ||
	    attr->uid != want->uid || attr->gid != want->gid ||
	    attr->mtime.sec != want->mtime.sec || attr->generation != want->generation)
		wrong(w, "inode %" PRIu64 ": wrong attributes", attr->ino);
}

static void walk_dir(struct walk *w, uint32_t dir);

static void walk_entry(struct walk *w, lfs_ino_t dir_ino, const struct lfs_twin_entry *e)
{
	const struct lfs_twin_node *n = &w->twin->nodes[e->node];
	const struct lfs_twin_state *s = lfs_twin_now(w->twin, e->node);
	char target[LFS_SYMLINK_MAX + 1];
	struct lfs_attr attr;

	if (is_error(w, lfs_lookup(w->fs, dir_ino, e->name, &attr), e->name, dir_ino))
		return;
	if (attr.ino != n->ino) {
		wrong(w, "'%s' is inode %" PRIu64 ", expected %" PRIu64, e->name, attr.ino, n->ino);
	} else if (!w->visited[e->node]) {
		w->visited[e->node] = 1;
		check_attr(w, s, &attr);
		walk_xattrs(w, n, s);
		if (S_ISREG(n->mode))
			walk_data(w, n, s);
		else if (S_ISDIR(n->mode))
			walk_dir(w, e->node);
		else if (n->target &&
			 !is_error(w, lfs_readlink(w->fs, n->ino, target), "readlink", n->ino) &&
			 strcmp(target, n->target) != 0)
			wrong(w, "inode %" PRIu64 ": wrong target", n->ino);
	}
	lfs_forget(w->fs, attr.ino, 1);
}

struct listing {
	struct walk *w;
	const struct lfs_twin_state *dir;
	size_t n;
};

static bool list_entry(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *attr)
{
	struct listing *list = ctx;
	uint32_t node;

	(void)attr;
	if (entry->name_len <= 2 && !strncmp(entry->name, "..", entry->name_len))
		return true;
	list->n++;
	node = TWIN_NONE;
	for (size_t i = 0; i < list->dir->n_entries; i++)
		if (strlen(list->dir->entries[i].name) == entry->name_len &&
		    !memcmp(list->dir->entries[i].name, entry->name, entry->name_len))
			node = list->dir->entries[i].node;
	if (node == TWIN_NONE || list->w->twin->nodes[node].ino != entry->ino)
		wrong(list->w, "readdir shows '%.*s' as inode %" PRIu64, (int)entry->name_len,
		      entry->name, entry->ino);
	return true;
}

static void walk_dir(struct walk *w, uint32_t dir)
{
	const struct lfs_twin_state *s = lfs_twin_now(w->twin, dir);
	lfs_ino_t ino = w->twin->nodes[dir].ino;
	struct listing list = { .w = w, .dir = s };

	if (!is_error(w, lfs_readdir(w->fs, ino, 0, list_entry, &list), "readdir", ino) &&
	    list.n != s->n_entries)
		wrong(w, "readdir of inode %" PRIu64 ": %zu entries, expected %zu", ino, list.n,
		      s->n_entries);
	for (size_t i = 0; i < s->n_entries; i++)
		walk_entry(w, ino, &s->entries[i]);
}

void tolerant_walk(struct lfs *fs, const struct lfs_twin *twin, struct tolerant_result *result)
{
	struct walk w = { .fs = fs, .twin = twin, .result = result };
	struct lfs_attr attr;

	memset(result, 0, sizeof(*result));
	w.visited = calloc(twin->n_nodes, 1);
	CHECK(w.visited, "no memory");
	if (!is_error(&w, lfs_getattr(fs, LFS_ROOT_INO, &attr), "getattr", LFS_ROOT_INO)) {
		check_attr(&w, lfs_twin_now(twin, TWIN_ROOT), &attr);
		walk_dir(&w, TWIN_ROOT);
	}
	free(w.visited);
}
