/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex-dm: makes what the device-mapper target "lindex" reads, and looks at it. dm_lindex.h has the format.
 */
#include "dm_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "../dm_lindex.h"

static const char usage[] =
	"usage: lindex-dm build SOURCE OUTPUT [--offset SECTORS] [--unit SECTORS] [--unwritten] "
	"[--json]\n"
	"       lindex-dm show FILE [--offset SECTORS] [--json]\n"
	"\n"
	"build makes a map for the device-mapper target \"lindex\" from SOURCE:\n"
	"  FILE or -      text, one extent a line: FIRST LENGTH PLACE, in sectors of 512 bytes;\n"
	"                 lines of \"dmsetup table\" with the target linear are understood, too\n"
	"  fiemap:FILE    where FILE lies on its filesystem's device\n"
	"OUTPUT is a file, or the metadata device itself.\n"
	"show certifies a map and prints its figures.\n"
	"\n"
	"  --offset N     the map begins N sectors behind the beginning of OUTPUT or FILE (default "
	"0)\n"
	"  --unit N       keys count units of N sectors, a power of two (default: the largest that "
	"fits)\n"
	"  --unwritten    take extents of FILE that were allocated and never written\n"
	"  --json         figures as JSON\n"
	"  --help, --version\n";

struct options {
	uint64_t offset, unit; /* sectors; unit 0: find it */
	int unwritten, json;
};

/* ---- Words ---------------------------------------------------------------------------------------- */

int complain(const char *fmt, ...)
{
	va_list args;

	progress("", 0);
	fputs("lindex-dm: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return -1;
}

void progress(const char *what, uint64_t n)
{
	static time_t begun;
	static int shown;

	if (!isatty(STDERR_FILENO))
		return;
	if (!n) {
		if (shown)
			fputs("\r\033[K", stderr);
		shown = 0;
		return;
	}
	begun = begun ? begun : time(NULL);
	if (time(NULL) - begun < 2)
		return;
	fprintf(stderr, "\r%" PRIu64 " %s", n, what);
	shown = 1;
}

struct figures {
	uint64_t extents, unit, map_sectors, data_sectors, offset;
	struct lindex_cert cert;
};

static void print_json(const struct figures *f)
{
	json_t *out = json_pack("{s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "runs",
				(json_int_t)f->cert.runs, "extents", (json_int_t)f->extents,
				"image_bytes", (json_int_t)f->cert.bytes, "bytes_per_extent",
				f->extents ? (double)f->cert.bytes / (double)f->extents : 0.0,
				"unit_sectors", (json_int_t)f->unit, "map_sectors",
				(json_int_t)f->map_sectors, "data_sectors",
				(json_int_t)f->data_sectors, "offset_sectors",
				(json_int_t)f->offset, "depth", (json_int_t)f->cert.depth, "window",
				(json_int_t)f->cert.window, "lines", (json_int_t)f->cert.lines);

	json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(out);
}

static void print_figures(const struct figures *f, const struct options *o)
{
	if (o->json) {
		print_json(f);
		return;
	}
	printf("%" PRIu64 " runs in %" PRIu64 " bytes", f->cert.runs, f->cert.bytes);
	if (f->extents)
		printf(", %.2f per extent", (double)f->cert.bytes / (double)f->extents);
	printf("; unit %" PRIu64 " sectors of %u bytes\n", f->unit, SECTOR_BYTES);
	printf("a lookup: at most %u nodes, %u cache lines, windows of %u entries\n", f->cert.depth,
	       f->cert.lines, f->cert.window);
	printf("maps sectors below %" PRIu64 " to sectors below %" PRIu64 " of the data device\n",
	       f->map_sectors, f->data_sectors);
	printf("table line: 0 %" PRIu64 " lindex DATA META %" PRIu64 "\n", f->map_sectors,
	       f->offset);
}

/* ---- Building -------------------------------------------------------------------------------------- */

/* The largest power of two that divides every beginning, length and place. */
static int find_unit(const struct extents *x, const struct options *o, unsigned int *shift)
{
	uint64_t all = UINT64_C(1) << DM_LINDEX_UNIT_MAX;

	for (size_t i = 0; i < x->n; i++)
		all |= x->runs[i].first | (x->runs[i].last + 1) | x->runs[i].value;
	*shift = (unsigned int)__builtin_ctzll(all);
	if (!o->unit)
		return 0;
	if (o->unit > UINT64_C(1) << *shift)
		return complain("unit of %" PRIu64 " sectors: an extent has edges at %" PRIu64,
				o->unit, UINT64_C(1) << *shift);
	*shift = (unsigned int)__builtin_ctzll(o->unit);
	return 0;
}

static void to_units(struct extents *x, unsigned int shift, struct figures *f)
{
	for (size_t i = 0; i < x->n; i++) {
		struct lindex_run *r = &x->runs[i];
		uint64_t end = r->value + (r->last - r->first) + 1;

		f->data_sectors = end > f->data_sectors ? end : f->data_sectors;
		f->map_sectors = r->last + 1;
		r->first >>= shift;
		r->last = ((r->last + 1) >> shift) - 1;
		r->value >>= shift;
	}
	f->unit = UINT64_C(1) << shift;
	f->extents = x->n;
}

struct output {
	int fd;
	uint64_t at, bytes; /* where the image begins, and how long it is so far */
};

static int put(void *ctx, const void *bytes, size_t len)
{
	struct output *out = ctx;
	const char *from = bytes;

	while (len) {
		ssize_t n = pwrite(out->fd, from, len, (off_t)(out->at + out->bytes));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		from += n;
		len -= (size_t)n;
		out->bytes += (uint64_t)n;
	}
	return 0;
}

static int put_header(int fd, uint64_t offset, const struct figures *f)
{
	struct dm_lindex_header *h = calloc(1, sizeof(*h));
	struct output out = { .fd = fd, .at = offset };
	int err;

	if (!h)
		return -ENOMEM;
	h->magic = htole64(DM_LINDEX_MAGIC);
	h->version = htole32(DM_LINDEX_VERSION);
	h->unit_shift = htole32((uint32_t)__builtin_ctzll(f->unit));
	h->image_bytes = htole64(f->cert.bytes);
	h->map_sectors = htole64(f->map_sectors);
	h->data_sectors = htole64(f->data_sectors);
	h->runs = htole64(f->cert.runs);
	h->crc32 = htole32(
		(uint32_t)crc32(0, (const void *)h, offsetof(struct dm_lindex_header, crc32)));
	err = put(&out, h, sizeof(*h));
	free(h);
	return err;
}

/* The image first; from the header on there is a map. */
static int write_map(int fd, struct lindex *ix, const struct options *o, struct figures *f)
{
	uint64_t offset = o->offset * SECTOR_BYTES;
	struct output out = { .fd = fd, .at = offset + DM_LINDEX_HEADER_BYTES };
	struct lindex_sink sink = { .write = put, .ctx = &out };
	int err = lindex_save(ix, &sink);

	if (err)
		return err;
	f->cert.bytes = out.bytes;
	if (fsync(fd) < 0)
		return -errno;
	err = put_header(fd, offset, f);
	return err ? err : fsync(fd) < 0 ? -errno : 0;
}

/* Reads back and certifies: what is printed is what the target will see. */
static int read_map(int fd, const char *name, const struct options *o, struct figures *f);

/* A regular file takes its name when it is complete; a device is written in place, its header last. */
static int write_output(const char *name, struct lindex *ix, const struct options *o,
			struct figures *f)
{
	char temporary[4096];
	struct stat st;
	bool in_place = stat(name, &st) == 0 && !S_ISREG(st.st_mode);
	int fd, err;

	if (!in_place && o->offset)
		in_place = true;
	snprintf(temporary, sizeof(temporary), "%.4000s%s", name, in_place ? "" : ".new");
	fd = open(temporary, O_RDWR | O_CLOEXEC | (in_place && !o->offset ? 0 : O_CREAT), 0644);
	if (fd < 0)
		return complain("%s: %s", temporary, strerror(errno));
	if (!in_place && ftruncate(fd, 0) < 0)
		err = -errno;
	else
		err = write_map(fd, ix, o, f);
	if (err)
		complain("%s: %s", temporary, strerror(-err));
	if (!err)
		err = read_map(fd, temporary, o, f);
	close(fd);
	if (!err && !in_place && rename(temporary, name) < 0)
		err = complain("%s: %s", name, strerror(errno));
	if (err && !in_place)
		unlink(temporary);
	return err;
}

static int build(const char *source, const char *output, const struct options *o)
{
	struct figures f = { .offset = o->offset };
	struct lindex_pool *pool = NULL;
	struct lindex *ix = NULL;
	struct extents x = { 0 };
	unsigned int shift;
	int err;

	err = extents_read(&x, source, o->unwritten);
	if (!err && !x.n)
		err = complain("%s: no extents", source);
	if (!err)
		err = extents_sort(&x, source);
	if (!err)
		err = find_unit(&x, o, &shift);
	if (!err) {
		to_units(&x, shift, &f);
		err = lindex_pool_create(NULL, &pool);
		err = err ? err : lindex_create(pool, NULL, &ix);
		err = err ? err : lindex_build(ix, x.runs, x.n, NULL);
		if (err)
			complain("%s: %s", source, strerror(-err));
	}
	extents_free(&x);
	if (!err)
		err = write_output(output, ix, o, &f);
	lindex_free(ix);
	if (pool)
		lindex_pool_free(pool);
	if (!err)
		print_figures(&f, o);
	return err;
}

/* ---- Looking --------------------------------------------------------------------------------------- */

static int get(int fd, void *to, uint64_t bytes, uint64_t at)
{
	char *into = to;

	while (bytes) {
		ssize_t n = pread(fd, into, bytes, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		into += n;
		at += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int read_header(int fd, const char *name, uint64_t at, struct dm_lindex_header *h)
{
	uint32_t crc;
	int err = get(fd, h, sizeof(*h), at);

	if (err)
		return complain("%s: byte %" PRIu64 ": %s", name, at,
				err == -ENODATA ? "ends within the header" : strerror(-err));
	if (le64toh(h->magic) != DM_LINDEX_MAGIC)
		return complain("%s: byte %" PRIu64 ": no map: magic 0x%016" PRIx64
				", expected 0x%016" PRIx64,
				name, at, (uint64_t)le64toh(h->magic), (uint64_t)DM_LINDEX_MAGIC);
	crc = (uint32_t)crc32(0, (const void *)h, offsetof(struct dm_lindex_header, crc32));
	if (crc != le32toh(h->crc32))
		return complain("%s: byte %" PRIu64 ": header checksum 0x%08" PRIx32
				", expected 0x%08" PRIx32,
				name, at, crc, le32toh(h->crc32));
	if (le32toh(h->version) != DM_LINDEX_VERSION || le32toh(h->unit_shift) > DM_LINDEX_UNIT_MAX)
		return complain("%s: byte %" PRIu64 ": version %" PRIu32 ", unit shift %" PRIu32,
				name, at, le32toh(h->version), le32toh(h->unit_shift));
	return 0;
}

static int certify(const void *bytes, uint64_t len, const char *name, struct lindex_cert *cert)
{
	struct lindex_reason why = { 0 };
	int err = lindex_certify(bytes, len, NULL, cert, &why);

	if (!err)
		return 0;
	return complain("%s: byte %" PRIu64 " of the image: %s; expected %" PRIu64
			", found %" PRIu64,
			name, why.offset, why.text, why.expected, why.found);
}

static int read_map(int fd, const char *name, const struct options *o, struct figures *f)
{
	uint64_t at = o->offset * SECTOR_BYTES, len;
	struct dm_lindex_header *h = malloc(sizeof(*h));
	void *bytes = NULL;
	off_t end = lseek(fd, 0, SEEK_END);
	int err = h ? read_header(fd, name, at, h) : complain("no memory");

	if (!err) {
		len = le64toh(h->image_bytes);
		f->unit = UINT64_C(1) << le32toh(h->unit_shift);
		f->map_sectors = le64toh(h->map_sectors);
		f->data_sectors = le64toh(h->data_sectors);
		if (end < 0 || len % 64 || len > (uint64_t)end ||
		    at + DM_LINDEX_HEADER_BYTES > (uint64_t)end - len)
			err = complain("%s: an image of %" PRIu64 " bytes does not fit", name, len);
	}
	if (!err && posix_memalign(&bytes, 4096, len ? len : 1))
		err = complain("no memory for %" PRIu64 " bytes", len);
	if (!err && get(fd, bytes, len, at + DM_LINDEX_HEADER_BYTES))
		err = complain("%s: %s", name, strerror(errno));
	if (!err)
		err = certify(bytes, len, name, &f->cert);
	free(bytes);
	free(h);
	return err;
}

static int show(const char *name, const struct options *o)
{
	struct figures f = { .offset = o->offset };
	int fd = open(name, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return complain("%s: %s", name, strerror(errno));
	err = read_map(fd, name, o, &f);
	close(fd);
	f.extents = f.cert.runs;
	if (!err)
		print_figures(&f, o);
	return err;
}

/* ---- The command line -------------------------------------------------------------------------------- */

static int number_of(const char *name, const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || *out > most)
		return complain("--%s: %s is not a number of sectors up to %" PRIu64, name, text,
				most);
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "offset", required_argument, NULL, 'o' },
		{ "unit", required_argument, NULL, 'u' },
		{ "unwritten", no_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'o':
			if (number_of("offset", optarg, INT64_MAX / SECTOR_BYTES / 2, &o->offset))
				return 2;
			break;
		case 'u':
			if (number_of("unit", optarg, 1u << DM_LINDEX_UNIT_MAX, &o->unit))
				return 2;
			if (!o->unit || o->unit & (o->unit - 1)) {
				complain("--unit: %s is no power of two", optarg);
				return 2;
			}
			break;
		case 'w':
			o->unwritten = 1;
			break;
		case 'j':
			o->json = 1;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'v':
			printf("lindex-dm %s\n", lindex_version());
			exit(0);
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	int status = parse(argc, argv, &o), n = argc - optind;
	char **words = argv + optind;

	if (status)
		return status;
	if (n == 3 && !strcmp(words[0], "build"))
		status = build(words[1], words[2], &o);
	else if (n == 2 && !strcmp(words[0], "show"))
		status = show(words[1], &o);
	else {
		fputs(usage, stderr);
		return 2;
	}
	if (!status && (fflush(stdout) || ferror(stdout)))
		status = complain("standard output: %s", strerror(errno));
	return status ? 1 : 0;
}
