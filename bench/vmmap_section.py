#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""vmmap_section.py FOLDER [--quick]: the CSV files that vmmap.sh left there, as a section of the report, on standard output.

Four plots: bytes per page by space, table reads per walk, MMU cycles against radix by footprint, native time; a table for
each file; and the bars, with what became of them."""

import csv
import json
import math
import os
import re
import sys

BACKENDS = ("lindex", "radix4", "radix5", "btree", "ecpt", "ideal")


def read(path):
    """Rows; none of a step that was stopped."""
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    return float(text) if text not in ("", None) else None


def gib(trace):
    """Footprint of "gen:gups,footprint=8G,seed=1" in GiB."""
    size, unit = re.search(r"footprint=(\d+)([KMGT]?)", trace).groups()
    return int(size) * {"": 2**-30, "K": 2**-20, "M": 2**-10, "G": 1, "T": 1024}[unit]


def workload(row):
    return re.match(r"gen:(\w+)", row["trace"]).group(1)


def mean(values):
    """Geometric."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def of(rows, backend):
    return [row for row in rows if row["backend"] == backend]


# ---- Plots ----------------------------------------------------------------------------------------


def footprint_plot(rows):
    spaces = sorted({row["space"] for row in rows}, reverse=True) # the first at the top
    names = [re.sub(r".*/|\.runs.*", "", space) for space in spaces]
    series = [{"name": backend,
               "points": [[float(r["bytes_per_page"]), spaces.index(r["space"])] for r in of(rows, backend)]}
              for backend in BACKENDS if of(rows, backend)]
    return {"title": "Table bytes for each mapped page", "kind": "points", "x": {"label": "bytes", "log": True},
            "y": {"label": "", "names": names}, "series": series}


def sweep_plot(rows, layout, column, title, label):
    """One column against the footprint: the geometric mean over the workloads."""
    rows = [row for row in rows if row["space"].startswith("layout:" + layout) and float(row[column]) > 0]
    series = []
    for backend in BACKENDS:
        sizes = sorted({gib(row["trace"]) for row in of(rows, backend)})
        points = [[size, mean(float(r[column]) for r in of(rows, backend) if gib(r["trace"]) == size)] for size in sizes]
        if points:
            series.append({"name": backend, "points": points})
    return {"title": f"{title}: {layout}", "kind": "lines", "x": {"label": "footprint, GiB", "log": True, "base": 2},
            "y": {"label": label}, "series": series}


def native_plot(rows, run):
    rows = [row for row in rows if row["run_pages"] == run]
    columns = ("translate_ns", "dependent_ns", "batch_ns")
    series = [{"name": row["backend"],
               "points": [[i, number(row[c])] for i, c in enumerate(columns) if number(row[c]) is not None]}
              for row in rows]
    return {"title": f"Native time of a translation, runs of {run}", "kind": "points",
            "x": {"label": "kind", "names": ["independent", "dependent", "batch"]}, "y": {"label": "ns", "log": True},
            "series": [s for s in series if s["points"]]}


# ---- Tables ---------------------------------------------------------------------------------------


def cell(text):
    try:
        return float(text) if text else None
    except ValueError:
        return text


def whole(title, rows, without=()):
    """One table, or none."""
    columns = [c for c in rows[0] if c not in without] if rows else []
    return [{"title": title, "folded": True, "columns": [{"name": c} for c in columns],
             "rows": [[cell(row[c]) for c in columns] for row in rows]}] if rows else []


def promise(what, value, least=None, most=None, unit="x"):
    """A row as lindex-bars has them; without bounds a figure to compare others with."""
    if value is None:
        return None
    bounds = ({} if least is None else {"at_least": least}) | ({} if most is None else {"at_most": most})
    met = (least is None or value >= least) and (most is None or value <= most)
    return {"set": "page tables", "what": what, **bounds, "figure": round(value, 4), "unit": unit,
            "verdict": ("met" if met else "MISSED") if bounds else "-", "checked": True}


def footprint_promises(rows):
    found = []
    for row in of(rows, "lindex"):
        radix = [r for r in of(rows, "radix4") if r["space"] == row["space"]]
        if not radix:
            continue
        name, theirs = re.sub(r".*/|\.runs.*", "", row["space"]), float(radix[0]["table_bytes"])
        if float(row["pages"]) / float(row["runs"]) < 4:
            marked = float(row.get("table_bytes_marked") or row["table_bytes"])
            found.append(promise(f"table bytes / radix4, {name}", marked / theirs, most=round(float(row["bound_of_radix4"]), 4)))
        elif float(row["pages"]) / float(row["runs"]) > 20:
            found.append(promise(f"table bytes as loaded / radix4, {name}", float(row["table_bytes"]) / theirs, most=0.04))
    return found


def walk_ratios(rows, backend):
    """Walk cycles against radix4: without TLBs, whose cycles are the same for all."""
    radix = {(r["trace"], r["space"]): float(r["cycles_per_walk"]) for r in of(rows, "radix4")}
    for r in of(rows, backend):
        theirs = radix.get((r["trace"], r["space"]), 0)
        if theirs > 0 and float(r["cycles_per_walk"]) > 0:
            yield float(r["cycles_per_walk"]) / theirs


def sweep_promises(rows):
    ours = of(rows, "lindex")
    scattered = [r for r in ours if gib(r["trace"]) == 8 and r["space"].startswith("layout:scattered")]
    ratios = [float(r["mmu_against_radix"]) for r in ours if float(r["mmu_against_radix"]) > 0]
    walked = [r for r in ours if float(r["walks"]) > 0]
    reads = max((float(r["accesses_per_walk_mean"]) for r in walked), default=None)
    tail = max((float(r["accesses_per_walk_p99"]) for r in walked), default=None)
    ideal = max((float(r["mmu_against_ideal"]) for r in ours), default=None)
    ideals = [float(r["mmu_against_radix"]) for r in of(rows, "ideal") if float(r["mmu_against_radix"]) > 0]
    return [
        promise("table reads per walk, 8 GiB scattered", mean(float(r["accesses_per_walk_mean"]) for r in scattered),
                unit="reads"),
        promise("table reads per walk, mean at worst", reads, most=1.02, unit="reads"),
        promise("table reads per walk, p99 at worst", tail, most=2, unit="reads"),
        promise("MMU cycles / ideal, at worst", ideal, most=1.05),
        promise("MMU cycles / radix4, 8 GiB scattered", mean(float(r["mmu_against_radix"]) for r in scattered),
                most=0.75),
        promise("MMU cycles / radix4, geometric mean", mean(ratios), most=0.56),
        promise("MMU cycles / radix4, geometric mean, of the ideal table", mean(ideals)),
        promise("walk cycles / radix4, geometric mean", mean(walk_ratios(rows, "lindex"))),
        promise("walk cycles / radix4, geometric mean, of the ideal table", mean(walk_ratios(rows, "ideal"))),
    ]


def native_promises(rows):
    found, names = [], {"translate_ns": "translate", "dependent_ns": "dependent translate"}
    for run, factor in (("1", 1), ("25", 3)):
        here = {row["backend"]: row for row in rows if row["run_pages"] == run}
        for column in names:
            if "lindex" in here and "radix4" in here:
                ratio = float(here["radix4"][column]) / float(here["lindex"][column])
                found.append(promise(f"native {names[column]}, runs of {run}: radix4 / lindex", ratio, least=factor))
    return found


def document(folder):
    stat, sweep, native = (read(f"{folder}/vmmap-{name}.csv") for name in ("stat", "sweep", "bench"))
    promises = footprint_promises(stat) + sweep_promises(sweep) + native_promises(native)
    layouts = [l for l in ("scattered", "inorder", "huge") if any(r["space"].startswith("layout:" + l) for r in sweep)]
    cycles = [sweep_plot(sweep, l, "mmu_against_radix", "MMU cycles against radix", "ratio") for l in layouts]
    reads = [sweep_plot(sweep, l, "accesses_per_walk_mean", "Table reads per walk", "reads") for l in layouts]
    return {"bars": [p for p in promises if p], "section": {
        "title": "Page tables",
        "order": 40,
        "intro": ["Bytes with accessed and dirty bits of all pages, counts of frames apart. Simulated: vmmap/SIMULATOR.md says "
                  "what is modelled and what is not; ideal is a packed array of frame numbers that is read once. A "
                  "ratio below 1 is fewer MMU cycles (TLBs and walks) than the radix table with its walk caches."],
        "plots": [plot for plot in (footprint_plot(stat), *reads, *cycles, native_plot(native, "1"), native_plot(native, "25"))
                  if plot["series"]],
        "tables": [
            *whole("Address spaces", stat),
            *whole("Simulated", sweep, ("machine", "faults")),
            *whole("Native", native),
        ],
    }}


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--quick"]):
        sys.exit("usage: vmmap_section.py FOLDER [--quick]")
    try:
        json.dump({"quick": len(sys.argv) == 3, **document(sys.argv[1])}, sys.stdout, indent=1)
        print()
    except (OSError, KeyError, ValueError, AttributeError) as why:
        print(f"vmmap_section: {sys.argv[1]}: expected the files that vmmap.sh writes, found: {why!r}", file=sys.stderr)
        sys.exit(2)


main()
