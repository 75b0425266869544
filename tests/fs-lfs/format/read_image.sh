#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# read_image.sh MAKE_IMAGE: what the engine wrote and what a reader written from FORMAT.md sees are the same.
set -eu
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$work/image" >"$work/made"
python3 "$here/read_image.py" "$work/image" >"$work/read"
diff "$work/made" "$work/read" >"$work/diff" || { head -20 "$work/diff"; exit 1; }
echo "$(wc -l <"$work/read") names, the same"
