/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
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
		if (w->quiet)
			CHECK(freopen("/dev/null", "w", stderr), "/dev/null");
		w->work(w->ctx, current);
		exit(0);
	}
	return pid;
}

static void tell_death(const struct workers *w, const char *id, int status)
{
	char text[WORKERS_ID_BYTES + 60];
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig == SIGPROF)
		snprintf(text, sizeof(text), "%s: hangs", id);
	else if (sig)
		snprintf(text, sizeof(text), "%s: died of signal %d; stderr may say why", id, sig);
	else
		snprintf(text, sizeof(text), "%s: ended with status %d", id, WEXITSTATUS(status));
	if (!w->quiet)
		printf("%s\n", text);
	if (w->first && !w->first[0])
		memcpy(w->first, text, sizeof(text));
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
		tell_death(w, current[i], status);
		if (++deaths < w->most_deaths) {
			pids[i] = start(w, current[i]);
			running++;
		}
	}
	munmap(current, sizeof(*current) * WORKERS_MAX);
	return deaths;
}

void workers_watch(unsigned int seconds)
{
	struct itimerval timer = { .it_value.tv_sec = seconds };

	CHECK(!setitimer(ITIMER_PROF, &timer, NULL), "setitimer");
}
