/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "damage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "tolerant.h"
#include "trace.h"
#include "workers.h"

#define BLOCK         LFS_BLOCK_BYTES
#define TRIAL_SECONDS 30 /* of the processor: after that it hangs */

const char *const damage_names[DAMAGE_COUNT] = {
	[DAMAGE_bit] = "bit",         [DAMAGE_bits] = "bits",
	[DAMAGE_sector] = "sector",   [DAMAGE_zeroes] = "zeroes",
	[DAMAGE_garbage] = "garbage", [DAMAGE_misplaced] = "misplaced",
	[DAMAGE_lost] = "lost",       [DAMAGE_misdirected] = "misdirected",
	[DAMAGE_several] = "several",
};

/* An image to damage, and what is where in it. */
struct subject {
	struct ground ground;
	struct lfs_anatomy anatomy;
};

static const enum ground_kind subject_grounds[] = { GROUND_files, GROUND_log, GROUND_aged,
						    GROUND_many };
#define SUBJECTS (sizeof(subject_grounds) / sizeof(subject_grounds[0]))

static struct subject subjects[SUBJECTS];

struct trial {
	uint64_t number;
	struct damage_counts *counts;
	struct subject *subject;
	struct rng rng;
	enum damage damage;
	enum anatomy_kind kind; /* of what was hit first */
	uint64_t block;         /* that one */
	uint64_t hits;
	bool in_use,
		tail; /* tail: what comes last may have been hit: then it is as if it had not happened */
	bool tell;
	const char *save;
	struct crash_layer layer;
	char why[ORACLE_WHY_BYTES + 100];
};

/* ---- Hitting ---------------------------------------------------------------------------------------------- */

static bool is_in_use(const struct subject *s, uint64_t block)
{
	const struct lfs_anatomy *a = &s->anatomy;

	switch (a->kind[block]) {
	case ANATOMY_nothing:
	case ANATOMY_chunk:
	case ANATOMY_rest:
		return false;
	case ANATOMY_data:
	case ANATOMY_shared:
	case ANATOMY_itable:
	case ANATOMY_page:
	case ANATOMY_ptab:
	case ANATOMY_root:
		return a->live[block];
	case ANATOMY_table:
	case ANATOMY_owners:
		for (uint64_t b = block / a->segment_blocks * a->segment_blocks; b < block; b++)
			if (a->live[b])
				return true;
		return false;
	default:
		return true;
	}
}

/* Any block that means something, each kind as likely as another. */
static uint64_t pick(struct trial *t)
{
	const struct lfs_anatomy *a = &t->subject->anatomy;
	bool want_used = !rng_one_in(&t->rng, 16);

	for (;;) {
		enum anatomy_kind kind = (enum anatomy_kind)(1 +
							     rng_below(&t->rng, ANATOMY_COUNT - 1));

		for (int tries = 0; tries < 200; tries++) {
			uint64_t block = rng_below(&t->rng,
						   rng_one_in(&t->rng, 2) ? 64 : a->blocks);

			if (a->kind[block] == kind &&
			    (!want_used || is_in_use(t->subject, block) || kind == ANATOMY_chunk ||
			     kind == ANATOMY_rest))
				return block;
		}
	}
}

/* @older: what is there now was right once. */
static void note_hit(struct trial *t, uint64_t block, bool older)
{
	const struct lfs_anatomy *a = &t->subject->anatomy;
	uint8_t kind = a->kind[block];

	if (!memcmp(crash_layer_block(&t->layer, block),
		    crash_layer_block(&t->subject->ground.layer, block), BLOCK))
		return;
	if (!t->hits++) {
		t->kind = (enum anatomy_kind)kind;
		t->block = block;
	}
	/* A superblock or a checkpoint of before is sound. */
	if (!older || (kind != ANATOMY_super && kind != ANATOMY_checkpoint))
		t->in_use |= is_in_use(t->subject, block);
	t->tail |= kind == ANATOMY_checkpoint || !a->live[block];
}

static void put(struct trial *t, uint64_t block, const uint8_t *bytes, bool older)
{
	crash_layer_write(&t->layer, block * BLOCK, bytes, BLOCK);
	note_hit(t, block, older);
}

/* One block, by itself. */
static void hit_block(struct trial *t, enum damage damage)
{
	uint64_t block = pick(t), other = pick(t);
	uint8_t bytes[BLOCK];

	memcpy(bytes, crash_layer_block(&t->layer, block), BLOCK);
	switch (damage) {
	case DAMAGE_bit:
		bytes[rng_below(&t->rng, BLOCK)] ^= (uint8_t)(1u << rng_below(&t->rng, 8));
		break;
	case DAMAGE_bits:
		for (uint64_t i = 0, n = 2 + rng_below(&t->rng, 40); i < n; i++)
			bytes[rng_below(&t->rng, BLOCK)] ^= (uint8_t)(1u << rng_below(&t->rng, 8));
		break;
	case DAMAGE_sector:
		memset(bytes + rng_below(&t->rng, 8) * LFS_SECTOR_BYTES,
		       (int)rng_below(&t->rng, 256), LFS_SECTOR_BYTES);
		break;
	case DAMAGE_zeroes:
		memset(bytes, 0, BLOCK);
		break;
	case DAMAGE_garbage:
		for (size_t i = 0; i < BLOCK; i++)
			bytes[i] = (uint8_t)rng_u64(&t->rng);
		break;
	default:
		memcpy(bytes, crash_layer_block(&t->layer, other), BLOCK);
	}
	put(t, block, bytes, false);
}

/* What @block had before event @event of the record. */
static void read_before(const struct crash_disk *disk, size_t event, uint64_t block, uint8_t *bytes)
{
	memset(bytes, 0, BLOCK);
	while (event-- > 0) {
		const struct crash_event *e = &disk->events[event];

		if (e->kind == CRASH_WRITE && e->offset <= block * BLOCK &&
		    block * BLOCK < e->offset + e->len) {
			memcpy(bytes, e->data + (block * BLOCK - e->offset), BLOCK);
			return;
		}
	}
}

static bool written_after(const struct crash_disk *disk, size_t event, uint64_t block)
{
	while (++event < disk->n_events) {
		const struct crash_event *e = &disk->events[event];

		if (e->kind == CRASH_WRITE && e->offset <= block * BLOCK &&
		    block * BLOCK < e->offset + e->len)
			return true;
	}
	return false;
}

/* A write of which nothing, or only a part, arrived; or it arrived elsewhere. */
static void hit_write(struct trial *t, bool misdirected)
{
	const struct crash_disk *disk = &t->subject->ground.disk;
	size_t event = rng_below(&t->rng, disk->n_events), first, n;
	const struct crash_event *e = &disk->events[event];
	uint8_t bytes[BLOCK];

	if (e->kind != CRASH_WRITE)
		return;
	n = e->len / BLOCK;
	first = rng_one_in(&t->rng, 2) ? 0 : rng_below(&t->rng, n);
	n = rng_one_in(&t->rng, 2) ? n - first : 1 + rng_below(&t->rng, n - first);
	for (size_t i = first; i < first + n; i++) {
		uint64_t block = e->offset / BLOCK + i;

		if (written_after(disk, event, block))
			continue;
		read_before(disk, event, block, bytes);
		put(t, block, bytes, true);
	}
	if (misdirected) {
		uint64_t target = pick(t);

		if (target != e->offset / BLOCK + first)
			put(t, target, e->data + first * BLOCK, false);
	}
}

/* One hit may undo another. */
static bool is_undone(const struct trial *t)
{
	for (size_t i = 0; i < t->layer.n_touched; i++) {
		uint32_t block = t->layer.touched[i];

		if (memcmp(t->layer.own[block], crash_layer_block(&t->subject->ground.layer, block),
			   BLOCK) != 0)
			return false;
	}
	return true;
}

static void damage(struct trial *t)
{
	if (t->damage == DAMAGE_several)
		for (uint64_t i = 0, n = 2 + rng_below(&t->rng, 6); i < n; i++)
			hit_block(t, (enum damage)rng_below(&t->rng, DAMAGE_lost));
	else if (t->damage == DAMAGE_lost || t->damage == DAMAGE_misdirected)
		while (!t->hits)
			hit_write(t, t->damage == DAMAGE_misdirected);
	else
		while (!t->hits)
			hit_block(t, t->damage);
	if (is_undone(t))
		t->in_use = t->tail = false;
}

/* ---- Demands ----------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool lost(struct trial *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, args);
	va_end(args);
	return false;
}

static void on_finding(void *ctx, enum lfs_severity severity, const char *line)
{
	const struct trial *t = ctx;

	(void)severity;
	if (t->tell)
		printf("  found: %s\n", line);
}

/* Return: findings, or 1 for an error without one. */
static uint64_t check(struct trial *t, struct lfs_bdev *dev, bool repair)
{
	struct lfs_check_options opt = {
		.scrub = true, .repair = repair, .found = on_finding, .ctx = t
	};
	struct lfs_check_result result = { 0 };
	int rc = lfs_check(dev, &opt, &result);

	if (t->tell)
		printf("  lfs_check%s: %d, %" PRIu64 " findings\n", repair ? " with repair" : "",
		       rc, result.findings);
	return rc && !result.findings ? 1 : repair ? (uint64_t)(rc != 0) : result.findings;
}

static bool is_kept_twice(const struct trial *t)
{
	return t->hits == 1 && (t->kind == ANATOMY_super || t->kind == ANATOMY_checkpoint);
}

/* D1 */
static bool demand_found(struct trial *t)
{
	struct crash_layer above;
	struct crash_disk disk;
	uint64_t found;

	crash_layer_init(&above, t->layer.blocks * BLOCK, &t->layer);
	crash_disk_init(&disk, &above);
	found = check(t, &disk.dev, false);
	atomic_fetch_add(found ? &t->counts->found : &t->counts->harmless, 1);
	if (!found)
		atomic_fetch_add(&t->counts->unfound[t->kind], 1);
	CHECK(!above.n_touched, "lfs_check without repair wrote");
	crash_disk_destroy(&disk);
	crash_layer_destroy(&above);
	return found || !t->in_use || lost(t, "D1: a scrub does not find it");
}

/* Is the whole tree an earlier one? */
static bool is_earlier(struct trial *t, struct lfs *fs)
{
	const struct lfs_twin *twin = &t->subject->ground.world.twin;
	char why[ORACLE_WHY_BYTES];
	struct lfs_twin seen;
	uint32_t at;
	bool equal = t->tail && !lfs_oracle_observe(fs, &seen, why) &&
		     lfs_oracle_match(twin, &seen, 0, twin->op, &at, why);

	if (t->tail)
		lfs_twin_destroy(&seen);
	if (equal)
		atomic_fetch_add(&t->counts->earlier, 1);
	return equal;
}

/* D4: a bit of everything. */
static void use(struct lfs *fs, struct rng *rng)
{
	static const struct lfs_cred cred = { .umask = 022 };
	static const char *const names[] = { "a", "b", "f", "g", "new" };
	uint8_t bytes[3000] = { 1 };
	struct lfs_attr dir, attr;

	for (int i = 0; i < 12; i++) {
		const char *name = names[rng_below(rng, 5)];

		if (lfs_lookup(fs, LFS_ROOT_INO, names[rng_below(rng, 2)], &dir))
			continue;
		switch (rng_below(rng, 6)) {
		case 0:
			if (!lfs_create(fs, dir.ino, name, 0644, &cred, &attr))
				lfs_forget(fs, attr.ino, 1);
			break;
		case 1:
			lfs_unlink(fs, dir.ino, name);
			break;
		case 2:
			lfs_rename(fs, dir.ino, name, LFS_ROOT_INO, names[rng_below(rng, 5)], 0);
			break;
		case 3:
			lfs_tick(fs, true);
			break;
		default:
			if (lfs_lookup(fs, dir.ino, name, &attr))
				break;
			lfs_write(fs, attr.ino, bytes, sizeof(bytes), rng_below(rng, 60000), 0);
			lfs_fsync(fs, attr.ino, false);
			lfs_forget(fs, attr.ino, 1);
		}
		lfs_forget(fs, dir.ino, 1);
	}
}

/* D2, D3, D4 on @disk, which is used up. @twice: nothing may be an error (D5). */
static bool demand_right(struct trial *t, struct crash_disk *disk, bool twice)
{
	const struct lfs_twin *twin = &t->subject->ground.world.twin;
	struct tolerant_result result;
	struct lfs_world world;
	bool good = true;
	int rc;

	lfs_world_init(&world);
	rc = lfs_world_mount(&world, &disk->dev);
	if (t->tell)
		printf("  mount: %d (%s)\n", rc, world.log);
	if (rc) {
		atomic_fetch_add(&t->counts->refused, 1);
		good = !twice && world.log[0] ? true :
						lost(t, "D2: mount: %d (log: %s)", rc, world.log);
	} else {
		tolerant_walk(world.fs, twin, &result);
		if (t->tell)
			printf("  walk: %" PRIu64 " errors, %" PRIu64 " wrong: %s (log: %s)\n",
			       result.errors, result.wrong, result.wrong ? result.first : "-",
			       world.log);
		if (result.errors)
			atomic_fetch_add(&t->counts->errors, 1);
		if (result.wrong && !is_earlier(t, world.fs))
			good = lost(t, "D3: %s", result.first);
		else if (result.errors && !world.errors_logged)
			good = lost(t, "D3: -EIO, and nothing in the log");
		else if (twice && (result.errors || result.wrong))
			good = lost(t, "D5: %s", result.wrong ? result.first : world.log);
		use(world.fs, &t->rng);
		rc = lfs_unmount(world.fs);
		if (t->tell)
			printf("  unmount: %d\n", rc);
	}
	lfs_world_destroy(&world);
	return good;
}

/* D5: repaired, then sound. */
static bool demand_healed(struct trial *t)
{
	struct crash_layer above;
	struct crash_disk disk;
	bool good;

	crash_layer_init(&above, t->layer.blocks * BLOCK, &t->layer);
	crash_disk_init(&disk, &above);
	if (check(t, &disk.dev, true))
		good = lost(t, "D5: cannot be repaired");
	else if (check(t, &disk.dev, false))
		good = lost(t, "D5: repaired, and not sound");
	else
		good = demand_right(t, &disk, true);
	if (good)
		atomic_fetch_add(&t->counts->healed, 1);
	crash_disk_destroy(&disk);
	crash_layer_destroy(&above);
	return good;
}

static bool run_trial(struct trial *t)
{
	struct crash_layer above;
	struct crash_disk disk;
	bool good;

	rng_init(&t->rng, harness_seed(), t->number);
	t->subject = &subjects[rng_below(&t->rng, SUBJECTS)];
	t->damage = (enum damage)rng_below(&t->rng, DAMAGE_COUNT);
	crash_layer_init(&t->layer, t->subject->ground.layer.blocks * BLOCK,
			 &t->subject->ground.layer);
	damage(t);
	if (t->tell)
		printf("image %zu: %s, %" PRIu64 " blocks hit, the first %" PRIu64 " (%s)%s%s\n",
		       (size_t)(t->subject - subjects), damage_names[t->damage], t->hits, t->block,
		       anatomy_names[t->kind], t->in_use ? ", in use" : "",
		       t->tail ? ", or what comes last" : "");
	if (t->save)
		crash_layer_save(&t->layer, t->save);
	atomic_fetch_add(&t->counts->by_damage[t->damage], 1);
	atomic_fetch_add(&t->counts->by_kind[t->kind], 1);
	crash_layer_init(&above, t->layer.blocks * BLOCK, &t->layer);
	crash_disk_init(&disk, &above);
	good = demand_found(t) && demand_right(t, &disk, is_kept_twice(t)) &&
	       (!is_kept_twice(t) || demand_healed(t));
	crash_disk_destroy(&disk);
	crash_layer_destroy(&above);
	crash_layer_destroy(&t->layer);
	atomic_fetch_add(&t->counts->trials, 1);
	if (!good)
		atomic_fetch_add(&t->counts->lost, 1);
	return good;
}

/* ---- Subjects and workers -------------------------------------------------------------------------------------- */

static void make_subjects(void)
{
	for (size_t i = 0; i < SUBJECTS; i++) {
		struct subject *s = &subjects[i];
		uint64_t bytes;
		uint8_t *flat;

		ground_make(&s->ground, subject_grounds[i]);
		bytes = s->ground.layer.blocks * BLOCK;
		flat = malloc(bytes);
		CHECK(flat, "no memory");
		crash_layer_read(&s->ground.layer, 0, flat, bytes);
		CHECK(lfs_anatomy_read(&s->anatomy, flat, bytes),
		      "a sound image that cannot be read");
		free(flat);
	}
}

struct job {
	struct damage_counts *counts;
	uint64_t trials;
};

static void work(void *ctx, char *current)
{
	struct job *job = ctx;
	uint64_t number;

	make_subjects();
	while (!atomic_load(&job->counts->stop) &&
	       (number = atomic_fetch_add(&job->counts->next, 1)) < job->trials) {
		struct trial t = { .number = number, .counts = job->counts };

		snprintf(current, WORKERS_ID_BYTES, "%" PRIu64, number);
		harness_step("damage, trial", number);
		workers_watch(TRIAL_SECONDS);
		if (run_trial(&t))
			continue;
		if (!job->counts->first[0])
			snprintf(job->counts->first, sizeof(job->counts->first),
				 "%" PRIu64 ": %.250s", number, t.why);
		if (!job->counts->quiet)
			printf("%" PRIu64 ": %s of block %" PRIu64 " (%s): %s\n", number,
			       damage_names[t.damage], t.block, anatomy_names[t.kind], t.why);
		atomic_store(&job->counts->stop, job->counts->quiet);
	}
}

static void show_progress(void *ctx)
{
	const struct job *job = ctx;

	if (isatty(STDERR_FILENO) && !job->counts->quiet)
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " trials, %" PRIu64 " lost   ",
			job->counts->trials, job->trials, job->counts->lost);
}

struct damage_counts *damage_run(uint64_t trials, int jobs, bool quiet)
{
	struct damage_counts *counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct job job = { .counts = counts, .trials = trials };
	struct workers workers = { .jobs = jobs,
				   .most_deaths = quiet ? 1 : 40,
				   .quiet = quiet,
				   .work = work,
				   .progress = show_progress,
				   .ctx = &job };

	CHECK(counts != MAP_FAILED, "mmap");
	workers.first = counts->first;
	counts->quiet = quiet;
	atomic_fetch_add(&counts->lost, workers_run(&workers));
	return counts;
}

void damage_free(struct damage_counts *counts)
{
	munmap(counts, sizeof(*counts));
}

bool damage_replay(uint64_t number, const char *save)
{
	static struct damage_counts counts;
	struct trial t = { .counts = &counts, .number = number, .tell = true, .save = save };

	make_subjects();
	if (run_trial(&t))
		return true;
	printf("%" PRIu64 ": %s\n", number, t.why);
	return false;
}
