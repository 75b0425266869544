/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lists of runs in files of text (runs_text.h).
 */
#include "runs_text.h"
#include "tool.h"

#include <errno.h>
#include <string.h>

struct reading {
	struct run_list *list;
	struct progress progress;
	uint64_t runs;
};

static int add(void *ctx, const struct lindex_run *run)
{
	struct reading *r = ctx;

	progress_at(&r->progress, ++r->runs);
	return runs_append(r->list, run);
}

static int read_all(FILE *in, const char *name, struct run_list *list)
{
	struct reading r = { .list = list };
	char why[RUNS_TEXT_WHY_BYTES];
	int err;

	progress_begin(&r.progress, "runs read");
	err = runs_text_read(in, name, add, &r, why);
	progress_end(&r.progress);
	if (!err)
		return 0;
	if (*why)
		return complain("%s", why);
	return err == -ENOMEM ? no_memory() : complain("%s: cannot read: %s", name, strerror(-err));
}

int runs_read(const char *path, struct run_list *list)
{
	FILE *in;
	int status;

	if (strcmp(path, "-") == 0)
		return read_all(stdin, "stdin", list);
	in = fopen(path, "r");
	if (!in)
		return complain("%s: cannot open: %s", path, strerror(errno));
	status = read_all(in, path, list);
	fclose(in);
	return status;
}

void runs_write(const struct run_list *list, FILE *out)
{
	for (size_t i = 0; i < list->n; i++)
		runs_text_write(&list->runs[i], out);
}
