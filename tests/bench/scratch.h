/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A folder for one test, and files in it. /var/tmp: unlike /tmp, it is on a disk as a rule.
 */
#ifndef TESTS_BENCH_SCRATCH_H
#define TESTS_BENCH_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "dataset.h"

static char scratch_dir[128];

static inline void scratch_open(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch_dir, sizeof(scratch_dir), "%s/lindex-data-XXXXXX",
		 tmp && strlen(tmp) < 64 ? tmp : "/var/tmp");
	CHECK(mkdtemp(scratch_dir), "%s", scratch_dir);
}

static inline int scratch_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static inline void scratch_close(void)
{
	if (!scratch_dir[0])
		return;
	CHECK(!nftw(scratch_dir, scratch_remove, 16, FTW_DEPTH | FTW_PHYS), "%s", scratch_dir);
	scratch_dir[0] = 0;
}

struct scratch_path {
	char text[512];
};

static inline struct scratch_path scratch_path(const char *name)
{
	struct scratch_path path;

	snprintf(path.text, sizeof(path.text), "%s/%s", scratch_dir, name);
	return path;
}

static inline struct scratch_path scratch_write(const char *name, const void *bytes, size_t len)
{
	struct scratch_path path = scratch_path(name);
	FILE *out;

	(void)unlink(path.text); /* ext4 waits for the disk where a file is written anew */
	out = fopen(path.text, "w");
	CHECK(out && fwrite(bytes, 1, len, out) == len && !fclose(out), "%s", path.text);
	return path;
}

/** well_formed() - What dataset.h promises of every set. */
static inline void well_formed(const struct dataset *d)
{
	uint64_t keys = 0;

	CHECK(d->n && d->name, "%zu runs", d->n);
	for (size_t i = 0; i < d->n; i++) {
		const struct lindex_run *run = &d->runs[i], *before = i ? run - 1 : NULL;

		CHECK(run->first <= run->last && run->step <= 1 && run->mapped == 1, "run %zu", i);
		CHECK(!before || before->last < run->first, "run %zu is not behind the last", i);
		CHECK(!before || before->last + 1 != run->first || before->tag != run->tag ||
			      before->step != run->step ||
			      lindex_value(before, run->first) != run->value ||
			      (run->step && !run->value),
		      "runs %zu and %zu are one", i - 1, i);
		CHECK(!run->step || run->value + (run->last - run->first) >= run->value,
		      "run %zu wraps", i);
		keys += run->last - run->first + 1;
	}
	CHECK(d->keys == keys, "%llu keys", (unsigned long long)d->keys);
	CHECK(d->space == d->runs[d->n - 1].last + (d->runs[d->n - 1].last != UINT64_MAX),
	      "space %llu", (unsigned long long)d->space);
}

/** same_run() - In every field; what is between fields does not count. */
static inline bool same_run(const struct lindex_run *a, const struct lindex_run *b)
{
	return a->first == b->first && a->last == b->last && a->value == b->value &&
	       a->tag == b->tag && a->step == b->step && a->mapped == b->mapped;
}

static inline bool same_runs(const struct dataset *a, const struct dataset *b)
{
	if (a->n != b->n || a->keys != b->keys || a->space != b->space)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same_run(&a->runs[i], &b->runs[i]))
			return false;
	return true;
}

/** loaded() - It has to load. */
static inline struct dataset loaded(const char *spec, uint64_t seed)
{
	char why[DATASET_WHY_BYTES] = "";
	struct dataset d;
	int err = dataset_load(spec, seed, &d, why);

	CHECK(!err, "%s: %d: %s", spec, err, why);
	well_formed(&d);
	return d;
}

/** refused() - It must not load, with @err, and with a line of which @part is a part. */
static inline void refused(const char *spec, int want, const char *part)
{
	char why[DATASET_WHY_BYTES] = "";
	struct dataset d = { .n = 4711 };
	int err = dataset_load(spec, 1, &d, why);

	CHECK(err == want && d.n == 4711, "%s: %d: %s", spec, err, why);
	CHECK(strstr(why, part) && !strchr(why, '\n'), "%s: expected \"%s\", found \"%s\"", spec,
	      part, why);
}

#endif
