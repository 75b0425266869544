/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * DynamoRIO's v2p.textproto, read and written. What counts in it:
 *
 *     page_size: 4096
 *     address_mapping {
 *       virtual_address: 0x7f749a200000
 *       physical_address: 0x1d7d80000
 *     }
 *
 * Read as protobuf's text format in general: any layout, # comments, other fields passed over. A pair is a
 * virtual_address and the physical_address after it.
 */
#include "snapshot_format.h"
#include "trace_format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/**
 * struct pairs - What has been read so far.
 * @depth: Braces open.
 * @have_va, @va: A virtual address that waits for its physical one.
 * @shift: Of page_size.
 */
struct pairs {
	struct input *in;
	struct vmmap_snapshot *snap;
	struct vmmap_refusal *why;
	uint64_t va;
	unsigned int depth, shift;
	bool have_va;
};

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_field(struct cursor name, const char *field)
{
	size_t len = (size_t)(name.end - name.at);

	return len == strlen(field) && memcmp(name.at, field, len) == 0;
}

static int refuse_text(const struct pairs *p, const char *expected, struct cursor found)
{
	return input_refuse_line(p->in, p->why, EINVAL, "expected %s, found %s", expected,
				 shown(found.at, (size_t)(found.end - found.at)).text);
}

static int set_page_size(struct pairs *p, uint64_t bytes, struct cursor text)
{
	unsigned int shift = bytes ? (unsigned int)__builtin_ctzll(bytes) : 0;

	if (bytes != UINT64_C(1) << shift ||
	    (shift != VMMAP_SHIFT_4K && shift != VMMAP_SHIFT_2M && shift != VMMAP_SHIFT_1G))
		return refuse_text(p, "a page_size of 4 KiB, 2 MiB or 1 GiB", text);
	if (p->snap->n)
		return refuse_text(p, "page_size before the addresses", text);
	p->shift = shift;
	return 0;
}

static int add_pair(struct pairs *p, uint64_t pa, struct cursor text)
{
	uint64_t within = (UINT64_C(1) << p->shift) - 1;
	struct vmmap_span span = { .vpn = vpn_of(p->va & ~within),
				   .pfn = (pa & ~within) >> VMMAP_SHIFT_4K,
				   .pages = UINT64_C(1) << (p->shift - VMMAP_SHIFT_4K),
				   .shift = (uint8_t)p->shift,
				   .flags = VMMAP_SPAN_RWXU };
	const char *problem = span_problem(&span);

	if (!p->have_va)
		return refuse_text(p, "a virtual_address before each physical_address", text);
	p->have_va = false;
	if ((p->va & within) != (pa & within))
		return refuse_text(p, "addresses with the same place in their pages", text);
	if (problem)
		return refuse_text(p, problem, text);
	return snapshot_add(p->snap, &span, p->why);
}

static int take_scalar(struct pairs *p, struct cursor name, struct cursor value)
{
	bool is_va = is_field(name, "virtual_address"), is_pa = is_field(name, "physical_address");
	uint64_t n;

	if (!is_va && !is_pa && !is_field(name, "page_size"))
		return 0;
	if (!(value.end - value.at > 2 && (value.at[1] | 0x20) == 'x' ? word_hex(value, &n) :
									word_dec(value, &n)))
		return refuse_text(p, "a number", value);
	if (is_pa)
		return add_pair(p, n, value);
	if (!is_va)
		return set_page_size(p, n, value);
	if (p->have_va)
		return refuse_text(p, "a physical_address after each virtual_address", value);
	p->va = n;
	p->have_va = true;
	return 0;
}

/* A string in quotes, or a word. */
static struct cursor take_value(struct cursor *c)
{
	struct cursor value;

	skip_blanks(c);
	value.at = c->at;
	if (c->at < c->end && (*c->at == '"' || *c->at == '\'')) {
		const char *quote = memchr(c->at + 1, *c->at, (size_t)(c->end - c->at - 1));

		c->at = quote ? quote + 1 : c->end;
	} else {
		while (c->at < c->end && (is_name(*c->at) || *c->at == '-' || *c->at == '.'))
			c->at++;
	}
	value.end = c->at;
	return value;
}

static int take_field(struct pairs *p, struct cursor *c)
{
	struct cursor name = { c->at, c->at }, value;
	bool colon;

	while (c->at < c->end && is_name(*c->at))
		c->at++;
	name.end = c->at;
	if (name.at == name.end)
		return refuse_text(p, "a field, { or }", *c);
	skip_blanks(c);
	colon = c->at < c->end && *c->at == ':';
	c->at += colon;
	skip_blanks(c);
	/* A message, with or without a colon; its brace may stand on the next line. */
	if (c->at < c->end ? *c->at == '{' : !colon)
		return 0;
	value = take_value(c);
	if (!colon || value.at == value.end)
		return refuse_text(p, "\"name: value\"", (struct cursor){ name.at, c->end });
	return take_scalar(p, name, value);
}

static int take_line(struct pairs *p, struct cursor c)
{
	for (skip_blanks(&c); c.at < c.end; skip_blanks(&c)) {
		int err = 0;

		if (*c.at == '{' || *c.at == ',' || *c.at == ';') {
			p->depth += *c.at++ == '{';
		} else if (*c.at == '}') {
			if (!p->depth)
				return refuse_text(p, "a { before each }", c);
			if (p->have_va)
				return refuse_text(p, "a physical_address", c);
			p->depth--;
			c.at++;
		} else {
			err = take_field(p, &c);
		}
		if (err)
			return err;
	}
	return 0;
}

static int read_v2p(struct input *in, struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	struct pairs p = { .in = in, .snap = snap, .why = why, .shift = VMMAP_SHIFT_4K };
	const char *line;
	size_t len;
	int got;

	while ((got = input_line(in, &line, &len, why)) > 0) {
		int err = take_line(&p, (struct cursor){ line, line + len });

		if (err)
			return err;
	}
	if (!got && (p.depth || p.have_va))
		return input_refuse_line(in, why, ENODATA, "expected %s, found the end of the file",
					 p.have_va ? "a physical_address" : "}");
	return got;
}

static bool matches(const unsigned char *bytes, size_t len)
{
	struct cursor line = trace_first_line(bytes, len);
	const char *at = line.at;

	if (!trace_is_text(bytes, len))
		return false;
	while (at < line.end && (*at == ' ' || *at == '\t'))
		at++;
	for (line.at = at; at < line.end && is_name(*at); at++)
		;
	if (at == line.at)
		return false;
	while (at < line.end && *at == ' ')
		at++;
	return at < line.end && (*at == ':' || *at == '{');
}

const struct snapshot_reader snapshot_v2p = { "v2p", matches, read_v2p };

int vmmap_snapshot_write_v2p(const struct vmmap_snapshot *snap, FILE *out)
{
	uint64_t pages = vmmap_snapshot_pages(snap);

	fprintf(out, "page_size: 0x1000\npage_count: 0x%" PRIx64 "\nbytes_mapped: 0x%" PRIx64 "\n",
		pages, pages << VMMAP_SHIFT_4K);
	for (size_t i = 0; i < snap->n; i++) {
		const struct vmmap_span *s = &snap->spans[i];

		for (uint64_t k = 0; k < s->pages; k++) {
			uint64_t va = (s->vpn + k) << VMMAP_SHIFT_4K;

			fprintf(out,
				"address_mapping {\n  virtual_address: 0x%" PRIx64
				"\n  physical_address: 0x%" PRIx64 "\n}\n",
				va, (s->pfn + k) << VMMAP_SHIFT_4K);
		}
	}
	return ferror(out) ? -EIO : 0;
}
