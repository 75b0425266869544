#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# clang-format decides spaces. "./dev format" rewrites what this finds.

. "$(dirname "$0")/lint.sh"

while read -r file; do
	places=$(clang-format --dry-run "$file" 2>&1 | grep -c 'warning:' || true)
	((places == 0)) || finding "$file: clang-format would change $places place(s): ./dev format $file"
done < <(files '*.c' '*.h' '*.cc')
verdict
