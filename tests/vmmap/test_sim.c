/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The simulator on cases counted by hand. The machine is small enough for that:
 *
 *     L1 TLB 2 entries, 1 cycle    L2 TLB 4 entries, 10 cycles     walk caches: 1 entry for level 2, 3 cycles
 *     L1 cache 2 lines, 4 cycles   L2 cache 16 lines, 20 cycles    DRAM 100 cycles
 */
#include <criterion/criterion.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "sim.h"

static const struct vmmap_machine small = {
	.name = "small",
	.tlbs = { { 2, 0, 1, VMMAP_MACHINE_4K | VMMAP_MACHINE_2M, 1 },
		  { 4, 0, 10, VMMAP_MACHINE_4K | VMMAP_MACHINE_2M, 2 } },
	.n_tlbs = 2,
	.walk_caches = { [2] = { 1, 0, 3, 0, 0 } },
	.caches = { { 2, 2, 4, 0, 0 }, { 16, 16, 20, 0, 0 } },
	.n_caches = 2,
	.dram_cycles = 100,
	.radix_levels = 4,
};

#define VA(page) (UINT64_C(0x400000) + 4096 * (uint64_t)(page))

static struct vmmap_host *host;
static struct vmmap_space *space;
static struct vmmap_sim *sim;
static struct vmmap_sim_counts counts;

/* Pages 0..7 of 4 KiB, writable but page 7; a page of 2 MiB at 0x800000. */
static void open_world(void)
{
	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	cr_assert_eq(vmmap_space_create(host, &(struct vmmap_space_config){ .backend = "radix4" },
					&space),
		     0);
	for (uint64_t page = 0; page < 8; page++)
		cr_assert_eq(
			vmmap_map(space, VA(page), 1, 0x100 + 2 * page,
				  page < 7 ? VMMAP_PROT_READ | VMMAP_PROT_WRITE : VMMAP_PROT_READ,
				  VMMAP_4K),
			0);
	cr_assert_eq(vmmap_map(space, 0x800000, 512, 0x400, VMMAP_PROT_READ, VMMAP_2M), 0);
	cr_assert_eq(vmmap_sim_create(&small, space, NULL, &sim), 0);
}

static void close_world(void)
{
	vmmap_sim_free(sim);
	vmmap_space_free(space);
	vmmap_host_free(host);
}

TestSuite(sim, .init = open_world, .fini = close_world);

static void run(uint64_t va, unsigned int size, unsigned int kind)
{
	struct vmmap_access a = { va, VMMAP_PA_UNKNOWN, (uint16_t)size, (uint8_t)kind };

	vmmap_sim_run(sim, &a, 1);
	vmmap_sim_get(sim, &counts);
}

static void read_page(unsigned int page)
{
	run(VA(page), 8, VMMAP_KIND_READ);
}

Test(sim, the_first_access_walks_all_levels_in_dram)
{
	read_page(0);
	cr_assert_eq(counts.accesses, 1);
	cr_assert_eq(counts.walks, 1);
	cr_assert_eq(counts.walk_accesses, 4);
	cr_assert_eq(counts.histogram[4], 1);
	cr_assert_eq(counts.walk_levels[2], 4);
	cr_assert_eq(counts.walk_cycles, 3 + 4 * 100);
	cr_assert_eq(counts.mmu_cycles, 1 + 10 + 403);
	cr_assert_eq(counts.data_levels[2], 1);
	cr_assert_eq(counts.data_cycles, 100);
	cr_assert_eq(counts.faults, 0);
}

Test(sim, the_second_access_hits_tlb_and_cache)
{
	read_page(0);
	read_page(0);
	cr_assert_eq(counts.l1_hits, 1);
	cr_assert_eq(counts.walks, 1);
	cr_assert_eq(counts.mmu_cycles, 414 + 1);
	cr_assert_eq(counts.data_levels[0], 1);
	cr_assert_eq(counts.data_cycles, 100 + 4);
}

/* Its last-level entry is in the line that the first walk read, and the L1 cache (2 lines) has it: data came after it. */
Test(sim, a_neighbour_walks_one_level)
{
	read_page(0);
	read_page(1);
	cr_assert_eq(counts.walks, 2);
	cr_assert_eq(counts.cached_walks, 1);
	cr_assert_eq(counts.walk_accesses, 5);
	cr_assert_eq(counts.walk_levels[0], 1);
	cr_assert_eq(counts.walk_cycles, 403 + 3 + 4);
	cr_assert_eq(vmmap_sim_percentile(&counts, 50), 1);
	cr_assert_eq(vmmap_sim_percentile(&counts, 99), 4);
	cr_assert_eq(vmmap_sim_percentile(&counts, 100), 4);
}

/* Two entries in the L1 TLB, four in the L2: page 0 falls out of the first and stays in the second. */
Test(sim, what_leaves_the_l1_tlb_is_in_the_l2)
{
	for (unsigned int page = 0; page < 3; page++)
		read_page(page);
	read_page(0);
	cr_assert_eq(counts.walks, 3);
	cr_assert_eq(counts.l2_hits, 1);
	read_page(0);
	cr_assert_eq(counts.l1_hits, 1);
	for (unsigned int page = 3; page < 6; page++)
		read_page(page);
	/* Used in the L2 in this order: 0, 3, 4, 5. Page 1 has left. */
	cr_assert_eq(counts.walks, 6);
	read_page(1);
	cr_assert_eq(counts.walks, 7);
}

Test(sim, a_huge_page_walks_three_levels_and_needs_one_entry)
{
	run(0x800000, 8, VMMAP_KIND_READ);
	cr_assert_eq(counts.walk_accesses, 3);
	run(0x800000 + 0x1ff000, 8, VMMAP_KIND_READ);
	cr_assert_eq(counts.walks, 1);
	cr_assert_eq(counts.l1_hits, 1);
	cr_assert_eq(counts.faults, 0);
}

Test(sim, faults_are_told_apart)
{
	run(VA(8), 8, VMMAP_KIND_READ); /* nothing there, but all tables on the way */
	cr_assert_eq(counts.faults, 1);
	cr_assert_eq(counts.not_present, 1);
	cr_assert_eq(counts.walk_accesses, 4);
	run(VA(7), 8, VMMAP_KIND_WRITE);
	cr_assert_eq(counts.permission, 1);
	run(VA(6), 4, VMMAP_KIND_FETCH);
	cr_assert_eq(counts.permission, 2);
	run(UINT64_C(1) << 50, 8, VMMAP_KIND_READ);
	cr_assert_eq(counts.noncanonical, 1);
	cr_assert_eq(counts.faults, 4);
	cr_assert_eq(counts.walks, 3);
	cr_assert_eq(counts.data_cycles, 0);
}

Test(sim, an_access_across_two_pages_is_two_translations)
{
	run(VA(1) - 4, 8, VMMAP_KIND_READ);
	cr_assert_eq(counts.accesses, 1);
	cr_assert_eq(counts.translations, 2);
	cr_assert_eq(counts.walks, 2);
	cr_assert_eq(counts.data_levels[2], 2);
	run(VA(0) + 60, 8, VMMAP_KIND_READ); /* two lines of one page */
	cr_assert_eq(counts.translations, 3);
	cr_assert_eq(counts.data_levels[2], 4);
}

Test(sim, forget_clears_counts_and_keeps_caches)
{
	read_page(0);
	vmmap_sim_forget(sim);
	read_page(0);
	cr_assert_eq(counts.accesses, 1);
	cr_assert_eq(counts.walks, 0);
	cr_assert_eq(counts.l1_hits, 1);
}

/* A batch of any length counts as its accesses one by one: looking ahead changes nothing. */
Test(sim, many_at_once_are_counted_as_one_by_one)
{
	static struct vmmap_access a[5000];
	struct vmmap_sim_counts at_once;
	struct vmmap_sim *other;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (size_t i = 0; i < 5000; i++)
		a[i] = (struct vmmap_access){ VA(rng_below(&rng, 10)) + rng_below(&rng, 4096), 0,
					      (uint16_t)(1 + rng_below(&rng, 16)),
					      (uint8_t)rng_below(&rng, 3) };
	cr_assert_eq(vmmap_sim_create(&small, space, NULL, &other), 0);
	for (size_t i = 0; i < 5000; i++)
		vmmap_sim_run(sim, &a[i], 1);
	for (size_t i = 0; i < 5000;) {
		size_t n = 1 + rng_below(&rng, 200);

		n = n < 5000 - i ? n : 5000 - i;
		vmmap_sim_run(other, a + i, n);
		i += n;
	}
	vmmap_sim_get(sim, &counts);
	vmmap_sim_get(other, &at_once);
	cr_assert_eq(memcmp(&counts, &at_once, sizeof(counts)), 0);
	vmmap_sim_free(other);
}

/* ---- The ideal table ------------------------------------------------------------------------------- */

static struct vmmap_snapshot two_stretches(void)
{
	struct vmmap_snapshot snap = { 0 };

	/* Pages 16..115 at every third frame, page 512 of 2 MiB. Frames 0 .. 1023: 10 bits and 2, 42 in a line. */
	for (uint64_t i = 0; i < 100; i++)
		vmmap_snapshot_append(&snap,
				      &(struct vmmap_span){ 16 + i, 3 * i, 1, 12, VMMAP_SPAN_R });
	vmmap_snapshot_append(&snap, &(struct vmmap_span){ 512, 512, 512, 21, VMMAP_SPAN_R });
	return snap;
}

Test(sim, the_ideal_table_is_packed)
{
	struct vmmap_snapshot snap = two_stretches();
	struct vmmap_ideal *ideal;

	cr_assert_eq(vmmap_ideal_create(&snap, &ideal), 0);
	cr_assert_eq(vmmap_ideal_bits(ideal), 12);
	cr_assert_eq(vmmap_ideal_bytes(ideal), 3 * 64); /* 101 entries */
	cr_assert_eq(vmmap_ideal_line(ideal, 16 << 12), 0);
	cr_assert_eq(vmmap_ideal_line(ideal, (16 + 41) << 12), 0);
	cr_assert_eq(vmmap_ideal_line(ideal, (16 + 42) << 12), 1);
	cr_assert_eq(vmmap_ideal_line(ideal, (512 + 300) << 12), 2);
	vmmap_ideal_free(ideal);
	vmmap_snapshot_destroy(&snap);
}

Test(sim, a_walk_of_the_ideal_table_is_one_access)
{
	struct vmmap_snapshot snap = two_stretches();
	struct vmmap_sim *ideal_sim;
	struct vmmap_ideal *ideal;
	struct vmmap_space *other;
	struct vmmap_refusal why;
	const struct vmmap_access a = { 20 << 12, 0, 8, VMMAP_KIND_READ };

	cr_assert_eq(vmmap_ideal_create(&snap, &ideal), 0);
	cr_assert_eq(vmmap_sim_space(host, "radix4", &snap, &other, &why), 0, "%s", why.text);
	cr_assert_eq(vmmap_sim_create(&small, other, ideal, &ideal_sim), 0);
	vmmap_sim_run(ideal_sim, &a, 1);
	vmmap_sim_get(ideal_sim, &counts);
	cr_assert_eq(counts.walk_accesses, 1);
	cr_assert_eq(counts.walk_cycles, 100);
	cr_assert_eq(counts.mmu_cycles, 1 + 10 + 100);
	vmmap_sim_free(ideal_sim);
	vmmap_space_free(other);
	vmmap_ideal_free(ideal);
	vmmap_snapshot_destroy(&snap);
}
