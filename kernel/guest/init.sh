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
sh /task $(echo "$task" | tr % ' ')
echo "guest: status $?"
sync
# QEMU is told not to reboot; user-mode Linux would.
grep -q share=hostfs /proc/cmdline && poweroff -f
reboot -f
