/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bars.h"

#include "gbench.h"

static double loop_run(void *state)
{
	struct loop *loop = state;
	uint64_t (*lookups)(const void *, const uint64_t *,
			    size_t) = loop->chain ? loop->ops->chain : loop->ops->lookups;
	uint64_t start, sum, ns;

	sum = lookups(loop->map, loop->keys + loop->n, loop_warm(loop->n));
	__asm__ volatile("" : : "r"(sum));
	start = cpu_ns();
	sum = lookups(loop->map, loop->keys, loop->n);
	ns = cpu_ns() - start;
	series_add(&loop->ns, (double)ns / (double)loop->n, sum == loop->want);
	return (double)ns * 1e-9;
}

void loop_add(struct loop *loop, const char *op)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/%s", op, loop->ops->name);
	gbench_add(name, loop_run, loop);
}

void loop_check(struct loop *loop, const struct runs *runs)
{
	struct lindex_run want, got;

	for (size_t i = 0; loop->ops->lookup && i < loop->n; i++) {
		runs_lookup(runs, loop->keys[i], &want);
		loop->ops->lookup(loop->map, loop->keys[i], &got);
		loop->ns.wrong |= !run_equal(&want, &got);
	}
}

uint64_t twin_sum(const struct runs *runs, const struct loop *loop)
{
	struct lindex_run run;
	uint64_t sum = 0, value = 0;

	for (size_t i = 0; i < loop->n; i++) {
		uint64_t key = loop->keys[i];

		if (loop->chain)
			key = chain_next(key, value);
		runs_lookup(runs, key, &run);
		value = lindex_value(&run, key);
		sum += loop->ops->bare ? bare_sum(run.first, run.value, key) :
					 answer_sum(&run, key);
	}
	return sum;
}

bool peer_same(const struct peer_ops *ops, const void *map, const struct runs *runs)
{
	struct lindex_run got, hole;
	uint64_t next = 0; /* behind the run before */
	bool end = false, same = true;

	for (size_t i = 0; i < runs->n; i++) {
		const struct lindex_run *run = &runs->at[i];

		ops->lookup(map, run->first, &got);
		same &= run_equal(run, &got);
		if (next < run->first) {
			hole = hole_run(next, run->first - 1);
			ops->lookup(map, next, &got);
			same &= run_equal(&hole, &got);
		}
		next = run->last + 1;
		end = run->last == UINT64_MAX;
	}
	if (!end) {
		hole = hole_run(next, UINT64_MAX);
		ops->lookup(map, next, &got);
		same &= run_equal(&hole, &got);
	}
	return same;
}

void bars_rounds(unsigned int rounds)
{
	for (unsigned int i = 0; i < rounds; i++) {
		fprintf(stderr, "\rround %u of %u ", i + 1, rounds);
		gbench_round();
	}
	fprintf(stderr, "\n");
	gbench_clear();
}
