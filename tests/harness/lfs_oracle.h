/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What may be found after a crash. The promise (lfs.h): the tree is as it was after some operation k, all of it, and
 * k is not before what was made durable. Only an operation on several blocks of a file may be found half done.
 *
 *     operations   0 . . . . . . . . . . . . . .
 *                        ^oldest       ^newest       fsync returned, nothing later was issued
 *                         \_____k_____/
 */
#ifndef HARNESS_LFS_ORACLE_H
#define HARNESS_LFS_ORACLE_H

#include "lfs_twin.h"

#define ORACLE_WHY_BYTES 600u

/**
 * lfs_oracle_observe() - Walk all of a mounted filesystem by its API.
 * @seen: Output, initialised here: what is there, as a twin without a past. The caller destroys it.
 * @why:  Where it failed.
 *
 * Return: 0, or the error of the call that failed; -EUCLEAN: calls contradict each other.
 */
int lfs_oracle_observe(struct lfs *fs, struct lfs_twin *seen, char why[ORACLE_WHY_BYTES]);

/**
 * lfs_oracle_match() - Is @seen the tree of @twin after an operation in [@oldest, @newest]?
 * @at:  Output: which.
 * @why: If not: what differs from the nearest.
 */
bool lfs_oracle_match(const struct lfs_twin *twin, const struct lfs_twin *seen, uint32_t oldest,
		      uint32_t newest, uint32_t *at, char why[ORACLE_WHY_BYTES]);

/**
 * lfs_oracle_promise() - The oldest operation that may be found once an fsync of @node, now, has returned.
 * @node: TWIN_NONE: sync of everything.
 */
uint32_t lfs_oracle_promise(const struct lfs_twin *twin, uint32_t node, bool data_only);

#endif
