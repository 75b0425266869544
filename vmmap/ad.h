/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The side array of accessed and dirty bits: one per space, keyed by page number, for backends whose entries do not have them.
 *
 *     level n .. 1     64 slots each, 512 B      slot: a tag 0..3 (these bits, of every page below), else a node or block
 *     level 0          a block: 512 pages, 128 B: 8 words of accessed bits (one line), 8 of dirty bits
 *
 * Nothing is there until a page is marked.
 * A.1 Marks never wait: a slot is filled by compare and swap, a bit set by an atomic or.
 * A.2 A mark is never lost: without memory for a node its slot gets the tag, and all pages below count as marked.
 * A.3 Nodes are dropped by the mutator where a whole subtree was unmapped (marks of such pages mean nothing any more), and wait for
 *     readers before they are freed.
 */
#ifndef VMMAP_AD_H
#define VMMAP_AD_H

#include <stdatomic.h>

#include "backend.h"

#define AD_SLOTS       64u
#define AD_CHUNK_PAGES 512u

struct vmmap_ad_block {
	_Atomic uint64_t word[2][AD_CHUNK_PAGES / 64]; /* accessed, dirty */
};

struct vmmap_ad_tree {
	_Atomic uintptr_t root; /* a node, or a tag */
	unsigned int levels;
};

#define AD_SIZES 3u /* pages of 4K, 2M, 1G: a tree each, keyed by the page's number among its own */

struct vmmap_ad {
	struct vmmap_host *host;
	struct vmmap_ad_tree tree[AD_SIZES];
	_Atomic uint64_t bytes;
};

void vmmap_ad_init(struct vmmap_ad *ad, struct vmmap_host *host, unsigned int va_bits);

/** vmmap_ad_destroy() - No readers left. */
void vmmap_ad_destroy(struct vmmap_ad *ad);

/** vmmap_ad_mark() - Set @bits (VMMAP_ACCESSED, VMMAP_DIRTY) of the page that @vpn is in. Context: reader. */
void vmmap_ad_mark(struct vmmap_ad *ad, vmmap_vpn_t vpn, unsigned int shift, uint32_t bits);

/** vmmap_ad_harvest() - Bits of the page that begins at @vpn, whatever its size; clears @clear. Context: mutator. */
uint32_t vmmap_ad_harvest(struct vmmap_ad *ad, vmmap_vpn_t vpn, uint32_t clear);

/** vmmap_ad_clear() - Clear all bits of a range. Skips what is not there. Context: mutator. */
void vmmap_ad_clear(struct vmmap_ad *ad, vmmap_vpn_t vpn, uint64_t pages);

/** vmmap_ad_bytes() - Held now. */
uint64_t vmmap_ad_bytes(const struct vmmap_ad *ad);

#endif
