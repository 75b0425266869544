/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Requests about names: looking up, making, linking, renaming, removing, listing.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Answer with a new reference to an inode; if the caller is gone, the reference is taken back. */
static void reply_entry(fuse_req_t req, int status, const struct lfs_attr *attr)
{
	struct server *server = server_of(req);
	struct fuse_entry_param entry;

	if (status) {
		reply_status(req, status);
		return;
	}
	entry_from_attr(attr, &entry);
	if (fuse_reply_entry(req, &entry) == -ENOENT)
		lfs_forget(server->fs, attr->ino, 1);
}

/*
 * With a file handle from name_to_handle_at(2) the kernel knows nothing but an inode number, and looks "." and ".." up
 * in it, whether it is a directory or not.
 */
static int lookup_by_number(struct lfs *fs, fuse_ino_t ino, bool parent, struct lfs_attr *attr)
{
	lfs_ino_t target = ino;
	int r = parent ? lfs_parent(fs, ino, &target) : 0;

	return r ? r : lfs_ref(fs, target, 0, attr);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct lfs *fs = server_of(req)->fs;
	struct lfs_attr attr;
	int r;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		r = lookup_by_number(fs, parent, name[1], &attr);
	else
		r = lfs_lookup(fs, parent, name, &attr);
	if (r == -ENOENT) /* which the kernel may remember, too */
		fuse_reply_entry(req,
				 &(struct fuse_entry_param){ .entry_timeout = TIMEOUT_SECONDS });
	else
		reply_entry(req, r, &attr);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	if (ino != FUSE_ROOT_ID)
		lfs_forget(server_of(req)->fs, ino, n);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct lfs *fs = server_of(req)->fs;

	for (size_t i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			lfs_forget(fs, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct lfs_cred cred = cred_of(req);
	struct lfs_attr attr;
	int r = lfs_mknod(server_of(req)->fs, parent, name, mode, (uint32_t)rdev, &cred, &attr);

	reply_entry(req, r, &attr);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct lfs_cred cred = cred_of(req);
	struct lfs_attr attr;
	int r = lfs_mkdir(server_of(req)->fs, parent, name, mode, &cred, &attr);

	reply_entry(req, r, &attr);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct lfs_cred cred = cred_of(req);
	struct lfs_attr attr;
	int r = lfs_symlink(server_of(req)->fs, parent, name, target, &cred, &attr);

	reply_entry(req, r, &attr);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct lfs_cred cred = cred_of(req);
	struct fuse_entry_param entry;
	struct lfs_attr attr;
	int r = lfs_create(server->fs, parent, name, mode, &cred, &attr);

	if (r) {
		reply_status(req, r);
		return;
	}
	entry_from_attr(&attr, &entry);
	open_handle(server, attr.ino, fi);
	if (fuse_reply_create(req, &entry, fi) == -ENOENT)
		lfs_forget(server->fs, attr.ino, 1);
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct lfs_attr attr;
	int r = lfs_link(server_of(req)->fs, ino, parent, name, &attr);

	reply_entry(req, r, &attr);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_status(req, lfs_unlink(server_of(req)->fs, parent, name));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_status(req, lfs_rmdir(server_of(req)->fs, parent, name));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned int flags)
{
	reply_status(req,
		     lfs_rename(server_of(req)->fs, parent, name, new_parent, new_name, flags));
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[LFS_SYMLINK_MAX + 1];
	int r = lfs_readlink(server_of(req)->fs, ino, target);

	if (r < 0)
		reply_status(req, r);
	else
		fuse_reply_readlink(req, target);
}

/* ---- Listing ----------------------------------------------------------------------------------- */

struct listing {
	fuse_req_t req;
	char *buf;
	size_t used, size;
	lfs_ino_t *given; /* references of entries in buf, to be taken back if the caller is gone */
	size_t given_count;
};

static bool is_dot(const struct lfs_dirent *e)
{
	return e->name[0] == '.' && (e->name_len == 1 || (e->name_len == 2 && e->name[1] == '.'));
}

static bool list_name(void *ctx, const struct lfs_dirent *e, const struct lfs_attr *attr)
{
	struct listing *list = ctx;
	struct stat st = { .st_ino = e->ino, .st_mode = (mode_t)e->type << 12 };
	size_t room = list->size - list->used;
	size_t used = fuse_add_direntry(list->req, list->buf + list->used, room, e->name, &st,
					(off_t)e->cookie);

	(void)attr;
	if (used > room)
		return false;
	list->used += used;
	return true;
}

static bool list_attr(void *ctx, const struct lfs_dirent *e, const struct lfs_attr *attr)
{
	struct listing *list = ctx;
	size_t room = list->size - list->used, used;
	struct fuse_entry_param entry;

	entry_from_attr(attr, &entry);
	if (is_dot(e)) /* no reference comes with these: the kernel must not take one */
		entry.ino = 0;
	used = fuse_add_direntry_plus(list->req, list->buf + list->used, room, e->name, &entry,
				      (off_t)e->cookie);
	if (used > room)
		return false;
	list->used += used;
	if (!is_dot(e))
		list->given[list->given_count++] = e->ino;
	return true;
}

/* Entries need at least this many bytes each in the reply: header of a name with attributes. */
#define PLUS_ENTRY_BYTES 152u

static void list_and_reply(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus)
{
	struct lfs *fs = server_of(req)->fs;
	size_t slots = plus ? size / PLUS_ENTRY_BYTES + 1 : 0;
	char *room = malloc(size + slots * sizeof(lfs_ino_t) + sizeof(lfs_ino_t));
	struct listing list = { .req = req, .buf = room, .size = size };
	int r = room ? 0 : -ENOMEM;

	if (room)
		list.given = (lfs_ino_t *)(room + (size + 7) / 8 * 8);
	if (!r)
		r = plus ? lfs_readdirplus(fs, ino, (uint64_t)offset, list_attr, &list) :
			   lfs_readdir(fs, ino, (uint64_t)offset, list_name, &list);
	if (r && !list.used)
		reply_status(req, r);
	else if (fuse_reply_buf(req, list.buf, list.used) == -ENOENT)
		for (size_t i = 0; i < list.given_count; i++)
			lfs_forget(fs, list.given[i], 1);
	free(room);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)fi;
	list_and_reply(req, ino, size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)fi;
	list_and_reply(req, ino, size, offset, true);
}
