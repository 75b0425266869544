/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Generators of run sets: the shapes that real maps have, and the shapes that hurt a learned index.
 * Everything is a function of shape, size and random stream.
 */
#ifndef HARNESS_KEYS_H
#define HARNESS_KEYS_H

#include "rng.h"
#include "twin.h"

enum shape {
	SHAPE_NONE,            /* no run */
	SHAPE_ONE_KEY,         /* one run of one key */
	SHAPE_LFS_AGED,        /* a file written in order, then overwritten at random into a log */
	SHAPE_SCATTERED_PAGES, /* every key present, values random in 24 bits: page frames */
	SHAPE_SLOPED_PAGES,    /* every key present, values on a line plus jitter */
	SHAPE_STRIDE,          /* keys at a stride of 2..9, one each, values in order */
	SHAPE_ESPFIX,          /* one key in 16, all with the same value */
	SHAPE_SPARSE_RANDOM,   /* every end, value, tag and step random over 64 bits */
	SHAPE_LOGNORMAL,       /* gaps lognormal */
	SHAPE_EXPONENTIAL,     /* gaps grow exponentially up to 2^64 */
	SHAPE_OUTLIER,         /* dense from 0, and one run far away */
	SHAPE_ZIGZAG,          /* alternately a fixed distance above and below a line */
	SHAPE_HUGE,            /* runs of 2^20..2^50 keys that touch */
	SHAPE_ALTERNATE,       /* every other key a hole */
	SHAPE_PRESENCE,        /* single pages, half of them present */
	SHAPE_NEAR_TOP,        /* random runs in the last keys, 2^64-1 included */
	SHAPE_TAGGED,          /* touching runs that differ in tag or step only */
	SHAPE_MIXTURE,         /* regions of the others */
	SHAPE_COUNT
};

const char *shape_name(enum shape shape);

/** shape_make() - @out becomes about @n runs of @shape (an empty twin works, too). */
void shape_make(enum shape shape, size_t n, struct rng *rng, struct twin *out);

/** lfs_aged() - @blocks written in order, then as many overwritten in pieces of 1-64, mean 6. */
void lfs_aged(uint64_t blocks, struct rng *rng, struct twin *out);

#endif
