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
	uint64_t key = cur->pos;
	int err;

	if (cur->at_end)
		return -ENOENT;
	while ((err = lindex_lookup(cur->ix, key, &r)) == -ENOENT) {
		if (r.last == UINT64_MAX)
			return -ENOENT;
		key = r.last + 1;
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
	uint64_t key = cur->at_end ? UINT64_MAX : cur->pos - 1;
	int err;

	if (!cur->at_end && !cur->pos)
		return -ENOENT;
	while ((err = lindex_lookup(cur->ix, key, &r)) == -ENOENT) {
		if (!r.first)
			return -ENOENT;
		key = r.first - 1;
	}
	if (err)
		return err;
	cur->pos = r.first;
	cur->at_end = 0;
	*run = r;
	return 0;
}

/** lindex_seek() - The first run that ends at or after @key, in writer context: loads what it needs. */
int lindex_seek(struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	struct lindex_cursor cur;
	int err;

	lindex_cursor_init(&cur, ix, key);
	while ((err = lindex_cursor_next(&cur, run)) == -EAGAIN) {
		struct lindex_run hole;

		/* The page that is missing is on the path of @key, or behind the hole around it. */
		while ((err = lindex_lookup(ix, key, &hole)) == -ENOENT && hole.last != UINT64_MAX)
			key = hole.last + 1;
		if (err == -EAGAIN)
			err = lindex_load(ix, key);
		if (err)
			return err;
		lindex_cursor_init(&cur, ix, key);
	}
	return err;
}
