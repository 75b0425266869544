/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Cursors: a key and two lookups. Holes are skipped whole, so a step costs the same however far apart
 * runs are; the loops below end because each turn moves past a hole.
 */
#include "internal.h"

void lindex_cursor_init(struct lindex_cursor *cur, const struct lindex *ix, uint64_t key)
{
	cur->ix = ix;
	cur->pos = key;
	cur->at_end = 0;
}

void lindex_cursor_init_end(struct lindex_cursor *cur, const struct lindex *ix)
{
	cur->ix = ix;
	cur->pos = 0;
	cur->at_end = 1;
}

int lindex_cursor_next(struct lindex_cursor *cur, struct lindex_run *run)
{
	struct lindex_run r;
	int err;

	if (cur->at_end)
		return -ENOENT;
	while ((err = lindex_lookup(cur->ix, cur->pos, &r)) == -ENOENT) {
		if (r.last == UINT64_MAX)
			return -ENOENT;
		cur->pos = r.last + 1; /* with a pager: what to load if that is not resident */
	}
	if (err)
		return err;
	cur->pos = r.last + 1;
	cur->at_end = r.last == UINT64_MAX;
	*run = r;
	return 0;
}

int lindex_cursor_prev(struct lindex_cursor *cur, struct lindex_run *run)
{
	struct lindex_run r;
	int err;

	if (!cur->at_end && !cur->pos)
		return -ENOENT;
	while ((err = lindex_lookup(cur->ix, cur->at_end ? UINT64_MAX : cur->pos - 1, &r)) ==
	       -ENOENT) {
		if (!r.first)
			return -ENOENT;
		cur->pos = r.first;
		cur->at_end = 0;
	}
	if (err)
		return err;
	cur->pos = r.first;
	cur->at_end = 0;
	*run = r;
	return 0;
}
