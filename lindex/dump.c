/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_dump(): one line of text per node, indented by depth, models and windows included.
 */
#include "internal.h"

#define TEXT_BYTES 256u

struct text {
	const struct lindex_sink *sink;
	uint32_t len;
	char buf[TEXT_BYTES];
};

static void put_str(struct text *t, const char *s)
{
	while (*s && t->len < TEXT_BYTES - 1)
		t->buf[t->len++] = *s++;
}

static void put_num(struct text *t, const char *label, uint64_t v)
{
	char digits[21];
	uint32_t n = sizeof(digits);

	digits[--n] = 0;
	do {
		uint64_t q = lindex_div64(v, 10);

		digits[--n] = (char)('0' + (v - q * 10));
		v = q;
	} while (v);
	put_str(t, label);
	put_str(t, digits + n);
}

static int end_line(struct text *t)
{
	uint32_t len = t->len;

	t->buf[len++] = '\n';
	t->len = 0;
	return t->sink->write(t->sink->ctx, t->buf, len);
}

static void put_run(struct text *t, const struct lindex_run *r)
{
	put_num(t, " first=", r->first);
	put_num(t, " last=", r->last);
	put_num(t, " value=", r->value);
	put_num(t, " tag=", r->tag);
	put_num(t, " step=", r->step);
}

static void put_leaf(struct text *t, const struct lindex_node *node)
{
	const struct lindex_lines *l = (const struct lindex_lines *)node;
	const struct lindex_sparse *s = (const struct lindex_sparse *)node;
	const struct lindex_dense *d = (const struct lindex_dense *)node;

	switch (node->kind) {
	case LINDEX_NODE_LINES:
		put_num(t, " lines=", lindex_from16(node->aux) & 0xff);
		put_num(t, " cap=", l->cap);
		put_num(t, " key_bytes=", l->kw);
		put_num(t, " payload_bits=", lindex_lines_pw(l));
		put_num(t, " end=", lindex_from64(l->end));
		break;
	case LINDEX_NODE_SPARSE:
		put_num(t, " key_bits=", s->kw);
		put_num(t, " len_bits=", s->lw);
		put_num(t, " value_bits=", s->vw);
		put_num(t, " tag_bits=", s->tw);
		put_num(t, " mul=", lindex_from32(s->mul));
		put_num(t, " pre=", s->pre);
		put_num(t, " post=", s->post);
		put_num(t, " window=", lindex_from16(s->window));
		break;
	default:
		put_num(t, " keys=", lindex_from16(d->keys));
		put_num(t, " stride=", lindex_from32(d->stride));
		put_num(t, " residual_bits=", d->vw);
		put_str(t, d->neg ? " slope=-" : " slope=");
		put_num(t, "", lindex_from32(d->mul));
		put_num(t, " post=", d->post);
		break;
	}
}

static void put_node(struct text *t, const struct lindex_node *node, uint32_t ref, uint32_t depth)
{
	static const char *const name[LINDEX_NODE_KINDS] = { "free",   "inner", "lines",
							     "sparse", "dense", "presence" };
	uint32_t i;

	for (i = 0; i < depth; i++)
		put_str(t, "  ");
	put_str(t, name[node->kind]);
	put_num(t, " ref=", ref);
	put_num(t, " units=", node->units);
	put_num(t, " n=", lindex_node_n(node));
	put_num(t, " base=", lindex_node_base(node));
	if (node->kind == LINDEX_NODE_INNER) {
		const struct lindex_inner *in = (const struct lindex_inner *)node;

		put_num(t, " level=", node->level);
		put_num(t, " mul=", lindex_from32(in->mul));
		put_num(t, " pre=", in->pre);
		put_num(t, " post=", in->post);
		put_num(t, " below=", lindex_from16(in->below));
		put_num(t, " window=", lindex_from16(in->window));
		return;
	}
	put_leaf(t, node);
}

/* The node at @level whose fence is [@lo, @hi]; of the root (depth 0) only @hi is known. */
static int dump_node(const struct lindex *ix, struct text *t, uint32_t ref, uint32_t level,
		     uint64_t lo, uint64_t hi, uint32_t depth)
{
	const struct lindex_node *node = lindex_resident_node(ix->space, ref);
	const struct lindex_inner *in = (const struct lindex_inner *)node;
	uint64_t from, to;
	uint32_t i, j, n;
	int err;

	if (!node || node->level != level || (depth && lindex_node_base(node) != lo)) {
		put_num(t, "absent ref=", ref);
		return end_line(t);
	}
	put_node(t, node, ref, depth);
	err = end_line(t);
	n = node->kind == LINDEX_NODE_INNER ? lindex_node_n(node) : 0;
	for (i = 0; i < n && !err && lindex_child_fence(in, i, hi, &from, &to); i++) {
		uint32_t child = lindex_inner_ref(in, i);
		struct lindex_run run;

		if (!(child & LINDEX_TERM)) {
			err = dump_node(ix, t, child, level - 1, from, to, depth + 1);
			continue;
		}
		for (j = 0; j <= depth; j++)
			put_str(t, "  ");
		lindex_term_run(lindex_inner_term(in, child), &run);
		put_str(t, "terminal");
		put_run(t, &run);
		err = end_line(t);
	}
	return err;
}

/* The table over the root, if there is one. */
static int dump_top(const struct lindex *ix, struct text *t)
{
	const struct lindex_top *top = lindex_load_acquire(&ix->top);

	if (!top)
		return 0;
	put_str(t, "top");
	put_num(t, " units=", top->head.units);
	put_num(t, " shift=", top->shift);
	return end_line(t);
}

int lindex_dump(const struct lindex *ix, const struct lindex_sink *sink)
{
	uint64_t word = lindex_load_acquire(&ix->root);
	struct text t;
	uint32_t i;
	int err = 0;

	t.sink = sink;
	t.len = 0;
	err = dump_top(ix, &t);
	if (err)
		return err;
	if (!(word & LINDEX_ROOT_INLINE))
		return dump_node(ix, &t, lindex_root_ref(word), lindex_root_level(word), 0,
				 UINT64_MAX, 0);
	for (i = 0; i < ix->slot[lindex_root_ref(word)].n && !err; i++) {
		put_str(&t, "inline");
		put_run(&t, &ix->slot[lindex_root_ref(word)].runs[i]);
		err = end_line(&t);
	}
	return err;
}
