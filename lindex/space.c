/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A space: the arena that refs point into. Memory comes from the pool in lumps of 64 KiB to 2 MiB and
 * is cut into 4 KiB pages; a page has a 64-bit map of its units, and is filed in a bucket by its
 * largest hole, so that allocation is: lowest bucket that is large enough, first page, first hole.
 *
 *      dir -> mem[0]   mem[1]   ...            one per 64 KiB (per page in a paged space):
 *              |-> 1024 units                  what readers use
 *             chunk[0] chunk[1] ...
 *              |-> 16 page books               what the writer uses
 *
 *   S1  A page is in exactly one bucket if it is resident and has a hole, else in none.
 *   S2  A page with no unit in use is in buckets[0][64], and free_count counts these.
 *   S3  Inner nodes and leaves do not share a page (locality; few dirty pages per update).
 *   S4  Without may_use_held, an allocation leaves held free pages; with it, those promised to
 *       lindex_reserve()'s callers.
 *   S5  Unit 0 of page 0 is never given out: ref 0 is nothing.
 */
#include "internal.h"

#define PAGES_PER_CHUNK (1u << (LINDEX_CHUNK_SHIFT - LINDEX_PAGE_SHIFT))
#define CHUNK_BYTES     ((size_t)LINDEX_UNIT_BYTES << LINDEX_CHUNK_SHIFT)
#define LUMP_CHUNKS_MAX 32u /* 2 MiB: one huge page */

/* Starts of holes of @k >= 1 units: bit i is set if units i..i+k-1 are free. */
static uint64_t hole_starts(uint64_t used, uint32_t k)
{
	uint64_t f = ~used;
	uint32_t have = 1;

	while (have < k) {
		uint32_t shift = lindex_min32(have, k - have);

		f &= f >> shift;
		have += shift;
	}
	return f;
}

static uint8_t largest_hole(uint64_t used)
{
	uint64_t f = ~used, g;
	uint8_t k = 1, step;

	if (!f)
		return 0;
	/* Double while a hole of twice the size is left, then add smaller steps. */
	for (step = 1; step < 64 && (g = f & f >> step) != 0; step = (uint8_t)(step * 2)) {
		f = g;
		k = (uint8_t)(k * 2);
	}
	/* f has the starts of holes of k units; two that overlap make a hole of k + step. */
	for (step = k / 2; step; step /= 2) {
		g = f & f >> step;
		if (g) {
			f = g;
			k = (uint8_t)(k + step);
		}
	}
	return k;
}

struct lindex_page *lindex_space_page(const struct lindex_space *sp, uint32_t page)
{
	if (sp->paged)
		return &sp->books[page];
	return &sp->dir->chunk[page / PAGES_PER_CHUNK].pages[page % PAGES_PER_CHUNK];
}

void lindex_bucket_remove(struct lindex_space *sp, uint32_t page)
{
	struct lindex_page *b = lindex_space_page(sp, page);
	uint32_t *head = &sp->buckets[b->inner][b->bucket];

	if (!b->bucket)
		return;
	if (b->prev)
		lindex_space_page(sp, b->prev - 1)->next = b->next;
	else
		*head = b->next;
	if (b->next)
		lindex_space_page(sp, b->next - 1)->prev = b->prev;
	if (!*head)
		sp->nonempty[b->inner] &= ~(1ull << (b->bucket - 1));
	if (!b->used)
		sp->free_count--;
	b->bucket = 0;
	b->prev = b->next = 0;
}

void lindex_bucket_insert(struct lindex_space *sp, uint32_t page)
{
	struct lindex_page *b = lindex_space_page(sp, page);
	uint32_t *head;

	if (page < sp->build_first)
		return; /* lindex_paged_build_end() files it */
	if (!b->used) {
		b->inner = 0;
		sp->free_count++;
	}
	b->bucket = largest_hole(b->used);
	if (!b->bucket)
		return;
	head = &sp->buckets[b->inner][b->bucket];
	b->prev = 0;
	b->next = *head;
	if (*head)
		lindex_space_page(sp, *head - 1)->prev = page + 1;
	*head = page + 1;
	sp->nonempty[b->inner] |= 1ull << (b->bucket - 1);
}

/* ---- Lumps ------------------------------------------------------------------------------------- */

/* Room for @chunks directory entries. Readers may hold the old directory: it is retired. */
LINDEX_COLD int lindex_dir_room(struct lindex_space *sp, uint32_t chunks)
{
	struct lindex_dir *old = sp->dir, *dir;
	uint32_t len = old ? old->len : 0;

	if (chunks <= len)
		return 0;
	if (chunks > LINDEX_TERM >> sp->shift)
		return -ENOMEM;
	len = len * 2 > chunks ? len * 2 : chunks < 16 ? 16 : chunks;
	dir = lindex_pool_alloc(sp->pool, lindex_dir_bytes(len), 64);
	if (!dir)
		return -ENOMEM;
	memset(dir, 0, lindex_dir_bytes(len));
	dir->len = len;
	dir->chunk = (struct lindex_chunk *)(void *)(dir->mem + len);
	if (old) {
		memcpy(dir->mem, old->mem, old->len * sizeof(dir->mem[0]));
		memcpy(dir->chunk, old->chunk, old->len * sizeof(dir->chunk[0]));
		old->older = sp->limbo.retired_dirs;
		sp->limbo.retired_dirs = old;
	}
	lindex_store_release(&sp->dir, dir);
	return 0;
}

static int lumps_room(struct lindex_space *sp)
{
	uint32_t room = sp->lumps_room ? sp->lumps_room * 2 : 16;
	struct lindex_lump *lumps;

	if (sp->nlumps < sp->lumps_room)
		return 0;
	lumps = lindex_pool_alloc(sp->pool, room * sizeof(*lumps), 64);
	if (!lumps)
		return -ENOMEM;
	if (sp->lumps) {
		memcpy(lumps, sp->lumps, sp->nlumps * sizeof(*lumps));
		lindex_pool_release(sp->pool, sp->lumps, sp->lumps_room * sizeof(*lumps));
	}
	sp->lumps = lumps;
	sp->lumps_room = room;
	return 0;
}

/* A lump slot given back by trim whose chunk numbers are free again, or a new one at the end. */
static struct lindex_lump *lump_slot(struct lindex_space *sp, uint32_t chunks)
{
	uint32_t i;

	for (i = 0; i < sp->nlumps; i++)
		if (!sp->lumps[i].mem && sp->lumps[i].chunks == chunks)
			return &sp->lumps[i];
	if (lumps_room(sp) || lindex_dir_room(sp, sp->chunks + chunks))
		return NULL;
	sp->lumps[sp->nlumps] = (struct lindex_lump){ .first_chunk = sp->chunks, .chunks = chunks };
	sp->chunks += chunks;
	return &sp->lumps[sp->nlumps++];
}

static LINDEX_COLD int lump_add(struct lindex_space *sp, uint32_t chunks)
{
	size_t bytes = chunks * CHUNK_BYTES, books = chunks * PAGES_PER_CHUNK;
	struct lindex_lump *lump = lump_slot(sp, chunks);
	uint32_t i, page;

	if (!lump)
		return -ENOMEM;
	lump->mem = lindex_pool_alloc(sp->pool, bytes,
				      bytes == LUMP_CHUNKS_MAX * CHUNK_BYTES ? bytes :
									       LINDEX_PAGE_BYTES);
	if (!lump->mem)
		return -ENOMEM; /* the slot stays, to be used by the next lump of this size */
	lump->pages = lindex_pool_alloc(sp->pool, books * sizeof(struct lindex_page), 64);
	if (!lump->pages) {
		lindex_pool_release(sp->pool, lump->mem, bytes);
		lump->mem = NULL;
		return -ENOMEM;
	}
	if (sp->pool->flags & LINDEX_POOL_HUGE)
		lindex_port_want_huge(lump->mem, bytes);
	memset(lump->pages, 0, books * sizeof(struct lindex_page));
	lump->free_pages = (uint32_t)books;
	for (i = 0; i < chunks; i++) {
		struct lindex_chunk *c = &sp->dir->chunk[lump->first_chunk + i];

		c->pages = lump->pages + (size_t)i * PAGES_PER_CHUNK;
		c->lump = (uint32_t)(lump - sp->lumps);
		c->touched = 0;
		/* Readers come here only through refs that are published later. */
		sp->dir->mem[lump->first_chunk + i] = lump->mem + i * CHUNK_BYTES;
	}
	for (page = (lump->first_chunk + chunks) * PAGES_PER_CHUNK;
	     page-- > lump->first_chunk * PAGES_PER_CHUNK;) {
		if (!page)
			lindex_space_page(sp, 0)->used = 1; /* S5 */
		lindex_bucket_insert(sp, page);
	}
	return 0;
}

/* More memory: a sixteenth of what there is, in a power of two of chunks; less if that is refused. */
static LINDEX_COLD int space_grow(struct lindex_space *sp)
{
	uint32_t chunks = sp->pool->flags & LINDEX_POOL_HUGE ? LUMP_CHUNKS_MAX : 1;

	while (chunks < LUMP_CHUNKS_MAX && chunks * 32 <= sp->chunks)
		chunks *= 2;
	for (; chunks; chunks /= 2)
		if (!lump_add(sp, chunks))
			return 0;
	return -ENOMEM;
}

/* ---- Units -------------------------------------------------------------------------------------- */

static struct lindex_lump *page_lump(struct lindex_space *sp, uint32_t page)
{
	return sp->paged ? NULL : &sp->lumps[sp->dir->chunk[page / PAGES_PER_CHUNK].lump];
}

/* A page with a hole of @units, of the right sort; wholly free ones last. UINT32_MAX: none. */
static uint32_t page_with_hole(const struct lindex_space *sp, uint32_t units, bool inner)
{
	uint64_t fit = sp->nonempty[inner] & ~lindex_mask(units - 1);

	if (!inner)
		fit &= ~(1ull << 63);
	if (fit)
		return sp->buckets[inner][lindex_ctz64(fit) + 1] - 1;
	if (sp->free_count > (sp->may_use_held ? sp->promised : sp->held))
		return sp->buckets[0][64] - 1;
	return UINT32_MAX;
}

/* A wholly free page of a lump is put to use; with the first of a chunk, memory for all of it. */
static void page_begins(struct lindex_space *sp, uint32_t page)
{
	struct lindex_chunk *c = &sp->dir->chunk[page / PAGES_PER_CHUNK];

	sp->lumps[c->lump].free_pages--;
	if (!c->touched)
		lindex_port_want_now(sp->dir->mem[page / PAGES_PER_CHUNK], CHUNK_BYTES);
	c->touched = 1;
}

/** lindex_space_prefetch() - A leaf of @units is about to be allocated, most likely: fetch its lines. */
void lindex_space_prefetch(const struct lindex_space *sp, uint32_t units)
{
	uint32_t page = page_with_hole(sp, units, false), unit, i;

	if (page == UINT32_MAX)
		return;
	unit = lindex_ctz64(hole_starts(lindex_space_page(sp, page)->used, units));
	for (i = 0; i < units; i++)
		lindex_prefetch_write(lindex_addr(sp, page * LINDEX_PAGE_UNITS + unit + i));
}

static LINDEX_COLD int more_pages(struct lindex_space *sp)
{
	return sp->paged ? lindex_paged_grow(sp) : space_grow(sp);
}

/* @units of @page, which has a hole for them. */
static uint32_t units_of(struct lindex_space *sp, uint32_t page, uint32_t units, bool inner)
{
	struct lindex_page *b = lindex_space_page(sp, page);
	uint32_t unit;

	if (!b->used && !sp->paged)
		page_begins(sp, page);
	lindex_bucket_remove(sp, page);
	b->inner = inner;
	unit = lindex_ctz64(hole_starts(b->used, units));
	b->used |= lindex_mask(units) << unit;
	lindex_bucket_insert(sp, page);
	sp->used_units += units;
	if (sp->paged) {
		lindex_paged_dirty(sp, page * LINDEX_PAGE_UNITS);
		lindex_paged_starts(sp, page * LINDEX_PAGE_UNITS + unit, true);
	}
	return page * LINDEX_PAGE_UNITS + unit;
}

/** lindex_space_alloc() - @units in one page. Returns the ref, or 0 (sp->err). The bytes are not zeroed. */
uint32_t lindex_space_alloc(struct lindex_space *sp, uint32_t units, bool inner)
{
	uint32_t page = page_with_hole(sp, units, inner);

	sp->err = 0;
	if (page == UINT32_MAX) {
		sp->err = more_pages(sp);
		if (sp->err)
			return 0;
		page = page_with_hole(sp, units, inner);
		if (page == UINT32_MAX)
			return 0;
	}
	return units_of(sp, page, units, inner);
}

/** lindex_space_spare() - The same beside inner nodes, of memory that is there (unless @grow) and promised to nobody. */
uint32_t lindex_space_spare(struct lindex_space *sp, uint32_t units, bool grow)
{
	bool held = sp->may_use_held;
	uint32_t page;

	sp->may_use_held = false;
	page = page_with_hole(sp, units, true);
	if (page == UINT32_MAX && grow && !more_pages(sp))
		page = page_with_hole(sp, units, true);
	sp->may_use_held = held;
	return page == UINT32_MAX ? 0 : units_of(sp, page, units, true);
}

/** lindex_space_release() - Give units back. No reader may reach them. In a page of a pager they are zeroed. */
void lindex_space_release(struct lindex_space *sp, uint32_t ref, uint32_t units)
{
	uint32_t page = ref / LINDEX_PAGE_UNITS, unit = ref % LINDEX_PAGE_UNITS;
	struct lindex_page *b = lindex_space_page(sp, page);

	if (sp->paged) {
		memset(lindex_addr(sp, ref), 0, (size_t)units * LINDEX_UNIT_BYTES);
		lindex_paged_starts(sp, ref, false);
	}
	lindex_bucket_remove(sp, page);
	b->used &= ~(lindex_mask(units) << unit);
	lindex_bucket_insert(sp, page);
	if (!b->used && !sp->paged)
		page_lump(sp, page)->free_pages++;
	sp->used_units -= units;
	if (sp->paged) {
		if (b->used)
			lindex_paged_dirty(sp, ref);
		else
			lindex_paged_emptied(sp, page);
	}
}

/** lindex_space_hold() - Have at least @pages wholly free pages, and keep them for who may use them. */
LINDEX_COLD int lindex_space_hold(struct lindex_space *sp, uint32_t pages)
{
	int err = 0;

	while (sp->free_count < pages && !err)
		err = more_pages(sp);
	if (!err)
		sp->held = pages;
	return err;
}

/* Give back lumps without a unit in use, while more than the held pages stay. After a grace period. */
LINDEX_COLD void lindex_space_trim(struct lindex_space *sp)
{
	uint32_t i, page;

	for (i = 0; i < sp->nlumps; i++) {
		struct lindex_lump *lump = &sp->lumps[i];
		uint32_t pages = lump->chunks * PAGES_PER_CHUNK;

		if (!lump->mem || lump->free_pages < pages || !lump->first_chunk ||
		    sp->free_count < sp->held + pages)
			continue;
		for (page = 0; page < pages; page++)
			lindex_bucket_remove(sp, lump->first_chunk * PAGES_PER_CHUNK + page);
		for (page = 0; page < lump->chunks; page++) {
			sp->dir->mem[lump->first_chunk + page] = NULL;
			sp->dir->chunk[lump->first_chunk + page].pages = NULL;
		}
		lindex_pool_release(sp->pool, lump->mem, lump->chunks * CHUNK_BYTES);
		lindex_pool_release(sp->pool, lump->pages, pages * sizeof(struct lindex_page));
		lump->mem = NULL;
		lump->pages = NULL;
	}
}

/* ---- Compaction --------------------------------------------------------------------------------- */

/** lindex_space_bytes() - Bytes of lumps held. */
uint64_t lindex_space_bytes(const struct lindex_space *sp)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < sp->nlumps; i++)
		bytes += sp->lumps[i].mem ? sp->lumps[i].chunks * (uint64_t)CHUNK_BYTES : 0;
	return bytes;
}

/** lindex_space_fresh() - From now allocate from new lumps only; what is free now is set aside in @stash. */
LINDEX_COLD void lindex_space_fresh(struct lindex_space *sp, struct lindex_stash *stash)
{
	memcpy(stash->buckets, sp->buckets, sizeof(stash->buckets));
	memcpy(stash->nonempty, sp->nonempty, sizeof(stash->nonempty));
	stash->free_count = sp->free_count;
	stash->held = sp->held;
	memset(sp->buckets, 0, sizeof(sp->buckets));
	memset(sp->nonempty, 0, sizeof(sp->nonempty));
	sp->free_count = sp->held = 0;
}

/* The list of @b behind the list of @a, both of pages in the same bucket. Returns its head. */
static uint32_t bucket_join(struct lindex_space *sp, uint32_t a, uint32_t b)
{
	uint32_t tail = a;

	if (!a || !b)
		return a ? a : b;
	while (lindex_space_page(sp, tail - 1)->next)
		tail = lindex_space_page(sp, tail - 1)->next;
	lindex_space_page(sp, tail - 1)->next = b;
	lindex_space_page(sp, b - 1)->prev = tail;
	return a;
}

/** lindex_space_mixed() - What was set aside is free to use again. */
LINDEX_COLD void lindex_space_mixed(struct lindex_space *sp, const struct lindex_stash *stash)
{
	uint32_t sort, hole;

	for (sort = 0; sort < 2; sort++) {
		for (hole = 1; hole <= 64; hole++)
			sp->buckets[sort][hole] = bucket_join(sp, sp->buckets[sort][hole],
							      stash->buckets[sort][hole]);
		sp->nonempty[sort] |= stash->nonempty[sort];
	}
	sp->free_count += stash->free_count;
	sp->held = stash->held;
}

/* ---- Life cycle --------------------------------------------------------------------------------- */

int lindex_space_create(struct lindex_pool *pool, struct lindex_space **space)
{
	struct lindex_space *sp = lindex_pool_alloc(pool, sizeof(*sp), 64);

	if (!sp)
		return -ENOMEM;
	memset(sp, 0, sizeof(*sp));
	sp->pool = pool;
	sp->shift = LINDEX_CHUNK_SHIFT;
	*space = sp;
	return 0;
}

static void dirs_free(struct lindex_space *sp, struct lindex_dir *dir)
{
	while (dir) {
		struct lindex_dir *older = dir->older;

		lindex_pool_release(sp->pool, dir, lindex_dir_bytes(dir->len));
		dir = older;
	}
}

void lindex_space_free_dirs(struct lindex_space *sp, struct lindex_dir **dirs)
{
	dirs_free(sp, *dirs);
	*dirs = NULL;
}

LINDEX_COLD void lindex_space_free(struct lindex_space *sp)
{
	uint32_t i;

	for (i = 0; i < sp->nlumps; i++) {
		struct lindex_lump *lump = &sp->lumps[i];

		if (!lump->mem)
			continue;
		lindex_pool_release(sp->pool, lump->mem, lump->chunks * CHUNK_BYTES);
		lindex_pool_release(sp->pool, lump->pages,
				    lump->chunks * PAGES_PER_CHUNK * sizeof(struct lindex_page));
	}
	if (sp->lumps)
		lindex_pool_release(sp->pool, sp->lumps, sp->lumps_room * sizeof(*sp->lumps));
	lindex_space_free_dirs(sp, &sp->limbo.retired_dirs);
	lindex_space_free_dirs(sp, &sp->limbo.waiting_dirs);
	if (sp->dir)
		sp->dir->older = NULL;
	dirs_free(sp, sp->dir);
	lindex_pool_release(sp->pool, sp, sizeof(*sp));
}
