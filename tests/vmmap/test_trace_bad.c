/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bad traces are refused with one line that says where, what was expected, and what was found; and every prefix of a good
 * trace is a trace or is refused, never a crash.
 */
#include <criterion/criterion.h>
#include <zstd.h>

#include "feed.h"
#include "check.h"
#include "rng.h"

static void assert_refused(FILE *file, enum vmmap_trace_format format, int err,
			   const char *const *words)
{
	struct got got = read_trace(file, format, 100);

	cr_assert_eq(got.err, err, "%d: %s", got.err, got.err ? got.why.text : "read");
	assert_refusal(&got.why, words);
	got_free(&got);
}

Test(trace_bad, plain_lines)
{
	static const char *const lines[] = {
		"Q 1000 8",
		"R",
		"R 1000 0",
		"R 1000 4097",
		"R 1000 8 8",
		"R xyz 8",
		"r 1000 8",
		"R 1g 8",
		"R -1 8",
		"R 11111111111111111 8",
		"R 1000 0x8",
		"RW 1000",
		"R ffffffffffffffff 2",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[100];

		snprintf(text, sizeof(text), "R 1000 8\n\n%s\nR 1000 8\n", lines[i]);
		assert_refused(feed_text(text), VMMAP_TRACE_ANY, -EINVAL,
			       WORDS("feed:3: ", "expected R|W|X hexaddr", "found \"", lines[i]));
	}
}

Test(trace_bad, lackey_lines)
{
	static const char *const lines[] = { " L 1000",   " L 1000,", " L ,4",   " L 1000,0",
					     " Q 1000,4", "L 1000,4", " L zz,4", " L 1000,4,4" };

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[100];

		snprintf(text, sizeof(text), "==1== x\nI  1000,4\n%s\n", lines[i]);
		assert_refused(feed_text(text), VMMAP_TRACE_ANY, -EINVAL,
			       WORDS("feed:3: ", "expected", "found \"", lines[i]));
	}
}

Test(trace_bad, foreign_and_empty_files)
{
	static const char png[] =
		"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on, for more than a record of "
		"any kind, which would be sixty-four bytes";

	assert_refused(feed_text("hello, world\n"), VMMAP_TRACE_ANY, -EINVAL,
		       WORDS("feed: byte 0: ", "expected a trace", "found \"hello"));
	assert_refused(feed(png, sizeof(png)), VMMAP_TRACE_ANY, -EINVAL,
		       WORDS("feed: byte 0: ", "expected a trace"));
	assert_refused(feed_text(""), VMMAP_TRACE_ANY, -EINVAL, WORDS("expected a trace", "empty"));
}

Test(trace_bad, truncated_records)
{
	unsigned char records[24 * 3 + 5] = { 0 };

	for (int i = 0; i < 3; i++)
		records[24 * i + 17] = 8;
	assert_refused(feed(records, sizeof(records)), VMMAP_TRACE_VAPA, -ENODATA,
		       WORDS("feed: byte 72: ", "expected a record of 24 bytes", "found 5 bytes"));
	assert_refused(feed(records, 70), VMMAP_TRACE_CHAMPSIM, -EINVAL, WORDS("feed: byte 0: "));
	memset(records, 0, 64);
	records[2] = 0x40; /* an address of code */
	assert_refused(feed(records, 70), VMMAP_TRACE_CHAMPSIM, -ENODATA,
		       WORDS("feed: byte 64: ", "expected a record of 64 bytes", "found 6 bytes"));
}

Test(trace_bad, records_that_make_no_sense)
{
	unsigned char records[24 * 2] = { 0 };

	records[17] = 8;
	records[24 + 17] = 3; /* no power of two */
	assert_refused(feed(records, sizeof(records)), VMMAP_TRACE_VAPA, -EINVAL,
		       WORDS("feed: byte 24: ", "size a power of two", "last word 300"));
	records[24 + 17] = 8;
	records[24 + 18] = 4; /* a bit beyond */
	assert_refused(feed(records, sizeof(records)), VMMAP_TRACE_VAPA, -EINVAL,
		       WORDS("feed: byte 24: ", "last word 40800"));
}

Test(trace_bad, a_line_without_end)
{
	char *text = malloc(100000);

	memset(text, 'R', 100000);
	assert_refused(feed(text, 100000), VMMAP_TRACE_PLAIN, -EINVAL,
		       WORDS("feed:1: ", "65536 bytes without an end of line"));
	free(text);
}

/* ---- Packed ---------------------------------------------------------------------------------------- */

static size_t pack(unsigned char *packed, size_t room)
{
	char text[4000];
	size_t len = 0;

	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(text + len, "R %x 8\n", 0x1000 + i * i * 64);
	return ZSTD_compress(packed, room, text, len, 3);
}

Test(trace_bad, packed_and_cut)
{
	unsigned char packed[4096];
	size_t len = pack(packed, sizeof(packed));

	assert_refused(feed(packed, len - 5), VMMAP_TRACE_PLAIN, -EBADMSG,
		       WORDS("expected sound packed bytes", "the end of the file inside a frame"));
}

Test(trace_bad, packed_and_damaged)
{
	unsigned char packed[4096];
	size_t len = pack(packed, sizeof(packed));

	packed[4] = 0xff;
	packed[5] = 0xff;
	assert_refused(feed(packed, len), VMMAP_TRACE_PLAIN, -EBADMSG,
		       WORDS("feed: byte 0: ", "expected sound packed bytes"));
}

/* ---- Our own --------------------------------------------------------------------------------------- */

/* The bytes of a compact trace of @n reads, unpacked. */
static size_t compact(unsigned char *bytes, size_t room, size_t n)
{
	struct vmmap_trace_writer *w;
	unsigned char packed[4096];
	FILE *file = tmpfile();
	size_t len;

	vmmap_trace_writer_create(file, &w);
	for (size_t i = 0; i < n; i++)
		vmmap_trace_write(w, &(struct vmmap_access){ 0x1000 + 64 * i, 0, 8, 0 }, 1);
	vmmap_trace_writer_finish(w);
	vmmap_trace_writer_free(w);
	rewind(file);
	len = fread(packed, 1, sizeof(packed), file);
	fclose(file);
	return ZSTD_decompress(bytes, room, packed, len);
}

Test(trace_bad, compact_cut_anywhere)
{
	unsigned char bytes[1000];
	size_t len = compact(bytes, sizeof(bytes), 20);

	cr_assert(len < sizeof(bytes));
	for (size_t cut = 8; cut < len; cut++) {
		struct got got = read_trace(feed(bytes, cut), VMMAP_TRACE_ANY, 7);

		cr_assert_eq(got.err, -ENODATA, "cut at %zu: %d", cut, got.err);
		assert_refusal(&got.why, WORDS("feed: byte ", "expected", "end of the file"));
		got_free(&got);
	}
}

Test(trace_bad, compact_with_a_wrong_count_or_more_behind)
{
	unsigned char bytes[1000];
	size_t len = compact(bytes, sizeof(bytes), 20);

	bytes[len - 8]++;
	assert_refused(feed(bytes, len), VMMAP_TRACE_ANY, -EINVAL,
		       WORDS("expected the number of accesses, 20, found 21"));
	bytes[len - 8]--;
	assert_refused(feed(bytes, len + 1), VMMAP_TRACE_ANY, -EINVAL,
		       WORDS("expected the end of the file, found more"));
	bytes[8 + 2] = 0xff; /* the length of the block */
	assert_refused(feed(bytes, len), VMMAP_TRACE_ANY, -EINVAL,
		       WORDS("feed: byte 8: ", "expected a block of 1..65536"));
}

/* Any byte changed: refused, or other accesses; never more than there were. */
Test(trace_bad, compact_with_any_byte_changed)
{
	unsigned char bytes[1000], changed[1000];
	size_t len = compact(bytes, sizeof(bytes), 20);
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (size_t at = 0; at < len; at++) {
		struct got got;

		memcpy(changed, bytes, len);
		changed[at] ^= (unsigned char)(1 + rng_u64(&rng) % 255);
		got = read_trace(feed(changed, len), VMMAP_TRACE_COMPACT, 16);
		cr_assert(got.err <= 0 && got.n <= 65536);
		got_free(&got);
	}
}
