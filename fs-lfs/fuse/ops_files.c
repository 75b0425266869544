/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Requests about what is in a file.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	struct lfs_attr empty = { .size = 0 };
	uint32_t set = LFS_SET_SIZE | LFS_SET_MTIME_NOW |
		       (wire_wants_kill_priv() ? LFS_SET_KILL_PRIV : 0);
	int r = fi->flags & O_TRUNC ? lfs_setattr(server->fs, ino, set, &empty, NULL) : 0;

	if (r) {
		reply_status(req, r);
		return;
	}
	open_handle(server, ino, fi);
	fuse_reply_open(req, fi);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	char *buf = wire_room();
	ssize_t n = lfs_read(server_of(req)->fs, ino, buf, size < MESSAGE_MAX ? size : MESSAGE_MAX,
			     (uint64_t)offset);

	(void)fi;
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	uint32_t flags = wire_wants_kill_priv() ? LFS_WRITE_KILL_PRIV : 0;
	ssize_t n = fi->writepage ? 0 : near_full_take(server, size);
	bool allowed = !n;

	if (allowed)
		n = lfs_write(server->fs, ino, buf, size, (uint64_t)offset, flags);
	if (fi->writepage)
		near_full_wrote(server, ino, size);
	else if (allowed)
		near_full_taken(server, size);
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	(void)fi;
	reply_status(req, lfs_fsync(server_of(req)->fs, ino, data_only));
}

/* How much of [offset, offset + len) may have no block yet. Who has blocks for as much as lies before its end has them. */
static uint64_t unallocated(const struct lfs_attr *attr, uint64_t offset, uint64_t len)
{
	uint64_t has = attr->blocks * 512, end = offset + len;

	return end <= has ? 0 : end - has < len ? end - has : len;
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
		  struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	bool frees = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE);
	struct lfs_attr attr;
	uint64_t wants = 0;
	int r = lfs_getattr(server->fs, ino, &attr);

	(void)fi;
	if (!r && !frees)
		wants = unallocated(&attr, (uint64_t)offset, (uint64_t)len);
	if (!r)
		r = near_full_take(server, wants);
	if (!r) {
		r = lfs_fallocate(server->fs, ino, (uint32_t)mode, (uint64_t)offset, (uint64_t)len);
		near_full_taken(server, wants);
	}
	reply_status(req, r);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	int64_t to;

	(void)fi;
	near_full_fetch(server, ino);
	to = lfs_lseek(server->fs, ino, (uint64_t)offset, whence);
	if (to < 0)
		reply_status(req, (int)to);
	else
		fuse_reply_lseek(req, to);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t src, off_t src_offset,
			struct fuse_file_info *src_fi, fuse_ino_t dst, off_t dst_offset,
			struct fuse_file_info *dst_fi, size_t len, int flags)
{
	/* The reply has 32 bits for the length. */
	uint64_t most = UINT32_MAX / LFS_BLOCK_BYTES * LFS_BLOCK_BYTES;
	ssize_t n;

	(void)src_fi;
	(void)dst_fi;
	(void)flags;
	n = lfs_clone_range(server_of(req)->fs, src, (uint64_t)src_offset, dst,
			    (uint64_t)dst_offset, len < most ? len : most);
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}
