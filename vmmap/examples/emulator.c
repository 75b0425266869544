/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A toy emulator with a TLB of its own. Its guest walks over an array and writes to every third element; pages are mapped when they
 * fault; the callback tells the TLB what to forget. Then the guest forks: a write to a page that both share faults, the page is
 * copied, and the write is tried again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmmap.h>

#define MEMORY_FRAMES 4096u
#define ARRAY_VA      UINT64_C(0x10000000)
#define ARRAY_PAGES   512u
#define RW            (VMMAP_PROT_READ | VMMAP_PROT_WRITE | VMMAP_PROT_USER)

/* ---- The machine: memory, and a TLB of 16 pages ------------------------------------------------------ */

struct tlb_entry {
	vmmap_va_t va;
	uint64_t bytes; /* 0: empty */
	vmmap_pa_t pa;
	bool writable; /* and dirty already: a write through it needs no other look */
};

struct machine {
	uint8_t *memory;
	vmmap_pfn_t next_frame;
	struct tlb_entry tlb[16];
	uint64_t hits, misses, faults, copies;
};

static void tlb_drop(struct machine *m, vmmap_va_t va, uint64_t bytes)
{
	for (unsigned int i = 0; i < 16; i++)
		if (m->tlb[i].va <= va + (bytes - 1) && va <= m->tlb[i].va + m->tlb[i].bytes)
			m->tlb[i].bytes = 0;
}

/* The library has published a change; what the TLB knows of these pages is old. */
static void on_invalidate(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages)
{
	(void)space;
	tlb_drop(ctx, va, pages * VMMAP_PAGE_BYTES);
}

/* Frames as a real allocator gives them after a while: not in order. */
static vmmap_pfn_t take_frame(struct machine *m)
{
	return 1 + m->next_frame++ * 769 % (MEMORY_FRAMES - 1);
}

/* ---- Faults ------------------------------------------------------------------------------------------- */

static int handle_fault(struct machine *m, struct vmmap_space *space, vmmap_va_t va,
			const struct vmmap_answer *a)
{
	vmmap_va_t page = va & ~(VMMAP_PAGE_BYTES - 1);
	vmmap_pfn_t frame = take_frame(m);
	struct vmmap_answer old;
	bool copied;
	int err;

	m->faults++;
	if (a->fault.kind == VMMAP_FAULT_NOT_PRESENT)
		return vmmap_map(space, page, 1, frame, RW, VMMAP_4K);
	if (a->fault.kind != VMMAP_FAULT_COW)
		return -EFAULT;
	err = vmmap_translate(space, page, VMMAP_USER | VMMAP_PEEK, &old);
	if (err)
		return err;
	memcpy(m->memory + frame * VMMAP_PAGE_BYTES, m->memory + old.pa, VMMAP_PAGE_BYTES);
	err = vmmap_cow(space, page, frame, &copied);
	m->copies += copied;
	return err;
}

static uint8_t *access_slowly(struct machine *m, struct vmmap_space *space, vmmap_va_t va,
			      bool write)
{
	uint32_t access = VMMAP_USER | (write ? VMMAP_WRITE : 0);
	struct tlb_entry *e = &m->tlb[va / VMMAP_PAGE_BYTES % 16];
	struct vmmap_answer a;

	m->misses++;
	while (vmmap_translate(space, va, access, &a)) {
		if (handle_fault(m, space, va, &a)) {
			fprintf(stderr, "%" PRIx64 ": fault, code %x\n", va, a.fault.code);
			exit(EXIT_FAILURE);
		}
	}
	*e = (struct tlb_entry){ .va = va & ~(VMMAP_PAGE_BYTES - 1),
				 .bytes = VMMAP_PAGE_BYTES,
				 .pa = a.pa & ~(VMMAP_PAGE_BYTES - 1),
				 .writable = write };
	return m->memory + a.pa;
}

static uint8_t *access_guest(struct machine *m, struct vmmap_space *space, vmmap_va_t va,
			     bool write)
{
	const struct tlb_entry *e = &m->tlb[va / VMMAP_PAGE_BYTES % 16];

	if (va - e->va < e->bytes && (e->writable || !write)) {
		m->hits++;
		return m->memory + e->pa + (va - e->va);
	}
	return access_slowly(m, space, va, write);
}

/* ---- The guest ---------------------------------------------------------------------------------------- */

static uint64_t run_guest(struct machine *m, struct vmmap_space *space, uint8_t add)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < ARRAY_PAGES * VMMAP_PAGE_BYTES; i += 64) {
		if (i % 192 == 0)
			*access_guest(m, space, ARRAY_VA + i, true) += add;
		sum += *access_guest(m, space, ARRAY_VA + i, false);
	}
	return sum;
}

static int expect(bool ok, const char *what)
{
	printf("  %-60s %s\n", what, ok ? "yes" : "NO");
	return !ok;
}

int main(void)
{
	struct machine m = { .memory = calloc(MEMORY_FRAMES, VMMAP_PAGE_BYTES) };
	struct vmmap_space_config cfg = { .invalidate = on_invalidate, .ctx = &m };
	uint64_t elements = ARRAY_PAGES * VMMAP_PAGE_BYTES / 64, written = (elements + 2) / 3;
	uint64_t dirty[ARRAY_PAGES / 64], parent_sum, child_sum;
	struct vmmap_space *space, *child;
	struct vmmap_host *host;
	int failures = 0;

	if (!m.memory || vmmap_host_create(NULL, &host) || vmmap_space_create(host, &cfg, &space))
		return EXIT_FAILURE;
	failures += expect(run_guest(&m, space, 1) == written, "the guest sums what it wrote");
	failures += expect(m.faults == ARRAY_PAGES, "each page faulted once");
	printf("  TLB: %" PRIu64 " hits, %" PRIu64 " misses\n", m.hits, m.misses);
	failures += expect(vmmap_harvest(space, ARRAY_VA, ARRAY_PAGES, VMMAP_DIRTY, NULL, dirty) ==
				   ARRAY_PAGES,
			   "every page is dirty: what a migration would send");

	if (vmmap_fork(space, &child))
		return EXIT_FAILURE;
	child_sum = run_guest(&m, child, 5);
	tlb_drop(&m, 0, UINT64_C(1) << 47); /* another space runs: a TLB without tags is emptied */
	parent_sum = run_guest(&m, space, 0);
	failures += expect(child_sum == written * 6, "the child sees its writes");
	failures += expect(parent_sum == written, "the parent does not");
	failures += expect(m.copies == ARRAY_PAGES, "each page was copied once");
	vmmap_space_free(child);
	vmmap_space_free(space);
	vmmap_host_free(host);
	free(m.memory);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
