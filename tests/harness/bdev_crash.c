/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bdev_crash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "check.h"

#define BLOCK             LFS_BLOCK_BYTES
#define SECTOR            LFS_SECTOR_BYTES
#define SECTORS_PER_BLOCK (BLOCK / SECTOR)

static void *must(void *memory)
{
	CHECK(memory, "no memory");
	return memory;
}

/* Twice as much room as there was: @n items of @size bytes fit afterwards, and one more. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	return must(realloc(array, *room * size));
}

/* ---- Layers ---------------------------------------------------------------------------------------- */

void crash_layer_init(struct crash_layer *layer, uint64_t bytes, const struct crash_layer *below)
{
	memset(layer, 0, sizeof(*layer));
	layer->below = below;
	layer->blocks = bytes / BLOCK;
	layer->own = must(calloc(layer->blocks, sizeof(*layer->own)));
}

void crash_layer_clear(struct crash_layer *layer)
{
	for (size_t i = 0; i < layer->n_touched; i++) {
		free(layer->own[layer->touched[i]]);
		layer->own[layer->touched[i]] = NULL;
	}
	layer->n_touched = 0;
}

void crash_layer_destroy(struct crash_layer *layer)
{
	if (layer->own)
		crash_layer_clear(layer);
	free(layer->own);
	free(layer->touched);
	memset(layer, 0, sizeof(*layer));
}

const uint8_t *crash_layer_block(const struct crash_layer *layer, uint64_t block)
{
	static const uint8_t zeroes[BLOCK];

	for (; layer; layer = layer->below) {
		CHECK(block < layer->blocks, "block past the end");
		if (layer->own[block])
			return layer->own[block];
	}
	return zeroes;
}

static uint8_t *block_to_write(struct crash_layer *layer, uint64_t block)
{
	CHECK(block < layer->blocks, "block past the end");
	if (!layer->own[block]) {
		uint8_t *bytes = must(malloc(BLOCK));

		memcpy(bytes, crash_layer_block(layer, block), BLOCK);
		layer->own[block] = bytes;
		layer->touched = grown(layer->touched, layer->n_touched, &layer->room,
				       sizeof(*layer->touched));
		layer->touched[layer->n_touched++] = (uint32_t)block;
	}
	return layer->own[block];
}

void crash_layer_write(struct crash_layer *layer, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *from = data;

	while (len) {
		size_t at = offset % BLOCK, n = BLOCK - at < len ? BLOCK - at : len;

		memcpy(block_to_write(layer, offset / BLOCK) + at, from, n);
		offset += n;
		from += n;
		len -= n;
	}
}

void crash_layer_read(const struct crash_layer *layer, uint64_t offset, void *data, size_t len)
{
	uint8_t *to = data;

	while (len) {
		size_t at = offset % BLOCK, n = BLOCK - at < len ? BLOCK - at : len;

		memcpy(to, crash_layer_block(layer, offset / BLOCK) + at, n);
		offset += n;
		to += n;
		len -= n;
	}
}

void crash_layer_merge(struct crash_layer *to, const struct crash_layer *from)
{
	if (from == to)
		return;
	CHECK(from, "not above that layer");
	crash_layer_merge(to, from->below);
	for (size_t i = 0; i < from->n_touched; i++)
		crash_layer_write(to, (uint64_t)from->touched[i] * BLOCK,
				  from->own[from->touched[i]], BLOCK);
}

void crash_layer_save(const struct crash_layer *layer, const char *path)
{
	FILE *file = fopen(path, "wb");

	CHECK(file, "cannot write %s", path);
	for (uint64_t b = 0; b < layer->blocks; b++)
		CHECK(fwrite(crash_layer_block(layer, b), BLOCK, 1, file) == 1, "cannot write %s",
		      path);
	fclose(file);
}

/* What a discarded range may read as. @how: 0 as before, 1 zeroes, 2 anything. */
static void layer_discard(struct crash_layer *layer, uint64_t offset, uint64_t len, uint64_t how)
{
	uint8_t filling[BLOCK];

	if (how == 0)
		return;
	memset(filling, how == 1 ? 0 : 0xd1, sizeof(filling));
	for (uint64_t at = 0; at < len; at += BLOCK)
		crash_layer_write(layer, offset + at, filling, BLOCK);
}

/* ---- Disk ------------------------------------------------------------------------------------------- */

static struct crash_disk *disk_of(struct lfs_bdev *dev)
{
	return (struct crash_disk *)(void *)dev;
}

static bool in_range(const struct lfs_bdev *dev, uint64_t offset, uint64_t len)
{
	CHECK(offset % BLOCK == 0 && len % BLOCK == 0, "not in blocks: %llu+%llu",
	      (unsigned long long)offset, (unsigned long long)len);
	return offset <= dev->size_bytes && len <= dev->size_bytes - offset;
}

static int disk_read(struct lfs_bdev *dev, void *buf, size_t len, uint64_t offset)
{
	struct crash_disk *disk = disk_of(dev);

	if (!in_range(dev, offset, len))
		return -EIO;
	disk->reads++;
	disk->blocks_read += len / BLOCK;
	crash_layer_read(disk->layer, offset, buf, len);
	return 0;
}

static struct crash_event *record(struct crash_disk *disk, enum crash_event_kind kind,
				  uint64_t offset, uint64_t len)
{
	struct crash_event *event;

	disk->events = grown(disk->events, disk->n_events, &disk->room, sizeof(*disk->events));
	event = &disk->events[disk->n_events++];
	*event = (struct crash_event){
		.kind = kind, .mark = disk->mark, .offset = offset, .len = len
	};
	return event;
}

static int disk_write(struct lfs_bdev *dev, const void *buf, size_t len, uint64_t offset)
{
	struct crash_disk *disk = disk_of(dev);

	CHECK(len, "a write of nothing");
	if (!in_range(dev, offset, len))
		return -EIO;
	if (disk->fail_writes == 1)
		return -EIO;
	if (disk->fail_writes)
		disk->fail_writes--;
	if (disk->recording) {
		struct crash_event *event = record(disk, CRASH_WRITE, offset, len);

		event->data = must(malloc(len));
		memcpy(event->data, buf, len);
	}
	crash_layer_write(disk->layer, offset, buf, len);
	return 0;
}

static int disk_flush(struct lfs_bdev *dev)
{
	struct crash_disk *disk = disk_of(dev);

	if (disk->fail_writes == 1)
		return -EIO;
	if (disk->recording)
		record(disk, CRASH_FLUSH, 0, 0);
	return 0;
}

static int disk_discard(struct lfs_bdev *dev, uint64_t offset, uint64_t len)
{
	struct crash_disk *disk = disk_of(dev);

	if (!in_range(dev, offset, len))
		return -EIO;
	if (disk->recording)
		record(disk, CRASH_DISCARD, offset, len);
	layer_discard(disk->layer, offset, len, 2);
	return 0;
}

static const struct lfs_bdev_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
};

void crash_disk_init(struct crash_disk *disk, struct crash_layer *layer)
{
	memset(disk, 0, sizeof(*disk));
	disk->dev.ops = &disk_ops;
	disk->dev.size_bytes = layer->blocks * BLOCK;
	disk->layer = layer;
}

void crash_disk_forget(struct crash_disk *disk)
{
	for (size_t i = 0; i < disk->n_events; i++)
		free(disk->events[i].data);
	disk->n_events = 0;
	disk->mark = 0;
}

void crash_disk_destroy(struct crash_disk *disk)
{
	crash_disk_forget(disk);
	free(disk->events);
	memset(disk, 0, sizeof(*disk));
}

void crash_disk_mark(struct crash_disk *disk, uint32_t mark)
{
	CHECK(mark >= disk->mark, "marks fall");
	disk->mark = mark;
}

/* ---- Sweep ------------------------------------------------------------------------------------------- */

const struct crash_budget crash_budget_full = {
	.random = 64, .torn = 24, .all_but_one = 64, .prefixes = 64
};
const struct crash_budget crash_budget_short = {
	.random = 6, .torn = 6, .all_but_one = 4, .prefixes = 6
};

/* What becomes of each write of an epoch. */
enum fate { FATE_LOST, FATE_WHOLE, FATE_TORN };

/* How a write is torn: which of its sectors are new. */
enum tear {
	TEAR_HEAD,       /* the first ones */
	TEAR_HEAD_BLOCK, /* the first blocks */
	TEAR_TAIL,       /* the last ones */
	TEAR_RANDOM,
	TEAR_HOLE,  /* all but one */
	TEAR_FIRST, /* only the first block: a valid header over what was there before */
	TEAR_LAST,  /* only the last block */
	TEAR_COUNT
};

static bool sector_is_new(enum tear tear, size_t sector, size_t n, size_t cut, struct rng *rng)
{
	switch (tear) {
	case TEAR_HEAD:
		return sector < cut;
	case TEAR_HEAD_BLOCK:
		return sector < cut / SECTORS_PER_BLOCK * SECTORS_PER_BLOCK;
	case TEAR_TAIL:
		return sector >= cut;
	case TEAR_RANDOM:
		return rng_one_in(rng, 2);
	case TEAR_HOLE:
		return sector != cut;
	case TEAR_FIRST:
		return sector < SECTORS_PER_BLOCK;
	case TEAR_LAST:
		return sector + SECTORS_PER_BLOCK >= n;
	case TEAR_COUNT:
		break;
	}
	return false;
}

static enum tear apply_torn(struct crash_layer *layer, const struct crash_event *event,
			    struct rng *rng)
{
	enum tear tear = (enum tear)rng_below(rng, TEAR_COUNT);
	size_t n = event->len / SECTOR, cut = rng_below(rng, n);

	for (size_t i = 0; i < n; i++)
		if (sector_is_new(tear, i, n, cut, rng))
			crash_layer_write(layer, event->offset + i * SECTOR,
					  event->data + i * SECTOR, SECTOR);
	return tear;
}

static void apply(struct crash_layer *layer, const struct crash_event *event, uint64_t discard)
{
	if (event->kind == CRASH_WRITE)
		crash_layer_write(layer, event->offset, event->data, event->len);
	else if (event->kind == CRASH_DISCARD)
		layer_discard(layer, event->offset, event->len, discard);
}

static bool overlaps_any(const struct crash_sweep *sweep)
{
	for (size_t i = 0; i < sweep->n_writes; i++)
		for (size_t j = 0; j < i; j++) {
			const struct crash_event *a = &sweep->disk->events[sweep->writes[i]];
			const struct crash_event *b = &sweep->disk->events[sweep->writes[j]];

			if (a->offset < b->offset + b->len && b->offset < a->offset + a->len)
				return true;
		}
	return false;
}

/* The epoch that begins at event @begin. */
static void load_epoch(struct crash_sweep *sweep, size_t begin)
{
	const struct crash_disk *disk = sweep->disk;

	sweep->begin = begin;
	sweep->n_writes = 0;
	for (sweep->end = begin; sweep->end < disk->n_events; sweep->end++) {
		if (disk->events[sweep->end].kind == CRASH_FLUSH)
			break;
		sweep->writes = grown(sweep->writes, sweep->n_writes, &sweep->room,
				      sizeof(*sweep->writes));
		sweep->writes[sweep->n_writes++] = sweep->end;
	}
	sweep->next = 0;
	sweep->n_seen = 0;
	if (sweep->seen)
		memset(sweep->seen, 0, sweep->seen_room * sizeof(*sweep->seen));
}

/* From here on all of this epoch is on the disk. Return: false: it was the last. */
static bool next_epoch(struct crash_sweep *sweep)
{
	struct rng rng;

	if (sweep->end == sweep->disk->n_events)
		return false;
	rng_init(&rng, sweep->seed, sweep->image.epoch);
	for (size_t i = 0; i < sweep->n_writes; i++)
		apply(&sweep->durable, &sweep->disk->events[sweep->writes[i]], rng_below(&rng, 3));
	sweep->image.epoch++;
	load_epoch(sweep, sweep->end + 1);
	return true;
}

void crash_sweep_init(struct crash_sweep *sweep, const struct crash_disk *disk,
		      const struct crash_layer *base, const struct crash_budget *budget,
		      uint64_t seed)
{
	memset(sweep, 0, sizeof(*sweep));
	sweep->disk = disk;
	sweep->budget = *budget;
	sweep->seed = seed;
	crash_layer_init(&sweep->durable, disk->dev.size_bytes, base);
	crash_layer_init(&sweep->state, disk->dev.size_bytes, &sweep->durable);
	load_epoch(sweep, 0);
}

void crash_sweep_destroy(struct crash_sweep *sweep)
{
	crash_layer_destroy(&sweep->state);
	crash_layer_destroy(&sweep->durable);
	free(sweep->writes);
	free(sweep->seen);
}

static size_t at_most(size_t n, size_t limit)
{
	return n < limit ? n : limit;
}

/* The @i-th of @n things of which only @shown are shown: spread, with the last one among them. */
static size_t spread(size_t i, size_t n, size_t shown)
{
	return shown >= n ? i : (i + 1) * n / shown - 1;
}

/*
 * Image @number of an epoch of w writes is one of
 *
 *     w <= 8   every subset (the bits of the number)
 *     else     prefixes; all but one; random subsets
 *     then     torn ones
 *
 * Return: false: that number is past the last. @fates has an enum fate for each write.
 */
static bool plan(const struct crash_sweep *sweep, uint32_t number, uint8_t *fates, struct rng *rng,
		 char *how, size_t how_room)
{
	size_t w = sweep->n_writes, i = number, n;

	if (w <= CRASH_ALL_SUBSETS) {
		if (i < (size_t)1 << w) {
			for (size_t k = 0; k < w; k++)
				fates[k] = i >> k & 1 ? FATE_WHOLE : FATE_LOST;
			snprintf(how, how_room, "subset %zx of %zu writes", i, w);
			return true;
		}
		i -= (size_t)1 << w;
	} else {
		n = at_most(w + 1, sweep->budget.prefixes);
		if (i < n) {
			size_t prefix = spread(i, w + 1, n);

			for (size_t k = 0; k < w; k++)
				fates[k] = k < prefix ? FATE_WHOLE : FATE_LOST;
			snprintf(how, how_room, "the first %zu of %zu writes", prefix, w);
			return true;
		}
		i -= n;
		n = at_most(w, sweep->budget.all_but_one);
		if (i < n) {
			size_t lost = spread(i, w, n);

			memset(fates, FATE_WHOLE, w);
			fates[lost] = FATE_LOST;
			snprintf(how, how_room, "all but write %zu of %zu", lost, w);
			return true;
		}
		i -= n;
		if (i < sweep->budget.random) {
			for (size_t k = 0; k < w; k++)
				fates[k] = rng_one_in(rng, 2) ? FATE_WHOLE : FATE_LOST;
			snprintf(how, how_room, "a random subset of %zu writes", w);
			return true;
		}
		i -= sweep->budget.random;
	}
	if (!w || i >= sweep->budget.torn)
		return false;
	n = spread(rng_below(rng, w), w, w);
	for (size_t k = 0; k < w; k++)
		fates[k] = i % 3 == 0 ? (k < n ? FATE_WHOLE : FATE_LOST) :
			   i % 3 == 1 ? FATE_WHOLE :
					(uint8_t)rng_below(rng, 3);
	fates[n] = FATE_TORN;
	snprintf(how, how_room, "write %zu of %zu torn, %s", n, w,
		 i % 3 == 0 ? "none after it" :
		 i % 3 == 1 ? "all others whole" :
			      "a random subset of the others");
	return true;
}

static void shuffle(size_t *order, size_t n, struct rng *rng)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = rng_below(rng, i), was = order[i - 1];

		order[i - 1] = order[j];
		order[j] = was;
	}
}

/* Return: false: past the last. */
static bool make(struct crash_sweep *sweep, uint32_t number)
{
	size_t n = sweep->n_writes;
	uint8_t *fates = must(malloc(n + 1));
	size_t *order = must(malloc((n + 1) * sizeof(*order)));
	struct crash_image *image = &sweep->image;
	struct rng rng;
	bool there;

	rng_init(&rng, sweep->seed, (uint64_t)image->epoch << 32 | number);
	crash_layer_clear(&sweep->state);
	there = plan(sweep, number, fates, &rng, image->how, sizeof(image->how));
	if (there) {
		image->number = number;
		image->end = sweep->end;
		image->newest = sweep->begin ? sweep->disk->events[sweep->begin - 1].mark : 0;
		for (size_t i = 0; i < n; i++)
			order[i] = i;
		if (number % 2 && overlaps_any(sweep))
			shuffle(order, n, &rng);
		for (size_t i = 0; i < n; i++) {
			const struct crash_event *event =
				&sweep->disk->events[sweep->writes[order[i]]];

			if (fates[order[i]] == FATE_LOST)
				continue;
			if (event->mark > image->newest)
				image->newest = event->mark;
			if (fates[order[i]] == FATE_TORN && event->kind == CRASH_WRITE)
				apply_torn(&sweep->state, event, &rng);
			else
				apply(&sweep->state, event, rng_below(&rng, 3));
		}
	}
	free(order);
	free(fates);
	return there;
}

/* Of what differs from the disk before this epoch. */
static uint64_t image_hash(const struct crash_sweep *sweep)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < sweep->state.n_touched; i++) {
		uint32_t block = sweep->state.touched[i];
		const uint8_t *bytes = sweep->state.own[block];

		if (memcmp(bytes, crash_layer_block(&sweep->durable, block), BLOCK) != 0)
			sum += XXH3_64bits_withSeed(bytes, BLOCK, block);
	}
	return sum ? sum : 1;
}

static void seen_insert(uint64_t *table, size_t room, uint64_t hash)
{
	size_t at = hash % room;

	while (table[at] && table[at] != hash)
		at = (at + 1) % room;
	table[at] = hash;
}

/* Return: true: this epoch has had it. */
static bool seen_before(struct crash_sweep *sweep, uint64_t hash)
{
	size_t at;

	if (2 * (sweep->n_seen + 1) > sweep->seen_room) {
		size_t room = sweep->seen_room ? 2 * sweep->seen_room : 1024;
		uint64_t *table = must(calloc(room, sizeof(*table)));

		for (size_t i = 0; i < sweep->seen_room; i++)
			if (sweep->seen[i])
				seen_insert(table, room, sweep->seen[i]);
		free(sweep->seen);
		sweep->seen = table;
		sweep->seen_room = room;
	}
	for (at = hash % sweep->seen_room; sweep->seen[at]; at = (at + 1) % sweep->seen_room)
		if (sweep->seen[at] == hash)
			return true;
	sweep->seen[at] = hash;
	sweep->n_seen++;
	return false;
}

bool crash_sweep_next(struct crash_sweep *sweep)
{
	while (!sweep->done) {
		if (make(sweep, sweep->next)) {
			sweep->next++;
			if (!seen_before(sweep, image_hash(sweep)))
				return true;
			sweep->repeated++;
		} else if (!next_epoch(sweep)) {
			sweep->done = true;
		}
	}
	return false;
}

bool crash_sweep_seek(struct crash_sweep *sweep, uint32_t epoch, uint32_t number)
{
	while (sweep->image.epoch < epoch)
		if (!next_epoch(sweep))
			return false;
	return sweep->image.epoch == epoch && make(sweep, number);
}
