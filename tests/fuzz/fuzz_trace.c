/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Any bytes as a file for vmmap: a trace, an address space, QEMU's text, memory of a guest, a machine. The first byte
 * says which reader. Refused with one line, or read: and then sound, and the same after it was written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gen.h"
#include "guest.h"
#include "machine.h"
#include "trace.h"

#define MOST_ACCESSES 200000u
#define MOST_LEAVES   20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stream over @data; made of a file, since fmemopen() knows no empty ones. */
static FILE *stream_of(const void *data, size_t size)
{
	FILE *file = tmpfile();

	CHECK(file && fwrite(data, 1, size, file) == size, "a temporary file");
	rewind(file);
	return file;
}

static void check_refusal(int err, const struct vmmap_refusal *why)
{
	CHECK(err < 0, "no error: %d", err);
	CHECK(memchr(why->text, 0, sizeof(why->text)), "no end of the text");
	CHECK(why->text[0] && !strchr(why->text, '\n'), "\"%s\"", why->text);
}

/* ---- Traces ---------------------------------------------------------------------------------------- */

static void check_access(const struct vmmap_access *a)
{
	CHECK(a->kind <= VMMAP_KIND_FETCH, "kind %u", a->kind);
	CHECK(a->size >= 1 && a->size <= VMMAP_ACCESS_MAX_SIZE, "size %u", a->size);
	CHECK(a->va <= UINT64_MAX - (a->size - 1u), "address %llx", (unsigned long long)a->va);
}

/* Accesses until the end, an error, or enough of them. Return: how many; *@err. */
static size_t read_all(struct vmmap_trace *t, struct vmmap_access *a, size_t room, int *err)
{
	struct vmmap_refusal why;
	size_t n = 0;

	*err = 0;
	while (n < room) {
		size_t want = 1 + n * 7 % 300;
		int64_t got = vmmap_trace_read(t, a + n, want < room - n ? want : room - n, &why);

		if (got < 0)
			check_refusal((int)got, &why);
		if (got <= 0) {
			*err = (int)got;
			break;
		}
		for (int64_t i = 0; i < got; i++)
			check_access(&a[n + (size_t)i]);
		n += (size_t)got;
	}
	return n;
}

static void check_written_again(const struct vmmap_access *a, size_t n)
{
	static struct vmmap_access again[MOST_ACCESSES + 1];
	struct vmmap_trace_writer *w;
	struct vmmap_refusal why;
	struct vmmap_trace *t;
	FILE *file = tmpfile();
	int err;

	CHECK(file && vmmap_trace_writer_create(file, &w) == 0, "a writer");
	CHECK(vmmap_trace_write(w, a, n) == 0 && vmmap_trace_writer_finish(w) == 0, "writing");
	vmmap_trace_writer_free(w);
	rewind(file);
	CHECK(vmmap_trace_open_file(file, "again", VMMAP_TRACE_ANY, &t, &why) == 0, "%s", why.text);
	CHECK(read_all(t, again, MOST_ACCESSES + 1, &err) == n && !err, "%zu accesses, %d", n, err);
	for (size_t i = 0; i < n; i++)
		CHECK(a[i].va == again[i].va && a[i].size == again[i].size &&
			      a[i].kind == again[i].kind,
		      "access %zu", i);
	vmmap_trace_close(t);
}

static void try_trace(const uint8_t *data, size_t size, enum vmmap_trace_format format)
{
	static struct vmmap_access a[MOST_ACCESSES];
	struct vmmap_refusal why;
	struct vmmap_trace *t;
	int err = vmmap_trace_open_file(stream_of(data, size), "fuzz", format, &t, &why);
	size_t n;

	if (err) {
		check_refusal(err, &why);
		return;
	}
	n = read_all(t, a, MOST_ACCESSES, &err);
	vmmap_trace_close(t);
	check_written_again(a, n);
}

/* ---- Spaces ------------------------------------------------------------------------------------------ */

static void check_spans(const struct vmmap_snapshot *snap)
{
	for (size_t i = 0; i < snap->n; i++) {
		const struct vmmap_span *s = &snap->spans[i], *last = i ? s - 1 : NULL;
		uint64_t unit = UINT64_C(1) << (s->shift - 12);

		CHECK(s->pages && (s->vpn | s->pfn | s->pages) % unit == 0, "span %zu", i);
		CHECK(!last || last->vpn + last->pages <= s->vpn, "span %zu overlaps", i);
		CHECK(vmmap_snapshot_find(snap, s->vpn) == s, "span %zu is not found", i);
	}
}

static void check_runs_again(const struct vmmap_snapshot *snap)
{
	struct vmmap_snapshot again;
	struct vmmap_refusal why;
	FILE *file = tmpfile();

	CHECK(file && vmmap_snapshot_write_runs(snap, file, 0) == 0, "writing");
	rewind(file);
	CHECK(vmmap_snapshot_read_file(file, "again", VMMAP_SNAPSHOT_RUNS, &again, &why) == 0, "%s",
	      why.text);
	CHECK(vmmap_snapshot_pages(&again) == vmmap_snapshot_pages(snap), "pages");
	vmmap_snapshot_destroy(&again);
}

static void try_snapshot(const uint8_t *data, size_t size, enum vmmap_snapshot_format format)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;
	int err = vmmap_snapshot_read_file(stream_of(data, size), "fuzz", format, &snap, &why);

	if (err) {
		check_refusal(err, &why);
		return;
	}
	check_spans(&snap);
	check_runs_again(&snap);
	vmmap_snapshot_destroy(&snap);
}

/* ---- Guests ------------------------------------------------------------------------------------------ */

struct leaves {
	uint64_t n, last;
};

static int count_leaf(void *ctx, const struct vmmap_guest_leaf *leaf)
{
	struct leaves *leaves = ctx;

	CHECK(!leaves->n || leaf->pte.va > leaves->last, "leaves descend");
	CHECK(leaf->pte.va % (UINT64_C(1) << leaf->shift) == 0, "unaligned");
	leaves->last = leaf->pte.va;
	return ++leaves->n == MOST_LEAVES;
}

/* The walk bounds itself: tables that point at each other can stand for very many. */
static void try_guest(const uint8_t *data, size_t size, unsigned int levels)
{
	struct vmmap_guest *guest;
	struct vmmap_refusal why;
	struct leaves leaves = { 0 };
	unsigned int said;
	uint64_t cr3;
	int err = vmmap_guest_open_file(stream_of(data, size), "fuzz", &guest, &why);

	if (err) {
		check_refusal(err, &why);
		return;
	}
	vmmap_guest_root(guest, &cr3, &said);
	err = vmmap_guest_walk(guest, cr3, said ? said : levels, count_leaf, &leaves, &why);
	if (err < 0)
		check_refusal(err, &why);
	vmmap_guest_free(guest);
}

/* ---- What comes as a path or as an argument ----------------------------------------------------------- */

static void with_path(const uint8_t *data, size_t size, void (*use)(const char *path))
{
	char path[] = "/tmp/fuzz_trace_XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a temporary file");
	close(fd);
	use(path);
	unlink(path);
}

static void try_qemu(const char *path)
{
	struct vmmap_pte_list list;
	struct vmmap_refusal why;
	int err = vmmap_qemu_read(path, &list, &why);

	if (err) {
		check_refusal(err, &why);
		return;
	}
	for (size_t i = 1; i < list.n; i++)
		CHECK(list.ptes[i].va > list.ptes[i - 1].va, "line %zu", i);
	vmmap_pte_list_destroy(&list);
}

static void try_machine(const char *path)
{
	struct vmmap_machine m;
	struct vmmap_refusal why;
	int err = vmmap_machine_read(path, &m, &why);

	if (err)
		check_refusal(err, &why);
	else
		CHECK(m.n_caches && m.n_tlbs && m.dram_cycles, "an incomplete machine");
}

static void try_specifications(const uint8_t *data, size_t size)
{
	char text[256] = { 0 }, kind[VMMAP_GEN_NAME_BYTES];
	struct vmmap_gen_config cfg;
	struct vmmap_layout layout;
	struct vmmap_refusal why;
	int err;

	memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
	err = vmmap_gen_parse(text, &cfg, kind, &why);
	if (err)
		check_refusal(err, &why);
	err = vmmap_layout_parse(text, &layout, &why);
	if (err)
		check_refusal(err, &why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int which;

	if (!size)
		return 0;
	which = data[0] % 14;
	data++;
	size--;
	if (which < VMMAP_TRACE_FORMATS)
		try_trace(data, size, (enum vmmap_trace_format)which);
	else if (which < 10)
		try_snapshot(data, size, (enum vmmap_snapshot_format)(which - 6));
	else if (which == 10)
		try_guest(data, size, 4 + (size & 1));
	else if (which == 11)
		with_path(data, size, try_qemu);
	else if (which == 12)
		with_path(data, size, try_machine);
	else
		try_specifications(data, size);
	return 0;
}
