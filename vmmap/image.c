/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Save and restore. The bytes, little-endian:
 *
 *      0  8  magic "VMMAPSPC"
 *      8  4  version, 1
 *     12  1  va_bits     13  1  phys_bits     14  2  zero
 *     16  8  extents     24  8  pages, each of its own size: bits in a bitmap
 *     32  8  XXH3-64 of all that follows the header
 *     40 16  zero
 *     56  8  XXH3-64 of bytes 0..55
 *     64     extents, 32 bytes each: page number, pages of 4 KiB, frame (8 bytes each), prot, shift, 6 zero bytes
 *            accessed bits of all pages in order, in words of 8 bytes; dirty bits likewise
 *
 * Extents ascend and are maximal, unused bits are zero: so equal mappings have equal bytes.
 */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "space.h"

#define MAGIC        "VMMAPSPC"
#define VERSION      1u
#define HEADER_BYTES 64u
#define EXTENT_BYTES 32u

static void put(uint8_t *p, unsigned int bytes, uint64_t v)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* ---- Save -------------------------------------------------------------------------------------------- */

/* One pass over the contents: first for checksum and counts, then to the sink. */
struct saver {
	struct vmmap_space *s;
	const struct lindex_sink *sink; /* NULL: the first pass */
	XXH3_state_t *hash;
	uint64_t extents, units;
	uint64_t word, filled; /* of the bitmap that is being written */
	uint32_t kind;
};

static int emit(struct saver *sv, const void *bytes, size_t len)
{
	if (sv->sink)
		return sv->sink->write(sv->sink->ctx, bytes, len);
	XXH3_64bits_update(sv->hash, bytes, len);
	return 0;
}

static int save_extent(void *ctx, const struct vmmap_extent *e)
{
	struct saver *sv = ctx;
	uint8_t bytes[EXTENT_BYTES] = { 0 };

	put(bytes, 8, space_vpn(sv->s, e->va));
	put(bytes + 8, 8, e->pages);
	put(bytes + 16, 8, e->pfn);
	bytes[24] = e->prot;
	bytes[25] = e->shift;
	sv->extents++;
	sv->units += e->pages / vmmap_shift_pages(e->shift);
	return emit(sv, bytes, sizeof(bytes));
}

static int flush_word(struct saver *sv)
{
	uint8_t bytes[8];

	put(bytes, 8, sv->word);
	sv->word = 0;
	sv->filled = 0;
	return emit(sv, bytes, sizeof(bytes));
}

static int save_bits(void *ctx, const struct vmmap_extent *e)
{
	struct saver *sv = ctx;
	uint64_t size = vmmap_shift_pages(e->shift);
	vmmap_vpn_t vpn = space_vpn(sv->s, e->va);
	int err = 0;

	for (uint64_t i = 0; i < e->pages && !err; i += size) {
		uint32_t bits = sv->s->backend->harvest(sv->s->table, vpn + i, 0);

		sv->word |= (uint64_t) !!(bits & sv->kind) << sv->filled++;
		if (sv->filled == 64)
			err = flush_word(sv);
	}
	return err;
}

static int save_pass(struct saver *sv)
{
	int err;

	sv->extents = sv->units = 0;
	err = vmmap_walk_all(sv->s, save_extent, sv);
	for (sv->kind = VMMAP_ACCESSED; sv->kind <= VMMAP_DIRTY && !err; sv->kind <<= 1) {
		err = vmmap_walk_all(sv->s, save_bits, sv);
		if (!err && sv->filled)
			err = flush_word(sv);
	}
	return err;
}

int vmmap_save(struct vmmap_space *s, const struct lindex_sink *sink)
{
	struct saver sv = { .s = s };
	uint8_t header[HEADER_BYTES] = { 0 };
	int err;

	sv.hash = vmmap_host_alloc(s->host, sizeof(*sv.hash), 64);
	if (!sv.hash)
		return -ENOMEM;
	XXH3_64bits_reset(sv.hash);
	err = save_pass(&sv);
	memcpy(header, MAGIC, 8);
	put(header + 8, 4, VERSION);
	header[12] = s->va_bits;
	header[13] = s->phys_bits;
	put(header + 16, 8, sv.extents);
	put(header + 24, 8, sv.units);
	put(header + 32, 8, XXH3_64bits_digest(sv.hash));
	put(header + 56, 8, XXH3_64bits(header, 56));
	vmmap_host_free_now(s->host, sv.hash, sizeof(*sv.hash));
	sv.sink = sink;
	err = err ? err : emit(&sv, header, sizeof(header));
	return err ? err : save_pass(&sv);
}

/* ---- What bytes are checked for ---------------------------------------------------------------------- */

struct image {
	const uint8_t *bytes;
	uint64_t extents, units, words; /* words of one bitmap */
	unsigned int va_bits, phys_bits;
};

static int refuse(struct lindex_reason *why, int err, const char *text, uint64_t offset,
		  uint64_t expected, uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){
			.text = text, .offset = offset, .expected = expected, .found = found
		};
	return err;
}

static int check_header(const uint8_t *b, size_t len, struct image *im, struct lindex_reason *why)
{
	uint64_t need;

	if (len < HEADER_BYTES)
		return refuse(why, -EUCLEAN, "saved space: cut off in its header", len,
			      HEADER_BYTES, len);
	if (memcmp(b, MAGIC, 8))
		return refuse(why, -EUCLEAN, "not a saved space: magic", 0,
			      get((const uint8_t *)MAGIC, 8), get(b, 8));
	if (get(b + 8, 4) != VERSION)
		return refuse(why, -EPROTONOSUPPORT, "saved space: version", 8, VERSION,
			      get(b + 8, 4));
	if (get(b + 56, 8) != XXH3_64bits(b, 56))
		return refuse(why, -EBADMSG, "saved space: checksum of the header", 56,
			      XXH3_64bits(b, 56), get(b + 56, 8));
	*im = (struct image){ .bytes = b,
			      .extents = get(b + 16, 8),
			      .units = get(b + 24, 8),
			      .va_bits = b[12],
			      .phys_bits = b[13] };
	im->words = im->units / 64 + (im->units % 64 != 0);
	if (im->extents > len / EXTENT_BYTES || im->words > len / 16)
		return refuse(why, -EUCLEAN, "saved space: cut off", len, im->extents, len);
	need = HEADER_BYTES + im->extents * EXTENT_BYTES + 2 * 8 * im->words;
	if (len != need)
		return refuse(why, -EUCLEAN, "saved space: length", len, need, len);
	if (get(b + 32, 8) != XXH3_64bits(b + HEADER_BYTES, len - HEADER_BYTES))
		return refuse(why, -EBADMSG, "saved space: checksum", 32,
			      XXH3_64bits(b + HEADER_BYTES, len - HEADER_BYTES), get(b + 32, 8));
	if ((im->va_bits != 48 && im->va_bits != 57) || im->phys_bits < 32 || im->phys_bits > 50)
		return refuse(why, -EUCLEAN, "saved space: bits of addresses", 12, 48, im->va_bits);
	if (get(b + 14, 2) || get(b + 40, 8) || get(b + 48, 8))
		return refuse(why, -EUCLEAN, "saved space: what should be zero", 40, 0,
			      get(b + 40, 8));
	return 0;
}

static const char *piece_wrong(const struct image *im, const struct vmmap_piece *p,
			       const struct vmmap_piece *before)
{
	uint64_t end = UINT64_C(1) << (im->va_bits - VMMAP_PAGE_SHIFT), half = end / 2;
	uint64_t frames = UINT64_C(1) << (im->phys_bits - VMMAP_PAGE_SHIFT);

	if (p->shift != VMMAP_4K && p->shift != VMMAP_2M && p->shift != VMMAP_1G)
		return "saved space: size of a page";
	if (!(p->prot & VMMAP_PROT_READ) || p->prot & ~(VMMAP_PROT_SETTABLE | VMMAP_PROT_COW))
		return "saved space: permissions";
	if (!p->pages || p->vpn >= end || p->pages > (p->vpn < half ? half : end) - p->vpn)
		return "saved space: an extent leaves its half of the address space";
	if (p->pfn >= frames || p->pages > frames - p->pfn)
		return "saved space: a frame beyond phys_bits";
	if ((p->vpn | p->pages | p->pfn) % vmmap_shift_pages(p->shift))
		return "saved space: a huge page is not aligned";
	if (before->pages && p->vpn < before->vpn + before->pages)
		return "saved space: extents overlap or do not ascend";
	if (before->pages && p->vpn != half && piece_continues(before, p))
		return "saved space: two extents are one";
	return NULL;
}

static int check_extents(const struct image *im, struct vmmap_piece *pieces,
			 struct lindex_reason *why)
{
	struct vmmap_piece none = { 0 };
	uint64_t units = 0, tail = im->units % 64;
	const uint8_t *bits = im->bytes + HEADER_BYTES + im->extents * EXTENT_BYTES;

	for (uint64_t i = 0; i < im->extents; i++) {
		uint64_t at = HEADER_BYTES + i * EXTENT_BYTES;
		const uint8_t *b = im->bytes + at;
		const char *text;

		pieces[i] = (struct vmmap_piece){ .vpn = get(b, 8),
						  .pages = get(b + 8, 8),
						  .pfn = get(b + 16, 8),
						  .prot = b[24],
						  .shift = b[25] };
		text = get(b + 26, 6) ? "saved space: what should be zero" :
					piece_wrong(im, &pieces[i], i ? &pieces[i - 1] : &none);
		if (text)
			return refuse(why, -EUCLEAN, text, at, 0, get(b, 8));
		units += pieces[i].pages / vmmap_shift_pages(pieces[i].shift);
	}
	if (units != im->units)
		return refuse(why, -EUCLEAN, "saved space: number of pages", 24, units, im->units);
	for (unsigned int kind = 0; kind < 2 && tail; kind++) {
		const uint8_t *last = bits + 8 * ((kind + 1) * im->words - 1);

		if (get(last, 8) >> tail)
			return refuse(why, -EUCLEAN, "saved space: bits of no page",
				      (uint64_t)(last - im->bytes), 0, get(last, 8));
	}
	return 0;
}

/* ---- Restore -------------------------------------------------------------------------------------------- */

static void restore_bits(struct vmmap_space *s, const struct image *im,
			 const struct vmmap_piece *pieces)
{
	const uint8_t *bits = im->bytes + HEADER_BYTES + im->extents * EXTENT_BYTES;
	uint64_t unit = 0;

	for (uint64_t i = 0; i < im->extents; i++) {
		uint64_t size = vmmap_shift_pages(pieces[i].shift);

		for (uint64_t k = 0; k < pieces[i].pages; k += size, unit++) {
			unsigned int a = bits[unit / 8] >> unit % 8 & 1;
			unsigned int d = bits[8 * im->words + unit / 8] >> unit % 8 & 1;
			struct vmmap_want want = { .need = VMMAP_PROT_READ,
						   .mark = (uint8_t)(a | d << 1) };

			if (want.mark)
				s->backend->translate(s->table, pieces[i].vpn + k, want);
		}
	}
}

static int fill(struct vmmap_space *s, const struct image *im, const struct vmmap_piece *pieces)
{
	uint64_t frames = UINT64_C(1) << (s->phys_bits - VMMAP_PAGE_SHIFT);
	int err = 0;

	for (uint64_t i = 0; i < im->extents && !err; i++) {
		if (pieces[i].pfn + pieces[i].pages > frames)
			return -ERANGE;
		err = vmmap_refs_reserve(s->host, pieces[i].pfn, pieces[i].pages);
	}
	if (!err && im->extents)
		err = s->backend->load(s->table, pieces, im->extents);
	for (uint64_t i = 0; i < im->extents && !err; i++) {
		vmmap_refs_add(s->host, pieces[i].pfn, pieces[i].pages);
		s->pages += pieces[i].pages;
	}
	if (!err)
		restore_bits(s, im, pieces);
	return err;
}

/* Page numbers of the upper half depend on va_bits. */
static int widen(struct vmmap_piece *pieces, const struct image *im, unsigned int va_bits)
{
	uint64_t half = UINT64_C(1) << (im->va_bits - VMMAP_PAGE_SHIFT - 1);
	uint64_t more = (UINT64_C(1) << (va_bits - VMMAP_PAGE_SHIFT)) - 2 * half;

	if (va_bits < im->va_bits)
		return -ERANGE;
	for (uint64_t i = 0; i < im->extents; i++)
		if (pieces[i].vpn >= half)
			pieces[i].vpn += more;
	return 0;
}

int vmmap_restore(struct vmmap_host *host, const struct vmmap_space_config *cfg, const void *bytes,
		  size_t len, struct lindex_reason *why, struct vmmap_space **out)
{
	struct vmmap_space_config with = cfg ? *cfg : (struct vmmap_space_config){ 0 };
	struct vmmap_piece *pieces = NULL;
	struct vmmap_space *s = NULL;
	struct image im;
	size_t room;
	int err = check_header(bytes, len, &im, why);

	if (err)
		return err;
	room = (im.extents ? im.extents : 1) * sizeof(*pieces);
	pieces = vmmap_host_alloc(host, room, 64);
	err = pieces ? check_extents(&im, pieces, why) : -ENOMEM;
	if (!with.va_bits && !(with.backend && !strcmp(with.backend, "radix5")))
		with.va_bits = (uint8_t)im.va_bits;
	if (!with.phys_bits)
		with.phys_bits = (uint8_t)im.phys_bits;
	err = err ? err : vmmap_space_create(host, &with, &s);
	err = err ? err : widen(pieces, &im, s->va_bits);
	err = err ? err : fill(s, &im, pieces);
	vmmap_host_free_now(host, pieces, room);
	if (err)
		vmmap_space_free(s);
	else
		*out = s;
	return err;
}
