/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Words for people: complaints, numbers, progress. Every command of the project says it with these.
 */
#ifndef LINDEX_TOOL_SAY_H
#define LINDEX_TOOL_SAY_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses, where a command has no other use for them: the answer is no; the work could not be done. */
#define STATUS_NO    1
#define STATUS_WRONG 2

extern const char *const tool_name; /* each command defines it */

/* One line on stderr, after the command's name. Returns STATUS_WRONG, so that callers can return it. */
__attribute__((format(printf, 1, 2))) int complain(const char *fmt, ...);

int no_memory(void);

/* 1234567 as "1,234,567", for printf("%s", grouped(n).text). */
struct grouped {
	char text[28];
};
struct grouped grouped(uint64_t n);

double seconds_now(void);

/* A line on the terminal that counts, for work that may take seconds. Silent elsewhere. Zero is one, too. */
struct progress {
	char what[64];
	double shown;
	bool visible;
};
void progress_begin(struct progress *p, const char *what);
void progress_at(struct progress *p, uint64_t n);
void progress_end(struct progress *p);

/* Is it time for news? Then the line is empty, and what the caller prints on stderr will be taken away by the next. */
bool progress_is_due(struct progress *p);

#endif /* LINDEX_TOOL_SAY_H */
