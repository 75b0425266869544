/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inodes: in memory, in the inode table, and the map that finds the table's blocks.
 *
 * The table is an array of 256-byte inodes, 16 to a block; its blocks lie in the log, and the inode map (a lindex)
 * says where: key ino / 16, value the place. Inodes made together are in blocks written together, so that a map of
 * millions of inodes has few runs.
 *
 *   N1  An inode in memory differs from its slot only if it is dirty. A dirty one leaves memory through its slot.
 *   N2  Slots are read and written under the lock of the shard; all inodes of a block are in one shard.
 *   N3  refs counts references of callers, also of inodes that are not in memory: 8 bytes each.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>

static struct lfs_icache_shard *shard_of(struct lfs *fs, uint64_t ino)
{
	return &fs->icache.shard[(ino >> LFS_ITABLE_SHIFT) % LFS_ICACHE_SHARDS];
}

static uint32_t hash_of(uint64_t ino)
{
	return (uint32_t)((ino * 0x9e3779b97f4a7c15u) >> 32);
}

int lfs_icache_init(struct lfs *fs)
{
	fs->icache.limit = fs->opt.cap_bytes / 8 / 1024;
	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS; i++) {
		struct lfs_icache_shard *s = &fs->icache.shard[i];

		pthread_mutex_init(&s->lock, NULL);
		s->idle.next = s->idle.prev = &s->idle;
		s->nbuckets = 256;
		s->refs_room = 64;
		s->buckets = calloc(s->nbuckets, sizeof(*s->buckets));
		s->refs = calloc(s->refs_room, sizeof(*s->refs));
		if (!s->buckets || !s->refs)
			return -ENOMEM;
	}
	return 0;
}

static void inode_release(struct lfs_inode *inode)
{
	lfs_pindex_close(inode->map.pi);
	if (inode->dir) {
		lfs_pindex_close(inode->dir->names);
		free(inode->dir->roomy);
		free(inode->dir);
	}
	lfs_xattrs_free(inode);
	pthread_rwlock_destroy(&inode->lock);
	free(inode);
}

void lfs_icache_destroy(struct lfs *fs)
{
	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS; i++) {
		struct lfs_icache_shard *s = &fs->icache.shard[i];

		for (uint32_t j = 0; s->buckets && j < s->nbuckets; j++) {
			while (s->buckets[j]) {
				struct lfs_inode *inode = s->buckets[j];

				s->buckets[j] = inode->hash_next;
				inode_release(inode);
			}
		}
		free(s->buckets);
		free(s->refs);
	}
}

/* ---- The table ------------------------------------------------------------------------------------------ */

static struct lfs_time time_from(lfs_le64 sec, lfs_le32 nsec)
{
	return (struct lfs_time){ (int64_t)lfs_from64(sec), lfs_from32(nsec) };
}

/** lfs_inode_decode() - From a slot. */
void lfs_inode_decode(const struct lfs_inode_disk *d, struct lfs_inode *inode)
{
	uint32_t n = lfs_from16(d->nruns);

	inode->mode = lfs_from16(d->mode);
	inode->flags = lfs_from16(d->flags);
	inode->nlink = lfs_from32(d->nlink);
	inode->uid = lfs_from32(d->uid);
	inode->gid = lfs_from32(d->gid);
	inode->size = lfs_from64(d->size);
	inode->blocks = lfs_from64(d->blocks);
	inode->atime = time_from(d->atime, d->nsec[0]);
	inode->mtime = time_from(d->mtime, d->nsec[1]);
	inode->ctime = time_from(d->ctime, d->nsec[2]);
	inode->btime = time_from(d->btime, d->nsec[3]);
	inode->rdev = lfs_from32(d->rdev);
	inode->generation = lfs_from32(d->generation);
	inode->fsflags = lfs_from32(d->fsflags);
	inode->xattr_bytes = lfs_from32(d->xattr_bytes);
	inode->map_root = lfs_from64(d->map_root);
	inode->names_root = lfs_from64(d->names_root);
	inode->parent = lfs_from32(d->parent);
	inode->entries = lfs_from32(d->entries);
	inode->dir_blocks = lfs_from32(d->dir_blocks);
	inode->inline_bytes = lfs_from16(d->inline_bytes);
	if (inode->inline_bytes > LFS_INODE_INLINE)
		inode->inline_bytes = LFS_INODE_INLINE;
	if (inode->flags & LFS_DI_INLINE) {
		memcpy(inode->inl, d->in.bytes, LFS_INODE_INLINE);
		return;
	}
	inode->map.nruns = n > LFS_INODE_RUNS || inode->flags & LFS_DI_PAGED ? 0 : n;
	for (uint32_t i = 0; i < inode->map.nruns; i++) {
		struct lindex_run *run = &inode->map.runs[i];
		uint64_t place = lfs_from64(d->in.runs[i].place);

		run->first = lfs_from32(d->in.runs[i].first) | (place >> 48) << 32;
		run->last = run->first + lfs_from32(d->in.runs[i].len) - 1;
		run->value = place & 0xffffffffffull;
		run->tag = (uint16_t)(place >> 40 & 0xff);
		run->step = run->tag != LFS_TAG_UNWRITTEN;
		run->mapped = 1;
	}
}

static void encode_runs(const struct lfs_inode *inode, struct lfs_inode_disk *d)
{
	d->nruns = lfs_to16(inode->map.nruns);
	for (uint32_t i = 0; i < inode->map.nruns; i++) {
		const struct lindex_run *run = &inode->map.runs[i];

		d->in.runs[i].first = lfs_to32(run->first);
		d->in.runs[i].len = lfs_to32(run->last - run->first + 1);
		d->in.runs[i].place = lfs_to64(run->value | (uint64_t)run->tag << 40 |
					       (run->first >> 32) << 48);
	}
}

static void inode_encode(const struct lfs_inode *inode, struct lfs_inode_disk *d)
{
	const struct lfs_time *times[4] = { &inode->atime, &inode->mtime, &inode->ctime,
					    &inode->btime };
	lfs_le64 *secs[4] = { &d->atime, &d->mtime, &d->ctime, &d->btime };

	memset(d, 0, sizeof(*d));
	d->mode = lfs_to16(inode->mode);
	d->flags = lfs_to16(inode->flags);
	d->nlink = lfs_to32(inode->nlink);
	d->uid = lfs_to32(inode->uid);
	d->gid = lfs_to32(inode->gid);
	d->size = lfs_to64(inode->size);
	d->blocks = lfs_to64(inode->blocks);
	for (int i = 0; i < 4; i++) {
		*secs[i] = lfs_to64((uint64_t)times[i]->sec);
		d->nsec[i] = lfs_to32(times[i]->nsec);
	}
	d->rdev = lfs_to32(inode->rdev);
	d->generation = lfs_to32(inode->generation);
	d->fsflags = lfs_to32(inode->fsflags);
	d->xattr_bytes = lfs_to32(inode->xattr_bytes);
	d->map_root = lfs_to64(inode->map_root);
	d->names_root = lfs_to64(inode->names_root);
	d->parent = lfs_to32(inode->parent);
	d->entries = lfs_to32(inode->entries);
	d->dir_blocks = lfs_to32(inode->dir_blocks);
	d->inline_bytes = lfs_to16(inode->inline_bytes);
	if (inode->flags & LFS_DI_INLINE)
		memcpy(d->in.bytes, inode->inl, LFS_INODE_INLINE);
	else
		encode_runs(inode, d);
}

/** lfs_itable_get() - Block @index of the table, pinned; zeroes if it does not exist yet. */
int lfs_itable_get(struct lfs *fs, uint64_t index, struct lfs_cblk **blk)
{
	struct lindex_run run;
	uint8_t *bytes;
	int err;

	*blk = lfs_cache_find(&fs->cache, LFS_CACHE_ITABLE, index);
	if (*blk)
		return 0;
	bytes = aligned_alloc(64, LFS_BLOCK);
	if (!bytes)
		return -ENOMEM;
	pthread_rwlock_rdlock(&fs->imap_lock);
	err = lfs_pindex_lookup(fs->sys[LFS_SYS_IMAP], index, &run);
	if (!err)
		err = lfs_block_read(fs, lindex_value(&run, index), bytes);
	pthread_rwlock_unlock(&fs->imap_lock);
	if (err && err != -ENOENT)
		lfs_log(fs, LFS_LOG_ERROR, "inodes %llu to %llu cannot be read: %s",
			(unsigned long long)(index << LFS_ITABLE_SHIFT),
			(unsigned long long)((index << LFS_ITABLE_SHIFT) + 15), strerror(-err));
	if (!err || err == -ENOENT) {
		*blk = lfs_cache_add(&fs->cache, LFS_CACHE_ITABLE, index, err ? NULL : bytes);
		err = *blk ? 0 : -ENOMEM;
	}
	free(bytes);
	return err;
}

static struct lfs_inode_disk *slot_of(struct lfs_cblk *blk, uint64_t ino)
{
	return (struct lfs_inode_disk *)(void *)blk->data + ino % (1u << LFS_ITABLE_SHIFT);
}

static bool block_empty(const struct lfs_cblk *blk)
{
	const struct lfs_inode_disk *d = (const void *)blk->data;

	for (uint32_t i = 0; i < 1u << LFS_ITABLE_SHIFT; i++)
		if (d[i].mode)
			return false;
	return true;
}

static int itable_flush_block(struct lfs *fs, struct lfs_cblk *blk)
{
	struct lfs_pindex *imap = fs->sys[LFS_SYS_IMAP];
	struct lindex_run old, run = { .first = blk->b, .last = blk->b, .step = 1 };
	struct lfs_map_id nobody = { 0, 0 };
	uint64_t got;
	int err, there;

	there = lfs_pindex_lookup(imap, blk->b, &old);
	if (there && there != -ENOENT)
		return there;
	if (block_empty(blk)) {
		err = there ? 0 : lfs_pindex_remove(imap, blk->b, blk->b);
	} else {
		err = lfs_log_place(fs, LFS_HEAD_META, lfs_owner(LFS_KIND_ITABLE, nobody), blk->b,
				    1, blk->data, &run.value, &got);
		if (!err)
			err = lfs_pindex_insert(imap, &run);
	}
	if (!err && !there)
		err = lfs_live_remove(fs, lindex_value(&old, blk->b), 1);
	if (!err)
		lfs_cache_clean(&fs->cache, blk);
	return err;
}

/** lfs_itable_flush() - Dirty blocks of the table go into the log. Context: op_lock exclusive. */
int lfs_itable_flush(struct lfs *fs)
{
	struct lfs_cblk **list;
	size_t n = lfs_cache_dirty_list(&fs->cache, LFS_CACHE_ITABLE, &list);
	int err = 0;

	if (n == SIZE_MAX)
		return -ENOMEM;
	pthread_rwlock_wrlock(&fs->imap_lock);
	for (size_t i = 0; i < n && !err; i++)
		err = itable_flush_block(fs, list[i]);
	pthread_rwlock_unlock(&fs->imap_lock);
	free(list);
	return err;
}

/* ---- In memory ----------------------------------------------------------------------------------------------- */

static void list_remove(struct lfs_inode *inode)
{
	inode->prev->next = inode->next;
	inode->next->prev = inode->prev;
}

static void list_add(struct lfs_inode *head, struct lfs_inode *inode)
{
	inode->next = head;
	inode->prev = head->prev;
	inode->prev->next = inode->next->prev = inode;
}

static struct lfs_inode *find(struct lfs_icache_shard *s, uint64_t ino)
{
	struct lfs_inode *inode = s->buckets[hash_of(ino) & (s->nbuckets - 1)];

	while (inode && inode->ino != ino)
		inode = inode->hash_next;
	return inode;
}

static void grow(struct lfs_icache_shard *s)
{
	uint32_t n = s->nbuckets * 2;
	struct lfs_inode **fresh = calloc(n, sizeof(*fresh));

	if (!fresh)
		return;
	for (uint32_t i = 0; i < s->nbuckets; i++) {
		while (s->buckets[i]) {
			struct lfs_inode *inode = s->buckets[i], **to;

			s->buckets[i] = inode->hash_next;
			to = &fresh[hash_of(inode->ino) & (n - 1)];
			inode->hash_next = *to;
			*to = inode;
		}
	}
	free(s->buckets);
	s->buckets = fresh;
	s->nbuckets = n;
}

static void insert(struct lfs *fs, struct lfs_icache_shard *s, struct lfs_inode *inode)
{
	struct lfs_inode **to;

	if (s->count > s->nbuckets)
		grow(s);
	to = &s->buckets[hash_of(inode->ino) & (s->nbuckets - 1)];
	inode->hash_next = *to;
	*to = inode;
	s->count++;
	atomic_fetch_add(&fs->icache.count, 1);
}

static void unhash(struct lfs *fs, struct lfs_icache_shard *s, struct lfs_inode *inode)
{
	struct lfs_inode **at = &s->buckets[hash_of(inode->ino) & (s->nbuckets - 1)];

	while (*at != inode)
		at = &(*at)->hash_next;
	*at = inode->hash_next;
	s->count--;
	atomic_fetch_sub(&fs->icache.count, 1);
}

static struct lfs_inode *inode_alloc(uint32_t ino)
{
	struct lfs_inode *inode = calloc(1, sizeof(*inode));

	if (!inode)
		return NULL;
	inode->ino = ino;
	inode->pins = 1;
	pthread_rwlock_init(&inode->lock, NULL);
	return inode;
}

static struct lfs_inode *pin(struct lfs_icache_shard *s, uint64_t ino)
{
	struct lfs_inode *inode = find(s, ino);

	if (inode && !inode->pins++)
		list_remove(inode);
	return inode;
}

/** lfs_iget() - Inode @ino, pinned. Return: 0, -ESTALE: there is none; errors of reading. */
int lfs_iget(struct lfs *fs, uint64_t ino, struct lfs_inode **out)
{
	struct lfs_icache_shard *s = shard_of(fs, ino);
	struct lfs_inode *inode, *fresh;
	struct lfs_cblk *blk;
	int err;

	if (!ino || ino > UINT32_MAX)
		return -ESTALE;
	pthread_mutex_lock(&s->lock);
	*out = pin(s, ino);
	pthread_mutex_unlock(&s->lock);
	if (*out)
		return 0;
	fresh = inode_alloc((uint32_t)ino);
	if (!fresh)
		return -ENOMEM;
	err = lfs_itable_get(fs, ino >> LFS_ITABLE_SHIFT, &blk);
	if (err) {
		inode_release(fresh);
		return err;
	}
	pthread_mutex_lock(&s->lock);
	inode = pin(s, ino);
	if (!inode && slot_of(blk, ino)->mode) {
		lfs_inode_decode(slot_of(blk, ino), fresh);
		insert(fs, s, fresh);
		inode = fresh;
		fresh = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	lfs_cache_put(&fs->cache, blk);
	if (fresh)
		inode_release(fresh);
	*out = inode;
	return inode ? 0 : -ESTALE;
}

/**
 * lfs_inew() - A new inode with number @ino, pinned and dirty, all zero. -EUCLEAN: there is one.
 *
 * Its lock is held, exclusively: the number may be one that the cleaner or a file handle remembers, and they have to wait
 * until the inode is what it shall be. (Taken while nobody knows the inode, so that the order of locks does not matter.)
 */
int lfs_inew(struct lfs *fs, uint32_t ino, struct lfs_inode **out)
{
	struct lfs_icache_shard *s = shard_of(fs, ino);
	struct lfs_inode *inode = inode_alloc(ino);
	struct lfs_cblk *blk;
	int err;

	if (!inode)
		return -ENOMEM;
	err = lfs_itable_get(fs, ino >> LFS_ITABLE_SHIFT, &blk);
	if (err) {
		inode_release(inode);
		return err;
	}
	(void)pthread_rwlock_trywrlock(&inode->lock); /* nobody has it */
	pthread_mutex_lock(&s->lock);
	if (find(s, ino) || slot_of(blk, ino)->mode) {
		err = -EUCLEAN;
	} else {
		inode->dirty = true;
		insert(fs, s, inode);
	}
	pthread_mutex_unlock(&s->lock);
	lfs_cache_put(&fs->cache, blk);
	if (err) {
		pthread_rwlock_unlock(&inode->lock);
		inode_release(inode);
	} else {
		*out = inode;
	}
	return err;
}

void lfs_inode_dirty(struct lfs_inode *inode)
{
	inode->dirty = true;
}

/** lfs_iput() - Done with it. One that was freed leaves memory. */
void lfs_iput(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_icache_shard *s;

	if (!inode)
		return;
	s = shard_of(fs, inode->ino);
	pthread_mutex_lock(&s->lock);
	if (--inode->pins) {
		inode = NULL;
	} else if (inode->freed) {
		unhash(fs, s, inode);
	} else {
		list_add(&s->idle, inode);
		inode = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	if (!inode)
		return;
	pthread_mutex_lock(&fs->ino_lock);
	roaring_bitmap_add(fs->free_inos, inode->ino); /* not before it has left the hash */
	pthread_mutex_unlock(&fs->ino_lock);
	inode_release(inode);
}

/* ---- From memory into the table ---------------------------------------------------------------------------------- */

/** lfs_inode_flush_map() - Maps and attributes' blocks are in the log, their places in the inode. */
int lfs_inode_flush_map(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_dir_state *dir = __atomic_load_n(&inode->dir, __ATOMIC_ACQUIRE);
	struct lfs_pindex *names = dir ? dir->names : NULL, *pi;
	int err = lfs_xattrs_store(fs, inode);

	pi = __atomic_load_n(&inode->map.pi,
			     __ATOMIC_ACQUIRE); /* which storing them may have made */
	if (!err && pi && pi->dirty) {
		err = lfs_pindex_flush(pi);
		inode->map_root = pi->root;
		inode->dirty = true;
	}
	if (!err && names && names->dirty) {
		err = lfs_pindex_flush(names);
		inode->names_root = names->root;
		inode->dirty = true;
	}
	return err;
}

/** lfs_inode_store() - Into its slot, which a checkpoint will write. Context: inode.lock, or nobody else. */
int lfs_inode_store(struct lfs *fs, struct lfs_inode *inode)
{
	struct lfs_icache_shard *s = shard_of(fs, inode->ino);
	struct lfs_cblk *blk;
	int err;

	if (!inode->dirty)
		return 0;
	err = lfs_itable_get(fs, inode->ino >> LFS_ITABLE_SHIFT, &blk);
	if (err)
		return err;
	pthread_mutex_lock(&s->lock);
	inode_encode(inode, slot_of(blk, inode->ino));
	pthread_mutex_unlock(&s->lock);
	lfs_cache_dirty(&fs->cache, blk);
	lfs_cache_put(&fs->cache, blk);
	inode->dirty = false;
	return 0;
}

/* Readers open maps beside us, and publish them; what they have just opened is not dirty. */
static bool wants_flush(const struct lfs_inode *inode, bool maps)
{
	const struct lfs_pindex *pi = __atomic_load_n(&inode->map.pi, __ATOMIC_ACQUIRE);
	const struct lfs_dir_state *dir = __atomic_load_n(&inode->dir, __ATOMIC_ACQUIRE);
	const struct lfs_xattrs *x = __atomic_load_n(&inode->xattrs, __ATOMIC_ACQUIRE);

	if (inode->freed)
		return false;
	return inode->dirty ||
	       (maps &&
		((pi && pi->dirty) || (dir && dir->names && dir->names->dirty) || (x && x->dirty)));
}

/* From @inode on in its chain, the first that is to be flushed. The shard is locked. */
static struct lfs_inode *next_to_flush(struct lfs_inode *inode, bool maps)
{
	while (inode && !wants_flush(inode, maps))
		inode = inode->hash_next;
	return inode;
}

/*
 * Those of one chain. The shard is locked, but not while one is flushed: readers bring others in meanwhile. None that is to
 * be flushed leaves: that takes op_lock, or a name less.
 */
static int chain_flush(struct lfs *fs, struct lfs_icache_shard *s, uint32_t chain, bool maps)
{
	struct lfs_inode *inode = next_to_flush(s->buckets[chain], maps);
	uint32_t n = s->nbuckets;
	int err = 0;

	while (inode) {
		pthread_mutex_unlock(&s->lock);
		pthread_rwlock_wrlock(&inode->lock); /* readers are in the map too */
		err = maps ? lfs_inode_flush_map(fs, inode) : 0;
		if (!err)
			err = lfs_inode_store(fs, inode);
		pthread_rwlock_unlock(&inode->lock);
		pthread_mutex_lock(&s->lock);
		inode = err || s->nbuckets != n ? NULL : next_to_flush(inode->hash_next, maps);
	}
	return err;
}

/** lfs_inodes_flush() - Every dirty inode goes into its slot; @maps: its maps into the log, before. */
int lfs_inodes_flush(struct lfs *fs, bool maps)
{
	int err = 0;

	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS && !err; i++) {
		struct lfs_icache_shard *s = &fs->icache.shard[i];
		uint32_t n, j;

		pthread_mutex_lock(&s->lock);
		do { /* once more if there are other chains now: what was flushed is passed over */
			n = s->nbuckets;
			for (j = 0; j < n && n == s->nbuckets && !err; j++)
				err = chain_flush(fs, s, j, maps);
		} while (n != s->nbuckets && !err);
		pthread_mutex_unlock(&s->lock);
	}
	return err;
}

/* The eldest idle inode, pinned. */
static struct lfs_inode *idle_take(struct lfs_icache_shard *s)
{
	struct lfs_inode *inode;

	pthread_mutex_lock(&s->lock);
	inode = s->idle.next;
	if (inode == &s->idle) {
		inode = NULL;
	} else {
		list_remove(inode);
		inode->pins = 1;
	}
	pthread_mutex_unlock(&s->lock);
	return inode;
}

static bool idle_drop(struct lfs *fs, struct lfs_icache_shard *s, struct lfs_inode *inode)
{
	bool gone = false;

	pthread_mutex_lock(&s->lock);
	if (inode->pins == 1 && !wants_flush(inode, true)) {
		unhash(fs, s, inode);
		gone = true;
	} else if (!--inode->pins) {
		list_add(&s->idle, inode);
	}
	pthread_mutex_unlock(&s->lock);
	if (gone)
		inode_release(inode);
	return gone;
}

/**
 * lfs_icache_shrink() - Idle inodes leave memory until @to are left. Context: op_lock shared, no other lock.
 */
void lfs_icache_shrink(struct lfs *fs, uint64_t to)
{
	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS; i++) {
		struct lfs_icache_shard *s = &fs->icache.shard[i];
		uint32_t tries = s->count;

		while (s->count > to / LFS_ICACHE_SHARDS && tries--) {
			struct lfs_inode *inode = idle_take(s);

			if (!inode)
				break;
			pthread_rwlock_wrlock(&inode->lock);
			if (wants_flush(inode, true) && !fs->memory_only &&
			    !lfs_inode_flush_map(fs, inode))
				lfs_inode_store(fs, inode);
			pthread_rwlock_unlock(&inode->lock);
			idle_drop(fs, s, inode);
		}
	}
}

/* ---- Numbers ------------------------------------------------------------------------------------------------------- */

/** lfs_ino_alloc() - A number that no inode has, with a generation that no inode with it ever had. */
int lfs_ino_alloc(struct lfs *fs, uint32_t *ino, uint32_t *generation)
{
	int err = 0;

	pthread_mutex_lock(&fs->ino_lock);
	if (!roaring_bitmap_is_empty(fs->free_inos)) {
		*ino = roaring_bitmap_minimum(fs->free_inos);
		roaring_bitmap_remove(fs->free_inos, *ino);
	} else if (fs->next_ino > UINT32_MAX) {
		err = -ENOSPC;
	} else {
		*ino = (uint32_t)fs->next_ino++;
	}
	*generation = (uint32_t)fs->next_generation++;
	pthread_mutex_unlock(&fs->ino_lock);
	return err;
}

/** lfs_inode_free() - Its blocks are gone; so is it. Context: inode.lock exclusive. */
int lfs_inode_free(struct lfs *fs, struct lfs_inode *inode)
{
	int err;

	__atomic_store_n(&inode->mode, 0, __ATOMIC_RELAXED); /* rename.c looks without the lock */
	inode->dirty = true;
	err = lfs_inode_store(fs, inode);
	if (err)
		return err;
	inode->freed = true;
	pthread_mutex_lock(&fs->ino_lock);
	roaring_bitmap_remove(fs->orphans, inode->ino);
	fs->orphans_dirty = true;
	fs->inodes--;
	pthread_mutex_unlock(&fs->ino_lock);
	return 0;
}

/* ---- References (N3) ---------------------------------------------------------------------------------------------------- */

static uint32_t refs_slot(const struct lfs_icache_shard *s, uint32_t ino)
{
	uint32_t i = hash_of(ino) & (s->refs_room - 1);

	while (s->refs[i] && s->refs[i] >> 32 != ino)
		i = (i + 1) & (s->refs_room - 1);
	return i;
}

static int refs_grow(struct lfs_icache_shard *s)
{
	uint64_t *old = s->refs, *fresh = calloc(s->refs_room * 2, sizeof(*fresh));
	uint32_t room = s->refs_room;

	if (!fresh)
		return -ENOMEM;
	s->refs = fresh;
	s->refs_room = room * 2;
	for (uint32_t i = 0; i < room; i++)
		if (old[i])
			s->refs[refs_slot(s, (uint32_t)(old[i] >> 32))] = old[i];
	free(old);
	return 0;
}

/* Take slot @i out: those behind it that probed over it move up. */
static void refs_remove(struct lfs_icache_shard *s, uint32_t i)
{
	uint32_t mask = s->refs_room - 1, j = i;

	for (;;) {
		uint32_t home;

		j = (j + 1) & mask;
		if (!s->refs[j])
			break;
		home = hash_of(s->refs[j] >> 32) & mask;
		if (((j - home) & mask) >= ((j - i) & mask)) {
			s->refs[i] = s->refs[j];
			i = j;
		}
	}
	s->refs[i] = 0;
	s->nrefs--;
}

int lfs_ref_add(struct lfs *fs, uint32_t ino, uint32_t n)
{
	struct lfs_icache_shard *s = shard_of(fs, ino);
	uint32_t i;
	int err = 0;

	pthread_mutex_lock(&s->lock);
	i = refs_slot(s, ino);
	if (!s->refs[i] && s->nrefs * 4 >= s->refs_room * 3) {
		err = refs_grow(s);
		i = refs_slot(s, ino);
	}
	if (!err && !s->refs[i]) {
		s->refs[i] = (uint64_t)ino << 32;
		s->nrefs++;
	}
	if (!err)
		s->refs[i] += n;
	pthread_mutex_unlock(&s->lock);
	return err;
}

/** lfs_ref_drop() - @n references less. Return: what is left. */
uint32_t lfs_ref_drop(struct lfs *fs, uint32_t ino, uint64_t n)
{
	struct lfs_icache_shard *s = shard_of(fs, ino);
	uint32_t i, left = 0;

	pthread_mutex_lock(&s->lock);
	i = refs_slot(s, ino);
	if (s->refs[i]) {
		left = (uint32_t)s->refs[i];
		left = n >= left ? 0 : left - (uint32_t)n;
		s->refs[i] = (uint64_t)ino << 32 | left;
		if (!left)
			refs_remove(s, i);
	}
	pthread_mutex_unlock(&s->lock);
	return left;
}

uint32_t lfs_ref_count(struct lfs *fs, uint32_t ino)
{
	struct lfs_icache_shard *s = shard_of(fs, ino);
	uint32_t n;

	pthread_mutex_lock(&s->lock);
	n = (uint32_t)s->refs[refs_slot(s, ino)];
	pthread_mutex_unlock(&s->lock);
	return n;
}

uint64_t lfs_ref_total(struct lfs *fs)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < LFS_ICACHE_SHARDS; i++)
		n += fs->icache.shard[i].nrefs;
	return n;
}

void lfs_attr_of(const struct lfs_inode *inode, struct lfs_attr *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->ino = inode->ino;
	attr->size = S_ISDIR(inode->mode) ? (uint64_t)inode->dir_blocks * LFS_BLOCK : inode->size;
	attr->blocks = (S_ISDIR(inode->mode) ? inode->dir_blocks : inode->blocks) *
		       (LFS_BLOCK / 512);
	attr->atime = inode->atime;
	attr->mtime = inode->mtime;
	attr->ctime = inode->ctime;
	attr->btime = inode->btime;
	attr->generation = inode->generation;
	attr->mode = inode->mode;
	attr->nlink = inode->nlink;
	attr->uid = inode->uid;
	attr->gid = inode->gid;
	attr->rdev = inode->rdev;
	attr->flags = inode->fsflags;
}
