/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The address space of a process: page -> page frame.
 */
#include "dataset_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "pagemap.h"

/* A process; @hidden pages are present, but the kernel does not say where. */
struct process {
	struct loading *l;
	FILE *maps;
	int pagemap;
	uint64_t hidden;
};

static int add_page(void *ctx, const struct lindex_run *page)
{
	return runs_append(ctx, *page);
}

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
	struct process p = { .l = l, .pagemap = -1 };
	uint64_t pid = 0;
	int err;

	if (strcmp(l->what, "self") != 0 && (!number_dec(l->what, &pid) || !pid || pid > INT32_MAX))
		return refuse(
			l->why, EINVAL,
			"pagemap:PID: expected the number of a process, or self, found \"%s\"",
			shown(l->what));
	err = open_process(&p);
	if (!err &&
	    pagemap_read(p.maps, p.pagemap, UINT64_MAX, add_page, &l->runs, &p.hidden) == -ENOMEM)
		err = refuse_memory(l->why);
	if (!err)
		err = verdict(&p);
	if (p.maps)
		fclose(p.maps);
	if (p.pagemap >= 0)
		close(p.pagemap);
	return err;
}
