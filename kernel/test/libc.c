// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The memory of shim/libc.h. A block knows its size: the kernel's allocators have no realloc() for all of it. */
#include "libc.h"

#undef malloc
#undef free

struct block {
	void *base;
	size_t bytes;
};

int lindex_test_memalign(void **out, size_t align, size_t bytes)
{
	struct block *block;
	void *base, *at;

	align = max_t(size_t, align, sizeof(*block));
	base = kvmalloc(bytes + align + sizeof(*block), GFP_KERNEL);
	if (!base)
		return -ENOMEM;
	at = PTR_ALIGN(base + sizeof(*block), align);
	block = (struct block *)at - 1;
	block->base = base;
	block->bytes = bytes;
	*out = at;
	return 0;
}

void *lindex_test_malloc(size_t bytes)
{
	void *out;

	return lindex_test_memalign(&out, sizeof(struct block), bytes) ? NULL : out;
}

void *lindex_test_calloc(size_t n, size_t bytes)
{
	void *out = lindex_test_malloc(n * bytes);

	return out ? memset(out, 0, n * bytes) : NULL;
}

void lindex_test_free(void *ptr)
{
	if (ptr)
		kvfree(((struct block *)ptr - 1)->base);
}

void *lindex_test_realloc(void *ptr, size_t bytes)
{
	void *grown = lindex_test_malloc(bytes);

	if (!grown || !ptr)
		return grown;
	memcpy(grown, ptr, min(bytes, ((struct block *)ptr - 1)->bytes));
	lindex_test_free(ptr);
	return grown;
}

/* A page cannot be taken out of a map here: in ./dev kmod-debug KASAN sees who reads or writes past a buffer. */
void *lindex_test_mmap(size_t bytes)
{
	return vzalloc(bytes) ?: MAP_FAILED;
}

int lindex_test_mprotect(void *at, size_t bytes, int prot)
{
	(void)at;
	(void)bytes;
	(void)prot;
	return 0;
}

void lindex_test_munmap(void *at)
{
	vfree(at);
}
