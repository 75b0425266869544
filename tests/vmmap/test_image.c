/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Saved spaces: the same bytes from every backend, the same space from the bytes, and no byte may be wrong.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mmu_twin.h"
#include "rng.h"

struct bytes {
	uint8_t *at;
	size_t n, room;
};

static int take(void *ctx, const void *bytes, size_t len)
{
	struct bytes *b = ctx;

	if (b->n + len > b->room) {
		b->room = 2 * (b->n + len);
		b->at = realloc(b->at, b->room);
	}
	memcpy(b->at + b->n, bytes, len);
	b->n += len;
	return 0;
}

static void save(struct vmmap_space *space, struct bytes *b)
{
	struct lindex_sink sink = { .write = take, .ctx = b };

	cr_assert_eq(vmmap_save(space, &sink), 0);
}

/* Some of everything, COW and marks included. */
static void furnish(struct vmmap_space *space, struct mmu_twin *t, uint64_t salt)
{
	struct vmmap_answer a;
	struct rng rng;

	rng_init(&rng, harness_seed(), salt);
	for (unsigned int k = 0; k < 300; k++) {
		unsigned int i = (unsigned int)rng_below(&rng, TWIN_PAGES);
		unsigned int most = WINDOW_PAGES - i % WINDOW_PAGES;
		unsigned int pages = 1 + (unsigned int)rng_below(&rng, most < 40 ? most : 40);
		uint64_t pfn = 1 + rng_below(&rng, 1 << 24);

		if (!vmmap_map(space, mmu_va(t, i), pages, pfn, 0xb + k % 2 * 4, VMMAP_4K))
			mmu_map(t, i, pages, pfn, (uint8_t)(0xb + k % 2 * 4), VMMAP_4K);
	}
	if (!vmmap_map(space, mmu_va(t, 0), 512, 512, 0xb, VMMAP_2M))
		mmu_map(t, 0, 512, 512, 0xb, VMMAP_2M);
	for (unsigned int k = 0; k < 4000; k++) {
		unsigned int i = (unsigned int)rng_below(&rng, TWIN_PAGES);
		uint32_t access = k % 2 ? VMMAP_WRITE : 0;

		mmu_access(t, i, access, &a);
		vmmap_translate(space, mmu_va(t, i), access, &a);
	}
}

static void same_bits(const struct mmu_twin *t, struct vmmap_space *space)
{
	static uint64_t bits[2][WINDOW_PAGES / 64];

	for (unsigned int w = 0; w < TWIN_PAGES; w += WINDOW_PAGES) {
		vmmap_harvest(space, mmu_va(t, w), WINDOW_PAGES, 0, bits[0], bits[1]);
		for (unsigned int i = 0; i < WINDOW_PAGES; i++) {
			uint8_t ad = t->page[mmu_first(t, w + i)].ad;

			CHECK((bits[0][i / 64] >> i % 64 & 1) == (ad & 1u), "accessed %u", w + i);
			CHECK((bits[1][i / 64] >> i % 64 & 1) == (ad >> 1 & 1u), "dirty %u", w + i);
		}
	}
}

Test(image, restores_on_every_backend_what_any_saved)
{
	struct mmu_twin *t = malloc(sizeof(*t)), *forked = malloc(sizeof(*forked));
	struct bytes first = { 0 };
	struct vmmap_host *host;

	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	for (unsigned int i = 0; vmmap_backend_name(i); i++) {
		struct vmmap_space_config cfg = { .backend = vmmap_backend_name(i) };
		struct vmmap_space *space, *child, *back;
		struct bytes b = { 0 };

		if (!strcmp(cfg.backend, "radix5"))
			continue;
		harness_step(cfg.backend, i);
		mmu_twin_init(t, 48);
		cr_assert_eq(vmmap_space_create(host, &cfg, &space), 0);
		furnish(space, t, 1);
		cr_assert_eq(vmmap_fork(space, &child), 0);
		mmu_fork(t, forked);
		furnish(space, t, 2);
		save(space, &b);
		if (!first.n)
			first = b;
		CHECK(b.n == first.n && !memcmp(b.at, first.at, b.n), "other bytes");
		for (unsigned int j = 0; vmmap_backend_name(j); j++) {
			struct vmmap_space_config to = { .backend = vmmap_backend_name(j) };
			struct bytes again = { 0 };

			if (!strcmp(to.backend, "radix5"))
				continue;
			cr_assert_eq(vmmap_restore(host, &to, b.at, b.n, NULL, &back), 0);
			mmu_same(t, back);
			same_bits(t, back);
			save(back, &again);
			CHECK(again.n == b.n && !memcmp(again.at, b.at, b.n), "not the same again");
			free(again.at);
			vmmap_space_free(back);
		}
		vmmap_space_free(space);
		mmu_same(forked, child);
		vmmap_space_free(child);
		if (b.at != first.at)
			free(b.at);
	}
	cr_assert_eq(vmmap_host_free(host), 0);
	free(first.at);
	free(forked);
	free(t);
}

static void open_saved(struct vmmap_host *host, struct bytes *b)
{
	struct mmu_twin *t = malloc(sizeof(*t));
	struct vmmap_space *space;

	mmu_twin_init(t, 48);
	cr_assert_eq(vmmap_space_create(host, NULL, &space), 0);
	furnish(space, t, 3);
	save(space, b);
	vmmap_space_free(space);
	free(t);
}

Test(image, refuses_every_damaged_byte_and_every_length)
{
	struct lindex_reason why;
	struct vmmap_space *space;
	struct vmmap_host *host;
	struct bytes b = { 0 };
	struct rng rng;

	rng_init(&rng, harness_seed(), 9);
	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	open_saved(host, &b);
	for (size_t i = 0; i < b.n; i += i < 256 ? 1 : 1 + rng_below(&rng, 64)) {
		uint8_t was = b.at[i];
		int err;

		b.at[i] ^= (uint8_t)(1u << rng_below(&rng, 8));
		why.text = NULL;
		err = vmmap_restore(host, NULL, b.at, b.n, &why, &space);
		CHECK(err == -EBADMSG || err == -EUCLEAN || err == -EPROTONOSUPPORT, "byte %zu: %d",
		      i, err);
		CHECK(why.text, "byte %zu: no reason", i);
		b.at[i] = was;
	}
	for (size_t n = 0; n < b.n; n += 1 + rng_below(&rng, 97)) {
		uint8_t *cut = malloc(n ? n : 1); /* so that a sanitizer sees each byte beyond */

		memcpy(cut, b.at, n);
		CHECK(vmmap_restore(host, NULL, cut, n, &why, &space) < 0, "length %zu", n);
		free(cut);
	}
	cr_assert_eq(vmmap_restore(host, NULL, b.at, b.n, &why, &space), 0);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(host), 0);
	free(b.at);
}

Test(image, says_when_a_space_does_not_fit)
{
	struct vmmap_space_config narrow = { .phys_bits = 32 }, none = { .backend = "none" };
	struct vmmap_space_config five = { .backend = "radix5" };
	struct vmmap_space *space;
	struct vmmap_host *host;
	struct bytes b = { 0 };
	struct vmmap_answer a;

	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	open_saved(host, &b);
	cr_assert_eq(vmmap_restore(host, &narrow, b.at, b.n, NULL, &space), -ERANGE);
	cr_assert_eq(vmmap_restore(host, &none, b.at, b.n, NULL, &space), -ENOENT);
	/* Wider addresses are fine: the upper half stays at the top. */
	cr_assert_eq(vmmap_restore(host, &five, b.at, b.n, NULL, &space), 0);
	vmmap_translate(space, 0, VMMAP_PEEK, &a);
	cr_assert_eq(vmmap_check(space, NULL), 0);
	vmmap_space_free(space);
	cr_assert_eq(vmmap_host_free(host), 0);
	free(b.at);
}
