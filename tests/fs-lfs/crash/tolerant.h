/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A walk over a damaged filesystem: what cannot be read must say so; what can be read must be right. */
#ifndef CRASH_TOLERANT_H
#define CRASH_TOLERANT_H

#include "lfs_oracle.h"

struct tolerant_result {
	uint64_t errors;              /* calls that were -EIO */
	uint64_t wrong;               /* calls that answered, and not as the twin would */
	char first[ORACLE_WHY_BYTES]; /* of the wrong ones */
};

/** tolerant_walk() - Everything that @twin has now, by name. */
void tolerant_walk(struct lfs *fs, const struct lfs_twin *twin, struct tolerant_result *result);

#endif
