/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "verbs.h"

#include "say.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool wants(int argc, char **argv, const char *option)
{
	return argc > 1 && strcmp(argv[1], option) == 0;
}

static int run(const struct verb *verbs, const char *help, const char *version, int argc,
	       char **argv)
{
	if (wants(argc, argv, "--help") || wants(argc, argv, "-h")) {
		fputs(help, stdout);
		return 0;
	}
	if (wants(argc, argv, "--version")) {
		printf("%s %s\n", tool_name, version);
		return 0;
	}
	if (argc < 2)
		return complain("expected a verb, found none; see %s --help", tool_name);
	while (verbs->name && strcmp(verbs->name, argv[1]) != 0)
		verbs++;
	if (!verbs->name)
		return complain("expected a verb, found \"%s\"; see %s --help", argv[1], tool_name);
	if (wants(argc - 1, argv + 1, "--help")) {
		fputs(help, stdout);
		return 0;
	}
	return verbs->run(argc - 2, argv + 2);
}

int verbs_main(const struct verb *verbs, const char *help, const char *version, int argc,
	       char **argv)
{
	int status = run(verbs, help, version, argc, argv);

	if (fflush(stdout) || ferror(stdout))
		return complain("cannot write to stdout: %s", strerror(errno));
	return status;
}
