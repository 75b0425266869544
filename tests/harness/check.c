/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local const char *step_of = "-";
static _Thread_local uint64_t step_now;

uint64_t harness_seed(void)
{
	const char *text = getenv("LINDEX_SEED");

	return text && *text ? strtoull(text, NULL, 0) : 20240229;
}

bool harness_long(void)
{
	const char *text = getenv("LINDEX_LONG");

	return text && *text && *text != '0';
}

uint64_t harness_longer(uint64_t n)
{
	return harness_long() ? 20 * n : n;
}

void harness_step(const char *what, uint64_t step)
{
	step_of = what;
	step_now = step;
}

void harness_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list args;

	/* One write per line would be nicer; stderr of one failing test is enough. */
	fprintf(stderr, "%s:%d: LINDEX_SEED=%" PRIu64 "%s, %s step %" PRIu64 ": not (%s): ", file,
		line, harness_seed(), harness_long() ? " LINDEX_LONG=1" : "", step_of, step_now,
		cond);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
	abort();
}
