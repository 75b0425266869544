#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# lindex-bench: every verb on a tiny set, what it writes, and what it says about bad input.
# usage: lindex_bench.sh PROGRAM

. "$(dirname "$0")/tool.sh"
tool=${1:?usage: lindex_bench.sh PROGRAM}
man=$here/../../bench/lindex-bench.1
program=("$tool")

# sound JSON: has every field, at least one row, a lindex among them, and no wrong answer.
sound()
{
	command -v python3 >/dev/null || return 0
	python3 - "$1" <<'END' || fail "$1: not as it should be"
import json, sys
doc = json.load(open(sys.argv[1]))
assert doc["machine"]["cpu"] and doc["commit"] and doc["seed"] == 7, doc.keys()
assert doc["rows"], "no rows"
fields = ("dataset runs structure op mode dist ns x_absl x_limit bytes_per_run p50 p99 p999 max_ns "
          "checked samples").split()
for row in doc["rows"]:
    assert all(f in row for f in fields), row
    assert row["checked"] is True and row["runs"] > 0, row
    rounds = 1 if row["op"] == "scale" and row["mode"] == "build" else doc["rounds"]
    assert row["ns"] is None or len(row["samples"]) == rounds, row
    assert row["p50"] is None or len(row["p999_samples"]) == doc["rounds"], row
assert any(row["structure"].startswith("lindex") for row in doc["rows"])
END
}

# ---- Asked for help -------------------------------------------------------------------------------
try 0 --help
mapfile -t verbs < <(sed -nE 's/^  ([a-z]+) {2,}[a-z].*/\1/p' out | sed '/^capture$/q')
[[ ${#verbs[@]} -ge 3 ]] || fail "--help names ${#verbs[@]} verbs"
for verb in "${verbs[@]}"; do
	grep -qE "^\.BI? \"?$verb( |\"|$)" "$man" || fail "the man page does not have $verb"
done
for option in data structures json csv quick rounds seed max help version; do
	grep -q -- "--$option" out || fail "--help does not have --$option"
	grep -q -- "\\\\-\\\\-$option" "$man" || fail "the man page does not have --$option"
done
try 0 --version
grep -qE '^lindex-bench [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version: $(cat out)"

# ---- Every verb -----------------------------------------------------------------------------------
common=(--quick --rounds 2 --seed 7 --max 10k --structures lindex,sorted-array,judy-bare,radix4,bptree)
for verb in "${verbs[@]}"; do
	[[ $verb != all && $verb != capture ]] || continue
	try 0 "$verb" "${common[@]}" --data gen:lfs-aged:3k --data gen:vma:1k --json "$verb.json" --csv "$verb.csv"
	[[ ! -s err ]] || fail "$verb: something on stderr: $(head -c 300 err)"
	sound "$verb.json"
	[[ $(wc -l <"$verb.csv") -ge 2 ]] || fail "$verb.csv: no rows"
	[[ $(awk -F, 'NR == 1 { print $1 "," $NF }' "$verb.csv") == dataset,more ]] || fail "$verb.csv: head"
done
# valgrind runs no program that has a sanitizer in it.
grep -q '"instructions": [1-9]' lines.json || ! command -v valgrind >/dev/null || grep -q __asan_init "$tool" ||
	fail "lines: no instructions counted"
# Sets that are a single run, or every key of 64 bits: nothing to take for granted.
printf '5 7 3\n' >one.runs
for data in one.runs gen:adversary:random:2k gen:adversary:exponential:500 gen:adversary:outlier:500; do
	try 0 all --quick --rounds 1 --seed 7 --max 10k --structures lindex --data "$data" --json odd.json
	sound odd.json
done

# ---- capture --------------------------------------------------------------------------------------
try 0 capture gen:stride:3:100 out.runs
[[ $(grep -cv '^#' out.runs) == 100 ]] || fail "capture: $(head -c 300 out.runs)"
try 0 lookup --quick --rounds 1 --structures lindex --data out.runs
try 2 capture gen:stride:3:100 out.txt
complains ''
try 2 capture gen:stride:3:100
complains 'capture: expected SPEC OUT.runs'

# ---- Bad input ------------------------------------------------------------------------------------
try 2
complains 'expected a verb, found none'
try 2 frobnicate
complains 'expected a verb, found "frobnicate"'
try 2 lookup --frob
complains 'expected an option, found "--frob"'
try 2 lookup --seed
complains '--seed: expected a value, found none'
for number in x -1 1x '' 99999999999999999999 65; do
	try 2 lookup --rounds "$number"
	complains "--rounds: expected a number from 1 to 64, found \"$number\""
done
try 2 lookup --structures lindex,frob
complains '--structures: expected names as --help lists them, found "frob"'
try 2 lookup --data gen:frob
complains 'gen:KIND: expected'
try 2 lookup --data gen:vma:1k --data absent.runs
complains 'absent.runs: '
try 2 lookup --json absent/file
complains 'absent/file: cannot write: No such file or directory'

verdict
