/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A file that gets its name when it is complete, so that nobody ever sees half of it.
 */
#ifndef LINDEX_TOOL_NEW_FILE_H
#define LINDEX_TOOL_NEW_FILE_H

#include <stdio.h>

/** struct new_file - Write to @out; the rest is new_file.c's. */
struct new_file {
	char *path, *temporary; /* NULL: standard output */
	FILE *out;
};

/*
 * @path NULL or "-": standard output, which whoever calls flushes. Each returns 0 or, having said why, STATUS_WRONG (say.h);
 * then there is nothing to abort. A file that is not committed is to be aborted, and leaves what was there before.
 */
int new_file_open(struct new_file *nf, const char *path);
int new_file_commit(struct new_file *nf);
void new_file_abort(struct new_file *nf);

#endif /* LINDEX_TOOL_NEW_FILE_H */
