/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The device under the filesystem: one small table of five calls. Everything that the engine reads or writes
 * goes through it, so that a test can stand in for a disk (tests/harness/bdev_crash.c).
 *
 * What a device may do to a crash is part of the contract:
 *   B1  A write is durable when a flush() that began after it returned has returned 0.
 *   B2  Of the writes since the last such flush any subset may be on the medium after a crash, in any order, and
 *       each of them torn at multiples of LFS_SECTOR_BYTES.
 *   B3  A write changes the bytes that it was given and no others.
 *   B4  read() gives the bytes written last, durable or not.
 * What happens outside this contract (lost writes, bits that change) the engine notices by its checksums.
 *
 * Offsets and lengths are bytes, multiples of LFS_BLOCK_BYTES. All calls may come from several threads at once;
 * the engine never lets a write overlap another call's range.
 */
#ifndef LFS_BDEV_H
#define LFS_BDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LFS_BLOCK_BYTES  4096u
#define LFS_SECTOR_BYTES 512u

struct lfs_bdev;

/**
 * struct lfs_bdev_ops - The table. Each returns 0 or a negative errno.
 * @read:    Fill @buf. -EIO past the end.
 * @write:   -EROFS where the device is read-only.
 * @flush:   What was written before is durable (B1).
 * @discard: The range's contents are of no interest any more; they read as anything until written. May be NULL.
 * @close:   Free the device. May be NULL.
 */
struct lfs_bdev_ops {
	int (*read)(struct lfs_bdev *dev, void *buf, size_t len, uint64_t offset);
	int (*write)(struct lfs_bdev *dev, const void *buf, size_t len, uint64_t offset);
	int (*flush)(struct lfs_bdev *dev);
	int (*discard)(struct lfs_bdev *dev, uint64_t offset, uint64_t len);
	void (*close)(struct lfs_bdev *dev);
};

/**
 * struct lfs_bdev - A device; implementations put it first in their own struct.
 * @size_bytes: Read when mounting, and by lfs_grow().
 * @read_only:  write() would fail: only read-only mounts.
 */
struct lfs_bdev {
	const struct lfs_bdev_ops *ops;
	uint64_t size_bytes;
	bool read_only;
};

/* Flags of lfs_bdev_file_open(). */
#define LFS_BDEV_READ_ONLY 0x1u
#define LFS_BDEV_NO_LOCK   0x2u /* a reader beside a mount: what it sees may be torn */
#define LFS_BDEV_CREATE    0x4u /* make the file if it does not exist */

/**
 * lfs_bdev_file_open() - An image file or a block device.
 * @path:  The file stays open, and locked against others (flock, exclusive; shared if read-only).
 * @flags: LFS_BDEV_*.
 * @dev:   Output; lfs_bdev_close() it.
 *
 * Return: 0; -EBUSY: locked by another process; -ENOTBLK: neither a file nor a block device; open(2)'s errors.
 */
int lfs_bdev_file_open(const char *path, uint32_t flags, struct lfs_bdev **dev);

/**
 * lfs_bdev_file_resize() - Make the image file @size_bytes long (sparse) and set dev->size_bytes.
 *
 * Return: 0; -EINVAL: not a multiple of a block; -ENOSPC: a block device is smaller; ftruncate(2)'s errors.
 */
int lfs_bdev_file_resize(struct lfs_bdev *dev, uint64_t size_bytes);

/** lfs_bdev_file_refresh() - Look again how long the file or device is (someone made it longer). */
int lfs_bdev_file_refresh(struct lfs_bdev *dev);

/** lfs_bdev_mem_create() - Memory, zero-filled, given back by close. Return: 0, -ENOMEM. */
int lfs_bdev_mem_create(uint64_t size_bytes, struct lfs_bdev **dev);

/** lfs_bdev_mem_bytes() - The memory itself, for tests that damage it. */
void *lfs_bdev_mem_bytes(struct lfs_bdev *dev);

static inline void lfs_bdev_close(struct lfs_bdev *dev)
{
	if (dev && dev->ops->close)
		dev->ops->close(dev);
}

#endif
