/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tool.h"

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

void progress_of(struct progress *p, const char *phase, uint64_t done, uint64_t total)
{
	if (!progress_is_due(p))
		return;
	fprintf(stderr, "%s: %s of %s (%.0f %%)", phase, grouped(done).text, grouped(total).text,
		total ? 100.0 * (double)done / (double)total : 0.0);
	fflush(stderr);
}

int print_json(json_t *object)
{
	int failed = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));

	json_decref(object);
	return failed || putchar('\n') < 0 || fflush(stdout);
}
