/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lfs-scale: what the filesystem promises of large images, measured in process on an image in memory, and printed beside
 * the bar. Counts are exact; times are of this machine, now.
 */
#ifndef SCALE_H
#define SCALE_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "lfs.h"
#include "rng.h"

#define MIB   ((uint64_t)1 << 20)
#define BLOCK 4096u

/** struct scale - An image in memory, mounted. @quick: a tenth of the size. */
struct scale {
	struct lfs_bdev *dev;
	struct lfs *fs;
	uint8_t *buf; /* 1 MiB */
	struct rng rng;
	bool quick;
};

void scale_open(struct scale *s, uint64_t bytes, uint64_t cap_bytes);
void scale_close(struct scale *s);

/** scale_remount() - Unmount, mount again. Return: seconds that the mount took. */
double scale_remount(struct scale *s, uint64_t cap_bytes);

struct lfs_stats scale_stats(const struct scale *s);
lfs_ino_t scale_make(struct scale *s, const char *name);
double scale_now(void);

/** scale_bar() - A line of the result: @figure has to be at most @bar. */
void scale_bar(const char *what, double figure, double bar, const char *unit);

/** scale_say() - A line that explains. */
void scale_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The parts. */
void scale_amplify(struct scale *s);
void scale_fragments(struct scale *s);
void scale_extents(struct scale *s);
void scale_files(struct scale *s);

#endif
