/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "env.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "slab.h"

#define SLAB_BYTES ((size_t)1 << 18)

/**
 * struct kmem_cache - Objects of one size, which stay its own: the next map has them again.
 * @free: List of objects, linked through their first word.
 */
struct kmem_cache {
	size_t size, align;
	void *free;
	void (*ctor)(void *object);
};

static struct rcu_head *waiting;
uint64_t *slab_account;

static void *need(void *ptr)
{
	if (!ptr) {
		fprintf(stderr, "kernel peers: no memory\n");
		abort();
	}
	return ptr;
}

/* ---- Slabs --------------------------------------------------------------------------------- */

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned int flags, void (*ctor)(void *))
{
	struct kmem_cache *cache = need(calloc(1, sizeof(*cache)));

	(void)name;
	(void)flags;
	cache->align = align > 64 ? align : 64;
	cache->size = (size + cache->align - 1) & ~(cache->align - 1);
	cache->ctor = ctor;
	return cache;
}

static void refill(struct kmem_cache *cache)
{
	char *slab = need(aligned_alloc(cache->align, SLAB_BYTES));

	for (size_t at = 0; at + cache->size <= SLAB_BYTES; at += cache->size) {
		*(void **)(slab + at) = cache->free;
		cache->free = slab + at;
	}
}

void *kmem_cache_alloc_lru(struct kmem_cache *cache, struct list_lru *lru, int flags)
{
	void *object;

	(void)lru;
	if (!cache->free)
		refill(cache);
	object = cache->free;
	cache->free = *(void **)object;
	*slab_account += cache->size;
	if (flags & __GFP_ZERO)
		memset(object, 0, cache->size);
	if (cache->ctor)
		cache->ctor(object);
	return object;
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	*(void **)object = cache->free;
	cache->free = object;
	*slab_account -= cache->size;
}

int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t n, void **list)
{
	for (size_t i = 0; i < n; i++)
		list[i] = kmem_cache_alloc_lru(cache, NULL, (int)flags);
	return (int)n;
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **list)
{
	for (size_t i = 0; i < n; i++)
		kmem_cache_free(cache, list[i]);
}

/* ---- RCU ----------------------------------------------------------------------------------- */

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->func = func;
	head->next = waiting;
	waiting = head;
}

void rcu_drain(void)
{
	while (waiting) {
		struct rcu_head *head = waiting;

		waiting = head->next;
		head->func(head);
	}
}
