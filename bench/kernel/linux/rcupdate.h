/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * RCU for kernel_peers.sh: one thread, so that readers pay nothing, as in a kernel, and what waits
 * for them is freed after the update that retired it (slab.c).
 */
#ifndef KERNEL_PEERS_RCUPDATE_H
#define KERNEL_PEERS_RCUPDATE_H

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));

#define rcu_read_lock()                    ((void)0)
#define rcu_read_unlock()                  ((void)0)
#define rcu_read_lock_held()               1
#define rcu_dereference(p)                 (*(__typeof__(p) volatile *)&(p))
#define rcu_dereference_raw(p)             rcu_dereference(p)
#define rcu_dereference_protected(p, cond) rcu_dereference(p)
#define rcu_dereference_check(p, cond)     rcu_dereference(p)
#define rcu_assign_pointer(p, v)           __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)
#define RCU_INIT_POINTER(p, v)             ((p) = (v))

#endif
