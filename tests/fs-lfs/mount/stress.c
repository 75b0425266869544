/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Several threads on one mounted directory: "stress DIR THREADS ROUNDS SEED". Each has files of its own, whose contents it
 * knows, and all of them rename, link and remove in one directory that they share. What a thread reads must be what
 * it wrote; the shared directory may refuse, but only with the errors that a race explains.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 100000
#define SHARED     12 /* names that all threads fight for */

struct thread {
	pthread_t id;
	unsigned number, rounds;
	uint64_t random;
	unsigned char twin[FILE_BYTES];
	size_t size;
};

static uint64_t next(struct thread *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

static void die(const struct thread *t, const char *what)
{
	printf("thread %u: %s: %s\n", t->number, what, strerror(errno));
	exit(1);
}

static void change_own(struct thread *t, int fd)
{
	size_t at = next(t) % FILE_BYTES, n = next(t) % (FILE_BYTES - at);
	unsigned char value = (unsigned char)next(t);

	if (next(t) % 8 == 0) {
		if (ftruncate(fd, (off_t)at))
			die(t, "ftruncate");
		if (at < t->size)
			memset(t->twin + at, 0, t->size - at);
		t->size = at;
		return;
	}
	memset(t->twin + at, value, n);
	if (pwrite(fd, t->twin + at, n, (off_t)at) != (ssize_t)n)
		die(t, "pwrite");
	if (n && at + n > t->size)
		t->size = at + n;
}

static void compare_own(struct thread *t, int fd)
{
	unsigned char *seen = malloc(FILE_BYTES + 1);
	ssize_t n = pread(fd, seen, FILE_BYTES + 1, 0);

	errno = 0;
	if (n != (ssize_t)t->size || memcmp(seen, t->twin, t->size))
		die(t, "its file has other bytes than it wrote");
	free(seen);
}

static void fight(struct thread *t)
{
	char a[64], b[64];
	int r, fd;

	snprintf(a, sizeof(a), "shared/%u", (unsigned)(next(t) % SHARED));
	snprintf(b, sizeof(b), "shared/%u", (unsigned)(next(t) % SHARED));
	switch (next(t) % 6) {
	case 0:
		r = rename(a, b);
		break;
	case 1:
		r = link(a, b);
		break;
	case 2:
		r = unlink(a);
		break;
	case 3:
		r = mkdir(a, 0755);
		break;
	case 4:
		r = rmdir(a);
		break;
	default:
		r = fd = open(a, O_CREAT | O_RDWR, 0644);
		if (fd >= 0)
			close(fd);
	}
	if (r < 0 && errno != ENOENT && errno != EEXIST && errno != EISDIR && errno != ENOTDIR &&
	    errno != ENOTEMPTY && errno != EPERM && errno != ESTALE)
		die(t, "shared directory");
}

static void *run(void *arg)
{
	struct thread *t = arg;
	char name[64], other[64];
	int fd;

	snprintf(name, sizeof(name), "own%u", t->number);
	snprintf(other, sizeof(other), "shared/moved%u", t->number);
	fd = open(name, O_CREAT | O_RDWR, 0644);
	if (fd < 0)
		die(t, name);
	for (unsigned i = 0; i < t->rounds; i++) {
		change_own(t, fd);
		fight(t);
		if (i % 16 == 0)
			compare_own(t, fd);
		if (i % 32 == 0 && (rename(name, other) || rename(other, name)))
			die(t, "rename of its file");
		if (i % 64 == 0 && fsync(fd))
			die(t, "fsync");
	}
	compare_own(t, fd);
	close(fd);
	fd = open(name, O_RDONLY);
	compare_own(t, fd);
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned n = argc == 5 ? (unsigned)atoi(argv[2]) : 0;
	struct thread *threads = calloc(n ? n : 1, sizeof(*threads));

	if (!n || !threads || chdir(argv[1]) || mkdir("shared", 0755)) {
		fprintf(stderr, "usage: stress DIR THREADS ROUNDS SEED\n");
		return 2;
	}
	for (unsigned i = 0; i < n; i++) {
		threads[i].number = i;
		threads[i].rounds = (unsigned)atoi(argv[3]);
		threads[i].random = strtoull(argv[4], NULL, 10) * 2654435761u + i + 1;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			return 2;
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	free(threads);
	return 0;
}
