/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One line of text to a sink. Private to vmmap.
 */
#ifndef VMMAP_TEXT_H
#define VMMAP_TEXT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lindex.h"

__attribute__((format(printf, 2, 3))) static inline int text_line(const struct lindex_sink *sink,
								  const char *fmt, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	if (len > (int)sizeof(line) - 2)
		len = (int)sizeof(line) - 2;
	line[len] = '\n';
	return sink->write(sink->ctx, line, (size_t)len + 1);
}

#endif
