#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# gcc -fanalyzer over the engines.

. "$(dirname "$0")/lint.sh"

files 'lindex/*.c' 'vmmap/*.c' 'fs-lfs/*.c' | grep -E '^[a-z-]+/[^/]*$' | grep -v '^lindex/simd_' |
	xargs -r -P "$(nproc)" -n 1 gcc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DLINDEX_RCU=1 -Ilindex -O1 -fanalyzer -fdiagnostics-path-format=none -Werror -c -o /dev/null || finding "gcc -fanalyzer: see above"
verdict
