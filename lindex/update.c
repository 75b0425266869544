/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Insert and remove: one mechanism. The keys [first, last] are cut out of the tree along two paths,
 * new leaves are written for what is left at the cut and for the new run, and the nodes above are
 * rewritten as far up as an entry changes more than its ref:
 *
 *                  root                       left and right path meet in one node (often the
 *                 /    \                      leaf). On each level the entries left of the cut, the
 *           +----+      +----+                fresh ones and those right of the cut are packed
 *           |  left     right|                into new nodes. Subtrees between the paths are
 *        ...X  ~~~~~~~~~~~  X...              dropped whole (retire.c walks them later).
 *
 *   U1  Nothing that a reader can reach is written, but one ref or the root word, once: publish(). (The table over the
 *       root goes before the root does, and a new one comes after: top.c.)
 *   U2  Before publish() the change can be undone (undo()); after it nothing can fail.
 *   U3  At most 6 leaves (3 as a rule), 3 inner nodes per level and a new root are written, whatever
 *       is overwritten (DESIGN.md, "how many nodes"), and a table over the new root.
 *   U4  A remove that cuts no run writes leaves no larger than those it replaces: every kind of
 *       leaf encodes any subset of its runs in no more units (DESIGN.md, "remove never grows").
 */
#include "internal.h"
#include "scratch.h"

#define MADE_MAX    64u /* U3: 6 + 3 * LINDEX_MAX_LEVEL + 1 at most */
#define STEP_BUDGET 8u  /* nodes walked and freed per update: more than one update retires */

/* One level of the cut. Entries il..ir of the list left.entries | right.entries are replaced. */
struct cut {
	uint32_t left, right; /* refs of the inner nodes; equal above the fork */
	uint32_t il, ir;      /* first and last entry replaced, after joining with a neighbour */
	uint32_t il_path, ir_path; /* entries that the paths went through */
	uint32_t joined; /* neighbour of the level below that was joined, to be retired; or 0 */
};

struct update {
	struct lindex *ix;
	struct lindex_space *sp;
	struct lindex_scratch *s;
	uint64_t first, last;
	const struct lindex_run *run; /* NULL: remove */
	uint32_t levels;
	struct cut cut[LINDEX_MAX_LEVEL + 2]; /* [1..levels] */
	uint32_t left_leaf, right_leaf;       /* refs; 0: a terminal run, or inline */
	struct lindex_run left_term, right_term;
	uint32_t nruns, kept_left, kept_right; /* s->runs; untouched at either end of it */
	uint32_t nfresh;                       /* s->fresh: entries for the next level up */
	uint32_t made[MADE_MAX], nmade;
	bool cuts, changes, may_wait;
	bool tight;      /* leave no room for updates: a remove must not need more than there was */
	bool whole_fits; /* s->runs fit one leaf: whole */
	struct lindex_plan whole;
	uint32_t published_at; /* level whose ref was stored in place; 0: the root word was */
};

static bool shared_with_snapshot(const struct update *u, const struct lindex_node *node)
{
	return u->ix->newest && lindex_from32(node->gen) <= u->ix->newest->gen;
}

static const struct lindex_inner *inner_at(const struct update *u, uint32_t ref)
{
	return (const struct lindex_inner *)lindex_node_at(u->sp, ref);
}

/* ---- Find the cut -------------------------------------------------------------------------------- */

static int need(struct update *u, uint32_t ref, uint32_t level)
{
	return u->sp->paged ? lindex_paged_need(u->sp, ref, level) : 0;
}

/* The same for a child, whose first key the parent knows: a sound page in a wrong place is found out. */
static int need_child(struct update *u, uint32_t ref, uint32_t level, uint64_t sep)
{
	int err = need(u, ref, level);

	if (!err && u->sp->paged && lindex_node_base(lindex_node_at(u->sp, ref)) != sep)
		err = -EUCLEAN;
	return err;
}

/* Path to @key; @right: fill the right halves. *hi: last key of the fence of what it ends at. */
static int descend(struct update *u, uint64_t key, bool right, uint64_t *hi)
{
	uint32_t ref = lindex_root_ref(u->ix->root), level, i, child;
	int err = need(u, ref, u->levels);

	*hi = UINT64_MAX;
	for (level = u->levels; level && !err; level--) {
		const struct lindex_inner *in = inner_at(u, ref);
		struct cut *c = &u->cut[level];

		i = lindex_inner_find(in, key, hi);
		if (right) {
			c->right = ref;
			c->ir = c->ir_path = i;
		} else {
			c->left = ref;
			c->il = c->il_path = i;
		}
		child = lindex_inner_ref(in, i);
		if (child & LINDEX_TERM) {
			lindex_term_run(lindex_inner_term(in, child),
					right ? &u->right_term : &u->left_term);
			ref = 0;
			break;
		}
		ref = child;
		err = need_child(u, ref, level - 1,
				 lindex_node_base(&in->head) + lindex_inner_key(in, i));
	}
	*(right ? &u->right_leaf : &u->left_leaf) = ref;
	return err;
}

static void right_is_left(struct update *u)
{
	uint32_t level;

	for (level = 1; level <= u->levels; level++) {
		struct cut *c = &u->cut[level];

		c->right = c->left;
		c->ir = c->ir_path = c->il;
	}
	u->right_leaf = u->left_leaf;
	u->right_term = u->left_term;
}

static int find_cut(struct update *u)
{
	/* An insert looks one key further on both sides: what it touches it may join. */
	uint64_t lo = u->run && u->first ? u->first - 1 : u->first;
	uint64_t hi = u->run && u->last != UINT64_MAX ? u->last + 1 : u->last, fence;
	int err;

	u->levels = lindex_root_level(u->ix->root);
	err = descend(u, lo, false, &fence);
	if (err)
		return err;
	if (hi > fence)
		return descend(u, hi, true, &fence);
	right_is_left(u);
	return 0;
}

/* ---- What is left at the cut ---------------------------------------------------------------------- */

static uint32_t decode_end(struct update *u, bool right)
{
	uint32_t ref = right ? u->right_leaf : u->left_leaf;

	if (ref)
		return lindex_leaf_decode(lindex_node_at(u->sp, ref), u->s->decoded);
	u->s->decoded[0] = right ? u->right_term : u->left_term;
	return 1;
}

static void add_run(struct update *u, const struct lindex_run *r)
{
	struct lindex_run *runs = u->s->runs;

	if (u->nruns && lindex_run_joins(&runs[u->nruns - 1], r)) {
		runs[u->nruns - 1].last = r->last;
		u->kept_left = lindex_min32(u->kept_left, u->nruns - 1);
		return;
	}
	runs[u->nruns++] = *r;
}

static void collect_left(struct update *u, const struct lindex_run *runs, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n && runs[i].first < u->first; i++) {
		u->s->runs[u->nruns] = runs[i];
		if (runs[i].last >= u->first) {
			u->s->runs[u->nruns].last = u->first - 1;
			u->cuts = u->changes = true;
		} else {
			u->kept_left = i + 1;
		}
		u->nruns++;
	}
}

static void collect_right(struct update *u, const struct lindex_run *runs, uint32_t n)
{
	uint32_t i, before;

	for (i = 0; i < n && runs[i].last <= u->last; i++)
		u->changes |= runs[i].last >= u->first;
	for (; i < n; i++) {
		struct lindex_run r = runs[i];

		if (r.first <= u->last) {
			r.value += r.step ? u->last + 1 - r.first : 0;
			r.first = u->last + 1;
			u->cuts = u->changes = true;
			u->kept_right = 0;
		}
		before = u->nruns;
		add_run(u, &r);
		u->kept_right += u->nruns > before && r.first == runs[i].first;
	}
}

/* s->runs: everything in the two cut leaves but [first, last], and the new run. */
static LINDEX_COLD void collect(struct update *u, const struct lindex_slot *slot)
{
	bool one = slot || (u->left_leaf ? u->left_leaf == u->right_leaf :
					   u->levels && !u->right_leaf &&
						   u->cut[1].left == u->cut[1].right &&
						   u->cut[1].il == u->cut[1].ir);
	const struct lindex_run *runs = slot ? slot->runs : u->s->decoded;
	uint32_t n = slot ? slot->n : decode_end(u, false);

	u->nruns = u->kept_left = u->kept_right = 0;
	u->cuts = false;
	u->changes = u->run || !one;
	collect_left(u, runs, n);
	if (u->run)
		add_run(u, u->run);
	if (!one)
		n = decode_end(u, true);
	collect_right(u, runs, n);
}

/* ---- Leaves ---------------------------------------------------------------------------------------- */

static uint32_t make(struct update *u, uint32_t units, bool inner)
{
	uint32_t ref = u->nmade < MADE_MAX ? lindex_space_alloc(u->sp, units, inner) : 0;

	if (ref) {
		u->made[u->nmade++] = ref;
		lindex_node_at(u->sp, ref)->units = (uint8_t)units;
		u->ix->cost.nodes_written++;
		u->ix->cost.bytes_written += units * LINDEX_UNIT_BYTES;
	}
	return ref;
}

static LINDEX_COLD void undo(struct update *u)
{
	while (u->nmade) {
		struct lindex_node *node = lindex_node_at(u->sp, u->made[--u->nmade]);

		u->ix->cost.nodes_written--;
		u->ix->cost.bytes_written -= node->units * LINDEX_UNIT_BYTES;
		lindex_node_free(u->sp, u->made[u->nmade]);
	}
}

/* A leaf for s->runs[lo, hi), which fit: an entry in s->fresh. A single run needs no leaf below a node. */
static int make_leaf(struct update *u, uint32_t lo, uint32_t hi, const struct lindex_plan *plan,
		     bool may_term)
{
	struct lindex_entry *e = &u->s->fresh[u->nfresh];

	*e = (struct lindex_entry){ .sep = u->s->runs[lo].first, .ref = LINDEX_TERM };
	if (hi - lo == 1 && may_term) {
		e->run = u->s->runs[lo];
	} else {
		e->ref = make(u, plan->units, false);
		if (!e->ref)
			return lindex_no_memory(u->sp);
		lindex_leaf_encode(plan, u->s->runs + lo, lindex_node_at(u->sp, e->ref),
				   u->ix->gen);
	}
	u->nfresh++;
	return 0;
}

/* @before: the leaf before, if its kind is to be kept where possible; or NULL. */
static bool fits(const struct update *u, uint32_t lo, uint32_t hi, const struct lindex_node *before,
		 struct lindex_plan *plan)
{
	return lo < hi && lindex_leaf_fit_all(u->s->runs + lo, hi - lo, u->ix->leaf_units, before,
					      !u->tight, plan);
}

/* The one leaf that is cut; NULL if there are two, or none. */
static const struct lindex_node *leaf_before(const struct update *u)
{
	return u->left_leaf && u->left_leaf == u->right_leaf ? lindex_node_at(u->sp, u->left_leaf) :
							       NULL;
}

/* Most of s->runs[lo, hi), which are part of leaf @ref (or 0): laid anew, or with the line that they had. */
static LINDEX_COLD uint32_t fit_part(struct update *u, uint32_t lo, uint32_t hi, uint32_t ref,
				     struct lindex_plan *plan)
{
	uint32_t m = lindex_leaf_fit_most(u->s->runs + lo, hi - lo, u->ix->leaf_units, plan), k;
	const struct lindex_dense *old;
	struct lindex_plan p;

	if (!ref)
		return m;
	old = (const struct lindex_dense *)lindex_node_at(u->sp, ref);
	if (old->head.kind != LINDEX_NODE_DENSE && old->head.kind != LINDEX_NODE_PRESENCE)
		return m;
	k = lindex_dense_refit(old, u->s->runs + lo, hi - lo, u->ix->leaf_units, &p);
	if (k > m)
		*plan = p;
	return k > m ? k : m;
}

/* Leaves for a part of leaf @ref (or 0): one; if laid anew it does not fit where it did, as few as it takes (U3). */
static LINDEX_COLD int make_parts(struct update *u, uint32_t lo, uint32_t hi, uint32_t ref)
{
	struct lindex_plan plan;
	uint32_t m;
	int err = 0;

	while (lo < hi && !err) {
		m = fits(u, lo, hi, NULL, &plan) ? hi - lo : fit_part(u, lo, hi, ref, &plan);
		if (u->nfresh == SCRATCH_PIECES)
			return -ENOMEM;
		err = make_leaf(u, lo, lo + m, &plan, true);
		lo += m;
	}
	return err;
}

/*
 * Where to divide runs that do not fit one leaf. At the end of the cut, where appends come, fill the
 * first leaf; else in the middle, if both halves fit; else around the change: what is before and
 * after it was part of one leaf and still fits one (U4), whatever the new run looks like.
 */
static int make_leaves(struct update *u)
{
	uint32_t n = u->nruns, mid = n / 2, m;
	struct lindex_plan plan, second;
	int err;

	if (!n)
		return 0;
	if (u->whole_fits)
		return make_leaf(u, 0, n, &u->whole, u->levels > 0);
	if (!u->kept_right) {
		m = lindex_leaf_fit_most(u->s->runs, n, u->ix->leaf_units, &plan);
		if (fits(u, m, n, NULL, &second)) {
			err = make_leaf(u, 0, m, &plan, true);
			return err ? err : make_leaf(u, m, n, &second, true);
		}
	}
	if (fits(u, 0, mid, NULL, &plan) && fits(u, mid, n, NULL, &second)) {
		err = make_leaf(u, 0, mid, &plan, true);
		return err ? err : make_leaf(u, mid, n, &second, true);
	}
	err = make_parts(u, 0, u->kept_left, u->left_leaf);
	if (!err)
		err = make_parts(u, u->kept_left, n - u->kept_right, 0);
	return err ? err : make_parts(u, n - u->kept_right, n, u->right_leaf);
}

/* ---- A small leaf joins a neighbour under the same parent ------------------------------------------- */

/* Runs of entry @i of @in, if there are few enough to be joined. 0: no. */
static LINDEX_COLD LINDEX_COLD uint32_t neighbour_runs(struct update *u,
						       const struct lindex_inner *in, uint32_t i,
						       uint32_t *ref)
{
	uint32_t child = lindex_inner_ref(in, i);

	*ref = 0;
	if (child & LINDEX_TERM) {
		lindex_term_run(lindex_inner_term(in, child), &u->s->decoded[0]);
		return 1;
	}
	if (need_child(u, child, 0, lindex_node_base(&in->head) + lindex_inner_key(in, i)) ||
	    lindex_node_at(u->sp, child)->units > u->ix->leaf_units / 2)
		return 0;
	*ref = child;
	return lindex_leaf_decode(lindex_node_at(u->sp, child), u->s->decoded);
}

/* If what is left is small, take a neighbour in, provided that the two fit well. */
static LINDEX_COLD LINDEX_COLD void join_leaves(struct update *u)
{
	struct cut *c = &u->cut[1];
	struct lindex_run *runs = u->s->runs;
	const struct lindex_inner *left, *right;
	uint32_t m, n = u->nruns, ref;
	struct lindex_plan plan;

	if (!u->levels || n > LINDEX_LEAF_RUNS / 2 || !u->whole_fits ||
	    u->whole.units > u->ix->leaf_units / 4 + 1)
		return;
	left = inner_at(u, c->left);
	right = inner_at(u, c->right);
	if (c->ir + 1 < lindex_node_n(&right->head) &&
	    (m = neighbour_runs(u, right, c->ir + 1, &ref)) != 0) {
		memcpy(runs + n, u->s->decoded, m * sizeof(*runs));
		u->nruns = n + m;
		if (fits(u, 0, n + m, NULL, &plan) && plan.units <= u->ix->leaf_units * 3 / 4) {
			c->ir++;
			c->joined = ref;
			u->whole = plan;
			return;
		}
		u->nruns = n;
	}
	if (c->il && (m = neighbour_runs(u, left, c->il - 1, &ref)) != 0) {
		memmove(runs + m, runs, n * sizeof(*runs));
		memcpy(runs, u->s->decoded, m * sizeof(*runs));
		u->nruns = n + m;
		if (fits(u, 0, n + m, NULL, &plan) && plan.units <= u->ix->leaf_units * 3 / 4) {
			c->il--;
			c->joined = ref;
			u->whole = plan;
			return;
		}
		memmove(runs, runs + m, n * sizeof(*runs));
		u->nruns = n;
	}
}

/* ---- Inner levels ------------------------------------------------------------------------------------ */

/* Nothing but the ref of one entry changes, in a node that only current readers can reach. */
static bool fits_in_place(const struct update *u, uint32_t level)
{
	const struct cut *c = &u->cut[level];
	const struct lindex_inner *in = inner_at(u, c->left);

	return u->nfresh == 1 && c->left == c->right && c->il == c->ir &&
	       u->s->fresh[0].ref != LINDEX_TERM && !(lindex_inner_ref(in, c->il) & LINDEX_TERM) &&
	       u->s->fresh[0].sep == lindex_node_base(&in->head) + lindex_inner_key(in, c->il) &&
	       !shared_with_snapshot(u, &in->head);
}

/* s->entries: left of the cut, fresh, right of the cut. Returns how many. */
static uint32_t compose(struct update *u, uint32_t level)
{
	const struct cut *c = &u->cut[level];
	struct lindex_entry *e = u->s->entries, *from = u->s->decoded_entries;
	uint32_t n, right;

	(void)lindex_inner_decode(inner_at(u, c->left), from);
	memcpy(e, from, c->il * sizeof(*e));
	n = c->il;
	memcpy(e + n, u->s->fresh, u->nfresh * sizeof(*e));
	n += u->nfresh;
	right = lindex_inner_decode(inner_at(u, c->right), from);
	memcpy(e + n, from + c->ir + 1, (right - c->ir - 1) * sizeof(*e));
	return n + right - c->ir - 1;
}

/* A node that would be less than a quarter full takes a neighbour's entries in. Returns how many now. */
static uint32_t join_inner(struct update *u, uint32_t level, uint32_t n)
{
	struct lindex_entry *e = u->s->entries, *from = u->s->decoded_entries;
	struct cut *up = &u->cut[level + 1];
	const struct lindex_inner *left, *right;
	uint32_t bytes, m, ref;

	if (!n || level == u->levels || lindex_inner_fit(e, n, &bytes) < n ||
	    bytes >= LINDEX_INNER_MIN_BYTES)
		return n;
	left = inner_at(u, up->left);
	right = inner_at(u, up->right);
	if (up->ir + 1 < lindex_node_n(&right->head)) {
		ref = lindex_inner_ref(right, up->ir + 1);
		if (need_child(u, ref, level,
			       lindex_node_base(&right->head) +
				       lindex_inner_key(right, up->ir + 1)))
			return n;
		m = lindex_inner_decode(inner_at(u, ref), from);
		memcpy(e + n, from, m * sizeof(*e));
		up->ir++;
	} else if (up->il) {
		ref = lindex_inner_ref(left, up->il - 1);
		if (need_child(u, ref, level,
			       lindex_node_base(&left->head) + lindex_inner_key(left, up->il - 1)))
			return n;
		m = lindex_inner_decode(inner_at(u, ref), from);
		memmove(e + m, e, n * sizeof(*e));
		memcpy(e, from, m * sizeof(*e));
		up->il--;
	} else {
		return n;
	}
	up->joined = ref;
	return n + m;
}

static int make_inner(struct update *u, const struct lindex_entry *e, uint32_t n, uint32_t level)
{
	struct lindex_entry *up = &u->s->next[u->nfresh];
	uint32_t bytes;

	(void)lindex_inner_fit(e, n, &bytes);
	up->sep = e[0].sep;
	up->ref = make(u, (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES, true);
	if (!up->ref)
		return lindex_no_memory(u->sp);
	/* Leaves that updates write are three quarters full on average. */
	lindex_inner_encode(e, n, level, u->ix->gen, u->ix->leaf_units * 3 / 4 - 1,
			    lindex_node_at(u->sp, up->ref));
	u->nfresh++;
	return 0;
}

/* The fewest nodes that hold e[0..n): each filled before the next. At most 3 (U3). */
static uint32_t parts_needed(const struct lindex_entry *e, uint32_t n)
{
	uint32_t parts = 0, at = 0, bytes;

	for (; at < n; parts++)
		at += lindex_inner_fit(e + at, n - at, &bytes);
	return parts;
}

/* How many of e[0..n) go into the first of @parts nodes: an even share, or what makes the rest fit the others. */
static uint32_t part_of(const struct lindex_entry *e, uint32_t n, uint32_t parts)
{
	uint32_t m = n / parts, bytes, most;

	if (parts == 1)
		return n;
	most = lindex_inner_fit(e, n, &bytes);
	m = lindex_min32(m, most);
	while (m < most && parts_needed(e + m, n - m) >= parts)
		m += (most - m + 1) / 2;
	return m;
}

/* Pack s->entries[0..n) into as few nodes as hold them, evenly if possible. Leaves their entries in s->fresh. */
static int pack(struct update *u, uint32_t n, uint32_t level)
{
	const struct lindex_entry *e = u->s->entries;
	uint32_t parts = parts_needed(e, n), m;
	int err = 0;

	if (parts > SCRATCH_PIECES)
		return -ENOMEM; /* only where a pager's pages do not belong together */
	u->nfresh = 0;
	for (; parts && !err; parts--, e += m, n -= m) {
		m = part_of(e, n, parts);
		err = make_inner(u, e, m, level);
	}
	memcpy(u->s->fresh, u->s->next, u->nfresh * sizeof(u->s->fresh[0]));
	return err;
}

/* A leaf was divided or two were joined: the node is copied with the entries exchanged. */
static int exchange(struct update *u, uint32_t level, bool *done)
{
	const struct cut *c = &u->cut[level];
	const struct lindex_inner *in = inner_at(u, c->left);
	uint32_t window_max = lindex_pad8(u->ix->epsilon), bytes, ref;
	struct lindex_inner *copy;

	*done = false;
	if (c->left != c->right || !lindex_inner_replace(in, c->il, c->ir, u->s->fresh, u->nfresh,
							 window_max, &bytes, NULL))
		return 0;
	ref = make(u, (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES, true);
	if (!ref)
		return lindex_no_memory(u->sp);
	copy = (struct lindex_inner *)lindex_node_at(u->sp, ref);
	(void)lindex_inner_replace(in, c->il, c->ir, u->s->fresh, u->nfresh, window_max, &bytes,
				   copy);
	copy->head.gen = lindex_to32(u->ix->gen);
	u->s->fresh[0] = (struct lindex_entry){ .sep = lindex_node_base(&in->head), .ref = ref };
	u->nfresh = 1;
	*done = true;
	return 0;
}

/* Rewrite nodes upwards until one ref says it all. Level of that ref, or above the root: levels + 1. */
static int climb(struct update *u, uint32_t *level)
{
	uint32_t n;
	bool done;
	int err = 0;

	for (*level = 1; *level <= u->levels && !err; ++*level) {
		if (fits_in_place(u, *level))
			return 0;
		err = exchange(u, *level, &done);
		if (err || done)
			continue;
		n = compose(u, *level);
		if (*level == u->levels &&
		    n == 1) { /* the root would have one child: that is the root */
			u->s->fresh[0] = u->s->entries[0];
			u->nfresh = 1;
			u->levels--;
			++*level;
			return 0;
		}
		n = join_inner(u, *level, n);
		err = pack(u, n, *level);
	}
	return err;
}

/* ---- Publish ------------------------------------------------------------------------------------------ */

/* The level of what s->fresh[0] names, when it becomes the root. An inner root with one child is skipped. */
static int publish_tree(struct update *u)
{
	struct lindex_entry top = u->s->fresh[0];
	uint32_t level = u->levels;

	while (level && top.ref != LINDEX_TERM) {
		const struct lindex_inner *in;
		uint32_t child;

		if (need(u, top.ref, level))
			break;
		in = inner_at(u, top.ref);
		child = lindex_inner_ref(in, 0);
		if (lindex_node_n(&in->head) > 1 || child & LINDEX_TERM)
			break;
		lindex_retire_node(u->ix, top.ref);
		top.ref = child;
		level--;
	}
	lindex_publish_root(u->ix, top.ref, level);
	return 0;
}

/* Several fresh entries and no node above them: a new root. Terminal: it needs a node too. */
static LINDEX_COLD int grow_root(struct update *u)
{
	int err;

	while (u->nfresh > 1 || (u->nfresh == 1 && u->s->fresh[0].ref == LINDEX_TERM)) {
		uint32_t n = u->nfresh;

		memcpy(u->s->entries, u->s->fresh, n * sizeof(u->s->fresh[0]));
		err = pack(u, n, u->levels + 1);
		if (err)
			return err;
		u->levels++;
	}
	/* What removes live of (pager.c, P6). */
	return u->sp->paged && u->may_wait && (u->run || u->cuts) ?
		       lindex_paged_stand(u->ix, u->levels) :
		       0;
}

/* Subtrees that lie between the two paths. */
static void retire_between(struct update *u, uint32_t level)
{
	const struct cut *c = &u->cut[level];
	bool one = c->left == c->right;
	uint32_t i, end = one ? c->ir_path : lindex_node_n(&inner_at(u, c->left)->head), ref;

	for (i = c->il_path + 1; i < end && !need(u, c->left, level); i++) {
		ref = lindex_inner_ref(inner_at(u, c->left), i);
		if (!(ref & LINDEX_TERM))
			lindex_retire_subtree(u->ix, ref, level - 1);
	}
	for (i = 0; !one && i < c->ir_path && !need(u, c->right, level); i++) {
		ref = lindex_inner_ref(inner_at(u, c->right), i);
		if (!(ref & LINDEX_TERM))
			lindex_retire_subtree(u->ix, ref, level - 1);
	}
}

static void retire_one(struct update *u, uint32_t ref, uint32_t level)
{
	if (!ref || need(u, ref, level))
		return;
	u->ix->cost.nodes_retired++;
	lindex_retire_node(u->ix, ref);
}

/*
 * From here the change is done; what it replaced is retired. First what lies between the paths, which
 * may load and evict pages, then the nodes of the paths themselves, which say what that is.
 */
static LINDEX_COLD void retire_old(struct update *u, uint32_t levels)
{
	uint32_t level, top = u->published_at ? u->published_at : levels;

	for (level = 1; level <= top; level++)
		retire_between(u, level);
	retire_one(u, u->left_leaf, 0);
	if (u->right_leaf != u->left_leaf)
		retire_one(u, u->right_leaf, 0);
	for (level = 1; level <= top; level++) {
		const struct cut *c = &u->cut[level];

		retire_one(u, c->joined, level - 1);
		if (level == u->published_at)
			break;
		retire_one(u, c->left, level);
		if (c->left != c->right)
			retire_one(u, c->right, level);
	}
}

static void publish_in_place(struct update *u, uint32_t level)
{
	const struct cut *c = &u->cut[level];

	u->published_at = level;
	/* Partner: the acquire load of refs in lookup_inner_body.h (A.3). */
	lindex_store_release(&lindex_inner_refs(inner_at(u, c->left))[c->il],
			     lindex_to32(u->s->fresh[0].ref));
	if (u->sp->paged)
		lindex_paged_dirty(u->sp, c->left);
}

/* ---- The update ---------------------------------------------------------------------------------------- */

/* s->fresh takes the place of what is cut: the nodes above are written, it is published, what was there retired. */
static int lift(struct update *u)
{
	uint32_t levels = u->levels, level;
	int err = climb(u, &level);

	if (err)
		return err;
	if (level <= levels) {
		publish_in_place(u, level);
	} else if (!u->nfresh) {
		(void)lindex_publish_inline(u->ix, NULL, 0, false);
	} else if (u->nfresh == 1 && u->s->fresh[0].ref == LINDEX_TERM &&
		   !lindex_publish_inline(u->ix, &u->s->fresh[0].run, 1,
					  LINDEX_PORT_GP_BLOCKS && u->may_wait)) {
		; /* the last run went into the header */
	} else {
		err = grow_root(u);
		if (err)
			return err;
		publish_tree(u);
	}
	retire_old(u, levels);
	return 0;
}

static LINDEX_COLD int apply_tree(struct update *u)
{
	int err;

	if (!u->levels && u->nruns <= LINDEX_INLINE_RUNS &&
	    !lindex_publish_inline(u->ix, u->s->runs, u->nruns,
				   u->may_wait && lindex_slot_may_wait(u->ix))) {
		retire_old(u, 0);
		return 0;
	}
	/* Readers may be in the slot: a small leaf instead, so that many updates share a grace period. */
	u->whole_fits = fits(u, 0, u->nruns, leaf_before(u), &u->whole);
	join_leaves(u);
	err = make_leaves(u);
	return err ? err : lift(u);
}

/* The ref of a patched copy of @old, of @units; 0: there is none. */
static uint32_t patched(struct update *u, const struct lindex_node *old, uint32_t units)
{
	uint32_t ref = make(u, units, false);
	struct lindex_node *copy;

	if (!ref)
		return 0;
	copy = lindex_node_at(u->sp, ref);
	if (old->kind == LINDEX_NODE_LINES ?
		    lindex_lines_patch((const struct lindex_lines *)old, u->first, u->last, u->run,
				       units, u->s->patch, (struct lindex_lines *)copy) :
		    lindex_dense_patch((const struct lindex_dense *)old, u->first, u->last, u->run,
				       (struct lindex_dense *)copy))
		return ref;
	undo(u);
	return 0;
}

/*
 * The common case, short: the cut lies in one line of one leaf that has room for it, or gets one line more at
 * its end; or in a few slots of a DENSE leaf; and nothing but that leaf's ref changes above. False: do it the long way.
 */
static bool patch(struct update *u)
{
	const struct cut *c = &u->cut[1];
	const struct lindex_node *old = leaf_before(u);
	uint32_t ref;

	if (!u->levels || !old ||
	    (old->kind != LINDEX_NODE_LINES && old->kind != LINDEX_NODE_DENSE) ||
	    shared_with_snapshot(u, &inner_at(u, c->left)->head))
		return false;
	ref = patched(u, old, old->units);
	if (!ref && u->run && old->kind == LINDEX_NODE_LINES && old->units < u->ix->leaf_units)
		ref = patched(u, old, old->units + 1u);
	if (!ref)
		return false;
	lindex_node_at(u->sp, ref)->gen = lindex_to32(u->ix->gen);
	lindex_node_at(u->sp, ref)->next = 0;
	u->s->fresh[0].ref = ref;
	publish_in_place(u, 1);
	retire_one(u, u->left_leaf, 0);
	return true;
}

static LINDEX_COLD bool make_part(struct update *u, const struct lindex_lines *l, uint32_t from,
				  uint32_t to)
{
	struct lindex_entry *e = &u->s->fresh[u->nfresh++];
	struct lindex_lines *part;

	e->ref = make(u, lindex_lines_part(l, from, to, u->s->patch, NULL), false);
	if (!e->ref)
		return false;
	part = (struct lindex_lines *)lindex_node_at(u->sp, e->ref);
	(void)lindex_lines_part(l, from, to, u->s->patch, part);
	part->head.gen = lindex_to32(u->ix->gen);
	part->head.next = 0;
	e->sep = lindex_node_base(&part->head);
	return true;
}

/*
 * A leaf that has no room: with a line more it is larger than leaves may be, and its lines become two leaves. Appends
 * go the long way, which fills the first leaf. False: all do.
 */
static LINDEX_COLD bool divide(struct update *u)
{
	const struct lindex_lines *old = (const struct lindex_lines *)leaf_before(u);
	struct lindex_lines *l = (struct lindex_lines *)(void *)u->s->decoded;
	uint32_t at;

	if (!u->levels || !u->run || !old || old->head.kind != LINDEX_NODE_LINES ||
	    old->head.units < u->ix->leaf_units || u->last >= lindex_from64(old->end) ||
	    !lindex_lines_patch(old, u->first, u->last, u->run, old->head.units + 1u, u->s->patch,
				l))
		return false;
	at = lindex_lines_middle(l, u->s->patch);
	if (at && make_part(u, l, 0, at) && make_part(u, l, at, lindex_from16(l->head.aux) & 0xffu))
		return true;
	undo(u);
	u->nfresh = 0;
	return false;
}

/* One attempt. -ENOMEM: undone. */
static int attempt(struct update *u)
{
	const struct lindex_slot *slot = NULL;
	int err;

	if (u->sp->paged)
		lindex_paged_room(u->ix);
	memset(u->cut, 0, sizeof(u->cut));
	u->nfresh = u->nmade = u->levels = u->published_at = 0;
	u->left_leaf = u->right_leaf = 0;
	if (u->ix->root & LINDEX_ROOT_INLINE) {
		slot = lindex_slot_of(u->ix, u->ix->root);
	} else {
		err = find_cut(u);
		if (err)
			return err;
		if (patch(u))
			return 0;
	}
	if (!slot && divide(u)) {
		err = lift(u);
	} else {
		collect(u, slot);
		if (!u->changes)
			return 0;
		err = apply_tree(u);
	}
	if (err)
		undo(u);
	if (err == -ENOMEM && u->may_wait && !lindex_root_level(u->ix->root) &&
	    u->nruns <= LINDEX_INLINE_RUNS &&
	    !lindex_publish_inline(u->ix, u->s->runs, u->nruns, true)) {
		retire_old(u, 0);
		return 0;
	}
	return err;
}

/* Have the leaf of @key, and where its copy will be, on their way while earlier updates' nodes are freed. */
static void prefetch_leaf(const struct lindex *ix, uint64_t key)
{
	uint32_t level = lindex_root_level(ix->root), ref = lindex_root_ref(ix->root), i;
	uint64_t hi;

	if (ix->root & LINDEX_ROOT_INLINE || ix->space->paged)
		return;
	for (; level; level--) {
		const struct lindex_inner *in = (const struct lindex_inner *)lindex_node_at(
			ix->space, ref);

		ref = lindex_inner_ref(in, lindex_inner_find(in, key, &hi));
		if (ref & LINDEX_TERM)
			return;
	}
	for (i = 0; i < ix->leaf_units; i++)
		lindex_prefetch(lindex_addr(ix->space, ref) + (size_t)LINDEX_UNIT_BYTES * i);
	lindex_space_prefetch(ix->space, ix->leaf_units);
}

static int update(struct lindex *ix, uint64_t first, uint64_t last, const struct lindex_run *run)
{
	struct update u = {
		.ix = ix,
		.sp = ix->space,
		.s = ix->pool->scratch,
		.first = first,
		.last = last,
		.run = run,
		.may_wait = !ix->reserved && lindex_port_may_sleep(ix->pool->alloc_flags),
	};
	int err;

	ix->cost = (struct lindex_update_cost){ 0 };
	prefetch_leaf(ix, first);
	lindex_retire_step(ix, STEP_BUDGET, u.may_wait);
	if (u.sp->paged && run && u.may_wait && !(ix->root & LINDEX_ROOT_INLINE)) {
		err = lindex_paged_stand(ix, lindex_root_level(ix->root));
		if (err)
			return err;
	}
	if (ix->reserved) { /* what was promised is there, whoever used up the standing reserve */
		lindex_reserve_use(ix);
		u.sp->may_use_held = true;
	}
	err = attempt(&u);
	u.sp->may_use_held = false;
	if (err == -ENOMEM && u.may_wait &&
	    !LINDEX_PORT_GP_BLOCKS) { /* what is retired is not bounded there */
		lindex_pool_drop_all(ix->pool);
		lindex_retire_all(u.sp);
		err = attempt(&u);
	}
	if (err != -ENOMEM || run || u.cuts)
		return err;
	/* Deletion always works: take the standing reserve; if that is used up, wait for readers. */
	u.sp->may_use_held = u.tight = true;
	err = attempt(&u);
	if (err == -ENOMEM && lindex_port_may_sleep(ix->pool->alloc_flags)) {
		lindex_pool_drop_all(ix->pool);
		lindex_retire_all(u.sp);
		err = attempt(&u);
	}
	u.sp->may_use_held = false;
	return err;
}

int lindex_insert(struct lindex *ix, const struct lindex_run *run)
{
	struct lindex_run r = *run;
	int err = lindex_run_valid(run);

	if (err)
		return err;
	if (ix->flags & LINDEX_IX_READONLY)
		return -EROFS;
	r.mapped = 1;
	return update(ix, r.first, r.last, &r);
}

int lindex_remove(struct lindex *ix, uint64_t first, uint64_t last)
{
	if (first > last)
		return -EINVAL;
	if (ix->flags & LINDEX_IX_READONLY)
		return -EROFS;
	return update(ix, first, last, NULL);
}
