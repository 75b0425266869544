/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the tools share: words for people (say.c) and the two forms of a dump (sink.c).
 */
#ifndef TOOL_H
#define TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lfs.h"
#include "say.h"

extern const char tool_help[]; /* each tool defines it, and tool_name (say.h of lindex/tools) */

/* ---- say.c ------------------------------------------------------------------------------------- */

/* For --help and --version: print, and return the exit status. */
int print_help(void);
int print_version(void);

/* lfs_callbacks.log for engines inside a tool: warnings and errors, as complaints. */
void log_line(void *ctx, enum lfs_log_level level, const char *line);

/* 1536 as "1.5 KiB", for printf("%s", sized(n).text). */
struct words {
	char text[40];
};
struct words sized(uint64_t bytes);
struct words uuid_text(const uint8_t uuid[16]);

/* "phase: 12 of 34" on a terminal, for work that takes more than a moment. */
void progress_of(struct progress *p, const char *phase, uint64_t done, uint64_t total);

/* Print @object and a newline; give it back. Return: an exit status. */
int print_json(json_t *object);

/* ---- sink.c: an lfs_dump_sink that prints ------------------------------------------------------- */

#define SINK_DEPTH 16

struct sink {
	struct lfs_dump_sink calls; /* what the engine is given */
	unsigned depth;
	json_t *open[SINK_DEPTH]; /* JSON: groups that are not closed; [0] is the root */
};

/* Text goes to stdout as it comes; JSON is collected until sink_finish(). */
void sink_init(struct sink *sink, bool json);
int sink_finish(struct sink *sink);

#endif
