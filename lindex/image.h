/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The image: an index as bytes. Little-endian, a multiple of 4096 long, a function of runs and
 * configuration alone.
 *
 *      page 0            header
 *      page 1..L         leaves, in key order, each at the next unit where it does not cross a page
 *      page L+1..L+I     inner nodes, in the order in which the builder closed them, packed likewise
 *      then S pages      checksums of pages 1..L+I, 8 bytes each, 508 a page; the page's last 32 bytes
 *                        are zero but for the last 8: the checksum of its first 4064
 *
 * Refs count 64-byte units from the beginning of the image, so it is used in place. Checksums are
 * lindex_hash() (XXH64, seed 0) of the 4096 bytes of a page. All else is zero.
 */
#ifndef LINDEX_IMAGE_H
#define LINDEX_IMAGE_H

#include "node.h"

#define LINDEX_IMAGE_MAGIC   0x3147414d4958444cull /* "LDXIMAG1" */
#define LINDEX_IMAGE_VERSION 1u
#define LINDEX_IMAGE_SUMS    508u
#define LINDEX_IMAGE_SUMMED                                                                        \
	4064u /* bytes of the header and of a page of sums that their checksum covers */

/*
 *      0        8     12      16      20       24      28      32      36    40     48     56     64
 *      +--------+-----+-------+-------+--------+-------+-------+-------+-----+------+------+------+
 *      | magic  | ver | page  | epsi- | node_  | pages | leaf_ | inner_| sum_| root | runs | nodes|
 *      |        |     | bytes | lon   | bytes  |       | pages | pages | pgs | word |      |      |
 *      +--------+-----+-------+-------+--------+-------+-------+-------+-----+------+------+------+
 *   64 | inline runs: up to 3 terminal runs of 32 bytes; their number is runs                       |
 *  160 | zero to 4088                                                                                |
 * 4088 | checksum of bytes 0..4064                                                                   |
 */
struct lindex_image_header {
	lindex_le64 magic;
	lindex_le32 version, page_bytes, epsilon, node_bytes;
	lindex_le32 pages, leaf_pages, inner_pages, sum_pages;
	lindex_le64 root, runs, nodes;
	struct lindex_term inline_runs[3];
	uint8_t zero[4096 - 160 - 8];
	lindex_le64 checksum;
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_image_header) == LINDEX_PAGE_BYTES,
		     "image header is a page");
LINDEX_STATIC_ASSERT(offsetof(struct lindex_image_header, inline_runs) == 64, "inline runs at 64");

struct lindex_image_sums {
	lindex_le64 sum[LINDEX_IMAGE_SUMS];
	uint8_t zero[24];
	lindex_le64 checksum;
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_image_sums) == LINDEX_PAGE_BYTES,
		     "a page of sums is a page");

static inline uint32_t lindex_image_sum_pages(uint32_t node_pages)
{
	return (node_pages + LINDEX_IMAGE_SUMS - 1) / LINDEX_IMAGE_SUMS;
}

#endif /* LINDEX_IMAGE_H */
