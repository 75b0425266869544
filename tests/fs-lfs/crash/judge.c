/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "workers.h"

#define NESTED_MOST   12u /* images of one second crash */
#define WATCH_SECONDS 30u /* of the processor for one state: then it hangs */
#define MORE_STEPS    5u

struct promise {
	size_t events; /* this many had been issued */
	uint32_t oldest;
};

/* A world on a recording disk: what a trace runs on, and what is done after a crash. */
struct stage {
	struct lfs_world *world;
	struct crash_disk disk;
	struct promise *promises;
	size_t n_promises, room;
};

struct judge {
	const struct judge_plan *plan;
	struct judge_counts *counts;
	struct trace trace;
	struct judge_id id;
	char why[ORACLE_WHY_BYTES + 200];
};

/* ---- Ids ----------------------------------------------------------------------------------------------- */

bool judge_id_parse(struct judge_id *id, const char *text)
{
	const char *dot = strchr(text, '.');
	int n;

	memset(id, 0, sizeof(*id));
	if (!dot)
		return false;
	while (id->kind < TRACE_KIND_COUNT &&
	       (strlen(trace_kind_names[id->kind]) != (size_t)(dot - text) ||
		strncmp(trace_kind_names[id->kind], text, (size_t)(dot - text)) != 0))
		id->kind++;
	n = sscanf(dot, ".%" SCNu64 ".%" SCNu32 ".%" SCNu32 ".%" SCNu32 ".%" SCNu32, &id->index,
		   &id->epoch, &id->number, &id->epoch2, &id->number2);
	id->twice = n == 5;
	return id->kind < TRACE_KIND_COUNT && (n == 3 || n == 5);
}

static void id_text(const struct judge_id *id, char *text)
{
	int n = snprintf(text, JUDGE_ID_BYTES, "%s.%" PRIu64 ".%" PRIu32 ".%" PRIu32,
			 trace_kind_names[id->kind], id->index, id->epoch, id->number);

	if (id->twice)
		snprintf(text + n, JUDGE_ID_BYTES - (size_t)n, ".%" PRIu32 ".%" PRIu32, id->epoch2,
			 id->number2);
}

static bool lost(struct judge *j, const char *rule, const char *what, const char *why)
{
	snprintf(j->why, sizeof(j->why), "%s: %.80s: %.600s", rule, what, why);
	return false;
}

/* ---- Stages -------------------------------------------------------------------------------------------- */

static void on_step(void *ctx, uint32_t op)
{
	struct stage *stage = ctx;

	crash_disk_mark(&stage->disk, op);
}

static void on_sync(void *ctx, uint32_t promise)
{
	struct stage *stage = ctx;

	if (stage->n_promises == stage->room) {
		stage->room = stage->room ? 2 * stage->room : 32;
		stage->promises = realloc(stage->promises, stage->room * sizeof(*stage->promises));
		CHECK(stage->promises, "no memory");
	}
	stage->promises[stage->n_promises++] = (struct promise){ .events = stage->disk.n_events,
								 .oldest = promise };
}

static void stage_init(struct stage *stage, struct lfs_world *world, struct crash_layer *layer)
{
	memset(stage, 0, sizeof(*stage));
	stage->world = world;
	crash_disk_init(&stage->disk, layer);
	stage->disk.recording = true;
	world->before = on_step;
	world->synced = on_sync;
	world->ctx = stage;
}

static void stage_destroy(struct stage *stage)
{
	crash_disk_destroy(&stage->disk);
	free(stage->promises);
}

/* The oldest operation that may be found once @events were issued. */
static uint32_t oldest_after(const struct stage *stage, size_t events)
{
	uint32_t oldest = 0;

	for (size_t i = 0; i < stage->n_promises && stage->promises[i].events <= events; i++)
		oldest = stage->promises[i].oldest;
	return oldest;
}

/* ---- One image ------------------------------------------------------------------------------------------ */

struct findings {
	bool tell;
	uint64_t n;
	char first[300];
};

static void on_finding(void *ctx, enum lfs_severity severity, const char *line)
{
	struct findings *f = ctx;

	(void)severity;
	if (f->tell)
		printf("    found: %s\n", line);
	if (!f->n++)
		snprintf(f->first, sizeof(f->first), "%s", line);
}

/* J1 */
static bool judge_check(struct judge *j, struct crash_disk *disk, const char *when, bool scrub)
{
	struct findings found = { .tell = j->plan->only };
	struct lfs_check_options opt = { .scrub = scrub, .found = on_finding, .ctx = &found };
	struct lfs_check_result result = { 0 };
	size_t events = disk->n_events, touched = disk->layer->n_touched;
	int rc = lfs_check(&disk->dev, &opt, &result);

	if (rc && !found.n)
		snprintf(found.first, sizeof(found.first), "lfs_check: %d", rc);
	if (rc || found.n)
		return lost(j, "J1", when, found.first);
	if (disk->n_events != events || disk->layer->n_touched != touched)
		return lost(j, "J1", when, "lfs_check wrote");
	return true;
}

/* J2, J3, J4. The world gets what was found as its twin. */
static bool judge_tree(struct judge *j, struct stage *stage, const struct lfs_twin *twin,
		       uint32_t oldest, uint32_t newest)
{
	char why[ORACLE_WHY_BYTES] = "";
	uint64_t reads = stage->disk.blocks_read, most;
	struct lfs_stats stats = { 0 };
	struct lfs_twin seen;
	uint32_t at = 0;
	bool equal;
	int rc = lfs_world_mount(stage->world, &stage->disk.dev);

	if (rc) {
		snprintf(why, sizeof(why), "%d (%s): %.300s", rc, strerror(-rc), stage->world->log);
		return lost(j, "J2", "mount", why);
	}
	reads = stage->disk.blocks_read - reads;
	most = atomic_load(&j->counts->most_mount_reads);
	while (reads > most &&
	       !atomic_compare_exchange_weak(&j->counts->most_mount_reads, &most, reads))
		;
	rc = lfs_oracle_observe(stage->world->fs, &seen, why);
	if (rc) {
		size_t n = strlen(why);

		snprintf(why + n, sizeof(why) - n, " (log: %.200s)", stage->world->log);
		lfs_twin_destroy(&seen);
		return lost(j, "J3", "walk", why);
	}
	equal = lfs_oracle_match(twin, &seen, oldest, newest, &at, why);
	if (equal) {
		lfs_get_stats(stage->world->fs, &stats);
		if (stats.inodes != seen.n_nodes) {
			snprintf(why, sizeof(why), "%" PRIu64 " inodes are counted, %zu have names",
				 stats.inodes, seen.n_nodes);
			lfs_twin_destroy(&seen);
			return lost(j, "J4", "orphans", why);
		}
		lfs_world_adopt(stage->world, &seen);
	} else {
		lfs_twin_destroy(&seen);
	}
	return equal || lost(j, "J3", "tree", why);
}

/* J5 */
static bool judge_use(struct judge *j, struct stage *stage, uint64_t seed)
{
	char why[ORACLE_WHY_BYTES];
	struct rng rng;
	int rc;

	rng_init(&rng, seed, 5);
	for (uint32_t i = 0; i < MORE_STEPS; i++) {
		struct lfs_step step = lfs_world_random_step(&rng, 4);

		if (j->plan->only) {
			char text[200];

			lfs_step_text(&step, text, sizeof(text));
			printf("  then %u: %s\n", stage->world->twin.op + 1, text);
		}
		lfs_world_do(stage->world, &step);
	}
	if (!lfs_world_compare(stage->world, why))
		return lost(j, "J5", "in use", why);
	rc = lfs_world_unmount(stage->world);
	if (rc)
		return lost(j, "J5", "unmount", strerror(-rc));
	/* What was unmounted is promised. */
	on_sync(stage, stage->world->twin.op);
	rc = lfs_world_mount(stage->world, &stage->disk.dev);
	if (rc)
		return lost(j, "J5", "mount again", stage->world->log);
	if (!lfs_world_compare(stage->world, why))
		return lost(j, "J5", "after remounting", why);
	lfs_world_abort(stage->world);
	return judge_check(j, &stage->disk, "after use", true);
}

static bool judge_again(struct judge *j, struct stage *stage, const struct crash_layer *base);

/* @newest: the last operation of which anything can be there. */
static bool judge_state(struct judge *j, const struct crash_layer *state,
			const struct lfs_twin *twin, uint32_t oldest, uint32_t newest,
			bool crash_again)
{
	struct crash_layer after;
	struct lfs_world world;
	struct stage stage;
	bool good;

	crash_layer_init(&after, state->blocks * LFS_BLOCK_BYTES, state);
	lfs_world_init(&world);
	world.may_be_full = true;
	stage_init(&stage, &world, &after);
	world.tell = j->plan->only;
	world.clock = (j->id.twice ? 200 : 100) *
		      INT64_C(86400); /* later than all before the crash */
	stage.disk.recording = crash_again;
	good = judge_check(j, &stage.disk, "before mounting", false) &&
	       judge_tree(j, &stage, twin, oldest, newest);
	if (good)
		good = judge_use(j, &stage,
				 j->plan->seed ^
					 (j->id.index << 20 ^ j->id.epoch << 10 ^ j->id.number));
	lfs_world_abort(&world);
	if (good && crash_again)
		good = judge_again(j, &stage, state);
	stage_destroy(&stage);
	lfs_world_destroy(&world);
	crash_layer_destroy(&after);
	return good;
}

static void tell(const struct judge *j, const struct crash_sweep *sweep, const struct stage *stage)
{
	if (!j->plan->only)
		return;
	printf("  crash: epoch %u (events %zu to %zu of %zu), %s; operations [%u, %u] may be "
	       "found\n",
	       sweep->image.epoch, sweep->begin, sweep->end, stage->disk.n_events, sweep->image.how,
	       oldest_after(stage, sweep->image.end), sweep->image.newest);
	for (size_t i = 0; i < sweep->n_writes; i++) {
		const struct crash_event *e = &stage->disk.events[sweep->writes[i]];

		printf("    write %zu, of operation %u: blocks %" PRIu64 "+%" PRIu64 "%s\n", i,
		       e->mark, e->offset / LFS_BLOCK_BYTES, e->len / LFS_BLOCK_BYTES,
		       e->kind == CRASH_DISCARD ? " (discard)" : "");
	}
}

static void note_current(struct judge *j)
{
	workers_watch(WATCH_SECONDS);
	id_text(&j->id, j->plan->current);
	harness_step(j->plan->current, 0);
}

static bool judge_image(struct judge *j, const struct crash_sweep *sweep, const struct stage *stage,
			bool crash_again)
{
	uint32_t oldest = oldest_after(stage, sweep->image.end), newest = sweep->image.newest;

	if (j->id.twice) {
		j->id.epoch2 = sweep->image.epoch;
		j->id.number2 = sweep->image.number;
		atomic_fetch_add(&j->counts->nested, 1);
	} else {
		j->id.epoch = sweep->image.epoch;
		j->id.number = sweep->image.number;
	}
	note_current(j);
	tell(j, sweep, stage);
	if (j->plan->save && j->id.twice == j->plan->only->twice)
		crash_layer_save(&sweep->state, j->plan->save);
	atomic_fetch_add(&j->counts->states, 1);
	atomic_fetch_add(&j->counts->by_kind[j->id.kind], 1);
	return judge_state(j, &sweep->state, &stage->world->twin, oldest,
			   newest > oldest ? newest : oldest, crash_again);
}

/* J6. @base: the image that the stage began on. */
static bool judge_again(struct judge *j, struct stage *stage, const struct crash_layer *base)
{
	const struct judge_id *only = j->plan->only;
	struct crash_sweep sweep;
	uint32_t stride = (uint32_t)(stage->disk.n_events / 2 + 1), i = 0, n = 0;
	bool good = true;

	if (only && !only->twice)
		return true;
	crash_sweep_init(&sweep, &stage->disk, base, &crash_budget_short, j->plan->seed + 1);
	j->id.twice = true;
	if (only) {
		CHECK(crash_sweep_seek(&sweep, only->epoch2, only->number2), "no such state");
		good = judge_image(j, &sweep, stage, false);
	} else {
		/* Spread over the record; which ones depends on the first crash. */
		while (good && n < NESTED_MOST && crash_sweep_next(&sweep))
			if ((i++ + j->id.number) % stride == 0 && ++n)
				good = judge_image(j, &sweep, stage, false);
	}
	if (good)
		j->id.twice = false;
	crash_sweep_destroy(&sweep);
	return good;
}

/* ---- One trace ------------------------------------------------------------------------------------------- */

static void run_trace(struct judge *j, struct stage *stage)
{
	struct lfs_world *world = stage->world;
	char why[ORACLE_WHY_BYTES] = "";

	world->options.discard = j->trace.discard;
	CHECK(!lfs_world_mount(world, &stage->disk.dev), "mount: %s", world->log);
	for (size_t i = 0; i < j->trace.n; i++) {
		char text[200];

		if (j->plan->only) {
			lfs_step_text(&j->trace.steps[i], text, sizeof(text));
			printf("  %u (event %zu): %s\n", world->twin.op + 1, stage->disk.n_events,
			       text);
		}
		harness_step(j->plan->current, i);
		lfs_world_do(world, &j->trace.steps[i]);
	}
	CHECK(lfs_world_compare(world, why), "before any crash: %s", why);
	if (j->trace.unmount) {
		CHECK(!lfs_world_unmount(world), "unmount: %s", world->log);
		on_sync(stage, world->twin.op);
	}
	lfs_world_abort(world);
	atomic_fetch_add(&j->counts->steps, j->trace.n);
	atomic_fetch_add(&j->counts->full, world->full);
	world->full = 0;
}

/* How many images the whole record would make, roughly. */
static uint64_t images_of(const struct crash_disk *disk, const struct crash_budget *budget)
{
	uint64_t sum = 0, writes = 0;

	for (size_t i = 0; i <= disk->n_events; i++) {
		if (i < disk->n_events && disk->events[i].kind != CRASH_FLUSH) {
			writes++;
			continue;
		}
		sum += writes <= CRASH_ALL_SUBSETS ?
			       ((uint64_t)1 << writes) + (writes ? budget->torn : 0) :
			       2 * (writes < budget->prefixes ? writes : budget->prefixes) +
				       budget->random + budget->torn;
		writes = 0;
	}
	return sum;
}

static bool sweep_all(struct judge *j, struct crash_sweep *sweep, const struct stage *stage)
{
	const struct judge_plan *plan = j->plan;
	/* States of large trees cost ten times as much. */
	bool large = j->id.kind == TRACE_clean || j->id.kind == TRACE_many;
	uint64_t images = images_of(&stage->disk, &sweep->budget),
		 most = large ? plan->most / 4 + 1 : plan->most;
	struct rng rng;

	rng_init(&rng, plan->seed, j->id.index * TRACE_KIND_COUNT + j->id.kind);
	while (crash_sweep_next(sweep)) {
		uint64_t draw = rng_u64(&rng);

		if (images > most && draw % images >= most) {
			atomic_fetch_add(&j->counts->passed_over, 1);
			continue;
		}
		if (!judge_image(j, sweep, stage, plan->nested && (draw >> 32) % plan->nested == 0))
			return false;
		if (atomic_load(&j->counts->states) >= plan->limit || atomic_load(&j->counts->stop))
			break;
	}
	atomic_fetch_add(&j->counts->repeated, sweep->repeated);
	return true;
}

bool judge_trace(enum trace_kind kind, uint64_t index, const struct judge_plan *plan,
		 struct judge_counts *counts, char *why, size_t room)
{
	static struct judge j;
	struct crash_layer live;
	struct crash_sweep sweep;
	struct stage stage;
	struct ground *ground;
	bool good;

	memset(&j, 0, sizeof(j));
	j.plan = plan;
	j.counts = counts;
	j.id = (struct judge_id){ .kind = kind, .index = index };
	note_current(&j);
	trace_make(&j.trace, kind, index, plan->seed);
	ground = ground_get(j.trace.ground);
	lfs_twin_rewind(&ground->world.twin, 0);
	ground->world.promise = 0;
	crash_layer_init(&live, ground->layer.blocks * LFS_BLOCK_BYTES, &ground->layer);
	stage_init(&stage, &ground->world, &live);
	run_trace(&j, &stage);
	crash_sweep_init(&sweep, &stage.disk, &ground->layer,
			 kind == TRACE_two ? &crash_budget_short : &crash_budget_full,
			 plan->seed + index);
	if (plan->only) {
		good = crash_sweep_seek(&sweep, plan->only->epoch, plan->only->number);
		CHECK(good, "no such state: that was another seed, or another engine");
		good = judge_image(&j, &sweep, &stage, plan->only->twice);
	} else {
		good = sweep_all(&j, &sweep, &stage);
	}
	if (!good) {
		char text[JUDGE_ID_BYTES];

		id_text(&j.id, text);
		snprintf(why, room, "%s: %s", text, j.why);
		atomic_fetch_add(&counts->lost, 1);
	}
	atomic_fetch_add(&counts->traces, 1);
	crash_sweep_destroy(&sweep);
	stage_destroy(&stage);
	crash_layer_destroy(&live);
	return good;
}
