/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every peer of the benchmarks answers as the twin does: hits, holes and edges, after build and
 * after random overwrites and removes. Bare peers know no holes, and are asked for hits.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>

#include "check.h"
#include "keys.h"
#include "peer.h"
#include "same.h"
#include "world.h"

#define KEYS      4000u
#define KEYS_MOST 200000u

static struct criterion_test_params every_peer(void)
{
	static size_t numbers[64];
	size_t n;

	(void)peer_all(&n);
	for (size_t i = 0; i < n; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, n);
}

#define EVERY_PEER(name)                                                                           \
	ParameterizedTestParameters(peers, name)                                                   \
	{                                                                                          \
		return every_peer();                                                               \
	}                                                                                          \
	ParameterizedTest(const size_t *number, peers, name)

static const struct peer_ops *peer_at(size_t number)
{
	size_t n;

	return peer_all(&n)[number];
}

/* One entry per key: what would be gigabytes is left out. */
static bool holds(const struct peer_ops *ops, const struct lindex_run *runs, size_t n)
{
	uint64_t keys = 0;

	for (size_t i = 0; ops->single_key && i < n; i++) {
		uint64_t more = runs[i].last - runs[i].first;

		if (more > KEYS_MOST || (keys += more + 1) > KEYS_MOST)
			return false;
	}
	return !ops->refuses || !ops->refuses(runs, n);
}

/* ---- Answers ------------------------------------------------------------------------------- */

static struct lindex_run wanted(const struct peer_ops *ops, const struct twin *t, uint64_t key)
{
	struct lindex_run run;

	(void)twin_lookup(t, key, &run);
	return ops->single_key ? key_run(&run, key) : run;
}

static uint64_t wanted_sum(const struct peer_ops *ops, const struct twin *t, uint64_t key,
			   uint64_t *value)
{
	struct lindex_run run = wanted(ops, t, key);

	*value = lindex_value(&run, key);
	return ops->bare ? bare_sum(run.first, run.value, key) : answer_sum(&run, key);
}

static void assert_answer(const struct peer_ops *ops, const void *map, const struct twin *t,
			  uint64_t key)
{
	struct lindex_run want = wanted(ops, t, key), got = want;

	if (ops->lookup)
		ops->lookup(map, key, &got);
	CHECK(run_equal(&want, &got), "%s: key %llu: %s, not %s", ops->name,
	      (unsigned long long)key, run_text(&got), run_text(&want));
}

static void assert_edges(const struct peer_ops *ops, const void *map, const struct twin *t)
{
	assert_answer(ops, map, t, 0);
	assert_answer(ops, map, t, UINT64_MAX);
	for (size_t i = 0; i < t->n; i++) {
		const struct lindex_run *run = &t->runs[i];

		assert_answer(ops, map, t, run->first - 1);
		assert_answer(ops, map, t, run->first);
		assert_answer(ops, map, t, run->last);
		assert_answer(ops, map, t, run->last + 1);
	}
}

static uint64_t draw_key(const struct peer_ops *ops, const struct twin *t, struct rng *rng)
{
	const struct lindex_run *run;

	if (!t->n || (!ops->bare && rng_one_in(rng, 4)))
		return rng_magnitude(rng, 64);
	run = &t->runs[rng_below(rng, t->n)];
	return rng_between(rng, run->first, run->last);
}

/* A chain changes three bits of a key: bare peers, which know no holes, may not leave their run. */
static void assert_sums(const struct peer_ops *ops, const void *map, const struct twin *t,
			struct rng *rng)
{
	uint64_t *keys = calloc(KEYS, sizeof(*keys));
	uint64_t want = 0, chain = 0, value = 0, unused;
	size_t n = ops->bare && !t->n ? 0 : rng_below(rng, KEYS);

	CHECK(keys, "memory");
	for (size_t i = 0; i < n; i++) {
		keys[i] = draw_key(ops, t, rng);
		want += wanted_sum(ops, t, keys[i], &unused);
		chain += wanted_sum(ops, t, chain_next(keys[i], value), &value);
	}
	CHECK(ops->lookups(map, keys, n) == want, "%s: %zu lookups", ops->name, n);
	if (ops->batch)
		CHECK(ops->batch(map, keys, n) == want, "%s: batch of %zu", ops->name, n);
	if (ops->chain && !ops->bare)
		CHECK(ops->chain(map, keys, n) == chain, "%s: chain of %zu", ops->name, n);
	free(keys);
}

static void assert_all(const struct peer_ops *ops, const void *map, const struct twin *t,
		       struct rng *rng)
{
	assert_edges(ops, map, t);
	assert_sums(ops, map, t, rng);
	CHECK(ops->bytes(map) > 0, "%s: bytes", ops->name);
}

/* ---- After build --------------------------------------------------------------------------- */

static void check_build(const struct peer_ops *ops, const struct twin *t, struct rng *rng)
{
	void *map;

	if ((!t->n && !ops->overwrite) || !holds(ops, t->runs, t->n))
		return;
	map = ops->build(t->runs, t->n);
	assert_all(ops, map, t, rng);
	ops->free(map);
}

EVERY_PEER(answer_after_build)
{
	static const size_t sizes[] = { 1, 2, 15, 16, 17, 256, 289, 4000 };
	const struct peer_ops *ops = peer_at(*number);
	struct twin t;
	struct rng rng;

	reader_register();
	rng_init(&rng, harness_seed(), *number);
	twin_init(&t);
	for (unsigned int shape = SHAPE_ONE_KEY; shape < SHAPE_COUNT; shape++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			harness_step(shape_name(shape), sizes[i]);
			shape_make(shape, sizes[i], &rng, &t);
			check_build(ops, &t, &rng);
		}
	twin_destroy(&t);
	reader_unregister();
}

EVERY_PEER(hold_an_aged_file)
{
	const struct peer_ops *ops = peer_at(*number);
	struct twin t;
	struct rng rng;

	reader_register();
	rng_init(&rng, harness_seed(), *number);
	twin_init(&t);
	lfs_aged(50000, &rng, &t);
	CHECK(holds(ops, t.runs, t.n), "%s refuses an aged file", ops->name);
	check_build(ops, &t, &rng);
	twin_destroy(&t);
	reader_unregister();
}

/* ---- After changes ------------------------------------------------------------------------- */

/* Near what is there, of the contents' kind: what every peer that can change can hold. */
static struct op op_plain(const struct twin *now, uint64_t end, struct rng *rng)
{
	struct op op = { .is_remove = rng_one_in(rng, 3) };
	uint64_t first = rng_below(rng, end), length = rng_magnitude(rng, 10);

	if (now->n && rng_one_in(rng, 4)) { /* once more what is there, in full or in part */
		op.run = now->runs[rng_below(rng, now->n)];
		if (rng_one_in(rng, 2))
			op.run.last = rng_between(rng, op.run.first, op.run.last);
	} else {
		op.run = RUN(first, first + length, first + rng_below(rng, 4) * end, 1, 0);
	}
	return op;
}

static void apply(const struct peer_ops *ops, void *map, struct twin *t, const struct op *op)
{
	if (op->is_remove ? !ops->remove : !holds(ops, &op->run, 1))
		return;
	if (op->is_remove)
		ops->remove(map, op->run.first, op->run.last);
	else
		ops->overwrite(map, &op->run);
	op_apply_twin(t, op);
	assert_answer(ops, map, t, op->run.first - 1);
	assert_answer(ops, map, t, op->run.first);
	assert_answer(ops, map, t, op->run.last);
	assert_answer(ops, map, t, op->run.last + 1);
}

static void empty(const struct peer_ops *ops, void *map, struct twin *t)
{
	if (!ops->remove)
		return;
	ops->remove(map, 0, UINT64_MAX);
	twin_clear(t);
	assert_edges(ops, map, t);
}

EVERY_PEER(answer_after_changes_of_a_file)
{
	const struct peer_ops *ops = peer_at(*number);
	const uint64_t blocks = 30000;
	struct twin t;
	struct rng rng;
	void *map;

	if (!ops->overwrite)
		return;
	reader_register();
	rng_init(&rng, harness_seed(), *number);
	twin_init(&t);
	lfs_aged(blocks, &rng, &t);
	map = ops->build(t.runs, t.n);
	for (uint64_t step = 0; step < 20000; step++) {
		struct op op = op_plain(&t, blocks, &rng);

		harness_step(ops->name, step);
		apply(ops, map, &t, &op);
		if (step == 10000)
			empty(ops, map, &t);
	}
	assert_all(ops, map, &t, &rng);
	ops->free(map);
	twin_destroy(&t);
	reader_unregister();
}

static void change_shape(const struct peer_ops *ops, enum shape shape, struct rng *rng)
{
	struct twin t, donor;
	void *map;

	twin_init(&t);
	twin_init(&donor);
	shape_make(shape, 1000, rng, &donor);
	if (holds(ops, donor.runs, donor.n)) {
		twin_copy(&t, &donor);
		map = ops->build(t.runs, t.n);
		for (uint64_t step = 0; step < 1500; step++) {
			struct op op = op_draw(&t, &donor, 1000, rng);

			harness_step(shape_name(shape), step);
			apply(ops, map, &t, &op);
		}
		assert_all(ops, map, &t, rng);
		empty(ops, map, &t);
		ops->free(map);
	}
	twin_destroy(&t);
	twin_destroy(&donor);
}

EVERY_PEER(answer_after_changes_of_every_shape)
{
	const struct peer_ops *ops = peer_at(*number);
	struct rng rng;

	if (!ops->overwrite)
		return;
	reader_register();
	rng_init(&rng, harness_seed(), *number);
	for (unsigned int shape = 0; shape < SHAPE_COUNT; shape++)
		change_shape(ops, shape, &rng);
	reader_unregister();
}

/* ---- The table ----------------------------------------------------------------------------- */

Test(peers, have_names_of_their_own)
{
	const struct peer_ops *const *all;
	size_t n;

	all = peer_all(&n);
	for (size_t i = 0; i < n; i++) {
		CHECK(peer_named(all[i]->name) == all[i], "%s", all[i]->name);
		CHECK(all[i]->about && *all[i]->about, "%s has no text", all[i]->name);
	}
	CHECK(!peer_named("nobody"), "nobody");
}
