/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets that hurt: lindex must stay close to absl in time, and under a constant in bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "bars.h"

#define RUNS 1000000u
#define KEYS 300000u

#define TIME_BAR    1.25 /* times absl */
#define BULK_BAR    28.0 /* bytes per run */
#define DYNAMIC_BAR 48.0

/* Built at once and run by run in random order; ours and absl's; hits and gaps. */
enum { BULK, DYNAMIC, WAYS };
enum { OURS, ABSL, PEERS };
enum { HITS, GAPS, QUERIES };

static const struct peer_ops *const peers[PEERS] = { &peer_lindex, &peer_absl };
static const char *const way_names[WAYS] = { "bulk", "dynamic" };
static const char *const query_names[QUERIES] = { "hits", "gaps" };

struct trial {
	struct runs runs;
	void *maps[WAYS][PEERS];
	double bytes[WAYS][PEERS];
	bool same[WAYS][PEERS];
	uint64_t *keys[QUERIES]; /* NULL: there is no gap */
	struct loop loops[WAYS][PEERS][QUERIES];
};

/* In random order from empty; then a random half once more, taken out and put back (ours only). */
static void grow(struct trial *t, struct rng *rng)
{
	struct lindex_run *runs = runs_shuffle(&t->runs, rng);
	struct lindex *ix;

	for (unsigned int p = 0; p < PEERS; p++) {
		t->maps[DYNAMIC][p] = peers[p]->build(NULL, 0);
		for (size_t i = 0; i < t->runs.n; i++)
			peers[p]->overwrite(t->maps[DYNAMIC][p], &runs[i]);
	}
	ix = peer_lindex_index(t->maps[DYNAMIC][OURS]);
	for (size_t i = 0; i < t->runs.n / 2; i++) {
		if (lindex_remove(ix, runs[i].first, runs[i].last))
			die("lindex_remove");
		peer_lindex.overwrite(t->maps[DYNAMIC][OURS], &runs[i]);
	}
	free(runs);
}

static void open_trial(struct trial *t, const struct hard_set *set, struct rng *rng)
{
	memset(t, 0, sizeof(*t));
	if (set->make(&t->runs, RUNS, rng))
		die("no memory");
	t->keys[HITS] = keys_hit(&t->runs, KEYS + loop_warm(KEYS), rng);
	t->keys[GAPS] = keys_gap(&t->runs, KEYS + loop_warm(KEYS), rng);
	for (unsigned int p = 0; p < PEERS; p++)
		t->maps[BULK][p] = peers[p]->build(t->runs.at, t->runs.n);
	grow(t, rng);
	for (unsigned int w = 0; w < WAYS; w++)
		for (unsigned int p = 0; p < PEERS; p++) {
			t->bytes[w][p] = (double)peers[p]->bytes(t->maps[w][p]) / (double)t->runs.n;
			t->same[w][p] = peer_same(peers[p], t->maps[w][p], &t->runs);
		}
}

static void add_loop(struct trial *t, unsigned int w, unsigned int p, unsigned int q)
{
	struct loop *loop = &t->loops[w][p][q];
	char op[64];

	if (!t->keys[q])
		return;
	*loop = (struct loop){
		.ops = peers[p], .map = t->maps[w][p], .keys = t->keys[q], .n = KEYS
	};
	loop->want = twin_sum(&t->runs, loop);
	loop->ns.wrong = !t->same[w][p];
	loop_check(loop, &t->runs);
	snprintf(op, sizeof(op), "hard/%s/%s", way_names[w], query_names[q]);
	loop_add(loop, op);
}

static void report_way(const struct trial *t, unsigned int w)
{
	char what[64];

	for (unsigned int q = 0; q < QUERIES; q++) {
		const struct series *ours = &t->loops[w][OURS][q].ns,
				    *absl = &t->loops[w][ABSL][q].ns;

		snprintf(what, sizeof(what), "%s, %s", query_names[q], way_names[w]);
		report_structure(what, "lindex", ours, t->bytes[w][OURS], absl, NULL);
		report_structure(what, "absl", absl, t->bytes[w][ABSL], absl, NULL);
		snprintf(what, sizeof(what), "%s, built %s: lindex / absl", query_names[q],
			 w == BULK ? "in bulk" : "run by run");
		report_ratio(what, AT_MOST, TIME_BAR, ours, absl);
	}
	report_figure(w == BULK ? "memory after bulk build" : "memory when built run by run",
		      AT_MOST, w == BULK ? BULK_BAR : DYNAMIC_BAR, t->bytes[w][OURS],
		      t->same[w][OURS], "B/run");
}

static void close_trial(struct trial *t)
{
	for (unsigned int w = 0; w < WAYS; w++)
		for (unsigned int p = 0; p < PEERS; p++)
			peers[p]->free(t->maps[w][p]);
	free(t->keys[HITS]);
	free(t->keys[GAPS]);
	runs_free(&t->runs);
}

void bars_hard(const struct hard_set *set, unsigned int rounds, struct rng *rng)
{
	struct trial t;

	report_set("%s", set->name);
	open_trial(&t, set, rng);
	report_note("%zu runs", t.runs.n);
	for (unsigned int w = 0; w < WAYS; w++)
		for (unsigned int p = 0; p < PEERS; p++)
			for (unsigned int q = 0; q < QUERIES; q++)
				add_loop(&t, w, p, q);
	rounds_run(rounds);
	report_way(&t, BULK);
	report_way(&t, DYNAMIC);
	close_trial(&t);
}
