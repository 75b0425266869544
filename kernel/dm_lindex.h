/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dm-lindex: what a metadata device holds, and the map made from it. The first part is shared with user space
 * (tools/lindex-dm.c), which makes what the target reads.
 *
 * On the metadata device, from the offset that the table line names (in sectors of 512 bytes):
 *
 *      0       8         12           16            24            32             40     48     4088    4092
 *      +-------+---------+------------+-------------+-------------+--------------+------+------+-------+------+
 *      | magic | version | unit_shift | image_bytes | map_sectors | data_sectors | runs | zero | crc32 | zero |
 *      +-------+---------+------------+-------------+-------------+--------------+------+------+-------+------+
 *   4096  the lindex image (lindex/image.h), image_bytes
 *
 * All integers are little-endian. Keys and values of the image count units of 2^unit_shift sectors of 512 bytes: key
 * k is sectors [k << unit_shift, (k + 1) << unit_shift) of the mapped device, its value the same on the data device.
 * map_sectors and data_sectors are one more than the last sector that is mapped, and that is mapped to.
 */
#ifndef DM_LINDEX_H
#define DM_LINDEX_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#endif

#define DM_LINDEX_MAGIC        0x3150414d44584c44ull /* "DLXDMAP1" */
#define DM_LINDEX_VERSION      1
#define DM_LINDEX_HEADER_BYTES 4096
#define DM_LINDEX_UNIT_MAX     30

struct dm_lindex_header {
	__le64 magic;
	__le32 version, unit_shift;
	__le64 image_bytes, map_sectors, data_sectors, runs;
	__u8 zero[4088 - 48];
	__le32 crc32; /* of the bytes before it, as zlib has it */
	__le32 zero_end;
};

static_assert(sizeof(struct dm_lindex_header) == DM_LINDEX_HEADER_BYTES, "header is a page");

#ifdef __KERNEL__
#include <linux/device-mapper.h>

#include "../lindex/lindex.h"

/**
 * struct dm_lindex_map - An image that was certified, and may be asked.
 * @bytes:        The private copy that @ix stands on.
 * @offset:       Where on the metadata device it came from.
 * @data_sectors: What the walk over all runs found, not what the header says.
 */
struct dm_lindex_map {
	struct lindex_pool *pool;
	struct lindex *ix;
	struct lindex_cert cert;
	void *bytes;
	unsigned int unit_shift;
	sector_t offset, map_sectors, data_sectors;
	u64 load_us;
};

/**
 * dm_lindex_map_load() - Read, certify and open an image.
 * @meta:   Device, and @offset on it in sectors.
 * @data:   Device that values have to lie on.
 * @limits: What is admitted.
 * @why:    Output on an error: static text for the table's error; the log has one line with figures.
 *
 * Context: Process; sleeps, allocates the image's size. Return: 0 or negative errno, nothing is left then.
 */
int dm_lindex_map_load(struct dm_dev *meta, sector_t offset, struct dm_dev *data,
		       const struct lindex_limits *limits, struct dm_lindex_map **out, char **why);

void dm_lindex_map_free(struct dm_lindex_map *map);
#endif

#endif
