// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is mapped:
 *   aged    a file written in order, then overwritten in random pieces of 1 to 11 blocks into a log until as many
 *           blocks were overwritten as it has: ranges, no holes
 *   holes   as aged, and one run in eight was punched out
 *   pages   single pages, all present, in random frames of 24 bits: what a page table holds
 *   dense   one run a key at a stride of values: the best case of a radix tree
 */
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "bench.h"

static bool continues(const struct lindex_run *run, u64 key, u64 value)
{
	return run->last + 1 == key && run->value + (key - run->first) == value;
}

static void append(struct bench_map *map, u64 key, u64 value)
{
	struct lindex_run *last = map->n ? &map->runs[map->n - 1] : NULL;

	if (last && continues(last, key, value)) {
		last->last = key;
		return;
	}
	map->runs[map->n++] = (struct lindex_run){
		.first = key, .last = key, .value = value, .step = 1
	};
}

/* Runs are taken from the front until there are @n. */
static int make_aged(struct bench_map *map, size_t n, u64 *random)
{
	u32 blocks = n * 8, head = blocks, i, piece, first;
	u32 *at = vmalloc((size_t)blocks * sizeof(*at));

	if (!at)
		return -ENOMEM;
	for (i = 0; i < blocks; i++)
		at[i] = i;
	while (head < 2 * blocks) {
		piece = 1 + bench_below(random, 11);
		first = bench_below(random, blocks);
		for (i = first; i < blocks && i < first + piece; i++)
			at[i] = head++;
		if (!(head % 4096))
			cond_resched();
	}
	for (i = 0; i < blocks && map->n < n; i++)
		append(map, i, at[i]);
	vfree(at);
	return 0;
}

static int make_holes(struct bench_map *map, size_t n, u64 *random)
{
	size_t i, kept = 0;
	int err = make_aged(map, n, random);

	for (i = 0; i < map->n; i++)
		if (bench_below(random, 8))
			map->runs[kept++] = map->runs[i];
	map->n = kept;
	return err;
}

static int make_pages(struct bench_map *map, size_t n, u64 *random)
{
	while (map->n < n)
		append(map, map->n, bench_below(random, 1 << 24) * 2);
	return 0;
}

static int make_dense(struct bench_map *map, size_t n, u64 *random)
{
	while (map->n < n)
		append(map, map->n, map->n * 2);
	return 0;
}

static const struct {
	const char *name;
	int (*make)(struct bench_map *map, size_t n, u64 *random);
} maps[] = {
	{ "aged", make_aged },
	{ "holes", make_holes },
	{ "pages", make_pages },
	{ "dense", make_dense },
};

int bench_map_make(const char *name, size_t n, struct bench_map *map)
{
	u64 random = 20240229;
	int i, err = -EINVAL;

	map->n = 0;
	map->runs = vmalloc(n * sizeof(*map->runs));
	if (!map->runs)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(maps); i++)
		if (!strcmp(maps[i].name, name))
			err = maps[i].make(map, n, &random);
	if (!err && !map->n)
		err = -EINVAL;
	if (err) {
		bench_map_free(map);
		return err;
	}
	map->keys = map->runs[map->n - 1].last + 1;
	map->head = 0;
	for (n = 0; n < map->n; n++)
		map->head = max(map->head, lindex_value(&map->runs[n], map->runs[n].last) + 1);
	return 0;
}

void bench_map_free(struct bench_map *map)
{
	vfree(map->runs);
	map->runs = NULL;
}
