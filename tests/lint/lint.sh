# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the lints share; each sources it. Exit status: 0 clean, 1 findings, each printed as file:line: text.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-build}
findings=0

finding()
{
	echo "$*"
	findings=$((findings + 1))
}

verdict()
{
	((findings == 0)) || { echo "$findings finding(s)"; exit 1; }
}

# Files of the project (also not yet committed ones) whose name matches a shell pattern.
files()
{
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -co --exclude-standard -- "$@" | while read -r f; do [[ -f $f ]] && echo "$f"; done
	else
		local pattern
		for pattern in "$@"; do
			find . \( -path ./build -o -path ./.git \) -prune -o -type f -path "./$pattern" -print | sed 's,^\./,,'
		done
	fi
}
