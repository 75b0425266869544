/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The address space of a process as the kernel tells it: page -> page frame. What it maps without any right to it
 * (reserved ranges, guard pages) is left out: no access would be translated there.
 */
#ifndef LINDEX_TOOL_PAGEMAP_H
#define LINDEX_TOOL_PAGEMAP_H

#include <lindex.h>
#include <stdio.h>

/* What is done with a page, a run of one key. 0, or a negative errno that ends it. */
typedef int (*pagemap_page_fn)(void *ctx, const struct lindex_run *page);

/**
 * pagemap_read() - Call @add for each page that is in memory, in order.
 * @maps:    /proc/PID/maps. @pagemap: /proc/PID/pagemap, open.
 * @most:    Pages of one mapping that are looked at.
 * @hidden:  Output: pages that are there, but the kernel does not say where.
 *
 * Where the process ends meanwhile there is no more to read, which is no error.
 *
 * Return: 0, -ENOMEM, or what @add returned.
 */
int pagemap_read(FILE *maps, int pagemap, uint64_t most, pagemap_page_fn add, void *ctx,
		 uint64_t *hidden);

#endif /* LINDEX_TOOL_PAGEMAP_H */
