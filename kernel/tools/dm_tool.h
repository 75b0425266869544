/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lindex-dm's own: extents, where they come from, and the file that the target reads. Sectors are 512 bytes. */
#ifndef LINDEX_DM_TOOL_H
#define LINDEX_DM_TOOL_H

#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

#define SECTOR_BYTES 512u

/**
 * struct extents - Runs in sectors: first and last of the mapped device, value on the data device.
 */
struct extents {
	struct lindex_run *runs;
	size_t n, room;
};

void extents_free(struct extents *x);

/** extents_add() - @where names the source in a message. 0, or -1: said on stderr. */
int extents_add(struct extents *x, uint64_t first, uint64_t length, uint64_t to, const char *where);

/** extents_sort() - Ascending; overlaps are refused. 0, or -1: said. */
int extents_sort(struct extents *x, const char *source);

/** extents_read() - @source: a text map, "-", or fiemap:FILE. @unwritten: take extents without data, too. */
int extents_read(struct extents *x, const char *source, int unwritten);

/** complain() - One line on stderr, with the program's name. Returns -1. */
__attribute__((format(printf, 1, 2))) int complain(const char *fmt, ...);

/** progress() - On a terminal, now and then. @n 0: wipe it out. */
void progress(const char *what, uint64_t n);

#endif
