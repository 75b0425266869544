/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "lfs_stamp.h"

#define BLOCK      LFS_BLOCK_BYTES
#define XATTR_BYTE 0x5a

/* Two directories may have these names; the others are for files. One is as long as a name can be. */
static const char *const world_names[WORLD_NAMES] = {
	"a",
	"b",
	"f",
	"g",
	"h",
	"file with a longer name",
	"i",
	"j",
	"k",
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nnnnnn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	"nnnnnn"
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
};

static const char *const xattr_names[] = { "user.x", "user.a-longer-name", "trusted.t",
					   "security.s" };

/* ---- Life -------------------------------------------------------------------------------------------- */

static void tell_time(void *ctx, struct lfs_time *now)
{
	const struct lfs_world *world = ctx;

	now->sec = world->clock + world->twin.op;
	now->nsec = 0;
}

static void take_log(void *ctx, enum lfs_log_level level, const char *line)
{
	struct lfs_world *world = ctx;

	if (level == LFS_LOG_ERROR)
		world->errors_logged++;
	if (world->tell)
		printf("    log: %s\n", line);
	snprintf(world->log, sizeof(world->log), "%s", line);
}

void lfs_world_init(struct lfs_world *world)
{
	memset(world, 0, sizeof(*world));
	lfs_twin_init(&world->twin);
	for (size_t i = 0; i < WORLD_OPEN; i++)
		world->open[i] = TWIN_NONE;
	world->buf = malloc(WORLD_WRITE_MAX);
	CHECK(world->buf, "no memory");
	world->options.callbacks = (struct lfs_callbacks){ .log = take_log,
							   .time = tell_time,
							   .ctx = world };
	world->options.cap_bytes = 4 << 20;
}

void lfs_world_destroy(struct lfs_world *world)
{
	lfs_twin_destroy(&world->twin);
	free(world->buf);
}

void lfs_world_adopt(struct lfs_world *world, struct lfs_twin *seen)
{
	lfs_twin_destroy(&world->twin);
	world->twin = *seen;
	memset(seen, 0, sizeof(*seen));
	world->promise = 0;
	for (size_t i = 0; i < WORLD_OPEN; i++)
		world->open[i] = TWIN_NONE;
}

int lfs_world_format(struct lfs_world *world, struct lfs_bdev *dev, uint32_t segment_bytes)
{
	struct lfs_format_options opt = {
		.segment_bytes = segment_bytes,
		.seed = 1,
		.uuid = { 1, 2, 3 },
		.label = "crash",
		.callbacks = world->options.callbacks,
	};

	return lfs_format(dev, &opt);
}

int lfs_world_mount(struct lfs_world *world, struct lfs_bdev *dev)
{
	struct lfs_attr attr;
	int rc;

	world->clock += 86400;
	rc = lfs_mount(dev, &world->options, &world->fs);
	if (rc)
		return rc;
	rc = lfs_getattr(world->fs, LFS_ROOT_INO, &attr);
	if (world->twin.n_nodes == 1 && !rc) {
		world->twin.nodes[TWIN_ROOT].generation = attr.generation;
		world->twin.nodes[TWIN_ROOT].states[0].attr = attr;
	}
	return rc;
}

static void close_all(struct lfs_world *world)
{
	for (size_t i = 0; i < WORLD_OPEN; i++) {
		if (world->open[i] != TWIN_NONE && world->open[i] < world->twin.n_nodes)
			world->twin.nodes[world->open[i]].refs = 0;
		world->open[i] = TWIN_NONE;
	}
}

int lfs_world_unmount(struct lfs_world *world)
{
	int rc;

	for (size_t i = 0; i < WORLD_OPEN; i++)
		if (world->open[i] != TWIN_NONE)
			lfs_release(world->fs, world->twin.nodes[world->open[i]].ino);
	close_all(world);
	rc = lfs_unmount(world->fs);
	world->fs = NULL;
	return rc;
}

void lfs_world_abort(struct lfs_world *world)
{
	if (world->fs)
		lfs_abort(world->fs);
	world->fs = NULL;
	close_all(world);
}

/* ---- Paths --------------------------------------------------------------------------------------------- */

static const char *path_name(uint8_t path)
{
	return world_names[path % WORLD_NAMES];
}

/* The node of a directory by number. TWIN_NONE: not there now. */
static uint32_t dir_node(const struct lfs_world *world, uint32_t dir)
{
	static const char *const steps[WORLD_DIRS][2] = { { 0 }, { "a" }, { "b" }, { "a", "b" } };
	uint32_t node = TWIN_ROOT;

	for (int i = 0; i < 2 && steps[dir][i] && node != TWIN_NONE; i++)
		if (lfs_twin_lookup(&world->twin, node, steps[dir][i], &node) ||
		    !S_ISDIR(world->twin.nodes[node].mode))
			return TWIN_NONE;
	return node;
}

struct place {
	uint32_t dir, node; /* TWIN_NONE: not there */
	const char *name;
	lfs_ino_t dir_ino, ino;
};

static bool find(const struct lfs_world *world, uint8_t path, struct place *place)
{
	path %= WORLD_PATHS;
	place->dir = dir_node(world, path / WORLD_NAMES);
	place->name = path_name(path);
	place->node = TWIN_NONE;
	place->ino = 0;
	if (place->dir == TWIN_NONE)
		return false;
	place->dir_ino = world->twin.nodes[place->dir].ino;
	if (!lfs_twin_lookup(&world->twin, place->dir, place->name, &place->node))
		place->ino = world->twin.nodes[place->node].ino;
	return true;
}

/* A regular file: by its path, or one that is open, perhaps without a name. */
static bool find_file(const struct lfs_world *world, uint8_t path, struct place *place)
{
	if (path >= WORLD_PATHS) {
		place->node = world->open[path % WORLD_OPEN];
		if (place->node == TWIN_NONE)
			return false;
		place->ino = world->twin.nodes[place->node].ino;
	} else if (!find(world, path, place) || place->node == TWIN_NONE) {
		return false;
	}
	return S_ISREG(world->twin.nodes[place->node].mode);
}

/* ---- Agreement ------------------------------------------------------------------------------------------ */

static bool lacks_memory(struct lfs_world *world, int64_t rc)
{
	if (rc != -ENOMEM || !world->may_lack_memory)
		return false;
	world->refused++;
	return true;
}

static bool is_full(struct lfs_world *world, int64_t rc)
{
	if (lacks_memory(world, rc))
		return true;
	if (rc != -ENOSPC || !world->may_be_full)
		return false;
	world->full++;
	return true;
}

/* Both must say the same. Return: false: the engine was full, and the twin is as before. */
static bool agree(struct lfs_world *world, const char *what, int64_t got, int64_t want)
{
	if ((got == -ENOMEM || want >= 0) && is_full(world, got)) {
		lfs_twin_rewind(&world->twin, world->twin.op - 1);
		world->twin.op++;
		return false;
	}
	CHECK(got == want, "operation %u, %s: %" PRId64 ", expected %" PRId64 " (log: %s)",
	      world->twin.op, what, got, want, world->log);
	return true;
}

/* What the engine says of an inode that this operation changed must fit the twin; the rest is kept, to be found again. */
static void learn(struct lfs_world *world, uint32_t node)
{
	struct lfs_twin_node *n = &world->twin.nodes[node];
	struct lfs_twin_state *s = &n->states[n->n_states - 1];
	int rc;

	if (s->op != world->twin.op || (!s->nlink && !n->refs))
		return;
	rc = lfs_getattr(world->fs, n->ino, &s->attr);
	CHECK(!rc, "operation %u: getattr of inode %" PRIu64 ": %d", world->twin.op, n->ino, rc);
	CHECK(s->attr.nlink == s->nlink,
	      "operation %u: inode %" PRIu64 " has nlink %u, expected %u", world->twin.op, n->ino,
	      s->attr.nlink, s->nlink);
	if (S_ISDIR(n->mode))
		s->size = s->attr.size;
	CHECK(s->attr.size == s->size,
	      "operation %u: inode %" PRIu64 " has %" PRIu64 " bytes, expected %" PRIu64,
	      world->twin.op, n->ino, s->attr.size, s->size);
	CHECK((s->attr.mode & S_IFMT) == n->mode, "operation %u: inode %" PRIu64 " has mode %o",
	      world->twin.op, n->ino, s->attr.mode);
}

/* ---- Steps: names ----------------------------------------------------------------------------------------- */

static const struct lfs_cred world_cred = { .umask = 022 };

static void born(struct lfs_world *world, uint32_t node, const struct lfs_attr *attr)
{
	world->twin.nodes[node].ino = attr->ino;
	world->twin.nodes[node].generation = attr->generation;
}

static void step_make(struct lfs_world *world, const struct lfs_step *step)
{
	struct place p;
	struct lfs_attr attr = { 0 };
	uint32_t node = TWIN_NONE, mode = 0;
	char target[64];
	int rc = 0, want;

	if (!find(world, step->path, &p)) {
		world->skipped++;
		return;
	}
	snprintf(target, sizeof(target), "target of %s %u", step->a % 2 ? "an" : "operation",
		 world->twin.op);
	switch (step->kind) {
	case STEP_CREATE:
		mode = S_IFREG | 0640;
		rc = lfs_create(world->fs, p.dir_ino, p.name, mode, &world_cred, &attr);
		break;
	case STEP_MKDIR:
		mode = S_IFDIR | 0755;
		rc = lfs_mkdir(world->fs, p.dir_ino, p.name, mode, &world_cred, &attr);
		break;
	case STEP_MKNOD:
		mode = S_IFIFO | 0600;
		rc = lfs_mknod(world->fs, p.dir_ino, p.name, mode, 0, &world_cred, &attr);
		break;
	case STEP_SYMLINK:
		mode = S_IFLNK | 0777;
		rc = lfs_symlink(world->fs, p.dir_ino, p.name, target, &world_cred, &attr);
		break;
	}
	want = lfs_twin_make(&world->twin, p.dir, p.name, mode, S_ISLNK(mode) ? target : NULL,
			     &node);
	if (agree(world, "make", rc, want) && !rc) {
		born(world, node, &attr);
		lfs_forget(world->fs, attr.ino, 1);
	}
}

static void step_tmpfile(struct lfs_world *world, const struct lfs_step *step)
{
	struct lfs_attr attr, linked;
	struct place p;
	uint32_t node;
	int rc, want;

	if (!find(world, step->path, &p)) {
		world->skipped++;
		return;
	}
	rc = lfs_tmpfile(world->fs, p.dir_ino, S_IFREG | 0600, &world_cred, &attr);
	want = lfs_twin_make(&world->twin, TWIN_NONE, NULL, S_IFREG, NULL, &node);
	if (!agree(world, "tmpfile", rc, want))
		return;
	born(world, node, &attr);
	world->twin.nodes[node].refs = 1;
	learn(world, node);
	rc = lfs_link(world->fs, attr.ino, p.dir_ino, p.name, &linked);
	if (is_full(world, rc)) {
		lfs_forget(world->fs, attr.ino, 1);
		world->twin.nodes[node].refs = 0;
		return;
	}
	want = lfs_twin_link(&world->twin, node, p.dir, p.name);
	CHECK(rc == want, "operation %u, link of a tmpfile: %d, expected %d", world->twin.op, rc,
	      want);
	lfs_forget(world->fs, attr.ino, rc ? 1 : 2);
	world->twin.nodes[node].refs = 0;
}

static void step_link(struct lfs_world *world, const struct lfs_step *step)
{
	struct lfs_attr attr;
	struct place p, q;
	int rc;

	if (!find(world, step->path, &p) || p.node == TWIN_NONE || !find(world, step->path2, &q)) {
		world->skipped++;
		return;
	}
	rc = lfs_link(world->fs, p.ino, q.dir_ino, q.name, &attr);
	if (agree(world, "link", rc, lfs_twin_link(&world->twin, p.node, q.dir, q.name)) && !rc)
		lfs_forget(world->fs, attr.ino, 1);
}

static void step_remove(struct lfs_world *world, const struct lfs_step *step)
{
	struct place p;
	int rc, want;

	if (!find(world, step->path, &p)) {
		world->skipped++;
		return;
	}
	if (step->kind == STEP_RMDIR) {
		rc = lfs_rmdir(world->fs, p.dir_ino, p.name);
		want = lfs_twin_rmdir(&world->twin, p.dir, p.name);
	} else {
		rc = lfs_unlink(world->fs, p.dir_ino, p.name);
		want = lfs_twin_unlink(&world->twin, p.dir, p.name);
	}
	CHECK(rc == want || lacks_memory(world, rc),
	      "operation %u, remove: %d, expected %d (log: %s)", world->twin.op, rc, want,
	      world->log);
	if (rc == -ENOMEM) {
		lfs_twin_rewind(&world->twin, world->twin.op - 1);
		world->twin.op++;
	}
}

static void step_rename(struct lfs_world *world, const struct lfs_step *step)
{
	uint32_t flags = step->c % 4 == 1 ? LFS_RENAME_NOREPLACE :
			 step->c % 4 == 2 ? LFS_RENAME_EXCHANGE :
					    0;
	struct place p, q;
	int rc, want;

	if (!find(world, step->path, &p) || !find(world, step->path2, &q)) {
		world->skipped++;
		return;
	}
	rc = lfs_rename(world->fs, p.dir_ino, p.name, q.dir_ino, q.name, flags);
	want = lfs_twin_rename(&world->twin, p.dir, p.name, q.dir, q.name, flags);
	agree(world, "rename", rc, want);
}

/* ---- Steps: contents -------------------------------------------------------------------------------------- */

static void step_write(struct lfs_world *world, const struct lfs_step *step)
{
	struct place p;
	uint64_t offset = step->a, size;
	uint32_t len = step->b % WORLD_WRITE_MAX + 1;
	ssize_t rc;

	if (!find_file(world, step->path, &p)) {
		world->skipped++;
		return;
	}
	size = lfs_twin_now(&world->twin, p.node)->size;
	if (step->kind == STEP_APPEND)
		offset = size;
	if (offset + len > TWIN_FILE_MAX)
		return;
	lfs_stamp_fill(world->buf, len, offset, ++world->stamps);
	/* With the flag, the engine finds the end by itself. */
	rc = lfs_write(world->fs, p.ino, world->buf, len, step->kind == STEP_APPEND ? 0 : offset,
		       step->kind == STEP_APPEND ? LFS_WRITE_APPEND : 0);
	if (is_full(world, rc))
		return;
	if ((world->may_be_full || world->may_lack_memory) && rc > 0 && rc < (ssize_t)len)
		world->full++;
	else
		CHECK(rc == (ssize_t)len, "operation %u, write of %u at %" PRIu64 ": %zd (log: %s)",
		      world->twin.op, len, offset, rc, world->log);
	lfs_twin_write(&world->twin, p.node, world->buf, (size_t)rc, offset);
}

static void step_truncate(struct lfs_world *world, const struct lfs_step *step)
{
	struct lfs_attr to = { .size = step->a };
	struct place p;
	bool shrinks;
	int rc;

	if (!find_file(world, step->path, &p) || to.size > TWIN_FILE_MAX) {
		world->skipped++;
		return;
	}
	shrinks = to.size <= lfs_twin_now(&world->twin, p.node)->size;
	rc = lfs_setattr(world->fs, p.ino, LFS_SET_SIZE, &to, NULL);
	if (shrinks ? lacks_memory(world, rc) : is_full(world, rc))
		return;
	CHECK(!rc, "operation %u, truncate to %" PRIu64 ": %d (log: %s)", world->twin.op, to.size,
	      rc, world->log);
	lfs_twin_resize(&world->twin, p.node, to.size);
}

static void step_fallocate(struct lfs_world *world, const struct lfs_step *step)
{
	static const uint32_t modes[] = {
		0,
		LFS_FALLOC_KEEP_SIZE,
		LFS_FALLOC_PUNCH_HOLE | LFS_FALLOC_KEEP_SIZE,
		LFS_FALLOC_ZERO_RANGE,
		LFS_FALLOC_ZERO_RANGE | LFS_FALLOC_KEEP_SIZE,
		LFS_FALLOC_COLLAPSE_RANGE,
		LFS_FALLOC_INSERT_RANGE,
	};
	uint32_t mode = modes[step->c % 7];
	uint64_t offset = step->a, len = step->b;
	struct place p;
	int rc;

	if (!find_file(world, step->path, &p)) {
		world->skipped++;
		return;
	}
	if (mode & (LFS_FALLOC_COLLAPSE_RANGE | LFS_FALLOC_INSERT_RANGE) && step->c < 128) {
		offset = offset / BLOCK * BLOCK;
		len = (len + BLOCK - 1) / BLOCK * BLOCK;
	}
	if (offset + len > TWIN_FILE_MAX / 2 ||
	    lfs_twin_now(&world->twin, p.node)->size + len > TWIN_FILE_MAX)
		return;
	rc = lfs_fallocate(world->fs, p.ino, mode, offset, len);
	agree(world, "fallocate", rc, lfs_twin_fallocate(&world->twin, p.node, mode, offset, len));
}

static void step_clone(struct lfs_world *world, const struct lfs_step *step)
{
	uint64_t src_offset = step->a, dst_offset = step->a, len = step->b;
	struct place p, q;
	ssize_t rc;

	if (!find_file(world, step->path, &p) || !find_file(world, step->path2, &q)) {
		world->skipped++;
		return;
	}
	if (step->c % 4 == 1)
		dst_offset += BLOCK;
	else if (step->c % 4 == 2)
		dst_offset = 0;
	else if (step->c % 4 == 3)
		dst_offset += 700;
	if (dst_offset + len > TWIN_FILE_MAX)
		return;
	rc = lfs_clone_range(world->fs, p.ino, src_offset, q.ino, dst_offset, len);
	if (rc > 0 && (world->may_be_full || world->may_lack_memory) && (uint64_t)rc < len)
		len = (uint64_t)rc;
	agree(world, "clone", rc,
	      lfs_twin_clone(&world->twin, p.node, src_offset, q.node, dst_offset, len));
}

static void step_read(struct lfs_world *world, const struct lfs_step *step)
{
	uint32_t len = step->b % (WORLD_WRITE_MAX / 2) + 1;
	uint8_t *want = world->buf + WORLD_WRITE_MAX / 2;
	const struct lfs_twin_state *s;
	struct place p;
	ssize_t rc;

	if (!find_file(world, step->path, &p))
		return;
	s = lfs_twin_now(&world->twin, p.node);
	rc = lfs_read(world->fs, p.ino, world->buf, len, step->a);
	if (lacks_memory(world, rc))
		return;
	len = step->a >= s->size      ? 0 :
	      s->size - step->a < len ? (uint32_t)(s->size - step->a) :
					len;
	if (world->may_lack_memory && rc > 0 && rc < (ssize_t)len)
		len = (uint32_t)rc;
	CHECK(rc == (ssize_t)len, "operation %u, read: %zd, expected %u", world->twin.op, rc, len);
	lfs_twin_read(s, want, len, step->a);
	CHECK(!memcmp(world->buf, want, len),
	      "operation %u, read of inode %" PRIu64 ": other bytes", world->twin.op, p.ino);
}

/* ---- Steps: attributes -------------------------------------------------------------------------------------- */

static void step_xattr(struct lfs_world *world, const struct lfs_step *step)
{
	static const uint32_t sizes[] = { 0, 1, 24, 100, 1000, 4000, 9000, 60 };
	const char *name = xattr_names[step->c % 4];
	uint32_t flags = step->c >> 2 & 3, len = sizes[step->a % 8];
	struct place p;
	int rc, want;

	if (!find(world, step->path, &p) || p.node == TWIN_NONE) {
		world->skipped++;
		return;
	}
	if (step->kind == STEP_REMOVEXATTR) {
		rc = lfs_removexattr(world->fs, p.ino, name);
		want = lfs_twin_removexattr(&world->twin, p.node, name);
	} else {
		flags = flags == 3 ? 0 : flags;
		memset(world->buf, XATTR_BYTE + (int)(world->twin.op % 97), len + 1);
		rc = lfs_setxattr(world->fs, p.ino, name, world->buf, len, flags);
		want = lfs_twin_setxattr(&world->twin, p.node, name, world->buf, len, flags);
	}
	agree(world, "xattr", rc, want);
}

static void step_attr(struct lfs_world *world, const struct lfs_step *step)
{
	struct lfs_attr to = { .mode = step->a & 07777,
			       .uid = step->a % 1000,
			       .gid = step->b % 1000 };
	uint32_t set = step->kind == STEP_CHMOD ? LFS_SET_MODE : LFS_SET_UID | LFS_SET_GID;
	struct place p;
	int rc;

	if (!find(world, step->path, &p) || p.node == TWIN_NONE) {
		world->skipped++;
		return;
	}
	if (step->kind == STEP_UTIMES) {
		to.mtime = (struct lfs_time){ .sec = step->a, .nsec = step->b % 1000000000 };
		to.atime.sec = -(int64_t)step->b;
		set = LFS_SET_MTIME | LFS_SET_ATIME;
	}
	rc = lfs_setattr(world->fs, p.ino, set, &to, NULL);
	if (is_full(world, rc))
		return;
	CHECK(!rc, "operation %u, setattr: %d", world->twin.op, rc);
	lfs_twin_touch(&world->twin, p.node);
}

/* ---- Steps: references, syncs ----------------------------------------------------------------------------------- */

static void step_open(struct lfs_world *world, const struct lfs_step *step)
{
	uint32_t *slot = &world->open[step->c % WORLD_OPEN];
	struct place p;
	int rc;

	if (*slot != TWIN_NONE) {
		world->twin.nodes[*slot].refs--;
		lfs_release(world->fs, world->twin.nodes[*slot].ino);
		*slot = TWIN_NONE;
	}
	if (step->kind == STEP_CLOSE || step->path >= WORLD_PATHS ||
	    !find_file(world, step->path, &p))
		return;
	rc = lfs_open(world->fs, p.ino);
	if (lacks_memory(world, rc))
		return;
	CHECK(!rc, "open: %d", rc);
	world->twin.nodes[p.node].refs++;
	*slot = p.node;
}

static void synced(struct lfs_world *world, const char *what, int rc, uint32_t promise)
{
	/* The filesystem may be read-only by then. */
	if (lacks_memory(world, rc == -EIO || rc == -EROFS ? -ENOMEM : rc))
		return;
	CHECK(!rc, "operation %u, %s: %d (log: %s)", world->twin.op, what, rc, world->log);
	if (promise > world->promise)
		world->promise = promise;
	if (world->synced)
		world->synced(world->ctx, world->promise);
}

static void step_sync(struct lfs_world *world, const struct lfs_step *step)
{
	struct place p;
	bool found;
	int rc;

	switch (step->kind) {
	case STEP_SYNC:
		rc = lfs_sync(world->fs);
		break;
	case STEP_CHECKPOINT:
		rc = lfs_checkpoint(world->fs);
		break;
	case STEP_FSYNCDIR:
		p.node = dir_node(world, step->path % WORLD_DIRS);
		if (p.node == TWIN_NONE)
			return;
		synced(world, "fsyncdir",
		       lfs_fsync(world->fs, world->twin.nodes[p.node].ino, false),
		       lfs_oracle_promise(&world->twin, p.node, false));
		return;
	default:
		found = find_file(world, step->path, &p);
		if (!found)
			return;
		rc = lfs_fsync(world->fs, p.ino, step->kind == STEP_FDATASYNC);
		synced(world, "fsync", rc,
		       lfs_oracle_promise(&world->twin, p.node, step->kind == STEP_FDATASYNC));
		return;
	}
	/* This step changed nothing: what came before is promised. */
	synced(world, "sync", rc, lfs_oracle_promise(&world->twin, TWIN_NONE, false));
}

static void step_tick(struct lfs_world *world, const struct lfs_step *step)
{
	/* A commit may be due, a segment cleaned; nothing is promised. */
	for (uint32_t i = 0, n = step->kind == STEP_CLEAN ? 8 : 1; i < n; i++) {
		int rc = lfs_tick(world->fs, step->kind == STEP_CLEAN);

		CHECK(rc >= 0 || is_full(world, rc), "operation %u, tick: %d (log: %s)",
		      world->twin.op, rc, world->log);
		if (rc)
			break;
	}
}

void lfs_world_do(struct lfs_world *world, const struct lfs_step *step)
{
	static void (*const steps[STEP_COUNT])(struct lfs_world *, const struct lfs_step *) = {
		[STEP_CREATE] = step_make,         [STEP_MKDIR] = step_make,
		[STEP_SYMLINK] = step_make,        [STEP_MKNOD] = step_make,
		[STEP_TMPFILE] = step_tmpfile,     [STEP_LINK] = step_link,
		[STEP_UNLINK] = step_remove,       [STEP_RMDIR] = step_remove,
		[STEP_RENAME] = step_rename,       [STEP_WRITE] = step_write,
		[STEP_APPEND] = step_write,        [STEP_TRUNCATE] = step_truncate,
		[STEP_FALLOCATE] = step_fallocate, [STEP_CLONE] = step_clone,
		[STEP_SETXATTR] = step_xattr,      [STEP_REMOVEXATTR] = step_xattr,
		[STEP_CHMOD] = step_attr,          [STEP_CHOWN] = step_attr,
		[STEP_UTIMES] = step_attr,         [STEP_OPEN] = step_open,
		[STEP_CLOSE] = step_open,          [STEP_FSYNC] = step_sync,
		[STEP_FDATASYNC] = step_sync,      [STEP_FSYNCDIR] = step_sync,
		[STEP_SYNC] = step_sync,           [STEP_CHECKPOINT] = step_sync,
		[STEP_TICK] = step_tick,           [STEP_CLEAN] = step_tick,
		[STEP_READ] = step_read,
	};
	uint32_t op = lfs_twin_begin(&world->twin);

	world->done++;
	if (world->before)
		world->before(world->ctx, op);
	steps[step->kind % STEP_COUNT](world, step);
	if (world->after)
		world->after(world->ctx);
	for (size_t i = 0; i < world->twin.n_nodes; i++)
		learn(world, (uint32_t)i);
}

bool lfs_world_compare(struct lfs_world *world, char why[ORACLE_WHY_BYTES])
{
	struct lfs_twin seen;
	uint32_t at;
	bool equal = !lfs_oracle_observe(world->fs, &seen, why) &&
		     lfs_oracle_match(&world->twin, &seen, world->twin.op, world->twin.op, &at,
				      why);

	lfs_twin_destroy(&seen);
	return equal;
}

/* ---- Random steps ------------------------------------------------------------------------------------------------ */

static uint32_t random_offset(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)rng_below(rng, 16) * BLOCK;
	case 2:
		return (uint32_t)rng_below(rng, 200);
	default:
		return (uint32_t)rng_below(rng, 16 * BLOCK);
	}
}

static uint32_t random_len(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return (uint32_t)rng_below(rng, 100);
	case 1:
		return ((uint32_t)rng_below(rng, 4) + 1) * BLOCK - 1; /* one byte is added */
	case 2:
		return (uint32_t)rng_below(rng, 3 * BLOCK);
	default:
		return (uint32_t)rng_below(rng, rng_one_in(rng, 8) ? 100000 : 16 * BLOCK);
	}
}

struct lfs_step lfs_world_random_step(struct rng *rng, uint32_t fsyncs)
{
	static const uint8_t weighted[] = {
		STEP_CREATE,   STEP_CREATE,    STEP_MKDIR,       STEP_SYMLINK, STEP_MKNOD,
		STEP_TMPFILE,  STEP_LINK,      STEP_UNLINK,      STEP_UNLINK,  STEP_RMDIR,
		STEP_RENAME,   STEP_RENAME,    STEP_RENAME,      STEP_WRITE,   STEP_WRITE,
		STEP_WRITE,    STEP_WRITE,     STEP_APPEND,      STEP_APPEND,  STEP_TRUNCATE,
		STEP_TRUNCATE, STEP_FALLOCATE, STEP_FALLOCATE,   STEP_CLONE,   STEP_CLONE,
		STEP_SETXATTR, STEP_SETXATTR,  STEP_REMOVEXATTR, STEP_CHMOD,   STEP_CHOWN,
		STEP_UTIMES,   STEP_OPEN,      STEP_CLOSE,       STEP_TICK,    STEP_READ,
	};
	static const uint8_t syncs[] = {
		STEP_FSYNC,    STEP_FSYNC, STEP_FSYNC,      STEP_FDATASYNC,
		STEP_FSYNCDIR, STEP_SYNC,  STEP_CHECKPOINT, STEP_CLEAN,
	};
	/* Few names, so that steps meet. */
	struct lfs_step step = {
		.path = (uint8_t)rng_below(rng, rng_one_in(rng, 3) ? WORLD_PATHS : 2 * WORLD_NAMES),
		.path2 = (uint8_t)rng_below(rng,
					    rng_one_in(rng, 3) ? WORLD_PATHS : 2 * WORLD_NAMES),
		.c = (uint8_t)rng_below(rng, 256),
		.a = random_offset(rng),
		.b = random_len(rng),
	};

	if (fsyncs && rng_one_in(rng, fsyncs))
		step.kind = syncs[rng_below(rng, sizeof(syncs))];
	else
		step.kind = weighted[rng_below(rng, sizeof(weighted))];
	if (rng_one_in(rng, 8))
		step.path = (uint8_t)(WORLD_PATHS +
				      rng_below(rng, WORLD_OPEN)); /* one that is open */
	return step;
}

static void path_text(uint8_t path, char *text, size_t room)
{
	static const char *const dirs[WORLD_DIRS] = { "/", "/a/", "/b/", "/a/b/" };

	if (path < WORLD_PATHS)
		snprintf(text, room, "%s%.24s", dirs[path / WORLD_NAMES], path_name(path));
	else
		snprintf(text, room, "open#%u", path % WORLD_OPEN);
}

void lfs_step_text(const struct lfs_step *step, char *text, size_t room)
{
	static const char *const names[STEP_COUNT] = {
		"create",    "mkdir",      "symlink",  "mknod",       "tmpfile",   "link",
		"unlink",    "rmdir",      "rename",   "write",       "append",    "truncate",
		"fallocate", "clone",      "setxattr", "removexattr", "chmod",     "chown",
		"utimes",    "open",       "close",    "fsync",       "fdatasync", "fsyncdir",
		"sync",      "checkpoint", "tick",     "clean",       "read",
	};
	char path[64], path2[64];

	path_text(step->path, path, sizeof(path));
	path_text(step->path2, path2, sizeof(path2));
	snprintf(text, room, "%s %s %s a=%u b=%u c=%u", names[step->kind % STEP_COUNT], path, path2,
		 step->a, step->b, step->c);
}
