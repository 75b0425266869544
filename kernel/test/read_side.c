// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The harness's read side (read_side.h): the kernel's own RCU. Between two read sides a reader gives way. */
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "libc.h"
#include "read_side.h"

void read_side_register(void) {}

void read_side_unregister(void) {}

/* Lock and unlock are apart, which sparse would call an imbalance in each. */
void read_side_lock(void)
{
	rcu_read_lock();
	__release(RCU);
}

void read_side_unlock(void)
{
	__acquire(RCU);
	rcu_read_unlock();
	cond_resched();
}

void read_side_settle(void)
{
	synchronize_rcu();
}

/* The kernel's grace periods are polled for, never waited for by an update (port.h). */
uint64_t read_side_grace_periods(void)
{
	return 0;
}
