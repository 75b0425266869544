/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Verification of nodes: shared by certify.c (bytes of an image), pager.c (a page that was loaded) and
 * check.c (an index in memory).
 */
#ifndef LINDEX_VERIFY_H
#define LINDEX_VERIFY_H

#include "internal.h"

/* What is being verified, and the first thing found wrong. */
struct lindex_verify {
	const struct lindex_space *sp; /* refs to addresses */
	struct lindex_reason *why;
	struct lindex *paged;              /* load pages as they are needed; or NULL */
	bool image;                        /* writer's fields must be zero, refs ascend per level */
	uint32_t first_ref[2], end_ref[2]; /* images: leaves [0], inner nodes [1] */
	uint32_t last_ref[LINDEX_MAX_LEVEL + 1];
	uint64_t runs, nodes, units;
	uint32_t depth, window, lines, ops;
	struct lindex_run before; /* the run before the one being looked at; mapped 0: none */
};

int lindex_refuse(struct lindex_verify *v, const char *text, uint64_t offset, uint64_t key,
		  uint64_t expected, uint64_t found);
int lindex_verify_shape(struct lindex_verify *v, const struct lindex_node *node, uint32_t units,
			uint64_t offset);
int lindex_verify_windows(struct lindex_verify *v, const struct lindex_node *node, uint64_t at);
int lindex_verify_tree(struct lindex_verify *v, uint32_t root, uint32_t level);

#endif /* LINDEX_VERIFY_H */
