#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The first process of a guest: mounts what every task needs, runs /task with the words of the kernel's
# command line behind "--", says how it ended, and switches off. /share is a folder of the host.

/bin/busybox mkdir -p /proc /sys /dev /tmp /share /run /etc
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t tmpfs none /tmp
[ -e /etc/mtab ] || ln -s /proc/mounts /etc/mtab
export PATH=/bin:/sbin TMPDIR=/tmp

load()
{
	[ -e /lib/order ] || return
	while read -r module; do
		insmod /lib/$module || echo "init: $module does not load"
	done </lib/order
}

if grep -q 'share=hostfs:' /proc/cmdline; then
	share=$(sed 's/.*share=hostfs:\([^ ]*\).*/\1/' /proc/cmdline)
	load
	mount -t hostfs none /share -o "$share"
else
	load
	mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 share /share
fi
task=$(sed 's/.* task=\([^ ]*\).*/\1/' /proc/cmdline)
# What the kernel says before this line is its own affair (user-mode Linux 6.1: two complaints of PROVE_RCU at its first fork).
echo "guest: begin"
sh /task $(echo "$task" | tr % ' ')
status=$?
leaks=/sys/kernel/debug/kmemleak
if [ -e $leaks ]; then # what is younger than 5 s is not looked at, and an object has to be seen twice
	sleep 6
	echo scan >$leaks
	echo scan >$leaks
	cat $leaks
	echo "guest: looked for leaks"
fi
echo "guest: status $status"
sync
# QEMU is told not to reboot; user-mode Linux would.
grep -q share=hostfs /proc/cmdline && poweroff -f
reboot -f
