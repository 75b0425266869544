/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What disks do against their contract (bdev.h): bits that change, sectors and blocks of zeroes or garbage, writes
 * that never arrived or arrived elsewhere. A trial damages one of a few images, on layers above it, and demands:
 *
 *   D1  lfs_check() with scrub finds it, if what was hit is in use
 *   D2  mounting succeeds, or is refused with a line that says why
 *   D3  each call then answers as the twin does, or is -EIO and a line says where; or, where the end of the log or
 *       the checkpoint was hit, the whole tree is one of an earlier operation
 *   D4  what is done next may fail, but nothing else happens
 *   D5  what is kept twice (superblocks, checkpoints) heals: nothing of D3 is an error, and after a repair nothing is
 *       found
 */
#ifndef CRASH_DAMAGE_H
#define CRASH_DAMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lfs_anatomy.h"

enum damage {
	DAMAGE_bit,
	DAMAGE_bits,   /* up to 41 in a block */
	DAMAGE_sector, /* filled with a byte */
	DAMAGE_zeroes,
	DAMAGE_garbage,
	DAMAGE_misplaced,   /* another block's contents */
	DAMAGE_lost,        /* a write, or a part of it, that never arrived */
	DAMAGE_misdirected, /* and that arrived elsewhere */
	DAMAGE_several,     /* blocks */
	DAMAGE_COUNT
};

extern const char *const damage_names[DAMAGE_COUNT];

/**
 * struct damage_counts - Shared by the workers.
 * @found, @harmless: By a scrub, and those that it did not find.
 * @refused, @errors, @earlier: Mounts refused; with calls that were -EIO; earlier trees.
 */
struct damage_counts {
	_Atomic uint64_t next, trials, lost, found, harmless, refused, errors, earlier, healed;
	_Atomic uint64_t by_kind[ANATOMY_COUNT], by_damage[DAMAGE_COUNT], unfound[ANATOMY_COUNT];
	_Atomic bool stop;
	bool quiet; /* and stop at the first */
	char first[300];
};

/** damage_run() - Trials 0 to @trials - 1. Return: the counts, for damage_free(). */
struct damage_counts *damage_run(uint64_t trials, int jobs, bool quiet);
void damage_free(struct damage_counts *counts);

/** damage_replay() - One trial, telling what happens. @save: NULL, or a file for the image. Return: true: nothing lost. */
bool damage_replay(uint64_t number, const char *save);

#endif
