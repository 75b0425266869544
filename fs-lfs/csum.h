/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Checksums: XXH3-64, keyed. A block of the log is keyed with its place and its segment's sequence number, so that
 * a block that was written elsewhere, or is left over from an earlier use of the segment, does not match.
 */
#ifndef LFS_CSUM_H
#define LFS_CSUM_H

#include <stddef.h>
#include <stdint.h>

/** lfs_csum_block() - Of one block of the log at @daddr, in a segment with @seq. */
uint64_t lfs_csum_block(const void *block, uint64_t daddr, uint64_t seq);

/** lfs_csum_parts() - The same over two pieces, the first with 8 bytes at @hole taken as zero. @b may be empty. */
uint64_t lfs_csum_parts(const void *a, size_t a_bytes, size_t hole, const void *b, size_t b_bytes,
			uint64_t daddr, uint64_t seq);

/** lfs_csum_fixed() - Of a structure at a fixed place, its 8 bytes at @hole taken as zero. */
uint64_t lfs_csum_fixed(const void *bytes, size_t len, size_t hole, uint64_t block);

/** lfs_csum_name() - Hash of a name in a directory. */
uint64_t lfs_csum_name(const char *name, size_t len, uint64_t seed);

#endif
