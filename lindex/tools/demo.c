/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The main job on real files, from the first extent to the last check: see verb_demo().
 */
#include "tool.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OVERWRITES  5000u
#define ARRAY_BYTES 24u /* first, length, value */

/* ---- What to map ------------------------------------------------------------------------------- */

static void describe(const char *path, const struct extents *x, double seconds)
{
	printf("  %s%s files below %s (%s), asked in %.1f s\n", x->truncated ? "the first " : "",
	       grouped(x->files).text, path, x->filesystem, seconds);
	printf("  %s extents", grouped(x->extents).text);
	if (x->left_out)
		printf(" (%s without a place on disk left out)", grouped(x->left_out).text);
	printf(", which are %s runs of blocks of %u bytes\n", grouped(x->list.n).text,
	       x->block_bytes);
	if (x->unreadable)
		printf("  %s files could not be read\n", grouped(x->unreadable).text);
	puts("  key: file number << 32 | block in the file; value: block on disk");
}

/* No filesystem to ask: this process's own pages; without the right to see these, made-up ones. */
static int gather_elsewhere(const char *path, const struct extents *x, struct run_list *list)
{
	int status;

	if (x->unsupported)
		printf("  %s (%s) does not list extents (no FIEMAP)\n", path, x->filesystem);
	else
		printf("  no file below %s (%s) has extents\n", path, x->filesystem);
	status = pages_of_self(list);
	if (status)
		return status;
	if (list->n) {
		printf("  instead: the pages of this process, 64 MiB of them just written: %s "
		       "runs\n",
		       grouped(list->n).text);
		puts("  key: page number; value: page frame");
		return 0;
	}
	status = pages_synthetic(list);
	printf("  nor does the kernel tell page frames here (that needs root)\n"
	       "  instead: a made-up file of a million blocks on a log, overwritten often: %s "
	       "runs\n",
	       grouped(list->n).text);
	puts("  key: block in the file; value: block on disk");
	return status;
}

static int gather(const char *path, struct run_list *list)
{
	double before = seconds_now();
	struct extents x;
	int status = extents_below(path, &x);

	if (status)
		return status;
	puts("What is mapped");
	if (!x.list.n)
		return gather_elsewhere(path, &x, list);
	describe(path, &x, seconds_now() - before);
	*list = x.list;
	return 0;
}

/* ---- What it takes ---------------------------------------------------------------------------- */

struct figures {
	struct lindex_stats stats;
	struct lindex_cert cert;
	struct demo_times times;
	uint64_t pool_bytes, empty_pool_bytes;
	double overwrite_seconds;
};

static void print_bytes(const char *what, uint64_t bytes, uint64_t runs)
{
	printf("  %-44s %9s bytes %8.2f per run\n", what, grouped(bytes).text,
	       (double)bytes / (double)runs);
}

static void print_size(const struct figures *f)
{
	uint64_t n = f->stats.runs;

	printf("\nMemory for %s runs\n", grouped(n).text);
	print_bytes("plain sorted array: first, length, value", n * ARRAY_BYTES, n);
	print_bytes("lindex, all-in: all that its pool holds", f->pool_bytes, n);
	print_bytes("the nodes alone", f->stats.node_bytes, n);
	print_bytes("a pool before anything is in it", f->empty_pool_bytes, n);
	print_bytes("the saved image, checksums included", f->cert.bytes, n);
}

static void print_shape(const struct lindex_stats *s)
{
	static const char *const kind[LINDEX_KIND_COUNT] = {
		[LINDEX_KIND_LINES] = "lines: exact runs in packed cache lines",
		[LINDEX_KIND_SPARSE] = "sparse: bit-packed runs, model and window",
		[LINDEX_KIND_DENSE] = "dense: a line and residuals",
		[LINDEX_KIND_PRESENCE] = "presence: bitmap, rank, residuals",
		[LINDEX_KIND_TERMINAL] = "terminal: a run as entry of an inner node",
		[LINDEX_KIND_INLINE] = "inline: runs in the header",
	};

	printf("\nShape: depth %" PRIu32 ", widest search window %" PRIu32
	       " entries, inner nodes: %s\n",
	       s->depth, s->window, grouped(s->inner_nodes).text);
	for (int i = 0; i < LINDEX_KIND_COUNT; i++)
		if (s->kind_runs[i])
			printf("  %-44s %9s leaves %9s runs\n", kind[i],
			       grouped(s->kind_leaves[i]).text, grouped(s->kind_runs[i]).text);
}

static void print_cert(const struct lindex_cert *c)
{
	puts("\nCertificate, recomputed from the bytes of the saved image alone");
	printf("  no lookup touches more than %" PRIu32 " nodes, %" PRIu32
	       " cache lines of 64 bytes, or compares more than %" PRIu32 " keys\n",
	       c->depth, c->lines, c->ops);
	printf("  %s runs in %s nodes, %s bytes; no search window is wider than %" PRIu32
	       " entries\n",
	       grouped(c->runs).text, grouped(c->nodes).text, grouped(c->bytes).text, c->window);
}

static void print_times(const struct demo_times *t, double overwrite_seconds)
{
	puts("\nTime, on this machine at this moment");
	printf("  %-44s %6.0f ns\n", "a lookup, one at a time", t->single_ns);
	printf("  %-44s %6.0f ns\n", "a lookup, in batches of 512", t->batch_ns);
	printf("  %-44s %6.0f ns\n", "a binary search in the plain array", t->array_ns);
	printf("  %-44s %6.0f ns\n", "an overwrite", overwrite_seconds * 1e9);
}

/* ---- The steps --------------------------------------------------------------------------------- */

/* Certifies, opens and asks what was saved. */
static void check_image(struct demo *demo, const struct image *image, struct lindex_cert *cert)
{
	struct lindex_reason why = { 0 };
	struct lindex *opened;
	int err = lindex_certify(image->bytes, image->len, NULL, cert, &why);

	if (!err)
		err = lindex_open_image(demo->pool, image->bytes, image->len, NULL, NULL, &why,
					&opened);
	if (err) {
		complain_image("the image just saved", err, &why);
		demo_verdict(demo, false, "the saved image is certified");
		return;
	}
	demo_verdict(demo, cert->runs == demo->list.n,
		     "the image is saved, read back and certified");
	demo_check_edges(demo, opened, "in the image");
	demo_check_random(demo, opened, "in the image");
	demo_check_cost(demo, opened, cert);
	lindex_free(opened);
}

/* An image is a function of the runs alone: built from them at once, or after many changes. */
static int check_canonical(struct demo *demo)
{
	struct image changed = { 0 }, fresh = { 0 };
	struct lindex *ix;
	int status = image_of(demo->ix, &changed);

	if (status)
		return status;
	if (lindex_create(demo->pool, NULL, &ix)) {
		image_free(&changed);
		return no_memory();
	}
	status = lindex_build(ix, demo->list.runs, demo->list.n, NULL) ? no_memory() :
									 image_of(ix, &fresh);
	lindex_free(ix);
	if (!status)
		demo_verdict(demo,
			     fresh.bytes && changed.len == fresh.len &&
				     !memcmp(changed.bytes, fresh.bytes, fresh.len),
			     "its image is the same, byte for byte, as of an index built anew");
	image_free(&changed);
	image_free(&fresh);
	return status;
}

static int check_after_changes(struct demo *demo)
{
	struct lindex_reason why = { 0 };
	bool sound = lindex_check(demo->ix, &why) == 0;

	demo_verdict(demo, sound, "the changed index passes lindex_check()%s%s", sound ? "" : ": ",
		     sound ? "" : why.text);
	demo_check_edges(demo, demo->ix, "after the changes");
	demo_check_walk(demo, demo->ix, "after the changes");
	return check_canonical(demo);
}

/* In this order: the changes make what was measured before them another map. */
static int check_all(struct demo *demo, struct figures *f)
{
	struct image image = { 0 };
	int status;

	puts("\nChecks: every answer compared with the sorted array");
	demo_check_edges(demo, demo->ix, "in the index");
	demo_check_random(demo, demo->ix, "in the index");
	status = image_of(demo->ix, &image);
	if (!status)
		check_image(demo, &image, &f->cert);
	image_free(&image);
	if (!status)
		status = demo_measure(demo, &f->times);
	if (!status)
		status = demo_overwrite(demo, OVERWRITES, &f->overwrite_seconds);
	return status ? status : check_after_changes(demo);
}

static int build(struct demo *demo, struct figures *f)
{
	double before = seconds_now();
	int err;

	f->empty_pool_bytes = lindex_pool_bytes(demo->pool);
	if (lindex_create(demo->pool, NULL, &demo->ix))
		return no_memory();
	err = lindex_build(demo->ix, demo->list.runs, demo->list.n, NULL);
	if (err)
		return complain("cannot build: %s", strerror(-err));
	printf("  index built in %.1f ms\n", (seconds_now() - before) * 1e3);
	lindex_pool_reclaim(demo->pool);
	f->pool_bytes = lindex_pool_bytes(demo->pool);
	lindex_get_stats(demo->ix, &f->stats);
	return 0;
}

static int build_and_show(struct demo *demo)
{
	struct figures f = { 0 };
	int status = build(demo, &f);

	if (!status)
		status = check_all(demo, &f);
	if (status)
		return status;
	print_size(&f);
	print_shape(&f.stats);
	print_cert(&f.cert);
	print_times(&f.times, f.overwrite_seconds);
	if (demo->failures) {
		complain("%u check(s) failed", demo->failures);
		return STATUS_NO;
	}
	puts("\nAll checks passed.");
	return 0;
}

int verb_demo(int argc, char **argv)
{
	const char *path = argc ? argv[0] : "/usr";
	struct demo demo = { .random = 1 };
	int status;

	if (argc > 1)
		return complain("demo: expected one PATH, found \"%s\" behind it", argv[1]);
	status = gather(path, &demo.list);
	if (status)
		return status;
	if (lindex_pool_create(NULL, &demo.pool))
		status = no_memory();
	else
		status = build_and_show(&demo);
	lindex_free(demo.ix);
	if (demo.pool)
		lindex_pool_free(demo.pool);
	runs_free(&demo.list);
	return status;
}
