#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Every file that can carry a licence line does, near its top.

. "$(dirname "$0")/lint.sh"

while read -r file; do
	case $file in
	LICENSES/* | *.json | *.png | *.svg | *.csv | *.zst | tests/*/corpus/* | tests/*/golden/*) continue ;;
	esac
	head -n 5 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only' ||
		finding "$file:1: no SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only"
done < <(files '*')
verdict
