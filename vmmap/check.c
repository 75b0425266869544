/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Validation of a whole space, and its text. The backend checks its structure; what all backends promise is checked here.
 */
#include "space.h"
#include "text.h"

struct checker {
	const struct vmmap_space *s;
	struct lindex_reason *why;
	vmmap_vpn_t next; /* pieces ascend */
	uint64_t pages;
};

static int wrong(const struct checker *c, const char *text, vmmap_vpn_t vpn, uint64_t expected,
		 uint64_t found)
{
	if (c->why)
		*c->why = (struct lindex_reason){ .text = text,
						  .key = space_va(c->s, vpn),
						  .expected = expected,
						  .found = found };
	return -EUCLEAN;
}

static int check_piece(void *ctx, const struct vmmap_piece *p)
{
	struct checker *c = ctx;
	uint64_t frames = UINT64_C(1) << (c->s->phys_bits - VMMAP_PAGE_SHIFT);

	if (p->vpn < c->next || !p->pages)
		return wrong(c, "space: pieces overlap", p->vpn, c->next, p->vpn);
	if (!(p->prot & VMMAP_PROT_READ))
		return wrong(c, "space: a page without READ", p->vpn, VMMAP_PROT_READ, p->prot);
	if (p->pfn >= frames || p->pages > frames - p->pfn)
		return wrong(c, "space: a frame beyond phys_bits", p->vpn, frames, p->pfn);
	if ((p->vpn ^ p->pfn) % vmmap_shift_pages(p->shift))
		return wrong(c, "space: a huge page is not aligned", p->vpn, p->vpn, p->pfn);
	for (uint64_t i = 0; i < p->pages && !(c->s->host->flags & VMMAP_HOST_NO_REFS); i++)
		if (!vmmap_frame_refs(c->s->host, p->pfn + i))
			return wrong(c, "space: a mapped frame without a reference", p->vpn + i, 1,
				     0);
	c->next = p->vpn + p->pages;
	c->pages += p->pages;
	return 0;
}

int vmmap_check(struct vmmap_space *s, struct lindex_reason *why)
{
	struct checker c = { .s = s, .why = why };
	int err = s->backend->check(s->table, why);

	err = err ? err : vmmap_space_scan(s, 0, space_vpn_end(s), check_piece, &c);
	if (!err && c.pages != s->pages)
		err = wrong(&c, "space: number of pages", 0, c.pages, s->pages);
	return err;
}

int vmmap_dump(struct vmmap_space *s, const struct lindex_sink *sink)
{
	int err = text_line(sink, "space: backend %s, va_bits %u, phys_bits %u, pages %" PRIu64,
			    s->backend->name, s->va_bits, s->phys_bits, s->pages);

	return err ? err : s->backend->dump(s->table, sink);
}
