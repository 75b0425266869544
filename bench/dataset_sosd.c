/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Key files of SOSD, the benchmark of learned indexes: a count, then so many keys in ascending order, all
 * of them little-endian 64-bit numbers. Of equal keys the first one counts.
 */
#define _GNU_SOURCE
#include "dataset_parts.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define AT_ONCE 8192u

/* Reads the count. The file must be as long as that says. */
static int read_count(struct loading *l, FILE *in, uint64_t *count)
{
	const char *path = shown(l->what);
	struct stat st;
	uint64_t word;

	if (fstat(fileno(in), &st))
		return refuse(l->why, errno, "%s: cannot read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(l->why, EINVAL, "%s: expected a regular file, found a %s", path,
			      S_ISDIR(st.st_mode) ? "directory" : "special file");
	if (fread(&word, sizeof(word), 1, in) != 1)
		return refuse(l->why, EINVAL,
			      "%s: expected a count of 8 bytes, found %" PRIu64 " bytes", path,
			      (uint64_t)st.st_size);
	*count = le64toh(word);
	if (*count == (uint64_t)st.st_size / 8 - 1 && st.st_size % 8 == 0)
		return 0;
	return refuse(l->why, EINVAL,
		      "%s: expected 8 bytes for each of %" PRIu64 " keys, found %" PRIu64 " bytes",
		      path, *count, (uint64_t)st.st_size - 8);
}

static int add_keys(struct loading *l, const uint64_t *words, size_t n, uint64_t position)
{
	for (size_t i = 0; i < n; i++) {
		const struct runs *runs = &l->runs;
		uint64_t key = le64toh(words[i]);
		uint64_t last = runs->n ? runs->at[runs->n - 1].last : 0;
		struct lindex_run run = { key, key, position + i, 0, 1, 1 };

		if (runs->n && key == last)
			continue;
		if (runs->n && key < last)
			return refuse(l->why, EINVAL,
				      "%s: key %" PRIu64 ": expected 0x%" PRIx64
				      " or more, found 0x%" PRIx64,
				      shown(l->what), position + i, last, key);
		if (runs_append(&l->runs, run))
			return refuse_memory(l->why);
	}
	return 0;
}

static int read_keys(struct loading *l, FILE *in)
{
	uint64_t words[AT_ONCE], count = 0, done = 0;
	int err = read_count(l, in, &count);

	while (!err && done < count) {
		size_t want = count - done < AT_ONCE ? (size_t)(count - done) : AT_ONCE;

		if (fread(words, sizeof(*words), want, in) != want)
			return refuse(l->why, EIO, "%s: cannot read: %s", shown(l->what),
				      ferror(in) ? strerror(errno) : "it became shorter");
		err = add_keys(l, words, want, done);
		done += want;
	}
	return err;
}

int load_sosd(struct loading *l)
{
	FILE *in = fopen(l->what, "rbe");
	int err;

	if (!in)
		return refuse(l->why, errno, "%s: cannot open: %s", shown(l->what),
			      strerror(errno));
	err = read_keys(l, in);
	fclose(in);
	return err;
}
