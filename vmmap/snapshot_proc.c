/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The address space of a live process: rights from maps, frames from pagemap, huge pages by kpageflags.
 *
 * A stretch counts as a huge page if it is aligned in both memories, lies in one mapping with its frames
 * following each other, and its first frame is part of a transparent (THP) or reserved (HUGE) huge page. The
 * kernel does not say whether it maps such a stretch by one entry or by 512.
 */
#define _GNU_SOURCE
#include "snapshot_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK      65536u /* pages read at once; a multiple of a huge page */
#define PRESENT    (UINT64_C(1) << 63)
#define FRAME_MASK ((UINT64_C(1) << 55) - 1)
#define KPF_HUGE   17
#define KPF_THP    22
#define PAGES_2M   512u

struct process {
	const char *pid;
	struct vmmap_snapshot snap;
	struct vmmap_refusal *why;
	FILE *maps;
	int pagemap, kpageflags;
	uint64_t hidden, huge; /* pages */
	uint64_t words[CHUNK];
};

static int add_span(struct process *p, uint64_t vpn, uint64_t pfn, uint64_t pages, uint8_t flags)
{
	struct vmmap_span span = { vpn, pfn, pages, pages == 1 ? VMMAP_SHIFT_4K : VMMAP_SHIFT_2M,
				   flags };
	int err = vmmap_snapshot_append(&p->snap, &span);

	if (err == -ENOMEM)
		return refuse(p->why, ENOMEM, "proc:%s: out of memory", p->pid);
	if (err)
		return refuse(p->why, EINVAL,
			      "proc:%s: expected ascending canonical pages, found %" PRIx64, p->pid,
			      vpn);
	return 0;
}

static bool frame_is_huge(const struct process *p, uint64_t pfn)
{
	uint64_t bits;

	return p->kpageflags >= 0 &&
	       pread(p->kpageflags, &bits, sizeof(bits), (off_t)(pfn * sizeof(bits))) ==
		       (ssize_t)sizeof(bits) &&
	       (bits >> KPF_HUGE & 1 || bits >> KPF_THP & 1);
}

/* Whether words[i..i+511] are one huge page; vpn is aligned. */
static bool is_huge(const struct process *p, const uint64_t *words)
{
	uint64_t first = words[0] & FRAME_MASK;

	if (!(words[0] & PRESENT) || !first || first % PAGES_2M)
		return false;
	for (unsigned int i = 1; i < PAGES_2M; i++)
		if (!(words[i] & PRESENT) || (words[i] & FRAME_MASK) != first + i)
			return false;
	return frame_is_huge(p, first);
}

static int add_pages(struct process *p, uint64_t vpn, size_t n, uint8_t flags)
{
	for (size_t i = 0; i < n;) {
		uint64_t pfn = p->words[i] & FRAME_MASK;
		size_t step = 1;
		int err = 0;

		if ((vpn + i) % PAGES_2M == 0 && n - i >= PAGES_2M && is_huge(p, p->words + i))
			step = PAGES_2M;
		if (p->words[i] & PRESENT) {
			if (pfn)
				err = add_span(p, vpn + i, pfn, step, flags);
			else
				p->hidden++;
		}
		if (err)
			return err;
		p->huge += step == 1 ? 0 : step;
		i += step;
	}
	return 0;
}

/* Chunks end at multiples of CHUNK, so that none cuts a huge page. */
static int add_mapping(struct process *p, uint64_t vpn, uint64_t end, uint8_t flags)
{
	while (vpn < end) {
		uint64_t stop = (vpn / CHUNK + 1) * CHUNK;
		size_t want = (size_t)((stop < end ? stop : end) - vpn);
		ssize_t got = pread(p->pagemap, p->words, want * sizeof(*p->words),
				    (off_t)(vpn * sizeof(*p->words)));
		int err;

		if (got <
		    (ssize_t)sizeof(*p->words)) /* it ended, or the kernel has no table there */
			return 0;
		err = add_pages(p, vpn, (size_t)got / sizeof(*p->words), flags);
		if (err)
			return err;
		vpn += (uint64_t)got / sizeof(*p->words);
	}
	return 0;
}

static uint8_t flags_of(const char rights[5])
{
	return (uint8_t)((rights[0] == 'r' ? VMMAP_SPAN_R : 0u) |
			 (rights[1] == 'w' ? VMMAP_SPAN_W : 0u) |
			 (rights[2] == 'x' ? VMMAP_SPAN_X : 0u) | VMMAP_SPAN_U);
}

static int add_mappings(struct process *p)
{
	uint64_t first, end, behind = 0;
	char *line = NULL, rights[5];
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, p->maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &first, &end, rights) != 3)
			continue;
		first = vpn_of(first);
		end = vpn_of(end);
		/* What changes while it is read may be told twice. */
		first = first < behind ? behind : first;
		if (first < end && strncmp(rights, "---", 3) != 0)
			err = add_mapping(p, first, end, flags_of(rights));
		behind = end > behind ? end : behind;
	}
	free(line);
	return err;
}

/* ---- Opening and closing ----------------------------------------------------------------------- */

static int open_in_proc(const struct process *p, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", p->pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ESRCH)
		return refuse(p->why, ESRCH, "proc:%s: expected a process, found none", p->pid);
	if (errno == EACCES || errno == EPERM)
		return refuse(p->why, EPERM,
			      "proc:%s: expected to be root, or allowed to trace it: %s", p->pid,
			      strerror(errno));
	return refuse(p->why, errno, "proc:%s: cannot open %s: %s", p->pid, path, strerror(errno));
}

static int open_process(struct process *p)
{
	int maps;

	p->pagemap = open_in_proc(p, "pagemap");
	if (p->pagemap < 0)
		return p->pagemap;
	maps = open_in_proc(p, "maps");
	if (maps < 0)
		return maps;
	p->maps = fdopen(maps, "r");
	if (!p->maps) {
		close(maps);
		return refuse(p->why, ENOMEM, "proc:%s: out of memory", p->pid);
	}
	p->kpageflags = open("/proc/kpageflags",
			     O_RDONLY | O_CLOEXEC); /* -1: all pages count as 4 KiB */
	return 0;
}

static void close_process(struct process *p)
{
	if (p->maps)
		fclose(p->maps);
	if (p->pagemap >= 0)
		close(p->pagemap);
	if (p->kpageflags >= 0)
		close(p->kpageflags);
	free(p);
}

static int verdict(const struct process *p)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s", p->pid);
	if (access(path, F_OK))
		return refuse(p->why, ESRCH, "proc:%s: the process ended while it was read",
			      p->pid);
	if (!p->snap.n && p->hidden)
		return refuse(p->why, EPERM,
			      "proc:%s: expected to be root: page frames are hidden from others",
			      p->pid);
	if (!p->snap.n)
		return refuse(
			p->why, ENODATA,
			"proc:%s: expected pages in memory, found none (a kernel thread, or a "
			"process that has ended)",
			p->pid);
	return 0;
}

static bool is_pid(const char *text)
{
	uint64_t n;

	return strcmp(text, "self") == 0 ||
	       (word_dec((struct cursor){ text, text + strlen(text) }, &n) && n && n <= INT32_MAX);
}

int vmmap_snapshot_capture(const char *pid, struct vmmap_snapshot *snap, uint64_t *huge,
			   struct vmmap_refusal *why)
{
	struct process *p;
	int err;

	if (!is_pid(pid))
		return refuse(why, EINVAL, "expected the number of a process, or self, found %s",
			      shown(pid, strlen(pid)).text);
	p = calloc(1, sizeof(*p));
	if (!p)
		return refuse(why, ENOMEM, "proc:%s: out of memory", pid);
	p->pid = pid;
	p->why = why;
	p->pagemap = p->kpageflags = -1;
	err = open_process(p);
	if (!err)
		err = add_mappings(p);
	if (!err)
		err = verdict(p);
	if (err) {
		vmmap_snapshot_destroy(&p->snap);
	} else {
		*snap = p->snap;
		if (huge)
			*huge = p->huge;
	}
	close_process(p);
	return err;
}
