/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The cleaner: moves what is live out of segments that are mostly dead.
 *
 *   Which:  the largest (1 - u) * age / u, u the live share, age in segments opened since: what is gained for a block
 *           moved, and for how long. (Cost-benefit, of Rosenblum and Ousterhout, "The Design and Implementation of a
 *           Log-Structured File System", 1992, has 1 + u, as if the segment were read as a whole.) No share is too large:
 *           what is old and nearly whole is the place where dead blocks would stay for ever. Data go to the cold
 *           head, so that what lives long is not moved with what dies soon.
 *   Whose:  the segment's owners say inode and block; the map must still name the place, else a shared address
 *           does (REVERSE). Nothing is kept in memory for it but one segment's owners.
 *   Safe:   a move is not logged. Until the next checkpoint the old place stays as it is, and recovery finds the
 *           block there; only then the segment becomes free (S1).
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/stat.h>

#define VICTIMS_MAX 32u
#define SCAN_GROUPS 256u /* groups looked at for one choice */
#define RUN_BLOCKS  64u
#define WORTH_SHARE 32u /* of a segment has to be dead, if nobody waits for it */

struct victim {
	uint32_t seg, live;
	uint64_t seq, score;
};

/* ---- Choosing ------------------------------------------------------------------------------------------------ */

static void consider(struct victim *v, uint32_t *n, uint32_t want, const struct victim *one)
{
	uint32_t i;

	if (*n == want && v[want - 1].score >= one->score)
		return;
	i = *n < want ? (*n)++ : want - 1;
	for (; i && v[i - 1].score < one->score; i--)
		v[i] = v[i - 1];
	v[i] = *one;
}

static uint64_t score_of(const struct lfs *fs, const struct lfs_seg *s)
{
	uint64_t room = lfs_seg_end(&fs->geo), live = s->live < room ? s->live : room;
	uint64_t age = fs->next_segseq - s->seq;

	return ((room - live) << 20) / (live + 1) * (age < 1u << 20 ? age : 1u << 20);
}

/* @forced: anything with a dead block; else only what is worth it. */
static bool is_candidate(const struct lfs *fs, const struct lfs_seg *s, bool forced)
{
	uint32_t room = lfs_seg_end(&fs->geo);

	if (s->state != LFS_SEG_CLOSED || !s->live)
		return false;
	return s->live + (forced ? 2u : room / WORTH_SHARE) < room;
}

static uint32_t choose(struct lfs *fs, struct victim *v, uint32_t want, bool forced)
{
	uint32_t n = 0, groups = fs->geo.ngroups < SCAN_GROUPS ? fs->geo.ngroups : SCAN_GROUPS;

	pthread_mutex_lock(&fs->alloc_lock);
	for (uint32_t k = 0; k < groups; k++) {
		uint32_t g = (fs->gc_rotor + k) % fs->geo.ngroups;
		const struct lfs_seg *seg;

		if (!fs->groups[g].nlive || lfs_group_load(fs, g))
			continue;
		seg = fs->groups[g].seg;
		for (uint32_t i = 0; i < fs->geo.segs_per_group; i++) {
			struct victim one = { g * fs->geo.segs_per_group + i, seg[i].live,
					      seg[i].seq, 0 };

			if (!is_candidate(fs, &seg[i], forced))
				continue;
			one.score = score_of(fs, &seg[i]);
			consider(v, &n, want, &one);
		}
	}
	if (fs->geo.ngroups > SCAN_GROUPS)
		fs->gc_rotor = (fs->gc_rotor + groups) % fs->geo.ngroups;
	pthread_mutex_unlock(&fs->alloc_lock);
	return n;
}

/* ---- Moving ----------------------------------------------------------------------------------------------------- */

struct moving {
	struct lfs *fs;
	uint64_t daddr, n; /* blocks that follow each other, and whose owners do */
	uint64_t owner, index;
	uint8_t *bytes; /* RUN_BLOCKS */
};

/* Copies are made, the map has changed: the old ones are dead. Or it has not: the copies are. */
static int settle(struct moving *m, int err, uint64_t to, uint64_t n)
{
	int e;

	if (err && err != -ENOENT)
		lfs_live_remove(m->fs, to, n);
	if (err)
		return err;
	e = lfs_live_remove(m->fs, m->daddr, n);
	return e;
}

static int move_shared(struct moving *m, uint64_t vaddr)
{
	struct lfs_map_id nobody = { 0, 0 };
	uint64_t to, got;
	int err = lfs_block_read(m->fs, m->daddr, m->bytes);

	if (!err)
		err = lfs_log_place(m->fs, LFS_HEAD_COLD, lfs_owner(LFS_KIND_SHARED, nobody), vaddr,
				    1, m->bytes, &to, &got);
	if (err)
		return err;
	err = lfs_shared_move(m->fs, vaddr, m->daddr, to);
	if (err == -ENOENT) { /* freed meanwhile: then the old place is dead already */
		lfs_live_remove(m->fs, to, 1);
		return 0;
	}
	return settle(m, err, to, 1);
}

/* How many of the @n blocks from @index the map still has where they are being moved from. */
static int still_there(struct moving *m, struct lfs_inode *inode, uint64_t *n)
{
	struct lindex_run run;
	int err = lfs_map_lookup(m->fs, inode, m->index, &run);

	if (err)
		return err;
	if (run.tag != LFS_TAG_PLAIN || lindex_value(&run, m->index) != m->daddr)
		return -ENOENT;
	if (run.last - m->index + 1 < *n)
		*n = run.last - m->index + 1;
	return 0;
}

static int move_data_locked(struct moving *m, struct lfs_inode *inode, uint64_t *done)
{
	uint32_t head = S_ISDIR(inode->mode) || m->index >= LFS_XATTR_LBN ||
					inode->ino == LFS_ORPHANS_INO ?
				LFS_HEAD_META :
				LFS_HEAD_COLD;
	struct lindex_run run = { .first = m->index, .step = 1 };
	uint64_t n = m->n, got = 0;
	int err = still_there(m, inode, &n);

	if (!err)
		err = lfs_block_read_run(m->fs, m->daddr, n, m->bytes);
	if (!err)
		err = lfs_log_place(m->fs, head, m->owner, m->index, n, m->bytes, &run.value, &got);
	if (err)
		return err;
	run.last = run.first + got - 1;
	err = lfs_map_set(m->fs, inode, &run);
	*done = got;
	if (LFS_PLANTED(CLEANER_DROPS_BLOCK) && !err && m->n > got)
		*done = got + 1;
	return settle(m, err, run.value, *done);
}

/* Blocks of an inode. -ENOENT: the first is not where its map says any more. */
static int move_data(struct moving *m, uint64_t *done)
{
	struct lfs_inode *inode;
	int err = lfs_iget(m->fs, (uint32_t)m->owner, &inode);

	if (err)
		return err == -ESTALE ? -ENOENT : err;
	pthread_rwlock_wrlock(&inode->lock);
	err = move_data_locked(m, inode, done);
	lfs_file_put(m->fs, inode);
	return err;
}

static int move_itable(struct moving *m)
{
	struct lfs_cblk *blk;
	struct lindex_run run;
	int err;

	pthread_rwlock_rdlock(&m->fs->imap_lock);
	err = lfs_pindex_lookup(m->fs->sys[LFS_SYS_IMAP], m->index, &run);
	pthread_rwlock_unlock(&m->fs->imap_lock);
	if (!err && lindex_value(&run, m->index) != m->daddr)
		err = -ENOENT;
	if (!err)
		err = lfs_itable_get(m->fs, m->index, &blk);
	if (err)
		return err;
	lfs_cache_dirty(&m->fs->cache, blk); /* the next checkpoint writes it elsewhere */
	lfs_cache_put(&m->fs->cache, blk);
	return 0;
}

static int move_in_index(struct moving *m, struct lfs_pindex *pi)
{
	switch (m->owner >> 56) {
	case LFS_KIND_PAGE:
		return lfs_pindex_page_move(pi, m->index, m->daddr);
	case LFS_KIND_PTAB:
		return lfs_pindex_node_dirty(pi, m->index, m->daddr);
	default:
		return lfs_pindex_root_dirty(pi, m->daddr);
	}
}

/* A block of a map. */
static int move_map(struct moving *m)
{
	uint32_t which = (uint32_t)(m->owner >> 48) & 0xff;
	struct lfs_inode *inode;
	struct lfs_pindex *pi;
	int err;

	if (which >= LFS_WHICH_SYS) {
		if (which - LFS_WHICH_SYS >= LFS_SYS_MAPS)
			return -ENOENT;
		pthread_rwlock_rdlock(&m->fs->imap_lock);
		err = move_in_index(m, m->fs->sys[which - LFS_WHICH_SYS]);
		pthread_rwlock_unlock(&m->fs->imap_lock);
		return err;
	}
	err = lfs_iget(m->fs, (uint32_t)m->owner, &inode);
	if (err)
		return err == -ESTALE ? -ENOENT : err;
	pthread_rwlock_wrlock(&inode->lock);
	err = lfs_map_index(m->fs, inode, which, &pi);
	if (!err)
		err = pi ? move_in_index(m, pi) : -ENOENT;
	lfs_file_put(m->fs, inode);
	return err;
}

/* The block, or some that follow it. -ENOENT: nobody wants it where it is. */
static int move(struct moving *m, uint64_t *done)
{
	uint64_t vaddr;
	int err = -ENOENT;

	*done = 1;
	switch (m->owner >> 56) {
	case LFS_KIND_DATA:
		err = move_data(m, done);
		break;
	case LFS_KIND_ITABLE:
		return move_itable(m);
	case LFS_KIND_PAGE:
	case LFS_KIND_PTAB:
	case LFS_KIND_ROOT:
		return move_map(m);
	default:
		break;
	}
	if (err != -ENOENT)
		return err;
	err = lfs_shared_reverse(m->fs, m->daddr, &vaddr);
	return err ? err : move_shared(m, vaddr);
}

static bool is_live(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* From block @i on: how many live ones follow each other in place, owner and index. */
static uint32_t run_at(const struct lfs_owners_disk *o, const uint64_t *bits, uint32_t i,
		       uint32_t count)
{
	uint32_t n = 1;

	while (i + n < count && n < RUN_BLOCKS && is_live(bits, i + n) &&
	       o->entry[i + n].owner == o->entry[i].owner &&
	       lfs_from64(o->entry[i + n].index) == lfs_from64(o->entry[i].index) + n)
		n++;
	return n;
}

/* A block moved, or died while we looked; anything else keeps the segment as it is. */
static int clean_blocks(struct moving *m, const struct victim *v, const struct lfs_owners_disk *o,
			const uint64_t *bits)
{
	uint32_t count = lfs_from32(o->count), i = 0;
	uint64_t base = (uint64_t)v->seg << m->fs->geo.seg_shift, done;
	int err = 0;

	while (i < count && !err) {
		if (!is_live(bits, i)) {
			i++;
			continue;
		}
		m->daddr = base + i;
		m->n = run_at(o, bits, i, count);
		m->owner = lfs_from64(o->entry[i].owner);
		m->index = lfs_from64(o->entry[i].index);
		err = move(m, &done);
		if (err == -ENOENT)
			err = 0;
		m->fs->count.cleaner_read += done;
		i += (uint32_t)done;
	}
	return err;
}

static int clean(struct lfs *fs, const struct victim *v)
{
	struct lfs_owners_disk *owners = aligned_alloc(64, sizeof(*owners));
	struct moving m = { .fs = fs, .bytes = aligned_alloc(64, RUN_BLOCKS * LFS_BLOCK) };
	uint64_t bits[LFS_SEGMENT_MAX / LFS_BLOCK / 64];
	int err = owners && m.bytes ? 0 : -ENOMEM;

	pthread_rwlock_rdlock(&fs->op_lock);
	if (!err)
		err = lfs_writable(fs);
	if (!err)
		err = lfs_owners_read(fs, v->seg, v->seq, owners);
	if (!err)
		err = lfs_live_in_segment(fs, v->seg, bits);
	if (!err)
		err = clean_blocks(&m, v, owners, bits);
	pthread_rwlock_unlock(&fs->op_lock);
	free(owners);
	free(m.bytes);
	if (err == -EBADMSG || err == -EIO || err == -EUCLEAN) {
		lfs_log(fs, LFS_LOG_ERROR, "segment %u has damaged blocks and is not cleaned",
			v->seg);
		lfs_seg_bad(fs, v->seg);
	}
	return err;
}

/** lfs_gc_segment() - Move what is live out of one segment, whatever its state. Return: 0, errors of reading. */
int lfs_gc_segment(struct lfs *fs, uint32_t seg)
{
	struct victim v = { .seg = seg };
	struct lfs_seg s;
	int err = lfs_seg_get(fs, seg, &s);

	v.seq = s.seq;
	return err ? err : clean(fs, &v);
}

/**
 * lfs_gc_run() - Clean up to @segments; a checkpoint makes them free. @forced: even if it is hardly worth it.
 *
 * Context: gc_lock. Return: segments cleaned, 0: none is worth it; negative errno.
 */
int lfs_gc_run(struct lfs *fs, uint32_t segments, bool forced)
{
	struct victim v[VICTIMS_MAX];
	uint32_t n, cleaned = 0;
	uint64_t room;
	int err = 0;

	pthread_mutex_lock(&fs->alloc_lock);
	room = fs->nfree > 3 ? (fs->nfree - 3) * (lfs_seg_end(&fs->geo) - 8) : 0;
	pthread_mutex_unlock(&fs->alloc_lock);
	n = choose(fs, v, segments < VICTIMS_MAX ? segments : VICTIMS_MAX, forced);
	for (uint32_t i = 0; i < n && !err; i++) {
		if (v[i].live > room && cleaned)
			break;
		room = v[i].live < room ? room - v[i].live : 0;
		err = clean(fs, &v[i]);
		if (err == -EBADMSG || err == -EIO || err == -EUCLEAN) {
			err = 0;
			continue;
		}
		cleaned += !err;
	}
	fs->count.cleaned += cleaned;
	return err ? err : (int)cleaned;
}
