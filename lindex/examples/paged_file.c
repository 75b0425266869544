/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An index larger than the memory that it may use: its pages live in a file and come and go under a
 * cap. It is built, flushed, and opened again; opening reads nothing, a lookup reads what it touches, a
 * change makes a few pages dirty.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <lindex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RUNS 200000u
#define CAP  (1024u * 1024u)

static int failures;

static void expect(int ok, const char *what)
{
	printf("  %-62s %s\n", what, ok ? "yes" : "NO");
	failures += !ok;
}

/* ---- The pager: page n is at n * 4096 in a file ------------------------------------------------- */

struct page_file {
	FILE *file;
	unsigned int loads, stores;
};

static int load_page(void *ctx, uint32_t page, void *buf)
{
	struct page_file *pf = ctx;
	ssize_t n = pread(fileno(pf->file), buf, LINDEX_PAGE_BYTES,
			  (off_t)page * LINDEX_PAGE_BYTES);

	pf->loads++;
	return n == LINDEX_PAGE_BYTES ? 0 : -EIO;
}

static int store_page(void *ctx, uint32_t page, const void *buf)
{
	struct page_file *pf = ctx;
	ssize_t n = pwrite(fileno(pf->file), buf, LINDEX_PAGE_BYTES,
			   (off_t)page * LINDEX_PAGE_BYTES);

	pf->stores++;
	return n == LINDEX_PAGE_BYTES ? 0 : -EIO;
}

/* ---- A reader of such an index: what is missing is loaded, then asked for again ------------------ */

static int find(struct lindex *ix, uint64_t key, struct lindex_run *run)
{
	int err;

	while ((err = lindex_lookup(ix, key, run)) == -EAGAIN) {
		err = lindex_load(ix, key);
		if (err)
			return err;
	}
	return err;
}

static uint64_t value_of(uint64_t i)
{
	return i * 0x9e3779b97f4a7c15u >> 24;
}

static int fill(struct lindex *ix)
{
	int err = 0;

	for (uint64_t i = 0; i < RUNS && !err; i++)
		err = lindex_insert(ix, &(struct lindex_run){ .first = 10 * i,
							      .last = 10 * i + 4,
							      .value = value_of(i),
							      .step = 1 });
	return err;
}

static void use(struct lindex_pool *pool, struct page_file *pf)
{
	struct lindex_pager pager = { .load = load_page, .store = store_page, .ctx = pf };
	struct lindex_config cfg = { .pager = &pager };
	struct lindex_root root = { { 0 } };
	struct lindex_stats stats;
	struct lindex_run run;
	struct lindex *ix;
	uint32_t dirty[8];
	int right = 1;

	puts("built under a cap of 1 MiB:");
	expect(lindex_open_paged(pool, &cfg, &root, &ix) == 0,
	       "a root of zeroes is an empty index");
	expect(fill(ix) == 0, "200000 runs are inserted");
	lindex_get_stats(ix, &stats);
	printf("  %" PRIu64 " pages, %" PRIu64 " of them resident; the pool holds %" PRIu64
	       " bytes\n",
	       stats.pages, stats.resident_pages, stats.pool_bytes);
	expect(stats.pool_bytes <= CAP, "the cap holds");
	expect(lindex_flush(ix) == 0 && lindex_get_root(ix, &root) == 0, "flushed");
	lindex_free(ix);

	puts("opened again:");
	pf->loads = 0;
	expect(lindex_open_paged(pool, &cfg, &root, &ix) == 0 && pf->loads == 0,
	       "opening reads no page");
	expect(find(ix, 10 * 777 + 3, &run) == 0 &&
		       lindex_value(&run, 10 * 777 + 3) == value_of(777) + 3,
	       "a key is found");
	printf("  that took %u pages\n", pf->loads);
	for (uint64_t i = 0; i < RUNS; i += 97)
		right &= find(ix, 10 * i + 7, &run) == -ENOENT && run.first == 10 * i + 5;
	expect(right, "holes all over are found");

	puts("changed:");
	expect(lindex_remove(ix, 12340, 12360) == 0, "a piece is removed");
	printf("  %" PRId64 " pages are dirty\n", lindex_dirty_pages(ix, 0, dirty, 8));
	pf->stores = 0;
	expect(lindex_flush(ix) == 0 && pf->stores <= 4, "few pages are stored");
	lindex_free(ix);
}

int main(void)
{
	struct lindex_pool_config cfg = { .cap_bytes = CAP };
	struct page_file pf = { .file = tmpfile() };
	struct lindex_pool *pool;

	if (!pf.file || lindex_pool_create(&cfg, &pool)) {
		fputs("no memory, or no temporary file\n", stderr);
		return EXIT_FAILURE;
	}
	use(pool, &pf);
	lindex_pool_free(pool);
	fclose(pf.file);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
