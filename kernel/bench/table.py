# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""table.py INSTRUCTIONS NS OUT.json: two files of lines from loops.c become rows, bars and a section of the report."""

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


# ---- Bars -----------------------------------------------------------------------------------------

def bar(name, what, figure, unit="x", **bound):
    (way, limit), = bound.items()
    met = figure >= limit if way == "at_least" else figure <= limit
    return {"set": f"kernel, {name}, a million runs", "what": what, **bound, "figure": round(figure, 4), "unit": unit,
            "verdict": "met" if met else "MISSED", "checked": True}


def bars(rows):
    """What was promised for maps of a million runs with ranges."""
    by = {(r["map"], r["structure"]): r for r in rows if 500000 < r["runs"] < 2000000}
    found = []
    for name in ("aged", "holes"):
        ours, maple, xarray = (by.get((name, s)) for s in ("lindex", "maple tree", "xarray"))
        if not (ours and maple and xarray):
            continue
        if "lookup_instructions" in ours:
            found += [
                bar(name, "instructions of a lookup", ours["lookup_instructions"], "", at_most=190),
                bar(name, "instructions of a lookup: lindex / maple tree",
                    ours["lookup_instructions"] / maple["lookup_instructions"], at_most=0.3333),
                bar(name, "instructions of an update: lindex / maple tree",
                    ours["update_instructions"] / maple["update_instructions"], at_most=1)]
        if "lookup_ns" in ours:
            found += [
                bar(name, "native lookup: maple tree / lindex", maple["lookup_ns"] / ours["lookup_ns"], at_least=3),
                bar(name, "native lookup: XArray / lindex", xarray["lookup_ns"] / ours["lookup_ns"], at_least=1)]
        found.append(bar(name, "memory", ours["bytes_per_run"], "B/run", at_most=6))
    return found


# ---- The section of the report (bench/report/README.md) ---------------------------------------------

FIGURES = (("lookup, ns", "lookup_ns"), ("value only, ns", "load_ns"), ("update, ns", "update_ns"),
           ("lookup, instructions", "lookup_instructions"), ("value only, instructions", "load_instructions"),
           ("update, instructions", "update_instructions"), ("bytes per run", "bytes_per_run"))


def table(rows, name, runs):
    here = [row for row in rows if row["map"] == name and row["runs"] == runs]
    return {"title": f"{name}: {runs:,} runs", "folded": runs < 500000 or runs > 2000000,
            "columns": [{"name": "structure"}, *({"name": title, "best": "least"} for title, _ in FIGURES)],
            "rows": [[row["structure"], *(row.get(key) for _, key in FIGURES)] for row in here]}


def plot(rows, key, title, label):
    """Maps of a million runs, one mark for each structure."""
    here = [row for row in rows if 500000 < row["runs"] < 2000000 and row.get(key)]
    names = list(dict.fromkeys(row["map"] for row in here))
    series = [{"name": s.replace(" ", "-"), "points": [[names.index(r["map"]), r[key]] for r in here if r["structure"] == s]}
              for s in ORDER]
    series = [line for line in series if line["points"]]
    return series and {"title": title, "kind": "points", "x": {"label": "map of a million runs", "names": names},
                       "y": {"label": label, "log": True}, "series": series}


def section(rows):
    tables = [table(rows, *which) for which in dict.fromkeys((row["map"], row["runs"]) for row in rows)]
    plots = [plot(rows, "lookup_ns", "Lookup in the kernel", "ns"), plot(rows, "bytes_per_run", "Memory", "bytes per run")]
    return {
        "title": "Inside the kernel", "order": 60,
        "intro": ["Per operation, random keys, answers checked against each other. Instructions: stock Debian kernel under "
                  "qemu -icount shift=0, exact. ns: user-mode Linux at native speed, median of interleaved rounds. XArray "
                  "holds each key of a run by itself. Value only: mtree_load(), which does not tell the range; the other "
                  "column is mas_walk(). An update overwrites 1 to 8 keys. Bytes: all-in; for XArray and maple tree the "
                  "pages that were gone after the build, where these are many."],
        "plots": [p for p in plots if p],
        "tables": sorted(tables, key=lambda t: t["folded"]),
    }


def main(instructions, ns, out):
    rows = merge(read(instructions), read(ns))
    doc = {"bars": bars(rows), "section": section(rows), "rows": rows}
    with open(out, "w") as file:
        json.dump(doc, file, indent=1)
        file.write("\n")
    for row in doc["bars"]:
        bound = f">= {row['at_least']}" if "at_least" in row else f"<= {row['at_most']}"
        print(f"{row['set']:32} {row['what']:46} {bound:10} {row['figure']:8.2f}  {row['verdict']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
