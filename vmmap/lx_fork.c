/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Making, freeing and forking learned page tables.
 *
 *     before        after the first fork       after a second fork of the parent
 *
 *     own           own    own                 own    own    own
 *                     \    /                     \    /      |
 *                      base                     merged     base
 *
 * The first fork freezes the own layer: it becomes the base of both, who begin with an empty directory each. A space that has a base
 * already merges the two into a new directory (runs, not pages: regions are shared as they are).
 */
#include "lx.h"

#include <stdlib.h>
#include <string.h>

#define IDS_ROOM 4u

/* ---- Life cycle -------------------------------------------------------------------------------------------------- */

static struct lx_layer *layer_new(struct lx *t, uint32_t refs)
{
	/* Large leaves: half as many models lead to them. */
	static const struct lindex_config directory = { .node_bytes = 1024 };
	struct lx_layer *layer = vmmap_host_alloc(t->host, sizeof(*layer), 64);

	if (!layer)
		return NULL;
	layer->refs = refs;
	if (lindex_create(t->pool, &directory, &layer->ix)) {
		vmmap_host_free_now(t->host, layer, sizeof(*layer));
		return NULL;
	}
	return layer;
}

static size_t ids_bytes(uint32_t room)
{
	return sizeof(struct lx_ids) + room * sizeof(struct packed *);
}

static size_t hints_bytes(const struct lx_hints *h)
{
	return sizeof(*h) + (h->mask + 1) * sizeof(uint64_t);
}

void vmmap_lx_free(void *table)
{
	struct lx *t = table;
	struct lx_view *view = lx_view(t);
	struct lx_ids *ids = atomic_load(&t->ids);
	struct lx_hints *h = atomic_load(&t->hints);

	if (view) {
		vmmap_lx_layer_put(t, view->own);
		vmmap_lx_layer_put(t, view->base);
	}
	vmmap_host_drain(t->host); /* what waits knows this table */
	vmmap_ad_destroy(&t->ad);
	vmmap_host_free_now(t->host, view, sizeof(*view));
	if (ids)
		vmmap_host_free_now(t->host, ids, ids_bytes(ids->room));
	if (h != lx_no_hints(t))
		vmmap_host_free_now(t->host, h, hints_bytes(h));
	vmmap_host_free_now(t->host, t, sizeof(*t));
}

/* A table with everything but layers. */
static struct lx *table_new(struct vmmap_host *host, unsigned int va_bits, uint32_t ids_room)
{
	struct lx *t = vmmap_host_alloc(host, sizeof(*t), 64);
	struct lx_ids *ids;

	if (!t)
		return NULL;
	t->host = host;
	t->pool = vmmap_host_pool(host);
	t->serial = vmmap_host_serial(host);
	t->vpn_end = UINT64_C(1) << (va_bits - VMMAP_PAGE_SHIFT);
	t->pfn_lo = UINT64_MAX;
	atomic_init(&t->hints, lx_no_hints(t));
	vmmap_ad_init(&t->ad, host, va_bits);
	ids = vmmap_host_alloc(host, ids_bytes(ids_room), 64);
	if (ids)
		ids->room = ids_room;
	atomic_init(&t->ids, ids);
	if (!t->pool || !ids) {
		vmmap_lx_free(t);
		return NULL;
	}
	return t;
}

static struct lx_view *view_new(struct lx *t, struct lx_layer *base)
{
	struct lx_view *view = vmmap_host_alloc(t->host, sizeof(*view), 64);

	if (!view)
		return NULL;
	view->own = layer_new(t, 1);
	view->base = base;
	if (!view->own) {
		vmmap_host_free_now(t->host, view, sizeof(*view));
		return NULL;
	}
	return view;
}

int vmmap_lx_create(const struct vmmap_env *env, void **out)
{
	struct lx *t = table_new(env->host, env->va_bits, IDS_ROOM);
	struct lx_view *view = t ? view_new(t, NULL) : NULL;

	if (!view) {
		if (t)
			vmmap_lx_free(t);
		return -ENOMEM;
	}
	atomic_store_explicit(&t->view, view, memory_order_release);
	*out = t;
	return 0;
}

/* ---- Fork ---------------------------------------------------------------------------------------------------------- */

/* Runs of own and base as one: what a second fork freezes. */
struct flat {
	struct lx *t;
	struct lx_plan plan;
};

static int flat_add(struct flat *f, vmmap_vpn_t first, vmmap_vpn_t last, uint64_t value,
		    uint16_t tag)
{
	return vmmap_lx_plan_run(f->t, &f->plan, first, last, value, tag);
}

static int flat_below(struct flat *f, vmmap_vpn_t first, vmmap_vpn_t last)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	int err = 0;

	lindex_cursor_init(&cur, lx_view(f->t)->base->ix, first);
	while (!err && !lindex_cursor_next(&cur, &run) && run.first <= last) {
		vmmap_vpn_t from = run.first > first ? run.first : first;

		err = flat_add(f, from, run.last < last ? run.last : last, lindex_value(&run, from),
			       run.tag);
	}
	return err;
}

/* A packed run of the own layer: where a region says nothing, the base does. */
static int flat_packed(struct flat *f, const struct lindex_run *run, uint16_t tag)
{
	const struct packed *p = lx_region(f->t, run->value);
	vmmap_vpn_t at = run->first, to;
	int err = 0;

	for (; at <= run->last && !err; at = to + 1) {
		bool below;

		to = vmmap_lx_stretch_end(f->t, run, at, run->last, &below);
		err = below ? flat_below(f, at, to) :
			      flat_add(f, at, to, lx_packed_value(p, at), tag);
	}
	return err;
}

static int flatten(struct flat *f)
{
	struct lx_view *view = lx_view(f->t);
	vmmap_vpn_t at = 0;
	int err = 0;

	while (at < f->t->vpn_end && !err) {
		struct lindex_run run;
		bool own = !lindex_lookup(view->own->ix, at, &run);
		/* L3 says it of all but SHARED ones. */
		uint16_t tag = run.tag & VMMAP_PROT_SHARED ? run.tag :
							     run.tag & (uint16_t)~VMMAP_PROT_COW;

		if (run.last >= f->t->vpn_end)
			run.last = f->t->vpn_end - 1;
		if (!own)
			err = flat_below(f, at, run.last);
		else if (run.tag & LX_TAG_PACKED)
			err = flat_packed(f, &run, tag);
		else if (!(run.tag & LX_TAG_UNMAPPED))
			err = flat_add(f, run.first, run.last, run.value, tag);
		at = run.last + 1;
	}
	return err;
}

static int by_region(const void *a, const void *b)
{
	const struct packed *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The regions that the runs of a layer lead to, each once. */
static int layer_collect(struct lx *t, struct lx_layer *layer, const struct lx_plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		n += !!(plan->runs[i].tag & LX_TAG_PACKED);
	if (!n)
		return 0;
	layer->regions = vmmap_host_alloc(t->host, n * sizeof(*layer->regions), 64);
	if (!layer->regions)
		return -ENOMEM;
	layer->room = (uint32_t)n;
	n = 0;
	for (size_t i = 0; i < plan->n; i++)
		if (plan->runs[i].tag & LX_TAG_PACKED)
			layer->regions[n++] = lx_region(t, plan->runs[i].value);
	qsort(layer->regions, n, sizeof(*layer->regions), by_region);
	for (size_t i = 0; i < n; i++)
		if (!i || layer->regions[i] != layer->regions[i - 1])
			layer->regions[layer->n++] = layer->regions[i];
	for (uint32_t i = 0; i < layer->n; i++)
		layer->regions[i]->layers++;
	return 0;
}

/* A layer that says what own and base say together. */
static struct lx_layer *merged_layer(struct lx *t)
{
	struct flat f = { .t = t };
	struct lx_layer *layer = layer_new(t, 0);
	int err = layer ? flatten(&f) : -ENOMEM;

	err = err ? err : lindex_build(layer->ix, f.plan.runs, f.plan.n, NULL);
	err = err ? err : layer_collect(t, layer, &f.plan);
	vmmap_host_free_now(t->host, f.plan.runs, f.plan.room * sizeof(*f.plan.runs));
	if (!err)
		return layer;
	if (layer) {
		layer->refs = 1;
		vmmap_lx_layer_put(t, layer);
	}
	return NULL;
}

/* The child's regions have the parent's ids. */
static struct lx *child_of(const struct lx *t)
{
	struct lx_ids *ids = atomic_load(&((struct lx *)t)->ids), *copy;
	unsigned int va_bits = 63u - (unsigned int)__builtin_clzll(t->vpn_end) + VMMAP_PAGE_SHIFT;
	struct lx *child = table_new(t->host, va_bits, ids->room);

	if (!child)
		return NULL;
	copy = atomic_load(&child->ids);
	for (uint32_t i = 0; i < ids->room; i++)
		atomic_init(&copy->at[i], atomic_load(&ids->at[i]));
	child->pfn_lo = t->pfn_lo;
	child->pfn_hi = t->pfn_hi;
	child->next_addr = t->next_addr;
	return child;
}

static void view_publish(struct lx *t, struct lx_view *view)
{
	struct lx_view *old = lx_view(t);

	atomic_store_explicit(&t->view, view, memory_order_release);
	vmmap_lx_hints_clear(t);
	vmmap_lx_hints_fill(t, view->base);
	vmmap_host_retire(t->host, old, sizeof(*old));
}

int vmmap_lx_fork(void *table, void **out)
{
	struct lx *t = table, *child;
	struct lx_view *was, *mine = NULL, *its = NULL;
	struct lx_layer *base, *old_base, *old_own;

	vmmap_lx_job_end(t);
	vmmap_host_drain(t->host); /* ids that are not in use are free in the copy, too */
	was = lx_view(t);
	old_base = was->base;
	child = child_of(t);
	base = old_base ? merged_layer(t) : was->own;
	if (child && base) {
		mine = view_new(t, base);
		its = view_new(child, base);
	}
	if (!mine || !its) {
		for (unsigned int i = 0; i < 2; i++) {
			struct lx_view *view = i ? its : mine;

			if (view) {
				vmmap_lx_layer_put(t, view->own);
				vmmap_host_free_now(t->host, view, sizeof(*view));
			}
		}
		if (base && old_base) {
			base->refs = 1;
			vmmap_lx_layer_put(t, base);
		}
		if (child)
			vmmap_lx_free(child);
		return -ENOMEM;
	}
	base->refs = 2;
	for (uint32_t i = 0; i < base->n; i++)
		base->regions[i]->home = NULL; /* L2: from here they never change */
	old_own = was->own;
	atomic_store_explicit(&child->view, its, memory_order_release);
	vmmap_lx_ids_keep(child, base);
	vmmap_lx_hints_fill(child, base);
	view_publish(t, mine);
	if (old_base) {
		vmmap_host_drain(t->host); /* nobody is in the old directories any more */
		vmmap_lx_layer_put(t, old_own);
		vmmap_lx_layer_put(t, old_base);
		vmmap_lx_ids_keep(t, base);
	}
	*out = child;
	return 0;
}
