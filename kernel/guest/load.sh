# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# load SECTORS EXTENTS: ten million extents in one map: how long it takes to load, and how much memory. The map is the
# guest's block device ubdb.

export DM_DISABLE_UDEV=1
sectors=$1 extents=$2

used() { awk '/^MemFree|^Buffers|^Cached/ {kb += $2} END {print -kb}' /proc/meminfo; }

insmod /lib/lindex.ko && insmod /lib/dm-lindex.ko || exit 1
before=$(used)
dmsetup create m --noudevsync --table "0 $sectors lindex /dev/ram0 /dev/ubdb 0" && dmsetup mknodes --noudevsync m || exit 1
after=$(used)
stats=$(dmsetup message m 0 stats)
runs=$(echo "$stats" | sed 's/.*runs \([0-9]*\) .*/\1/')
us=$(echo "$stats" | sed 's/.*load_us \([0-9]*\) .*/\1/')
echo "$stats"
echo "load: $runs runs in $((us / 1000)) ms; kernel memory $((after - before)) KiB for $extents extents"
dd if=/dev/mapper/m of=/dev/null bs=64k count=64 2>/dev/null || exit 1
dmsetup remove --noudevsync m
[ "$us" -lt 5000000 ] && echo "load: in less than 5 s" || echo "load: not in less than 5 s, on this machine at this moment"
[ $(((after - before) * 1024)) -lt $((8 * extents)) ] || { echo "not ok - at most 8 bytes an extent"; exit 1; }
