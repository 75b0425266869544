/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What trace.c and the readers of single formats share. A reader is two functions; its state between calls
 * is below.
 */
#ifndef VMMAP_TRACE_FORMAT_H
#define VMMAP_TRACE_FORMAT_H

#include "trace_input.h"

/**
 * struct trace_reader -
 * @matches: Whether @len bytes from the beginning of a file look like this format.
 * @read:    As vmmap_trace_read(), of which @room is at least TRACE_BURST.
 */
struct trace_reader {
	const char *name;
	bool (*matches)(const unsigned char *bytes, size_t len);
	int64_t (*read)(struct vmmap_trace *t, struct vmmap_access *a, size_t room,
			struct vmmap_refusal *why);
};

/* Most accesses that one line or record stands for (ChampSim: an instruction and six operands). */
#define TRACE_BURST 8u

extern const struct trace_reader trace_plain, trace_lackey, trace_champsim, trace_vapa,
	trace_compact;

/**
 * struct vmmap_trace -
 * @last_va:  Compact: the last address of each kind.
 * @in_block: Compact: accesses left in the block.
 * @accesses: Given out so far.
 * @spare:    Accesses that did not fit the caller's array.
 */
struct vmmap_trace {
	struct input in;
	const struct trace_reader *reader;
	enum vmmap_trace_format format;
	uint64_t last_va[3], in_block, accesses;
	bool begun, ended;
	struct vmmap_access spare[TRACE_BURST];
	size_t spare_at, spare_end;
};

/** trace_is_text() - Printable ASCII, tabs and line ends alone. */
bool trace_is_text(const unsigned char *bytes, size_t len);

/** trace_first_line() - The first line of @bytes that is neither blank nor a comment nor valgrind's own. */
struct cursor trace_first_line(const unsigned char *bytes, size_t len);

/** access_size_is_sound() - 1..VMMAP_ACCESS_MAX_SIZE, not past the end of the address space. */
bool access_size_is_sound(uint64_t va, uint64_t size);

#endif
