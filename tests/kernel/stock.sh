#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The stock kernel under emulation, on two CPUs: what needs more than one, and a part of the rest: everything is some
# thirty times slower here.

. "$(dirname "$0")/lib.sh"
need_stock
command -v qemu-system-x86_64 >/dev/null || skip qemu-system-x86
"$guest/build.sh" stock

tests=kernel.,concurrent.,exchange.,property.history,property.indexes,errors.,cursor.,snapshot.outlives,alloc_failure.of_build,alloc_failure.flags
tests+=,-snapshots_stand,-alloc_failure.of_build_leaves
[[ -z ${LINDEX_LONG:-} ]] || tests=-exhaustive,-cap.,-infallible,-pager,-of_reserve
mkdir "$work/share"
"$build/bin/kernel_images" make "$work/share"
# Red zones and poison around what kmalloc() gives: as near to KASAN as Debian's kernel comes.
GUEST_BOOT="slub_debug=FZP,kmalloc-*" GUEST_CPUS=2 boot_guest stock 280 "$work/share" suite filter=$tests images=/share
"$build/bin/kernel_images" check "$work/share"
echo "ok - images of the kernel open in user space, the same bytes"
