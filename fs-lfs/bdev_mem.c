/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A device in memory: flushes are free, nothing survives. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bdev.h"

struct bdev_mem {
	struct lfs_bdev dev;
	uint8_t *bytes;
};

static bool inside(const struct lfs_bdev *dev, size_t len, uint64_t offset)
{
	return offset <= dev->size_bytes && len <= dev->size_bytes - offset;
}

static int mem_read(struct lfs_bdev *dev, void *buf, size_t len, uint64_t offset)
{
	if (!inside(dev, len, offset))
		return -EIO;
	memcpy(buf, ((struct bdev_mem *)dev)->bytes + offset, len);
	return 0;
}

static int mem_write(struct lfs_bdev *dev, const void *buf, size_t len, uint64_t offset)
{
	if (dev->read_only)
		return -EROFS;
	if (!inside(dev, len, offset))
		return -EIO;
	memcpy(((struct bdev_mem *)dev)->bytes + offset, buf, len);
	return 0;
}

static int mem_flush(struct lfs_bdev *dev)
{
	(void)dev;
	return 0;
}

static int mem_discard(struct lfs_bdev *dev, uint64_t offset, uint64_t len)
{
	if (!inside(dev, len, offset))
		return -EIO;
	return madvise(((struct bdev_mem *)dev)->bytes + offset, len, MADV_DONTNEED) ? -errno : 0;
}

static void mem_close(struct lfs_bdev *dev)
{
	munmap(((struct bdev_mem *)dev)->bytes, dev->size_bytes);
	free(dev);
}

static const struct lfs_bdev_ops mem_ops = { mem_read, mem_write, mem_flush, mem_discard,
					     mem_close };

int lfs_bdev_mem_create(uint64_t size_bytes, struct lfs_bdev **dev)
{
	struct bdev_mem *mem = calloc(1, sizeof(*mem));

	if (!mem)
		return -ENOMEM;
	mem->bytes = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->bytes == MAP_FAILED) {
		free(mem);
		return -ENOMEM;
	}
	mem->dev.ops = &mem_ops;
	mem->dev.size_bytes = size_bytes;
	*dev = &mem->dev;
	return 0;
}

void *lfs_bdev_mem_bytes(struct lfs_bdev *dev)
{
	return ((struct bdev_mem *)dev)->bytes;
}
