/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The log: three heads, each filling a segment of its own with chunks.
 *
 *   hot   what users write, and the records of all changes: the chain that recovery follows
 *   cold  what the cleaner moves: blocks that have lived for a while
 *   meta  what checkpoints write: inode table, directories, pages of maps
 *
 *   A chunk's life:  filled under head.lock  --lfs_log_seal()-->  sealed  --chunk_write()-->  written  --flush-->  durable
 *
 *   G1  A block's place is known as soon as lfs_log_place() returns; its bytes stay in memory until written.
 *   G2  Chunks of the hot head are numbered without gaps; each names the segment where the chain goes on if not behind
 *       it. Recovery takes a chunk only with the number that comes next.
 *   G3  A chunk counts only if header and rest match their checksum, and, unless a later chunk says that it was
 *       durable, every data block matches the header's. So a chunk is there as a whole or not at all.
 *   G4  A sealed chunk never changes, so that it is summed and written without head.lock.
 *   G5  A segment's table is written when its last chunk is; until then reads of its blocks come from memory.
 */
#include "internal.h"

#include <stdlib.h>

#define SPARE_BUFS  4u
#define RECORDS_MAX (512u << 10) /* bytes of records in one chunk */

struct lfs_chunk {
	struct lfs_chunk *next; /* on their way: fs->write_lock */
	struct lfs_segbuf *buf;
	uint32_t head, start, ndata, nrest, rec_bytes, next_seg;
	uint64_t seq, next_segseq;
	uint8_t *rec;
};

static uint32_t rest_blocks(uint32_t ndata, uint32_t rec_bytes)
{
	size_t payload = ndata * sizeof(struct lfs_entry_disk) + rec_bytes;

	if (payload <= LFS_CHUNK_PAYLOAD)
		return 0;
	return (uint32_t)((payload - LFS_CHUNK_PAYLOAD + LFS_BLOCK - 1) / LFS_BLOCK);
}

static uint64_t base_of(const struct lfs *fs, const struct lfs_segbuf *buf)
{
	return (uint64_t)buf->seg << fs->geo.seg_shift;
}

/* ---- Segments in memory ------------------------------------------------------------------------------ */

static struct lfs_segbuf *segbuf_new(struct lfs *fs)
{
	struct lfs_segbuf *buf;
	size_t bytes = (size_t)fs->geo.seg_blocks * LFS_BLOCK;

	pthread_rwlock_wrlock(&fs->segbuf_lock);
	buf = fs->spare_bufs;
	if (buf) {
		fs->spare_bufs = buf->next;
		fs->nspare--;
	}
	pthread_rwlock_unlock(&fs->segbuf_lock);
	if (buf)
		return buf;
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return NULL;
	buf->bytes = aligned_alloc(LFS_BLOCK, bytes);
	buf->table = calloc(LFS_TABLE_SLOTS + 1, sizeof(*buf->table));
	if (buf->bytes && buf->table)
		return buf;
	free(buf->bytes);
	free(buf->table);
	free(buf);
	return NULL;
}

static void segbuf_free(struct lfs_segbuf *buf)
{
	if (!buf)
		return;
	free(buf->bytes);
	free(buf->table);
	free(buf);
}

static void segbuf_publish(struct lfs *fs, struct lfs_segbuf *buf)
{
	pthread_rwlock_wrlock(&fs->segbuf_lock);
	buf->next = fs->segbufs;
	fs->segbufs = buf;
	pthread_rwlock_unlock(&fs->segbuf_lock);
}

static void segbuf_retire(struct lfs *fs, struct lfs_segbuf *buf)
{
	struct lfs_segbuf **at;

	pthread_rwlock_wrlock(&fs->segbuf_lock);
	for (at = &fs->segbufs; *at != buf; at = &(*at)->next)
		;
	*at = buf->next;
	if (fs->nspare < SPARE_BUFS) { /* new memory would be faulted in, page by page */
		buf->next = fs->spare_bufs;
		fs->spare_bufs = buf;
		fs->nspare++;
		buf = NULL;
	}
	pthread_rwlock_unlock(&fs->segbuf_lock);
	segbuf_free(buf);
}

/* ---- Tables ------------------------------------------------------------------------------------------------ */

/** lfs_tail_make() - The table and owners of a segment, from what is in memory. */
void lfs_tail_make(struct lfs_tail *tail, uint32_t seg, uint64_t seq, uint64_t seg_blocks,
		   const struct lfs_entry_disk *table, uint32_t fill)
{
	uint64_t at = (uint64_t)seg * seg_blocks + seg_blocks - LFS_TAIL_BLOCKS;

	memset(tail, 0, sizeof(*tail));
	tail->seg = seg;
	tail->seq = seq;
	tail->table.magic = lfs_to32(LFS_TABLE_MAGIC);
	tail->owners.magic = lfs_to32(LFS_OWNERS_MAGIC);
	tail->table.count = tail->owners.count = lfs_to32(fill);
	tail->table.segment_seq = tail->owners.segment_seq = lfs_to64(seq);
	for (uint32_t i = 0; i < fill; i++) {
		tail->table.block_csum[i] = table[i].csum;
		tail->owners.entry[i].owner = table[i].owner;
		tail->owners.entry[i].index = table[i].index;
	}
	tail->table.csum = lfs_to64(lfs_csum_parts(&tail->table, LFS_BLOCK, 16, NULL, 0, at, seq));
	tail->owners.csum = lfs_to64(
		lfs_csum_parts(&tail->owners, sizeof(tail->owners), 16, NULL, 0, at + 1, seq));
}

int lfs_tail_write(struct lfs *fs, const struct lfs_tail *tail)
{
	uint64_t at = ((uint64_t)tail->seg << fs->geo.seg_shift) + lfs_seg_end(&fs->geo);
	uint8_t *bytes = aligned_alloc(LFS_BLOCK, LFS_TAIL_BLOCKS * LFS_BLOCK);
	int err;

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &tail->table, LFS_BLOCK);
	memcpy(bytes + LFS_BLOCK, &tail->owners, sizeof(tail->owners));
	err = lfs_dev_write(fs, bytes, LFS_TAIL_BLOCKS, at);
	free(bytes);
	return err;
}

/* The last chunk of a closed segment is written: the table goes after it, and the memory is not needed any more. */
static int segment_finish(struct lfs *fs, struct lfs_segbuf *buf)
{
	struct lfs_tail *tail;
	int err = -ENOMEM;

	if (fs->memory_only)
		return 0; /* it is nowhere else */
	tail = malloc(sizeof(*tail));
	if (tail) {
		lfs_tail_make(tail, buf->seg, buf->seq, fs->geo.seg_blocks, buf->table, buf->fill);
		err = LFS_PLANTED(STALE_SUMMARY) ? 0 : lfs_tail_write(fs, tail);
	}
	free(tail);
	if (err) {
		lfs_fail(fs, err, "writing the table of a segment");
		return err; /* stays in memory, where its blocks can be read */
	}
	lfs_seg_close(fs, buf->seg);
	segbuf_retire(fs, buf);
	return 0;
}

/* ---- Writing chunks ------------------------------------------------------------------------------------------- */

static void payload_put(uint8_t *head, uint8_t *rest, size_t at, const void *from, size_t len)
{
	const uint8_t *bytes = from;

	if (len && at < LFS_CHUNK_PAYLOAD) {
		size_t n = LFS_CHUNK_PAYLOAD - at < len ? LFS_CHUNK_PAYLOAD - at : len;

		memcpy(head + at, bytes, n);
		at += n;
		bytes += n;
		len -= n;
	}
	if (len)
		memcpy(rest + (at - LFS_CHUNK_PAYLOAD), bytes, len);
}

/* Header and rest of a sealed chunk, in the segment's memory. */
static void chunk_encode(struct lfs *fs, struct lfs_chunk *c)
{
	struct lfs_segbuf *buf = c->buf;
	uint8_t *head = buf->bytes + (size_t)c->start * LFS_BLOCK;
	uint8_t *rest = head + (size_t)(1 + c->ndata) * LFS_BLOCK;
	struct lfs_chunk_disk *d = (void *)head;
	uint64_t at = base_of(fs, buf) + c->start;
	struct lfs_entry_disk *table = &buf->table[c->start + 1];
	size_t entries = c->ndata * sizeof(*table);

	for (uint32_t i = 0; i < c->ndata; i++)
		table[i].csum = lfs_to64(
			lfs_csum_block(head + (size_t)(1 + i) * LFS_BLOCK, at + 1 + i, buf->seq));
	memset(head, 0, LFS_BLOCK);
	memset(rest, 0, (size_t)c->nrest * LFS_BLOCK);
	d->magic = lfs_to32(LFS_CHUNK_MAGIC);
	d->head = lfs_to32(c->head);
	d->epoch = lfs_to64(fs->epoch);
	d->seq = lfs_to64(c->seq);
	d->segment_seq = lfs_to64(buf->seq);
	d->ndata = lfs_to16(c->ndata);
	d->nrest = lfs_to16(c->nrest);
	d->record_bytes = lfs_to32(c->rec_bytes);
	d->durable = lfs_to64(atomic_load(&fs->durable));
	d->next_segment = lfs_to32(c->next_seg);
	d->next_seq = lfs_to64(c->next_segseq);
	d->time_sec = lfs_to64(lfs_now(fs).sec);
	payload_put(d->payload, rest, 0, table, entries);
	payload_put(d->payload, rest, entries, c->rec, c->rec_bytes);
	d->csum = lfs_to64(
		lfs_csum_parts(d, LFS_BLOCK, 8, rest, (size_t)c->nrest * LFS_BLOCK, at, buf->seq));
}

/* Off the list of those on their way; whoever was last finishes the segment. */
static int chunk_done(struct lfs *fs, struct lfs_chunk *c)
{
	struct lfs_segbuf *buf = c->buf;
	bool last;
	int err = 0;

	pthread_mutex_lock(&fs->write_lock);
	last = --buf->writing == 0;
	pthread_mutex_unlock(&fs->write_lock);
	if (last)
		err = segment_finish(fs, buf);
	return err;
}

static void chunk_unlist(struct lfs *fs, struct lfs_chunk *c);

static int chunk_write(struct lfs *fs, struct lfs_chunk *c)
{
	uint32_t n = 1 + c->ndata + c->nrest;
	int err;

	chunk_encode(fs, c);
	err = lfs_dev_write(fs, c->buf->bytes + (size_t)c->start * LFS_BLOCK, n,
			    base_of(fs, c->buf) + c->start);
	if (err)
		lfs_fail(fs, err, "writing the log");
	if (c->head == LFS_HEAD_HOT) {
		atomic_fetch_add(&fs->count.journal_blocks, n - c->ndata);
		atomic_fetch_add(&fs->chain_blocks, n);
	} else {
		atomic_fetch_add(c->head == LFS_HEAD_META ? &fs->count.meta_blocks :
							    &fs->count.cleaner_blocks,
				 n);
	}
	if (!err)
		err = chunk_done(fs, c);
	chunk_unlist(fs, c);
	return err;
}

/* ---- Sealed chunks on their way ----------------------------------------------------------------------------------- */

static void chunk_list(struct lfs *fs, struct lfs_chunk *c)
{
	pthread_mutex_lock(&fs->write_lock);
	c->next = fs->inflight;
	fs->inflight = c;
	c->buf->writing++;
	pthread_mutex_unlock(&fs->write_lock);
}

static void chunk_unlist(struct lfs *fs, struct lfs_chunk *c)
{
	struct lfs_chunk **at;

	pthread_mutex_lock(&fs->write_lock);
	for (at = &fs->inflight; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	pthread_cond_broadcast(&fs->write_done);
	pthread_mutex_unlock(&fs->write_lock);
	free(c->rec);
	free(c);
}

/* Wait until no chunk of the hot head up to @seq is on its way (@all: no chunk of any head). */
static void wait_written(struct lfs *fs, uint64_t seq, bool all)
{
	pthread_mutex_lock(&fs->write_lock);
	for (;;) {
		struct lfs_chunk *c = fs->inflight;

		while (c && !all && (c->head != LFS_HEAD_HOT || c->seq > seq))
			c = c->next;
		if (!c)
			break;
		pthread_cond_wait(&fs->write_done, &fs->write_lock);
	}
	pthread_mutex_unlock(&fs->write_lock);
}

struct sealed {
	struct lfs_chunk *chunk[4];
	uint32_t n;
	struct lfs_segbuf *finished; /* closed with no chunk of it on its way */
};

static int sealed_write(struct lfs *fs, struct sealed *s)
{
	int err = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		int e = chunk_write(fs, s->chunk[i]);

		err = err ? err : e;
	}
	if (s->finished) {
		int e = segment_finish(fs, s->finished);

		err = err ? err : e;
	}
	s->n = 0;
	s->finished = NULL;
	return err;
}

/* ---- Heads ------------------------------------------------------------------------------------------------------------ */

static int segment_open(struct lfs *fs, struct lfs_head *head)
{
	struct lfs_segbuf *buf = segbuf_new(fs);
	uint32_t seg = head->next_seg;
	uint64_t seq = head->next_segseq;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	if (seg == LFS_NO_SEGMENT)
		err = lfs_seg_alloc(fs, head->which, &seg, &seq);
	if (err) {
		segbuf_free(buf);
		return err;
	}
	head->next_seg = LFS_NO_SEGMENT;
	if (head->which == LFS_HEAD_HOT)
		err = lfs_seg_alloc(fs, head->which, &head->next_seg, &head->next_segseq);
	if (err) { /* the chain could not go on behind this segment: do not begin it */
		head->next_seg = seg;
		head->next_segseq = seq;
		segbuf_free(buf);
		return err;
	}
	buf->seg = seg;
	buf->seq = seq;
	buf->writing = 1;
	memset(buf->table, 0, (LFS_TABLE_SLOTS + 1) * sizeof(*buf->table));
	head->start = buf->fill = lfs_seg_first(&fs->geo, seg);
	for (uint32_t i = 0; i < head->start; i++)
		buf->table[i].owner = lfs_to64((uint64_t)LFS_KIND_LOG << 56);
	head->buf = buf;
	head->ndata = head->rec_bytes = 0;
	segbuf_publish(fs, buf);
	return 0;
}

/* Data blocks that still fit into the chunk that is being filled. */
static uint32_t chunk_room(const struct lfs *fs, const struct lfs_head *head)
{
	uint32_t left = lfs_seg_end(&fs->geo), used = head->start + 1 + head->ndata, n;

	if (!head->buf || used + rest_blocks(head->ndata, head->rec_bytes) >= left)
		return 0;
	n = left - used;
	while (n && used + n + rest_blocks(head->ndata + n, head->rec_bytes) > left)
		n--;
	return n;
}

static void seal(struct lfs *fs, struct lfs_head *head, struct sealed *out)
{
	struct lfs_segbuf *buf = head->buf;
	struct lfs_chunk *c;

	if (!buf || (!head->ndata && !head->rec_bytes))
		return;
	c = calloc(1, sizeof(*c));
	if (!c) { /* a few bytes; without them there is no way on */
		lfs_fail(fs, -ENOMEM, "sealing a chunk");
		return;
	}
	c->buf = buf;
	c->head = head->which;
	c->start = head->start;
	c->ndata = head->ndata;
	c->nrest = rest_blocks(head->ndata, head->rec_bytes);
	c->rec_bytes = head->rec_bytes;
	c->rec = head->rec;
	c->seq = head->seq++;
	c->next_seg = head->next_seg;
	c->next_segseq = head->next_segseq;
	buf->table[c->start].owner = lfs_to64((uint64_t)LFS_KIND_LOG << 56);
	for (uint32_t i = 0; i < c->nrest; i++)
		buf->table[c->start + 1 + c->ndata + i].owner = lfs_to64((uint64_t)LFS_KIND_LOG
									 << 56);
	head->rec = NULL;
	head->rec_bytes = head->rec_room = head->ndata = 0;
	head->start += 1 + c->ndata + c->nrest;
	buf->fill = head->start;
	chunk_list(fs, c);
	out->chunk[out->n++] = c;
}

/* The head leaves its segment. */
static void leave(struct lfs *fs, struct lfs_head *head, struct sealed *out)
{
	struct lfs_segbuf *buf = head->buf;

	seal(fs, head, out);
	if (!buf)
		return;
	head->buf = NULL;
	pthread_mutex_lock(&fs->write_lock);
	if (--buf->writing == 0)
		out->finished = buf;
	pthread_mutex_unlock(&fs->write_lock);
}

/* Room for a data block and @rec_bytes of records: in this chunk, else in the next segment. */
static int make_room(struct lfs *fs, struct lfs_head *head, uint32_t ndata, uint32_t rec_bytes,
		     struct sealed *out)
{
	for (int tries = 0; tries < 3; tries++) {
		uint32_t end = lfs_seg_end(&fs->geo);
		int err;

		if (head->buf && head->rec_bytes + rec_bytes <= RECORDS_MAX &&
		    head->start + 1 + head->ndata + ndata +
				    rest_blocks(head->ndata + ndata, head->rec_bytes + rec_bytes) <=
			    end)
			return 0;
		if (head->buf && head->rec_bytes && head->rec_bytes + rec_bytes > RECORDS_MAX) {
			seal(fs, head, out);
			continue;
		}
		leave(fs, head, out);
		err = segment_open(fs, head);
		if (err)
			return err;
	}
	return -E2BIG;
}

/**
 * lfs_log_place() - Put blocks into a head: as many of @want as are in one piece there.
 * @owner, @index: Whose they are; index grows by one per block.
 * @data:  @want blocks; copied.
 * @daddr, @got: Where, and how many (at least 1).
 *
 * Return: 0, -ENOSPC (no free segment), -ENOMEM, -EIO, -EROFS.
 */
int lfs_log_place(struct lfs *fs, uint32_t which, uint64_t owner, uint64_t index, uint64_t want,
		  const void *data, uint64_t *daddr, uint64_t *got)
{
	/* What recovery has to place does not belong to the chain that it follows. */
	struct lfs_head *head = &fs->head[fs->replaying ? (uint32_t)LFS_HEAD_META : which];
	struct sealed out = { 0 };
	uint32_t at, n = 0;
	int err = lfs_writable(fs), e;

	if (err)
		return err;
	pthread_mutex_lock(&head->lock);
	err = make_room(fs, head, 1, 0, &out);
	if (!err) {
		struct lfs_segbuf *buf = head->buf;

		n = chunk_room(fs, head);
		n = want < n ? (uint32_t)want : n;
		at = head->start + 1 + head->ndata;
		memcpy(buf->bytes + (size_t)at * LFS_BLOCK, data, (size_t)n * LFS_BLOCK);
		for (uint32_t i = 0; i < n; i++) {
			buf->table[at + i].owner = lfs_to64(owner);
			buf->table[at + i].index = lfs_to64(index + i);
		}
		*daddr = base_of(fs, buf) + at;
		*got = n;
		err = lfs_live_add(fs, *daddr, n);
		if (!err) {
			head->ndata += n;
			buf->fill = at + n;
		}
	}
	pthread_mutex_unlock(&head->lock);
	e = sealed_write(fs, &out);
	return err ? err : e;
}

/**
 * lfs_log_overwrite() - Change blocks where they are, if they are in the chunk that the hot head is filling.
 * @done: How many, from the first.
 *
 * Return: false: the first is not there (any more).
 */
bool lfs_log_overwrite(struct lfs *fs, uint64_t daddr, uint64_t n, const void *data, uint64_t *done)
{
	struct lfs_head *head = &fs->head[LFS_HEAD_HOT];
	uint64_t from, end;
	bool there = false;

	pthread_mutex_lock(&head->lock);
	if (head->buf) {
		from = base_of(fs, head->buf) + head->start + 1;
		end = from + head->ndata;
		there = daddr >= from && daddr < end;
		if (there) {
			*done = end - daddr < n ? end - daddr : n;
			memcpy(head->buf->bytes + (daddr - base_of(fs, head->buf)) * LFS_BLOCK,
			       data, (size_t)*done * LFS_BLOCK);
		}
	}
	pthread_mutex_unlock(&head->lock);
	return there;
}

static int record_room(struct lfs_head *head, uint32_t len)
{
	uint32_t room = head->rec_room ? head->rec_room : 4096;
	uint8_t *more;

	if (head->rec_bytes + len <= head->rec_room)
		return 0;
	while (room < head->rec_bytes + len)
		room *= 2;
	more = realloc(head->rec, room);
	if (!more)
		return -ENOMEM;
	head->rec = more;
	head->rec_room = room;
	return 0;
}

/**
 * lfs_log_emit() - Append a record (struct and two byte strings, padded to 8), whole, to the hot head's chunk.
 * fs->last_seq becomes the number of that chunk: durable when lfs_log_commit() of it returns.
 */
int lfs_log_emit(struct lfs *fs, const void *record, uint32_t len, const void *a, uint32_t a_len,
		 const void *b, uint32_t b_len)
{
	struct lfs_head *head = &fs->head[LFS_HEAD_HOT];
	uint32_t all = (len + a_len + b_len + 7) & ~7u;
	struct sealed out = { 0 };
	int err = lfs_writable(fs), e;

	if (err)
		return err;
	pthread_mutex_lock(&head->lock);
	err = make_room(fs, head, 0, all, &out);
	if (!err)
		err = record_room(head, all);
	if (!err) {
		uint8_t *to = head->rec + head->rec_bytes;

		memset(to + all - 8, 0, 8);
		memcpy(to, record, len);
		if (a_len)
			memcpy(to + len, a, a_len);
		if (b_len)
			memcpy(to + len + a_len, b, b_len);
		head->rec_bytes += all;
		if (!LFS_PLANTED(FSYNC_WITHOUT_NAMESPACE) ||
		    ((const struct lfs_record_disk *)record)->type > LFS_REC_RENAME)
			atomic_store(&fs->last_seq, head->seq);
		atomic_fetch_add_explicit(&fs->emitted, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&head->lock);
	e = sealed_write(fs, &out);
	return err ? err : e;
}

/** lfs_log_seal() - Write what is in the head's chunk. @close_segment: and its table; the head is closed then. */
int lfs_log_seal(struct lfs *fs, uint32_t which, bool close_segment)
{
	struct lfs_head *head = &fs->head[which];
	struct sealed out = { 0 };

	pthread_mutex_lock(&head->lock);
	if (close_segment)
		leave(fs, head, &out);
	else
		seal(fs, head, &out);
	pthread_mutex_unlock(&head->lock);
	return sealed_write(fs, &out);
}

/** lfs_log_settle() - Wait until everything that was sealed is written. */
int lfs_log_settle(struct lfs *fs)
{
	wait_written(fs, 0, true);
	return lfs_writable(fs);
}

static int commit_once(struct lfs *fs, uint64_t *target)
{
	struct lfs_head *head = &fs->head[LFS_HEAD_HOT];
	struct sealed out = { 0 };
	int err;

	pthread_mutex_lock(&head->lock);
	seal(fs, head, &out);
	*target = head->seq - 1;
	pthread_mutex_unlock(&head->lock);
	err = sealed_write(fs, &out);
	wait_written(fs, *target, false);
	if (!err)
		err = lfs_writable(fs);
	if (!err && !LFS_PLANTED(SKIP_COMMIT_FLUSH))
		err = lfs_dev_flush(fs);
	fs->count.commits++;
	return err;
}

/**
 * lfs_log_commit() - Make the chain durable up to chunk @seq. One thread does it for all that wait.
 *
 * From its flush on everything that was emitted before survives a crash.
 */
int lfs_log_commit(struct lfs *fs, uint64_t seq)
{
	uint64_t target = 0;
	int err = 0;

	pthread_mutex_lock(&fs->commit_lock);
	while (!err && atomic_load(&fs->durable) < seq) {
		if (fs->committing) {
			pthread_cond_wait(&fs->commit_done, &fs->commit_lock);
			err = lfs_writable(fs);
			continue;
		}
		fs->committing = true;
		pthread_mutex_unlock(&fs->commit_lock);
		err = commit_once(fs, &target);
		pthread_mutex_lock(&fs->commit_lock);
		fs->committing = false;
		if (!err && atomic_load(&fs->durable) < target)
			atomic_store(&fs->durable, target);
		pthread_cond_broadcast(&fs->commit_done);
	}
	pthread_mutex_unlock(&fs->commit_lock);
	return err;
}

/** lfs_log_write_memory() - What was only kept in memory so far (memory_only) goes to the device. Context: mount. */
int lfs_log_write_memory(struct lfs *fs)
{
	struct lfs_segbuf *buf, *next;
	int err = 0;

	for (buf = fs->segbufs; buf && !err; buf = next) {
		uint32_t first = lfs_seg_first(&fs->geo, buf->seg);

		next = buf->next;
		if (buf->fill > first)
			err = lfs_dev_write(fs, buf->bytes + (size_t)first * LFS_BLOCK,
					    buf->fill - first, base_of(fs, buf) + first);
		if (!err && !buf->writing)
			err = segment_finish(fs, buf);
	}
	return err;
}

/** lfs_log_positions() - Where the heads stand, for a checkpoint. Context: everything sealed. */
void lfs_log_positions(struct lfs *fs, struct lfs_cp_disk *cp)
{
	for (uint32_t i = 0; i < LFS_HEADS; i++) {
		struct lfs_head *head = &fs->head[i];
		struct lfs_head_disk *d = &cp->heads[i];

		d->segment = lfs_to32(head->buf ? head->buf->seg : LFS_NO_SEGMENT);
		d->position = lfs_to32(head->buf ? head->start : 0);
		d->seq = lfs_to64(head->buf ? head->buf->seq : 0);
		d->next_segment = lfs_to32(head->next_seg);
		d->next_seq = lfs_to64(head->next_segseq);
	}
	cp->chunk_seq = lfs_to64(fs->head[LFS_HEAD_HOT].seq);
}

/** lfs_log_open_hot() - Begin the chain, so that a checkpoint can say where it begins. */
int lfs_log_open_hot(struct lfs *fs)
{
	struct lfs_head *head = &fs->head[LFS_HEAD_HOT];
	int err = 0;

	pthread_mutex_lock(&head->lock);
	if (!head->buf)
		err = segment_open(fs, head);
	pthread_mutex_unlock(&head->lock);
	return err;
}

int lfs_log_init(struct lfs *fs)
{
	for (uint32_t i = 0; i < LFS_HEADS; i++) {
		pthread_mutex_init(&fs->head[i].lock, NULL);
		fs->head[i].which = i;
		fs->head[i].next_seg = LFS_NO_SEGMENT;
		fs->head[i].seq = 1;
	}
	pthread_rwlock_init(&fs->segbuf_lock, NULL);
	pthread_mutex_init(&fs->write_lock, NULL);
	pthread_cond_init(&fs->write_done, NULL);
	pthread_mutex_init(&fs->commit_lock, NULL);
	pthread_cond_init(&fs->commit_done, NULL);
	return 0;
}

void lfs_log_destroy(struct lfs *fs)
{
	while (fs->segbufs) {
		struct lfs_segbuf *buf = fs->segbufs;

		fs->segbufs = buf->next;
		segbuf_free(buf);
	}
	while (fs->spare_bufs) {
		struct lfs_segbuf *buf = fs->spare_bufs;

		fs->spare_bufs = buf->next;
		segbuf_free(buf);
	}
	for (uint32_t i = 0; i < LFS_HEADS; i++)
		free(fs->head[i].rec);
	while (fs->tails) {
		struct lfs_tail *tail = fs->tails;

		fs->tails = tail->next;
		free(tail);
	}
}
