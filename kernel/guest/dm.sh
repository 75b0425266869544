# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# dm: the device-mapper target at work. /share (tests/kernel/dm.sh makes it) has
#
#   million.text million.map   10^6 extents of a sector, shuffled;  other.map  the same sectors, shuffled otherwise
#   past.map                   one extent past the data device;     damaged.map  a byte changed in million.map
#   *.hostile                  maps with checksums that are right, and each with one thing that may not be
#
# Each step says "ok - WHAT" or "not ok - WHAT".

export DM_DISABLE_UDEV=1
sectors=1000000
data=/dev/ram0 meta=/dev/ram1 disk=/dev/ram2 spare=/dev/ram3
failed=0

ok() { echo "ok - $*"; }
bad() { echo "not ok - $*"; failed=1; }
# check WHAT COMMAND...: it succeeds.
check() { what=$1; shift; if "$@"; then ok "$what"; else bad "$what"; fi; }
refuse() { what=$1; shift; if "$@" 2>/dev/null; then bad "$what"; else ok "$what"; fi; }

create() { dmsetup create "$1" --noudevsync --table "$2" && dmsetup mknodes --noudevsync "$1"; }
remove() { dmsetup remove --noudevsync "$1"; }
put() { dd if="/share/$1" of="$meta" bs=64k seek="${2:-0}" conv=notrunc 2>/dev/null; }
message() { m=$1; shift; dmsetup message "$m" 0 "$@"; }
caches() { sync; echo 3 >/proc/sys/vm/drop_caches; }
sum() { sha256sum <"$1" | cut -d' ' -f1; }

# compare DEVICE SKIP COUNT FILE SKIP: blocks of 4 KiB are the same in both.
compare()
{
	dd if="$1" bs=4k skip="$2" count="$3" iflag=direct 2>/dev/null >/tmp/a
	dd if="$4" bs=4k skip="$5" count="$3" 2>/dev/null >/tmp/b
	cmp -s /tmp/a /tmp/b
}

# refused WHAT TABLE: the table is refused, with one line of ours in the log.
refused()
{
	before=$(dmesg | grep -c 'device-mapper: lindex: ')
	if create no "$2" >/dev/null 2>&1; then
		bad "$1 is refused"
		remove no
		return
	fi
	after=$(dmesg | grep -c 'device-mapper: lindex: ')
	check "$1 is refused with one line in the log" [ $((after - before)) = 1 ]
	dmesg | grep 'device-mapper: lindex: ' | tail -n 1
}

insmod /lib/lindex.ko && insmod /lib/dm-lindex.ko || exit 1

echo "# a map of $sectors extents"
put million.map
check "a map of a million extents loads" create m "0 $sectors lindex $data $meta 0"
dmsetup table m
dmsetup status m
refuse "the module does not unload under a device" rmmod dm_lindex
check "status tells the runs" sh -c 'dmsetup status m | grep -q " lindex runs [0-9]* image_bytes [0-9]* "'

echo "# where sectors go"
wrong=0
for line in 1 2 500 77777 500000 999999 1000000; do
	set -- $(sed -n "${line}p" /share/million.text)
	echo "sector $1" | dd of=/dev/mapper/m bs=512 seek="$1" conv=sync,notrunc oflag=direct 2>/dev/null
	[ "$(dd if=$data bs=512 skip="$3" count=1 iflag=direct 2>/dev/null | head -n 1 | tr -d '\0')" = "sector $1" ] || wrong=1
done
check "a sector written through the map lies where the map says" [ $wrong = 0 ]

echo "# ext4 on it"
check "mkfs" /sbin/mke2fs -q -t ext4 -F /dev/mapper/m
mkdir -p /mnt
check "mount" mount -t ext4 /dev/mapper/m /mnt
dd if=/dev/urandom of=/tmp/random bs=64k count=96 2>/dev/null
want=$(sum /tmp/random)
mkdir /mnt/d && for i in 1 2; do cp /tmp/random /mnt/d/$i; done
cp -r /bin /mnt/d/ && caches
check "what was copied reads back" [ "$(sum /mnt/d/1)" = "$want" ]
umount /mnt && mount -t ext4 /dev/mapper/m /mnt
check "and after a remount" [ "$(sum /mnt/d/2)" = "$want" ]
check "and programs, too" [ "$(sum /mnt/d/bin/busybox)" = "$(sum /bin/busybox)" ]
message m stats

echo "# reload beside I/O"
put million.map 2048
(
	i=0
	while [ $i -lt 4 ]; do
		caches
		[ "$(sum /mnt/d/1)" = "$want" ] || echo "reader: other bytes"
		cp /tmp/random "/mnt/d/new$i" && sync
		i=$((i + 1))
	done
) >/tmp/reader 2>&1 &
reader=$!
n=0
while kill -0 $reader 2>/dev/null && [ $n -lt 40 ]; do
	message m reload $((n % 2 * 262144)) || bad "reload $n"
	n=$((n + 1))
done
wait $reader
cat /tmp/reader
check "$n reloads beside I/O, and every byte right" [ ! -s /tmp/reader ]
umount /mnt
check "the filesystem is sound" /sbin/e2fsck -fn /dev/mapper/m
message m stats

echo "# another map"
put other.map 2048
set -- $(sed -n 4242p /share/other.text)
echo "elsewhere" | dd of=$data bs=512 seek="$3" conv=sync,notrunc oflag=direct 2>/dev/null
check "reload" message m reload 262144
caches
check "after a reload the new map is asked" \
	[ "$(dd if=/dev/mapper/m bs=512 skip="$1" count=1 iflag=direct 2>/dev/null | head -n 1 | tr -d '\0')" = elsewhere ]
put damaged.map
refuse "a damaged map is not reloaded" message m reload 0
check "and the old one stays" \
	[ "$(dd if=/dev/mapper/m bs=512 skip="$1" count=1 iflag=direct 2>/dev/null | head -n 1 | tr -d '\0')" = elsewhere ]
refuse "nonsense is no message" message m nonsense
echo "# reloads from two sides, tables and states beside them"
for i in 1 2 3; do message m reload 262144; done &
one=$!
for i in 1 2; do message m reload 0 2>/dev/null; message m reload 262144; dmsetup table m; dmsetup status m; done >/dev/null
wait $one
check "a reload while the device is suspended" sh -c 'dmsetup suspend --noudevsync m && dmsetup message m 0 reload 262144 &&
	dmsetup resume --noudevsync m'
check "and the map answers" dd if=/dev/mapper/m of=/dev/null bs=64k count=16 iflag=direct
remove m

echo "# what is refused"
refused "a damaged image" "0 $sectors lindex $data $meta 0"
dd if=/dev/zero of=$meta bs=64k count=4 2>/dev/null
refused "a device without a map" "0 $sectors lindex $data $meta 0"
refused "an offset past the device" "0 $sectors lindex $data $meta 99999999999"
put past.map
refused "a map that points past the data device" "0 $sectors lindex $data $meta 0"
put million.map
dd if=/dev/zero of=$meta bs=4096 seek=700 count=1 conv=notrunc 2>/dev/null
refused "an image with a page of zeroes" "0 $sectors lindex $data $meta 0"
for map in /share/*.hostile; do
	map=${map##*/}
	put "$map"
	refused "${map%.hostile}" "0 8 lindex $data $meta 0"
done
put million.map
refused "more runs than the limit" "0 $sectors lindex $data $meta 0 2 max_runs 1000"
refused "more bytes than the limit" "0 $sectors lindex $data $meta 0 2 max_bytes 65536"
refused "more lines than the limit" "0 $sectors lindex $data $meta 0 2 max_lines 1"
refuse "arguments that are none" create no "0 $sectors lindex $data"
refuse "a limit that is none" create no "0 $sectors lindex $data $meta 0 2 max_fun 7"
refuse "a data device that is none" create no "0 $sectors lindex /dev/none $meta 0"

echo "# past the end"
check "limits that hold" create m "0 $((sectors + 8)) lindex $data $meta 0 4 max_lines 64 max_runs 2000000"
dmsetup table m
check "the last sector reads" dd if=/dev/mapper/m of=/dev/null bs=512 skip=$((sectors - 1)) count=1 iflag=direct
refuse "the one behind it does not" dd if=/dev/mapper/m of=/dev/null bs=512 skip=$sectors count=1 iflag=direct
refuse "nor is it written" dd if=/dev/zero of=/dev/mapper/m bs=512 seek=$sectors count=1 oflag=direct
message m stats
remove m

echo "# discards and zeroes, on a disk with blocks of 4 KiB"
i=0
until [ -b /dev/sda ] || [ $i = 100 ]; do i=$((i + 1)); usleep 100000; done
awk 'BEGIN {for (i = 0; i < 4096; i++) print 8 * i, 8, 8 * (1 + i * 2503 % 8192)}' >/tmp/disk.text
lindex-dm build /tmp/disk.text $meta >/dev/null
check "a map with the disk's blocks" create s "0 32768 lindex /dev/sda $meta 0"
dd if=/tmp/random of=/dev/mapper/s bs=64k oflag=direct 2>/dev/null
check "what was written reads back" compare /dev/mapper/s 0 1536 /tmp/random 0
check "blocks are discarded" /sbin/blkdiscard -o 409600 -l 1024000 /dev/mapper/s
check "zeroes are written" /sbin/blkdiscard -z -o 4096000 -l 409600 /dev/mapper/s
check "these blocks are zeroes" compare /dev/mapper/s 100 250 /dev/zero 0
check "and these" compare /dev/mapper/s 1000 100 /dev/zero 0
check "those before are not" compare /dev/mapper/s 0 100 /tmp/random 0
check "nor those between" compare /dev/mapper/s 350 650 /tmp/random 350
check "nor those behind" compare /dev/mapper/s 1100 436 /tmp/random 1100
message s stats
remove s
echo '0 3 8' >/tmp/disk.text
lindex-dm build /tmp/disk.text $meta >/dev/null
refused "a unit smaller than the disk's blocks" "0 8 lindex /dev/sda $meta 0"

echo "# a file as a block device, from its FIEMAP"
create base "0 131072 linear $disk 0" # so that the filesystem's device can be shared by other maps
/sbin/mke2fs -q -t ext4 -F /dev/mapper/base && mount -t ext4 /dev/mapper/base /mnt
i=24
while [ $i -gt 0 ]; do # from its end to its beginning, and another file in between: pieces
	i=$((i - 1))
	dd if=/tmp/random of=/mnt/file bs=64k skip=$i seek=$i count=1 conv=notrunc,fsync 2>/dev/null
	dd if=/dev/urandom of=/mnt/other$i bs=16k count=1 conv=fsync 2>/dev/null
done
sync
check "lindex-dm build fiemap:FILE" lindex-dm build fiemap:/mnt/file $spare
length=$(lindex-dm show $spare --json | sed -n 's/.*"map_sectors": \([0-9]*\).*/\1/p')
check "the file's map loads" create file "0 $length lindex $disk $spare 0"
dmsetup status file
check "the device has the file's bytes" [ "$(sum /dev/mapper/file)" = "$(sum /mnt/file)" ]
dd if=/tmp/random of=/dev/mapper/file bs=4096 seek=10 skip=900 count=20 oflag=direct 2>/dev/null
caches
dd if=/mnt/file bs=4096 skip=10 count=20 2>/dev/null >/tmp/a
dd if=/tmp/random bs=4096 skip=900 count=20 2>/dev/null >/tmp/b
check "what is written to the device is in the file" cmp /tmp/a /tmp/b
remove file && umount /mnt && remove base

check "modules unload" sh -c 'rmmod dm_lindex && rmmod lindex'
echo "# dm: $( [ $failed = 0 ] && echo all well || echo failed )"
exit $failed
