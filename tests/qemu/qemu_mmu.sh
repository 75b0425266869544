#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A real kernel in a machine whose MMU is somebody else's: boots three Linux guests under QEMU (software emulation),
# takes their memory and what QEMU's MMU says of it, and lets vmmap check that both agree, and all backends with them.
#
#   l4      4 levels
#   l4thp   4 levels, the program has huge pages
#   l5      5 levels
#
# usage: qemu_mmu.sh VMMAP [--save DIR] [GUEST...]
#   --save: also write the guests' page tables and texts, packed, as tests/vmmap/guests has them.
#
# KERNEL names the kernel; default: the newest /boot/vmlinuz-*.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
boot_seconds=${BOOT_SECONDS:-240}
vmmap=$(realpath "${1:?usage: qemu_mmu.sh VMMAP [--save DIR] [GUEST...]}")
shift
save=
if [[ ${1:-} == --save ]]; then
	save=$(realpath "${2:?--save wants a folder}")
	shift 2
fi
guests=("$@")
((${#guests[@]})) || guests=(l4 l4thp l5)

say() { printf 'qemu-mmu: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

for tool in qemu-system-x86_64 gcc cpio python3 zstd; do
	command -v "$tool" >/dev/null || die "expected $tool, found none: apt-get install qemu-system-x86 gcc cpio python3 zstd"
done
kernel=${KERNEL:-$(ls -v /boot/vmlinuz-* 2>/dev/null | tail -n 1)}
[[ -r $kernel ]] || die "expected a kernel, found none: apt-get install linux-image-amd64, or set KERNEL"

tmp=$(mktemp -d)
qemu=
stop_guest()
{
	[[ -z $qemu ]] || { kill "$qemu" 2>/dev/null || true; wait "$qemu" 2>/dev/null || true; }
	qemu=
}
trap 'stop_guest; rm -rf "$tmp"' EXIT

# An initrd with one program.
mkdir "$tmp/root"
gcc -O1 -static -o "$tmp/root/init" "$here/spin.c"
(cd "$tmp/root" && echo init | cpio -o -H newc --quiet) | gzip >"$tmp/initrd"

# wait_for FILE TEXT: until it is there, QEMU has ended, or it takes too long.
wait_for()
{
	local end=$((SECONDS + boot_seconds))
	until grep -q "$2" "$1" 2>/dev/null; do
		kill -0 "$qemu" 2>/dev/null || die "QEMU ended early: $(tail -n 3 "$1" 2>/dev/null)"
		((SECONDS < end)) || die "expected the guest to be ready within $boot_seconds s, found: $(tail -n 3 "$1")"
		sleep 0.2
	done
}

run_guest()
{
	local name=$1 cpu=$2 arguments=$3 dir=$tmp/$1 began=$SECONDS
	mkdir "$dir"
	timeout -k 5 $((boot_seconds + 120)) qemu-system-x86_64 -accel tcg -m 256 -cpu "$cpu" \
		-kernel "$kernel" -initrd "$tmp/initrd" \
		-append "console=ttyS0 nokaslr quiet panic=-1 -- $arguments" \
		-nodefaults -display none -no-reboot \
		-serial "file:$dir/serial" -qmp "unix:$dir/qmp,server=on,wait=off" &
	qemu=$!
	wait_for "$dir/serial" MMU-READY
	timeout 120 python3 "$here/qmp.py" "$dir/qmp" "$dir"
	wait "$qemu" || true
	qemu=
	say "$name: booted and dumped in $((SECONDS - began)) s, $(wc -l <"$dir/tlb.txt") entries"
	"$vmmap" check --qemu "$dir/tlb.txt" --cr3 "0x$(cat "$dir/cr3")" --mem "$dir/mem.bin" \
		${save:+--save-tables "$dir/tables"}
	if [[ -n $save ]]; then
		zstd -q -f -19 --ultra "$dir/tables" -o "$save/$name.tables.zst"
		zstd -q -f -19 --ultra "$dir/tlb.txt" -o "$save/$name.tlb.txt.zst"
	fi
	rm "$dir/mem.bin"
}

for guest in "${guests[@]}"; do
	case $guest in
	l4) run_guest l4 max,la57=off plain ;;
	l4thp) run_guest l4thp max,la57=off huge ;;
	l5) run_guest l5 max plain ;;
	*) die "expected a guest (l4, l4thp, l5), found \"$guest\"" ;;
	esac
done
