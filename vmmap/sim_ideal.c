/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The ideal table: the entry of the n-th page is the n-th entry. What a walker would have to know for that, how many pages
 * lie below an address, is given to it for nothing.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>

#define LINE_BITS 512u
#define AD_BITS   2u /* accessed, dirty */

/** struct stretch - Virtual pages that follow each other, of one size; @rank: entries before the first. */
struct stretch {
	uint64_t vpn, pages, rank;
	uint8_t shift;
};

struct vmmap_ideal {
	struct stretch *stretches;
	size_t n;
	uint64_t entries;
	unsigned int bits, per_line;
};

static void add(struct vmmap_ideal *t, const struct vmmap_span *span)
{
	struct stretch *last = t->n ? &t->stretches[t->n - 1] : NULL;
	uint64_t entries = span->pages >> (span->shift - VMMAP_SHIFT_4K);

	if (last && last->vpn + last->pages == span->vpn && last->shift == span->shift)
		last->pages += span->pages;
	else
		t->stretches[t->n++] = (struct stretch){ span->vpn, span->pages, t->entries,
							 span->shift };
	t->entries += entries;
}

/* Bits that tell @n frames apart, at least 1. */
static unsigned int bits_for(uint64_t n)
{
	return n > 2 ? 64 - (unsigned int)__builtin_clzll(n - 1) : 1;
}

int vmmap_ideal_create(const struct vmmap_snapshot *snap, struct vmmap_ideal **ideal)
{
	struct vmmap_ideal *t = calloc(1, sizeof(*t));
	uint64_t low = UINT64_MAX, high = 0;

	if (t)
		t->stretches = malloc((snap->n + 1) * sizeof(*t->stretches));
	if (!t || !t->stretches) {
		free(t);
		return -ENOMEM;
	}
	for (size_t i = 0; i < snap->n; i++) {
		const struct vmmap_span *s = &snap->spans[i];

		add(t, s);
		low = s->pfn < low ? s->pfn : low;
		high = s->pfn + s->pages > high ? s->pfn + s->pages : high;
	}
	t->bits = bits_for(high > low ? high - low : 1) + AD_BITS;
	t->per_line = LINE_BITS / t->bits;
	*ideal = t;
	return 0;
}

void vmmap_ideal_free(struct vmmap_ideal *ideal)
{
	if (ideal)
		free(ideal->stretches);
	free(ideal);
}

/* The last stretch that begins at or below @vpn; the first of all if there is none. */
static const struct stretch *find(const struct vmmap_ideal *t, uint64_t vpn)
{
	size_t low = 0, high = t->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (t->stretches[mid].vpn <= vpn)
			low = mid;
		else
			high = mid;
	}
	return &t->stretches[low];
}

uint64_t vmmap_ideal_line(const struct vmmap_ideal *ideal, uint64_t va)
{
	uint64_t vpn = va >> VMMAP_SHIFT_4K;
	const struct stretch *s = find(ideal, vpn);
	uint64_t page = vpn > s->vpn ? vpn - s->vpn : 0;

	page = page < s->pages ? page : s->pages - 1;
	return (s->rank + (page >> (s->shift - VMMAP_SHIFT_4K))) / ideal->per_line;
}

uint64_t vmmap_ideal_bytes(const struct vmmap_ideal *ideal)
{
	return (ideal->entries + ideal->per_line - 1) / ideal->per_line * VMMAP_MACHINE_LINE;
}

unsigned int vmmap_ideal_bits(const struct vmmap_ideal *ideal)
{
	return ideal->bits;
}
