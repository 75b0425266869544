/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static pid_t start(const struct workers *w, char *current)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		w->work(w->ctx, current);
		exit(0);
	}
	return pid;
}

static void tell_death(const char *id, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("%s: hangs\n", id);
	else if (WIFSIGNALED(status))
		printf("%s: died of signal %d (%s); stderr may say why\n", id, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else
		printf("%s: ended with status %d; stderr may say why\n", id, WEXITSTATUS(status));
}

uint64_t workers_run(const struct workers *w)
{
	char(*current)[WORKERS_ID_BYTES] = mmap(NULL, sizeof(*current) * WORKERS_MAX,
						PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
						-1, 0);
	pid_t pids[WORKERS_MAX];
	uint64_t deaths = 0;
	int running = w->jobs;

	CHECK(current != MAP_FAILED, "mmap");
	for (int i = 0; i < w->jobs; i++)
		pids[i] = start(w, current[i]);
	while (running) {
		int status, i = 0;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (w->progress)
			w->progress(w->ctx);
		if (!pid) {
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
			continue;
		}
		while (i < w->jobs && pids[i] != pid)
			i++;
		CHECK(i < w->jobs, "another's child");
		running--;
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			continue;
		tell_death(current[i], status);
		if (++deaths < w->most_deaths) {
			pids[i] = start(w, current[i]);
			running++;
		}
	}
	munmap(current, sizeof(*current) * WORKERS_MAX);
	return deaths;
}
