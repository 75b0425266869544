/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * FILE.runs and FILE.runs.zst: what lindex-tool reads and writes, too.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "runs_text.h"

static int unreadable(const struct loading *l, int err)
{
	const char *path = shown(l->what);

	switch (err) {
	case EBADMSG:
		return refuse(l->why, err, "%s: expected zstd data, found something else or damage",
			      path);
	case ENODATA:
		return refuse(l->why, EBADMSG,
			      "%s: expected more zstd data, found the end of the file", path);
	case EFBIG:
		return refuse(l->why, err,
			      "%s: expected a zstd window of 128 MiB or less, found more", path);
	case ENOMEM:
		return refuse_memory(l->why);
	default:
		return refuse(l->why, err, "%s: cannot read: %s", path, strerror(err));
	}
}

static int add_run(void *ctx, const struct lindex_run *run)
{
	return runs_append(ctx, *run);
}

int load_text(struct loading *l)
{
	FILE *in = fopen(l->what, "re");
	char why[RUNS_TEXT_WHY_BYTES];
	int err;

	if (!in)
		return refuse(l->why, errno, "%s: cannot open: %s", shown(l->what),
			      strerror(errno));
	if (ends_with(l->what, ".zst"))
		in = zstd_reader(in);
	if (!in)
		return refuse_memory(l->why);
	err = runs_text_read(in, shown(l->what), add_run, &l->runs, why);
	fclose(in);
	if (*why)
		return refuse(l->why, -err, "%s", why);
	return err ? unreadable(l, -err) : 0;
}

void write_text(const struct dataset *d, FILE *out)
{
	fputs("# ", out);
	for (const char *c = d->name; *c; c++)
		fputc(isprint((unsigned char)*c) ? *c : '?', out);
	fprintf(out, ": %zu runs, %" PRIu64 " keys\n", d->n, d->keys);
	fputs("# key value (hexadecimal), length [tag [step]]\n", out);
	for (size_t i = 0; i < d->n; i++)
		runs_text_write(&d->runs[i], out);
}
