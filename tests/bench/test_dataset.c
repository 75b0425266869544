/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sets that are made up: as large as they should be, the same from the same seed, well-formed, and the
 * same again when saved and loaded.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

TestSuite(dataset, .init = scratch_open, .fini = scratch_close);

static const char *const kinds[] = {
	"lfs-aged",
	"hotspot",
	"uniform",
	"pareto",
	"vma",
	"espfix",
	"stride:2",
	"stride:4096",
	"adversary:random",
	"adversary:holes",
	"adversary:zigzag",
	"adversary:exponential",
	"adversary:outlier",
	"adversary:oscillation",
	"adversary:lognormal",
	"adversary:frames",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct dataset made(const char *kind, unsigned int n, unsigned int seed)
{
	char spec[64];

	snprintf(spec, sizeof(spec), "gen:%s:%u:%u", kind, n, seed);
	return loaded(spec, 99);
}

/* ---- Sizes and seeds --------------------------------------------------------------------------- */

Test(dataset, every_kind_has_about_as_many_runs_as_asked)
{
	static const unsigned int sizes[] = { 200, 3000, 40000 };

	for (size_t k = 0; k < KINDS; k++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct dataset d = made(kinds[k], sizes[i], 5 + (unsigned int)i);

			CHECK(d.n * 10 >= sizes[i] * 9 && d.n * 10 <= sizes[i] * 11,
			      "gen:%s:%u has %zu runs", kinds[k], sizes[i], d.n);
			dataset_free(&d);
		}
	}
}

Test(dataset, every_kind_can_be_tiny)
{
	for (size_t k = 0; k < KINDS; k++) {
		for (unsigned int n = 1; n < 12; n++) {
			struct dataset d = made(kinds[k], n, n);

			dataset_free(&d);
		}
	}
}

Test(dataset, every_kind_is_a_function_of_its_seed)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct dataset a = made(kinds[k], 3000, 7), b = made(kinds[k], 3000, 7);
		struct dataset c = made(kinds[k], 3000, 8);

		cr_assert(same_runs(&a, &b));
		CHECK(!strcmp(kinds[k], "adversary:zigzag") || !same_runs(&a, &c),
		      "gen:%s is the same under another seed", kinds[k]);
		dataset_free(&a);
		dataset_free(&b);
		dataset_free(&c);
	}
}

Test(dataset, the_seed_given_counts_where_the_spec_has_none)
{
	struct dataset a = loaded("gen:lfs-aged:1k", 6), b = loaded("gen:lfs-aged:1000:6", 99);

	cr_assert(same_runs(&a, &b));
	cr_assert_str_eq(a.name, "gen:lfs-aged:1000:6");
	cr_assert_str_eq(b.name, a.name);
	dataset_free(&a);
	dataset_free(&b);
	a = loaded("gen:stride:3", 6);
	cr_assert_str_eq(a.name, "gen:stride:3:1000000:6");
	dataset_free(&a);
}

/* ---- Shapes ------------------------------------------------------------------------------------ */

Test(dataset, an_aged_file_is_mapped_from_its_first_to_its_last_block)
{
	for (size_t k = 0; k < 4; k++) {
		struct dataset d = made(kinds[k], 2000, 1);

		CHECK(d.keys == d.space, "gen:%s has holes", kinds[k]);
		dataset_free(&d);
	}
}

/* Runs that begin in [from, to) in thousandths of the file, in percent of all. */
static size_t share(const struct dataset *d, uint64_t from, uint64_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->runs[i].first >= d->space * from / 1000 &&
		     d->runs[i].first < d->space * to / 1000;
	return d->n ? n * 100 / d->n : 0;
}

Test(dataset, overwrites_are_where_their_kind_says)
{
	struct dataset even = made("lfs-aged", 20000, 1), hot = made("hotspot", 20000, 1);
	struct dataset pareto = made("pareto", 20000, 1);

	CHECK(share(&even, 0, 100) >= 9 && share(&even, 0, 100) <= 11, "%zu %%",
	      share(&even, 0, 100));
	CHECK(share(&hot, 0, 100) >= 25, "%zu %%", share(&hot, 0, 100));
	CHECK(share(&pareto, 0, 200) > 2 * share(&pareto, 800, 1000), "%zu and %zu %%",
	      share(&pareto, 0, 200), share(&pareto, 800, 1000));
	dataset_free(&even);
	dataset_free(&hot);
	dataset_free(&pareto);
}

Test(dataset, a_process_has_short_runs_in_few_areas)
{
	struct dataset d = made("vma", 20000, 3);
	size_t areas = 1;

	for (size_t i = 0; i < d.n; i++) {
		cr_assert_lt(d.runs[i].last - d.runs[i].first, 6);
		areas += i && d.runs[i].first - d.runs[i - 1].last > 128;
	}
	cr_assert(areas > 2 && areas < 10, "%zu areas", areas);
	cr_assert_lt(d.space, 1ull << 35);
	dataset_free(&d);
}

Test(dataset, espfix_is_one_frame_at_a_page_of_every_64_kib)
{
	struct dataset d = made("espfix", 1000, 3);

	for (size_t i = 0; i < d.n; i++) {
		cr_assert_eq(d.runs[i].first, d.runs[0].first + 16 * i);
		cr_assert_eq(d.runs[i].last, d.runs[i].first);
		cr_assert_eq(d.runs[i].value, d.runs[0].value);
	}
	dataset_free(&d);
}

/* ---- Saved and loaded -------------------------------------------------------------------------- */

static void round_trip(const struct dataset *d, const char *name)
{
	struct scratch_path path = scratch_path(name);
	char why[DATASET_WHY_BYTES];
	struct dataset again;

	CHECK(!dataset_save(d, path.text, why), "%s", why);
	again = loaded(path.text, 1);
	cr_assert(same_runs(d, &again));
	cr_assert_str_eq(again.name, path.text);
	dataset_free(&again);
}

Test(dataset, every_kind_is_the_same_when_saved_and_loaded)
{
	for (size_t k = 0; k < KINDS; k++) {
		struct dataset d = made(kinds[k], 5000, 11);

		round_trip(&d, "set.runs");
		round_trip(&d, "set.runs.zst");
		dataset_free(&d);
	}
}

Test(dataset, the_whole_key_space_can_be_saved)
{
	static char name[] = "all";
	struct lindex_run all[2] = {
		{ .first = 0, .last = UINT64_MAX, .value = 0, .step = 1, .mapped = 1 },
		{ .first = 0, .last = UINT64_MAX, .value = 5, .tag = 9, .mapped = 1 },
	};

	for (size_t i = 0; i < 2; i++) {
		struct dataset d = { name, &all[i], 1, UINT64_MAX, UINT64_MAX }, again;
		struct scratch_path path = scratch_path("all.runs");
		char why[DATASET_WHY_BYTES];

		cr_assert_eq(dataset_save(&d, path.text, why), 0);
		cr_assert_eq(dataset_load(path.text, 1, &again, why), 0);
		cr_assert(same_runs(&d, &again));
		dataset_free(&again);
	}
}

Test(dataset, compressed_is_smaller)
{
	struct dataset d = made("lfs-aged", 5000, 11);
	struct stat plain, packed;

	round_trip(&d, "set.runs");
	round_trip(&d, "set.runs.zst");
	cr_assert_eq(stat(scratch_path("set.runs").text, &plain), 0);
	cr_assert_eq(stat(scratch_path("set.runs.zst").text, &packed), 0);
	cr_assert_lt(packed.st_size * 3, plain.st_size * 2);
	dataset_free(&d);
}

Test(dataset, save_replaces_a_file_and_keeps_a_link)
{
	struct dataset d = made("vma", 100, 1);
	struct scratch_path target = scratch_write("old.runs", "x", 1);
	struct scratch_path link = scratch_path("link.runs");
	struct stat st;

	cr_assert_eq(symlink(target.text, link.text), 0);
	round_trip(&d, "link.runs");
	cr_assert_eq(lstat(link.text, &st), 0);
	cr_assert(S_ISLNK(st.st_mode));
	dataset_free(&d);
}

Test(dataset, save_says_why_it_cannot)
{
	struct dataset d = made("vma", 100, 1);
	char why[DATASET_WHY_BYTES];

	cr_assert_eq(dataset_save(&d, scratch_path("set.txt").text, why), -EINVAL);
	cr_assert(strstr(why, "expected a name that ends in .runs or .runs.zst"), "%s", why);
	cr_assert_eq(dataset_save(&d, scratch_path("no/set.runs").text, why), -ENOENT);
	cr_assert(strstr(why, "set.runs: cannot write: No such file"), "%s", why);
	cr_assert_eq(mkdir(scratch_path("dir.runs").text, 0777), 0);
	cr_assert_eq(dataset_save(&d, scratch_path("dir.runs").text, why), -EISDIR);
	dataset_free(&d);
}

Test(dataset, free_of_nothing_is_fine)
{
	struct dataset d = made("vma", 100, 1);

	dataset_free(&d);
	cr_assert(!d.name && !d.runs && !d.n);
	dataset_free(&d);
}

/* ---- Specs that are none ----------------------------------------------------------------------- */

Test(dataset, specs_that_make_no_sense_are_refused)
{
	static const struct {
		const char *spec;
		int err;
		const char *part;
	} bad[] = {
		{ "", -EINVAL, "expected gen:KIND, FILE.runs" },
		{ "lfs-aged", -EINVAL, "found \"lfs-aged\"" },
		{ ".runs", -EINVAL, "found \".runs\"" },
		{ "gen:", -EINVAL, "expected lfs-aged, hotspot" },
		{ "gen:lfs", -EINVAL, "found \"lfs\"" },
		{ "gen:lfs-aged:", -EINVAL, "expected N" },
		{ "gen:lfs-aged:0", -EINVAL, "found \"0\"" },
		{ "gen:lfs-aged:-1", -EINVAL, "found \"-1\"" },
		{ "gen:lfs-aged:1m", -EINVAL, "found \"1m\"" },
		{ "gen:lfs-aged:1kk", -EINVAL, "found \"1kk\"" },
		{ "gen:lfs-aged:99999999999999999999", -EINVAL, "expected N" },
		{ "gen:lfs-aged:18446744073709551615G", -EINVAL, "expected N" },
		{ "gen:lfs-aged:100:", -EINVAL, "expected SEED" },
		{ "gen:lfs-aged:100:x", -EINVAL, "expected SEED" },
		{ "gen:lfs-aged:100:1:2", -EINVAL, "found \":2\"" },
		{ "gen:lfs-aged:1G", -ERANGE, "expected fewer runs, found 1000000000" },
		{ "gen:vma:1000G", -ERANGE, "expected fewer runs" },
		{ "gen:stride", -EINVAL, "expected K" },
		{ "gen:stride:1", -EINVAL, "found \"1\"" },
		{ "gen:stride:18446744073709551615:2", -ERANGE, "less than 2^64 keys" },
		{ "gen:adversary", -EINVAL, "expected SORT one of random, exponential" },
		{ "gen:adversary:nice:100", -EINVAL, "found \"nice\"" },
		{ "nothing.runs", -ENOENT, "nothing.runs: cannot open: No such file" },
		{ "nothing.runs.zst", -ENOENT, "cannot open" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i].spec, bad[i].err, bad[i].part);
}
