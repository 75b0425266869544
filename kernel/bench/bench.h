/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The contest inside the kernel: maps (maps.c), structures (structures.c), and the loops over both (loops.c). */
#ifndef LINDEX_BENCH_H
#define LINDEX_BENCH_H

#include <linux/types.h>

#include "../../lindex/lindex.h"

/* A small random stream, the same everywhere: xorshift64*. */
static inline u64 bench_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* In [0, n), n < 2^32. */
static inline u32 bench_below(u64 *state, u32 n)
{
	return (u32)(((bench_random(state) >> 32) * n) >> 32);
}

/**
 * struct bench_map - Sorted, maximal runs of step 1.
 * @keys: One more than the last key. @head: one more than the highest value.
 */
struct bench_map {
	struct lindex_run *runs;
	size_t n;
	u64 keys, head;
};

/** bench_map_make() - "aged", "holes", "pages" or "dense" (maps.c says what these are), of about @n runs. */
int bench_map_make(const char *name, size_t n, struct bench_map *map);
void bench_map_free(struct bench_map *map);

/**
 * struct bench_structure - One contestant. One instance at a time.
 * @sum:    Looks up @n keys and adds up their values; holes count 0. The loop is the structure's, so that no
 *          indirect call is measured.
 * @load:   The same by a plainer call that finds no range, if there is one; its sum is another.
 * @update: Stores [first, last] -> value, step 1, over whatever was there.
 * @bytes:  What it holds.
 * @slow_updates: They take time in proportion to the map's size.
 */
struct bench_structure {
	const char *name;
	int (*build)(const struct bench_map *map);
	u64 (*sum)(const u64 *keys, size_t n);
	u64 (*load)(const u64 *keys, size_t n);
	int (*update)(u64 first, u64 last, u64 value);
	u64 (*bytes)(void);
	void (*free)(void);
	bool slow_updates;
};

extern const struct bench_structure *const bench_structures[];
extern const unsigned int bench_structure_count;

#endif
