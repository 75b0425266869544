#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# boot.sh stock|uml|debug SECONDS SHARE TASK [WORD...]: boot a guest, run kernel/guest/TASK.sh in it, print its
# console. SHARE is a folder that the guest sees as /share. The guest is stopped after SECONDS.
#
# Environment: GUEST_MODULES   modules of the guest's own kernel to load first: name[,parameter=value...] ...
#              GUEST_PROGRAMS  programs of this machine to take along, with their libraries
#              GUEST_MEMORY    megabytes (default 1024)
#              GUEST_DISK      a file that user-mode Linux sees as /dev/ubdb
#              GUEST_CPUS      QEMU only (default 1)
#              GUEST_BOOT      more words of the kernel's command line (QEMU)
#              GUEST_ICOUNT    1: QEMU's clock counts instructions
#
# Exit status: that of the task; 1 too if the kernel complained (BUG, Oops, WARNING, KASAN, lockdep, stalls) after the
# task began, or kmemleak found something.

. "$(dirname "$0")/lib.sh"
set -euo pipefail

flavour=$1 seconds=$2 share=$(realpath "$3") task=$4
shift 4
here=$out/$flavour
root=$(mktemp -d "$here/root.XXXXXX")
trap 'rm -rf "$root"' EXIT
memory=${GUEST_MEMORY:-1024}

# A program of this machine and the libraries that it names.
take_program()
{
	local path library
	path=$(PATH=$PATH:/sbin:/usr/sbin command -v "$1") || skip "$2"
	cp -L "$path" "$root/sbin/"
	while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -nL "$library" "$root$library"
	done < <(ldd "$path" | grep -oE '/[^ ]+' || true)
}

# Modules of the guest's own kernel, with what they need, in the order to load them.
take_modules()
{
	local name path parameters depends
	case $flavour in
	stock) depends=(modprobe -S "$(stock_version)" --show-depends) ;;
	uml) depends=(modprobe -d "$out/uml-root" -S "$(linux.uml --version)" --show-depends) ;;
	debug) return ;;
	esac
	for name in "$@"; do
		while read -r path; do
			[[ -e $root/lib/$(basename "$path") ]] && continue
			cp "$path" "$root/lib/"
			parameters=
			[[ $(basename "$path") != "${name%%,*}.ko" || $name != *,* ]] || parameters=${name#*,}
			echo "$(basename "$path") ${parameters//,/ }" >>"$root/lib/order"
		done < <("${depends[@]}" "${name%%,*}" 2>/dev/null | awk '$1 == "insmod" {print $2}')
	done
}

# modprobe wants /lib/modules below a root.
uml_root()
{
	mkdir -p "$out/uml-root/lib"
	ln -sfn /usr/lib/uml/modules "$out/uml-root/lib/modules"
}

make_initrd()
{
	local extra=() program
	need_guest_tools
	mkdir -p "$root"/{bin,sbin,lib,dev}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$top/kernel/guest/init.sh" "$root/init"
	cp "$top/kernel/guest/$task.sh" "$root/task"
	chmod +x "$root/init"
	[[ $flavour != stock ]] || extra=(9pnet_virtio virtio_pci 9p)
	[[ $flavour != uml ]] || uml_root
	# shellcheck disable=SC2086 # lists of names
	take_modules ${extra[@]+"${extra[@]}"} ${GUEST_MODULES:-}
	for program in ${GUEST_PROGRAMS:-}; do
		take_program "${program%%:*}" "${program##*:}"
	done
	find "$here/kernel" -name '*.ko' -exec cp {} "$root/lib/" \;
	strip --strip-debug "$root"/lib/*.ko
	(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$root.gz"
	mv "$root.gz" "$root/initrd.gz"
}

# The compressed image takes longer to unpack than to boot under emulation.
stock_image()
{
	local version image script
	version=$(stock_version)
	image=$out/vmlinux-$version
	script=$(find /usr/src/linux-headers-*/scripts /usr/src/linux-kbuild-*/scripts /usr/lib/linux-kbuild-*/scripts \
		-name extract-vmlinux 2>/dev/null | tail -n 1)
	if [[ ! -s $image ]]; then
		if [[ -n $script ]] && bash "$script" "/boot/vmlinuz-$version" >"$image.new" 2>/dev/null; then
			mv "$image.new" "$image"
		else
			image=/boot/vmlinuz-$version
		fi
	fi
	echo "$image"
}

boot_qemu()
{
	local options=(-accel tcg) words=$*
	command -v qemu-system-x86_64 >/dev/null || skip qemu-system-x86
	((${GUEST_CPUS:-1} == 1)) || options=(-accel tcg,thread=multi -smp "$GUEST_CPUS")
	((!${GUEST_ICOUNT:-0})) || options=(-accel tcg -icount shift=0,sleep=off)
	timeout -k 5 "$seconds" qemu-system-x86_64 -nodefaults -display none -no-reboot -serial stdio -m "$memory" \
		"${options[@]}" -cpu max -kernel "$(stock_image)" -initrd "$root/initrd.gz" \
		-virtfs "local,path=$share,mount_tag=share,security_model=none" \
		-append "console=ttyS0 quiet loglevel=7 panic=-1 nokaslr mitigations=off ${GUEST_BOOT:-} task=${words// /%}" </dev/null
}

boot_uml()
{
	local linux=$1 words
	shift
	words=$*
	cc -O2 -Wall -shared -fPIC -o "$root/uml_ptrace.so" "$top/kernel/guest/uml_ptrace.c"
	# It keeps its sockets in the home folder: one of its own, gone with the rest.
	HOME=$root LD_PRELOAD=$root/uml_ptrace.so timeout -k 5 "$seconds" "$linux" "mem=${memory}M" "initrd=$root/initrd.gz" con=null con0=null,fd:1 \
		rdinit=/init loglevel=7 panic=-1 kunit.enable=1 ${GUEST_DISK:+"ubd1=$GUEST_DISK"} "share=hostfs:$share" "task=${words// /%}" </dev/null
}

boot()
{
	case $flavour in
	stock) boot_qemu "$@" ;;
	uml) boot_uml linux.uml "$@" ;;
	debug) boot_uml "$out/debug-tree/linux" "$@" ;;
	esac
}

make_initrd
log=$here/$task.log
boot "$@" 2>&1 | stdbuf -oL tr -d '\r' | tee "$log" || say "$flavour: the guest ended with status ${PIPESTATUS[0]} (124: after $seconds s)"

complaints='BUG:|Oops|WARNING:|KASAN|general protection|unable to handle|Kernel panic|rcu.*(stall|detected)|blocked for more than|soft lockup|unreferenced object'
if sed -n '/guest: begin/,$p' "$log" | grep -nE -A 24 "$complaints" >&2; then
	say "$flavour: the kernel complained: $log"
	exit 1
fi
status=$(sed -n 's/^guest: status //p' "$log" | tail -n 1)
[[ -n $status ]] || { say "$flavour: the guest did not finish: $log"; exit 1; }
exit "$status"
