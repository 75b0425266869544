/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any bytes as the pages that a pager loads: every call answers, or says -EUCLEAN or the pager's own
 * error; nothing is read or written out of bounds, and nothing goes on for ever.
 *
 *   byte 0      0: pages of a sound index, with edits; 1: the rest of the input is the pages
 *   bytes 1-4   shape, log2 of the size, seed, configuration
 *   then 0:     edits of 5 bytes: page, offset in it (2), how, what. Page 255 is the root.
 *        1:     128 bytes of root, then pages; the last one is filled up with zeroes
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "keys.h"
#include "same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES      256
#define MOST_LOADS 4000

struct store {
	struct lindex_pager pager;
	uint8_t *page[PAGES];
	struct lindex_root root;
	unsigned int loads;
};

static int load(void *ctx, uint32_t page, void *bytes)
{
	struct store *s = ctx;

	if (page >= PAGES || !s->page[page] || ++s->loads > MOST_LOADS)
		return -EIO;
	memcpy(bytes, s->page[page], LINDEX_PAGE_BYTES);
	return 0;
}

static int store(void *ctx, uint32_t page, const void *bytes)
{
	struct store *s = ctx;

	if (page >= PAGES)
		return -ENOSPC;
	if (!s->page[page])
		s->page[page] = malloc(LINDEX_PAGE_BYTES);
	CHECK(s->page[page], "memory");
	memcpy(s->page[page], bytes, LINDEX_PAGE_BYTES);
	return 0;
}

static void drop_pages(struct store *s)
{
	for (unsigned int i = 0; i < PAGES; i++)
		free(s->page[i]);
}

/* A sound index, stored. */
static void fill(struct store *s, struct lindex_pool *pool, const struct lindex_config *cfg,
		 const uint8_t *head)
{
	struct lindex *ix;
	struct twin t;
	struct rng rng;

	rng_init(&rng, head[2], 0);
	twin_init(&t);
	shape_make((enum shape)(head[0] % SHAPE_COUNT), ((size_t)1 << head[1] % 12) - 1, &rng, &t);
	CHECK(lindex_create(pool, cfg, &ix) == 0, "create");
	CHECK(lindex_build(ix, t.runs, t.n, NULL) == 0, "build");
	CHECK(lindex_flush(ix) == 0, "flush");
	CHECK(lindex_get_root(ix, &s->root) == 0, "root");
	lindex_free(ix);
	twin_destroy(&t);
}

static void edit(struct store *s, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at + 5 <= size; at += 5) {
		size_t place = ((size_t)data[at + 1] << 8 | data[at + 2]) % LINDEX_PAGE_BYTES;
		uint8_t *byte;

		if (data[at] == 255)
			byte = &s->root.bytes[place % sizeof(s->root)];
		else if (s->page[data[at]])
			byte = &s->page[data[at]][place];
		else
			continue;
		*byte = data[at + 3] & 1 ? data[at + 4] : (uint8_t)(*byte + data[at + 4]);
	}
}

static void take_pages(struct store *s, const uint8_t *data, size_t size)
{
	size_t head = size < sizeof(s->root) ? size : sizeof(s->root);

	memcpy(&s->root, data, head);
	data += head;
	size -= head;
	for (unsigned int i = 1; i < PAGES && size; i++) {
		size_t some = size < LINDEX_PAGE_BYTES ? size : LINDEX_PAGE_BYTES;

		s->page[i] = calloc(1, LINDEX_PAGE_BYTES);
		CHECK(s->page[i], "memory");
		memcpy(s->page[i], data, some);
		data += some;
		size -= some;
	}
}

static bool expected(int rc)
{
	return rc == 0 || rc == -ENOENT || rc == -EUCLEAN || rc == -EIO || rc == -ENOSPC ||
	       rc == -ENOMEM;
}

static void look(struct lindex *ix, uint64_t key)
{
	struct lindex_run run;
	int rc = lookup_resident(ix, key, &run);

	CHECK(expected(rc), "lookup is %d", rc);
	if (rc == 0 || rc == -ENOENT)
		CHECK(run.first <= key && key <= run.last, "key %llu is not in %s",
		      (unsigned long long)key, run_text(&run));
}

/* Ascending and ended after so many steps: a loop of pages must not make a loop of the walk. */
static void walk(struct lindex *ix)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	uint64_t before = 0;
	int rc = 0;

	lindex_cursor_init(&cur, ix, 0);
	for (int i = 0; i < 3000 && !rc; i++) {
		rc = next_resident(&cur, &run);
		CHECK(expected(rc), "next is %d", rc);
		if (rc)
			break;
		CHECK(run.first <= run.last && (!i || run.last > before), "%s", run_text(&run));
		before = run.last;
		look(ix, run.first - 1);
	}
	lindex_cursor_init_end(&cur, ix);
	for (int i = 0; i < 300; i++) {
		rc = prev_resident(&cur, &run);
		CHECK(expected(rc), "prev is %d", rc);
		if (rc)
			break;
	}
}

static int write_nothing(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return 0;
}

static void use(struct lindex *ix, uint64_t seed)
{
	const struct lindex_sink nowhere = { .write = write_nothing };
	struct lindex_stats stats;
	struct rng rng;
	int rc;

	rng_init(&rng, seed, 1);
	walk(ix);
	for (int i = 0; i < 30; i++) {
		uint64_t key = rng_magnitude(&rng, 64);

		look(ix, key);
		rc = lindex_insert(ix, &RUN(key, key, (uint64_t)i, 1, 0));
		CHECK(expected(rc), "insert is %d", rc);
		rc = lindex_remove(ix, key / 2, key - key / 4);
		CHECK(expected(rc), "remove is %d", rc);
	}
	lindex_get_stats(ix, &stats);
	CHECK(stats.pool_bytes <= 64u << 20, "%llu bytes", (unsigned long long)stats.pool_bytes);
	CHECK(stats.nodes <= 64 * stats.resident_pages, "%llu nodes",
	      (unsigned long long)stats.nodes);
	CHECK(lindex_dump(ix, &nowhere) == 0, "dump");
	rc = lindex_save(ix, &nowhere);
	CHECK(expected(rc), "save is %d", rc);
	walk(ix);
	(void)lindex_evict(ix, 2);
	(void)lindex_check(ix, NULL);
	walk(ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A root may claim any number of pages: what that costs ends at the cap. */
	struct lindex_pool_config pool_cfg = { .cap_bytes = 64u << 20 };
	struct lindex_config cfg = { 0 };
	struct lindex_pool *pool;
	struct store s;
	struct lindex *ix;

	if (size < 5)
		return 0;
	memset(&s, 0, sizeof(s));
	s.pager = (struct lindex_pager){ .load = load, .store = store, .ctx = &s };
	cfg.pager = &s.pager;
	cfg.node_bytes = 256 + 64 * (data[4] % 13u);
	CHECK(lindex_pool_create(&pool_cfg, &pool) == 0, "pool");
	if (data[0] & 1) {
		take_pages(&s, data + 5, size - 5);
	} else {
		fill(&s, pool, &cfg, data + 1);
		edit(&s, data + 5, size - 5);
	}
	if (lindex_open_paged(pool, &cfg, &s.root, &ix) == 0) {
		use(ix, data[3]);
		lindex_free(ix);
	}
	CHECK(lindex_pool_free(pool) == 0, "pool is busy");
	drop_pages(&s);
	return 0;
}
