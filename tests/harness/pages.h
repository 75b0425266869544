/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A pager over a temporary file: page number -> place in the file. Counts, fails and corrupts on
 * demand.
 */
#ifndef HARNESS_PAGES_H
#define HARNESS_PAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lindex.h"

/**
 * struct page_file -
 * @pager:       For lindex_config. @pager.store may be set to NULL.
 * @loads, @stores: Calls so far, failed ones included.
 * @highest:     One more than the highest page ever stored.
 * @fail_load, @fail_store: Errno to return from now on (positive), or 0.
 * @corrupt:     If set, changes the bytes of each page that is loaded.
 */
struct page_file {
	struct lindex_pager pager;
	FILE *file;
	uint64_t loads, stores, highest;
	int fail_load, fail_store;
	void (*corrupt)(void *ctx, uint32_t page, uint8_t *bytes);
	void *corrupt_ctx;
};

void page_file_open(struct page_file *pf);
void page_file_close(struct page_file *pf);

/** page_file_read(), page_file_write() - Behind the index's back. */
void page_file_read(struct page_file *pf, uint32_t page, void *bytes);
void page_file_write(struct page_file *pf, uint32_t page, const void *bytes);

#endif
