/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace - what is read from outside and written for others: traces of memory accesses, and snapshots of
 * address spaces. Readers and writers only; nothing here maps, translates or counts.
 *
 *     struct vmmap_refusal why;
 *     struct vmmap_trace *t;
 *     struct vmmap_access a[1024];
 *     int64_t n;
 *
 *     if (vmmap_trace_open("app.trace.zst", VMMAP_TRACE_ANY, &t, &why))
 *             puts(why.text);                          // one line: file, position, expected, found
 *     while ((n = vmmap_trace_read(t, a, 1024, &why)) > 0)
 *             ...
 *     vmmap_trace_close(t);
 *
 * Files may be packed with zstd or gzip, whatever their format; "-" is standard input. Bytes from outside are
 * checked before use. Every refusal is one line that says where (line, or byte of the unpacked file), what
 * was expected, and what was found. Errors are negative errno values:
 *
 *     -EINVAL     malformed: not the format, or a line or record that makes no sense
 *     -ENODATA    ends in the middle of a record
 *     -EBADMSG    packed bytes are damaged
 *     -ENOENT, -EACCES, -EIO, ...   the file cannot be opened or read
 *     -ENOMEM
 */
#ifndef VMMAP_TRACE_H
#define VMMAP_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** struct vmmap_refusal - Why input was refused: one line without a newline. */
struct vmmap_refusal {
	char text[512];
};

/* ---- Traces ------------------------------------------------------------------------------------ */

enum vmmap_access_kind { VMMAP_KIND_READ, VMMAP_KIND_WRITE, VMMAP_KIND_FETCH };

#define VMMAP_PA_UNKNOWN      UINT64_MAX
#define VMMAP_ACCESS_MAX_SIZE 4096u

/**
 * struct vmmap_access - One access.
 * @va:   Virtual address of the first byte.
 * @pa:   Physical address as recorded, or VMMAP_PA_UNKNOWN.
 * @size: Bytes, 1..VMMAP_ACCESS_MAX_SIZE. va + size - 1 does not wrap.
 * @kind: enum vmmap_access_kind.
 */
struct vmmap_access {
	uint64_t va, pa;
	uint16_t size;
	uint8_t kind;
};

/**
 * enum vmmap_trace_format -
 * @VMMAP_TRACE_ANY:      Find out from the first bytes.
 * @VMMAP_TRACE_PLAIN:    Text: "R|W|X hexaddr [size]", # comments. Size is decimal; default 8.
 * @VMMAP_TRACE_LACKEY:   valgrind --tool=lackey --trace-mem=yes: "I  addr,size", " L", " S", " M" (a load and a
 *                        store). Lines of valgrind itself ("==PID==") are passed over.
 * @VMMAP_TRACE_CHAMPSIM: Records of 64 bytes: ip, branch, registers, 2 destinations, 4 sources. Memory operands
 *                        have no size there: 8.
 * @VMMAP_TRACE_VAPA:     Records of 24 bytes: u64 vaddr, u64 paddr (~0 unknown), u64 cpu | size << 8 |
 *                        store << 16 | io << 17.
 * @VMMAP_TRACE_COMPACT:  Our own (trace_compact.c has the layout): about 2 bytes per access before zstd.
 */
enum vmmap_trace_format {
	VMMAP_TRACE_ANY,
	VMMAP_TRACE_PLAIN,
	VMMAP_TRACE_LACKEY,
	VMMAP_TRACE_CHAMPSIM,
	VMMAP_TRACE_VAPA,
	VMMAP_TRACE_COMPACT,
	VMMAP_TRACE_FORMATS
};

/** vmmap_trace_format_name() - "plain", "lackey", "champsim", "vapa", "compact"; "any". */
const char *vmmap_trace_format_name(enum vmmap_trace_format format);

struct vmmap_trace;

/**
 * vmmap_trace_open() - Begin to read @path.
 * @t: Output; vmmap_trace_close() it.
 * @why: Output on an error.
 *
 * Return: 0, or an error of the list above.
 */
int vmmap_trace_open(const char *path, enum vmmap_trace_format format, struct vmmap_trace **t,
		     struct vmmap_refusal *why);

/** vmmap_trace_open_file() - The same from a stream, which is closed with the trace. @name is for refusals. */
int vmmap_trace_open_file(FILE *file, const char *name, enum vmmap_trace_format format,
			  struct vmmap_trace **t, struct vmmap_refusal *why);

/**
 * vmmap_trace_read() - The next accesses.
 *
 * Cost:   Does not allocate. 3-30 ns per access, by format.
 * Return: Number stored, 1..@room; 0 at the end; or an error. After an error nothing more can be read.
 */
int64_t vmmap_trace_read(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			 struct vmmap_refusal *why);

enum vmmap_trace_format vmmap_trace_get_format(const struct vmmap_trace *t);
void vmmap_trace_close(struct vmmap_trace *t);

struct vmmap_trace_writer;

/**
 * vmmap_trace_writer_create() - Begin a trace in the compact format on @out (not closed by us).
 * Return: 0, -ENOMEM.
 */
int vmmap_trace_writer_create(FILE *out, struct vmmap_trace_writer **w);

/** vmmap_trace_write() - Append @n accesses. Return: 0, -EIO, -EINVAL (size or kind out of range). */
int vmmap_trace_write(struct vmmap_trace_writer *w, const struct vmmap_access *a, size_t n);

/** vmmap_trace_writer_finish() - Write what is pending and the end mark. Return: 0, -EIO. */
int vmmap_trace_writer_finish(struct vmmap_trace_writer *w);
void vmmap_trace_writer_free(struct vmmap_trace_writer *w);

/** vmmap_trace_put_text() - One access as a line of the plain format. */
void vmmap_trace_put_text(FILE *out, const struct vmmap_access *a);

/* ---- Snapshots --------------------------------------------------------------------------------- */

#define VMMAP_SPAN_R    0x01u
#define VMMAP_SPAN_W    0x02u
#define VMMAP_SPAN_X    0x04u
#define VMMAP_SPAN_U    0x08u
#define VMMAP_SPAN_A    0x10u
#define VMMAP_SPAN_D    0x20u
#define VMMAP_SPAN_RWXU (VMMAP_SPAN_R | VMMAP_SPAN_W | VMMAP_SPAN_X | VMMAP_SPAN_U)

#define VMMAP_SHIFT_4K 12u
#define VMMAP_SHIFT_2M 21u
#define VMMAP_SHIFT_1G 30u

/**
 * struct vmmap_span - Pages that follow each other in virtual and in physical memory, with the same rights.
 * @vpn:   First virtual page, in units of 4 KiB; of a canonical address.
 * @pfn:   First frame, in units of 4 KiB.
 * @pages: Length in units of 4 KiB; a multiple of the page size.
 * @shift: Page size: VMMAP_SHIFT_4K, _2M or _1G. @vpn and @pfn are aligned to it.
 * @flags: VMMAP_SPAN_*.
 */
struct vmmap_span {
	uint64_t vpn, pfn, pages;
	uint8_t shift, flags;
};

/** struct vmmap_snapshot - Spans, ascending, not overlapping, each as long as can be. */
struct vmmap_snapshot {
	struct vmmap_span *spans;
	size_t n, room;
};

/**
 * enum vmmap_snapshot_format -
 * @VMMAP_SNAPSHOT_RUNS: Text: "vpn(hex) pfn(hex) len(dec)" [rights [page size]], # comments. Rights are as in
 *                       "rwxu", - for one that is missing (none given: rwxu); page size is 4K, 2M or 1G.
 * @VMMAP_SNAPSHOT_V2P:  DynamoRIO's v2p.textproto: page_size, and pairs of virtual and physical address.
 * @VMMAP_SNAPSHOT_QEMU: QEMU's "info tlb". Its P marks a huge page and not how huge: it is taken for 1 GiB
 *                       if a neighbour with P stands exactly that far off (both aligned), else for 2 MiB.
 */
enum vmmap_snapshot_format {
	VMMAP_SNAPSHOT_ANY,
	VMMAP_SNAPSHOT_RUNS,
	VMMAP_SNAPSHOT_V2P,
	VMMAP_SNAPSHOT_QEMU,
	VMMAP_SNAPSHOT_FORMATS
};

const char *vmmap_snapshot_format_name(enum vmmap_snapshot_format format);

/**
 * vmmap_snapshot_read() - Read a whole snapshot. "proc:PID" and /proc/PID mean a live process.
 * @snap: Output on 0; vmmap_snapshot_destroy() it.
 */
int vmmap_snapshot_read(const char *path, enum vmmap_snapshot_format format,
			struct vmmap_snapshot *snap, struct vmmap_refusal *why);
int vmmap_snapshot_read_file(FILE *file, const char *name, enum vmmap_snapshot_format format,
			     struct vmmap_snapshot *snap, struct vmmap_refusal *why);

/**
 * vmmap_snapshot_capture() - The pages of a live process that are in memory: rights from /proc/PID/maps, frames from
 * pagemap, huge pages where /proc/kpageflags says THP or HUGE and the alignment agrees (@huge: pages of 4 KiB that are
 * in huge ones).
 *
 * Context: Root sees frames; others get -EPERM. The process may run on meanwhile; each page is what it was
 * when it was read. Return: also -ESRCH, -EPERM, -ENODATA (no page in memory).
 */
int vmmap_snapshot_capture(const char *pid, struct vmmap_snapshot *snap, uint64_t *huge,
			   struct vmmap_refusal *why);

/**
 * vmmap_snapshot_append() - Add a span behind all others; joined to the last one if it continues it.
 * Return: 0, -ENOMEM, -EINVAL (empty, overlapping or descending, unaligned, past the end of the address space).
 */
int vmmap_snapshot_append(struct vmmap_snapshot *snap, const struct vmmap_span *span);

/** vmmap_snapshot_sort() - Sort and join spans in any order. Return: 0, -EEXIST (@snap->spans[*bad] overlaps). */
int vmmap_snapshot_sort(struct vmmap_snapshot *snap, size_t *bad);

/** vmmap_snapshot_find() - The span with page @vpn, or NULL. */
const struct vmmap_span *vmmap_snapshot_find(const struct vmmap_snapshot *snap, uint64_t vpn);

/** vmmap_snapshot_pages() - Pages of 4 KiB in all spans. */
uint64_t vmmap_snapshot_pages(const struct vmmap_snapshot *snap);

void vmmap_snapshot_destroy(struct vmmap_snapshot *snap);

/**
 * vmmap_snapshot_write_runs() - As text. @bare: three columns, runs joined whatever their rights.
 * vmmap_snapshot_write_v2p() - As v2p.textproto, one pair for each page of 4 KiB.
 * Return: 0, -EIO.
 */
int vmmap_snapshot_write_runs(const struct vmmap_snapshot *snap, FILE *out, int bare);
int vmmap_snapshot_write_v2p(const struct vmmap_snapshot *snap, FILE *out);

/* ---- QEMU's text, entry by entry --------------------------------------------------------------- */

/* Bits of vmmap_pte.flags: those of an x86-64 page-table entry that "info tlb" prints. */
#define VMMAP_PTE_W  (UINT64_C(1) << 1)
#define VMMAP_PTE_U  (UINT64_C(1) << 2)
#define VMMAP_PTE_T  (UINT64_C(1) << 3)
#define VMMAP_PTE_C  (UINT64_C(1) << 4)
#define VMMAP_PTE_A  (UINT64_C(1) << 5)
#define VMMAP_PTE_D  (UINT64_C(1) << 6)
#define VMMAP_PTE_P  (UINT64_C(1) << 7) /* page size: huge */
#define VMMAP_PTE_G  (UINT64_C(1) << 8)
#define VMMAP_PTE_NX (UINT64_C(1) << 63)
#define VMMAP_PTE_PRINTED                                                                          \
	(VMMAP_PTE_W | VMMAP_PTE_U | VMMAP_PTE_T | VMMAP_PTE_C | VMMAP_PTE_A | VMMAP_PTE_D |       \
	 VMMAP_PTE_P | VMMAP_PTE_G | VMMAP_PTE_NX)

/** struct vmmap_pte - A leaf of page tables: canonical address, physical address, flags of the entry itself. */
struct vmmap_pte {
	uint64_t va, pa, flags;
};

struct vmmap_pte_list {
	struct vmmap_pte *ptes;
	size_t n, room;
};

/** vmmap_qemu_read() - All lines of an "info tlb" text. Line i + 1 is entry i. Ascending addresses. */
int vmmap_qemu_read(const char *path, struct vmmap_pte_list *list, struct vmmap_refusal *why);
void vmmap_pte_list_destroy(struct vmmap_pte_list *list);

/** vmmap_qemu_line() - @pte as a line of "info tlb", without the newline. */
#define VMMAP_QEMU_LINE_BYTES 48u
void vmmap_qemu_line(const struct vmmap_pte *pte, char line[VMMAP_QEMU_LINE_BYTES]);

#ifdef __cplusplus
}
#endif

#endif /* VMMAP_TRACE_H */
