/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The engine has no threads: this one calls lfs_tick() as often as it asks for, and says whether anybody is there.
 */
#include "server.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define LONGEST_MS 1000 /* near_full.c wants to be asked now and then */
#define RETRY_MS   500  /* after an error, which the engine has logged */

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static bool stopping;

/* false: it is time to stop. */
static bool sleep_ms(int ms)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	while (!stopping && ms && pthread_cond_timedwait(&wake, &lock, &until) != ETIMEDOUT)
		;
	go_on = !stopping;
	pthread_mutex_unlock(&lock);
	return go_on;
}

static void *tick(void *arg)
{
	struct server *server = arg;
	unsigned long seen = 0;
	int ms = 0;

	while (sleep_ms(ms)) {
		unsigned long requests = atomic_load_explicit(&server->requests,
							      memory_order_relaxed);

		ms = lfs_tick(server->fs, requests == seen);
		seen = requests;
		if (ms < 0)
			ms = RETRY_MS;
		if (ms > LONGEST_MS)
			ms = LONGEST_MS;
		near_full_tick(server);
	}
	return NULL;
}

int ticker_start(struct server *server)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wake, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&thread, NULL, tick, server);
}

void ticker_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
}
