/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The page tables of x86-64, four levels and five (Intel SDM volume 3, section 4.5), bit for bit:
 *
 *      63  62..52  51       50..12         11      10     9     8   7   6   5   4  3   2   1   0
 *     +---+------+----+----------------+--------+-------+-----+---+---+---+---+-----+----+----+---+
 *     | NX|   0  |rsvd| frame or table | SHARED | WRITE | COW | 0 | PS| D | A |  0  | US | RW | P |
 *     +---+------+----+----------------+--------+-------+-----+---+---+---+---+-----+----+----+---+
 *                                       \___ software's own ___/
 *
 * RW is WRITE without COW: the processor faults, software knows why. Bit 51 is beyond any frame here (phys_bits <= 50): set, it is
 * the reserved bit of VMMAP_PROT_RESERVED. Table entries are P RW US A, as Linux has them. A table's address is where it
 * is in this process: what a processor would do with physical memory mapped one to one. vmmap_memory() gives tables frame
 * numbers of their own.
 *
 * Tables are cut from slabs, whose first page counts what is in each table; an empty table goes when readers are gone.
 */
#include <stdatomic.h>
#include <string.h>

#include "backend.h"
#include "text.h"

#define P        UINT64_C(0x001)
#define RW       UINT64_C(0x002)
#define US       UINT64_C(0x004)
#define A        UINT64_C(0x020)
#define D        UINT64_C(0x040)
#define PS       UINT64_C(0x080)
#define SW_COW   UINT64_C(0x200)
#define SW_WRITE UINT64_C(0x400)
#define SW_SHARE UINT64_C(0x800)
#define RSVD     (UINT64_C(1) << 51)
#define NX       (UINT64_C(1) << 63)
#define ADDR     (((UINT64_C(1) << 51) - 1) & ~UINT64_C(0xfff))
#define TABLE    (P | RW | US | A)

#define FAN_BITS    9u
#define FAN         512u
#define TABLE_BYTES 4096u
#define SLAB_TABLES 64u /* with the first page, which is the slab's head */
#define SLAB_BYTES  (SLAB_TABLES * TABLE_BYTES)

typedef _Atomic uint64_t entry;

struct slab {
	struct slab *next, *next_free; /* all; those with tables to give out */
	uint32_t index;                /* of the slab, in order of making */
	uint32_t used;                 /* tables given out */
	uint16_t live[SLAB_TABLES];    /* entries present in each table */
	uint64_t free;                 /* bit i: table i may be given out */
};

struct radix {
	struct vmmap_host *host;
	entry *root;
	unsigned int levels, phys_bits;
	struct slab *slabs, *slabs_free;
	uint32_t slabs_n;
	uint64_t tables, leaf_tables;
	struct vmmap_cost cost;
};

/* ---- Tables -------------------------------------------------------------------------------------- */

static struct slab *slab_of(const void *table)
{
	return (struct slab *)((uintptr_t)table & ~(uintptr_t)(SLAB_BYTES - 1));
}

static unsigned int table_in_slab(const void *table)
{
	return (unsigned int)(((uintptr_t)table & (SLAB_BYTES - 1)) / TABLE_BYTES);
}

static uint16_t *live_of(const void *table)
{
	return &slab_of(table)->live[table_in_slab(table)];
}

/* A table's frame in a dump. */
static vmmap_pfn_t table_pfn(const struct radix *r, const void *table)
{
	return (UINT64_C(1) << (r->phys_bits - VMMAP_PAGE_SHIFT)) +
	       (uint64_t)slab_of(table)->index * SLAB_TABLES + table_in_slab(table);
}

static struct slab *slab_new(struct radix *r)
{
	struct slab *slab = vmmap_host_alloc(r->host, SLAB_BYTES, SLAB_BYTES);

	if (!slab)
		return NULL;
	slab->index = r->slabs_n++;
	slab->free = ~UINT64_C(1);
	slab->next = r->slabs;
	r->slabs = slab;
	slab->next_free = r->slabs_free;
	r->slabs_free = slab;
	return slab;
}

static entry *table_new(struct radix *r)
{
	struct slab *slab = r->slabs_free ? r->slabs_free : slab_new(r);
	entry *table;
	unsigned int i;

	if (!slab)
		return NULL;
	i = (unsigned int)__builtin_ctzll(slab->free);
	slab->free &= slab->free - 1;
	if (!slab->free)
		r->slabs_free = slab->next_free;
	slab->used++;
	slab->live[i] = 0;
	table = (entry *)((char *)slab + (size_t)i * TABLE_BYTES);
	memset((void *)table, 0, TABLE_BYTES);
	return table;
}

static void table_free(void *owner, void *table, size_t bytes)
{
	struct radix *r = owner;
	struct slab *slab = slab_of(table);

	(void)bytes;
	slab->used--;
	if (!slab->free) {
		slab->next_free = r->slabs_free;
		r->slabs_free = slab;
	}
	slab->free |= UINT64_C(1) << table_in_slab(table);
}

/* ---- Entries ------------------------------------------------------------------------------------- */

static uint64_t leaf_bits(uint8_t prot)
{
	return P | (prot & VMMAP_PROT_WRITE ? SW_WRITE : 0) |
	       ((prot & VMMAP_PROT_WRITE) && !(prot & VMMAP_PROT_COW) ? RW : 0) |
	       (prot & VMMAP_PROT_USER ? US : 0) | (prot & VMMAP_PROT_EXEC ? 0 : NX) |
	       (prot & VMMAP_PROT_SHARED ? SW_SHARE : 0) | (prot & VMMAP_PROT_COW ? SW_COW : 0) |
	       (prot & VMMAP_PROT_RESERVED ? RSVD : 0);
}

static uint8_t prot_of(uint64_t e)
{
	return (uint8_t)(VMMAP_PROT_READ | (e & SW_WRITE ? VMMAP_PROT_WRITE : 0) |
			 (e & US ? VMMAP_PROT_USER : 0) | (e & NX ? 0 : VMMAP_PROT_EXEC) |
			 (e & SW_SHARE ? VMMAP_PROT_SHARED : 0) |
			 (e & SW_COW ? VMMAP_PROT_COW : 0) | (e & RSVD ? VMMAP_PROT_RESERVED : 0));
}

static uint64_t leaf_entry(vmmap_pfn_t pfn, uint8_t prot, unsigned int level)
{
	return pfn << VMMAP_PAGE_SHIFT | leaf_bits(prot) | (level > 1 ? PS : 0);
}

static inline uint64_t load(const entry *e)
{
	return atomic_load_explicit(e, memory_order_acquire);
}

static inline bool is_table(uint64_t e, unsigned int level)
{
	return (e & P) && !(e & PS) && level > 1;
}

static inline entry *table_at(uint64_t e)
{
	return (entry *)(uintptr_t)(e & ADDR);
}

static inline unsigned int slot_of(vmmap_vpn_t vpn, unsigned int level)
{
	return (unsigned int)(vpn >> (FAN_BITS * (level - 1))) % FAN;
}

/* Pages under one entry of @level. */
static inline uint64_t span_of(unsigned int level)
{
	return UINT64_C(1) << (FAN_BITS * (level - 1));
}

static unsigned int level_of_shift(unsigned int shift)
{
	return (shift - VMMAP_PAGE_SHIFT) / FAN_BITS + 1;
}

static void store(struct radix *r, entry *e, uint64_t v)
{
	uint16_t *live = live_of(e);
	bool was = load(e) & P, is = v & P;

	atomic_store_explicit(e, v, memory_order_release);
	*live = (uint16_t)(*live + is - was);
	r->cost.nodes++;
}

/* The entry of @vpn at @level; tables are made on the way if @r may be changed. NULL: not there, or no memory. */
static entry *entry_at(struct radix *r, vmmap_vpn_t vpn, unsigned int level, bool make)
{
	entry *table = r->root;

	for (unsigned int at = r->levels; at > level; at--) {
		entry *e = &table[slot_of(vpn, at)];
		uint64_t v = load(e);

		if (!(v & P)) {
			table = make ? table_new(r) : NULL;
			if (!table)
				return NULL;
			r->tables++;
			r->leaf_tables += at == 2;
			store(r, e, (uint64_t)(uintptr_t)table | TABLE);
			continue;
		}
		if (!is_table(v, at))
			return NULL;
		table = table_at(v);
	}
	return &table[slot_of(vpn, level)];
}

/* ---- Ranges: one recursion, for clearing, freeing what is empty, and permissions ------------------ */

struct range_op {
	struct radix *r;
	vmmap_vpn_t first, last;
	bool clear;   /* else protect */
	bool prune;   /* only free what is empty */
	uint8_t prot; /* of protect */
};

static void table_drop(struct radix *r, entry *e, unsigned int level)
{
	entry *table = table_at(load(e));

	store(r, e, 0);
	r->tables--;
	r->leaf_tables -= level == 2;
	vmmap_host_defer(r->host, table_free, r, (void *)table, TABLE_BYTES);
}

static void protect_entry(struct radix *r, entry *e, uint8_t prot)
{
	uint64_t v = load(e), keep = ADDR | PS | A | D, want;

	/* The processor marks meanwhile: what it sets is kept. */
	do {
		uint8_t cow = v & SW_COW ? VMMAP_PROT_COW : 0;

		want = (v & keep) | leaf_bits(prot | cow);
	} while (!atomic_compare_exchange_weak(e, &v, want));
	r->cost.nodes++;
}

static void range_apply(const struct range_op *op, entry *table, unsigned int level,
			vmmap_vpn_t base)
{
	uint64_t span = span_of(level);
	unsigned int from = op->first > base ? (unsigned int)((op->first - base) / span) : 0;
	uint64_t to = (op->last - base) / span;

	for (unsigned int i = from; i < FAN && i <= to; i++) {
		uint64_t v = load(&table[i]);

		if (!(v & P))
			continue;
		if (is_table(v, level)) {
			range_apply(op, table_at(v), level - 1, base + i * span);
			if (op->clear && !*live_of(table_at(v)))
				table_drop(op->r, &table[i], level);
		} else if (op->clear && !op->prune) {
			store(op->r, &table[i], 0);
		} else if (!op->clear) {
			protect_entry(op->r, &table[i], op->prot);
		}
	}
}

static void range_run(struct radix *r, struct range_op op)
{
	op.r = r;
	range_apply(&op, r->root, r->levels, 0);
}

/* ---- Changes ------------------------------------------------------------------------------------- */

static void cost_begin(struct radix *r)
{
	r->cost = (struct vmmap_cost){ 0 };
}

/* All tables that the range needs, or none. */
static int make_tables(struct radix *r, vmmap_vpn_t vpn, uint64_t pages, unsigned int level)
{
	uint64_t span = span_of(level + 1);

	for (vmmap_vpn_t at = vpn; at < vpn + pages; at = (at / span + 1) * span) {
		if (entry_at(r, at, level, true))
			continue;
		range_run(r, (struct range_op){ .first = vpn,
						.last = vpn + pages - 1,
						.clear = true,
						.prune = true });
		return -ENOMEM;
	}
	return 0;
}

static void fill(struct radix *r, const struct vmmap_piece *p, unsigned int level)
{
	uint64_t size = span_of(level);
	entry *e = NULL;

	for (uint64_t i = 0; i < p->pages; i += size) {
		e = e && slot_of(p->vpn + i, level) ? e + 1 : entry_at(r, p->vpn + i, level, false);
		store(r, e, leaf_entry(p->pfn + i, p->prot, level));
	}
}

static int radix_map(void *table, const struct vmmap_piece *p)
{
	struct radix *r = table;
	unsigned int level = level_of_shift(p->shift);

	cost_begin(r);
	if (make_tables(r, p->vpn, p->pages, level))
		return -ENOMEM;
	fill(r, p, level);
	return 0;
}

static int radix_map_frames(void *table, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			    uint8_t prot)
{
	struct radix *r = table;
	entry *e = NULL;

	cost_begin(r);
	if (make_tables(r, vpn, pages, 1))
		return -ENOMEM;
	for (uint64_t i = 0; i < pages; i++) {
		e = e && slot_of(vpn + i, 1) ? e + 1 : entry_at(r, vpn + i, 1, false);
		store(r, e, leaf_entry(frames[i], prot, 1));
	}
	return 0;
}

static int radix_unmap(void *table, vmmap_vpn_t vpn, uint64_t pages)
{
	cost_begin(table);
	range_run(table, (struct range_op){ .first = vpn, .last = vpn + pages - 1, .clear = true });
	return 0;
}

static int radix_load(void *table, const struct vmmap_piece *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!radix_map(table, &pieces[i]))
			continue;
		radix_unmap(table, pieces[0].vpn,
			    pieces[i].vpn - pieces[0].vpn); /* in front of it: all that is there */
		return -ENOMEM;
	}
	return 0;
}

static int radix_protect(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot)
{
	cost_begin(table);
	range_run(table, (struct range_op){ .first = vpn, .last = vpn + pages - 1, .prot = prot });
	return 0;
}

/* The entry that maps @vpn; its level in *@level. Or NULL. */
static entry *leaf_find(const struct radix *r, vmmap_vpn_t vpn, unsigned int *level)
{
	entry *table = r->root;

	for (unsigned int at = r->levels; at; at--) {
		entry *e = &table[slot_of(vpn, at)];
		uint64_t v = load(e);

		*level = at;
		if (!(v & P))
			return NULL;
		if (!is_table(v, at))
			return e;
		table = table_at(v);
	}
	return NULL;
}

static int radix_replace(void *table, vmmap_vpn_t vpn, vmmap_pfn_t pfn, uint8_t prot)
{
	struct radix *r = table;
	unsigned int level;
	entry *e = leaf_find(r, vpn, &level);
	uint64_t v = load(e);

	cost_begin(r);
	while (!atomic_compare_exchange_weak(e, &v, (v & (A | D)) | leaf_entry(pfn, prot, level)))
		;
	r->cost.nodes = 1;
	return 0;
}

/* ---- Fork ------------------------------------------------------------------------------------------ */

/* Tables first: they may lack memory. Then nothing fails, and the parent's entries may change. */
static int copy_tables(struct radix *to, entry *dst, const entry *src, unsigned int level)
{
	for (unsigned int i = 0; level > 1 && i < FAN; i++) {
		uint64_t v = load(&src[i]);
		entry *table;

		if (!is_table(v, level))
			continue;
		table = table_new(to);
		if (!table || copy_tables(to, table, table_at(v), level - 1))
			return -ENOMEM;
		to->tables++;
		to->leaf_tables += level == 2;
		store(to, &dst[i], (uint64_t)(uintptr_t)table | TABLE);
	}
	return 0;
}

static void copy_leaves(struct radix *to, entry *dst, entry *src, unsigned int level)
{
	for (unsigned int i = 0; i < FAN; i++) {
		uint64_t v = load(&src[i]);

		if (!(v & P))
			continue;
		if (is_table(v, level)) {
			copy_leaves(to, table_at(load(&dst[i])), table_at(v), level - 1);
			continue;
		}
		if (!(v & SW_SHARE)) {
			atomic_fetch_or(&src[i], SW_COW);
			v = (atomic_fetch_and(&src[i], ~RW) | SW_COW) & ~RW;
		}
		store(to, &dst[i], v & ~(A | D));
	}
}

static void radix_free(void *table);
static int radix_new(const struct radix *like, struct radix **out)
{
	struct radix *r = vmmap_host_alloc(like->host, sizeof(*r), 64);

	if (!r)
		return -ENOMEM;
	r->host = like->host;
	r->levels = like->levels;
	r->phys_bits = like->phys_bits;
	r->root = table_new(r);
	if (!r->root) {
		radix_free(r);
		return -ENOMEM;
	}
	r->tables = 1;
	*out = r;
	return 0;
}

static int radix_fork(void *table, void **out)
{
	struct radix *r = table, *child;
	int err = radix_new(r, &child);

	if (err)
		return err;
	err = copy_tables(child, child->root, r->root, r->levels);
	if (err) {
		radix_free(child);
		return err;
	}
	copy_leaves(child, child->root, r->root, r->levels);
	*out = child;
	return 0;
}

/* ---- Queries --------------------------------------------------------------------------------------- */

/* Entries @i of a table that say the same: what a piece may be made of without another table. */
static void widen(const entry *table, unsigned int i, unsigned int level, struct vmmap_piece *p)
{
	uint64_t span = span_of(level), mask = ~(A | D), v = load(&table[i]) & mask;
	uint64_t step = v & P ? span << VMMAP_PAGE_SHIFT : 0;
	unsigned int lo = i, hi = i;

	while (lo > 0 && (load(&table[lo - 1]) & mask) == v - (uint64_t)(i - lo + 1) * step)
		lo--;
	while (hi + 1 < FAN && (load(&table[hi + 1]) & mask) == v + (uint64_t)(hi + 1 - i) * step)
		hi++;
	p->vpn = (p->vpn / span - (i - lo)) * span;
	p->pages = (uint64_t)(hi - lo + 1) * span;
	if (!(v & P))
		return;
	p->pfn = ((v & ADDR) >> VMMAP_PAGE_SHIFT) - (uint64_t)(i - lo) * span;
	p->prot = prot_of(v);
	p->shift = (uint8_t)(VMMAP_PAGE_SHIFT + FAN_BITS * (level - 1));
}

static int radix_lookup(const void *table, vmmap_vpn_t vpn, struct vmmap_piece *p)
{
	const struct radix *r = table;
	const entry *at = r->root;
	unsigned int level = r->levels;
	uint64_t v = load(&at[slot_of(vpn, level)]);

	while (is_table(v, level)) {
		at = table_at(v);
		level--;
		v = load(&at[slot_of(vpn, level)]);
	}
	*p = (struct vmmap_piece){ .vpn = vpn };
	widen(at, slot_of(vpn, level), level, p);
	return p->prot ? 0 : -ENOENT;
}

static int scan_table(const entry *table, unsigned int level, vmmap_vpn_t base, vmmap_vpn_t first,
		      vmmap_vpn_t last, int (*visit)(void *ctx, const struct vmmap_piece *piece),
		      void *ctx)
{
	uint64_t span = span_of(level), to = (last - base) / span;
	int err = 0;

	for (uint64_t i = first > base ? (first - base) / span : 0; i < FAN && i <= to && !err;
	     i++) {
		uint64_t v = load(&table[i]), skip;
		struct vmmap_piece p = { .vpn = base + i * span, .pages = span };

		if (!(v & P))
			continue;
		if (is_table(v, level)) {
			err = scan_table(table_at(v), level - 1, p.vpn, first, last, visit, ctx);
			continue;
		}
		skip = first > p.vpn ? first - p.vpn : 0;
		p.pfn = ((v & ADDR) >> VMMAP_PAGE_SHIFT) + skip;
		p.vpn += skip;
		p.pages -= skip;
		if (p.vpn + p.pages - 1 > last)
			p.pages = last - p.vpn + 1;
		p.prot = prot_of(v);
		p.shift = (uint8_t)(VMMAP_PAGE_SHIFT + FAN_BITS * (level - 1));
		err = visit(ctx, &p);
	}
	return err;
}

static int radix_scan(const void *table, vmmap_vpn_t vpn, uint64_t pages,
		      int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx)
{
	const struct radix *r = table;

	return scan_table(r->root, r->levels, 0, vpn, vpn + pages - 1, visit, ctx);
}

/* What the processor does, the accessed and dirty bits in the entry included. */
static inline uint64_t translate(const struct radix *r, vmmap_vpn_t vpn, struct vmmap_want want,
				 unsigned int levels)
{
	entry *table = r->root;
	unsigned int level = levels;
	uint64_t v, was, word, ad;
	entry *e;

	for (;;) {
		e = &table[slot_of(vpn, level)];
		v = load(e);
		if (!(v & P))
			return 0;
		if (level == 1 || v & PS)
			break;
		table = table_at(v);
		level--;
	}
	word = VMMAP_WORD(((v & ADDR) >> VMMAP_PAGE_SHIFT) + (vpn & (span_of(level) - 1)),
			  prot_of(v), VMMAP_PAGE_SHIFT + FAN_BITS * (level - 1));
	ad = (want.mark & VMMAP_ACCESSED ? A : 0) | (want.mark & VMMAP_DIRTY ? D : 0);
	if (__builtin_expect((v & ad) == ad, 1) || !vmmap_want_served(want, word))
		return word;
	was = v;
	while (!atomic_compare_exchange_weak(e, &v, v | ad) && !((v ^ was) & ~(A | D)))
		; /* not into an entry that has become another's */
	return word;
}

static uint64_t radix4_translate(void *table, vmmap_vpn_t vpn, struct vmmap_want want)
{
	return translate(table, vpn, want, 4);
}

static uint64_t radix5_translate(void *table, vmmap_vpn_t vpn, struct vmmap_want want)
{
	return translate(table, vpn, want, 5);
}

static uint32_t radix_harvest(void *table, vmmap_vpn_t vpn, uint32_t clear)
{
	uint64_t mask = (clear & VMMAP_ACCESSED ? A : 0) | (clear & VMMAP_DIRTY ? D : 0), v;
	unsigned int level;
	entry *e = leaf_find(table, vpn, &level);

	if (!e)
		return 0;
	v = load(e);
	if (v & mask)
		v = atomic_fetch_and(e, ~mask);
	return (v & A ? VMMAP_ACCESSED : 0) | (v & D ? VMMAP_DIRTY : 0);
}

/* ---- The hardware's view ------------------------------------------------------------------------- */

static int radix_walk(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps)
{
	const struct radix *r = table;
	const entry *at = r->root;
	int n = 0;

	for (unsigned int level = r->levels; level; level--) {
		uint64_t v = load(&at[slot_of(vpn, level)]);

		steps[n] = (struct vmmap_step){ .addr = (table_pfn(r, at) << VMMAP_PAGE_SHIFT) +
							8 * slot_of(vpn, level),
						.bytes = 8,
						.level = (uint8_t)level,
						.group = (uint8_t)n };
		n++;
		if (!is_table(v, level))
			break;
		steps[n - 1].cache = (uint8_t)level;
		steps[n - 1].cached_bytes = 8;
		steps[n - 1].key = vpn >> (FAN_BITS * (level - 1));
		at = table_at(v);
	}
	return n;
}

static int memory_of(const struct radix *r, const entry *table, unsigned int level,
		     int (*page)(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries), void *ctx)
{
	uint64_t copy[FAN];
	int err = 0;

	for (unsigned int i = 0; i < FAN; i++) {
		copy[i] = load(&table[i]);
		if (is_table(copy[i], level))
			copy[i] = (copy[i] & ~ADDR) | table_pfn(r, table_at(copy[i]))
							      << VMMAP_PAGE_SHIFT;
	}
	err = page(ctx, table_pfn(r, table), copy);
	for (unsigned int i = 0; i < FAN && !err; i++) {
		uint64_t v = load(&table[i]);

		if (is_table(v, level))
			err = memory_of(r, table_at(v), level - 1, page, ctx);
	}
	return err;
}

static int radix_memory(const void *table,
			int (*page)(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries), void *ctx,
			vmmap_pa_t *cr3)
{
	const struct radix *r = table;

	*cr3 = table_pfn(r, r->root) << VMMAP_PAGE_SHIFT;
	return memory_of(r, r->root, r->levels, page, ctx);
}

static void radix_footprint(const void *table, struct vmmap_footprint *f)
{
	const struct radix *r = table;

	f->index_bytes = (r->tables - r->leaf_tables) * TABLE_BYTES;
	f->frame_bytes = r->leaf_tables * TABLE_BYTES;
	f->largest_bytes = TABLE_BYTES;
}

static void radix_cost(const void *table, struct vmmap_cost *cost)
{
	*cost = ((const struct radix *)table)->cost;
}

/* ---- Check, dump, life cycle ---------------------------------------------------------------------- */

static bool wrong(struct lindex_reason *why, const char *text, vmmap_vpn_t vpn, uint64_t expected,
		  uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){
			.text = text, .key = vpn, .expected = expected, .found = found
		};
	return true;
}

static bool table_wrong(const struct radix *r, const entry *table, unsigned int level,
			vmmap_vpn_t base, uint64_t *tables, struct lindex_reason *why)
{
	unsigned int live = 0;

	++*tables;
	for (unsigned int i = 0; i < FAN; i++) {
		uint64_t v = load(&table[i]);
		vmmap_vpn_t vpn = base + i * span_of(level);

		if (!(v & P)) {
			if (v)
				return wrong(why, "radix: an absent entry is not zero", vpn, 0, v);
			continue;
		}
		live++;
		if (level == 1 && v & PS)
			return wrong(why, "radix: PAT in a page of 4 KiB", vpn, 0, v);
		if (is_table(v, level)) {
			if (table_wrong(r, table_at(v), level - 1, vpn, tables, why))
				return true;
		} else if (level > 3 || (v & ADDR) >> VMMAP_PAGE_SHIFT & (span_of(level) - 1)) {
			return wrong(why, "radix: a huge page where none can be", vpn, 0, v);
		}
	}
	if (live != *live_of(table))
		return wrong(why, "radix: count of a table", base, live, *live_of(table));
	if (!live && level != r->levels)
		return wrong(why, "radix: an empty table is kept", base, 1, 0);
	return false;
}

static int radix_check(void *table, struct lindex_reason *why)
{
	const struct radix *r = table;
	uint64_t tables = 0;

	if (table_wrong(r, r->root, r->levels, 0, &tables, why))
		return -EUCLEAN;
	if (tables != r->tables) {
		wrong(why, "radix: number of tables", 0, tables, r->tables);
		return -EUCLEAN;
	}
	return 0;
}

static int dump_table(const struct radix *r, const entry *table, unsigned int level,
		      vmmap_vpn_t base, const struct lindex_sink *sink)
{
	int err = text_line(sink, "%*slevel %u table %" PRIx64 " vpn %" PRIx64 " entries %u",
			    (int)(2 * (r->levels - level)), "", level, table_pfn(r, table), base,
			    *live_of(table));

	for (unsigned int i = 0; i < FAN && !err; i++) {
		uint64_t v = load(&table[i]);
		vmmap_vpn_t vpn = base + i * span_of(level);

		if (is_table(v, level))
			err = dump_table(r, table_at(v), level - 1, vpn, sink);
		else if (v & P)
			err = text_line(sink, "%*s[%u] vpn %" PRIx64 " entry %016" PRIx64,
					(int)(2 * (r->levels - level) + 2), "", i, vpn, v);
	}
	return err;
}

static int radix_dump(const void *table, const struct lindex_sink *sink)
{
	const struct radix *r = table;

	return dump_table(r, r->root, r->levels, 0, sink);
}

static void radix_free(void *table)
{
	struct radix *r = table;

	vmmap_host_drain(r->host); /* tables that wait are in our slabs */
	while (r->slabs) {
		struct slab *next = r->slabs->next;

		vmmap_host_free_now(r->host, r->slabs, SLAB_BYTES);
		r->slabs = next;
	}
	vmmap_host_free_now(r->host, r, sizeof(*r));
}

static int radix4_create(const struct vmmap_env *env, void **out)
{
	struct radix like = { .host = env->host, .phys_bits = env->phys_bits, .levels = 4 };

	return radix_new(&like, (struct radix **)out);
}

static int radix5_create(const struct vmmap_env *env, void **out)
{
	struct radix like = { .host = env->host, .phys_bits = env->phys_bits, .levels = 5 };

	return radix_new(&like, (struct radix **)out);
}

#define RADIX_COMMON                                                                               \
	.free = radix_free, .map = radix_map, .map_frames = radix_map_frames, .load = radix_load,  \
	.unmap = radix_unmap, .protect = radix_protect, .replace = radix_replace,                  \
	.fork = radix_fork, .lookup = radix_lookup, .scan = radix_scan, .harvest = radix_harvest,  \
	.footprint = radix_footprint, .walk = radix_walk, .memory = radix_memory,                  \
	.cost = radix_cost, .check = radix_check, .dump = radix_dump

const struct vmmap_backend vmmap_backend_radix4 = {
	.name = "radix4",
	.va_bits_default = 48,
	.va_bits_max = 48,
	.create = radix4_create,
	.translate = radix4_translate,
	RADIX_COMMON,
};

const struct vmmap_backend vmmap_backend_radix5 = {
	.name = "radix5",
	.va_bits_default = 57,
	.va_bits_max = 57,
	.create = radix5_create,
	.translate = radix5_translate,
	RADIX_COMMON,
};
