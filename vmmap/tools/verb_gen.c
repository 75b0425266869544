/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap gen: a workload as a trace in a file, and its space.
 */
#include "tool.h"

#include <errno.h>
#include <string.h>

#define AT_ONCE 4096u

static const char usage[] =
	"KIND -o TRACE [--footprint SIZE] [--seed N] [--stride SIZE] [--accesses N] "
	"[--format compact|plain] [--space RUNS --layout LAYOUT]; or --list";

struct gen_options {
	const char *out, *footprint, *seed, *stride, *accesses, *format, *space, *layout;
	bool list;
};

static int list_kinds(void)
{
	const char *name, *about;

	for (unsigned int i = 0; (name = vmmap_gen_kind(i, &about)); i++)
		printf("%-12s %s\n", name, about);
	return 0;
}

static int write_compact(struct vmmap_gen *gen, uint64_t n, FILE *out)
{
	struct vmmap_access a[AT_ONCE];
	struct vmmap_trace_writer *w;
	struct progress progress;
	int err = vmmap_trace_writer_create(out, &w);

	if (err)
		return err;
	progress_begin(&progress, "writing");
	for (uint64_t done = 0; done < n && !err; done += AT_ONCE) {
		size_t now = n - done < AT_ONCE ? (size_t)(n - done) : AT_ONCE;

		err = vmmap_gen_run(gen, a, now);
		if (!err)
			err = vmmap_trace_write(w, a, now);
		progress_at(&progress, done);
	}
	progress_end(&progress);
	if (!err)
		err = vmmap_trace_writer_finish(w);
	vmmap_trace_writer_free(w);
	return err;
}

static int write_plain(struct vmmap_gen *gen, uint64_t n, FILE *out)
{
	struct vmmap_access a;
	int err = 0;

	for (; n && !err; n--) {
		err = vmmap_gen_run(gen, &a, 1);
		if (!err)
			vmmap_trace_put_text(out, &a);
	}
	return err ? err : ferror(out) ? -EIO : 0;
}

static int write_trace(const struct gen_options *o, struct vmmap_gen *gen, uint64_t n)
{
	bool plain = strcmp(o->format, "plain") == 0;
	struct new_file nf;
	int status, err;

	if (!plain && strcmp(o->format, "compact") != 0)
		return complain("gen: expected --format compact or plain, found \"%s\"", o->format);
	status = new_file_open(&nf, o->out);
	if (status)
		return status;
	err = plain ? write_plain(gen, n, nf.out) : write_compact(gen, n, nf.out);
	if (!err)
		return new_file_commit(&nf);
	status = complain("%s: cannot write: %s", o->out, strerror(-err));
	new_file_abort(&nf);
	return status;
}

static int write_space(const struct gen_options *o, const struct vmmap_gen *gen)
{
	struct vmmap_snapshot snap = { 0 };
	struct vmmap_layout layout;
	struct vmmap_refusal why;
	struct new_file nf;
	size_t n;
	const struct vmmap_region *regions = vmmap_gen_regions(gen, &n);
	int status;

	if (vmmap_layout_parse(o->layout, &layout, &why))
		return complain_why(&why);
	if (vmmap_layout_make(&layout, regions, n, &snap))
		return complain(
			"gen: expected a memory that holds all pages, and room for its spans");
	status = new_file_open(&nf, o->space);
	if (!status && vmmap_snapshot_write_runs(&snap, nf.out, 0)) {
		status = complain("%s: cannot write: %s", o->space, strerror(errno));
		new_file_abort(&nf);
	}
	vmmap_snapshot_destroy(&snap);
	return status ? status : new_file_commit(&nf);
}

static int generate(const struct gen_options *o, const char *kind)
{
	struct vmmap_gen_config cfg = { .kind = kind };
	uint64_t n = SOURCE_GEN_DEFAULT;
	struct vmmap_gen *gen;
	int status, err;

	if ((o->footprint && option_number("--footprint", o->footprint, &cfg.footprint_bytes)) ||
	    (o->seed && option_number("--seed", o->seed, &cfg.seed)) ||
	    (o->stride && option_number("--stride", o->stride, &cfg.stride_bytes)) ||
	    (o->accesses && option_number("--accesses", o->accesses, &n)))
		return STATUS_WRONG;
	err = vmmap_gen_create(&cfg, &gen);
	if (err == -ENOENT)
		return complain("gen: expected a workload (see --list), found \"%s\"", kind);
	if (err == -ERANGE)
		return complain(
			"gen: expected a footprint from 1M to 1T, and a stride that is less");
	if (err)
		return no_memory();
	status = write_trace(o, gen, n);
	if (!status && o->space)
		status = write_space(o, gen);
	vmmap_gen_free(gen);
	return status;
}

int verb_gen(int argc, char **argv)
{
	struct gen_options o = { .format = "compact", .layout = "scattered" };
	const struct option_spec specs[] = {
		{ "-o", &o.out, NULL },
		{ "--output", &o.out, NULL },
		{ "--footprint", &o.footprint, NULL },
		{ "--seed", &o.seed, NULL },
		{ "--stride", &o.stride, NULL },
		{ "--accesses", &o.accesses, NULL },
		{ "--format", &o.format, NULL },
		{ "--space", &o.space, NULL },
		{ "--layout", &o.layout, NULL },
		{ "--list", NULL, &o.list },
	};
	int status = options_parse("gen", usage, specs, sizeof(specs) / sizeof(*specs), &argc, argv,
				   0, 1);

	if (status)
		return status;
	if (o.list)
		return list_kinds();
	if (argc != 1 || !o.out)
		return complain("gen: expected %s", usage);
	return generate(&o, argv[0]);
}
