/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bulk builds, and random overwrites of 1-64 blocks appended to a log: rate, tail, memory in the
 * steady state, and how much one update writes.
 */
#include <stdlib.h>
#include <string.h>

#include "bars.h"
#include "gbench.h"

#define MEAN_PIECE    6u
#define TIMED_UPDATES 100000u /* per round */

#define BUILD_BAR  40.0    /* ns per run */
#define STEADY_BAR 8.0     /* bytes per run */
#define TAIL_BAR   10000.0 /* ns */

/* One update writes at most 3 leaves, and 3 inner nodes per level; tests/lindex/test_bounds.c. */
#define NODES_BAR(depth) (3.0 * ((depth) + 1))
#define BYTES_BAR(depth) (3.0 * 512 + 3.0 * (depth)*4096)

/* ---- Bulk build ---------------------------------------------------------------------------- */

struct builder {
	const struct peer_ops *ops;
	const struct runs *runs;
	struct series ns;
};

static double build_run(void *state)
{
	struct builder *w = state;
	uint64_t start = cpu_ns(), ns;
	void *map = w->ops->build(w->runs->at, w->runs->n);
	struct lindex_run got;

	ns = cpu_ns() - start;
	w->ops->lookup(map, w->runs->at[w->runs->n - 1].last, &got);
	series_add(&w->ns, (double)ns / (double)w->runs->n,
		   run_equal(&got, &w->runs->at[w->runs->n - 1]));
	w->ops->free(map);
	return (double)ns * 1e-9;
}

void bars_build(const struct bars *b)
{
	struct builder ours = { .ops = &peer_lindex, .runs = &b->runs };
	struct builder absl = { .ops = &peer_absl, .runs = &b->runs };
	struct builder judy = { .ops = &peer_judy, .runs = &b->runs };

	gbench_add("build/lindex", build_run, &ours);
	gbench_add("build/absl", build_run, &absl);
	gbench_add("build/judy", build_run, &judy);
	rounds_run(b->rounds);
	report_structure("build (per run)", "lindex", &ours.ns, 0, &absl.ns, NULL);
	report_structure("build (per run)", "absl", &absl.ns, 0, &absl.ns, NULL);
	report_structure("build (per run)", "judy", &judy.ns, 0, &absl.ns, NULL);
	report_series("bulk build", AT_MOST, BUILD_BAR, &ours.ns, 1, "ns/run");
}

/* ---- Overwrites ---------------------------------------------------------------------------- */

/* What updates wrote, as lindex_last_cost() counts it. */
struct written {
	uint64_t updates, displaced, nodes, bytes;
	uint32_t most_nodes, most_bytes;
};

/**
 * struct updater - One structure under the overwrites of a round.
 * @latency: One per update, where they are timed one by one.
 * @written: Of lindex, then.
 */
struct updater {
	const struct peer_ops *ops;
	void *map;
	const struct lindex_run *runs;
	size_t n;
	uint32_t *latency;
	struct written *written;
	struct series ns, p50, p99, p999;
	uint32_t most;
};

static double update_rate(void *state)
{
	struct updater *u = state;
	uint64_t start = cpu_ns(), ns;

	for (size_t i = 0; i < u->n; i++)
		u->ops->overwrite(u->map, &u->runs[i]);
	ns = cpu_ns() - start;
	series_add(&u->ns, (double)ns / (double)u->n, true);
	return (double)ns * 1e-9;
}

static void count_written(struct written *w, const struct lindex *ix)
{
	struct lindex_update_cost cost;

	lindex_last_cost(ix, &cost);
	w->updates++;
	w->nodes += cost.nodes_written;
	w->bytes += cost.bytes_written;
	if (cost.nodes_written > w->most_nodes)
		w->most_nodes = cost.nodes_written;
	if (cost.bytes_written > w->most_bytes)
		w->most_bytes = cost.bytes_written;
}

static int compare_latency(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Of sorted latencies. */
static uint32_t permille(const struct updater *u, size_t part)
{
	return u->latency[u->n * part / 1000];
}

static void add_tail(struct updater *u)
{
	qsort(u->latency, u->n, sizeof(*u->latency), compare_latency);
	series_add(&u->p50, permille(u, 500), true);
	series_add(&u->p99, permille(u, 990), true);
	series_add(&u->p999, permille(u, 999), true);
	if (u->latency[u->n - 1] > u->most)
		u->most = u->latency[u->n - 1];
}

static double update_tail(void *state)
{
	struct updater *u = state;
	uint64_t sum = 0;

	for (size_t i = 0; i < u->n; i++) {
		uint64_t start = now_ns(), ns;

		u->ops->overwrite(u->map, &u->runs[i]);
		ns = now_ns() - start;
		sum += ns;
		u->latency[i] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
		if (u->written)
			count_written(u->written, peer_lindex_index(u->map));
	}
	add_tail(u);
	return (double)sum * 1e-9;
}

/* The overwrites of one round, the same for both. Return: runs that they displaced. */
static uint64_t one_round(struct bars *b, struct updater pair[2], size_t n)
{
	struct lindex_run *runs = grab(n * sizeof(*runs));
	uint64_t displaced = 0;

	for (size_t i = 0; i < n; i++)
		runs[i] = log_next(&b->log);
	pair[0].runs = pair[1].runs = runs;
	pair[0].n = pair[1].n = n;
	gbench_round();
	for (size_t i = 0; i < n; i++)
		displaced += file_store(&b->file, &runs[i]);
	free(runs);
	return displaced;
}

/* As many blocks as the file has, in all rounds. Bytes per run are taken after each. */
static void measure_rate(struct bars *b, struct updater pair[2], struct series bytes[2])
{
	size_t n = b->file.blocks / MEAN_PIECE / b->rounds;

	gbench_add("overwrite/lindex", update_rate, &pair[0]);
	gbench_add("overwrite/absl", update_rate, &pair[1]);
	for (unsigned int r = 0; r < b->rounds; r++) {
		struct lindex_stats stats;

		one_round(b, pair, n);
		lindex_get_stats(peer_lindex_index(pair[0].map), &stats);
		for (unsigned int i = 0; i < 2; i++)
			series_add(&bytes[i],
				   (double)pair[i].ops->bytes(pair[i].map) / (double)stats.runs,
				   true);
	}
	gbench_clear();
}

static void measure_tail(struct bars *b, struct updater pair[2], struct written *written)
{
	for (unsigned int i = 0; i < 2; i++)
		pair[i].latency = grab(TIMED_UPDATES * sizeof(*pair[i].latency));
	pair[0].written = written;
	gbench_add("overwrite-tail/lindex", update_tail, &pair[0]);
	gbench_add("overwrite-tail/absl", update_tail, &pair[1]);
	for (unsigned int r = 0; r < b->rounds; r++)
		written->displaced += one_round(b, pair, TIMED_UPDATES);
	gbench_clear();
	for (unsigned int i = 0; i < 2; i++)
		free(pair[i].latency);
}

/* Both maps against the file: every figure so far depends on it. */
static void check_all(const struct bars *b, struct updater pair[2], struct series bytes[2])
{
	struct runs now;

	if (file_runs(&b->file, &now))
		die("no memory");
	for (unsigned int i = 0; i < 2; i++) {
		bool wrong = !peer_same(pair[i].ops, pair[i].map, &now);

		pair[i].ns.wrong = pair[i].p50.wrong = pair[i].p99.wrong = wrong;
		pair[i].p999.wrong = bytes[i].wrong = wrong;
	}
	if (lindex_check(peer_lindex_index(pair[0].map), NULL))
		pair[0].ns.wrong = true;
	report_note("%zu runs after the overwrites", now.n);
	runs_free(&now);
}

static void report_updater(const struct updater *u, const struct updater *absl,
			   const struct series *bytes)
{
	const char *name = u->ops->name;

	report_structure("overwrite", name, &u->ns, series_median(bytes), &absl->ns, NULL);
	report_structure("overwrite P50", name, &u->p50, 0, &absl->p50, NULL);
	report_structure("overwrite P99", name, &u->p99, 0, &absl->p99, NULL);
	report_structure("overwrite P99.9", name, &u->p999, 0, &absl->p999, NULL);
}

static void report_written(const struct written *w, uint32_t depth, bool right)
{
	report_figure("overwrite: nodes written, mean", NO_BAR, 0,
		      (double)w->nodes / (double)w->updates, right, "");
	report_figure("overwrite: nodes written per run displaced, mean", NO_BAR, 0,
		      (double)w->nodes / (double)w->displaced, right, "");
	report_figure("overwrite: nodes written, most", AT_MOST, NODES_BAR(depth), w->most_nodes,
		      right, "");
	report_figure("overwrite: bytes written, mean", NO_BAR, 0,
		      (double)w->bytes / (double)w->updates, right, "B");
	report_figure("overwrite: bytes written per run displaced, mean", NO_BAR, 0,
		      (double)w->bytes / (double)w->displaced, right, "B");
	report_figure("overwrite: bytes written, most", AT_MOST, BYTES_BAR(depth), w->most_bytes,
		      right, "B");
}

static void report_updates(const struct updater pair[2], const struct series bytes[2],
			   const struct written *written)
{
	struct lindex_stats stats;

	lindex_get_stats(peer_lindex_index(pair[0].map), &stats);
	report_updater(&pair[0], &pair[1], &bytes[0]);
	report_updater(&pair[1], &pair[1], &bytes[1]);
	report_ratio("overwrite: absl / lindex", AT_LEAST, 1, &pair[1].ns, &pair[0].ns);
	report_series("overwrite: P50", NO_BAR, 0, &pair[0].p50, 1, "ns");
	report_series("overwrite: P99", NO_BAR, 0, &pair[0].p99, 1, "ns");
	report_series("overwrite: P99.9", AT_MOST, TAIL_BAR, &pair[0].p999, 1, "ns");
	if (written->updates) {
		report_figure("overwrite: max", NO_BAR, 0, pair[0].most, !pair[0].ns.wrong, "ns");
		report_figure("overwrite: max of absl", NO_BAR, 0, pair[1].most, !pair[1].ns.wrong,
			      "ns");
		report_written(written, stats.depth, !pair[0].ns.wrong);
	}
	report_series("memory under overwrites", AT_MOST, STEADY_BAR, &bytes[0], 1, "B/run");
	report_series("memory under overwrites, absl", NO_BAR, 0, &bytes[1], 1, "B/run");
}

void bars_update(struct bars *b, void *map)
{
	struct updater pair[2] = {
		{ .ops = &peer_lindex, .map = map },
		{ .ops = &peer_absl, .map = peer_absl.build(b->runs.at, b->runs.n) },
	};
	struct series bytes[2] = { { .n = 0 }, { .n = 0 } };
	struct written written = { .updates = 0 };

	measure_rate(b, pair, bytes);
	measure_tail(b, pair, &written);
	check_all(b, pair, bytes);
	report_updates(pair, bytes, &written);
	peer_absl.free(pair[1].map);
}
