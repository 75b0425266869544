/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The address space of a process as the kernel tells it: page -> page frame. What it maps without any
 * right to it (reserved ranges, guard pages) is left out: no access would be translated there.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE    65536u /* pages per read */
#define PRESENT    (UINT64_C(1) << 63)
#define FRAME_MASK ((UINT64_C(1) << 55) - 1)

/* A process; @hidden pages are present, but the kernel does not say where. */
struct process {
	struct loading *l;
	FILE *maps;
	int pagemap;
	uint64_t words[AT_ONCE], hidden;
};

/* ---- Pages --------------------------------------------------------------------------------- */

static int add_pages(struct process *p, uint64_t page, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct lindex_run run = { .first = page + i,
					  .last = page + i,
					  .value = p->words[i] & FRAME_MASK,
					  .step = 1 };

		if (!(p->words[i] & PRESENT))
			continue;
		if (!run.value)
			p->hidden++;
		else if (runs_append(&p->l->runs, run))
			return refuse_memory(p->l->why);
	}
	return 0;
}

/* [page, end). Where the process ends meanwhile, or the kernel has no table, there is nothing to read. */
static int add_mapping(struct process *p, uint64_t page, uint64_t end)
{
	int err = 0;

	while (page < end && !err) {
		size_t want = end - page < AT_ONCE ? (size_t)(end - page) : AT_ONCE;
		ssize_t got = pread(p->pagemap, p->words, want * sizeof(*p->words),
				    (off_t)(page * sizeof(*p->words)));
		size_t pages = got > 0 ? (size_t)got / sizeof(*p->words) : 0;

		if (!pages)
			return 0;
		err = add_pages(p, page, pages);
		page += pages;
	}
	return err;
}

static int add_mappings(struct process *p)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), first, end, behind = 0;
	char *line = NULL, rights[5];
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, p->maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &first, &end, rights) != 3)
			continue;
		first /= page_bytes;
		end /= page_bytes;
		/* What changes while it is read may be told twice. */
		first = first < behind ? behind : first;
		if (first < end && strncmp(rights, "---", 3) != 0) {
			err = add_mapping(p, first, end);
			behind = end;
		}
	}
	free(line);
	return err;
}

/* ---- Processes ----------------------------------------------------------------------------- */

/* @name: of a file in /proc/PID. */
static int open_in_proc(const struct loading *l, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", l->what, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ESRCH)
		return refuse(l->why, ESRCH, "pagemap:%s: expected a process, found none", l->what);
	if (errno == EACCES || errno == EPERM)
		return refuse(l->why, EPERM,
			      "pagemap:%s: expected to be root, or allowed to trace it: %s",
			      l->what, strerror(errno));
	return refuse(l->why, errno, "pagemap:%s: cannot open %s: %s", l->what, path,
		      strerror(errno));
}

static int open_process(struct process *p)
{
	int maps;

	p->pagemap = open_in_proc(p->l, "pagemap");
	if (p->pagemap < 0)
		return p->pagemap;
	maps = open_in_proc(p->l, "maps");
	if (maps < 0)
		return maps;
	p->maps = fdopen(maps, "r");
	if (p->maps)
		return 0;
	close(maps);
	return refuse_memory(p->l->why);
}

static int verdict(const struct process *p)
{
	const struct loading *l = p->l;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s", l->what);
	if (access(path, F_OK))
		return refuse(l->why, ESRCH, "pagemap:%s: the process ended while it was read",
			      l->what);
	if (!l->runs.n && p->hidden)
		return refuse(l->why, EPERM,
			      "pagemap:%s: expected to be root: page frames are hidden from others",
			      l->what);
	if (!l->runs.n)
		return refuse(
			l->why, ENODATA,
			"pagemap:%s: expected pages in memory, found none (a kernel thread, or "
			"a process that has ended)",
			l->what);
	return 0;
}

int load_pages(struct loading *l)
{
	struct process *p;
	uint64_t pid = 0;
	int err;

	if (strcmp(l->what, "self") != 0 && (!number_dec(l->what, &pid) || !pid || pid > INT32_MAX))
		return refuse(
			l->why, EINVAL,
			"pagemap:PID: expected the number of a process, or self, found \"%s\"",
			shown(l->what));
	p = calloc(1, sizeof(*p));
	if (!p)
		return refuse_memory(l->why);
	p->l = l;
	err = open_process(p);
	if (!err)
		err = add_mappings(p);
	if (!err)
		err = verdict(p);
	if (p->maps)
		fclose(p->maps);
	if (p->pagemap >= 0)
		close(p->pagemap);
	free(p);
	return err;
}
