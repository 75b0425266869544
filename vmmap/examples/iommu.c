/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An IOMMU: a device sees bus addresses (IOVA), a driver maps buffers for it and takes them away again. The device's accesses are
 * checked: a transfer to a buffer that is gone, or into one that it may only read, is refused and logged. A device
 * translation cache (ATS) is told what to forget before unmap returns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <vmmap.h>

#define READ  VMMAP_PROT_READ
#define WRITE VMMAP_PROT_WRITE

struct iommu {
	struct vmmap_host *host;
	struct vmmap_space *domain;
	vmmap_va_t next_iova;
	uint64_t refused, forgotten;
};

static void on_invalidate(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages)
{
	struct iommu *mmu = ctx;

	(void)space;
	(void)va;
	mmu->forgotten += pages; /* here an ATS invalidation would be sent, and waited for */
}

/* ---- What a driver calls --------------------------------------------------------------------------------- */

/* A buffer of scattered frames becomes one range of bus addresses. */
static vmmap_va_t iommu_map(struct iommu *mmu, const vmmap_pfn_t *frames, uint64_t pages,
			    uint32_t prot)
{
	vmmap_va_t iova = mmu->next_iova;

	if (vmmap_map_frames(mmu->domain, iova, pages, frames, READ | prot))
		return 0;
	mmu->next_iova += (pages + 1) *
			  VMMAP_PAGE_BYTES; /* a page between two buffers catches overruns */
	return iova;
}

static int iommu_unmap(struct iommu *mmu, vmmap_va_t iova, uint64_t pages)
{
	return vmmap_unmap(mmu->domain, iova, pages);
}

/* ---- What a device does ----------------------------------------------------------------------------------- */

/* A transfer, cut into what is contiguous in memory. Returns the number of pieces, or -EFAULT. */
static int transfer(struct iommu *mmu, vmmap_va_t iova, uint64_t bytes, bool write)
{
	vmmap_va_t end = iova + bytes;
	int pieces = 0;

	while (iova < end) {
		struct vmmap_extent e;
		struct vmmap_fault fault;

		if (vmmap_translate_range(mmu->domain, iova, write ? VMMAP_WRITE : 0, &e, &fault)) {
			mmu->refused++;
			printf("  refused: %s of %" PRIx64 ", code %x\n", write ? "write" : "read",
			       iova, fault.code);
			return -EFAULT;
		}
		iova = e.va + e.pages * VMMAP_PAGE_BYTES;
		pieces++;
	}
	return pieces;
}

static int failures;

static void expect(bool ok, const char *what)
{
	printf("  %-60s %s\n", what, ok ? "yes" : "NO");
	failures += !ok;
}

int main(void)
{
	struct iommu mmu = { .next_iova = 0x10000000 };
	const struct vmmap_space_config cfg = { .invalidate = on_invalidate, .ctx = &mmu };
	const vmmap_pfn_t ring[] = { 0x777, 0x778, 0x779, 0x77a };
	const vmmap_pfn_t data[] = { 0x9001, 0x1234, 0x1235, 0x40, 0x8888, 0x8889, 0x888a, 0x5 };
	uint64_t dirty[1];
	vmmap_va_t ring_iova, data_iova;

	if (vmmap_host_create(NULL, &mmu.host) || vmmap_space_create(mmu.host, &cfg, &mmu.domain))
		return EXIT_FAILURE;
	puts("a ring for reading, a buffer for writing:");
	ring_iova = iommu_map(&mmu, ring, 4, 0);
	data_iova = iommu_map(&mmu, data, 8, WRITE);
	expect(ring_iova && data_iova, "mapped");
	expect(transfer(&mmu, ring_iova, 4 * VMMAP_PAGE_BYTES, false) == 1,
	       "the ring is one piece");
	expect(transfer(&mmu, data_iova, 8 * VMMAP_PAGE_BYTES, true) == 5, "the buffer is five");
	expect(transfer(&mmu, ring_iova, 64, true) == -EFAULT, "no write to the ring");
	expect(transfer(&mmu, data_iova, 9 * VMMAP_PAGE_BYTES, true) == -EFAULT, "no overrun");
	/* Each piece marks the page that it was looked up with. */
	expect(vmmap_harvest(mmu.domain, data_iova, 8, VMMAP_DIRTY, NULL, dirty) == 5 &&
		       dirty[0] == 0x9b,
	       "dirty bits say where the device began to write");
	puts("the buffer goes back:");
	mmu.forgotten = 0;
	expect(iommu_unmap(&mmu, data_iova, 8) == 0, "unmapped");
	expect(mmu.forgotten >= 8, "the device was told before that returned");
	expect(transfer(&mmu, data_iova, 64, true) == -EFAULT, "a late write is refused");
	expect(mmu.refused == 3, "three transfers were refused");
	vmmap_space_free(mmu.domain);
	vmmap_host_free(mmu.host);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
