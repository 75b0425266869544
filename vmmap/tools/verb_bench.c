/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap bench: native time of every backend.
 */
#include "tool.h"

int verb_bench(int argc, char **argv)
{
	(void)argv;
	return complain("bench: not yet (%d)", argc);
}
