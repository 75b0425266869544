/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Google Benchmark from C: register functions with their state, run all of them once.
 *
 * A function does a fixed amount of work, times the part that counts, and says how long it took; it
 * keeps its own figures. One gbench_round() runs every function once, in random order, so that
 * calling it again and again interleaves the rounds of all structures.
 */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#ifdef __cplusplus
extern "C" {
#endif

/** gbench_fn - Do one round of work. Return: seconds that it took. */
typedef double (*gbench_fn)(void *state);

/** gbench_init() - Let Google Benchmark take its options (--benchmark_filter=...) out of the arguments. */
void gbench_init(int *argc, char **argv);

/** gbench_add() - Register @fn. @state must live until gbench_clear(). */
void gbench_add(const char *name, gbench_fn fn, void *state);

/** gbench_round() - Run what is registered (and not filtered out) once each. */
void gbench_round(void);

/** gbench_clear() - Forget what is registered. */
void gbench_clear(void);

#ifdef __cplusplus
}
#endif

#endif
