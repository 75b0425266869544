/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Clocks, and what they said in each round.
 */
#ifndef BENCH_SERIES_H
#define BENCH_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#define ROUNDS_MAX 64u

/**
 * struct series - One figure per round.
 * @wrong:   An answer of it was not the twin's.
 */
struct series {
	double at[ROUNDS_MAX];
	unsigned int n;
	bool wrong;
};

struct interval {
	double lo, hi;
};

void series_add(struct series *s, double figure, bool right);
double series_median(const struct series *s);

/**
 * series_interval() - Where the true median is with 95 % confidence, whatever the distribution: two of
 * the figures in order. From fewer than 6 rounds it cannot be said; then least and greatest.
 */
struct interval series_interval(const struct series *s);

/** series_ratio() - Round by round. */
void series_ratio(const struct series *over, const struct series *under, struct series *ratio);

/** series_spread() - Greatest minus least, as part of the median. */
double series_spread(const struct series *s);

/** now_ns() - Monotonic clock: for single updates, and where two threads run. */
uint64_t now_ns(void);

/**
 * cpu_ns() - Processor time of this thread, for loops that neither wait nor sleep: what others do on
 * the machine costs cache and memory bandwidth still, but not the time slices that they take.
 */
uint64_t cpu_ns(void);

#endif
