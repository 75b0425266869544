/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes as a sequence of changes, applied to an index and to its twin. The first four bytes choose
 * configuration and place in the key space, then each change takes five:
 *
 *     what, position, length, value, tag
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "same.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct play {
	struct world w;
	struct lindex *snap;
	struct twin snap_twin;
	uint64_t base;
	unsigned int shift;
	uint32_t epsilon, node_bytes;
};

static uint64_t key_at(const struct play *p, uint64_t position)
{
	return p->base + (position << p->shift);
}

static struct lindex_run draw(const struct play *p, const uint8_t *in)
{
	uint64_t first = key_at(p, in[1]), last = first + ((uint64_t)in[2] << (p->shift / 2));
	struct lindex_run run = RUN(first, last < first ? UINT64_MAX : last, 0, in[4] & 1,
				    (uint16_t)(in[4] >> 6));

	/* Mostly values that can continue each other; some that cannot. */
	run.value = in[3] & 1 ? first - p->base + (in[3] >> 6) :
				(uint64_t)in[3] << (in[4] >> 1 & 31);
	if (run_wraps(&run))
		run.value = 0;
	return run;
}

static void change(struct play *p, const struct op *op, bool without_memory)
{
	int rc;

	if (without_memory)
		alloc_probe_fail(&p->w.probe, 1);
	rc = op_apply(p->w.ix, op);
	alloc_probe_fail(&p->w.probe, 0);
	if (rc == -ENOMEM && without_memory) {
		CHECK(!op->is_remove || twin_cuts(&p->w.twin, op->run.first, op->run.last),
		      "a remove that cuts nothing is -ENOMEM");
		assert_sound(p->w.ix);
		assert_same_around(p->w.ix, &p->w.twin, op->run.first);
		return;
	}
	CHECK(rc == 0, "change is %d", rc);
	op_apply_twin(&p->w.twin, op);
}

/* Nine runs of one change: so that few bytes make a tree. */
static void change_many(struct play *p, const uint8_t *in, bool is_remove)
{
	struct op op = { .run = draw(p, in), .is_remove = is_remove };

	for (uint64_t i = 0; i < 9; i++) {
		uint64_t by = i * (((uint64_t)in[2] & 15) + 2);

		if (op.run.last > UINT64_MAX - by || (op.run.step && run_wraps(&op.run)))
			return;
		op.run.first += by;
		op.run.last = op.run.first;
		op.run.value += i * i * in[3];
		if (!run_wraps(&op.run))
			change(p, &op, false);
	}
}

static void take_snapshot(struct play *p)
{
	if (p->snap) {
		assert_same_walk(p->snap, &p->snap_twin);
		lindex_free(p->snap);
	}
	CHECK(lindex_snapshot(p->w.ix, &p->snap) == 0, "snapshot");
	twin_copy(&p->snap_twin, &p->w.twin);
}

static void compare_images(struct play *p)
{
	struct image lived = { 0 }, fresh = { 0 };

	image_save(&lived, p->w.ix);
	image_of(&fresh, &p->w.twin, p->epsilon, p->node_bytes);
	CHECK(image_equal(&lived, &fresh), "history shows in the image");
	image_destroy(&lived);
	image_destroy(&fresh);
}

static void step(struct play *p, const uint8_t *in)
{
	struct op op = { .run = draw(p, in), .is_remove = in[0] & 1 };

	switch (in[0] >> 1 & 15) {
	case 0:
		take_snapshot(p);
		break;
	case 1:
		CHECK(lindex_pool_reclaim(p->w.pool) == 0, "reclaim");
		break;
	case 2:
		change(p, &op, true);
		break;
	case 3:
	case 4:
	case 5:
		change_many(p, in, op.is_remove);
		break;
	case 6:
		CHECK(lindex_build(p->w.ix, p->w.twin.runs, p->w.twin.n, NULL) == 0, "build");
		break;
	case 7:
		compare_images(p);
		break;
	case 8:
		CHECK(lindex_reserve(p->w.ix, 1) == 0, "reserve");
		alloc_probe_fail_all(&p->w.probe, true);
		world_do(&p->w, &op);
		alloc_probe_fail_all(&p->w.probe, false);
		break;
	default:
		change(p, &op, false);
	}
	assert_same_around(p->w.ix, &p->w.twin, op.run.first);
	assert_same_around(p->w.ix, &p->w.twin, op.run.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play p;
	struct lindex_config cfg = { 0 };

	if (size < 4)
		return 0;
	memset(&p, 0, sizeof(p));
	p.shift = data[0] % 40;
	p.base = data[1] & 1 ? UINT64_MAX - (255ull << p.shift) :
		 data[1] & 2 ? (uint64_t)data[1] << 56 :
			       0;
	if (p.base > UINT64_MAX - (255ull << p.shift))
		p.base = 0;
	cfg.epsilon = p.epsilon = 2 + data[2] % 119;
	cfg.node_bytes = p.node_bytes = 256 + 64 * (data[3] % 13u);
	world_open(&p.w, &cfg, data[3] & 0x80 ? LINDEX_POOL_NO_SIMD : 0, 0);
	for (size_t at = 4; at + 5 <= size; at += 5) {
		harness_step("change", at / 5);
		step(&p, data + at);
	}
	/* Lookups were compared where each change was: the walk shows that the rest stayed. */
	assert_sound(p.w.ix);
	assert_same_walk(p.w.ix, &p.w.twin);
	if (p.snap)
		take_snapshot(&p);
	lindex_free(p.snap);
	twin_destroy(&p.snap_twin);
	world_close(&p.w);
	return 0;
}
