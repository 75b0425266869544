/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cells.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void cells_init(struct cells *c, uint64_t base, unsigned int n)
{
	memset(c, 0, sizeof(*c));
	c->base = base;
	c->n = n;
	c->above = UINT64_MAX;
}

struct lindex_run draw_run(uint64_t base, unsigned int at, unsigned int count, char mark)
{
	struct lindex_run run = { .first = base + at, .last = base + at + count - 1 };

	if (mark >= 'A' && mark <= 'Z') {
		run.step = 1;
		run.tag = (uint16_t)mark;
		run.value = 1000u * (unsigned char)mark + at;
	} else if (mark >= 'a' && mark <= 'z') {
		run.tag = (uint16_t)(mark - 'a' + 'A');
		run.value = 1000u * run.tag;
	} else if (mark >= '0' && mark <= '9') {
		run.step = 1;
		run.value = 1000u * (unsigned char)mark + at;
	} else {
		abort();
	}
	return run;
}

void cells_insert(struct cells *c, const struct lindex_run *run)
{
	for (uint64_t key = run->first;; key++) {
		c->at[key - c->base] = (struct cell){ .value = lindex_value(run, key),
						      .tag = run->tag,
						      .step = run->step,
						      .mapped = 1 };
		if (key == run->last)
			break;
	}
}

void cells_remove(struct cells *c, uint64_t first, uint64_t last)
{
	memset(&c->at[first - c->base], 0, (size_t)(last - first + 1) * sizeof(c->at[0]));
}

void cells_draw(struct cells *c, const char *map)
{
	memset(c->at, 0, sizeof(c->at));
	for (unsigned int i = 0; map[i] && i < c->n; i++) {
		struct lindex_run run;

		if (map[i] == ' ')
			continue;
		run = draw_run(c->base, i, 1, map[i]);
		cells_insert(c, &run);
	}
}

/* Whether cells @i and @i + 1 belong to the same run or hole. */
static bool same_piece(const struct cells *c, unsigned int i)
{
	const struct cell *a = &c->at[i], *b = &c->at[i + 1];

	if (a->mapped != b->mapped || !a->mapped)
		return a->mapped == b->mapped;
	if (a->tag != b->tag || a->step != b->step)
		return false;
	if (a->step)
		return a->value != UINT64_MAX && b->value == a->value + 1;
	return b->value == a->value;
}

int cells_lookup(const struct cells *c, uint64_t key, struct lindex_run *run)
{
	unsigned int lo = (unsigned int)(key - c->base), hi = lo;
	const struct cell *cell;

	while (lo > 0 && same_piece(c, lo - 1))
		lo--;
	while (hi + 1 < c->n && same_piece(c, hi))
		hi++;
	cell = &c->at[lo];
	memset(run, 0, sizeof(*run));
	run->first = !cell->mapped && lo == 0 ? c->below : c->base + lo;
	run->last = !cell->mapped && hi + 1 == c->n ? c->above : c->base + hi;
	run->value = cell->value;
	run->tag = cell->tag;
	run->step = cell->step;
	run->mapped = cell->mapped;
	return cell->mapped ? 0 : -ENOENT;
}

unsigned int cells_runs(const struct cells *c, struct lindex_run *runs)
{
	unsigned int n = 0, i = 0;

	while (i < c->n) {
		struct lindex_run run;

		cells_lookup(c, c->base + i, &run);
		if (run.mapped)
			runs[n++] = run;
		if (run.last - c->base >= c->n - 1)
			break;
		i = (unsigned int)(run.last - c->base) + 1;
	}
	return n;
}
