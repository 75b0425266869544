/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whole files in, whole files out.
 */
#include "tool.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_ALIGN 64u

/* ---- Out --------------------------------------------------------------------------------------- */

/* Where the bytes of @path will be: behind symbolic links, so that these survive. */
static char *final_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

static int open_temporary(struct new_file *nf)
{
	size_t room = strlen(nf->path) + sizeof(".XXXXXX");
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	nf->temporary = malloc(room);
	if (!nf->temporary)
		return no_memory();
	snprintf(nf->temporary, room, "%s.XXXXXX", nf->path);
	fd = mkstemp(nf->temporary);
	if (fd < 0) {
		free(nf->temporary);
		nf->temporary = NULL;
		return complain("%s: cannot create: %s", nf->path, strerror(errno));
	}
	nf->out = fdopen(fd, "w");
	if (!nf->out) {
		close(fd);
		return no_memory();
	}
	/* mkstemp() makes files for the owner only. A failure leaves it so, which harms nobody. */
	(void)!fchmod(fd, 0666 & ~mask);
	return 0;
}

int new_file_open(struct new_file *nf, const char *path)
{
	struct stat st;
	int status;

	*nf = (struct new_file){ 0 };
	/* A rename would replace a device, too. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return complain(
			"%s: cannot write: expected a regular file or a new name, found a %s", path,
			S_ISDIR(st.st_mode) ? "directory" : "special file");
	nf->path = final_path(path);
	if (!nf->path)
		return no_memory();
	status = open_temporary(nf);
	if (status)
		new_file_abort(nf);
	return status;
}

int new_file_commit(struct new_file *nf)
{
	int err = 0;

	if (fflush(nf->out) || ferror(nf->out) || fsync(fileno(nf->out)))
		err = errno;
	if (fclose(nf->out) && !err)
		err = errno;
	nf->out = NULL;
	/* From here the new contents have the name; before, the old ones. */
	if (!err && rename(nf->temporary, nf->path))
		err = errno;
	if (err)
		complain("%s: cannot write: %s", nf->path, strerror(err));
	else
		nf->temporary[0] = 0;
	new_file_abort(nf);
	return err ? STATUS_WRONG : 0;
}

void new_file_abort(struct new_file *nf)
{
	if (nf->out)
		fclose(nf->out);
	if (nf->temporary && nf->temporary[0])
		unlink(nf->temporary);
	free(nf->temporary);
	free(nf->path);
	*nf = (struct new_file){ 0 };
}

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
