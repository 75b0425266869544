#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bench.sh OUT [--quick]: the contest inside the kernel (loops.c). Instructions in the stock kernel, whose clock counts them
# under emulation; nanoseconds in user-mode Linux. Writes OUT/kernel.json, and prints what became of the bars.
# --quick leaves the maps of 4 million runs out.

. "$(dirname "$0")/../guest/lib.sh"
set -euo pipefail

results=$(readlink -m "${1:?bench.sh wants a folder for the figures}")
sizes=(10000 1000000 4000000)
[[ ${2:-} != --quick ]] || sizes=(10000 1000000)
maps=(aged holes pages dense)
mkdir -p "$results" "$out"
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# measure FLAVOUR LOOKUPS UPDATES ROUNDS: one boot for each size, all maps in it.
measure()
{
	local flavour=$1 size words map
	"$top/kernel/guest/build.sh" "$flavour" >&2
	for size in "${sizes[@]}"; do
		words=()
		for map in "${maps[@]}"; do words+=("$map:$size:$2:$3:$4"); done
		say "$flavour: $size runs"
		GUEST_MEMORY=$((size > 1000000 ? 3500 : 1500)) "$top/kernel/guest/boot.sh" "$flavour" 1800 "$work" bench "${words[@]}" >"$work/log" ||
			{ tail -n 20 "$work/log" >&2; die "$flavour: $size runs: no figures"; }
		sed -n 's/.*bench: \({.*}\)\r*$/\1/p' "$work/log"
	done
}

GUEST_ICOUNT=1 measure stock 50000 20000 1 >"$work/instructions"
measure uml 500000 20000 9 >"$work/ns"
python3 "$top/kernel/bench/table.py" "$work/instructions" "$work/ns" "$results/kernel.json"
