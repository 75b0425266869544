/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Requests about attributes: stat, extended attributes, ioctls, and the figures that the tools ask for.
 */
#include "server.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "control.h"

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *server = server_of(req);
	bool low = near_full(server); /* only ever with -o writeback */
	struct lfs_attr attr;
	struct stat st;
	int r = lfs_getattr(server->fs, ino, &attr);

	/* The kernel asks through a handle before it takes bytes into its cache: see near_full.c. */
	if (!r && low && fi && fi->fh == HANDLE_CACHED_WRITE) {
		low = near_full_refuses(server);
		r = low ? -ENOSPC : 0;
	}
	if (r) {
		reply_status(req, r);
		return;
	}
	stat_from_attr(&attr, &st);
	fuse_reply_attr(req, &st, low ? 0 : TIMEOUT_SECONDS);
}

static struct lfs_time lfs_time_of(struct timespec t)
{
	return (struct lfs_time){ .sec = t.tv_sec, .nsec = (uint32_t)t.tv_nsec };
}

static uint32_t set_mask(int fuse_set)
{
	static const struct {
		int fuse;
		uint32_t lfs;
	} bits[] = {
		{ FUSE_SET_ATTR_MODE, LFS_SET_MODE },
		{ FUSE_SET_ATTR_UID, LFS_SET_UID },
		{ FUSE_SET_ATTR_GID, LFS_SET_GID },
		{ FUSE_SET_ATTR_SIZE, LFS_SET_SIZE },
		{ FUSE_SET_ATTR_ATIME, LFS_SET_ATIME },
		{ FUSE_SET_ATTR_MTIME, LFS_SET_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, LFS_SET_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, LFS_SET_MTIME_NOW },
		{ FUSE_SET_ATTR_CTIME, LFS_SET_CTIME },
		{ FUSE_SET_ATTR_KILL_SUID, LFS_SET_KILL_PRIV },
	};
	uint32_t mask = 0;

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++)
		if (fuse_set & bits[i].fuse)
			mask |= bits[i].lfs;
	/* With HANDLE_KILLPRIV_V2 a change of the owner always does it, asked or not. */
	if (mask & (LFS_SET_UID | LFS_SET_GID))
		mask |= LFS_SET_KILL_PRIV;
	return mask;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int set, struct fuse_file_info *fi)
{
	struct lfs_attr attr, values = {
		.mode = to->st_mode,
		.uid = to->st_uid,
		.gid = to->st_gid,
		.size = (uint64_t)to->st_size,
		.atime = lfs_time_of(to->st_atim),
		.mtime = lfs_time_of(to->st_mtim),
		.ctime = lfs_time_of(to->st_ctim),
	};
	int r = lfs_setattr(server_of(req)->fs, ino, set_mask(set), &values, &attr);
	struct stat st;

	(void)fi;
	if (r) {
		reply_status(req, r);
		return;
	}
	stat_from_attr(&attr, &st);
	fuse_reply_attr(req, &st, TIMEOUT_SECONDS);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct lfs_statfs fs;
	int r = lfs_statfs(server_of(req)->fs, &fs);
	struct statvfs st = {
		.f_bsize = LFS_BLOCK_BYTES,
		.f_frsize = LFS_BLOCK_BYTES,
		.f_blocks = fs.blocks,
		.f_bfree = fs.free,
		.f_bavail = fs.avail,
		.f_files = fs.files,
		.f_ffree = fs.files_free,
		.f_favail = fs.files_free,
		.f_namemax = LFS_NAME_MAX,
	};

	(void)ino;
	if (r)
		reply_status(req, r);
	else
		fuse_reply_statfs(req, &st);
}

/* ---- Extended attributes ----------------------------------------------------------------------- */

/* @len bytes that the caller has offered @size for; 0: it only wants to know. */
static void reply_bytes(fuse_req_t req, const char *bytes, ssize_t len, size_t size)
{
	if (len < 0)
		reply_status(req, (int)len);
	else if (!size)
		fuse_reply_xattr(req, (size_t)len);
	else if ((size_t)len > size)
		reply_status(req, -ERANGE);
	else
		fuse_reply_buf(req, bytes, (size_t)len);
}

static void reply_report(fuse_req_t req, char *report, size_t size)
{
	reply_bytes(req, report, report ? (ssize_t)strlen(report) : -ENODATA, size);
	free(report);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct server *server = server_of(req);
	char *value;

	if (!strcmp(name, CONTROL_STATS)) {
		reply_report(req, report_stats(server), size);
		return;
	}
	if (!strcmp(name, CONTROL_MAP)) {
		reply_report(req, report_map(server, ino), size);
		return;
	}
	value = malloc(size + 1);
	reply_bytes(req, value, value ? lfs_getxattr(server->fs, ino, name, value, size) : -ENOMEM,
		    size);
	free(value);
}

/* Whoever mounts an image can do anything to it. */
static bool is_owner(fuse_req_t req)
{
	uid_t uid = fuse_req_ctx(req)->uid;

	return uid == 0 || uid == geteuid();
}

static int grow(struct server *server, const char *value, size_t size)
{
	char text[32] = "", *end;
	unsigned long long bytes;
	int r;

	if (!size || size >= sizeof(text))
		return -EINVAL;
	memcpy(text, value, size);
	bytes = strtoull(text, &end, 10);
	if (*end || *text == '-')
		return -EINVAL;
	r = device_refresh(server->dev);
	r = r ? r : lfs_grow(server->fs, bytes);
	near_full_tick(server);
	return r;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	struct server *server = server_of(req);
	bool is_grow = !strcmp(name, CONTROL_GROW), is_sync = !strcmp(name, CONTROL_SYNC);
	int r;

	if ((is_grow || is_sync) && !is_owner(req))
		r = -EPERM;
	else if (is_grow)
		r = grow(server, value, size);
	else if (is_sync)
		r = lfs_checkpoint(server->fs);
	else
		r = lfs_setxattr(server->fs, ino, name, value, size, (uint32_t)flags);
	reply_status(req, r);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char *names = malloc(size + 1);

	reply_bytes(req, names,
		    names ? lfs_listxattr(server_of(req)->fs, ino, names, size) : -ENOMEM, size);
	free(names);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	reply_status(req, lfs_removexattr(server_of(req)->fs, ino, name));
}

/* ---- ioctl ------------------------------------------------------------------------------------- */

/* chattr's flags, as the two generations of ioctls call them. */
static const struct {
	uint32_t flag, xflag;
} xflags[] = { { LFS_FL_IMMUTABLE, FS_XFLAG_IMMUTABLE },
	       { LFS_FL_APPEND, FS_XFLAG_APPEND },
	       { LFS_FL_NODUMP, FS_XFLAG_NODUMP },
	       { LFS_FL_NOATIME, FS_XFLAG_NOATIME } };

static void get_flags(fuse_req_t req, fuse_ino_t ino, bool extended, size_t out_size)
{
	struct fsxattr fsx = { 0 };
	size_t size = extended ? sizeof(fsx) : sizeof(uint32_t);
	struct lfs_attr attr;
	int r = out_size < size ? -EINVAL : lfs_getattr(server_of(req)->fs, ino, &attr);

	if (r) {
		reply_status(req, r);
		return;
	}
	for (size_t i = 0; i < sizeof(xflags) / sizeof(*xflags); i++)
		if (attr.flags & xflags[i].flag)
			fsx.fsx_xflags |= xflags[i].xflag;
	fuse_reply_ioctl(req, 0, extended ? (const void *)&fsx : &attr.flags, size);
}

static void set_flags(fuse_req_t req, fuse_ino_t ino, bool extended, const void *in, size_t in_size)
{
	struct lfs_attr to = { 0 };
	struct fsxattr fsx;
	uint32_t strange;
	int r;

	if (in_size < (extended ? sizeof(fsx) : sizeof(to.flags))) {
		reply_status(req, -EINVAL);
		return;
	}
	if (extended) {
		memcpy(&fsx, in, sizeof(fsx));
		strange = fsx.fsx_xflags | fsx.fsx_extsize | fsx.fsx_projid | fsx.fsx_cowextsize;
		for (size_t i = 0; i < sizeof(xflags) / sizeof(*xflags); i++) {
			if (fsx.fsx_xflags & xflags[i].xflag)
				to.flags |= xflags[i].flag;
			strange &= ~xflags[i].xflag;
		}
	} else {
		memcpy(&to.flags, in, sizeof(to.flags));
		strange = to.flags & ~LFS_FL_USER;
	}
	r = strange ? -EOPNOTSUPP : lfs_setattr(server_of(req)->fs, ino, LFS_SET_FLAGS, &to, NULL);
	if (r)
		reply_status(req, r);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

static void trim(fuse_req_t req, const void *in, size_t in_size, size_t out_size)
{
	struct fstrim_range range;
	uint64_t trimmed = 0;
	int r = in_size < sizeof(range) || out_size < sizeof(range) ? -EINVAL : 0;

	if (!r && !is_owner(req))
		r = -EPERM;
	if (!r) {
		memcpy(&range, in, sizeof(range));
		r = lfs_trim(server_of(req)->fs, range.start, range.len, range.minlen, &trimmed);
	}
	if (r) {
		reply_status(req, r);
		return;
	}
	range.len = trimmed;
	fuse_reply_ioctl(req, 0, &range, sizeof(range));
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size)
{
	(void)arg;
	(void)fi;
	(void)flags;
	switch (cmd) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_FSGETXATTR:
		get_flags(req, ino, cmd == FS_IOC_FSGETXATTR, out_size);
		break;
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSSETXATTR:
		set_flags(req, ino, cmd == FS_IOC_FSSETXATTR, in, in_size);
		break;
	case FITRIM:
		trim(req, in, in_size, out_size);
		break;
	default:
		reply_status(req, -ENOTTY);
	}
}
