/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names: what adds, removes and moves them. Each change is an lfs_apply_...() that recovery uses too, and a
 * call around it that takes locks, looks whether it may be done, and logs it as one record.
 */
#include "internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CREATE_BLOCKS 8u /* metadata that one change may make dirty: kept free */

uint8_t lfs_type_of(uint32_t mode)
{
	return (uint8_t)((mode & S_IFMT) >> 12);
}

int lfs_name_check(const char *name, uint32_t *len)
{
	size_t n = strlen(name);

	if (!n || memchr(name, '/', n) || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	*len = (uint32_t)n;
	return n > LFS_NAME_MAX ? -ENAMETOOLONG : 0;
}

/* ---- Locks of several inodes (L3): in order of number ----------------------------------------------------- */

void lfs_locks_add(struct lfs_locks *l, struct lfs_inode *inode)
{
	uint32_t i = l->n;

	if (!inode)
		return;
	for (uint32_t j = 0; j < l->n; j++)
		if (l->inode[j] == inode)
			return;
	for (; i && l->inode[i - 1]->ino > inode->ino; i--)
		l->inode[i] = l->inode[i - 1];
	l->inode[i] = inode;
	l->n++;
}

void lfs_locks_take(struct lfs_locks *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		pthread_rwlock_wrlock(&l->inode[i]->lock);
}

void lfs_locks_give(struct lfs_locks *l)
{
	while (l->n)
		pthread_rwlock_unlock(&l->inode[--l->n]->lock);
}

/* A directory that still has a name. Context: its lock. */
int lfs_dir_check(const struct lfs_inode *dir, bool change)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!dir->nlink || dir->freed)
		return -ENOENT;
	return change && dir->fsflags & LFS_FL_IMMUTABLE ? -EPERM : 0;
}

/* ---- Lookup ------------------------------------------------------------------------------------------------------ */

static int attr_get(struct lfs *fs, uint64_t ino, struct lfs_attr *attr)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return err;
	pthread_rwlock_rdlock(&inode->lock);
	lfs_attr_of(inode, attr);
	pthread_rwlock_unlock(&inode->lock);
	lfs_iput(fs, inode);
	return 0;
}

/* The name's inode number; with a reference, taken while the name cannot go. */
static int lookup_ref(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t *ino)
{
	uint32_t len = (uint32_t)strlen(name);
	int err;

	pthread_rwlock_rdlock(&dir->lock);
	err = lfs_dir_check(dir, false);
	if (err == -ENOENT && !strcmp(name, "."))
		err = 0;
	if (!err && !strcmp(name, "."))
		*ino = dir->ino;
	else if (!err && !strcmp(name, ".."))
		*ino = dir->parent;
	else if (!err)
		err = lfs_name_check(name, &len);
	if (!err && strcmp(name, ".") && strcmp(name, ".."))
		err = lfs_dir_find(fs, dir, name, len, ino, NULL, NULL);
	if (!err)
		err = lfs_ref_add(fs, *ino, 1);
	pthread_rwlock_unlock(&dir->lock);
	return err;
}

int lfs_lookup(struct lfs *fs, lfs_ino_t dir_ino, const char *name, struct lfs_attr *attr)
{
	struct lfs_inode *dir;
	uint32_t ino = 0;
	int err = lfs_iget(fs, dir_ino, &dir);

	if (err)
		return lfs_errno(err);
	err = lookup_ref(fs, dir, name, &ino);
	lfs_iput(fs, dir);
	if (!err) {
		err = attr_get(fs, ino, attr);
		if (err) {
			if (err == -ESTALE) /* a name without an inode */
				err = -EUCLEAN;
			lfs_log(fs, LFS_LOG_ERROR,
				"inode %u, which directory %llu names \"%s\": %s", ino,
				(unsigned long long)dir_ino, name,
				err == -EUCLEAN ? "is not there" : "cannot be read");
			lfs_ref_drop(fs, ino, 1);
		}
	}
	return lfs_errno(err);
}

int lfs_ref(struct lfs *fs, lfs_ino_t ino, uint32_t generation, struct lfs_attr *attr)
{
	struct lfs_inode *inode;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&inode->lock);
	if (inode->freed || ino == LFS_ORPHANS_INO ||
	    (generation && generation != inode->generation) ||
	    (!inode->nlink && !lfs_ref_count(fs, inode->ino)))
		err = -ESTALE;
	else
		err = lfs_ref_add(fs, inode->ino, 1);
	if (!err && attr)
		lfs_attr_of(inode, attr);
	pthread_rwlock_unlock(&inode->lock);
	lfs_iput(fs, inode);
	return err;
}

int lfs_open(struct lfs *fs, lfs_ino_t ino)
{
	return lfs_ref(fs, ino, 0, NULL);
}

static bool is_orphan(struct lfs *fs, uint32_t ino)
{
	bool is;

	pthread_mutex_lock(&fs->ino_lock);
	is = roaring_bitmap_contains(fs->orphans, ino);
	pthread_mutex_unlock(&fs->ino_lock);
	return is;
}

void lfs_forget(struct lfs *fs, lfs_ino_t ino, uint64_t n)
{
	if (!ino || ino > UINT32_MAX || lfs_ref_drop(fs, (uint32_t)ino, n))
		return;
	if (is_orphan(fs, (uint32_t)ino) && !lfs_writable(fs))
		lfs_orphan_reap(fs, (uint32_t)ino);
}

void lfs_release(struct lfs *fs, lfs_ino_t ino)
{
	lfs_forget(fs, ino, 1);
}

int lfs_parent(struct lfs *fs, lfs_ino_t ino, lfs_ino_t *parent)
{
	struct lfs_inode *dir;
	int err = lfs_iget(fs, ino, &dir);

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&dir->lock);
	if (S_ISDIR(dir->mode))
		*parent = dir->parent;
	else
		err = -ENOTDIR;
	lfs_file_put(fs, dir);
	return err;
}

/* ---- Create -------------------------------------------------------------------------------------------------------- */

static void orphan_add(struct lfs *fs, uint32_t ino)
{
	pthread_mutex_lock(&fs->ino_lock);
	roaring_bitmap_add(fs->orphans, ino);
	fs->orphans_dirty = true;
	pthread_mutex_unlock(&fs->ino_lock);
}

static void orphan_remove(struct lfs *fs, uint32_t ino)
{
	pthread_mutex_lock(&fs->ino_lock);
	roaring_bitmap_remove(fs->orphans, ino);
	fs->orphans_dirty = true;
	pthread_mutex_unlock(&fs->ino_lock);
}

void lfs_dir_touch(struct lfs_inode *dir, struct lfs_time now)
{
	dir->mtime = dir->ctime = now;
	dir->dirty = true;
}

static void note_number(struct lfs *fs, uint32_t ino, uint32_t generation)
{
	pthread_mutex_lock(&fs->ino_lock);
	if (ino >= fs->next_ino)
		fs->next_ino = (uint64_t)ino + 1;
	if (generation >= fs->next_generation)
		fs->next_generation = (uint64_t)generation + 1;
	roaring_bitmap_remove(fs->free_inos, ino);
	fs->inodes++;
	pthread_mutex_unlock(&fs->ino_lock);
}

static int symlink_fill(struct lfs *fs, struct lfs_inode *inode, const char *target, uint32_t len)
{
	struct lindex_run run = { .step = 1 };
	struct lfs_map_id id = { inode->ino, LFS_WHICH_BLOCKS };
	uint8_t block[LFS_BLOCK] = { 0 };
	uint64_t got;
	int err;

	inode->size = len;
	if (len <= LFS_INODE_INLINE) {
		inode->flags |= LFS_DI_INLINE;
		inode->inline_bytes = len;
		memcpy(inode->inl, target, len);
		return 0;
	}
	if (len > LFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	memcpy(block, target, len);
	err = lfs_log_place(fs, LFS_HEAD_META, lfs_owner(LFS_KIND_DATA, id), 0, 1, block,
			    &run.value, &got);
	return err ? err : lfs_map_swap(fs, inode, &run);
}

/**
 * lfs_apply_create() - A new inode, and its name in @dir (NULL: none, it is an orphan; not the root).
 * @out: Pinned, its lock held exclusively.
 */
int lfs_apply_create(struct lfs *fs, struct lfs_inode *dir, uint32_t ino,
		     const struct lfs_record_disk *rec, const char *name, uint32_t name_len,
		     const char *target, uint32_t target_len, struct lfs_time now,
		     struct lfs_inode **out)
{
	uint64_t owner = lfs_from64(rec->y);
	uint32_t mode = lfs_from32(rec->m);
	struct lfs_inode *inode;
	int err = lfs_inew(fs, ino, &inode);

	if (err)
		return err;
	inode->mode = mode;
	inode->uid = (uint32_t)owner;
	inode->gid = (uint32_t)(owner >> 32);
	inode->rdev = (uint32_t)lfs_from64(rec->x);
	inode->generation = (uint32_t)lfs_from64(rec->z);
	inode->atime = inode->mtime = inode->ctime = inode->btime = now;
	inode->nlink = S_ISDIR(mode) ? 2 : 1;
	if (S_ISLNK(mode))
		err = symlink_fill(fs, inode, target, target_len);
	if (!err && dir)
		err = lfs_dir_add(fs, dir, name, name_len, ino, lfs_type_of(mode));
	if (err) {
		inode->mode = 0;
		inode->dirty = false;
		inode->freed = true;
		lfs_file_put(fs, inode);
		return err;
	}
	note_number(fs, ino, inode->generation);
	if (dir) {
		lfs_dir_touch(dir, now);
		dir->nlink += S_ISDIR(mode);
		if (S_ISDIR(mode))
			inode->parent = dir->ino;
	} else if (ino != LFS_ROOT_INO && ino != LFS_ORPHANS_INO) {
		inode->nlink = 0;
		orphan_add(fs, ino);
	}
	*out = inode;
	return 0;
}

struct newborn { /* what lfs_mknod() and its like ask for */
	const char *name, *target;
	uint32_t name_len, mode, rdev;
	const struct lfs_cred *cred;
};

static int emit_xattr(struct lfs *fs, struct lfs_inode *inode, const char *name, const void *value,
		      uint32_t len, struct lfs_time now)
{
	struct lfs_record_disk rec = { .type = LFS_REC_XATTR };
	int err = lfs_xattr_apply(fs, inode, name, (uint32_t)strlen(name), value, len, false, 0,
				  now);

	return err ? err : lfs_emit(fs, inode, &rec, now, name, (uint32_t)strlen(name), value, len);
}

/* Under the directory's lock (NULL: none for a file without a name). */
static int create_locked(struct lfs *fs, struct lfs_inode *parent, struct lfs_inode *dir,
			 const struct newborn *born, struct lfs_attr *attr)
{
	struct lfs_record_disk rec = { .type = LFS_REC_CREATE };
	uint32_t mode = born->mode, gid = born->cred->gid, ino, generation, access_len = 0,
		 deflt_len = 0;
	uint8_t access[LFS_ACL_MAX];
	struct lfs_time now = lfs_now(fs);
	const void *deflt = NULL;
	struct lfs_inode *inode;
	int err;

	if (parent->mode & S_ISGID) {
		gid = parent->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	if (S_ISLNK(mode)) {
		mode |= 0777;
		err = 0;
	} else {
		err = lfs_acl_inherit(fs, parent, &mode, born->cred->umask, access, &access_len,
				      &deflt, &deflt_len);
	}
	if (!err)
		err = lfs_ino_alloc(fs, &ino, &generation);
	if (err)
		return err;
	rec.ino = lfs_to32(ino);
	rec.ino2 = lfs_to32(dir ? dir->ino : 0);
	rec.x = lfs_to64(born->rdev);
	rec.y = lfs_to64((uint64_t)gid << 32 | born->cred->uid);
	rec.z = lfs_to64(generation);
	rec.m = lfs_to32(mode);
	err = lfs_apply_create(fs, dir, ino, &rec, born->name, born->name_len, born->target,
			       born->target ? (uint32_t)strlen(born->target) : 0, now, &inode);
	if (err)
		return err;
	err = lfs_emit(fs, inode, &rec, now, born->name, born->name_len, born->target,
		       born->target ? (uint32_t)strlen(born->target) : 0);
	if (!err && access_len)
		err = emit_xattr(fs, inode, "system.posix_acl_access", access, access_len, now);
	if (!err && deflt_len && S_ISDIR(mode))
		err = emit_xattr(fs, inode, "system.posix_acl_default", deflt, deflt_len, now);
	if (!err)
		err = lfs_ref_add(fs, ino, 1);
	if (!err)
		lfs_attr_of(inode, attr);
	lfs_file_put(fs, inode);
	return err;
}

static int create(struct lfs *fs, lfs_ino_t dir_ino, struct newborn *born, struct lfs_attr *attr)
{
	struct lfs_inode *dir;
	uint32_t ino;
	int err = born->name ? lfs_name_check(born->name, &born->name_len) : 0;

	if (!err)
		err = lfs_op_begin(fs, CREATE_BLOCKS);
	if (err)
		return err;
	err = lfs_space_take(fs, CREATE_BLOCKS);
	if (err) {
		lfs_op_end(fs);
		return err;
	}
	err = lfs_iget(fs, dir_ino, &dir);
	if (!err) {
		pthread_rwlock_wrlock(&dir->lock);
		err = lfs_dir_check(dir, true);
		if (!err && born->name)
			err = lfs_dir_find(fs, dir, born->name, born->name_len, &ino, NULL, NULL);
		else if (!err)
			err = -ENOENT;
		if (!err)
			err = -EEXIST;
		else if (err == -ENOENT && !lfs_dir_check(dir, true))
			err = S_ISDIR(born->mode) && dir->nlink >= LFS_LINK_MAX ?
				      -EMLINK :
				      create_locked(fs, dir, born->name ? dir : NULL, born, attr);
		lfs_file_put(fs, dir);
	}
	lfs_space_give(fs, CREATE_BLOCKS);
	lfs_op_end(fs);
	return lfs_errno(err);
}

int lfs_mknod(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode, uint32_t rdev,
	      const struct lfs_cred *cred, struct lfs_attr *attr)
{
	struct newborn born = { .name = name, .rdev = rdev, .cred = cred };

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) &&
	    !S_ISBLK(mode))
		return -EINVAL;
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		born.rdev = 0;
	born.mode = mode & (S_IFMT | 07777);
	return create(fs, dir, &born, attr);
}

int lfs_create(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode,
	       const struct lfs_cred *cred, struct lfs_attr *attr)
{
	return lfs_mknod(fs, dir, name, S_IFREG | (mode & 07777), 0, cred, attr);
}

int lfs_mkdir(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode,
	      const struct lfs_cred *cred, struct lfs_attr *attr)
{
	struct newborn born = { .name = name, .mode = S_IFDIR | (mode & 07777), .cred = cred };

	return create(fs, dir, &born, attr);
}

int lfs_symlink(struct lfs *fs, lfs_ino_t dir, const char *name, const char *target,
		const struct lfs_cred *cred, struct lfs_attr *attr)
{
	struct newborn born = { .name = name, .target = target, .mode = S_IFLNK, .cred = cred };

	if (!*target)
		return -ENOENT;
	if (strlen(target) > LFS_SYMLINK_MAX)
		return -ENAMETOOLONG;
	return create(fs, dir, &born, attr);
}

int lfs_tmpfile(struct lfs *fs, lfs_ino_t dir, uint32_t mode, const struct lfs_cred *cred,
		struct lfs_attr *attr)
{
	struct newborn born = { .mode = S_IFREG | (mode & 07777), .cred = cred };

	return create(fs, dir, &born, attr);
}

int lfs_readlink(struct lfs *fs, lfs_ino_t ino, char *target)
{
	uint8_t block[LFS_BLOCK] __attribute__((aligned(64)));
	struct lfs_inode *inode;
	uint32_t len = 0;
	int err = lfs_iget(fs, ino, &inode);

	if (err)
		return lfs_errno(err);
	pthread_rwlock_rdlock(&inode->lock);
	if (!S_ISLNK(inode->mode))
		err = -EINVAL;
	else if (inode->size > LFS_SYMLINK_MAX)
		err = -EUCLEAN;
	if (!err)
		err = lfs_file_read_block(fs, inode, 0, block);
	if (!err) {
		len = (uint32_t)inode->size;
		memcpy(target, block, len);
		target[len] = 0;
	}
	lfs_file_put(fs, inode);
	return err ? lfs_errno(err) : (int)len;
}

/* ---- Link ------------------------------------------------------------------------------------------------------------ */

int lfs_apply_link(struct lfs *fs, struct lfs_inode *inode, struct lfs_inode *dir, const char *name,
		   uint32_t len, struct lfs_time now)
{
	int err = lfs_dir_add(fs, dir, name, len, inode->ino, lfs_type_of(inode->mode));

	if (err)
		return err;
	if (LFS_PLANTED(NLINK_AFTER_CRASH) && fs->replaying && inode->nlink)
		inode->nlink--;
	if (!inode->nlink++)
		orphan_remove(fs, inode->ino);
	inode->ctime = now;
	inode->dirty = true;
	lfs_dir_touch(dir, now);
	return 0;
}

static int link_locked(struct lfs *fs, struct lfs_inode *inode, struct lfs_inode *dir,
		       const char *name, uint32_t len)
{
	struct lfs_record_disk rec = { .type = LFS_REC_LINK };
	struct lfs_time now = lfs_now(fs);
	uint32_t ino;
	int err = lfs_dir_check(dir, true);

	if (!err && (S_ISDIR(inode->mode) || inode->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND)))
		err = -EPERM;
	if (!err && inode->freed)
		err = -ESTALE;
	if (!err && inode->nlink >= LFS_LINK_MAX)
		err = -EMLINK;
	if (err)
		return err;
	err = lfs_dir_find(fs, dir, name, len, &ino, NULL, NULL);
	if (err != -ENOENT)
		return err ? err : -EEXIST;
	err = lfs_apply_link(fs, inode, dir, name, len, now);
	if (err)
		return err;
	rec.ino = lfs_to32(inode->ino);
	rec.ino2 = lfs_to32(dir->ino);
	return lfs_emit(fs, inode, &rec, now, name, len, NULL, 0);
}

int lfs_link(struct lfs *fs, lfs_ino_t ino, lfs_ino_t dir_ino, const char *name,
	     struct lfs_attr *attr)
{
	struct lfs_inode *dir = NULL, *inode = NULL;
	struct lfs_locks locks = { .n = 0 };
	uint32_t len;
	int err = lfs_name_check(name, &len);

	if (!err)
		err = lfs_op_begin(fs, CREATE_BLOCKS);
	if (err)
		return err;
	err = lfs_space_take(fs, CREATE_BLOCKS);
	if (err) {
		lfs_op_end(fs);
		return err;
	}
	err = lfs_iget(fs, dir_ino, &dir);
	if (!err)
		err = lfs_iget(fs, ino, &inode);
	if (!err) {
		lfs_locks_add(&locks, dir);
		lfs_locks_add(&locks, inode);
		lfs_locks_take(&locks);
		err = link_locked(fs, inode, dir, name, len);
		if (!err)
			err = lfs_ref_add(fs, inode->ino, 1);
		if (!err)
			lfs_attr_of(inode, attr);
		lfs_locks_give(&locks);
	}
	lfs_iput(fs, inode);
	lfs_iput(fs, dir);
	lfs_space_give(fs, CREATE_BLOCKS);
	lfs_op_end(fs);
	return lfs_errno(err);
}

/* ---- Unlink -------------------------------------------------------------------------------------------------------------- */

/* The inode has lost a name. */
void lfs_unname(struct lfs *fs, struct lfs_inode *dir, struct lfs_inode *inode, struct lfs_time now)
{
	if (S_ISDIR(inode->mode)) {
		inode->nlink = 0;
		dir->nlink--;
	} else {
		inode->nlink--;
	}
	inode->ctime = now;
	inode->dirty = true;
	if (!inode->nlink)
		orphan_add(fs, inode->ino);
}

int lfs_apply_unlink(struct lfs *fs, struct lfs_inode *dir, struct lfs_inode *inode,
		     const char *name, uint32_t len, struct lfs_time now)
{
	int err = lfs_dir_del(fs, dir, name, len);

	if (err)
		return err;
	lfs_unname(fs, dir, inode, now);
	lfs_dir_touch(dir, now);
	return 0;
}

static int unlink_locked(struct lfs *fs, struct lfs_inode *dir, struct lfs_inode *inode,
			 const char *name, uint32_t len, bool is_rmdir)
{
	struct lfs_record_disk rec = { .type = LFS_REC_UNLINK };
	struct lfs_time now = lfs_now(fs);
	int err = 0;

	if (is_rmdir != S_ISDIR(inode->mode))
		return is_rmdir ? -ENOTDIR : -EISDIR;
	if (is_rmdir && inode->entries)
		return -ENOTEMPTY;
	if (inode->fsflags & (LFS_FL_IMMUTABLE | LFS_FL_APPEND))
		return -EPERM;
	err = lfs_apply_unlink(fs, dir, inode, name, len, now);
	if (err)
		return err;
	rec.ino = lfs_to32(dir->ino);
	return lfs_emit(fs, dir, &rec, now, name, len, NULL, 0);
}

/* The inode that @name is now: not locked yet, so it may be another when it is. */
int lfs_peek(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
	     struct lfs_inode **inode)
{
	uint32_t ino;
	int err;

	*inode = NULL;
	pthread_rwlock_rdlock(&dir->lock);
	err = lfs_dir_check(dir, true);
	if (!err)
		err = lfs_dir_find(fs, dir, name, len, &ino, NULL, NULL);
	pthread_rwlock_unlock(&dir->lock);
	if (!err)
		err = lfs_iget(fs, ino, inode);
	return err == -ESTALE ? -EAGAIN : err;
}

/* Context: locks. Is it still? */
bool lfs_still(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
	       const struct lfs_inode *inode)
{
	uint32_t ino;
	int err = lfs_dir_check(dir, true);

	if (!err)
		err = lfs_dir_find(fs, dir, name, len, &ino, NULL, NULL);
	return inode ? !err && ino == inode->ino : err == -ENOENT;
}

static int unlink_try(struct lfs *fs, struct lfs_inode *dir, const char *name, uint32_t len,
		      bool is_rmdir, uint32_t *gone)
{
	struct lfs_locks locks = { .n = 0 };
	struct lfs_inode *inode;
	int err = lfs_peek(fs, dir, name, len, &inode);

	if (err)
		return err;
	lfs_locks_add(&locks, dir);
	lfs_locks_add(&locks, inode);
	lfs_locks_take(&locks);
	if (lfs_still(fs, dir, name, len, inode))
		err = unlink_locked(fs, dir, inode, name, len, is_rmdir);
	else
		err = -EAGAIN;
	if (!err && !inode->nlink)
		*gone = inode->ino;
	lfs_locks_give(&locks);
	lfs_iput(fs, inode);
	return err;
}

static int unlink_any(struct lfs *fs, lfs_ino_t dir_ino, const char *name, bool is_rmdir)
{
	struct lfs_inode *dir;
	uint32_t len, gone = 0;
	int err = lfs_name_check(name, &len);

	if (!err)
		err = lfs_op_begin(fs, 0);
	if (err)
		return err;
	err = lfs_iget(fs, dir_ino, &dir);
	if (!err) {
		for (int i = 0; i < 1000; i++) {
			err = unlink_try(fs, dir, name, len, is_rmdir, &gone);
			if (err != -EAGAIN)
				break;
		}
		lfs_iput(fs, dir);
	}
	lfs_op_end(fs);
	if (gone && !lfs_ref_count(fs, gone))
		lfs_orphan_reap(fs, gone);
	return lfs_errno(err == -EAGAIN ? -EUCLEAN : err);
}

int lfs_unlink(struct lfs *fs, lfs_ino_t dir, const char *name)
{
	return unlink_any(fs, dir, name, false);
}

int lfs_rmdir(struct lfs *fs, lfs_ino_t dir, const char *name)
{
	return unlink_any(fs, dir, name, true);
}

/* ---- The end of an inode ---------------------------------------------------------------------------------------------------- */

#define REAP_RUNS 2048u /* a huge file goes in pieces, so that checkpoints may come between */

static int reap_piece(struct lfs *fs, struct lfs_inode *inode, bool *done)
{
	struct lindex_run run;
	uint64_t at = 0, last = UINT64_MAX;
	int err = 0;

	for (uint32_t n = 0; n < REAP_RUNS && !err; n++) {
		err = lfs_map_next(fs, inode, at, &run);
		if (err || run.last == UINT64_MAX)
			break;
		last = run.last;
		at = run.last + 1;
	}
	if (err && err != -ENOENT)
		return err;
	*done = err == -ENOENT;
	return lfs_map_clear(fs, inode, 0, *done ? UINT64_MAX : last);
}

static int reap_locked(struct lfs *fs, struct lfs_inode *inode, bool *done)
{
	int err = reap_piece(fs, inode, done);

	if (err || !*done)
		return err;
	if (S_ISDIR(inode->mode)) {
		for (uint32_t i = 0; i < inode->dir_blocks; i++)
			lfs_cache_drop(&fs->cache, LFS_CACHE_FILE(inode->ino), i);
		if (inode->flags & LFS_DI_NAMES) {
			struct lfs_map_id id = { inode->ino, LFS_WHICH_NAMES };
			struct lfs_pindex *names = inode->dir ? inode->dir->names : NULL;

			if (!names)
				err = lfs_pindex_open(fs, id, inode->names_root, &names);
			if (inode->dir)
				inode->dir->names = NULL;
			if (!err)
				lfs_pindex_destroy(names);
		}
	}
	return lfs_inode_free(fs, inode);
}

/** lfs_reap_whole() - All of it at once: recovery. */
int lfs_reap_whole(struct lfs *fs, struct lfs_inode *inode)
{
	bool done = false;
	int err = 0;

	while (!err && !done)
		err = reap_locked(fs, inode, &done);
	return err;
}

/** lfs_orphan_reap() - Free an inode that has neither names nor references. Context: no locks. */
int lfs_orphan_reap(struct lfs *fs, uint32_t ino)
{
	struct lfs_record_disk rec = { .type = LFS_REC_FREE };
	bool done = false, logged = false;
	int err = 0;

	while (!err && !done) {
		struct lfs_inode *inode;

		err = lfs_op_begin(fs, 0);
		if (err)
			break;
		err = lfs_iget(fs, ino, &inode);
		if (!err) {
			pthread_rwlock_wrlock(&inode->lock);
			if (inode->freed || inode->nlink || lfs_ref_count(fs, ino))
				done = true;
			if (!done && !logged) {
				rec.ino = lfs_to32(ino);
				err = lfs_emit(fs, inode, &rec, lfs_now(fs), NULL, 0, NULL, 0);
				logged = true;
			}
			if (!done && !err)
				err = reap_locked(fs, inode, &done);
			lfs_file_put(fs, inode);
		}
		lfs_op_end(fs);
	}
	return err;
}
