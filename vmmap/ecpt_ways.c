/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Ways of elastic cuckoo page tables: finding lines, making room by moving others, growing a few lines at a time. See ecpt.h.
 */
#include "ecpt.h"

#define FIRST_SIZE 16384u /* lines of a way; of walk tables less */
#define FIRST_WALK 256u
#define FULL_NUM   6u /* of 10: when to grow */
#define STEP       2u /* lines of each old way moved by an insert */
#define PATH_LINES 32u
#define TRIES      16u

/* ---- Finding ------------------------------------------------------------------------------------ */

word *vmmap_ecpt_find(const struct hash *h, uint64_t key, unsigned int first)
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

void vmmap_ecpt_ways_free(struct ecpt *t, struct ways *w)
{
	vmmap_host_free_now(t->host, (void *)w->line[0], ways_bytes(w->size));
	vmmap_host_free_now(t->host, w, sizeof(*w));
}

static void ways_retire(struct ecpt *t, struct ways *w)
{
	vmmap_host_retire(t->host, (void *)w->line[0], ways_bytes(w->size));
	vmmap_host_retire(t->host, w, sizeof(*w));
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
		ways_retire(t, now);
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
word *vmmap_ecpt_insert(struct ecpt *t, unsigned int table, uint64_t key)
{
	struct hash *h = &t->hash[table];
	word *line;

	if (!atomic_load(&h->now))
		atomic_store(&h->now, ways_new(t, table >= WALK_2M ? FIRST_WALK : FIRST_SIZE));
	if (!atomic_load(&h->now))
		return NULL;
	line = vmmap_ecpt_find(h, key, 0);
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

void vmmap_ecpt_remove_if_empty(struct ecpt *t, unsigned int table, word *line)
{
	if (!line || line_free(line) || !line_empty(line))
		return;
	for (unsigned int i = 0; i < WORDS; i++)
		atomic_store_explicit(&line[i], 0, memory_order_release);
	t->hash[table].lines--;
}
