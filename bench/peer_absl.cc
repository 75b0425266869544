/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: an interval map on absl::btree_map; and the bare map first key -> value.
 */
#include "interval_map.h"

#include <absl/container/btree_map.h>

using Absl = IntervalMap<absl::btree_map>;

namespace
{

using Bare = CountedMap<absl::btree_map, uint64_t>;

uint64_t lookups_bare(const void *map, const uint64_t *keys, size_t n)
{
	const auto &tree = static_cast<const Bare *>(map)->tree;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		auto at = std::prev(tree.upper_bound(keys[i]));
		sum += bare_sum(at->first, at->second, keys[i]);
	}
	return sum;
}

void *build_bare(const lindex_run *runs, size_t n)
{
	auto *map = new Bare;

	for (size_t i = 0; i < n; i++)
		map->tree.insert(map->tree.end(), { runs[i].first, runs[i].value });
	return map;
}

void destroy_bare(void *map)
{
	delete static_cast<Bare *>(map);
}

uint64_t bytes_bare(const void *map)
{
	return sizeof(Bare) + static_cast<const Bare *>(map)->bytes;
}

} // namespace

const peer_ops peer_absl = {
	.name = "absl",
	.about = "absl::btree_map, first -> {last, value, tag, step}",
	.bare = false,
	.single_key = false,
	.refuses = nullptr,
	.build = Absl::build,
	.free = Absl::destroy,
	.lookups = Absl::lookups,
	.batch = nullptr,
	.chain = Absl::chain,
	.lookup = Absl::lookup,
	.overwrite = Absl::overwrite,
	.remove = Absl::remove,
	.bytes = Absl::bytes,
};

const peer_ops peer_absl_bare = {
	.name = "absl (bare)",
	.about = "absl::btree_map, first -> value",
	.bare = true,
	.single_key = false,
	.refuses = nullptr,
	.build = build_bare,
	.free = destroy_bare,
	.lookups = lookups_bare,
	.batch = nullptr,
	.chain = nullptr,
	.lookup = nullptr,
	.overwrite = nullptr,
	.remove = nullptr,
	.bytes = bytes_bare,
};
