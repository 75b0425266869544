/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any bytes as an image: refused with a reason, or opened and then exact against a slow reader of the
 * same bytes. The first byte says how the rest becomes an image:
 *
 *   0  it is the image
 *   1  it is the image, but for checksums, which are made to match
 *   2  it describes one: shape, size, seed, configuration, then edits; checksums are made to match.
 *      So a mutation of a few bytes of input is a mutation of a few fields of a sound image.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "keys.h"
#include "same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lindex_pool *pool;

static void open_and_compare(const struct image *im, const struct lindex_cert *cert)
{
	struct lindex *ix;
	struct image again = { 0 };

	CHECK(lindex_open_image(pool, im->bytes, im->len, NULL, NULL, NULL, &ix) == 0,
	      "certified, but not opened");
	CHECK(assert_self_consistent(ix, false) == cert->runs, "another number of runs");
	/* Not equal to @im: sound images need not be canonical. But saved, they can be read. */
	image_save(&again, ix);
	CHECK(lindex_certify(again.bytes, again.len, NULL, NULL, NULL) == 0, "saved, but refused");
	image_destroy(&again);
	lindex_free(ix);
}

static void try_image(const struct image *im)
{
	struct lindex_reason why = { 0 };
	struct lindex_cert cert;
	int rc = lindex_certify(im->bytes, im->len, NULL, &cert, &why);

	CHECK(rc == 0 || rc == -EBADMSG || rc == -EUCLEAN, "certify is %d", rc);
	CHECK(rc == 0 || why.text, "no reason for %d", rc);
	if (rc == 0)
		open_and_compare(im, &cert);
}

/* @size bytes: shape, log2 of the size, seed, epsilon, node size; then edits of 4 bytes each. */
static void describe(struct image *im, const uint8_t *data, size_t size)
{
	uint8_t head[5] = { 0 };
	struct twin t;
	struct rng rng;

	memcpy(head, data, size < sizeof(head) ? size : sizeof(head));
	rng_init(&rng, head[2], 0);
	twin_init(&t);
	shape_make((enum shape)(head[0] % SHAPE_COUNT), ((size_t)1 << head[1] % 11) - 1, &rng, &t);
	image_of(im, &t, 2 + head[3] % 119, 256 + 64 * (head[4] % 13u));
	twin_destroy(&t);
	for (size_t at = sizeof(head); at + 4 <= size; at += 4) {
		size_t place = (size_t)data[at] << 8 | data[at + 1];
		uint8_t *byte = &im->bytes[(place << (data[at + 2] >> 7 ? 0 : 4)) % im->len];

		*byte = data[at + 2] & 0x40 ? data[at + 3] : (uint8_t)(*byte + data[at + 3]);
	}
	image_fix_checksums(im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image im = { 0 };

	if (!pool)
		CHECK(lindex_pool_create(NULL, &pool) == 0, "pool");
	if (!size)
		return 0;
	if (data[0] % 3 == 2) {
		describe(&im, data + 1, size - 1);
	} else {
		image_set(&im, data + 1, size - 1);
		if (data[0] % 3)
			image_fix_checksums(&im);
	}
	try_image(&im);
	image_destroy(&im);
	return 0;
}
