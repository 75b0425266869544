/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The learned page table: parts that its files share. Private to the lindex backend.
 *
 *     hint (windows of 4,096 pages) ------------------------------+
 *                                                                 v
 *     own directory (lindex) --+-- linear run: frame       packed region: lines of 64 bytes,
 *        | hole                +-- packed run: region, slot ----> codes and accessed bits
 *        v                     +-- unmapped run: hides the base
 *     base directory (lindex), read-only, shared after a fork
 *
 * The directory learns the virtual side: few runs, each either *linear* (frames are consecutive: the run is the translation)
 * or *packed* (frames are scattered: the run leads to a region). What does not fit a region (another prot, a huge page, a page
 * written after a fork) is a run of its own in front of it: exceptions need no mechanism of their own.
 *
 * L1  A page is what the own directory says; where that says nothing (a hole, or code 0 in a region), what the base says.
 * L2  Regions at home in the own layer are changed in place; all others never change.
 * L3  Pages of the base are COW unless SHARED; where the tag says COW, then, too.
 * L4  A hint names a region and a prot: in its window, all pages of the region's range are in the region, with that prot.
 * L5  Region ids are given out again only when readers are gone.
 * L6  covered and live of a region at home in the own layer count what the own directory leads to.
 */
#ifndef VMMAP_LX_H
#define VMMAP_LX_H

#include "ad.h"
#include "packed.h"

/* Tags of runs: prot, size, kind. Linear runs have neither kind bit. */
#define LX_TAG_PROT     0x00ffu
#define LX_TAG_2M       0x0100u
#define LX_TAG_1G       0x0200u
#define LX_TAG_PACKED   0x0400u
#define LX_TAG_UNMAPPED 0x0800u

/* Value of a packed run: region and page in it. */
#define LX_PAGE(value) ((uint32_t)((value) & (PACKED_MAX_PAGES - 1)))
#define LX_ID(value)   ((uint32_t)((value) >> PACKED_PAGE_BITS))

/* A linear run this long is not worth packing, whatever is around it. */
#define LX_LONG_RUN 16u

/* Updates of the directory held back, so that what failed half-way can be undone. */
#define LX_RESERVE 8u

#define LX_HINT_SHIFT 12u
#define LX_HINTS_MIN  64u
#define LX_HEAT       256u

struct lx_layer {
	struct lindex *ix;
	uint32_t refs; /* spaces */
	uint32_t n, room;
	struct packed **regions;
};

/* What readers start from, published as one. */
struct lx_view {
	struct lx_layer *own, *base; /* base NULL: never forked */
};

struct lx_ids {
	uint32_t room;
	_Atomic(struct packed *) at[];
};

/* Entry: region's address / 64 at bit 23; bit 8: not the owner of its bits; prot. The size of pages is the region's unit. */
struct lx_hints {
	uint64_t mask;
	_Atomic uint64_t at[];
};

#define LX_HINT_FOREIGN 0x100u

/* A region under way to replace smaller ones: grow.c. */
struct lx_job {
	struct packed *to;
	vmmap_vpn_t at;
	uint16_t tag;
};

struct lx {
	/* Read by everybody. */
	_Atomic(struct lx_hints *) hints;
	_Atomic(struct lx_view *) view;
	_Atomic(struct lx_ids *) ids;
	struct vmmap_ad ad;
	vmmap_vpn_t vpn_end;
	uint64_t serial;
	struct vmmap_host *host;

	/* The mutator's. */
	struct lindex_pool *pool;
	vmmap_pfn_t pfn_lo, pfn_hi; /* frames of 4 KiB pages seen so far */
	uint64_t next_addr;         /* of packed lines, as hardware walks show them */
	struct packed *empty;       /* regions that nothing leads to any more */
	struct lx_job job;
	struct vmmap_cost cost;
	uint32_t calls;
	uint8_t heat[LX_HEAT]; /* short runs put into the directory, by window */
	uint64_t no_hints[2];  /* one hint that leads nowhere: lx_no_hints() */
};

static inline struct lx_hints *lx_no_hints(const struct lx *t)
{
	return (struct lx_hints *)t->no_hints;
}

/* Where a page is found. */
struct lx_spot {
	struct vmmap_piece
		piece; /* the run, or what is left of it between other runs; for packed ones: the page */
	struct packed *region; /* or NULL */
	bool own;              /* found in the own directory */
	uint16_t tag;          /* of the run */
	vmmap_vpn_t last;      /* the run's last page, as far as it is visible */
};

static inline struct lx_view *lx_view(const struct lx *t)
{
	return atomic_load_explicit(&((struct lx *)t)->view, memory_order_acquire);
}

static inline struct packed *lx_region(const struct lx *t, uint64_t value)
{
	struct lx_ids *ids = atomic_load_explicit(&((struct lx *)t)->ids, memory_order_acquire);

	return atomic_load_explicit(&ids->at[LX_ID(value)], memory_order_acquire);
}

static inline uint8_t lx_tag_shift(uint16_t tag)
{
	return tag & LX_TAG_1G ? VMMAP_1G : tag & LX_TAG_2M ? VMMAP_2M : VMMAP_4K;
}

static inline uint16_t lx_tag_of(uint8_t prot, uint8_t shift)
{
	return (uint16_t)(prot | (shift == VMMAP_1G ? LX_TAG_1G :
				  shift == VMMAP_2M ? LX_TAG_2M :
						      0));
}

static inline uint64_t lx_packed_value(const struct packed *p, vmmap_vpn_t vpn)
{
	return (uint64_t)p->id << PACKED_PAGE_BITS | (vpn - p->first);
}

/** vmmap_lx_find() - Where @vpn is. Context: reader. Return: 0 or -ENOENT (then @spot->piece is a hole). */
int vmmap_lx_find(const struct lx *t, vmmap_vpn_t vpn, struct lx_spot *spot);

/* ---- lx_regions.c: regions, their ids, hints -------------------------------------------------- */

/** vmmap_lx_region_new() - A region at home in the own layer, with an id; nothing leads to it yet. Or NULL. */
struct packed *vmmap_lx_region_new(struct lx *t, struct packed_shape shape, vmmap_vpn_t first,
				   uint32_t pages);

/** vmmap_lx_region_drop() - Take it out of the own layer; freed when readers are gone. */
void vmmap_lx_region_drop(struct lx *t, struct packed *p);

/** vmmap_lx_drop_empty() - Drop the regions on @t->empty that nothing leads to. */
void vmmap_lx_drop_empty(struct lx *t);

void vmmap_lx_layer_put(struct lx *t, struct lx_layer *layer);

/** vmmap_lx_ids_keep() - Forget all regions but those of @layer. No readers of the others. */
void vmmap_lx_ids_keep(struct lx *t, const struct lx_layer *layer);

/** vmmap_lx_hints_refresh() - Make hints true (L4) after a change of the directory in a range. */
void vmmap_lx_hints_refresh(struct lx *t, vmmap_vpn_t vpn, uint64_t pages);

/** vmmap_lx_hints_clear() - Before the prot of everything changes (fork). */
void vmmap_lx_hints_clear(struct lx *t);

/** vmmap_lx_hints_of() - Hints for one region that is new. */
void vmmap_lx_hints_of(struct lx *t, struct packed *p);

/** vmmap_lx_hints_fill() - Hints for all regions of a layer. */
void vmmap_lx_hints_fill(struct lx *t, const struct lx_layer *layer);

/* ---- lx_plan.c: which pages go into regions, where many come at once ---------------------------- */

/** vmmap_lx_pays() - Whether a region of frame lines is worth its bytes where @runs runs would be in the directory. */
bool vmmap_lx_pays(uint64_t pages, uint64_t runs, struct packed_shape shape);

/** lx_plan() - Runs for the directory from sorted pieces: linear ones, and packed ones with new regions, filled. */
struct lx_plan {
	struct lindex_run *runs;
	size_t n, room;
};

int vmmap_lx_plan_make(struct lx *t, const struct vmmap_piece *pieces, size_t n,
		       struct lx_plan *plan);

/** vmmap_lx_plan_done() - @keep: the regions are in use; else they go, too. */
void vmmap_lx_plan_done(struct lx *t, struct lx_plan *plan, bool keep);

/** vmmap_lx_plan_run() - Append a run to a plan. */
int vmmap_lx_plan_run(struct lx *t, struct lx_plan *plan, vmmap_vpn_t first, vmmap_vpn_t last,
		      uint64_t value, uint16_t tag);

/* ---- lx_pack.c: the same, where they come one by one -------------------------------------------- */

/** vmmap_lx_pack_window() - After a short run was put into the directory at @vpn: pack its neighbourhood if that pays. */
void vmmap_lx_pack_window(struct lx *t, vmmap_vpn_t vpn, uint16_t tag);

/** vmmap_lx_job_step() - Bounded work on the region that grows, once in a while. */
void vmmap_lx_job_step(struct lx *t);

/** vmmap_lx_job_end() - Give it up, as far as it came. */
void vmmap_lx_job_end(struct lx *t);

/* ---- backend_lindex.c ------------------------------------------------------------------------------ */

/** vmmap_lx_store() - Insert one run into the own directory, over whatever is there. */
int vmmap_lx_store(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last, uint64_t value, uint16_t tag);

/** vmmap_lx_uncover(), vmmap_lx_cover() - Take what the own directory has in a range from its regions' counts (L6), or give it back. */
void vmmap_lx_uncover(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last);
void vmmap_lx_cover(struct lx *t, vmmap_vpn_t first, vmmap_vpn_t last);

static inline void lx_begin(struct lx *t)
{
	t->cost = (struct vmmap_cost){ 0 };
}

/* ---- vmmap_lx_protect.c ------------------------------------------------------------------------------ */

int vmmap_lx_protect(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot);

/** vmmap_lx_stretch_end() - Pages from @at on, to @last at most, that the own run or hole leaves to the base, or that it does not. Return: the last. */
vmmap_vpn_t vmmap_lx_stretch_end(const struct lx *t, const struct lindex_run *own, vmmap_vpn_t at,
				 vmmap_vpn_t last, bool *below);

/* ---- vmmap_lx_fork.c ------------------------------------------------------------------------------------ */

int vmmap_lx_create(const struct vmmap_env *env, void **out);
void vmmap_lx_free(void *table);
int vmmap_lx_fork(void *table, void **out);

/* ---- lx_view.c ---------------------------------------------------------------------------------------- */

void vmmap_lx_footprint(const void *table, struct vmmap_footprint *f);
int vmmap_lx_walk(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps);
int vmmap_lx_check(void *table, struct lindex_reason *why);
int vmmap_lx_dump(const void *table, const struct lindex_sink *sink);

#endif
