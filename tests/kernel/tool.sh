#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# lindex-dm: what it makes, and what it refuses, in one line each.

. "$(dirname "$0")/lib.sh"
tool=$build/bin/lindex-dm
cd "$work"

# refuses PATTERN WORD...: fails, and says one line that has PATTERN; nothing is left behind.
refuses()
{
	local pattern=$1
	shift
	if "$tool" "$@" >out 2>err; then fail "not refused: $*"; fi
	[[ $(wc -l <err) == 1 ]] && grep -q -- "$pattern" err || { cat err; fail "another message than \"$pattern\": $*"; }
	[[ ! -e map && ! -e map.new ]] || fail "something is left: $*"
}

printf '# a comment\n\n0 8 800\n  16 8 16 # behind it\n8 8 4096\n' >text
"$tool" build text map --json >json
grep -q '"runs": 3' json && grep -q '"unit_sectors": 8' json && grep -q '"map_sectors": 24' json || fail "figures: $(cat json)"
"$tool" show map --json | cmp - json || fail "show tells something else"
"$tool" build text map2 --unit 4 | grep -q 'unit 4 sectors' || fail "--unit"
printf '0 8 linear 8:1 800\n8 8 linear 8:1 4096\n16 8 linear 8:1 16\n' | "$tool" build - map3 >/dev/null
cmp map map3 || fail "a table of dm-linear makes another map"
printf 'a: 0 8 linear 8:1 800\na: 8 8 linear 8:1 4096\na: 16 8 linear 8:1 16\n' | "$tool" build - map4 >/dev/null
cmp map map4 || fail "names in front make another map"
truncate -s 1M device && "$tool" build text device --offset 100 >/dev/null && "$tool" show device --offset 100 >/dev/null ||
	fail "--offset"
cmp <(tail -c +51201 device | head -c "$(stat -c %s map)") map || fail "another map at an offset"
rm map

bad() { printf "$1" >bad; refuses "$2" build bad map; }
bad '0 8 800\n8 eight 9\n' 'bad:2: expected FIRST LENGTH PLACE'
bad '0 8 800\n4 8 9000\n' 'two extents for sector 4'
bad '0 0 800\n' 'bad:1: an extent without sectors'
bad '0 8 800 9\n' 'behind an extent'
bad '0 8\n' 'bad:1: expected a place'
bad '0 18446744073709551615 0\n' 'past the last byte'
bad '0 8 -4\n' 'expected a place'
bad '# nothing\n' 'no extents'
bad '0 8 linear 8:1 0\n8 8 linear 8:2 0\n' 'one data device'
printf '0 3 7\n' >odd
refuses 'edges at 1' build odd map --unit 8
refuses 'No such file' build none map
refuses 'No such file' build fiemap:none map
refuses 'no map: magic' show "$tool"
cp map2 damaged && printf '\x01' | dd of=damaged bs=1 seek=24 conv=notrunc 2>/dev/null
refuses 'header checksum' show damaged
cp map2 damaged && printf '\x01' | dd of=damaged bs=1 seek=4200 conv=notrunc 2>/dev/null
refuses 'byte .* of the image' show damaged
head -c 6000 map2 >short
refuses 'does not fit' show short
for word in --help --version; do "$tool" $word | grep -q lindex-dm || fail "$word"; done
status=0; "$tool" nonsense 2>/dev/null || status=$?
((status == 2)) || fail "usage is status 2, not $status"
echo "ok - lindex-dm"
