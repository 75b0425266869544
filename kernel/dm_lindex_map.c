// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * From bytes on a metadata device to a map that may be asked, or to one line in the log that says what is wrong.
 * Bytes are believed in this order: the header after its checksum, the image after lindex has certified it, and its
 * values after a walk over every run.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/crc32.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dm_lindex.h"

#define DM_MSG_PREFIX "lindex"

#define READ_PAGES 256 /* of one request */

/* ---- Reading -------------------------------------------------------------------------------------- */

/* Whole pages that vmalloc() gave; the last may be read in part. */
static int read_pages(struct dm_dev *meta, sector_t sector, u8 *to, size_t bytes)
{
	struct bio *bio = bio_alloc(meta->bdev, READ_PAGES, REQ_OP_READ, GFP_KERNEL);
	size_t at;
	int err = 0;

	bio->bi_iter.bi_sector = sector;
	for (at = 0; at < bytes && !err; at += PAGE_SIZE) {
		unsigned int len = min_t(size_t, bytes - at, PAGE_SIZE);

		if (bio_add_page(bio, vmalloc_to_page(to + at), len, 0) != len)
			err = -EIO;
	}
	if (!err)
		err = submit_bio_wait(bio);
	bio_put(bio);
	return err;
}

/* @to comes from vmalloc(); [@sector, @sector + @bytes) was checked against the device. */
static int read_bytes(struct dm_dev *meta, sector_t sector, void *to, u64 bytes)
{
	u64 at, take;
	int err = 0;

	for (at = 0; at < bytes && !err; at += take) {
		take = min_t(u64, bytes - at, READ_PAGES * PAGE_SIZE);
		err = read_pages(meta, sector + (at >> SECTOR_SHIFT), to + at, take);
		cond_resched();
	}
	return err;
}

/* ---- The header ----------------------------------------------------------------------------------- */

static int header_says(const struct dm_lindex_header *h, struct dm_dev *meta, sector_t offset,
		       char **why)
{
	u32 crc = ~crc32_le(~0, (const u8 *)h, offsetof(struct dm_lindex_header, crc32));
	u64 room = bdev_nr_sectors(meta->bdev) - offset;

	if (le64_to_cpu(h->magic) != DM_LINDEX_MAGIC) {
		*why = "metadata holds no lindex map";
		DMERR("%s: sector %llu: magic %#llx, not %#llx", meta->name, (u64)offset,
		      le64_to_cpu(h->magic), DM_LINDEX_MAGIC);
		return -EINVAL;
	}
	if (le32_to_cpu(h->crc32) != crc) {
		*why = "header is damaged";
		DMERR("%s: sector %llu: header checksum %#x, not %#x", meta->name, (u64)offset, crc,
		      le32_to_cpu(h->crc32));
		return -EBADMSG;
	}
	if (le32_to_cpu(h->version) != DM_LINDEX_VERSION ||
	    le32_to_cpu(h->unit_shift) > DM_LINDEX_UNIT_MAX) {
		*why = "header is of another version";
		DMERR("%s: sector %llu: version %u, unit shift %u", meta->name, (u64)offset,
		      le32_to_cpu(h->version), le32_to_cpu(h->unit_shift));
		return -EINVAL;
	}
	if (!h->image_bytes || le64_to_cpu(h->image_bytes) % DM_LINDEX_HEADER_BYTES ||
	    le64_to_cpu(h->image_bytes) > (room << SECTOR_SHIFT) - DM_LINDEX_HEADER_BYTES) {
		*why = "image does not fit the metadata device";
		DMERR("%s: sector %llu: an image of %llu bytes, room for %llu", meta->name,
		      (u64)offset, le64_to_cpu(h->image_bytes),
		      (room << SECTOR_SHIFT) - DM_LINDEX_HEADER_BYTES);
		return -EINVAL;
	}
	return 0;
}

static int read_header(struct dm_dev *meta, sector_t offset, struct dm_lindex_header **out,
		       char **why)
{
	sector_t sectors = bdev_nr_sectors(meta->bdev);
	struct dm_lindex_header *h;
	int err;

	if (offset >= sectors || sectors - offset < DM_LINDEX_HEADER_BYTES >> SECTOR_SHIFT) {
		*why = "offset is past the metadata device";
		DMERR("%s: offset %llu of %llu sectors", meta->name, (u64)offset, (u64)sectors);
		return -EINVAL;
	}
	h = vmalloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	err = read_bytes(meta, offset, h, sizeof(*h));
	if (err) {
		*why = "metadata cannot be read";
		DMERR("%s: sector %llu: read error %d", meta->name, (u64)offset, err);
	} else {
		err = header_says(h, meta, offset, why);
	}
	if (err) {
		vfree(h);
		return err;
	}
	*out = h;
	return 0;
}

/* ---- The image ------------------------------------------------------------------------------------ */

static int open_image(struct dm_lindex_map *map, u64 bytes, struct dm_dev *meta, sector_t offset,
		      const struct lindex_limits *limits, char **why)
{
	struct lindex_reason reason = {};
	int err;

	err = lindex_pool_create(NULL, &map->pool);
	if (err)
		return err;
	err = lindex_open_image(map->pool, map->bytes, bytes, limits, &map->cert, &reason,
				&map->ix);
	if (!err || err == -ENOMEM)
		return err;
	*why = err == -E2BIG ? "image is over the limits" : "image is damaged";
	DMERR("%s: sector %llu: image refused (%d) at byte %llu: %s; expected %llu, found %llu",
	      meta->name, (u64)offset, err, reason.offset, reason.text ?: "no reason",
	      reason.expected, reason.found);
	return err;
}

/* The certificate says that lookups are safe; here: that what they return is a place on the data device. */
static int run_says(const struct lindex_run *run, unsigned int shift, u64 data_units, char **why)
{
	u64 length = run->last - run->first; /* less one */

	if (run->step != 1 && length) {
		*why = "image is of another kind: values do not count up";
		return -EINVAL;
	}
	if (run->last >= ((u64)1 << (63 - shift))) {
		*why = "image maps keys past the last sector";
		return -EINVAL;
	}
	if (run->value >= data_units || length >= data_units - run->value) {
		*why = "image points past the data device";
		return -ERANGE;
	}
	return 0;
}

/* No reader but this one: the walk still holds the read side, and drops it now and then. */
static int check_runs(struct dm_lindex_map *map, struct dm_dev *data, char **why)
{
	unsigned int shift = map->unit_shift;
	u64 data_units = bdev_nr_sectors(data->bdev) >> shift, end;
	struct lindex_cursor cur;
	struct lindex_run run;
	u64 count = 0;
	int err;

	lindex_cursor_init(&cur, map->ix, 0);
	rcu_read_lock();
	while (!(err = lindex_cursor_next(&cur, &run))) {
		err = run_says(&run, shift, data_units, why);
		if (err) {
			rcu_read_unlock();
			DMERR("%s: %s: units [%llu, %llu] to %llu, device has %llu of %llu sectors",
			      data->name, *why, run.first, run.last, run.value, data_units,
			      1ULL << shift);
			return err;
		}
		map->map_sectors = (run.last + 1) << shift;
		end = (run.value + (run.last - run.first) + 1) << shift;
		map->data_sectors = max_t(sector_t, map->data_sectors, end);
		if (!(++count % 4096)) {
			rcu_read_unlock();
			cond_resched();
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	if (err == -ENOENT && count == map->cert.runs)
		return 0;
	*why = "image has other runs than it says";
	DMERR("%s: %s: walk ended with %d after %llu runs, expected %llu", data->name, *why, err,
	      count, map->cert.runs);
	return -EUCLEAN;
}

static int fits_blocks(const struct dm_lindex_map *map, struct dm_dev *data, char **why)
{
	unsigned int unit = 1u << min(map->unit_shift, 21u) << SECTOR_SHIFT;

	if (unit % bdev_logical_block_size(data->bdev)) {
		*why = "unit of the image is smaller than a block of the data device";
		DMERR("%s: unit of %u bytes, logical blocks of %u", data->name, unit,
		      bdev_logical_block_size(data->bdev));
		return -EINVAL;
	}
	return 0;
}

/* ---- Load ----------------------------------------------------------------------------------------- */

void dm_lindex_map_free(struct dm_lindex_map *map)
{
	if (!map)
		return;
	lindex_free(map->ix);
	if (map->pool)
		lindex_pool_free(map->pool);
	vfree(map->bytes);
	kfree(map);
}

static int load(struct dm_lindex_map *map, struct dm_dev *meta, sector_t offset,
		struct dm_dev *data, const struct lindex_limits *limits, char **why)
{
	struct dm_lindex_header *h;
	u64 bytes;
	int err;

	/* Who wrote the image may have done so through the page cache, which is not read here. */
	err = sync_blockdev(meta->bdev);
	if (!err)
		err = read_header(meta, offset, &h, why);
	if (err)
		return err;
	bytes = le64_to_cpu(h->image_bytes);
	map->unit_shift = le32_to_cpu(h->unit_shift);
	vfree(h);
	if (limits->max_bytes && bytes > limits->max_bytes) {
		*why = "image is over the limits";
		DMERR("%s: sector %llu: image of %llu bytes, limit %llu", meta->name, (u64)offset,
		      bytes, limits->max_bytes);
		return -E2BIG;
	}
	map->bytes = __vmalloc(bytes, GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL);
	if (!map->bytes)
		return -ENOMEM;
	err = read_bytes(meta, offset + (DM_LINDEX_HEADER_BYTES >> SECTOR_SHIFT), map->bytes,
			 bytes);
	if (err) {
		*why = "metadata cannot be read";
		DMERR("%s: image at sector %llu: read error %d", meta->name, (u64)offset, err);
		return err;
	}
	err = open_image(map, bytes, meta, offset, limits, why);
	if (!err)
		err = fits_blocks(map, data, why);
	return err ?: check_runs(map, data, why);
}

int dm_lindex_map_load(struct dm_dev *meta, sector_t offset, struct dm_dev *data,
		       const struct lindex_limits *limits, struct dm_lindex_map **out, char **why)
{
	struct dm_lindex_map *map = kzalloc(sizeof(*map), GFP_KERNEL);
	ktime_t begin = ktime_get();
	int err = map ? load(map, meta, offset, data, limits, why) : -ENOMEM;

	if (err == -ENOMEM) {
		*why = "no memory for the image";
		DMERR("%s: no memory for the image at sector %llu", meta->name, (u64)offset);
	}
	if (err) {
		dm_lindex_map_free(map);
		return err;
	}
	map->offset = offset;
	map->load_us = ktime_us_delta(ktime_get(), begin);
	*out = map;
	return 0;
}
