#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""vmmap_section.py FOLDER: the CSV files that vmmap.sh left there, as a section of the report, on standard output.

Four plots: bytes per page by space, table reads per walk, MMU cycles against radix by footprint, native time; a table for
each file; and the promises, with what became of them."""

import csv
import json
import math
import re
import sys

BACKENDS = ("lindex", "radix4", "radix5", "btree", "ecpt", "ideal")


def read(path):
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
    spaces = sorted({row["space"] for row in rows})
    names = [re.sub(r".*/|\.runs.*", "", space) for space in spaces]
    series = [{"name": backend,
               "points": [[spaces.index(r["space"]), float(r["bytes_per_page"])] for r in of(rows, backend)]}
              for backend in BACKENDS if of(rows, backend)]
    return {"title": "Table bytes for each mapped page", "kind": "points", "x": {"label": "address space", "names": names},
            "y": {"label": "bytes", "log": True}, "series": series}


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


def whole(title, rows, columns, note=""):
    return {"title": title, "folded": True, "note": note, "columns": [{"name": c} for c in columns],
            "rows": [[cell(row[c]) for c in columns] for row in rows]}


def promise(what, bar, value, met):
    return [what, bar, None if value is None else round(value, 4), None if value is None else "met" if met else "missed"]


def footprint_promises(rows):
    found = []
    for row in of(rows, "lindex"):
        radix = [r for r in of(rows, "radix4") if r["space"] == row["space"]]
        if not radix:
            continue
        name = re.sub(r".*/|\.runs.*", "", row["space"])
        if float(row["pages"]) / float(row["runs"]) < 4:
            ratio = float(row["table_bytes_marked"]) / float(radix[0]["table_bytes"])
            bound = float(row["bound_of_radix4"])
            found.append(promise(f"bytes of radix4, {name}", f"at most {bound:.3f}", ratio, ratio <= bound))
        elif float(row["pages"]) / float(row["runs"]) > 20:
            ratio = float(row["table_bytes"]) / float(radix[0]["table_bytes"])
            found.append(promise(f"bytes of radix4 as loaded, {name}", "at most 0.04", ratio, ratio <= 0.04))
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
    at_8 = [float(r["mmu_against_radix"]) for r in ours
            if gib(r["trace"]) == 8 and r["space"].startswith("layout:scattered")]
    ratios = [float(r["mmu_against_radix"]) for r in ours if float(r["mmu_against_radix"]) > 0]
    walked = [r for r in ours if float(r["walks"]) > 0]
    reads = max((float(r["accesses_per_walk_mean"]) for r in walked), default=None)
    tail = max((float(r["accesses_per_walk_p99"]) for r in walked), default=None)
    ideal = max((float(r["mmu_against_ideal"]) for r in ours), default=None)
    every = mean(ratios)
    best = mean(float(r["mmu_against_radix"]) for r in of(rows, "ideal") if float(r["mmu_against_radix"]) > 0)
    scattered = mean(at_8)
    return [
        promise("table reads per walk, mean at worst", "at most 1.02", reads, reads is not None and reads <= 1.02),
        promise("table reads per walk, p99 at worst", "at most 2", tail, tail is not None and tail <= 2),
        promise("MMU cycles against ideal, at worst", "at most 1.05", ideal, ideal is not None and ideal <= 1.05),
        promise("MMU cycles against radix, 8 GiB scattered", "at most 0.75", scattered,
                scattered is not None and scattered <= 0.75),
        promise("MMU cycles against radix, geometric mean", "at most 0.56", every, every is not None and every <= 0.56),
        ["the same of the ideal table", "", None if best is None else round(best, 4), None],
        ["walk cycles alone against radix, geometric mean", "", mean(walk_ratios(rows, "lindex")), None],
        ["the same of the ideal table", "", mean(walk_ratios(rows, "ideal")), None],
    ]


def native_promises(rows):
    found = []
    for run, factor in (("1", 1), ("25", 3)):
        here = {row["backend"]: row for row in rows if row["run_pages"] == run}
        for column in ("translate_ns", "dependent_ns"):
            if "lindex" in here and "radix4" in here:
                ratio = float(here["radix4"][column]) / float(here["lindex"][column])
                found.append(promise(f"as fast as radix4, {column[:-3]}, runs of {run}", f"at least {factor}", ratio,
                                     ratio >= factor))
    return found


def section(folder):
    stat, sweep, native = (read(f"{folder}/vmmap-{name}.csv") for name in ("stat", "sweep", "bench"))
    promises = footprint_promises(stat) + sweep_promises(sweep) + native_promises(native)
    layouts = [l for l in ("scattered", "inorder", "huge") if any(r["space"].startswith("layout:" + l) for r in sweep)]
    cycles = [sweep_plot(sweep, l, "mmu_against_radix", "MMU cycles against radix", "ratio") for l in layouts]
    reads = [sweep_plot(sweep, l, "accesses_per_walk_mean", "Table reads per walk", "reads") for l in layouts]
    return {
        "title": "Page tables",
        "order": 40,
        "intro": ["Bytes with accessed and dirty bits of all pages, counts of frames apart. Simulated: vmmap/SIMULATOR.md says "
                  "what is modelled and what is not; ideal is a packed array of frame numbers that is read once. A "
                  "ratio below 1 is fewer MMU cycles (TLBs and walks) than the radix table with its walk caches."],
        "plots": [footprint_plot(stat), *reads, *cycles, native_plot(native, "1"), native_plot(native, "25")],
        "tables": [
            {"title": "Promises", "columns": [{"name": "what"}, {"name": "bar"}, {"name": "found"}, {"name": "verdict"}],
             "rows": promises},
            whole("Address spaces", stat, list(stat[0])),
            whole("Simulated", sweep, [c for c in sweep[0] if c not in ("machine", "faults")]),
            whole("Native", native, list(native[0])),
        ],
    }


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: vmmap_section.py FOLDER")
    try:
        json.dump({"section": section(sys.argv[1])}, sys.stdout, indent=1)
    except (OSError, KeyError, ValueError, AttributeError) as why:
        print(f"vmmap_section: {sys.argv[1]}: expected the files that vmmap.sh writes, found: {why!r}", file=sys.stderr)
        sys.exit(2)


main()
