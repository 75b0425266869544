/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Traces by the thousand, in several processes, each image judged (judge.h). */
#ifndef CRASH_EXPLORE_H
#define CRASH_EXPLORE_H

#include "judge.h"

/**
 * struct explore_options -
 * @kind: Of traces; -1: all, mixed.
 * @stop: At the first finding.
 */
struct explore_options {
	struct judge_plan plan;
	int jobs, kind;
	double seconds; /* for all, 0: no limit; a trace that has begun is finished */
	bool stop, quiet;
};

struct explore_result {
	struct judge_counts counts;
	_Atomic uint64_t next[TRACE_KIND_COUNT], turn;
	double seconds;
	char first[300]; /* finding: its id, and what was found */
};

/** explore() - Return: the result, in memory that explore_free() gives back. */
struct explore_result *explore(const struct explore_options *options);
void explore_free(struct explore_result *result);

void explore_show(const struct explore_result *result);

#endif
