/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Updates: every structure that can change gets the same steps, round after round; the twin gets them,
 * too. The first half of a round gives the rate, the second half, timed one by one, the tail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_cmd.h"
#include "bench_twin.h"
#include "gbench.h"

#define STEPS_MOST 50000u
#define LOG_BEGIN  ((uint64_t)1 << 31) /* values stored: where a log goes on */

enum what { STORE, CLEAR, LOOK };

/* A twin's answers for those that know whole runs, and those that know keys. */
enum { WHOLE, SINGLE, STYLES };

/**
 * struct step -
 * @run:  What is stored; its first and last are what is cleared; its first is looked up.
 * @want: The answer to a lookup, as answer_sum(); 0 for the others.
 */
struct step {
	enum what what;
	struct lindex_run run;
	uint64_t want[STYLES];
};

/**
 * struct workload - What the steps of a round are drawn from.
 * @keys:  Mapped keys, drawn anew each round. @at: how many are used.
 * @head:  The next value. @end: the next key of an append.
 * @steps: @n of them.
 * @limit: As many lookups at places drawn once; each round measures it again.
 */
struct workload {
	struct set *s;
	const char *op;
	const struct kind *kind;
	struct twin twin;
	uint64_t *keys, head, end;
	size_t n, at;
	struct step *steps;
	uint64_t *places;
	struct loop limit;
};

/**
 * struct kind - @looks: percent of the steps that are lookups.
 * @draw: One that is not.
 */
struct kind {
	const char *name;
	unsigned int looks;
	struct step (*draw)(struct workload *w, size_t i);
};

struct runner {
	const struct workload *w;
	const struct peer_ops *ops;
	void *map;
	uint32_t *latency;
	struct row row;
};

/* ---- Steps --------------------------------------------------------------------------------- */

/* Pieces of 1-64 keys, geometric with mean 6, as a log's. */
static uint64_t draw_length(struct rng *rng)
{
	uint64_t len = 1;

	while (len < 64 && rng_below(rng, 6))
		len++;
	return len;
}

static struct step store_at(struct workload *w, uint64_t first)
{
	uint64_t len = draw_length(&w->s->rng), room = w->s->data.space - first;
	struct step step = { STORE, { .first = first, .value = w->head, .step = 1 }, { 0 } };

	len = len < room ? len : room ? room : 1;
	step.run.last = first + len - 1;
	w->head += len + 1;
	return step;
}

static struct step draw_overwrite(struct workload *w, size_t i)
{
	(void)i;
	return store_at(w, w->keys[w->at++]);
}

/* 90 % in the tenth of the runs that is in the middle. */
static struct step draw_hot(struct workload *w, size_t i)
{
	const struct runs *runs = &w->s->runs;
	uint64_t key = w->keys[w->at++], tenth = runs->n / 10 + 1;

	(void)i;
	if (rng_below(&w->s->rng, 10)) {
		size_t from = (runs->n - tenth) / 2;

		key = runs->at[from + rng_below(&w->s->rng, tenth)].first;
	}
	return store_at(w, key);
}

static struct step draw_append(struct workload *w, size_t i)
{
	struct step step = { STORE, { .first = w->end, .value = w->head, .step = 1 }, { 0 } };
	uint64_t len = draw_length(&w->s->rng);

	(void)i;
	step.run.last = w->end + len - 1;
	w->head += len + 1;
	w->end += len;
	return step;
}

static struct step draw_erase(struct workload *w, size_t i)
{
	struct step step = draw_overwrite(w, i);

	step.what = CLEAR;
	return step;
}

/* The first of two neighbours, from the middle on; or the middle. */
static size_t find_boundary(const struct runs *runs)
{
	for (size_t i = runs->n / 2; i + 1 < runs->n; i++)
		if (runs->at[i].last + 1 == runs->at[i + 1].first &&
		    runs->at[i].value < UINT64_MAX / 4)
			return i;
	return runs->n / 2;
}

/* Up to four keys go to and fro between two neighbours; without neighbours, to the log and back. */
static struct step draw_oscillation(struct workload *w, size_t i)
{
	const struct runs *runs = &w->s->runs;
	size_t left = find_boundary(runs), right = left + 1 < runs->n ? left + 1 : left;
	struct step step = { STORE, runs->at[right], { 0 } };

	if (step.run.last - step.run.first > 3)
		step.run.last = step.run.first + 3;
	if (i % 2)
		return step;
	if (left != right && runs->at[left].last + 1 == step.run.first) {
		step.run.value = lindex_value(&runs->at[left], step.run.first);
		step.run.tag = runs->at[left].tag;
		step.run.step = runs->at[left].step;
	} else {
		step.run.value = w->head;
	}
	return step;
}

static const struct kind kinds[] = {
	{ "overwrite-random", 0, draw_overwrite },
	{ "overwrite-hot-spot", 0, draw_hot },
	{ "append", 0, draw_append },
	{ "erase", 0, draw_erase },
	{ "mixed-95-5", 95, draw_overwrite },
	{ "mixed-50-50", 50, draw_overwrite },
	{ "oscillation", 0, draw_oscillation },
};

static void look(const struct workload *w, struct step *step)
{
	struct lindex_run whole, one;

	twin_lookup(&w->twin, step->run.first, &whole);
	one = key_run(&whole, step->run.first);
	step->want[WHOLE] = answer_sum(&whole, step->run.first);
	step->want[SINGLE] = answer_sum(&one, step->run.first);
}

static void draw_round(struct workload *w)
{
	free(w->keys);
	w->keys = keys_drawn(w->s, DIST_KEY, w->n);
	w->at = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct step *step = &w->steps[i];

		if (rng_below(&w->s->rng, 100) < w->kind->looks)
			*step = (struct step){ LOOK, { .first = w->keys[w->at++] }, { 0 } };
		else
			*step = w->kind->draw(w, i);
		if (step->what == LOOK)
			look(w, step);
		else if (step->what == STORE)
			twin_store(&w->twin, &step->run);
		else
			twin_clear(&w->twin, step->run.first, step->run.last);
	}
}

/* ---- A round of one structure -------------------------------------------------------------- */

/* Return: whether a lookup was answered wrongly. */
static inline bool take_step(const struct runner *r, const struct step *step)
{
	struct lindex_run run;

	switch (step->what) {
	case STORE:
		r->ops->overwrite(r->map, &step->run);
		return false;
	case CLEAR:
		r->ops->remove(r->map, step->run.first, step->run.last);
		return false;
	default:
		r->ops->lookup(r->map, step->run.first, &run);
		return answer_sum(&run, step->run.first) !=
		       step->want[r->ops->single_key ? SINGLE : WHOLE];
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void add_tail(struct runner *r, size_t n)
{
	size_t p50 = n * 500 / 1000, p99 = n * 990 / 1000, p999 = n * 999 / 1000;

	qsort(r->latency, n, sizeof(*r->latency), compare);
	series_add(&r->row.p50, r->latency[p50], true);
	series_add(&r->row.p99, r->latency[p99], true);
	series_add(&r->row.p999, r->latency[p999], true);
	if (r->latency[n - 1] > r->row.max_ns)
		r->row.max_ns = r->latency[n - 1];
}

static double run_round(void *state)
{
	struct runner *r = state;
	size_t half = r->w->n / 2;
	uint64_t start = cpu_ns(), ns;
	bool wrong = false;

	for (size_t i = 0; i < half; i++)
		wrong |= take_step(r, &r->w->steps[i]);
	ns = cpu_ns() - start;
	for (size_t i = half; i < r->w->n; i++) {
		uint64_t before = now_ns(), took;

		wrong |= take_step(r, &r->w->steps[i]);
		took = now_ns() - before;
		r->latency[i - half] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
	}
	add_tail(r, r->w->n - half);
	series_add(&r->row.ns, (double)ns / (double)half, !wrong);
	return (double)ns * 1e-9;
}

/* ---- A kind of them ------------------------------------------------------------------------ */

static const char *dist_of(const struct kind *kind)
{
	return kind->looks ? dist_names[DIST_KEY] : "";
}

static bool takes_part(const struct workload *w, unsigned int i)
{
	const struct peer_ops *ops = w->s->cfg->peers[i];
	struct lindex_run last = { w->end,
				   w->end + 64 * w->n * w->s->cfg->rounds,
				   w->head + 64 * w->n * w->s->cfg->rounds,
				   0,
				   1,
				   1 };

	if (!w->s->maps[i] || ops->bare || !ops->overwrite ||
	    (w->kind->draw == draw_erase && !ops->remove))
		return false;
	if (w->kind->draw != draw_append)
		last.first = last.last = 0;
	else
		last.first = last.last;
	return !ops->refuses || !ops->refuses(&last, 1);
}

static void begin(struct workload *w, struct runner *runners)
{
	for (unsigned int i = 0; i < w->s->cfg->n_peers; i++) {
		struct runner *r = &runners[i];
		char name[96];

		if (!takes_part(w, i))
			continue;
		set_reset(w->s, i);
		*r = (struct runner){ .w = w, .ops = w->s->cfg->peers[i], .map = w->s->maps[i] };
		r->row = row_of(w->s, r->ops->name, w->op, w->kind->name, dist_of(w->kind));
		r->latency = grab(w->n * sizeof(*r->latency));
		snprintf(name, sizeof(name), "update/%s", r->ops->name);
		gbench_add(name, run_round, r);
	}
}

static void add_limit(struct workload *w)
{
	size_t n = w->n + loop_warm(w->n);
	uint64_t *keys = keys_drawn(w->s, DIST_KEY, n);

	w->places = keys_places(&w->s->runs, keys, n);
	free(keys);
	w->limit = (struct loop){
		.ops = &peer_limit, .map = w->s->limit, .keys = w->places, .n = w->n
	};
	w->limit.want = limit_sum(&w->limit);
	loop_add(&w->limit, "update");
}

static void report_limit(const struct workload *w)
{
	struct row row = row_of(w->s, peer_limit.name, w->op, w->kind->name, dist_of(w->kind));

	row.ns = w->limit.ns;
	row.limit = &w->limit.ns;
	row.checked = !row.ns.wrong;
	rows_add(&row);
}

static const struct series *absl_of(const struct set *s, const struct runner *runners)
{
	for (unsigned int i = 0; i < s->cfg->n_peers; i++)
		if (runners[i].ops == &peer_absl)
			return &runners[i].row.ns;
	return NULL;
}

/* What is there now is compared as a whole, with every hole. */
static void finish(struct workload *w, struct runner *runners)
{
	struct runs now;

	twin_runs(&w->twin, &now);
	for (unsigned int i = 0; i < w->s->cfg->n_peers; i++) {
		struct runner *r = &runners[i];

		if (!r->ops)
			continue;
		r->row.checked = !r->row.ns.wrong && peer_same(r->ops, r->map, &now);
		if (r->ops->free == peer_lindex.free)
			r->row.checked &= !lindex_check(peer_lindex_index(r->map), NULL);
		r->row.bytes = now.n ? (double)r->ops->bytes(r->map) / (double)now.n : 0;
		r->row.absl = absl_of(w->s, runners);
		r->row.limit = &w->limit.ns;
		rows_add(&r->row);
		free(r->latency);
	}
	report_limit(w);
	runs_free(&now);
	rows_show();
}

static size_t steps_for(const struct set *s)
{
	uint64_t n = s->data.keys / 128;

	if (n > STEPS_MOST)
		n = STEPS_MOST;
	if (s->cfg->quick && n > 2000)
		n = 2000;
	return n < 200 ? 200 : (size_t)n;
}

static void measure(struct set *s, const char *op, const struct kind *kind)
{
	struct workload w = {
		.s = s, .op = op, .kind = kind, .head = LOG_BEGIN, .n = steps_for(s)
	};
	struct runner runners[PEERS_MAX] = { { .w = NULL } };

	w.end = s->runs.at[s->runs.n - 1].last + 1;
	if (kind->draw == draw_append && (!w.end || w.end > UINT64_MAX / 2)) {
		rows_note("append: there is no room behind the last run");
		return;
	}
	twin_init(&w.twin, &s->runs);
	w.steps = grab(w.n * sizeof(*w.steps));
	begin(&w, runners);
	add_limit(&w);
	for (unsigned int r = 0; r < s->cfg->rounds; r++) {
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "\r%s: round %u of %u ", kind->name, r + 1, s->cfg->rounds);
		draw_round(&w);
		gbench_round();
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	gbench_clear();
	finish(&w, runners);
	twin_free(&w.twin);
	free(w.steps);
	free(w.keys);
	free(w.places);
}

void overwrites_measure(struct set *s, const char *op)
{
	measure(s, op, &kinds[0]);
}

void verb_update(struct set *s)
{
	set_build(s);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		measure(s, "update", &kinds[i]);
}
