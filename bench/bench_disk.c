/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The map of one file as blocks of 4 KiB: how many a lookup reads when nothing is cached, how many an
 * overwrite changes, and how many there are. These are counted; what is timed beside them is the processor's
 * part, with the disk's left out: a block is read by copying it from memory, and checked. What an inode holds is
 * not counted: a root pointer of the radix tree, four entries of the extent tree, 128 bytes of lindex.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cmd.h"
#include "bench_twin.h"

#define BLOCK 4096u

/**
 * struct format - A way to have the map on disk.
 * @open:    With the runs of a set; or NULL: it cannot hold them.
 * @cool:    Forget what is cached. Or NULL: nothing ever is.
 * @lookup:  One answer. Return: blocks read.
 * @store:   One overwrite.
 * @changed: Blocks that the last overwrite changed.
 * @blocks:  In all.
 */
struct format {
	const char *name;
	bool single_key;
	void *(*open)(const struct set *s);
	void (*close)(void *map);
	void (*cool)(void *map);
	unsigned int (*lookup)(void *map, uint64_t key, struct lindex_run *run);
	void (*store)(void *map, const struct lindex_run *run);
	unsigned int (*changed)(void *map);
	uint64_t (*blocks)(const void *map);
};

/* ---- Radix tree: 512 entries of 8 bytes in a block ----------------------------------------- */

#define SLOTS      512u
#define SLOT_BITS  9u
#define RADIX_MOST ((uint64_t)1 << 19) /* blocks: 2 GiB */

/* An entry is a value + 1, or the number of a block; 0: nothing. Block 0 is the root. */
struct table {
	uint64_t slot[SLOTS];
};

struct radix {
	struct table **at;
	size_t n, room;
	unsigned int levels, written;
	bool full;
};

static size_t radix_new(struct radix *r)
{
	if (r->n == r->room) {
		r->room = 2 * r->room + 16;
		r->at = realloc(r->at, r->room * sizeof(struct table *));
		if (!r->at)
			die("no memory");
	}
	r->at[r->n] = grab(BLOCK);
	memset(r->at[r->n], 0, BLOCK);
	r->written++;
	return r->n++;
}

static uint64_t *radix_slot(struct radix *r, uint64_t key, unsigned int level, size_t block)
{
	return &r->at[block]->slot[key >> (level * SLOT_BITS) & (SLOTS - 1)];
}

/* The block of the lowest level, made if need be, and the one above it then changed. */
static size_t radix_leaf(struct radix *r, uint64_t key)
{
	size_t block = 0;

	for (unsigned int level = r->levels - 1; level; level--) {
		uint64_t next = *radix_slot(r, key, level, block);

		if (!next) {
			r->written += block + 1 != r->n; /* not one that is new, too */
			next = radix_new(r);
			*radix_slot(r, key, level, block) = next;
		}
		block = next;
	}
	return block;
}

static void radix_store(void *map, const struct lindex_run *run)
{
	struct radix *r = map;
	size_t leaf = 0, before = r->n;

	r->written = 0;
	for (uint64_t key = run->first; r->n < RADIX_MOST; key++) {
		if (key == run->first || !(key & (SLOTS - 1))) {
			leaf = radix_leaf(r, key);
			r->written += leaf < before; /* new ones are counted where they are made */
		}
		*radix_slot(r, key, 0, leaf) = lindex_value(run, key) + 1;
		if (key == run->last)
			return;
	}
	r->full = true;
}

static unsigned int radix_changed(void *map)
{
	return ((const struct radix *)map)->written;
}

static void radix_close(void *map)
{
	struct radix *r = map;

	for (size_t i = 0; i < r->n; i++)
		free(r->at[i]);
	free(r->at);
	free(r);
}

static void *radix_open(const struct set *s)
{
	struct radix *r = grab(sizeof(*r));

	*r = (struct radix){ .levels = s->data.space > (uint64_t)1 << 60 ? 7 : 1 };
	/* Room behind the end for the pieces that are overwritten there: one level more at most. */
	while (r->levels < 7 && (s->data.space + 64) >> (r->levels * SLOT_BITS))
		r->levels++;
	(void)radix_new(r);
	for (size_t i = 0; r->levels < 7 && i < s->runs.n && !r->full; i++) {
		r->full = s->runs.at[i].last - s->runs.at[i].first > RADIX_MOST * SLOTS;
		if (!r->full)
			radix_store(r, &s->runs.at[i]);
	}
	if (r->levels < 7 && !r->full)
		return r;
	radix_close(r);
	return NULL;
}

static unsigned int radix_lookup(void *map, uint64_t key, struct lindex_run *run)
{
	struct radix *r = map;
	uint64_t slot = 0;

	*run = hole_run(key, key);
	if (key >> (r->levels * SLOT_BITS))
		return 0;
	for (unsigned int level = r->levels; level--;) {
		slot = *radix_slot(r, key, level, slot);
		if (!slot)
			return r->levels - level;
	}
	run->mapped = 1;
	run->value = slot - 1;
	return r->levels;
}

static uint64_t radix_blocks(const void *map)
{
	return ((const struct radix *)map)->n;
}

/* ---- Extent tree: blocks are compared with copies of them ---------------------------------- */

struct extents {
	void *map;
	unsigned char **copies;
	size_t n;
};

/* Return: how many differ from the copies, which then do no more. */
static unsigned int extents_changed(void *map)
{
	struct extents *x = map;
	unsigned int changed = 0;
	size_t n = peer_extents_blocks(x->map);

	if (n > x->n) {
		x->copies = realloc(x->copies, n * sizeof(*x->copies));
		if (!x->copies)
			die("no memory");
	}
	for (; x->n < n; x->n++)
		x->copies[x->n] = calloc(1, BLOCK);
	for (size_t i = 0; i < n; i++) {
		const void *now = peer_extents_block(x->map, i);

		if (!x->copies[i])
			die("no memory");
		if (!now || !memcmp(now, x->copies[i], BLOCK))
			continue;
		memcpy(x->copies[i], now, BLOCK);
		changed++;
	}
	return changed;
}

static void *extents_open(const struct set *s)
{
	struct extents *x;

	if (peer_extents.refuses(s->runs.at, s->runs.n) || s->data.space >= UINT32_MAX - 64)
		return NULL;
	x = grab(sizeof(*x));
	*x = (struct extents){ .map = peer_extents.build(s->runs.at, s->runs.n) };
	(void)extents_changed(x);
	return x;
}

static void extents_close(void *map)
{
	struct extents *x = map;

	for (size_t i = 0; i < x->n; i++)
		free(x->copies[i]);
	free(x->copies);
	peer_extents.free(x->map);
	free(x);
}

static unsigned int extents_lookup(void *map, uint64_t key, struct lindex_run *run)
{
	struct extents *x = map;

	peer_extents.lookup(x->map, key, run);
	return peer_extents_depth(x->map);
}

static void extents_store(void *map, const struct lindex_run *run)
{
	peer_extents.overwrite(((struct extents *)map)->map, run);
}

static uint64_t extents_blocks(const void *map)
{
	const struct extents *x = map;
	uint64_t used = 0;

	for (size_t i = 0; i < peer_extents_blocks(x->map); i++)
		used += peer_extents_block(x->map, i) != NULL;
	return used;
}

/* ---- lindex: its pages, behind a pager that counts ------------------------------------------ */

struct paged {
	struct lindex_pool *pool;
	struct lindex *ix;
	unsigned char **pages;
	size_t n;
	unsigned int loads, stores;
};

static int page_load(void *ctx, uint32_t page, void *buf)
{
	struct paged *p = ctx;

	if (page >= p->n || !p->pages[page])
		return -EIO;
	memcpy(buf, p->pages[page], BLOCK);
	p->loads++;
	return 0;
}

static int page_store(void *ctx, uint32_t page, const void *buf)
{
	struct paged *p = ctx;

	if (page >= p->n) {
		size_t n = 2 * ((size_t)page + 1);

		p->pages = realloc(p->pages, n * sizeof(*p->pages));
		if (!p->pages)
			return -ENOMEM;
		memset(&p->pages[p->n], 0, (n - p->n) * sizeof(*p->pages));
		p->n = n;
	}
	if (!p->pages[page])
		p->pages[page] = grab(BLOCK);
	memcpy(p->pages[page], buf, BLOCK);
	p->stores++;
	return 0;
}

static void must(int64_t err, const char *what)
{
	if (err < 0)
		die("%s: %s", what, strerror((int)-err));
}

static void *paged_open(const struct set *s)
{
	struct paged *p = grab(sizeof(*p));
	struct lindex_pager pager = { .load = page_load, .store = page_store, .ctx = p };
	struct lindex_config cfg = { .pager = &pager };
	struct lindex_root root = { { 0 } };

	*p = (struct paged){ .n = 0 };
	must(lindex_pool_create(NULL, &p->pool), "lindex_pool_create");
	must(lindex_open_paged(p->pool, &cfg, &root, &p->ix), "lindex_open_paged");
	must(lindex_build(p->ix, s->runs.at, s->runs.n, NULL), "lindex_build");
	must(lindex_flush(p->ix), "lindex_flush");
	return p;
}

static void paged_close(void *map)
{
	struct paged *p = map;

	lindex_free(p->ix);
	must(lindex_pool_free(p->pool), "lindex_pool_free");
	for (size_t i = 0; i < p->n; i++)
		free(p->pages[i]);
	free(p->pages);
	free(p);
}

static int ask(const struct paged *p, uint64_t key, struct lindex_run *run)
{
	int err;

	reader_lock();
	err = lindex_lookup(p->ix, key, run);
	reader_unlock();
	return err;
}

static void paged_cool(void *map)
{
	must(lindex_evict(((struct paged *)map)->ix, 0), "lindex_evict");
}

static unsigned int paged_lookup(void *map, uint64_t key, struct lindex_run *run)
{
	struct paged *p = map;

	p->loads = 0;
	while (ask(p, key, run) == -EAGAIN)
		must(lindex_load(p->ix, key), "lindex_load");
	return p->loads;
}

static void paged_store(void *map, const struct lindex_run *run)
{
	struct paged *p = map;

	p->stores = 0;
	must(lindex_insert(p->ix, run), "lindex_insert");
	must(lindex_flush(p->ix), "lindex_flush");
}

static unsigned int paged_changed(void *map)
{
	return ((const struct paged *)map)->stores;
}

static uint64_t paged_blocks(const void *map)
{
	struct lindex_stats stats;

	lindex_get_stats(((const struct paged *)map)->ix, &stats);
	return stats.pages;
}

/* ---- The contest --------------------------------------------------------------------------- */

static const struct format formats[] = {
	{ "radix blocks", true, radix_open, radix_close, NULL, radix_lookup, radix_store,
	  radix_changed, radix_blocks },
	{ "extent tree", false, extents_open, extents_close, NULL, extents_lookup, extents_store,
	  extents_changed, extents_blocks },
	{ "lindex pages", false, paged_open, paged_close, paged_cool, paged_lookup, paged_store,
	  paged_changed, paged_blocks },
};

/** struct count - Of blocks, per operation; @ns: of the processor, in all. */
struct count {
	double sum;
	unsigned int most;
	uint64_t ns;
};

static void count(struct count *c, unsigned int blocks)
{
	c->sum += blocks;
	c->most = blocks > c->most ? blocks : c->most;
}

static bool look_all(const struct format *f, void *map, const struct twin *twin,
		     const uint64_t *keys, size_t n, struct count *reads)
{
	bool right = true;

	for (size_t i = 0; i < n; i++) {
		struct lindex_run whole, want, got;
		unsigned int blocks;
		uint64_t start;

		if (f->cool)
			f->cool(map);
		start = cpu_ns();
		blocks = f->lookup(map, keys[i], &got);
		reads->ns += cpu_ns() - start;
		count(reads, blocks);
		twin_lookup(twin, keys[i], &whole);
		want = f->single_key ? key_run(&whole, keys[i]) : whole;
		right &= run_equal(&want, &got);
	}
	return right;
}

/* Pieces of 1-8 keys at mapped places, values of a log that goes on. */
static void store_all(const struct set *s, const struct format *f, void *map, struct twin *twin,
		      const uint64_t *keys, size_t n, struct count *writes)
{
	uint64_t head = (uint64_t)1 << 31;

	for (size_t i = 0; i < n; i++) {
		uint64_t len = 1 + keys[i] % 8, room = s->data.space - keys[i];
		struct lindex_run run = { .first = keys[i], .value = head, .step = 1 };
		uint64_t start;

		run.last = run.first + (len < room ? len : room ? room : 1) - 1;
		head += 2 * len;
		twin_store(twin, &run);
		start = cpu_ns();
		f->store(map, &run);
		writes->ns += cpu_ns() - start;
		count(writes, f->changed(map));
	}
}

static void measure(struct set *s, const struct format *f, const uint64_t *keys, size_t n)
{
	struct row row = row_of(s, f->name, "disk", "4 KiB blocks", dist_names[DIST_KEY]);
	struct count reads = { .sum = 0 }, after = { .sum = 0 }, writes = { .sum = 0 };
	void *map = f->open(s);
	struct twin twin;

	if (!map) {
		rows_note("%s: not here: it cannot hold such runs", f->name);
		return;
	}
	twin_init(&twin, &s->runs);
	row.bytes = (double)f->blocks(map) * BLOCK / (double)s->runs.n;
	row_extra(&row, "blocks", (double)f->blocks(map));
	row.checked = look_all(f, map, &twin, keys, n, &reads);
	store_all(s, f, map, &twin, keys, n, &writes);
	row.checked &= look_all(f, map, &twin, keys, n, &after);
	row_extra(&row, "reads", reads.sum / (double)n);
	row_extra(&row, "reads_most", reads.most);
	row_extra(&row, "writes", writes.sum / (double)n);
	row_extra(&row, "wrote_most", writes.most);
	row_extra(&row, "later", after.sum / (double)n);
	row_extra(&row, "read_ns", (double)reads.ns / (double)n);
	row_extra(&row, "write_ns", (double)writes.ns / (double)n);
	rows_add(&row);
	f->close(map);
	twin_free(&twin);
}

void verb_disk(struct set *s)
{
	size_t n = s->cfg->quick ? 200 : 2000;
	uint64_t *keys = keys_drawn(s, DIST_KEY, n);

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		measure(s, &formats[i], keys, n);
	rows_show();
	free(keys);
}
