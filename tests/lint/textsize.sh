#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# lindex stays small: code and constants below 96 KiB, as built for release.

. "$(dirname "$0")/lint.sh"

limit=98304
text=$(size -t "$build/lib/liblindex.a" | awk 'END {print $1}')
echo "text $text of $limit bytes"
((text < limit)) || finding "$build/lib/liblindex.a: $text bytes of text, limit $limit"
verdict
