#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The report of the contest: it is XML, stands alone, and has no number that is not in the files that it is made of.
# usage: bench_report.sh PROGRAM

. "$(dirname "$0")/tool.sh"
tool=${1:?usage: bench_report.sh PROGRAM}
report=$here/../../bench/report
program=(python3 "$report")
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 0; }
export PYTHONDONTWRITEBYTECODE=1

# sound PAGE FOLDER: the checks above; says what is wrong.
sound()
{
	python3 - "$1" "$2" <<'END'
import json, pathlib, re, sys
import xml.etree.ElementTree as xml

def numbers(doc):
    if isinstance(doc, dict):
        doc = list(doc.values())
    if isinstance(doc, list):
        for part in doc:
            yield from numbers(part)
    elif isinstance(doc, (int, float)) and not isinstance(doc, bool):
        yield float(doc)

page, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
known = {n for file in folder.glob("*.json") for n in numbers(json.loads(file.read_text()))}
text = page.read_text()
assert not re.search(r"<script|<link|\bsrc=|\burl\(", text), "something from elsewhere"
assert set(re.findall(r'\b(?:https?:)?//[\w./]+', text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
       "http://www.w3.org/1999/xhtml"}, "an address"
root = xml.parse(page).getroot()
ids = [e.get("id") for e in root.iter() if e.get("id")]
assert len(ids) == len(set(ids)), "an id twice"
h = "{http://www.w3.org/1999/xhtml}"
links = [a.get("href")[1:] for a in root.iter(h + "a")]
assert links and all(link in ids for link in links), "a link to nowhere"
cells = checked = 0
for cell in root.iter(h + "td"):
    shown = (cell.text or "").replace(",", "")
    cells += 1
    if cell.get("data-v"):
        raw = float(cell.get("data-v"))
        digits = len(shown.partition(".")[2])
        assert abs(float(shown) - raw) <= 0.5000001 * 10 ** -digits, (shown, raw)
    elif re.fullmatch(r"-?[\d.]+", shown):
        raw = float(shown)
    else:
        continue
    assert raw in known, f"{shown}: not in the files"
    checked += 1
assert checked > 20 and cells > checked, (cells, checked)
print(f"{checked} figures")
END
}

# ---- Of real figures ------------------------------------------------------------------------------
mkdir figures
for verb in lookup update epsilon disk scale; do
	"$tool" "$verb" --quick --rounds 2 --max 10k --structures lindex,s-tree,bptree --data gen:vma:11k \
		--json "figures/$verb.json" >/dev/null
done
cat >figures/other.json <<'END'
{"section": {"title": "Another <component> & its \"figures\"", "order": 90, "intro": ["Words."],
  "tables": [{"title": "A table", "columns": [{"name": "case"}, {"name": "time", "unit": "ms", "best": "least", "bar": true}],
    "rows": [["ours", 12.3456], ["theirs", {"value": null, "note": "refused <why>"}], ["third", 123456789]]}],
  "plots": [{"title": "It's a plot", "x": {"label": "threads"}, "y": {"label": "100 % of it"},
    "series": [{"name": "o'urs", "points": [[1, 0.5], [2, 1.5]]}]}]}}
END
try 0 figures
[[ ! -s err ]] || fail "something on stderr: $(head -c 300 err)"
sound figures/report.html figures || fail "report.html"
grep -q 'Another &lt;component&gt;' figures/report.html || fail "the section of another is missing"
plots=$(grep -o '<figure>' figures/report.html | wc -l)
drawn=$(grep -o '<svg role="img"' figures/report.html | wc -l)
! command -v gnuplot >/dev/null || [[ $plots -ge 8 && $drawn == "$plots" ]] || fail "$plots plots, $drawn of them drawn"
[[ $(wc -c <figures/report.html) -lt 2000000 ]] || fail "report.html is $(wc -c <figures/report.html) bytes"

# These checks find what they are for.
sed '0,/data-v="[0-9.]*"/s//data-v="31337.25"/' figures/report.html >planted.html
! sound planted.html figures >/dev/null 2>&1 || fail "a wrong number was not found"
sed 's|</table>||' figures/report.html >planted.html
! sound planted.html figures >/dev/null 2>&1 || fail "bad XML was not found"

try 0 --markdown figures
grep -q '^| lindex |' out || fail "--markdown: $(head -c 300 out)"
grep -q '^## Another <component>' out || fail "--markdown: the section of another is missing"

# ---- CSV ------------------------------------------------------------------------------------------
printf 'space,walks,"bytes, all"\nredis,1.25,77\nother,,x\n' >in.csv
try 0 --csv 'Spaces' 40 in.csv figures/csv.json
try 0 figures
sound figures/report.html figures || fail "report.html with a CSV"
grep -q '<th>bytes, all</th>\|<th class="t">bytes, all</th>' figures/report.html || fail "the CSV is missing"
printf 'a,b\n1\n' >short.csv
try 2 --csv T 1 short.csv short.json
complains 'short.csv: row 2: expected 2 fields, found 1'
[[ ! -e short.json ]] || fail "a section of a bad CSV"

# ---- Bad files: one line, and the page that was there stays ------------------------------------------
cp figures/report.html before.html
refuses()
{
	printf '%s' "$1" >figures/bad.json
	try 2 figures
	complains "$2"
	cmp -s before.html figures/report.html || fail "$1: the page has changed"
	rm figures/bad.json
}
refuses '{' 'figures/bad.json: expected JSON'
refuses '[]' 'figures/bad.json: expected an object with "section"'
refuses '{"section": {"order": 1}}' 'figures/bad.json: expected "title", a text'
refuses '{"section": {"title": "T", "order": 1}, "bars": [{"set": "s"}]}' 'figures/bad.json: bar 1: expected "what", a text'
refuses '{"section": {"title": "T", "order": 1, "tables": [{"columns": [{"name": "a"}], "rows": [[1, 2]]}]}}' \
	'figures/bad.json: table 1: expected 1 cells in row 1'
refuses '{"section": {"title": "T", "order": 1, "plots": [{"title": "P", "x": {"label": "x", "log": true},
	"y": {"label": "y"}, "series": [{"name": "s", "points": [[0, 1]]}]}]}}' 'figures/bad.json: plot 1: expected x > 0 in s'
mkdir empty
try 2 empty
complains 'empty: expected *.json, found none'
try 2 --frob
complains 'expected a folder or --csv, found "--frob"'

verdict
