#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# No floating point in lindex: not even the words, comments aside.

. "$(dirname "$0")/lint.sh"

while read -r file; do
	while IFS= read -r hit; do
		finding "$file: $hit"
	done < <(gcc -fpreprocessed -dD -E -P "$file" 2>/dev/null | grep -wE 'float|double|_Float[0-9]+|__float128' || true)
done < <(files 'lindex/*.c' 'lindex/*.h' | grep -E '^lindex/[^/]*$')
verdict
