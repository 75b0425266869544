/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Saving and opening images (format: image.h).
 *
 * Saving builds the index anew from its runs, twice: first to learn how many pages of leaves there will
 * be, because inner nodes lie behind them and refs are needed at once; then for real. Leaf pages are
 * passed on as they fill; only inner pages and checksums are kept, about a fiftieth.
 */
#include "hash.h"
#include "image.h"
#include "internal.h"
#include "scratch.h"

#define PIECE_PAGES 16u

/* Pages kept in memory, in pieces: no large allocation, no copying. */
struct piece {
	struct piece *next;
	uint8_t page[PIECE_PAGES][LINDEX_PAGE_BYTES] LINDEX_ALIGNED(64);
};

struct piece_list {
	struct piece *first, *last;
	uint32_t pages;
};

struct image_writer {
	struct lindex *ix;
	struct lindex_pool *pool;
	const struct lindex_sink *sink; /* NULL: only count */
	uint32_t leaf_pages, leaf_unit; /* the current page, from 1; units used in it */
	uint32_t inner_unit;
	uint32_t inner_first; /* page that inner pages begin at */
	struct piece_list inner, sums;
	uint32_t nsums;
	uint64_t nodes, runs;
	int err;
	uint8_t leaf[LINDEX_PAGE_BYTES] LINDEX_ALIGNED(64);
	uint8_t unused[LINDEX_PAGE_BYTES] LINDEX_ALIGNED(
		64); /* counting: where nodes go that nobody will see */
};

static uint8_t *piece_page(struct image_writer *w, struct piece_list *list)
{
	uint32_t at = list->pages % PIECE_PAGES;

	if (!at) {
		struct piece *p = lindex_index_alloc(w->ix, sizeof(*p));

		if (!p)
			return NULL;
		memset(p, 0, sizeof(*p));
		if (list->last)
			list->last->next = p;
		else
			list->first = p;
		list->last = p;
	}
	list->pages++;
	return list->last->page[at];
}

static void piece_free(struct image_writer *w, struct piece_list *list)
{
	while (list->first) {
		struct piece *next = list->first->next;

		lindex_pool_release(w->pool, list->first, sizeof(*list->first));
		list->first = next;
	}
	list->last = NULL;
	list->pages = 0;
}

static uint8_t *last_page(const struct piece_list *list)
{
	return list->last->page[(list->pages - 1) % PIECE_PAGES];
}

/* Note the checksum of a finished page; pass it on. */
static int emit_page(struct image_writer *w, const void *page)
{
	struct lindex_image_sums *sums;

	if (w->nsums % LINDEX_IMAGE_SUMS == 0 && !piece_page(w, &w->sums))
		return -ENOMEM;
	sums = (struct lindex_image_sums *)last_page(&w->sums);
	sums->sum[w->nsums++ % LINDEX_IMAGE_SUMS] = lindex_to64(
		lindex_hash(page, LINDEX_PAGE_BYTES));
	return w->sink->write(w->sink->ctx, page, LINDEX_PAGE_BYTES);
}

static int end_leaf_page(struct image_writer *w)
{
	int err = w->sink && w->leaf_pages ? emit_page(w, w->leaf) : 0;

	memset(w->leaf, 0, sizeof(w->leaf));
	return err;
}

static void *place_leaf(struct image_writer *w, uint32_t units, uint32_t *ref)
{
	if (!w->leaf_pages || w->leaf_unit + units > LINDEX_PAGE_UNITS) {
		w->err = end_leaf_page(w);
		if (w->err)
			return NULL;
		w->leaf_pages++;
		w->leaf_unit = 0;
	}
	*ref = w->leaf_pages * LINDEX_PAGE_UNITS + w->leaf_unit;
	w->leaf_unit += units;
	return w->leaf + (size_t)(w->leaf_unit - units) * LINDEX_UNIT_BYTES;
}

static void *place_inner(struct image_writer *w, uint32_t units, uint32_t *ref)
{
	if (!w->inner.pages || w->inner_unit + units > LINDEX_PAGE_UNITS) {
		if (!w->sink)
			w->inner.pages++; /* counting: no page is kept */
		else if (!piece_page(w, &w->inner))
			return NULL;
		w->inner_unit = 0;
	}
	*ref = (w->inner_first + w->inner.pages - 1) * LINDEX_PAGE_UNITS + w->inner_unit;
	w->inner_unit += units;
	if (!w->sink)
		return w->unused;
	return last_page(&w->inner) + (size_t)(w->inner_unit - units) * LINDEX_UNIT_BYTES;
}

static void *image_place(void *ctx, uint32_t units, bool inner, uint32_t *ref)
{
	struct image_writer *w = ctx;

	w->nodes++;
	return inner ? place_inner(w, units, ref) : place_leaf(w, units, ref);
}

struct push_ctx {
	struct lindex_builder *b;
	struct image_writer *w;
};

static int push_run(void *ctx, const struct lindex_run *run)
{
	struct push_ctx *p = ctx;

	p->w->runs++;
	return lindex_builder_push(p->b, run);
}

/* One pass of the builder over all runs. */
static int image_pass(struct lindex *ix, struct image_writer *w, uint64_t *root,
		      struct lindex_slot *slot)
{
	struct lindex_place to = { image_place, w };
	struct push_ctx push = { .w = w };
	int err = lindex_builder_create(ix, &to, 0, &push.b);

	if (err)
		return err;
	w->leaf_pages = w->leaf_unit = w->inner_unit = w->nsums = 0;
	w->inner.pages = 0;
	w->nodes = w->runs = 0;
	w->err = 0;
	memset(w->leaf, 0, sizeof(w->leaf));
	err = lindex_each_run(ix, push_run, &push);
	if (!err)
		err = lindex_builder_finish(push.b, root, slot);
	if (!err)
		err = end_leaf_page(w);
	lindex_builder_free(push.b);
	return w->err ? w->err : err;
}

static int write_header(struct lindex *ix, const struct lindex_sink *sink,
			const struct image_writer *w, uint64_t root, const struct lindex_slot *slot,
			struct lindex_image_header *h)
{
	uint32_t node_pages = w->leaf_pages + w->inner.pages,
		 sums = lindex_image_sum_pages(node_pages), i;

	memset(h, 0, sizeof(*h));
	h->magic = lindex_to64(LINDEX_IMAGE_MAGIC);
	h->version = lindex_to32(LINDEX_IMAGE_VERSION);
	h->page_bytes = lindex_to32(LINDEX_PAGE_BYTES);
	h->epsilon = lindex_to32(ix->epsilon);
	h->node_bytes = lindex_to32(ix->leaf_units * LINDEX_UNIT_BYTES);
	h->pages = lindex_to32(1 + node_pages + sums);
	h->leaf_pages = lindex_to32(w->leaf_pages);
	h->inner_pages = lindex_to32(w->inner.pages);
	h->sum_pages = lindex_to32(sums);
	h->root = lindex_to64(root);
	h->runs = lindex_to64(w->nodes ? w->runs : slot->n);
	h->nodes = lindex_to64(w->nodes);
	for (i = 0; i < slot->n; i++) {
		h->inline_runs[i].first = lindex_to64(slot->runs[i].first);
		h->inline_runs[i].last = lindex_to64(slot->runs[i].last);
		h->inline_runs[i].value = lindex_to64(slot->runs[i].value);
		h->inline_runs[i].tag = lindex_to16(slot->runs[i].tag);
		h->inline_runs[i].step = slot->runs[i].step;
	}
	h->checksum = lindex_to64(lindex_hash(h, LINDEX_IMAGE_SUMMED));
	return sink->write(sink->ctx, h, sizeof(*h));
}

static int write_kept(struct image_writer *w)
{
	const struct piece *p;
	uint32_t i, left = w->inner.pages;
	int err = 0;

	for (p = w->inner.first; p; p = p->next)
		for (i = 0; i < PIECE_PAGES && left && !err; i++, left--)
			err = emit_page(w, p->page[i]);
	left = w->sums.pages;
	for (p = w->sums.first; p; p = p->next)
		for (i = 0; i < PIECE_PAGES && left && !err; i++, left--) {
			struct lindex_image_sums *s = (struct lindex_image_sums *)(uintptr_t)
							      p->page[i];

			s->checksum = lindex_to64(lindex_hash(s, LINDEX_IMAGE_SUMMED));
			err = w->sink->write(w->sink->ctx, s, sizeof(*s));
		}
	return err;
}

int lindex_save(struct lindex *ix, const struct lindex_sink *sink)
{
	struct image_writer *w = lindex_index_alloc(ix, sizeof(*w));
	struct lindex_slot slot;
	uint64_t root = 0;
	int err;

	if (!w)
		return lindex_no_memory(ix->space);
	memset(w, 0, sizeof(*w));
	w->ix = ix;
	w->pool = ix->pool;
	err = image_pass(ix, w, &root, &slot);
	if (err)
		goto out;
	w->inner_first = 1 + w->leaf_pages;
	if (!(root & LINDEX_ROOT_INLINE) && lindex_root_level(root))
		root += w->inner_first *
			LINDEX_PAGE_UNITS; /* counted from page 0 in the first pass */
	err = write_header(ix, sink, w, root, &slot, (struct lindex_image_header *)w->unused);
	if (err)
		goto out;
	w->sink = sink;
	err = image_pass(ix, w, &root, &slot);
	if (!err)
		err = write_kept(w);
out:
	piece_free(w, &w->inner);
	piece_free(w, &w->sums);
	lindex_pool_release(ix->pool, w, sizeof(*w));
	return err == -ENOMEM ? lindex_no_memory(ix->space) : err;
}

/* ---- Open ------------------------------------------------------------------------------------------------ */

/* The caller's bytes as an arena. */
static int image_dir(struct lindex_space *sp, const void *bytes, uint32_t pages)
{
	uint32_t chunks = (pages + (1u << (LINDEX_CHUNK_SHIFT - LINDEX_PAGE_SHIFT)) - 1) >>
			  (LINDEX_CHUNK_SHIFT - LINDEX_PAGE_SHIFT),
		 i;
	int err = lindex_dir_room(sp, chunks);

	for (i = 0; !err && i < chunks; i++)
		sp->dir->mem[i] = (uint8_t *)(uintptr_t)bytes +
				  ((size_t)i * LINDEX_UNIT_BYTES << LINDEX_CHUNK_SHIFT);
	return err;
}

int lindex_open_image(struct lindex_pool *pool, const void *bytes, size_t len,
		      const struct lindex_limits *limits, struct lindex_cert *cert,
		      struct lindex_reason *why, struct lindex **out)
{
	const struct lindex_image_header *h = bytes;
	struct lindex_config cfg = { 0 };
	struct lindex_cert found;
	struct lindex *ix;
	uint32_t i;
	int err;

	if ((uintptr_t)bytes % LINDEX_UNIT_BYTES)
		return -EINVAL;
	err = lindex_certify(bytes, len, limits, &found, why);
	if (err)
		return err;
	cfg.epsilon = lindex_from32(h->epsilon);
	cfg.node_bytes = lindex_from32(h->node_bytes);
	err = lindex_new(pool, &cfg, &ix);
	if (err)
		return err;
	ix->flags = LINDEX_IX_READONLY | LINDEX_IX_IMAGE;
	err = lindex_space_create(pool, &ix->space);
	if (err) {
		ix->space = NULL;
		goto fail;
	}
	err = image_dir(ix->space, bytes, lindex_from32(h->pages));
	if (err)
		goto fail;
	ix->root = lindex_from64(h->root);
	if (ix->root & LINDEX_ROOT_INLINE) {
		ix->slot[0].n = (uint32_t)lindex_from64(h->runs);
		for (i = 0; i < ix->slot[0].n; i++)
			lindex_term_run(&h->inline_runs[i], &ix->slot[0].runs[i]);
	}
	if (cert)
		*cert = found;
	*out = ix;
	return 0;

fail:
	lindex_free(ix);
	return err;
}

/** lindex_image_forget() - Give back what lindex_open_image() made beside the index. */
void lindex_image_forget(struct lindex *ix)
{
	if (ix->space)
		lindex_space_free(ix->space);
}
