# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Ratios, bars and the section of the report, out of the rows of all rounds.

A row: {"fs", "case", "unit", "values": one per round, null where it failed}. A ratio of a case is the median of the
ratios within its rounds; a mean is geometric, over the cases that both have.
"""

import math
import statistics

import cases

OURS = ("fs-lfs", "fs-lfs-nowriteback")
CEILING = ("passthrough", "passthrough-writeback")
PEER = ("fuse2fs",)
METADATA = ("meta_create_1k", "meta_rename", "meta_unlink", "tar_x", "rm_rf")
LEAST_CEILING, LEAST_PEER = 0.8, 1.0 # of any one case


class Rows:
    def __init__(self, rows):
        self.at = {(row["fs"], row["case"]): row for row in rows}
        alone = {*cases.COUNTED, "overwrite_uniform", "overwrite_hot"} # nobody has a figure beside it
        self.cases = list(dict.fromkeys(r["case"] for r in rows if r["case"] not in alone))
        self.names = list(dict.fromkeys(r["fs"] for r in rows))

    def values(self, name, case):
        return self.at.get((name, case), {}).get("values", [])

    def median(self, name, case):
        found = [v for v in self.values(name, case) if v is not None]
        return statistics.median(found) if found else None

    def ratios(self, name, others, case):
        """One for each round in which @name and one of @others have a figure; against the best of these."""
        found = []
        for at, ours in enumerate(self.values(name, case)):
            theirs = [v[at] for v in (self.values(other, case) for other in others) if at < len(v) and v[at]]
            if ours is not None and theirs:
                found.append(ours / max(theirs))
        return found

    def compare(self, name, others):
        """case -> [median, least, greatest] of the ratios."""
        found = ((case, self.ratios(name, others, case)) for case in self.cases)
        return {case: [statistics.median(r), min(r), max(r)] for case, r in found if r}


def mean(values):
    values = [v for v in values if v > 0]
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


# ---- Bars -----------------------------------------------------------------------------------------

def bar(name, what, figure, at_least, **more):
    return {"set": name, "what": what, "at_least": at_least, "figure": figure, "unit": "x", "checked": True,
            "verdict": "met" if figure >= at_least else "MISSED", **more}


MILLION = 900000 # extents from which a map is one of the million that its bars are for
COUNTED_BARS = (("wear_uniform", 3), ("wear_hot", 2), ("fsync_blocks", 5), ("map_on_disk", 8), ("map_in_memory", 8))


def bars_counted(rows, name):
    million = (rows.median(name, "map_extents") or 0) >= MILLION
    for case, most in COUNTED_BARS:
        figure, (unit, what) = rows.median(name, case), cases.COUNTED[case]
        if figure is not None and (million or not case.startswith("map_")):
            yield {"set": name, "what": what, "at_most": most, "figure": figure, "unit": unit, "checked": True,
                   "verdict": "met" if figure <= most else "MISSED"}


def bars_against(name, ratios, whom, all_of_them, each):
    if not ratios:
        return []
    worst = min(ratios, key=lambda case: ratios[case][0])
    return [bar(name, f"geometric mean of the cases / {whom}", mean(r[0] for r in ratios.values()), all_of_them,
                note=f"{len(ratios)} cases"),
            bar(name, f"worst case / {whom}", ratios[worst][0], each, note=worst, min=ratios[worst][1], max=ratios[worst][2])]


def bars_of(rows):
    found = []
    for name in (n for n in OURS if n in rows.names):
        ceiling = rows.compare(name, CEILING)
        found += bars_against(name, ceiling, "best passthrough", 1.0, LEAST_CEILING)
        found += bars_against(name, rows.compare(name, PEER), "fuse2fs", 3.0, LEAST_PEER)
        metadata = [ceiling[case][0] for case in METADATA if case in ceiling]
        if metadata:
            found.append(bar(name, "create, rename, unlink, tar x, rm -r / best passthrough", mean(metadata), 1.2))
        if "randwrite_4k_fsync1" in ceiling:
            median, least, most = ceiling["randwrite_4k_fsync1"]
            found.append(bar(name, "random 4 KiB write, fsync each / best passthrough", median, 1.0, min=least, max=most))
        found += bars_counted(rows, name)
    return found


# ---- The section ----------------------------------------------------------------------------------

def ratio_plot(rows, others, title, label):
    """One line of marks for each case; the first case is at the top."""
    at = {case: i for i, case in enumerate(reversed(rows.cases))}
    names = [n for n in (*OURS, *(PEER if others == CEILING else ())) if n in rows.names]
    series = []
    for name in names:
        points = [[r[0], at[case]] for case, r in rows.compare(name, others).items() if r[0] > 0]
        if points:
            series.append({"name": name, "points": points})
    return series and {"title": title, "kind": "points", "x": {"label": label, "log": True, "base": 2, "mark": 1},
                       "y": {"label": "", "names": list(at)}, "series": series}


def verdict(case, ceiling, peer):
    against = (("passthrough", ceiling, LEAST_CEILING), ("fuse2fs", peer, LEAST_PEER))
    missed = [whom for whom, ratios, least in against if case in ratios and ratios[case][0] < least]
    absent = [whom for whom, ratios, _ in against if case not in ratios]
    if missed:
        return "missed: " + ", ".join(missed)
    return "not decided: no " + ", ".join(absent) if absent else "met"


def case_table(rows):
    """Ratios first: on a telephone the rest is out of sight."""
    names = [n for n in (*OURS, *CEILING, *PEER) if n in rows.names]
    pairs = [(n, whom) for n in OURS for whom in (CEILING, PEER)]
    against = {pair: rows.compare(*pair) for pair in pairs}
    columns = [{"name": "case"}, {"name": "bars of a case"}]
    columns += [{"name": f"{n} / {'best ' if whom == CEILING else ''}{whom[0]}"} for n, whom in pairs]
    columns += [*({"name": n} for n in names), {"name": "unit"}]
    found = []
    for case in rows.cases:
        line = [case, verdict(case, against[OURS[0], CEILING], against[OURS[0], PEER])]
        line += [against[pair].get(case, [None])[0] for pair in pairs]
        line += [rows.median(name, case) for name in names]
        found.append(line + [next(rows.at[n, case]["unit"] for n in names if (n, case) in rows.at)])
    means = [mean(r[0] for r in against[pair].values()) for pair in pairs]
    found.append(["geometric mean", "", *means, *[None] * len(names), ""])
    return {"title": "Each case: more is better", "columns": columns, "rows": found,
            "note": f"The bars of a case are those of {OURS[0]}: {LEAST_CEILING} of the best passthrough, {LEAST_PEER} of "
                    f"{PEER[0]}, at least."}


def counted_table(rows):
    found = []
    for case, (unit, what) in cases.COUNTED.items():
        for name in OURS:
            if rows.median(name, case) is not None:
                found.append([what, name, rows.median(name, case), unit])
    return found and {"title": "Counted, not timed", "plain": True, "rows": found,
                      "columns": [{"name": "what"}, {"name": "filesystem"}, {"name": "figure"}, {"name": "unit"}]}


def section_of(rows, quick, rounds, machine):
    rows = Rows(rows)
    plots = [ratio_plot(rows, CEILING, "Speed against the best passthrough", "times the passthrough's rate"),
             ratio_plot(rows, PEER, "Speed against fuse2fs", "times fuse2fs's rate")]
    return {
        "title": "Filesystem" + (", quick" if quick else ""), "order": 50,
        "intro": ["Images and directories in memory, so that what is measured is the filesystem and not a disk; a flush "
                  "costs nothing here. The passthrough is libfuse's example, which hands each request on to the "
                  "directory below: of its two ways of caching, the better one in each case and round. fuse2fs is "
                  "ext4 as a FUSE server.",
                  f"{rounds} round(s), every filesystem fresh in each, in random order case by case. Figures are "
                  "medians of the rounds; a ratio is the median of the ratios within the rounds. Trees were compared "
                  "with their originals, databases checked."],
        "plots": [p for p in plots if p],
        "tables": [t for t in (case_table(rows), counted_table(rows)) if t],
        "notes": [f"Measured with {machine['cores']} cores; load when it began: {machine['load']}. A load above a half says "
                  "that others were at work, and the ratios are the less to be trusted."],
    }
