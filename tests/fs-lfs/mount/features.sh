#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Every call of features.c, as each kind of mount answers it. usage: features.sh BINARIES
. ./mount.sh

for options in writeback nowriteback; do
	make 256M
	up "$options"
	mkdir "$dir/f"
	"$bin/mount_features" "$dir/f" || fail "features with \"$options\""
	[[ -z $(ls -A "$dir/f") ]] || fail "left behind: $(ls -A "$dir/f")"
	down
done
