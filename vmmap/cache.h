/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Set-associative caches with true LRU: data caches, TLBs and walk caches of the simulator are all this.
 *
 * A set is an array in order of use, the last used first:
 *
 *     set    [ a  b  c  d ]                touch c: [ c  a  b  d ]   a hit: c moves to the front
 *                                          touch e: [ e  a  b  c ]   a miss: d falls out
 *
 * Searching and moving are one pass, and a miss is as long as its set. No allocation after init, no division
 * unless the number of sets is no power of two.
 *
 * Invariants:
 *   C1  No key stands twice in a set.
 *   C2  Keys are stored plus 1, and 0 is an empty way; all empty ways are behind all used ones.
 */
#ifndef VMMAP_CACHE_H
#define VMMAP_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct cache - Keys alone: the lines of a data cache, the entries of a walk cache.
 * @mask: Sets - 1, or 0 if that is no power of two.
 */
struct cache {
	uint64_t *keys;
	uint64_t mask;
	uint32_t sets, ways;
};

/** struct tlb_entry - @key as above; @word: VMMAP_WORD of the page. */
struct tlb_entry {
	uint64_t key, word;
};

/** struct tlb - Keys and what they stand for. */
struct tlb {
	struct tlb_entry *entries;
	uint64_t mask;
	uint32_t sets, ways;
};

/** cache_init() - @ways 0 or more than @entries: fully associative. Return: 0, -ENOMEM, -EINVAL (no whole sets). */
int cache_init(struct cache *c, uint32_t entries, uint32_t ways);
int tlb_init(struct tlb *t, uint32_t entries, uint32_t ways);
void cache_destroy(struct cache *c);
void tlb_destroy(struct tlb *t);

static inline uint64_t cache_set(uint64_t mask, uint32_t sets, uint64_t key)
{
	return mask || sets == 1 ? key & mask : key % sets;
}

/** cache_touch() - Whether @key was there; it is afterwards, as the last used. @index chooses the set. */
static inline bool cache_touch(struct cache *c, uint64_t index, uint64_t key)
{
	uint64_t *set = c->keys + cache_set(c->mask, c->sets, index) * c->ways;
	uint64_t moving = set[0], wanted = key + 1;

	if (moving == wanted)
		return true;
	set[0] = wanted;
	for (uint32_t i = 1; i < c->ways; i++) {
		uint64_t found = set[i];

		set[i] = moving;
		if (found == wanted)
			return true;
		moving = found;
	}
	return false;
}

/** cache_find() - Whether @key is there; then it is the last used. A miss changes nothing. */
static inline bool cache_find(struct cache *c, uint64_t index, uint64_t key)
{
	uint64_t *set = c->keys + cache_set(c->mask, c->sets, index) * c->ways;

	for (uint32_t i = 0; i < c->ways; i++) {
		if (set[i] != key + 1)
			continue;
		for (; i; i--)
			set[i] = set[i - 1];
		set[0] = key + 1;
		return true;
	}
	return false;
}

/** tlb_find() - The word of @key, which then is the last used; 0 if it is not there. */
static inline uint64_t tlb_find(struct tlb *t, uint64_t index, uint64_t key)
{
	struct tlb_entry *set = t->entries + cache_set(t->mask, t->sets, index) * t->ways;

	if (set[0].key == key + 1)
		return set[0].word;
	for (uint32_t i = 1; i < t->ways; i++) {
		struct tlb_entry found = set[i];

		if (found.key != key + 1)
			continue;
		for (; i; i--)
			set[i] = set[i - 1];
		set[0] = found;
		return found.word;
	}
	return 0;
}

/** tlb_has() - Whether @key is there. Changes nothing. */
static inline bool tlb_has(const struct tlb *t, uint64_t index, uint64_t key)
{
	const struct tlb_entry *set = t->entries + cache_set(t->mask, t->sets, index) * t->ways;

	for (uint32_t i = 0; i < t->ways; i++)
		if (set[i].key == key + 1)
			return true;
	return false;
}

/** tlb_fill() - Put @key in front, where tlb_find() did not find it. */
static inline void tlb_fill(struct tlb *t, uint64_t index, uint64_t key, uint64_t word)
{
	struct tlb_entry *set = t->entries + cache_set(t->mask, t->sets, index) * t->ways;

	for (uint32_t i = t->ways - 1; i; i--)
		set[i] = set[i - 1];
	set[0] = (struct tlb_entry){ key + 1, word };
}

#endif
