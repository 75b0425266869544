/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Caches and TLBs against a naive twin: a list of keys with the time of their last use.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "cache.h"
#include "check.h"
#include "rng.h"

#define ROOM 4096

struct twin_entry {
	uint64_t index, key, word, used;
	bool there;
};

struct twin {
	struct twin_entry entries[ROOM];
	uint32_t sets, ways;
	uint64_t now;
};

static struct twin_entry *twin_find(struct twin *t, uint64_t key)
{
	for (size_t i = 0; i < ROOM; i++)
		if (t->entries[i].there && t->entries[i].key == key)
			return &t->entries[i];
	return NULL;
}

/* A free entry; of a full set, the one that was used longest ago makes room. */
static struct twin_entry *twin_room(struct twin *t, uint64_t index)
{
	struct twin_entry *oldest = NULL, *unused = NULL;
	uint32_t in_set = 0;

	for (size_t i = 0; i < ROOM; i++) {
		struct twin_entry *e = &t->entries[i];

		if (!e->there) {
			unused = unused ? unused : e;
		} else if (e->index % t->sets == index % t->sets) {
			in_set++;
			oldest = !oldest || e->used < oldest->used ? e : oldest;
		}
	}
	return in_set == t->ways ? oldest : unused;
}

static bool twin_touch(struct twin *t, uint64_t index, uint64_t key, uint64_t word)
{
	struct twin_entry *e = twin_find(t, key);
	bool hit = e != NULL;

	if (!e)
		e = twin_room(t, index);
	*e = (struct twin_entry){ index, key, hit ? e->word : word, ++t->now, true };
	return hit;
}

/* Keys that meet often: near each other, in few sets, at both ends. */
static uint64_t draw_key(struct rng *rng)
{
	switch (rng_below(rng, 4)) {
	case 0:
		return rng_below(rng, 40);
	case 1:
		return 64 * rng_below(rng, 30);
	case 2:
		return UINT64_MAX - 1 - rng_below(rng, 20);
	default:
		return rng_below(rng, 600);
	}
}

static const struct {
	uint32_t entries, ways;
} shapes[] = { { 64, 4 }, { 64, 0 },  { 96, 4 },   { 46, 0 }, { 1, 1 },
	       { 2, 0 },  { 48, 12 }, { 128, 16 }, { 12, 4 } };
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

Test(cache, touch_and_find_are_those_of_the_twin)
{
	static struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (size_t i = 0; i < SHAPES; i++) {
		struct cache c;

		cr_assert_eq(cache_init(&c, shapes[i].entries, shapes[i].ways), 0);
		t = (struct twin){ .sets = c.sets, .ways = c.ways };
		for (uint64_t step = 0; step < harness_longer(3000); step++) {
			uint64_t key = draw_key(&rng);

			harness_step("cache", step);
			if (rng_one_in(&rng, 3)) {
				struct twin_entry *e = twin_find(&t, key);

				CHECK(cache_find(&c, key, key) == (e != NULL), "find %lx",
				      (long)key);
				if (e)
					e->used = ++t.now;
			} else {
				bool hit = twin_touch(&t, key, key, 0);

				CHECK(cache_touch(&c, key, key) == hit, "touch %lx", (long)key);
			}
		}
		cache_destroy(&c);
	}
}

Test(cache, tlb_is_that_of_the_twin)
{
	static struct twin t;
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	for (size_t i = 0; i < SHAPES; i++) {
		struct tlb tlb;

		cr_assert_eq(tlb_init(&tlb, shapes[i].entries, shapes[i].ways), 0);
		t = (struct twin){ .sets = tlb.sets, .ways = tlb.ways };
		for (uint64_t step = 0; step < harness_longer(3000); step++) {
			uint64_t page = draw_key(&rng) >> 2, key = page << 2 | rng_below(&rng, 3);
			uint64_t word = 1 + rng_below(&rng, 1000000), found;
			struct twin_entry *e = twin_find(&t, key);

			harness_step("tlb", step);
			CHECK(tlb_has(&tlb, page, key) == (e != NULL), "has %lx", (long)key);
			found = tlb_find(&tlb, page, key);
			CHECK(found == (e ? e->word : 0), "find %lx", (long)key);
			if (!found)
				tlb_fill(&tlb, page, key, word);
			twin_touch(&t, page, key, word);
		}
		tlb_destroy(&tlb);
	}
}

Test(cache, shapes_that_are_none)
{
	struct cache c;

	cr_assert_eq(cache_init(&c, 0, 1), -EINVAL);
	cr_assert_eq(cache_init(&c, 10, 4), -EINVAL);
	cr_assert_eq(cache_init(&c, 10, 11), 0);
	cr_assert_eq(c.ways, 10);
	cache_destroy(&c);
}
