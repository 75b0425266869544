/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "alloc_fail.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"

#define LIVE_MAGIC  0x6c6976656c697665u
#define DEAD_MAGIC  0x6465616464656164u
#define GUARD_BYTES 4096u

/* In front of each block, so that size and state are known when it comes back. */
struct block_head {
	uint64_t magic, bytes, total;
	void *base;
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Head and block, the block aligned; behind it, if guarded, a page that nobody may touch. */
static struct block_head *carve(struct alloc_probe *probe, size_t bytes, size_t align)
{
	size_t lead = sizeof(struct block_head);
	size_t total = lead + round_up(bytes, align);
	struct block_head *head;
	unsigned char *base;
	uintptr_t block;

	if (probe->guarded) {
		total = round_up(total + align, GUARD_BYTES) + GUARD_BYTES;
		base = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
		CHECK(base != MAP_FAILED, "mmap of %zu bytes", total);
		CHECK(mprotect(base + total - GUARD_BYTES, GUARD_BYTES, PROT_NONE) == 0, "guard");
		block = ((uintptr_t)base + total - GUARD_BYTES - bytes) / align * align;
	} else {
		total += align;
		base = malloc(total);
		CHECK(base, "malloc of %zu bytes", total);
		block = ((uintptr_t)base + lead + align - 1) / align * align;
	}
	head = (struct block_head *)(block & ~(uintptr_t)7) - 1;
	head->base = base;
	head->total = total;
	return head;
}

static bool refuses(struct alloc_probe *probe)
{
	probe->calls++;
	if (!probe->fail_in)
		return false;
	if (probe->fail_in > 1) {
		probe->fail_in--;
		return false;
	}
	probe->fail_in = probe->fail_all ? 1 : 0;
	probe->failed++;
	return true;
}

static void *probe_alloc(void *ctx, size_t bytes, size_t align, unsigned int flags)
{
	struct alloc_probe *probe = ctx;
	struct block_head *head;

	(void)flags;
	CHECK(bytes > 0, "allocation of nothing");
	CHECK(align && !(align & (align - 1)) && align <= (2u << 20), "alignment %zu", align);
	if (refuses(probe))
		return NULL;
	if (align < sizeof(*head))
		align = sizeof(*head);
	head = carve(probe, bytes, align);
	head->magic = LIVE_MAGIC;
	head->bytes = bytes;
	/* Neither zero nor one pattern: code that hopes for zeroes shall notice. */
	memset(head + 1, 0xa5, bytes);
	probe->live_blocks++;
	probe->live_bytes += bytes;
	if (probe->live_bytes > probe->peak_bytes)
		probe->peak_bytes = probe->live_bytes;
	return head + 1;
}

static void probe_free(void *ctx, void *ptr, size_t bytes)
{
	struct alloc_probe *probe = ctx;
	struct block_head *head = (struct block_head *)ptr - 1;

	CHECK(ptr, "free of NULL");
	CHECK(head->magic == LIVE_MAGIC, "free of %p, which is %s", ptr,
	      head->magic == DEAD_MAGIC ? "free" : "not a block");
	CHECK(head->bytes == bytes, "block of %" PRIu64 " bytes freed as %zu", head->bytes, bytes);
	probe->live_blocks--;
	probe->live_bytes -= bytes;
	head->magic = DEAD_MAGIC;
	memset(ptr, 0xdd, bytes);
	if (probe->guarded)
		munmap(head->base, head->total);
	else
		free(head->base);
}

void alloc_probe_init(struct alloc_probe *probe)
{
	memset(probe, 0, sizeof(*probe));
	probe->allocator.alloc = probe_alloc;
	probe->allocator.free = probe_free;
	probe->allocator.ctx = probe;
}

void alloc_probe_fail(struct alloc_probe *probe, uint64_t k)
{
	probe->fail_in = k;
	probe->fail_all = false;
}

void alloc_probe_fail_all(struct alloc_probe *probe, bool fail)
{
	probe->fail_in = fail ? 1 : 0;
	probe->fail_all = fail;
}

void alloc_probe_assert_empty(const struct alloc_probe *probe)
{
	CHECK(probe->live_blocks == 0 && probe->live_bytes == 0,
	      "leaked %" PRIu64 " blocks, %" PRIu64 " bytes", probe->live_blocks,
	      probe->live_bytes);
}
