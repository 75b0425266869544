/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Hosts: memory under one cap, and what waits for readers before it is freed.
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef LINDEX_RCU
#define RCU_MEMBARRIER
#include <urcu.h>
#endif

#define HUGE_BYTES        (UINT64_C(2) << 20)
#define WAITING_BYTES_MAX (UINT64_C(4) << 20)

static void *libc_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	void *ptr;

	(void)ctx;
	(void)flags;
	if (align < sizeof(void *))
		align = sizeof(void *);
	return posix_memalign(&ptr, align, bytes) ? NULL : ptr;
}

static void libc_free(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	(void)bytes;
	free(ptr);
}

/* Counted first, so that threads that allocate at once cannot pass the cap together. */
static void *counted_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	struct vmmap_host *host = ctx;
	uint64_t before = atomic_fetch_add(&host->used, bytes);
	void *ptr = NULL;

	if (!host->cap_bytes || before + bytes <= host->cap_bytes)
		ptr = host->allocator.alloc(host->allocator.ctx, bytes, align, flags);
	if (!ptr)
		atomic_fetch_sub(&host->used, bytes);
	return ptr;
}

static void counted_free(void *ctx, void *ptr, size_t bytes)
{
	struct vmmap_host *host = ctx;

	host->allocator.free(host->allocator.ctx, ptr, bytes);
	atomic_fetch_sub(&host->used, bytes);
}

void *vmmap_host_alloc(struct vmmap_host *host, size_t bytes, size_t align)
{
	bool huge = (host->flags & VMMAP_HOST_HUGE) && bytes >= HUGE_BYTES / 2;
	void *ptr = counted_alloc(host, bytes, huge ? HUGE_BYTES : align, 0);

	if (!ptr)
		return NULL;
	if (huge)
		madvise(ptr, bytes & ~(HUGE_BYTES - 1), MADV_HUGEPAGE); /* a wish */
	return memset(ptr, 0, bytes);
}

void vmmap_host_free_now(struct vmmap_host *host, void *ptr, size_t bytes)
{
	if (ptr)
		counted_free(host, ptr, bytes);
}

/* ---- What waits for readers -------------------------------------------------------------------- */

static void finish(struct vmmap_host *host, const struct vmmap_waiting *w)
{
	if (w->fn)
		w->fn(w->owner, w->ptr, w->bytes);
	else
		counted_free(host, w->ptr, w->bytes);
}

void vmmap_host_drain(struct vmmap_host *host)
{
	if (!host->waiting_n)
		return;
#ifdef LINDEX_RCU
	synchronize_rcu();
#endif
	for (uint32_t i = 0; i < host->waiting_n; i++)
		finish(host, &host->waiting[i]);
	host->waiting_n = 0;
	host->waiting_bytes = 0;
}

void vmmap_host_defer(struct vmmap_host *host, void (*fn)(void *owner, void *ptr, size_t bytes),
		      void *owner, void *ptr, size_t bytes)
{
	struct vmmap_waiting w = { fn, owner, ptr, bytes };

#ifndef LINDEX_RCU
	finish(host, &w); /* readers and the mutator exclude each other */
	return;
#endif
	host->waiting[host->waiting_n++] = w;
	host->waiting_bytes += bytes;
	if (host->waiting_n == HOST_WAITING_MAX || host->waiting_bytes > WAITING_BYTES_MAX)
		vmmap_host_drain(host);
}

void vmmap_host_retire(struct vmmap_host *host, void *ptr, size_t bytes)
{
	if (ptr)
		vmmap_host_defer(host, NULL, NULL, ptr, bytes);
}

uint64_t vmmap_host_serial(struct vmmap_host *host)
{
	return ++host->serials;
}

/* ---- Life cycle --------------------------------------------------------------------------------- */

struct lindex_pool *vmmap_host_pool(struct vmmap_host *host)
{
	struct lindex_pool_config cfg = { .allocator = &host->counted };

	if (host->flags & VMMAP_HOST_HUGE)
		cfg.flags |= LINDEX_POOL_HUGE;
	if (!host->pool && lindex_pool_create(&cfg, &host->pool))
		host->pool = NULL;
	return host->pool;
}

int vmmap_host_create(const struct vmmap_host_config *cfg, struct vmmap_host **out)
{
	static const struct lindex_allocator libc_allocator = { libc_alloc, libc_free, NULL };
	static const struct vmmap_host_config defaults;
	struct lindex_allocator allocator;
	struct vmmap_host *host;

	cfg = cfg ? cfg : &defaults;
	if (cfg->flags & ~(VMMAP_HOST_HUGE | VMMAP_HOST_NO_REFS))
		return -EINVAL;
	allocator = cfg->allocator ? *cfg->allocator : libc_allocator;
	if (cfg->cap_bytes && cfg->cap_bytes < sizeof(*host))
		return -ENOMEM;
	host = allocator.alloc(allocator.ctx, sizeof(*host), 64, 0);
	if (!host)
		return -ENOMEM;
	memset(host, 0, sizeof(*host));
	host->allocator = allocator;
	host->counted = (struct lindex_allocator){ counted_alloc, counted_free, host };
	host->cap_bytes = cfg->cap_bytes;
	host->flags = cfg->flags;
	atomic_init(&host->used, sizeof(*host));
	*out = host;
	return 0;
}

int vmmap_host_free(struct vmmap_host *host)
{
	struct lindex_allocator allocator;

	if (!host)
		return 0;
	if (host->spaces)
		return -EBUSY;
	vmmap_host_drain(host);
	if (host->pool)
		lindex_pool_free(host->pool);
	vmmap_refs_destroy(host);
	allocator = host->allocator;
	allocator.free(allocator.ctx, host, sizeof(*host));
	return 0;
}

uint64_t vmmap_host_bytes(const struct vmmap_host *host)
{
	return atomic_load(&host->used);
}

int vmmap_host_reclaim(struct vmmap_host *host)
{
	vmmap_host_drain(host);
	return host->pool ? lindex_pool_reclaim(host->pool) : 0;
}
