/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Run lines against flat arrays of codes: random changes of lines of all lengths and widths of codes, and regions of them, memory that
 * runs out included.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "packed.h"
#include "rng.h"

#define MOST RUNLINE_WIDE_MAX

struct ground {
	struct rng rng;
	struct vmmap_host *host;
	struct packed *region;
	uint32_t pages;
	uint64_t code[8 * MOST];
	uint64_t fail_at, allocations; /* the allocation that fails, from 1; 0: none */
};

static void *alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	struct ground *g = ctx;
	void *ptr;

	(void)flags;
	if (g->fail_at && ++g->allocations == g->fail_at)
		return NULL;
	return posix_memalign(&ptr, align, bytes) ? NULL : ptr;
}

static void release(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

static void begin(struct ground *g, uint64_t salt, unsigned int per, uint64_t frames)
{
	const struct lindex_allocator allocator = { alloc, release, g };
	const struct vmmap_host_config cfg = { .allocator = &allocator };
	struct packed_shape shape = vmmap_packed_runs_for(1000, 1000 + frames - 1, per);

	memset(g, 0, sizeof(*g));
	rng_init(&g->rng, harness_seed(), salt);
	g->pages = per * 3 + 1 + (uint32_t)rng_below(&g->rng, per);
	cr_assert_eq(vmmap_host_create(&cfg, &g->host), 0);
	g->region = vmmap_packed_new(g->host, shape, 4096, g->pages);
	cr_assert_not_null(g->region);
}

static void end(struct ground *g)
{
	vmmap_packed_free(g->host, g->region);
	cr_assert_eq(vmmap_host_free(g->host), 0);
}

static void same(struct ground *g)
{
	const struct packed *p = g->region;
	uint32_t live = 0;

	for (uint32_t i = 0; i < g->pages; i++) {
		vmmap_vpn_t first;
		uint64_t pages, code = vmmap_packed_piece(p, 4096 + i, &first, &pages);
		uint64_t got = packed_get(p, 4096 + i);

		CHECK(got == g->code[i], "page %u: code %" PRIx64 ", not %" PRIx64, i, got,
		      g->code[i]);
		CHECK(first <= 4096 + i && 4096 + i < first + pages, "page %u: another's piece", i);
		CHECK(code == g->code[first - 4096], "page %u: its piece begins with %" PRIx64, i,
		      code);
		live += got >= PACKED_FRAME;
	}
	CHECK(vmmap_packed_live(p, 4096, 4096 + g->pages - 1) == live, "live");
	for (uint32_t i = 0; i < p->nlines; i++) {
		const char *wrong = vmmap_runline_check(packed_line(p, i), packed_runs(p),
							packed_line_pages(p, i));

		CHECK(!wrong, "line %u: %s", i, wrong);
	}
}

/* A change as large as chance has it, most of one page; the codes that it may have. */
static void change(struct ground *g, uint64_t frames)
{
	uint32_t at = (uint32_t)rng_below(&g->rng, g->pages);
	uint32_t n = 1 + (uint32_t)rng_magnitude(&g->rng, rng_one_in(&g->rng, 4) ? 11 : 3);
	uint64_t code = rng_below(&g->rng, 3);
	int err;

	n = n < g->pages - at ? n : g->pages - at;
	if (n > frames)
		n = (uint32_t)frames;
	if (code == PACKED_FRAME)
		code += rng_below(&g->rng, frames - n + 1);
	/* Often what continues the page before: runs come together again. */
	if (at && rng_one_in(&g->rng, 3) && g->code[at - 1] >= PACKED_FRAME &&
	    g->code[at - 1] + n < frames + PACKED_FRAME)
		code = g->code[at - 1] + 1;
	g->allocations = 0;
	g->fail_at = rng_one_in(&g->rng, 5) ? 1 + rng_below(&g->rng, 3) : 0;
	err = vmmap_packed_set(g->host, g->region, 4096 + at, n, code);
	CHECK(err == 0 || (err == -ENOMEM && g->fail_at), "set: %d", err);
	g->fail_at = 0;
	for (uint32_t i = 0; i < n && !err; i++)
		g->code[at + i] = code < PACKED_FRAME ? code : code + i;
}

static void run(uint64_t salt, unsigned int per, uint64_t frames, uint64_t steps)
{
	struct ground *g = malloc(sizeof(*g));

	begin(g, salt, per, frames);
	for (uint64_t step = 0; step < steps; step++) {
		harness_step("run lines", salt * 1000000 + step);
		change(g, frames);
		if (step % 50 == 0)
			same(g);
	}
	same(g);
	cr_assert_eq(vmmap_packed_set(g->host, g->region, 4096, g->pages, 0), 0);
	memset(g->code, 0, sizeof(g->code));
	same(g);
	CHECK(g->region->parts_bytes == 0, "%u bytes of parts of an empty region",
	      g->region->parts_bytes);
	end(g);
	free(g);
}

Test(runline, narrow_lines_agree_with_an_array)
{
	static const unsigned int per[] = { 16, 17, 100, 208, 254, 255 };

	for (unsigned int i = 0; i < 6; i++)
		run(i, per[i], UINT64_C(1) << 20, harness_longer(1500));
}

Test(runline, wide_lines_agree_with_an_array)
{
	static const unsigned int per[] = { 256, 257, 1000, 2048 };

	for (unsigned int i = 0; i < 4; i++)
		run(10 + i, per[i], UINT64_C(1) << 20, harness_longer(800));
}

/* Codes of 5 to 40 bits: from more than fit the starts to eight in a line. */
Test(runline, codes_of_every_width)
{
	for (unsigned int bits = 5; bits <= RUNLINE_BITS_MAX; bits++) {
		run(100 + bits, 90, (UINT64_C(1) << bits) - PACKED_FRAME, harness_longer(200));
		run(200 + bits, 300, (UINT64_C(1) << bits) - PACKED_FRAME, harness_longer(100));
	}
}

/* A line with as many runs as it holds has no parts; with one more it has. */
Test(runline, a_full_line_is_divided_and_comes_together_again)
{
	struct ground *g = malloc(sizeof(*g));
	unsigned int most;

	begin(g, 1, 200, UINT64_C(1) << 20);
	most = packed_runs(g->region).most;
	cr_assert_eq(most, 16);
	for (unsigned int i = 0; i < most - 1; i++) {
		g->code[i] = 100 + 2 * i;
		cr_assert_eq(vmmap_packed_set(g->host, g->region, 4096 + i, 1, g->code[i]), 0);
	}
	same(g);
	cr_assert_eq(g->region->parts_bytes, 0, "16 runs: 15 pages and the hole behind them");
	g->code[199] = 7;
	cr_assert_eq(vmmap_packed_set(g->host, g->region, 4096 + 199, 1, 7), 0);
	same(g);
	cr_assert_gt(g->region->parts_bytes, 0);
	for (unsigned int i = 0; i < 8; i++) {
		g->code[i] = 0;
		cr_assert_eq(vmmap_packed_set(g->host, g->region, 4096 + i, 1, 0), 0);
	}
	same(g);
	cr_assert_eq(g->region->parts_bytes, 0);
	end(g);
	free(g);
}
