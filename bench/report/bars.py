# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The promises of lindex, as lindex-bars found them: one table, one row each."""


def bar_of(row):
    if "at_least" in row:
        return "at least", row["at_least"]
    return ("at most", row["at_most"]) if "at_most" in row else ("", None)


COLUMNS = [{"name": "promise"}, {"name": ""}, {"name": "bar"}, {"name": "figure"}, {"name": "least"},
           {"name": "greatest"}, {"name": "unit"}, {"name": "verdict"}, {"name": "checked"}]


def line(row):
    return [row["what"], *bar_of(row), row["figure"], row.get("min"), row.get("max"), row["unit"], row["verdict"],
            row["checked"]]


def tables_of(bars):
    tables = []
    missed = [row for row in bars if row["verdict"] == "MISSED"]
    if missed:
        tables.append({"title": "Missed", "columns": [{"name": "data"}] + COLUMNS,
                       "rows": [[row["set"]] + line(row) for row in missed]})
    for name in dict.fromkeys(row["set"] for row in bars):
        tables.append({"title": f"All of: {name}", "folded": True, "columns": COLUMNS,
                       "rows": [line(row) for row in bars if row["set"] == name]})
    return tables


def sections_of(files):
    return [{
        "title": "The promises of lindex" + (", quick" if file.doc["quick"] else ""),
        "order": 25,
        "intro": ["Each promise of the index, beside what was measured. A spread of the rounds on both sides of the bar "
                  "says: not decided, run again. Rows without a verdict have no bar."],
        "tables": tables_of(file.doc["bars"]),
    } for file in files]
