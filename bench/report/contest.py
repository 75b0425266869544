# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Sections of what lindex-bench wrote: its rows as tables that compare structures, and as plots."""

import re

import palette

BAR_FROM = 10000 # runs: smaller sets have no bar
TIMES_ABSL, BEHIND = 4, 1.10
OPEN = 4 # tables of so many sets are seen at once, others on demand


class Rows:
    """All rows of all files, to be asked for by what they are of."""

    def __init__(self, files):
        self.rows = [row for file in files for row in file.doc["rows"]]
        self.sets = {d["name"]: d for file in files for d in file.doc.get("datasets", [])}
        self.structures = {s["name"]: s for file in files for s in file.doc.get("structures", [])}
        self.at = {(r["dataset"], r["op"], r["mode"], r["dist"], r["structure"]): r for r in self.rows}

    def get(self, dataset, op, mode, dist, structure):
        return self.at.get((dataset, op, mode, dist, structure), {})

    def pick(self, **wanted):
        return [r for r in self.rows if all(r[k] == v for k, v in wanted.items())]

    def datasets(self, op):
        return list(dict.fromkeys(r["dataset"] for r in self.pick(op=op)))

    def names(self, op, dataset):
        return list(dict.fromkeys(r["structure"] for r in self.pick(op=op, dataset=dataset)))

    def is_peer(self, name):
        """One that does the same as lindex, in the same pages."""
        return (not palette.is_ours(name) and self.structures.get(name, {}).get("whole", False)
                and not name.endswith("-huge-pages"))


def times(row, which="absl"):
    """A ratio, or why there is none."""
    if row.get(f"x_{which}") is None and row.get(f"{which}_disagree"):
        return {"value": None, "note": "the rounds disagree by more than 30 %"}
    return row.get(f"x_{which}")


def plotted(names):
    return [n for n in names if n in palette.KNOWN and n != "limit"]


def short(dataset):
    """A file without its folder and its ending; other specs say it all."""
    return re.sub(r"^.*/", "", dataset[:-len(ending[0])]) if (ending := re.findall(r"\.runs(?:\.zst)?$", dataset)) else dataset


def sized(rows, dataset):
    size = rows.sets.get(dataset, {}).get("runs")
    return short(dataset) + (f" \u2014 {size:,} runs" if size else "")


# ---- In short -------------------------------------------------------------------------------------

def best_peer(rows, dataset, mode, dist):
    peers = [r for r in rows.pick(op="lookup", dataset=dataset, mode=mode, dist=dist)
             if rows.is_peer(r["structure"]) and r["ns"] is not None]
    return min(peers, key=lambda r: r["ns"], default=None)


def verdict(ratio, ours, best, size, bar, runs):
    if runs < BAR_FROM:
        return "too small for a bar"
    missed, open_ = [], []
    if ratio is None:
        open_.append("throughput")
    elif ratio < TIMES_ABSL:
        missed.append("throughput")
    if best and ours.get("ns") and ours["ns"] > BEHIND * best["ns"]:
        missed.append("dependent")
    if size and bar and size > bar:
        missed.append("bytes")
    if missed:
        return "missed: " + ", ".join(missed)
    return "not decided: " + ", ".join(open_) if open_ else "met"


def in_short(rows):
    table = {
        "columns": [{"name": "data"}, {"name": "runs"}, {"name": "bars"}, {"name": "throughput, times absl"},
                    {"name": "dependent", "unit": "ns"}, {"name": "best peer", "unit": "ns"}, {"name": "which"},
                    {"name": "batch, times the limit"}, {"name": "bytes per run"}, {"name": "their bar"}],
        "rows": [],
    }
    for dataset in rows.datasets("lookup"):
        hit = rows.get(dataset, "lookup", "throughput", "hit-run", "lindex")
        chain = rows.get(dataset, "lookup", "dependent", "hit-run", "lindex")
        batch = rows.get(dataset, "lookup", "batch", "hit-run", "lindex")
        best, about = best_peer(rows, dataset, "dependent", "hit-run"), rows.sets.get(dataset, {})
        if not hit:
            continue
        table["rows"].append([
            short(dataset), hit["runs"],
            verdict(hit["x_absl"], chain, best, hit["bytes_per_run"], about.get("bytes_bar"), hit["runs"]),
            times(hit), chain.get("ns"), best and best["ns"], best and best["structure"], times(batch, "limit"),
            hit["bytes_per_run"], about.get("bytes_bar")])
    return {
        "title": "In short: lindex on each set",
        "order": 10,
        "intro": ["Lookups of keys in random runs. The bars: at least 4 times the throughput of absl::btree_map; in "
                  "dependent lookups no more than 10 % behind the best structure that answers the same; and bytes per "
                  "run no more than the bits of a key distance, those of a value, and 8 more."],
        "tables": [table],
    }


# ---- Lookups --------------------------------------------------------------------------------------

def lookup_table(rows, dataset, names):
    columns = [{"name": "structure"}, {"name": "bytes per run", "best": "least"}]
    modes = [m for m in ("throughput", "dependent", "batch") if rows.pick(op="lookup", dataset=dataset, mode=m)]
    for mode in modes:
        columns += [{"name": mode, "unit": "ns", "best": "least", "bar": True}, {"name": "times absl"}]
    found = []
    for name in names:
        line = [name, rows.get(dataset, "lookup", "throughput", "hit-run", name).get("bytes_per_run")]
        for mode in modes:
            row = rows.get(dataset, "lookup", mode, "hit-run", name)
            line += [row.get("ns"), times(row)]
        found.append(line)
    return {"title": f"{sized(rows, dataset)}: keys in random runs", "columns": columns, "rows": found,
            "aside": aside(rows, names)}


def aside(rows, names):
    """Those that are shown, but are no match: they answer with less, or in larger pages."""
    return [n for n in names if n == "limit" or n.endswith("-huge-pages")
            or not rows.structures.get(n, {"whole": True}).get("whole")]


def dists_table(rows, dataset, names):
    """One column for each way to ask; hit-run has a table of its own."""
    asked = list(dict.fromkeys((r["dist"], r["mode"]) for r in rows.pick(op="lookup", dataset=dataset)))
    asked = [pair for pair in asked if pair[0] != "hit-run" or "flushed" in pair[1]]
    columns = [{"name": "structure"}] + [{"name": f"{dist}, {mode}", "unit": "ns", "best": "least"}
                                         for dist, mode in asked]
    found = [[name] + [rows.get(dataset, "lookup", mode, dist, name).get("ns") for dist, mode in asked]
             for name in names]
    return {"title": f"{short(dataset)}: other keys, and flushed caches", "columns": columns, "rows": found, "folded": True,
            "aside": aside(rows, names)}


def size_plot(rows, dataset, mode):
    series = []
    for name in plotted(rows.names("lookup", dataset)):
        row = rows.get(dataset, "lookup", mode, "hit-run", name)
        if row.get("ns") and row.get("bytes_per_run"):
            series.append({"name": name, "points": [[row["bytes_per_run"], row["ns"]]]})
    return series and {"title": f"{short(dataset)}: size against latency, {mode}", "kind": "points",
                       "x": {"label": "bytes per run", "log": True, "base": 2},
                       "y": {"label": "ns per lookup", "log": True, "base": 2}, "series": series}


def lookups(rows):
    tables, plots = [], []
    for at, dataset in enumerate(rows.datasets("lookup")):
        names = rows.names("lookup", dataset)
        tables += [lookup_table(rows, dataset, names) | {"folded": at >= OPEN}, dists_table(rows, dataset, names)]
    largest = sorted(rows.datasets("lookup"), key=lambda d: -rows.sets.get(d, {}).get("runs", 0))[:2]
    for dataset in largest:
        plots += [p for p in (size_plot(rows, dataset, m) for m in ("throughput", "dependent")) if p]
    return {
        "title": "Lookups", "order": 30,
        "intro": ["Throughput: independent lookups. Dependent: each key waits for the answer before it. Batch: many keys "
                  "handed over at once; absl has no such call and is asked plainly. The limit is one random access to "
                  "as many 16-byte pairs: it answers nothing."],
        "tables": tables, "plots": plots,
    }


# ---- Updates --------------------------------------------------------------------------------------

def update_table(rows, dataset, names, kinds):
    columns = [{"name": "structure"}]
    for kind in kinds:
        columns += [{"name": kind, "unit": "ns", "best": "least", "bar": True}, {"name": "P99.9", "unit": "ns"}]
    found = []
    for name in names:
        line = [name]
        for kind in kinds:
            row = next(iter(rows.pick(op="update", dataset=dataset, mode=kind, structure=name)), {})
            line += [row.get("ns"), row.get("p999")]
        found.append(line)
    return {"title": sized(rows, dataset), "columns": columns, "rows": found, "aside": aside(rows, names)}


def tail_plot(rows, dataset, kind):
    points = ("p50", "p99", "p999", "max_ns")
    series = []
    for row in rows.pick(op="update", dataset=dataset, mode=kind):
        if row["structure"] in plotted([row["structure"]]) and row["p50"]:
            series.append({"name": row["structure"], "points": [[at, row[p]] for at, p in enumerate(points) if row[p]]})
    return series and {"title": f"{short(dataset)}: {kind}, tail",
                       "x": {"label": "", "names": ["P50", "P99", "P99.9", "max"]},
                       "y": {"label": "ns per update", "log": True}, "series": series}


def updates(rows):
    tables, plots = [], []
    for at, dataset in enumerate(rows.datasets("update")):
        kinds = list(dict.fromkeys(r["mode"] for r in rows.pick(op="update", dataset=dataset)))
        tables.append(update_table(rows, dataset, rows.names("update", dataset), kinds))
        if at == 0:
            plots = [p for p in (tail_plot(rows, dataset, kind) for kind in kinds
                                 if kind in ("overwrite-random", "overwrite-hot-spot", "append", "oscillation")) if p]
    return {
        "title": "Updates", "order": 31,
        "intro": ["One half of each round gives the rate, in processor time; the other, timed one by one by the wall, the "
                  "tail. There, what is above 10 us in all structures alike is the machine's, not theirs."],
        "tables": tables, "plots": plots,
    }


# ---- Building, memory, growth ---------------------------------------------------------------------

def build_and_memory(rows):
    tables = []
    for dataset in dict.fromkeys(rows.datasets("build") + rows.datasets("memory")):
        names = list(dict.fromkeys(rows.names("build", dataset) + rows.names("memory", dataset)))
        found = []
        for name in names:
            built = rows.get(dataset, "build", "bulk", "per run", name)
            bulk = rows.get(dataset, "memory", "bulk", "", name)
            grown = rows.get(dataset, "memory", "grown run by run", "", name)
            found.append([name, built.get("ns"), times(built), bulk.get("bytes_per_run") or built.get("bytes_per_run"),
                          grown.get("bytes_per_run"), bulk.get("bytes_per_key")])
        tables.append({"title": sized(rows, dataset), "rows": found, "aside": aside(rows, names), "columns": [
            {"name": "structure"}, {"name": "build, per run", "unit": "ns", "best": "least", "bar": True},
            {"name": "times absl"}, {"name": "bytes per run", "best": "least", "bar": True},
            {"name": "the same, grown run by run", "best": "least", "bar": True}, {"name": "bytes per mapped key"}]})
    return {"title": "Building, and memory", "order": 32,
            "intro": ["All that the structure holds from its allocator."], "tables": tables}


def curve(rows, title, label, value, **wanted):
    series = {}
    for row in rows.pick(op="scale", **wanted):
        if row["structure"] in palette.KNOWN and row[value]:
            series.setdefault(row["structure"], []).append([row["runs"], row[value]])
    return series and {"title": title, "x": {"label": "runs", "log": True}, "y": {"label": label, "log": True},
                       "series": [{"name": n, "points": sorted(p)} for n, p in series.items()]}


def scale(rows):
    plots = [curve(rows, "Cost curve: lookups, throughput", "ns per lookup", "ns", mode="throughput"),
             curve(rows, "Cost curve: lookups, dependent", "ns per lookup", "ns", mode="dependent"),
             curve(rows, "Cost curve: lookups in batches", "ns per lookup", "ns", mode="batch"),
             curve(rows, "Cost curve: random overwrites", "ns per overwrite", "ns", mode="overwrite-random"),
             curve(rows, "Cost curve: building", "ns per run", "ns", mode="build"),
             curve(rows, "Size curve", "bytes per run", "bytes_per_run", mode="throughput")]
    sizes = sorted({r["runs"] for r in rows.pick(op="scale", mode="throughput")})
    modes = ("throughput", "dependent", "batch", "overwrite-random", "build")
    found = []
    for name in dict.fromkeys(r["structure"] for r in rows.pick(op="scale")):
        for runs in sizes:
            line = [name, runs]
            for mode in modes:
                row = next(iter(rows.pick(op="scale", structure=name, runs=runs, mode=mode)), {})
                line.append(row.get("ns"))
            row = next(iter(rows.pick(op="scale", structure=name, runs=runs, mode="throughput")), {})
            found.append(line + [row.get("bytes_per_run")])
    columns = [{"name": "structure"}, {"name": "runs"}] + [{"name": m, "unit": "ns"} for m in modes]
    return {"title": "Growth", "order": 33, "intro": ["The same data in growing sizes."],
            "plots": [p for p in plots if p],
            "tables": [{"title": "The figures", "folded": True, "columns": columns + [{"name": "bytes per run"}],
                        "rows": found}]}


# ---- lindex alone, and the rest -------------------------------------------------------------------

def concurrent(rows):
    tables = []
    for dataset in rows.datasets("concurrent"):
        found = [[r["mode"], r["structure"], r["ns"], times(r), r.get("stores_s")]
                 for r in rows.pick(op="concurrent", dataset=dataset)]
        tables.append({"title": sized(rows, dataset), "rows": found, "columns": [
            {"name": "threads"}, {"name": "structure"}, {"name": "lookup", "unit": "ns"}, {"name": "times absl"},
            {"name": "updates per second"}]})
    return {"title": "Readers and a writer", "order": 34,
            "intro": ["By the wall: lindex without locks, absl behind a lock that readers share."], "tables": tables}


def epsilon(rows):
    tables, plots = [], []
    for dataset in rows.datasets("epsilon"):
        times_, bytes_ = [], []
        for mode in ("throughput", "dependent"):
            points = [[r["epsilon"], r["ns"]] for r in rows.pick(op="epsilon", dataset=dataset, mode=mode)]
            times_.append({"name": mode, "points": points})
        found = []
        for r in rows.pick(op="epsilon", dataset=dataset, mode="throughput"):
            chain = rows.get(dataset, "epsilon", "dependent", r["dist"], r["structure"])
            bytes_.append([r["epsilon"], r["bytes_per_run"]])
            found.append([r["epsilon"], r["ns"], chain.get("ns"), r["bytes_per_run"], r["depth"], r["window"]])
        x = {"label": "error allowed, in entries", "log": True, "base": 2}
        plots += [{"title": f"{short(dataset)}: error allowed against time", "x": x, "y": {"label": "ns per lookup"},
                   "series": times_},
                  {"title": f"{short(dataset)}: error allowed against space", "x": x, "y": {"label": "bytes per run"},
                   "series": [{"name": "lindex", "points": bytes_}]}]
        tables.append({"title": short(dataset), "folded": True, "rows": found, "columns": [
            {"name": "epsilon"}, {"name": "throughput", "unit": "ns"}, {"name": "dependent", "unit": "ns"},
            {"name": "bytes per run"}, {"name": "levels"}, {"name": "largest window"}]})
    return {"title": "The error that models are allowed", "order": 35, "tables": tables, "plots": plots}


def lines(rows):
    tables = []
    for dataset in rows.datasets("lines"):
        counted = [[r["dist"], r["lines"], r["lines_most"], r["nodes"], r["cmps"], r["cmps_most"], r["window"]]
                   for r in rows.pick(op="lines", dataset=dataset, mode="counted")]
        tables.append({"title": f"{sized(rows, dataset)}: what lookups of lindex touch", "rows": counted, "columns": [
            {"name": "keys"}, {"name": "cache lines"}, {"name": "at most"}, {"name": "nodes"}, {"name": "compares"},
            {"name": "at most"}, {"name": "window"}]})
        names = rows.names("lines", dataset)
        found = [[name] + [rows.get(dataset, "lines", mode, "hit-run", name).get("instructions")
                           for mode in ("instructions", "instructions-batch")] for name in names]
        found = [line for line in found if line[1] is not None]
        if found:
            tables.append({"title": f"{short(dataset)}: instructions per lookup, by callgrind", "rows": found, "folded": True,
                           "columns": [{"name": "structure"}, {"name": "plain", "bar": True},
                                       {"name": "in batches", "bar": True}]})
    return {"title": "Cache lines and instructions", "order": 36, "tables": tables}


def disk(rows):
    tables = []
    for dataset in rows.datasets("disk"):
        found = [[r["structure"], r["blocks"], r["bytes_per_run"], r["reads"], r["reads_most"], r["later"], r["writes"],
                  r["wrote_most"], r["read_ns"], r["write_ns"]] for r in rows.pick(op="disk", dataset=dataset)]
        tables.append({"title": sized(rows, dataset), "rows": found, "columns": [
            {"name": "format"}, {"name": "blocks", "best": "least"}, {"name": "bytes per run"},
            {"name": "read, cold", "best": "least"}, {"name": "at most"}, {"name": "after updates", "best": "least"},
            {"name": "written per update", "best": "least"}, {"name": "at most"},
            {"name": "processor, read", "unit": "ns"}, {"name": "processor, update", "unit": "ns"}]})
    return {"title": "The map of a file in blocks", "order": 37,
            "intro": ["Blocks of 4 KiB: ext2-style indirect blocks, ext4's extent tree, and pages of lindex."],
            "tables": tables}


MAKERS = (("lookup", in_short), ("lookup", lookups), ("update", updates), ("build", build_and_memory),
          ("scale", scale), ("concurrent", concurrent), ("epsilon", epsilon), ("lines", lines), ("disk", disk))


def sections_of(files):
    rows = Rows(files)
    return [make(rows) for op, make in MAKERS if rows.pick(op=op)]
