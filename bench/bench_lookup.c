/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lookups: every structure, every way to ask, every distribution of keys.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cmd.h"

#define FLUSH_MOST ((size_t)1 << 30)
#define FEW_RUNS   (1u << 17) /* they are in the caches after fewer keys */
#define PART       8u /* keys whose answers are compared by their sum, where only sums come out */

static const char *const mode_names[][2] = {
	[LOOP_FREE] = { "throughput", "throughput-flushed" },
	[LOOP_CHAIN] = { "dependent", "dependent-flushed" },
	[LOOP_BATCH] = { "batch", "batch-flushed" },
};

/* Those that answer with whole runs, with one entry per key, or bare. */
enum { WHOLE, SINGLE, BARE, STYLES };

/**
 * struct contest - One table: all structures with the same keys in the same mode.
 * @truth: The twin's answers to the keys.
 * @sums:  What they add up to in all. @parts: in each PART keys; NULL: not summed up yet.
 */
struct contest {
	struct set *s;
	const char *op;
	enum loop_mode mode;
	enum dist dist;
	size_t flush, n;
	uint64_t *keys, *places;
	struct lindex_run *truth;
	uint64_t sums[STYLES], *parts[STYLES];
	struct loop loops[PEERS_MAX], limit;
};

static unsigned int style_of(const struct peer_ops *ops)
{
	return ops->bare ? BARE : ops->single_key ? SINGLE : WHOLE;
}

/* What all are compared to takes part in batches, too, by plain lookups: it has no others. */
static enum loop_mode mode_of(const struct contest *c, const struct peer_ops *ops)
{
	return c->mode == LOOP_BATCH && !ops->batch ? LOOP_FREE : c->mode;
}

/* Bare ones cannot tell a hole; a chain leads into holes if there are any. */
static bool takes_part(const struct contest *c, unsigned int i)
{
	const struct peer_ops *ops = c->s->cfg->peers[i];

	if (!c->s->maps[i])
		return false;
	if (ops->bare && (!dist_hits(c->dist) || (c->mode == LOOP_CHAIN && c->s->has_holes)))
		return false;
	if (c->mode == LOOP_CHAIN)
		return ops->chain;
	return c->mode == LOOP_FREE || ops->batch || ops == &peer_absl;
}

static void prepare(struct contest *c, unsigned int i)
{
	struct loop *loop = &c->loops[i];
	unsigned int style = style_of(c->s->cfg->peers[i]);

	*loop = (struct loop){ .ops = c->s->cfg->peers[i],
			       .map = c->s->maps[i],
			       .keys = c->keys,
			       .n = c->n,
			       .mode = mode_of(c, c->s->cfg->peers[i]),
			       .flush = c->flush };
	if (!c->parts[style]) {
		c->sums[style] = twin_sum(&c->s->runs, loop);
		c->parts[style] = twin_sums(&c->s->runs, loop, PART);
	}
	loop->want = c->sums[style];
	if (c->mode == LOOP_FREE)
		loop_compare(loop, c->truth);
	loop_compare_parts(loop, c->parts[style], PART);
	loop_add(loop, "lookup");
}

/* A batch of plain accesses is the loop that the processor overlaps already. */
static void prepare_limit(struct contest *c)
{
	c->limit = (struct loop){ .ops = &peer_limit,
				  .map = c->s->limit,
				  .keys = c->places,
				  .n = c->n,
				  .flush = c->flush };
	c->limit.mode = c->mode == LOOP_CHAIN ? LOOP_CHAIN : LOOP_FREE;
	c->limit.want = limit_sum(&c->limit);
	loop_add(&c->limit, "lookup");
}

static const struct series *absl_of(const struct contest *c)
{
	for (unsigned int i = 0; i < c->s->cfg->n_peers; i++)
		if (c->s->cfg->peers[i] == &peer_absl)
			return &c->loops[i].ns;
	return NULL;
}

static void report_loop(const struct contest *c, const struct loop *loop, double bytes,
			const struct series *absl)
{
	struct row row = row_of(c->s, loop->ops->name, c->op, mode_names[c->mode][c->flush > 0],
				dist_names[c->dist]);

	if (!loop->ns.n)
		return;
	row.ns = loop->ns;
	row.absl = absl;
	row.limit = &c->limit.ns;
	row.bytes = bytes;
	row.checked = !loop->ns.wrong;
	rows_add(&row);
}

static void measure(struct contest *c)
{
	memset(c->loops, 0, sizeof(c->loops));
	prepare_limit(c);
	for (unsigned int i = 0; i < c->s->cfg->n_peers; i++)
		if (takes_part(c, i))
			prepare(c, i);
	rounds_run(c->s->cfg->rounds);
	report_loop(c, &c->limit, (double)peer_limit.bytes(c->s->limit) / (double)c->s->runs.n,
		    NULL);
	for (unsigned int i = 0; i < c->s->cfg->n_peers; i++)
		if (takes_part(c, i))
			report_loop(c, &c->loops[i], set_bytes(c->s, i), absl_of(c));
	rows_show();
	for (unsigned int i = 0; i < STYLES; i++) {
		free(c->parts[i]);
		c->parts[i] = NULL;
	}
}

static size_t flush_bytes(const struct config *cfg)
{
	size_t bytes = cfg->machine.cache_bytes ? cfg->machine.cache_bytes * 5 / 4 : 64u << 20;

	if (cfg->quick && bytes > 16u << 20)
		return 16u << 20;
	return bytes < FLUSH_MOST ? bytes : FLUSH_MOST;
}

void lookups_measure(struct set *s, const char *op, enum dist dist, size_t n, size_t flush)
{
	struct contest c = { .s = s, .op = op, .dist = dist, .n = n, .flush = flush };

	c.keys = keys_drawn(s, dist, c.n + loop_warm(c.n));
	if (!c.keys) {
		rows_note("%s: there are no such keys", dist_names[dist]);
		return;
	}
	c.places = keys_places(&s->runs, c.keys, c.n + loop_warm(c.n));
	c.truth = twin_answers(&s->runs, c.keys, c.n);
	for (c.mode = LOOP_FREE; c.mode <= LOOP_BATCH; c.mode++)
		measure(&c);
	free(c.keys);
	free(c.places);
	free(c.truth);
}

size_t keys_enough(const struct set *s)
{
	if (s->cfg->quick)
		return 20000;
	return s->runs.n < FEW_RUNS ? 100000 : 300000;
}

void verb_lookup(struct set *s)
{
	size_t flush = flush_bytes(s->cfg), flushed = s->runs.n < FEW_RUNS ? 1 : 4;
	size_t n = keys_enough(s);

	set_build(s);
	for (enum dist dist = 0; dist < DISTS; dist++)
		lookups_measure(s, "lookup", dist, n, 0);
	lookups_measure(s, "lookup", DIST_RUN, flushed * FLUSH_LOOKUPS, flush);
	if (!s->cfg->quick)
		lookups_measure(s, "lookup", DIST_GAP, flushed * FLUSH_LOOKUPS, flush);
}
