/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Work in several processes: what crashes or hangs costs one item, and has a name. */
#ifndef CRASH_WORKERS_H
#define CRASH_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#define WORKERS_MAX      64
#define WORKERS_ID_BYTES 96u

/**
 * struct workers - What to do.
 * @work:     In each process: take items until none is left. Keep the id of the item under work in @current, and call
 *            workers_watch() for each.
 * @progress: In the parent, now and then; may be NULL.
 * @most_deaths: After so many, no process takes a dead one's place.
 * @quiet:    Do not print deaths; stderr of the processes is thrown away.
 * @first:    NULL, or where to say what died, if nothing is there (WORKERS_ID_BYTES + 60).
 */
struct workers {
	int jobs;
	uint64_t most_deaths;
	bool quiet;
	char *first;
	void (*work)(void *ctx, char *current);
	void (*progress)(void *ctx);
	void *ctx;
};

/** workers_run() - Return: how many died; each has been told on stdout, as "id: what". */
uint64_t workers_run(const struct workers *w);

/** workers_watch() - What needs more than @seconds of the processor from now on, hangs (other load does not count). */
void workers_watch(unsigned int seconds);

#endif
