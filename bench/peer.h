/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A peer: one structure behind a small table of functions. Loops are inside the functions, so that
 * no peer pays for an indirect call per key.
 *
 * Every peer answers a lookup with the same words (struct lindex_run: the whole run or the whole
 * hole), except the bare ones, which know keys and values only, and those with one entry per key.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct peer_ops -
 * @about:      What it is, in one line.
 * @single_key: One entry per key: the answer to a key is key_run(), not the run or hole around it.
 * @refuses:    Why it cannot hold these runs, or NULL if it can. Or NULL: it holds any.
 * @build:      From sorted runs that are no neighbours of each other; at least one, where the peer
 *              is read-only. Does not fail: it exits.
 * @lookups:    Look up @n keys. Return: the sum of answer_sum(), or of bare_sum() if @bare.
 * @batch:      The same, with the work of several keys overlapped. Or NULL.
 * @chain:      The same, but key i + 1 is chain_next() of answer i. Or NULL.
 * @lookup:     One whole answer, for checks. NULL if @bare.
 * @overwrite:  Store a run over whatever was there. Or NULL.
 * @remove:     Clear [first, last]. Or NULL.
 * @bytes:      All memory of the map.
 */
struct peer_ops {
	const char *name, *about;
	bool bare, single_key;
	const char *(*refuses)(const struct lindex_run *runs, size_t n);
	void *(*build)(const struct lindex_run *runs, size_t n);
	void (*free)(void *map);
	uint64_t (*lookups)(const void *map, const uint64_t *keys, size_t n);
	uint64_t (*batch)(const void *map, const uint64_t *keys, size_t n);
	uint64_t (*chain)(const void *map, const uint64_t *keys, size_t n);
	void (*lookup)(const void *map, uint64_t key, struct lindex_run *run);
	void (*overwrite)(void *map, const struct lindex_run *run);
	void (*remove)(void *map, uint64_t first, uint64_t last);
	uint64_t (*bytes)(const void *map);
};

/** peer_all() - Every peer that there is on this machine (not the limits). One thread at first. */
const struct peer_ops *const *peer_all(size_t *n);

/** peer_named() - Or NULL. */
const struct peer_ops *peer_named(const char *name);

#define PEER_KERNEL_MOST 2u

/**
 * peer_kernel() - The peers that kernel_peers.sh has built, or those of the library that
 * $LINDEX_KERNEL_PEERS names. Return: how many, PEER_KERNEL_MOST at most.
 */
size_t peer_kernel(const struct peer_ops **out);

extern const struct peer_ops peer_lindex, peer_lindex_no_simd, peer_lindex_huge;
extern const struct peer_ops peer_lindex_batch, peer_lindex_batch_huge;
extern const struct peer_ops peer_absl, peer_absl_bare, peer_judy, peer_judy_bare, peer_array;
extern const struct peer_ops peer_std_map, peer_bptree, peer_bptree_no_simd;
extern const struct peer_ops peer_stree, peer_stree_no_simd, peer_stree_huge;
extern const struct peer_ops peer_radix4, peer_radix5, peer_radix64, peer_extents;

/* The limit: one random access to as many 16-byte pairs. Its keys are positions. */
extern const struct peer_ops peer_limit, peer_limit_huge;

/** peer_lindex_index() - What is behind the map of a lindex peer. */
struct lindex *peer_lindex_index(void *map);

/** peer_lindex_build() - A map of peer_lindex whose index is not the default one. */
void *peer_lindex_build(const struct lindex_config *index, const struct lindex_run *runs, size_t n);

/** peer_extents_blocks() - How many blocks of 4 KiB there are beside the inode, unused ones included. */
size_t peer_extents_blocks(const void *map);

/** peer_extents_block() - One of them, or NULL if it is unused. */
const void *peer_extents_block(const void *map, size_t number);

/** peer_extents_depth() - How many of them a lookup reads. */
unsigned int peer_extents_depth(const void *map);

/** reader_register() - This thread will read a lindex peer. */
void reader_register(void);
void reader_unregister(void);
void reader_lock(void);
void reader_unlock(void);

/** struct extent - What the peers keep beside the first key: 24 bytes. */
struct extent {
	uint64_t last, value;
	uint16_t tag;
	uint8_t step;
};

static inline struct extent extent_of(const struct lindex_run *run)
{
	struct extent e = { run->last, run->value, run->tag, run->step };

	return e;
}

static inline struct lindex_run extent_run(uint64_t first, const struct extent *e)
{
	struct lindex_run run = { first, e->last, e->value, e->tag, e->step, 1 };

	return run;
}

static inline struct lindex_run hole_run(uint64_t first, uint64_t last)
{
	struct lindex_run run = { first, last, 0, 0, 0, 0 };

	return run;
}

/* What is left of the extent at @first from @key on. */
static inline struct extent extent_rest(uint64_t first, const struct extent *e, uint64_t key)
{
	struct extent rest = { e->last, e->value + (e->step ? key - first : 0), e->tag, e->step };

	return rest;
}

/* Whether the extents at @first and at @next are one run. A sequence does not pass 2^64-1. */
static inline bool extent_continues(uint64_t first, const struct extent *e, uint64_t next,
				    const struct extent *f)
{
	return e->last + 1 == next && e->tag == f->tag && e->step == f->step &&
	       e->value + (e->step ? next - first : 0) == f->value && !(e->step && !f->value);
}

/* The answer of a structure with one entry per key, which knows neither tag nor neighbours. */
static inline struct lindex_run key_run(const struct lindex_run *run, uint64_t key)
{
	struct lindex_run one = { key, key, lindex_value(run, key), 0, 0, run->mapped };

	return one;
}

/* All of an answer is consumed. */
static inline uint64_t answer_sum(const struct lindex_run *run, uint64_t key)
{
	return lindex_value(run, key) + run->first + run->last + run->tag;
}

static inline uint64_t bare_sum(uint64_t first, uint64_t value, uint64_t key)
{
	return value + (key - first);
}

/*
 * The next key of a chain: @key with its low bits changed by the last answer's value. The barrier
 * keeps the compiler from seeing that only three bits matter.
 */
static inline uint64_t chain_next(uint64_t key, uint64_t value)
{
	__asm__ volatile("" : "+r"(value));
	return key ^ (value & 7);
}

/** die() - Print and exit with 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);

/** grab() - malloc() or die. */
void *grab(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
