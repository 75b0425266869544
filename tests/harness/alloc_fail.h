/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An allocator that counts, fails on demand, and notices misuse: memory comes filled with junk, goes
 * back checked (size, double free), and may stand between guard pages.
 *
 *     struct alloc_probe probe;
 *
 *     alloc_probe_init(&probe);
 *     cfg.allocator = &probe.allocator;
 *     alloc_probe_fail(&probe, 3);           // the third allocation from now fails
 *     ...
 *     alloc_probe_assert_empty(&probe);      // nothing leaked
 */
#ifndef HARNESS_ALLOC_FAIL_H
#define HARNESS_ALLOC_FAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "lindex.h"

/**
 * struct alloc_probe -
 * @calls, @failed: Allocations asked for, and refused.
 * @live_bytes, @live_blocks, @peak_bytes: Given out now; most ever.
 * @fail_in:  Allocations until one fails, it included. 0: none does.
 * @fail_all: From that one on, all fail.
 * @guarded:  Set before first use: each block ends at an inaccessible page.
 */
struct alloc_probe {
	struct lindex_allocator allocator;
	uint64_t calls, failed;
	uint64_t live_bytes, live_blocks, peak_bytes;
	uint64_t fail_in;
	bool fail_all, guarded;
};

void alloc_probe_init(struct alloc_probe *probe);

/** alloc_probe_fail() - The @k-th allocation from now fails (1: the next). 0: none. */
void alloc_probe_fail(struct alloc_probe *probe, uint64_t k);

/** alloc_probe_fail_all() - Every allocation from now on fails, or none. */
void alloc_probe_fail_all(struct alloc_probe *probe, bool fail);

/** alloc_probe_assert_empty() - Everything came back. */
void alloc_probe_assert_empty(const struct alloc_probe *probe);

#endif
