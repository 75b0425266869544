/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs as text, read and written:
 *
 *     # comment
 *     7f749a200 1d7d80 512 rw-u 2M
 *     |         |      |   |    page size: 4K (default), 2M, 1G
 *     |         |      |   rights: rwxu, - for one that is missing (default: all)
 *     |         |      length in pages of 4 KiB, decimal
 *     |         first frame, hexadecimal
 *     first page, hexadecimal: address >> 12
 */
#include "snapshot_format.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char rights[] = "rwxu"; /* in the order of the bits of VMMAP_SPAN_* */

static bool take_rights(struct cursor word, uint8_t *flags)
{
	unsigned int bits = 0;

	if (word.end - word.at != 4)
		return false;
	for (unsigned int i = 0; i < 4; i++) {
		if (word.at[i] == rights[i])
			bits |= 1u << i;
		else if (word.at[i] != '-')
			return false;
	}
	*flags = (uint8_t)bits;
	return true;
}

static bool take_shift(struct cursor word, uint8_t *shift)
{
	static const struct {
		const char *name;
		uint8_t shift;
	} sizes[] = { { "4K", VMMAP_SHIFT_4K },
		      { "2M", VMMAP_SHIFT_2M },
		      { "1G", VMMAP_SHIFT_1G } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		if (word.end - word.at == 2 && memcmp(word.at, sizes[i].name, 2) == 0) {
			*shift = sizes[i].shift;
			return true;
		}
	}
	return false;
}

/* Return: whether the line is a span; blank lines are none. */
static bool parse(const char *line, size_t len, struct vmmap_span *span)
{
	struct cursor c = { line, line + len };

	*span = (struct vmmap_span){ .shift = VMMAP_SHIFT_4K, .flags = VMMAP_SPAN_RWXU };
	if (!word_hex(take_word(&c), &span->vpn) || !word_hex(take_word(&c), &span->pfn) ||
	    !word_dec(take_word(&c), &span->pages))
		return false;
	skip_blanks(&c);
	if (c.at < c.end && !take_rights(take_word(&c), &span->flags))
		return false;
	skip_blanks(&c);
	if (c.at < c.end && !take_shift(take_word(&c), &span->shift))
		return false;
	skip_blanks(&c);
	return c.at == c.end;
}

static bool matches(const unsigned char *bytes, size_t len)
{
	struct cursor line = trace_first_line(bytes, len);
	struct vmmap_span span;

	return trace_is_text(bytes, len) && parse(line.at, (size_t)(line.end - line.at), &span);
}

static int refuse_overlap(const struct input *in, const struct vmmap_span *span,
			  const struct vmmap_span *last, struct vmmap_refusal *why)
{
	return input_refuse_line(in, why, EINVAL,
				 "expected runs that do not overlap, found page %" PRIx64
				 " after the run of %" PRIu64 " pages from %" PRIx64,
				 span->vpn, last->pages, last->vpn);
}

static bool overlap(const struct vmmap_span *a, const struct vmmap_span *b)
{
	return a->vpn < b->vpn + b->pages && b->vpn < a->vpn + a->pages;
}

static int read_line(struct input *in, const char *line, size_t len, struct vmmap_snapshot *snap,
		     struct vmmap_refusal *why)
{
	struct cursor c = { line, line + len };
	struct vmmap_span span;
	const char *problem;

	skip_blanks(&c);
	if (c.at == c.end)
		return 0;
	if (!parse(line, len, &span))
		return input_refuse_line(
			in, why, EINVAL,
			"expected vpn(hex) pfn(hex) len(dec) [rwxu [4K|2M|1G]], found %s",
			shown(line, len).text);
	problem = span_problem(&span);
	if (problem)
		return input_refuse_line(in, why, EINVAL, "expected %s, found %s", problem,
					 shown(line, len).text);
	/* Lines usually ascend: then an overlap is told with its line. Others are found after sorting. */
	if (snap->n && overlap(&span, &snap->spans[snap->n - 1]))
		return refuse_overlap(in, &span, &snap->spans[snap->n - 1], why);
	return snapshot_add(snap, &span, why);
}

static int read_runs(struct input *in, struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	const char *line;
	size_t len;
	int got;

	while ((got = input_line(in, &line, &len, why)) > 0) {
		int err = read_line(in, line, len, snap, why);

		if (err)
			return err;
	}
	return got;
}

const struct snapshot_reader snapshot_runs = { "runs", matches, read_runs };

/* ---- Writing ----------------------------------------------------------------------------------- */

static void put_span(FILE *out, const struct vmmap_span *s)
{
	char text[5] = "----";

	for (unsigned int i = 0; i < 4; i++)
		if (s->flags & 1u << i)
			text[i] = rights[i];
	fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64 " %s%s\n", s->vpn, s->pfn, s->pages, text,
		s->shift == VMMAP_SHIFT_1G ? " 1G" :
		s->shift == VMMAP_SHIFT_2M ? " 2M" :
					     "");
}

static void put_bare(FILE *out, const struct vmmap_snapshot *snap)
{
	for (size_t i = 0, next; i < snap->n; i = next) {
		const struct vmmap_span *s = &snap->spans[i];
		uint64_t pages = s->pages;

		for (next = i + 1; next < snap->n && snap->spans[next].vpn == s->vpn + pages &&
				   snap->spans[next].pfn == s->pfn + pages;
		     next++)
			pages += snap->spans[next].pages;
		fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64 "\n", s->vpn, s->pfn, pages);
	}
}

int vmmap_snapshot_write_runs(const struct vmmap_snapshot *snap, FILE *out, int bare)
{
	fprintf(out, "# vpn(hex) pfn(hex) len(dec, pages of 4 KiB)%s\n",
		bare ? "" : " rights [page size]");
	if (bare)
		put_bare(out, snap);
	else
		for (size_t i = 0; i < snap->n; i++)
			put_span(out, &snap->spans[i]);
	return ferror(out) ? -EIO : 0;
}
