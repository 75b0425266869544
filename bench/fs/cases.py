# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The cases: what programs do with a mounted filesystem. More is better in all of them.

Each group is a function that gets a Work and yields (case, unit, figure) after each case, so that the same case of
other filesystems can run before the next. A figure that is None failed, and the reason has been said. "cold" is after
a new mount; the image itself stays in memory.
"""

import json
import os
import subprocess
import sys
import time

SECONDS = 600 # the longest that any one command may take


class Sizes:
    """How much of everything. Megabytes are of 2^20 bytes. @most_files: that any tree may have here."""

    def __init__(self, scale, most_files):
        at = ("whole", "quick", "smoke").index(scale)
        self.big, self.rewritten = (1024, 128, 8)[at], (256, 32, 2)[at]
        self.time = ("4s", "1s", "100ms")[at] # of each case that runs for a time
        self.files = min((20000, 4000, 200)[at], most_files) # small ones
        self.tree = min((30000, 2500, 100)[at], most_files) # files of a real tree, at most
        self.transactions = {"DELETE": (300, 300, 20)[at], "WAL": (3000, 3000, 20)[at]}
        self.image, self.worn = ("6G", "2G", "1G")[at], ("6G", "512M", "64M")[at] # of filesystems
        self.memory_gib = (14, 4, 2)[at] # for all of them


class Work:
    """Where a group works: @mounted, with files of ours outside it; @seed differs from round to round."""

    def __init__(self, mounted, sizes, seed, metaloop):
        self.mounted, self.dir, self.scratch = mounted, mounted.at / "work", mounted.place / "scratch"
        self.sizes, self.seed, self.metaloop = sizes, seed, metaloop
        self.counted = [] # (name, unit, figure): no rates, and not compared
        self.dir.mkdir()
        self.scratch.mkdir()

    def say(self, case, why):
        print(f"bench: {self.mounted.filesystem.name}: {case}: {why}", file=sys.stderr)

    def cold(self):
        sync(self.dir)
        self.mounted.again()

    def run(self, case, words):
        """Its output, or None."""
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            self.say(case, f"{words[0]} did not end within {SECONDS} s")
            return None
        if done.returncode:
            self.say(case, f"{words[0]}: {(done.stderr or done.stdout).strip()[-300:] or done.returncode}")
            return None
        return done.stdout

    def timed(self, case, count, words):
        """@count per second, the sync behind it included."""
        began = time.monotonic()
        if self.run(case, words) is None:
            return None
        sync(self.dir)
        return count / (time.monotonic() - began)

    def same(self, case, one, other):
        """Is the copy the original? Outside the clock."""
        return self.run(case, ["diff", "-rq", "--no-dereference", one, other]) is not None


def sync(at):
    subprocess.run(["sync", "-f", at], timeout=SECONDS, check=False)


# ---- Data -----------------------------------------------------------------------------------------

def fio(work, case, *words):
    """What fio says of its one job, or None."""
    out = work.scratch / "fio.json"
    done = work.run(case, ["fio", "--name=j", f"--filename={work.dir}/big", "--output-format=json", f"--output={out}",
                           f"--size={work.sizes.big}M", "--fallocate=none", "--group_reporting", "--thread",
                           f"--randseed={work.seed}", *words])
    if done is None:
        return None
    said = out.read_text()
    job = json.loads(said[said.index("{"):])["jobs"][0]
    if job["error"]:
        work.say(case, f"fio: error {job['error']}")
        return None
    return job


def rate(job, way, count, divisor=1):
    """@count per second of what was read or written."""
    return job and job[way][count] / divisor / (max(job[way]["runtime"], 1) / 1000)


def data(work):
    big, random = work.sizes.big, ("--bs=4k", f"--runtime={work.sizes.time}")
    one, many = "--ioengine=psync", ("--ioengine=libaio", "--iodepth=16", "--direct=1")
    quarters = ("--numjobs=4", f"--size={big // 4}M", f"--offset_increment={big // 4}M")

    def in_order(case, way, *words):
        return case, "MiB/s", rate(fio(work, case, f"--rw={way}", "--bs=1M", one, *words), way, "io_bytes", 1 << 20)

    def at_random(case, *words):
        work.cold()
        return case, "iops", rate(fio(work, case, "--rw=randread", *random, *words), "read", "total_ios")

    yield in_order("seqwrite_1M_fsync", "write", "--end_fsync=1")
    work.cold()
    yield in_order("seqread_1M_cold", "read", "--invalidate=0")
    yield in_order("seqread_1M_warm", "read", "--invalidate=0")
    yield at_random("randread_4k", one)
    yield at_random("randread_4k_4jobs", one, *quarters)
    yield at_random("randread_4k_qd16_direct", *many)
    case = "randwrite_4k_endfsync"
    yield case, "iops", rate(fio(work, case, "--rw=randwrite", "--bs=4k", one, f"--io_size={work.sizes.rewritten}M",
                                 "--end_fsync=1"), "write", "total_ios")
    yield fsync_each(work, "randwrite_4k_fsync1", "--rw=randwrite", *random, one, "--time_based")


# No rates, and not compared: what filesystems that can say so count. name -> unit, and what it is of.
COUNTED = {
    "fsync_blocks": ("blocks", "random 4 KiB write with fsync: written to the device for each"),
    "fsync_flushes": ("flushes", "random 4 KiB write with fsync: flushes for each"),
    "wear_uniform": ("blocks", "80 % live, uniform overwrites: written to the device for each block"),
    "wear_hot": ("blocks", "80 % live, 90 % of overwrites to 10 % of blocks: the same"),
    "map_extents": ("extents", "the file after the uniform overwrites"),
    "map_on_disk": ("bytes", "its map on disk, for each extent"),
    "map_in_memory": ("bytes", "its map in memory, for each extent"),
}


def count(work, name, figure):
    work.counted.append((name, COUNTED[name][0], figure))


def counters(work, path=None):
    filesystem = work.mounted.filesystem
    return json.loads(filesystem.counters(path or work.mounted.at)) if hasattr(filesystem, "counters") else None


def fsync_each(work, case, *words):
    before = counters(work)
    job = fio(work, case, *words, "--fsync=1")
    after = counters(work)
    if before and after and job:
        for name, counter in (("fsync_blocks", "device_blocks_written"), ("fsync_flushes", "flushes")):
            count(work, name, (after[counter] - before[counter]) / job["write"]["total_ios"])
    return case, "iops", rate(job, "write", "total_ios")


# ---- Wear -----------------------------------------------------------------------------------------

def wear(work):
    """A filesystem that is nearly full, overwritten once until it is in its steady state, and once to be counted."""
    room = os.statvfs(work.dir)
    live = room.f_blocks * room.f_frsize * 8 // 10 >> 20
    file = (f"--size={live}M", "--ioengine=psync", "--end_fsync=1")
    fio(work, "fill", *file, "--rw=write", "--bs=1M")
    for name, *words in (("uniform",), ("hot", "--random_distribution=zoned:90/10:10/90")):
        overwrite = (*file, "--rw=randwrite", "--bs=4k", "--norandommap", f"--io_size={live}M", *words)
        fio(work, f"wear_{name}", *overwrite)
        before = counters(work)
        job = fio(work, f"wear_{name}", *overwrite)
        after = counters(work)
        if job:
            written, asked = (after[c] - before[c] for c in ("device_blocks_written", "user_blocks_written"))
            count(work, f"wear_{name}", written / asked)
        if name == "uniform":
            learned = counters(work, work.dir / "big")["map"]
            count(work, "map_extents", learned["extents"])
            count(work, "map_on_disk", learned["disk_bytes"] / learned["extents"])
            count(work, "map_in_memory", learned["memory_bytes"] / learned["extents"])
        yield f"overwrite_{name}", "iops", rate(job, "write", "total_ios")


# ---- Metadata -------------------------------------------------------------------------------------

def metadata(work):
    files = work.dir / "m"
    files.mkdir()
    for case, operation, cold in (("meta_create_1k", "create", False), ("meta_stat_warm", "stat", False),
                                  ("meta_stat_cold", "stat", True), ("meta_readdirstat_cold", "readdir", True),
                                  ("meta_openread", "open", False), ("meta_rename", "rename", False),
                                  ("meta_unlink", "unlink", False)):
        if cold:
            work.cold()
        said = work.run(case, [work.metaloop, operation, files, str(work.sizes.files), "1024"])
        yield case, "ops/s", float(said) if said else None


# ---- Real trees -----------------------------------------------------------------------------------

class Tree:
    """At most @most files of @source, copied to @place, and as a tar file beside it."""

    def __init__(self, source, place, most):
        self.folder, self.tar = place, place.with_suffix(".tar")
        names = []
        for folder, folders, files in os.walk(source):
            folders.sort()
            names += [os.path.relpath(os.path.join(folder, f), source) for f in sorted(files)]
            if len(names) >= most:
                break
        place.mkdir()
        listed = "\0".join(n for n in names[:most] if os.access(os.path.join(source, n), os.R_OK))
        subprocess.run(["tar", "cf", self.tar, "-C", source, "--null", "-T", "-"], input=listed, text=True, check=True)
        subprocess.run(["tar", "xf", self.tar, "-C", place], check=True)
        subprocess.run(["tar", "cf", self.tar, "-C", place, "."], check=True)
        self.entries = sum(len(folders) + len(files) for _, folders, files in os.walk(place))


def trees(work, headers, documents):
    place = work.dir / "t"
    place.mkdir()
    speed = work.timed("tar_x", headers.entries, ["tar", "xf", headers.tar, "-C", place])
    yield "tar_x", "files/s", speed if work.same("tar_x", headers.folder, place) else None
    work.cold()
    again = work.scratch / "again.tar"
    yield "tar_c_cold", "files/s", work.timed("tar_c_cold", headers.entries, ["tar", "cf", again, "-C", place, "."])
    again.unlink(missing_ok=True)
    yield "rm_rf", "files/s", work.timed("rm_rf", headers.entries, ["rm", "-rf", place])
    copied = work.timed("cp_a", documents.entries, ["cp", "-a", documents.folder, work.dir / "doc"])
    yield "cp_a", "files/s", copied if work.same("cp_a", documents.folder, work.dir / "doc") else None


# ---- Databases ------------------------------------------------------------------------------------

def databases(work):
    for mode, count in work.sizes.transactions.items():
        case, script = f"sqlite_{mode.lower()}", work.scratch / "script.sql"
        script.write_text(f"PRAGMA journal_mode={mode};\nCREATE TABLE t(a INTEGER PRIMARY KEY, b);\n"
                          + "INSERT INTO t(b) VALUES (hex(randomblob(100)));\n" * count)
        file = work.dir / f"{mode}.db"
        speed = work.timed(case, count, ["sqlite3", file, f".read {script}"])
        said = work.run(case, ["sqlite3", file, "PRAGMA integrity_check; SELECT count(*) FROM t;"])
        if said is not None and said.split() != ["ok", str(count)]:
            work.say(case, f"sqlite3: expected ok and {count} rows, found {said.split()}")
            speed = None
        yield case, "transactions/s", speed
