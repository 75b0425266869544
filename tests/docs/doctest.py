#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run what a document tells its reader to type. usage: doctest.py SOURCE BUILD FILE.md

Fenced blocks of the document, in order, in one shell and one empty folder:

    ```sh              run, with bash -eu; the programs of BUILD/bin are found first
    ```sh root fuse    the same, if this is root, and if /dev/fuse is there; else skipped, and said
    ```sh checkout     begins with ./dev: not run (it would build in itself), but each verb has to exist
    ```c NAME.c        written to NAME.c, for the commands that follow
    ```text            what the reader sees; not compared, since figures differ

A command that fails is shown with its line in the document.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(.*?)\s*\n(.*?)^```\s*$", re.M | re.S)


def blocks(text):
    for match in FENCE.finditer(text):
        yield text.count("\n", 0, match.start()) + 2, match.group(1).split(), match.group(2)


def missing(words):
    if "root" in words and os.geteuid() != 0:
        return "root"
    if "fuse" in words and not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse"
    return None


def check_verbs(name, line, code, verbs):
    for at, command in enumerate(code.splitlines(), line):
        match = re.match(r"\s*\./dev(?:\s+([a-z-]+))?", command)
        if match and match.group(1) and match.group(1) not in verbs:
            sys.exit(f"{name}:{at}: ./dev has no verb {match.group(1)}")


def script_of(name, text, verbs, folder):
    """One shell script of all that is to be run; LINE says where in the document it is."""
    parts, ran = ["set -eu", f"trap 'echo \"{name}:$LINE: exit status $?\" >&2' ERR"], 0
    for line, words, code in blocks(text):
        kind = words[0] if words else ""
        if kind == "c" and len(words) > 1:
            with open(os.path.join(folder, words[1]), "w", encoding="utf-8") as out:
                out.write(code)
        elif kind == "sh" and "checkout" in words:
            check_verbs(name, line, code, verbs)
        elif kind == "sh" and missing(words):
            print(f"skipped {name}:{line}: needs {missing(words)}")
        elif kind == "sh":
            parts.append(f"LINE={line}\n{code}")
            ran += 1
    return "\n".join(parts), ran


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source, build, name = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
    with open(os.path.join(source, name), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(source, "dev"), encoding="utf-8") as file:
        verbs = set(re.findall(r"^verb_([a-z-]+)\(\)", file.read(), re.M))
    folder = tempfile.mkdtemp()
    try:
        script, ran = script_of(name, text, verbs, folder)
        env = dict(os.environ, PATH=f"{build}/bin:{os.environ['PATH']}", BUILD=build, SOURCE=source)
        env["PKG_CONFIG_PATH"] = f"{folder}/installed/lib/pkgconfig"
        status = subprocess.run(["bash", "-c", script], cwd=folder, env=env, timeout=600).returncode
    finally:
        subprocess.run(["umount", "-ql", os.path.join(folder, "mnt")], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{name}: {ran} blocks run, exit status {status}")
    sys.exit(status)


main()
