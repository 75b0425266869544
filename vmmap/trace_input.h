/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bytes and lines of a file that may be packed, with their position for refusals. What all readers stand on.
 */
#ifndef VMMAP_TRACE_INPUT_H
#define VMMAP_TRACE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace.h"

#define INPUT_LINE_MAX 65536u

struct unpacker;

/**
 * struct input -
 * @bytes:  A window onto the unpacked file: [at, end) is not used yet.
 * @offset: Position of bytes[0] in the unpacked file.
 * @line:   Lines taken so far: the number of the current one.
 * @failed: The errno of the first failure; final.
 */
struct input {
	char name[256];
	FILE *file;
	struct unpacker *unpacker; /* NULL: not packed */
	unsigned char *bytes;
	size_t at, end;
	uint64_t offset, line;
	bool at_eof;
	int failed;
};

/** input_open() - Takes over @file, also on failure. */
int input_open(struct input *in, FILE *file, const char *name, struct vmmap_refusal *why);

/** input_open_path() - "-" is stdin. */
int input_open_path(struct input *in, const char *path, struct vmmap_refusal *why);
void input_close(struct input *in);

/**
 * input_peek() - At least @want bytes from the current position on, fewer at the end of the file.
 * @bytes: Output, valid until the next call. @want <= INPUT_LINE_MAX.
 * Return: Number of bytes there are (may be more than wanted), or negative errno.
 */
int64_t input_peek(struct input *in, size_t want, const unsigned char **bytes,
		   struct vmmap_refusal *why);
void input_take(struct input *in, size_t n);

/** input_line() - The next line, without its end. Return: 1; 0 at the end; negative errno. */
int input_line(struct input *in, const char **line, size_t *len, struct vmmap_refusal *why);

/** input_refuse_line() - "NAME:LINE: ...". input_refuse_byte() - "NAME: byte OFFSET: ...". Return: -@err. */
__attribute__((format(printf, 4, 5))) int input_refuse_line(const struct input *in,
							    struct vmmap_refusal *why, int err,
							    const char *fmt, ...);
__attribute__((format(printf, 4, 5))) int input_refuse_byte(const struct input *in,
							    struct vmmap_refusal *why, int err,
							    const char *fmt, ...);

/** refuse() - Any other refusal. Return: -@err. */
__attribute__((format(printf, 3, 4))) int refuse(struct vmmap_refusal *why, int err,
						 const char *fmt, ...);

/** struct shown - Text from outside, fit to be printed: cut, in quotes, other bytes as dots. */
struct shown {
	char text[48];
};
struct shown shown(const char *text, size_t len);

/* ---- Words and numbers of a line ------------------------------------------------------------- */

/** struct cursor - What is left of a line. */
struct cursor {
	const char *at, *end;
};

/** skip_blanks() - Over spaces and tabs, and over a comment, which runs to the end. */
void skip_blanks(struct cursor *c);

/** take_word() - The next word (up to a blank), as a cursor of its own; empty at the end. */
struct cursor take_word(struct cursor *c);

/** word_hex() - All of @word is a hexadecimal number (0x allowed); word_dec() - a decimal one. */
bool word_hex(struct cursor word, uint64_t *n);
bool word_dec(struct cursor word, uint64_t *n);

#endif
