/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Other things to map, where no filesystem tells its extents.
 */
#include "pagemap.h"
#include "tool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- This process: page number -> page frame ------------------------------------------------------ */

#define TOUCHED_BYTES (64u << 20)

/* Of one mapping. Sanitizers reserve terabytes, nearly all of it empty. */
#define MAX_PAGES (UINT64_C(1) << 18)

static int add_page(void *ctx, const struct lindex_run *page)
{
	return runs_append(ctx, page);
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
	uint64_t hidden;
	int err = 0;

	if (pagemap >= 0 && maps)
		err = pagemap_read(maps, pagemap, MAX_PAGES, add_page, list, &hidden);
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
