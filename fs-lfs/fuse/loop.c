/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The threads that read requests, each from a clone of the session's file: the kernel then keeps what each thread
 * is working on apart, and they do not contend for one queue lock.
 *
 * A request costs little next to the two sleeps around it: the server's until it comes, the caller's until the
 * reply. So a thread that has just replied looks for the next request a few more times (spin=, microseconds) before
 * it sleeps; only one thread at a time does so, and it gives way to anybody who wants the CPU.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HEADER_ROOM 4096u /* in front of the data of a WRITE */

struct worker {
	struct server *server;
	pthread_t thread;
	int fd, spin_fd; /* the same queue; reading the second never sleeps */
	char *message;
};

static struct worker *workers;
static unsigned worker_count;
static atomic_bool someone_spins, aborting;
static atomic_uint living;

static int clone_device(struct server *server, int flags)
{
	uint32_t session_fd = (uint32_t)fuse_session_fd(server->session);
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, FUSE_DEV_IOC_CLONE, &session_fd)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* A request that is there already, or comes within spin=. 0: none came. */
static ssize_t spin(struct worker *w)
{
	int64_t end;
	ssize_t n;

	if (!w->server->opt.spin_us || atomic_exchange(&someone_spins, true))
		return 0;
	end = now_ns() + (int64_t)w->server->opt.spin_us * 1000;
	do {
		n = read(w->spin_fd, w->message, MESSAGE_MAX + HEADER_ROOM);
		if (n >= 0 || errno != EAGAIN)
			break;
		sched_yield();
	} while (now_ns() < end);
	atomic_store(&someone_spins, false);
	return n > 0 ? n : 0;
}

/* The next request, and the file to reply to. Negative errno: the mount is gone. */
static ssize_t receive(struct worker *w, int *fd)
{
	ssize_t n = spin(w);

	*fd = w->spin_fd;
	while (n <= 0) {
		if (atomic_load(&aborting))
			return -ECONNABORTED;
		*fd = w->fd;
		n = read(w->fd, w->message, MESSAGE_MAX + HEADER_ROOM);
		/* ENOENT: the caller was interrupted before we could read it. */
		if (n < 0 && errno != EINTR && errno != EAGAIN && errno != ENOENT)
			return -errno;
	}
	return n;
}

static void *serve(void *arg)
{
	struct worker *w = arg;
	ssize_t n;
	int fd;

	while ((n = receive(w, &fd)) > 0)
		wire_dispatch(w->server, fd, w->message, (size_t)n);
	if (n != -ENODEV && n != -ECONNABORTED)
		say(LFS_LOG_ERROR, "/dev/fuse: %s", strerror((int)-n));
	atomic_fetch_sub(&living, 1);
	return NULL;
}

static int start_one(struct worker *w, struct server *server)
{
	int r;

	w->server = server;
	w->fd = clone_device(server, 0);
	w->spin_fd = clone_device(server, O_NONBLOCK);
	w->message = aligned_alloc(HEADER_ROOM, MESSAGE_MAX + HEADER_ROOM);
	r = !w->message ? -ENOMEM : w->fd < 0 ? w->fd : w->spin_fd < 0 ? w->spin_fd : 0;
	if (!r)
		r = -pthread_create(&w->thread, NULL, serve, w);
	if (!r)
		atomic_fetch_add(&living, 1);
	return r;
}

static void free_one(struct worker *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->spin_fd >= 0)
		close(w->spin_fd);
	free(w->message);
}

int loop_start(struct server *server)
{
	unsigned n = server->opt.threads;
	int r = 0;

	workers = calloc(n, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	while (!r && worker_count < n) {
		r = start_one(&workers[worker_count], server);
		if (r)
			free_one(&workers[worker_count]);
		else
			worker_count++;
	}
	return worker_count >= 2 ? 0 : r; /* two are enough to go on */
}

static void ignore_signal(int number)
{
	(void)number;
}

void loop_abort(struct server *server)
{
	struct sigaction interrupt = {
		.sa_handler = ignore_signal
	}; /* no SA_RESTART: read() gives up */

	(void)server;
	atomic_store(&aborting, true);
	sigaction(SIGUSR1, &interrupt, NULL);
	/* Again, for one that was between its look and its read(). */
	while (atomic_load(&living)) {
		for (unsigned i = 0; i < worker_count; i++)
			pthread_kill(workers[i].thread, SIGUSR1);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

void loop_join(void)
{
	for (unsigned i = 0; i < worker_count; i++) {
		pthread_join(workers[i].thread, NULL);
		free_one(&workers[i]);
	}
	free(workers);
	workers = NULL;
	worker_count = 0;
}
