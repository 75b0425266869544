/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What changed its name or its form since Linux 6.1, in terms of what it is now. The one place for that, but for an
 * include in ../lindex/port.h.
 */
#ifndef LINDEX_COMPAT_H
#define LINDEX_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#include <linux/fs.h>
#define BLK_OPEN_READ FMODE_READ
#endif

#endif
