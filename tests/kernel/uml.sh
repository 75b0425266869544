#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# User-mode Linux, native speed: nearly all suites, images exchanged with user space; then ten million extents.

. "$(dirname "$0")/lib.sh"
need_uml
"$guest/build.sh" uml

# Left to the long form (LINDEX_LONG=1): what takes more than some seconds, or gigabytes.
slow=-exhaustive,-cap.,-appends_far,-infallible,-pager,-one_bit,-sloped_strides,-of_reserve,-opens_as,-exact_after_build,-reserve_is_kept
[[ -z ${LINDEX_LONG:-} ]] || slow=-noise
mkdir "$work/share"
"$build/bin/kernel_images" make "$work/share"
boot_guest uml 280 "$work/share" suite filter=$slow images=/share
"$build/bin/kernel_images" check "$work/share"
echo "ok - images of the kernel open in user space, the same bytes"

sectors=10000000
"$build/bin/kernel_maps" $sectors 3 1 >"$work/ten.text"
"$build/bin/lindex-dm" build "$work/ten.text" "$work/ten.map" | sed 's/^/# /'
length=$(awk 'END {print $1 + $2}' "$work/ten.text")
GUEST_DISK=$work/ten.map GUEST_MODULES="dm-mod brd,rd_nr=1,rd_size=$((length / 2 + 1))" GUEST_PROGRAMS=dmsetup:dmsetup \
	boot_guest uml 120 "$work/share" load $length $sectors
