/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Each format of a trace is read as what it says, whichever way it is packed, however many accesses are asked for at a time; and
 * what we write we read.
 */
#include <criterion/criterion.h>
#include <endian.h>
#include <zlib.h>
#include <zstd.h>

#include "feed.h"
#include "check.h"
#include "rng.h"

#define R VMMAP_KIND_READ
#define W VMMAP_KIND_WRITE
#define X VMMAP_KIND_FETCH

static const char plain[] = "# a comment\n"
			    "R 7ffe0010 8\n"
			    "\n"
			    "W 0x7ffe0018\n"
			    "X 400123 4   # another\n"
			    "  R ffffffffffffffff 1\r\n"
			    "R 0 4096";

static const char lackey[] = "==123== Lackey, an example Valgrind tool\n"
			     "I  04016b80,3\n"
			     " L 1ffeffe7e,8\n"
			     " S 1ffeffe76,7\n"
			     " M 0421c7cc,4\n"
			     "==123== \n";

static void assert_plain(struct got *got)
{
	cr_assert_eq(got->err, 0, "%s", got->why.text);
	cr_assert_eq(got->n, 5);
	assert_access(&got->a[0], 0x7ffe0010, 8, R);
	assert_access(&got->a[1], 0x7ffe0018, 8, W);
	assert_access(&got->a[2], 0x400123, 4, X);
	assert_access(&got->a[3], UINT64_MAX, 1, R);
	assert_access(&got->a[4], 0, 4096, R);
	got_free(got);
}

Test(trace, plain_text)
{
	for (size_t chunk = 1; chunk < 40; chunk++) {
		struct got got = read_trace(feed_text(plain), VMMAP_TRACE_ANY, chunk);

		cr_assert_eq(got.format, VMMAP_TRACE_PLAIN);
		assert_plain(&got);
	}
}

Test(trace, plain_text_packed_with_zstd)
{
	unsigned char packed[1024];
	size_t len = ZSTD_compress(packed, sizeof(packed), plain, sizeof(plain) - 1, 3);
	struct got got = read_trace(feed(packed, len), VMMAP_TRACE_ANY, 100);

	assert_plain(&got);
}

/* Two members, cut in the middle of a line: together they are the file. */
Test(trace, plain_text_packed_with_gzip)
{
	FILE *file = tmpfile();
	struct got got;

	for (int half = 0; half < 2; half++) {
		size_t from = half ? 30 : 0, end = half ? sizeof(plain) - 1 : 30;
		gzFile gz = gzdopen(dup(fileno(file)), "wb");

		cr_assert_eq(gzwrite(gz, plain + from, (unsigned int)(end - from)),
			     (int)(end - from));
		gzclose(gz);
	}
	rewind(file);
	got = read_trace(file, VMMAP_TRACE_ANY, 100);
	assert_plain(&got);
}

Test(trace, lackey_text_a_modify_is_a_load_and_a_store)
{
	for (size_t chunk = 1; chunk < 20; chunk++) {
		struct got got = read_trace(feed_text(lackey), VMMAP_TRACE_ANY, chunk);

		cr_assert_eq(got.err, 0, "%s", got.why.text);
		cr_assert_eq(got.format, VMMAP_TRACE_LACKEY);
		cr_assert_eq(got.n, 5);
		assert_access(&got.a[0], 0x4016b80, 3, X);
		assert_access(&got.a[1], 0x1ffeffe7e, 8, R);
		assert_access(&got.a[2], 0x1ffeffe76, 7, W);
		assert_access(&got.a[3], 0x421c7cc, 4, R);
		assert_access(&got.a[4], 0x421c7cc, 4, W);
		got_free(&got);
	}
}

/* ---- Records ------------------------------------------------------------------------------------- */

static void put_u64(unsigned char *at, uint64_t word)
{
	word = htole64(word);
	memcpy(at, &word, sizeof(word));
}

Test(trace, champsim_fetch_then_loads_then_stores)
{
	unsigned char records[3 * 64] = { 0 };

	put_u64(records, 0x401000);
	records[8] = 1;
	put_u64(records + 16, 0x9000); /* destination */
	put_u64(records + 32, 0x1000); /* sources */
	put_u64(records + 56, 0x2000);
	put_u64(records + 64, 0x401004);
	put_u64(records + 128, 0x401008);
	for (size_t chunk = 1; chunk < 20; chunk++) {
		struct got got = read_trace(feed(records, sizeof(records)), VMMAP_TRACE_ANY, chunk);

		cr_assert_eq(got.err, 0, "%s", got.why.text);
		cr_assert_eq(got.format, VMMAP_TRACE_CHAMPSIM);
		cr_assert_eq(got.n, 6);
		assert_access(&got.a[0], 0x401000, 4, X);
		assert_access(&got.a[1], 0x1000, 8, R);
		assert_access(&got.a[2], 0x2000, 8, R);
		assert_access(&got.a[3], 0x9000, 8, W);
		assert_access(&got.a[4], 0x401004, 4, X);
		assert_access(&got.a[5], 0x401008, 4, X);
		got_free(&got);
	}
}

Test(trace, vapa_records_with_and_without_frames)
{
	unsigned char records[2 * 24];
	struct got got;

	put_u64(records, 0x7000);
	put_u64(records + 8, 0x123000);
	put_u64(records + 16, 3 | 8 << 8 | 1 << 16);
	put_u64(records + 24, 0x8001);
	put_u64(records + 32, UINT64_MAX);
	put_u64(records + 40, 1 << 8 | 1 << 17);
	got = read_trace(feed(records, sizeof(records)), VMMAP_TRACE_ANY, 10);
	cr_assert_eq(got.err, 0, "%s", got.why.text);
	cr_assert_eq(got.format, VMMAP_TRACE_VAPA);
	cr_assert_eq(got.n, 2);
	assert_access(&got.a[0], 0x7000, 8, W);
	cr_assert_eq(got.a[0].pa, 0x123000);
	assert_access(&got.a[1], 0x8001, 1, R);
	cr_assert_eq(got.a[1].pa, VMMAP_PA_UNKNOWN);
	got_free(&got);
}

Test(trace, recorded_under_qemu)
{
	struct vmmap_refusal why;
	struct vmmap_trace *t;
	struct vmmap_access a[1000];
	uint64_t n = 0, writes = 0;
	int64_t got;

	cr_assert_eq(
		vmmap_trace_open(VMMAP_TEST_DATA "/qsort_head.bin.zst", VMMAP_TRACE_ANY, &t, &why),
		0, "%s", why.text);
	cr_assert_eq(vmmap_trace_get_format(t), VMMAP_TRACE_VAPA);
	while ((got = vmmap_trace_read(t, a, 1000, &why)) > 0) {
		n += (uint64_t)got;
		for (int64_t i = 0; i < got; i++)
			writes += a[i].kind == W;
	}
	cr_assert_eq(got, 0, "%s", why.text);
	cr_assert_eq(n, 200000);
	cr_assert(writes > 0 && writes < n);
	vmmap_trace_close(t);
}

/* ---- Our own ------------------------------------------------------------------------------------- */

/* Addresses from next door to the other end of memory; sizes of every kind. */
static void draw(struct vmmap_access *a, size_t n, struct rng *rng)
{
	uint64_t va = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t far = rng_u64(rng) >> rng_u64(rng) % 64;

		va = rng_u64(rng) % 4 ? va + (rng_u64(rng) % 200) - 100 : far;
		a[i].kind = (uint8_t)(rng_u64(rng) % 3);
		a[i].size = (uint16_t)(rng_u64(rng) % 3 ? 1u << rng_u64(rng) % 7 :
							  1 + rng_u64(rng) % 4096);
		a[i].pa = VMMAP_PA_UNKNOWN;
		if (va > UINT64_MAX - a[i].size)
			va = UINT64_MAX - a[i].size;
		a[i].va = va;
	}
}

static FILE *write_compact(const struct vmmap_access *a, size_t n)
{
	struct vmmap_trace_writer *w;
	FILE *file = tmpfile();

	cr_assert_eq(vmmap_trace_writer_create(file, &w), 0);
	cr_assert_eq(vmmap_trace_write(w, a, n), 0);
	cr_assert_eq(vmmap_trace_writer_finish(w), 0);
	vmmap_trace_writer_free(w);
	rewind(file);
	return file;
}

static void assert_round_trip(size_t n, size_t chunk, struct rng *rng)
{
	struct vmmap_access *a = malloc((n + 1) * sizeof(*a));
	struct got got;

	draw(a, n, rng);
	got = read_trace(write_compact(a, n), VMMAP_TRACE_ANY, chunk);
	cr_assert_eq(got.err, 0, "%s", got.why.text);
	cr_assert_eq(got.format, VMMAP_TRACE_COMPACT);
	cr_assert_eq(got.n, n);
	for (size_t i = 0; i < n; i++)
		assert_access(&got.a[i], a[i].va, a[i].size, a[i].kind);
	got_free(&got);
	free(a);
}

Test(trace, compact_is_read_as_written)
{
	static const size_t sizes[] = { 0, 1, 2, 100, 65535, 65536, 65537, 200000 };
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		assert_round_trip(sizes[i], 1000, &rng);
		assert_round_trip(sizes[i] % 5000, 1, &rng);
	}
}

Test(trace, compact_refuses_what_is_no_access)
{
	const struct vmmap_access bad[] = {
		{ 0, 0, 0, R }, { 0, 0, 4097, R }, { 0, 0, 1, 3 }, { UINT64_MAX, 0, 2, R }
	};
	struct vmmap_trace_writer *w;
	FILE *file = tmpfile();

	cr_assert_eq(vmmap_trace_writer_create(file, &w), 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(vmmap_trace_write(w, &bad[i], 1), -EINVAL);
	vmmap_trace_writer_free(w);
	fclose(file);
}

Test(trace, plain_is_read_as_written)
{
	struct vmmap_access a[500];
	FILE *file = tmpfile();
	struct rng rng;
	struct got got;

	rng_init(&rng, harness_seed(), 2);
	draw(a, 500, &rng);
	for (size_t i = 0; i < 500; i++)
		vmmap_trace_put_text(file, &a[i]);
	rewind(file);
	got = read_trace(file, VMMAP_TRACE_ANY, 64);
	cr_assert_eq(got.n, 500);
	for (size_t i = 0; i < 500; i++)
		assert_access(&got.a[i], a[i].va, a[i].size, a[i].kind);
	got_free(&got);
}
