/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reverse lookup, walks over ranges, and the callback, which has to find a change already made.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mmu_twin.h"
#include "rng.h"

#define RW 0xb

static void furnish(struct vmmap_space *space, struct mmu_twin *t, struct rng *rng)
{
	for (unsigned int k = 0; k < 400; k++) {
		unsigned int i = (unsigned int)rng_below(rng, TWIN_PAGES);
		unsigned int most = WINDOW_PAGES - i % WINDOW_PAGES;
		unsigned int pages = 1 + (unsigned int)rng_magnitude(rng, 6);
		uint64_t pfn = 1 + rng_below(rng, 3000);

		pages = pages < most ? pages : most;
		if (!vmmap_map(space, mmu_va(t, i), pages, pfn, RW, VMMAP_4K))
			mmu_map(t, i, pages, pfn, RW, VMMAP_4K);
	}
}

/* ---- Reverse ------------------------------------------------------------------------------------------ */

struct found {
	uint64_t pages, lo, hi; /* frames asked for */
	vmmap_va_t last;
};

static int see(void *ctx, const struct vmmap_extent *e)
{
	struct found *f = ctx;

	CHECK(e->pfn >= f->lo && e->pfn + e->pages <= f->hi, "frame %" PRIx64 " was not asked for",
	      e->pfn);
	f->pages += e->pages;
	return 0;
}

static void reverse_lookups(struct vmmap_space *space, const struct mmu_twin *t, struct rng *rng)
{
	for (unsigned int k = 0; k < 100; k++) {
		uint64_t lo = rng_below(rng, 3100), frames = 1 + rng_below(rng, 50), want = 0;
		struct found f = { .lo = lo, .hi = lo + frames };

		for (unsigned int i = 0; i < TWIN_PAGES; i++)
			want += t->page[i].prot && t->page[i].pfn - lo < frames;
		CHECK(vmmap_reverse(space, lo, frames, see, &f) == 0, "reverse");
		CHECK(f.pages == want, "%" PRIu64 " pages, not %" PRIu64, f.pages, want);
	}
}

/* ---- Walks ---------------------------------------------------------------------------------------------- */

static int count(void *ctx, const struct vmmap_extent *e)
{
	*(uint64_t *)ctx += e->pages;
	return 0;
}

static int stop(void *ctx, const struct vmmap_extent *e)
{
	(void)ctx;
	(void)e;
	return 77;
}

static void walks(struct vmmap_space *space, const struct mmu_twin *t, struct rng *rng)
{
	for (unsigned int k = 0; k < 200; k++) {
		unsigned int i = (unsigned int)rng_below(rng, TWIN_PAGES);
		unsigned int pages = 1 +
				     (unsigned int)rng_below(rng, WINDOW_PAGES - i % WINDOW_PAGES);
		uint64_t got = 0, want = 0;
		int err;

		for (unsigned int j = i; j < i + pages; j++)
			want += t->page[j].prot != 0;
		CHECK(vmmap_walk_range(space, mmu_va(t, i), pages, count, &got) == 0, "walk");
		CHECK(got == want, "%" PRIu64 " pages, not %" PRIu64, got, want);
		err = vmmap_walk_range(space, mmu_va(t, i), pages, stop, NULL);
		CHECK(err == (want ? 77 : 0), "%d", err);
	}
}

Test(queries, find_what_the_twin_has)
{
	struct mmu_twin *t = malloc(sizeof(*t));

	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct vmmap_space_config cfg = { .backend = vmmap_backend_name(i) };
		struct vmmap_space *space;
		struct vmmap_host *host;
		struct rng rng;

		harness_step(cfg.backend, i);
		rng_init(&rng, harness_seed(), 3);
		mmu_twin_init(t, strcmp(cfg.backend, "radix5") ? 48 : 57);
		cr_assert_eq(vmmap_host_create(NULL, &host), 0);
		cr_assert_eq(vmmap_space_create(host, &cfg, &space), 0);
		furnish(space, t, &rng);
		reverse_lookups(space, t, &rng);
		walks(space, t, &rng);
		vmmap_space_free(space);
		cr_assert_eq(vmmap_host_free(host), 0);
	}
	free(t);
}

/* ---- The callback --------------------------------------------------------------------------------------- */

struct listener {
	vmmap_va_t va;
	int want; /* what a write to @va answers by now */
	enum vmmap_fault_kind kind;
	unsigned int calls;
};

static void listen(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages)
{
	struct listener *l = ctx;
	struct vmmap_answer a;
	int got;

	if (l->va < va || l->va - va >= pages * VMMAP_PAGE_BYTES)
		return;
	l->calls++;
	got = vmmap_translate(space, l->va, VMMAP_WRITE | VMMAP_PEEK, &a);
	CHECK(got == l->want && a.fault.kind == l->kind, "called before the change: %d, fault %u",
	      got, a.fault.kind);
}

static void expect_call(struct listener *l, int err, unsigned int calls)
{
	CHECK(err == 0, "%d", err);
	CHECK(l->calls == calls, "called %u times", l->calls);
	l->calls = 0;
}

Test(queries, the_callback_finds_the_change_made)
{
	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct listener l = { .va = 0x7f0000003000, .want = -EFAULT };
		struct vmmap_space_config cfg = { .backend = vmmap_backend_name(i),
						  .invalidate = listen,
						  .ctx = &l };
		struct vmmap_space *space, *child;
		struct vmmap_answer a;
		struct vmmap_host *host;

		harness_step(cfg.backend, i);
		cr_assert_eq(vmmap_host_create(NULL, &host), 0);
		cr_assert_eq(vmmap_space_create(host, &cfg, &space), 0);
		expect_call(&l, vmmap_map(space, 0x7f0000000000, 16, 100, RW, VMMAP_4K), 0);
		l.kind = VMMAP_FAULT_PERMISSION;
		expect_call(&l, vmmap_protect(space, 0x7f0000002000, 4, 0x9), 1);
		l.want = 0;
		l.kind = VMMAP_FAULT_NONE;
		expect_call(&l, vmmap_protect(space, 0x7f0000000000, 16, RW), 1);
		cr_assert_eq(vmmap_translate(space, l.va, VMMAP_WRITE, &a), 0);
		expect_call(&l, vmmap_harvest(space, l.va, 1, VMMAP_DIRTY, NULL, NULL) != 1, 1);
		expect_call(&l, vmmap_harvest(space, l.va, 1, VMMAP_DIRTY, NULL, NULL) != 1, 0);
		l.want = -EFAULT;
		l.kind = VMMAP_FAULT_COW;
		expect_call(&l, vmmap_fork(space, &child), 1);
		l.want = 0;
		l.kind = VMMAP_FAULT_NONE;
		expect_call(&l, vmmap_cow(space, l.va, 500, NULL), 1);
		l.want = -EFAULT;
		l.kind = VMMAP_FAULT_NOT_PRESENT;
		expect_call(&l, vmmap_unmap(space, 0x7f0000000000, 8), 1);
		expect_call(&l, vmmap_unmap(space, 0x7f0000000000, 8), 0);
		vmmap_space_free(child);
		vmmap_space_free(space);
		cr_assert_eq(vmmap_host_free(host), 0);
	}
}
