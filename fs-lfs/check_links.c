/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inodes against their names: link counts, the list of inodes without names, and what has lost its names.
 */
#include "checker.h"

#include <stdio.h>
#include <sys/stat.h>

#define LOST_AND_FOUND "lost+found"

static bool is_listed(struct lfs_checker *ck, uint32_t ino)
{
	return roaring_bitmap_contains(ck->fs->orphans, ino);
}

static void list_orphan(struct lfs_checker *ck, uint32_t ino, bool add)
{
	struct lfs *fs = ck->fs;

	pthread_mutex_lock(&fs->ino_lock);
	if (add)
		roaring_bitmap_add(fs->orphans, ino);
	else
		roaring_bitmap_remove(fs->orphans, ino);
	fs->orphans_dirty = true;
	pthread_mutex_unlock(&fs->ino_lock);
}

static void set_links(struct lfs_checker *ck, struct lfs_inode *inode, uint64_t expected)
{
	if (inode->nlink == expected ||
	    !lfs_found(ck, !ck->blind || expected > inode->nlink,
		       "inode %u: link count: expected %llu, found %u", inode->ino,
		       (unsigned long long)expected, inode->nlink))
		return;
	inode->nlink = (uint32_t)expected;
	lfs_inode_dirty(inode);
}

/* An inode that nobody names: removed while it was open, or lost. */
static void check_nameless(struct lfs_checker *ck, struct lfs_inode *inode)
{
	bool listed = is_listed(ck, inode->ino);

	if (listed && !inode->nlink)
		return;
	if (!inode->nlink) {
		if (lfs_found(ck, !ck->blind,
			      "inode %u: without a name and a link, and not in the list of such",
			      inode->ino))
			list_orphan(ck, inode->ino, true);
		return;
	}
	if (!lfs_found(ck, !ck->blind, "inode %u: has no name (link count %u)", inode->ino,
		       inode->nlink))
		return;
	if (listed)
		list_orphan(ck, inode->ino, false);
	roaring_bitmap_add(ck->lost, inode->ino);
}

static void check_named(struct lfs_checker *ck, struct lfs_inode *inode, uint64_t names)
{
	uint64_t links = names;

	if (S_ISDIR(inode->mode))
		links = 2 + lfs_tally_get(&ck->subdirs, inode->ino);
	if (is_listed(ck, inode->ino) &&
	    lfs_found(ck, true, "inode %u: has %llu names, and is in the list of those without",
		      inode->ino, (unsigned long long)names))
		list_orphan(ck, inode->ino, false);
	set_links(ck, inode, links);
}

static int check_inode(struct lfs_checker *ck, uint32_t ino)
{
	uint64_t names = lfs_tally_get(&ck->names, ino);
	struct lfs_inode *inode;
	int err = lfs_iget(ck->fs, ino, &inode);

	if (err) /* told before; or it was in the list, and freed when the log was opened */
		return lfs_is_damage(err) ? 0 : err;
	if (ino == LFS_ROOT_INO) {
		if (inode->parent != ino &&
		    lfs_found(ck, true, "the root directory says that its parent is %u",
			      inode->parent)) {
			inode->parent = ino;
			lfs_inode_dirty(inode);
		}
		names = 1;
	}
	if (names)
		check_named(ck, inode, names);
	else
		check_nameless(ck, inode);
	lfs_iput(ck->fs, inode);
	lfs_check_breathe(ck);
	return 0;
}

/* ---- lost+found --------------------------------------------------------------------------------------- */

static int lost_and_found(struct lfs_checker *ck, struct lfs_inode **dir)
{
	static const struct lfs_cred root = { 0 };
	struct lfs_attr attr;
	int err = lfs_lookup(ck->fs, LFS_ROOT_INO, LOST_AND_FOUND, &attr);

	if (err == -ENOENT)
		err = lfs_mkdir(ck->fs, LFS_ROOT_INO, LOST_AND_FOUND, 0700, &root, &attr);
	if (err)
		return err;
	lfs_forget(ck->fs, attr.ino, 1);
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	return lfs_iget(ck->fs, attr.ino, dir);
}

static int free_name(struct lfs_checker *ck, struct lfs_inode *dir, uint32_t ino, char *name,
		     size_t room)
{
	uint32_t there;
	int err = 0;

	for (uint32_t i = 0; !err && i < 1000; i++) {
		int n = i ? snprintf(name, room, "#%u.%u", ino, i) :
			    snprintf(name, room, "#%u", ino);

		err = lfs_dir_find(ck->fs, dir, name, (uint32_t)n, &there, NULL, NULL);
	}
	return err == -ENOENT ? 0 : err ? err : -EEXIST;
}

/* A name, and with it the right link count: a directory's own stays, its parent's grows. */
static int give_name(struct lfs_checker *ck, struct lfs_inode *dir, uint32_t ino)
{
	struct lfs_inode *inode;
	char name[32];
	int err = lfs_iget(ck->fs, ino, &inode);

	if (err)
		return err;
	err = free_name(ck, dir, ino, name, sizeof(name));
	if (!err)
		err = lfs_dir_add(ck->fs, dir, name, (uint32_t)strlen(name), ino,
				  lfs_type_of(inode->mode));
	if (!err && S_ISDIR(inode->mode)) {
		inode->parent = dir->ino;
		inode->nlink = 2 + (uint32_t)lfs_tally_get(&ck->subdirs, ino);
		dir->nlink++;
	} else if (!err) {
		inode->nlink = 1;
	}
	lfs_inode_dirty(inode);
	lfs_inode_dirty(dir);
	lfs_iput(ck->fs, inode);
	return err;
}

static int give_names(struct lfs_checker *ck)
{
	roaring_uint32_iterator_t it;
	struct lfs_inode *dir;
	int err = lfs_check_writable(ck);

	if (!err)
		err = lost_and_found(ck, &dir);
	if (err)
		return lfs_unfixed(ck, err, "the directory %s", LOST_AND_FOUND);
	for (roaring_init_iterator(ck->lost, &it); it.has_value && !err;
	     roaring_advance_uint32_iterator(&it))
		if (it.current_value != dir->ino)
			err = lfs_unfixed(ck, give_name(ck, dir, it.current_value), "inode %u",
					  it.current_value);
	lfs_iput(ck->fs, dir);
	return err;
}

/* ---- All of them -------------------------------------------------------------------------------------- */

/* Numbers in the list that no inode has. */
static void check_list(struct lfs_checker *ck)
{
	roaring_bitmap_t *none = roaring_bitmap_andnot(ck->fs->orphans, ck->inodes);
	roaring_uint32_iterator_t it;

	if (!none)
		return;
	for (roaring_init_iterator(none, &it); it.has_value; roaring_advance_uint32_iterator(&it))
		if (lfs_found(ck, !ck->blind,
			      "inode %u: in the list of those without names, and not there",
			      it.current_value))
			list_orphan(ck, it.current_value, false);
	roaring_bitmap_free(none);
}

/** lfs_check_links() - After the entries are counted. */
int lfs_check_links(struct lfs_checker *ck)
{
	uint64_t done = 0, total = roaring_bitmap_get_cardinality(ck->inodes);
	roaring_uint32_iterator_t it;
	int err = 0;

	check_list(ck);
	roaring_bitmap_remove_range(ck->lost, 0,
				    UINT64_C(1) << 32); /* the same are found again, by name */
	for (roaring_init_iterator(ck->inodes, &it); it.has_value && !err;
	     roaring_advance_uint32_iterator(&it)) {
		lfs_check_progress(ck, "links", done++, total);
		if (it.current_value != LFS_ORPHANS_INO)
			err = check_inode(ck, it.current_value);
	}
	if (!err && !roaring_bitmap_is_empty(ck->lost))
		err = give_names(ck);
	return err;
}
