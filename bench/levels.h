/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Structures with one entry per key: how large they would be, before they are.
 */
#ifndef BENCH_LEVELS_H
#define BENCH_LEVELS_H

#include <stdbool.h>

#include "lindex.h"

/** levels_for() - Levels of nodes of 2^@bits entries that the runs' greatest key takes. */
static inline unsigned int levels_for(const struct lindex_run *runs, size_t n, unsigned int bits)
{
	unsigned int levels = 1;

	while (n && levels * bits < 64 && runs[n - 1].last >> (levels * bits))
		levels++;
	return levels;
}

/** level_nodes() - Nodes of all @levels that sorted runs take. */
static inline uint64_t level_nodes(const struct lindex_run *runs, size_t n, unsigned int bits,
				   unsigned int levels)
{
	uint64_t nodes = 0;

	for (unsigned int shift = bits; shift <= levels * bits; shift += bits) {
		uint64_t next = 0; /* not counted yet */

		for (size_t i = 0; i < n; i++) {
			uint64_t lo = shift < 64 ? runs[i].first >> shift : 0;
			uint64_t hi = shift < 64 ? runs[i].last >> shift : 0;

			lo = lo < next ? next : lo;
			nodes += hi + 1 - lo;
			next = hi + 1;
		}
	}
	return nodes;
}

/** level_wide() - Whether a value takes more than the 63 bits that an entry has. */
static inline bool level_wide(const struct lindex_run *run)
{
	return run->value >> 63 || lindex_value(run, run->last) >> 63;
}

#endif
