/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * New permissions for a range of the learned page table. Permissions are tags of runs, so each run of the range is stored anew, frames
 * untouched. Several stores are one change: if one fails, those before it are undone, for which a reserve is held back.
 */
#include "lx.h"

/* What one store of a protect changes: pages of one run, of the own directory or of the base, and what the own one had there. */
struct change {
	vmmap_vpn_t first, last;
	uint64_t value, own_value;
	uint16_t tag, own_tag; /* own_tag 0: a hole */
	bool below;            /* the pages are the base's */
};

/* Pages from @at on, to @last at most, that the own directory leaves to the base, or that it does not: returns the last. */
vmmap_vpn_t vmmap_lx_stretch_end(const struct lx *t, const struct lindex_run *own, vmmap_vpn_t at,
				 vmmap_vpn_t last, bool *below)
{
	const struct packed *p;

	last = own->last < last ? own->last : last;
	*below = lx_view(t)->base && !own->mapped;
	if (!own->mapped || !(own->tag & LX_TAG_PACKED) || !lx_view(t)->base)
		return last;
	p = lx_region(t, own->value);
	for (vmmap_vpn_t i = at; i <= last; i++) {
		bool is = packed_get(p, i) == PACKED_NOTHING;

		if (i == at)
			*below = is;
		else if (is != *below)
			return i - 1;
	}
	return last;
}

/* The next change that a protect of [@at, @last] needs; false: none. */
static bool next_change(const struct lx *t, vmmap_vpn_t at, vmmap_vpn_t last, uint8_t prot,
			struct change *c)
{
	while (at <= last) {
		const struct lx_view *view = lx_view(t);
		struct lindex_run own, run;
		bool below;
		vmmap_vpn_t to;
		uint8_t has;

		lindex_lookup(view->own->ix, at, &own);
		to = vmmap_lx_stretch_end(t, &own, at, last, &below);
		run = own;
		if (below) {
			lindex_lookup(view->base->ix, at, &run);
			to = run.last < to ? run.last : to;
		}
		has = run.tag & LX_TAG_PROT;
		has = below ? has : has & (uint8_t)~VMMAP_PROT_COW;
		if (run.mapped && !(run.tag & LX_TAG_UNMAPPED) && has != prot) {
			*c = (struct change){ .first = at,
					      .last = to,
					      .value = lindex_value(&run, at),
					      .tag = run.tag,
					      .below = below };
			if (own.mapped) {
				c->own_value = lindex_value(&own, at);
				c->own_tag = own.tag;
			}
			return true;
		}
		if (to >= last)
			return false;
		at = to + 1;
	}
	return false;
}

static uint16_t changed_tag(const struct change *c, uint8_t prot)
{
	bool cow = c->tag & VMMAP_PROT_COW || (c->below && !(c->tag & VMMAP_PROT_SHARED));

	return (uint16_t)((c->tag & ~LX_TAG_PROT) | prot | (cow ? VMMAP_PROT_COW : 0));
}

/* Slots of a region at home here that the base's run comes to lie over lead nowhere any more (L6). */
static bool leaves_region(const struct change *c)
{
	return c->below && c->own_tag & LX_TAG_PACKED;
}

static void undo_changes(struct lx *t, const struct change *done, size_t n)
{
	struct lindex *ix = lx_view(t)->own->ix;

	while (n-- > 0) {
		const struct change *c = &done[n];

		/* What forward steps replaced comes back first. */
		if (lindex_reserve(ix, 1))
			lindex_pool_reclaim(t->pool);
		if (c->own_tag)
			vmmap_lx_store(t, c->first, c->last, c->own_value, c->own_tag);
		else
			lindex_remove(ix, c->first, c->last);
		if (leaves_region(c))
			vmmap_lx_cover(t, c->first, c->last);
	}
}

static int protect_runs(struct lx *t, struct change *changes, size_t n, uint8_t prot)
{
	struct lindex *ix = lx_view(t)->own->ix;
	int err = 0;
	size_t i;

	for (i = 0; i < n && !err; i++) {
		const struct change *c = &changes[i];

		err = n > 1 ? lindex_reserve(ix, LX_RESERVE) : 0;
		if (!err && leaves_region(c))
			vmmap_lx_uncover(t, c->first, c->last);
		err = err ? err :
			    vmmap_lx_store(t, c->first, c->last, c->value, changed_tag(c, prot));
		if (err && leaves_region(c))
			vmmap_lx_cover(t, c->first, c->last);
	}
	if (err)
		undo_changes(t, changes, i - 1);
	if (n > 1)
		lindex_reserve(ix, 0);
	return err;
}

int vmmap_lx_protect(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot)
{
	struct lx *t = table;
	vmmap_vpn_t last = vpn + pages - 1, at = vpn;
	struct change one, *changes;
	size_t n = 0, i = 0;
	int err;

	lx_begin(t);
	for (; at <= last && next_change(t, at, last, prot, &one); at = one.last + 1)
		n++;
	if (!n)
		return 0;
	changes = n > 1 ? vmmap_host_alloc(t->host, n * sizeof(*changes), 64) : &one;
	if (!changes)
		return -ENOMEM;
	for (at = vpn; i < n && next_change(t, at, last, prot, &changes[i]);
	     at = changes[i++].last + 1)
		;
	err = protect_runs(t, changes, n, prot);
	if (changes != &one)
		vmmap_host_free_now(t->host, changes, n * sizeof(*changes));
	vmmap_lx_hints_refresh(t, vpn, pages);
	vmmap_lx_drop_empty(t);
	return err;
}
