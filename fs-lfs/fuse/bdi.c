/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the kernel keeps in memory for this mount: files below /sys/class/bdi. Those who may not write them, or have
 * an old kernel, go without.
 */
#include "server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READ_AHEAD_KB 1024

bool bdi_set(const struct server *server, const char *name, uint64_t value)
{
	char path[sizeof(server->bdi) + 32], text[24];
	int fd, n = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	bool done;

	if (!*server->bdi)
		return false;
	snprintf(path, sizeof(path), "%s/%s", server->bdi, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, text, (size_t)n) == n;
	close(fd);
	return done;
}

/* Asks the mount itself, so its threads have to run; theirs must not call it. */
void bdi_init(struct server *server)
{
	struct stat st;

	if (stat(server->mountpoint, &st))
		return;
	snprintf(server->bdi, sizeof(server->bdi), "/sys/class/bdi/%u:%u", major(st.st_dev),
		 minor(st.st_dev));
	bdi_set(server, "read_ahead_kb", READ_AHEAD_KB);
}
