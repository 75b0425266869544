# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# dm_small: the target in a kernel that looks for mistakes: /share/small.map (65,536 sectors, shuffled) and /share/*.hostile.
# Every path once: reads and writes that are cut, reloads beside them, everything that is refused.

export DM_DISABLE_UDEV=1
data=/dev/ram0 meta=/dev/ram1 failed=0

check() { what=$1; shift; if "$@"; then echo "ok - $what"; else echo "not ok - $what"; failed=1; fi; }
create() { dmsetup create m --noudevsync --table "$1" && dmsetup mknodes --noudevsync m; }
put() { dd if="$1" of=$meta bs=64k conv=notrunc 2>/dev/null; }
same() { dd if=/dev/mapper/m bs=1M count=16 iflag=direct 2>/dev/null | cmp -s - /tmp/random; }

insmod /lib/lindex.ko && insmod /lib/dm-lindex.ko || exit 1
dd if=/dev/urandom of=/tmp/random bs=1M count=16 2>/dev/null
put /share/small.map
check "a map loads" create "0 65536 lindex $data $meta 0"
check "bytes are written" dd if=/tmp/random of=/dev/mapper/m bs=1M oflag=direct
check "and read" same
(i=0; while [ $i -lt 6 ]; do same || echo wrong; i=$((i + 1)); done) >/tmp/reader &
reader=$!
n=0
while kill -0 $reader 2>/dev/null && [ $n -lt 100 ]; do
	dmsetup message m 0 reload && dmsetup status m >/dev/null && dmsetup table m >/dev/null && dmsetup message m 0 stats >/dev/null
	n=$((n + 1))
done
wait $reader
check "$n reloads beside readers" [ ! -s /tmp/reader ]
dmsetup suspend --noudevsync m
check "a reload while suspended" dmsetup message m 0 reload
dmsetup resume --noudevsync m
check "and read again" same
dmsetup message m 0 stats
for map in /share/*.hostile; do
	put "$map"
	check "$map is not reloaded" sh -c '! dmsetup message m 0 reload 2>/dev/null'
done
check "the old map stays" same
dmsetup remove --noudevsync m
for map in /share/*.hostile; do
	put "$map"
	check "$map is refused" sh -c "! dmsetup create no --noudevsync --table '0 8 lindex $data $meta 0' 2>/dev/null"
done
put /share/small.map
check "a limit is refused" sh -c "! dmsetup create no --noudevsync --table '0 8 lindex $data $meta 0 2 max_runs 1' 2>/dev/null"
check "arguments are refused" sh -c "! dmsetup create no --noudevsync --table '0 8 lindex $data $meta 0 1 max_runs' 2>/dev/null"
check "a device without a map is refused" sh -c "! dmsetup create no --noudevsync --table '0 8 lindex $data /dev/ram2 0' 2>/dev/null"
check "past the end there is nothing" sh -c "dmsetup create m --noudevsync --table '0 65600 lindex $data $meta 0' &&
	dmsetup mknodes --noudevsync m && ! dd if=/dev/mapper/m of=/dev/null bs=512 skip=65536 count=1 iflag=direct 2>/dev/null"
dmsetup remove --noudevsync m
check "modules unload" sh -c 'rmmod dm_lindex && rmmod lindex'
echo "# dm_small: $([ $failed = 0 ] && echo all well || echo failed)"
exit $failed
