/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What lindex's own files share, listed under the file that has it. Calls go down the list's end:
 * update and build stand on inner and leaf, these on space, space on pool.
 */
#ifndef LINDEX_INTERNAL_H
#define LINDEX_INTERNAL_H

#include "node.h"

/* ---- pool.c: memory from the allocator, under the cap ---------------------------------------- */

struct lindex_space;

/*
 * A retired node is unlinked from every path that starts at a current root. It goes
 *
 *      retired --(threshold)--> waiting --(grace period over)--> expired --(few per update)--> free
 *
 * by lindex_retire_node(), lindex_retire_step(). All three lists run through the nodes' `next`.
 */
struct lindex_limbo {
	uint32_t head;
	uint32_t units; /* readers may look: lindex_get_stats() */
};

struct lindex_retirement {
	struct lindex_limbo retired, waiting, expired;
	struct lindex_dir *retired_dirs, *waiting_dirs;
	struct lindex_paged_buffer *retired_pages, *waiting_pages; /* evicted */
	struct lindex_port_gp gp;
	bool gp_running;
};

struct lindex_scratch;

struct lindex_pool {
	struct lindex_allocator allocator;
	unsigned int alloc_flags;
	uint32_t flags;
	uint64_t cap_bytes;
	size_t bytes; /* any thread may read it */
	bool simd;
	struct lindex *indexes;         /* doubly linked through lindex.pool_next */
	struct lindex_space *space;     /* the shared arena */
	struct lindex_scratch *scratch; /* for updates; one writer per pool, so one is enough */
	struct lindex_update_cost cost; /* of the last update */
};

void *lindex_pool_alloc(struct lindex_pool *pool, size_t bytes, size_t align);
void lindex_pool_release(struct lindex_pool *pool, void *ptr, size_t bytes);
void lindex_pool_drop_all(struct lindex_pool *pool);

/* ---- space.c: an arena of units; refs to addresses ------------------------------------------- */

#define LINDEX_CHUNK_SHIFT 10u /* shared arena: 2^10 units = 64 KiB per directory entry */
#define LINDEX_PAGE_SHIFT  6u  /* paged: one page per directory entry */

/* Books of one page; the writer's. */
struct lindex_page {
	uint64_t used;       /* bit i: unit i is allocated */
	uint32_t prev, next; /* in the bucket of pages with the same largest hole */
	uint32_t epoch;      /* paged: operation that touched it last */
	uint8_t bucket;      /* largest hole in units; 0: in no bucket */
	uint8_t inner;       /* holds inner nodes (leaves and inner nodes do not mix) */
	uint8_t touched;     /* paged: clock bit */
	uint8_t listed;      /* paged: its number is on the list of free ones */
};

struct lindex_chunk {
	struct lindex_page *pages; /* books of its pages, in one array per lump */
	uint32_t lump;             /* index of the lump that it is part of */
	uint32_t touched;          /* its memory was asked for */
};

struct lindex_dir {
	uint32_t len;
	struct lindex_dir *older;   /* replaced directories, until no reader can hold one */
	struct lindex_chunk *chunk; /* the writer's: len of them, behind mem */
	uint8_t *mem[]; /* len addresses; readers load these, and in paged spaces check for NULL */
};
static inline size_t lindex_dir_bytes(uint32_t len)
{
	return sizeof(struct lindex_dir) + len * (sizeof(uint8_t *) + sizeof(struct lindex_chunk));
}

struct lindex_lump {
	uint8_t *mem;
	struct lindex_page *pages;
	uint32_t first_chunk, chunks; /* chunks 0: the slot is free */
	uint32_t free_pages;
};

struct lindex_space {
	/* Readers: */
	struct lindex_dir *dir;
	uint32_t shift;
	/* The writer's: */
	struct lindex_pool *pool;
	uint32_t chunks; /* in use in dir */
	struct lindex_lump *lumps;
	uint32_t nlumps, lumps_room;
	uint32_t buckets[2][65]; /* [inner][largest hole]: first page + 1, or 0 */
	uint64_t nonempty[2];    /* bit h-1: buckets[][h] has pages */
	uint32_t free_count;     /* wholly free pages: all in buckets[0][64] */
	uint32_t held;     /* free pages that ordinary updates leave alone: standing + promised */
	uint32_t promised; /* those of them that lindex_reserve() gave away */
	bool may_use_held;
	int err; /* why lindex_space_alloc() gave none; 0: it did */
	uint64_t used_units;
	struct lindex_retirement limbo;
	uint32_t gps; /* grace periods that are over, where starting one is waiting (user space) */
	/* Paged spaces only (pager.c): */
	struct lindex_pager pager;
	bool paged;
	uint32_t npages;           /* page numbers 1..npages-1 exist; page 0 is never used */
	struct lindex_page *books; /* by page number */
	uint32_t books_room;
	uint64_t *dirty_map;               /* bit per page */
	uint32_t resident, dirty;          /* with npages: readers may look */
	struct lindex_paged_buffer *hand;  /* clock: a ring of the pages that may be evicted */
	struct lindex_paged_buffer *spare; /* buffers without a page, */
	uint32_t spares, kept;             /* how many; spares + resident stay at least kept */
	uint32_t build_first; /* bulk load under way: pages below it get no nodes; else 0 */
	uint32_t free_absent; /* evicted pages without a node, through books.next */
	uint32_t epoch;       /* of the operation under way */
};

int lindex_space_create(struct lindex_pool *pool, struct lindex_space **space);
void lindex_space_free(struct lindex_space *sp);
uint32_t lindex_space_alloc(struct lindex_space *sp, uint32_t units, bool inner);
uint32_t lindex_space_spare(struct lindex_space *sp, uint32_t units, bool grow);
void lindex_space_prefetch(const struct lindex_space *sp, uint32_t units);
void lindex_space_release(struct lindex_space *sp, uint32_t ref, uint32_t units);
int lindex_space_hold(struct lindex_space *sp, uint32_t pages);
void lindex_space_trim(struct lindex_space *sp);

/* What an operation without memory returns: the pager's error, if that is why there was none. */
static inline int lindex_no_memory(const struct lindex_space *sp)
{
	return sp->err ? sp->err : -ENOMEM;
}

/* Free pages that are set aside during compaction. */
struct lindex_stash {
	uint32_t buckets[2][65];
	uint64_t nonempty[2];
	uint32_t free_count, held;
};
uint64_t lindex_space_bytes(const struct lindex_space *sp);
void lindex_space_fresh(struct lindex_space *sp, struct lindex_stash *stash);
void lindex_space_mixed(struct lindex_space *sp, const struct lindex_stash *stash);
int lindex_dir_room(struct lindex_space *sp, uint32_t chunks);
void lindex_space_free_dirs(struct lindex_space *sp, struct lindex_dir **dirs);
struct lindex_page *lindex_space_page(const struct lindex_space *sp, uint32_t page);
void lindex_bucket_insert(struct lindex_space *sp, uint32_t page);
void lindex_bucket_remove(struct lindex_space *sp, uint32_t page);

/* Address of a ref that is known to be good and resident. Readers: after the load that gave @ref. */
static LINDEX_ALWAYS_INLINE uint8_t *lindex_addr(const struct lindex_space *sp, uint32_t ref)
{
	const struct lindex_dir *dir = lindex_load_acquire(&sp->dir);

	return dir->mem[ref >> sp->shift] +
	       (size_t)(ref & ((1u << sp->shift) - 1)) * LINDEX_UNIT_BYTES;
}
/* The same where the space has no pager: shared arenas and images. */
static LINDEX_ALWAYS_INLINE const struct lindex_node *lindex_near_node(
	const struct lindex_space *sp, uint32_t ref)
{
	const struct lindex_dir *dir = lindex_load_acquire(&sp->dir);

	return (const struct lindex_node *)(dir->mem[ref >> LINDEX_CHUNK_SHIFT] +
					    (size_t)(ref & ((1u << LINDEX_CHUNK_SHIFT) - 1)) *
						    LINDEX_UNIT_BYTES);
}
static inline struct lindex_node *lindex_node_at(const struct lindex_space *sp, uint32_t ref)
{
	return (struct lindex_node *)lindex_addr(sp, ref);
}

/* ---- retire.c: nodes on their way from unlinked to free -------------------------------------- */

void lindex_retire_node(struct lindex *ix, uint32_t ref);
void lindex_retire_subtree(struct lindex *ix, uint32_t ref, uint32_t level);
void lindex_retire_step(struct lindex *ix, uint32_t budget, bool may_wait);
void lindex_retire_all(struct lindex_space *sp);
void lindex_drop_all(struct lindex *ix);
void lindex_limbo_push(struct lindex_space *sp, struct lindex_limbo *limbo, uint32_t ref);
uint32_t lindex_limbo_pop(struct lindex_space *sp, struct lindex_limbo *limbo);
void lindex_node_free(struct lindex_space *sp, uint32_t ref);

/* ---- lookup.c, simd_avx2.c: the hot path ------------------------------------------------------ */

/*
 * The root word: what one acquire load tells a reader.
 *   bits 0-31   ref of the root node, or the number of the inline slot
 *   bits 32-39  level of the root node
 *   bit  40     inline: the runs are in lindex.slot[ref]
 */
#define LINDEX_ROOT_INLINE (1ull << 40)
static inline uint64_t lindex_root_word(uint32_t ref, uint32_t level)
{
	return (uint64_t)level << 32 | ref;
}
static inline uint32_t lindex_root_ref(uint64_t word)
{
	return (uint32_t)word;
}
static inline uint32_t lindex_root_level(uint64_t word)
{
	return (uint32_t)(word >> 32) & 0xff;
}

#define LINDEX_INLINE_RUNS 3u

/* Two slots take turns, so that the next contents are written while readers are in the old ones. */
#define LINDEX_SLOT_EMPTY 2u
struct lindex_slot {
	uint32_t n;
	struct lindex_run runs[LINDEX_INLINE_RUNS];
};

#define LINDEX_IX_READONLY 0x1u /* snapshot or image */
#define LINDEX_IX_SNAPSHOT 0x2u
#define LINDEX_IX_IMAGE    0x4u
#define LINDEX_IX_ZOMBIE   0x8u /* freed by the caller, kept for its snapshots */

/* A table over the root (drawing and invariants in top.c): one node of the arena, never in an image. */
#define LINDEX_NODE_TOP   0x7fu
#define LINDEX_TOP_BORDER 0x8000u /* flag: a separator inside; the entry is the first key's */
#define LINDEX_TOP_MANY   0xffffu /* more than one */
#define LINDEX_TOP_FEW    8u      /* entries: found by comparing */
#define LINDEX_TOP_SHIFT  64u     /* of a table of few */
struct lindex_top {
	struct lindex_node head; /* level and base: the root's */
	const struct lindex_inner *root;
	const lindex_le32 *refs; /* the root's */
	uint64_t most;           /* last key - base that the table is asked for */
	uint32_t shift;          /* keys in a bucket: 2^shift; the root's keys are of 4 bytes */
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_top) <= LINDEX_UNIT_BYTES, "head of a table: one unit");
/* By bucket: entry of the root, with LINDEX_TOP_BORDER perhaps; or LINDEX_TOP_MANY. */
static LINDEX_ALWAYS_INLINE uint16_t *lindex_top_entry(const struct lindex_top *top)
{
	return (uint16_t *)((uintptr_t)top + LINDEX_UNIT_BYTES);
}
/* Or of few: LINDEX_TOP_FEW separators - base, ascending; pad: all ones. */
static LINDEX_ALWAYS_INLINE uint64_t *lindex_top_few(const struct lindex_top *top)
{
	return (uint64_t *)((uintptr_t)top + LINDEX_UNIT_BYTES);
}
void lindex_top_make(struct lindex *ix, bool grow);
void lindex_top_drop(struct lindex *ix);

struct lindex_ops {
	int (*lookup)(const struct lindex *ix, uint64_t key, struct lindex_run *run);
	int64_t (*lookup_batch)(const struct lindex *ix, const uint64_t *keys, size_t n,
				struct lindex_run *runs);
};

struct lindex {
	/* Readers: */
	const struct lindex_top *top;    /* over the root, or NULL */
	uint64_t root LINDEX_ALIGNED(8); /* 32-bit targets: one access only where it is aligned */
	struct lindex_space *space;
	const struct lindex_ops *ops;
	struct lindex_slot slot[3]; /* two that take turns; [2] stays empty */
	/* The writer's: */
	struct lindex_pool *pool;
	struct lindex *pool_prev, *pool_next;
	uint32_t flags;
	uint32_t epsilon, leaf_units;
	uint32_t gen;              /* birth generation of new nodes */
	uint32_t top_ref;          /* of the table over the root; 0: there is none */
	uint32_t reserved;         /* updates that lindex_reserve() promised */
	uint32_t reserved_pages;   /* pages held for each of them */
	struct lindex_limbo drops; /* roots of dropped subtrees, to be walked */
	struct lindex_port_gp slot_gp;
	bool slot_waits;   /* the other inline slot may still have readers, */
	uint32_t slot_gps; /* if space->gps is still this */
	uint32_t slot_credit;
	/* Snapshots: the head points to the newest, each to its elder. */
	struct lindex *head, *newest, *elder, *younger;
	struct lindex_limbo dead; /* snapshot: nodes that left the head after it was taken */
	struct lindex_update_cost cost;
};

uint32_t lindex_inner_find(const struct lindex_inner *in, uint64_t key, uint64_t *hi);
uint32_t lindex_inner_entry8(const struct lindex_inner *in, uint64_t off);
/*
 * A fence that is not known: the short way down carries offsets, not fences. A hole that ends at it comes
 * out with last < first (its first key is never 0), and is asked for again, the long way.
 */
#define LINDEX_NO_FENCE 0u
const struct lindex_node *lindex_root_child(const struct lindex *ix, uint64_t word, uint64_t key,
					    uint64_t *off, struct lindex_run *run);
int lindex_rest_find(const struct lindex *ix, const struct lindex_node *leaf,
		     const struct lindex_term *term, uint64_t key, struct lindex_run *run);
int lindex_leaf_find(const struct lindex_node *node, uint64_t key, uint64_t hi,
		     struct lindex_run *run);
int lindex_term_find(const struct lindex_term *t, uint64_t key, uint64_t hi,
		     struct lindex_run *run);
extern const struct lindex_ops lindex_ops_scalar;
const struct lindex_ops *lindex_ops_best(bool want_simd);
int lindex_slot_lookup(const struct lindex_slot *slot, uint64_t key, struct lindex_run *run);

/* ---- leaf*.c: kinds of leaf ------------------------------------------------------------------- */

/* How a leaf will look: filled by fit, used by encode. */
struct lindex_plan {
	uint8_t kind, units, kw, lw, vw, tw, sw, dw, cap, fill, nlines, step, neg, post, pre;
	uint8_t tight; /* LINES: units without the room that is left for updates */
	uint16_t tagbase;
	uint32_t runs; /* runs covered */
	uint32_t n;    /* head.n */
	uint32_t keys, stride, mul, below, window;
	uint64_t base, end, vbase;
};

/* Ranges of the fields of some runs, from which widths follow. */
struct lindex_ranges {
	uint64_t vmin, vmax;
	uint16_t tmin, tmax;
	uint8_t steps; /* bit s: step s was seen */
};

static inline void lindex_ranges_add(struct lindex_ranges *r, const struct lindex_run *run)
{
	if (!r->steps) {
		r->vmin = r->vmax = run->value;
		r->tmin = r->tmax = run->tag;
	}
	r->vmin = lindex_min64(r->vmin, run->value);
	r->vmax = lindex_max64(r->vmax, run->value);
	r->tmin = run->tag < r->tmin ? run->tag : r->tmin;
	r->tmax = run->tag > r->tmax ? run->tag : r->tmax;
	r->steps |= (uint8_t)(1u << run->step);
}
static inline unsigned int lindex_ranges_tw(const struct lindex_ranges *r)
{
	return lindex_width((uint64_t)(r->tmax - r->tmin));
}
static inline unsigned int lindex_ranges_sw(const struct lindex_ranges *r)
{
	return r->steps == 3;
}

/* What some runs have in common, seen in one pass: rules kinds out before their fit. */
struct lindex_traits {
	struct lindex_ranges ranges;
	uint64_t len_max; /* last - first */
	uint64_t span;    /* from the first key of the first run to the first key of the last */
	uint64_t keys;
	uint32_t bend; /* lindex_dense_bend() of three runs */
};

/*
 * fit: how many of runs[0..n) go into one leaf of at most max_units, and how (*plan, for that many).
 * 0: this kind cannot hold even the first. encode: writes plan->units units, zeroed before.
 * decode: runs of a leaf, ascending; returns how many (<= LINDEX_LEAF_RUNS).
 */
uint32_t lindex_lines_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct lindex_plan *plan);
bool lindex_lines_fit_all(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  const struct lindex_traits *t, bool slack, struct lindex_plan *plan,
			  uint32_t *most);
void lindex_lines_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node);
uint32_t lindex_lines_decode(const struct lindex_lines *l, struct lindex_run *runs);
uint32_t lindex_sparse_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			   struct lindex_plan *plan);
void lindex_sparse_encode(const struct lindex_plan *plan, const struct lindex_run *runs,
			  void *node);
uint32_t lindex_sparse_units(const struct lindex_traits *t, uint32_t n);
uint32_t lindex_sparse_decode(const struct lindex_sparse *s, struct lindex_run *runs);
uint32_t lindex_dense_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			  struct lindex_plan *plan);
void lindex_dense_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node);
uint32_t lindex_dense_decode(const struct lindex_dense *d, struct lindex_run *runs);
uint32_t lindex_presence_fit(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			     struct lindex_plan *plan);
void lindex_presence_encode(const struct lindex_plan *plan, const struct lindex_run *runs,
			    void *node);
uint32_t lindex_presence_decode(const struct lindex_dense *d, struct lindex_run *runs);

uint32_t lindex_dense_refit(const struct lindex_dense *before, const struct lindex_run *runs,
			    uint32_t n, uint32_t max_units, struct lindex_plan *plan);
uint32_t lindex_dense_bend(const uint64_t key[3], const uint64_t value[3]);
bool lindex_dense_patch(const struct lindex_dense *old, uint64_t first, uint64_t last,
			const struct lindex_run *run, struct lindex_dense *copy);
bool lindex_lines_patch(const struct lindex_lines *old, uint64_t first, uint64_t last,
			const struct lindex_run *run, uint32_t units, void *room,
			struct lindex_lines *copy);
#define LINDEX_PATCH_ROOM 4160u /* bytes of working memory that it wants */
uint32_t lindex_lines_middle(const struct lindex_lines *l, void *room);
uint32_t lindex_lines_part(const struct lindex_lines *l, uint32_t from, uint32_t to, void *room,
			   struct lindex_lines *copy);
uint32_t lindex_leaf_fit_most(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			      struct lindex_plan *plan);
bool lindex_leaf_fit_all(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			 const struct lindex_node *before, bool slack, struct lindex_plan *plan);
void lindex_leaf_encode(const struct lindex_plan *plan, const struct lindex_run *runs, void *node,
			uint32_t gen);
uint32_t lindex_leaf_decode(const struct lindex_node *node, struct lindex_run *runs);

/* True if @next is the value one key after @value; a sequence of values does not wrap. */
static inline bool lindex_value_follows(uint64_t value, uint8_t step, uint64_t next)
{
	return next == value + step && next >= value;
}

/* True if @b continues @a: the two are one run. */
static inline bool lindex_run_joins(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->last + 1 == b->first && a->last != UINT64_MAX && a->tag == b->tag &&
	       a->step == b->step &&
	       lindex_value_follows(a->value + (a->step ? a->last - a->first : 0), a->step,
				    b->value);
}

/* ---- inner.c: inner nodes --------------------------------------------------------------------- */

/* An entry on its way into or out of an inner node. */
struct lindex_entry {
	uint64_t sep;
	uint32_t ref; /* LINDEX_TERM: run is the entry */
	struct lindex_run run;
};

#define LINDEX_INNER_MAX       504u  /* entries */
#define LINDEX_INNER_MIN_BYTES 1024u /* a node below this is joined with a neighbour */

uint32_t lindex_inner_fit(const struct lindex_entry *e, uint32_t n, uint32_t *bytes);
void lindex_inner_encode(const struct lindex_entry *e, uint32_t n, uint32_t level, uint32_t gen,
			 uint32_t lines, void *node);
uint32_t lindex_inner_decode(const struct lindex_inner *in, struct lindex_entry *e);
uint32_t lindex_inner_window(const struct lindex_entry *e, uint32_t n);
bool lindex_inner_replace(const struct lindex_inner *in, uint32_t il, uint32_t ir,
			  const struct lindex_entry *e, uint32_t m, uint32_t window_max,
			  uint32_t *bytes, struct lindex_inner *copy);
void lindex_term_run(const struct lindex_term *t, struct lindex_run *run);

/*
 * For walks over pages that may not belong together: the fence of entry @i of a node whose fence ends at @hi.
 * False: the entry begins behind it. Fences of one level do not overlap, and a node's base is where its
 * fence begins; so a walk that checks level and base meets no node twice.
 */
static inline bool lindex_child_fence(const struct lindex_inner *in, uint32_t i, uint64_t hi,
				      uint64_t *from, uint64_t *to)
{
	uint64_t base = lindex_node_base(&in->head), off = lindex_inner_key(in, i), next;

	if (base > hi || off > hi - base)
		return false;
	*from = base + off;
	*to = hi;
	if (i + 1 < lindex_node_n(&in->head)) {
		next = lindex_inner_key(in, i + 1);
		*to = next > hi - base ? hi : base + next - 1;
	}
	return true;
}

/* ---- pager.c: partial residence ---------------------------------------------------------------- */

void lindex_paged_free(struct lindex_space *sp);
int lindex_paged_grow(struct lindex_space *sp);
int lindex_paged_need(struct lindex_space *sp, uint32_t ref, uint32_t level);
void lindex_paged_room(struct lindex *ix);
int lindex_paged_stand(struct lindex *ix, uint32_t level);
void lindex_paged_limbo(struct lindex_space *sp, uint32_t ref, int by);
void lindex_paged_free_evicted(struct lindex_space *sp, struct lindex_paged_buffer **list);
void *lindex_index_alloc(struct lindex *ix, size_t bytes);
const struct lindex_node *lindex_paged_node(const struct lindex_space *sp, uint32_t ref,
					    uint32_t level, int *err);
void lindex_paged_emptied(struct lindex_space *sp, uint32_t page);
void lindex_paged_starts(struct lindex_space *sp, uint32_t ref, bool node);
uint32_t lindex_paged_build_begin(struct lindex_space *sp);
void lindex_paged_build_end(struct lindex_space *sp, uint32_t first, bool ok);
const struct lindex_node *lindex_resident_node(const struct lindex_space *sp, uint32_t ref);
void lindex_paged_dirty(struct lindex_space *sp, uint32_t ref);

/* ---- index.c: an index, and how its root is published ------------------------------------------- */

int lindex_new(struct lindex_pool *pool, const struct lindex_config *cfg, struct lindex **ix);
void lindex_reserve_use(struct lindex *ix);
void lindex_snapshot_forget(struct lindex *snap);
void lindex_image_forget(struct lindex *ix);
int lindex_publish_inline(struct lindex *ix, const struct lindex_run *runs, uint32_t n,
			  bool may_wait);
bool lindex_slot_may_wait(struct lindex *ix);
void lindex_publish_root(struct lindex *ix, uint32_t ref, uint32_t level);
static inline struct lindex_slot *lindex_slot_of(struct lindex *ix, uint64_t word)
{
	return &ix->slot[lindex_root_ref(word)];
}

/* ---- build.c: sorted runs in one pass, bottom up ------------------------------------------------- */

int lindex_run_valid(const struct lindex_run *run);
int lindex_rebuild(struct lindex *ix);

/* Where a builder puts nodes: the arena, or an image. place() returns where to write, and the ref. */
struct lindex_place {
	void *(*place)(void *ctx, uint32_t units, bool inner, uint32_t *ref);
	void *ctx;
};

struct lindex_builder;
int lindex_builder_create(struct lindex *ix, const struct lindex_place *to, uint32_t gen,
			  struct lindex_builder **b);
int lindex_builder_push(struct lindex_builder *b, const struct lindex_run *run);
int lindex_builder_finish(struct lindex_builder *b, uint64_t *root, struct lindex_slot *slot);
void lindex_builder_free(struct lindex_builder *b);

/* ---- walk.c: every run, leaf by leaf, in writer context -------------------------------------------- */

int lindex_each_run(struct lindex *ix, int (*fn)(void *ctx, const struct lindex_run *run),
		    void *ctx);

#endif /* LINDEX_INTERNAL_H */
