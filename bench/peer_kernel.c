/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peers of the Linux kernel, where kernel_peers.sh has built them.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "peer.h"

static const char *const symbols[PEER_KERNEL_MOST] = { "peer_maple", "peer_xarray" };

size_t peer_kernel(const struct peer_ops **out)
{
	const char *path = getenv("LINDEX_KERNEL_PEERS");
	void *library = dlopen(path ? path : PEER_KERNEL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	size_t n = 0;

	for (unsigned int i = 0; library && i < PEER_KERNEL_MOST; i++) {
		out[n] = dlsym(library, symbols[i]);
		n += out[n] != NULL;
	}
	return n;
}
