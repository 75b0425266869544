/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whole images in, and out.
 */
#include "tool.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_ALIGN 64u

static int write_bytes(void *ctx, const void *bytes, size_t len)
{
	return fwrite(bytes, 1, len, ctx) == len ? 0 : -EIO;
}

struct lindex_sink sink_to(FILE *out)
{
	return (struct lindex_sink){ .write = write_bytes, .ctx = out };
}

/* ---- In ---------------------------------------------------------------------------------------- */

static int read_all(FILE *in, const char *path, struct image *image)
{
	struct stat st;
	size_t len;

	if (fstat(fileno(in), &st))
		return complain("%s: cannot read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain("%s: expected an image in a regular file, found a %s", path,
				S_ISDIR(st.st_mode) ? "directory" : "special file");
	if ((uint64_t)st.st_size > SIZE_MAX / 2)
		return no_memory();
	len = (size_t)st.st_size;
	image->bytes = aligned_alloc(IMAGE_ALIGN, (len / IMAGE_ALIGN + 1) * IMAGE_ALIGN);
	if (!image->bytes)
		return no_memory();
	image->len = fread(image->bytes, 1, len, in);
	if (image->len == len)
		return 0;
	image_free(image);
	return complain("%s: cannot read: %s", path,
			ferror(in) ? strerror(errno) : "it became shorter");
}

int image_read(const char *path, struct image *image)
{
	FILE *in = fopen(path, "rb");
	int status;

	if (!in)
		return complain("%s: cannot open: %s", path, strerror(errno));
	status = read_all(in, path, image);
	fclose(in);
	return status;
}

int image_of(struct lindex *ix, struct image *image)
{
	FILE *file = tmpfile();
	struct lindex_sink sink = sink_to(file);
	int status, err;

	if (!file)
		return complain("cannot create a temporary file: %s", strerror(errno));
	err = lindex_save(ix, &sink);
	if (err || fflush(file))
		status = complain("cannot save an image: %s", strerror(err ? -err : errno));
	else
		status = fseek(file, 0, SEEK_SET) ? complain("cannot seek: %s", strerror(errno)) :
						    read_all(file, "temporary file", image);
	fclose(file);
	return status;
}

void image_free(struct image *image)
{
	free(image->bytes);
	*image = (struct image){ 0 };
}

int complain_image(const char *path, int err, const struct lindex_reason *why)
{
	const char *kind = err == -EBADMSG ? "damaged" : "senseless";
	char detail[80] = "";

	if (err != -EBADMSG && err != -EUCLEAN)
		return complain("%s: cannot open the image: %s", path, strerror(-err));
	if (why->expected != why->found)
		snprintf(detail, sizeof(detail), ": expected 0x%" PRIx64 ", found 0x%" PRIx64,
			 why->expected, why->found);
	return complain("%s: %s at offset %" PRIu64 ": %s%s", path, kind, why->offset, why->text,
			detail);
}
