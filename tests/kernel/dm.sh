#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# dm-lindex in the stock kernel: kernel/guest/dm.sh says what is done there. Here the maps are made.

. "$(dirname "$0")/lib.sh"
need_stock
command -v qemu-system-x86_64 >/dev/null || skip qemu-system-x86
"$guest/build.sh" stock

share=$work/share
mkdir "$share"
for map in million other; do
	"$build/bin/kernel_maps" 1000000 1 ${#map} >"$share/$map.text"
	"$build/bin/lindex-dm" build "$share/$map.text" "$share/$map.map" | sed 's/^/# /'
done
echo '0 8 1999999' >"$work/past.text"
"$build/bin/lindex-dm" build "$work/past.text" "$share/past.map" >/dev/null
cp "$share/million.map" "$share/damaged.map"
printf '\xa5\x5a' | dd of="$share/damaged.map" bs=1 seek=1500123 conv=notrunc 2>/dev/null
"$build/bin/kernel_hostile" "$share"
disk=scsi_debug,dev_size_mb=64,sector_size=4096,lbpu=1,lbpws=1,lbprz=1
PATH=$build/bin:$PATH GUEST_MODULES="dm-mod brd,rd_nr=4,rd_size=524288 ext4 crc32c_generic sd_mod $disk" \
	GUEST_PROGRAMS="lindex-dm:lindex-dm dmsetup:dmsetup mke2fs:e2fsprogs e2fsck:e2fsprogs blkdiscard:util-linux" \
	boot_guest stock 280 "$share" dm
