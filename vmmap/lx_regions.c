/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Regions of the learned page table: their ids, the layers they belong to, and the hints that lead readers to them.
 */
#include "lx.h"

#include <string.h>

/* ---- Hints, the part that regions need ------------------------------------------------------------- */

static _Atomic uint64_t *hint_at(struct lx_hints *h, vmmap_vpn_t window)
{
	return &h->at[window & h->mask];
}

static struct packed *hint_region(uint64_t e)
{
	return (struct packed *)(uintptr_t)(e >> 23 << 6);
}

/* Before it waits for readers: none may come to it any more. */
static void hints_forget(struct lx *t, const struct packed *p)
{
	struct lx_hints *h = atomic_load(&t->hints);

	for (vmmap_vpn_t w = p->first >> LX_HINT_SHIFT;
	     w <= (p->first + p->pages - 1) >> LX_HINT_SHIFT; w++)
		if (hint_region(atomic_load(hint_at(h, w))) == p)
			atomic_store_explicit(hint_at(h, w), 0, memory_order_release);
}

/* ---- Ids --------------------------------------------------------------------------------------------- */

static size_t ids_bytes(uint32_t room)
{
	return sizeof(struct lx_ids) + room * sizeof(struct packed *);
}

static int ids_grow(struct lx *t)
{
	struct lx_ids *old = atomic_load(&t->ids), *ids;
	uint32_t room = 2 * old->room;

	ids = vmmap_host_alloc(t->host, ids_bytes(room), 64);
	if (!ids)
		return -ENOMEM;
	ids->room = room;
	for (uint32_t i = 0; i < old->room; i++)
		atomic_init(&ids->at[i], atomic_load(&old->at[i]));
	atomic_store_explicit(&t->ids, ids, memory_order_release);
	vmmap_host_retire(t->host, old, ids_bytes(old->room));
	return 0;
}

/* Regions are few: a free id is looked for. */
static int id_take(struct lx *t, struct packed *p)
{
	struct lx_ids *ids = atomic_load(&t->ids);
	uint32_t i;

	for (i = 0; i < ids->room && atomic_load(&ids->at[i]); i++)
		;
	if (i == ids->room) {
		if (ids_grow(t))
			return -ENOMEM;
		ids = atomic_load(&t->ids);
	}
	p->id = i;
	atomic_store_explicit(&ids->at[i], p, memory_order_release);
	return 0;
}

/* Readers are gone: one layer less has it. */
static void region_put(void *owner, void *ptr, size_t bytes)
{
	struct packed *p = ptr;
	struct lx *t = owner;

	(void)bytes;
	if (!--p->layers)
		vmmap_packed_free(t->host, p);
}

/* The same of a region that no other layer has: its id may be another's. */
static void region_release(void *owner, void *ptr, size_t bytes)
{
	struct lx_ids *ids = atomic_load(&((struct lx *)owner)->ids);
	struct packed *p = ptr;

	atomic_store(&ids->at[p->id], NULL);
	region_put(owner, p, bytes);
}

void vmmap_lx_ids_keep(struct lx *t, const struct lx_layer *layer)
{
	struct lx_ids *ids = atomic_load(&t->ids);

	for (uint32_t i = 0; i < ids->room; i++) {
		const struct packed *p = atomic_load(&ids->at[i]);
		uint32_t j;

		for (j = 0; p && j < layer->n && layer->regions[j] != p; j++)
			;
		if (p && j == layer->n)
			atomic_store(&ids->at[i], NULL);
	}
}

/* ---- Layers ------------------------------------------------------------------------------------------ */

static int layer_add(struct lx *t, struct lx_layer *layer, struct packed *p)
{
	uint32_t room = layer->room ? 2 * layer->room : 8;
	struct packed **regions;

	if (layer->n == layer->room) {
		regions = vmmap_host_alloc(t->host, room * sizeof(*regions), 64);
		if (!regions)
			return -ENOMEM;
		if (layer->n)
			memcpy(regions, layer->regions, layer->n * sizeof(*regions));
		vmmap_host_free_now(t->host, layer->regions, layer->room * sizeof(*regions));
		layer->regions = regions;
		layer->room = room;
	}
	layer->regions[layer->n++] = p;
	return 0;
}

struct packed *vmmap_lx_region_new(struct lx *t, struct packed_shape shape, vmmap_vpn_t first,
				   uint32_t slots)
{
	struct lx_layer *own = lx_view(t)->own;
	struct packed *p = vmmap_packed_new(t->host, shape, first, slots);

	if (!p)
		return NULL;
	if (id_take(t, p)) {
		vmmap_packed_free(t->host, p);
		return NULL;
	}
	p->layers = 1;
	if (layer_add(t, own, p)) {
		region_release(t, p, 0);
		return NULL;
	}
	p->home = own;
	p->owner = t->serial;
	p->addr = t->next_addr;
	t->next_addr += (uint64_t)p->nlines * PACKED_LINE_BYTES;
	return p;
}

void vmmap_lx_region_drop(struct lx *t, struct packed *p)
{
	struct lx_layer *own = lx_view(t)->own;

	for (uint32_t i = own->n; i-- > 0;) {
		if (own->regions[i] != p)
			continue;
		own->regions[i] = own->regions[--own->n];
		break;
	}
	if (t->job.to == p)
		t->job.to = NULL;
	hints_forget(t, p);
	vmmap_host_defer(t->host, region_release, t, p,
			 (size_t)p->nlines * PACKED_LINE_BYTES + sizeof(*p));
}

void vmmap_lx_drop_empty(struct lx *t)
{
	while (t->empty) {
		struct packed *p = t->empty;

		t->empty = p->next_empty;
		p->listed = false;
		if (!p->covered)
			vmmap_lx_region_drop(t, p);
	}
}

void vmmap_lx_layer_put(struct lx *t, struct lx_layer *layer)
{
	if (!layer || --layer->refs)
		return;
	for (uint32_t i = 0; i < layer->n; i++) {
		hints_forget(t, layer->regions[i]);
		vmmap_host_defer(t->host, region_put, t, layer->regions[i],
				 (size_t)layer->regions[i]->nlines * PACKED_LINE_BYTES);
	}
	lindex_free(layer->ix);
	vmmap_host_free_now(t->host, layer->regions, layer->room * sizeof(*layer->regions));
	vmmap_host_retire(t->host, layer, sizeof(*layer));
}

/* ---- Hints ----------------------------------------------------------------------------------------------- */

static size_t hints_bytes(uint64_t n)
{
	return sizeof(struct lx_hints) + n * sizeof(uint64_t);
}

/* Without memory there are no hints: they are a short cut. */
static void hints_grow(struct lx *t, uint64_t windows)
{
	struct lx_hints *old = atomic_load(&t->hints), *h;
	uint64_t n = LX_HINTS_MIN, had = old->mask + 1;

	while (n < windows && n < 65536)
		n *= 2;
	if (n <= had)
		return;
	h = vmmap_host_alloc(t->host, hints_bytes(n), 64);
	if (!h)
		return;
	h->mask = n - 1;
	atomic_store_explicit(&t->hints, h, memory_order_release);
	if (old != lx_no_hints(t))
		vmmap_host_retire(t->host, old, hints_bytes(had));
	if (lx_view(t)->base)
		vmmap_lx_hints_fill(t, lx_view(t)->base);
	vmmap_lx_hints_fill(t, lx_view(t)->own);
}

/* The hint of a window for the part that is in @p's range; 0 if there cannot be one. */
static uint64_t hint_for(struct lx *t, struct packed *p, vmmap_vpn_t window)
{
	vmmap_vpn_t lo = window << LX_HINT_SHIFT, hi = lo + (1u << LX_HINT_SHIFT) - 1;
	vmmap_vpn_t end = p->first + p->pages - 1;
	struct lx_spot spot;

	lo = lo < p->first ? p->first : lo;
	hi = hi > end ? end : hi;
	vmmap_lx_find(t, lo, &spot);
	if (spot.region != p || spot.last < hi)
		return 0;
	return (uint64_t)(uintptr_t)p >> 6 << 23 | (p->owner == t->serial ? 0 : LX_HINT_FOREIGN) |
	       (spot.tag & LX_TAG_PROT) |
	       (spot.own || spot.tag & VMMAP_PROT_SHARED ? 0 : VMMAP_PROT_COW);
}

void vmmap_lx_hints_refresh(struct lx *t, vmmap_vpn_t vpn, uint64_t pages)
{
	struct lx_hints *h = atomic_load(&t->hints);
	vmmap_vpn_t first = vpn >> LX_HINT_SHIFT, last = (vpn + pages - 1) >> LX_HINT_SHIFT;

	if (h == lx_no_hints(t))
		return;
	if (last - first > h->mask) { /* the whole table, once */
		last = first + h->mask;
		vmmap_lx_hints_clear(t);
		if (lx_view(t)->base)
			vmmap_lx_hints_fill(t, lx_view(t)->base);
		vmmap_lx_hints_fill(t, lx_view(t)->own);
		return;
	}
	for (vmmap_vpn_t window = first; window <= last; window++) {
		uint64_t e = atomic_load(hint_at(h, window));
		struct packed *p = hint_region(e);

		/* What is named already, checked again; a hint that was lost comes back with the next region. */
		if (e && p->first <= (window << LX_HINT_SHIFT) + (1u << LX_HINT_SHIFT) - 1 &&
		    p->first + p->pages > window << LX_HINT_SHIFT)
			atomic_store_explicit(hint_at(h, window), hint_for(t, p, window),
					      memory_order_release);
	}
}

void vmmap_lx_hints_clear(struct lx *t)
{
	struct lx_hints *h = atomic_load(&t->hints);

	for (uint64_t i = 0; h != lx_no_hints(t) && i <= h->mask; i++)
		atomic_store_explicit(&h->at[i], 0, memory_order_release);
}

void vmmap_lx_hints_of(struct lx *t, struct packed *p)
{
	struct lx_hints *h;

	if (p->pages < 64)
		return;
	if (p->pages >= 1024)
		hints_grow(t, 2 * (uint64_t)(p->pages >> LX_HINT_SHIFT));
	h = atomic_load(&t->hints);
	/* Two windows of one region never meet: a hint does not say which it is for. */
	if (h == lx_no_hints(t) || p->pages >> LX_HINT_SHIFT >= h->mask)
		return;
	for (vmmap_vpn_t w = p->first >> LX_HINT_SHIFT;
	     w <= (p->first + p->pages - 1) >> LX_HINT_SHIFT; w++)
		atomic_store_explicit(hint_at(h, w), hint_for(t, p, w), memory_order_release);
}

void vmmap_lx_hints_fill(struct lx *t, const struct lx_layer *layer)
{
	uint64_t windows = 0;

	for (uint32_t i = 0; i < layer->n; i++)
		windows += (layer->regions[i]->pages >> LX_HINT_SHIFT) + 1;
	if (windows > atomic_load(&t->hints)->mask + 1 && layer->n > 0 && windows > 8)
		hints_grow(t, 2 * windows);
	for (uint32_t i = 0; i < layer->n; i++)
		vmmap_lx_hints_of(t, layer->regions[i]);
}
