/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 1024u

int runs_reserve(struct runs *runs, size_t n)
{
	struct lindex_run *at;

	if (n <= runs->room)
		return 0;
	at = reallocarray(runs->at, n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	runs->at = at;
	runs->room = n;
	return 0;
}

/* lindex.h: neighbours are one run if and only if tag, step and the sequence of values agree. */
static bool continues(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->last + 1 == b->first && a->tag == b->tag && a->step == b->step &&
	       lindex_value(a, b->first) == b->value &&
	       (!a->step || b->value); /* no sequence goes from 2^64-1 to 0 */
}

int runs_append(struct runs *runs, struct lindex_run run)
{
	struct lindex_run *last = runs->n ? &runs->at[runs->n - 1] : NULL;

	if (last && continues(last, &run)) {
		last->last = run.last;
		return 0;
	}
	if (runs->n == runs->room &&
	    runs_reserve(runs, runs->room ? runs->room + runs->room / 2 : FIRST_ROOM))
		return -ENOMEM;
	assert(runs->at);
	run.mapped = 1;
	runs->at[runs->n++] = run;
	return 0;
}

void runs_free(struct runs *runs)
{
	free(runs->at);
	*runs = (struct runs){ 0 };
}
