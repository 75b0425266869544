/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which format a trace has, and its life; the formats themselves are in trace_*.c.
 */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "trace_format.h"

#define SNIFF_BYTES 4096u

static const struct trace_reader *const readers[VMMAP_TRACE_FORMATS] = {
	[VMMAP_TRACE_PLAIN] = &trace_plain,       [VMMAP_TRACE_LACKEY] = &trace_lackey,
	[VMMAP_TRACE_CHAMPSIM] = &trace_champsim, [VMMAP_TRACE_VAPA] = &trace_vapa,
	[VMMAP_TRACE_COMPACT] = &trace_compact,
};

const char *vmmap_trace_format_name(enum vmmap_trace_format format)
{
	return format > VMMAP_TRACE_ANY && format < VMMAP_TRACE_FORMATS ? readers[format]->name :
									  "any";
}

/* ---- What the readers share -------------------------------------------------------------------- */

bool trace_is_text(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[i] < ' ' && !strchr("\t\n\r", bytes[i])) || bytes[i] > '~' || !bytes[i])
			return false;
	return len > 0;
}

struct cursor trace_first_line(const unsigned char *bytes, size_t len)
{
	const char *at = (const char *)bytes, *end = at + len;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct cursor line = { at, newline ? newline : end }, rest = line;

		skip_blanks(&rest);
		if (rest.at < rest.end &&
		    (rest.end - rest.at < 2 || memcmp(rest.at, "==", 2) != 0)) {
			if (line.end[-1] == '\r')
				line.end--;
			return line;
		}
		at = line.end + 1;
	}
	return (struct cursor){ end, end };
}

bool access_size_is_sound(uint64_t va, uint64_t size)
{
	return size >= 1 && size <= VMMAP_ACCESS_MAX_SIZE && va <= UINT64_MAX - (size - 1);
}

/* ---- Life -------------------------------------------------------------------------------------- */

static int find_format(struct vmmap_trace *t, struct vmmap_refusal *why)
{
	const unsigned char *bytes;
	int64_t len = input_peek(&t->in, SNIFF_BYTES, &bytes, why);

	if (len < 0)
		return (int)len;
	if (len > (int64_t)SNIFF_BYTES)
		len = SNIFF_BYTES;
	/* Text says what it is; of binary records the shorter, stricter one is tried first. */
	static const enum vmmap_trace_format order[] = { VMMAP_TRACE_COMPACT, VMMAP_TRACE_PLAIN,
							 VMMAP_TRACE_LACKEY, VMMAP_TRACE_VAPA,
							 VMMAP_TRACE_CHAMPSIM };
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		if (readers[order[i]]->matches(bytes, (size_t)len)) {
			t->format = order[i];
			t->reader = readers[order[i]];
			return 0;
		}
	}
	if (!len)
		return refuse(why, EINVAL, "%s: expected a trace, found an empty file", t->in.name);
	return input_refuse_byte(
		&t->in, why, EINVAL,
		"expected a trace (plain, lackey, champsim, vapa or compact), "
		"found %s",
		shown((const char *)bytes, (size_t)len < 16 ? (size_t)len : 16).text);
}

static int begin(struct vmmap_trace *t, enum vmmap_trace_format format, struct vmmap_refusal *why)
{
	if (format == VMMAP_TRACE_ANY)
		return find_format(t, why);
	t->format = format;
	t->reader = readers[format];
	return 0;
}

/* @t->in is open, or @err says why not. */
static int opened(struct vmmap_trace *t, int err, enum vmmap_trace_format format,
		  struct vmmap_trace **out, struct vmmap_refusal *why)
{
	if (err) {
		free(t);
		return err;
	}
	err = begin(t, format, why);
	if (err)
		vmmap_trace_close(t);
	else
		*out = t;
	return err;
}

int vmmap_trace_open(const char *path, enum vmmap_trace_format format, struct vmmap_trace **t,
		     struct vmmap_refusal *why)
{
	struct vmmap_trace *new = calloc(1, sizeof(*new));

	if (!new)
		return refuse(why, ENOMEM, "%s: out of memory", path);
	return opened(new, input_open_path(&new->in, path, why), format, t, why);
}

int vmmap_trace_open_file(FILE *file, const char *name, enum vmmap_trace_format format,
			  struct vmmap_trace **t, struct vmmap_refusal *why)
{
	struct vmmap_trace *new = calloc(1, sizeof(*new));

	if (!new) {
		fclose(file);
		return refuse(why, ENOMEM, "%s: out of memory", name);
	}
	return opened(new, input_open(&new->in, file, name, why), format, t, why);
}

static size_t take_spare(struct vmmap_trace *t, struct vmmap_access *a, size_t room)
{
	size_t n = t->spare_end - t->spare_at;

	n = n < room ? n : room;
	memcpy(a, t->spare + t->spare_at, n * sizeof(*a));
	t->spare_at += n;
	return n;
}

int64_t vmmap_trace_read(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			 struct vmmap_refusal *why)
{
	int64_t got;

	if (!room)
		return 0;
	if (t->spare_at == t->spare_end && room < TRACE_BURST) {
		got = t->ended ? 0 : t->reader->read(t, t->spare, TRACE_BURST, why);
		if (got < 0)
			return got;
		t->spare_at = 0;
		t->spare_end = (size_t)got;
	}
	if (t->spare_at < t->spare_end || room < TRACE_BURST)
		got = (int64_t)take_spare(t, a, room);
	else
		got = t->ended ? 0 : t->reader->read(t, a, room, why);
	if (got > 0)
		t->accesses += (uint64_t)got;
	return got;
}

enum vmmap_trace_format vmmap_trace_get_format(const struct vmmap_trace *t)
{
	return t->format;
}

void vmmap_trace_close(struct vmmap_trace *t)
{
	if (!t)
		return;
	input_close(&t->in);
	free(t);
}
