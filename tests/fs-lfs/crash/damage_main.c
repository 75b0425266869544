/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lfs-damage: damaged images. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "damage.h"
#include "workers.h"

static void show_counts(const struct damage_counts *c)
{
	printf("%" PRIu64 " trials, %" PRIu64 " lost: %" PRIu64 " found by a scrub, %" PRIu64
	       " not: what they hit was not in use\n",
	       c->trials, c->lost, c->found, c->harmless);
	printf("mounts refused %" PRIu64 ", with errors %" PRIu64 ", earlier trees %" PRIu64
	       "; kept twice and healed %" PRIu64 "\nby what was hit (and not found):",
	       c->refused, c->errors, c->earlier, c->healed);
	for (unsigned int i = 0; i < ANATOMY_COUNT; i++)
		if (c->by_kind[i])
			printf(" %s %" PRIu64 " (%" PRIu64 ")", anatomy_names[i], c->by_kind[i],
			       c->unfound[i]);
	printf("\nby damage:");
	for (unsigned int i = 0; i < DAMAGE_COUNT; i++)
		printf(" %s %" PRIu64, damage_names[i], c->by_damage[i]);
	printf("\n");
}

static int usage(FILE *to)
{
	fprintf(to, "usage: lfs-damage [--trials N] [--jobs N]\n"
		    "       lfs-damage --replay N [--save FILE]\n"
		    "Damages images in every way that disks know, and demands that it is found, "
		    "never served.\n"
		    "  --trials N  default 4000\n"
		    "  --replay N  one trial again, with what happens\n"
		    "LINDEX_SEED=n other random choices\n");
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "trials", required_argument, NULL, 't' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "replay", required_argument, NULL, 'r' },
		{ "save", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, jobs = (int)sysconf(_SC_NPROCESSORS_ONLN), rc;
	uint64_t trials = 4000, number = 0;
	struct damage_counts *counts;
	const char *save = NULL;
	bool replay = false;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 't' && sscanf(optarg, "%" SCNu64, &trials) == 1)
			continue;
		if (c == 'j' && sscanf(optarg, "%d", &jobs) == 1)
			continue;
		if (c == 's') {
			save = optarg;
			continue;
		}
		if (c == 'r' && sscanf(optarg, "%" SCNu64, &number) == 1)
			replay = true;
		else
			return usage(c == 'h' ? stdout : stderr);
	}
	if (optind < argc || jobs < 1 || jobs > WORKERS_MAX)
		return usage(stderr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (replay)
		return damage_replay(number, save) ? 0 : 1;
	counts = damage_run(trials, jobs, false);
	show_counts(counts);
	rc = counts->lost ? 1 : 0;
	damage_free(counts);
	return rc;
}
