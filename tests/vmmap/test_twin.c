/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every backend against the flat twin: random map, unmap, protect, fork, write, harvest, over a family of spaces, accessed and
 * dirty bits included.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "mmu_twin.h"
#include "check.h"
#include "rng.h"

#define FAMILY 4u

struct family {
	struct vmmap_host *host;
	struct vmmap_space *space[FAMILY];
	struct mmu_twin *twin[FAMILY];
	struct rng rng;
	bool scattered;
	uint64_t told; /* calls of the callback */
};

static void told(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages)
{
	struct family *f = ctx;

	(void)space;
	(void)va;
	CHECK(pages > 0, "an empty range");
	f->told++;
}

static unsigned int any_space(struct family *f)
{
	unsigned int s;

	do {
		s = (unsigned int)rng_below(&f->rng, FAMILY);
	} while (!f->space[s]);
	return s;
}

static uint8_t any_prot(struct rng *r)
{
	static const uint8_t common[] = { 0x0b, 0x0b, 0x0b, 0x09, 0x0d, 0x1b };

	return rng_one_in(r, 8) ? (uint8_t)(rng_below(r, 64) | VMMAP_PROT_READ) :
				  common[rng_below(r, sizeof(common))];
}

/* A range inside one window: most are short. */
static unsigned int any_range(struct rng *r, unsigned int *pages)
{
	unsigned int i = (unsigned int)rng_below(r, TWIN_PAGES);
	unsigned int most = WINDOW_PAGES - i % WINDOW_PAGES;

	*pages = 1 + (unsigned int)rng_magnitude(r, rng_one_in(r, 10) ? 11 : 3);
	*pages = *pages < most ? *pages : most;
	return i;
}

static uint64_t any_pfn(struct family *f)
{
	return 0x1000 + rng_below(&f->rng, f->scattered ? 0x3ffff : 0x3fff);
}

static void do_map(struct family *f, unsigned int s)
{
	unsigned int pages, i = any_range(&f->rng, &pages);
	uint8_t prot = any_prot(&f->rng), shift = VMMAP_4K;
	uint64_t pfn = any_pfn(f);
	int err, want;

	if (rng_one_in(&f->rng, 6)) {
		shift = VMMAP_2M;
		i = i / 512 * 512;
		pages = 512 * (1 + (unsigned int)rng_below(&f->rng, 2));
		pages = i % WINDOW_PAGES + pages > WINDOW_PAGES ? 512 : pages;
		pfn = pfn / 512 * 512;
		if (mmu_va(f->twin[s], i) % (512 * VMMAP_PAGE_BYTES)) {
			err = vmmap_map(f->space[s], mmu_va(f->twin[s], i), pages, pfn, prot,
					shift);
			CHECK(err == -EINVAL, "not aligned: %d", err);
			return;
		}
	}
	want = mmu_hole(f->twin[s], i, pages) ? 0 : -EEXIST;
	err = vmmap_map(f->space[s], mmu_va(f->twin[s], i), pages, pfn, prot, shift);
	CHECK(err == want, "map: %d, not %d", err, want);
	if (!err)
		mmu_map(f->twin[s], i, pages, pfn, prot, shift);
}

static void do_map_frames(struct family *f, unsigned int s)
{
	static uint64_t frames[WINDOW_PAGES];
	unsigned int pages, i = any_range(&f->rng, &pages);
	uint8_t prot = any_prot(&f->rng);
	int err, want = mmu_hole(f->twin[s], i, pages) ? 0 : -EEXIST;

	for (unsigned int j = 0; j < pages; j++)
		frames[j] = j && rng_one_in(&f->rng, 3) ? frames[j - 1] + 1 : any_pfn(f);
	err = vmmap_map_frames(f->space[s], mmu_va(f->twin[s], i), pages, frames, prot);
	CHECK(err == want, "map_frames: %d, not %d", err, want);
	for (unsigned int j = 0; !err && j < pages; j++)
		mmu_map(f->twin[s], i + j, 1, frames[j], prot, VMMAP_4K);
}

/* A whole window of short runs: what has run lines. */
static void do_map_window(struct family *f, unsigned int s)
{
	static uint64_t frames[WINDOW_PAGES];
	unsigned int base = (unsigned int)rng_below(&f->rng, WINDOWS) * WINDOW_PAGES;
	unsigned int mean = 6 + (unsigned int)rng_below(&f->rng, 9), left = 0;
	uint8_t prot = any_prot(&f->rng);
	struct mmu_twin *t = f->twin[s];
	int err = vmmap_unmap(f->space[s], mmu_va(t, base), WINDOW_PAGES);

	CHECK(err == 0, "unmap of a window: %d", err);
	mmu_unmap(t, base, WINDOW_PAGES);
	for (unsigned int i = 0; i < WINDOW_PAGES; i++, left--) {
		frames[i] = left ? frames[i - 1] + 1 : any_pfn(f);
		left = left ? left : 1 + (unsigned int)rng_below(&f->rng, 2 * mean);
	}
	err = vmmap_map_frames(f->space[s], mmu_va(t, base), WINDOW_PAGES, frames, prot);
	CHECK(err == 0, "map of a window: %d", err);
	for (unsigned int i = 0; i < WINDOW_PAGES; i++)
		mmu_map(t, base + i, 1, frames[i], prot, VMMAP_4K);
}

/* Single pages in order of a neighbourhood: what faults bring. */
static void do_fault_in(struct family *f, unsigned int s)
{
	unsigned int base = (unsigned int)rng_below(&f->rng, TWIN_PAGES / 512) * 512;

	for (unsigned int k = 0; k < 24; k++) {
		unsigned int i = base + (unsigned int)rng_below(&f->rng, 512);
		int want = f->twin[s]->page[i].prot ? -EEXIST : 0, err;
		uint64_t pfn = any_pfn(f);

		err = vmmap_map(f->space[s], mmu_va(f->twin[s], i), 1, pfn, 0x0b, VMMAP_4K);
		CHECK(err == want, "fault in: %d, not %d", err, want);
		if (!err)
			mmu_map(f->twin[s], i, 1, pfn, 0x0b, VMMAP_4K);
	}
}

static void do_unmap(struct family *f, unsigned int s)
{
	unsigned int pages, i = any_range(&f->rng, &pages);
	bool cuts = mmu_cuts(f->twin[s], i, pages);
	int err = vmmap_unmap(f->space[s], mmu_va(f->twin[s], i), pages);

	CHECK(err == (cuts ? -EINVAL : 0), "unmap: %d, cuts %d", err, cuts);
	if (!err)
		mmu_unmap(f->twin[s], i, pages);
}

static void do_protect(struct family *f, unsigned int s)
{
	unsigned int pages, i = any_range(&f->rng, &pages);
	bool cuts = mmu_cuts(f->twin[s], i, pages);
	uint8_t prot = any_prot(&f->rng);
	int err = vmmap_protect(f->space[s], mmu_va(f->twin[s], i), pages, prot);

	CHECK(err == (cuts ? -EINVAL : 0), "protect: %d, cuts %d", err, cuts);
	if (!err)
		mmu_protect(f->twin[s], i, pages, prot);
}

static uint32_t refs_of(const struct family *f, uint64_t pfn)
{
	uint32_t refs = 0;

	for (unsigned int s = 0; s < FAMILY; s++)
		for (unsigned int i = 0; f->space[s] && i < TWIN_PAGES; i++)
			refs += f->twin[s]->page[i].prot && f->twin[s]->page[i].pfn == pfn;
	return refs;
}

static void copy_page(struct family *f, unsigned int s, unsigned int i)
{
	struct mmu_twin *t = f->twin[s];
	unsigned int first = mmu_first(t, i);
	unsigned int size = (unsigned int)vmmap_shift_pages(t->page[i].shift);
	uint64_t fresh = any_pfn(f) / size * size, old = t->page[first].pfn;
	bool copied, shared = false;
	int err;

	for (unsigned int j = 0; j < size; j++)
		shared |= vmmap_frame_refs(f->host, old + j) > 1;
	if (size == 1)
		CHECK(shared == (refs_of(f, old) > 1), "frame %" PRIx64 ": %u references, not %u",
		      old, vmmap_frame_refs(f->host, old), refs_of(f, old));
	err = vmmap_cow(f->space[s], mmu_va(t, i), fresh, &copied);
	CHECK(err == 0, "cow: %d", err);
	CHECK(copied == shared, "copied %d", copied);
	for (unsigned int j = 0; j < size; j++) {
		t->page[first + j].prot &= (uint8_t)~VMMAP_PROT_COW;
		t->page[first + j].pfn = (copied ? fresh : old) + j;
	}
}

static void do_access(struct family *f, unsigned int s)
{
	static const uint32_t accesses[] = { 0, 2, 4, 6, 4, 6, 0x14, 0x10, 0x100, 0x106 };

	for (unsigned int k = 0; k < 16; k++) {
		unsigned int i = (unsigned int)rng_below(&f->rng, TWIN_PAGES);
		uint32_t access = accesses[rng_below(&f->rng, 10)];
		uint64_t offset = rng_below(&f->rng, VMMAP_PAGE_BYTES);
		struct vmmap_answer want, got;
		int err = mmu_access(f->twin[s], i, access, &want);
		int ret = vmmap_translate(f->space[s], mmu_va(f->twin[s], i) + offset, access,
					  &got);

		CHECK(ret == err, "%" PRIx64 " access %x: %d, not %d", mmu_va(f->twin[s], i),
		      access, ret, err);
		CHECK(got.fault.kind == want.fault.kind && got.fault.code == want.fault.code,
		      "fault %u code %x, not %u code %x", got.fault.kind, got.fault.code,
		      want.fault.kind, want.fault.code);
		CHECK(err || got.pa == want.pa + offset, "pa %" PRIx64 ", not %" PRIx64, got.pa,
		      want.pa);
		CHECK(got.prot == want.prot && got.shift == want.shift, "prot %x shift %u",
		      got.prot, got.shift);
		if (want.fault.kind == VMMAP_FAULT_COW && rng_one_in(&f->rng, 2))
			copy_page(f, s, i);
	}
}

static void do_range(struct family *f, unsigned int s)
{
	unsigned int i = (unsigned int)rng_below(&f->rng, TWIN_PAGES);
	struct vmmap_extent want, got = { 0 };
	struct vmmap_fault fault;
	struct vmmap_answer a;
	int err = mmu_access(f->twin[s], i, 0, &a);
	int ret = vmmap_translate_range(f->space[s], mmu_va(f->twin[s], i), 0, &got, &fault);

	CHECK(ret == err, "range: %d, not %d", ret, err);
	if (err)
		return;
	want = mmu_extent(f->twin[s], i);
	CHECK(got.va == want.va && got.pages == want.pages && got.pfn == want.pfn &&
		      got.prot == want.prot && got.shift == want.shift,
	      "range %" PRIx64 "+%" PRIu64 ", not %" PRIx64 "+%" PRIu64, got.va, got.pages, want.va,
	      want.pages);
}

static void do_harvest(struct family *f, unsigned int s)
{
	static uint64_t bits[2][WINDOW_PAGES / 64 + 1];
	unsigned int pages, i = any_range(&f->rng, &pages), cleared = 0;
	uint32_t clear = (uint32_t)rng_below(&f->rng, 4);
	struct mmu_twin *t = f->twin[s];
	int64_t found = vmmap_harvest(f->space[s], mmu_va(t, i), pages, clear, bits[0], bits[1]);
	int64_t want = 0;

	for (unsigned int j = 0; j < pages; j++) {
		uint8_t ad = t->page[mmu_first(t, i + j)].ad;
		unsigned int got = (bits[0][j / 64] >> j % 64 & 1) |
				   (unsigned int)(bits[1][j / 64] >> j % 64 & 1) << 1;

		CHECK(got == ad, "%" PRIx64 ": bits %u, not %u", mmu_va(t, i + j), got, ad);
		want += ad != 0;
	}
	CHECK(found == want, "found %" PRId64 ", not %" PRId64, found, want);
	for (unsigned int j = 0; j < pages; j++, cleared++)
		t->page[mmu_first(t, i + j)].ad &= (uint8_t)~clear;
}

static void do_batch(struct family *f, unsigned int s)
{
	vmmap_va_t vas[100];
	struct vmmap_answer got[100], want;
	int64_t n = 0;

	for (unsigned int j = 0; j < 100; j++)
		vas[j] = mmu_va(f->twin[s], (unsigned int)rng_below(&f->rng, TWIN_PAGES)) + j;
	vas[50] = UINT64_C(1) << 62; /* not canonical */
	CHECK(vmmap_translate_batch(f->space[s], vas, 100, VMMAP_PEEK, got) >= 0, "batch");
	for (unsigned int j = 0; j < 100; j++) {
		int err = vmmap_translate(f->space[s], vas[j], VMMAP_PEEK, &want);

		CHECK(got[j].pa == want.pa && got[j].fault.kind == want.fault.kind, "batch: %u", j);
		n += !err;
	}
	CHECK(vmmap_translate_batch(f->space[s], vas, 100, VMMAP_PEEK, got) == n, "batch count");
}

static void do_fork(struct family *f, unsigned int s)
{
	unsigned int to = (unsigned int)rng_below(&f->rng, FAMILY);
	int err;

	if (to == s)
		return;
	if (f->space[to]) {
		vmmap_space_free(f->space[to]);
		f->space[to] = NULL;
		if (rng_one_in(&f->rng, 2))
			return;
	}
	err = vmmap_fork(f->space[s], &f->space[to]);
	CHECK(err == 0, "fork: %d", err);
	mmu_fork(f->twin[s], f->twin[to]);
}

static void do_any(struct family *f)
{
	unsigned int s = any_space(f);

	switch (rng_below(&f->rng, 16)) {
	case 0 ... 2:
		do_map(f, s);
		break;
	case 3 ... 4:
		if (rng_one_in(&f->rng, 16))
			do_map_window(f, s);
		else
			do_map_frames(f, s);
		break;
	case 5:
		do_fault_in(f, s);
		break;
	case 6 ... 8:
		do_unmap(f, s);
		break;
	case 9:
		do_protect(f, s);
		break;
	case 10 ... 11:
		do_access(f, s);
		break;
	case 12:
		do_range(f, s);
		break;
	case 13 ... 14:
		do_harvest(f, s);
		break;
	default:
		if (rng_one_in(&f->rng, 40))
			do_fork(f, s);
		else
			do_batch(f, s);
	}
}

static void same_all(struct family *f)
{
	for (unsigned int s = 0; s < FAMILY; s++)
		if (f->space[s])
			mmu_same(f->twin[s], f->space[s]);
	for (unsigned int k = 0; k < 8; k++) {
		uint64_t pfn = any_pfn(f);

		CHECK(vmmap_frame_refs(f->host, pfn) == refs_of(f, pfn),
		      "frame %" PRIx64 ": %u references, not %u", pfn,
		      vmmap_frame_refs(f->host, pfn), refs_of(f, pfn));
	}
}

static void run_family(const char *backend, uint64_t salt, uint64_t steps)
{
	struct vmmap_space_config cfg = { .backend = backend, .invalidate = told };
	struct family *f = calloc(1, sizeof(*f));
	unsigned int va_bits = !strcmp(backend, "radix5") ||
					       (salt & 1 && strcmp(backend, "radix4")) ?
				       57 :
				       48;

	rng_init(&f->rng, harness_seed(), salt);
	f->scattered = salt & 2;
	cfg.ctx = f;
	cfg.va_bits = (uint8_t)va_bits;
	cr_assert_eq(vmmap_host_create(NULL, &f->host), 0);
	cr_assert_eq(vmmap_space_create(f->host, &cfg, &f->space[0]), 0);
	for (unsigned int s = 0; s < FAMILY; s++) {
		f->twin[s] = malloc(sizeof(*f->twin[s]));
		mmu_twin_init(f->twin[s], va_bits);
	}
	for (uint64_t step = 0; step < steps; step++) {
		harness_step(backend, salt * 1000000000 + step);
		do_any(f);
		if (step % 500 == 499)
			same_all(f);
	}
	same_all(f);
	CHECK(f->told > 0, "nobody was told");
	for (unsigned int s = 0; s < FAMILY; s++) {
		vmmap_space_free(f->space[s]);
		free(f->twin[s]);
	}
	cr_assert_eq(vmmap_host_free(f->host), 0);
	free(f);
}

static void run_backend(unsigned int i)
{
	for (uint64_t salt = 0; salt < 4; salt++)
		run_family(vmmap_backend_name(i), salt, harness_longer(26000));
}

Test(twin, lindex_agrees)
{
	run_backend(0);
}

Test(twin, radix4_agrees)
{
	run_backend(1);
}

Test(twin, radix5_agrees)
{
	run_backend(2);
}

Test(twin, btree_agrees)
{
	run_backend(3);
}

Test(twin, ecpt_agrees)
{
	run_backend(4);
}
