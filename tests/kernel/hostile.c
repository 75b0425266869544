/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * hostile FOLDER: maps that lindex-dm would not make, with checksums that are right. The target has to refuse each.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "check.h"
#include "dm_lindex.h"
#include "images.h"
#include "lindex.h"
#include "same.h"

static const struct hostile {
	const char *name;
	struct lindex_run run;
	uint32_t version, unit_shift;
	int64_t more_bytes; /* image_bytes beside what the image has */
} all[] = {
	{ "constant", RUN(0, 99, 5, 0, 0), 1, 0, 0 },
	{ "constant_past", RUN(0, 0, UINT64_MAX, 0, 0), 1, 0, 0 },
	{ "far_keys", RUN(1ULL << 63, (1ULL << 63) + 9, 0, 1, 0), 1, 0, 0 },
	{ "far_keys_of_a_unit", RUN(1ULL << 60, (1ULL << 60) + 9, 0, 1, 0), 1, 3, 0 },
	{ "last_key", RUN(UINT64_MAX - 7, UINT64_MAX, 0, 1, 0), 1, 0, 0 },
	{ "far_values", RUN(0, 9, UINT64_MAX - 9, 1, 0), 1, 0, 0 },
	{ "values_that_wrap_in_sectors", RUN(0, 9, 1ULL << 61, 1, 0), 1, 3, 0 },
	{ "one_value_past", RUN(0, 1048576, 0, 1, 0), 1, 0, 0 }, /* of a device of 512 MiB */
	{ "unit", RUN(0, 9, 0, 1, 0), 1, 31, 0 },
	{ "unit_of_bits", RUN(0, 9, 0, 1, 0), 1, UINT32_MAX, 0 },
	{ "version", RUN(0, 9, 0, 1, 0), 2, 0, 0 },
	{ "long", RUN(0, 9, 0, 1, 0), 1, 0, INT64_C(1) << 40 },
	{ "longer_than_numbers", RUN(0, 9, 0, 1, 0), 1, 0, -8192 },
	{ "odd", RUN(0, 9, 0, 1, 0), 1, 0, 1 },
	{ "short", RUN(0, 9, 0, 1, 0), 1, 0, -4096 },
};

static void write_map(const char *folder, const struct hostile *h)
{
	struct dm_lindex_header header = { 0 };
	struct image im = { 0 };
	struct twin twin;
	char path[4096];
	FILE *file;

	twin_init(&twin);
	twin_insert(&twin, &h->run);
	image_of(&im, &twin, 0, 0);
	header.magic = htole64(DM_LINDEX_MAGIC);
	header.version = htole32(h->version);
	header.unit_shift = htole32(h->unit_shift);
	header.image_bytes = htole64(im.len + (uint64_t)h->more_bytes);
	header.runs = htole64(1);
	header.crc32 = htole32((uint32_t)crc32(0, (const void *)&header,
					       offsetof(struct dm_lindex_header, crc32)));
	snprintf(path, sizeof(path), "%s/%s.hostile", folder, h->name);
	file = fopen(path, "w");
	CHECK(file && fwrite(&header, 1, sizeof(header), file) == sizeof(header) &&
		      fwrite(im.bytes, 1, im.len, file) == im.len && !fclose(file),
	      "%s: write", path);
	image_destroy(&im);
	twin_destroy(&twin);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: hostile FOLDER\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		write_map(argv[1], &all[i]);
	return 0;
}
