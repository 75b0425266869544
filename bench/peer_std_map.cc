/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: an interval map on std::map, a red-black tree with one node per run.
 */
#include "interval_map.h"

#include <map>

using Std = IntervalMap<std::map>;

const peer_ops peer_std_map = {
	.name = "std::map",
	.about = "red-black tree, first -> {last, value, tag, step}",
	.bare = false,
	.single_key = false,
	.refuses = nullptr,
	.build = Std::build,
	.free = Std::destroy,
	.lookups = Std::lookups,
	.batch = nullptr,
	.chain = Std::chain,
	.lookup = Std::lookup,
	.overwrite = Std::overwrite,
	.remove = Std::remove,
	.bytes = Std::bytes,
};
