/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * liburcu's grace periods are counted on their way.
 *
 * Under ThreadSanitizer one thing more: liburcu 0.13 orders with barriers in assembler, which the
 * sanitizer does not see, so it would call every reuse of memory after a grace period a race. What
 * a grace period promises (all read sides that began before have ended) is therefore said to it
 * here, and nothing else is: orderings inside the library are still judged.
 */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include "read_side.h"

#ifdef LINDEX_RCU

#define RCU_MEMBARRIER
#include <urcu.h>

#include <dlfcn.h>

#ifdef UNDER_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

static char read_side_ends;
#endif

static uint64_t grace_periods;

/* Takes the place of liburcu's own: the program's symbols come before those of its libraries. */
void urcu_memb_synchronize_rcu(void)
{
	void (*next)(void);

	*(void **)&next = dlsym(RTLD_NEXT, "urcu_memb_synchronize_rcu");
	next();
	grace_periods++;
#ifdef UNDER_TSAN
	__tsan_acquire(&read_side_ends);
#endif
}

uint64_t read_side_grace_periods(void)
{
	return grace_periods;
}

void read_side_settle(void) {}

void read_side_register(void)
{
	rcu_register_thread();
}

void read_side_unregister(void)
{
	rcu_unregister_thread();
}

void read_side_lock(void)
{
	rcu_read_lock();
}

void read_side_unlock(void)
{
#ifdef UNDER_TSAN
	__tsan_release(&read_side_ends);
#endif
	rcu_read_unlock();
}

#else

uint64_t read_side_grace_periods(void)
{
	return 0;
}

void read_side_settle(void) {}

void read_side_register(void) {}

void read_side_unregister(void) {}

void read_side_lock(void) {}

void read_side_unlock(void) {}

#endif
