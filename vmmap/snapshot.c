/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Snapshots of address spaces: the array of spans, and which reader a file needs.
 *
 * Invariants of a snapshot that was given out:
 *   N1  each span is sound by itself (span_problem())
 *   N2  ascending, not overlapping
 *   N3  no span continues the one before it
 */
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot_format.h"

#define SNIFF_BYTES 4096u

/* 57-bit canonical addresses: 2^44 pages at either end of 2^52. */
#define HALF_PAGES (UINT64_C(1) << 44)
#define ALL_PAGES  (UINT64_C(1) << 52)
#define ALL_FRAMES (UINT64_C(1) << 40)

static const struct snapshot_reader *const readers[VMMAP_SNAPSHOT_FORMATS] = {
	[VMMAP_SNAPSHOT_RUNS] = &snapshot_runs,
	[VMMAP_SNAPSHOT_V2P] = &snapshot_v2p,
	[VMMAP_SNAPSHOT_QEMU] = &snapshot_qemu,
};

const char *vmmap_snapshot_format_name(enum vmmap_snapshot_format format)
{
	return format > VMMAP_SNAPSHOT_ANY && format < VMMAP_SNAPSHOT_FORMATS ?
		       readers[format]->name :
		       "any";
}

/* ---- Spans ------------------------------------------------------------------------------------- */

const char *span_problem(const struct vmmap_span *s)
{
	uint64_t unit = UINT64_C(1) << (s->shift - VMMAP_SHIFT_4K);
	uint64_t half_end = s->vpn < HALF_PAGES ? HALF_PAGES : ALL_PAGES;

	if (!s->pages)
		return "a length above 0";
	if (s->vpn >= half_end || (s->vpn >= HALF_PAGES && s->vpn < ALL_PAGES - HALF_PAGES))
		return "a canonical address";
	if (s->pages > half_end - s->vpn)
		return "an end inside the canonical half";
	if (s->pfn >= ALL_FRAMES || s->pages > ALL_FRAMES - s->pfn)
		return "frames below 2^40";
	if ((s->vpn | s->pfn | s->pages) & (unit - 1))
		return "page, frame and length aligned to the page size";
	return NULL;
}

static bool continues(const struct vmmap_span *a, const struct vmmap_span *b)
{
	return a->vpn + a->pages == b->vpn && a->pfn + a->pages == b->pfn && a->shift == b->shift &&
	       a->flags == b->flags;
}

static int make_room(struct vmmap_snapshot *snap)
{
	size_t room = snap->room ? 2 * snap->room : 64;
	struct vmmap_span *spans;

	if (snap->spans && snap->n < snap->room)
		return 0;
	spans = realloc(snap->spans, room * sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	snap->spans = spans;
	snap->room = room;
	return 0;
}

int vmmap_snapshot_append(struct vmmap_snapshot *snap, const struct vmmap_span *span)
{
	struct vmmap_span *last = snap->n ? &snap->spans[snap->n - 1] : NULL;

	if (span_problem(span) || (last && span->vpn < last->vpn + last->pages))
		return -EINVAL;
	if (last && continues(last, span)) {
		last->pages += span->pages;
		return 0;
	}
	if (make_room(snap))
		return -ENOMEM;
	snap->spans[snap->n++] = *span;
	return 0;
}

int snapshot_add(struct vmmap_snapshot *snap, const struct vmmap_span *span,
		 struct vmmap_refusal *why)
{
	struct vmmap_span *last = snap->n ? &snap->spans[snap->n - 1] : NULL;

	if (last && continues(last, span)) {
		last->pages += span->pages;
		return 0;
	}
	if (make_room(snap))
		return refuse(why, ENOMEM, "out of memory for %zu spans", snap->n);
	snap->spans[snap->n++] = *span;
	return 0;
}

static int by_vpn(const void *a, const void *b)
{
	const struct vmmap_span *x = a, *y = b;

	return (x->vpn > y->vpn) - (x->vpn < y->vpn);
}

int vmmap_snapshot_sort(struct vmmap_snapshot *snap, size_t *bad)
{
	size_t to = 0;

	if (!snap->n)
		return 0;
	qsort(snap->spans, snap->n, sizeof(*snap->spans), by_vpn);
	for (size_t i = 1; i < snap->n; i++) {
		struct vmmap_span *last = &snap->spans[to], *span = &snap->spans[i];

		if (span->vpn < last->vpn + last->pages) {
			*bad = i;
			return -EEXIST;
		}
		if (continues(last, span))
			last->pages += span->pages;
		else
			snap->spans[++to] = *span;
	}
	snap->n = to + 1;
	return 0;
}

const struct vmmap_span *vmmap_snapshot_find(const struct vmmap_snapshot *snap, uint64_t vpn)
{
	size_t low = 0, high = snap->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (snap->spans[mid].vpn + snap->spans[mid].pages <= vpn)
			low = mid + 1;
		else
			high = mid;
	}
	return low < snap->n && snap->spans[low].vpn <= vpn ? &snap->spans[low] : NULL;
}

uint64_t vmmap_snapshot_pages(const struct vmmap_snapshot *snap)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < snap->n; i++)
		pages += snap->spans[i].pages;
	return pages;
}

void vmmap_snapshot_destroy(struct vmmap_snapshot *snap)
{
	free(snap->spans);
	*snap = (struct vmmap_snapshot){ 0 };
}

/* ---- Reading ----------------------------------------------------------------------------------- */

/* QEMU's lines first: their address and colon look like a field of a textproto, too. */
static const struct snapshot_reader *find_reader(const unsigned char *bytes, size_t len)
{
	static const struct snapshot_reader *const order[] = { &snapshot_qemu, &snapshot_runs,
							       &snapshot_v2p, NULL };

	for (size_t i = 0; order[i]; i++)
		if (order[i]->matches(bytes, len))
			return order[i];
	return NULL;
}

static int choose_reader(struct input *in, enum vmmap_snapshot_format format,
			 const struct snapshot_reader **reader, struct vmmap_refusal *why)
{
	const unsigned char *bytes;
	int64_t len = input_peek(in, SNIFF_BYTES, &bytes, why);

	if (len < 0)
		return (int)len;
	if (len > (int64_t)SNIFF_BYTES)
		len = SNIFF_BYTES;
	*reader = format == VMMAP_SNAPSHOT_ANY ? find_reader(bytes, (size_t)len) : readers[format];
	if (*reader)
		return 0;
	if (!len)
		return refuse(why, EINVAL, "%s: expected an address space, found an empty file",
			      in->name);
	return input_refuse_byte(
		in, why, EINVAL, "expected an address space (runs, v2p or qemu), found %s",
		shown((const char *)bytes, (size_t)len < 32 ? (size_t)len : 32).text);
}

static int refuse_overlap(const struct input *in, const struct vmmap_span *span,
			  struct vmmap_refusal *why)
{
	return refuse(why, EINVAL, "%s: expected each page once, found page %" PRIx64 " twice",
		      in->name, span->vpn);
}

/* Takes over @in. */
static int read_all(struct input *in, enum vmmap_snapshot_format format,
		    struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	struct vmmap_snapshot new = { 0 };
	const struct snapshot_reader *reader = NULL;
	size_t bad = 0;
	int err = choose_reader(in, format, &reader, why);

	if (!err)
		err = reader->read(in, &new, why);
	if (!err && vmmap_snapshot_sort(&new, &bad))
		err = refuse_overlap(in, &new.spans[bad], why);
	if (!err && !new.n)
		err = refuse(why, EINVAL, "%s: expected pages, found none", in->name);
	input_close(in);
	if (err)
		vmmap_snapshot_destroy(&new);
	else
		*snap = new;
	return err;
}

int vmmap_snapshot_read(const char *path, enum vmmap_snapshot_format format,
			struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	struct input in;
	int err;

	if (strncmp(path, "proc:", 5) == 0)
		return vmmap_snapshot_capture(path + 5, snap, NULL, why);
	if (strncmp(path, "/proc/", 6) == 0 && path[6] && !strchr(path + 6, '/'))
		return vmmap_snapshot_capture(path + 6, snap, NULL, why);
	err = input_open_path(&in, path, why);
	return err ? err : read_all(&in, format, snap, why);
}

int vmmap_snapshot_read_file(FILE *file, const char *name, enum vmmap_snapshot_format format,
			     struct vmmap_snapshot *snap, struct vmmap_refusal *why)
{
	struct input in;
	int err = input_open(&in, file, name, why);

	return err ? err : read_all(&in, format, snap, why);
}
