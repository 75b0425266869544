/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Peer: an interval map on absl::btree_map, first key -> {last, value, tag, step}; and the bare map
 * first key -> value. Bytes are those asked of the allocator, without malloc's own.
 */
#include "peer.h"

#include <absl/container/btree_map.h>

#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

namespace
{

template <class T> struct Counting {
	using value_type = T;
	uint64_t *bytes;

	explicit Counting(uint64_t *counter) : bytes(counter) {}
	template <class U> Counting(const Counting<U> &other) : bytes(other.bytes) {}
	T *allocate(size_t n)
	{
		*bytes += n * sizeof(T);
		return std::allocator<T>().allocate(n);
	}
	void deallocate(T *p, size_t n)
	{
		*bytes -= n * sizeof(T);
		std::allocator<T>().deallocate(p, n);
	}
	bool operator==(const Counting &other) const { return bytes == other.bytes; }
	bool operator!=(const Counting &other) const { return bytes != other.bytes; }
};

template <class Value> struct Map {
	using Alloc = Counting<std::pair<const uint64_t, Value>>;
	using Tree = absl::btree_map<uint64_t, Value, std::less<uint64_t>, Alloc>;
	uint64_t bytes = 0;
	Tree tree{ std::less<uint64_t>(), Alloc(&bytes) };
};
using Extents = Map<extent>;
using Bare = Map<uint64_t>;
using Place = Extents::Tree::iterator;

/* ---- Lookup -------------------------------------------------------------------------------- */

inline lindex_run find(const Extents::Tree &tree, uint64_t key)
{
	auto after = tree.upper_bound(key);
	uint64_t hole = 0;

	if (after != tree.begin()) {
		auto at = std::prev(after);
		if (at->second.last >= key)
			return extent_run(at->first, &at->second);
		hole = at->second.last + 1;
	}
	return hole_run(hole, after == tree.end() ? std::numeric_limits<uint64_t>::max() :
						    after->first - 1);
}

uint64_t lookups(const void *map, const uint64_t *keys, size_t n)
{
	const auto &tree = static_cast<const Extents *>(map)->tree;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		lindex_run run = find(tree, keys[i]);
		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

uint64_t chain(const void *map, const uint64_t *keys, size_t n)
{
	const auto &tree = static_cast<const Extents *>(map)->tree;
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t key = chain_next(keys[i], value);
		lindex_run run = find(tree, key);
		value = lindex_value(&run, key);
		sum += answer_sum(&run, key);
	}
	return sum;
}

void lookup(const void *map, uint64_t key, lindex_run *run)
{
	*run = find(static_cast<const Extents *>(map)->tree, key);
}

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

/* ---- Change -------------------------------------------------------------------------------- */

/* What is left of the extent at @first behind @key. */
extent rest_of(uint64_t first, const extent &e, uint64_t key)
{
	return { e.last, e.value + (e.step ? key - first : 0), e.tag, e.step };
}

bool continues(uint64_t first, const extent &e, uint64_t next, const extent &f)
{
	return e.last + 1 == next && e.tag == f.tag && e.step == f.step &&
	       e.value + (e.step ? next - first : 0) == f.value;
}

/*
 * Clear [first, last], which cuts at most one extent on either side. Return: the place behind it.
 * An extent that begins at @first stays, for its slot to be used again.
 */
Place clear(Extents::Tree &tree, uint64_t first, uint64_t last)
{
	Place after = tree.upper_bound(first), end;
	bool cut = false;
	extent rest = {};

	if (after != tree.begin()) {
		Place at = std::prev(after);
		if (at->second.last > last) {
			cut = true;
			rest = rest_of(at->first, at->second, last + 1);
		}
		if (at->first < first && at->second.last >= first)
			at->second.last = first - 1;
	}
	for (end = after; end != tree.end() && end->first <= last; ++end)
		if (end->second.last > last) {
			cut = true;
			rest = rest_of(end->first, end->second, last + 1);
		}
	if (after != end)
		end = tree.erase(after, end);
	return cut ? tree.insert(end, { last + 1, rest }) : end;
}

void overwrite(void *map, const lindex_run *run)
{
	auto &tree = static_cast<Extents *>(map)->tree;
	Place after = clear(tree, run->first, run->last);
	extent e = extent_of(run);

	if (after != tree.end() && continues(run->first, e, after->first, after->second)) {
		e.last = after->second.last;
		after = tree.erase(after);
	}
	if (after != tree.begin()) {
		Place at = std::prev(after);
		bool same = at->first == run->first;
		if (same && at != tree.begin() &&
		    continues(std::prev(at)->first, std::prev(at)->second, run->first, e)) {
			at = std::prev(tree.erase(at));
			at->second.last = e.last;
			return;
		}
		if (same) {
			at->second = e;
			return;
		}
		if (continues(at->first, at->second, run->first, e)) {
			at->second.last = e.last;
			return;
		}
	}
	tree.insert(after, { run->first, e });
}

/* ---- Life ---------------------------------------------------------------------------------- */

void *build(const lindex_run *runs, size_t n)
{
	auto *map = new Extents;

	for (size_t i = 0; i < n; i++)
		map->tree.insert(map->tree.end(), { runs[i].first, extent_of(&runs[i]) });
	return map;
}

void *build_bare(const lindex_run *runs, size_t n)
{
	auto *map = new Bare;

	for (size_t i = 0; i < n; i++)
		map->tree.insert(map->tree.end(), { runs[i].first, runs[i].value });
	return map;
}

template <class M> void destroy(void *map)
{
	delete static_cast<M *>(map);
}

template <class M> uint64_t bytes(const void *map)
{
	return sizeof(M) + static_cast<const M *>(map)->bytes;
}

} // namespace

const peer_ops peer_absl = {
	.name = "absl",
	.bare = false,
	.build = build,
	.free = destroy<Extents>,
	.lookups = lookups,
	.chain = chain,
	.lookup = lookup,
	.overwrite = overwrite,
	.bytes = bytes<Extents>,
};

const peer_ops peer_absl_bare = {
	.name = "absl (bare)",
	.bare = true,
	.build = build_bare,
	.free = destroy<Bare>,
	.lookups = lookups_bare,
	.chain = nullptr,
	.lookup = nullptr,
	.overwrite = nullptr,
	.bytes = bytes<Bare>,
};
