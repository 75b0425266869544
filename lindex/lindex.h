/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex - an exact, bounded, updatable learned index from ranges of 64-bit keys to values.
 *
 * What it is:     a map of *runs*. A run says: every key k in [first, last] has the value
 *                 value + (k - first) * step, with step 0 or 1, and carries one 16-bit tag.
 *                 Extents of a file, page tables, sector maps and ID tables have this shape.
 *                 Inside, piecewise-linear models predict where to look, and a search that never
 *                 leaves the error window stored (and measured) for the model makes it exact.
 * What it is not: a hash, a multimap, or a store for payloads. Values are 64-bit numbers.
 *
 * Usage, on one page (examples/ has the same as complete programs):
 *
 *     struct lindex_pool *pool;                          // memory, cap, reclamation: shared
 *     struct lindex *ix;
 *     struct lindex_run run;
 *
 *     lindex_pool_create(NULL, &pool);                   // NULL: defaults
 *     lindex_create(pool, NULL, &ix);
 *     lindex_insert(ix, &(struct lindex_run){ .first = 100, .last = 199, .value = 5000, .step = 1 });
 *     if (lindex_lookup(ix, 150, &run) == 0)             // 0: run is the whole run around 150
 *             v = lindex_value(&run, 150);               // 5050
 *     if (lindex_lookup(ix, 250, &run) == -ENOENT)       // run is the whole hole: 200..2^64-1
 *             ...
 *     lindex_remove(ix, 120, 129);                       // splits: 100..119 and 130..199
 *     lindex_free(ix);
 *     lindex_pool_free(pool);
 *
 * Words.   Ranges are [first, last], both inclusive, so that the full range has a name.
 *          A *hole* is a maximal range of keys without a run. Two neighbouring runs are one run if
 *          and only if tag, step and the sequence of values agree; a run of one key keeps the step
 *          that it was stored with. So the set of runs is a function of what was stored.
 *
 * Threads. Any number of readers run beside one writer *per pool*; the caller serialises writers.
 *          Readers are wait-free: no locks, no stores to shared lines, no retries. Where the library
 *          is built with RCU (LINDEX_RCU; liburcu's memb flavour, or the kernel's RCU) readers are
 *          registered threads and hold rcu_read_lock() around a call and for as long as they use a
 *          cursor. Built without RCU, readers and the writer exclude each other. With RCU the target needs
 *          lock-free accesses of 8 bytes (refused at compile time otherwise), the kernel CONFIG_64BIT.
 *          "Context: reader" and "Context: writer" below refer to this. In user space an update waits for
 *          readers now and then (synchronize_rcu(), once per many updates), unless it was reserved: a writer
 *          must not be inside the read side. In the kernel grace periods are polled, and an update waits for
 *          one only where memory is short and lindex_pool_set_alloc_flags() says that it may sleep.
 *
 * Errors.  Every int is 0 or a negative errno, counts are >= 0 or a negative errno. On an error
 *          nothing has changed and outputs are untouched, unless the call says otherwise.
 */
#ifndef LINDEX_H
#define LINDEX_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/errno.h>
#else
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(__KERNEL__)
#define LINDEX_API __attribute__((visibility("default")))
#else
#define LINDEX_API
#endif

#define LINDEX_VERSION_MAJOR 0
#define LINDEX_VERSION_MINOR 1
#define LINDEX_VERSION_PATCH 0

struct lindex;
struct lindex_pool;

/* ---- Types --------------------------------------------------------------------------------- */

/**
 * struct lindex_run - A run, or (as an answer) a hole.
 * @first:  First key.
 * @last:   Last key, inclusive.
 * @value:  Value of @first. 0 for a hole.
 * @tag:    Caller's 16 bits; a run has one tag. 0 for a hole.
 * @step:   What the value grows by per key: 0 or 1. 0 for a hole.
 * @mapped: Output only: 1 for a run, 0 for a hole. Ignored on input.
 */
struct lindex_run {
	uint64_t first, last, value;
	uint16_t tag;
	uint8_t step;
	uint8_t mapped;
};

/** lindex_value() - Value of @key inside @run. */
static inline uint64_t lindex_value(const struct lindex_run *run, uint64_t key)
{
	return run->value + (run->step ? key - run->first : 0);
}

/**
 * struct lindex_reason - Why bytes were refused, or what a check found.
 * @text:     Static string: what is wrong, naming the invariant (DESIGN.md), never NULL after an error.
 * @offset:   Byte offset in the image or arena where it is wrong.
 * @key:      A key in the part that is wrong, or 0.
 * @expected: What should be there, where that is one number.
 * @found:    What is there.
 */
struct lindex_reason {
	const char *text;
	uint64_t offset, key, expected, found;
};

/**
 * struct lindex_allocator - Where a pool gets its memory.
 * @alloc: Returns @bytes zeroed or not, aligned to @align (a power of two <= 2 MiB), or NULL.
 *         @flags is what lindex_pool_set_alloc_flags() set last (kernel: gfp_t).
 * @free:  Gets back what @alloc gave. Never called with readers still inside.
 * @ctx:   Passed to both.
 */
struct lindex_allocator {
	void *(*alloc)(void *ctx, size_t bytes, size_t align, unsigned int flags);
	void (*free)(void *ctx, void *ptr, size_t bytes);
	void *ctx;
};

#define LINDEX_POOL_NO_SIMD 0x1u /* never use the AVX2 twin of the lookup */
#define LINDEX_POOL_HUGE    0x2u /* ask for huge pages for the arena */

/**
 * struct lindex_pool_config - Zeroed by the caller; 0 means default.
 * @cap_bytes: Most bytes that the pool ever holds from the allocator, everything counted: nodes,
 *             retired nodes, scratch, page tables, index headers. Default: no cap.
 *             The least useful cap is LINDEX_POOL_MIN_BYTES.
 * @allocator: Default: the C library's (user space), kvmalloc (kernel). Copied.
 * @flags:     LINDEX_POOL_*.
 */
struct lindex_pool_config {
	uint64_t cap_bytes;
	const struct lindex_allocator *allocator;
	uint32_t flags;
};

#define LINDEX_POOL_MIN_BYTES (512u * 1024u)

#define LINDEX_PAGE_BYTES 4096u /* an arena page: what a pager loads and stores */

/**
 * struct lindex_pager - Where the pages of a partially resident index live.
 * @load:  Fills @buf (LINDEX_PAGE_BYTES) with the bytes last stored for @page. 0 or negative errno,
 *         which the call that needed the page returns.
 * @store: Makes @buf the bytes of @page. Called by lindex_flush(), and to make room under the cap.
 *         Where it puts them is its affair (copy-on-write stores map page -> place here).
 *         May be NULL: then dirty pages are never evicted, and the caller saves them
 *         with lindex_dirty_pages(), lindex_page_bytes(), lindex_page_clean().
 * @ctx:   Passed to both.
 *
 * Both are called in writer context only, and may sleep if the writer may. Bytes that @load brings
 * are checked before use: that they are a page of well-formed nodes, and that the node which a path leads to
 * is of the level and begins with the key that its parent names. If not: -EUCLEAN. So no bytes lead
 * out of bounds, but a well-formed page with other contents (bits changed in a value, an older version)
 * gives other answers: checksums are the pager's duty.
 */
struct lindex_pager {
	int (*load)(void *ctx, uint32_t page, void *buf);
	int (*store)(void *ctx, uint32_t page, const void *buf);
	void *ctx;
};

/**
 * struct lindex_config - Zeroed by the caller; 0 means default.
 * @epsilon:    Error tolerance of routing models: entries that a search window may hold when a node
 *              is built, 2..504. A node that would exceed it is closed earlier (never below a
 *              quarter full). Default 16: two vectors of keys.
 * @node_bytes: Size of a leaf at most, a multiple of 64 in 256..1024. Smaller: cheaper updates;
 *              larger: fewer bytes per run. Default 512.
 * @pager:      The index has pages of its own, loaded and evicted through it. Default: none, nodes
 *              live in the pool's shared arena. Copied.
 *
 * @epsilon and @node_bytes are part of the canonical image.
 */
struct lindex_config {
	uint32_t epsilon;
	uint32_t node_bytes;
	const struct lindex_pager *pager;
};

/**
 * struct lindex_root - What a caller with a pager keeps to open the index again: 128 bytes,
 * little-endian, no padding. Opaque except that all zeroes is a valid empty index.
 */
struct lindex_root {
	uint8_t bytes[128];
};

/**
 * struct lindex_limits - What a caller admits. Zeroed: no limits beyond the structural ones.
 * @max_bytes: Bytes of the image.
 * @max_runs:  Runs.
 * @max_depth: Nodes touched by one lookup.
 * @max_window: Entries in the largest search window.
 * @max_lines: 64-byte lines touched by one lookup.
 */
struct lindex_limits {
	uint64_t max_bytes, max_runs;
	uint32_t max_depth, max_window, max_lines;
};

/**
 * struct lindex_cert - What the verifier recomputed from the bytes alone.
 * @bytes:  Bytes of the image. @runs: runs. @nodes: nodes.
 * @depth:  Most nodes on a path, the leaf included; 0 where the runs are inline.
 * @window: Largest search window, in entries.
 * @lines:  Most 64-byte lines that one lookup touches.
 * @ops:    Most keys compared by one lookup.
 */
struct lindex_cert {
	uint64_t bytes, runs, nodes;
	uint32_t depth, window, lines, ops;
};

/* Kinds of leaf, as counted by struct lindex_stats. */
enum lindex_kind {
	LINDEX_KIND_LINES = 0, /* exact runs, packed 64-byte lines */
	LINDEX_KIND_SPARSE,    /* sorted bit-packed records, model + stored window */
	LINDEX_KIND_DENSE,     /* every key present: linear prediction + residuals */
	LINDEX_KIND_PRESENCE,  /* bitmap + rank + residuals */
	LINDEX_KIND_TERMINAL,  /* a run that is itself an entry of an inner node */
	LINDEX_KIND_INLINE,    /* runs in the index header */
	LINDEX_KIND_COUNT
};

/**
 * struct lindex_stats - Figures of one index (a walk), and of its pool.
 * @runs, @keys:   Runs, and keys covered (saturates at 2^64-1).
 * @nodes, @node_bytes: Nodes reachable, and their bytes.
 * @inner_nodes, @inner_bytes: Of these, inner nodes.
 * @kind_leaves, @kind_runs: Per leaf kind. (TERMINAL: leaves counts entries.)
 * @depth, @window: Most nodes on a path; largest stored search window.
 * @resident_pages, @pages, @dirty_pages: Of an index with a pager, else 0.
 * @pool_bytes:    Held by the whole pool from its allocator: the figure that the cap bounds.
 * @retired_bytes: Part of pool_bytes waiting for readers or snapshots.
 */
struct lindex_stats {
	uint64_t runs, keys, nodes, node_bytes, inner_nodes, inner_bytes;
	uint64_t kind_leaves[LINDEX_KIND_COUNT], kind_runs[LINDEX_KIND_COUNT];
	uint32_t depth, window;
	uint64_t resident_pages, pages, dirty_pages;
	uint64_t pool_bytes, retired_bytes;
};

/**
 * struct lindex_update_cost - What the last update did, as counts.
 * @nodes_written, @bytes_written: New nodes. @nodes_retired: nodes unlinked one by one.
 * @nodes_freed: nodes of earlier changes freed by this one (bounded per update).
 */
struct lindex_update_cost {
	uint32_t nodes_written, bytes_written, nodes_retired, nodes_freed;
};

/* ---- Life cycle ---------------------------------------------------------------------------- */

/** lindex_version() - "major.minor.patch" of the library linked. */
LINDEX_API const char *lindex_version(void);

/**
 * lindex_pool_create() - Make a pool: memory, cap and reclamation that indexes share.
 * @cfg:  Or NULL for defaults.
 * @pool: Output.
 *
 * Return: 0, -ENOMEM, -EINVAL (unknown flag, cap below LINDEX_POOL_MIN_BYTES).
 */
LINDEX_API int lindex_pool_create(const struct lindex_pool_config *cfg, struct lindex_pool **pool);

/**
 * lindex_pool_free() - Give everything back. Frees no index: do that first.
 *
 * Context: Writer, no readers left. May wait for RCU callbacks.
 * Return: 0, or -EBUSY if an index of the pool still exists (nothing done).
 */
LINDEX_API int lindex_pool_free(struct lindex_pool *pool);

/**
 * lindex_pool_reclaim() - Wait for readers, free what was retired, give empty memory back.
 *
 * Where nodes are so few that most of the arena is holes, indexes without snapshots are written anew first.
 *
 * Cost:    In proportion to what is freed; with that compaction, to what the pool holds.
 * Context: Writer, outside any read side. Sleeps.
 * Return: 0.
 */
LINDEX_API int lindex_pool_reclaim(struct lindex_pool *pool);

/** lindex_pool_bytes() - Bytes held from the allocator now. Context: any. */
LINDEX_API uint64_t lindex_pool_bytes(const struct lindex_pool *pool);

/** lindex_pool_set_alloc_flags() - Flags given to the allocator from now on. Context: writer. */
LINDEX_API void lindex_pool_set_alloc_flags(struct lindex_pool *pool, unsigned int flags);

/**
 * lindex_create() - Make an empty index in @pool.
 *
 * Return: 0, -ENOMEM, -EINVAL (a field of @cfg out of range).
 */
LINDEX_API int lindex_create(struct lindex_pool *pool, const struct lindex_config *cfg,
			     struct lindex **ix);

/**
 * lindex_free() - Free an index, a snapshot, or an opened image. NULL is fine.
 *
 * Freeing an index while snapshots of it exist is allowed; the last one frees the rest.
 * Dirty pages of an index with a pager are dropped: lindex_flush() first.
 *
 * Context: Writer; no reader uses @ix any more.
 */
LINDEX_API void lindex_free(struct lindex *ix);

/**
 * lindex_reserve() - Make the next @n updates of @ix infallible.
 *
 * Sets memory aside (counted under the cap) so that @n calls of lindex_insert() or lindex_remove()
 * return neither -ENOMEM nor wait. Each update uses up one. @n = 0 gives the reserve back.
 * Not for an index with a pager whose pages are not resident (see lindex_load()).
 *
 * Context: Writer. Return: 0, -ENOMEM, -EROFS. With a pager also its errors.
 */
LINDEX_API int lindex_reserve(struct lindex *ix, uint32_t n);

/* ---- Queries ------------------------------------------------------------------------------- */

/**
 * lindex_lookup() - The whole run around @key, or the whole hole.
 * @ix:  Index, snapshot or opened image.
 * @key: Any 64-bit key.
 * @run: Output on 0 and on -ENOENT: the run, or the hole (mapped = 0) with its first and last key.
 *
 * Cost:    depth nodes, each a model and a search inside its stored window. Does not allocate.
 * Context: Reader. Wait-free.
 * Return:  0; -ENOENT: @key is in the hole @run. With a pager also -EAGAIN: a page is not resident:
 *          lindex_load() it in writer context and try again; -EUCLEAN: pages do not fit together.
 */
LINDEX_API int lindex_lookup(const struct lindex *ix, uint64_t key, struct lindex_run *run);

/**
 * lindex_lookup_batch() - lindex_lookup() for @n keys at once, software-pipelined.
 * @runs: Output, one for each key; .mapped tells runs from holes.
 *
 * The throughput path: cache misses of different keys overlap. Each answer is one state of the
 * index; different answers may be of different states if a writer is at work.
 *
 * Context: Reader.
 * Return:  Number of keys that are mapped. With a pager also -EAGAIN and -EUCLEAN as above,
 *          @runs then undefined.
 */
LINDEX_API int64_t lindex_lookup_batch(const struct lindex *ix, const uint64_t *keys, size_t n,
				       struct lindex_run *runs);

/**
 * struct lindex_cursor - A place between keys, and the way to walk runs from it. The fields are
 * the library's. May live on the stack, be copied, be dropped at any time.
 */
struct lindex_cursor {
	const struct lindex *ix;
	uint64_t pos;   /* next() starts at this key; prev() below it */
	uint8_t at_end; /* 1: behind key 2^64-1, pos means nothing */
};

/** lindex_cursor_init() - Put @cur in front of @key. Context: any. */
LINDEX_API void lindex_cursor_init(struct lindex_cursor *cur, const struct lindex *ix,
				   uint64_t key);

/** lindex_cursor_init_end() - Put @cur behind the last key. Context: any. */
LINDEX_API void lindex_cursor_init_end(struct lindex_cursor *cur, const struct lindex *ix);

/**
 * lindex_cursor_next() - The first run that ends at or after the cursor; moves behind it.
 * lindex_cursor_prev() - The last run that begins before the cursor; moves in front of it.
 *
 * A cursor keeps a key and no pointer: the read side may be dropped between two calls and taken
 * again, whatever the writer does meanwhile (pause and resume need no call). Each step is exact for
 * the state of the index at that step.
 *
 * Cost:    As one or two lookups. Context: Reader.
 * Return:  0; -ENOENT at the end (@run untouched); with a pager -EUCLEAN, and -EAGAIN: call
 *          lindex_load() for @cur->pos (next), or for @cur->pos - 1, 2^64-1 at the end (prev), and go on.
 */
LINDEX_API int lindex_cursor_next(struct lindex_cursor *cur, struct lindex_run *run);
LINDEX_API int lindex_cursor_prev(struct lindex_cursor *cur, struct lindex_run *run);

/* ---- Changes ------------------------------------------------------------------------------- */

/**
 * lindex_build() - Replace the contents by @n sorted runs: bulk load, one pass.
 * @runs: Ascending, not overlapping. Neighbours that make one run are joined.
 * @bad:  Output on -EINVAL and -ERANGE: index of the first offender. May be NULL.
 *
 * Readers see the old contents or the new. Needs memory for both for a while.
 *
 * Context: Writer.
 * Return:  0; -EINVAL: first > last, step > 1, unsorted or overlapping; -ERANGE: a value would pass
 *          2^64-1; -ENOMEM; -EROFS: @ix is a snapshot or an opened image. With a pager also its errors.
 */
LINDEX_API int lindex_build(struct lindex *ix, const struct lindex_run *runs, size_t n,
			    size_t *bad);

/**
 * lindex_insert() - Store @run over whatever was there: overwrites, splits, merges.
 *
 * Readers see the change at once or not at all.
 *
 * Cost:    Amortised and worst case O(depth) nodes plus one visit for each node dropped.
 * Context: Writer.
 * Return:  0; -EINVAL: first > last or step > 1; -ERANGE: a value would pass 2^64-1; -ENOMEM: no
 *          memory, or at the cap (lindex_pool_reclaim() may help); -EROFS. With a pager its errors.
 */
LINDEX_API int lindex_insert(struct lindex *ix, const struct lindex_run *run);

/**
 * lindex_remove() - Clear [first, last].
 *
 * A remove that cuts no run (each run is removed whole or kept) never fails for lack of memory: it
 * may use the pool's standing reserve and, when that is used up, waits for readers. (Two exceptions: a
 * snapshot keeps what would be freed; and with a pager, dirty pages that it does not store.)
 *
 * Context: Writer.
 * Return:  0 (also when nothing was there); -EINVAL; -EROFS; -ENOMEM only if it cuts a run.
 *          With a pager its errors.
 */
LINDEX_API int lindex_remove(struct lindex *ix, uint64_t first, uint64_t last);

/**
 * lindex_snapshot() - A read-only copy that shares its nodes with @ix.
 * @snap: Output: an index for every query; lindex_free() it.
 *
 * Cost:    O(1). Later updates of @ix copy what they change instead of changing it in place.
 * Context: Writer. Not for an index with a pager.
 * Return:  0, -ENOMEM, -EROFS (@ix is a snapshot or an image), -EOPNOTSUPP (pager).
 */
LINDEX_API int lindex_snapshot(struct lindex *ix, struct lindex **snap);

/* ---- Images -------------------------------------------------------------------------------- */

/**
 * struct lindex_sink - Takes bytes in order. @write returns 0 or a negative errno, which is passed on.
 */
struct lindex_sink {
	int (*write)(void *ctx, const void *bytes, size_t len);
	void *ctx;
};

/**
 * lindex_save() - Write the canonical image: a function of runs and configuration alone.
 *
 * The same from user space, kernel, 32-bit and big-endian machines. DESIGN.md has the format.
 *
 * Context: Writer (it allocates from the pool: about 1/50 of the image).
 * Return:  0, -ENOMEM, the sink's error; with a pager its errors.
 */
LINDEX_API int lindex_save(struct lindex *ix, const struct lindex_sink *sink);

/**
 * lindex_certify() - Verify an image from its bytes alone: the model admission.
 * @bytes, @len: Private copy, 64-byte aligned; must not change during the call. Any bytes whatsoever are
 *          fine.
 * @limits: Or NULL.
 * @cert:   Output on 0. May be NULL.
 * @why:    Output on an error. May be NULL.
 *
 * Recomputes checksums, structure, order, coverage, every model's window, and counts.
 *
 * Cost:    One pass. Does not allocate. Context: any; in the kernel one that may sleep, because images may be large.
 * Return:  0; -EINVAL: @bytes is not aligned to 64; -EBADMSG: a checksum does not match; -EUCLEAN: senseless; -E2BIG: sound, but over @limits.
 */
LINDEX_API int lindex_certify(const void *bytes, size_t len, const struct lindex_limits *limits,
			      struct lindex_cert *cert, struct lindex_reason *why);

/**
 * lindex_open_image() - Certify an image and open it in place, read-only.
 * @bytes: 64-byte aligned, unchanged until lindex_free(). Not copied.
 *
 * Return: 0, lindex_certify()'s errors, -ENOMEM, -EINVAL (@bytes not aligned).
 */
LINDEX_API int lindex_open_image(struct lindex_pool *pool, const void *bytes, size_t len,
				 const struct lindex_limits *limits, struct lindex_cert *cert,
				 struct lindex_reason *why, struct lindex **ix);

/* ---- Partial residence --------------------------------------------------------------------- */

/**
 * lindex_open_paged() - Open an index whose pages are with @cfg->pager.
 * @root: From lindex_get_root(), at a moment when all dirty pages were stored. Zeroes: empty.
 *
 * Reads no page. As soon as there is a tree it holds memory for the pages that the widest remove needs at once: 6,
 * and with inner levels 9 + 6 for each; they serve as its least cache. Return: 0, -ENOMEM, -EINVAL (no pager, or @cfg out of range), -EUCLEAN (@root).
 */
LINDEX_API int lindex_open_paged(struct lindex_pool *pool, const struct lindex_config *cfg,
				 const struct lindex_root *root, struct lindex **ix);

/**
 * lindex_root_pages() - How many pages an index opened from @root has numbers for, before it is opened.
 *
 * A few bytes of memory for each are held while the index is open: bound it if @root comes from outside.
 */
LINDEX_API uint32_t lindex_root_pages(const struct lindex_root *root);

/** lindex_get_root() - What to keep beside the pages. Context: writer. Return: 0, -EINVAL (no pager). */
LINDEX_API int lindex_get_root(const struct lindex *ix, struct lindex_root *root);

/**
 * lindex_load() - Make the pages resident that a lookup of @key needs.
 *
 * May evict others to stay under the cap; stores dirty ones first if the pager can.
 * Updates do this by themselves.
 *
 * Context: Writer. Sleeps if the pager does or readers must be waited for.
 * Return:  0; -ENOMEM: nothing can be evicted; the pager's error; -EUCLEAN: bad bytes. 0 without a pager.
 */
LINDEX_API int lindex_load(struct lindex *ix, uint64_t key);

/**
 * lindex_evict() - Drop resident pages until at most @keep are left.
 *
 * Dirty pages go through the pager's store, or stay if it has none.
 * Context: Writer. Sleeps. Return: pages still resident, or the pager's error.
 */
LINDEX_API int64_t lindex_evict(struct lindex *ix, uint64_t keep);

/**
 * lindex_dirty_pages() - List pages changed since they were loaded, stored or marked clean.
 * @from:  List pages >= @from, ascending.
 * @pages: Output, at most @n.
 *
 * With @from 0 it first waits for readers and frees what was retired. A page in which nothing is left
 * is not listed: no ref names it.
 *
 * Context: Writer. Sleeps. Cost: in proportion to the pages listed plus pages/64. Return: number listed.
 */
LINDEX_API int64_t lindex_dirty_pages(struct lindex *ix, uint32_t from, uint32_t *pages, size_t n);

/** lindex_page_bytes() - The LINDEX_PAGE_BYTES of a resident page, valid until the next change; or NULL. */
LINDEX_API const void *lindex_page_bytes(const struct lindex *ix, uint32_t page);

/** lindex_page_clean() - The caller has stored @page. Context: writer. Return: 0, -ENOENT (not resident). */
LINDEX_API int lindex_page_clean(struct lindex *ix, uint32_t page);

/** lindex_flush() - Store every dirty page through the pager. Context: writer. Return: 0, its error, -EOPNOTSUPP. */
LINDEX_API int lindex_flush(struct lindex *ix);

/* ---- Diagnostics --------------------------------------------------------------------------- */

/**
 * lindex_get_stats() - Figures, by a walk over all nodes (resident ones, with a pager).
 *
 * Context: Writer; or reader, if figures of the pool may be a little off.
 */
LINDEX_API void lindex_get_stats(const struct lindex *ix, struct lindex_stats *stats);

/** lindex_last_cost() - Counts of the last update. Context: writer. */
LINDEX_API void lindex_last_cost(const struct lindex *ix, struct lindex_update_cost *cost);

/**
 * lindex_check() - Validate the whole structure, the allocator's books included.
 *
 * Context: Writer. Cost: one pass. Return: 0, or -EUCLEAN with @why (may be NULL).
 */
LINDEX_API int lindex_check(struct lindex *ix, struct lindex_reason *why);

/**
 * lindex_dump() - Text of every node, its model and window, one line each, to @sink.
 *
 * Context: Reader. Return: 0 or the sink's error.
 */
LINDEX_API int lindex_dump(const struct lindex *ix, const struct lindex_sink *sink);

/**
 * lindex_explain() - What one lookup touches: nodes, 64-byte lines, keys compared, widest window.
 *
 * The instrumented twin of lindex_lookup(): same answer, counted on the way from the root. The table over the root spares
 * most lookups the root's own lines for two of its own, and costs two lines more where it does not know. Context: Reader.
 * Return: as lindex_lookup().
 */
LINDEX_API int lindex_explain(const struct lindex *ix, uint64_t key, struct lindex_run *run,
			      struct lindex_cert *touched);

/**
 * struct lindex_touch - A 64-byte line that a lookup reads.
 * @offset: Of the line in the arena, in bytes: stable until the node is changed.
 * @level:  Of its node: 0 is a leaf.
 */
struct lindex_touch {
	uint64_t offset;
	uint8_t level;
};

/**
 * lindex_trace() - The lines that one lookup reads on the way from the root, in order: what simulators of caches ask for.
 * @touches: Output, at most @max. @n: Output: how many. 0 where the runs are inline.
 *
 * Context: Reader. Return: as lindex_lookup().
 */
LINDEX_API int lindex_trace(const struct lindex *ix, uint64_t key, struct lindex_run *run,
			    struct lindex_touch *touches, size_t max, size_t *n);

#ifdef __cplusplus
}
#endif

#endif /* LINDEX_H */
