/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "gen.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define PIECE_MAX  64u
#define PIECE_MEAN 6

static_assert(FILE_MIN_BLOCKS >= PIECE_MAX, "a piece fits into the smallest file");
static_assert(2 * (uint64_t)FILE_MAX_BLOCKS + PIECE_MAX <= UINT32_MAX, "disk addresses fit");

/* ---- The stream ---------------------------------------------------------------------------- */

/* Geometric, drawn again where it is too long. */
static uint64_t piece_length(struct rng *rng)
{
	const double scale = 1 / log1p(-1.0 / PIECE_MEAN);
	uint64_t length;

	do
		length = 1 + (uint64_t)(log(rng_unit(rng)) * scale);
	while (length > PIECE_MAX);
	return length;
}

/* In [0, places). */
static uint64_t piece_place(struct log_stream *log, uint64_t places)
{
	/* x^exponent is below 0.2 with probability 0.8, and so on with every power of both. */
	const double exponent = log1p(-0.8) / log1p(-0.2);
	uint64_t place;

	switch (log->style) {
	case LOG_HOTSPOT:
		if (rng_below(&log->rng, 10) && places >= 10)
			places /= 10;
		break;
	case LOG_PARETO:
		place = (uint64_t)((double)places * pow(rng_unit(&log->rng), exponent));
		return place < places ? place : places - 1;
	case LOG_PIECES:
	case LOG_SINGLE:
		break;
	}
	return rng_below(&log->rng, places);
}

struct lindex_run log_next(struct log_stream *log)
{
	uint64_t length = log->style == LOG_SINGLE ? 1 : piece_length(&log->rng);
	uint64_t most = log->style == LOG_SINGLE ? 1 : PIECE_MAX;
	uint64_t first = piece_place(log, log->blocks - most + 1);
	struct lindex_run run = { .first = first,
				  .last = first + length - 1,
				  .value = log->head,
				  .step = 1,
				  .mapped = 1 };

	log->head += length;
	return run;
}

/* ---- The file ------------------------------------------------------------------------------ */

int file_age(struct file *file, struct log_stream *log, enum log_style style, uint64_t blocks,
	     uint64_t seed)
{
	assert(blocks >= FILE_MIN_BLOCKS && blocks <= FILE_MAX_BLOCKS);
	file->blocks = blocks;
	file->disk = reallocarray(NULL, blocks, sizeof(*file->disk));
	if (!file->disk)
		return -ENOMEM;
	for (uint64_t i = 0; i < blocks; i++)
		file->disk[i] = (uint32_t)i;
	*log = (struct log_stream){
		.rng = { seed }, .blocks = blocks, .head = blocks, .style = style
	};
	while (log->head < 2 * blocks) {
		struct lindex_run run = log_next(log);

		file_store(file, &run);
	}
	return 0;
}

unsigned int file_store(struct file *file, const struct lindex_run *run)
{
	unsigned int displaced = 1;

	assert(run->value + (run->last - run->first) <= UINT32_MAX);
	for (uint64_t i = run->first; i <= run->last; i++) {
		displaced += i < run->last && file->disk[i + 1] != file->disk[i] + 1;
		file->disk[i] = (uint32_t)(run->value + (i - run->first));
	}
	return displaced;
}

static size_t count_runs(const struct file *file)
{
	size_t n = 1;

	for (uint64_t i = 1; i < file->blocks; i++)
		n += file->disk[i] != file->disk[i - 1] + 1;
	return n;
}

int file_runs(const struct file *file, struct runs *runs)
{
	int err;

	*runs = (struct runs){ 0 };
	err = runs_reserve(runs, count_runs(file));
	for (uint64_t i = 0; i < file->blocks && !err; i++)
		err = runs_append(
			runs, (struct lindex_run){
				      .first = i, .last = i, .value = file->disk[i], .step = 1 });
	return err;
}

void file_free(struct file *file)
{
	free(file->disk);
	file->disk = NULL;
}

/* ---- A file of about so many runs ---------------------------------------------------------- */

#define TRIES   8
#define PERCENT 3 /* off by no more: good */

static bool is_near(uint64_t found, uint64_t wanted)
{
	uint64_t off = found > wanted ? found - wanted : wanted - found;

	return off * 100 <= wanted * PERCENT;
}

/* Where trying begins: blocks per run of large files, measured. */
static double blocks_per_run(enum log_style style)
{
	switch (style) {
	case LOG_SINGLE:
		return 1.16;
	case LOG_HOTSPOT:
		return 17.6;
	case LOG_PARETO:
		return 10.2;
	default:
		return 5.1;
	}
}

int gen_aged(struct runs *runs, size_t n, enum log_style style, uint64_t seed)
{
	double ratio = blocks_per_run(style);
	struct log_stream log;
	struct file file;
	int err;

	for (unsigned int try = 1;; try++) {
		uint64_t blocks = (uint64_t)((double)n * ratio);
		size_t found;

		if (blocks > FILE_MAX_BLOCKS)
			return -ERANGE;
		if (blocks < FILE_MIN_BLOCKS)
			blocks = FILE_MIN_BLOCKS;
		err = file_age(&file, &log, style, blocks, seed);
		if (err)
			return err;
		found = count_runs(&file);
		if (is_near(found, n) || blocks == FILE_MIN_BLOCKS || try == TRIES)
			break;
		ratio = (double)blocks / (double)found;
		file_free(&file);
	}
	err = file_runs(&file, runs);
	file_free(&file);
	return err;
}
