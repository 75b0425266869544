/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "pages.h"

#include <string.h>
#include <unistd.h>

#include "check.h"

void page_file_read(struct page_file *pf, uint32_t page, void *bytes)
{
	off_t at = (off_t)page * LINDEX_PAGE_BYTES;

	CHECK(page < pf->highest, "page %u was never stored", page);
	CHECK(pread(fileno(pf->file), bytes, LINDEX_PAGE_BYTES, at) == LINDEX_PAGE_BYTES,
	      "read of page %u", page);
}

void page_file_write(struct page_file *pf, uint32_t page, const void *bytes)
{
	off_t at = (off_t)page * LINDEX_PAGE_BYTES;

	CHECK(pwrite(fileno(pf->file), bytes, LINDEX_PAGE_BYTES, at) == LINDEX_PAGE_BYTES,
	      "write of page %u", page);
	if (page >= pf->highest)
		pf->highest = (uint64_t)page + 1;
}

static int load(void *ctx, uint32_t page, void *bytes)
{
	struct page_file *pf = ctx;

	pf->loads++;
	if (pf->fail_load)
		return -pf->fail_load;
	/* A wild page number that comes from damaged bytes is the device's to refuse. */
	if (page >= pf->highest)
		return -EIO;
	page_file_read(pf, page, bytes);
	if (pf->corrupt)
		pf->corrupt(pf->corrupt_ctx, page, bytes);
	return 0;
}

static int store(void *ctx, uint32_t page, const void *bytes)
{
	struct page_file *pf = ctx;

	pf->stores++;
	if (pf->fail_store)
		return -pf->fail_store;
	page_file_write(pf, page, bytes);
	return 0;
}

void page_file_open(struct page_file *pf)
{
	memset(pf, 0, sizeof(*pf));
	pf->file = tmpfile();
	CHECK(pf->file, "no temporary file");
	pf->pager = (struct lindex_pager){ .load = load, .store = store, .ctx = pf };
}

void page_file_close(struct page_file *pf)
{
	fclose(pf->file);
	memset(pf, 0, sizeof(*pf));
}
