/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Elastic cuckoo page tables, private to their backend (Skarlatos, Kokolis, Xu, Torrellas, ASPLOS 2020): one hash table for each page size, three ways of
 * 16,384 lines at first, doubled when 0.6 full, a few lines of the old ways with each insert. A line holds eight neighbouring
 * pages:
 *
 *      63      56 55     51         12        9 8   7   6   5  4  3  2  1  0
 *     +----------+------+-------------+--------+---+---+---+---+--+--+--+--+--+
 *     | tag byte |  0   | frame       |   0    | D | A |COW|RSV|SH|US|EX|WR| P|     bit 0..6: VMMAP_PROT_*
 *     +----------+------+-------------+--------+---+---+---+---+--+--+--+--+--+
 *
 * The eight tag bytes are the line's key, with the highest bit set; a line of zeroes is free. Two more tables of the same kind are the
 * cuckoo walk tables: how many pages of which size lie in each 2 MiB and each 1 GiB, so that a walker knows which table to ask.
 *
 * Readers may miss a line that is being moved; moves are counted, and a miss beside a move is looked for again. A line is
 * copied before it is cleared, and accessed bits that came meanwhile are carried over. Tables do not shrink.
 */
#ifndef VMMAP_ECPT_H
#define VMMAP_ECPT_H

#include <stdatomic.h>

#include "backend.h"

#define WAYS       3u
#define WORDS      8u
#define LINE_BYTES 64u

#define WALK_2M 3u /* tables 0..2: pages of 4K, 2M, 1G */
#define WALK_1G 4u
#define TABLES  5u

#define PROT  UINT64_C(0x7f)
#define A     UINT64_C(0x80)
#define D     UINT64_C(0x100)
#define FRAME (((UINT64_C(1) << 52) - 1) & ~UINT64_C(0xfff))
#define VALID (UINT64_C(1) << 63)
#define BODY  ((UINT64_C(1) << 56) - 1)

typedef _Atomic uint64_t word;

/* The ways of one size; published as one, freed when readers are gone. */
struct ways {
	uint64_t size; /* lines of a way */
	uint64_t addr; /* of the first line, in hardware walks */
	word *line[WAYS];
	_Atomic uint64_t moved[WAYS]; /* lines of a way that are in the next ones already */
};

struct hash {
	_Atomic(struct ways *) now, next;
	_Atomic uint64_t moves; /* odd: one under way */
	uint64_t lines;         /* in use */
	unsigned int depth;     /* of moves within moves */
};

struct ecpt {
	struct vmmap_host *host;
	struct hash hash[TABLES];
	vmmap_vpn_t vpn_end;
	unsigned int va_bits;
	uint64_t next_addr, random;
	struct vmmap_cost cost;
};

/* ---- Lines: 64 bytes, eight pages ------------------------------------------------------------- */

static inline uint64_t load(const word *w)
{
	return atomic_load_explicit((word *)w, memory_order_acquire);
}

static inline uint64_t hash_of(uint64_t key, unsigned int way)
{
	static const uint64_t mul[WAYS] = { UINT64_C(0x9e3779b97f4a7c15),
					    UINT64_C(0xc2b2ae3d27d4eb4f),
					    UINT64_C(0xd6e8feb86659fd93) };
	uint64_t h = (key + 1) * mul[way];

	h ^= h >> 32;
	h *= mul[(way + 1) % WAYS];
	return h ^ h >> 29;
}

static inline bool line_is(const word *line, uint64_t key, unsigned int first)
{
	uint64_t tag = key | VALID;

	/* The word that is wanted is looked at first: it tells most strangers. */
	if ((load(&line[first]) >> 56) != (tag >> 8 * first & 0xff))
		return false;
	for (unsigned int i = 0; i < WORDS; i++)
		if ((load(&line[i]) >> 56) != (tag >> 8 * i & 0xff))
			return false;
	return true;
}

static inline uint64_t line_key(const word *line)
{
	uint64_t tag = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		tag |= load(&line[i]) >> 56 << 8 * i;
	return tag & ~VALID;
}

static inline bool line_free(const word *line)
{
	return !(load(&line[WORDS - 1]) & VALID);
}

/* Where @key is in @way: in the old lines or in the new ones. */
static inline word *line_at(const struct hash *h, uint64_t key, unsigned int way, uint64_t *addr)
{
	struct ways *now = atomic_load_explicit(&((struct hash *)h)->now, memory_order_acquire);
	struct ways *next = atomic_load_explicit(&((struct hash *)h)->next, memory_order_acquire);
	uint64_t hash = hash_of(key, way), i = hash & (now->size - 1);

	if (next && i < atomic_load_explicit(&now->moved[way], memory_order_acquire)) {
		now = next;
		i = hash & (next->size - 1);
	}
	if (addr)
		*addr = now->addr + (way * now->size + i) * LINE_BYTES;
	return now->line[way] + i * WORDS;
}

static inline bool line_empty(const word *line)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (load(&line[i]) & BODY)
			return false;
	return true;
}

/* ---- Ways: ecpt_ways.c ------------------------------------------------------------------------- */

/** vmmap_ecpt_find() - The line of @key, or NULL. @first: the word of it that is wanted. Context: reader. */
word *vmmap_ecpt_find(const struct hash *h, uint64_t key, unsigned int first);

/** vmmap_ecpt_insert() - The line of @key, made if it is not there. NULL: no memory. Context: mutator. */
word *vmmap_ecpt_insert(struct ecpt *t, unsigned int table, uint64_t key);

/** vmmap_ecpt_remove_if_empty() - Frees the place of a line (or NULL) that has no page any more. Context: mutator. */
void vmmap_ecpt_remove_if_empty(struct ecpt *t, unsigned int table, word *line);

/** vmmap_ecpt_ways_free() - No readers left. */
void vmmap_ecpt_ways_free(struct ecpt *t, struct ways *w);

#endif
