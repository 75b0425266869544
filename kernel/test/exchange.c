// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Images across the border. The parameter images=FOLDER names a folder where user space (tests/kernel/images.c) has
 * put SHAPE.user for every shape of keys.h. Each has to open here with the contents that the shape has, and to be
 * what this kernel saves, byte for byte; what it saves goes back as SHAPE.kernel.
 */
#include <linux/fs.h>
#include <linux/kernel_read_file.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "criterion/criterion.h"
#include "images.h"
#include "keys.h"
#include "same.h"

#define EXCHANGED_RUNS 5000 /* as in tests/kernel/images.c */

static char *images = "";
module_param(images, charp, 0444);
MODULE_PARM_DESC(images, "folder with images made in user space");

static void path_of(char *path, size_t room, enum shape shape, const char *end)
{
	snprintf(path, room, "%s/%s.%s", images, shape_name(shape), end);
}

static void take_in(struct image *im, enum shape shape)
{
	void *bytes = NULL;
	char path[256];
	ssize_t len;

	path_of(path, sizeof(path), shape, "user");
	len = kernel_read_file_from_path(path, 0, &bytes, INT_MAX, NULL, READING_UNKNOWN);
	CHECK(len > 0, "%s: %zd", path, len);
	image_set(im, bytes, len);
	vfree(bytes);
}

static void give_back(const struct image *im, enum shape shape)
{
	struct file *file;
	char path[256];
	loff_t at = 0;

	path_of(path, sizeof(path), shape, "kernel");
	file = filp_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(!IS_ERR(file), "%s: %ld", path, PTR_ERR(file));
	CHECK(kernel_write(file, im->bytes, im->len, &at) == im->len, "%s", path);
	CHECK(filp_close(file, NULL) == 0, "%s", path);
}

static void exchange(enum shape shape)
{
	struct image theirs = {}, ours = {};
	struct lindex_reason why = {};
	struct lindex_cert cert;
	struct lindex_pool *pool;
	struct lindex *ix;
	struct twin twin;
	struct rng rng;
	int err;

	harness_step(shape_name(shape), 0);
	rng_init(&rng, 1, shape);
	twin_init(&twin);
	shape_make(shape, EXCHANGED_RUNS, &rng, &twin);
	take_in(&theirs, shape);
	CHECK(lindex_pool_create(NULL, &pool) == 0, "pool");
	err = lindex_open_image(pool, theirs.bytes, theirs.len, NULL, &cert, &why, &ix);
	CHECK(err == 0, "open is %d: %s at %llu", err, why.text, why.offset);
	CHECK(cert.runs == twin.n, "%llu runs, not %zu", cert.runs, twin.n);
	assert_same(ix, &twin);
	lindex_free(ix);
	image_of(&ours, &twin, 0, 0);
	CHECK(image_equal(&ours, &theirs), "%zu bytes here, %zu there, or others", ours.len,
	      theirs.len);
	give_back(&ours, shape);
	CHECK(lindex_pool_free(pool) == 0, "pool");
	image_destroy(&ours);
	image_destroy(&theirs);
	twin_destroy(&twin);
}

Test(exchange, images_of_user_space_and_kernel_are_the_same_bytes)
{
	enum shape shape;

	if (!*images)
		cr_skip_test("images= names no folder");
	for (shape = 0; shape < SHAPE_COUNT; shape++)
		exchange(shape);
}
