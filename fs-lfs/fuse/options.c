/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * -o a,b=c. Ours are taken, the kernel's and libfuse's passed on, those that only fstab readers mean are dropped.
 */
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

struct parse {
	struct options *opt;
	bool allow_other;
};

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(text, *words) || (starts(text, *words) && strchr(*words, '=')))
			return true;
	return false;
}

/* For mount(8), systemd and fstab; nothing to do here. */
static bool is_for_others(const char *text)
{
	static const char *const words[] = {
		"rw",       "defaults",   "auto",   "noauto",   "user",       "nouser",  "users",
		"owner",    "_netdev",    "nofail", "relatime", "norelatime", "mand",    "nomand",
		"diratime", "nodiratime", "loop",   "comment=", "subtype=",   "fsname=", NULL
	};

	return starts(text, "x-") || is_one_of(text, words);
}

static bool is_for_kernel(const char *text)
{
	static const char *const words[] = {
		"suid",     "nosuid",     "dev",         "nodev",        "exec",  "noexec",
		"async",    "sync",       "dirsync",     "noatime",      "atime", "allow_root",
		"context=", "fscontext=", "defcontext=", "rootcontext=", NULL
	};

	return is_one_of(text, words);
}

static int pass_on(struct options *opt, const char *text)
{
	size_t old = opt->kernel ? strlen(opt->kernel) : 0, bytes = old + strlen(text) + 2;
	char *longer = realloc(opt->kernel, bytes);

	if (!longer)
		return -ENOMEM;
	opt->kernel = longer;
	snprintf(longer + old, bytes - old, "%s%s", old ? "," : "", text);
	return 0;
}

static int bad(const char *text, const char *expected)
{
	fprintf(stderr, "mount.lfs: option \"%s\": expected %s\n", text, expected);
	return -EINVAL;
}

static int number(const char *text, double lowest, double highest, double *n)
{
	const char *value = strchr(text, '=') + 1;
	char expected[64], *end;

	*n = strtod(value, &end);
	if (end != value && !*end && *n >= lowest && *n <= highest)
		return 0;
	snprintf(expected, sizeof(expected), "a number from %g to %g", lowest, highest);
	return bad(text, expected);
}

/* An option with a value. 1: none of these. */
static int take_value(struct options *opt, const char *text)
{
	double n;
	int r;

	if (starts(text, "cap=")) {
		if (!image_bytes(text + 4, &opt->cap_bytes) || opt->cap_bytes < (8u << 20))
			return bad(text, "at least 8M");
		return 0;
	}
	if (starts(text, "commit=")) {
		r = number(text, 0.1, 3600, &n);
		opt->commit_seconds = n;
		return r;
	}
	if (starts(text, "threads=")) {
		r = number(text, 2, 256, &n);
		opt->threads = (unsigned)n;
		return r;
	}
	return 1;
}

static int take(struct parse *parse, const char *text)
{
	struct options *opt = parse->opt;
	int r = take_value(opt, text);

	if (r <= 0)
		return r;
	if (!strcmp(text, "ro"))
		opt->read_only = true;
	else if (!strcmp(text, "discard"))
		opt->discard = true;
	else if (!strcmp(text, "nodiscard"))
		opt->discard = false;
	else if (!strcmp(text, "writeback"))
		opt->writeback = true;
	else if (!strcmp(text, "nowriteback"))
		opt->writeback = false;
	else if (!strcmp(text, "halt"))
		opt->halt = HALT_ALWAYS;
	else if (!strcmp(text, "nohalt"))
		opt->halt = HALT_NEVER;
	else if (!strcmp(text, "acl"))
		opt->acl = true;
	else if (!strcmp(text, "noacl"))
		opt->acl = false;
	else if (!strcmp(text, "allow_other"))
		parse->allow_other = true;
	else if (!strcmp(text, "noallow_other"))
		parse->allow_other = false;
	else if (!strcmp(text, "default_permissions"))
		return 0; /* always */
	else if (is_for_kernel(text))
		return pass_on(opt, text);
	else if (!is_for_others(text))
		return bad(text, "an option that mount.lfs(8) lists");
	return 0;
}

int options_parse(struct options *opt, const char *text)
{
	/* An image of root's is a disk like any other: for everybody, with set-id bits and devices. */
	bool is_root = geteuid() == 0;
	struct parse parse = { .opt = opt, .allow_other = is_root };
	char *copy = strdup(text ? text : ""), *rest = copy, *word;
	int r = copy ? 0 : -ENOMEM;

	/* The writeback cache wants the kernel's limit lowered on a nearly full image, which only root may. */
	*opt = (struct options){ .commit_seconds = 5, .acl = true, .writeback = is_root };
	if (is_root && !r)
		r = pass_on(opt, "suid,dev");
	while (!r && (word = strsep(&rest, ",")))
		if (*word)
			r = take(&parse, word);
	if (!r && opt->read_only)
		r = pass_on(opt, "ro");
	if (!r && parse.allow_other && !strstr(opt->kernel ? opt->kernel : "", "allow_root"))
		r = pass_on(opt, "allow_other");
	free(copy);
	if (r)
		options_destroy(opt);
	return r;
}

void options_destroy(struct options *opt)
{
	free(opt->kernel);
	opt->kernel = NULL;
}
