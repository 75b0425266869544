/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Machine profiles: the three of MMU models that come with the program, their text read back, and bad ones refused.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "feed.h"
#include "machine.h"

static struct vmmap_machine must_read(const char *what)
{
	struct vmmap_machine m;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_machine_read(what, &m, &why), 0, "%s", why.text);
	return m;
}

static void assert_array(const struct vmmap_machine_array *a, uint32_t entries, uint32_t ways,
			 uint32_t cycles)
{
	cr_assert_eq(a->entries, entries);
	cr_assert_eq(a->ways, ways);
	cr_assert_eq(a->cycles, cycles);
}

Test(machine, virtuoso_is_the_default)
{
	struct vmmap_machine m = must_read(vmmap_machine_name(0));

	cr_assert_str_eq(m.name, "virtuoso");
	cr_assert_eq(m.n_tlbs, 3);
	assert_array(&m.tlbs[0], 64, 4, 1);
	assert_array(&m.tlbs[2], 2048, 8, 12);
	cr_assert_eq(m.tlbs[2].sizes, VMMAP_MACHINE_4K | VMMAP_MACHINE_2M);
	for (int level = 2; level <= 4; level++)
		assert_array(&m.walk_caches[level], 32, 4, 1);
	cr_assert_eq(m.walk_caches[5].entries, 0);
	cr_assert_eq(m.model_cache.entries, 96);
	assert_array(&m.caches[0], 48 * 1024 / 64, 12, 4);
	assert_array(&m.caches[1], 2048 * 1024 / 64, 16, 12);
	assert_array(&m.caches[2], 8192 * 1024 / 64, 16, 35);
	cr_assert_eq(m.dram_cycles, 230);
	cr_assert_eq(m.radix_levels, 4);
}

Test(machine, champsim_has_4k_pages_and_5_levels)
{
	struct vmmap_machine m = must_read("champsim");

	cr_assert_eq(m.n_tlbs, 2);
	assert_array(&m.tlbs[1], 1536, 12, 8);
	cr_assert_eq(m.walk_caches[5].entries, 2);
	cr_assert_eq(m.walk_caches[2].entries, 32);
	cr_assert_eq(m.radix_levels, 5);
	cr_assert(m.latencies_add);
}

Test(machine, ecpt20_says_that_it_is_recalled)
{
	struct vmmap_machine m = must_read("ecpt20");

	cr_assert(strstr(m.note, "recalled"));
	cr_assert_eq(m.tlbs[2].sizes, VMMAP_MACHINE_1G);
	cr_assert_eq(m.cuckoo_caches[2].entries, 16);
	cr_assert_eq(m.cuckoo_caches[3].entries, 2);
}

static int read_text(const char *text, struct vmmap_machine *m, struct vmmap_refusal *why)
{
	char path[] = "/tmp/vmmap_machine_XXXXXX";
	int fd = mkstemp(path), err;

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	err = vmmap_machine_read(path, m, why);
	unlink(path);
	return err;
}

static void assert_same_array(const struct vmmap_machine_array *a,
			      const struct vmmap_machine_array *b)
{
	assert_array(a, b->entries, b->ways, b->cycles);
	cr_assert_eq(a->sizes, b->sizes);
	cr_assert_eq(a->level, b->level);
}

static void assert_same(const struct vmmap_machine *a, const struct vmmap_machine *b)
{
	cr_assert_str_eq(a->name, b->name);
	cr_assert_str_eq(a->note, b->note);
	cr_assert_eq(a->n_tlbs, b->n_tlbs);
	cr_assert_eq(a->n_caches, b->n_caches);
	cr_assert_eq(a->dram_cycles, b->dram_cycles);
	cr_assert_eq(a->model_cycles, b->model_cycles);
	cr_assert_eq(a->radix_levels, b->radix_levels);
	cr_assert_eq(a->walk_overlapped, b->walk_overlapped);
	cr_assert_eq(a->latencies_add, b->latencies_add);
	for (int i = 0; i < (int)VMMAP_MACHINE_TLBS; i++)
		assert_same_array(&a->tlbs[i], &b->tlbs[i]);
	for (int i = 0; i < 6; i++)
		assert_same_array(&a->walk_caches[i], &b->walk_caches[i]);
	for (int i = 0; i < 4; i++)
		assert_same_array(&a->cuckoo_caches[i], &b->cuckoo_caches[i]);
	for (int i = 0; i < (int)VMMAP_MACHINE_CACHES; i++)
		assert_same_array(&a->caches[i], &b->caches[i]);
	assert_same_array(&a->model_cache, &b->model_cache);
}

Test(machine, every_profile_is_a_file_too)
{
	const char *name;

	for (unsigned int i = 0; (name = vmmap_machine_name(i)); i++) {
		struct vmmap_machine built_in = must_read(name), read = { 0 };
		struct vmmap_refusal why;

		cr_assert_eq(read_text(vmmap_machine_text(name), &read, &why), 0, "%s", why.text);
		assert_same(&built_in, &read);
	}
}

Test(machine, bad_lines)
{
	static const struct {
		const char *line, *expected;
	} cases[] = {
		{ "l1-tlb 4K 64 5 1", "WAYS that divide" },
		{ "l1-tlb 4K 0 4 1", "ENTRIES" },
		{ "l1-tlb 8K 64 4 1", "page sizes" },
		{ "l1-tlb 2M+4K 64 4 1", "each page size once" },
		{ "l1-tlb 2M+ 64 4 1", "page sizes" },
		{ "l2-tlb 4K 64 4", "CYCLES" },
		{ "walk-cache 6 32 4 1", "LEVEL" },
		{ "cuckoo-cache 4K 16 0 1", "SIZE" },
		{ "cache 48 12 4", "BYTES" },
		{ "cache 48K 11 4", "WAYS" },
		{ "cache 36K 3 4", "power of two" },
		{ "cache 48K 12 4 9", "the end of the line" },
		{ "dram", "CYCLES" },
		{ "latencies some", "total or added" },
		{ "radix 3", "4 or 5" },
		{ "model 4 hidden", "the end of the line" },
		{ "walk-start never", "overlapped" },
		{ "frobnicate 3", "a setting" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vmmap_machine m;
		struct vmmap_refusal why;
		char text[200];

		snprintf(text, sizeof(text), "# x\nl1-tlb 4K 64 4 1\n%s\n", cases[i].line);
		cr_assert_eq(read_text(text, &m, &why), -EINVAL, "%s", cases[i].line);
		assert_refusal(&why, WORDS(":3: ", "expected", cases[i].expected, cases[i].line));
	}
}

Test(machine, incomplete_or_unknown)
{
	struct vmmap_machine m;
	struct vmmap_refusal why;

	cr_assert_eq(read_text("l1-tlb 4K 64 4 1\ndram 100\n", &m, &why), -EINVAL);
	assert_refusal(&why, WORDS("expected a cache, found none"));
	cr_assert_eq(read_text("cache 4K 1 1\ndram 100\n", &m, &why), -EINVAL);
	assert_refusal(&why, WORDS("expected an l1-tlb for 4K, found none"));
	cr_assert_eq(vmmap_machine_read("pentium", &m, &why), -ENOENT);
	assert_refusal(&why,
		       WORDS("expected a machine (virtuoso, champsim, ecpt20", "\"pentium\""));
}
