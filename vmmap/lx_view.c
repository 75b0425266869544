/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Looking at a learned page table: bytes, what hardware would read, check, dump.
 */
#include "lx.h"

#include <string.h>

#include "text.h"

/* Address spaces of what a walk reads, as vmmap_hardware_walk() shows them. */
#define AT_OWN    UINT64_C(0)
#define AT_BASE   (UINT64_C(1) << 44)
#define AT_HEADER (UINT64_C(2) << 44)
#define AT_LINES  (UINT64_C(3) << 44)
#define AT_PARTS  (UINT64_C(1) << 56)

#define PARTS_SHIFT 8u /* a line has at most 256 parts */

#define CACHE_MODELS 1u
#define MODEL_BYTES  16u
#define TOUCHES      24u

/* A linear run this long is a model of its own: {first, last, frame}; shorter ones share their leaf's. */
#define MODEL_RUN 4096u

/* ---- Bytes --------------------------------------------------------------------------------------------- */

static uint64_t layer_footprint(const struct lx *t, const struct lx_layer *layer,
				struct vmmap_footprint *f)
{
	struct lindex_stats st;
	uint64_t index, frames = 0;

	lindex_get_stats(layer->ix, &st);
	/* A header of one line; up to three runs are in it. */
	index = PACKED_LINE_BYTES + st.runs * (st.nodes ? 0 : sizeof(struct lindex_run)) +
		st.node_bytes + layer->n * (sizeof(struct packed) + sizeof(struct packed *));
	for (uint32_t i = 0; i < layer->n; i++) {
		const struct packed *p = layer->regions[i];
		uint64_t bytes = (uint64_t)p->nlines * PACKED_LINE_BYTES;

		frames += bytes + p->parts_bytes;
		index += p->runs ? packed_ad_pieces(p) * sizeof(*p->ad) : 0;
		if (p->owner == t->serial) {
			f->ad_bytes += vmmap_packed_ad_bytes(p);
			f->ad_bytes_max += vmmap_packed_ad_bytes_max(p);
		}
		f->largest_bytes = bytes > f->largest_bytes ? bytes : f->largest_bytes;
	}
	f->index_bytes += index;
	f->frame_bytes += frames;
	return index + frames;
}

/* Pages whose bits are in the side array: blocks, by size of page, if every page were marked. */
struct blocks {
	uint64_t last[AD_SIZES], n[AD_SIZES];
};

static void count_blocks(struct blocks *b, const struct lindex_run *run)
{
	unsigned int shift = lx_tag_shift(run->tag) - VMMAP_PAGE_SHIFT, i = shift / 9;
	uint64_t from = (run->first >> shift) / AD_CHUNK_PAGES;
	uint64_t to = (run->last >> shift) / AD_CHUNK_PAGES;

	if (b->n[i] && from <= b->last[i])
		from = b->last[i] + 1;
	if (to < from)
		return;
	b->n[i] += to - from + 1;
	b->last[i] = to;
}

void vmmap_lx_footprint(const void *table, struct vmmap_footprint *f)
{
	const struct lx *t = table;
	const struct lx_view *view = lx_view(t);
	struct lx_hints *h = atomic_load(&((struct lx *)t)->hints);
	struct lx_ids *ids = atomic_load(&((struct lx *)t)->ids);
	const struct lx_layer *layers[] = { view->own, view->base };
	struct blocks blocks = { 0 };

	*f = (struct vmmap_footprint){ .largest_bytes = LINDEX_PAGE_BYTES };
	layer_footprint(t, view->own, f);
	if (view->base)
		f->shared_bytes = layer_footprint(t, view->base, f);
	if (h != lx_no_hints(t))
		f->index_bytes += (h->mask + 1) * sizeof(uint64_t);
	f->index_bytes += ids->room * sizeof(struct packed *);
	f->ad_bytes += vmmap_ad_bytes(&t->ad);
	for (unsigned int i = 0; i < 2 && layers[i]; i++) {
		struct lindex_cursor cur;
		struct lindex_run run;

		memset(blocks.last, 0, sizeof(blocks.last));
		lindex_cursor_init(&cur, layers[i]->ix, 0);
		while (!lindex_cursor_next(&cur, &run))
			if (!(run.tag & (LX_TAG_PACKED | LX_TAG_UNMAPPED)) ||
			    (run.tag & LX_TAG_PACKED &&
			     lx_region(t, run.value)->owner != t->serial))
				count_blocks(&blocks, &run);
	}
	/* A block, and its slot in the node above. */
	for (unsigned int i = 0; i < AD_SIZES; i++)
		f->ad_bytes_max += blocks.n[i] *
				   (sizeof(struct vmmap_ad_block) + sizeof(uintptr_t));
}

/* ---- What hardware would read ------------------------------------------------------------------------------ */

/* The lines of one directory; returns the number of steps. The leaf's lines go in parallel: its line is predicted. */
static int walk_directory(const struct lx_layer *layer, uint64_t at, vmmap_vpn_t vpn,
			  struct lindex_run *run, struct vmmap_step *steps, int n, int *leaf)
{
	struct lindex_touch touches[TOUCHES];
	uint8_t group = n ? (uint8_t)(steps[n - 1].group + 1) : 0;
	size_t lines;
	int err = lindex_trace(layer->ix, vpn, run, touches, TOUCHES, &lines);

	(void)err;
	*leaf = -1;
	steps[n++] = (struct vmmap_step){
		.addr = AT_HEADER + at, .bytes = 64, .level = 9, .group = group++
	};
	for (size_t i = 0; i < lines && n < VMMAP_STEPS_MAX - 2; i++) {
		bool in_leaf = touches[i].level == 0;

		if (in_leaf && *leaf < 0)
			*leaf = n;
		steps[n] = (struct vmmap_step){ .addr = at + touches[i].offset,
						.bytes = 64,
						.level = (uint8_t)(touches[i].level + 2),
						.group = group };
		group = (uint8_t)(group + !in_leaf);
		n++;
	}
	return n;
}

static void cached(struct vmmap_step *step, uint64_t key)
{
	step->cache = CACHE_MODELS;
	step->cached_bytes = MODEL_BYTES;
	step->key = key;
}

/*
 * A model leads to a region, or is a long run itself, or leads to a node below and says which line of it: the last line that was read
 * of each node gives the model of the next.
 */
static void cache_model(struct vmmap_step *steps, int n, int leaf, const struct lindex_run *run,
			const struct packed *p)
{
	for (int i = 1; i < n; i++)
		if (steps[i].level < steps[i - 1].level)
			cached(&steps[i - 1], steps[i].addr / LINDEX_PAGE_BYTES << 2 | 3);
	if (p)
		cached(&steps[n - 1], p->addr << 2);
	else if (leaf < 0 || run->last - run->first + 1 >= MODEL_RUN)
		cached(&steps[n - 1], run->first << 2 | 1);
	else
		cached(&steps[leaf - 1], steps[leaf].addr << 2 | 2);
}

/* The line of a page in a region, and the part of it if it is divided. */
static int walk_lines(const struct packed *p, vmmap_vpn_t vpn, struct vmmap_step *steps, int n)
{
	struct packed_place at = packed_place(p, vpn);
	uint64_t addr = p->addr + (uint64_t)(at.line - p->lines) * sizeof(uint64_t);
	uint64_t word0 = runline_word(at.line, 0);

	steps[n] = (struct vmmap_step){ .addr = AT_LINES + addr,
					.bytes = PACKED_LINE_BYTES,
					.group = (uint8_t)(steps[n - 1].group + 1) };
	if (!p->runs || !runline_divided(word0))
		return n + 1;
	steps[n].level = 2;
	steps[n + 1] = steps[n];
	/* Addresses of parts are not kept: a line's parts lie where no other's do. */
	steps[n + 1].addr = AT_PARTS + (addr << PARTS_SHIFT) +
			    (uint64_t)(uint8_t)((at.index >> (word0 & 0xff)) +
						addr / PACKED_LINE_BYTES) *
				    PACKED_LINE_BYTES;
	steps[n + 1].group++;
	return n + 2;
}

int vmmap_lx_walk(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps)
{
	const struct lx *t = table;
	const struct lx_view *view = lx_view(t);
	struct packed *p = NULL;
	struct lindex_run run;
	struct lx_spot spot;
	int n, leaf;

	vmmap_lx_find(t, vpn, &spot);
	n = walk_directory(view->own, AT_OWN, vpn, &run, steps, 0, &leaf);
	if (view->base && (!run.mapped || (!spot.own && !(run.tag & LX_TAG_UNMAPPED)))) {
		n = n < 12 ? n : 12;
		n = walk_directory(view->base, AT_BASE, vpn, &run, steps, n, &leaf);
	}
	if (!run.mapped || run.tag & LX_TAG_UNMAPPED)
		return n;
	p = run.tag & LX_TAG_PACKED ? lx_region(t, run.value) : NULL;
	cache_model(steps, n, leaf, &run, p);
	if (p)
		n = walk_lines(p, vpn, steps, n);
	steps[n - 1].level = 1;
	return n;
}

/* ---- Check --------------------------------------------------------------------------------------------------- */

static int wrong(struct lindex_reason *why, const char *text, vmmap_vpn_t vpn, uint64_t expected,
		 uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){
			.text = text, .key = vpn, .expected = expected, .found = found
		};
	return -EUCLEAN;
}

static bool in_layer(const struct lx_layer *layer, const struct packed *p)
{
	for (uint32_t i = 0; layer && i < layer->n; i++)
		if (layer->regions[i] == p)
			return true;
	return false;
}

static int check_run(const struct lx *t, const struct lindex_run *run, struct lindex_reason *why)
{
	const struct lx_view *view = lx_view(t);
	uint64_t size = vmmap_shift_pages(lx_tag_shift(run->tag));
	const struct packed *p;

	if (run->last >= t->vpn_end)
		return wrong(why, "lindex: a run beyond the last page", run->first, t->vpn_end,
			     run->last);
	if (run->tag & LX_TAG_UNMAPPED)
		return view->base ? 0 :
				    wrong(why, "lindex: an unmapped run hides nothing", run->first,
					  0, run->tag);
	if (!(run->tag & VMMAP_PROT_READ))
		return wrong(why, "lindex: a run without READ", run->first, 1, run->tag);
	if (!(run->tag & LX_TAG_PACKED))
		return (run->first | run->value | (run->last + 1)) % size ?
			       wrong(why, "lindex: a huge run is not aligned", run->first, size,
				     run->value) :
			       0;
	p = lx_region(t, run->value);
	if (!p || !(in_layer(view->own, p) || in_layer(view->base, p)))
		return wrong(why, "lindex: a run leads to no region", run->first, 0, run->value);
	if (run->first < p->first || run->last - p->first >= p->pages ||
	    LX_PAGE(run->value) != run->first - p->first)
		return wrong(why, "lindex: a run leads to other pages of its region", run->first,
			     run->first - p->first, LX_PAGE(run->value));
	return 0;
}

/* L6, by counting anew; and the lines. */
static int check_region(const struct lx *t, struct packed *p, struct lindex_reason *why)
{
	vmmap_vpn_t at = p->first, last = p->first + p->pages - 1;
	uint32_t covered = 0, live = 0;
	struct lindex_run run;

	for (; at <= last; at = run.last + 1) {
		vmmap_vpn_t to;

		lindex_lookup(lx_view(t)->own->ix, at, &run);
		to = run.last < last ? run.last : last;
		if (run.tag & LX_TAG_PACKED && lx_region(t, run.value) == p) {
			covered += (uint32_t)(to - at + 1);
			live += vmmap_packed_live(p, at, to);
		}
		if (run.last >= last)
			break;
	}
	for (uint32_t i = 0; p->runs && i < p->nlines; i++) {
		const char *text = vmmap_runline_check(packed_line(p, i), packed_runs(p),
						       packed_line_pages(p, i));

		if (text)
			return wrong(why, text, p->first + (uint64_t)i * p->per, 0, i);
	}
	if (covered != p->covered)
		return wrong(why, "lindex: L6, covered", p->first, covered, p->covered);
	if (live != p->live)
		return wrong(why, "lindex: L6, live", p->first, live, p->live);
	if (!covered && t->job.to != p)
		return wrong(why, "lindex: nothing leads to a region", p->first, 1, 0);
	return 0;
}

/* L4, page by page. */
static int check_hint(const struct lx *t, uint64_t e, vmmap_vpn_t slot, uint64_t mask,
		      struct lindex_reason *why)
{
	struct packed *p = (struct packed *)(uintptr_t)(e >> 23 << 6);

	for (vmmap_vpn_t vpn = p->first; vpn < p->first + p->pages; vpn++) {
		struct lx_spot spot;

		if ((vpn >> LX_HINT_SHIFT & mask) != slot) {
			vpn |= (1u << LX_HINT_SHIFT) - 1; /* to the next window */
			continue;
		}
		vmmap_lx_find(t, vpn, &spot);
		if (spot.region != p && !(lx_view(t)->base && in_layer(lx_view(t)->own, p)))
			return wrong(why, "lindex: L4, another region", vpn, p->id,
				     spot.region ? spot.region->id : UINT64_MAX);
		if (spot.region == p && spot.piece.prot && spot.piece.prot != (uint8_t)e)
			return wrong(why, "lindex: L4, another prot", vpn, spot.piece.prot,
				     (uint8_t)e);
	}
	return 0;
}

int vmmap_lx_check(void *table, struct lindex_reason *why)
{
	const struct lx *t = table;
	const struct lx_view *view = lx_view(t);
	struct lx_hints *h = atomic_load(&((struct lx *)t)->hints);
	int err = lindex_check(view->own->ix, why);

	for (unsigned int i = 0; i < 2 && !err; i++) {
		struct lindex_cursor cur;
		struct lindex_run run;

		if (i && !view->base)
			break;
		lindex_cursor_init(&cur, i ? view->base->ix : view->own->ix, 0);
		while (!err && !lindex_cursor_next(&cur, &run))
			err = check_run(t, &run, why);
	}
	for (uint32_t i = 0; i < view->own->n && !err; i++)
		err = check_region(t, view->own->regions[i], why);
	for (uint64_t i = 0; h != lx_no_hints(t) && i <= h->mask && !err; i++) {
		uint64_t e = atomic_load(&h->at[i]);

		err = e ? check_hint(t, e, i, h->mask, why) : 0;
	}
	return err;
}

/* ---- Dump ----------------------------------------------------------------------------------------------------- */

static int dump_layer(const struct lx *t, const char *name, const struct lx_layer *layer,
		      const struct lindex_sink *sink)
{
	struct lindex_cursor cur;
	struct lindex_run run;
	int err = text_line(sink, "%s: %" PRIu32 " regions, %" PRIu32 " spaces", name, layer->n,
			    layer->refs);

	for (uint32_t i = 0; i < layer->n && !err; i++) {
		const struct packed *p = layer->regions[i];

		err = text_line(sink,
				"  region %" PRIu32 " vpn %" PRIx64 " pages %" PRIu32
				" bits %u per line %u%s f0 %" PRIx64 " covered %" PRIu32
				" live %" PRIu32,
				p->id, p->first, p->pages, p->w, p->per,
				p->runs ? " in runs" :
				p->unit ? " huge" :
					  "",
				p->f0, p->covered, p->live);
	}
	lindex_cursor_init(&cur, layer->ix, 0);
	while (!err && !lindex_cursor_next(&cur, &run)) {
		if (run.tag & LX_TAG_PACKED)
			err = text_line(sink,
					"  run %" PRIx64 "-%" PRIx64 " prot %02x region %u page %u",
					run.first, run.last, run.tag & LX_TAG_PROT,
					LX_ID(run.value), LX_PAGE(run.value));
		else
			err = text_line(sink, "  run %" PRIx64 "-%" PRIx64 " prot %02x %s %" PRIx64,
					run.first, run.last, run.tag & LX_TAG_PROT,
					run.tag & LX_TAG_UNMAPPED ? "unmapped" : "frame",
					run.value);
	}
	(void)t;
	return err;
}

int vmmap_lx_dump(const void *table, const struct lindex_sink *sink)
{
	const struct lx *t = table;
	const struct lx_view *view = lx_view(t);
	int err = dump_layer(t, "own", view->own, sink);

	return err || !view->base ? err : dump_layer(t, "base", view->base, sink);
}
