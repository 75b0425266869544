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
}

void set_build(struct set *s)
{
	for (unsigned int i = 0; i < s->cfg->n_peers; i++) {
		const struct peer_ops *ops = s->cfg->peers[i];
		const char *why = ops->refuses ? ops->refuses(s->runs.at, s->runs.n) : NULL;

		if (why)
			rows_note("%s: not here: %s", ops->name, why);
		else
			s->maps[i] = ops->build(s->runs.at, s->runs.n);
	}
	s->limit = peer_limit.build(s->runs.at, s->runs.n);
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
