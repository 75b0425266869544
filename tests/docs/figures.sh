#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# README.md, docs/bars.md and bench/RESULTS.md say what bench/results holds, and nothing else; and what checks that finds what it is for.
# usage: figures.sh SOURCE

set -euo pipefail
source=$(readlink -f "${1:?usage: figures.sh SOURCE}")
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failures=0

fail() { echo "FAIL: $*"; failures=$((failures + 1)); }
check() { python3 "$source/bench/report" "${2:---check}" "$1" "$source/bench/results" >"$tmp/out" 2>&1; }

check "$source" || { cat "$tmp/out"; fail "documents and bench/results disagree (./dev bench keep, or python3 bench/report --write . bench/results)"; }

# ---- Mistakes that were planted -----------------------------------------------------------------------
# planted WHAT FILE SED EXPECTED: a tree with one mistake is refused, and the reason says EXPECTED.
planted()
{
	local root=$tmp/tree
	rm -rf "$root"
	mkdir -p "$root/docs" "$root/bench"
	cp "$source/README.md" "$root/"
	cp "$source/docs/bars.md" "$source/docs/figures.json" "$root/docs/"
	cp "$source/bench/RESULTS.md" "$root/bench/"
	sed -i "$3" "$root/$2"
	! cmp -s "$root/$2" "$source/$2" || fail "$1: nothing was planted"
	! check "$root" || fail "$1: not found"
	grep -qF -- "$4" "$tmp/out" || fail "$1: expected \"$4\", found: $(head -c 300 "$tmp/out")"
}

row='^| random overwrite: absl'
planted 'a figure of README.md' README.md "/$row/s/lindex | [0-9.]*/lindex | 77.7/" '77.7: expected'
planted 'a number that nobody named' README.md "/$row/s/ |\$/, 13 of them |/" 'expected 3 numbers, found 4'
planted 'a row that nobody named' README.md "/$row/i | a new row | 99.9 | |" 'nobody says where the figures of this row come from'
planted 'a row that is gone' README.md "/$row/d" 'expected one row "random overwrite'
planted 'a source that does not exist' docs/figures.json 's/"overwrite: absl/"overwritten: absl/' 'expected one figure, found 0'
planted 'a figure of bars.md' docs/bars.md 's/ | MISSED | / | met | /' 'bars.md:'
planted 'a figure of RESULTS.md' bench/RESULTS.md '/^| maple tree /s/[0-9]/77/' 'RESULTS.md:'

# What --write mends is what --check wants.
sed "/$row/s/lindex | [0-9.]*/lindex | 77.7/" "$source/README.md" >"$tmp/tree/README.md"
cp "$source/bench/RESULTS.md" "$tmp/tree/bench/"
check "$tmp/tree" --write || fail "--write: $(head -c 300 "$tmp/out")"
cmp "$tmp/tree/README.md" "$source/README.md" || fail "--write: README.md is not what it was"

((failures == 0)) || { echo "$failures failure(s)"; exit 1; }
echo ok
