/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two traces of fixed records. All integers are little-endian.
 *
 *     champsim, 64 bytes, one instruction           vapa, 24 bytes, one access
 *      0  u64    instruction pointer                 0  u64  virtual address
 *      8  u8     is a branch: 0, 1                   8  u64  physical address, ~0: unknown
 *      9  u8     was taken: 0, 1                    16  u64  bits  0..7   CPU
 *     10  u8[2]  destination registers                       bits  8..15  bytes: 1, 2, 4 .. 128
 *     12  u8[4]  source registers                            bit  16      store
 *     16  u64[2] destination addresses, 0: none              bit  17      device memory
 *     32  u64[4] source addresses, 0: none                   bits 18..63  zero
 *
 * A foreign file fits neither for long.
 */
#include "trace_format.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define CHAMPSIM_BYTES   64u
#define CHAMPSIM_OPERAND 8u /* bytes: the record does not say */
#define CHAMPSIM_FETCH   4u
#define VAPA_BYTES       24u

static uint64_t u64_at(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

/* In 57 bits. An address that is not was never accessed: such bytes are something else. */
static bool is_canonical(uint64_t va)
{
	return (int64_t)va >> 56 == 0 || (int64_t)va >> 56 == -1;
}

/* ---- ChampSim ---------------------------------------------------------------------------------- */

static bool champsim_is_sound(const unsigned char *r)
{
	bool sound = r[8] <= 1 && r[9] <= r[8] && u64_at(r) && is_canonical(u64_at(r));

	for (unsigned int i = 2; i < 8; i++)
		sound = sound && is_canonical(u64_at(r + 8 * i)) &&
			access_size_is_sound(u64_at(r + 8 * i), CHAMPSIM_OPERAND);
	return sound && access_size_is_sound(u64_at(r), CHAMPSIM_FETCH);
}

/* Return: accesses stored. */
static int champsim_record(const unsigned char *r, struct vmmap_access *a)
{
	int n = 0;

	a[n++] = (struct vmmap_access){ u64_at(r), VMMAP_PA_UNKNOWN, CHAMPSIM_FETCH,
					VMMAP_KIND_FETCH };
	for (unsigned int i = 0; i < 6; i++) {
		/* Loads first: an instruction stores what it has computed. */
		unsigned int at = i < 4 ? 32 + 8 * i : 16 + 8 * (i - 4);
		uint64_t va = u64_at(r + at);

		if (va)
			a[n++] = (struct vmmap_access){ va, VMMAP_PA_UNKNOWN, CHAMPSIM_OPERAND,
							i < 4 ? VMMAP_KIND_READ :
								VMMAP_KIND_WRITE };
	}
	return n;
}

/* ---- Virtual and physical address -------------------------------------------------------------- */

static bool vapa_is_sound(const unsigned char *r)
{
	uint64_t how = u64_at(r + 16), size = how >> 8 & 0xff;

	return how >> 18 == 0 && size && (size & (size - 1)) == 0 && is_canonical(u64_at(r)) &&
	       access_size_is_sound(u64_at(r), size);
}

static int vapa_record(const unsigned char *r, struct vmmap_access *a)
{
	uint64_t how = u64_at(r + 16);

	*a = (struct vmmap_access){ u64_at(r), u64_at(r + 8), (uint16_t)(how >> 8 & 0xff),
				    how >> 16 & 1 ? VMMAP_KIND_WRITE : VMMAP_KIND_READ };
	return 1;
}

/* ---- Both -------------------------------------------------------------------------------------- */

struct record {
	size_t bytes;
	const char *expected;
	bool (*is_sound)(const unsigned char *r);
	int (*take)(const unsigned char *r, struct vmmap_access *a);
};

static const struct record champsim = {
	CHAMPSIM_BYTES,
	"a ChampSim record (canonical addresses, ip not 0, branch 0 or 1, taken only if a branch)",
	champsim_is_sound,
	champsim_record,
};

static const struct record vapa = {
	VAPA_BYTES,
	"a VA/PA record (canonical address, size a power of two up to 128, bits 18..63 of the last "
	"word 0)",
	vapa_is_sound,
	vapa_record,
};

/* A file too short for one record belongs to nobody. */
static bool all_sound(const struct record *record, const unsigned char *bytes, size_t len)
{
	if (len < record->bytes)
		return false;
	for (size_t at = 0; at + record->bytes <= len; at += record->bytes)
		if (!record->is_sound(bytes + at))
			return false;
	return true;
}

static int refuse_record(const struct vmmap_trace *t, const struct record *record,
			 const unsigned char *bytes, int64_t have, struct vmmap_refusal *why)
{
	const struct input *in = &t->in;

	if (have < (int64_t)record->bytes)
		return input_refuse_byte(in, why, ENODATA,
					 "expected a record of %zu bytes, found %" PRId64
					 " bytes before the end of the file",
					 record->bytes, have);
	if (record == &vapa)
		return input_refuse_byte(in, why, EINVAL,
					 "expected %s, found address %" PRIx64
					 ", last word %" PRIx64,
					 record->expected, u64_at(bytes), u64_at(bytes + 16));
	return input_refuse_byte(in, why, EINVAL,
				 "expected %s, found ip %" PRIx64 ", branch %u, taken %u",
				 record->expected, u64_at(bytes), bytes[8], bytes[9]);
}

static int64_t read_records(struct vmmap_trace *t, const struct record *record,
			    struct vmmap_access *a, size_t room, struct vmmap_refusal *why)
{
	size_t n = 0;

	while (n + TRACE_BURST <= room) {
		const unsigned char *bytes;
		int64_t have = input_peek(&t->in, record->bytes, &bytes, why);

		if (have < 0)
			return have;
		t->ended = have == 0;
		if (t->ended)
			break;
		if (have < (int64_t)record->bytes || !record->is_sound(bytes))
			return refuse_record(t, record, bytes, have, why);
		n += (size_t)record->take(bytes, a + n);
		input_take(&t->in, record->bytes);
		if (room <= TRACE_BURST)
			break;
	}
	return (int64_t)n;
}

static bool champsim_matches(const unsigned char *bytes, size_t len)
{
	return all_sound(&champsim, bytes, len);
}

static int64_t read_champsim(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			     struct vmmap_refusal *why)
{
	return read_records(t, &champsim, a, room, why);
}

static bool vapa_matches(const unsigned char *bytes, size_t len)
{
	return all_sound(&vapa, bytes, len);
}

static int64_t read_vapa(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			 struct vmmap_refusal *why)
{
	return read_records(t, &vapa, a, room, why);
}

const struct trace_reader trace_champsim = { "champsim", champsim_matches, read_champsim };
const struct trace_reader trace_vapa = { "vapa", vapa_matches, read_vapa };
