/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Going into the background, and where words go from there.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static bool in_background;
static int up_fd = -1;

/* The parent's part: the child's byte, or its exit status if it gives up before. */
static _Noreturn void wait_for_child(pid_t child, int fd)
{
	char byte;
	int status = 0;

	if (read(fd, &byte, 1) == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

void daemon_start(void)
{
	int pipe_fds[2];
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) || (child = fork()) < 0) {
		perror("mount.lfs: cannot go into the background");
		exit(EXIT_FAILURE);
	}
	if (child) {
		close(pipe_fds[1]);
		wait_for_child(child, pipe_fds[0]);
	}
	close(pipe_fds[0]);
	up_fd = pipe_fds[1];
	setsid();
	if (chdir("/")) {
		perror("mount.lfs: /");
		exit(EXIT_FAILURE);
	}
}

void daemon_is_up(void)
{
	int null;

	if (up_fd < 0)
		return;
	openlog("mount.lfs", LOG_PID, LOG_DAEMON);
	in_background = true;
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	(void)!write(up_fd, "u", 1);
	close(up_fd);
	up_fd = -1;
}

void say(enum lfs_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (in_background) {
		vsyslog((int)level, fmt, args);
	} else {
		flockfile(stderr);
		fputs("mount.lfs: ", stderr);
		vfprintf(stderr, fmt, args);
		fputc('\n', stderr);
		funlockfile(stderr);
	}
	va_end(args);
}
