/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_AFTER 0.7 /* seconds: quicker work needs no news */
#define PROGRESS_EVERY 0.2

int complain(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", tool_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return STATUS_WRONG;
}

int no_memory(void)
{
	return complain("out of memory");
}

struct grouped grouped(uint64_t n)
{
	char digits[24];
	struct grouped g;
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), to = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			g.text[to++] = ',';
		g.text[to++] = digits[i];
	}
	g.text[to] = 0;
	return g;
}

double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){ .shown = seconds_now() + PROGRESS_AFTER - PROGRESS_EVERY };
	snprintf(p->what, sizeof(p->what), "%s", what);
}

bool progress_is_due(struct progress *p)
{
	double now = seconds_now();

	if (p->shown == 0)
		progress_begin(p, "");
	if (now - p->shown < PROGRESS_EVERY || !isatty(STDERR_FILENO))
		return false;
	p->shown = now;
	p->visible = true;
	fputs("\r\033[K", stderr);
	return true;
}

void progress_at(struct progress *p, uint64_t n)
{
	if (!progress_is_due(p))
		return;
	fprintf(stderr, "  %s: %s ...", p->what, grouped(n).text);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->visible)
		fputs("\r\033[K", stderr);
	p->visible = false;
}
