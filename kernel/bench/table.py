# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""table.py INSTRUCTIONS NS JSON MARKDOWN: two files of lines from loops.c become one JSON file and one table."""

import json
import sys


ORDER = ["lindex", "xarray", "maple tree", "sorted array"]


def read(path):
    rows = {}
    with open(path) as lines:
        for line in lines:
            row = json.loads(line)
            rows[(row["map"], row["runs"], row["structure"])] = row
    return rows


def figures(row, unit):
    """Per operation; lookups without the loop around them."""
    out = {}
    for what in ("lookup", "load", "update"):
        loop = row["loop"] if what != "update" else 0
        out[f"{what}_{unit}"] = (row[what] - loop) / 100 if row[what] else None
    return out


def merge(instructions, ns):
    """One row for each map, size and structure."""
    rows = []
    for key in sorted(set(instructions) | set(ns), key=lambda k: (k[1] // 2 > 10000, k[1] > 2000000, k[0], ORDER.index(k[2]))):
        i, n = instructions.get(key), ns.get(key)
        one = n or i
        row = {"map": one["map"], "runs": one["runs"], "keys": one["keys"], "structure": one["structure"]}
        if i:
            row.update(figures(i, "instructions"))
        if n:
            row.update(figures(n, "ns"))
        # Pages gone tell nothing where a tree fits into what the slab caches had free.
        counted = one["structure"] in ("lindex", "sorted array") or one["runs"] > 500000
        row["bytes_per_run"] = one["bytes"] / one["runs"] if counted else None
        rows.append(row)
    return rows


def cell(row, what, digits=0):
    value = row.get(what)
    return "-" if value is None else f"{value:,.{digits}f}"


def table(rows):
    out = [
        "<!-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only -->",
        "## Inside the kernel",
        "",
        "Per operation, random keys, answers checked against each other. Instructions: stock Debian kernel under",
        "`qemu -icount shift=0`, exact. ns: user-mode Linux at native speed, median of interleaved rounds. XArray holds",
        "each key of a run by itself. *value only*: `mtree_load()`, which does not tell the range; the other column is",
        "`mas_walk()`. An update overwrites 1 to 8 keys. Bytes: all-in; for XArray and maple tree the pages that were",
        "gone after the build, where these are many. Written by `./dev bench kernel`.",
        "",
        "| map | runs | structure | lookup, instr. | value only | lookup, ns | value only | update, instr. | update, ns | bytes per run |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        out.append(
            "| " + " | ".join(
                [row["map"], f"{row['runs']:,}", row["structure"], cell(row, "lookup_instructions"),
                 cell(row, "load_instructions"), cell(row, "lookup_ns"), cell(row, "load_ns"),
                 cell(row, "update_instructions"), cell(row, "update_ns"), cell(row, "bytes_per_run", 2)]) + " |")
    return "\n".join(out + [""] + bars(rows)) + "\n"


def bars(rows):
    """What was promised for maps of a million runs with ranges."""
    by = {(r["map"], r["structure"]): r for r in rows if 500000 < r["runs"] < 2000000}
    out = ["| bar, at a million runs | map | figure | verdict |", "|---|---|---:|---|"]
    for name in ("aged", "holes"):
        ours, maple, xarray = (by.get((name, s)) for s in ("lindex", "maple tree", "xarray"))
        if not (ours and maple and xarray and "lookup_instructions" in ours):
            continue

        def bar(text, figure, met):
            out.append(f"| {text} | {name} | {figure} | {'met' if met else 'missed'} |")

        bar("lookup below 190 instructions", f"{ours['lookup_instructions']:.0f}", ours["lookup_instructions"] < 190)
        ratio = ours["lookup_instructions"] / maple["lookup_instructions"]
        bar("lookup at most 1/3 of maple tree's instructions", f"{ratio:.2f}", ratio <= 1 / 3)
        if "lookup_ns" in ours:
            ratio = maple["lookup_ns"] / ours["lookup_ns"]
            bar("lookup at least 3 times as fast as maple tree", f"{ratio:.2f}", ratio >= 3)
            ratio = ours["lookup_ns"] / xarray["lookup_ns"]
            bar("lookup not slower than XArray", f"{ratio:.2f}", ratio <= 1)
        bar("at most 6 bytes per run", f"{ours['bytes_per_run']:.2f}", ours["bytes_per_run"] <= 6)
        ratio = ours["update_instructions"] / maple["update_instructions"]
        bar("update at most maple tree's instructions", f"{ratio:.2f}", ratio <= 1)
    return out


def main(instructions, ns, json_path, markdown_path):
    rows = merge(read(instructions), read(ns))
    with open(json_path, "w") as out:
        json.dump({"rows": rows}, out, indent=1)
        out.write("\n")
    with open(markdown_path, "w") as out:
        out.write(table(rows))


main(*sys.argv[1:])
