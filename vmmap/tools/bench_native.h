/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Native speed of every backend on one mapping: what a translation costs this machine, not a simulated one. Rounds of all
 * backends are interleaved, so that a noisy machine is noisy for all; each answer is checked.
 */
#ifndef VMMAP_BENCH_NATIVE_H
#define VMMAP_BENCH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct bench_native_config - Zeroed by the caller; 0 means default.
 * @pages:     Mapped. Default 2^24.
 * @run_pages: Mean length of runs of consecutive frames; 1 (default): scattered.
 * @queries:   Translations in one round. Default 2^21.
 * @rounds:    Default 5; the median counts.
 * @seed:      Of frames and addresses.
 * @huge:      Tables in huge pages of the host, all of them.
 * @backend:   Names with commas between; NULL: all.
 * @progress:  Called with what is being done; may be NULL.
 */
struct bench_native_config {
	uint64_t pages, run_pages, queries, rounds, seed;
	bool huge;
	const char *backend;
	void (*progress)(void *ctx, const char *what, unsigned int done, unsigned int of);
	void *ctx;
};

/**
 * struct bench_native_row - One backend; the first row is "limit": one access to an array of 16-byte pairs, as many as pages.
 * Times are ns per translation or per page; negative: does not apply.
 * @throughput: Independent translations, accessed bits on. @dependent: each address hangs on the frame before it.
 * @batch:     vmmap_translate_batch().
 * @load:      vmmap_load() of all. @unmap, @fault_in: single pages, at random; then mapped again, at random.
 * @fault_in_p999: Of single calls, 99.9th percentile.
 * @fork:      vmmap_fork(). @cow: vmmap_cow() of single pages, at random.
 * @fork_bytes: Tables of parent and child together, against one before.
 */
struct bench_native_row {
	const char *backend;
	double throughput, dependent, batch, load, unmap, fault_in, fault_in_p999, fork, cow;
	double fork_bytes;
	uint64_t table_bytes, host_bytes;
};

#define BENCH_NATIVE_ROWS 8

/**
 * bench_native_run() - Return: number of rows, or negative errno. -EUCLEAN: an answer was wrong.
 * @rows: At least BENCH_NATIVE_ROWS.
 */
int bench_native_run(const struct bench_native_config *cfg, struct bench_native_row *rows);

#endif
