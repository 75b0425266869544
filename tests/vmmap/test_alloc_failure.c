/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Without memory every call says -ENOMEM and has changed nothing, whichever allocation it was; afterwards everything comes back.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "check.h"
#include "mmu_twin.h"
#include "rng.h"

#define TRIES 40u

struct world {
	struct alloc_probe probe;
	struct vmmap_host *host;
	struct vmmap_space *space, *child;
	struct mmu_twin *twin, *child_twin;
	struct rng rng;
};

static void open_world(struct world *w, const char *backend, uint64_t salt)
{
	struct vmmap_host_config host = { .allocator = &w->probe.allocator };
	struct vmmap_space_config cfg = { .backend = backend };

	memset(w, 0, sizeof(*w));
	alloc_probe_init(&w->probe);
	rng_init(&w->rng, harness_seed(), salt);
	cr_assert_eq(vmmap_host_create(&host, &w->host), 0);
	cr_assert_eq(vmmap_space_create(w->host, &cfg, &w->space), 0);
	w->twin = malloc(sizeof(*w->twin));
	w->child_twin = malloc(sizeof(*w->child_twin));
	mmu_twin_init(w->twin, strcmp(backend, "radix5") ? 48 : 57);
}

static void close_world(struct world *w)
{
	alloc_probe_fail_all(&w->probe, false);
	alloc_probe_fail(&w->probe, 0);
	vmmap_space_free(w->child);
	vmmap_space_free(w->space);
	cr_assert_eq(vmmap_host_free(w->host), 0);
	alloc_probe_assert_empty(&w->probe);
	free(w->twin);
	free(w->child_twin);
}

/* One call; changes the twin if it succeeds. */
static int one_call(struct world *w, unsigned int kind)
{
	unsigned int i = (unsigned int)rng_below(&w->rng, TWIN_PAGES);
	unsigned int most = WINDOW_PAGES - i % WINDOW_PAGES;
	unsigned int pages = 1 + (unsigned int)rng_below(&w->rng, most < 700 ? most : 700);
	static uint64_t frames[WINDOW_PAGES];
	struct mmu_twin *t = w->twin;
	vmmap_va_t va = mmu_va(t, i);
	int err;

	for (unsigned int k = 0; k < pages; k++)
		frames[k] = 1 + rng_below(&w->rng, 1 << 20);
	switch (kind) {
	case 0:
		err = vmmap_map(w->space, va, pages, frames[0], 0xb, VMMAP_4K);
		if (!err)
			mmu_map(t, i, pages, frames[0], 0xb, VMMAP_4K);
		return err;
	case 1:
		err = vmmap_map_frames(w->space, va, pages, frames, 0xb);
		for (unsigned int k = 0; !err && k < pages; k++)
			mmu_map(t, i + k, 1, frames[k], 0xb, VMMAP_4K);
		return err;
	case 2:
		err = vmmap_unmap(w->space, va, pages);
		if (!err)
			mmu_unmap(t, i, pages);
		return err;
	case 3:
		err = vmmap_protect(w->space, va, pages, kind & pages & 1 ? 0x9 : 0xf);
		if (!err)
			mmu_protect(t, i, pages, kind & pages & 1 ? 0x9 : 0xf);
		return err;
	default:
		if (w->child)
			vmmap_space_free(w->child);
		w->child = NULL;
		err = vmmap_fork(w->space, &w->child);
		if (!err)
			mmu_fork(t, w->child_twin);
		return err;
	}
}

static void run_world(const char *backend)
{
	struct world w;
	unsigned int refused = 0;

	open_world(&w, backend, 1);
	for (unsigned int step = 0; step < TRIES * 5; step++) {
		bool all = rng_one_in(&w.rng, 2);
		int err;

		harness_step(backend, step);
		alloc_probe_fail(&w.probe, 1 + rng_magnitude(&w.rng, 6));
		w.probe.fail_all = false;
		if (all) {
			alloc_probe_fail(&w.probe, 0);
			alloc_probe_fail_all(&w.probe, true);
		}
		err = one_call(&w, step % 7 == 6 ? 4 : step % 4);
		alloc_probe_fail(&w.probe, 0);
		alloc_probe_fail_all(&w.probe, false);
		CHECK(err == 0 || err == -ENOMEM || err == -EEXIST, "%d", err);
		refused += err == -ENOMEM;
		mmu_same(w.twin, w.space);
		if (w.child)
			mmu_same(w.child_twin, w.child);
		if (step % 3 == 0)
			one_call(&w, 2);
	}
	CHECK(refused > 0, "nothing was refused");
	close_world(&w);
}

Test(alloc_failure, changes_nothing)
{
	for (unsigned int i = 0; vmmap_backend_name(i); i++)
		run_world(vmmap_backend_name(i));
}

Test(alloc_failure, a_mark_without_memory_covers_more)
{
	struct vmmap_answer a;
	struct world w;

	open_world(&w, "btree", 2);
	cr_assert_eq(vmmap_map(w.space, 0x10000, 8, 8, 0xb, VMMAP_4K), 0);
	alloc_probe_fail_all(&w.probe, true);
	cr_assert_eq(vmmap_translate(w.space, 0x12000, VMMAP_WRITE, &a), 0);
	alloc_probe_fail_all(&w.probe, false);
	cr_assert_eq(vmmap_harvest(w.space, 0x10000, 8, VMMAP_ACCESSED | VMMAP_DIRTY, NULL, NULL),
		     8);
	cr_assert_eq(vmmap_harvest(w.space, 0x10000, 8, 0, NULL, NULL), 0);
	close_world(&w);
}

Test(alloc_failure, the_cap_holds)
{
	struct vmmap_host_config cfg = { .cap_bytes = 2 << 20 };

	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct vmmap_space_config space_cfg = { .backend = vmmap_backend_name(i) };
		struct vmmap_space *space;
		struct vmmap_host *host;
		uint64_t n = 0;
		int err;

		cr_assert_eq(vmmap_host_create(&cfg, &host), 0);
		cr_assert_eq(vmmap_space_create(host, &space_cfg, &space), 0);
		do {
			err = vmmap_map(space, n * 40961 * 4096 % (UINT64_C(1) << 46), 1, n, 0xb,
					VMMAP_4K);
			CHECK(vmmap_host_bytes(host) <= cfg.cap_bytes, "over the cap");
		} while (!err && n++ < 10000000);
		CHECK(err == -ENOMEM, "%s: %d after %" PRIu64, vmmap_backend_name(i), err, n);
		cr_assert_eq(vmmap_check(space, NULL), 0);
		vmmap_space_free(space);
		cr_assert_eq(vmmap_host_free(host), 0);
	}
}
