/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tool.h"

int complain_why(const struct vmmap_refusal *why)
{
	return complain("%s", why->text);
}

int put_json(json_t *json)
{
	int err = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(json);
	if (err)
		return no_memory();
	putchar('\n');
	return 0;
}
