/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Text after the first ": " (or all of it) of the first line of @in that holds @word. */
static void find_line(FILE *in, const char *word, char *text)
{
	char line[1024];

	snprintf(text, MACHINE_TEXT, "unknown");
	while (in && fgets(line, sizeof(line), in)) {
		const char *at = strstr(line, ": ");

		if (!strstr(line, word))
			continue;
		at = at ? at + 2 : line;
		snprintf(text, MACHINE_TEXT, "%.*s", (int)strcspn(at, "\n"), at);
		return;
	}
}

static void find_line_in(const char *path, const char *word, char *text)
{
	FILE *in = fopen(path, "r");

	find_line(in, word, text);
	if (in)
		fclose(in);
}

uint64_t machine_free_bytes(void)
{
	char text[MACHINE_TEXT];

	find_line_in("/proc/meminfo", "MemAvailable", text);
	return strtoull(text, NULL, 10) * 1024;
}

void machine_look(struct machine *m)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN), cache = sysconf(_SC_LEVEL3_CACHE_SIZE);

	snprintf(m->commit, sizeof(m->commit), "%s", machine_commit);
	find_line_in("/proc/cpuinfo", "model name", m->cpu);
	find_line_in("/sys/kernel/mm/transparent_hugepage/enabled", "", m->pages);
	m->cores = cores > 0 ? (unsigned int)cores : 1;
	m->cache_bytes = cache > 0 ? (uint64_t)cache : 0;
}
