/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The flat model: a window of at most 64 keys, one cell per key. Even plainer than the twin, and the
 * judge of it: an insert writes cells, a remove clears them, a run is what a scan finds.
 *
 * Cells are drawn as text, one character per key:
 *
 *     ' '   hole (in a change: leave alone)          '-'   in a change: remove
 *     A..Z  tag of the letter, step 1, value = base value of the letter + position. Two pieces of
 *           the same letter are one run when they touch: their values continue each other.
 *     a..z  tag and base value of the letter, step 0: constant value.
 *     0..9  tag 0, step 1, base value by digit: same tag and step, but values never continue.
 */
#ifndef HARNESS_CELLS_H
#define HARNESS_CELLS_H

#include <stdint.h>

#include "lindex.h"

#define CELLS_MAX 64

struct cell {
	uint64_t value;
	uint16_t tag;
	uint8_t step, mapped;
};

/**
 * struct cells - Keys base .. base + n - 1.
 * @below: First key of the hole that begins below the window (base: none).
 * @above: Last key of the hole that ends above the window (base + n - 1: none).
 */
struct cells {
	uint64_t base, below, above;
	unsigned int n;
	struct cell at[CELLS_MAX];
};

/** cells_init() - An empty window whose surroundings are empty, too. */
void cells_init(struct cells *c, uint64_t base, unsigned int n);

/** cells_draw() - Contents become those of @map, at most n characters. */
void cells_draw(struct cells *c, const char *map);

void cells_insert(struct cells *c, const struct lindex_run *run);
void cells_remove(struct cells *c, uint64_t first, uint64_t last);

/** cells_lookup() - As lindex_lookup(), @key inside the window. */
int cells_lookup(const struct cells *c, uint64_t key, struct lindex_run *run);

/** cells_runs() - The runs in the window, at most n. Return: how many. */
unsigned int cells_runs(const struct cells *c, struct lindex_run *runs);

/** draw_run() - What @count characters @mark at position @at stand for. */
struct lindex_run draw_run(uint64_t base, unsigned int at, unsigned int count, char mark);

#endif
