# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The page: one file of HTML that is XML, too, without scripts, and without anything from elsewhere."""

import html
import re

import palette
import plot as plots
from sections import is_number

TITLE = "lindex in figures"

STYLE = """
:root { --ink: #1d1d1f; --soft: #6b6b70; --line: #e4e4e7; --ours: #fff3ea; --mark: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 1.2rem 1rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .2rem 0 .4rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .4rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { margin: .4rem 0; max-width: 46rem; }
.soft, .note, figcaption { color: var(--soft); font-size: .9rem; }
.warn { border-left: 4px solid var(--mark); padding: .4rem .8rem; background: var(--ours); }
nav { display: flex; flex-wrap: wrap; gap: .4rem; margin: 1rem 0; }
nav a { padding: .15rem .7rem; border: 1px solid var(--line); border-radius: 1rem; color: inherit; font-size: .9rem;
  text-decoration: none; }
.wide { overflow-x: auto; margin: .3rem 0 .8rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { vertical-align: bottom; font-weight: 600; white-space: normal; min-width: 4.2rem; }
th small { display: block; font-weight: 400; color: var(--soft); }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td.t, th.t { text-align: left; }
tr.ours td, tr.ours td:first-child { background: var(--ours); }
tr.ours td:first-child { font-weight: 600; }
tr.aside td { color: var(--soft); }
td.best { font-weight: 700; }
td i { display: block; height: 3px; border-radius: 2px; background: #9db8cf; margin-top: 1px; }
tr.ours td i { background: var(--mark); }
tr.aside td i { background: #d8d8dc; }
td.good { color: #00694f; } td.bad { color: #b3261e; font-weight: 600; } td.open { color: var(--soft); }
details { margin: .3rem 0 .8rem; } summary { cursor: pointer; color: var(--soft); font-size: .95rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.2rem; }
figure { margin: .6rem 0; } figure svg { width: 100%; height: auto; display: block; }
figure h3 { margin: 0 0 .2rem; }
.key { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .84rem; list-style: none; padding: 0; margin: 0; }
.key svg { width: .8rem; height: .8rem; margin-right: .3rem; display: inline; vertical-align: -1px; }
.key .ours { font-weight: 700; }
@media (max-width: 40rem) { td:first-child, th:first-child { white-space: normal; min-width: 6.5rem; max-width: 10rem; } }
@media print { nav { display: none; } details > * { display: block; } }
"""

SHAPES = {
    "circle": '<circle cx="6" cy="6" r="5"/>',
    "square": '<rect x="1.5" y="1.5" width="9" height="9"/>',
    "up": '<path d="M6 0.5 L11.5 10.5 L0.5 10.5 Z"/>',
    "down": '<path d="M6 11.5 L11.5 1.5 L0.5 1.5 Z"/>',
    "diamond": '<path d="M6 0 L12 6 L6 12 L0 6 Z"/>',
}


def text(words):
    """What XML has no way to say is a question mark."""
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "?", str(words)), quote=True)


def anchor(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


# ---- Tables ---------------------------------------------------------------------------------------

def shown(number):
    """Three or four figures that say something; the raw number stays in the cell, as data-v."""
    if isinstance(number, int) or (float(number).is_integer() and abs(number) >= 1000):
        return f"{int(number):,}"
    size = abs(number)
    return f"{number:,.0f}" if size >= 1000 else f"{number:.1f}" if size >= 20 else f"{number:.2f}"


def plain(cell):
    return (cell["value"], cell.get("note")) if isinstance(cell, dict) else (cell, None)


def word_class(word):
    low = word.lower()
    if low == "met":
        return "t good"
    if low.startswith("missed"):
        return "t bad"
    return "t open" if low.startswith(("not decided", "too small", "-")) else "t"


def render_cell(cell, best, width):
    value, note = plain(cell)
    title = f' title="{text(note)}"' if note else ""
    if value is None:
        return f'<td class="open"{title}>{"unclear" if note else "&#8211;"}</td>'
    if isinstance(value, bool):
        return f'<td class="{"good" if value else "bad"}">{"yes" if value else "NO"}</td>'
    if not is_number(value):
        return f'<td class="{word_class(value)}"{title}>{text(value)}</td>'
    show = shown(value)
    raw = "" if show == str(value) else f' data-v="{value!r}"'
    bar = f'<i style="width:{width:.0f}%"></i>' if width is not None else ""
    return f'<td{" class=" + chr(34) + "best" + chr(34) if best else ""}{raw}{title}>{show}{bar}</td>'


def numbers_of(table, column, skip):
    return [v for v in (plain(row[column])[0] for row in table["rows"] if row[0] not in skip) if is_number(v)]


def best_of(table, column, skip):
    found, which = numbers_of(table, column, skip), table["columns"][column].get("best")
    if len(found) < 2 or not which:
        return None
    return min(found) if which == "least" else max(found)


def render_row(row, table, bests, tops):
    ours = palette.is_ours(str(row[0])) and not table.get("plain")
    kind = ' class="ours"' if ours else ' class="aside"' if row[0] in table.get("aside", []) else ""
    cells = []
    for at, cell in enumerate(row):
        value = plain(cell)[0]
        best = is_number(value) and value == bests[at] and row[0] not in table.get("aside", [])
        width = min(100, 100 * value / tops[at]) if tops[at] and is_number(value) else None
        cells.append(render_cell(cell, best, width))
    return f"<tr{kind}>{''.join(cells)}</tr>"


def render_table(table):
    columns, skip = table["columns"], table.get("aside", [])
    bests = [best_of(table, at, skip) for at in range(len(columns))]
    tops = [max(numbers_of(table, at, skip), default=0) if c.get("bar") else 0 for at, c in enumerate(columns)]
    words = [any(isinstance(plain(row[at])[0], str) for row in table["rows"]) for at in range(len(columns))]
    head = "".join(f'<th{" class=" + chr(34) + "t" + chr(34) if words[at] else ""}>{text(c["name"])}'
                   + (f"<small>{text(c['unit'])}</small>" if c.get("unit") else "") + "</th>"
                   for at, c in enumerate(columns))
    rows = "\n".join(render_row(row, table, bests, tops) for row in table["rows"])
    body = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'
    if table.get("note"):
        body += f'<p class="note">{text(table["note"])}</p>'
    if table.get("folded"):
        return f"<details><summary>{text(table.get('title', 'More'))}</summary>{body}</details>"
    return (f"<h3>{text(table['title'])}</h3>" if table.get("title") else "") + body


# ---- Plots ----------------------------------------------------------------------------------------

def render_key(plot):
    names = [line["name"] for line in plot["series"]]
    looks = palette.looks(names)
    items = []
    for name in names:
        colour, mark = looks[name]
        ours = ' class="ours"' if palette.is_ours(name) else ""
        items.append(f'<li{ours}><svg viewBox="0 0 12 12" fill="{colour}">{SHAPES[mark]}</svg>{text(name)}</li>')
    return f'<ul class="key">{"".join(items)}</ul>'


def render_plot(plot, number):
    note = f"<figcaption>{text(plot['note'])}</figcaption>" if plot.get("note") else ""
    return (f"<figure><h3>{text(plot['title'])}</h3>{render_key(plot)}"
            f"{plots.draw(plot, number)}{note}</figure>")


# ---- The page -------------------------------------------------------------------------------------

def render_section(section, counter):
    parts = [f'<section id="{anchor(section["title"])}"><h2>{text(section["title"])}</h2>']
    parts += [f"<p>{text(words)}</p>" for words in section.get("intro", [])]
    if section.get("plots"):
        drawn = []
        for plot in section["plots"]:
            counter[0] += 1
            drawn.append(render_plot(plot, counter[0]))
        parts.append(f'<div class="plots">{"".join(drawn)}</div>')
    parts += [render_table(table) for table in section.get("tables", [])]
    parts += [f'<p class="note">{text(words)}</p>' for words in section.get("notes", [])]
    return "\n".join(parts) + "</section>"


def machine_of(doc):
    found = doc.get("machine", doc.get("cpu"))
    return found.get("cpu") if isinstance(found, dict) else found


def words_of(docs, key):
    return ", ".join(sorted({found for found in map(key, docs) if found})) or "unknown"


def render_head(files):
    docs = [f.doc for f in files]
    head = [f"<h1>{TITLE}</h1>",
            f'<p class="soft">Measured on: {text(words_of(docs, machine_of))}; '
            f'commit {text(words_of(docs, lambda doc: doc.get("commit")))}.</p>']
    if any(f.kind == "contest" for f in files):
        head.append('<p class="soft">In the contest every structure runs in every round, in random order, in one process. '
                    "Figures are medians of the rounds; a ratio is the median of the ratios within the rounds, and none is "
                    "given (unclear) where these are further apart than 30 %. No time is shown whose answers were not "
                    "compared with a twin.</p>")
    wrong = sum(not row.get("checked", True) for d in docs for row in d.get("rows", []) + d.get("bars", []))
    if wrong:
        head.append('<p class="warn">Some answers were wrong: look for NO in the tables, and at the files.</p>')
    quick = ", ".join(f.name for f in files if f.doc.get("quick"))
    if quick:
        head.append(f'<p class="warn">Quick runs, which show that everything works, and whose figures say little: {text(quick)}.</p>')
    return head


def render(files, sections):
    counter = [0]
    links = "".join(f'<a href="#{anchor(s["title"])}">{text(s["title"])}</a>' for s in sections)
    parts = ["<!DOCTYPE html>", '<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>',
             '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
             f"<title>{TITLE}</title><style>{STYLE}</style></head><body>"]
    parts += render_head(files)
    parts.append(f"<nav>{links}</nav>")
    parts += [render_section(section, counter) for section in sections]
    parts.append(f'<p class="soft">Made of {text(", ".join(f.name for f in files))}; bench/README.md says how to read it '
                 "and what threatens its validity.</p></body></html>")
    return "\n".join(parts) + "\n"
