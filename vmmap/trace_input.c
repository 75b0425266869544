/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes and lines of a file, unpacked on the way: zstd and gzip are told by their first bytes.
 *
 * Memory: one window of unpacked bytes, one of packed ones, and what the unpackers take. A zstd frame that
 * wants a larger window than its decoder's default (128 MiB) is refused.
 */
#include "trace_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define WINDOW_BYTES (4u * INPUT_LINE_MAX)
#define PACKED_BYTES 131072u

/**
 * struct unpacker - One of the two, and packed bytes that it has not seen.
 * @in_frame: Inside a frame or member: the end of the file would be too early.
 */
struct unpacker {
	ZSTD_DStream *zstd;
	z_stream gzip;
	bool in_frame, file_ended;
	size_t at, end;
	unsigned char packed[PACKED_BYTES];
};

/* ---- Refusals ---------------------------------------------------------------------------------- */

/* @where into @why; returns what is left of it. */
static char *begin_refusal(struct vmmap_refusal *why, const char *where, size_t *room)
{
	size_t used = strlen(where);

	used = used < sizeof(why->text) ? used : sizeof(why->text) - 1;
	memcpy(why->text, where, used);
	why->text[used] = 0;
	*room = sizeof(why->text) - used;
	return why->text + used;
}

int refuse(struct vmmap_refusal *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return -err;
}

int input_refuse_line(const struct input *in, struct vmmap_refusal *why, int err, const char *fmt,
		      ...)
{
	char where[sizeof(in->name) + 32], *rest;
	va_list args;
	size_t room;

	snprintf(where, sizeof(where), "%s:%" PRIu64 ": ", in->name, in->line);
	rest = begin_refusal(why, where, &room);
	va_start(args, fmt);
	vsnprintf(rest, room, fmt, args);
	va_end(args);
	return -err;
}

int input_refuse_byte(const struct input *in, struct vmmap_refusal *why, int err, const char *fmt,
		      ...)
{
	char where[sizeof(in->name) + 32], *rest;
	va_list args;
	size_t room;

	snprintf(where, sizeof(where), "%s: byte %" PRIu64 ": ", in->name, in->offset + in->at);
	rest = begin_refusal(why, where, &room);
	va_start(args, fmt);
	vsnprintf(rest, room, fmt, args);
	va_end(args);
	return -err;
}

struct shown shown(const char *text, size_t len)
{
	struct shown s;
	size_t to = 0;

	s.text[to++] = '"';
	for (size_t i = 0; i < len && to < sizeof(s.text) - 5; i++)
		s.text[to++] = (text[i] >= ' ' && text[i] <= '~') ? text[i] : '.';
	if (to - 1 < len)
		to += (size_t)sprintf(s.text + to, "...");
	s.text[to++] = '"';
	s.text[to] = 0;
	return s;
}

/* ---- Unpacking --------------------------------------------------------------------------------- */

static int packed_error(struct input *in, struct vmmap_refusal *why, const char *what)
{
	return in->failed = input_refuse_byte(in, why, EBADMSG,
					      "expected sound packed bytes, found: %s", what);
}

static int refuse_memory(struct input *in, struct vmmap_refusal *why)
{
	return in->failed = refuse(why, ENOMEM, "%s: out of memory", in->name);
}

static int64_t read_file(struct input *in, void *buf, size_t room, struct vmmap_refusal *why)
{
	size_t got;

	errno = 0;
	got = fread(buf, 1, room, in->file);
	if (!got && ferror(in->file))
		return in->failed = refuse(why, errno ? errno : EIO, "%s: cannot read: %s",
					   in->name, strerror(errno ? errno : EIO));
	return (int64_t)got;
}

/* Return: 1 if there are packed bytes, 0 at the end, negative errno. */
static int fill_packed(struct input *in, struct vmmap_refusal *why)
{
	struct unpacker *u = in->unpacker;
	int64_t got;

	if (u->at < u->end)
		return 1;
	if (u->file_ended)
		return 0;
	got = read_file(in, u->packed, sizeof(u->packed), why);
	if (got < 0)
		return (int)got;
	u->at = 0;
	u->end = (size_t)got;
	u->file_ended = got == 0;
	return got > 0;
}

/* One step. Adds what it gives to *@got. */
static int unpack_zstd(struct input *in, unsigned char *to, size_t room, size_t *got,
		       struct vmmap_refusal *why)
{
	struct unpacker *u = in->unpacker;
	ZSTD_inBuffer from = { u->packed, u->end, u->at };
	ZSTD_outBuffer out = { to, room, 0 };
	size_t result = ZSTD_decompressStream(u->zstd, &out, &from);

	if (ZSTD_isError(result))
		return packed_error(in, why, ZSTD_getErrorName(result));
	u->at = from.pos;
	u->in_frame = result != 0;
	*got = out.pos;
	return 0;
}

static int unpack_gzip(struct input *in, unsigned char *to, size_t room, size_t *got,
		       struct vmmap_refusal *why)
{
	struct unpacker *u = in->unpacker;
	int result;

	u->gzip.next_in = u->packed + u->at;
	u->gzip.avail_in = (unsigned int)(u->end - u->at);
	u->gzip.next_out = to;
	u->gzip.avail_out = (unsigned int)room;
	result = inflate(&u->gzip, Z_NO_FLUSH);
	if (result == Z_MEM_ERROR)
		return refuse_memory(in, why);
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		return packed_error(in, why, u->gzip.msg ? u->gzip.msg : "no gzip");
	u->at = u->end - u->gzip.avail_in;
	*got = room - u->gzip.avail_out;
	u->in_frame = result != Z_STREAM_END;
	if (result == Z_STREAM_END) /* another member may follow */
		inflateReset(&u->gzip);
	return 0;
}

/* Return: bytes stored; 0 at the end; negative errno. */
static int64_t unpack(struct input *in, unsigned char *to, size_t room, struct vmmap_refusal *why)
{
	struct unpacker *u = in->unpacker;

	for (;;) {
		size_t got = 0;
		int more = fill_packed(in, why), err;

		if (more < 0)
			return more;
		if (!more && !u->in_frame)
			return 0;
		/* At the end of the file the unpacker may still hold bytes back. */
		err = u->zstd ? unpack_zstd(in, to, room, &got, why) :
				unpack_gzip(in, to, room, &got, why);
		if (err)
			return err;
		if (got)
			return (int64_t)got;
		if (!more && u->in_frame)
			return packed_error(in, why, "the end of the file inside a frame");
	}
}

static int make_unpacker(struct input *in, const unsigned char *head, size_t len,
			 struct vmmap_refusal *why)
{
	static const unsigned char zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
	bool zstd = len >= 4 && memcmp(head, zstd_magic, 4) == 0;
	bool gzip = len >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8;
	struct unpacker *u;

	if (!zstd && !gzip)
		return 0;
	u = calloc(1, sizeof(*u));
	if (!u)
		return refuse_memory(in, why);
	if (zstd)
		u->zstd = ZSTD_createDStream();
	if (zstd ? !u->zstd : inflateInit2(&u->gzip, 15 + 16) != Z_OK) {
		free(u);
		return refuse_memory(in, why);
	}
	memcpy(u->packed, head, len);
	u->end = len;
	in->unpacker = u;
	return 0;
}

/* ---- The window -------------------------------------------------------------------------------- */

static int open_window(struct input *in, struct vmmap_refusal *why)
{
	int64_t got;
	int err;

	in->bytes = malloc(WINDOW_BYTES);
	if (!in->bytes)
		return refuse_memory(in, why);
	got = read_file(in, in->bytes, 4096, why);
	if (got < 0)
		return (int)got;
	err = make_unpacker(in, in->bytes, (size_t)got, why);
	if (!err && !in->unpacker)
		in->end = (size_t)got;
	return err;
}

int input_open(struct input *in, FILE *file, const char *name, struct vmmap_refusal *why)
{
	int err;

	*in = (struct input){ .file = file };
	snprintf(in->name, sizeof(in->name), "%s", name);
	err = open_window(in, why);
	if (err)
		input_close(in);
	return err;
}

int input_open_path(struct input *in, const char *path, struct vmmap_refusal *why)
{
	FILE *file;

	if (strcmp(path, "-") == 0)
		return input_open(in, stdin, "standard input", why);
	file = fopen(path, "rb");
	if (!file)
		return refuse(why, errno, "%s: cannot open: %s", path, strerror(errno));
	return input_open(in, file, path, why);
}

void input_close(struct input *in)
{
	if (in->unpacker) {
		if (in->unpacker->zstd)
			ZSTD_freeDStream(in->unpacker->zstd);
		else
			inflateEnd(&in->unpacker->gzip);
		free(in->unpacker);
	}
	free(in->bytes);
	if (in->file && in->file != stdin)
		fclose(in->file);
	*in = (struct input){ 0 };
}

/* More bytes behind those not used yet. */
static int refill(struct input *in, struct vmmap_refusal *why)
{
	unsigned char *to;
	int64_t got;

	if (in->at) {
		memmove(in->bytes, in->bytes + in->at, in->end - in->at);
		in->offset += in->at;
		in->end -= in->at;
		in->at = 0;
	}
	to = in->bytes + in->end;
	got = in->unpacker ? unpack(in, to, WINDOW_BYTES - in->end, why) :
			     read_file(in, to, WINDOW_BYTES - in->end, why);
	if (got < 0)
		return (int)got;
	in->end += (size_t)got;
	in->at_eof = got == 0;
	return 0;
}

int64_t input_peek(struct input *in, size_t want, const unsigned char **bytes,
		   struct vmmap_refusal *why)
{
	while (in->end - in->at < want && !in->at_eof) {
		int err = in->failed ? in->failed : refill(in, why);

		if (err)
			return err;
	}
	*bytes = in->bytes + in->at;
	return (int64_t)(in->end - in->at);
}

void input_take(struct input *in, size_t n)
{
	in->at += n;
}

int input_line(struct input *in, const char **line, size_t *len, struct vmmap_refusal *why)
{
	const unsigned char *bytes = in->bytes + in->at, *newline;
	int64_t have = (int64_t)(in->end - in->at);

	newline = memchr(bytes, '\n', (size_t)have);
	if (!newline) {
		have = input_peek(in, INPUT_LINE_MAX, &bytes, why);
		if (have <= 0)
			return (int)have;
		newline = memchr(bytes, '\n', (size_t)have);
	}
	in->line++;
	if (!newline && have >= (int64_t)INPUT_LINE_MAX)
		return in->failed = input_refuse_line(
			       in, why, EINVAL,
			       "expected a line of text, found %u bytes without an end of line",
			       INPUT_LINE_MAX);
	*line = (const char *)bytes;
	*len = newline ? (size_t)(newline - bytes) : (size_t)have;
	in->at += *len + (newline != NULL);
	if (*len && bytes[*len - 1] == '\r')
		(*len)--;
	return 1;
}

/* ---- Words and numbers ------------------------------------------------------------------------- */

void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
		c->at++;
	if (c->at < c->end && *c->at == '#')
		c->at = c->end;
}

struct cursor take_word(struct cursor *c)
{
	struct cursor word;

	skip_blanks(c);
	word.at = c->at;
	while (c->at < c->end && *c->at != ' ' && *c->at != '\t')
		c->at++;
	word.end = c->at;
	return word;
}

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

bool word_hex(struct cursor word, uint64_t *n)
{
	uint64_t sum = 0;

	if (word.end - word.at > 2 && word.at[0] == '0' && (word.at[1] | 0x20) == 'x')
		word.at += 2;
	if (word.at == word.end)
		return false;
	for (; word.at < word.end; word.at++) {
		unsigned int digit = digit_of(*word.at);

		if (digit > 15 || sum >> 60)
			return false;
		sum = sum << 4 | digit;
	}
	*n = sum;
	return true;
}

bool word_dec(struct cursor word, uint64_t *n)
{
	uint64_t sum = 0;

	if (word.at == word.end)
		return false;
	for (; word.at < word.end; word.at++) {
		unsigned int digit = digit_of(*word.at);

		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*n = sum;
	return true;
}
