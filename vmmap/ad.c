/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The side array: see ad.h. "Level" is that of the node that a slot leads to; level 0 is a block.
 */
#include "ad.h"

#include <string.h>

#define SLOT_BITS  6u
#define CHUNK_BITS 9u
#define TAG_MASK   ((uintptr_t)3)

typedef _Atomic uintptr_t ad_slot;

static bool is_tag(uintptr_t v)
{
	return !(v & ~TAG_MASK);
}

static size_t node_bytes(unsigned int level)
{
	return level ? AD_SLOTS * sizeof(ad_slot) : sizeof(struct vmmap_ad_block);
}

/* Pages under one node of @level, as a shift. */
static unsigned int node_shift(unsigned int level)
{
	return CHUNK_BITS + SLOT_BITS * level;
}

void vmmap_ad_init(struct vmmap_ad *ad, struct vmmap_host *host, unsigned int va_bits)
{
	ad->host = host;
	atomic_init(&ad->bytes, 0);
	for (unsigned int i = 0; i < AD_SIZES; i++) {
		unsigned int bits = va_bits - VMMAP_PAGE_SHIFT - i * CHUNK_BITS;

		ad->tree[i].levels = (bits - CHUNK_BITS + SLOT_BITS - 1) / SLOT_BITS;
		atomic_init(&ad->tree[i].root, 0);
	}
}

uint64_t vmmap_ad_bytes(const struct vmmap_ad *ad)
{
	return atomic_load_explicit(&ad->bytes, memory_order_relaxed);
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

/* A node of which every page has the bits of @tag. */
static uintptr_t node_new(struct vmmap_ad *ad, unsigned int level, uintptr_t tag)
{
	void *ptr = vmmap_host_alloc(ad->host, node_bytes(level), 128);
	struct vmmap_ad_block *block = ptr;
	ad_slot *slots = ptr;

	if (!ptr)
		return 0;
	atomic_fetch_add_explicit(&ad->bytes, node_bytes(level), memory_order_relaxed);
	for (unsigned int i = 0; level && i < AD_SLOTS; i++)
		atomic_init(&slots[i], tag);
	for (unsigned int kind = 0; !level && kind < 2; kind++)
		if (tag >> kind & 1)
			memset(block->word[kind], 0xff, sizeof(block->word[kind]));
	return (uintptr_t)ptr;
}

static void node_drop(struct vmmap_ad *ad, uintptr_t node, unsigned int level, bool now)
{
	ad_slot *slots = (ad_slot *)node;

	for (unsigned int i = 0; level && i < AD_SLOTS; i++) {
		uintptr_t v = atomic_load_explicit(&slots[i], memory_order_acquire);

		if (!is_tag(v))
			node_drop(ad, v, level - 1, now);
	}
	atomic_fetch_sub_explicit(&ad->bytes, node_bytes(level), memory_order_relaxed);
	if (now)
		vmmap_host_free_now(ad->host, (void *)node, node_bytes(level));
	else
		vmmap_host_retire(ad->host, (void *)node, node_bytes(level));
}

void vmmap_ad_destroy(struct vmmap_ad *ad)
{
	for (unsigned int i = 0; i < AD_SIZES; i++) {
		uintptr_t root = atomic_load(&ad->tree[i].root);

		if (!is_tag(root))
			node_drop(ad, root, ad->tree[i].levels, true);
		atomic_store(&ad->tree[i].root, 0);
	}
}

/* The node behind @slot, made if there is a tag. 0 without memory; the tag is then in *@tag. */
static uintptr_t node_get(struct vmmap_ad *ad, ad_slot *slot, unsigned int level, uintptr_t *tag)
{
	uintptr_t v = atomic_load_explicit(slot, memory_order_acquire), fresh;

	while (is_tag(v)) {
		fresh = node_new(ad, level, v);
		*tag = v;
		if (!fresh)
			return 0;
		if (atomic_compare_exchange_strong(slot, &v, fresh))
			return fresh;
		node_drop(ad, fresh, level, true); /* somebody was first */
	}
	return v;
}

static ad_slot *slot_at(uintptr_t node, vmmap_vpn_t vpn, unsigned int level)
{
	return (ad_slot *)node + (vpn >> node_shift(level - 1)) % AD_SLOTS;
}

/* ---- Pages --------------------------------------------------------------------------------------- */

static void block_mark(struct vmmap_ad_block *block, vmmap_vpn_t vpn, uint32_t bits)
{
	uint64_t mask = UINT64_C(1) << vpn % 64;

	for (unsigned int kind = 0; kind < 2; kind++) {
		_Atomic uint64_t *word = &block->word[kind][vpn / 64 % 8];

		/* Looked at first: almost always it is set, and the line stays shared. */
		if (bits >> kind & 1 && !(atomic_load_explicit(word, memory_order_relaxed) & mask))
			atomic_fetch_or_explicit(word, mask, memory_order_acq_rel);
	}
}

void vmmap_ad_mark(struct vmmap_ad *ad, vmmap_vpn_t vpn, unsigned int shift, uint32_t bits)
{
	struct vmmap_ad_tree *tree = &ad->tree[(shift - VMMAP_PAGE_SHIFT) / CHUNK_BITS];
	ad_slot *slot = &tree->root;

	vpn >>= shift - VMMAP_PAGE_SHIFT;
	for (unsigned int level = tree->levels;; level--) {
		uintptr_t node = atomic_load_explicit(slot, memory_order_acquire), tag;

		if (is_tag(node)) {
			if ((node & bits) == bits)
				return;
			node = node_get(ad, slot, level, &tag);
		}
		if (!node) { /* A.2; or somebody had memory meanwhile */
			if (atomic_compare_exchange_strong(slot, &tag, tag | bits))
				return;
			level++;
			continue;
		}
		if (!level) {
			block_mark((struct vmmap_ad_block *)node, vpn, bits);
			return;
		}
		slot = slot_at(node, vpn, level);
	}
}

static uint32_t harvest(struct vmmap_ad *ad, struct vmmap_ad_tree *tree, vmmap_vpn_t vpn,
			uint32_t clear)
{
	uint64_t mask = UINT64_C(1) << vpn % 64;
	struct vmmap_ad_block *block;
	ad_slot *slot = &tree->root;
	uint32_t bits = 0;

	for (unsigned int level = tree->levels;; level--) {
		uintptr_t node = atomic_load_explicit(slot, memory_order_acquire), tag = 0;

		if (is_tag(node)) {
			tag = node;
			if (node & clear)
				node = node_get(ad, slot, level, &tag);
			if (is_tag(node)) /* without memory nothing is cleared: it is seen again */
				return (uint32_t)tag;
		}
		if (!level) {
			block = (struct vmmap_ad_block *)node;
			break;
		}
		slot = slot_at(node, vpn, level);
	}
	for (unsigned int kind = 0; kind < 2; kind++) {
		_Atomic uint64_t *word = &block->word[kind][vpn / 64 % 8];
		uint64_t old = atomic_load_explicit(word, memory_order_acquire);

		if (clear >> kind & 1 && old & mask)
			old = atomic_fetch_and_explicit(word, ~mask, memory_order_acq_rel);
		bits |= old & mask ? 1u << kind : 0;
	}
	return bits;
}

/* One page begins at @vpn: of the other sizes nothing is marked there. */
uint32_t vmmap_ad_harvest(struct vmmap_ad *ad, vmmap_vpn_t vpn, uint32_t clear)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < AD_SIZES && !(vpn & ((UINT64_C(1) << i * CHUNK_BITS) - 1));
	     i++)
		bits |= harvest(ad, &ad->tree[i], vpn >> i * CHUNK_BITS, clear);
	return bits;
}

/* ---- Ranges ---------------------------------------------------------------------------------------- */

static void block_clear(struct vmmap_ad_block *block, vmmap_vpn_t from, vmmap_vpn_t last)
{
	for (vmmap_vpn_t w = from / 64; w <= last / 64; w++) {
		uint64_t keep = 0;

		if (w == from / 64)
			keep |= (UINT64_C(1) << from % 64) - 1;
		if (w == last / 64 && last % 64 != 63)
			keep |= ~((UINT64_C(2) << last % 64) - 1);
		for (unsigned int kind = 0; kind < 2; kind++) {
			_Atomic uint64_t *word = &block->word[kind][w % 8];

			if (atomic_load_explicit(word, memory_order_relaxed) & ~keep)
				atomic_fetch_and_explicit(word, keep, memory_order_acq_rel);
		}
	}
}

/* [@from, @last] lies below @slot, which leads to a node of @level that begins at page @base. */
static void clear_below(struct vmmap_ad *ad, ad_slot *slot, unsigned int level, vmmap_vpn_t base,
			vmmap_vpn_t from, vmmap_vpn_t last)
{
	uintptr_t node = atomic_load_explicit(slot, memory_order_acquire), tag;
	vmmap_vpn_t end = base + (((UINT64_C(1) << node_shift(level)) - 1));

	if (!node)
		return;
	if (from == base && last == end) {
		node = atomic_exchange(slot, 0);
		if (!is_tag(node))
			node_drop(ad, node, level, false);
		return;
	}
	if (is_tag(node))
		node = node_get(ad, slot, level, &tag);
	if (!node)
		return; /* without memory they stay marked */
	if (!level) {
		block_clear((struct vmmap_ad_block *)node, from, last);
		return;
	}
	for (vmmap_vpn_t at = from; at <= last && at >= from;) {
		unsigned int shift = node_shift(level - 1);
		vmmap_vpn_t sub = at >> shift << shift,
			    sub_last = sub + ((UINT64_C(1) << shift) - 1);

		clear_below(ad, slot_at(node, at, level), level - 1, sub, at,
			    sub_last < last ? sub_last : last);
		at = sub_last + 1;
	}
}

void vmmap_ad_clear(struct vmmap_ad *ad, vmmap_vpn_t vpn, uint64_t pages)
{
	/* Of huge pages those that lie in the range whole: others cannot be there. */
	for (unsigned int i = 0; i < AD_SIZES; i++) {
		uint64_t size = UINT64_C(1) << i * CHUNK_BITS;
		vmmap_vpn_t from = (vpn + size - 1) / size, end = (vpn + pages) / size;

		if (from < end)
			clear_below(ad, &ad->tree[i].root, ad->tree[i].levels, 0, from, end - 1);
	}
}
