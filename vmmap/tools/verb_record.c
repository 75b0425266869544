/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * vmmap record: runs a command under valgrind's lackey and keeps its accesses in the compact format.
 *
 * Lackey writes its trace to a descriptor of its own, so that the command keeps its standard output and error.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 4096u

static const char usage[] = "-o TRACE [--data-only] [--accesses N] -- COMMAND [ARGUMENTS]";

/* In the child: never returns. */
static void run_lackey(int log, char **command, int n)
{
	char **argv = calloc((size_t)n + 6, sizeof(*argv)), option[32];
	int to = 0;

	if (!argv || fcntl(log, F_SETFD, 0))
		_exit(127);
	snprintf(option, sizeof(option), "--log-fd=%d", log);
	argv[to++] = (char *)(uintptr_t) "valgrind";
	argv[to++] = (char *)(uintptr_t) "--tool=lackey";
	argv[to++] = (char *)(uintptr_t) "--trace-mem=yes";
	argv[to++] = option;
	argv[to++] = (char *)(uintptr_t) "--";
	for (int i = 0; i < n; i++)
		argv[to++] = command[i];
	execvp(argv[0], argv);
	_exit(127);
}

/* The child, and a stream of what lackey writes. */
static int start(char **command, int n, pid_t *child, FILE **log)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return complain("record: cannot make a pipe: %s", strerror(errno));
	fflush(NULL);
	*child = fork();
	if (*child < 0)
		return complain("record: cannot fork: %s", strerror(errno));
	if (!*child)
		run_lackey(ends[1], command, n);
	close(ends[1]);
	*log = fdopen(ends[0], "r");
	return *log ? 0 : no_memory();
}

static size_t keep(struct vmmap_access *a, size_t n, bool data_only)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (!data_only || a[i].kind != VMMAP_KIND_FETCH)
			a[to++] = a[i];
	return to;
}

/* All of @log; what is beyond @limit is read and dropped, so that the command runs to its end. */
static int copy(struct vmmap_trace *t, struct vmmap_trace_writer *w, uint64_t limit, bool data_only,
		uint64_t *done)
{
	struct vmmap_access a[AT_ONCE];
	struct vmmap_refusal why;
	struct progress progress;
	int64_t got;

	progress_begin(&progress, "recording");
	for (*done = 0; (got = vmmap_trace_read(t, a, AT_ONCE, &why)) > 0;) {
		size_t n = keep(a, (size_t)got, data_only);

		n = n < limit - *done ? n : (size_t)(limit - *done);
		if (vmmap_trace_write(w, a, n))
			return complain("record: cannot write: %s", strerror(errno));
		*done += n;
		progress_at(&progress, *done);
	}
	progress_end(&progress);
	return got < 0 ? complain_why(&why) : 0;
}

static int record_log(FILE *log, FILE *out, uint64_t limit, bool data_only, uint64_t *done)
{
	struct vmmap_trace_writer *w = NULL;
	struct vmmap_trace *t = NULL;
	struct vmmap_refusal why;
	int status = 0;

	if (vmmap_trace_open_file(log, "valgrind", VMMAP_TRACE_LACKEY, &t, &why))
		return complain_why(&why);
	if (vmmap_trace_writer_create(out, &w))
		status = no_memory();
	if (!status)
		status = copy(t, w, limit, data_only, done);
	if (!status && vmmap_trace_writer_finish(w))
		status = complain("record: cannot write: %s", strerror(errno));
	vmmap_trace_writer_free(w);
	vmmap_trace_close(t);
	return status;
}

static int verdict(pid_t child, uint64_t done)
{
	int how = 0;

	while (waitpid(child, &how, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(how) && WEXITSTATUS(how) == 127 && !done)
		return complain("record: expected valgrind and the command to start, found neither "
				"trace nor command (is valgrind installed?)");
	if (!done)
		return complain("record: expected accesses, found none");
	if (WIFSIGNALED(how))
		fprintf(stderr, "vmmap: record: the command was ended by signal %d\n",
			WTERMSIG(how));
	else if (WEXITSTATUS(how))
		fprintf(stderr, "vmmap: record: the command ended with status %d\n",
			WEXITSTATUS(how));
	return 0;
}

static int record(const char *path, uint64_t limit, bool data_only, char **command, int n)
{
	struct new_file nf;
	uint64_t done = 0;
	pid_t child = -1;
	FILE *log = NULL;
	int status = new_file_open(&nf, path), ended;

	if (status)
		return status;
	status = start(command, n, &child, &log);
	if (!status)
		status = record_log(log, nf.out, limit, data_only, &done);
	ended = child > 0 ? verdict(child, done) : 0;
	status = status ? status : ended;
	if (status) {
		new_file_abort(&nf);
		return status;
	}
	status = new_file_commit(&nf);
	if (!status)
		fprintf(stderr, "vmmap: record: %s accesses in %s\n", grouped(done).text, path);
	return status;
}

int verb_record(int argc, char **argv)
{
	const char *out = NULL, *accesses = NULL;
	bool data_only = false;
	const struct option_spec specs[] = { { "-o", &out, NULL },
					     { "--output", &out, NULL },
					     { "--accesses", &accesses, NULL },
					     { "--data-only", NULL, &data_only } };
	uint64_t limit = UINT64_MAX;
	int status = options_parse("record", usage, specs, 4, &argc, argv, 1, 1 << 20);

	if (status)
		return status;
	if (!out)
		out = "vmmap.trace.zst";
	if (accesses && option_number("--accesses", accesses, &limit))
		return STATUS_WRONG;
	return record(out, limit, data_only, argv, argc);
}
