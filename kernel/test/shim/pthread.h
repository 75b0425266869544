/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Threads of the suites: kernel threads. */
#ifndef LINDEX_TEST_PTHREAD_H
#define LINDEX_TEST_PTHREAD_H

struct lindex_test_thread;
typedef struct lindex_test_thread *pthread_t;

int lindex_test_thread_create(pthread_t *thread, void *(*run)(void *ctx), void *ctx);
void lindex_test_thread_join(pthread_t thread);

#define pthread_create(thread, attr, run, ctx) lindex_test_thread_create(thread, run, ctx)
#define pthread_join(thread, result)           lindex_test_thread_join(thread)

#endif
