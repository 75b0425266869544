/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Processors that idle between two requests do not halt: a virtual machine's way to fast answers.
 *
 * A request and its answer wake two threads, mostly on another, idle processor. To wake a halted virtual processor is
 * an interrupt that leaves the machine: 10 to 25 us each way where the request itself takes 4. One that polls sees a
 * flag in memory. So while many requests come we hold /dev/cpu_dma_latency at 0, the kernel's interface for that wish
 * (Documentation/power/pm_qos_interface.rst); it ends when the file is closed, at the latest with this process.
 *
 * The price is processor time: idle processors, all of them, look busy to the host. Hence only where the kernel's
 * driver for idle processors is the one for such guests (haltpoll) and these are few, unless the command line says
 * otherwise; and only where opening the file is allowed.
 */
#include "server.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define IDLE_DRIVER "/sys/devices/system/cpu/cpuidle/current_driver"
#define LATENCY     "/dev/cpu_dma_latency"
#define FEW         8

static bool wanted;
static int held = -1;

static bool is_small_guest(void)
{
	char driver[32] = "";
	int fd = open(IDLE_DRIVER, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, driver, sizeof(driver) - 1) > 0 &&
		  !strncmp(driver, "haltpoll", 8);

	if (fd >= 0)
		close(fd);
	return is && sysconf(_SC_NPROCESSORS_ONLN) <= FEW;
}

void awake_init(enum halt halt)
{
	wanted = halt == HALT_NEVER || (halt == HALT_AUTO && is_small_guest());
}

void awake_keep(bool awake)
{
	const int32_t most_us = 0;

	if (awake == (held >= 0) || !wanted)
		return;
	if (!awake) {
		close(held);
		held = -1;
		return;
	}
	held = open(LATENCY, O_WRONLY | O_CLOEXEC);
	if (held >= 0 && write(held, &most_us, sizeof(most_us)) == sizeof(most_us))
		return;
	wanted = false; /* not ours to ask for */
	if (held >= 0)
		close(held);
	held = -1;
}
