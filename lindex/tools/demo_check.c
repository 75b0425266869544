/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Is every answer of the index what a search in the sorted array gives? Random numbers have a fixed
 * seed: the same files give the same run again.
 */
#include "tool.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define RANDOM_KEYS 200000u
#define BATCH       500u
#define MAX_BLOCKS  64u

/* splitmix64 */
uint64_t demo_random(struct demo *demo)
{
	uint64_t z = demo->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t demo_random_key(struct demo *demo)
{
	const struct lindex_run *run = &demo->list.runs[demo_random(demo) % demo->list.n];

	return run->first + demo_random(demo) % (run->last - run->first + 1);
}

void demo_verdict(struct demo *demo, bool right, const char *fmt, ...)
{
	va_list args;

	printf("  %s", right ? "ok     " : "WRONG  ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	demo->failures += !right;
}

/* ---- Unchanging -------------------------------------------------------------------------------- */

/* The first wrong answer is shown; one is enough to fail. */
static bool compare(const struct lindex_run *found, const struct run_list *list, uint64_t key)
{
	struct lindex_run expected;

	runs_lookup(list, key, &expected);
	if (runs_same(found, &expected))
		return true;
	complain("key 0x%" PRIx64 ": expected 0x%" PRIx64 "..0x%" PRIx64 " -> 0x%" PRIx64
		 " tag %u step %u, found 0x%" PRIx64 "..0x%" PRIx64 " -> 0x%" PRIx64
		 " tag %u step %u",
		 key, expected.first, expected.last, expected.value, expected.tag, expected.step,
		 found->first, found->last, found->value, found->tag, found->step);
	return false;
}

static bool ask(const struct lindex *ix, const struct run_list *list, uint64_t key)
{
	struct lindex_run found;
	int err = lindex_lookup(ix, key, &found);

	return compare(&found, list, key) && err == (found.mapped ? 0 : -ENOENT);
}

/* The keys where an answer changes, and the ones beside them. Those beyond 0 or 2^64-1 wrap: keys, too. */
static bool ask_edges(const struct lindex *ix, const struct run_list *list,
		      const struct lindex_run *run)
{
	return ask(ix, list, run->first - 1) && ask(ix, list, run->first) &&
	       ask(ix, list, run->last) && ask(ix, list, run->last + 1);
}

void demo_check_edges(struct demo *demo, const struct lindex *ix, const char *where)
{
	struct progress progress;
	bool right = true;

	progress_begin(&progress, "runs checked");
	for (size_t i = 0; i < demo->list.n && right; i++) {
		right = ask_edges(ix, &demo->list, &demo->list.runs[i]);
		progress_at(&progress, i);
	}
	progress_end(&progress);
	demo_verdict(demo, right, "%s lookups at both edges of every run, inside and outside, %s",
		     grouped(4 * (uint64_t)demo->list.n).text, where);
}

/* Half of them in runs, half anywhere up to a little behind the last run. */
void demo_check_random(struct demo *demo, const struct lindex *ix, const char *where)
{
	uint64_t keys[BATCH], top = demo->list.runs[demo->list.n - 1].last;
	struct lindex_run found[BATCH];
	bool right = true;

	top += top / 8 + 1;
	for (unsigned int done = 0; done < RANDOM_KEYS && right; done += BATCH) {
		int64_t mapped = 0;

		for (unsigned int i = 0; i < BATCH; i++)
			keys[i] = i % 2 ? demo_random_key(demo) : demo_random(demo) % top;
		right = ask(ix, &demo->list, keys[0]);
		mapped = lindex_lookup_batch(ix, keys, BATCH, found);
		for (unsigned int i = 0; i < BATCH && right; i++) {
			right = compare(&found[i], &demo->list, keys[i]) &&
				ask(ix, &demo->list, keys[i]);
			mapped -= found[i].mapped;
		}
		right = right && mapped == 0;
	}
	demo_verdict(demo, right, "%s lookups of random keys, one by one and in batches, %s",
		     grouped(2 * RANDOM_KEYS).text, where);
}

void demo_check_walk(struct demo *demo, const struct lindex *ix, const char *where)
{
	struct lindex_cursor cursor;
	struct lindex_run run;
	bool right = true;
	size_t n = 0;

	lindex_cursor_init(&cursor, ix, 0);
	while (right && lindex_cursor_next(&cursor, &run) == 0) {
		right = n < demo->list.n && runs_same(&run, &demo->list.runs[n]);
		n++;
	}
	demo_verdict(demo, right && n == demo->list.n, "a walk over all %s runs, %s",
		     grouped(demo->list.n).text, where);
}

static void keep_most(struct lindex_cert *most, const struct lindex_cert *one)
{
	most->depth = one->depth > most->depth ? one->depth : most->depth;
	most->window = one->window > most->window ? one->window : most->window;
	most->lines = one->lines > most->lines ? one->lines : most->lines;
	most->ops = one->ops > most->ops ? one->ops : most->ops;
}

void demo_check_cost(struct demo *demo, const struct lindex *ix, const struct lindex_cert *cert)
{
	struct lindex_cert most = { 0 }, one;
	struct lindex_run run;

	for (unsigned int i = 0; i < RANDOM_KEYS; i++) {
		(void)lindex_explain(ix, demo_random_key(demo), &run, &one);
		keep_most(&most, &one);
	}
	demo_verdict(demo,
		     most.depth <= cert->depth && most.window <= cert->window &&
			     most.lines <= cert->lines && most.ops <= cert->ops,
		     "%s lookups counted: at most %" PRIu32 " nodes, %" PRIu32
		     " cache lines, %" PRIu32 " keys: inside the certificate",
		     grouped(RANDOM_KEYS).text, most.depth, most.lines, most.ops);
}

/* ---- Changing ---------------------------------------------------------------------------------- */

struct change {
	struct lindex_run run;
	bool remove;
};

/* A few blocks from a random place on move to @disk; now and then they go. */
static struct change random_change(struct demo *demo, uint64_t disk)
{
	uint64_t key = demo_random_key(demo), more = demo_random(demo) % MAX_BLOCKS;
	struct change c = { .remove = demo_random(demo) % 8 == 0 };

	if (more > UINT64_MAX - key)
		more = UINT64_MAX - key;
	c.run = (struct lindex_run){ .first = key, .last = key + more, .value = disk, .step = 1 };
	return c;
}

static int apply(struct lindex *ix, const struct change *c)
{
	return c->remove ? lindex_remove(ix, c->run.first, c->run.last) :
			   lindex_insert(ix, &c->run);
}

static int apply_to_list(struct run_list *list, const struct change *c)
{
	return c->remove ? runs_remove(list, c->run.first, c->run.last) :
			   runs_insert(list, &c->run);
}

/* Counted from 1 up, so that nothing in use is met again. */
static uint64_t behind_all_values(const struct run_list *list)
{
	uint64_t top = 0;

	for (size_t i = 0; i < list->n; i++) {
		uint64_t last = lindex_value(&list->runs[i], list->runs[i].last);

		top = last > top ? last : top;
	}
	return top + 1;
}

int demo_overwrite(struct demo *demo, unsigned int times, double *seconds_each)
{
	uint64_t disk = behind_all_values(&demo->list);
	struct progress progress;
	double seconds = 0;
	bool right = true;

	progress_begin(&progress, "overwrites");
	for (unsigned int i = 0; i < times && right && demo->list.n; i++) {
		struct change c = random_change(demo, disk);
		double before = seconds_now();
		int err = apply(demo->ix, &c);

		seconds += seconds_now() - before;
		if (err) {
			progress_end(&progress);
			return complain("overwrite %u: %s", i, strerror(-err));
		}
		if (apply_to_list(&demo->list, &c))
			return no_memory();
		right = ask_edges(demo->ix, &demo->list, &c.run);
		disk += c.run.last - c.run.first + 1;
		progress_at(&progress, i);
	}
	progress_end(&progress);
	*seconds_each = seconds / times;
	demo_verdict(demo, right,
		     "%s random overwrites and holes, their edges looked up after each",
		     grouped(times).text);
	return 0;
}
