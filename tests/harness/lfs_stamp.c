/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "lfs_stamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lfs.h"

#define WORD 8u

static uint64_t word_at(uint64_t index, uint32_t stamp)
{
	return (uint64_t)stamp << 32 | (uint32_t)index;
}

void lfs_stamp_fill(uint8_t *buf, size_t len, uint64_t offset, uint32_t stamp)
{
	while (len) {
		uint64_t word = word_at(offset / WORD, stamp);
		size_t at = offset % WORD, n = WORD - at < len ? WORD - at : len;

		memcpy(buf, (const uint8_t *)&word + at, n);
		buf += n;
		offset += n;
		len -= n;
	}
}

static void explain_word(char *text, size_t room, uint64_t word)
{
	if (word)
		snprintf(text, room, "write %" PRIu64 " at byte %" PRIu64, word >> 32,
			 (word & UINT32_MAX) * WORD);
	else
		snprintf(text, room, "zeroes");
}

void lfs_stamp_explain(char *text, size_t room, const uint8_t *got, const uint8_t *want,
		       uint64_t offset)
{
	char found[80], expected[80];
	uint64_t a, b;

	for (size_t i = 0; i < LFS_BLOCK_BYTES; i += WORD) {
		memcpy(&a, got + i, WORD);
		memcpy(&b, want + i, WORD);
		if (a == b)
			continue;
		explain_word(found, sizeof(found), a);
		explain_word(expected, sizeof(expected), b);
		snprintf(text, room, "byte %" PRIu64 " has %s, expected %s", offset + i, found,
			 expected);
		return;
	}
	snprintf(text, room, "equal");
}
