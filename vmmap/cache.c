/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>

/* Sets aligned to lines of the machine that simulates: a set of a TLB is one line. */
static void *zeroed(size_t bytes)
{
	size_t room = (bytes + 63) & ~(size_t)63;
	unsigned char *p = aligned_alloc(64, room ? room : 64);

	for (size_t i = 0; p && i < room; i++)
		p[i] = 0;
	return p;
}

static int shape(uint32_t entries, uint32_t *ways, uint32_t *sets, uint64_t *mask)
{
	if (!*ways || *ways > entries)
		*ways = entries;
	if (!entries || entries % *ways)
		return -EINVAL;
	*sets = entries / *ways;
	*mask = (*sets & (*sets - 1)) == 0 ? *sets - 1 : 0;
	return 0;
}

int cache_init(struct cache *c, uint32_t entries, uint32_t ways)
{
	int err;

	*c = (struct cache){ .ways = ways };
	err = shape(entries, &c->ways, &c->sets, &c->mask);
	if (err)
		return err;
	c->keys = zeroed((size_t)entries * sizeof(*c->keys));
	return c->keys ? 0 : -ENOMEM;
}

int tlb_init(struct tlb *t, uint32_t entries, uint32_t ways)
{
	int err;

	*t = (struct tlb){ .ways = ways };
	err = shape(entries, &t->ways, &t->sets, &t->mask);
	if (err)
		return err;
	t->entries = zeroed((size_t)entries * sizeof(*t->entries));
	return t->entries ? 0 : -ENOMEM;
}

void cache_destroy(struct cache *c)
{
	free(c->keys);
	*c = (struct cache){ 0 };
}

void tlb_destroy(struct tlb *t)
{
	free(t->entries);
	*t = (struct tlb){ 0 };
}
