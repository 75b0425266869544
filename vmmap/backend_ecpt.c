/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Elastic cuckoo page tables (Skarlatos, Kokolis, Xu, Torrellas, ASPLOS 2020): one hash table for each page size, three ways of
 * 16,384 lines at first, doubled when 0.6 full, a few lines of the old ways with each insert. A line holds eight neighbouring
 * pages:
 *
 *      63      56 55     51         12        9 8   7   6   5  4  3  2  1  0
 *     +----------+------+-------------+--------+---+---+---+---+--+--+--+--+--+
 *     | tag byte |  0   | frame       |   0    | D | A |COW|RSV|SH|US|EX|WR| P|     bit 0..6: VMMAP_PROT_*
 *     +----------+------+-------------+--------+---+---+---+---+--+--+--+--+--+
 *
 * The eight tag bytes are the line's key, with the highest bit set; a line of zeroes is free. Two more tables of the same kind are the
 * cuckoo walk tables: how many pages of which size lie in each 2 MiB and each 1 GiB, so that a walker knows which table to ask.
 *
 * Readers may miss a line that is being moved; moves are counted, and a miss beside a move is looked for again. A line is
 * copied before it is cleared, and accessed bits that came meanwhile are carried over. Tables do not shrink.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "text.h"

#define WAYS       3u
#define WORDS      8u
#define LINE_BYTES 64u
#define FIRST_SIZE 16384u /* lines of a way; of walk tables less */
#define FIRST_WALK 256u
#define FULL_NUM   6u /* of 10: when to grow */
#define STEP       2u /* lines of each old way moved by an insert */
#define PATH_LINES 32u
#define TRIES      16u

#define WALK_2M 3u /* tables 0..2: pages of 4K, 2M, 1G */
#define WALK_1G 4u
#define TABLES  5u

#define PROT  UINT64_C(0x7f)
#define A     UINT64_C(0x80)
#define D     UINT64_C(0x100)
#define FRAME (((UINT64_C(1) << 52) - 1) & ~UINT64_C(0xfff))
#define VALID (UINT64_C(1) << 63)
#define BODY  ((UINT64_C(1) << 56) - 1)

typedef _Atomic uint64_t word;

/* The ways of one size; published as one, freed when readers are gone. */
struct ways {
	uint64_t size; /* lines of a way */
	uint64_t addr; /* of the first line, in hardware walks */
	word *line[WAYS];
	_Atomic uint64_t moved[WAYS]; /* lines of a way that are in the next ones already */
};

struct hash {
	_Atomic(struct ways *) now, next;
	_Atomic uint64_t moves; /* odd: one under way */
	uint64_t lines;         /* in use */
	unsigned int depth;     /* of moves within moves */
};

struct ecpt {
	struct vmmap_host *host;
	struct hash hash[TABLES];
	vmmap_vpn_t vpn_end;
	unsigned int va_bits;
	uint64_t next_addr, random;
	struct vmmap_cost cost;
};

/* ---- Lines -------------------------------------------------------------------------------------------------- */

static inline uint64_t load(const word *w)
{
	return atomic_load_explicit((word *)w, memory_order_acquire);
}

static inline uint64_t hash_of(uint64_t key, unsigned int way)
{
	static const uint64_t mul[WAYS] = { UINT64_C(0x9e3779b97f4a7c15),
					    UINT64_C(0xc2b2ae3d27d4eb4f),
					    UINT64_C(0xd6e8feb86659fd93) };
	uint64_t h = (key + 1) * mul[way];

	h ^= h >> 32;
	h *= mul[(way + 1) % WAYS];
	return h ^ h >> 29;
}

static inline bool line_is(const word *line, uint64_t key, unsigned int first)
{
	uint64_t tag = key | VALID;

	/* The word that is wanted is looked at first: it tells most strangers. */
	if ((load(&line[first]) >> 56) != (tag >> 8 * first & 0xff))
		return false;
	for (unsigned int i = 0; i < WORDS; i++)
		if ((load(&line[i]) >> 56) != (tag >> 8 * i & 0xff))
			return false;
	return true;
}

static uint64_t line_key(const word *line)
{
	uint64_t tag = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		tag |= load(&line[i]) >> 56 << 8 * i;
	return tag & ~VALID;
}

static bool line_free(const word *line)
{
	return !(load(&line[WORDS - 1]) & VALID);
}

/* Where @key is in @way: in the old lines or in the new ones. */
static inline word *line_at(const struct hash *h, uint64_t key, unsigned int way, uint64_t *addr)
{
	struct ways *now = atomic_load_explicit(&((struct hash *)h)->now, memory_order_acquire);
	struct ways *next = atomic_load_explicit(&((struct hash *)h)->next, memory_order_acquire);
	uint64_t hash = hash_of(key, way), i = hash & (now->size - 1);

	if (next && i < atomic_load_explicit(&now->moved[way], memory_order_acquire)) {
		now = next;
		i = hash & (next->size - 1);
	}
	if (addr)
		*addr = now->addr + (way * now->size + i) * LINE_BYTES;
	return now->line[way] + i * WORDS;
}

static word *find(const struct hash *h, uint64_t key, unsigned int first)
{
	uint64_t moves;

	if (!atomic_load_explicit(&((struct hash *)h)->now, memory_order_acquire))
		return NULL;
	do {
		moves = atomic_load_explicit(&((struct hash *)h)->moves, memory_order_acquire);
		for (unsigned int way = 0; way < WAYS; way++) {
			word *line = line_at(h, key, way, NULL);

			if (line_is(line, key, first))
				return line;
		}
	} while (moves & 1 ||
		 atomic_load_explicit(&((struct hash *)h)->moves, memory_order_acquire) != moves);
	return NULL;
}

/* ---- Ways ------------------------------------------------------------------------------------------------------ */

static size_t ways_bytes(uint64_t size)
{
	return WAYS * size * LINE_BYTES;
}

static struct ways *ways_new(struct ecpt *t, uint64_t size)
{
	struct ways *w = vmmap_host_alloc(t->host, sizeof(*w), 64);
	word *lines = w ? vmmap_host_alloc(t->host, ways_bytes(size), LINE_BYTES) : NULL;

	if (!lines) {
		vmmap_host_free_now(t->host, w, sizeof(*w));
		return NULL;
	}
	w->size = size;
	w->addr = t->next_addr;
	t->next_addr += ways_bytes(size);
	for (unsigned int way = 0; way < WAYS; way++)
		w->line[way] = lines + way * size * WORDS;
	return w;
}

static void ways_drop(struct ecpt *t, struct ways *w, bool wait)
{
	if (wait) {
		vmmap_host_retire(t->host, (void *)w->line[0], ways_bytes(w->size));
		vmmap_host_retire(t->host, w, sizeof(*w));
		return;
	}
	vmmap_host_free_now(t->host, (void *)w->line[0], ways_bytes(w->size));
	vmmap_host_free_now(t->host, w, sizeof(*w));
}

static void moves_begin(struct hash *h)
{
	if (!h->depth++)
		atomic_fetch_add(&h->moves, 1);
}

static void moves_end(struct hash *h)
{
	if (!--h->depth)
		atomic_fetch_add(&h->moves, 1);
}

/* Copied first, then cleared; what was marked in between is carried over. */
static void line_move(struct ecpt *t, word *to, word *from)
{
	uint64_t copied[WORDS];

	for (unsigned int i = 0; i < WORDS; i++) {
		copied[i] = load(&from[i]);
		atomic_store_explicit(&to[i], copied[i], memory_order_release);
	}
	for (unsigned int i = 0; i < WORDS; i++) {
		uint64_t v = atomic_exchange(&from[i], 0);

		if ((v ^ copied[i]) & (A | D))
			atomic_fetch_or(&to[i], v & (A | D));
	}
	t->cost.nodes++;
	t->cost.moved++;
}

static uint64_t draw(struct ecpt *t)
{
	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return t->random >> 33;
}

/* A chain of lines, each of which can move to the next one's place; the last place is free. Returns its length, 0: none. */
static unsigned int find_path(struct ecpt *t, const struct hash *h, uint64_t key, word **path)
{
	unsigned int way = (unsigned int)(draw(t) % WAYS), n = 0;

	while (n < PATH_LINES) {
		word *line = line_at(h, key, way, NULL);

		for (unsigned int i = 0; i < n; i++)
			if (path[i] == line)
				return 0;
		path[n++] = line;
		if (line_free(line))
			return n;
		key = line_key(line);
		way = (way + 1 + (unsigned int)(draw(t) % (WAYS - 1))) % WAYS;
	}
	return 0;
}

/* A free line for @key, room made by moving others. NULL: no room. */
static word *make_room(struct ecpt *t, struct hash *h, uint64_t key)
{
	word *path[PATH_LINES];

	for (unsigned int way = 0; way < WAYS; way++) {
		word *line = line_at(h, key, way, NULL);

		if (line_free(line))
			return line;
	}
	for (unsigned int try = 0; try < TRIES; try++) {
		unsigned int n = find_path(t, h, key, path);

		for (unsigned int i = n; i > 1; i--) {
			moves_begin(h);
			line_move(t, path[i - 1], path[i - 2]);
			moves_end(h);
		}
		if (n)
			return path[0];
	}
	return NULL;
}

/* The next line of an old way goes to the new ones; false if it finds no room. */
static bool advance_line(struct ecpt *t, struct hash *h, struct ways *now, unsigned int way)
{
	word *from = now->line[way] + atomic_load(&now->moved[way]) * WORDS, *to;
	uint64_t key = line_key(from);

	/* Its place in this way is in the new lines from here on. */
	atomic_fetch_add(&now->moved[way], 1);
	if (line_free(from))
		return true;
	to = line_at(h, key, way, NULL);
	if (!line_free(to))
		to = make_room(t, h, key);
	if (!to) {
		atomic_fetch_sub(&now->moved[way], 1);
		return false;
	}
	line_move(t, to, from);
	return true;
}

/* Moves up to @n lines of each old way. */
static bool advance(struct ecpt *t, struct hash *h, uint64_t n)
{
	struct ways *now = atomic_load(&h->now), *next = atomic_load(&h->next);
	bool room = true, done = true;

	if (!next)
		return true;
	moves_begin(h);
	for (unsigned int way = 0; way < WAYS; way++) {
		for (uint64_t k = 0; k < n && room && now->moved[way] < now->size; k++)
			room = advance_line(t, h, now, way);
		done &= now->moved[way] == now->size;
	}
	if (done) {
		atomic_store_explicit(&h->now, next, memory_order_release);
		atomic_store_explicit(&h->next, NULL, memory_order_release);
	}
	moves_end(h);
	if (done)
		ways_drop(t, now, true);
	return room;
}

static bool grow(struct ecpt *t, struct hash *h)
{
	struct ways *next;

	if (atomic_load(&h->next))
		return true;
	next = ways_new(t, 2 * atomic_load(&h->now)->size);
	if (!next)
		return false;
	atomic_store_explicit(&h->next, next, memory_order_release);
	return true;
}

/* The line of @key, made if it is not there. NULL: no memory. */
static word *insert(struct ecpt *t, unsigned int table, uint64_t key)
{
	struct hash *h = &t->hash[table];
	word *line;

	if (!atomic_load(&h->now))
		atomic_store(&h->now, ways_new(t, table >= WALK_2M ? FIRST_WALK : FIRST_SIZE));
	if (!atomic_load(&h->now))
		return NULL;
	line = find(h, key, 0);
	if (line)
		return line;
	if (10 * h->lines >= FULL_NUM * WAYS * atomic_load(&h->now)->size)
		grow(t, h); /* without memory it goes on as long as there is room */
	advance(t, h, STEP);
	line = make_room(t, h, key);
	if (!line) { /* rare: the way out is larger ways, at once */
		if (!grow(t, h) || !advance(t, h, UINT64_MAX))
			return NULL;
		line = make_room(t, h, key);
		if (!line)
			return NULL;
	}
	for (unsigned int i = 0; i < WORDS; i++)
		atomic_store_explicit(&line[i], (key | VALID) >> 8 * i << 56, memory_order_release);
	h->lines++;
	t->cost.nodes++;
	return line;
}

static bool line_empty(const word *line)
{
	for (unsigned int i = 0; i < WORDS; i++)
		if (load(&line[i]) & BODY)
			return false;
	return true;
}

static void remove_if_empty(struct ecpt *t, unsigned int table, word *line)
{
	if (!line || line_free(line) || !line_empty(line))
		return;
	for (unsigned int i = 0; i < WORDS; i++)
		atomic_store_explicit(&line[i], 0, memory_order_release);
	t->hash[table].lines--;
}

/* ---- Pages ------------------------------------------------------------------------------------------------------- */

static const uint8_t shifts[] = { VMMAP_4K, VMMAP_2M, VMMAP_1G };

static unsigned int table_of(unsigned int shift)
{
	return shift == VMMAP_4K ? 0 : shift == VMMAP_2M ? 1 : 2;
}

/* Number of a page among those of its size. */
static uint64_t number_of(unsigned int table, vmmap_vpn_t vpn)
{
	return vpn >> (shifts[table] - VMMAP_PAGE_SHIFT);
}

static word *page_word(const struct ecpt *t, unsigned int table, vmmap_vpn_t vpn)
{
	uint64_t number = number_of(table, vpn);
	word *line = find(&t->hash[table], number / WORDS, number % WORDS);

	return line ? &line[number % WORDS] : NULL;
}

/* The word that maps @vpn, in which table. NULL: hole. */
static inline word *find_page(const struct ecpt *t, vmmap_vpn_t vpn, unsigned int *table,
			      uint64_t *value)
{
	for (unsigned int i = 0; i < 3; i++) {
		word *w = t->hash[i].lines ? page_word(t, i, vpn) : NULL;

		*value = w ? load(w) : 0;
		*table = i;
		if (*value & VMMAP_PROT_READ)
			return w;
	}
	return NULL;
}

static uint64_t word_for(vmmap_pfn_t pfn, uint8_t prot)
{
	return pfn << VMMAP_PAGE_SHIFT | prot;
}

static void store_body(struct ecpt *t, word *w, uint64_t body)
{
	atomic_store_explicit(w, (load(w) & ~BODY) | body, memory_order_release);
	t->cost.nodes++;
}

/* Walk tables count pages: of 4K below 2 MiB in the low half, of 2M at bit 32; likewise for 1 GiB. */
static int count_pages(struct ecpt *t, unsigned int table, vmmap_vpn_t vpn, int by)
{
	static const struct {
		unsigned int walk, bits;
	} levels[] = { { WALK_2M, 9 }, { WALK_1G, 18 } };

	for (unsigned int k = table == 2 ? 1 : 0; k < 2; k++) {
		uint64_t number = vpn >> levels[k].bits, one = UINT64_C(1) << 18 * table;
		struct hash *h = &t->hash[levels[k].walk];
		word *line = by > 0 ? insert(t, levels[k].walk, number / WORDS) :
				      find(h, number / WORDS, number % WORDS);
		uint64_t v;

		if (!line && by > 0) {
			if (k > (table == 2 ? 1u : 0u)) { /* take the other one back */
				line = find(&t->hash[WALK_2M], (vpn >> 9) / WORDS, 0);
				v = load(&line[(vpn >> 9) % WORDS]);
				store_body(t, &line[(vpn >> 9) % WORDS], (v & BODY) - one);
				remove_if_empty(t, WALK_2M, line);
			}
			return -ENOMEM;
		}
		v = load(&line[number % WORDS]) & BODY;
		store_body(t, &line[number % WORDS], by > 0 ? v + one : v - one);
		remove_if_empty(t, levels[k].walk, line);
	}
	return 0;
}

static void clear_page(struct ecpt *t, unsigned int table, vmmap_vpn_t vpn)
{
	uint64_t number = number_of(table, vpn);
	word *line = find(&t->hash[table], number / WORDS, number % WORDS);

	store_body(t, &line[number % WORDS], 0);
	remove_if_empty(t, table, line);
	count_pages(t, table, vpn, -1);
}

static int set_page(struct ecpt *t, unsigned int table, vmmap_vpn_t vpn, uint64_t body)
{
	uint64_t number = number_of(table, vpn);
	word *line;

	if (count_pages(t, table, vpn, 1))
		return -ENOMEM;
	line = insert(t, table, number / WORDS);
	if (!line) {
		count_pages(t, table, vpn, -1);
		return -ENOMEM;
	}
	store_body(t, &line[number % WORDS], body);
	return 0;
}

/* ---- Changes -------------------------------------------------------------------------------------------------------- */

static void begin(struct ecpt *t)
{
	t->cost = (struct vmmap_cost){ 0 };
}

static int map_pages(struct ecpt *t, const struct vmmap_piece *p, const vmmap_pfn_t *frames)
{
	unsigned int table = table_of(p->shift);
	uint64_t size = vmmap_shift_pages(p->shift);

	for (uint64_t i = 0; i < p->pages; i += size) {
		vmmap_pfn_t pfn = frames ? frames[i] : p->pfn + i;

		if (!set_page(t, table, p->vpn + i, word_for(pfn, p->prot)))
			continue;
		while (i) {
			i -= size;
			clear_page(t, table, p->vpn + i);
		}
		return -ENOMEM;
	}
	return 0;
}

static int ecpt_map(void *table, const struct vmmap_piece *p)
{
	begin(table);
	return map_pages(table, p, NULL);
}

static int ecpt_map_frames(void *table, vmmap_vpn_t vpn, uint64_t pages, const vmmap_pfn_t *frames,
			   uint8_t prot)
{
	begin(table);
	return map_pages(table,
			 &(struct vmmap_piece){
				 .vpn = vpn, .pages = pages, .prot = prot, .shift = VMMAP_4K },
			 frames);
}

/* ---- Ranges: hashing has no order, so keys of wide ranges are sorted first --------------------------------------------- */

struct range {
	const struct ecpt *t;
	vmmap_vpn_t first, end;
	int (*page)(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w);
	void *ctx;
};

/* The small pages of one line, or one huge page. */
static int visit_group(const struct range *r, unsigned int table, vmmap_vpn_t vpn)
{
	uint64_t size = vmmap_shift_pages(shifts[table]);
	unsigned int pages = table ? 1 : WORDS;
	int err = 0;

	for (unsigned int i = 0; i < pages && !err; i++) {
		vmmap_vpn_t at = vpn + i * size;
		word *w;

		if (at + size <= r->first || at >= r->end)
			continue;
		w = page_word(r->t, table,
			      at); /* what was visited before may have emptied the line */
		if (w && load(w) & VMMAP_PROT_READ)
			err = r->page(r->ctx, table, at, w);
	}
	return err;
}

/* Groups of a table, as first page and table in one number. @keys NULL: the least one above @*least goes there. */
static size_t groups_of(const struct ecpt *t, unsigned int table, uint64_t *keys, uint64_t after,
			uint64_t *least)
{
	struct hash *h = (struct hash *)&t->hash[table];
	struct ways *ways[2] = { atomic_load(&h->now), atomic_load(&h->next) };
	size_t n = 0;

	for (uint64_t k = 0; k < 2; k++) {
		for (uint64_t i = 0; ways[k] && i < WAYS * ways[k]->size; i++) {
			const word *line = ways[k]->line[0] + i * WORDS;

			for (unsigned int j = 0; !line_free(line) && j < (table ? WORDS : 1); j++) {
				uint64_t number = line_key(line) * WORDS + j, key;

				if (table && !(load(&line[j]) & VMMAP_PROT_READ))
					continue;
				key = number << (shifts[table] - VMMAP_PAGE_SHIFT) << 2 | table;
				if (keys)
					keys[n] = key;
				else if (key >= after && key < *least)
					*least = key;
				n++;
			}
		}
	}
	return n;
}

static int by_order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Without memory for a list: each time the least that is left. Slow, and right. */
static int visit_without_list(const struct range *r)
{
	uint64_t after = 0;
	int err = 0;

	while (!err) {
		uint64_t least = UINT64_MAX;

		for (unsigned int table = 0; table < 3; table++)
			groups_of(r->t, table, NULL, after, &least);
		if (least == UINT64_MAX)
			break;
		err = visit_group(r, least & 3, least >> 2);
		after = least + 1;
	}
	return err;
}

static int visit_sorted(const struct range *r)
{
	const struct ecpt *t = r->t;
	size_t room = t->hash[0].lines + WORDS * (t->hash[1].lines + t->hash[2].lines), n = 0;
	uint64_t *keys;
	int err = 0;

	if (!room)
		return 0;
	keys = vmmap_host_alloc(t->host, room * sizeof(*keys), 64);
	if (!keys)
		return visit_without_list(r);
	for (unsigned int table = 0; table < 3; table++)
		n += groups_of(t, table, keys + n, 0, NULL);
	qsort(keys, n, sizeof(*keys), by_order);
	for (size_t i = 0; i < n && !err; i++)
		err = visit_group(r, keys[i] & 3, keys[i] >> 2);
	vmmap_host_free_now(t->host, keys, room * sizeof(*keys));
	return err;
}

/* Group by group: what a narrow range is cheaper with. */
static int visit_stepping(const struct range *r)
{
	const struct ecpt *t = r->t;
	int err = 0;

	for (vmmap_vpn_t at = r->first, next; at < r->end && !err; at = next) {
		next = at / WORDS * WORDS + WORDS;
		for (unsigned int table = 3; table-- > 0 && !err;) {
			uint64_t size = vmmap_shift_pages(shifts[table]);
			word *w = table && t->hash[table].lines ? page_word(t, table, at) : NULL;

			if (!table) {
				err = visit_group(r, 0, at / WORDS * WORDS);
			} else if (w && load(w) & VMMAP_PROT_READ) {
				next = at / size * size + size;
				err = visit_group(r, table, at / size * size);
				break;
			}
		}
	}
	return err;
}

static int visit_range(const struct ecpt *t, vmmap_vpn_t vpn, uint64_t pages,
		       int (*page)(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w),
		       void *ctx)
{
	const struct range r = {
		.t = t, .first = vpn, .end = vpn + pages, .page = page, .ctx = ctx
	};

	return pages / WORDS <= 2 * t->hash[0].lines + 64 ? visit_stepping(&r) : visit_sorted(&r);
}

/* ---- Changes of ranges ------------------------------------------------------------------------------------------------ */

static int unmap_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	(void)w;
	clear_page(ctx, table, vpn);
	return 0;
}

static int ecpt_unmap(void *table, vmmap_vpn_t vpn, uint64_t pages)
{
	begin(table);
	return visit_range(table, vpn, pages, unmap_page, table);
}

static int ecpt_load(void *table, const struct vmmap_piece *pieces, size_t n)
{
	begin(table);
	for (size_t i = 0; i < n; i++) {
		if (!map_pages(table, &pieces[i], NULL))
			continue;
		while (i-- > 0)
			visit_range(table, pieces[i].vpn, pieces[i].pages, unmap_page, table);
		return -ENOMEM;
	}
	return 0;
}

struct protector {
	struct ecpt *t;
	uint8_t prot;
};

static int protect_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	const struct protector *p = ctx;
	uint64_t v = load(w);

	(void)table;
	(void)vpn;
	/* Readers mark meanwhile: what they set is kept. */
	while (!atomic_compare_exchange_weak(w, &v, (v & ~(PROT ^ VMMAP_PROT_COW)) | p->prot))
		;
	p->t->cost.nodes++;
	return 0;
}

static int ecpt_protect(void *table, vmmap_vpn_t vpn, uint64_t pages, uint8_t prot)
{
	struct protector p = { .t = table, .prot = prot };

	begin(table);
	return visit_range(table, vpn, pages, protect_page, &p);
}

static int ecpt_replace(void *table, vmmap_vpn_t vpn, vmmap_pfn_t pfn, uint8_t prot)
{
	struct ecpt *t = table;
	unsigned int which;
	uint64_t v;
	word *w = find_page(t, vpn, &which, &v);

	begin(t);
	while (!atomic_compare_exchange_weak(w, &v, (v & (~BODY | A | D)) | word_for(pfn, prot)))
		;
	t->cost.nodes = 1;
	return 0;
}

/* ---- Queries ------------------------------------------------------------------------------------------------------------ */

static vmmap_pfn_t frame_of(uint64_t v)
{
	return (v & FRAME) >> VMMAP_PAGE_SHIFT;
}

static int ecpt_lookup(const void *table, vmmap_vpn_t vpn, struct vmmap_piece *p)
{
	unsigned int which;
	uint64_t v, size;

	if (!find_page(table, vpn, &which, &v)) {
		*p = (struct vmmap_piece){ .vpn = vpn, .pages = 1 };
		return -ENOENT;
	}
	size = vmmap_shift_pages(shifts[which]);
	*p = (struct vmmap_piece){ .vpn = vpn / size * size,
				   .pages = size,
				   .pfn = frame_of(v),
				   .prot = v & PROT,
				   .shift = shifts[which] };
	return 0;
}

struct scanner {
	vmmap_vpn_t first, end;
	int (*visit)(void *ctx, const struct vmmap_piece *piece);
	void *ctx;
};

static int scan_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	const struct scanner *s = ctx;
	uint64_t v = load(w), skip = s->first > vpn ? s->first - vpn : 0;
	struct vmmap_piece p = { .vpn = vpn + skip,
				 .pages = vmmap_shift_pages(shifts[table]) - skip,
				 .pfn = frame_of(v) + skip,
				 .prot = v & PROT,
				 .shift = shifts[table] };

	if (p.vpn + p.pages > s->end)
		p.pages = s->end - p.vpn;
	return s->visit(s->ctx, &p);
}

static int ecpt_scan(const void *table, vmmap_vpn_t vpn, uint64_t pages,
		     int (*visit)(void *ctx, const struct vmmap_piece *piece), void *ctx)
{
	struct scanner s = { .first = vpn, .end = vpn + pages, .visit = visit, .ctx = ctx };

	return visit_range(table, vpn, pages, scan_page, &s);
}

static uint64_t ecpt_translate(void *table, vmmap_vpn_t vpn, struct vmmap_want want)
{
	struct ecpt *t = table;
	uint64_t v, word_,
		ad = (want.mark & VMMAP_ACCESSED ? A : 0) | (want.mark & VMMAP_DIRTY ? D : 0);
	unsigned int which;
	word *w = find_page(t, vpn, &which, &v);

	for (;;) {
		if (!w)
			return 0;
		word_ = VMMAP_WORD(frame_of(v) + (vpn & (vmmap_shift_pages(shifts[which]) - 1)),
				   v & PROT, shifts[which]);
		if ((v & ad) == ad || !vmmap_want_served(want, word_))
			return word_;
		if (atomic_compare_exchange_strong(w, &v, v | ad))
			return word_;
		w = find_page(t, vpn, &which, &v); /* it was moved, or changed */
	}
}

static uint32_t ecpt_harvest(void *table, vmmap_vpn_t vpn, uint32_t clear)
{
	uint64_t mask = (clear & VMMAP_ACCESSED ? A : 0) | (clear & VMMAP_DIRTY ? D : 0), v;
	unsigned int which;
	word *w = find_page(table, vpn, &which, &v);

	if (w && v & mask)
		v = atomic_fetch_and(w, ~mask);
	return (v & A ? VMMAP_ACCESSED : 0) | (v & D ? VMMAP_DIRTY : 0);
}

/* ---- Life cycle ----------------------------------------------------------------------------------------------------------- */

static void ecpt_free(void *table)
{
	struct ecpt *t = table;

	for (unsigned int i = 0; i < TABLES; i++) {
		struct ways *ways[2] = { atomic_load(&t->hash[i].now),
					 atomic_load(&t->hash[i].next) };

		for (unsigned int k = 0; k < 2; k++)
			if (ways[k])
				ways_drop(t, ways[k], false);
	}
	vmmap_host_free_now(t->host, t, sizeof(*t));
}

static int ecpt_create(const struct vmmap_env *env, void **out)
{
	struct ecpt *t = vmmap_host_alloc(env->host, sizeof(*t), 64);

	if (!t)
		return -ENOMEM;
	t->host = env->host;
	t->va_bits = env->va_bits;
	t->vpn_end = UINT64_C(1) << (env->va_bits - VMMAP_PAGE_SHIFT);
	t->random = 1;
	*out = t;
	return 0;
}

static int copy_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	uint64_t v = load(w) & (FRAME | PROT);

	return set_page(ctx, table, vpn, v & VMMAP_PROT_SHARED ? v : v | VMMAP_PROT_COW);
}

static int cow_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	(void)ctx;
	(void)table;
	(void)vpn;
	if (!(load(w) & VMMAP_PROT_SHARED))
		atomic_fetch_or(w, VMMAP_PROT_COW);
	return 0;
}

static int ecpt_fork(void *table, void **out)
{
	struct ecpt *t = table;
	const struct vmmap_env env = { .host = t->host, .va_bits = (uint8_t)t->va_bits };
	void *child;
	int err = ecpt_create(&env, &child);

	if (err)
		return err;
	err = visit_range(t, 0, t->vpn_end, copy_page, child);
	if (err) {
		ecpt_free(child);
		return err;
	}
	visit_range(t, 0, t->vpn_end, cow_page, NULL);
	*out = child;
	return 0;
}

/* ---- Looking at it -------------------------------------------------------------------------------------------------------- */

static void ecpt_footprint(const void *table, struct vmmap_footprint *f)
{
	const struct ecpt *t = table;

	for (unsigned int i = 0; i < TABLES; i++) {
		struct hash *h = (struct hash *)&t->hash[i];
		struct ways *ways[2] = { atomic_load(&h->now), atomic_load(&h->next) };

		for (unsigned int k = 0; k < 2; k++) {
			uint64_t one = ways[k] ? ways[k]->size * LINE_BYTES : 0;

			if (i >= WALK_2M)
				f->index_bytes += WAYS * one;
			else
				f->frame_bytes += WAYS * one;
			f->largest_bytes = one > f->largest_bytes ? one : f->largest_bytes;
		}
	}
}

/* All ways of a table at once: they do not depend on each other. */
static int probe(const struct ecpt *t, unsigned int table, uint64_t number, unsigned int level,
		 struct vmmap_step *steps, int n)
{
	uint8_t group = n ? (uint8_t)(steps[n - 1].group + 1) : 0;

	for (unsigned int way = 0; way < WAYS && atomic_load(&((struct ecpt *)t)->hash[table].now);
	     way++) {
		uint64_t addr;

		line_at(&t->hash[table], number / WORDS, way, &addr);
		steps[n++] = (struct vmmap_step){
			.addr = addr, .bytes = LINE_BYTES, .level = (uint8_t)level, .group = group
		};
	}
	return n;
}

static void cached(struct vmmap_step *steps, int n, unsigned int cache, uint64_t key)
{
	if (!n)
		return;
	steps[n - 1].cache = (uint8_t)cache;
	steps[n - 1].cached_bytes = 8;
	steps[n - 1].key = key;
}

/* The walk tables say which pages are there; then one table is asked. */
static int ecpt_walk(const void *table, vmmap_vpn_t vpn, struct vmmap_step *steps)
{
	const struct ecpt *t = table;
	unsigned int which;
	uint64_t v;
	int n = probe(t, WALK_1G, vpn >> 18, 3, steps, 0);

	cached(steps, n, 3, vpn >> 18);
	if (find_page(t, vpn, &which, &v) && which == 2)
		return probe(t, 2, number_of(2, vpn), 1, steps, n);
	n = probe(t, WALK_2M, vpn >> 9, 2, steps, n);
	cached(steps, n, 2, vpn >> 9);
	if (!(v & VMMAP_PROT_READ))
		which = 0;
	return probe(t, which, number_of(which, vpn), 1, steps, n);
}

static void ecpt_cost(const void *table, struct vmmap_cost *cost)
{
	*cost = ((const struct ecpt *)table)->cost;
}

static int wrong(struct lindex_reason *why, const char *text, uint64_t key, uint64_t expected,
		 uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){
			.text = text, .key = key, .expected = expected, .found = found
		};
	return -EUCLEAN;
}

static int check_line(struct hash *h, unsigned int table, word *line, struct lindex_reason *why)
{
	uint64_t key = line_key(line);

	if (find(h, key, 0) != line)
		return wrong(why, "ecpt: a line that no lookup finds", key, 1, 0);
	if (line_empty(line))
		return wrong(why, "ecpt: an empty line is kept", key, 1, 0);
	for (unsigned int i = 0; i < WORDS && table < 3; i++) {
		uint64_t v = load(&line[i]) & BODY;

		if (v && !(v & VMMAP_PROT_READ))
			return wrong(why, "ecpt: bits without a page", key, 0, v);
	}
	return 0;
}

static int ecpt_check(void *table, struct lindex_reason *why)
{
	struct ecpt *t = table;

	for (unsigned int i = 0; i < TABLES; i++) {
		struct hash *h = &t->hash[i];
		struct ways *ways[2] = { atomic_load(&h->now), atomic_load(&h->next) };
		uint64_t lines = 0;

		for (unsigned int k = 0; k < 2; k++) {
			for (uint64_t j = 0; ways[k] && j < WAYS * ways[k]->size; j++) {
				word *line = ways[k]->line[0] + j * WORDS;
				int err = line_free(line) ? 0 : check_line(h, i, line, why);

				if (err)
					return err;
				lines += !line_free(line);
			}
		}
		if (lines != h->lines)
			return wrong(why, "ecpt: number of lines", i, lines, h->lines);
	}
	return 0;
}

static int dump_page(void *ctx, unsigned int table, vmmap_vpn_t vpn, word *w)
{
	uint64_t v = load(w);

	return text_line(ctx, "  vpn %" PRIx64 " pfn %" PRIx64 " prot %02x shift %u", vpn,
			 frame_of(v), (unsigned int)(v & PROT), shifts[table]);
}

static int ecpt_dump(const void *table, const struct lindex_sink *sink)
{
	const struct ecpt *t = table;
	int err = 0;

	for (unsigned int i = 0; i < TABLES && !err; i++) {
		struct ways *now = atomic_load(&((struct ecpt *)t)->hash[i].now);

		err = text_line(sink, "table %u: %" PRIu64 " lines of %u ways of %" PRIu64 "%s", i,
				t->hash[i].lines, WAYS, now ? now->size : 0,
				atomic_load(&((struct ecpt *)t)->hash[i].next) ? ", growing" : "");
	}
	return err ? err : visit_range(t, 0, t->vpn_end, dump_page, (void *)sink);
}

const struct vmmap_backend vmmap_backend_ecpt = {
	.name = "ecpt",
	.va_bits_default = 48,
	.va_bits_max = 57,
	.create = ecpt_create,
	.free = ecpt_free,
	.map = ecpt_map,
	.map_frames = ecpt_map_frames,
	.load = ecpt_load,
	.unmap = ecpt_unmap,
	.protect = ecpt_protect,
	.replace = ecpt_replace,
	.fork = ecpt_fork,
	.lookup = ecpt_lookup,
	.scan = ecpt_scan,
	.translate = ecpt_translate,
	.harvest = ecpt_harvest,
	.footprint = ecpt_footprint,
	.walk = ecpt_walk,
	.cost = ecpt_cost,
	.check = ecpt_check,
	.dump = ecpt_dump,
};
