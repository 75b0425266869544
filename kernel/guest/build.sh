#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# build.sh stock|uml|debug|KDIR [MAKE ARGUMENT...]: the modules, in build/kmod/FLAVOUR/kernel. Objects stay there: the
# sources are linked into that folder, and Kbuild never sees the original one. KDIR is the folder of any kernel's
# headers, as /lib/modules/VERSION/build; its modules are in build/kmod/headers-NAME, and no guest runs them.

. "$(dirname "$0")/lib.sh"
set -euo pipefail

flavour=${1:?build.sh wants stock, uml, debug, or a folder of kernel headers}
shift
here=$(kmod_folder "$flavour")
modules=(CONFIG_LINDEX=m CONFIG_DM_LINDEX=m CONFIG_LINDEX_TEST=m CONFIG_LINDEX_BENCH=m)
command -v pahole >/dev/null || modules+=(CONFIG_DEBUG_INFO_BTF_MODULES=) # types for BPF: nobody's need here

link_sources()
{
	mkdir -p "$here/tests"
	find "$here/lindex" "$here/kernel" "$here/tests" -xtype l -delete 2>/dev/null || true
	cp -rsf "$top/lindex" "$top/kernel" "$here/"
	cp -rsf "$top/tests/harness" "$top/tests/lindex" "$here/tests/"
}

# unpack DIR [TAR ARGUMENT...]: the kernel's source, once per archive.
unpack()
{
	local dir=$1 archive
	shift
	archive=$(readlink -f "$(source_archive)")
	[[ $(cat "$dir/.from" 2>/dev/null) == "$archive" ]] && return
	say "unpacking $(basename "$archive")"
	rm -rf "$dir"
	mkdir -p "$dir"
	tar -C "$dir" --strip-components=1 -xf "$archive" "$@"
	echo "$archive" >"$dir/.from"
}

# User-mode Linux as Debian built it: its configuration, and its version, so that modules fit. Nothing but headers
# and scripts is needed for that.
prepare_uml()
{
	local src=$out/uml-source tree=$out/uml-tree version
	version=$(linux.uml --version)
	unpack "$src" --wildcards --exclude='*/Documentation/*.[rty]*' --exclude='*/sound/*/*.[ch]' --exclude='*/drivers/*.[chS]' \
		--exclude='*/fs/*.[ch]' --exclude='*/net/*.[ch]' --exclude='*/tools/testing/*' --exclude='*/tools/perf/*'
	um=(make -C "$src" ARCH=um O="$tree" SUBLEVEL="${version##*.}")
	[[ -e $tree/.version-$version ]] && return
	mkdir -p "$tree"
	zcat /usr/share/doc/user-mode-linux/config.gz >"$tree/.config"
	"${um[@]}" olddefconfig modules_prepare >"$tree/prepare.log" 2>&1 || die "see $tree/prepare.log"
	touch "$tree/.version-$version"
}

# Our own user-mode Linux with everything that finds mistakes: some minutes, once.
prepare_debug()
{
	local src=$out/debug-source tree=$out/debug-tree
	unpack "$src" --wildcards --exclude='*/Documentation/*.[rty]*' --exclude='*/tools/testing/*' --exclude='*/tools/perf/*'
	um=(make -C "$src" ARCH=um O="$tree")
	[[ -x $tree/linux && $tree/linux -nt $top/kernel/guest/debug.config ]] && return
	mkdir -p "$tree"
	"${um[@]}" KCONFIG_ALLCONFIG="$top/kernel/guest/debug.config" allnoconfig >"$tree/prepare.log" 2>&1 ||
		die "see $tree/prepare.log"
	say "building a user-mode Linux with KASAN, lockdep and kmemleak: some minutes"
	"${um[@]}" -j "$jobs" >>"$tree/prepare.log" 2>&1 || die "see $tree/prepare.log"
}

case $flavour in
stock)
	need_stock
	build=(make -C "/lib/modules/$(stock_version)/build")
	;;
uml | debug)
	need_uml
	"prepare_$flavour"
	build=("${um[@]}" KBUILD_MODPOST_WARN=1)
	;;
*)
	[[ -e $flavour/Makefile && -e $flavour/.config ]] || die "no flavour, and no folder of a kernel's headers: $flavour"
	build=(make -C "$flavour")
	;;
esac
link_sources
"${build[@]}" M="$here/kernel" W=1 -j "$jobs" "${modules[@]}" "$@" modules >"$here/build.log" 2>&1 || {
	cat "$here/build.log" >&2
	die "$flavour: modules do not build"
}
# What the kernel itself exports is not known to a tree that was only prepared, and modpost says so.
grep -E 'warning:|error:' "$here/build.log" | grep -vE 'Symbol info of vmlinux|not described in' >&2 || true
