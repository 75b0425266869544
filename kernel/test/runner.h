/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Threads that run tests. A test that fails ends its thread, whichever it is, and the test is marked. */
#ifndef LINDEX_TEST_RUNNER_H
#define LINDEX_TEST_RUNNER_H

#include <linux/completion.h>

struct lindex_test_thread {
	struct completion done;
	void *(*run)(void *ctx);
	void *ctx;
};

int lindex_test_thread_start(struct lindex_test_thread *thread, const char *name);

#endif
