#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Relative links in the documentation lead somewhere.

. "$(dirname "$0")/lint.sh"

while read -r file; do
	while read -r target; do
		[[ -z $target || -e $(dirname "$file")/$target ]] || finding "$file: link to $target, which is not there"
	done < <(grep -oE '\]\([^)#: ]+(#[^)]*)?\)' "$file" | sed -E 's/^\]\(//; s/(#.*)?\)$//' || true)
done < <(files '*.md')
verdict
