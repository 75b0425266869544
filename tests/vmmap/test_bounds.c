/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Counted bounds, whatever an adversary maps: lines that a hardware walk reads, nodes that a change writes, bytes for each page.
 * Counts, not times: they are the same on every machine.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "vmmap.h"

#define RW (VMMAP_PROT_READ | VMMAP_PROT_WRITE)

/*
 * Most lines and nodes that one call writes for the pages it touches, and besides (DESIGN.md, section 6). A scattered page is a slot
 * of a line; a fresh line of a hash table more; a region's lines are twenty pages each. Moving is 1,024 pages at most.
 */
static uint64_t most_nodes(const char *backend, uint64_t pages)
{
	if (!strcmp(backend, "ecpt"))
		return pages * 12 + 4096;
	return pages * 3 + 600;
}

/* Lines that one walk reads at most, caches empty. */
static int most_steps(const char *backend)
{
	return !strcmp(backend, "radix4") ? 4 :
	       !strcmp(backend, "radix5") ? 5 :
	       !strcmp(backend, "ecpt")   ? 9 :
					    VMMAP_STEPS_MAX - 1;
}

struct ground {
	const char *backend;
	struct vmmap_host *host;
	struct vmmap_space *space;
	struct rng rng;
	uint64_t worst_nodes, worst_steps, pages;
};

static void open_ground(struct ground *g, const char *backend)
{
	struct vmmap_space_config cfg = { .backend = backend };

	memset(g, 0, sizeof(*g));
	g->backend = backend;
	rng_init(&g->rng, harness_seed(), 5);
	cr_assert_eq(vmmap_host_create(NULL, &g->host), 0);
	cr_assert_eq(vmmap_space_create(g->host, &cfg, &g->space), 0);
}

static void close_ground(struct ground *g)
{
	cr_assert_eq(vmmap_check(g->space, NULL), 0);
	vmmap_space_free(g->space);
	cr_assert_eq(vmmap_host_free(g->host), 0);
}

static void count_change(struct ground *g, uint64_t pages)
{
	struct vmmap_cost cost;

	vmmap_last_cost(g->space, &cost);
	CHECK(cost.nodes <= most_nodes(g->backend, pages),
	      "%" PRIu64 " nodes for %" PRIu64 " pages", cost.nodes, pages);
	g->worst_nodes = cost.nodes > g->worst_nodes ? cost.nodes : g->worst_nodes;
}

static void count_walk(struct ground *g, vmmap_va_t va)
{
	struct vmmap_step steps[VMMAP_STEPS_MAX];
	struct vmmap_answer a;
	int n = vmmap_hardware_walk(g->space, va, steps);

	CHECK(n <= most_steps(g->backend), "%" PRIx64 ": %d steps", va, n);
	if (!vmmap_translate(g->space, va, VMMAP_PEEK, &a))
		CHECK(n > 0 && steps[n - 1].level == 1,
		      "%" PRIx64 ": the last step gives the frame", va);
	for (int i = 0; i < n; i++)
		CHECK(steps[i].bytes && steps[i].bytes <= 64 && steps[i].addr % 8 == 0, "step %d",
		      i);
	g->worst_steps = (uint64_t)n > g->worst_steps ? (uint64_t)n : g->worst_steps;
}

static void map_one(struct ground *g, uint64_t vpn, uint64_t pfn)
{
	int err = vmmap_map(g->space, vpn << 12, 1, pfn, RW, VMMAP_4K);

	CHECK(err == 0 || err == -EEXIST, "map %d", err);
	g->pages += !err;
	if (!err)
		count_change(g, 1);
}

static uint64_t bytes_per_page(struct ground *g)
{
	struct vmmap_stats st;

	vmmap_get_stats(g->space, &st);
	CHECK(st.pages == g->pages, "pages %" PRIu64 ", not %" PRIu64, st.pages, g->pages);
	return st.table_bytes / (g->pages ? g->pages : 1);
}

/* Every other page of a scattered range goes, then every other of those left, ... and all comes back. */
static void hole_punching(struct ground *g)
{
	enum { N = 32768 };
	static vmmap_pfn_t frames[N];

	for (unsigned int i = 0; i < N; i++)
		frames[i] = 1 + rng_below(&g->rng, 1 << 22);
	cr_assert_eq(vmmap_map_frames(g->space, 1 << 30, N, frames, RW), 0);
	count_change(g, N);
	for (unsigned int stride = 2; stride <= 64; stride *= 2) {
		for (unsigned int i = stride / 2; i < N; i += stride) {
			uint64_t va = (1 << 30) + ((uint64_t)i << 12);

			cr_assert_eq(vmmap_unmap(g->space, va, 1), 0);
			count_change(g, 1);
		}
		for (unsigned int i = 0; i < N; i += 97)
			count_walk(g, (1 << 30) + ((uint64_t)i << 12));
	}
	g->pages = N / 64;
	for (unsigned int i = 0; i < N; i++)
		map_one(g, (1 << 18) + i, frames[i]);
	if (!strcmp(g->backend, "lindex"))
		CHECK(bytes_per_page(g) <= 6, "%" PRIu64 " bytes a page", bytes_per_page(g));
	cr_assert_eq(vmmap_unmap(g->space, 1 << 30, N), 0);
	count_change(g, N);
	g->pages = 0;
}

/* Pages alone in an empty space; then pages in pairs, rights different. */
static void random_single_pages(struct ground *g)
{
	for (unsigned int k = 0; k < 20000; k++) {
		uint64_t vpn = rng_bits(&g->rng, 35);

		map_one(g, vpn, 1 + rng_below(&g->rng, 1 << 22));
		count_walk(g, vpn << 12);
		count_walk(g, rng_bits(&g->rng, 35) << 12);
	}
	if (!strcmp(g->backend, "lindex"))
		CHECK(bytes_per_page(g) <= 64, "%" PRIu64 " bytes a page", bytes_per_page(g));
	cr_assert_eq(vmmap_unmap(g->space, 0, UINT64_C(1) << 35), 0);
	g->pages = 0;
}

/* Faults in random order over one range: it has to become dense, in bounded steps. */
static void random_fault_in(struct ground *g)
{
	enum { N = 65536 };

	for (unsigned int k = 0; k < 2 * N; k++)
		map_one(g, (1 << 20) + rng_below(&g->rng, N), 1 + rng_below(&g->rng, 1 << 22));
	for (unsigned int k = 0; k < 2000; k++)
		count_walk(g, (UINT64_C(1) << 32) + (rng_below(&g->rng, N) << 12));
	if (!strcmp(g->backend, "lindex"))
		CHECK(bytes_per_page(g) <= 6, "%" PRIu64 " bytes a page", bytes_per_page(g));
	for (unsigned int i = 0; i < N; i += 2) { /* rights of every other page */
		cr_assert_eq(vmmap_protect(g->space, (UINT64_C(1) << 32) + ((uint64_t)i << 12), 1,
					   VMMAP_PROT_READ),
			     0);
		count_change(g, 1);
	}
	for (unsigned int k = 0; k < 2000; k++)
		count_walk(g, (UINT64_C(1) << 32) + (rng_below(&g->rng, N) << 12));
	cr_assert_eq(vmmap_unmap(g->space, UINT64_C(1) << 32, N), 0);
	g->pages = 0;
}

Test(bounds, hold_for_whatever_is_mapped)
{
	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct ground g;

		harness_step(vmmap_backend_name(i), i);
		open_ground(&g, vmmap_backend_name(i));
		hole_punching(&g);
		random_single_pages(&g);
		random_fault_in(&g);
		close_ground(&g);
		printf("%-7s at most %" PRIu64 " nodes a call, %" PRIu64 " lines a walk\n",
		       vmmap_backend_name(i), g.worst_nodes, g.worst_steps);
	}
}

/* ---- Fork ------------------------------------------------------------------------------------------------ */

static uint64_t together(struct vmmap_space *parent, struct vmmap_space *child)
{
	struct vmmap_stats p, c;

	vmmap_get_stats(parent, &p);
	vmmap_get_stats(child, &c);
	return p.table_bytes + c.table_bytes - p.shared_bytes;
}

Test(bounds, a_fork_shares_and_a_write_copies_one_mapping)
{
	enum { N = 20000 };
	static vmmap_pfn_t frames[N];
	struct vmmap_space *child;
	struct vmmap_stats before;
	struct vmmap_cost cost;
	struct ground g;
	uint64_t shared;

	open_ground(&g, "lindex");
	for (unsigned int i = 0; i < N; i++)
		frames[i] = 1 + rng_below(&g.rng, 1 << 22);
	cr_assert_eq(vmmap_map_frames(g.space, 1 << 30, N, frames, RW), 0);
	cr_assert_eq(vmmap_map(g.space, UINT64_C(1) << 40, 5000, 1 << 23, RW, VMMAP_4K), 0);
	vmmap_get_stats(g.space, &before);
	cr_assert_eq(vmmap_fork(g.space, &child), 0);
	shared = together(g.space, child);
	CHECK(5 * shared < 6 * before.table_bytes, "%" PRIu64 " against %" PRIu64, shared,
	      before.table_bytes);
	for (unsigned int k = 0; k < 10; k++) {
		uint64_t va = (1 << 30) + ((uint64_t)k * 1777 << 12);

		cr_assert_eq(vmmap_cow(child, va, (1 << 24) + k, NULL), 0);
		vmmap_last_cost(child, &cost);
		CHECK(cost.nodes <= 8 && !cost.moved, "%" PRIu64 " nodes", cost.nodes);
	}
	CHECK(together(g.space, child) <= shared + 10 * 96 + 512, "bytes: %" PRIu64 " more",
	      together(g.space, child) - shared);
	vmmap_space_free(child);
	close_ground(&g);
}

Test(bounds, many_forks_do_not_pile_up)
{
	enum { N = 8000 };
	static vmmap_pfn_t frames[N];
	struct vmmap_space *child;
	struct vmmap_stats st;
	struct ground g;
	uint64_t first = 0;

	open_ground(&g, "lindex");
	for (unsigned int i = 0; i < N; i++)
		frames[i] = 1 + rng_below(&g.rng, 1 << 22);
	cr_assert_eq(vmmap_map_frames(g.space, 1 << 30, N, frames, RW), 0);
	for (unsigned int round = 0; round < 40; round++) {
		cr_assert_eq(vmmap_fork(g.space, &child), 0);
		for (unsigned int k = 0; k < 200; k++)
			vmmap_cow(g.space, (1 << 30) + (rng_below(&g.rng, N) << 12),
				  (1 << 23) + round * 200 + k, NULL);
		vmmap_space_free(child);
		vmmap_get_stats(g.space, &st);
		first = first ? first : st.table_bytes;
	}
	CHECK(st.table_bytes <= 4 * first, "%" PRIu64 " bytes, %" PRIu64 " after the first",
	      st.table_bytes, first);
	close_ground(&g);
}
