/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The model twin of the index: a sorted array of maximal runs. Slow and plain: every function is
 * meant to be seen to be right. It does not fail (it aborts without memory) and knows no limits.
 *
 * Maximal: two neighbours are one run if and only if tag, step and the sequence of values agree; a
 * single key keeps the step that it was stored with. A sequence does not continue past 2^64-1.
 */
#ifndef HARNESS_TWIN_H
#define HARNESS_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

struct twin {
	struct lindex_run *runs;
	size_t n, room;
};

#define RUN(first_, last_, value_, step_, tag_)                                                    \
	((struct lindex_run){ .first = (first_),                                                   \
			      .last = (last_),                                                     \
			      .value = (value_),                                                   \
			      .tag = (tag_),                                                       \
			      .step = (step_) })

bool run_equal(const struct lindex_run *a, const struct lindex_run *b);

/** run_joins() - Whether @b directly continues @a, so that both are one run. */
bool run_joins(const struct lindex_run *a, const struct lindex_run *b);

/** run_wraps() - Whether a value of @run would pass 2^64-1. */
bool run_wraps(const struct lindex_run *run);

void twin_init(struct twin *t);
void twin_destroy(struct twin *t);
void twin_clear(struct twin *t);
void twin_copy(struct twin *to, const struct twin *from);
bool twin_equal(const struct twin *a, const struct twin *b);

/** twin_build() - Contents become @n sorted runs, neighbours joined. */
void twin_build(struct twin *t, const struct lindex_run *runs, size_t n);

/** twin_append() - Store @run behind all others: bulk load of one. */
void twin_append(struct twin *t, const struct lindex_run *run);

void twin_insert(struct twin *t, const struct lindex_run *run);
void twin_remove(struct twin *t, uint64_t first, uint64_t last);

/** twin_at() - Index of the first run that ends at or after @key; n if there is none. */
size_t twin_at(const struct twin *t, uint64_t key);

/** twin_lookup() - 0 and the run, or -ENOENT and the hole. */
int twin_lookup(const struct twin *t, uint64_t key, struct lindex_run *run);

/** twin_next() - First run that ends at or after @key. -ENOENT. */
int twin_next(const struct twin *t, uint64_t key, struct lindex_run *run);

/** twin_prev() - Last run that begins before @key, or of all if @from_end. -ENOENT. */
int twin_prev(const struct twin *t, uint64_t key, bool from_end, struct lindex_run *run);

/** twin_cuts() - Whether a remove of [first, last] would keep a part of a run. */
bool twin_cuts(const struct twin *t, uint64_t first, uint64_t last);

/** twin_keys() - Keys covered, saturating. */
uint64_t twin_keys(const struct twin *t);

#endif
