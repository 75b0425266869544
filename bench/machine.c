/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "machine.h"

#include <stdio.h>
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

static void find_commit(char *text)
{
	FILE *git = popen("git describe --always --dirty --abbrev=12 2>/dev/null", "r");

	find_line(git, "", text);
	if (git)
		pclose(git);
}

void machine_look(struct machine *m)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN), cache = sysconf(_SC_LEVEL3_CACHE_SIZE);

	find_commit(m->commit);
	find_line_in("/proc/cpuinfo", "model name", m->cpu);
	find_line_in("/sys/kernel/mm/transparent_hugepage/enabled", "", m->pages);
	m->cores = cores > 0 ? (unsigned int)cores : 1;
	m->cache_bytes = cache > 0 ? (uint64_t)cache : 0;
}
