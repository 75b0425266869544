/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What callers can get wrong: each is a negative errno, and nothing has changed.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "vmmap.h"

#define RW (VMMAP_PROT_READ | VMMAP_PROT_WRITE)
#define VA UINT64_C(0x7f0000200000)

struct bench {
	struct vmmap_host *host;
	struct vmmap_space *space;
	uint64_t half; /* first address that is not canonical */
};

static void open_bench(struct bench *b, const char *backend)
{
	struct vmmap_space_config cfg = { .backend = backend, .phys_bits = 40 };

	cr_assert_eq(vmmap_host_create(NULL, &b->host), 0);
	cr_assert_eq(vmmap_space_create(b->host, &cfg, &b->space), 0);
	b->half = UINT64_C(1) << (strcmp(backend, "radix5") ? 47 : 56);
	/* 2 MiB page, 8 small ones, a hole, 4 small ones */
	cr_assert_eq(vmmap_map(b->space, VA, 512, 512, RW, VMMAP_2M), 0);
	cr_assert_eq(vmmap_map(b->space, VA + (512 << 12), 8, 7, RW, VMMAP_4K), 0);
	cr_assert_eq(vmmap_map(b->space, VA + (530 << 12), 4, 100, RW, VMMAP_4K), 0);
}

static int count(void *ctx, const struct vmmap_extent *e)
{
	uint64_t *sum = ctx;

	*sum = *sum * 31 + e->va + e->pages * 3 + e->pfn * 5 + e->prot * 7 + e->shift;
	return 0;
}

static uint64_t picture(struct bench *b)
{
	uint64_t sum = 0;

	vmmap_walk_all(b->space, count, &sum);
	return sum;
}

static void close_bench(struct bench *b)
{
	cr_assert_eq(vmmap_check(b->space, NULL), 0);
	vmmap_space_free(b->space);
	cr_assert_eq(vmmap_host_free(b->host), 0);
}

static void bad_map(struct bench *b)
{
	const struct {
		uint64_t va, pages, pfn;
		uint32_t prot;
		unsigned int shift;
		int err;
	} cases[] = {
		{ VA + 0x4000000 + 1, 1, 1, RW, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, 0, 1, RW, VMMAP_4K, -EINVAL },
		{ b->half, 1, 1, RW, VMMAP_4K, -EINVAL },
		{ b->half - 4096, 2, 1, RW, VMMAP_4K, -EINVAL },
		{ -UINT64_C(4096), 2, 1, RW, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, UINT64_MAX, 1, RW, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, 1, 1, VMMAP_PROT_WRITE, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, 1, 1, RW | VMMAP_PROT_COW, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, 1, 1, RW | 0x100, VMMAP_4K, -EINVAL },
		{ VA + 0x4000000, 1, 1, RW, 13, -EINVAL },
		{ VA + 0x4001000, 512, 512, RW, VMMAP_2M, -EINVAL },
		{ VA + 0x4000000, 512, 513, RW, VMMAP_2M, -EINVAL },
		{ VA + 0x4000000, 511, 512, RW, VMMAP_2M, -EINVAL },
		{ VA + 0x4000000, 512, 512, RW, VMMAP_1G, -EINVAL },
		{ VA + 0x4000000, 1, UINT64_C(1) << 28, RW, VMMAP_4K, -ERANGE },
		{ VA + 0x4000000, 2, (UINT64_C(1) << 28) - 1, RW, VMMAP_4K, -ERANGE },
		{ VA, 1, 1, RW, VMMAP_4K, -EEXIST },
		{ VA + (100 << 12), 1, 1, RW, VMMAP_4K, -EEXIST },
		{ VA - 4096, 2, 1, RW, VMMAP_4K, -EEXIST },
		{ VA + (520 << 12), 11, 1, RW, VMMAP_4K, -EEXIST },
		{ VA + (519 << 12), 2, 1, RW, VMMAP_4K, -EEXIST },
	};
	uint64_t before = picture(b);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = vmmap_map(b->space, cases[i].va, cases[i].pages, cases[i].pfn,
				    cases[i].prot, cases[i].shift);

		CHECK(err == cases[i].err, "case %zu: %d, not %d", i, err, cases[i].err);
		CHECK(picture(b) == before, "case %zu changed something", i);
	}
}

static void bad_ranges(struct bench *b)
{
	const struct {
		uint64_t va, pages;
	} cases[] = {
		{ VA + 1, 1 },
		{ VA, 0 },
		{ b->half, 1 },
		{ VA, UINT64_MAX },
		{ VA, 511 },
		{ VA + 4096, 511 },
		{ VA - 4096, 2 },
		{ VA + (511 << 12), 9 },
		{ VA + (200 << 12), 1 },
		{ b->half - 4096, 2 },
	};
	uint64_t before = picture(b);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(vmmap_unmap(b->space, cases[i].va, cases[i].pages) == -EINVAL, "unmap %zu",
		      i);
		CHECK(vmmap_protect(b->space, cases[i].va, cases[i].pages, RW) == -EINVAL,
		      "protect %zu", i);
		CHECK(picture(b) == before, "case %zu changed something", i);
	}
	CHECK(vmmap_protect(b->space, VA, 512, 0) == -EINVAL, "prot 0");
	CHECK(vmmap_harvest(b->space, VA, 1, 4, NULL, NULL) == -EINVAL, "harvest");
	CHECK(vmmap_harvest(b->space, b->half, 1, 0, NULL, NULL) == -EINVAL, "harvest");
	CHECK(vmmap_cow(b->space, VA, 512, NULL) == -EINVAL, "not COW");
	CHECK(vmmap_cow(b->space, VA - 4096, 512, NULL) == -ENOENT, "no page");
	CHECK(vmmap_unmap(b->space, VA + (600 << 12), 10) == 0, "a hole is fine");
	CHECK(picture(b) == before, "a hole was changed");
}

static void bad_frames(struct bench *b)
{
	vmmap_pfn_t frames[] = { 1, 2, UINT64_C(1) << 28, 4 };
	struct vmmap_extent e[] = { { VA, 1, 1, RW, VMMAP_4K }, { VA, 1, 2, RW, VMMAP_4K } };
	uint64_t before = picture(b);
	size_t bad;

	CHECK(vmmap_map_frames(b->space, VA + 0x4000000, 4, frames, RW) == -ERANGE, "frames");
	CHECK(vmmap_map_frames(b->space, VA + (518 << 12), 4, frames, RW) == -ERANGE, "frames");
	frames[2] = 3;
	CHECK(vmmap_map_frames(b->space, VA + (528 << 12), 4, frames, RW) == -EEXIST, "overlap");
	CHECK(vmmap_load(b->space, e, 2, &bad) == -EBUSY, "not empty");
	CHECK(picture(b) == before, "something changed");
	cr_assert_eq(vmmap_unmap(b->space, VA, 1024), 0);
	CHECK(vmmap_load(b->space, e, 2, &bad) == -EINVAL && bad == 1, "overlap");
	CHECK(picture(b) == 0, "something is left");
}

static void faults(struct bench *b)
{
	struct vmmap_answer a;
	struct vmmap_extent e;
	struct vmmap_fault f;

	CHECK(vmmap_translate(b->space, b->half, VMMAP_WRITE, &a) == -EFAULT &&
		      a.fault.kind == VMMAP_FAULT_NONCANONICAL && a.fault.code == 0,
	      "not canonical");
	CHECK(vmmap_translate(b->space, VA - 1, VMMAP_WRITE | VMMAP_USER, &a) == -EFAULT &&
		      a.fault.kind == VMMAP_FAULT_NOT_PRESENT && a.fault.code == 6,
	      "not present");
	CHECK(vmmap_translate(b->space, VA, VMMAP_WRITE | VMMAP_USER, &a) == -EFAULT &&
		      a.fault.kind == VMMAP_FAULT_PERMISSION && a.fault.code == 7,
	      "user");
	CHECK(vmmap_translate(b->space, VA, VMMAP_FETCH, &a) == -EFAULT && a.fault.code == 0x11,
	      "fetch");
	CHECK(vmmap_translate(b->space, VA + 0x123456, VMMAP_WRITE, &a) == 0 &&
		      a.pa == (512 << 12) + 0x123456 && a.shift == VMMAP_2M,
	      "huge");
	cr_assert_eq(vmmap_protect(b->space, VA, 512, RW | VMMAP_PROT_RESERVED), 0);
	CHECK(vmmap_translate(b->space, VA, 0, &a) == -EFAULT &&
		      a.fault.kind == VMMAP_FAULT_RESERVED && a.fault.code == 9,
	      "reserved");
	CHECK(vmmap_translate_range(b->space, VA, 0, &e, &f) == -EFAULT && f.code == 9, "range");
	cr_assert_eq(vmmap_protect(b->space, VA, 512, RW), 0);
}

/* 1 GiB pages next to each other, and the range that they make. */
static void gigantic(struct bench *b)
{
	vmmap_va_t va = UINT64_C(0x4000000000);
	struct vmmap_extent e;
	struct vmmap_answer a;

	cr_assert_eq(vmmap_map(b->space, va, 2 << 18, 1 << 18, RW, VMMAP_1G), 0);
	CHECK(vmmap_translate(b->space, va + 0x67654321, VMMAP_WRITE, &a) == 0 &&
		      a.pa == 0x40000000 + 0x67654321u && a.shift == VMMAP_1G,
	      "1 GiB");
	CHECK(vmmap_translate_range(b->space, va + 5, 0, &e, NULL) == 0 && e.va == va &&
		      e.pages == 2 << 18 && e.shift == VMMAP_1G,
	      "range");
	CHECK(vmmap_harvest(b->space, va + 4096, 1, VMMAP_DIRTY, NULL, NULL) == 1, "dirty");
	CHECK(vmmap_unmap(b->space, va, 1 << 17) == -EINVAL, "cuts");
	cr_assert_eq(vmmap_unmap(b->space, va, 1 << 18), 0);
	CHECK(vmmap_translate(b->space, va, 0, &a) == -EFAULT, "gone");
	CHECK(vmmap_translate(b->space, va + (UINT64_C(1) << 30), 0, &a) == 0, "the other stays");
	cr_assert_eq(vmmap_unmap(b->space, va, 2 << 18), 0);
}

Test(errors, change_nothing_on_any_backend)
{
	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct bench b;

		harness_step(vmmap_backend_name(i), i);
		open_bench(&b, vmmap_backend_name(i));
		bad_map(&b);
		bad_ranges(&b);
		faults(&b);
		gigantic(&b);
		bad_frames(&b);
		close_bench(&b);
	}
}

Test(errors, of_configurations)
{
	const struct {
		struct vmmap_space_config cfg;
		int err;
	} cases[] = {
		{ { .backend = "hash" }, -ENOENT },
		{ { .va_bits = 39 }, -EINVAL },
		{ { .backend = "radix4", .va_bits = 57 }, -EINVAL },
		{ { .backend = "radix5", .va_bits = 48 }, -EINVAL },
		{ { .phys_bits = 31 }, -EINVAL },
		{ { .phys_bits = 51 }, -EINVAL },
	};
	struct vmmap_host_config host = { .flags = 0x80 };
	struct vmmap_space *space;
	struct vmmap_host *h;

	cr_assert_eq(vmmap_host_create(&host, &h), -EINVAL);
	cr_assert_eq(vmmap_host_create(NULL, &h), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(vmmap_space_create(h, &cases[i].cfg, &space), cases[i].err, "%zu", i);
	cr_assert_eq(vmmap_space_create(h, NULL, &space), 0);
	cr_assert_str_eq(vmmap_space_backend(space), "lindex");
	cr_assert_eq(vmmap_host_free(h), -EBUSY);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(h), 0);
}

Test(errors, no_fork_without_frame_counts)
{
	struct vmmap_host_config cfg = { .flags = VMMAP_HOST_NO_REFS };
	struct vmmap_space *space, *child;
	struct vmmap_host *h;

	cr_assert_eq(vmmap_host_create(&cfg, &h), 0);
	cr_assert_eq(vmmap_space_create(h, NULL, &space), 0);
	cr_assert_eq(vmmap_map(space, 0, 4, 4, RW, VMMAP_4K), 0);
	cr_assert_eq(vmmap_fork(space, &child), -EOPNOTSUPP);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(h), 0);
}
