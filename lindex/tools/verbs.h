/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A command of verbs: "NAME VERB ARGUMENTS", --help, --version.
 */
#ifndef LINDEX_TOOL_VERBS_H
#define LINDEX_TOOL_VERBS_H

/**
 * struct verb - @run gets the verb's own arguments, argv[argc] is NULL, and returns an exit status. The last of an
 * array has no name.
 */
struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
};

/**
 * verbs_main() - All of main(): runs one of @verbs, and makes sure that what was printed arrived.
 * @help:    The whole text of --help, of the command and of each verb.
 * @version: Of the library below it.
 *
 * Return: The exit status; STATUS_WRONG (say.h) if there is no such verb.
 */
int verbs_main(const struct verb *verbs, const char *help, const char *version, int argc,
	       char **argv);

#endif /* LINDEX_TOOL_VERBS_H */
