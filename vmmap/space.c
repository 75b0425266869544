/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Spaces: arguments are checked here, and here alone; then the backend is changed, frames are counted, and the caller's
 * TLB is told. Order of a change: checked; frame counts have room; backend (from here readers see it); callback; counts.
 */
#include "space.h"

#include <string.h>

static const struct vmmap_backend *const backends[] = {
	&vmmap_backend_lindex, &vmmap_backend_radix4, &vmmap_backend_radix5,
	&vmmap_backend_btree,  &vmmap_backend_ecpt,
};

#define BACKENDS (sizeof(backends) / sizeof(backends[0]))

#define STRINGIFY(x)  #x
#define STRING(x)     STRINGIFY(x)
#define PHYS_BITS     46u
#define PHYS_BITS_MIN 32u
#define PHYS_BITS_MAX 50u

const char *vmmap_version(void)
{
	return STRING(VMMAP_VERSION_MAJOR) "." STRING(VMMAP_VERSION_MINOR) "." STRING(
		VMMAP_VERSION_PATCH);
}

const char *vmmap_backend_name(unsigned int i)
{
	return i < BACKENDS ? backends[i]->name : NULL;
}

const char *vmmap_space_backend(const struct vmmap_space *s)
{
	return s->backend->name;
}

/* ---- Life cycle --------------------------------------------------------------------------------- */

static const struct vmmap_backend *find_backend(const char *name)
{
	if (!name)
		return backends[0];
	for (unsigned int i = 0; i < BACKENDS; i++)
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	return NULL;
}

/* A space without a table. */
static int space_new(struct vmmap_host *host, const struct vmmap_space_config *cfg,
		     struct vmmap_space **out)
{
	const struct vmmap_backend *b = find_backend(cfg->backend);
	unsigned int va_bits, phys_bits = cfg->phys_bits ? cfg->phys_bits : PHYS_BITS;
	struct vmmap_space *s;

	if (!b)
		return -ENOENT;
	va_bits = cfg->va_bits ? cfg->va_bits : b->va_bits_default;
	if ((va_bits != 48 && va_bits != 57) || va_bits > b->va_bits_max ||
	    va_bits < b->va_bits_default)
		return -EINVAL;
	if (phys_bits < PHYS_BITS_MIN || phys_bits > PHYS_BITS_MAX)
		return -EINVAL;
	s = vmmap_host_alloc(host, sizeof(*s), 64);
	if (!s)
		return -ENOMEM;
	s->backend = b;
	s->host = host;
	s->va_bits = (uint8_t)va_bits;
	s->phys_bits = (uint8_t)phys_bits;
	s->invalidate = cfg->invalidate;
	s->ctx = cfg->ctx;
	*out = s;
	return 0;
}

int vmmap_space_create(struct vmmap_host *host, const struct vmmap_space_config *cfg,
		       struct vmmap_space **out)
{
	static const struct vmmap_space_config defaults;
	struct vmmap_space *s;
	int err = space_new(host, cfg ? cfg : &defaults, &s);

	if (err)
		return err;
	err = s->backend->create(&(struct vmmap_env){ .host = host,
						      .va_bits = s->va_bits,
						      .phys_bits = s->phys_bits },
				 &s->table);
	if (err) {
		vmmap_host_free_now(host, s, sizeof(*s));
		return err;
	}
	host->spaces++;
	*out = s;
	return 0;
}

static int drop_refs(void *ctx, const struct vmmap_piece *p)
{
	vmmap_refs_sub(ctx, p->pfn, p->pages);
	return 0;
}

static int take_refs(void *ctx, const struct vmmap_piece *p)
{
	vmmap_refs_add(ctx, p->pfn, p->pages);
	return 0;
}

void vmmap_space_free(struct vmmap_space *s)
{
	if (!s)
		return;
	if (!(s->host->flags & VMMAP_HOST_NO_REFS))
		vmmap_space_scan(s, 0, space_vpn_end(s), drop_refs, s->host);
	s->backend->free(s->table);
	s->host->spaces--;
	vmmap_host_free_now(s->host, s, sizeof(*s));
}

/* The callback has ranges of one half: addresses in between do not exist. */
static void invalidate(struct vmmap_space *s, vmmap_vpn_t vpn, uint64_t pages)
{
	if (s->invalidate)
		s->invalidate(s->ctx, s, space_va(s, vpn), pages);
}

int vmmap_fork(struct vmmap_space *s, struct vmmap_space **out)
{
	const struct vmmap_space_config cfg = {
		.backend = s->backend->name,
		.va_bits = s->va_bits,
		.phys_bits = s->phys_bits,
		.invalidate = s->invalidate,
		.ctx = s->ctx,
	};
	struct vmmap_space *child;
	int err;

	if (s->host->flags & VMMAP_HOST_NO_REFS)
		return -EOPNOTSUPP;
	err = space_new(s->host, &cfg, &child);
	if (err)
		return err;
	err = s->backend->fork(s->table, &child->table);
	if (err) {
		vmmap_host_free_now(s->host, child, sizeof(*child));
		return err;
	}
	s->host->spaces++;
	child->pages = s->pages;
	vmmap_space_scan(child, 0, space_vpn_end(s), take_refs, s->host);
	invalidate(s, 0, space_vpn_half(s));
	invalidate(s, space_vpn_half(s), space_vpn_half(s));
	*out = child;
	return 0;
}

/* ---- What arguments are checked for ------------------------------------------------------------- */

int vmmap_space_range(const struct vmmap_space *s, vmmap_va_t va, uint64_t pages, vmmap_vpn_t *vpn)
{
	vmmap_vpn_t at, end;

	if (va % VMMAP_PAGE_BYTES || !pages || !space_canonical(s, va))
		return -EINVAL;
	at = space_vpn(s, va);
	end = at < space_vpn_half(s) ? space_vpn_half(s) : space_vpn_end(s);
	if (pages > end - at)
		return -EINVAL;
	*vpn = at;
	return 0;
}

static int check_prot(uint32_t prot)
{
	return !(prot & VMMAP_PROT_READ) || prot & ~VMMAP_PROT_SETTABLE ? -EINVAL : 0;
}

static int check_frames(const struct vmmap_space *s, vmmap_pfn_t pfn, uint64_t pages)
{
	uint64_t end = UINT64_C(1) << (s->phys_bits - VMMAP_PAGE_SHIFT);

	return pfn >= end || pages > end - pfn ? -ERANGE : 0;
}

static int check_shift(vmmap_vpn_t vpn, uint64_t pages, vmmap_pfn_t pfn, unsigned int shift)
{
	if (shift != VMMAP_4K && shift != VMMAP_2M && shift != VMMAP_1G)
		return -EINVAL;
	return (vpn | pages | pfn) % vmmap_shift_pages(shift) ? -EINVAL : 0;
}

static int is_mapped(void *ctx, const struct vmmap_piece *p)
{
	(void)ctx;
	(void)p;
	return -EEXIST;
}

static int check_hole(const struct vmmap_space *s, vmmap_vpn_t vpn, uint64_t pages)
{
	struct vmmap_piece p;

	if (pages == 1)
		return s->backend->lookup(s->table, vpn, &p) ? 0 : -EEXIST;
	return vmmap_space_scan(s, vpn, pages, is_mapped, NULL);
}

static bool cuts_page(const struct vmmap_space *s, vmmap_vpn_t border)
{
	struct vmmap_piece p;

	if (border >= space_vpn_end(s) || s->backend->lookup(s->table, border, &p))
		return false;
	return (border - p.vpn) % vmmap_shift_pages(p.shift) != 0;
}

/* A range of whole pages. */
static int check_borders(const struct vmmap_space *s, vmmap_va_t va, uint64_t pages,
			 vmmap_vpn_t *vpn)
{
	int err = vmmap_space_range(s, va, pages, vpn);

	if (err)
		return err;
	return cuts_page(s, *vpn) || cuts_page(s, *vpn + pages) ? -EINVAL : 0;
}

/* ---- Changes ------------------------------------------------------------------------------------ */

int vmmap_map(struct vmmap_space *s, vmmap_va_t va, uint64_t pages, vmmap_pfn_t pfn, uint32_t prot,
	      unsigned int shift)
{
	struct vmmap_piece p = {
		.pages = pages, .pfn = pfn, .prot = (uint8_t)prot, .shift = (uint8_t)shift
	};
	int err = vmmap_space_range(s, va, pages, &p.vpn);

	err = err ? err : check_prot(prot);
	err = err ? err : check_shift(p.vpn, pages, pfn, shift);
	err = err ? err : check_frames(s, pfn, pages);
	err = err ? err : check_hole(s, p.vpn, pages);
	err = err ? err : vmmap_refs_reserve(s->host, pfn, pages);
	err = err ? err : s->backend->map(s->table, &p);
	if (err)
		return err;
	vmmap_refs_add(s->host, pfn, pages);
	s->pages += pages;
	return 0;
}

int vmmap_map_frames(struct vmmap_space *s, vmmap_va_t va, uint64_t pages,
		     const vmmap_pfn_t *frames, uint32_t prot)
{
	vmmap_vpn_t vpn;
	int err = vmmap_space_range(s, va, pages, &vpn);

	err = err ? err : check_prot(prot);
	for (uint64_t i = 0; i < pages && !err; i++)
		err = check_frames(s, frames[i], 1);
	err = err ? err : check_hole(s, vpn, pages);
	for (uint64_t i = 0; i < pages && !err; i++)
		err = vmmap_refs_reserve(s->host, frames[i], 1);
	err = err ? err : s->backend->map_frames(s->table, vpn, pages, frames, (uint8_t)prot);
	if (err)
		return err;
	for (uint64_t i = 0; i < pages; i++)
		vmmap_refs_add(s->host, frames[i], 1);
	s->pages += pages;
	return 0;
}

static int load_piece(const struct vmmap_space *s, const struct vmmap_extent *e,
		      struct vmmap_piece *p, vmmap_vpn_t *next)
{
	int err = vmmap_space_range(s, e->va, e->pages, &p->vpn);

	err = err ? err : check_prot(e->prot);
	err = err ? err : check_shift(p->vpn, e->pages, e->pfn, e->shift);
	err = err ? err : check_frames(s, e->pfn, e->pages);
	err = err ? err : p->vpn < *next ? -EINVAL : 0;
	if (err)
		return err;
	p->pages = e->pages;
	p->pfn = e->pfn;
	p->prot = e->prot;
	p->shift = e->shift;
	*next = p->vpn + p->pages;
	return 0;
}

int vmmap_load(struct vmmap_space *s, const struct vmmap_extent *extents, size_t n, size_t *bad)
{
	struct vmmap_piece *pieces;
	vmmap_vpn_t next = 0;
	uint64_t pages = 0;
	size_t i;
	int err = 0;

	if (s->pages)
		return -EBUSY;
	if (!n)
		return 0;
	pieces = vmmap_host_alloc(s->host, n * sizeof(*pieces), 64);
	if (!pieces)
		return -ENOMEM;
	for (i = 0; i < n && !err; i++) {
		err = load_piece(s, &extents[i], &pieces[i], &next);
		if (err && bad)
			*bad = i;
		pages += extents[i].pages;
	}
	for (i = 0; i < n && !err; i++)
		err = vmmap_refs_reserve(s->host, pieces[i].pfn, pieces[i].pages);
	err = err ? err : s->backend->load(s->table, pieces, n);
	if (!err) {
		for (i = 0; i < n; i++)
			vmmap_refs_add(s->host, pieces[i].pfn, pieces[i].pages);
		s->pages = pages;
	}
	vmmap_host_free_now(s->host, pieces, n * sizeof(*pieces));
	return err;
}

static int count_pages(void *ctx, const struct vmmap_piece *p)
{
	*(uint64_t *)ctx += p->pages;
	return 0;
}

int vmmap_unmap(struct vmmap_space *s, vmmap_va_t va, uint64_t pages)
{
	uint64_t mapped = 0;
	vmmap_vpn_t vpn;
	int err = check_borders(s, va, pages, &vpn);

	if (err)
		return err;
	vmmap_space_scan(s, vpn, pages, count_pages, &mapped);
	if (!mapped)
		return 0;
	/* Counts are the mutator's: nobody sees that they go first. They have to: afterwards frames are not known. */
	if (!(s->host->flags & VMMAP_HOST_NO_REFS))
		vmmap_space_scan(s, vpn, pages, drop_refs, s->host);
	err = s->backend->unmap(s->table, vpn, pages);
	if (err) {
		if (!(s->host->flags & VMMAP_HOST_NO_REFS))
			vmmap_space_scan(s, vpn, pages, take_refs, s->host);
		return err;
	}
	s->pages -= mapped;
	invalidate(s, vpn, pages);
	return 0;
}

int vmmap_protect(struct vmmap_space *s, vmmap_va_t va, uint64_t pages, uint32_t prot)
{
	vmmap_vpn_t vpn;
	int err = check_prot(prot);

	err = err ? err : check_borders(s, va, pages, &vpn);
	err = err ? err : s->backend->protect(s->table, vpn, pages, (uint8_t)prot);
	if (err)
		return err;
	invalidate(s, vpn, pages);
	return 0;
}

static bool shares_frames(const struct vmmap_space *s, vmmap_pfn_t pfn, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		if (vmmap_frame_refs(s->host, pfn + i) > 1)
			return true;
	return false;
}

int vmmap_cow(struct vmmap_space *s, vmmap_va_t va, vmmap_pfn_t fresh, bool *copied)
{
	struct vmmap_piece p;
	vmmap_vpn_t vpn;
	vmmap_pfn_t old;
	uint64_t pages;
	uint8_t prot;
	bool shared;
	int err;

	if (!space_canonical(s, va))
		return -EINVAL;
	vpn = space_vpn(s, va);
	if (s->backend->lookup(s->table, vpn, &p))
		return -ENOENT;
	pages = vmmap_shift_pages(p.shift);
	vpn -= (vpn - p.vpn) % pages;
	old = p.pfn + (vpn - p.vpn);
	prot = p.prot & VMMAP_PROT_SETTABLE;
	if (!(p.prot & VMMAP_PROT_COW) || fresh % pages)
		return -EINVAL;
	shared = shares_frames(s, old, pages);
	err = check_frames(s, fresh, pages);
	err = err || !shared ? err : vmmap_refs_reserve(s->host, fresh, pages);
	err = err ? err : s->backend->replace(s->table, vpn, shared ? fresh : old, prot);
	if (err)
		return err;
	if (shared) {
		invalidate(s, vpn, pages);
		vmmap_refs_add(s->host, fresh, pages);
		vmmap_refs_sub(s->host, old, pages);
	}
	if (copied)
		*copied = shared;
	return 0;
}

void vmmap_last_cost(const struct vmmap_space *s, struct vmmap_cost *cost)
{
	s->backend->cost(s->table, cost);
}
