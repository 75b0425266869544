/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

/* A length of 1..64 with mean about 6: geometric, cut. */
static uint64_t piece_blocks(struct rng *rng)
{
	uint64_t len = 1;

	while (len < 64 && !rng_one_in(rng, 6))
		len++;
	return len;
}

void lfs_aged(uint64_t blocks, struct rng *rng, struct twin *out)
{
	uint64_t *at = malloc((blocks ? blocks : 1) * sizeof(*at));
	uint64_t head = blocks;

	if (!at)
		abort();
	for (uint64_t b = 0; b < blocks; b++)
		at[b] = b;
	while (blocks && head < 2 * blocks) {
		uint64_t len = piece_blocks(rng);
		uint64_t first = rng_below(rng, blocks);

		for (uint64_t b = first; b < blocks && b < first + len; b++)
			at[b] = head++;
	}
	twin_clear(out);
	for (uint64_t b = 0; b < blocks; b++)
		twin_append(out, &RUN(b, b, at[b], 1, 0));
	free(at);
}

/* ---- One shape each: append about @n runs at @base or above ------------------------------- */

static void make_lfs_aged(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	struct twin file;

	/* Aged this way, a file has one run in about six blocks. */
	twin_init(&file);
	lfs_aged(6 * (uint64_t)n, rng, &file);
	for (size_t i = 0; i < file.n; i++) {
		file.runs[i].first += base;
		file.runs[i].last += base;
		twin_append(out, &file.runs[i]);
	}
	twin_destroy(&file);
}

static void make_scattered_pages(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	for (size_t i = 0; i < n; i++)
		twin_append(out, &RUN(base + i, base + i, rng_bits(rng, 24), 1, 0));
}

static void make_sloped_pages(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t slope = rng_between(rng, 2, 40);
	bool falling = rng_one_in(rng, 3);

	for (size_t i = 0; i < n; i++) {
		uint64_t x = falling ? n - i : i;

		twin_append(out, &RUN(base + i, base + i, x * slope + rng_below(rng, 64), 0, 7));
	}
}

static void make_stride(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t stride = rng_between(rng, 2, 9);

	for (size_t i = 0; i < n; i++)
		twin_append(out, &RUN(base + i * stride, base + i * stride, i, 1, 0));
}

static void make_espfix(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t value = rng_bits(rng, 40);

	for (size_t i = 0; i < n; i++)
		twin_append(out, &RUN(base + 16 * i, base + 16 * i, value, 0, 1));
}

/* Random run inside [first, last], which is never empty. */
static struct lindex_run random_run(uint64_t first, uint64_t last, struct rng *rng)
{
	uint64_t a = rng_between(rng, first, last), b = rng_between(rng, first, last);
	struct lindex_run run = RUN(a < b ? a : b, a < b ? b : a, 0, (uint8_t)rng_below(rng, 2),
				    (uint16_t)rng_u64(rng));

	run.value = rng_u64(rng);
	if (run_wraps(&run))
		run.value = rng_between(rng, 0, UINT64_MAX - (run.last - run.first));
	return run;
}

static void make_sparse_random(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t part = (UINT64_MAX - base) / (n ? n : 1);

	for (size_t i = 0; i < n; i++) {
		uint64_t first = base + i * part;
		struct lindex_run run = random_run(first, first + part - 1, rng);

		twin_append(out, &run);
	}
}

/* 2^(x/1024), the fraction on a straight line. */
static uint64_t power_of_two(uint64_t x)
{
	unsigned int whole = (unsigned int)(x >> 10);
	uint64_t mantissa = 1024 + (x & 1023);

	return whole >= 10 ? mantissa << (whole - 10) : mantissa >> (10 - whole);
}

static void make_lognormal(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t key = base;

	for (size_t i = 0; i < n; i++) {
		/* Median 2^16, one standard deviation is a factor of 2^3.3. */
		key += power_of_two(rng_bell(rng, 4096));
		twin_append(out, &RUN(key, key, rng_bits(rng, 32), 1, 3));
	}
}

static void make_exponential(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	unsigned int bits = 63 - (base ? 1 : 0);

	for (size_t i = 0; i < n; i++) {
		uint64_t key = base + i + power_of_two(1024ull * bits * i / (n ? n : 1));

		twin_append(out, &RUN(key, key, rng_bits(rng, 20), 1, 0));
	}
}

static void make_outlier(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	for (size_t i = 0; i + 1 < n; i++)
		twin_append(out, &RUN(base + 2 * i, base + 2 * i, i * 3, 1, 0));
	if (n)
		twin_append(out,
			    &RUN(UINT64_MAX - 1000, UINT64_MAX - rng_below(rng, 1000), 1, 0, 9));
}

static void make_zigzag(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t eps = 4u << rng_below(rng, 5), stride = 4 * eps;

	/* Sawtooth: eps keys squeezed together, then as many apart: the line runs in between. */
	for (size_t i = 0; i < n; i++) {
		uint64_t period = i / (2 * eps), at = i % (2 * eps);
		uint64_t key = base + period * stride * eps;

		key += at < eps ? at * 2 : (at - eps) * (stride - 2) + 2 * eps;
		twin_append(out, &RUN(key, key, i * 2 + (i & 1) * eps, 1, 0));
	}
}

static void make_huge(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t first = base, room = (UINT64_MAX - base) / (n ? n : 1);

	for (size_t i = 0; i < n; i++) {
		uint64_t len = 1 + rng_magnitude(rng, 30) * (1u << 20);

		if (len > room)
			len = room;
		twin_append(out, &RUN(first, first + len - 1, rng_bits(rng, 48), 1, 2));
		first += len;
	}
}

static void make_alternate(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t value = rng_bits(rng, 30);

	for (size_t i = 0; i < n; i++)
		twin_append(out, &RUN(base + 2 * i + 1, base + 2 * i + 1, value + 2 * i, 1, 0));
}

static void make_presence(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	for (size_t i = 0; i < 2 * n; i++) {
		if (rng_one_in(rng, 2))
			twin_append(out, &RUN(base + i, base + i, rng_bits(rng, 20), 1, 4));
	}
}

static void make_near_top(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t span = n ? n * 16 - 1 : 0, first = UINT64_MAX - span;

	(void)base;
	for (size_t i = 0; i < n; i++, first += 16) {
		struct lindex_run run = random_run(first, first + 15, rng);

		if (i + 1 == n) {
			run.last = UINT64_MAX;
			run.value &= UINT32_MAX;
		}
		twin_append(out, &run);
	}
}

static void make_tagged(struct twin *out, size_t n, uint64_t base, struct rng *rng)
{
	uint64_t first = base;

	for (size_t i = 0; i < n; i++) {
		uint64_t len = 1 + rng_below(rng, 8);
		uint8_t step = (uint8_t)rng_below(rng, 2);

		/* Values continue those of the left neighbour wherever its step allows it. */
		twin_append(out, &RUN(first, first + len - 1, step ? first : 5, step,
				      (uint16_t)rng_below(rng, 3)));
		first += len;
	}
}

typedef void (*make_fn)(struct twin *out, size_t n, uint64_t base, struct rng *rng);

static const struct {
	const char *name;
	make_fn make;
} shapes[SHAPE_COUNT] = {
	[SHAPE_NONE] = { "none", NULL },
	[SHAPE_ONE_KEY] = { "one_key", NULL },
	[SHAPE_LFS_AGED] = { "lfs_aged", make_lfs_aged },
	[SHAPE_SCATTERED_PAGES] = { "scattered_pages", make_scattered_pages },
	[SHAPE_SLOPED_PAGES] = { "sloped_pages", make_sloped_pages },
	[SHAPE_STRIDE] = { "stride", make_stride },
	[SHAPE_ESPFIX] = { "espfix", make_espfix },
	[SHAPE_SPARSE_RANDOM] = { "sparse_random", make_sparse_random },
	[SHAPE_LOGNORMAL] = { "lognormal", make_lognormal },
	[SHAPE_EXPONENTIAL] = { "exponential", make_exponential },
	[SHAPE_OUTLIER] = { "outlier", make_outlier },
	[SHAPE_ZIGZAG] = { "zigzag", make_zigzag },
	[SHAPE_HUGE] = { "huge", make_huge },
	[SHAPE_ALTERNATE] = { "alternate", make_alternate },
	[SHAPE_PRESENCE] = { "presence", make_presence },
	[SHAPE_NEAR_TOP] = { "near_top", make_near_top },
	[SHAPE_TAGGED] = { "tagged", make_tagged },
	[SHAPE_MIXTURE] = { "mixture", NULL },
};

const char *shape_name(enum shape shape)
{
	return shapes[shape].name;
}

/* Regions one behind the other, with a hole in between or without. */
static void make_mixture(struct twin *out, size_t n, struct rng *rng)
{
	static const enum shape parts[] = {
		SHAPE_LFS_AGED, SHAPE_SCATTERED_PAGES, SHAPE_SLOPED_PAGES, SHAPE_STRIDE,
		SHAPE_ESPFIX,   SHAPE_LOGNORMAL,       SHAPE_ZIGZAG,       SHAPE_ALTERNATE,
		SHAPE_PRESENCE, SHAPE_TAGGED,          SHAPE_HUGE,
	};
	const size_t count = sizeof(parts) / sizeof(parts[0]);
	uint64_t base = 0;

	for (size_t i = 0; i < count && n; i++) {
		size_t some = 1 + rng_below(rng, 2 * n / count + 1);

		if (parts[i] == SHAPE_HUGE)
			some = 20;
		shapes[parts[i]].make(out, some, base, rng);
		base = out->runs[out->n - 1].last + 1;
		if (rng_one_in(rng, 2))
			base += 1 + rng_magnitude(rng, 40);
	}
	make_near_top(out, 1 + n / count, 0, rng);
}

void shape_make(enum shape shape, size_t n, struct rng *rng, struct twin *out)
{
	uint64_t key = rng_u64(rng);

	twin_clear(out);
	if (shape == SHAPE_ONE_KEY)
		twin_append(out, &RUN(key, key, 77, 1, 3));
	else if (shape == SHAPE_MIXTURE)
		make_mixture(out, n, rng);
	else if (shapes[shape].make)
		shapes[shape].make(out, n, 0, rng);
}
