/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A disk that remembers what was done to it, and the images that a crash at any instant may have left (bdev.h,
 * B1 to B4).
 *
 *     crash_layer   contents: what is written here, over the layer below; no image is ever copied
 *     crash_disk    a device on a layer; records each write with its data, each flush, each discard
 *     crash_sweep   walks over the record, epoch by epoch, and makes one image after another
 *
 *          record:   w w w F w w F w w w w F w        an epoch: the writes between two flushes
 *                              \___/
 *     an image:      all before, any subset of these, each of them whole or torn, in any order, none after
 *
 * An image comes with the bounds of what may be found in it: the disk's user marks its progress (crash_disk_mark()),
 * and each event keeps the mark that it came at.
 */
#ifndef HARNESS_BDEV_CRASH_H
#define HARNESS_BDEV_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bdev.h"
#include "rng.h"

/* ---- Layers ---------------------------------------------------------------------------------------- */

/**
 * struct crash_layer - Blocks written here, over @below (NULL: zeroes). The layer below stays as it is meanwhile.
 * @own:     A block's bytes, or NULL where @below has them.
 * @touched: Numbers of the blocks that are not NULL, so that clearing costs what was written.
 */
struct crash_layer {
	const struct crash_layer *below;
	uint8_t **own;
	uint64_t blocks;
	uint32_t *touched;
	size_t n_touched, room;
};

void crash_layer_init(struct crash_layer *layer, uint64_t bytes, const struct crash_layer *below);
void crash_layer_destroy(struct crash_layer *layer);

/** crash_layer_clear() - As the layer below again. */
void crash_layer_clear(struct crash_layer *layer);

/** crash_layer_block() - To read; valid until the next change. */
const uint8_t *crash_layer_block(const struct crash_layer *layer, uint64_t block);

/** crash_layer_write() - Any bytes anywhere: bounds are the caller's. */
void crash_layer_write(struct crash_layer *layer, uint64_t offset, const void *data, size_t len);

/** crash_layer_read() - Also in any unit. */
void crash_layer_read(const struct crash_layer *layer, uint64_t offset, void *data, size_t len);

/** crash_layer_merge() - Bring into @to what the layers from @from down to it have. They keep it. */
void crash_layer_merge(struct crash_layer *to, const struct crash_layer *from);

/** crash_layer_save() - As an image file, for the tools. */
void crash_layer_save(const struct crash_layer *layer, const char *path);

/* ---- Disk ------------------------------------------------------------------------------------------- */

enum crash_event_kind { CRASH_WRITE, CRASH_FLUSH, CRASH_DISCARD };

struct crash_event {
	enum crash_event_kind kind;
	uint32_t mark;
	uint64_t offset, len;
	uint8_t *data; /* of a write */
};

/**
 * struct crash_disk - A device; &disk->dev is what the engine gets.
 * @layer:       Where it reads and writes.
 * @recording:   Keep events. Without it, it is just a disk.
 * @events:      The record.
 * @reads:       Calls of read() and the blocks they asked for.
 * @fail_writes: Refuse the n-th write from now (1: the next) and all after it with -EIO; 0: none.
 */
struct crash_disk {
	struct lfs_bdev dev;
	struct crash_layer *layer;
	bool recording;
	uint32_t mark;
	struct crash_event *events;
	size_t n_events, room;
	uint64_t reads, blocks_read, fail_writes;
};

void crash_disk_init(struct crash_disk *disk, struct crash_layer *layer);
void crash_disk_destroy(struct crash_disk *disk);

/** crash_disk_mark() - Events from here on carry @mark, which never falls. */
void crash_disk_mark(struct crash_disk *disk, uint32_t mark);

/** crash_disk_forget() - Empty the record. */
void crash_disk_forget(struct crash_disk *disk);

/* ---- Sweep ------------------------------------------------------------------------------------------- */

#define CRASH_ALL_SUBSETS 8u /* writes in an epoch of which every subset is tried */

/**
 * struct crash_image - One image, and where it comes from: what a replay line names.
 * @epoch:  Number of the epoch in the record, from 0.
 * @number: Of the image in its epoch: same record, same seed, same image.
 * @end:    Events that were issued: every one before it, and none from it on.
 * @newest: Mark of the last write of which anything is on the disk: nothing later can be found.
 * @how:    What was done, for the one who debugs.
 */
struct crash_image {
	uint32_t epoch, number;
	size_t end;
	uint32_t newest;
	char how[120];
};

/** struct crash_budget - How many images an epoch may cost. @random: subsets where not all are tried (at least). */
struct crash_budget {
	uint32_t random, torn, all_but_one, prefixes;
};

extern const struct crash_budget crash_budget_full, crash_budget_short;

/**
 * struct crash_sweep - Over the record of @disk, which began on @base.
 * @image: The image that crash_sweep_next() has made, on layer @state.
 *
 * Images that are equal to one that this epoch has had are passed over: what is counted is different.
 */
struct crash_sweep {
	const struct crash_disk *disk;
	struct crash_budget budget;
	uint64_t seed;
	struct crash_layer durable, state;
	struct crash_image image;
	size_t begin, end; /* events of this epoch */
	size_t *writes, n_writes, room;
	uint32_t next; /* number of the next image */
	bool done;
	uint64_t *seen; /* hashes of this epoch's images, open addressing */
	size_t n_seen, seen_room;
	uint64_t repeated;
};

void crash_sweep_init(struct crash_sweep *sweep, const struct crash_disk *disk,
		      const struct crash_layer *base, const struct crash_budget *budget,
		      uint64_t seed);
void crash_sweep_destroy(struct crash_sweep *sweep);

/** crash_sweep_next() - Make the next image. Return: false: there is none. */
bool crash_sweep_next(struct crash_sweep *sweep);

/** crash_sweep_seek() - Make just that image. Return: false: no such. */
bool crash_sweep_seek(struct crash_sweep *sweep, uint32_t epoch, uint32_t number);

#endif
