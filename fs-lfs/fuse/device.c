/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The image as the engine sees it: the device of bdev.h, which tells the loop when a call will probably take long.
 *
 * Probably: as long as the latest ones of its kind did, on average. An image in memory is never worth another
 * thread; a disk always is.
 */
#include "server.h"

#include <stdlib.h>
#include <time.h>

#define SLOW_NS 40000 /* to wake another thread costs about as much */

struct patient_device {
	struct lfs_bdev bdev;
	struct lfs_bdev *below;
	atomic_long read_ns, write_ns, flush_ns; /* moving averages */
};

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static long begin(atomic_long *average)
{
	if (atomic_load_explicit(average, memory_order_relaxed) > SLOW_NS)
		loop_will_wait();
	return now_ns();
}

/* Concurrent ends may lose a sample: it is an estimate. */
static void end(atomic_long *average, long began)
{
	long old = atomic_load_explicit(average, memory_order_relaxed);

	atomic_store_explicit(average, old + (now_ns() - began - old) / 8, memory_order_relaxed);
}

static int device_read(struct lfs_bdev *bdev, void *buf, size_t len, uint64_t offset)
{
	struct patient_device *d = (struct patient_device *)bdev;
	long began = begin(&d->read_ns);
	int r = d->below->ops->read(d->below, buf, len, offset);

	end(&d->read_ns, began);
	return r;
}

static int device_write(struct lfs_bdev *bdev, const void *buf, size_t len, uint64_t offset)
{
	struct patient_device *d = (struct patient_device *)bdev;
	long began = begin(&d->write_ns);
	int r = d->below->ops->write(d->below, buf, len, offset);

	end(&d->write_ns, began);
	return r;
}

static int device_flush(struct lfs_bdev *bdev)
{
	struct patient_device *d = (struct patient_device *)bdev;
	long began = begin(&d->flush_ns);
	int r = d->below->ops->flush(d->below);

	end(&d->flush_ns, began);
	return r;
}

static int device_discard(struct lfs_bdev *bdev, uint64_t offset, uint64_t len)
{
	struct patient_device *d = (struct patient_device *)bdev;

	loop_will_wait();
	return d->below->ops->discard(d->below, offset, len);
}

static void device_close(struct lfs_bdev *bdev)
{
	struct patient_device *d = (struct patient_device *)bdev;

	lfs_bdev_close(d->below);
	free(d);
}

static const struct lfs_bdev_ops with_discard = { device_read, device_write, device_flush,
						  device_discard, device_close };
static const struct lfs_bdev_ops without_discard = { device_read, device_write, device_flush, NULL,
						     device_close };

struct lfs_bdev *device_create(struct lfs_bdev *below)
{
	struct patient_device *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->bdev = *below;
	d->bdev.ops = below->ops->discard ? &with_discard : &without_discard;
	d->below = below;
	return &d->bdev;
}

int device_refresh(struct lfs_bdev *bdev)
{
	struct patient_device *d = (struct patient_device *)bdev;
	int r = lfs_bdev_file_refresh(d->below);

	d->bdev.size_bytes = d->below->size_bytes;
	return r;
}
