/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Other things to map, where no filesystem tells its extents.
 */
#include "tool.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- This process: page number -> page frame ------------------------------------------------------ */

#define TOUCHED_BYTES (64u << 20)
#define AT_ONCE       512u
#define PRESENT       (UINT64_C(1) << 63)
#define FRAME_MASK    ((UINT64_C(1) << 55) - 1)

/* Of one mapping. Sanitizers reserve terabytes, nearly all of it empty. */
#define MAX_PAGES (UINT64_C(1) << 18)

static int add_pages(struct run_list *list, uint64_t page, const uint64_t *word, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct lindex_run run = { .first = page + i,
					  .last = page + i,
					  .value = word[i] & FRAME_MASK,
					  .step = 1 };

		/* Frame 0: present, but the number is kept from us. */
		if (word[i] & PRESENT && run.value && runs_append(list, &run))
			return -ENOMEM;
	}
	return 0;
}

static int add_mapping(struct run_list *list, int pagemap, uint64_t page, uint64_t end)
{
	uint64_t word[AT_ONCE];

	if (end - page > MAX_PAGES)
		end = page + MAX_PAGES;
	while (page < end) {
		size_t want = end - page < AT_ONCE ? (size_t)(end - page) : AT_ONCE;
		ssize_t got = pread(pagemap, word, want * sizeof(*word),
				    (off_t)(page * sizeof(*word)));

		if (got <= 0)
			return 0;
		if (add_pages(list, page, word, (size_t)got / sizeof(*word)))
			return -ENOMEM;
		page += (uint64_t)got / sizeof(*word);
	}
	return 0;
}

static int add_mappings(struct run_list *list, FILE *maps, int pagemap)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), first, end;
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	while (!err && getline(&line, &room, maps) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &end) != 2)
			continue;
		first /= page_bytes;
		end /= page_bytes;
		/* [vsyscall] is above what pagemap knows. */
		if (first < end && end < UINT64_C(1) << 50)
			err = add_mapping(list, pagemap, first, end);
	}
	free(line);
	return err;
}

/* Something to see: 64 MiB, written page by page in a scrambled order. */
static void *touch_memory(void)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), n = TOUCHED_BYTES / page_bytes;
	volatile char *area = mmap(NULL, TOUCHED_BYTES, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return NULL;
	(void)madvise((void *)(uintptr_t)area, TOUCHED_BYTES, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i++)
		area[i * 7919 % n * page_bytes] = 1;
	return (void *)(uintptr_t)area;
}

int pages_of_self(struct run_list *list)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "r");
	void *area = touch_memory();
	int err = 0;

	if (pagemap >= 0 && maps)
		err = add_mappings(list, maps, pagemap);
	if (area)
		munmap(area, TOUCHED_BYTES);
	if (maps)
		fclose(maps);
	if (pagemap >= 0)
		close(pagemap);
	return err ? no_memory() : 0;
}

/* ---- Made up: a file on a log-structured disk, aged ------------------------------------------------ */

#define BLOCKS     (1u << 20)
#define OVERWRITES 60000u
#define MAX_BLOCKS 16u

int pages_synthetic(struct run_list *list)
{
	struct demo dice = { .random = 1 };
	uint64_t *disk = malloc(BLOCKS * sizeof(*disk)), head = BLOCKS;
	int err = disk ? 0 : -ENOMEM;

	if (err)
		return no_memory();
	for (uint64_t i = 0; i < BLOCKS; i++)
		disk[i] = i;
	/* Each overwrite goes to the head of the log. */
	for (unsigned int i = 0; i < OVERWRITES; i++) {
		uint64_t block = demo_random(&dice) % (BLOCKS - MAX_BLOCKS);

		for (uint64_t n = 1 + demo_random(&dice) % MAX_BLOCKS; n; n--)
			disk[block++] = head++;
	}
	for (uint64_t i = 0; i < BLOCKS && !err; i++)
		err = runs_append(
			list,
			&(struct lindex_run){ .first = i, .last = i, .value = disk[i], .step = 1 });
	free(disk);
	return err ? no_memory() : 0;
}
