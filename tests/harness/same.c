/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "same.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

const char *run_text(const struct lindex_run *run)
{
	static _Thread_local char text[4][160];
	static _Thread_local unsigned int turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]),
		 "%s [%" PRIu64 "..%" PRIu64 "] -> %" PRIu64 " step %u tag %u",
		 run->mapped ? "run" : "hole", run->first, run->last, run->value, run->step,
		 run->tag);
	return out;
}

/* ---- Asking again once the page is there ---------------------------------------------------- */

/*
 * A lookup goes down one path, so a few rounds are enough, unless loading one page evicts another
 * of the same path: that would be a livelock, and a bug.
 */
#define LOAD_ROUNDS 64

static int load(const struct lindex *ix, uint64_t key, int *rounds)
{
	CHECK(++*rounds < LOAD_ROUNDS, "key %" PRIu64 ": -EAGAIN after each of %d loads", key,
	      LOAD_ROUNDS);
	return lindex_load((struct lindex *)(uintptr_t)ix, key);
}

int lookup_resident(const struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	int rounds = 0, rc;

	while ((rc = lindex_lookup(ix, key, run)) == -EAGAIN) {
		rc = load(ix, key, &rounds);
		if (rc)
			return rc;
	}
	return rc;
}

int next_resident(struct lindex_cursor *cur, struct lindex_run *run)
{
	int rounds = 0, rc;

	while ((rc = lindex_cursor_next(cur, run)) == -EAGAIN) {
		rc = load(cur->ix, cur->pos, &rounds);
		if (rc)
			return rc;
	}
	return rc;
}

int prev_resident(struct lindex_cursor *cur, struct lindex_run *run)
{
	int rounds = 0, rc;

	while ((rc = lindex_cursor_prev(cur, run)) == -EAGAIN) {
		rc = load(cur->ix, cur->at_end ? UINT64_MAX : cur->pos - 1, &rounds);
		if (rc)
			return rc;
	}
	return rc;
}

/* ---- Against the twin -------------------------------------------------------------------------- */

void assert_sound(struct lindex *ix)
{
	struct lindex_reason why;
	int rc;

	memset(&why, 0, sizeof(why));
	rc = lindex_check(ix, &why);
	CHECK(rc == 0,
	      "check says %d: %s (offset %" PRIu64 " key %" PRIu64 " expected %" PRIu64
	      " found %" PRIu64 ")",
	      rc, why.text ? why.text : "(no reason)", why.offset, why.key, why.expected,
	      why.found);
}

void assert_same_at(const struct lindex *ix, const struct twin *t, uint64_t key)
{
	struct lindex_run want, got;
	struct lindex_cert touched;
	int expect, rc;

	memset(&got, 0x5a, sizeof(got));
	expect = twin_lookup(t, key, &want);
	rc = lookup_resident(ix, key, &got);
	CHECK(rc == expect, "lookup(%" PRIu64 ") is %d, not %d: %s", key, rc, expect,
	      run_text(&want));
	CHECK(run_equal(&got, &want), "lookup(%" PRIu64 "): %s, not %s", key, run_text(&got),
	      run_text(&want));
	memset(&got, 0x5a, sizeof(got));
	rc = lindex_explain(ix, key, &got, &touched);
	CHECK(rc == expect && run_equal(&got, &want), "explain(%" PRIu64 ") is %d: %s, not %s", key,
	      rc, run_text(&got), run_text(&want));
}

void assert_same_around(const struct lindex *ix, const struct twin *t, uint64_t key)
{
	struct lindex_run run;

	twin_lookup(t, key, &run);
	assert_same_at(ix, t, key);
	assert_same_at(ix, t, run.first);
	assert_same_at(ix, t, run.last);
	assert_same_at(ix, t, run.first + (run.last - run.first) / 2);
	if (run.first > 0)
		assert_same_at(ix, t, run.first - 1);
	if (run.last < UINT64_MAX)
		assert_same_at(ix, t, run.last + 1);
}

static void assert_same_forward(const struct lindex *ix, const struct twin *t)
{
	struct lindex_cursor cur;
	struct lindex_run got;
	int rc;

	lindex_cursor_init(&cur, ix, 0);
	for (size_t i = 0; i < t->n; i++) {
		rc = next_resident(&cur, &got);
		CHECK(rc == 0, "next() number %zu of %zu is %d", i, t->n, rc);
		CHECK(run_equal(&got, &t->runs[i]), "next() number %zu: %s, not %s", i,
		      run_text(&got), run_text(&t->runs[i]));
	}
	rc = next_resident(&cur, &got);
	CHECK(rc == -ENOENT, "next() behind the last run is %d: %s", rc, run_text(&got));
}

static void assert_same_backward(const struct lindex *ix, const struct twin *t)
{
	struct lindex_cursor cur;
	struct lindex_run got;
	int rc;

	lindex_cursor_init_end(&cur, ix);
	for (size_t i = t->n; i-- > 0;) {
		rc = prev_resident(&cur, &got);
		CHECK(rc == 0, "prev() to number %zu of %zu is %d", i, t->n, rc);
		CHECK(run_equal(&got, &t->runs[i]), "prev() to number %zu: %s, not %s", i,
		      run_text(&got), run_text(&t->runs[i]));
	}
	rc = prev_resident(&cur, &got);
	CHECK(rc == -ENOENT, "prev() before the first run is %d: %s", rc, run_text(&got));
}

void assert_same_walk(const struct lindex *ix, const struct twin *t)
{
	assert_same_forward(ix, t);
	assert_same_backward(ix, t);
}

void assert_same(struct lindex *ix, const struct twin *t)
{
	assert_sound(ix);
	assert_same_walk(ix, t);
	assert_same_around(ix, t, 0);
	assert_same_around(ix, t, UINT64_MAX);
	for (size_t i = 0; i < t->n; i++)
		assert_same_around(ix, t, t->runs[i].first);
}

/* ---- Against itself ---------------------------------------------------------------------------- */

static void assert_lookup_is(const struct lindex *ix, uint64_t key, const struct lindex_run *want)
{
	struct lindex_run got;
	int rc = lookup_resident(ix, key, &got);

	CHECK(rc == (want->mapped ? 0 : -ENOENT), "lookup(%" PRIu64 ") is %d where the walk has %s",
	      key, rc, run_text(want));
	CHECK(run_equal(&got, want), "lookup(%" PRIu64 "): %s, but the walk has %s", key,
	      run_text(&got), run_text(want));
}

static void assert_piece(const struct lindex *ix, const struct lindex_run *piece)
{
	assert_lookup_is(ix, piece->first, piece);
	assert_lookup_is(ix, piece->first + (piece->last - piece->first) / 2, piece);
	assert_lookup_is(ix, piece->last, piece);
}

static void assert_well_formed(const struct lindex_run *run, const struct lindex_run *before)
{
	CHECK(run->mapped == 1 && run->step <= 1 && run->first <= run->last && !run_wraps(run),
	      "senseless %s", run_text(run));
	if (!before->mapped)
		return;
	CHECK(run->first > before->last, "%s after %s", run_text(run), run_text(before));
	CHECK(!run_joins(before, run), "%s and %s are one run", run_text(before), run_text(run));
}

uint64_t assert_self_consistent(const struct lindex *ix, bool may_be_broken)
{
	struct lindex_run run, before = { 0 }, hole;
	struct lindex_cursor cur;
	uint64_t runs = 0, from = 0;
	int rc;

	lindex_cursor_init(&cur, ix, 0);
	while ((rc = next_resident(&cur, &run)) == 0) {
		assert_well_formed(&run, &before);
		if (run.first > from) {
			hole = (struct lindex_run){ .first = from, .last = run.first - 1 };
			assert_piece(ix, &hole);
		}
		assert_piece(ix, &run);
		before = run;
		runs++;
		from = run.last +
		       1; /* 0 behind the last key: the hole below is then not asked for */
	}
	if (may_be_broken && rc != -ENOENT)
		return runs;
	CHECK(rc == -ENOENT, "walk ends with %d", rc);
	if (!runs || from) {
		hole = (struct lindex_run){ .first = from, .last = UINT64_MAX };
		assert_piece(ix, &hole);
	}
	return runs;
}
