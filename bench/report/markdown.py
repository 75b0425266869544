# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The same sections as Markdown, for RESULTS.md: what is not folded, without plots."""

from page import plain, shown
from sections import is_number


def cell(value):
    value, note = plain(value)
    if value is None:
        return "unclear" if note else "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return shown(value) if is_number(value) else str(value).replace("|", "\\|")


def render_table(table):
    columns = table["columns"]
    numbers = [any(is_number(plain(row[at])[0]) for row in table["rows"]) for at in range(len(columns))]
    head = [c["name"] + (f", {c['unit']}" if c.get("unit") else "") for c in columns]
    lines = [f"**{table['title']}**", ""] if table.get("title") else []
    lines.append("| " + " | ".join(head) + " |")
    lines.append("|" + "|".join("--:" if number else "---" for number in numbers) + "|")
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in table["rows"]]
    return "\n".join(lines)


def render(sections):
    parts = []
    for section in sections:
        tables = [render_table(t) for t in section.get("tables", []) if not t.get("folded") and t["rows"]]
        if tables:
            parts += [f"## {section['title']}", *section.get("intro", []), *tables]
    return "\n\n".join(parts) + "\n"
