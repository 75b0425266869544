/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap capture: the pages of a live process, or any snapshot in another format.
 */
#include "tool.h"

#include <errno.h>
#include <string.h>

static const char usage[] = "PID|self|FILE [-o OUT] [--format runs|bare|v2p] [--json]";

static int put_snapshot(const struct vmmap_snapshot *snap, const char *format, FILE *out)
{
	if (strcmp(format, "v2p") == 0)
		return vmmap_snapshot_write_v2p(snap, out);
	return vmmap_snapshot_write_runs(snap, out, strcmp(format, "bare") == 0);
}

static int write_out(const struct vmmap_snapshot *snap, const char *format, const char *path)
{
	struct new_file nf;
	int status = new_file_open(&nf, path);

	if (status)
		return status;
	if (put_snapshot(snap, format, nf.out)) {
		status = complain("%s: cannot write: %s", path ? path : "standard output",
				  strerror(errno));
		new_file_abort(&nf);
		return status;
	}
	return new_file_commit(&nf);
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == 0;
}

static int summary(const char *what, const struct vmmap_snapshot *snap, uint64_t huge)
{
	return put_json(json_pack("{s:s, s:I, s:I, s:I}", "source", what, "pages",
				  (json_int_t)vmmap_snapshot_pages(snap), "spans",
				  (json_int_t)snap->n, "pages_in_huge", (json_int_t)huge));
}

int verb_capture(int argc, char **argv)
{
	const char *out = NULL, *format = "runs";
	bool json = false;
	const struct option_spec specs[] = { { "-o", &out, NULL },
					     { "--output", &out, NULL },
					     { "--format", &format, NULL },
					     { "--json", NULL, &json } };
	struct vmmap_snapshot snap = { 0 };
	struct vmmap_refusal why;
	uint64_t huge = 0;
	int status = options_parse("capture", usage, specs, 4, &argc, argv, 1, 1), err;

	if (status)
		return status;
	if (strcmp(format, "runs") != 0 && strcmp(format, "bare") != 0 &&
	    strcmp(format, "v2p") != 0)
		return complain("capture: expected --format runs, bare or v2p, found \"%s\"",
				format);
	if (is_number(argv[0]) || strcmp(argv[0], "self") == 0)
		err = vmmap_snapshot_capture(argv[0], &snap, &huge, &why);
	else
		err = vmmap_snapshot_read(argv[0], VMMAP_SNAPSHOT_ANY, &snap, &why);
	if (err)
		return complain_why(&why);
	if (!json || out)
		status = write_out(&snap, format, out);
	if (!status && json)
		status = summary(argv[0], &snap, huge);
	vmmap_snapshot_destroy(&snap);
	return status;
}
