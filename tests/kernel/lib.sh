# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the tests here share; each sources it, and is called with the build folder.

set -euo pipefail
build=$(realpath "${1:?which build folder?}")
export LINDEX_KMOD=$build/kmod JOBS=${JOBS:-2}
. "$(dirname "${BASH_SOURCE[0]}")/../../kernel/guest/lib.sh"
guest=$top/kernel/guest
mkdir -p "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() { echo "failed: $*"; exit 1; }

# guest WORD...: boot.sh, its console shortened to what tells something.
boot_guest()
{
	local status=0
	"$guest/boot.sh" "$@" >"$work/console" 2>"$work/said" || status=$?
	grep -E '^(\[[ .0-9]+\] )?(# |ok |not ok |1\.\.|load:|guest:)' "$work/console" | sed -E 's/^\[[ .0-9]+\] //' |
		grep -vE '^# .*: [0-9]+ ms$' || true
	cat "$work/said"
	return "$status"
}

# Of linux-source or the headers, whichever has the script. Without perl or the script: said, not failed.
checkpatch()
{
	local script files
	script=$(find "$out"/*-source/scripts /usr/src/linux-*/scripts -name checkpatch.pl 2>/dev/null | head -n 1)
	if [[ -z $script ]] || ! command -v perl >/dev/null; then
		echo "checkpatch: left out, no script here"
		return
	fi
	mapfile -t files < <(cd "$top" && find kernel -name '*.c' -o -path 'kernel/*.h' | grep -vE '/tools/|/shim/|uml_ptrace' | sort)
	(cd "$top" && perl "$script" --no-tree --strict --terse --show-types --no-summary --max-line-length=120 \
		--ignore "$checkpatch_exceptions" -f "${files[@]}") || fail "checkpatch"
}
# Named, with reasons, in kernel/README.md.
checkpatch_exceptions=SPDX_LICENSE_TAG,EXPORT_SYMBOL,CAMELCASE,OPEN_ENDED_LINE,REPEATED_WORD
checkpatch_exceptions+=,LINUX_VERSION_CODE,CONSTANT_COMPARISON
