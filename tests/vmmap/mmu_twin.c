/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The twin of a space: see mmu_twin.h.
 */
#include "mmu_twin.h"

#include <inttypes.h>
#include <string.h>

#include "check.h"

void mmu_twin_init(struct mmu_twin *t, unsigned int va_bits)
{
	memset(t, 0, sizeof(*t));
	t->va_bits = va_bits;
}

/* Both ends of both halves, borders of tables of each level, and places amid. */
vmmap_va_t mmu_va(const struct mmu_twin *t, unsigned int i)
{
	uint64_t half = UINT64_C(1) << (t->va_bits - 1), span = WINDOW_PAGES * VMMAP_PAGE_BYTES;
	const uint64_t begin[WINDOWS] = {
		0,
		0x400000000 - span / 2,
		UINT64_C(0x8000000000) - span / 2,
		UINT64_C(0x7f0000000000),
		half - span,
		-half,
		-(half / 2) - span / 2,
		-span,
	};

	return begin[i / WINDOW_PAGES] + i % WINDOW_PAGES * VMMAP_PAGE_BYTES;
}

unsigned int mmu_first(const struct mmu_twin *t, unsigned int i)
{
	unsigned int size = t->page[i].prot ? (unsigned int)vmmap_shift_pages(t->page[i].shift) : 1;

	return i / size * size;
}

bool mmu_hole(const struct mmu_twin *t, unsigned int i, unsigned int pages)
{
	for (unsigned int j = i; j < i + pages; j++)
		if (t->page[j].prot)
			return false;
	return true;
}

bool mmu_cuts(const struct mmu_twin *t, unsigned int i, unsigned int pages)
{
	unsigned int end = i + pages;

	return mmu_first(t, i) != i || (end % WINDOW_PAGES && mmu_first(t, end) != end);
}

void mmu_map(struct mmu_twin *t, unsigned int i, unsigned int pages, uint64_t pfn, uint8_t prot,
	     uint8_t shift)
{
	for (unsigned int j = 0; j < pages; j++)
		t->page[i + j] = (struct twin_page){ .pfn = pfn + j, .prot = prot, .shift = shift };
}

void mmu_unmap(struct mmu_twin *t, unsigned int i, unsigned int pages)
{
	memset(&t->page[i], 0, pages * sizeof(t->page[0]));
}

void mmu_protect(struct mmu_twin *t, unsigned int i, unsigned int pages, uint8_t prot)
{
	for (unsigned int j = i; j < i + pages; j++)
		if (t->page[j].prot)
			t->page[j].prot = prot | (t->page[j].prot & VMMAP_PROT_COW);
}

void mmu_fork(struct mmu_twin *parent, struct mmu_twin *child)
{
	for (unsigned int i = 0; i < TWIN_PAGES; i++)
		if (parent->page[i].prot && !(parent->page[i].prot & VMMAP_PROT_SHARED))
			parent->page[i].prot |= VMMAP_PROT_COW;
	*child = *parent;
	for (unsigned int i = 0; i < TWIN_PAGES; i++)
		child->page[i].ad = 0;
}

int mmu_access(struct mmu_twin *t, unsigned int i, uint32_t access, struct vmmap_answer *a)
{
	struct twin_page *p = &t->page[i];
	uint32_t code = access & (VMMAP_WRITE | VMMAP_USER | VMMAP_FETCH);
	bool allowed = (!(access & VMMAP_WRITE) || p->prot & VMMAP_PROT_WRITE) &&
		       (!(access & VMMAP_USER) || p->prot & VMMAP_PROT_USER) &&
		       (!(access & VMMAP_FETCH) || p->prot & VMMAP_PROT_EXEC);

	*a = (struct vmmap_answer){ .prot = p->prot, .shift = p->shift };
	if (!p->prot)
		a->fault = (struct vmmap_fault){ VMMAP_FAULT_NOT_PRESENT, code };
	else if (p->prot & VMMAP_PROT_RESERVED)
		a->fault = (struct vmmap_fault){ VMMAP_FAULT_RESERVED, code | 9 };
	else if (!allowed)
		a->fault = (struct vmmap_fault){ VMMAP_FAULT_PERMISSION, code | 1 };
	else if (access & VMMAP_WRITE && p->prot & VMMAP_PROT_COW)
		a->fault = (struct vmmap_fault){ VMMAP_FAULT_COW, code | 1 };
	if (a->fault.kind)
		return -EFAULT;
	a->pa = p->pfn * VMMAP_PAGE_BYTES;
	if (!(access & VMMAP_PEEK))
		t->page[mmu_first(t, i)].ad |= VMMAP_ACCESSED |
					       (access & VMMAP_WRITE ? VMMAP_DIRTY : 0);
	return 0;
}

static bool continues(const struct mmu_twin *t, unsigned int i)
{
	const struct twin_page *a = &t->page[i], *b = a + 1;

	return (i + 1) % WINDOW_PAGES && b->prot == a->prot && b->shift == a->shift &&
	       b->pfn == a->pfn + 1;
}

struct vmmap_extent mmu_extent(const struct mmu_twin *t, unsigned int i)
{
	unsigned int last = i;

	while (i % WINDOW_PAGES && continues(t, i - 1))
		i--;
	while (continues(t, last))
		last++;
	return (struct vmmap_extent){ .va = mmu_va(t, i),
				      .pages = last - i + 1,
				      .pfn = t->page[i].pfn,
				      .prot = t->page[i].prot,
				      .shift = t->page[i].shift };
}

struct same {
	const struct mmu_twin *t;
	unsigned int next; /* the next extent begins here or later */
};

static int same_extent(void *ctx, const struct vmmap_extent *e)
{
	struct same *s = ctx;
	struct vmmap_extent want;

	while (s->next < TWIN_PAGES && !s->t->page[s->next].prot)
		s->next++;
	CHECK(s->next < TWIN_PAGES, "%" PRIx64 " is mapped", e->va);
	want = mmu_extent(s->t, s->next);
	CHECK(e->va == want.va && e->pages == want.pages && e->pfn == want.pfn &&
		      e->prot == want.prot && e->shift == want.shift,
	      "extent %" PRIx64 " +%" PRIu64 " pfn %" PRIx64 " prot %x shift %u, not %" PRIx64
	      " +%" PRIu64 " pfn %" PRIx64 " prot %x shift %u",
	      e->va, e->pages, e->pfn, e->prot, e->shift, want.va, want.pages, want.pfn, want.prot,
	      want.shift);
	s->next += (unsigned int)want.pages;
	return 0;
}

void mmu_same(const struct mmu_twin *t, struct vmmap_space *space)
{
	struct lindex_reason why = { .text = "" };
	struct same s = { .t = t };
	int err = vmmap_check(space, &why);

	CHECK(err == 0, "%s at %" PRIx64 ": %" PRIx64 ", not %" PRIx64, why.text, why.key,
	      why.found, why.expected);
	vmmap_walk_all(space, same_extent, &s);
	while (s.next < TWIN_PAGES && !t->page[s.next].prot)
		s.next++;
	CHECK(s.next == TWIN_PAGES, "%" PRIx64 " is missing", mmu_va(t, s.next));
	for (unsigned int i = 0; i < TWIN_PAGES; i++) {
		struct vmmap_answer a;
		int got = vmmap_translate(space, mmu_va(t, i), VMMAP_PEEK, &a);
		bool hole = !t->page[i].prot, rsvd = t->page[i].prot & VMMAP_PROT_RESERVED;

		CHECK((got == 0) == (!hole && !rsvd), "%" PRIx64 ": %d", mmu_va(t, i), got);
		CHECK(hole || rsvd || a.pa == t->page[i].pfn * VMMAP_PAGE_BYTES,
		      "%" PRIx64 ": pa %" PRIx64 ", not frame %" PRIx64, mmu_va(t, i), a.pa,
		      t->page[i].pfn);
		CHECK(a.prot == t->page[i].prot, "%" PRIx64 ": prot %x, not %x", mmu_va(t, i),
		      a.prot, t->page[i].prot);
	}
}
