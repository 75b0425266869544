/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The radix tables as a processor reads them: a dump of the table pages, and a walker that knows nothing but the architecture.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mmu_twin.h"
#include "rng.h"

#define PAGES_MAX 512u

struct memory {
	unsigned int n;
	vmmap_pfn_t pfn[PAGES_MAX];
	uint64_t page[PAGES_MAX][512];
};

static int keep(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries)
{
	struct memory *m = ctx;

	CHECK(m->n < PAGES_MAX, "too many tables");
	m->pfn[m->n] = pfn;
	memcpy(m->page[m->n++], entries, sizeof(m->page[0]));
	return 0;
}

static const uint64_t *page_at(const struct memory *m, vmmap_pfn_t pfn)
{
	for (unsigned int i = 0; i < m->n; i++)
		if (m->pfn[i] == pfn)
			return m->page[i];
	CHECK(false, "a table at %" PRIx64 " points outside", pfn);
	return NULL;
}

/* Intel SDM volume 3, 4.5: the entry that maps @va, and the entries' addresses on the way. 0: not present. */
static uint64_t walk(const struct memory *m, vmmap_pa_t cr3, unsigned int levels, vmmap_va_t va,
		     unsigned int *shift, uint64_t *addr)
{
	uint64_t table = cr3;

	for (unsigned int level = levels; level; level--) {
		unsigned int i = va >> (12 + 9 * (level - 1)) & 511;
		uint64_t e = page_at(m, table >> 12)[i];

		addr[levels - level] = table + 8 * i;
		*shift = 12 + 9 * (level - 1);
		if (!(e & 1))
			return 0;
		if (level == 1 || (e & 0x80))
			return e;
		CHECK((e & 7) == 7, "rights of a table: %" PRIx64, e);
		table = e & 0x000ffffffffff000;
	}
	return 0;
}

static void check_page(struct vmmap_space *space, const struct memory *m, vmmap_pa_t cr3,
		       unsigned int levels, const struct mmu_twin *t, unsigned int i)
{
	const struct twin_page *p = &t->page[i];
	struct vmmap_step steps[VMMAP_STEPS_MAX];
	unsigned int shift;
	uint64_t addr[5], e = walk(m, cr3, levels, mmu_va(t, i), &shift, addr);
	int n = vmmap_hardware_walk(space, mmu_va(t, i), steps);

	CHECK(!!e == !!p->prot, "page %u: entry %" PRIx64, i, e);
	for (int k = 0; k < n; k++)
		CHECK(steps[k].addr == addr[k] && steps[k].bytes == 8, "step %d: %" PRIx64, k,
		      steps[k].addr);
	if (!e)
		return;
	CHECK(shift == p->shift, "shift %u", shift);
	CHECK(n == (int)levels - (int)(shift - 12) / 9, "%d steps", n);
	CHECK((e >> 12 & 0x7ffffffff) + (i - mmu_first(t, i)) == p->pfn, "frame of %u", i);
	CHECK(!!(e & 2) == ((p->prot & VMMAP_PROT_WRITE) && !(p->prot & VMMAP_PROT_COW)), "RW");
	CHECK(!!(e & 4) == !!(p->prot & VMMAP_PROT_USER), "US");
	CHECK(!!(e >> 63) == !(p->prot & VMMAP_PROT_EXEC), "NX");
	CHECK(!!(e >> 51 & 1) == !!(p->prot & VMMAP_PROT_RESERVED), "reserved");
	CHECK((e >> 5 & 3) == t->page[mmu_first(t, i)].ad, "accessed, dirty: %" PRIx64, e);
}

static void run(const char *backend, unsigned int levels)
{
	struct vmmap_space_config cfg = { .backend = backend };
	struct memory *m = calloc(1, sizeof(*m));
	struct mmu_twin *t = malloc(sizeof(*t)), *child_twin = malloc(sizeof(*t));
	struct vmmap_space *space, *child;
	struct vmmap_host *host;
	struct vmmap_answer a;
	vmmap_pa_t cr3;
	struct rng rng;

	rng_init(&rng, harness_seed(), levels);
	mmu_twin_init(t, levels == 5 ? 57 : 48);
	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	cr_assert_eq(vmmap_space_create(host, &cfg, &space), 0);
	cr_assert_eq(vmmap_map(space, mmu_va(t, 512), 1024, 2048, 0xb, VMMAP_2M), 0);
	mmu_map(t, 512, 1024, 2048, 0xb, VMMAP_2M);
	for (unsigned int k = 0; k < 3000; k++) {
		unsigned int i = (unsigned int)rng_below(&rng, TWIN_PAGES);
		uint8_t prot = (uint8_t)(rng_below(&rng, 64) | 1);
		uint64_t pfn = rng_below(&rng, 1 << 30);

		if (!vmmap_map(space, mmu_va(t, i), 1, pfn, prot, VMMAP_4K))
			mmu_map(t, i, 1, pfn, prot, VMMAP_4K);
		if (k == 1500) {
			cr_assert_eq(vmmap_fork(space, &child), 0);
			mmu_fork(t, child_twin);
		}
	}
	for (unsigned int k = 0; k < 5000; k++) {
		unsigned int i = (unsigned int)rng_below(&rng, TWIN_PAGES);

		mmu_access(t, i, k % 2 * VMMAP_WRITE, &a);
		vmmap_translate(space, mmu_va(t, i), k % 2 * VMMAP_WRITE, &a);
	}
	cr_assert_eq(vmmap_memory(space, keep, m, &cr3), 0);
	for (unsigned int i = 0; i < TWIN_PAGES; i++)
		check_page(space, m, cr3, levels, t, i);
	vmmap_space_free(child);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(host), 0);
	free(child_twin);
	free(t);
	free(m);
}

Test(radix_memory, is_what_a_processor_walks)
{
	run("radix4", 4);
	run("radix5", 5);
}

Test(radix_memory, is_not_there_for_others)
{
	struct vmmap_space *space;
	struct vmmap_host *host;
	vmmap_pa_t cr3;

	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	cr_assert_eq(vmmap_space_create(host, NULL, &space), 0);
	cr_assert_eq(vmmap_memory(space, keep, NULL, &cr3), -EOPNOTSUPP);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(host), 0);
}
