/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gen.h"

#include <errno.h>

/* ---- One after the other ------------------------------------------------------------------- */

int gen_stride(struct runs *runs, size_t n, uint64_t stride, struct rng *rng)
{
	uint64_t value = rng_next(rng) >> 32;
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++)
		err = runs_append(runs, (struct lindex_run){ .first = i * stride,
							     .last = i * stride,
							     .value = value + i,
							     .step = 1 });
	return err;
}

#define ESPFIX_PAGES 16u /* 64 KiB */

int gen_espfix(struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t frame = rng_next(rng) >> 40, page = rng_below(rng, ESPFIX_PAGES);
	int err = runs_reserve(runs, n);

	for (size_t i = 0; i < n && !err; i++, page += ESPFIX_PAGES)
		err = runs_append(runs,
				  (struct lindex_run){
					  .first = page, .last = page, .value = frame, .step = 1 });
	return err;
}

/* ---- A process ----------------------------------------------------------------------------- */

#define PROGRAM_PAGE (UINT64_C(0x555) << 24) /* somewhere in the 2^27 pages from here */
#define END_PAGE     (UINT64_C(1) << 35)
#define RUNS_OF_AREA 65536u /* one mapped area more for so many runs */
#define AREAS        6u

/* Of what is touched, one stretch in so many is followed by pages that are not; so many at most. */
#define UNTOUCHED_ONE_IN 8u
#define UNTOUCHED_PAGES  64u

/* @n runs from @page on. Return: the page behind the last, or 0: no memory. */
static uint64_t fill_area(struct runs *runs, size_t n, uint64_t page, uint64_t frames,
			  struct rng *rng)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t last = page + rng_below(rng, 3);

		if (runs_append(runs, (struct lindex_run){ .first = page,
							   .last = last,
							   .value = rng_below(rng, frames),
							   .step = 1 }))
			return 0;
		page = last + 1;
		if (!rng_below(rng, UNTOUCHED_ONE_IN))
			page += 1 + rng_below(rng, UNTOUCHED_PAGES);
	}
	return page;
}

int gen_vma(struct runs *runs, size_t n, struct rng *rng)
{
	const size_t areas = AREAS + n / RUNS_OF_AREA;
	const uint64_t frames = (UINT64_C(1) << 21) + 8 * (uint64_t)n; /* memory: 8 GiB or more */
	/* A run takes 6 pages, with those behind it that are not touched; an area is far from the next. */
	const uint64_t mapped = END_PAGE - (UINT64_C(1) << 28) - 10 * (uint64_t)n;
	uint64_t page = PROGRAM_PAGE + (rng_next(rng) >> 37);
	size_t done = 0;

	if (runs_reserve(runs, n))
		return -ENOMEM;
	for (size_t i = 0; i < areas; i++) {
		size_t upto = (size_t)((double)n * (double)(i + 1) / (double)areas);

		if (i == 2) /* program, heap, then what is mapped */
			page = mapped + (rng_next(rng) >> 37);
		page = fill_area(runs, upto - done, page, frames, rng);
		if (!page)
			return -ENOMEM;
		page += 1 + rng_below(rng, 1u << 16);
		done = upto;
	}
	return 0;
}
