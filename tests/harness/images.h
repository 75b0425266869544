/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Images in memory: a sink that collects bytes, the aligned private copy that an open wants, and
 * damage done on purpose.
 */
#ifndef HARNESS_IMAGES_H
#define HARNESS_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"
#include "twin.h"

/**
 * struct image - Bytes, 64-byte aligned, in a buffer of just this length.
 */
struct image {
	uint8_t *bytes;
	size_t len, room;
};

void image_init(struct image *im);
void image_destroy(struct image *im);
void image_set(struct image *im, const void *bytes, size_t len);
bool image_equal(const struct image *a, const struct image *b);

/** image_sink() - A sink that appends to @im. */
struct lindex_sink image_sink(struct image *im);

/** image_save() - What @ix saves; aborts if it cannot. */
void image_save(struct image *im, struct lindex *ix);

/** image_of() - The image of @t in an index of @epsilon and @node_bytes (0: default). */
void image_of(struct image *im, const struct twin *t, uint32_t epsilon, uint32_t node_bytes);

/** image_mutate() - A few random edits: bits, bytes, words, copies, zeroes, sometimes the length. */
void image_mutate(struct image *im, struct rng *rng);

/**
 * image_fix_checksums() - Make every checksum match again, so that damage is seen by what it means.
 * Return: whether it could (false: the length is not one that an image has).
 */
bool image_fix_checksums(struct image *im);

#endif
