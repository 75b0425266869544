# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One page out of many files of figures.

    python3 bench/report [FOLDER]          reads FOLDER/*.json, writes FOLDER/report.html; default bench/out
    python3 bench/report --markdown [FOLDER]                  the tables of it, on standard output
    python3 bench/report --csv TITLE ORDER IN.csv OUT.json    makes a section of a CSV with a head
    python3 bench/report --keep FOLDER RESULTS                copies the figures without the samples of each round
    python3 bench/report --check ROOT RESULTS                 do README.md, docs/bars.md, bench/RESULTS.md say it?
    python3 bench/report --write ROOT RESULTS                 now they do

Exit status: 0; 1: --check found something; 2: a file is not what README.md says. Then there is one line on stderr, and no new page.
"""

import csv
import json
import pathlib
import sys

sys.dont_write_bytecode = True # nothing but the page is left behind

import bars
import contest
import documents
import markdown
import page
import sections


def fail(text):
    print(f"report: {text}", file=sys.stderr)
    sys.exit(2)


def write(path, text):
    """The file gets its name when it is complete."""
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def gather(folder):
    names = sorted(folder.glob("*.json"))
    if not names:
        raise sections.Wrong(f"{folder}: expected *.json, found none")
    files = [sections.load(name) for name in names]
    found = contest.sections_of([f for f in files if f.kind == "contest"])
    found += bars.sections_of(files)
    found += [f.doc["section"] for f in files if f.kind == "section"]
    found.sort(key=lambda section: section["order"])
    for section in found:
        sections.check(section, section["title"])
    return files, found


def report(folder):
    files, found = gather(folder)
    write(folder / "report.html", page.render(files, found))
    print(f"{folder / 'report.html'}: {len(found)} sections of {len(files)} file(s)")


def number(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def from_csv(title, order, source, target):
    with open(source, newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    if not rows:
        raise sections.Wrong(f"{source}: expected a head and rows, found nothing")
    for at, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise sections.Wrong(f"{source}: row {at + 1}: expected {len(rows[0])} fields, found {len(row)}")
    table = {"columns": [{"name": name} for name in rows[0]], "rows": [[number(c) for c in row] for row in rows[1:]]}
    section = {"title": title, "order": number(order), "tables": [table]}
    sections.check(section, target)
    write(pathlib.Path(target), json.dumps({"section": section}, indent=1) + "\n")


def without_samples(doc):
    if isinstance(doc, dict):
        return {key: without_samples(part) for key, part in doc.items() if not key.endswith("samples")}
    return [without_samples(part) for part in doc] if isinstance(doc, list) else doc


def keep(folder, results):
    gather(pathlib.Path(folder)) # all of them are what they should be, or nothing is copied
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        doc = without_samples(json.loads(path.read_text(encoding="utf-8")))
        write(pathlib.Path(results) / path.name, json.dumps(doc, indent=1) + "\n")
        print(f"{pathlib.Path(results) / path.name}{': of a quick run' if doc.get('quick') else ''}")


def documents_say(args):
    wrong = documents.run(args[1], args[2], args[0] == "--write")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong and args[0] == "--check" else 0)


def main(args):
    if args and args[0] in ("--help", "-h"):
        print(__doc__)
        return
    try:
        if args and args[0] == "--csv":
            if len(args) != 5:
                fail("--csv: expected TITLE ORDER IN.csv OUT.json")
            from_csv(*args[1:])
        elif len(args) == 3 and args[0] == "--keep":
            keep(*args[1:])
        elif len(args) == 3 and args[0] in ("--check", "--write"):
            documents_say(args)
        elif args and args[0] == "--markdown" and len(args) <= 2:
            print(markdown.render(gather(pathlib.Path((args[1:] or ["bench/out"])[0]))[1]), end="")
        elif len(args) > 1 or (args and args[0].startswith("-")):
            fail(f'expected a folder or --csv, found "{args[0]}"')
        else:
            report(pathlib.Path(args[0] if args else "bench/out"))
    except (sections.Wrong, OSError, ValueError) as why:
        fail(str(why))


main(sys.argv[1:])
