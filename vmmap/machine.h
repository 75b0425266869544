/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * machine - what the simulator simulates: sizes and latencies of TLBs, walk caches and data caches.
 */
#ifndef VMMAP_MACHINE_H
#define VMMAP_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace.h"

#define VMMAP_MACHINE_TLBS   8u
#define VMMAP_MACHINE_CACHES 4u
#define VMMAP_MACHINE_LINE   64u

#define VMMAP_MACHINE_4K 1u
#define VMMAP_MACHINE_2M 2u
#define VMMAP_MACHINE_1G 4u

/**
 * struct vmmap_machine_array - A cache or TLB.
 * @entries: 0: there is none.
 * @ways:    0: fully associative.
 * @sizes:   TLBs: VMMAP_MACHINE_4K ..., which pages it holds. @level: 1 or 2.
 */
struct vmmap_machine_array {
	uint32_t entries, ways, cycles;
	uint8_t sizes, level;
};

/**
 * struct vmmap_machine - A profile. machine.c has the text form, and what each setting means.
 * @walk_caches:   By radix level, 2..5.
 * @cuckoo_caches: By cache id of struct vmmap_step: 2 and 3.
 * @caches:        The nearest first.
 */
struct vmmap_machine {
	char name[32], note[96];
	struct vmmap_machine_array tlbs[VMMAP_MACHINE_TLBS];
	struct vmmap_machine_array walk_caches[6], cuckoo_caches[4], model_cache;
	struct vmmap_machine_array caches[VMMAP_MACHINE_CACHES];
	uint32_t n_tlbs, n_caches, dram_cycles, model_cycles, radix_levels;
	bool walk_overlapped, latencies_add;
};

/** vmmap_machine_name() - Name of profile @i, or NULL behind the last. The first is the default. */
const char *vmmap_machine_name(unsigned int i);

/** vmmap_machine_text() - Profile @name as text, or NULL. */
const char *vmmap_machine_text(const char *name);

/**
 * vmmap_machine_read() - The profile @what: one of the names, or a file in the text form.
 * Return: 0, or an error of trace.h's list.
 */
int vmmap_machine_read(const char *what, struct vmmap_machine *m, struct vmmap_refusal *why);

#endif
