// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Runs every test of the section lindex_tests, each in a thread of its own, and says how it went in KTAP.
 * Where the kernel has KUnit (as it is in 6.1 to 6.12: its calls change), KUnit runs them; else they run by
 * themselves. Either way when the module loads, and loading succeeds: what failed is in the log, "not ok".
 *
 * Parameters: filter=a,-b  only tests whose "suite.name" contains a (one of those named), and not b
 *             seed=N       of every random choice; failures print it
 *             long_form=1  twenty times as many steps
 */
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/version.h>
#if IS_ENABLED(CONFIG_KUNIT) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define BY_KUNIT 1
#include <kunit/test.h>
#else
#define BY_KUNIT 0
#endif

#include "criterion/criterion.h"
#include "pthread.h"
#include "runner.h"

extern const struct lindex_test *const lindex_tests_begin[], *const lindex_tests_end[];

static char *filter = "";
module_param(filter, charp, 0444);
MODULE_PARM_DESC(filter, "tests whose suite.name contains one of these; -x: and not x");

static unsigned long long seed = 20240229;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "seed of every random choice");

static bool long_form;
module_param(long_form, bool, 0444);
MODULE_PARM_DESC(long_form, "run the long form of the tests");

/* The test under way: there is one at a time, whatever threads it has. */
static struct {
	const struct lindex_test *test, *suite;
	bool failed;
	const char *skipped;
	const char *what;
	u64 step;
} now;

/* ---- The harness's check.h ----------------------------------------------------------------------- */

uint64_t harness_seed(void)
{
	return seed;
}

bool harness_long(void)
{
	return long_form;
}

uint64_t harness_longer(uint64_t n)
{
	return long_form ? 20 * n : n;
}

void harness_step(const char *what, uint64_t step)
{
	now.what = what;
	now.step = step;
	cond_resched();
}

void harness_fail(const char *file, int line, const char *cond, const char *fmt, ...)
{
	struct va_format text;
	va_list args;

	va_start(args, fmt);
	text.fmt = fmt;
	text.va = &args;
	pr_info("# %s:%d: seed=%llu%s, %s step %llu: not (%s): %pV\n", file, line, seed,
		long_form ? " long_form=1" : "", now.what ?: "-", now.step, cond, &text);
	va_end(args);
	lindex_test_abort();
}

/* ---- Threads --------------------------------------------------------------------------------------- */

static void __noreturn leave(void)
{
	struct lindex_test_thread *thread = kthread_data(current);

	kthread_complete_and_exit(&thread->done, 0);
}

void lindex_test_abort(void)
{
	now.failed = true;
	leave();
}

void lindex_test_skip(const char *why)
{
	now.skipped = why;
	leave();
}

static int thread_main(void *data)
{
	struct lindex_test_thread *thread = data;

	thread->run(thread->ctx);
	leave();
}

int lindex_test_thread_start(struct lindex_test_thread *thread, const char *name)
{
	struct task_struct *task;

	init_completion(&thread->done);
	task = kthread_run(thread_main, thread, "%s", name);
	return PTR_ERR_OR_ZERO(task);
}

int lindex_test_thread_create(pthread_t *out, void *(*run)(void *ctx), void *ctx)
{
	struct lindex_test_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL);
	int err;

	if (!thread)
		return -ENOMEM;
	thread->run = run;
	thread->ctx = ctx;
	err = lindex_test_thread_start(thread, "lindex_reader");
	if (err)
		kfree(thread);
	else
		*out = thread;
	return err;
}

void lindex_test_thread_join(pthread_t thread)
{
	wait_for_completion(&thread->done);
	kfree(thread);
}

/* ---- One test -------------------------------------------------------------------------------------- */

static const struct lindex_test *suite_of(const struct lindex_test *test)
{
	const struct lindex_test *const *at;

	for (at = lindex_tests_begin; at < lindex_tests_end; at++) {
		if (!(*at)->name && !strcmp((*at)->suite, test->suite))
			return *at;
	}
	return NULL;
}

static void around(void (*own)(void), void (*suites)(void))
{
	if (own || suites)
		(own ?: suites)();
}

static void *run_here(void *param)
{
	const struct lindex_test *test = now.test, *suite = now.suite;

	around(test->init, suite ? suite->init : NULL);
	if (test->run)
		test->run();
	else
		test->run_on(param);
	around(test->fini, suite ? suite->fini : NULL);
	return NULL;
}

static void run_in_thread(void *param)
{
	struct lindex_test_thread thread = { .run = run_here, .ctx = param };

	if (lindex_test_thread_start(&thread, "lindex_test")) {
		now.failed = true;
		return;
	}
	/* In turns: nothing is hung, however long a test takes. */
	while (!wait_for_completion_timeout(&thread.done, 10 * HZ))
		;
}

static void run_test(const struct lindex_test *test)
{
	struct criterion_test_params params = { .length = 1 };
	ktime_t begin = ktime_get();
	size_t i;

	memset(&now, 0, sizeof(now));
	now.test = test;
	now.suite = suite_of(test);
	if (test->params)
		params = test->params();
	for (i = 0; i < params.length && !now.failed && !now.skipped; i++)
		run_in_thread((char *)params.params + i * params.size);
	pr_info("# %s.%s: %lld ms\n", test->suite, test->name, ktime_ms_delta(ktime_get(), begin));
}

/* ---- All tests ------------------------------------------------------------------------------------- */

static bool wanted(const struct lindex_test *test)
{
	char name[128], part[64];
	const char *at = filter, *end;
	bool named = false, any = false;

	if (!test->name)
		return false;
	snprintf(name, sizeof(name), "%s.%s", test->suite, test->name);
	for (; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ',');
		snprintf(part, sizeof(part), "%.*s", (int)(end - at), at);
		if (*part == '-' && strstr(name, part + 1))
			return false;
		named |= *part != '-';
		any |= *part != '-' && strstr(name, part);
	}
	return any || !named;
}

static const struct lindex_test *const *next_wanted(const struct lindex_test *const *at)
{
	while (at < lindex_tests_end && !wanted(*at))
		at++;
	return at < lindex_tests_end ? at : NULL;
}

#if BY_KUNIT

static const void *kunit_params(const void *prev, char *name)
{
	const struct lindex_test *const *at = prev;

	at = next_wanted(at ? at + 1 : lindex_tests_begin);
	if (at)
		snprintf(name, KUNIT_PARAM_DESC_SIZE, "%s.%s", (*at)->suite, (*at)->name);
	return at;
}

static void kunit_run(struct kunit *test)
{
	const struct lindex_test *const *at = test->param_value;

	run_test(*at);
	if (now.skipped)
		kunit_skip(test, "%s", now.skipped);
	KUNIT_EXPECT_FALSE(test, now.failed);
}

static struct kunit_case kunit_cases[] = { KUNIT_CASE_PARAM(kunit_run, kunit_params), {} };
static struct kunit_suite kunit_suite = { .name = "lindex", .test_cases = kunit_cases };
static struct kunit_suite *const kunit_suites[] = { &kunit_suite };

/* Not kunit_test_suite(): 6.1 runs what that names before the module's parameters are read. */
static int __init lindex_test_init(void)
{
	return __kunit_test_suites_init(kunit_suites, ARRAY_SIZE(kunit_suites));
}
module_init(lindex_test_init);

static void __exit lindex_test_exit(void)
{
	__kunit_test_suites_exit((struct kunit_suite **)kunit_suites, ARRAY_SIZE(kunit_suites));
}
module_exit(lindex_test_exit);

#else

static int __init lindex_test_init(void)
{
	const struct lindex_test *const *at;
	unsigned int count = 0, failed = 0;

	for (at = next_wanted(lindex_tests_begin); at; at = next_wanted(at + 1))
		count++;
	pr_info("KTAP version 1\n1..%u\n", count);
	count = 0;
	for (at = next_wanted(lindex_tests_begin); at; at = next_wanted(at + 1)) {
		run_test(*at);
		failed += now.failed;
		pr_info("%sok %u %s.%s%s%s\n", now.failed ? "not " : "", ++count, (*at)->suite,
			(*at)->name, now.skipped ? " # SKIP " : "", now.skipped ?: "");
	}
	pr_info("# lindex: pass:%u fail:%u total:%u\n", count - failed, failed, count);
	return 0;
}
module_init(lindex_test_init);

static void __exit lindex_test_exit(void) {}
module_exit(lindex_test_exit);

#endif

MODULE_DESCRIPTION("Tests of lindex inside the kernel");
MODULE_LICENSE("Dual BSD/GPL");
