// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The contestants. All answer the value of a key; lindex, the maple tree's walk and the array find the whole run on
 * the way. XArray holds every key of a run by itself: it has no ranges of any length.
 */
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "bench.h"

/* Pages that are gone since a build began: what trees of nodes from slab caches take, slack of the caches included. */
static unsigned long free_before;

static unsigned long free_pages_now(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

static u64 bytes_gone(void)
{
	return (u64)(free_before - free_pages_now()) << PAGE_SHIFT;
}

/* ---- lindex ---------------------------------------------------------------------------------------- */

static struct lindex_pool *pool;
static struct lindex *ix;

static int lindex_structure_build(const struct bench_map *map)
{
	int err = lindex_pool_create(NULL, &pool);

	if (!err)
		err = lindex_create(pool, NULL, &ix);
	return err ?: lindex_build(ix, map->runs, map->n, NULL);
}

static u64 lindex_structure_sum(const u64 *keys, size_t n)
{
	struct lindex_run run;
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		rcu_read_lock();
		if (!lindex_lookup(ix, keys[i], &run))
			sum += lindex_value(&run, keys[i]);
		rcu_read_unlock();
	}
	return sum;
}

static int lindex_structure_update(u64 first, u64 last, u64 value)
{
	return lindex_insert(ix, &(struct lindex_run){
					 .first = first, .last = last, .value = value, .step = 1 });
}

static u64 lindex_structure_bytes(void)
{
	return lindex_pool_bytes(pool);
}

static void lindex_structure_free(void)
{
	lindex_free(ix);
	lindex_pool_free(pool);
}

static const struct bench_structure lindex_structure = {
	.name = "lindex",
	.build = lindex_structure_build,
	.sum = lindex_structure_sum,
	.update = lindex_structure_update,
	.bytes = lindex_structure_bytes,
	.free = lindex_structure_free,
};

/* ---- XArray ----------------------------------------------------------------------------------------- */

static DEFINE_XARRAY(keys_array);

static int xarray_update(u64 first, u64 last, u64 value)
{
	u64 key;

	for (key = first; key <= last; key++)
		if (xa_is_err(xa_store(&keys_array, key, xa_mk_value(value + (key - first)),
				       GFP_KERNEL)))
			return -ENOMEM;
	return 0;
}

static int xarray_build(const struct bench_map *map)
{
	int err = 0;
	size_t i;

	free_before = free_pages_now();
	for (i = 0; i < map->n && !err; i++) {
		err = xarray_update(map->runs[i].first, map->runs[i].last, map->runs[i].value);
		if (!(i % 4096))
			cond_resched();
	}
	return err;
}

static u64 xarray_sum(const u64 *keys, size_t n)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		void *entry = xa_load(&keys_array, keys[i]);

		if (entry)
			sum += xa_to_value(entry);
	}
	return sum;
}

static void xarray_free(void)
{
	xa_destroy(&keys_array);
}

static const struct bench_structure xarray_structure = {
	.name = "xarray",
	.build = xarray_build,
	.sum = xarray_sum,
	.update = xarray_update,
	.bytes = bytes_gone,
	.free = xarray_free,
};

/* ---- Maple tree --------------------------------------------------------------------------------------- */

static DEFINE_MTREE(ranges);

static int maple_update(u64 first, u64 last, u64 value)
{
	return mtree_store_range(&ranges, first, last, xa_mk_value(value), GFP_KERNEL);
}

static int maple_build(const struct bench_map *map)
{
	int err = 0;
	size_t i;

	/*
	 * Not MT_FLAGS_USE_RCU, which readers without the lock would need: updates are dearer then, and 6.1.192 crashes
	 * under the ones here (mt_free_walk, from call_rcu). So the maple tree is shown at its best.
	 */
	mt_init_flags(&ranges, 0);
	free_before = free_pages_now();
	for (i = 0; i < map->n && !err; i++) {
		err = maple_update(map->runs[i].first, map->runs[i].last, map->runs[i].value);
		if (!(i % 4096))
			cond_resched();
	}
	return err;
}

/* The entry and its range: what the value of a key in the range takes. */
static u64 maple_walk_sum(const u64 *keys, size_t n)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		MA_STATE(mas, &ranges, keys[i], keys[i]);
		void *entry;

		rcu_read_lock();
		entry = mas_walk(&mas);
		if (entry)
			sum += xa_to_value(entry) + (keys[i] - mas.index);
		rcu_read_unlock();
	}
	return sum;
}

/* The entry alone, by the plain call: the value of the run's first key. */
static u64 maple_load_sum(const u64 *keys, size_t n)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		void *entry = mtree_load(&ranges, keys[i]);

		if (entry)
			sum += xa_to_value(entry);
	}
	return sum;
}

static void maple_free(void)
{
	mtree_destroy(&ranges);
}

static const struct bench_structure maple_structure = {
	.name = "maple tree",
	.build = maple_build,
	.sum = maple_walk_sum,
	.load = maple_load_sum,
	.update = maple_update,
	.bytes = bytes_gone,
	.free = maple_free,
};

/* ---- Sorted array -------------------------------------------------------------------------------------- */

struct cell {
	u64 first, last, value;
};

static struct cell *cells;
static size_t cell_count, cell_room;

static int array_build(const struct bench_map *map)
{
	size_t i;

	cell_room = map->n + (1 << 18); /* each update adds two cells at most */
	cells = vmalloc(cell_room * sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	cell_count = map->n;
	for (i = 0; i < map->n; i++)
		cells[i] = (struct cell){ map->runs[i].first, map->runs[i].last,
					  map->runs[i].value };
	return 0;
}

/* The first cell that ends at or after @key. */
static size_t array_at(u64 key)
{
	size_t lo = 0, n = cell_count;

	while (n) {
		size_t half = n / 2;

		if (cells[lo + half].last < key) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

static u64 array_sum(const u64 *keys, size_t n)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		size_t at = array_at(keys[i]);

		if (at < cell_count && cells[at].first <= keys[i])
			sum += cells[at].value + (keys[i] - cells[at].first);
	}
	return sum;
}

static int array_update(u64 first, u64 last, u64 value)
{
	size_t from = array_at(first), to = array_at(last), n = 0;
	struct cell fresh[3];

	if (cell_count + 2 > cell_room)
		return -ENOMEM;
	if (from < cell_count && cells[from].first < first)
		fresh[n++] = (struct cell){ cells[from].first, first - 1, cells[from].value };
	fresh[n++] = (struct cell){ first, last, value };
	if (to < cell_count && cells[to].first <= last) {
		if (cells[to].last > last)
			fresh[n++] = (struct cell){ last + 1, cells[to].last,
						    cells[to].value +
							    (last + 1 - cells[to].first) };
		to++;
	}
	memmove(cells + from + n, cells + to, (cell_count - to) * sizeof(*cells));
	memcpy(cells + from, fresh, n * sizeof(*fresh));
	cell_count = cell_count - (to - from) + n;
	return 0;
}

static u64 array_bytes(void)
{
	return cell_count * sizeof(*cells);
}

static void array_free(void)
{
	vfree(cells);
}

static const struct bench_structure array_structure = {
	.name = "sorted array",
	.build = array_build,
	.sum = array_sum,
	.update = array_update,
	.bytes = array_bytes,
	.free = array_free,
	.slow_updates = true,
};

const struct bench_structure *const bench_structures[] = {
	&lindex_structure,
	&xarray_structure,
	&maple_structure,
	&array_structure,
};

const unsigned int bench_structure_count = ARRAY_SIZE(bench_structures);
