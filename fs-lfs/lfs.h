/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fs-lfs - a log-structured filesystem whose maps are learned indexes: the engine.
 *
 * What it is:     a POSIX filesystem on an image file or block device, as calls on inode numbers: what a low-level
 *                 FUSE server needs, and what a test can call without one. Every block is checksummed and verified
 *                 on read; a crash at any instant loses nothing that was fsynced. DESIGN.md tells how.
 * What it is not: it knows nothing of FUSE, paths, mounts or processes; it checks no permissions (the kernel does,
 *                 with default_permissions), but keeps owners, modes, ACLs and set-id bits as POSIX wants them.
 *
 *     struct lfs_bdev *dev;
 *     struct lfs_attr dir, file;
 *     struct lfs *fs;
 *
 *     lfs_bdev_file_open("image", LFS_BDEV_CREATE, &dev);
 *     lfs_bdev_file_resize(dev, 1 << 30);
 *     lfs_format(dev, NULL);                                         // NULL: defaults
 *     lfs_mount(dev, NULL, &fs);
 *     lfs_mkdir(fs, LFS_ROOT_INO, "dir", 0755, &cred, &dir);         // takes a reference to dir.ino
 *     lfs_create(fs, dir.ino, "file", 0644, &cred, &file);
 *     lfs_write(fs, file.ino, "hello", 5, 0, 0);
 *     lfs_fsync(fs, file.ino, false);                                // from here it survives a crash
 *     lfs_forget(fs, file.ino, 1);
 *     lfs_forget(fs, dir.ino, 1);
 *     lfs_unmount(fs);                                               // the device stays the caller's
 *     lfs_bdev_close(dev);
 *
 * Threads.    Every call may come from any thread at any time, unless it says otherwise. Locks are per inode; a
 *             checkpoint stops changes (not reads) while it collects them in memory.
 * Background. The engine has no threads: one thread of the caller calls lfs_tick() (timer, cleaner).
 * References. lookup, create, mkdir, ... give the caller a reference to the inode, lfs_forget() takes references
 *             back, as in the FUSE protocol. An inode without names lives until its last reference is gone; after a
 *             crash it is gone. An inode number without a reference must not be used (-ESTALE or -ENOENT if it is);
 *             the root always has one.
 * Names.      Bytes without '/' and NUL, 1..255 of them: else -EINVAL, -ENAMETOOLONG. "." and ".." are not names
 *             (-EINVAL), except for lfs_lookup().
 * Errors.     0 (or a count) or a negative errno; on an error nothing has changed, unless said. Any call may return:
 *               -EIO      a block cannot be read, or its checksum does not match; logged where it was found.
 *                         (Inside the engine that is -EBADMSG; -EUCLEAN, a block that makes no sense, also
 *                         comes out as -EIO.)
 *               -ENOMEM   no memory, even after shrinking the caches. (Where a change was made already and there is none
 *                         left to log it, the filesystem turns read-only: on the disk nothing has changed.)
 *             Calls that change something also:
 *               -EROFS    mounted read-only, or turned read-only after the device refused a write.
 *               -ENOSPC   full. Removing and truncating always work.
 */
#ifndef LFS_H
#define LFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bdev.h"

#define LFS_VERSION_TEXT   "0.1.0"
#define LFS_FORMAT_VERSION 1u

#define LFS_ROOT_INO    1u
#define LFS_NAME_MAX    255u
#define LFS_SYMLINK_MAX 4095u
#define LFS_LINK_MAX    65000u
#define LFS_FILE_MAX    ((uint64_t)16 << 40) /* bytes; also the largest image */
#define LFS_XATTR_MAX                                                                              \
	65536u /* bytes of a value, and of all names and values of an inode together */
#define LFS_LABEL_BYTES 32u
#define LFS_SEGMENT_MIN (256u << 10)
#define LFS_SEGMENT_MAX (2u << 20)
#define LFS_DEFAULT_CAP ((uint64_t)256 << 20)

struct lfs;

/* ---- Types --------------------------------------------------------------------------------- */

typedef uint64_t lfs_ino_t;   /* inode number, 1..2^32-1 */
typedef uint64_t lfs_lbn_t;   /* block in a file */
typedef uint64_t lfs_daddr_t; /* block on disk */

/** struct lfs_time - Seconds since 1970 (signed, far past 2106) and nanoseconds 0..999999999. */
struct lfs_time {
	int64_t sec;
	uint32_t nsec;
};

/**
 * struct lfs_cred - On whose behalf an inode is made.
 * @uid, @gid: fsuid and fsgid of the caller. In a set-gid directory the group is the directory's.
 * @umask:     Applied to the mode unless the directory has a default ACL (which then decides).
 */
struct lfs_cred {
	uint32_t uid, gid, umask;
};

/**
 * struct lfs_attr - What stat(2) and statx(2) tell.
 * @blocks: Units of 512 bytes, of data that the inode maps (shared blocks count for each owner).
 * @generation: Differs when an inode number is used again: (ino, generation) is unique for the life of the image.
 * @mode:   Type and permission bits. @flags: chattr flags, LFS_FL_*.
 */
struct lfs_attr {
	lfs_ino_t ino;
	uint64_t size, blocks;
	struct lfs_time atime, mtime, ctime, btime;
	uint32_t generation, mode, nlink, uid, gid, rdev, flags;
};

#define LFS_FL_IMMUTABLE 0x00000010u /* values of FS_IOC_GETFLAGS */
#define LFS_FL_APPEND    0x00000020u
#define LFS_FL_NODUMP    0x00000040u
#define LFS_FL_NOATIME   0x00000080u
#define LFS_FL_USER      0x000000f0u /* those that can be set */

/* What to set, in lfs_setattr(). */
#define LFS_SET_MODE      0x001u
#define LFS_SET_UID       0x002u
#define LFS_SET_GID       0x004u
#define LFS_SET_SIZE      0x008u
#define LFS_SET_ATIME     0x010u
#define LFS_SET_MTIME     0x020u
#define LFS_SET_ATIME_NOW 0x040u
#define LFS_SET_MTIME_NOW 0x080u
#define LFS_SET_CTIME     0x100u
#define LFS_SET_FLAGS     0x200u
#define LFS_SET_KILL_PRIV 0x400u /* clear set-uid, and set-gid where the group may execute */

enum lfs_log_level {
	LFS_LOG_ERROR = 3,
	LFS_LOG_WARNING = 4,
	LFS_LOG_INFO = 6
}; /* syslog's numbers */

/**
 * struct lfs_callbacks - What the engine asks of its caller. Members may be NULL. May be called with locks held and
 * from any thread: they must not call the engine.
 * @log:  One line, without newline: what, where, expected, found.
 * @time: The time now; default: CLOCK_REALTIME.
 */
struct lfs_callbacks {
	void (*log)(void *ctx, enum lfs_log_level level, const char *line);
	void (*time)(void *ctx, struct lfs_time *now);
	void *ctx;
};

/* ---- Life cycle ---------------------------------------------------------------------------- */

/**
 * struct lfs_format_options - Zeroed by the caller; 0 means default.
 * @size_bytes:    Of the filesystem, a multiple of a block; default: the whole device.
 * @segment_bytes: A power of two, LFS_SEGMENT_MIN..MAX; default: 2 MiB, less on images below 1 GiB.
 * @label:         At most LFS_LABEL_BYTES - 1 bytes.
 * @uuid:          All zeroes: random.
 * @root_uid, @root_gid, @root_mode: Of the root directory; mode 0: 0755.
 * @seed:          Of the hash of names; 0: random. Tests only.
 */
struct lfs_format_options {
	uint64_t size_bytes;
	uint32_t segment_bytes;
	char label[LFS_LABEL_BYTES];
	uint8_t uuid[16];
	uint32_t root_uid, root_gid, root_mode;
	uint64_t seed;
	struct lfs_callbacks callbacks;
};

/** lfs_min_bytes() - The smallest image that can be formatted. */
uint64_t lfs_min_bytes(void);

/**
 * lfs_format() - Make an empty filesystem. Looks at nothing that was there: see lfs_probe().
 * @opt: Or NULL.
 *
 * Return: 0; -EINVAL: an option out of range; -ENOSPC: device smaller than lfs_min_bytes() or opt->size_bytes; -EFBIG:
 *         larger than LFS_FILE_MAX; -EROFS, the device's errors.
 */
int lfs_format(struct lfs_bdev *dev, const struct lfs_format_options *opt);

/** struct lfs_super_info - What the superblock says. */
struct lfs_super_info {
	uint32_t version;
	uint64_t size_bytes;
	uint32_t block_bytes, segment_bytes;
	char label[LFS_LABEL_BYTES];
	uint8_t uuid[16];
	struct lfs_time made;
	bool clean; /* it was unmounted; else mounting replays the log */
};

/**
 * lfs_probe() - Is there one of ours?
 * @why:  A static text on an error, or NULL.
 *
 * Return: 0; -ENODATA: no filesystem of ours; -EPROTONOSUPPORT: a newer format (info->version is set);
 *         -EBADMSG: ours, but both superblocks are damaged; -ENOSPC: device shorter than the filesystem; -EIO.
 */
int lfs_probe(struct lfs_bdev *dev, struct lfs_super_info *info, const char **why);

/**
 * struct lfs_mount_options - Zeroed by the caller; 0 means default.
 * @cap_bytes:      Most memory for caches and maps, everything counted that grows. Default LFS_DEFAULT_CAP.
 * @read_only:      Nothing is written, not even the replay of the log (done in memory).
 * @commit_ms:      Age at which lfs_tick() makes changes durable. Default 5000.
 * @discard:        Tell the device about free segments as they become free.
 */
struct lfs_mount_options {
	uint64_t cap_bytes;
	bool read_only, discard;
	uint32_t commit_ms;
	struct lfs_callbacks callbacks;
};

/**
 * lfs_mount() - Open a filesystem, after a crash too: then the log is replayed.
 * @dev: Stays the caller's, unused by others until lfs_unmount().
 * @opt: Or NULL. Copied.
 *
 * Cost:   In proportion to what was written after the last checkpoint; not to files or extents.
 * Return: 0, lfs_probe()'s errors (logged as one line), -EUCLEAN: a superblock or checkpoint makes no sense; -EROFS:
 *         read-only device without opt->read_only; -ENOMEM.
 */
int lfs_mount(struct lfs_bdev *dev, const struct lfs_mount_options *opt, struct lfs **fs);

/**
 * lfs_unmount() - Make everything durable, close. References need not have been given back.
 *
 * Context: No other call is under way. @fs is gone afterwards, whatever is returned.
 * Return:  0 or the first error of writing; what was durable before stays so.
 */
int lfs_unmount(struct lfs *fs);

/** lfs_abort() - Close without writing anything: what a crash leaves. */
void lfs_abort(struct lfs *fs);

/**
 * lfs_tick() - Timer, cleaner, memory: call it from one thread, again and again.
 * @idle: Nothing else is going on: clean more than needed.
 *
 * Return: Milliseconds until it wants to be called again (0: at once), or a negative errno (logged; call it again).
 */
int lfs_tick(struct lfs *fs, bool idle);

/** lfs_sync() - As sync(2): all changes so far are durable. Return: 0, -EIO, -ENOSPC. */
int lfs_sync(struct lfs *fs);

/** lfs_checkpoint() - lfs_sync(), and the next mount replays nothing. */
int lfs_checkpoint(struct lfs *fs);

/**
 * lfs_grow() - Use more of the device, which has to be that long already (see lfs_bdev_file_resize(), _refresh()).
 * @size_bytes: 0: all of it.
 *
 * Return: 0; -EINVAL: smaller than now, or not a multiple of a block; -ENOSPC: device shorter; -EFBIG: more than this
 *         image can grow to.
 */
int lfs_grow(struct lfs *fs, uint64_t size_bytes);

/** lfs_trim() - FITRIM: discard free segments inside [start, start + len). @trimmed: bytes. -EOPNOTSUPP. */
int lfs_trim(struct lfs *fs, uint64_t start, uint64_t len, uint64_t min_len, uint64_t *trimmed);

/* ---- Inodes -------------------------------------------------------------------------------- */

/**
 * lfs_lookup() - Find @name in directory @dir.
 * @attr: Output; the caller gets a reference to attr->ino. "." and ".." work.
 *
 * Cost:   One index lookup. Return: 0, -ENOENT, -ENOTDIR, -ENAMETOOLONG, -EINVAL.
 */
int lfs_lookup(struct lfs *fs, lfs_ino_t dir, const char *name, struct lfs_attr *attr);

/** lfs_ref() - One more reference to @ino, by number: open_by_handle. @generation 0: any. -ESTALE. */
int lfs_ref(struct lfs *fs, lfs_ino_t ino, uint32_t generation, struct lfs_attr *attr);

/** lfs_forget() - Give @n references back. The last one of an inode without names frees it. */
void lfs_forget(struct lfs *fs, lfs_ino_t ino, uint64_t n);

/** lfs_parent() - The parent of directory @dir. No reference. -ENOTDIR. */
int lfs_parent(struct lfs *fs, lfs_ino_t dir, lfs_ino_t *parent);

int lfs_getattr(struct lfs *fs, lfs_ino_t ino, struct lfs_attr *attr);

/**
 * lfs_setattr() - Change attributes.
 * @set:  Mask LFS_SET_*. @to: the new values. @attr: output, all attributes after it; may be NULL.
 *
 * Changing owner or size of a file clears set-id bits only with LFS_SET_KILL_PRIV (the kernel asks for it), and always
 * removes file capabilities; so does lfs_write().
 * Changing mode changes the ACL's mask too.
 *
 * Return: 0, -EFBIG, -EISDIR or -EINVAL (size of what is no file), -EPERM (immutable, append-only).
 */
int lfs_setattr(struct lfs *fs, lfs_ino_t ino, uint32_t set, const struct lfs_attr *to,
		struct lfs_attr *attr);

/**
 * lfs_mknod() - Make any inode but a directory or a symlink.
 * @mode: Type (S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK; 0: S_IFREG) and permissions.
 * @attr: Output of all calls here; a reference to the new inode.
 *
 * Return: 0, -EEXIST, -ENOENT (directory removed), -ENOTDIR, -ENAMETOOLONG, -EINVAL, -EMLINK (mkdir), -EPERM.
 */
int lfs_mknod(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode, uint32_t rdev,
	      const struct lfs_cred *cred, struct lfs_attr *attr);
int lfs_create(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode,
	       const struct lfs_cred *cred, struct lfs_attr *attr);
int lfs_mkdir(struct lfs *fs, lfs_ino_t dir, const char *name, uint32_t mode,
	      const struct lfs_cred *cred, struct lfs_attr *attr);
int lfs_symlink(struct lfs *fs, lfs_ino_t dir, const char *name, const char *target,
		const struct lfs_cred *cred, struct lfs_attr *attr);

/** lfs_tmpfile() - O_TMPFILE: a regular file without a name, which lfs_link() may give it. */
int lfs_tmpfile(struct lfs *fs, lfs_ino_t dir, uint32_t mode, const struct lfs_cred *cred,
		struct lfs_attr *attr);

/** lfs_link() - One more name. @attr: of @ino; a reference. -EPERM (directory), -EMLINK, and as lfs_mknod(). */
int lfs_link(struct lfs *fs, lfs_ino_t ino, lfs_ino_t dir, const char *name, struct lfs_attr *attr);

/** lfs_readlink() - @target: LFS_SYMLINK_MAX + 1 bytes, gets a NUL. Return: length, -EINVAL (no symlink). */
int lfs_readlink(struct lfs *fs, lfs_ino_t ino, char *target);

/** lfs_unlink() - Remove a name. -ENOENT, -EISDIR, -EPERM. Works on a full disk. */
int lfs_unlink(struct lfs *fs, lfs_ino_t dir, const char *name);

/** lfs_rmdir() - -ENOENT, -ENOTDIR, -ENOTEMPTY, -EPERM. Works on a full disk. */
int lfs_rmdir(struct lfs *fs, lfs_ino_t dir, const char *name);

#define LFS_RENAME_NOREPLACE 0x1u /* renameat2(2)'s values */
#define LFS_RENAME_EXCHANGE  0x2u
#define LFS_RENAME_WHITEOUT  0x4u

/**
 * lfs_rename() - Atomic, after a crash too: one of the two names is always there.
 *
 * Return: 0, -ENOENT, -EEXIST (NOREPLACE), -ENOTEMPTY, -EISDIR, -ENOTDIR, -EINVAL (into itself, bad flags), -EMLINK, -EPERM.
 */
int lfs_rename(struct lfs *fs, lfs_ino_t dir, const char *name, lfs_ino_t new_dir,
	       const char *new_name, uint32_t flags);

/* ---- Directories --------------------------------------------------------------------------- */

/**
 * struct lfs_dirent - One entry, valid during the call of the visitor.
 * @cookie: Where to go on after this entry.
 * @type:   DT_* as in readdir(3).
 */
struct lfs_dirent {
	const char *name;
	uint32_t name_len;
	lfs_ino_t ino;
	uint64_t cookie;
	uint8_t type;
};

/** lfs_dir_fn - @attr: NULL but from lfs_readdirplus(). Return: true to go on; false: this one was not taken. */
typedef bool (*lfs_dir_fn)(void *ctx, const struct lfs_dirent *entry, const struct lfs_attr *attr);

/**
 * lfs_readdir() - Visit entries from @cookie (0: the beginning), "." and ".." first.
 *
 * Cookies are stable while the filesystem is mounted: an entry that is there all the time is seen exactly once by a
 * walk, whatever else comes and goes. No lock is held while @fn runs, and it may call the engine.
 *
 * lfs_readdirplus() also gives attributes, and a reference to each entry that @fn took, except "." and "..".
 *
 * Return: 0 (also at the end), -ENOTDIR.
 */
int lfs_readdir(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx);
int lfs_readdirplus(struct lfs *fs, lfs_ino_t dir, uint64_t cookie, lfs_dir_fn fn, void *ctx);

/* ---- Files --------------------------------------------------------------------------------- */

/**
 * lfs_open(), lfs_release() - One reference for as long as a file is open. Optional: any reference will do.
 *
 * Return: 0, -ESTALE.
 */
int lfs_open(struct lfs *fs, lfs_ino_t ino);
void lfs_release(struct lfs *fs, lfs_ino_t ino);

/** lfs_read() - Holes read as zeroes. Return: bytes (short only at the end of the file), -EISDIR, -EINVAL (no file). */
ssize_t lfs_read(struct lfs *fs, lfs_ino_t ino, void *buf, size_t len, uint64_t offset);

#define LFS_WRITE_APPEND    0x1u /* at the end, whatever @offset says */
#define LFS_WRITE_KILL_PRIV 0x2u /* clear set-id bits */

/**
 * lfs_write() - The bytes are in the log's memory when it returns, with their place on disk: no later -ENOSPC.
 *
 * Return: @len, or less if the disk became full midway; -EFBIG, -EISDIR, -EINVAL, -EPERM.
 */
ssize_t lfs_write(struct lfs *fs, lfs_ino_t ino, const void *buf, size_t len, uint64_t offset,
		  uint32_t flags);

/**
 * lfs_fsync() - Data, attributes, and all namespace changes before it are durable, in order. Directories too.
 * @data_only: fdatasync. (What is written is the same; an inode that only changed times is not waited for.)
 *
 * Cost: for one changed block: 2 blocks and one flush.
 */
int lfs_fsync(struct lfs *fs, lfs_ino_t ino, bool data_only);

#define LFS_FALLOC_KEEP_SIZE      0x01u /* fallocate(2)'s values */
#define LFS_FALLOC_PUNCH_HOLE     0x02u
#define LFS_FALLOC_COLLAPSE_RANGE 0x08u
#define LFS_FALLOC_ZERO_RANGE     0x10u
#define LFS_FALLOC_INSERT_RANGE   0x20u
#define LFS_FALLOC_UNSHARE_RANGE  0x40u

/**
 * lfs_fallocate() - Space that is reserved is there when written.
 *
 * Zeroing parts of blocks and the blocks between them are changes of their own: on -ENOSPC, -ENOMEM or -EIO some of them
 * may have been made. Return: 0; -EOPNOTSUPP (mode), -EINVAL, -EFBIG, -ENODEV.
 */
int lfs_fallocate(struct lfs *fs, lfs_ino_t ino, uint32_t mode, uint64_t offset, uint64_t len);

#define LFS_SEEK_DATA 3
#define LFS_SEEK_HOLE 4

/** lfs_lseek() - Return: the offset; -ENXIO: at or past the end, or no data after it. -EINVAL. */
int64_t lfs_lseek(struct lfs *fs, lfs_ino_t ino, uint64_t offset, int whence);

/**
 * lfs_clone_range() - copy_file_range(2): whole blocks become shared, the rest is copied.
 *
 * Cost:   In proportion to the extents, not the bytes. Return: bytes (as read(2): short at the end of @src); -EINVAL:
 *         ranges of one file overlap; -EISDIR, -EFBIG.
 */
ssize_t lfs_clone_range(struct lfs *fs, lfs_ino_t src, uint64_t src_offset, lfs_ino_t dst,
			uint64_t dst_offset, uint64_t len);

#define LFS_EXTENT_UNWRITTEN 0x1u /* reserved, reads as zeroes */
#define LFS_EXTENT_SHARED    0x2u
#define LFS_EXTENT_INLINE    0x4u /* in the inode: physical means nothing */
#define LFS_EXTENT_LAST      0x8u

/** struct lfs_extent - For FIEMAP. All in bytes. */
struct lfs_extent {
	uint64_t logical, physical, length;
	uint32_t flags;
};

/** lfs_extents() - Visit extents that meet [offset, offset + len). @fn: true to go on; no lock is held. */
int lfs_extents(struct lfs *fs, lfs_ino_t ino, uint64_t offset, uint64_t len,
		bool (*fn)(void *ctx, const struct lfs_extent *extent), void *ctx);

/* ---- Extended attributes ------------------------------------------------------------------- */

#define LFS_XATTR_CREATE  0x1u /* setxattr(2)'s values */
#define LFS_XATTR_REPLACE 0x2u

/**
 * Names are whole ("user.x", "trusted.x", "security.x", "system.posix_acl_access", "system.posix_acl_default");
 * others are -EOPNOTSUPP. Setting the access ACL sets the mode, as POSIX wants.
 *
 * lfs_getxattr() - Return: bytes of the value (@size 0: only that), -ENODATA, -ERANGE (@size too small).
 * lfs_setxattr() - Return: 0, -EEXIST, -ENODATA, -E2BIG, -ENOSPC (of the inode), -ERANGE (name), -EINVAL (ACL).
 * lfs_listxattr() - Names, each with its NUL. Return: bytes (@size 0: only that), -ERANGE.
 * lfs_removexattr() - Return: 0, -ENODATA.
 */
ssize_t lfs_getxattr(struct lfs *fs, lfs_ino_t ino, const char *name, void *value, size_t size);
int lfs_setxattr(struct lfs *fs, lfs_ino_t ino, const char *name, const void *value, size_t size,
		 uint32_t flags);
ssize_t lfs_listxattr(struct lfs *fs, lfs_ino_t ino, char *names, size_t size);
int lfs_removexattr(struct lfs *fs, lfs_ino_t ino, const char *name);

/* ---- Figures ------------------------------------------------------------------------------- */

/** struct lfs_statfs - Blocks of 4 KiB. @avail: what files can still get. */
struct lfs_statfs {
	uint64_t blocks, free, avail, files, files_free;
};

int lfs_statfs(struct lfs *fs, struct lfs_statfs *out);

/**
 * struct lfs_stats - What lfs-stat shows. Counters are since the mount.
 *
 * Write amplification is (device_blocks_written) / (user_blocks_written).
 */
struct lfs_stats {
	/* Space, in blocks and segments. */
	uint64_t blocks, live_blocks, reserved_blocks;
	uint64_t segments, free_segments, pending_segments;
	uint64_t inodes, shared_blocks;
	/* Writing. */
	uint64_t user_blocks_written, device_blocks_written, device_blocks_read;
	uint64_t journal_blocks, meta_blocks, cleaner_blocks;
	uint64_t flushes, commits, checkpoints;
	uint64_t segments_cleaned, cleaner_blocks_read;
	/* Memory. */
	uint64_t cap_bytes, cache_bytes, index_bytes, inode_bytes, buffer_bytes;
	uint64_t cached_blocks, cached_inodes, references, cache_hits, cache_misses;
	/* Maps that are in memory now. */
	uint64_t open_maps, map_lookups, map_lookup_ns, map_updates;
	/* Damage seen. */
	uint64_t checksum_errors, read_errors, healed;
};

void lfs_get_stats(struct lfs *fs, struct lfs_stats *out);

/**
 * struct lfs_map_stats - One map, by a walk over it. @pages_bytes: on disk, page tables included. @memory_bytes: now.
 * @window: Entries in the widest search window. @depth: nodes on a path. 0 where the map is inline.
 */
struct lfs_map_stats {
	uint64_t extents, blocks, disk_bytes, memory_bytes, nodes;
	uint32_t depth, window;
	bool is_inline;
};

/** lfs_get_map_stats() - The map of a file or directory. Cost: one pass over its runs. */
int lfs_get_map_stats(struct lfs *fs, lfs_ino_t ino, struct lfs_map_stats *out);

/* ---- Check --------------------------------------------------------------------------------- */

enum lfs_severity { LFS_FOUND_FIXED = 0, LFS_FOUND_DAMAGE, LFS_FOUND_FATAL };

/**
 * struct lfs_check_options -
 * @repair:   Write what is safe to repair. Else the device is not written to.
 * @scrub:    Read and verify every live block of data too.
 * @found:    Called for each finding, with one line.
 * @progress: Called now and then; @total may grow.
 */
struct lfs_check_options {
	bool repair, scrub;
	uint64_t cap_bytes;
	void (*found)(void *ctx, enum lfs_severity severity, const char *line);
	void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
	void *ctx;
};

struct lfs_check_result {
	uint64_t findings, fixed, inodes, directories, extents, blocks, scrubbed_blocks;
};

/**
 * lfs_check() - The engine of fsck: superblocks, checkpoint, log, every inode, map, directory, link count, live
 * bitmap; each map's own validator (lindex_check()).
 *
 * Context: The device is not mounted.
 * Return:  0: sound, or all repaired; -EUCLEAN: findings remain; lfs_mount()'s errors.
 */
int lfs_check(struct lfs_bdev *dev, const struct lfs_check_options *opt,
	      struct lfs_check_result *result);

/** lfs_check_mounted() - The same on a mounted filesystem, without repair; changes wait meanwhile. */
int lfs_check_mounted(struct lfs *fs, const struct lfs_check_options *opt,
		      struct lfs_check_result *result);

/* ---- Dump ---------------------------------------------------------------------------------- */

/**
 * struct lfs_dump_sink - Takes a tree of named values: print it as text or as JSON.
 * @open:  A group begins; @key is NULL inside a list. @close: it ends.
 * @number, @text: One value.
 */
struct lfs_dump_sink {
	void (*open)(void *ctx, const char *key, bool is_list);
	void (*close)(void *ctx);
	void (*number)(void *ctx, const char *key, uint64_t value);
	void (*text)(void *ctx, const char *key, const char *value);
	void *ctx;
};

/**
 * Each dumps one thing as it is on the device, as the last checkpoint (and the log after it) has it; damage becomes a
 * field "error".
 *
 * lfs_dump_super() - Both superblocks. lfs_dump_checkpoint(): both checkpoint regions.
 * lfs_dump_segment() - State, table, chunks and their records. -EINVAL: no such segment.
 * lfs_dump_inode() - Attributes, xattr names. lfs_dump_map(): runs, models and windows.
 * lfs_dump_dir() - Entries, with hash and place.
 */
int lfs_dump_super(struct lfs_bdev *dev, const struct lfs_dump_sink *sink);
int lfs_dump_checkpoint(struct lfs_bdev *dev, const struct lfs_dump_sink *sink);
int lfs_dump_segment(struct lfs *fs, uint64_t segment, const struct lfs_dump_sink *sink);
int lfs_dump_inode(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink);
int lfs_dump_map(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink);
int lfs_dump_dir(struct lfs *fs, lfs_ino_t ino, const struct lfs_dump_sink *sink);

#endif /* LFS_H */
