/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Frame reference counts: how many pages, over all spaces of a host, map a frame. Three levels of tables, made when first
 * needed. The mutator's alone: no translation looks here.
 */
#include <string.h>

#include "host.h"

static uint32_t *leaf_of(const struct vmmap_refs *refs, vmmap_pfn_t pfn)
{
	uint64_t hi = pfn >> (2 * REFS_BITS);

	if (hi >= refs->top_n || !refs->top[hi])
		return NULL;
	return refs->top[hi][(pfn >> REFS_BITS) % REFS_FAN];
}

static void *refs_alloc(struct vmmap_host *host, size_t bytes)
{
	void *ptr = vmmap_host_alloc(host, bytes, 64);

	if (ptr)
		host->refs.bytes += bytes;
	return ptr;
}

static int top_reserve(struct vmmap_host *host, uint64_t n)
{
	struct vmmap_refs *refs = &host->refs;
	uint64_t want = n > 2 * refs->top_n ? n : 2 * refs->top_n;
	uint32_t ***top;

	if (n <= refs->top_n)
		return 0;
	top = refs_alloc(host, want * sizeof(*top));
	if (!top)
		return -ENOMEM;
	if (refs->top_n)
		memcpy(top, refs->top, refs->top_n * sizeof(*top));
	vmmap_host_free_now(host, refs->top, refs->top_n * sizeof(*top));
	refs->bytes -= refs->top_n * sizeof(*top);
	refs->top = top;
	refs->top_n = want;
	return 0;
}

int vmmap_refs_reserve(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n)
{
	struct vmmap_refs *refs = &host->refs;

	if (host->flags & VMMAP_HOST_NO_REFS)
		return 0;
	for (uint64_t at = pfn >> REFS_BITS; at <= (pfn + n - 1) >> REFS_BITS; at++) {
		uint64_t hi = at >> REFS_BITS;

		if (top_reserve(host, hi + 1))
			return -ENOMEM;
		if (!refs->top[hi])
			refs->top[hi] = refs_alloc(host, REFS_FAN * sizeof(**refs->top));
		if (!refs->top[hi])
			return -ENOMEM;
		if (!refs->top[hi][at % REFS_FAN])
			refs->top[hi][at % REFS_FAN] = refs_alloc(host,
								  REFS_FAN * sizeof(***refs->top));
		if (!refs->top[hi][at % REFS_FAN])
			return -ENOMEM;
	}
	return 0;
}

static void refs_change(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n, uint32_t by)
{
	if (host->flags & VMMAP_HOST_NO_REFS)
		return;
	while (n) {
		uint32_t *leaf = leaf_of(&host->refs, pfn);
		uint64_t here = REFS_FAN - pfn % REFS_FAN;

		here = here < n ? here : n;
		for (uint64_t i = 0; i < here; i++)
			leaf[pfn % REFS_FAN + i] += by;
		pfn += here;
		n -= here;
	}
}

void vmmap_refs_add(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n)
{
	refs_change(host, pfn, n, 1);
}

void vmmap_refs_sub(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n)
{
	refs_change(host, pfn, n, UINT32_MAX);
}

uint32_t vmmap_frame_refs(const struct vmmap_host *host, vmmap_pfn_t pfn)
{
	const uint32_t *leaf = leaf_of(&host->refs, pfn);

	return leaf ? leaf[pfn % REFS_FAN] : 0;
}

void vmmap_refs_destroy(struct vmmap_host *host)
{
	struct vmmap_refs *refs = &host->refs;

	for (uint64_t i = 0; i < refs->top_n; i++) {
		if (!refs->top[i])
			continue;
		for (uint32_t j = 0; j < REFS_FAN; j++)
			vmmap_host_free_now(host, refs->top[i][j], REFS_FAN * sizeof(***refs->top));
		vmmap_host_free_now(host, refs->top[i], REFS_FAN * sizeof(**refs->top));
	}
	vmmap_host_free_now(host, refs->top, refs->top_n * sizeof(*refs->top));
	memset(refs, 0, sizeof(*refs));
}
