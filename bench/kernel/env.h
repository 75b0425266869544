/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the kernel's sources want to find before their first line, and its headers for tests lack.
 */
#ifndef KERNEL_PEERS_ENV_H
#define KERNEL_PEERS_ENV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>

#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif
#define lockdep_is_held(lock) 1

#endif
