/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peers: page tables of 4 and 5 levels, as MMUs walk them. A table is 4 KiB: 512 entries of 8
 * bytes, one per key at the lowest level. An entry is value << 1 | 1, or 0. Removing a range gives
 * back the tables that lie in it as a whole, as munmap() does.
 */
#include <stdlib.h>

#include "levels.h"
#include "peer.h"

#define BITS       9u
#define ENTRIES    (1u << BITS)
#define MOST_BYTES ((uint64_t)4 << 30)

typedef uint64_t entry;

struct pages {
	entry *root;
	unsigned int levels;
	uint64_t tables;
};

static entry *table_new(struct pages *p)
{
	entry *table = aligned_alloc(ENTRIES * sizeof(entry), ENTRIES * sizeof(entry));

	if (!table)
		die("page tables: no memory");
	for (unsigned int i = 0; i < ENTRIES; i++)
		table[i] = 0;
	p->tables++;
	return table;
}

static inline entry *table_of(entry e)
{
	return (entry *)(uintptr_t)e;
}

static void table_free(struct pages *p, entry *table, unsigned int level)
{
	for (unsigned int i = 0; level && i < ENTRIES; i++)
		if (table[i])
			table_free(p, table_of(table[i]), level - 1);
	free(table);
	p->tables--;
}

/* ---- Lookup -------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) struct lindex_run find(const void *map, uint64_t key,
								    unsigned int levels)
{
	struct lindex_run run = { key, key, 0, 0, 0, 0 };
	const entry *table = ((const struct pages *)map)->root;
	entry e;

	if (key >> (levels * BITS))
		return run;
	for (unsigned int level = levels - 1; level; level--) {
		table = table_of(table[key >> (level * BITS) & (ENTRIES - 1)]);
		if (!table)
			return run;
	}
	e = table[key & (ENTRIES - 1)];
	run.value = e >> 1;
	run.mapped = e & 1;
	return run;
}

static inline struct lindex_run find4(const void *map, uint64_t key)
{
	return find(map, key, 4);
}

static inline struct lindex_run find5(const void *map, uint64_t key)
{
	return find(map, key, 5);
}

#define LOOP(name) name##4
#define LOOP_FIND  find4
#define LOOP_ATTRIBUTE
#include "loops_body.h"

#define LOOP(name) name##5
#define LOOP_FIND  find5
#define LOOP_ATTRIBUTE
#include "loops_body.h"

/* ---- Change -------------------------------------------------------------------------------- */

/* The lowest table that has @key. */
static entry *walk(struct pages *p, uint64_t key)
{
	entry *table = p->root;

	for (unsigned int level = p->levels - 1; level; level--) {
		entry *at = &table[key >> (level * BITS) & (ENTRIES - 1)];

		if (!*at)
			*at = (uintptr_t)table_new(p);
		table = table_of(*at);
	}
	return table;
}

static void overwrite(void *map, const struct lindex_run *run)
{
	entry *table = NULL;

	for (uint64_t key = run->first;; key++) {
		if (!table || !(key & (ENTRIES - 1)))
			table = walk(map, key);
		table[key & (ENTRIES - 1)] = lindex_value(run, key) << 1 | 1;
		if (key == run->last)
			return;
	}
}

/* Clear what @table has of [first, last], both counted from where it begins. */
static void clear_in(struct pages *p, entry *table, unsigned int level, uint64_t first,
		     uint64_t last)
{
	const unsigned int shift = level * BITS;
	const uint64_t below = ((uint64_t)1 << shift) - 1; /* last key of an entry */

	for (uint64_t i = first >> shift; i <= last >> shift; i++) {
		uint64_t lo = i == first >> shift ? first & below : 0;
		uint64_t hi = i == last >> shift ? last & below : below;

		if (level && table[i] && (lo || hi < below)) {
			clear_in(p, table_of(table[i]), level - 1, lo, hi);
			continue;
		}
		if (level && table[i])
			table_free(p, table_of(table[i]), level - 1);
		table[i] = 0;
	}
}

static void clear(void *map, uint64_t first, uint64_t last)
{
	struct pages *p = map;
	uint64_t top = ((uint64_t)1 << (p->levels * BITS)) - 1;

	if (first <= top)
		clear_in(p, p->root, p->levels - 1, first, last < top ? last : top);
}

/* ---- Life ---------------------------------------------------------------------------------- */

static const char *refuses(const struct lindex_run *runs, size_t n, unsigned int levels)
{
	for (size_t i = 0; i < n; i++) {
		if (runs[i].last >> (levels * BITS))
			return levels == 4 ? "keys above 2^36" : "keys above 2^45";
		if (level_wide(&runs[i]))
			return "values above 2^63";
	}
	if (level_nodes(runs, n, BITS, levels) > MOST_BYTES / (ENTRIES * sizeof(entry)))
		return "more than 4 GiB of tables";
	return NULL;
}

static const char *refuses4(const struct lindex_run *runs, size_t n)
{
	return refuses(runs, n, 4);
}

static const char *refuses5(const struct lindex_run *runs, size_t n)
{
	return refuses(runs, n, 5);
}

static void *build(const struct lindex_run *runs, size_t n, unsigned int levels)
{
	const char *why = refuses(runs, n, levels);
	struct pages *p = grab(sizeof(*p));

	if (why)
		die("page tables: %s", why);
	*p = (struct pages){ .levels = levels };
	p->root = table_new(p);
	for (size_t i = 0; i < n; i++)
		overwrite(p, &runs[i]);
	return p;
}

static void *build4(const struct lindex_run *runs, size_t n)
{
	return build(runs, n, 4);
}

static void *build5(const struct lindex_run *runs, size_t n)
{
	return build(runs, n, 5);
}

static void destroy(void *map)
{
	struct pages *p = map;

	table_free(p, p->root, p->levels - 1);
	free(p);
}

static uint64_t bytes(const void *map)
{
	const struct pages *p = map;

	return sizeof(*p) + p->tables * ENTRIES * sizeof(entry);
}

#define PEER(ident, levels)                                                                        \
	const struct peer_ops ident = {                                                            \
		.name = "radix" #levels,                                                           \
		.about = "page tables of " #levels " levels, 9 bits each, one entry per key",      \
		.single_key = true,                                                                \
		.refuses = refuses##levels,                                                        \
		.build = build##levels,                                                            \
		.free = destroy,                                                                   \
		.lookups = lookups##levels,                                                        \
		.chain = chain##levels,                                                            \
		.lookup = lookup##levels,                                                          \
		.overwrite = overwrite,                                                            \
		.remove = clear,                                                                   \
		.bytes = bytes,                                                                    \
	}

PEER(peer_radix4, 4);
PEER(peer_radix5, 5);
