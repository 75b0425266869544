# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What documents say of figures comes from bench/results, and this is what brings it there, or finds that it did not.

Three ways. **Claims**: docs/figures.json names, for each row of a table in README.md, where each of its numbers comes
from. **Bars**, in docs/bars.md: between "<!-- bars: SET; SET -->" and "<!-- end -->" a table of the bars of these sets; the
last column, the cause of what was missed, is by hand and stays. **Sections**, in bench/RESULTS.md: between
"<!-- section: TITLE -->" and "<!-- end -->" the tables of that section of the report that are not folded.
"""

import fnmatch
import json
import pathlib
import re

import bars
import markdown
import page
from sections import Wrong, is_number

NUMBER = re.compile(r"(?<![\w.^-])\d[\d,]*(?:\.\d+)?")
BLOCK = re.compile(r"(<!-- (bars|section): (.*?) -->\n)(.*?)(<!-- end -->)", re.S)
FILLED = ("docs/bars.md", "bench/RESULTS.md")


class Results:
    """All bars, sections, and rows of the contest that a folder holds."""

    def __init__(self, folder):
        docs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(pathlib.Path(folder).glob("*.json"))]
        self.bars = [bar for doc in docs for bar in doc.get("bars", [])]
        self.sections = [doc["section"] for doc in docs if "section" in doc]
        self.rows = [row for doc in docs for row in doc.get("rows", []) if "dataset" in row]

    def find(self, claim):
        """The one figure that @claim names, or with "take" the least or the most of all that it names."""
        wanted = {key: text for key, text in claim.items() if key not in ("of", "take")}
        found = [item[claim.get("of", "figure")] for item in (self.bars if "set" in claim else self.rows)
                 if all(fnmatch.fnmatchcase(str(item.get(key)), str(text)) for key, text in wanted.items())]
        found = [value for value in found if is_number(value)]
        if not found or (len(found) > 1 and "take" not in claim):
            raise Wrong(f"{json.dumps(claim)}: expected one figure, found {len(found)}")
        return {"least": min, "most": max}.get(claim.get("take"), min)(found)


# ---- Claims ---------------------------------------------------------------------------------------

def rounded_as(text, value):
    """@value with as many decimals as @text has."""
    return f"{value:,.{len(text.partition('.')[2])}f}"


def cells_of(line):
    """(start, end) of the cells behind the first."""
    ends = [m.start() for m in re.finditer(r"(?<!\\)\|", line)]
    return list(zip((e + 1 for e in ends[1:-1]), ends[2:]))


def numbers_of(line):
    """Matches of the numbers in the cells behind the first; `code` is none."""
    plain = re.sub(r"`[^`]*`", lambda m: " " * len(m.group(0)), line)
    return [m for start, end in cells_of(line) for m in NUMBER.finditer(plain, start, end)]


class Claims:
    """One document, row by row: self.text is what it should say, self.wrong what it says otherwise."""

    def __init__(self, path, rows, results):
        self.path, self.results, self.wrong = path, results, []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        for row in rows:
            at = [n for n, line in enumerate(lines) if line.startswith("| " + row["row"])]
            if len(at) != 1:
                raise Wrong(f'{path}: expected one row "{row["row"]}", found {len(at)}')
            lines[at[0]] = self.mended(lines[at[0]], at[0] + 1, row["figures"])
        self.unnamed(lines, [row["row"] for row in rows])
        self.text = "".join(lines)

    def mended(self, line, number, figures):
        numbers = numbers_of(line)
        if len(numbers) != len(figures):
            raise Wrong(f"{self.path}:{number}: expected {len(figures)} numbers, found "
                        f"{len(numbers)}: {' '.join(m.group(0) for m in numbers)}")
        for match, claim in reversed(list(zip(numbers, figures))): # from the end: places stay
            if claim is None:
                continue # no figure: a size, a bar
            right = rounded_as(match.group(0), self.results.find(claim))
            if right != match.group(0):
                self.wrong.append(f"{self.path}:{number}: {match.group(0)}: expected {right}: {json.dumps(claim)}")
                line = line[:match.start()] + right + line[match.end():]
        return line

    def unnamed(self, lines, named):
        """Rows of the tables that the named ones stand in have to be named, all of them."""
        for at, line in enumerate(lines):
            if not any(line.startswith("| " + name) for name in named):
                continue
            for step in (-1, 1):
                beside = lines[at + step] if 0 <= at + step < len(lines) else ""
                known = any(beside.startswith("| " + name) for name in named) or beside.startswith("|--")
                if beside.startswith("|") and not known:
                    raise Wrong(f"{self.path}:{at + step + 1}: nobody says where the figures of this row come from")


# ---- Bars -----------------------------------------------------------------------------------------

HEAD = "| measured on | bar | wanted | figure | verdict | cause |\n|---|---|---|--:|---|---|\n"


def causes_of(table):
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()[2:]]
    return {(row[0], row[1]): row[5] for row in rows if len(row) == 6}


def bar_line(bar, causes):
    way, bound = bars.bound_of(bar)
    unit = f" {bar['unit']}" if bar["unit"] and bar["unit"] != "x" else ""
    figure = "\u2013" if bar["figure"] is None else page.shown(bar["figure"]) + unit
    cause = causes.get((bar["set"], bar["what"]), "") if bars.is_missed(bar) else ""
    return f"| {bar['set']} | {bar['what']} | {way} {page.shown(bound)} | {figure} | {bar['verdict']} | {cause} |\n"


def table_of_bars(wanted, before, results):
    causes = causes_of(before)
    found = [bar for pattern in wanted.split("; ") for bar in results.bars
             if fnmatch.fnmatchcase(bar["set"], pattern) and bar["verdict"] in ("met", "MISSED")]
    if not found:
        raise Wrong(f'bars of "{wanted}": expected some, found none')
    return HEAD + "".join(bar_line(bar, causes) for bar in found)


# ---- Sections -------------------------------------------------------------------------------------

def tables_of_section(wanted, _, results):
    found = [s for s in results.sections if fnmatch.fnmatchcase(s["title"], wanted)]
    if len(found) != 1:
        raise Wrong(f'section "{wanted}": expected one, found {len(found)}')
    tables = [markdown.render_table(t) for t in found[0].get("tables", []) if not t.get("folded")]
    return "\n" + "\n\n".join(found[0].get("intro", []) + tables + found[0].get("notes", [])) + "\n\n"


def filled(text, results):
    """@text with what stands in its blocks as it is."""
    makers = {"bars": table_of_bars, "section": tables_of_section}
    return BLOCK.sub(lambda m: m.group(1) + makers[m.group(2)](m.group(3), m.group(4), results) + m.group(5), text)


# ---- All -----------------------------------------------------------------------------------------

def differences(path, old, new):
    lines = [f"{path}:{at}: expected {right}, found {left}" for at, (left, right)
             in enumerate(zip(old.splitlines(), new.splitlines()), 1) if left != right]
    return lines[:5] or ([f"{path}: expected {len(new)} characters, found {len(old)}"] if old != new else [])


def run(root, folder, write):
    """What documents below @root say otherwise than @folder; with @write they no longer do."""
    root, results = pathlib.Path(root), Results(folder)
    claims = json.loads((root / "docs/figures.json").read_text(encoding="utf-8"))
    found = [Claims(root / name, rows, results) for name, rows in claims.items()]
    texts, wrong = {c.path: c.text for c in found}, [line for c in found for line in c.wrong]
    for path in (root / name for name in FILLED):
        text = path.read_text(encoding="utf-8")
        texts[path] = filled(text, results)
        wrong += differences(path, text, texts[path])
    if write:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    return wrong
