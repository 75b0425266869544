/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * lindex-tool: images of indexes at the command line, and a demonstration. This file: which verb.
 */
#include "tool.h"
#include "verbs.h"

const char *const tool_name = "lindex-tool";

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

static const struct verb verbs[] = {
	{ "build", verb_build }, { "capture", verb_capture }, { "demo", verb_demo },
	{ "dump", verb_dump },   { "lookup", verb_lookup },   { "stat", verb_stat },
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	return verbs_main(verbs, help, lindex_version(), argc, argv);
}
