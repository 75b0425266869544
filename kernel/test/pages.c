// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The harness's pager (pages.h) over memory instead of a file: page number -> copy, in an XArray. */
#include <linux/xarray.h>

#include "check.h"
#include "libc.h"
#include "pages.h"

static struct xarray *pages_of(struct page_file *pf)
{
	return (struct xarray *)pf->file;
}

void page_file_read(struct page_file *pf, uint32_t page, void *bytes)
{
	void *stored = xa_load(pages_of(pf), page);

	CHECK(stored, "page %u was never stored", page);
	memcpy(bytes, stored, LINDEX_PAGE_BYTES);
}

void page_file_write(struct page_file *pf, uint32_t page, const void *bytes)
{
	void *stored = xa_load(pages_of(pf), page);

	if (!stored) {
		stored = malloc(LINDEX_PAGE_BYTES);
		CHECK(stored && !xa_err(xa_store(pages_of(pf), page, stored, GFP_KERNEL)),
		      "no memory for page %u", page);
	}
	memcpy(stored, bytes, LINDEX_PAGE_BYTES);
	if (page >= pf->highest)
		pf->highest = (uint64_t)page + 1;
}

static int load(void *ctx, uint32_t page, void *buf)
{
	struct page_file *pf = ctx;

	pf->loads++;
	if (pf->fail_load)
		return -pf->fail_load;
	/* As the device of a file would: a wild page number is refused. */
	if (!xa_load(pages_of(pf), page))
		return -EIO;
	page_file_read(pf, page, buf);
	if (pf->corrupt)
		pf->corrupt(pf->corrupt_ctx, page, buf);
	return 0;
}

static int store(void *ctx, uint32_t page, const void *buf)
{
	struct page_file *pf = ctx;

	pf->stores++;
	if (pf->fail_store)
		return -pf->fail_store;
	page_file_write(pf, page, buf);
	return 0;
}

void page_file_open(struct page_file *pf)
{
	struct xarray *pages = malloc(sizeof(*pages));

	CHECK(pages, "no memory");
	xa_init(pages);
	memset(pf, 0, sizeof(*pf));
	pf->file = (FILE *)pages;
	pf->pager = (struct lindex_pager){ .load = load, .store = store, .ctx = pf };
}

void page_file_close(struct page_file *pf)
{
	unsigned long at;
	void *stored;

	xa_for_each(pages_of(pf), at, stored)
		free(stored);
	xa_destroy(pages_of(pf));
	free(pf->file);
}
