/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Mounting after a crash: the checkpoint's state, and on top of it what the hot head logged since.
 *
 *   R1  The chain is followed from where the checkpoint says: the chunk with the next number, behind the last one or
 *       at the beginning of the segment that the last one names. The first that is missing or torn ends it.
 *   R2  A chunk's data are verified unless a later chunk says that it was durable (G3).
 *   R3  All segments of the chain are claimed before anything is replayed, so that nothing is placed there.
 *   R4  Records are replayed through the same lfs_apply_...() that made them.
 *   R5  Recovery writes tables of the segments it walked, what it had to place, and then a checkpoint: until that is
 *       durable the old one and the chain are untouched, and recovery can be repeated.
 */
#include "internal.h"

#include <stdlib.h>

struct link { /* a chunk of the chain */
	struct link *next;
	uint32_t seg, at, ndata, nrest, rec_bytes, next_seg;
	uint64_t segseq, seq, durable, next_segseq;
	uint8_t *payload; /* entries, records */
};

/* ---- Reading chunks ------------------------------------------------------------------------------------------ */

static void link_free(struct link *l)
{
	if (!l)
		return;
	free(l->payload);
	free(l);
}

static int payload_get(struct lfs *fs, const struct lfs_chunk_disk *d, struct link *l)
{
	size_t all = l->ndata * sizeof(struct lfs_entry_disk) + l->rec_bytes;
	uint64_t at = ((uint64_t)l->seg << fs->geo.seg_shift) + l->at;
	uint8_t *rest = NULL;
	int err = 0;

	if (l->nrest != (all <= LFS_CHUNK_PAYLOAD ?
				 0 :
				 (all - LFS_CHUNK_PAYLOAD + LFS_BLOCK - 1) / LFS_BLOCK) ||
	    l->at + 1 + l->ndata + l->nrest > lfs_seg_end(&fs->geo))
		return -EBADMSG;
	l->payload = calloc(1, LFS_CHUNK_PAYLOAD + (size_t)l->nrest * LFS_BLOCK);
	if (!l->payload)
		return -ENOMEM;
	memcpy(l->payload, d->payload, LFS_CHUNK_PAYLOAD);
	if (l->nrest) {
		rest = aligned_alloc(64, (size_t)l->nrest * LFS_BLOCK);
		err = rest ? lfs_dev_read(fs, rest, l->nrest, at + 1 + l->ndata) : -ENOMEM;
		if (!err)
			memcpy(l->payload + LFS_CHUNK_PAYLOAD, rest, (size_t)l->nrest * LFS_BLOCK);
	}
	if (!err &&
	    lfs_from64(d->csum) != lfs_csum_parts(d, LFS_BLOCK, 8, rest,
						  (size_t)l->nrest * LFS_BLOCK, at, l->segseq))
		err = -EBADMSG;
	free(rest);
	return err;
}

/* The chunk whose header is block @at of @seg. Return: 0, -EBADMSG: there is none (whole). */
static int chunk_read(struct lfs *fs, uint32_t seg, uint64_t segseq, uint32_t at, struct link **out,
		      uint64_t *epoch)
{
	struct lfs_chunk_disk *d = aligned_alloc(64, LFS_BLOCK);
	struct link *l = calloc(1, sizeof(*l));
	int err = d && l ? 0 : -ENOMEM;

	if (!err && at + 1 > lfs_seg_end(&fs->geo))
		err = -EBADMSG;
	if (!err)
		err = lfs_dev_read(fs, d, 1, ((uint64_t)seg << fs->geo.seg_shift) + at);
	if (!err &&
	    (lfs_from32(d->magic) != LFS_CHUNK_MAGIC || lfs_from64(d->segment_seq) != segseq ||
	     lfs_from32(d->record_bytes) > LFS_SEGMENT_MAX))
		err = -EBADMSG;
	if (!err) {
		l->seg = seg;
		l->segseq = segseq;
		l->at = at;
		l->ndata = lfs_from16(d->ndata);
		l->nrest = lfs_from16(d->nrest);
		l->rec_bytes = lfs_from32(d->record_bytes);
		l->seq = lfs_from64(d->seq);
		l->durable = lfs_from64(d->durable);
		l->next_seg = lfs_from32(d->next_segment);
		l->next_segseq = lfs_from64(d->next_seq);
		*epoch = lfs_from64(d->epoch);
		err = payload_get(fs, d, l);
	}
	free(d);
	if (err)
		link_free(l);
	else
		*out = l;
	return err;
}

/* The chunk's blocks in the segment's table. */
static void entries_put(const struct link *l, struct lfs_entry_disk *entries)
{
	lfs_le64 log = lfs_to64((uint64_t)LFS_KIND_LOG << 56);

	entries[l->at].owner = log;
	memcpy(&entries[l->at + 1], l->payload, l->ndata * sizeof(*entries));
	for (uint32_t i = 0; i < l->nrest; i++)
		entries[l->at + 1 + l->ndata + i].owner = log;
}

static uint32_t link_end(const struct link *l)
{
	return l->at + 1 + l->ndata + l->nrest;
}

/**
 * lfs_segment_walk() - Table of a segment, from its chunks' headers up to block @end or the first that is none.
 * @entries: LFS_TABLE_SLOTS + 1, zeroed. @fill: blocks covered. Return: 0, -EBADMSG: no chunk at all; -ENOMEM.
 */
int lfs_segment_walk(struct lfs *fs, uint32_t seg, uint64_t seq, uint32_t end,
		     struct lfs_entry_disk *entries, uint32_t *fill)
{
	uint32_t first = lfs_seg_first(&fs->geo, seg);
	lfs_le64 log = lfs_to64((uint64_t)LFS_KIND_LOG << 56);

	for (uint32_t i = 0; i < first; i++)
		entries[i].owner = log;
	*fill = first;
	while (*fill < end) {
		struct link *l;
		uint64_t epoch;
		int err = chunk_read(fs, seg, seq, *fill, &l, &epoch);

		if (err == -ENOMEM)
			return err;
		if (err)
			break;
		entries_put(l, entries);
		*fill = link_end(l);
		link_free(l);
	}
	return *fill > first || end <= first ? 0 : -EBADMSG;
}

/* ---- The chain --------------------------------------------------------------------------------------------------- */

struct lfs_chain {
	struct link *first, **last;
	uint64_t durable; /* the highest that any chunk names */
	uint64_t seq;     /* the number after its last chunk's */
	uint32_t spare;   /* the segment where it would have gone on */
	uint64_t spare_seq;
};

static bool is_next(const struct link *l, uint64_t seq, uint64_t epoch, uint64_t epoch_expected)
{
	if (LFS_PLANTED(SEQUENCE_IGNORED))
		return l->seq >= seq;
	return l->seq == seq && epoch == epoch_expected;
}

/* The chunk at block @at of @seg, if it is the next one: else *@out is NULL. Return: 0, -ENOMEM: it may be. */
static int chain_try(struct lfs *fs, uint32_t seg, uint64_t segseq, uint32_t at, uint64_t seq,
		     uint64_t epoch_expected, struct link **out)
{
	struct link *l;
	uint64_t epoch;
	int err = chunk_read(fs, seg, segseq, at, &l, &epoch);

	*out = NULL;
	if (err == -EIO)
		lfs_log(fs, LFS_LOG_ERROR,
			"segment %u, block %u cannot be read: if the log goes on there, the "
			"changes from "
			"there on are lost",
			seg, at);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (is_next(l, seq, epoch, epoch_expected))
		*out = l;
	else
		link_free(l);
	return 0;
}

/* The chunk that follows, wherever it is; *@out NULL: the chain ends here. */
static int chain_next(struct lfs *fs, const struct lfs_head_disk *pos, uint64_t seq, uint64_t epoch,
		      struct link **out)
{
	uint32_t next = lfs_from32(pos->next_segment);
	int err = chain_try(fs, lfs_from32(pos->segment), lfs_from64(pos->seq),
			    lfs_from32(pos->position), seq, epoch, out);

	if (err || *out || next >= fs->geo.nsegs)
		return err;
	return chain_try(fs, next, lfs_from64(pos->next_seq), lfs_seg_first(&fs->geo, next), seq,
			 epoch, out);
}

static int chain_read(struct lfs *fs, const struct lfs_cp_disk *cp, struct lfs_chain *chain)
{
	struct lfs_head_disk pos = cp->heads[LFS_HEAD_HOT];
	uint64_t seq = lfs_from64(cp->chunk_seq), epoch = lfs_from64(cp->epoch);
	struct link *l;
	int err;

	chain->last = &chain->first;
	chain->durable = seq - 1;
	while (!(err = chain_next(fs, &pos, seq, epoch, &l)) && l) {
		*chain->last = l;
		chain->last = &l->next;
		if (l->durable > chain->durable)
			chain->durable = l->durable;
		pos.segment = lfs_to32(l->seg);
		pos.seq = lfs_to64(l->segseq);
		pos.position = lfs_to32(link_end(l));
		pos.next_segment = lfs_to32(l->next_seg);
		pos.next_seq = lfs_to64(l->next_segseq);
		seq++;
	}
	return err;
}

static int data_verify(struct lfs *fs, const struct link *l)
{
	const struct lfs_entry_disk *entries = (const void *)l->payload;
	uint64_t at = ((uint64_t)l->seg << fs->geo.seg_shift) + l->at + 1;
	uint8_t *bytes;
	int err;

	if (!l->ndata || LFS_PLANTED(REPLAY_SKIPS_CHECKSUM))
		return 0;
	bytes = aligned_alloc(64, (size_t)l->ndata * LFS_BLOCK);
	err = bytes ? lfs_dev_read(fs, bytes, l->ndata, at) : -ENOMEM;
	for (uint32_t i = 0; i < l->ndata && !err; i++)
		if (lfs_csum_block(bytes + (size_t)i * LFS_BLOCK, at + i, l->segseq) !=
		    lfs_from64(entries[i].csum))
			err = -EBADMSG;
	free(bytes);
	return err;
}

/* R2: from the first chunk whose data did not all arrive on, nothing counts. */
static int chain_cut(struct lfs *fs, struct lfs_chain *chain)
{
	struct link **at = &chain->first;
	int err;

	for (; *at && !(LFS_PLANTED(REPLAY_DROPS_LAST) && !(*at)->next); at = &(*at)->next) {
		err = (*at)->seq <= chain->durable ? 0 : data_verify(fs, *at);
		if (err == -ENOMEM)
			return err;
		if (err)
			break;
	}
	while (*at) {
		struct link *l = *at;

		*at = l->next;
		link_free(l);
	}
	return 0;
}

/* ---- Segments that were open ---------------------------------------------------------------------------------------- */

static struct lfs_tail *tail_add(struct lfs *fs, uint32_t seg, uint64_t seq,
				 const struct lfs_entry_disk *entries, uint32_t fill)
{
	struct lfs_tail *tail = malloc(sizeof(*tail));

	if (!tail)
		return NULL;
	lfs_tail_make(tail, seg, seq, fs->geo.seg_blocks, entries, fill);
	tail->next = fs->tails;
	fs->tails = tail;
	return tail;
}

/* Table of a head's segment: chunks before the checkpoint, and those of the chain from *l on that are in it. */
static int segment_recover(struct lfs *fs, uint32_t seg, uint64_t seq, uint32_t position,
			   struct link **l)
{
	struct lfs_entry_disk *entries = calloc(LFS_TABLE_SLOTS + 1, sizeof(*entries));
	uint32_t fill = 0;
	int err = entries ? 0 : -ENOMEM;

	if (!err && position > lfs_seg_end(&fs->geo))
		err = -EUCLEAN;
	if (!err && lfs_segment_walk(fs, seg, seq, position, entries, &fill) == -ENOMEM)
		err = -ENOMEM;
	if (!err && fill < position)
		lfs_log(fs, LFS_LOG_ERROR, "segment %u: chunk at block %u is damaged", seg, fill);
	for (; !err && l && *l && (*l)->seg == seg && (*l)->segseq == seq; *l = (*l)->next) {
		entries_put(*l, entries);
		fill = link_end(*l);
	}
	if (!err && !tail_add(fs, seg, seq, entries, fill))
		err = -ENOMEM;
	free(entries);
	return err;
}

/* R3, and tables of everything that is not closed on disk. */
static int segments_recover(struct lfs *fs, const struct lfs_cp_disk *cp, struct lfs_chain *chain)
{
	struct link *l = chain->first;
	int err = 0;

	chain->spare = lfs_from32(cp->heads[LFS_HEAD_HOT].next_segment);
	chain->spare_seq = lfs_from64(cp->heads[LFS_HEAD_HOT].next_seq);
	for (uint32_t i = 0; i < LFS_HEADS && !err; i++) {
		const struct lfs_head_disk *h = &cp->heads[i];
		uint32_t seg = lfs_from32(h->segment);

		if (seg == LFS_NO_SEGMENT)
			continue;
		if (seg >= fs->geo.nsegs)
			return -EUCLEAN;
		err = segment_recover(fs, seg, lfs_from64(h->seq), lfs_from32(h->position),
				      i == LFS_HEAD_HOT ? &l : NULL);
	}
	for (struct link *k = chain->first; k && !err; k = k->next) {
		err = lfs_seg_claim(fs, k->seg, k->segseq, LFS_HEAD_HOT);
		chain->spare = k->next_seg;
		chain->spare_seq = k->next_segseq;
		chain->seq = k->seq + 1;
	}
	while (l && !err) {
		uint32_t seg = l->seg;

		err = segment_recover(fs, seg, l->segseq, lfs_seg_first(&fs->geo, seg), &l);
	}
	if (!err && chain->spare != LFS_NO_SEGMENT)
		err = chain->spare < fs->geo.nsegs ?
			      lfs_seg_claim(fs, chain->spare, chain->spare_seq, LFS_HEAD_HOT) :
			      -EUCLEAN;
	return err;
}

/* ---- Replay --------------------------------------------------------------------------------------------------------------- */

static int replay_chunk(struct lfs *fs, const struct link *l)
{
	const uint8_t *at = l->payload + l->ndata * sizeof(struct lfs_entry_disk);
	uint32_t left = l->rec_bytes;
	int err = 0;

	while (left && !err) {
		struct lfs_record_disk rec;
		uint32_t len;

		if (left < sizeof(rec))
			return -EUCLEAN;
		memcpy(&rec, at, sizeof(rec));
		len = lfs_from32(rec.len);
		if (len < sizeof(rec) || len % 8 || len > left)
			return -EUCLEAN;
		err = lfs_replay_record(fs, at, len);
		if (err == -EBADMSG || err == -EIO) {
			lfs_log(fs, LFS_LOG_ERROR,
				"chunk %llu: a change of inode %u is lost: its metadata are "
				"damaged",
				(unsigned long long)l->seq, lfs_from32(rec.ino));
			err = 0;
		} else if (err) {
			lfs_log(fs, LFS_LOG_ERROR,
				"chunk %llu: record of type %u for inode %u does not apply: %s",
				(unsigned long long)l->seq, rec.type, lfs_from32(rec.ino),
				strerror(-err));
		}
		at += len;
		left -= len;
	}
	return err;
}

/**
 * lfs_recover_scan() - Find the chain, and make every block readable that the checkpoint or the chain wrote.
 * @out: NULL where there is nothing to replay. lfs_recover_replay() takes it.
 *
 * Context: mount, before any block of the log is read.
 */
int lfs_recover_scan(struct lfs *fs, const struct lfs_cp_disk *cp, struct lfs_chain **out)
{
	struct lfs_chain *chain;
	int err;

	*out = NULL;
	if (lfs_from32(cp->flags) & LFS_CP_CLEAN)
		return 0;
	chain = calloc(1, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	chain->seq = lfs_from64(cp->chunk_seq);
	err = chain_read(fs, cp, chain);
	if (!err)
		err = chain_cut(fs, chain);
	if (!err)
		err = segments_recover(fs, cp, chain);
	if (err)
		lfs_recover_free(chain);
	else
		*out = chain;
	return err;
}

void lfs_recover_free(struct lfs_chain *chain)
{
	while (chain && chain->first) {
		struct link *l = chain->first;

		chain->first = l->next;
		link_free(l);
	}
	free(chain);
}

/** lfs_recover_replay() - Do again what the chain says. Context: mount, maps are open. */
int lfs_recover_replay(struct lfs *fs, struct lfs_chain *chain)
{
	int err = 0;

	if (!chain)
		return 0;
	fs->replaying = true;
	for (struct link *l = chain->first; l && !err; l = l->next)
		err = replay_chunk(fs, l);
	fs->replaying = false;
	for (const struct lfs_tail *t = fs->tails; t && !err; t = t->next)
		lfs_seg_close(fs, t->seg);
	if (!err && chain->spare != LFS_NO_SEGMENT)
		lfs_seg_close(fs, chain->spare);
	fs->head[LFS_HEAD_HOT].seq = chain->seq;
	return err;
}
