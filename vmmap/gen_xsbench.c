/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Like XSBench (Tramm et al. 2014), the look-up of cross sections of a Monte Carlo neutron transport code, with a
 * unionised energy grid:
 *
 *     energies  f64 [U]            a binary search for the particle's energy
 *     index     u32 [U][nuclides]  its row: where in each nuclide's own grid
 *     grids     48 bytes [nuclides][G]   two neighbours for each nuclide of the material
 *
 * Materials, the chance of each and the number of nuclides in it are XSBench's "large" ones; U = nuclides * G, and G
 * follows from the footprint.
 */
#include "gen_kind.h"

#include <errno.h>
#include <stdlib.h>

#define NUCLIDES    355u
#define POINT_BYTES 48u

struct xsbench {
	uint64_t energies, index, grids; /* addresses */
	uint64_t gridpoints, points;     /* G, U */
};

static const struct {
	uint16_t chance, nuclides; /* chance of 1,000 */
} materials[] = {
	{ 140, 321 }, { 52, 5 },  { 275, 4 }, { 134, 4 }, { 154, 27 }, { 64, 21 },
	{ 66, 21 },   { 55, 21 }, { 8, 21 },  { 15, 21 }, { 25, 9 },   { 12, 9 },
};

static int init_xsbench(struct vmmap_gen *g)
{
	uint64_t per_gridpoint = NUCLIDES * (8 + 4 * NUCLIDES + POINT_BYTES);
	struct xsbench *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	g->state = x;
	x->gridpoints = g->footprint / per_gridpoint;
	if (x->gridpoints < 2)
		x->gridpoints = 2;
	x->points = NUCLIDES * x->gridpoints;
	x->energies = gen_region(g, 8 * x->points);
	x->index = gen_region(g, 4 * NUCLIDES * x->points);
	x->grids = gen_region(g, NUCLIDES * x->gridpoints * POINT_BYTES);
	return 0;
}

static unsigned int draw_material(struct vmmap_gen *g)
{
	uint64_t dice = gen_below(&g->random, 1000);
	unsigned int i = 0;

	while (i + 1 < sizeof(materials) / sizeof(*materials) && dice >= materials[i].chance)
		dice -= materials[i++].chance;
	return materials[i].nuclides;
}

static void search_energy(struct vmmap_gen *g, const struct xsbench *x, uint64_t wanted)
{
	uint64_t low = 0, high = x->points;

	while (high - low > 1) {
		uint64_t mid = low + (high - low) / 2;

		gen_read(g, x->energies + 8 * mid, 8);
		if (mid <= wanted)
			low = mid;
		else
			high = mid;
	}
}

static int step_xsbench(struct vmmap_gen *g)
{
	const struct xsbench *x = g->state;
	uint64_t energy = gen_below(&g->random, x->points);
	unsigned int nuclides = draw_material(g);
	/* Small materials have their nuclides anywhere, the large one has nearly all. */
	uint64_t material = gen_mix(nuclides);

	search_energy(g, x, energy);
	for (unsigned int i = 0; i < nuclides; i++) {
		unsigned int nuclide = nuclides > 100 ?
					       i :
					       (unsigned int)((material + i * 97) % NUCLIDES);
		/* Grids are about evenly spread over the energies, each a little off. */
		uint64_t at = energy / NUCLIDES + gen_mix(nuclide) % 3;
		uint64_t point = at + 1 < x->gridpoints ? at : x->gridpoints - 2;
		uint64_t va = x->grids + (nuclide * x->gridpoints + point) * POINT_BYTES;

		gen_read(g, x->index + 4 * (energy * NUCLIDES + nuclide), 4);
		gen_read(g, va, POINT_BYTES);
		gen_read(g, va + POINT_BYTES, POINT_BYTES);
	}
	return 0;
}

const struct gen_kind gen_xsbench = { "xsbench", "like XSBench: cross sections of materials",
				      init_xsbench, step_xsbench, NULL };
