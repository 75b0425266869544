/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The short way through a lookup: offsets instead of fences, and plain leaves only. What is not plain, or
 * ends at a fence, goes the long way. Beside what lookup_inner_body.h wants, define before:
 *
 *   COUNT_LE8(p, n, x)     how many of the bytes p[0..n) are <= x, n <= 32, p has 32 readable bytes
 *   COUNT_LE16X8(p, x)     how many of 8 little-endian u16 at p are <= x
 */
#ifndef LINDEX_LOOKUP_SHORT_BODY_H
#define LINDEX_LOOKUP_SHORT_BODY_H

#include "lookup_inner_body.h"

/* ---- Plain leaves -------------------------------------------------------------------------------- */

/* Where in a LINES leaf a key is: what the head line tells. Keys as offsets from the leaf's base. */
struct body_line {
	const uint8_t *line;
	uint64_t start; /* first key of the line */
	uint64_t next; /* first key behind the line: of the next line, or end + 1 (may wrap to 0) */
};

static LINDEX_ALWAYS_INLINE bool body_lines_plain(const struct lindex_lines *l)
{
	return lindex_ld32(&l->tw) >> 16 == LINDEX_LINES_PLAIN;
}

/* A plain leaf's directory is in the head: at most 8 line starts of 2 bytes. */
static LINDEX_ALWAYS_INLINE void body_plain_head(const struct lindex_lines *l, uint64_t off,
						 struct body_line *at)
{
	uint32_t x = off < 0xffff ? (uint32_t)off : 0xfffe, i;
	uint64_t next, end = lindex_from64(l->end) - lindex_node_base(&l->head) + 1;

	i = COUNT_LE16X8(l->dir, (uint16_t)x);
	at->line = (const uint8_t *)l + LINDEX_UNIT_BYTES * (size_t)i;
	at->start = lindex_ld16(l->dir + 2 * (size_t)i - 2);
	next = lindex_ld16(l->dir + 2 * (size_t)i); /* behind the 8th: the first line's, not used */
	at->next = i != (lindex_from16(l->head.aux) & 0xffu) ? next : end;
}

/* Payload of @pw bits that ends at bit @end of a line: the 8 bytes that end there hold it, top-aligned. */
static LINDEX_ALWAYS_INLINE uint64_t body_payload(const uint8_t *line, uint32_t end, uint32_t pw)
{
	return lindex_ld64(line + ((end + 7) >> 3) - 8) << ((0 - end) & 7) >> (64 - pw);
}

/* The entry of the key at @off, which is @key, in the line that the head named. */
static LINDEX_ALWAYS_INLINE int body_plain_entry(const struct lindex_lines *l,
						 const struct body_line *at, uint64_t key,
						 uint64_t off, struct lindex_run *run)
{
	const uint8_t *line = at->line;
	uint32_t cap = l->cap, vw = l->vw, n, next, tag = 0, step = lindex_from16(l->head.aux) >> 8;
	uint64_t d = off - at->start, code, ahead;

	n = COUNT_LE8(line, cap, (uint8_t)(d < 0xff ? d : 0xfe)); /* entries up to the key's */
	next = line[n];
	ahead = next == 0xff || n == cap ? at->next - off : next - d;
	run->first = key - d + line[n - 1];
	run->last = key + ahead - 1;
	if (lindex_likely(!(lindex_ld32(&l->tw) &
			    0xffff))) { /* tw and sw: the same tag and step for all */
		code = body_payload(line, cap * 8 + n * vw, vw);
	} else {
		uint32_t pw = lindex_lines_pw(l);

		code = body_payload(line, cap * 8 + n * pw, pw);
		tag = (uint32_t)(code >> vw) & (uint32_t)lindex_mask(l->tw);
		step |= l->sw ? (uint32_t)(code >> (pw - 1)) : 0;
		code &= lindex_mask(vw);
	}
	run->mapped = code != 0;
	if (lindex_unlikely(!code)) {
		run->value = 0;
		run->tag = 0;
		run->step = 0;
		return -ENOENT;
	}
	run->value = lindex_from64(l->vbase) + code - 1;
	run->tag = (uint16_t)(lindex_from16(l->tagbase) + tag);
	run->step = (uint8_t)step;
	return 0;
}

static LINDEX_ALWAYS_INLINE bool body_lines_covers(const struct lindex_lines *l, uint64_t key)
{
	return key <= lindex_from64(l->end);
}

/* ---- A tree --------------------------------------------------------------------------------------- */

/* Which line of a leaf the slope expects a key in that lies @off behind the leaf's first. */
static LINDEX_ALWAYS_INLINE uint32_t body_line_hint(const struct lindex_inner *in, uint64_t off)
{
	uint64_t line = off * ((uint64_t)lindex_from32(in->mul) * in->lines) >> (in->post & 63);

	return (uint32_t)lindex_min64(line, in->lines);
}

/*
 * One level down from @in, whose model is @m: the child's address, or NULL and the terminal run. *@off
 * becomes the offset in the child.
 */
static LINDEX_ALWAYS_INLINE const struct lindex_node *body_step(const struct lindex_space *sp,
								const struct lindex_inner *in,
								const struct body_model *m,
								uint64_t *off,
								const struct lindex_term **term)
{
	uint32_t i, ref;
	uint64_t sep;

	if (lindex_likely(in->kw == 4)) {
		i = body_entry4(m, *off);
		sep = lindex_ld32(m->keys + 4 * (size_t)i);
	} else {
		i = lindex_inner_entry8(in, *off);
		sep = lindex_ld64(m->keys + 8 * (size_t)i);
	}
	ref = lindex_from32(lindex_load_acquire(&m->refs[i]));
	if (lindex_unlikely(ref & LINDEX_TERM)) {
		*term = lindex_inner_term(in, ref);
		return NULL;
	}
	*off -= sep;
	return lindex_near_node(sp, ref);
}

static LINDEX_ALWAYS_INLINE bool body_is_plain(const struct lindex_node *leaf, uint64_t key)
{
	const struct lindex_lines *l = (const struct lindex_lines *)leaf;

	return leaf->kind == LINDEX_NODE_LINES && body_lines_plain(l) && body_lines_covers(l, key);
}

/* Have the line of @leaf that @in's slope expects @off in on its way, together with the head. */
static LINDEX_ALWAYS_INLINE void body_line_ahead(const struct lindex_inner *in,
						 const struct lindex_node *leaf, uint64_t off)
{
	lindex_prefetch((const uint8_t *)leaf +
			LINDEX_UNIT_BYTES * (1 + (size_t)body_line_hint(in, off)));
}

/* How many of LINDEX_TOP_FEW ascending numbers are <= @x; the first is. Halvings: AVX2 has no compare for these. */
static LINDEX_ALWAYS_INLINE uint32_t body_count_few(const uint64_t *p, uint64_t x)
{
	uint32_t i = (uint32_t)(p[4] <= x) * 4;

	i += (uint32_t)(p[i + 2] <= x) * 2;
	return i + (p[i + 1] <= x) + 1;
}

/*
 * The root's child for @key, by the table over the root (top.c); *@off becomes the offset in it. NULL: the table
 * does not know, or it is a terminal run.
 */
static LINDEX_ALWAYS_INLINE const struct lindex_node *body_top(const struct lindex_space *sp,
							       const struct lindex_top *top,
							       uint64_t key, uint64_t *off)
{
	uint64_t o = key - lindex_node_base(&top->head);
	uint32_t i, ref;

	if (lindex_unlikely(o > top->most))
		return NULL;
	if (top->shift == LINDEX_TOP_SHIFT) {
		i = body_count_few(lindex_top_few(top), o) - 1;
		*off = o - lindex_top_few(top)[i];
	} else {
		const uint8_t *keys = (const uint8_t *)top->root + LINDEX_UNIT_BYTES;

		i = lindex_top_entry(top)[o >> top->shift];
		if (lindex_unlikely(i & LINDEX_TOP_BORDER)) {
			if (lindex_unlikely(i == LINDEX_TOP_MANY))
				return NULL;
			i &= LINDEX_TOP_BORDER - 1;
			i += lindex_ld32(keys + 4 * (size_t)(i + 1)) <= o;
		}
		*off = o - lindex_ld32(keys + 4 * (size_t)i);
	}
	ref = lindex_from32(lindex_load_acquire(&top->refs[i]));
	return lindex_unlikely(ref & LINDEX_TERM) ? NULL : lindex_near_node(sp, ref);
}

/* The level of the nodes that lindex_root_child() returns. */
static LINDEX_ALWAYS_INLINE uint32_t body_below_root(uint64_t word)
{
	uint32_t level = lindex_root_level(word);

	return level ? level - 1 : 0;
}

static LINDEX_ALWAYS_INLINE int body_lookup(const struct lindex *ix, uint64_t key,
					    struct lindex_run *run)
{
	const struct lindex_top *top = lindex_load_acquire(&ix->top);
	const struct lindex_space *sp = ix->space;
	const struct lindex_term *term = NULL;
	const struct lindex_node *node = NULL;
	struct body_line at;
	uint32_t level = 0;
	uint64_t off;

	if (lindex_likely(top != NULL))
		node = body_top(sp, top, key, &off);
	if (lindex_likely(node != NULL)) {
		level = top->head.level - 1u;
		if (!level)
			body_line_ahead(top->root, node, off);
	} else {
		uint64_t word = lindex_load_acquire(&ix->root);

		node = lindex_root_child(ix, word, key, &off, run);
		if (!node)
			return run->mapped ? 0 : -ENOENT;
		level = body_below_root(word);
	}
	for (; level; level--) {
		const struct lindex_inner *in = (const struct lindex_inner *)node;
		struct body_model m = body_model_of(in);

		node = body_step(sp, in, &m, &off, &term);
		if (lindex_unlikely(!node))
			return lindex_rest_find(ix, NULL, term, key, run);
		if (level == 1)
			body_line_ahead(in, node, off);
	}
	if (lindex_unlikely(!body_is_plain(node, key)))
		return lindex_rest_find(ix, node, NULL, key, run);
	body_plain_head((const struct lindex_lines *)node, off, &at);
	return body_plain_entry((const struct lindex_lines *)node, &at, key, off, run);
}

/*
 * Batch: groups of keys go down together, level by level, so that their cache misses overlap. The
 * parts of a group are plain arrays; a key that was answered early has node NULL.
 */
#define BODY_GROUP       LINDEX_PORT_GROUP
#define BODY_GROUP_SMALL 16u

/*
 * How many keys go together: few where most of the index is in the second-level cache, many where every
 * leaf is a miss (docs/decisions/001). A root of level 2 with this many nodes below has 6 MB of inner nodes.
 */
static inline uint32_t body_group_size(const struct lindex *ix, uint64_t word)
{
	const struct lindex_node *root = lindex_near_node(ix->space, lindex_root_ref(word));

	return lindex_root_level(word) > 2 ||
			       (lindex_root_level(word) == 2 && lindex_node_n(root) > 128) ?
		       BODY_GROUP :
		       BODY_GROUP_SMALL;
}

/* All keys of a group from the root down. */
static LINDEX_ALWAYS_INLINE void body_group_root(const struct lindex *ix, uint64_t word,
						 const uint64_t *keys, uint32_t n,
						 const struct lindex_node **node, uint64_t *off,
						 struct lindex_run *runs)
{
	const struct lindex_top *top = lindex_load_acquire(&ix->top);
	const struct lindex_space *sp = ix->space;
	const struct lindex_node *child;
	uint32_t i;

	if (top &&
	    (const struct lindex_node *)top->root != lindex_near_node(sp, lindex_root_ref(word)))
		top = NULL;
	for (i = 0; i < n; i++) {
		child = lindex_likely(top != NULL) ? body_top(sp, top, keys[i], &off[i]) : NULL;
		if (lindex_unlikely(!child))
			child = lindex_root_child(ix, word, keys[i], &off[i], &runs[i]);
		node[i] = child;
		lindex_prefetch(child);
	}
}

/* All keys of a group one level down. */
static LINDEX_ALWAYS_INLINE void body_group_step(const struct lindex *ix, const uint64_t *keys,
						 uint32_t n, const struct lindex_node **node,
						 uint64_t *off, struct lindex_run *runs)
{
	const struct lindex_term *term = NULL;
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct lindex_inner *in = (const struct lindex_inner *)node[i];
		const struct lindex_node *child;
		struct body_model m;

		if (lindex_unlikely(!in))
			continue;
		m = body_model_of(in);
		child = body_step(ix->space, in, &m, &off[i], &term);
		node[i] = child;
		if (lindex_unlikely(!child))
			(void)lindex_rest_find(ix, NULL, term, keys[i], &runs[i]);
		lindex_prefetch(child);
	}
}

static LINDEX_ALWAYS_INLINE uint32_t body_group(const struct lindex *ix, uint64_t word,
						const uint64_t *keys, uint32_t n,
						struct lindex_run *runs)
{
	uint64_t off[BODY_GROUP];
	const struct lindex_node *node[BODY_GROUP];
	struct body_line at[BODY_GROUP];
	uint32_t level, i, mapped = 0;

	body_group_root(ix, word, keys, n, node, off, runs);
	for (level = body_below_root(word); level; level--)
		body_group_step(ix, keys, n, node, off, runs);
	for (i = 0; i < n; i++) {
		if (lindex_unlikely(!node[i]))
			continue;
		if (lindex_unlikely(!body_is_plain(node[i], keys[i]))) {
			(void)lindex_rest_find(ix, node[i], NULL, keys[i], &runs[i]);
			node[i] = NULL;
			continue;
		}
		body_plain_head((const struct lindex_lines *)node[i], off[i], &at[i]);
		lindex_prefetch(at[i].line);
	}
	for (i = 0; i < n; i++) {
		if (lindex_likely(node[i] != NULL))
			body_plain_entry((const struct lindex_lines *)node[i], &at[i], keys[i],
					 off[i], &runs[i]);
		mapped += runs[i].mapped;
	}
	return mapped;
}

static LINDEX_ALWAYS_INLINE int64_t body_lookup_batch(const struct lindex *ix, const uint64_t *keys,
						      size_t n, struct lindex_run *runs)
{
	int64_t mapped = 0;
	uint32_t take;
	size_t i;

	for (i = 0; i < n; i += take) {
		uint64_t word = lindex_load_acquire(&ix->root);

		if (lindex_unlikely(word & LINDEX_ROOT_INLINE)) {
			take = 1;
			mapped += lindex_slot_lookup(&ix->slot[lindex_root_ref(word)], keys[i],
						     &runs[i]) == 0;
			continue;
		}
		take = body_group_size(ix, word);
		take = n - i < take ? (uint32_t)(n - i) : take;
		mapped += body_group(ix, word, keys + i, take, runs + i);
	}
	return mapped;
}

#endif /* LINDEX_LOOKUP_SHORT_BODY_H */
