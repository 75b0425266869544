/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The only program of the guest: maps memory in several ways, touches some of it, says so on the serial line, and
 * spins, so that the processor stays in user mode with this program's page tables.
 *
 * Kernel's command line "... -- huge": some of it in huge pages.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1ul << 20)

static void touch(volatile char *bytes, size_t from, size_t len, size_t step, int write)
{
	for (size_t at = from; at < from + len; at += step) {
		if (write)
			bytes[at] = (char)at;
		else
			(void)bytes[at];
	}
}

static char *map(size_t bytes, int prot)
{
	return mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Linux leaves huge pages off in a machine as small as this one. */
static void allow_huge_pages(void)
{
	int fd;

	mkdir("/sys", 0755);
	mount("sys", "/sys", "sysfs", 0, NULL);
	fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);
	if (fd >= 0 && write(fd, "always", 6) == 6)
		close(fd);
}

int main(int argc, char **argv)
{
	int huge = argc > 1 && strcmp(argv[argc - 1], "huge") == 0, serial;
	char *dense, *sparse, *read_only, *code;

	if (huge)
		allow_huge_pages();
	dense = map(24 * MIB, PROT_READ | PROT_WRITE);
	sparse = map(64 * MIB, PROT_READ | PROT_WRITE);
	read_only = map(MIB, PROT_READ | PROT_WRITE);
	code = map(MIB, PROT_READ | PROT_WRITE);
	touch(dense, 0, 24 * MIB, 4096, 1);
	touch(sparse, 0, 64 * MIB, 7 * 4096, 1);
	touch(sparse, 5 * 4096, 60 * MIB, 21 * 4096, 0); /* the zero page */
	touch(read_only, 0, MIB, 4096, 1);
	mprotect(read_only, MIB, PROT_READ);
	touch(code, 0, MIB, 8192, 1);
	mprotect(code, MIB, PROT_READ | PROT_EXEC);

	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	serial = open("/dev/ttyS0", O_WRONLY);
	if (serial < 0 || write(serial, "MMU-READY\n", 10) != 10)
		return 1;
	for (volatile unsigned long spins = 0;; spins++)
		;
}
