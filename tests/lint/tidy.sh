#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# clang-tidy (.clang-tidy has the checks) over what the build compiles.

. "$(dirname "$0")/lint.sh"

mapfile -t sources < <(files 'lindex/*.c' 'vmmap/*.c' 'fs-lfs/*.c' 'tests/*.c' 'bench/*.c' |
	while read -r f; do grep -q "/$f\"" "$build/compile_commands.json" && echo "$f"; done)
# The compilation database is gcc's; options that clang does not know are no finding.
printf '%s\n' "${sources[@]}" | xargs -r -P "$(nproc)" -n 1 \
	clang-tidy -p "$build" --quiet --warnings-as-errors='*' --extra-arg=-Wno-unknown-warning-option 2>/dev/null ||
	finding "clang-tidy: see above"
verdict
