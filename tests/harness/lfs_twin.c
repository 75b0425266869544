/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"

#define BLOCK LFS_BLOCK_BYTES

static void *must(void *memory)
{
	CHECK(memory, "no memory");
	return memory;
}

static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room ? 2 * *room : 8;
	return must(realloc(array, *room * size));
}

/* Exactly @n items, copied; NULL for none. */
static void *copied(const void *array, size_t n, size_t size)
{
	void *copy;

	if (!n)
		return NULL;
	copy = must(malloc(n * size));
	memcpy(copy, array, n * size);
	return copy;
}

/* ---- States ------------------------------------------------------------------------------------------- */

static void block_put(struct lfs_twin_block *block)
{
	if (block && !--block->refs)
		free(block);
}

static void state_destroy(struct lfs_twin_state *s)
{
	for (size_t i = 0; i < s->n_blocks; i++)
		block_put(s->blocks[i]);
	for (size_t i = 0; i < s->n_xattrs; i++)
		free(s->xattrs[i].value);
	free(s->blocks);
	free(s->entries);
	free(s->xattrs);
}

static void state_copy(struct lfs_twin_state *to, const struct lfs_twin_state *from)
{
	*to = *from;
	to->blocks = copied(from->blocks, from->n_blocks, sizeof(*to->blocks));
	for (size_t i = 0; i < to->n_blocks; i++)
		if (to->blocks[i])
			to->blocks[i]->refs++;
	to->entries = copied(from->entries, from->n_entries, sizeof(*to->entries));
	to->xattrs = copied(from->xattrs, from->n_xattrs, sizeof(*to->xattrs));
	for (size_t i = 0; i < to->n_xattrs; i++)
		to->xattrs[i].value = copied(from->xattrs[i].value, from->xattrs[i].len, 1);
}

const char *lfs_twin_name(struct lfs_twin *twin, const char *text)
{
	for (size_t i = 0; i < twin->n_names; i++)
		if (!strcmp(twin->names[i], text))
			return twin->names[i];
	twin->names = grown(twin->names, twin->n_names, &twin->names_room, sizeof(*twin->names));
	return twin->names[twin->n_names++] = must(strdup(text));
}

/* The state of @node that this operation makes. */
static struct lfs_twin_state *change(struct lfs_twin *twin, uint32_t node)
{
	struct lfs_twin_node *n = &twin->nodes[node];
	struct lfs_twin_state *last = n->n_states ? &n->states[n->n_states - 1] : NULL;

	if (last && last->op == twin->op) {
		last->no_data = false;
		return last;
	}
	n->states = grown(n->states, n->n_states, &n->room, sizeof(*n->states));
	if (n->n_states)
		state_copy(&n->states[n->n_states], &n->states[n->n_states - 1]);
	else
		memset(&n->states[n->n_states], 0, sizeof(*n->states));
	last = &n->states[n->n_states++];
	last->op = twin->op;
	last->divisible = last->no_data = false;
	return last;
}

static uint32_t node_add(struct lfs_twin *twin, uint32_t mode)
{
	twin->nodes = grown(twin->nodes, twin->n_nodes, &twin->room, sizeof(*twin->nodes));
	twin->nodes[twin->n_nodes] = (struct lfs_twin_node){ .mode = mode };
	change(twin, (uint32_t)twin->n_nodes)->parent = TWIN_NONE;
	return (uint32_t)twin->n_nodes++;
}

static void note_name_op(struct lfs_twin *twin)
{
	if (twin->n_name_ops && twin->name_ops[twin->n_name_ops - 1] == twin->op)
		return;
	twin->name_ops = grown(twin->name_ops, twin->n_name_ops, &twin->name_ops_room,
			       sizeof(*twin->name_ops));
	twin->name_ops[twin->n_name_ops++] = twin->op;
}

/* ---- Life -------------------------------------------------------------------------------------------- */

void lfs_twin_init(struct lfs_twin *twin)
{
	memset(twin, 0, sizeof(*twin));
	node_add(twin, S_IFDIR);
	twin->nodes[TWIN_ROOT].ino = LFS_ROOT_INO;
	twin->nodes[TWIN_ROOT].states[0].nlink = 2;
	twin->nodes[TWIN_ROOT].states[0].parent = TWIN_ROOT;
}

static void node_destroy(struct lfs_twin_node *n)
{
	for (size_t i = 0; i < n->n_states; i++)
		state_destroy(&n->states[i]);
	free(n->states);
}

void lfs_twin_destroy(struct lfs_twin *twin)
{
	for (size_t i = 0; i < twin->n_nodes; i++)
		node_destroy(&twin->nodes[i]);
	for (size_t i = 0; i < twin->n_names; i++)
		free(twin->names[i]);
	free(twin->nodes);
	free(twin->names);
	free(twin->name_ops);
	memset(twin, 0, sizeof(*twin));
}

uint32_t lfs_twin_begin(struct lfs_twin *twin)
{
	return ++twin->op;
}

void lfs_twin_rewind(struct lfs_twin *twin, uint32_t op)
{
	for (size_t i = 0; i < twin->n_nodes; i++) {
		struct lfs_twin_node *n = &twin->nodes[i];

		while (n->n_states && n->states[n->n_states - 1].op > op)
			state_destroy(&n->states[--n->n_states]);
	}
	while (twin->n_nodes && !twin->nodes[twin->n_nodes - 1].n_states)
		node_destroy(&twin->nodes[--twin->n_nodes]);
	while (twin->n_name_ops && twin->name_ops[twin->n_name_ops - 1] > op)
		twin->n_name_ops--;
	twin->op = op;
}

void lfs_twin_settle(struct lfs_twin *twin)
{
	for (size_t i = 0; i < twin->n_nodes; i++) {
		struct lfs_twin_node *n = &twin->nodes[i];

		for (size_t k = 0; k + 1 < n->n_states; k++)
			state_destroy(&n->states[k]);
		n->states[0] = n->states[n->n_states - 1];
		n->states[0].op = 0;
		n->states[0].divisible = false;
		n->n_states = 1;
	}
	twin->n_name_ops = 0;
	twin->op = 0;
}

/* ---- Queries -------------------------------------------------------------------------------------------- */

const struct lfs_twin_state *lfs_twin_at(const struct lfs_twin *twin, uint32_t node, uint32_t op)
{
	const struct lfs_twin_node *n = &twin->nodes[node];

	for (size_t i = n->n_states; i-- > 0;)
		if (n->states[i].op <= op)
			return &n->states[i];
	return NULL;
}

const struct lfs_twin_state *lfs_twin_now(const struct lfs_twin *twin, uint32_t node)
{
	const struct lfs_twin_node *n = &twin->nodes[node];

	return &n->states[n->n_states - 1];
}

uint32_t lfs_twin_entry(const struct lfs_twin_state *dir, const char *name)
{
	for (size_t i = 0; i < dir->n_entries; i++)
		if (!strcmp(dir->entries[i].name, name))
			return dir->entries[i].node;
	return TWIN_NONE;
}

static int name_check(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
		return -EINVAL;
	return strlen(name) > LFS_NAME_MAX ? -ENAMETOOLONG : 0;
}

int lfs_twin_lookup(const struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t *node)
{
	int rc = name_check(name);

	if (!S_ISDIR(twin->nodes[dir].mode))
		return -ENOTDIR;
	if (rc)
		return rc;
	*node = lfs_twin_entry(lfs_twin_now(twin, dir), name);
	return *node == TWIN_NONE ? -ENOENT : 0;
}

void lfs_twin_read(const struct lfs_twin_state *state, void *buf, size_t len, uint64_t offset)
{
	uint8_t *to = buf;

	while (len) {
		size_t at = offset % BLOCK, n = BLOCK - at < len ? BLOCK - at : len;
		uint64_t block = offset / BLOCK;

		if (block < state->n_blocks && state->blocks[block])
			memcpy(to, state->blocks[block]->bytes + at, n);
		else
			memset(to, 0, n);
		to += n;
		offset += n;
		len -= n;
	}
}

bool lfs_twin_is_below(const struct lfs_twin *twin, uint32_t node, uint32_t above)
{
	while (node != above && node != TWIN_ROOT && node != TWIN_NONE)
		node = lfs_twin_now(twin, node)->parent;
	return node == above;
}

/* ---- Names ---------------------------------------------------------------------------------------------- */

/* @name can be made in @dir. */
static int may_make(const struct lfs_twin *twin, uint32_t dir, const char *name)
{
	uint32_t node;
	int rc = lfs_twin_lookup(twin, dir, name, &node);

	if (rc != -ENOENT)
		return rc ? rc : -EEXIST;
	return lfs_twin_now(twin, dir)->nlink ? 0 : -ENOENT;
}

static void entry_add(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t node)
{
	struct lfs_twin_state *d = change(twin, dir);

	d->entries = must(realloc(d->entries, (d->n_entries + 1) * sizeof(*d->entries)));
	d->entries[d->n_entries++] = (struct lfs_twin_entry){ .name = lfs_twin_name(twin, name),
							      .node = node };
	note_name_op(twin);
	if (S_ISDIR(twin->nodes[node].mode)) {
		change(twin, dir)->nlink++;
		change(twin, node)->parent = dir;
	}
}

static void entry_remove(struct lfs_twin *twin, uint32_t dir, const char *name)
{
	struct lfs_twin_state *d = change(twin, dir);
	size_t i = 0;

	while (strcmp(d->entries[i].name, name) != 0)
		i++;
	if (S_ISDIR(twin->nodes[d->entries[i].node].mode))
		d->nlink--;
	d->entries[i] = d->entries[--d->n_entries];
	note_name_op(twin);
}

/* A name of @node is gone. */
static void name_lost(struct lfs_twin *twin, uint32_t node)
{
	struct lfs_twin_state *s = change(twin, node);

	s->nlink = S_ISDIR(twin->nodes[node].mode) ? 0 : s->nlink - 1;
}

int lfs_twin_make(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t mode,
		  const char *target, uint32_t *node)
{
	struct lfs_twin_state *s;
	int rc = dir == TWIN_NONE ? 0 : may_make(twin, dir, name);

	if (rc)
		return rc;
	*node = node_add(twin, mode & S_IFMT);
	s = change(twin, *node);
	s->nlink = dir == TWIN_NONE ? 0 : S_ISDIR(mode) ? 2 : 1;
	if (target) {
		twin->nodes[*node].target = lfs_twin_name(twin, target);
		s->size = strlen(target);
	}
	if (dir != TWIN_NONE)
		entry_add(twin, dir, name, *node);
	return 0;
}

int lfs_twin_link(struct lfs_twin *twin, uint32_t node, uint32_t dir, const char *name)
{
	int rc;

	if (S_ISDIR(twin->nodes[node].mode))
		return -EPERM;
	rc = may_make(twin, dir, name);
	if (rc)
		return rc;
	change(twin, node)->nlink++;
	entry_add(twin, dir, name, node);
	return 0;
}

int lfs_twin_unlink(struct lfs_twin *twin, uint32_t dir, const char *name)
{
	uint32_t node;
	int rc = lfs_twin_lookup(twin, dir, name, &node);

	if (rc)
		return rc;
	if (S_ISDIR(twin->nodes[node].mode))
		return -EISDIR;
	entry_remove(twin, dir, name);
	name_lost(twin, node);
	return 0;
}

int lfs_twin_rmdir(struct lfs_twin *twin, uint32_t dir, const char *name)
{
	uint32_t node;
	int rc = lfs_twin_lookup(twin, dir, name, &node);

	if (rc)
		return rc;
	if (!S_ISDIR(twin->nodes[node].mode))
		return -ENOTDIR;
	if (lfs_twin_now(twin, node)->n_entries)
		return -ENOTEMPTY;
	entry_remove(twin, dir, name);
	name_lost(twin, node);
	return 0;
}

static int exchange(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t node,
		    uint32_t new_dir, const char *new_name, uint32_t other)
{
	if (node == other)
		return 0;
	entry_remove(twin, dir, name);
	entry_remove(twin, new_dir, new_name);
	entry_add(twin, new_dir, new_name, node);
	entry_add(twin, dir, name, other);
	change(twin, node);
	change(twin, other);
	return 0;
}

/* What is at the new name makes room. */
static int replace(struct lfs_twin *twin, uint32_t node, uint32_t new_dir, const char *new_name,
		   uint32_t other)
{
	bool is_dir = S_ISDIR(twin->nodes[node].mode);

	if (S_ISDIR(twin->nodes[other].mode) != is_dir)
		return is_dir ? -ENOTDIR : -EISDIR;
	if (is_dir && lfs_twin_now(twin, other)->n_entries)
		return -ENOTEMPTY;
	entry_remove(twin, new_dir, new_name);
	name_lost(twin, other);
	return 0;
}

int lfs_twin_rename(struct lfs_twin *twin, uint32_t dir, const char *name, uint32_t new_dir,
		    const char *new_name, uint32_t flags)
{
	uint32_t node, other = TWIN_NONE;
	int rc = lfs_twin_lookup(twin, dir, name, &node);

	if (rc)
		return rc;
	rc = lfs_twin_lookup(twin, new_dir, new_name, &other);
	if (rc && rc != -ENOENT)
		return rc;
	if (S_ISDIR(twin->nodes[node].mode) && lfs_twin_is_below(twin, new_dir, node))
		return -EINVAL;
	if (flags & LFS_RENAME_EXCHANGE) {
		if (rc)
			return rc;
		if (S_ISDIR(twin->nodes[other].mode) && lfs_twin_is_below(twin, dir, other))
			return -EINVAL;
		return exchange(twin, dir, name, node, new_dir, new_name, other);
	}
	if (!rc && flags & LFS_RENAME_NOREPLACE)
		return -EEXIST;
	if (!rc && other == node)
		return 0;
	if (rc && !lfs_twin_now(twin, new_dir)->nlink)
		return -ENOENT;
	rc = rc ? 0 : replace(twin, node, new_dir, new_name, other);
	if (rc)
		return rc;
	entry_remove(twin, dir, name);
	entry_add(twin, new_dir, new_name, node);
	change(twin, node);
	return 0;
}

/* ---- Contents ------------------------------------------------------------------------------------------- */

static void blocks_reach(struct lfs_twin_state *s, uint64_t bytes)
{
	size_t n = (size_t)((bytes + BLOCK - 1) / BLOCK);

	CHECK(bytes <= TWIN_FILE_MAX, "a file too large for the twin");
	if (n <= s->n_blocks)
		return;
	s->blocks = must(realloc(s->blocks, n * sizeof(*s->blocks)));
	memset(s->blocks + s->n_blocks, 0, (n - s->n_blocks) * sizeof(*s->blocks));
	s->n_blocks = n;
}

/* A block's bytes that only this state has. */
static uint8_t *block_to_write(struct lfs_twin_state *s, size_t i)
{
	struct lfs_twin_block *was = s->blocks[i], *block;

	if (was && was->refs == 1)
		return was->bytes;
	block = must(calloc(1, sizeof(*block)));
	block->refs = 1;
	if (was)
		memcpy(block->bytes, was->bytes, BLOCK);
	block_put(was);
	s->blocks[i] = block;
	return block->bytes;
}

/* @buf NULL: zeroes, which keep the size. */
static void put(struct lfs_twin_state *s, const uint8_t *buf, uint64_t len, uint64_t offset)
{
	if (buf)
		blocks_reach(s, offset + len);
	while (len) {
		size_t at = offset % BLOCK, n = BLOCK - at < len ? BLOCK - at : (size_t)len;
		size_t i = (size_t)(offset / BLOCK);

		if (buf) {
			memcpy(block_to_write(s, i) + at, buf, n);
			buf += n;
		} else if (i >= s->n_blocks) {
			return;
		} else if (n == BLOCK) {
			block_put(s->blocks[i]);
			s->blocks[i] = NULL;
		} else if (s->blocks[i]) {
			memset(block_to_write(s, i) + at, 0, n);
		}
		offset += n;
		len -= n;
	}
}

static bool is_divisible(uint64_t offset, uint64_t len)
{
	return len && offset / BLOCK != (offset + len - 1) / BLOCK;
}

void lfs_twin_write(struct lfs_twin *twin, uint32_t node, const void *buf, size_t len,
		    uint64_t offset)
{
	struct lfs_twin_state *s;

	if (!len)
		return;
	s = change(twin, node);
	s->divisible |= is_divisible(offset, len);
	put(s, buf, len, offset);
	if (offset + len > s->size)
		s->size = offset + len;
}

void lfs_twin_resize(struct lfs_twin *twin, uint32_t node, uint64_t size)
{
	struct lfs_twin_state *s = change(twin, node);

	if (size < s->size)
		put(s, NULL, s->size - size, size);
	s->size = size;
}

/* @len bytes at @offset go (@insert: come), the rest moves. All in blocks. */
static void shift(struct lfs_twin_state *s, uint64_t offset, uint64_t len, bool insert)
{
	size_t at = (size_t)(offset / BLOCK), n = (size_t)(len / BLOCK);

	blocks_reach(s, s->size);
	if (insert) {
		size_t was = s->n_blocks;

		blocks_reach(s, s->n_blocks * BLOCK + len);
		memmove(s->blocks + at + n, s->blocks + at, (was - at) * sizeof(*s->blocks));
		memset(s->blocks + at, 0, n * sizeof(*s->blocks));
		s->size += len;
		return;
	}
	for (size_t i = at; i < at + n; i++)
		block_put(s->blocks[i]);
	memmove(s->blocks + at, s->blocks + at + n, (s->n_blocks - at - n) * sizeof(*s->blocks));
	s->n_blocks -= n;
	s->size -= len;
}

int lfs_twin_fallocate(struct lfs_twin *twin, uint32_t node, uint32_t mode, uint64_t offset,
		       uint64_t len)
{
	const struct lfs_twin_state *now = lfs_twin_now(twin, node);
	struct lfs_twin_state *s;

	if (!len)
		return -EINVAL;
	if (mode & (LFS_FALLOC_COLLAPSE_RANGE | LFS_FALLOC_INSERT_RANGE)) {
		bool insert = mode & LFS_FALLOC_INSERT_RANGE;

		if (offset % BLOCK || len % BLOCK || offset >= now->size ||
		    (!insert && offset + len >= now->size))
			return -EINVAL;
		shift(change(twin, node), offset, len, insert);
		return 0;
	}
	s = change(twin, node);
	s->divisible |= is_divisible(offset, len);
	if (mode & (LFS_FALLOC_PUNCH_HOLE | LFS_FALLOC_ZERO_RANGE))
		put(s, NULL, len, offset);
	if (!(mode & (LFS_FALLOC_KEEP_SIZE | LFS_FALLOC_PUNCH_HOLE)) && offset + len > s->size)
		s->size = offset + len;
	return 0;
}

int64_t lfs_twin_clone(struct lfs_twin *twin, uint32_t src, uint64_t src_offset, uint32_t dst,
		       uint64_t dst_offset, uint64_t len)
{
	const struct lfs_twin_state *from = lfs_twin_now(twin, src);
	struct lfs_twin_state *s;
	uint8_t *bytes;

	if (src_offset >= from->size)
		return 0;
	if (len > from->size - src_offset)
		len = from->size - src_offset;
	if (src == dst && src_offset < dst_offset + len && dst_offset < src_offset + len)
		return -EINVAL;
	if (!len)
		return 0;
	bytes = must(malloc(len));
	lfs_twin_read(from, bytes, len, src_offset);
	s = change(twin, dst);
	s->divisible |= is_divisible(dst_offset, len);
	put(s, bytes, len, dst_offset);
	free(bytes);
	if (dst_offset + len > s->size)
		s->size = dst_offset + len;
	return (int64_t)len;
}

/* ---- Attributes ----------------------------------------------------------------------------------------- */

static size_t xattr_at(const struct lfs_twin_state *s, const char *name)
{
	size_t i = 0;

	while (i < s->n_xattrs && strcmp(s->xattrs[i].name, name) != 0)
		i++;
	return i;
}

struct lfs_twin_state *lfs_twin_touch(struct lfs_twin *twin, uint32_t node)
{
	const struct lfs_twin_node *n = &twin->nodes[node];
	bool fresh = n->states[n->n_states - 1].op != twin->op;
	struct lfs_twin_state *s = change(twin, node);

	s->no_data = fresh;
	return s;
}

int lfs_twin_setxattr(struct lfs_twin *twin, uint32_t node, const char *name, const void *value,
		      size_t len, uint32_t flags)
{
	size_t i = xattr_at(lfs_twin_now(twin, node), name);
	bool there = i < lfs_twin_now(twin, node)->n_xattrs;
	struct lfs_twin_state *s;

	if (there && flags & LFS_XATTR_CREATE)
		return -EEXIST;
	if (!there && flags & LFS_XATTR_REPLACE)
		return -ENODATA;
	s = lfs_twin_touch(twin, node);
	if (!there) {
		s->xattrs = must(realloc(s->xattrs, (s->n_xattrs + 1) * sizeof(*s->xattrs)));
		s->xattrs[s->n_xattrs++] = (struct lfs_twin_xattr){ .name = lfs_twin_name(twin,
											  name) };
	}
	free(s->xattrs[i].value);
	s->xattrs[i].value = copied(value, len, 1);
	s->xattrs[i].len = len;
	return 0;
}

int lfs_twin_removexattr(struct lfs_twin *twin, uint32_t node, const char *name)
{
	size_t i = xattr_at(lfs_twin_now(twin, node), name);
	struct lfs_twin_state *s;

	if (i == lfs_twin_now(twin, node)->n_xattrs)
		return -ENODATA;
	s = lfs_twin_touch(twin, node);
	free(s->xattrs[i].value);
	s->xattrs[i] = s->xattrs[--s->n_xattrs];
	return 0;
}
