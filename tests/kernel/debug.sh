#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The suites and dm-lindex in a kernel that looks for mistakes: KASAN, lockdep, PROVE_RCU, kmemleak; run
# by KUnit. Not part of ctest: the kernel takes minutes to build. "./dev kmod-debug".

. "$(dirname "$0")/lib.sh"
need_uml
"$guest/build.sh" debug

slow=-exhaustive,-cap.,-appends_far,-infallible,-pager,-one_bit,-sloped_strides,-of_reserve,-opens_as,-exact_after_build
slow+=,-reserve_is_kept,-reserve_is_enough,-equals_lookup,-exact_at_random,-exact_in_every
mkdir "$work/share"
"$build/bin/kernel_images" make "$work/share"
GUEST_MEMORY=2048 boot_guest debug 1500 "$work/share" suite filter=$slow images=/share
"$build/bin/kernel_images" check "$work/share"
echo "ok - images of the kernel open in user space, the same bytes"

"$build/bin/kernel_maps" 65536 1 1 >"$work/small.text"
"$build/bin/lindex-dm" build "$work/small.text" "$work/share/small.map" | sed 's/^/# /'
"$build/bin/kernel_hostile" "$work/share"
GUEST_MEMORY=1024 GUEST_PROGRAMS=dmsetup:dmsetup boot_guest debug 600 "$work/share" dm_small
