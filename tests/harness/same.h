/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Compare an index with its twin. All of these abort through CHECK with the line that replays.
 * They also serve an index with a pager: where a page is missing they load it and ask again.
 */
#ifndef HARNESS_SAME_H
#define HARNESS_SAME_H

#include "twin.h"

/** assert_same() - Everything: a walk both ways, a lookup at each edge and beside it, lindex_check(). */
void assert_same(struct lindex *ix, const struct twin *t);

/** assert_same_walk() - A walk both ways only; for read-only indexes too big for more. */
void assert_same_walk(const struct lindex *ix, const struct twin *t);

/** assert_same_at() - lookup and explain at @key. */
void assert_same_at(const struct lindex *ix, const struct twin *t, uint64_t key);

/** assert_same_around() - Lookups at both edges of the run or hole around @key, and beside them. */
void assert_same_around(const struct lindex *ix, const struct twin *t, uint64_t key);

/** assert_sound() - lindex_check() is content. */
void assert_sound(struct lindex *ix);

/**
 * assert_self_consistent() - No twin: what the cursor walks is what lookups say, run by run and hole
 * by hole, maximal and in order. The slow reader of bytes from outside. Return: runs.
 *
 * -EUCLEAN ends the walk: allowed where @may_be_broken (pages served by somebody else).
 */
uint64_t assert_self_consistent(const struct lindex *ix, bool may_be_broken);

/** lookup_resident() - lindex_lookup(), loading what is missing (writer context). */
int lookup_resident(const struct lindex *ix, uint64_t key, struct lindex_run *run);
int next_resident(struct lindex_cursor *cur, struct lindex_run *run);
int prev_resident(struct lindex_cursor *cur, struct lindex_run *run);

/** run_text() - "[first..last] -> value step s tag t", in one of a few static buffers. */
const char *run_text(const struct lindex_run *run);

#endif
