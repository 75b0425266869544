#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# lindex-tool, from text to an image and back, and what it says about bad input.
# usage: lindex_tool.sh PROGRAM

. "$(dirname "$0")/tool.sh"
tool=${1:?usage: lindex_tool.sh PROGRAM}
man=$here/../../lindex/tools/lindex-tool.1
program=("$tool")

# refuses TEXT COMPLAINT: as input of build; no image appears, no temporary file is left.
refuses()
{
	mkdir refused
	printf "$1" >runs.bad
	try 2 build runs.bad refused/image
	complains "$2"
	[[ -z $(ls -A refused) ]] || fail "left behind by a refused build: $(ls -A refused)"
	rm -r refused
}

# ---- Asked for help -------------------------------------------------------------------------------
try 0 --help
cp out help
for verb in demo capture build stat dump lookup; do
	grep -q "^  $verb " help || fail "--help does not have $verb"
	grep -qE "^\.BI $verb " "$man" || fail "the man page does not have $verb"
	try 0 "$verb" --help
	says 'usage: '
done
try 0 --version
grep -qE '^lindex-tool [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version: $(cat out)"
try 2
complains 'expected a verb, found none'
try 2 frobnicate
complains 'expected a verb, found "frobnicate"'
try 2 build
complains 'build: expected RUNS.txt IMAGE'
try 2 stat image --yaml
complains 'stat: expected IMAGE [--json], found "--yaml"'

# ---- Text -> image -> answers ----------------------------------------------------------------------
cat >runs <<'END'
# key value length [tag [step]]
64 1388 100
0x200  0x9000 10  7	# tagged
300 5 16 0 0

ffffffffffffffff ffffffffffffffff 1
END
try 0 build runs image
says '4 runs'
try 0 build - image2 <runs
cmp image image2 || fail "the same runs give two images"
try 0 lookup image 100 0x64 199 0x201 0x30f 18446744073709551615
diff out - <<'END' || fail "lookup"
0x64: 0x1388, in run 0x64..0xc7 -> 0x1388
0x64: 0x1388, in run 0x64..0xc7 -> 0x1388
0xc7: 0x13eb, in run 0x64..0xc7 -> 0x1388
0x201: 0x9001, in run 0x200..0x209 -> 0x9000, tag 7
0x30f: 0x5, in run 0x300..0x30f -> 0x5, same value for all
0xffffffffffffffff: 0xffffffffffffffff, in run 0xffffffffffffffff..0xffffffffffffffff -> 0xffffffffffffffff
END
try 1 lookup image 100 200
says '0xc8: none, in hole 0xc8..0x1ff'
for key in 5x -1 '' 0x 18446744073709551616 ff; do
	try 2 lookup image 100 "$key"
	complains "lookup: key 2: expected a number below 2^64, decimal or 0x and hexadecimal, found \"$key\""
done
try 0 dump image
says '# image: '
says ' n=4 '
try 0 stat image
says 'image: certified'
try 0 stat --json image
says '"runs": 4,'
says '"keys": 127,'
! command -v python3 >/dev/null || python3 -m json.tool <out >/dev/null || fail "stat --json: not JSON"

# Many runs: leaves and inner nodes, read back through lookup.
for ((i = 0; i < 5000; i++)); do
	printf '%x %x %d\n' $((i * 10 + i % 3)) $((i * i * 7)) $((1 + i % 5))
done >many
try 0 build many many.img
try 0 lookup many.img 0 12 49991
says '0xc347: '
try 0 stat --json many.img
says '"runs": 5000,'
printf '# nothing\n' >none
try 0 build none none.img
try 1 lookup none.img 7
says '0x7: none, in hole 0x0..0xffffffffffffffff'
try 0 dump none.img

# Neighbours, and no sequence: values do not go on from 2^64-1 to 0. Any blank between fields.
printf '0 ffffffffffffffff 1\n1\v0\f1\r\n' >wrap
try 0 build wrap wrap.img
says '2 runs'

# ---- Malformed text --------------------------------------------------------------------------------
length='expected a length: a decimal number from 1 to 2^64-1'
refuses '1 2 3\n# x\nzz 2 3\n' 'runs.bad:3: expected a key: a hexadecimal number below 2^64, found "zz"'
refuses '10000000000000000 2 3\n' 'runs.bad:1: expected a key: a hexadecimal number below 2^64, found "10000000000000000"'
refuses '1 -2 3\n' 'runs.bad:1: expected a value: a hexadecimal number below 2^64, found "-2"'
refuses '1\n' 'runs.bad:1: expected a value: a hexadecimal number below 2^64, found the end of the line'
refuses '1 2 # 3\n' "runs.bad:1: $length, found the end of the line"
refuses '1 2 0\n' "runs.bad:1: $length, found \"0\""
refuses '1 2 0x3\n' "runs.bad:1: $length, found \"0x3\""
refuses '1 2 3 65536\n' 'runs.bad:1: expected a tag: a decimal number below 65536, found "65536"'
refuses '1 2 3 4 2\n' 'runs.bad:1: expected a step: 0 or 1, found "2"'
refuses '1 2 3 4 1 6\n' 'runs.bad:1: expected the end of the line after five fields, found "6"'
refuses 'fffffffffffffff0 2 17\n' 'runs.bad:1: expected a length that ends at key 2^64-1 or before, found "17"'
refuses '2 fffffffffffffff0 17\n' 'runs.bad:1: expected a length that ends at value 2^64-1 or before, found "17"'
refuses '1 2 3\n3 2 3\n' 'runs.bad:2: expected a key above 0x3, where the last run ends, found "3"'
refuses '1 2 3\n\0\n' 'runs.bad:2: expected text, found a zero byte'
refuses '\033[31m%060d\n' 'runs.bad:1: expected a key: a hexadecimal number below 2^64, found "?[31m00'
try 2 build absent image3
complains 'absent: cannot open: No such file or directory'
try 2 build runs absent/image
complains 'absent/image: cannot create: No such file or directory'
try 2 build runs /dev/null
complains '/dev/null: cannot write: expected a regular file or a new name, found a special file'
[[ ! -e image3 ]] || fail "a failed build left an image"

# A refused build leaves the image that was there; a symbolic link stays one.
cp image kept
try 2 build runs.bad kept
cmp image kept || fail "a refused build changed the image"
ln -s kept link
try 0 build many link
[[ -L link ]] || fail "build replaced a symbolic link"
cmp kept many.img || fail "build did not write through a symbolic link"

# ---- Damaged images --------------------------------------------------------------------------------
# damages OFFSET: one byte of many.img is turned over; every verb that reads it refuses it.
damages()
{
	local offset=$1 byte verb
	cp many.img damaged
	byte=$(od -An -tu1 -j "$offset" -N 1 many.img)
	printf "\\x$(printf %02x $((byte ^ 0xff)))" | dd of=damaged bs=1 seek="$offset" conv=notrunc status=none
	for verb in dump stat lookup; do
		case $verb in
		lookup) try 2 lookup damaged 1 ;;
		*) try 2 "$verb" damaged ;;
		esac
		complains 'damaged: '
		grep -qE '^lindex-tool: damaged: (damaged|senseless) at offset [0-9]+: ..' err ||
			fail "byte $offset turned over: no offset and reason in: $(cat err)"
	done
}
size=$(wc -c <many.img)
for offset in 0 8 100 4096 5000 $((size / 2)) $((size - 1)); do
	damages "$offset"
done
head -c 5000 many.img >short
try 2 stat short
complains 'short: '
: >empty
try 2 stat empty
complains 'empty: '
try 2 stat .
complains '.: expected an image in a regular file, found a directory'

# ---- Extents, where this filesystem has them ---------------------------------------------------------
mkdir files
head -c 100000 /dev/zero | tr '\0' x >files/one
printf 'two\n' >files/two
sync files/one files/two
if "$tool" capture files captured >out 2>err; then
	grep -q '^# Extents of files ' captured || fail "capture: $(head -c 300 captured)"
	try 0 build captured captured.img
	try 0 capture files -
	cmp out captured || fail "capture to - and to a file differ"
else
	grep -q 'expected a filesystem that lists extents (FIEMAP)' err || fail "capture: $(cat err)"
fi
try 2 capture absent out.txt
complains 'absent: cannot read: No such file or directory'
[[ ! -e out.txt ]] || fail "a failed capture left a file"

# The whole demonstration, on whatever it finds to map here.
try 0 demo files
says 'All checks passed.'
try 2 demo absent
complains 'absent: cannot read: No such file or directory'

# ---- Nowhere to write --------------------------------------------------------------------------------
if [[ -w /dev/full ]]; then
	status=0
	"$tool" dump image >/dev/full 2>err || status=$?
	[[ $status == 2 ]] || fail "dump to a full device: exit status $status"
	: >out
	complains 'cannot write to stdout: No space left on device'
fi

verdict
