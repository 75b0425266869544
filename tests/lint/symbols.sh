#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Only symbols with the prefix of a library leave it: from a static library every global, from a shared one
# exactly those that its public header declares. Also: no mutable globals in an engine, the SONAME, and what
# a shared library asks of others.

. "$(dirname "$0")/lint.sh"

# only_prefix ARCHIVE PREFIX: what an archive defines for others; and it keeps nothing between calls.
only_prefix()
{
	local archive=$1 prefix=$2 symbol section size
	while read -r symbol; do
		[[ $symbol == "$prefix"_* ]] || finding "$archive defines $symbol"
	done < <(nm -g --defined-only "$archive" | awk 'NF == 3 {print $3}' | sort -u)
	while read -r section size symbol; do
		finding "$archive: $symbol is a variable ($section, $size bytes)"
	done < <(objdump -t "$archive" | sed -nE 's/.* O (\.data|\.bss|\.tdata|\.tbss|\*COM\*)[[:space:]]+0*([0-9a-f]+) (\.hidden )?(.*)/\1 0x\2 \4/p')
}

# only_declared SHARED PREFIX HEADER FOLDER NEEDS: NEEDS is a pattern of libraries that it may ask for.
only_declared()
{
	local so=$1 prefix=$2 header=$3 folder=$4 needs=$5 declared exported symbol major needed
	declared=$(gcc -fpreprocessed -dD -E -P "$header" 2>/dev/null | tr '\n' ' ' |
		grep -oE "${prefix^^}_API [^;(]*\b${prefix}_[a-z0-9_]+ ?\(" | grep -oE "${prefix}_[a-z0-9_]+ ?\(" | tr -d ' (' | sort -u)
	exported=$(nm -D --defined-only "$so" | awk '{print $3}' | grep -v '^__\(asan\|tsan\|ubsan\|sancov\)' | sort -u)
	while read -r symbol; do
		[[ -z $symbol ]] || finding "$so exports $symbol, which $header does not declare"
	done < <(comm -13 <(echo "$declared") <(echo "$exported"))
	while read -r symbol; do
		[[ -z $symbol ]] || finding "$header declares $symbol, which $so does not export"
	done < <(comm -23 <(echo "$declared") <(echo "$exported"))
	major=$(sed -nE "s/^set\(${prefix^^}_SOVERSION ([0-9]+)\)/\1/p" "$folder/CMakeLists.txt")
	readelf -d "$so" | grep -q "SONAME.*\[lib$prefix\.so\.$major\]" || finding "$so: SONAME is not lib$prefix.so.$major"
	while read -r needed; do
		[[ $needed =~ ^(libc|ld-linux-.*|$needs)\.so ]] || finding "$so needs $needed"
	done < <(readelf -d "$so" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
}

[[ -e $build/lib/liblindex.a ]] || { echo "no $build/lib/liblindex.a: build first"; exit 1; }
only_prefix "$build/lib/liblindex.a" lindex
only_declared "$build/lib/liblindex.so" lindex lindex/lindex.h lindex 'liburcu|liburcu-memb|liburcu-common'
if [[ -e $build/lib/libvmmap.so ]]; then
	only_prefix "$build/lib/libvmmap.a" vmmap
	only_declared "$build/lib/libvmmap.so" vmmap vmmap/vmmap.h vmmap 'liblindex|liburcu|liburcu-memb|liburcu-common|libxxhash|libzstd'
fi
[[ ! -e $build/lib/liblfs.a ]] || only_prefix "$build/lib/liblfs.a" lfs
verdict
