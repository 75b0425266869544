/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "images.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
/* Private: the format, for damage that only meaning betrays. */
#include "hash.h"
#include "image.h"

void image_init(struct image *im)
{
	memset(im, 0, sizeof(*im));
}

void image_destroy(struct image *im)
{
	free(im->bytes);
	image_init(im);
}

static void make_room(struct image *im, size_t room)
{
	void *grown;

	if (room <= im->room)
		return;
	room += room / 2;
	CHECK(posix_memalign(&grown, 64, room) == 0, "no memory for %zu bytes", room);
	if (im->len)
		memcpy(grown, im->bytes, im->len);
	free(im->bytes);
	im->bytes = grown;
	im->room = room;
}

/* The buffer has no byte to spare, so that a sanitizer sees a read of one too many. */
void image_set(struct image *im, const void *bytes, size_t len)
{
	void *copy;

	CHECK(posix_memalign(&copy, 64, len ? len : 1) == 0, "no memory for %zu bytes", len);
	if (len)
		memcpy(copy, bytes, len);
	free(im->bytes);
	im->bytes = copy;
	im->len = im->room = len;
}

bool image_equal(const struct image *a, const struct image *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->bytes, b->bytes, a->len));
}

static int append(void *ctx, const void *bytes, size_t len)
{
	struct image *im = ctx;

	make_room(im, im->len + len);
	if (len)
		memcpy(im->bytes + im->len, bytes, len);
	im->len += len;
	return 0;
}

struct lindex_sink image_sink(struct image *im)
{
	return (struct lindex_sink){ .write = append, .ctx = im };
}

void image_save(struct image *im, struct lindex *ix)
{
	struct lindex_sink sink = image_sink(im);
	struct image whole = { 0 };
	int rc;

	im->len = 0;
	rc = lindex_save(ix, &sink);
	CHECK(rc == 0, "save is %d", rc);
	image_set(&whole, im->bytes, im->len);
	image_destroy(im);
	*im = whole;
}

void image_of(struct image *im, const struct twin *t, uint32_t epsilon, uint32_t node_bytes)
{
	struct lindex_config cfg = { .epsilon = epsilon, .node_bytes = node_bytes };
	struct lindex_pool *pool;
	struct lindex *ix;

	CHECK(lindex_pool_create(NULL, &pool) == 0, "pool");
	CHECK(lindex_create(pool, &cfg, &ix) == 0, "index");
	CHECK(lindex_build(ix, t->runs, t->n, NULL) == 0, "build of %zu runs", t->n);
	image_save(im, ix);
	lindex_free(ix);
	CHECK(lindex_pool_free(pool) == 0, "pool is busy");
}

/* ---- Damage ------------------------------------------------------------------------------------ */

/* Numbers at which code errs. */
static uint64_t nasty_number(struct rng *rng)
{
	static const uint64_t nasty[] = { 0,          1,          2,          0x7f,
					  0x80,       0xff,       0x100,      0x7fff,
					  0x8000,     0xffff,     0x10000,    0x7fffffff,
					  0x80000000, 0xffffffff, 1ull << 63, ~0ull };

	return rng_one_in(rng, 2) ? rng_u64(rng) : nasty[rng_below(rng, sizeof(nasty) / 8)];
}

/* Most bytes are zero and reserved: rather one that means something. */
static size_t draw_place(const struct image *im, struct rng *rng)
{
	size_t at = 0;

	for (int i = 0; i < 6 && (!i || !im->bytes[at]); i++)
		at = rng_below(rng, im->len);
	return rng_one_in(rng, 8) ? rng_below(rng, im->len) : at;
}

static void mutate_once(struct image *im, struct rng *rng)
{
	size_t at = draw_place(im, rng), from = rng_below(rng, im->len);
	size_t room = im->len - (at > from ? at : from);
	size_t some = 1 + rng_below(rng, room < 64 ? room : 64);
	uint64_t number = nasty_number(rng);

	switch (rng_below(rng, 6)) {
	case 0:
		im->bytes[at] ^= (uint8_t)(1u << rng_below(rng, 8));
		break;
	case 1:
		im->bytes[at] = (uint8_t)number;
		break;
	case 2: /* an aligned word of 2, 4 or 8 bytes */
		some = (size_t)2 << rng_below(rng, 3);
		at = at / some * some;
		if (at + some <= im->len)
			memcpy(im->bytes + at, &number, some);
		break;
	case 3:
		memmove(im->bytes + at, im->bytes + from, some);
		break;
	case 4:
		memset(im->bytes + at, rng_one_in(rng, 2) ? 0 : 0xff, some);
		break;
	default:
		im->bytes[at] = (uint8_t)(im->bytes[at] + (rng_one_in(rng, 2) ? 1 : -1));
	}
}

static void mutate_length(struct image *im, struct rng *rng)
{
	size_t len = rng_one_in(rng, 2) ? rng_below(rng, im->len + 1) :
					  im->len + 1 + rng_below(rng, 256);
	uint8_t *bytes = calloc(len + 1, 1);

	CHECK(bytes, "no memory for %zu bytes", len);
	memcpy(bytes, im->bytes, len < im->len ? len : im->len);
	image_set(im, bytes, len);
	free(bytes);
}

void image_mutate(struct image *im, struct rng *rng)
{
	uint64_t edits = 1 + rng_below(rng, 4);

	while (edits-- && im->len)
		mutate_once(im, rng);
	if (im->len && rng_one_in(rng, 50))
		mutate_length(im, rng);
}

/* ---- Checksums ---------------------------------------------------------------------------------- */

static uint64_t page_at(const struct image *im, uint64_t page)
{
	return page * LINDEX_PAGE_BYTES < im->len ? page * LINDEX_PAGE_BYTES : 0;
}

/* Pages of nodes as the header has them; that many checksums are fixed as there is room for. */
static void fix_pages(struct image *im, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t node = page_at(im, 1 + i);
		uint64_t sums = page_at(im, 1 + pages + i / LINDEX_IMAGE_SUMS);

		if (!node || !sums)
			return;
		lindex_st64(im->bytes + sums + 8 * (i % LINDEX_IMAGE_SUMS),
			    lindex_hash(im->bytes + node, LINDEX_PAGE_BYTES));
	}
}

static void fix_summed(struct image *im, uint64_t at)
{
	lindex_st64(im->bytes + at + LINDEX_PAGE_BYTES - 8,
		    lindex_hash(im->bytes + at, LINDEX_IMAGE_SUMMED));
}

bool image_fix_checksums(struct image *im)
{
	const struct lindex_image_header *h = (const void *)im->bytes;
	uint64_t pages;

	if (!im->len || im->len % LINDEX_PAGE_BYTES)
		return false;
	pages = (uint64_t)lindex_from32(h->leaf_pages) + lindex_from32(h->inner_pages);
	fix_pages(im, pages);
	for (uint64_t i = 0; i < lindex_from32(h->sum_pages) && page_at(im, 1 + pages + i); i++)
		fix_summed(im, page_at(im, 1 + pages + i));
	fix_summed(im, 0);
	return true;
}
