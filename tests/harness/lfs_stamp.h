/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Contents that say where they come from: each word of eight bytes holds the number of the write that made it and its
 * place in the file. So wrong bytes tell whose they are: stale, foreign, shifted, or nobody's.
 */
#ifndef HARNESS_LFS_STAMP_H
#define HARNESS_LFS_STAMP_H

#include <stddef.h>
#include <stdint.h>

/** lfs_stamp_fill() - Bytes [@offset, @offset + @len) of a file, by write @stamp (not 0). */
void lfs_stamp_fill(uint8_t *buf, size_t len, uint64_t offset, uint32_t stamp);

/** lfs_stamp_explain() - Where the blocks @got and @want first differ, in words. @offset: of the block in its file. */
void lfs_stamp_explain(char *text, size_t room, const uint8_t *got, const uint8_t *want,
		       uint64_t offset);

#endif
