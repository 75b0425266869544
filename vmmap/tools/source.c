/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Traces and spaces as a command line names them.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 4096u

/* ---- Accesses ---------------------------------------------------------------------------------- */

static int open_gen(struct source *s, const char *spec)
{
	struct vmmap_gen_config cfg;
	struct vmmap_refusal why;
	int err;

	if (vmmap_gen_parse(spec, &cfg, s->kind, &why))
		return complain_why(&why);
	err = vmmap_gen_create(&cfg, &s->gen);
	if (err == -ERANGE)
		return complain(
			"gen:%s: expected a footprint from 1M to 1T, and a stride that is less",
			spec);
	return err ? no_memory() : 0;
}

int source_open(struct source *s, const char *what, uint64_t limit, bool data_only)
{
	struct vmmap_refusal why;

	*s = (struct source){ .what = what, .left = limit, .data_only = data_only };
	if (strncmp(what, "gen:", 4) == 0) {
		if (limit == SOURCE_ALL)
			s->left = SOURCE_GEN_DEFAULT;
		return open_gen(s, what + 4);
	}
	return vmmap_trace_open(what, VMMAP_TRACE_ANY, &s->trace, &why) ? complain_why(&why) : 0;
}

static size_t drop_fetches(struct vmmap_access *a, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (a[i].kind != VMMAP_KIND_FETCH)
			a[to++] = a[i];
	return to;
}

static int64_t read_some(struct source *s, struct vmmap_access *a, size_t room)
{
	struct vmmap_refusal why;
	int64_t got;

	if (s->gen) {
		if (!vmmap_gen_run(s->gen, a, room))
			return (int64_t)room;
		no_memory();
		return -1;
	}
	got = vmmap_trace_read(s->trace, a, room, &why);
	if (got < 0)
		complain_why(&why);
	return got < 0 ? -1 : got;
}

int64_t source_read(struct source *s, struct vmmap_access *a, size_t room)
{
	int64_t got = 0;
	size_t kept = 0;

	if (room > s->left)
		room = (size_t)s->left;
	while (room && !kept) {
		got = read_some(s, a, room);
		if (got <= 0)
			return got;
		kept = s->data_only ? drop_fetches(a, (size_t)got) : (size_t)got;
	}
	s->left -= s->left == SOURCE_ALL ? 0 : kept;
	return (int64_t)kept;
}

void source_close(struct source *s)
{
	vmmap_trace_close(s->trace);
	vmmap_gen_free(s->gen);
	s->trace = NULL;
	s->gen = NULL;
}

/* ---- Spaces ------------------------------------------------------------------------------------ */

static int lay_out(const struct vmmap_layout *layout, const struct vmmap_region *regions, size_t n,
		   struct vmmap_snapshot *snap)
{
	int err = vmmap_layout_make(layout, regions, n, snap);

	if (err == -ERANGE)
		return complain(
			"layout: expected memory=SIZE, a power of two that holds all pages");
	return err ? no_memory() : 0;
}

/* Collects the pages of the whole trace. */
static int touch_all(const char *trace, uint64_t limit, struct vmmap_touched *touched)
{
	struct vmmap_access a[AT_ONCE];
	struct source s;
	int64_t got = 0;
	int status;

	if (strcmp(trace, "-") == 0)
		return complain(
			"expected --space FILE with a trace from standard input, which can be "
			"read once only");
	status = source_open(&s, trace, limit, false);
	while (!status && (got = source_read(&s, a, AT_ONCE)) > 0)
		if (vmmap_touched_add(touched, a, (size_t)got))
			status = no_memory();
	source_close(&s);
	return status ? status : got < 0 ? STATUS_WRONG : 0;
}

static int lay_out_touched(const struct vmmap_layout *layout, const struct vmmap_touched *touched,
			   struct vmmap_snapshot *snap)
{
	unsigned int shift = layout->kind == VMMAP_LAYOUT_HUGE ? VMMAP_SHIFT_2M : VMMAP_SHIFT_4K;
	struct vmmap_region *regions;
	size_t n;
	int status;

	if (vmmap_touched_regions(touched, shift, &regions, &n))
		return no_memory();
	status = n ? lay_out(layout, regions, n, snap) :
		     complain("expected accesses to canonical addresses, found none");
	free(regions);
	return status;
}

/* @layout NULL: the trace's own frames, if it has any and @what says nothing else. */
static int open_touched(const char *what, const char *trace, uint64_t limit,
			struct vmmap_layout *layout, struct vmmap_snapshot *snap,
			char described[SPACE_TEXT_BYTES])
{
	struct vmmap_touched *touched;
	int status;

	if (vmmap_touched_create(&touched))
		return no_memory();
	status = touch_all(trace, limit, touched);
	if (!status && what && strcmp(what, "trace") == 0 && !vmmap_touched_frames(touched))
		status = complain("%s: expected physical addresses in the trace, found none",
				  trace);
	if (!status && (!what || strcmp(what, "trace") == 0) && vmmap_touched_frames(touched)) {
		snprintf(described, SPACE_TEXT_BYTES, "trace");
		status = vmmap_touched_snapshot(touched, snap) ? no_memory() : 0;
	} else if (!status) {
		status = lay_out_touched(layout, touched, snap);
	}
	vmmap_touched_free(touched);
	return status;
}

static int open_layout(const char *what, const char *trace, uint64_t limit,
		       struct vmmap_snapshot *snap, char described[SPACE_TEXT_BYTES])
{
	const char *spec = what && strncmp(what, "layout:", 7) == 0 ? what + 7 : "scattered";
	const struct vmmap_region *regions;
	struct vmmap_layout layout;
	struct vmmap_refusal why;
	struct source s;
	size_t n;
	int status;

	if (vmmap_layout_parse(spec, &layout, &why))
		return complain_why(&why);
	snprintf(described, SPACE_TEXT_BYTES, "layout:%.80s", spec);
	if (strncmp(trace, "gen:", 4) != 0)
		return open_touched(what, trace, limit, &layout, snap, described);
	status = source_open(&s, trace, 0, false);
	if (!status) {
		regions = vmmap_gen_regions(s.gen, &n);
		status = lay_out(&layout, regions, n, snap);
	}
	source_close(&s);
	return status;
}

int space_open(const char *what, const char *trace, uint64_t limit, struct vmmap_snapshot *snap,
	       char described[SPACE_TEXT_BYTES])
{
	struct vmmap_refusal why;

	if (!what || strncmp(what, "layout:", 7) == 0 || strcmp(what, "trace") == 0)
		return open_layout(what, trace, limit, snap, described);
	snprintf(described, SPACE_TEXT_BYTES, "%.90s", what);
	return vmmap_snapshot_read(what, VMMAP_SNAPSHOT_ANY, snap, &why) ? complain_why(&why) : 0;
}
