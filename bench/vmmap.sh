#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# vmmap.sh BUILD OUT [--quick]: page tables, as a section of the report. Three files of figures in OUT, each the CSV
# that the vmmap command prints, and OUT/vmmap.json made of them:
#
#   vmmap-stat.csv    bytes of every backend on every address space of bench/data
#   vmmap-sweep.csv   simulated: workloads x footprints x layouts
#   vmmap-bench.csv   native time, scattered frames and runs of 25
#
# In full some 40 minutes and 4 GB; --quick: one minute.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
vmmap=$(readlink -f "${1:?vmmap.sh wants the build folder}")/bin/vmmap out=${2:?vmmap.sh wants a folder for the figures}
sweep=(--accesses 2M --warmup 1M) pages=16M queries=2M
if [[ ${3:-} == --quick ]]; then
	sweep=(--workloads gups,bfs --footprints 512M --accesses 200K --warmup 200K)
	pages=256K queries=256K
fi

mkdir -p "$out"
rm -f "$out"/vmmap-{stat,sweep,bench}.csv
"$vmmap" stat --csv bench/data/*.runs.zst >"$out/vmmap-stat.csv"
"$vmmap" sweep --csv "${sweep[@]}" >"$out/vmmap-sweep.csv"
"$vmmap" bench --csv --pages "$pages" --queries "$queries" >"$out/vmmap-bench.csv"
"$vmmap" bench --csv --pages "$pages" --queries "$queries" --run 25 | tail -n +2 >>"$out/vmmap-bench.csv"
python3 bench/vmmap_section.py "$out" "${@:3}" >"$out/vmmap.json.new"
mv "$out/vmmap.json.new" "$out/vmmap.json"
