/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the suites use of Criterion. A test is a function and a line in the section lindex_tests, from
 * where runner.c takes it. A failed assertion ends the thread that the test runs in.
 */
#ifndef LINDEX_TEST_CRITERION_H
#define LINDEX_TEST_CRITERION_H

#include "../libc.h"
#include "check.h"

struct criterion_test_params {
	size_t size, length;
	void *params;
};
#define cr_make_param_array(type, array, n)                                                        \
	((struct criterion_test_params){ sizeof(type), n, array })

/**
 * struct lindex_test - One test; or, without a name, what all tests of a suite have before and after them.
 * @run:    The test, or
 * @run_on: the test with one parameter, and @params what to give it, one after the other.
 * @init, @fini: Before and after it. May be NULL.
 */
struct lindex_test {
	const char *suite, *name;
	void (*run)(void);
	void (*run_on)(const void *param);
	struct criterion_test_params (*params)(void);
	void (*init)(void);
	void (*fini)(void);
	unsigned int timeout; /* not used: a run has a limit as a whole */
};

#define LINDEX_TEST_REGISTER(id, ...)                                                              \
	static const struct lindex_test lindex_test_##id = { __VA_ARGS__ };                        \
	static const struct lindex_test *const lindex_test_at_##id                                 \
		__attribute__((used, section("lindex_tests"))) = &lindex_test_##id

#define TestSuite(suite_, ...) LINDEX_TEST_REGISTER(suite_, .suite = #suite_, ##__VA_ARGS__)

#define Test(suite_, name_, ...)                                                                   \
	static void suite_##_##name_(void);                                                        \
	LINDEX_TEST_REGISTER(suite_##_##name_, .suite = #suite_, .name = #name_,                   \
			     .run = suite_##_##name_, ##__VA_ARGS__);                              \
	static void suite_##_##name_(void)

#define ParameterizedTestParameters(suite_, name_)                                                 \
	static struct criterion_test_params suite_##_##name_##_params(void)

#define ParameterizedTest(param_, suite_, name_, ...)                                              \
	static void suite_##_##name_(param_);                                                      \
	static void suite_##_##name_##_on(const void *param)                                       \
	{                                                                                          \
		suite_##_##name_((void *)(uintptr_t)param);                                        \
	}                                                                                          \
	LINDEX_TEST_REGISTER(suite_##_##name_, .suite = #suite_, .name = #name_,                   \
			     .run_on = suite_##_##name_##_on, .params = suite_##_##name_##_params, \
			     ##__VA_ARGS__);                                                       \
	static void suite_##_##name_(param_)

void __noreturn lindex_test_skip(const char *why);

#define LINDEX_TEST_CHECK(cond, ...)                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			harness_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                  \
	} while (0)

#define cr_skip_test(why)              lindex_test_skip(why)
#define cr_assert(cond, ...)           LINDEX_TEST_CHECK(cond, ##__VA_ARGS__)
#define cr_assert_not(cond, ...)       LINDEX_TEST_CHECK(!(cond), ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...)        LINDEX_TEST_CHECK((a) == (b), ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...)       LINDEX_TEST_CHECK((a) != (b), ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...)        LINDEX_TEST_CHECK((a) < (b), ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...)       LINDEX_TEST_CHECK((a) <= (b), ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)        LINDEX_TEST_CHECK((a) > (b), ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...)       LINDEX_TEST_CHECK((a) >= (b), ##__VA_ARGS__)
#define cr_assert_null(a, ...)         LINDEX_TEST_CHECK(!(a), ##__VA_ARGS__)
#define cr_assert_not_null(a, ...)     LINDEX_TEST_CHECK(a, ##__VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) LINDEX_TEST_CHECK(!memcmp(a, b, n), ##__VA_ARGS__)

#endif
