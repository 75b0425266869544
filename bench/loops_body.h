/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The loops of a peer over its own lookup, for inclusion, once for each way to compile them:
 *
 *     LOOP(name)       what to call them: lookups, chain, lookup
 *     LOOP_FIND        struct lindex_run f(const void *map, uint64_t key), inline
 *     LOOP_ATTRIBUTE   of the functions, or nothing
 */
LOOP_ATTRIBUTE static uint64_t LOOP(lookups)(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct lindex_run run = LOOP_FIND(map, keys[i]);

		sum += answer_sum(&run, keys[i]);
	}
	return sum;
}

LOOP_ATTRIBUTE static uint64_t LOOP(chain)(const void *map, const uint64_t *keys, size_t n)
{
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t key = chain_next(keys[i], value);
		struct lindex_run run = LOOP_FIND(map, key);

		value = lindex_value(&run, key);
		sum += answer_sum(&run, key);
	}
	return sum;
}

LOOP_ATTRIBUTE static void LOOP(lookup)(const void *map, uint64_t key, struct lindex_run *run)
{
	*run = LOOP_FIND(map, key);
}

#undef LOOP
#undef LOOP_FIND
#undef LOOP_ATTRIBUTE
