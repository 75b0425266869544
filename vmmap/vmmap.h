/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap - a software MMU: virtual addresses to physical frames, with x86-64's faults.
 *
 * What it is:     address spaces for emulators, hypervisors, IOMMU models and simulators. A space maps pages of 4 KiB,
 *                 2 MiB and 1 GiB to frames, with permissions, accessed and dirty bits, and copy-on-write after a fork.
 *                 What holds the mapping is a *backend*: a learned page table made of lindex (the default), the radix
 *                 tables of x86-64, a B+tree, an elastic cuckoo page table. All give the same answers.
 * What it is not: memory. Frames are numbers; the caller owns what they stand for, and its TLB, if it has one.
 *
 * Usage, on one page (examples/ has the same as complete programs):
 *
 *     struct vmmap_host *host;                           // memory, cap, frame reference counts: shared
 *     struct vmmap_space *space;
 *     struct vmmap_answer a;
 *
 *     vmmap_host_create(NULL, &host);                    // NULL: defaults
 *     vmmap_space_create(host, NULL, &space);
 *     vmmap_map(space, 0x400000, 16, 0x1000, VMMAP_PROT_READ | VMMAP_PROT_USER, VMMAP_4K);
 *     if (vmmap_translate(space, 0x400123, VMMAP_USER, &a) == 0)
 *             pa = a.pa;                                 // 0x1000123
 *     if (vmmap_translate(space, 0x400123, VMMAP_USER | VMMAP_WRITE, &a) == -EFAULT)
 *             raise_page_fault(a.fault.code);            // present | write | user = 7
 *     vmmap_space_free(space);
 *     vmmap_host_free(host);
 *
 * Words.   A *page* without a size is one of 4 KiB; counts of pages are always in 4 KiB. The *shift* of a page is 12, 21 or
 *          30. A *frame* is physical memory of 4 KiB, named by its number (address >> 12). An *extent* is a range of pages with
 *          consecutive frames, one shift and one set of permissions. Virtual addresses are full 64-bit ones, canonical:
 *          bits above va_bits repeat the highest bit.
 *
 * Threads. Any number of threads translate beside one *mutator per host*: calls marked "Context: mutator" are serialised by
 *          the caller, over all spaces of one host. Readers are registered liburcu threads (memb flavour) and hold
 *          rcu_read_lock() around a call, exactly as in lindex.h; a mutator must not. A program with one thread needs
 *          neither. Built without LINDEX_RCU, readers and the mutator exclude each other.
 *          A change is published page by page, each at once: a reader beside it sees the page's old state or its new one.
 *          A translation that began before a change was published may still return the old state while it ends, as a page
 *          walk under way in hardware does: rcu's synchronize_rcu() is this library's shootdown.
 *
 * Errors.  Every int is 0 or a negative errno, counts are >= 0 or a negative errno. On an error nothing has changed and outputs
 *          are untouched, unless the call says otherwise.
 */
#ifndef VMMAP_H
#define VMMAP_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lindex.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VMMAP_API __attribute__((visibility("default")))
#else
#define VMMAP_API
#endif

#define VMMAP_VERSION_MAJOR 0
#define VMMAP_VERSION_MINOR 1
#define VMMAP_VERSION_PATCH 0

struct vmmap_host;
struct vmmap_space;

/* ---- Types --------------------------------------------------------------------------------- */

typedef uint64_t vmmap_va_t;  /* virtual address */
typedef uint64_t vmmap_pa_t;  /* physical address */
typedef uint64_t vmmap_pfn_t; /* physical frame number: address >> 12 */

#define VMMAP_PAGE_SHIFT 12
#define VMMAP_PAGE_BYTES UINT64_C(4096)

/* Page sizes, as shifts. */
enum { VMMAP_4K = 12, VMMAP_2M = 21, VMMAP_1G = 30 };

/** vmmap_shift_pages() - Pages of 4 KiB in one page of @shift. */
static inline uint64_t vmmap_shift_pages(unsigned int shift)
{
	return UINT64_C(1) << (shift - VMMAP_PAGE_SHIFT);
}

/*
 * Permissions of a page. READ must be set: x86-64 has no present page that cannot be read.
 * SHARED: not copied on write after a fork: both sides keep writing to the same frame.
 * RESERVED: a walk that arrives here faults with the reserved bit set (code 8), whatever the access, as hypervisors mark
 *           device memory that they emulate.
 * COW is the library's: output only, set in extents of pages that a write has to copy first (see vmmap_cow()).
 */
#define VMMAP_PROT_READ     0x01u
#define VMMAP_PROT_WRITE    0x02u
#define VMMAP_PROT_EXEC     0x04u
#define VMMAP_PROT_USER     0x08u
#define VMMAP_PROT_SHARED   0x10u
#define VMMAP_PROT_RESERVED 0x20u
#define VMMAP_PROT_COW      0x40u
#define VMMAP_PROT_SETTABLE 0x3fu

/*
 * An access, and the code of a fault: the bits of x86-64's page fault error code. PRESENT and RSVD are in codes only; PEEK in
 * accesses only: translate without marking the page accessed or dirty.
 */
#define VMMAP_READ    0x00u
#define VMMAP_PRESENT 0x01u
#define VMMAP_WRITE   0x02u
#define VMMAP_USER    0x04u
#define VMMAP_RSVD    0x08u
#define VMMAP_FETCH   0x10u
#define VMMAP_PEEK    0x100u

enum vmmap_fault_kind {
	VMMAP_FAULT_NONE = 0,
	VMMAP_FAULT_NOT_PRESENT,  /* no page here: code without PRESENT */
	VMMAP_FAULT_PERMISSION,   /* a page that does not allow it: PRESENT */
	VMMAP_FAULT_COW,          /* PERMISSION, and vmmap_cow() would make it writable */
	VMMAP_FAULT_NONCANONICAL, /* no such address; x86-64 raises #GP, code 0 */
	VMMAP_FAULT_RESERVED,     /* PRESENT | RSVD */
};

/**
 * struct vmmap_fault - Why there is no translation.
 * @kind: What happened.
 * @code: x86-64's error code: VMMAP_PRESENT, WRITE, USER, RSVD, FETCH. 0 of a non-canonical address.
 */
struct vmmap_fault {
	enum vmmap_fault_kind kind;
	uint32_t code;
};

/**
 * struct vmmap_answer - One translation.
 * @pa:    Physical address, offset in the page included; 0 after a fault.
 * @shift: Size of the page, as a shift.
 * @prot:  VMMAP_PROT_*.
 * @fault: kind is VMMAP_FAULT_NONE after success.
 */
struct vmmap_answer {
	vmmap_pa_t pa;
	uint8_t shift, prot;
	struct vmmap_fault fault;
};

/**
 * struct vmmap_extent - Pages with consecutive frames, one size and one set of permissions; or a hole.
 * @va:    First address.
 * @pages: Length in pages of 4 KiB.
 * @pfn:   Frame of the first page.
 * @prot:  VMMAP_PROT_*; 0 means a hole, whose pfn and shift are 0.
 * @shift: Size of each page.
 */
struct vmmap_extent {
	vmmap_va_t va;
	uint64_t pages;
	vmmap_pfn_t pfn;
	uint8_t prot, shift;
};

/**
 * struct vmmap_host_config - Zeroed by the caller; 0 means default.
 * @cap_bytes: Most bytes that host and spaces ever hold, everything counted. Default: no cap. A host with a lindex space
 *             needs LINDEX_POOL_MIN_BYTES beside what is mapped.
 * @allocator: Must be thread-safe: a translation allocates when it marks the first page of a chunk. Default: the C
 *             library's. Copied.
 * @flags:     VMMAP_HOST_*.
 */
struct vmmap_host_config {
	uint64_t cap_bytes;
	const struct lindex_allocator *allocator;
	uint32_t flags;
};

#define VMMAP_HOST_HUGE    0x1u /* ask for huge pages for tables */
#define VMMAP_HOST_NO_REFS 0x2u /* keep no frame reference counts: vmmap_fork() is -EOPNOTSUPP */

/**
 * struct vmmap_space_config - Zeroed by the caller; 0 means default.
 * @backend:    Name: "lindex" (default), "radix4", "radix5", "btree", "ecpt".
 * @va_bits:    Bits of a virtual address, 48 or 57. Default 48; radix4 takes 48 only, radix5 57 only.
 * @phys_bits:  Bits of a physical address, 32..50. Default 46. A frame beyond is refused (-ERANGE).
 * @invalidate: Called by a mutator after a change that takes something from pages [va, va + pages * 4096): a mapping or a
 *              permission, or an accessed or dirty bit. The change is published before; the call that made it returns
 *              after. Called once or more for one change, ranges may be wider. May translate, must not change. May be NULL.
 * @ctx:        Passed to it.
 */
struct vmmap_space_config {
	const char *backend;
	uint8_t va_bits, phys_bits;
	void (*invalidate)(void *ctx, struct vmmap_space *space, vmmap_va_t va, uint64_t pages);
	void *ctx;
};

/* ---- Life cycle ---------------------------------------------------------------------------- */

/** vmmap_version() - "major.minor.patch" of the library linked. */
VMMAP_API const char *vmmap_version(void);

/** vmmap_backend_name() - Name of backend @i, 0.., or NULL behind the last. "lindex" is the first. */
VMMAP_API const char *vmmap_backend_name(unsigned int i);

/**
 * vmmap_host_create() - Make a host: memory, cap, frame counts of spaces that share frames.
 *
 * Return: 0, -ENOMEM, -EINVAL (unknown flag).
 */
VMMAP_API int vmmap_host_create(const struct vmmap_host_config *cfg, struct vmmap_host **host);

/** vmmap_host_free() - Return: 0, or -EBUSY if a space still exists. NULL is fine. Context: mutator, no readers. */
VMMAP_API int vmmap_host_free(struct vmmap_host *host);

/** vmmap_host_bytes() - Held from the allocator now: the figure that the cap bounds. Context: any. */
VMMAP_API uint64_t vmmap_host_bytes(const struct vmmap_host *host);

/** vmmap_host_reclaim() - Wait for readers and free what was retired. Context: mutator. Return: 0. */
VMMAP_API int vmmap_host_reclaim(struct vmmap_host *host);

/**
 * vmmap_space_create() - Make an empty space.
 *
 * Return: 0, -ENOMEM, -EINVAL (a field out of range), -ENOENT (no such backend). Context: mutator.
 */
VMMAP_API int vmmap_space_create(struct vmmap_host *host, const struct vmmap_space_config *cfg,
				 struct vmmap_space **space);

/** vmmap_space_free() - Drop all mappings and the space. NULL is fine. No callbacks. Context: mutator, no readers of it. */
VMMAP_API void vmmap_space_free(struct vmmap_space *space);

/**
 * vmmap_fork() - Make @child: the same mappings, copy-on-write.
 *
 * Every page that is not SHARED becomes COW on both sides (read-only ones too: they may be made writable later), and the
 * invalidate callback of @space is called for the whole of it. The child has the same configuration and clear accessed and
 * dirty bits; @space keeps its own.
 *
 * Cost:   One frame count per page. Tables are shared by the lindex backend, and copied by the others.
 * Return: 0, -ENOMEM, -EOPNOTSUPP (VMMAP_HOST_NO_REFS). Context: mutator.
 */
VMMAP_API int vmmap_fork(struct vmmap_space *space, struct vmmap_space **child);

/** vmmap_space_backend() - Name of the backend. */
VMMAP_API const char *vmmap_space_backend(const struct vmmap_space *space);

/* ---- Changes ------------------------------------------------------------------------------- */

/**
 * vmmap_map() - Map consecutive frames.
 * @va:    Aligned to the page size. @pages: in 4 KiB, > 0, a multiple of the page size.
 * @pfn:   First frame, aligned to the page size.
 * @prot:  VMMAP_PROT_*. @shift: VMMAP_4K, VMMAP_2M or VMMAP_1G.
 *
 * New pages are not accessed and not dirty.
 *
 * Cost:   DESIGN.md states the most nodes written per 1,000 pages, for each backend.
 * Return: 0; -EINVAL: not aligned, not canonical or wrapping, or bits that @prot cannot have; -EEXIST: a page in the range is
 *         mapped; -ERANGE: a frame beyond phys_bits; -ENOMEM. Context: mutator.
 */
VMMAP_API int vmmap_map(struct vmmap_space *space, vmmap_va_t va, uint64_t pages, vmmap_pfn_t pfn,
			uint32_t prot, unsigned int shift);

/**
 * vmmap_map_frames() - Map a vector of frames, one for each page of 4 KiB.
 *
 * Return: as vmmap_map(). Context: mutator.
 */
VMMAP_API int vmmap_map_frames(struct vmmap_space *space, vmmap_va_t va, uint64_t pages,
			       const vmmap_pfn_t *frames, uint32_t prot);

/**
 * vmmap_load() - Map many extents into an empty space: the bulk path.
 * @extents: Ascending by address, not overlapping. A prot of COW bit is refused.
 * @bad:     Output on -EINVAL, -ERANGE: index of the first offender. May be NULL.
 *
 * "Ascending" is in the order of the page numbers: the lower half before the upper half.
 *
 * Return: as vmmap_map(); -EBUSY: the space is not empty. Context: mutator.
 */
VMMAP_API int vmmap_load(struct vmmap_space *space, const struct vmmap_extent *extents, size_t n,
			 size_t *bad);

/**
 * vmmap_unmap() - Clear a range. Holes in it are fine.
 *
 * Return: 0; -EINVAL: not aligned to 4 KiB, not canonical or wrapping, or it cuts a huge page; -ENOMEM.
 *         Context: mutator.
 */
VMMAP_API int vmmap_unmap(struct vmmap_space *space, vmmap_va_t va, uint64_t pages);

/**
 * vmmap_protect() - Give all pages of a range new permissions. Holes in it stay holes.
 *
 * A page that is COW stays so.
 *
 * Return: as vmmap_unmap(), and -EINVAL for bits that @prot cannot have. Context: mutator.
 */
VMMAP_API int vmmap_protect(struct vmmap_space *space, vmmap_va_t va, uint64_t pages,
			    uint32_t prot);

/**
 * vmmap_cow() - Make a copy-on-write page writable: what the handler of VMMAP_FAULT_COW calls.
 * @va:     In the page.
 * @fresh:  First frame of a page of the same size; the caller has copied the contents.
 * @copied: Output: true if the page is now @fresh; false if nobody else had its frames, so that it kept them (and @fresh
 *          is free again). May be NULL.
 *
 * Changes the mapping of this one page. Its accessed and dirty bits stay.
 *
 * Return: 0; -ENOENT: no page; -EINVAL: not COW, or @fresh not aligned; -ERANGE; -ENOMEM. Context: mutator.
 */
VMMAP_API int vmmap_cow(struct vmmap_space *space, vmmap_va_t va, vmmap_pfn_t fresh, bool *copied);

/* ---- Queries ------------------------------------------------------------------------------- */

/**
 * vmmap_translate() - One address: the hot path.
 * @access: VMMAP_READ, WRITE, USER, FETCH, PEEK, or-ed. Without USER it is the supervisor's: user pages are
 *          allowed (no SMAP, no SMEP), read-only ones are not written (CR0.WP).
 * @answer: Output, on -EFAULT too (with the fault).
 *
 * Marks the page accessed, and dirty if it is a write, unless PEEK is set. Where marking is out of memory, pages around it
 * are taken for marked, too: a mark is never lost.
 *
 * Cost:    No locks. One access to a table line that is not hot, with the lindex backend; DESIGN.md states the bounds.
 * Context: Reader.
 * Return:  0 or -EFAULT.
 */
VMMAP_API int vmmap_translate(struct vmmap_space *space, vmmap_va_t va, uint32_t access,
			      struct vmmap_answer *answer);

/**
 * vmmap_translate_range() - The longest range around @va that is valid with @access.
 * @extent: Output: all pages around @va with consecutive frames, the same size and permissions, whether or not they were
 *          mapped in one call. On -EFAULT untouched.
 * @fault:  Output on -EFAULT. May be NULL.
 *
 * Marks the page of @va alone. Cost: in proportion to the pieces that the backend holds it in.
 *
 * Context: Reader. Beside a mutator, pieces may be of different states.
 * Return:  0 or -EFAULT.
 */
VMMAP_API int vmmap_translate_range(struct vmmap_space *space, vmmap_va_t va, uint32_t access,
				    struct vmmap_extent *extent, struct vmmap_fault *fault);

/**
 * vmmap_translate_batch() - vmmap_translate() for @n addresses, memory accesses overlapped.
 *
 * Context: Reader. Return: number of addresses that translated.
 */
VMMAP_API int64_t vmmap_translate_batch(struct vmmap_space *space, const vmmap_va_t *vas, size_t n,
					uint32_t access, struct vmmap_answer *answers);

/**
 * vmmap_walk_range() - Visit every maximal extent of a range, ascending; clipped to the range.
 * @visit: Returns 0 to go on; anything else ends the walk and is returned.
 *
 * Extents are maximal (as of vmmap_translate_range()), so that all backends visit the same.
 *
 * Context: Reader. @visit may translate, not change.
 * Return:  0, @visit's value, -EINVAL (range not canonical).
 */
VMMAP_API int vmmap_walk_range(struct vmmap_space *space, vmmap_va_t va, uint64_t pages,
			       int (*visit)(void *ctx, const struct vmmap_extent *extent),
			       void *ctx);

/** vmmap_walk_all() - vmmap_walk_range() over both halves. */
VMMAP_API int vmmap_walk_all(struct vmmap_space *space,
			     int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx);

/**
 * vmmap_reverse() - Virtual pages of @space that map one of frames [pfn, pfn + frames).
 *
 * @visit is called with extents clipped to those frames, ascending by address.
 *
 * Cost:    A walk over the space.
 * Context: Reader. Return: 0 or @visit's value.
 */
VMMAP_API int vmmap_reverse(struct vmmap_space *space, vmmap_pfn_t pfn, uint64_t frames,
			    int (*visit)(void *ctx, const struct vmmap_extent *extent), void *ctx);

/** vmmap_frame_refs() - How many pages, over all spaces of the host, map frame @pfn. Context: mutator. */
VMMAP_API uint32_t vmmap_frame_refs(const struct vmmap_host *host, vmmap_pfn_t pfn);

/* ---- Accessed and dirty bits --------------------------------------------------------------- */

#define VMMAP_ACCESSED 0x1u
#define VMMAP_DIRTY    0x2u

/**
 * vmmap_harvest() - Read, and clear, accessed and dirty bits of a range.
 * @clear:    VMMAP_ACCESSED, VMMAP_DIRTY, or-ed: what to clear. 0: read only.
 * @accessed: Output: one bit for each page of 4 KiB from @va on; (@pages + 63) / 64 words, or NULL. A huge page has one bit
 *            of each kind; it is read (and cleared) whole, and shown at each of its pages that is in the range.
 * @dirty:    The same.
 *
 * A mark that happens at the same time is in this harvest or in the next one, never lost. Bits of holes are 0.
 *
 * Context: Mutator. Return: number of pages in the range with a bit that was set, or -EINVAL.
 */
VMMAP_API int64_t vmmap_harvest(struct vmmap_space *space, vmmap_va_t va, uint64_t pages,
				uint32_t clear, uint64_t *accessed, uint64_t *dirty);

/* ---- Save and restore ---------------------------------------------------------------------- */

/**
 * vmmap_save() - Write a space: extents, accessed and dirty bits, configuration; checksummed, little-endian.
 *
 * The bytes are a function of the mappings, not of history or backend; COW is written as COW. DESIGN.md has the format.
 *
 * Return: 0, -ENOMEM, the sink's error. Context: mutator.
 */
VMMAP_API int vmmap_save(struct vmmap_space *space, const struct lindex_sink *sink);

/**
 * vmmap_restore() - Make a space from saved bytes.
 * @cfg: Backend, callback; va_bits and phys_bits 0: as saved. Or NULL.
 * @why: Output on -EBADMSG and -EUCLEAN: what is wrong, where. May be NULL.
 *
 * Any bytes whatsoever are fine: they are checked whole before anything is made of them. Frames get references as from
 * vmmap_map().
 *
 * Return: 0; -EBADMSG: a checksum does not match; -EUCLEAN: senseless; -EPROTONOSUPPORT: another version; -EINVAL, -ENOENT:
 *         @cfg; -ERANGE: an address or frame beyond @cfg's bits; -ENOMEM. Context: mutator.
 */
VMMAP_API int vmmap_restore(struct vmmap_host *host, const struct vmmap_space_config *cfg,
			    const void *bytes, size_t len, struct lindex_reason *why,
			    struct vmmap_space **space);

/* ---- Diagnostics --------------------------------------------------------------------------- */

/**
 * struct vmmap_stats - Figures of one space.
 * @pages:        Mapped, in 4 KiB. @pages_2m, @pages_1g: of these, in huge pages.
 * @extents:      Maximal extents.
 * @table_bytes:  All that the space's tables take: index_bytes + frame_bytes + ad_bytes.
 * @index_bytes:  Upper levels, directory, headers. @frame_bytes: what holds frames page by page.
 * @ad_bytes:     Accessed and dirty bits, where they are apart (0: they are in the entries).
 * @ad_bytes_max: The same if every chunk of mapped pages were marked page by page.
 * @shared_bytes: Part of table_bytes that another space holds, too (after a fork).
 * @largest_bytes: Largest contiguous allocation of the tables.
 * @refs_bytes:   Frame reference counts of the whole host.
 * @host_bytes:   vmmap_host_bytes(): pools' slack and retired memory included.
 */
struct vmmap_stats {
	uint64_t pages, pages_2m, pages_1g, extents;
	uint64_t table_bytes, index_bytes, frame_bytes, ad_bytes, ad_bytes_max, shared_bytes;
	uint64_t largest_bytes, refs_bytes, host_bytes;
};

/** vmmap_get_stats() - By a walk. Context: mutator. */
VMMAP_API void vmmap_get_stats(struct vmmap_space *space, struct vmmap_stats *stats);

/**
 * struct vmmap_cost - What the last change wrote, as counts.
 * @nodes: Table lines of 64 bytes (or nodes of the backend's tree) written, of pages touched and of bounded work besides.
 * @moved: Of these, lines of pages that the call was not about (moved to larger or private storage).
 */
struct vmmap_cost {
	uint64_t nodes, moved;
};

/** vmmap_last_cost() - Counts of the last map, unmap, protect or cow. Context: mutator. */
VMMAP_API void vmmap_last_cost(const struct vmmap_space *space, struct vmmap_cost *cost);

/** vmmap_check() - Validate the whole space. Context: mutator. Return: 0, or -EUCLEAN with @why (may be NULL). */
VMMAP_API int vmmap_check(struct vmmap_space *space, struct lindex_reason *why);

/** vmmap_dump() - Text: every piece of the backend's structure, one line each. Context: mutator. Return: 0 or the sink's error. */
VMMAP_API int vmmap_dump(struct vmmap_space *space, const struct lindex_sink *sink);

/* ---- The hardware's view ------------------------------------------------------------------- */

/**
 * struct vmmap_step - One access of a hardware page walk, in order.
 * @addr:   Address of the entry or line read: table-relative, stable while the mapping does not change. (Radix: of the
 *          dump that vmmap_memory() gives, so real physical addresses of a machine whose tables these are.)
 * @bytes:  Read at once, at most 64.
 * @level:  Radix: 5..1. Others: counts down to 1, the access that gives the frame.
 * @group:  Accesses of the same group do not depend on each other: they go in parallel (cuckoo ways).
 * @cache:  What a walk cache may hold once this access is done: 0 nothing; else an id of the cache: radix: the level;
 *          lindex: 1 (models); ecpt: 2 (walk table of 2M), 3 (1G).
 * @cached_bytes: Size of that entry.
 * @key:    Its tag. A walk that finds (@cache, @key) of step i cached needs no step <= i. Of several, the last step counts.
 *
 * A step with cache 0 is always done unless a later one is found cached. The translation itself is the TLB's to hold.
 */
struct vmmap_step {
	uint64_t addr, key;
	uint16_t bytes;
	uint8_t level, group, cache, cached_bytes;
};

#define VMMAP_STEPS_MAX 32

/**
 * vmmap_hardware_walk() - The accesses that a hardware walk makes for @va, walk caches empty.
 * @steps: At least VMMAP_STEPS_MAX.
 *
 * Context: Mutator (nothing may change meanwhile). Return: number of steps (for an unmapped address too).
 */
VMMAP_API int vmmap_hardware_walk(struct vmmap_space *space, vmmap_va_t va,
				  struct vmmap_step *steps);

/**
 * vmmap_memory() - A dump of radix tables: pages of 4 KiB in x86-64's layout, as a processor reads them.
 * @page: Called for each table page: its frame number and its 512 entries.
 * @cr3:  Output: physical address of the root.
 *
 * Table pages lie in frames above all that phys_bits admits for mappings: 2^(phys_bits - 12) and up.
 *
 * Context: Mutator. Return: 0, @page's value, -EOPNOTSUPP (not a radix backend).
 */
VMMAP_API int vmmap_memory(struct vmmap_space *space,
			   int (*page)(void *ctx, vmmap_pfn_t pfn, const uint64_t *entries),
			   void *ctx, vmmap_pa_t *cr3);

#ifdef __cplusplus
}
#endif

#endif /* VMMAP_H */
