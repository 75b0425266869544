/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a model test says when it fails: one line with the seed and the step that replay it.
 *
 *     LINDEX_SEED=n   seed of every random choice (default: fixed, so that a plain run is repeatable)
 *     LINDEX_LONG=1   the long form of a test
 *
 * Used by suites, fuzzers and threads alike, so it knows nothing of the test framework: a failed
 * CHECK prints and aborts, which every runner counts as a failure.
 */
#ifndef HARNESS_CHECK_H
#define HARNESS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

uint64_t harness_seed(void);
bool harness_long(void);

/** harness_longer() - @n steps, or twenty times as many in the long form. */
uint64_t harness_longer(uint64_t n);

/** harness_step() - From here on, a failure of this thread is reported as of @step of @what. */
void harness_step(const char *what, uint64_t step);

__attribute__((noreturn, format(printf, 4, 5))) void harness_fail(const char *file, int line,
								  const char *cond, const char *fmt,
								  ...);

/** CHECK() - @cond must hold; further arguments are a printf format that says what was seen. */
#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			harness_fail(__FILE__, __LINE__, #cond, __VA_ARGS__);                      \
	} while (0)

#endif
