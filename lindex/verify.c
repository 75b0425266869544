/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Is this a sound node, a sound tree? From the bytes alone. Two steps:
 *
 *   shape   every field is in its range, every read that a lookup can do stays inside the node, arrays
 *           ascend, pads are pads (N1, N4 in part). After it, lookups in the node are safe.
 *   tree    separators, fences, levels, windows, runs in order and maximal (N2-N7). After it, lookups are
 *           exact: what they answer is what a reader of all runs in order would answer.
 *
 * Windows are measured here with the lookup's own arithmetic, not believed.
 */
#include "verify.h"

/** lindex_refuse() - Note the reason. Returns -EUCLEAN. */
int lindex_refuse(struct lindex_verify *v, const char *text, uint64_t offset, uint64_t key,
		  uint64_t expected, uint64_t found)
{
	if (v->why)
		*v->why = (struct lindex_reason){ text, offset, key, expected, found };
	return -EUCLEAN;
}

static bool all_bytes(const void *p, size_t n, uint8_t byte)
{
	const uint8_t *b = p;

	while (n--)
		if (*b++ != byte)
			return false;
	return true;
}

/* Bits [bit, end) of a node are zero. */
static bool zero_bits(const void *node, uint32_t bit, uint32_t end)
{
	const uint8_t *p = node;

	for (; bit < end && bit % 8; bit++)
		if (p[bit / 8] >> (bit % 8) & 1)
			return false;
	return bit >= end || all_bytes(p + bit / 8, (end - bit) / 8, 0);
}

#define REFUSE(text, expected, found)                                                              \
	return lindex_refuse(v, text, at, lindex_node_base(node), expected, found)

/* ---- Shape ------------------------------------------------------------------------------------------ */

static int shape_inner(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_inner *in = (const struct lindex_inner *)node;
	uint32_t n = lindex_node_n(node), nterm = lindex_from16(in->nterm), terms = 0, i;
	uint32_t window = lindex_from16(in->window), bytes, end = node->units * LINDEX_UNIT_BYTES;
	uint32_t below = lindex_from16(in->below), above = lindex_from16(in->above);

	if (!n || n > LINDEX_INNER_MAX)
		REFUSE("N1: number of entries of an inner node", LINDEX_INNER_MAX, n);
	if (in->kw != 4 && in->kw != 8)
		REFUSE("N1: key width of an inner node", 4, in->kw);
	if (nterm > n)
		REFUSE("N1: number of terminal runs", n, nterm);
	bytes = lindex_inner_bytes(n, in->kw, nterm);
	if ((bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES != node->units)
		REFUSE("N1: size of an inner node in units", (bytes + 63) / 64, node->units);
	if (in->pre > 63 || in->post > 63)
		REFUSE("N1: shift of a model", 63, in->pre > in->post ? in->pre : in->post);
	if (in->kw == 4 && in->pre)
		REFUSE("N1: a pre-shift of narrow keys", 0, in->pre);
	if (!window || window % 8 || window > lindex_pad8(n) ||
	    below + above + 1 > 2 * LINDEX_INNER_MAX ||
	    window != lindex_min32(lindex_pad8(below + above + 1), lindex_pad8(n)))
		REFUSE("N1: window of an inner node", lindex_pad8(below + above + 1), window);
	if (in->lines > LINDEX_LINES_MAX)
		REFUSE("N1: lines of a leaf, for the prefetch", LINDEX_LINES_MAX, in->lines);
	if (lindex_from16(in->start_max) != lindex_pad8(n) - window)
		REFUSE("N1: largest window start", lindex_pad8(n) - window,
		       lindex_from16(in->start_max));
	if (lindex_from16(in->refs_at) != lindex_inner_refs_at(n, in->kw))
		REFUSE("N1: offset of refs", lindex_inner_refs_at(n, in->kw),
		       lindex_from16(in->refs_at));
	if (lindex_inner_key(in, 0))
		REFUSE("N5: first key of an inner node", 0, lindex_inner_key(in, 0));
	for (i = 1; i < n; i++)
		if (lindex_inner_key(in, i) <= lindex_inner_key(in, i - 1) ||
		    (in->kw == 4 && lindex_inner_key(in, i) == UINT32_MAX) ||
		    lindex_inner_key(in, i) > UINT64_MAX - lindex_node_base(node))
			REFUSE("N5: keys of an inner node ascend", i, lindex_inner_key(in, i));
	if (!all_bytes((const uint8_t *)in + LINDEX_UNIT_BYTES + (size_t)in->kw * n,
		       (size_t)in->kw * (lindex_pad8(n) - n), 0xff))
		REFUSE("N1: pad of an inner node", n, 0);
	for (i = 0; i < n; i++) {
		uint32_t ref = lindex_inner_ref(in, i);

		if (ref & LINDEX_TERM && (node->level != 1 || (ref & ~LINDEX_TERM) != terms++))
			REFUSE("N5: terminal runs in order, above leaves", terms, ref);
	}
	if (terms != nterm)
		REFUSE("N1: number of terminal runs", nterm, terms);
	if (!all_bytes(in->zero, sizeof(in->zero), 0) || !zero_bits(node, bytes * 8, end * 8))
		REFUSE("N1: reserved bytes of an inner node", 0, 1);
	return 0;
}

static uint64_t get_le(const uint8_t *p, uint32_t width)
{
	return width == 1 ? *p :
	       width == 2 ? lindex_ld16(p) :
	       width == 4 ? lindex_ld32(p) :
			    lindex_ld64(p);
}

/* One line: keys ascend from 0, stay below @limit (offsets from the line's first key), then pads. */
static int shape_line(struct lindex_verify *v, const struct lindex_node *node, const uint8_t *line,
		      uint64_t limit, bool *hole_before, uint32_t *entries, uint64_t at)
{
	const struct lindex_lines *l = (const struct lindex_lines *)node;
	uint32_t pw = lindex_lines_pw(l), bit = l->cap * l->kw * 8u, j;
	uint64_t pad = lindex_mask(8u * l->kw), before = 0;

	for (j = 0; j < l->cap; j++, bit += pw) {
		uint64_t key = get_le(line + (size_t)j * l->kw, l->kw), w;
		uint32_t byte = lindex_min32(bit >> 3, LINDEX_UNIT_BYTES - 8);
		bool hole;

		if (key == pad)
			break;
		w = lindex_ld64(line + byte) >> (bit - 8 * byte) & lindex_mask(pw);
		hole = !(w & lindex_mask(l->vw));
		if (j ? key <= before : key != 0)
			REFUSE("N1: keys of a line ascend from 0", before, key);
		if (key > limit)
			REFUSE("N1: a key lies behind its line", limit, key);
		if (hole && (w || *hole_before))
			REFUSE("N4: a hole after a hole, or at the front, or with a tag", 0, key);
		*hole_before = hole;
		before = key;
	}
	*entries += j;
	if (!j)
		REFUSE("N1: an empty line", 1, 0);
	if (!all_bytes(line + (size_t)j * l->kw, (size_t)(l->cap - j) * l->kw, 0xff) ||
	    !zero_bits(line, bit, LINDEX_UNIT_BYTES * 8))
		REFUSE("N1: pad of a line", j, l->cap);
	return 0;
}

static int shape_lines(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_lines *l = (const struct lindex_lines *)node;
	uint32_t aux = lindex_from16(node->aux), nlines = aux & 0xff, pw = lindex_lines_pw(l),
		 dir_units, i;
	const uint8_t *dir, *line;
	uint64_t base = lindex_node_base(node), end = lindex_from64(l->end), start, next;
	uint32_t entries = 0, dir_bytes;
	bool hole_before = true; /* a leaf does not begin with a hole */
	int err;

	if ((l->kw != 1 && l->kw != 2 && l->kw != 4) || (l->dw != 2 && l->dw != 4 && l->dw != 8))
		REFUSE("N1: key or directory width of lines", 1, l->kw);
	if (!l->vw || l->tw > 16 || l->sw > 1 || pw > LINDEX_LINES_PW_MAX)
		REFUSE("N1: payload width of lines", LINDEX_LINES_PW_MAX, pw);
	if (!l->cap || l->cap > 32 || l->cap * (8u * l->kw + pw) > 512)
		REFUSE("N1: entries that a line holds", 512 / (8u * l->kw + pw), l->cap);
	dir_units = lindex_lines_dir_units(nlines, l->dw);
	if (l->dw == 2 && nlines > sizeof(l->dir) / 2)
		REFUSE("N1: lines of a directory in the head", sizeof(l->dir) / 2, nlines);
	if (!nlines || 1 + dir_units + nlines != node->units || aux >> 9 || (l->sw && aux >> 8))
		REFUSE("N1: number of lines", node->units - 1, nlines);
	dir = dir_units ? (const uint8_t *)l + LINDEX_UNIT_BYTES : l->dir;
	dir_bytes = dir_units ? dir_units * LINDEX_UNIT_BYTES : (uint32_t)sizeof(l->dir);
	line = (const uint8_t *)l + (size_t)LINDEX_UNIT_BYTES * (1 + dir_units);
	if (dir_units && !all_bytes(l->dir, sizeof(l->dir), 0))
		REFUSE("N1: directory in the head and outside", 0, 1);
	if (end < base)
		REFUSE("N1: end of lines below their base", base, end);
	for (i = 0; i < nlines; i++, line += LINDEX_UNIT_BYTES) {
		start = get_le(dir + (size_t)i * l->dw, l->dw);
		next = i + 1 < nlines ? get_le(dir + (size_t)(i + 1) * l->dw, l->dw) :
					end - base + 1;
		if (!i ? start != 0 : start > end - base)
			REFUSE("N1: directory of lines", 0, start);
		if ((next <= start && (i + 1 < nlines || next)) ||
		    (l->dw < 8 && i + 1 < nlines && next == lindex_mask(8u * l->dw)))
			REFUSE("N1: directory of lines ascends", start, next);
		err = shape_line(v, node, line, next - start - 1, &hole_before, &entries, at);
		if (err)
			return err;
	}
	if (hole_before)
		REFUSE("N4: lines end with a hole", 0, 1);
	if (entries != lindex_node_n(node))
		REFUSE("N1: entries of lines", entries, lindex_node_n(node));
	if (!all_bytes(dir + (size_t)nlines * l->dw, dir_bytes - (size_t)nlines * l->dw, 0xff))
		REFUSE("N1: pad of a directory", 0xff, 0);
	return 0;
}

static int shape_sparse(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_sparse *s = (const struct lindex_sparse *)node;
	uint32_t n = lindex_node_n(node), rb = (uint32_t)s->kw + s->lw + s->vw + s->tw + s->sw, i;
	uint32_t end = node->units * LINDEX_UNIT_BYTES * 8, used, window = lindex_from16(s->window);
	uint64_t base = lindex_node_base(node), before = 0;

	if (s->kw > 64 || s->lw > 64 || s->vw > 64 || s->tw > 16 || s->sw > 1 ||
	    s->step > (s->sw ? 0 : 1))
		REFUSE("N1: field width of sparse records", 64, s->kw);
	if (!n || n > LINDEX_LEAF_RUNS || node->aux)
		REFUSE("N1: number of sparse records", LINDEX_LEAF_RUNS, n);
	used = LINDEX_SPARSE_RECORDS * 8 + n * rb;
	if ((used + 64 + 511) / 512 != node->units)
		REFUSE("N1: size of sparse records in units", (used + 64 + 511) / 512, node->units);
	if (s->pre > 63 || s->post > 63)
		REFUSE("N1: shift of a model", 63, s->pre > s->post ? s->pre : s->post);
	if (!window || window > n || lindex_from16(s->below) >= n)
		REFUSE("N1: window of sparse records", n, window);
	for (i = 0; i < n; i++) {
		uint32_t bit = LINDEX_SPARSE_RECORDS * 8 + i * rb;
		uint64_t off = lindex_get_bits((const uint8_t *)s, bit, s->kw);
		uint64_t len = lindex_get_bits((const uint8_t *)s, bit + s->kw, s->lw);

		if (i ? off <= before : off != 0)
			REFUSE("N4: sparse records ascend", before, off);
		if (off > UINT64_MAX - base || len > UINT64_MAX - base - off)
			REFUSE("N4: a sparse record passes the last key", UINT64_MAX - base, off);
		before = off + len;
	}
	if (!all_bytes(s->zero, sizeof(s->zero), 0) || !zero_bits(node, used, end))
		REFUSE("N1: reserved bits of sparse records", 0, 1);
	return 0;
}

static int shape_dense_head(struct lindex_verify *v, const struct lindex_node *node,
			    uint32_t max_slots, uint64_t at)
{
	const struct lindex_dense *d = (const struct lindex_dense *)node;
	uint32_t n = lindex_node_n(node), stride = lindex_from32(d->stride);

	if (!n || n > max_slots || node->aux)
		REFUSE("N1: number of slots", max_slots, n);
	if (d->vw > 56 || d->step > 1 || d->neg > 1 || d->post > 63)
		REFUSE("N1: field of a dense leaf", 56, d->vw);
	if (!stride || (uint64_t)(n - 1) * stride >> 31 ||
	    (uint64_t)(n - 1) * stride > UINT64_MAX - lindex_node_base(node))
		REFUSE("N1: stride of a dense leaf", 1, stride);
	if (!lindex_from16(d->keys) || lindex_from16(d->keys) > n)
		REFUSE("N1: keys of a dense leaf", n, lindex_from16(d->keys));
	if (!all_bytes(d->zero, sizeof(d->zero), 0))
		REFUSE("N1: reserved bytes of a dense leaf", 0, 1);
	return 0;
}

static int shape_dense(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_dense *d = (const struct lindex_dense *)node;
	uint32_t n = lindex_node_n(node), end = node->units * LINDEX_UNIT_BYTES, keys = 0, gap = 0,
		 i;
	int err = shape_dense_head(v, node, LINDEX_DENSE_SLOTS, at);

	if (err)
		return err;
	if (!d->vw || lindex_from32(d->stride) != 1)
		REFUSE("N1: a dense leaf has codes and stride 1", 1, lindex_from32(d->stride));
	if (LINDEX_UNIT_BYTES + (n * d->vw + 7) / 8 + 8 > end ||
	    (LINDEX_UNIT_BYTES + (n * d->vw + 7) / 8 + 8 + 63) / 64 != node->units)
		REFUSE("N1: size of a dense leaf in units",
		       (LINDEX_UNIT_BYTES + (n * d->vw + 7) / 8 + 71) / 64, node->units);
	for (i = 0; i < n; i++) {
		bool hole = !lindex_get_bits((const uint8_t *)d, 512 + i * d->vw, d->vw);

		gap = hole ? gap + 1 : 0;
		keys += !hole;
		if ((hole && (!i || i == n - 1)) || gap > LINDEX_DENSE_HOLE)
			REFUSE("N1: holes of a dense leaf are short and inside", LINDEX_DENSE_HOLE,
			       gap);
	}
	if (keys != lindex_from16(d->keys))
		REFUSE("N1: keys of a dense leaf", keys, lindex_from16(d->keys));
	if (!zero_bits(node, 512 + n * d->vw, end * 8))
		REFUSE("N1: reserved bits of a dense leaf", 0, 1);
	return 0;
}

static int shape_presence(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_dense *d = (const struct lindex_dense *)node;
	const uint8_t *map = (const uint8_t *)node + LINDEX_UNIT_BYTES;
	uint32_t n = lindex_node_n(node), end = node->units * LINDEX_UNIT_BYTES, keys = 0, i, codes,
		 ranks;
	int err = shape_dense_head(v, node, LINDEX_PRESENCE_SLOTS, at);

	if (err)
		return err;
	codes = lindex_presence_codes_at(n);
	ranks = lindex_presence_ranks_at(n);
	if ((codes + (lindex_from16(d->keys) * d->vw + 7u) / 8 + 8 + 63) / 64 != node->units)
		REFUSE("N1: size of a presence leaf in units", (codes + 71) / 64, node->units);
	for (i = 0; i * 64 < n; i++) {
		if (i % 4 == 0 && lindex_ld16(map + ranks - LINDEX_UNIT_BYTES + i / 2) != keys)
			REFUSE("N1: rank of a presence leaf", keys, i);
		keys += lindex_popcount64(lindex_ld64(map + 8 * i));
	}
	if (keys != lindex_from16(d->keys))
		REFUSE("N1: keys of a presence leaf", keys, lindex_from16(d->keys));
	if (!(map[0] & 1) || !(map[(n - 1) / 8] >> ((n - 1) % 8) & 1))
		REFUSE("N1: first and last slot of a presence leaf", 1, 0);
	if (!zero_bits(node, 512 + n, ranks * 8) ||
	    !zero_bits(node, (ranks + (n + 255) / 256 * 2) * 8, codes * 8) ||
	    !zero_bits(node, codes * 8 + keys * d->vw, end * 8))
		REFUSE("N1: reserved bits of a presence leaf", 0, 1);
	return 0;
}

/**
 * lindex_verify_shape() - Lookups in this node stay inside it and end.
 * @units:  Units that there are from the node to the end of its page.
 * @offset: Where it is, for the reason.
 */
int lindex_verify_shape(struct lindex_verify *v, const struct lindex_node *node, uint32_t units,
			uint64_t at)
{
	bool inner = node->kind == LINDEX_NODE_INNER;

	if (!node->kind || node->kind >= LINDEX_NODE_KINDS)
		REFUSE("N1: kind of a node", LINDEX_NODE_KINDS - 1, node->kind);
	if (!node->units || node->units > units ||
	    node->units > (inner ? LINDEX_INNER_UNITS : LINDEX_LEAF_UNITS))
		REFUSE("N1: units of a node", units, node->units);
	if (inner ? !node->level || node->level > LINDEX_MAX_LEVEL || node->aux : node->level != 0)
		REFUSE("N1: level of a node", inner, node->level);
	if (v->image && (node->gen || node->next || node->flags))
		REFUSE("N1: a writer's field in an image", 0, 1);
	switch (node->kind) {
	case LINDEX_NODE_INNER:
		return shape_inner(v, node, at);
	case LINDEX_NODE_LINES:
		return shape_lines(v, node, at);
	case LINDEX_NODE_SPARSE:
		return shape_sparse(v, node, at);
	case LINDEX_NODE_DENSE:
		return shape_dense(v, node, at);
	default:
		return shape_presence(v, node, at);
	}
}

/* ---- Windows ------------------------------------------------------------------------------------------ */

/* Position @i holds keys at offsets lo..hi; a search there begins at start(p): is i in its window? */
static bool in_window(uint32_t mul, unsigned int pre, unsigned int post, uint32_t below,
		      uint32_t window, uint32_t start_max, uint64_t lo, uint64_t hi, uint32_t i)
{
	uint64_t a = lindex_line_at(mul, pre, post, lo), b = lindex_line_at(mul, pre, post, hi);

	a = lindex_min64(a > below ? a - below : 0, start_max);
	b = lindex_min64(b > below ? b - below : 0, start_max);
	return b <= i &&
	       i - a < window; /* start is monotone: between lo and hi it is between a and b */
}

static int windows_inner(struct lindex_verify *v, const struct lindex_node *node, uint64_t hi,
			 uint64_t at)
{
	const struct lindex_inner *in = (const struct lindex_inner *)node;
	uint32_t n = lindex_node_n(node), i;
	uint64_t base = lindex_node_base(node);

	for (i = 0; i < n; i++) {
		uint64_t end = i + 1 < n ? lindex_inner_key(in, i + 1) - 1 : hi - base;

		if (!in_window(lindex_from32(in->mul), in->pre, in->post, lindex_from16(in->below),
			       lindex_from16(in->window), lindex_from16(in->start_max),
			       lindex_inner_key(in, i), i + 1 < n ? end : lindex_inner_key(in, i),
			       i))
			REFUSE("N6: a key outside the window of an inner node", i,
			       lindex_from16(in->window));
	}
	return 0;
}

static int windows_sparse(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	const struct lindex_sparse *s = (const struct lindex_sparse *)node;
	uint32_t n = lindex_node_n(node), rb = (uint32_t)s->kw + s->lw + s->vw + s->tw + s->sw, i;
	uint32_t window = lindex_from16(s->window);

	for (i = 0; i < n; i++) {
		uint32_t bit = LINDEX_SPARSE_RECORDS * 8 + i * rb;
		uint64_t off = lindex_get_bits((const uint8_t *)s, bit, s->kw);
		uint64_t end = i + 1 < n ?
				       lindex_get_bits((const uint8_t *)s, bit + rb, s->kw) - 1 :
				       off;

		if (!in_window(lindex_from32(s->mul), s->pre, s->post, lindex_from16(s->below),
			       window, n - window, off, end, i))
			REFUSE("N6: a key outside the window of sparse records", i, window);
	}
	return 0;
}

/* ---- Tree ----------------------------------------------------------------------------------------------- */

static int verify_run(struct lindex_verify *v, const struct lindex_run *run, uint64_t hi,
		      uint64_t at)
{
	int err = lindex_run_valid(run);

	if (err || run->last > hi)
		return lindex_refuse(v, "N3: a run that wraps or passes its fence", at, run->first,
				     hi, run->last);
	if (v->before.mapped && run->first <= v->before.last)
		return lindex_refuse(v, "N4: runs ascend", at, run->first, v->before.last,
				     run->first);
	if (v->before.mapped && lindex_run_joins(&v->before, run))
		return lindex_refuse(v, "N7: two entries are one run", at, run->first, 0,
				     run->value);
	v->before = *run;
	v->runs++;
	return 0;
}

/* Lines that a lookup in this leaf can touch, and keys that it compares, at most. */
static void leaf_cost(struct lindex_verify *v, const struct lindex_node *node, uint32_t lines,
		      uint32_t ops)
{
	uint32_t n = lindex_node_n(node), w;

	switch (node->kind) {
	case LINDEX_NODE_LINES: {
		const struct lindex_lines *l = (const struct lindex_lines *)node;
		uint32_t nlines = lindex_from16(node->aux) & 0xff;

		lines += 2 + lindex_lines_dir_units(nlines, l->dw);
		ops += 32 + 8;
		break;
	}
	case LINDEX_NODE_SPARSE: {
		w = lindex_from16(((const struct lindex_sparse *)node)->window);
		v->window = w > v->window ? w : v->window;
		lines += lindex_min32(1 + 2 * (lindex_width(w) + 2), node->units);
		ops += lindex_width(w) + 1;
		break;
	}
	case LINDEX_NODE_DENSE:
		lines += lindex_min32(1 + ((LINDEX_DENSE_HOLE + 2) * 56 + 511) / 512 + 2,
				      node->units);
		ops += LINDEX_DENSE_HOLE + 2;
		break;
	default:
		lines += lindex_min32(1 + (n + 511) / 512 + 2 + 3, node->units);
		ops += (n + 63) / 64 + LINDEX_DENSE_RUN + 2;
		break;
	}
	v->lines = lines > v->lines ? lines : v->lines;
	/* A hole that ends at its leaf's fence is looked for twice (lookup.c, lindex_rest_find()). */
	v->ops = lindex_max32(v->ops, 2 * ops);
}

static int verify_leaf(struct lindex_verify *v, const struct lindex_node *node, uint64_t hi,
		       uint64_t at)
{
	uint64_t key = lindex_node_base(node), count = 0;
	struct lindex_run run;
	int err = node->kind == LINDEX_NODE_SPARSE ? windows_sparse(v, node, at) : 0;

	for (; !err; key = run.last + 1) {
		uint64_t len;

		if (lindex_leaf_find(node, key, hi, &run) == 0) {
			len = run.last - run.first + 1;
			if (node->kind != LINDEX_NODE_LINES && node->kind != LINDEX_NODE_SPARSE &&
			    (len > LINDEX_DENSE_RUN || !len))
				REFUSE("N1: a long run in a dense leaf", LINDEX_DENSE_RUN, len);
			err = verify_run(v, &run, hi, at);
			count++;
		} else if (!count) {
			REFUSE("N3: a leaf begins with a hole", 0, key);
		} else if (run.last > hi) {
			REFUSE("N3: a hole passes its fence", hi, run.last);
		}
		if (run.last >= hi)
			break;
	}
	if (!err && count > LINDEX_LEAF_RUNS)
		REFUSE("N1: runs of a leaf", LINDEX_LEAF_RUNS, count);
	return err;
}

static int verify_term(struct lindex_verify *v, const struct lindex_inner *in, uint32_t i,
		       uint64_t sep, uint64_t hi, uint64_t at)
{
	const struct lindex_term *t = lindex_inner_term(in, lindex_inner_ref(in, i));
	struct lindex_run run;

	lindex_term_run(t, &run);
	if (run.first != sep || !all_bytes(t->zero, sizeof(t->zero), 0))
		return lindex_refuse(v, "N2: a terminal run begins at its separator", at, sep, sep,
				     run.first);
	return verify_run(v, &run, hi, at);
}

/* A ref that may be followed. In images nodes of one level lie in the order of their keys. */
static int verify_ref(struct lindex_verify *v, uint32_t ref, uint32_t level, uint64_t sep,
		      uint64_t at)
{
	uint32_t sort = level > 0;

	if (!v->image)
		return 0;
	if (ref < v->first_ref[sort] || ref >= v->end_ref[sort])
		return lindex_refuse(v, "N5: a ref outside its pages", at, sep, v->end_ref[sort],
				     ref);
	if (ref <= v->last_ref[level])
		return lindex_refuse(v, "N5: nodes of a level out of order", at, sep,
				     v->last_ref[level], ref);
	v->last_ref[level] = ref;
	return 0;
}

/* With a pager: the page of this node, and of this node alone, stays until the next call. */
static int verify_load(struct lindex_verify *v, uint32_t ref, uint32_t level)
{
	if (!v->paged)
		return 0;
	(void)lindex_paged_room(v->paged);
	return lindex_paged_need(v->paged->space, ref, level);
}

static int verify_node(struct lindex_verify *v, uint32_t ref, uint32_t level, uint64_t sep,
		       uint64_t hi, uint32_t lines, uint32_t ops, uint64_t parent_at)
{
	uint64_t at = (uint64_t)ref * LINDEX_UNIT_BYTES;
	const struct lindex_node *node;
	const struct lindex_inner *in;
	uint32_t i, n, window;
	int err = verify_ref(v, ref, level, sep, parent_at);

	if (!err)
		err = verify_load(v, ref, level);
	if (err)
		return err;
	node = lindex_node_at(v->sp, ref);
	err = lindex_verify_shape(v, node, LINDEX_PAGE_UNITS - ref % LINDEX_PAGE_UNITS, at);
	if (err)
		return err;
	if (node->level != level)
		REFUSE("N5: level of a child", level, node->level);
	if (lindex_node_base(node) != sep)
		REFUSE("N2: base of a node is its separator", sep, lindex_node_base(node));
	v->nodes++;
	v->units += node->units;
	if (v->image)
		lindex_port_relax();
	if (!level) {
		leaf_cost(v, node, lines, ops);
		return verify_leaf(v, node, hi, at);
	}
	in = (const struct lindex_inner *)node;
	n = lindex_node_n(node);
	window = lindex_from16(in->window);
	v->window = window > v->window ? window : v->window;
	err = windows_inner(v, node, hi, at);
	/* Head, ref, one line for each halving of the window, and those of the vectors left. */
	lines += 2 + lindex_width(window / 16) + (lindex_min32(window, 16) * in->kw + 63) / 64 + 1;
	ops += lindex_min32(window, 16) + lindex_width(window);
	for (i = 0; i < n && !err; i++) {
		uint64_t from, to;

		err = i ? verify_load(v, ref, level) :
			  0; /* it may have gone while the child was walked */
		if (err)
			return err;
		in = (const struct lindex_inner *)lindex_node_at(v->sp, ref);
		from = sep + lindex_inner_key(in, i);
		to = i + 1 < n ? sep + lindex_inner_key(in, i + 1) - 1 : hi;
		if (from > hi)
			REFUSE("N5: a separator behind the fence", hi, from);
		if (lindex_inner_ref(in, i) & LINDEX_TERM) { /* two lines at most, one comparison */
			v->lines = lines + 2 > v->lines ? lines + 2 : v->lines;
			v->ops = lindex_max32(v->ops, 2 * (ops + 1));
		}
		err = lindex_inner_ref(in, i) & LINDEX_TERM ?
			      verify_term(v, in, i, from, to, at) :
			      verify_node(v, lindex_inner_ref(in, i), level - 1, from, to, lines,
					  ops, at);
	}
	return err;
}

/** lindex_verify_tree() - The whole tree below @root, a node at @level. */
int lindex_verify_tree(struct lindex_verify *v, uint32_t root, uint32_t level)
{
	const struct lindex_node *node;
	int err;

	if (level > LINDEX_MAX_LEVEL)
		return lindex_refuse(v, "N5: level of the root", 0, 0, LINDEX_MAX_LEVEL, level);
	err = verify_ref(v, root, level, 0, 0);
	if (err)
		return err;
	v->last_ref[level] = 0;
	err = verify_load(v, root, level);
	if (err)
		return err;
	v->depth = level + 1;
	v->before.mapped = 0;
	node = lindex_node_at(v->sp, root);
	return verify_node(v, root, level, lindex_node_base(node), UINT64_MAX, 0, 0, 0);
}

/** lindex_verify_windows() - N6 for a node of sound shape, as far as the node alone can say. */
int lindex_verify_windows(struct lindex_verify *v, const struct lindex_node *node, uint64_t at)
{
	if (node->kind == LINDEX_NODE_INNER)
		return windows_inner(v, node, UINT64_MAX, at);
	return node->kind == LINDEX_NODE_SPARSE ? windows_sparse(v, node, at) : 0;
}
