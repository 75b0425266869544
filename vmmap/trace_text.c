/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The two traces that are text: one access on a line.
 *
 *     plain                  lackey
 *     R 7ffe0010 8           I  04016b80,3      instruction fetch
 *     W 7ffe0018              S 1ffeffe7e,7     store
 *     X 400123 4              M 0421c7cc,4      load and store of the same bytes
 */
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PLAIN_SIZE 8u /* where the line says none */

/* ---- Plain ------------------------------------------------------------------------------------- */

static int plain_kind(struct cursor word)
{
	if (word.end - word.at != 1)
		return -1;
	switch (*word.at) {
	case 'R':
		return VMMAP_KIND_READ;
	case 'W':
		return VMMAP_KIND_WRITE;
	case 'X':
		return VMMAP_KIND_FETCH;
	default:
		return -1;
	}
}

static bool plain_matches(const unsigned char *bytes, size_t len)
{
	struct cursor line = trace_first_line(bytes, len);
	uint64_t va;

	return trace_is_text(bytes, len) && plain_kind(take_word(&line)) >= 0 &&
	       word_hex(take_word(&line), &va);
}

static int refuse_plain(const struct vmmap_trace *t, const char *line, size_t len,
			struct vmmap_refusal *why)
{
	return input_refuse_line(&t->in, why, EINVAL,
				 "expected R|W|X hexaddr [size 1..%u], found %s",
				 VMMAP_ACCESS_MAX_SIZE, shown(line, len).text);
}

/* Return: 1 if the line is an access, 0 if there is nothing on it, negative errno. */
static int plain_line(struct vmmap_trace *t, const char *line, size_t len, struct vmmap_access *a,
		      struct vmmap_refusal *why)
{
	struct cursor c = { line, line + len };
	uint64_t size = PLAIN_SIZE;
	int kind;

	skip_blanks(&c);
	if (c.at == c.end)
		return 0;
	kind = plain_kind(take_word(&c));
	if (kind < 0 || !word_hex(take_word(&c), &a->va))
		return refuse_plain(t, line, len, why);
	skip_blanks(&c);
	if (c.at < c.end && !word_dec(take_word(&c), &size))
		return refuse_plain(t, line, len, why);
	skip_blanks(&c);
	if (c.at < c.end || !access_size_is_sound(a->va, size))
		return refuse_plain(t, line, len, why);
	a->kind = (uint8_t)kind;
	a->size = (uint16_t)size;
	a->pa = VMMAP_PA_UNKNOWN;
	return 1;
}

/* ---- Lackey ------------------------------------------------------------------------------------ */

static bool lackey_letter(const char *line, size_t len)
{
	return len > 3 && ((line[0] == 'I' && line[1] == ' ') ||
			   (line[0] == ' ' && strchr("LSM", line[1]) && line[1]));
}

static bool lackey_matches(const unsigned char *bytes, size_t len)
{
	struct cursor line = trace_first_line(bytes, len);

	return trace_is_text(bytes, len) &&
	       (lackey_letter(line.at, (size_t)(line.end - line.at)) ||
		(line.at == line.end && len > 2 && memcmp(bytes, "==", 2) == 0));
}

static int refuse_lackey(const struct vmmap_trace *t, const char *line, size_t len,
			 struct vmmap_refusal *why)
{
	return input_refuse_line(&t->in, why, EINVAL,
				 "expected \"I  addr,size\", \" L addr,size\", \" S\" or \" M\", "
				 "found %s",
				 shown(line, len).text);
}

/* Return: accesses on the line, 0..2, or negative errno. */
static int lackey_line(struct vmmap_trace *t, const char *line, size_t len, struct vmmap_access *a,
		       struct vmmap_refusal *why)
{
	struct cursor word;
	const char *comma;
	uint64_t size;

	if (!len || (len >= 2 && (memcmp(line, "==", 2) == 0 || memcmp(line, "--", 2) == 0)))
		return 0;
	if (!lackey_letter(line, len))
		return refuse_lackey(t, line, len, why);
	word = (struct cursor){ line + 3, line + len };
	while (word.at < word.end && *word.at == ' ')
		word.at++;
	comma = memchr(word.at, ',', (size_t)(word.end - word.at));
	if (!comma || !word_hex((struct cursor){ word.at, comma }, &a->va) ||
	    !word_dec((struct cursor){ comma + 1, word.end }, &size) ||
	    !access_size_is_sound(a->va, size))
		return refuse_lackey(t, line, len, why);
	a->size = (uint16_t)size;
	a->pa = VMMAP_PA_UNKNOWN;
	a->kind = line[0] == 'I' ? VMMAP_KIND_FETCH :
		  line[1] == 'S' ? VMMAP_KIND_WRITE :
				   VMMAP_KIND_READ;
	if (line[1] != 'M')
		return 1;
	a[1] = a[0];
	a[1].kind = VMMAP_KIND_WRITE;
	return 2;
}

/* ---- Both -------------------------------------------------------------------------------------- */

static int64_t read_lines(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			  struct vmmap_refusal *why,
			  int (*parse)(struct vmmap_trace *, const char *, size_t,
				       struct vmmap_access *, struct vmmap_refusal *))
{
	size_t n = 0;

	while (n + TRACE_BURST <= room) {
		const char *line;
		size_t len;
		int got = input_line(&t->in, &line, &len, why);

		if (got > 0)
			got = parse(t, line, len, a + n, why);
		else if (!got)
			t->ended = true;
		if (got < 0)
			return got;
		n += (size_t)got;
		if (t->ended || (n && room <= TRACE_BURST))
			break;
	}
	return (int64_t)n;
}

static int64_t read_plain(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			  struct vmmap_refusal *why)
{
	return read_lines(t, a, room, why, plain_line);
}

static int64_t read_lackey(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			   struct vmmap_refusal *why)
{
	return read_lines(t, a, room, why, lackey_line);
}

const struct trace_reader trace_plain = { "plain", plain_matches, read_plain };
const struct trace_reader trace_lackey = { "lackey", lackey_matches, read_lackey };

void vmmap_trace_put_text(FILE *out, const struct vmmap_access *a)
{
	fprintf(out, "%c %" PRIx64 " %u\n", "RWX"[a->kind], a -> va, a -> size);
}
