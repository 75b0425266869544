/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stands at fixed places, read from the device itself before anything is mounted: superblocks, checkpoint regions,
 * group directories, groups' info.
 *
 * Superblock and checkpoint are kept twice: a damaged copy is written anew from the other. (A copy that is sound but
 * older is what a crash between the two writes leaves, and no finding.) Of the groups' books only one copy is current;
 * where that is damaged it is made anew from what the segments say of themselves:
 *
 *   a table, or chunks, with a sequence number that had been given out  -> CLOSED, every block of it in use
 *   a segment that the checkpoint says a head is in                     -> OPEN, as far as the checkpoint says
 *   anything else                                                       -> FREE
 *
 * That is never too little; what nobody names is given back by check_books.c later in the same repair. The new books
 * go where the current ones are not, and become current with a new checkpoint block.
 */
#include "checker.h"

#include <stdlib.h>

struct places {
	struct lfs_checker *ck;
	struct lfs_super_disk super;
	struct lfs_cp_disk cp;
	struct lfs_geometry geo;
	uint32_t region; /* of the newer checkpoint */
	bool changed;    /* cp needs to be written */
};

static const uint32_t super_blocks[2] = { LFS_SUPER0_BLOCK, LFS_SUPER1_BLOCK };
static const uint32_t cp_blocks[2] = { LFS_CP0_BLOCK, LFS_CP1_BLOCK };

static int read_at(struct places *p, void *buf, uint64_t block, uint64_t n)
{
	struct lfs_bdev *dev = p->ck->dev;

	if ((block + n) * LFS_BLOCK > dev->size_bytes)
		return -EIO;
	return dev->ops->read(dev, buf, (size_t)n * LFS_BLOCK, block * LFS_BLOCK);
}

static int write_at(struct places *p, const void *buf, uint64_t block, uint64_t n)
{
	struct lfs_bdev *dev = p->ck->dev;

	return dev->ops->write(dev, buf, (size_t)n * LFS_BLOCK, block * LFS_BLOCK);
}

static int flush(struct places *p)
{
	return p->ck->dev->ops->flush(p->ck->dev);
}

/* Both kinds of block have magic at 0 and csum at 8. */
static bool copy_sound(const void *block, uint64_t magic, uint32_t at)
{
	const lfs_le64 *words = block;

	return lfs_from64(words[0]) == magic &&
	       lfs_from64(words[1]) == lfs_csum_fixed(block, LFS_BLOCK, 8, at);
}

/* Compare each copy's checksum; write a damaged one anew from @good. */
static int copies_check(struct places *p, void *good, const uint32_t *blocks, uint64_t magic,
			const char *what)
{
	lfs_le64 *csum = (lfs_le64 *)good + 1;
	uint8_t *bytes = aligned_alloc(64, LFS_BLOCK);
	int err = bytes ? 0 : -ENOMEM;

	for (int i = 0; i < 2 && !err; i++) {
		int bad = read_at(p, bytes, blocks[i], 1);

		if (!bad && copy_sound(bytes, magic, blocks[i]))
			continue;
		if (!lfs_found(p->ck, true, "%s %d, block %u: %s", what, i, blocks[i],
			       bad ? strerror(-bad) : "checksum does not match"))
			continue;
		*csum = lfs_to64(lfs_csum_fixed(good, LFS_BLOCK, 8, blocks[i]));
		err = write_at(p, good, blocks[i], 1);
		if (!err)
			err = flush(p);
		err = lfs_unfixed(p->ck, err, "%s %d", what, i);
	}
	free(bytes);
	return err;
}

/* ---- A group's books from its segments -------------------------------------------------------------------- */

static uint64_t gdir_at(const struct lfs_geometry *geo, uint32_t index, uint64_t copy)
{
	return LFS_GDIR_BLOCK + copy * geo->gdir_blocks + index;
}

static uint64_t info_at(const struct lfs_geometry *geo, uint32_t group, uint64_t copy)
{
	uint64_t base = group ? (uint64_t)group * LFS_GROUP_BLOCKS : gdir_at(geo, 0, 2);

	return base + copy * geo->ginfo_blocks;
}

struct rebuilt {
	struct lfs_seg_disk *seg;
	uint8_t *bits;
	uint32_t live, free;
};

static void put_segment(const struct lfs_geometry *geo, struct rebuilt *r, uint32_t i,
			enum lfs_seg_state state, uint64_t seq, uint32_t first, uint32_t end)
{
	uint32_t at = i << geo->seg_shift;

	r->seg[i].seq = lfs_to64(seq);
	r->seg[i].state = (uint8_t)state;
	r->seg[i].live = lfs_to16(end > first ? end - first : 0);
	for (uint32_t b = first; b < end; b++)
		r->bits[(at + b) / 8] |= (uint8_t)(1u << (at + b) % 8);
	r->live += end > first ? end - first : 0;
	r->free += state == LFS_SEG_FREE;
}

/* Is @seg where a head writes, or will next? */
static bool of_a_head(const struct places *p, uint32_t seg, uint64_t *seq, uint32_t *end)
{
	for (uint32_t i = 0; i < LFS_HEADS; i++) {
		const struct lfs_head_disk *h = &p->cp.heads[i];

		*end = 0;
		*seq = lfs_from64(h->next_seq);
		if (lfs_from32(h->next_segment) == seg)
			return true;
		*end = lfs_from32(h->position);
		*seq = lfs_from64(h->seq);
		if (lfs_from32(h->segment) == seg)
			return true;
	}
	return false;
}

/* A table, or else the first chunk, that belongs to a life of the segment before the checkpoint. *end: how full. */
static bool has_been_written(struct places *p, uint32_t seg, uint32_t first, uint64_t *seq,
			     uint32_t *end)
{
	uint64_t base = (uint64_t)seg << p->geo.seg_shift, at = base + lfs_seg_end(&p->geo);
	uint8_t *bytes = aligned_alloc(64, LFS_BLOCK);
	const struct lfs_table_disk *t = (const void *)bytes;
	const struct lfs_chunk_disk *c = (const void *)bytes;
	bool found = false;

	if (bytes && !read_at(p, bytes, at, 1) && lfs_from32(t->magic) == LFS_TABLE_MAGIC) {
		*seq = lfs_from64(t->segment_seq);
		*end = lfs_from32(t->count);
		found = *end <= lfs_seg_end(&p->geo) &&
			lfs_from64(t->csum) == lfs_csum_parts(t, LFS_BLOCK, 16, NULL, 0, at, *seq);
	}
	if (bytes && !found && !read_at(p, bytes, base + first, 1) &&
	    lfs_from32(c->magic) == LFS_CHUNK_MAGIC) {
		*seq = lfs_from64(c->segment_seq);
		*end = lfs_seg_end(&p->geo);
		found = true;
	}
	free(bytes);
	return found && *seq && *seq < lfs_from64(p->cp.next_segment_seq);
}

static void rebuild_segment(struct places *p, struct rebuilt *r, uint32_t seg)
{
	uint32_t i = seg % p->geo.segs_per_group, first = lfs_seg_first(&p->geo, seg), end = 0;
	uint64_t seq = 0;

	if (seg >= p->geo.nsegs || first + 8 > lfs_seg_end(&p->geo))
		put_segment(&p->geo, r, i, LFS_SEG_RESERVED, 0, 0, 0);
	else if (of_a_head(p, seg, &seq, &end))
		put_segment(&p->geo, r, i, LFS_SEG_OPEN, seq, first, end);
	else if (has_been_written(p, seg, first, &seq, &end))
		put_segment(&p->geo, r, i, LFS_SEG_CLOSED, seq, first, end);
	else
		put_segment(&p->geo, r, i, LFS_SEG_FREE, 0, 0, 0);
}

/* Make the group's info anew, in the copy that is not current; its entry in the directory says so. */
static int rebuild_group(struct places *p, uint32_t g, struct lfs_gdir_entry *e)
{
	size_t bytes = (size_t)p->geo.ginfo_blocks * LFS_BLOCK;
	struct lfs_group_disk *d = aligned_alloc(64, bytes);
	uint8_t copy = e->copy == 0 ? 1 : 0;
	uint64_t at = info_at(&p->geo, g, copy);
	struct rebuilt r = { 0 };
	int err;

	if (!d)
		return -ENOMEM;
	memset(d, 0, bytes);
	d->magic = lfs_to64(LFS_GROUP_MAGIC);
	d->group = lfs_to64(g);
	d->stamp = lfs_to64(lfs_from64(p->cp.sequence) + 1);
	r.seg = (void *)(d + 1);
	r.bits = (uint8_t *)(r.seg + p->geo.segs_per_group);
	for (uint32_t i = 0; i < p->geo.segs_per_group; i++)
		rebuild_segment(p, &r, g * p->geo.segs_per_group + i);
	d->csum = lfs_to64(lfs_csum_fixed(d, bytes, 8, at));
	e->csum = d->csum;
	e->live = lfs_to32(r.live);
	e->free = lfs_to16(r.free);
	e->copy = copy;
	err = write_at(p, d, at, p->geo.ginfo_blocks);
	free(d);
	return err;
}

/* ---- Group directories ------------------------------------------------------------------------------------ */

static uint32_t groups_below(const struct places *p, uint32_t index)
{
	uint32_t first = index * LFS_GDIR_GROUPS;

	return p->geo.ngroups - first < LFS_GDIR_GROUPS ? p->geo.ngroups - first : LFS_GDIR_GROUPS;
}

/* Return: 0, -EBADMSG: also if only its own copy of the checksum is wrong, which nobody reads; -ENOMEM. */
static int info_check(struct places *p, uint32_t g, const struct lfs_gdir_entry *e)
{
	size_t bytes = (size_t)p->geo.ginfo_blocks * LFS_BLOCK;
	uint8_t *buf = aligned_alloc(64, bytes);
	uint64_t at = info_at(&p->geo, g, e->copy);
	bool sound = buf && e->copy <= 1 && !read_at(p, buf, at, p->geo.ginfo_blocks) &&
		     lfs_csum_fixed(buf, bytes, 8, at) == lfs_from64(e->csum) &&
		     !memcmp(buf + offsetof(struct lfs_group_disk, csum), &e->csum, 8);
	int err = !buf ? -ENOMEM : sound ? 0 : -EBADMSG;

	free(buf);
	return err;
}

/* The directory as it is now, in the copy that is not current. */
static int gdir_renew(struct places *p, uint32_t index, struct lfs_gdir_disk *d)
{
	uint64_t word = lfs_from64(p->cp.gdirs[index]), copy = word ? !(word & 1) : 0;
	uint64_t at = gdir_at(&p->geo, index, copy), csum;

	d->magic = lfs_to64(LFS_GDIR_MAGIC);
	d->index = lfs_to64(index);
	d->stamp = lfs_to64(lfs_from64(p->cp.sequence) + 1);
	csum = lfs_csum_fixed(d, LFS_BLOCK, 8, at);
	d->csum = lfs_to64(csum);
	p->cp.gdirs[index] = lfs_to64((csum & ~UINT64_C(1)) | copy);
	p->changed = true;
	return write_at(p, d, at, 1);
}

/* Every group whose info cannot be used; @all: nothing is known of any. @renew: the directory is written in any case. */
static int groups_check(struct places *p, uint32_t index, struct lfs_gdir_disk *d, bool all,
			bool renew)
{
	int err = 0;

	for (uint32_t i = 0; i < groups_below(p, index) && !err; i++) {
		uint32_t g = index * LFS_GDIR_GROUPS + i;
		struct lfs_gdir_entry *e = &d->entry[i];

		if (!all) {
			int bad = e->copy == 0xff ? 0 : info_check(p, g, e);

			if (bad == -ENOMEM)
				return bad;
			if (!bad)
				continue;
		}
		if (!all && !lfs_found(p->ck, true,
				       "group %u: its info at block %llu: checksum does not match",
				       g, (unsigned long long)info_at(&p->geo, g, e->copy)))
			continue;
		err = rebuild_group(p, g, e);
		renew = true;
	}
	return err || !renew ? err : gdir_renew(p, index, d);
}

static int gdir_check(struct places *p, uint32_t index)
{
	uint64_t word = lfs_from64(p->cp.gdirs[index]), at = gdir_at(&p->geo, index, word & 1);
	struct lfs_gdir_disk *d;
	uint64_t csum;
	bool sound;
	int err = 0;

	if (!word)
		return 0;
	d = aligned_alloc(64, LFS_BLOCK);
	if (!d)
		return -ENOMEM;
	memset(d, 0, LFS_BLOCK);
	sound = !read_at(p, d, at, 1);
	csum = lfs_csum_fixed(d, LFS_BLOCK, 8, at);
	sound = sound && (csum & ~UINT64_C(1)) == (word & ~UINT64_C(1)) &&
		lfs_from64(d->magic) == LFS_GDIR_MAGIC;
	if (sound) {
		bool renew = lfs_from64(d->csum) != csum &&
			     lfs_found(p->ck, true,
				       "group directory %u at block %llu: its copy of the checksum "
				       "is wrong",
				       index, (unsigned long long)at);

		err = groups_check(p, index, d, false, renew);
	} else if (lfs_found(p->ck, true,
			     "group directory %u at block %llu: checksum does not match", index,
			     (unsigned long long)at)) {
		memset(d, 0, LFS_BLOCK);
		for (uint32_t i = 0; i < LFS_GDIR_GROUPS; i++)
			d->entry[i].copy = 0xff;
		err = groups_check(p, index, d, true, true);
	}
	free(d);
	return err;
}

/* The books are durable; from the first flush here they count. */
static int checkpoint_renew(struct places *p)
{
	int err = flush(p);

	p->cp.sequence = lfs_to64(lfs_from64(p->cp.sequence) + 1);
	for (int i = 0; i < 2 && !err; i++) {
		uint32_t block = cp_blocks[i ? p->region : !p->region];

		p->cp.csum = lfs_to64(lfs_csum_fixed(&p->cp, LFS_BLOCK, 8, block));
		err = write_at(p, &p->cp, block, 1);
		if (!err)
			err = flush(p);
	}
	return err;
}

/**
 * lfs_check_places() - Return: 0, also with findings; -ENODATA and other errors of lfs_super_read(), -EUCLEAN.
 */
int lfs_check_places(struct lfs_checker *ck)
{
	struct places p = { .ck = ck };
	const char *why = NULL;
	int err = lfs_super_read(ck->dev, &p.super, &why);

	if (!err)
		err = lfs_super_geometry(&p.super, &p.geo);
	if (!err)
		err = copies_check(&p, &p.super, super_blocks, LFS_SUPER_MAGIC, "superblock");
	if (!err && !lfs_cp_read(ck->dev, &p.cp, &p.region, p.geo.blocks)) {
		err = copies_check(&p, &p.cp, cp_blocks, LFS_CP_MAGIC, "checkpoint");
		for (uint32_t i = 0; i * LFS_GDIR_GROUPS < p.geo.ngroups && !err; i++)
			err = gdir_check(&p, i);
		if (!err && p.changed)
			err = checkpoint_renew(&p);
	}
	return err;
}
