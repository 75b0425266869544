/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "trace.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

#define BLOCK LFS_BLOCK_BYTES

const char *const trace_kind_names[TRACE_KIND_COUNT] = {
	"one",  "two",   "random", "rename", "share", "append",
	"back", "clean", "full",   "stale",  "many",  "edge",
};

static void add(struct trace *trace, struct lfs_step step)
{
	CHECK(trace->n < TRACE_STEPS_MAX, "a trace too long");
	trace->steps[trace->n++] = step;
}

#define STEP(kind_, ...) ((struct lfs_step){ .kind = STEP_##kind_, __VA_ARGS__ })

/* ---- Sequences of one and two ------------------------------------------------------------------------ */

/* Two directories, three files, and what is not there yet. */
#define A    WORLD_PATH(0, 0)
#define B    WORLD_PATH(0, 1)
#define AB   WORLD_PATH(1, 1)
#define AF   WORLD_PATH(1, 2)
#define AG   WORLD_PATH(1, 3)
#define BF   WORLD_PATH(2, 2)
#define AH   WORLD_PATH(1, 4) /* not there */
#define BH   WORLD_PATH(2, 4) /* not there */
#define BL   WORLD_PATH(2, 9) /* not there, the longest name */
#define OPEN WORLD_PATHS      /* reference 0 */

static const struct lfs_step small_set[] = {
	STEP(CREATE, .path = AH),
	STEP(CREATE, .path = BL),
	STEP(MKDIR, .path = AB),
	STEP(SYMLINK, .path = BH),
	STEP(MKNOD, .path = AH),
	STEP(TMPFILE, .path = BH),
	STEP(LINK, .path = AF, .path2 = BH),
	STEP(LINK, .path = AG, .path2 = AH),
	STEP(UNLINK, .path = AF),
	STEP(UNLINK, .path = BF),
	STEP(RMDIR, .path = AB),
	STEP(RMDIR, .path = B),
	STEP(RENAME, .path = AF, .path2 = AH),
	STEP(RENAME, .path = AF, .path2 = BH),
	STEP(RENAME, .path = AF, .path2 = AG),
	STEP(RENAME, .path = AG, .path2 = BF),
	STEP(RENAME, .path = AF, .path2 = BF, .c = 2),
	STEP(RENAME, .path = AH, .path2 = AF),
	STEP(RENAME, .path = B, .path2 = AB),
	STEP(RENAME, .path = A, .path2 = B, .c = 2),
	STEP(WRITE, .path = AF, .a = 0, .b = BLOCK - 1),
	STEP(WRITE, .path = AF, .a = 5000, .b = 99),
	STEP(WRITE, .path = AF, .a = 3 * BLOCK, .b = 9 * BLOCK - 1),
	STEP(WRITE, .path = AG, .a = 10, .b = 20),
	STEP(WRITE, .path = BF, .a = 2 * BLOCK + 5, .b = 40000),
	STEP(WRITE, .path = AH, .a = 0, .b = 200),
	STEP(APPEND, .path = AF, .b = 700),
	STEP(APPEND, .path = AG, .b = 60),
	STEP(APPEND, .path = AG, .b = 5 * BLOCK),
	STEP(TRUNCATE, .path = AF, .a = 0),
	STEP(TRUNCATE, .path = AF, .a = 5001),
	STEP(TRUNCATE, .path = AF, .a = 100000),
	STEP(TRUNCATE, .path = AG, .a = 7),
	STEP(TRUNCATE, .path = AG, .a = 9000),
	STEP(FALLOCATE, .path = AF, .c = 0, .a = 0, .b = 80000),
	STEP(FALLOCATE, .path = AG, .c = 1, .a = BLOCK, .b = 5 * BLOCK),
	STEP(FALLOCATE, .path = AF, .c = 2, .a = 3000, .b = 6000),
	STEP(FALLOCATE, .path = BF, .c = 2, .a = BLOCK, .b = 4 * BLOCK),
	STEP(FALLOCATE, .path = BF, .c = 3, .a = 100, .b = 10000),
	STEP(FALLOCATE, .path = BF, .c = 5, .a = BLOCK, .b = 2 * BLOCK),
	STEP(FALLOCATE, .path = BF, .c = 6, .a = 2 * BLOCK, .b = 3 * BLOCK),
	STEP(CLONE, .path = AF, .path2 = BF, .a = 0, .b = 3 * BLOCK),
	STEP(CLONE, .path = BF, .path2 = AF, .a = 0, .b = 80000),
	STEP(CLONE, .path = BF, .path2 = AG, .a = BLOCK, .b = 9000, .c = 2),
	STEP(CLONE, .path = BF, .path2 = BF, .a = 0, .b = BLOCK, .c = 1),
	STEP(SETXATTR, .path = AF, .a = 2, .c = 0),
	STEP(SETXATTR, .path = AG, .a = 6, .c = 1),
	STEP(SETXATTR, .path = A, .a = 3, .c = 2),
	STEP(REMOVEXATTR, .path = BF, .c = 0),
	STEP(CHMOD, .path = AF, .a = 0600),
	STEP(CHOWN, .path = B, .a = 7, .b = 8),
	STEP(UTIMES, .path = AG, .a = 12345, .b = 678),
	STEP(OPEN, .path = AF),
	STEP(CLOSE, .path = OPEN),
};
#define SMALL_SET (sizeof(small_set) / sizeof(small_set[0]))

enum { SYNC_PATTERNS = 8, SMALL_GROUNDS = 3 };

static const enum ground_kind small_grounds[SMALL_GROUNDS] = { GROUND_files, GROUND_log,
							       GROUND_empty };

/* The sync that an application would make after @step: of the file, or of the directory. */
static struct lfs_step sync_after(const struct lfs_step *step, bool data_only)
{
	bool names = step->kind <= STEP_RENAME;
	struct lfs_step sync = { .kind = data_only ? STEP_FDATASYNC : STEP_FSYNC,
				 .path = step->path };

	if (step->kind == STEP_CLONE)
		sync.path = step->path2;
	if (names) {
		sync.kind = STEP_FSYNCDIR;
		sync.path = step->path / WORLD_NAMES;
	}
	return sync;
}

/* @n 1 or 2 operations x (and y), and one of the patterns of syncs around them. */
static void add_small(struct trace *trace, const struct lfs_step *x, const struct lfs_step *y,
		      unsigned int pattern)
{
	const struct lfs_step sync = STEP(SYNC), checkpoint = STEP(CHECKPOINT), tick = STEP(TICK);
	const struct lfs_step other = STEP(FSYNC, .path = BF);

	add(trace, *x);
	if (pattern == 1 || pattern == 3)
		add(trace, sync_after(x, false));
	if (pattern == 5)
		add(trace, sync);
	if (pattern == 6)
		add(trace, checkpoint);
	if (pattern == 7)
		add(trace, tick);
	if (y)
		add(trace, *y);
	if (pattern == 2)
		add(trace, sync_after(x, true));
	if (pattern == 3 || pattern == 7)
		add(trace, sync_after(y ? y : x, pattern == 7));
	if (pattern == 4)
		add(trace, other);
	if (pattern == 5)
		add(trace, checkpoint);
	if (pattern == 6)
		add(trace, sync);
	trace->unmount = pattern % 2 == 0;
}

static void make_small(struct trace *trace, uint64_t index)
{
	const struct lfs_step *y = NULL;
	unsigned int pattern = index % SYNC_PATTERNS;

	index /= SYNC_PATTERNS;
	trace->ground = small_grounds[index % SMALL_GROUNDS];
	index /= SMALL_GROUNDS;
	if (trace->kind == TRACE_two)
		y = &small_set[index / SMALL_SET % SMALL_SET];
	add_small(trace, &small_set[index % SMALL_SET], y, pattern);
}

uint64_t trace_count(enum trace_kind kind)
{
	uint64_t one = SMALL_SET * SYNC_PATTERNS * SMALL_GROUNDS;

	return kind == TRACE_one ? one : kind == TRACE_two ? one * SMALL_SET : 0;
}

/* ---- Longer ones -------------------------------------------------------------------------------------- */

static void make_random(struct trace *trace, struct rng *rng)
{
	uint32_t n = 3 + (uint32_t)rng_below(rng, rng_one_in(rng, 4) ? 38 : 10);
	uint32_t fsyncs = 2 + (uint32_t)rng_below(rng, 8);

	trace->ground = (enum ground_kind)rng_below(rng, GROUND_stale);
	while (trace->n < n)
		add(trace, lfs_world_random_step(rng, fsyncs));
}

/* Write a new file, sync it or not, and put it in place of the old one. */
static void make_rename(struct trace *trace, struct rng *rng)
{
	trace->ground = GROUND_files;
	for (uint64_t i = 0, n = 1 + rng_below(rng, 4); i < n; i++) {
		uint8_t over = rng_one_in(rng, 2) ? AF : BF, fresh = rng_one_in(rng, 2) ? AH : BH;

		add(trace, STEP(CREATE, .path = fresh));
		add(trace, STEP(WRITE, .path = fresh, .b = (uint32_t)rng_below(rng, 30000)));
		if (rng_one_in(rng, 2))
			add(trace, STEP(FSYNC, .path = fresh));
		if (rng_one_in(rng, 4))
			add(trace, STEP(OPEN, .path = over));
		if (rng_one_in(rng, 4))
			add(trace, STEP(LINK, .path = over, .path2 = AG));
		add(trace,
		    STEP(RENAME, .path = fresh, .path2 = over, .c = rng_one_in(rng, 4) ? 2 : 0));
		if (rng_one_in(rng, 3))
			add(trace, STEP(RENAME, .path = A, .path2 = B, .c = 2));
		if (rng_one_in(rng, 3))
			add(trace, STEP(RENAME, .path = B, .path2 = AB));
		if (rng_one_in(rng, 2))
			add(trace, STEP(FSYNCDIR, .path = (uint8_t)rng_below(rng, 4)));
	}
}

static void make_share(struct trace *trace, struct rng *rng)
{
	static const uint8_t files[] = { AF, AG, BF, BH };

	trace->ground = rng_one_in(rng, 2) ? GROUND_files : GROUND_log;
	add(trace, STEP(CREATE, .path = BH));
	for (uint64_t i = 0, n = 3 + rng_below(rng, 12); i < n; i++) {
		uint8_t file = files[rng_below(rng, 4)], other = files[rng_below(rng, 4)];
		uint32_t at = (uint32_t)rng_below(rng, 8) * BLOCK,
			 len = (uint32_t)rng_below(rng, 12) * BLOCK;

		switch (rng_below(rng, 8)) {
		case 0:
			add(trace, STEP(WRITE, .path = file, .a = at, .b = len));
			break;
		case 1:
			add(trace,
			    STEP(TRUNCATE, .path = file, .a = at + (rng_one_in(rng, 2) ? 100 : 0)));
			break;
		case 2:
			add(trace,
			    STEP(FALLOCATE, .path = file, .c = (uint8_t)(2 + rng_below(rng, 6)),
				 .a = at, .b = len + BLOCK));
			break;
		case 3:
			add(trace, STEP(FSYNC, .path = file));
			break;
		case 4:
			add(trace, STEP(CHECKPOINT));
			break;
		case 5:
			if (rng_one_in(rng, 4)) {
				add(trace, STEP(UNLINK, .path = file));
				add(trace, STEP(CREATE, .path = file));
			}
			break;
		default:
			add(trace, STEP(CLONE, .path = file, .path2 = other, .a = at,
					.b = len + BLOCK, .c = (uint8_t)rng_below(rng, 4)));
		}
	}
}

static void make_append(struct trace *trace, struct rng *rng)
{
	trace->ground = rng_one_in(rng, 2) ? GROUND_files : GROUND_empty;
	add(trace, STEP(CREATE, .path = AH));
	for (uint64_t i = 0, n = 5 + rng_below(rng, 40); i < n; i++) {
		add(trace, STEP(APPEND, .path = rng_one_in(rng, 5) ? AF : AH,
				.b = (uint32_t)rng_magnitude(rng, 14)));
		if (!rng_one_in(rng, 4))
			add(trace, STEP(FSYNC, .path = AH));
		else if (rng_one_in(rng, 3))
			add(trace, STEP(FDATASYNC, .path = AH));
	}
}

/* Blocks of a file come in any order, whole; then the size is cut to what it is. */
static void make_back(struct trace *trace, struct rng *rng)
{
	uint32_t blocks = 4 + (uint32_t)rng_below(rng, 40);

	trace->ground = GROUND_files;
	add(trace, STEP(CREATE, .path = AH));
	for (uint64_t i = 0, n = 5 + rng_below(rng, 40); i < n; i++) {
		uint32_t at = (uint32_t)rng_below(rng, blocks) * BLOCK;

		add(trace, STEP(WRITE, .path = AH, .a = at, .b = BLOCK - 1));
		if (rng_one_in(rng, 6)) /* direct, in sectors, and at once */
			add(trace, STEP(WRITE, .path = AF, .a = at + 512, .b = 1535));
		if (rng_one_in(rng, 6))
			add(trace, STEP(FDATASYNC, .path = AF));
		if (rng_one_in(rng, 10))
			add(trace, STEP(TICK));
	}
	add(trace, STEP(TRUNCATE, .path = AH, .a = blocks * BLOCK - 1000));
	add(trace, STEP(FSYNC, .path = AH));
	add(trace, STEP(WRITE, .path = AH, .a = BLOCK, .b = 2 * BLOCK - 1));
}

/* Where the many blocks are on the aged ground: files k of directory a, b and a/b. */
static const uint8_t aged_files[] = { WORLD_PATH(1, 6), WORLD_PATH(1, 7), WORLD_PATH(2, 6),
				      WORLD_PATH(2, 7) };

static void make_clean(struct trace *trace, struct rng *rng)
{
	trace->ground = GROUND_aged;
	trace->discard = rng_one_in(rng, 4);
	for (uint64_t i = 0, n = 20 + rng_below(rng, 60); i < n; i++) {
		uint8_t file = aged_files[rng_below(rng, 4)];
		uint32_t at = (uint32_t)rng_below(rng, 200) * BLOCK;

		add(trace,
		    STEP(WRITE, .path = file, .a = at, .b = (uint32_t)rng_below(rng, 20) * BLOCK));
		if (rng_one_in(rng, 4))
			add(trace, STEP(CLEAN));
		if (rng_one_in(rng, 6))
			add(trace, STEP(FSYNC, .path = file));
		if (rng_one_in(rng, 12))
			add(trace, STEP(CLONE, .path = file, .path2 = AF, .a = at, .b = 4 * BLOCK));
		if (rng_one_in(rng, 16))
			add(trace, STEP(CHECKPOINT));
		if (rng_one_in(rng, 10))
			add(trace, lfs_world_random_step(rng, 8));
	}
	add(trace, STEP(CLEAN));
}

static void make_full(struct trace *trace, struct rng *rng)
{
	static const uint8_t files[] = { AF, AG, BF, AH, BH, BL };

	trace->ground = GROUND_tiny;
	for (uint64_t i = 0, n = 15 + rng_below(rng, 60); i < n; i++) {
		uint8_t file = files[rng_below(rng, 6)];

		switch (rng_below(rng, 8)) {
		case 0:
			add(trace, STEP(UNLINK, .path = file));
			break;
		case 1:
			add(trace, STEP(TRUNCATE, .path = file,
					.a = (uint32_t)rng_below(rng, 40) * BLOCK));
			break;
		case 2:
			add(trace,
			    STEP(FALLOCATE, .path = file, .c = (uint8_t)rng_below(rng, 4),
				 .a = (uint32_t)rng_below(rng, 40) * BLOCK, .b = 60 * BLOCK));
			break;
		case 3:
			add(trace, STEP(FSYNC, .path = file));
			break;
		case 4:
			add(trace, lfs_world_random_step(rng, 6));
			break;
		default:
			add(trace, STEP(CREATE, .path = file));
			add(trace,
			    STEP(APPEND, .path = file, .b = (uint32_t)rng_below(rng, 60) * BLOCK));
		}
		if (trace->n + 2 >= TRACE_STEPS_MAX)
			break;
	}
}

static void make_many(struct trace *trace, struct rng *rng)
{
	trace->ground = GROUND_many;
	for (uint64_t i = 0, n = 3 + rng_below(rng, 20); i < n; i++)
		add(trace,
		    rng_one_in(rng, 3) ?
			    STEP(WRITE, .path = AF, .a = (uint32_t)rng_below(rng, 600) * BLOCK,
				 .b = BLOCK - 1) :
		    rng_one_in(rng, 4) ? lfs_world_random_step(rng, 4) :
					 STEP(LINK, .path = AG,
					      .path2 = (uint8_t)(WORLD_PATH(2, 0) +
								 rng_below(rng, WORLD_NAMES))));
	add(trace, STEP(FSYNC, .path = AF));
	add(trace, STEP(RENAME, .path = AG, .path2 = BH));
	add(trace, STEP(CHECKPOINT));
}

/* @file ends at @end, inside a block, and grows to @to. */
static struct lfs_step grow_step(struct rng *rng, uint8_t file, uint32_t end, uint32_t to)
{
	switch (rng_below(rng, 6)) {
	case 0:
	case 1:
		return STEP(TRUNCATE, .path = file, .a = to);
	case 2:
		return STEP(APPEND, .path = file, .b = to - end);
	case 3:
		return STEP(WRITE, .path = file, .a = to, .b = (uint32_t)rng_below(rng, 2 * BLOCK));
	case 4:
		return STEP(FALLOCATE, .path = file, .c = 0, .a = end, .b = to - end);
	default: /* of a file of 12 blocks: to a block behind the end */
		return STEP(CLONE, .path = BH, .path2 = file, .a = to / BLOCK * BLOCK,
			    .b = 2 * BLOCK);
	}
}

static void make_edge(struct trace *trace, struct rng *rng)
{
	static const uint8_t files[] = { AF, BF, AH };

	trace->ground = rng_one_in(rng, 2) ? GROUND_files : GROUND_log;
	add(trace, STEP(CREATE, .path = AH));
	add(trace, STEP(CREATE, .path = BH));
	add(trace, STEP(WRITE, .path = BH, .b = 12 * BLOCK - 1));
	for (uint64_t i = 0, n = 2 + rng_below(rng, 5); i < n; i++) {
		uint8_t file = files[rng_below(rng, 3)];
		uint32_t end = (uint32_t)(rng_below(rng, 6) * BLOCK + 1 +
					  rng_below(rng, BLOCK - 1));
		uint32_t to = end + 1 + (uint32_t)rng_magnitude(rng, 14);

		if (!rng_one_in(rng, 4))
			add(trace, STEP(WRITE, .path = file, .b = 8 * BLOCK - 1));
		if (rng_one_in(rng, 4))
			add(trace, STEP(FSYNC, .path = file));
		add(trace, STEP(TRUNCATE, .path = file, .a = end));
		if (rng_one_in(rng, 3))
			add(trace,
			    rng_one_in(rng, 2) ? STEP(FSYNC, .path = file) : STEP(CHECKPOINT));
		add(trace, grow_step(rng, file, end, to));
		if (rng_one_in(rng, 3))
			add(trace, rng_one_in(rng, 2) ? STEP(FDATASYNC, .path = file) : STEP(TICK));
	}
}

void trace_make(struct trace *trace, enum trace_kind kind, uint64_t index, uint64_t seed)
{
	struct rng rng;

	memset(trace, 0, sizeof(*trace));
	trace->kind = kind;
	trace->index = index;
	rng_init(&rng, seed, index * TRACE_KIND_COUNT + kind);
	trace->unmount = rng_one_in(&rng, 2);
	switch (kind) {
	case TRACE_one:
	case TRACE_two:
		make_small(trace, index);
		break;
	case TRACE_random:
		make_random(trace, &rng);
		break;
	case TRACE_rename:
		make_rename(trace, &rng);
		break;
	case TRACE_share:
		make_share(trace, &rng);
		break;
	case TRACE_append:
		make_append(trace, &rng);
		break;
	case TRACE_back:
		make_back(trace, &rng);
		break;
	case TRACE_clean:
		make_clean(trace, &rng);
		break;
	case TRACE_full:
		make_full(trace, &rng);
		break;
	case TRACE_stale:
		make_random(trace, &rng);
		trace->ground = GROUND_stale;
		break;
	case TRACE_many:
		make_many(trace, &rng);
		break;
	case TRACE_edge:
		make_edge(trace, &rng);
		break;
	case TRACE_KIND_COUNT:
		break;
	}
}
