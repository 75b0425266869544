/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sorted runs in an array. Slow and obvious, so that it can be the truth that the index is compared with.
 */
#include "tool.h"
#include <stdlib.h>
#include <string.h>

static int make_room(struct run_list *list, size_t more)
{
	size_t cap = list->cap ? list->cap : 1024;
	struct lindex_run *runs;

	while (cap < list->n + more)
		cap *= 2;
	if (cap == list->cap)
		return 0;
	runs = reallocarray(list->runs, cap, sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	list->runs = runs;
	list->cap = cap;
	return 0;
}

bool runs_same(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->first == b->first && a->last == b->last && a->value == b->value &&
	       a->tag == b->tag && a->step == b->step && a->mapped == b->mapped;
}

/* lindex.h: neighbours are one run if and only if tag, step and the sequence of values agree. */
static bool are_one(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->last + 1 == b->first && a->tag == b->tag && a->step == b->step &&
	       lindex_value(a, a->last) + a->step == b->value &&
	       (!a->step || b->value); /* no sequence goes from 2^64-1 to 0 */
}

int runs_append(struct run_list *list, const struct lindex_run *run)
{
	if (list->n && are_one(&list->runs[list->n - 1], run)) {
		list->runs[list->n - 1].last = run->last;
		return 0;
	}
	if (make_room(list, 1))
		return -ENOMEM;
	list->runs[list->n] = *run;
	list->runs[list->n++].mapped = 1;
	return 0;
}

/* Index of the first run that ends at or after @key. */
static size_t find(const struct run_list *list, uint64_t key)
{
	size_t lo = 0, hi = list->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->runs[mid].last < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void runs_lookup(const struct run_list *list, uint64_t key, struct lindex_run *run)
{
	size_t i = find(list, key);

	if (i < list->n && list->runs[i].first <= key) {
		*run = list->runs[i];
		return;
	}
	*run = (struct lindex_run){ 0 };
	run->first = i ? list->runs[i - 1].last + 1 : 0;
	run->last = i < list->n ? list->runs[i].first - 1 : UINT64_MAX;
}

/* Joins runs[i] and runs[i + 1] where these exist and are one run. */
static void join_at(struct run_list *list, size_t i)
{
	struct lindex_run *run = list->runs + i;

	if (i + 1 >= list->n || !are_one(run, run + 1))
		return;
	run->last = run[1].last;
	memmove(run + 1, run + 2, (list->n - i - 2) * sizeof(*run));
	list->n--;
}

/* Puts what is left of the runs in [first, last], and @run if there is one, into their place. */
static int replace(struct run_list *list, uint64_t first, uint64_t last,
		   const struct lindex_run *run)
{
	size_t i = find(list, first), j = i, n = 0;
	struct lindex_run put[3];

	while (j < list->n && list->runs[j].first <= last)
		j++;
	if (i < j && list->runs[i].first < first) {
		put[n] = list->runs[i];
		put[n++].last = first - 1;
	}
	if (run) {
		put[n] = *run;
		put[n++].mapped = 1;
	}
	if (i < j && list->runs[j - 1].last > last) {
		put[n] = list->runs[j - 1];
		put[n].value = lindex_value(&put[n], last + 1);
		put[n++].first = last + 1;
	}
	if (make_room(list, n))
		return -ENOMEM;
	memmove(list->runs + i + n, list->runs + j, (list->n - j) * sizeof(*put));
	memcpy(list->runs + i, put, n * sizeof(*put));
	list->n = list->n - (j - i) + n;
	for (j = i + n + 1; j-- > i;)
		join_at(list, j);
	if (i)
		join_at(list, i - 1);
	return 0;
}

int runs_insert(struct run_list *list, const struct lindex_run *run)
{
	return replace(list, run->first, run->last, run);
}

int runs_remove(struct run_list *list, uint64_t first, uint64_t last)
{
	return replace(list, first, last, NULL);
}

void runs_free(struct run_list *list)
{
	free(list->runs);
	*list = (struct run_list){ 0 };
}
