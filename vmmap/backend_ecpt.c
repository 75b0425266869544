/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The backend on elastic cuckoo page tables (ecpt.h): pages, ranges, queries.
 */
#include <stdlib.h>
#include <string.h>

#include "ecpt.h"
#include "text.h"

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
	word *line = vmmap_ecpt_find(&t->hash[table], number / WORDS, number % WORDS);

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
		word *line = by > 0 ? vmmap_ecpt_insert(t, levels[k].walk, number / WORDS) :
				      vmmap_ecpt_find(h, number / WORDS, number % WORDS);
		uint64_t v;

		if (!line && by > 0) {
			if (k > (table == 2 ? 1u : 0u)) { /* take the other one back */
				line = vmmap_ecpt_find(&t->hash[WALK_2M], (vpn >> 9) / WORDS, 0);
				v = load(&line[(vpn >> 9) % WORDS]);
				store_body(t, &line[(vpn >> 9) % WORDS], (v & BODY) - one);
				vmmap_ecpt_remove_if_empty(t, WALK_2M, line);
			}
			return -ENOMEM;
		}
		v = load(&line[number % WORDS]) & BODY;
		store_body(t, &line[number % WORDS], by > 0 ? v + one : v - one);
		vmmap_ecpt_remove_if_empty(t, levels[k].walk, line);
	}
	return 0;
}

static void clear_page(struct ecpt *t, unsigned int table, vmmap_vpn_t vpn)
{
	uint64_t number = number_of(table, vpn);
	word *line = vmmap_ecpt_find(&t->hash[table], number / WORDS, number % WORDS);

	store_body(t, &line[number % WORDS], 0);
	vmmap_ecpt_remove_if_empty(t, table, line);
	count_pages(t, table, vpn, -1);
}

static int set_page(struct ecpt *t, unsigned int table, vmmap_vpn_t vpn, uint64_t body)
{
	uint64_t number = number_of(table, vpn);
	word *line;

	if (count_pages(t, table, vpn, 1))
		return -ENOMEM;
	line = vmmap_ecpt_insert(t, table, number / WORDS);
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
				vmmap_ecpt_ways_free(t, ways[k]);
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

	if (vmmap_ecpt_find(h, key, 0) != line)
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
