/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * metaloop OPERATION DIR FILES [BYTES]: one system call after the other on FILES small files below DIR, in folders of
 * 1000. Prints operations per second. "create" makes the files (of BYTES bytes) that the others work on, and ends
 * when the filesystem has been synced; "open" reads as many bytes of each; "rename" takes each there and back;
 * "unlink" leaves DIR empty.
 *
 * Exit status: 0; 1: a call failed, and stderr says which; 2: bad arguments.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_FILES 1000u

struct job {
	const char *dir;
	unsigned int files;
	size_t bytes;
	char *data; /* bytes of it */
	unsigned long done;
};

struct path {
	char text[PATH_MAX];
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(int result, const char *call, const char *path)
{
	if (result >= 0)
		return;
	fprintf(stderr, "metaloop: %s %s: %s\n", call, path, strerror(errno));
	exit(1);
}

static struct path folder(const struct job *job, unsigned int file)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "%s/d%03u", job->dir, file / FOLDER_FILES);
	return p;
}

static struct path name(const struct job *job, char kind, unsigned int file)
{
	struct path p;

	snprintf(p.text, sizeof(p.text), "%s/d%03u/%c%06u", job->dir, file / FOLDER_FILES, kind,
		 file);
	return p;
}

/* ---- Operations ----------------------------------------------------------------------------------- */

static void create_one(struct job *job, const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);

	must(fd, "create", path);
	if (write(fd, job->data, job->bytes) != (ssize_t)job->bytes)
		must(-1, "write", path);
	must(close(fd), "close", path);
	job->done++;
}

static void create_all(struct job *job)
{
	int fd;

	for (unsigned int i = 0; i < job->files; i++) {
		if (i % FOLDER_FILES == 0)
			must(mkdir(folder(job, i).text, 0755), "mkdir", folder(job, i).text);
		create_one(job, name(job, 'f', i).text);
	}
	fd = open(job->dir, O_RDONLY | O_DIRECTORY);
	must(fd, "open", job->dir);
	must(syncfs(fd), "syncfs", job->dir);
	close(fd);
}

static void stat_all(struct job *job)
{
	struct stat st;

	for (unsigned int i = 0; i < job->files; i++, job->done++)
		must(stat(name(job, 'f', i).text, &st), "stat", name(job, 'f', i).text);
}

static void open_all(struct job *job)
{
	for (unsigned int i = 0; i < job->files; i++, job->done++) {
		struct path p = name(job, 'f', i);
		int fd = open(p.text, O_RDONLY);

		must(fd, "open", p.text);
		if (read(fd, job->data, job->bytes) != (ssize_t)job->bytes)
			must(-1, "read", p.text);
		close(fd);
	}
}

static void list_one(struct job *job, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;

	must(dir ? 0 : -1, "opendir", path);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		must(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW), "fstatat",
		     entry->d_name);
		job->done++;
	}
	closedir(dir);
}

static void list_all(struct job *job)
{
	for (unsigned int i = 0; i < job->files; i += FOLDER_FILES)
		list_one(job, folder(job, i).text);
	if (job->done != job->files) {
		fprintf(stderr, "metaloop: readdir %s: %lu files, expected %u\n", job->dir,
			job->done, job->files);
		exit(1);
	}
}

static void rename_from_to(struct job *job, char from, char to)
{
	for (unsigned int i = 0; i < job->files; i++, job->done++)
		must(rename(name(job, from, i).text, name(job, to, i).text), "rename",
		     name(job, from, i).text);
}

static void rename_all(struct job *job)
{
	rename_from_to(job, 'f', 'r');
	rename_from_to(job, 'r', 'f');
}

static void unlink_all(struct job *job)
{
	for (unsigned int i = 0; i < job->files; i++, job->done++)
		must(unlink(name(job, 'f', i).text), "unlink", name(job, 'f', i).text);
	for (unsigned int i = 0; i < job->files; i += FOLDER_FILES)
		must(rmdir(folder(job, i).text), "rmdir", folder(job, i).text);
}

/* ---- Command line --------------------------------------------------------------------------------- */

static const struct operation {
	const char *name;
	void (*run)(struct job *job);
} operations[] = {
	{ "create", create_all }, { "stat", stat_all },     { "open", open_all },
	{ "readdir", list_all },  { "rename", rename_all }, { "unlink", unlink_all },
};

static const struct operation *operation_called(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(name, operations[i].name))
			return &operations[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct operation *op = argc > 1 ? operation_called(argv[1]) : NULL;
	struct job job = { 0 };
	double took;

	if (!op || argc < 4 || argc > 5) {
		fputs("usage: metaloop create|stat|open|readdir|rename|unlink DIR FILES [BYTES]\n",
		      stderr);
		return 2;
	}
	job.dir = argv[2];
	job.files = (unsigned int)strtoul(argv[3], NULL, 10);
	job.bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	job.data = calloc(job.bytes + 1, 1);
	must(job.data ? 0 : -1, "calloc", job.dir);
	memset(job.data, 'x', job.bytes);
	took = seconds_now();
	op->run(&job);
	took = seconds_now() - took;
	printf("%.1f\n", (double)job.done / took);
	free(job.data);
	return 0;
}
