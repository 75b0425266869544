/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_insert() and lindex_remove() in drawn cases: a map line before, the change, the line after.
 * cells.h says what the characters mean. Each case runs at several places of the key space, alone
 * and amid other runs, so that small maps and trees see the same.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "cells.h"
#include "check.h"
#include "keys.h"
#include "same.h"
#include "world.h"

#define WIDTH 24

/* How many runs stand on each side of the window: none, few (still a small map), many (a tree). */
static const uint64_t crowds[] = { 0, 1, 300 };

/* Runs outside the window, two keys away from it, that join with nothing. */
static void put_crowd(struct world *w, uint64_t base, uint64_t crowd)
{
	struct op op = { 0 };

	for (uint64_t i = 0; i < crowd; i++) {
		if (base >= 3 * (i + 1)) {
			op.run = RUN(base - 3 * (i + 1), base - 3 * (i + 1), i * i, 1, 1);
			world_do(w, &op);
		}
		if (UINT64_MAX - base - WIDTH >= 3 * i + 1) {
			op.run = RUN(base + WIDTH + 3 * i + 1, base + WIDTH + 3 * i + 1, i * i, 1,
				     2);
			world_do(w, &op);
		}
	}
}

static void put_map(struct world *w, uint64_t base, const char *map)
{
	struct lindex_run runs[CELLS_MAX];
	struct cells cells;
	unsigned int n;

	cells_init(&cells, base, WIDTH);
	cells_draw(&cells, map);
	n = cells_runs(&cells, runs);
	for (unsigned int i = 0; i < n; i++)
		world_do(w, &(struct op){ .run = runs[i] });
}

/* The one change that the line draws. */
static struct op change_op(uint64_t base, const char *change)
{
	unsigned int at = (unsigned int)strspn(change, " ");
	char mark[2] = { change[at], 0 };
	unsigned int count = (unsigned int)strspn(change + at, mark);
	struct op op = { .is_remove = mark[0] == '-' };

	op.run = draw_run(base, at, count, op.is_remove ? 'A' : mark[0]);
	CHECK(strspn(change + at + count, " ") == strlen(change + at + count),
	      "one change only: %s", change);
	return op;
}

static void assert_map(const struct world *w, uint64_t base, const char *map)
{
	struct lindex_run runs[CELLS_MAX], got;
	struct lindex_cursor cur;
	struct cells cells;
	unsigned int n;

	cells_init(&cells, base, WIDTH);
	cells_draw(&cells, map);
	n = cells_runs(&cells, runs);
	lindex_cursor_init(&cur, w->ix, base);
	for (unsigned int i = 0; i < n; i++) {
		CHECK(lindex_cursor_next(&cur, &got) == 0, "\"%s\": run %u is missing", map, i);
		CHECK(run_equal(&got, &runs[i]), "\"%s\": %s, not %s", map, run_text(&got),
		      run_text(&runs[i]));
	}
	CHECK(lindex_cursor_next(&cur, &got) != 0 || got.first >= base + WIDTH || got.first < base,
	      "\"%s\": %s too many", map, run_text(&got));
}

static void run_case(uint64_t base, uint64_t crowd, const char *before, const char *change,
		     const char *after)
{
	struct op op = change_op(base, change);
	struct world w;

	harness_step(change, base);
	world_open(&w, NULL, 0, 0);
	put_crowd(&w, base, crowd);
	put_map(&w, base, before);
	assert_map(&w, base, before);
	world_do(&w, &op);
	assert_map(&w, base, after);
	assert_same(w.ix, &w.twin);
	world_close(&w);
}

static void drawn(const char *before, const char *change, const char *after)
{
	static const uint64_t bases[] = { 0, 1000, (1ull << 32) - 4, (1ull << 63) - 2,
					  UINT64_MAX - WIDTH + 1 };

	CHECK(strlen(before) <= WIDTH && strlen(change) <= WIDTH, "too wide: %s", before);
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		for (size_t j = 0; j < sizeof(crowds) / sizeof(crowds[0]); j++)
			run_case(bases[i], crowds[j], before, change, after);
	}
}

/* ---- Insert --------------------------------------------------------------------------------------- */

Test(insert, into_a_hole_adds_a_run)
{
	drawn("                        ",
	      "   AAA                  ",
	      "   AAA                  ");
	drawn("AA        BB            ",
	      "    CC                  ",
	      "AA  CC    BB            ");
}

Test(insert, fills_the_whole_window)
{
	drawn("A B  c d EEEEE f 0 1 2 3",
	      "ZZZZZZZZZZZZZZZZZZZZZZZZ",
	      "ZZZZZZZZZZZZZZZZZZZZZZZZ");
}

Test(insert, inside_a_run_splits_it)
{
	drawn("AAAAAAAA                ",
	      "  BB                    ",
	      "AABBAAAA                ");
	drawn("aaaaaaaa                ",
	      "   A                    ",
	      "aaaAaaaa                ");
}

Test(insert, at_the_edges_cuts_both_neighbours)
{
	drawn("AAAABBBB                ",
	      "  CCCC                  ",
	      "AACCCCBB                ");
	drawn("AAAA  BBBB              ",
	      "  CCCCCC                ",
	      "AACCCCCCBB              ");
}

Test(insert, over_whole_runs_displaces_them)
{
	drawn("AA BB CC DD EE FF GG HH ",
	      "   ZZZZZZZZZZZZZZ       ",
	      "AA ZZZZZZZZZZZZZZ GG HH ");
}

Test(insert, of_the_same_key_range_replaces_the_value)
{
	drawn("  0000  ", "  1111  ", "  1111  ");
	drawn("   0    ", "   1    ", "   1    ");
}

Test(insert, that_continues_the_left_run_joins_it)
{
	drawn("AAA                     ",
	      "   AA                   ",
	      "AAAAA                   ");
	drawn("aaa                     ",
	      "   aa                   ",
	      "aaaaa                   ");
}

Test(insert, that_leads_to_the_right_run_joins_it)
{
	drawn("     AAA                ",
	      "   AA                   ",
	      "   AAAAA                ");
}

Test(insert, that_closes_a_gap_makes_one_run_of_three)
{
	drawn("AAA   AAA               ",
	      "   AAA                  ",
	      "AAAAAAAAA               ");
	drawn("aaaBBBaaa               ",
	      "   aaa                  ",
	      "aaaaaaaaa               ");
}

Test(insert, that_overlaps_equal_contents_changes_nothing)
{
	drawn("AAAAAAAAA               ",
	      "  AAAA                  ",
	      "AAAAAAAAA               ");
	drawn("AAAAA                   ",
	      "  AAAAAA                ",
	      "AAAAAAAA                ");
}

Test(insert, does_not_join_values_that_do_not_continue)
{
	drawn("000   222               ",
	      "   111                  ",
	      "000111222               ");
}

Test(insert, does_not_join_another_step)
{
	/* Position 0: 'A' and 'a' have the same value there, tag too. */
	drawn(" aa                     ",
	      "A                       ",
	      "Aaa                     ");
	drawn("AAA                     ",
	      "   a                    ",
	      "AAAa                    ");
}

Test(insert, does_not_join_another_tag)
{
	drawn("aa                      ",
	      "  bb                    ",
	      "aabb                    ");
}

Test(insert, of_one_key_keeps_its_step)
{
	drawn("                        ",
	      "A                       ",
	      "A                       ");
	drawn("A                       ",
	      "a                       ",
	      "a                       ");
}

Test(insert, on_the_first_and_on_the_last_key)
{
	drawn(" BBB                    ",
	      "A                       ",
	      "ABBB                    ");
	drawn("                    BBB ",
	      "                       A",
	      "                    BBBA");
	drawn("                     BBB",
	      "                       A",
	      "                     BBA");
}

/* ---- Remove --------------------------------------------------------------------------------------- */

Test(remove, of_nothing_is_fine)
{
	drawn("AA        BB            ",
	      "    ----                ",
	      "AA        BB            ");
	drawn("                        ",
	      "------------------------",
	      "                        ");
}

Test(remove, of_a_whole_run)
{
	drawn("AA  BBBB  CC            ",
	      "    ----                ",
	      "AA        CC            ");
	drawn("AA  BBBB  CC            ",
	      "  --------              ",
	      "AA        CC            ");
}

Test(remove, inside_a_run_splits_it)
{
	drawn("AAAAAAAA                ",
	      "   --                   ",
	      "AAA  AAA                ");
	drawn("AAAAAAAA                ",
	      "   -                    ",
	      "AAA AAAA                ");
}

Test(remove, cuts_ends)
{
	drawn("AAAAAAAA                ",
	      "---                     ",
	      "   AAAAA                ");
	drawn("  AAAABBBBcccc          ",
	      "    --------            ",
	      "  AA        cc          ");
}

Test(remove, leaves_single_keys_with_their_step)
{
	drawn("AAAaaa                  ",
	      " ----                   ",
	      "A    a                  ");
}

Test(remove, of_everything)
{
	drawn("AABBCCDD  EE  FFGG  0123",
	      "------------------------",
	      "                        ");
}

/* ---- What a line does not draw ------------------------------------------------------------------ */

static void overwrite_all_keys(size_t n)
{
	struct twin contents;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), n);
	twin_init(&contents);
	shape_make(SHAPE_SPARSE_RANDOM, n, &rng, &contents);
	world_open(&w, NULL, 0, 0);
	world_build(&w, &contents);
	world_do(&w, &(struct op){ .run = RUN(0, UINT64_MAX, 0, 1, 77) });
	assert_same(w.ix, &w.twin);
	world_build(&w, &contents);
	world_do(&w, &(struct op){ .run = RUN(0, UINT64_MAX, 0, 0, 0), .is_remove = true });
	assert_same(w.ix, &w.twin);
	world_build(&w, &contents);
	world_do(&w, &(struct op){ .run = RUN(1, UINT64_MAX - 1, 7, 0, 0) });
	assert_same(w.ix, &w.twin);
	world_close(&w);
	twin_destroy(&contents);
}

Test(insert, and_remove_of_all_keys_displace_everything)
{
	static const size_t sizes[] = { 1, 3, 4, 30, 1000, 30000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		overwrite_all_keys(sizes[i]);
}

Test(insert, ignores_mapped_on_input)
{
	struct lindex_run run = RUN(5, 6, 7, 1, 8), got;
	struct world w;

	world_open(&w, NULL, 0, 0);
	for (unsigned int mapped = 0; mapped < 3; mapped++) {
		run.mapped = (uint8_t)mapped;
		cr_assert_eq(lindex_insert(w.ix, &run), 0);
		cr_assert_eq(lindex_lookup(w.ix, 5, &got), 0);
		cr_assert_eq(got.mapped, 1);
	}
	world_close(&w);
}

Test(insert, accepts_values_up_to_the_last)
{
	struct world w;

	world_open(&w, NULL, 0, 0);
	world_do(&w, &(struct op){ .run = RUN(10, 19, UINT64_MAX - 9, 1, 0) });
	/* Values end here: what follows does not continue the run. */
	world_do(&w, &(struct op){ .run = RUN(20, 29, 0, 1, 0) });
	cr_assert_eq(w.twin.n, 2);
	assert_same(w.ix, &w.twin);
	world_close(&w);
}

/* ---- The far end ----------------------------------------------------------------------------------------- */

/* Around the last runs: their edges, and the holes before them. */
static void assert_same_at_the_end(const struct world *w, size_t runs)
{
	size_t from = w->twin.n > runs ? w->twin.n - runs : 0;

	for (size_t i = from; i < w->twin.n; i++) {
		const struct lindex_run *r = &w->twin.runs[i];

		assert_same_at(w->ix, &w->twin, r->first - 1);
		assert_same_at(w->ix, &w->twin, r->first);
		assert_same_at(w->ix, &w->twin, r->last + 1);
	}
}

/*
 * Inner nodes of more than 1 KiB are copied with entries exchanged, their line kept. Behind the last separator only
 * the clamp makes a prediction right: separators that come there must not leave keys to it that are no longer last.
 */
static void grow_far_behind_the_end(uint64_t seed, bool narrow)
{
	const struct lindex_config cfg = { .node_bytes = 256 };
	uint64_t gap, pos;
	struct world w;
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), seed);
	gap = narrow ? 4096 : UINT64_C(1) << (20 + rng_below(&rng, 16));
	twin_init(&t);
	for (uint64_t i = 0, n = 20000 + rng_below(&rng, 10000); i < n; i++)
		twin_append(&t, &RUN(i * gap + 1, i * gap + 1 + rng_below(&rng, 4),
				     rng_bits(&rng, 24), 1, 0));
	world_open(&w, &cfg, 0, 0);
	world_build(&w, &t);
	pos = t.runs[t.n - 1].last + gap;
	twin_destroy(&t);
	for (uint64_t step = 0; step < 300; step++) {
		struct op op = { .run = RUN(pos, pos + rng_below(&rng, 4), rng_bits(&rng, 24), 1,
					    0) };
		size_t keep = rng_below(&rng, 20), cut = 1 + rng_below(&rng, 20);

		harness_step(narrow ? "narrow" : "wide", seed * 1000 + step);
		if (rng_one_in(&rng, 4)) {
			op.is_remove = true;
			op.run.first = w.twin.runs[w.twin.n - keep - cut].first;
			op.run.last = w.twin.runs[w.twin.n - keep - 1].last;
		} else {
			pos += gap * (1 + rng_below(&rng, 64)) *
			       (!rng_one_in(&rng, 4) ? 1 :
				narrow               ? 64 :
						       1000);
			if (pos >> (narrow ? 32 : 62))
				break;
		}
		world_do(&w, &op);
		assert_sound(w.ix);
		if (step % 8 == 0)
			assert_same_at_the_end(&w, 100);
	}
	assert_same_at_the_end(&w, 400);
	world_close(&w);
}

Test(insert, appends_far_behind_the_end_and_removes_there)
{
	for (uint64_t seed = 0; seed < 24; seed++)
		grow_far_behind_the_end(seed, seed % 2);
}

/*
 * An append goes into the last leaf's last line, or begins a line: nothing is packed anew until the leaf is full.
 * Appends leave holes, join the last run, or overwrite its end and go on.
 */
Test(insert, appends_write_one_node_as_a_rule)
{
	struct lindex_update_cost cost;
	uint64_t nodes = 0, steps = 20000;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 17);
	world_open(&w, NULL, 0, 0);
	for (uint64_t step = 0, end = 1; step < steps; step++) {
		uint64_t first = end + (rng_one_in(&rng, 3) ? 0 : rng_below(&rng, 3));
		struct op op = { .run = RUN(first, first + rng_below(&rng, 9), rng_bits(&rng, 24),
					    1, 0) };

		if (w.twin.n && rng_one_in(&rng, 5))
			op.run.first = rng_between(&rng, w.twin.runs[w.twin.n - 1].first, end);
		if (w.twin.n && rng_one_in(&rng, 5))
			op.run.value = lindex_value(&w.twin.runs[w.twin.n - 1], op.run.first);
		harness_step("append", step);
		world_do(&w, &op);
		lindex_last_cost(w.ix, &cost);
		nodes += cost.nodes_written;
		end = op.run.last + 1;
		if (step % 64 == 0) {
			assert_sound(w.ix);
			assert_same_around(w.ix, &w.twin, first);
		}
	}
	assert_same(w.ix, &w.twin);
	CHECK(nodes < steps + steps / 20, "%" PRIu64 " nodes for %" PRIu64 " appends", nodes,
	      steps);
	world_close(&w);
}

/* Overwrites, holes and their filling inside DENSE leaves change slots where they are. */
Test(insert, changes_of_dense_leaves_write_one_node_as_a_rule)
{
	struct lindex_update_cost cost;
	const uint64_t keys = 20000, steps = 20000;
	struct lindex_stats stats;
	uint64_t nodes = 0;
	struct twin t;
	struct world w;
	struct rng rng;

	rng_init(&rng, harness_seed(), 18);
	twin_init(&t);
	for (uint64_t i = 0; i < keys; i++)
		twin_append(&t, &RUN(1000 + i, 1000 + i, rng_bits(&rng, 20), 0, 3));
	world_open(&w, NULL, 0, 0);
	world_build(&w, &t);
	twin_destroy(&t);
	lindex_get_stats(w.ix, &stats);
	CHECK(stats.kind_runs[LINDEX_KIND_DENSE] > keys / 2, "no DENSE leaves");
	for (uint64_t step = 0; step < steps; step++) {
		uint64_t first = 1000 + rng_below(&rng, keys), len = rng_below(&rng, 4);
		struct op op = { .run = RUN(first, first + len, rng_bits(&rng, 20), 0, 3),
				 .is_remove = rng_one_in(&rng, 4) };

		harness_step("slot", step);
		world_do(&w, &op);
		lindex_last_cost(w.ix, &cost);
		nodes += cost.nodes_written;
		assert_same_around(w.ix, &w.twin, first);
		if (step % 512 == 0)
			assert_sound(w.ix);
	}
	assert_sound(w.ix);
	assert_same(w.ix, &w.twin);
	CHECK(nodes < steps + steps / 4, "%" PRIu64 " nodes for %" PRIu64 " changes", nodes, steps);
	world_close(&w);
}
