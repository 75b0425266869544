/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs as text: what is accepted, which line is to blame where it is not, and that damage of any kind is
 * refused or read as other runs that are as well-formed.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>

#include "rng.h"
#include "scratch.h"

TestSuite(dataset_text, .init = scratch_open, .fini = scratch_close);

static struct scratch_path text_file(const char *text)
{
	return scratch_write("set.runs", text, strlen(text));
}

static struct dataset parsed(const char *text)
{
	return loaded(text_file(text).text, 1);
}

/* @part begins with the line, ":3: ". */
static void refused_text(const char *text, const char *part)
{
	char want[256];

	snprintf(want, sizeof(want), "set.runs%s", part);
	refused(text_file(text).text, -EINVAL, want);
}

/* ---- Accepted -------------------------------------------------------------------------------- */

Test(dataset_text, fields_comments_and_blanks)
{
	struct dataset d = parsed("# a comment\n"
				  "\n"
				  "  0 10 2\r\n"
				  "A 0xff 1 7\t# behind a run\n"
				  "0x20 FFFFFFFFFFFFFFFF 5 65535 0\n"
				  "ffffffffffffffff ffffffffffffffff 1");
	const struct lindex_run want[] = {
		{ 0, 1, 0x10, 0, 1, 1 },
		{ 10, 10, 0xff, 7, 1, 1 },
		{ 0x20, 0x24, UINT64_MAX, 65535, 0, 1 },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 1, 1 },
	};

	cr_assert_eq(d.n, 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert(same_run(&d.runs[i], &want[i]), "run %zu", i);
	cr_assert_eq(d.space, UINT64_MAX);
	cr_assert_eq(d.keys, 9);
	dataset_free(&d);
}

Test(dataset_text, neighbours_that_are_one_run_become_one)
{
	struct dataset d = parsed("10 100 4\n14 104 4\n18 108 1 1\n19 109 1 0\n1a 10a 1 0 0\n"
				  "1b 10a 3 0 0\n");

	cr_assert_eq(d.n, 4);
	cr_assert_eq(d.runs[0].last, 0x17);
	cr_assert_eq(d.runs[3].last, 0x1d);
	dataset_free(&d);
}

Test(dataset_text, a_sequence_does_not_go_on_from_the_last_value_to_zero)
{
	struct dataset d = parsed("0 ffffffffffffffff 1\n1 0 1\n");

	cr_assert_eq(d.n, 2);
	dataset_free(&d);
}

Test(dataset_text, samples_load)
{
	struct dataset d = loaded(SAMPLES "/guest_user.runs", 1);

	cr_assert_eq(d.n, 515);
	cr_assert_eq(d.keys, 12463);
	dataset_free(&d);
	d = loaded(SAMPLES "/huge_pages.runs", 1);
	cr_assert_eq(d.n, 95);
	dataset_free(&d);
}

/* ---- Refused --------------------------------------------------------------------------------- */

Test(dataset_text, the_line_to_blame_is_named)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{ "x 1 1\n", ":1: expected a key: a hexadecimal number below 2^64, found \"x\"" },
		{ "# c\n\n1 -2 1\n", ":3: expected a value" },
		{ "1 1\n",
		  ":1: expected a length: a decimal number from 1 to 2^64-1, found the end" },
		{ "1 1 0\n", ":1: expected a length" },
		{ "1 1 1f\n", ":1: expected a length" },
		{ "1 1 18446744073709551616\n", ":1: expected a length" },
		{ "10000000000000000 1 1\n", ":1: expected a key" },
		{ "1 1 1 65536\n", ":1: expected a tag" },
		{ "1 1 1 1 2\n", ":1: expected a step: 0 or 1, found \"2\"" },
		{ "1 1 1 1 1 1\n", ":1: expected the end of the line after five fields" },
		{ "1 1 1\n2 2 2\n3 9 1\n",
		  ":3: expected a key above 0x3, where the last run ends, found \"3\"" },
		{ "5 5 1\n# c\n1 1 1\n", ":3: expected a key above 0x5" },
		{ "ffffffffffffffff 0 2\n", ":1: expected a length that ends at key 2^64-1" },
		{ "0 ffffffffffffffff 2\n", ":1: expected a length that ends at value 2^64-1" },
		{ "1 1 1\n\x1b[31mred 1 1", ":2: expected a key: a hexadecimal number below 2^64, "
					    "found \"?[31mred\"" },
		{ "gggggggggggggggggggggggggggggggggggggggggggggggggg 1 1",
		  ":1: expected a key: a hexadecimal number below 2^64, found "
		  "\"gggggggggggggggggggggggggggggggggggggggg\"..." },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused_text(bad[i].text, bad[i].part);
	refused(text_file("# nothing\n").text, -ENODATA, "expected at least one run, found none");
}

Test(dataset_text, zero_bytes_and_endless_lines_are_refused)
{
	static const char zero[] = "1 1 1\n2 \0 2\n";
	static char line[200000];

	refused(scratch_write("zero.runs", zero, sizeof(zero) - 1).text, -EINVAL,
		"zero.runs:2: expected text, found a zero byte");
	memset(line, ' ', sizeof(line));
	line[0] = line[2] = line[4] = '1';
	line[5] = '\n';
	refused(scratch_write("long.runs", line, sizeof(line)).text, -EINVAL,
		"long.runs:2: expected a line of less than 65536 bytes");
}

Test(dataset_text, a_long_path_leaves_room_for_the_reason)
{
	char name[256];

	memset(name, 'n', 200);
	strcpy(name + 200, ".runs");
	refused(scratch_write(name, "1 1\n", 4).text, -EINVAL,
		"n.runs:1: expected a length: a decimal number from 1 to 2^64-1, found the end");
}

/* ---- Compressed ------------------------------------------------------------------------------ */

static size_t packed_bytes(char *bytes, size_t room)
{
	struct dataset d = loaded("gen:lfs-aged:3k", 1);
	char why[DATASET_WHY_BYTES];
	size_t len;
	FILE *in;

	cr_assert_eq(dataset_save(&d, scratch_path("set.runs.zst").text, why), 0);
	dataset_free(&d);
	in = fopen(scratch_path("set.runs.zst").text, "r");
	cr_assert(in);
	len = fread(bytes, 1, room, in);
	cr_assert(len > 1000 && len < room);
	fclose(in);
	return len;
}

Test(dataset_text, damaged_zstd_is_refused)
{
	static char bytes[1 << 18];
	size_t len = packed_bytes(bytes, sizeof(bytes));

	refused(scratch_write("cut.runs.zst", bytes, len - 1).text, -EBADMSG,
		"expected more zstd data, found the end of the file");
	refused(scratch_write("cut.runs.zst", bytes, 3).text, -EBADMSG, "expected more zstd data");
	refused(scratch_write("text.runs.zst", "1 1 1\n", 6).text, -EBADMSG,
		"expected zstd data, found something else or damage");
	bytes[len - 1] ^= 1; /* of the checksum */
	refused(scratch_write("sum.runs.zst", bytes, len).text, -EBADMSG, "expected zstd data");
	refused(scratch_write("none.runs.zst", bytes, 0).text, -ENODATA, "expected at least one");
}

Test(dataset_text, frames_one_behind_the_other_are_one_text)
{
	/* "1 1 1\n" and "9 1 1\n", as raw blocks without a checksum. */
	static const unsigned char two[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 6,    0x31, 0,
					     0,    '1',  ' ',  '1',  ' ',  '1',  '\n', 0x28,
					     0xb5, 0x2f, 0xfd, 0x20, 6,    0x31, 0,    0,
					     '9',  ' ',  '1',  ' ',  '1',  '\n' };
	struct dataset d = loaded(scratch_write("two.runs.zst", two, sizeof(two)).text, 1);

	cr_assert_eq(d.n, 2);
	dataset_free(&d);
}

/* ---- Mutations ------------------------------------------------------------------------------- */

static void mutate(char *bytes, size_t len, struct rng *rng)
{
	static const char likely[] = "0123456789abcdefx# \n\r\t-.";

	for (uint64_t i = 1 + rng_below(rng, 4); i; i--) {
		size_t at = rng_below(rng, len), from = rng_below(rng, len);
		size_t most = len - (at > from ? at : from);

		if (rng_one_in(rng, 3))
			bytes[at] = (char)rng_u64(rng);
		else if (rng_one_in(rng, 2))
			bytes[at] = likely[rng_below(rng, sizeof(likely) - 1)];
		else
			memmove(bytes + at, bytes + from,
				rng_below(rng, most < 64 ? most : 64) + 1);
	}
}

/* Return: whether it loads. */
static bool survives(const char *name, const char *bytes, size_t len)
{
	struct scratch_path path = scratch_write(name, bytes, len);
	char why[DATASET_WHY_BYTES] = "";
	struct dataset d;
	int err = dataset_load(path.text, 1, &d, why);

	if (err) {
		CHECK(why[0] && !strchr(why, '\n'), "%d: %s", err, why);
		return false;
	}
	well_formed(&d);
	dataset_free(&d);
	return true;
}

static void fuzz(const char *name, const char *bytes, size_t len, uint64_t salt)
{
	char *copy = malloc(len);
	uint64_t good = 0;
	struct rng rng;

	rng_init(&rng, harness_seed(), salt);
	for (uint64_t step = 0; step < 1500; step++) {
		size_t cut = rng_one_in(&rng, 8) ? 1 + rng_below(&rng, len) : len;

		harness_step(name, step);
		memcpy(copy, bytes, cut);
		mutate(copy, cut, &rng);
		good += survives(name, copy, cut);
	}
	CHECK(good < 1500, "all %s", name);
	free(copy);
}

Test(dataset_text, mutations_are_refused_or_well_formed)
{
	static const char text[] = "# a set\n0 10 2\na ff 1 7\n20 ffffffffffffffff 5 65535 0\n"
				   "30 1 16\n40 11 16\n7fffffffffff 123456789abcdef 1048576 3 1\n"
				   "fffffffffffffff0 0 16 1 0\n";
	static char bytes[1 << 18];

	fuzz("mutant.runs", text, sizeof(text) - 1, 1);
	fuzz("mutant.runs.zst", bytes, packed_bytes(bytes, sizeof(bytes)), 2);
}
