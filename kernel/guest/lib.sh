# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What building modules and booting guests share: where this machine keeps its kernels. Sourced.
#
# Flavours:  stock   Debian's kernel (linux-image, linux-headers), for QEMU
#            uml     Debian's user-mode Linux, with modules built from linux-source
#            debug   a user-mode Linux of our own: KASAN, lockdep, PROVE_RCU, kmemleak, KUnit

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=${LINDEX_KMOD:-$top/build/kmod}
jobs=${JOBS:-$(nproc)}

say() { printf 'kmod: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# kmod_folder FLAVOUR|KDIR: where its modules are built.
kmod_folder()
{
	case $1 in
	*/*) echo "$out/headers-$(basename "$(realpath "$1")" | sed 's/^linux-headers-//')" ;;
	*) echo "$out/$1" ;;
	esac
}

# missing PACKAGE...: 77 is what ctest counts as skipped.
skip() { say "skipped, it needs: apt-get install $*"; exit 77; }

# The newest kernel that has headers, an image and modules. Not a cloud kernel: it lacks drivers.
stock_version()
{
	local dir version
	while read -r dir; do
		version=$(basename "$dir")
		[[ $version != *cloud* && -e $dir/build/Makefile && -e $dir/kernel && -r /boot/vmlinuz-$version ]] || continue
		echo "$version"
		return
	done < <(printf '%s\n' /lib/modules/*/ | sed 's,/$,,' | sort -rV)
	return 1
}

source_archive() { find /usr/src -maxdepth 1 -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V | tail -n 1; }

uml_modules() { echo "/usr/lib/uml/modules/$(linux.uml --version)"; }

need_stock()
{
	stock_version >/dev/null || skip linux-image-amd64 linux-headers-amd64
}

need_uml()
{
	command -v linux.uml >/dev/null || skip user-mode-linux
	[[ -n $(source_archive) ]] || skip linux-source
	command -v bc >/dev/null && command -v flex >/dev/null && command -v bison >/dev/null || skip bc flex bison
}

need_guest_tools()
{
	[[ -x /bin/busybox || -x /usr/bin/busybox ]] || skip busybox-static
	command -v cpio >/dev/null || skip cpio
}
