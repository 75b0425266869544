/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An interval map on any ordered map of C++, first key -> {last, value, tag, step}, whose updates
 * return iterators that are still good. Runs stay maximal, as lindex keeps them. Bytes are those
 * asked of the allocator, without malloc's own.
 */
#ifndef BENCH_INTERVAL_MAP_H
#define BENCH_INTERVAL_MAP_H

#include "peer.h"

#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

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

/** CountedMap - @Ordered from 64-bit keys to @Value, and the bytes that it holds. */
template <template <class, class, class, class> class Ordered, class Value> struct CountedMap {
	using Alloc = Counting<std::pair<const uint64_t, Value>>;
	using Tree = Ordered<uint64_t, Value, std::less<uint64_t>, Alloc>;
	uint64_t bytes = 0;
	Tree tree{ std::less<uint64_t>(), Alloc(&bytes) };
};

/** IntervalMap - What struct peer_ops wants, as static functions. */
template <template <class, class, class, class> class Ordered> class IntervalMap
{
	using Map = CountedMap<Ordered, extent>;
	using Tree = typename Map::Tree;
	using Place = typename Tree::iterator;

	static inline lindex_run find(const Tree &tree, uint64_t key)
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

	/*
	 * Clear [first, last], which cuts at most one extent on either side. Return: the place behind it.
	 * An extent that begins at @first stays, for its slot to be used again.
	 */
	static Place clear(Tree &tree, uint64_t first, uint64_t last)
	{
		Place after = tree.upper_bound(first), end;
		bool cut = false;
		extent rest = {};

		if (after != tree.begin()) {
			Place at = std::prev(after);
			if (at->second.last > last) {
				cut = true;
				rest = extent_rest(at->first, &at->second, last + 1);
			}
			if (at->first < first && at->second.last >= first)
				at->second.last = first - 1;
		}
		for (end = after; end != tree.end() && end->first <= last; ++end)
			if (end->second.last > last) {
				cut = true;
				rest = extent_rest(end->first, &end->second, last + 1);
			}
		if (after != end)
			end = tree.erase(after, end);
		return cut ? tree.insert(end, { last + 1, rest }) : end;
	}

      public:
	static uint64_t lookups(const void *map, const uint64_t *keys, size_t n)
	{
		const auto &tree = static_cast<const Map *>(map)->tree;
		uint64_t sum = 0;

		for (size_t i = 0; i < n; i++) {
			lindex_run run = find(tree, keys[i]);
			sum += answer_sum(&run, keys[i]);
		}
		return sum;
	}

	static uint64_t chain(const void *map, const uint64_t *keys, size_t n)
	{
		const auto &tree = static_cast<const Map *>(map)->tree;
		uint64_t sum = 0, value = 0;

		for (size_t i = 0; i < n; i++) {
			uint64_t key = chain_next(keys[i], value);
			lindex_run run = find(tree, key);
			value = lindex_value(&run, key);
			sum += answer_sum(&run, key);
		}
		return sum;
	}

	static void lookup(const void *map, uint64_t key, lindex_run *run)
	{
		*run = find(static_cast<const Map *>(map)->tree, key);
	}

	static void overwrite(void *map, const lindex_run *run)
	{
		auto &tree = static_cast<Map *>(map)->tree;
		Place after = clear(tree, run->first, run->last);
		extent e = extent_of(run);

		if (after != tree.end() &&
		    extent_continues(run->first, &e, after->first, &after->second)) {
			e.last = after->second.last;
			after = tree.erase(after);
		}
		if (after != tree.begin()) {
			Place at = std::prev(after);
			bool same = at->first == run->first;
			if (same && at != tree.begin() &&
			    extent_continues(std::prev(at)->first, &std::prev(at)->second,
					     run->first, &e)) {
				at = std::prev(tree.erase(at));
				at->second.last = e.last;
				return;
			}
			if (same) {
				at->second = e;
				return;
			}
			if (extent_continues(at->first, &at->second, run->first, &e)) {
				at->second.last = e.last;
				return;
			}
		}
		tree.insert(after, { run->first, e });
	}

	static void remove(void *map, uint64_t first, uint64_t last)
	{
		auto &tree = static_cast<Map *>(map)->tree;
		Place after = clear(tree, first, last);

		if (after != tree.begin() && std::prev(after)->first == first)
			tree.erase(std::prev(after));
	}

	static void *build(const lindex_run *runs, size_t n)
	{
		auto *map = new Map;

		for (size_t i = 0; i < n; i++)
			map->tree.insert(map->tree.end(), { runs[i].first, extent_of(&runs[i]) });
		return map;
	}

	static void destroy(void *map) { delete static_cast<Map *>(map); }

	static uint64_t bytes(const void *map)
	{
		return sizeof(Map) + static_cast<const Map *>(map)->bytes;
	}
};

#endif
