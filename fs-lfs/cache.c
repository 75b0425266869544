/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Blocks of metadata in memory, by family and index: inode table, directories, tables of segments.
 *
 * A block is *pinned* while somebody uses it, *dirty* until a checkpoint has written it, else *clean* and may go
 * when the cache is over its limit, least recently used first. What is in a block is guarded by the lock of what it
 * belongs to (the directory's inode, the inode table's slot); the cache only guards itself.
 */
#include "internal.h"

#include <stdlib.h>

static struct lfs_cache_shard *shard_of(struct lfs_cache *c, uint64_t a, uint64_t b, uint64_t *hash)
{
	*hash = (a ^ b * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
	*hash ^= *hash >> 32;
	return &c->shard[*hash % LFS_CACHE_SHARDS];
}

static void list_remove(struct lfs_cblk *blk)
{
	blk->prev->next = blk->next;
	blk->next->prev = blk->prev;
}

static void list_add(struct lfs_cblk *head, struct lfs_cblk *blk)
{
	blk->next = head;
	blk->prev = head->prev;
	blk->prev->next = blk->next->prev = blk;
}

int lfs_cache_init(struct lfs_cache *c, uint64_t limit_blocks)
{
	memset(c, 0, sizeof(*c));
	c->limit = limit_blocks;
	for (uint32_t i = 0; i < LFS_CACHE_SHARDS; i++) {
		struct lfs_cache_shard *s = &c->shard[i];

		pthread_mutex_init(&s->lock, NULL);
		s->clean.next = s->clean.prev = &s->clean;
		s->dirty.next = s->dirty.prev = &s->dirty;
		s->nbuckets = 256;
		s->buckets = calloc(s->nbuckets, sizeof(struct lfs_cblk *));
		if (!s->buckets)
			return -ENOMEM;
	}
	return 0;
}

static void block_free(struct lfs_cblk *blk)
{
	free(blk->data);
	free(blk);
}

void lfs_cache_destroy(struct lfs_cache *c)
{
	for (uint32_t i = 0; i < LFS_CACHE_SHARDS; i++) {
		struct lfs_cache_shard *s = &c->shard[i];

		for (uint32_t j = 0; s->buckets && j < s->nbuckets; j++) {
			while (s->buckets[j]) {
				struct lfs_cblk *blk = s->buckets[j];

				s->buckets[j] = blk->hash_next;
				block_free(blk);
			}
		}
		free(s->buckets);
		pthread_mutex_destroy(&s->lock);
	}
}

static struct lfs_cblk **bucket(struct lfs_cache_shard *s, uint64_t hash)
{
	return &s->buckets[(hash >> 8) & (s->nbuckets - 1)];
}

static void grow(struct lfs_cache *c, struct lfs_cache_shard *s)
{
	uint32_t n = s->nbuckets * 2, old = s->nbuckets;
	struct lfs_cblk **fresh = calloc(n, sizeof(struct lfs_cblk *)), **from = s->buckets;

	if (!fresh)
		return;
	s->buckets = fresh;
	s->nbuckets = n;
	for (uint32_t i = 0; i < old; i++) {
		while (from[i]) {
			struct lfs_cblk *blk = from[i], **to;
			uint64_t hash;

			from[i] = blk->hash_next;
			shard_of(c, blk->a, blk->b, &hash);
			to = bucket(s, hash);
			blk->hash_next = *to;
			*to = blk;
		}
	}
	free(from);
}

static void unhash(struct lfs_cache *c, struct lfs_cache_shard *s, struct lfs_cblk *blk)
{
	struct lfs_cblk **at;
	uint64_t hash;

	shard_of(c, blk->a, blk->b, &hash);
	for (at = bucket(s, hash); *at != blk; at = &(*at)->hash_next)
		;
	*at = blk->hash_next;
	s->count--;
	atomic_fetch_sub_explicit(&c->blocks, 1, memory_order_relaxed);
}

static void pin(struct lfs_cblk *blk)
{
	if (!blk->pins++ && !blk->dirty)
		list_remove(blk);
}

static struct lfs_cblk *find(struct lfs_cache_shard *s, uint64_t a, uint64_t b, uint64_t hash)
{
	struct lfs_cblk *blk;

	for (blk = *bucket(s, hash); blk; blk = blk->hash_next)
		if (blk->a == a && blk->b == b)
			return blk;
	return NULL;
}

/** lfs_cache_find() - The block, pinned, or NULL. */
struct lfs_cblk *lfs_cache_find(struct lfs_cache *c, uint64_t a, uint64_t b)
{
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, a, b, &hash);
	struct lfs_cblk *blk;

	pthread_mutex_lock(&s->lock);
	blk = find(s, a, b, hash);
	if (blk)
		pin(blk);
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add_explicit(blk ? &c->hits : &c->misses, 1, memory_order_relaxed);
	return blk;
}

static struct lfs_cblk *block_new(uint64_t a, uint64_t b, const void *data)
{
	struct lfs_cblk *blk = calloc(1, sizeof(*blk));

	if (!blk)
		return NULL;
	blk->data = aligned_alloc(64, LFS_BLOCK);
	if (!blk->data) {
		free(blk);
		return NULL;
	}
	blk->a = a;
	blk->b = b;
	blk->pins = 1;
	if (data)
		memcpy(blk->data, data, LFS_BLOCK);
	else
		memset(blk->data, 0, LFS_BLOCK);
	return blk;
}

/* Over the limit: the least recently used clean block of the shard goes. */
static struct lfs_cblk *victim(struct lfs_cache *c, struct lfs_cache_shard *s, uint64_t limit)
{
	struct lfs_cblk *blk = s->clean.next;

	if (atomic_load_explicit(&c->blocks, memory_order_relaxed) <= limit || blk == &s->clean)
		return NULL;
	list_remove(blk);
	unhash(c, s, blk);
	return blk;
}

/** lfs_cache_add() - A block with @data (or zeroes), pinned; the one that is there, if somebody was faster. */
struct lfs_cblk *lfs_cache_add(struct lfs_cache *c, uint64_t a, uint64_t b, const void *data)
{
	struct lfs_cblk *blk = block_new(a, b, data), *there, *gone[2] = { NULL, NULL };
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, a, b, &hash);

	if (!blk)
		return NULL;
	pthread_mutex_lock(&s->lock);
	there = find(s, a, b, hash);
	if (there) {
		pin(there);
	} else {
		struct lfs_cblk **at;

		if (s->count > s->nbuckets)
			grow(c, s);
		at = bucket(s, hash);
		blk->hash_next = *at;
		*at = blk;
		s->count++;
		atomic_fetch_add_explicit(&c->blocks, 1, memory_order_relaxed);
		gone[0] = victim(c, s, c->limit);
		gone[1] = victim(c, s, c->limit);
	}
	pthread_mutex_unlock(&s->lock);
	for (int i = 0; i < 2; i++)
		if (gone[i])
			block_free(gone[i]);
	if (there)
		block_free(blk);
	return there ? there : blk;
}

void lfs_cache_put(struct lfs_cache *c, struct lfs_cblk *blk)
{
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, blk->a, blk->b, &hash);

	pthread_mutex_lock(&s->lock);
	if (!--blk->pins && !blk->dirty)
		list_add(&s->clean, blk);
	pthread_mutex_unlock(&s->lock);
}

/** lfs_cache_dirty() - The pinned block has to be written by the next checkpoint. */
void lfs_cache_dirty(struct lfs_cache *c, struct lfs_cblk *blk)
{
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, blk->a, blk->b, &hash);

	pthread_mutex_lock(&s->lock);
	if (!blk->dirty) {
		blk->dirty = true;
		list_add(&s->dirty, blk);
		atomic_fetch_add_explicit(&c->dirty, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&s->lock);
}

static void make_clean(struct lfs_cache *c, struct lfs_cache_shard *s, struct lfs_cblk *blk)
{
	if (!blk->dirty)
		return;
	blk->dirty = false;
	list_remove(blk);
	if (!blk->pins)
		list_add(&s->clean, blk);
	atomic_fetch_sub_explicit(&c->dirty, 1, memory_order_relaxed);
}

void lfs_cache_clean(struct lfs_cache *c, struct lfs_cblk *blk)
{
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, blk->a, blk->b, &hash);

	pthread_mutex_lock(&s->lock);
	make_clean(c, s, blk);
	pthread_mutex_unlock(&s->lock);
}

/** lfs_cache_drop() - Nobody wants the block any more; it is not pinned. */
void lfs_cache_drop(struct lfs_cache *c, uint64_t a, uint64_t b)
{
	uint64_t hash;
	struct lfs_cache_shard *s = shard_of(c, a, b, &hash);
	struct lfs_cblk *blk;

	pthread_mutex_lock(&s->lock);
	blk = find(s, a, b, hash);
	if (blk && !blk->pins) {
		make_clean(c, s, blk);
		list_remove(blk);
		unhash(c, s, blk);
	} else {
		blk = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (blk)
		block_free(blk);
}

static int by_key(const void *x, const void *y)
{
	const struct lfs_cblk *p = *(struct lfs_cblk *const *)x, *q = *(struct lfs_cblk *const *)y;

	if (p->a != q->a)
		return p->a < q->a ? -1 : 1;
	return p->b < q->b ? -1 : p->b > q->b;
}

/**
 * lfs_cache_dirty_list() - All dirty blocks of a family (its bits 56 and up), in order, not pinned. free() it.
 *
 * Context: nobody else changes what is dirty. Return: how many; SIZE_MAX: no memory.
 */
size_t lfs_cache_dirty_list(struct lfs_cache *c, uint64_t family, struct lfs_cblk ***list)
{
	size_t room = atomic_load(&c->dirty) + 1, n = 0;

	*list = malloc(room * sizeof(**list));
	if (!*list)
		return SIZE_MAX;
	for (uint32_t i = 0; i < LFS_CACHE_SHARDS; i++) {
		struct lfs_cache_shard *s = &c->shard[i];
		struct lfs_cblk *blk;

		pthread_mutex_lock(&s->lock);
		for (blk = s->dirty.next; blk != &s->dirty && n < room; blk = blk->next)
			if (blk->a >> 56 == family >> 56)
				(*list)[n++] = blk;
		pthread_mutex_unlock(&s->lock);
	}
	qsort(*list, n, sizeof(**list), by_key);
	return n;
}

/** lfs_cache_shrink() - Clean blocks go until at most @to_blocks are left. */
void lfs_cache_shrink(struct lfs_cache *c, uint64_t to_blocks)
{
	for (uint32_t i = 0; i < LFS_CACHE_SHARDS; i++) {
		struct lfs_cache_shard *s = &c->shard[i];
		struct lfs_cblk *blk;

		do {
			pthread_mutex_lock(&s->lock);
			blk = victim(c, s, to_blocks);
			pthread_mutex_unlock(&s->lock);
			if (blk)
				block_free(blk);
		} while (blk);
	}
}
