// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Every structure over one map, in rounds that take turns, so that all see the same machine. What the kernel's clock
 * counts is the unit: nanoseconds, or instructions under "qemu -icount shift=0".
 *
 * Parameters: map=NAME (maps.c), runs=N, lookups=N of one round, updates=N of one round, rounds=N.
 * One line of JSON for each structure in the log: medians of the rounds.
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>

#include "bench.h"

#define STRUCTURES_MAX 8
#define ROUNDS_MAX     99
#define IN_A_ROW       256  /* lookups with interrupts off */
#define SLOW_SHARE     2000 /* of the updates: where each takes time in proportion to the map */

static char *map_name = "aged";
module_param_named(map, map_name, charp, 0444);
MODULE_PARM_DESC(map, "aged, holes, pages or dense");
static ulong runs = 10000;
module_param(runs, ulong, 0444);
MODULE_PARM_DESC(runs, "runs of the map");
static ulong lookups = 200000;
module_param(lookups, ulong, 0444);
MODULE_PARM_DESC(lookups, "lookups of one round");
static ulong updates = 20000;
module_param(updates, ulong, 0444);
MODULE_PARM_DESC(updates, "updates of one round");
static uint rounds = 5;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "rounds, of which the median counts");

enum { LOOKUP, LOAD, UPDATE, KINDS };

/* In hundredths of the clock's unit, per operation. */
static u64 took[STRUCTURES_MAX][KINDS][ROUNDS_MAX];
static u64 empty[ROUNDS_MAX], bytes[STRUCTURES_MAX];

static int by_size(const void *a, const void *b)
{
	u64 l = *(const u64 *)a, r = *(const u64 *)b;

	return l < r ? -1 : l > r;
}

static u64 median(u64 *figures)
{
	sort(figures, rounds, sizeof(*figures), by_size, NULL);
	return figures[rounds / 2];
}

/* What the loop and the keys cost by themselves. */
static noinline u64 empty_sum(const u64 *keys, size_t n)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += keys[i];
		barrier();
	}
	return sum;
}

static u64 time_lookups(u64 (*sum)(const u64 *keys, size_t n), const u64 *keys, u64 *total)
{
	u64 all = 0, begin;
	unsigned long flags;
	size_t i;

	*total = 0;
	for (i = 0; i + IN_A_ROW <= lookups; i += IN_A_ROW) {
		local_irq_save(flags);
		begin = ktime_get_ns();
		*total += sum(keys + i, IN_A_ROW);
		all += ktime_get_ns() - begin;
		local_irq_restore(flags);
		cond_resched();
	}
	return div64_u64(100 * all, i);
}

/* Overwrites of 1 to 8 keys anywhere with values from the log's head on, the same for every structure of a round. */
static int time_updates(const struct bench_structure *s, const struct bench_map *map, u32 round,
			u64 *out)
{
	u64 random = 4711 + round, all = 0, begin, first, last;
	ulong n = s->slow_updates ? max(updates / SLOW_SHARE, 1UL) : updates, i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		first = bench_below(&random, map->keys - 8);
		last = first + bench_below(&random, 8);
		begin = ktime_get_ns();
		err = s->update(first, last, map->head + 8 * (round * updates + i));
		all += ktime_get_ns() - begin;
		cond_resched();
	}
	*out = div64_u64(100 * all, n);
	return err;
}

/* Lookups come first: after updates the structures differ, as the array gets fewer. */
static int lookup_round(const struct bench_map *map, const u64 *keys, u32 round)
{
	u64 want = 0, got;
	unsigned int i;

	empty[round] = time_lookups(empty_sum, keys, &got);
	for (i = 0; i < bench_structure_count; i++) {
		const struct bench_structure *s = bench_structures[i];

		took[i][LOOKUP][round] = time_lookups(s->sum, keys, &got);
		if (i && got != want) {
			pr_err("bench: %s: answers add up to %llu, not %llu\n", s->name, got, want);
			return -EUCLEAN;
		}
		want = got;
		if (s->load)
			took[i][LOAD][round] = time_lookups(s->load, keys, &got);
	}
	return 0;
}

#define FIGURE(name) "\"" name "\": %llu"
#define LINE                                                                                       \
	"\"structure\": \"%s\", " FIGURE("lookup") ", " FIGURE("load") ", " FIGURE(                \
		"update") ", " FIGURE("loop") ", " FIGURE("bytes")

static void report(const struct bench_map *map)
{
	u64 loop = median(empty);
	unsigned int i;

	for (i = 0; i < bench_structure_count; i++) {
		pr_info("bench: {\"map\": \"%s\", \"runs\": %zu, \"keys\": %llu, " LINE "}\n",
			map_name, map->n, map->keys, bench_structures[i]->name,
			median(took[i][LOOKUP]), median(took[i][LOAD]), median(took[i][UPDATE]),
			loop, bytes[i]);
	}
}

static u64 *make_keys(const struct bench_map *map)
{
	u64 *keys = vmalloc(lookups * sizeof(*keys)), random = 99;
	size_t i;

	for (i = 0; keys && i < lookups; i++)
		keys[i] = bench_below(&random, map->keys);
	return keys;
}

static int contest(const struct bench_map *map, const u64 *keys)
{
	u32 round;
	unsigned int i;
	int err = 0;

	for (round = 0; round < rounds && !err; round++)
		err = lookup_round(map, keys, round);
	for (round = 0; round < rounds && !err; round++)
		for (i = 0; i < bench_structure_count && !err; i++)
			err = time_updates(bench_structures[i], map, round,
					   &took[i][UPDATE][round]);
	if (!err)
		report(map);
	return err;
}

static int build_all(const struct bench_map *map, unsigned int *built)
{
	int err = 0;

	for (*built = 0; *built < bench_structure_count && !err; (*built)++) {
		err = bench_structures[*built]->build(map);
		bytes[*built] = bench_structures[*built]->bytes();
	}
	return err;
}

/* Loading is the contest; it fails if the contest could not be held. */
static int __init bench_init(void)
{
	struct bench_map map;
	unsigned int built = 0;
	u64 *keys = NULL;
	int err;

	rounds = clamp(rounds, 1U, (uint)ROUNDS_MAX);
	lookups = max_t(ulong, lookups, IN_A_ROW);
	err = bench_map_make(map_name, runs, &map);
	if (!err) {
		keys = make_keys(&map);
		err = keys ? build_all(&map, &built) : -ENOMEM;
	}
	if (!err)
		err = contest(&map, keys);
	if (err)
		pr_err("bench: %s of %lu runs: %d\n", map_name, runs, err);
	while (built)
		bench_structures[--built]->free();
	vfree(keys);
	bench_map_free(&map);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void) {}
module_exit(bench_exit);

MODULE_DESCRIPTION("lindex beside XArray, maple tree and a sorted array");
MODULE_LICENSE("Dual BSD/GPL");
