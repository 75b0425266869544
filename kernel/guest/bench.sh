# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bench MAP:RUNS[:LOOKUPS:UPDATES:ROUNDS]...: the contest over each map (kernel/bench). One line of JSON for each structure.

insmod /lib/lindex.ko || exit 1
for word in "$@"; do
	set -- $(echo "$word" | tr : ' ')
	insmod /lib/lindex_bench.ko map="$1" runs="$2" lookups="${3:-200000}" updates="${4:-20000}" rounds="${5:-5}" || exit 1
	rmmod lindex_bench
done
