/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Images: saved, certified, opened, the same; a function of runs and configuration alone; refused
 * when over a limit; and when damaged, refused with a reason or loaded and then exact.
 */
#include "every_shape.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "images.h"
#include "same.h"
#include "world.h"
/* Private: nodes put together by hand. */
#include "image.h"
#include "internal.h"

static const struct lindex_config configs[] = {
	{ 0 },
	{ .epsilon = 2, .node_bytes = 256 },
	{ .epsilon = 64, .node_bytes = 1024 },
	{ .epsilon = 120, .node_bytes = 320 },
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

static void make(enum shape shape, size_t n, struct twin *t)
{
	struct rng rng;

	harness_step(shape_name(shape), n);
	rng_init(&rng, harness_seed(), shape);
	twin_init(t);
	shape_make(shape, n, &rng, t);
}

static void image_of_shape(struct image *im, enum shape shape, size_t n)
{
	struct twin t;

	make(shape, n, &t);
	image_of(im, &t, 0, 0);
	twin_destroy(&t);
}

/* ---- The way out and back -------------------------------------------------------------------------- */

/* No lookup touches more than the certificate says. */
static void assert_cert_bounds(const struct lindex *ix, const struct twin *t,
			       const struct lindex_cert *cert)
{
	struct lindex_cert touched;
	struct lindex_run run;

	for (size_t i = 0; i < 3 * t->n; i++) {
		uint64_t key = i % 3 == 0 ? t->runs[i / 3].first :
			       i % 3 == 1 ? t->runs[i / 3].last :
					    t->runs[i / 3].last + 1;
		int rc = lindex_explain(ix, key, &run, &touched);

		CHECK(rc == 0 || rc == -ENOENT, "explain is %d", rc);
		CHECK(touched.depth <= cert->depth && touched.lines <= cert->lines &&
			      touched.ops <= cert->ops && touched.window <= cert->window,
		      "key %" PRIu64
		      ": depth %u of %u, lines %u of %u, ops %u of %u, window %u of %u",
		      key, touched.depth, cert->depth, touched.lines, cert->lines, touched.ops,
		      cert->ops, touched.window, cert->window);
	}
}

static void save_and_open(enum shape shape, size_t n, const struct lindex_config *cfg)
{
	struct image im = { 0 }, again = { 0 };
	struct lindex_cert cert, opened_cert;
	struct lindex *opened;
	struct world w;
	struct twin t;

	make(shape, n, &t);
	world_open(&w, cfg, 0, 0);
	world_build(&w, &t);
	image_save(&im, w.ix);
	CHECK(lindex_certify(im.bytes, im.len, NULL, &cert, NULL) == 0, "certify");
	CHECK(cert.bytes == im.len && cert.runs == t.n, "%" PRIu64 " bytes, %" PRIu64 " runs",
	      cert.bytes, cert.runs);
	CHECK(lindex_open_image(w.pool, im.bytes, im.len, NULL, &opened_cert, NULL, &opened) == 0,
	      "open");
	CHECK(!memcmp(&cert, &opened_cert, sizeof(cert)), "two certificates");
	assert_same(opened, &t);
	assert_cert_bounds(opened, &t, &cert);
	image_save(&again, opened);
	CHECK(image_equal(&im, &again), "saved again it is another image");
	lindex_free(opened);
	world_close(&w);
	image_destroy(&im);
	image_destroy(&again);
	twin_destroy(&t);
}

EVERY_SHAPE(image, opens_as_it_was_saved)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 40, 700, 20000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < CONFIGS; j++)
			save_and_open(*shape, sizes[i], &configs[j]);
	}
}

Test(image, opens_from_memory_that_cannot_be_written)
{
	struct lindex_pool *pool;
	struct image im = { 0 };
	struct lindex *ix;
	struct twin t;
	void *map;

	make(SHAPE_MIXTURE, 5000, &t);
	image_of(&im, &t, 0, 0);
	map = mmap(NULL, im.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(map, MAP_FAILED);
	memcpy(map, im.bytes, im.len);
	cr_assert_eq(mprotect(map, im.len, PROT_READ), 0);
	cr_assert_eq(lindex_pool_create(NULL, &pool), 0);
	cr_assert_eq(lindex_open_image(pool, map, im.len, NULL, NULL, NULL, &ix), 0);
	assert_same(ix, &t);
	lindex_free(ix);
	cr_assert_eq(lindex_pool_free(pool), 0);
	munmap(map, im.len);
	image_destroy(&im);
	twin_destroy(&t);
}

/* At the very end of mapped memory: a read past the image dies. */
Test(image, is_never_read_past_its_end)
{
	const size_t page = 4096;

	for (size_t n = 0; n < 2000; n = n * 2 + 1) {
		struct lindex_pool *pool;
		struct image im = { 0 };
		struct lindex *ix;
		struct twin t;
		size_t room;
		uint8_t *map;

		make(SHAPE_MIXTURE, n, &t);
		image_of(&im, &t, 0, 0);
		cr_assert_eq(im.len % 64, 0, "an image is whole lines");
		room = (im.len + page - 1) / page * page;
		map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
		cr_assert_neq((void *)map, MAP_FAILED);
		cr_assert_eq(mprotect(map + room, page, PROT_NONE), 0);
		memcpy(map + room - im.len, im.bytes, im.len);
		cr_assert_eq(lindex_pool_create(NULL, &pool), 0);
		cr_assert_eq(
			lindex_open_image(pool, map + room - im.len, im.len, NULL, NULL, NULL, &ix),
			0);
		assert_same(ix, &t);
		lindex_free(ix);
		cr_assert_eq(lindex_pool_free(pool), 0);
		munmap(map, room + page);
		image_destroy(&im);
		twin_destroy(&t);
	}
}

/* ---- Canonical ----------------------------------------------------------------------------------------- */

static void store_in_order(struct world *w, const struct twin *t, size_t stride)
{
	for (size_t i = 0; i < stride; i++) {
		for (size_t j = i; j < t->n; j += stride)
			world_do(w, &(struct op){ .run = t->runs[j] });
	}
}

EVERY_SHAPE(image, is_the_same_for_every_history)
{
	struct image bulk = { 0 }, lived = { 0 };
	struct world w;
	struct twin t;

	make(*shape, 3000, &t);
	image_of(&bulk, &t, 0, 0);
	for (size_t stride = 1; stride < 100; stride = stride * 5 + 1) {
		world_open(&w, NULL, 0, 0);
		world_do(&w, &(struct op){ .run = RUN(5, UINT64_MAX - 5, 0, 1, 9) });
		store_in_order(&w, &t, stride);
		/* What was there before, and not in t, goes. */
		for (size_t i = 0; i <= t.n; i++) {
			uint64_t first = i ? t.runs[i - 1].last + 1 : 0;
			uint64_t last = i < t.n ? t.runs[i].first - 1 : UINT64_MAX;

			if ((i && !first) || (i < t.n && !t.runs[i].first) || first > last)
				continue;
			world_do(&w, &(struct op){ .run = RUN(first, last, 0, 0, 0),
						   .is_remove = true });
		}
		CHECK(twin_equal(&w.twin, &t), "the histories do not end alike");
		image_save(&lived, w.ix);
		CHECK(image_equal(&bulk, &lived), "stride %zu: %zu bytes, bulk %zu", stride,
		      lived.len, bulk.len);
		world_close(&w);
	}
	image_destroy(&bulk);
	image_destroy(&lived);
	twin_destroy(&t);
}

Test(image, depends_on_runs_and_configuration)
{
	struct image a = { 0 }, b = { 0 };
	struct twin t;

	make(SHAPE_LOGNORMAL, 3000, &t);
	image_of(&a, &t, 16, 512);
	image_of(&b, &t, 0, 0);
	cr_assert(image_equal(&a, &b), "the defaults are 16 and 512");
	image_of(&b, &t, 8, 1024);
	cr_assert_not(image_equal(&a, &b));
	t.runs[t.n / 2].value ^= 1;
	image_of(&b, &t, 8, 512);
	cr_assert_not(image_equal(&a, &b));
	image_destroy(&a);
	image_destroy(&b);
	twin_destroy(&t);
}

Test(image, does_not_depend_on_simd_or_allocator)
{
	struct image a = { 0 }, b = { 0 };
	struct world w;
	struct twin t;

	make(SHAPE_MIXTURE, 8000, &t);
	image_of(&a, &t, 0, 0);
	world_open(&w, NULL, LINDEX_POOL_NO_SIMD, 1 << 24);
	world_build(&w, &t);
	image_save(&b, w.ix);
	cr_assert(image_equal(&a, &b));
	world_close(&w);
	image_destroy(&a);
	image_destroy(&b);
	twin_destroy(&t);
}

/* FNV-1a, which is nothing of lindex's own. */
static uint64_t sum_of(const struct image *im)
{
	uint64_t sum = 0xcbf29ce484222325u;

	for (size_t i = 0; i < im->len; i++)
		sum = (sum ^ im->bytes[i]) * 0x100000001b3u;
	return sum;
}

static void print_sums(FILE *out)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 40, 700, 6000 };
	struct image im = { 0 };
	struct twin t;

	for (unsigned int shape = 0; shape < SHAPE_COUNT; shape++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			make((enum shape)shape, sizes[i], &t);
			for (size_t j = 0; j < CONFIGS; j++) {
				image_of(&im, &t, configs[j].epsilon, configs[j].node_bytes);
				fprintf(out, "%s %zu config %zu: %zu bytes, %016" PRIx64 "\n",
					shape_name((enum shape)shape), sizes[i], j, im.len,
					sum_of(&im));
			}
			twin_destroy(&t);
		}
	}
	image_destroy(&im);
}

/*
 * LINDEX_SUMS names a file. Where there is none, this machine's sums are written to it; where there is one,
 * another machine has, and they have to be the same.
 */
Test(image, is_the_same_on_every_machine)
{
	const char *path = getenv("LINDEX_SUMS");
	char mine[200], theirs[200];
	FILE *file, *sums;

	if (!path || !*path)
		cr_skip_test("LINDEX_SUMS names no file to compare with: ./dev bigendian does");
	file = fopen(path, "r");
	sums = file ? tmpfile() : fopen(path, "w");
	CHECK(sums, "no file for the sums");
	print_sums(sums);
	if (file) {
		rewind(sums);
		while (fgets(mine, sizeof(mine), sums))
			CHECK(fgets(theirs, sizeof(theirs), file) && !strcmp(mine, theirs),
			      "here %sthere %s", mine, theirs);
		CHECK(!fgets(theirs, sizeof(theirs), file), "there %s", theirs);
		fclose(file);
	}
	CHECK(fclose(sums) == 0, "writing the sums");
}

/* ---- Limits ----------------------------------------------------------------------------------------------- */

static int certify_under(const struct image *im, struct lindex_limits limits)
{
	struct lindex_reason why = { 0 };
	int rc = lindex_certify(im->bytes, im->len, &limits, NULL, &why);

	CHECK(rc == 0 || why.text, "no reason for %d", rc);
	return rc;
}

Test(image, over_a_limit_is_e2big_and_at_the_limit_is_fine)
{
	struct image im = { 0 };
	struct lindex_cert c;

	image_of_shape(&im, SHAPE_MIXTURE, 20000);
	cr_assert_eq(lindex_certify(im.bytes, im.len, NULL, &c, NULL), 0);
	cr_assert(c.depth > 1 && c.window > 1 && c.lines > 1);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ c.bytes, c.runs, c.depth, c.window,
								c.lines }),
		     0);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ .max_bytes = c.bytes - 1 }),
		     -E2BIG);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ .max_runs = c.runs - 1 }), -E2BIG);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ .max_depth = c.depth - 1 }),
		     -E2BIG);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ .max_window = c.window - 1 }),
		     -E2BIG);
	cr_assert_eq(certify_under(&im, (struct lindex_limits){ .max_lines = c.lines - 1 }),
		     -E2BIG);
	image_destroy(&im);
}

Test(image, over_a_limit_is_not_opened)
{
	struct lindex_limits limits = { .max_runs = 10 };
	struct lindex_pool *pool;
	struct image im = { 0 };
	struct lindex *ix = NULL;

	image_of_shape(&im, SHAPE_STRIDE, 100);
	cr_assert_eq(lindex_pool_create(NULL, &pool), 0);
	cr_assert_eq(lindex_open_image(pool, im.bytes, im.len, &limits, NULL, NULL, &ix), -E2BIG);
	cr_assert_null(ix);
	cr_assert_eq(lindex_pool_free(pool), 0);
	image_destroy(&im);
}

/* ---- Damage ------------------------------------------------------------------------------------------------- */

static struct lindex_pool *pool;

static void open_pool(void)
{
	cr_assert_eq(lindex_pool_create(NULL, &pool), 0);
}

static void close_pool(void)
{
	cr_assert_eq(lindex_pool_free(pool), 0, "an index of a refused image is left");
}

TestSuite(damage, .init = open_pool, .fini = close_pool);

/* Refused with a reason, or opened and then exact. Return: whether it was refused. */
static bool refused_or_exact(const struct image *im)
{
	struct lindex_reason why = { 0 };
	struct lindex_cert cert;
	struct lindex *ix;
	int rc = lindex_certify(im->bytes, im->len, NULL, &cert, &why);

	CHECK(rc == 0 || rc == -EBADMSG || rc == -EUCLEAN, "certify is %d", rc);
	if (rc) {
		CHECK(why.text && why.text[0], "no reason for %d", rc);
		CHECK(why.offset <= im->len, "offset %" PRIu64 " of %zu", why.offset, im->len);
		CHECK(lindex_open_image(pool, im->bytes, im->len, NULL, NULL, NULL, &ix) == rc,
		      "open thinks otherwise");
		return true;
	}
	CHECK(lindex_open_image(pool, im->bytes, im->len, NULL, NULL, NULL, &ix) == 0, "open");
	rc = (int)(assert_self_consistent(ix, false) == cert.runs);
	CHECK(rc, "not %" PRIu64 " runs, as certified", cert.runs);
	lindex_free(ix);
	return false;
}

static void flip_every_bit(enum shape shape, size_t n)
{
	struct image im = { 0 };
	uint64_t accepted = 0;

	image_of_shape(&im, shape, n);
	CHECK(!refused_or_exact(&im), "it is refused as it is");
	for (size_t at = 0; at < im.len; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			harness_step("flip of bit", at * 8 + bit);
			im.bytes[at] ^= (uint8_t)(1u << bit);
			accepted += !refused_or_exact(&im);
			im.bytes[at] ^= (uint8_t)(1u << bit);
		}
	}
	CHECK(accepted == 0, "%" PRIu64 " flipped bits were not noticed", accepted);
	image_destroy(&im);
}

Test(damage, of_any_one_bit_is_noticed)
{
	flip_every_bit(SHAPE_NONE, 0);
	flip_every_bit(SHAPE_SPARSE_RANDOM, 3);
	flip_every_bit(SHAPE_SPARSE_RANDOM, 60);
	flip_every_bit(SHAPE_MIXTURE, 150);
}

Test(damage, by_cutting_or_padding_is_noticed)
{
	struct image im = { 0 }, cut = { 0 };
	uint8_t *padded;
	size_t most;

	image_of_shape(&im, SHAPE_MIXTURE, 60);
	most = im.len + 2 * LINDEX_PAGE_BYTES;
	padded = calloc(1, most);
	CHECK(padded, "memory");
	memcpy(padded, im.bytes, im.len);
	for (size_t len = 0; len < im.len; len++) {
		harness_step("cut", len);
		image_set(&cut, im.bytes, len);
		CHECK(refused_or_exact(&cut), "%zu of %zu bytes", len, im.len);
	}
	for (size_t len = im.len + 1; len <= most; len++) {
		harness_step("pad", len);
		image_set(&cut, padded, len);
		CHECK(refused_or_exact(&cut), "%zu bytes for %zu", len, im.len);
	}
	free(padded);
	image_destroy(&im);
	image_destroy(&cut);
}

struct damage_mix {
	uint64_t count;
	bool fix_checksums;
};

static void mutate_many(enum shape shape, size_t n, struct damage_mix mix)
{
	struct image im = { 0 }, bad = { 0 };
	struct rng rng;
	bool refused;

	image_of_shape(&im, shape, n);
	rng_init(&rng, harness_seed(), shape);
	for (uint64_t step = 0; step < mix.count; step++) {
		harness_step(shape_name(shape), step);
		image_set(&bad, im.bytes, im.len);
		image_mutate(&bad, &rng);
		if (image_equal(&im, &bad))
			continue;
		if (mix.fix_checksums)
			image_fix_checksums(&bad);
		refused = refused_or_exact(&bad);
		CHECK(refused || mix.fix_checksums, "the damage was not noticed");
	}
	image_destroy(&im);
	image_destroy(&bad);
}

static uint64_t mutations(void)
{
	return harness_long() ? 40000 : 1000;
}

EVERY_SHAPE(damage, at_random_is_refused_or_exact)
{
	mutate_many(*shape, 5, (struct damage_mix){ mutations(), false });
	mutate_many(*shape, 200, (struct damage_mix){ mutations(), false });
}

/* The harness knows the format: what it fixes is what a save writes. */
EVERY_SHAPE(damage, of_checksums_alone_can_be_undone)
{
	struct image im = { 0 }, fixed = { 0 };

	image_of_shape(&im, *shape, 20000);
	image_set(&fixed, im.bytes, im.len);
	memset(fixed.bytes + im.len - 8, 0x5a, 8);
	memset(fixed.bytes + LINDEX_PAGE_BYTES - 8, 0x5a, 8);
	CHECK(image_fix_checksums(&fixed), "no place for checksums");
	CHECK(image_equal(&im, &fixed), "checksums differ from those of a save");
	image_destroy(&im);
	image_destroy(&fixed);
}

EVERY_SHAPE(damage, with_good_checksums_is_refused_or_exact)
{
	mutate_many(*shape, 5, (struct damage_mix){ mutations(), true });
	mutate_many(*shape, 200, (struct damage_mix){ mutations(), true });
	mutate_many(*shape, 3000, (struct damage_mix){ mutations() / 10, true });
}

Test(damage, total_is_refused)
{
	struct image im = { 0 }, head = { 0 };
	static uint8_t noise[4 * LINDEX_PAGE_BYTES];
	struct rng rng;

	rng_init(&rng, harness_seed(), 3);
	image_of_shape(&head, SHAPE_MIXTURE, 100);
	for (uint64_t step = 0; step < 10 * mutations(); step++) {
		size_t len = rng_below(&rng, sizeof(noise) + 1);

		harness_step("noise", step);
		if (rng_one_in(&rng, 2))
			len = len / LINDEX_PAGE_BYTES * LINDEX_PAGE_BYTES;
		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)rng_u64(&rng);
		/* Half of them begin as an image does. */
		if (rng_one_in(&rng, 2)) {
			size_t keep = rng_one_in(&rng, 2) ? LINDEX_PAGE_BYTES :
							    rng_below(&rng, 129);

			memcpy(noise, head.bytes, keep < len ? keep : len);
		}
		image_set(&im, noise, len);
		if (rng_one_in(&rng, 2))
			image_fix_checksums(&im);
		refused_or_exact(&im);
	}
	image_destroy(&im);
	image_destroy(&head);
}

/* Two sound images, one's bytes in the other's place. */
Test(damage, by_splicing_two_images_is_refused_or_exact)
{
	struct image a = { 0 }, b = { 0 }, mixed = { 0 };
	struct rng rng;

	rng_init(&rng, harness_seed(), 4);
	image_of_shape(&a, SHAPE_MIXTURE, 600);
	image_of_shape(&b, SHAPE_LFS_AGED, 900);
	for (uint64_t step = 0; step < 4 * mutations(); step++) {
		size_t most = a.len < b.len ? a.len : b.len;
		size_t at = rng_below(&rng, most / 64) * 64;
		size_t from = rng_below(&rng, most / 64) * 64;
		size_t len = (1 + rng_below(&rng, 16)) * 64;

		harness_step("splice", step);
		if (at + len > most || from + len > most)
			continue;
		image_set(&mixed, a.bytes, a.len);
		memcpy(mixed.bytes + at, (rng_one_in(&rng, 2) ? a.bytes : b.bytes) + from, len);
		if (rng_one_in(&rng, 2))
			image_fix_checksums(&mixed);
		refused_or_exact(&mixed);
	}
	image_destroy(&a);
	image_destroy(&b);
	image_destroy(&mixed);
}

/* ---- Forgery -------------------------------------------------------------------------------------------------- */

/*
 * Images made by hand, every node sound in itself and every checksum good. Page 1 has leaves, page 2 (or
 * page 1, where there is no leaf) one inner node.
 */
struct forged {
	struct image im;
	uint32_t leaf_pages, leaf_units, leaves;
};

static void forge(struct forged *f, uint32_t leaf_pages)
{
	static const uint8_t zeroes[4 * LINDEX_PAGE_BYTES];

	*f = (struct forged){ .leaf_pages = leaf_pages };
	image_set(&f->im, zeroes, (3 + leaf_pages) * LINDEX_PAGE_BYTES);
}

typedef uint32_t fit_function(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			      struct lindex_plan *plan);

/* Return: its entry. */
static struct lindex_entry forge_leaf(struct forged *f, fit_function *fit,
				      const struct lindex_run *runs, uint32_t n)
{
	uint32_t ref = LINDEX_PAGE_UNITS + f->leaf_units;
	struct lindex_plan plan = { 0 };

	CHECK(fit(runs, n, 8, &plan) == n, "%u runs are too many for a leaf", n);
	lindex_leaf_encode(&plan, runs, f->im.bytes + (size_t)ref * LINDEX_UNIT_BYTES, 0);
	f->leaf_units += plan.units;
	f->leaves++;
	return (struct lindex_entry){ .sep = runs[0].first, .ref = ref };
}

static void forge_root(struct forged *f, const struct lindex_entry *e, uint32_t n, uint64_t runs)
{
	struct lindex_image_header *h = (struct lindex_image_header *)f->im.bytes;
	uint32_t page = 1 + f->leaf_pages;

	lindex_inner_encode(e, n, 1, 0, 7, f->im.bytes + (size_t)page * LINDEX_PAGE_BYTES);
	h->magic = lindex_to64(LINDEX_IMAGE_MAGIC);
	h->version = lindex_to32(LINDEX_IMAGE_VERSION);
	h->page_bytes = lindex_to32(LINDEX_PAGE_BYTES);
	h->epsilon = lindex_to32(16);
	h->node_bytes = lindex_to32(512);
	h->leaf_pages = lindex_to32(f->leaf_pages);
	h->inner_pages = h->sum_pages = lindex_to32(1);
	h->pages = lindex_to32(3 + f->leaf_pages);
	h->root = lindex_to64(lindex_root_word(page * LINDEX_PAGE_UNITS, 1));
	h->runs = lindex_to64(runs);
	h->nodes = lindex_to64(1 + f->leaves);
	CHECK(image_fix_checksums(&f->im), "no place for checksums");
}

#define FORGED_RUNS 20u

struct forged_leaf {
	const char *kind;
	fit_function *fit;
	uint64_t gap, len, hole_at,
		hole; /* run i at 100 + i * gap; from run hole_at on, hole later */
};

/* The first @n runs of a leaf of that kind. */
static void draw_forged(const struct forged_leaf *l, struct lindex_run *runs, uint32_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t first = 100 + i * l->gap + (i >= l->hole_at ? l->hole : 0);

		runs[i] = RUN(first, first + l->len - 1, 1000000 + i * i * 7919 % 1000, 1, 0);
		runs[i].mapped = 1;
	}
}

/* The image of that leaf, and of another whose separator is @sep. Return: what a certifier thinks. */
static int certify_two_leaves(const struct forged_leaf *l, uint64_t sep, struct lindex_reason *why)
{
	struct lindex_run runs[FORGED_RUNS], other[2];
	struct lindex_entry e[2];
	struct forged f;
	int rc;

	draw_forged(l, runs, FORGED_RUNS);
	other[0] = RUN(sep, sep + 9, 7777, 1, 0);
	other[1] = RUN(sep + 20, sep + 29, 9999, 1, 0);
	forge(&f, 1);
	e[0] = forge_leaf(&f, l->fit, runs, FORGED_RUNS);
	e[1] = forge_leaf(&f, lindex_lines_fit, other, 2);
	forge_root(&f, e, 2, 2 + (sep < runs[FORGED_RUNS - 1].first ? l->hole_at : FORGED_RUNS));
	rc = lindex_certify(f.im.bytes, f.im.len, NULL, NULL, why);
	if (rc == 0)
		refused_or_exact(&f.im);
	image_destroy(&f.im);
	return rc;
}

/* The runs behind the hole are out of reach, so they offend nothing; the answer would be a hole too wide. */
Test(damage, a_hole_beyond_its_fence_is_refused)
{
	static const struct forged_leaf leaves[] = {
		{ "lines", lindex_lines_fit, 20, 10, 2, 4000 },
		{ "sparse", lindex_sparse_fit, 20, 10, 2, 4000 },
		{ "dense", lindex_dense_fit, 1, 1, 10, 6 },
		{ "presence", lindex_presence_fit, 16, 1, 10, 64 },
	};
	struct lindex_reason why;

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		const struct forged_leaf *l = &leaves[i];
		uint64_t hole = 100 + (l->hole_at - 1) * l->gap + l->len;
		int rc;

		harness_step(l->kind, 0);
		why = (struct lindex_reason){ 0 };
		rc = certify_two_leaves(l, 100000, &why);
		CHECK(rc == 0, "the same with a fence behind the last run is %d: %s", rc, why.text);
		for (uint64_t off = 1; off < l->hole; off += 1 + l->hole / 6) {
			rc = certify_two_leaves(l, hole + off, &why);
			CHECK(rc == -EUCLEAN && strstr(why.text, "N3"),
			      "fence at %" PRIu64 ": %d %s", hole + off, rc, rc ? why.text : "");
		}
	}
}

/* A lookup prefetches the line that a model names, so a model may not name one behind its leaf. */
Test(damage, a_prefetch_behind_the_leaf_is_refused)
{
	static const struct forged_leaf leaf = {
		"lines", lindex_lines_fit, 20, 10, FORGED_RUNS, 0
	};
	struct lindex_run runs[FORGED_RUNS];
	struct lindex_reason why;
	struct lindex_inner *root;
	struct lindex_entry e;
	struct forged f;
	int rc;

	draw_forged(&leaf, runs, FORGED_RUNS);
	for (unsigned int lines = LINDEX_LINES_MAX; lines < 256; lines++) {
		forge(&f, 1);
		e = forge_leaf(&f, leaf.fit, runs, FORGED_RUNS);
		forge_root(&f, &e, 1, FORGED_RUNS);
		root = (struct lindex_inner *)(f.im.bytes + 2 * LINDEX_PAGE_BYTES);
		root->lines = (uint8_t)lines;
		image_fix_checksums(&f.im);
		harness_step("lines", lines);
		rc = lindex_certify(f.im.bytes, f.im.len, NULL, NULL, &why);
		if (lines > LINDEX_LINES_MAX)
			CHECK(rc == -EUCLEAN && why.found == lines, "%d: %s", rc,
			      rc ? why.text : "");
		else
			CHECK(rc == 0, "%d: %s", rc, why.text);
		image_destroy(&f.im);
	}
}

/* A lookup that ends at a terminal run has touched something, too. */
static void certify_terminals(uint32_t n, uint64_t gap)
{
	static struct lindex_entry e[LINDEX_INNER_MAX]; /* too much for a small stack */
	struct lindex_limits limits = { 0 };
	struct lindex_cert cert;
	struct lindex *ix;
	struct forged f;
	struct twin t;

	harness_step("terminal runs", n);
	twin_init(&t);
	for (uint32_t i = 0; i < n; i++) {
		struct lindex_run run = RUN(5 + i * gap, 5 + i * gap + gap / 3, i * i, 1, 0);

		run.mapped = 1;
		twin_append(&t, &run);
		e[i] = (struct lindex_entry){ .sep = run.first, .ref = LINDEX_TERM, .run = run };
	}
	forge(&f, 0);
	forge_root(&f, e, n, n);
	CHECK(lindex_open_image(pool, f.im.bytes, f.im.len, NULL, &cert, NULL, &ix) == 0, "open");
	CHECK(cert.runs == n && cert.nodes == 1, "another tree");
	assert_same(ix, &t);
	assert_cert_bounds(ix, &t, &cert);
	lindex_free(ix);
	limits.max_lines = cert.lines - 1;
	CHECK(lindex_certify(f.im.bytes, f.im.len, &limits, NULL, NULL) == -E2BIG, "lines");
	limits = (struct lindex_limits){ .max_lines = 1 };
	CHECK(lindex_certify(f.im.bytes, f.im.len, &limits, NULL, NULL) == -E2BIG, "one line");
	image_destroy(&f.im);
	twin_destroy(&t);
}

Test(damage, a_root_of_terminal_runs_is_certified_with_what_they_cost)
{
	static const uint32_t sizes[] = { 1, 2, 7, 8, 9, 31, 50, 85 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		certify_terminals(sizes[i], 100);        /* keys of 4 bytes */
		certify_terminals(sizes[i], 1ull << 40); /* and of 8 */
	}
}
