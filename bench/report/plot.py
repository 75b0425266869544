# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Plots: gnuplot draws, and what it drew is made fit to stand in a page, small, and without its own names."""

import html
import math
import re
import shutil
import subprocess

import palette

WIDTH, HEIGHT = 560, 380
LINE = 22 # of a named row, where y has names


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def span(name, spec, values):
    """A little more than the data; a linear axis begins at zero, so that nothing looks larger than it is."""
    if spec.get("names"):
        return f"set {name}range [-0.3:{len(spec['names']) - 0.7}]"
    values = values + [spec["mark"]] if "mark" in spec else values
    low, high = min(values), max(values)
    if spec.get("log"):
        return f"set {name}range [{low / 1.4:.10g}:{high * 1.4:.10g}]"
    return f"set {name}range [{min(0, low):.10g}:{1.1 * high or 1:.10g}]"


def fractions(values):
    """1/8 and not 0.125: powers of two, ten of them at most, and 1 among them."""
    first, last = math.floor(math.log2(min(values))), math.ceil(math.log2(max(values)))
    step = 1 + (last - first) // 8
    powers = [p for p in range(first - 1, last + 2) if p % step == 0]
    return ", ".join(f"'{2 ** p}' {2 ** p}" if p >= 0 else f"'1/{2 ** -p}' {2.0 ** p:.10g}" for p in powers)


def mark(name, at):
    """A line across the plot: what to compare with."""
    ends = (f"{at},graph 0", f"{at},graph 1") if name == "x" else (f"graph 0,{at}", f"graph 1,{at}")
    return f"set arrow from {ends[0]} to {ends[1]} nohead lc rgb '#444444' lw 1 dt 2 back"


def axis(name, spec, values):
    lines = [f"set {name}label {quoted(spec['label'])}", span(name, spec, values)]
    if spec.get("log"):
        lines.append(f"set logscale {name} {spec.get('base', 10)}")
        if spec.get("base") == 2 and min(values) < 0.5:
            lines.append(f"set {name}tics ({fractions(values)})")
    if "mark" in spec:
        lines.append(mark(name, spec["mark"]))
    if spec.get("names"):
        tics = ", ".join(f"{quoted(text)} {at}" for at, text in enumerate(spec["names"]))
        lines.append(f"set {name}tics ({tics})")
    elif spec.get("log") and spec.get("base", 10) == 10:
        lines.append(f"set format {name} '%.0s%c'")
    return lines


def script(plot):
    looks = palette.looks([line["name"] for line in plot["series"]])
    height = max(HEIGHT, 80 + LINE * len(plot["y"].get("names", [])))
    lines = [
        f"set terminal svg size {WIDTH},{height} noenhanced font 'sans-serif,15' linewidth 1.3 background 'white'",
        "set encoding utf8",
        "unset key", # the page has one that wraps
        "set border 3 lc rgb '#666666' lw 0.7",
        "set tics nomirror textcolor rgb '#444444'",
        "set grid lc rgb '#e2e2e2' lw 0.6 lt 1",
    ]
    for at, name in enumerate("xy"):
        lines += axis(name, plot[name], [point[at] for line in plot["series"] for point in line["points"]])
    parts, data = [], []
    for line in sorted(plot["series"], key=lambda l: palette.is_ours(l["name"])): # ours on top
        colour, mark = looks[line["name"]]
        width, size = (2.6, 0.9) if palette.is_ours(line["name"]) else (1.3, 0.7)
        how = f"linespoints lw {width}" if plot.get("kind", "lines") == "lines" else "points lw 1.3"
        size *= 1 if plot.get("kind", "lines") == "lines" else 1.5
        parts.append(f"'-' title {quoted(line['name'])} with {how} lc rgb '{colour}' pt {palette.GNUPLOT_MARK[mark]} ps {size:.2f}")
        data += [f"{x:.10g} {y:.10g}" for x, y in line["points"]] + ["e"]
    return "\n".join(lines + ["plot " + ", ".join(parts)] + data) + "\n"


def used_marks(defs, body):
    """The definitions that something refers to, and those that these refer to."""
    items = dict((m.group(1), m.group(0)) for m in re.finditer(r"<\w+[^>]*\bid='(gp\w+)'[^>]*/>", defs))
    wanted, seen = set(re.findall(r"href='#(gp\w+)'", body)), set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        wanted |= set(re.findall(r"href='#(gp\w+)'", items.get(name, ""))) - seen
    return "".join(text for name, text in items.items() if name in seen)


def fit(svg, number, title):
    """Scales with the page; what it defines has names of its own, and what nobody uses is gone."""
    svg = svg[svg.index("<svg"):]
    defs = re.search(r"<defs>.*?</defs>", svg, flags=re.S)
    body = svg[defs.end():]
    svg = f"{svg[:defs.start()]}<defs>{used_marks(defs.group(0), body)}</defs>{body}"
    svg = re.sub(r"<title>Gnuplot</title>\s*<desc>.*?</desc>", f"<title>{html.escape(title)}</title>", svg, flags=re.S)
    svg = re.sub(r'<svg\s+width="\d+" height="\d+"', '<svg role="img"', svg, count=1)
    svg = re.sub(r'<g id="gnuplot\w*"\s*>', "<g>", svg)
    svg = re.sub(r"(id='|href='#)(gp\w+)", rf"\g<1>p{number}\g<2>", svg)
    svg = re.sub(r'<tspan font-family="sans-serif" >([^<]*)</tspan>', r"\1", svg)
    svg = re.sub(r' (?:font-family="sans-serif"|stroke-linecap="butt"|stroke-linejoin="miter")', "", svg)
    svg = re.sub(r'<g [^>]*>\s*</g>', "", svg)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def draw(plot, number):
    if not shutil.which("gnuplot"):
        return '<p class="note">No plot: there is no gnuplot (Debian: gnuplot-nox).</p>'
    done = subprocess.run(["gnuplot"], input=script(plot), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or "</svg>" not in done.stdout:
        raise RuntimeError(f"gnuplot: {plot['title']}: {done.stderr.strip()[:500]}")
    return fit(done.stdout, number, plot["title"])
