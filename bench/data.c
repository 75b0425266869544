/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define PIECE_MAX  64u
#define PIECE_MEAN 6

/* ---- Sets of runs -------------------------------------------------------------------------- */

void runs_free(struct runs *runs)
{
	free(runs->at);
	runs->at = NULL;
	runs->n = 0;
}

void runs_lookup(const struct runs *runs, uint64_t key, struct lindex_run *run)
{
	size_t lo = 0, hi = runs->n; /* runs below lo begin at or before key */

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (runs->at[mid].first <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo && runs->at[lo - 1].last >= key) {
		*run = runs->at[lo - 1];
		run->mapped = 1;
		return;
	}
	*run = hole_run(lo ? runs->at[lo - 1].last + 1 : 0,
			lo < runs->n ? runs->at[lo].first - 1 : UINT64_MAX);
}

struct lindex_run *runs_shuffle(const struct runs *runs, struct rng *rng)
{
	struct lindex_run *copy = grab(runs->n * sizeof(*copy));

	memcpy(copy, runs->at, runs->n * sizeof(*copy));
	for (size_t i = runs->n; i > 1; i--) {
		size_t j = rng_below(rng, i);
		struct lindex_run swap = copy[i - 1];

		copy[i - 1] = copy[j];
		copy[j] = swap;
	}
	return copy;
}

bool run_equal(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->first == b->first && a->last == b->last && a->value == b->value &&
	       a->tag == b->tag && a->step == b->step && a->mapped == b->mapped;
}

/* ---- A file that a log ages ---------------------------------------------------------------- */

/* Geometric, drawn again where it is too long. */
static uint64_t piece_length(struct rng *rng)
{
	const double scale = 1 / log1p(-1.0 / PIECE_MEAN);
	uint64_t length;

	do {
		double u = ((double)(rng_next(rng) >> 11) + 0.5) * 0x1p-53;

		length = 1 + (uint64_t)(log(u) * scale);
	} while (length > PIECE_MAX);
	return length;
}

struct lindex_run log_next(struct log_stream *log)
{
	uint64_t length = piece_length(&log->rng);
	uint64_t first = rng_below(&log->rng, log->blocks - PIECE_MAX + 1);
	struct lindex_run run = { .first = first,
				  .last = first + length - 1,
				  .value = log->head,
				  .step = 1,
				  .mapped = 1 };

	log->head += length;
	return run;
}

void file_age(struct file *file, struct log_stream *log, uint64_t blocks, uint64_t seed)
{
	file->blocks = blocks;
	file->disk = grab(blocks * sizeof(*file->disk));
	for (uint64_t i = 0; i < blocks; i++)
		file->disk[i] = (uint32_t)i;
	*log = (struct log_stream){ { seed }, blocks, blocks };
	while (log->head < 2 * blocks) {
		struct lindex_run run = log_next(log);

		file_store(file, &run);
	}
}

unsigned int file_store(struct file *file, const struct lindex_run *run)
{
	unsigned int displaced = 1;

	if (run->value + (run->last - run->first) > UINT32_MAX)
		die("the log is longer than 2^32 blocks");
	for (uint64_t i = run->first; i <= run->last; i++) {
		displaced += i < run->last && file->disk[i + 1] != file->disk[i] + 1;
		file->disk[i] = (uint32_t)(run->value + (i - run->first));
	}
	return displaced;
}

void file_runs(const struct file *file, struct runs *runs)
{
	struct lindex_run *run = NULL;

	runs->n = 1;
	for (uint64_t i = 1; i < file->blocks; i++)
		runs->n += file->disk[i] != file->disk[i - 1] + 1;
	runs->at = grab(runs->n * sizeof(*runs->at));
	for (uint64_t i = 0; i < file->blocks; i++) {
		if (!i || file->disk[i] != file->disk[i - 1] + 1) {
			run = run ? run + 1 : runs->at;
			*run = (struct lindex_run){
				.first = i, .value = file->disk[i], .step = 1, .mapped = 1
			};
		}
		run->last = i;
	}
}

void file_free(struct file *file)
{
	free(file->disk);
	file->disk = NULL;
}

/* ---- Keys ---------------------------------------------------------------------------------- */

static uint64_t key_between(struct rng *rng, uint64_t first, uint64_t last)
{
	return last - first == UINT64_MAX ? rng_next(rng) :
					    first + rng_below(rng, last - first + 1);
}

uint64_t *keys_below(size_t n, uint64_t end, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));

	for (size_t i = 0; i < n; i++)
		keys[i] = rng_below(rng, end);
	return keys;
}

uint64_t *keys_hit(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));

	for (size_t i = 0; i < n; i++) {
		const struct lindex_run *run = &runs->at[rng_below(rng, runs->n)];

		keys[i] = key_between(rng, run->first, run->last);
	}
	return keys;
}

uint64_t *keys_gap(const struct runs *runs, size_t n, struct rng *rng)
{
	uint64_t *keys = grab(n * sizeof(*keys));
	size_t have = 0;

	for (size_t tries = 0; have < n && tries < 100 * n; tries++) {
		size_t i = rng_below(rng, runs->n - 1);
		const struct lindex_run *run = &runs->at[i];

		if (run[1].first - run->last > 1)
			keys[have++] = key_between(rng, run->last + 1, run[1].first - 1);
	}
	if (have == n)
		return keys;
	free(keys);
	return NULL;
}
