/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Blocks written for each block that a user writes, when four fifths are live: of what df calls the size, and, which is
 * harder, of the image, with what is set aside in it.
 */
#include "scale.h"

#define LIVE_PERCENT 80u

/* One write in @cold_one_in goes anywhere, the others to the first @hot of the @blocks. */
struct pattern {
	const char *what;
	double bar;
	bool of_image;
	uint64_t hot_percent;
	uint32_t cold_one_in;
};

static void overwrite(struct scale *s, lfs_ino_t ino, uint64_t blocks, const struct pattern *p,
		      uint64_t n)
{
	uint64_t hot = blocks * p->hot_percent / 100;

	for (uint64_t i = 0; i < n; i++) {
		bool cold = rng_one_in(&s->rng, p->cold_one_in);
		uint64_t at = cold && hot < blocks ? hot + rng_below(&s->rng, blocks - hot) :
						     rng_below(&s->rng, hot);

		CHECK(lfs_write(s->fs, ino, s->buf, BLOCK, at * BLOCK, 0) == BLOCK, "write");
		if (i % 256 == 0)
			CHECK(lfs_tick(s->fs, false) >= 0, "tick");
	}
}

static void amplify(struct scale *s, const struct pattern *p)
{
	uint64_t size = (s->quick ? 256 : 2048) * MIB, blocks;
	struct lfs_statfs df;
	struct lfs_stats a, b;
	lfs_ino_t ino;
	double user;

	scale_open(s, size, 0);
	CHECK(!lfs_statfs(s->fs, &df), "statfs");
	blocks = (p->of_image ? size / BLOCK : df.blocks) * LIVE_PERCENT / 100;
	ino = scale_make(s, "file");
	for (uint64_t i = 0; i < blocks; i += 256) {
		uint64_t n = (blocks - i < 256 ? blocks - i : 256) * BLOCK;

		CHECK(lfs_write(s->fs, ino, s->buf, n, i * BLOCK, 0) == (ssize_t)n, "write");
	}
	overwrite(s, ino, blocks, p, 3 * blocks); /* until it is steady */
	a = scale_stats(s);
	overwrite(s, ino, blocks, p, 2 * blocks);
	b = scale_stats(s);
	user = (double)(b.user_blocks_written - a.user_blocks_written);
	scale_bar(p->what, (double)(b.device_blocks_written - a.device_blocks_written) / user,
		  p->bar, "blocks");
	scale_say("live %.3f of the image; for each block written: cleaner %.3f, metadata %.3f, "
		  "log %.3f; "
		  "%.1f checkpoints and %.1f segments cleaned for 1000 blocks",
		  (double)b.live_blocks / (double)b.blocks,
		  (double)(b.cleaner_blocks - a.cleaner_blocks) / user,
		  (double)(b.meta_blocks - a.meta_blocks) / user,
		  (double)(b.journal_blocks - a.journal_blocks) / user,
		  (double)(b.checkpoints - a.checkpoints) * 1000 / user,
		  (double)(b.segments_cleaned - a.segments_cleaned) * 1000 / user);
	scale_close(s);
}

void scale_amplify(struct scale *s)
{
	static const struct pattern patterns[] = {
		{ "write amplification, uniform", 3.0, false, 100, 1 },
		{ "write amplification, 90 % to 10 %", 2.0, false, 10, 10 },
		{ "write amplification, uniform, of the image", 3.0, true, 100, 1 },
		{ "write amplification, 90 % to 10 %, of the image", 2.0, true, 10, 10 },
	};

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		amplify(s, &patterns[i]);
}
