/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The threads that read requests, each from a clone of the session's file: the kernel then keeps what each thread
 * is working on apart.
 *
 * A request costs little next to the sleeps around it: to wake a thread on another processor takes longer than to
 * answer. So one thread at a time has the *post*: it alone waits for requests, and mostly answers them itself. The
 * others sleep where requests do not wake them. The post is passed on, before the work is done,
 *
 *   - for a long message, or a request that waits for the device (is_long());
 *   - if requests queue up, until there is a thread for each processor; those look for more requests when they are
 *     done, and sleep only if there is none;
 *   - when the work is about to wait for a device that has been slow (device.c calls loop_will_wait());
 *   - when it is taking long all the same, for a lock perhaps: the watchman, who is awake only while there are
 *     requests, takes the post away after WATCH_NS. He also sees when it is worth keeping processors awake (awake.c).
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define HEADER_ROOM  4096u /* in front of the data of a WRITE */
#define LONG_BYTES   (64u << 10)
#define WATCH_NS     1000000
#define WATCH_ROUNDS 20 /* without a request, until the watchman sleeps */
#define VAIN_LOOKS   8  /* after so many, one request in LOOK_EVERY is preceded by a look */
#define LOOK_EVERY   16
#define QUEUE_ROW    4 /* requests that were there already, one after the other: there is a queue */

struct worker {
	struct server *server;
	pthread_t thread;
	int fd, look_fd; /* the same queue; reading the second never sleeps */
	char *message, *room;
};

static struct worker *workers;
static unsigned worker_count, processors;
static atomic_bool aborting;
static atomic_uint living;

/* The post. A term ends when its holder leaves, or is relieved by the watchman without noticing. */
static pthread_mutex_t post_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t post_free = PTHREAD_COND_INITIALIZER;
static bool post_taken;
static atomic_ulong post_term;
static _Thread_local unsigned long my_term; /* the term that this thread began; 0: none */
static atomic_uint busy;                    /* threads that answer requests */
static atomic_ulong work_count;             /* requests begun */
static atomic_ulong deaf_term; /* the term whose holder is answering a request; 0: it listens */

static pthread_t watchman;
static pthread_cond_t watch_wake = PTHREAD_COND_INITIALIZER;
static atomic_bool watching;
static bool watch_ends;

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

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- The post ---------------------------------------------------------------------------------- */

static bool has_post(void)
{
	return my_term && my_term == atomic_load_explicit(&post_term, memory_order_relaxed);
}

static void take_post(void)
{
	if (has_post())
		return;
	pthread_mutex_lock(&post_lock);
	while (post_taken)
		pthread_cond_wait(&post_free, &post_lock);
	post_taken = true;
	my_term = atomic_fetch_add(&post_term, 1) + 1;
	pthread_mutex_unlock(&post_lock);
}

/* End @term if it still runs; whoever sleeps takes over. */
static void end_term(unsigned long term)
{
	pthread_mutex_lock(&post_lock);
	if (post_taken && atomic_load(&post_term) == term) {
		atomic_fetch_add(&post_term, 1);
		post_taken = false;
		pthread_cond_signal(&post_free);
	}
	pthread_mutex_unlock(&post_lock);
}

void loop_will_wait(void)
{
	if (has_post())
		end_term(my_term);
}

/* ---- The watchman ------------------------------------------------------------------------------ */

static void watch_rounds(void)
{
	for (int quiet = 0; quiet < WATCH_ROUNDS;) {
		unsigned long term = atomic_load(&deaf_term), work = atomic_load(&work_count);
		uint64_t began = now_ns();

		nanosleep(&(struct timespec){ .tv_nsec = WATCH_NS }, NULL);
		work = atomic_load(&work_count) - work;
		quiet = work ? 0 : quiet + 1;
		awake_round(work, now_ns() - began);
		if (quiet && term && atomic_load(&deaf_term) == term)
			end_term(term);
	}
	awake_end();
}

static void *watch(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&post_lock);
	while (!watch_ends) {
		if (!atomic_load(&watching)) {
			pthread_cond_wait(&watch_wake, &post_lock);
			continue;
		}
		pthread_mutex_unlock(&post_lock);
		watch_rounds();
		atomic_store(&watching, false);
		pthread_mutex_lock(&post_lock);
	}
	pthread_mutex_unlock(&post_lock);
	return NULL;
}

static void wake_watchman(bool to_end)
{
	pthread_mutex_lock(&post_lock);
	atomic_store(&watching, true);
	watch_ends |= to_end;
	pthread_cond_signal(&watch_wake);
	pthread_mutex_unlock(&post_lock);
}

/* ---- Requests ---------------------------------------------------------------------------------- */

static ssize_t read_now(struct worker *w)
{
	ssize_t n = read(w->look_fd, w->message, MESSAGE_MAX + HEADER_ROOM);

	return n > 0 ? n : 0;
}

/*
 * A request that is there already, 0 if none is. Who asks one thing after the other never queues up: then a look is a
 * system call for nothing, and mostly left out. @queue: several were, in a row.
 */
static ssize_t look(struct worker *w, bool *queue)
{
	static atomic_uint vain, row; /* of whoever has the post */
	unsigned so_far = atomic_load_explicit(&vain, memory_order_relaxed), found;
	ssize_t n = so_far < VAIN_LOOKS || !(so_far % LOOK_EVERY) ? read_now(w) : 0;

	atomic_store_explicit(&vain, n ? 0 : so_far + 1, memory_order_relaxed);
	found = n ? atomic_load_explicit(&row, memory_order_relaxed) + 1 : 0;
	atomic_store_explicit(&row, found, memory_order_relaxed);
	*queue = found >= QUEUE_ROW;
	return n;
}

/* The next request, and the file to reply to. Negative errno: the mount is gone. */
static ssize_t receive(struct worker *w, int *fd, bool *queue)
{
	ssize_t n;

	*fd = w->look_fd;
	*queue = true;
	if (!has_post() && (n = read_now(w)) > 0)
		return n;
	take_post();
	n = look(w, queue);
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

static bool is_long(const void *message, size_t len)
{
	const struct fuse_in_header *in = message;

	switch (in->opcode) {
	case FUSE_READ:
		return ((const struct fuse_read_in *)(in + 1))->size >= LONG_BYTES;
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case FUSE_IOCTL:
	case FUSE_SETXATTR:
		return true;
	default:
		return len >= LONG_BYTES;
	}
}

static void work(struct worker *w, int fd, size_t len, bool queue)
{
	unsigned others = atomic_fetch_add(&busy, 1);
	bool keeps;

	if (has_post() && ((queue && others + 1 < processors) || is_long(w->message, len)))
		end_term(my_term);
	keeps = has_post();
	atomic_fetch_add(&work_count, 1);
	if (keeps)
		atomic_store(&deaf_term, my_term);
	if (!atomic_load_explicit(&watching, memory_order_relaxed))
		wake_watchman(false);
	wire_dispatch(w->server, fd, w->message, len, w->room);
	if (keeps && has_post())
		atomic_store(&deaf_term, 0);
	atomic_fetch_sub(&busy, 1);
}

static void *serve(void *arg)
{
	struct worker *w = arg;
	bool queue;
	ssize_t n;
	int fd;

	while ((n = receive(w, &fd, &queue)) > 0)
		work(w, fd, (size_t)n, queue);
	end_term(my_term);
	if (n != -ENODEV && n != -ECONNABORTED)
		say(LFS_LOG_ERROR, "/dev/fuse: %s", strerror((int)-n));
	atomic_fetch_sub(&living, 1);
	return NULL;
}

/* ---- Beginning and end ------------------------------------------------------------------------- */

static int start_one(struct worker *w, struct server *server)
{
	int r;

	w->server = server;
	w->fd = clone_device(server, 0);
	w->look_fd = clone_device(server, O_NONBLOCK);
	w->message = aligned_alloc(HEADER_ROOM, MESSAGE_MAX + HEADER_ROOM);
	w->room = aligned_alloc(HEADER_ROOM, MESSAGE_MAX);
	r = !w->message || !w->room ? -ENOMEM : w->fd < 0 ? w->fd : w->look_fd < 0 ? w->look_fd : 0;
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
	if (w->look_fd >= 0)
		close(w->look_fd);
	free(w->message);
	free(w->room);
}

int loop_start(struct server *server)
{
	unsigned n = server->opt.threads;
	int r = 0;

	processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	awake_init(server->opt.halt);
	workers = calloc(n, sizeof(*workers));
	if (!workers)
		return -ENOMEM;
	r = -pthread_create(&watchman, NULL, watch, NULL);
	if (r) {
		free(workers);
		workers = NULL;
		return r;
	}
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

void loop_abort(void)
{
	struct sigaction interrupt = {
		.sa_handler = ignore_signal
	}; /* no SA_RESTART: read() gives up */

	atomic_store(&aborting, true);
	sigaction(SIGUSR1, &interrupt, NULL);
	/* Again, for one that was between its look and its read(). */
	while (atomic_load(&living)) {
		for (unsigned i = 0; i < worker_count; i++)
			pthread_kill(workers[i].thread, SIGUSR1);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
}

bool loop_join(void)
{
	for (unsigned i = 0; i < worker_count; i++) {
		pthread_join(workers[i].thread, NULL);
		free_one(&workers[i]);
	}
	worker_count = 0;
	if (workers) {
		wake_watchman(true);
		pthread_join(watchman, NULL);
	}
	free(workers);
	workers = NULL;
	return !atomic_load(&aborting);
}
