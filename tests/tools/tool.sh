# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What tests of programs share; each sources it where it starts, and is then in an empty folder of its own. $here: where
# it started. It sets program, an array of words: what try() runs. Exit status: 0, each FAIL line counted by verdict().

set -euo pipefail
here=$PWD
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
failures=0

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }

# try STATUS ARGS...: runs the program, standard input is ours; leaves "out" and "err".
try()
{
	local expected=$1 status=0
	shift
	"${program[@]}" "$@" >out 2>err || status=$?
	[[ $status == "$expected" ]] || fail "$*: exit status $status, expected $expected: $(head -c 500 err)"
}

says() { grep -qF -- "$1" out || fail "expected on stdout: $1; found: $(head -c 300 out)"; }

# complains TEXT: stdout is empty, stderr one line with the program's name and TEXT.
complains()
{
	[[ ! -s out ]] || fail "something on stdout: $(head -c 300 out)"
	[[ $(wc -l <err) == 1 ]] || fail "expected one line on stderr, found: $(head -c 500 err)"
	grep -qF -- "$(basename "${program[-1]}"): $1" err || fail "expected on stderr: $1; found: $(head -c 300 err)"
}

verdict()
{
	((failures == 0)) || { echo "$failures failure(s)"; exit 1; }
	echo "${1:-ok}"
}
