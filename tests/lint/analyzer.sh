#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# gcc -fanalyzer over the library.

. "$(dirname "$0")/lint.sh"

files 'lindex/*.c' | grep -E '^lindex/[^/]*$' | grep -v '^lindex/simd_' |
	xargs -r -P "$(nproc)" -n 1 gcc -std=gnu11 -O1 -fanalyzer -fdiagnostics-path-format=none -Werror -c -o /dev/null || finding "gcc -fanalyzer: see above"
verdict
