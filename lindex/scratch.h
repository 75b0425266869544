/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Working memory of the one writer that a pool has at a time. Allocated with the pool, so that
 * updates need none and no big array is on a stack.
 */
#ifndef LINDEX_SCRATCH_H
#define LINDEX_SCRATCH_H

#include "internal.h"

#define SCRATCH_RUNS    (3 * LINDEX_LEAF_RUNS + 8)  /* two cut leaves, a neighbour, the new run */
#define SCRATCH_ENTRIES (3 * LINDEX_INNER_MAX + 32) /* two cut nodes, a neighbour, new entries */
#define SCRATCH_PIECES  16u                         /* leaves that one update may write */

struct lindex_scratch {
	uint64_t patch[LINDEX_PATCH_ROOM / sizeof(uint64_t)];
	struct lindex_run decoded[LINDEX_LEAF_RUNS];
	struct lindex_run runs[SCRATCH_RUNS];
	struct lindex_entry entries[SCRATCH_ENTRIES];
	struct lindex_entry decoded_entries[LINDEX_INNER_MAX];
	struct lindex_entry fresh[SCRATCH_PIECES], next[SCRATCH_PIECES];
};

#endif /* LINDEX_SCRATCH_H */
