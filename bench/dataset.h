/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What --data SPEC names: runs to map, made up, from a file, or as this machine has them at the moment.
 *
 *     gen:KIND[:N[:SEED]]    made up: KIND is lfs-aged, hotspot, uniform, pareto, vma, espfix, stride:K
 *                            or adversary:SORT; N runs, k, M or G behind it (default 1M)
 *     FILE.runs[.zst]        text, one run a line: KEY VALUE LENGTH [TAG [STEP]]
 *     fiemap:PATH            live: where a file, or every file of a tree, is on disk
 *     pagemap:PID            live: page -> page frame of a process; wants root
 *     sosd:FILE              64-bit keys in the format of the SOSD benchmark; value: position
 *
 * README.md says what each holds.
 *
 *     struct dataset d;
 *     char why[DATASET_WHY_BYTES];
 *
 *     if (dataset_load("gen:lfs-aged:1M", 1, &d, why))
 *             die("%s", why);
 *     ...
 *     dataset_free(&d);
 */
#ifndef BENCH_DATASET_H
#define BENCH_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

#define DATASET_WHY_BYTES 256

/**
 * struct dataset - At least one run.
 * @name:  As a spec: what was asked for, with the size and the seed that were left out.
 * @runs:  @n of them: sorted, disjoint, maximal (neighbours that are one run are one), all mapped.
 * @keys:  Keys mapped. @space: Keys 0..space-1 are asked; all runs are there. Both stop at 2^64-1.
 */
struct dataset {
	char *name;
	struct lindex_run *runs;
	size_t n;
	uint64_t keys, space;
};

/**
 * dataset_load() - What @spec names.
 * @seed: For what is made up, where @spec has none.
 * @out:  Written on success.
 * @why:  On an error, one line without a newline: what was expected, and what was found.
 *
 * Return: 0; -EINVAL: spec, text or numbers make no sense (or runs overlap, or wrap); -ERANGE: N is too
 *         large; -ENODATA: there is no run; -EBADMSG: zstd's checksum or format does not hold;
 *         -EOPNOTSUPP: no file there lists its extents; -ESRCH: no such process; -EPERM: frames are
 *         shown to root only; -ENOMEM; or what open() or read() say of a file.
 */
int dataset_load(const char *spec, uint64_t seed, struct dataset *out, char why[DATASET_WHY_BYTES]);

/** dataset_free() - What dataset_load() made. Leaves all zeroes, on which it may be called, too. */
void dataset_free(struct dataset *d);

/**
 * dataset_save() - Write @path, FILE.runs or FILE.runs.zst: what dataset_load() gives the same runs for.
 *
 * The file gets its name when it is complete: nobody sees half of it, and after an error @path is as it was.
 *
 * Return: 0; -EINVAL: another name; or what open() or write() say.
 */
int dataset_save(const struct dataset *d, const char *path, char why[DATASET_WHY_BYTES]);

#endif
