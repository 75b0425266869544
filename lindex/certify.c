/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex_certify(): from any bytes whatsoever to a certificate, or to the first reason against.
 * Checksums say whether the bytes are those that were saved (-EBADMSG); verify.c says whether
 * they make sense (-EUCLEAN), whoever wrote them.
 */
#include "hash.h"
#include "image.h"
#include "verify.h"

static int bad_sum(struct lindex_reason *why, const char *text, uint64_t offset, uint64_t expected,
		   uint64_t found)
{
	if (why)
		*why = (struct lindex_reason){ text, offset, 0, expected, found };
	return -EBADMSG;
}

static bool zeroes(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

#define BAD(text, member, expected)                                                                \
	return lindex_refuse(v, text, offsetof(struct lindex_image_header, member), 0, expected,   \
			     sizeof(h->member) == 8 ? lindex_ld64(&h->member) :                    \
						      lindex_ld32(&h->member))

static int certify_header(struct lindex_verify *v, const struct lindex_image_header *h, size_t len)
{
	uint64_t leaf = lindex_from32(h->leaf_pages), inner = lindex_from32(h->inner_pages), pages;

	if (lindex_from64(h->magic) != LINDEX_IMAGE_MAGIC)
		BAD("not an image: magic", magic, LINDEX_IMAGE_MAGIC);
	if (lindex_from32(h->version) != LINDEX_IMAGE_VERSION)
		BAD("version of the image format", version, LINDEX_IMAGE_VERSION);
	if (lindex_hash(h, LINDEX_IMAGE_SUMMED) != lindex_from64(h->checksum))
		return bad_sum(v->why, "checksum of the header", 0, lindex_from64(h->checksum),
			       lindex_hash(h, LINDEX_IMAGE_SUMMED));
	if (lindex_from32(h->page_bytes) != LINDEX_PAGE_BYTES)
		BAD("page size", page_bytes, LINDEX_PAGE_BYTES);
	if (lindex_from32(h->epsilon) < 2 || lindex_from32(h->epsilon) > LINDEX_INNER_MAX)
		BAD("epsilon", epsilon, LINDEX_INNER_MAX);
	if (lindex_from32(h->node_bytes) < 256 ||
	    lindex_from32(h->node_bytes) % LINDEX_UNIT_BYTES ||
	    lindex_from32(h->node_bytes) > LINDEX_LEAF_UNITS * LINDEX_UNIT_BYTES)
		BAD("node size", node_bytes, 512);
	pages = leaf + inner;
	if (pages >= LINDEX_TERM / LINDEX_PAGE_UNITS)
		BAD("number of pages", pages, LINDEX_TERM / LINDEX_PAGE_UNITS);
	if (lindex_from32(h->sum_pages) != lindex_image_sum_pages((uint32_t)pages))
		BAD("pages of checksums", sum_pages, lindex_image_sum_pages((uint32_t)pages));
	pages += 1 + lindex_image_sum_pages((uint32_t)pages);
	if (lindex_from32(h->pages) != pages)
		BAD("number of pages", pages, pages);
	if (len != pages * LINDEX_PAGE_BYTES)
		return lindex_refuse(v, "length of the image", len, 0, pages * LINDEX_PAGE_BYTES,
				     len);
	if (!zeroes(h->zero, sizeof(h->zero)))
		return lindex_refuse(v, "reserved bytes of the header",
				     offsetof(struct lindex_image_header, zero), 0, 0, 1);
	return 0;
}

static int certify_sums(struct lindex_verify *v, const uint8_t *bytes,
			const struct lindex_image_header *h)
{
	uint32_t pages = lindex_from32(h->leaf_pages) + lindex_from32(h->inner_pages), i;
	const struct lindex_image_sums *sums = (const void *)(bytes + (size_t)(1 + pages) *
									      LINDEX_PAGE_BYTES);
	uint64_t at;

	for (i = 0; i < lindex_from32(h->sum_pages); i++) {
		const struct lindex_image_sums *s = &sums[i];
		uint32_t used = lindex_min32(pages - i * LINDEX_IMAGE_SUMS, LINDEX_IMAGE_SUMS);

		at = (uint64_t)(1 + pages + i) * LINDEX_PAGE_BYTES;
		if (lindex_hash(s, LINDEX_IMAGE_SUMMED) != lindex_from64(s->checksum))
			return bad_sum(v->why, "checksum of a page of checksums", at,
				       lindex_from64(s->checksum),
				       lindex_hash(s, LINDEX_IMAGE_SUMMED));
		if (!zeroes(s->zero, sizeof(s->zero)) ||
		    !zeroes((const uint8_t *)&s->sum[used],
			    (LINDEX_IMAGE_SUMS - used) * sizeof(s->sum[0])))
			return lindex_refuse(v, "reserved bytes of a page of checksums", at, 0, 0,
					     1);
	}
	for (i = 0; i < pages; i++) {
		uint64_t found = lindex_hash(bytes + (size_t)(1 + i) * LINDEX_PAGE_BYTES,
					     LINDEX_PAGE_BYTES);
		uint64_t sum = lindex_from64(
			sums[i / LINDEX_IMAGE_SUMS].sum[i % LINDEX_IMAGE_SUMS]);

		lindex_port_relax();
		if (found != sum)
			return bad_sum(v->why, "checksum of a page",
				       (uint64_t)(1 + i) * LINDEX_PAGE_BYTES, sum, found);
	}
	return 0;
}

static int certify_inline(struct lindex_verify *v, const struct lindex_image_header *h)
{
	uint64_t n = lindex_from64(h->runs), i;
	struct lindex_run run, before = { 0 };

	if (lindex_from64(h->root) != LINDEX_ROOT_INLINE || n > LINDEX_INLINE_RUNS ||
	    lindex_from64(h->nodes) || lindex_from32(h->pages) != 1)
		BAD("an inline root with nodes", root, LINDEX_ROOT_INLINE);
	for (i = 0; i < LINDEX_INLINE_RUNS; i++) {
		const struct lindex_term *t = &h->inline_runs[i];
		uint64_t at = offsetof(struct lindex_image_header, inline_runs) + i * sizeof(*t);

		if (!zeroes(i < n ? t->zero : (const uint8_t *)t,
			    i < n ? sizeof(t->zero) : sizeof(*t)))
			return lindex_refuse(v, "reserved bytes of an inline run", at, 0, 0, 1);
		if (i >= n)
			continue;
		lindex_term_run(t, &run);
		if (lindex_run_valid(&run) ||
		    (i && (run.first <= before.last || lindex_run_joins(&before, &run))))
			return lindex_refuse(v, "inline runs are valid, ascend and differ", at,
					     run.first, before.last, run.last);
		before = run;
	}
	v->runs = n;
	return 0;
}

/* Every byte of a node page belongs to a node that was visited, or is zero. */
static int certify_rest(struct lindex_verify *v, const uint8_t *bytes, uint32_t first, uint32_t end)
{
	uint64_t units = 0;
	uint32_t at;

	for (at = first; at < end;) {
		const struct lindex_node *node = (const void *)(bytes +
								(size_t)at * LINDEX_UNIT_BYTES);
		uint32_t left = LINDEX_PAGE_UNITS - at % LINDEX_PAGE_UNITS;

		if (!node->kind) {
			if (!zeroes((const uint8_t *)node, LINDEX_UNIT_BYTES))
				return lindex_refuse(v, "bytes between nodes",
						     (uint64_t)at * LINDEX_UNIT_BYTES, 0, 0, 1);
			at++;
			continue;
		}
		if (!node->units || node->units > left)
			return lindex_refuse(v, "N1: units of a node",
					     (uint64_t)at * LINDEX_UNIT_BYTES, 0, left,
					     node->units);
		units += node->units;
		at += node->units;
	}
	if (units != v->units)
		return lindex_refuse(v, "a node that nothing refers to",
				     (uint64_t)first * LINDEX_UNIT_BYTES, 0, v->units, units);
	return 0;
}

static int certify_tree(struct lindex_verify *v, const uint8_t *bytes,
			const struct lindex_image_header *h)
{
	/* A directory of one chunk, which is all of the image. */
	uint64_t room[(sizeof(struct lindex_dir) + sizeof(uint8_t *) + 7) / 8] = { 0 };
	struct lindex_dir *dir = (struct lindex_dir *)(void *)room;
	struct lindex_space space = { .dir = dir, .shift = 31 };
	uint64_t root = lindex_from64(h->root);
	uint32_t leaves_end = (1 + lindex_from32(h->leaf_pages)) * LINDEX_PAGE_UNITS;
	uint32_t inner_end = leaves_end + lindex_from32(h->inner_pages) * LINDEX_PAGE_UNITS;
	int err;

	if (root >> 40 || lindex_root_level(root) > LINDEX_MAX_LEVEL)
		BAD("root word", root, 0);
	if (!zeroes((const uint8_t *)h->inline_runs, sizeof(h->inline_runs)))
		BAD("inline runs beside a tree", root, 0);
	dir->len = 1;
	dir->mem[0] = (uint8_t *)(uintptr_t)bytes;
	v->sp = &space;
	v->image = true;
	v->first_ref[0] = LINDEX_PAGE_UNITS;
	v->end_ref[0] = v->first_ref[1] = leaves_end;
	v->end_ref[1] = inner_end;
	err = lindex_verify_tree(v, lindex_root_ref(root), lindex_root_level(root));
	if (!err)
		err = certify_rest(v, bytes, LINDEX_PAGE_UNITS, inner_end);
	if (!err && v->runs != lindex_from64(h->runs))
		BAD("number of runs", runs, v->runs);
	if (!err && v->nodes != lindex_from64(h->nodes))
		BAD("number of nodes", nodes, v->nodes);
	return err;
}

static int over_limits(const struct lindex_limits *l, const struct lindex_cert *c,
		       struct lindex_reason *why)
{
	const struct {
		const char *text;
		uint64_t limit, found;
	} each[] = {
		{ "limit: bytes", l->max_bytes, c->bytes },
		{ "limit: runs", l->max_runs, c->runs },
		{ "limit: depth", l->max_depth, c->depth },
		{ "limit: window", l->max_window, c->window },
		{ "limit: lines", l->max_lines, c->lines },
	};
	size_t i;

	for (i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		if (each[i].limit && each[i].found > each[i].limit) {
			if (why)
				*why = (struct lindex_reason){ each[i].text, 0, 0, each[i].limit,
							       each[i].found };
			return -E2BIG;
		}
	return 0;
}

int lindex_certify(const void *bytes, size_t len, const struct lindex_limits *limits,
		   struct lindex_cert *cert, struct lindex_reason *why)
{
	const struct lindex_image_header *h = bytes;
	struct lindex_verify v = { .why = why };
	struct lindex_cert c;
	int err;

	if ((uintptr_t)bytes % LINDEX_UNIT_BYTES) {
		(void)lindex_refuse(&v, "the bytes are not aligned to 64", 0, 0, 0,
				    (uintptr_t)bytes % LINDEX_UNIT_BYTES);
		return -EINVAL;
	}
	if (len < LINDEX_PAGE_BYTES)
		return lindex_refuse(&v, "shorter than a header", len, 0, LINDEX_PAGE_BYTES, len);
	err = certify_header(&v, h, len);
	if (!err)
		err = certify_sums(&v, bytes, h);
	if (!err)
		err = lindex_from64(h->root) & LINDEX_ROOT_INLINE ? certify_inline(&v, h) :
								    certify_tree(&v, bytes, h);
	if (err)
		return err;
	c = (struct lindex_cert){ .bytes = len,
				  .runs = v.runs,
				  .nodes = v.nodes,
				  .depth = v.depth,
				  .window = v.window,
				  .lines = v.lines,
				  .ops = v.ops };
	err = limits ? over_limits(limits, &c, why) : 0;
	if (!err && cert)
		*cert = c;
	return err;
}
