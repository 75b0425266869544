/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Groups, segments, live blocks: which parts of the log are in use.
 *
 *          lfs_seg_alloc()         lfs_seg_close()          lfs_groups_snapshot()        lfs_groups_release()
 *   FREE ------------------> OPEN -----------------> CLOSED ---------------------> PENDING ------------------> FREE
 *                                                     (when no block of it is live)   (the checkpoint is durable)
 *
 *   S1  A segment is FREE only if the durable checkpoint does not refer to any block of it.
 *   S2  seg.live is the number of live blocks in it; nlive is their sum.
 *   S3  A group's info on disk is that of the durable checkpoint until the next one is: two copies take turns, and the
 *       group directory above them, two copies too, says by checksum which one is meant; the checkpoint says the same
 *       of the group directories. So the books of space are not themselves in the log, and need no books.
 *   S4  All of this is guarded by alloc_lock.
 */
#include "internal.h"

#include <stdlib.h>

#define SLACK_SEGMENTS                                                                             \
	10u /* heads, their next ones, what a checkpoint and a cleaning need at once */
#define SLACK_SHARE 32u

/* ---- Geometry ------------------------------------------------------------------------------------------ */

static uint64_t fixed_end(const struct lfs_geometry *geo)
{
	return LFS_GDIR_BLOCK + 2ull * geo->gdir_blocks + 2ull * geo->ginfo_blocks;
}

/** lfs_seg_first() - The first block of @seg that the log may use; lfs_seg_end() or more: none. */
uint32_t lfs_seg_first(const struct lfs_geometry *geo, uint64_t seg)
{
	uint64_t at = seg << geo->seg_shift, fixed = fixed_end(geo);

	if (at < fixed)
		return fixed - at > geo->seg_blocks ? geo->seg_blocks : (uint32_t)(fixed - at);
	return seg % geo->segs_per_group ? 0 : 2 * geo->ginfo_blocks;
}

/** lfs_seg_end() - Blocks of a segment before its table. */
uint32_t lfs_seg_end(const struct lfs_geometry *geo)
{
	return geo->seg_blocks - LFS_TAIL_BLOCKS;
}

static bool seg_fixed(const struct lfs_geometry *geo, uint64_t seg)
{
	return seg >= geo->nsegs || lfs_seg_first(geo, seg) + 8 > lfs_seg_end(geo);
}

static uint64_t group_info_at(const struct lfs_geometry *geo, uint32_t group, uint32_t copy)
{
	uint64_t base = group ? (uint64_t)group * LFS_GROUP_BLOCKS :
				LFS_GDIR_BLOCK + 2ull * geo->gdir_blocks;

	return base + (uint64_t)copy * geo->ginfo_blocks;
}

static uint64_t gdir_at(const struct lfs_geometry *geo, uint32_t index, uint32_t copy)
{
	return LFS_GDIR_BLOCK + (uint64_t)copy * geo->gdir_blocks + index;
}

/** lfs_capacity() - Blocks that the log can hold: an upper bound. */
uint64_t lfs_capacity(const struct lfs_geometry *geo)
{
	uint64_t fixed = fixed_end(geo) + (geo->ngroups - 1) * 2ull * geo->ginfo_blocks;

	return geo->nsegs * lfs_seg_end(geo) - fixed;
}

/* A part that is never promised: chunk headers, segments half full, what is dead and not cleaned yet. */
uint64_t lfs_slack_blocks(const struct lfs_geometry *geo)
{
	return (SLACK_SEGMENTS + geo->nsegs / SLACK_SHARE) * geo->seg_blocks;
}

/* ---- Loading ------------------------------------------------------------------------------------------------ */

static void group_virgin(const struct lfs_geometry *geo, uint32_t g, struct lfs_seg *seg)
{
	for (uint32_t i = 0; i < geo->segs_per_group; i++) {
		memset(&seg[i], 0, sizeof(seg[i]));
		if (seg_fixed(geo, (uint64_t)g * geo->segs_per_group + i))
			seg[i].state = LFS_SEG_RESERVED;
	}
}

static void live_from_bits(roaring_bitmap_t *live, const uint8_t *bits)
{
	for (uint32_t i = 0; i < LFS_GROUP_BLOCKS; i += 64) {
		uint64_t word;

		memcpy(&word, bits + i / 8, 8);
		word = lfs_from64(word);
		if (word == UINT64_MAX)
			roaring_bitmap_add_range(live, i, i + 64);
		else
			for (; word; word &= word - 1)
				roaring_bitmap_add(live, i + (uint32_t)__builtin_ctzll(word));
	}
	roaring_bitmap_run_optimize(live);
}

static size_t group_bytes(const struct lfs_geometry *geo)
{
	return (size_t)geo->ginfo_blocks * LFS_BLOCK;
}

/* The group's blocks, verified. */
static int group_read(struct lfs *fs, uint32_t g, uint8_t *bytes)
{
	struct lfs_group *group = &fs->groups[g];
	uint64_t at = group_info_at(&fs->geo, g, group->copy), found;
	int err = lfs_dev_read(fs, bytes, fs->geo.ginfo_blocks, at);

	if (err)
		return err;
	found = lfs_csum_fixed(bytes, group_bytes(&fs->geo), 8, at);
	if (found == group->csum)
		return 0;
	fs->count.csum_errors++;
	lfs_log(fs, LFS_LOG_ERROR,
		"info of group %u at block %llu: checksum expected %016llx, found %016llx", g,
		(unsigned long long)at, (unsigned long long)group->csum, (unsigned long long)found);
	return -EBADMSG;
}

static int group_parse(struct lfs *fs, uint32_t g, const uint8_t *bytes, struct lfs_seg *seg)
{
	const struct lfs_geometry *geo = &fs->geo;
	const struct lfs_seg_disk *d = (const void *)(bytes + sizeof(struct lfs_group_disk));
	uint32_t nlive = 0;

	for (uint32_t i = 0; i < geo->segs_per_group; i++) {
		uint64_t n = (uint64_t)g * geo->segs_per_group + i;

		seg[i].seq = lfs_from64(d[i].seq);
		seg[i].live = lfs_from16(d[i].live);
		seg[i].state = d[i].state;
		seg[i].head = d[i].head;
		if (d[i].state > LFS_SEG_BAD || d[i].state == LFS_SEG_PENDING ||
		    seg[i].live > geo->seg_blocks)
			return -EUCLEAN;
		if (seg_fixed(geo, n) != (d[i].state == LFS_SEG_RESERVED)) {
			if (seg_fixed(geo, n) || seg[i].live)
				return -EUCLEAN;
			seg[i].state = LFS_SEG_FREE; /* the image has grown */
		}
		nlive += seg[i].live;
	}
	live_from_bits(fs->groups[g].live, (const uint8_t *)(d + geo->segs_per_group));
	return roaring_bitmap_get_cardinality(fs->groups[g].live) == nlive ? 0 : -EUCLEAN;
}

/** lfs_group_load() - Have the group's books in memory. Context: alloc_lock. */
int lfs_group_load(struct lfs *fs, uint32_t g)
{
	struct lfs_group *group = &fs->groups[g];
	uint32_t n = fs->geo.segs_per_group, nfree = 0;
	struct lfs_seg *seg;
	uint8_t *bytes;
	int err = 0;

	if (group->seg)
		return 0;
	seg = calloc(n, sizeof(*seg));
	bytes = aligned_alloc(64, group_bytes(&fs->geo));
	group->live = roaring_bitmap_create();
	if (!seg || !bytes || !group->live)
		err = -ENOMEM;
	if (!err && group->copy == 0xff) {
		group_virgin(&fs->geo, g, seg);
	} else if (!err) {
		err = group_read(fs, g, bytes);
		if (!err)
			err = group_parse(fs, g, bytes, seg);
		if (err == -EUCLEAN)
			lfs_log(fs, LFS_LOG_ERROR, "info of group %u makes no sense", g);
	}
	free(bytes);
	if (err) {
		free(seg);
		roaring_bitmap_free(group->live);
		group->live = NULL;
		return err;
	}
	for (uint32_t i = 0; i < n; i++)
		nfree += seg[i].state == LFS_SEG_FREE;
	fs->nfree += nfree - group->nfree;
	group->nfree = nfree;
	group->seg = seg;
	return 0;
}

static uint32_t virgin_free(const struct lfs_geometry *geo, uint32_t g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < geo->segs_per_group; i++)
		n += !seg_fixed(geo, (uint64_t)g * geo->segs_per_group + i);
	return n;
}

static int gdir_load(struct lfs *fs, uint32_t index, uint64_t word)
{
	struct lfs_gdir_disk *d = aligned_alloc(64, LFS_BLOCK);
	uint64_t at = gdir_at(&fs->geo, index, word & 1), csum;
	int err = 0;

	if (!d)
		return -ENOMEM;
	memset(d, 0, LFS_BLOCK);
	fs->gdirs[index] = d;
	fs->gdir_word[index] = word;
	if (!word) {
		for (uint32_t i = 0; i < LFS_GDIR_GROUPS; i++)
			d->entry[i].copy = 0xff;
		return 0;
	}
	err = lfs_dev_read(fs, d, 1, at);
	if (err)
		return err;
	csum = lfs_csum_fixed(d, LFS_BLOCK, 8, at);
	if ((csum & ~1ull) == (word & ~1ull))
		return 0;
	lfs_log(fs, LFS_LOG_ERROR, "group directory %u at block %llu: checksum does not match",
		index, (unsigned long long)at);
	return -EBADMSG;
}

static void group_init(struct lfs *fs, uint32_t g)
{
	const struct lfs_gdir_entry *e =
		&fs->gdirs[g / LFS_GDIR_GROUPS]->entry[g % LFS_GDIR_GROUPS];
	struct lfs_group *group = &fs->groups[g];

	memset(group, 0, sizeof(*group));
	group->csum = lfs_from64(e->csum);
	group->copy = e->copy;
	group->nlive = lfs_from32(e->live);
	group->nfree = e->copy == 0xff ? virgin_free(&fs->geo, g) : lfs_from16(e->free);
	fs->nfree += group->nfree;
}

/** lfs_groups_init() - Read the group directories. Groups follow when they are needed. */
int lfs_groups_init(struct lfs *fs, const struct lfs_cp_disk *cp)
{
	uint32_t n = fs->geo.gdir_blocks;
	int err = 0;

	pthread_mutex_init(&fs->alloc_lock, NULL);
	fs->groups = calloc(fs->geo.ngroups, sizeof(*fs->groups));
	fs->gdirs = calloc(n, sizeof(*fs->gdirs));
	fs->gdir_word = calloc(n, sizeof(*fs->gdir_word));
	fs->gdir_dirty = calloc(n, 1);
	if (!fs->groups || !fs->gdirs || !fs->gdir_word || !fs->gdir_dirty)
		return -ENOMEM;
	fs->next_segseq = lfs_from64(cp->next_segment_seq);
	fs->nlive = lfs_from64(cp->live);
	fs->nreserved = lfs_from64(cp->reserved);
	for (uint32_t i = 0; i * LFS_GDIR_GROUPS < fs->geo.ngroups && !err; i++)
		err = gdir_load(fs, i, lfs_from64(cp->gdirs[i]));
	for (uint32_t g = 0; g < fs->geo.ngroups && !err; g++)
		group_init(fs, g);
	return err;
}

void lfs_groups_destroy(struct lfs *fs)
{
	for (uint32_t g = 0; fs->groups && g < fs->geo.ngroups; g++) {
		free(fs->groups[g].seg);
		if (fs->groups[g].live)
			roaring_bitmap_free(fs->groups[g].live);
	}
	for (uint32_t i = 0; fs->gdirs && i < fs->geo.gdir_blocks; i++)
		free(fs->gdirs[i]);
	free(fs->groups);
	free(fs->gdirs);
	free(fs->gdir_word);
	free(fs->gdir_dirty);
	free(fs->emptied);
}

/** lfs_groups_grow() - The image is @blocks long now. Context: op_lock exclusive. */
int lfs_groups_grow(struct lfs *fs, uint64_t blocks)
{
	struct lfs_super_disk super = fs->super;
	uint32_t before = fs->geo.ngroups;
	struct lfs_geometry geo;
	struct lfs_group *groups;
	int err = 0;

	super.blocks = lfs_to64(blocks);
	if (lfs_super_geometry(&super, &geo))
		return -EFBIG;
	pthread_mutex_lock(&fs->alloc_lock);
	groups = realloc(fs->groups, geo.ngroups * sizeof(*groups));
	if (!groups)
		err = -ENOMEM;
	else
		fs->groups = groups;
	if (!err)
		err = lfs_group_load(fs, before - 1);
	for (uint32_t i = 0; !err && i * LFS_GDIR_GROUPS < geo.ngroups; i++)
		if (!fs->gdirs[i])
			err = gdir_load(fs, i, 0);
	if (!err) {
		struct lfs_group *last = &fs->groups[before - 1];

		fs->geo = geo;
		for (uint32_t i = 0; i < geo.segs_per_group; i++) {
			uint64_t n = (uint64_t)(before - 1) * geo.segs_per_group + i;

			if (last->seg[i].state != LFS_SEG_RESERVED || seg_fixed(&geo, n))
				continue;
			last->seg[i].state = LFS_SEG_FREE;
			last->nfree++;
			fs->nfree++;
		}
		last->dirty = true;
		for (uint32_t g = before; g < geo.ngroups; g++)
			group_init(fs, g);
	}
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

/* ---- Segments ----------------------------------------------------------------------------------------------------- */

static struct lfs_seg *seg_at(struct lfs *fs, uint64_t seg, struct lfs_group **group)
{
	*group = &fs->groups[seg / fs->geo.segs_per_group];
	return &(*group)->seg[seg % fs->geo.segs_per_group];
}

static int seg_find(struct lfs *fs, uint64_t seg, struct lfs_seg **out, struct lfs_group **group)
{
	int err;

	if (seg >= fs->geo.nsegs)
		return -EUCLEAN;
	err = lfs_group_load(fs, (uint32_t)(seg / fs->geo.segs_per_group));
	if (!err)
		*out = seg_at(fs, seg, group);
	return err;
}

/** lfs_seg_get() - A copy of what is known of @seg. */
int lfs_seg_get(struct lfs *fs, uint64_t seg, struct lfs_seg *out)
{
	struct lfs_group *group;
	struct lfs_seg *s;
	int err;

	pthread_mutex_lock(&fs->alloc_lock);
	err = seg_find(fs, seg, &s, &group);
	if (!err)
		*out = *s;
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

static int group_take(struct lfs *fs, uint32_t g, uint32_t head, uint32_t *seg, uint64_t *seq)
{
	struct lfs_group *group = &fs->groups[g];
	int err = lfs_group_load(fs, g);

	if (err)
		return err;
	for (uint32_t i = 0; i < fs->geo.segs_per_group; i++) {
		struct lfs_seg *s = &group->seg[i];

		if (s->state != LFS_SEG_FREE)
			continue;
		s->state = LFS_SEG_OPEN;
		s->head = (uint8_t)head;
		s->seq = fs->next_segseq++;
		s->live = 0;
		group->nfree--;
		fs->nfree--;
		group->dirty = true;
		*seg = g * fs->geo.segs_per_group + i;
		*seq = s->seq;
		return 0;
	}
	return -ENOSPC;
}

/** lfs_seg_alloc() - A free segment for @head, with a sequence number of its own. Return: 0, -ENOSPC. */
int lfs_seg_alloc(struct lfs *fs, uint32_t head, uint32_t *seg, uint64_t *seq)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&fs->alloc_lock);
	for (uint32_t i = 0; i < fs->geo.ngroups && err; i++) {
		uint32_t g = (fs->rotor + i) % fs->geo.ngroups;

		if (!fs->groups[g].nfree)
			continue;
		err = group_take(fs, g, head, seg,
				 seq); /* a group that cannot be read is passed by */
		if (!err)
			fs->rotor = g;
	}
	pthread_mutex_unlock(&fs->alloc_lock);
	return err ? -ENOSPC : 0;
}

/** lfs_seg_claim() - Recovery found that a head had taken @seg after the checkpoint. */
int lfs_seg_claim(struct lfs *fs, uint32_t seg, uint64_t seq, uint32_t head)
{
	struct lfs_group *group;
	struct lfs_seg *s;
	int err;

	pthread_mutex_lock(&fs->alloc_lock);
	err = seg_find(fs, seg, &s, &group);
	if (!err && s->state != LFS_SEG_FREE && (s->state != LFS_SEG_OPEN || s->seq != seq))
		err = -EUCLEAN;
	if (!err) {
		if (s->state == LFS_SEG_FREE) {
			group->nfree--;
			fs->nfree--;
		}
		s->state = LFS_SEG_OPEN;
		s->seq = seq;
		s->head = (uint8_t)head;
		group->dirty = true;
		if (fs->next_segseq <= seq)
			fs->next_segseq = seq + 1;
	}
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

static void note_empty(struct lfs *fs, uint32_t seg)
{
	if (fs->nemptied == fs->emptied_room) {
		uint32_t room = fs->emptied_room ? fs->emptied_room * 2 : 256;
		uint32_t *more = realloc(fs->emptied, room * sizeof(*more));

		if (!more)
			return; /* found again when the image is mounted next, or cleaned */
		fs->emptied = more;
		fs->emptied_room = room;
	}
	fs->emptied[fs->nemptied++] = seg;
}

/** lfs_seg_close() - The head has left it. */
void lfs_seg_close(struct lfs *fs, uint32_t seg)
{
	struct lfs_group *group;
	struct lfs_seg *s;

	pthread_mutex_lock(&fs->alloc_lock);
	if (!seg_find(fs, seg, &s, &group) && s->state == LFS_SEG_OPEN) {
		s->state = LFS_SEG_CLOSED;
		group->dirty = true;
		if (!s->live)
			note_empty(fs, seg);
	}
	pthread_mutex_unlock(&fs->alloc_lock);
}

/** lfs_seg_bad() - It has blocks that cannot be read: never clean it. */
void lfs_seg_bad(struct lfs *fs, uint32_t seg)
{
	struct lfs_group *group;
	struct lfs_seg *s;

	pthread_mutex_lock(&fs->alloc_lock);
	if (!seg_find(fs, seg, &s, &group) && s->state == LFS_SEG_CLOSED) {
		s->state = LFS_SEG_BAD;
		group->dirty = true;
	}
	pthread_mutex_unlock(&fs->alloc_lock);
}

/* ---- Live blocks ------------------------------------------------------------------------------------------------------ */

/*
 * One block is by far the most frequent: no need to count in a range. Nor to keep runs, which random changes break into
 * thousands: each change would move and measure them all. Ranges leave them: a log that fills up is one run.
 */
static roaring_bitmap_t *bits_of(roaring_bitmap_t *live)
{
	roaring_bitmap_remove_run_compression(live);
	return live;
}

/* False: one is there already, nothing is done. */
static bool bits_add(roaring_bitmap_t *live, uint32_t first, uint64_t n)
{
	if (n == 1)
		return roaring_bitmap_add_checked(bits_of(live), first);
	if (roaring_bitmap_range_cardinality(live, first, first + n))
		return false;
	roaring_bitmap_add_range(live, first, first + n);
	return true;
}

/* Returns how many were there. */
static uint64_t bits_remove(roaring_bitmap_t *live, uint32_t first, uint64_t n)
{
	uint64_t had;

	if (n == 1)
		return roaring_bitmap_remove_checked(bits_of(live), first);
	had = roaring_bitmap_range_cardinality(live, first, first + n);
	roaring_bitmap_remove_range(live, first, first + n);
	return had;
}

/** lfs_live_add() - The blocks, all in one segment, are in use now. Return: 0, -EUCLEAN: one was already. */
int lfs_live_add(struct lfs *fs, uint64_t daddr, uint64_t n)
{
	uint32_t first = (uint32_t)(daddr % LFS_GROUP_BLOCKS);
	struct lfs_group *group;
	struct lfs_seg *s;
	int err;

	pthread_mutex_lock(&fs->alloc_lock);
	err = seg_find(fs, daddr >> fs->geo.seg_shift, &s, &group);
	if (!err && !bits_add(group->live, first, n))
		err = -EUCLEAN;
	if (!err) {
		s->live = (uint16_t)(s->live + n);
		group->nlive += (uint32_t)n;
		group->dirty = true;
		fs->nlive += n;
	}
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

static int live_remove_in(struct lfs *fs, uint64_t daddr, uint64_t n)
{
	uint32_t first = (uint32_t)(daddr % LFS_GROUP_BLOCKS);
	uint64_t seg = daddr >> fs->geo.seg_shift, had;
	struct lfs_group *group;
	struct lfs_seg *s;
	int err = seg_find(fs, seg, &s, &group);

	if (err)
		return err;
	had = bits_remove(group->live, first, n);
	s->live = (uint16_t)(s->live - had);
	group->nlive -= (uint32_t)had;
	group->dirty = true;
	fs->nlive -= had;
	if (!s->live && had && (s->state == LFS_SEG_CLOSED || s->state == LFS_SEG_BAD)) {
		s->state = LFS_SEG_CLOSED;
		note_empty(fs, (uint32_t)seg);
		if (LFS_PLANTED(SEGMENT_REUSED_EARLY)) {
			s->state = LFS_SEG_FREE;
			group->nfree++;
			fs->nfree++;
		}
	}
	return had == n ? 0 : -EUCLEAN;
}

/** lfs_live_remove() - The blocks are dead. May cross segments. Return: 0, -EUCLEAN: one was not live; -EIO. */
int lfs_live_remove(struct lfs *fs, uint64_t daddr, uint64_t n)
{
	int err = 0;

	pthread_mutex_lock(&fs->alloc_lock);
	while (n) {
		uint64_t left = fs->geo.seg_blocks - (daddr & (fs->geo.seg_blocks - 1));
		uint64_t k = n < left ? n : left;
		int e = live_remove_in(fs, daddr, k);

		err = err ? err : e;
		daddr += k;
		n -= k;
	}
	pthread_mutex_unlock(&fs->alloc_lock);
	if (err)
		lfs_log(fs, LFS_LOG_ERROR, "block %llu is freed, but was not in use",
			(unsigned long long)(daddr - 1));
	return err;
}

/** lfs_live_in_segment() - @bits: seg_blocks of them, bit i: block i of the segment is live. */
int lfs_live_in_segment(struct lfs *fs, uint64_t seg, uint64_t *bits)
{
	uint32_t first = (uint32_t)((seg << fs->geo.seg_shift) % LFS_GROUP_BLOCKS);
	struct lfs_group *group;
	struct lfs_seg *s;
	int err;

	memset(bits, 0, fs->geo.seg_blocks / 8);
	pthread_mutex_lock(&fs->alloc_lock);
	err = seg_find(fs, seg, &s, &group);
	for (uint32_t i = 0; !err && s->live && i < fs->geo.seg_blocks; i++)
		if (roaring_bitmap_contains(group->live, first + i))
			bits[i / 64] |= 1ull << (i % 64);
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

/* ---- Space -------------------------------------------------------------------------------------------------------------- */

static uint64_t space_free(const struct lfs *fs)
{
	uint64_t all = lfs_capacity(&fs->geo), slack = lfs_slack_blocks(&fs->geo);
	uint64_t used = fs->nlive + fs->nreserved + fs->npromised + slack;

	return all > used ? all - used : 0;
}

uint64_t lfs_space_free(struct lfs *fs)
{
	uint64_t n;

	pthread_mutex_lock(&fs->alloc_lock);
	n = space_free(fs);
	pthread_mutex_unlock(&fs->alloc_lock);
	return n;
}

/** lfs_space_take() - Promise @blocks to an operation, which gives them back when it has placed them. -ENOSPC. */
int lfs_space_take(struct lfs *fs, uint64_t blocks)
{
	int err = 0;

	if (fs->replaying)
		return 0;
	pthread_mutex_lock(&fs->alloc_lock);
	if (blocks > space_free(fs))
		err = -ENOSPC;
	else
		fs->npromised += blocks;
	pthread_mutex_unlock(&fs->alloc_lock);
	return err;
}

void lfs_space_give(struct lfs *fs, uint64_t blocks)
{
	if (fs->replaying)
		return;
	pthread_mutex_lock(&fs->alloc_lock);
	fs->npromised -= blocks;
	pthread_mutex_unlock(&fs->alloc_lock);
}

/* ---- Checkpoint --------------------------------------------------------------------------------------------------------- */

/* Empty segments become free with this checkpoint: on disk now, in memory when it is durable. */
static void collect_empty(struct lfs *fs)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < fs->nemptied; i++) {
		struct lfs_group *group;
		struct lfs_seg *s = seg_at(fs, fs->emptied[i], &group);

		if (s->state != LFS_SEG_CLOSED || s->live)
			continue;
		s->state = LFS_SEG_PENDING;
		group->dirty = true;
		fs->emptied[n++] = fs->emptied[i];
	}
	fs->nemptied = n;
	fs->npending = n;
}

static int group_write(struct lfs *fs, uint32_t g, uint64_t stamp, uint8_t *bytes)
{
	struct lfs_gdir_entry *e = &fs->gdirs[g / LFS_GDIR_GROUPS]->entry[g % LFS_GDIR_GROUPS];
	struct lfs_group_disk *d = (void *)bytes;
	struct lfs_seg_disk *seg = (void *)(bytes + sizeof(*d));
	struct lfs_group *group = &fs->groups[g];
	uint8_t copy = (group->copy == 0) != LFS_PLANTED(GROUP_WRITTEN_IN_PLACE), *bits;
	uint64_t at = group_info_at(&fs->geo, g, copy);
	roaring_uint32_iterator_t it;
	uint32_t pending = 0;

	memset(bytes, 0, group_bytes(&fs->geo));
	d->magic = lfs_to64(LFS_GROUP_MAGIC);
	d->group = lfs_to64(g);
	d->stamp = lfs_to64(stamp);
	for (uint32_t i = 0; i < fs->geo.segs_per_group; i++) {
		const struct lfs_seg *s = &group->seg[i];

		seg[i].seq = lfs_to64(s->seq);
		seg[i].live = lfs_to16(s->live);
		seg[i].state = s->state == LFS_SEG_PENDING ? LFS_SEG_FREE : s->state;
		seg[i].head = s->head;
		pending += s->state == LFS_SEG_PENDING;
	}
	bits = (uint8_t *)(seg + fs->geo.segs_per_group);
	for (roaring_init_iterator(group->live, &it); it.has_value;
	     roaring_advance_uint32_iterator(&it))
		bits[it.current_value / 8] |= (uint8_t)(1u << (it.current_value % 8));
	group->csum = lfs_csum_fixed(bytes, group_bytes(&fs->geo), 8, at);
	d->csum = lfs_to64(group->csum);
	group->copy = copy;
	group->dirty = false;
	e->csum = lfs_to64(group->csum);
	e->live = lfs_to32(group->nlive);
	e->free = lfs_to16(group->nfree + pending);
	e->copy = copy;
	fs->gdir_dirty[g / LFS_GDIR_GROUPS] = 1;
	return lfs_dev_write(fs, bytes, fs->geo.ginfo_blocks, at);
}

static int gdir_write(struct lfs *fs, uint32_t index, uint64_t stamp)
{
	struct lfs_gdir_disk *d = fs->gdirs[index];
	uint32_t copy = fs->gdir_word[index] && !(fs->gdir_word[index] & 1);
	uint64_t at = gdir_at(&fs->geo, index, copy), csum;

	d->magic = lfs_to64(LFS_GDIR_MAGIC);
	d->index = lfs_to64(index);
	d->stamp = lfs_to64(stamp);
	csum = lfs_csum_fixed(d, LFS_BLOCK, 8, at);
	d->csum = lfs_to64(csum);
	fs->gdir_word[index] = (csum & ~1ull) | copy;
	fs->gdir_dirty[index] = 0;
	return lfs_dev_write(fs, d, 1, at);
}

/**
 * lfs_groups_snapshot() - Write the books as they are now where the last checkpoint's are not, and put what finds
 * them into @cp. Context: op_lock exclusive, and nothing else writes to the log.
 */
int lfs_groups_snapshot(struct lfs *fs, uint64_t stamp, struct lfs_cp_disk *cp)
{
	uint8_t *bytes = aligned_alloc(64, group_bytes(&fs->geo));
	int err = bytes ? 0 : -ENOMEM;

	pthread_mutex_lock(&fs->alloc_lock);
	if (!err)
		collect_empty(fs);
	for (uint32_t g = 0; g < fs->geo.ngroups && !err; g++)
		if (fs->groups[g].dirty)
			err = group_write(fs, g, stamp, bytes);
	for (uint32_t i = 0; i < fs->geo.gdir_blocks && !err; i++) {
		if (fs->gdirs[i] && fs->gdir_dirty[i])
			err = gdir_write(fs, i, stamp);
		cp->gdirs[i] = lfs_to64(fs->gdir_word[i]);
	}
	cp->next_segment_seq = lfs_to64(fs->next_segseq);
	cp->live = lfs_to64(fs->nlive);
	cp->reserved = lfs_to64(fs->nreserved);
	pthread_mutex_unlock(&fs->alloc_lock);
	free(bytes);
	return err;
}

/** lfs_groups_release() - The checkpoint is durable: S1 allows it now. */
void lfs_groups_release(struct lfs *fs)
{
	pthread_mutex_lock(&fs->alloc_lock);
	for (uint32_t i = 0; i < fs->npending; i++) {
		struct lfs_group *group;
		struct lfs_seg *s = seg_at(fs, fs->emptied[i], &group);
		uint32_t seg = fs->emptied[i], first = lfs_seg_first(&fs->geo, seg);

		if (fs->opt.discard && fs->dev->ops->discard)
			fs->dev->ops->discard(
				fs->dev, (((uint64_t)seg << fs->geo.seg_shift) + first) * LFS_BLOCK,
				(uint64_t)(fs->geo.seg_blocks - first) * LFS_BLOCK);
		s->state = LFS_SEG_FREE;
		group->nfree++;
		fs->nfree++;
		if (fs->rotor >
		    seg / fs->geo.segs_per_group) /* an image stays as small as what is in it */
			fs->rotor = seg / fs->geo.segs_per_group;
	}
	if (fs->npending)
		memmove(fs->emptied, fs->emptied + fs->npending,
			(fs->nemptied - fs->npending) * sizeof(*fs->emptied));
	fs->nemptied -= fs->npending;
	fs->npending = 0;
	pthread_mutex_unlock(&fs->alloc_lock);
}
