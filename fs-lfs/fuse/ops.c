/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table of requests, what the connection wants, and the conversions that all of them need.
 *
 * Not in the table: flush (nothing waits for a close, and -ENOSYS spares the round trip), access (the kernel checks,
 * default_permissions), locks (local to the kernel), opendir (the kernel asks once, hears -ENOSYS and from then on
 * opens and caches directories by itself).
 *
 * No splice: each block that is read has been verified, and each that is written is hashed, so the bytes pass
 * through the processor anyway and a copy from there is cheaper than a pipe.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define READ_AHEAD_BYTES (1u << 20)

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	const struct server *server = userdata;
	unsigned int wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO | FUSE_CAP_ATOMIC_O_TRUNC |
			      FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_DONT_MASK | FUSE_CAP_IOCTL_DIR |
			      FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
			      FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS |
			      FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_EXPLICIT_INVAL_DATA;

	if (server->opt.writeback)
		wanted |= FUSE_CAP_WRITEBACK_CACHE;
	if (server->opt.acl)
		wanted |= FUSE_CAP_POSIX_ACL;
	conn->want = wanted & conn->capable;
	conn->max_write = MESSAGE_MAX;
	conn->max_readahead = READ_AHEAD_BYTES;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, ENOSYS);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (fi->fh == HANDLE_CACHED_WRITE)
		near_full_opened(server_of(req), ino, false);
	fuse_reply_err(req, 0);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

const struct fuse_lowlevel_ops server_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.ioctl = op_ioctl,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
	.lseek = op_lseek,
};

struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

void reply_status(fuse_req_t req, int status)
{
	fuse_reply_err(req, -status);
}

struct lfs_cred cred_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct lfs_cred){ .uid = ctx->uid, .gid = ctx->gid, .umask = ctx->umask };
}

static struct timespec timespec_of(struct lfs_time t)
{
	return (struct timespec){ .tv_sec = t.sec, .tv_nsec = t.nsec };
}

void stat_from_attr(const struct lfs_attr *attr, struct stat *out)
{
	*out = (struct stat){
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = attr->uid,
		.st_gid = attr->gid,
		.st_rdev = attr->rdev,
		.st_size = (off_t)attr->size,
		.st_blksize = LFS_BLOCK_BYTES,
		.st_blocks = (blkcnt_t)attr->blocks,
		.st_atim = timespec_of(attr->atime),
		.st_mtim = timespec_of(attr->mtime),
		.st_ctim = timespec_of(attr->ctime),
	};
}

void entry_from_attr(const struct lfs_attr *attr, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){
		.ino = attr->ino,
		.generation = attr->generation,
		.attr_timeout = TIMEOUT_SECONDS,
		.entry_timeout = TIMEOUT_SECONDS,
	};
	stat_from_attr(attr, &out->attr);
}

/*
 * What is written through a write-only handle is not read back through it: cp, tar, cat and the like. It goes straight
 * from the program's pages to us, which spares a copy and, for the first write of each file, a round trip (has it
 * capabilities to remove?). Others use the page cache. Not with -o writeback: the kernel then keeps times itself, and
 * forgets to for such handles.
 */
void open_handle(struct server *server, fuse_ino_t ino, struct fuse_file_info *fi)
{
	int access = fi->flags & O_ACCMODE;

	fi->keep_cache = 1;
	fi->fh = access == O_RDONLY ? HANDLE_READ : HANDLE_CACHED_WRITE;
	if (access == O_WRONLY && !server->opt.writeback) {
		fi->fh = HANDLE_DIRECT;
		fi->direct_io = 1;
	}
	if (fi->fh == HANDLE_CACHED_WRITE)
		near_full_opened(server, ino, true);
}
