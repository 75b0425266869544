/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A device that is an image file or a block device of the host. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bdev.h"

struct bdev_file {
	struct lfs_bdev dev;
	int fd;
	bool is_device;
};

static int file_read(struct lfs_bdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct bdev_file *file = (struct bdev_file *)dev;
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(file->fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		to += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int file_write(struct lfs_bdev *dev, const void *buf, size_t len, uint64_t offset)
{
	struct bdev_file *file = (struct bdev_file *)dev;
	const uint8_t *from = buf;

	if (dev->read_only)
		return -EROFS;
	if (offset > dev->size_bytes || len > dev->size_bytes - offset)
		return -EIO;
	while (len) {
		ssize_t n = pwrite(file->fd, from, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Sizes never change under a mount but by lfs_bdev_file_resize(), which syncs: data is enough. */
static int file_flush(struct lfs_bdev *dev)
{
	return fdatasync(((struct bdev_file *)dev)->fd) ? -errno : 0;
}

static int file_discard(struct lfs_bdev *dev, uint64_t offset, uint64_t len)
{
	struct bdev_file *file = (struct bdev_file *)dev;
	uint64_t range[2] = { offset, len };

	if (dev->read_only)
		return -EROFS;
	if (file->is_device)
		return ioctl(file->fd, BLKDISCARD, range) ? -errno : 0;
	return fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
			 (off_t)len) ?
		       -errno :
		       0;
}

static void file_close(struct lfs_bdev *dev)
{
	close(((struct bdev_file *)dev)->fd);
	free(dev);
}

static const struct lfs_bdev_ops file_ops = { file_read, file_write, file_flush, file_discard,
					      file_close };

int lfs_bdev_file_refresh(struct lfs_bdev *dev)
{
	struct bdev_file *file = (struct bdev_file *)dev;
	struct stat st;

	if (fstat(file->fd, &st))
		return -errno;
	if (S_ISBLK(st.st_mode)) {
		file->is_device = true;
		return ioctl(file->fd, BLKGETSIZE64, &dev->size_bytes) ? -errno : 0;
	}
	if (!S_ISREG(st.st_mode))
		return -ENOTBLK;
	dev->size_bytes = (uint64_t)st.st_size;
	return 0;
}

int lfs_bdev_file_open(const char *path, uint32_t flags, struct lfs_bdev **dev)
{
	int mode = flags & LFS_BDEV_READ_ONLY ? O_RDONLY : O_RDWR, err;
	struct bdev_file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	if (flags & LFS_BDEV_CREATE)
		mode |= O_CREAT;
	file->fd = open(path, mode | O_CLOEXEC | O_NONBLOCK, 0666);
	if (file->fd < 0) {
		err = -errno;
		free(file);
		return err;
	}
	file->dev.ops = &file_ops;
	file->dev.read_only = flags & LFS_BDEV_READ_ONLY;
	err = lfs_bdev_file_refresh(&file->dev);
	if (!err && !(flags & LFS_BDEV_NO_LOCK) &&
	    flock(file->fd, (flags & LFS_BDEV_READ_ONLY ? LOCK_SH : LOCK_EX) | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err) {
		file_close(&file->dev);
		return err;
	}
	*dev = &file->dev;
	return 0;
}

int lfs_bdev_file_resize(struct lfs_bdev *dev, uint64_t size_bytes)
{
	struct bdev_file *file = (struct bdev_file *)dev;

	if (size_bytes % LFS_BLOCK_BYTES)
		return -EINVAL;
	if (file->is_device)
		return size_bytes <= dev->size_bytes ? 0 : -ENOSPC;
	if (dev->read_only)
		return -EROFS;
	if (ftruncate(file->fd, (off_t)size_bytes) || fsync(file->fd))
		return -errno;
	dev->size_bytes = size_bytes;
	return 0;
}
