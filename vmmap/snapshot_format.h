/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What snapshot.c and the readers of single formats share.
 */
#ifndef VMMAP_SNAPSHOT_FORMAT_H
#define VMMAP_SNAPSHOT_FORMAT_H

#include "trace_input.h"

/**
 * struct snapshot_reader -
 * @matches: Whether text that begins with @bytes looks like this format.
 * @read:    All of @in into @snap. Spans may come in any order: the caller sorts.
 */
struct snapshot_reader {
	const char *name;
	bool (*matches)(const unsigned char *bytes, size_t len);
	int (*read)(struct input *in, struct vmmap_snapshot *snap, struct vmmap_refusal *why);
};

extern const struct snapshot_reader snapshot_runs, snapshot_v2p, snapshot_qemu;

/** span_problem() - What is wrong with @span by itself: a static string, or NULL. */
const char *span_problem(const struct vmmap_span *span);

/** snapshot_add() - Behind the others, in whatever order; sound spans only. Return: 0, -ENOMEM (said in @why). */
int snapshot_add(struct vmmap_snapshot *snap, const struct vmmap_span *span,
		 struct vmmap_refusal *why);

/** vpn_of() - Page number of a canonical address, as spans have it. */
static inline uint64_t vpn_of(uint64_t va)
{
	return va >> VMMAP_SHIFT_4K;
}

#endif
