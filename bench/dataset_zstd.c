/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * zstd behind stdio: fopencookie() makes a stream of functions. Memory: what zstd takes for a window, and
 * one buffer of packed bytes.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define PACKED_BYTES 131072u

struct packed {
	FILE *file;
	ZSTD_DStream *unpack; /* one of the two */
	ZSTD_CStream *pack;
	ZSTD_inBuffer in;
	bool in_frame;
	unsigned char bytes[PACKED_BYTES];
};

static int destroy(struct packed *p)
{
	int err = fclose(p->file);

	ZSTD_freeDStream(p->unpack); /* NULL is fine */
	ZSTD_freeCStream(p->pack);
	free(p);
	return err;
}

/* ---- In ------------------------------------------------------------------------------------ */

/* More packed bytes. Return: whether there are any; -1: errno says why not. */
static int fill(struct packed *p)
{
	p->in = (ZSTD_inBuffer){ p->bytes, fread(p->bytes, 1, sizeof(p->bytes), p->file), 0 };
	if (p->in.size)
		return 1;
	if (ferror(p->file)) /* errno is fread()'s */
		return -1;
	if (p->in_frame)
		errno = ENODATA;
	return p->in_frame ? -1 : 0;
}

static int errno_of(size_t result)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_memory_allocation:
		return ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return EFBIG;
	default:
		return EBADMSG;
	}
}

static ssize_t read_packed(void *cookie, char *buf, size_t room)
{
	ZSTD_outBuffer out = { buf, room, 0 };
	struct packed *p = cookie;

	while (!out.pos) {
		size_t result;

		/* In a frame zstd may still hold bytes back for which there was no room. */
		if (p->in.pos == p->in.size && !p->in_frame) {
			int more = fill(p);

			if (more <= 0)
				return more;
		}
		result = ZSTD_decompressStream(p->unpack, &out, &p->in);
		if (ZSTD_isError(result)) {
			errno = errno_of(result);
			return -1;
		}
		p->in_frame = result != 0;
		if (!out.pos && p->in_frame && p->in.pos == p->in.size && fill(p) <= 0)
			return -1;
	}
	return (ssize_t)out.pos;
}

/* ---- Out ----------------------------------------------------------------------------------- */

/* All of @in, or the end of the frame. Return: whether the file took it. */
static bool write_packed_bytes(struct packed *p, ZSTD_inBuffer *in, ZSTD_EndDirective how)
{
	size_t left;

	do {
		ZSTD_outBuffer out = { p->bytes, sizeof(p->bytes), 0 };

		left = ZSTD_compressStream2(p->pack, &out, in, how);
		if (ZSTD_isError(left)) {
			errno = errno_of(left);
			return false;
		}
		if (fwrite(p->bytes, 1, out.pos, p->file) != out.pos)
			return false;
	} while (how == ZSTD_e_end ? left != 0 : in->pos < in->size);
	return true;
}

static ssize_t write_packed(void *cookie, const char *buf, size_t len)
{
	ZSTD_inBuffer in = { buf, len, 0 };

	/* Not -1: a cookie's write() says 0 when it fails. */
	return write_packed_bytes(cookie, &in, ZSTD_e_continue) ? (ssize_t)len : 0;
}

static int close_packed(void *cookie)
{
	struct packed *p = cookie;
	ZSTD_inBuffer none = { NULL, 0, 0 };
	bool good = !p->pack || write_packed_bytes(p, &none, ZSTD_e_end);
	int err = errno, closed = destroy(p);

	if (good)
		return closed;
	errno = err;
	return -1;
}

/* ---- Streams ------------------------------------------------------------------------------- */

static FILE *stream_of(struct packed *p, const char *mode)
{
	const cookie_io_functions_t functions = { .read = read_packed,
						  .write = write_packed,
						  .close = close_packed };
	FILE *stream = fopencookie(p, mode, functions);

	if (!stream)
		(void)destroy(p);
	return stream;
}

static struct packed *packed_of(FILE *file)
{
	struct packed *p = calloc(1, sizeof(*p));

	if (!p)
		fclose(file);
	else
		p->file = file;
	return p;
}

FILE *zstd_reader(FILE *file)
{
	struct packed *p = packed_of(file);

	if (!p)
		return NULL;
	p->unpack = ZSTD_createDStream();
	if (p->unpack)
		return stream_of(p, "r");
	(void)destroy(p);
	return NULL;
}

FILE *zstd_writer(FILE *file)
{
	struct packed *p = packed_of(file);

	if (!p)
		return NULL;
	p->pack = ZSTD_createCStream();
	if (p->pack && !ZSTD_isError(ZSTD_CCtx_setParameter(p->pack, ZSTD_c_checksumFlag, 1)))
		return stream_of(p, "w");
	(void)destroy(p);
	return NULL;
}
