/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Changing run lines: see runline.h.
 *
 * A change is never made by moving bits about: the runs of the line as it will be come out of a stream (the old line, the change laid
 * over it), once to be counted, once to be written.
 */
#include "runline.h"

#define UNUSED_NARROW UINT64_C(0xffffffffffffffff)
#define UNUSED_WIDE   UINT64_C(0x7fff7fff7fff7fff)
#define SMALL_PARTS                                                                                \
	8u /* a line of so few parts is looked at in each change: may it be one again? Of more, when a part is one run */
#define SLACK 2u /* runs that must be free then */

/* ---- Reading runs ------------------------------------------------------------------------------ */

static uint32_t start_at(runline_t line, bool wide, unsigned int i)
{
	uint64_t word = runline_word(line, wide ? i / 4 : i / 8);

	return wide ? (uint16_t)(word >> i % 4 * 16) : (uint8_t)(word >> i % 8 * 8);
}

static unsigned int lanes(bool wide)
{
	return wide ? 12 : 16;
}

static bool same_line(struct runline_change a, struct runline_change b)
{
	if (a.code < RUNLINE_FRAME || b.code < RUNLINE_FRAME)
		return a.code == b.code;
	return a.code + (b.from - a.from) == b.code;
}

/* Of an undivided line; @base is added. */
static struct runline_change piece_in(runline_t line, struct runline_shape shape, uint32_t pages,
				      uint32_t x, uint32_t base)
{
	uint64_t w0 = runline_word(line, 0), w1 = runline_word(line, 1);
	struct runline_run r = shape.wide ? runline_find_wide(w0, w1, runline_word(line, 2), x) :
					    runline_find_narrow(w0, w1, x);
	uint32_t end = r.index + 1 < lanes(shape.wide) ? start_at(line, shape.wide, r.index + 1) :
							 pages;

	return (struct runline_change){ .from = base + r.start,
					.end = base + (end < pages ? end : pages),
					.code = runline_code(line, shape.wide, shape.w, r.index) };
}

struct runline_change vmmap_runline_piece(runline_t line, struct runline_shape shape,
					  uint32_t pages, uint32_t x)
{
	uint64_t w0 = runline_word(line, 0);
	uint32_t size, base;

	if (!runline_divided(w0))
		return piece_in(line, shape, pages, x, 0);
	size = 1u << (w0 & 0xff);
	base = x & ~(size - 1);
	return piece_in(runline_parts(w0) + (size_t)(x / size) * RUNLINE_WORDS, shape,
			pages - base < size ? pages - base : size, x - base, base);
}

uint64_t vmmap_runline_get(runline_t line, bool wide, unsigned int w, unsigned int x)
{
	uint64_t w0 = runline_word(line, 0), code;
	struct runline_run r;

	if (runline_divided(w0)) {
		line = runline_parts(w0) + (size_t)(x >> (w0 & 0xff)) * RUNLINE_WORDS;
		x &= (1u << (w0 & 0xff)) - 1;
		w0 = runline_word(line, 0);
	}
	r = wide ? runline_find_wide(w0, runline_word(line, 1), runline_word(line, 2), x) :
		   runline_find_narrow(w0, runline_word(line, 1), x);
	code = runline_code(line, wide, w, r.index);
	return code < RUNLINE_FRAME ? code : code + (x - r.start);
}

/* ---- The line as it will be -------------------------------------------------------------------- */

struct stream {
	runline_t line;
	struct runline_shape shape;
	uint32_t pages, at;
	struct runline_change change;
};

/* The next piece, cut at the borders of parts, of the change, and of @grain pages. */
static bool stream_next(struct stream *s, uint32_t grain, struct runline_change *out)
{
	uint32_t border = s->at / grain * grain + grain;

	if (s->at == s->pages)
		return false;
	if (s->at >= s->change.from && s->at < s->change.end) {
		*out = s->change;
	} else {
		*out = vmmap_runline_piece(s->line, s->shape, s->pages, s->at);
		if (s->at < s->change.from && out->end > s->change.from)
			out->end = s->change.from;
	}
	if (out->code >= RUNLINE_FRAME)
		out->code += s->at - out->from;
	out->from = s->at;
	out->end = out->end < border ? out->end : border;
	s->at = out->end;
	return true;
}

/* Runs of the fullest part of @grain pages; @total: of all. */
static unsigned int count_runs(struct stream s, uint32_t grain, unsigned int *total)
{
	struct runline_change piece, last = { 0 };
	unsigned int n = 0, most = 0;

	*total = 0;
	while (stream_next(&s, grain, &piece)) {
		if (piece.from % grain == 0)
			n = 0;
		if (!n || !same_line(last, piece)) {
			n++;
			++*total;
			last = piece;
		}
		most = n > most ? n : most;
	}
	return most;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

struct image {
	uint64_t word[RUNLINE_WORDS];
};

static void image_begin(struct image *m, bool wide)
{
	*m = (struct image){ 0 };
	if (wide) {
		m->word[0] = UNUSED_WIDE & ~UINT64_C(0xffff);
		m->word[1] = m->word[2] = UNUSED_WIDE;
	} else {
		m->word[0] = UNUSED_NARROW & ~UINT64_C(0xff);
		m->word[1] = UNUSED_NARROW;
	}
}

static void image_add(struct image *m, struct runline_shape shape, unsigned int i, uint32_t start,
		      uint64_t code)
{
	unsigned int bit = (shape.wide ? 192 : 128) + i * shape.w, shift = bit & 63;

	if (shape.wide)
		m->word[i / 4] ^= (UINT64_C(0x7fff) ^ start) << i % 4 * 16 & -(uint64_t)(i > 0);
	else
		m->word[i / 8] ^= (UINT64_C(0xff) ^ start) << i % 8 * 8 & -(uint64_t)(i > 0);
	m->word[bit >> 6] |= code << shift;
	if (shift + shape.w > 64)
		m->word[(bit >> 6) + 1] |= code >> (64 - shift);
}

static void image_store(const struct image *m, runline_t line)
{
	for (unsigned int i = 0; i < RUNLINE_WORDS; i++)
		atomic_store_explicit(line + i, m->word[i], memory_order_release);
}

void vmmap_runline_init(runline_t line, struct runline_shape shape)
{
	struct image m;

	image_begin(&m, shape.wide);
	image_store(&m, line);
}

/* Lines of @grain pages each, from @to on. Of one line, its old runs are read before it is written. */
static void write_lines(struct stream s, uint32_t grain, runline_t to)
{
	struct runline_change piece, last = { 0 };
	struct image m;
	unsigned int n = 0;

	image_begin(&m, s.shape.wide);
	while (stream_next(&s, grain, &piece)) {
		if (piece.from % grain == 0 && piece.from) {
			image_store(&m, to);
			to += RUNLINE_WORDS;
			image_begin(&m, s.shape.wide);
			n = 0;
		}
		if (!n || !same_line(last, piece)) {
			image_add(&m, s.shape, n++, piece.from % grain, piece.code);
			last = piece;
		}
	}
	image_store(&m, to);
}

/* ---- Changes ----------------------------------------------------------------------------------- */

static size_t parts_bytes(uint32_t pages, unsigned int b)
{
	return (size_t)(((pages - 1) >> b) + 1) * RUNLINE_BYTES;
}

size_t vmmap_runline_parts_bytes(runline_t line, uint32_t pages)
{
	uint64_t w0 = runline_word(line, 0);

	return runline_divided(w0) ? parts_bytes(pages, w0 & 0xff) : 0;
}

/* R2: the largest parts that hold all runs. */
static unsigned int part_bits(const struct stream *s)
{
	unsigned int b = 31u - (unsigned int)__builtin_clz(s->pages - 1), total;

	while (b > 3 && count_runs(*s, 1u << b, &total) > s->shape.most)
		b--;
	return b;
}

/* The change lies in one part of a divided line, and fits: then that can be written alone. Return: its runs; 0: it cannot. */
static unsigned int in_part(const struct stream *s, uint64_t w0, struct runline_edit *e)
{
	uint32_t size = 1u << (w0 & 0xff), part = s->change.from / size, base = part * size;
	struct stream sub = { .shape = s->shape };
	unsigned int total;

	if (!runline_divided(w0) || (s->change.end - 1) / size != part)
		return 0;
	sub.line = runline_parts(w0) + (size_t)part * RUNLINE_WORDS;
	sub.pages = s->pages - base < size ? s->pages - base : size;
	sub.change = (struct runline_change){ s->change.from - base, s->change.end - base,
					      s->change.code };
	if (count_runs(sub, size, &total) > s->shape.most)
		return 0;
	*e = (struct runline_edit){ .target = sub.line, .change = sub.change, .pages = sub.pages };
	return total;
}

int vmmap_runline_prepare(struct vmmap_host *host, runline_t line, struct runline_shape shape,
			  uint32_t pages, struct runline_change change, struct runline_edit *edit)
{
	const struct stream s = { .line = line, .shape = shape, .pages = pages, .change = change };
	uint64_t w0 = runline_word(line, 0);
	size_t old = vmmap_runline_parts_bytes(line, pages);
	unsigned int total, runs = in_part(&s, w0, edit), room = shape.most - (old ? SLACK : 0);

	if (runs > 1 && old > (size_t)SMALL_PARTS * RUNLINE_BYTES)
		return 0;
	count_runs(s, RUNLINE_WIDE_MAX, &total);
	if (runs && total > room)
		return 0;
	*edit = (struct runline_edit){ .target = line, .change = change, .pages = pages };
	if (old) {
		edit->old = runline_parts(w0);
		edit->old_bytes = old;
	}
	if (total <= room)
		return 0;
	edit->b = part_bits(&s);
	edit->parts_bytes = parts_bytes(pages, edit->b);
	edit->parts = vmmap_host_alloc(host, edit->parts_bytes, RUNLINE_BYTES);
	return edit->parts ? 0 : -ENOMEM;
}

void vmmap_runline_cancel(struct vmmap_host *host, struct runline_edit *edit)
{
	vmmap_host_free_now(host, (void *)edit->parts, edit->parts_bytes);
}

void vmmap_runline_commit(runline_t line, struct runline_shape shape,
			  const struct runline_edit *edit)
{
	const struct stream s = {
		.line = edit->target, .shape = shape, .pages = edit->pages, .change = edit->change
	};

	if (!edit->b) {
		write_lines(s, RUNLINE_WIDE_MAX, edit->target);
		return;
	}
	write_lines(s, 1u << edit->b, edit->parts);
	/* Release: who sees the parts sees what is in them. */
	atomic_store_explicit(line, (uint64_t)(uintptr_t)edit->parts >> 6 << 8 | edit->b,
			      memory_order_release);
}

/* ---- Check ------------------------------------------------------------------------------------- */

static const char *check_runs(runline_t line, struct runline_shape shape, uint32_t pages)
{
	struct runline_change last = { 0 }, run;
	unsigned int n = 0;

	if (runline_divided(runline_word(line, 0)))
		return "lindex: R4, a part has parts";
	for (uint32_t at = 0; at < pages; at = run.end, n++) {
		run = vmmap_runline_piece(line, shape, pages, at);
		if (run.from != at || run.end <= at)
			return "lindex: R1, starts do not ascend";
		if (n && same_line(last, run))
			return "lindex: R3, a run continues its neighbour";
		last = run;
	}
	for (unsigned int i = n; i < lanes(shape.wide); i++)
		if (start_at(line, shape.wide, i) < pages)
			return "lindex: R1, an unused start is a page";
	return n <= shape.most ? NULL : "lindex: more runs than there are codes";
}

const char *vmmap_runline_check(runline_t line, struct runline_shape shape, uint32_t pages)
{
	uint64_t w0 = runline_word(line, 0);
	unsigned int b = w0 & 0xff;
	const char *wrong = NULL;

	if (!runline_divided(w0))
		return check_runs(line, shape, pages);
	if (b < 3 || pages <= 1u << b)
		return "lindex: R2, no such parts";
	for (uint32_t at = 0; at < pages && !wrong; at += 1u << b)
		wrong = check_runs(runline_parts(w0) + (size_t)(at >> b) * RUNLINE_WORDS, shape,
				   pages - at < 1u << b ? pages - at : 1u << b);
	return wrong;
}
