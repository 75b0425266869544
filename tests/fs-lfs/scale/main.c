/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scale.h"

static const struct lfs_cred cred = { .umask = 022 };
static int missed;

double scale_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_up(struct scale *s, uint64_t cap_bytes)
{
	struct lfs_mount_options opt = { .cap_bytes = cap_bytes };

	CHECK(!lfs_mount(s->dev, &opt, &s->fs), "mount");
}

void scale_open(struct scale *s, uint64_t bytes, uint64_t cap_bytes)
{
	CHECK(!lfs_bdev_mem_create(bytes, &s->dev), "no memory");
	CHECK(!lfs_format(s->dev, NULL), "format");
	put_up(s, cap_bytes);
	s->buf = malloc(MIB);
	CHECK(s->buf, "no memory");
	memset(s->buf, 'x', MIB);
	rng_init(&s->rng, harness_seed(), 1);
}

double scale_remount(struct scale *s, uint64_t cap_bytes)
{
	double begin;

	CHECK(!lfs_unmount(s->fs), "unmount");
	begin = scale_now();
	put_up(s, cap_bytes);
	return scale_now() - begin;
}

void scale_close(struct scale *s)
{
	CHECK(!lfs_unmount(s->fs), "unmount");
	lfs_bdev_close(s->dev);
	free(s->buf);
}

struct lfs_stats scale_stats(const struct scale *s)
{
	struct lfs_stats stats;

	lfs_get_stats(s->fs, &stats);
	return stats;
}

lfs_ino_t scale_make(struct scale *s, const char *name)
{
	struct lfs_attr attr;

	CHECK(!lfs_create(s->fs, LFS_ROOT_INO, name, 0644, &cred, &attr), "create %s", name);
	return attr.ino;
}

void scale_bar(const char *what, double figure, double bar, const char *unit)
{
	bool met = figure <= bar;

	missed += !met;
	printf("%-52s %10.3f %-8s  bar %g: %s\n", what, figure, unit, bar, met ? "met" : "MISSED");
}

void scale_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("    ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

static const struct {
	const char *name, *what;
	void (*run)(struct scale *s);
} parts[] = {
	{ "amplify", "blocks written for one, four fifths live", scale_amplify },
	{ "fragments", "a file of a million extents", scale_fragments },
	{ "extents", "an image with ten million extents", scale_extents },
	{ "files", "an image with a million files", scale_files },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static int usage(FILE *to)
{
	fprintf(to,
		"usage: lfs-scale [--quick] [PART...]\n"
		"Bars that want size: each with its figure. Exit status: how many were missed.\n");
	for (size_t i = 0; i < PARTS; i++)
		fprintf(to, "  %-10s %s\n", parts[i].name, parts[i].what);
	fprintf(to, "  --quick    a tenth of the size\n");
	return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	bool chosen[PARTS] = { false }, any = false;
	struct scale s = { .quick = false };

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		size_t p = 0;

		if (!strcmp(argv[i], "--help"))
			return usage(stdout);
		if (!strcmp(argv[i], "--quick")) {
			s.quick = true;
			continue;
		}
		while (p < PARTS && strcmp(argv[i], parts[p].name) != 0)
			p++;
		if (p == PARTS)
			return usage(stderr);
		chosen[p] = any = true;
	}
	for (size_t p = 0; p < PARTS; p++)
		if (!any || chosen[p])
			parts[p].run(&s);
	return missed;
}
