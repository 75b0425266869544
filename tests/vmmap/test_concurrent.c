/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Translations beside one mutator. Frames carry the number of their page, so that an answer proves by itself that it belongs to the
 * page that was asked for; pages that are never unmapped must never fault; and a dirty mark on them is found by one harvest
 * or another, never lost. Bounded by numbers of calls. Meant to be run under ThreadSanitizer.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "read_side.h"
#include "rng.h"
#include "vmmap.h"

#define READERS  2u
#define PAGES    8192u
#define VERSIONS 8u
#define PFN_BASE UINT64_C(0x1000)
#define VA       UINT64_C(0x7f0000000000)
#define RW       (VMMAP_PROT_READ | VMMAP_PROT_WRITE)

#define RUN 16u /* pages, where frames are in runs */

struct shared {
	struct vmmap_space *space;
	bool runs;
	_Atomic bool done;
	uint8_t wrote[READERS][PAGES];
};

struct reader {
	struct shared *shared;
	unsigned int id;
	pthread_t thread;
};

/* Every fourth page stays. */
static bool stays(unsigned int i)
{
	return i % 4 == 0;
}

static vmmap_va_t va_of(unsigned int i)
{
	return VA + (uint64_t)i * VMMAP_PAGE_BYTES;
}

/* Of page @i alone, whatever the version: scattered, or so that pages of one version are in runs. */
static vmmap_pfn_t frame_of(const struct shared *sh, unsigned int i, unsigned int version)
{
	uint64_t run = i / RUN * 2654435761u % (PAGES / RUN);

	if (sh->runs)
		return PFN_BASE + (run * VERSIONS + version) * RUN + i % RUN;
	return PFN_BASE + (uint64_t)(i * 2654435761u % PAGES) * VERSIONS + version;
}

static bool is_frame_of(const struct shared *sh, unsigned int i, vmmap_pfn_t pfn)
{
	uint64_t least = frame_of(sh, i, 0), apart = frame_of(sh, i, 1) - least;

	return pfn >= least && pfn - least < VERSIONS * apart && (pfn - least) % apart == 0;
}

static void judge(const struct shared *sh, unsigned int i, int err, const struct vmmap_answer *a)
{
	vmmap_pfn_t got = a->pa / VMMAP_PAGE_BYTES;

	if (err) {
		CHECK(!stays(i) || a->fault.kind == VMMAP_FAULT_COW, "page %u stays, but fault %u",
		      i, a->fault.kind);
		return;
	}
	CHECK(is_frame_of(sh, i, got), "page %u: frame %" PRIx64 " of another", i, got);
}

static void *read_all_the_time(void *arg)
{
	struct reader *r = arg;
	struct shared *sh = r->shared;
	struct vmmap_answer a, many[16];
	vmmap_va_t vas[16];
	struct rng rng;

	read_side_register();
	rng_init(&rng, harness_seed(), 100 + r->id);
	while (!atomic_load_explicit(&sh->done, memory_order_relaxed)) {
		unsigned int i = (unsigned int)rng_below(&rng, PAGES);
		bool write = rng_one_in(&rng, 2);
		int err;

		read_side_lock();
		err = vmmap_translate(sh->space, va_of(i), write ? VMMAP_WRITE : 0, &a);
		judge(sh, i, err, &a);
		if (write && !err)
			sh->wrote[r->id][i] = 1;
		if (rng_one_in(&rng, 16)) {
			for (unsigned int k = 0; k < 16; k++)
				vas[k] = va_of((i + k * 37) % PAGES);
			vmmap_translate_batch(sh->space, vas, 16, VMMAP_PEEK, many);
			for (unsigned int k = 0; k < 16; k++)
				judge(sh, (i + k * 37) % PAGES, many[k].fault.kind != 0, &many[k]);
		}
		read_side_unlock();
	}
	read_side_unregister();
	return NULL;
}

/* One change of a page that does not stay, or a look at all the bits. */
static void change(struct shared *sh, struct rng *rng, uint8_t *dirty)
{
	static uint64_t bits[PAGES / 64];
	unsigned int i = (unsigned int)rng_below(rng, PAGES);
	int err;

	if (rng_one_in(rng, 200)) {
		vmmap_harvest(sh->space, VA, PAGES, VMMAP_ACCESSED | VMMAP_DIRTY, NULL, bits);
		for (unsigned int k = 0; k < PAGES; k++)
			dirty[k] |= bits[k / 64] >> k % 64 & 1;
		return;
	}
	if (rng_one_in(rng, 20)) { /* rights change; nobody loses any */
		i = i / 64 * 64;
		err = vmmap_protect(sh->space, va_of(i), 64,
				    RW | (rng_one_in(rng, 2) ? VMMAP_PROT_EXEC : 0));
		CHECK(err == 0, "protect %d", err);
		return;
	}
	if (stays(i))
		return;
	err = vmmap_map(sh->space, va_of(i), 1,
			frame_of(sh, i, (unsigned int)rng_below(rng, VERSIONS)), RW, VMMAP_4K);
	CHECK(err == 0 || err == -EEXIST, "map %d", err);
	if (err)
		CHECK(vmmap_unmap(sh->space, va_of(i), 1) == 0, "unmap");
}

static void copy_written(struct shared *sh, struct rng *rng)
{
	for (unsigned int k = 0; k < 200; k++) {
		unsigned int i = (unsigned int)rng_below(rng, PAGES);
		int err = vmmap_cow(sh->space, va_of(i), frame_of(sh, i, k % VERSIONS), NULL);

		CHECK(err == 0 || err == -ENOENT || err == -EINVAL, "cow %d", err);
	}
}

/* All pages at once, or those that stay one by one. */
static void map_first(struct shared *sh)
{
	static vmmap_pfn_t frames[PAGES];

	for (unsigned int i = 0; i < PAGES; i++) {
		frames[i] = frame_of(sh, i, 0);
		if (!sh->runs && stays(i))
			cr_assert_eq(vmmap_map(sh->space, va_of(i), 1, frames[i], RW, VMMAP_4K), 0);
	}
	if (sh->runs)
		cr_assert_eq(vmmap_map_frames(sh->space, va_of(0), PAGES, frames, RW), 0);
}

static void run(const char *backend, bool runs, uint64_t steps)
{
	struct vmmap_space_config cfg = { .backend = backend };
	struct shared *sh = calloc(1, sizeof(*sh));
	uint8_t *dirty = calloc(1, PAGES);
	struct reader readers[READERS];
	struct vmmap_space *child = NULL;
	struct vmmap_host *host;
	struct rng rng;

	rng_init(&rng, harness_seed(), 7);
	cr_assert_eq(vmmap_host_create(NULL, &host), 0);
	cr_assert_eq(vmmap_space_create(host, &cfg, &sh->space), 0);
	sh->runs = runs;
	map_first(sh);
	for (unsigned int id = 0; id < READERS; id++) {
		readers[id] = (struct reader){ .shared = sh, .id = id };
		cr_assert_eq(
			pthread_create(&readers[id].thread, NULL, read_all_the_time, &readers[id]),
			0);
	}
	for (uint64_t step = 0; step < steps; step++) {
		harness_step(backend, step);
		change(sh, &rng, dirty);
		if (step % (steps / 4) == steps / 8) {
			vmmap_space_free(child);
			cr_assert_eq(vmmap_fork(sh->space, &child), 0);
		}
		if (child && step % 512 == 0)
			copy_written(sh, &rng);
	}
	atomic_store(&sh->done, true);
	for (unsigned int id = 0; id < READERS; id++)
		pthread_join(readers[id].thread, NULL);
	for (unsigned int step = 0; step < 2; step++) {
		uint64_t bits[PAGES / 64];

		vmmap_harvest(sh->space, VA, PAGES, 0, NULL, bits);
		for (unsigned int k = 0; k < PAGES; k++)
			dirty[k] |= bits[k / 64] >> k % 64 & 1;
	}
	for (unsigned int i = 0; i < PAGES; i += 4)
		for (unsigned int id = 0; id < READERS; id++)
			CHECK(!sh->wrote[id][i] || dirty[i], "page %u: a dirty mark is lost", i);
	cr_assert_eq(vmmap_check(sh->space, NULL), 0);
	vmmap_space_free(child);
	vmmap_space_free(sh->space);
	cr_assert_eq(vmmap_host_free(host), 0);
	free(dirty);
	free(sh);
}

Test(concurrent, translations_beside_one_mutator)
{
	NEEDS_READ_SIDE();
	for (unsigned int i = 0; vmmap_backend_name(i); i++)
		run(vmmap_backend_name(i), false, harness_longer(20000));
}

Test(concurrent, frames_in_runs)
{
	NEEDS_READ_SIDE();
	run("lindex", true, harness_longer(20000));
}
