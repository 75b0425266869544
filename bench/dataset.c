/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#define _GNU_SOURCE
#include "dataset.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataset_parts.h"

/* ---- Reasons ------------------------------------------------------------------------------- */

#define PATH_SHOWN 120u

int refuse(char *why, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, DATASET_WHY_BYTES, fmt, args);
	va_end(args);
	/* A path may have any character in it; a reason is one line. */
	for (char *c = why; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -err;
}

int refuse_memory(char *why)
{
	return refuse(why, ENOMEM, "no memory");
}

const char *shown(const char *path)
{
	size_t len = strlen(path);

	return len > PATH_SHOWN ? path + len - PATH_SHOWN : path;
}

bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && !strcmp(text + len - end_len, end);
}

/* ---- Load ---------------------------------------------------------------------------------- */

static bool is_text(const char *path)
{
	return ends_with(path, ".runs") || ends_with(path, ".runs.zst");
}

static int load(struct loading *l, const char *spec)
{
	static const struct {
		const char *prefix;
		int (*load)(struct loading *l);
	} sources[] = {
		{ "gen:", load_generated },
		{ "fiemap:", load_extents },
		{ "pagemap:", load_pages },
		{ "sosd:", load_sosd },
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		size_t len = strlen(sources[i].prefix);

		l->what = spec + len;
		if (!strncmp(spec, sources[i].prefix, len))
			return sources[i].load(l);
	}
	l->what = spec;
	if (is_text(spec))
		return load_text(l);
	if (ends_with(spec, "_uint64")) /* as SOSD names its files */
		return load_sosd(l);
	return refuse(l->why, EINVAL,
		      "expected gen:KIND, FILE.runs, FILE.runs.zst, fiemap:PATH, pagemap:PID or "
		      "sosd:FILE, found \"%s\"",
		      shown(spec));
}

/* Moves what was loaded to @out. What others count on is checked once more, whatever the source. */
static void settle(struct loading *l, struct dataset *out)
{
	struct lindex_run *runs = reallocarray(l->runs.at, l->runs.n, sizeof(*runs));
	uint64_t keys = 0, last;

	if (!runs) /* it could not be made smaller */
		runs = l->runs.at;
	for (size_t i = 0; i < l->runs.n; i++) {
		assert(runs[i].first <= runs[i].last && runs[i].step <= 1);
		assert(!i || runs[i - 1].last < runs[i].first);
		if (__builtin_add_overflow(keys, runs[i].last - runs[i].first, &keys) ||
		    __builtin_add_overflow(keys, 1, &keys))
			keys = UINT64_MAX;
	}
	last = runs[l->runs.n - 1].last;
	*out = (struct dataset){ .name = l->name,
				 .runs = runs,
				 .n = l->runs.n,
				 .keys = keys,
				 .space = last == UINT64_MAX ? last : last + 1 };
}

int dataset_load(const char *spec, uint64_t seed, struct dataset *out, char why[DATASET_WHY_BYTES])
{
	struct loading l = { .seed = seed, .why = why };
	int err = load(&l, spec);

	if (!err && !l.runs.n)
		err = refuse(why, ENODATA, "%s: expected at least one run, found none",
			     shown(spec));
	if (!err && !l.name)
		l.name = strdup(spec);
	if (!err && !l.name)
		err = refuse_memory(why);
	if (!err) {
		settle(&l, out);
		return 0;
	}
	runs_free(&l.runs);
	free(l.name);
	return err;
}

void dataset_free(struct dataset *d)
{
	free(d->name);
	free(d->runs);
	*d = (struct dataset){ 0 };
}

/* ---- Save ---------------------------------------------------------------------------------- */

/* A new file beside @path. @temporary: its name, malloc()ed. */
static FILE *open_beside(const char *path, char **temporary)
{
	mode_t mask = umask(0);
	FILE *out;
	int fd;

	umask(mask);
	if (asprintf(temporary, "%s.XXXXXX", path) < 0) {
		*temporary = NULL;
		return NULL;
	}
	fd = mkstemp(*temporary);
	if (fd < 0)
		return NULL;
	/* mkstemp() makes files for the owner only. A failure leaves it so, which harms nobody. */
	(void)!fchmod(fd, 0666 & ~mask);
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(*temporary);
	}
	return out;
}

static int save_to(const struct dataset *d, const char *path, bool packed, char **temporary)
{
	FILE *out = open_beside(path, temporary);
	int err = 0;

	if (!out)
		return errno;
	if (packed)
		out = zstd_writer(out);
	if (!out)
		err = ENOMEM;
	if (out) {
		write_text(d, out);
		if (fflush(out) || ferror(out))
			err = errno ? errno : EIO;
		if (fclose(out) && !err)
			err = errno ? errno : EIO;
	}
	/* From here the new contents have the name; before, the old ones. */
	if (!err && rename(*temporary, path))
		err = errno;
	if (err)
		unlink(*temporary);
	return err;
}

int dataset_save(const struct dataset *d, const char *path, char why[DATASET_WHY_BYTES])
{
	char *real, *temporary = NULL;
	struct stat st;
	int err;

	if (!is_text(path))
		return refuse(why, EINVAL, "%s: expected a name that ends in .runs or .runs.zst",
			      shown(path));
	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return refuse(why, S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
			      "%s: expected a regular file or a new name, found a %s", shown(path),
			      S_ISDIR(st.st_mode) ? "directory" : "special file");
	real = realpath(path, NULL); /* so that symbolic links survive */
	err = save_to(d, real ? real : path, ends_with(path, ".zst"), &temporary);
	if (err)
		(void)refuse(why, err, "%s: cannot write: %s", shown(path), strerror(err));
	free(temporary);
	free(real);
	return -err;
}
