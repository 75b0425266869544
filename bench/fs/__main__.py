# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""fs-lfs beside its peers, in memory: images and directories in a tmpfs of limited size.

    python3 bench/fs BUILD OUT [--quick | --smoke] [--rounds N] [--seed N] [--only NAME,NAME]

writes OUT/fs.json: machine, commit, rows of all rounds, bars, and a section for the report. In full three rounds, twenty
minutes; --quick: two rounds of small cases, two minutes; --smoke: one of tiny ones, to see that it works. --only:
filesystems. A peer that cannot be had is left out, with one line that says what it wants. Whatever ends this, nothing
stays mounted.

Exit status: 0; 1: fs-lfs could not be measured, or something was wrong with its answers; 2: bad arguments; 77: nothing can
be mounted here.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True # nothing but the figures is left behind

import cases
import figures
import mounts

HEADERS, DOCUMENTS = "/usr/include", "/usr/share/doc"
NEEDED = {"data": "fio", "databases": "sqlite3"} # group -> program


def say(text):
    print(f"bench: {text}", file=sys.stderr)


def die(text, status=1):
    say(text)
    sys.exit(status)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/fs", usage="python3 bench/fs BUILD OUT [--quick | --smoke] "
                                     "[--rounds N] [--seed N] [--only NAME,NAME]")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", dest="scale", action="store_const", const="quick", default="whole")
    scale.add_argument("--smoke", dest="scale", action="store_const", const="smoke")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    found = parser.parse_args()
    found.rounds = {"whole": 3, "quick": 2, "smoke": 1}[found.scale] if found.rounds is None else found.rounds
    if found.rounds < 1:
        parser.error(f"--rounds: expected at least 1, found {found.rounds}")
    return found


# ---- A place to work in ---------------------------------------------------------------------------

def in_namespace():
    """As root in mounts of our own: they go when we go, even if we are killed."""
    if os.geteuid() == 0 and "BENCH_FS_ALONE" not in os.environ and shutil.which("unshare"):
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        os.execvpe("unshare", words, dict(os.environ, BENCH_FS_ALONE="1"))


def available_gib():
    with open("/proc/meminfo", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / (1 << 20)


@contextlib.contextmanager
def memory(gib):
    """A folder in memory: a tmpfs of @gib where we may mount one, else below /dev/shm."""
    root = os.geteuid() == 0
    place = pathlib.Path(tempfile.mkdtemp(prefix="bench-fs.", dir=None if root else "/dev/shm"))
    try:
        if root:
            mounts.call(["mount", "-t", "tmpfs", "-o", f"size={gib}G,mode=755", "bench-fs", place], "mount tmpfs")
        yield place
    finally:
        if root:
            mounts.unmount(place, "-l")
        shutil.rmtree(place, ignore_errors=True)


# ---- What is measured -----------------------------------------------------------------------------

def filesystems(args, place, size):
    """Those that can be had here, in the order of the report."""
    tools = args.build.resolve() / "bin"

    def passthroughs():
        program = mounts.compile_passthrough(place)
        return [mounts.Passthrough("passthrough", program, "cache=auto"),
                mounts.Passthrough("passthrough-writeback", program, "cache=always,writeback")]

    makers = (lambda: [mounts.Lfs("fs-lfs", tools, size), mounts.Lfs("fs-lfs-nowriteback", tools, size, ["nowriteback"])],
              passthroughs, lambda: [mounts.Fuse2fs("fuse2fs", size)])
    found = []
    for make in makers:
        try:
            found += make()
        except mounts.Missing as why:
            say(f"left out: {why}")
    only = [name for name in args.only.split(",") if name]
    for name in only:
        if name not in [f.name for f in found]:
            die(f"--only: no filesystem {name}; there are: {' '.join(f.name for f in found)}", 2)
    return [f for f in found if not only or f.name in only]


def groups(args, place, sizes, there_are):
    """(name, what to call with a Work, the filesystems it is for)"""
    headers = cases.Tree(HEADERS, place / "headers", sizes.tree)
    documents = cases.Tree(DOCUMENTS, place / "documents", sizes.tree)
    found = {"data": cases.data, "metadata": cases.metadata, "databases": cases.databases,
             "trees": lambda work: cases.trees(work, headers, documents)}
    for name, program in NEEDED.items():
        if not shutil.which(program):
            say(f"left out: the cases of {name}: no {program} (Debian: {program})")
            del found[name]
    todo = [(name, group, there_are) for name, group in found.items()]
    if "data" in found and there_are[0].name == "fs-lfs":
        worn = mounts.Lfs("fs-lfs", args.build.resolve() / "bin", sizes.worn)
        todo.append(("wear", cases.wear, [worn]))
    return todo


class Rounds:
    """
    Each group on filesystems that are new in each round, all mounted at once: case by case, and for each case all of
    them in random order, so that what else the machine does meets all alike.
    """

    def __init__(self, args, place, sizes):
        self.args, self.place, self.sizes = args, place, sizes
        self.rows, self.failures, self.said = {}, 0, set()
        self.random = random.Random(args.seed)

    def put(self, name, at, case, unit, figure):
        row = self.rows.setdefault((name, case), {"fs": name, "case": case, "unit": unit,
                                                  "values": [None] * self.args.rounds})
        row["values"][at] = None if figure is None else round(figure, 4)
        self.failures += figure is None and name in figures.OURS

    def fail(self, name, why):
        if str(why) not in self.said: # once is enough
            say(f"fs: {why}")
        self.said.add(str(why))
        self.failures += name in figures.OURS

    def begin(self, stack, filesystem, group, at):
        """Mounted until @stack ends: its cases, one after the other, or nothing."""
        try:
            mounted = stack.enter_context(mounts.Mounted(filesystem, self.place / filesystem.name))
            work = cases.Work(mounted, self.sizes, self.args.seed + at, self.args.build / "bin/fs-metaloop")
            return filesystem.name, work, group(work)
        except (mounts.Failed, OSError) as why:
            self.fail(filesystem.name, why)
            return None

    def step(self, name, work, running, at):
        """One case. False: there are no more."""
        try:
            self.put(name, at, *next(running))
            cases.sync(work.dir) # what it left to do later is not to be done in the time of another
        except StopIteration:
            for figure in work.counted:
                self.put(name, at, *figure)
            return False
        except (mounts.Failed, OSError, subprocess.SubprocessError) as why:
            self.fail(name, why)
            return False
        return True

    def run_group(self, there_are, group, at):
        with contextlib.ExitStack() as stack:
            running = list(filter(None, (self.begin(stack, filesystem, group, at) for filesystem in there_are)))
            while running:
                self.random.shuffle(running)
                running = [one for one in running if self.step(*one, at)]

    def run(self, todo):
        for at in range(self.args.rounds):
            for name, group, there_are in todo:
                if name == "wear" and at:
                    continue # counted, not timed: once is enough
                began = time.monotonic()
                self.run_group(there_are, group, at)
                say(f"fs: round {at + 1} of {self.args.rounds}: {name}: {time.monotonic() - began:.0f} s")

    def in_order(self, there_are):
        names = [f.name for f in there_are]
        return sorted(self.rows.values(), key=lambda row: names.index(row["fs"])) # cases stay as they ran


# ---- The file -------------------------------------------------------------------------------------

def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        cpu = next((line.partition(": ")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    with open("/proc/meminfo", encoding="utf-8") as lines:
        total = int(lines.readline().split()[1]) << 10
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_bytes": total, "kernel": platform.release(),
            "load": round(os.getloadavg()[0], 2)}


def commit():
    words = ["git", "-C", pathlib.Path(__file__).parent, "describe", "--always", "--dirty", "--abbrev=12", "--match", "v*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False).stdout.strip() or "unknown"
    except OSError:
        return "unknown"


def write(args, rows, where):
    doc = {"machine": where, "commit": commit(), "seed": args.seed, "rounds": args.rounds, "quick": args.scale != "whole",
           "bars": figures.bars_of(figures.Rows(rows)),
           "section": figures.section_of(rows, args.scale != "whole", args.rounds, where),
           "rows": rows}
    new = args.out / "fs.json.new"
    new.write_text(json.dumps(doc, indent=1) + "\n", encoding="utf-8")
    new.replace(args.out / "fs.json")
    for bar in doc["bars"]:
        bound = f">= {bar['at_least']}" if "at_least" in bar else f"<= {bar['at_most']}"
        print(f"{bar['set']:17} {bar['what']:72} {bound:6} {bar['figure']:6.2f}  {bar['verdict']:6}  {bar.get('note', '')}")


def main():
    args = arguments()
    in_namespace()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        die(f"fs: {args.out}: cannot write figures there: {why.strerror}", 2)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1)) # "with" blocks end as they should
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        die("fs: no /dev/fuse here: nothing can be mounted", 77)
    mounts.raise_limits()
    most = mounts.open_files() // 2 # the passthrough holds one for each file; half of them for what else there is
    where, sizes = machine(), cases.Sizes(args.scale, most)
    if sizes.files == most or sizes.tree == most:
        say(f"fs: {2 * most} descriptors are allowed: trees of at most {most} files")
    if available_gib() < sizes.memory_gib + 1:
        die(f"fs: expected {sizes.memory_gib + 1} GiB of memory, found {available_gib():.1f}"
            + ("; --quick needs 5" if args.scale == "whole" else ""))
    with memory(sizes.memory_gib) as place:
        there_are = filesystems(args, place, sizes.image)
        if not any(f.name in figures.OURS for f in there_are):
            die("fs: there is no fs-lfs to measure")
        rounds = Rounds(args, place, sizes)
        rounds.run(groups(args, place, sizes, there_are))
    rows = rounds.in_order(there_are)
    write(args, rows, where)
    sys.exit(1 if rounds.failures else 0)


main()
