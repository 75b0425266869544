/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Numbers from text, without what strtoull() lets pass: signs, spaces, overflow, a rest. @n is written on success.
 */
#ifndef LINDEX_TOOL_NUMBER_H
#define LINDEX_TOOL_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

bool number_dec(const char *text, uint64_t *n);

/* Digits may follow "0x". */
bool number_hex(const char *text, uint64_t *n);

/* A decimal one that k, M or G multiplies by a power of 1000. */
bool number_scaled(const char *text, uint64_t *n);

#endif /* LINDEX_TOOL_NUMBER_H */
