/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The extents of a file: block in the file -> block on disk. Written in order, overwritten in the
 * middle, a hole punched, truncated; then listed, as FIEMAP would.
 */
#include <inttypes.h>
#include <lindex.h>
#include <stdio.h>
#include <stdlib.h>

#define UNWRITTEN 1 /* our use of the tag: allocated, but reads as zeroes */

static int failures;

static void expect(int ok, const char *what)
{
	printf("  %-58s %s\n", what, ok ? "yes" : "NO");
	failures += !ok;
}

/* File blocks first..last are at disk blocks disk, disk + 1, ... */
static int write_extent(struct lindex *map, uint64_t first, uint64_t last, uint64_t disk,
			uint16_t tag)
{
	struct lindex_run run = {
		.first = first, .last = last, .value = disk, .step = 1, .tag = tag
	};

	return lindex_insert(map, &run);
}

static int list_extents(const struct lindex *map)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	int n = 0;

	lindex_cursor_init(&cur, map, 0);
	while (lindex_cursor_next(&cur, &run) == 0) {
		printf("    file %6" PRIu64 "..%-6" PRIu64 " -> disk %6" PRIu64 "%s\n", run.first,
		       run.last, run.value, run.tag == UNWRITTEN ? "  (unwritten)" : "");
		n++;
	}
	return n;
}

static void use(struct lindex *map)
{
	struct lindex_run run;

	puts("a file of 1000 blocks, written in two pieces that touch on disk, too:");
	expect(write_extent(map, 0, 599, 5000, 0) == 0, "blocks 0..599 are at 5000");
	expect(write_extent(map, 600, 999, 5600, 0) == 0, "blocks 600..999 are at 5600");
	expect(list_extents(map) == 1, "that is one extent");

	puts("blocks 100..109 are written anew, elsewhere:");
	expect(write_extent(map, 100, 109, 9000, 0) == 0, "overwritten with one call");
	expect(list_extents(map) == 3, "the extent is split");
	expect(lindex_lookup(map, 104, &run) == 0 && lindex_value(&run, 104) == 9004,
	       "block 104 is at 9004");
	expect(lindex_lookup(map, 110, &run) == 0 && lindex_value(&run, 110) == 5110,
	       "block 110 is still at 5110");

	puts("a hole is punched at 200..299, and 1000..1099 allocated ahead:");
	expect(lindex_remove(map, 200, 299) == 0, "punched");
	expect(write_extent(map, 1000, 1099, 6000, UNWRITTEN) == 0,
	       "allocated: same line, other tag");
	expect(list_extents(map) == 5, "five extents");
	expect(lindex_lookup(map, 250, &run) == -ENOENT && run.first == 200 && run.last == 299,
	       "a lookup in the hole tells how far it goes");

	puts("the file is cut to 150 blocks:");
	expect(lindex_remove(map, 150, UINT64_MAX) == 0, "cut");
	expect(list_extents(map) == 3, "three extents are left");
}

int main(void)
{
	struct lindex_pool *pool;
	struct lindex *map;

	if (lindex_pool_create(NULL, &pool) || lindex_create(pool, NULL, &map)) {
		fputs("no memory\n", stderr);
		return EXIT_FAILURE;
	}
	use(map);
	lindex_free(map);
	lindex_pool_free(pool);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
