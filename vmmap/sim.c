/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The simulator's loop. From the access inwards: pages, TLBs, walk, lines.
 *
 * Table lines live in an address range of their own, above all physical memory, so that a line of a table is
 * never a line of data.
 */
#include "sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

#define LINE_SHIFT  6u
#define TABLE_LINES (UINT64_C(1) << (60 - LINE_SHIFT))
#define PAGE_MASK   (VMMAP_PAGE_BYTES - 1)
#define CLASSES     3u /* page sizes */
#define MODEL_BYTES 16u
#define CACHE_IDS   6u

#define AHEAD 32u /* accesses looked at together */

static const uint8_t class_shift[CLASSES] = { VMMAP_4K, VMMAP_2M, VMMAP_1G };

/** struct probe - One look into a TLB: for pages of one size. */
struct probe {
	struct tlb *tlb;
	uint8_t class;
};

/**
 * struct side - What a kind of access has for itself: its L1 TLB and its first cache.
 * @probes: Into the L1 TLB, the smallest page size first.
 */
struct side {
	struct tlb l1[VMMAP_MACHINE_TLBS];
	struct probe probes[CLASSES];
	struct cache first_cache;
};

/**
 * struct walk_ahead - A translation and its walk, made before they are needed.
 * @va:   The address that will be accessed. @n: steps; of the ideal table none, but @line.
 */
struct walk_ahead {
	uint64_t va, line;
	struct vmmap_answer answer;
	int n;
	struct vmmap_step steps[VMMAP_STEPS_MAX];
};

struct vmmap_sim {
	struct vmmap_machine machine;
	struct vmmap_space *space;
	const struct vmmap_ideal *ideal;
	struct side sides[2]; /* data, fetches */
	struct tlb l2[VMMAP_MACHINE_TLBS];
	struct probe l2_probes[CLASSES];
	unsigned int n_l1, n_l2; /* probes */
	uint32_t l1_cycles, l2_cycles, walk_start_cycles;
	struct cache shared[VMMAP_MACHINE_CACHES]; /* [0] is not used: sides have it */
	uint32_t level_cycles[VMMAP_SIM_LEVELS];
	struct cache walk_caches[CACHE_IDS]; /* by id of struct vmmap_step; ways 0: none */
	struct vmmap_sim_counts counts;
	struct walk_ahead ahead[AHEAD];
	unsigned int n_ahead, at_ahead;
};

/* ---- Lines ------------------------------------------------------------------------------------- */

/* Which level has @line; it is in all of them afterwards. */
static inline unsigned int touch_line(struct vmmap_sim *s, struct side *side, uint64_t line)
{
	unsigned int level;

	if (cache_touch(&side->first_cache, line, line))
		return 0;
	for (level = 1; level < s->machine.n_caches; level++)
		if (cache_touch(&s->shared[level], line, line))
			break;
	return level;
}

static inline void touch_data(struct vmmap_sim *s, struct side *side, uint64_t pa, uint32_t bytes)
{
	uint64_t last = (pa + bytes - 1) >> LINE_SHIFT;

	for (uint64_t line = pa >> LINE_SHIFT; line <= last; line++) {
		unsigned int level = touch_line(s, side, line);

		s->counts.data_levels[level]++;
		s->counts.data_cycles += s->level_cycles[level];
	}
}

/* ---- Walks ------------------------------------------------------------------------------------- */

static uint32_t touch_table(struct vmmap_sim *s, uint64_t line)
{
	unsigned int level = touch_line(s, &s->sides[0], TABLE_LINES + line);

	s->counts.walk_levels[level]++;
	return s->level_cycles[level];
}

static struct cache *walk_cache(struct vmmap_sim *s, const struct vmmap_step *step)
{
	if (!step->cache || step->cache >= CACHE_IDS || !s->walk_caches[step->cache].ways)
		return NULL;
	return &s->walk_caches[step->cache];
}

/* The first step that has to be done. */
static int first_step(struct vmmap_sim *s, const struct vmmap_step *steps, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		struct cache *cache = walk_cache(s, &steps[i]);

		if (cache && cache_find(cache, steps[i].key, steps[i].key)) {
			s->counts.cached_walks++;
			return i + 1;
		}
	}
	return 0;
}

/* Steps of one group are as slow as the slowest of them. */
static uint32_t do_steps(struct vmmap_sim *s, const struct vmmap_step *steps, int first, int n,
			 uint32_t *lines)
{
	uint32_t cycles = 0, slowest = 0;

	for (int i = first; i < n; i++) {
		const struct vmmap_step *step = &steps[i];
		uint64_t last = (step->addr + step->bytes - 1) >> LINE_SHIFT;
		struct cache *cache = walk_cache(s, step);

		if (i > first && step->group != step[-1].group) {
			cycles += slowest;
			slowest = 0;
		}
		for (uint64_t line = step->addr >> LINE_SHIFT; line <= last; line++) {
			uint32_t took = touch_table(s, line);

			slowest = took > slowest ? took : slowest;
			++*lines;
		}
		if (cache)
			cache_touch(cache, step->key, step->key);
	}
	return cycles + slowest;
}

/* Where nothing is mapped the walk is as long as it takes to see that. Return: cycles. */
static uint32_t walk(struct vmmap_sim *s, const struct walk_ahead *w)
{
	uint32_t lines = 0, cycles;

	if (s->ideal) {
		cycles = touch_table(s, w->line);
		lines = 1;
	} else {
		cycles = s->walk_start_cycles;
		cycles += do_steps(s, w->steps, first_step(s, w->steps, w->n), w->n, &lines);
	}
	s->counts.walks++;
	s->counts.walk_accesses += lines;
	s->counts.histogram[lines < VMMAP_SIM_STEPS ? lines : VMMAP_SIM_STEPS - 1]++;
	s->counts.walk_cycles += cycles;
	return cycles;
}

/* ---- Looking ahead ----------------------------------------------------------------------------- */

/*
 * A space of gigabytes has tables that no cache of the machine at hand holds, so that each simulated walk waits for memory. But
 * translations do not depend on what is simulated: those of the next accesses are made together, so that they
 * wait together. It changes no count.
 */

static void prefetch_lines(const struct vmmap_sim *s, uint64_t line)
{
	for (unsigned int i = 1; i < s->machine.n_caches; i++) {
		const struct cache *c = &s->shared[i];
		const uint64_t *set = c->keys + (line & c->mask) * c->ways;

		__builtin_prefetch(set);
		__builtin_prefetch(set + c->ways - 1);
	}
}

static void make_walk(struct vmmap_sim *s, struct walk_ahead *w)
{
	w->n = 0;
	if (w->answer.fault.kind == VMMAP_FAULT_NONCANONICAL)
		return;
	prefetch_lines(s, w->answer.pa >> LINE_SHIFT);
	if (s->ideal)
		w->line = vmmap_ideal_line(s->ideal, w->va);
	else
		w->n = vmmap_hardware_walk(s->space, w->va, w->steps);
	if (w->n)
		w->line = w->steps[w->n - 1].addr >> LINE_SHIFT;
	prefetch_lines(s, TABLE_LINES + w->line);
}

/* Translates and walks for @n addresses, s->ahead[].va. */
static void make_walks(struct vmmap_sim *s, unsigned int n)
{
	struct vmmap_answer answers[AHEAD];
	vmmap_va_t vas[AHEAD] = { 0 };

	s->n_ahead = n;
	s->at_ahead = 0;
	if (!n)
		return;
	for (unsigned int i = 0; i < n; i++)
		vas[i] = s->ahead[i].va;
	vmmap_translate_batch(s->space, vas, n, VMMAP_READ | VMMAP_PEEK, answers);
	for (unsigned int i = 0; i < n; i++) {
		s->ahead[i].answer = answers[i];
		make_walk(s, &s->ahead[i]);
	}
}

/* The walk of @va's page: among those made ahead, or made now. */
static const struct walk_ahead *walk_of(struct vmmap_sim *s, uint64_t va)
{
	for (unsigned int i = s->at_ahead; i < s->n_ahead; i++) {
		if ((s->ahead[i].va ^ va) < VMMAP_PAGE_BYTES) {
			s->at_ahead = i;
			return &s->ahead[i];
		}
	}
	s->ahead[0].va = va;
	make_walks(s, 1);
	return &s->ahead[0];
}

/* ---- TLBs -------------------------------------------------------------------------------------- */

static inline uint64_t tlb_key(uint64_t page, unsigned int class)
{
	return page << 2 | class;
}

static inline uint64_t probe_all(const struct probe *probes, unsigned int n, uint64_t va)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t page = va >> class_shift[probes[i].class];
		uint64_t word = tlb_find(probes[i].tlb, page, tlb_key(page, probes[i].class));

		if (word)
			return word;
	}
	return 0;
}

/* probe_all() of one probe, but that nothing moves. */
static inline bool peek(const struct probe *probe, uint64_t va)
{
	uint64_t page = va >> class_shift[probe->class];

	return tlb_has(probe->tlb, page, tlb_key(page, probe->class));
}

/*
 * A TLB that knows no pages of this size holds a piece of it, of the largest size that it does know. So the word of an entry
 * says how large the page is, and which frame the entry begins with.
 */
static void fill(const struct probe *probes, unsigned int n, uint64_t va, uint64_t pfn,
		 const struct vmmap_answer *a)
{
	for (unsigned int i = n; i--;) {
		unsigned int shift = class_shift[probes[i].class];
		uint64_t page = va >> shift;

		if (shift > a->shift)
			continue;
		pfn &= ~((UINT64_C(1) << (shift - VMMAP_4K)) - 1);
		tlb_fill(probes[i].tlb, page, tlb_key(page, probes[i].class),
			 pfn << 16 | (uint64_t)shift << 8 | a->prot);
		return;
	}
}

/* What the L1 keeps of an entry of the L2. */
static struct vmmap_answer answer_of(uint64_t word)
{
	return (struct vmmap_answer){ .shift = (uint8_t)(word >> 8), .prot = (uint8_t)word };
}

static uint64_t frame_of(uint64_t word, uint64_t va)
{
	uint64_t within = (UINT64_C(1) << (word >> 8 & 0xff)) - 1;

	return (word >> 16) + ((va & within) >> VMMAP_4K);
}

/* Return: the word of a page that was in no TLB, 0 after a fault. */
static uint64_t walk_and_fill(struct vmmap_sim *s, struct side *side, uint64_t va)
{
	const struct walk_ahead *w = walk_of(s, va);
	const struct vmmap_answer *a = &w->answer;
	uint64_t pfn = a->pa >> VMMAP_4K;

	if (a->fault.kind == VMMAP_FAULT_NONCANONICAL) {
		s->counts.noncanonical++; /* no walk begins */
		return 0;
	}
	s->counts.mmu_cycles += walk(s, w);
	if (a->fault.kind != VMMAP_FAULT_NONE) {
		s->counts.not_present += a->fault.kind == VMMAP_FAULT_NOT_PRESENT;
		s->counts.permission += a->fault.kind != VMMAP_FAULT_NOT_PRESENT;
		return 0;
	}
	fill(s->l2_probes, s->n_l2, va, pfn, a);
	fill(side->probes, s->n_l1, va, pfn, a);
	return pfn << 16 | VMMAP_4K << 8 | a->prot;
}

static inline uint64_t translate(struct vmmap_sim *s, struct side *side, uint64_t va)
{
	uint64_t word = probe_all(side->probes, s->n_l1, va);

	s->counts.translations++;
	s->counts.mmu_cycles += s->l1_cycles;
	if (word) {
		s->counts.l1_hits++;
		return word;
	}
	s->counts.mmu_cycles += s->l2_cycles;
	word = probe_all(s->l2_probes, s->n_l2, va);
	if (word) {
		struct vmmap_answer a = answer_of(word);

		s->counts.l2_hits++;
		fill(side->probes, s->n_l1, va, frame_of(word, va), &a);
		return word;
	}
	return walk_and_fill(s, side, va);
}

/* ---- Accesses ---------------------------------------------------------------------------------- */

static inline bool allows(uint64_t word, unsigned int kind)
{
	static const uint8_t needs[] = { [VMMAP_KIND_READ] = VMMAP_PROT_READ,
					 [VMMAP_KIND_WRITE] = VMMAP_PROT_WRITE,
					 [VMMAP_KIND_FETCH] = VMMAP_PROT_EXEC };

	return (word & needs[kind]) != 0;
}

/* Bytes of one page. */
static inline void access_page(struct vmmap_sim *s, uint64_t va, uint32_t bytes, unsigned int kind)
{
	struct side *side = &s->sides[kind == VMMAP_KIND_FETCH];
	uint64_t word = translate(s, side, va);

	if (word && allows(word, kind)) {
		touch_data(s, side, frame_of(word, va) << VMMAP_4K | (va & PAGE_MASK), bytes);
		return;
	}
	s->counts.faults++;
	s->counts.permission += word != 0;
}

static inline void access_one(struct vmmap_sim *s, const struct vmmap_access *a)
{
	uint64_t va = a->va;
	uint32_t left = a->size, in_page = (uint32_t)(VMMAP_PAGE_BYTES - (va & PAGE_MASK));

	if (left > in_page) {
		access_page(s, va, in_page, a->kind);
		va += in_page;
		left -= in_page;
	}
	access_page(s, va, left, a->kind);
}

/* Whether @va looks as if it would miss all TLBs. Changes nothing. */
static inline bool may_walk(const struct vmmap_sim *s, const struct side *side, uint64_t va)
{
	for (unsigned int i = 0; i < s->n_l1; i++)
		if (peek(&side->probes[i], va))
			return false;
	for (unsigned int i = 0; i < s->n_l2; i++)
		if (peek(&s->l2_probes[i], va))
			return false;
	return true;
}

/* Walks for the next @n accesses, as far as they can be foreseen: the first page of each. */
static void look_ahead(struct vmmap_sim *s, const struct vmmap_access *a, size_t n)
{
	uint64_t last = UINT64_MAX;
	unsigned int pages = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t page = a[i].va >> VMMAP_4K;

		if (page == last)
			continue;
		last = page;
		if (may_walk(s, &s->sides[a[i].kind == VMMAP_KIND_FETCH], a[i].va))
			s->ahead[pages++].va = a[i].va;
	}
	make_walks(s, pages);
}

void vmmap_sim_run(struct vmmap_sim *s, const struct vmmap_access *a, size_t n)
{
	s->counts.accesses += n;
	while (n) {
		size_t now = n < AHEAD ? n : AHEAD;

		look_ahead(s, a, now);
		for (size_t i = 0; i < now; i++)
			access_one(s, &a[i]);
		a += now;
		n -= now;
	}
}

void vmmap_sim_get(const struct vmmap_sim *sim, struct vmmap_sim_counts *counts)
{
	*counts = sim->counts;
}

void vmmap_sim_forget(struct vmmap_sim *sim)
{
	sim->counts = (struct vmmap_sim_counts){ 0 };
}

uint32_t vmmap_sim_percentile(const struct vmmap_sim_counts *counts, double percent)
{
	double wanted = (double)counts->walks * percent / 100.0;
	uint64_t so_far = 0;

	for (uint32_t i = 0; i < VMMAP_SIM_STEPS; i++) {
		so_far += counts->histogram[i];
		if (so_far && (double)so_far >= wanted)
			return i;
	}
	return 0;
}

/* ---- Making one -------------------------------------------------------------------------------- */

/* The TLBs of @level, into @tlbs, and the probes into them. Return: number of probes or negative errno. */
static int make_tlbs(const struct vmmap_machine *m, unsigned int level, struct tlb *tlbs,
		     struct probe *probes, uint32_t *cycles)
{
	int n = 0;

	for (unsigned int i = 0; i < m->n_tlbs; i++) {
		const struct vmmap_machine_array *a = &m->tlbs[i];
		int err = a->level == level ? tlb_init(&tlbs[i], a->entries, a->ways) : 0;

		if (err)
			return err;
		if (a->level == level && a->cycles > *cycles)
			*cycles = a->cycles;
	}
	for (uint8_t class = 0; class < CLASSES; class ++)
		for (unsigned int i = 0; i < m->n_tlbs; i++)
			if (m->tlbs[i].level == level && m->tlbs[i].sizes >> class & 1)
				probes[n++] = (struct probe){ &tlbs[i], class };
	return n;
}

static int make_caches(struct vmmap_sim *s)
{
	const struct vmmap_machine *m = &s->machine;
	uint32_t sum = 0;
	int err = 0;

	for (unsigned int i = 0; i < m->n_caches && !err; i++) {
		const struct vmmap_machine_array *a = &m->caches[i];

		sum += a->cycles;
		s->level_cycles[i] = m->latencies_add ? sum : a->cycles;
		if (i)
			err = cache_init(&s->shared[i], a->entries, a->ways);
		else
			for (unsigned int side = 0; side < 2 && !err; side++)
				err = cache_init(&s->sides[side].first_cache, a->entries, a->ways);
	}
	s->level_cycles[m->n_caches] = m->dram_cycles + (m->latencies_add ? sum : 0);
	return err;
}

/* Which walk caches the walker of this backend has, by id of struct vmmap_step. */
static int make_walk_caches(struct vmmap_sim *s)
{
	const struct vmmap_machine_array *of[CACHE_IDS] = { NULL };
	const char *backend = vmmap_space_backend(s->space);
	uint32_t cycles = 0;
	int err = 0;

	if (strncmp(backend, "radix", 5) == 0)
		for (unsigned int level = 2; level <= 5; level++)
			of[level] = &s->machine.walk_caches[level];
	else if (strcmp(backend, "ecpt") == 0)
		for (unsigned int id = 2; id <= 3; id++)
			of[id] = &s->machine.cuckoo_caches[id];
	else if (strcmp(backend, "lindex") == 0)
		of[1] = &s->machine.model_cache;
	for (unsigned int id = 0; id < CACHE_IDS && !err; id++) {
		if (!of[id] || !of[id]->entries)
			continue;
		err = cache_init(&s->walk_caches[id], of[id]->entries, of[id]->ways);
		cycles = of[id]->cycles > cycles ? of[id]->cycles : cycles;
	}
	cycles += of[1] ? s->machine.model_cycles : 0;
	/* Address in, entry of a walk cache or line of a table out: the L2 TLB's answer is not needed for that. */
	if (s->machine.walk_overlapped)
		cycles = cycles > s->l2_cycles ? cycles - s->l2_cycles : 0;
	s->walk_start_cycles = cycles;
	return err;
}

static int make(struct vmmap_sim *s)
{
	int n = make_tlbs(&s->machine, 2, s->l2, s->l2_probes, &s->l2_cycles);

	s->n_l2 = n > 0 ? (unsigned int)n : 0;
	for (unsigned int side = 0; side < 2 && n >= 0; side++) {
		struct side *of = &s->sides[side];

		n = make_tlbs(&s->machine, 1, of->l1, of->probes, &s->l1_cycles);
		s->n_l1 = n > 0 ? (unsigned int)n : 0;
	}
	if (n < 0)
		return n;
	n = make_caches(s);
	return n ? n : make_walk_caches(s);
}

int vmmap_sim_create(const struct vmmap_machine *machine, struct vmmap_space *space,
		     const struct vmmap_ideal *ideal, struct vmmap_sim **sim)
{
	struct vmmap_sim *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->machine = *machine;
	s->space = space;
	s->ideal = ideal;
	err = make(s);
	if (err)
		vmmap_sim_free(s);
	else
		*sim = s;
	return err;
}

void vmmap_sim_free(struct vmmap_sim *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < VMMAP_MACHINE_TLBS; i++) {
		tlb_destroy(&s->l2[i]);
		tlb_destroy(&s->sides[0].l1[i]);
		tlb_destroy(&s->sides[1].l1[i]);
	}
	for (unsigned int i = 0; i < VMMAP_MACHINE_CACHES; i++)
		cache_destroy(&s->shared[i]);
	for (unsigned int i = 0; i < CACHE_IDS; i++)
		cache_destroy(&s->walk_caches[i]);
	cache_destroy(&s->sides[0].first_cache);
	cache_destroy(&s->sides[1].first_cache);
	free(s);
}
