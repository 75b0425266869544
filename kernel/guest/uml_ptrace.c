/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Preloaded into user-mode Linux, which before Linux 6.14 keeps the vector registers of its processes in a
 * buffer of a fixed size (832 bytes: x87, SSE, AVX). Where the machine has more (AVX-512, AMX), setting them
 * fails with EFAULT and the first process dies. Here the whole state is fetched and kept beside UML's buffer,
 * and goes back whole, with what UML knows of on top.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATE_ROOM (16 * 1024)
#define STATES     1024 /* threads of a guest, at most */
#define COMPONENTS_AT                                                                              \
	512 /* in the standard layout: bit map of the components that are not in their first state */
#define KNOWN_TO_UML 7u /* x87, SSE, AVX */

struct state {
	const void *of; /* UML's buffer */
	uint8_t bytes[STATE_ROOM];
};

static struct state states[STATES];
static size_t whole_bytes; /* what this machine wants: learnt from the first fetch */

static struct state *state_of(const void *buffer)
{
	size_t at = (uintptr_t)buffer / 64 % STATES, i;

	for (i = 0; i < STATES && states[at].of && states[at].of != buffer; i++)
		at = (at + 1) % STATES;
	return &states[at];
}

static long fetch(pid_t pid, struct iovec *uml)
{
	struct state *state = state_of(uml->iov_base);
	struct iovec whole = { state->bytes, STATE_ROOM };
	long ret = syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole);

	if (ret < 0)
		return ret;
	state->of = uml->iov_base;
	whole_bytes = whole.iov_len;
	if (uml->iov_len > whole_bytes)
		uml->iov_len = whole_bytes;
	memcpy(uml->iov_base, state->bytes, uml->iov_len);
	return 0;
}

static long put(pid_t pid, const struct iovec *uml)
{
	struct state *state = state_of(uml->iov_base);
	struct iovec whole = { state->bytes, whole_bytes };
	uint64_t components;

	memcpy(state->bytes, uml->iov_base, uml->iov_len);
	if (state->of !=
	    uml->iov_base) { /* a copy that UML made, as for fork(): the rest begins anew */
		memcpy(&components, state->bytes + COMPONENTS_AT, sizeof(components));
		components &= KNOWN_TO_UML;
		memcpy(state->bytes + COMPONENTS_AT, &components, sizeof(components));
	}
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list args;
	pid_t pid;
	void *addr, *data;
	long peeked, ret;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_GETREGSET && addr == (void *)NT_X86_XSTATE)
		return fetch(pid, data);
	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return put(pid, data);
	/* The C library's way with peeks: the word is what is returned. */
	if (request != PTRACE_PEEKTEXT && request != PTRACE_PEEKDATA && request != PTRACE_PEEKUSER)
		return syscall(SYS_ptrace, request, pid, addr, data);
	ret = syscall(SYS_ptrace, request, pid, addr, &peeked);
	return ret < 0 ? ret : peeked;
}
