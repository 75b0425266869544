/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * -o writeback, and what it must not break. With it the kernel says yes to a write(2) and tells us later.
 *
 * On a full image "later" is too late: the program has gone on, and perhaps would for ever (dd looks at no error but
 * write's own). So:
 *
 *   1. What the kernel may have promised and not sent is bounded: by its limit for dirty pages of this mount, which we
 *      set to a share of what is available. When it falls, because the image fills up, the kernel may still hold what
 *      the old limit allowed, less what has come since: that is what counts as *promised*, until it is as low as the
 *      limit, or all was fetched (drain()), or it is too old to be there.
 *   2. The image is *low* when less than twice what is promised, and room for the messages under way, is available;
 *      until twice that is. Then the kernel may not take more: before it takes bytes into its cache it asks for
 *      attributes that it does not know any more, through the handle. While the image is low, it is made to forget
 *      them after each cached write (notify_inval_inode), and hears -ENOSPC: that is what write(2) returns. Reads do
 *      not ask through a writing handle, except at the end of a file that is open for both.
 *   3. What does not come from the cache leaves what is promised alone: direct writes and fallocate(2) hear -ENOSPC
 *      if that would not fit any more.
 *
 * What is left: one write(2) longer than what was available when it began, and pages dirtied through mmap(2) (without
 * -o writeback, too). Both hear of it at fsync(2), msync(2) or close(2).
 *
 * And lseek(2) asks us where data is, when there may be more of it in the cache: then that is fetched first.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_SHARE      8
#define LIMIT_MIN_BYTES  (1ul << 20)
#define SMALL_BYTES      (64ul << 20) /* of an image: what is set aside would be too much of it */
#define LIMIT_MAX_BYTES  (256ul << 20)
#define LOOK_AGAIN_BYTES (8l << 20) /* written between two looks at the free space, at most */
#define UNDER_WAY_BYTES  (2u << 20)
#define OLD_SECONDS      60 /* the kernel keeps nothing so long: dirty_expire_centisecs is 30 seconds */

/* But for what calls under way are about to take. */
static uint64_t available_bytes(struct server *server)
{
	uint64_t taking = atomic_load(&server->full.taking_bytes), avail;
	struct lfs_statfs fs;

	avail = lfs_statfs(server->fs, &fs) ? 0 : fs.avail * LFS_BLOCK_BYTES;
	return avail > taking ? avail - taking : 0;
}

/* ---- What is promised -------------------------------------------------------------------------- */

static unsigned long promised_bytes(struct near_full *full)
{
	unsigned long limit = atomic_load(&full->limit_bytes),
		      promised = atomic_load(&full->promised_bytes);

	return promised > limit ? promised : limit;
}

static void promise_kept(struct near_full *full, unsigned long bytes)
{
	unsigned long old = atomic_load_explicit(&full->promised_bytes, memory_order_relaxed);

	while (old && !atomic_compare_exchange_weak(&full->promised_bytes, &old,
						    old > bytes ? old - bytes : 0))
		;
}

static long now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* The kernel's limit follows what is available, in steps; from near_full_init() on. */
static void set_limit(struct server *server, uint64_t avail)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	struct near_full *full = &server->full;
	unsigned long limit = avail / LIMIT_SHARE, old = atomic_load(&full->limit_bytes);

	limit = limit < LIMIT_MIN_BYTES ? LIMIT_MIN_BYTES :
		limit > LIMIT_MAX_BYTES ? LIMIT_MAX_BYTES :
					  limit;
	if (!old || full->fixed || (limit >= old - old / 8 && limit <= old + old / 8) ||
	    atomic_flag_test_and_set(&busy))
		return;
	old = promised_bytes(full);
	if (limit > old) /* promised before it may be */
		atomic_store(&full->limit_bytes, limit);
	else
		atomic_store(&full->promised_bytes, old);
	full->fixed = !bdi_set(server, "max_bytes", limit);
	if (!full->fixed) {
		atomic_store(&full->limit_bytes, limit);
		atomic_store(&full->limit_set, now_seconds());
	}
	atomic_flag_clear(&busy);
}

/*
 * Have the kernel send what it holds. Another thread serves that, so one at a time may ask; false: it was not done.
 * The mount is not held open for it: nobody could unmount.
 */
static bool drain(struct server *server)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	bool done;
	int fd;

	if (atomic_flag_test_and_set(&busy))
		return false;
	loop_will_wait();
	fd = open(server->mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	done = fd >= 0 && !syncfs(fd);
	if (fd >= 0)
		close(fd);
	if (done)
		atomic_store(&server->full.promised_bytes, 0);
	atomic_flag_clear(&busy);
	return done;
}

/* ---- Low --------------------------------------------------------------------------------------- */

/* Look, and decide how much may be written until the next look. */
static void look(struct server *server)
{
	struct near_full *full = &server->full;
	uint64_t avail = available_bytes(server), mark;
	long budget = LOOK_AGAIN_BYTES;

	set_limit(server, avail);
	mark = 2ul * promised_bytes(full) + UNDER_WAY_BYTES;
	if (avail < mark)
		atomic_store(&full->low, true);
	else if (avail > 2 * mark)
		atomic_store(&full->low, false);
	if (avail > mark && avail - mark < (uint64_t)budget)
		budget = (long)(avail - mark);
	atomic_store(&full->budget_bytes, budget);
}

bool near_full_refuses(struct server *server)
{
	struct near_full *full = &server->full;

	if (!near_full(server))
		return false;
	look(server);
	if (near_full(server) && promised_bytes(full) > atomic_load(&full->limit_bytes) &&
	    drain(server))
		look(server);
	return near_full(server);
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
	full->fixed = !bdi_set(server, "max_bytes", LIMIT_MIN_BYTES);
	atomic_store(&full->limit_bytes, full->fixed ? memory / 100 : LIMIT_MIN_BYTES);
	near_full_tick(server);
}

void near_full_tick(struct server *server)
{
	struct near_full *full = &server->full;

	if (!server->opt.writeback)
		return;
	if (now_seconds() - atomic_load(&full->limit_set) > OLD_SECONDS)
		atomic_store(&full->promised_bytes, 0);
	look(server);
}

/* Does so much fit into what may be written before the next look? */
static bool within_budget(struct near_full *full, uint64_t bytes)
{
	return atomic_fetch_sub(&full->budget_bytes, (long)bytes) >= (long)bytes;
}

void near_full_wrote(struct server *server, fuse_ino_t ino, size_t bytes)
{
	if (!server->opt.writeback)
		return;
	promise_kept(&server->full, bytes);
	if (!within_budget(&server->full, bytes))
		look(server);
	if (near_full(server))
		fuse_lowlevel_notify_inval_inode(server->session, ino, -1, 0);
}

/* Does what is promised fit beside what is being taken? */
static bool fits(struct server *server)
{
	uint64_t promised = promised_bytes(&server->full);

	return available_bytes(server) >= promised + promised / 4 + UNDER_WAY_BYTES;
}

int near_full_take(struct server *server, uint64_t bytes)
{
	struct near_full *full = &server->full;

	if (!server->opt.writeback)
		return 0;
	atomic_fetch_add(&full->taking_bytes, bytes);
	if (!bytes || (!near_full(server) && within_budget(full, bytes)))
		return 0;
	look(server); /* with a limit for what will be left */
	if (fits(server) || (available_bytes(server) && drain(server) && fits(server)))
		return 0;
	near_full_taken(server, bytes);
	look(server);
	return -ENOSPC;
}

void near_full_taken(struct server *server, uint64_t bytes)
{
	if (!server->opt.writeback)
		return;
	atomic_fetch_sub(&server->full.taking_bytes, bytes);
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
