/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bulk load: sorted runs in, nodes out, one pass, bottom up. What comes out is a function of the runs
 * and of the configuration alone, so the same builder writes canonical images (image.c).
 *
 *      push -> window of runs -> leaf -> entries[1] -> inner node -> entries[2] -> ... -> root
 *
 * Every stage looks ahead one full node before it closes one, so that the last two can be balanced.
 */
#include "internal.h"

#define WINDOW_RUNS    (4 * LINDEX_LEAF_RUNS)
#define LEVEL_ENTRIES  (2 * LINDEX_INNER_MAX)
#define TERM_LOOKAHEAD 16u

struct builder_level {
	uint32_t n;
	bool emitted;           /* a node of this level was closed: there will be one above */
	struct lindex_entry *e; /* LEVEL_ENTRIES, from when the level is first used */
};

struct lindex_builder {
	struct lindex *ix;
	struct lindex_pool *pool;
	struct lindex_place to;
	uint32_t epsilon, leaf_units, gen;
	uint32_t head, tail; /* window[head..tail) waits for a leaf */
	bool leaves;         /* a leaf was closed */
	struct lindex_run window[WINDOW_RUNS];
	struct builder_level level[LINDEX_MAX_LEVEL + 2]; /* [0] is not used */
};

int lindex_run_valid(const struct lindex_run *run)
{
	if (run->first > run->last || run->step > 1)
		return -EINVAL;
	if (run->step && run->value > UINT64_MAX - (run->last - run->first))
		return -ERANGE;
	return 0;
}

int lindex_builder_create(struct lindex *ix, const struct lindex_place *to, uint32_t gen,
			  struct lindex_builder **out)
{
	struct lindex_builder *b = lindex_index_alloc(ix, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->ix = ix;
	b->pool = ix->pool;
	b->to = *to;
	b->epsilon = ix->epsilon;
	b->leaf_units = ix->leaf_units;
	b->gen = gen;
	b->head = b->tail = 0;
	b->leaves = false;
	memset(b->level, 0, sizeof(b->level));
	*out = b;
	return 0;
}

void lindex_builder_free(struct lindex_builder *b)
{
	uint32_t i;

	if (!b)
		return;
	for (i = 0; i < LINDEX_MAX_LEVEL + 2; i++)
		if (b->level[i].e)
			lindex_pool_release(b->pool, b->level[i].e,
					    LEVEL_ENTRIES * sizeof(*b->level[i].e));
	lindex_pool_release(b->pool, b, sizeof(*b));
}

/* ---- Inner levels ------------------------------------------------------------------------------- */

static int builder_add(struct lindex_builder *b, uint32_t level, const struct lindex_entry *e);

/* How many entries the next node takes; @last: no more will come. */
static uint32_t builder_inner_take(const struct lindex_builder *b, const struct builder_level *l,
				   bool last)
{
	uint32_t bytes, m = lindex_inner_fit(l->e, l->n, &bytes), floor = m / 4 < 8 ? 8 : m / 4;

	while (m > floor && lindex_inner_window(l->e, m) > lindex_pad8(b->epsilon))
		m = m * 3 / 4 > floor ? m * 3 / 4 : floor;
	if (last && l->n > m && l->n < 2 * m)
		m = (l->n + 1) / 2;
	return m;
}

static LINDEX_COLD int builder_inner(struct lindex_builder *b, uint32_t level, bool last)
{
	struct builder_level *l = &b->level[level];
	uint32_t m = builder_inner_take(b, l, last), bytes;
	struct lindex_entry up = { .sep = l->e[0].sep };
	void *node;

	(void)lindex_inner_fit(l->e, m, &bytes);
	node = b->to.place(b->to.ctx, (bytes + LINDEX_UNIT_BYTES - 1) / LINDEX_UNIT_BYTES, true,
			   &up.ref);
	if (!node)
		return -ENOMEM;
	lindex_inner_encode(l->e, m, level, b->gen, b->leaf_units - 1, node);
	memmove(l->e, l->e + m, (l->n - m) * sizeof(l->e[0]));
	l->n -= m;
	l->emitted = true;
	return builder_add(b, level + 1, &up);
}

static int builder_add(struct lindex_builder *b, uint32_t level, const struct lindex_entry *e)
{
	struct builder_level *l = &b->level[level];
	int err = 0;

	if (level > LINDEX_MAX_LEVEL)
		return -ENOMEM; /* more than refs can name */
	if (!l->e)
		l->e = lindex_index_alloc(b->ix, LEVEL_ENTRIES * sizeof(*l->e));
	if (!l->e)
		return -ENOMEM;
	if (l->n == LEVEL_ENTRIES)
		err = builder_inner(b, level, false);
	if (!err)
		l->e[l->n++] = *e;
	return err;
}

/* ---- Leaves --------------------------------------------------------------------------------------- */

static bool run_is_long(const struct lindex_run *r)
{
	return r->last - r->first >= LINDEX_DENSE_RUN;
}

/*
 * True if the first run is better an entry of its own above what follows: a long run in front of a
 * region of short ones would keep that region out of the dense kinds.
 */
static bool builder_wants_term(const struct lindex_run *runs, uint32_t n, uint32_t max_units,
			       uint32_t m, const struct lindex_plan *plan)
{
	uint32_t i, rest, with_term;
	struct lindex_plan after;

	if (n <= TERM_LOOKAHEAD || !run_is_long(&runs[0]))
		return m == 1;
	for (i = 1; i < TERM_LOOKAHEAD; i++)
		if (run_is_long(&runs[i]))
			return m == 1;
	rest = lindex_leaf_fit_most(runs + 1, n - 1, max_units, &after);
	with_term = (uint32_t)(sizeof(struct lindex_term) + 8 + after.units * LINDEX_UNIT_BYTES);
	/* Bytes per run, compared crosswise. */
	return with_term * m < plan->units * LINDEX_UNIT_BYTES * (rest + 1);
}

static int builder_leaf(struct lindex_builder *b)
{
	const struct lindex_run *runs = b->window + b->head;
	uint32_t n = b->tail - b->head, m;
	struct lindex_entry up = { .sep = runs[0].first };
	struct lindex_plan plan;
	void *node;

	m = lindex_leaf_fit_most(runs, n, b->leaf_units, &plan);
	if (builder_wants_term(runs, n, b->leaf_units, m, &plan)) {
		m = 1;
		up.ref = LINDEX_TERM;
		up.run = runs[0];
	} else {
		node = b->to.place(b->to.ctx, plan.units, false, &up.ref);
		if (!node)
			return -ENOMEM;
		lindex_leaf_encode(&plan, runs, node, b->gen);
	}
	b->head += m;
	b->leaves = true;
	return builder_add(b, 1, &up);
}

/** lindex_builder_push() - The next run. Joined to the one before where they are one run. */
int lindex_builder_push(struct lindex_builder *b, const struct lindex_run *run)
{
	int err = 0;

	if (b->tail > b->head && lindex_run_joins(&b->window[b->tail - 1], run)) {
		b->window[b->tail - 1].last = run->last;
		return 0;
	}
	if (b->tail == WINDOW_RUNS) {
		/* The last run stays behind: what comes may join it. */
		while (!err && b->tail - b->head > LINDEX_LEAF_RUNS + 1)
			err = builder_leaf(b);
		memmove(b->window, b->window + b->head, (b->tail - b->head) * sizeof(b->window[0]));
		b->tail -= b->head;
		b->head = 0;
	}
	if (err)
		return err;
	b->window[b->tail] = *run;
	b->window[b->tail++].mapped = 1;
	return 0;
}

/**
 * lindex_builder_finish() - No more runs. @root: root word; @slot: filled if that is inline.
 */
int lindex_builder_finish(struct lindex_builder *b, uint64_t *root, struct lindex_slot *slot)
{
	uint32_t level = 1, i, n = b->tail - b->head;
	int err = 0;

	slot->n = 0;
	if (!b->leaves && n <= LINDEX_INLINE_RUNS) {
		for (i = 0; i < n; i++)
			slot->runs[slot->n++] = b->window[b->head + i];
		*root = LINDEX_ROOT_INLINE;
		return 0;
	}
	while (!err && b->tail > b->head)
		err = builder_leaf(b);
	for (; !err; level++) {
		struct builder_level *l = &b->level[level];

		if (!l->emitted && l->n == 1 && l->e[0].ref != LINDEX_TERM) {
			*root = lindex_root_word(l->e[0].ref, level - 1);
			return 0;
		}
		while (!err && l->n)
			err = builder_inner(b, level, true);
	}
	return err;
}

/* ---- lindex_build() -------------------------------------------------------------------------------- */

struct arena_place {
	struct lindex_space *space;
	struct lindex *ix;
	struct lindex_limbo built; /* to be undone on failure */
	uint32_t last, first_page;
};

/* The node before is whole now: it can be listed (its units are known). */
static void arena_list_last(struct arena_place *a)
{
	if (a->last)
		lindex_limbo_push(a->space, &a->built, a->last);
	a->last = 0;
}

static void *arena_place(void *ctx, uint32_t units, bool inner, uint32_t *ref)
{
	struct arena_place *a = ctx;

	if (a->space->paged)
		lindex_paged_room(a->ix); /* pages that are full may go */
	else
		arena_list_last(a);
	*ref = lindex_space_alloc(a->space, units, inner);
	a->last = a->space->paged ? 0 : *ref;
	return *ref ? lindex_addr(a->space, *ref) : NULL;
}

static void arena_end(struct arena_place *a, bool ok)
{
	if (a->space->paged)
		lindex_paged_build_end(a->space, a->first_page, ok);
	if (ok || a->space->paged)
		return;
	arena_list_last(a);
	while (a->built.head)
		lindex_node_free(a->space, lindex_limbo_pop(a->space, &a->built));
}

static int build_check(const struct lindex_run *runs, size_t n, size_t *bad)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int err = lindex_run_valid(&runs[i]);

		if (!err && i && runs[i].first <= runs[i - 1].last)
			err = -EINVAL;
		if (err) {
			if (bad)
				*bad = i;
			return err;
		}
	}
	return 0;
}

/* Publish what was built; what was there before is dropped. */
static LINDEX_COLD int build_publish(struct lindex *ix, uint64_t root,
				     const struct lindex_slot *slot)
{
	uint64_t old = ix->root;
	int err = 0;

	if (root & LINDEX_ROOT_INLINE)
		err = lindex_publish_inline(ix, slot->runs, slot->n, true);
	else
		lindex_publish_root(ix, lindex_root_ref(root), lindex_root_level(root));
	if (!ix->top)
		lindex_top_make(ix, true);
	if (!err && !(old & LINDEX_ROOT_INLINE))
		lindex_retire_subtree(ix, lindex_root_ref(old), lindex_root_level(old));
	return err;
}

static int rebuild_push(void *ctx, const struct lindex_run *run)
{
	return lindex_builder_push(ctx, run);
}

/** lindex_rebuild() - The same contents in new nodes: compaction (lindex_pool_reclaim()). */
int lindex_rebuild(struct lindex *ix)
{
	struct arena_place arena = { .space = ix->space, .ix = ix };
	struct lindex_place to = { arena_place, &arena };
	struct lindex_builder *b;
	struct lindex_slot slot;
	uint64_t root = 0;
	int err = lindex_builder_create(ix, &to, ix->gen, &b);

	if (err)
		return err;
	err = lindex_each_run(ix, rebuild_push, b);
	if (!err)
		err = lindex_builder_finish(b, &root, &slot);
	if (!err)
		err = build_publish(ix, root, &slot);
	arena_end(&arena, !err);
	lindex_builder_free(b);
	return err;
}

int lindex_build(struct lindex *ix, const struct lindex_run *runs, size_t n, size_t *bad)
{
	struct arena_place arena = { .space = ix->space, .ix = ix };
	struct lindex_place to = { arena_place, &arena };
	struct lindex_builder *b;
	struct lindex_slot slot;
	uint64_t root = 0;
	size_t i;
	int err;

	if (ix->flags & LINDEX_IX_READONLY)
		return -EROFS;
	err = build_check(runs, n, bad);
	if (err)
		return err;
	ix->cost = (struct lindex_update_cost){ 0 };
	err = lindex_builder_create(ix, &to, ix->gen, &b);
	if (err)
		return lindex_no_memory(ix->space);
	if (ix->space->paged)
		arena.first_page = lindex_paged_build_begin(ix->space);
	for (i = 0; i < n && !err; i++)
		err = lindex_builder_push(b, &runs[i]);
	if (!err)
		err = lindex_builder_finish(b, &root, &slot);
	if (!err && ix->space->paged && !(root & LINDEX_ROOT_INLINE))
		err = lindex_paged_stand(ix, lindex_root_level(root));
	if (!err)
		err = build_publish(ix, root, &slot);
	arena_end(&arena, !err);
	lindex_builder_free(b);
	lindex_retire_step(ix, 8, true);
	return err == -ENOMEM ? lindex_no_memory(ix->space) : err;
}
