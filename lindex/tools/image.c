/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The verbs about images: build, dump, stat, lookup.
 */
#include "tool.h"
#include <inttypes.h>
#include <string.h>

/* ---- build ------------------------------------------------------------------------------------- */

static int save(struct lindex *ix, const char *path)
{
	struct new_file nf;
	struct lindex_sink sink;
	int err, status = new_file_open(&nf, path);

	if (status)
		return status;
	sink = sink_to(nf.out);
	err = lindex_save(ix, &sink);
	if (!err)
		return new_file_commit(&nf);
	status = complain("%s: cannot write: %s", path, strerror(err == -EIO ? errno : -err));
	new_file_abort(&nf);
	return status;
}

static int build_and_save(struct lindex_pool *pool, const struct run_list *list, const char *path)
{
	struct lindex *ix;
	size_t bad = 0;
	int err, status;

	if (lindex_create(pool, NULL, &ix))
		return no_memory();
	err = lindex_build(ix, list->runs, list->n, &bad);
	if (err)
		status = complain("cannot build: run %zu: %s", bad, strerror(-err));
	else
		status = save(ix, path);
	lindex_free(ix);
	return status;
}

int verb_build(int argc, char **argv)
{
	struct run_list list = { 0 };
	struct lindex_pool *pool;
	int status;

	if (argc != 2)
		return complain("build: expected RUNS.txt IMAGE, found %d argument(s)", argc);
	if (lindex_pool_create(NULL, &pool))
		return no_memory();
	status = runs_read(argv[0], &list);
	if (!status)
		status = build_and_save(pool, &list, argv[1]);
	if (!status)
		printf("%s: %s runs\n", argv[1], grouped(list.n).text);
	runs_free(&list);
	lindex_pool_free(pool);
	return status;
}

/* ---- Opening ----------------------------------------------------------------------------------- */

struct opened {
	struct image image;
	struct lindex_pool *pool;
	struct lindex *ix;
	struct lindex_cert cert;
};

static void close_image(struct opened *o)
{
	lindex_free(o->ix);
	if (o->pool)
		lindex_pool_free(o->pool);
	image_free(&o->image);
}

static int open_image(const char *path, struct opened *o)
{
	struct lindex_reason why = { 0 };
	int err, status;

	*o = (struct opened){ 0 };
	status = image_read(path, &o->image);
	if (status)
		return status;
	err = lindex_pool_create(NULL, &o->pool);
	if (!err)
		err = lindex_open_image(o->pool, o->image.bytes, o->image.len, NULL, &o->cert, &why,
					&o->ix);
	if (!err)
		return 0;
	close_image(o);
	return complain_image(path, err, &why);
}

/* ---- dump -------------------------------------------------------------------------------------- */

int verb_dump(int argc, char **argv)
{
	struct lindex_sink sink = sink_to(stdout);
	struct opened o;
	int status;

	if (argc != 1)
		return complain("dump: expected IMAGE, found %d argument(s)", argc);
	status = open_image(argv[0], &o);
	if (status)
		return status;
	printf("# %s: %" PRIu64 " bytes, %" PRIu64 " runs, depth %" PRIu32 ", window %" PRIu32 "\n",
	       argv[0], o.cert.bytes, o.cert.runs, o.cert.depth, o.cert.window);
	/* What the sink could not write is told at the end, by main(). */
	(void)lindex_dump(o.ix, &sink);
	close_image(&o);
	return 0;
}

/* ---- stat -------------------------------------------------------------------------------------- */

struct figure {
	const char *name, *meaning;
	uint64_t value;
};

#define FIGURES 21u
#define ALWAYS  8u /* of these are shown even if they are 0 */

/* Every figure once, in the order of both outputs. Those up to "ops" are the certificate. */
static void collect(const struct opened *o, struct figure figure[FIGURES])
{
	const struct lindex_cert *c = &o->cert;
	struct lindex_stats s;

	lindex_get_stats(o->ix, &s);
	const struct figure all[FIGURES] = {
		{ "bytes", "size of the image", c->bytes },
		{ "runs", "runs", c->runs },
		{ "nodes", "nodes", c->nodes },
		{ "depth", "most nodes that a lookup touches", c->depth },
		{ "window", "most entries that a search looks at", c->window },
		{ "lines", "most 64-byte lines that a lookup touches", c->lines },
		{ "ops", "most keys that a lookup compares", c->ops },
		{ "keys", "keys that have a value", s.keys },
		{ "node_bytes", "bytes of nodes", s.node_bytes },
		{ "inner_nodes", "inner nodes", s.inner_nodes },
		{ "inner_bytes", "bytes of inner nodes", s.inner_bytes },
		{ "lines_leaves", "leaves that are packed lines",
		  s.kind_leaves[LINDEX_KIND_LINES] },
		{ "lines_runs", "  their runs", s.kind_runs[LINDEX_KIND_LINES] },
		{ "sparse_leaves", "sparse leaves: model and window",
		  s.kind_leaves[LINDEX_KIND_SPARSE] },
		{ "sparse_runs", "  their runs", s.kind_runs[LINDEX_KIND_SPARSE] },
		{ "dense_leaves", "dense leaves: line and residuals",
		  s.kind_leaves[LINDEX_KIND_DENSE] },
		{ "dense_runs", "  their runs", s.kind_runs[LINDEX_KIND_DENSE] },
		{ "presence_leaves", "presence leaves: bitmap and rank",
		  s.kind_leaves[LINDEX_KIND_PRESENCE] },
		{ "presence_runs", "  their runs", s.kind_runs[LINDEX_KIND_PRESENCE] },
		{ "terminal_runs", "runs that are entries of inner nodes",
		  s.kind_runs[LINDEX_KIND_TERMINAL] },
		{ "inline_runs", "runs in the header", s.kind_runs[LINDEX_KIND_INLINE] },
	};

	memcpy(figure, all, sizeof(all));
}

static double bytes_per_run(const struct lindex_cert *c)
{
	return c->runs ? (double)c->bytes / (double)c->runs : 0;
}

static void print_json(const struct opened *o, const struct figure *figure)
{
	for (unsigned int i = 0; i < FIGURES; i++)
		printf("%s\"%s\": %" PRIu64, i ? ",\n  " : "{\n  ", figure[i].name,
		       figure[i].value);
	printf(",\n  \"bytes_per_run\": %.2f\n}\n", bytes_per_run(&o->cert));
}

static void print_text(const struct opened *o, const struct figure *figure, const char *path)
{
	printf("%s: certified\n", path);
	for (unsigned int i = 0; i < FIGURES; i++)
		if (i < ALWAYS || figure[i].value)
			printf("  %-40s %16s\n", figure[i].meaning, grouped(figure[i].value).text);
	printf("  %-40s %16.2f\n", "bytes per run", bytes_per_run(&o->cert));
}

int verb_stat(int argc, char **argv)
{
	struct figure figure[FIGURES];
	const char *path = NULL;
	bool json = false;
	struct opened o;
	int status;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (argv[i][0] == '-' || path)
			return complain("stat: expected IMAGE [--json], found \"%s\"", argv[i]);
		else
			path = argv[i];
	}
	if (!path)
		return complain("stat: expected IMAGE [--json], found no image");
	status = open_image(path, &o);
	if (status)
		return status;
	collect(&o, figure);
	if (json)
		print_json(&o, figure);
	else
		print_text(&o, figure, path);
	close_image(&o);
	return 0;
}

/* ---- lookup ------------------------------------------------------------------------------------ */

/* Checked before anything is printed: an answer for some of the keys is easily taken for all. */
static int check_keys(int n, char **text)
{
	uint64_t key;

	for (int i = 0; i < n; i++) {
		bool hex = text[i][0] == '0' && (text[i][1] == 'x' || text[i][1] == 'X');

		if (!(hex ? number_hex(text[i], &key) : number_dec(text[i], &key)))
			return complain("lookup: key %d: expected a number below 2^64, decimal or "
					"0x and hexadecimal, found \"%s\"",
					i + 1, text[i]);
	}
	return 0;
}

static int lookup_one(const struct lindex *ix, const char *text)
{
	struct lindex_run run;
	uint64_t key = 0;
	int err;

	if (!number_dec(text, &key))
		number_hex(text, &key);
	err = lindex_lookup(ix, key, &run);
	if (err) {
		printf("0x%" PRIx64 ": none, in hole 0x%" PRIx64 "..0x%" PRIx64 "\n", key,
		       run.first, run.last);
		return STATUS_NO;
	}
	printf("0x%" PRIx64 ": 0x%" PRIx64 ", in run 0x%" PRIx64 "..0x%" PRIx64 " -> 0x%" PRIx64,
	       key, lindex_value(&run, key), run.first, run.last, run.value);
	if (run.tag)
		printf(", tag %u", run.tag);
	puts(run.step ? "" : ", same value for all");
	return 0;
}

int verb_lookup(int argc, char **argv)
{
	struct opened o;
	int status;

	if (argc < 2)
		return complain("lookup: expected IMAGE KEY..., found %d argument(s)", argc);
	status = check_keys(argc - 1, argv + 1);
	if (!status)
		status = open_image(argv[0], &o);
	if (status)
		return status;
	for (int i = 1; i < argc; i++)
		status |= lookup_one(o.ix, argv[i]);
	close_image(&o);
	return status;
}
