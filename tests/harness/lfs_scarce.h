/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory for an engine whose objects call these instead of malloc() and its kin (the same objects, renamed by objcopy:
 * tests/fs-lfs/CMakeLists.txt), so that its allocations can be counted and made to fail, and nobody else's.
 *
 *     scarce_fail(3);                       // the third allocation from now fails
 *     rc = lfs_write(...);
 *     if (!scarce_fail(0)) ...              // it needed fewer
 *
 * Context: one thread.
 */
#ifndef HARNESS_LFS_SCARCE_H
#define HARNESS_LFS_SCARCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** scarce_fail() - The @k-th allocation from now fails (1: the next); 0: none. Return: did one fail since the last call? */
bool scarce_fail(uint64_t k);

/** scarce_live() - Allocations that were not given back. */
uint64_t scarce_live(void);

/* What the engine's objects call. */
void *scarce_malloc(size_t size);
void *scarce_calloc(size_t n, size_t size);
void *scarce_realloc(void *memory, size_t size);
void *scarce_aligned_alloc(size_t align, size_t size);
void scarce_free(void *memory);

#endif
