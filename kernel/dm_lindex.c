// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * dm-lindex: a device whose sectors lie where a learned index says. What dm-linear needs a table line for, 145 bytes
 * of kernel memory and a place in a list of at most a million, is here a few bytes of an image.
 *
 *   START LENGTH lindex DATA META OFFSET [#ARGS [max_bytes N] [max_runs N] [max_depth N] [max_window N] [max_lines N]]
 *
 * DATA holds the sectors, META an image made by lindex-dm, OFFSET sectors from its beginning. Sectors are 512 bytes.
 * Sectors that no extent covers give I/O errors.
 *
 *   A.1  The map path takes no lock and allocates nothing: one lookup under rcu_read_lock().
 *   A.2  A map that readers can reach was certified, and every run of it lies on the data device (dm_lindex_map.c).
 *   A.3  A new map is published by rcu_assign_pointer(); the old one is freed after a grace period. An I/O goes where
 *        the map said that it saw when it was mapped: an I/O under way during a reload may still go to its old place.
 *   A.4  States and tables are told under rcu_read_lock(), too: they do not wait for a reload, which may read
 *        gigabytes.
 */
#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "compat.h"
#include "dm_lindex.h"

#define DM_MSG_PREFIX "lindex"

/* Without arguments: what any sound image keeps to. */
#define DEFAULT_MAX_BYTES (4ULL << 30)

struct counters {
	u64 mapped, split, unmapped;
};

struct lindex_c {
	struct dm_dev *data, *meta;
	struct dm_lindex_map __rcu *map;
	struct counters __percpu *counters;
	struct lindex_limits limits;
	struct mutex lock; /* one reload at a time */
	atomic_t reloads;
};

/* ---- The map path --------------------------------------------------------------------------------- */

/* Where @sector lies, and how many sectors from it lie there in a row. False: nowhere. */
static bool find(struct lindex_c *c, sector_t sector, sector_t *to, sector_t *in_a_row)
{
	const struct dm_lindex_map *map;
	struct lindex_run run;
	unsigned int shift;
	u64 key;
	int err;

	rcu_read_lock();
	map = rcu_dereference(c->map);
	shift = map->unit_shift;
	key = sector >> shift;
	err = lindex_lookup(map->ix, key, &run);
	rcu_read_unlock();
	if (err)
		return false;
	*to = (lindex_value(&run, key) << shift) | (sector & (((sector_t)1 << shift) - 1));
	*in_a_row = ((run.last + 1) << shift) - sector;
	return true;
}

static int lindex_map(struct dm_target *ti, struct bio *bio)
{
	struct lindex_c *c = ti->private;
	sector_t sector = dm_target_offset(ti, bio->bi_iter.bi_sector), to, in_a_row;

	bio_set_dev(bio, c->data->bdev);
	if (!bio_sectors(bio)) /* an empty flush: for the whole device */
		return DM_MAPIO_REMAPPED;
	if (unlikely(!find(c, sector, &to, &in_a_row))) {
		this_cpu_inc(c->counters->unmapped);
		return DM_MAPIO_KILL;
	}
	bio->bi_iter.bi_sector = to;
	this_cpu_inc(c->counters->mapped);
	if (bio_sectors(bio) > in_a_row) {
		this_cpu_inc(c->counters->split);
		dm_accept_partial_bio(bio, in_a_row);
	}
	return DM_MAPIO_REMAPPED;
}

/* ---- Construction --------------------------------------------------------------------------------- */

static int read_limit(struct lindex_limits *limits, const char *name, u64 n)
{
	if (!strcasecmp(name, "max_bytes"))
		limits->max_bytes = n;
	else if (!strcasecmp(name, "max_runs"))
		limits->max_runs = n;
	else if (!strcasecmp(name, "max_depth") && n <= U32_MAX)
		limits->max_depth = n;
	else if (!strcasecmp(name, "max_window") && n <= U32_MAX)
		limits->max_window = n;
	else if (!strcasecmp(name, "max_lines") && n <= U32_MAX)
		limits->max_lines = n;
	else
		return -EINVAL;
	return n ? 0 : -EINVAL;
}

static int read_limits(struct dm_target *ti, struct dm_arg_set *args, struct lindex_limits *limits)
{
	static const struct dm_arg most = { 0, 10, "Invalid number of feature arguments" };
	unsigned int count;
	const char *name;
	u64 n;

	limits->max_bytes = DEFAULT_MAX_BYTES;
	if (!args->argc)
		return 0;
	if (dm_read_arg_group(&most, args, &count, &ti->error))
		return -EINVAL;
	for (; count >= 2; count -= 2) {
		name = dm_shift_arg(args);
		if (kstrtou64(dm_shift_arg(args), 10, &n) || read_limit(limits, name, n)) {
			ti->error =
				"Unknown feature argument, or a limit that is no number above 0";
			return -EINVAL;
		}
	}
	if (count || args->argc) {
		ti->error = "A limit is a name and a number";
		return -EINVAL;
	}
	return 0;
}

static void lindex_dtr(struct dm_target *ti)
{
	struct lindex_c *c = ti->private;

	/* No I/O is left, and so no reader. */
	dm_lindex_map_free(rcu_dereference_protected(c->map, true));
	if (c->data)
		dm_put_device(ti, c->data);
	if (c->meta)
		dm_put_device(ti, c->meta);
	free_percpu(c->counters);
	mutex_destroy(&c->lock);
	kfree(c);
}

static int get_devices(struct dm_target *ti, struct lindex_c *c, const char *data, const char *meta)
{
	int err;

	err = dm_get_device(ti, data, dm_table_get_mode(ti->table), &c->data);
	if (err) {
		ti->error = "Data device cannot be opened";
		return err;
	}
	err = dm_get_device(ti, meta, BLK_OPEN_READ, &c->meta);
	if (err)
		ti->error = "Metadata device cannot be opened";
	return err;
}

static int construct(struct dm_target *ti, struct lindex_c *c, struct dm_arg_set *args)
{
	const char *data = dm_shift_arg(args), *meta = dm_shift_arg(args);
	const char *offset_text = dm_shift_arg(args);
	struct dm_lindex_map *map;
	u64 offset;
	int err;

	if (kstrtou64(offset_text, 10, &offset)) {
		ti->error = "Offset is no number of sectors";
		return -EINVAL;
	}
	c->counters = alloc_percpu(struct counters);
	if (!c->counters) {
		ti->error = "No memory";
		return -ENOMEM;
	}
	err = read_limits(ti, args, &c->limits);
	if (!err)
		err = get_devices(ti, c, data, meta);
	if (!err)
		err = dm_lindex_map_load(c->meta, offset, c->data, &c->limits, &map, &ti->error);
	if (!err)
		rcu_assign_pointer(c->map, map);
	return err;
}

static int lindex_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set args = { .argc = argc, .argv = argv };
	struct lindex_c *c;
	int err;

	if (argc < 3) {
		ti->error = "Arguments: DATA META OFFSET [#ARGS LIMIT N ...]";
		return -EINVAL;
	}
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c) {
		ti->error = "No memory";
		return -ENOMEM;
	}
	mutex_init(&c->lock);
	ti->private = c;
	err = construct(ti, c, &args);
	if (err) {
		lindex_dtr(ti);
		return err;
	}
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	ti->num_secure_erase_bios = 1;
	return 0;
}

/* ---- Status and messages --------------------------------------------------------------------------- */

static struct counters sum(const struct lindex_c *c)
{
	struct counters all = {};
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct counters *one = per_cpu_ptr(c->counters, cpu);

		all.mapped += one->mapped;
		all.split += one->split;
		all.unmapped += one->unmapped;
	}
	return all;
}

/* What both "status" and the message "stats" begin with. */
static unsigned int emit_map(const struct dm_lindex_map *map, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;

	DMEMIT("runs %llu image_bytes %llu unit_sectors %llu map_sectors %llu data_sectors %llu",
	       map->cert.runs, map->cert.bytes, 1ULL << map->unit_shift, (u64)map->map_sectors,
	       (u64)map->data_sectors);
	return sz;
}

static unsigned int emit_limits(const struct lindex_limits *l, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;
	unsigned int count = (l->max_bytes != DEFAULT_MAX_BYTES) + !!l->max_runs + !!l->max_depth +
			     !!l->max_window + !!l->max_lines;

	if (!count)
		return 0;
	DMEMIT(" %u", 2 * count);
	if (l->max_bytes != DEFAULT_MAX_BYTES)
		DMEMIT(" max_bytes %llu", l->max_bytes);
	if (l->max_runs)
		DMEMIT(" max_runs %llu", l->max_runs);
	if (l->max_depth)
		DMEMIT(" max_depth %u", l->max_depth);
	if (l->max_window)
		DMEMIT(" max_window %u", l->max_window);
	if (l->max_lines)
		DMEMIT(" max_lines %u", l->max_lines);
	return sz;
}

static void lindex_status(struct dm_target *ti, status_type_t type, unsigned int flags,
			  char *result, unsigned int maxlen)
{
	struct lindex_c *c = ti->private;
	const struct dm_lindex_map *map;
	unsigned int sz = 0;

	rcu_read_lock();
	map = rcu_dereference(c->map);
	switch (type) {
	case STATUSTYPE_INFO:
		emit_map(map, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		DMEMIT("%s %s %llu", c->data->name, c->meta->name, (u64)map->offset);
		emit_limits(&c->limits, result + sz, maxlen - sz);
		break;
	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",data_device=%s,metadata_device=%s,offset=%llu;", c->data->name,
		       c->meta->name, (u64)map->offset);
		break;
	}
	rcu_read_unlock();
}

static int message_stats(struct lindex_c *c, char *result, unsigned int maxlen)
{
	struct counters all = sum(c);
	const struct dm_lindex_map *map;
	unsigned int sz;

	rcu_read_lock();
	map = rcu_dereference(c->map);
	sz = emit_map(map, result, maxlen);
	DMEMIT(" depth %u window %u lines %u load_us %llu", map->cert.depth, map->cert.window,
	       map->cert.lines, map->load_us);
	DMEMIT(" mapped %llu split %llu unmapped %llu reloads %u", all.mapped, all.split,
	       all.unmapped, (unsigned int)atomic_read(&c->reloads));
	rcu_read_unlock();
	return 1; /* there is an answer */
}

/* From the assignment on lookups see the new map. A map that is refused leaves the old one in place. */
static int message_reload(struct lindex_c *c, const char *offset_text)
{
	struct dm_lindex_map *old = rcu_dereference_protected(c->map, lockdep_is_held(&c->lock));
	struct dm_lindex_map *map;
	u64 offset = old->offset;
	char *why = NULL;
	int err;

	if (offset_text && kstrtou64(offset_text, 10, &offset)) {
		DMERR("reload: %s is no number of sectors", offset_text);
		return -EINVAL;
	}
	err = dm_lindex_map_load(c->meta, offset, c->data, &c->limits, &map, &why);
	if (err)
		return err;
	rcu_assign_pointer(c->map, map);
	atomic_inc(&c->reloads);
	synchronize_rcu();
	dm_lindex_map_free(old);
	return 0;
}

static int lindex_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			  unsigned int maxlen)
{
	struct lindex_c *c = ti->private;
	int ret;

	if (argc == 1 && !strcasecmp(argv[0], "stats"))
		return message_stats(c, result, maxlen);
	if (argc > 2 || strcasecmp(argv[0], "reload")) {
		DMERR("message: stats, or reload [OFFSET]");
		return -EINVAL;
	}
	mutex_lock(&c->lock);
	ret = message_reload(c, argc == 2 ? argv[1] : NULL);
	mutex_unlock(&c->lock);
	return ret;
}

static int lindex_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct lindex_c *c = ti->private;

	return fn(ti, c->data, 0, bdev_nr_sectors(c->data->bdev), data);
}

static struct target_type lindex_target = {
	.name = "lindex",
	.version = { 1, 0, 0 },
	.features = DM_TARGET_NOWAIT, /* A.1 */
	.module = THIS_MODULE,
	.ctr = lindex_ctr,
	.dtr = lindex_dtr,
	.map = lindex_map,
	.status = lindex_status,
	.message = lindex_message,
	.iterate_devices = lindex_iterate_devices,
};

static int __init dm_lindex_init(void)
{
	return dm_register_target(&lindex_target);
}
module_init(dm_lindex_init);

static void __exit dm_lindex_exit(void)
{
	dm_unregister_target(&lindex_target);
}
module_exit(dm_lindex_exit);

MODULE_DESCRIPTION("Device-mapper target: sectors mapped through a learned index");
MODULE_LICENSE("Dual BSD/GPL");
