#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The filesystems of the contest: ratios, means and verdicts of made-up rows; command lines; and, where something can be
# mounted, all cases in tiny, after which nothing is left behind. usage: bench_fs.sh BUILD

. "$(dirname "$0")/tool.sh"
build=${1:?usage: bench_fs.sh BUILD}
bench=$here/../../bench
program=(python3 "$bench/fs")

command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
export PYTHONDONTWRITEBYTECODE=1

# ---- Figures -----------------------------------------------------------------------------------------
PYTHONPATH=$bench/fs python3 - <<'END' || fail "figures"
import figures

def row(fs, case, *values):
    return {"fs": fs, "case": case, "unit": "ops/s", "values": list(values)}

rows = [row("fs-lfs", "tar_x", 100, 300, None), row("passthrough", "tar_x", 50, 400, 10),
        row("passthrough-writeback", "tar_x", 200, 100, 10), row("fuse2fs", "tar_x", 10, 10, 10),
        row("fs-lfs", "rm_rf", 100, 100, 100), row("passthrough", "rm_rf", 25, 25, 25), row("fuse2fs", "rm_rf", 200, 50, 50),
        row("fs-lfs", "wear_uniform", 2.5, None, None)]
r = figures.Rows(rows)
ceiling, peer = r.compare("fs-lfs", figures.CEILING), r.compare("fs-lfs", figures.PEER)
# Round by round against the better of the two: 100 / 200 and 300 / 400; the failed round counts for nobody.
assert ceiling == {"tar_x": [0.625, 0.5, 0.75], "rm_rf": [4, 4, 4]}, ceiling
assert peer == {"tar_x": [20, 10, 30], "rm_rf": [2, 0.5, 2]}, peer
bars = {bar["what"]: bar for bar in figures.bars_of(r)}
mean = bars["geometric mean of the cases / best passthrough"]
assert abs(mean["figure"] - (0.625 * 4) ** 0.5) < 1e-9 and mean["verdict"] == "met", mean
worst = bars["worst case / best passthrough"]
assert (worst["figure"], worst["note"], worst["verdict"]) == (0.625, "tar_x", "MISSED"), worst
wear = next(bar for what, bar in bars.items() if "uniform" in what)
assert wear["figure"] == 2.5 and wear["at_most"] == 3 and wear["verdict"] == "met", wear
section = figures.section_of(rows, False, 3, {"cores": 2, "load": 0.1})
table = section["tables"][0]
assert [line[:2] for line in table["rows"]] == [["tar_x", "missed: passthrough"], ["rm_rf", "met"], ["geometric mean", ""]]
END

# ---- Command lines -------------------------------------------------------------------------------------
refuses()
{
	local expected=$1 text=$2
	shift 2
	try "$expected" "$@"
	grep -qF -- "$text" err || fail "$*: expected \"$text\", found: $(head -c 300 err)"
}
refuses 2 'unrecognized arguments: --frob' "$build" figures --frob
refuses 2 '--rounds: expected at least 1, found 0' "$build" figures --rounds 0
refuses 2 'not allowed with argument' "$build" figures --quick --smoke

# ---- All of it, in tiny ----------------------------------------------------------------------------------
if [[ ! -x $build/bin/mount.lfs ]] || ! command -v fio sqlite3 fuse2fs >/dev/null || [[ ! -r /dev/fuse ]]; then
	echo "skipped: to mount something (/dev/fuse, fio, sqlite3, fuse2fs)"
else
	before=$(grep -c 'bench-fs' /proc/mounts || true)
	refuses 1 'there is no fs-lfs to measure' "$tmp" figures --smoke
	refuses 2 'no filesystem ext5' "$build" figures --smoke --only ext5
	try 0 "$build" figures --smoke
	[[ $(grep -c 'bench-fs' /proc/mounts || true) == "$before" ]] || fail "mounts are left"
	python3 "$bench/report" figures >said || fail "the report: $(head -c 300 said)"
	python3 - figures/fs.json <<'END' || fail "fs.json"
import json, sys
doc = json.load(open(sys.argv[1], encoding="utf-8"))
rows = {(row["fs"], row["case"]): row["values"] for row in doc["rows"]}
for name in ("fs-lfs", "fs-lfs-nowriteback", "passthrough", "passthrough-writeback", "fuse2fs"):
    found = [case for fs, case in rows if fs == name and not case.startswith(("fsync_", "wear_", "map_", "overwrite_"))]
    assert len(found) == 21, (name, found)
assert all(v is not None and v > 0 for values in rows.values() for v in values), rows
assert rows["fs-lfs", "wear_uniform"][0] >= 1 and rows["fs-lfs", "fsync_blocks"][0] <= 5
assert doc["commit"] and doc["machine"]["cores"] and doc["bars"] and doc["section"]["plots"]
END
fi

verdict
