/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Guest memory, and the walk of its page tables.
 */
#include "guest.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "trace_input.h"

#define TABLE_BYTES  4096u
#define ENTRIES      512u
#define INDEX_BITS   9u
#define LEVELS_MAX   5u
#define HEADER_BYTES 32u
#define RAW_MAX      (UINT64_C(1) << 40)

#define PRESENT  UINT64_C(1)
#define PA_MASK  UINT64_C(0x000ffffffffff000)
#define NO_TABLE UINT64_MAX

static const char magic[9] = "vmptmem1";

/* Where a page of memory stands in the pool. */
struct place {
	uint64_t pa;
	size_t page;
};

/**
 * struct vmmap_guest - Memory: raw, or single pages.
 * @raw:    From address 0 on; @mapped: by mmap().
 * @places: Ascending; pages stand in @pool, in the order in which they came.
 */
struct vmmap_guest {
	char name[256];
	unsigned char *raw;
	uint64_t raw_bytes;
	bool mapped;
	struct place *places;
	unsigned char *pool;
	size_t n, room;
	uint64_t cr3;
	unsigned int levels;
};

/* ---- Memory ------------------------------------------------------------------------------------ */

int vmmap_guest_create(const char *name, struct vmmap_guest **guest)
{
	struct vmmap_guest *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	snprintf(g->name, sizeof(g->name), "%s", name);
	*guest = g;
	return 0;
}

void vmmap_guest_free(struct vmmap_guest *g)
{
	if (!g)
		return;
	if (g->mapped)
		munmap(g->raw, g->raw_bytes);
	else
		free(g->raw);
	free(g->places);
	free(g->pool);
	free(g);
}

static int grow_pool(struct vmmap_guest *g)
{
	size_t room = g->room ? 2 * g->room : 64;
	struct place *places = realloc(g->places, room * sizeof(*places));
	unsigned char *pool;

	if (!places)
		return -ENOMEM;
	g->places = places;
	pool = realloc(g->pool, room * TABLE_BYTES);
	if (!pool)
		return -ENOMEM;
	g->pool = pool;
	g->room = room;
	return 0;
}

/* Index of the first place at or above @pa. */
static size_t place_of(const struct vmmap_guest *g, uint64_t pa)
{
	size_t low = 0, high = g->n;

	if (g->n && g->places[g->n - 1].pa < pa)
		return g->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (g->places[mid].pa < pa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int vmmap_guest_add(struct vmmap_guest *g, uint64_t pa, const void *page)
{
	size_t at = place_of(g, pa);

	if (pa & ~PA_MASK || (at < g->n && g->places[at].pa == pa))
		return -EINVAL;
	if (g->n == g->room && grow_pool(g))
		return -ENOMEM;
	memcpy(g->pool + g->n * TABLE_BYTES, page, TABLE_BYTES);
	memmove(g->places + at + 1, g->places + at, (g->n - at) * sizeof(*g->places));
	g->places[at] = (struct place){ pa, g->n };
	g->n++;
	return 0;
}

void vmmap_guest_root(const struct vmmap_guest *g, uint64_t *cr3, unsigned int *levels)
{
	*cr3 = g->cr3;
	*levels = g->levels;
}

/* The 4096 bytes at @pa, or NULL: outside memory. */
static const unsigned char *page_at(const struct vmmap_guest *g, uint64_t pa)
{
	size_t at;

	if (g->raw)
		return pa < g->raw_bytes && g->raw_bytes - pa >= TABLE_BYTES ? g->raw + pa : NULL;
	at = place_of(g, pa);
	return at < g->n && g->places[at].pa == pa ? g->pool + g->places[at].page * TABLE_BYTES :
						     NULL;
}

/* ---- Files ------------------------------------------------------------------------------------- */

static uint64_t u64_at(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

static int refuse_memory(const struct vmmap_guest *g, struct vmmap_refusal *why)
{
	return refuse(why, ENOMEM, "%s: out of memory", g->name);
}

static int read_pages(struct vmmap_guest *g, struct input *in, uint64_t pages,
		      struct vmmap_refusal *why)
{
	for (uint64_t i = 0; i < pages; i++) {
		const unsigned char *bytes;
		int64_t have = input_peek(in, 8 + TABLE_BYTES, &bytes, why);
		int err;

		if (have < 0)
			return (int)have;
		if (have < (int64_t)(8 + TABLE_BYTES))
			return input_refuse_byte(in, why, ENODATA,
						 "expected page %" PRIu64 " of %" PRIu64
						 ", found %" PRId64
						 " bytes before the end of the file",
						 i + 1, pages, have);
		err = vmmap_guest_add(g, u64_at(bytes), bytes + 8);
		if (err == -EINVAL)
			return input_refuse_byte(
				in, why, EINVAL,
				"expected addresses of pages, each once, found %" PRIx64,
				u64_at(bytes));
		if (err)
			return refuse_memory(g, why);
		input_take(in, 8 + TABLE_BYTES);
	}
	return 0;
}

static int read_tables(struct vmmap_guest *g, struct input *in, const unsigned char *head,
		       int64_t have, struct vmmap_refusal *why)
{
	uint64_t levels, pages;
	int err;

	if (have < (int64_t)HEADER_BYTES)
		return input_refuse_byte(in, why, ENODATA,
					 "expected a header of %u bytes, found %" PRId64,
					 HEADER_BYTES, have);
	g->cr3 = u64_at(head + 8);
	levels = u64_at(head + 16);
	pages = u64_at(head + 24);
	if (levels != 4 && levels != 5)
		return input_refuse_byte(in, why, EINVAL, "expected 4 or 5 levels, found %" PRIu64,
					 levels);
	g->levels = (unsigned int)levels;
	input_take(in, HEADER_BYTES);
	err = read_pages(g, in, pages, why);
	if (err)
		return err;
	have = input_peek(in, 1, &head, why);
	if (have > 0)
		return input_refuse_byte(
			in, why, EINVAL,
			"expected the end of the file after %" PRIu64 " pages, found more", pages);
	return (int)have;
}

static int read_raw(struct vmmap_guest *g, struct input *in, struct vmmap_refusal *why)
{
	uint64_t room = 0;

	for (;;) {
		const unsigned char *bytes;
		int64_t have = input_peek(in, 1, &bytes, why);

		if (have <= 0)
			return (int)have;
		if (g->raw_bytes + (uint64_t)have > room) {
			unsigned char *raw;

			room = room ? 2 * room : UINT64_C(1) << 20;
			raw = room <= RAW_MAX ? realloc(g->raw, room) : NULL;
			if (!raw)
				return refuse_memory(g, why);
			g->raw = raw;
		}
		memcpy(g->raw + g->raw_bytes, bytes, (size_t)have);
		g->raw_bytes += (uint64_t)have;
		input_take(in, (size_t)have);
	}
}

/* A regular file that is not packed needs no copy. Return: whether it was mapped. */
static bool map_raw(struct vmmap_guest *g, const struct input *in)
{
	struct stat st;
	void *raw;

	if (in->unpacker || fstat(fileno(in->file), &st) || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return false;
	raw = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fileno(in->file), 0);
	if (raw == MAP_FAILED)
		return false;
	g->raw = raw;
	g->raw_bytes = (uint64_t)st.st_size;
	g->mapped = true;
	return true;
}

static int load(struct vmmap_guest *g, struct input *in, bool may_map, struct vmmap_refusal *why)
{
	const unsigned char *bytes;
	int64_t have = input_peek(in, HEADER_BYTES, &bytes, why);
	int err;

	if (have < 0)
		return (int)have;
	if (have >= 8 && memcmp(bytes, magic, 8) == 0)
		return read_tables(g, in, bytes, have, why);
	if (may_map && map_raw(g, in))
		return 0;
	err = read_raw(g, in, why);
	if (!err && g->raw_bytes < TABLE_BYTES)
		err = refuse(why, EINVAL, "%s: expected memory, found %" PRIu64 " bytes", g->name,
			     g->raw_bytes);
	return err;
}

/* Takes over @in. */
static int open_input(struct input *in, bool may_map, struct vmmap_guest **guest,
		      struct vmmap_refusal *why)
{
	struct vmmap_guest *g = NULL;
	int err = vmmap_guest_create(in->name, &g);

	if (err)
		refuse(why, ENOMEM, "%s: out of memory", in->name);
	else
		err = load(g, in, may_map, why);
	input_close(in);
	if (err)
		vmmap_guest_free(g);
	else
		*guest = g;
	return err;
}

int vmmap_guest_open(const char *path, struct vmmap_guest **guest, struct vmmap_refusal *why)
{
	struct input in;
	int err = input_open_path(&in, path, why);

	return err ? err : open_input(&in, true, guest, why);
}

int vmmap_guest_open_file(FILE *file, const char *name, struct vmmap_guest **guest,
			  struct vmmap_refusal *why)
{
	struct input in;
	int err = input_open(&in, file, name, why);

	return err ? err : open_input(&in, false, guest, why);
}

/* ---- The walk ---------------------------------------------------------------------------------- */

/**
 * struct walk - Under way.
 * @path:   Tables from the root to the current one, by level.
 * @table:  Called for each table that is visited; may be NULL.
 */
struct walk {
	const struct vmmap_guest *guest;
	unsigned int levels;
	int (*visit)(void *ctx, const struct vmmap_guest_leaf *leaf);
	int (*table)(void *ctx, uint64_t pa);
	void *ctx;
	struct vmmap_refusal *why;
	uint64_t tables, path[LEVELS_MAX + 1];
};

static uint64_t canonical(uint64_t va, unsigned int levels)
{
	unsigned int unused = 64 - (VMMAP_4K + INDEX_BITS * levels);

	return (uint64_t)((int64_t)(va << unused) >> unused);
}

static int visit_leaf(struct walk *w, uint64_t va, uint64_t entry, unsigned int shift, uint64_t all)
{
	uint64_t in_page = (UINT64_C(1) << shift) - 1;
	struct vmmap_guest_leaf leaf = { .shift = (uint8_t)shift };
	unsigned int prot = VMMAP_PROT_READ;

	leaf.pte.va = canonical(va, w->levels);
	leaf.pte.pa = entry & PA_MASK & ~in_page;
	leaf.pte.flags = entry & VMMAP_PTE_PRINTED;
	if (shift == VMMAP_4K)
		leaf.pte.flags &= ~VMMAP_PTE_P; /* that bit is the PAT's there */
	prot |= all & VMMAP_PTE_W ? VMMAP_PROT_WRITE : 0;
	prot |= all & VMMAP_PTE_U ? VMMAP_PROT_USER : 0;
	prot |= all & VMMAP_PTE_NX ? 0 : VMMAP_PROT_EXEC;
	leaf.prot = (uint8_t)prot;
	return w->visit ? w->visit(w->ctx, &leaf) : 0;
}

/* @from: physical address of the entry that names the table; NO_TABLE: CR3 does. */
static int refuse_table(const struct walk *w, uint64_t pa, uint64_t from, unsigned int level,
			uint64_t va, const char *expected)
{
	char who[96];

	if (from == NO_TABLE)
		snprintf(who, sizeof(who), "CR3");
	else
		snprintf(who, sizeof(who),
			 "entry at physical address %" PRIx64 " (level %u, virtual address %" PRIx64
			 ")",
			 from, level + 1, canonical(va, w->levels));
	return refuse(w->why, EUCLEAN, "%s: %s: expected %s, found a table at %" PRIx64,
		      w->guest->name, who, expected, pa);
}

static int check_table(struct walk *w, uint64_t pa, uint64_t from, unsigned int level, uint64_t va)
{
	if (!page_at(w->guest, pa))
		return refuse_table(w, pa, from, level, va, "a table inside memory");
	for (unsigned int above = level + 1; above <= w->levels; above++)
		if (w->path[above] == pa)
			return refuse_table(w, pa, from, level, va,
					    "a table that is not above itself (a loop)");
	if (++w->tables > VMMAP_GUEST_TABLES)
		return refuse_table(w, pa, from, level, va, "at most 1048576 tables");
	return 0;
}

/* @all: rights so far: W and U of all levels and-ed, NX or-ed. */
static int walk_table(struct walk *w, uint64_t pa, uint64_t from, unsigned int level, uint64_t va,
		      uint64_t all)
{
	const unsigned char *table;
	int err = check_table(w, pa, from, level, va);

	if (!err && w->table)
		err = w->table(w->ctx, pa);
	if (err)
		return err;
	w->path[level] = pa;
	table = page_at(w->guest, pa);
	for (unsigned int i = 0; i < ENTRIES && !err; i++) {
		uint64_t entry = u64_at(table + 8 * i);
		unsigned int shift = VMMAP_4K + INDEX_BITS * (level - 1);
		uint64_t here = va + ((uint64_t)i << shift), rights;

		if (!(entry & PRESENT))
			continue;
		rights = (all & entry & (VMMAP_PTE_W | VMMAP_PTE_U)) |
			 ((all | entry) & VMMAP_PTE_NX);
		if (level == 1 || (level <= 3 && entry & VMMAP_PTE_P))
			err = visit_leaf(w, here, entry, shift, rights);
		else
			err = walk_table(w, entry & PA_MASK, pa + 8 * i, level - 1, here, rights);
	}
	w->path[level] = NO_TABLE;
	return err;
}

static int walk_all(struct walk *w, uint64_t cr3)
{
	for (unsigned int i = 0; i <= LEVELS_MAX; i++)
		w->path[i] = NO_TABLE;
	return walk_table(w, cr3 & PA_MASK, NO_TABLE, w->levels, 0, VMMAP_PTE_W | VMMAP_PTE_U);
}

int vmmap_guest_walk(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
		     int (*visit)(void *ctx, const struct vmmap_guest_leaf *leaf), void *ctx,
		     struct vmmap_refusal *why)
{
	struct walk w = {
		.guest = guest, .levels = levels, .visit = visit, .ctx = ctx, .why = why
	};

	return walk_all(&w, cr3);
}

/* ---- Saving tables ----------------------------------------------------------------------------- */

struct table_list {
	uint64_t *pas;
	size_t n, room;
};

static int note_table(void *ctx, uint64_t pa)
{
	struct table_list *list = ctx;

	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 1024;
		uint64_t *pas = realloc(list->pas, room * sizeof(*pas));

		if (!pas)
			return -ENOMEM;
		list->pas = pas;
		list->room = room;
	}
	list->pas[list->n++] = pa;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sort_unique(struct table_list *list)
{
	size_t to = 0;

	qsort(list->pas, list->n, sizeof(*list->pas), by_address);
	for (size_t i = 0; i < list->n; i++)
		if (!i || list->pas[i] != list->pas[i - 1])
			list->pas[to++] = list->pas[i];
	list->n = to;
}

static int put_tables(const struct vmmap_guest *guest, const struct table_list *list, uint64_t cr3,
		      unsigned int levels, FILE *out)
{
	uint64_t head[3] = { htole64(cr3), htole64(levels), htole64(list->n) };

	fwrite(magic, 1, 8, out);
	fwrite(head, sizeof(head), 1, out);
	for (size_t i = 0; i < list->n; i++) {
		uint64_t pa = htole64(list->pas[i]);

		fwrite(&pa, sizeof(pa), 1, out);
		fwrite(page_at(guest, list->pas[i]), 1, TABLE_BYTES, out);
	}
	return ferror(out) ? -EIO : 0;
}

int vmmap_guest_save_tables(const struct vmmap_guest *guest, uint64_t cr3, unsigned int levels,
			    FILE *out, struct vmmap_refusal *why)
{
	struct table_list list = { 0 };
	struct walk w = {
		.guest = guest, .levels = levels, .table = note_table, .ctx = &list, .why = why
	};
	int err = walk_all(&w, cr3);

	if (err == -ENOMEM)
		refuse_memory(guest, why);
	if (!err) {
		sort_unique(&list);
		err = put_tables(guest, &list, cr3, levels, out);
	}
	free(list.pas);
	return err;
}
