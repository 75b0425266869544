/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Rename: up to four inodes change as one record, so that a crash sees all of it or nothing.
 */
#include "internal.h"

#include <sys/stat.h>

#define DEPTH_MAX 100000u /* of directories: a walk up that is longer goes in a circle */

struct move {
	struct lfs_inode *dir, *ndir, *inode, *victim; /* victim: what the new name was, or NULL */
	const char *name, *nname;
	uint32_t len, nlen, flags;
};

/* ---- The change itself -------------------------------------------------------------------------------- */

/* A directory has another parent now. */
static void reparent(struct lfs_inode *inode, struct lfs_inode *from, struct lfs_inode *to)
{
	if (!S_ISDIR(inode->mode) || from == to)
		return;
	inode->parent = to->ino;
	from->nlink--;
	to->nlink++;
}

static int exchange(struct lfs *fs, const struct move *m)
{
	int err = lfs_dir_set(fs, m->dir, m->name, m->len, m->victim->ino,
			      lfs_type_of(m->victim->mode));

	if (!err)
		err = lfs_dir_set(fs, m->ndir, m->nname, m->nlen, m->inode->ino,
				  lfs_type_of(m->inode->mode));
	if (err)
		return err;
	reparent(m->inode, m->dir, m->ndir);
	reparent(m->victim, m->ndir, m->dir);
	return 0;
}

static int move(struct lfs *fs, const struct move *m, struct lfs_time now)
{
	uint8_t type = lfs_type_of(m->inode->mode);
	int err;

	if (m->victim)
		err = lfs_dir_set(fs, m->ndir, m->nname, m->nlen, m->inode->ino, type);
	else
		err = lfs_dir_add(fs, m->ndir, m->nname, m->nlen, m->inode->ino, type);
	if (err)
		return err;
	err = lfs_dir_del(fs, m->dir, m->name, m->len);
	if (err) {
		lfs_fail(fs, err, "removing the old name of a rename");
		return err;
	}
	if (m->victim)
		lfs_unname(fs, m->ndir, m->victim, now);
	reparent(m->inode, m->dir, m->ndir);
	return 0;
}

int lfs_apply_rename(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		     struct lfs_inode *ndir, const char *nname, uint32_t nlen,
		     struct lfs_inode *inode, struct lfs_inode *victim, uint32_t flags,
		     struct lfs_time now)
{
	struct move m = { dir, ndir, inode, victim, name, nname, len, nlen, flags };
	int err = flags & LFS_RENAME_EXCHANGE ? exchange(fs, &m) : move(fs, &m, now);

	if (err)
		return err;
	inode->ctime = now;
	inode->dirty = true;
	if (victim) {
		victim->ctime = now;
		victim->dirty = true;
	}
	lfs_dir_touch(dir, now);
	lfs_dir_touch(ndir, now);
	return 0;
}

/* ---- Whether it may be done -------------------------------------------------------------------------------- */

/* Is @dir inside @inode, or the same? Context: rename_lock, so that no directory moves meanwhile. */
static int is_inside(struct lfs *fs, uint32_t dir, uint32_t inode)
{
	for (uint32_t n = 0; n < DEPTH_MAX; n++) {
		struct lfs_inode *at;
		int err;

		if (dir == inode)
			return -EINVAL;
		if (dir == LFS_ROOT_INO)
			return 0;
		err = lfs_iget(fs, dir, &at);
		if (err)
			return err;
		dir = at->parent;
		lfs_iput(fs, at);
	}
	return -EUCLEAN;
}

static int check_victim(const struct move *m)
{
	if (m->flags & LFS_RENAME_EXCHANGE)
		return 0;
	if (S_ISDIR(m->inode->mode) && !S_ISDIR(m->victim->mode))
		return -ENOTDIR;
	if (!S_ISDIR(m->inode->mode) && S_ISDIR(m->victim->mode))
		return -EISDIR;
	return S_ISDIR(m->victim->mode) && m->victim->entries ? -ENOTEMPTY : 0;
}

static bool is_fixed(const struct lfs_inode *inode)
{
	return inode && inode->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND);
}

static int check(const struct move *m)
{
	if (m->flags & LFS_RENAME_NOREPLACE && m->victim)
		return -EEXIST;
	if (m->flags & LFS_RENAME_EXCHANGE && !m->victim)
		return -ENOENT;
	if (is_fixed(m->inode) || is_fixed(m->victim))
		return -EPERM;
	if (S_ISDIR(m->inode->mode) && m->dir != m->ndir && m->ndir->nlink >= LFS_LINK_MAX)
		return -EMLINK;
	return m->victim ? check_victim(m) : 0;
}

/* A planted bug: what comes of logging a rename as two changes. */
static int emit_in_two(struct lfs *fs, const struct move *m, struct lfs_time now)
{
	struct lfs_record_disk to = { .type = LFS_REC_LINK, .ino = lfs_to32(m->inode->ino) };
	struct lfs_record_disk from = { .type = LFS_REC_UNLINK, .ino = lfs_to32(m->dir->ino) };
	int err;

	to.ino2 = lfs_to32(m->ndir->ino);
	err = lfs_emit(fs, m->inode, &to, now, m->nname, m->nlen, NULL, 0);
	if (!err)
		err = lfs_log_seal(fs, LFS_HEAD_HOT, false);
	return err ? err : lfs_emit(fs, m->dir, &from, now, m->name, m->len, NULL, 0);
}

static int rename_locked(struct lfs *fs, struct move *m)
{
	struct lfs_record_disk rec = { .type = LFS_REC_RENAME };
	struct lfs_time now = lfs_now(fs);
	int err;

	if (m->inode == m->victim)
		return m->flags & LFS_RENAME_NOREPLACE ? -EEXIST : 0;
	err = check(m);
	if (err)
		return err;
	err = lfs_apply_rename(fs, m->dir, m->name, m->len, m->ndir, m->nname, m->nlen, m->inode,
			       m->victim, m->flags, now);
	if (err)
		return err;
	if (LFS_PLANTED(RENAME_TWO_COMMITS) && !m->victim && !S_ISDIR(m->inode->mode))
		return emit_in_two(fs, m, now);
	rec.ino = lfs_to32(m->dir->ino);
	rec.ino2 = lfs_to32(m->ndir->ino);
	rec.m = lfs_to32(m->flags);
	return lfs_emit(fs, m->dir, &rec, now, m->name, m->len, m->nname, m->nlen);
}

/* ---- Locks around it -------------------------------------------------------------------------------------------- */

/* Without its lock: the type changes when the inode is freed, and lfs_still() looks at that under the locks. */
static bool looks_like_dir(const struct lfs_inode *inode)
{
	return S_ISDIR(__atomic_load_n(&inode->mode, __ATOMIC_RELAXED));
}

/* Before the locks: what cannot be asked under them. Nothing moves: rename_lock is held if it matters. */
static int check_circle(struct lfs *fs, const struct move *m)
{
	int err = 0;

	if (m->dir == m->ndir)
		return 0;
	if (looks_like_dir(m->inode))
		err = is_inside(fs, m->ndir->ino, m->inode->ino);
	if (!err && m->flags & LFS_RENAME_EXCHANGE && m->victim && looks_like_dir(m->victim))
		err = is_inside(fs, m->dir->ino, m->victim->ino);
	return err;
}

static int rename_try(struct lfs *fs, struct move *m, uint32_t *gone)
{
	struct lfs_locks locks = { .n = 0 };
	int err = lfs_peek(fs, m->dir, m->name, m->len, &m->inode);

	if (err)
		return err;
	err = lfs_peek(fs, m->ndir, m->nname, m->nlen, &m->victim);
	if (err == -ENOENT && !m->victim) {
		pthread_rwlock_rdlock(&m->ndir->lock);
		err = lfs_dir_check(m->ndir, true);
		pthread_rwlock_unlock(&m->ndir->lock);
	}
	if (!err)
		err = check_circle(fs, m);
	if (!err) {
		lfs_locks_add(&locks, m->dir);
		lfs_locks_add(&locks, m->ndir);
		lfs_locks_add(&locks, m->inode);
		lfs_locks_add(&locks, m->victim);
		lfs_locks_take(&locks);
		if (lfs_still(fs, m->dir, m->name, m->len, m->inode) &&
		    lfs_still(fs, m->ndir, m->nname, m->nlen, m->victim))
			err = rename_locked(fs, m);
		else
			err = -EAGAIN;
		if (!err && m->victim && !m->victim->nlink)
			*gone = m->victim->ino;
		lfs_locks_give(&locks);
	}
	lfs_iput(fs, m->victim);
	lfs_iput(fs, m->inode);
	m->victim = m->inode = NULL;
	return err;
}

int lfs_rename(struct lfs *fs, lfs_ino_t dir, const char *name, lfs_ino_t new_dir,
	       const char *new_name, uint32_t flags)
{
	struct move m = { .name = name, .nname = new_name, .flags = flags };
	bool across = dir != new_dir;
	uint32_t gone = 0;
	int err = lfs_name_check(name, &m.len);

	if (!err)
		err = lfs_name_check(new_name, &m.nlen);
	if (!err && (flags & ~(LFS_RENAME_NOREPLACE | LFS_RENAME_EXCHANGE) ||
		     flags == (LFS_RENAME_NOREPLACE | LFS_RENAME_EXCHANGE)))
		err = -EINVAL;
	if (!err)
		err = lfs_op_begin(fs, 8);
	if (err)
		return err;
	if (across)
		pthread_mutex_lock(&fs->rename_lock);
	err = lfs_iget(fs, dir, &m.dir);
	if (!err)
		err = lfs_iget(fs, new_dir, &m.ndir);
	for (int i = 0; !err && i < 1000; i++) {
		err = rename_try(fs, &m, &gone);
		if (err != -EAGAIN)
			break;
		err = i < 999 ? 0 : -EUCLEAN;
	}
	lfs_iput(fs, m.ndir);
	lfs_iput(fs, m.dir);
	if (across)
		pthread_mutex_unlock(&fs->rename_lock);
	lfs_op_end(fs);
	if (gone && !lfs_ref_count(fs, gone))
		lfs_orphan_reap(fs, gone);
	return lfs_errno(err);
}
