/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Real address spaces on every backend: every page translates to its frame, every unmapped neighbour faults, loaded whole and
 * mapped run by run. Bytes of the learned table against the radix table, for each space by itself.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "trace.h"
#include "vmmap.h"

#define PROT (VMMAP_PROT_READ | VMMAP_PROT_WRITE | VMMAP_PROT_USER)

/* How a space's bytes are judged: scattered frames, contiguous ones, or only that it is right. */
enum bar { BAR_SCATTERED, BAR_CONTIGUOUS };

static const struct {
	const char *name;
	uint8_t va_bits;
	enum bar bar;
} spaces[] = {
	{ "py_dict_4k", 48, BAR_SCATTERED },           { "redis_4k", 48, BAR_SCATTERED },
	{ "redis_fork_parent_4k", 48, BAR_SCATTERED }, { "redis_fork_child_4k", 48, BAR_SCATTERED },
	{ "memcached_4k", 48, BAR_SCATTERED },         { "node_map_4k", 48, BAR_SCATTERED },
	{ "gups512_seq_4k_frag", 48, BAR_SCATTERED },  { "gups512_seq_4k", 48, BAR_CONTIGUOUS },
	{ "gups512_seq_thp", 48, BAR_CONTIGUOUS },     { "guest_l4_user", 48, BAR_CONTIGUOUS },
	{ "guest_l4_kernel", 48, BAR_CONTIGUOUS },     { "guest_l4thp_user", 48, BAR_CONTIGUOUS },
	{ "guest_l4thp_kernel", 48, BAR_CONTIGUOUS },  { "guest_l5_user", 57, BAR_CONTIGUOUS },
	{ "guest_l5_kernel", 57, BAR_CONTIGUOUS },
};

#define SPACES (sizeof(spaces) / sizeof(spaces[0]))

struct real {
	struct vmmap_extent *extents;
	size_t n;
	uint64_t pages, lo, hi; /* frames */
};

static void real_read(struct real *r, const char *name)
{
	struct vmmap_snapshot snap;
	struct vmmap_refusal why;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.runs.zst", VMMAP_TEST_DATA, name);
	cr_assert_eq(vmmap_snapshot_read(path, 0, &snap, &why), 0, "%s", path);
	memset(r, 0, sizeof(*r));
	r->extents = calloc(snap.n, sizeof(*r->extents));
	r->n = snap.n;
	r->lo = UINT64_MAX;
	for (size_t i = 0; i < snap.n; i++) {
		const struct vmmap_span *s = &snap.spans[i];

		r->extents[i] = (struct vmmap_extent){ .va = s->vpn << VMMAP_PAGE_SHIFT,
						       .pages = s->pages,
						       .pfn = s->pfn,
						       .prot = PROT,
						       .shift = VMMAP_4K };
		r->pages += s->pages;
		r->lo = s->pfn < r->lo ? s->pfn : r->lo;
		r->hi = s->pfn + s->pages - 1 > r->hi ? s->pfn + s->pages - 1 : r->hi;
	}
	vmmap_snapshot_destroy(&snap);
}

static void assert_fault(struct vmmap_space *space, vmmap_va_t va)
{
	struct vmmap_answer a;
	int err = vmmap_translate(space, va, VMMAP_USER, &a);

	CHECK(err == -EFAULT, "%" PRIx64 " is not mapped, but %d", va, err);
	CHECK((a.fault.kind == VMMAP_FAULT_NOT_PRESENT && a.fault.code == VMMAP_USER) ||
		      a.fault.kind == VMMAP_FAULT_NONCANONICAL,
	      "%" PRIx64 ": fault %u code %x", va, a.fault.kind, a.fault.code);
}

static void assert_space(struct vmmap_space *space, const struct real *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct vmmap_extent *e = &r->extents[i];
		vmmap_va_t end = e->va + e->pages * VMMAP_PAGE_BYTES;
		struct vmmap_answer a;

		for (uint64_t k = 0; k < e->pages; k++) {
			vmmap_va_t va = e->va + k * VMMAP_PAGE_BYTES + k % VMMAP_PAGE_BYTES;

			CHECK(!vmmap_translate(space, va, VMMAP_USER | VMMAP_WRITE, &a),
			      "%" PRIx64 " faults", va);
			CHECK(a.pa == (e->pfn + k) * VMMAP_PAGE_BYTES + k % VMMAP_PAGE_BYTES,
			      "%" PRIx64 ": %" PRIx64, va, a.pa);
		}
		if (!i ||
		    r->extents[i - 1].va + r->extents[i - 1].pages * VMMAP_PAGE_BYTES != e->va)
			assert_fault(space, e->va - VMMAP_PAGE_BYTES);
		if (i + 1 == r->n || r->extents[i + 1].va != end)
			assert_fault(space, end);
	}
}

static struct vmmap_space *make(struct vmmap_host *host, const char *backend, uint8_t va_bits)
{
	struct vmmap_space_config cfg = { .backend = backend, .va_bits = va_bits };
	struct vmmap_space *space;

	cr_assert_eq(vmmap_space_create(host, &cfg, &space), 0);
	return space;
}

static void assert_bytes(const struct vmmap_stats *lindex, const struct vmmap_stats *radix,
			 const struct real *r, enum bar bar, const char *name)
{
	double ratio = (double)lindex->table_bytes / (double)radix->table_bytes;
	double all_marked = (double)(lindex->index_bytes + lindex->frame_bytes +
				     lindex->ad_bytes_max) /
			    (double)radix->table_bytes;

	if (bar == BAR_CONTIGUOUS)
		CHECK(ratio <= 1. / 25, "%s: %.4f of radix", name, ratio);
	else /* accessed and dirty bits of every page included */
		CHECK(all_marked <= (log2((double)(r->hi - r->lo + 1)) + 7) / 64,
		      "%s: %.4f of radix", name, all_marked);
}

static void run_space(size_t which)
{
	struct vmmap_stats radix = { 0 }, st;
	struct vmmap_host *host;
	struct real r;

	real_read(&r, spaces[which].name);
	for (unsigned int b = 0; vmmap_backend_name(b); b++) {
		const char *backend = vmmap_backend_name(b);
		bool fits = strcmp(backend, "radix4") || spaces[which].va_bits == 48;
		uint8_t bits = !strcmp(backend, "radix5") ? 57 : spaces[which].va_bits;
		struct vmmap_space *space;
		size_t bad;

		if (!fits)
			continue;
		harness_step(backend, which);
		cr_assert_eq(vmmap_host_create(NULL, &host), 0);
		space = make(host, backend, bits);
		CHECK(!vmmap_load(space, r.extents, r.n, &bad), "%s", spaces[which].name);
		vmmap_get_stats(space, &st);
		CHECK(st.pages == r.pages, "pages %" PRIu64, st.pages);
		if (!strncmp(backend, "radix", 5) &&
		    (!radix.pages || bits == spaces[which].va_bits))
			radix = st;
		assert_space(space, &r);
		CHECK(!vmmap_check(space, NULL), "check");
		vmmap_space_free(space);
		cr_assert_eq(vmmap_host_free(host), 0);
	}
	/* The learned table again: its bytes before anything is marked, and run by run. */
	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	for (unsigned int by_run = 0; by_run < 2; by_run++) {
		struct vmmap_space *space = make(host, "lindex", spaces[which].va_bits);

		if (!by_run)
			CHECK(!vmmap_load(space, r.extents, r.n, NULL), "load");
		for (size_t i = 0; by_run && i < r.n; i++)
			CHECK(!vmmap_map(space, r.extents[i].va, r.extents[i].pages,
					 r.extents[i].pfn, PROT, VMMAP_4K),
			      "run %zu", i);
		vmmap_get_stats(space, &st);
		assert_bytes(&st, &radix, &r, spaces[which].bar, spaces[which].name);
		if (by_run)
			assert_space(space, &r);
		vmmap_space_free(space);
	}
	cr_assert_eq(vmmap_host_free(host), 0);
	free(r.extents);
}

Test(spaces, translate_exactly_on_every_backend)
{
	for (size_t i = 0; i < SPACES; i++)
		run_space(i);
}
