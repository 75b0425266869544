/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Scattered huge pages, loaded together, then changed: a huge page goes, small ones come in its place, holes between them are unmapped,
 * huge pages come back, forks and copies; every backend against an array.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "vmmap.h"

#define UNITS 40u
#define SMALL 512u
#define BASE  (UINT64_C(1) << 32)
#define RW    (VMMAP_PROT_READ | VMMAP_PROT_WRITE)

struct unit {
	uint64_t huge;         /* frame, or 0 */
	uint64_t small[SMALL]; /* frames, or 0 */
};

struct ground {
	struct rng rng;
	struct vmmap_host *host;
	struct vmmap_space *space, *child;
	struct unit unit[UNITS];
	uint64_t next; /* frames, in units */
};

static uint64_t va_of(unsigned int unit, unsigned int small)
{
	return BASE + ((uint64_t)unit * SMALL + small) * VMMAP_PAGE_BYTES;
}

/* Units of frames in a scattered order; none comes twice. */
static uint64_t fresh(struct ground *g)
{
	return (1 + g->next++ * 40503 % 65536) * SMALL;
}

static void load(struct ground *g)
{
	struct vmmap_extent e[UNITS];

	for (unsigned int u = 0; u < UNITS; u++) {
		g->unit[u].huge = fresh(g);
		e[u] = (struct vmmap_extent){ va_of(u, 0), SMALL, g->unit[u].huge, RW, VMMAP_2M };
	}
	cr_assert_eq(vmmap_load(g->space, e, UNITS, NULL), 0);
}

static void same_page(struct ground *g, unsigned int u, unsigned int i)
{
	const struct unit *unit = &g->unit[u];
	uint64_t want = unit->huge ? unit->huge + i : unit->small[i];
	struct vmmap_answer a;
	int err = vmmap_translate(g->space, va_of(u, i) + 5, VMMAP_READ, &a);

	CHECK(err == (want ? 0 : -EFAULT), "%u %u: %d, not frame %" PRIx64, u, i, err, want);
	if (err)
		return;
	CHECK(a.pa == want * VMMAP_PAGE_BYTES + 5, "%u %u: %" PRIx64 ", not frame %" PRIx64, u, i,
	      a.pa, want);
	CHECK(a.shift == (unit->huge ? VMMAP_2M : VMMAP_4K), "%u %u: shift %u", u, i, a.shift);
}

static void same(struct ground *g)
{
	for (unsigned int u = 0; u < UNITS; u++)
		for (unsigned int i = 0; i < SMALL; i += 1 + (unsigned int)rng_below(&g->rng, 97))
			same_page(g, u, i);
	cr_assert_eq(vmmap_check(g->space, NULL), 0);
}

static bool empty(const struct unit *unit)
{
	for (unsigned int i = 0; i < SMALL; i++)
		if (unit->small[i])
			return false;
	return !unit->huge;
}

static void map_something(struct ground *g, unsigned int u)
{
	struct unit *unit = &g->unit[u];
	unsigned int i = (unsigned int)rng_below(&g->rng, SMALL);
	uint64_t pfn = fresh(g);
	int err, want;

	if (rng_one_in(&g->rng, 2)) {
		want = empty(unit) ? 0 : -EEXIST;
		err = vmmap_map(g->space, va_of(u, 0), SMALL, pfn, RW, VMMAP_2M);
		unit->huge = err ? unit->huge : pfn;
	} else {
		want = unit->huge || unit->small[i] ? -EEXIST : 0;
		err = vmmap_map(g->space, va_of(u, i), 1, pfn, RW, VMMAP_4K);
		unit->small[i] = err ? unit->small[i] : pfn;
	}
	CHECK(err == want, "map %d, not %d", err, want);
}

/* Whole units, or small pages: also where nothing is. */
static void unmap_something(struct ground *g, unsigned int u)
{
	struct unit *unit = &g->unit[u];
	unsigned int i = (unsigned int)rng_below(&g->rng, SMALL);
	unsigned int n = 1 + (unsigned int)rng_below(&g->rng, SMALL - i);
	int err, want;

	if (rng_one_in(&g->rng, 2)) {
		i = 0;
		n = SMALL;
	}
	want = unit->huge && n < SMALL ? -EINVAL : 0;
	err = vmmap_unmap(g->space, va_of(u, i), n);
	CHECK(err == want, "unmap %d, not %d", err, want);
	if (err)
		return;
	unit->huge = 0;
	memset(unit->small + i, 0, n * sizeof(*unit->small));
}

/* A child stands by until the next fork: pages are copied that it shares. */
static void fork_or_copy(struct ground *g, unsigned int u)
{
	struct unit *unit = &g->unit[u];
	uint64_t pfn = fresh(g);
	bool copied;

	if (!unit->huge || rng_one_in(&g->rng, 8)) {
		vmmap_space_free(g->child);
		cr_assert_eq(vmmap_fork(g->space, &g->child), 0);
		return;
	}
	if (vmmap_cow(g->space, va_of(u, 7), pfn, &copied) == 0 && copied)
		unit->huge = pfn;
}

static void harvest(struct ground *g, unsigned int u)
{
	uint64_t accessed[SMALL / 64], dirty[SMALL / 64];
	struct unit *unit = &g->unit[u];
	struct vmmap_answer a;

	if (!unit->huge)
		return;
	CHECK(vmmap_harvest(g->space, va_of(u, 0), SMALL, 3, accessed, dirty) >= 0, "harvest");
	CHECK(vmmap_translate(g->space, va_of(u, 9), VMMAP_READ, &a) == 0, "translate");
	CHECK(vmmap_harvest(g->space, va_of(u, 0), SMALL, 0, accessed, dirty) > 0, "harvest");
	CHECK(accessed[0] & 1 && !(dirty[0] & 1), "unit %u: accessed %" PRIx64, u, accessed[0]);
}

static void run(const char *backend, uint64_t steps)
{
	struct vmmap_space_config cfg = { .backend = backend };
	struct ground *g = calloc(1, sizeof(*g));

	rng_init(&g->rng, harness_seed(), 3);
	cr_assert_eq(vmmap_host_create(NULL, &g->host), 0);
	cr_assert_eq(vmmap_space_create(g->host, &cfg, &g->space), 0);
	load(g);
	same(g);
	for (uint64_t step = 0; step < steps; step++) {
		unsigned int u = (unsigned int)rng_below(&g->rng, UNITS);

		harness_step(backend, step);
		switch (rng_below(&g->rng, 6)) {
		case 0:
			unmap_something(g, u);
			break;
		case 1 ... 2:
			map_something(g, u);
			break;
		case 3:
			if (step > steps / 2)
				fork_or_copy(g, u);
			break;
		default:
			harvest(g, u);
		}
		if (step % 50 == 0)
			same(g);
	}
	same(g);
	vmmap_space_free(g->child);
	vmmap_space_free(g->space);
	cr_assert_eq(vmmap_host_free(g->host), 0);
	free(g);
}

Test(huge, pages_come_and_go)
{
	for (unsigned int i = 0; vmmap_backend_name(i); i++)
		run(vmmap_backend_name(i), harness_longer(2000));
}

/* Loaded together they are in lines: a walk reads one, and the table is small. */
Test(huge, one_line_says_where_a_page_is)
{
	struct ground *g = calloc(1, sizeof(*g));
	struct vmmap_step steps[VMMAP_STEPS_MAX];
	struct vmmap_stats st;
	int n;

	cr_assert_eq(vmmap_host_create(NULL, &g->host), 0);
	cr_assert_eq(vmmap_space_create(g->host, NULL, &g->space), 0);
	load(g);
	n = vmmap_hardware_walk(g->space, va_of(3, 100), steps);
	cr_assert_gt(n, 1);
	cr_assert_eq(steps[n - 1].level, 1);
	cr_assert_neq(steps[n - 2].cache, 0, "the model before it can be cached");
	vmmap_get_stats(g->space, &st);
	cr_assert_lt(st.table_bytes, UNITS * SMALL * 8 / 25);
	vmmap_space_free(g->space);
	cr_assert_eq(vmmap_host_free(g->host), 0);
	free(g);
}
