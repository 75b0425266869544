/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tool.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_AFTER 0.7 /* seconds: quicker work needs no news */
#define PROGRESS_EVERY 0.2

void complain(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", tool_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

int print_help(void)
{
	return fputs(tool_help, stdout) < 0;
}

int print_version(void)
{
	return printf("%s %s\n", tool_name, LFS_VERSION_TEXT) < 0;
}

void log_line(void *ctx, enum lfs_log_level level, const char *line)
{
	const char *image = ctx;

	if (level <= LFS_LOG_WARNING)
		complain("%s: %s", image, line);
}

struct words grouped(uint64_t n)
{
	char digits[24];
	struct words w;
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), to = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			w.text[to++] = ',';
		w.text[to++] = digits[i];
	}
	w.text[to] = 0;
	return w;
}

struct words sized(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double n = (double)bytes;
	unsigned unit = 0;
	struct words w;

	for (; n >= 1024 && unit < 5; unit++)
		n /= 1024;
	snprintf(w.text, sizeof(w.text), unit && n < 100 ? "%.1f %s" : "%.0f %s", n, units[unit]);
	return w;
}

struct words uuid_text(const uint8_t uuid[16])
{
	struct words w;
	char *to = w.text;

	for (int i = 0; i < 16; i++)
		to += sprintf(to, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			      uuid[i]);
	return w;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_at(struct progress *p, const char *phase, uint64_t done, uint64_t total)
{
	double now = seconds_now();

	if (p->started == 0)
		p->started = now;
	if (now - p->started < PROGRESS_AFTER || now - p->shown < PROGRESS_EVERY ||
	    !isatty(STDERR_FILENO))
		return;
	p->shown = now;
	p->visible = true;
	fprintf(stderr, "\r\033[K%s: %s of %s (%.0f %%)", phase, grouped(done).text,
		grouped(total).text, total ? 100.0 * (double)done / (double)total : 0.0);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->visible)
		fputs("\r\033[K", stderr);
	p->visible = false;
}

int print_json(json_t *object)
{
	int failed = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	json_decref(object);
	return failed || putchar('\n') < 0 || fflush(stdout);
}
