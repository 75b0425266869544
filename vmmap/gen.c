/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which workload, its regions, its life; and specifications as text.
 */
#include "gen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gen_kind.h"
#include "trace_input.h"

#define DEFAULT_FOOTPRINT (UINT64_C(512) << 20)
#define DEFAULT_STRIDE    4160u
#define FIRST_ADDRESS     UINT64_C(0x100000000000)
#define HUGE_BYTES        (UINT64_C(2) << 20)

#define KINDS 8u
static const struct gen_kind *const kinds[KINDS] = {
	&gen_gups,  &gen_chase,   &gen_bfs,        &gen_join,
	&gen_btree, &gen_xsbench, &gen_sequential, &gen_stride,
};

const char *vmmap_gen_kind(unsigned int i, const char **about)
{
	if (i >= KINDS)
		return NULL;
	if (about)
		*about = kinds[i]->about;
	return kinds[i]->name;
}

/* ---- Life -------------------------------------------------------------------------------------- */

/* A guard between regions, as mappings of a process have: no run of pages goes through two. */
uint64_t gen_region(struct vmmap_gen *g, uint64_t bytes)
{
	const struct vmmap_region *last = g->n_regions ? &g->regions[g->n_regions - 1] : NULL;
	uint64_t va = last ? last->va + last->bytes + HUGE_BYTES : FIRST_ADDRESS;

	bytes = (bytes + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	g->regions[g->n_regions++] = (struct vmmap_region){ va, bytes ? bytes : HUGE_BYTES };
	return va;
}

static const struct gen_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < KINDS; i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

int vmmap_gen_create(const struct vmmap_gen_config *cfg, struct vmmap_gen **gen)
{
	const struct gen_kind *kind = find_kind(cfg->kind);
	uint64_t footprint = cfg->footprint_bytes ? cfg->footprint_bytes : DEFAULT_FOOTPRINT;
	uint64_t stride = cfg->stride_bytes ? cfg->stride_bytes : DEFAULT_STRIDE;
	struct vmmap_gen *g;
	int err;

	if (!kind)
		return -ENOENT;
	if (footprint < VMMAP_GEN_MIN_FOOTPRINT || footprint > VMMAP_GEN_MAX_FOOTPRINT ||
	    stride > footprint)
		return -ERANGE;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->kind = kind;
	g->footprint = footprint;
	g->stride = stride;
	g->seed = gen_mix(cfg->seed);
	g->random = g->seed;
	err = kind->init(g);
	if (err)
		vmmap_gen_free(g);
	else
		*gen = g;
	return err;
}

void vmmap_gen_free(struct vmmap_gen *g)
{
	if (!g)
		return;
	if (g->state)
		(g->kind->free ? g->kind->free : free)(g->state);
	free(g);
}

int vmmap_gen_run(struct vmmap_gen *g, struct vmmap_access *a, size_t n)
{
	while (n) {
		size_t have = g->end - g->at;

		if (!have) {
			int err;

			g->at = g->end = 0;
			err = g->kind->step(g);
			if (err)
				return err;
			continue;
		}
		have = have < n ? have : n;
		memcpy(a, g->burst + g->at, have * sizeof(*a));
		g->at += have;
		a += have;
		n -= have;
	}
	return 0;
}

const struct vmmap_region *vmmap_gen_regions(const struct vmmap_gen *g, size_t *n)
{
	*n = g->n_regions;
	return g->regions;
}

/* ---- As text ----------------------------------------------------------------------------------- */

/* 0: no unit. */
static unsigned int unit_shift(char c)
{
	switch (c & ~0x20) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	case 'T':
		return 40;
	default:
		return 0;
	}
}

int vmmap_parse_size(const char *text, size_t len, uint64_t *n)
{
	unsigned int shift = len ? unit_shift(text[len - 1]) : 0;
	uint64_t number;

	if (!word_dec((struct cursor){ text, text + len - (shift != 0) }, &number) ||
	    number > UINT64_MAX >> shift)
		return -EINVAL;
	*n = number << shift;
	return 0;
}

/* "name=value" behind a comma. Return: whether there was one, and @name matches. */
static bool take_option(const char *at, size_t len, const char *name, uint64_t *n)
{
	size_t skip = strlen(name);

	return len > skip && memcmp(at, name, skip) == 0 && at[skip] == '=' &&
	       vmmap_parse_size(at + skip + 1, len - skip - 1, n) == 0;
}

struct option {
	const char *name;
	uint64_t *n;
};

/* ",name=value,..." from @at on. Return: NULL, or the option that is none. */
static const char *take_options(const char *at, const struct option *options, size_t n)
{
	while (*at == ',') {
		const char *option = at + 1;
		size_t len = strcspn(option, ","), i = 0;

		while (i < n && !take_option(option, len, options[i].name, options[i].n))
			i++;
		if (i == n)
			return option;
		at = option + len;
	}
	return NULL;
}

int vmmap_gen_parse(const char *text, struct vmmap_gen_config *cfg, char kind[VMMAP_GEN_NAME_BYTES],
		    struct vmmap_refusal *why)
{
	const struct option options[] = { { "footprint", &cfg->footprint_bytes },
					  { "seed", &cfg->seed },
					  { "stride", &cfg->stride_bytes } };
	size_t len = strcspn(text, ",");
	const char *bad;

	*cfg = (struct vmmap_gen_config){ .kind = kind };
	if (len >= VMMAP_GEN_NAME_BYTES)
		len = VMMAP_GEN_NAME_BYTES - 1;
	memcpy(kind, text, len);
	kind[len] = 0;
	if (!find_kind(kind))
		return refuse(why, EINVAL,
			      "expected a workload (gups, chase, bfs, join, btree, xsbench, "
			      "sequential, stride), found %s",
			      shown(kind, len).text);
	bad = take_options(text + len, options, 3);
	if (bad)
		return refuse(why, EINVAL,
			      "expected footprint=SIZE, seed=N or stride=SIZE, found %s",
			      shown(bad, strlen(bad)).text);
	return 0;
}

int vmmap_layout_parse(const char *text, struct vmmap_layout *layout, struct vmmap_refusal *why)
{
	const struct option options[] = { { "seed", &layout->seed },
					  { "memory", &layout->memory_bytes } };
	size_t len = strcspn(text, ",:");
	const char *rest = text + len;
	int kind = 0;

	*layout = (struct vmmap_layout){ 0 };
	while (kind < VMMAP_LAYOUT_KINDS &&
	       (strlen(vmmap_layout_name((enum vmmap_layout_kind)kind)) != len ||
		memcmp(vmmap_layout_name((enum vmmap_layout_kind)kind), text, len) != 0))
		kind++;
	layout->kind = (enum vmmap_layout_kind)kind;
	if (kind == VMMAP_LAYOUT_INORDER && *rest == ':') {
		len = strcspn(rest + 1, ",");
		if (vmmap_parse_size(rest + 1, len, &layout->mean_pages) || !layout->mean_pages)
			kind = VMMAP_LAYOUT_KINDS;
		rest += 1 + len;
	}
	if (kind == VMMAP_LAYOUT_KINDS || *rest == ':' || take_options(rest, options, 2))
		return refuse(why, EINVAL,
			      "expected a layout (scattered, inorder[:MEAN], huge, contiguous) and "
			      "perhaps ,seed=N or ,memory=SIZE, found %s",
			      shown(text, strlen(text)).text);
	return 0;
}
