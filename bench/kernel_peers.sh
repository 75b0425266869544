#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# kernel_peers.sh BUILD: the Linux kernel's maple tree and XArray as peers, in BUILD/bench/kernel_peers.so,
# from the sources that Debian's package linux-source brings, and the headers there for the kernel's own
# tests in user space. Nothing of it is copied into this tree.
#
# LINUX_SOURCE names another linux-source-*.tar.xz. Exit status: 0 built (or built before), 1 cannot.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:?kernel_peers.sh wants the build folder}/bench
tree=$build/linux
so=$build/kernel_peers.so

say() { printf 'kernel peers: %s\n' "$*" >&2; }

archive=${LINUX_SOURCE:-$(find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V | tail -n 1)}
if [[ ! -f $archive ]]; then
	say 'left out, there are no kernel sources: apt-get install linux-source'
	exit 1
fi

unpack()
{
	rm -rf "$tree"
	mkdir -p "$tree"
	tar -C "$tree" --strip-components=1 -xf "$archive" --wildcards '*/lib/maple_tree.c' '*/lib/xarray.c' \
		'*/include/linux/maple_tree.h' '*/include/linux/xarray.h' \
		'*/include/linux/kconfig.h' '*/include/linux/gfp_types.h' '*/tools/arch/*/include/asm/*.h' \
		'*/include/trace/events/maple_tree.h' '*/tools/include' '*/tools/lib/find_bit.c' '*/tools/testing/radix-tree'
	mkdir -p "$tree/tools/testing/radix-tree/generated"
	echo '#define XA_CHUNK_SHIFT 6' >"$tree/tools/testing/radix-tree/generated/map-shift.h"
	echo '#define CONFIG_64BIT 1' >"$tree/tools/testing/radix-tree/generated/bit-length.h"
	rm "$tree/tools/testing/radix-tree/linux/rcupdate.h" # ours comes first, but not for what lies beside it
	readlink -f "$archive" >"$tree/.from"
}

compile()
{
	local source objects=()
	for source in "$here"/kernel/{slab,maple,xarray}.c "$tree"/tools/lib/find_bit.c "$tree"/tools/testing/radix-tree/bitmap.c; do
		objects+=("$build/kernel_$(basename "$source" .c).o")
		"${CC:-gcc}" -std=gnu11 -O2 -g -fPIC -w -fvisibility=hidden -I"$here/kernel" -I"$tree" \
			-I"$tree/tools/testing/radix-tree" -I"$tree/tools/include" -I"$here/../lindex" \
			-c "$source" -o "${objects[-1]}" || return 1
	done
	"${CC:-gcc}" -shared -Wl,-z,defs -o "$so.new" "${objects[@]}" -lpthread || return 1
	mv "$so.new" "$so"
}

mkdir -p "$build"
[[ -f $tree/.from && $(<"$tree/.from") == "$(readlink -f "$archive")" ]] || unpack
if [[ ! -f $so || -n $(find "$here"/{kernel,peer.h,kernel_peers.sh} "$tree/.from" -newer "$so" -print -quit) ]]; then
	compile || { say "left out, they do not compile: $archive"; exit 1; }
fi
say "$so, from $(basename "$archive")"
