/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One trace is run once, on a disk that records. Then the images that a crash may have left are judged, each of them:
 *
 *   J1  lfs_check() finds nothing, and writes nothing; no repair is needed
 *   J2  lfs_mount() succeeds, and reads no more blocks than the log is long
 *   J3  the tree is the twin's after an operation between the last promise and the last write (lfs_oracle_match())
 *   J4  no inode is left without a name
 *   J5  it can be used: more operations agree with the twin, unmount, mount, the same tree, a scrub finds nothing
 *   J6  a crash during all that leaves images of which the same is true
 */
#ifndef CRASH_JUDGE_H
#define CRASH_JUDGE_H

#include <stdatomic.h>

#include "trace.h"

/** struct judge_counts - Shared by the workers. */
struct judge_counts {
	_Atomic uint64_t states, nested, repeated, passed_over, traces, steps, lost,
		most_mount_reads, full;
	_Atomic uint64_t by_kind[TRACE_KIND_COUNT];
	_Atomic bool stop;
};

/**
 * struct judge_plan - How much of a trace is judged.
 * @most:    States of one trace; of more, so many are drawn.
 * @nested:  One state in so many is crashed again (0: none).
 * @limit:   Stop when counts->states is this.
 * @only:    Not NULL: one state, by its id; and tell what happens.
 * @save:    Not NULL: a file for the image of @only.
 * @current: Where the id of the state under judgement is kept, for those who look when a worker dies.
 */
struct judge_plan {
	uint64_t seed, most, limit;
	uint32_t nested;
	const struct judge_id *only;
	const char *save;
	char *current;
};

/** struct judge_id - kind.index.epoch.image, and .epoch.image again if it crashed a second time. */
struct judge_id {
	enum trace_kind kind;
	uint64_t index;
	uint32_t epoch, number, epoch2, number2;
	bool twice;
};

#define JUDGE_ID_BYTES 96u /* at most WORKERS_ID_BYTES */

/** judge_id_parse() - Return: false: that is no id. */
bool judge_id_parse(struct judge_id *id, const char *text);

/** judge_trace() - Return: true: nothing lost; else @why has the id and what was found. */
bool judge_trace(enum trace_kind kind, uint64_t index, const struct judge_plan *plan,
		 struct judge_counts *counts, char *why, size_t room);

#endif
