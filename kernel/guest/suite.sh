# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# suite [PARAMETER=VALUE...]: the suites of lindex_test.ko; fails if one says "not ok".

insmod /lib/lindex.ko || exit 1
insmod /lib/lindex_test.ko "$@" || exit 1
rmmod lindex_test && rmmod lindex || exit 1
dmesg | grep -q 'not ok ' && exit 1
dmesg | grep -q 'ok 1 ' || exit 1
exit 0
