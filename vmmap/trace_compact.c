/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Our own trace: small before it is packed, and its end is marked.
 *
 *     offset 0   8 bytes  "vmtrace1"
 *            8   blocks:  u32 little-endian: accesses in it, 1..65536; then so many accesses
 *                end:     u32 0, then u64 little-endian: accesses in all
 *
 *     an access  1 byte   bits 0..1  kind: 0 read, 1 write, 2 fetch
 *                         bits 2..4  log2 of the size, 0..6; 7: the size follows as a varint
 *                         bits 5..7  low bits of the distance
 *                varint   the rest of the distance: 7 bits at a time, low ones first, high bit: more follow
 *                varint   the size, if it is none of 1, 2, 4 .. 64
 *
 * The distance is the address minus the last one of the same kind (at first 0), modulo 2^64, folded so that
 * small ones of both signs are small (0, -1, 1, -2 ... become 0, 1, 2, 3 ...). The writer packs all of it as one
 * zstd frame with a checksum; the reader takes it packed or not.
 */
#include "trace_format.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define BLOCK         65536u
#define ACCESS_BYTES  24u /* more than any access takes */
#define SIZE_FOLLOWS  7u
#define HEADER_BYTES  8u
#define TRAILER_BYTES 12u

static const char magic[HEADER_BYTES + 1] = "vmtrace1";

/* ---- Reading ----------------------------------------------------------------------------------- */

static bool compact_matches(const unsigned char *bytes, size_t len)
{
	return len >= HEADER_BYTES && memcmp(bytes, magic, HEADER_BYTES) == 0;
}

static int refuse_end(const struct vmmap_trace *t, const char *expected, struct vmmap_refusal *why)
{
	return input_refuse_byte(&t->in, why, ENODATA, "expected %s, found the end of the file",
				 expected);
}

static int read_header(struct vmmap_trace *t, struct vmmap_refusal *why)
{
	const unsigned char *bytes;
	int64_t have = input_peek(&t->in, HEADER_BYTES, &bytes, why);

	if (have < 0)
		return (int)have;
	if (!compact_matches(bytes, (size_t)have))
		return input_refuse_byte(
			&t->in, why, EINVAL, "expected \"%s\", found %s", magic,
			shown((const char *)bytes, have < 8 ? (size_t)have : 8).text);
	input_take(&t->in, HEADER_BYTES);
	t->begun = true;
	return 0;
}

/* Behind the last block: its count, and nothing else. */
static int read_trailer(struct vmmap_trace *t, const unsigned char *bytes, int64_t have,
			struct vmmap_refusal *why)
{
	uint64_t total;

	if (have < (int64_t)TRAILER_BYTES)
		return refuse_end(t, "the number of accesses", why);
	memcpy(&total, bytes + 4, sizeof(total));
	if (le64toh(total) != t->accesses)
		return input_refuse_byte(&t->in, why, EINVAL,
					 "expected the number of accesses, %" PRIu64
					 ", found %" PRIu64,
					 t->accesses, le64toh(total));
	input_take(&t->in, TRAILER_BYTES);
	have = input_peek(&t->in, 1, &bytes, why);
	if (have > 0)
		return input_refuse_byte(&t->in, why, EINVAL,
					 "expected the end of the file, found more bytes");
	t->ended = have == 0;
	return (int)have;
}

static int read_block_header(struct vmmap_trace *t, struct vmmap_refusal *why)
{
	const unsigned char *bytes;
	int64_t have = input_peek(&t->in, TRAILER_BYTES, &bytes, why);
	uint32_t count;

	if (have < 0)
		return (int)have;
	if (have < (int64_t)sizeof(count))
		return refuse_end(t, "a block or the end mark", why);
	memcpy(&count, bytes, sizeof(count));
	count = le32toh(count);
	if (!count)
		return read_trailer(t, bytes, have, why);
	if (count > BLOCK)
		return input_refuse_byte(&t->in, why, EINVAL,
					 "expected a block of 1..%u accesses, found %u", BLOCK,
					 count);
	input_take(&t->in, sizeof(count));
	t->in_block = count;
	return 0;
}

/* Return: where the varint ends; NULL if it does not, or does not fit. */
static const unsigned char *take_varint(const unsigned char *at, const unsigned char *end,
					unsigned int shift, uint64_t *n)
{
	for (; at < end && shift < 64; at++, shift += 7) {
		uint64_t bits = *at & 0x7f;

		if (bits << shift >> shift != bits)
			return NULL;
		*n |= bits << shift;
		if (*at < 0x80)
			return at + 1;
	}
	return NULL;
}

/* Return: where the access ends, or NULL. */
static const unsigned char *take_access(struct vmmap_trace *t, const unsigned char *at,
					const unsigned char *end, struct vmmap_access *a)
{
	unsigned int kind = *at & 3, size_code = *at >> 2 & 7;
	uint64_t folded = *at >> 5, size = UINT64_C(1) << size_code;

	at = take_varint(at + 1, end, 3, &folded);
	if (at && size_code == SIZE_FOLLOWS) {
		size = 0;
		at = take_varint(at, end, 0, &size);
	}
	if (!at || kind > VMMAP_KIND_FETCH)
		return NULL;
	t->last_va[kind] += folded >> 1 ^ (0 - (folded & 1));
	*a = (struct vmmap_access){ t->last_va[kind], VMMAP_PA_UNKNOWN, (uint16_t)size,
				    (uint8_t)kind };
	return access_size_is_sound(a->va, size) ? at : NULL;
}

/* Up to @room accesses of the current block. */
static int64_t read_block(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			  struct vmmap_refusal *why)
{
	size_t n = 0;

	while (n < room && t->in_block) {
		const unsigned char *bytes, *at, *end;
		int64_t have = input_peek(&t->in, ACCESS_BYTES, &bytes, why);

		if (have < 0)
			return have;
		if (!have)
			return refuse_end(t, "an access", why);
		end = bytes + have;
		at = bytes;
		/* Whole accesses; the last ones of a window wait for its successor. */
		do {
			const unsigned char *next = take_access(t, at, end, &a[n]);

			if (!next) {
				input_take(&t->in, (size_t)(at - bytes));
				return end - at < (int64_t)ACCESS_BYTES && t->in.at_eof ?
					       refuse_end(t, "the rest of an access", why) :
					       input_refuse_byte(
						       &t->in, why, EINVAL,
						       "expected kind 0..2 and size 1..%u, "
						       "found an access that has not",
						       VMMAP_ACCESS_MAX_SIZE);
			}
			at = next;
			n++;
			t->in_block--;
		} while (n < room && t->in_block && end - at >= (int64_t)ACCESS_BYTES);
		input_take(&t->in, (size_t)(at - bytes));
	}
	return (int64_t)n;
}

static int64_t read_compact(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			    struct vmmap_refusal *why)
{
	int err = t->begun ? 0 : read_header(t, why);

	if (!err && !t->in_block)
		err = read_block_header(t, why);
	return err ? err : read_block(t, a, room, why);
}

const struct trace_reader trace_compact = { "compact", compact_matches, read_compact };

/* ---- Writing ----------------------------------------------------------------------------------- */

#define PACKED_BYTES 65536u

struct vmmap_trace_writer {
	FILE *out;
	ZSTD_CCtx *pack;
	uint64_t last_va[3], accesses;
	uint32_t in_block;
	size_t len;
	unsigned char block[BLOCK * ACCESS_BYTES], packed[PACKED_BYTES];
};

static int emit(struct vmmap_trace_writer *w, const void *bytes, size_t len, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { w->packed, PACKED_BYTES, 0 };

		left = ZSTD_compressStream2(w->pack, &out, &in, how);
		if (ZSTD_isError(left) || fwrite(w->packed, 1, out.pos, w->out) != out.pos)
			return -EIO;
	} while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
	return 0;
}

int vmmap_trace_writer_create(FILE *out, struct vmmap_trace_writer **writer)
{
	struct vmmap_trace_writer *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (w)
		w->pack = ZSTD_createCCtx();
	if (w && w->pack) {
		w->out = out;
		ZSTD_CCtx_setParameter(w->pack, ZSTD_c_checksumFlag, 1);
		err = emit(w, magic, HEADER_BYTES, ZSTD_e_continue);
	}
	if (err)
		vmmap_trace_writer_free(w);
	else
		*writer = w;
	return err;
}

static int write_block(struct vmmap_trace_writer *w)
{
	uint32_t count = htole32(w->in_block);
	int err;

	if (!w->in_block)
		return 0;
	err = emit(w, &count, sizeof(count), ZSTD_e_continue);
	if (!err)
		err = emit(w, w->block, w->len, ZSTD_e_continue);
	w->in_block = 0;
	w->len = 0;
	return err;
}

static void put_varint(struct vmmap_trace_writer *w, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		w->block[w->len++] = (unsigned char)(n | 0x80);
	w->block[w->len++] = (unsigned char)n;
}

static void put_access(struct vmmap_trace_writer *w, const struct vmmap_access *a)
{
	uint64_t distance = a->va - w->last_va[a->kind];
	uint64_t folded = distance << 1 ^ (0 - (distance >> 63));
	unsigned int size_code = SIZE_FOLLOWS;

	if ((a->size & (a->size - 1)) == 0 && a->size <= 64)
		size_code = (unsigned int)__builtin_ctz(a->size);
	w->block[w->len++] = (unsigned char)(a->kind | size_code << 2 | (folded & 7) << 5);
	put_varint(w, folded >> 3);
	if (size_code == SIZE_FOLLOWS)
		put_varint(w, a->size);
	w->last_va[a->kind] = a->va;
	w->in_block++;
	w->accesses++;
}

int vmmap_trace_write(struct vmmap_trace_writer *w, const struct vmmap_access *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = w->in_block == BLOCK ? write_block(w) : 0;

		if (a[i].kind > VMMAP_KIND_FETCH || !access_size_is_sound(a[i].va, a[i].size))
			return -EINVAL;
		if (err)
			return err;
		put_access(w, &a[i]);
	}
	return 0;
}

int vmmap_trace_writer_finish(struct vmmap_trace_writer *w)
{
	uint64_t total = htole64(w->accesses);
	uint32_t none = 0;
	int err = write_block(w);

	if (!err)
		err = emit(w, &none, sizeof(none), ZSTD_e_continue);
	if (!err)
		err = emit(w, &total, sizeof(total), ZSTD_e_end);
	return err ? err : fflush(w->out) ? -EIO : 0;
}

void vmmap_trace_writer_free(struct vmmap_trace_writer *w)
{
	if (w)
		ZSTD_freeCCtx(w->pack);
	free(w);
}
