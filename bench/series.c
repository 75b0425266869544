/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void series_add(struct series *s, double figure, bool right)
{
	if (s->n < ROUNDS_MAX)
		s->at[s->n++] = figure;
	s->wrong |= !right;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void sort(const struct series *s, double sorted[ROUNDS_MAX])
{
	memcpy(sorted, s->at, s->n * sizeof(sorted[0]));
	qsort(sorted, s->n, sizeof(sorted[0]), compare);
}

double series_median(const struct series *s)
{
	double sorted[ROUNDS_MAX];

	if (!s->n)
		return 0;
	sort(s, sorted);
	return (sorted[(s->n - 1) / 2] + sorted[s->n / 2]) / 2;
}

/* How many of n rounds may be cut off at each end: the sum of binomial(n, 0..k-1) stays below 2.5 %. */
static unsigned int cut(unsigned int n)
{
	double term = pow(0.5, n), sum = term;
	unsigned int k = 0;

	while (sum <= 0.025) {
		k++;
		term *= (double)(n - k + 1) / k;
		sum += term;
	}
	return k;
}

struct interval series_interval(const struct series *s)
{
	double sorted[ROUNDS_MAX];
	unsigned int k;

	if (!s->n)
		return (struct interval){ 0, 0 };
	sort(s, sorted);
	k = cut(s->n);
	k = k ? k - 1 : 0;
	return (struct interval){ sorted[k], sorted[s->n - 1 - k] };
}

void series_ratio(const struct series *over, const struct series *under, struct series *ratio)
{
	*ratio = (struct series){ .wrong = over->wrong || under->wrong };
	for (unsigned int i = 0; i < over->n && i < under->n; i++)
		if (under->at[i] > 0)
			series_add(ratio, over->at[i] / under->at[i], true);
}

double series_spread(const struct series *s)
{
	double sorted[ROUNDS_MAX], median = series_median(s);

	if (s->n < 2 || !(median > 0))
		return 0;
	sort(s, sorted);
	return (sorted[s->n - 1] - sorted[0]) / median;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
