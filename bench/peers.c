/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table of peers.
 */
#include <string.h>

#include "peer.h"

static const struct peer_ops *const own[] = {
	&peer_lindex,    &peer_lindex_no_simd, &peer_lindex_huge,   &peer_absl,
	&peer_absl_bare, &peer_std_map,        &peer_judy,          &peer_judy_bare,
	&peer_array,     &peer_stree,          &peer_stree_no_simd, &peer_stree_huge,
	&peer_bptree,    &peer_bptree_no_simd, &peer_radix4,        &peer_radix5,
	&peer_radix64,   &peer_extents,
};
#define OWN  (sizeof(own) / sizeof(own[0]))
#define ROOM (OWN + PEER_KERNEL_MOST)

const struct peer_ops *const *peer_all(size_t *n)
{
	static const struct peer_ops *all[ROOM];
	static size_t count;

	if (!count) {
		memcpy(all, own, sizeof(own));
		count = OWN + peer_kernel(all + OWN);
	}
	*n = count;
	return all;
}

const struct peer_ops *peer_named(const char *name)
{
	const struct peer_ops *const *all;
	size_t n;

	all = peer_all(&n);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}
