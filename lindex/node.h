/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Nodes: what an index consists of, byte for byte. The same in memory, in arena pages and in images.
 *
 * All integers are little-endian. A node is 1..64 *units* of 64 bytes, aligned to 64, and never
 * crosses a 4 KiB arena page. A *ref* names a unit of the arena; ref 0 is nothing. A unit whose
 * first byte is 0 is free. What is not used inside a node is zero, except where a pad is stated.
 *
 * Every node begins with the same 24 bytes:
 *
 *      0       1       2               4                               8
 *      +-------+-------+---------------+-------------------------------+
 *    0 | kind  | units |       n       |              gen              |
 *      +-------+-------+---------------+-------------------------------+
 *    8 |             next              | level | flags |      aux      |
 *      +-------------------------------+-------+-------+---------------+
 *   16 |                             base                              |
 *      +---------------------------------------------------------------+
 *
 *   kind   enum lindex_node_kind            units  size in 64-byte units
 *   n      entries, by kind                 gen    birth generation (snapshots); 0 in images
 *   next   limbo link, writer's; 0 in images
 *   level  0 for a leaf                     flags  LINDEX_NODE_*, writer's; 0 in images
 *   aux    LINES: lines + 256 * step; else 0 base   key that offsets in the node count from
 *
 * A node's *fence* is [lo, hi]: the keys that the path above routes to it. lo is its separator in
 * the parent (on the left edge of the tree: 0, whatever the separator is), hi is one below the next
 * separator on the path. hi is not stored in the node: so a neighbour may go, and the fence grows,
 * without a write here.
 *
 * Invariants (check.c and certify.c name them):
 *   N1  kind, units, n and widths fit the node's bytes; reserved bytes are zero.
 *   N2  base is the separator.
 *   N3  A leaf's base is the first key of its first run; its last run ends at or before hi.
 *       So every hole lies in one fence, and a whole hole is found in one leaf.
 *   N4  Runs in a leaf ascend, do not touch unless they differ (maximal), and values do not wrap.
 *   N5  An inner node at level L has n >= 1 entries whose separators ascend strictly, the first
 *       being base; children are at level L-1, or terminal runs.
 *   N6  A model's stored window holds the true position for every key of the fence.
 *   N7  No two neighbouring entries of a leaf, and no two neighbouring leaves, make one run.
 */
#ifndef LINDEX_NODE_H
#define LINDEX_NODE_H

#include "lindex.h"
#include "fixed.h"

#define LINDEX_UNIT_BYTES  64u
#define LINDEX_PAGE_UNITS  64u
#define LINDEX_INNER_UNITS 64u  /* an inner node at most: a page, 504 entries of 8 bytes */
#define LINDEX_LEAF_UNITS  16u  /* a leaf at most */
#define LINDEX_MAX_LEVEL   9u   /* of the root; DESIGN.md: fan-out is at least 22 */
#define LINDEX_LEAF_RUNS   512u /* runs in one leaf at most */

enum lindex_node_kind {
	LINDEX_NODE_FREE = 0,
	LINDEX_NODE_INNER,
	LINDEX_NODE_LINES,
	LINDEX_NODE_SPARSE,
	LINDEX_NODE_DENSE,
	LINDEX_NODE_PRESENCE,
	LINDEX_NODE_KINDS
};

#define LINDEX_NODE_RETIRED 0x1u /* unlinked; free once readers and snapshots are gone */
#define LINDEX_NODE_SUBTREE 0x2u /* in a drop queue: the children are to be dropped too */

struct lindex_node {
	uint8_t kind, units;
	lindex_le16 n;
	lindex_le32 gen;
	lindex_le32 next;
	uint8_t level, flags;
	lindex_le16 aux;
	lindex_le64 base;
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_node) == 24, "node head is 24 bytes");

/*
 * Inner node, level >= 1, n <= 504 entries, to scale (one row = 64 bytes):
 *
 *      +------------------------+----------+-------------------------------------+
 *    0 | head                   | model    | zero                                |
 *      +------------------------+----------+-------------------------------------+
 *   64 | key[pad8(n)]: separator - base, kw bytes each, ascending, key[0] = 0;
 *      |   pad: all ones
 *      +-------------------------------------------------------------------------+
 *      | ref[n]: u32. Bit 31 clear: child node. Set: index into term[]; then padded to 8 bytes
 *      +-------------------------------------------------------------------------+
 *      | term[nterm]: 32 bytes each: first, last, value, tag, step: a run without a leaf
 *      +-------------------------------------------------------------------------+
 *
 * kw is 4 where every offset is below 2^32 - 1, else 8; with 4, pre is 0. Lookup: start = max(p(key - base) - below, 0),
 * at most start_max; the entry is among window keys from start. Above leaves, the slope also predicts
 * the line of the leaf that holds the key, so that head and line are fetched at once: a hint, and
 * wrong without harm. refs are the only bytes of a published node that change, by one release store.
 */
struct lindex_inner {
	struct lindex_node head;
	lindex_le32 mul;
	uint8_t pre, post;
	lindex_le16 below;     /* how far the truth may lie below the prediction, */
	lindex_le16 above;     /* and above it */
	lindex_le16 window;    /* keys to look at: pad8(below + above + 1) */
	lindex_le16 start_max; /* pad8(n) - window */
	lindex_le16 refs_at;   /* byte offset of ref[] */
	lindex_le16 nterm;
	uint8_t kw;
	uint8_t lines; /* data lines of a child leaf, on average: which one to prefetch */
	uint8_t zero[20];
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_inner) == 64, "inner head is one unit");

#define LINDEX_TERM 0x80000000u

struct lindex_term {
	lindex_le64 first, last, value;
	lindex_le16 tag;
	uint8_t step, zero[5];
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_term) == 32, "a terminal run is 32 bytes");

/*
 * LINES: exact runs in 64-byte lines. n = entries; an entry is a run or a hole between two runs.
 *
 *      +----------------+-------+-------+-------+-----+--------+----------------+
 *    0 | head           | vbase |  end  |tagbase| vw..dw       | dir[8] (dw=2)  |
 *      +----------------+-------+-------+-------+-----+--------+----------------+
 *      | dir[nlines], dw bytes each, in units of its own where it is not in the head
 *      +----------------------------------------+-------------------------------+
 *      | line 0: key[cap], kw bytes each        | payload[cap], pw bits each    |
 *      +----------------------------------------+-------------------------------+
 *      | line 1 ...                                                             |
 *
 * dir[i]: first key of line i - base; pad: all ones. key[j]: first key of the entry - first key of
 * the line, ascending from 0; pad: all ones, which no entry uses. payload: vw bits of code, tw of
 * tag - tagbase, sw of step. Code 0 is a hole, else value = vbase + code - 1. Code 0 is kept free even
 * without holes, so that removing runs never widens a payload (DESIGN.md, "remove never grows").
 * An entry ends where the next begins; the last entry is a run and ends at end.
 * sw 0: every step is bit 8 of aux. Bits 0-7 of aux are nlines. dw is 2 only if the directory is in the head.
 * A leaf with kw 1 and dw 2 is *plain*: what most leaves are, and what the short way of a lookup is for.
 */
struct lindex_lines {
	struct lindex_node head;
	lindex_le64 vbase, end;
	lindex_le16 tagbase;
	uint8_t vw, cap, tw, sw, kw, dw;
	uint8_t dir[16];
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_lines) == 64, "lines head is one unit");

#define LINDEX_LINES_MAX   15u     /* lines in a leaf */
#define LINDEX_LINES_PLAIN 0x0201u /* kw 1, dw 2, as one little-endian half-word */

/*
 * SPARSE: n sorted records of rb = kw + lw + vw + tw + sw bits, packed without gaps from byte 56:
 * first - base, last - first, value - vbase, tag - tagbase, step. Holes are what no record covers.
 * Lookup: as in an inner node, by binary search in the window.
 * The node's last 8 bytes are zero (packed reads over-run).
 */
struct lindex_sparse {
	struct lindex_node head;
	lindex_le64 vbase;
	lindex_le16 tagbase;
	uint8_t kw, lw, vw, tw, sw, step;
	lindex_le32 mul;
	uint8_t pre, post;
	lindex_le16 below;
	lindex_le16 window;
	uint8_t zero[6];
};
#define LINDEX_SPARSE_RECORDS 56u /* first record: the rest of the first unit is records too */
LINDEX_STATIC_ASSERT(sizeof(struct lindex_sparse) == LINDEX_SPARSE_RECORDS, "sparse head");

/*
 * DENSE: one slot of vw bits for each key from base on, from byte 64. Slot code 0 is a hole, else
 * value = vbase +- v(key - base) + code - 1, v the value line. n = slots. One tag, one step.
 * Runs are at most LINDEX_DENSE_RUN keys long and holes LINDEX_DENSE_HOLE, so that a whole run is
 * found by looking at a few neighbours.
 *
 * PRESENCE: slots at base + i * stride; a bitmap says which hold a key; the r-th key present has
 * value = vbase +- v(key - base) + residual r: by key, not by rank, so that a remove moves no residual. n = slots.
 *
 *      +------------------------------------------------------------------------+
 *    0 | head | vbase | tagbase, step, vw, neg, post | mul | stride | keys | .. |
 *      +------------------------------------------------------------------------+
 *   64 | PRESENCE: bitmap, pad64(n) bits; rank[] u16 per 256 slots, pad to 8 bytes
 *      | residuals or slots, vw bits each; the node's last 8 bytes are zero
 *
 * Slot 0 and the last slot are present in both.
 */
struct lindex_dense {
	struct lindex_node head;
	lindex_le64 vbase;
	lindex_le16 tagbase;
	uint8_t step, vw, neg, post;
	lindex_le16 keys; /* keys present */
	lindex_le32 mul;
	lindex_le32 stride;
	uint8_t zero[16];
};
LINDEX_STATIC_ASSERT(sizeof(struct lindex_dense) == 64, "dense head is one unit");
#define LINDEX_DENSE_RUN      8u
#define LINDEX_DENSE_HOLE     16u
#define LINDEX_DENSE_SLOTS    2048u
#define LINDEX_PRESENCE_SLOTS 2048u

static inline uint32_t lindex_node_n(const struct lindex_node *node)
{
	return lindex_from16(node->n);
}
static inline uint64_t lindex_node_base(const struct lindex_node *node)
{
	return lindex_from64(node->base);
}

/* Inner node: where its parts are. */
static inline uint32_t lindex_pad8(uint32_t n)
{
	return (n + 7) & ~7u;
}
static inline uint32_t lindex_inner_refs_at(uint32_t n, uint32_t kw)
{
	return LINDEX_UNIT_BYTES + kw * lindex_pad8(n);
}
static inline uint32_t lindex_inner_terms_at(uint32_t n, uint32_t kw)
{
	return lindex_pad8(lindex_inner_refs_at(n, kw) + 4 * n);
}
static inline uint32_t lindex_inner_bytes(uint32_t n, uint32_t kw, uint32_t nterm)
{
	return lindex_inner_terms_at(n, kw) + (uint32_t)sizeof(struct lindex_term) * nterm;
}
static inline lindex_le32 *lindex_inner_refs(const struct lindex_inner *in)
{
	return (lindex_le32 *)((uint8_t *)(uintptr_t)in +
			       lindex_inner_refs_at(lindex_node_n(&in->head), in->kw));
}
static inline uint32_t lindex_inner_ref(const struct lindex_inner *in, uint32_t i)
{
	return lindex_from32(lindex_load_acquire(&lindex_inner_refs(in)[i]));
}
static inline uint64_t lindex_inner_key(const struct lindex_inner *in, uint32_t i)
{
	const uint8_t *keys = (const uint8_t *)in + LINDEX_UNIT_BYTES;

	return in->kw == 4 ? lindex_ld32(keys + 4 * i) : lindex_ld64(keys + 8 * i);
}
static inline const struct lindex_term *lindex_inner_term(const struct lindex_inner *in,
							  uint32_t ref)
{
	return (const struct lindex_term *)((const uint8_t *)in +
					    lindex_inner_terms_at(lindex_node_n(&in->head),
								  in->kw)) +
	       (ref & ~LINDEX_TERM);
}

/* LINES: where its parts are. */
static inline uint32_t lindex_lines_dir_units(uint32_t nlines, uint32_t dw)
{
	return dw == 2 ? 0 : (nlines * dw + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES;
}
static inline uint32_t lindex_lines_pw(const struct lindex_lines *l)
{
	return (uint32_t)l->vw + l->tw + l->sw;
}
#define LINDEX_LINES_PW_MAX 57u /* one 8-byte load reaches the payload, whatever its bit offset */

/* DENSE and PRESENCE: where their parts are. */
static inline uint32_t lindex_presence_ranks_at(uint32_t slots)
{
	return LINDEX_UNIT_BYTES + (slots + 63) / 64 * 8;
}
static inline uint32_t lindex_presence_codes_at(uint32_t slots)
{
	return lindex_presence_ranks_at(slots) + lindex_pad8((slots + 255) / 256 * 2);
}

#endif /* LINDEX_NODE_H */
