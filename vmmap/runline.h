/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Run lines: one line of 64 bytes that says where up to 2,048 virtual pages are, if they lie in few runs. Private to the lindex backend.
 *
 *     narrow, up to 255 pages:     | 16 starts of 8 bits | up to 16 codes of w bits in 384 |
 *     wide, up to 2,048 pages:     | 12 starts of 16 bits | up to 12 codes of w bits in 320 |
 *     divided:                     | log2 of pages in a part: 8 bits, address of the parts / 64: 56 bits |  the rest means nothing |
 *
 *     run of a page    the last whose start is not above it: a few instructions, no branch
 *     code of a page   code of its run, and how far the page is into the run; codes below RUNLINE_FRAME are holes, all alike
 *
 * R1  The first start is 0, so that a first byte other than 0 tells a divided line. Starts ascend; those not used are above all pages.
 * R2  A line whose runs do not fit is divided: into parts of 2^b pages, each a line of the same form, b the largest that fits. Eight runs
 *     always fit, so b >= 3: a page is in its line or in one other.
 * R3  Neighbours are one run if one continues the other.
 * R4  Parts never have parts.
 *
 * Lines are arrays of atomic words; who changes them and who reads them beside that is the region's affair (packed.h).
 */
#ifndef VMMAP_RUNLINE_H
#define VMMAP_RUNLINE_H

#include <stdatomic.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "backend.h"

#define RUNLINE_WORDS      8u
#define RUNLINE_BYTES      64u
#define RUNLINE_FRAME      2u /* the first code that is a frame */
#define RUNLINE_NARROW_MAX 255u
#define RUNLINE_WIDE_MAX   2048u
#define RUNLINE_BITS_MAX   40u /* of a code */
#define RUNLINE_RUNS_MAX   16u

typedef _Atomic uint64_t *runline_t;

/* How the lines of a region are laid out. */
struct runline_shape {
	uint8_t w;    /* bits of a code */
	uint8_t most; /* runs in a line */
	bool wide;
	uint16_t pages; /* in a line; the last of a region may have fewer */
};

static inline struct runline_shape runline_shape(unsigned int w, unsigned int pages)
{
	bool wide = pages > RUNLINE_NARROW_MAX;
	unsigned int fit = (wide ? 320 : 384) / w, lanes = wide ? 12 : 16;

	return (struct runline_shape){ .w = (uint8_t)w,
				       .most = (uint8_t)(fit < lanes ? fit : lanes),
				       .wide = wide,
				       .pages = (uint16_t)pages };
}

static inline uint64_t runline_word(runline_t line, unsigned int i)
{
	return atomic_load_explicit(line + i, memory_order_acquire);
}

static inline bool runline_divided(uint64_t word0)
{
	return (uint8_t)word0 != 0; /* R1 */
}

static inline runline_t runline_parts(uint64_t word0)
{
	return (runline_t)(uintptr_t)(word0 >> 8 << 6);
}

/* ---- Where a page is --------------------------------------------------------------------------- */

/* The run that page @x of a line is in: its number in the line, and its first page. */
struct runline_run {
	unsigned int index, start;
};

#ifdef __SSE2__

/* Starts ascend, so those that are not above @x come first: the number of the last. */
static inline unsigned int runline_last8(uint64_t w0, uint64_t w1, unsigned int x)
{
	__m128i starts = _mm_set_epi64x((long long)w1, (long long)w0);
	__m128i low = _mm_min_epu8(starts, _mm_set1_epi8((char)x));

	return 31u - (unsigned int)__builtin_clz(
			     (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(low, starts)));
}

/* The same of 16-bit starts below 2^15. */
static inline unsigned int runline_last16(uint64_t w0, uint64_t w1, uint64_t w2, unsigned int x)
{
	__m128i page = _mm_set1_epi16((short)x);
	__m128i a = _mm_cmpgt_epi16(_mm_set_epi64x((long long)w1, (long long)w0), page);
	__m128i b = _mm_cmpgt_epi16(_mm_set_epi64x(-1, (long long)w2), page);
	unsigned int above = (unsigned int)_mm_movemask_epi8(_mm_packs_epi16(a, b)) | 1u << 12;

	return (unsigned int)__builtin_ctz(above) - 1;
}

#else

/* 1 in each byte of @lanes that is not above @x. */
static inline uint64_t runline_le8(uint64_t lanes, uint64_t x)
{
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t all = x * UINT64_C(0x0101010101010101);
	uint64_t low = (all | high) - (lanes & ~high); /* high bit: the low 7 bits are not above */

	return (((all & ~lanes) | (~(all ^ lanes) & low)) & high) >> 7;
}

/* The same of 16-bit lanes below 2^15. */
static inline uint64_t runline_le16(uint64_t lanes, uint64_t x)
{
	const uint64_t high = UINT64_C(0x8000800080008000);

	return (((x * UINT64_C(0x0001000100010001) | high) - lanes) & high) >> 15;
}

/* How many starts are not above @x, less one. */
static inline unsigned int runline_last8(uint64_t w0, uint64_t w1, unsigned int x)
{
	uint64_t ones = runline_le8(w0, x) + runline_le8(w1, x);

	return (unsigned int)(ones * UINT64_C(0x0101010101010101) >> 56) - 1;
}

static inline unsigned int runline_last16(uint64_t w0, uint64_t w1, uint64_t w2, unsigned int x)
{
	uint64_t ones = runline_le16(w0, x) + runline_le16(w1, x) + runline_le16(w2, x);

	return (unsigned int)(ones * UINT64_C(0x0001000100010001) >> 48) - 1;
}

#endif

static inline struct runline_run runline_find_narrow(uint64_t w0, uint64_t w1, unsigned int x)
{
	unsigned int i = runline_last8(w0, w1, x);

	return (struct runline_run){ i, (uint8_t)((i & 8 ? w1 : w0) >> (i & 7) * 8) };
}

static inline struct runline_run runline_find_wide(uint64_t w0, uint64_t w1, uint64_t w2,
						   unsigned int x)
{
	unsigned int i = runline_last16(w0, w1, w2, x);
	uint64_t word = i & 8 ? w2 : i & 4 ? w1 : w0;

	return (struct runline_run){ i, (uint16_t)(word >> (i & 3) * 16) };
}

/* Code @i of a line with codes of @w bits. */
static inline uint64_t runline_code(runline_t line, bool wide, unsigned int w, unsigned int i)
{
	unsigned int bit = (wide ? 192 : 128) + i * w, shift = bit & 63;
	/* % RUNLINE_WORDS: starts that were read while they change may count more runs than there are. */
	uint64_t lo = runline_word(line, (bit >> 6) % RUNLINE_WORDS);
	/* Where all of the code is in one word, what this adds is masked off. */
	uint64_t hi = runline_word(line, ((bit + w - 1) >> 6) % RUNLINE_WORDS);

	return (lo >> shift | hi << 1 << (63 - shift)) & ((UINT64_C(1) << w) - 1);
}

/** vmmap_runline_get() - The code of page @x. Context: who sees no change meanwhile, or looks again after one. */
uint64_t vmmap_runline_get(runline_t line, bool wide, unsigned int w, unsigned int x);

/** runline_get_near() - The same of a narrow line, whose first word is @w0, undivided. */
static inline uint64_t runline_get_near(runline_t line, uint64_t w0, unsigned int w, unsigned int x)
{
	struct runline_run r = runline_find_narrow(w0, runline_word(line, 1), x);
	uint64_t code = runline_code(line, false, w, r.index);

	return code < RUNLINE_FRAME ? code : code + (x - r.start);
}

/* ---- Changes: runline.c ------------------------------------------------------------------------ */

/**
 * struct runline_change - Pages [@from, @end) of a line get codes: @code, and if that is a frame, the next for each next page.
 */
struct runline_change {
	uint32_t from, end;
	uint64_t code;
};

/**
 * struct runline_edit - A change that cannot fail any more.
 * @target: The line that is written: the line itself, one of its parts, or all of its new @parts.
 * @change: In pages of the target.
 * @b:      log2 of the pages in each of the new @parts; 0: no new parts, the target is undivided.
 * @old:    Parts that go, @old_bytes; NULL: none.
 */
struct runline_edit {
	runline_t target;
	struct runline_change change;
	uint32_t pages; /* of the target */
	unsigned int b;
	runline_t parts, old;
	size_t parts_bytes, old_bytes;
};

/** runline_init() - All pages are holes of code 0. */
void vmmap_runline_init(runline_t line, struct runline_shape shape);

/** runline_prepare() - Plans a change of a line of @pages pages. Changes nothing. Return: 0 or -ENOMEM. */
int vmmap_runline_prepare(struct vmmap_host *host, runline_t line, struct runline_shape shape,
			  uint32_t pages, struct runline_change change, struct runline_edit *edit);

/** runline_cancel() - Gives up what was prepared. */
void vmmap_runline_cancel(struct vmmap_host *host, struct runline_edit *edit);

/** runline_commit() - Makes the change. Readers beside it see anything: they look again. @edit->old is to be retired. */
void vmmap_runline_commit(runline_t line, struct runline_shape shape,
			  const struct runline_edit *edit);

/** runline_piece() - The run around page @x, clipped to its line or part: [@from, @end), code of @from. Context: as runline_get(). */
struct runline_change vmmap_runline_piece(runline_t line, struct runline_shape shape,
					  uint32_t pages, uint32_t x);

/** runline_parts_bytes() - Of a line of @pages pages. */
size_t vmmap_runline_parts_bytes(runline_t line, uint32_t pages);

/** runline_check() - R1 to R4 of a line of @pages pages. Return: NULL, or what is wrong. */
const char *vmmap_runline_check(runline_t line, struct runline_shape shape, uint32_t pages);

#endif
