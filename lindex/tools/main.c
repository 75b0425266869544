/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex-tool: images of indexes at the command line, and a demonstration. This file: which verb.
 */
#include "tool.h"
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: lindex-tool VERB ARGUMENTS\n"
	"\n"
	"  demo [PATH]             index where the files below PATH (/usr) are on disk, check "
	"every\n"
	"                          answer, and show what it takes\n"
	"  capture PATH OUT.txt    write the extents of a file, or of the files below PATH, as "
	"runs\n"
	"  build RUNS.txt IMAGE    make an image of the runs in a text file (\"-\": stdin)\n"
	"  stat IMAGE [--json]     verify an image; print its certificate and figures\n"
	"  dump IMAGE              verify an image; print its nodes and models\n"
	"  lookup IMAGE KEY...     verify an image; print the run or hole around each key\n"
	"\n"
	"  --help, --version\n"
	"\n"
	"A line of RUNS.txt is: KEY VALUE LENGTH [TAG [STEP]]. KEY and VALUE are hexadecimal, the "
	"others\n"
	"decimal; lines ascend; # begins a comment. KEYs to look up are decimal, or hexadecimal "
	"after 0x.\n"
	"\n"
	"Exit status: 0; 1: a key is in a hole, or a check failed; 2: bad arguments or input.\n";

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "build", verb_build }, { "capture", verb_capture }, { "demo", verb_demo },
	{ "dump", verb_dump },   { "lookup", verb_lookup },   { "stat", verb_stat },
};

static bool wants(int argc, char **argv, const char *option)
{
	return argc > 1 && strcmp(argv[1], option) == 0;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int run(int argc, char **argv)
{
	const struct verb *verb;

	if (wants(argc, argv, "--help") || wants(argc, argv, "-h")) {
		fputs(help, stdout);
		return 0;
	}
	if (wants(argc, argv, "--version")) {
		printf("lindex-tool %s\n", lindex_version());
		return 0;
	}
	if (argc < 2)
		return complain("expected a verb, found none; see lindex-tool --help");
	verb = find_verb(argv[1]);
	if (!verb)
		return complain("expected a verb, found \"%s\"; see lindex-tool --help", argv[1]);
	if (wants(argc - 1, argv + 1, "--help")) {
		fputs(help, stdout);
		return 0;
	}
	return verb->run(argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
	int status = run(argc, argv);

	if (fflush(stdout) || ferror(stdout))
		return complain("cannot write to stdout: %s", strerror(errno));
	return status;
}
