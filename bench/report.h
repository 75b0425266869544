/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Figures of the rounds, the two tables of each set made of them (structures; bars), and the same as JSON.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "series.h"

struct report_config {
	uint64_t seed;
	unsigned int rounds;
	bool quick;
	const char *json; /* file name, or NULL */
};

/** report_begin() - Print the machine and the configuration. */
void report_begin(const struct report_config *cfg);

/** report_set() - Print the rows of the set before; from here on, they are of the set @fmt. */
__attribute__((format(printf, 1, 2))) void report_set(const char *fmt, ...);

/** report_note() - A line of text for the set. */
__attribute__((format(printf, 1, 2))) void report_note(const char *fmt, ...);

/**
 * report_structure() - A row of the first table: @ns of @op on @name.
 * @bytes:        Of memory per run, or 0.
 * @absl, @limit: What it is compared to, or NULL.
 */
void report_structure(const char *op, const char *name, const struct series *ns, double bytes,
		      const struct series *absl, const struct series *limit);

enum sense { AT_LEAST, AT_MOST, NO_BAR };

/** report_ratio() - A row of the second table: median of @over by median of @under. */
void report_ratio(const char *what, enum sense sense, double bar, const struct series *over,
		  const struct series *under);

/** report_series() - The same of one series, its median times @scale. */
void report_series(const char *what, enum sense sense, double bar, const struct series *s,
		   double scale, const char *unit);

/** report_figure() - The same of a figure without rounds. */
void report_figure(const char *what, enum sense sense, double bar, double figure, bool right,
		   const char *unit);

/** report_end() - Print what is left and the count of bars, write the JSON. Return: number of rows whose check failed. */
unsigned int report_end(void);

#endif
