/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Page tables of real guests (QEMU, Linux 6.1; tests/qemu made them): our walk is QEMU's text, line by line, and every backend
 * translates every entry so. And tables that nobody should walk: loops, pointers out of memory, damage.
 */
#include <criterion/criterion.h>
#include <endian.h>

#include "feed.h"
#include "guest.h"

static struct vmmap_guest *must_open(const char *path)
{
	struct vmmap_guest *guest;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_guest_open(path, &guest, &why), 0, "%s", why.text);
	return guest;
}

static struct vmmap_pte_list must_read(const char *path)
{
	struct vmmap_pte_list text;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_qemu_read(path, &text, &why), 0, "%s", why.text);
	return text;
}

static void assert_agrees(const char *tables, const char *text_path, unsigned int levels,
			  uint64_t huge)
{
	struct vmmap_guest *guest = must_open(tables);
	struct vmmap_pte_list text = must_read(text_path);
	struct vmmap_guest_verdict verdict;
	struct vmmap_refusal why;
	unsigned int said;
	uint64_t cr3;

	vmmap_guest_root(guest, &cr3, &said);
	cr_assert_eq(said, levels);
	/* As the file says, and as the text suggests. */
	for (unsigned int asked = 0; asked <= levels; asked += levels) {
		cr_assert_eq(vmmap_guest_check(guest, cr3, asked, &text, "text", &verdict, &why), 0,
			     "%s", why.text);
		cr_assert_eq(verdict.levels, levels);
		cr_assert_eq(verdict.entries, text.n);
		cr_assert(verdict.entries_2m >= huge, "%lu", (long)verdict.entries_2m);
		cr_assert_not_null(verdict.backends[0]);
	}
	vmmap_pte_list_destroy(&text);
	vmmap_guest_free(guest);
}

Test(guest, of_4_levels_agrees_with_qemu_and_all_backends)
{
	assert_agrees(VMMAP_TEST_GUESTS "/l4.tables.zst", VMMAP_TEST_GUESTS "/l4.tlb.txt.zst", 4,
		      0);
}

Test(guest, of_4_levels_with_huge_pages_agrees_with_qemu_and_all_backends)
{
	assert_agrees(VMMAP_TEST_GUESTS "/l4thp.tables.zst", VMMAP_TEST_GUESTS "/l4thp.tlb.txt.zst",
		      4, 11);
}

Test(guest, of_5_levels_agrees_with_qemu_and_all_backends)
{
	assert_agrees(VMMAP_TEST_GUESTS "/l5.tables.zst", VMMAP_TEST_GUESTS "/l5.tlb.txt.zst", 5,
		      0);
}

/* Each kind of difference is found, and told with its line. */
Test(guest, a_text_that_differs_is_told_with_its_line)
{
	struct vmmap_guest *guest = must_open(VMMAP_TEST_GUESTS "/l4.tables.zst");
	struct vmmap_pte_list text = must_read(VMMAP_TEST_GUESTS "/l4.tlb.txt.zst");
	struct vmmap_guest_verdict verdict;
	struct vmmap_refusal why;
	unsigned int levels;
	uint64_t cr3;

	vmmap_guest_root(guest, &cr3, &levels);
	for (int what = 0; what < 4; what++) {
		struct vmmap_pte kept = text.ptes[1000], last = text.ptes[text.n - 1];
		size_t n = text.n;

		if (what == 0)
			text.ptes[1000].pa += 4096;
		else if (what == 1)
			text.ptes[1000].flags ^= VMMAP_PTE_A;
		else if (what == 2)
			text.n--;
		else
			text.ptes[text.n - 1].va += 4096;
		cr_assert_eq(vmmap_guest_check(guest, cr3, levels, &text, "text", &verdict, &why),
			     -EUCLEAN);
		assert_refusal(&why, WORDS("text:", "the walk of memory found", "the text has"));
		if (what < 2)
			assert_refusal(&why, WORDS("text:1001: "));
		text.n = n;
		text.ptes[1000] = kept;
		text.ptes[text.n - 1] = last;
	}
	vmmap_pte_list_destroy(&text);
	vmmap_guest_free(guest);
}

/* ---- Tables made here -------------------------------------------------------------------------------- */

#define PRESENT 1u
#define WRITE   2u
#define USER    4u
#define HUGE    128u
#define ALL     (PRESENT | WRITE | USER)
#define PAGES   16u

static uint64_t memory[PAGES][512];

static void set(unsigned int page, unsigned int index, uint64_t entry)
{
	memory[page][index] = htole64(entry);
}

static struct vmmap_guest *raw_guest(void)
{
	struct vmmap_guest *guest;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_guest_open_file(feed(memory, sizeof(memory)), "mem", &guest, &why), 0,
		     "%s", why.text);
	return guest;
}

struct seen {
	struct vmmap_guest_leaf leaves[16];
	size_t n;
};

static int note(void *ctx, const struct vmmap_guest_leaf *leaf)
{
	struct seen *seen = ctx;

	if (seen->n == 16)
		return 1;
	seen->leaves[seen->n++] = *leaf;
	return 0;
}

static int walk(struct seen *seen, struct vmmap_refusal *why)
{
	struct vmmap_guest *guest = raw_guest();
	int err;

	seen->n = 0;
	err = vmmap_guest_walk(guest, 0x1000, 4, note, seen, why);
	vmmap_guest_free(guest);
	return err;
}

static void make_chain(void)
{
	memset(memory, 0, sizeof(memory));
	set(1, 0, 0x2000 | ALL);
	set(2, 0, 0x3000 | ALL);
	set(3, 0, 0x4000 | ALL);
}

TestSuite(guest_made, .init = make_chain);

Test(guest_made, rights_are_those_of_all_levels_and_flags_those_of_the_leaf)
{
	struct seen seen;
	struct vmmap_refusal why;

	set(2, 0, 0x3000 | PRESENT | WRITE); /* no USER here */
	set(3, 0, 0x4000 | ALL | UINT64_C(1) << 63);
	set(4, 5, 0x123456000 | ALL | 0x60);
	set(3, 1, 0x40000000 | PRESENT | HUGE);
	set(1, 511, 0x2000 | ALL); /* the same tables again, in the upper half */
	cr_assert_eq(walk(&seen, &why), 0, "%s", why.text);
	cr_assert_eq(seen.n, 4);
	cr_assert_eq(seen.leaves[0].pte.va, 5 << 12);
	cr_assert_eq(seen.leaves[0].pte.pa, 0x123456000);
	cr_assert_eq(seen.leaves[0].prot, VMMAP_PROT_READ | VMMAP_PROT_WRITE);
	cr_assert_eq(seen.leaves[0].pte.flags,
		     VMMAP_PTE_W | VMMAP_PTE_U | VMMAP_PTE_A | VMMAP_PTE_D);
	cr_assert_eq(seen.leaves[1].shift, VMMAP_2M);
	cr_assert_eq(seen.leaves[1].pte.va, 1 << 21);
	cr_assert_eq(seen.leaves[1].prot, VMMAP_PROT_READ | VMMAP_PROT_EXEC);
	cr_assert_eq(seen.leaves[2].pte.va, UINT64_C(0xffffff8000005000));
}

Test(guest_made, a_table_outside_memory_is_told_with_its_entry)
{
	struct seen seen;
	struct vmmap_refusal why;

	set(3, 7, 0x99000 | ALL);
	cr_assert_eq(walk(&seen, &why), -EUCLEAN);
	assert_refusal(&why, WORDS("mem: ", "entry at physical address 3038", "level 2",
				   "virtual address e00000", "inside memory", "99000"));
	make_chain();
	set(2, 3, (uint64_t)PAGES * 4096 | ALL); /* just behind the end */
	cr_assert_eq(walk(&seen, &why), -EUCLEAN);
	assert_refusal(&why, WORDS("entry at physical address 2018", "inside memory", "10000"));
}

Test(guest_made, loops_of_any_length_are_told)
{
	for (unsigned int to = 1; to <= 3; to++) {
		struct seen seen;
		struct vmmap_refusal why;

		make_chain();
		set(3, 9, (uint64_t)to << 12 | ALL);
		cr_assert_eq(walk(&seen, &why), -EUCLEAN);
		assert_refusal(&why, WORDS("entry at physical address 3048", "(a loop)"));
	}
}

/* Four pages can stand for 2^36 entries; the walk ends all the same. */
Test(guest_made, shared_tables_do_not_explode)
{
	struct seen seen;
	struct vmmap_refusal why;

	for (unsigned int page = 1; page <= 3; page++)
		for (unsigned int i = 0; i < 512; i++)
			set(page, i, (uint64_t)(page + 1) << 12 | ALL);
	cr_assert_eq(walk(&seen, &why), -EUCLEAN);
	assert_refusal(&why, WORDS("at most 1048576 tables"));
}

Test(guest_made, cr3_outside_memory)
{
	struct vmmap_guest *guest = raw_guest();
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_guest_walk(guest, 0x100000, 4, NULL, NULL, &why), -EUCLEAN);
	assert_refusal(&why, WORDS("CR3", "inside memory", "100000"));
	vmmap_guest_free(guest);
}

/* ---- The container --------------------------------------------------------------------------------- */

static size_t make_container(unsigned char *bytes)
{
	struct vmmap_guest *guest;
	struct vmmap_refusal why;
	FILE *file = tmpfile();
	size_t len;

	set(4, 5, 0x5000 | ALL);
	guest = raw_guest();
	cr_assert_eq(vmmap_guest_save_tables(guest, 0x1000, 4, file, &why), 0, "%s", why.text);
	rewind(file);
	len = fread(bytes, 1, PAGES * 5000, file);
	fclose(file);
	vmmap_guest_free(guest);
	return len;
}

Test(guest_made, saved_tables_walk_as_the_memory_did)
{
	static unsigned char bytes[PAGES * 5000];
	struct vmmap_guest *guest;
	struct vmmap_refusal why;
	struct seen seen = { 0 };
	unsigned int levels;
	uint64_t cr3;
	size_t len = make_container(bytes);

	cr_assert_eq(len, 32 + 4 * (8 + 4096));
	cr_assert_eq(vmmap_guest_open_file(feed(bytes, len), "tables", &guest, &why), 0, "%s",
		     why.text);
	vmmap_guest_root(guest, &cr3, &levels);
	cr_assert_eq(cr3, 0x1000);
	cr_assert_eq(levels, 4);
	cr_assert_eq(vmmap_guest_walk(guest, cr3, levels, note, &seen, &why), 0, "%s", why.text);
	cr_assert_eq(seen.n, 1);
	cr_assert_eq(seen.leaves[0].pte.pa, 0x5000);
	vmmap_guest_free(guest);
}

static void assert_no_container(const unsigned char *bytes, size_t len, int err,
				const char *const *words)
{
	struct vmmap_guest *guest;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_guest_open_file(feed(bytes, len), "tables", &guest, &why), err);
	assert_refusal(&why, words);
}

Test(guest_made, bad_containers)
{
	static unsigned char bytes[PAGES * 5000];
	size_t len = make_container(bytes);

	assert_no_container(bytes, 20, -ENODATA, WORDS("expected a header of 32 bytes"));
	assert_no_container(bytes, len - 1, -ENODATA,
			    WORDS("tables: byte 12344: ", "expected page 4 of 4", "4103 bytes"));
	assert_no_container(bytes, len + 1, -EINVAL, WORDS("the end of the file after 4 pages"));
	bytes[16] = 6;
	assert_no_container(bytes, len, -EINVAL, WORDS("expected 4 or 5 levels, found 6"));
	bytes[16] = 4;
	memcpy(bytes + 32 + 4104, bytes + 32, 8); /* the first address again */
	assert_no_container(bytes, len, -EINVAL, WORDS("byte 4136: ", "each once, found 1000"));
	assert_no_container((const unsigned char *)"abc", 3, -EINVAL,
			    WORDS("expected memory, found 3"));
}
