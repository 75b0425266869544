/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex alone: what its lookups touch, and what the error bound of its models is worth.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench_cmd.h"

/* ---- Lines --------------------------------------------------------------------------------- */

/** struct touched - Sums and greatest of what lindex_explain() counts. */
struct touched {
	double lines, nodes, ops;
	struct lindex_cert most;
	bool right;
};

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void explain(struct touched *t, const struct set *s, const struct lindex *ix, uint64_t key)
{
	struct lindex_run want, got;
	struct lindex_cert one = { 0 };

	reader_lock();
	(void)lindex_explain(ix, key, &got, &one);
	reader_unlock();
	runs_lookup(&s->runs, key, &want);
	t->right &= run_equal(&want, &got);
	t->lines += one.lines;
	t->nodes += one.depth;
	t->ops += one.ops;
	t->most.lines = greater(t->most.lines, one.lines);
	t->most.depth = greater(t->most.depth, one.depth);
	t->most.ops = greater(t->most.ops, one.ops);
	t->most.window = greater(t->most.window, one.window);
}

static void count_lines(struct set *s, void *map, enum dist dist)
{
	size_t n = keys_enough(s);
	struct row row = row_of(s, "lindex", "lines", "counted", dist_names[dist]);
	struct touched t = { .right = true };
	uint64_t *keys = keys_drawn(s, dist, n);

	if (!keys) {
		rows_note("%s: there are no such keys", dist_names[dist]);
		return;
	}
	for (size_t i = 0; i < n; i++)
		explain(&t, s, peer_lindex_index(map), keys[i]);
	free(keys);
	row.checked = t.right;
	row.bytes = (double)peer_lindex.bytes(map) / (double)s->runs.n;
	row_extra(&row, "lines", t.lines / (double)n);
	row_extra(&row, "lines_most", t.most.lines);
	row_extra(&row, "nodes", t.nodes / (double)n);
	row_extra(&row, "nodes_most", t.most.depth);
	row_extra(&row, "cmps", t.ops / (double)n);
	row_extra(&row, "cmps_most", t.most.ops);
	row_extra(&row, "window", t.most.window);
	rows_add(&row);
}

void verb_lines(struct set *s)
{
	void *map = peer_lindex.build(s->runs.at, s->runs.n);

	for (enum dist dist = 0; dist < DISTS; dist++)
		count_lines(s, map, dist);
	rows_show();
	peer_lindex.free(map);
	instructions_count(s);
}

/* ---- Epsilon ------------------------------------------------------------------------------- */

static const uint32_t epsilons[] = { 2, 4, 8, 16, 32, 64, 128, 256, 504 };
#define EPSILONS (sizeof(epsilons) / sizeof(epsilons[0]))

static void report_epsilon(const struct set *s, const struct loop *loop, uint32_t epsilon,
			   void *map)
{
	struct lindex_stats stats;
	char name[32];
	struct row row;

	snprintf(name, sizeof(name), "lindex e%u", epsilon);
	row = row_of(s, name, "epsilon", loop->mode == LOOP_CHAIN ? "dependent" : "throughput",
		     dist_names[DIST_RUN]);
	lindex_get_stats(peer_lindex_index(map), &stats);
	row.ns = loop->ns;
	row.bytes = (double)peer_lindex.bytes(map) / (double)s->runs.n;
	row.checked = !loop->ns.wrong;
	row_extra(&row, "epsilon", epsilon);
	row_extra(&row, "depth", stats.depth);
	row_extra(&row, "window", stats.window);
	row_extra(&row, "nodes_B", (double)stats.node_bytes / (double)s->runs.n);
	rows_add(&row);
}

static void sweep(struct set *s, void *maps[EPSILONS], const uint64_t *keys, size_t n,
		  enum loop_mode mode)
{
	struct loop loops[EPSILONS];

	for (size_t i = 0; i < EPSILONS; i++) {
		loops[i] = (struct loop){
			.ops = &peer_lindex, .map = maps[i], .keys = keys, .n = n, .mode = mode
		};
		loops[i].want = i ? loops[0].want : twin_sum(&s->runs, &loops[0]);
		loop_check(&loops[i], &s->runs);
		loop_add(&loops[i], "epsilon");
	}
	rounds_run(s->cfg->rounds);
	for (size_t i = 0; i < EPSILONS; i++)
		report_epsilon(s, &loops[i], epsilons[i], maps[i]);
	rows_show();
}

void verb_epsilon(struct set *s)
{
	size_t n = keys_enough(s);
	uint64_t *keys = keys_drawn(s, DIST_RUN, n + loop_warm(n));
	void *maps[EPSILONS];

	for (size_t i = 0; i < EPSILONS; i++) {
		struct lindex_config index = { .epsilon = epsilons[i] };

		maps[i] = peer_lindex_build(&index, s->runs.at, s->runs.n);
	}
	sweep(s, maps, keys, n, LOOP_FREE);
	sweep(s, maps, keys, n, LOOP_CHAIN);
	for (size_t i = 0; i < EPSILONS; i++)
		peer_lindex.free(maps[i]);
	free(keys);
}
