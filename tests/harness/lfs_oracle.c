/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_oracle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "lfs_stamp.h"

#define BLOCK LFS_BLOCK_BYTES

__attribute__((format(printf, 2, 3))) static void say(char *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, ORACLE_WHY_BYTES, fmt, args);
	va_end(args);
}

/* ---- Observing ----------------------------------------------------------------------------------------- */

struct walk {
	struct lfs *fs;
	struct lfs_twin *seen;
	char *why;
};

struct listing {
	char (*names)[LFS_NAME_MAX + 1];
	lfs_ino_t *inos;
	uint8_t *types;
	size_t n, room;
};

static bool list_entry(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *attr)
{
	struct listing *list = ctx;

	(void)attr;
	if (entry->name[0] == '.' &&
	    (entry->name_len == 1 || (entry->name_len == 2 && entry->name[1] == '.')))
		return true;
	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		list->names = realloc(list->names, list->room * sizeof(*list->names));
		list->inos = realloc(list->inos, list->room * sizeof(*list->inos));
		list->types = realloc(list->types, list->room);
		CHECK(list->names && list->inos && list->types, "no memory");
	}
	CHECK(entry->name_len <= LFS_NAME_MAX, "a name of %u bytes", entry->name_len);
	memcpy(list->names[list->n], entry->name, entry->name_len);
	list->names[list->n][entry->name_len] = 0;
	list->inos[list->n] = entry->ino;
	list->types[list->n++] = entry->type;
	return true;
}

static void listing_destroy(struct listing *list)
{
	free(list->names);
	free(list->inos);
	free(list->types);
}

static int failed(const struct walk *w, int rc, const char *call, lfs_ino_t ino)
{
	say(w->why, "%s of inode %" PRIu64 ": %d (%s)", call, ino, rc, strerror(-rc));
	return rc;
}

static int observe_file(const struct walk *w, struct lfs_twin_state *s, lfs_ino_t ino)
{
	static const uint8_t zeroes[BLOCK];
	uint8_t bytes[16 * BLOCK];

	if (s->size > TWIN_FILE_MAX)
		return failed(w, -EUCLEAN, "size", ino);
	s->n_blocks = (size_t)((s->size + BLOCK - 1) / BLOCK);
	s->blocks = calloc(s->n_blocks + 1, sizeof(*s->blocks));
	CHECK(s->blocks, "no memory");
	for (uint64_t at = 0; at < s->size; at += sizeof(bytes)) {
		size_t want = s->size - at < sizeof(bytes) ? (size_t)(s->size - at) : sizeof(bytes);
		ssize_t got;

		memset(bytes, 0, sizeof(bytes));
		got = lfs_read(w->fs, ino, bytes, sizeof(bytes), at);
		if (got != (ssize_t)want)
			return failed(w, got < 0 ? (int)got : -EUCLEAN, "read", ino);
		for (size_t i = 0; i < want; i += BLOCK) {
			struct lfs_twin_block *block;

			if (!memcmp(bytes + i, zeroes, BLOCK))
				continue;
			block = malloc(sizeof(*block));
			CHECK(block, "no memory");
			block->refs = 1;
			memcpy(block->bytes, bytes + i, BLOCK);
			s->blocks[(at + i) / BLOCK] = block;
		}
	}
	return 0;
}

static int observe_xattrs(const struct walk *w, uint32_t node, lfs_ino_t ino)
{
	static char names[LFS_XATTR_MAX];
	static uint8_t value[LFS_XATTR_MAX];
	ssize_t len = lfs_listxattr(w->fs, ino, names, sizeof(names));

	if (len < 0)
		return failed(w, (int)len, "listxattr", ino);
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t n = lfs_getxattr(w->fs, ino, name, value, sizeof(value));

		if (n < 0)
			return failed(w, (int)n, "getxattr", ino);
		if (lfs_twin_setxattr(w->seen, node, name, value, (size_t)n, LFS_XATTR_CREATE))
			return failed(w, -EUCLEAN, "a name twice in listxattr", ino);
	}
	return 0;
}

static int observe_inode(const struct walk *w, uint32_t node, const struct lfs_attr *attr)
{
	struct lfs_twin_node *n = &w->seen->nodes[node];
	struct lfs_twin_state *s = &n->states[0];
	char target[LFS_SYMLINK_MAX + 1];
	int rc = 0;

	n->ino = attr->ino;
	n->generation = attr->generation;
	s->attr = *attr;
	s->size = attr->size;
	s->nlink = attr->nlink;
	if (S_ISREG(attr->mode)) {
		rc = observe_file(w, s, attr->ino);
	} else if (S_ISLNK(attr->mode)) {
		rc = lfs_readlink(w->fs, attr->ino, target);
		if (rc < 0)
			return failed(w, rc, "readlink", attr->ino);
		n->target = lfs_twin_name(w->seen, target);
		rc = 0;
	}
	return rc ? rc : observe_xattrs(w, node, attr->ino);
}

static uint32_t node_of(const struct lfs_twin *seen, lfs_ino_t ino)
{
	for (uint32_t i = 0; i < seen->n_nodes; i++)
		if (seen->nodes[i].ino == ino)
			return i;
	return TWIN_NONE;
}

/* One entry of directory @dir; a new inode is observed. */
static int observe_entry(const struct walk *w, uint32_t dir, const char *name, lfs_ino_t ino,
			 uint8_t type)
{
	struct lfs_attr attr;
	uint32_t node;
	int rc = lfs_lookup(w->fs, w->seen->nodes[dir].ino, name, &attr);

	if (rc)
		return failed(w, rc, name, w->seen->nodes[dir].ino);
	node = node_of(w->seen, attr.ino);
	if (attr.ino != ino || type != (attr.mode & S_IFMT) >> 12 || !attr.nlink) {
		say(w->why,
		    "entry '%s' says inode %" PRIu64 " type %u; it is inode %" PRIu64
		    " mode %o nlink %u",
		    name, ino, type, attr.ino, attr.mode, attr.nlink);
		rc = -EUCLEAN;
	} else if (node == TWIN_NONE) {
		CHECK(lfs_twin_make(w->seen, dir, name, attr.mode, NULL, &node) == 0, "make");
		rc = observe_inode(w, node, &attr);
	} else if (S_ISDIR(attr.mode) || lfs_twin_link(w->seen, node, dir, name)) {
		say(w->why, "entry '%s' of inode %" PRIu64 ": a second time", name, ino);
		rc = -EUCLEAN;
	}
	lfs_forget(w->fs, attr.ino, 1);
	return rc;
}

static int observe_dir(const struct walk *w, uint32_t dir)
{
	struct listing list = { 0 };
	lfs_ino_t ino = w->seen->nodes[dir].ino;
	int rc = lfs_readdir(w->fs, ino, 0, list_entry, &list);

	if (rc)
		failed(w, rc, "readdir", ino);
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = observe_entry(w, dir, list.names[i], list.inos[i], list.types[i]);
	listing_destroy(&list);
	return rc;
}

int lfs_oracle_observe(struct lfs *fs, struct lfs_twin *seen, char why[ORACLE_WHY_BYTES])
{
	struct walk w = { .fs = fs, .seen = seen, .why = why };
	struct lfs_attr attr;
	int rc;

	lfs_twin_init(seen);
	rc = lfs_getattr(fs, LFS_ROOT_INO, &attr);
	if (rc)
		return failed(&w, rc, "getattr", LFS_ROOT_INO);
	rc = observe_inode(&w, TWIN_ROOT, &attr);
	for (uint32_t i = 0; i < seen->n_nodes && !rc; i++)
		if (S_ISDIR(seen->nodes[i].mode))
			rc = observe_dir(&w, i);
	/* Making entries counted links: what counts here is what the inodes say. */
	for (uint32_t i = 0; i < seen->n_nodes; i++)
		seen->nodes[i].states[0].nlink = seen->nodes[i].states[0].attr.nlink;
	return rc;
}

/* ---- Matching ------------------------------------------------------------------------------------------- */

struct match {
	const struct lfs_twin *twin, *seen;
	uint32_t at;       /* the operation */
	bool half;         /* the one after it may be half done */
	uint32_t *twin_of; /* each seen node's, or TWIN_NONE */
	size_t matched;    /* nodes, until the first difference */
	char why[ORACLE_WHY_BYTES];
};

static const uint8_t *block_bytes(const struct lfs_twin_state *s, size_t i)
{
	static const uint8_t zeroes[BLOCK];

	return s && i < s->n_blocks && s->blocks[i] ? s->blocks[i]->bytes : zeroes;
}

/* @then: the state after the operation that may be half done, or NULL. */
static bool data_equal(struct match *m, uint32_t node, const struct lfs_twin_state *s,
		       const struct lfs_twin_state *then, const struct lfs_twin_state *seen)
{
	for (size_t i = 0; i < seen->n_blocks; i++) {
		const uint8_t *got = block_bytes(seen, i), *want = block_bytes(s, i);

		if (got == want || !memcmp(got, want, BLOCK))
			continue;
		if (then && !memcmp(got, block_bytes(then, i), BLOCK))
			continue;
		say(m->why, "inode %" PRIu64 " block %zu: ", m->twin->nodes[node].ino, i);
		lfs_stamp_explain(m->why + strlen(m->why), ORACLE_WHY_BYTES - strlen(m->why), got,
				  want, i * BLOCK);
		return false;
	}
	return true;
}

static bool time_equal(const struct lfs_time *a, const struct lfs_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static const char *attr_difference(const struct lfs_attr *a, const struct lfs_attr *b,
				   bool with_blocks)
{
	return a->mode != b->mode                    ? "mode" :
	       a->nlink != b->nlink                  ? "nlink" :
	       a->uid != b->uid || a->gid != b->gid  ? "owner" :
	       a->rdev != b->rdev                    ? "rdev" :
	       a->flags != b->flags                  ? "flags" :
	       a->generation != b->generation        ? "generation" :
	       a->size != b->size                    ? "size" :
	       !time_equal(&a->mtime, &b->mtime)     ? "mtime" :
	       !time_equal(&a->ctime, &b->ctime)     ? "ctime" :
	       !time_equal(&a->btime, &b->btime)     ? "btime" :
	       with_blocks && a->blocks != b->blocks ? "blocks" :
						       NULL;
}

static void say_attr(struct match *m, const char *what, const struct lfs_attr *seen,
		     const struct lfs_attr *want)
{
	say(m->why,
	    "inode %" PRIu64 ": %s; found mode %o nlink %u size %" PRIu64 " blocks %" PRIu64
	    " mtime %" PRId64 " ctime %" PRId64 ", expected mode %o nlink %u size %" PRIu64
	    " blocks %" PRIu64 " mtime %" PRId64 " ctime %" PRId64,
	    seen->ino, what, seen->mode, seen->nlink, seen->size, seen->blocks, seen->mtime.sec,
	    seen->ctime.sec, want->mode, want->nlink, want->size, want->blocks, want->mtime.sec,
	    want->ctime.sec);
}

/* Half of a write: a size in between, and the old or the new attributes otherwise. */
static bool attr_equal_half(struct match *m, const struct lfs_attr *a, const struct lfs_attr *b,
			    const struct lfs_attr *seen)
{
	struct lfs_attr as_a = *seen, as_b = *seen;

	if (seen->size < a->size || seen->size > b->size) {
		say_attr(m, "size", seen, a);
		return false;
	}
	as_a.size = a->size;
	as_b.size = b->size;
	if (!attr_difference(&as_a, a, false) || !attr_difference(&as_b, b, false))
		return true;
	say_attr(m, attr_difference(&as_a, a, false), seen, a);
	return false;
}

static bool attr_equal(struct match *m, const struct lfs_twin_state *s,
		       const struct lfs_twin_state *then, const struct lfs_attr *seen)
{
	const char *what = attr_difference(seen, &s->attr, true);

	if (!what)
		return true;
	if (then)
		return attr_equal_half(m, &s->attr, &then->attr, seen);
	say_attr(m, what, seen, &s->attr);
	return false;
}

static bool xattrs_equal(struct match *m, const struct lfs_twin_state *s,
			 const struct lfs_twin_state *seen)
{
	bool equal = s->n_xattrs == seen->n_xattrs;

	for (size_t i = 0; i < s->n_xattrs && equal; i++) {
		const struct lfs_twin_xattr *a = &s->xattrs[i], *b = NULL;

		for (size_t k = 0; k < seen->n_xattrs; k++)
			if (!strcmp(seen->xattrs[k].name, a->name))
				b = &seen->xattrs[k];
		equal = b && a->len == b->len && (!a->len || !memcmp(a->value, b->value, a->len));
	}
	if (!equal)
		say(m->why, "inode %" PRIu64 ": %zu xattrs, or their values; expected %zu",
		    seen->attr.ino, seen->n_xattrs, s->n_xattrs);
	return equal;
}

/* Same names, and each leads to the same inode (by every name that it has). */
static bool entries_equal(struct match *m, const struct lfs_twin_state *s,
			  const struct lfs_twin_state *seen)
{
	for (size_t i = 0; i < s->n_entries; i++) {
		const struct lfs_twin_entry *e = &s->entries[i];
		uint32_t there = lfs_twin_entry(seen, e->name);

		if (there == TWIN_NONE) {
			say(m->why, "directory %" PRIu64 ": no '%s'", seen->attr.ino, e->name);
			return false;
		}
		if (m->twin_of[there] == TWIN_NONE)
			m->twin_of[there] = e->node;
		if (m->twin_of[there] != e->node) {
			say(m->why, "directory %" PRIu64 ": '%s' is another inode", seen->attr.ino,
			    e->name);
			return false;
		}
	}
	if (s->n_entries == seen->n_entries)
		return true;
	for (size_t i = 0; i < seen->n_entries; i++)
		if (lfs_twin_entry(s, seen->entries[i].name) == TWIN_NONE)
			say(m->why, "directory %" PRIu64 ": '%s' is there", seen->attr.ino,
			    seen->entries[i].name);
	return false;
}

static bool node_equal(struct match *m, uint32_t there)
{
	uint32_t node = m->twin_of[there];
	const struct lfs_twin_node *a = &m->twin->nodes[node], *b = &m->seen->nodes[there];
	const struct lfs_twin_state *s = lfs_twin_at(m->twin, node, m->at), *then = NULL;
	const struct lfs_twin_state *seen = &b->states[0];

	if (m->half) {
		then = lfs_twin_at(m->twin, node, m->at + 1);
		if (then && (then == s || !then->divisible))
			then = NULL;
	}
	if (!s || a->ino != b->ino || a->mode != b->mode) {
		say(m->why, "inode %" PRIu64 " type %o; expected inode %" PRIu64 " type %o", b->ino,
		    b->mode, a->ino, a->mode);
		return false;
	}
	if (a->target && strcmp(a->target, b->target ? b->target : "") != 0) {
		say(m->why, "inode %" PRIu64 ": another target", b->ino);
		return false;
	}
	return attr_equal(m, s, then, &seen->attr) && xattrs_equal(m, s, seen) &&
	       (S_ISDIR(a->mode) ? entries_equal(m, s, seen) : data_equal(m, node, s, then, seen));
}

/* Seen nodes are in the order of a walk from the root: a parent has named them before their turn. */
static bool tree_equal(struct match *m)
{
	for (size_t i = 0; i < m->seen->n_nodes; i++)
		m->twin_of[i] = TWIN_NONE;
	m->twin_of[0] = TWIN_ROOT;
	for (m->matched = 0; m->matched < m->seen->n_nodes; m->matched++)
		if (m->twin_of[m->matched] == TWIN_NONE || !node_equal(m, (uint32_t)m->matched))
			return false;
	return true;
}

bool lfs_oracle_match(const struct lfs_twin *twin, const struct lfs_twin *seen, uint32_t oldest,
		      uint32_t newest, uint32_t *at, char why[ORACLE_WHY_BYTES])
{
	struct match m = { .twin = twin, .seen = seen };
	size_t best = 0;
	bool equal = false;

	m.twin_of = malloc(seen->n_nodes * sizeof(*m.twin_of));
	CHECK(m.twin_of, "no memory");
	for (uint32_t k = newest; !equal; k--) {
		m.at = k;
		m.half = k < newest;
		equal = tree_equal(&m);
		if (equal) {
			*at = k;
		} else if (k == newest || m.matched > best) {
			best = m.matched;
			snprintf(why, ORACLE_WHY_BYTES, "as of operation %u of [%u, %u]: %.500s", k,
				 oldest, newest, m.why);
		}
		if (k == oldest)
			break;
	}
	free(m.twin_of);
	return equal;
}

/* ---- Promises ------------------------------------------------------------------------------------------- */

uint32_t lfs_oracle_promise(const struct lfs_twin *twin, uint32_t node, bool data_only)
{
	uint32_t promise = twin->n_name_ops ? twin->name_ops[twin->n_name_ops - 1] : 0;
	const struct lfs_twin_node *n;

	if (node == TWIN_NONE)
		return twin->op;
	n = &twin->nodes[node];
	for (size_t i = n->n_states; i-- > 0;) {
		if (data_only && n->states[i].no_data)
			continue;
		if (n->states[i].op > promise)
			promise = n->states[i].op;
		break;
	}
	return promise;
}
