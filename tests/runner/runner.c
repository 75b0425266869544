/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Runs Criterion suites without libcriterion: the same sources and headers, another main().
 *
 * Why: libcriterion starts each test in a process image that it maps at fixed addresses, which
 * ThreadSanitizer refuses; and Debian has it for one architecture at a time, so a 32-bit build has
 * none. Here every test is a fork() of this process. (LINDEX_PLAIN_RUNNER in CMake.)
 *
 * What it knows: Test, TestSuite, ParameterizedTest, their .init .fini .signal .exit_code .disabled
 * .timeout, and the cr_assert and cr_expect families. A theory is reported as skipped. Whatever
 * else a suite uses is missing at link time, so nothing is passed over in silence.
 *
 *     runner [--filter PATTERN]     PATTERN matches suite/test, as a shell does
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <criterion/parameterized.h>
#include <criterion/theories.h>

#include <fnmatch.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	EXIT_FAILED = 97, /* what a child says; far from codes that tests and sanitizers use */
	EXIT_SKIPPED = 98,
};

/* The linker collects the tests in sections, and names their ends. */
extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts[] __attribute__((weak));

/* ---- What the headers' macros call, in the child ----------------------------------------------- */

struct criterion_options criterion_options;

static struct criterion_test *current;
static void *current_param;
static bool failed;
static jmp_buf out_of_test;

void criterion_send_assert(struct criterion_assert_stats *stats)
{
	if (stats->passed)
		return;
	fprintf(stderr, "%s:%u: %s\n", stats->file, stats->line, stats->message);
	failed = true;
}

void criterion_abort_test(void)
{
	failed = true;
	longjmp(out_of_test, 1);
}

void criterion_continue_test(void)
{
	failed = true;
}

void criterion_skip_test(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	fflush(NULL);
	_exit(EXIT_SKIPPED);
}

void criterion_test_die(const char *msg, ...)
{
	va_list ap;

	va_start(ap, msg);
	vfprintf(stderr, msg, ap);
	va_end(ap);
	fflush(NULL);
	_exit(EXIT_FAILED);
}

void cr_log(enum criterion_severity severity, const char *msg, ...)
{
	va_list ap;

	(void)severity;
	va_start(ap, msg);
	vfprintf(stderr, msg, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void cri_asserts_passed_incr(void) {}

int cr_vasprintf(char **strp, const char *fmt, va_list ap)
{
	return vasprintf(strp, fmt, ap);
}

int cr_asprintf(char **strp, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(strp, fmt, ap);
	va_end(ap);
	return n;
}

void cr_asprintf_free(char *buf)
{
	free(buf);
}

/* The argument after the index is the text of the condition, where there is one. */
char *cr_translate_assert_msg(int msg_index, ...)
{
	va_list ap;
	char *text;

	va_start(ap, msg_index);
	if (asprintf(&text, "failed: %s", va_arg(ap, const char *)) < 0)
		text = NULL;
	va_end(ap);
	return text;
}

void cr_theory_main(struct criterion_datapoints *dps, size_t datapoints, void (*fn)(void))
{
	(void)dps;
	(void)datapoints;
	(void)fn;
	criterion_skip_test("a theory needs Criterion's own runner");
}

static const struct criterion_test_extra_data *suite_of(const struct criterion_test *test)
{
	struct criterion_suite **suite;

	for (suite = __start_cr_sts; suite < __stop_cr_sts; suite++)
		if (!strcmp((*suite)->name, test->category))
			return (*suite)->data;
	return NULL;
}

void criterion_internal_test_setup(void)
{
	const struct criterion_test_extra_data *suite = suite_of(current);

	if (suite && suite->init)
		suite->init();
	if (current->data->init)
		current->data->init();
}

void criterion_internal_test_main(void (*fn)(void))
{
	if (setjmp(out_of_test))
		return;
	if (current->data->kind_ == CR_TEST_PARAMETERIZED)
		((void (*)(void *))fn)(current_param);
	else
		fn();
}

void criterion_internal_test_teardown(void)
{
	const struct criterion_test_extra_data *suite = suite_of(current);

	if (current->data->fini)
		current->data->fini();
	if (suite && suite->fini)
		suite->fini();
}

/* ---- The parent ------------------------------------------------------------------------------ */

static unsigned int passed_count, failed_count, skipped_count;

static void child(struct criterion_test *test, void *param, double timeout)
{
	current = test;
	current_param = param;
	alarm((unsigned int)(timeout + 0.999)); /* 0: none */
	test->test();
	if (failed) {
		fflush(NULL);
		_exit(EXIT_FAILED);
	}
	exit(0); /* and not _exit(): sanitizers have their say at exit */
}

static bool as_expected(const struct criterion_test_extra_data *data, int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == data->signal;
	return !data->signal && WEXITSTATUS(status) == data->exit_code;
}

static void run_one(struct criterion_test *test, void *param, size_t number)
{
	const struct criterion_test_extra_data *suite = suite_of(test);
	double timeout = test->data->timeout;
	const char *verdict;
	int status;
	pid_t pid;

	if (timeout <= 0 && suite)
		timeout = suite->timeout;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(test, param, timeout > 0 ? timeout : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("fork");
		exit(2);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		verdict = "SKIP";
		skipped_count++;
	} else if (as_expected(test->data, status)) {
		verdict = "PASS";
		passed_count++;
	} else {
		verdict = "FAIL";
		failed_count++;
	}
	printf("[%s] %s::%s", verdict, test->category, test->name);
	if (param)
		printf(" (parameter %zu)", number);
	if (WIFSIGNALED(status))
		printf(" (%s)", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) && verdict[0] == 'F')
		printf(" (exit status %d)", WEXITSTATUS(status));
	putchar('\n');
}

static void run_test(struct criterion_test *test)
{
	const struct criterion_test_extra_data *suite = suite_of(test);
	struct criterion_test_params params;
	size_t i;

	if (test->data->disabled || (suite && suite->disabled)) {
		printf("[SKIP] %s::%s (disabled)\n", test->category, test->name);
		skipped_count++;
	} else if (test->data->kind_ != CR_TEST_PARAMETERIZED) {
		run_one(test, NULL, 0);
	} else {
		params = test->data->param_();
		for (i = 0; i < params.length; i++)
			run_one(test, (char *)params.params + i * params.size, i);
		if (params.cleanup)
			params.cleanup(&params);
	}
}

int main(int argc, char **argv)
{
	const char *filter = argc == 3 && !strcmp(argv[1], "--filter") ? argv[2] : "*";
	struct criterion_test **test;

	for (test = __start_cr_tst; test < __stop_cr_tst; test++)
		if (*test && !fnmatch(filter, (*test)->data->identifier_, 0))
			run_test(*test);
	printf("[====] Tested: %u | Passing: %u | Failing: %u | Skipped: %u\n",
	       passed_count + failed_count + skipped_count, passed_count, failed_count,
	       skipped_count);
	return failed_count != 0;
}
