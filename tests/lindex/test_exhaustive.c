/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Everything that can happen on a few keys, against the flat map of cells: all sequences of changes
 * over 16 keys, with the fewer different changes the longer the sequence; and each change to each
 * contents of a few keys. At the bottom, at the top and in the middle of the key space; the window
 * alone (a small map) and amid other runs (a tree).
 *
 * The long form (LINDEX_LONG=1) goes through all sequences of 6 changes out of 18, and all contents
 * of 8 keys.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "cells.h"
#include "check.h"
#include "same.h"
#include "world.h"

#define KEYS    16
#define OPS_MAX 1000
#define LONGEST 6
#define CROWD   40

struct place {
	uint64_t base;
	uint64_t crowd; /* runs on each side of the window, where there is room */
};

/* Where there is no time for all, every other one is taken. */
static const struct place places[] = {
	{ UINT64_MAX - KEYS + 1, 0 },     { 0, 0 },
	{ UINT64_MAX - KEYS + 1, CROWD }, { (1ull << 32) - 5, 1 },
	{ (1ull << 63) - 3, CROWD },      { 0, CROWD },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

struct stage {
	struct world w;
	struct cells cells;
	struct op ops[OPS_MAX];
	unsigned int n_ops;
	uint64_t done;
};

/* ---- The stage: a window of empty keys between two holes of one key each ------------------------- */

static void put_crowd(struct stage *s, const struct place *place)
{
	for (uint64_t i = 0; i < place->crowd; i++) {
		uint64_t off = 2 + 3 * i;

		if (place->base >= off) {
			lindex_insert(s->w.ix,
				      &RUN(place->base - off, place->base - off, i * i, 1, 1));
			if (!i)
				s->cells.below = place->base - 1;
		}
		if (UINT64_MAX - place->base >= KEYS - 1 + off) {
			uint64_t key = place->base + KEYS - 1 + off;

			lindex_insert(s->w.ix, &RUN(key, key, i * i, 1, 1));
			if (!i)
				s->cells.above = key - 1;
		}
	}
}

static void stage_open(struct stage *s, const struct place *place, unsigned int keys)
{
	memset(s, 0, sizeof(*s));
	world_open(&s->w, NULL, 0, 0);
	cells_init(&s->cells, place->base, keys);
	put_crowd(s, place);
}

static void stage_close(struct stage *s)
{
	assert_sound(s->w.ix);
	world_close(&s->w);
}

static void stage_empty(struct stage *s)
{
	uint64_t base = s->cells.base, end = base + s->cells.n - 1;

	CHECK(lindex_remove(s->w.ix, base, end) == 0, "clearing the window");
	cells_remove(&s->cells, base, end);
}

static void do_op(struct stage *s, const struct op *op)
{
	int rc = op_apply(s->w.ix, op);

	CHECK(rc == 0, "%s %s is %d", op->is_remove ? "remove" : "insert", run_text(&op->run), rc);
	if (op->is_remove)
		cells_remove(&s->cells, op->run.first, op->run.last);
	else
		cells_insert(&s->cells, &op->run);
}

/* Each key of the piece around @key, which is inside the window. Return: last key of it in there. */
static uint64_t compare_piece(struct stage *s, uint64_t key)
{
	uint64_t end = s->cells.base + s->cells.n - 1, last;
	struct lindex_run want, got;
	int expect = cells_lookup(&s->cells, key, &want), rc;

	last = want.last < end ? want.last : end;
	for (;; key++) {
		rc = lindex_lookup(s->w.ix, key, &got);
		CHECK(rc == expect && run_equal(&got, &want), "key base+%u: %d %s, not %d %s",
		      (unsigned int)(key - s->cells.base), rc, run_text(&got), expect,
		      run_text(&want));
		if (key == last)
			return last;
	}
}

static void compare(struct stage *s)
{
	uint64_t key = s->cells.base, end = key + s->cells.n - 1;

	while ((key = compare_piece(s, key)) != end)
		key++;
	if (++s->done % 256 == 0)
		assert_sound(s->w.ix);
}

/* ---- All sequences -------------------------------------------------------------------------------- */

/* All changes [a, b] with a and b + 1 out of @cuts, one for each of @marks; '-' removes. */
static void make_ops(struct stage *s, const unsigned int *cuts, unsigned int n_cuts,
		     const char *marks)
{
	s->n_ops = 0;
	for (unsigned int a = 0; a + 1 < n_cuts; a++) {
		for (unsigned int b = a + 1; b < n_cuts; b++) {
			for (const char *mark = marks; *mark; mark++) {
				struct op *op = &s->ops[s->n_ops++];

				op->is_remove = *mark == '-';
				op->run = draw_run(s->cells.base, cuts[a], cuts[b] - cuts[a],
						   op->is_remove ? 'A' : *mark);
			}
		}
	}
}

static void do_sequence(struct stage *s, const unsigned int *choice, unsigned int len)
{
	stage_empty(s);
	for (unsigned int i = 0; i < len; i++)
		do_op(s, &s->ops[choice[i]]);
	compare(s);
}

/* Shorter ones are compared as the beginning of longer ones: by another call with a smaller @len. */
static void all_sequences(struct stage *s, unsigned int len)
{
	unsigned int choice[LONGEST] = { 0 }, at;
	uint64_t count = 0;

	for (;;) {
		harness_step("sequence", count++);
		do_sequence(s, choice, len);
		for (at = 0; at < len && ++choice[at] == s->n_ops; at++)
			choice[at] = 0;
		if (at == len)
			return;
	}
}

static void everywhere(unsigned int len, const unsigned int *cuts, unsigned int n_cuts,
		       const char *marks)
{
	static struct stage s;
	size_t every = len == LONGEST && harness_long() ? 2 : 1;

	for (size_t i = 0; i < PLACES; i += every) {
		stage_open(&s, &places[i], KEYS);
		make_ops(&s, cuts, n_cuts, marks);
		all_sequences(&s, len);
		stage_close(&s);
	}
}

static const unsigned int every_key[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
};

Test(exhaustive, every_change_of_16_keys)
{
	everywhere(1, every_key, 17, "AaBb01-");
}

Test(exhaustive, every_pair_of_changes_of_16_keys)
{
	everywhere(2, every_key, 17, harness_long() ? "AaBb01-" : "Aa1-");
}

Test(exhaustive, every_three_changes_at_six_keys)
{
	static const unsigned int cuts[] = { 0, 1, 5, 8, 15, 16 };

	everywhere(3, cuts, 6, harness_long() ? "AaB1-" : "Aa-");
}

Test(exhaustive, every_four_changes_at_four_keys)
{
	static const unsigned int cuts[] = { 0, 4, 7, 16 };

	everywhere(4, cuts, 4, harness_long() ? "Aa1-" : "A1-");
}

Test(exhaustive, every_five_changes_at_three_keys)
{
	static const unsigned int cuts[] = { 0, 6, 16 };

	everywhere(5, cuts, 3, harness_long() ? "Aa1-" : "A1-");
}

Test(exhaustive, every_six_changes)
{
	static const unsigned int cuts[] = { 0, 6, 7, 16 };

	/* Long: 18 changes, 34 million sequences at each place. */
	everywhere(6, cuts, harness_long() ? 4 : 3, harness_long() ? "A1-" : "A-");
}

/* ---- Each change to each contents ---------------------------------------------------------------- */

/* Number @code, in base 4, is one contents of @keys keys. */
static void put_contents(struct stage *s, unsigned int code, unsigned int keys)
{
	struct lindex_run runs[CELLS_MAX];
	char map[KEYS + 1] = { 0 };
	unsigned int n;

	for (unsigned int i = 0; i < keys; i++, code /= 4)
		map[i] = " Aa1"[code % 4];
	cells_draw(&s->cells, map);
	n = cells_runs(&s->cells, runs);
	CHECK(lindex_build(s->w.ix, runs, n, NULL) == 0, "build of \"%s\"", map);
}

static void every_change_of(const struct place *place, unsigned int keys)
{
	static struct stage s;
	uint64_t step = 0;

	stage_open(&s, place, keys);
	make_ops(&s, every_key, keys + 1, "Aa1-");
	for (unsigned int code = 0; code < 1u << (2 * keys); code++) {
		for (unsigned int i = 0; i < s.n_ops; i++) {
			harness_step("contents", step++);
			put_contents(&s, code, keys);
			do_op(&s, &s.ops[i]);
			compare(&s);
		}
	}
	stage_close(&s);
}

Test(exhaustive, every_change_to_every_contents)
{
	unsigned int keys = harness_long() ? 8 : 6;

	every_change_of(&places[1], keys);
	/* So that the last of the keys is the last of all. */
	every_change_of(&(struct place){ UINT64_MAX - keys + 1, 0 }, keys);
}
