/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The user-space half of kernel/test/exchange.c:
 *
 *     images make FOLDER      SHAPE.user for every shape of keys.h
 *     images check FOLDER     SHAPE.kernel, what the kernel gave back, opens and is the same bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "images.h"
#include "keys.h"
#include "same.h"

#define EXCHANGED_RUNS 5000 /* as in kernel/test/exchange.c */

static FILE *open_file(const char *folder, enum shape shape, const char *end, const char *mode)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", folder, shape_name(shape), end);
	file = fopen(path, mode);
	CHECK(file, "%s does not open", path);
	return file;
}

static void make(const char *folder, enum shape shape, const struct image *im)
{
	FILE *file = open_file(folder, shape, "user", "w");

	CHECK(fwrite(im->bytes, 1, im->len, file) == im->len && !fclose(file), "%s: write",
	      shape_name(shape));
}

static void check(const char *folder, enum shape shape, const struct image *im,
		  const struct twin *t)
{
	FILE *file = open_file(folder, shape, "kernel", "r");
	struct image back = { 0 };
	struct lindex_pool *pool;
	struct lindex *ix;

	image_set(&back, im->bytes, im->len);
	memset(back.bytes, 0, back.len);
	CHECK(fread(back.bytes, 1, back.len, file) == back.len && fgetc(file) == EOF,
	      "%s: not %zu bytes", shape_name(shape), im->len);
	fclose(file);
	CHECK(image_equal(&back, im), "%s: other bytes", shape_name(shape));
	CHECK(lindex_pool_create(NULL, &pool) == 0, "pool");
	CHECK(lindex_open_image(pool, back.bytes, back.len, NULL, NULL, NULL, &ix) == 0, "open");
	assert_same(ix, t);
	lindex_free(ix);
	CHECK(lindex_pool_free(pool) == 0, "pool");
	image_destroy(&back);
}

int main(int argc, char **argv)
{
	bool makes = argc == 3 && !strcmp(argv[1], "make");

	if (argc != 3 || (!makes && strcmp(argv[1], "check") != 0)) {
		fprintf(stderr, "usage: images make|check FOLDER\n");
		return 2;
	}
	for (unsigned int shape = 0; shape < SHAPE_COUNT; shape++) {
		struct image im = { 0 };
		struct twin twin;
		struct rng rng;

		harness_step(shape_name((enum shape)shape), 0);
		rng_init(&rng, 1, shape);
		twin_init(&twin);
		shape_make((enum shape)shape, EXCHANGED_RUNS, &rng, &twin);
		image_of(&im, &twin, 0, 0);
		if (makes)
			make(argv[2], (enum shape)shape, &im);
		else
			check(argv[2], (enum shape)shape, &im, &twin);
		image_destroy(&im);
		twin_destroy(&twin);
	}
	return 0;
}
