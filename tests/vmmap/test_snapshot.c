/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Snapshots: each format is read as what it says; what we write we read; the same guest is the same in QEMU's text and as
 * runs; and bad input is refused with its line.
 */
#include <criterion/criterion.h>
#include <unistd.h>
#include <sys/mman.h>

#include "feed.h"
#include "check.h"
#include "rng.h"

#define RWXU VMMAP_SPAN_RWXU

static int try_read(const char *text, enum vmmap_snapshot_format format,
		    struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	return vmmap_snapshot_read_file(feed_text(text), "feed", format, snap, why);
}

static struct vmmap_snapshot must_read(const char *text)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;

	cr_assert_eq(try_read(text, VMMAP_SNAPSHOT_ANY, &snap, &why), 0, "%s", why.text);
	return snap;
}

static void assert_span(const struct vmmap_span *s, uint64_t vpn, uint64_t pfn, uint64_t pages,
			unsigned int shift, unsigned int flags)
{
	cr_assert_eq(s->vpn, vpn);
	cr_assert_eq(s->pfn, pfn);
	cr_assert_eq(s->pages, pages);
	cr_assert_eq(s->shift, shift);
	cr_assert_eq(s->flags, flags, "%x, expected %x", s->flags, flags);
}

static void assert_refused(const char *text, enum vmmap_snapshot_format format,
			   const char *const *words)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;
	int err = try_read(text, format, &snap, &why);

	cr_assert(err < 0, "was read: %s", text);
	assert_refusal(&why, words);
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

Test(snapshot, runs_with_and_without_rights_are_joined)
{
	struct vmmap_snapshot s = must_read("# vpn pfn len\n"
					    "400 455d 160\n"
					    "4a0 45fd 2\n" /* goes on where the first ends */
					    "600 8000 512 r--u 2M\n"
					    "1000 9000 1 r-xu # code\n"
					    "ffff888000000 0 10\n");

	cr_assert_eq(s.n, 4);
	assert_span(&s.spans[0], 0x400, 0x455d, 162, 12, RWXU);
	assert_span(&s.spans[1], 0x600, 0x8000, 512, 21, VMMAP_SPAN_R | VMMAP_SPAN_U);
	assert_span(&s.spans[2], 0x1000, 0x9000, 1, 12, VMMAP_SPAN_R | VMMAP_SPAN_X | VMMAP_SPAN_U);
	assert_span(&s.spans[3], 0xffff888000000, 0, 10, 12, RWXU);
	cr_assert_eq(vmmap_snapshot_pages(&s), 162 + 512 + 1 + 10);
	cr_assert_eq(vmmap_snapshot_find(&s, 0x4a1), &s.spans[0]);
	cr_assert_null(vmmap_snapshot_find(&s, 0x4a2));
	cr_assert_null(vmmap_snapshot_find(&s, 0x3ff));
	vmmap_snapshot_destroy(&s);
}

Test(snapshot, runs_in_any_order)
{
	struct vmmap_snapshot s = must_read("500 10 1\n400 20 1\n401 21 1\n");

	cr_assert_eq(s.n, 2);
	assert_span(&s.spans[0], 0x400, 0x20, 2, 12, RWXU);
	vmmap_snapshot_destroy(&s);
}

Test(snapshot, bad_runs)
{
	static const char *const lines[] = {
		"400 455d",          "400 455d 0",          "zzz 1 1",
		"400 1 1 rwx",       "400 1 1 rwxu 3M",     "400 1 x",
		"400 1 1 rwxu 2M",   "401 200 512 rwxu 2M", "100000000000 1 1", /* not canonical */
		"400 10000000000 1", "400 1 1 rwxu 4K 9",   "fffffffffffff 1 2",
		"fffffffffff 1 2",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[100];

		snprintf(text, sizeof(text), "1 1 1\n%s\n", lines[i]);
		assert_refused(text, VMMAP_SNAPSHOT_ANY,
			       WORDS("feed:2: ", "expected", "found \"", lines[i]));
	}
	assert_refused("400 1 16\n40f 9 1\n", VMMAP_SNAPSHOT_ANY,
		       WORDS("feed:2: ", "do not overlap", "40f"));
	assert_refused("400 1 16\n500 1 1\n40f 9 1\n", VMMAP_SNAPSHOT_ANY,
		       WORDS("each page once", "40f"));
	assert_refused("# nothing\n", VMMAP_SNAPSHOT_RUNS, WORDS("expected pages, found none"));
	assert_refused("", VMMAP_SNAPSHOT_ANY, WORDS("empty file"));
	assert_refused("hello\n", VMMAP_SNAPSHOT_ANY, WORDS("byte 0", "expected an address space"));
}

/* ---- v2p ----------------------------------------------------------------------------------------- */

Test(snapshot, v2p_in_any_layout)
{
	struct vmmap_snapshot s = must_read(
		"# proto-file: v2p.proto\n"
		"page_size: 4096\npage_count: 0x3\nbytes_mapped: 12288\n"
		"address_mapping {\n  virtual_address: 0x7f0000001000\n"
		"  physical_address: 0x5000\n}\n"
		"address_mapping: { virtual_address: 0x7f0000002000 "
		"physical_address: 24576 }\n"
		"other { name: \"a { b\" }\n"
		"address_mapping\n{ virtual_address: 0x400000, physical_address: 0x9000 }\n");

	cr_assert_eq(s.n, 2);
	assert_span(&s.spans[0], 0x400, 9, 1, 12, RWXU);
	assert_span(&s.spans[1], 0x7f0000001, 5, 2, 12, RWXU);
	vmmap_snapshot_destroy(&s);
}

Test(snapshot, v2p_with_huge_pages)
{
	struct vmmap_snapshot s = must_read(
		"page_size: 0x200000\n"
		"m { virtual_address: 0x400000 physical_address: 0x600000 }\n");

	cr_assert_eq(s.n, 1);
	assert_span(&s.spans[0], 0x400, 0x600, 512, 21, RWXU);
	vmmap_snapshot_destroy(&s);
}

Test(snapshot, bad_v2p)
{
	static const struct {
		const char *text, *line, *expected;
	} cases[] = {
		{ "page_size: 4096\nm { physical_address: 0x1000 }\n",
		  "feed:2:", "virtual_address" },
		{ "page_size: 4096\nm { virtual_address: 0x1000 }\n",
		  "feed:2:", "physical_address" },
		{ "page_size: 5000\n", "feed:1:", "page_size" },
		{ "page_size: 4096\nm { virtual_address: 0x1000 physical_address: zz }",
		  "feed:2:", "a number" },
		{ "page_size: 4096\nm { virtual_address: 1 physical_address: 2 }",
		  "feed:2:", "same place" },
		{ "page_size: 4096\n}\n", "feed:2:", "{ before" },
		{ "page_size: 4096\nm {\n", "feed:2:", "}" },
		{ "page_size: 4096\nm { virtual_address: 0x1000 virtual_address: 0x2000 }",
		  "feed:2:", "physical_address after" },
		{ "page_size: 4096\nm { virtual_address: 0x800000000000000 physical_address: 0 }",
		  "feed:2:", "canonical" },
		{ "page_size: 4096\n!\n", "feed:2:", "a field" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(cases[i].text, VMMAP_SNAPSHOT_ANY,
			       WORDS(cases[i].line, "expected", cases[i].expected));
}

/* ---- QEMU ---------------------------------------------------------------------------------------- */

Test(snapshot, qemu_text_with_pages_of_all_sizes)
{
	struct vmmap_snapshot s = must_read("0000000000400000: 000000000455d000 X---A--U-\n"
					    "0000000000600000: 0000000000800000 X-PDA--UW\n"
					    "0000000040000000: 0000000080000000 --P-A--U-\n"
					    "0000000080000000: 00000000c0000000 --P-A--U-\n"
					    "ffffffffff5fd000: 00000000fee00000 XG-DACT-W\n");

	cr_assert_eq(s.n, 4);
	assert_span(&s.spans[0], 0x400, 0x455d, 1, 12, VMMAP_SPAN_R | VMMAP_SPAN_A | VMMAP_SPAN_U);
	assert_span(&s.spans[1], 0x600, 0x800, 512, 21,
		    VMMAP_SPAN_R | VMMAP_SPAN_W | VMMAP_SPAN_U | VMMAP_SPAN_A | VMMAP_SPAN_D);
	assert_span(&s.spans[2], 0x40000, 0x80000, 2 << 18, 30,
		    VMMAP_SPAN_R | VMMAP_SPAN_X | VMMAP_SPAN_U | VMMAP_SPAN_A);
	assert_span(&s.spans[3], 0xffffffffff5fd, 0xfee00, 1, 12,
		    VMMAP_SPAN_R | VMMAP_SPAN_W | VMMAP_SPAN_A | VMMAP_SPAN_D);
	vmmap_snapshot_destroy(&s);
}

Test(snapshot, qemu_lines_are_printed_as_they_were)
{
	struct vmmap_pte_list list;
	struct vmmap_refusal why;
	char line[VMMAP_QEMU_LINE_BYTES];

	cr_assert_eq(vmmap_qemu_read(VMMAP_TEST_GUESTS "/l5.tlb.txt.zst", &list, &why), 0, "%s",
		     why.text);
	cr_assert(list.n > 80000);
	vmmap_qemu_line(&(struct vmmap_pte){ 0xffffffffff5fd000, 0xfee00000,
					     VMMAP_PTE_NX | VMMAP_PTE_G | VMMAP_PTE_D |
						     VMMAP_PTE_A | VMMAP_PTE_C | VMMAP_PTE_T |
						     VMMAP_PTE_W },
			line);
	cr_assert_str_eq(line, "ffffffffff5fd000: 00000000fee00000 XG-DACT-W");
	vmmap_pte_list_destroy(&list);
}

Test(snapshot, bad_qemu_text)
{
	static const char good[] = "0000000000400000: 000000000455d000 X---A--U-\n";
	static const char *const lines[] = {
		"0000000000400000: 000000000455d000 X---A--U-", /* again */
		"0000000000500000: 000000000455d000 X---A--U",
		"0000000000500000: 000000000455d000 X---A--UX",
		"0000000000500000; 000000000455d000 X---A--U-",
		"0000000000500001: 000000000455d000 X---A--U-",
		"0000000000501000: 000000000455d000 X-P-A--U-",
		"0100000000000000: 000000000455d000 X---A--U-",
		"000000000050000g: 000000000455d000 X---A--U-",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		char text[200];

		snprintf(text, sizeof(text), "%s%s\n", good, lines[i]);
		assert_refused(text, VMMAP_SNAPSHOT_ANY, WORDS("feed:2: ", "expected", "found"));
	}
}

/* ---- The same guest twice ------------------------------------------------------------------------- */

static struct vmmap_snapshot read_file(const char *name)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;
	char path[300];

	snprintf(path, sizeof(path), VMMAP_TEST_DATA "/%s", name);
	cr_assert_eq(vmmap_snapshot_read(path, VMMAP_SNAPSHOT_ANY, &snap, &why), 0, "%s", why.text);
	return snap;
}

/* Every page of @runs has the same frame in @qemu. */
static uint64_t assert_inside(const struct vmmap_snapshot *runs, const struct vmmap_snapshot *qemu)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < runs->n; i++) {
		for (uint64_t k = 0; k < runs->spans[i].pages; k++) {
			uint64_t vpn = runs->spans[i].vpn + k;
			const struct vmmap_span *s = vmmap_snapshot_find(qemu, vpn);

			cr_assert(s && s->pfn + (vpn - s->vpn) == runs->spans[i].pfn + k,
				  "page %lx", (long)vpn);
			pages++;
		}
	}
	return pages;
}

static void assert_same_guest(const char *qemu_name, const char *user_name, const char *kernel_name)
{
	struct vmmap_snapshot qemu = read_file(qemu_name), user = read_file(user_name);
	struct vmmap_snapshot kernel = read_file(kernel_name);
	uint64_t pages = assert_inside(&user, &qemu) + assert_inside(&kernel, &qemu);

	cr_assert_eq(pages, vmmap_snapshot_pages(&qemu));
	vmmap_snapshot_destroy(&qemu);
	vmmap_snapshot_destroy(&user);
	vmmap_snapshot_destroy(&kernel);
}

Test(snapshot, guests_are_the_same_as_text_of_qemu_and_as_runs)
{
	assert_same_guest("infotlb_l4thp.txt.zst", "guest_l4thp_user.runs.zst",
			  "guest_l4thp_kernel.runs.zst");
	assert_same_guest("infotlb_l5.txt.zst", "guest_l5_user.runs.zst",
			  "guest_l5_kernel.runs.zst");
}

/* ---- Written and read ----------------------------------------------------------------------------- */

static struct vmmap_snapshot draw(struct rng *rng)
{
	struct vmmap_snapshot s = { 0 };
	uint64_t vpn = 0;

	for (int i = 0; i < 300; i++) {
		bool huge = rng_u64(rng) % 8 == 0;
		struct vmmap_span span = { .shift = huge ? 21 : 12,
					   .flags = (uint8_t)(1 + rng_u64(rng) % 15) };

		vpn += rng_u64(rng) % 3 ? rng_u64(rng) % 1000 : 0;
		vpn = huge ? (vpn + 511) & ~UINT64_C(511) : vpn;
		span.vpn = vpn;
		span.pages = huge ? 512 * (1 + rng_u64(rng) % 3) : 1 + rng_u64(rng) % 9;
		span.pfn = huge ? rng_u64(rng) % 4096 * 512 : rng_u64(rng) % (1 << 20);
		vpn += span.pages;
		cr_assert_eq(vmmap_snapshot_append(&s, &span), 0);
	}
	return s;
}

static void assert_same_spans(const struct vmmap_snapshot *a, const struct vmmap_snapshot *b)
{
	cr_assert_eq(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_span(&b->spans[i], a->spans[i].vpn, a->spans[i].pfn, a->spans[i].pages,
			    a->spans[i].shift, a->spans[i].flags);
}

static struct vmmap_snapshot read_back(FILE *file)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;

	rewind(file);
	cr_assert_eq(vmmap_snapshot_read_file(file, "back", VMMAP_SNAPSHOT_ANY, &snap, &why), 0,
		     "%s", why.text);
	return snap;
}

Test(snapshot, runs_are_read_as_written)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 1);
	for (int round = 0; round < 20; round++) {
		struct vmmap_snapshot s = draw(&rng), back;
		FILE *file = tmpfile();

		cr_assert_eq(vmmap_snapshot_write_runs(&s, file, 0), 0);
		back = read_back(file);
		assert_same_spans(&s, &back);
		vmmap_snapshot_destroy(&s);
		vmmap_snapshot_destroy(&back);
	}
}

/* Bare runs and v2p know no rights and no sizes, but every frame. */
Test(snapshot, bare_runs_and_v2p_keep_every_frame)
{
	struct rng rng;

	rng_init(&rng, harness_seed(), 2);
	for (int v2p = 0; v2p < 2; v2p++) {
		struct vmmap_snapshot s = draw(&rng), back;
		FILE *file = tmpfile();

		cr_assert_eq(v2p ? vmmap_snapshot_write_v2p(&s, file) :
				   vmmap_snapshot_write_runs(&s, file, 1),
			     0);
		back = read_back(file);
		cr_assert_eq(assert_inside(&s, &back), vmmap_snapshot_pages(&back));
		vmmap_snapshot_destroy(&s);
		vmmap_snapshot_destroy(&back);
	}
}

/* ---- Live ---------------------------------------------------------------------------------------- */

Test(snapshot, this_process_has_the_page_it_just_wrote)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	const struct vmmap_span *span;
	int err;

	page[0] = 1;
	err = vmmap_snapshot_capture("self", &snap, NULL, &why);
	if (err == -EPERM) {
		assert_refusal(&why, WORDS("proc:self", "root"));
		return;
	}
	cr_assert_eq(err, 0, "%s", why.text);
	span = vmmap_snapshot_find(&snap, (uint64_t)(uintptr_t)page >> 12);
	cr_assert(span && (span->flags & RWXU) == (VMMAP_SPAN_R | VMMAP_SPAN_W | VMMAP_SPAN_U));
	vmmap_snapshot_destroy(&snap);
}

Test(snapshot, no_process)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_snapshot_read("proc:2147483647", VMMAP_SNAPSHOT_ANY, &snap, &why),
		     -ESRCH);
	assert_refusal(&why, WORDS("expected a process, found none"));
	cr_assert_eq(vmmap_snapshot_read("proc:x", VMMAP_SNAPSHOT_ANY, &snap, &why), -EINVAL);
	assert_refusal(&why, WORDS("expected the number of a process"));
}
