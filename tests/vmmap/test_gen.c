/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Workloads and layouts: every access lies in a region, the same seed gives the same accesses, footprints are as asked;
 * no two pages have the same frame.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "feed.h"
#include "gen.h"
#include "gen_kind.h"

#define N 20000

static const uint64_t footprints[] = { UINT64_C(1) << 20, UINT64_C(37) << 20, UINT64_C(512) << 20 };

static struct vmmap_gen *must_create(const char *kind, uint64_t footprint, uint64_t seed)
{
	struct vmmap_gen *gen;

	cr_assert_eq(vmmap_gen_create(&(struct vmmap_gen_config){ .kind = kind,
								  .footprint_bytes = footprint,
								  .seed = seed },
				      &gen),
		     0, "%s", kind);
	return gen;
}

static bool is_inside(const struct vmmap_gen *gen, const struct vmmap_access *a)
{
	size_t n;
	const struct vmmap_region *r = vmmap_gen_regions(gen, &n);

	for (size_t i = 0; i < n; i++)
		if (a->va >= r[i].va && a->va + a->size <= r[i].va + r[i].bytes)
			return true;
	return false;
}

static bool same_accesses(const struct vmmap_access *a, const struct vmmap_access *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].va != b[i].va || a[i].size != b[i].size || a[i].kind != b[i].kind)
			return false;
	return true;
}

static void assert_sound(const char *kind, uint64_t footprint)
{
	static struct vmmap_access a[N], again[N];
	struct vmmap_gen *gen = must_create(kind, footprint, 7),
			 *same = must_create(kind, footprint, 7);
	const struct vmmap_region *r;
	uint64_t bytes = 0;
	size_t n;

	cr_assert_eq(vmmap_gen_run(gen, a, N), 0);
	for (size_t i = 0; i < N; i += 100) /* in other portions */
		cr_assert_eq(vmmap_gen_run(same, again + i, 100), 0);
	cr_assert(same_accesses(a, again, N), "%s: not the same again", kind);
	for (size_t i = 0; i < N; i++)
		cr_assert(is_inside(gen, &a[i]), "%s: access %zu at %lx", kind, i, (long)a[i].va);
	r = vmmap_gen_regions(gen, &n);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq((r[i].va | r[i].bytes) % (2u << 20), 0);
		cr_assert(!i || r[i].va > r[i - 1].va + r[i - 1].bytes);
		bytes += r[i].bytes;
	}
	cr_assert(bytes >= footprint * 9 / 10 && bytes <= footprint * 11 / 10 + (16u << 20),
		  "%s: %lu bytes for %lu", kind, (long)bytes, (long)footprint);
	vmmap_gen_free(gen);
	vmmap_gen_free(same);
}

Test(gen, every_workload_stays_in_its_regions_and_repeats)
{
	const char *kind;

	for (unsigned int i = 0; (kind = vmmap_gen_kind(i, NULL)); i++)
		for (size_t f = 0; f < 3; f++)
			assert_sound(kind, footprints[f]);
}

Test(gen, seeds_differ)
{
	static struct vmmap_access a[N], b[N];
	struct vmmap_gen *one = must_create("gups", 1 << 24, 1),
			 *two = must_create("gups", 1 << 24, 2);

	vmmap_gen_run(one, a, N);
	vmmap_gen_run(two, b, N);
	cr_assert(!same_accesses(a, b, N));
	vmmap_gen_free(one);
	vmmap_gen_free(two);
}

/* The chase visits each node once before it comes back. */
Test(gen, chase_is_one_cycle)
{
	const size_t nodes = (4u << 20) / 64;
	struct vmmap_gen *gen = must_create("chase", 4 << 20, 3);
	unsigned char *seen = calloc(nodes, 1);
	struct vmmap_access a, first;

	for (size_t i = 0; i < nodes; i++) {
		size_t n, node;

		cr_assert_eq(vmmap_gen_run(gen, &a, 1), 0);
		if (!i)
			first = a;
		node = (a.va - vmmap_gen_regions(gen, &n)->va) / 64;
		cr_assert(node < nodes && !seen[node]);
		seen[node] = 1;
	}
	vmmap_gen_run(gen, &a, 1);
	cr_assert_eq(a.va, first.va);
	free(seen);
	vmmap_gen_free(gen);
}

Test(gen, renumbering_has_an_inverse)
{
	for (unsigned int bits = 1; bits <= 64; bits++) {
		struct gen_renumber r;
		uint64_t most = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;

		gen_renumber_init(&r, bits, 1234567 * bits);
		for (uint64_t i = 0; i < 1000; i++) {
			uint64_t x = gen_mix(i) & most, y = gen_renumber(&r, x);

			cr_assert(y <= most);
			cr_assert_eq(gen_renumber_back(&r, y), x, "%u bits", bits);
		}
	}
}

Test(gen, bad_configurations)
{
	struct vmmap_gen *gen;

	cr_assert_eq(vmmap_gen_create(&(struct vmmap_gen_config){ .kind = "nothing" }, &gen),
		     -ENOENT);
	cr_assert_eq(
		vmmap_gen_create(&(struct vmmap_gen_config){ .kind = "gups", .footprint_bytes = 1 },
				 &gen),
		-ERANGE);
	cr_assert_eq(vmmap_gen_create(&(struct vmmap_gen_config){ .kind = "stride",
								  .footprint_bytes = 1 << 20,
								  .stride_bytes = 2 << 20 },
				      &gen),
		     -ERANGE);
}

/* ---- Layouts ------------------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void assert_frames_are_distinct(const struct vmmap_snapshot *snap)
{
	uint64_t pages = vmmap_snapshot_pages(snap), at = 0;
	uint64_t *frames = malloc(pages * sizeof(*frames));

	for (size_t i = 0; i < snap->n; i++)
		for (uint64_t k = 0; k < snap->spans[i].pages; k++)
			frames[at++] = snap->spans[i].pfn + k;
	qsort(frames, pages, sizeof(*frames), by_number);
	for (uint64_t i = 1; i < pages; i++)
		cr_assert_neq(frames[i], frames[i - 1]);
	free(frames);
}

static struct vmmap_snapshot lay_out(const char *text)
{
	const struct vmmap_region regions[] = { { UINT64_C(1) << 30, 64u << 20 },
						{ UINT64_C(3) << 30, 6u << 20 } };
	struct vmmap_snapshot snap;
	struct vmmap_layout layout;
	struct vmmap_refusal why;

	cr_assert_eq(vmmap_layout_parse(text, &layout, &why), 0, "%s", why.text);
	cr_assert_eq(vmmap_layout_make(&layout, regions, 2, &snap), 0);
	cr_assert_eq(vmmap_snapshot_pages(&snap), 70 * 256);
	cr_assert_eq(snap.spans[0].vpn, 1 << 18);
	assert_frames_are_distinct(&snap);
	return snap;
}

Test(gen, layouts_are_what_they_say)
{
	struct vmmap_snapshot snap = lay_out("scattered,seed=3");

	cr_assert(snap.n > 70 * 256 * 0.999);
	vmmap_snapshot_destroy(&snap);
	snap = lay_out("inorder:100");
	cr_assert(snap.n > 120 && snap.n < 260, "%zu runs", snap.n);
	vmmap_snapshot_destroy(&snap);
	snap = lay_out("huge");
	cr_assert(snap.n > 30 && snap.n <= 35);
	for (size_t i = 0; i < snap.n; i++)
		cr_assert_eq(snap.spans[i].shift, 21);
	vmmap_snapshot_destroy(&snap);
	snap = lay_out("contiguous");
	cr_assert_eq(snap.n, 2);
	vmmap_snapshot_destroy(&snap);
	snap = lay_out("scattered,memory=128M");
	vmmap_snapshot_destroy(&snap);
}

Test(gen, bad_specifications)
{
	static const char *const layouts[] = { "",          "scatter",   "scattered:5",
					       "inorder:0", "inorder:x", "huge,mem=3",
					       "huge,seed", "huge," };
	static const char *const gens[] = { "", "gup", "gups,foot=3", "gups,footprint=x",
					    "gups,," };
	char kind[VMMAP_GEN_NAME_BYTES];
	struct vmmap_gen_config cfg;
	struct vmmap_layout layout;
	struct vmmap_refusal why;

	for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
		cr_assert_eq(vmmap_layout_parse(layouts[i], &layout, &why), -EINVAL, "%s",
			     layouts[i]);
		assert_refusal(&why, WORDS("expected", "found"));
	}
	for (size_t i = 0; i < sizeof(gens) / sizeof(*gens); i++) {
		cr_assert_eq(vmmap_gen_parse(gens[i], &cfg, kind, &why), -EINVAL, "%s", gens[i]);
		assert_refusal(&why, WORDS("expected", "found"));
	}
	cr_assert_eq(vmmap_gen_parse("stride,footprint=2G,stride=64,seed=9", &cfg, kind, &why), 0);
	cr_assert(cfg.footprint_bytes == UINT64_C(2) << 30 && cfg.stride_bytes == 64 &&
		  cfg.seed == 9);
}
