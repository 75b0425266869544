#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The vmmap command: every verb, every format in and out, and what it says about bad input.
# usage: vmmap.sh PROGRAM

. "$(dirname "$0")/tool.sh"
tool=${1:?usage: vmmap.sh PROGRAM}
man=$here/../../vmmap/tools/vmmap.1
guests=$here/../vmmap/guests
data=$here/../vmmap/data
program=("$tool")

# json EXPRESSION: holds of the object on stdout, as j.
json()
{
	python3 - "$1" <<-'END' || fail "JSON: expected $1; found: $(head -c 300 out)"
	import json, sys
	j = json.load(open("out"))
	sys.exit(not eval(sys.argv[1]))
	END
}

# row BACKEND: of the JSON on stdout, for json().
row() { printf '[b for b in j["backends"] if b["backend"] == "%s"][0]' "$1"; }

# ---- Asked for help -------------------------------------------------------------------------------
try 0 --help
cp out help
for verb in bench capture check gen record sim stat sweep translate; do
	grep -q "^  $verb " help || fail "--help does not have $verb"
	grep -qE "^\.B(I)? $verb" "$man" || fail "the man page does not have $verb"
	try 0 "$verb" --help
	says 'usage: '
done
try 0 --version
grep -qE '^vmmap [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version: $(cat out)"
try 2
complains 'expected a verb, found none'
try 2 frobnicate
complains 'expected a verb, found "frobnicate"'
try 2 stat
complains 'stat: expected '
try 2 stat --yaml x
complains 'stat: expected '
try 2 sim --machine
complains 'sim: expected a value after --machine'

# ---- Spaces ----------------------------------------------------------------------------------------
cat >space <<'END'
# vpn pfn len
400 1000 4 r-xu
404 1004 4 rw-u
600 2000 512 rw-u 2M
7f0000000 9000 1 rw-u
END
try 0 stat space
says '521 pages of 4 KiB (512 in pages of 2 MiB'
try 0 stat --json space
json 'j["pages"] == 521 and j["runs"] == 3'
json 'sorted(b["backend"] for b in j["backends"])[0:2] == ["btree", "ecpt"] or len(j["backends"]) >= 2'
json 'all(b["table_bytes"] > 0 for b in j["backends"])'
json "$(row radix4)"'["table_bytes"] % 4096 == 0'
try 0 stat --csv space space
[[ $(head -n 1 out) == space,backend,pages,runs,table_bytes,* ]] || fail "CSV: $(head -n 1 out)"
for backend in lindex radix4 radix5; do
	try 0 translate space 400123 0x407fff 7f0000000010 712345 --backend $backend
	says '400123 1000123 4K r-xu, range 400000 + 4 pages'
	says '407fff 1007fff 4K rw-u'
	says '712345 2112345 2M rw-u'
	try 1 translate space 408000 --backend $backend
	says '408000 fault not present, code 0'
	try 1 translate space 400000 --write --user --backend $backend
	says '400000 fault permission, code 7'
done
try 1 translate space 8000000000000000 --json
json 'j[0]["fault"] == "not canonical"'
try 2 translate space zz
complains 'translate: expected a hexadecimal number, found "zz"'
try 2 translate space 400000 --backend nobody
complains 'space: '

# Into every form and back: the same answers.
for form in bare runs v2p; do
	try 0 capture space --format $form -o "space.$form"
	try 0 stat --json "space.$form"
	json 'j["pages"] == 521 and j["runs"] == 3'
	try 0 translate "space.$form" 400123 712345
	says ' 2112345 '
done
try 2 capture space --format yaml
complains 'capture: expected --format runs, bare or v2p'
zstd -q space
gzip -c space >space.gz
for packed in space.zst space.gz; do
	try 0 stat --json $packed
	json 'j["pages"] == 521'
done
try 0 stat --json - <space
json 'j["pages"] == 521'
printf '400 1000 4\n402 5000 1\n' >bad
try 2 stat bad
complains 'bad:2: expected runs that do not overlap, found page 402'
try 2 stat missing
complains 'missing: cannot open: No such file'
head -c 20 space.zst >cut.zst
try 2 stat cut.zst
complains 'cut.zst: byte 0: expected sound packed bytes'

# An address of 57 bits: radix4 has not the bits, and says so.
printf 'ff11000000000 100 4\n' >wide
try 0 stat --json wide
json "$(row radix4)"'["skipped"].startswith("radix4: expected addresses of 48 bits")'
json "$(row radix5)"'["table_bytes"] > 0'

# A live process: this shell. Frames are root's to see.
if [[ $EUID == 0 ]]; then
	try 0 capture $$ --json
	json 'j["pages"] > 50'
	try 0 capture $$ -o shell.runs
	grep -q ' r-xu' shell.runs || fail "capture: no code in $(head -n 3 shell.runs)"
	try 0 stat --json "proc:$$"
	json 'j["pages"] > 50'
fi
try 2 capture 2147483647
complains 'proc:2147483647: expected a process, found none'

# ---- Traces and the simulator ----------------------------------------------------------------------
printf 'R 400000 8\nW 404000 8\nX 400010 4\nR 400040\nW 400000 8\nR 999000 8\n' >trace
try 0 sim --trace trace --space space --json
json 'j["machine"] == "virtuoso" and len(j["backends"]) >= 3'
json "$(row radix4)"'["accesses"] == 6'
json "$(row radix4)"'["faults"] == 2'
json "$(row radix4)"'["faults_permission"] == 1'
json "$(row radix4)"'["walks"] == 3'
json 'all(b["walks"] == 3 and b["faults"] == 2 for b in j["backends"])'
json "$(row ideal)"'["accesses_per_walk_max"] == 1'
try 0 sim --trace trace --space space --data-only --json
json "$(row radix4)"'["accesses"] == 5'
for machine in champsim ecpt20; do
	try 0 sim --trace trace --space space --machine $machine --backend radix4,ideal
	says "machine $machine"
done
try 0 sim --machine virtuoso --show-machine
cp out mine
try 0 sim --trace trace --space space --machine mine --csv
[[ $(wc -l <out) -ge 4 ]] || fail "CSV: $(cat out)"
echo 'dram x' >>mine
try 2 sim --trace trace --machine mine
complains "mine:$(wc -l <mine): expected CYCLES"
try 0 sim --trace trace
says 'space layout:scattered: 3 pages'
try 2 sim --trace trace --space layout:nowhere
complains 'expected a layout'
try 2 sim --trace trace --backend radix9
complains 'expected all, or backends'
try 2 sim --trace - <trace
complains 'expected --space FILE with a trace from standard input'
try 0 sim --trace - --space space --backend radix4 <trace
printf 'R 400000 8\nQ 1\n' >bad
try 2 sim --trace bad --space space
complains 'bad:2: expected R|W|X hexaddr'
try 0 sim --trace "$data/qsort_head.bin.zst" --backend lindex,radix4 --json
json "$(row lindex)"'["accesses"] == 200000'
json "$(row lindex)"'["walks"] == '"$(row radix4)"'["walks"]'
zstd -dq "$data/qsort_head.bin.zst" -o whole.bin
head -c 100 whole.bin >cut.bin
try 2 sim --trace cut.bin --space space
complains 'cut.bin: byte 96: expected a record of 24 bytes, found 4 bytes'

# Generated, written, and read: the same counts.
try 0 gen --list
says 'xsbench'
try 0 gen bfs -o bfs.zst --footprint 16M --seed 3 --accesses 20000 --space bfs.runs --layout inorder:9
try 0 sim --trace bfs.zst --space bfs.runs --backend radix4 --json
cp out from-file
try 0 sim --trace gen:bfs,footprint=16M,seed=3 --space layout:inorder:9 --accesses 20000 --backend radix4 --json
for key in accesses walks walk_accesses mmu_cycles data_cycles table_bytes; do
	json 'json.load(open("from-file"))["backends"][0]["'$key'"] == j["backends"][0]["'$key'"]'
done
try 2 gen nothing -o x
complains 'gen: expected a workload'
[[ ! -e x ]] || fail 'gen left a file behind'
try 2 gen gups -o x --footprint 10
complains 'gen: expected a footprint'
try 0 gen stride -o plain --format plain --accesses 3 --stride 64 --footprint 2M
[[ $(cut -d' ' -f1,3 plain | sort -u) == 'R 8' ]] || fail "gen plain: $(cat plain)"

try 0 sweep --workloads gups,stride --footprints 4M --layouts scattered,huge --accesses 20000 --warmup 1000 --json
json 'len(j["points"]) == 4 and j["lindex"]["points"] == 4'
try 0 sweep --workloads gups --footprints 4M --layouts contiguous --accesses 2000 --warmup 0 --csv
[[ $(wc -l <out) -ge 4 ]] || fail "sweep: $(cat out)"

if command -v valgrind >/dev/null && [[ -z ${ASAN_OPTIONS:-} ]]; then
	try 0 record -o record.zst --accesses 50000 -- true
	try 0 sim --trace record.zst --backend radix4 --json
	json "$(row radix4)"'["accesses"] == 50000'
fi

# ---- Native time: that it answers; no figure is right or wrong -----------------------------------------
try 0 bench --pages 4096 --queries 4096 --rounds 1 --json
json "$(row lindex)"'["translate_ns"] > 0'
try 2 bench --pages x
complains 'expected a number'

# ---- A real MMU ----------------------------------------------------------------------------------------
for guest in l4 l4thp l5; do
	try 0 check --qemu "$guests/$guest.tlb.txt.zst" --mem "$guests/$guest.tables.zst" --json
	json 'j["agree"] and j["levels"] == '"${guest:1:1}"
done
zstd -dq "$guests/l4.tlb.txt.zst" -o tlb
sed -i '77s/A/-/' tlb
try 2 check --qemu tlb --mem "$guests/l4.tables.zst"
complains 'tlb:77: the walk of memory found "'
head -c 4096 /dev/zero >mem
try 2 check --qemu tlb --mem mem
complains 'check: expected --cr3 X'
try 2 check --qemu tlb --mem mem --cr3 0x5000
complains 'mem: CR3: expected a table inside memory, found a table at 5000'
printf '\x07\x00\x00\x00\x00\x00\x00\x00' | dd of=mem conv=notrunc status=none
try 2 check --qemu tlb --mem mem --cr3 0
complains 'mem: entry at physical address 0 (level 4, virtual address 0): expected a table that is not above itself (a loop)'
try 2 check --qemu space --mem mem --cr3 0
complains 'space:1: expected a line of "info tlb"'

verdict
