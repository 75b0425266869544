/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_scarce.h"

#include <stdlib.h>

static uint64_t fail_in, live;
static bool failed;

bool scarce_fail(uint64_t k)
{
	bool was = failed;

	fail_in = k;
	failed = false;
	return was;
}

uint64_t scarce_live(void)
{
	return live;
}

static bool fails(void)
{
	if (!fail_in || --fail_in)
		return false;
	failed = true;
	return true;
}

static void *given(void *memory)
{
	live += memory != NULL;
	return memory;
}

void *scarce_malloc(size_t size)
{
	return fails() ? NULL : given(malloc(size));
}

void *scarce_calloc(size_t n, size_t size)
{
	return fails() ? NULL : given(calloc(n, size));
}

void *scarce_realloc(void *memory, size_t size)
{
	if (fails())
		return NULL;
	return memory ? realloc(memory, size) : given(malloc(size));
}

void *scarce_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : given(aligned_alloc(align, size));
}

void scarce_free(void *memory)
{
	live -= memory != NULL;
	free(memory);
}
