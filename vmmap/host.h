/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What spaces of one host share: memory under a cap, what waits for readers, frame reference counts. Private to vmmap.
 */
#ifndef VMMAP_HOST_H
#define VMMAP_HOST_H

#include <stdatomic.h>

#include "backend.h"

#define HOST_WAITING_MAX 256u

/* What is freed when readers are gone. @fn NULL: to the allocator. */
struct vmmap_waiting {
	void (*fn)(void *owner, void *ptr, size_t bytes);
	void *owner, *ptr;
	size_t bytes;
};

/* Counts of 1,024 frames; 1,024 such; and as many of those as the highest frame needs. */
#define REFS_BITS 10u
#define REFS_FAN  (1u << REFS_BITS)

struct vmmap_refs {
	uint32_t ***top;
	uint64_t top_n; /* entries of top */
	uint64_t bytes;
};

struct vmmap_host {
	struct lindex_allocator allocator, counted; /* the caller's; the same under the cap */
	uint64_t cap_bytes;
	uint32_t flags, spaces;
	uint64_t serials; /* tables numbered so far: vmmap_host_serial() */
	_Atomic uint64_t used;

	/* The mutator's. */
	struct lindex_pool *pool;
	struct vmmap_refs refs;
	uint32_t waiting_n;
	uint64_t waiting_bytes;
	struct vmmap_waiting waiting[HOST_WAITING_MAX];
};

/* ---- Frame reference counts: refs.c --------------------------------------------------------- */

/** vmmap_refs_reserve() - Make room for counts of [@pfn, @pfn + @n). Return: 0, -ENOMEM. */
int vmmap_refs_reserve(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n);

/** vmmap_refs_add(), vmmap_refs_sub() - One more, or less, for each frame. Room must be there. */
void vmmap_refs_add(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n);
void vmmap_refs_sub(struct vmmap_host *host, vmmap_pfn_t pfn, uint64_t n);

void vmmap_refs_destroy(struct vmmap_host *host);

#endif
