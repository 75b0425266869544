/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A page table: virtual page -> physical frame, with permissions as the tag. A process image is bulk
 * loaded, many addresses are translated with one batch, a fork shares the table through a snapshot, and
 * copy-on-write gives one page another frame.
 */
#include <inttypes.h>
#include <lindex.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_SHIFT 12
#define READ       1u
#define WRITE      2u
#define EXEC       4u

#define HEAP_PAGES 4096u
#define LOOKUPS    1000u

static int failures;

static void expect(int ok, const char *what)
{
	printf("  %-62s %s\n", what, ok ? "yes" : "NO");
	failures += !ok;
}

static const uint64_t text = 0x400000 >> PAGE_SHIFT, heap = 0x10000000 >> PAGE_SHIFT,
		      stack = 0x7ffffffde000 >> PAGE_SHIFT;

/* Frames as an allocator under pressure gives them: scattered, but reproducible. */
static uint64_t frame_of_heap(uint64_t page)
{
	return 0x80000 + page * 2654435761u % 0x40000;
}

static int load_image(struct lindex *table)
{
	static struct lindex_run runs[HEAP_PAGES + 2];
	size_t n = 0, bad;

	/* Text is contiguous in memory, so that it is one run. */
	runs[n++] = (struct lindex_run){
		.first = text, .last = text + 255, .value = 0x1000, .step = 1, .tag = READ | EXEC
	};
	for (uint64_t i = 0; i < HEAP_PAGES; i++)
		runs[n++] = (struct lindex_run){ .first = heap + i,
						 .last = heap + i,
						 .value = frame_of_heap(i),
						 .step = 1,
						 .tag = READ | WRITE };
	runs[n++] = (struct lindex_run){
		.first = stack, .last = stack + 32, .value = 0x2000, .step = 1, .tag = READ | WRITE
	};
	return lindex_build(table, runs, n, &bad);
}

static void translate_many(const struct lindex *table)
{
	static struct lindex_run runs[LOOKUPS];
	static uint64_t pages[LOOKUPS];
	unsigned int right = 0;
	int64_t mapped;

	for (uint64_t i = 0; i < LOOKUPS; i++)
		pages[i] = i % 10 ? heap + i * 7919 % HEAP_PAGES : 2000 + i;
	mapped = lindex_lookup_batch(table, pages, LOOKUPS, runs);
	printf("  of %u addresses %" PRId64 " are mapped\n", LOOKUPS, mapped);
	for (uint64_t i = 0; i < LOOKUPS; i++) {
		if (i % 10 == 0)
			right += !runs[i].mapped;
		else
			right += runs[i].mapped &&
				 lindex_value(&runs[i], pages[i]) == frame_of_heap(pages[i] - heap);
	}
	expect(mapped == LOOKUPS - LOOKUPS / 10, "nine in ten are mapped");
	expect(right == LOOKUPS, "each has its frame");
}

static void fork_and_write(struct lindex *table)
{
	struct lindex_run copied = { .first = heap + 7,
				     .last = heap + 7,
				     .value = 0x99999,
				     .step = 1,
				     .tag = READ | WRITE };
	struct lindex *child;
	struct lindex_run run;

	expect(lindex_snapshot(table, &child) == 0, "the child shares every node");
	expect(lindex_insert(table, &copied) == 0, "the parent writes to a page: it gets a copy");
	expect(lindex_lookup(table, heap + 7, &run) == 0 && lindex_value(&run, heap + 7) == 0x99999,
	       "the parent sees the new frame");
	expect(lindex_lookup(child, heap + 7, &run) == 0 &&
		       lindex_value(&run, heap + 7) == frame_of_heap(7),
	       "the child sees the old one");
	lindex_free(child);
}

int main(void)
{
	struct lindex_pool *pool;
	struct lindex_stats stats;
	struct lindex *table;
	struct lindex_run run;

	if (lindex_pool_create(NULL, &pool) || lindex_create(pool, NULL, &table)) {
		fputs("no memory\n", stderr);
		return EXIT_FAILURE;
	}
	puts("a process image:");
	expect(load_image(table) == 0, "loaded");
	lindex_get_stats(table, &stats);
	printf("  %" PRIu64 " pages in %" PRIu64 " runs take %" PRIu64 " bytes of nodes\n",
	       stats.keys, stats.runs, stats.node_bytes);
	expect(lindex_lookup(table, text + 9, &run) == 0 && run.last == text + 255 &&
		       run.tag == (READ | EXEC),
	       "one lookup gives the whole of text and its permissions");
	puts("batch translation:");
	translate_many(table);
	puts("fork:");
	fork_and_write(table);
	lindex_free(table);
	lindex_pool_free(pool);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
