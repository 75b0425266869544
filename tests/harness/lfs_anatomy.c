/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_anatomy.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "csum.h"
#include "format.h"

#define BLOCK LFS_BLOCK

const char *const anatomy_names[ANATOMY_COUNT] = {
	"nothing", "super",  "checkpoint", "gdir", "ginfo", "chunk", "rest",   "data",
	"shared",  "itable", "page",       "ptab", "root",  "table", "owners",
};

static void *must(void *memory)
{
	CHECK(memory, "no memory");
	return memory;
}

/* ---- Where things are -------------------------------------------------------------------------------- */

static uint64_t gdir_at(const struct lfs_anatomy *a, uint32_t index, uint32_t copy)
{
	return LFS_GDIR_BLOCK + (uint64_t)copy * a->gdir_blocks + index;
}

static uint64_t ginfo_at(const struct lfs_anatomy *a, uint32_t group, uint32_t copy)
{
	uint64_t base = group ? (uint64_t)group * LFS_GROUP_BLOCKS : gdir_at(a, 0, 2);

	return base + (uint64_t)copy * a->ginfo_blocks;
}

static uint32_t segments_per_group(const struct lfs_anatomy *a)
{
	return (uint32_t)(LFS_GROUP_BLOCKS / a->segment_blocks);
}

/* The first block of the log in a segment. */
static uint64_t log_begin(const struct lfs_anatomy *a, uint64_t segment)
{
	uint64_t begin = segment * a->segment_blocks, fixed = ginfo_at(a, 0, 2);

	if (begin < fixed)
		return fixed < begin + a->segment_blocks ? fixed : begin + a->segment_blocks;
	return segment % segments_per_group(a) ? begin : begin + 2 * a->ginfo_blocks;
}

static uint64_t log_end(const struct lfs_anatomy *a, uint64_t segment)
{
	return (segment + 1) * a->segment_blocks - LFS_TAIL_BLOCKS;
}

/* Of the payload, @at bytes in: in the header or in the rest behind the data. */
static uint8_t *payload(uint8_t *image, uint64_t chunk, uint32_t ndata, size_t at)
{
	if (at < LFS_CHUNK_PAYLOAD)
		return image + chunk * BLOCK + LFS_CHUNK_HEAD + at;
	return image + (chunk + 1 + ndata) * BLOCK + (at - LFS_CHUNK_PAYLOAD);
}

/* The payload is in two pieces: an entry may lie across the cut. */
static void entry_get(const uint8_t *image, uint64_t chunk, uint32_t ndata, uint32_t i,
		      struct lfs_entry_disk *entry)
{
	for (size_t k = 0; k < sizeof(*entry); k++)
		((uint8_t *)entry)[k] = *payload((uint8_t *)(uintptr_t)image, chunk, ndata,
						 i * sizeof(*entry) + k);
}

static void entry_set_csum(uint8_t *image, uint64_t chunk, uint32_t ndata, uint32_t i,
			   uint64_t csum)
{
	lfs_le64 disk = lfs_to64(csum);

	for (size_t k = 0; k < sizeof(disk); k++)
		*payload(image, chunk, ndata,
			 i * sizeof(struct lfs_entry_disk) + k) = ((uint8_t *)&disk)[k];
}

/* ---- Reading ------------------------------------------------------------------------------------------- */

static void mark(struct lfs_anatomy *a, uint64_t at, uint64_t n, enum anatomy_kind kind)
{
	memset(a->kind + at, kind, n);
}

static enum anatomy_kind kind_of_entry(const struct lfs_entry_disk *entry)
{
	static const uint8_t kinds[] = {
		[LFS_KIND_NONE] = ANATOMY_nothing,  [LFS_KIND_DATA] = ANATOMY_data,
		[LFS_KIND_SHARED] = ANATOMY_shared, [LFS_KIND_ITABLE] = ANATOMY_itable,
		[LFS_KIND_PAGE] = ANATOMY_page,     [LFS_KIND_PTAB] = ANATOMY_ptab,
		[LFS_KIND_ROOT] = ANATOMY_root,     [LFS_KIND_LOG] = ANATOMY_rest,
	};
	uint64_t kind = lfs_from64(entry->owner) >> 56;

	return kind < sizeof(kinds) ? (enum anatomy_kind)kinds[kind] : ANATOMY_nothing;
}

/* The chunk at @at: blocks that it covers, 0: there is none of this life of the segment. */
static uint64_t read_chunk(struct lfs_anatomy *a, const uint8_t *image, uint64_t at, uint64_t end,
			   uint64_t seq)
{
	const struct lfs_chunk_disk *d = (const void *)(image + at * BLOCK);
	uint32_t ndata = lfs_from16(d->ndata), nrest = lfs_from16(d->nrest);

	if (lfs_from32(d->magic) != LFS_CHUNK_MAGIC || lfs_from64(d->segment_seq) != seq ||
	    at + 1 + ndata + nrest > end)
		return 0;
	if (a->n_chunks == a->room) {
		a->room = a->room ? 2 * a->room : 64;
		a->chunks = must(realloc(a->chunks, a->room * sizeof(*a->chunks)));
	}
	a->chunks[a->n_chunks++] = (struct anatomy_chunk){ .at = at, .seq = seq };
	mark(a, at, 1, ANATOMY_chunk);
	mark(a, at + 1 + ndata, nrest, ANATOMY_rest);
	for (uint32_t i = 0; i < ndata; i++) {
		struct lfs_entry_disk entry;

		entry_get(image, at, ndata, i, &entry);
		mark(a, at + 1 + i, 1, kind_of_entry(&entry));
	}
	return 1 + ndata + nrest;
}

static void read_segment(struct lfs_anatomy *a, const uint8_t *image, uint64_t segment)
{
	uint64_t at = log_begin(a, segment), end = log_end(a, segment), n;
	const struct lfs_table_disk *table = (const void *)(image + end * BLOCK);
	const struct lfs_chunk_disk *first = (const void *)(image + at * BLOCK);

	if (at >= end)
		return;
	if (!a->segment_seq[segment] && lfs_from32(first->magic) == LFS_CHUNK_MAGIC)
		a->segment_seq[segment] = lfs_from64(first->segment_seq);
	while (at < end && (n = read_chunk(a, image, at, end, a->segment_seq[segment])))
		at += n;
	if (lfs_from32(table->magic) == LFS_TABLE_MAGIC &&
	    lfs_from64(table->segment_seq) == a->segment_seq[segment]) {
		mark(a, end, 1, ANATOMY_table);
		mark(a, end + 1, LFS_TAIL_BLOCKS - 1, ANATOMY_owners);
	}
}

static void read_group(struct lfs_anatomy *a, const uint8_t *image, uint32_t group)
{
	const struct lfs_cp_disk *cp = (const void *)(image +
						      (a->current ? LFS_CP1_BLOCK : LFS_CP0_BLOCK) *
							      (size_t)BLOCK);
	uint64_t word = lfs_from64(cp->gdirs[group / LFS_GDIR_GROUPS]),
		 first = (uint64_t)group * LFS_GROUP_BLOCKS;
	const struct lfs_gdir_disk *gdir =
		(const void *)(image + gdir_at(a, group / LFS_GDIR_GROUPS, word & 1) * BLOCK);
	const struct lfs_gdir_entry *e = &gdir->entry[group % LFS_GDIR_GROUPS];
	const struct lfs_seg_disk *seg;
	const uint8_t *bits;

	if (!word || e->copy > 1)
		return;
	mark(a, ginfo_at(a, group, e->copy), a->ginfo_blocks, ANATOMY_ginfo);
	mark(a, gdir_at(a, group / LFS_GDIR_GROUPS, word & 1), 1, ANATOMY_gdir);
	seg = (const void *)(image + ginfo_at(a, group, e->copy) * BLOCK +
			     sizeof(struct lfs_group_disk));
	bits = (const uint8_t *)(seg + segments_per_group(a));
	for (uint64_t i = 0; i < segments_per_group(a); i++)
		if (group * segments_per_group(a) + i < a->segments)
			a->segment_seq[group * segments_per_group(a) + i] = lfs_from64(seg[i].seq);
	for (uint64_t i = 0; i < LFS_GROUP_BLOCKS && first + i < a->blocks; i++)
		a->live[first + i] = bits[i / 8] >> i % 8 & 1;
}

bool lfs_anatomy_read(struct lfs_anatomy *a, const uint8_t *image, size_t bytes)
{
	const struct lfs_super_disk *super = (const void *)image;
	const struct lfs_cp_disk *cp0, *cp1;

	memset(a, 0, sizeof(*a));
	if (bytes < (LFS_GDIR_BLOCK + 1) * (size_t)BLOCK ||
	    lfs_from64(super->magic) != LFS_SUPER_MAGIC)
		return false;
	a->blocks = lfs_from64(super->blocks);
	a->segment_blocks = lfs_from32(super->segment_blocks);
	a->gdir_blocks = lfs_from32(super->gdir_blocks);
	a->ginfo_blocks = lfs_from32(super->ginfo_blocks);
	if (!a->segment_blocks || a->segment_blocks > LFS_GROUP_BLOCKS || a->blocks > bytes / BLOCK)
		return false;
	a->segments = a->blocks / a->segment_blocks;
	a->groups = (uint32_t)((a->blocks + LFS_GROUP_BLOCKS - 1) / LFS_GROUP_BLOCKS);
	if (ginfo_at(a, 0, 2) > a->blocks)
		return false;
	a->kind = must(calloc(a->blocks, 1));
	a->live = must(calloc(a->blocks, 1));
	a->segment_seq = must(calloc(a->segments + 1, sizeof(*a->segment_seq)));
	cp0 = (const void *)(image + LFS_CP0_BLOCK * (size_t)BLOCK);
	cp1 = (const void *)(image + LFS_CP1_BLOCK * (size_t)BLOCK);
	a->current = lfs_from64(cp1->magic) == LFS_CP_MAGIC &&
		     (lfs_from64(cp0->magic) != LFS_CP_MAGIC ||
		      lfs_from64(cp1->sequence) > lfs_from64(cp0->sequence));
	mark(a, LFS_SUPER0_BLOCK, 1, ANATOMY_super);
	mark(a, LFS_SUPER1_BLOCK, 1, ANATOMY_super);
	mark(a, LFS_CP0_BLOCK, 1, ANATOMY_checkpoint);
	mark(a, LFS_CP1_BLOCK, 1, ANATOMY_checkpoint);
	for (uint32_t g = 0; g < a->groups; g++)
		read_group(a, image, g);
	for (uint64_t s = 0; s < a->segments; s++)
		read_segment(a, image, s);
	return true;
}

void lfs_anatomy_destroy(struct lfs_anatomy *a)
{
	free(a->kind);
	free(a->live);
	free(a->segment_seq);
	free(a->chunks);
	memset(a, 0, sizeof(*a));
}

/* ---- Sealing -------------------------------------------------------------------------------------------- */

static uint64_t segment_of(const struct lfs_anatomy *a, uint64_t block)
{
	return block / a->segment_blocks;
}

/* The data's checksums go to the header's entries and to the segment's table; then the header has its own. */
static void seal_chunk(const struct lfs_anatomy *a, uint8_t *image,
		       const struct anatomy_chunk *chunk)
{
	struct lfs_chunk_disk *d = (void *)(image + chunk->at * BLOCK);
	uint64_t end = log_end(a, segment_of(a, chunk->at));
	struct lfs_table_disk *table = (void *)(image + end * BLOCK);
	uint64_t first = segment_of(a, chunk->at) * a->segment_blocks;
	uint32_t ndata = lfs_from16(d->ndata), nrest = lfs_from16(d->nrest);
	bool has_table = a->kind[end] == ANATOMY_table;

	if (chunk->at + 1 + ndata + nrest > end)
		return; /* an edit made it nonsense */
	for (uint32_t i = 0; i < ndata; i++) {
		uint64_t at = chunk->at + 1 + i,
			 csum = lfs_csum_block(image + at * BLOCK, at, chunk->seq);

		if ((size_t)(i + 1) * sizeof(struct lfs_entry_disk) >
		    LFS_CHUNK_PAYLOAD + (size_t)nrest * BLOCK)
			break;
		entry_set_csum(image, chunk->at, ndata, i, csum);
		if (has_table && at - first < LFS_TABLE_SLOTS)
			table->block_csum[at - first] = lfs_to64(csum);
	}
	d->csum = lfs_to64(lfs_csum_parts(d, BLOCK, 8, image + (chunk->at + 1 + ndata) * BLOCK,
					  (size_t)nrest * BLOCK, chunk->at, chunk->seq));
}

static void seal_tail(const struct lfs_anatomy *a, uint8_t *image, uint64_t segment)
{
	uint64_t end = log_end(a, segment), seq = a->segment_seq[segment];
	struct lfs_table_disk *table = (void *)(image + end * BLOCK);
	struct lfs_owners_disk *owners = (void *)(image + (end + 1) * BLOCK);

	if (a->kind[end] != ANATOMY_table)
		return;
	table->csum = lfs_to64(lfs_csum_parts(table, BLOCK, 16, NULL, 0, end, seq));
	owners->csum = lfs_to64(lfs_csum_parts(owners, sizeof(*owners), 16, NULL, 0, end + 1, seq));
}

/* The books: groups' info, then their directories, then the checkpoint that names those. */
static void seal_books(const struct lfs_anatomy *a, uint8_t *image, struct lfs_cp_disk *cp)
{
	for (uint32_t g = 0; g < a->groups; g++) {
		uint32_t index = g / LFS_GDIR_GROUPS;
		uint64_t copy = lfs_from64(cp->gdirs[index]) & 1, csum;
		struct lfs_gdir_disk *gdir = (void *)(image +
						      gdir_at(a, index, (uint32_t)copy) * BLOCK);
		struct lfs_gdir_entry *e = &gdir->entry[g % LFS_GDIR_GROUPS];

		if (!cp->gdirs[index])
			continue;
		if (e->copy <= 1) {
			uint64_t at = ginfo_at(a, g, e->copy);
			struct lfs_group_disk *info = (void *)(image + at * BLOCK);

			info->csum = lfs_to64(
				lfs_csum_fixed(info, (size_t)a->ginfo_blocks * BLOCK, 8, at));
			e->csum = info->csum;
		}
		csum = lfs_csum_fixed(gdir, BLOCK, 8, gdir_at(a, index, (uint32_t)copy));
		gdir->csum = lfs_to64(csum);
		cp->gdirs[index] = lfs_to64((csum & ~UINT64_C(1)) | copy);
	}
}

void lfs_anatomy_seal(const struct lfs_anatomy *a, uint8_t *image)
{
	static const uint32_t cps[] = { LFS_CP0_BLOCK, LFS_CP1_BLOCK },
			      supers[] = { LFS_SUPER0_BLOCK, LFS_SUPER1_BLOCK };

	for (size_t i = 0; i < a->n_chunks; i++)
		seal_chunk(a, image, &a->chunks[i]);
	for (uint64_t s = 0; s < a->segments; s++)
		seal_tail(a, image, s);
	for (int i = 0; i < 2; i++) {
		struct lfs_cp_disk *cp = (void *)(image + cps[i] * (size_t)BLOCK);
		struct lfs_super_disk *super = (void *)(image + supers[i] * (size_t)BLOCK);

		if ((uint32_t)i == a->current)
			seal_books(a, image, cp);
		cp->csum = lfs_to64(lfs_csum_fixed(cp, sizeof(*cp), 8, cps[i]));
		super->csum = lfs_to64(lfs_csum_fixed(super, sizeof(*super), 8, supers[i]));
	}
}
