# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every promise of every part, beside what was measured. Any file may have "bars"; README.md has what is in one."""

COLUMNS = [{"name": "promise"}, {"name": ""}, {"name": "bar"}, {"name": "figure"}, {"name": "unit"}, {"name": "verdict"},
           {"name": "least"}, {"name": "greatest"}, {"name": "checked"}, {"name": ""}]


def bound_of(bar):
    if "at_least" in bar:
        return "at least", bar["at_least"]
    return ("at most", bar["at_most"]) if "at_most" in bar else ("", None)


def line(bar):
    return [bar["what"], *bound_of(bar), bar["figure"], bar["unit"], bar["verdict"], bar.get("min"), bar.get("max"),
            bar["checked"], bar.get("note", "")]


def is_missed(bar):
    return bar["verdict"] == "MISSED"


def sets_of(bars):
    return list(dict.fromkeys(bar["set"] for bar in bars))


def count(bars):
    """In words: these numbers are in no file."""
    judged = [bar for bar in bars if bar["verdict"] in ("met", "MISSED")]
    return f"{sum(not is_missed(bar) for bar in judged)} of {len(judged)} met"


def tables_of(bars):
    tables = [{"plain": True, "columns": [{"name": "measured on"}, {"name": "bars"}],
               "rows": [[name, count([b for b in bars if b["set"] == name])] for name in sets_of(bars)]}]
    missed = [bar for bar in bars if is_missed(bar)]
    if missed:
        tables.append({"title": "Missed", "columns": COLUMNS + [{"name": "measured on"}],
                       "rows": [line(bar) + [bar["set"]] for bar in missed]})
    for name in sets_of(bars):
        tables.append({"title": f"All of: {name}", "folded": True, "columns": COLUMNS,
                       "rows": [line(bar) for bar in bars if bar["set"] == name]})
    return tables


def sections_of(files):
    bars = [bar for file in files for bar in file.doc.get("bars", [])]
    return bars and [{
        "title": "Promises",
        "order": 5,
        "intro": [f"What was promised, beside what was measured: {count(bars)}. A spread of the rounds on both sides of "
                  "a bar says: not decided, run again. Rows without a verdict have no bar."],
        "tables": tables_of(bars),
    }]
