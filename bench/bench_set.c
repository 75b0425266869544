/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "bench_cmd.h"

static bool find_holes(const struct runs *runs)
{
	uint64_t next = 0;

	for (size_t i = 0; i < runs->n; i++) {
		if (runs->at[i].first != next)
			return true;
		next = runs->at[i].last + 1;
	}
	return false;
}

void set_load(struct set *s, const struct config *cfg, const char *spec)
{
	char why[DATASET_WHY_BYTES];

	memset(s, 0, sizeof(*s));
	s->cfg = cfg;
	if (dataset_load(spec, cfg->seed, &s->data, why))
		reject("%s", why);
	s->runs = (struct runs){ s->data.runs, s->data.n, s->data.n };
	s->has_holes = find_holes(&s->runs);
	s->rng.state = ~cfg->seed;
	rows_dataset(s);
}

/* ---- Memory -------------------------------------------------------------------------------- */

#define MANY   (1u << 22) /* runs, from which on memory is looked after */
#define SAMPLE (1u << 16) /* runs that tell how much a structure takes */
#define SPARED ((uint64_t)1 << 29)

/* What a map of all runs will take, and a quarter more to build it. */
static uint64_t wanted_bytes(const struct peer_ops *ops, const struct runs *runs)
{
	void *sample = ops->build(runs->at, SAMPLE);
	double each = (double)ops->bytes(sample) / SAMPLE;

	ops->free(sample);
	return (uint64_t)(1.25 * each * (double)runs->n);
}

/* Two copies of the runs remain possible, for twins. */
static bool has_room(const struct peer_ops *ops, const struct runs *runs)
{
	uint64_t there = machine_free_bytes();

	return runs->n < MANY || !there ||
	       wanted_bytes(ops, runs) + 2 * runs->n * sizeof(*runs->at) + SPARED < there;
}

/* ---- Maps ---------------------------------------------------------------------------------- */

static void *build(const struct peer_ops *ops, const struct runs *runs, double *ns)
{
	uint64_t start = cpu_ns();
	void *map = ops->build(runs->at, runs->n);

	*ns = (double)(cpu_ns() - start) / (double)runs->n;
	return map;
}

void set_build(struct set *s)
{
	s->limit = peer_limit.build(s->runs.at, s->runs.n);
	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		const struct peer_ops *ops = s->cfg->peers[i];
		const char *why = ops->refuses ? ops->refuses(s->runs.at, s->runs.n) : NULL;

		if (!why && !has_room(ops, &s->runs))
			why = "not enough memory";
		if (why)
			rows_note("%s: not here: %s", ops->name, why);
		else
			s->maps[i] = build(ops, &s->runs, &s->build_ns[i]);
	}
}

void set_reset(struct set *s, unsigned int i)
{
	const struct peer_ops *ops = s->cfg->peers[i];

	ops->free(s->maps[i]);
	s->maps[i] = ops->build(s->runs.at, s->runs.n);
}

double set_bytes(const struct set *s, unsigned int i)
{
	return (double)s->cfg->peers[i]->bytes(s->maps[i]) / (double)s->runs.n;
}

void set_free(struct set *s)
{
	for (unsigned int i = 0; i < s->cfg->n_peers; i++)
		if (s->maps[i])
			s->cfg->peers[i]->free(s->maps[i]);
	if (s->limit)
		peer_limit.free(s->limit);
	dataset_free(&s->data);
}
