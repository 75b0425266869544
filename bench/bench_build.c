/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Building, memory, and how both and lookups grow with the map.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cmd.h"
#include "bench_twin.h"
#include "gbench.h"

/* ---- Build --------------------------------------------------------------------------------- */

struct builder {
	const struct set *s;
	const struct peer_ops *ops;
	void *last; /* the map of the last round, for what is compared */
	struct series ns;
};

static double build_run(void *state)
{
	struct builder *b = state;
	uint64_t start, ns;

	if (b->last)
		b->ops->free(b->last);
	start = cpu_ns();
	b->last = b->ops->build(b->s->runs.at, b->s->runs.n);
	ns = cpu_ns() - start;
	series_add(&b->ns, (double)ns / (double)b->s->runs.n, true);
	return (double)ns * 1e-9;
}

/* Bare ones know hits: their sum over all first keys. */
static bool bare_same(const struct peer_ops *ops, const void *map, const struct runs *runs)
{
	uint64_t *keys = grab(runs->n * sizeof(*keys)), want = 0, got;

	for (size_t i = 0; i < runs->n; i++) {
		keys[i] = runs->at[i].first;
		want += runs->at[i].value;
	}
	got = ops->lookups(map, keys, runs->n);
	free(keys);
	return got == want;
}

static bool same(const struct peer_ops *ops, const void *map, const struct runs *runs)
{
	return ops->lookup ? peer_same(ops, map, runs) : bare_same(ops, map, runs);
}

static void add_builder(struct set *s, struct builder *b, const struct peer_ops *ops)
{
	const char *why = ops->refuses ? ops->refuses(s->runs.at, s->runs.n) : NULL;
	char name[96];

	if (why) {
		rows_note("%s: not here: %s", ops->name, why);
		return;
	}
	*b = (struct builder){ .s = s, .ops = ops };
	snprintf(name, sizeof(name), "build/%s", ops->name);
	gbench_add(name, build_run, b);
}

void verb_build(struct set *s)
{
	struct builder builders[PEERS_MAX] = { { .s = NULL } };
	const struct series *absl = NULL;

	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		add_builder(s, &builders[i], s->cfg->peers[i]);
		if (builders[i].ops == &peer_absl)
			absl = &builders[i].ns;
	}
	rounds_run(s->cfg->rounds);
	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		struct builder *b = &builders[i];
		struct row row;

		if (!b->ops)
			continue;
		row = row_of(s, b->ops->name, "build", "bulk", "per run");
		row.ns = b->ns;
		row.absl = absl;
		row.bytes = (double)b->ops->bytes(b->last) / (double)s->runs.n;
		row.checked = same(b->ops, b->last, &s->runs);
		rows_add(&row);
		b->ops->free(b->last);
	}
	rows_show();
}

/* ---- Memory -------------------------------------------------------------------------------- */

static void report_memory(const struct set *s, const struct peer_ops *ops, const void *map,
			  const struct runs *now, const char *mode)
{
	struct row row = row_of(s, ops->name, "memory", mode, "");

	row.bytes = now->n ? (double)ops->bytes(map) / (double)now->n : 0;
	row.checked = same(ops, map, now);
	row_extra(&row, "bytes_per_key", (double)ops->bytes(map) / (double)s->data.keys);
	row_extra(&row, "MiB", (double)ops->bytes(map) / (1 << 20));
	rows_add(&row);
}

/* Run by run, in random order. */
static void *grow(const struct set *s, const struct peer_ops *ops, const struct lindex_run *order)
{
	void *map = ops->build(NULL, 0);

	for (size_t i = 0; i < s->runs.n; i++)
		ops->overwrite(map, &order[i]);
	return map;
}

void verb_memory(struct set *s)
{
	struct lindex_run *order = runs_shuffle(&s->runs, &s->rng);

	set_build(s);
	for (unsigned int i = 0; i < s->cfg->n_peers; i++)
		if (s->maps[i])
			report_memory(s, s->cfg->peers[i], s->maps[i], &s->runs, "bulk");
	rows_show();
	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		const struct peer_ops *ops = s->cfg->peers[i];
		void *map;

		if (!s->maps[i] || !ops->overwrite)
			continue;
		map = grow(s, ops, order);
		report_memory(s, ops, map, &s->runs, "grown run by run");
		ops->free(map);
	}
	rows_show();
	free(order);
}

/* ---- Scale --------------------------------------------------------------------------------- */

/* The set of the spec gives way to ones of 10^4, 10^5, ... runs of the same kind. */
static bool base_of(const char *spec, char base[128])
{
	unsigned int colons = 0, keep = 2;

	if (strncmp(spec, "gen:", 4) != 0)
		return false;
	if (strncmp(spec, "gen:stride:", 11) == 0 || strncmp(spec, "gen:adversary:", 14) == 0)
		keep = 3;
	snprintf(base, 128, "%s", spec);
	for (char *at = base; *at; at++)
		if (*at == ':' && ++colons == keep)
			*at = 0;
	return true;
}

static void report_builds(const struct set *s)
{
	struct series absl = { .n = 0 };

	for (unsigned int i = 0; i < s->cfg->n_peers; i++)
		if (s->maps[i] && s->cfg->peers[i] == &peer_absl)
			series_add(&absl, s->build_ns[i], true);
	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		const struct peer_ops *ops = s->cfg->peers[i];
		struct row row;

		if (!s->maps[i])
			continue;
		row = row_of(s, ops->name, "scale", "build", "per run");
		series_add(&row.ns, s->build_ns[i], true);
		row.absl = &absl;
		row.bytes = set_bytes(s, i);
		row.checked = same(ops, s->maps[i], &s->runs);
		rows_add(&row);
	}
	rows_show();
}

/* Runs as they are, and as they are made. */
#define MAKING_BYTES 64u

static bool fits(uint64_t n)
{
	uint64_t there = machine_free_bytes();

	if (!there || n * MAKING_BYTES < there)
		return true;
	rows_note("scale: ends before %" PRIu64 " runs: %" PRIu64 " MiB are free", n, there >> 20);
	return false;
}

void verb_scale(struct set *s)
{
	char base[128], spec[192];

	if (!base_of(s->data.name, base)) {
		rows_note("scale: only made-up sets (gen:) come in every size");
		return;
	}
	for (uint64_t n = 10000; n <= s->cfg->max && fits(n); n *= 10) {
		struct set sized;

		snprintf(spec, sizeof(spec), "%s:%" PRIu64, base, n);
		set_load(&sized, s->cfg, spec);
		printf("\n  %s: %zu runs\n", sized.data.name, sized.runs.n);
		set_build(&sized);
		report_builds(&sized);
		lookups_measure(&sized, "scale", DIST_RUN, keys_enough(&sized), 0);
		overwrites_measure(&sized, "scale");
		set_free(&sized);
	}
}
