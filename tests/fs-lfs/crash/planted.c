/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lfs-planted: the explorer and the damage trials against an engine with one planted bug at a time. Each has to be
 * found, or what finds nothing in the sound engine proves nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "damage.h"
#include "explore.h"
#include "plant.h"

#define STATES       20000u /* at most, for each bug */
#define TRIALS       2000u
#define STATES_SOUND 4000u /* without one */
#define TRIALS_SOUND 2000u

static const char *const names[] = {
#define X(name) #name,
	"none", LFS_PLANT_LIST(X)
#undef X
};
#define PLANTS (sizeof(names) / sizeof(names[0]))

static bool found_by_crashes(const char *name, uint64_t states, int jobs)
{
	struct explore_options opt = {
		.plan = { .seed = harness_seed(), .limit = states, .most = 100, .nested = 8 },
		.jobs = jobs,
		.kind = -1,
		.stop = true,
		.quiet = true,
	};
	struct explore_result *r = explore(&opt);
	bool found = r->counts.lost;

	if (found)
		printf("%-28s %7" PRIu64 " states  %.120s\n", name, (uint64_t)r->counts.states,
		       r->first);
	explore_free(r);
	return found;
}

static bool found_by_damage(const char *name, uint64_t trials, int jobs)
{
	struct damage_counts *c = damage_run(trials, jobs, true);
	bool found = c->lost;

	if (found)
		printf("%-28s %7" PRIu64 " trials  %.120s\n", name, (uint64_t)c->trials, c->first);
	damage_free(c);
	return found;
}

int main(int argc, char **argv)
{
	int jobs = (int)sysconf(_SC_NPROCESSORS_ONLN), missed = 0, n = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2) {
		fprintf(stderr, "usage: lfs-planted [NAME]\n");
		return 2;
	}
	for (size_t i = 0; i < PLANTS; i++) {
		if (argc == 2 && strcmp(argv[1], names[i]) != 0)
			continue;
		lfs_plant_now = (enum lfs_plant)i;
		if (!i) { /* or they would be found for another reason */
			if (found_by_damage("no bug", TRIALS_SOUND, jobs) ||
			    found_by_crashes("no bug", STATES_SOUND, jobs))
				return 1;
			continue;
		}
		n++;
		if (found_by_crashes(names[i], STATES, jobs) ||
		    found_by_damage(names[i], TRIALS, jobs))
			continue;
		printf("%-28s NOT FOUND\n", names[i]);
		missed++;
	}
	printf("%d planted bugs, %d not found\n", n, missed);
	return missed || !n;
}
