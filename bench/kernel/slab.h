/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the kernel's trees ask of the kernel, for one thread: slabs, and RCU's later.
 */
#ifndef KERNEL_PEERS_SLAB_H
#define KERNEL_PEERS_SLAB_H

#include <stdint.h>

/* Whose bytes are counted: set before a map asks for objects or gives them back. */
extern uint64_t *slab_account;

/** rcu_drain() - An update is over: do what call_rcu() was asked for. */
void rcu_drain(void);

#endif
