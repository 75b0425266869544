/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The read side of the library as it was built: liburcu's memb flavour, or nothing.
 */
#ifndef HARNESS_READ_SIDE_H
#define HARNESS_READ_SIDE_H

#include <stdint.h>

/** read_side_register() - Each thread that reads, first and last thing. */
void read_side_register(void);
void read_side_unregister(void);

void read_side_lock(void);
void read_side_unlock(void);

/** read_side_settle() - No reader of before is left, where updates do not see to that themselves (kernel). */
void read_side_settle(void);

/** read_side_grace_periods() - How many the writer has waited for so far. 0 without liburcu. */
uint64_t read_side_grace_periods(void);

/* For tests with criterion/criterion.h: not where there is no read side. */
#ifdef LINDEX_RCU
#define NEEDS_READ_SIDE() ((void)0)
#else
#define NEEDS_READ_SIDE()                                                                          \
	cr_skip_test("built without RCU: readers and the writer exclude each other")
#endif

#endif
