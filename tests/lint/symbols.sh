#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Only lindex_ symbols leave: from the static library every global, from the shared one exactly those
# that lindex.h declares. Also: no mutable globals, the SONAME, and what it asks of other libraries.

. "$(dirname "$0")/lint.sh"

so=$build/lib/liblindex.so archive=$build/lib/liblindex.a
[[ -e $so && -e $archive ]] || { echo "no $so or $archive: build first"; exit 1; }

declared=$(gcc -fpreprocessed -dD -E -P lindex/lindex.h 2>/dev/null | tr '\n' ' ' |
	grep -oE 'LINDEX_API [^;(]*\blindex_[a-z0-9_]+ ?\(' | grep -oE 'lindex_[a-z0-9_]+ ?\(' | tr -d ' (' | sort -u)
exported=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -v '^__\(asan\|tsan\|ubsan\|sancov\)' | sort -u)

while read -r symbol; do
	[[ -z $symbol ]] || finding "$so exports $symbol, which lindex.h does not declare"
done < <(comm -13 <(echo "$declared") <(echo "$exported"))
while read -r symbol; do
	[[ -z $symbol ]] || finding "lindex.h declares $symbol, which $so does not export"
done < <(comm -23 <(echo "$declared") <(echo "$exported"))
while read -r symbol; do
	[[ $symbol == lindex_* ]] || finding "$archive defines $symbol"
done < <(nm -g --defined-only "$archive" | awk 'NF == 3 {print $3}' | sort -u)

# An engine keeps nothing between calls: no variables of its own.
while read -r section size symbol; do
	finding "$archive: $symbol is a variable ($section, $size bytes)"
done < <(objdump -t "$archive" | sed -nE 's/.* O (\.data|\.bss|\.tdata|\.tbss|\*COM\*)[[:space:]]+0*([0-9a-f]+) (\.hidden )?(.*)/\1 0x\2 \4/p')

major=$(sed -nE 's/^set\(LINDEX_SOVERSION ([0-9]+)\)/\1/p' lindex/CMakeLists.txt)
readelf -d "$so" | grep -q "SONAME.*\[liblindex\.so\.$major\]" || finding "$so: SONAME is not liblindex.so.$major"
while read -r needed; do
	[[ $needed =~ ^(libc|liburcu|liburcu-memb|liburcu-common|ld-linux-.*)\.so ]] || finding "$so needs $needed"
done < <(readelf -d "$so" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
verdict
