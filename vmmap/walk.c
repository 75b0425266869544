/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Walks over many pages: extents, reverse lookup, harvest of accessed and dirty bits, figures.
 */
#include "space.h"

#include <string.h>

int vmmap_space_scan(const struct vmmap_space *s, vmmap_vpn_t vpn, uint64_t pages,
		     int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx)
{
	vmmap_vpn_t end = vpn + pages;

	if (s->backend->scan)
		return s->backend->scan(s->table, vpn, pages, visit, ctx);
	while (vpn < end) {
		struct vmmap_piece p;
		int err = s->backend->lookup(s->table, vpn, &p);
		vmmap_vpn_t next = p.vpn + p.pages;

		if (!err) {
			p.pfn += vpn - p.vpn;
			p.pages = (next < end ? next : end) - vpn;
			p.vpn = vpn;
			err = visit(ctx, &p);
			if (err)
				return err;
		}
		vpn = next;
	}
	return 0;
}

/* ---- Extents -------------------------------------------------------------------------------------- */

/* Joins pieces to extents on their way to the caller. */
struct joiner {
	const struct vmmap_space *s;
	int (*visit)(void *ctx, const struct vmmap_extent *extent);
	void *ctx;
	struct vmmap_piece p; /* not given on yet; pages 0: none */
};

static int joiner_end(struct joiner *j)
{
	struct vmmap_extent e = { .va = space_va(j->s, j->p.vpn),
				  .pages = j->p.pages,
				  .pfn = j->p.pfn,
				  .prot = j->p.prot,
				  .shift = j->p.shift };

	if (!j->p.pages)
		return 0;
	j->p.pages = 0;
	return j->visit(j->ctx, &e);
}

static int join(void *ctx, const struct vmmap_piece *p)
{
	struct joiner *j = ctx;
	int err;

	if (j->p.pages && piece_continues(&j->p, p)) {
		j->p.pages += p->pages;
		return 0;
	}
	err = joiner_end(j);
	j->p = *p;
	return err;
}

static int walk_pages(const struct vmmap_space *s, vmmap_vpn_t vpn, uint64_t pages,
		      int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx)
{
	struct joiner j = { .s = s, .visit = visit, .ctx = ctx };
	int err = vmmap_space_scan(s, vpn, pages, join, &j);

	return err ? err : joiner_end(&j);
}

int vmmap_walk_range(struct vmmap_space *s, vmmap_va_t va, uint64_t pages,
		     int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx)
{
	vmmap_vpn_t vpn;
	int err = vmmap_space_range(s, va, pages, &vpn);

	return err ? err : walk_pages(s, vpn, pages, visit, ctx);
}

int vmmap_walk_all(struct vmmap_space *s,
		   int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx)
{
	uint64_t half = space_vpn_half(s);
	int err = walk_pages(s, 0, half, visit, ctx);

	return err ? err : walk_pages(s, half, half, visit, ctx);
}

/* ---- Reverse lookup ------------------------------------------------------------------------------- */

struct reverser {
	vmmap_pfn_t pfn;
	uint64_t frames;
	int (*visit)(void *ctx, const struct vmmap_extent *extent);
	void *ctx;
};

static int reverse_visit(void *ctx, const struct vmmap_extent *e)
{
	const struct reverser *r = ctx;
	struct vmmap_extent clipped = *e;
	uint64_t skip;

	if (e->pfn + e->pages <= r->pfn || e->pfn >= r->pfn + r->frames)
		return 0;
	if (clipped.pfn < r->pfn) {
		skip = r->pfn - clipped.pfn;
		clipped.va += skip * VMMAP_PAGE_BYTES;
		clipped.pfn += skip;
		clipped.pages -= skip;
	}
	if (clipped.pfn + clipped.pages > r->pfn + r->frames)
		clipped.pages = r->pfn + r->frames - clipped.pfn;
	return r->visit(r->ctx, &clipped);
}

int vmmap_reverse(struct vmmap_space *s, vmmap_pfn_t pfn, uint64_t frames,
		  int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx)
{
	struct reverser r = { .pfn = pfn, .frames = frames, .visit = visit, .ctx = ctx };

	return vmmap_walk_all(s, reverse_visit, &r);
}

/* ---- Accessed and dirty bits ------------------------------------------------------------------------- */

struct harvester {
	struct vmmap_space *s;
	vmmap_vpn_t vpn;
	uint32_t clear;
	uint64_t *bits[2];
	int64_t found;
	bool cleared;
};

static void harvest_show(struct harvester *h, uint32_t bits, vmmap_vpn_t vpn, uint64_t pages)
{
	h->found += (int64_t)pages;
	for (unsigned int kind = 0; kind < 2; kind++) {
		if (!h->bits[kind] || !(bits >> kind & 1))
			continue;
		for (uint64_t i = vpn - h->vpn; i < vpn - h->vpn + pages; i++)
			h->bits[kind][i / 64] |= UINT64_C(1) << i % 64;
	}
}

/* A piece may begin and end inside huge pages: their bits are at their first page. */
static int harvest_piece(void *ctx, const struct vmmap_piece *p)
{
	struct harvester *h = ctx;
	uint64_t size = vmmap_shift_pages(p->shift);

	for (vmmap_vpn_t at = p->vpn, next; at < p->vpn + p->pages; at = next) {
		vmmap_vpn_t page = at - at % size;
		uint32_t bits = h->s->backend->harvest(h->s->table, page, h->clear);

		next = page + size < p->vpn + p->pages ? page + size : p->vpn + p->pages;
		h->cleared |= bits & h->clear;
		if (bits)
			harvest_show(h, bits, at, next - at);
	}
	return 0;
}

int64_t vmmap_harvest(struct vmmap_space *s, vmmap_va_t va, uint64_t pages, uint32_t clear,
		      uint64_t *accessed, uint64_t *dirty)
{
	struct harvester h = { .s = s, .clear = clear, .bits = { accessed, dirty } };
	int err = vmmap_space_range(s, va, pages, &h.vpn);

	if (err || clear & ~(VMMAP_ACCESSED | VMMAP_DIRTY))
		return -EINVAL;
	for (unsigned int kind = 0; kind < 2; kind++)
		if (h.bits[kind])
			memset(h.bits[kind], 0, (pages + 63) / 64 * sizeof(uint64_t));
	vmmap_space_scan(s, h.vpn, pages, harvest_piece, &h);
	if (h.cleared && s->invalidate)
		s->invalidate(s->ctx, s, va, pages);
	return h.found;
}

/* ---- Figures -------------------------------------------------------------------------------------------- */

static int count_extent(void *ctx, const struct vmmap_extent *e)
{
	struct vmmap_stats *st = ctx;

	st->extents++;
	st->pages += e->pages;
	st->pages_2m += e->shift == VMMAP_2M ? e->pages : 0;
	st->pages_1g += e->shift == VMMAP_1G ? e->pages : 0;
	return 0;
}

void vmmap_get_stats(struct vmmap_space *s, struct vmmap_stats *st)
{
	struct vmmap_footprint f = { 0 };

	memset(st, 0, sizeof(*st));
	vmmap_walk_all(s, count_extent, st);
	s->backend->footprint(s->table, &f);
	st->index_bytes = f.index_bytes;
	st->frame_bytes = f.frame_bytes;
	st->ad_bytes = f.ad_bytes;
	st->ad_bytes_max = f.ad_bytes_max;
	st->table_bytes = f.index_bytes + f.frame_bytes + f.ad_bytes;
	st->shared_bytes = f.shared_bytes;
	st->largest_bytes = f.largest_bytes;
	st->refs_bytes = s->host->refs.bytes;
	st->host_bytes = vmmap_host_bytes(s->host);
}

int vmmap_hardware_walk(struct vmmap_space *s, vmmap_va_t va, struct vmmap_step *steps)
{
	return space_canonical(s, va) ? s->backend->walk(s->table, space_vpn(s, va), steps) : 0;
}

int vmmap_memory(struct vmmap_space *s,
		 int (*page)(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries), void *ctx,
		 vmmap_pa_t *cr3)
{
	return s->backend->memory ? s->backend->memory(s->table, page, ctx, cr3) : -EOPNOTSUPP;
}
