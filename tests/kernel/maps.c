/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * maps EXTENTS MOST SEED: a text map for lindex-dm on stdout: extents of 1..MOST sectors without gaps, at places in
 * shuffled order, without gaps there, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rng.h"

int main(int argc, char **argv)
{
	uint64_t n = argc == 4 ? strtoull(argv[1], NULL, 10) : 0, first = 0, place = 0;
	uint64_t most = argc == 4 ? strtoull(argv[2], NULL, 10) : 0, *at, *length, *order;
	struct rng rng;

	if (!n || !most) {
		fprintf(stderr, "usage: maps EXTENTS MOST SEED\n");
		return 2;
	}
	at = calloc(n, sizeof(*at));
	length = calloc(n, sizeof(*length));
	order = calloc(n, sizeof(*order));
	if (!at || !length || !order)
		return 1;
	rng_init(&rng, strtoull(argv[3], NULL, 10), n);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t j = rng_below(&rng, i + 1);

		order[i] = order[j];
		order[j] = i;
		length[i] = 1 + rng_below(&rng, most);
	}
	for (uint64_t i = 0; i < n; i++) {
		at[order[i]] = place;
		place += length[order[i]];
	}
	for (uint64_t i = 0; i < n; i++) {
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", first, length[i], at[i]);
		first += length[i];
	}
	free(order);
	free(length);
	free(at);
	return fflush(stdout) || ferror(stdout);
}
