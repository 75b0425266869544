/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lookups of random keys of the log-aged map: every structure, in throughput and as a chain.
 */
#include <stdlib.h>
#include <string.h>

#include "bars.h"

#define KEYS       1000000u
#define CHAIN_KEYS 300000u

enum kind {
	LIMIT,
	LIMIT_HUGE,
	ABSL,
	ABSL_BARE,
	JUDY,
	JUDY_BARE,
	ARRAY,
	LINDEX,
	LINDEX_NO_SIMD,
	LINDEX_HUGE,
	LINDEX_BATCH,
	LINDEX_BATCH_HUGE,
	KINDS
};

/* Batches go to the map of another. */
static const struct {
	const struct peer_ops *ops;
	enum kind map_of;
} kinds[KINDS] = {
	[LIMIT] = { &peer_limit, LIMIT },
	[LIMIT_HUGE] = { &peer_limit_huge, LIMIT_HUGE },
	[ABSL] = { &peer_absl, ABSL },
	[ABSL_BARE] = { &peer_absl_bare, ABSL_BARE },
	[JUDY] = { &peer_judy, JUDY },
	[JUDY_BARE] = { &peer_judy_bare, JUDY_BARE },
	[ARRAY] = { &peer_array, ARRAY },
	[LINDEX] = { &peer_lindex, LINDEX },
	[LINDEX_NO_SIMD] = { &peer_lindex_no_simd, LINDEX_NO_SIMD },
	[LINDEX_HUGE] = { &peer_lindex_huge, LINDEX_HUGE },
	[LINDEX_BATCH] = { &peer_lindex_batch, LINDEX },
	[LINDEX_BATCH_HUGE] = { &peer_lindex_batch_huge, LINDEX_HUGE },
};

struct contest {
	void *maps[KINDS];
	double bytes[KINDS];
	uint64_t *keys, *places; /* places: the limit's keys */
	struct loop hits[KINDS], chains[KINDS];
};

static bool is_limit(enum kind kind)
{
	return kind == LIMIT || kind == LIMIT_HUGE;
}

static void prepare(struct contest *c, const struct bars *b, enum kind kind, bool chain)
{
	struct loop *loop = chain ? &c->chains[kind] : &c->hits[kind];

	loop->ops = kinds[kind].ops;
	loop->map = c->maps[kind];
	loop->keys = is_limit(kind) ? c->places : c->keys;
	loop->n = chain ? CHAIN_KEYS : KEYS;
	loop->mode = chain ? LOOP_CHAIN : LOOP_FREE;
	loop->want = is_limit(kind) ? limit_sum(loop) : twin_sum(&b->runs, loop);
	if (!chain)
		loop_check(loop, &b->runs);
	loop_add(loop, chain ? "chain" : "hits");
}

static void open_contest(struct contest *c, struct bars *b)
{
	memset(c, 0, sizeof(*c));
	c->keys = keys_below(KEYS + loop_warm(KEYS), b->file.blocks, &b->rng);
	c->places = keys_below(KEYS + loop_warm(KEYS), b->runs.n, &b->rng);
	for (unsigned int i = 0; i < KINDS; i++) {
		if (kinds[i].map_of == i)
			c->maps[i] = kinds[i].ops->build(b->runs.at, b->runs.n);
		else
			c->maps[i] = c->maps[kinds[i].map_of];
		c->bytes[i] = (double)kinds[i].ops->bytes(c->maps[i]) / (double)b->runs.n;
	}
}

static void close_contest(struct contest *c)
{
	for (unsigned int i = 0; i < KINDS; i++)
		if (kinds[i].map_of == i)
			kinds[i].ops->free(c->maps[i]);
	free(c->keys);
	free(c->places);
}

/* What came of asking for huge pages. */
static void note_huge_pages(void)
{
	FILE *in = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	unsigned long kib;

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			report_note(
				"%lu MiB in huge pages (lindex and the limit in their 'huge pages' "
				"rows); all else in 4 KiB pages",
				kib >> 10);
	if (in)
		fclose(in);
}

static void report_contest(const struct contest *c)
{
	for (unsigned int i = 0; i < KINDS; i++)
		report_structure(
			"hits", kinds[i].ops->name, &c->hits[i].ns, c->bytes[i], &c->hits[ABSL].ns,
			&c->hits[i == LINDEX_HUGE || i == LINDEX_BATCH_HUGE ? LIMIT_HUGE : LIMIT]
				 .ns);
	for (unsigned int i = 0; i < KINDS; i++)
		report_structure("chain", kinds[i].ops->name, &c->chains[i].ns, 0,
				 &c->chains[ABSL].ns,
				 &c->chains[i == LINDEX_HUGE ? LIMIT_HUGE : LIMIT].ns);
}

static void report_bars(const struct contest *c, const struct scale *scale)
{
	const struct loop *hits = c->hits, *chains = c->chains;

	report_ratio("lookup: absl / lindex", AT_LEAST, scale->absl, &hits[ABSL].ns,
		     &hits[LINDEX].ns);
	report_ratio("lookup: absl / lindex without SIMD", AT_LEAST, scale->no_simd, &hits[ABSL].ns,
		     &hits[LINDEX_NO_SIMD].ns);
	report_ratio("lookup: JudyL / lindex", AT_LEAST, 4, &hits[JUDY].ns, &hits[LINDEX].ns);
	report_ratio("lookup: JudyL (bare) / lindex", NO_BAR, 0, &hits[JUDY_BARE].ns,
		     &hits[LINDEX].ns);
	report_ratio("lookup: sorted array / lindex", NO_BAR, 0, &hits[ARRAY].ns, &hits[LINDEX].ns);
	report_ratio("dependent lookup: absl / lindex", AT_LEAST, scale->chain, &chains[ABSL].ns,
		     &chains[LINDEX].ns);
	report_ratio("dependent lookup: absl / lindex without SIMD", NO_BAR, 0, &chains[ABSL].ns,
		     &chains[LINDEX_NO_SIMD].ns);
	report_ratio("lookup_batch / limit, 4 KiB pages", AT_MOST, scale->batch,
		     &hits[LINDEX_BATCH].ns, &hits[LIMIT].ns);
	report_ratio("lookup_batch / limit, huge pages", AT_MOST, scale->batch,
		     &hits[LINDEX_BATCH_HUGE].ns, &hits[LIMIT_HUGE].ns);
	report_figure("memory after bulk build", AT_MOST, scale->bytes, c->bytes[LINDEX],
		      !hits[LINDEX].ns.wrong, "B/run");
	report_figure("memory after bulk build, huge pages", NO_BAR, 0, c->bytes[LINDEX_HUGE],
		      !hits[LINDEX_HUGE].ns.wrong, "B/run");
}

void bars_lookup(struct bars *b)
{
	struct contest c;

	open_contest(&c, b);
	note_huge_pages();
	for (unsigned int i = 0; i < KINDS; i++) {
		prepare(&c, b, i, false);
		if (kinds[i].ops->chain)
			prepare(&c, b, i, true);
	}
	rounds_run(b->rounds);
	report_contest(&c);
	report_bars(&c, b->scale);
	close_contest(&c);
}
