/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * gen:KIND[:N[:SEED]] - what gen.h makes, by name.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#define DEFAULT_RUNS 1000000u
#define MOST_RUNS    (UINT64_C(1) << 30)
#define WORD_BYTES   32u

/* @arg: what follows the kind where that wants something; else empty. */
struct request {
	char kind[WORD_BYTES], arg[WORD_BYTES];
	uint64_t n, seed;
	struct runs *runs;
	char *why;
};

/* ---- Kinds --------------------------------------------------------------------------------- */

static int make_pieces(const struct request *r)
{
	return gen_aged(r->runs, r->n, LOG_PIECES, r->seed);
}

static int make_hotspot(const struct request *r)
{
	return gen_aged(r->runs, r->n, LOG_HOTSPOT, r->seed);
}

static int make_uniform(const struct request *r)
{
	return gen_aged(r->runs, r->n, LOG_SINGLE, r->seed);
}

static int make_pareto(const struct request *r)
{
	return gen_aged(r->runs, r->n, LOG_PARETO, r->seed);
}

static int make_vma(const struct request *r)
{
	return gen_vma(r->runs, r->n, &(struct rng){ r->seed });
}

static int make_espfix(const struct request *r)
{
	return gen_espfix(r->runs, r->n, &(struct rng){ r->seed });
}

static int make_stride(const struct request *r)
{
	uint64_t stride = 0;

	if (!number_scaled(r->arg, &stride) || stride < 2)
		return refuse(r->why, EINVAL, "gen:stride:K: expected K, 2 or more, found \"%s\"",
			      r->arg);
	if (stride > UINT64_MAX / r->n)
		return refuse(r->why, ERANGE,
			      "gen:stride:%" PRIu64 ": expected less than 2^64 keys, found %" PRIu64
			      " times as many",
			      stride, r->n);
	return gen_stride(r->runs, r->n, stride, &(struct rng){ r->seed });
}

static int make_adversary(const struct request *r)
{
	const struct hard_set *set = hard_set(r->arg);
	char known[128] = "";

	if (set)
		return set->make(r->runs, r->n, &(struct rng){ r->seed });
	for (size_t i = 0; i < hard_set_count; i++) {
		strcat(known, i ? ", " : "");
		strcat(known, hard_sets[i].kind);
	}
	return refuse(r->why, EINVAL, "gen:adversary:SORT: expected SORT one of %s; found \"%s\"",
		      known, r->arg);
}

static const struct kind {
	const char *name;
	bool wants_arg;
	int (*make)(const struct request *r);
} kinds[] = {
	{ "lfs-aged", false, make_pieces }, { "hotspot", false, make_hotspot },
	{ "uniform", false, make_uniform }, { "pareto", false, make_pareto },
	{ "vma", false, make_vma },         { "espfix", false, make_espfix },
	{ "stride", true, make_stride },    { "adversary", true, make_adversary },
};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* ---- The spec ------------------------------------------------------------------------------ */

/* The next word up to a colon. Too long for any that is known: cut. Return: what follows, or NULL. */
static const char *take_word(const char *text, char word[WORD_BYTES])
{
	size_t len;

	word[0] = 0;
	if (!text)
		return NULL;
	len = strcspn(text, ":");
	snprintf(word, WORD_BYTES, "%.*s", (int)(len < WORD_BYTES ? len : WORD_BYTES - 1), text);
	return text[len] ? text + len + 1 : NULL;
}

/* What follows the kind and its argument. */
static int parse_size(struct request *r, const char *rest)
{
	char n[WORD_BYTES], seed[WORD_BYTES];
	bool has_n = rest, has_seed;

	rest = take_word(rest, n);
	has_seed = rest;
	rest = take_word(rest, seed);
	if (rest)
		return refuse(r->why, EINVAL, "gen:%s: expected N and SEED at most, found \":%s\"",
			      r->kind, shown(rest));
	if (has_n && (!number_scaled(n, &r->n) || !r->n))
		return refuse(r->why, EINVAL,
			      "gen:%s: expected N, a number of runs such as 500k, found \"%s\"",
			      r->kind, n);
	if (has_seed && !number_dec(seed, &r->seed))
		return refuse(r->why, EINVAL,
			      "gen:%s: expected SEED, a decimal number, found \"%s\"", r->kind,
			      seed);
	return 0;
}

static int too_many(const struct request *r)
{
	return refuse(r->why, ERANGE, "gen:%s: expected fewer runs, found %" PRIu64, r->kind, r->n);
}

/* Errors of the generators come without words. */
static int make(const struct kind *kind, const struct request *r)
{
	int err;

	if (r->n > MOST_RUNS)
		return too_many(r);
	r->why[0] = 0;
	err = kind->make(r);
	if (err == -ENOMEM)
		return refuse_memory(r->why);
	if (err == -ERANGE && !r->why[0])
		return too_many(r);
	return err;
}

int load_generated(struct loading *l)
{
	struct request r = { .n = DEFAULT_RUNS, .seed = l->seed, .runs = &l->runs, .why = l->why };
	const char *rest = take_word(l->what, r.kind);
	const struct kind *kind = find_kind(r.kind);
	int err;

	if (!kind)
		return refuse(l->why, EINVAL,
			      "gen:KIND: expected lfs-aged, hotspot, uniform, pareto, vma, espfix, "
			      "stride:K or adversary:SORT, found \"%s\"",
			      r.kind);
	if (kind->wants_arg)
		rest = take_word(rest, r.arg);
	err = parse_size(&r, rest);
	if (!err)
		err = make(kind, &r);
	if (err)
		return err;
	if (asprintf(&l->name, "gen:%s%s%s:%" PRIu64 ":%" PRIu64, r.kind, r.arg[0] ? ":" : "",
		     r.arg, r.n, r.seed) >= 0)
		return 0;
	l->name = NULL;
	return refuse_memory(l->why);
}
