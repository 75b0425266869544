#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# lindex without libc and without floating point: compiled for a kernel-like target by each
# compiler and linked into one object, it may ask for the symbols that port.h lists and no others.
# (The list matters beside -mgeneral-regs-only: clang turns a double into calls of soft-float helpers.)
# On 32-bit x86, with RCU and without, nothing may call libatomic.

. "$(dirname "$0")/lint.sh"

wanted=$(sed -n '/PORT-SYMBOLS-BEGIN/,/PORT-SYMBOLS-END/p' lindex/port.h | grep -oE '[A-Za-z_][A-Za-z0-9_]*$' |
	grep -v '^END$\|^BEGIN$' | sort -u)
[[ -n $wanted ]] || { echo "lindex/port.h: no list between PORT-SYMBOLS-BEGIN and PORT-SYMBOLS-END"; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

sources=$(files 'lindex/*.c' | grep -E '^lindex/[^/]*$' | grep -v '^lindex/simd_')
for cc in gcc clang; do
	rm -f "$tmp"/*.o
	for source in $sources; do
		$cc -std=gnu11 -O2 -ffreestanding -fno-pie -mgeneral-regs-only -DLINDEX_FREESTANDING -Wall -Wextra \
			-c "$source" -o "$tmp/$(basename "$source" .c).o" || finding "$source: $cc refuses it"
	done
	((findings == 0)) || continue
	ld -r -o "$tmp/lindex.elf" "$tmp"/*.o
	while read -r symbol; do
		[[ -z $symbol ]] || finding "$cc: undefined symbol $symbol (not in port.h's list), in: $(
			nm -A -u "$tmp"/*.o | grep -w "$symbol" | sed 's,.*/,,; s,:.*,,' | tr '\n' ' ')"
	done < <(comm -13 <(echo "$wanted") <(nm -u "$tmp/lindex.elf" | awk '{print $2}' | sort -u))
	# Where there are 32-bit headers: gcc-multilib.
	echo '#include <errno.h>' | $cc -m32 -E - >/dev/null 2>&1 || continue
	for rcu in '' -DLINDEX_RCU; do
		rm -f "$tmp"/*.o
		for source in $sources; do
			$cc -std=gnu11 -O2 -m32 -ffreestanding -DLINDEX_FREESTANDING $rcu -Wall -Wextra -Werror \
				-c "$source" -o "$tmp/$(basename "$source" .c).o" || finding "$source: $cc -m32 $rcu refuses it"
		done
		! nm -A -u "$tmp"/*.o | grep -w '__atomic_[a-z_0-9]*' || finding "$cc -m32 $rcu: calls libatomic"
	done
done
verdict
