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
 * driver for idle processors is the one for such guests (haltpoll) and these are few; only where opening the file is
 * allowed; and only as long as it is of use, which a trial now and then finds out: some rounds with, some without, and
 * in which were requests answered faster? The command line may overrule all that.
 */
#include "server.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define IDLE_DRIVER "/sys/devices/system/cpu/cpuidle/current_driver"
#define LATENCY     "/dev/cpu_dma_latency"
#define FEW         8

/* In rounds of a millisecond: */
#define MANY         4  /* requests for which it is worth it */
#define CALM         20 /* rounds without so many end it */
#define FIRST_TRIAL  200
#define NEXT_TRIAL   2000
#define TRIAL        96  /* rounds, in turns of */
#define TURN         16  /* of which the last */
#define TURN_WITHOUT 4   /* are without */
#define GAIN         115 /* per cent of requests in the same time */

static bool wanted, tries;
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
	tries = halt == HALT_AUTO;
	wanted = halt == HALT_NEVER || (tries && is_small_guest());
}

static void hold(bool awake)
{
	const int32_t most_us = 0;

	if (awake == (held >= 0))
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

/* What was seen with and without, in the trial under way; and what came of the last one. */
static struct {
	uint64_t requests[2], ns[2];
	unsigned until, round; /* busy rounds before it, rounds of its own */
	bool of_use;
} trial = { .until = FIRST_TRIAL, .of_use = true };
static atomic_uint gain_percent;

unsigned awake_gain_percent(void)
{
	return atomic_load(&gain_percent);
}

static void trial_ends(void)
{
	double with = (double)trial.requests[1] / (double)(trial.ns[1] + 1),
	       without = (double)trial.requests[0] / (double)(trial.ns[0] + 1);
	double percent = without > 0 ? 100 * with / without : 0;

	trial.of_use = percent >= GAIN;
	atomic_store(&gain_percent, percent < 10000 ? (unsigned)percent : 10000);
	memset(trial.requests, 0, sizeof(trial.requests));
	memset(trial.ns, 0, sizeof(trial.ns));
	trial.until = NEXT_TRIAL;
	trial.round = 0;
}

/* A busy round is over. Returns whether the next one is with processors awake. */
static bool next_round(unsigned long requests, uint64_t ns)
{
	bool with = held >= 0,
	     changed = trial.round % TURN == 0 || trial.round % TURN == TURN - TURN_WITHOUT;

	if (!tries)
		return true;
	if (trial.until) {
		trial.until--;
		return trial.of_use;
	}
	if (!changed) {
		trial.requests[with] += requests;
		trial.ns[with] += ns;
	}
	if (++trial.round < TRIAL)
		return trial.round % TURN < TURN - TURN_WITHOUT;
	trial_ends();
	return trial.of_use;
}

void awake_round(unsigned long requests, uint64_t ns)
{
	static unsigned calm = CALM;

	if (!wanted)
		return;
	calm = requests < MANY ? calm + (calm < CALM) : 0;
	if (calm >= CALM)
		hold(false);
	else if (!calm)
		hold(next_round(requests, ns));
}

void awake_end(void)
{
	hold(false);
}
