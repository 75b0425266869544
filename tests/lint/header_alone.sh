#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Each header compiles alone; the public ones also as strict C11 and as C++, without a warning.
# (Not x_body.h: such a file is code that others include with macros set.)

. "$(dirname "$0")/lint.sh"

flags='-Wall -Wextra -Wshadow -Werror -fsyntax-only -Ilindex -Ivmmap -Ifs-lfs'
for cc in gcc clang; do
	for header in lindex/lindex.h vmmap/vmmap.h; do
		[[ -f $header ]] || continue
		$cc -std=c11 -pedantic-errors -Wconversion $flags -x c - <<<"#include \"$header\"" ||
			finding "$header: not C11 ($cc)"
		for std in c++11 c++20; do
			$cc -std=$std -pedantic-errors $flags -x c++ - <<<"#include \"$header\"" ||
				finding "$header: not $std ($cc)"
		done
	done
	while read -r header; do
		$cc -std=gnu11 $flags -x c - <<<"#include \"$header\"" || finding "$header: does not compile alone ($cc)"
	done < <(files 'lindex/*.h' 'vmmap/*.h' 'fs-lfs/*.h' | grep -E '^[a-z-]+/[^/]*$' | grep -v '_body\.h$')
done
verdict
