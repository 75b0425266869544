/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One index, its pool, its allocator and its twin; and random operations on both. Closing a world
 * checks that nothing leaked.
 */
#ifndef HARNESS_WORLD_H
#define HARNESS_WORLD_H

#include "alloc_fail.h"
#include "rng.h"
#include "twin.h"

struct world {
	struct alloc_probe probe;
	struct lindex_pool *pool;
	struct lindex *ix;
	struct twin twin;
};

/** world_open() - @cfg may be NULL; @flags LINDEX_POOL_*; @cap_bytes 0: none. */
void world_open(struct world *w, const struct lindex_config *cfg, uint32_t flags,
		uint64_t cap_bytes);
void world_close(struct world *w);

/** world_build() - Bulk load @t into the index and the twin. */
void world_build(struct world *w, const struct twin *t);

/** struct op - A change. Of a remove only run.first and run.last count. */
struct op {
	struct lindex_run run;
	bool is_remove;
};

/**
 * op_draw() - A random change near what is there.
 * @now:   The contents: edges, joins, splits and wide clears are drawn around its runs.
 * @donor: Where keys and values come from: runs of one shape (keys.h). May be empty.
 * @limit: Number of runs above which removes prevail.
 */
struct op op_draw(const struct twin *now, const struct twin *donor, size_t limit, struct rng *rng);

int op_apply(struct lindex *ix, const struct op *op);
void op_apply_twin(struct twin *t, const struct op *op);

/** world_do() - Apply @op to both; it must succeed. */
void world_do(struct world *w, const struct op *op);

#endif
