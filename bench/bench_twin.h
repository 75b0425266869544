/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A twin that changes: the sorted array of runs, cut into pieces so that a change moves one piece and not
 * all of it. It is searched by binary search, first over the pieces, then in one.
 */
#ifndef BENCH_TWIN_H
#define BENCH_TWIN_H

#include "gen.h"

/** struct twin - @pieces are sorted, none is empty, except the only one. */
struct twin {
	struct runs *pieces;
	size_t n, room;
};

/** twin_init() - With a copy of @runs. Dies without memory, like all below. */
void twin_init(struct twin *twin, const struct runs *runs);

/** twin_store() - @run over whatever was there. Runs stay maximal. */
void twin_store(struct twin *twin, const struct lindex_run *run);

/** twin_clear() - Nothing in [@first, @last] any more. */
void twin_clear(struct twin *twin, uint64_t first, uint64_t last);

/** twin_lookup() - The whole run or the whole hole around @key. */
void twin_lookup(const struct twin *twin, uint64_t key, struct lindex_run *run);

/** twin_runs() - All of them, to be freed by runs_free(). */
void twin_runs(const struct twin *twin, struct runs *runs);
void twin_free(struct twin *twin);

#endif
