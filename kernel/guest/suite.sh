# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# suite [PARAMETER=VALUE...]: the suites of lindex_test.ko; fails if one says "not ok".

insmod /lib/lindex.ko || exit 1
insmod /lib/lindex_test.ko "$@" || exit 1
rmmod lindex_test && rmmod lindex || exit 1
# The kernel's log is a ring, and the first lines may be gone: the last one says it all.
dmesg | grep -q 'pass:[1-9][0-9]* fail:0 '
