#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The modules build for the stock kernel and for user-mode Linux without a warning at W=1; sparse and checkpatch find
# nothing beyond what kernel/README.md names; the core is small; nothing was left in the source tree.

. "$(dirname "$0")/lib.sh"

# In a subshell: what is missing for one flavour leaves the other.
( "$guest/build.sh" stock C=2 ) >"$work/stock" 2>&1 && stock=0 || stock=$?
( "$guest/build.sh" uml ) >"$work/uml" 2>&1 && uml=0 || uml=$?
cat "$work/stock" "$work/uml"
((stock != 77 || uml != 77)) || exit 77
((stock == 0 || stock == 77)) && ((uml == 0 || uml == 77)) || fail "modules do not build"
[[ ! -s $work/stock || $stock == 77 ]] || fail "a warning"

if ((stock == 0)); then
	text=$(size -A "$out/stock/kernel/lindex.ko" | awk '$1 ~ /^\.(init\.|exit\.)?text/ {n += $2} END {print n}')
	echo "text of lindex.ko: $text of 98304 bytes"
	((text < 98304)) || fail "the core is too large"
	checkpatch
fi
left=$(cd "$top" && find kernel lindex tests \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name '*.mod*' \) -print -quit)
[[ -z $left ]] || fail "left in the source tree: $left"
