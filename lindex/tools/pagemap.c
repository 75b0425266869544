/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#define _GNU_SOURCE
#include "pagemap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE    65536u /* pages per read */
#define PRESENT    (UINT64_C(1) << 63)
#define FRAME_MASK ((UINT64_C(1) << 55) - 1)

struct walk {
	int pagemap;
	pagemap_page_fn add;
	void *ctx;
	uint64_t *words, hidden;
};

static int add_pages(struct walk *w, uint64_t page, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		struct lindex_run run = { .first = page + i,
					  .last = page + i,
					  .value = w->words[i] & FRAME_MASK,
					  .step = 1 };

		if (!(w->words[i] & PRESENT))
			continue;
		/* Frame 0: present, but the number is kept from us. */
		if (run.value)
			err = w->add(w->ctx, &run);
		else
			w->hidden++;
	}
	return err;
}

/* [page, end). Where the process ends meanwhile, or the kernel has no table, there is nothing to read. */
static int add_mapping(struct walk *w, uint64_t page, uint64_t end)
{
	int err = 0;

	while (page < end && !err) {
		size_t want = end - page < AT_ONCE ? (size_t)(end - page) : AT_ONCE;
		ssize_t got = pread(w->pagemap, w->words, want * sizeof(*w->words),
				    (off_t)(page * sizeof(*w->words)));
		size_t pages = got > 0 ? (size_t)got / sizeof(*w->words) : 0;

		if (!pages)
			return 0;
		err = add_pages(w, page, pages);
		page += pages;
	}
	return err;
}

static int add_mappings(struct walk *w, FILE *maps, uint64_t most)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), first, end, behind = 0;
	char *line = NULL, rights[5];
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &first, &end, rights) != 3)
			continue;
		first /= page_bytes;
		end /= page_bytes;
		/* What changes while it is read may be told twice. */
		first = first < behind ? behind : first;
		if (first >= end || strncmp(rights, "---", 3) == 0)
			continue;
		behind = end;
		err = add_mapping(w, first, end - first > most ? first + most : end);
	}
	free(line);
	return err;
}

int pagemap_read(FILE *maps, int pagemap, uint64_t most, pagemap_page_fn add, void *ctx,
		 uint64_t *hidden)
{
	struct walk w = { .pagemap = pagemap, .add = add, .ctx = ctx };
	int err;

	w.words = malloc(AT_ONCE * sizeof(*w.words));
	if (!w.words)
		return -ENOMEM;
	err = add_mappings(&w, maps, most);
	free(w.words);
	*hidden = w.hidden;
	return err;
}
