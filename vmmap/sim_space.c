/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a snapshot to a space.
 */
#include "sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace_input.h"

#define HALF_48 (UINT64_C(1) << 35) /* pages in the lower half of 48 bits */

/* Whether every page has an address of 48 bits. Spans do not cross the middle. */
static bool fits_48(const struct vmmap_snapshot *snap, const struct vmmap_span **beyond)
{
	uint64_t upper = (UINT64_C(1) << 52) - HALF_48;

	for (size_t i = 0; i < snap->n; i++) {
		const struct vmmap_span *s = &snap->spans[i];

		*beyond = s;
		if (s->vpn < upper && s->vpn + s->pages > HALF_48)
			return false;
	}
	return true;
}

static uint64_t highest_frame(const struct vmmap_snapshot *snap)
{
	uint64_t end = 0;

	for (size_t i = 0; i < snap->n; i++)
		if (snap->spans[i].pfn + snap->spans[i].pages > end)
			end = snap->spans[i].pfn + snap->spans[i].pages;
	return end;
}

/* 46 bits of physical address do, unless the snapshot has more. */
static uint8_t phys_bits(const struct vmmap_snapshot *snap)
{
	uint64_t end = highest_frame(snap);
	uint8_t bits = 46;

	while (bits < 50 && end > UINT64_C(1) << (bits - VMMAP_4K))
		bits++;
	return bits;
}

static struct vmmap_extent extent_of(const struct vmmap_span *s)
{
	uint32_t prot = VMMAP_PROT_READ;

	prot |= s->flags & VMMAP_SPAN_W ? VMMAP_PROT_WRITE : 0;
	prot |= s->flags & VMMAP_SPAN_X ? VMMAP_PROT_EXEC : 0;
	prot |= s->flags & VMMAP_SPAN_U ? VMMAP_PROT_USER : 0;
	return (struct vmmap_extent){ .va = s->vpn << VMMAP_SHIFT_4K,
				      .pages = s->pages,
				      .pfn = s->pfn,
				      .prot = (uint8_t)prot,
				      .shift = s->shift };
}

static int load(struct vmmap_space *space, const struct vmmap_snapshot *snap,
		struct vmmap_refusal *why)
{
	struct vmmap_extent *extents = calloc(snap->n + 1, sizeof(*extents));
	size_t bad = 0;
	int err;

	if (!extents)
		return refuse(why, ENOMEM, "out of memory for %zu extents", snap->n);
	for (size_t i = 0; i < snap->n; i++)
		extents[i] = extent_of(&snap->spans[i]);
	err = vmmap_load(space, extents, snap->n, &bad);
	if (err == -ENOMEM)
		refuse(why, ENOMEM, "out of memory for a table of %zu extents", snap->n);
	else if (err)
		refuse(why, -err,
		       "expected pages that %s can map, found %" PRIu64 " pages at %" PRIx64 ": %s",
		       vmmap_space_backend(space), snap->spans[bad].pages, extents[bad].va,
		       strerror(-err));
	free(extents);
	return err;
}

int vmmap_sim_space(struct vmmap_host *host, const char *backend, const struct vmmap_snapshot *snap,
		    struct vmmap_space **space, struct vmmap_refusal *why)
{
	struct vmmap_space_config cfg = { .backend = backend, .phys_bits = phys_bits(snap) };
	const struct vmmap_span *beyond = NULL;
	struct vmmap_space *new;
	int err;

	if (!fits_48(snap, &beyond)) {
		if (backend && strcmp(backend, "radix4") == 0)
			return refuse(why, EOPNOTSUPP,
				      "radix4: expected addresses of 48 bits, found page %" PRIx64,
				      beyond->vpn);
		cfg.va_bits = 57;
	}
	err = vmmap_space_create(host, &cfg, &new);
	if (err)
		return refuse(why, -err, "%s: cannot make a space: %s",
			      backend ? backend : "lindex", strerror(-err));
	err = load(new, snap, why);
	if (err)
		vmmap_space_free(new);
	else
		*space = new;
	return err;
}
