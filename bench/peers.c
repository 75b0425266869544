/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The table of peers.
 */
#include <string.h>

#include "peer.h"

static const struct peer_ops *const peers[] = {
	&peer_lindex,  &peer_lindex_no_simd, &peer_lindex_huge, &peer_absl,    &peer_absl_bare,
	&peer_std_map, &peer_judy,           &peer_judy_bare,   &peer_array,   &peer_bptree,
	&peer_stree,   &peer_radix4,         &peer_radix5,      &peer_radix64, &peer_extents,
};
#define PEERS (sizeof(peers) / sizeof(peers[0]))

const struct peer_ops *const *peer_all(size_t *n)
{
	*n = PEERS;
	return peers;
}

const struct peer_ops *peer_named(const char *name)
{
	for (size_t i = 0; i < PEERS; i++)
		if (!strcmp(peers[i]->name, name))
			return peers[i];
	return NULL;
}
