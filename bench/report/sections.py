# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a file in the folder may be, and whether it is that. README.md beside this file has the schema in words."""

import json


class Wrong(Exception):
    """A file that is not what it should be; the text says which, where, and what was expected."""


class File:
    """kind: contest (of lindex-bench), bars (of lindex-bars) or section (of anybody)."""

    def __init__(self, name, kind, doc):
        self.name, self.kind, self.doc = name, kind, doc


def load(path):
    try:
        doc = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as why:
        raise Wrong(f"{path}: expected JSON, found something else: {why}") from None
    if isinstance(doc, dict):
        check_bars(doc.get("bars", []), path)
        if isinstance(doc.get("section"), dict):
            check(doc["section"], path)
            return File(path.name, "section", doc)
        if isinstance(doc.get("rows"), list):
            return File(path.name, "contest", doc)
        if isinstance(doc.get("structures"), list) and isinstance(doc.get("bars"), list):
            return File(path.name, "bars", doc)
    raise Wrong(f'{path}: expected an object with "section", or what lindex-bench or lindex-bars write; found neither')


# ---- Sections -------------------------------------------------------------------------------------

NUMBER = (int, float)


def expect(good, where, what):
    if not good:
        raise Wrong(f"{where}: expected {what}")


def is_number(cell):
    return isinstance(cell, NUMBER) and not isinstance(cell, bool)


def check(section, where):
    expect(isinstance(section.get("title"), str), where, '"title", a text')
    expect(is_number(section.get("order")), where, '"order", a number')
    for word in ("intro", "notes"):
        texts = section.get(word, [])
        expect(isinstance(texts, list) and all(isinstance(t, str) for t in texts), where, f'"{word}", a list of texts')
    for at, table in enumerate(section.get("tables", [])):
        check_table(table, f"{where}: table {at + 1}")
    for at, plot in enumerate(section.get("plots", [])):
        check_plot(plot, f"{where}: plot {at + 1}")


def check_bars(bars, where):
    expect(isinstance(bars, list), where, '"bars", a list')
    for at, bar in enumerate(bars):
        here = f"{where}: bar {at + 1}"
        expect(isinstance(bar, dict), here, "an object")
        for word in ("set", "what", "unit", "verdict"):
            expect(isinstance(bar.get(word), str), here, f'"{word}", a text')
        expect(bar.get("figure") is None or is_number(bar["figure"]), here, '"figure", a number or null')
        expect("at_least" not in bar or "at_most" not in bar, here, "one bound at most")


def check_table(table, where):
    columns, rows = table.get("columns"), table.get("rows")
    expect(isinstance(columns, list) and columns, where, '"columns", a list that is not empty')
    for column in columns:
        expect(isinstance(column, dict) and isinstance(column.get("name"), str), where, 'columns with a "name"')
        expect(column.get("best") in (None, "least", "most"), where, '"best": least or most')
    expect(isinstance(rows, list), where, '"rows", a list')
    for at, row in enumerate(rows):
        expect(isinstance(row, list) and len(row) == len(columns), where, f"{len(columns)} cells in row {at + 1}")
        for cell in row:
            plain = cell["value"] if isinstance(cell, dict) and "value" in cell else cell
            expect(plain is None or isinstance(plain, (str, bool)) or is_number(plain), where,
                   f"texts, numbers, true, false, null or {{value, note}} in row {at + 1}")


def check_plot(plot, where):
    expect(isinstance(plot.get("title"), str), where, '"title", a text')
    for axis in ("x", "y"):
        expect(isinstance(plot.get(axis), dict) and isinstance(plot[axis].get("label"), str), where,
               f'"{axis}" with a "label"')
    expect(plot.get("kind", "lines") in ("lines", "points"), where, '"kind": lines or points')
    series = plot.get("series")
    expect(isinstance(series, list) and series, where, '"series", a list that is not empty')
    for line in series:
        expect(isinstance(line.get("name"), str), where, "series with a name")
        points = line.get("points")
        expect(isinstance(points, list) and points, where, f'points of {line["name"]}')
        for point in points:
            expect(isinstance(point, list) and len(point) == 2 and all(is_number(p) for p in point), where,
                   f'points [x, y] of {line["name"]}')
            for axis, at in zip(("x", "y"), point):
                expect(not plot[axis].get("log") or at > 0, where, f'{axis} > 0 in {line["name"]}, as it is logarithmic')
