/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What is measured on, and which commit.
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>

#define MACHINE_TEXT 96u

/**
 * struct machine - Texts are "unknown" where nobody says.
 * @pages:       Whether transparent huge pages are on.
 * @cache_bytes: Of the last level; 0: unknown.
 */
struct machine {
	char commit[MACHINE_TEXT], cpu[MACHINE_TEXT], pages[MACHINE_TEXT];
	unsigned int cores;
	uint64_t cache_bytes;
};

void machine_look(struct machine *m);

/** machine_free_bytes() - Memory that programs may still take; 0: unknown. */
uint64_t machine_free_bytes(void);

/* The commit that was built: commit.cmake. */
extern const char machine_commit[];

#endif
