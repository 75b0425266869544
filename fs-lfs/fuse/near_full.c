/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Writeback cache without lost writes.
 *
 * With the writeback cache the kernel says yes to a write(2) and tells us later. On a full image "later" is too late:
 * the program has gone on, and perhaps would for ever (dd looks at no error but write's own). So:
 *
 *   1. Writes that the kernel may have promised and not sent are bounded: by its limit for dirty pages of this mount
 *      (main.c lowers it where it would be large beside the image). That many bytes are the *reserve*.
 *   2. The image is *low* when less than the reserve, and some, is available. While it is:
 *      a. A new handle for writing bypasses the cache (FOPEN_DIRECT_IO): write(2) gets its -ENOSPC itself.
 *      b. An old handle: before the kernel takes bytes into its cache, it asks for attributes that it does not know
 *         any more, through that handle. After each cached write we make it forget them
 *         (notify_inval_inode), and answer -ENOSPC to that question. Reads do not ask through a writing handle,
 *         except at the end of a file that is open for both.
 *      c. What was cached before comes home: the ticker calls syncfs(2) on the mount. Until it has, direct writes
 *         are refused too; then the image is *drained* and they may use the last block.
 *
 *          plenty --- avail < low mark ---> low --- syncfs() returned ---> low, drained
 *             ^                              |                                  |
 *             +------- avail > twice the low mark (near_full_tick) -------------+
 *
 * What is left: one write(2) longer than what was available when it began, on a handle from before; and pages dirtied
 * through mmap(2). Both hear of it at fsync(2), msync(2) or close(2).
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_BYTES (8l << 20) /* written between two looks at the free space, at most */

static uint64_t available_bytes(struct server *server)
{
	struct lfs_statfs fs;

	return lfs_statfs(server->fs, &fs) ? 0 : fs.avail * LFS_BLOCK_BYTES;
}

/* Half as much again: blocks of the log beside those of data. */
static uint64_t low_mark(const struct server *server)
{
	return server->full.reserve_bytes + server->full.reserve_bytes / 2;
}

/* Look, and decide how much may be written until the next look. */
static void look(struct server *server)
{
	struct near_full *full = &server->full;
	uint64_t avail = available_bytes(server), mark = low_mark(server);
	bool was_low = atomic_load(&full->low);
	long budget = LOOK_AGAIN_BYTES;

	if (was_low && avail > 2 * mark) {
		atomic_store(&full->low, false);
	} else if (!was_low && avail < mark) {
		atomic_store(&full->drained, false);
		atomic_store(&full->low, true);
		atomic_store(&full->wants_drain, true);
	}
	if (avail > mark && avail - mark < (uint64_t)budget)
		budget = (long)(avail - mark);
	atomic_store(&full->budget_bytes, budget);
}

void near_full_init(struct server *server)
{
	look(server);
}

int near_full_before_write(struct server *server, fuse_ino_t ino, size_t bytes, bool cached)
{
	struct near_full *full = &server->full;

	if (atomic_fetch_sub_explicit(&full->budget_bytes, (long)bytes, memory_order_relaxed) <
	    (long)bytes)
		look(server);
	if (!near_full(server))
		return 0;
	if (cached) {
		fuse_lowlevel_notify_inval_inode(server->session, ino, -1, 0);
		return 0;
	}
	return atomic_load(&full->drained) ? 0 : -ENOSPC;
}

/* Let the kernel write what it has cached. The other threads serve that. */
static void drain(struct server *server)
{
	int fd = open(server->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	syncfs(fd);
	close(fd);
	atomic_store(&server->full.drained, true);
	say(LFS_LOG_INFO, "%s: nearly full: writes bypass the page cache", server->image);
}

void near_full_tick(struct server *server)
{
	if (!server->opt.writeback || server->opt.read_only)
		return;
	look(server);
	if (atomic_exchange(&server->full.wants_drain, false))
		drain(server);
}
