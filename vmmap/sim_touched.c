/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The pages that a trace touches: a hash table with open addressing, at most half full.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gen_kind.h"

#define FIRST_BITS 12u
#define NO_FRAME   UINT64_MAX
#define NO_PAGE    UINT64_MAX

struct page {
	uint64_t vpn, pfn;
};

struct vmmap_touched {
	struct page *pages;
	unsigned int bits;
	uint64_t n, frames, last; /* last: the page added last, most often the next one, too */
};

/* All NO_PAGE and NO_FRAME, which are all ones. */
static struct page *new_pages(unsigned int bits)
{
	struct page *pages = malloc(sizeof(*pages) << bits);

	return pages ? memset(pages, 0xff, sizeof(*pages) << bits) : NULL;
}

int vmmap_touched_create(struct vmmap_touched **touched)
{
	struct vmmap_touched *t = calloc(1, sizeof(*t));

	if (t)
		t->pages = new_pages(FIRST_BITS);
	if (!t || !t->pages) {
		free(t);
		return -ENOMEM;
	}
	t->bits = FIRST_BITS;
	t->last = NO_PAGE;
	*touched = t;
	return 0;
}

void vmmap_touched_free(struct vmmap_touched *t)
{
	if (t)
		free(t->pages);
	free(t);
}

/* The place of @vpn: where it is, or where it would be. */
static struct page *place_of(struct page *pages, unsigned int bits, uint64_t vpn)
{
	size_t mask = ((size_t)1 << bits) - 1, at = (size_t)gen_mix(vpn) & mask;

	while (pages[at].vpn != vpn && pages[at].vpn != NO_PAGE)
		at = (at + 1) & mask;
	return &pages[at];
}

static int grow(struct vmmap_touched *t)
{
	struct page *pages = new_pages(t->bits + 1);

	if (!pages)
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << t->bits; i++)
		if (t->pages[i].vpn != NO_PAGE)
			*place_of(pages, t->bits + 1, t->pages[i].vpn) = t->pages[i];
	free(t->pages);
	t->pages = pages;
	t->bits++;
	return 0;
}

static int add_page(struct vmmap_touched *t, uint64_t vpn, uint64_t pfn)
{
	struct page *page;

	if (t->n * 2 >= (uint64_t)1 << t->bits && grow(t))
		return -ENOMEM;
	page = place_of(t->pages, t->bits, vpn);
	if (page->vpn == NO_PAGE) {
		page->vpn = vpn;
		t->n++;
	}
	if (page->pfn == NO_FRAME && pfn != NO_FRAME) {
		page->pfn = pfn;
		t->frames++;
	}
	return 0;
}

/* Not canonical in 57 bits: no page could be there. */
static bool has_page(uint64_t va)
{
	return (int64_t)va >> 56 == 0 || (int64_t)va >> 56 == -1;
}

int vmmap_touched_add(struct vmmap_touched *t, const struct vmmap_access *a, size_t n)
{
	int err = 0;

	for (; n && !err; n--, a++) {
		uint64_t first = a->va >> VMMAP_SHIFT_4K;
		uint64_t last = (a->va + a->size - 1) >> VMMAP_SHIFT_4K;
		uint64_t pfn = a->pa == VMMAP_PA_UNKNOWN ? NO_FRAME : a->pa >> VMMAP_SHIFT_4K;

		if (!has_page(a->va) || (first == last && first == t->last))
			continue;
		t->last = pfn == NO_FRAME ? last : NO_PAGE;
		err = add_page(t, first, pfn);
		if (!err && first != last)
			err = add_page(t, last, NO_FRAME);
	}
	return err;
}

uint64_t vmmap_touched_frames(const struct vmmap_touched *t)
{
	return t->frames;
}

static int by_vpn(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return (x->vpn > y->vpn) - (x->vpn < y->vpn);
}

/* Ascending; free() them. NULL: no memory. */
static struct page *sorted(const struct vmmap_touched *t)
{
	struct page *pages = malloc((t->n + 1) * sizeof(*pages));
	size_t to = 0;

	if (!pages)
		return NULL;
	for (size_t i = 0; i < (size_t)1 << t->bits; i++)
		if (t->pages[i].vpn != NO_PAGE)
			pages[to++] = t->pages[i];
	qsort(pages, to, sizeof(*pages), by_vpn);
	return pages;
}

int vmmap_touched_snapshot(const struct vmmap_touched *t, struct vmmap_snapshot *snap)
{
	struct page *pages = sorted(t);
	int err = pages ? 0 : -ENOMEM;

	*snap = (struct vmmap_snapshot){ 0 };
	for (uint64_t i = 0; i < t->n && !err; i++) {
		const struct vmmap_span span = { pages[i].vpn, pages[i].pfn, 1, VMMAP_SHIFT_4K,
						 VMMAP_SPAN_RWXU };

		if (pages[i].pfn != NO_FRAME)
			err = vmmap_snapshot_append(snap, &span);
	}
	free(pages);
	if (err)
		vmmap_snapshot_destroy(snap);
	return err;
}

int vmmap_touched_regions(const struct vmmap_touched *t, unsigned int shift,
			  struct vmmap_region **regions, size_t *n)
{
	uint64_t unit = UINT64_C(1) << shift;
	struct page *pages = sorted(t);

	*n = 0;
	*regions = malloc((t->n + 1) * sizeof(**regions));
	if (!pages || !*regions) {
		free(pages);
		free(*regions);
		return -ENOMEM;
	}
	for (uint64_t i = 0; i < t->n; i++) {
		uint64_t va = pages[i].vpn << VMMAP_SHIFT_4K & ~(unit - 1);
		struct vmmap_region *last = *n ? &(*regions)[*n - 1] : NULL;

		if (last && va < last->va + last->bytes)
			continue;
		if (last && va == last->va + last->bytes)
			last->bytes += unit;
		else
			(*regions)[(*n)++] = (struct vmmap_region){ va, unit };
	}
	free(pages);
	return 0;
}
