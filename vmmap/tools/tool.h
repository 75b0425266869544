/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the files of the vmmap command share, each under the name of its .c file.
 *
 * Exit status, everywhere: 0; 1 if the answer is no (an address that faults, a check that found a difference); 2 if
 * the work could not be done (bad arguments, bad input, a file that cannot be read or written). Functions that
 * return "a status" return one of these, and have said why on stderr if it is not 0.
 */
#ifndef VMMAP_TOOL_H
#define VMMAP_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "new_file.h"
#include "say.h"
#include "sim.h"
#include "trace.h"
#include "vmmap.h"

/* ---- main.c: the verbs; each gets its own arguments, argv[argc] is NULL, and returns a status ------ */

int verb_bench(int argc, char **argv);
int verb_capture(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_gen(int argc, char **argv);
int verb_record(int argc, char **argv);
int verb_sim(int argc, char **argv);
int verb_stat(int argc, char **argv);
int verb_sweep(int argc, char **argv);
int verb_translate(int argc, char **argv);

/* ---- options.c: arguments ------------------------------------------------------------------------ */

/**
 * struct option_spec - "--name" or "-n", with a value into *@value or, if that is NULL, a flag into *@flag.
 */
struct option_spec {
	const char *name, **value;
	bool *flag;
};

/**
 * options_parse() - Options out of @argv, wherever they stand; others move to its front. "--" ends options.
 * @verb:  For complaints. @usage: what the verb expects.
 * @most:  Most arguments that are no options; @least: least.
 * Return: a status. *@argc: arguments that are left.
 */
int options_parse(const char *verb, const char *usage, const struct option_spec *specs, size_t n,
		  int *argc, char **argv, int least, int most);

/* option_number() - A decimal number or a size, as in 8G. option_hex() - hexadecimal. Return: a status. */
int option_number(const char *name, const char *text, uint64_t *n);
int option_hex(const char *name, const char *text, uint64_t *n);

/* ---- say.c: words that only this command has ------------------------------------------------------ */

/* As complain(), say.h of lindex/tools: one line on stderr; returns STATUS_WRONG. */
int complain_why(const struct vmmap_refusal *why);

/* Prints @json, and frees it. Return: a status. */
int put_json(json_t *json);

/* ---- source.c: traces and spaces that a command line names --------------------------------------- */

/**
 * struct source - Where accesses come from: a file, or a workload ("gen:SPEC").
 * @left: Accesses still to give. @data_only: leave out fetches.
 */
struct source {
	const char *what;
	struct vmmap_trace *trace;
	struct vmmap_gen *gen;
	uint64_t left;
	bool data_only;
	char kind[VMMAP_GEN_NAME_BYTES];
};

#define SOURCE_ALL         UINT64_MAX
#define SOURCE_GEN_DEFAULT (UINT64_C(4) << 20) /* a workload never ends by itself */

/* @limit: most accesses; SOURCE_ALL: all of a file, SOURCE_GEN_DEFAULT of a workload. Return: a status. */
int source_open(struct source *s, const char *what, uint64_t limit, bool data_only);
/* Return: accesses stored, 0 at the end, -1 (said why). */
int64_t source_read(struct source *s, struct vmmap_access *a, size_t room);
void source_close(struct source *s);

/*
 * The space for @trace: a file, proc:PID, "layout:SPEC" (frames for the regions of a workload, or for the pages that a
 * trace touches), "trace" (the frames that the trace itself knows), or NULL: "trace" if it knows any, else
 * layout:scattered. @described: what it was, for people. Return: a status.
 */
#define SPACE_TEXT_BYTES 96u
int space_open(const char *what, const char *trace, uint64_t limit, struct vmmap_snapshot *snap,
	       char described[SPACE_TEXT_BYTES]);

/* ---- figures.c: rows as table, CSV and JSON ------------------------------------------------------- */

/* What a row of the simulator says beside its counts. */
struct figures {
	struct vmmap_sim_counts counts;
	double mean, mmu,
		per_walk; /* accesses per walk; MMU cycles per access, walk cycles per walk */
	uint32_t p99, max;
	double ideal, radix; /* MMU cycles against these rows; 0: there is none */
};
struct figures figures_of(const struct vmmap_rows *rows, unsigned int row,
			  const struct vmmap_machine *machine);

void put_rows_text(const struct vmmap_rows *rows, const struct vmmap_machine *machine);
void put_rows_csv_header(void);
/* @labels: the first columns: trace and space. */
void put_rows_csv(const struct vmmap_rows *rows, const struct vmmap_machine *machine,
		  const char *trace, const char *space);
json_t *rows_json(const struct vmmap_rows *rows, const struct vmmap_machine *machine);

/* Bytes and times of tables: what stat prints. */
json_t *tables_json(const struct vmmap_rows *rows);

#endif /* VMMAP_TOOL_H */
