/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Atomics of the suites. A load may be what a thread waits for, so it gives way to others first. */
#ifndef LINDEX_TEST_STDATOMIC_H
#define LINDEX_TEST_STDATOMIC_H

#include <linux/sched.h>

#define memory_order_relaxed __ATOMIC_RELAXED
#define memory_order_acquire __ATOMIC_ACQUIRE
#define memory_order_release __ATOMIC_RELEASE

#define atomic_load(p)                     (cond_resched(), __atomic_load_n(p, __ATOMIC_SEQ_CST))
#define atomic_store(p, v)                 __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_load_explicit(p, order)     __atomic_load_n(p, order)
#define atomic_store_explicit(p, v, order) __atomic_store_n(p, v, order)
#undef atomic_fetch_add
#define atomic_fetch_add(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)

#endif
