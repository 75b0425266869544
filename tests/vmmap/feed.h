/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes of a test as a file, and what reading them gave.
 */
#ifndef VMMAP_TESTS_FEED_H
#define VMMAP_TESTS_FEED_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

/* A stream over a copy of @bytes. */
static inline FILE *feed(const void *bytes, size_t len)
{
	FILE *file = tmpfile();

	cr_assert(file && fwrite(bytes, 1, len, file) == len);
	rewind(file);
	return file;
}

static inline FILE *feed_text(const char *text)
{
	return feed(text, strlen(text));
}

/** struct got - All accesses of a trace, or why not. */
struct got {
	struct vmmap_access *a;
	size_t n;
	int err;
	enum vmmap_trace_format format;
	struct vmmap_refusal why;
};

/* Reads @chunk accesses at a time. */
static inline struct got read_trace(FILE *file, enum vmmap_trace_format format, size_t chunk)
{
	struct got got = { 0 };
	struct vmmap_trace *t;
	size_t room = 0;
	int64_t n = 0;

	got.err = vmmap_trace_open_file(file, "feed", format, &t, &got.why);
	if (got.err)
		return got;
	got.format = vmmap_trace_get_format(t);
	do {
		if (got.n + chunk > room) {
			room = 2 * room + chunk;
			got.a = realloc(got.a, room * sizeof(*got.a));
			cr_assert(got.a);
		}
		n = vmmap_trace_read(t, got.a + got.n, chunk, &got.why);
		got.n += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	got.err = (int)n;
	vmmap_trace_close(t);
	return got;
}

static inline void got_free(struct got *got)
{
	free(got->a);
}

static inline void assert_access(const struct vmmap_access *a, uint64_t va, unsigned int size,
				 unsigned int kind)
{
	cr_assert_eq(a->va, va, "address %lx, expected %lx", (long)a->va, (long)va);
	cr_assert_eq(a->size, size, "size %u, expected %u", a->size, size);
	cr_assert_eq(a->kind, kind, "kind %u, expected %u", a->kind, kind);
}

/* One line that has all of @words (NULL-terminated list). */
static inline void assert_refusal(const struct vmmap_refusal *why, const char *const *words)
{
	cr_assert(!strchr(why->text, '\n'), "more than a line: %s", why->text);
	for (; *words; words++)
		cr_assert(strstr(why->text, *words), "expected \"%s\" in: %s", *words, why->text);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
