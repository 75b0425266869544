/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inputs that broke other learned indexes, or are known to be where they break: keys at a stride of
 * 3 by the million, strictly sequential inserts from empty, one far outlier, lognormal gaps, a hole
 * punched at every other key, zigzag at exactly the tolerance, split and merge in turns at one
 * boundary, and the two ends of the key space.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "keys.h"
#include "same.h"
#include "world.h"

static struct world w;

static void open_default(void)
{
	world_open(&w, NULL, 0, 0);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(seeds, .init = open_default, .fini = close_world);

static void put(struct lindex_run run)
{
	world_do(&w, &(struct op){ .run = run });
}

static void clear(uint64_t first, uint64_t last)
{
	world_do(&w, &(struct op){ .run = RUN(first, last, 0, 0, 0), .is_remove = true });
}

/* ---- Stride 3: no twin, the answer is arithmetic ------------------------------------------------ */

#define BATCH 4096

struct strided {
	uint64_t n, stride;
	bool scattered; /* values by hash, or in order */
};

static uint64_t value_of(const struct strided *s, uint64_t i)
{
	uint64_t state = i;

	return s->scattered ? rng_splitmix(&state) >> 32 : i;
}

static struct lindex_run answer_at(const struct strided *s, uint64_t key)
{
	uint64_t i = key / s->stride;
	struct lindex_run run = { 0 };

	if (key % s->stride == 0 && i < s->n) {
		run = RUN(key, key, value_of(s, i), 1, 0);
		run.mapped = 1;
		return run;
	}
	run.first = i < s->n ? i * s->stride + 1 : (s->n - 1) * s->stride + 1;
	run.last = i + 1 < s->n ? (i + 1) * s->stride - 1 : UINT64_MAX;
	return run;
}

/* Each key and each gap up to a little behind the last. */
static void compare_strided(const struct lindex *ix, const struct strided *s)
{
	static struct lindex_run got[BATCH];
	static uint64_t keys[BATCH];
	uint64_t end = s->n * s->stride + 100;

	for (uint64_t from = 0; from < end; from += BATCH) {
		for (uint64_t i = 0; i < BATCH; i++)
			keys[i] = from + i;
		CHECK(lindex_lookup_batch(ix, keys, BATCH, got) >= 0, "batch at %llu",
		      (unsigned long long)from);
		for (uint64_t i = 0; i < BATCH; i++) {
			struct lindex_run want = answer_at(s, from + i);

			CHECK(run_equal(&got[i], &want), "%s, not %s", run_text(&got[i]),
			      run_text(&want));
		}
	}
}

static bool build_strided(const struct strided *s)
{
	size_t bytes = s->n * sizeof(struct lindex_run);
	struct lindex_run *runs;
	int rc;

	/* The array, and about as much again for the index. */
	if (2 * bytes / (size_t)sysconf(_SC_PAGESIZE) > (size_t)sysconf(_SC_AVPHYS_PAGES))
		return false;
	runs = malloc(bytes);
	if (!runs)
		return false;
	for (uint64_t i = 0; i < s->n; i++)
		runs[i] = RUN(i * s->stride, i * s->stride, value_of(s, i), 1, 0);
	rc = lindex_build(w.ix, runs, s->n, NULL);
	free(runs);
	CHECK(rc == 0, "build is %d", rc);
	return true;
}

static void insert_strided(const struct strided *s)
{
	for (uint64_t i = 0; i < s->n; i++) {
		struct lindex_run run = RUN(i * s->stride, i * s->stride, value_of(s, i), 1, 0);

		CHECK(lindex_insert(w.ix, &run) == 0, "insert %llu", (unsigned long long)i);
	}
}

static void build_and_compare(struct strided s)
{
	harness_step("stride", s.stride);
	if (!build_strided(&s))
		insert_strided(&s);
	compare_strided(w.ix, &s);
	assert_sound(w.ix);
}

Test(seeds, stride_3_keys_by_the_million)
{
	build_and_compare(
		(struct strided){ .n = harness_long() ? 200000000 : 2000000, .stride = 3 });
}

Test(seeds, stride_3_keys_with_scattered_values)
{
	build_and_compare((struct strided){
		.n = harness_long() ? 20000000 : 1000000, .stride = 3, .scattered = true });
}

Test(seeds, other_strides)
{
	static const uint64_t strides[] = {
		2, 5, 7, 16, 17, 255, 256, 4096, 1u << 20, 1ull << 32, 1ull << 40, 3ull << 41
	};
	struct strided s = { .n = 20000 };

	/* Only edges: with such gaps not each key. */
	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		struct twin t;

		s.stride = strides[i];
		harness_step("stride", s.stride);
		twin_init(&t);
		for (uint64_t k = 0; k < s.n; k++)
			twin_append(&t, &RUN(k * s.stride, k * s.stride, k * 2, 1, 0));
		world_build(&w, &t);
		assert_same(w.ix, &w.twin);
		twin_destroy(&t);
	}
}

Test(seeds, stride_3_keys_inserted_one_by_one)
{
	struct strided s = { .n = harness_long() ? 5000000 : 300000,
			     .stride = 3,
			     .scattered = true };

	insert_strided(&s);
	compare_strided(w.ix, &s);
	assert_sound(w.ix);
}

/* ---- In order -------------------------------------------------------------------------------------- */

Test(seeds, sequential_inserts_that_continue_stay_one_run)
{
	for (uint64_t i = 0; i < 20000; i++) {
		harness_step("sequential", i);
		put(RUN(i, i, 1000 + i, 1, 0));
		assert_same_at(w.ix, &w.twin, i / 2);
	}
	cr_assert_eq(w.twin.n, 1);
	assert_same(w.ix, &w.twin);
}

Test(seeds, sequential_inserts_from_empty)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (uint64_t i = 0; i < 50000; i++) {
		harness_step("sequential", i);
		put(RUN(i, i, rng_bits(&rng, 30), 1, 0));
		assert_same_at(w.ix, &w.twin, i);
		assert_same_at(w.ix, &w.twin, i + 1);
		assert_same_at(w.ix, &w.twin, rng_below(&rng, i + 1));
	}
	assert_same(w.ix, &w.twin);
}

Test(seeds, inserts_in_falling_order_down_to_zero)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	for (uint64_t i = 5000; i-- > 0;) {
		harness_step("falling", i);
		put(RUN(3 * i, 3 * i + 1, rng_bits(&rng, 50), 0, 1));
		assert_same_at(w.ix, &w.twin, 3 * i);
		assert_same_at(w.ix, &w.twin, 3 * i + 2);
	}
	assert_same(w.ix, &w.twin);
}

Test(seeds, sequential_inserts_up_to_the_last_key)
{
	for (uint64_t i = 5000; i-- > 0;) {
		uint64_t key = UINT64_MAX - 2 * i;

		harness_step("top", i);
		put(RUN(key, key, i * i, 1, 0));
		assert_same_at(w.ix, &w.twin, key);
		assert_same_at(w.ix, &w.twin, UINT64_MAX);
	}
	assert_same(w.ix, &w.twin);
}

/* ---- Holes ----------------------------------------------------------------------------------------- */

Test(seeds, hole_punch_at_every_other_key_and_back)
{
	const uint64_t n = 20000;

	put(RUN(0, n - 1, 500, 1, 0));
	for (uint64_t key = 0; key < n; key += 2) {
		harness_step("punch", key);
		clear(key, key);
		assert_same_at(w.ix, &w.twin, key);
		assert_same_at(w.ix, &w.twin, key + 1);
	}
	cr_assert_eq(w.twin.n, n / 2);
	assert_same(w.ix, &w.twin);
	for (uint64_t key = 0; key < n; key += 2) {
		harness_step("fill", key);
		put(RUN(key, key, 500 + key, 1, 0));
		assert_same_at(w.ix, &w.twin, key);
	}
	cr_assert_eq(w.twin.n, 1, "it is one run again");
	assert_same(w.ix, &w.twin);
}

Test(seeds, hole_punch_in_random_order)
{
	const uint64_t n = 1 << 14;

	put(RUN(0, 2 * n - 1, 0, 0, 3));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t key = 2 * ((i * 7919) % n);

		harness_step("punch", i);
		clear(key, key);
		assert_same_at(w.ix, &w.twin, key);
		assert_same_at(w.ix, &w.twin, key + 1);
	}
	assert_same(w.ix, &w.twin);
}

/* ---- Oscillation ----------------------------------------------------------------------------------- */

static void fill_scattered(uint64_t n)
{
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 9);
	twin_init(&t);
	for (uint64_t i = 0; i < n; i++)
		twin_append(&t, &RUN(4 * i, 4 * i + 1, rng_bits(&rng, 40), 1, 0));
	world_build(&w, &t);
	twin_destroy(&t);
}

Test(seeds, split_and_merge_in_turns_at_one_boundary)
{
	/* Sizes around the ones at which a node splits, whatever they are. */
	for (uint64_t n = 1; n < 150; n++) {
		fill_scattered(n);
		for (uint64_t i = 0; i < 60; i++) {
			harness_step("oscillation", n * 100 + i);
			put(RUN(4 * n, 4 * n, i, 1, 0));
			assert_same_at(w.ix, &w.twin, 4 * n);
			clear(4 * n, 4 * n);
			assert_same_at(w.ix, &w.twin, 4 * n);
		}
		assert_same(w.ix, &w.twin);
	}
}

Test(seeds, one_run_is_split_and_joined_in_turns)
{
	fill_scattered(3000);
	put(RUN(5000, 5999, 100, 1, 7));
	for (uint64_t i = 0; i < 5000; i++) {
		harness_step("turns", i);
		clear(5500, 5500);
		assert_same_at(w.ix, &w.twin, 5500);
		put(RUN(5500, 5500, 600, 1, 7));
		assert_same_at(w.ix, &w.twin, 5500);
	}
	assert_same(w.ix, &w.twin);
}

Test(seeds, a_leaf_is_filled_and_emptied_in_turns)
{
	fill_scattered(500);
	for (uint64_t round = 0; round < 30; round++) {
		for (uint64_t i = 0; i < 200; i++) {
			harness_step("fill", round * 200 + i);
			put(RUN(800 + i, 800 + i, i * i + round, 1, 0));
		}
		assert_same(w.ix, &w.twin);
		clear(800, 999);
		assert_same(w.ix, &w.twin);
	}
}

/* ---- Models ----------------------------------------------------------------------------------------- */

Test(seeds, one_far_outlier_comes_and_goes)
{
	for (unsigned int bit = 20; bit < 64; bit += 3) {
		uint64_t far = (1ull << bit) + 12345;

		harness_step("outlier", bit);
		fill_scattered(2000);
		put(RUN(far, far, 1, 1, 1));
		assert_same(w.ix, &w.twin);
		put(RUN(far + 10, UINT64_MAX, 1, 0, 1));
		assert_same(w.ix, &w.twin);
		clear(far, far);
		assert_same(w.ix, &w.twin);
	}
}

Test(seeds, one_far_outlier_among_values)
{
	for (unsigned int bit = 20; bit < 64; bit += 3) {
		harness_step("outlier", bit);
		fill_scattered(2000);
		put(RUN(4000, 4001, 1ull << bit, 1, 0));
		assert_same(w.ix, &w.twin);
		put(RUN(4000, 4000, UINT64_MAX, 1, 0));
		assert_same(w.ix, &w.twin);
	}
}

static void compare_shape(enum shape shape, size_t n, uint32_t epsilon, uint32_t node_bytes)
{
	struct lindex_config cfg = { .epsilon = epsilon, .node_bytes = node_bytes };
	struct world other;
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), epsilon);
	twin_init(&t);
	shape_make(shape, n, &rng, &t);
	world_open(&other, &cfg, 0, 0);
	world_build(&other, &t);
	assert_same(other.ix, &other.twin);
	world_close(&other);
	twin_destroy(&t);
}

Test(seeds, lognormal_and_exponential_gaps)
{
	for (uint32_t epsilon = 2; epsilon <= 64; epsilon *= 2) {
		harness_step("gaps, epsilon", epsilon);
		compare_shape(SHAPE_LOGNORMAL, 30000, epsilon, 512);
		compare_shape(SHAPE_EXPONENTIAL, 5000, epsilon, 512);
	}
}

/* Keys that leave the straight line by exactly @off entries, up and down in turns. */
static void compare_zigzag(uint64_t off, uint32_t epsilon, uint32_t node_bytes)
{
	struct lindex_config cfg = { .epsilon = epsilon, .node_bytes = node_bytes };
	struct world other;
	struct twin t;

	twin_init(&t);
	for (uint64_t i = 0; i < 6000; i++) {
		uint64_t key = i * 1000, sign = i / (2 * off + 1) % 2;

		key = sign ? key + 1000 * off : key + 1000 * off * 2;
		if (!t.n || t.runs[t.n - 1].last < key)
			twin_append(&t, &RUN(key, key, i * 3, 1, 0));
	}
	world_open(&other, &cfg, 0, 0);
	world_build(&other, &t);
	assert_same(other.ix, &other.twin);
	world_close(&other);
	twin_destroy(&t);
}

Test(seeds, zigzag_at_exactly_the_tolerance)
{
	for (uint32_t epsilon = 2; epsilon <= 120; epsilon += epsilon / 2 + 1) {
		for (uint64_t off = epsilon - 1; off <= epsilon + 1; off++) {
			harness_step("zigzag, epsilon", epsilon);
			compare_zigzag(off, epsilon, 512);
			compare_zigzag(off, epsilon, 1024);
		}
		compare_shape(SHAPE_ZIGZAG, 20000, epsilon, 512);
	}
}

Test(seeds, values_with_a_slope_that_wraps)
{
	struct twin t;

	/* Residuals must be exact modulo 2^64, also where a prediction leaves the range. */
	twin_init(&t);
	for (uint64_t i = 0; i < 5000; i++) {
		uint64_t value = i * (UINT64_MAX / 2000) + (i & 3);

		twin_append(&t, &RUN(i, i, value, 0, 0));
	}
	world_build(&w, &t);
	assert_same(w.ix, &w.twin);
	for (uint64_t i = 0; i < t.n; i++)
		t.runs[i].value = ~t.runs[i].value;
	world_build(&w, &t);
	assert_same(w.ix, &w.twin);
	twin_destroy(&t);
}

/* Each width of residuals, 0 and 64 included. */
Test(seeds, values_of_every_width)
{
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 12);
	twin_init(&t);
	for (unsigned int bits = 0; bits <= 64; bits++) {
		uint64_t base = rng_bits(&rng, 64 - bits) << (bits == 64 ? 0 : bits);

		harness_step("width", bits);
		twin_clear(&t);
		for (uint64_t i = 0; i < 3000; i++)
			twin_append(&t, &RUN(i, i, base | rng_bits(&rng, bits), 0, 0));
		world_build(&w, &t);
		assert_same(w.ix, &w.twin);
	}
	twin_destroy(&t);
}

/* Each width of gaps and of lengths. */
Test(seeds, keys_of_every_width)
{
	struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 13);
	twin_init(&t);
	for (unsigned int bits = 1; bits <= 53; bits++) {
		uint64_t key = rng_bits(&rng, 40);

		harness_step("width", bits);
		twin_clear(&t);
		for (uint64_t i = 0; i < 1000; i++) {
			uint64_t last = key + rng_bits(&rng, bits);

			twin_append(&t, &RUN(key, last, rng_bits(&rng, 60), 0, (uint16_t)(i % 3)));
			key = last + 1 + rng_bits(&rng, bits);
		}
		world_build(&w, &t);
		assert_same(w.ix, &w.twin);
	}
	twin_destroy(&t);
}

/* ---- The ends of the key space ----------------------------------------------------------------------- */

Test(seeds, keys_zero_and_last_among_many)
{
	for (uint64_t n = 0; n < 400; n = n * 2 + 1) {
		harness_step("ends", n);
		fill_scattered(n);
		put(RUN(0, 0, UINT64_MAX, 1, 9));
		put(RUN(UINT64_MAX, UINT64_MAX, UINT64_MAX, 1, 9));
		assert_same(w.ix, &w.twin);
		clear(0, 0);
		assert_same(w.ix, &w.twin);
		put(RUN(UINT64_MAX - 1, UINT64_MAX, 5, 0, 9));
		assert_same(w.ix, &w.twin);
		clear(UINT64_MAX, UINT64_MAX);
		assert_same(w.ix, &w.twin);
		put(RUN(0, UINT64_MAX, 5, 0, 9));
		clear(1, UINT64_MAX - 1);
		assert_same(w.ix, &w.twin);
	}
}
