/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "twin.h"

#include <stdlib.h>
#include <string.h>

bool run_equal(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->first == b->first && a->last == b->last && a->value == b->value &&
	       a->tag == b->tag && a->step == b->step && a->mapped == b->mapped;
}

bool run_joins(const struct lindex_run *a, const struct lindex_run *b)
{
	uint64_t end_value = lindex_value(a, a->last);

	if (a->last == UINT64_MAX || a->last + 1 != b->first)
		return false;
	if (a->tag != b->tag || a->step != b->step)
		return false;
	if (!a->step)
		return b->value == end_value;
	return end_value != UINT64_MAX && b->value == end_value + 1;
}

bool run_wraps(const struct lindex_run *run)
{
	return run->step && run->last - run->first > UINT64_MAX - run->value;
}

void twin_init(struct twin *t)
{
	memset(t, 0, sizeof(*t));
}

void twin_destroy(struct twin *t)
{
	free(t->runs);
	twin_init(t);
}

void twin_clear(struct twin *t)
{
	t->n = 0;
}

static void make_room(struct twin *t, size_t n)
{
	if (n <= t->room)
		return;
	t->room = n + n / 2 + 16;
	t->runs = realloc(t->runs, t->room * sizeof(*t->runs));
	if (!t->runs)
		abort();
}

void twin_copy(struct twin *to, const struct twin *from)
{
	make_room(to, from->n);
	if (from->n)
		memcpy(to->runs, from->runs, from->n * sizeof(*from->runs));
	to->n = from->n;
}

bool twin_equal(const struct twin *a, const struct twin *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		if (!run_equal(&a->runs[i], &b->runs[i]))
			return false;
	}
	return a->n == b->n;
}

void twin_append(struct twin *t, const struct lindex_run *run)
{
	if (t->n && run_joins(&t->runs[t->n - 1], run)) {
		t->runs[t->n - 1].last = run->last;
		return;
	}
	make_room(t, t->n + 1);
	t->runs[t->n] = *run;
	t->runs[t->n++].mapped = 1;
}

void twin_build(struct twin *t, const struct lindex_run *runs, size_t n)
{
	t->n = 0;
	for (size_t i = 0; i < n; i++)
		twin_append(t, &runs[i]);
}

size_t twin_at(const struct twin *t, uint64_t key)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->runs[mid].last < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Put @n runs in place of the @old runs from @at on. */
static void splice(struct twin *t, size_t at, size_t old, const struct lindex_run *runs, size_t n)
{
	make_room(t, t->n - old + n);
	if (t->n > at + old)
		memmove(t->runs + at + n, t->runs + at + old, (t->n - at - old) * sizeof(*t->runs));
	if (n)
		memcpy(t->runs + at, runs, n * sizeof(*runs));
	t->n = t->n - old + n;
}

/* The runs [*at, *at + return) overlap [first, last]. */
static size_t overlap(const struct twin *t, uint64_t first, uint64_t last, size_t *at)
{
	size_t end = twin_at(t, last);

	*at = twin_at(t, first);
	if (end < t->n && t->runs[end].first <= last)
		end++;
	return end - *at;
}

/* What is left of the overlapped runs on both sides of [first, last]. */
static size_t remains(const struct twin *t, size_t at, size_t old, uint64_t first, uint64_t last,
		      struct lindex_run *left, struct lindex_run *right)
{
	size_t which = 0;

	if (!old)
		return 0;
	*left = t->runs[at];
	*right = t->runs[at + old - 1];
	if (left->first < first) {
		left->last = first - 1;
		which |= 1;
	}
	if (right->last > last) {
		right->value = lindex_value(right, last + 1);
		right->first = last + 1;
		which |= 2;
	}
	return which;
}

void twin_remove(struct twin *t, uint64_t first, uint64_t last)
{
	struct lindex_run left, right, kept[2];
	size_t at, n = 0;
	size_t old = overlap(t, first, last, &at);
	size_t which = remains(t, at, old, first, last, &left, &right);

	if (which & 1)
		kept[n++] = left;
	if (which & 2)
		kept[n++] = right;
	splice(t, at, old, kept, n);
}

/* Join the run at @at with the one behind it if they are one. */
static void join_at(struct twin *t, size_t at)
{
	if (at + 1 >= t->n || !run_joins(&t->runs[at], &t->runs[at + 1]))
		return;
	t->runs[at].last = t->runs[at + 1].last;
	splice(t, at + 1, 1, NULL, 0);
}

void twin_insert(struct twin *t, const struct lindex_run *run)
{
	struct lindex_run stored = *run;
	size_t at;

	stored.mapped = 1;
	twin_remove(t, run->first, run->last);
	at = twin_at(t, run->first);
	splice(t, at, 0, &stored, 1);
	join_at(t, at);
	if (at)
		join_at(t, at - 1);
}

int twin_lookup(const struct twin *t, uint64_t key, struct lindex_run *run)
{
	size_t at = twin_at(t, key);

	if (at < t->n && t->runs[at].first <= key) {
		*run = t->runs[at];
		return 0;
	}
	memset(run, 0, sizeof(*run));
	run->first = at ? t->runs[at - 1].last + 1 : 0;
	run->last = at < t->n ? t->runs[at].first - 1 : UINT64_MAX;
	return -ENOENT;
}

int twin_next(const struct twin *t, uint64_t key, struct lindex_run *run)
{
	size_t at = twin_at(t, key);

	if (at == t->n)
		return -ENOENT;
	*run = t->runs[at];
	return 0;
}

int twin_prev(const struct twin *t, uint64_t key, bool from_end, struct lindex_run *run)
{
	size_t at = from_end ? t->n : twin_at(t, key);

	if (!from_end && at < t->n && t->runs[at].first < key)
		at++;
	if (!at)
		return -ENOENT;
	*run = t->runs[at - 1];
	return 0;
}

bool twin_cuts(const struct twin *t, uint64_t first, uint64_t last)
{
	struct lindex_run left, right;
	size_t at;
	size_t old = overlap(t, first, last, &at);

	return remains(t, at, old, first, last, &left, &right) != 0;
}

uint64_t twin_keys(const struct twin *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->n; i++) {
		uint64_t more = t->runs[i].last - t->runs[i].first;

		if (more == UINT64_MAX || sum > UINT64_MAX - 1 - more)
			return UINT64_MAX;
		sum += more + 1;
	}
	return sum;
}
