/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * -o writeback, and what it must not break. With it the kernel says yes to a write(2) and tells us later.
 *
 * On a full image "later" is too late: the program has gone on, and perhaps would for ever (dd looks at no error but
 * write's own). So:
 *
 *   1. What the kernel may have promised and not sent is bounded: by its limit for dirty pages of this mount, which we
 *      set to a share of what is available. It falls as the image fills up; what was promised before it fell still
 *      fits, since a share is far from all. The image is *low* when less than twice the limit, and room for the
 *      messages under way, is available; until twice that is. Then the kernel may not take more.
 *   2. Before the kernel takes bytes into its cache it asks for attributes that it does not know any more, through
 *      the handle. While the image is low, it is made to forget them after each cached write (notify_inval_inode),
 *      and hears -ENOSPC: that is what write(2) returns. Reads do not ask through a writing handle, except at the end
 *      of a file that is open for both.
 *
 *   3. What does not come from the cache leaves what was promised alone: direct writes and fallocate(2) hear -ENOSPC
 *      while the image is low, or if it would be.
 *
 * What is left: one write(2) longer than what was available when it began, and pages dirtied through mmap(2) (without
 * -o writeback, too). Both hear of it at fsync(2), msync(2) or close(2).
 *
 * And lseek(2) asks us where data is, when there may be more of it in the cache: then that is fetched first.
 */
#include "server.h"

#include <errno.h>
#include <unistd.h>

#define LIMIT_SHARE      8
#define LIMIT_MIN_BYTES  (1ul << 20)
#define SMALL_BYTES      (32ul << 20) /* of an image: what is set aside would be too much of it */
#define LIMIT_MAX_BYTES  (256ul << 20)
#define LOOK_AGAIN_BYTES (8l << 20) /* written between two looks at the free space, at most */
#define UNDER_WAY_BYTES  (2u << 20)

static uint64_t available_bytes(struct server *server)
{
	struct lfs_statfs fs;

	return lfs_statfs(server->fs, &fs) ? 0 : fs.avail * LFS_BLOCK_BYTES;
}

static uint64_t mark_bytes(const struct near_full *full)
{
	return 2 * atomic_load(&full->limit_bytes) + UNDER_WAY_BYTES;
}

/* The kernel's limit follows what is available, in steps. */
static void set_limit(struct server *server, uint64_t avail)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	struct near_full *full = &server->full;
	unsigned long limit = avail / LIMIT_SHARE, old = atomic_load(&full->limit_bytes);

	limit = limit < LIMIT_MIN_BYTES ? LIMIT_MIN_BYTES :
		limit > LIMIT_MAX_BYTES ? LIMIT_MAX_BYTES :
					  limit;
	if (full->fixed || (limit >= old - old / 8 && limit <= old + old / 8) ||
	    atomic_flag_test_and_set(&busy))
		return;
	full->fixed = !bdi_set(server, "max_bytes", limit);
	if (!full->fixed)
		atomic_store(&full->limit_bytes, limit);
	atomic_flag_clear(&busy);
}

/* Look, and decide how much may be written until the next look. */
static void look(struct server *server)
{
	struct near_full *full = &server->full;
	uint64_t avail = available_bytes(server), mark = mark_bytes(full);
	long budget = LOOK_AGAIN_BYTES;

	set_limit(server, avail);
	if (avail < mark)
		atomic_store(&full->low, true);
	else if (avail > 2 * mark)
		atomic_store(&full->low, false);
	if (avail > mark && avail - mark < (uint64_t)budget)
		budget = (long)(avail - mark);
	atomic_store(&full->budget_bytes, budget);
}

bool near_full_can_cache(const struct server *server)
{
	return !server->opt.read_only && server->dev->size_bytes >= SMALL_BYTES;
}

/* Who may not set the limit has FUSE's own: a hundredth of the memory. */
void near_full_init(struct server *server)
{
	struct near_full *full = &server->full;
	unsigned long memory = (unsigned long)sysconf(_SC_PHYS_PAGES) *
			       (unsigned long)sysconf(_SC_PAGESIZE);

	if (!server->opt.writeback)
		return;
	atomic_store(&full->limit_bytes, memory / 100);
	full->fixed = !bdi_set(server, "max_bytes", LIMIT_MIN_BYTES);
	if (!full->fixed)
		atomic_store(&full->limit_bytes, LIMIT_MIN_BYTES);
	near_full_tick(server);
}

void near_full_tick(struct server *server)
{
	if (server->opt.writeback)
		look(server);
}

void near_full_wrote(struct server *server, fuse_ino_t ino, size_t bytes, bool cached)
{
	struct near_full *full = &server->full;

	if (!server->opt.writeback)
		return;
	if (atomic_fetch_sub_explicit(&full->budget_bytes, (long)bytes, memory_order_relaxed) <
	    (long)bytes)
		look(server);
	if (cached && near_full(server))
		fuse_lowlevel_notify_inval_inode(server->session, ino, -1, 0);
}

int near_full_take(struct server *server, uint64_t bytes)
{
	if (!server->opt.writeback || !bytes)
		return 0;
	if (!near_full(server) && bytes <= LOOK_AGAIN_BYTES)
		return 0;
	look(server);
	return near_full(server) || available_bytes(server) < bytes + mark_bytes(&server->full) ?
		       -ENOSPC :
		       0;
}

/* ---- Who may have data in the cache that we have not seen -------------------------------------- */

/* Writing handles by hash of the inode: a filter that may say yes for nothing, which costs a little time. */
static atomic_uint writers[4096];

static atomic_uint *writers_of(fuse_ino_t ino)
{
	return &writers[(ino * 0x9e3779b97f4a7c15u) >> 52];
}

void near_full_opened(struct server *server, fuse_ino_t ino, bool opened)
{
	if (server->opt.writeback)
		atomic_fetch_add(writers_of(ino), opened ? 1u : -1u);
}

void near_full_fetch(struct server *server, fuse_ino_t ino)
{
	if (!server->opt.writeback || !atomic_load(writers_of(ino)))
		return;
	/* The kernel writes its dirty pages before it drops them; another thread serves that. */
	loop_will_wait();
	fuse_lowlevel_notify_inval_inode(server->session, ino, 0, 0);
}
