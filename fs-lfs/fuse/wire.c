/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What libfuse 3.14 leaves out of the protocol (linux/fuse.h), added around it:
 *
 *   INIT     its reply gets flags that this libfuse does not set: PARALLEL_DIROPS, HANDLE_KILLPRIV_V2.
 *   WRITE, SETATTR   carry a flag "kill set-id bits" that it drops: wire_wants_kill_priv().
 *   TMPFILE, STATX   it does not know: answered here, before it sees them.
 *
 * Every request is read, handled and answered by one thread, so that where a reply goes (each clone of the
 * device has its own list of requests under way) and what the request said are that thread's variables.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of protocol 7.39; the headers at hand may be older. */
#define OP_TMPFILE 51u
#define OP_STATX   52u

struct statx_in {
	uint32_t getattr_flags, reserved;
	uint64_t fh;
	uint32_t sx_flags, sx_mask;
};

struct sx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec, flags;
	uint64_t spare[2];
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad;
	uint64_t ino, size, blocks, attributes_mask;
	struct sx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};
_Static_assert(sizeof(struct statx_out) == 32 + 256, "struct fuse_statx_out of linux/fuse.h");

static _Thread_local struct {
	int fd;
	const struct fuse_in_header *in;
	char *room;
} current = { .fd = -1 };

ssize_t wire_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)userdata;
	return read(fd, buf, len);
}

/* libfuse's reply to INIT, with the flags that it does not know it could want. */
static void amend_init(struct iovec *iov, int count)
{
	const struct fuse_init_in *asked = (const void *)(current.in + 1);
	struct fuse_init_out *out = iov[1].iov_base;

	if (count < 2 || iov[1].iov_len < sizeof(*out))
		return;
	out->flags |= asked->flags & (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2);
}

ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	if (current.in && current.in->opcode == FUSE_INIT)
		amend_init(iov, count);
	/* Notifications come from threads without a request: those go to the session's own file. */
	return writev(current.fd < 0 ? fd : current.fd, iov, count);
}

static void reply(const struct fuse_in_header *in, int error, const void *data, size_t len)
{
	struct fuse_out_header out = { .len = (uint32_t)(sizeof(out) + len),
				       .error = error,
				       .unique = in->unique };
	struct iovec iov[2] = { { &out, sizeof(out) }, { (void *)data, len } };

	if (writev(current.fd, iov, len ? 2 : 1) < 0 && errno != ENOENT)
		say(LFS_LOG_ERROR, "/dev/fuse: reply: %s", strerror(errno));
}

char *wire_room(void)
{
	return current.room;
}

bool wire_wants_kill_priv(void)
{
	const void *arg = current.in + 1;

	switch (current.in->opcode) {
	case FUSE_WRITE:
		return ((const struct fuse_write_in *)arg)->write_flags & FUSE_WRITE_KILL_SUIDGID;
	case FUSE_OPEN:
		return ((const struct fuse_open_in *)arg)->open_flags & FUSE_OPEN_KILL_SUIDGID;
	case FUSE_CREATE:
		return ((const struct fuse_create_in *)arg)->open_flags & FUSE_OPEN_KILL_SUIDGID;
	default:
		return false;
	}
}

static struct sx_time sx_time(struct lfs_time t)
{
	return (struct sx_time){ .sec = t.sec, .nsec = t.nsec };
}

static void do_statx(struct server *server, const struct fuse_in_header *in)
{
	struct lfs_attr a;
	struct statx_out out = { .attr_valid = (uint64_t)TIMEOUT_SECONDS };
	int r = lfs_getattr(server->fs, in->nodeid, &a);

	if (r) {
		reply(in, r, NULL, 0);
		return;
	}
	out.mask = STATX_BASIC_STATS | STATX_BTIME;
	out.blksize = LFS_BLOCK_BYTES;
	out.nlink = a.nlink;
	out.uid = a.uid;
	out.gid = a.gid;
	out.mode = (uint16_t)a.mode;
	out.ino = a.ino;
	out.size = a.size;
	out.blocks = a.blocks;
	out.atime = sx_time(a.atime);
	out.btime = sx_time(a.btime);
	out.ctime = sx_time(a.ctime);
	out.mtime = sx_time(a.mtime);
	out.rdev_major = major(a.rdev);
	out.rdev_minor = minor(a.rdev);
	reply(in, 0, &out, sizeof(out));
}

static void entry_out(const struct lfs_attr *a, struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){
		.nodeid = a->ino,
		.generation = a->generation,
		.entry_valid = (uint64_t)TIMEOUT_SECONDS,
		.attr_valid = (uint64_t)TIMEOUT_SECONDS,
		.attr = { .ino = a->ino,
			  .size = a->size,
			  .blocks = a->blocks,
			  .atime = (uint64_t)a->atime.sec,
			  .atimensec = a->atime.nsec,
			  .mtime = (uint64_t)a->mtime.sec,
			  .mtimensec = a->mtime.nsec,
			  .ctime = (uint64_t)a->ctime.sec,
			  .ctimensec = a->ctime.nsec,
			  .mode = a->mode,
			  .nlink = a->nlink,
			  .uid = a->uid,
			  .gid = a->gid,
			  .rdev = a->rdev,
			  .blksize = LFS_BLOCK_BYTES },
	};
}

static void do_tmpfile(struct server *server, const struct fuse_in_header *in)
{
	const struct fuse_create_in *arg = (const void *)(in + 1);
	struct lfs_cred cred = { .uid = in->uid, .gid = in->gid, .umask = arg->umask };
	struct fuse_file_info fi = { .flags = (int)arg->flags };
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = { .open = { 0 } };
	struct lfs_attr attr;
	int r = lfs_tmpfile(server->fs, in->nodeid, arg->mode, &cred, &attr);

	if (r) {
		reply(in, r, NULL, 0);
		return;
	}
	open_handle(server, attr.ino, &fi);
	entry_out(&attr, &out.entry);
	out.open.fh = fi.fh;
	out.open.open_flags = (fi.keep_cache ? FOPEN_KEEP_CACHE : 0) |
			      (fi.direct_io ? FOPEN_DIRECT_IO : 0);
	reply(in, 0, &out, sizeof(out));
}

void wire_dispatch(struct server *server, int fd, void *message, size_t len, char *room)
{
	struct fuse_buf buf = { .mem = message, .size = len };

	current.fd = fd;
	current.in = message;
	current.room = room;
	atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
	switch (current.in->opcode) {
	case OP_TMPFILE:
		do_tmpfile(server, current.in);
		break;
	case OP_STATX:
		do_statx(server, current.in);
		break;
	default:
		fuse_session_process_buf(server->session, &buf);
	}
	current.in = NULL;
}
