/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: JudyL. The first key leads to a position in an array of extents (the same answer as the
 * others give), or, bare, to the value itself.
 */
#include <Judy.h>
#include <stdlib.h>

#include "peer.h"

struct judy {
	Pvoid_t words;
	struct extent *extents; /* NULL: bare */
	size_t n;
};

static struct lindex_run find(const struct judy *judy, uint64_t key)
{
	Word_t first = key, next = key;
	const Word_t *at = (const Word_t *)JudyLLast(judy->words, &first, PJE0);
	uint64_t hole = 0;

	if (at) {
		const struct extent *e = &judy->extents[*at];

		if (e->last >= key)
			return extent_run(first, e);
		hole = e->last + 1;
	}
	return hole_run(hole, JudyLNext(judy->words, &next, PJE0) ? next - 1 : UINT64_MAX);
}

static uint64_t lookups(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct lindex_run run = find(map, keys[i]);

		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

static uint64_t chain(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t key = chain_next(keys[i], value);
		struct lindex_run run = find(map, key);

		value = lindex_value(&run, key);
		sum += answer_sum(&run, key);
	}
	return sum;
}

static void lookup(const void *map, uint64_t key, struct lindex_run *run)
{
	*run = find(map, key);
}

static uint64_t lookups_bare(const void *map, const uint64_t *keys, size_t n)
{
	const struct judy *judy = map;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		Word_t first = keys[i];
		const Word_t *at = (const Word_t *)JudyLLast(judy->words, &first, PJE0);

		sum += bare_sum(first, *at, keys[i]);
	}
	return sum;
}

static struct judy *fill(const struct lindex_run *runs, size_t n, bool bare)
{
	struct judy *judy = grab(sizeof(*judy));

	judy->words = NULL;
	judy->n = n;
	judy->extents = bare ? NULL : grab(n * sizeof(*judy->extents));
	for (size_t i = 0; i < n; i++) {
		Word_t *at = (Word_t *)JudyLIns(&judy->words, runs[i].first, PJE0);

		if (at == (Word_t *)PJERR)
			die("judy: no memory");
		*at = bare ? runs[i].value : i;
		if (!bare)
			judy->extents[i] = extent_of(&runs[i]);
	}
	return judy;
}

static void *build(const struct lindex_run *runs, size_t n)
{
	return fill(runs, n, false);
}

static void *build_bare(const struct lindex_run *runs, size_t n)
{
	return fill(runs, n, true);
}

static void destroy(void *map)
{
	struct judy *judy = map;

	JudyLFreeArray(&judy->words, PJE0);
	free(judy->extents);
	free(judy);
}

static uint64_t bytes(const void *map)
{
	const struct judy *judy = map;

	return JudyLMemUsed(judy->words) + (judy->extents ? judy->n * sizeof(*judy->extents) : 0);
}

const struct peer_ops peer_judy = {
	.name = "judy",
	.about = "JudyL, first -> position in an array of {last, value, tag, step}; read-only",
	.build = build,
	.free = destroy,
	.lookups = lookups,
	.chain = chain,
	.lookup = lookup,
	.bytes = bytes,
};

const struct peer_ops peer_judy_bare = {
	.name = "judy (bare)",
	.about = "JudyL, first -> value; read-only",
	.bare = true,
	.build = build_bare,
	.free = destroy,
	.lookups = lookups_bare,
	.bytes = bytes,
};
