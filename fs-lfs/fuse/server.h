/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of mount.lfs share, each under the name of its .c file.
 *
 *   main.c       from the command line to a mount, and back      options.c   -o a,b=c
 *   daemon.c     fork, logging                                   loop.c      threads that read requests
 *   ops*.c       one function per request: decode, lfs_*, reply  wire.c      what libfuse 3.14 leaves out
 *   near_full.c  writeback cache without lost writes             ticker.c    the thread that calls lfs_tick()
 *   report.c     figures as JSON                             device.c     the image, and whether it is slow
 *   awake.c      idle processors that do not halt            bdi.c        what the kernel caches of the mount
 *
 * The kernel caches names, attributes and data for as long as it likes (TIMEOUT_SECONDS): every change comes
 * through it, so nothing that it knows can be out of date.
 */
#ifndef SERVER_H
#define SERVER_H

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lfs.h"

#define TIMEOUT_SECONDS 86400.0
#define MESSAGE_MAX                                                                                \
	(1u << 20) /* bytes of one READ or WRITE: as much as the kernel asks for unasked */

/* ---- options.c --------------------------------------------------------------------------------- */

/* May a processor that idles between two requests halt? See awake.c. */
enum halt { HALT_AUTO, HALT_ALWAYS, HALT_NEVER };

/* What -o said. Strings belong to the struct. */
struct options {
	uint64_t cap_bytes;
	double commit_seconds;
	unsigned threads;
	enum halt halt;
	bool read_only, discard, writeback, acl;
	char *kernel; /* for mount(2) and libfuse: "allow_other,suid,..." */
};

/* Defaults, then each part of @text (may be NULL). 0, or -EINVAL after a line on stderr. */
int options_parse(struct options *opt, const char *text);
void options_destroy(struct options *opt);

/* ---- The server -------------------------------------------------------------------------------- */

/* How near the image is to being full, for -o writeback; see near_full.c. */
struct near_full {
	atomic_long budget_bytes; /* may still be written before somebody asks lfs_statfs() again */
	atomic_bool low;          /* the kernel may not take more into its cache */
	atomic_ulong limit_bytes; /* what the kernel may hold of what it has taken */
	atomic_ulong promised_bytes; /* may still be there of a higher limit's */
	atomic_ulong taking_bytes;   /* what calls under way take without the cache */
	atomic_long limit_set;       /* seconds */
	atomic_bool fixed;           /* that is not ours to set */
};

struct server {
	struct lfs *fs;
	struct lfs_bdev *dev;
	struct fuse_session *session;
	struct options opt;
	char *image, *mountpoint; /* absolute */
	char bdi[48];             /* directory in /sys, or empty */
	struct near_full full;
	atomic_ulong requests; /* counts up: ticker.c looks whether anybody is there */
};

/* ---- daemon.c ---------------------------------------------------------------------------------- */

/*
 * daemon_start() - Go on in a child of our own session; the parent waits for daemon_is_up() and exits with its
 * status. What the child says before is seen on the parent's stderr. Call it before threads are made.
 */
void daemon_start(void);
void daemon_is_up(void);

/* One line, to syslog from a daemon and to stderr elsewhere. */
__attribute__((format(printf, 2, 3))) void say(enum lfs_log_level level, const char *fmt, ...);

/* ---- loop.c ------------------------------------------------------------------------------------ */

/* Serve until the filesystem is unmounted. 0 or a negative errno: no thread could be started. */
int loop_start(struct server *server);
bool loop_join(void); /* false: it ended because of loop_abort() */

/* Cut the connection: every thread's next read fails. */
void loop_abort(void);

/* This thread may sleep for a while: let another one look for requests. */
void loop_will_wait(void);

/* ---- awake.c ----------------------------------------------------------------------------------- */

void awake_init(enum halt halt);

/* A round of some @ns is over, with @requests in it. Called by one thread. */
void awake_round(unsigned long requests, uint64_t ns);
void awake_end(void);

/* Requests answered with processors awake, per 100 without, in the last trial; 0: none was needed. */
unsigned awake_gain_percent(void);

/* ---- bdi.c ------------------------------------------------------------------------------------- */

void bdi_init(struct server *server);
bool bdi_set(const struct server *server, const char *name, uint64_t value);

/* ---- device.c ---------------------------------------------------------------------------------- */

/* Owns @below. NULL without memory. */
struct lfs_bdev *device_create(struct lfs_bdev *below);
int device_refresh(struct lfs_bdev *bdev); /* lfs_bdev_file_refresh() */

/* ---- wire.c ------------------------------------------------------------------------------------ */

/* Replies go to the file that the request came from: libfuse's way out, given to fuse_session_custom_io(). */
ssize_t wire_writev(int fd, struct iovec *iov, int count, void *userdata);
ssize_t wire_read(int fd, void *buf, size_t len, void *userdata);

/* One request of @len bytes from @fd: ours, or libfuse's. @room: MESSAGE_MAX bytes for the answer. */
void wire_dispatch(struct server *server, int fd, void *message, size_t len, char *room);
char *wire_room(void);

/* In the request that this thread works on: set-id bits have to go. */
bool wire_wants_kill_priv(void);

/* ---- ops.c, ops_names.c, ops_files.c, ops_attrs.c ---------------------------------------------- */

extern const struct fuse_lowlevel_ops server_ops;

struct server *server_of(fuse_req_t req);
void reply_status(fuse_req_t req, int status); /* 0 or negative errno */
struct lfs_cred cred_of(fuse_req_t req);

/* Handles are numbers: nothing is open on our side. */
enum handle { HANDLE_READ = 0, HANDLE_CACHED_WRITE = 1, HANDLE_DIRECT = 2 };
void open_handle(struct server *server, fuse_ino_t ino, struct fuse_file_info *fi);

void stat_from_attr(const struct lfs_attr *attr, struct stat *out);
void entry_from_attr(const struct lfs_attr *attr, struct fuse_entry_param *out);

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
	       const char *new_name, unsigned int flags);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	      struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
		  struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t src, off_t src_offset,
			struct fuse_file_info *src_fi, fuse_ino_t dst, off_t dst_offset,
			struct fuse_file_info *dst_fi, size_t len, int flags);

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *to, int set,
		struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size);

/* ---- near_full.c: of no effect without -o writeback --------------------------------------------- */

/* Is there anything to cache, and room to set aside for it? */
bool near_full_can_cache(const struct server *server);
void near_full_init(struct server *server);

/* Is the image so full that what the kernel has cached could fail to fit? */
static inline bool near_full(struct server *server)
{
	return atomic_load_explicit(&server->full.low, memory_order_relaxed);
}

/* Must the kernel not take more into its cache? Looks again before it says so. */
bool near_full_refuses(struct server *server);

/*
 * Something else than what the kernel has cached wants @bytes: may it have them? 0, or -ENOSPC if what was promised
 * would not fit any more. After 0, near_full_taken() when it has them.
 */
int near_full_take(struct server *server, uint64_t bytes);
void near_full_taken(struct server *server, uint64_t bytes);

/* @bytes came from the cache. */
void near_full_wrote(struct server *server, fuse_ino_t ino, size_t bytes);

/* A handle that may leave data in the cache was opened, or released. */
void near_full_opened(struct server *server, fuse_ino_t ino, bool opened);

/* Have what the kernel has cached of @ino written to us. */
void near_full_fetch(struct server *server, fuse_ino_t ino);

/* Called now and then: look at the free space. */
void near_full_tick(struct server *server);

/* ---- ticker.c ---------------------------------------------------------------------------------- */

int ticker_start(struct server *server);
void ticker_stop(void);

/* ---- report.c ---------------------------------------------------------------------------------- */

/* JSON texts, to be freed; NULL without memory or where @ino has no map. See control.h. */
char *report_stats(struct server *server);
char *report_map(struct server *server, fuse_ino_t ino);

#endif
