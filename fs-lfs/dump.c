/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What stands on the device, as a tree of named values: superblocks, checkpoints, segments. dump_files.c has inodes, maps
 * and directories.
 */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void number(const struct lfs_dump_sink *s, const char *key, uint64_t value)
{
	s->number(s->ctx, key, value);
}

static void text(const struct lfs_dump_sink *s, const char *key, const char *value)
{
	s->text(s->ctx, key, value);
}

static void open_group(const struct lfs_dump_sink *s, const char *key)
{
	s->open(s->ctx, key, false);
}

static void open_list(const struct lfs_dump_sink *s, const char *key)
{
	s->open(s->ctx, key, true);
}

static void close_it(const struct lfs_dump_sink *s)
{
	s->close(s->ctx);
}

static void hex(const struct lfs_dump_sink *s, const char *key, uint64_t value)
{
	char digits[20];

	snprintf(digits, sizeof(digits), "%016" PRIx64, value);
	text(s, key, digits);
}

/* ---- Copies at fixed places ------------------------------------------------------------------------------- */

/* One block with magic at 0 and csum at 8. False: it is not worth telling what is in it. */
static bool copy_begin(struct lfs_bdev *dev, const struct lfs_dump_sink *s, void *buf,
		       uint32_t block, uint64_t magic)
{
	const lfs_le64 *words = buf;
	uint64_t at = (uint64_t)block * LFS_BLOCK, csum;
	int err = dev->size_bytes < at + LFS_BLOCK ? -EIO : dev->ops->read(dev, buf, LFS_BLOCK, at);

	open_group(s, NULL);
	number(s, "block", block);
	if (err)
		text(s, "error", strerror(-err));
	else if (lfs_from64(words[0]) != magic)
		text(s, "error", "its magic is not there");
	if (err || lfs_from64(words[0]) != magic)
		return false;
	csum = lfs_csum_fixed(buf, LFS_BLOCK, 8, block);
	if (csum != lfs_from64(words[1]))
		text(s, "error", "checksum does not match");
	hex(s, "checksum", lfs_from64(words[1]));
	return true;
}

static void dump_uuid(const struct lfs_dump_sink *s, const uint8_t *u)
{
	char out[40];
	size_t n = 0;

	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%02x",
				      i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
	text(s, "uuid", out);
}

static void dump_super_fields(const struct lfs_dump_sink *s, const struct lfs_super_disk *d)
{
	char label[LFS_LABEL_BYTES + 1] = { 0 };

	memcpy(label, d->label, LFS_LABEL_BYTES);
	number(s, "version", lfs_from32(d->version));
	number(s, "generation", lfs_from64(d->generation));
	number(s, "blocks", lfs_from64(d->blocks));
	number(s, "segment_blocks", lfs_from32(d->segment_blocks));
	number(s, "group_directory_blocks", lfs_from32(d->gdir_blocks));
	number(s, "group_info_blocks", lfs_from32(d->ginfo_blocks));
	number(s, "made", lfs_from64(d->made_sec));
	text(s, "label", label);
	dump_uuid(s, d->uuid);
	hex(s, "hash_seed", lfs_from64(d->hash_seed));
}

int lfs_dump_super(struct lfs_bdev *dev, const struct lfs_dump_sink *s)
{
	struct lfs_super_disk *d = aligned_alloc(64, LFS_BLOCK);

	if (!d)
		return -ENOMEM;
	open_list(s, "superblocks");
	for (int i = 0; i < 2; i++) {
		if (copy_begin(dev, s, d, i ? LFS_SUPER1_BLOCK : LFS_SUPER0_BLOCK, LFS_SUPER_MAGIC))
			dump_super_fields(s, d);
		close_it(s);
	}
	close_it(s);
	free(d);
	return 0;
}

static const char *const head_names[] = { "hot", "cold", "meta" };

static void dump_head(const struct lfs_dump_sink *s, const struct lfs_head_disk *h, uint32_t which)
{
	open_group(s, NULL);
	text(s, "head", head_names[which]);
	if (lfs_from32(h->segment) != LFS_NO_SEGMENT) {
		number(s, "segment", lfs_from32(h->segment));
		number(s, "position", lfs_from32(h->position));
		number(s, "sequence", lfs_from64(h->seq));
	}
	if (lfs_from32(h->next_segment) != LFS_NO_SEGMENT) {
		number(s, "next_segment", lfs_from32(h->next_segment));
		number(s, "next_sequence", lfs_from64(h->next_seq));
	}
	close_it(s);
}

static void dump_cp_fields(const struct lfs_dump_sink *s, const struct lfs_cp_disk *cp)
{
	static const char *const maps[LFS_SYS_MAPS] = { "inode_map", "shared", "owners",
							"reverse" };

	number(s, "sequence", lfs_from64(cp->sequence));
	hex(s, "epoch", lfs_from64(cp->epoch));
	number(s, "clean", lfs_from32(cp->flags) & LFS_CP_CLEAN);
	number(s, "time", lfs_from64(cp->time_sec));
	open_list(s, "heads");
	for (uint32_t i = 0; i < LFS_HEADS; i++)
		dump_head(s, &cp->heads[i], i);
	close_it(s);
	open_group(s, "map_roots");
	for (uint32_t i = 0; i < LFS_SYS_MAPS; i++)
		number(s, maps[i], lfs_from64(cp->sys_root[i]));
	close_it(s);
	number(s, "next_chunk", lfs_from64(cp->chunk_seq));
	number(s, "next_segment_sequence", lfs_from64(cp->next_segment_seq));
	number(s, "next_inode", lfs_from64(cp->next_ino));
	number(s, "next_shared_address", lfs_from64(cp->next_vaddr));
	number(s, "next_generation", lfs_from64(cp->next_generation));
	number(s, "live_blocks", lfs_from64(cp->live));
	number(s, "reserved_blocks", lfs_from64(cp->reserved));
	number(s, "inodes", lfs_from64(cp->inodes));
	number(s, "orphans", lfs_from64(cp->orphans));
	open_list(s, "group_directories");
	for (uint32_t i = 0; i < LFS_GDIRS_MAX; i++) {
		uint64_t word = lfs_from64(cp->gdirs[i]);

		if (!word)
			continue;
		open_group(s, NULL);
		number(s, "index", i);
		number(s, "copy", word & 1);
		hex(s, "checksum", word & ~UINT64_C(1));
		close_it(s);
	}
	close_it(s);
}

int lfs_dump_checkpoint(struct lfs_bdev *dev, const struct lfs_dump_sink *s)
{
	struct lfs_cp_disk *cp = aligned_alloc(64, LFS_BLOCK);

	if (!cp)
		return -ENOMEM;
	open_list(s, "checkpoints");
	for (int i = 0; i < 2; i++) {
		if (copy_begin(dev, s, cp, i ? LFS_CP1_BLOCK : LFS_CP0_BLOCK, LFS_CP_MAGIC))
			dump_cp_fields(s, cp);
		close_it(s);
	}
	close_it(s);
	free(cp);
	return 0;
}

/* ---- A segment -------------------------------------------------------------------------------------------- */

struct segment {
	struct lfs *fs;
	const struct lfs_dump_sink *sink;
	uint32_t number, end;
	uint64_t base;
	struct lfs_seg info;
	uint8_t *bytes;
	uint64_t live[LFS_SEGMENT_MAX / LFS_BLOCK / 64];
};

static const char *const kind_names[] = { "none", "data",       "shared", "inodes",
					  "page", "page table", "root",   "log" };

static void dump_owner(const struct lfs_dump_sink *s, uint64_t owner, uint64_t index)
{
	uint64_t kind = owner >> 56;

	text(s, "kind", kind <= LFS_KIND_LOG ? kind_names[kind] : "unknown");
	if (owner & UINT32_MAX)
		number(s, "inode", owner & UINT32_MAX);
	if (owner >> 48 & 0xff)
		number(s, "which", owner >> 48 & 0xff);
	number(s, "index", index);
}

static void dump_block(const struct segment *seg, uint32_t at, const struct lfs_entry_disk *e)
{
	const struct lfs_dump_sink *s = seg->sink;
	uint64_t found = lfs_csum_block(seg->bytes + (size_t)at * LFS_BLOCK, seg->base + at,
					seg->info.seq);

	open_group(s, NULL);
	number(s, "block", seg->base + at);
	number(s, "live", seg->live[at / 64] >> (at % 64) & 1);
	dump_owner(s, lfs_from64(e->owner), lfs_from64(e->index));
	if (found != lfs_from64(e->csum))
		text(s, "error", "checksum does not match");
	close_it(s);
}

static void put_string(const struct lfs_dump_sink *s, const char *key, const uint8_t *bytes,
		       uint32_t len)
{
	char out[80];
	uint32_t n = len < sizeof(out) - 1 ? len : (uint32_t)sizeof(out) - 1;

	if (!len)
		return;
	for (uint32_t i = 0; i < n; i++)
		out[i] = bytes[i] < 32 || bytes[i] == 127 ? '.' : (char)bytes[i];
	out[n] = 0;
	text(s, key, out);
}

static void dump_record(const struct lfs_dump_sink *s, const uint8_t *bytes, uint32_t len)
{
	static const char *const names[] = { "none",   "create", "link",   "unlink",
					     "rename", "write",  "inline", "setattr",
					     "free",   "xattr",  "falloc", "clone" };
	struct lfs_record_disk d;
	uint32_t a, b;
	bool binary;

	memcpy(&d, bytes, sizeof(d));
	a = lfs_from32(d.a);
	b = lfs_from32(d.b);
	open_group(s, NULL);
	text(s, "type", d.type <= LFS_REC_CLONE ? names[d.type] : "unknown");
	number(s, "inode", lfs_from32(d.ino));
	if (d.ino2)
		number(s, "inode2", lfs_from32(d.ino2));
	number(s, "x", lfs_from64(d.x));
	number(s, "y", lfs_from64(d.y));
	number(s, "z", lfs_from64(d.z));
	number(s, "w", lfs_from64(d.w));
	number(s, "m", lfs_from32(d.m));
	number(s, "time", lfs_from64(d.sec));
	binary = d.type == LFS_REC_INLINE || d.type == LFS_REC_SETATTR;
	if (a > len - sizeof(d) || b > len - sizeof(d) - a)
		text(s, "error", "its strings are longer than the record");
	else if (!binary) {
		put_string(s, "a", bytes + sizeof(d), a);
		put_string(s, "b", bytes + sizeof(d) + a, b);
	}
	close_it(s);
}

static void dump_records(const struct lfs_dump_sink *s, const uint8_t *at, uint32_t left)
{
	open_list(s, "records");
	while (left >= sizeof(struct lfs_record_disk)) {
		struct lfs_record_disk d;
		uint32_t len;

		memcpy(&d, at, sizeof(d));
		len = lfs_from32(d.len);
		if (len < sizeof(d) || len % 8 || len > left)
			break;
		dump_record(s, at, len);
		at += len;
		left -= len;
	}
	close_it(s);
}

/* The chunk at block @at, which ends at @next: header, data, records. */
static int dump_chunk(const struct segment *seg, uint32_t at, uint32_t next)
{
	const struct lfs_chunk_disk *d = (const void *)(seg->bytes + (size_t)at * LFS_BLOCK);
	const struct lfs_dump_sink *s = seg->sink;
	uint32_t ndata = lfs_from16(d->ndata), nrest = lfs_from16(d->nrest);
	uint32_t entries = ndata * (uint32_t)sizeof(struct lfs_entry_disk);
	size_t room = LFS_CHUNK_PAYLOAD + (size_t)nrest * LFS_BLOCK;
	uint32_t records = lfs_from32(d->record_bytes);
	uint8_t *payload = malloc(room);

	if (!payload)
		return -ENOMEM;
	memcpy(payload, d->payload, LFS_CHUNK_PAYLOAD);
	memcpy(payload + LFS_CHUNK_PAYLOAD, seg->bytes + (size_t)(next - nrest) * LFS_BLOCK,
	       (size_t)nrest * LFS_BLOCK);
	open_group(s, NULL);
	number(s, "block", seg->base + at);
	text(s, "head",
	     lfs_from32(d->head) < LFS_HEADS ? head_names[lfs_from32(d->head)] : "unknown");
	number(s, "sequence", lfs_from64(d->seq));
	hex(s, "epoch", lfs_from64(d->epoch));
	number(s, "durable", lfs_from64(d->durable));
	number(s, "time", lfs_from64(d->time_sec));
	number(s, "rest_blocks", nrest);
	if (lfs_from32(d->next_segment) != LFS_NO_SEGMENT)
		number(s, "next_segment", lfs_from32(d->next_segment));
	if (lfs_csum_parts(d, LFS_BLOCK, 8, seg->bytes + (size_t)(next - nrest) * LFS_BLOCK,
			   (size_t)nrest * LFS_BLOCK, seg->base + at,
			   seg->info.seq) != lfs_from64(d->csum))
		text(s, "error", "checksum does not match");
	open_list(s, "data");
	for (uint32_t i = 0; i < ndata && (i + 1) * sizeof(struct lfs_entry_disk) <= room; i++) {
		struct lfs_entry_disk e;

		memcpy(&e, payload + i * sizeof(e), sizeof(e));
		dump_block(seg, at + 1 + i, &e);
	}
	close_it(s);
	if (entries <= room && records <= room - entries)
		dump_records(s, payload + entries, records);
	close_it(s);
	free(payload);
	return 0;
}

/* Headers as they follow each other, whole or not; a block that is none of this life ends the walk. */
static int dump_chunks(const struct segment *seg)
{
	uint32_t at = lfs_seg_first(&seg->fs->geo, seg->number);
	int err = 0;

	open_list(seg->sink, "chunks");
	while (!err && at < seg->end) {
		const struct lfs_chunk_disk *d = (const void *)(seg->bytes +
								(size_t)at * LFS_BLOCK);
		uint32_t next = at + 1u + lfs_from16(d->ndata) + lfs_from16(d->nrest);

		if (lfs_from32(d->magic) != LFS_CHUNK_MAGIC ||
		    lfs_from64(d->segment_seq) != seg->info.seq || next > seg->end)
			break;
		err = dump_chunk(seg, at, next);
		at = next;
	}
	close_it(seg->sink);
	return err;
}

static void dump_table(const struct segment *seg)
{
	const struct lfs_table_disk *t = (const void *)(seg->bytes + (size_t)seg->end * LFS_BLOCK);
	const struct lfs_owners_disk *o = (const void *)(t + 1);
	const struct lfs_dump_sink *s = seg->sink;
	uint64_t at = seg->base + seg->end, seq = seg->info.seq;

	open_group(s, "table");
	number(s, "block", at);
	if (lfs_from32(t->magic) != LFS_TABLE_MAGIC || lfs_from64(t->segment_seq) != seq) {
		text(s, "error", "not there, or of an earlier use");
		close_it(s);
		return;
	}
	number(s, "count", lfs_from32(t->count));
	if (lfs_from64(t->csum) != lfs_csum_parts(t, LFS_BLOCK, 16, NULL, 0, at, seq))
		text(s, "error", "checksum does not match");
	if (lfs_from32(o->magic) != LFS_OWNERS_MAGIC || lfs_from64(o->segment_seq) != seq ||
	    lfs_from64(o->csum) != lfs_csum_parts(o, sizeof(*o), 16, NULL, 0, at + 1, seq))
		text(s, "owners_error", "checksum does not match");
	close_it(s);
}

static int dump_segment(struct segment *seg)
{
	static const char *const states[] = {
		"free", "open", "closed", "reserved", "pending", "bad"
	};
	const struct lfs_dump_sink *s = seg->sink;
	int err = lfs_dev_read(seg->fs, seg->bytes, seg->fs->geo.seg_blocks, seg->base);

	open_group(s, "segment");
	number(s, "number", seg->number);
	number(s, "first_block", seg->base);
	text(s, "state", seg->info.state <= LFS_SEG_BAD ? states[seg->info.state] : "unknown");
	number(s, "sequence", seg->info.seq);
	number(s, "live_blocks", seg->info.live);
	if (err)
		text(s, "error", strerror(-err));
	if (!err && (seg->info.state == LFS_SEG_CLOSED || seg->info.state == LFS_SEG_BAD))
		dump_table(seg);
	if (!err && seg->info.state != LFS_SEG_RESERVED && seg->info.state != LFS_SEG_FREE)
		err = dump_chunks(seg);
	close_it(s);
	return err == -ENOMEM ? err : 0;
}

int lfs_dump_segment(struct lfs *fs, uint64_t number_, const struct lfs_dump_sink *sink)
{
	struct segment *seg;
	int err;

	if (number_ >= fs->geo.nsegs)
		return -EINVAL;
	seg = calloc(1, sizeof(*seg));
	if (!seg)
		return -ENOMEM;
	seg->fs = fs;
	seg->sink = sink;
	seg->number = (uint32_t)number_;
	seg->base = number_ << fs->geo.seg_shift;
	seg->end = lfs_seg_end(&fs->geo);
	seg->bytes = aligned_alloc(LFS_BLOCK, (size_t)fs->geo.seg_blocks * LFS_BLOCK);
	err = seg->bytes ? lfs_seg_get(fs, number_, &seg->info) : -ENOMEM;
	if (!err)
		err = lfs_live_in_segment(fs, number_, seg->live);
	if (!err)
		err = dump_segment(seg);
	free(seg->bytes);
	free(seg);
	return lfs_errno(err);
}
